package testsuite

import (
	"context"
	"fmt"
	"net/http"
	"sync"

	"golang.org/x/time/rate"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/oracle"
	"github.com/seed47566266/understudy/fixtures"
)

// Delivery is what became of payloads that were sent.
type Delivery struct {
	// Accepted, Rejected and Other count the responses by what they mean; Other includes
	// server errors, and requests without a response.
	Accepted, Rejected, Other int
	// Unexpected counts the payloads with another response than their outcome asks for.
	Unexpected int
	// First is the id of the first of those, and Got what its response was, without secrets.
	First, Got string
	// Stopped is why not all of them were sent; empty if they were.
	Stopped string
	// Reached reports that any request got a response.
	Reached bool
}

// giveUp is after how many requests in a row without a response no more are sent.
const giveUp = 5

// Deliver sends payloads, count of them by number, to a target: each once, each charged to
// Limits.Writes, which is none where the target is not on loopback and it is not set. Of the
// configuration the target, the meaning of its responses, the limits and the secrets count.
// The error is a *[ConfigError].
func Deliver(
	ctx context.Context, op *contracts.Operation, c Config, count uint64, at func(i uint64) fixtures.Case,
) (*Delivery, error) {
	s := &Suite{operation: op}
	p, err := s.reach(&c)
	if err != nil {
		return nil, err
	}
	if c.Limits.Writes != nil && uint64(*c.Limits.Writes) < count {
		where := "the target"
		if !p.loopback {
			where = p.address() + ", which is not on loopback,"
		}
		return nil, &ConfigError{"Limits.Writes", fmt.Sprintf("%s may accept %d payloads, and %s allowed", where, count,
			plural(*c.Limits.Writes, "write is", "writes are"))}
	}
	t, ctx, end, err := p.begin(ctx, &c)
	if err != nil {
		return nil, err
	}
	defer end()
	d := &delivering{config: &c, prepared: p, target: t, budget: newBudget(&c.Limits), count: count, at: at}
	if c.Limits.Rate > 0 {
		d.limiter = rate.NewLimiter(rate.Limit(c.Limits.Rate), 1)
	}
	return d.run(ctx), nil
}

// delivering is a delivery under way.
type delivering struct {
	*prepared
	config  *Config
	target  *target
	budget  *budget
	limiter *rate.Limiter
	count   uint64
	at      func(i uint64) fixtures.Case

	mu     sync.Mutex // of what follows
	next   uint64
	done   int
	silent int // requests in a row without a response
	made   Delivery
}

func (d *delivering) run(ctx context.Context) *Delivery {
	var workers sync.WaitGroup
	for range d.config.Limits.Parallel {
		workers.Go(func() {
			for i, ok := d.take(ctx); ok; i, ok = d.take(ctx) {
				d.send(ctx, i)
			}
		})
	}
	workers.Wait()
	return &d.made
}

// take is the number of the next payload.
func (d *delivering) take(ctx context.Context) (i uint64, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.made.Stopped != "" || d.next >= d.count:
		return 0, false
	case ctx.Err() != nil:
		d.made.Stopped = endedEarly
		return 0, false
	}
	d.next++
	return d.next - 1, true
}

// endedEarly is why payloads are left that the run had no time for.
const endedEarly = "the run was interrupted, or its time was up"

// stop has no further payload sent. The first reason counts.
func (d *delivering) stop(why string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.made.Stopped == "" {
		d.made.Stopped = why
	}
}

func (d *delivering) send(ctx context.Context, i uint64) {
	if d.limiter != nil && d.limiter.Wait(ctx) != nil {
		d.stop(endedEarly) // or would be before its turn
		return
	}
	pass, denied := d.budget.take(ctx, true)
	if denied != granted {
		d.stop("as many requests were sent as are allowed")
		return
	}
	c := d.at(i)
	a, sent, free := d.target.send(ctx, pass, c.ID, &c.Request)
	defer func() { free() }()
	d.meaning.observe(a, d.hide)
	if a.status == http.StatusUnauthorized && d.target.c.Token != nil {
		d.target.renew(a)
		// The request is paid for again; the write that was paid for is still to come.
		if again, denied := d.budget.take(ctx, false); denied == granted {
			pass.settle(sent, effectNone)
			free()
			pass = again
			a, sent, free = d.target.send(ctx, pass, c.ID, &c.Request)
			d.meaning.observe(a, d.hide)
		}
		if a.status == http.StatusUnauthorized {
			d.stop("the target does not accept the credentials, and new ones neither (401)")
		}
	}
	pass.settle(sent, effectNone) // a write was paid for
	if ctx.Err() != nil && a.problem != "" {
		d.stop(endedEarly) // our own end, not the target's fault
		return
	}
	d.note(&c, a)
}

// note counts one response.
func (d *delivering) note(c *fixtures.Case, a *response) {
	d.mu.Lock()
	defer d.mu.Unlock()
	m := &d.made
	expected := false
	switch a.reading {
	case readingAccepted:
		m.Accepted++
		expected = c.Outcome != oracle.OutcomeReject
	case readingRejected:
		m.Rejected++
		expected = c.Outcome != oracle.OutcomeAccept
	default:
		m.Other++
	}
	if !expected {
		if m.Unexpected++; m.Unexpected == 1 {
			m.First, m.Got = c.ID, d.hide.short(a.summary(), longestReason)
		}
	}
	if a.status == 0 {
		if d.silent++; d.silent >= giveUp && m.Stopped == "" {
			m.Stopped = fmt.Sprintf("%d requests in a row got no response: %s", d.silent,
				d.hide.short(a.summary(), longestReason))
		}
	} else {
		d.silent, m.Reached = 0, true
	}
	d.done++
	if d.config.Progress != nil {
		d.config.Progress(d.done, int(d.count))
	}
}
