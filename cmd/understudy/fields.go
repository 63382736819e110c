package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/seed47566266/understudy/fixtures"
	"github.com/seed47566266/understudy/mockserver"
)

// fieldsKey is where a configuration has the specifications of fields.
const fieldsKey = "fields"

// fieldSpecs are specifications of fields and where each stands, for errors.
type fieldSpecs struct {
	specs map[string]fixtures.FieldSpec
	at    map[string]specPlace
}

// specPlace is where a specification stands: in a file, or in a flag.
type specPlace struct {
	file *configFile // nil for a flag
	node *yaml.Node  // of the field's name
	keys map[string]*yaml.Node
	flag string
}

func newFieldSpecs() *fieldSpecs {
	return &fieldSpecs{map[string]fixtures.FieldSpec{}, map[string]specPlace{}}
}

// readFile reads those of a configuration; nil for none. Pools are found from its folder.
func (s *fieldSpecs) readFile(f *configFile) error {
	if f == nil {
		return nil
	}
	settings := f.settings("generate")
	if settings == nil {
		return nil
	}
	for i := 0; i+1 < len(settings.Content); i += 2 {
		if settings.Content[i].Value != fieldsKey {
			continue
		}
		fields := settings.Content[i+1]
		if fields.Kind != yaml.MappingNode {
			return f.errorf(fields, "fields must be a mapping of names of fields to what they have")
		}
		for j := 0; j+1 < len(fields.Content); j += 2 {
			name, value := fields.Content[j], fields.Content[j+1]
			place := specPlace{file: f, node: name, keys: map[string]*yaml.Node{}}
			spec, err := readSpec(value, place.keys, f.errorf)
			if err != nil {
				return err
			}
			if file := spec.Pool; file != "" && !filepath.IsAbs(file) {
				spec.Pool = filepath.Join(filepath.Dir(f.name), file)
			}
			s.specs[name.Value], s.at[name.Value] = spec, place
		}
	}
	return nil
}

// readSpec reads one specification: a mapping of its keys, or the text of fake.
func readSpec(n *yaml.Node, at map[string]*yaml.Node,
	errorf func(n *yaml.Node, format string, args ...any) error) (spec fixtures.FieldSpec, err error) {
	if n.Kind == yaml.ScalarNode && n.Tag != "!!null" {
		spec.Fake, at["fake"] = n.Value, n
		return spec, nil
	}
	if n.Kind != yaml.MappingNode || len(n.Content) == 0 {
		return spec, errorf(n, "expected a mapping with one of the keys %s", strings.Join(fixtures.SpecKeys(), ", "))
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case value.Kind != yaml.ScalarNode:
			return spec, errorf(value, "%s must be one value, in quotes if it has braces", key.Value)
		case value.Value == "":
			return spec, errorf(value, "%s is empty: give it a value, or leave it out", key.Value)
		}
		if !spec.Set(key.Value, value.Value) {
			return spec, errorf(key, "unknown key %q: use %s", key.Value, strings.Join(fixtures.SpecKeys(), ", "))
		}
		at[key.Value] = value
	}
	return spec, nil
}

// readFlags reads --with, each as Field={sentence} or Field={range: 1..5, step: 2}; what they
// say counts for more than a file.
func (s *fieldSpecs) readFlags(with, omit []string) error {
	for _, pair := range with {
		name, text, found := strings.Cut(pair, "=")
		if !found || name == "" || text == "" {
			return fmt.Errorf("--with %q: use Field={function} or Field={key: value}", pair)
		}
		flag := fmt.Sprintf("--with %s", name)
		place := specPlace{flag: flag, keys: map[string]*yaml.Node{}}
		spec := fixtures.FieldSpec{Fake: text}
		if n := flowMapping(text); n != nil {
			var err error
			if spec, err = readSpec(n, place.keys, func(_ *yaml.Node, format string, args ...any) error {
				return fmt.Errorf(flag+": "+format, args...)
			}); err != nil {
				return err
			}
		}
		s.replace(name, spec, place)
	}
	for _, name := range omit {
		for _, pair := range with {
			if other, _, _ := strings.Cut(pair, "="); strings.EqualFold(other, name) {
				return fmt.Errorf("--omit %s: --with says what it has: leave out one of them", name)
			}
		}
		s.replace(name, fixtures.FieldSpec{Absent: "100%"}, specPlace{flag: "--omit " + name})
	}
	return nil
}

// replace sets the specification of a field, whatever the case of its name before.
func (s *fieldSpecs) replace(name string, spec fixtures.FieldSpec, place specPlace) {
	for other := range s.specs {
		if strings.EqualFold(other, name) {
			delete(s.specs, other)
			delete(s.at, other)
		}
	}
	s.specs[name], s.at[name] = spec, place
}

// flowMapping is a text that is a mapping with values, as {range: 1..5}; nil for another, as
// the call {number:1,10}.
func flowMapping(text string) *yaml.Node {
	root, err := mockserver.ParseYAML("", []byte(text))
	if err != nil || root == nil || root.Kind != yaml.MappingNode || len(root.Content) == 0 {
		return nil
	}
	if root.Content[1].Tag == "!!null" {
		return nil // {date} and {word} are calls
	}
	return root
}

// placed is an error of a specification with its line and column, or its flag.
func (s *fieldSpecs) placed(err error) error {
	var about *fixtures.SpecError
	if !errors.As(err, &about) {
		return err
	}
	for name, place := range s.at {
		if !strings.EqualFold(name, about.Field) {
			continue
		}
		if place.file == nil {
			return fmt.Errorf("%s: %s", place.flag, strings.TrimPrefix(about.Error(), about.Field+": "))
		}
		node := place.node
		if at := place.keys[about.Key]; at != nil {
			node = at
		}
		return place.file.errorf(node, "%s", about.Error())
	}
	return err
}
