package testsuite

import (
	"context"

	"github.com/seed47566266/understudy/fixtures"
)

// Planned is what a run would send.
type Planned struct {
	Target string `json:"target"`
	// Requests are in the order of sending; those that would not be sent say why.
	Requests []PlannedRequest `json:"requests"`
	// Sends is how many would be sent, each once. Writes is how many of them the
	// target may accept at worst, those that are sent again included: a run keeps to
	// it whatever the target does.
	Sends  int `json:"sends"`
	Writes int `json:"writes"`
	// Limits are the run's.
	Limits Limits `json:"limits"`
}

// PlannedRequest is one of them.
type PlannedRequest struct {
	ID       string           `json:"id"`
	Expect   fixtures.Outcome `json:"expect"`
	MayWrite bool             `json:"mayWrite"`
	Skipped  string           `json:"skipped,omitempty"`
	Curl     string           `json:"curl"`
}

func (p *prepared) plan(c *Config) *Planned {
	out := &Planned{Target: p.address()}
	r := &run{Config: c, prepared: p, budget: newBudget(c), breaker: &breaker{}}
	lines := &Results{Target: out.Target}
	rejected, mayWrite := 0, 0
	for _, e := range p.units {
		q := PlannedRequest{ID: e.id, Expect: e.expect, MayWrite: e.mayWrite, Curl: lines.Curl(&Exchange{ID: e.id, Sent: p.sent(c, e)})}
		q.Skipped = r.skip(context.Background(), e)
		if q.Skipped == "" {
			out.Sends++
			r.budget.requests++
			if e.mayWrite {
				r.budget.writes++
			}
		}
		// Which of them fit into the limit of requests depends on who comes first.
		switch {
		case e.barred != "":
		case e.mayWrite:
			mayWrite++
		default:
			rejected++
		}
		out.Requests = append(out.Requests, q)
	}
	out.Limits = c.limits()
	out.Writes = r.worst(mayWrite, rejected)
	if c.MaxRequests > 0 {
		out.Writes = min(out.Writes, c.MaxRequests)
	}
	return out
}

// worst is how many requests a target may accept in a run at worst. Without
// limits, each may be sent again, and its control after it.
func (r *run) worst(mayWrite, rejected int) int {
	if r.budget.unlimited() {
		const (
			sends    = 1 + retries + 1 // the last one to see whether it is flaky
			controls = 2               // when the first one of these, and the last, gets no response
		)
		return (sends + controls) * (mayWrite + rejected)
	}
	if r.MaxUnexpectedWrites != nil {
		rejected = min(rejected, *r.MaxUnexpectedWrites)
	}
	writes := mayWrite
	if mayWrite > 0 {
		writes += mayWrite + rejected // a control for each that gets no response
	}
	if r.MaxWrites != nil {
		writes = min(writes, *r.MaxWrites)
	}
	return writes + rejected
}
