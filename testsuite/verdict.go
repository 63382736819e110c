package testsuite

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/seed47566266/understudy/fixtures"
)

// Verdict is what became of a case.
type Verdict string

const (
	// Pass was answered as wanted.
	Pass Verdict = "pass"
	// Fail was not.
	Fail Verdict = "fail"
	// KnownFailure fails as the known-failures file says.
	KnownFailure Verdict = "known failure"
	// UnexpectedPass is listed in the known-failures file, and passes.
	UnexpectedPass Verdict = "unexpected pass"
	// Flaky failed once and passed once.
	Flaky Verdict = "flaky"
	// Skipped was not sent; the reason says why.
	Skipped Verdict = "skipped"
	// Inconclusive was answered, or not, in a way that tells nothing of the rule.
	Inconclusive Verdict = "inconclusive"
	// Error is a mistake of ours.
	Error Verdict = "error"
)

// Failure is the way in which a case failed; the known-failures file names it.
type Failure string

const (
	// FailAccepted is of what should have been refused.
	FailAccepted Failure = "accepted"
	// FailRefused is of what should have been accepted.
	FailRefused Failure = "refused"
	// FailBroke is a server error in place of a refusal.
	FailBroke Failure = "server error"
	// FailStatus is a status that neither accepts nor refuses.
	FailStatus Failure = "wrong status"
	// FailShape is of an answer's body or header.
	FailShape Failure = "wrong content"
)

// judgement is a case's verdict on one answer.
type judgement struct {
	verdict   Verdict
	failure   Failure
	reason    string
	confirmed bool
}

func failed(f Failure, format string, args ...any) judgement {
	return judgement{verdict: Fail, failure: f, reason: fmt.Sprintf(format, args...)}
}

func unclear(reason string) judgement { return judgement{verdict: Inconclusive, reason: reason} }

// judge is the verdict of a case on an answer. Confirmed says that the control of
// the case was accepted in the same run.
func (c *Config) judge(x *Case, a *Answer, confirmed bool) judgement {
	if x.Aspect != Outcome {
		return c.judgeAspect(x, a, confirmed)
	}
	said, reason := a.said, a.why
	if a.controlAnswered && x.Expect != fixtures.Unspecified {
		return failed(FailBroke, "%s, and the control right after it was accepted", reason)
	}
	switch x.Expect {
	case fixtures.Accept:
		return c.judgeAccept(a, said, reason)
	case fixtures.Reject:
		return c.judgeReject(x, a, said, reason, confirmed)
	}
	if reason != "" {
		return judgement{verdict: Pass, reason: "the page leaves it open; the target: " + reason}
	}
	return judgement{verdict: Pass, reason: fmt.Sprintf("the page leaves it open; the target: %s (%d)", said, a.Status)}
}

func (c *Config) judgeAccept(a *Answer, said reading, reason string) judgement {
	switch said {
	case tookIt:
		return judgement{verdict: Pass, confirmed: true}
	case refusedIt:
		return failed(FailRefused, "it was refused with %d", a.Status)
	case unclearAnswer:
		return unclear(reason)
	case brokeDown:
		return unclear(fmt.Sprintf("%d: the server broke down on a good request, for whatever reason", a.Status))
	}
	switch a.Status {
	case http.StatusNotFound, http.StatusGone:
		return unclear(fmt.Sprintf("%d: there is no such path at the target, or no such id", a.Status))
	case http.StatusPaymentRequired, http.StatusConflict, http.StatusPreconditionFailed, http.StatusLocked, http.StatusFailedDependency,
		http.StatusPreconditionRequired, http.StatusUnavailableForLegalReasons:
		return unclear(fmt.Sprintf("%d: it depends on what the server holds, not on the page", a.Status))
	}
	return failed(FailStatus, "it was answered with %d, not %s", a.Status, c.Accepted)
}

func (c *Config) judgeReject(x *Case, a *Answer, said reading, reason string, confirmed bool) judgement {
	pass := judgement{verdict: Pass, confirmed: confirmed}
	if !confirmed {
		pass.reason = "unconfirmed: its control was not accepted in this run, so anything may have been refused"
	}
	switch said {
	case refusedIt:
		return pass
	case tookIt:
		return failed(FailAccepted, "it was accepted with %d", a.Status)
	case unclearAnswer:
		if confirmed && refusesByStatus(x, a.Status) {
			return pass
		}
		if x.Group == "transport" && a.closed {
			pass.reason = strings.TrimPrefix(pass.reason+"; the connection was closed, as it may be", "; ")
			return pass
		}
		return unclear(reason)
	}
	if refusesByStatus(x, a.Status) && (confirmed || a.Status != http.StatusNotFound) {
		return pass
	}
	if said == brokeDown {
		return failed(FailBroke, "the server broke down: %d", a.Status)
	}
	if !confirmed && (a.Status == http.StatusNotFound || a.Status == http.StatusGone) {
		return unclear(fmt.Sprintf("%d: there may be no such path at the target", a.Status))
	}
	return failed(FailStatus, "it was refused with %d, not %s", a.Status, c.Refused)
}

// refusesByStatus says which other statuses refuse a case for what is wrong with
// it, as HTTP has them.
func refusesByStatus(x *Case, status int) bool {
	kind := x.Request.Header("Content-Type")
	switch status {
	case http.StatusForbidden:
		return x.breaks == "method" // hosts and firewalls know few methods
	case http.StatusMethodNotAllowed, http.StatusNotFound, http.StatusNotImplemented:
		return x.breaks == "method" || x.breaks == "route" || status == http.StatusNotImplemented && x.Group == "transport"
	case http.StatusUnsupportedMediaType:
		return kind != x.Media
	case http.StatusRequestEntityTooLarge:
		return len(x.Request.Body) > largeBody
	case http.StatusLengthRequired, http.StatusExpectationFailed, http.StatusRequestHeaderFieldsTooLarge:
		return x.Group == "transport"
	}
	return false
}

// judgeAspect looks at how an answer is made.
func (c *Config) judgeAspect(x *Case, a *Answer, confirmed bool) judgement {
	said, reason := a.said, a.why
	switch {
	case a.controlAnswered:
		return judgement{verdict: Skipped, reason: "the request got no response"}
	case said == unclearAnswer:
		return unclear(reason)
	}
	refused := said == refusedIt || x.Expect == fixtures.Reject && refusesByStatus(x, a.Status)
	if x.Expect == fixtures.Reject && !refused {
		return judgement{verdict: Skipped, reason: "the request was not refused, so there is no refusal to look at"}
	}
	if x.Expect == fixtures.Accept && said != tookIt {
		return judgement{verdict: Skipped, reason: "the request was not accepted, so there is no answer to look at"}
	}
	pass := judgement{verdict: Pass, confirmed: confirmed}
	switch x.Aspect {
	case Status:
		if a.Status != x.status {
			return failed(FailStatus, "the status is %d, not %d", a.Status, x.status)
		}
	case Allow:
		allow := strings.Join(a.Header.Values("Allow"), ", ")
		for _, m := range strings.Split(allow, ",") {
			if strings.TrimSpace(m) == c.Contract.Method {
				return pass
			}
		}
		return failed(FailShape, "Allow is %q and does not list %s", allow, c.Contract.Method)
	case ModelState:
		if problem := modelStateProblem(a.Body); problem != "" {
			return failed(FailShape, "%s", problem)
		}
	case Named:
		if !strings.Contains(strings.ToLower(string(a.Body[:min(len(a.Body), maxParsed)])), strings.ToLower(x.mentioned)) {
			return failed(FailShape, "the answer does not name the member")
		}
	case Format:
		if problem := c.formatProblem(a); problem != "" {
			return failed(FailShape, "%s", problem)
		}
	}
	return pass
}

// modelStateProblem says what keeps a body from being a Message and a ModelState.
func modelStateProblem(body []byte) string {
	var shape struct {
		Message    *string
		ModelState map[string][]string
	}
	if len(body) > maxParsed {
		return "the body is too long for a Message and a ModelState"
	}
	switch err := json.Unmarshal(body, &shape); {
	case err != nil:
		return "the body is no JSON object with a Message and a ModelState of lists of text"
	case shape.Message == nil:
		return "the body has no Message"
	case len(shape.ModelState) == 0:
		return "the body has no ModelState"
	}
	return ""
}

// formatProblem says what is wrong with the format of an answer's body.
func (c *Config) formatProblem(a *Answer) string {
	if len(a.Body) == 0 {
		return ""
	}
	kind := mediaOf(a.Header.Get("Content-Type"))
	var listed []string
	for _, f := range c.Contract.ResponseFormats {
		listed = append(listed, f.MediaType)
		if f.MediaType == kind {
			if strings.HasSuffix(kind, "/json") && !a.Cut && !isJSON(a.Body) {
				return "the body says that it is " + kind + " and is not JSON"
			}
			return ""
		}
	}
	if kind == "" {
		return "the body has no Content-Type; the page lists " + strings.Join(listed, ", ")
	}
	return fmt.Sprintf("the body is %s; the page lists %s", kind, strings.Join(listed, ", "))
}

// wanted says what a case wants of an answer.
func (c *Config) wanted(x *Case) string {
	switch x.Aspect {
	case Status:
		return fmt.Sprintf("status %d", x.status)
	case Allow:
		return "an Allow header with " + c.Contract.Method
	case ModelState:
		return "a body with a Message and a ModelState"
	case Named:
		return "an error that names " + x.mentioned
	case Format:
		var listed []string
		for _, f := range c.Contract.ResponseFormats {
			listed = append(listed, f.MediaType)
		}
		return "no body, or one in " + strings.Join(listed, " or ")
	}
	switch x.Expect {
	case fixtures.Accept:
		return "accepted, with " + c.Accepted.String()
	case fixtures.Reject:
		return "refused, with " + c.Refused.String()
	}
	return "any answer"
}

// Exit codes of a run.
const (
	ExitFine         = 0
	ExitBroken       = 1
	ExitUnreachable  = 3
	ExitSafety       = 4
	ExitStale        = 5
	ExitInconclusive = 6
)

// conclude decides the exit code and says why, in one place, so that the two
// cannot disagree.
func (r *Results) conclude(failOn FailOn) {
	n := r.count
	should := failOn != FailOnMust
	broken := n(Must, Fail)
	if should {
		broken += n(Should, Fail)
	}
	untold := n(Must, Inconclusive) + n(Must, Flaky) + n(Must, Error)
	if failOn == FailOnInconclusive {
		untold += n(Should, Inconclusive) + n(Should, Flaky) + n(Should, Error) + r.Unconfirmed
	}
	judged := 0
	for _, v := range []Verdict{Pass, KnownFailure, UnexpectedPass} {
		judged += n(Must, v) + n(Should, v)
	}
	set := func(code int, format string, args ...any) { r.Exit, r.Verdict = code, fmt.Sprintf(format, args...) }
	switch {
	case r.stop == stopSafety:
		set(ExitSafety, "stopped for safety: %s", r.Stopped)
	case r.stop == stopUnreachable:
		set(ExitUnreachable, "the target could not be reached: %s", r.Stopped)
	case broken > 0 && r.stop == stopData:
		set(ExitBroken, "your data was refused: %s", r.Stopped)
	case broken > 0:
		level := "MUST"
		if should {
			level = "MUST and SHOULD"
		}
		set(ExitBroken, "the target breaks the contract: %s", plural(broken, level+" case fails", level+" cases fail"))
	case len(r.Stale) > 0:
		set(ExitStale, "the known-failures file is stale: %s", r.Stale[0].Text)
	case r.stop != "":
		set(ExitInconclusive, "could not tell: %s", r.Stopped)
	case untold > 0:
		set(ExitInconclusive, "could not tell: %s", plural(untold, "case is inconclusive", "cases are inconclusive"))
	case judged == 0:
		set(ExitInconclusive, "could not tell: no case was judged")
	case !r.Controlled && r.Only == "":
		set(ExitInconclusive, "could not tell: no good request was accepted, so no refusal is confirmed; allow a write with --max-writes 1")
	case r.Only != "":
		set(ExitFine, "%s is answered as the page asks", r.Only)
	default:
		set(ExitFine, "the target keeps to the page: %s", plural(judged, "case passes", "cases pass"))
	}
	if left := n(Must, KnownFailure) + n(Should, KnownFailure); left > 0 && r.Exit == ExitFine {
		r.Verdict = fmt.Sprintf("nothing new: %s, %s", plural(judged-left, "case passes", "cases pass"), plural(left, "fails as known", "fail as known"))
	}
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
