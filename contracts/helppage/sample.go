package helppage

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/seed47566266/understudy/contracts"
)

// member is one member of an object of the sample.
type member struct {
	name  string
	line  int             // index of its line
	value json.RawMessage // as the sample has it
	kind  contracts.Kind  // whose sample it is; of an array, a list
	index int             // the sample index that it shows, 0 if it shows none
}

// endOfSample finds the line after the JSON object that begins at line at.
func (r *reader) endOfSample(at int) (int, error) {
	text := strings.Join(r.lines[at:], "\n")
	dec := json.NewDecoder(strings.NewReader(text))
	var raw json.RawMessage
	if err := dec.Decode(&raw); err != nil {
		line := at + strings.Count(text[:min(int(offsetOf(err, text)), len(text))], "\n")
		return 0, r.fail(min(line, len(r.lines)-1), "malformed JSON in the sample: %s", jsonProblem(err))
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
			return nil, r.fail(lineAt(dec.InputOffset()), "malformed JSON in the sample: %s", jsonProblem(err))
		}
		m := member{
			name: t.(string),
			line: lineAt(dec.InputOffset()),
		} // within an object a token before a value is its name
		if seen[m.name] {
			return nil, r.fail(m.line, "the sample has %s twice", m.name)
		}
		seen[m.name] = true
		if err := dec.Decode(&m.value); err != nil {
			return nil, r.fail(m.line, "malformed JSON in the sample: %s", jsonProblem(err))
		}
		members = append(members, m)
	}
	return members, nil
}

// infer completes an operation from its sample. at is the sample's first line,
// -1 when there is none.
func (r *reader) infer(o *contracts.Operation, at int) error {
	fields := o.Model().Fields
	if at < 0 {
		for i := range fields {
			f := &fields[i]
			if f.Type.Element != nil {
				return r.fail(f.Type.Fact.Line-1,
					"nothing shows what an element of %s is: the page has no JSON sample", f.Name)
			}
			f.Type.Nullable = f.Type.Kind.IsReference()
			f.Type.NullableOpen = !f.Type.Nullable
			f.Type.NullableFact = contracts.Fact{
				Source:  contracts.SourceInferred,
				Line:    f.Type.Fact.Line,
				Quote:   f.Type.Fact.Quote,
				Because: "the page has no sample to show it; " + byDefault,
			}
		}
		return nil
	}
	members, err := r.members(o.Sample, at)
	if err != nil {
		return err
	}
	for i, m := range members {
		if i >= len(fields) || fields[i].Name != m.name {
			return r.fail(m.line, "the sample's field %s is not the table's field %d", m.name, i+1)
		}
	}
	if len(members) < len(fields) {
		return r.fail(at, "the sample lacks %s", fields[len(members)].Name)
	}
	if err := r.object(o.Model(), members); err != nil {
		return err
	}
	r.nullability(o.Model(), members)
	return nil
}

// object checks the members of one sample object against the model's fields and
// infers the elements of its lists.
func (r *reader) object(model *contracts.Model, members []member) error {
	for i := range model.Fields {
		f, m := &model.Fields[i], &members[i]
		if f.Type.Element != nil {
			m.kind = f.Type.Kind
			if err := r.element(f.Type.Element, m); err != nil {
				return err
			}
			continue
		}
		if err := r.recognize(m); err != nil {
			return err
		}
		if m.kind != f.Type.Kind {
			return r.fail(m.line, "the sample shows %s as %s, the table as %s", f.Name, m.kind.Word(),
				f.Type.Kind.Word())
		}
	}
	return nil
}

// element infers the model of a list's elements from the first of them.
func (r *reader) element(t *contracts.Type, m *member) error {
	var elements []json.RawMessage
	if json.Unmarshal(m.value, &elements) != nil || len(elements) == 0 {
		return r.fail(m.line, "expected an array with an element for %s; nothing else shows what an element is", m.name)
	}
	offset := bytes.Index(m.value, elements[0])
	at := m.line + bytes.Count(m.value[:offset], []byte("\n"))
	members, err := r.members(elements[0], at)
	if err != nil {
		return err
	}
	if len(members) == 0 {
		return r.fail(at, "the sample's element of %s has no fields", m.name)
	}
	t.Fact = contracts.Fact{
		Source:  contracts.SourceInferred,
		Line:    m.line + 1,
		Quote:   strings.TrimSpace(r.lines[m.line]),
		Because: "the table names the element's type; the sample's first element shows its fields",
	}
	t.Model.Fact = t.Fact
	for i := range members {
		em := &members[i]
		if err := r.recognize(em); err != nil {
			return err
		}
		t.Model.Fields = append(t.Model.Fields, contracts.Field{Name: em.name, Type: contracts.Type{
			Kind: em.kind,
			Fact: contracts.Fact{
				Source:  contracts.SourceInferred,
				Line:    em.line + 1,
				Quote:   strings.TrimSpace(r.lines[em.line]),
				Because: "the sample shows " + em.kind.Shown(),
			},
		}})
	}
	r.nullability(t.Model, members)
	return nil
}

// recognize finds out of what kind a member's value is.
func (r *reader) recognize(m *member) error {
	var ok bool
	if m.kind, m.index, ok = contracts.SampleKind(m.value); !ok {
		if string(m.value) == "0" {
			return r.fail(m.line, "the sample shows 0 for %s, which is an enum's: integers begin at 1; "+
				"enums are not supported", m.name)
		}
		return r.fail(m.line, "the sample's value of %s is not one that the Help Page makes for a supported type",
			m.name)
	}
	return nil
}
