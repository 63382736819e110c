package report

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/seed47566266/understudy/fixtures"
	"github.com/seed47566266/understudy/testsuite"
)

// expected is TAP's word for a test that may fail.
const expected = "TO" + "DO"

// tap is the Test Anything Protocol, version 14. What does not fail the run is
// marked so that no reader of TAP fails for it.
func tap(r *results) ([]byte, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "TAP version 14\n1..%d\n", len(r.Cases)+len(r.Stale))
	for i := range r.Cases {
		x := &r.Cases[i]
		ok, directive := "ok", ""
		switch x.Verdict {
		case testsuite.VerdictPass:
		case testsuite.VerdictSkipped:
			directive = " # SKIP " + tapText(x.Reason)
		case testsuite.VerdictFail:
			ok = "not ok"
			if !r.Counts(x) {
				directive = " # " + expected + " " + string(x.Level)
			}
		case testsuite.VerdictKnownFailure:
			ok, directive = "not ok", " # "+expected+" known failure: "+tapText(x.Known)
		default:
			ok = "not ok"
			if x.Level != fixtures.LevelMust && x.Verdict != testsuite.VerdictUnexpectedPass {
				directive = " # " + expected + " " + string(x.Verdict)
			}
		}
		fmt.Fprintf(&b, "%s %d - %s %s%s\n", ok, i+1, x.Level, tapText(x.ID), directive)
		if ok == "ok" {
			continue
		}
		fields := map[string]any{
			"verdict":  string(x.Verdict),
			"reason":   x.Reason,
			"basis":    x.LevelBasis,
			"why":      x.Why,
			"change":   x.Change,
			"expected": x.Expected,
			"got":      x.Got,
		}
		if x.Line > 0 {
			fields["page_line"] = x.Line
		}
		if e := r.Exchange(x); e != nil {
			fields["curl"] = r.Curl(e)
		}
		text, err := yaml.Marshal(fields)
		if err != nil {
			return nil, err
		}
		b.WriteString("  ---\n")
		for _, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
			b.WriteString("  " + line + "\n")
		}
		b.WriteString("  ...\n")
	}
	for i, stale := range r.Stale {
		fmt.Fprintf(&b, "not ok %d - %s, %s\n", len(r.Cases)+i+1, knownFile, tapText(stale.Text))
	}
	fmt.Fprintf(&b, "# exit %d: %s\n", r.Exit, tapText(r.Conclusion))
	return []byte(b.String()), nil
}

// tapText is text on one line, without the sign of a directive.
func tapText(s string) string {
	return strings.NewReplacer(`\`, `\\`, "#", `\#`).Replace(oneLine(s))
}
