package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/seed47566266/understudy/fixtures"
)

// format writes rows one by one between a head and a tail.
type format struct {
	head, tail string
	separator  string // between rows
	extension  string // of a file in a folder
	// row appends one case.
	row func(dst []byte, c *fixtures.Case) []byte
	// valid appends a valid payload; nil if the format has none.
	valid func(dst []byte, g *fixtures.Generator, i uint64) []byte
	// described says that row tells of a case what valid does not.
	described bool
	// carries says whether the format can hold a case unchanged; cannot says what
	// the cases are that it cannot hold.
	carries func(c *fixtures.Case) bool
	cannot  string
}

func (f *format) append(dst []byte, r *rows, i uint64) []byte {
	if i > 0 {
		dst = append(dst, f.separator...)
	}
	switch {
	case i < r.valid && r.mixed && f.described:
		c := r.at(i)
		return f.row(dst, &c)
	case i < r.valid:
		return f.valid(dst, r.g, r.first+i)
	}
	return f.row(dst, &r.cases[i-r.valid])
}

// defaultTarget is where the mock listens unless told otherwise.
const defaultTarget = "http://127.0.0.1:4747"

var formats = map[string]*format{
	"ndjson": {described: true, extension: ".ndjson", row: lineOf(objectRow), valid: bareLine, carries: requests, cannot: rawAlone},
	"json": {described: true, head: "[\n", separator: ",\n", tail: "\n]\n", extension: ".json", row: objectRow, carries: requests, cannot: rawAlone,
		valid: func(dst []byte, g *fixtures.Generator, i uint64) []byte { return g.AppendValid(dst, i) }},
	"raw": {extension: ".body", carries: everything,
		row:   func(dst []byte, c *fixtures.Case) []byte { return append(dst, fileText(c)...) },
		valid: func(dst []byte, g *fixtures.Generator, i uint64) []byte { return g.AppendValid(dst, i) }},
	"form": {extension: ".form", carries: oneLineForm, cannot: "they are no forms of one line",
		row: func(dst []byte, c *fixtures.Case) []byte { return append(append(dst, c.Request.Body...), '\n') },
		valid: func(dst []byte, g *fixtures.Generator, i uint64) []byte {
			return append(append(dst, g.ValidForm(i)...), '\n')
		}},
	"csv":     asCase(format{head: csvRow(csvHeader...), extension: ".csv", row: csvCase, carries: everything}),
	"curl":    asCase(format{head: curlHead, extension: ".sh", row: curlRow, carries: curlCarries, cannot: "raw connections, or HEAD with a body"}),
	"http":    asCase(format{head: "@target = " + defaultTarget + "\n", extension: ".http", row: restRow, carries: restCarries, cannot: "not one line of plain text, or with {{"}),
	"postman": asCase(format{head: postmanHead, separator: ",\n", tail: postmanTail, extension: ".postman_collection.json", row: postmanRow, carries: postmanCarries, cannot: "no text, with {{, or without one media type"}),
	"har":     asCase(format{head: harHead, separator: ",\n", tail: "\n]}}\n", extension: ".har", row: harRow, carries: textual, cannot: "no text, or raw connections"}),
	"k6":      asCase(format{head: k6Head, separator: ",\n", tail: k6Tail, extension: ".js", row: k6Row, carries: k6Carries, cannot: "raw connections, or a header sent twice"}),
}

// asCase has a format write a valid payload as any other case.
func asCase(f format) *format {
	f.valid = func(dst []byte, g *fixtures.Generator, i uint64) []byte {
		c := g.ValidCase(i)
		return f.row(dst, &c)
	}
	return &f
}

// formatNames are the formats in the order in which they are listed.
func formatNames() []string {
	return []string{"ndjson", "json", "raw", "form", "csv", "curl", "http", "postman", "har", "k6"}
}

func everything(*fixtures.Case) bool { return true }

// requests are those that method, path, headers and body describe.
func requests(c *fixtures.Case) bool { return c.Request.Raw == nil }

const rawAlone = "raw connections, for which see the format raw"

// fileText is what a file of a case holds: the body, or the whole of a raw request
// with {host} where the Host belongs.
func fileText(c *fixtures.Case) []byte {
	if c.Request.Raw != nil {
		return c.Request.Raw
	}
	return c.Request.Body
}

// textual bodies can stand in a JSON string unchanged.
func textual(c *fixtures.Case) bool {
	return c.Request.Raw == nil && utf8.Valid(c.Request.Body)
}

func bareLine(dst []byte, g *fixtures.Generator, i uint64) []byte {
	return append(g.AppendValid(dst, i), '\n')
}

func lineOf(row func([]byte, *fixtures.Case) []byte) func([]byte, *fixtures.Case) []byte {
	return func(dst []byte, c *fixtures.Case) []byte { return append(row(dst, c), '\n') }
}

// encode writes JSON as it is meant for reading: < and > as they are.
func encode(dst []byte, v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // strings and numbers into a buffer: nothing that fails
	return append(dst, bytes.TrimSuffix(b.Bytes(), []byte("\n"))...)
}

func headerPairs(r *fixtures.Request) [][2]string {
	pairs := [][2]string{}
	for _, h := range r.Headers {
		pairs = append(pairs, [2]string{h.Name, h.Value})
	}
	return pairs
}

// objectRow writes a case as one JSON object.
func objectRow(dst []byte, c *fixtures.Case) []byte {
	row := struct {
		ID         string           `json:"id"`
		Group      string           `json:"group"`
		Field      string           `json:"field"`
		What       string           `json:"what"`
		Outcome    fixtures.Outcome `json:"outcome"`
		Basis      string           `json:"basis"`
		Rule       string           `json:"rule"`
		Line       int              `json:"line"`
		Method     string           `json:"method"`
		Path       string           `json:"path"`
		Headers    [][2]string      `json:"headers"`
		Body       *string          `json:"body,omitempty"`
		BodyBase64 *string          `json:"bodyBase64,omitempty"`
	}{ID: c.ID, Group: c.Group, Field: c.Field, What: c.What, Outcome: c.Outcome, Basis: c.Basis, Rule: c.Rule, Line: c.Line,
		Method: c.Request.Method, Path: c.Request.Path, Headers: headerPairs(&c.Request)}
	text := string(c.Request.Body)
	if utf8.ValidString(text) {
		row.Body = &text
	} else {
		text = base64.StdEncoding.EncodeToString(c.Request.Body)
		row.BodyBase64 = &text
	}
	return encode(dst, &row)
}

func oneLineForm(c *fixtures.Case) bool {
	return strings.HasPrefix(strings.ToLower(c.Request.Header("Content-Type")), "application/x-www-form-urlencoded") &&
		!bytes.ContainsAny(c.Request.Body, "\r\n")
}

// fileName names a body's file by its id, for any file system.
func fileName(c *fixtures.Case) string {
	var b strings.Builder
	for _, r := range c.ID {
		switch {
		case r == '/':
			b.WriteByte('.')
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("-+_.", r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, "~%X~", r)
		}
	}
	extension := ".body"
	if c.Request.Raw != nil {
		extension = ".request"
	} else if kind := c.Request.Header("Content-Type"); strings.HasSuffix(kind, "/json") {
		extension = ".json"
	} else if strings.HasSuffix(kind, "form-urlencoded") {
		extension = ".form"
	}
	return b.String() + extension
}

var csvHeader = []string{"id", "group", "field", "what", "outcome", "basis", "rule", "line", "method", "path", "content_type", "bytes", "sha256", "file"}

func csvRow(cells ...string) string {
	var b strings.Builder
	w := csv.NewWriter(&b)
	_ = w.Write(cells) // into a strings.Builder, which does not fail
	w.Flush()
	return b.String()
}

// csvCase writes a line of the manifest. "file" is what the format raw names the
// body's file.
func csvCase(dst []byte, c *fixtures.Case) []byte {
	text := fileText(c)
	sum := sha256.Sum256(text)
	return append(dst, csvRow(c.ID, c.Group, c.Field, c.What, string(c.Outcome), c.Basis, c.Rule, strconv.Itoa(c.Line), c.Request.Method,
		c.Request.Path, c.Request.Header("Content-Type"), strconv.Itoa(len(text)), hex.EncodeToString(sum[:]), fileName(c))...)
}

const curlHead = `#!/bin/sh
# Each line sends one payload and prints: the status, the outcome expected, the id.
TARGET=${TARGET:-` + defaultTarget + `}
`

func curlCarries(c *fixtures.Case) bool {
	return c.Request.Raw == nil && c.Request.Method != http.MethodHead
}

// curlRow writes one line of shell.
func curlRow(dst []byte, c *fixtures.Case) []byte {
	line := c.Request.Curl("$TARGET", "-m", "60", "-o", "/dev/null", "-w", fmt.Sprintf(`%%{http_code} %s %s\n`, c.Outcome, c.ID))
	return append(append(dst, line...), '\n')
}

// plainLine is text that clients take as it is: one line, nothing that a file or
// a variable begins with.
func plainLine(s string) bool {
	if !utf8.ValidString(s) || strings.Contains(s, "{{") || strings.TrimSpace(s) != s || s == "" || strings.ContainsAny(s[:1], "<#>\uFEFF") {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return r < ' ' || r == 0x7F || r == '\u2028' || r == '\u2029' || r == '\u0085' || r == '\uFEFF'
	})
}

func restCarries(c *fixtures.Case) bool {
	return c.Request.Raw == nil && plainLine(string(c.Request.Body)) && c.Request.Header("Content-Type") != ""
}

func restRow(dst []byte, c *fixtures.Case) []byte {
	dst = fmt.Appendf(dst, "\n### %s\n# %s: %s\n%s {{target}}%s\n", c.ID, c.Outcome, c.Basis, c.Request.Method, c.Request.Path)
	for _, h := range c.Request.Headers {
		dst = fmt.Appendf(dst, "%s: %s\n", h.Name, h.Value)
	}
	return append(append(append(dst, '\n'), c.Request.Body...), '\n')
}

const postmanHead = `{"info":{"name":"Understudy","description":"Each request says in its test which answer the page asks for.",` +
	`"schema":"https://schema.getpostman.com/json/collection/v2.1.0/collection.json"},
"variable":[{"key":"target","value":"` + defaultTarget + `"}],
"protocolProfileBehavior":{"disableBodyPruning":true,"followRedirects":false},
"item":[
`

const postmanTail = "\n]}\n"

func postmanCarries(c *fixtures.Case) bool {
	count := 0
	for _, h := range c.Request.Headers {
		if h.Name == "Content-Type" && h.Value != "" {
			count++
		}
	}
	return textual(c) && count == 1 && !bytes.Contains(c.Request.Body, []byte("{{")) && strings.ToUpper(c.Request.Method) == c.Request.Method
}

// statuses is the range of statuses that fits an outcome; ok is false where any
// does.
func statuses(o fixtures.Outcome) (low, high int, ok bool) {
	switch o {
	case fixtures.Accept:
		return 200, 299, true
	case fixtures.Reject:
		return 400, 499, true
	}
	return 0, 0, false
}

func postmanRow(dst []byte, c *fixtures.Case) []byte {
	type header struct {
		Key   string `json:"key"`
		Value string `json:"value"`
	}
	headers := []header{}
	for _, h := range c.Request.Headers {
		headers = append(headers, header{h.Name, h.Value})
	}
	script := []string{"// " + string(c.Outcome) + ": " + c.Basis}
	if low, high, ok := statuses(c.Outcome); ok {
		script = append(script, fmt.Sprintf("pm.test(%s, () => pm.expect(pm.response.code).to.be.within(%d, %d));", strconv.Quote(c.ID+": "+string(c.Outcome)), low, high))
	}
	return encode(dst, map[string]any{
		"name":  c.ID,
		"event": []any{map[string]any{"listen": "test", "script": map[string]any{"type": "text/javascript", "exec": script}}},
		"request": map[string]any{
			"method": c.Request.Method, "header": headers, "url": "{{target}}" + c.Request.Path, "description": c.What + ". " + c.Basis + ".",
			"body": map[string]any{"mode": "raw", "raw": string(c.Request.Body)},
		},
	})
}

const harHead = `{"log":{"version":"1.2","creator":{"name":"understudy","version":"1"},"entries":[
`

// harRow writes a request that was not sent: its answer has status 0, as browsers
// have it for one that failed.
func harRow(dst []byte, c *fixtures.Case) []byte {
	// A HAR has names and values as fixtures.Header has; an empty list is [].
	headers := append([]fixtures.Header{}, c.Request.Headers...)
	query := []fixtures.Header{}
	if _, text, found := strings.Cut(c.Request.Path, "?"); found {
		name, value, _ := strings.Cut(text, "=")
		query = append(query, fixtures.Header{Name: name, Value: value})
	}
	return encode(dst, map[string]any{
		"startedDateTime": "2026-02-03T00:00:00.000Z", "time": 0, "cache": map[string]any{},
		"timings": map[string]any{"send": 0, "wait": 0, "receive": 0},
		"comment": c.ID + ": " + string(c.Outcome) + ": " + c.Basis,
		"request": map[string]any{
			"method": c.Request.Method, "url": defaultTarget + c.Request.Path, "httpVersion": "HTTP/1.1", "cookies": []any{}, "headers": headers,
			"queryString": query, "headersSize": -1, "bodySize": len(c.Request.Body),
			"postData": map[string]any{"mimeType": c.Request.Header("Content-Type"), "params": []any{}, "text": string(c.Request.Body)},
		},
		"response": map[string]any{
			"status": 0, "statusText": "", "httpVersion": "", "cookies": []any{}, "headers": []any{}, "redirectURL": "",
			"headersSize": -1, "bodySize": -1, "content": map[string]any{"size": 0, "mimeType": ""},
		},
	})
}

const k6Head = `// Run with k6: every payload is sent once, and its answer checked.
import http from 'k6/http';
import encoding from 'k6/encoding';
import { check } from 'k6';

const target = __ENV.TARGET || '` + defaultTarget + `';

export const options = { vus: 1, iterations: 1, maxRedirects: 0, thresholds: { checks: ['rate==1'] } };

// id, outcome, method, path, headers, body; a body that is no text in Base64.
const cases = [
`

const k6Tail = `
];

const fits = {
  accept: (status) => status >= 200 && status <= 299,
  reject: (status) => status >= 400 && status <= 499,
  unspecified: (status) => status > 0,
};

export default function () {
  for (const [id, outcome, method, path, headers, body, base64] of cases) {
    const answer = http.request(method, target + path, base64 ? encoding.b64decode(base64, 'std') : body, { headers, tags: { name: id } });
    check(answer, { [id + ': ' + outcome]: (r) => fits[outcome](r.status) });
  }
}
`

func k6Carries(c *fixtures.Case) bool {
	seen := map[string]bool{}
	for _, h := range c.Request.Headers {
		if seen[h.Name] {
			return false
		}
		seen[h.Name] = true
	}
	return c.Request.Raw == nil
}

func k6Row(dst []byte, c *fixtures.Case) []byte {
	headers := map[string]string{}
	for _, h := range c.Request.Headers {
		headers[h.Name] = h.Value
	}
	row := []any{c.ID, c.Outcome, c.Request.Method, c.Request.Path, headers}
	if utf8.Valid(c.Request.Body) {
		row = append(row, string(c.Request.Body), "")
	} else {
		row = append(row, "", base64.StdEncoding.EncodeToString(c.Request.Body))
	}
	return encode(dst, row)
}
