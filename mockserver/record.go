package mockserver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/seed47566266/understudy/mockserver/store"
)

// HiddenValue stands for what the journal must not hold.
const HiddenValue = "[hidden]"

func scheme(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

// record puts the exchange into the journal.
func (s *Server) record(x *exchange) error {
	x.took = time.Since(x.began)
	s.metrics.count(x)
	if x.passedOn != nil {
		s.agree(x)
	}
	if !s.store.Enabled() && s.journalFile == nil && s.observe == nil {
		return nil
	}
	resp := &x.response
	e := &store.Entry{
		Time: x.began, Session: x.session, Method: x.r.Method, Target: hideQuery(x.request.Target),
		Scheme: x.request.Scheme,
		Host:   x.r.Host, Client: x.r.RemoteAddr, Header: hideHeaders(x.r.Header), BodyBytes: len(x.request.Body),
		Body: s.hide.body(x.request.Body, x.r.Header.Get("Content-Type")), Outcome: x.outcome(),
		Violations: resp.Violations, Broken: resp.Broken, Notes: x.notes, Fault: string(x.fault),
		Delay: x.delay, Took: x.took, Upstream: x.passedOn,
	}
	if x.matched() {
		e.Operation = x.operation.ID
	}
	for i := range x.applied {
		e.Scenarios = append(e.Scenarios, store.Applied{Name: x.applied[i].Name, Why: x.applied[i].why})
	}
	if x.fault == "" || x.fault.ofResponse() {
		e.Status, e.ResponseHeader = resp.Status, hideHeaders(x.w.Header())
		e.ResponseBody = s.hide.body(resp.Body, resp.ContentType)
	}
	if x.r.Header["Origin"] != nil {
		e.Preflight = s.preflights.take(x.r)
	}
	s.append(e)
	return nil
}

// append adds an entry to the journal, and to its file.
func (s *Server) append(e *store.Entry) {
	s.store.Append(e)
	if s.journalFile != nil {
		s.journalFile.append(e)
	}
	if s.observe != nil {
		s.observe(e)
	}
}

// recordPreflight puts a preflight that no request followed into journal and log.
func (s *Server) recordPreflight(e *store.Entry) {
	e.Header = hideHeaders(http.Header(e.Header))
	s.append(e)
	asked := http.Header(e.Header).Get("Access-Control-Request-Method")
	s.log.Info("preflight", "path", printableText(e.Target), "asked", printableText(asked),
		"problem", "no request followed")
}

// matched reports a request to an operation.
func (x *exchange) matched() bool {
	return x.operation.endpoint.Matches(x.request.Target) && strings.EqualFold(x.r.Method, x.operation.Method)
}

func (x *exchange) outcome() store.Outcome {
	accepted := x.response.Status < http.StatusBadRequest
	switch {
	case x.fault != "":
		return store.OutcomeFault
	case x.passedOn != nil && accepted:
		return store.OutcomeAccepted
	case x.passedOn != nil:
		return store.OutcomeRejected
	case x.isReplaced:
		return store.OutcomeScenario
	case x.isAccepted:
		return store.OutcomeAccepted
	}
	return store.OutcomeRejected
}

// plainHeaders are those that nearly every request has, and that hold no secret.
var plainHeaders = map[string]bool{
	"Accept": true, "Accept-Encoding": true, "Accept-Language": true, "Connection": true, "Content-Length": true,
	"Content-Type": true, "Date": true, "Origin": true, "Referer": true, "User-Agent": true,
}

// isSecret reports the name of a header or parameter whose value lets its holder in.
func isSecret(name string) bool {
	name = strings.ToLower(name)
	switch name {
	case "authorization", "proxy-authorization", "cookie", "set-cookie":
		return true
	}
	for _, word := range []string{"token", "secret", "password", "passwd", "api-key", "apikey", "api_key"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

// hideHeaders is a header without secrets; it is the header itself if it has none, since
// net/http makes a new one for each request.
func hideHeaders(h http.Header) store.Header {
	cloned := false
	for name := range h {
		if plainHeaders[name] || !isSecret(name) {
			continue
		}
		if !cloned {
			h, cloned = h.Clone(), true
		}
		h[name] = []string{HiddenValue}
	}
	return store.Header(h)
}

// hideQuery is a target without the secrets of its query.
func hideQuery(target string) string {
	path, query, found := strings.Cut(target, "?")
	if !found {
		return target
	}
	parts := strings.Split(query, "&")
	for i, part := range parts {
		name, _, hasValue := strings.Cut(part, "=")
		if decoded, err := url.QueryUnescape(name); hasValue && (err != nil || isSecret(decoded)) {
			parts[i] = name + "=" + HiddenValue
		}
	}
	return path + "?" + strings.Join(parts, "&")
}

// hider takes the values of some fields out of bodies.
type hider struct{ fields map[string]bool } // in lower case

func (s *Server) newHider(fields []string) (*hider, error) {
	h := &hider{map[string]bool{}}
	var known []string
	for _, o := range s.operations {
		for _, p := range o.Places() {
			known = append(known, p.Field.Name)
		}
	}
	for _, name := range fields {
		found := false
		for _, k := range known {
			found = found || strings.EqualFold(k, name)
		}
		if !found {
			return nil, fmt.Errorf("unknown field %q to hide%s", name, didYouMean(name, known))
		}
		h.fields[strings.ToLower(name)] = true
	}
	return h, nil
}

// maxKeptBody is how many bytes of a body the journal keeps: fifty times the page's sample.
const maxKeptBody = 64 << 10

// body is a copy of the beginning of a body, without the values of hidden fields. One that
// cannot be read, or is long, is hidden whole where there are such fields.
func (h *hider) body(b []byte, contentType string) []byte {
	switch {
	case len(b) == 0:
		return nil
	case len(h.fields) == 0:
		return bytes.Clone(b[:min(len(b), maxKeptBody)])
	case len(b) > maxKeptBody:
		return []byte(HiddenValue)
	}
	if strings.Contains(contentType, "x-www-form-urlencoded") {
		return h.form(b)
	}
	decoder := json.NewDecoder(bytes.NewReader(b))
	decoder.UseNumber()
	var out bytes.Buffer
	if h.json(&out, decoder, false) != nil {
		return []byte(HiddenValue)
	}
	if _, err := decoder.Token(); err == nil {
		return []byte(HiddenValue) // something follows
	}
	return out.Bytes()
}

func (h *hider) form(b []byte) []byte {
	pairs := strings.Split(string(b), "&")
	for i, pair := range pairs {
		name, _, _ := strings.Cut(pair, "=")
		decoded, err := url.QueryUnescape(name)
		steps := strings.FieldsFunc(decoded, func(r rune) bool { return r == '[' || r == ']' || r == '.' })
		hide := err != nil
		for _, step := range steps {
			hide = hide || h.fields[strings.ToLower(step)]
		}
		if hide {
			pairs[i] = name + "=" + HiddenValue
		}
	}
	return []byte(strings.Join(pairs, "&"))
}

// json copies one value, or [HiddenValue] in its place.
func (h *hider) json(out *bytes.Buffer, d *json.Decoder, hide bool) error {
	token, err := d.Token()
	if err != nil {
		return err
	}
	var aside bytes.Buffer
	to := out
	if hide {
		out.WriteString(`"` + HiddenValue + `"`)
		to = &aside
	}
	delim, nested := token.(json.Delim)
	if !nested {
		switch token := token.(type) {
		case string:
			to.Write(appendJSONString(nil, token))
		case nil:
			to.WriteString("null")
		default:
			_, _ = fmt.Fprint(to, token)
		}
		return nil
	}
	to.WriteRune(rune(delim))
	for n := 0; d.More(); n++ {
		if n > 0 {
			to.WriteByte(',')
		}
		hideInner := false
		if delim == '{' {
			key, err := d.Token()
			if err != nil {
				return err
			}
			name := fmt.Sprint(key)
			to.Write(append(appendJSONString(nil, name), ':'))
			hideInner = h.fields[strings.ToLower(name)]
		}
		if err := h.json(to, d, hideInner); err != nil {
			return err
		}
	}
	end, err := d.Token()
	if err == nil {
		_, _ = fmt.Fprint(to, end)
	}
	return err
}
