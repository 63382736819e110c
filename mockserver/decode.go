package mockserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// ConfigError is an error of a configuration, with its place.
type ConfigError struct {
	// File is the file's name as it was given.
	File string
	// Line and Column begin at 1; they are 0 where there is no text.
	Line, Column int
	// Problem says what is wrong, and what is allowed.
	Problem string
}

func (e *ConfigError) Error() string {
	if e.Line == 0 {
		return e.Problem
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Problem)
}

// A configuration is read by the fields of the structs that hold it: a tag yaml names a
// key, and one doc describes it for the schema. What has a spelling of its own reads itself.
type decoder struct {
	file string
	// at has the node of each scenario and response, for errors that are found later.
	at map[any]*yaml.Node
}

// selfDecoder is a value with a spelling of its own.
type selfDecoder interface {
	decode(d *decoder, n *yaml.Node) error
}

const (
	// maxConfig is the longest configuration in bytes, and maxConfigDepth how deep it may go.
	maxConfig      = 1 << 20
	maxConfigDepth = 64
)

func (d *decoder) errorf(n *yaml.Node, format string, args ...any) error {
	return &ConfigError{d.file, n.Line, n.Column, fmt.Sprintf(format, args...)}
}

// ParseYAML reads the one document of a file, in YAML or JSON; nil if it is empty. It rejects
// what no configuration needs: aliases, duplicate keys, more than 64 levels, more than 1 MiB.
// Errors are of type [*ConfigError].
func ParseYAML(file string, text []byte) (*yaml.Node, error) {
	problem := func(err error) error { return syntaxError(file, text, err) }
	if len(text) > maxConfig {
		return nil, &ConfigError{file, 1, 1, fmt.Sprintf("longer than %d bytes, the most that a configuration may have",
			maxConfig)}
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var document, second yaml.Node
	if err := decoder.Decode(&document); err != nil && !errors.Is(err, io.EOF) {
		return nil, problem(err)
	}
	switch err := decoder.Decode(&second); {
	case err == nil:
		return nil, &ConfigError{file, second.Line, 1, "a second document: put everything into the first one"}
	case !errors.Is(err, io.EOF):
		return nil, problem(err)
	}
	if len(document.Content) == 0 {
		return nil, nil //nolint:nilnil // an empty file is a configuration that changes nothing
	}
	root := document.Content[0]
	d := newDecoder(file)
	return root, d.plain(root, 0)
}

// syntaxError is the parser's error with its place.
func syntaxError(file string, text []byte, err error) error {
	if begin := bytes.TrimSpace(text); len(begin) > 0 && (begin[0] == '{' || begin[0] == '[') {
		var value any
		var syntax *json.SyntaxError
		if errors.As(json.Unmarshal(text, &value), &syntax) { // YAML has other words for what JSON lacks
			before := text[:max(0, min(int(syntax.Offset)-1, len(text)))]
			line := bytes.Count(before, []byte("\n")) + 1
			column := len(before) - bytes.LastIndexByte(before, '\n')
			return &ConfigError{file, line, column, "no JSON: " + syntax.Error()}
		}
	}
	line, problem := 1, strings.TrimPrefix(err.Error(), "yaml: ")
	if rest, found := strings.CutPrefix(problem, "line "); found {
		number, rest, _ := strings.Cut(rest, ": ")
		if n, err := strconv.Atoi(number); err == nil {
			line, problem = n, rest
		}
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	line = max(line, lineOfProblem(lines, len(text)))
	if line <= len(lines) {
		source := lines[line-1]
		if bytes.Contains(source[:len(source)-len(bytes.TrimLeft(source, " \t"))], []byte("\t")) {
			problem = "a tab in front of the line: use spaces" // of which the parser says that no token can begin so
		}
	}
	return &ConfigError{file, line, 1, problem}
}

// maxSearched is the longest text in which the line of a problem is looked for, in bytes.
const maxSearched = 32 << 10

// lineOfProblem is the line after the most lines that can be read by themselves: the parser may
// say where a block begins that has the problem.
func lineOfProblem(lines [][]byte, size int) int {
	if size > maxSearched {
		return 1
	}
	for n := len(lines) - 1; n > 0; n-- {
		var document yaml.Node
		if yaml.Unmarshal(bytes.Join(lines[:n], nil), &document) == nil {
			return n + 1
		}
	}
	return 1
}

func newDecoder(file string) *decoder { return &decoder{file: file, at: map[any]*yaml.Node{}} }

// plain rejects what [ParseYAML] says.
func (d *decoder) plain(n *yaml.Node, depth int) error {
	switch {
	case depth > maxConfigDepth:
		return d.errorf(n, "more than %d levels", maxConfigDepth)
	case n.Kind == yaml.AliasNode:
		return d.errorf(n, "an alias: write the value out")
	case n.Kind == yaml.MappingNode:
		seen := map[string]*yaml.Node{}
		for i := 0; i < len(n.Content); i += 2 {
			key := n.Content[i]
			if key.Kind != yaml.ScalarNode {
				return d.errorf(key, "a key must be a word")
			}
			if first := seen[key.Value]; first != nil {
				return d.errorf(key, "duplicate key %q (first on line %d)", key.Value, first.Line)
			}
			seen[key.Value] = key
		}
	}
	for _, c := range n.Content {
		if err := d.plain(c, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// decode reads a node into v, of which what says what it is.
func (d *decoder) decode(n *yaml.Node, v reflect.Value, what string) error {
	if v.CanAddr() {
		if own, ok := v.Addr().Interface().(selfDecoder); ok {
			return own.decode(d, n)
		}
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return d.decode(n, v.Elem(), what)
	case reflect.Struct:
		return d.decodeStruct(n, v, what)
	case reflect.Slice:
		items := n.Content
		if n.Kind == yaml.ScalarNode && v.Type().Elem().Kind() == reflect.String {
			items = []*yaml.Node{n} // one is written without brackets
		} else if n.Kind != yaml.SequenceNode {
			return d.errorf(n, "%s must be a list", what)
		}
		v.Set(reflect.MakeSlice(v.Type(), len(items), len(items)))
		for i, item := range items {
			if err := d.decode(item, v.Index(i), what); err != nil {
				return err
			}
		}
		return nil
	case reflect.Map:
		if n.Kind != yaml.MappingNode {
			return d.errorf(n, "%s must be a mapping of names to values", what)
		}
		v.Set(reflect.MakeMap(v.Type()))
		for i := 0; i < len(n.Content); i += 2 {
			value := reflect.New(v.Type().Elem()).Elem()
			if err := d.decode(n.Content[i+1], value, what+"."+n.Content[i].Value); err != nil {
				return err
			}
			v.SetMapIndex(reflect.ValueOf(n.Content[i].Value), value)
		}
		return nil
	case reflect.Interface: // any: JSON
		text, err := d.json(nil, n)
		if err != nil {
			return err
		}
		v.Set(reflect.ValueOf(json.RawMessage(text)))
		return nil
	}
	return d.decodeScalar(n, v, what)
}

func (d *decoder) decodeScalar(n *yaml.Node, v reflect.Value, what string) error {
	if n.Kind != yaml.ScalarNode {
		return d.errorf(n, "%s must be one value", what)
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(n.Value)
	case reflect.Bool:
		if n.ShortTag() != "!!bool" {
			return d.errorf(n, "%s must be true or false", what)
		}
		v.SetBool(strings.EqualFold(n.Value, "true"))
	case reflect.Int, reflect.Int64:
		if _, isDuration := v.Interface().(time.Duration); isDuration {
			duration, err := time.ParseDuration(n.Value)
			if err != nil || duration < 0 {
				return d.errorf(n, "%s must be a time such as 300ms or 1.5s", what)
			}
			v.SetInt(int64(duration))
			return nil
		}
		number, err := strconv.ParseInt(n.Value, 10, 64)
		if err != nil || number < 0 {
			return d.errorf(n, "%s must be a whole number from 0", what)
		}
		v.SetInt(number)
	case reflect.Float64:
		number, err := strconv.ParseFloat(n.Value, 64)
		if err != nil || math.IsNaN(number) || math.IsInf(number, 0) {
			return d.errorf(n, "%s must be a number", what)
		}
		v.SetFloat(number)
	}
	return nil
}

func (d *decoder) decodeStruct(n *yaml.Node, v reflect.Value, what string) error {
	if n.Kind != yaml.MappingNode {
		return d.errorf(n, "%s must be a mapping with the keys %s", what, strings.Join(keysOf(v.Type()), ", "))
	}
	d.at[v.Addr().Interface()] = n
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		field, found := fieldOf(v, key.Value)
		if !found {
			return d.errorf(key, "unknown key %q in %s: use %s", key.Value, what, strings.Join(keysOf(v.Type()), ", "))
		}
		if err := d.decode(value, field, key.Value); err != nil {
			return err
		}
	}
	return nil
}

// keysOf are the keys of a struct, with those of the structs that it embeds.
func keysOf(t reflect.Type) []string {
	var keys []string
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			keys = append(keys, keysOf(f.Type)...)
		} else if key := f.Tag.Get("yaml"); key != "" {
			keys = append(keys, key)
		}
	}
	return keys
}

func fieldOf(v reflect.Value, key string) (reflect.Value, bool) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Anonymous {
			if found, ok := fieldOf(v.Field(i), key); ok {
				return found, true
			}
		} else if tag := f.Tag.Get("yaml"); tag != "" && tag == key {
			return v.Field(i), true
		}
	}
	return reflect.Value{}, false
}

// json appends a node as JSON, its keys in their order.
func (d *decoder) json(out []byte, n *yaml.Node) ([]byte, error) {
	var err error
	switch n.Kind {
	case yaml.MappingNode:
		out = append(out, '{')
		for i := 0; i < len(n.Content); i += 2 {
			if i > 0 {
				out = append(out, ',')
			}
			out = append(appendJSONString(out, n.Content[i].Value), ':')
			if out, err = d.json(out, n.Content[i+1]); err != nil {
				return nil, err
			}
		}
		return append(out, '}'), nil
	case yaml.SequenceNode:
		out = append(out, '[')
		for i, c := range n.Content {
			if i > 0 {
				out = append(out, ',')
			}
			if out, err = d.json(out, c); err != nil {
				return nil, err
			}
		}
		return append(out, ']'), nil
	}
	switch n.ShortTag() {
	case "!!null":
		return append(out, "null"...), nil
	case "!!bool":
		return append(out, strings.ToLower(n.Value)...), nil
	case "!!int", "!!float":
		if json.Valid([]byte(n.Value)) {
			return append(out, n.Value...), nil
		}
		var number float64
		if err := n.Decode(&number); err != nil {
			return nil, d.errorf(n, "%s is not a number of JSON", n.Value)
		}
		text, err := json.Marshal(number)
		if err != nil {
			return nil, d.errorf(n, "%s is not a number of JSON", n.Value)
		}
		return append(out, text...), nil
	}
	return appendJSONString(out, n.Value), nil
}

// appendJSONString appends a text as JSON, which unlike encoding/json leaves <, > and & as
// they are.
func appendJSONString(out []byte, text string) []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(text) // a text can always be encoded
	return append(out, bytes.TrimSuffix(b.Bytes(), []byte("\n"))...)
}

// nearest is the word most like another one; empty if none is.
func nearest(word string, words []string) string {
	best, least := "", max(len(word)/3, 1)+1
	for _, w := range words {
		if n := distance(strings.ToLower(word), strings.ToLower(w)); n < least {
			best, least = w, n
		}
	}
	return best
}

// distance is how many letters must be added, removed, changed or swapped with the next
// to make one word the other, as Damerau counts.
func distance(a, b string) int {
	before, row := []int(nil), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next := make([]int, len(b)+1)
		next[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next[j+1] = min(row[j+1]+1, next[j]+1, row[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}

// maxHintWord is the longest word that is compared with those allowed, in bytes.
const maxHintWord = 64

// didYouMean is a hint for a word that is not one of those allowed.
func didYouMean(word string, words []string) string {
	if len(word) > maxHintWord {
		return ""
	}
	if len(words) == 0 {
		return "; there is none"
	}
	if near := nearest(word, words); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	if len(words) <= 24 {
		return "; use " + strings.Join(slices.Sorted(slices.Values(words)), ", ")
	}
	return ""
}
