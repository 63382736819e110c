package testsuite

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
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
	out := &Results{
		Schema: 1, Version: r.Version, Target: r.address(), Endpoint: r.contract.Method + " /" + r.contract.Route,
		Seed: r.Seed, FailOn: r.FailOn, Started: r.started.UTC(), Requests: r.requests, Writes: r.writes, UnexpectedWrites: r.unexpected,
		Controlled: r.controlled(), Only: r.Only, stop: r.stop, Stopped: r.hide.text(r.stopped),
	}
	if r.Handler != nil {
		out.Target = "a handler in this process"
	}
	confirmed := map[string]bool{}
	for media, e := range r.controls {
		confirmed[media] = r.accepted(e)
	}
	byID := map[string]*exchange{}
	for _, e := range r.units {
		byID[e.id] = e
	}
	if r.stop == "" && ctx.Err() != nil {
		out.stop, out.Stopped = stopUnclear, ended(ctx)
	}
	if r.stop == "" && r.MaxRequests > 0 && r.requests >= r.MaxRequests && slices.ContainsFunc(r.units, func(e *exchange) bool { return e.answer == nil && e.barred == "" }) {
		out.stop, out.Stopped = stopUnclear, r.enough()
	}
	cases := r.cases
	if e := r.controls[firstJSON(r.contract)]; e != nil && len(e.cases) == 0 && (r.stop == stopData || r.stop == stopUnclear) {
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
	j := r.judge(&x, e.answer, confirmed)
	if j.failure == FailBroke && !r.heard {
		j = unclear(fmt.Sprintf("%d, whatever is sent: the server seems to be down", e.answer.Status))
	}
	out.Verdict, out.Failure, out.Reason, out.Confirmed = j.verdict, j.failure, r.hide.text(j.reason), j.confirmed
	if e.tried && j.verdict == Fail {
		out.Verdict, out.Reason = Flaky, "it failed once and passed when it was sent again: "+out.Reason
	}
	out.Got = r.hide.text(e.answer.summary())
	return out
}

// exchanged is an exchange as a record keeps it.
func (r *run) exchanged(e *exchange) Exchange {
	out := Exchange{ID: e.id, Attempts: e.attempts, At: e.at.Seconds(), Millis: float64(e.took.Microseconds()) / 1000, Sent: r.sent(r.Config, e)}
	a := e.answer
	out.Received = Received{Status: a.Status, Problem: r.hide.text(a.Problem), Headers: []fixtures.Header{},
		Body: textOf(r.hide.beginning(a.Body), len(a.Body))}
	for _, name := range keptHeaders {
		for _, value := range a.Header.Values(name) {
			out.Received.Headers = append(out.Received.Headers, fixtures.Header{Name: name, Value: r.hide.text(value)})
		}
	}
	return out
}

// sent is a request as a record keeps it: with the headers that went with it, and
// without their secrets.
func (p *prepared) sent(c *Config, e *exchange) Sent {
	q := p.hide.request(e.request)
	for _, h := range c.Headers {
		q.Headers = append(q.Headers, fixtures.Header{Name: h.Name, Value: hidden})
	}
	if c.Token != nil || p.base.User != nil {
		q.Headers = append(q.Headers, fixtures.Header{Name: "Authorization", Value: hidden})
	}
	s := Sent{Method: q.Method, Path: q.Path, Headers: q.Headers, Body: textOf(q.Body, len(e.request.Body)), Raw: q.Raw != nil}
	if s.Raw {
		s.Body = textOf(q.Raw, len(e.request.Raw))
	}
	return s
}

// keptHeaders are those of an answer that tell of its verdict.
var keptHeaders = []string{"Content-Type", "Allow", "Location", "Retry-After", "Server", "X-Powered-By", "X-AspNet-Version", "X-Request-Id", "X-Correlation-Id", "X-Understudy-Violations"}

// printable is text on one line.
func printable(body []byte) string {
	text := strings.Map(func(u rune) rune {
		switch {
		case unicode.IsSpace(u):
			return ' '
		case !unicode.IsPrint(u):
			return '\uFFFD'
		}
		return u
	}, strings.ToValidUTF8(string(body), "\uFFFD"))
	return strings.Join(strings.Fields(text), " ")
}
