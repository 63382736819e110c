package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/seed47566266/understudy/mockserver"
)

// maxConfig is the largest configuration file in bytes; a full one has a few
// hundred.
const maxConfig = 1 << 20

// defaultConfig is read where it is in the working folder and --config names no other.
const defaultConfig = "understudy.yaml"

// isCommand reports a key of a configuration that is a command, and not the mock's.
func isCommand(root *cobra.Command, key string) bool {
	found, _, err := root.Find([]string{key})
	return err == nil && found != root
}

// configurable lets a command's flags also be set by the environment
// (UNDERSTUDY_TIME_ZONE for --time-zone) and by a file:
//
//	serve:
//	  time-zone: America/Chicago
//	verify:
//	  set: {UserId: 84ef7a81-c643-4b8e-85e5-1ff52fc35f3d}
//	  report: [text, junit=junit.xml]
//
// A flag counts for more than the environment, that for more than the file.
func configurable(cmd *cobra.Command, s streams) {
	file := cmd.Flags().String("config", "", "YAML `file` with settings by flag name, under the command's\n"+
		"name (default: understudy.yaml, if there is one)")
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		fromFlags := map[string]bool{}
		cmd.Flags().Visit(func(f *pflag.Flag) { fromFlags[f.Name] = true })
		var err error
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			name := "UNDERSTUDY_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
			value := s.getenv(name)
			if fromFlags[f.Name] || value == "" || err != nil {
				return
			}
			fromFlags[f.Name] = true
			if problem := cmd.Flags().Set(f.Name, value); problem != nil {
				err = fmt.Errorf("environment variable %s: %w", name, problem)
			}
			setBy(f, name)
		})
		if *file == "" {
			if _, missing := os.Stat(defaultConfig); missing == nil {
				*file = defaultConfig
			}
		}
		if err != nil || *file == "" {
			return err
		}
		return applyFile(cmd, *file, fromFlags)
	}
}

// setByKey is the annotation of a flag that says who set it, if not the flag itself.
const setByKey = "set by"

func setBy(f *pflag.Flag, who string) {
	if f.Annotations == nil {
		f.Annotations = map[string][]string{}
	}
	f.Annotations[setByKey] = []string{who}
}

// origin says where the value of a flag comes from: the flag, a variable of the
// environment, or a line of a file. It is empty for a default.
func origin(flags *pflag.FlagSet, name string) string {
	f := flags.Lookup(name)
	switch {
	case !f.Changed:
		return ""
	case len(f.Annotations[setByKey]) > 0:
		return f.Annotations[setByKey][0]
	}
	return "--" + name
}

func applyFile(cmd *cobra.Command, file string, set map[string]bool) error {
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("cannot read the configuration: %w", err)
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return fmt.Errorf("cannot read the configuration: %w", err)
	}
	if len(text) > maxConfig {
		return fmt.Errorf("%s is longer than %d bytes, the most that a configuration may have", file, maxConfig)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var document, second yaml.Node
	if err := decoder.Decode(&document); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: %s", file, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	switch err := decoder.Decode(&second); {
	case err == nil:
		return fmt.Errorf("%s:%d: a second document: put all settings into the first one", file, second.Line)
	case !errors.Is(err, io.EOF):
		return fmt.Errorf("%s: %s", file, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if len(document.Content) == 0 {
		return nil
	}
	at := func(n *yaml.Node, format string, args ...any) error {
		return fmt.Errorf("%s:%d: %s", file, n.Line, fmt.Sprintf(format, args...))
	}
	root := document.Content[0]
	if root.Kind != yaml.MappingNode {
		return at(root, "expected commands with their settings, e.g. “serve:”")
	}
	if twice, first := repeated(root); twice != nil {
		return at(twice, "duplicate key %q (first on line %d)", twice.Value, first.Line)
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		command, settings := root.Content[i], root.Content[i+1]
		if mockserver.IsConfigKey(command.Value) {
			continue // the mock reads it
		}
		if !isCommand(cmd.Root(), command.Value) {
			if cmd.Flags().Lookup(command.Value) != nil {
				return at(command, "put %q under the command's name, as “%s:”", command.Value, cmd.Name())
			}
			return at(command, "unknown command %q", command.Value)
		}
		if command.Value != cmd.Name() {
			continue
		}
		if settings.Kind != yaml.MappingNode {
			return at(settings, "expected settings by flag name under %q", command.Value)
		}
		if twice, first := repeated(settings); twice != nil {
			return at(twice, "duplicate key %q (first on line %d)", twice.Value, first.Line)
		}
		for j := 0; j+1 < len(settings.Content); j += 2 {
			name, value := settings.Content[j], settings.Content[j+1]
			if name.Value == "config" || cmd.Flags().Lookup(name.Value) == nil {
				return at(name, "unknown setting %q; see '%s --help'", name.Value, cmd.CommandPath())
			}
			if set[name.Value] {
				continue
			}
			flag := cmd.Flags().Lookup(name.Value)
			if err := setFlag(cmd.Flags(), flag, value); err != nil {
				return at(value, "%v", err)
			}
			setBy(flag, fmt.Sprintf("%s:%d", file, name.Line))
		}
	}
	return nil
}

// pairKey is the annotation of a flag that takes pairs: what joins a name and its value,
// if not an equals sign.
const pairKey = "pair"

// setFlag sets a flag to a value of a file. One that repeats takes a list, or a mapping of
// names to values.
func setFlag(flags *pflag.FlagSet, flag *pflag.Flag, value *yaml.Node) error {
	if value.Kind == yaml.ScalarNode {
		return flags.Set(flag.Name, value.Value)
	}
	list, repeats := flag.Value.(pflag.SliceValue)
	if !repeats {
		return fmt.Errorf("expected one value for %q", flag.Name)
	}
	var values []string
	scalar := func(n *yaml.Node) error {
		if n.Kind != yaml.ScalarNode {
			return fmt.Errorf("expected a list or a mapping of plain values for %q", flag.Name)
		}
		return nil
	}
	switch value.Kind {
	case yaml.SequenceNode:
		for _, item := range value.Content {
			if err := scalar(item); err != nil {
				return err
			}
			values = append(values, item.Value)
		}
	case yaml.MappingNode:
		if twice, first := repeated(value); twice != nil {
			return fmt.Errorf("duplicate key %q (first on line %d)", twice.Value, first.Line)
		}
		join := "="
		if other := flag.Annotations[pairKey]; len(other) > 0 {
			join = other[0]
		}
		for i := 0; i+1 < len(value.Content); i += 2 {
			for _, n := range value.Content[i : i+2] {
				if err := scalar(n); err != nil {
					return err
				}
			}
			values = append(values, value.Content[i].Value+join+value.Content[i+1].Value)
		}
	default:
		return fmt.Errorf("expected a value, a list or a mapping for %q", flag.Name)
	}
	flag.Changed = true
	return list.Replace(values)
}

// repeated finds a key that a mapping has twice, and where it is first.
func repeated(mapping *yaml.Node) (twice, first *yaml.Node) {
	seen := map[string]*yaml.Node{}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		key := mapping.Content[i]
		if before := seen[key.Value]; before != nil {
			return key, before
		}
		seen[key.Value] = key
	}
	return nil, nil
}
