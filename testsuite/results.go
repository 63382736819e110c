package testsuite

import (
	"encoding/base64"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/seed47566266/understudy/fixtures"
)

// Results are the record of a run: every report can be made from them. They hold
// no secret.
type Results struct {
	// Schema is the version of this record's form.
	Schema  int    `json:"schema"`
	Version string `json:"version"`
	Target  string `json:"target"`
	// Endpoint is the method and path of the page.
	Endpoint string    `json:"endpoint"`
	Seed     uint64    `json:"seed"`
	FailOn   FailOn    `json:"failOn"`
	Started  time.Time `json:"started"`
	Seconds  float64   `json:"seconds"`
	// Exit is the exit code; Verdict says it in a sentence.
	Exit    int    `json:"exit"`
	Verdict string `json:"verdict"`
	// Stopped says why the run ended early, if it did.
	Stopped string `json:"stopped,omitempty"`
	// Controlled says that a good request was accepted, so that refusals tell
	// something. Unconfirmed counts the refusals whose own control was not.
	Controlled bool `json:"controlled"`
	// Only is the one case that was asked for, if one was.
	Only        string `json:"only,omitempty"`
	Unconfirmed int    `json:"unconfirmed"`
	// Requests counts what was sent, Writes what may have been accepted and was
	// allowed, UnexpectedWrites what was accepted and must be rejected, UnknownWrites
	// what must be rejected and may have been accepted.
	Requests         int      `json:"requests"`
	Writes           int      `json:"writes"`
	UnexpectedWrites int      `json:"unexpectedWrites"`
	UnknownWrites    int      `json:"unknownWrites"`
	Limits           Limits   `json:"limits"`
	Stale            []Stale  `json:"stale,omitempty"`
	Coverage         []Cell   `json:"coverage"`
	Cases            []Result `json:"cases"`
	// Exchanges are in the order in which they were sent.
	Exchanges []Exchange `json:"exchanges"`

	stop stopKind
}

// Limits are how many writes a run allows, and who said so.
type Limits struct {
	// Writes is Config.MaxWrites; nil is no limit.
	Writes     *int   `json:"writes"`
	WritesFrom string `json:"writesFrom"`
	// UnexpectedWrites is Config.MaxUnexpectedWrites; nil is no limit.
	UnexpectedWrites     *int   `json:"unexpectedWrites"`
	UnexpectedWritesFrom string `json:"unexpectedWritesFrom"`
}

// String says the limits in a line.
func (l Limits) String() string {
	by := func(text, from string) string {
		if from != "" {
			text += " (" + from + ")"
		}
		return text
	}
	writes, stop := "writes allowed: no limit", "does not stop at unexpected writes"
	if l.Writes != nil {
		writes = fmt.Sprintf("writes allowed: %d", *l.Writes)
	}
	if l.UnexpectedWrites != nil {
		stop = "stops at " + plural(*l.UnexpectedWrites, "unexpected write", "unexpected writes")
	}
	return by(writes, l.WritesFrom) + "; " + by(stop, l.UnexpectedWritesFrom)
}

// Result is a case and what became of it.
type Result struct {
	Case
	Verdict Verdict `json:"verdict"`
	Failure Failure `json:"failure,omitempty"`
	// Reason says why, for every verdict but a plain pass.
	Reason string `json:"reason,omitempty"`
	// Confirmed says that the control was accepted in the same run.
	Confirmed bool   `json:"confirmed,omitempty"`
	Wanted    string `json:"wanted"`
	// Got says the answer in a few words; empty if nothing was sent.
	Got string `json:"got,omitempty"`
	// Known is the reason that the known-failures file gives.
	Known string `json:"known,omitempty"`
}

// Header is one header line of a request or an answer.
type Header = fixtures.Header

// Exchange is a request that was sent and what came back, without secrets. The
// cases whose Sends is its ID looked at it.
type Exchange struct {
	ID       string   `json:"id"`
	Attempts int      `json:"attempts"`
	At       float64  `json:"at"`     // seconds since the start
	Millis   float64  `json:"millis"` // of the last attempt
	Sent     Sent     `json:"sent"`
	Received Received `json:"received"`
}

// Sent is a request as a record keeps it.
type Sent struct {
	Method  string   `json:"method"`
	Path    string   `json:"path"`
	Headers []Header `json:"headers"`
	Body    Text     `json:"body"`
	// Raw says that Body is the whole request as it went over the connection.
	Raw bool `json:"raw,omitempty"`
}

// Received is an answer as a record keeps it.
type Received struct {
	Status  int      `json:"status"`
	Headers []Header `json:"headers"`
	Body    Text     `json:"body"`
	Problem string   `json:"problem,omitempty"`
}

// Text is the beginning of a body.
type Text struct {
	// Text is the body, and Base64 if it is no UTF-8, the other is empty.
	Text   string `json:"text,omitempty"`
	Base64 string `json:"base64,omitempty"`
	// Bytes is the length of the whole; Cut says that it is longer than what is
	// kept.
	Bytes int  `json:"bytes"`
	Cut   bool `json:"cut,omitempty"`
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

// Curl is the line of shell that sends a request again. Secrets are left for the
// user to put in, and a body too long for a line to --replay.
func (r *Results) Curl(e *Exchange) string {
	target := r.Target
	if !strings.Contains(target, "://") {
		target = fixtures.TargetVariable
	}
	q := fixtures.Request{Method: e.Sent.Method, Path: e.Sent.Path, Headers: e.Sent.Headers}
	if e.Sent.Body.Cut {
		return "understudy verify " + fixtures.ShellQuote(target) + " --replay " + fixtures.ShellQuote(e.ID)
	}
	if q.Body = e.Sent.Body.raw(); e.Sent.Raw {
		q.Raw = q.Body
	}
	return q.Curl(target, "-i", "-m", "30")
}

// count is the number of cases of a level with a verdict.
func (r *Results) count(l Level, v Verdict) int {
	n := 0
	for i := range r.Cases {
		if r.Cases[i].Level == l && r.Cases[i].Verdict == v {
			n++
		}
	}
	return n
}

// Count is the number of cases of a level with one of some verdicts.
func (r *Results) Count(l Level, verdicts ...Verdict) int {
	n := 0
	for _, v := range verdicts {
		n += r.count(l, v)
	}
	return n
}

// Failed are the cases that fail at a level or a higher one.
func (r *Results) Failed(least Level) []*Result {
	var all []*Result
	for i := range r.Cases {
		if x := &r.Cases[i]; x.Verdict == Fail && x.Level.weight() >= least.weight() {
			all = append(all, x)
		}
	}
	return all
}
