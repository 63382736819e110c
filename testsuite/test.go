package testsuite

import (
	"fmt"
	"testing"
)

// Test runs the cases of a suite that a Config selects, and reports each finding as a
// subtest of one line. A subtest fails if its finding fails the run; what does not is
// logged. The test fails too where the run proves nothing:
//
//	func TestBooking(t *testing.T) {
//		suite, err := testsuite.New(contract, testsuite.Payloads{})
//		...
//		testsuite.Test(t, suite, testsuite.Config{Target: testsuite.Target{Handler: handler}})
//	}
func Test(t *testing.T, s *Suite, c Config) {
	t.Helper()
	results, err := s.Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	for i := range results.Findings {
		f := &results.Findings[i]
		t.Run(f.ID, func(t *testing.T) {
			t.Helper()
			if f.Counts {
				t.Error(results.line(f))
			} else {
				t.Log(results.line(f))
			}
		})
	}
	if results.Exit != ExitOK {
		t.Error(results.Conclusion)
	} else {
		t.Log(results.Conclusion)
	}
}

// line is a finding in a line, with what sends its example again.
func (r *Results) line(f *Finding) string {
	text := fmt.Sprintf("%s: %s; %s", f.Level, f.Title, plural(len(f.Cases), "case", "cases"))
	for i := range r.Cases {
		x := &r.Cases[i]
		if x.ID != f.Example {
			continue
		}
		text += ", e.g. " + x.ID
		if x.Line > 0 {
			text += fmt.Sprintf(" (page line %d)", x.Line)
		}
		text += "; got " + x.Got
		if e := r.Exchange(x); e != nil {
			text += ": " + r.Curl(e)
		}
	}
	return text
}
