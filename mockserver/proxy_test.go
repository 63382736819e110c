package mockserver_test

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/mockserver"
	"github.com/seed47566266/understudy/mockserver/store"
)

// realServer starts a server that asks for a Reason of 3 letters at least and nothing else.
func realServer(t *testing.T) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Prefer")+r.Header.Get(mockserver.SessionHeader)+r.Header.Get("X-Hop") != "" {
			w.WriteHeader(http.StatusTeapot) // those are not for it
			return
		}
		w.Header().Set("X-Real", r.Header.Get("Via"))
		w.Header().Set("Access-Control-Allow-Origin", "https://real.example")
		w.Header().Set("Content-Type", "application/json")
		var body struct{ Reason string }
		switch text, _ := io.ReadAll(r.Body); {
		case r.URL.Path != "/base"+endpoint:
			w.WriteHeader(http.StatusNotFound)
		case r.Header.Get("Authorization") == "":
			w.WriteHeader(http.StatusUnauthorized)
		case json.Unmarshal(text, &body) != nil || len(body.Reason) < 3:
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"real":"no"}`)
		default:
			_, _ = io.WriteString(w, `{"real":"`+r.URL.RawQuery+`"}`)
		}
	}))
	t.Cleanup(server.Close)
	return server
}

func TestARequestIsPassedOnAndBothSidesAreCompared(t *testing.T) {
	server := realServer(t)
	mock, err := mockserver.New(pageContract(t), mockserver.WithProxy(server.URL+"/base"))
	require.NoError(t, err)
	front := httptest.NewServer(mock)
	t.Cleanup(front.Close)
	for _, test := range []struct {
		name, path, body string
		status           int
		verdict          store.Verdict
		headers          []string
	}{
		{"both accept", endpoint + "?a=1", change(t, "Reason", "long enough"), 200, store.VerdictAgree, nil},
		{"both reject", endpoint, change(t, "Reason", nil), 400, store.VerdictAgree, nil},
		{"the server rejects", endpoint, change(t, "Reason", "x"), 400, store.VerdictRejected, nil},
		{"the server accepts", endpoint, change(t, "UserId", nil), 200, store.VerdictAccepted, nil},
		{"the server accepts again", endpoint, change(t, "UserId", nil), 200, store.VerdictAccepted, nil},
		{
			"no credentials", endpoint, change(t, "UserId", nil), 401, store.VerdictUnclear,
			[]string{"Authorization", ""},
		},
		{"another path", "/other", "{}", 404, store.VerdictNone, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			headers := append([]string{
				"Authorization", "Bearer x", "Origin", "http://localhost:3000", "Prefer", "x=1",
				mockserver.SessionHeader, "s", "Connection", "X-Hop", "X-Hop", "1",
			}, test.headers...)
			got := send(t, "POST", front.URL+test.path, "application/json", test.body, headers...)
			assert.Equal(t, test.status, got.status, got.body)
			assert.Contains(t, got.header.Get(mockserver.UpstreamHeader), `;verdict="`+string(test.verdict)+`"`)
			assert.Contains(t, got.header.Get("X-Real"), "understudy-", "the server's own headers")
			assert.Equal(t, "http://localhost:3000", got.header.Get("Access-Control-Allow-Origin"),
				"CORS is the mock's")
			if strings.HasSuffix(test.path, "?a=1") {
				assert.Equal(t, `{"real":"a=1"}`, got.body)
			}
		})
	}
	agreement := mock.Agreement()
	assert.Equal(t, map[store.Verdict]int{
		store.VerdictAgree: 2, store.VerdictRejected: 1, store.VerdictAccepted: 2, store.VerdictUnclear: 1,
		store.VerdictNone: 1,
	}, agreement.Verdicts)
	require.Len(t, agreement.Disagreements, 2)
	assert.Nil(t, agreement.Disagreements[0].Violation)
	assert.Equal(t, "UserId/required", agreement.Disagreements[1].Violation.Rule.String())
	assert.Equal(t, 2, agreement.Disagreements[1].Count)
	entries := journal(t, front, "?status=401")
	require.Len(t, entries, 1)
	assert.Equal(t, "unclear", entries[0]["upstream"].(map[string]any)["verdict"])
}

func TestAScenarioCanPassRequestsOn(t *testing.T) {
	server := configured(t, `
response: {json: {here: true}}
scenarios:
  - {name: live, when: {headers: {X-Live: {present: true}}}, then: {proxy: "`+realServer(t).URL+`/base", delay: 1ms}}
  - {name: dead, when: {headers: {X-Dead: {present: true}}}, then: {proxy: "http://`+closedPort(t)+`"}}
`)
	sample := string(operation(t).Sample)
	post := func(headers ...string) response {
		return send(t, "POST", server.URL+endpoint, "application/json", sample,
			append([]string{"Authorization", "x"}, headers...)...)
	}
	assert.Equal(t, `{"here":true}`, post().body)
	assert.Equal(t, `{"real":""}`, post("X-Live", "1").body)
	dead := post("X-Dead", "1")
	assert.Equal(t, 502, dead.status)
	assert.Equal(t, `{"Message":"The real server did not respond: connect: connection refused."}`, dead.body)
	assert.Contains(t, dead.header.Get(mockserver.UpstreamHeader), `0;verdict="unclear";problem=`)
	assert.Equal(t, 503, post("X-Live", "1", "Prefer", "code=503").status, "what a request asks for comes first")
}

func closedPort(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	return l.Addr().String()
}

func TestALoopEnds(t *testing.T) {
	var front *httptest.Server
	back := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		front.Config.Handler.ServeHTTP(w, r)
	}))
	t.Cleanup(back.Close)
	front = start(t, mockserver.WithProxy(back.URL))
	got := send(t, "POST", front.URL+endpoint, "application/json", string(operation(t).Sample))
	assert.Equal(t, 508, got.status)
}

func TestAnUntrustedCertificateIsNoUpstream(t *testing.T) {
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	secure.Config.ErrorLog = nil
	t.Cleanup(secure.Close)
	front := start(t, mockserver.WithProxy(secure.URL))
	got := send(t, "POST", front.URL+endpoint, "application/json", string(operation(t).Sample))
	assert.Equal(t, 502, got.status)
	assert.Contains(t, got.body, "certificate")
}

func TestAWrongURLOfARealServerIsAnError(t *testing.T) {
	for _, url := range []string{"localhost:80", "ftp://h", "http://", "http://u:hush@h", "http://h?x=1", ":"} {
		_, err := mockserver.New(pageContract(t), mockserver.WithProxy(url))
		require.ErrorContains(t, err, "use http://HOST", url)
		require.NotContains(t, err.Error(), "hush")
	}
}

func TestAPageOfAnotherMachineMayNotUseTheRealServer(t *testing.T) {
	there := realServer(t).URL + "/base"
	byScenario := `scenarios: [{name: live, then: {proxy: "` + there + `"}}]`
	sample := string(operation(t).Sample)
	for name, test := range map[string]struct {
		server *httptest.Server
		origin string
		status int
	}{
		"by a scenario":    {configured(t, byScenario), "https://evil.example", 403},
		"a sandboxed page": {configured(t, byScenario), "null", 403},
		"without credentials": {
			configured(t, byScenario, mockserver.WithCORS(mockserver.CORSAny)), "https://evil.example", 403,
		},
		"of another name of this machine": {
			configured(t, byScenario, mockserver.WithCORS(mockserver.CORSLocal)), "https://127.0.0.1.evil.example", 403,
		},
		"of an origin that is not named": {
			configured(t, byScenario, mockserver.WithCORS("https://app.example")), "https://evil.example", 403,
		},
		"where there is no CORS": {
			configured(t, byScenario, mockserver.WithCORS(mockserver.CORSOff)), "https://evil.example", 403,
		},
		"by the proxy":              {start(t, mockserver.WithProxy(there)), "https://evil.example", 403},
		"of this machine":           {configured(t, byScenario), "http://localhost:3000", 200},
		"of a name of this machine": {configured(t, byScenario), "http://app.localhost:3000", 200},
		"of an origin that is named": {
			configured(t, byScenario, mockserver.WithCORS("https://app.example")), "https://app.example", 200,
		},
		"of any where that was chosen": {
			configured(t, byScenario, mockserver.WithCORS(mockserver.CORSOpen)), "https://any.example", 200,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := send(t, "POST", test.server.URL+endpoint, "application/json", sample, "Authorization", "x", "Origin",
				test.origin)
			assert.Equal(t, test.status, got.status, got.body)
		})
	}
}

func TestARequestOfAPageWithoutAnOriginMayNotUseTheRealServer(t *testing.T) {
	server := start(t, mockserver.WithProxy(realServer(t).URL+"/base"))
	ask := func(headers ...string) int { return send(t, "GET", server.URL+"/other", "", "", headers...).status }
	assert.Equal(t, 404, ask(), "the real server's")
	assert.Equal(t, 404, ask("Sec-Fetch-Site", "same-origin"))
	assert.Equal(t, 404, ask("Sec-Fetch-Site", "none"), "somebody's own address")
	assert.Equal(t, 403, ask("Sec-Fetch-Site", "cross-site"))
	assert.Equal(t, 403, ask("Sec-Fetch-Site", "same-origin", "Host", "rebound.example"))
}

func TestWhatIsForTheMockIsNotPassedOn(t *testing.T) {
	var seen *store.Entry
	server := start(t, mockserver.WithProxy(realServer(t).URL+"/base"),
		mockserver.WithObserver(func(e *store.Entry) { seen = e }))
	got := send(t, "POST", server.URL+endpoint+"?a=1&__prefer=delay=1&b=%20", "application/json",
		string(operation(t).Sample), "Authorization", "x")
	assert.Equal(t, `{"real":"a=1&b=%20"}`, got.body)
	assert.Equal(t, endpoint+"?a=1&b=%20", mockserver.WithoutPreferences(seen.Target))
	assert.Equal(t, "/a", mockserver.WithoutPreferences("/a?__prefer=code=503"))
	assert.Equal(t, "/a", mockserver.WithoutPreferences("/a"))
}

func TestAHeadRequestKeepsTheLengthThatTheServerSays(t *testing.T) {
	there := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1234")
	}))
	t.Cleanup(there.Close)
	server := start(t, mockserver.WithProxy(there.URL))
	assert.Equal(t, "1234", send(t, "HEAD", server.URL+"/any", "", "").header.Get("Content-Length"))
}

func TestTheOutcomeOfWhatIsPassedOnIsTheServers(t *testing.T) {
	server := start(t, mockserver.WithProxy(realServer(t).URL+"/base"))
	for body, want := range map[string]string{
		change(t, "Reason", "long enough"): "accepted", change(t, "UserId", nil): "accepted",
		change(t, "Reason", "x"): "rejected",
	} {
		send(t, "POST", server.URL+endpoint, "application/json", body, "Authorization", "x")
		assert.Equal(t, want, journal(t, server, "")[0]["outcome"])
	}
}

func TestADuplicateIsNotPassedOn(t *testing.T) {
	var asked atomic.Int32
	proceed := make(chan struct{})
	there := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		<-proceed
		_, _ = io.WriteString(w, "{}")
	}))
	t.Cleanup(there.Close)
	ready, err := mockserver.ReadyMade("idempotent")
	require.NoError(t, err)
	server := start(t, mockserver.WithScenarios(ready), mockserver.WithProxy(there.URL))
	book := func() int {
		return send(t, "POST", server.URL+endpoint, "application/json", string(operation(t).Sample),
			"Idempotency-Key", "a").status
	}
	first := make(chan int, 1)
	go func() { first <- book() }()
	require.Eventually(t, func() bool { return asked.Load() == 1 }, 20*time.Second, time.Millisecond)
	assert.Equal(t, 409, book(), "the first is under way for longer than anybody waits")
	close(proceed)
	assert.Equal(t, 200, <-first)
	assert.Equal(t, 200, book())
	assert.EqualValues(t, 1, asked.Load(), "the real server was asked once")
}

func TestWhatIsKeptOfARealServerIsNotForPagesOfOtherMachines(t *testing.T) {
	ready, err := mockserver.ReadyMade("idempotent")
	require.NoError(t, err)
	there := realServer(t).URL + "/base"
	for name, server := range map[string]*httptest.Server{
		"by the proxy":  start(t, mockserver.WithScenarios(ready), mockserver.WithProxy(there)),
		"by a scenario": configured(t, "scenarios: [idempotent, {name: live, then: {proxy: '"+there+"'}}]"),
	} {
		book := func(key string, headers ...string) int {
			return send(t, "POST", server.URL+endpoint, "application/json", string(operation(t).Sample),
				append([]string{"Authorization", "x", "Idempotency-Key", key}, headers...)...).status
		}
		foreign := []string{"Origin", "https://evil.example"}
		require.Equal(t, 200, book("a"), name)
		assert.Equal(t, 403, book("a", foreign...), name)
		assert.Equal(t, 403, book("b", foreign...), name)
		assert.Equal(t, 200, book("b"), "%s: a rejection of the mock is not kept", name)
	}
}

func TestWhatFailedOnTheWayIsTriedAgain(t *testing.T) {
	ready, err := mockserver.ReadyMade("idempotent")
	require.NoError(t, err)
	addr := closedPort(t)
	server := start(t, mockserver.WithScenarios(ready), mockserver.WithProxy("http://"+addr))
	book := func() int {
		return send(t, "POST", server.URL+endpoint, "application/json", string(operation(t).Sample),
			"Idempotency-Key", "a").status
	}
	require.Equal(t, 502, book())
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", addr)
	require.NoError(t, err)
	there := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	require.NoError(t, there.Listener.Close())
	there.Listener = listener
	there.Start()
	t.Cleanup(there.Close)
	assert.Equal(t, 200, book())
}

func TestConnectionsToAServerThatIsNoLongerNamedAreClosed(t *testing.T) {
	closed := make(chan struct{}, 10)
	there := httptest.NewUnstartedServer(http.NotFoundHandler())
	there.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			closed <- struct{}{}
		}
	}
	there.Start()
	t.Cleanup(there.Close)
	mock := mockserver.Start(t, pageContract(t))
	ask := func() {
		require.NoError(t, mock.Use(mockserver.Scenario{Name: "live", Then: mockserver.Then{Proxy: there.URL}}))
		require.Equal(t, 404, send(t, "POST", mock.URL+endpoint, "application/json", "{}").status)
	}
	ends := map[string]func() error{
		"another configuration": func() error { return mock.Use(mockserver.Scenario{Name: "live"}) },
		"the end of the mock":   mock.Close,
	}
	for _, name := range []string{"another configuration", "the end of the mock"} {
		ask()
		require.NoError(t, ends[name]())
		select {
		case <-closed:
		case <-time.After(20 * time.Second):
			t.Fatal(name + ": a connection stays open")
		}
	}
}
