package testsuite

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// Meaning is what the target's responses mean.
type Meaning struct {
	// Accept are the statuses that mean accepted, a list such as "200,201" or "2xx";
	// empty is "2xx".
	Accept string
	// Reject are the statuses that mean rejected; empty is "400,422".
	Reject string
	// RejectedWhen marks rejections among responses below 300, for servers that say in
	// the body whether it went well: a JSON pointer and a value, such as
	// "/success=false".
	RejectedWhen string
}

// meaning reads what a response means.
type meaning struct {
	accepted, rejected statuses
	pointer, value     string // of RejectedWhen
}

func newMeaning(m *Meaning) (*meaning, error) {
	out := &meaning{accepted: statuses{{200, 299}}, rejected: statuses{{400, 400}, {422, 422}}}
	var err error
	if m.Accept != "" {
		if out.accepted, err = parseStatuses(m.Accept); err != nil {
			return nil, &ConfigError{"Meaning.Accept", err.Error()}
		}
	}
	if m.Reject != "" {
		if out.rejected, err = parseStatuses(m.Reject); err != nil {
			return nil, &ConfigError{"Meaning.Reject", err.Error()}
		}
	}
	for status := 100; status <= 599; status++ {
		if out.accepted.has(status) && out.rejected.has(status) {
			return nil, &ConfigError{"Meaning.Reject",
				fmt.Sprintf("%d means both accepted and rejected: leave it out of one", status)}
		}
	}
	if m.RejectedWhen != "" {
		pointer, value, found := strings.Cut(m.RejectedWhen, "=")
		out.pointer, out.value = pointer, value
		if !found || !strings.HasPrefix(pointer, "/") {
			return nil, &ConfigError{
				"Meaning.RejectedWhen",
				fmt.Sprintf("invalid condition %q: use a JSON pointer and a value, such as /success=false",
					m.RejectedWhen),
			}
		}
	}
	return out, nil
}

// saysRejected reports a response whose body says that it is a rejection.
func (m *meaning) saysRejected(a *response) bool {
	return m.pointer != "" && a.status < 300 && valueAt(a.body, m.pointer) == m.value
}

// statuses are ranges of HTTP statuses, both ends included.
type statuses [][2]int

// parseStatuses reads a list such as "200,201", "2xx" or "400-422".
func parseStatuses(text string) (statuses, error) {
	var all statuses
	for _, part := range strings.Split(text, ",") {
		part = strings.TrimSpace(part)
		low, high, isRange := strings.Cut(part, "-")
		if strings.HasSuffix(strings.ToLower(part), "xx") {
			low, high, isRange = part[:len(part)-2]+"00", part[:len(part)-2]+"99", true
		}
		if !isRange {
			high = low
		}
		a, errA := strconv.Atoi(low)
		b, errB := strconv.Atoi(high)
		if errA != nil || errB != nil || a < 100 || b > 599 || a > b {
			return nil, fmt.Errorf("invalid status %q: use a list such as 200,201 or 2xx or 400-422", part)
		}
		all = append(all, [2]int{a, b})
	}
	return all, nil
}

func (s statuses) has(status int) bool {
	for _, r := range s {
		if status >= r[0] && status <= r[1] {
			return true
		}
	}
	return false
}

func (s statuses) String() string {
	var parts []string
	for _, r := range s {
		switch {
		case r[0] == r[1]:
			parts = append(parts, strconv.Itoa(r[0]))
		case r[0]%100 == 0 && r[1] == r[0]+99:
			parts = append(parts, strconv.Itoa(r[0]/100)+"xx")
		default:
			parts = append(parts, strconv.Itoa(r[0])+"-"+strconv.Itoa(r[1]))
		}
	}
	if n := len(parts); n > 1 {
		return strings.Join(parts[:n-1], ", ") + " or " + parts[n-1]
	}
	return strings.Join(parts, "")
}

// reading is what a response means.
type reading string

const (
	// readingAccepted is a response of the endpoint that accepted the request.
	readingAccepted reading = "accepted"
	// readingRejected is one that rejected it.
	readingRejected reading = "rejected"
	// readingError is a server error.
	readingError reading = "server error"
	// readingOther is another status than those that mean something.
	readingOther reading = "other status"
	// readingUnclear is a response of something other than the endpoint, or none.
	readingUnclear reading = "unclear"
)

// unclearKind is why a response is unclear. Limits count by it.
type unclearKind int

const (
	notUnclear       unclearKind = iota
	unclearSilent                // no response
	unclearBroken                // a response that breaks off
	unclearLate                  // no response in time
	unclearUpgrade               // another protocol
	unclearPage                  // an HTML page
	unclearRedirect              // 3xx
	unclearBusy                  // 429, or 503 with Retry-After
	unclearCaller                // 401
	unclearForbidden             // 403
	unclearProxy                 // 407
	unclearWait                  // 408
	unclearDown                  // every request gets one server error
	unclearPath                  // every request gets 404 or 410
)

// observe settles what a response means, while all of it is there.
func (m *meaning) observe(a *response, hide *redactor) {
	var why string
	a.reading, a.kind, why = m.read(a)
	a.why = hide.short(why, longestReason)
}

// longestReason is the most characters that a report shows of a reason, which may
// repeat what a server says.
const longestReason = 500

// read says what a response means, and why if it is unclear.
func (m *meaning) read(a *response) (r reading, kind unclearKind, why string) {
	unclear := func(kind unclearKind, format string, args ...any) (reading, unclearKind, string) {
		return readingUnclear, kind, fmt.Sprintf(format, args...)
	}
	switch {
	case a.late:
		return unclear(unclearLate, "%s", a.problem)
	case a.problem != "" && a.status == 0:
		return unclear(unclearSilent, "%s", a.problem)
	case a.problem != "":
		return unclear(unclearBroken, "%s", a.problem)
	case a.status == http.StatusSwitchingProtocols:
		return unclear(unclearUpgrade, "101: unrequested protocol switch")
	case m.saysRejected(a):
		return readingRejected, notUnclear, ""
	case m.accepted.has(a.status) && isHTMLDocument(a):
		return unclear(unclearPage, "%d with an HTML page, probably a log-in or error page", a.status)
	case m.accepted.has(a.status):
		return readingAccepted, notUnclear, ""
	case m.rejected.has(a.status):
		return readingRejected, notUnclear, ""
	case a.status >= 300 && a.status <= 399:
		where := a.header.Get("Location")
		return unclear(unclearRedirect, "%d redirects to %q, which is not followed", a.status, where)
	case a.status == http.StatusServiceUnavailable && a.header.Get("Retry-After") != "":
		return unclear(unclearBusy, "503 and Retry-After: the server is temporarily unavailable")
	case a.status >= 500:
		return readingError, notUnclear, ""
	}
	switch a.status {
	case http.StatusUnauthorized:
		return unclear(unclearCaller,
			"401: authentication required; give --header, --bearer-env, --bearer-cmd or --basic-env")
	case http.StatusForbidden:
		return unclear(unclearForbidden, "403: the caller has no permission, or a firewall rejects the request")
	case http.StatusProxyAuthRequired:
		return unclear(unclearProxy, "407: proxy authentication required")
	case http.StatusRequestTimeout:
		return unclear(unclearWait, "408: the server did not wait for the request")
	case http.StatusTooManyRequests:
		return unclear(unclearBusy, "429: too many requests; give a lower --rate")
	}
	return readingOther, notUnclear, ""
}

// effect is what a response says of the target's data. For the limits and the ledger
// a status that no flag names counts too: see meaning.effect.
type effect string

const (
	// effectNone is a rejection: the target says that it did not do it.
	effectNone effect = "none"
	// effectWritten is 2xx, or a status that counts as accepted.
	effectWritten effect = "written"
	// effectUnknown is everything else: no response, a redirect as after a booking,
	// a page for people, a server error, so the effect is unknown.
	effectUnknown effect = "unknown"
)

// effect of a request that was sent. A client error (RFC 9110, section 15.5), a
// method that is not implemented and a version that is not supported are
// rejections by what HTTP says of them.
func (m *meaning) effect(a *response) effect {
	switch {
	case a.status == 0:
		return effectUnknown
	case a.reading == readingRejected, m.rejected.has(a.status) && !m.accepted.has(a.status):
		return effectNone
	case a.kind == unclearPage:
		return effectUnknown
	case m.accepted.has(a.status), a.status >= 200 && a.status <= 299:
		return effectWritten
	case a.status >= 400 && a.status <= 499,
		a.status == http.StatusNotImplemented, a.status == http.StatusHTTPVersionNotSupported:
		return effectNone
	}
	return effectUnknown
}

// isHTMLDocument reports a page of HTML, which no endpoint of data responds with:
// text that begins as one, or that says that it is HTML and has a page's elements.
func isHTMLDocument(a *response) bool {
	const enough = 16 << 10
	start := bytes.ToLower(bytes.TrimSpace(bytes.TrimPrefix(a.body[:min(len(a.body), enough)], []byte("\uFEFF"))))
	if bytes.HasPrefix(start, []byte("<!doctype html")) || bytes.HasPrefix(start, []byte("<html")) {
		return true
	}
	if kind := mediaOf(a.header.Get("Content-Type")); kind != "text/html" && kind != "application/xhtml+xml" {
		return false
	}
	for _, element := range []string{"<!doctype", "<html", "<head", "<title", "<body", "<form"} {
		if bytes.Contains(start, []byte(element)) {
			return true
		}
	}
	return false
}
