package report

import (
	"bytes"
	_ "embed" // the page's template
	"fmt"
	"html/template"
	"strings"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/fixtures"
	"github.com/seed47566266/understudy/testsuite"
)

//go:embed report.gohtml
var pageText string

var page = template.Must(template.New("report").Funcs(template.FuncMap{"visible": testsuite.Visible}).Parse(pageText))

// row is a rule in the table of an HTML page: a square for each media type and
// side.
type row struct {
	Rule    contracts.RuleID
	Text    string
	Line    int
	Stated  bool
	Squares []square
}

type square struct {
	Class, Word, Title string
}

// html is one file without anything outside it, for someone who was not there.
func html(r *results) ([]byte, error) {
	type shown struct {
		*testsuite.Result
		Exchange *testsuite.Exchange
		Curl     string
	}
	type rule struct {
		Rule  contracts.RuleID
		Quote string
		Line  int
		Cases []shown
	}
	type section struct {
		Title  string
		Open   bool
		Count  int
		Groups []rule
	}
	data := struct {
		*results
		Headline, Early string
		WritesText      string
		Passed, Unclear bool
		Columns         []testsuite.Verdict
		Levels          [][]string
		Media           []covered
		Rows            []row
		Sections        []section
		Open            []group
	}{
		results: r, Headline: capital(r.Conclusion), Passed: r.Exit == testsuite.ExitOK,
		Unclear: r.Exit == testsuite.ExitInconclusive || r.Exit == testsuite.ExitUnreachable,
		Columns: usedVerdicts(r), WritesText: writes(r),
	}
	for _, l := range levels {
		cells := []string{string(l)}
		for _, v := range data.Columns {
			cells = append(cells, fmt.Sprint(r.Count(l, v)))
		}
		data.Levels = append(data.Levels, cells)
	}
	if r.EndedEarly {
		data.Early = r.Stopped
	}
	data.Media, _ = coverage(r)
	data.Rows = ruleRows(r)
	add := func(title string, open bool, l fixtures.Level, v testsuite.Verdict) {
		s := section{Title: title, Open: open}
		for _, g := range byRule(r, l, v) {
			group := rule{Rule: g.Rule, Quote: g.Quote, Line: g.Line}
			for _, x := range g.Cases {
				c := shown{Result: x}
				if c.Exchange = r.Exchange(x); c.Exchange != nil {
					c.Curl = r.Curl(c.Exchange)
				}
				group.Cases = append(group.Cases, c)
			}
			s.Count += len(group.Cases)
			s.Groups = append(s.Groups, group)
		}
		if s.Count > 0 {
			data.Sections = append(data.Sections, s)
		}
	}
	for _, l := range levels[:2] {
		for _, v := range verdicts {
			if words := inWords[v]; words != "" {
				if v == testsuite.VerdictFail && !counts(r, l) {
					words += uncounted
				}
				add(string(l)+" "+words, v != testsuite.VerdictKnownFailure && counts(r, l), l, v)
			}
		}
	}
	data.Open = append(
		byReason(r, fixtures.LevelMust, testsuite.VerdictSkipped),
		byReason(r, fixtures.LevelShould, testsuite.VerdictSkipped)...)
	var b bytes.Buffer
	err := page.Execute(&b, data)
	return b.Bytes(), err
}

func ruleRows(r *results) []row {
	var rows []row
	for _, c := range r.Coverage {
		if len(rows) == 0 || rows[len(rows)-1].Rule != c.Rule {
			rows = append(rows, row{Rule: c.Rule, Text: c.Text, Line: c.Line, Stated: c.Stated})
		}
		s := square{
			Title: fmt.Sprintf("%s, %s in %s: %d pass, %d fail, %d SHOULD failures", c.Rule, c.Side, c.Media,
				c.Pass, c.Fail, c.ShouldFail),
		}
		switch {
		case c.Fail > 0:
			s.Class, s.Word = "fail", fmt.Sprintf("✗ %d", c.Fail)
		case c.Pass > 0 && c.Unconfirmed == c.Pass:
			s.Class, s.Word = "unconfirmed", fmt.Sprintf("? %d", c.Pass)
			s.Title += ", unconfirmed"
		case c.Pass > 0:
			s.Class, s.Word = "pass", fmt.Sprintf("✓ %d", c.Pass)
		case c.ShouldFail > 0:
			s.Class, s.Word = "open", fmt.Sprintf("≠ %d", c.ShouldFail)
		case c.Possible:
			s.Class, s.Word, s.Title = "open", "not tried", c.Reason
		default:
			s.Class, s.Word, s.Title = "none", "–", c.Reason
		}
		last := &rows[len(rows)-1]
		last.Squares = append(last.Squares, s)
	}
	return rows
}

// capital is a sentence with a capital letter first.
func capital(s string) string {
	first := min(1, len(s))
	return strings.ToUpper(s[:first]) + s[first:]
}
