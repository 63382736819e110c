package testsuite

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/fixtures"
)

// Selection chooses cases of a suite. The zero value is the whole.
type Selection struct {
	// Only is the id of a case whose request alone is sent, without a control and
	// whatever else is selected.
	Only string
	// Run selects cases by patterns of ids, see [fixtures.Match].
	Run []string
	// Skip leaves cases out by patterns of ids.
	Skip []string
	// Fields selects the cases about fields, by path; what lies under a path counts.
	Fields []string
	// Media selects by media type of the body.
	Media []string
	// Tags selects by the words by which people look for cases.
	Tags []string
	// Level is the minimum level; empty is LevelMay.
	Level fixtures.Level
	// Shard is one part of the cases, by id.
	Shard fixtures.Shard
}

// complete puts the defaults in and checks what does not depend on the suite.
func (s *Selection) complete() error {
	if s.Level == "" {
		s.Level = fixtures.LevelMay
	}
	if s.Level.Weight() == 0 {
		return &ConfigError{"Selection.Level", fmt.Sprintf("unknown level %q: use MUST, SHOULD or MAY", s.Level)}
	}
	if s.Shard.Of > 0 && (s.Shard.Part < 1 || s.Shard.Part > s.Shard.Of) {
		return &ConfigError{
			"Selection.Shard",
			fmt.Sprintf("invalid shard %d/%d: use i/n with i from 1 to n", s.Shard.Part, s.Shard.Of),
		}
	}
	return nil
}

// choose are the cases that a selection selects.
func (s *Suite) choose(by *Selection) (chosen []Case, err error) {
	if by.Only != "" {
		return s.only(by.Only)
	}
	if err := s.check(by); err != nil {
		return nil, err
	}
	fitsAny := func(list []string, fits func(string) bool) bool {
		return len(list) == 0 || slices.ContainsFunc(list, fits)
	}
	for i := range s.cases {
		x := &s.cases[i]
		byID := func(pattern string) bool { return fixtures.Match(pattern, x.ID) }
		switch {
		case x.Level.Weight() < by.Level.Weight(),
			!fitsAny(by.Run, byID),
			slices.ContainsFunc(by.Skip, byID),
			!fitsAny(by.Fields, x.isAbout),
			!fitsAny(by.Tags, func(tag string) bool { return slices.Contains(x.Tags, strings.ToLower(tag)) }),
			!fitsAny(by.Media, func(m string) bool { return strings.EqualFold(m, x.Media) }),
			!by.Shard.Has(x.Sends):
		default:
			chosen = append(chosen, *x)
		}
	}
	// A shard of a small selection may be empty, which is not an error.
	if len(chosen) == 0 && by.Shard.Whole() {
		return nil, &ConfigError{
			"Selection",
			"no case fits all of the selection: leave out one of run, skip, level, field, tag and media",
		}
	}
	return chosen, nil
}

// only are the case with an id and those that look at the same request.
func (s *Suite) only(id string) (chosen []Case, err error) {
	at, found := s.index[strings.ToLower(id)]
	if number, isFuzz := strings.CutPrefix(strings.ToLower(id), string(fixtures.FamilyFuzz)+"/"); isFuzz && !found {
		if i, err := strconv.ParseUint(number, 10, 64); err == nil {
			made := s.generator.Fuzz(i)
			return []Case{s.caseOf(&made)}, nil
		}
	}
	if !found {
		return nil, &ConfigError{
			"Selection.Only", fmt.Sprintf("no case has the id %q; the nearest is %q", id, s.Nearest(id)),
		}
	}
	for i := range s.cases {
		if s.cases[i].Sends == s.cases[at].Sends {
			chosen = append(chosen, s.cases[i])
		}
	}
	return chosen, nil
}

// check finds what selects nothing.
func (s *Suite) check(by *Selection) error {
	some := func(fits func(x *Case) bool) bool {
		return slices.ContainsFunc(s.cases, func(x Case) bool { return fits(&x) })
	}
	patterns := func(setting string, list []string) error {
		for _, pattern := range list {
			if !some(func(x *Case) bool { return fixtures.Match(pattern, x.ID) }) {
				return &ConfigError{
					setting,
					fmt.Sprintf("no case has an id like %q; the nearest is %q", pattern, s.Nearest(pattern)),
				}
			}
		}
		return nil
	}
	if err := patterns("Selection.Run", by.Run); err != nil {
		return err
	}
	if err := patterns("Selection.Skip", by.Skip); err != nil {
		return err
	}
	for _, m := range by.Media {
		if s.operation.RequestFormat(m) == nil {
			return &ConfigError{"Selection.Media", fmt.Sprintf("the page lists no request format %q", m)}
		}
	}
	for _, tag := range by.Tags {
		if !slices.Contains(s.tags, strings.ToLower(tag)) {
			return &ConfigError{
				"Selection.Tags",
				fmt.Sprintf("no case has the tag %q; the nearest is %q", tag, fixtures.Nearest(tag, s.tags)),
			}
		}
	}
	for _, name := range by.Fields {
		if !some(func(x *Case) bool { return x.isAbout(name) }) {
			return &ConfigError{"Selection.Fields", fmt.Sprintf("no case is about a field %q of the page", name)}
		}
	}
	return nil
}

// isAbout reports that a case is about a field, or one of its elements' fields.
func (x *Case) isAbout(field string) bool {
	return x.Path != "" && contracts.ParsePath(field).Covers(x.Path)
}
