package testsuite

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
)

// Limits at which a run gives up, so that it neither hammers a server that is down
// nor locks an account.
const (
	silentResponses  = 5  // without any response, in a row
	unclearResponses = 15 // of one kind, with no clear one in between
	lateResponses    = 15 // in the whole run: each costs the time-out
	deniedResponses  = 3  // 401 or 407, in a row
)

// stopKind is why a run ended early; empty if it did not.
type stopKind string

const (
	stopSafety      stopKind = "safety"
	stopUnreachable stopKind = "unreachable"
	stopData        stopKind = "data" // the control was rejected
	stopUnclear     stopKind = "unclear"
	stopDied        stopKind = "died" // it accepted requests, and then one ended it
)

// breaker stops a run that gets nowhere. It goes by the kind of a response, never
// by its text, which is the server's.
type breaker struct {
	mu     sync.Mutex
	kind   stopKind
	why    string
	silent int
	// silentFrom is the id of the first of them.
	silentFrom string
	denied     int
	late       int
	unclear    map[unclearKind]int
	anything   bool // any response came
	heard      bool // one that is not a server error
	// recent are the ids of the requests that got a response last.
	recent []string
}

// recentResponses is how many requests are remembered: a target that dies after its
// response died of one of them.
const recentResponses = 4

func downReason(status int) string {
	return fmt.Sprintf("every request gets %d; the server appears to be down", status)
}

// trip ends the run. The first reason counts.
func (b *breaker) trip(kind stopKind, why string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tripLocked(kind, why)
}

func (b *breaker) tripLocked(kind stopKind, why string) {
	if b.kind == "" {
		b.kind, b.why = kind, why
	}
}

// tripped says why the run ended early, if it did.
func (b *breaker) tripped() (stopKind, string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.kind, b.why
}

// hear notes the response to a request.
func (b *breaker) hear(id string, a *response) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if a.status != 0 {
		b.recent = append(b.recent[max(0, len(b.recent)-recentResponses+1):], id)
	}
	b.anything = b.anything || a.status != 0
	b.heard = b.heard || a.status != 0 && a.status < 500
}

// lastHeard are the ids of the requests that got a response last, in order.
func (b *breaker) lastHeard() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.recent)
}

// everHeard reports that something came with another status than a server error's.
func (b *breaker) everHeard() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.heard
}

// neverReached reports that no response came yet.
func (b *breaker) neverReached() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.anything
}

// count takes note of the response to a request; controlled says that a valid
// request was accepted in this run.
func (b *breaker) count(e *exchange, a *response, controlled bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if a.late {
		if b.late++; b.late >= lateResponses {
			b.tripLocked(stopUnclear, fmt.Sprintf("%d requests got no whole response in time; last: %s", b.late, a.why))
		}
	}
	if a.status == 0 {
		if a.after == afterAccepted {
			b.silent = 0
			return
		}
		if b.silent++; b.silent == 1 {
			b.silentFrom = e.id
		}
		if !b.anything && !e.control {
			b.tripLocked(stopUnreachable, a.why)
		}
		if b.silent >= silentResponses {
			kind := stopUnreachable // never reached
			if b.anything {
				kind = stopUnclear
			}
			b.tripLocked(kind, fmt.Sprintf("%d requests in a row got no response, from %s on; last: %s", b.silent,
				b.silentFrom, a.why))
		}
		return
	}
	b.silent = 0
	if a.status == http.StatusUnauthorized || a.status == http.StatusProxyAuthRequired {
		if b.denied++; b.denied >= deniedResponses {
			b.tripLocked(stopUnclear, a.why)
		}
	} else {
		b.denied = 0
	}
	kind, why := a.kind, a.why
	switch {
	case a.reading == readingAccepted || a.reading == readingRejected:
		clear(b.unclear)
		return
	case a.reading == readingError && !b.heard:
		kind, why = unclearDown, downReason(a.status)
	case a.reading == readingOther && (a.status == http.StatusNotFound || a.status == http.StatusGone) && !controlled:
		kind = unclearPath
		why = fmt.Sprintf("every request gets %d; the target has no such path; see --path", a.status)
	case a.reading != readingUnclear:
		return
	}
	if b.unclear == nil {
		b.unclear = map[unclearKind]int{}
	}
	if b.unclear[kind]++; b.unclear[kind] >= unclearResponses {
		b.tripLocked(stopUnclear, why)
	}
}
