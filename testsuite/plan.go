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
	// Sends is how many would be sent at most, without retries; Writes how many of
	// them the target may accept at worst.
	Sends  int `json:"sends"`
	Writes int `json:"writes"`
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
	r := &run{Config: c, prepared: p}
	lines := &Results{Target: out.Target}
	refusable := 0
	for _, e := range p.units {
		q := PlannedRequest{ID: e.id, Expect: e.expect, MayWrite: e.mayWrite, Curl: lines.Curl(&Exchange{ID: e.id, Sent: p.sent(c, e)})}
		if q.Skipped = r.refuse(context.Background(), e); q.Skipped == "" {
			out.Sends++
			r.requests++
			if e.mayWrite {
				r.writes++
			} else {
				refusable++
			}
		}
		out.Requests = append(out.Requests, q)
	}
	out.Writes = r.writes + refusable
	if c.MaxUnexpectedWrites != nil {
		out.Writes = r.writes + min(refusable, *c.MaxUnexpectedWrites)
	}
	return out
}
