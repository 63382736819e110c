package store

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// SessionAge is how long a session is kept after its last exchange.
	SessionAge = time.Hour
	// maxSessions bounds the sessions that are kept, and maxKeys the counters, quotas and kept
	// responses of one. Past that the oldest go.
	maxSessions = 10_000
	maxKeys     = 100_000
	// maxKept bounds the bytes of the kept responses of a session.
	maxKept = 16 << 20
	// maxNext bounds the responses asked for ahead in a session.
	maxNext = 1000
)

// ErrTooMany is the error of a session that has no room for another response ahead.
var ErrTooMany = errors.New("1000 responses are waiting in this session already: reset it, or send requests")

// Memory is a store of one process, for use by many goroutines. The zero value is not
// ready: use [NewMemory].
type Memory struct {
	*Journal

	waiting atomic.Int64 // next responses of all sessions

	mu       sync.Mutex
	sessions map[string]*session
}

// NewMemory makes an empty store whose journal has the given bounds.
func NewMemory(entries int, bytes int64) *Memory {
	return &Memory{Journal: newJournal(entries, bytes), sessions: map[string]*session{}}
}

// session is what is known of the requests that have one session's name.
type session struct {
	used   time.Time
	number int
	states map[string]string
	next   []next
	values map[key]*value
	order  []key // of values, the oldest first
	kept   int   // bytes
}

type next struct {
	response json.RawMessage
	times    int
}

// key is the hash of a name: names hold what clients sent, of any length.
type key [16]byte

func keyOf(name string) key {
	sum := sha256.Sum256([]byte(name))
	return key(sum[:])
}

// value is a counter, a quota or a kept response.
type value struct {
	count    int
	tokens   float64
	filled   time.Time
	response []byte
	made     bool
}

// session is that of a name; it is made if there is none. The lock is held.
func (m *Memory) session(name string, now time.Time) *session {
	s := m.sessions[name]
	if s == nil {
		if len(m.sessions) >= maxSessions {
			m.expire(now)
		}
		s = &session{states: map[string]string{}, values: map[key]*value{}}
		m.sessions[name] = s
	}
	s.used = now
	return s
}

// expire drops sessions that were not used for long, or else the one longest unused.
func (m *Memory) expire(now time.Time) {
	oldest, when := "", now
	for name, s := range m.sessions {
		if now.Sub(s.used) > SessionAge {
			m.forget(name)
		} else if s.used.Before(when) || oldest == "" {
			oldest, when = name, s.used
		}
	}
	if len(m.sessions) >= maxSessions {
		m.forget(oldest)
	}
}

// Decide numbers an exchange and takes the steps that scenarios ask of its session, in
// order, up to the first that holds without Continue. A response that was asked for ahead
// comes before all of them, unless ownResponse says that the request has asked for one itself.
func (m *Memory) Decide(name string, now time.Time, ownResponse bool, steps []Step) Decision {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.session(name, now)
	s.number++
	d := Decision{Number: s.number}
	if !ownResponse && len(s.next) > 0 {
		d.Next = s.next[0].response
		m.waiting.Add(-1)
		if s.next[0].times--; s.next[0].times <= 0 {
			s.next = s.next[1:]
		}
		return d
	}
	for i := range steps {
		match, holds := s.take(&steps[i], now)
		if !holds {
			continue
		}
		match.Step = i
		d.Matches = append(d.Matches, match)
		maps.Copy(s.states, steps[i].Sets)
		if !steps[i].Continue || match.Kept != nil || match.Pending {
			break
		}
	}
	return d
}

func (s *session) take(step *Step, now time.Time) (Match, bool) {
	var m Match
	for name, want := range step.Requires {
		if s.state(name) != want {
			return m, false
		}
	}
	if step.Counter != "" {
		v := s.value("counter " + step.Counter)
		v.count++
		if m.Call = v.count; !step.Calls.Include(v.count) {
			return m, false
		}
	}
	if step.Bucket != "" {
		v := s.value("quota " + step.Bucket)
		burst := float64(step.Quota.Burst)
		if v.filled.IsZero() {
			v.tokens, v.filled = burst, now
		}
		v.tokens = min(burst, v.tokens+now.Sub(v.filled).Seconds()/step.Quota.Interval.Seconds())
		v.filled = now
		if v.tokens >= 1 {
			v.tokens--
			return m, false
		}
		m.RetryAfter = time.Duration(math.Ceil((1 - v.tokens) * float64(step.Quota.Interval)))
	}
	if step.Keep != "" {
		v := s.value("response " + step.Keep)
		switch {
		case v.response != nil:
			m.Kept = v.response
		case v.made:
			m.Pending = true
		}
		v.made = true
	}
	return m, true
}

// InitialState is the state of what nothing has set, as WireMock calls it.
const InitialState = "Started"

func (s *session) state(name string) string {
	if state, found := s.states[name]; found {
		return state
	}
	return InitialState
}

// value is that of a name; a new one takes the place of the oldest when there are many.
func (s *session) value(name string) *value {
	k := keyOf(name)
	v := s.values[k]
	if v == nil {
		if len(s.order) >= maxKeys {
			s.drop()
		}
		v = &value{}
		s.values[k] = v
		s.order = append(s.order, k)
	}
	return v
}

// drop forgets the oldest value.
func (s *session) drop() {
	s.kept -= len(s.values[s.order[0]].response)
	delete(s.values, s.order[0])
	s.order = s.order[1:]
}

// Kept is a response that was kept; pending says that it is still being made.
func (m *Memory) Kept(name, response string) (kept []byte, pending bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.sessions[name]; s != nil {
		if v := s.values[keyOf("response "+response)]; v != nil {
			return v.response, v.made && v.response == nil
		}
	}
	return nil, false
}

// Keep keeps the response to the first request of a [Step.Keep]. Nil frees the name for
// the next request.
func (m *Memory) Keep(name, response string, bytes []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.session(name, time.Now())
	v := s.value("response " + response)
	v.response, v.made = bytes, bytes != nil
	s.kept += len(bytes)
	for s.kept > maxKept && len(s.order) > 1 {
		s.drop()
	}
}

// Ahead adds a response for the next requests of a session, after those that wait.
func (m *Memory) Ahead(name string, response json.RawMessage, times int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.session(name, time.Now())
	if len(s.next) >= maxNext {
		return ErrTooMany
	}
	s.next = append(s.next, next{response, times})
	m.waiting.Add(int64(times))
	return nil
}

// Waiting reports that some session has a response asked for ahead.
func (m *Memory) Waiting() bool { return m.waiting.Load() > 0 }

// SetState sets a state of a session.
func (m *Memory) SetState(name, state, to string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.session(name, time.Now()).states[state] = to
}

// States are the states of a session that were set.
func (m *Memory) States(name string) map[string]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.sessions[name]; s != nil {
		return maps.Clone(s.states)
	}
	return map[string]string{}
}

// Reset forgets a session's states, counters, quotas, and kept and next responses; its journal
// stays.
func (m *Memory) Reset(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forget(name)
}

// forget drops a session; the lock is held.
func (m *Memory) forget(name string) {
	if s := m.sessions[name]; s != nil {
		for _, n := range s.next {
			m.waiting.Add(-int64(n.times))
		}
		delete(m.sessions, name)
	}
}

// ResetAll does that with every session.
func (m *Memory) ResetAll() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.sessions)
	m.waiting.Store(0)
}
