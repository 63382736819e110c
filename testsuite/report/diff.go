package report

import (
	"fmt"
	"io"

	"github.com/seed47566266/understudy/fixtures"
	"github.com/seed47566266/understudy/testsuite"
)

// Diff writes what changed from one record to the next: verdicts by case, and
// cases that came or went. Worse is true if something fails that did not.
func Diff(w io.Writer, older, newer *testsuite.Results) (worse bool, err error) {
	older, newer = shown(older), shown(newer)
	all := indexed(newer)
	before := map[string]*testsuite.Result{}
	for i := range older.Cases {
		before[older.Cases[i].ID] = &older.Cases[i]
	}
	t := &printer{}
	count := map[string]int{}
	var order []string
	for i := range newer.Cases {
		x := &newer.Cases[i]
		was := before[x.ID]
		delete(before, x.ID)
		var change string
		switch {
		case was == nil:
			change = "new, " + string(x.Verdict)
		case was.Verdict != x.Verdict:
			change = string(was.Verdict) + " -> " + string(x.Verdict)
		case x.Verdict == testsuite.VerdictFail && was.Failure != x.Failure:
			change = fmt.Sprintf("fails in another way: %s -> %s", was.Failure, x.Failure)
		case x.Level == fixtures.LevelMay && was.Got != x.Got && x.Got != "":
			change = "another response, which the page leaves open"
		default:
			continue
		}
		if x.Verdict == testsuite.VerdictFail && (was == nil || was.Verdict != testsuite.VerdictFail) &&
			counts(all, x.Level) {
			worse = true
		}
		if count[change]++; count[change] == 1 {
			order = append(order, change)
		}
		t.wrap(0, 4, fmt.Sprintf("%s: %s %s", change, x.Level, x.ID))
		if x.Verdict == testsuite.VerdictFail {
			t.wrap(4, 4, x.Reason)
		}
	}
	gone := 0
	for i := range older.Cases {
		if before[older.Cases[i].ID] != nil {
			gone++
			t.wrap(0, 4, fmt.Sprintf("gone: %s %s", older.Cases[i].Level, older.Cases[i].ID))
		}
	}
	for _, change := range order {
		t.line(0, "%s: %s", plural(count[change], "case"), change)
	}
	if gone > 0 {
		t.line(0, "%s: gone", plural(gone, "case"))
	}
	if len(order)+gone == 0 {
		t.line(0, "no case changed")
	}
	t.wrap(0, 2, fmt.Sprintf("exit %d -> %d: %s", older.Exit, newer.Exit, newer.Conclusion))
	_, err = w.Write(quiet([]byte(t.String())))
	return worse, err
}
