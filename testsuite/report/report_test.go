package report_test

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/oracle"
	"github.com/seed47566266/understudy/contracts/view"
	"github.com/seed47566266/understudy/fixtures"
	"github.com/seed47566266/understudy/testsuite"
	"github.com/seed47566266/understudy/testsuite/report"
)

var update = flag.Bool("update", false, "rewrite testdata/*.golden")

// hostile is a text of a server that tries to be more than text.
const hostile = `{"Message":"An error has occurred, \u0000 & <script>alert(1)</script> | \"x\"` +
	"\n::error::\x1b[31m]]>"

// built are results made by hand: a case of each verdict and level, and one response
// that is hostile.
func built() *testsuite.Results {
	none, one := 0, 1
	note := contracts.RuleID{Path: "Note", Kind: contracts.RuleLength}
	user := contracts.RuleID{Path: "UserId", Kind: contracts.RuleRequired}
	method := contracts.RuleID{Kind: contracts.RuleMethod}
	media := contracts.RuleID{Kind: contracts.RuleRequest, Media: "application/json"}
	const control = "media/listed/application/json"
	r := &testsuite.Results{
		Schema:           2,
		Version:          "1.2.3",
		Target:           "https://booking.example",
		Endpoint:         "POST /api/Booking",
		Seed:             7,
		Now:              "2026-02-03",
		Started:          time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC),
		Seconds:          1.5,
		Exit:             testsuite.ExitBroken,
		Conclusion:       "the target breaks the contract: 1 problem, 1 case",
		Controlled:       true,
		Unconfirmed:      1,
		Requests:         4,
		Writes:           1,
		UnexpectedWrites: 1,
		Limits: testsuite.Limits{
			Writes:               &one,
			WritesFrom:           "--max-writes",
			UnexpectedWrites:     &none,
			UnexpectedWritesFrom: "default",
		},
		Stale: []testsuite.Stale{{Line: 4, Text: "line 4: UserId/required/missing is listed as accepted, and passes"}},
		Coverage: []testsuite.Cell{
			{Rule: note, Stated: true, Line: 36, Text: "Note has at most 1000 characters.", Media: "application/json",
				Side: "broken", Fail: 1, Possible: true},
			{Rule: method, Stated: true, Line: 1, Text: "The method is POST.", Media: "application/json",
				Side: "broken", Reason: "no case was selected", Possible: true},
		},
	}
	add := func(v testsuite.Verdict, l fixtures.Level, id string, x testsuite.Result) {
		x.ID, x.Verdict, x.Level, x.Media, x.Expected = id, v, l, "application/json", "rejected"
		x.Expect, x.Why, x.LevelBasis = oracle.OutcomeReject, "Expected: rejected, because of the rule.", "page line 36"
		if x.Aspect == "" {
			x.Aspect, x.Sends, x.Control = testsuite.AspectOutcome, id, control
		}
		r.Cases = append(r.Cases, x)
	}
	length := testsuite.Case{
		Family: fixtures.FamilyLength,
		Path:   "Note",
		Rule:   note,
		Line:   36,
		Change: "Note: 1001 characters",
		Quote:  "String length: inclusive between 0 and 1000",
	}
	add(testsuite.VerdictPass, fixtures.LevelMust, control,
		testsuite.Result{Case: testsuite.Case{Rule: media}, Got: "200"})
	add(testsuite.VerdictFail, fixtures.LevelMust, "Note/length/1001", testsuite.Result{Case: length,
		Failure: testsuite.FailureAccepted, Reason: "it was accepted with 200", Got: "200", Confirmed: true})
	add(testsuite.VerdictKnownFailure, fixtures.LevelMust, "Note/length/1002", testsuite.Result{Case: length,
		Failure: testsuite.FailureServerError, Reason: "500", Got: "500", Known: "the column is too narrow"})
	add(
		testsuite.VerdictUnexpectedPass,
		fixtures.LevelMust,
		"UserId/required/missing",
		testsuite.Result{Case: testsuite.Case{Rule: user},
			Reason: "it passes, and line 4 lists it as a known failure", Got: "400"},
	)
	add(
		testsuite.VerdictInconclusive,
		fixtures.LevelMust,
		"UserId/type/word",
		testsuite.Result{Case: testsuite.Case{Rule: user},
			Reason: "it got 429", Got: "429"},
	)
	add(
		testsuite.VerdictFail,
		fixtures.LevelShould,
		"Note/length/1001/status",
		testsuite.Result{Case: testsuite.Case{
			Rule:    note,
			Aspect:  testsuite.AspectStatus,
			Sends:   "Note/length/1001",
			Control: control,
		}, Failure: testsuite.FailureStatus, Reason: "the status is 422, not 400"},
	)
	add(testsuite.VerdictFlaky, fixtures.LevelShould, "protocol/method/PUT",
		testsuite.Result{Case: testsuite.Case{Rule: method},
			Reason: "it was rejected, then accepted"})
	add(testsuite.VerdictError, fixtures.LevelShould, "protocol/method/GET",
		testsuite.Result{Case: testsuite.Case{Rule: method},
			Reason: "internal error: index out of range"})
	add(
		testsuite.VerdictSkipped,
		fixtures.LevelMay,
		"transport/no-host",
		testsuite.Result{Case: testsuite.Case{Rule: method},
			Reason: "away from loopback"},
	)
	r.Cases[5].Part = testsuite.PartFramework
	r.Findings = []testsuite.Finding{
		{
			ID: "must/length/accepted", Title: "Note accepts text that is too long (1001 characters)",
			Hint: "it is cut", Level: fixtures.LevelMust, Part: testsuite.PartRules,
			Failure: testsuite.FailureAccepted, Fields: []contracts.Path{"Note"}, Rules: []contracts.RuleID{note},
			Cases: []string{"Note/length/1001"}, Example: "Note/length/1001", Counts: true,
		},
		{
			ID: "should/framework/status/422", Title: "Rejections: the status is 422, not 400",
			Level: fixtures.LevelShould, Part: testsuite.PartFramework, Failure: testsuite.FailureStatus,
			Rules: []contracts.RuleID{note}, Cases: []string{"Note/length/1001/status"},
			Example: "Note/length/1001/status",
		},
	}
	json := []contracts.Header{{Name: "Content-Type", Value: "application/json"}}
	exchange := func(at float64, id, body string, status int, response string) {
		r.Exchanges = append(r.Exchanges, testsuite.Exchange{
			ID:       id,
			Attempts: 1,
			At:       at,
			Millis:   1.25,
			Sent: testsuite.Sent{Method: "POST", Path: "/api/Booking?x=1", Headers: json,
				Body: testsuite.Text{Text: body, Bytes: len(body)}},
			Received: testsuite.Received{
				Status:  status,
				Headers: json,
				Body:    testsuite.Text{Text: response, Bytes: len(response)},
			},
		})
	}
	first := &r.Cases[0]
	first.Expect, first.Expected, first.Control, first.Why = oracle.OutcomeAccept, "accepted", "", "Expected: "+
		"accepted, because the page lists it."
	exchange(0, control, `{"UserId":1}`, 200, `{"id":7}`)
	exchange(0.01, "Note/length/1001", `{"Note":"…"}`, 200, hostile)
	return r
}

func write(t *testing.T, format string, r *testsuite.Results) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, report.Write(&b, format, r))
	return b.Bytes()
}

func TestEveryFormatIsAsItWas(t *testing.T) {
	for _, format := range report.Formats() {
		t.Run(format, func(t *testing.T) {
			got := write(t, format, built())
			if format == "html" {
				got = withoutModules(t, got)
			}
			file := filepath.Join("testdata", format+".golden")
			if *update {
				require.NoError(t, os.WriteFile(file, got, 0o600))
			}
			expected, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, string(expected), string(got))
			require.Less(t, bytes.Count(got, []byte("\n")), 220, "short enough to read in a review")
		})
	}
}

// withoutModules is a page without the files that are in every one.
func withoutModules(t *testing.T, page []byte) []byte {
	t.Helper()
	styles, err := view.Files.ReadFile("view.css")
	require.NoError(t, err)
	require.Contains(t, string(page), string(styles))
	page = bytes.Replace(page, styles, []byte("/* view.css */\n"), 1)
	for _, part := range []string{
		`data:text/javascript;base64,([\w+/=]+)`, `sha256-([\w+/=&#;]+)&#39;`,
		`(?s)<script type="module">(.*?)</script>`,
	} {
		pattern := regexp.MustCompile(part)
		require.Regexp(t, pattern, string(page))
		page = pattern.ReplaceAllFunc(page, func(whole []byte) []byte {
			return bytes.Replace(whole, pattern.FindSubmatch(whole)[1], []byte("..."), 1)
		})
	}
	return page
}

func TestTheBuiltResultsHaveEveryVerdictAndLevel(t *testing.T) {
	verdicts, levels := map[testsuite.Verdict]bool{}, map[fixtures.Level]bool{}
	for _, x := range built().Cases {
		verdicts[x.Verdict], levels[x.Level] = true, true
	}
	require.Len(t, verdicts, 8)
	require.Len(t, levels, 3)
}

func TestARecordMakesEveryReportThatTheRunDoes(t *testing.T) {
	again, err := report.Read(bytes.NewReader(write(t, "json", built())))
	require.NoError(t, err)
	for _, format := range report.Formats() {
		require.Equal(t, string(write(t, format, built())), string(write(t, format, again)), format)
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
	r := built()
	for _, format := range report.Formats() {
		require.ErrorContains(t, report.Write(&fullDisk{100}, format, r), "no space left", format)
	}
	_, err := report.Diff(&fullDisk{10}, r, r)
	require.ErrorContains(t, err, "no space left")
	require.ErrorContains(t, report.Exchanges(&fullDisk{10}, r), "no space left")
	require.ErrorContains(t, report.Write(io.Discard, "pdf", r), `unknown report "pdf"`)
}

func TestARunThatEndedEarlySaysSo(t *testing.T) {
	r := built()
	r.Stopped, r.EndedEarly = "the run was interrupted", true
	for _, format := range []string{"text", "markdown", "html"} {
		require.Contains(t, strings.ToLower(string(write(t, format, r))), "ended early: the run was interrupted",
			format)
	}
}

func TestADiffSaysWhatChanged(t *testing.T) {
	older, newer := built(), built()
	var b strings.Builder
	regressed, err := report.Diff(&b, older, newer)
	require.NoError(t, err)
	require.False(t, regressed)
	require.Contains(t, b.String(), "no case changed")
	newer.Findings = newer.Findings[1:]
	newer.Cases[1].Verdict = testsuite.VerdictPass
	x := &newer.Cases[0]
	x.Verdict, x.Failure, x.Reason = testsuite.VerdictFail, testsuite.FailureRejected, "it was rejected with 400"
	b.Reset()
	regressed, err = report.Diff(&b, older, newer)
	require.NoError(t, err)
	require.True(t, regressed)
	require.Contains(t, b.String(), "1 case: pass -> fail ("+x.ID)
	require.Contains(t, b.String(), "gone: MUST Note accepts text that is too long (1001 characters) (1 case)")
	b.Reset()
	regressed, err = report.Diff(&b, newer, older)
	require.NoError(t, err)
	require.True(t, regressed, "Note/length/1001 fails")
	require.Contains(t, b.String(), "1 case: fail -> pass ("+x.ID)
	require.Contains(t, b.String(), "new: MUST Note accepts text that is too long (1001 characters) (1 case)")
}

func FuzzRead(f *testing.F) {
	f.Add(
		[]byte(
			`{"schema":2,"cases":[{"id":"a","verdict":"fail","level":"MUST","sends":"a"}],"exchanges":[{"id":"a",` +
				`"sent":{"body":{"base64":"!"}}}]}`,
		),
	)
	f.Add([]byte(`{"schema":2,"cases":[{}]}`))
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
