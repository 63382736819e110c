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
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/brianvoe/gofakeit/v7"
	"github.com/google/uuid"
)

const (
	// maxRendered is how many bytes the templates of one response make, those that they do not
	// show included; maxTurns, how many turns their loops take; maxRendering, how long that lasts.
	maxRendered  = 1 << 20
	maxTurns     = 100_000
	maxRendering = 5 * time.Second
)

// templateError is an error of a template that holds no value of a request, so that notes, log
// and journal may have it.
type templateError string

func (e templateError) Error() string { return string(e) }

var (
	errRendered  = templateError(fmt.Sprintf("it makes more than %d bytes", maxRendered))
	errTurns     = templateError(fmt.Sprintf("its loops take more than %d turns", maxTurns))
	errRendering = templateError(fmt.Sprintf("it takes longer than %s", maxRendering))
)

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
	Header headerOfTemplate
	Query  queryOfTemplate
}

// headerOfTemplate and queryOfTemplate have no method that makes long texts.
type (
	headerOfTemplate http.Header
	queryOfTemplate  url.Values
)

// Get is the first value of a header; empty if there is none.
func (h headerOfTemplate) Get(name string) string { return http.Header(h).Get(name) }

// Get is the first value of a parameter; empty if there is none.
func (q queryOfTemplate) Get(name string) string { return url.Values(q).Get(name) }

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
	until  time.Time
}

func (s *Server) rendering(x *exchange, m *applied) *rendering {
	r := &rendering{s: s, x: x, left: maxRendered, until: time.Now().Add(maxRendering)}
	r.data = templateData{
		Model: x.model(), Call: m.call, Number: x.number, Session: x.session, RetryAfter: m.retryAfter,
		Request: templateRequest{
			Method: x.r.Method, Path: x.r.URL.Path, Body: string(x.request.Body),
			Header: headerOfTemplate(x.r.Header), Query: queryOfTemplate(x.query()),
		},
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%d\x00%s\x00%d", s.seed, x.session, x.number))
	source := rand.NewPCG(binary.LittleEndian.Uint64(sum[:]), binary.LittleEndian.Uint64(sum[8:]))
	r.random = rand.New(source) //nolint:gosec // no secret: what replicas must agree on
	return r
}

// charge takes bytes from what the templates may make.
func (r *rendering) charge(bytes int) error {
	if r.left -= bytes; r.left < 0 {
		return errRendered
	}
	if time.Now().After(r.until) {
		return errRendering
	}
	return nil
}

// charged is a text that a function made.
func (r *rendering) charged(text string, err error) (string, error) {
	if err == nil {
		err = r.charge(len(text))
	}
	return text, err
}

// formatting is a function of templates, which makes one text of several values, that makes no
// more than may be made.
func (r *rendering) formatting(f func(args ...any) string) func(args ...any) (string, error) {
	return func(args ...any) (string, error) {
		if err := r.chargeArguments(args); err != nil {
			return "", err
		}
		return r.charged(f(args...), nil)
	}
}

// chargeArguments takes the lengths of what is formatted one by one, since all of them at once
// may be too much.
func (r *rendering) chargeArguments(args []any) error {
	for _, arg := range args {
		text, isText := arg.(string)
		if !isText {
			text = fmt.Sprint(arg)
		}
		if err := r.charge(len(text)); err != nil {
			return err
		}
	}
	return nil
}

func (r *rendering) printf(format string, args ...any) (string, error) {
	wide, err := padding(format)
	for _, arg := range args {
		switch reflect.ValueOf(arg).Kind() {
		case reflect.Slice, reflect.Map, reflect.Struct, reflect.Pointer, reflect.Func, reflect.Invalid:
			err = templateError("printf takes texts, numbers, true and false: use print or json for others")
		}
	}
	if err == nil {
		err = r.charge(wide)
	}
	if err == nil {
		err = r.chargeArguments(args)
	}
	if err != nil {
		return "", err
	}
	return r.charged(fmt.Sprintf(format, args...), nil)
}

var (
	verbs   = regexp.MustCompile(`%[^a-zA-Z%]*`)
	numbers = regexp.MustCompile(`[0-9]+`)
)

// padding is how many bytes the widths and precisions of a format add at most.
func padding(format string) (int, error) {
	sum := 0
	for _, verb := range verbs.FindAllString(format, -1) {
		if strings.ContainsAny(verb, "*[") {
			return 0, templateError("printf takes no * and no [n]")
		}
		for _, digits := range numbers.FindAllString(verb, -1) {
			n, err := strconv.Atoi(digits)
			if err != nil || n > maxRendered {
				return 0, errRendered
			}
			sum += n
		}
	}
	return sum, nil
}

func (r *rendering) functions() template.FuncMap {
	return template.FuncMap{
		"field": r.field,
		"guid":  func() (string, error) { return r.charged(r.guid(), nil) },
		"now":   func(args ...string) (string, error) { return r.charged(r.now(args), nil) },
		"fake":  func(name string) (string, error) { return r.charged(r.fake(name)) },
		"json": func(value any) (string, error) {
			text, err := json.Marshal(value)
			return r.charged(string(text), err)
		},
		"print": r.formatting(fmt.Sprint), "println": r.formatting(fmt.Sprintln), "printf": r.printf,
		"html": r.formatting(template.HTMLEscaper), "js": r.formatting(template.JSEscaper),
		"urlquery": r.formatting(template.URLQueryEscaper),
		"turn": func() (string, error) {
			if r.turns++; r.turns > maxTurns {
				return "", errTurns
			}
			return "", r.charge(0)
		},
	}
}

// field is the value of a field; an empty text where the body lacks it.
func (r *rendering) field(name string) (any, error) {
	ref, err := resolveField(r.x.operation, name)
	if err != nil {
		return nil, templateError("field takes the name of a field of the body")
	}
	value, _ := ref.value(r.x)
	if value == nil {
		return "", nil
	}
	return value, nil
}

// guid is a GUID of version 4 of RFC 9562.
func (r *rendering) guid() string {
	var bytes [16]byte
	binary.LittleEndian.PutUint64(bytes[:], r.random.Uint64())
	binary.LittleEndian.PutUint64(bytes[8:], r.random.Uint64())
	bytes[6], bytes[8] = bytes[6]&0x0F|0x40, bytes[8]&0x3F|0x80
	return uuid.UUID(bytes).String()
}

// now is the time in the server's zone; arguments are a layout of Go's package time, and a
// time to add, such as 24h.
func (r *rendering) now(args []string) string {
	at, layout := time.Now().In(r.s.zone), time.RFC3339
	for _, arg := range args {
		if d, err := time.ParseDuration(arg); err == nil {
			at = at.Add(d)
		} else {
			layout = arg
		}
	}
	return at.Format(layout)
}

// fakeFunction is a function of gofakeit that makes a text of nothing; nil if there is none with
// this name.
func fakeFunction(name string) *gofakeit.Info {
	info := gofakeit.GetFuncLookup(strings.ToLower(name))
	if info == nil {
		return nil
	}
	switch info.Output { // others are lists, pictures, or times that follow from the present one
	case "string", "bool", "int", "uint", "uint8", "uint16", "uint32", "uint64", "float", "float32", "float64":
	default:
		return nil
	}
	if _, err := info.Generate(gofakeit.New(1), gofakeit.NewMapParams(), info); err != nil {
		return nil // it takes something
	}
	return info
}

func (r *rendering) fake(name string) (string, error) {
	info := fakeFunction(name)
	if info == nil {
		return "", templateError("fake takes the name of a function of gofakeit that takes nothing")
	}
	value, err := info.Generate(gofakeit.NewFaker(r.random, false), gofakeit.NewMapParams(), info)
	if err != nil {
		return "", templateError("fake " + name + " makes nothing")
	}
	return fmt.Sprint(value), nil
}

// render is the text for one response. Its error holds no value of the request.
func (r *rendering) render(t *text) (string, error) {
	if t.template == nil {
		return t.plain, nil
	}
	c, err := t.template.Clone()
	if err != nil {
		return "", err
	}
	out := &bounded{r: r}
	err = c.Funcs(r.functions()).Execute(out, &r.data)
	var ours templateError
	var failed template.ExecError
	switch {
	case err == nil:
		return out.String(), nil
	case errors.As(err, &ours):
		return "", ours
	case errors.As(err, &failed):
		// What failed is said first; what follows may hold values.
		action, _, _ := strings.Cut(failed.Error(), ">: ")
		return "", templateError(strings.TrimPrefix(action, "template: ") + ">")
	}
	return "", templateError("its data do not fit")
}

// bounded is a buffer that takes as many bytes as may be made.
type bounded struct {
	bytes.Buffer
	r *rendering
}

func (b *bounded) Write(p []byte) (int, error) {
	if err := b.r.charge(len(p)); err != nil {
		return 0, err
	}
	return b.Buffer.Write(p)
}
