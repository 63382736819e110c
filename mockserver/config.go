package mockserver

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Config is what changes a mock's responses. The zero value changes nothing. It is read
// from YAML or JSON by [ParseConfig], by the names in the tags.
type Config struct {
	// Response is what an accepted request gets in place of the framework's echo.
	Response *Response `yaml:"response" doc:"what an accepted request gets, in place of the echo"`
	// Unique are fields of which no two accepted requests of a session may have the same
	// values: the second gets 409.
	Unique []string `yaml:"unique" doc:"fields whose values may come once in a session; a second request gets 409"`
	// Scenarios are looked at in order; the first that matches wins.
	Scenarios []Scenario `yaml:"scenarios" doc:"looked at in order; the first that matches wins"`

	file string
	at   map[any]*yaml.Node
}

// Response is a response in place of the framework's. At most one of JSON, Text and File is
// the body.
type Response struct {
	// Status is the HTTP status, 200 to 599; 0 is that of the response in whose place it comes.
	Status int `yaml:"status" doc:"HTTP status, 200 to 599"`
	// Headers are set besides those of the framework, or in their place. The values are
	// templates.
	Headers map[string]string `yaml:"headers" doc:"headers by name; values are templates"`
	// JSON is the body, of which the texts are templates.
	JSON any `yaml:"json" doc:"body as JSON; its texts are templates"`
	// Text is the body, a template.
	Text string `yaml:"text" doc:"body as text, a template"`
	// File is a file with the body, in the folder of the configuration or under it. It is
	// sent as it is.
	File string `yaml:"file" doc:"file with the body, in the configuration's folder or under it"`

	// content is what the file has.
	content []byte
}

// IsConfigKey reports a key of a [Config].
func IsConfigKey(key string) bool { return slices.Contains(keysOf(reflect.TypeFor[Config]()), key) }

// NearConfigKey is the key of a [Config] that a misspelled one may be; empty if none is near.
func NearConfigKey(key string) string { return nearest(key, keysOf(reflect.TypeFor[Config]())) }

// uniqueKey is the key of Unique, and what its place is found by.
const uniqueKey = "unique"

// maxBodyFile is the longest file for a body, in bytes.
const maxBodyFile = 4 << 20

// ParseConfig reads a configuration in YAML or JSON. Name is the file's name for errors,
// which are of type [*ConfigError]. Files that it names are read from folder and from
// nowhere else; nil forbids them. With the error of a file the configuration has the names of all
// of them. Keys for which other returns true are left out.
func ParseConfig(name string, text []byte, folder *os.Root, other func(key string) bool) (Config, error) {
	return parseConfig(name, text, func(file string) ([]byte, error) { return readBodyFile(folder, file) }, other)
}

// parseConfig is ParseConfig with another way to read files.
func parseConfig(name string, text []byte, read func(file string) ([]byte, error), other func(key string) bool) (
	Config, error,
) {
	root, err := ParseYAML(name, text)
	if err != nil || root == nil {
		return Config{}, err
	}
	d := newDecoder(name)
	if root.Kind != yaml.MappingNode {
		return Config{}, d.errorf(root, "a configuration must be a mapping with the keys %s",
			strings.Join(keysOf(reflect.TypeFor[Config]()), ", "))
	}
	own := *root
	own.Content = nil
	for i := 0; i < len(root.Content); i += 2 {
		if other == nil || !other(root.Content[i].Value) {
			own.Content = append(own.Content, root.Content[i:i+2]...)
		}
		if root.Content[i].Value == uniqueKey {
			d.at[uniqueKey] = root.Content[i+1]
		}
	}
	c := Config{file: name, at: d.at}
	if err := d.decode(&own, reflect.ValueOf(&c).Elem(), "the configuration"); err != nil {
		return Config{}, err
	}
	if c.Response != nil {
		if err := c.Response.load(d, d.at[c.Response], read); err != nil {
			return c, err
		}
	}
	for i := range c.Scenarios {
		then := &c.Scenarios[i].Then
		if err := then.load(d, d.at[then], read); err != nil {
			return c, err
		}
	}
	return c, nil
}

// parseScenarios reads scenarios in YAML or JSON: one, a list, or a configuration that has no more.
func parseScenarios(text []byte) ([]Scenario, error) {
	root, err := ParseYAML("body", text)
	if err != nil {
		return nil, err
	}
	d := newDecoder("body")
	if root == nil {
		return nil, d.errorf(&yaml.Node{Line: 1, Column: 1}, "the body is empty: send a scenario")
	}
	isList := root.Kind == yaml.SequenceNode
	if root.Kind == yaml.MappingNode {
		isList = slices.ContainsFunc(root.Content, func(n *yaml.Node) bool { return n.Value == "scenarios" })
	}
	var body scenariosBody
	switch {
	case root.Kind == yaml.SequenceNode:
		err = d.decode(root, reflect.ValueOf(&body.Scenarios).Elem(), "scenarios")
	case isList:
		err = d.decode(root, reflect.ValueOf(&body).Elem(), "the body")
	default:
		body.Scenarios = make([]Scenario, 1)
		err = d.decode(root, reflect.ValueOf(&body.Scenarios[0]).Elem(), "a scenario")
	}
	if err != nil {
		return nil, err
	}
	for i := range body.Scenarios {
		then := &body.Scenarios[i].Then
		if err := then.load(d, d.at[then], func(string) ([]byte, error) { return readBodyFile(nil, "") }); err != nil {
			return nil, err
		}
	}
	return body.Scenarios, nil
}

// Files are the files that the configuration names, as it names them.
func (c *Config) Files() []string {
	var names []string
	c.eachFile(func(r *Response) { names = append(names, r.File) })
	return names
}

// eachFile calls f with each response that is in a file.
func (c *Config) eachFile(f func(*Response)) {
	if c.Response != nil && c.Response.File != "" {
		f(c.Response)
	}
	for i := range c.Scenarios {
		if c.Scenarios[i].Then.File != "" {
			f(&c.Scenarios[i].Then.Response)
		}
	}
}

// load reads the file of a response.
func (r *Response) load(d *decoder, at *yaml.Node, read func(file string) ([]byte, error)) error {
	if r.File == "" {
		return nil
	}
	var err error
	if r.content, err = read(r.File); err != nil {
		return d.errorf(at, "file %q %s", r.File, err)
	}
	return nil
}

// readBodyFile reads a file of a folder; nil forbids it. The error goes on from the file's name.
func readBodyFile(folder *os.Root, name string) ([]byte, error) {
	if folder == nil {
		return nil, errors.New("is not there: files can be named only in a configuration that is a file itself")
	}
	f, err := folder.Open(name)
	var content []byte
	if err == nil {
		content, err = io.ReadAll(io.LimitReader(f, maxBodyFile+1))
		_ = f.Close() // it was read alone
	}
	var problem *fs.PathError
	switch {
	case errors.As(err, &problem): // without the path, which the reader knows
		return nil, fmt.Errorf("cannot be read from the configuration's folder: %w", problem.Err)
	case err != nil:
		return nil, err
	case len(content) > maxBodyFile:
		return nil, fmt.Errorf("is longer than %d bytes", maxBodyFile)
	}
	return content, nil
}

// errorAt is an error about a part of the configuration, with its line where it has one.
func (c *Config) errorAt(part any, format string, args ...any) error {
	e := &ConfigError{File: c.file, Problem: fmt.Sprintf(format, args...)}
	if n := c.at[part]; n != nil {
		e.Line, e.Column = n.Line, n.Column
	}
	return e
}

// MarshalJSON writes a configuration as [ParseConfig] reads it.
func (c Config) MarshalJSON() ([]byte, error) { return json.Marshal(encode(reflect.ValueOf(c))) }
