package testsuite

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"log"
	"net/url"
	"regexp"
	"sort"
	"strings"
	"sync"

	"github.com/seed47566266/understudy/fixtures"
)

// hidden stands where a secret was.
const hidden = "[hidden]"

// discardLog is for servers of a Handler: what it panics with is in no output.
var discardLog = log.New(io.Discard, "", 0)

// redactor takes secrets out of text: whatever a run shows or keeps goes through
// it first.
type redactor struct {
	mu      sync.RWMutex
	secrets []string // the longest first
	members []member
}

// member finds the values of a member of the page, and what stands for them.
type member struct {
	value *regexp.Regexp
	with  string
}

func newRedactor(c *Config, base *url.URL) *redactor {
	h := &redactor{}
	for _, x := range c.Headers {
		h.add(x.Value)
		if _, secret, found := strings.Cut(x.Value, " "); found {
			h.add(secret) // Bearer …
		}
	}
	for _, s := range c.Secrets {
		h.add(s)
	}
	if base.User != nil {
		password, _ := base.User.Password()
		h.add(password)
		h.add(base.User.Username() + ":" + password)
		h.add(base64.StdEncoding.EncodeToString([]byte(base.User.Username() + ":" + password)))
	}
	for _, name := range c.Redact {
		for _, value := range c.fixedTo(name) {
			h.add(value)
		}
		// The value of a member in JSON, its text possibly cut off, in JSON that is
		// text of JSON, and in a form.
		quoted := regexp.QuoteMeta(name)
		h.members = append(h.members,
			member{regexp.MustCompile(`(?is)("` + quoted + `"\s*:\s*)("(?:[^"\\]|\\.)*"?|\[[^\]]*\]?|\{[^}]*\}?|[^\s,}\]"]+)`), `${1}"` + hidden + `"`},
			member{regexp.MustCompile(`(?is)(\\+"` + quoted + `\\+"\s*:\s*\\+")[^"]*?(\\+"|$)`), `${1}` + hidden + `${2}`},
			member{regexp.MustCompile(`(?i)((?:^|[&?.])` + quoted + `=)([^&\s"]+)`), `${1}` + hidden})
	}
	return h
}

// shortest is the shortest text that is taken for a secret: a shorter one would
// take half of every report with it.
const shortest = 4

// add makes a text secret, in each spelling that an answer may echo it in.
func (h *redactor) add(secret string) {
	if len(secret) < shortest {
		return
	}
	quoted, _ := json.Marshal(secret) // a string is always JSON
	h.mu.Lock()
	defer h.mu.Unlock()
	spellings := []string{secret, strings.Trim(string(quoted), `"`), url.QueryEscape(secret), url.PathEscape(secret),
		base64.StdEncoding.EncodeToString([]byte(secret)), strings.ToLower(secret), strings.ToUpper(secret)}
	h.secrets = append(h.secrets, spellings...)
	sort.SliceStable(h.secrets, func(i, j int) bool { return len(h.secrets[i]) > len(h.secrets[j]) })
}

// text is a text without secrets.
func (h *redactor) text(s string) string {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, secret := range h.secrets {
		s = strings.ReplaceAll(s, secret, hidden)
	}
	for _, m := range h.members {
		s = m.value.ReplaceAllString(s, m.with)
	}
	return s
}

// beginning is as much of a body as a record can keep of it, without secrets. It
// is cut behind that, so that no secret is cut in two and its half kept.
func (h *redactor) beginning(body []byte) []byte {
	return []byte(h.text(string(body[:min(len(body), 2*kept)])))
}

// request is a request without secrets; of a long body only the beginning.
func (h *redactor) request(r fixtures.Request) fixtures.Request {
	r.Path = h.text(r.Path)
	r.Body = h.beginning(r.Body)
	if r.Raw != nil {
		r.Raw = h.beginning(r.Raw)
	}
	headers := make([]fixtures.Header, len(r.Headers))
	for i, x := range r.Headers {
		headers[i] = fixtures.Header{Name: x.Name, Value: h.text(x.Value)}
	}
	r.Headers = headers
	return r
}
