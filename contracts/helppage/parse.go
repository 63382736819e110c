// Package helppage reads the text of an ASP.NET Web API 2 Help Page.
//
// [Parse] is the only function to call. It promises that every line of the page
// was understood: each is claimed by the part of the reader that knows what it
// means, and the first one that is not becomes an [Error] that names it. What
// the page shows without saying it (the shape of a collection's elements, which
// members are nullable) is inferred from its sample; see infer.go.
package helppage

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/seed47566266/understudy/contracts"
)

// MaxSize is the largest page that Parse reads, in bytes. The longest real
// pages are a few dozen kilobytes.
const MaxSize = 1 << 20

// Error says which line of a page was not understood and what to do about it.
type Error struct {
	// Line is counted from 1.
	Line int
	// Text is the line as the page has it, cut at 80 characters.
	Text string
	// Problem says what was wrong, what was expected, or both.
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
		return nil, &Error{Line: 1, Problem: fmt.Sprintf("the page has %d bytes; at most %d are read", len(page), MaxSize)}
	}
	if !utf8.Valid(page) {
		return nil, &Error{Line: lineOfInvalidUTF8(page), Problem: "not UTF-8 text; save the page as UTF-8"}
	}
	r := &reader{}
	for _, line := range strings.Split(string(page), "\n") {
		r.lines = append(r.lines, strings.TrimSuffix(line, "\r"))
	}
	return r.page()
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

// next claims the next line that is not blank. want says what should stand
// there, for the error of a page that ends early.
func (r *reader) next(want string) (at int, text string, err error) {
	for r.at < len(r.lines) {
		at, text = r.at, strings.TrimSpace(r.lines[r.at])
		r.at++
		if text != "" {
			return at, text, nil
		}
	}
	return 0, "", &Error{Line: len(r.lines), Problem: "the page ends early; " + want + " should follow"}
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
	return contracts.Fact{Source: contracts.Stated, Line: at + 1, Quote: strings.Trim(r.lines[at], "| \t")}
}

var routePattern = regexp.MustCompile(`^[A-Za-z0-9._~-]+(/[A-Za-z0-9._~-]+)*$`)

func (r *reader) page() (*contracts.Contract, error) {
	c := &contracts.Contract{}
	at, text, err := r.next("the method and route, e.g. “POST api/Orders/Create”,")
	if err != nil {
		return nil, err
	}
	method, route, _ := strings.Cut(text, " ")
	if method != "POST" && method != "PUT" && method != "PATCH" {
		return nil, r.fail(at, "expected a method with a body (POST, PUT or PATCH) and a route")
	}
	if !routePattern.MatchString(route) {
		return nil, r.fail(at, "expected a route of plain segments after the method; parameters in it are not understood")
	}
	// The recorded routing (api/{controller}/{action}/{id}) is what Web API 2
	// projects start with; another number of segments needs another route table.
	if segments := strings.Split(route, "/"); len(segments) != 3 {
		return nil, r.fail(at, "expected a route of three segments, prefix/controller/action")
	}
	c.Method, c.Route, c.RouteFact = method, route, r.stated(at)

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
		return nil, r.fail(at, "expected “None.”; URI parameters are not understood")
	}
	c.URIParameters = r.stated(at)

	if err := r.expect("Body Parameters"); err != nil {
		return nil, err
	}
	if err := r.model(&c.Body); err != nil {
		return nil, err
	}
	if err := r.expect("Request Formats"); err != nil {
		return nil, err
	}
	sampleAt := -1
	c.RequestFormats, err = r.formats("Response Information", func(at int, text string) {
		if c.Sample == nil {
			c.Sample, sampleAt = []byte(text), at
			c.SampleFact = r.stated(at)
		}
	})
	if err != nil {
		return nil, err
	}
	if err := r.expect("Response Information"); err != nil {
		return nil, err
	}
	if err := r.expect("Resource Description"); err != nil {
		return nil, err
	}
	at, text, err = r.next("the type of the answer")
	if err != nil {
		return nil, err
	}
	// The extract glues the type's name to "None.", its list of members.
	name, found := strings.CutSuffix(text, "None.")
	if !found || !identifier.MatchString(name) {
		return nil, r.fail(at, "expected a type without members, e.g. “IHttpActionResultNone.”; others are not understood")
	}
	c.ResponseType, c.ResponseTypeFact = name, r.stated(at)
	if err := r.expect("Response Formats"); err != nil {
		return nil, err
	}
	c.ResponseFormats, err = r.formats("", func(int, string) {})
	if err != nil {
		return nil, err
	}
	if err := r.infer(c, sampleAt); err != nil {
		return nil, err
	}
	return c, nil
}

var (
	identifier  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	lengthRule  = regexp.MustCompile(`^String length: inclusive between (\d+) and (\d+)$`)
	tableHeader = "| Name | Description | Type | Additional information |"
)

// model reads the table of a model's members:
//
//	AppointmentModel| Name | Description | Type | Additional information |
//	|---|---|---|---|
//	| Reason | string |
//	Required String length: inclusive between 0 and 250 |
//	|
func (r *reader) model(m *contracts.Model) error {
	at, text, err := r.next("the table of the body's members")
	if err != nil {
		return err
	}
	name, found := strings.CutSuffix(text, tableHeader)
	name = strings.TrimSpace(name)
	if !found || !identifier.MatchString(name) {
		return r.fail(at, "expected the model's name and the table's header “%s”", tableHeader)
	}
	m.Name, m.Fact = name, r.stated(at)
	at, text, err = r.next("the table's rule |---|---|---|---|")
	if err != nil {
		return err
	}
	if text != "|---|---|---|---|" {
		return r.fail(at, "expected the table's rule |---|---|---|---|")
	}
	for strings.HasPrefix(r.peek(), "|") {
		field, err := r.row(m)
		if err != nil {
			return err
		}
		m.Fields = append(m.Fields, field)
	}
	if len(m.Fields) == 0 {
		return r.fail(r.at, "expected a row of the table; the model has no members")
	}
	return nil
}

func (r *reader) row(m *contracts.Model) (f contracts.Field, err error) {
	at, text, err := r.next("a row of the table")
	if err != nil {
		return f, err
	}
	cells := strings.Split(strings.Trim(text, "|"), "|")
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	if !strings.HasSuffix(text, "|") || len(cells) < 2 || len(cells) > 3 || !identifier.MatchString(cells[0]) {
		return f, r.fail(at, "expected “| name | type |” or “| name | description | type |”")
	}
	f.Name, f.Type = cells[0], r.stated(at)
	if len(cells) == 3 {
		f.Description = cells[1]
	}
	if earlier := m.Field(f.Name); earlier != nil {
		return f, r.fail(at, "the field %s is there already, on line %d; names differ in more than case", f.Name, earlier.Type.Line)
	}
	if err := r.typeWord(&f, at, cells[len(cells)-1]); err != nil {
		return f, err
	}
	at, text, err = r.next("the additional information of " + f.Name)
	if err != nil {
		return f, err
	}
	rules, found := strings.CutSuffix(text, "|")
	if !found || rules == "" {
		return f, r.fail(at, "expected the additional information of %s, closed by a bar", f.Name)
	}
	if err := r.rules(&f, at, strings.TrimSpace(rules)); err != nil {
		return f, err
	}
	// A bar ends every row but, in the extract, the table's last.
	if next := r.peek(); next == "|" {
		_, _, _ = r.next("")
	} else if strings.HasPrefix(next, "|") {
		return f, r.fail(at+1, "expected the bar that closes the row of %s", f.Name)
	}
	return f, nil
}

func (r *reader) typeWord(f *contracts.Field, at int, word string) error {
	for _, kind := range contracts.Kinds {
		if word == string(kind) {
			f.Kind = kind
			return nil
		}
	}
	if element, found := strings.CutPrefix(word, "Collection of "); found && identifier.MatchString(element) {
		f.Kind, f.Items = contracts.Collection, &contracts.Model{Name: element}
		return nil
	}
	known := make([]string, 0, len(contracts.Kinds)+1)
	for _, kind := range contracts.Kinds {
		known = append(known, string(kind))
	}
	return r.fail(at, "unknown type word %q; known are %s and “Collection of NAME”", word, strings.Join(known, ", "))
}

// rules reads "None." or annotations in the order the page has them. The extract
// puts nothing but a space between two of them.
func (r *reader) rules(f *contracts.Field, at int, text string) error {
	if text == "None." {
		return nil
	}
	rest := text
	if after, found := strings.CutPrefix(rest, "Required"); found && (after == "" || after[0] == ' ') {
		fact := r.stated(at)
		f.Required, rest = &fact, strings.TrimSpace(after)
	}
	if rest == "" && f.Required != nil {
		return nil
	}
	match := lengthRule.FindStringSubmatch(rest)
	if match == nil {
		return r.fail(at, "unknown annotation of %s; known are “None.”, “Required” and “String length: inclusive between A and B”", f.Name)
	}
	if f.Kind != contracts.String {
		return r.fail(at, "a string length for %s, which is %s", f.Name, f.TypeWord())
	}
	low, errLow := strconv.ParseInt(match[1], 10, 32)
	high, errHigh := strconv.ParseInt(match[2], 10, 32)
	if errLow != nil || errHigh != nil {
		return r.fail(at, "a bound of the length of %s does not fit 32 bits", f.Name)
	}
	if low > high {
		return r.fail(at, "the bounds of the length of %s are reversed", f.Name)
	}
	f.Length = &contracts.Length{Min: int(low), Max: int(high), Fact: r.stated(at)}
	return nil
}

// mediaTypes are those whose reading and writing is understood.
var mediaTypes = map[string]bool{
	"application/json":                  true,
	"text/json":                         true,
	"application/x-www-form-urlencoded": true,
}

// formats reads lines of media types, each with its sample, up to the heading
// until (the end of the page when it is empty).
func (r *reader) formats(until string, sample func(at int, text string)) ([]contracts.Format, error) {
	var formats []contracts.Format
	for first := true; first || r.peek() != until; first = false {
		at, text, err := r.next("a line of media types")
		if err != nil {
			return nil, err
		}
		for _, mediaType := range strings.Split(text, ",") {
			mediaType = strings.TrimSpace(mediaType)
			if !mediaTypes[mediaType] {
				return nil, r.fail(at, "%q is no media type that is understood; known are application/json, text/json and application/x-www-form-urlencoded", mediaType)
			}
			for _, f := range formats {
				if f.MediaType == mediaType {
					return nil, r.fail(at, "the media type %s is there already, on line %d", mediaType, f.Fact.Line)
				}
			}
			formats = append(formats, contracts.Format{MediaType: mediaType, Fact: r.stated(at)})
		}
		if err := r.expect("Sample:"); err != nil {
			return nil, err
		}
		at, text, err = r.next("a sample or “Sample not available.”")
		if err != nil {
			return nil, err
		}
		switch text {
		case "Sample not available.":
		case "{":
			end, err := r.endOfSample(at)
			if err != nil {
				return nil, err
			}
			sample(at, strings.Join(r.lines[at:end], "\n"))
			r.at = end
		default:
			return nil, r.fail(at, "expected a JSON object or “Sample not available.”")
		}
	}
	return formats, nil
}
