package testsuite

import (
	"context"
	"fmt"
	"strings"
)

// Tester is what Test needs of a *testing.T.
type Tester[T any] interface {
	Helper()
	Context() context.Context
	Run(name string, f func(T)) bool
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Skip(args ...any)
}

// Test runs the cases of a Config as subtests, one a case, by id. A case fails
// that fails at the level that Config.FailOn names; the others are skipped or
// logged with their reason. t is a *testing.T:
//
//	func TestBooking(t *testing.T) {
//		testsuite.Test(t, testsuite.Config{Contract: contract, Handler: handler})
//	}
func Test[T Tester[T]](t T, c Config) {
	t.Helper()
	results, err := Run(t.Context(), c)
	if err != nil {
		t.Fatalf("%v", err)
		return
	}
	least := Must
	if results.FailOn != FailOnMust {
		least = Should
	}
	for i := range results.Cases {
		x := &results.Cases[i]
		t.Run(x.ID, func(t T) {
			t.Helper()
			switch {
			case x.Verdict == Skipped:
				t.Skip(x.Reason)
			case x.Verdict == Fail && x.Level.weight() >= least.weight():
				t.Errorf("%s", results.explain(x))
			case x.Verdict == Pass && x.Reason == "":
			case x.Verdict == Pass:
				t.Logf("%s", x.Reason)
			default:
				t.Logf("%s: %s", x.Verdict, results.explain(x))
			}
		})
	}
	if results.Exit != ExitFine {
		t.Errorf("%s", results.Verdict)
	}
}

// explain is a case's result in a few lines.
func (r *Results) explain(x *Result) string {
	lines := []string{string(x.Level) + ": " + x.Reason, "  change  " + x.Change, "  wanted  " + x.Wanted, "  got     " + x.Got}
	if x.Line > 0 {
		lines = append([]string{fmt.Sprintf("page line %d: %s", x.Line, x.Quote)}, lines...)
	}
	if e := r.Exchange(x); e != nil {
		lines = append(lines, "  "+r.Curl(e))
	}
	return strings.Join(lines, "\n")
}
