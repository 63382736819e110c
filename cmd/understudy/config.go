package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
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
// A flag counts for more than the environment, that for more than the file. The file is what
// the function returns once the command runs; nil if there is none. The command reads the keys
// that are no flags itself.
func configurable(cmd *cobra.Command, s streams, keys ...string) (file func() *configFile) {
	var found *configFile
	cmd.Annotations = map[string]string{ownKeys: strings.Join(keys, " ")}
	name := cmd.Flags().String("config", "", "YAML `file` with settings by flag name, under the command's "+
		"name (default: understudy.yaml, if there is one)")
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		fromFlags := map[string]bool{}
		cmd.Flags().Visit(func(f *pflag.Flag) { fromFlags[f.Name] = true })
		var err error
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			name := variable(f.Name)
			value := s.getenv(name)
			if fromFlags[f.Name] || value == "" || err != nil {
				return
			}
			fromFlags[f.Name] = true
			if problem := cmd.Flags().Set(f.Name, value); problem != nil {
				err = fmt.Errorf("environment variable %s: %w", name, flagProblem(problem))
			}
			setBy(f, name)
		})
		if *name == "" {
			if _, missing := os.Stat(defaultConfig); missing == nil {
				*name = defaultConfig
			}
		}
		if err == nil {
			warnUnknownVariables(cmd.Root(), s)
		}
		if err != nil || *name == "" {
			return err
		}
		if found, err = readConfig(*name); err != nil {
			return err
		}
		return found.apply(cmd.Root(), cmd, fromFlags)
	}
	return func() *configFile { return found }
}

// ownKeys is the annotation of a command that has the keys of its settings that are no flags.
const ownKeys = "own keys"

func hasOwnKey(cmd *cobra.Command, key string) bool {
	return slices.Contains(strings.Fields(cmd.Annotations[ownKeys]), key)
}

// variablePrefix begins the variables of the environment that set flags.
const variablePrefix = "UNDERSTUDY_"

// variable is the one that sets a flag.
func variable(flag string) string {
	return variablePrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// warnUnknownVariables names variables that set no flag of any command: a misspelled one would
// do nothing in silence.
func warnUnknownVariables(root *cobra.Command, s streams) {
	known := map[string]bool{}
	for _, command := range root.Commands() {
		command.Flags().VisitAll(func(f *pflag.Flag) { known[variable(f.Name)] = true })
	}
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		if strings.HasPrefix(name, variablePrefix) && !known[name] && s.getenv(name) != "" {
			_, _ = fmt.Fprintf(s.err, "understudy: the variable %s sets no flag of any command: it is ignored\n", name)
		}
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

// configFile is a configuration: settings of commands by flag name, and what the mock does.
type configFile struct {
	name string
	text []byte
	root *yaml.Node // nil for an empty file
}

func readConfig(name string) (*configFile, error) {
	text, err := readConfigText(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read the configuration: %w", err)
	}
	root, err := mockserver.ParseYAML(name, text)
	return &configFile{name, text, root}, err
}

// readConfigText reads a little more than a configuration may have, of which the parser says
// that it is too long.
func readConfigText(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, maxConfig+1))
}

func (f *configFile) errorf(n *yaml.Node, format string, args ...any) error {
	return &mockserver.ConfigError{File: f.name, Line: n.Line, Column: n.Column, Problem: fmt.Sprintf(format, args...)}
}

// mock is the mock's part.
func (f *configFile) mock(root *cobra.Command) (mockserver.Config, error) {
	folder, err := os.OpenRoot(filepath.Dir(f.name))
	if err != nil {
		return mockserver.Config{}, fmt.Errorf("cannot read the configuration's folder: %w", err)
	}
	defer func() { _ = folder.Close() }()
	return mockserver.ParseConfig(f.name, f.text, folder, func(key string) bool { return isCommand(root, key) })
}

// settings are those of a command; nil for none.
func (f *configFile) settings(command string) *yaml.Node {
	if f.root == nil || f.root.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(f.root.Content); i += 2 {
		if f.root.Content[i].Value == command {
			return f.root.Content[i+1]
		}
	}
	return nil
}

// apply sets the flags of a command, but for those that are set already.
func (f *configFile) apply(root, cmd *cobra.Command, set map[string]bool) error {
	if f.root == nil {
		return nil
	}
	if f.root.Kind != yaml.MappingNode {
		return f.errorf(f.root, "expected commands with their settings, e.g. “serve:”")
	}
	for i := 0; i+1 < len(f.root.Content); i += 2 {
		command := f.root.Content[i]
		if mockserver.IsConfigKey(command.Value) || isCommand(root, command.Value) {
			continue
		}
		if cmd.Flags().Lookup(command.Value) != nil {
			return f.errorf(command, "put %q under the command's name, as “%s:”", command.Value, cmd.Name())
		}
		if key := mockserver.NearConfigKey(command.Value); key != "" {
			return f.errorf(command, "unknown key %q; did you mean %q?", command.Value, key)
		}
		return f.errorf(command, "unknown command %q; see '%s --help' for those that there are, and "+
			"'%s config example' for the mock's keys", command.Value, root.Name(), root.Name())
	}
	settings := f.settings(cmd.Name())
	if settings == nil {
		return nil
	}
	if settings.Kind != yaml.MappingNode {
		return f.errorf(settings, "expected settings by flag name under %q", cmd.Name())
	}
	for j := 0; j+1 < len(settings.Content); j += 2 {
		name, value := settings.Content[j], settings.Content[j+1]
		if hasOwnKey(cmd, name.Value) {
			continue
		}
		flag := cmd.Flags().Lookup(name.Value)
		if flag == nil || name.Value == "config" {
			return f.errorf(name, "unknown setting %q; see '%s --help'", name.Value, cmd.CommandPath())
		}
		if set[name.Value] {
			continue
		}
		if err := setFlag(cmd.Flags(), flag, value); err != nil {
			return f.errorf(value, "%v", flagProblem(err))
		}
		setBy(flag, fmt.Sprintf("%s:%d", f.name, name.Line))
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
