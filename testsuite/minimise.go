package testsuite

import (
	"context"
	"time"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/fixtures"
)

const (
	// triesPerFinding is how many requests look for the least one that fails, and triesInAll
	// how many those of all findings are.
	triesPerFinding = 60
	triesInAll      = 600
)

// leastSuffix marks the requests that look for the least one of a case, in X-Understudy-Case and
// in the ledger.
const leastSuffix = "/least"

// minimises reports a run that looks for the least requests of its findings.
func (r *run) minimises() bool { return r.only == "" && !r.config.NoConfirm }

// minimise looks for the least request of each finding that breaks a stated rule: fields are
// dropped and values shortened as long as the target fails in the same way. Each attempt is
// paid for, and none that could use up what ends a run is made. Where writes are limited nothing
// is sent that was accepted and should not have been.
func (r *run) minimise(ctx context.Context, out *Results) {
	if !r.minimises() {
		return
	}
	left := triesInAll
	for i := range out.Findings {
		f := &out.Findings[i]
		if f.Level != fixtures.LevelMust || r.stopped() {
			continue
		}
		for _, e := range r.units {
			if e.id == f.Example && e.response != nil {
				f.Least = r.least(ctx, e, f.Failure, &left)
			}
		}
	}
	out.Seconds = time.Since(r.started).Seconds()
	out.Requests, out.Writes, out.UnexpectedWrites, out.UnknownWrites = r.budget.counts()
}

// least is the least request that fails as one did; nil if none is smaller.
func (r *run) least(ctx context.Context, e *exchange, failure Failure, left *int) *Sent {
	switch {
	case failure == FailureAccepted && r.budget.unlimited(), failure == FailureRejected, failure == FailureServerError:
	default:
		return nil // what may have died is left alone, and so is what writes where writes are limited
	}
	tries := min(triesPerFinding, *left)
	found := r.suite.generator.Shrink(*e.source.made, e.request, func(q *contracts.Request) (failed, more bool) {
		if tries == 0 || r.stopped() || ctx.Err() != nil || !r.budget.canSpare(ctx, e.mayWrite) {
			return false, false
		}
		tries--
		*left--
		return r.failsAs(ctx, e, q, failure), true
	})
	if len(found.Body) >= len(e.request.Body) {
		return nil
	}
	smaller := *e
	smaller.request = found
	sent := r.sent(&r.config.Target, &smaller)
	return &sent
}

// failsAs sends a request and reports that it fails as another one did.
func (r *run) failsAs(ctx context.Context, e *exchange, q *contracts.Request, failure Failure) bool {
	pass, _ := r.ticket(ctx, e.mayWrite)
	if pass == nil {
		return false
	}
	probe := *e
	probe.id, probe.request = e.id+leastSuffix, *q
	a, _, _, free := r.send(ctx, &probe, pass)
	defer free()
	x := *e.source
	x.Request = *q
	j := r.judge.recovered(&x, a, true)
	return j.verdict == VerdictFail && j.failure == failure
}
