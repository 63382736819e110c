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
	for _, r := range []*testsuite.Results{older, newer} {
		t.wrap(0, 2, fmt.Sprintf("%s, %s: exit %d: %s", r.Target, r.Started.Format("2006-01-02 15:04"), r.Exit,
			r.Conclusion))
	}
	problems, _ := older.Problems()
	now, _ := newer.Problems()
	t.line(0, "problems that fail the run %d -> %d, others %d -> %d", problems, now, len(older.Findings)-problems,
		len(newer.Findings)-now)
	t.line(0, "cases passed %d -> %d, failed %d -> %d",
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

// findings says which findings are new, gone or of another size. Two records are compared
// by the cases, since a finding may be folded otherwise beside another one.
func (t *printer) findings(was, is *results) {
	var lines []string
	line := func(what string, f *testsuite.Finding) {
		lines = append(lines, fmt.Sprintf("%s: %s %s (%s)", what, f.Level, f.Title, plural(len(f.Cases), "case")))
	}
	for i := range is.Findings {
		f := &is.Findings[i]
		switch before := was.failing(f); {
		case before == 0 && was.sent(f) == 0:
			line("not looked for in the first record", f)
		case before == 0:
			line("new", f)
		case before < len(f.Cases):
			line(fmt.Sprintf("worse by %s", plural(len(f.Cases)-before, "case")), f)
		}
	}
	for i := range was.Findings {
		f := &was.Findings[i]
		switch after := is.failing(f); {
		case after == 0 && is.sent(f) == 0:
			line("not looked for in the second record", f)
		case after == 0:
			line("gone", f)
		case after < len(f.Cases):
			line(fmt.Sprintf("better by %s", plural(len(f.Cases)-after, "case")), f)
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

// failing counts the cases of another record's finding that fail in this one.
func (r *results) failing(f *testsuite.Finding) int {
	return r.count(f, func(x *testsuite.Result) bool { return x.Verdict == testsuite.VerdictFail })
}

// sent counts the cases of another record's finding that have a verdict in this one.
func (r *results) sent(f *testsuite.Finding) int {
	return r.count(f, func(x *testsuite.Result) bool { return x.Verdict != testsuite.VerdictSkipped })
}

func (r *results) count(f *testsuite.Finding, fits func(*testsuite.Result) bool) int {
	n := 0
	for _, id := range f.Cases {
		if x := r.cases[id]; x != nil && fits(x) {
			n++
		}
	}
	return n
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
		failed := old != nil && old.Verdict == testsuite.VerdictFail && was.Counts(old)
		if x.Verdict == testsuite.VerdictFail && is.Counts(x) && !failed {
			worse = true
		}
		switch {
		case old == nil:
			add("only in the second record, "+string(x.Verdict), x)
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
			add("only in the first record", x)
		}
	}
	return changes, open, worse
}
