package report

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/testsuite"
)

// har is an HTTP Archive 1.2 of what was sent and what came back, without secrets;
// long bodies are cut, which a comment says.
func har(r *results) ([]byte, error) {
	type object = map[string]any
	entries := []object{}
	base := r.Target
	if !strings.Contains(base, "://") {
		base = "http://handler.invalid"
	}
	verdict := map[string]*testsuite.Result{}
	for i := range r.Cases {
		if x := &r.Cases[i]; x.Aspect == testsuite.AspectOutcome {
			verdict[x.ID] = x
		}
	}
	for i := range r.Exchanges {
		e := &r.Exchanges[i]
		sent := object{
			"method": e.Sent.Method, "url": base + e.Sent.Path, "httpVersion": "HTTP/1.1", "cookies": []any{}, "headers": pairs(e.Sent.Headers),
			"queryString": query(e.Sent.Path), "headersSize": -1, "bodySize": e.Sent.Body.Bytes,
		}
		if e.Sent.Body.Bytes > 0 {
			sent["postData"] = object{"mimeType": header(e.Sent.Headers, "Content-Type"), "params": []any{}, "text": content(e.Sent.Body), "comment": remark(e.Sent.Body)}
		}
		comment := e.ID
		if x := verdict[e.ID]; x != nil {
			comment += ": " + string(x.Verdict) + ": " + x.Why
		}
		entries = append(entries, object{
			"startedDateTime": r.Started.Add(time.Duration(e.At * float64(time.Second))).Format("2006-01-02T15:04:05.000Z07:00"),
			"time":            e.Millis, "cache": object{}, "comment": comment,
			"timings": object{"send": 0, "wait": e.Millis, "receive": 0},
			"request": sent,
			"response": object{
				"status": e.Received.Status, "statusText": http.StatusText(e.Received.Status), "httpVersion": "HTTP/1.1", "cookies": []any{},
				"headers": pairs(e.Received.Headers), "redirectURL": header(e.Received.Headers, "Location"), "headersSize": -1, "bodySize": e.Received.Body.Bytes,
				"content": object{"size": e.Received.Body.Bytes, "mimeType": header(e.Received.Headers, "Content-Type"),
					"text": content(e.Received.Body), "comment": remark(e.Received.Body)},
				"comment": e.Received.Problem,
			},
		})
	}
	b, err := json.MarshalIndent(object{"log": object{
		"version": "1.2", "creator": object{"name": "understudy", "version": r.Version}, "entries": entries, "comment": r.Verdict,
	}}, "", " ")
	return append(b, '\n'), err
}

func pairs(headers []contracts.Header) []contracts.Header {
	return append([]contracts.Header{}, headers...)
}

func header(headers []contracts.Header, name string) string {
	for _, h := range headers {
		if strings.EqualFold(h.Name, name) {
			return h.Value
		}
	}
	return ""
}

func query(path string) []contracts.Header {
	list := []contracts.Header{}
	_, text, _ := strings.Cut(path, "?")
	for _, part := range strings.Split(text, "&") {
		name, value, _ := strings.Cut(part, "=")
		if plain, err := url.QueryUnescape(name); err == nil && name != "" {
			list = append(list, contracts.Header{Name: plain, Value: value})
		}
	}
	return list
}

// content is a body as JSON can hold it.
func content(t testsuite.Text) string {
	if t.Base64 == "" {
		return t.Text
	}
	return t.String()
}

func remark(t testsuite.Text) string {
	switch {
	case t.Cut:
		return "the beginning of it"
	case t.Base64 != "":
		return "bytes that are not UTF-8 are shown as escapes"
	}
	return ""
}
