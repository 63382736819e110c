package report

import (
	"fmt"
	"strings"

	"github.com/seed47566266/understudy/fixtures"
	"github.com/seed47566266/understudy/testsuite"
)

// annotations is how many a step may have of a kind before GitHub drops them.
const annotations = 10

// github is workflow commands that annotate a step: one error for each finding
// that fails the run, and a last line that says the verdict.
func github(r *results) ([]byte, error) {
	var b strings.Builder
	n := 0
	command := func(kind, title, text string) {
		if n++; n < annotations {
			fmt.Fprintf(&b, "::%s title=%s::%s\n", kind, property(title), data(text))
		}
	}
	for i := range r.Findings {
		f := &r.Findings[i]
		if !f.Counts {
			continue // the summary lists them
		}
		text := plural(len(f.Cases), "case") + ", as " + f.Example + r.page(f) + "."
		if x := r.example(f); x != nil {
			if f.Level != fixtures.LevelMust {
				text += " " + capital(x.LevelBasis) + "."
			}
			text += " Expected: " + x.Expected + ". Got: " + x.Got + "."
		}
		command("error", string(f.Level)+" "+f.Title, text)
	}
	for _, l := range levels[:2] {
		for _, g := range byReason(r, l, testsuite.VerdictInconclusive) {
			command("warning", string(l)+" inconclusive", plural(len(g.Cases), "case")+": "+g.Reason)
		}
	}
	for _, s := range r.Stale {
		command("error", knownFile, s.Text)
	}
	kind := "notice"
	if r.Exit != testsuite.ExitOK {
		kind = "error"
	}
	more := ""
	if n >= annotations {
		more = fmt.Sprintf("; %d more annotations were left out", n-annotations+1)
	}
	fmt.Fprintf(&b, "::%s title=understudy::%s\n", kind, data(fmt.Sprintf("exit %d: %s%s", r.Exit, r.Conclusion, more)))
	return []byte(b.String()), nil
}

// data and property escape as GitHub's runner reads them.
func data(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(s)
}

func property(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C").Replace(s)
}
