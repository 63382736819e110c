package testsuite

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/fixtures"
)

// Limits at which a run gives up, so that it neither hammers a server that is down
// nor locks an account.
const (
	silentAnswers  = 5  // without any answer, in a row
	unclearAnswers = 15 // that are unclear for the same reason, in a row
	deniedAnswers  = 3  // 401 or 407, in a row
	// Retries of one request, and the longest wait that Retry-After is given.
	retries      = 2
	longestPause = 30 * time.Second
)

// permit waits until an exchange may be sent and charges what it may cost, or
// says why it may not.
func (r *run) permit(ctx context.Context, e *exchange) string {
	r.mu.Lock()
	for {
		if reason := r.refuse(ctx, e); reason != "" {
			r.mu.Unlock()
			return reason
		}
		// Each of those under way may turn out to be accepted.
		if e.mayWrite || r.MaxUnexpectedWrites == nil || r.risky < *r.MaxUnexpectedWrites-r.unexpected {
			break
		}
		r.idle.Wait()
	}
	r.requests++
	if e.mayWrite {
		r.writes++
	} else {
		r.risky++
	}
	r.mu.Unlock()
	if r.limiter == nil {
		return ""
	}
	late := r.limiter.Wait(ctx) != nil
	r.mu.Lock()
	defer r.mu.Unlock()
	if !late && r.stop == "" {
		return ""
	}
	// While it waited for its turn the run has ended.
	r.requests--
	if e.mayWrite {
		r.writes--
	} else {
		r.risky--
	}
	r.idle.Broadcast()
	if late {
		return ended(ctx)
	}
	return stoppedBefore
}

// stoppedBefore is why what is left of a stopped run is skipped.
const stoppedBefore = "the run was stopped before"

func (r *run) refuse(ctx context.Context, e *exchange) string {
	switch {
	case e.barred != "":
		return e.barred
	case ctx.Err() != nil:
		return ended(ctx)
	case r.stop != "":
		return stoppedBefore
	case r.MaxRequests > 0 && r.requests >= r.MaxRequests:
		return r.enough()
	case e.mayWrite && r.MaxWrites != nil && r.writes >= *r.MaxWrites:
		return fmt.Sprintf("it may be accepted, and %s allowed (--max-writes)", plural(*r.MaxWrites, "write is", "writes are"))
	case e.mayWrite && r.otherID(e):
		return "the member is fixed to real data; the target may know no other id"
	}
	return ""
}

// enough is why what is left is skipped when as many requests were sent as may be.
func (r *run) enough() string {
	return fmt.Sprintf("%s were sent, and no more are allowed (--max-requests)", plural(r.requests, "request", "requests"))
}

func ended(ctx context.Context) string {
	if ctx.Err() == context.DeadlineExceeded {
		return "the time was up (--max-time)"
	}
	return "the run was interrupted"
}

// settle takes note of an answer. It returns how long to wait before the request
// is sent again; below zero, it is not.
func (r *run) settle(ctx context.Context, e *exchange, a *Answer, sent bool, attempt int) time.Duration {
	const never = -1
	r.mu.Lock()
	defer r.mu.Unlock()
	if !e.mayWrite {
		r.risky--
	}
	r.idle.Broadcast()
	if ctx.Err() != nil && a.Status == 0 {
		// Our own end, not the target's fault.
		if e.mayWrite && sent {
			r.record(e, a, "unknown")
		}
		e.answer, e.skipped = nil, ended(ctx)
		return never
	}
	if e.mayWrite && !sent {
		r.writes--
	}
	said, reason := r.read(a)
	r.anyAnswer = r.anyAnswer || a.Status != 0
	r.heard = r.heard || a.Status != 0 && a.Status < 500
	switch {
	case said == tookIt && e.mayWrite:
		r.record(e, a, "allowed")
	case said == tookIt, a.Problem != "" && r.Accepted.has(a.Status) && !e.mayWrite:
		// An answer that broke off began with a status that says it all.
		r.unexpected++
		r.record(e, a, "unexpected")
		if r.MaxUnexpectedWrites != nil && r.unexpected >= *r.MaxUnexpectedWrites {
			r.halt(stopSafety, fmt.Sprintf("%s should have been refused and was accepted with %d", e.id, a.Status))
		}
	case said == unclearAnswer && sent && a.Status < 300:
		r.record(e, a, "unknown")
	}
	if wait := r.retry(e, a, sent, attempt); wait >= 0 {
		return wait
	}
	r.giveUp(e, a, said, reason)
	return r.confirm(e, a)
}

// retry says how long to wait before a request that got nowhere is sent again;
// below zero, it is not. One that may have been accepted is not sent twice.
func (r *run) retry(e *exchange, a *Answer, sent bool, attempt int) time.Duration {
	if attempt >= retries || r.stop != "" {
		return -1
	}
	if a.Status == http.StatusTooManyRequests || a.Status == http.StatusServiceUnavailable {
		if wait, said := retryAfter(a.Header.Get("Retry-After")); said && wait <= longestPause {
			if e.mayWrite && r.writes > 0 {
				r.writes-- // it was turned away, and is charged again
			}
			return wait
		}
		return -1
	}
	if a.Status == 0 && (!sent || !e.mayWrite) && !a.late && e.request.Raw == nil {
		return 100 * time.Millisecond << (2 * attempt)
	}
	return -1
}

// retryAfter reads the header, which is a number of seconds or a date (RFC 9110,
// section 10.2.3).
func retryAfter(text string) (wait time.Duration, said bool) {
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second, true
	}
	date, err := http.ParseTime(text)
	return max(time.Until(date), 0), err == nil
}

// confirm keeps the answer, or asks for another one when a case fails: what fails
// once and passes once is flaky.
func (r *run) confirm(e *exchange, a *Answer) time.Duration {
	const never = -1
	first := e.answer
	fails := r.failsOn(e, a)
	switch {
	case first == nil && fails && r.stop == "" && r.MaxWrites == nil && r.MaxUnexpectedWrites == nil:
		e.answer = a
		return 0
	case first == nil:
		e.answer = a
	case !fails:
		e.tried = true // the first answer shows what was wrong
	default:
		e.answer = a
	}
	return never
}

// failsOn reports that one of an exchange's cases fails on an answer.
func (r *run) failsOn(e *exchange, a *Answer) bool {
	return slices.ContainsFunc(e.cases, func(x *Case) bool { return r.judge(x, a, true).verdict == Fail })
}

// giveUp ends a run that gets nowhere.
func (r *run) giveUp(e *exchange, a *Answer, said reading, reason string) {
	if e.group == "transport" {
		return
	}
	if a.Status == 0 {
		r.silent++
		if !r.anyAnswer && !e.control {
			r.halt(stopUnreachable, a.Problem)
		}
		if r.silent >= silentAnswers {
			r.halt(stopUnreachable, fmt.Sprintf("%d requests in a row got no answer; the last: %s", r.silent, a.Problem))
		}
		return
	}
	r.silent = 0
	if a.Status == http.StatusUnauthorized || a.Status == http.StatusProxyAuthRequired {
		r.denied++
		if r.denied >= deniedAnswers {
			r.halt(stopUnclear, reason)
		}
	} else {
		r.denied = 0
	}
	switch {
	case said == tookIt || said == refusedIt:
		r.same, r.lastReason = 0, ""
		return
	case said == brokeDown && !r.heard:
		reason = fmt.Sprintf("%d, whatever is sent: the server seems to be down", a.Status)
	case said == otherStatus && (a.Status == http.StatusNotFound || a.Status == http.StatusGone) && !r.controlled():
		reason = fmt.Sprintf("%d, whatever is sent: there is no such path at the target; see --path", a.Status)
	case said != unclearAnswer:
		return
	}
	if reason != r.lastReason {
		r.same, r.lastReason = 0, reason
	}
	r.same++
	if r.same >= unclearAnswers {
		r.halt(stopUnclear, reason)
	}
}

// otherID reports a good request with another id than the real one that a member
// is fixed to: the page allows it and the target cannot know it.
func (r *run) otherID(e *exchange) bool {
	x := r.sourceOf(e)
	f := r.contract.Body.Field(x.Field)
	if f == nil || f.Kind != contracts.GUID || e.expect == fixtures.Reject {
		return false
	}
	known := r.fixedTo(f.Name)
	body := strings.ToLower(string(e.request.Body))
	return len(known) > 0 && strings.Contains(body, strings.ToLower(f.Name)) &&
		!slices.ContainsFunc(known, func(id string) bool { return strings.Contains(body, strings.ToLower(id)) })
}
