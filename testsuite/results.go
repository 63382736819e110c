package testsuite

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/fixtures"
)

// Schema is the version of a record's form.
const Schema = 2

// Results are the record of a run: every report can be made from them. They hold
// no secret.
type Results struct {
	// Schema is the version of this record's form.
	Schema int `json:"schema"`
	// Version is that of the suite.
	Version string `json:"version"`
	// Target is the address, without credentials, or a phrase for a handler in the
	// process.
	Target string `json:"target"`
	// InProcess marks a target that is a handler and has no address.
	InProcess bool `json:"inProcess,omitempty"`
	// Endpoint is the method and path of the page.
	Endpoint string `json:"endpoint"`
	// Seed is the random seed.
	Seed uint64 `json:"seed"`
	// Now is the reference date, as YYYY-MM-DD.
	Now string `json:"now"`
	// FailOn are the parts whose failures at SHOULD fail the run; those at MUST always do.
	FailOn []Part `json:"failOn,omitempty"`
	// Strict marks a run that what is unclear at SHOULD makes inconclusive too.
	Strict bool `json:"strict,omitempty"`
	// Started is when the run began.
	Started time.Time `json:"started"`
	// Seconds is how long it took.
	Seconds float64 `json:"seconds"`
	// Exit is the exit code.
	Exit int `json:"exit"`
	// Conclusion is the reason for the exit code in a sentence.
	Conclusion string `json:"conclusion"`
	// Stopped is why the run ended early; empty if it did not.
	Stopped string `json:"stopped,omitempty"`
	// EndedEarly marks a run that ended early and whose verdict has another reason.
	EndedEarly bool `json:"endedEarly,omitempty"`
	// Controlled marks that a valid request was accepted, so that rejections prove
	// something.
	Controlled bool `json:"controlled"`
	// Only is the one case that was asked for, if one was.
	Only string `json:"only,omitempty"`
	// Arguments are the Config's.
	Arguments string `json:"arguments,omitempty"`
	// Warnings are what the user should know of the run besides.
	Warnings []string `json:"warnings,omitempty"`
	// Unconfirmed counts the rejections whose own control was not accepted.
	Unconfirmed int `json:"unconfirmed"`
	// Requests counts what was sent.
	Requests int `json:"requests"`
	// Confirmations counts those of them that repeat a failing one.
	Confirmations int `json:"confirmations"`
	// Fuzzed counts the random requests among them.
	Fuzzed int `json:"fuzzed,omitempty"`
	// Writes counts what may have been accepted and was allowed.
	Writes int `json:"writes"`
	// UnexpectedWrites counts what must be rejected and was accepted.
	UnexpectedWrites int `json:"unexpectedWrites"`
	// UnknownWrites counts what must be rejected and may have been accepted.
	UnknownWrites int `json:"unknownWrites"`
	// Limits are those of the run.
	Limits Limits `json:"limits"`
	// Stale are the entries of the known-failures file that are no longer true.
	Stale []Stale `json:"stale,omitempty"`
	// Whole marks a run of every case of the suite, for which all were selected.
	Whole bool `json:"whole,omitempty"`
	// StillKnown are the entries of the known-failures file of which something fails.
	StillKnown []known `json:"stillKnown,omitempty"`
	// Findings are the failures by cause, the gravest first.
	Findings []Finding `json:"findings,omitempty"`
	// Coverage is which rules were tried, and how.
	Coverage []Cell `json:"coverage,omitempty"`
	// Cases are those selected, in the order of the catalogue.
	Cases []Result `json:"cases,omitempty"`
	// Exchanges are in the order in which they were sent.
	Exchanges []Exchange `json:"exchanges,omitempty"`

	stop stopKind
	// knownUnsent counts what the known-failures file lists and was not sent.
	knownUnsent int
}

// Result is a case and what became of it.
type Result struct {
	Case
	// Verdict is what became of the case.
	Verdict Verdict `json:"verdict"`
	// Failure is the way in which it failed; empty unless it did.
	Failure Failure `json:"failure,omitempty"`
	// Reason is the reason for every verdict but a plain pass.
	Reason string `json:"reason,omitempty"`
	// Confirmed marks that the control was accepted in the same run.
	Confirmed bool `json:"confirmed,omitempty"`
	// Expected is what the case expects of the response.
	Expected string `json:"expected"`
	// Got is the response in a few words; empty if nothing was sent.
	Got string `json:"got,omitempty"`
	// Known is the reason that the known-failures file gives.
	Known string `json:"known,omitempty"`
}

// Explain is what a case expected and why, and what it got, in a few lines.
func (x *Result) Explain() string {
	lines := []string{
		x.Why,
		"basis:    " + x.LevelBasis,
		"change:   " + x.Change,
		"expected: " + x.Expected,
		"got:      " + x.Got,
	}
	if x.Line > 0 {
		lines = append([]string{fmt.Sprintf("page line %d: %s", x.Line, x.Quote)}, lines...)
	}
	return strings.Join(lines, "\n")
}

// Exchange is a request that was sent and what came back, without secrets. The
// cases whose Sends is its ID looked at it.
type Exchange struct {
	// ID is that of the request's case.
	ID string `json:"id"`
	// Attempts is how often the request was sent.
	Attempts int `json:"attempts"`
	// At is when it was sent last, in seconds since the start.
	At float64 `json:"at"`
	// Millis is how long the last attempt took, in milliseconds.
	Millis float64 `json:"millis"`
	// Sent is the request.
	Sent Sent `json:"sent"`
	// Received is the response.
	Received Received `json:"received"`
}

// Sent is a request as a record keeps it.
type Sent struct {
	// Method is the HTTP method.
	Method string `json:"method"`
	// Path is the path and query.
	Path string `json:"path"`
	// Headers are those of the case and of the run.
	Headers []contracts.Header `json:"headers"`
	// Body is the beginning of the body.
	Body Text `json:"body"`
	// Raw marks that Body is the whole request as it went over the connection.
	Raw bool `json:"raw,omitempty"`
}

// Received is a response as a record keeps it.
type Received struct {
	// Status is the HTTP status, 0 if there was no response.
	Status int `json:"status"`
	// Headers are those that matter for a verdict.
	Headers []contracts.Header `json:"headers"`
	// Body is the beginning of the body.
	Body Text `json:"body"`
	// Problem is why there is no whole response; empty if there is.
	Problem string `json:"problem,omitempty"`
}

// Text is the beginning of a body.
type Text struct {
	// Text is the body if it is UTF-8, else empty.
	Text string `json:"text,omitempty"`
	// Base64 is the body if it is not UTF-8, else empty.
	Base64 string `json:"base64,omitempty"`
	// Bytes is the length of the whole.
	Bytes int `json:"bytes"`
	// Cut marks that the whole is longer than what is kept.
	Cut bool `json:"cut,omitempty"`
}

// kept is how many bytes of a body a record keeps.
const kept = 4000

// textOf keeps the beginning of a body of whole bytes, of which body is what can be
// shown of the first ones.
func textOf(body []byte, whole int) Text {
	t := Text{Bytes: whole, Cut: whole > kept}
	body = body[:min(len(body), 2*kept)]
	if t.Cut {
		body = trimmed(body)
	}
	if utf8.Valid(body) {
		t.Text = string(body)
	} else {
		t.Base64 = base64.StdEncoding.EncodeToString(body)
	}
	return t
}

// trimmed is a text without a character at its end that was cut in two.
func trimmed(text []byte) []byte {
	for last := 1; last < utf8.UTFMax && last < len(text); last++ {
		if start := len(text) - last; utf8.RuneStart(text[start]) {
			if !utf8.FullRune(text[start:]) {
				return text[:start]
			}
			break
		}
	}
	return text
}

// String is the text for people: visible, a cut as an ellipsis.
func (t Text) String() string {
	text := Visible(string(t.raw()))
	if t.Cut {
		text += "…"
	}
	return text
}

func (t Text) raw() []byte {
	if t.Base64 == "" {
		return []byte(t.Text)
	}
	b, err := base64.StdEncoding.DecodeString(t.Base64)
	if err != nil {
		return nil // a record that was written by hand
	}
	return b
}

// Exchange is what a case looked at; nil if nothing was sent.
func (r *Results) Exchange(x *Result) *Exchange {
	for i := range r.Exchanges {
		if r.Exchanges[i].ID == x.Sends {
			return &r.Exchanges[i]
		}
	}
	return nil
}

// longestLine is how long in bytes a line of shell may be that a report shows: five rows of
// a terminal.
const longestLine = 400

// Curl is the line of shell that sends a request again. Secrets are left for the
// user to put in; a request that is too long for a line is left to --replay.
func (r *Results) Curl(e *Exchange) string {
	target := r.Target
	if r.InProcess {
		target = fixtures.TargetVariable
	}
	q := contracts.Request{Method: e.Sent.Method, Path: e.Sent.Path, Headers: e.Sent.Headers}
	if q.Body = e.Sent.Body.raw(); e.Sent.Raw {
		q.Raw = q.Body
	}
	if !e.Sent.Body.Cut {
		if line := fixtures.Curl(&q, target, "-i"); len(line) <= longestLine {
			return line
		}
	}
	return r.replay(e.ID, target)
}

// replay is the line of shell that sends the request of a case again, from the same seed
// and date.
func (r *Results) replay(id, target string) string {
	if target == fixtures.TargetVariable {
		target = `"` + target + `"`
	} else {
		target = fixtures.ShellQuote(target)
	}
	line := "understudy verify " + target + " --replay " + fixtures.ShellQuote(id)
	if r.Seed != 0 {
		line += fmt.Sprintf(" --seed %d", r.Seed)
	}
	if r.Arguments != "" {
		line += " " + r.Arguments
	}
	if r.Now != "" {
		line += " --now " + fixtures.ShellQuote(r.Now)
	}
	return line
}

// Count is the number of cases of a level with one of some verdicts.
func (r *Results) Count(l fixtures.Level, verdicts ...Verdict) int {
	n := 0
	for i := range r.Cases {
		if r.Cases[i].Level == l && slices.Contains(verdicts, r.Cases[i].Verdict) {
			n++
		}
	}
	return n
}

// Failed are the cases that fail at a level or a higher one.
func (r *Results) Failed(least fixtures.Level) []*Result {
	var all []*Result
	for i := range r.Cases {
		if x := &r.Cases[i]; x.Verdict == VerdictFail && x.Level.Weight() >= least.Weight() {
			all = append(all, x)
		}
	}
	return all
}
