package testsuite

import (
	"context"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/seed47566266/understudy/fixtures"
)

func cut(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most]) + "…"
}

// results judges what was answered.
func (r *run) results(ctx context.Context) *Results {
	kind, why := r.breaker.tripped()
	requests, writes, unexpected, unknown := r.budget.counts()
	out := &Results{
		Schema: 1, Version: r.Version, Target: r.address(), Endpoint: r.contract.Method + " /" + r.contract.Route,
		Seed: r.Seed, FailOn: r.FailOn, Started: r.started.UTC(), Requests: requests, Writes: writes, UnexpectedWrites: unexpected, UnknownWrites: unknown,
		Limits: r.limits(), Controlled: r.accepts.Load(), Only: r.Only, stop: kind, Stopped: oneLine(r.hide.text(why)),
	}
	if r.Handler != nil {
		out.Target = "a handler in this process"
	}
	confirmed := map[string]bool{}
	for media, e := range r.controls {
		confirmed[media] = e.accepted()
	}
	byID := map[string]*exchange{}
	for _, e := range r.units {
		byID[e.id] = e
	}
	if kind == "" && (ctx.Err() != nil || r.cutShort.Load()) {
		out.stop, out.Stopped = stopUnclear, r.ended(ctx)
	}
	if kind == "" && r.MaxRequests > 0 && requests >= r.MaxRequests && slices.ContainsFunc(r.units, func(e *exchange) bool { return e.answer == nil && e.barred == "" }) {
		out.stop, out.Stopped = stopUnclear, r.enough()
	}
	cases := r.cases
	if e := r.controls[firstJSON(r.contract)]; e != nil && len(e.cases) == 0 && (kind == stopData || kind == stopUnclear) {
		// The control was not asked for and decides all the same.
		cases = append([]Case{*r.sourceOf(e)}, cases...)
	}
	for _, e := range r.units {
		if e.answer != nil {
			out.Exchanges = append(out.Exchanges, r.exchanged(e))
		}
	}
	for _, x := range cases {
		out.Cases = append(out.Cases, r.result(x, byID[x.Sends], confirmed[x.Media]))
	}
	out.applyKnown(r.known, r.all, r.started)
	for i := range out.Cases {
		x := &out.Cases[i]
		if x.Verdict == Pass && !x.Confirmed && x.Level != May {
			out.Unconfirmed++
		}
	}
	out.Coverage = r.coverage(out, byID)
	out.Seconds = time.Since(r.started).Seconds()
	out.conclude(r.FailOn)
	return out
}

func (r *run) result(x Case, e *exchange, confirmed bool) Result {
	out := Result{Case: x, Wanted: r.wanted(&x)}
	out.Change = r.hide.text(x.Change)
	if e.answer == nil {
		out.Verdict, out.Reason = Skipped, e.skipped
		if out.Reason == "" {
			out.Reason = stoppedBefore
		}
		return out
	}
	j := e.judged[x.Aspect][0]
	if confirmed {
		j = e.judged[x.Aspect][1]
	}
	if j.failure == FailBroke && !r.breaker.everHeard() {
		j = unclear(downReason(e.answer.Status))
	}
	out.Verdict, out.Failure, out.Reason, out.Confirmed = j.verdict, j.failure, j.reason, j.confirmed
	if e.tried && j.verdict == Fail {
		out.Verdict, out.Reason = Flaky, "it failed once and passed when it was sent again: "+out.Reason
	}
	out.Got = e.got
	return out
}

// exchanged is an exchange as a record keeps it.
func (r *run) exchanged(e *exchange) Exchange {
	out := Exchange{ID: e.id, Attempts: e.attempts, At: e.at.Seconds(), Millis: float64(e.took.Microseconds()) / 1000, Sent: r.sent(r.Config, e)}
	a := e.answer
	out.Received = Received{Status: a.Status, Problem: a.Problem, Headers: []fixtures.Header{}, Body: e.body}
	for _, name := range keptHeaders {
		for _, value := range a.Header.Values(name) {
			out.Received.Headers = append(out.Received.Headers, fixtures.Header{Name: name, Value: value})
		}
	}
	return out
}

// sent is a request as a record keeps it: with the headers that went with it, and
// without their secrets.
func (p *prepared) sent(c *Config, e *exchange) Sent {
	q := e.request
	s := Sent{Method: q.Method, Path: p.hide.text(q.Path), Headers: []fixtures.Header{}, Raw: q.Raw != nil}
	for _, h := range q.Headers {
		s.Headers = append(s.Headers, fixtures.Header{Name: h.Name, Value: p.hide.text(h.Value)})
	}
	for _, h := range c.Headers {
		s.Headers = append(s.Headers, fixtures.Header{Name: h.Name, Value: hidden})
	}
	if c.Token != nil || p.base.User != nil {
		s.Headers = append(s.Headers, fixtures.Header{Name: "Authorization", Value: hidden})
	}
	body := q.Body
	if s.Raw {
		body = q.Raw
	}
	s.Body = p.hide.excerpt(body, len(body), kept)
	return s
}

// keptHeaders are those of an answer that tell of its verdict.
var keptHeaders = []string{"Content-Type", "Allow", "Location", "Retry-After", "Server", "X-Powered-By", "X-AspNet-Version", "X-Request-Id", "X-Correlation-Id", "X-Understudy-Violations"}
