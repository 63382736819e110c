package testsuite

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/seed47566266/understudy/contracts/oracle"
	"github.com/seed47566266/understudy/fixtures"
	"go.yaml.in/yaml/v3"
)

// known is a set of cases that are known to fail, in one way and for one reason.
type known struct {
	// Cases are ids, or patterns where * stands for any text and ? for a character.
	Cases []string `yaml:"cases" json:"cases"`
	// Fails is the way in which they fail.
	Fails Failure `yaml:"fails" json:"fails"`
	// Reason is why they fail.
	Reason string `yaml:"reason" json:"reason"`
	// Issue is the issue that tracks the fix.
	Issue string `yaml:"issue,omitempty" json:"issue,omitempty"`
	// Expires is the last day, YYYY-MM-DD, on which the entry counts.
	Expires string `yaml:"expires,omitempty" json:"expires,omitempty"`
	// Line is where the entry is in the file.
	Line int `yaml:"-" json:"line,omitempty"`
}

// Stale is an entry of the known-failures file that is no longer true.
type Stale struct {
	// Line is the line of the entry in the file, from 1.
	Line int `json:"line"`
	// Text is what is no longer true.
	Text string `json:"text"`
}

// ways are the failures that a file may name.
var ways = []Failure{FailureAccepted, FailureRejected, FailureServerError, FailureNoResponse, FailureDied,
	FailureStatus, FailureContent}

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

// keys are the keys of an entry.
const keys = "cases, fails, reason, issue and expires"

// unknownKey and wrongShape are how the YAML library names what does not fit an entry.
var (
	unknownKey = regexp.MustCompile(`field (\S+) not found in type \S+`)
	wrongShape = regexp.MustCompile(`cannot unmarshal \S+( .*)? into \S+`)
)

// yamlError is an error of the YAML library in one line.
func yamlError(err error) error {
	text := oneLine(strings.NewReplacer("yaml: ", "", "unmarshal errors:", "").Replace(err.Error()))
	text = unknownKey.ReplaceAllString(text, "unknown key $1: an entry has "+keys)
	return errors.New(wrongShape.ReplaceAllString(text, "expected a list of entries with "+keys))
}

// KnownFailures is a known-failures file: the entries of the run's own file of which
// something still fails, then one for each finding that fails the run, with the reason.
func (r *Results) KnownFailures(reason string) ([]byte, error) {
	all := append([]known{}, r.StillKnown...)
	n := &namer{
		results: r, cases: map[string]*Result{}, families: map[fixtures.Family][]*Result{}, fail: map[string]bool{},
	}
	for i := range r.Cases {
		x := &r.Cases[i]
		n.cases[x.ID] = x
		n.families[x.Family] = append(n.families[x.Family], x)
	}
	for i := range r.Findings {
		if f := &r.Findings[i]; f.Counts {
			all = append(all, known{Cases: n.patternsOf(f), Fails: f.Failure, Reason: reason})
		}
	}
	return yaml.Marshal(all)
}

// namer finds patterns for the cases of findings.
type namer struct {
	results  *Results
	cases    map[string]*Result
	families map[fixtures.Family][]*Result
	fail     map[string]bool // whether all that a pattern matches fails, by way and pattern
}

// patternsOf are patterns that match the cases of a finding, and nothing that could fail
// in its way and does not: a new defect is not to hide behind a known one. A run of a part
// of the cases knows nothing of the others, so that its ids stand for themselves.
func (n *namer) patternsOf(f *Finding) []string {
	var patterns []string
	for _, id := range f.Cases {
		if slices.ContainsFunc(patterns, func(p string) bool { return fixtures.Match(p, id) }) {
			continue
		}
		pattern := id
		if x := n.cases[id]; x != nil && n.results.Whole { // a record that was written by hand may lack it
			for _, wider := range widerPatterns(x) {
				if fixtures.Match(wider, id) && n.allFail(wider, x, f.Failure) {
					pattern = wider
					break
				}
			}
		}
		patterns = append(patterns, pattern)
	}
	return patterns
}

// widerPatterns match the id of a case and those of others of its kind, the widest first.
func widerPatterns(x *Result) []string {
	family := string(x.Family)
	switch {
	case x.Aspect != AspectOutcome:
		return []string{"*/" + family + "/*/" + string(x.Aspect)}
	case x.Path == "":
		return []string{family + "/*"}
	}
	path := string(x.Path)
	return []string{
		"*/" + family + "/*", family + "/*", path + "/" + family + "/*", "*/" + path + "/" + family + "/*",
		family + "/" + path + "/*", strings.Replace(x.ID, path, "*", 1),
	}
}

// allFail reports that whatever a pattern of a case's family matches that could fail in a
// way does.
func (n *namer) allFail(pattern string, of *Result, way Failure) bool {
	key := string(way) + " " + pattern
	all, known := n.fail[key]
	if !known {
		// The ids of forms may have another family's name in them.
		kin := slices.Concat(n.families[of.Family], n.families[fixtures.FamilyForm])
		all = !slices.ContainsFunc(kin, func(x *Result) bool {
			could := x.Verdict != VerdictFail && x.Verdict != VerdictKnownFailure &&
				(way != FailureAccepted || x.Expect == oracle.OutcomeReject) &&
				(way != FailureRejected || x.Expect == oracle.OutcomeAccept) &&
				(x.Aspect == AspectOutcome || of.Aspect != AspectOutcome)
			other := x.Verdict == VerdictFail && x.Failure != way
			return (could || other) && fixtures.Match(pattern, x.ID)
		})
		n.fail[key] = all
	}
	return all
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

// find is the entry that a case is listed in, by its id (exact) or else by a pattern; nil
// if there is none. Of several, one that names the way in which it fails comes first.
func (k *knownIndex) find(x *Case, way Failure) (entry *known, exact bool) {
	id := strings.ToLower(x.ID)
	if entry := k.exact[id]; entry != nil {
		return entry, true
	}
	for _, p := range k.patterns {
		if !fixtures.Match(p.text, id) {
			continue
		}
		if p.entry.Fails == way {
			return p.entry, false
		}
		if entry == nil {
			entry = p.entry
		}
	}
	return entry, false
}

// hasPattern reports an entry that names cases by a pattern.
func (k *known) hasPattern() bool { return slices.ContainsFunc(k.Cases, fixtures.IsPattern) }

// unmatched lists the patterns of an entry that no case of the catalogue fits.
func (k *known) unmatched(all []Case, ids map[string]bool) []string {
	var list []string
	for _, text := range k.Cases {
		pattern := strings.ToLower(text)
		found := ids[pattern]
		if fixtures.IsPattern(pattern) {
			found = slices.ContainsFunc(all, func(x Case) bool { return fixtures.Match(pattern, x.ID) })
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
	var names []string
	listed, judged, fails := map[*known]int{}, map[*known]int{}, map[*known]int{}
	for i := range all {
		ids[strings.ToLower(all[i].ID)] = true
		names = append(names, all[i].ID)
		for j := range index.entries {
			if k := &index.entries[j]; k.lists(all[i].ID) {
				listed[k]++
			}
		}
	}
	for i := range index.entries {
		k := &index.entries[i]
		for _, pattern := range k.unmatched(all, ids) {
			r.stale(k, "%s matches no case; the nearest is %s", pattern, fixtures.Nearest(pattern, names))
		}
		if k.Expires != "" && today.Format(time.DateOnly) > k.Expires {
			r.stale(k, "the entry expired on %s: mend the target, or give it another day", k.Expires)
		}
	}
	for i := range r.Cases {
		x := &r.Cases[i]
		for j := range index.entries {
			k := &index.entries[j]
			if (x.Verdict == VerdictPass || x.Verdict == VerdictFail ||
				x.Verdict == VerdictSkipped && x.Aspect != AspectOutcome) && k.lists(x.ID) {
				judged[k]++
			}
		}
		k, exact := index.find(&x.Case, x.Failure)
		if k == nil {
			continue
		}
		reason := k.Reason
		if k.Issue != "" {
			reason += " (" + k.Issue + ")"
		}
		switch {
		case x.Verdict == VerdictPass && exact:
			x.Verdict, x.Known, x.Reason = VerdictUnexpectedPass, reason, "unexpected pass (listed as a known failure)"
			r.stale(k, "%s passes: take it out of the entry", x.ID)
		case x.Verdict == VerdictFail && x.Failure == k.Fails:
			x.Verdict, x.Known = VerdictKnownFailure, reason
			for j := range index.entries {
				if other := &index.entries[j]; other.Fails == x.Failure && other.lists(x.ID) {
					fails[other]++
				}
			}
		case x.Verdict == VerdictFail && exact:
			r.stale(k, "%s fails as %q: make it the entry's fails, or take it out", x.ID, x.Failure)
		case x.Verdict == VerdictSkipped && x.Aspect == AspectOutcome && k.Fails == FailureAccepted:
			r.knownUnsent++
		}
	}
	for i := range index.entries {
		// A pattern may match cases that pass as well, but not those alone. What was not sent
		// may still fail.
		k := &index.entries[i]
		if fails[k] > 0 {
			r.StillKnown = append(r.StillKnown, *k)
		}
		if k.hasPattern() && listed[k] > 0 && judged[k] == listed[k] && fails[k] == 0 {
			r.stale(k, "nothing that %s matches fails as %q any longer: delete the entry", strings.Join(k.Cases, ", "),
				k.Fails)
		}
	}
}

// lists reports that an entry names a case, by its id or by a pattern.
func (k *known) lists(id string) bool {
	return slices.ContainsFunc(k.Cases, func(text string) bool {
		return strings.EqualFold(text, id) || fixtures.IsPattern(text) && fixtures.Match(text, id)
	})
}

func (r *Results) stale(k *known, format string, args ...any) {
	r.Stale = append(r.Stale,
		Stale{Line: k.Line, Text: fmt.Sprintf("line %d: %s", k.Line, fmt.Sprintf(format, args...))})
}
