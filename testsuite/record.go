package testsuite

import (
	"context"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/fixtures"
)

func cut(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most]) + "…"
}

// results is the record of the run.
func (r *run) results(ctx context.Context) *Results {
	r.blameTheLast()
	kind, why := r.breaker.tripped()
	requests, writes, unexpected, unknown := r.budget.counts()
	out := &Results{
		Schema:           Schema,
		Version:          r.target.c.Version,
		Target:           r.address(),
		Endpoint:         r.suite.operation.Method + " /" + r.suite.operation.Route,
		Seed:             r.suite.payloads.Seed,
		Now:              r.suite.payloads.Now.Format(time.DateOnly),
		FailOn:           r.config.FailOn,
		Strict:           r.config.Strict,
		Started:          r.started.UTC(),
		Requests:         requests,
		Confirmations:    int(r.confirmations.Load()),
		Writes:           writes,
		UnexpectedWrites: unexpected,
		UnknownWrites:    unknown,
		Limits:           *r.limits,
		Controlled:       r.accepts.Load(),
		Only:             r.only,
		Warnings:         r.warnings,
		Arguments:        r.hide.text(r.config.Arguments),
		stop:             kind,
		Whole:            len(r.cases)-r.keptFuzzed == len(r.suite.cases),
		Fuzzed:           r.fuzzed,
		Stopped:          oneLine(r.hide.text(why)),
	}
	if r.target.c.Handler != nil {
		out.Target, out.InProcess = "a handler in this process", true
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
	if kind == "" && r.limits.Requests > 0 && requests >= r.limits.Requests &&
		slices.ContainsFunc(r.units, func(e *exchange) bool { return e.response == nil && e.barred == "" }) {
		out.stop, out.Stopped = stopUnclear, r.enough()
	}
	cases := r.cases
	if e := r.controls[r.suite.first]; e != nil && len(e.cases) == 0 && (kind == stopData || kind == stopUnclear) {
		// The control was not asked for and decides all the same.
		cases = append([]Case{*e.source}, cases...)
	}
	out.Exchanges, out.Cases = make([]Exchange, 0, len(r.units)), make([]Result, 0, len(cases))
	for _, e := range r.units {
		if e.response != nil {
			out.Exchanges = append(out.Exchanges, r.exchanged(e))
		}
	}
	for _, x := range cases {
		out.Cases = append(out.Cases, r.result(x, byID[x.Sends], confirmed[x.Media]))
	}
	out.applyKnown(r.known, r.suite.cases, r.started)
	for i := range out.Cases {
		x := &out.Cases[i]
		if x.Verdict == VerdictPass && !x.Confirmed && x.Level != fixtures.LevelMay {
			out.Unconfirmed++
		}
	}
	out.Coverage = r.coverage(out, byID)
	out.Findings = r.findings(out)
	out.Seconds = time.Since(r.started).Seconds()
	out.conclude()
	return out
}

// findings folds what failed.
func (r *run) findings(out *Results) []Finding {
	f := &folder{
		results: out, first: r.suite.first, text: r.hide.text, requires: r.requires, rejects: r.rejects,
		recent: r.breaker.lastHeard(), parallel: r.limits.Parallel,
		exchanges: map[string]*Exchange{},
	}
	for i := range out.Exchanges {
		f.exchanges[out.Exchanges[i].ID] = &out.Exchanges[i]
	}
	return f.fold()
}

func (r *run) result(x Case, e *exchange, confirmed bool) Result {
	out := Result{Case: x, Expected: r.judge.expected(&x)}
	out.Change = r.hide.text(x.Change)
	if e.response == nil {
		out.Verdict, out.Reason = VerdictSkipped, e.skipped
		if out.Reason == "" {
			out.Reason = stoppedBefore
		}
		return out
	}
	j := e.judged[x.Aspect][0]
	if confirmed {
		j = e.judged[x.Aspect][1]
	}
	if j.failure == FailureServerError && !r.breaker.everHeard() {
		j = unclear(downReason(e.response.status))
	}
	out.Verdict, out.Failure, out.Reason, out.Confirmed = j.verdict, j.failure, j.reason, j.confirmed
	if e.tried && j.verdict == VerdictFail {
		out.Verdict, out.Reason = VerdictFlaky, "it failed once and passed when it was sent again: "+out.Reason
	}
	out.Got = e.got
	if out.Verdict == VerdictFail && breaksTarget(out.Failure) {
		out.Part = PartRobustness
	}
	if j.level != "" && out.Verdict == VerdictFail {
		out.Rule, out.Line, out.Quote = contracts.RuleID{Kind: contracts.RuleRobustness}, 0, ""
		if j.level.Weight() > out.Level.Weight() {
			out.Level, out.LevelBasis = j.level, "no request may break a server, whatever the page says of it"
		}
	}
	return out
}

// exchanged is an exchange as a record keeps it.
func (r *run) exchanged(e *exchange) Exchange {
	out := Exchange{
		ID:       e.id,
		Attempts: e.attempts,
		At:       e.at.Seconds(),
		Millis:   float64(e.took.Microseconds()) / 1000,
		Sent:     r.sent(r.target.c, e),
	}
	a := e.response
	out.Received = Received{Status: a.status, Problem: a.problem, Headers: []contracts.Header{}, Body: e.body}
	for _, name := range keptHeaders {
		for _, value := range a.header.Values(name) {
			out.Received.Headers = append(out.Received.Headers, contracts.Header{Name: name, Value: value})
		}
	}
	return out
}

// sent is a request as a record keeps it: with the headers that went with it, and
// without their secrets.
func (p *prepared) sent(to *Target, e *exchange) Sent {
	q := e.request
	s := Sent{Method: q.Method, Path: p.hide.text(q.Path), Headers: []contracts.Header{}, Raw: q.Raw != nil}
	for _, h := range q.Headers {
		s.Headers = append(s.Headers, contracts.Header{Name: h.Name, Value: p.hide.text(h.Value)})
	}
	for _, h := range to.Headers {
		s.Headers = append(s.Headers, contracts.Header{Name: h.Name, Value: hidden})
	}
	if to.Token != nil || p.base.User != nil {
		s.Headers = append(s.Headers, contracts.Header{Name: "Authorization", Value: hidden})
	}
	body := q.Body
	if s.Raw {
		body = q.Raw
	}
	s.Body = p.hide.excerpt(body, len(body), kept)
	return s
}

// keptHeaders are those of a response that matter for its verdict.
var keptHeaders = []string{
	"Content-Type", "Allow", "Location", "Retry-After", "Server", "X-Powered-By", "X-AspNet-Version",
	"Via", "X-Request-Id", "X-Correlation-Id", "X-Understudy-Violations",
}
