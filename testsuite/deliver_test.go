package testsuite_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/fixtures"
	"github.com/seed47566266/understudy/testsuite"
)

// deliver sends payloads to a handler; remote has it count as a server elsewhere.
func deliver(t *testing.T, handler http.HandlerFunc, count uint64, change func(c *testsuite.Config)) (
	d *testsuite.Delivery, received int, err error,
) {
	t.Helper()
	var n atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.Add(1)
		handler(w, r)
	}))
	defer server.Close()
	op := &contract(t).Operations[0]
	g, err := fixtures.New(op, fixtures.Options{})
	require.NoError(t, err)
	c := testsuite.Config{Target: testsuite.Target{URL: server.URL}}
	change(&c)
	d, err = testsuite.Deliver(t.Context(), op, c, count, g.ValidCase)
	return d, int(n.Load()), err
}

func accept(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte("{}"))
}

func TestADeliveryElsewhereSendsAsManyAsAreAllowedAndNoMore(t *testing.T) {
	elsewhere := func(writes int) func(c *testsuite.Config) {
		return func(c *testsuite.Config) {
			c.Target.Remote = true
			if writes > 0 {
				c.Limits.Writes = &writes
			}
		}
	}
	for _, writes := range []int{0, 1, 9} {
		_, received, err := deliver(t, accept, 10, elsewhere(writes))
		var about *testsuite.ConfigError
		require.ErrorAs(t, err, &about)
		assert.Equal(t, "Limits.Writes", about.Setting)
		assert.Zero(t, received)
	}
	d, received, err := deliver(t, accept, 10, elsewhere(10))
	require.NoError(t, err)
	assert.Equal(t, 10, received)
	assert.Equal(t, &testsuite.Delivery{Accepted: 10, Reached: true}, d)
}

func TestADeliverySaysWhatBecameOfThePayloads(t *testing.T) {
	local := func(*testsuite.Config) {}
	d, _, err := deliver(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) },
		20, local)
	require.NoError(t, err)
	assert.Equal(t, 20, d.Rejected)
	assert.Equal(t, 20, d.Unexpected)
	assert.Contains(t, d.First, "valid/")
	// A server that dies gets a few more requests, and not all of them.
	d, received, err := deliver(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, _ := http.NewResponseController(w).Hijack()
		_ = conn.Close()
	}, 1000, local)
	require.NoError(t, err)
	assert.Less(t, received, 20)
	assert.False(t, d.Reached)
	assert.Contains(t, d.Stopped, "requests in a row got no response")
	// Nor does one whose run is over.
	ctx, cancel := context.WithCancel(t.Context())
	op := &contract(t).Operations[0]
	g, err := fixtures.New(op, fixtures.Options{})
	require.NoError(t, err)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cancel()
		accept(w, r)
	}))
	defer server.Close()
	d, err = testsuite.Deliver(ctx, op, testsuite.Config{Target: testsuite.Target{URL: server.URL}}, 1000,
		g.ValidCase)
	require.NoError(t, err)
	assert.Contains(t, d.Stopped, "interrupted")
}

// TestWhatIsWrittenByteByByteNeverLeavesLoopback allows a target elsewhere everything: no
// request of the family transport is planned or sent.
func TestWhatIsWrittenByteByByteNeverLeavesLoopback(t *testing.T) {
	many := 1_000_000
	config := func() testsuite.Config {
		return testsuite.Config{
			Target: testsuite.Target{Handler: newPlain(), Remote: true},
			Limits: testsuite.Limits{Writes: &many, UnexpectedWrites: &many, Parallel: 4},
		}
	}
	r := run(t, config())
	count := 0
	for _, x := range r.Cases {
		if x.Family == fixtures.FamilyTransport && x.Request.Raw != nil {
			count++
			require.Equal(t, testsuite.VerdictSkipped, x.Verdict, x.ID)
			require.Contains(t, x.Reason, "malformed transport")
		}
	}
	require.Greater(t, count, 80)
	for _, e := range r.Exchanges {
		require.False(t, e.Sent.Raw, e.ID)
	}
	plan, err := suite(t).Plan(config())
	require.NoError(t, err)
	skipped := 0
	for _, q := range plan.Requests {
		if strings.HasPrefix(q.ID, "transport/") {
			skipped++
			require.NotEmpty(t, q.Skipped, q.ID)
		}
	}
	require.Equal(t, count, skipped)
	local := config()
	local.Target.Remote = false
	sent := 0
	for _, e := range run(t, local).Exchanges {
		if e.Sent.Raw {
			sent++
		}
	}
	require.Greater(t, sent, 80, "on loopback they are")
}

// TestADeliveryRenewsItsToken has a server that takes each token five times.
func TestADeliveryRenewsItsToken(t *testing.T) {
	var mu sync.Mutex
	issued, left := 0, 0
	d, received, err := deliver(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if r.Header.Get("Authorization") != fmt.Sprintf("Bearer t%d", issued) || left == 0 {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		left--
		accept(w, r)
	}, 20, func(c *testsuite.Config) {
		c.Target.Remote, c.Limits.Writes, c.Limits.Parallel = true, new(20), 1
		c.Target.Token = func(context.Context) (string, error) {
			mu.Lock()
			defer mu.Unlock()
			issued, left = issued+1, 5
			return fmt.Sprintf("Bearer t%d", issued), nil
		}
	})
	require.NoError(t, err)
	assert.Equal(t, &testsuite.Delivery{Accepted: 20, Reached: true}, d)
	assert.Equal(t, 23, received, "three times a token had ended")
}

// TestADeliveryThatIsInterruptedBlamesNobody ends it while a request waits for its response.
func TestADeliveryThatIsInterruptedBlamesNobody(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // or the end of the connection is not seen
		cancel()
		<-r.Context().Done()
	}))
	defer server.Close()
	op := &contract(t).Operations[0]
	g, err := fixtures.New(op, fixtures.Options{})
	require.NoError(t, err)
	d, err := testsuite.Deliver(ctx, op, testsuite.Config{Target: testsuite.Target{URL: server.URL}}, 50, g.ValidCase)
	require.NoError(t, err)
	assert.Equal(t, &testsuite.Delivery{Stopped: "the run was interrupted, or its time was up"}, d)
}

// TestTwoRequestsAreNotSentWhereWritesAreCounted bars what one ticket cannot pay for.
func TestTwoRequestsAreNotSentWhereWritesAreCounted(t *testing.T) {
	for _, limited := range []bool{false, true} {
		c := testsuite.Config{Target: testsuite.Target{Handler: newPlain()},
			Selection: testsuite.Selection{Run: []string{"transport/twice", "transport/length"}}}
		if limited {
			c.Limits.Writes = new(9)
		}
		r := run(t, c)
		found := 0
		for _, x := range r.Cases {
			if x.ID == "transport/twice" {
				found++
				assert.Equal(t, limited, x.Verdict == testsuite.VerdictSkipped, "%s: %s", x.Verdict, x.Why)
			}
		}
		assert.Equal(t, 1, found, "the case is not there")
	}
}

// TestADeliveryWithoutValidCredentialsEnds has a server that accepts no token.
func TestADeliveryWithoutValidCredentialsEnds(t *testing.T) {
	for range 20 {
		d, received, err := deliver(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusUnauthorized)
		}, 50, func(c *testsuite.Config) {
			c.Limits.Parallel, c.Limits.Requests = 4, 10
			c.Target.Token = func(context.Context) (string, error) { return "Bearer old", nil }
		})
		require.NoError(t, err)
		assert.LessOrEqual(t, received, 10)
		assert.Contains(t, d.Stopped, "the target does not accept the credentials")
	}
}
