package testsuite

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/oracle"
	"github.com/seed47566266/understudy/fixtures"
)

var modelRuns = flag.Int("runs", 400, "random runs against the model of a server")

// The write budget is held against a model: a server that does at random whatever a
// server may do, runs with random settings, and a count of what arrived at its
// connections. Whatever it does, no more arrives than was paid for, no more may have
// been accepted than the plan says, and the ledger has all of it.

// modelServer takes each request for a write unless its response says otherwise.
type modelServer struct {
	mu       sync.Mutex
	rand     *rand.Rand
	weights  []int // of behaviours
	dead     bool
	arrived  map[string]int // by case, once its first byte was there
	taken    map[string]int // by case, when it may have been written
	listener net.Listener
	conns    []net.Conn
}

// behaviour is what a server does with a request. It returns whether the connection
// goes on.
type behaviour struct {
	name string
	// rejects says that the response denies the request was done.
	rejects bool
	do      func(s *modelServer, conn net.Conn, n int) bool
}

func respond(text string, more ...string) func(*modelServer, net.Conn, int) bool {
	return func(_ *modelServer, conn net.Conn, n int) bool {
		head := "HTTP/1.1 " + text + "\r\nContent-Length: 2\r\n"
		for _, line := range more {
			head += strings.ReplaceAll(line, "%n", strconv.Itoa(n)) + "\r\n"
		}
		_, err := io.WriteString(conn, head+"\r\n{}")
		return err == nil && !slices.Contains(more, "Connection: close")
	}
}

func say(text string, goesOn bool) func(*modelServer, net.Conn, int) bool {
	return func(_ *modelServer, conn net.Conn, _ int) bool {
		_, err := io.WriteString(conn, text)
		return err == nil && goesOn
	}
}

var behaviours = []behaviour{
	{"accepts", false, respond("200 OK", "Content-Type: application/json")},
	{"rejects", true, respond("400 Bad Request", "Content-Type: application/json")},
	{"makes", false, respond("201 Created", "Location: /made/%n")},
	{"rejects as 422", true, respond("422 Unprocessable Content")},
	{"knows no such path", true, respond("404 Not Found")},
	{"knows no such method", true, respond("405 Method Not Allowed", "Allow: POST")},
	{"asks who is calling", true, respond("401 Unauthorized")},
	{"forbids", true, respond("403 Forbidden")},
	{"is too busy", true, respond("429 Too Many Requests", "Retry-After: 0")},
	{"is not there for now", false, respond("503 Service Unavailable", "Retry-After: 0")},
	{"breaks down", false, respond("500 Internal Server Error")},
	{"is a gateway that gave up", false, respond("504 Gateway Timeout")},
	{"redirects", false, respond("303 See Other", "Location: /made/%n")},
	{"redirects the same", false, respond("307 Temporary Redirect", "Location: /made/%n")},
	{"shows a page", false, respond("200 OK", "Content-Type: text/html", "X: %n", "Connection: close")},
	{"accepts with another 2xx", false, respond("207 Multi-Status")},
	{"ends the connection after it", false, respond("200 OK", "Connection: close")},
	{"ends it without a word", true, func(_ *modelServer, conn net.Conn, _ int) bool {
		_, _ = io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
		return false
	}},
	{"drops", false, func(*modelServer, net.Conn, int) bool { return false }},
	{"breaks off", false, say("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", false)},
	{"breaks off a rejection", true, say("HTTP/1.1 400 Bad Request\r\nContent-Length: 100\r\n\r\nhalf", false)},
	{"breaks off a head", false, say("HTTP/1.1 200 O", false)},
	{
		"repeats itself",
		false,
		say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true),
	},
	{"upgrades", false, say("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", true)},
	{
		"goes on first",
		false,
		say("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
			true),
	},
	{"speaks no HTTP", false, say("SSH-2.0-x\r\n", false)},
	{"is of another version", false, say("HTTP/1.0 200 OK\r\n\r\nto the end", false)},
	{"stalls", false, func(_ *modelServer, conn net.Conn, _ int) bool {
		_, _ = io.Copy(io.Discard, conn) // until the other side gives up
		return false
	}},
	{"stalls within", false, func(_ *modelServer, conn net.Conn, n int) bool {
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n%d", n)
		_, _ = io.Copy(io.Discard, conn)
		return false
	}},
	{"dies", false, func(s *modelServer, _ net.Conn, _ int) bool { s.die(); return false }},
}

func (s *modelServer) die() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dead = true
	if s.listener != nil {
		_ = s.listener.Close()
	}
	for _, c := range s.conns {
		_ = c.Close()
	}
	s.conns = nil
}

// choose picks what is done with a request, and notes it.
func (s *modelServer) choose(id string, whole bool) (behaviour, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, sum := 0, 0
	for _, w := range s.weights {
		sum += w
	}
	for pick := s.rand.IntN(sum); pick >= s.weights[at]; at++ {
		pick -= s.weights[at]
	}
	s.arrived[id]++
	b := behaviours[at]
	if whole && !b.rejects {
		s.taken[id]++
	}
	return b, s.arrived[id]
}

// serve reads requests from a connection until one of both sides ends it.
func (s *modelServer) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	s.mu.Lock()
	s.conns = append(s.conns, conn)
	dead := s.dead
	s.mu.Unlock()
	if dead {
		return
	}
	for in := bufio.NewReader(conn); ; {
		if _, err := in.Peek(1); err != nil {
			return
		}
		r, err := http.ReadRequest(in)
		if err != nil {
			s.choose("?", false) // it arrived, in part
			return
		}
		_, err = io.Copy(io.Discard, r.Body)
		b, n := s.choose(r.Header.Get(caseHeader), err == nil)
		if !b.do(s, conn, n) {
			return
		}
	}
}

// model is what the runs share.
type model struct {
	suite    *Suite
	all      []Case
	mayWrite map[string]bool

	mu             sync.Mutex
	arrived, taken int // over all runs
}

func newModel(t testing.TB) *model {
	t.Helper()
	m := &model{suite: newSuite(t), mayWrite: map[string]bool{}}
	cases, err := m.suite.Cases(Selection{Fields: []string{"UserId", "Reason"}})
	require.NoError(t, err)
	whole, err := m.suite.Cases(Selection{Run: []string{"media/listed", "optional", "protocol/method"}})
	require.NoError(t, err)
	for _, x := range append(whole, cases...) {
		if len(x.Request.Body) < 2000 && x.Request.Raw == nil {
			m.all = append(m.all, x)
			m.mayWrite[x.Sends] = m.mayWrite[x.Sends] ||
				x.Aspect == AspectOutcome && (x.Expect != oracle.OutcomeReject || x.Level != fixtures.LevelMust)
		}
	}
	require.Greater(t, len(m.all), 100)
	return m
}

// oneOf picks a limit: none, or a small one.
func oneOf(r *rand.Rand, limits ...int) *int {
	if i := r.IntN(len(limits) + 1); i < len(limits) {
		return new(limits[i])
	}
	return nil
}

// once does a random run against a random server and returns what was broken.
func (m *model) once(ctx context.Context, seed uint64) error {
	r := rand.New(rand.NewPCG(seed, 9))
	s := &modelServer{rand: rand.New(rand.NewPCG(seed, 10)), arrived: map[string]int{}, taken: map[string]int{}}
	defer s.die()
	for i := range behaviours {
		weight := 0
		if r.IntN(3) == 0 {
			weight = r.IntN(10)
		}
		s.weights = append(s.weights, weight)
		if strings.HasPrefix(behaviours[i].name, "stalls") && weight > 1 {
			s.weights[i] = 1
		}
	}
	s.weights[0] += r.IntN(60)
	s.weights[1] += 1 + r.IntN(120)

	var ledger bytes.Buffer
	c := Config{
		Target: Target{
			URL: "http://127.0.0.1:1", Remote: r.IntN(3) > 0, Timeout: 20 * time.Millisecond,
			Headers: []contracts.Header{{Name: "Idempotency-Key", Value: "1"}},
		},
		Limits: Limits{
			Writes:           oneOf(r, 0, 1, 2, 5, 20),
			UnexpectedWrites: oneOf(r, 1, 2, 5, 30),
			Parallel:         1 + r.IntN(8),
		},
		Ledger:    &ledger,
		IDPath:    "/id",
		Selection: Selection{Run: []string{"media/listed"}}, // quickly replaced
	}
	if r.IntN(3) == 0 {
		c.Limits.Requests = 1 + r.IntN(12)
	}
	if r.IntN(3) == 0 {
		c.Target.Token = func(context.Context) (string, error) { return "Bearer x", nil }
	}
	if r.IntN(10) == 0 {
		c.Limits.Time = time.Duration(r.IntN(20)) * time.Millisecond
	}
	if r.IntN(4) == 0 {
		c.Meaning.Accept = "200"
	}
	if r.IntN(3) == 0 {
		c.Fuzz = 1 + r.IntN(12)
	}
	c.NoConfirm = r.IntN(3) == 0
	p, err := m.suite.prepare(&c)
	if err != nil {
		return err
	}
	p.cases, p.units = nil, nil
	for range 1 + r.IntN(30) {
		p.cases = append(p.cases, m.all[r.IntN(len(m.all))])
	}
	p.arrange(&c)
	plan := p.plan(&c)

	target, err := newTarget(&c, p)
	if err != nil {
		return err
	}
	defer target.close()
	if r.IntN(20) == 0 {
		if s.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return err
		}
		l := s.listener
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				go s.serve(conn)
			}
		}()
		target.wire.dial = func(ctx context.Context, _ string) (net.Conn,
			error) {
			return dialLoopback(ctx, l.Addr().String())
		}
	} else {
		target.wire.dial = func(context.Context, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go s.serve(theirs)
			return ours, nil
		}
	}
	ctx, cancel := c.Limits.bounded(ctx)
	defer cancel()
	run := newRun(&c, p, target)
	run.backoff = 0
	results := run.do(ctx)
	target.close()
	s.die()
	return m.check(s, &c, plan, results, ledger.Bytes())
}

// mayBeAccepted reports a request that a target which conforms may accept, by the id that it
// names: of a case, of a random request, or of one that looks for the least of either.
func (m *model) mayBeAccepted(id string) bool {
	id = strings.TrimSuffix(id, leastSuffix)
	number, random := strings.CutPrefix(id, "fuzz/")
	if !random {
		return m.mayWrite[id]
	}
	i, err := strconv.ParseUint(number, 10, 64)
	x := m.suite.generator.Fuzz(i)
	return err != nil || x.Outcome != oracle.OutcomeReject || x.Level != fixtures.LevelMust
}

// check compares what arrived with what was paid, promised and noted.
func (m *model) check(s *modelServer, c *Config, plan *Plan, results *Results, ledger []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	noted := map[string]int{}
	for d := json.NewDecoder(bytes.NewReader(ledger)); ; {
		var line struct{ Case string }
		if err := d.Decode(&line); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
		noted[line.Case]++
	}
	arrived, writes, taken, unexpected := 0, 0, 0, 0
	for id, n := range s.arrived {
		arrived += n
		if m.mayBeAccepted(id) {
			writes += n
		}
	}
	for id, n := range s.taken {
		taken += n
		if !m.mayBeAccepted(id) {
			unexpected += n
		}
		if noted[id] < n {
			return fmt.Errorf("%s may have been accepted %d times, and the ledger has %d", id, n, noted[id])
		}
	}
	m.mu.Lock()
	m.arrived, m.taken = m.arrived+arrived, m.taken+taken
	m.mu.Unlock()
	switch {
	case arrived > results.Requests:
		return fmt.Errorf("%d requests arrived, and %d were paid for", arrived, results.Requests)
	case c.Limits.Requests > 0 && arrived > c.Limits.Requests:
		return fmt.Errorf("%d requests arrived, and %d were allowed", arrived, c.Limits.Requests)
	case writes > results.Writes:
		return fmt.Errorf("%d requests arrived that may be accepted, and %d were paid for", writes, results.Writes)
	case c.Limits.Writes != nil && writes > *c.Limits.Writes:
		return fmt.Errorf("%d requests arrived that may be accepted, and %d were allowed", writes, *c.Limits.Writes)
	case c.Limits.UnexpectedWrites != nil && unexpected > *c.Limits.UnexpectedWrites:
		return fmt.Errorf("%d requests may have been accepted that must be rejected, and %d were allowed",
			unexpected, *c.Limits.UnexpectedWrites)
	case taken > plan.Writes:
		return fmt.Errorf("%d requests may have been accepted, and the plan said %d at worst", taken, plan.Writes)
	case unexpected > results.UnexpectedWrites+results.UnknownWrites:
		return fmt.Errorf("%d requests may have been accepted that must be rejected, and the results say %d",
			unexpected, results.UnexpectedWrites+results.UnknownWrites)
	}
	return nil
}

// TestNoServerGetsMoreThanTheBudget does -runs random runs.
func TestNoServerGetsMoreThanTheBudget(t *testing.T) {
	m := newModel(t)
	var workers sync.WaitGroup
	seeds := make(chan uint64)
	for range 8 { // most of them wait for a server that stalls
		workers.Go(func() {
			for seed := range seeds {
				if err := m.once(t.Context(), seed); err != nil {
					t.Errorf("seed %d: %v", seed, err)
				}
			}
		})
	}
	for seed := range *modelRuns {
		seeds <- uint64(seed)
	}
	close(seeds)
	workers.Wait()
	t.Logf("%d runs: %d requests arrived, %d of them may have been accepted", *modelRuns, m.arrived, m.taken)
	require.Greater(t, m.arrived, *modelRuns, "a model at which nothing arrives shows nothing")
	require.Greater(t, m.taken, *modelRuns/2)
}

// FuzzBudget looks for a run that breaks the budget.
func FuzzBudget(f *testing.F) {
	m := newModel(f)
	for seed := range uint64(8) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		require.NoError(t, m.once(t.Context(), seed))
	})
}
