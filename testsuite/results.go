package testsuite

import (
	"time"

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
	Controlled  bool `json:"controlled"`
	Unconfirmed int  `json:"unconfirmed"`
	// Requests counts what was sent, Writes what may have been accepted and was
	// allowed, UnexpectedWrites what was accepted and should have been refused.
	Requests         int      `json:"requests"`
	Writes           int      `json:"writes"`
	UnexpectedWrites int      `json:"unexpectedWrites"`
	Stale            []Stale  `json:"stale,omitempty"`
	Coverage         []Cell   `json:"coverage"`
	Cases            []Result `json:"cases"`

	stop stopKind
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
	Known    string    `json:"known,omitempty"`
	Attempts int       `json:"attempts,omitempty"`
	Millis   float64   `json:"millis,omitempty"`
	Sent     *Sent     `json:"sent,omitempty"`
	Received *Received `json:"received,omitempty"`
}

// Sent is a request as a report shows it: without secrets, long bodies cut.
type Sent struct {
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Headers []fixtures.Header `json:"headers"`
	// Body is text; bytes that are no UTF-8 are shown as U+FFFD.
	Body string `json:"body"`
	// Bytes is the length of the body as sent.
	Bytes int `json:"bytes"`
	// Curl sends it again from a shell.
	Curl string `json:"curl"`
}

// Received is an answer as a report shows it.
type Received struct {
	Status  int               `json:"status"`
	Headers []fixtures.Header `json:"headers"`
	Body    string            `json:"body"`
	Bytes   int               `json:"bytes"`
	Problem string            `json:"problem,omitempty"`
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
