package export

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/seed47566266/understudy/contracts"
)

// schema is a JSON Schema, its keywords in the order in which they are written.
type schema struct {
	Dialect     string            `json:"$schema,omitempty"`
	Ref         string            `json:"$ref,omitempty"`
	Comment     string            `json:"$comment,omitempty"`
	Title       string            `json:"title,omitempty"`
	Description string            `json:"description,omitempty"`
	Type        any               `json:"type,omitempty"` // a name, or a list of them
	Format      string            `json:"format,omitempty"`
	Nullable    bool              `json:"nullable,omitempty"` // of OpenAPI 3.0
	Minimum     json.Number       `json:"minimum,omitempty"`
	Maximum     json.Number       `json:"maximum,omitempty"`
	MinLength   int               `json:"minLength,omitempty"`
	MaxLength   *int              `json:"maxLength,omitempty"`
	Pattern     string            `json:"pattern,omitempty"`
	Items       *schema           `json:"items,omitempty"`
	Required    []string          `json:"required,omitempty"`
	Properties  *ordered[*schema] `json:"properties,omitempty"`
	Additional  *schema           `json:"additionalProperties,omitempty"`
	Example     any               `json:"example,omitempty"`
	Line        int               `json:"x-understudy-line,omitempty"`
	// Null is why it was inferred that it may be null, or may not.
	Null string            `json:"x-understudy-null-inferred,omitempty"`
	Defs *ordered[*schema] `json:"$defs,omitempty"`
}

// dialect is how a form spells what JSON Schema's versions say in different ways.
type dialect struct {
	// version is OpenAPI's; empty for JSON Schema alone.
	version string
	// models is what a reference to a model begins with.
	models string
	// nullable has null said by the keyword of OpenAPI 3.0; otherwise it is a type.
	nullable bool
	// formats has formats named beside the patterns: generators of code make types of them. A
	// validator of JSON Schema that knows no formats refuses a schema with one.
	formats bool
	// lines has lines of the page in a keyword of their own; otherwise in a comment.
	lines bool
}

var (
	schema2020 = dialect{models: "#/$defs/"}
	openAPI31  = dialect{version: "3.1.0", models: "#/components/schemas/", formats: true, lines: true}
	openAPI30  = dialect{version: "3.0.3", models: "#/components/schemas/", formats: true, lines: true, nullable: true}
)

// model is the schema of a model.
func (d *dialect) model(m *contracts.Model) *schema {
	s := &schema{Type: "object", Properties: &ordered[*schema]{}}
	d.from(s, m.Fact.Line, fmt.Sprintf("line %d: %s", m.Fact.Line, m.Fact.Quote))
	for i := range m.Fields {
		f := &m.Fields[i]
		if f.Required() != nil {
			s.Required = append(s.Required, f.Name)
		}
		s.Properties.add(f.Name, d.field(f))
	}
	return s
}

// from notes what line of the page a schema is from.
func (d *dialect) from(s *schema, line int, words string) {
	if d.lines {
		s.Line = line
	} else {
		s.Comment = words
	}
}

func (d *dialect) field(f *contracts.Field) *schema {
	s := kinds[f.Type.Kind].schema
	if d.formats {
		s.Format = kinds[f.Type.Kind].format
	}
	if elements := f.Elements(); elements != nil {
		s = schema{Type: "array", Items: &schema{Ref: d.models + elements.Name}}
	}
	about := []string{}
	if f.Description != "" {
		about = append(about, f.Description)
	}
	if length := f.Length(); length != nil {
		s.MinLength, s.MaxLength = length.Min, &length.Max
		about = append(about, fmt.Sprintf("%d to %d UTF-16 code units: a character outside the basic plane is two.",
			length.Min, length.Max))
	}
	if note := nullNote(f); note != "" {
		about = append(about, note)
	}
	s.Description = strings.Join(about, " ")
	if f.Required() == nil && d.lines {
		s.Null = f.Type.NullableFact.Because
	}
	if mayBeNull(f) {
		if d.nullable {
			s.Nullable = true
		} else {
			s.Type = []any{s.Type, "null"}
		}
	}
	line := f.Type.Fact.Line
	if n := len(f.Constraints); n > 0 {
		line = f.Constraints[n-1].Fact.Line
	}
	d.from(&s, line, strings.Join(says(f), "; "))
	return &s
}

// formModel is the schema of a model as a form: lists have elements with names like
// Lines[0].Amount, which a schema cannot name.
func (d *dialect) formModel(m *contracts.Model) *schema {
	s := d.model(m)
	all := s.Properties
	s.Properties, s.Required = &ordered[*schema]{}, nil
	var lists []string
	for i := range m.Fields {
		f := &m.Fields[i]
		if elements := f.Elements(); elements != nil {
			lists = append(lists, fmt.Sprintf("%s[0].%s", f.Name, elements.Fields[0].Name))
			continue
		}
		if f.Required() != nil {
			s.Required = append(s.Required, f.Name)
		}
		s.Properties.add(f.Name, all.values[i])
	}
	if lists != nil {
		s.Description = "The fields of a list's elements have names like " + strings.Join(lists, ", ") + "."
	}
	return s
}

// schemas are those of all models.
func (d *dialect) schemas(c *contracts.Contract) *ordered[*schema] {
	all := &ordered[*schema]{}
	for _, m := range models(c) {
		all.add(m.Name, d.model(m))
	}
	return all
}

// jsonSchema writes the JSON Schema of the body, and one of each model.
func jsonSchema(c *contracts.Contract) ([]byte, error) {
	root := &schema{Dialect: "https://json-schema.org/draft/2020-12/schema", Defs: schema2020.schemas(c)}
	if len(c.Operations) == 1 {
		o := &c.Operations[0]
		root.Title = o.Method + " /" + o.Route
		root.Ref = schema2020.models + o.Model().Name
	}
	return document(root)
}
