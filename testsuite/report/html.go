package report

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the page's template and script
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"strings"
	"unicode/utf16"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/view"
	"github.com/seed47566266/understudy/fixtures"
	"github.com/seed47566266/understudy/testsuite"
)

//go:embed report.gohtml
var pageText string

var page = template.Must(template.New("report").Funcs(template.FuncMap{"visible": testsuite.Visible}).Parse(pageText))

// row is a rule in the table of an HTML page: a square for each media type and
// side.
type row struct {
	Rule    contracts.RuleID
	Text    string
	Line    int
	Stated  bool
	Squares []square
}

// square says how one side of a rule did. Finding is the anchor of what failed, 0 if
// nothing did.
type square struct {
	Class, Word, Title string
	Finding            int
}

// pageCases is how many cases of a finding are shown whole; the rest are named.
const pageCases = 10

// pageCase is a case in an HTML page, with what was sent and received.
type pageCase struct {
	*testsuite.Result
	Exchange *testsuite.Exchange
	Curl     string
	// Number is that of what the page's scripts show in its place.
	Number int
}

// shownJSON is an exchange for the page's scripts.
type shownJSON struct {
	Exchange *testsuite.Exchange `json:"exchange"`
	Field    contracts.Path      `json:"field"`
	Expect   string              `json:"expect"`
	Curl     string              `json:"curl,omitempty"`
}

// pageFinding is a finding in an HTML page, or a group of cases with the same reason.
type pageFinding struct {
	// Anchor is the number by which the page links to it; 0 for a group.
	Anchor int
	Title  string
	Page   string
	Hint   string
	Fields string
	Rules  string
	Count  int
	Cases  []pageCase
	Rest   string
}

type pageSection struct {
	Title    string
	Level    fixtures.Level
	Class    string
	Open     bool
	Findings []pageFinding
}

// html is one file without anything outside it, for someone who was not there.
func html(r *results) ([]byte, error) {
	data := struct {
		*results
		Headline, Early string
		WritesText      string
		Passed, Unclear bool
		Columns         []testsuite.Verdict
		Levels          [][]string
		Media           []covered
		Rows            []row
		Sections        []pageSection
		Groups          []pageSection
		Open            []group
		Style           template.CSS
		Policy          string
		Scripts         template.HTML
		Exchanges       template.JS
	}{
		Style: style, Policy: pagePolicy, Scripts: scripts,
		results: r, Headline: capital(r.Conclusion), Passed: r.Exit == testsuite.ExitOK,
		Unclear: r.Exit == testsuite.ExitInconclusive || r.Exit == testsuite.ExitUnreachable,
		Columns: usedVerdicts(r), WritesText: writes(r),
	}
	for _, l := range levels {
		cells := []string{string(l)}
		for _, v := range data.Columns {
			cells = append(cells, fmt.Sprint(r.Count(l, v)))
		}
		data.Levels = append(data.Levels, cells)
	}
	if r.EndedEarly {
		data.Early = r.Stopped
	}
	data.Media, _ = coverage(r)
	anchors := map[string]int{}
	for i := range r.Findings {
		anchors[r.Findings[i].ID] = i + 1
	}
	data.Rows = ruleRows(r, anchors)
	exchanges := []shownJSON{}
	for _, s := range r.sections() {
		class := string(s.Part)
		if s.Counts {
			class += " counts"
		}
		section := pageSection{Title: s.Title(), Level: s.Level, Class: class, Open: s.Counts}
		for _, f := range s.Findings {
			shown := pageFinding{
				Anchor: anchors[f.ID], Title: f.Title, Page: strings.TrimSpace(r.page(f)), Hint: f.Hint,
				Fields: about(f, len(f.Fields)), Count: len(f.Cases),
			}
			for _, rule := range f.Rules {
				shown.Rules += rule.String() + " "
			}
			cases := []*testsuite.Result{}
			if x := r.example(f); x != nil {
				cases = append(cases, x)
			}
			for _, id := range f.Cases {
				if x := r.cases[id]; x != nil && id != f.Example {
					cases = append(cases, x)
				}
			}
			exchanges = shown.show(r, cases, exchanges)
			section.Findings = append(section.Findings, shown)
		}
		data.Sections = append(data.Sections, section)
	}
	for _, l := range levels[:2] {
		for _, v := range verdicts {
			words := inWords[v]
			groups := byReason(r, l, v)
			if words == "" || v == testsuite.VerdictFail || len(groups) == 0 {
				continue
			}
			section := pageSection{Title: string(l) + " " + words, Level: l, Class: "others"}
			for _, g := range groups {
				shown := pageFinding{Title: g.Reason, Count: len(g.Cases)}
				exchanges = shown.show(r, g.Cases, exchanges)
				section.Findings = append(section.Findings, shown)
			}
			data.Groups = append(data.Groups, section)
		}
	}
	data.Open = append(
		byReason(r, fixtures.LevelMust, testsuite.VerdictSkipped),
		byReason(r, fixtures.LevelShould, testsuite.VerdictSkipped)...)
	var err error
	if data.Exchanges, err = plainJSON(exchanges); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = page.Execute(&b, data)
	return b.Bytes(), err
}

// plainJSON is JSON of printable ASCII in which nothing looks like a command of a build log: whoever
// prints the page does no more than that.
func plainJSON(value any) (template.JS, error) {
	text, err := json.Marshal(value) // which escapes < and >
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, r := range string(text) {
		switch {
		case r > 0xFFFF:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		case r > '~' || r == '#':
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return template.JS(b.String()), nil //nolint:gosec // as said
}

// show adds cases: the first ones whole. Their exchanges are added to those of the page's scripts.
func (f *pageFinding) show(r *results, cases []*testsuite.Result, shown []shownJSON) []shownJSON {
	for i, x := range cases {
		if i == pageCases {
			f.Rest = strings.Join(caseIDs(cases[i:]), ", ")
			break
		}
		c := pageCase{Result: x, Exchange: r.Exchange(x), Number: len(shown)}
		if c.Exchange != nil {
			c.Curl = r.Curl(c.Exchange)
			shown = append(shown, shownJSON{c.Exchange, x.Path, string(x.Expect), c.Curl})
		}
		f.Cases = append(f.Cases, c)
	}
	return shown
}

//go:embed report.js
var script string

var (
	style            = template.CSS(viewFile("view.css")) //nolint:gosec // a file of ours
	scripts, digests = pageScripts()
	// pagePolicy lets the page run its two scripts, by their hashes, and modules that are texts, and reach
	// nothing.
	pagePolicy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src data: " + digests +
		"; base-uri 'none'; form-action 'none'"
)

func viewFile(name string) string {
	text, err := view.Files.ReadFile(name)
	if err != nil {
		panic(err) //nolint:forbidigo // a file that is embedded is there
	}
	return string(text)
}

// pageScripts are the modules of the page in one file, each as the address of its own text, and the
// hashes of what runs.
func pageScripts() (scripts template.HTML, digests string) {
	imports := map[string]string{}
	for _, name := range []string{"preact.js", "text.js", "body.js", "filter.js", "theme.js", "exchange.js", "run.js"} {
		// An address that is a text has no others beside it.
		text := strings.ReplaceAll(viewFile(name), `from "./`, `from "understudy/`)
		imports["understudy/"+name] = "data:text/javascript;base64," + base64.StdEncoding.EncodeToString([]byte(text))
	}
	modules, err := json.Marshal(map[string]any{"imports": imports})
	if err != nil {
		panic(err) //nolint:forbidigo // texts are JSON
	}
	var all strings.Builder
	for _, part := range []struct{ kind, text string }{{"importmap", string(modules)}, {"module", script}} {
		digest := sha256.Sum256([]byte(part.text))
		digests += "'sha256-" + base64.StdEncoding.EncodeToString(digest[:]) + "' "
		all.WriteString(`<script type="` + part.kind + `">` + part.text + "</script>\n")
	}
	return template.HTML(all.String()), strings.TrimSpace(digests) //nolint:gosec // files of ours
}

// ruleRows are the rules with how they did; anchors are those of the findings.
func ruleRows(r *results, anchors map[string]int) []row {
	found := map[contracts.RuleID]int{}
	for i := range r.Findings {
		for _, id := range r.Findings[i].Rules {
			if found[id] == 0 {
				found[id] = anchors[r.Findings[i].ID]
			}
		}
	}
	var rows []row
	for _, c := range r.Coverage {
		if len(rows) == 0 || rows[len(rows)-1].Rule != c.Rule {
			rows = append(rows, row{Rule: c.Rule, Text: c.Text, Line: c.Line, Stated: c.Stated})
		}
		s := square{
			Title: fmt.Sprintf("%s, %s in %s: %d pass, %d fail, %d SHOULD failures", c.Rule, c.Side, c.Media,
				c.Pass, c.Fail, c.ShouldFail),
		}
		switch {
		case c.Fail > 0:
			s.Class, s.Word = "fail", fmt.Sprintf("✗ %d", c.Fail)
		case c.Pass > 0 && c.Unconfirmed == c.Pass:
			s.Class, s.Word = "unconfirmed", fmt.Sprintf("? %d", c.Pass)
			s.Title += ", unconfirmed"
		case c.Pass > 0:
			s.Class, s.Word = "pass", fmt.Sprintf("✓ %d", c.Pass)
		case c.ShouldFail > 0:
			s.Class, s.Word = "open", fmt.Sprintf("≠ %d", c.ShouldFail)
		case c.Possible:
			s.Class, s.Word, s.Title = "open", "not tried", c.Reason
		default:
			s.Class, s.Word, s.Title = "none", "–", c.Reason
		}
		if c.Fail+c.ShouldFail > 0 {
			s.Finding = found[c.Rule]
		}
		last := &rows[len(rows)-1]
		last.Squares = append(last.Squares, s)
	}
	return rows
}

// capital is a sentence with a capital letter first.
func capital(s string) string {
	first := min(1, len(s))
	return strings.ToUpper(s[:first]) + s[first:]
}
