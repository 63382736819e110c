// Package report writes the results of a conformance run for those who read them:
// people at a terminal, in a pull request or in a meeting, and the tools of a
// build.
//
// [Write] writes one of [Formats]. The format json is the record; [Read] reads it
// back, so that any other format can be made from it later. [Diff] says what
// changed between two records. Results hold no secrets.
package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/seed47566266/understudy/fixtures"
	"github.com/seed47566266/understudy/testsuite"
)

// formats are the writers by name. Those for people get results whose texts are
// visible; those of JSON escape what is not.
var formats = map[string]struct {
	write  func(*results) ([]byte, error)
	isJSON bool
}{
	"text":     {write: text},
	"github":   {write: github},
	"junit":    {write: junit},
	"json":     {write: record, isJSON: true},
	"html":     {write: html},
	"tap":      {write: tap},
	"sarif":    {write: sarif, isJSON: true},
	"markdown": {write: markdown},
	"har":      {write: har, isJSON: true},
	"known":    {write: known},
}

// results are results whose exchanges and cases are indexed by id.
type results struct {
	*testsuite.Results
	exchanges map[string]*testsuite.Exchange
	cases     map[string]*testsuite.Result
}

func indexed(r *testsuite.Results) *results {
	all := &results{
		Results:   r,
		exchanges: make(map[string]*testsuite.Exchange, len(r.Exchanges)),
		cases:     make(map[string]*testsuite.Result, len(r.Cases)),
	}
	for i := range r.Cases {
		all.cases[r.Cases[i].ID] = &r.Cases[i]
	}
	for i := range r.Exchanges {
		all.exchanges[r.Exchanges[i].ID] = &r.Exchanges[i]
	}
	return all
}

// Exchange is what a case looked at; nil if nothing was sent.
func (r *results) Exchange(x *testsuite.Result) *testsuite.Exchange { return r.exchanges[x.Sends] }

// example is the case that a finding is shown by; nil in a record that lacks it.
func (r *results) example(f *testsuite.Finding) *testsuite.Result { return r.cases[f.Example] }

// again is the line of shell that sends the example of a finding once more, or the least
// request that fails as it does; empty if nothing was sent.
func (r *results) again(f *testsuite.Finding) string {
	x := r.example(f)
	if x == nil {
		return ""
	}
	e := r.Exchange(x)
	switch {
	case e == nil:
		return ""
	case f.Least != nil:
		return r.Curl(&testsuite.Exchange{ID: e.ID, Sent: *f.Least})
	}
	return r.Curl(e)
}

// page is where the page states the rule of a finding's example.
func (r *results) page(f *testsuite.Finding) string {
	if x := r.example(f); x != nil {
		return whereSaid(x.Line, x.Quote)
	}
	return ""
}

// about names the fields of a finding, a few of them.
func about(f *testsuite.Finding, most int) string {
	var names []string
	for i, path := range f.Fields {
		if i == most {
			names = append(names, fmt.Sprintf("and %d more", len(f.Fields)-most))
			break
		}
		names = append(names, string(path))
	}
	return strings.Join(names, ", ")
}

// section is the findings of one level and part.
type section struct {
	Level    fixtures.Level
	Part     testsuite.Part
	Counts   bool
	Findings []*testsuite.Finding
	Cases    int
}

// Title names a section, how much is in it, and whether it fails the run.
func (s *section) Title() string {
	text := string(s.Level)
	if words := inPart[s.Part]; words != "" {
		text += ", " + words
	}
	text += ": " + plural(len(s.Findings), "problem") + ", " + plural(s.Cases, "case")
	if !s.Counts {
		text += uncounted
	}
	return text
}

// inPart are the headings of the parts of a level.
var inPart = map[testsuite.Part]string{
	testsuite.PartReadings:   "readings of the page",
	testsuite.PartFramework:  "framework defaults",
	testsuite.PartRobustness: "robustness",
}

// sections are the findings by level and part, the gravest first.
func (r *results) sections() []*section {
	var all []*section
	for _, l := range levels[:2] {
		for _, part := range testsuite.Parts() {
			s := &section{Level: l, Part: part}
			for i := range r.Findings {
				if f := &r.Findings[i]; f.Level == l && f.Part == part {
					s.Findings = append(s.Findings, f)
					s.Cases += len(f.Cases)
					s.Counts = s.Counts || f.Counts
				}
			}
			if len(s.Findings) > 0 {
				all = append(all, s)
			}
		}
	}
	return all
}

// headline says how many problems there are.
func (r *results) headline() string {
	problems, cases := r.Problems()
	others := len(r.Findings) - problems
	switch {
	case problems == 0:
		return fmt.Sprintf("0 problems, 0 cases fail the run; %d more do not", others)
	case others == 0:
		return plural(problems, "problem") + ", " + plural(cases, "case")
	}
	return plural(problems, "problem") + ", " + plural(cases, "case") + fmt.Sprintf("; %d more%s", others, uncounted)
}

// Formats are the names of the formats in the order in which they are listed.
func Formats() []string {
	return []string{"text", "github", "junit", "json", "html", "tap", "sarif", "markdown", "har", "known"}
}

// Write writes results in a format. The error is about an unknown format, or the
// writer's.
func Write(w io.Writer, format string, r *testsuite.Results) error {
	f, listed := formats[format]
	if !listed {
		return fmt.Errorf("unknown report %q: use one of %s", format, strings.Join(Formats(), ", "))
	}
	if !f.isJSON {
		r = shown(r)
	}
	b, err := f.write(indexed(r))
	if err != nil {
		return err
	}
	switch {
	case f.isJSON:
		b = escaped(b)
	case format != "github": // its lines are commands
		b = quiet(b)
	}
	_, err = w.Write(b)
	return err
}

// Exchanges writes each request of results and its response, whole as far as they
// were kept.
func Exchanges(w io.Writer, r *testsuite.Results) error {
	var b strings.Builder
	for i := range r.Exchanges {
		e := &r.Exchanges[i]
		fmt.Fprintf(&b, "\n> %s %s\n", e.Sent.Method, e.Sent.Path)
		for _, h := range e.Sent.Headers {
			fmt.Fprintf(&b, "> %s: %s\n", h.Name, h.Value)
		}
		fmt.Fprintf(&b, "\n%s\n\n< %d\n", e.Sent.Body, e.Received.Status)
		for _, h := range e.Received.Headers {
			fmt.Fprintf(&b, "< %s: %s\n", h.Name, h.Value)
		}
		if e.Received.Problem != "" {
			fmt.Fprintf(&b, "< %s\n", e.Received.Problem)
		}
		fmt.Fprintf(&b, "\n%s\n\n%s\n", e.Received.Body, r.Curl(e))
	}
	_, err := w.Write(quiet([]byte(testsuite.Visible(b.String()))))
	return err
}

// record is the whole of results as JSON: what is listed stands on a line per entry,
// so that two records can be compared line by line.
func record(r *results) ([]byte, error) {
	head := *r.Results
	head.Findings, head.Coverage, head.Cases, head.Exchanges = nil, nil, nil, nil
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(&head); err != nil {
		return nil, err
	}
	b.Truncate(b.Len() - len("\n}\n"))
	e.SetIndent("", "")
	err := errors.Join(appendList(&b, e, "findings", r.Findings), appendList(&b, e, "coverage", r.Coverage),
		appendList(&b, e, "cases", r.Cases),
		appendList(&b, e, "exchanges", r.Exchanges))
	b.WriteString("\n}\n")
	return b.Bytes(), err
}

// appendList appends a list to an object of JSON, with a line per entry.
func appendList[T any](b *bytes.Buffer, e *json.Encoder, name string, list []T) error {
	fmt.Fprintf(b, ",\n %q: [", name)
	for i := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("\n  ")
		if err := e.Encode(&list[i]); err != nil {
			return err
		}
		b.Truncate(b.Len() - len("\n"))
	}
	b.WriteString("\n ]")
	return nil
}

// maxRecord is the longest record that is read, in bytes; a whole run's has about
// eight million.
const maxRecord = 256 << 20

// Read reads a record.
func Read(from io.Reader) (*testsuite.Results, error) {
	b, err := io.ReadAll(io.LimitReader(from, maxRecord+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxRecord {
		return nil, fmt.Errorf("the record is longer than %d bytes", maxRecord)
	}
	var r testsuite.Results
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, fmt.Errorf("not a results record: %w", err)
	}
	if r.Schema != testsuite.Schema {
		return nil, fmt.Errorf("not a results record that this version reads: its schema is %d, not %d",
			r.Schema, testsuite.Schema)
	}
	if len(r.Cases) == 0 {
		return nil, errors.New("the record holds no cases")
	}
	return &r, nil
}

func known(r *results) ([]byte, error) {
	b, err := r.KnownFailures("untriaged")
	if err != nil {
		return nil, err
	}
	head := "# What is known to fail, and why. An entry of which nothing fails any longer, one that\n" +
		"# has expired and a pattern that matches nothing make this file stale. An entry has\n" +
		"# cases (ids, or patterns with * and ?), fails, reason, and if you like issue and\n" +
		"# expires (the last day on which it counts, YYYY-MM-DD).\n"
	return append([]byte(head), b...), nil
}

// isUndetermined reports a verdict that is neither passed nor failed.
func isUndetermined(v testsuite.Verdict) bool {
	switch v {
	case testsuite.VerdictInconclusive, testsuite.VerdictFlaky, testsuite.VerdictError:
		return true
	}
	return false
}

// group is cases that have the reason for their verdict in common.
type group struct {
	Reason string
	Cases  []*testsuite.Result
}

// byReason groups cases of a level with a verdict by the reason for it, in the order of
// the cases.
func byReason(r *results, l fixtures.Level, v testsuite.Verdict) []group {
	var all []group
	at := map[string]int{}
	for i := range r.Cases {
		x := &r.Cases[i]
		if x.Level != l || x.Verdict != v {
			continue
		}
		reason := x.Reason
		if x.Known != "" {
			reason = x.Known
		}
		j, there := at[reason]
		if !there {
			j = len(all)
			at[reason] = j
			all = append(all, group{Reason: reason})
		}
		all[j].Cases = append(all[j].Cases, x)
	}
	return all
}

// covered says of a media type how many stated rules were tried from each side
// from which they can be.
type covered struct {
	Media                 string
	Rules, Sides, Covered int
}

func coverage(r *results) (all []covered, missing []testsuite.Cell) {
	for _, c := range r.Coverage {
		at := slices.IndexFunc(all, func(x covered) bool { return x.Media == c.Media })
		if at < 0 {
			at = len(all)
			all = append(all, covered{Media: c.Media})
		}
		if !c.Stated || !c.Possible {
			continue
		}
		all[at].Sides++
		if c.Covered() {
			all[at].Covered++
		} else {
			missing = append(missing, c)
		}
	}
	return all, missing
}

// caseIDs are the ids of cases.
func caseIDs(cases []*testsuite.Result) []string {
	var list []string
	for _, x := range cases {
		list = append(list, x.ID)
	}
	return list
}

// ids lists the first few ids of a group.
func ids(cases []*testsuite.Result, most int) string {
	var list []string
	for i, x := range cases {
		if i == most {
			list = append(list, fmt.Sprintf("and %d more", len(cases)-most))
			break
		}
		list = append(list, x.ID)
	}
	return strings.Join(list, ", ")
}

func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

// verdicts are those that a table of a level has columns for.
var verdicts = []testsuite.Verdict{
	testsuite.VerdictPass, testsuite.VerdictFail, testsuite.VerdictKnownFailure,
	testsuite.VerdictUnexpectedPass, testsuite.VerdictFlaky, testsuite.VerdictInconclusive,
	testsuite.VerdictSkipped, testsuite.VerdictError,
}

var levels = []fixtures.Level{fixtures.LevelMust, fixtures.LevelShould, fixtures.LevelMay}

// inWords are headings for the cases of a level with a verdict; those that pass or were
// skipped have none.
var inWords = map[testsuite.Verdict]string{
	testsuite.VerdictFail:           "failures",
	testsuite.VerdictKnownFailure:   "known failures",
	testsuite.VerdictUnexpectedPass: "unexpected passes (listed as known failures)",
	testsuite.VerdictFlaky:          "flaky",
	testsuite.VerdictInconclusive:   "inconclusive",
	testsuite.VerdictError:          "internal errors",
}

// uncounted follows the heading of failures at a level that does not count.
const uncounted = ", which do not fail the run"
