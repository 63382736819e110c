package report_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/oracle"
	"github.com/seed47566266/understudy/fixtures"
	"github.com/seed47566266/understudy/testsuite"
	"github.com/seed47566266/understudy/testsuite/report"
)

// nasty are texts that a server, or the author of a record, may write to steer what
// shows a report.
var nasty = map[string]string{
	"a command of GitHub":           "::stop-commands::x\n::error::y\n  ::set-output name=a::b",
	"a command anywhere in a line":  "x ##[error]y ##[set-env name=PATH]z",
	"a command of Azure Pipelines":  "x ##vso[task.setvariable variable=a]b",
	"a terminal's escape":           "\x1b]0;title\a\x1b[2J\x1b[31m",
	"a C1 control":                  "\u009b31m\u0090q\u009c",
	"text that runs backwards":      "\u202egnp.exe \u2066a\u2069\u200f",
	"characters without width":      "a\u200bb\u2060c\ufeffd\u00ade\U000e0041",
	"other line breaks":             "a\u2028b\u2029c\u0085d\ve\ff\rg",
	"NUL and DEL":                   "a\x00b\x7fc",
	"bytes that are not UTF-8":      "a\xff\xfe\x9b31m\xc3(",
	"tags":                          `</pre></script><script>alert(1)</script><img src=x onerror=alert(1)>`,
	"the end of CDATA":              `]]><!-- --> &#0; &lt;`,
	"a table of Markdown":           "a | b\n|---|\n| [x](http://evil.example) | `y` \\| *z* _z_ ~~z~~",
	"a person and an issue":         "@octocat, see #1, org/repo#2, www.evil.example and http://evil.example",
	"a backslash and a backtick":    "\\` \\| \\",
	"a directive of TAP":            "x # SKIP y # TO" + "DO z\nnot ok 1",
	"a document of YAML":            "---\n- &a !!python/object x: *a\n...",
	"a link of SARIF":               "[x](1) [y](https://evil.example) {0}",
	"a shell":                       "$(touch owned) `touch owned` '; touch owned; ' \" && touch owned",
	"a very long line of many ones": strings.Repeat("x", 5000),
}

var everyVerdict = []testsuite.Verdict{
	testsuite.VerdictPass, testsuite.VerdictFail, testsuite.VerdictKnownFailure, testsuite.VerdictUnexpectedPass,
	testsuite.VerdictFlaky, testsuite.VerdictInconclusive, testsuite.VerdictSkipped, testsuite.VerdictError,
}

// foreign are results all of whose texts a stranger has written.
func foreign(text string) *testsuite.Results {
	rule := contracts.RuleID{Path: contracts.Path(text), Kind: contracts.RuleKind(text)}
	r := &testsuite.Results{
		Schema:     2,
		Version:    text,
		Target:     text + "://" + text,
		Endpoint:   text,
		Started:    time.Unix(0, 0).UTC(),
		Exit:       testsuite.ExitBroken,
		Conclusion: text,
		Stopped:    "stopped: " + text,
		EndedEarly: true,
		Stale:      []testsuite.Stale{{Line: 1, Text: text}},
		Findings: []testsuite.Finding{{
			ID: text, Title: text, Hint: text, Level: fixtures.LevelMust, Part: testsuite.PartRules, Counts: true,
			Failure: testsuite.FailureAccepted, Fields: []contracts.Path{contracts.Path(text)},
			Rules: []contracts.RuleID{rule}, Cases: []string{"MUST fail " + text}, Example: "MUST fail " + text,
		}},
		Limits: testsuite.Limits{WritesFrom: text, UnexpectedWritesFrom: text},
		Coverage: []testsuite.Cell{
			{Rule: rule, Stated: true, Line: 1, Text: text, Media: text, Side: text, Reason: text, Possible: true},
		},
	}
	for _, verdict := range everyVerdict {
		for _, level := range []fixtures.Level{fixtures.LevelMust, fixtures.LevelShould, fixtures.LevelMay} {
			id := fmt.Sprintf("%s %s %s", level, verdict, text)
			headers := []contracts.Header{
				{Name: "Content-Type", Value: text},
				{Name: text, Value: text},
				{Name: "Location", Value: text},
			}
			r.Cases = append(r.Cases, testsuite.Result{
				Case: testsuite.Case{
					ID:         id,
					Family:     fixtures.Family(text),
					Path:       contracts.Path(text),
					Media:      text,
					Level:      level,
					LevelBasis: text,
					Why:        text,
					Rule:       rule,
					Line:       3,
					Quote:      text,
					Change:     text,
					Sends:      id,
					Aspect:     testsuite.AspectOutcome,
					Expect:     oracle.OutcomeReject,
				},
				Verdict:  verdict,
				Failure:  testsuite.FailureAccepted,
				Reason:   text,
				Expected: text,
				Got:      text,
				Known:    text,
			})
			body := testsuite.Text{Text: strings.ToValidUTF8(text, "\uFFFD"), Bytes: len(text)}
			r.Exchanges = append(r.Exchanges, testsuite.Exchange{
				ID: id, Attempts: 1, Sent: testsuite.Sent{Method: text, Path: "/" + text, Headers: headers, Body: body},
				Received: testsuite.Received{Status: 200, Headers: headers, Body: body, Problem: text},
			})
		}
	}
	return r
}

// TestNoForeignTextIsMoreThanText feeds every format every nasty text, in every
// place, and looks for what acts on whatever shows it.
func TestNoForeignTextIsMoreThanText(t *testing.T) {
	for name, text := range nasty {
		r := foreign(text)
		for _, format := range append(report.Formats(), "diff", "replay") {
			t.Run(name+", "+format, func(t *testing.T) {
				var b bytes.Buffer
				var err error
				switch format {
				case "diff":
					other := foreign(text)
					for i := range other.Cases {
						other.Cases[i].Verdict, other.Cases[i].Got = testsuite.VerdictFail, "x"
					}
					_, err = report.Diff(&b, r, other)
				case "replay":
					err = report.Exchanges(&b, r)
				default:
					err = report.Write(&b, format, r)
				}
				require.NoError(t, err)
				out := b.String()
				require.True(t, utf8.ValidString(out))
				odd := strings.IndexFunc(out,
					func(c rune) bool { return c != '\n' && c != '\t' && !unicode.IsPrint(c) })
				require.Negative(t, odd)
				require.NotContains(t, out, "##[")
				require.NotContains(t, out, "##vso[")
				for _, line := range strings.Split(out, "\n") {
					if format == "github" {
						require.Regexp(t, `^(::(error|warning|notice) title=[^:]*::.*)?$`, line)
						continue
					}
					require.False(t, strings.HasPrefix(strings.TrimSpace(line), "::"), "%q", line)
				}
				inItsFormat(t, format, b.Bytes())
			})
		}
	}
}

// inItsFormat checks what is special to a format.
func inItsFormat(t *testing.T, format string, out []byte) {
	t.Helper()
	switch format {
	case "json", "har", "sarif":
		require.True(t, json.Valid(out))
	case "junit":
		for d := xml.NewDecoder(bytes.NewReader(out)); ; {
			if _, err := d.Token(); err != nil {
				require.ErrorContains(t, err, "EOF")
				break
			}
		}
	case "html":
		scripts := 0
		for z := html.NewTokenizer(bytes.NewReader(out)); ; {
			kind := z.Next()
			if kind == html.ErrorToken {
				break
			}
			token := z.Token()
			require.NotEqual(t, "img", token.Data, "%s", token)
			if token.Data == "script" && kind == html.StartTagToken {
				scripts++
			}
		}
		require.Equal(t, 3, scripts, "the page's own")
	case "markdown":
		// What is not between backticks mentions no one and is not a link.
		require.NotRegexp(t, `@|#\d|://|www\.|\]\(|<|\*|~|_`, notCode(string(out)))
	case "tap":
		count := 0
		for _, line := range strings.Split(string(out), "\n") {
			if strings.HasPrefix(line, "ok ") || strings.HasPrefix(line, "not ok ") {
				count++
			}
		}
		require.Equal(t, 24+1, count, "a line for each case and for the stale file, and no other")
	}
}

// notCode is Markdown without what is fenced, what is between backticks, and what is
// escaped.
func notCode(text string) string {
	var b strings.Builder
	if before, after, found := strings.Cut(text, "\n```sh\n"); found {
		_, after, _ = strings.Cut(after, "\n```\n")
		text = before + after
	}
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '`':
			end := strings.IndexByte(text[i+1:], '`')
			if end < 0 {
				return b.String() + text[i:]
			}
			i += end + 1
		default:
			b.WriteByte(text[i])
		}
	}
	return b.String()
}

// TestALineOfShellIsWhatItSays runs the lines of shell in reports of a hostile
// record, with commands that do nothing.
func TestALineOfShellIsWhatItSays(t *testing.T) {
	piped := 0
	for name, text := range nasty {
		if strings.ContainsRune(text, 0) {
			continue // no argument of a command holds one
		}
		t.Run(name, func(t *testing.T) {
			body := testsuite.Text{Text: strings.ToValidUTF8(text, "\uFFFD")}
			plain := testsuite.Sent{Method: "POST", Path: "/x", Body: testsuite.Text{Text: "{}"}}
			for _, place := range []string{"body", "path", "method", "header", "cut"} {
				sent := plain
				switch place {
				case "body":
					sent.Body = body
				case "path":
					sent.Path = "/" + text
				case "method":
					sent.Method = text
				case "header":
					sent.Headers = []contracts.Header{{Name: text, Value: text}}
				case "cut":
					sent.Body = testsuite.Text{Text: body.Text, Cut: true}
				}
				r := foreign("x")
				r.Target = "$(touch owned)`touch owned`://x"
				line := r.Curl(&testsuite.Exchange{ID: text, Sent: sent})
				short := len(line) <= 400 || strings.HasPrefix(line, "understudy verify ")
				require.True(t, short, "a line is short, or --replay stands for it: %s", line)
				got := runShell(t, "understudy() { :; }; curl() { cat >&2; }; nc() { cat >&2; }\n"+line+"\n")
				if place == "body" && strings.HasPrefix(line, "printf") {
					require.Equal(t, body.Text, got, "the body that is piped is the body")
					piped++
				}
			}
		})
	}
	require.Greater(t, piped, len(nasty)/2, "most texts fit in a line")
}

// runShell runs a script in an empty folder, which stays empty, and returns what it wrote.
func runShell(t *testing.T, script string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", script)
	cmd.Dir = t.TempDir()
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	left, err := os.ReadDir(cmd.Dir)
	require.NoError(t, err)
	require.Empty(t, left)
	return string(out)
}

// BenchmarkManyCases writes reports of forty thousand cases.
func BenchmarkManyCases(b *testing.B) {
	r := foreign("x")
	cases, exchanges := r.Cases, r.Exchanges
	r.Cases, r.Exchanges = nil, nil
	for i := 0; len(r.Cases) < 40_000; i++ {
		for j := range cases {
			x, e := cases[j], exchanges[j]
			x.ID, e.ID = fmt.Sprint(x.ID, i), fmt.Sprint(e.ID, i)
			x.Sends = x.ID
			r.Cases, r.Exchanges = append(r.Cases, x), append(r.Exchanges, e)
		}
	}
	for _, format := range report.Formats() {
		b.Run(format, func(b *testing.B) {
			for b.Loop() {
				require.NoError(b, report.Write(&bytes.Buffer{}, format, r))
			}
		})
	}
}
