package testsuite

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/seed47566266/understudy/fixtures"
)

// stopKind is why a run ended early; empty if it did not.
type stopKind string

const (
	stopSafety      stopKind = "safety"
	stopUnreachable stopKind = "unreachable"
	stopData        stopKind = "data" // the control was refused
	stopUnclear     stopKind = "unclear"
)

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
