package report

import (
	"encoding/xml"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

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

// junit is JUnit's XML: a suite for each level. What fails the run is a failure,
// what is undetermined is an error; everything else that does not pass is skipped,
// with its reason.
func junit(r *results) ([]byte, error) {
	all := junitSuites{Name: "understudy " + r.Endpoint, Time: fmt.Sprintf("%.3f", r.Seconds)}
	for _, l := range levels {
		s := junitSuite{Name: string(l), Timestamp: r.Started.Format("2006-01-02T15:04:05"), Time: "0"}
		var millis float64
		for i := range r.Cases {
			x := &r.Cases[i]
			if x.Level != l {
				continue
			}
			c := junitCase{Name: x.ID, Class: strings.ReplaceAll(x.Rule.String(), "/", "."), Time: "0"}
			if e := r.Exchange(x); e != nil && x.Aspect == testsuite.AspectOutcome {
				millis += e.Millis
				c.Time = fmt.Sprintf("%.4f", e.Millis/float64(time.Second/time.Millisecond))
			}
			message := fmt.Sprintf("%s: %s", x.Verdict, x.Reason)
			switch {
			case x.Verdict == testsuite.VerdictPass:
				c.Out = xmlText(x.Reason)
			case x.Verdict == testsuite.VerdictFail && counts(r, l):
				c.Failure = &junitText{
					Message: xmlText(x.Reason),
					Type:    string(x.Failure),
					Text:    xmlText(details(r, x)),
				}
				s.Failures++
			case l == fixtures.LevelMust && undetermined(x),
				x.Verdict == testsuite.VerdictUnexpectedPass:
				c.Error = &junitText{Message: xmlText(message), Type: string(x.Verdict), Text: xmlText(details(r, x))}
				s.Errors++
			default:
				c.Skipped = &junitText{Message: xmlText(message)}
				s.Skipped++
			}
			s.Cases = append(s.Cases, c)
		}
		s.Tests, s.Time = len(s.Cases), fmt.Sprintf("%.3f", millis/1000)
		if s.Tests == 0 {
			continue
		}
		all.Tests += s.Tests
		all.Failures += s.Failures
		all.Errors += s.Errors
		all.Suites = append(all.Suites, s)
	}
	b, err := xml.MarshalIndent(&all, "", " ")
	if err != nil {
		return nil, err
	}
	return append(append([]byte(xml.Header), b...), '\n'), nil
}

// details is a case's result in a few lines, and what can be seen of its exchange.
func details(r *results, x *testsuite.Result) string {
	text := x.Explain()
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
