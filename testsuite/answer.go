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
	// Body is the first MaxAnswer bytes; Cut says that there were more.
	Body []byte
	Cut  bool
	// Problem says why there is no answer, or not a whole one. Status is 0 then,
	// unless the answer had begun.
	Problem string

	late bool // it did not come in time
}

// MaxAnswer is how many bytes of an answer are read.
const MaxAnswer = 4 << 20

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

// read says what an answer means, and why if it is unclear.
func (c *Config) read(a *Answer) (reading, string) {
	switch {
	case a.Problem != "":
		return unclearAnswer, a.Problem
	case c.IsRefusal != nil && c.IsRefusal(a):
		return refusedIt, ""
	case c.Accepted.has(a.Status) && isHTMLDocument(a):
		return unclearAnswer, fmt.Sprintf("%d with an HTML page, as a log-in or error page is", a.Status)
	case c.Accepted.has(a.Status):
		return tookIt, ""
	case c.Refused.has(a.Status):
		return refusedIt, ""
	case a.Status >= 300 && a.Status <= 399:
		return unclearAnswer, fmt.Sprintf("%d redirects to %q, which is not followed", a.Status, a.Header.Get("Location"))
	case a.Status == http.StatusServiceUnavailable && a.Header.Get("Retry-After") != "":
		return unclearAnswer, "503 and Retry-After: the server is not there for now"
	case a.Status >= 500:
		return brokeDown, ""
	}
	switch a.Status {
	case http.StatusUnauthorized:
		return unclearAnswer, "401: it asks who is calling; give --header, --bearer-env, --bearer-cmd or --basic-env"
	case http.StatusForbidden:
		return unclearAnswer, "403: the caller may not, or a firewall does not want it"
	case http.StatusProxyAuthRequired:
		return unclearAnswer, "407: a proxy asks who is calling"
	case http.StatusRequestTimeout:
		return unclearAnswer, "408: the server did not wait for the request"
	case http.StatusTooManyRequests:
		return unclearAnswer, "429: too many requests; give a lower --rate"
	}
	return otherStatus, ""
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

// valueAt is what a JSON pointer (RFC 6901) leads to in an answer, as text; empty
// if it leads nowhere.
func valueAt(body []byte, pointer string) string {
	var v any
	if pointer == "" || json.Unmarshal(body, &v) != nil {
		return ""
	}
	for _, step := range strings.Split(strings.TrimPrefix(pointer, "/"), "/") {
		step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
		switch at := v.(type) {
		case map[string]any:
			v = at[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(at) {
				return ""
			}
			v = at[i]
		default:
			return ""
		}
	}
	if text, ok := v.(string); ok {
		return text
	}
	if v == nil {
		return ""
	}
	text, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(text)
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
