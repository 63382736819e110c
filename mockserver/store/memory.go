package store

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// maxSessions bounds the sessions that are kept. Past that the one longest unused goes.
const maxSessions = 10_000

// Memory is a store of one process, for use by many goroutines. The zero value is not
// ready: use [NewMemory].
type Memory struct {
	*journal

	waiting atomic.Int64 // next responses of all sessions

	mu       sync.Mutex
	sessions map[string]*session
}

// NewMemory makes an empty store whose journal has the given bounds.
func NewMemory(entries int, bytes int64) *Memory {
	return &Memory{journal: newJournal(entries, bytes), sessions: map[string]*session{}}
}

// session is what is known of the requests that have one session's name.
type session struct {
	used   time.Time
	number int
	states map[string]string
	next   []Next
	values map[key]*value
	order  []key // of values, the oldest first
	kept   int   // bytes
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
	pending  chan struct{} // closed when the response is there, or the name free; nil if not pending
	maker    int           // number of the exchange that makes the response
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

// Decide is described at [Store].
func (m *Memory) Decide(name string, now time.Time, ownResponse bool, steps []Step) (Decision, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.session(name, now)
	s.number++
	d := Decision{Number: s.number}
	if !ownResponse && len(s.next) > 0 {
		d.Next = s.next[0].Response
		m.waiting.Add(-1)
		if s.next[0].Times--; s.next[0].Times <= 0 {
			s.next = s.next[1:]
		}
		return d, nil
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
	return d, nil
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
		if since := now.Sub(v.filled); since > 0 { // requests may come here in another order than they began
			v.tokens = min(burst, v.tokens+since.Seconds()/step.Quota.Interval.Seconds())
			v.filled = now
		}
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
		case v.pending != nil:
			m.Pending = true
		default:
			v.pending, v.maker = make(chan struct{}), s.number
		}
	}
	return m, true
}

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
			s.drop(0)
		}
		v = &value{}
		s.values[k] = v
		s.order = append(s.order, k)
	}
	return v
}

// drop forgets the value at a place of the order.
func (s *session) drop(at int) {
	v := s.values[s.order[at]]
	s.kept -= len(v.response)
	v.settle(nil)
	delete(s.values, s.order[at])
	if at == 0 {
		s.order = s.order[1:]
	} else {
		s.order = slices.Delete(s.order, at, at+1)
	}
}

// settle ends the wait for a response.
func (v *value) settle(response []byte) {
	v.response = response
	if v.pending != nil {
		close(v.pending)
		v.pending = nil
	}
}

// Kept is described at [Store].
func (m *Memory) Kept(ctx context.Context, name, response string) []byte {
	m.mu.Lock()
	var v *value
	if s := m.sessions[name]; s != nil {
		v = s.values[keyOf("response "+response)]
	}
	if v == nil || v.pending == nil {
		defer m.mu.Unlock()
		if v == nil {
			return nil
		}
		return v.response
	}
	pending := v.pending
	m.mu.Unlock()
	select {
	case <-pending:
	case <-ctx.Done():
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return v.response
}

// Keep is described at [Store].
func (m *Memory) Keep(name, response string, bytes []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.session(name, time.Now())
	v := s.value("response " + response)
	s.kept += len(bytes) - len(v.response)
	v.settle(bytes)
	for at := 0; s.kept > maxKept && at < len(s.order); {
		if oldest := s.values[s.order[at]]; oldest.response == nil || oldest == v {
			at++ // it takes no such bytes, or is the last one
			continue
		}
		s.drop(at)
	}
	return nil
}

// Free is described at [Store].
func (m *Memory) Free(name, response string, number int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.sessions[name]; s != nil {
		if v := s.values[keyOf("response "+response)]; v != nil && v.pending != nil && v.maker == number {
			v.settle(nil)
		}
	}
	return nil
}

// Ahead is described at [Store].
func (m *Memory) Ahead(name string, response json.RawMessage, times int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.session(name, time.Now())
	if len(s.next) >= maxNext {
		return ErrTooMany
	}
	s.next = append(s.next, Next{response, times})
	m.waiting.Add(int64(times))
	return nil
}

// Next is described at [Store].
func (m *Memory) Next(name string) ([]Next, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.sessions[name]; s != nil {
		return slices.Clone(s.next), nil
	}
	return nil, nil
}

// DropNext is described at [Store].
func (m *Memory) DropNext(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.sessions[name]; s != nil {
		m.dropNext(s)
	}
	return nil
}

// dropNext forgets the next responses of a session; the lock is held.
func (m *Memory) dropNext(s *session) {
	for _, n := range s.next {
		m.waiting.Add(-int64(n.Times))
	}
	s.next = nil
}

// Waiting is described at [Store].
func (m *Memory) Waiting() bool { return m.waiting.Load() > 0 }

// SetState is described at [Store].
func (m *Memory) SetState(name, state, to string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.session(name, time.Now()).states[state] = to
	return nil
}

// States is described at [Store].
func (m *Memory) States(name string) (map[string]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.sessions[name]; s != nil {
		return maps.Clone(s.states), nil
	}
	return map[string]string{}, nil
}

// Reset is described at [Store].
func (m *Memory) Reset(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forget(name)
	return nil
}

// forget drops a session; the lock is held.
func (m *Memory) forget(name string) {
	s := m.sessions[name]
	if s == nil {
		return
	}
	m.dropNext(s)
	for _, v := range s.values {
		v.settle(v.response)
	}
	delete(m.sessions, name)
}

// ResetAll is described at [Store].
func (m *Memory) ResetAll() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name := range m.sessions {
		m.forget(name)
	}
	return nil
}

// Away is nil: the memory is always there.
func (m *Memory) Away() error { return nil }

// Close does nothing: there is nothing in the background.
func (m *Memory) Close() error { return nil }
