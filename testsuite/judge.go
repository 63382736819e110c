package testsuite

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/oracle"
	"github.com/seed47566266/understudy/fixtures"
)

// Verdict is what became of a case.
type Verdict string

const (
	// VerdictPass was responded to as expected.
	VerdictPass Verdict = "pass"
	// VerdictFail was not.
	VerdictFail Verdict = "fail"
	// VerdictKnownFailure fails as the known-failures file says.
	VerdictKnownFailure Verdict = "known failure"
	// VerdictUnexpectedPass is listed in the known-failures file, and passes.
	VerdictUnexpectedPass Verdict = "unexpected pass"
	// VerdictFlaky failed once and passed once.
	VerdictFlaky Verdict = "flaky"
	// VerdictSkipped was not sent, for the reason given.
	VerdictSkipped Verdict = "skipped"
	// VerdictInconclusive got a response, or none, that proves nothing about the rule.
	VerdictInconclusive Verdict = "inconclusive"
	// VerdictError is an internal error of the suite.
	VerdictError Verdict = "error"
)

// Failure is the way in which a case failed; the known-failures file names it.
type Failure string

const (
	// FailureAccepted means that a request was accepted that should have been rejected.
	FailureAccepted Failure = "accepted"
	// FailureRejected means that one was rejected that should have been accepted.
	FailureRejected Failure = "rejected"
	// FailureServerError is a server error, which no request should get.
	FailureServerError Failure = "server error"
	// FailureNoResponse means that the target dropped the connection.
	FailureNoResponse Failure = "no response"
	// FailureDied means that the target died at the request, or right after its response.
	FailureDied Failure = "died"
	// FailureStatus is a status that means neither accepted nor rejected.
	FailureStatus Failure = "wrong status"
	// FailureContent means that a response's body or header is not as expected.
	FailureContent Failure = "wrong content"
)

// breaksTarget reports a failure that no request should get, whatever it is.
func breaksTarget(f Failure) bool {
	return f == FailureServerError || f == FailureNoResponse || f == FailureDied
}

// judgement is a case's verdict on one response.
type judgement struct {
	verdict   Verdict
	failure   Failure
	reason    string
	confirmed bool
	// level is that of a failure which every request can have, and decides where it asks
	// more than the case does; empty where the case's own level counts.
	level fixtures.Level
}

func failed(f Failure, format string, args ...any) judgement {
	return judgement{verdict: VerdictFail, failure: f, reason: fmt.Sprintf(format, args...)}
}

// broke is the failure of a target that a request breaks, whatever was expected of it.
func broke(f Failure, level fixtures.Level, format string, args ...any) judgement {
	j := failed(f, format, args...)
	j.level = level
	return j
}

func unclear(reason string) judgement { return judgement{verdict: VerdictInconclusive, reason: reason} }

// judge gives cases their verdicts.
type judge struct {
	operation *contracts.Operation
	meaning   *meaning
}

// judge is the verdict of a case on a response. confirmed marks that the control of the
// case was accepted in the same run.
func (j *judge) judge(x *Case, a *response, confirmed bool) judgement {
	if x.Aspect != AspectOutcome {
		return j.aspect(x, a, confirmed)
	}
	said, reason := a.reading, a.why
	switch {
	case a.after == afterSilent:
		return broke(FailureDied, fixtures.LevelMust, "%s, and no request after it got a response", reason)
	case a.after == afterAccepted && a.late && x.Expect == oracle.OutcomeUnspecified:
		return broke(FailureNoResponse, fixtures.LevelShould, "%s, and the control right after it was accepted", reason)
	case a.after == afterAccepted:
		return broke(FailureNoResponse, fixtures.LevelMust, "%s, and the control right after it was accepted", reason)
	}
	switch x.Expect {
	case oracle.OutcomeAccept:
		return j.accept(a, said, reason, confirmed)
	case oracle.OutcomeReject:
		return j.reject(x, a, said, reason, confirmed)
	}
	if said == readingError && !j.unsupported(x, a.status) {
		return broke(FailureServerError, fixtures.LevelShould, "server error: %d", a.status)
	}
	if a.status == 0 && x.Request.Raw == nil && reason != "" {
		return unclear(reason)
	}
	if reason != "" {
		return judgement{verdict: VerdictPass, reason: "the page leaves it open; the target: " + reason}
	}
	return judgement{
		verdict: VerdictPass,
		reason:  fmt.Sprintf("the page leaves it open; the target: %s (%d)", said, a.status),
	}
}

// unsupported reports a status with which a server says that it does not know what it is asked
// for: a method or a transfer coding (501), or a version of HTTP (505; RFC 9110, section 15.6).
func (j *judge) unsupported(x *Case, status int) bool {
	raw := x.Request.Raw != nil
	return status == http.StatusNotImplemented && (raw || x.Request.Method != j.operation.Method) ||
		status == http.StatusHTTPVersionNotSupported && raw
}

func (j *judge) accept(a *response, said reading, reason string, confirmed bool) judgement {
	switch said {
	case readingAccepted:
		return judgement{verdict: VerdictPass, confirmed: true}
	case readingRejected:
		return failed(FailureRejected, "it was rejected with %d", a.status)
	case readingUnclear:
		return unclear(reason)
	case readingError:
		if confirmed {
			return failed(FailureServerError, "%d: server error on a valid request, whose control was accepted",
				a.status)
		}
		return unclear(fmt.Sprintf("%d: server error on a valid request", a.status))
	}
	switch a.status {
	case http.StatusUnsupportedMediaType:
		return failed(FailureRejected, "it was rejected with %d: the target does not take the media type", a.status)
	case http.StatusNotFound, http.StatusGone:
		return unclear(fmt.Sprintf("%d: the target has no such path, or no such id", a.status))
	case http.StatusPaymentRequired,
		http.StatusConflict, http.StatusPreconditionFailed, http.StatusLocked, http.StatusFailedDependency,
		http.StatusPreconditionRequired,
		http.StatusUnavailableForLegalReasons:
		return unclear(fmt.Sprintf("%d: this depends on the server's data, not on the page", a.status))
	}
	return failed(FailureStatus, "the response was %d, not %s", a.status, j.meaning.accepted)
}

func (j *judge) reject(x *Case, a *response, said reading, reason string, confirmed bool) judgement {
	pass := judgement{verdict: VerdictPass, confirmed: confirmed}
	if !confirmed {
		pass.reason = "unconfirmed: its control was not accepted in this run, so anything may have been rejected"
	}
	switch said {
	case readingRejected:
		return pass
	case readingAccepted:
		return failed(FailureAccepted, "it was accepted with %d", a.status)
	case readingUnclear:
		if confirmed && rejectsByStatus(x, a.status) {
			return pass
		}
		if x.Request.Raw != nil && a.closed {
			pass.reason = strings.TrimPrefix(pass.reason+"; the connection was closed, as it may be", "; ")
			return pass
		}
		return unclear(reason)
	}
	if rejectsByStatus(x, a.status) && (confirmed || a.status != http.StatusNotFound) {
		return pass
	}
	if said == readingError {
		return failed(FailureServerError, "server error: %d", a.status)
	}
	if !confirmed && (a.status == http.StatusNotFound || a.status == http.StatusGone) {
		return unclear(fmt.Sprintf("%d: there may be no such path at the target", a.status))
	}
	return failed(FailureStatus, "it was rejected with %d, not %s", a.status, j.meaning.rejected)
}

// recovered judges a case. A panic on what a server sent is an error of the suite, and of
// this case alone.
func (j *judge) recovered(x *Case, a *response, confirmed bool) (out judgement) {
	defer func() {
		if problem := recover(); problem != nil {
			out = judgement{verdict: VerdictError, reason: fmt.Sprint("internal error: ", problem)}
		}
	}()
	return j.judge(x, a, confirmed)
}

// rejectsByStatus reports that another status rejects a case for what is wrong with
// it, as HTTP has it.
func rejectsByStatus(x *Case, status int) bool {
	kind, raw := x.Request.Header("Content-Type"), x.Request.Raw != nil
	breaks := func(kind contracts.RuleKind) bool {
		return slices.ContainsFunc(x.made.Breaks, func(id contracts.RuleID) bool { return id.Kind == kind })
	}
	switch status {
	case http.StatusForbidden:
		return breaks(contracts.RuleMethod) // hosts and firewalls know few methods
	case http.StatusMethodNotAllowed, http.StatusNotFound, http.StatusNotImplemented:
		return breaks(contracts.RuleMethod) || breaks(contracts.RuleRoute) || raw
	case http.StatusHTTPVersionNotSupported, http.StatusMisdirectedRequest, http.StatusRequestURITooLong:
		return raw
	case http.StatusUnsupportedMediaType:
		return kind != x.Media
	case http.StatusRequestEntityTooLarge:
		return len(x.Request.Body) > largeBody
	case http.StatusLengthRequired, http.StatusExpectationFailed, http.StatusRequestHeaderFieldsTooLarge:
		return raw
	}
	return false
}

// aspect looks at how a response is made.
func (j *judge) aspect(x *Case, a *response, confirmed bool) judgement {
	said, reason := a.reading, a.why
	switch {
	case a.after != afterUnknown:
		return judgement{verdict: VerdictSkipped, reason: "the request got no response"}
	case said == readingUnclear:
		return unclear(reason)
	}
	rejected := said == readingRejected || x.Expect == oracle.OutcomeReject && rejectsByStatus(x, a.status)
	if x.Expect == oracle.OutcomeReject && !rejected {
		return judgement{
			verdict: VerdictSkipped,
			reason:  "the request was not rejected, so there is no rejection to look at",
		}
	}
	if x.Expect == oracle.OutcomeAccept && said != readingAccepted {
		return judgement{
			verdict: VerdictSkipped,
			reason:  "the request was not accepted, so there is no response to look at",
		}
	}
	pass := judgement{verdict: VerdictPass, confirmed: confirmed}
	switch x.Aspect {
	case AspectStatus:
		if a.status != x.status {
			return failed(FailureStatus, "the status is %d, not %d", a.status, x.status)
		}
	case AspectAllow:
		allow := strings.Join(a.header.Values("Allow"), ", ")
		for _, m := range strings.Split(allow, ",") {
			if strings.TrimSpace(m) == j.operation.Method {
				return pass
			}
		}
		return failed(FailureContent, "Allow is %q and does not list %s", allow, j.operation.Method)
	case AspectModelState:
		if problem := modelStateProblem(a.body); problem != "" {
			return failed(FailureContent, "%s", problem)
		}
	case AspectNamed:
		if !strings.Contains(strings.ToLower(string(a.body[:min(len(a.body), maxParsed)])),
			strings.ToLower(x.mentions)) {
			return failed(FailureContent, "the response does not name the field")
		}
	case AspectFormat:
		if problem := j.formatProblem(a); problem != "" {
			return failed(FailureContent, "%s", problem)
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
		return "the body is not a JSON object with a Message and a ModelState of lists of text"
	case shape.Message == nil:
		return "the body has no Message"
	case len(shape.ModelState) == 0:
		return "the body has no ModelState"
	}
	return ""
}

// formatProblem says what is wrong with the format of a response's body.
func (j *judge) formatProblem(a *response) string {
	if len(a.body) == 0 {
		return ""
	}
	kind := mediaOf(a.header.Get("Content-Type"))
	var listed []string
	for _, f := range j.operation.Response.Formats {
		listed = append(listed, f.MediaType)
		if f.MediaType == kind {
			if strings.HasSuffix(kind, "/json") && !a.cut && !json.Valid(bytes.TrimPrefix(a.body, []byte("\uFEFF"))) {
				return "the body is declared as " + kind + " and is not JSON"
			}
			return ""
		}
	}
	if kind == "" {
		return "the body has no Content-Type; the page lists " + strings.Join(listed, ", ")
	}
	return fmt.Sprintf("the body is %s; the page lists %s", kind, strings.Join(listed, ", "))
}

// expected is what a case expects of a response.
func (j *judge) expected(x *Case) string {
	switch x.Aspect {
	case AspectStatus:
		return fmt.Sprintf("status %d", x.status)
	case AspectAllow:
		return "an Allow header with " + j.operation.Method
	case AspectModelState:
		return "a body with a Message and a ModelState"
	case AspectNamed:
		return "an error that names " + x.mentions
	case AspectFormat:
		var listed []string
		for _, f := range j.operation.Response.Formats {
			listed = append(listed, f.MediaType)
		}
		return "no body, or one in " + strings.Join(listed, " or ")
	}
	switch x.Expect {
	case oracle.OutcomeAccept:
		return "accepted, with " + j.meaning.accepted.String()
	case oracle.OutcomeReject:
		return "rejected, with " + j.meaning.rejected.String()
	}
	return "any response"
}
