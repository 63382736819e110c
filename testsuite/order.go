package testsuite

import (
	"net/http"
	"slices"
	"time"

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

	// What came back, as much of it as is kept: judged on arrival, since bodies are not.
	answer *Answer
	judged judgements
	got    string // the response in a few words
	body   Text   // its beginning

	begun       bool // it was its turn
	provisional bool // a better response than what is kept is waited for
	attempts    int
	at, took    time.Duration
	skipped     string
	renewed     bool // the token, after a 401
	tried       bool // more than once, with different verdicts
}

// judgements are the verdicts of an exchange's cases by aspect: without its
// control's acceptance, and with it.
type judgements map[Aspect][2]judgement

// judgeAll judges a response for every case of an exchange, and for the outcome of
// its request.
func (r *run) judgeAll(e *exchange, a *Answer) judgements {
	all := judgements{}
	judge := func(x *Case) {
		var pair [2]judgement
		for i, confirmed := range []bool{false, true} {
			pair[i] = r.judge(x, a, confirmed)
			pair[i].reason = r.hide.short(pair[i].reason, longestReason)
		}
		all[x.Aspect] = pair
	}
	judge(r.sourceOf(e))
	for _, x := range e.cases {
		if x.Aspect != Outcome {
			judge(x)
		}
	}
	return all
}

// keep keeps what reports need of a response, without secrets.
func (e *exchange) keep(r *run, a *Answer, judged judgements) {
	kept := *a
	kept.Header = http.Header{}
	room := longestHeaders
	for _, name := range keptHeaders {
		if values := a.Header.Values(name); len(values) > 0 && room > 0 {
			value := r.hide.short(values[0], longestHeader)
			kept.Header.Set(name, value)
			room -= len(value)
		}
	}
	kept.Problem, kept.Body = a.why, nil
	if a.Problem == "" {
		kept.Problem = ""
	}
	e.answer, e.judged = &kept, judged
	e.got = r.hide.short(a.summary(), longestReason)
	e.body = r.hide.excerpt(a.Body, a.length, r.room(a.Body))
}

const (
	// longestHeader is the most characters that are kept of a header's value.
	longestHeader = 200
	// longestHeaders is about how many bytes are kept of all of them.
	longestHeaders = 1000
	// keptInAll is how many bytes of responses a run keeps; a run of a server that is
	// long-winded keeps keptThen of each body after that.
	keptInAll = 4 << 20
	keptThen  = 200
)

// room is how many bytes may be kept of a body, by what showing them takes.
func (r *run) room(body []byte) int {
	shown := Visible(string(body[:min(len(body), kept)]))
	if r.keeps.Add(int64(len(shown))) > keptInAll {
		return keptThen
	}
	return kept
}

// accepted reports that a valid request was accepted.
func (e *exchange) accepted() bool {
	return e.answer != nil && e.expect == fixtures.Accept && e.answer.said == tookIt
}

// excerpt is the response in a few words and the beginning of its text.
func (e *exchange) excerpt() string {
	const most = 300
	text := e.got
	if body := oneLine(e.body.String()); body != "" {
		text += ": " + cut(body, most)
	}
	return text
}

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
		e.barred = x.omitted
		if !p.loopback && e.barred == "" {
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
		case e.barred != "" || e.request.Raw != nil || e.expect == fixtures.Unspecified:
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
