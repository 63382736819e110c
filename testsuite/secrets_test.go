package testsuite_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/testsuite"
)

// spellings are ways in which a server writes a secret that it repeats.
func spellings(secret string) map[string]string {
	each := func(format string) string {
		var b strings.Builder
		for _, c := range []byte(secret) {
			fmt.Fprintf(&b, format, c)
		}
		return b.String()
	}
	return map[string]string{
		"as it is":                   secret,
		"upper case":                 strings.ToUpper(secret),
		"form":                       url.QueryEscape(secret),
		"path":                       url.PathEscape(secret),
		"percent, lower case":        each("%%%02x"),
		"percent twice":              url.QueryEscape(url.QueryEscape(secret)),
		"JSON escapes":               each(`\u%04X`),
		"JSON escapes, lower case":   each(`\u%04x`),
		"an escaped slash":           strings.ReplaceAll(secret, "/", `\/`),
		"JSON in JSON":               strings.ReplaceAll(each(`\u%04x`), `\`, `\\`),
		"JSON in JSON in JSON":       strings.ReplaceAll(each(`\u%04x`), `\`, `\\\\`),
		"JavaScript":                 each(`\x%02x`),
		"HTML":                       html.EscapeString(secret),
		"HTML, hexadecimal":          each("&#x%X;"),
		"HTML, decimal":              each("&#%d;"),
		"HTML by name":               strings.NewReplacer("+", "&plus;", "/", "&sol;", "=", "&equals;").Replace(secret),
		"JSON that escapes HTML":     strings.NewReplacer("+", `\u002B`, "/", `\u002f`).Replace(secret),
		"base64":                     base64.StdEncoding.EncodeToString([]byte(secret)),
		"base64 without padding":     base64.RawStdEncoding.EncodeToString([]byte(secret)),
		"base64url":                  base64.RawURLEncoding.EncodeToString([]byte(secret)),
		"base64, one byte in":        base64.StdEncoding.EncodeToString([]byte("x" + secret + "yy")),
		"base64, two bytes in":       base64.StdEncoding.EncodeToString([]byte("xx" + secret + "y")),
		"base64 in an address":       url.QueryEscape(base64.StdEncoding.EncodeToString([]byte(secret))),
		"hexadecimal":                hex.EncodeToString([]byte(secret)),
		"hexadecimal, in upper case": strings.ToUpper(hex.EncodeToString([]byte(secret))),
	}
}

// holdsSecret looks for a secret in any of its spellings.
func holdsSecret(text []byte, secret string) string {
	for name, spelled := range spellings(secret) {
		if bytes.Contains(text, []byte(spelled)) {
			return name
		}
	}
	// What a record keeps in base64 is looked into as well.
	var record any
	if json.Unmarshal(text, &record) == nil {
		if found := inBase64(record, secret); found != "" {
			return found
		}
	}
	return ""
}

func inBase64(v any, secret string) string {
	switch v := v.(type) {
	case map[string]any:
		for name, x := range v {
			if text, ok := x.(string); ok && name == "base64" {
				raw, err := base64.StdEncoding.DecodeString(text)
				if err == nil && bytes.Contains(bytes.ReplaceAll(raw, []byte{0}, nil), []byte(secret)) {
					return "in base64"
				}
			}
			if found := inBase64(x, secret); found != "" {
				return found
			}
		}
	case []any:
		for _, x := range v {
			if found := inBase64(x, secret); found != "" {
				return found
			}
		}
	}
	return ""
}

// TestASecretIsHiddenHoweverAServerWritesIt has a server repeat a secret in its
// body, in headers and in a broken response, in every spelling.
func TestASecretIsHiddenHoweverAServerWritesIt(t *testing.T) {
	const secret = "tok3n/of+the=Day&<night>"
	for name, spelled := range spellings(secret) {
		t.Run(name, func(t *testing.T) {
			server := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json; x="+url.QueryEscape(spelled))
				w.Header().Set("Location", "/"+spelled)
				switch r.Header.Get("X-Understudy-Case") {
				case "UserId/required/missing":
					w.WriteHeader(http.StatusFound)
				case "UserId/type/null":
					w.Header().Set("Content-Length", "100000")
				default:
					w.WriteHeader(http.StatusBadRequest)
				}
				// Where a record cuts, the secret goes through the cut.
				_, _ = io.WriteString(w, `{"a":"`+strings.Repeat("x", 3990)+spelled+`","b":"`+spelled+`"}`)
			})
			var ledger bytes.Buffer
			results := run(
				t,
				testsuite.Config{
					Target: testsuite.Target{
						Handler: server,
						Headers: []contracts.Header{{Name: "X-Key", Value: secret}},
					},
					Selection: testsuite.Selection{
						Run: []string{"UserId/required/missing", "UserId/type/null", "UserId/type/word", "optional"},
					},
					Ledger: &ledger,
					IDPath: "/b",
				},
			)
			require.NotEmpty(t, results.Exchanges)
			text, err := json.Marshal(results)
			require.NoError(t, err)
			require.Empty(t, holdsSecret(text, secret))
			require.Empty(t, holdsSecret(ledger.Bytes(), secret))
			require.Contains(t, string(text), "[hidden]")
			beginning := secret[:8]
			require.NotContains(t, string(text), beginning, "not even its beginning is left by a cut")
		})
	}
}

func TestEachPartOfACredentialIsHidden(t *testing.T) {
	const password = "p4ss+w0rd/of-mine"
	basic := base64.StdEncoding.EncodeToString([]byte("someone:" + password))
	for name, c := range map[string]struct {
		header contracts.Header
		said   string
	}{
		"one cookie of several": {contracts.Header{Name: "Cookie", Value: "theme=dark; session=" +
			password + "; lang=en"}, password},
		"the password of a Basic header": {contracts.Header{Name: "Authorization", Value: "Basic " + basic},
			password},
		"a Basic header without padding": {contracts.Header{Name: "Authorization", Value: "Basic " +
			strings.TrimRight(basic, "=")}, password},
		"the coded pair, the padding left out": {contracts.Header{Name: "Authorization", Value: "Basic " + basic},
			strings.TrimRight(basic, "=")},
		"a parameter of a scheme of its own kind": {contracts.Header{Name: "Authorization",
			Value: `Custom id=1, key="` + password + `"`}, password},
	} {
		t.Run(name, func(t *testing.T) {
			server := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusBadRequest)
				_, _ = io.WriteString(w, "you said "+c.said)
			})
			text, err := json.Marshal(
				run(
					t,
					testsuite.Config{
						Target:    testsuite.Target{Handler: server, Headers: []contracts.Header{c.header}},
						Selection: testsuite.Selection{Run: []string{"UserId"}},
					},
				),
			)
			require.NoError(t, err)
			require.NotContains(t, string(text), c.said)
			require.Contains(t, string(text), "you said [hidden]")
		})
	}
	t.Run("the token of a Basic flag", func(t *testing.T) {
		server := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, "you said "+password)
		})
		token := func(context.Context) (string, error) { return "Basic " + basic, nil }
		text, err := json.Marshal(
			run(
				t,
				testsuite.Config{
					Target:    testsuite.Target{Handler: server, Token: token},
					Selection: testsuite.Selection{Run: []string{"UserId"}},
				},
			),
		)
		require.NoError(t, err)
		require.NotContains(t, string(text), password)
	})
}

func TestABodyThatIsPackedOrWideHidesNoSecret(t *testing.T) {
	const secret = "tok3n-of-the-day"
	packed := func(text string) []byte {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = io.WriteString(w, text)
		_ = w.Close() // a buffer does not fail
		return b.Bytes()
	}
	wide := func(text string) []byte {
		out := []byte{0xFF, 0xFE}
		for _, u := range utf16.Encode([]rune(text)) {
			out = append(out, byte(u), byte(u>>8))
		}
		return out
	}
	for name, body := range map[string][]byte{
		"gzip":             packed(`{"token":"` + secret + `"}`),
		"UTF-16":           wide(`{"token":"` + secret + `"}`),
		"UTF-16 in gzip":   packed(string(wide(secret))),
		"bytes around it":  []byte("\xff\xfe\xfd" + secret + "\xff"),
		"escapes in bytes": []byte("\xff" + url.QueryEscape(secret+"/") + "\xff"),
	} {
		t.Run(name, func(t *testing.T) {
			server := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusBadRequest)
				_, _ = w.Write(body)
			})
			results := run(
				t,
				testsuite.Config{
					Target:    testsuite.Target{Handler: server},
					Secrets:   []string{secret},
					Selection: testsuite.Selection{Run: []string{"UserId"}},
				},
			)
			text, err := json.Marshal(results)
			require.NoError(t, err)
			require.Empty(t, holdsSecret(text, secret))
			require.NotContains(t, string(text), base64.StdEncoding.EncodeToString(body))
			require.Contains(t, results.Exchanges[0].Received.Body.String(), "[hidden]")
		})
	}
	// So it is with our own bodies of this kind, and the value of a field.
	const user = "0f8fad5b-d9cb-469f-a165-70867728950e"
	results := runOf(t, suiteOf(t, contract(t), testsuite.Payloads{Set: map[string]string{"UserId": user}}),
		testsuite.Config{Target: testsuite.Target{Handler: newPlain()}, Redact: []string{"UserId"}})
	text, err := json.Marshal(results)
	require.NoError(t, err)
	require.Empty(t, holdsSecret(text, user))
}
