package testsuite

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/seed47566266/understudy/fixtures"
	"go.yaml.in/yaml/v3"
)

// known is a set of cases that are known to fail, in one way and for one reason.
type known struct {
	// Cases are ids, or patterns where * stands for any text and ? for a character.
	Cases []string `yaml:"cases"`
	// Fails is the way in which they fail.
	Fails Failure `yaml:"fails"`
	// Reason is why they fail.
	Reason string `yaml:"reason"`
	// Issue is the issue that tracks the fix.
	Issue string `yaml:"issue,omitempty"`
	// Expires is the last day, YYYY-MM-DD, on which the entry counts.
	Expires string `yaml:"expires,omitempty"`
	// Line is where the entry is in the file.
	Line int `yaml:"-"`
}

// Stale is an entry of the known-failures file that is no longer true.
type Stale struct {
	// Line is the line of the entry in the file, from 1.
	Line int `json:"line"`
	// Text is what is no longer true.
	Text string `json:"text"`
}

// ways are the failures that a file may name.
var ways = []Failure{FailureAccepted, FailureRejected, FailureServerError, FailureNoResponse, FailureStatus,
	FailureContent}

// maxKnown is the largest known-failures file in bytes.
const maxKnown = 4 << 20

// parseKnown reads a known-failures file: a list in YAML of entries with cases,
// fails, reason, and optionally issue and expires. Errors begin with the line.
func parseKnown(text []byte) (*knownIndex, error) {
	all, err := readKnown(text)
	if err != nil {
		return nil, &ConfigError{"Known", err.Error()}
	}
	return indexKnown(all), nil
}

func readKnown(text []byte) ([]known, error) {
	if len(text) > maxKnown {
		return nil, fmt.Errorf("the file is longer than %d bytes", maxKnown)
	}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, yamlError(err)
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	var all []known
	if err := d.Decode(&all); err != nil && !errors.Is(err, io.EOF) {
		return nil, yamlError(err)
	}
	for i := range all {
		k := &all[i]
		k.Line = document.Content[0].Content[i].Line
		switch {
		case len(k.Cases) == 0:
			return nil, fmt.Errorf("line %d: the entry names no cases", k.Line)
		case k.Reason == "":
			return nil, fmt.Errorf("line %d: the entry gives no reason", k.Line)
		case !slices.Contains(ways, k.Fails):
			return nil, fmt.Errorf("line %d: fails is %q: use one of %q", k.Line, k.Fails, ways)
		}
		if k.Expires != "" {
			if _, err := time.Parse(time.DateOnly, k.Expires); err != nil {
				return nil, fmt.Errorf("line %d: expires is %q: use YYYY-MM-DD", k.Line, k.Expires)
			}
		}
	}
	return all, nil
}

// yamlError is an error of the YAML library in one line.
func yamlError(err error) error {
	return errors.New(oneLine(strings.NewReplacer("yaml: ", "", "unmarshal errors:", "").Replace(err.Error())))
}

// KnownFailures is a known-failures file of the findings that fail the run, an entry
// each, with the reason.
func (r *Results) KnownFailures(reason string) ([]byte, error) {
	all := []known{}
	cases := map[string]*Result{}
	for i := range r.Cases {
		cases[r.Cases[i].ID] = &r.Cases[i]
	}
	for i := range r.Findings {
		f := &r.Findings[i]
		if f.Counts {
			all = append(all, known{Cases: patternsOf(f, cases), Fails: f.Failure, Reason: reason})
		}
	}
	return yaml.Marshal(all)
}

const (
	// namedCases is how many cases an entry names one by one, and namedFields how many
	// fields, before it has a pattern for all of them.
	namedCases  = 3
	namedFields = 3
)

// patternsOf are the ids of a finding's cases, or patterns that match all of them: by the
// family, and by the fields where they are few.
func patternsOf(f *Finding, cases map[string]*Result) []string {
	if len(f.Cases) <= namedCases {
		return f.Cases
	}
	var patterns []string
	add := func(pattern string) {
		if !slices.Contains(patterns, pattern) {
			patterns = append(patterns, pattern)
		}
	}
	for _, id := range f.Cases {
		x := cases[id]
		pattern := id
		if x != nil {
			pattern = patternOf(x, len(f.Fields) <= namedFields)
		}
		if !fixtures.Match(pattern, id) {
			pattern = id // in a record that was written by hand
		}
		add(pattern)
	}
	return patterns
}

// patternOf matches the id of a case and those of its family, or of its family and field.
func patternOf(x *Result, byField bool) string {
	if x.Aspect != AspectOutcome {
		return "*/" + string(x.Aspect)
	}
	switch family := string(x.Family); {
	case x.Path == "" || x.Family == fixtures.FamilyForm && !byField:
		return "*" + family + "/*"
	case x.Family == fixtures.FamilyForm:
		return "*" + family + "/" + string(x.Path) + "/*"
	case byField:
		return "*" + string(x.Path) + "/" + family + "/*"
	}
	return "*/" + string(x.Family) + "/*"
}

// knownIndex finds the entry that a case is listed in.
type knownIndex struct {
	entries  []known
	exact    map[string]*known // by id in lower case
	patterns []knownPattern
}

type knownPattern struct {
	text  string
	entry *known
}

func indexKnown(entries []known) *knownIndex {
	k := &knownIndex{entries: entries, exact: map[string]*known{}}
	for i := range entries {
		for _, text := range entries[i].Cases {
			text = strings.ToLower(text)
			switch {
			case fixtures.IsPattern(text):
				k.patterns = append(k.patterns, knownPattern{text, &entries[i]})
			case k.exact[text] == nil:
				k.exact[text] = &entries[i]
			}
		}
	}
	return k
}

// find is the entry that a case is listed in, by its id (exact) or else the first pattern
// that fits; nil if there is none. What the page leaves open cannot fail.
func (k *knownIndex) find(x *Case) (entry *known, exact bool) {
	if x.Level == fixtures.LevelMay {
		return nil, false
	}
	id := strings.ToLower(x.ID)
	if entry := k.exact[id]; entry != nil {
		return entry, true
	}
	for _, p := range k.patterns {
		if fixtures.Match(p.text, id) {
			return p.entry, false
		}
	}
	return nil, false
}

// hasPattern reports an entry that names cases by a pattern.
func (k *knownIndex) hasPattern(entry *known) bool {
	return slices.ContainsFunc(k.patterns, func(p knownPattern) bool { return p.entry == entry })
}

// unmatched lists the patterns of an entry that no case of the catalogue fits.
func (k *known) unmatched(all []Case, ids map[string]bool) []string {
	var list []string
	for _, text := range k.Cases {
		pattern := strings.ToLower(text)
		found := ids[pattern]
		if fixtures.IsPattern(pattern) {
			found = slices.ContainsFunc(all,
				func(x Case) bool { return x.Level != fixtures.LevelMay && fixtures.Match(pattern, x.ID) })
		}
		if !found {
			list = append(list, text)
		}
	}
	return list
}

// applyKnown turns failures that are known into known failures and lists what is
// no longer true in the file.
func (r *Results) applyKnown(index *knownIndex, all []Case, today time.Time) {
	if len(index.entries) == 0 {
		return
	}
	ids := map[string]bool{}
	for i := range all {
		if all[i].Level != fixtures.LevelMay {
			ids[strings.ToLower(all[i].ID)] = true
		}
	}
	for i := range index.entries {
		k := &index.entries[i]
		for _, pattern := range k.unmatched(all, ids) {
			r.stale(k, "%s matches no case", pattern)
		}
		if k.Expires != "" && today.Format(time.DateOnly) > k.Expires {
			r.stale(k, "the entry expired on %s", k.Expires)
		}
	}
	listed, judged, fails := map[*known]int{}, map[*known]int{}, map[*known]int{}
	for i := range all {
		if k, _ := index.find(&all[i]); k != nil {
			listed[k]++
		}
	}
	for i := range r.Cases {
		x := &r.Cases[i]
		k, exact := index.find(&x.Case)
		if k == nil {
			continue
		}
		reason := k.Reason
		if k.Issue != "" {
			reason += " (" + k.Issue + ")"
		}
		switch {
		case x.Verdict == VerdictPass, x.Verdict == VerdictFail,
			x.Verdict == VerdictSkipped && x.Aspect != AspectOutcome:
			judged[k]++
		}
		switch {
		case x.Verdict == VerdictPass && exact:
			x.Verdict, x.Known, x.Reason = VerdictUnexpectedPass, reason, "unexpected pass (listed as a known failure)"
			r.stale(k, "%s passes", x.ID)
		case x.Verdict == VerdictFail && x.Failure == k.Fails:
			x.Verdict, x.Known = VerdictKnownFailure, reason
			fails[k]++
		case x.Verdict == VerdictFail:
			x.Reason += fmt.Sprintf("; listed as a known failure of another kind: %s", k.Fails)
		}
	}
	for i := range index.entries {
		// A pattern may match cases that pass as well, but not those alone. What was not sent
		// may still fail.
		if k := &index.entries[i]; index.hasPattern(k) && listed[k] > 0 && judged[k] == listed[k] && fails[k] == 0 {
			r.stale(k, "no case that the entry matches fails as it says")
		}
	}
}

func (r *Results) stale(k *known, format string, args ...any) {
	r.Stale = append(r.Stale,
		Stale{Line: k.Line, Text: fmt.Sprintf("line %d: %s", k.Line, fmt.Sprintf(format, args...))})
}
