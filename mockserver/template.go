package mockserver

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"text/template"
	"text/template/parse"
	"time"

	"github.com/brianvoe/gofakeit/v7"
	"github.com/google/uuid"
)

const (
	// maxRendered is the longest text that a template makes, in bytes, and maxTurns how many
	// turns its loops may take.
	maxRendered = 1 << 20
	maxTurns    = 100_000
)

var (
	errRendered = fmt.Errorf("the template makes more than %d bytes", maxRendered)
	errTurns    = fmt.Errorf("the loops of the template take more than %d turns", maxTurns)
)

// text is a text that may hold template actions.
type text struct {
	plain    string
	template *template.Template // nil for a plain text
	// random marks one whose values depend on the number of the exchange.
	random bool
}

// templateData is what a template sees as its dot.
type templateData struct {
	// Model is the bound model, by field.
	Model map[string]any
	// Request is the request.
	Request templateRequest
	// Call is the number of the call that the scenario counted, from 1.
	Call int
	// Number is the number of the exchange in its session, from 1.
	Number int
	// Session is the name of the session.
	Session string
	// RetryAfter is in how many seconds a limit has room again.
	RetryAfter int
}

// templateRequest is the request as a template sees it.
type templateRequest struct {
	// Method, Path and Body are as they were sent.
	Method, Path, Body string
	// Header and Query have the method Get.
	Header http.Header
	Query  url.Values
}

// stubs are the functions of templates, for parsing.
var stubs = template.FuncMap{
	"field": func(string) any { return nil }, "guid": func() string { return "" },
	"now":  func(...string) (string, error) { return "", nil },
	"fake": func(string, ...any) (string, error) { return "", nil },
	"json": toJSON, "turn": func() (string, error) { return "", nil },
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
	branch := func(b *parse.BranchNode) error {
		for _, part := range []parse.Node{b.Pipe, b.List, b.ElseList} {
			if err := t.look(part, o); err != nil {
				return err
			}
		}
		return nil
	}
	switch n := n.(type) {
	case *parse.ListNode:
		if n == nil {
			return nil
		}
		for _, inner := range n.Nodes {
			if err := t.look(inner, o); err != nil {
				return err
			}
		}
	case *parse.ActionNode:
		return t.look(n.Pipe, o)
	case *parse.IfNode:
		return branch(&n.BranchNode)
	case *parse.WithNode:
		return branch(&n.BranchNode)
	case *parse.RangeNode:
		if err := branch(&n.BranchNode); err != nil {
			return err
		}
		turn := template.Must(template.New("").Funcs(stubs).Parse("{{turn}}")).Root.Nodes[0]
		n.List.Nodes = append([]parse.Node{turn}, n.List.Nodes...)
	case *parse.TemplateNode:
		return errors.New("templates cannot use others")
	case *parse.PipeNode:
		if n == nil {
			return nil
		}
		for _, c := range n.Cmds {
			if err := t.lookCommand(c, o); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *text) lookCommand(c *parse.CommandNode, o *operation) error {
	for _, arg := range c.Args {
		if pipe, ok := arg.(*parse.PipeNode); ok {
			if err := t.look(pipe, o); err != nil {
				return err
			}
		}
		if f, ok := arg.(*parse.FieldNode); ok && len(f.Ident) > 0 && f.Ident[0] == "Number" {
			t.random = true
		}
	}
	function, ok := c.Args[0].(*parse.IdentifierNode)
	if !ok {
		return nil
	}
	var argument *parse.StringNode
	if len(c.Args) > 1 {
		argument, _ = c.Args[1].(*parse.StringNode)
	}
	switch function.Ident {
	case "guid":
		t.random = true
	case "fake":
		t.random = true
		if argument != nil && gofakeit.GetFuncLookup(strings.ToLower(argument.Text)) == nil {
			return fmt.Errorf("unknown data %q: use a function of gofakeit, such as firstname, email or phone",
				argument.Text)
		}
	case "field":
		if argument != nil {
			_, err := resolveField(o, argument.Text)
			return err
		}
	}
	return nil
}

// toJSON is the function json: any value as JSON.
func toJSON(value any) (string, error) {
	text, err := json.Marshal(value)
	return string(text), err
}

// rendering is what the templates of one response share: values that they make follow from
// the session, the number of the exchange and their place, so that mocks of one seed and
// store agree.
type rendering struct {
	s      *Server
	x      *exchange
	data   templateData
	random *rand.Rand
	turns  int
	left   int
}

func (s *Server) rendering(x *exchange, m *applied) *rendering {
	r := &rendering{s: s, x: x, left: maxRendered}
	r.data = templateData{
		Model: x.model(), Call: m.call, Number: x.number, Session: x.session, RetryAfter: m.retryAfter,
		Request: templateRequest{
			Method: x.r.Method, Path: x.r.URL.Path, Body: string(x.request.Body), Header: x.r.Header, Query: x.query(),
		},
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%d\x00%s\x00%d", s.seed, x.session, x.number))
	source := rand.NewPCG(binary.LittleEndian.Uint64(sum[:]), binary.LittleEndian.Uint64(sum[8:]))
	r.random = rand.New(source) //nolint:gosec // no secret: what replicas must agree on
	return r
}

func (r *rendering) functions() template.FuncMap {
	return template.FuncMap{
		"field": func(name string) (any, error) {
			ref, err := resolveField(r.x.operation, name)
			if err != nil {
				return nil, err
			}
			value, _ := ref.value(r.x)
			if value == nil {
				return "", nil
			}
			return value, nil
		},
		"guid": func() string {
			var bytes [16]byte
			binary.LittleEndian.PutUint64(bytes[:], r.random.Uint64())
			binary.LittleEndian.PutUint64(bytes[8:], r.random.Uint64())
			bytes[6], bytes[8] = bytes[6]&0x0F|0x40, bytes[8]&0x3F|0x80 // version 4 of RFC 9562
			return uuid.UUID(bytes).String()
		},
		"now": func(args ...string) (string, error) { return r.now(args) },
		"fake": func(name string, args ...any) (string, error) {
			info := gofakeit.GetFuncLookup(strings.ToLower(name))
			if info == nil || len(args) > 0 {
				return "", fmt.Errorf("unknown data %q", name)
			}
			value, err := info.Generate(gofakeit.NewFaker(r.random, false), nil, info)
			return fmt.Sprint(value), err
		},
		"turn": func() (string, error) {
			if r.turns++; r.turns > maxTurns {
				return "", errTurns
			}
			return "", nil
		},
	}
}

// now is the time in the server's zone; arguments are a layout of Go's package time, and a
// time to add, such as 24h.
func (r *rendering) now(args []string) (string, error) {
	at, layout := time.Now().In(r.s.zone), time.RFC3339
	for _, arg := range args {
		if d, err := time.ParseDuration(arg); err == nil {
			at = at.Add(d)
		} else {
			layout = arg
		}
	}
	return at.Format(layout), nil
}

// render is the text for one response.
func (r *rendering) render(t *text) (string, error) {
	if t.template == nil {
		return t.plain, nil
	}
	c, err := t.template.Clone()
	if err != nil {
		return "", err
	}
	out := &bounded{left: &r.left}
	err = c.Funcs(r.functions()).Execute(out, &r.data)
	switch {
	case errors.Is(err, errRendered):
		err = errRendered
	case errors.Is(err, errTurns):
		err = errTurns
	}
	return out.String(), err
}

// bounded is a buffer that takes so many bytes.
type bounded struct {
	bytes.Buffer
	left *int
}

func (b *bounded) Write(p []byte) (int, error) {
	if *b.left -= len(p); *b.left < 0 {
		return 0, errRendered
	}
	return b.Buffer.Write(p)
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
			return fmt.Errorf("json: %w", err)
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
	return b.bytes, nil
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
