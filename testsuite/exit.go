package testsuite

import (
	"fmt"

	"github.com/seed47566266/understudy/fixtures"
)

// The exit codes of the understudy command; Results.Exit is one of them, but for
// ExitUsage and ExitMachine.
const (
	// ExitOK means that the target conforms, or that another command succeeded.
	ExitOK = 0
	// ExitBroken means that the target breaks the contract.
	ExitBroken = 1
	// ExitUsage means invalid usage or configuration.
	ExitUsage = 2
	// ExitUnreachable means that the target could not be reached.
	ExitUnreachable = 3
	// ExitSafety means that the run was stopped for safety.
	ExitSafety = 4
	// ExitStale means that the known-failures file is no longer true.
	ExitStale = 5
	// ExitInconclusive means that the run proves nothing.
	ExitInconclusive = 6
	// ExitMachine means that an output cannot be written, or another failure of the
	// machine.
	ExitMachine = 7
)

// conclude decides the exit code and says why, in one place, so that the two
// cannot disagree.
func (r *Results) conclude() {
	must, should := fixtures.LevelMust, fixtures.LevelShould
	unclear := func(l fixtures.Level) int {
		return r.Count(l, VerdictInconclusive, VerdictFlaky, VerdictError)
	}
	problems, broken := r.Problems()
	verb := "the target breaks the contract"
	if len(r.Findings) > 0 && r.Findings[0].Level != must {
		verb = "the run fails at SHOULD"
	}
	undetermined := unclear(must)
	if r.Strict {
		undetermined += unclear(should) + r.Unconfirmed
	}
	judged := 0
	for _, l := range []fixtures.Level{must, should} {
		judged += r.Count(l, VerdictPass, VerdictKnownFailure, VerdictUnexpectedPass)
	}
	set := func(code int, format string, args ...any) { r.Exit, r.Conclusion = code, fmt.Sprintf(format, args...) }
	stopped := func(code int, what string) {
		set(code, "%s: %s", what, r.Stopped)
		r.EndedEarly = false // the verdict gives the reason
	}
	r.EndedEarly = r.stop != ""
	switch {
	case r.stop == stopSafety:
		stopped(ExitSafety, "stopped for safety")
	case r.stop == stopUnreachable:
		stopped(ExitUnreachable, "the target could not be reached")
	case r.stop == stopDied && broken > 0:
		stopped(ExitBroken, "the target died")
	case broken > 0 && r.stop == stopData:
		stopped(ExitBroken, "your data was rejected")
	case broken > 0:
		set(ExitBroken, "%s: %s, %s", verb, plural(problems, "problem", "problems"),
			plural(broken, "case", "cases"))
	case len(r.Stale) > 0:
		set(ExitStale, "the known-failures file is stale: %s", r.Stale[0].Text)
	case r.stop != "":
		stopped(ExitInconclusive, "inconclusive")
	case undetermined > 0:
		set(ExitInconclusive, "inconclusive: %s",
			plural(undetermined, "case is inconclusive", "cases are inconclusive"))
	case r.Only != "" && len(r.Findings) > 0:
		set(ExitOK, "the response to %s is not as expected, which does not fail the run", r.Only)
	case judged == 0 && (r.Only == "" || r.Count(fixtures.LevelMay, VerdictPass) == 0):
		set(ExitInconclusive, "inconclusive: no case was judged")
	case !r.Controlled && r.Only == "":
		set(
			ExitInconclusive,
			"inconclusive: no valid request was accepted, so no rejection is confirmed; allow a write with "+
				"--max-writes 1",
		)
	case r.Only != "":
		set(ExitOK, "the response to %s is as expected", r.Only)
	default:
		set(ExitOK, "the target conforms to the Help Page: %s", plural(judged, "case passes", "cases pass"))
		if !r.Whole {
			r.Conclusion = "no case that was selected fails the run: " + plural(judged, "passes", "pass")
		}
		if r.Fuzzed > 0 {
			r.Conclusion += fmt.Sprintf(", and %s", plural(r.Fuzzed, "random request", "random requests"))
		}
		if skipped := r.Count(must, VerdictSkipped) + r.Count(should, VerdictSkipped); skipped > 0 {
			r.Conclusion += fmt.Sprintf("; %d skipped", skipped)
		}
		if r.Unconfirmed > 0 {
			r.Conclusion += fmt.Sprintf("; %d unconfirmed", r.Unconfirmed)
		}
	}
	if left := r.Count(must, VerdictKnownFailure) + r.Count(should, VerdictKnownFailure); left > 0 && r.Exit == ExitOK {
		r.Conclusion = fmt.Sprintf("nothing new: %s, %s", plural(judged-left, "case passes", "cases pass"),
			plural(left, "fails as known", "fail as known"))
	}
	if r.knownUnsent > 0 && r.Exit == ExitOK {
		r.Conclusion += "; of what is known to fail, " + plural(r.knownUnsent, "case was", "cases were") + " not sent"
	}
}

// Problems counts the findings that fail the run, and their cases.
func (r *Results) Problems() (findings, cases int) {
	for i := range r.Findings {
		if f := &r.Findings[i]; f.Counts {
			findings++
			cases += len(f.Cases)
		}
	}
	return findings, cases
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
