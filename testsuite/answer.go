package testsuite

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// Answer is what came back for a request.
type Answer struct {
	Status int
	Header http.Header
	// Body is the first MaxAnswer bytes; Cut says that there were more. It is not
	// to be kept: its memory serves the next response.
	Body []byte
	Cut  bool
	// Problem says why there is no response, or not a whole one. Status is 0 then,
	// unless the response had begun.
	Problem string

	length int         // of the body, as far as it was read
	late   bool        // it did not come in time
	closed bool        // the target ended the connection in place of a response
	said   reading     // what it means
	kind   unclearKind // of what is unclear
	why    string      // it is unclear; without secrets, and short
	token  int         // that the request went with, by number
	// controlAnswered says that a valid request right after this one, which got no
	// response, was accepted: the target is there.
	controlAnswered bool
}

// MaxAnswer is how many bytes of a response's body are read. Parallel times this
// is the memory that responses take.
const MaxAnswer = 1 << 20

// Statuses are ranges of HTTP statuses, both ends included.
type Statuses [][2]int

// ParseStatuses reads a list such as "200,201", "2xx" or "400-422".
func ParseStatuses(text string) (Statuses, error) {
	var all Statuses
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
			return nil, fmt.Errorf("%q is no status: use a list such as 200,201 or 2xx or 400-422", part)
		}
		all = append(all, [2]int{a, b})
	}
	return all, nil
}

func (s Statuses) has(status int) bool {
	for _, r := range s {
		if status >= r[0] && status <= r[1] {
			return true
		}
	}
	return false
}

func (s Statuses) String() string {
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

// reading is what an answer says.
type reading string

const (
	// tookIt is an answer of the endpoint that took the request.
	tookIt reading = "accepted"
	// refusedIt is one that did not.
	refusedIt reading = "refused"
	// brokeDown is a server error.
	brokeDown reading = "server error"
	// otherStatus is another status than those that mean something.
	otherStatus reading = "other status"
	// unclearAnswer is an answer of something else than the endpoint, or none.
	unclearAnswer reading = "unclear"
)

// unclearKind is why a response is unclear. Limits count by it.
type unclearKind int

const (
	notUnclear unclearKind = iota
	unclearSilent
	unclearBroken // off
	unclearLate
	unclearUpgrade
	unclearPage
	unclearRedirect
	unclearBusy // 503 or 429
	unclearCaller
	unclearForbidden
	unclearProxy
	unclearWait
	unclearDown
	unclearPath
)

// observe settles what a response means, while all of it is there.
func (c *Config) observe(a *Answer, hide *redactor) {
	var why string
	a.said, a.kind, why = c.read(a)
	a.why = hide.short(why, longestReason)
}

// longestReason is the most characters that a report shows of a reason, which may
// repeat what a server says.
const longestReason = 500

// read says what a response means, and why if it is unclear.
func (c *Config) read(a *Answer) (said reading, kind unclearKind, why string) {
	unclear := func(kind unclearKind, format string, args ...any) (reading, unclearKind, string) {
		return unclearAnswer, kind, fmt.Sprintf(format, args...)
	}
	switch {
	case a.late:
		return unclear(unclearLate, "%s", a.Problem)
	case a.Problem != "" && a.Status == 0:
		return unclear(unclearSilent, "%s", a.Problem)
	case a.Problem != "":
		return unclear(unclearBroken, "%s", a.Problem)
	case a.Status == http.StatusSwitchingProtocols:
		return unclear(unclearUpgrade, "101: it changes to another protocol, which nobody asked for")
	case c.IsRefusal != nil && c.IsRefusal(a):
		return refusedIt, notUnclear, ""
	case c.Accepted.has(a.Status) && isHTMLDocument(a):
		return unclear(unclearPage, "%d with an HTML page, as a log-in or error page is", a.Status)
	case c.Accepted.has(a.Status):
		return tookIt, notUnclear, ""
	case c.Refused.has(a.Status):
		return refusedIt, notUnclear, ""
	case a.Status >= 300 && a.Status <= 399:
		where := a.Header.Get("Location")
		return unclear(unclearRedirect, "%d redirects to %q, which is not followed", a.Status, where)
	case a.Status == http.StatusServiceUnavailable && a.Header.Get("Retry-After") != "":
		return unclear(unclearBusy, "503 and Retry-After: the server is not there for now")
	case a.Status >= 500:
		return brokeDown, notUnclear, ""
	}
	switch a.Status {
	case http.StatusUnauthorized:
		return unclear(unclearCaller, "401: it asks who is calling; give --header, --bearer-env, --bearer-cmd or --basic-env")
	case http.StatusForbidden:
		return unclear(unclearForbidden, "403: the caller may not, or a firewall does not want it")
	case http.StatusProxyAuthRequired:
		return unclear(unclearProxy, "407: a proxy asks who is calling")
	case http.StatusRequestTimeout:
		return unclear(unclearWait, "408: the server did not wait for the request")
	case http.StatusTooManyRequests:
		return unclear(unclearBusy, "429: too many requests; give a lower --rate")
	}
	return otherStatus, notUnclear, ""
}

// effect is what a response says of the target's data. For the limits and the ledger
// a status that no flag names counts too: see Config.effect.
type effect string

const (
	// effectNone is a rejection: the target says that it did not do it.
	effectNone effect = "none"
	// effectWritten is 2xx, or a status that counts as accepted.
	effectWritten effect = "written"
	// effectUnknown is everything else: no response, a redirect as after a booking,
	// a page for people, a server error after who knows what.
	effectUnknown effect = "unknown"
)

// effect of a request that was sent. A client error (RFC 9110, section 15.5), a
// method that is not implemented and a version that is not supported are
// rejections by what HTTP says of them.
func (c *Config) effect(a *Answer) effect {
	switch {
	case a.Status == 0:
		return effectUnknown
	case a.said == refusedIt, c.Refused.has(a.Status) && !c.Accepted.has(a.Status):
		return effectNone
	case a.kind == unclearPage:
		return effectUnknown
	case c.Accepted.has(a.Status), a.Status >= 200 && a.Status <= 299:
		return effectWritten
	case a.Status >= 400 && a.Status <= 499,
		a.Status == http.StatusNotImplemented, a.Status == http.StatusHTTPVersionNotSupported:
		return effectNone
	}
	return effectUnknown
}

// isHTMLDocument reports a page of HTML, which no endpoint of data answers with:
// text that begins as one, or that says that it is HTML and has a page's elements.
func isHTMLDocument(a *Answer) bool {
	const enough = 16 << 10
	start := bytes.ToLower(bytes.TrimSpace(bytes.TrimPrefix(a.Body[:min(len(a.Body), enough)], []byte("\uFEFF"))))
	if bytes.HasPrefix(start, []byte("<!doctype html")) || bytes.HasPrefix(start, []byte("<html")) {
		return true
	}
	if kind := mediaOf(a.Header.Get("Content-Type")); kind != "text/html" && kind != "application/xhtml+xml" {
		return false
	}
	for _, element := range []string{"<!doctype", "<html", "<head", "<title", "<body", "<form"} {
		if bytes.Contains(start, []byte(element)) {
			return true
		}
	}
	return false
}

// summary says an answer in a few words.
func (a *Answer) summary() string {
	if a.Problem != "" {
		return a.Problem
	}
	text := strconv.Itoa(a.Status)
	if name := http.StatusText(a.Status); name != "" {
		text += " " + name
	}
	if kind := a.Header.Get("Content-Type"); kind != "" && len(a.Body) > 0 {
		text += ", " + kind
	}
	if len(a.Body) == 0 {
		text += ", no body"
	}
	return text
}

// maxParsed is the longest body in bytes that is taken apart: what says that a
// request was rejected, and why, is short.
const maxParsed = 256 << 10

// valueAt is what a JSON pointer (RFC 6901) leads to in a response, as text; empty
// if it leads nowhere. Of a member that is there twice the last one counts.
func valueAt(body []byte, pointer string) string {
	if pointer == "" || len(body) > maxParsed || !json.Valid(body) {
		return ""
	}
	value := json.RawMessage(body)
	for _, step := range strings.Split(strings.TrimPrefix(pointer, "/"), "/") {
		if value = memberOf(value, strings.NewReplacer("~1", "/", "~0", "~").Replace(step)); value == nil {
			return ""
		}
	}
	var text string
	switch {
	case json.Unmarshal(value, &text) == nil:
		return text // null leaves it empty
	case len(value) > longestID:
		value = value[:longestID]
	}
	return string(value)
}

// memberOf finds a member of an object, or an element of an array, without taking
// the rest of it apart: a hostile body has a million. The text is valid JSON.
func memberOf(text json.RawMessage, step string) (found json.RawMessage) {
	d := json.NewDecoder(bytes.NewReader(text))
	open, err := d.Token()
	if err != nil || open != json.Delim('{') && open != json.Delim('[') {
		return nil
	}
	if _, err := strconv.Atoi(step); err != nil && open == json.Delim('[') {
		return nil
	}
	var value json.RawMessage
	for i := 0; d.More(); i++ {
		name := strconv.Itoa(i)
		if open == json.Delim('{') {
			key, err := d.Token()
			if err != nil {
				return nil
			}
			name, _ = key.(string) // a key is one
		}
		if d.Decode(&value) != nil {
			return nil
		}
		if name == step {
			found = bytes.Clone(value)
		}
	}
	return found
}

// RefusedWhen makes a Config's IsRefusal for servers that answer 200 and say in
// the body whether it went well: an answer is a refusal if the JSON pointer leads
// to the value, as in "/success=false".
func RefusedWhen(condition string) (func(*Answer) bool, error) {
	pointer, value, found := strings.Cut(condition, "=")
	if !found || !strings.HasPrefix(pointer, "/") {
		return nil, fmt.Errorf("%q is no condition: use a JSON pointer and a value, such as /success=false", condition)
	}
	return func(a *Answer) bool { return a.Status < 300 && valueAt(a.Body, pointer) == value }, nil
}
