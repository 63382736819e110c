package testsuite

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/seed47566266/understudy/fixtures"
)

// exchange is one request of a run and the cases that look at its answer.
type exchange struct {
	id      string
	request fixtures.Request
	cases   []*Case
	media   string
	expect  fixtures.Outcome // of the request itself
	control bool
	group   string
	rule    string
	// mayWrite says that a target that keeps to the page may accept it, as it may
	// whatever is less than a MUST: the budget is charged.
	mayWrite bool
	barred   string

	answer   *Answer
	attempts int
	at, took time.Duration
	skipped  string
	tried    bool // more than once, with different verdicts
}

// stopKind is why a run ended early; empty if it did not.
type stopKind string

const (
	stopSafety      stopKind = "safety"
	stopUnreachable stopKind = "unreachable"
	stopData        stopKind = "data" // the control was refused
	stopUnclear     stopKind = "unclear"
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

// arrange makes the exchanges of the chosen cases in the order of sending: the
// controls, then what has to be refused, then what may be accepted, those first
// that reach a rule not yet reached, and last what the page leaves open.
func (p *prepared) arrange(c *Config) {
	byID := map[string]*exchange{}
	bySource := map[string]*Case{}
	for i := range p.all {
		if x := &p.all[i]; x.Aspect == Outcome {
			bySource[x.ID] = x
		}
	}
	unit := func(id string) *exchange {
		if e := byID[id]; e != nil {
			return e
		}
		x := bySource[id]
		e := &exchange{id: id, request: x.Request, media: x.Media, expect: x.Expect, control: x.Control == "", group: x.Group, rule: x.Rule}
		known := p.known.find(x)
		e.mayWrite = x.Expect != fixtures.Reject || x.Level != Must || known != nil && known.Fails == FailAccepted
		if !p.loopback {
			e.barred = x.barred
		}
		byID[id] = e
		p.units = append(p.units, e)
		return e
	}
	p.controls = map[string]*exchange{}
	for i := range p.cases {
		x := &p.cases[i]
		e := unit(x.Sends)
		e.cases = append(e.cases, x)
		if c.Only != "" {
			continue
		}
		if x.Control != "" && x.Level != May && x.Expect == fixtures.Reject || e.control {
			control := x.Control
			if e.control {
				control = e.id
			}
			p.controls[x.Media] = unit(control)
		}
	}
	first := firstJSON(p.contract)
	if p.controls[first] == nil && len(p.controls) > 0 {
		p.controls[first] = unit(controlID(first)) // whether anything works at all
	}
	p.order(first)
}

// order sorts the exchanges into the order of sending.
func (p *prepared) order(first string) {
	phase := func(e *exchange) int {
		switch {
		case e.control && e.media == first:
			return 0
		case e.control:
			return 1
		case !e.mayWrite:
			return 2
		case e.expect == fixtures.Unspecified:
			return 4
		}
		return 3
	}
	reached := map[string]bool{}
	gain := map[*exchange]int{}
	slices.SortStableFunc(p.units, func(a, b *exchange) int { return phase(a) - phase(b) })
	for _, e := range p.units {
		rules := []string{"broken " + e.rule}
		switch {
		case e.request.Raw != nil || e.expect == fixtures.Unspecified:
			continue
		case e.expect == fixtures.Accept:
			rules = obeys(p.contract, &e.request, e.media)
		}
		for _, rule := range rules {
			if key := rule + " " + e.media; !reached[key] {
				reached[key] = true
				gain[e]++
			}
		}
	}
	slices.SortStableFunc(p.units, func(a, b *exchange) int {
		if d := phase(a) - phase(b); d != 0 || phase(a) != 3 {
			return d
		}
		return min(gain[b], 1) - min(gain[a], 1)
	})
}

// run is a run under way.
type run struct {
	*Config
	*prepared
	target  *target
	limiter *rate.Limiter
	started time.Time

	mu         sync.Mutex
	idle       *sync.Cond // an exchange has ended
	requests   int
	writes     int
	unexpected int
	risky      int // under way that have to be refused
	done       int
	stop       stopKind
	stopped    string
	silent     int
	denied     int
	same       int
	lastReason string
	heard      bool // something answered with another status than a server error
	anyAnswer  bool
}

func (r *run) do(ctx context.Context) *Results {
	r.started = time.Now()
	r.idle = sync.NewCond(&r.mu)
	if r.Rate > 0 {
		r.limiter = rate.NewLimiter(rate.Limit(r.Rate), 1)
	}
	if r.MaxTime > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, r.MaxTime)
		defer cancel()
	}
	// A run that waits for a place has to hear of the end too.
	release := context.AfterFunc(ctx, func() { r.mu.Lock(); r.idle.Broadcast(); r.mu.Unlock() })
	defer release()

	for _, e := range r.units {
		if !e.control {
			continue
		}
		r.one(ctx, e)
		if r.Only == "" {
			r.weighControl(ctx, e)
		}
	}
	var workers sync.WaitGroup
	queue := make(chan *exchange)
	for range r.Parallel {
		workers.Go(func() {
			for e := range queue {
				r.one(ctx, e)
			}
		})
	}
	for _, e := range r.units {
		if e.attempts == 0 {
			queue <- e
		}
	}
	close(queue)
	workers.Wait()
	return r.results(ctx)
}

// weighControl stops the run when the first control says that it would be in
// vain.
func (r *run) weighControl(ctx context.Context, e *exchange) {
	if e.media != firstJSON(r.contract) || e.answer == nil || r.accepted(e) {
		return
	}
	x := r.sourceOf(e)
	if r.known.find(x) != nil {
		return
	}
	j := r.judge(x, e.answer, false)
	more := ""
	if j.failure == FailRefused {
		more = r.diagnose(ctx)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.stop != "":
	case e.answer.Status == 0:
		r.halt(stopUnreachable, e.answer.Problem)
	case j.verdict == Fail && more != "":
		r.halt(stopData, fmt.Sprintf("%s answered %s. %s", e.id, r.excerpt(e.answer), more))
	case j.verdict == Fail:
		r.halt(stopData, fmt.Sprintf("%s answered %s. A payload that the page allows has to be accepted before anything else can be told; "+
			"if the target wants data of its own, give them with --set Field=value or --data FILE", e.id, r.excerpt(e.answer)))
	default:
		r.halt(stopUnclear, fmt.Sprintf("a good request (%s) was answered so: %s", e.id, j.reason))
	}
}

// diagnose asks a target that refuses the Required members alone whether it takes
// every member of the page, and which of them it does not do without.
func (r *run) diagnose(ctx context.Context) string {
	at := slices.IndexFunc(r.units, func(e *exchange) bool { return e.id == "optional/all" })
	if at < 0 {
		return ""
	}
	r.one(ctx, r.units[at])
	if !r.accepted(r.units[at]) {
		return ""
	}
	var wants []string
	for _, e := range r.units {
		if e.group != "optional" || e.media != firstJSON(r.contract) || !strings.HasSuffix(e.id, "/missing") {
			continue
		}
		r.one(ctx, e)
		if e.answer == nil {
			continue
		}
		if said, _ := r.read(e.answer); said == refusedIt {
			wants = append(wants, strings.TrimSuffix(e.id, "/missing"))
		}
	}
	if len(wants) == 0 {
		return "With every member of the page it is accepted: the target asks for more than the page does"
	}
	return "The target asks for " + strings.Join(wants, ", ") + ", which the page does not list as Required; --set gives every payload a value of it"
}

// excerpt is an answer in a few words and the beginning of its text.
func (r *run) excerpt(a *Answer) string {
	const most = 300
	text := r.hide.text(a.summary())
	if body := printable(r.hide.beginning(a.Body)); body != "" {
		text += ": " + cut(body, most)
	}
	return text
}

// sourceOf is the case that an exchange's request is of, chosen or not.
func (r *run) sourceOf(e *exchange) *Case {
	for _, x := range e.cases {
		if x.Aspect == Outcome {
			return x
		}
	}
	for i := range r.all {
		if r.all[i].ID == e.id {
			return &r.all[i]
		}
	}
	return nil
}

// halt ends the run; the lock is held. The first reason counts.
func (r *run) halt(kind stopKind, why string) {
	if r.stop == "" {
		r.stop, r.stopped = kind, why
	}
	r.idle.Broadcast()
}

// one sends one exchange, unless something speaks against it.
func (r *run) one(ctx context.Context, e *exchange) {
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.done++
		if r.Progress != nil {
			r.Progress(r.done, len(r.units))
		}
	}()
	for attempt := 0; ; attempt++ {
		if e.skipped = r.permit(ctx, e); e.skipped != "" {
			if e.answer != nil {
				e.skipped = "" // the attempts before count
			}
			return
		}
		began := time.Now()
		answer, sent := r.target.send(ctx, e.id, &e.request)
		e.at, e.took = began.Sub(r.started), time.Since(began)
		e.attempts++
		again := r.settle(ctx, e, answer, sent, attempt)
		if again < 0 {
			return
		}
		timer := time.NewTimer(again)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

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
	if r.limiter != nil && r.limiter.Wait(ctx) != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		defer r.idle.Broadcast()
		r.requests--
		if e.mayWrite {
			r.writes--
		} else {
			r.risky--
		}
		return ended(ctx)
	}
	return ""
}

func (r *run) refuse(ctx context.Context, e *exchange) string {
	switch {
	case e.barred != "":
		return e.barred
	case ctx.Err() != nil:
		return ended(ctx)
	case r.stop != "":
		return "the run was stopped before"
	case r.MaxRequests > 0 && r.requests >= r.MaxRequests:
		return fmt.Sprintf("%s were sent, and no more are allowed (--max-requests)", plural(r.requests, "request", "requests"))
	case e.mayWrite && r.MaxWrites != nil && r.writes >= *r.MaxWrites:
		return fmt.Sprintf("it may be accepted, and %s allowed (--max-writes)", plural(*r.MaxWrites, "write is", "writes are"))
	case e.mayWrite && r.otherID(e):
		return "the member is fixed to real data; the target may know no other id"
	}
	return ""
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
	if a.Status == 0 && (!sent || !e.mayWrite) && !a.timedOut() && e.request.Raw == nil {
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

// accepted reports that a good request of ours was accepted.
func (r *run) accepted(e *exchange) bool {
	if e == nil || e.answer == nil || e.expect != fixtures.Accept {
		return false
	}
	said, _ := r.read(e.answer)
	return said == tookIt
}

// controlled reports that some good request was accepted.
func (r *run) controlled() bool {
	return slices.ContainsFunc(r.units, r.accepted)
}

func (a *Answer) timedOut() bool {
	return a.Status == 0 && len(a.Problem) > 9 && a.Problem[:9] == "no answer"
}
