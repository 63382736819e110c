package testsuite

import (
	"net/http"
	"slices"
	"time"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/oracle"
	"github.com/seed47566266/understudy/fixtures"
)

// exchange is one request of a run and the cases that look at its response.
type exchange struct {
	id      string
	request contracts.Request
	cases   []*Case
	source  *Case // whose request it is, selected or not
	media   string
	expect  oracle.Outcome // of the request itself
	control bool
	// mayWrite says that a target that conforms to the page may accept it, as it may
	// whatever is less than a MUST: the budget is charged.
	mayWrite bool
	barred   string

	// What came back, as much of it as is kept: judged on arrival, since bodies are not.
	response *response
	judged   judgements
	got      string // the response in a few words
	body     Text   // its beginning

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
func (r *run) judgeAll(e *exchange, a *response) judgements {
	all := judgements{}
	judge := func(x *Case) {
		var pair [2]judgement
		for i, confirmed := range []bool{false, true} {
			pair[i] = r.judge.recovered(x, a, confirmed)
			pair[i].reason = r.hide.short(pair[i].reason, longestReason)
		}
		all[x.Aspect] = pair
	}
	judge(e.source)
	for _, x := range e.cases {
		if x.Aspect != AspectOutcome {
			judge(x)
		}
	}
	return all
}

// keep keeps what reports need of a response, without secrets.
func (e *exchange) keep(r *run, a *response, judged judgements) {
	kept := *a
	kept.header = http.Header{}
	room := longestHeaders
	for _, name := range keptHeaders {
		if values := a.header.Values(name); len(values) > 0 && room > 0 {
			value := r.hide.short(values[0], longestHeader)
			kept.header.Set(name, value)
			room -= len(value)
		}
	}
	kept.problem, kept.body = a.why, nil
	if a.problem == "" {
		kept.problem = ""
	}
	e.response, e.judged = &kept, judged
	e.got = r.hide.short(a.summary(), longestReason)
	e.body = r.hide.excerpt(a.body, a.length, r.room(a.body))
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
	return e.response != nil && e.expect == oracle.OutcomeAccept && e.response.reading == readingAccepted
}

// mediaRejected reports that the target does not take the media type of which this is the
// control, while it takes the page's first.
func (e *exchange) mediaRejected() bool {
	return e.response != nil && e.expect == oracle.OutcomeAccept &&
		(e.response.reading == readingRejected || e.response.status == http.StatusUnsupportedMediaType)
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

// arrange makes the exchanges of the selected cases in the order of sending: the
// controls, then what must be rejected, then what may be accepted, those first
// that reach a rule not yet reached, and last what the page leaves open.
func (p *prepared) arrange(c *Config) {
	byID := map[string]*exchange{}
	unit := func(id string) *exchange {
		if e := byID[id]; e != nil {
			return e
		}
		x := p.suite.source(id)
		if x == nil {
			x = &p.cases[0] // a random one, which was asked for alone
		}
		e := p.exchangeOf(x)
		byID[id] = e
		p.units = append(p.units, e)
		return e
	}
	p.controls = map[string]*exchange{}
	for i := range p.cases {
		x := &p.cases[i]
		e := unit(x.Sends)
		e.cases = append(e.cases, x)
		if c.Selection.Only != "" {
			continue
		}
		if x.Control != "" && x.Level != fixtures.LevelMay && x.Expect == oracle.OutcomeReject || e.control {
			control := x.Control
			if e.control {
				control = e.id
			}
			p.controls[x.Media] = unit(control)
		}
	}
	first := p.suite.first
	if p.controls[first] == nil && len(p.controls) > 0 {
		p.controls[first] = unit(p.suite.controls[first]) // whether anything works at all
	}
	p.order(first)
}

// exchangeOf is the request of a case, to be sent.
func (p *prepared) exchangeOf(x *Case) *exchange {
	e := &exchange{
		id:      x.ID,
		request: x.Request,
		source:  x,
		media:   x.Media,
		expect:  x.Expect,
		control: x.Control == "",
	}
	known, _ := p.known.find(x, FailureAccepted)
	e.mayWrite = x.Expect != oracle.OutcomeReject || x.Level != fixtures.LevelMust ||
		known != nil && known.Fails == FailureAccepted
	e.barred = x.made.NotSent
	switch {
	case e.barred != "":
	case !p.loopback:
		e.barred = x.barred
	case p.limited && x.made.Twice:
		e.barred = "it is two requests, and writes are limited"
	}
	return e
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
		case e.expect == oracle.OutcomeUnspecified:
			return 4
		}
		return 3
	}
	type question struct {
		rule   contracts.RuleID
		broken bool
		media  string
	}
	reached := map[question]bool{}
	gain := map[*exchange]int{}
	slices.SortStableFunc(p.units, func(a, b *exchange) int { return phase(a) - phase(b) })
	for _, e := range p.units {
		rules, broken := []contracts.RuleID{e.source.Rule}, true
		switch {
		case e.barred != "" || e.request.Raw != nil || e.expect == oracle.OutcomeUnspecified:
			continue
		case e.expect == oracle.OutcomeAccept:
			rules, broken = e.source.obeys(), false
		}
		for _, rule := range rules {
			if key := (question{rule, broken, e.media}); !reached[key] {
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
