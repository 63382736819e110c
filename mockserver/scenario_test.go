package mockserver_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/helppage"
	"github.com/seed47566266/understudy/mockserver"
)

const configuration = `
response:
  status: 200
  json: {Success: true, AppointmentId: "{{guid}}", For: "{{field \"PatientId\"}}"}
scenarios:
  - name: slot-taken
    when: {outcome: accepted, fields: {ProviderId: "35892D05-0086-4366-930B-3FA374CAC51E"}, call: 2..}
    then: {status: 409, json: {Message: "The slot is taken."}}
  - name: no-reason
    when: {outcome: Reason/required}
    then: {status: 422, json: {Error: "Reason"}, headers: {X-Why: "call {{.Number}}"}}
  - name: slow
    when: {headers: {X-Test: {matches: "^slow"}}}
    then: {delay: 50ms, continue: true}
  - name: dies
    when: {headers: {X-Test: dies}}
    then: {fault: connection-reset}
`

// configured starts a mock with a configuration.
func configured(t *testing.T, text string, options ...mockserver.Option) *httptest.Server {
	t.Helper()
	config, err := mockserver.ParseConfig("understudy.yaml", []byte(text), nil, nil)
	require.NoError(t, err)
	return start(t, append(options, mockserver.WithConfig(config))...)
}

func TestScenariosOfAConfiguration(t *testing.T) {
	server := configured(t, configuration)
	url := server.URL + endpoint
	const json = "application/json"
	sample := change(t, "ProviderId", "5eedda7a-0086-4366-930b-3fa374cac51e")
	first := send(t, "POST", url, json, sample)
	assert.Equal(t, 200, first.status)
	assert.Regexp(t, `^\{"Success":true,"AppointmentId":"[0-9a-f-]{36}","For":"[0-9a-f-]{36}"\}$`, first.body)
	mine := change(t, "ProviderId", "35892d0500864366930b3fa374cac51e")
	assert.Equal(t, 200, send(t, "POST", url, json, mine).status, "the first call")
	second := send(t, "POST", url, json, mine)
	assert.Equal(t, 409, second.status)
	assert.Equal(t, `{"Message":"The slot is taken."}`, second.body)
	assert.Equal(t, `"slot-taken"`, second.header.Get(mockserver.ScenarioHeader))
	assert.Equal(t, 200, send(t, "POST", url, json, mine, mockserver.SessionHeader, "other").status)
	entry := journal(t, server, "?status=409")[0]["scenarios"].([]any)[0].(map[string]any)
	assert.Equal(t, "slot-taken", entry["name"])
	assert.Equal(t, "outcome accepted, field ProviderId, call 2", entry["why"])
	rejected := send(t, "POST", url, json, change(t, "Reason", nil))
	assert.Equal(t, 422, rejected.status)
	assert.Equal(t, `{"Error":"Reason"}`, rejected.body)
	assert.Contains(t, rejected.header.Get("X-Why"), "call ")
	began := time.Now()
	assert.Equal(t, 200, send(t, "POST", url, json, sample, "X-Test", "slowly").status)
	assert.GreaterOrEqual(t, time.Since(began), 50*time.Millisecond)
}

// try sends the sample and returns the client's error.
func try(t *testing.T, url string, headers ...string) (int, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(string(operation(t).Sample)))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(r)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	_, err = io.ReadAll(resp.Body)
	return resp.StatusCode, err
}

func TestAFaultIsTheClientsOwnError(t *testing.T) {
	server := start(t)
	for fault, check := range map[string]func(error) bool{
		"connection-reset": func(err error) bool { return assert.ErrorIs(t, err, syscall.ECONNRESET) },
		"empty-response":   func(err error) bool { return assert.ErrorIs(t, err, io.EOF) },
		"truncated-body":   func(err error) bool { return assert.ErrorIs(t, err, io.ErrUnexpectedEOF) },
		"malformed-chunk":  func(err error) bool { return assert.ErrorContains(t, err, "chunk") },
		"random-data":      func(err error) bool { return assert.ErrorContains(t, err, "malformed HTTP response") },
		"timeout":          func(err error) bool { return assert.ErrorIs(t, err, context.DeadlineExceeded) },
	} {
		t.Run(fault, func(t *testing.T) {
			_, err := try(t, server.URL+endpoint, "Prefer", "fault="+fault)
			check(err)
		})
	}
}

func TestARequestAsksForItsResponse(t *testing.T) {
	server := start(t)
	sample := string(operation(t).Sample)
	for _, test := range []struct {
		name, prefer, body string
		status             int
		applied, notes     string
	}{
		{"a status", "code=503", sample, 503, "code=503", ""},
		{"a delay", "delay=1", sample, 200, "delay=1", ""},
		{"both", "code=500, delay=1ms", sample, 500, "code=500, delay=1ms", ""},
		{"a ready-made scenario", "scenario=unauthorized", sample, 401, "scenario=unauthorized", ""},
		{"no validation", "validate=off", "{}", 200, "validate=off", ""},
		{"somebody else's preference", "respond-async", sample, 200, "", ""},
		{"no such status", "code=99", sample, 200, "", `"Prefer: code=99 is ignored; use a status of 200 to 599"`},
		{"no such scenario", "scenario=slwo", sample, 200, "",
			`"Prefer: scenario=slwo is ignored; unknown scenario; did you mean \"slow\"?"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := send(t, "POST", server.URL+endpoint, "application/json", test.body, "Prefer", test.prefer)
			assert.Equal(t, test.status, got.status)
			assert.Equal(t, test.applied, got.header.Get("Preference-Applied"))
			assert.Equal(t, test.notes, got.header.Get(mockserver.NotesHeader))
		})
	}
	got := send(t, "POST", server.URL+endpoint+"?__prefer=code%3D503", "application/json", sample)
	assert.Equal(t, 503, got.status, "where headers cannot be set")
}

func TestANameThatIsNoFieldIsNoted(t *testing.T) {
	server := start(t)
	for name, test := range map[string]struct{ contentType, body, notes string }{
		"in JSON": {"application/json", `{"Notes":"x"}`, `"/Notes is not a field; did you mean Note?"`},
		"in a form": {"application/x-www-form-urlencoded", "Resaon=x",
			`"/Resaon is not a field; did you mean Reason?"`},
		"in an element":   {"application/json", `{"Reasons":[{"ReasnId":1}]}`, "/Reasons/0/ReasnId is not a field"},
		"a person's name": {"application/json", `{"Jane Doe":1}`, `"/? is not a field"`},
	} {
		t.Run(name, func(t *testing.T) {
			got := send(t, "POST", server.URL+endpoint, test.contentType, test.body)
			assert.Contains(t, got.header.Get(mockserver.NotesHeader), test.notes)
		})
	}
	got := send(t, "POST", server.URL+endpoint, "application/json", string(operation(t).Sample))
	assert.Empty(t, got.header.Get(mockserver.NotesHeader))
}

func TestASlotIsBookedOnce(t *testing.T) {
	ready, err := mockserver.ReadyMade("double-booked")
	require.NoError(t, err)
	server := start(t, mockserver.WithScenarios(ready))
	var accepted, taken atomic.Int32
	var clients sync.WaitGroup
	for range 20 {
		clients.Go(func() {
			status, err := try(t, server.URL+endpoint)
			switch {
			case err == nil && status == 200:
				accepted.Add(1)
			case err == nil && status == 409:
				taken.Add(1)
			}
		})
	}
	clients.Wait()
	assert.EqualValues(t, 1, accepted.Load())
	assert.EqualValues(t, 19, taken.Load())
}

func TestTheSameIdempotencyKeyGetsTheSameResponse(t *testing.T) {
	ready, err := mockserver.ReadyMade("idempotent")
	require.NoError(t, err)
	server := configured(t, `response: {json: {Id: "{{guid}}"}}`, mockserver.WithScenarios(ready))
	sample := string(operation(t).Sample)
	book := func(key string) string {
		return send(t, "POST", server.URL+endpoint, "application/json", sample, "Idempotency-Key", key).body
	}
	first := book("a")
	assert.Equal(t, first, book("a"))
	assert.NotEqual(t, first, book("b"))
	other := send(t, "POST", server.URL+endpoint, "application/json", "{}", "Idempotency-Key", "a")
	assert.Equal(t, first, other.body)
	assert.Empty(t, other.header.Get(mockserver.ViolationsHeader), "it is the response to the first")
}

// journal is what the admin API says of the requests.
func journal(t *testing.T, server *httptest.Server, query string) []map[string]any {
	t.Helper()
	got := send(t, "GET", server.URL+"/__admin/requests"+query, "", "")
	require.Equal(t, 200, got.status, got.body)
	var list struct{ Requests []map[string]any }
	require.NoError(t, json.Unmarshal([]byte(got.body), &list))
	return list.Requests
}

func TestTheNextResponsesCanBeAskedFor(t *testing.T) {
	server := start(t)
	sample := string(operation(t).Sample)
	next := server.URL + "/__admin/next"
	assert.Equal(t, 200, send(t, "PUT", next, "", `{"status": 503, "times": 2}`, mockserver.SessionHeader, "a").status)
	for _, want := range []struct {
		session string
		status  int
	}{{"b", 200}, {"a", 503}, {"a", 503}, {"a", 200}} {
		got := send(t, "POST", server.URL+endpoint, "application/json", sample, mockserver.SessionHeader, want.session)
		assert.Equal(t, want.status, got.status)
	}
	wrong := send(t, "PUT", next, "", `{"stauts": 503}`)
	assert.Equal(t, 422, wrong.status)
	assert.Contains(t, wrong.body, `unknown key \"stauts\"`)
}

func TestTheAdminAPIIsForThisMachineOrAToken(t *testing.T) {
	open, guarded := start(t), start(t, mockserver.WithAdminToken("secret"))
	without, health := start(t, mockserver.WithoutAdmin()), start(t, mockserver.WithHealthAlone())
	for _, test := range []struct {
		name, url string
		status    int
		headers   []string
	}{
		{"this machine", open.URL, 200, nil},
		{"a page of another origin", open.URL, 403, []string{"Origin", "http://evil.example"}},
		{"no token", guarded.URL, 401, nil},
		{"a wrong token", guarded.URL, 401, []string{"Authorization", "Bearer wrong"}},
		{"the token", guarded.URL, 200, []string{"Authorization", "Bearer secret"}},
		{"without an admin API", without.URL, 404, nil},
		{"its health alone", health.URL, 404, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			assert.Equal(t, test.status, send(t, "GET", test.url+"/__admin/requests", "", "", test.headers...).status)
		})
	}
	for _, test := range []struct {
		name, url string
		status    int
		headers   []string
	}{
		{"without a token", guarded.URL, 200, nil},
		{"with a wrong one", guarded.URL, 401, []string{"Authorization", "Bearer wrong"}},
		{"by a page", guarded.URL, 403, []string{"Origin", "http://evil.example"}},
		{"by any name, where there is nothing else", health.URL, 200, []string{"Host", "mock.example"}},
		{"by another name, of this machine's", open.URL, 403, []string{"Host", "mock.example"}},
		{"without an admin API", without.URL, 404, nil},
	} {
		t.Run("whether it is up is asked "+test.name, func(t *testing.T) {
			for _, path := range []string{"/__admin/health", "/__admin/ready"} {
				assert.Equal(t, test.status, send(t, "GET", test.url+path, "", "", test.headers...).status)
			}
		})
	}
	mock, err := mockserver.New(pageContract(t))
	require.NoError(t, err)
	r := httptest.NewRequest(http.MethodGet, "http://rebound.example/__admin/requests", nil)
	w := httptest.NewRecorder()
	mock.ServeHTTP(w, r)
	assert.Equal(t, 403, w.Code, "another name for this machine")
}

func TestAWrongConfigurationIsNamedWithItsPlace(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, os.Symlink("/etc/hostname", filepath.Join(folder, "link")))
	root, err := os.OpenRoot(folder)
	require.NoError(t, err)
	defer func() { _ = root.Close() }()
	one := func(rest string) string { return "scenarios:\n  - {name: a, " + rest + "}" }
	for _, row := range [][2]string{
		{
			"scenarois: []",
			"f:1:1: unknown key \"scenarois\" in the configuration: use response, unique, scenarios",
		},
		{one("then: {status: 99}"), "f:2:21: scenario \"a\": invalid status 99: use 200 to 599"},
		{one("when: {probability: nan}, then: {status: 500}"), "probability"},
		{one("when: {call: every 3 of every 2}"), "a call is a number such as 2"},
		{
			"response: {file: missing}",
			"f:1:11: file \"missing\" cannot be read from the configuration's folder: no such file",
		},
		{one("when: {outcome: " + strings.Repeat("x", 100_000) + "}"), "unknown outcome"},
		{one("when: {outcome: Reasn/required}"), "f:2:21: scenario \"a\": unknown outcome \"Reasn/required\""},
		{
			one("when: {fields: {Resaon: x}}"),
			"unknown field \"Resaon\" of AppointmentModel; did you mean \"Reason\"?",
		},
		{one("when: {fields: {PatientId: x}}"), "field PatientId: \"x\" can never be its value"},
		{one("then: {text: '{{.Bar}}'}"), "unknown name .Bar; use Call, Model,"},
		{one("then: {text: '{{.Model.Resaon}}'}"), "did you mean \"Reason\"?"},
		{one("then: {text: '{{.Model.reason}}'}"), "did you mean \"Reason\"?"},
		{one("then: {text: '{{with .Call}}{{$.Request.Metod}}{{end}}'}"), "unknown name .Request.Metod"},
		{"unique: [ProviderI]", "f:1:9: unique: unknown field"},
		{"scenarios:\n  - name: a\n    then: {status: 200}\n   - name: b\n", "f:4:1: did not find"},
		{one("then: {text: '{{nosuch}}'}"), "function \"nosuch\" not defined"},
		{one("then: {text: '{{fake \"imagepng\"}}'}"), "unknown data \"imagepng\""},
		{one("then: {text: '{{fake \"person\"}}'}"), "unknown data \"person\""},
		{one("then: {text: '{{fake \"dice\"}}'}"), "unknown data \"dice\""},
		{one("then: {text: '{{print (field \"Resaon\")}}'}"), "did you mean \"Reason\"?"},
		{one("then: {text: '{{printf \"%*d\" 3 4}}'}"), "printf takes no *"},
		{one("then: {text: '{{printf \"%99999999d\" 4}}'}"), "makes more than"},
		{one("then: {delay: 5m}"), "f:2:29: invalid delay: use 0s to 50s"},
		{one("then: {fault: connection-rest}"), "did you mean \"connection-reset\"?"},
		{one("then: {file: ../../etc/passwd}"), "cannot be read from the configuration's folder"},
		{one("then: {file: link}"), "cannot be read from the configuration's folder"},
		{one("then: {continue: true, status: 500}"), "continue adds to the response"},
		{"scenarios:\n  - slwo", "f:2:5: unknown ready-made scenario \"slwo\"; did you mean \"slow\"?"},
		{"scenarios: [{name: a}, {name: a}]", "duplicate scenario \"a\""},
		{"scenarios: [{name: a, when: {call: 0}}]", "a call is a number such as 2"},
		{"response: {json: 1, text: x}", "three ways to give one body"},
		{"response: {status: 200\n", "f:1:1: did not find"},
		{"response: &a {status: 200}\nscenarios: *a", "an alias"},
		{"response: {text: '{{define \"x\"}}{{end}}{{template \"x\"}}'}", "templates cannot"},
		{"unique: [ProviderI]", "unknown field \"ProviderI\""},
		{"response: {headers: {Content-Length: '1'}}", "is set by the server"},
		{"response: " + strings.Repeat("{json: ", 100) + "1" + strings.Repeat("}", 100), "more than 64 levels"},
	} {
		text, want := row[0], row[1]
		config, err := mockserver.ParseConfig("f", []byte(text), root, nil)
		if err == nil {
			_, err = mockserver.New(pageContract(t), mockserver.WithConfig(config))
		}
		assert.ErrorContains(t, err, want, text)
	}
}

func TestAReadyMadeScenarioThatDoesNotFitThePageIsNamed(t *testing.T) {
	c, err := helppage.Parse(bytes.ReplaceAll(contracts.Page(), []byte("ProviderId"), []byte("DoctorId")))
	require.NoError(t, err)
	_, err = mockserver.New(c)
	require.NoError(t, err, "nobody asks for it")
	_, err = mockserver.New(c, doubleBooked(t))
	require.ErrorContains(t, err, `scenario "double-booked": unknown field "ProviderId"`)
}

func TestTheSetupChangesWhileRequestsComeIn(t *testing.T) {
	mock := mockserver.Start(t, pageContract(t))
	sample := string(operation(t).Sample)
	status := func() int { return send(t, "POST", mock.URL+endpoint, "application/json", sample).status }
	with := func(name string, code int) mockserver.Scenario {
		return mockserver.Scenario{Name: name, Then: mockserver.Then{Response: mockserver.Response{Status: code}}}
	}
	require.Equal(t, 200, status())
	require.NoError(t, mock.Configure(mockserver.Config{Scenarios: []mockserver.Scenario{with("a", 501)}}))
	require.Equal(t, 501, status())
	require.NoError(t, mock.Use(with("b", 502)))
	require.Equal(t, 502, status(), "in front")
	require.NoError(t, mock.Use(with("b", 503)))
	require.Equal(t, 503, status(), "in its place")
	require.NoError(t, mock.Switch("b", false))
	require.Equal(t, 501, status())
	require.Equal(t, []string(nil), mock.Unused())
	require.NoError(t, mock.Use(with("a", 504)))
	require.Equal(t, 504, status(), "the one of the configuration is replaced")
	require.Error(t, mock.Use(with("c", 99)))
	require.Equal(t, 504, status(), "after an error nothing is changed")
	require.NoError(t, mock.Configure(mockserver.Config{}))
	require.Equal(t, 504, status(), "those in front stay")
}

func TestScenariosFromGoAreChecked(t *testing.T) {
	then := mockserver.Then{Response: mockserver.Response{Status: 429}}
	for want, option := range map[string]mockserver.Option{
		"limit: use at least 1 request": mockserver.WithScenarios(mockserver.Scenario{
			Name: "a", When: mockserver.When{Limit: &mockserver.Limit{Burst: 1, Per: time.Second}}, Then: then,
		}),
		"1 of burst": mockserver.WithScenarios(mockserver.Scenario{
			Name: "a", When: mockserver.When{Limit: &mockserver.Limit{Requests: 1, Per: time.Second}}, Then: then,
		}),
		`file "x.json": files are read where a configuration is parsed`: mockserver.WithConfig(
			mockserver.Config{Response: &mockserver.Response{File: "x.json"}}),
	} {
		_, err := mockserver.New(pageContract(t), option)
		assert.ErrorContains(t, err, want)
	}
}

func TestCallsAreReadAsTheyAreWritten(t *testing.T) {
	for text, matching := range map[string][]int{
		"3": {3}, "2..": {2, 3, 4, 5, 6, 7}, "2..4": {2, 3, 4}, "..2": {1, 2}, "every 3": {3, 6},
		"every 3 of 2..": {2, 5}, "every 2 of 3..6": {3, 5}, "every 2 of ..4": {2, 4},
	} {
		server := configured(t, "scenarios: [{name: a, when: {call: "+text+"}, then: {status: 503}}]")
		// What is written is read again.
		config := send(t, "GET", server.URL+"/__admin/config", "", "").body
		require.Equal(t, 200, send(t, "PUT", server.URL+"/__admin/config", "", config).status, config)
		var found []int
		for n := 1; n <= 7; n++ {
			if status, err := try(t, server.URL+endpoint); err == nil && status == 503 {
				found = append(found, n)
			}
		}
		assert.Equal(t, matching, found, text)
	}
}

func TestAFieldOfALateElementCanBeNamed(t *testing.T) {
	began := allocated()
	const reason = "7b0d7dbd-2e54-48b9-a80d-fb468fda994e"
	configured(t, "scenarios: [{name: a, when: {fields: {/Reasons/65535/ReasonId: "+reason+"}}}]")
	assert.Less(t, allocated()-began, uint64(8<<20), "bytes")
}

func allocated() uint64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.TotalAlloc
}

func TestALargeRequestThatWaitsMakesWay(t *testing.T) {
	server := configured(t, "scenarios: [{name: hangs, when: {headers: {X-Test: hangs}}, then: {fault: timeout}}]")
	spaces := func(n int) string {
		return strings.Replace(string(operation(t).Sample), "{", "{"+strings.Repeat(" ", n), 1)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var waiting sync.WaitGroup
	for range 4 { // each of which would be the only one at work
		waiting.Go(func() {
			body := strings.NewReader(spaces(1<<20 - 4000))
			r, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+endpoint, body)
			if !assert.NoError(t, err) {
				return
			}
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("X-Test", "hangs")
			resp, err := http.DefaultClient.Do(r)
			if assert.ErrorIs(t, err, context.Canceled) {
				return
			}
			_ = resp.Body.Close()
		})
	}
	for range 20 { // some of them after those have begun
		assert.Equal(t, 200, send(t, "POST", server.URL+endpoint, "application/json", spaces(20<<10)).status)
	}
	cancel()
	waiting.Wait()
}

func TestHeadersOfOneResponseShareTheirValuesInOneOrder(t *testing.T) {
	seen := map[string]bool{}
	for range 10 {
		server := configured(t, `
response: {headers: {X-A: "{{guid}}", X-B: "{{fake \"email\"}}", X-C: "{{guid}}"}, text: "{{guid}}"}`)
		got := send(t, "POST", server.URL+endpoint, "application/json", string(operation(t).Sample))
		seen[got.header.Get("X-A")+got.header.Get("X-B")+got.header.Get("X-C")+got.body] = true
	}
	assert.Len(t, seen, 1, "one seed, one response")
}
