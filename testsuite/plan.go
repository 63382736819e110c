package testsuite

import (
	"context"

	"github.com/seed47566266/understudy/contracts/oracle"
)

// Plan is what a run would send.
type Plan struct {
	// Target is the address.
	Target string `json:"target"`
	// Requests are in the order of sending.
	Requests []PlannedRequest `json:"requests"`
	// Sends is how many would be sent, each once.
	Sends int `json:"sends"`
	// Writes is how many of them the target may accept at worst, those that are sent
	// again included: a run stays within it whatever the target does.
	Writes int `json:"writes"`
	// Limits are the run's.
	Limits Limits `json:"limits"`
}

// PlannedRequest is one request of a plan.
type PlannedRequest struct {
	// ID is that of the request's case.
	ID string `json:"id"`
	// Expect is the outcome that is expected.
	Expect oracle.Outcome `json:"expect"`
	// MayWrite marks a request that the target may accept.
	MayWrite bool `json:"mayWrite"`
	// Skipped is why it would not be sent; empty if it would.
	Skipped string `json:"skipped,omitempty"`
	// Curl is the line of shell that sends it.
	Curl string `json:"curl"`
}

func (p *prepared) plan(c *Config) *Plan {
	out := &Plan{Target: p.address()}
	r := newRun(c, p, nil)
	lines := &Results{Target: out.Target}
	rejected, mayWrite := 0, 0
	add := func(e *exchange, skipped string) {
		q := PlannedRequest{
			ID:       e.id,
			Expect:   e.expect,
			MayWrite: e.mayWrite,
			Skipped:  skipped,
			Curl:     lines.Curl(&Exchange{ID: e.id, Sent: p.sent(&c.Target, e)}),
		}
		if q.Skipped == "" {
			out.Sends++
			r.budget.requests++
			if e.mayWrite {
				r.budget.writes++
			}
		}
		out.Requests = append(out.Requests, q)
	}
	for _, e := range p.units {
		add(e, r.skip(context.Background(), e))
		// Which of them fit into the limit of requests depends on who comes first.
		switch {
		case e.barred != "":
		case e.mayWrite:
			mayWrite++
		default:
			rejected++
		}
	}
	for i := range r.fuzzes() {
		x := r.fuzzCase(i)
		e := r.exchangeOf(&x)
		add(e, r.skipFuzz(context.Background(), e))
	}
	out.Limits = c.Limits
	out.Writes = r.worst(mayWrite, rejected)
	if c.Limits.Requests > 0 {
		out.Writes = min(out.Writes, c.Limits.Requests)
	}
	return out
}

// worst is how many requests a target may accept in a run at worst. Without
// limits, each may be sent again, and its control after it.
func (r *run) worst(mayWrite, rejected int) int {
	more := r.config.Fuzz
	if r.minimises() && mayWrite+rejected > 0 {
		more += triesInAll
	}
	mayWrite, rejected = mayWrite+more, rejected+more
	if r.budget.unlimited() {
		const (
			sends    = 1 + retries + 1 // the last one to see whether it is flaky
			controls = 2               // when the first one of these, and the last, gets no response
		)
		return (sends + controls) * (mayWrite + rejected - more) // each of the further ones is one or the other
	}
	if r.limits.UnexpectedWrites != nil {
		rejected = min(rejected, *r.limits.UnexpectedWrites)
	}
	writes := mayWrite
	if mayWrite > 0 {
		writes += mayWrite + rejected // a control for each that gets no response
	}
	if r.limits.Writes != nil {
		writes = min(writes, *r.limits.Writes)
	}
	return writes + rejected
}
