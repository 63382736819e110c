package main

import (
	_ "embed" // the example
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/seed47566266/understudy/fixtures"
	"github.com/seed47566266/understudy/mockserver"
)

//go:embed example.yaml
var exampleConfig string

func configCommand(s streams) *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Check a configuration, or see what one may say", Args: cobra.NoArgs,
		// A command that does nothing by itself would print its help for a misspelled one too.
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	check := &cobra.Command{
		Use:   "check [FILE]",
		Short: "Say what is wrong in a configuration, by file, line and column",
		Long: "Check reads a configuration (default: understudy.yaml): the settings of every\n" +
			"command by name and form, those of serve as serve would, and the scenarios\n" +
			"against its page. It opens no port and connects to nothing.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := defaultConfig
			if len(args) > 0 {
				name = args[0]
			}
			text, err := checkConfig(cmd.Root(), name)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(s.out, text)
			return written(err)
		},
	}
	schema := &cobra.Command{
		Use:     "schema",
		Short:   "Print the JSON Schema of a configuration, for editors",
		Args:    cobra.NoArgs,
		Example: "  understudy config schema > understudy.schema.json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := s.out.Write(mockserver.ConfigSchema(commandSchemas(cmd.Root())))
			return written(err)
		},
	}
	example := &cobra.Command{
		Use:     "example",
		Short:   "Print a configuration with one of everything",
		Args:    cobra.NoArgs,
		Example: "  understudy config example > understudy.yaml",
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprint(s.out, exampleConfig)
			return written(err)
		},
	}
	cmd.AddCommand(check, schema, example)
	return cmd
}

// checkConfig reads a file as every command would, and says what is in it.
func checkConfig(root *cobra.Command, name string) (string, error) {
	file, err := readConfig(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("%w; '%s config example' prints one", err, root.Name())
	case err != nil:
		return "", err
	}
	for _, command := range root.Commands() {
		if command.Flags().Lookup("config") == nil {
			continue
		}
		if err := file.apply(root, command, nil); err != nil {
			return "", err
		}
		if hasOwnKey(command, fieldsKey) {
			if err := checkFields(file, command); err != nil {
				return "", err
			}
		}
	}
	// The mock that serve would start, without what it would open.
	v, serve := newServe()
	if err := file.apply(root, serve, nil); err != nil {
		return "", err
	}
	c, err := v.contract()
	if err != nil {
		return "", err
	}
	options, err := v.options(root, file)
	if err != nil {
		return "", err
	}
	if _, err := mockserver.New(c, options...); err != nil {
		return "", err
	}
	if err := v.check(); err != nil {
		return "", err
	}
	config, err := file.mock(root)
	if err != nil {
		return "", err
	}
	names := make([]string, len(config.Scenarios))
	for i := range config.Scenarios {
		names[i] = config.Scenarios[i].Name
	}
	if len(names) == 0 {
		names = []string{"none"}
	}
	return name + " is right; its scenarios in order: " + strings.Join(names, ", "), nil
}

// checkFields checks the specifications of fields.
func checkFields(file *configFile, command *cobra.Command) error {
	specs := newFieldSpecs()
	if err := specs.readFile(file); err != nil {
		return err
	}
	c, err := loadContract(command.Flags().Lookup("page").Value.String())
	if err != nil {
		return err
	}
	expect, err := command.Flags().GetString("expect")
	if err != nil {
		return err
	}
	_, err = fixtures.New(theOperation(c), fixtures.Options{Fields: specs.specs, ExpectReject: expect == expectReject})
	return specs.placed(err)
}

// fieldsSchema describes the specifications of fields.
func fieldsSchema() map[string]any {
	keys := map[string]any{}
	for _, key := range fixtures.SpecKeys() {
		keys[key] = map[string]any{"type": []string{"string", "number"}}
	}
	return map[string]any{
		"type": "object", "description": "how the values of fields are made, by the field's name",
		"additionalProperties": map[string]any{
			"type": []string{"string", "object"}, "properties": keys, "additionalProperties": false,
		},
	}
}

// commandSchemas describe the settings of each command, by its name.
func commandSchemas(root *cobra.Command) map[string]any {
	all := map[string]any{}
	for _, command := range root.Commands() {
		if command.Flags().Lookup("config") == nil {
			continue
		}
		settings := map[string]any{}
		command.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Name != "config" && f.Name != "help" {
				settings[f.Name] = flagSchema(f)
			}
		})
		if hasOwnKey(command, fieldsKey) {
			settings[fieldsKey] = fieldsSchema()
		}
		all[command.Name()] = map[string]any{
			"type": "object", "description": "settings of understudy " + command.Name() + ", by flag name",
			"properties": settings, "additionalProperties": false,
		}
	}
	return all
}

// flagSchema describes the value of a flag.
func flagSchema(f *pflag.Flag) map[string]any {
	_, usage := pflag.UnquoteUsage(f)
	schema := map[string]any{"description": strings.ReplaceAll(usage, "\n", " ")}
	plain := []string{"string", "number", "boolean"}
	switch f.Value.Type() {
	case "bool":
		schema["type"] = "boolean"
	case "int", "int64", "uint64", "uint":
		schema["type"] = "integer"
	case "float64":
		schema["type"] = "number"
	default:
		schema["type"] = plain
		if _, repeats := f.Value.(pflag.SliceValue); repeats {
			schema["type"] = append(plain, "array", "object")
		}
	}
	return schema
}
