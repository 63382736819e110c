package report

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/seed47566266/understudy/fixtures"
	"github.com/seed47566266/understudy/testsuite"
)

// width is that of a terminal.
const width = 80

// shownCases is how many failed cases of a rule are shown whole.
const shownCases = 1

// text is for a terminal: what fails first, by rule, the summary last.
func text(r *results) ([]byte, error) {
	t := &printer{}
	t.line(0, "%s of %s", r.Endpoint, r.Target)
	for _, g := range failures(r, fixtures.LevelMust) {
		t.rule(r, "FAIL", g)
	}
	for _, l := range levels[:2] {
		if l == fixtures.LevelShould && counts(r, l) {
			for _, g := range failures(r, l) {
				t.rule(r, "FAIL", g)
			}
		}
		t.reasons(r, l, testsuite.VerdictFlaky, inWords[testsuite.VerdictFlaky])
		t.reasons(r, l, testsuite.VerdictInconclusive, inWords[testsuite.VerdictInconclusive])
		t.reasons(r, l, testsuite.VerdictError, inWords[testsuite.VerdictError])
		t.reasons(r, l, testsuite.VerdictKnownFailure, inWords[testsuite.VerdictKnownFailure])
		t.reasons(r, l, testsuite.VerdictUnexpectedPass, inWords[testsuite.VerdictUnexpectedPass])
		t.reasons(r, l, testsuite.VerdictSkipped, "skipped")
	}
	if !counts(r, fixtures.LevelShould) {
		t.reasons(r, fixtures.LevelShould, testsuite.VerdictFail, inWords[testsuite.VerdictFail]+uncounted)
	}
	if len(r.Stale) > 0 {
		t.blank()
		t.line(0, "The known-failures file is stale:")
		for _, s := range r.Stale {
			t.wrap(2, 4, s.Text)
		}
	}
	if r.Only == "" && r.Stopped == "" {
		t.coverage(r)
	}
	t.summary(r)
	return []byte(t.String()), nil
}

type printer struct{ b strings.Builder }

func (t *printer) String() string { return t.b.String() }

func (t *printer) add(s string) { t.b.WriteString(s) }

func (t *printer) line(indent int, format string, args ...any) {
	t.add(strings.Repeat(" ", indent) + fmt.Sprintf(format, args...) + "\n")
}

func (t *printer) blank() { t.add("\n") }

func (t *printer) wrap(first, rest int, s string) { t.add(wrapped(first, rest, s)) }

// wrapped is text in lines of the width, all but the first further in. A word that
// is longer stays whole.
func wrapped(first, rest int, s string) string {
	var b strings.Builder
	line, indent := "", first
	for _, word := range strings.Fields(s) {
		if line != "" && indent+utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) >= width {
			b.WriteString(strings.Repeat(" ", indent) + line + "\n")
			line, indent = "", rest
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return b.String() + strings.Repeat(" ", indent) + line + "\n"
}

// rule shows what fails of a rule.
func (t *printer) rule(r *results, word string, g group) {
	t.blank()
	t.wrap(0, 6, word+"  "+g.Rule.String()+whereSaid(g.Line, g.Quote))
	for i, x := range g.Cases {
		if i == shownCases {
			t.wrap(2, 4, plural(len(g.Cases)-i, "more case")+": "+ids(g.Cases[i:], 4))
			break
		}
		t.wrap(2, 4, string(x.Level)+" "+x.ID)
		t.field("change", x.Change)
		t.field("why", x.Why)
		t.field("expected", x.Expected)
		t.field("got", x.Got)
		if x.Aspect != testsuite.AspectOutcome {
			t.field("", x.Reason)
		}
		if e := r.Exchange(x); e != nil {
			if body := oneLine(e.Received.Body.String()); body != "" {
				t.field("", cut(body, 200))
			}
			t.line(4, "%s", r.Curl(e))
		}
	}
}

// field writes a line of a case after its name.
func (t *printer) field(name, s string) {
	const indent = len("    expected  ")
	text := wrapped(indent, indent, s)
	t.add("    " + name + text[min(4+len(name), len(text)):])
}

func whereSaid(line int, quote string) string {
	if line == 0 {
		return ""
	}
	if quote == "" {
		return fmt.Sprintf(" (page line %d)", line)
	}
	return fmt.Sprintf(" (page line %d: %s)", line, quote)
}

// reasons lists cases with a verdict by the reason for it.
func (t *printer) reasons(r *results, l fixtures.Level, v testsuite.Verdict, words string) {
	groups := byReason(r, l, v)
	if len(groups) == 0 {
		return
	}
	t.blank()
	t.line(0, "%s %s:", l, words)
	for _, g := range groups {
		t.wrap(2, 4, plural(len(g.Cases), "case")+": "+g.Reason)
		t.wrap(4, 6, ids(g.Cases, 3))
	}
}

// coverage lists the sides of rules that were not tried.
func (t *printer) coverage(r *results) {
	_, missing := coverage(r)
	if len(missing) == 0 {
		return
	}
	t.blank()
	t.line(0, "Stated rules that were not tried:")
	byWhy := map[string][]string{}
	var order []string
	for _, c := range missing {
		if byWhy[c.Reason] == nil {
			order = append(order, c.Reason)
		}
		byWhy[c.Reason] = append(byWhy[c.Reason], fmt.Sprintf("%s %s in %s", c.Rule, c.Side, c.Media))
	}
	for _, why := range order {
		list := byWhy[why]
		shown := strings.Join(list[:min(3, len(list))], ", ")
		if len(list) > 3 {
			shown += fmt.Sprintf(", and %d more", len(list)-3)
		}
		t.wrap(2, 4, plural(len(list), "side")+": "+why)
		t.wrap(4, 6, shown)
	}
}

func (t *printer) summary(r *results) {
	t.blank()
	columns := usedVerdicts(r)
	head := fmt.Sprintf("%-8s", "")
	for _, v := range columns {
		head += fmt.Sprintf("%*s", len(v)+2, v)
	}
	t.line(0, "%s", head)
	for _, l := range levels {
		row := fmt.Sprintf("%-8s", l)
		for _, v := range columns {
			row += fmt.Sprintf("%*d", len(v)+2, r.Count(l, v))
		}
		t.line(0, "%s", row)
	}
	t.blank()
	for _, c := range first(coverage(r)) {
		if r.Only != "" {
			break
		}
		t.line(0, "%d of %d sides of stated rules tried in %s", c.Covered, c.Sides, c.Media)
	}
	if r.Unconfirmed > 0 && r.Only == "" {
		t.wrap(
			0,
			2,
			plural(r.Unconfirmed,
				"rejection")+" unconfirmed: the valid request that differs in one thing was not accepted in this run",
		)
	}
	requests := plural(r.Requests, "request")
	if r.Confirmations > 0 {
		requests += fmt.Sprintf(", %d of them to confirm a failure,", r.Confirmations)
	}
	t.wrap(0, 2, fmt.Sprintf("%s in %.1f s; %s", requests, r.Seconds, writes(r)))
	t.wrap(0, 2, r.Limits.String())
	if r.EndedEarly {
		t.wrap(0, 2, "ended early: "+r.Stopped)
	}
	t.wrap(0, 2, fmt.Sprintf("exit %d: %s", r.Exit, r.Conclusion))
}

// writes says how many requests were, or may have been, accepted. Those that must be
// rejected and got a response that does not say so are named where there are any.
func writes(r *results) string {
	text := plural(r.Writes, "potential write") + ", " + plural(r.UnexpectedWrites, "unexpected write")
	if r.UnknownWrites > 0 {
		text += fmt.Sprintf(", %d that may have been one", r.UnknownWrites)
	}
	return text
}

func first(all []covered, _ []testsuite.Cell) []covered { return all }

// usedVerdicts are the columns of a table: pass and fail always, others when a
// case has them.
func usedVerdicts(r *results) []testsuite.Verdict {
	var used []testsuite.Verdict
	for _, v := range verdicts {
		n := 0
		for _, l := range levels {
			n += r.Count(l, v)
		}
		if n > 0 || v == testsuite.VerdictPass || v == testsuite.VerdictFail {
			used = append(used, v)
		}
	}
	return used
}

// oneLine is text without line breaks and control characters.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7F }), " ")
}

func cut(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most]) + "…"
}
