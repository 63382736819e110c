// Package store keeps what exchanges with a mock leave behind: the journal, and per
// session the counters, states, quotas, kept responses and next responses that scenarios
// go by.
//
// What scenarios ask of a session is data, a list of [Step], and is decided in one go by
// [Memory.Decide], so that requests which arrive together cannot both be the first.
package store

import (
	"encoding/json"
	"time"
)

// Step is what one scenario asks of the session. The zero value asks nothing and holds.
type Step struct {
	// Requires are the states that must hold, by name.
	Requires map[string]string
	// Counter names the counter that is raised if Requires holds; empty for none. Its value,
	// from 1, must be in Calls.
	Counter string
	// Calls are the values of the counter at which the step holds.
	Calls Calls
	// Bucket names a quota that one token is taken from; empty for none. The step holds when
	// there is none left.
	Bucket string
	// Quota is the size of the bucket and the pace at which it fills.
	Quota Quota
	// Keep names a response to be kept; empty for none. See [Match.Kept].
	Keep string
	// Sets are the states that are set if the step holds.
	Sets map[string]string
	// Continue has the next step looked at though this one holds.
	Continue bool
}

// Calls are numbers of calls.
type Calls struct {
	// First is the first call, from 1; 0 is 1.
	First int
	// Last is the last call; 0 is no end.
	Last int
	// Every N leaves out all but one of N calls: N, 2N, 3N, or from First on; 0 is 1.
	Every int
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
	Burst int
	// Interval is the time in which one token is added.
	Interval time.Duration
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
	// which must call [Memory.Keep].
	Kept []byte
	// Pending says that the response is still being made, by another request.
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
