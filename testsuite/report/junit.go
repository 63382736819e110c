package report

import (
	"encoding/xml"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/fixtures"
	"github.com/seed47566266/understudy/testsuite"
)

type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Time     string       `xml:"time,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name      string      `xml:"name,attr"`
	Tests     int         `xml:"tests,attr"`
	Failures  int         `xml:"failures,attr"`
	Errors    int         `xml:"errors,attr"`
	Skipped   int         `xml:"skipped,attr"`
	Time      string      `xml:"time,attr"`
	Timestamp string      `xml:"timestamp,attr"`
	Cases     []junitCase `xml:"testcase"`
}

type junitCase struct {
	Name    string     `xml:"name,attr"`
	Class   string     `xml:"classname,attr"`
	Time    string     `xml:"time,attr"`
	Failure *junitText `xml:"failure"`
	Error   *junitText `xml:"error"`
	Skipped *junitText `xml:"skipped"`
	Out     string     `xml:"system-out,omitempty"`
}

type junitText struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",chardata"`
}

// knownFile is what reports call a known-failures file that is stale.
const knownFile = "known-failures file"

// junit is JUnit's XML: a test case for each rule. It fails with the findings that fail
// the run, and is an error where a MUST case is undetermined; a rule that no case was
// conclusive for is skipped, with the reason.
func junit(r *results) ([]byte, error) {
	s := junitSuite{Name: r.Endpoint, Timestamp: r.Started.Format("2006-01-02T15:04:05")}
	var millis float64
	for _, rule := range ruleResults(r) {
		c := junitCase{
			Name: rule.id.String(), Class: "understudy", Time: fmt.Sprintf("%.4f", rule.millis/1000),
			Out: xmlText(strings.Join(rule.notes, "\n")),
		}
		millis += rule.millis
		switch {
		case len(rule.failures) > 0:
			f := rule.failures[0]
			var text []string
			for _, f := range rule.failures {
				text = append(text, details(r, f))
			}
			c.Failure = &junitText{
				Message: xmlText(f.Title), Type: string(f.Failure), Text: xmlText(strings.Join(text, "\n\n")),
			}
			s.Failures++
		case rule.undetermined != nil:
			x := rule.undetermined
			c.Error = &junitText{
				Message: xmlText(fmt.Sprintf("%s %s: %s", x.Verdict, x.ID, x.Reason)), Type: string(x.Verdict),
				Text: xmlText(x.Explain()),
			}
			s.Errors++
		case rule.conclusive == 0:
			c.Skipped = &junitText{Message: xmlText(rule.reason)}
			s.Skipped++
		}
		s.Cases = append(s.Cases, c)
	}
	if len(r.Stale) > 0 {
		var text []string
		for _, stale := range r.Stale {
			text = append(text, stale.Text)
		}
		s.Cases = append(s.Cases, junitCase{
			Name: knownFile, Class: "understudy", Time: "0", Failure: &junitText{
				Message: xmlText(text[0]), Type: "stale", Text: xmlText(strings.Join(text, "\n")),
			},
		})
		s.Failures++
	}
	s.Tests, s.Time = len(s.Cases), fmt.Sprintf("%.3f", millis/1000)
	all := junitSuites{
		Name: "understudy " + r.Endpoint, Time: fmt.Sprintf("%.3f", r.Seconds),
		Tests: s.Tests, Failures: s.Failures, Errors: s.Errors, Suites: []junitSuite{s},
	}
	b, err := xml.MarshalIndent(&all, "", " ")
	if err != nil {
		return nil, err
	}
	return append(append([]byte(xml.Header), b...), '\n'), nil
}

// ruleResult is what became of the cases of a rule.
type ruleResult struct {
	id           contracts.RuleID
	failures     []*testsuite.Finding // that fail the run
	notes        []string             // what does not, or is known
	undetermined *testsuite.Result    // the first such MUST case, or an unexpected pass
	conclusive   int
	reason       string // for which the last case was not conclusive
	millis       float64
}

// ruleResults are the rules of the page, then the others that cases are about.
func ruleResults(r *results) []*ruleResult {
	var all []*ruleResult
	byID := map[contracts.RuleID]*ruleResult{}
	at := func(id contracts.RuleID) *ruleResult {
		if byID[id] == nil {
			byID[id] = &ruleResult{id: id, reason: "no case is about it"}
			all = append(all, byID[id])
		}
		return byID[id]
	}
	for _, cell := range r.Coverage {
		at(cell.Rule).conclusive += cell.Pass
	}
	for i := range r.Cases {
		x := &r.Cases[i]
		rule := at(x.Rule)
		if e := r.Exchange(x); e != nil && x.Aspect == testsuite.AspectOutcome {
			rule.millis += e.Millis
		}
		switch {
		case x.Verdict == testsuite.VerdictPass, x.Verdict == testsuite.VerdictFail:
			rule.conclusive++
		case x.Verdict == testsuite.VerdictKnownFailure:
			rule.conclusive++
			rule.notes = append(rule.notes, fmt.Sprintf("known failure %s: %s", x.ID, x.Known))
		case x.Level == fixtures.LevelMust && isUndetermined(x.Verdict), x.Verdict == testsuite.VerdictUnexpectedPass:
			if rule.undetermined == nil {
				rule.undetermined = x
			}
		default:
			rule.reason = fmt.Sprintf("%s: %s", x.Verdict, x.Reason)
		}
	}
	for i := range r.Findings {
		f := &r.Findings[i]
		for _, id := range f.Rules {
			if f.Counts {
				at(id).failures = append(at(id).failures, f)
			} else {
				at(id).notes = append(at(id).notes, fmt.Sprintf("%s %s (%s)", f.Level, f.Title,
					plural(len(f.Cases), "case")))
			}
		}
	}
	return all
}

// details is a finding in a few lines, with its example and what can be seen of it.
func details(r *results, f *testsuite.Finding) string {
	text := fmt.Sprintf("%s %s\n%s, as %s", f.Level, f.Title, plural(len(f.Cases), "case"), f.Example)
	x := r.example(f)
	if x == nil {
		return text
	}
	text += "\n" + x.Explain()
	if e := r.Exchange(x); e != nil {
		text += "\nresponse: " + cut(oneLine(e.Received.Body.String()), 500) + "\n" + r.Curl(e)
	}
	return text
}

// xmlText is text without the characters that XML 1.0 cannot hold.
func xmlText(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n' || r >= ' ' && r <= 0xD7FF || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 &&
			r <= utf8.MaxRune:
			return r
		}
		return utf8.RuneError
	}, s)
}
