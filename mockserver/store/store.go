// Package store keeps what exchanges with a mock leave behind: the journal, and per
// session the counters, states, quotas, kept responses and next responses that scenarios
// go by.
//
// What scenarios ask of a session is data, a list of [Step], and is decided in one go by
// [Store.Decide], so that requests which arrive together cannot both be the first. A
// [Memory] is of one process; a [Redis] is shared by several.
package store

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// Store is what mocks need of a store. It is for use by many goroutines. Errors are
// [ErrAway] while a shared one cannot be reached, but for those that a method names.
type Store interface {
	// Decide numbers an exchange and takes the steps that scenarios ask of its session, in
	// order, up to the first that holds without Continue. A response that was asked for ahead
	// comes before all of them, unless ownResponse says that the request has asked for one
	// itself.
	Decide(session string, now time.Time, ownResponse bool, steps []Step) (Decision, error)
	// Keep keeps the response to the first request of a [Step.Keep].
	Keep(session, response string, bytes []byte) error
	// Free frees the name for the next request, if its response is still to be made by the exchange
	// with this number.
	Free(session, response string, number int) error
	// Kept waits until a pending response is kept, and is nil if it is freed or ctx ends first.
	Kept(ctx context.Context, session, response string) []byte

	// Ahead adds a response for the next requests of a session, after those that wait. It fails
	// with [ErrTooMany] if there are a thousand.
	Ahead(session string, response json.RawMessage, times int) error
	// Next are the responses asked for ahead in a session, in order.
	Next(session string) ([]Next, error)
	// DropNext forgets them.
	DropNext(session string) error
	// Waiting reports that some session may have a response asked for ahead.
	Waiting() bool

	// SetState sets a state of a session.
	SetState(session, state, to string) error
	// States are the states of a session that were set.
	States(session string) (map[string]string, error)
	// Reset forgets a session's states, counters, quotas, and kept and next responses; its
	// journal stays.
	Reset(session string) error
	// ResetAll does that with every session.
	ResetAll() error

	// Enabled reports a journal that keeps anything.
	Enabled() bool
	// Append adds an entry to the journal and does not wait. The entry belongs to the journal
	// then. It returns the entry's id; empty where that is given later.
	Append(e *Entry) (id string)
	// Entries are those after an id, the oldest first; all after "", or after what is no id.
	Entries(after string) ([]*Entry, error)
	// Entry is that of an id; nil if it is not there, or no longer.
	Entry(id string) (*Entry, error)
	// Remove drops the entries that match, and returns how many did.
	Remove(matches func(*Entry) bool) (int, error)
	// Dropped is how many entries had no room.
	Dropped() int64
	// Watch returns a channel that gets something after entries were added, until stop is
	// called.
	Watch() (added <-chan struct{}, stop func())

	// Away is why the store cannot be reached; nil if it can.
	Away() error
	// Close ends what the store does in the background, once what was appended is written.
	Close() error
}

var (
	// ErrAway is the error of a shared store that cannot be reached.
	ErrAway = errors.New("the store cannot be reached")
	// ErrTooMany is the error of a session that has no room for another response ahead.
	ErrTooMany = errors.New("1000 responses are waiting in this session already: reset it, or send requests")
)

const (
	// SessionAge is how long a session is kept after its last exchange.
	SessionAge = time.Hour
	// maxKeys bounds the counters, quotas and kept responses of a session, and maxKept the
	// bytes of its kept responses. Past that the oldest go, of bytes the oldest responses.
	maxKeys = 100_000
	maxKept = 16 << 20
	// maxNext bounds the responses asked for ahead in a session.
	maxNext = 1000
)

// InitialState is the state of what nothing has set, as WireMock calls it.
const InitialState = "Started"

// Next is a response that was asked for ahead.
type Next struct {
	// Response is what [Store.Ahead] was given.
	Response json.RawMessage `json:"response"`
	// Times is how many requests will get it.
	Times int `json:"times"`
}

// Step is what one scenario asks of the session. The zero value asks nothing and holds.
type Step struct {
	// Requires are the states that must hold, by name.
	Requires map[string]string `json:"requires,omitempty"`
	// Counter names the counter that is raised if Requires holds; empty for none. Its value,
	// from 1, must be in Calls.
	Counter string `json:"counter,omitempty"`
	// Calls are the values of the counter at which the step holds.
	Calls Calls `json:"calls"`
	// Bucket names a quota that one token is taken from; empty for none. The step holds when
	// there is none left.
	Bucket string `json:"bucket,omitempty"`
	// Quota is the size of the bucket and the pace at which it fills.
	Quota Quota `json:"quota"`
	// Keep names a response to be kept; empty for none. See [Match.Kept].
	Keep string `json:"keep,omitempty"`
	// Sets are the states that are set if the step holds.
	Sets map[string]string `json:"sets,omitempty"`
	// Continue has the next step looked at though this one holds.
	Continue bool `json:"continue,omitempty"`
}

// Calls are numbers of calls.
type Calls struct {
	// First is the first call, from 1; 0 is 1.
	First int `json:"first"`
	// Last is the last call; 0 is no end.
	Last int `json:"last"`
	// Every N leaves out all but one of N calls: N, 2N, 3N, or from First on; 0 is 1.
	Every int `json:"every"`
}

// Include reports a call among them.
func (c Calls) Include(call int) bool {
	first, every := c.First, max(c.Every, 1)
	if first == 0 {
		first = every
	}
	return call >= first && (c.Last == 0 || call <= c.Last) && (call-first)%every == 0
}

// Quota is a token bucket.
type Quota struct {
	// Burst is how many tokens it holds, and has at first.
	Burst int `json:"burst"`
	// Interval is the time in which one token is added.
	Interval time.Duration `json:"interval"`
}

// Match is a step that held.
type Match struct {
	// Step is its index.
	Step int
	// Call is the value of its counter; 0 without one.
	Call int
	// RetryAfter is when its bucket has a token again; 0 without one.
	RetryAfter time.Duration
	// Kept is the response that was kept under its name. It is nil for the first request,
	// which must call [Store.Keep] or [Store.Free], and while the response is still being made.
	Kept []byte
	// Pending says that the response is still being made, by another request: [Store.Kept]
	// waits for it.
	Pending bool
}

// Decision is what a session says of one exchange.
type Decision struct {
	// Number is the number of the exchange in its session, from 1.
	Number int
	// Next is the response that was asked for ahead; nil if none was. No step was looked at
	// then.
	Next json.RawMessage
	// Matches are the steps that held, in order.
	Matches []Match
}
