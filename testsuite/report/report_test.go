package report_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/joshdk/go-junit"
	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/helppage"
	"github.com/seed47566266/understudy/fixtures"
	"github.com/seed47566266/understudy/testsuite"
	"github.com/seed47566266/understudy/testsuite/report"
)

var update = flag.Bool("update", false, "rewrite testdata/*.golden")

// careless is a server that looks at the length of Note and at nothing else, and
// has a bad day now and then.
func careless(w http.ResponseWriter, r *http.Request) {
	var b struct{ UserId, Note any }
	_ = json.NewDecoder(r.Body).Decode(&b)
	w.Header().Set("Content-Type", "application/json")
	note, isText := b.Note.(string)
	switch {
	case r.Method != http.MethodPost:
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "<b>no & never</b> \x1b[31m]]>")
	case strings.Contains(note, "é"):
		w.WriteHeader(http.StatusTooManyRequests)
	case isText && len(note) > 1001:
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(w, `{"Message":"An error has occurred, \u0000 & <script>alert(1)</script> | \"x\"."}`)
	case b.Note != nil && !isText, b.UserId == nil:
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"Message":"The request is invalid."}`)
	default:
		_, _ = io.WriteString(w, `{"ok":true}`)
	}
}

// results are of a run against careless, with the times taken out.
func results(t *testing.T) *testsuite.Results {
	t.Helper()
	c, err := helppage.Parse(contracts.Page())
	require.NoError(t, err)
	known, err := testsuite.ParseKnown([]byte("- cases: [Note/length/1001]\n  fails: accepted\n  reason: the column has room for 1001\n" +
		"- cases: [UserId/missing]\n  fails: accepted\n  reason: was mended\n"))
	require.NoError(t, err)
	r, err := testsuite.Run(t.Context(), testsuite.Config{Payloads: testsuite.Payloads{Contract: c}, Target: testsuite.Target{Handler: http.HandlerFunc(careless), Version: "1.2.3"}, Limits: testsuite.Limits{Parallel: 1}, Known: known, Selection: testsuite.Selection{Run: []string{"Note/missing", "Note/kind", "Note/length", "UserId/missing", "UserId/kind/word", "method/GET", "method/PUT", "transport/no-host", "syntax/cut-half"}}})
	require.NoError(t, err)
	r.Started, r.Seconds = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC), 1.5
	for i := range r.Exchanges {
		r.Exchanges[i].At, r.Exchanges[i].Millis = float64(i)/100, 1.25
	}
	return r
}

func write(t *testing.T, format string, r *testsuite.Results) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, report.Write(&b, format, r))
	return b.Bytes()
}

func TestEveryFormatIsAsItWas(t *testing.T) {
	r := results(t)
	for _, format := range report.Formats() {
		t.Run(format, func(t *testing.T) {
			got := write(t, format, r)
			file := filepath.Join("testdata", format+".golden")
			if *update {
				require.NoError(t, os.MkdirAll("testdata", 0o750))
				require.NoError(t, os.WriteFile(file, got, 0o600))
			}
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, string(want), string(got))
		})
	}
}

func TestTheRunHasEveryKindOfVerdict(t *testing.T) {
	r := results(t)
	for _, v := range []testsuite.Verdict{testsuite.VerdictPass, testsuite.VerdictFail, testsuite.VerdictKnownFailure, testsuite.VerdictUnexpectedPass, testsuite.VerdictInconclusive, testsuite.VerdictSkipped} {
		require.NotZero(t, r.Count(fixtures.LevelMust, v)+r.Count(fixtures.LevelShould, v), v)
	}
}

func TestARecordMakesEveryReportThatTheRunDoes(t *testing.T) {
	r := results(t)
	again, err := report.Read(bytes.NewReader(write(t, "json", r)))
	require.NoError(t, err)
	for _, format := range report.Formats() {
		require.Equal(t, string(write(t, format, r)), string(write(t, format, again)), format)
	}
}

type fullDisk struct{ room int }

func (d *fullDisk) Write(b []byte) (int, error) {
	if d.room -= len(b); d.room < 0 {
		return 0, errors.New("no space left")
	}
	return len(b), nil
}

func TestAReportThatCannotBeWrittenIsAnError(t *testing.T) {
	r := results(t)
	for _, format := range report.Formats() {
		require.ErrorContains(t, report.Write(&fullDisk{100}, format, r), "no space left", format)
	}
	_, err := report.Diff(&fullDisk{10}, r, r)
	require.ErrorContains(t, err, "no space left")
	require.ErrorContains(t, report.Write(io.Discard, "pdf", r), `unknown report "pdf"`)
}

// unexpected passes make the file of known failures stale at either level.
func unexpected(r *testsuite.Results) int {
	return r.Count(fixtures.LevelMust, testsuite.VerdictUnexpectedPass) + r.Count(fixtures.LevelShould, testsuite.VerdictUnexpectedPass)
}

func TestJUnitIsReadBack(t *testing.T) {
	r := results(t)
	suites, err := junit.Ingest(write(t, "junit", r))
	require.NoError(t, err)
	count := map[junit.Status]int{}
	names := map[string]junit.Test{}
	for _, s := range suites {
		for _, test := range s.Tests {
			count[test.Status]++
			names[test.Name] = test
		}
	}
	require.Len(t, names, len(r.Cases))
	require.Equal(t, r.Count(fixtures.LevelMust, testsuite.VerdictFail), count[junit.StatusFailed])
	require.Equal(t, r.Count(fixtures.LevelMust, testsuite.VerdictInconclusive)+unexpected(r), count[junit.StatusError])
	require.Equal(t, r.Count(fixtures.LevelMust, testsuite.VerdictPass)+r.Count(fixtures.LevelShould, testsuite.VerdictPass)+r.Count(fixtures.LevelMay, testsuite.VerdictPass), count[junit.StatusPassed])
	require.Contains(t, names["Note/length/1002"].Error.Error(), "page line 36: String length: inclusive between 0 and 1000")
}

func TestSARIFKeepsToItsSchema(t *testing.T) {
	r := results(t)
	text := write(t, "sarif", r)
	parsed, err := sarif.FromBytes(text)
	require.NoError(t, err)
	require.NoError(t, parsed.Validate())
	require.Len(t, parsed.Runs, 1)
	levels := map[string]int{}
	for _, x := range parsed.Runs[0].Results {
		levels[x.Level]++
		if *x.RuleID == "Note/length" {
			require.Equal(t, 36, *x.Locations[0].PhysicalLocation.Region.StartLine)
		}
	}
	require.Equal(t, r.Count(fixtures.LevelMust, testsuite.VerdictFail), levels["error"])
	require.NotZero(t, levels["warning"])
	require.Equal(t, r.Count(fixtures.LevelMust, testsuite.VerdictKnownFailure), levels["note"])
}

// TestHTMLHoldsNothingFromOutside reads the page as browsers do: nothing is
// loaded, and what a server says is text.
func TestHTMLHoldsNothingFromOutside(t *testing.T) {
	r := results(t)
	root, err := html.Parse(bytes.NewReader(write(t, "html", r)))
	require.NoError(t, err)
	text := &strings.Builder{}
	cases, titles := 0, 0
	for n := range root.Descendants() {
		switch n.Type {
		case html.TextNode:
			text.WriteString(n.Data + " ")
		case html.ElementNode:
			require.NotContains(t, []string{"script", "link", "img", "iframe", "object", "embed", "form", "a", "base"}, n.Data)
			if n.Data == "details" {
				cases++
			}
			if n.Data == "title" {
				titles++
			}
			for _, a := range n.Attr {
				require.NotContains(t, []string{"src", "href", "onclick", "onload"}, a.Key)
			}
		}
	}
	require.Equal(t, 1, titles)
	require.Greater(t, cases, 10)
	require.Contains(t, text.String(), "<script>alert(1)</script>")
	require.NotRegexp(t, regexp.MustCompile(`url\(|@import`), text.String())
}

// TestTAPIsWellFormed reads the lines by the grammar of TAP 14.
func TestTAPIsWellFormed(t *testing.T) {
	r := results(t)
	lines := strings.Split(strings.TrimSuffix(string(write(t, "tap", r)), "\n"), "\n")
	require.Equal(t, "TAP version 14", lines[0])
	point := regexp.MustCompile(`^(not )?ok (\d+) - ((?:[^#\\]|\\.)*?)(?: # (SKIP|TO` + `DO) ?(.*))?$`)
	n, failed, inYAML := 0, 0, false
	for _, line := range lines[2:] {
		switch {
		case inYAML && line == "  ...":
			inYAML = false
		case inYAML:
			require.True(t, strings.HasPrefix(line, "  "), line)
		case line == "  ---":
			inYAML = true
		case strings.HasPrefix(line, "#"):
		default:
			m := point.FindStringSubmatch(line)
			require.NotNil(t, m, line)
			n++
			if m[1] != "" && m[4] == "" {
				failed++
			}
		}
	}
	require.False(t, inYAML)
	require.Equal(t, len(r.Cases), n)
	require.Equal(t, r.Count(fixtures.LevelMust, testsuite.VerdictFail, testsuite.VerdictInconclusive)+unexpected(r), failed)
}

func TestGitHubCommandsAreOneLineEach(t *testing.T) {
	for _, line := range strings.Split(strings.TrimSuffix(string(write(t, "github", results(t))), "\n"), "\n") {
		require.Regexp(t, `^::(error|warning|notice) title=[^:,]*::.+$`, line)
	}
}

func TestARunThatEndedEarlySaysSo(t *testing.T) {
	r := results(t)
	r.Stopped = "the run was interrupted"
	for _, format := range []string{"text", "markdown", "html"} {
		require.Contains(t, strings.ToLower(string(write(t, format, r))), "ended early: the run was interrupted", format)
	}
}

func TestADiffSaysWhatChanged(t *testing.T) {
	older, newer := results(t), results(t)
	var b strings.Builder
	worse, err := report.Diff(&b, older, newer)
	require.NoError(t, err)
	require.False(t, worse)
	require.Contains(t, b.String(), "no case changed")
	for i := range newer.Cases {
		if x := &newer.Cases[i]; x.ID == "Note/length/1000" {
			x.Verdict, x.Failure, x.Reason = testsuite.VerdictFail, testsuite.FailureRejected, "it was refused with 400"
		}
	}
	b.Reset()
	worse, err = report.Diff(&b, older, newer)
	require.NoError(t, err)
	require.True(t, worse)
	require.Contains(t, b.String(), "pass -> fail: MUST Note/length/1000")
	b.Reset()
	worse, err = report.Diff(&b, newer, older)
	require.NoError(t, err)
	require.False(t, worse)
	require.Contains(t, b.String(), "fail -> pass: MUST Note/length/1000")
}

func TestAKnownFailuresFileOfARunMakesItPass(t *testing.T) {
	r := results(t)
	known, err := testsuite.ParseKnown(write(t, "known", r))
	require.NoError(t, err)
	require.NotEmpty(t, known)
	n := 0
	for _, k := range known {
		n += len(k.Cases)
	}
	require.Len(t, r.Failed(fixtures.LevelShould), n)
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"schema":1,"cases":[{"id":"a","verdict":"fail","level":"MUST","sends":"a"}],"exchanges":[{"id":"a","sent":{"body":{"base64":"!"}}}]}`))
	f.Add([]byte(`{"schema":1,"cases":[{}]}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := report.Read(bytes.NewReader(b))
		if err != nil {
			return
		}
		for _, format := range report.Formats() {
			require.NoError(t, report.Write(io.Discard, format, r), format)
		}
	})
}
