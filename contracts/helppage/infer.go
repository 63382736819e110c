package helppage

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"github.com/seed47566266/understudy/contracts"
)

// The Help Page calls a type and its nullable form by one word, and names the
// element of a collection without showing it. Its sample tells more, because of
// how the generator of samples (ObjectGenerator in the Help Page package) works:
//
//   - Each object gets a generator of its own with a running index, from 1.
//   - Each member of a simple type takes the next index, in the page's order,
//     and strings and numbers show it: "sample string 3", 5.0.
//   - A nullable member is made by a fresh generator: it shows index 1 and takes
//     no index from the sequence.
//
// So the indices that strings and numbers show bound how many members before
// them are nullable. infer finds every assignment that fits them; what all of
// them agree on is certain. Where they leave a choice, a member that has
// Required is taken for the non-nullable one, because an author who writes
// Required on a value type means it to be there.

// member is one member of an object of the sample.
type member struct {
	name  string
	line  int             // index of its line
	value json.RawMessage // as the sample has it
}

// endOfSample finds the line after the JSON object that begins at line at.
func (r *reader) endOfSample(at int) (int, error) {
	text := strings.Join(r.lines[at:], "\n")
	dec := json.NewDecoder(strings.NewReader(text))
	var raw json.RawMessage
	if err := dec.Decode(&raw); err != nil {
		line := at + strings.Count(text[:min(int(offsetOf(err, text)), len(text))], "\n")
		return 0, r.fail(min(line, len(r.lines)-1), "the sample is no JSON: %s", jsonProblem(err))
	}
	end := int(dec.InputOffset())
	line := at + strings.Count(text[:end], "\n")
	rest, _, _ := strings.Cut(text[end:], "\n")
	if strings.TrimSpace(rest) != "" {
		return 0, r.fail(line, "unexpected text after the sample")
	}
	return line + 1, nil
}

func offsetOf(err error, text string) int64 {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return max(0, syntax.Offset-1)
	}
	return int64(len(text))
}

func jsonProblem(err error) string {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "it ends early"
	}
	return strings.TrimPrefix(err.Error(), "json: ")
}

// members reads one object of the sample in order. at is the line it begins on.
func (r *reader) members(text []byte, at int) ([]member, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	lineAt := func(offset int64) int { return at + bytes.Count(text[:offset], []byte("\n")) }
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, r.fail(at, "expected a JSON object in the sample")
	}
	var members []member
	seen := map[string]bool{}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, r.fail(lineAt(dec.InputOffset()), "the sample is no JSON: %s", jsonProblem(err))
		}
		m := member{name: t.(string), line: lineAt(dec.InputOffset())} // within an object a token before a value is its name
		if seen[m.name] {
			return nil, r.fail(m.line, "the sample has %s twice", m.name)
		}
		seen[m.name] = true
		if err := dec.Decode(&m.value); err != nil {
			return nil, r.fail(m.line, "the sample is no JSON: %s", jsonProblem(err))
		}
		members = append(members, m)
	}
	return members, nil
}

// infer completes the contract from its sample. at is the sample's first line,
// -1 when there is none.
func (r *reader) infer(c *contracts.Contract, at int) error {
	if at < 0 {
		for i := range c.Body.Fields {
			f := &c.Body.Fields[i]
			if f.Kind == contracts.Collection {
				return r.fail(f.Type.Line-1, "nothing shows what an element of %s is: the page has no JSON sample", f.Name)
			}
			f.Nullable = f.Required == nil || f.Kind == contracts.String
			f.NullableFact = contracts.Fact{Source: contracts.Inferred, Line: f.Type.Line, Quote: f.Type.Quote,
				Because: "the page has no sample to tell; " + byRequired(f)}
		}
		return nil
	}
	members, err := r.members(c.Sample, at)
	if err != nil {
		return err
	}
	for i, m := range members {
		if i >= len(c.Body.Fields) || c.Body.Fields[i].Name != m.name {
			return r.fail(m.line, "the sample's member %s is not the table's member %d", m.name, i+1)
		}
	}
	if len(members) < len(c.Body.Fields) {
		return r.fail(at, "the sample lacks %s", c.Body.Fields[len(members)].Name)
	}
	if err := r.object(&c.Body, members); err != nil {
		return err
	}
	r.nullability(&c.Body, members, false)
	return nil
}

// object checks the members of one sample object against the model's fields and
// infers the elements of its collections.
func (r *reader) object(model *contracts.Model, members []member) error {
	for i := range model.Fields {
		f, m := &model.Fields[i], members[i]
		if f.Kind == contracts.Collection {
			if err := r.element(f, m); err != nil {
				return err
			}
			continue
		}
		kind, err := r.kindOf(m)
		if err != nil {
			return err
		}
		if kind != f.Kind {
			return r.fail(m.line, "the sample shows %s as %s, the table as %s", f.Name, kind, f.Kind)
		}
	}
	return nil
}

// element infers the model of a collection's elements from the first of them.
func (r *reader) element(f *contracts.Field, m member) error {
	var elements []json.RawMessage
	if json.Unmarshal(m.value, &elements) != nil || len(elements) == 0 {
		return r.fail(m.line, "expected an array with an element for %s; nothing else shows what an element is", f.Name)
	}
	offset := bytes.Index(m.value, elements[0])
	at := m.line + bytes.Count(m.value[:offset], []byte("\n"))
	members, err := r.members(elements[0], at)
	if err != nil {
		return err
	}
	if len(members) == 0 {
		return r.fail(at, "the sample's element of %s has no members", f.Name)
	}
	f.Items.Fact = contracts.Fact{Source: contracts.Inferred, Line: m.line + 1, Quote: strings.TrimSpace(r.lines[m.line]),
		Because: "the table names the element's type; the sample's first element shows its members"}
	for _, em := range members {
		kind, err := r.kindOf(em)
		if err != nil {
			return err
		}
		f.Items.Fields = append(f.Items.Fields, contracts.Field{Name: em.name, Kind: kind,
			Type: contracts.Fact{Source: contracts.Inferred, Line: em.line + 1, Quote: strings.TrimSpace(r.lines[em.line]),
				Because: "the sample shows " + shape[kind]}})
	}
	if err := r.object(f.Items, members); err != nil {
		return err
	}
	r.nullability(f.Items, members, true)
	return nil
}

var (
	guidSample   = regexp.MustCompile(`^"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"$`)
	dateSample   = regexp.MustCompile(`^"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?(Z|[+-]\d\d:\d\d)?"$`)
	stringSample = regexp.MustCompile(`^"sample string (\d{1,6})"$`)
	numberSample = regexp.MustCompile(`^(\d{1,6})(\.0)?$`)

	shape = map[contracts.Kind]string{
		contracts.GUID:    "a GUID",
		contracts.Date:    "a date and time",
		contracts.String:  "a sample string",
		contracts.Decimal: "a number with a fraction",
		contracts.Integer: "a whole number",
	}
)

func (r *reader) kindOf(m member) (contracts.Kind, error) {
	switch {
	case guidSample.Match(m.value):
		return contracts.GUID, nil
	case dateSample.Match(m.value):
		return contracts.Date, nil
	case stringSample.Match(m.value):
		return contracts.String, nil
	case numberSample.Match(m.value) && bytes.HasSuffix(m.value, []byte(".0")):
		return contracts.Decimal, nil
	case numberSample.Match(m.value):
		return contracts.Integer, nil
	}
	return "", r.fail(m.line, "the sample's value of %s is none that the Help Page makes for a type that is understood", m.name)
}

// shown is the index that a member of the sample shows, 0 if it shows none.
func shown(m member) int {
	for _, pattern := range []*regexp.Regexp{stringSample, numberSample} {
		if match := pattern.FindSubmatch(m.value); match != nil {
			n, _ := strconv.Atoi(string(match[1])) // the patterns bound the digits
			return n
		}
	}
	return 0
}

// nullability decides Nullable for every field of a model.
//
// state i is the number of indices taken before member i. reach[i] are the
// states that the members before i allow, and leads[i] those from which the
// members from i on can be explained. An element's model has no table of its
// own, so the lack of Required says nothing there.
func (r *reader) nullability(model *contracts.Model, members []member, element bool) {
	n := len(model.Fields)
	steps := func(i int) (counted, fresh bool, index int) {
		f := &model.Fields[i]
		if f.Kind == contracts.Collection {
			return false, true, 0
		}
		index = shown(members[i])
		// A string is a reference: always counted. A value type is counted, or
		// nullable and then shows 1 if it shows anything.
		return true, f.Kind != contracts.String && index <= 1, index
	}
	after := func(i int, states map[int]bool, take, skip bool) map[int]bool {
		counted, fresh, index := steps(i)
		out := map[int]bool{}
		for s := range states {
			if take && counted && (index == 0 || index == s+1) {
				out[s+1] = true
			}
			if skip && fresh {
				out[s] = true
			}
		}
		return out
	}
	leads := make([]map[int]bool, n+1)
	leads[n] = map[int]bool{}
	for s := 0; s <= n; s++ {
		leads[n][s] = true
	}
	for i := n - 1; i >= 0; i-- {
		leads[i] = map[int]bool{}
		for s := 0; s <= n; s++ {
			if overlap(after(i, map[int]bool{s: true}, true, true), leads[i+1]) {
				leads[i][s] = true
			}
		}
	}
	states := map[int]bool{0: true} // given the choices made so far
	reach := map[int]bool{0: true}  // given none
	for i := range model.Fields {
		f, m := &model.Fields[i], members[i]
		fact := contracts.Fact{Source: contracts.Inferred, Line: m.line + 1, Quote: strings.TrimSpace(r.lines[m.line])}
		mayCount := overlap(after(i, reach, true, false), leads[i+1])
		mayBeNull := overlap(after(i, reach, false, true), leads[i+1])
		reach = after(i, reach, true, true)
		switch {
		case f.Kind == contracts.String:
			f.Nullable = true
			fact.Because = "a string is a reference, which can always be null"
		case f.Kind == contracts.Collection:
			f.Nullable = true
			fact.Because = "a collection is a reference, which can always be null"
		case !leads[0][0]:
			f.Nullable = f.Required == nil
			fact.Because = "the sample's numbers fit no run of the generator; " + byRequired(f)
		case mayCount && !mayBeNull:
			f.Nullable = false
			fact.Because = "the sample's running numbers fit only if it takes one"
			if index := shown(m); index > 0 {
				fact.Because = fmt.Sprintf("the sample shows the running number %d; a nullable member would show 1", index)
			}
		case mayBeNull && !mayCount:
			f.Nullable = true
			fact.Because = "the sample's running numbers fit only if it takes none"
			if shown(m) == 1 {
				fact.Because = "the sample shows 1, the number of a nullable member; the running numbers are past it"
			}
		default:
			f.Nullable = f.Required == nil && !element
			fact.Because = room(model, members, i) + byRequired(f)
			if element {
				fact.Because = "the sample's running numbers leave it open, and the page does not show the element's annotations; a plain value type is taken"
			}
			if !overlap(after(i, states, !f.Nullable, f.Nullable), leads[i+1]) {
				f.Nullable = !f.Nullable
				fact.Because = "the sample's running numbers need it so, with what was settled for the members before it"
			}
		}
		f.NullableFact = fact
		switch f.Kind {
		case contracts.String, contracts.Collection:
			states = after(i, states, true, true)
		default:
			states = after(i, states, !f.Nullable, f.Nullable)
		}
	}
}

// room says between which running numbers member i stands and how many members
// between them took one.
func room(model *contracts.Model, members []member, i int) string {
	anchor := func(j int) bool {
		return model.Fields[j].Kind == contracts.String || shown(members[j]) > 1
	}
	before, after := i-1, i+1
	for before >= 0 && !anchor(before) {
		before--
	}
	for after < len(members) && !anchor(after) {
		after++
	}
	if after == len(members) {
		return "no running number after it settles it; "
	}
	taken := shown(members[after]) - 1
	if before >= 0 {
		taken -= shown(members[before])
		return fmt.Sprintf("the sample's running numbers, %d at %s and %d at %s, leave %d for the members between; ",
			shown(members[before]), members[before].name, shown(members[after]), members[after].name, taken)
	}
	return fmt.Sprintf("the sample's running number %d at %s leaves %d for the members before it; ",
		shown(members[after]), members[after].name, taken)
}

func byRequired(f *contracts.Field) string {
	switch {
	case f.Kind == contracts.String:
		return "a string is a reference, which can always be null"
	case f.Required != nil:
		return "Required on a value type stands for a non-nullable one"
	}
	return "a value type without Required is taken for nullable"
}

func overlap(a, b map[int]bool) bool {
	for s := range a {
		if b[s] {
			return true
		}
	}
	return false
}
