package testsuite

import (
	"context"
	"errors"
	"sync"
)

// budget decides what may be sent. It is the only maker of tickets, and the wire
// writes nothing without one, so that no request reaches a target uncounted.
//
// Two things are bounded. A request that the target may accept costs one of
// maxWrites when it is sent. A request that must be rejected costs one of
// maxUnexpected if the response is not a rejection; as every one under way may
// turn out so, no more are under way than are left.
type budget struct {
	maxRequests   int  // 0: no limit
	maxWrites     *int // nil: no limit
	maxUnexpected *int // nil: no limit

	mu         sync.Mutex
	changed    *sync.Cond
	closed     bool
	requests   int // sent
	writes     int // sent, that may be accepted
	unexpected int // accepted, that must be rejected
	unknown    int // neither accepted nor rejected, that must be rejected
	underWay   int // that must be rejected
}

func newBudget(l *Limits) *budget {
	b := &budget{maxRequests: l.Requests, maxWrites: l.Writes, maxUnexpected: l.UnexpectedWrites}
	b.changed = sync.NewCond(&b.mu)
	return b
}

// denial is why the budget does not allow a request.
type denial int

const (
	granted        denial = iota
	denialClosed          // the run was stopped
	denialEnded           // its time is up, or it was interrupted
	denialRequests        // as many as allowed were sent
	denialWrites          // as many that may be accepted were sent
)

// unlimited reports a run whose writes nothing bounds. Only there may a request be
// sent again after which it is not known what the target did.
func (b *budget) unlimited() bool { return b.maxWrites == nil && b.maxUnexpected == nil }

// look says whether the budget would allow a request now.
func (b *budget) look(ctx context.Context, mayWrite bool) denial {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.deny(ctx, mayWrite)
}

func (b *budget) deny(ctx context.Context, mayWrite bool) denial {
	switch {
	case ctx.Err() != nil:
		return denialEnded
	case b.closed || b.maxUnexpected != nil && b.unexpected+b.unknown >= *b.maxUnexpected:
		return denialClosed
	case b.maxRequests > 0 && b.requests >= b.maxRequests:
		return denialRequests
	case mayWrite && b.maxWrites != nil && b.writes >= *b.maxWrites:
		return denialWrites
	}
	return granted
}

// take charges one request and waits until it may be sent.
func (b *budget) take(ctx context.Context, mayWrite bool) (*ticket, denial) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		if d := b.deny(ctx, mayWrite); d != granted {
			return nil, d
		}
		if mayWrite || b.maxUnexpected == nil || b.underWay < *b.maxUnexpected-b.unexpected-b.unknown {
			break
		}
		b.changed.Wait()
	}
	b.requests++
	if mayWrite {
		b.writes++
	} else {
		b.underWay++
	}
	return &ticket{budget: b, mayWrite: mayWrite}, granted
}

// close has every further request denied.
func (b *budget) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.changed.Broadcast()
}

// canSpare reports that one request more leaves the run its limits: a request that should be
// rejected does not use up what ends it.
func (b *budget) canSpare(ctx context.Context, mayWrite bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.deny(ctx, mayWrite) != granted {
		return false
	}
	return mayWrite || b.maxUnexpected == nil || b.unexpected+b.unknown+b.underWay+1 < *b.maxUnexpected
}

// wake has those that wait for a ticket look at their context again.
func (b *budget) wake() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.changed.Broadcast()
}

// counts are what was charged so far.
func (b *budget) counts() (requests, writes, unexpected, unknown int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.requests, b.writes, b.unexpected, b.unknown
}

// ticket pays for one request. It is used by one goroutine.
type ticket struct {
	budget   *budget
	mayWrite bool
	spent    bool
	settled  bool
}

var errSpent = errors.New("a ticket pays for one request")

// spend is called before the first byte of a request is written.
func (t *ticket) spend() error {
	if t.spent {
		return errSpent
	}
	t.spent = true
	return nil
}

// settle says what came of the request; every ticket is settled. A request of
// which certainly nothing was written costs nothing. Last is true if this one
// used up what was left of the unexpected writes.
func (t *ticket) settle(sent bool, did effect) (last bool) {
	b := t.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	if t.settled {
		return false
	}
	t.settled = true
	defer b.changed.Broadcast()
	if !t.mayWrite {
		b.underWay--
	}
	switch {
	case !sent:
		b.requests--
		if t.mayWrite {
			b.writes--
		}
		return false
	case t.mayWrite || did == effectNone:
		return false
	case did == effectWritten:
		b.unexpected++
	default:
		b.unknown++
	}
	return b.maxUnexpected != nil && b.unexpected+b.unknown == *b.maxUnexpected
}
