package testsuite

import (
	"testing"
)

// Test runs the cases of a suite that a Config selects as subtests, one per case, by
// id. A subtest fails if its case fails at Config.FailOn or a higher level; the others
// are skipped or logged with their reason:
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
	for i := range results.Cases {
		x := &results.Cases[i]
		t.Run(x.ID, func(t *testing.T) {
			t.Helper()
			switch {
			case x.Verdict == VerdictSkipped:
				t.Skip(x.Reason)
			case x.Verdict == VerdictFail && x.Level.Weight() >= results.FailOn.Weight():
				t.Error(results.explain(x))
			case x.Verdict == VerdictPass && x.Reason == "":
			case x.Verdict == VerdictPass:
				t.Log(x.Reason)
			default:
				t.Logf("%s: %s", x.Verdict, results.explain(x))
			}
		})
	}
	if results.Exit != ExitOK {
		t.Error(results.Conclusion)
	}
}

// explain is what a result is and the request again, in a few lines.
func (r *Results) explain(x *Result) string {
	text := string(x.Level) + ": " + x.Reason + "\n" + x.Explain()
	if e := r.Exchange(x); e != nil {
		text += "\n" + r.Curl(e)
	}
	return text
}
