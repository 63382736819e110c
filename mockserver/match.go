package mockserver

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"

	"go.yaml.in/yaml/v3"
)

// Match is what a value must be; all that is set must hold.
type Match struct {
	// Equals is the value; nil is any. Fields are compared as the framework reads them, so that
	// two spellings of a GUID or of a point in time are equal.
	Equals *string `yaml:"equals" doc:"the value"`
	// Matches is a regular expression in Go's syntax that some part of the value matches.
	Matches string `yaml:"matches" doc:"regular expression (RE2) for a part of the value"`
	// Present asks that there is a value, be it null.
	Present bool `yaml:"present" doc:"true: there must be one"`
	// Absent asks that there is none.
	Absent bool `yaml:"absent" doc:"true: there must be none"`
}

// Equals matches one value.
func Equals(value string) Match { return Match{Equals: &value} }

func (m *Match) decode(d *decoder, n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*m = Equals(n.Value)
		return nil
	}
	if err := d.decodeStruct(n, reflect.ValueOf(m).Elem(), "a match"); err != nil {
		return err
	}
	if _, err := m.compile(nil); err != nil {
		return d.errorf(n, "%s", err)
	}
	return nil
}

func (*Match) schema() any {
	return anyOf(map[string]any{"type": []string{"string", "number", "boolean"}, "description": "the value"},
		structSchema(reflect.TypeFor[Match]()))
}

// compile makes a test for the values of one name. equal, unless nil, makes the value to
// compare with.
func (m *Match) compile(equal func(string) (string, error)) (func(values []string) bool, error) {
	if *m == (Match{}) {
		return nil, fmt.Errorf("nothing to match: use equals, matches, present or absent")
	}
	if m.Absent && (m.Equals != nil || m.Matches != "" || m.Present) {
		return nil, fmt.Errorf("absent goes with nothing else")
	}
	var pattern *regexp.Regexp
	var err error
	if m.Matches != "" {
		if pattern, err = regexp.Compile(m.Matches); err != nil {
			return nil, fmt.Errorf("matches: %w", err)
		}
	}
	want := ""
	if m.Equals != nil {
		if want = *m.Equals; equal != nil {
			if want, err = equal(want); err != nil {
				return nil, err
			}
		}
	}
	return func(values []string) bool {
		switch {
		case m.Absent:
			return len(values) == 0
		case m.Equals != nil && !slices.Contains(values, want):
			return false
		case pattern != nil && !slices.ContainsFunc(values, pattern.MatchString):
			return false
		}
		return len(values) > 0
	}, nil
}
