package console

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"go/format"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/fixtures"
)

// snippetsJSON is a request in the languages in which people send it again. One that cannot say it is
// empty.
type snippetsJSON struct {
	Curl       string `json:"curl"`
	Fetch      string `json:"fetch"`
	Playwright string `json:"playwright"`
	Go         string `json:"go"`
	HTTP       string `json:"http"`
}

// isOfTransport reports a header that whoever sends the request adds by itself.
func isOfTransport(h contracts.Header) bool {
	name := http.CanonicalHeaderKey(h.Name)
	switch name {
	case "Accept-Encoding", "Accept-Language", "Cache-Control", "Connection", "Content-Length", "Host", "Origin",
		"Pragma", "Priority", "Referer", "User-Agent":
		return true
	}
	return strings.HasPrefix(name, "Sec-") || name == "Accept" && h.Value == "*/*"
}

// snippets writes a request for a mock that listens at an address, and for the tests the status that
// came back.
func snippets(r *contracts.Request, address string, status int) snippetsJSON {
	base := strings.TrimSuffix(address, "/")
	var args []string
	if socket, isUnix := strings.CutPrefix(address, "unix:"); isUnix {
		base, args = "http://localhost", []string{"--unix-socket", socket}
	}
	s := snippetsJSON{Curl: curl(r, base, args)}
	if args != nil { // no other client reaches a socket by an address alone
		return s
	}
	url := base + r.Path
	s.Fetch = fmt.Sprintf(
		"const response = await fetch(%s, {\n%s});\nconsole.log(response.status, await response.text());\n",
		literal(url),
		options(r, "body", bodyOfScript),
	)
	s.Playwright = fmt.Sprintf(
		"import { expect, test } from \"@playwright/test\";\n\ntest(%s, async ({ request }) => {\n"+
			"  const response = await request.fetch(%s, {\n%s  });\n  expect(response.status()).toBe(%d);\n});\n",
		literal(fmt.Sprintf("%s %s gets %d", r.Method, r.Path, status)), literal(url),
		indent(options(r, "data", bodyOfPlaywright)), status)
	s.Go = goTest(r, url, status)
	s.HTTP = httpFile(r, url)
	return s
}

// curl is a line of shell, with the body in the open where that needs no printf.
func curl(r *contracts.Request, base string, args []string) string {
	if !utf8.Valid(r.Body) || len(r.Body) > 0 && !plainBody.Match(r.Body) || strings.HasPrefix(string(r.Body), "@") {
		return fixtures.Curl(r, base, append(args, "-i")...)
	}
	var b strings.Builder
	b.WriteString("curl -i")
	for _, a := range args {
		b.WriteString(" " + fixtures.ShellQuote(a))
	}
	if strings.ContainsAny(base+r.Path, "[]{}") {
		b.WriteString(" -g") // or curl takes them for a range
	}
	if strings.Contains(r.Path, "/.") {
		b.WriteString(" --path-as-is") // or curl resolves the dots
	}
	switch {
	case r.Method == http.MethodPost && len(r.Body) > 0, r.Method == http.MethodGet && len(r.Body) == 0:
	case r.Method == http.MethodHead:
		b.WriteString(" --head")
	default:
		b.WriteString(" -X " + fixtures.ShellQuote(r.Method))
	}
	b.WriteString(" " + fixtures.ShellQuote(base+r.Path))
	for _, h := range r.Headers {
		line := h.Name + ": " + h.Value
		if h.Value == "" {
			line = h.Name + ";" // curl's way to send an empty one
		}
		b.WriteString(" \\\n  -H " + fixtures.ShellQuote(line))
	}
	if r.Header("Content-Type") == "" && len(r.Body) > 0 {
		b.WriteString(" \\\n  -H 'Content-Type:'") // or curl sends its own
	}
	if len(r.Body) > 0 {
		b.WriteString(" \\\n  --data-binary '" + strings.ReplaceAll(string(r.Body), "'", `'\''`) + "'")
	}
	return b.String()
}

// plainBody is what a person can read in a line of shell.
var plainBody = regexp.MustCompile(`^[\n\t\p{L}\p{N}\p{P}\p{S} ]*$`)

// literal is a text in JavaScript.
func literal(s string) string {
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(s) != nil {
		return `""` // it cannot fail
	}
	return strings.TrimSuffix(text.String(), "\n")
}

func indent(lines string) string {
	return regexp.MustCompile(`(?m)^(.)`).ReplaceAllString(lines, "  $1")
}

// options are those of fetch and of Playwright.
func options(r *contracts.Request, bodyKey string, bodyOf func([]byte) string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "  method: %s,\n", literal(r.Method))
	if len(r.Headers) > 0 {
		b.WriteString("  headers: {\n")
		for _, h := range r.Headers {
			fmt.Fprintf(&b, "    %s: %s,\n", literal(h.Name), literal(h.Value))
		}
		b.WriteString("  },\n")
	}
	if len(r.Body) > 0 {
		fmt.Fprintf(&b, "  %s: %s,\n", bodyKey, bodyOf(r.Body))
	}
	return b.String()
}

// bodyOfScript keeps every byte: an object would be written again.
func bodyOfScript(body []byte) string {
	if !utf8.Valid(body) {
		return "Uint8Array.from(atob(" + literal(base64.StdEncoding.EncodeToString(body)) + "), (c) => c.charCodeAt(0))"
	}
	return template(string(body))
}

// bodyOfPlaywright is a buffer: of a text Playwright makes JSON if it is none.
func bodyOfPlaywright(body []byte) string {
	if !utf8.Valid(body) {
		return "Buffer.from(" + literal(base64.StdEncoding.EncodeToString(body)) + ", \"base64\")"
	}
	return "Buffer.from(" + template(string(body)) + ")"
}

// template is a text in JavaScript that keeps its lines.
func template(s string) string {
	if !strings.Contains(s, "\n") ||
		strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' }) {
		return literal(s)
	}
	return "`" + strings.NewReplacer(`\`, `\\`, "`", "\\`", "${", `\${`).Replace(s) + "`"
}

// goTest is a test in Go.
func goTest(r *contracts.Request, url string, status int) string {
	body := "nil"
	if len(r.Body) > 0 {
		quoted := strconv.Quote(string(r.Body))
		if strconv.CanBackquote(strings.ReplaceAll(string(r.Body), "\n", "")) {
			quoted = "`" + string(r.Body) + "`"
		}
		body = "strings.NewReader(" + quoted + ")"
	}
	var b strings.Builder
	b.WriteString("package booking_test\n\nimport (\n\"net/http\"\n")
	if len(r.Body) > 0 {
		b.WriteString("\"strings\"\n")
	}
	b.WriteString("\"testing\"\n)\n\nfunc TestRequest(t *testing.T) {\n")
	fmt.Fprintf(
		&b,
		"request, err := http.NewRequestWithContext(t.Context(), %q, %q, %s)\nif err != nil {\nt.Fatal(err)\n}\n",
		r.Method,
		url,
		body,
	)
	for _, h := range r.Headers {
		fmt.Fprintf(&b, "request.Header.Add(%q, %q)\n", h.Name, h.Value)
	}
	fmt.Fprintf(&b, "response, err := http.DefaultClient.Do(request)\nif err != nil {\nt.Fatal(err)\n}\n"+
		"defer response.Body.Close()\n"+
		"if response.StatusCode != %d {\nt.Fatalf(\"status %%d\", response.StatusCode)\n}\n}\n",
		status)
	text, err := format.Source([]byte(b.String()))
	if err != nil {
		return "" // it cannot fail
	}
	return string(text)
}

// httpFile is a request for REST clients of editors; empty where a line of the body would mean
// something to them.
func httpFile(r *contracts.Request, url string) string {
	body := string(r.Body)
	if !utf8.ValidString(body) || httpMark.MatchString(body) {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", r.Method, url)
	for _, h := range r.Headers {
		fmt.Fprintf(&b, "%s: %s\n", h.Name, h.Value)
	}
	b.WriteString("\n")
	if body != "" {
		b.WriteString(body + "\n")
	}
	return b.String()
}

// httpMark is a line of a body that such a client takes for its own, or a variable.
var httpMark = regexp.MustCompile(`(?m)^(###|<|>|#|//)|\{\{`)
