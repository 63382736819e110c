package mockserver_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/mockserver"
)

// described is the admin API's own description, which every response of these tests has to
// follow.
type described struct {
	t      *testing.T
	url    string
	router routers.Router
	used   map[string]bool
}

func describe(t *testing.T, server *httptest.Server) *described {
	t.Helper()
	text := send(t, "GET", server.URL+"/__admin/openapi.json", "", "")
	require.Equal(t, 200, text.status)
	document, err := openapi3.NewLoader().LoadFromData([]byte(text.body))
	require.NoError(t, err)
	require.NoError(t, document.Validate(t.Context()))
	router, err := gorillamux.NewRouter(document)
	require.NoError(t, err)
	return &described{t, server.URL, router, map[string]bool{}}
}

// ask sends a request to the admin API, and checks the response against the description.
func (d *described) ask(method, path, body string, status int) response {
	d.t.Helper()
	got := send(d.t, method, d.url+"/__admin"+path, "application/json", body)
	require.Equal(d.t, status, got.status, "%s %s: %s", method, path, got.body)
	r, err := http.NewRequestWithContext(d.t.Context(), method, "/__admin"+path, strings.NewReader(body))
	require.NoError(d.t, err)
	r.Header.Set("Content-Type", "application/json")
	route, parameters, err := d.router.FindRoute(r)
	require.NoError(d.t, err, "%s %s is not described", method, path)
	d.used[route.Method+" "+route.Path] = true
	input := &openapi3filter.RequestValidationInput{
		Request: r, PathParams: parameters, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc},
	}
	if status < 400 {
		require.NoError(d.t, openapi3filter.ValidateRequest(d.t.Context(), input), "%s %s %s", method, path, body)
	}
	if strings.HasPrefix(got.header.Get("Content-Type"), "application/json") {
		require.NoError(d.t, openapi3filter.ValidateResponse(d.t.Context(), &openapi3filter.ResponseValidationInput{
			RequestValidationInput: input, Status: status, Header: got.header,
			Body:    io.NopCloser(strings.NewReader(got.body)),
			Options: &openapi3filter.Options{IncludeResponseStatus: true},
		}), "%s %s: %s", method, path, got.body)
	}
	return got
}

// has reads a part of a response in JSON.
func has[T any](t *testing.T, r response) T {
	t.Helper()
	var value T
	require.NoError(t, json.Unmarshal([]byte(r.body), &value), r.body)
	return value
}

func TestTheAdminAPIIsAsItsDescriptionSays(t *testing.T) {
	stopped := false
	server := configured(t, configuration+`
  - name: paid
    when: {requires: {payment: paid}}
    then: {status: 202, sets: {payment: Started}}
`, mockserver.WithShutdown(func() { stopped = true }), mockserver.WithVersion("1.2.3"))
	d := describe(t, server)
	url := server.URL + endpoint
	sample := string(operation(t).Sample)
	post := func(body string, headers ...string) int {
		return send(t, "POST", url, "application/json", body, headers...).status
	}

	assert.Contains(t, d.ask("GET", "/health", "", 200).body, `"1.2.3"`)
	assert.Contains(t, d.ask("GET", "/ready", "", 200).body, `"store": "up"`)
	d.ask("GET", "/config/schema", "", 200)
	d.ask("GET", "/metrics", "", 200)
	d.ask("GET", "/openapi.json", "", 200)
	assert.Contains(t, d.ask("GET", "/contract", "", 200).body, "PatientAppointmentPost_v2")

	// The journal.
	require.Equal(t, 200, post(sample, "X-Color", "red"))
	require.Equal(t, 422, post(change(t, "Reason", nil), mockserver.SessionHeader, "one"))
	require.Equal(t, 404, send(t, "GET", server.URL+"/nowhere?x=1", "", "").status)
	type list struct {
		Requests []struct {
			ID, Outcome string
			Request     struct{ URL string }
		}
		Meta  struct{ Total int }
		Count int
	}
	for query, want := range map[string]int{
		"": 3, "?limit=2": 2, "?limit=2&offset=2": 1, "?outcome=accepted": 1, "?outcome=scenario": 1,
		"?rule=Reason/required": 1, "?status=404": 1, "?method=GET": 1, "?session=one": 1, "?unmatched=true": 1,
		"?since=2000-01-01T00:00:00Z": 3, "?since=2100-01-01T00:00:00Z": 0, "?after=2": 1,
		"?operation=" + operation(t).ID: 2, "?wait=1ms&atLeast=7": 3,
	} {
		assert.Len(t, has[list](t, d.ask("GET", "/requests"+query, "", 200)).Requests, want, query)
	}
	assert.Equal(t, 3, has[list](t, d.ask("GET", "/requests?limit=1", "", 200)).Meta.Total)
	for _, query := range []string{
		"?colour=red", "?limit=-1", "?wait=never", "?wait=1h", "?since=yesterday", "?outcome=good",
		"?rule=Resaon/required",
		"?operation=x", "?limit=1&limit=2", "?status=x", "?session=%20",
	} {
		d.ask("GET", "/requests"+query, "", 400)
	}
	for body, want := range map[string]int{
		`{}`: 3, `{"method": "POST"}`: 2, `{"method": "ANY", "urlPath": "/nowhere"}`: 1, `{"url": "/nowhere?x=1"}`: 1,
		`{"urlPattern": "/now.*"}`: 1, `{"urlPathPattern": "/api/.*"}`: 2, `{"urlPathPattern": "api"}`: 0,
		`{"headers": {"x-color": {"equalTo": "RED", "caseInsensitive": true}}}`: 1,
		`{"headers": {"x-color": {"absent": true}}}`:                            2,
		`{"headers": {"x-color": {"doesNotMatch": "r.d"}}}`:                     0,
		`{"queryParameters": {"x": {"matches": "[0-9]"}}}`:                      1,
		`{"bodyPatterns": [{"contains": "PatientId"}]}`:                         2,
		`{"fields": {"ProviderId": "35892D0500864366930B3FA374CAC51E"}}`:        2,
		`{"fields": {"Reason": {"absent": true}}}`:                              1,
		`{"status": 422}`: 1, `{"rule": "Reason/required", "session": "one"}`: 1, `{"outcome": "fault"}`: 0,
	} {
		assert.Equal(t, want, has[list](t, d.ask("POST", "/requests/count", body, 200)).Count, body)
	}
	for _, body := range []string{
		`{"methd": "POST"}`, `[]`, `{`, `{"urlPattern": "("}`, `{"fields": {"Resaon": "x"}}`, `{"rule": "x"}`,
		`{"headers": {"x": {"matches": "("}}}`, strings.Repeat(`{"headers":`, 100) + strings.Repeat("}", 100),
	} {
		d.ask("POST", "/requests/count", body, 422)
	}
	found := has[list](t, d.ask("POST", "/requests/find", `{"method": "POST"}`, 200))
	require.Len(t, found.Requests, 2)
	assert.Equal(t, "accepted", found.Requests[0].Outcome, "the oldest first")
	assert.Len(t, has[list](t, d.ask("GET", "/requests/unmatched", "", 200)).Requests, 1)
	id := found.Requests[0].ID
	assert.Contains(t, d.ask("GET", "/requests/"+id, "", 200).body, `"X-Color": "red"`)
	d.ask("DELETE", "/requests/"+id, "", 200)
	d.ask("DELETE", "/requests/"+id, "", 404)
	d.ask("GET", "/requests/"+id, "", 404)
	assert.Len(t, has[list](t, d.ask("POST", "/requests/remove", `{"method": "GET"}`, 200)).Requests, 1)
	assert.Equal(t, 1.0, has[map[string]float64](t, d.ask("DELETE", "/requests", "", 200))["removed"])

	// Scenarios, states and settings.
	assert.Contains(t, d.ask("GET", "/scenarios", "", 200).body, `"payment": "Started"`)
	require.Equal(t, 409, post(sample), "the second for this provider")
	d.ask("PUT", "/scenarios/paid/state", `{"state": "paid"}`, 404)
	d.ask("PUT", "/scenarios/payment/state", `{"stat": "paid"}`, 422)
	d.ask("PUT", "/scenarios/payment/state", `{}`, 422)
	d.ask("PUT", "/scenarios/payment/state?session=s", `{"state": "paid"}`, 200)
	require.Equal(t, 202, post(sample, mockserver.SessionHeader, "s"))
	require.Equal(t, 409, post(sample, mockserver.SessionHeader, "s"))
	d.ask("PUT", "/scenarios/slot-taken", `{"enabled": false}`, 200)
	require.Equal(t, 200, post(sample, mockserver.SessionHeader, "s"), "the state has been left")
	d.ask("PUT", "/scenarios/slto-taken", `{"enabled": false}`, 404)
	d.ask("PUT", "/scenarios/slot-taken", `{}`, 422)
	d.ask("PUT", "/scenarios/maintenance", `{"enabled": true}`, 200)
	require.Equal(t, 503, post(sample))
	d.ask("POST", "/scenarios/reset", "", 200)
	d.ask("POST", "/reset", "", 200)
	require.Equal(t, 200, post(sample))
	require.Equal(t, 409, post(sample), "slot-taken is enabled again")
	d.ask("POST", "/settings", `{"validation": "off", "fixedDelay": 1}`, 200)
	assert.Contains(t, d.ask("GET", "/settings", "", 200).body, `"fixedDelay": 1`)
	require.Equal(t, 200, post(change(t, "Reason", nil), mockserver.SessionHeader, "v"))
	d.ask("POST", "/settings", `{"delay": "1ms..2ms", "validation": "enforce"}`, 200)
	d.ask("POST", "/settings", `{"delayDistribution": {"type": "lognormal", "median": 2, "sigma": 0.1}}`, 200)
	d.ask("POST", "/settings", `{"delayDistribution": {"type": "uniform", "lower": 1, "upper": 2}}`, 200)
	assert.Contains(t, d.ask("GET", "/settings", "", 200).body, `"delay": "1ms..2ms"`)
	d.ask("POST", "/settings", `{"fixedDelay": 0}`, 200)
	for _, body := range []string{
		`{"validation": "maybe"}`, `{"fixedDelay": 9000000000000000000}`, `{"fixedDelay": -1}`, `{"delay": "1h"}`,
		`{"x": 1}`,
		`{"fixedDelay": 1, "delay": "1s"}`, `{"delayDistribution": {"type": "normal"}}`,
		`{"delayDistribution": {"type": "uniform", "lower": 2, "upper": 1}}`,
	} {
		d.ask("POST", "/settings", body, 422)
	}
	d.ask("PUT", "/next", `{"status": 503, "times": 2, "delay": "1ms"}`, 200)
	d.ask("PUT", "/next", `{"stauts": 503}`, 422)
	require.Equal(t, 503, post(sample))
	waiting := has[struct {
		Next []struct {
			Response struct{ Status int }
			Times    int
		}
	}](t, d.ask("GET", "/next", "", 200)).Next
	require.Len(t, waiting, 1)
	assert.Equal(t, 1, waiting[0].Times)
	assert.Equal(t, 503, waiting[0].Response.Status)
	d.ask("DELETE", "/next?session=other", "", 200)
	assert.Contains(t, d.ask("GET", "/next", "", 200).body, "503")
	d.ask("DELETE", "/next", "", 200)
	assert.Equal(t, `{"next":[]}`, strings.Join(strings.Fields(d.ask("GET", "/next", "", 200).body), ""))
	yaml := send(t, "PUT", server.URL+"/__admin/next", "", "status: 503\nheaders: {Retry-After: '7'}")
	require.Equal(t, 200, yaml.status, yaml.body)
	assert.Contains(t, d.ask("GET", "/next", "", 200).body, `"Retry-After": "7"`)
	d.ask("POST", "/reset?session=s", "", 200)

	// Scenarios from outside.
	for body, problem := range map[string]string{
		"": "the body is empty", "name: x\ncolor: 1": "unknown key", "- name: x\n  then: {status: 99}": "99",
		"scenarios: [{name: x, then: {file: /etc/passwd}}]": "file", "7": "unknown ready-made scenario",
	} {
		assert.Contains(t, d.ask("POST", "/scenarios", body, 422).body, problem, body)
		yaml = send(t, "POST", server.URL+"/__admin/scenarios?check=true", "", body)
		assert.Contains(t, has[map[string]any](t, yaml)["problem"], problem)
	}
	teapot := `{"scenarios": [{"name": "teapot", "when": {"headers": {"X-Tea": "yes"}}, "then": {"status": 418}}]}`
	d.ask("POST", "/scenarios?check=true", teapot, 200)
	d.ask("DELETE", "/next", "", 200)
	require.NotEqual(t, 418, post(sample, "X-Tea", "yes"))
	for _, body := range []string{
		teapot, "name: teapot\nwhen: {headers: {X-Tea: 'yes'}}\nthen: {status: 418}",
		"- name: teapot\n  when: {headers: {X-Tea: 'yes'}}\n  then: {status: 418}",
	} {
		assert.Contains(t, send(t, "POST", server.URL+"/__admin/scenarios", "", body).body, `"teapot"`)
		require.Equal(t, 418, post(sample, "X-Tea", "yes"), body)
	}
	yaml = send(t, "GET", server.URL+"/__admin/config", "", "", "Accept", "application/yaml")
	assert.Contains(t, yaml.body, "name: slot-taken")
	assert.Contains(t, yaml.body, "Message: ", "bodies are as they are written")
	d.ask("PUT", "/next", `{"status": 503}`, 200)

	// Requests to the mock itself.
	type sent struct {
		ID, Problem string
		Response    struct {
			Status int
			Body   string
		}
	}
	d.ask("DELETE", "/next", "", 200)
	through := func(request string) sent {
		return has[sent](t, d.ask("POST", "/send", request, 200))
	}
	got := through(
		`{"method": "POST", "url": "` + endpoint +
			`", "headers": [{"name": "Content-Type", "value": "application/json"}], "body": "{}"}`,
	)
	assert.Equal(t, 422, got.Response.Status, "as the configuration has it")
	assert.Contains(t, d.ask("GET", "/requests/"+got.ID, "", 200).body, `"body": "{}"`)
	assert.Equal(t, 404, through(`{"method": "GET", "url": "/nowhere"}`).Response.Status)
	expecting := through(
		`{"method": "POST", "url": "/x", "headers": [{"name": "Expect", "value": "100-continue"}], "body": "x"}`,
	)
	assert.Equal(t, 404, expecting.Response.Status, "not 100")
	assert.Equal(t, 404, through(`{"method": "HEAD", "url": "/nowhere"}`).Response.Status)
	assert.Equal(
		t,
		413,
		through(
			`{"method": "POST", "url": "`+endpoint+`", "body": "`+strings.Repeat("x", 1<<20+1)+`"}`,
		).Response.Status,
	)
	assert.Equal(
		t,
		501,
		through(`{"method": "POST", "url": "`+endpoint+`", "headers": [{"name": "Transfer-Encoding", "value": "x"}]}`).
			Response.Status,
		"net/http's own",
	)
	assert.Equal(t, 415, through(`{"method": "POST", "url": "`+endpoint+`", "bodyAsBase64": "/w=="}`).Response.Status)
	for _, fault := range mockserver.FaultNames() {
		if fault == string(mockserver.FaultTimeout) {
			continue // it takes 50 s
		}
		got := through(
			`{"method": "POST", "url": "` + endpoint + `", "headers": [{"name": "Prefer", "value": "fault=` +
				fault + `"}]}`,
		)
		assert.NotEmpty(t, got.Problem, fault)
		assert.Contains(t, d.ask("GET", "/requests/"+got.ID, "", 200).body, `"fault": "`+fault+`"`)
	}
	for _, request := range []string{
		"",
		"{",
		`{"x": 1}`,
		`{"method": "A B", "url": "/"}`,
		`{"method": "GET", "url": "x"}`,
		`{"method": "GET", "url": "/ x"}`,
		`{"method": "GET", "url": "/__admin/reset"}`,
		`{"method": "GET", "url": "/%5F_admin/events"}`,
		`{"method": "GET", "url": "/", "headers": [{"name": "a\r\nb", "value": ""}]}`,
		`{"method": "GET", "url": "/", "headers": [{"name": "a", "value": "b\r\nc"}]}`,
		`{"method": "GET", "url": "/", "bodyAsBase64": "%"}`,
	} {
		d.ask("POST", "/send", request, 422)
	}
	d.ask("PUT", "/next", `{"status": 503}`, 200)

	// The configuration.
	was := d.ask("GET", "/config", "", 200).body
	d.ask("PUT", "/config", `{"response": {"status": 201, "json": {"a": 1}}}`, 200)
	require.Equal(t, 503, post(sample), "still from next")
	require.Equal(t, 201, post(sample))
	d.ask("PUT", "/config", `{"response": {"status": 99}}`, 422)
	d.ask("PUT", "/config", `{"response": {"file": "/etc/passwd"}}`, 422)
	require.Equal(t, 201, post(sample), "the last right one stays")
	d.ask("PUT", "/config", was, 200)
	assert.Equal(t, was, d.ask("GET", "/config", "", 200).body)
	d.ask("PUT", "/config", strings.Repeat("#", 2<<20), 413)
	d.ask("POST", "/shutdown", "", 200)
	assert.True(t, stopped)

	text := send(t, "GET", server.URL+"/__admin/openapi.json", "", "").body
	for path, methods := range has[struct {
		Paths map[string]map[string]any
	}](t, response{body: text}).Paths {
		for method := range methods {
			name := strings.ToUpper(method) + " " + path
			assert.True(t, d.used[name] || name == "GET /__admin/events", "%s is described and not tested", name)
		}
	}
}

func TestARequestIsWaitedFor(t *testing.T) {
	server := start(t)
	got := make(chan string, 1)
	go func() {
		got <- send(t, "GET", server.URL+"/__admin/requests?rule=Reason/required&wait=40s", "", "").body
	}()
	send(t, "POST", server.URL+endpoint, "application/json", string(operation(t).Sample))
	send(t, "POST", server.URL+endpoint, "application/json", change(t, "Reason", nil))
	select {
	case body := <-got:
		assert.Contains(t, body, `"total": 1`)
	case <-time.After(20 * time.Second):
		t.Fatal("the request was not noticed")
	}
}

// stream reads server-sent events: the ids, as they come.
func stream(t *testing.T, url string, headers ...string) (ids <-chan string, end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	require.NoError(t, err)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	require.Equal(t, "text/event-stream", resp.Header.Get("Content-Type"))
	out := make(chan string, 100)
	go func() {
		defer func() { _ = resp.Body.Close() }()
		defer close(out)
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			if id, found := strings.CutPrefix(lines.Text(), "id: "); found {
				out <- id
			}
		}
	}()
	return out, cancel
}

func next(t *testing.T, ids <-chan string) string {
	t.Helper()
	select {
	case id := <-ids:
		return id
	case <-time.After(20 * time.Second):
		t.Fatal("no event came")
		return ""
	}
}

func TestEventsAreSentAsTheyComeAndResume(t *testing.T) {
	server := start(t)
	sample := string(operation(t).Sample)
	post := func(headers ...string) { send(t, "POST", server.URL+endpoint, "application/json", sample, headers...) }
	post()
	events := server.URL + "/__admin/events"
	ids, end := stream(t, events)
	post()
	second := next(t, ids)
	post()
	third := next(t, ids)
	end()
	again, _ := stream(t, events, "Last-Event-ID", second)
	assert.Equal(t, third, next(t, again), "nothing is lost while the connection is")
	mine, _ := stream(t, events+"?session=mine")
	post()
	post(mockserver.SessionHeader, "mine")
	assert.Equal(t, "5", next(t, mine))
}

// lines reads the events of a stream, each as its name and data.
func lines(t *testing.T, url string) func() (name string, data map[string]any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	t.Cleanup(func() { _ = response.Body.Close() })
	scanner := bufio.NewScanner(response.Body)
	return func() (name string, data map[string]any) {
		t.Helper()
		for scanner.Scan() {
			if found, is := strings.CutPrefix(scanner.Text(), "event: "); is {
				name = found
			}
			if text, is := strings.CutPrefix(scanner.Text(), "data: "); is {
				require.NoError(t, json.Unmarshal([]byte(text), &data))
				return name, data
			}
		}
		t.Fatal("the stream ended")
		return "", nil
	}
}

func TestAStreamSaysWhatChangedInTheMock(t *testing.T) {
	server := start(t)
	next := lines(t, server.URL+"/__admin/events?view=row")
	name, first := next()
	require.Equal(t, "mock", name)
	assert.NotEmpty(t, first["instance"])
	send(t, "POST", server.URL+endpoint, "application/json", change(t, "Reason", nil), mockserver.SessionHeader, "s")
	name, row := next()
	require.Equal(t, "request", name)
	delete(row, "time")
	delete(row, "millis")
	assert.Equal(t, map[string]any{
		"id": "1", "session": "s", "method": "POST", "url": endpoint, "operation": operation(t).ID, "status": 400.0,
		"outcome": "rejected", "reason": "Reason: missing", "rules": []any{"Reason/required"}, "broken": 1.0,
	}, row)
	for _, change := range []struct{ method, path, body, counts string }{
		{"PUT", "/next", `{"status": 503}`, "changes"},
		{"DELETE", "/next", "", "changes"},
		{"PUT", "/scenarios/down", `{"enabled": false}`, "changes"},
		{"POST", "/settings", `{"delay": "1ms"}`, "changes"},
		{"POST", "/scenarios/reset", "", "changes"},
		{"DELETE", "/requests", "", "removals"},
	} {
		send(t, change.method, server.URL+"/__admin"+change.path, "", change.body)
		name, now := next()
		require.Equal(t, "mock", name)
		assert.Equal(t, first[change.counts].(float64)+1, now[change.counts], "%s %s", change.method, change.path)
		first = now
	}
	assert.Equal(t, 400, send(t, "GET", server.URL+"/__admin/events?view=all", "", "").status)
}

func TestAFileGetsTheJournalToo(t *testing.T) {
	name := filepath.Join(t.TempDir(), "journal.ndjson")
	file, err := mockserver.OpenJournalFile(name, 6000, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	server := start(t, mockserver.WithJournalFile(file), mockserver.WithHidden("PatientId"))
	for range 8 {
		send(t, "POST", server.URL+endpoint, "application/json", string(operation(t).Sample), "Authorization",
			"planted")
	}
	require.NoError(t, file.Close())
	var ids []string
	for _, part := range []string{name + ".3", name + ".2", name + ".1", name} {
		text, err := os.ReadFile(part)
		require.NoError(t, err)
		assert.LessOrEqual(t, len(text), 6000)
		assert.NotContains(t, string(text), "planted")
		assert.Contains(t, string(text), "[hidden]")
		for line := range bytes.Lines(text) {
			var entry struct {
				ID      string
				Request struct{ Method string }
			}
			require.NoError(t, json.Unmarshal(line, &entry))
			assert.Equal(t, "POST", entry.Request.Method)
			ids = append(ids, entry.ID)
		}
		info, err := os.Stat(part)
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "patients' data is for its owner")
	}
	assert.Equal(t, "8", ids[len(ids)-1])
	_, err = os.Stat(name + ".4")
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestAFullDiskIsSaidAndStopsNothing(t *testing.T) {
	const full = "/dev/full"
	if _, err := os.Stat(full); err != nil {
		t.Skip("this system has no " + full)
	}
	var lines bytes.Buffer
	file, err := mockserver.OpenJournalFile(full, 0, slog.New(slog.NewTextHandler(&lines, nil)))
	require.NoError(t, err)
	server := start(t, mockserver.WithJournalFile(file))
	for range 3 {
		got := send(t, "POST", server.URL+endpoint, "application/json", string(operation(t).Sample))
		assert.Equal(t, 200, got.status)
	}
	assert.ErrorContains(t, file.Close(), "3 entries of the journal could not be written to /dev/full")
	assert.Equal(t, 1, strings.Count(lines.String(), "no space left on device"), "once: %s", lines.String())
	ready := send(t, "GET", server.URL+"/__admin/ready", "", "")
	assert.Contains(t, ready.body, "cannot be written: 3 entries are lost")
}

func TestAJournalFileIsForItsOwner(t *testing.T) {
	folder := t.TempDir()
	there, link := filepath.Join(folder, "there"), filepath.Join(folder, "link")
	require.NoError(t, os.WriteFile(there, nil, 0o644))
	require.NoError(t, os.Symlink(there, link))
	_, err := mockserver.OpenJournalFile(link, 0, slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, "is a symbolic link, which is not followed")
	if shared, err := os.MkdirTemp("/dev/shm", "understudy"); err == nil { // there is one
		t.Cleanup(func() { _ = os.RemoveAll(shared) })
		require.NoError(t, os.Symlink(there, filepath.Join(shared, "link")))
		_, err = mockserver.OpenJournalFile(filepath.Join(shared, "link"), 0, slog.New(slog.DiscardHandler))
		require.ErrorContains(t, err, "is a symbolic link")
	}
	file, err := mockserver.OpenJournalFile(there, 0, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	require.NoError(t, file.Close())
	info, err := os.Stat(there)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func TestARequestKeepsItsName(t *testing.T) {
	var lines bytes.Buffer
	server := start(t, mockserver.WithLogger(slog.New(slog.NewTextHandler(&lines, nil))))
	sample := string(operation(t).Sample)
	for given, want := range map[string]string{
		"abc-123": "abc-123", "two words": "", strings.Repeat("x", 129): "", "": "",
	} {
		got := send(t, "POST", server.URL+endpoint, "application/json", sample, "X-Request-Id", given)
		assert.Equal(t, want, got.header.Get("X-Request-Id"))
	}
	server.Close() // the last line is written then
	assert.Equal(t, 1, strings.Count(lines.String(), "request_id="), lines.String())
	assert.Contains(t, lines.String(), "request_id=abc-123")
}

func TestTheAdminAPISaysWhatItWants(t *testing.T) {
	server := start(t)
	wrong := send(t, "POST", server.URL+"/__admin/health", "", "")
	assert.Equal(t, 405, wrong.status)
	assert.Equal(t, "GET, HEAD", wrong.header.Get("Allow"))
	assert.Equal(t, "GET, HEAD, DELETE", send(t, "PUT", server.URL+"/__admin/requests/1", "", "").header.Get("Allow"))
	assert.Equal(t, 200, send(t, "HEAD", server.URL+"/__admin/health", "", "").status)
	closed := start(t, mockserver.WithAdminToken("x"))
	got := send(t, "GET", closed.URL+"/__admin/requests", "", "")
	assert.Equal(t, 401, got.status)
	assert.Equal(t, "Bearer", got.header.Get("WWW-Authenticate"))
}

func TestTheAdminAPIIsForItsOwnPagesAlone(t *testing.T) {
	server := start(t)
	host := strings.TrimPrefix(server.URL, "http://")
	for origin, status := range map[string]int{
		server.URL: 200, "http://localhost:1": 403, "null": 403, "https://" + host + ".evil.example": 403,
	} {
		assert.Equal(t, status, send(t, "GET", server.URL+"/__admin/requests", "", "", "Origin", origin).status, origin)
	}
	for name, status := range map[string]int{
		"mock.localhost": 200, "LOCALHOST:99": 200, "[::1]:80": 200, "evil.example": 403, "localhost.evil.example": 403,
		"127.0.0.1.evil.example": 403,
	} {
		assert.Equal(t, status, send(t, "GET", server.URL+"/__admin/requests", "", "", "Host", name).status, name)
	}
}

func TestRequestsAreRemovedByFilter(t *testing.T) {
	sample, broken := string(operation(t).Sample), change(t, "Reason", nil)
	for filter, left := range map[string][]string{
		"":                            {},
		"?session=a":                  {"2", "4"},
		"?outcome=accepted":           {"3", "4"},
		"?outcome=rejected&session=a": {"1", "2", "4"},
		"?rule=Reason/required":       {"1", "2", "4"},
		"?method=GET":                 {"1", "2", "3"},
		"?status=400":                 {"1", "2", "4"},
		"?unmatched=true":             {"1", "2", "3"},
		"?operation=POST-api-Calendar-PatientAppointmentPost_v2": {"4"},
		"?since=2999-01-01T00:00:00Z":                            {"1", "2", "3", "4"},
		"?since=2000-01-01T00:00:00Z":                            {},
		"?after=2":                                               {"1", "2"},
		"?after=2&outcome=rejected":                              {"1", "2"},
	} {
		server := start(t)
		send(t, "POST", server.URL+endpoint, "application/json", sample, mockserver.SessionHeader, "a")
		send(t, "POST", server.URL+endpoint, "application/json", sample)
		send(t, "POST", server.URL+endpoint, "application/json", broken, mockserver.SessionHeader, "a")
		send(t, "GET", server.URL+"/other", "", "")
		got := send(t, "DELETE", server.URL+"/__admin/requests"+filter, "", "")
		require.Equal(t, 200, got.status, got.body)
		assert.Contains(t, got.body, fmt.Sprintf(`"removed": %d`, 4-len(left)), filter)
		ids := []string{}
		for _, e := range journal(t, server, "") {
			ids = append([]string{e["id"].(string)}, ids...)
		}
		assert.Equal(t, left, ids, filter)
	}
}

func TestASessionsRequestsAreCountedByItsHeader(t *testing.T) {
	server := start(t)
	send(t, "POST", server.URL+endpoint, "application/json", string(operation(t).Sample))
	send(t, "GET", server.URL+"/other", "", "", mockserver.SessionHeader, "mine")
	for header, want := range map[string]string{"": `"count": 2`, "mine": `"count": 1`, "other": `"count": 0`} {
		got := send(t, "POST", server.URL+"/__admin/requests/count", "", "{}", mockserver.SessionHeader, header)
		assert.Contains(t, got.body, want, header)
	}
	got := send(t, "GET", server.URL+"/__admin/requests/unmatched", "", "", mockserver.SessionHeader, "other")
	assert.Contains(t, got.body, `"requests": []`)
}

func TestAnEventIDOfAnEarlierProcessGetsAllThereIs(t *testing.T) {
	server := start(t)
	post := func() { send(t, "POST", server.URL+endpoint, "application/json", string(operation(t).Sample)) }
	post()
	ids, _ := stream(t, server.URL+"/__admin/events", "Last-Event-ID", "500")
	post()
	assert.Equal(t, []string{"1", "2"}, []string{next(t, ids), next(t, ids)})
}

func TestAStreamThatNobodyReadsHoldsNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes 5 s; make race runs it")
	}
	mock, err := mockserver.New(pageContract(t))
	require.NoError(t, err)
	server := httptest.NewServer(mock)
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.(*net.TCPConn).SetReadBuffer(4096))
	_, err = fmt.Fprintf(conn, "GET /__admin/events?after=0 HTTP/1.1\r\nHost: localhost\r\n\r\n")
	require.NoError(t, err)
	long := strings.Repeat("x", 60_000)
	for range 200 { // more than sockets hold
		send(t, "POST", server.URL+endpoint, "text/plain", long)
	}
	require.NoError(t, mock.Close())
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	assert.NoError(t, server.Config.Shutdown(ctx))
}

func TestAConfigurationThatNamesAFileCanBePutBack(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "a.json"), []byte(`{"a":1}`), 0o600))
	root, err := os.OpenRoot(folder)
	require.NoError(t, err)
	t.Cleanup(func() { _ = root.Close() })
	config, err := mockserver.ParseConfig("f", []byte("response: {file: a.json}"), root, nil)
	require.NoError(t, err)
	server := start(t, mockserver.WithConfig(config))
	read := send(t, "GET", server.URL+"/__admin/config", "", "").body
	require.Contains(t, read, `"file": "a.json"`)
	assert.Equal(t, 200, send(t, "PUT", server.URL+"/__admin/config", "", read).status)
	got := send(t, "POST", server.URL+endpoint, "application/json", string(operation(t).Sample))
	assert.Equal(t, `{"a":1}`, got.body)
	for range 3 { // what is sent becomes the memory of the next exchange
		send(t, "POST", server.URL+"/other", "application/json", string(operation(t).Sample))
		send(t, "POST", server.URL+endpoint, "application/json", change(t, "Reason", nil))
		got = send(t, "POST", server.URL+endpoint, "application/json", string(operation(t).Sample))
		require.Equal(t, `{"a":1}`, got.body)
	}
	other := send(t, "PUT", server.URL+"/__admin/config", "", "response: {file: b.json}")
	assert.Equal(t, 422, other.status)
	assert.Contains(t, other.body, "files can be named only in a configuration that is a file itself")
}

func TestAResetUndoesWhatTheAdminAPIChanged(t *testing.T) {
	server := configured(t, "response: {text: first}")
	text := func() string {
		return send(t, "POST", server.URL+endpoint, "application/json", string(operation(t).Sample)).body
	}
	put := func(path, body string) {
		require.Equal(t, 200, send(t, "PUT", server.URL+"/__admin"+path, "", body).status)
	}
	put("/config", "response: {text: second}")
	put("/scenarios/maintenance", `{"enabled": true}`)
	require.Contains(t, text(), "Down for maintenance")
	put("/scenarios/maintenance", `{"enabled": false}`)
	require.Equal(t, "second", text())
	require.Equal(t, 200, send(t, "POST", server.URL+"/__admin/reset?session=one", "", "").status)
	require.Equal(t, "second", text(), "a session's reset is its own")
	require.Equal(t, 200, send(t, "POST", server.URL+"/__admin/reset", "", "").status)
	assert.Equal(t, "first", text())
}

func TestWhatIsAskedForAheadIsChecked(t *testing.T) {
	server := start(t)
	for body, want := range map[string]string{
		`{"status": 503, "times": 0}`:                  "times 0: use 1 to 10000",
		`{"status": 503, "times": 10001}`:              "times 10001",
		`{"status": 503, "fault": "connection-reset"}`: "the fault connection-reset sends no response",
		`{"status": 503, "delay": "300s"}`:             "use 0s to 50s",
		`{"stauts": 503}`:                              "unknown key",
		`{"file": "x"}`:                                "files can be named only",
		``:                                             "the body is empty",
		`{}`:                                           "the response is the one that comes anyway",
		`{"times": 2}`:                                 "the response is the one that comes anyway",
		`{"status": 204, "text": "x"}`:                 "status 204 comes without a body",
		`{"status": 503`:                               "body:1:14: no JSON: unexpected end of JSON input",
	} {
		got := send(t, "PUT", server.URL+"/__admin/next", "", body)
		assert.Equal(t, 422, got.status)
		assert.Contains(t, got.body, want)
	}
	assert.Equal(t, 200, send(t, "PUT", server.URL+"/__admin/next", "", `{"status": 503, "delay": 5}`).status)
	began := time.Now()
	assert.Equal(t, 503, send(t, "POST", server.URL+endpoint, "", "").status)
	assert.GreaterOrEqual(t, time.Since(began), 5*time.Millisecond)
}

func TestAMisspelledParameterChangesNothing(t *testing.T) {
	server := start(t)
	admin := server.URL + "/__admin"
	require.Equal(t, 200, send(t, "PUT", admin+"/next", "", `{"status": 503}`).status)
	for _, asked := range [][2]string{
		{"POST", "/reset?sesion=a"}, {"PUT", "/next?sesion=a"}, {"GET", "/requests/unmatched?sesion=a"},
		{"GET", "/scenarios?sesion=a"}, {"GET", "/events?sesion=a"}, {"GET", "/requests?sesion=a"},
		{"DELETE", "/requests?sesion=a"}, {"POST", "/requests/find?sesion=a"}, {"POST", "/scenarios/reset?sesion=a"},
	} {
		got := send(t, asked[0], admin+asked[1], "", `{"status": 500}`)
		assert.Equal(t, 400, got.status, asked)
		assert.Contains(t, got.body, `unknown parameter sesion; did you mean \"session\"?`, asked)
	}
	assert.Contains(t, send(t, "GET", admin+"/config?x=1", "", "").body, "unknown parameter x; there is none")
	assert.Contains(t, send(t, "GET", admin+"/requests?session=a&session=b", "", "").body, "session is there twice")
	assert.Equal(t, 200, send(t, "GET", admin+"/health?try=1", "", "").status, "a probe may say what it likes")
	assert.Equal(t, 503, send(t, "POST", server.URL+endpoint, "", "").status)
	empty := send(t, "PUT", admin+"/config", "", " ")
	assert.Equal(t, 422, empty.status)
	assert.Contains(t, empty.body, "the body is empty: send {}")
}

func TestAStateIsSetToWhatAScenarioKnows(t *testing.T) {
	server := configured(t, "scenarios: [{name: a, when: {requires: {pay: asked}}, then: {status: 402}}]")
	set := func(value string) response {
		return send(t, "PUT", server.URL+"/__admin/scenarios/pay/state", "", `{"state": "`+value+`"}`)
	}
	assert.Equal(t, 200, set("asked").status)
	assert.Equal(t, 200, set("Started").status)
	wrong := set("askd")
	assert.Equal(t, 422, wrong.status)
	assert.Contains(t, wrong.body, `did you mean \"asked\"?`)
}
