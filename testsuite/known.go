package testsuite

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"
)

// Known is a set of cases that are known to fail, in one way and for one reason.
type Known struct {
	// Cases are patterns of ids, see Match.
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
		return nil, err
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	var all []Known
	if err := d.Decode(&all); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
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

// applyKnown turns failures that are known into known failures and lists what is
// no longer true in the file.
func (r *Results) applyKnown(known []Known, all []Case, today time.Time) {
	for i := range known {
		k := &known[i]
		for _, pattern := range k.Cases {
			if !slices.ContainsFunc(all, func(x Case) bool { return x.Level != May && Match(pattern, x.ID) }) {
				r.stale(k, "%s matches no case", pattern)
			}
		}
		if k.Expires != "" && today.Format(time.DateOnly) > k.Expires {
			r.stale(k, "the entry expired on %s", k.Expires)
		}
	}
	for i := range r.Cases {
		x := &r.Cases[i]
		k := findKnown(known, &x.Case)
		if k == nil {
			continue
		}
		switch {
		case x.Verdict == Pass:
			x.Verdict, x.Known, x.Reason = UnexpectedPass, k.Reason, "it is known to fail and passes"
			r.stale(k, "%s passes", x.ID)
		case x.Verdict == Fail && x.Failure == k.Fails:
			x.Verdict, x.Known = KnownFailure, k.Reason
		case x.Verdict == Fail:
			x.Reason += fmt.Sprintf("; it is known to fail in another way: %s", k.Fails)
		}
	}
}

func findKnown(known []Known, x *Case) *Known {
	if x.Level == May {
		return nil
	}
	for i := range known {
		if slices.ContainsFunc(known[i].Cases, func(p string) bool { return Match(p, x.ID) }) {
			return &known[i]
		}
	}
	return nil
}

func (r *Results) stale(k *Known, format string, args ...any) {
	r.Stale = append(r.Stale, Stale{Line: k.Line, Text: fmt.Sprintf("line %d: %s", k.Line, fmt.Sprintf(format, args...))})
}
