package report

import (
	"fmt"
	"io"

	"github.com/seed47566266/understudy/fixtures"
	"github.com/seed47566266/understudy/testsuite"
)

// shownChanges is how many cases of one change a comparison names.
const shownChanges = 5

// change is cases whose verdict changed in the same way.
type change struct {
	what  string
	cases []*testsuite.Result
}

// Diff writes what changed from one record to the next: the totals, then findings, then
// cases, then what the page leaves open. Worse is true if something fails the run that
// did not.
func Diff(w io.Writer, older, newer *testsuite.Results) (worse bool, err error) {
	older, newer = shown(older), shown(newer)
	was, is := indexed(older), indexed(newer)
	t := &printer{}
	t.wrap(0, 2, fmt.Sprintf("exit %d -> %d: %s", older.Exit, newer.Exit, newer.Conclusion))
	t.line(0, "problems %d -> %d, passed %d -> %d, failed %d -> %d", len(older.Findings), len(newer.Findings),
		total(older, testsuite.VerdictPass), total(newer, testsuite.VerdictPass),
		total(older, testsuite.VerdictFail), total(newer, testsuite.VerdictFail))
	t.findings(was, is)
	changes, open, worse := compare(was, is)
	if len(changes) > 0 {
		t.blank()
		t.line(0, "Cases:")
	}
	for _, c := range changes {
		t.wrap(2, 4, plural(len(c.cases), "case")+": "+c.what+" ("+ids(c.cases, shownChanges)+")")
	}
	if open > 0 {
		t.blank()
		t.line(0, "%s got another response, which the page leaves open", plural(open, "MAY case"))
	}
	if len(changes)+open == 0 {
		t.line(0, "no case changed")
	}
	_, err = w.Write(quiet([]byte(t.String())))
	return worse, err
}

func total(r *testsuite.Results, v testsuite.Verdict) int {
	n := 0
	for _, l := range levels {
		n += r.Count(l, v)
	}
	return n
}

// findings compares findings by id.
func (t *printer) findings(was, is *results) {
	before := map[string]*testsuite.Finding{}
	for i := range was.Findings {
		before[was.Findings[i].ID] = &was.Findings[i]
	}
	var lines []string
	for i := range is.Findings {
		f := &is.Findings[i]
		old := before[f.ID]
		delete(before, f.ID)
		switch {
		case old == nil:
			lines = append(lines, fmt.Sprintf("new: %s %s (%s)", f.Level, f.Title, plural(len(f.Cases), "case")))
		case len(old.Cases) != len(f.Cases):
			lines = append(lines, fmt.Sprintf("%d -> %d cases: %s %s", len(old.Cases), len(f.Cases), f.Level, f.Title))
		}
	}
	for i := range was.Findings {
		if f := &was.Findings[i]; before[f.ID] != nil {
			lines = append(lines, fmt.Sprintf("gone: %s %s (%s)", f.Level, f.Title, plural(len(f.Cases), "case")))
		}
	}
	if len(lines) == 0 {
		return
	}
	t.blank()
	t.line(0, "Problems:")
	for _, line := range lines {
		t.wrap(2, 4, line)
	}
}

// compare finds the cases whose verdict changed, and counts those at MAY whose response
// did.
func compare(was, is *results) (changes []change, open int, worse bool) {
	older, newer := was.Results, is.Results
	at := map[string]int{}
	add := func(what string, x *testsuite.Result) {
		i, known := at[what]
		if !known {
			i = len(changes)
			at[what] = i
			changes = append(changes, change{what: what})
		}
		changes[i].cases = append(changes[i].cases, x)
	}
	for i := range newer.Cases {
		x := &newer.Cases[i]
		old := was.cases[x.ID]
		if x.Verdict == testsuite.VerdictFail && (old == nil || old.Verdict != testsuite.VerdictFail) && is.Counts(x) {
			worse = true
		}
		switch {
		case old == nil:
			add("new, "+string(x.Verdict), x)
		case old.Verdict != x.Verdict:
			add(string(old.Verdict)+" -> "+string(x.Verdict), x)
		case x.Verdict == testsuite.VerdictFail && old.Failure != x.Failure:
			add(fmt.Sprintf("fails in another way: %s -> %s", old.Failure, x.Failure), x)
		case x.Level == fixtures.LevelMay && old.Got != x.Got && x.Got != "":
			open++
		}
	}
	for i := range older.Cases {
		if x := &older.Cases[i]; is.cases[x.ID] == nil {
			add("gone", x)
		}
	}
	return changes, open, worse
}
