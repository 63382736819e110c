package helppage

import (
	"regexp"
	"strings"

	"github.com/seed47566266/understudy/contracts"
)

var (
	identifier  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	tableHeader = "| Name | Description | Type | Additional information |"
)

// model reads the table of a model's fields:
//
//	AppointmentModel| Name | Description | Type | Additional information |
//	|---|---|---|---|
//	| Reason | string |
//	Required String length: inclusive between 0 and 250 |
//	|
func (r *reader) model() (*contracts.Model, error) {
	at, text, err := r.next("the table of the body's fields")
	if err != nil {
		return nil, err
	}
	name, found := strings.CutSuffix(text, tableHeader)
	name = strings.TrimSpace(name)
	if !found || !identifier.MatchString(name) {
		return nil, r.fail(at, "expected the model's name and the table's header “%s”", tableHeader)
	}
	m := &contracts.Model{Name: name, Fact: r.stated(at)}
	at, text, err = r.next("the table's rule |---|---|---|---|")
	if err != nil {
		return nil, err
	}
	if text != "|---|---|---|---|" {
		return nil, r.fail(at, "expected the table's rule |---|---|---|---|")
	}
	for strings.HasPrefix(r.peek(), "|") {
		field, err := r.row(m)
		if err != nil {
			return nil, err
		}
		m.Fields = append(m.Fields, field)
	}
	if len(m.Fields) == 0 {
		return nil, r.fail(r.at, "expected a row of the table; the model has no fields")
	}
	return m, nil
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
	f.Name = cells[0]
	if len(cells) == 3 {
		f.Description = cells[1]
	}
	if first := m.Field(f.Name); first != nil {
		return f, r.fail(at, "duplicate field %s (first on line %d); names are compared case-insensitively", f.Name,
			first.Type.Fact.Line)
	}
	if f.Type, err = r.typeWord(at, cells[len(cells)-1]); err != nil {
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
	if err := r.constraints(&f, at, strings.TrimSpace(rules)); err != nil {
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

// typeWord reads a cell of the column Type. A list's element is completed from the
// sample, since the table names it alone.
func (r *reader) typeWord(at int, word string) (contracts.Type, error) {
	t := contracts.Type{Fact: r.stated(at)}
	var known bool
	if t.Kind, known = contracts.KindOf(word); known {
		return t, nil
	}
	if element, found := strings.CutPrefix(word, contracts.KindList.Word()); found {
		if _, single := contracts.KindOf(element); single {
			return t, r.fail(at, "%q is a list of single values, which is not supported; only lists of models are",
				word)
		}
		if identifier.MatchString(element) {
			t.Kind = contracts.KindList
			t.Element = &contracts.Type{Kind: contracts.KindModel, Model: &contracts.Model{Name: element}}
			return t, nil
		}
	}
	words := make([]string, 0, len(contracts.Kinds()))
	for _, kind := range contracts.Kinds() {
		words = append(words, kind.Word())
	}
	return t, r.fail(at, "unknown type word %q; known are %s and “%sNAME”", word, strings.Join(words, ", "),
		contracts.KindList.Word())
}
