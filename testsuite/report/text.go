package report

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/seed47566266/understudy/fixtures"
	"github.com/seed47566266/understudy/testsuite"
)

// width is that of a terminal.
const width = 80

const (
	// titleFields is how many fields the title of a finding names at most.
	titleFields = 3
	// shownFindings is how many findings of a part are shown that do not fail the run.
	shownFindings = 3
	// shownReasons is how many reasons are shown for which cases have a verdict.
	shownReasons = 3
)

// text is for a terminal: what fails first, by cause, the summary last.
func text(r *results) ([]byte, error) {
	t := &printer{}
	t.line(0, "%s of %s", r.Endpoint, r.Target)
	if len(r.Findings) > 0 {
		t.line(0, "%s", r.headline())
	}
	n := 0
	for _, s := range r.sections() {
		t.blank()
		t.wrap(0, 2, s.Title())
		for i, f := range s.Findings {
			if s.Counts {
				n++
				t.finding(r, n, f)
				continue
			}
			if i == shownFindings {
				t.line(2, "     and %d more: --fail-on %s shows them whole", len(s.Findings)-i, s.Part)
				break
			}
			t.line(2, "%s", cut(fmt.Sprintf("%3d  %s", len(f.Cases), f.Title), width-4))
		}
	}
	for _, l := range levels[:2] {
		t.reasons(r, l, testsuite.VerdictFlaky, inWords[testsuite.VerdictFlaky])
		t.reasons(r, l, testsuite.VerdictInconclusive, inWords[testsuite.VerdictInconclusive])
		t.reasons(r, l, testsuite.VerdictError, inWords[testsuite.VerdictError])
		t.reasons(r, l, testsuite.VerdictKnownFailure, inWords[testsuite.VerdictKnownFailure])
		t.reasons(r, l, testsuite.VerdictUnexpectedPass, inWords[testsuite.VerdictUnexpectedPass])
		t.reasons(r, l, testsuite.VerdictSkipped, "not sent")
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

type printer struct {
	b     strings.Builder
	notes bool // the last line is a note, which the next one may follow
}

func (t *printer) String() string { return t.b.String() }

func (t *printer) add(s string) {
	t.b.WriteString(s)
	t.notes = false
}

// note writes a paragraph; those in a row have no blank line between them.
func (t *printer) note(s string) {
	if !t.notes {
		t.blank()
	}
	t.wrap(0, 2, s)
	t.notes = true
}

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

// finding shows what fails the run: what is wrong, by what case and line of the page it
// shows, and how to send it again.
func (t *printer) finding(r *results, n int, f *testsuite.Finding) {
	t.wrap(0, 4, fmt.Sprintf("%2d. %s", n, f.Title))
	if f.Hint != "" {
		t.wrap(4, 4, f.Hint)
	}
	if len(f.Fields) > titleFields {
		t.line(4, "%s", cut("fields: "+about(f, len(f.Fields)), width-6))
	}
	x := r.example(f)
	if x == nil {
		return
	}
	got := cut(x.Got, width)
	if e := r.Exchange(x); e != nil && e.Received.Status != 0 {
		got = fmt.Sprint(e.Received.Status)
	}
	t.wrap(4, 6, plural(len(f.Cases), "case")+", as "+x.ID+whereSaid(x.Line, "")+"; got "+got)
	if f.Level != fixtures.LevelMust {
		t.wrap(4, 6, x.LevelBasis)
	}
	if line := r.again(f); line != "" {
		t.line(4, "%s", line)
	}
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
	groups = slices.DeleteFunc(groups, func(g group) bool {
		// What a response would have to be that did not come is no news.
		return v == testsuite.VerdictSkipped && g.Cases[0].Aspect != testsuite.AspectOutcome
	})
	if len(groups) == 0 {
		return
	}
	for i, g := range groups {
		if i == shownReasons {
			t.note(fmt.Sprintf("%s %s: %s more", l, words, plural(len(groups)-i, "reason")))
			break
		}
		t.note(fmt.Sprintf("%s %s, %s: %s (%s)", l, words, plural(len(g.Cases), "case"), g.Reason, ids(g.Cases, 2)))
	}
}

// coverage lists the sides of rules that were not tried.
func (t *printer) coverage(r *results) {
	_, missing := coverage(r)
	if len(missing) == 0 {
		return
	}
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
		t.note("Not tried, " + plural(len(list), "side") + " of stated rules: " + shown + " (" + why + ")")
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
	for _, text := range r.Warnings {
		t.wrap(0, 2, "warning: "+text)
	}
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
