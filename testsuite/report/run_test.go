package report_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
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

// careless is a server that looks at the length of Note and at nothing else, and
// fails now and then.
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

// run runs some cases against careless, with a known-failures file.
func run(t *testing.T, known string) *testsuite.Results {
	t.Helper()
	c, err := helppage.Parse(contracts.Page())
	require.NoError(t, err)
	suite, err := testsuite.New(c, testsuite.Payloads{Now: time.Date(2026, time.February, 3, 0, 0, 0, 0, time.UTC)})
	require.NoError(t, err)
	r, err := suite.Run(t.Context(), testsuite.Config{
		Target: testsuite.Target{Handler: http.HandlerFunc(careless), Version: "1.2.3"},
		Known:  []byte(known),
		Selection: testsuite.Selection{Run: []string{
			"Note/optional/missing", "Note/type", "Note/length", "UserId/required/missing", "UserId/type/word",
			"protocol/method/GET",
			"protocol/method/PUT", "transport/no-host", "syntax/cut-half",
		}},
	})
	require.NoError(t, err)
	return r
}

// column is an entry of a known-failures file that is true of careless.
const column = "- cases: [Note/length/1001]\n  fails: accepted\n  reason: the column has room for 1001\n"

// TestEveryReportOfARealRunIsReadBack reads each format as a program for it would.
func TestEveryReportOfARealRunIsReadBack(t *testing.T) {
	r := run(t, column+"- cases: [UserId/required/missing]\n  fails: accepted\n  reason: was mended\n")
	for _, v := range []testsuite.Verdict{testsuite.VerdictPass, testsuite.VerdictFail, testsuite.VerdictKnownFailure,
		testsuite.VerdictUnexpectedPass, testsuite.VerdictInconclusive, testsuite.VerdictSkipped} {
		require.NotZero(t, r.Count(fixtures.LevelMust, v)+r.Count(fixtures.LevelShould, v), v)
	}
	readers := map[string]func(*testing.T, *testsuite.Results, []byte){
		"text":     readText,
		"github":   readGitHub,
		"junit":    readJUnit,
		"json":     readRecord,
		"html":     readHTML,
		"tap":      readTAP,
		"sarif":    readSARIF,
		"markdown": readMarkdown,
		"har":      readHAR,
		"known":    readKnown,
	}
	for _, format := range report.Formats() {
		t.Run(format, func(t *testing.T) {
			require.Contains(t, readers, format)
			readers[format](t, r, write(t, format, r))
		})
	}
}

func readText(t *testing.T, r *testsuite.Results, out []byte) {
	t.Helper()
	for line := range strings.Lines(string(out)) {
		if !strings.Contains(line, "curl ") && !strings.Contains(line, "--replay") { // which are one line to copy
			require.LessOrEqual(t, len([]rune(line)), 81, line)
		}
	}
	require.Contains(t, string(out), ". Server error 500 for text that is too long")
	require.Contains(t, string(out), ", as Note/length/1002 (page line 36); got 500\n")
	require.True(t, strings.HasSuffix(string(out), r.Conclusion+"\n"), "the verdict is last")
}

func readGitHub(t *testing.T, _ *testsuite.Results, out []byte) {
	t.Helper()
	for line := range strings.Lines(string(out)) {
		require.Regexp(t, `^::(error|warning|notice) title=[^:,]*::.+\n$`, line)
	}
}

// unexpected passes make the file of known failures stale at either level.
func unexpected(r *testsuite.Results) int {
	return r.Count(fixtures.LevelMust, testsuite.VerdictUnexpectedPass) + r.Count(fixtures.LevelShould,
		testsuite.VerdictUnexpectedPass)
}

func readJUnit(t *testing.T, r *testsuite.Results, out []byte) {
	t.Helper()
	suites, err := junit.Ingest(out)
	require.NoError(t, err)
	count := map[junit.Status]int{}
	names := map[string]junit.Test{}
	for _, s := range suites {
		for _, test := range s.Tests {
			count[test.Status]++
			names[test.Name] = test
		}
	}
	rules := map[string]bool{}
	for _, f := range r.Findings {
		if f.Counts {
			for _, id := range f.Rules {
				rules[id.String()] = true
			}
		}
	}
	require.NotEmpty(t, rules)
	require.Equal(t, len(rules)+1, count[junit.StatusFailed], "a rule fails by its findings, and the file is stale")
	require.NotZero(t, count[junit.StatusError])
	require.Greater(t, count[junit.StatusPassed], 10)
	require.Contains(t, names["Note/length"].Error.Error(),
		"page line 36: String length: inclusive between 0 and 1000")
}

func readRecord(t *testing.T, r *testsuite.Results, out []byte) {
	t.Helper()
	again, err := report.Read(bytes.NewReader(out))
	require.NoError(t, err)
	require.Len(t, again.Cases, len(r.Cases))
	require.Len(t, again.Exchanges, len(r.Exchanges))
	require.Equal(t, r.Findings, again.Findings)
	require.WithinDuration(t, r.Started, again.Started, time.Nanosecond)
	// The first reading rounds nothing that the second would not: the text is the same.
	require.Equal(t, string(out), string(write(t, "json", again)))
}

// readHTML reads the page as browsers do: nothing is loaded, and what a server says is
// text.
func readHTML(t *testing.T, _ *testsuite.Results, out []byte) {
	t.Helper()
	root, err := html.Parse(bytes.NewReader(out))
	require.NoError(t, err)
	text := &strings.Builder{}
	cases, titles, scripts := 0, 0, 0
	links, anchors := map[string]bool{}, map[string]bool{}
	for n := range root.Descendants() {
		switch n.Type {
		case html.TextNode:
			text.WriteString(n.Data + " ")
		case html.ElementNode:
			require.NotContains(t, []string{"link", "img", "iframe", "object", "embed", "base"}, n.Data)
			if n.Data == "script" { // the page's own, and no other
				require.Less(t, scripts, 3)
				require.Equal(t, []string{"application/json", "importmap", "module"}[scripts], n.Attr[0].Val)
				scripts++
			}
			if n.Data == "details" {
				cases++
			}
			if n.Data == "title" {
				titles++
			}
			for _, a := range n.Attr {
				require.NotContains(t, []string{"src", "action", "onclick", "onload"}, a.Key)
				switch a.Key {
				case "href":
					require.True(t, strings.HasPrefix(a.Val, "#f"), "a link leads to a finding of the page: %s", a.Val)
					links[a.Val[1:]] = true
				case "id":
					anchors[a.Val] = true
				}
			}
		}
	}
	require.Equal(t, 1, titles)
	require.Equal(t, 3, scripts)
	require.NotEmpty(t, links)
	require.Subset(t, anchors, links)
	require.Greater(t, cases, 10)
	require.Contains(t, text.String(), "<script>alert(1)</script>")
	require.NotRegexp(t, regexp.MustCompile(`url\(|@import`), text.String())
}

// readTAP reads the lines by the grammar of TAP 14.
func readTAP(t *testing.T, r *testsuite.Results, out []byte) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
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
	require.Equal(t, len(r.Cases)+len(r.Stale), n)
	require.Equal(t, r.Count(fixtures.LevelMust, testsuite.VerdictFail, testsuite.VerdictInconclusive)+unexpected(r)+
		len(r.Stale), failed)
}

func readSARIF(t *testing.T, r *testsuite.Results, out []byte) {
	t.Helper()
	parsed, err := sarif.FromBytes(out)
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
	problems, _ := r.Problems()
	require.Equal(t, problems+len(r.Stale), levels["error"])
	require.NotZero(t, levels["warning"])
	require.Equal(t, 1, levels["note"], "a known failure")
}

// readMarkdown reads the table of levels.
func readMarkdown(t *testing.T, r *testsuite.Results, out []byte) {
	t.Helper()
	row := regexp.MustCompile(`(?m)^\| MUST \| (\d+) \| (\d+) \|`).FindStringSubmatch(string(out))
	require.NotNil(t, row, "%s", out)
	require.EqualValues(t,
		[]any{r.Count(fixtures.LevelMust, testsuite.VerdictPass), r.Count(fixtures.LevelMust, testsuite.VerdictFail)},
		[]any{number(t, row[1]), number(t, row[2])})
}

func number(t *testing.T, text string) int {
	t.Helper()
	n := 0
	require.NoError(t, json.Unmarshal([]byte(text), &n))
	return n
}

func readHAR(t *testing.T, r *testsuite.Results, out []byte) {
	t.Helper()
	var archive struct {
		Log struct {
			Version string
			Entries []struct {
				Request  struct{ Method, URL string }
				Response struct{ Status int }
			}
		}
	}
	require.NoError(t, json.Unmarshal(out, &archive))
	require.Equal(t, "1.2", archive.Log.Version)
	require.Len(t, archive.Log.Entries, len(r.Exchanges))
	for i, e := range archive.Log.Entries {
		require.Equal(t, r.Exchanges[i].Sent.Method, e.Request.Method)
		require.Equal(t, r.Exchanges[i].Received.Status, e.Response.Status)
	}
}

// readKnown appends the file to the one of the run and runs again: all that failed is
// known now.
func readKnown(t *testing.T, r *testsuite.Results, out []byte) {
	t.Helper()
	again := run(t, column+string(out))
	require.Empty(t, again.Stale)
	require.Empty(t, again.Failed(fixtures.LevelMust))
	known := func(r *testsuite.Results) int { return r.Count(fixtures.LevelMust, testsuite.VerdictKnownFailure) }
	require.Equal(t, known(r)+len(r.Failed(fixtures.LevelMust)), known(again))
}
