package mockserver_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/helppage"
	"github.com/seed47566266/understudy/contracts/webapi"
	"github.com/seed47566266/understudy/mockserver"
)

const endpoint = "/api/Calendar/PatientAppointmentPost_v2"

func pageContract(t testing.TB) *contracts.Contract {
	t.Helper()
	c, err := helppage.Parse(contracts.Page())
	require.NoError(t, err)
	return c
}

func operation(t testing.TB) *contracts.Operation {
	t.Helper()
	return &pageContract(t).Operations[0]
}

// start serves a mock on a port of its own.
func start(t testing.TB, options ...mockserver.Option) *httptest.Server {
	t.Helper()
	mock, err := mockserver.New(pageContract(t), options...)
	require.NoError(t, err)
	server := httptest.NewServer(mock)
	t.Cleanup(server.Close)
	return server
}

type response struct {
	status int
	header http.Header
	body   string
}

func send(t testing.TB, method, url, contentType, body string, headers ...string) response {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	require.NoError(t, err)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	if host := req.Header.Get("Host"); host != "" {
		req.Host = host // of the header alone it takes none
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return response{resp.StatusCode, resp.Header, string(b)}
}

// change replaces one field's value in the page's sample; without a value it
// removes the field.
func change(t testing.TB, name string, value any) string {
	t.Helper()
	var fields map[string]any
	require.NoError(t, json.Unmarshal(operation(t).Sample, &fields))
	require.Contains(t, fields, name)
	if value == nil {
		delete(fields, name)
	} else {
		fields[name] = value
	}
	b, err := json.Marshal(fields)
	require.NoError(t, err)
	return string(b)
}

func TestThePagesSampleIsAcceptedAndEchoed(t *testing.T) {
	server := start(t)
	got := send(t, http.MethodPost, server.URL+endpoint, "application/json", string(operation(t).Sample))
	assert.Equal(t, http.StatusOK, got.status)
	assert.Equal(t, "application/json; charset=utf-8", got.header.Get("Content-Type"))
	assert.Empty(t, got.header.Get(mockserver.ViolationsHeader))
	var sent, echoed map[string]any
	require.NoError(t, json.Unmarshal(operation(t).Sample, &sent))
	require.NoError(t, json.Unmarshal([]byte(got.body), &echoed))
	for _, date := range []string{"AppointmentOn", "SecondaryAppointmentOn"} {
		assert.Equal(t, "2026-02-04T03:04:03.1544841+00:00", echoed[date], "the server's local time is UTC")
		echoed[date] = sent[date]
	}
	assert.Equal(t, sent, echoed)
}

func TestWhatThePageForbidsIsRejected(t *testing.T) {
	server := start(t)
	tests := []struct {
		name        string
		method      string
		contentType string
		body        string
		status      int
		want        string // the whole body; empty to leave it
		violation   string
	}{
		{
			"without Reason",
			"POST",
			"application/json",
			change(t, "Reason", nil),
			400,
			`{"Message":"The request is invalid.","ModelState":{"model.Reason":["The Reason field is required."]}}`,
			`"Reason/required";line=33;pointer="/Reason";found="nothing"`,
		},
		{
			"a Reason of 251 characters",
			"POST",
			"application/json",
			change(t, "Reason", strings.Repeat("a", 251)),
			400,
			`{"Message":"The request is invalid.","ModelState":{"model.Reason":["The field Reason must be a ` +
				`string with a maximum length of 250."]}}`,
			`"Reason/length";line=33;pointer="/Reason";found="251 of 250 characters"`,
		},
		{
			"an invalid GUID",
			"POST",
			"application/json",
			change(t, "PatientId", "x"),
			400,
			`{"Message":"The request is invalid.","ModelState":{"model.PatientId":["An error has occurred."]}}`,
			`"PatientId/type";line=20;pointer="/PatientId";found="a string in the wrong format"`,
		},
		{
			"an invalid date",
			"POST",
			"application/json",
			change(t, "SecondaryAppointmentOn", "never"),
			400,
			`{"Message":"The request is invalid.","ModelState":{"model.SecondaryAppointmentOn":["An error has ` +
				`occurred."]}}`,
			`"SecondaryAppointmentOn/type";line=29;pointer="/SecondaryAppointmentOn";found="a string in the wrong ` +
				`format"`,
		},
		{
			"GET", "GET", "", "", 405,
			`{"Message":"The requested resource does not support http method 'GET'."}`,
			`"method";line=1;found="the method GET"`,
		},
		{
			"text/plain", "POST", "text/plain", "x", 415,
			`{"Message":"The request entity's media type 'text/plain' is not supported for this resource."}`,
			`"request/application/json";line=65;found="the media type text/plain"`,
		},
		{
			"no body", "POST", "application/json", "", 400,
			`{"Message":"The request is invalid."}`,
			`"body";line=6;found="no body, or null"`,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := send(t, test.method, server.URL+endpoint, test.contentType, test.body)
			assert.Equal(t, test.status, got.status)
			assert.Equal(t, test.want, got.body)
			assert.Equal(t, test.violation, got.header.Get(mockserver.ViolationsHeader))
			if test.status == http.StatusMethodNotAllowed {
				assert.Equal(t, "POST", got.header.Get("Allow"))
			}
		})
	}
}

// TestRecordedResponsesOverHTTP replays recordings through a real server: what a
// client sees must be what the framework sent.
func TestRecordedResponsesOverHTTP(t *testing.T) {
	server := start(t)
	f, err := os.Open("../contracts/webapi/testdata/responses.ndjson.gz")
	require.NoError(t, err)
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	rows := json.NewDecoder(z)
	replayed := 0
	for {
		var row struct {
			ID           int
			Method, Path string
			Headers      [][2]string
			Body         *string
			BodyBase64   string `json:"body_base64"`
			Public       struct {
				Status     int
				Headers    map[string]string
				Body       string
				BodyBase64 string `json:"body_base64"`
			}
		}
		err := rows.Decode(&row)
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		body, want := row.Body, strings.ReplaceAll(row.Public.Body, "{host}", strings.TrimPrefix(server.URL, "http://"))
		if body == nil {
			decoded, err := base64.StdEncoding.DecodeString(row.BodyBase64)
			require.NoError(t, err)
			text := string(decoded)
			body = &text
		}
		if row.Public.BodyBase64 != "" {
			decoded, err := base64.StdEncoding.DecodeString(row.Public.BodyBase64)
			require.NoError(t, err)
			want = string(decoded)
		}
		var headers []string
		for _, h := range row.Headers {
			headers = append(headers, h[0], h[1])
		}
		got := send(t, row.Method, server.URL+row.Path, "", *body, headers...)
		require.Equal(t, row.Public.Status, got.status, "row %d", row.ID)
		require.Equal(t, want, got.body, "row %d", row.ID)
		require.Equal(t, row.Public.Headers["Content-Type"], got.header.Get("Content-Type"), "row %d", row.ID)
		require.Equal(t, row.Public.Headers["Allow"], got.header.Get("Allow"), "row %d", row.ID)
		replayed++
	}
	require.GreaterOrEqual(t, replayed, 2982)
}

func TestALongBodyIsRejectedInTheFrameworksShape(t *testing.T) {
	server := start(t, mockserver.WithMaxBody(1000))
	for name, body := range map[string]io.Reader{
		"with a Content-Length": strings.NewReader(strings.Repeat(" ", 1001)),
		"in chunks":             io.MultiReader(strings.NewReader(strings.Repeat(" ", 1001))),
	} {
		t.Run(name, func(t *testing.T) {
			resp, err := http.Post(server.URL+endpoint, "text/json", body)
			require.NoError(t, err)
			defer func() { _ = resp.Body.Close() }()
			b, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			assert.Equal(t, http.StatusRequestEntityTooLarge, resp.StatusCode)
			assert.Equal(t, "text/json; charset=utf-8", resp.Header.Get("Content-Type"))
			assert.Equal(t, `{"Message":"Maximum request length exceeded."}`, string(b))
		})
	}
	got := send(t, http.MethodPost, server.URL+endpoint, "application/json", strings.Repeat(" ", 1000))
	assert.Equal(t, http.StatusBadRequest, got.status, "a body of exactly the limit is read")
}

// panicking is a body that fails as no body should.
type panicking struct{}

func (panicking) Read([]byte) (int, error) { panic("out of order") }
func (panicking) Close() error             { return nil }

func TestAPanicBecomesTheFrameworks500(t *testing.T) {
	var log bytes.Buffer
	mock, err := mockserver.New(pageContract(t), mockserver.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	require.NoError(t, err)
	req := httptest.NewRequest(http.MethodPost, endpoint, panicking{})
	w := httptest.NewRecorder()
	mock.ServeHTTP(w, req)
	assert.Equal(t, http.StatusInternalServerError, w.Code)
	assert.Equal(t, `{"Message":"An error has occurred."}`, w.Body.String())
	assert.Equal(t, "application/json; charset=utf-8", w.Header().Get("Content-Type"))
	assert.Contains(t, log.String(), "out of order")
	assert.Contains(t, log.String(), "mockserver.go", "the stack is logged")
}

func TestBrowsersMayCallAndReadTheViolations(t *testing.T) {
	server := start(t)
	preflight := send(t, http.MethodOptions, server.URL+endpoint,
		"", "", "Origin", "http://localhost:3000", "Access-Control-Request-Method", "POST",
		"Access-Control-Request-Headers", "content-type")
	assert.Equal(t, http.StatusNoContent, preflight.status)
	assert.Equal(t, "http://localhost:3000", preflight.header.Get("Access-Control-Allow-Origin"))
	assert.Equal(t, "true", preflight.header.Get("Access-Control-Allow-Credentials"))
	assert.Equal(t, "content-type", preflight.header.Get("Access-Control-Allow-Headers"))
	got := send(t, http.MethodPost, server.URL+endpoint, "application/json", "{}", "Origin", "http://localhost:3000")
	assert.Equal(t, "http://localhost:3000", got.header.Get("Access-Control-Allow-Origin"))
	assert.Contains(t, got.header.Get("Access-Control-Expose-Headers"), mockserver.ViolationsHeader)
	plain := send(t, http.MethodOptions, server.URL+endpoint, "", "")
	assert.Equal(t, http.StatusMethodNotAllowed, plain.status, "an OPTIONS that is not a preflight is the framework's")
}

// lockedBuffer is written by the server's goroutines and read by the test.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestTheLogSaysWhatWasRejectedAndNamesNoValue(t *testing.T) {
	var log lockedBuffer
	mock, err := mockserver.New(pageContract(t), mockserver.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	require.NoError(t, err)
	secret := "Ms Planted of 5 Elm Street"
	bodies := []string{
		change(t, "PatientId", secret),
		change(t, "Reason", strings.Repeat(secret, 20)),
		`{"UserId":"` + secret + `","Reasons":[{"ReasonId":"` + secret + `"}]}`,
		`{"Reason":` + secret,
	}
	for _, body := range bodies {
		w := httptest.NewRecorder()
		mock.ServeHTTP(w, httptest.NewRequest(http.MethodPost, endpoint+"?q=Planted", strings.NewReader(body)))
		w = httptest.NewRecorder()
		req := httptest.NewRequest(http.MethodPost, endpoint, strings.NewReader(body))
		req.Header.Set("Content-Type", "application/json")
		mock.ServeHTTP(w, req)
		assert.Equal(t, http.StatusBadRequest, w.Code)
		assert.NotContains(t, w.Header().Get(mockserver.ViolationsHeader), "Planted")
	}
	form := httptest.NewRequest(http.MethodPost, endpoint, strings.NewReader("PatientId=Planted&MethodId=Planted"))
	form.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	mock.ServeHTTP(httptest.NewRecorder(), form)
	assert.NotContains(t, log.String(), "Planted")
	assert.Contains(t, log.String(),
		"/PatientId breaks PatientId/type (page line 20): found a string in the wrong format")
	assert.Equal(t, 9, strings.Count(log.String(), "\n"), "one line a request")
}

func TestAHostileBodyDoesNotFloodTheHeader(t *testing.T) {
	server := start(t)
	got := send(t, http.MethodPost, server.URL+endpoint, "application/json",
		`{"Reasons":[`+strings.Repeat("1,", 5000)+`1]}`)
	assert.Equal(t, http.StatusBadRequest, got.status)
	assert.Contains(t, got.header.Get(mockserver.ViolationsHeader), "more;count=4997")
	assert.Less(t, len(got.header.Get(mockserver.ViolationsHeader)), 1000)
}

func TestOptionsThatCannotBe(t *testing.T) {
	c := pageContract(t)
	_, err := mockserver.New(c, mockserver.WithMaxBody(0))
	require.Error(t, err)
	p := webapi.Profile{}
	p.TimeZone = "Mars/Olympus"
	_, err = mockserver.New(c, mockserver.WithProfile(p))
	require.ErrorContains(t, err, "Mars/Olympus")
}

// TestTheViolationsHeaderStaysShort sends bodies that break many facts or break
// them deep down: curl stops at a header of 100 KB, and proxies at 8 KB.
func TestTheViolationsHeaderStaysShort(t *testing.T) {
	server := start(t)
	name := strings.Repeat("n", 500)
	for what, body := range map[string]string{
		"objects that never close": strings.Repeat(`{"a":`, 20_000),
		"arrays that never close":  strings.Repeat(`[`, 100_000),
		"deep objects, long names": strings.Repeat(`{"`+name+`":`, 200),
		"many wrong elements":      `{"Reasons":[` + strings.Repeat(`1,`, 5000) + `1]}`,
	} {
		got := send(t, "POST", server.URL+endpoint, "application/json", body)
		assert.Equal(t, 400, got.status, what)
		assert.NotEmpty(t, got.header.Get(mockserver.ViolationsHeader), what)
		assert.Less(t, len(got.header.Get(mockserver.ViolationsHeader)), 8000, what)
	}
}

// TestADeclaredLengthTakesNoMemory declares more than it sends.
func TestADeclaredLengthTakesNoMemory(t *testing.T) {
	mock, err := mockserver.New(pageContract(t), mockserver.WithMaxBody(8<<30))
	require.NoError(t, err)
	r := httptest.NewRequest(http.MethodPost, "/api/Calendar/PatientAppointmentPost_v2", strings.NewReader("{}"))
	r.Header.Set("Content-Type", "application/json")
	r.ContentLength = 4 << 30
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	mock.ServeHTTP(httptest.NewRecorder(), r)
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(4<<20))
}

func TestWhoIsNoBrowserGetsTheFrameworksHeadersAlone(t *testing.T) {
	server := start(t)
	sample := string(operation(t).Sample)
	names := func(header http.Header) []string { return slices.Sorted(maps.Keys(header)) }
	got := send(t, http.MethodPost, server.URL+endpoint, "application/json", sample)
	assert.Equal(t, []string{"Content-Length", "Content-Type", "Date"}, names(got.header))
	got = send(t, http.MethodPost, server.URL+endpoint, "application/json", sample, "Origin", "http://localhost:3000")
	assert.Equal(t, "http://localhost:3000", got.header.Get("Access-Control-Allow-Origin"))
	assert.Equal(t, "Origin", got.header.Get("Vary"))
	got = send(t, http.MethodOptions, server.URL+endpoint, "", "", "Access-Control-Request-Method", "POST")
	assert.Equal(t, http.StatusMethodNotAllowed, got.status, "a preflight has an Origin")
}

// TestOperationsOfOneRouteAreDistinguishedByMethod has a contract of two.
func TestOperationsOfOneRouteAreDistinguishedByMethod(t *testing.T) {
	c := pageContract(t)
	put := c.Operations[0]
	put.Method, put.ID = http.MethodPut, "PUT-other"
	c.Operations = append(c.Operations, put)
	mock, err := mockserver.New(c)
	require.NoError(t, err)
	server := httptest.NewServer(mock)
	defer server.Close()
	for method, status := range map[string]int{http.MethodPost: 200, http.MethodPut: 200, http.MethodPatch: 405} {
		got := send(t, method, server.URL+endpoint, contracts.MediaJSON, string(put.Sample))
		assert.Equal(t, status, got.status, method)
	}
	_, err = mockserver.New(nil)
	require.ErrorContains(t, err, "no operation")
}
