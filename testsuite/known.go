package testsuite

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Known is a set of cases that are known to fail, in one way and for one reason.
type Known struct {
	// Cases are ids, or patterns where * stands for any text and ? for a character.
	Cases []string `yaml:"cases"`
	// Fails is the way in which they fail.
	Fails  Failure `yaml:"fails"`
	Reason string  `yaml:"reason"`
	// Issue is where it is being mended. Expires is the last day, YYYY-MM-DD, on
	// which the entry counts.
	Issue   string `yaml:"issue,omitempty"`
	Expires string `yaml:"expires,omitempty"`
	// Line is where the entry is in the file.
	Line int `yaml:"-"`
}

// Stale is an entry of the known-failures file that is no longer true.
type Stale struct {
	Line int    `json:"line"`
	Text string `json:"text"`
}

// ways are the failures that a file may name.
var ways = []Failure{FailAccepted, FailRefused, FailBroke, FailStatus, FailShape}

// maxKnown is the largest known-failures file in bytes.
const maxKnown = 4 << 20

// ParseKnown reads a known-failures file: a list in YAML of entries with cases,
// fails, reason, and if wanted issue and expires. Errors begin with the line.
func ParseKnown(text []byte) ([]Known, error) {
	if len(text) > maxKnown {
		return nil, fmt.Errorf("the file is longer than %d bytes", maxKnown)
	}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, yamlError(err)
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	var all []Known
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

// FormatKnown writes a known-failures file of everything that fails in results at
// the level MUST or SHOULD.
func FormatKnown(r *Results, reason string) ([]byte, error) {
	all := []Known{}
	byRule := map[string]int{}
	for _, x := range r.Failed(Should) {
		key := x.Rule + " " + string(x.Failure)
		at, there := byRule[key]
		if !there {
			at = len(all)
			byRule[key] = at
			all = append(all, Known{Fails: x.Failure, Reason: reason})
		}
		all[at].Cases = append(all[at].Cases, x.ID)
	}
	return yaml.Marshal(all)
}

// knownIndex finds the entry that a case is listed in.
type knownIndex struct {
	entries  []Known
	exact    map[string]*Known // by id in lower case
	patterns []knownPattern
}

type knownPattern struct {
	text  string
	entry *Known
}

func indexKnown(entries []Known) *knownIndex {
	k := &knownIndex{entries: entries, exact: map[string]*Known{}}
	for i := range entries {
		for _, text := range entries[i].Cases {
			text = strings.ToLower(text)
			switch {
			case strings.ContainsAny(text, "*?"):
				k.patterns = append(k.patterns, knownPattern{text, &entries[i]})
			case k.exact[text] == nil:
				k.exact[text] = &entries[i]
			}
		}
	}
	return k
}

// find is the entry that a case is listed in, by its id or else the first pattern
// that fits; nil if there is none. What the page leaves open cannot fail.
func (k *knownIndex) find(x *Case) *Known {
	if x.Level == May {
		return nil
	}
	id := strings.ToLower(x.ID)
	if entry := k.exact[id]; entry != nil {
		return entry
	}
	for _, p := range k.patterns {
		if glob(p.text, id) {
			return p.entry
		}
	}
	return nil
}

// unmatched lists the patterns of an entry that no case of the catalogue fits.
func (k *Known) unmatched(all []Case, ids map[string]bool) []string {
	var list []string
	for _, text := range k.Cases {
		pattern := strings.ToLower(text)
		found := ids[pattern]
		if strings.ContainsAny(pattern, "*?") {
			found = slices.ContainsFunc(all, func(x Case) bool { return x.Level != May && glob(pattern, strings.ToLower(x.ID)) })
		}
		if !found {
			list = append(list, text)
		}
	}
	return list
}

// applyKnown turns failures that are known into known failures and lists what is
// no longer true in the file.
func (r *Results) applyKnown(known *knownIndex, all []Case, today time.Time) {
	if len(known.entries) == 0 {
		return
	}
	ids := map[string]bool{}
	for i := range all {
		if all[i].Level != May {
			ids[strings.ToLower(all[i].ID)] = true
		}
	}
	for i := range known.entries {
		k := &known.entries[i]
		for _, pattern := range k.unmatched(all, ids) {
			r.stale(k, "%s matches no case", pattern)
		}
		if k.Expires != "" && today.Format(time.DateOnly) > k.Expires {
			r.stale(k, "the entry expired on %s", k.Expires)
		}
	}
	for i := range r.Cases {
		x := &r.Cases[i]
		k := known.find(&x.Case)
		if k == nil {
			continue
		}
		reason := k.Reason
		if k.Issue != "" {
			reason += " (" + k.Issue + ")"
		}
		switch {
		case x.Verdict == Pass:
			x.Verdict, x.Known, x.Reason = UnexpectedPass, reason, "it is known to fail and passes"
			r.stale(k, "%s passes", x.ID)
		case x.Verdict == Fail && x.Failure == k.Fails:
			x.Verdict, x.Known = KnownFailure, reason
		case x.Verdict == Fail:
			x.Reason += fmt.Sprintf("; it is known to fail in another way: %s", k.Fails)
		}
	}
}

func (r *Results) stale(k *Known, format string, args ...any) {
	r.Stale = append(r.Stale, Stale{Line: k.Line, Text: fmt.Sprintf("line %d: %s", k.Line, fmt.Sprintf(format, args...))})
}
