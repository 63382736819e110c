package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/mockserver/store"
)

// backends make an empty store each, with a journal of so many entries and bytes. The tag
// redis adds real servers.
var backends = map[string]func(t *testing.T, entries int, bytes int64) store.Store{
	"memory": func(_ *testing.T, entries int, bytes int64) store.Store { return store.NewMemory(entries, bytes) },
	"miniredis": func(t *testing.T, entries int, bytes int64) store.Store {
		t.Helper()
		return open(t, "redis://"+miniredis.RunT(t).Addr(), entries, bytes)
	},
}

func open(t *testing.T, address string, entries int, bytes int64) *store.Redis {
	t.Helper()
	r, err := store.NewRedis(address, entries, bytes, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	require.NoError(t, r.Away())
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r
}

// inEach runs a test against every backend.
func inEach(t *testing.T, test func(t *testing.T, s store.Store)) {
	t.Helper()
	for name, open := range backends {
		t.Run(name, func(t *testing.T) { test(t, open(t, 100, 1<<20)) })
	}
}

func decide(t *testing.T, s store.Store, session string, steps ...store.Step) store.Decision {
	t.Helper()
	d, err := s.Decide(session, time.Now(), false, steps)
	require.NoError(t, err)
	return d
}

// held are the indices of the steps that held.
func held(d store.Decision) []int {
	indices := []int{}
	for _, m := range d.Matches {
		indices = append(indices, m.Step)
	}
	return indices
}

func TestStepsAreTakenInOrder(t *testing.T) {
	red, green := map[string]string{"light": "red"}, map[string]string{"light": "green"}
	for _, test := range []struct {
		name  string
		steps []store.Step
		held  [][]int // of the exchanges in turn
	}{
		{"no step", nil, [][]int{{}, {}}},
		{"a step that asks nothing holds, and ends the search", []store.Step{{}, {}}, [][]int{{0}, {0}}},
		{"one that continues does not end it", []store.Step{{Continue: true}, {}}, [][]int{{0, 1}}},
		{
			"a state is Started at first", []store.Step{{Requires: map[string]string{"light": store.InitialState}}},
			[][]int{{0}},
		},
		{
			"states lead from step to step",
			[]store.Step{{Requires: red, Sets: green}, {Requires: green, Sets: red}, {Sets: red}},
			[][]int{{2}, {0}, {1}, {0}},
		},
		{
			"a state set by a step counts for the next", []store.Step{{Sets: red, Continue: true}, {Requires: red}},
			[][]int{{0, 1}},
		},
		{
			"the second call on", []store.Step{{Counter: "a", Calls: store.Calls{First: 2}}},
			[][]int{{}, {0}, {0}},
		},
		{
			"the second call alone", []store.Step{{Counter: "a", Calls: store.Calls{First: 2, Last: 2}}},
			[][]int{{}, {0}, {}},
		},
		{
			"every third call", []store.Step{{Counter: "a", Calls: store.Calls{Every: 3}}},
			[][]int{{}, {}, {0}, {}, {}, {0}},
		},
		{
			"every second from the third on, up to the fifth",
			[]store.Step{{Counter: "a", Calls: store.Calls{First: 3, Last: 5, Every: 2}}},
			[][]int{{}, {}, {0}, {}, {0}, {}, {}},
		},
		{
			"counters have names of their own",
			[]store.Step{{Counter: "a", Calls: store.Calls{First: 2}}, {Counter: "b", Calls: store.Calls{First: 2}}},
			[][]int{{}, {0}, {0}},
		},
		{
			"a call counts only where the state holds",
			[]store.Step{{Requires: red, Counter: "a", Calls: store.Calls{First: 1, Last: 1}}, {Sets: red}},
			[][]int{{1}, {0}, {1}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			inEach(t, func(t *testing.T, s store.Store) {
				for i, want := range test.held {
					d := decide(t, s, "s", test.steps...)
					assert.Equal(t, want, held(d), "exchange %d", i+1)
					assert.Equal(t, i+1, d.Number)
				}
			})
		})
	}
}

func TestSessionsAreApart(t *testing.T) {
	inEach(t, func(t *testing.T, s store.Store) {
		step := store.Step{Counter: "a", Sets: map[string]string{"light": "red"}}
		for _, session := range []string{"", "one", "two"} {
			d := decide(t, s, session, step)
			assert.Equal(t, 1, d.Number)
			assert.Equal(t, 1, d.Matches[0].Call)
		}
		require.NoError(t, s.Reset("one"))
		states, err := s.States("one")
		require.NoError(t, err)
		assert.Empty(t, states)
		assert.Equal(t, 1, decide(t, s, "one", step).Number)
		assert.Equal(t, 2, decide(t, s, "two", step).Number)
		require.NoError(t, s.SetState("two", "light", "green"))
		states, err = s.States("two")
		require.NoError(t, err)
		assert.Equal(t, map[string]string{"light": "green"}, states)
		require.NoError(t, s.ResetAll())
		assert.Equal(t, 1, decide(t, s, "two", step).Number)
		assert.Equal(t, 1, decide(t, s, "", step).Number)
	})
}

func TestAQuotaFillsWithTime(t *testing.T) {
	inEach(t, func(t *testing.T, s store.Store) {
		step := store.Step{Bucket: "b", Quota: store.Quota{Burst: 2, Interval: time.Second}}
		at := time.Date(2026, 2, 3, 12, 0, 0, 0, time.UTC)
		for _, test := range []struct {
			after time.Duration
			past  bool
			retry time.Duration
		}{
			{0, false, 0},
			{0, false, 0},
			{0, true, time.Second},
			{250 * time.Millisecond, true, 750 * time.Millisecond},
			{time.Second, false, 0},
			{time.Second, true, time.Second},
			{time.Hour, false, 0},
			{time.Hour, false, 0},
			{time.Hour, true, time.Second},
		} {
			d, err := s.Decide("s", at.Add(test.after), false, []store.Step{step})
			require.NoError(t, err)
			require.Equal(t, test.past, len(d.Matches) == 1, "%v", test)
			if test.past {
				assert.Equal(t, test.retry, d.Matches[0].RetryAfter.Round(time.Millisecond), "%v", test)
			}
		}
	})
}

func TestAResponseAskedForAheadComesFirst(t *testing.T) {
	inEach(t, func(t *testing.T, s store.Store) {
		require.NoError(t, s.Ahead("s", json.RawMessage("{\n\"a\": 1}"), 2))
		require.NoError(t, s.Ahead("s", json.RawMessage(`{"b": 2}`), 1))
		require.True(t, s.Waiting())
		waiting, err := s.Next("s")
		require.NoError(t, err)
		assert.Equal(t, []store.Next{{json.RawMessage("{\n\"a\": 1}"), 2}, {json.RawMessage(`{"b": 2}`), 1}}, waiting)
		assert.Nil(t, decide(t, s, "other").Next)
		own, err := s.Decide("s", time.Now(), true, []store.Step{{}})
		require.NoError(t, err)
		assert.Nil(t, own.Next)
		for _, want := range []string{"{\n\"a\": 1}", "{\n\"a\": 1}", `{"b": 2}`} {
			d := decide(t, s, "s", store.Step{})
			assert.Equal(t, want, string(d.Next))
			assert.Empty(t, d.Matches)
		}
		assert.Equal(t, []int{0}, held(decide(t, s, "s", store.Step{})))
		for range 1000 {
			require.NoError(t, s.Ahead("s", json.RawMessage(`{}`), 1))
		}
		assert.ErrorIs(t, s.Ahead("s", json.RawMessage(`{}`), 1), store.ErrTooMany)
		require.NoError(t, s.DropNext("s"))
		require.NoError(t, s.DropNext("nobody"))
		waiting, err = s.Next("s")
		require.NoError(t, err)
		assert.Empty(t, waiting)
		assert.Nil(t, decide(t, s, "s").Next)
	})
}

func TestAResponseIsKeptOnce(t *testing.T) {
	inEach(t, func(t *testing.T, s store.Store) {
		step := store.Step{Keep: "key", Continue: true}
		first := decide(t, s, "s", step).Matches[0]
		assert.Nil(t, first.Kept)
		assert.False(t, first.Pending)
		assert.True(t, decide(t, s, "s", step).Matches[0].Pending)
		var waiting sync.WaitGroup
		waiting.Go(func() { assert.Equal(t, "the response", string(s.Kept(t.Context(), "s", "key"))) })
		require.NoError(t, s.Keep("s", "key", []byte("the response")))
		waiting.Wait()
		assert.Equal(t, "the response", string(decide(t, s, "s", step).Matches[0].Kept))

		other := store.Step{Keep: "other"}
		maker := decide(t, s, "s", other).Number
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		assert.Nil(t, s.Kept(ctx, "s", "other"), "the wait ends with its context")
		require.NoError(t, s.Free("s", "other", maker))
		assert.Nil(t, s.Kept(t.Context(), "s", "other"), "the name is free")
		again := decide(t, s, "s", other).Matches[0]
		assert.False(t, again.Pending)
		assert.Nil(t, again.Kept)
	})
}

func TestAResponseIsFreedByItsMakerAlone(t *testing.T) {
	inEach(t, func(t *testing.T, s store.Store) {
		step := store.Step{Keep: "key"}
		first := decide(t, s, "s", step).Number
		require.NoError(t, s.Free("s", "key", first+1))
		require.True(t, decide(t, s, "s", step).Matches[0].Pending, "another's number frees nothing")
		require.NoError(t, s.Keep("s", "key", []byte("response")))
		require.NoError(t, s.Free("s", "key", first))
		assert.Equal(t, "response", string(decide(t, s, "s", step).Matches[0].Kept), "what is there stays")
		require.NoError(t, s.Free("other", "key", first))
	})
}

func TestAResponseThatIsKeptAgainTakesItsRoomOnce(t *testing.T) {
	inEach(t, func(t *testing.T, s store.Store) {
		counter := store.Step{Counter: "calls", Calls: store.Calls{First: 1}}
		require.Equal(t, 1, decide(t, s, "s", counter).Matches[0].Call)
		decide(t, s, "s", store.Step{Keep: "other"})
		require.NoError(t, s.Keep("s", "other", []byte("stays")))
		for range 40 {
			require.NoError(t, s.Keep("s", "key", make([]byte, 1<<20)))
		}
		assert.Equal(t, 2, decide(t, s, "s", counter).Matches[0].Call, "a counter takes no such room")
		assert.Equal(t, "stays", string(s.Kept(t.Context(), "s", "other")))
	})
}

func TestOneOfManyIsTheFirst(t *testing.T) {
	inEach(t, func(t *testing.T, s store.Store) {
		var mu sync.Mutex
		var group sync.WaitGroup
		numbers, firsts := map[int]bool{}, 0
		for range 20 {
			group.Go(func() {
				for range 10 {
					steps := []store.Step{{Counter: "slot", Calls: store.Calls{First: 1}}}
					d, err := s.Decide("s", time.Now(), false, steps)
					if !assert.NoError(t, err) {
						return
					}
					mu.Lock()
					numbers[d.Number] = true
					if d.Matches[0].Call == 1 {
						firsts++
					}
					mu.Unlock()
				}
			})
		}
		group.Wait()
		assert.Len(t, numbers, 200)
		assert.Equal(t, 1, firsts)
	})
}

func entry(target string, outcome store.Outcome) *store.Entry {
	return &store.Entry{
		Time: time.Date(2026, 2, 3, 12, 0, 0, 5, time.UTC), Method: "POST", Target: target, Outcome: outcome,
		Header: store.Header{"A": {"1", "2"}}, Body: []byte("\x00body"), Took: time.Second,
		Scenarios: []store.Applied{{Name: "s", Why: "call 2"}},
	}
}

// targets are those of the journal's entries.
func targets(t *testing.T, s store.Store, after string) string {
	t.Helper()
	entries, err := s.Entries(after)
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Target)
	}
	return strings.Join(names, " ")
}

func TestTheJournalKeepsEntriesInOrder(t *testing.T) {
	inEach(t, func(t *testing.T, s store.Store) {
		require.True(t, s.Enabled())
		added, stop := s.Watch()
		defer stop()
		for _, target := range []string{"/a", "/b", "/c"} {
			s.Append(entry(target, store.OutcomeAccepted))
		}
		assert.Equal(t, "/a /b /c", targets(t, s, ""))
		select {
		case <-added:
		case <-time.After(10 * time.Second):
			t.Fatal("no news of an entry")
		}
		all, err := s.Entries("")
		require.NoError(t, err)
		assert.Equal(t, "/c", targets(t, s, all[1].ID))
		assert.Equal(t, "", targets(t, s, all[2].ID))
		for _, none := range []string{"no id", "99999999999999999999999", "1-99999999999999999999999", "-", "1-"} {
			assert.Equal(t, "/a /b /c", targets(t, s, none))
		}
		want := entry("/b", store.OutcomeAccepted)
		want.ID = all[1].ID
		got, err := s.Entry(all[1].ID)
		require.NoError(t, err)
		assert.Equal(t, want, got)
		for _, id := range []string{"12345", "no id", ""} {
			got, err := s.Entry(id)
			require.NoError(t, err)
			assert.Nil(t, got)
		}
		removed, err := s.Remove(func(e *store.Entry) bool { return e.Target == "/b" })
		require.NoError(t, err)
		assert.Equal(t, 1, removed)
		assert.Equal(t, "/a /c", targets(t, s, ""))
		s.Append(entry("/d", store.OutcomeAccepted))
		assert.Equal(t, "/d", targets(t, s, all[2].ID))
		assert.Zero(t, s.Dropped())
	})
}

func TestTheJournalIsBounded(t *testing.T) {
	for name, open := range backends {
		t.Run(name, func(t *testing.T) {
			s := open(t, 8, 1<<20)
			for i := range 4 {
				s.Append(entry(fmt.Sprintf("/rejected%d", i), store.OutcomeRejected))
			}
			for i := range 20 {
				s.Append(entry(fmt.Sprintf("/%d", i), store.OutcomeAccepted))
			}
			assert.Equal(t, "/rejected0 /rejected1 /rejected2 /rejected3 /16 /17 /18 /19", targets(t, s, ""),
				"accepted ones go first")
			assert.EqualValues(t, 16, s.Dropped())
			for i := range 20 {
				s.Append(entry(fmt.Sprintf("/fault%d", i), store.OutcomeFault))
			}
			assert.Equal(t, "/18 /19 /fault14 /fault15 /fault16 /fault17 /fault18 /fault19", targets(t, s, ""),
				"a quarter is theirs")

			s = open(t, 100, 10_000)
			big := entry("/big", store.OutcomeAccepted)
			big.Body = make([]byte, 7000)
			s.Append(entry("/small", store.OutcomeRejected))
			s.Append(big)
			assert.Equal(t, "/small /big", targets(t, s, ""))
			s.Append(entry("/another", store.OutcomeRejected))
			s.Append(entry("/last", store.OutcomeRejected))
			assert.Equal(t, "/small /another /last", targets(t, s, ""))

			s = open(t, 0, 0)
			s.Append(entry("/a", store.OutcomeRejected))
			assert.False(t, s.Enabled())
			assert.Equal(t, "", targets(t, s, ""))
		})
	}
}

func TestKeptResponsesAreBoundedInBytes(t *testing.T) {
	inEach(t, func(t *testing.T, s store.Store) {
		response := []byte(strings.Repeat("x", 3<<20))
		for i := range 7 {
			name := fmt.Sprint(i)
			decide(t, s, "s", store.Step{Keep: name})
			require.NoError(t, s.Keep("s", name, response))
		}
		kept := ""
		for i := range 7 {
			if s.Kept(t.Context(), "s", fmt.Sprint(i)) != nil {
				kept += fmt.Sprint(i)
			}
		}
		assert.Equal(t, "23456", kept, "16 MiB of them")
	})
}

func TestAStoreThatIsAwayIsAnErrorAtOnce(t *testing.T) {
	server := miniredis.RunT(t)
	s := open(t, "redis://"+server.Addr(), 100, 1<<20)
	s.Append(entry("/before", store.OutcomeAccepted))
	require.Equal(t, "/before", targets(t, s, ""))
	server.Close()
	_, err := s.Decide("s", time.Now(), false, nil)
	require.ErrorIs(t, err, store.ErrAway)
	require.Error(t, s.Away())
	assert.False(t, s.Waiting())
	assert.ErrorIs(t, s.SetState("s", "a", "b"), store.ErrAway)
	assert.ErrorIs(t, s.Reset("s"), store.ErrAway)
	assert.ErrorIs(t, s.ResetAll(), store.ErrAway)
	assert.Nil(t, s.Kept(t.Context(), "s", "a"))
	_, err = s.Entries("")
	require.ErrorIs(t, err, store.ErrAway)
	s.Append(entry("/meanwhile", store.OutcomeAccepted))
	require.NoError(t, server.Restart())
	require.Eventually(t, func() bool { return s.Away() == nil }, 20*time.Second, 10*time.Millisecond)
	assert.Equal(t, "/before /meanwhile", targets(t, s, ""), "what was appended meanwhile is written later")
	assert.Equal(t, 1, decide(t, s, "s").Number)
}

func TestAnAddressThatIsNoneIsAnErrorWithoutItsPassword(t *testing.T) {
	for _, address := range []string{
		"", "localhost:6379", "http://localhost", "redis://u:hush@localhost/words", "redis://u:hush@local host/",
		"redis://u:hush@h/1?addr=a:1&no=1",
	} {
		_, err := store.NewRedis(address, 1, 1, slog.New(slog.DiscardHandler))
		if assert.Error(t, err, address) {
			assert.NotContains(t, err.Error(), "hush")
			assert.Contains(t, err.Error(), "use redis://")
		}
	}
}

func TestAJournalOfManyEntriesIsReadAndRemovedWhole(t *testing.T) {
	for name, open := range backends {
		t.Run(name, func(t *testing.T) {
			s := open(t, 1000, 1<<24)
			for i := range 550 {
				e := entry(fmt.Sprintf("/%d", i), store.OutcomeAccepted)
				e.Notes = []string{"\xff is no text"} // which its JSON changes
				s.Append(e)
			}
			all, err := s.Entries("")
			require.NoError(t, err)
			require.Len(t, all, 550)
			assert.Equal(t, "/549", all[549].Target)
			removed, err := s.Remove(func(e *store.Entry) bool { return e.Target != "/7" })
			require.NoError(t, err)
			assert.Equal(t, 549, removed)
			assert.Equal(t, "/7", targets(t, s, ""))
		})
	}
}

func TestWhatIsRemovedTakesNoRoom(t *testing.T) {
	for name, open := range backends {
		t.Run(name, func(t *testing.T) {
			s := open(t, 100, 5000)
			for range 20 {
				e := entry("/\xff\xfe", store.OutcomeAccepted) // its JSON has other bytes
				s.Append(e)
				removed, err := s.Remove(func(*store.Entry) bool { return true })
				require.NoError(t, err)
				require.Equal(t, 1, removed)
			}
			s.Append(entry("/a", store.OutcomeAccepted))
			s.Append(entry("/b", store.OutcomeAccepted))
			assert.Equal(t, "/a /b", targets(t, s, ""))
			assert.Zero(t, s.Dropped())
		})
	}
}

func TestAQuotaDoesNotGoBackInTime(t *testing.T) {
	inEach(t, func(t *testing.T, s store.Store) {
		now := time.Now()
		step := store.Step{Bucket: "b", Quota: store.Quota{Burst: 1, Interval: time.Second}}
		for _, test := range []struct {
			after time.Duration
			past  bool
		}{{time.Second, false}, {0, true}, {time.Second, true}, {2500 * time.Millisecond, false}} {
			d, err := s.Decide("s", now.Add(test.after), false, []store.Step{step})
			require.NoError(t, err)
			assert.Equal(t, test.past, len(d.Matches) == 1, "after %s", test.after)
		}
	})
}

func TestAnIDOfAnotherProcessIsNone(t *testing.T) {
	s := store.NewMemory(10, 1<<20)
	s.Append(entry("/a", store.OutcomeAccepted))
	assert.Equal(t, "/a", targets(t, s, "500"))
	assert.Equal(t, "", targets(t, s, "1"))
}

func TestReadingDoesNotWaitForWhatIsAppendedLater(t *testing.T) {
	way := newLossy(t, miniredis.RunT(t))
	s := open(t, "redis://"+way.addr, 100, 1<<20)
	another := func() { s.Append(entry("/later", store.OutcomeAccepted)) }
	way.before.Store(&another) // so the queue is never empty
	t.Cleanup(func() { way.before.Store(nil) })
	s.Append(entry("/a", store.OutcomeAccepted))
	read := make(chan error, 1)
	go func() {
		_, err := s.Entries("")
		read <- err
	}()
	select {
	case err := <-read:
		assert.NoError(t, err)
	case <-time.After(30 * time.Second):
		t.Error("reading waits for an empty queue")
	}
}

// lossy is a way to a server on which one reply can be lost.
type lossy struct {
	addr   string
	before atomic.Pointer[func()] // is called before each reply
	lose   atomic.Pointer[string] // the command in lower case; nil for none
	lost   atomic.Int64
}

// newLossy makes one to a server, whose own address it hides.
func newLossy(t *testing.T, server *miniredis.Miniredis) *lossy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l := &lossy{addr: listener.Addr().String()}
	var conns sync.WaitGroup
	t.Cleanup(func() {
		_ = listener.Close()
		conns.Wait()
	})
	_, port, err := net.SplitHostPort(l.addr)
	require.NoError(t, err)
	conns.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			up, err := net.Dial("tcp", server.Addr())
			if err != nil {
				_ = client.Close()
				return
			}
			var cut atomic.Bool
			conns.Go(func() {
				defer func() { _ = up.Close() }()
				for buf := make([]byte, 1<<20); ; {
					n, err := client.Read(buf)
					if err != nil {
						return
					}
					if command := l.lose.Load(); command != nil &&
						strings.Contains(strings.ToLower(string(buf[:n])), *command) &&
						l.lose.CompareAndSwap(command, nil) {
						cut.Store(true)
					}
					_, _ = up.Write(buf[:n])
				}
			})
			conns.Go(func() {
				defer func() { _ = client.Close() }()
				for buf := make([]byte, 1<<20); ; {
					n, err := up.Read(buf)
					if err != nil {
						return
					}
					if before := l.before.Load(); before != nil {
						(*before)()
					}
					if cut.Load() {
						l.lost.Add(1)
						return
					}
					_, _ = client.Write([]byte(strings.ReplaceAll(string(buf[:n]), server.Port(), port)))
				}
			})
		}
	})
	return l
}

func (l *lossy) loseReplyTo(command string) { l.lose.Store(&command) }

func TestAScriptWhoseReplyIsLostRunsOnce(t *testing.T) {
	for name, address := range map[string]string{"a server": "redis://%[1]s", "a cluster": "redis://%[1]s?addr=%[1]s"} {
		t.Run(name, func(t *testing.T) {
			way := newLossy(t, miniredis.RunT(t))
			s := open(t, fmt.Sprintf(address, way.addr), 100, 1<<20)
			require.Equal(t, 1, decide(t, s, "s").Number)
			way.loseReplyTo("evalsha")
			_, err := s.Decide("s", time.Now(), false, nil)
			require.ErrorIs(t, err, store.ErrAway)
			require.EqualValues(t, 1, way.lost.Load())
			require.Eventually(t, func() bool { return s.Away() == nil }, 20*time.Second, 10*time.Millisecond)
			assert.Equal(t, 3, decide(t, s, "s").Number, "the second ran once")
		})
	}
}

func TestAnEntryWhoseReplyIsLostIsThereOnce(t *testing.T) {
	for name, address := range map[string]string{"a server": "redis://%[1]s", "a cluster": "redis://%[1]s?addr=%[1]s"} {
		t.Run(name, func(t *testing.T) {
			way := newLossy(t, miniredis.RunT(t))
			s := open(t, fmt.Sprintf(address, way.addr), 100, 1<<20)
			s.Append(entry("/a", store.OutcomeAccepted))
			require.Equal(t, "/a", targets(t, s, ""))
			way.loseReplyTo("publish")
			s.Append(entry("/b", store.OutcomeAccepted))
			require.Eventually(t, func() bool { return way.lost.Load() == 1 }, 20*time.Second, time.Millisecond)
			s.Append(entry("/c", store.OutcomeAccepted)) // which is no part of the batch that is sent again
			// The store may not have seen yet that the connection is cut.
			require.Eventually(t, func() bool {
				entries, err := s.Entries("")
				return err == nil && len(entries) >= 3
			}, 20*time.Second, 10*time.Millisecond)
			assert.Equal(t, "/a /b /c", targets(t, s, ""))
		})
	}
}

func TestManySessionsAreForgotten(t *testing.T) {
	inEach(t, func(t *testing.T, s store.Store) {
		for i := range 300 {
			require.NoError(t, s.SetState(fmt.Sprint("s", i), "light", "red"))
		}
		require.NoError(t, s.ResetAll())
		for i := range 300 {
			states, err := s.States(fmt.Sprint("s", i))
			require.NoError(t, err)
			require.Empty(t, states)
		}
		assert.Nil(t, s.Away())
	})
}
