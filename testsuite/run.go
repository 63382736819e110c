package testsuite

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/oracle"
	"github.com/seed47566266/understudy/fixtures"
)

const (
	// never stands for the wait before a request that is not sent again.
	never = time.Duration(-1)
	// retries is how often one request is sent again, and longestPause the longest
	// wait that Retry-After is given.
	retries      = 2
	longestPause = 30 * time.Second
	// backoff is the wait before a request is sent again that got no response; the
	// next one is four times as long.
	backoff = 100 * time.Millisecond
)

// run is a run under way.
type run struct {
	*prepared
	config   *Config
	limits   *Limits
	only     string
	target   *target
	budget   *budget
	breaker  *breaker
	ledger   *ledger
	limiter  *rate.Limiter
	backoff  time.Duration
	started  time.Time
	accepts  atomic.Bool // a valid request was accepted
	warnings []string
	// requires are optional fields without which the target rejects what is otherwise
	// complete.
	requires []contracts.Path
	// diagnosing is set while the cause of a rejected control is looked for, with few requests.
	diagnosing bool
	// rejects is the field whose valid value in the control the target rejects.
	rejects contracts.Path
	// confirmations counts failing requests that were sent again.
	confirmations atomic.Int64
	keeps         atomic.Int64
	cutShort      atomic.Bool // a request was left out because time ran out, or at an interrupt

	mu   sync.Mutex // of what follows
	done int
	// fuzzed counts the random requests that were sent, and keptFuzzed those of them that are
	// cases now, since they fail.
	fuzzed, keptFuzzed int
}

// newRun puts the parts of a run together; a plan needs no target.
func newRun(c *Config, p *prepared, t *target) *run {
	r := &run{
		prepared: p,
		config:   c,
		limits:   &c.Limits,
		only:     c.Selection.Only,
		target:   t,
		budget:   newBudget(&c.Limits),
		breaker:  &breaker{},
		ledger:   &ledger{to: c.Ledger, idPath: c.IDPath, hide: p.hide},
		backoff:  backoff,
	}
	if c.Limits.Rate > 0 {
		r.limiter = rate.NewLimiter(rate.Limit(c.Limits.Rate), 1)
	}
	return r
}

func (r *run) do(ctx context.Context) *Results {
	r.started = time.Now()
	// What waits for a ticket must learn of the end too.
	release := context.AfterFunc(ctx, r.budget.wake)
	defer release()

	for _, e := range r.units {
		if !e.control {
			continue
		}
		r.one(ctx, e)
		r.warnOfTunnel(e)
		if r.only == "" {
			r.checkControl(ctx, e)
		}
	}
	var workers sync.WaitGroup
	queue := make(chan *exchange)
	for range r.limits.Parallel {
		workers.Go(func() {
			for e := range queue {
				r.one(ctx, e)
			}
		})
	}
	for _, e := range r.units {
		if !e.begun {
			queue <- e
		}
	}
	close(queue)
	workers.Wait()
	r.fuzz(ctx)
	r.lookAgain(ctx)
	out := r.results(ctx)
	r.minimise(ctx, out)
	return out
}

// lookAgain connects once more to a target on loopback, which may have died of the last
// request. Nothing is sent.
func (r *run) lookAgain(ctx context.Context) {
	if !r.loopback || r.target.server != nil || r.stopped() || ctx.Err() != nil || r.breaker.neverReached() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, r.target.c.Timeout)
	defer cancel()
	conn, err := r.target.wire.dial(ctx, r.target.wire.address)
	if err != nil {
		r.halt(stopDied, "it takes no connection any longer; the last requests to get a response were "+
			listed(r.breaker.lastHeard()))
		return
	}
	_ = conn.Close() // nothing was written
}

// blameTheLast gives the verdict on a target that died and left no request without a
// response: it died of one that got one.
func (r *run) blameTheLast() {
	kind, why := r.breaker.tripped()
	if kind != stopDied || slices.ContainsFunc(r.units, func(e *exchange) bool {
		return e.response != nil && e.response.after == afterSilent
	}) {
		return
	}
	last := r.breaker.lastHeard()
	last = last[max(0, len(last)-r.limits.Parallel):]
	for _, e := range r.units {
		if e.response != nil && slices.Contains(last, e.id) {
			j := broke(FailureDied, fixtures.LevelMust, "the target died after its response: %s", why)
			e.judged[AspectOutcome] = [2]judgement{j, j}
		}
	}
}

// checkControl stops the run when the first control shows that it would be in vain.
func (r *run) checkControl(ctx context.Context, e *exchange) {
	if e.media != r.suite.first || e.response == nil || e.accepted() {
		return
	}
	if known, _ := r.known.find(e.source, FailureRejected); known != nil {
		return
	}
	j := e.judged[AspectOutcome][0]
	more := ""
	if j.failure == FailureRejected && e.response.status != http.StatusUnsupportedMediaType {
		r.diagnosing = true
		more = r.diagnose(ctx)
		r.diagnosing = false
	}
	switch {
	case e.response.status == 0:
		r.halt(stopUnreachable, e.response.why)
	case j.verdict == VerdictFail && more != "":
		r.halt(stopData, fmt.Sprintf("the response to %s was %s. %s", e.id, e.excerpt(), more))
	case j.verdict == VerdictFail:
		r.halt(
			stopData,
			fmt.Sprintf(
				"the response to %s was %s. A payload that the page allows must be accepted before anything else "+
					"can be "+
					"verified; if the target needs its own data, provide it with --set Field=value or --data FILE",
				e.id,
				e.excerpt(),
			),
		)
	default:
		r.halt(stopUnclear, fmt.Sprintf("the response to a valid request (%s): %s", e.id, j.reason))
	}
}

// diagnose asks a target that rejects the required fields alone whether it accepts
// every field of the page, and which of them it requires.
func (r *run) diagnose(ctx context.Context) string {
	at := slices.IndexFunc(r.units, func(e *exchange) bool { return e.source.made.Complete })
	if at < 0 {
		return ""
	}
	r.one(ctx, r.units[at])
	if !r.units[at].accepted() {
		return r.suspect(ctx)
	}
	for _, e := range r.units {
		lacks := e.source.made.Lacks
		if lacks == "" || e.media != r.suite.first {
			continue
		}
		r.one(ctx, e)
		if e.response != nil && e.response.reading == readingRejected {
			r.requires = append(r.requires, lacks)
		}
	}
	if len(r.requires) == 0 {
		return "With every field of the page it is accepted: the target requires more than the page does"
	}
	return "The target requires " + listed(namesOf(r.requires)) +
		", which the page does not list as Required; --set gives every payload a value of it"
}

// otherDates is how many other values of a date are tried to find out whether the one of
// the control is what the target rejects: a target that rejects real data gets few requests.
const otherDates = 2

// suspect looks for the required date that a target rejects which rejects the control: dates
// have many valid spellings, and with another one it accepts.
func (r *run) suspect(ctx context.Context) string {
	tried := map[contracts.Path]int{}
	for _, e := range r.units {
		x := e.source
		f := r.suite.operation.Field(x.Path)
		if f == nil || f.Required() == nil || f.Type.Kind != contracts.KindDate || e.media != r.suite.first ||
			x.made.Value == "" ||
			x.Expect != oracle.OutcomeAccept || x.Level != fixtures.LevelMust || tried[x.Path] == otherDates {
			continue
		}
		tried[x.Path]++
		if r.one(ctx, e); e.accepted() {
			r.rejects = x.Path
			return fmt.Sprintf("With another value of %s (%s) it is accepted", x.Path, x.ID)
		}
	}
	return ""
}

// halt ends the run. The first reason counts.
func (r *run) halt(kind stopKind, why string) {
	r.breaker.trip(kind, why)
	r.budget.close()
}

// stopped reports a run that was ended early.
func (r *run) stopped() bool {
	kind, _ := r.breaker.tripped()
	return kind != ""
}

// one sends one exchange, unless something speaks against it.
func (r *run) one(ctx context.Context, e *exchange) {
	defer r.progress()
	e.begun = true
	for attempt := 0; ; attempt++ {
		again := never
		if e.skipped = r.skip(ctx, e); e.skipped == "" {
			var pass *ticket
			if pass, e.skipped = r.ticket(ctx, e.mayWrite); pass != nil {
				again = r.exchange(ctx, e, pass, attempt)
			}
		}
		if e.response != nil {
			e.skipped = "" // the attempts before count
		}
		if again < 0 {
			r.lastWords(e)
			return
		}
		timer := time.NewTimer(again)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

// lastWords judges an exchange that waited to be sent again when the target died: its
// request was under way, and may have been the one.
func (r *run) lastWords(e *exchange) {
	if kind, _ := r.breaker.tripped(); kind != stopDied || !e.provisional || e.response.status != 0 {
		return
	}
	a := *e.response
	a.after = afterSilent
	e.keep(r, &a, r.judgeAll(e, &a))
	e.provisional = false
}

func (r *run) progress() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done++
	if r.config.Progress != nil {
		r.config.Progress(r.done, len(r.units)+r.config.Fuzz)
	}
}

// ticket takes a ticket and waits for its turn, or gives the reason that there is none.
func (r *run) ticket(ctx context.Context, mayWrite bool) (pass *ticket, why string) {
	pass, denied := r.budget.take(ctx, mayWrite)
	if denied != granted {
		return nil, r.denied(ctx, denied)
	}
	if r.limiter == nil {
		return pass, ""
	}
	switch late := r.limiter.Wait(ctx) != nil; {
	case late:
		why = r.ended(ctx)
	case r.stopped(): // while it waited
		why = stoppedBefore
	default:
		return pass, ""
	}
	pass.settle(false, effectNone)
	return nil, why
}

// skip says why a request is not sent.
func (r *run) skip(ctx context.Context, e *exchange) string {
	if e.barred != "" {
		return e.barred
	}
	if control := r.controls[e.media]; control != nil && control != e && e.media != r.suite.first &&
		control.mediaRejected() {
		return "the target does not take " + e.media
	}
	if denied := r.budget.look(ctx, e.mayWrite); denied != granted {
		return r.denied(ctx, denied)
	}
	if e.mayWrite && r.otherID(e) {
		return "the field is fixed to real data; the target may know no other id"
	}
	return ""
}

// stoppedBefore is why what is left of a stopped run is skipped.
const stoppedBefore = "not sent: the run had already stopped"

func (r *run) denied(ctx context.Context, d denial) string {
	switch d {
	case denialClosed:
		return stoppedBefore
	case denialEnded:
		return r.ended(ctx)
	case denialRequests:
		return r.enough()
	case denialWrites:
		return fmt.Sprintf("it may be accepted, and %s allowed (--max-writes)",
			plural(*r.limits.Writes, "write is", "writes are"))
	}
	return ""
}

// enough is why what is left is skipped when as many requests were sent as may be.
func (r *run) enough() string {
	return fmt.Sprintf("%s were sent, and no more are allowed (--max-requests)",
		plural(r.limits.Requests, "request", "requests"))
}

// ended says why there is no more time, and notes that there is none.
func (r *run) ended(ctx context.Context) string {
	r.cutShort.Store(true)
	if r.limits.Time > 0 && ctx.Err() != context.Canceled {
		return "the time limit was reached (--max-time)"
	}
	return "the run was interrupted"
}

// exchange sends a request once, on a ticket, and judges the response. It returns
// how long to wait before the request is sent again; below zero, it is not.
func (r *run) exchange(ctx context.Context, e *exchange, pass *ticket, attempt int) (again time.Duration) {
	began := time.Now()
	a, sent, did, free := r.send(ctx, e, pass)
	defer free()
	e.at, e.took = began.Sub(r.started), time.Since(began)
	if sent {
		e.attempts++
	}
	if ctx.Err() != nil && a.problem != "" {
		e.skipped = r.ended(ctx) // our own end, not the target's fault
		return never
	}
	if wait := r.again(e, a, sent, did, attempt); wait >= 0 {
		if sent && e.response == nil {
			e.keep(r, a, r.judgeAll(e, a)) // in case it is the last one
			e.provisional = true
		}
		return wait
	}
	if a.status == 0 && e.request.Raw == nil {
		a.after = r.aftermath(ctx, e)
		if e.attempts == 0 {
			if a.after == afterSilent { // another request was the last
				e.skipped = "not sent: the target had died"
				return never
			}
			a.after = afterUnknown // no connection says nothing of the request
		}
	}
	if e.request.Raw == nil { // malformed transport gets nowhere by design
		r.breaker.count(e, a, r.accepts.Load())
		if r.stopped() {
			r.budget.close()
		}
	}
	return r.confirm(e, a)
}

// send sends a request on a ticket, settles the ticket by the response and notes
// in the ledger what may have been accepted.
func (r *run) send(ctx context.Context, e *exchange, pass *ticket) (a *response, sent bool, did effect, free func()) {
	a, sent, free = r.target.send(ctx, pass, e.id, &e.request)
	r.meaning.observe(a, r.hide)
	did = effectNone
	if sent {
		did = r.meaning.effect(a)
	}
	if did != effectNone {
		if err := r.ledger.record(e.id, e.mayWrite, a, did); err != nil {
			r.halt(stopSafety, "the ledger cannot be written: "+r.hide.text(err.Error()))
		}
	}
	never := r.breaker.neverReached() && a.status == 0
	r.breaker.hear(e.id, a)
	if last := pass.settle(sent, did); last && ctx.Err() == nil {
		switch {
		case never:
			r.halt(stopUnreachable, a.why)
		case did == effectWritten:
			r.halt(stopSafety, fmt.Sprintf("%s should have been rejected and was accepted with %d", e.id, a.status))
		case a.why != "":
			r.halt(stopSafety, fmt.Sprintf("%s should have been rejected and may have been accepted: %s", e.id, a.why))
		default:
			r.halt(
				stopSafety,
				fmt.Sprintf("%s should have been rejected and may have been accepted: the response was %d", e.id,
					a.status),
			)
		}
	}
	if a.reading == readingAccepted && e.expect == oracle.OutcomeAccept {
		r.accepts.Store(true)
	}
	return a, sent, did, free
}

// again says how long to wait before a request is sent once more; below zero, it
// is not. Each time is paid for. Where writes are limited, only what certainly
// did nothing is repeated.
func (r *run) again(e *exchange, a *response, sent bool, did effect, attempt int) time.Duration {
	harmless := !sent || did == effectNone || r.budget.unlimited()
	if attempt >= retries || r.stopped() || !harmless {
		return never
	}
	switch {
	case a.status == http.StatusUnauthorized && r.target.c.Token != nil && !e.renewed:
		e.renewed = true
		r.target.renew(a)
		return 0
	case a.status == http.StatusTooManyRequests, a.status == http.StatusServiceUnavailable:
		if wait, said := retryAfter(a.header.Get("Retry-After")); said && wait <= longestPause {
			return wait
		}
	case a.status == 0 && !a.late && e.request.Raw == nil:
		return r.backoff << (2 * attempt)
	}
	return never
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

// aftermath sends the control of a request that got no response again, if the budget
// has a write left. A target that died is not asked again: any request that was under
// way may have been its last.
func (r *run) aftermath(ctx context.Context, e *exchange) aftermath {
	if kind, _ := r.breaker.tripped(); kind == stopDied {
		return afterSilent
	}
	control := r.controls[e.media]
	if control == nil {
		control = r.controls[r.suite.first]
	}
	if control == nil || control == e || !control.accepted() {
		return afterUnknown
	}
	pass, _ := r.ticket(ctx, true)
	if pass == nil {
		return afterUnknown
	}
	a, _, _, free := r.send(ctx, control, pass)
	defer free()
	switch {
	case a.reading == readingAccepted:
		return afterAccepted
	case a.status == 0 && ctx.Err() == nil:
		r.halt(stopDied, fmt.Sprintf("no request got a response after %s; the last to get one were %s", e.id,
			listed(r.breaker.lastHeard())))
		return afterSilent
	}
	return afterUnknown
}

// confirm keeps the response, or asks for another one when a case fails: what fails
// once and passes once is flaky.
func (r *run) confirm(e *exchange, a *response) (again time.Duration) {
	judged := r.judgeAll(e, a)
	passes, fails, proven := true, false, false
	for _, x := range e.cases {
		j := judged[x.Aspect][1]
		passes = passes && j.verdict == VerdictPass
		fails = fails || j.verdict == VerdictFail
		// What was accepted was accepted, and the same once more may be a duplicate.
		proven = proven || j.failure == FailureAccepted
	}
	if e.response != nil && !e.provisional {
		e.tried = passes // the first response shows what was wrong
		return never
	}
	e.provisional = false
	e.keep(r, a, judged)
	if fails && !proven && !r.stopped() && r.budget.unlimited() && !r.config.NoConfirm && !r.diagnosing &&
		r.only == "" {
		r.confirmations.Add(1)
		return 0
	}
	return never
}

// otherID reports a request with another id than the real one that a field is fixed
// to: the page allows it and the target cannot know it.
func (r *run) otherID(e *exchange) bool {
	x := e.source
	if !r.suite.payloads.fixes() || e.expect == oracle.OutcomeReject || x.made.Value == "" {
		return false
	}
	f := r.suite.operation.Field(x.Path)
	if f == nil || f.Type.Kind != contracts.KindGUID {
		return false
	}
	known := r.suite.payloads.fixedTo(f.Name)
	value := strings.ToLower(x.made.Value)
	return len(known) > 0 &&
		!slices.ContainsFunc(known, func(id string) bool { return strings.Contains(value, strings.ToLower(id)) })
}
