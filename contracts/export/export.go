// Package export writes a contract in the forms that other tools read: OpenAPI, JSON
// Schema, TypeScript, zod, C# and Markdown.
//
// [Write] writes one of [Forms]. The same contract gives the same bytes. Each form keeps the
// page's line behind a rule where it has room for one, and says of what was inferred that it was.
// What a form cannot say (a schema knows nothing of duplicate keys) it leaves out and never
// approximates in the other direction: what the page allows, a form allows.
package export

import (
	"fmt"
	"io"
	"strings"

	"github.com/seed47566266/understudy/contracts"
)

// form is one way to write a contract.
type form struct {
	name string
	// what says in a few words what it is.
	what  string
	write func(c *contracts.Contract) ([]byte, error)
}

// forms are in the order in which they are listed.
var forms = []form{
	{"openapi", "OpenAPI 3.1, as JSON", openAPI31.document},
	{"openapi3.0", "OpenAPI 3.0, as JSON", openAPI30.document},
	{"jsonschema", "JSON Schema 2020-12 of the body", jsonSchema},
	{"typescript", "types, and a validator of forms with the server's messages", typeScript},
	{"zod", "a zod schema of forms with the server's messages", zod},
	{"csharp", "the model class and a controller stub", cSharp},
	{"markdown", "documentation with an anchor per rule", markdown},
}

// Forms are the names of the forms, and what each is in a few words.
func Forms() (names, what []string) {
	for _, f := range forms {
		names, what = append(names, f.name), append(what, f.what)
	}
	return names, what
}

// Write writes a contract in a form. The error is about an unknown form, about a name of the
// page that the form cannot spell, or the writer's.
func Write(w io.Writer, name string, c *contracts.Contract) error {
	for _, f := range forms {
		if f.name != name {
			continue
		}
		if err := checkNames(c); err != nil {
			return err
		}
		text, err := f.write(c)
		if err != nil {
			return err
		}
		_, err = w.Write(text)
		return err
	}
	names, _ := Forms()
	return fmt.Errorf("unknown form %q: use one of %s", name, strings.Join(names, ", "))
}

// models are the models of a contract, each once, those that another one has fields of after it.
func models(c *contracts.Contract) []*contracts.Model {
	var all []*contracts.Model
	seen := map[string]bool{}
	var add func(m *contracts.Model)
	add = func(m *contracts.Model) {
		if m == nil || seen[m.Name] {
			return
		}
		seen[m.Name] = true
		all = append(all, m)
		for i := range m.Fields {
			add(m.Fields[i].Elements())
		}
	}
	for i := range c.Operations {
		add(c.Operations[i].Model())
	}
	return all
}

// says are the page's own words of a field, each with its line, in the order of the lines.
func says(f *contracts.Field) (words []string) {
	last := -1
	add := func(fact contracts.Fact) {
		if fact.Line != last {
			words = append(words, fmt.Sprintf("line %d: %s", fact.Line, oneLine(fact.Quote)))
			last = fact.Line
		}
	}
	add(f.Type.Fact)
	for i := range f.Constraints {
		add(f.Constraints[i].Fact)
	}
	return words
}

// nullNote says whether a field may be null, where no annotation settles it; empty where one
// does.
func nullNote(f *contracts.Field) string {
	switch {
	case f.Required() != nil:
		return ""
	case f.Type.NullableOpen:
		return "The page does not show whether it may be null."
	case f.Type.Nullable:
		return "May be null (inferred)."
	}
	return "Must not be null (inferred)."
}

// mayBeNull reports a field in which null is certainly allowed.
func mayBeNull(f *contracts.Field) bool { return f.Required() == nil && f.Type.AdmitsNull() }
