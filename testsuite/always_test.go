//go:build !race

// As with the mutants, the race detector would make these many runs slow and see
// nothing in them that it does not see in the other tests.

package testsuite_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/testsuite"
)

const logIn = `<!DOCTYPE html><html><head><title>Log in</title></head>` +
	`<body><form action="/login" method="post"><input type="password"></form></body></html>`

// always are servers that respond alike to every request.
var always = []struct {
	name  string
	serve func(http.ResponseWriter, *http.Request)
	// exit is for a target on loopback, away for one elsewhere without writes.
	exit, away int
}{
	{"200", status(200), testsuite.ExitBroken, testsuite.ExitSafety},
	{"201", status(201), testsuite.ExitBroken, testsuite.ExitSafety},
	{"400", status(400), testsuite.ExitBroken, testsuite.ExitInconclusive},
	{"422", status(422), testsuite.ExitBroken, testsuite.ExitInconclusive},
	{"302", status(302), testsuite.ExitInconclusive, testsuite.ExitSafety},
	{"401", status(401), testsuite.ExitInconclusive, testsuite.ExitInconclusive},
	{"403", status(403), testsuite.ExitInconclusive, testsuite.ExitInconclusive},
	{"404", status(404), testsuite.ExitInconclusive, testsuite.ExitInconclusive},
	{"429", status(429), testsuite.ExitInconclusive, testsuite.ExitInconclusive},
	{"429 and Retry-After", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "0")
		w.WriteHeader(http.StatusTooManyRequests)
	}, testsuite.ExitInconclusive, testsuite.ExitInconclusive},
	{"500", status(500), testsuite.ExitInconclusive, testsuite.ExitSafety},
	{"503", status(503), testsuite.ExitInconclusive, testsuite.ExitSafety},
	{"a log-in page", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, logIn)
	}, testsuite.ExitInconclusive, testsuite.ExitSafety},
	{"a log-in page after a comment", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<!-- v1 -->\n<form action=/login><input type=password></form>")
	}, testsuite.ExitInconclusive, testsuite.ExitSafety},
	{
		"nothing",
		func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		testsuite.ExitUnreachable,
		testsuite.ExitUnreachable,
	},
	{"half a body", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, `{"Message":`)
	}, testsuite.ExitInconclusive, testsuite.ExitSafety},
	{"malformed HTTP", func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_, _ = io.WriteString(conn, "SSH-2.0-OpenSSH_9.6\r\n")
			_ = conn.Close()
		}
	}, testsuite.ExitUnreachable, testsuite.ExitUnreachable},
	{"headers without end", func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		out := bufio.NewWriter(conn)
		_, err = out.WriteString("HTTP/1.1 200 OK\r\n")
		for err == nil {
			_, err = out.WriteString("X-More: and more\r\n")
		}
		_ = conn.Close()
	}, testsuite.ExitUnreachable, testsuite.ExitUnreachable},
}

func status(n int) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Location", "/login")
		w.WriteHeader(n)
		_, _ = io.WriteString(w, `{"Message":"always"}`)
	}
}

func TestServersThatRespondAlikeToEverythingNeverPass(t *testing.T) {
	for _, s := range always {
		for _, remote := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, remote %v", s.name, remote), func(t *testing.T) {
				t.Parallel()
				server := httptest.NewServer(http.HandlerFunc(s.serve))
				defer server.Close()
				r := run(t, testsuite.Config{Target: testsuite.Target{URL: server.URL, Remote: remote}})
				want := s.exit
				if remote {
					want = s.away
				}
				require.Equal(t, want, r.Exit, r.Conclusion)
				require.NotEmpty(t, r.Conclusion)
			})
		}
	}
}
