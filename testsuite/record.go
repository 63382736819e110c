package testsuite

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/fixtures"
)

// otherID reports a good request with another id than the real one that a member
// is fixed to: the page allows it and the target cannot know it.
func (r *run) otherID(e *exchange) bool {
	x := r.sourceOf(e)
	f := r.contract.Body.Field(x.Field)
	if f == nil || f.Kind != contracts.GUID || e.expect == fixtures.Reject {
		return false
	}
	var known []string
	for name, value := range r.Set {
		if strings.EqualFold(name, f.Name) {
			known = append(known, value)
		}
	}
	for _, row := range r.Data {
		for name, value := range row {
			if strings.EqualFold(name, f.Name) {
				known = append(known, value)
			}
		}
	}
	body := strings.ToLower(string(e.request.Body))
	return len(known) > 0 && strings.Contains(body, strings.ToLower(f.Name)) &&
		!slices.ContainsFunc(known, func(id string) bool { return strings.Contains(body, strings.ToLower(id)) })
}

// record writes a line of the ledger; the lock is held.
func (r *run) record(e *exchange, a *Answer, kind string) {
	if r.Ledger == nil {
		return
	}
	line := struct {
		Time     string `json:"time"`
		Case     string `json:"case"`
		Write    string `json:"write"`
		Status   int    `json:"status"`
		ID       string `json:"id,omitempty"`
		Location string `json:"location,omitempty"`
	}{Time: time.Now().UTC().Format(time.RFC3339Nano), Case: e.id, Write: kind, Status: a.Status}
	if a.Status != 0 {
		line.Location = r.hide.text(a.Header.Get("Location"))
		line.ID = cut(string(r.hide.beginning([]byte(valueAt(a.Body, r.IDPath)))), longestID)
	}
	text, err := json.Marshal(line)
	if err == nil {
		_, err = r.Ledger.Write(append(text, '\n'))
	}
	if file, ok := r.Ledger.(interface{ Sync() error }); ok && err == nil {
		err = file.Sync()
	}
	if err != nil {
		r.halt(stopSafety, "the ledger cannot be written: "+r.hide.text(err.Error()))
	}
}

// longestID is more characters than an id has.
const longestID = 200

func cut(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most]) + "…"
}

// valueAt is what a JSON pointer (RFC 6901) leads to in an answer, as text; empty
// if it leads nowhere.
func valueAt(body []byte, pointer string) string {
	var v any
	if pointer == "" || json.Unmarshal(body, &v) != nil {
		return ""
	}
	for _, step := range strings.Split(strings.TrimPrefix(pointer, "/"), "/") {
		step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
		switch at := v.(type) {
		case map[string]any:
			v = at[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(at) {
				return ""
			}
			v = at[i]
		default:
			return ""
		}
	}
	if text, ok := v.(string); ok {
		return text
	}
	if v == nil {
		return ""
	}
	text, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(text)
}

// RefusedWhen makes a Config's IsRefusal for servers that answer 200 and say in
// the body whether it went well: an answer is a refusal if the JSON pointer leads
// to the value, as in "/success=false".
func RefusedWhen(condition string) (func(*Answer) bool, error) {
	pointer, value, found := strings.Cut(condition, "=")
	if !found || !strings.HasPrefix(pointer, "/") {
		return nil, fmt.Errorf("%q is no condition: use a JSON pointer and a value, such as /success=false", condition)
	}
	return func(a *Answer) bool { return a.Status < 300 && valueAt(a.Body, pointer) == value }, nil
}

// results judges what was answered.
func (r *run) results(ctx context.Context) *Results {
	base := *r.base
	base.User = nil
	out := &Results{
		Schema: 1, Version: r.Version, Target: base.String(), Endpoint: r.contract.Method + " /" + r.contract.Route,
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
		out.stop, out.Stopped = stopUnclear, fmt.Sprintf("%s were sent, and no more are allowed (--max-requests)", plural(r.requests, "request", "requests"))
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
			out.Reason = "the run was stopped before"
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

// Planned is what a run would send.
type Planned struct {
	Target string `json:"target"`
	// Requests are in the order of sending; those that would not be sent say why.
	Requests []PlannedRequest `json:"requests"`
	// Sends is how many would be sent at most, without retries; Writes how many of
	// them the target may accept at worst. Limited says that a limit is set.
	Sends   int  `json:"sends"`
	Writes  int  `json:"writes"`
	Limited bool `json:"limited"`
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
	base := *p.base
	base.User = nil
	out := &Planned{Target: base.String(), Limited: c.MaxWrites != nil}
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
