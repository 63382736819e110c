package mockserver

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/mockserver/store"
)

// TestServer is a mock that listens on a port of its own for a Go test.
type TestServer struct {
	*Server
	// URL is where it listens, http://127.0.0.1:PORT.
	URL string
}

// requireWait is how long a request that is required is waited for: a client under test may
// send it in the background.
const requireWait = 5 * time.Second

// Start serves the mock of a contract until the test ends.
func Start(t testing.TB, c *contracts.Contract, options ...Option) *TestServer {
	t.Helper()
	s, err := New(c, options...)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	t.Cleanup(func() {
		_ = s.Close()
		server.Close()
	})
	return &TestServer{s, server.URL}
}

// Requests are the entries of the journal, the oldest first. The error is of a store that is
// away.
func (s *Server) Requests() ([]*store.Entry, error) { return s.store.Entries("") }

// RequireAccepted fails the test unless just so many requests were accepted, since the start or
// the last Reset. It waits for them for 5 s; for more than those, and for none, it does not wait.
func (m *TestServer) RequireAccepted(t testing.TB, n int) {
	t.Helper()
	if found := m.await(t, &pattern{Outcome: string(store.OutcomeAccepted)}, n); len(found) != n {
		t.Fatalf("%d requests were accepted, not %d; the journal has%s", len(found), n, m.journal(t))
	}
}

// RequireRejected fails the test unless a request was rejected that breaks a rule, by its id
// such as Reason/required. It waits for it for 5 s.
func (m *TestServer) RequireRejected(t testing.TB, rule string) {
	t.Helper()
	if found := m.await(t, &pattern{Outcome: string(store.OutcomeRejected), Rule: rule}, 1); len(found) == 0 {
		t.Fatalf("no request was rejected that breaks %s; the journal has%s", rule, m.journal(t))
	}
}

func (m *TestServer) await(t testing.TB, p *pattern, atLeast int) []*store.Entry {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), requireWait)
	defer cancel()
	found, err := m.entries(ctx, p, atLeast)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// journal says in a line per request what there was, without the values of fields.
func (m *TestServer) journal(t testing.TB) string {
	t.Helper()
	entries, err := m.Requests()
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) == 0 {
		return " no request"
	}
	var b strings.Builder
	for _, e := range entries {
		fmt.Fprintf(&b, "\n  %s %s: %s", e.Method, pathOf(e), e.Outcome)
		for i := range e.Violations {
			b.WriteString("; " + e.Violations[i].String())
		}
	}
	return b.String()
}
