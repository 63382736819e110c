// Package helppage reads the text of an ASP.NET Web API 2 Help Page.
//
// [Parse] is the only function to call. It promises that every line of the page
// was understood: each is claimed by the part of the reader that knows what it
// means, and the first one that is not becomes an [Error] that names it. What
// the page shows without stating it (the fields of a list's elements, which
// fields are nullable) is inferred from its sample; see sample.go and
// nullability.go.
package helppage

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/seed47566266/understudy/contracts"
)

// MaxSize is the largest page that Parse reads, in bytes. The longest real
// pages are a few dozen kilobytes.
const MaxSize = 1 << 20

// Error is a line of a page that was not understood, and what to do about it.
type Error struct {
	// Line is counted from 1.
	Line int
	// Text is the line as the page has it, cut at 80 characters.
	Text string
	// Problem is what was wrong, what was expected, or both.
	Problem string
}

func (e *Error) Error() string {
	if e.Text == "" {
		return fmt.Sprintf("page line %d: %s", e.Line, e.Problem)
	}
	return fmt.Sprintf("page line %d: %s: %q", e.Line, e.Problem, e.Text)
}

// Parse derives the contract from the text of a page. Line ends may be LF or
// CRLF; blank lines and white space around a line carry no meaning outside the
// sample. Every error is an *[Error].
func Parse(page []byte) (*contracts.Contract, error) {
	if len(page) > MaxSize {
		return nil, &Error{
			Line:    1,
			Problem: fmt.Sprintf("the page has %d bytes; at most %d are read", len(page), MaxSize),
		}
	}
	if !utf8.Valid(page) {
		return nil, &Error{Line: lineOfInvalidUTF8(page), Problem: "not UTF-8 text; save the page as UTF-8"}
	}
	r := &reader{}
	for _, line := range strings.Split(string(page), "\n") {
		r.lines = append(r.lines, strings.TrimSuffix(line, "\r"))
	}
	c, err := r.page()
	if err != nil {
		return nil, err
	}
	c.Page = slices.Clone(page)
	return c, nil
}

func lineOfInvalidUTF8(page []byte) int {
	line := 1
	for len(page) > 0 {
		c, size := utf8.DecodeRune(page)
		if c == utf8.RuneError && size == 1 {
			break
		}
		if c == '\n' {
			line++
		}
		page = page[size:]
	}
	return line
}

// reader walks the lines in order. A method either claims the lines it
// understands or returns an error for the first it does not.
type reader struct {
	lines []string
	at    int // index of the next unclaimed line
}

func (r *reader) fail(at int, format string, args ...any) error {
	e := &Error{Line: at + 1, Problem: fmt.Sprintf(format, args...)}
	if at < len(r.lines) {
		e.Text = strings.TrimSpace(r.lines[at])
		if cut := []rune(e.Text); len(cut) > 80 {
			e.Text = string(cut[:79]) + "…"
		}
	}
	return e
}

// next claims the next line that is not blank. expected is what should follow, for
// the error of a page that ends early.
func (r *reader) next(expected string) (at int, text string, err error) {
	for r.at < len(r.lines) {
		at, text = r.at, strings.TrimSpace(r.lines[r.at])
		r.at++
		if text != "" {
			return at, text, nil
		}
	}
	return 0, "", &Error{Line: len(r.lines), Problem: "the page ends early; " + expected + " should follow"}
}

// peek is the next line that is not blank, unclaimed; "" at the end.
func (r *reader) peek() string {
	for at := r.at; at < len(r.lines); at++ {
		if text := strings.TrimSpace(r.lines[at]); text != "" {
			return text
		}
	}
	return ""
}

func (r *reader) expect(heading string) error {
	at, text, err := r.next("the heading “" + heading + "”")
	if err != nil {
		return err
	}
	if text != heading {
		return r.fail(at, "expected the heading “%s”", heading)
	}
	return nil
}

func (r *reader) stated(at int) contracts.Fact {
	return contracts.Fact{Source: contracts.SourceStated, Line: at + 1, Quote: strings.Trim(r.lines[at], "| \t")}
}

var routePattern = regexp.MustCompile(`^[A-Za-z0-9._~-]+(/[A-Za-z0-9._~-]+)*$`)

func (r *reader) page() (*contracts.Contract, error) {
	o := contracts.Operation{PathParameters: []contracts.Field{}, QueryParameters: []contracts.Field{}}
	at, text, err := r.next("the method and route, e.g. “POST api/Orders/Create”,")
	if err != nil {
		return nil, err
	}
	method, route, _ := strings.Cut(text, " ")
	if method != "POST" && method != "PUT" && method != "PATCH" {
		return nil, r.fail(at, "expected a method with a body (POST, PUT or PATCH) and a route")
	}
	if !routePattern.MatchString(route) {
		return nil, r.fail(at,
			"expected a route of plain segments after the method; parameters in it are not supported")
	}
	// The recorded routing (api/{controller}/{action}/{id}) is what Web API 2
	// projects start with; another number of segments needs another route table.
	if segments := strings.Split(route, "/"); len(segments) != 3 {
		return nil, r.fail(at, "expected a route of three segments, prefix/controller/action")
	}
	o.ID, o.Method, o.Route, o.RouteFact = contracts.FriendlyID(method, route), method, route, r.stated(at)

	if err := r.expect("Request Information"); err != nil {
		return nil, err
	}
	if err := r.expect("URI Parameters"); err != nil {
		return nil, err
	}
	at, text, err = r.next("“None.”")
	if err != nil {
		return nil, err
	}
	if text != "None." {
		return nil, r.fail(at, "expected “None.”; URI parameters are not supported")
	}
	o.ParametersFact = r.stated(at)

	if err := r.expect("Body Parameters"); err != nil {
		return nil, err
	}
	model, err := r.model()
	if err != nil {
		return nil, err
	}
	o.Body = &contracts.Type{Kind: contracts.KindModel, Fact: model.Fact, Model: model}
	if err := r.expect("Request Formats"); err != nil {
		return nil, err
	}
	sampleAt := -1
	o.RequestFormats, err = r.formats("Response Information", func(at int, text string) {
		if o.Sample == nil {
			o.Sample, sampleAt = []byte(text), at
			o.SampleFact = r.stated(at)
		}
	})
	if err != nil {
		return nil, err
	}
	if err := r.response(&o.Response); err != nil {
		return nil, err
	}
	if err := r.infer(&o, sampleAt); err != nil {
		return nil, err
	}
	return &contracts.Contract{Operations: []contracts.Operation{o}}, nil
}

func (r *reader) response(to *contracts.Response) error {
	if err := r.expect("Response Information"); err != nil {
		return err
	}
	if err := r.expect("Resource Description"); err != nil {
		return err
	}
	at, text, err := r.next("the type of the response")
	if err != nil {
		return err
	}
	// The extract glues the type's name to "None.", its list of fields.
	name, found := strings.CutSuffix(text, "None.")
	if !found || !identifier.MatchString(name) {
		return r.fail(at, "expected a type without fields, e.g. “IHttpActionResultNone.”; others are not supported")
	}
	to.Type, to.Fact = name, r.stated(at)
	if err := r.expect("Response Formats"); err != nil {
		return err
	}
	to.Formats, err = r.formats("", func(int, string) {})
	return err
}
