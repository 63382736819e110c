package mockserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"text/template/parse"
	"time"
)

// text is a text that may hold template actions.
type text struct {
	plain    string
	template *template.Template // nil for a plain text
	// random marks one whose values depend on the number of the exchange.
	random bool
	// inner is how deep in with and range it is looked at, where the dot is another.
	inner int
}

// stubs are the functions of templates, for parsing.
var stubs = template.FuncMap{
	"field": func(string) any { return nil }, "guid": func() string { return "" },
	"now":  func(...string) (string, error) { return "", nil },
	"fake": func(string) (string, error) { return "", nil },
	"json": func(any) (string, error) { return "", nil },
	"turn": func() (string, error) { return "", nil },
}

// parseText prepares a text.
func parseText(name, source string, o *operation) (*text, error) {
	if !strings.Contains(source, "{{") {
		return &text{plain: source}, nil
	}
	t, err := template.New(name).Funcs(stubs).Option("missingkey=error").Parse(source)
	if err != nil {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "template: "))
	}
	if len(t.Templates()) > 1 {
		return nil, fmt.Errorf("%s: templates cannot define others", name)
	}
	parsed := &text{template: t}
	if t.Tree == nil {
		return &text{}, nil
	}
	return parsed, parsed.look(t.Root, o)
}

// look walks a template: it checks the names of fields and functions, and has every
// turn of a loop counted.
func (t *text) look(n parse.Node, o *operation) error {
	switch n := n.(type) {
	case *parse.ListNode:
		if n != nil {
			return lookAll(t, n.Nodes, o)
		}
	case *parse.ActionNode:
		return t.look(n.Pipe, o)
	case *parse.IfNode:
		return t.lookBranch(&n.BranchNode, o)
	case *parse.WithNode:
		return t.lookInner(&n.BranchNode, o)
	case *parse.RangeNode:
		if err := t.lookInner(&n.BranchNode, o); err != nil {
			return err
		}
		turn := template.Must(template.New("").Funcs(stubs).Parse("{{turn}}")).Root.Nodes[0]
		n.List.Nodes = append([]parse.Node{turn}, n.List.Nodes...)
	case *parse.TemplateNode:
		return errors.New("templates cannot use others")
	case *parse.PipeNode:
		if n != nil {
			return lookAll(t, n.Cmds, o)
		}
	case *parse.CommandNode:
		if err := lookAll(t, n.Args, o); err != nil {
			return err
		}
		return checkCall(n, o)
	case *parse.ChainNode:
		t.random = t.random || slices.Contains(n.Field, numberField)
		return t.look(n.Node, o)
	case *parse.FieldNode:
		t.random = t.random || n.Ident[0] == numberField
		if t.inner == 0 {
			return checkNames(n.Ident, o)
		}
	case *parse.VariableNode: // $ and .Number of it, or of a variable that may be it
		t.random = t.random || n.Ident[0] == "$" && len(n.Ident) == 1 || slices.Contains(n.Ident, numberField)
		if n.Ident[0] == "$" {
			return checkNames(n.Ident[1:], o)
		}
	case *parse.DotNode: // all of the data, maybe
		t.random = true
	case *parse.IdentifierNode:
		t.random = t.random || n.Ident == "guid" || n.Ident == "fake"
	}
	return nil
}

// numberField is the number of the exchange as a template names it.
const numberField = "Number"

func lookAll[N parse.Node](t *text, nodes []N, o *operation) error {
	for _, n := range nodes {
		if err := t.look(n, o); err != nil {
			return err
		}
	}
	return nil
}

func (t *text) lookBranch(b *parse.BranchNode, o *operation) error {
	return lookAll(t, []parse.Node{b.Pipe, b.List, b.ElseList}, o)
}

// lookInner is lookBranch for what changes the dot.
func (t *text) lookInner(b *parse.BranchNode, o *operation) error {
	if err := lookAll(t, []parse.Node{b.Pipe, b.ElseList}, o); err != nil {
		return err
	}
	t.inner++
	defer func() { t.inner-- }()
	return t.look(b.List, o)
}

// checkNames checks the names of a path into the data, such as .Model.Reason.
func checkNames(path []string, o *operation) error {
	at := reflect.TypeFor[templateData]()
	for i, name := range path {
		if at.Kind() != reflect.Struct {
			if i == 1 && path[0] == "Model" {
				ref, err := resolveField(o, name)
				if err == nil && ref.field.Name != name { // a template goes by case
					err = fmt.Errorf("unknown field %q of %s; did you mean %q?", name, o.Model().Name, ref.field.Name)
				}
				return err
			}
			return nil // of a value, which may have anything
		}
		field, found := at.FieldByName(name)
		if !found {
			names := make([]string, at.NumField())
			for i := range names {
				names[i] = at.Field(i).Name
			}
			return fmt.Errorf("unknown name .%s%s", strings.Join(path[:i+1], "."), didYouMean(name, names))
		}
		at = field.Type
	}
	return nil
}

// checkCall checks what a function is called with, where the template says it.
func checkCall(c *parse.CommandNode, o *operation) error {
	function, isFunction := c.Args[0].(*parse.IdentifierNode)
	if !isFunction || len(c.Args) < 2 {
		return nil
	}
	argument, isText := c.Args[1].(*parse.StringNode)
	if !isText {
		return nil
	}
	switch function.Ident {
	case "fake":
		if fakeFunction(argument.Text) == nil {
			return fmt.Errorf("unknown data %q: use a function of gofakeit that takes nothing, such as firstname, "+
				"email or phone", argument.Text)
		}
	case "field":
		_, err := resolveField(o, argument.Text)
		return err
	case "printf":
		_, err := padding(argument.Text)
		return err
	}
	return nil
}

// body is the body of a response, prepared. One of its parts is set.
type body struct {
	contentType string
	bytes       []byte
	text        *text
	json        *jsonNode
}

// jsonNode is a value of JSON, of which the texts may be templates.
type jsonNode struct {
	literal string // of anything but a text, an object and an array
	text    *text
	keys    []string // of an object
	values  []jsonNode
	isArray bool
}

// compileResponse prepares headers and body.
func (sc *scenario) compileResponse(r *Response, o *operation) error {
	sc.headers = map[string]*text{}
	for name, value := range r.Headers {
		t, err := parseText("header "+name, value, o)
		if err != nil {
			return err
		}
		sc.headers[http.CanonicalHeaderKey(name)] = t
	}
	var err error
	switch {
	case r.JSON != nil:
		raw, ok := r.JSON.(json.RawMessage)
		if !ok {
			if raw, err = json.Marshal(r.JSON); err != nil {
				return fmt.Errorf("json: %w", err)
			}
		}
		decoder := json.NewDecoder(bytes.NewReader(raw))
		decoder.UseNumber()
		node, err := readJSON(decoder, o)
		if err != nil {
			return err
		}
		sc.body = &body{contentType: "application/json; charset=utf-8", json: node}
	case r.Text != "":
		t, err := parseText("text", r.Text, o)
		if err != nil {
			return err
		}
		sc.body = &body{contentType: "text/plain; charset=utf-8", text: t}
	case r.File != "":
		sc.body = &body{contentType: http.DetectContentType(r.content), bytes: r.content}
		if json.Valid(r.content) {
			sc.body.contentType = "application/json; charset=utf-8"
		}
	}
	return nil
}

// readJSON reads one value, its keys in their order.
func readJSON(d *json.Decoder, o *operation) (*jsonNode, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	n := &jsonNode{}
	switch token := token.(type) {
	case json.Delim:
		for n.isArray = token == '['; d.More(); {
			if !n.isArray {
				key, err := d.Token()
				if err != nil {
					return nil, err
				}
				n.keys = append(n.keys, fmt.Sprint(key))
			}
			value, err := readJSON(d, o)
			if err != nil {
				return nil, err
			}
			n.values = append(n.values, *value)
		}
		if !n.isArray && n.keys == nil {
			n.literal = "{}"
		}
		_, err = d.Token()
		return n, err
	case string:
		n.text, err = parseText("json", token, o)
		return n, err
	case nil:
		n.literal = "null"
	default:
		n.literal = fmt.Sprint(token)
	}
	return n, nil
}

func (n *jsonNode) render(out []byte, r *rendering) ([]byte, error) {
	switch {
	case n.literal != "":
		return append(out, n.literal...), nil
	case n.text != nil:
		value, err := r.render(n.text)
		return appendJSONString(out, value), err
	}
	open, end := byte('{'), byte('}')
	if n.isArray {
		open, end = '[', ']'
	}
	out = append(out, open)
	for i := range n.values {
		if i > 0 {
			out = append(out, ',')
		}
		if !n.isArray {
			out = append(appendJSONString(out, n.keys[i]), ':')
		}
		var err error
		if out, err = n.values[i].render(out, r); err != nil {
			return out, err
		}
	}
	return append(out, end), nil
}

// usesNumber reports a response that depends on the number of the exchange.
func (sc *scenario) usesNumber() bool {
	for _, t := range sc.headers {
		if t.random {
			return true
		}
	}
	b := sc.body
	return b != nil && (b.text != nil && b.text.random || b.json != nil && b.json.random())
}

func (n *jsonNode) random() bool {
	if n.text != nil && n.text.random {
		return true
	}
	for i := range n.values {
		if n.values[i].random() {
			return true
		}
	}
	return false
}

// render is the body of one response.
func (b *body) render(r *rendering) ([]byte, error) {
	switch {
	case b.json != nil:
		return b.json.render(nil, r)
	case b.text != nil:
		out, err := r.render(b.text)
		return []byte(out), err
	}
	return bytes.Clone(b.bytes), nil // what is sent is memory for the next exchange
}

// retrySeconds is a wait as Retry-After says it: in whole seconds, at least 1.
func retrySeconds(d time.Duration) int { return max(1, int((d+time.Second-1)/time.Second)) }

// statusMessage is what the framework would say with a status that nothing is said with.
func statusMessage(status int) string {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return "Authorization has been denied for this request."
	case http.StatusBadRequest:
		return "The request is invalid."
	case http.StatusInternalServerError:
		return "An error has occurred."
	}
	if text := http.StatusText(status); text != "" {
		return text + "."
	}
	return "Status " + strconv.Itoa(status) + "."
}
