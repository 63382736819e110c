package diff

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/seed47566266/understudy/contracts"
)

// OpenAPI is the side of an OpenAPI document, 3.0 or 3.1, in JSON or YAML: of each operation with
// a body its media types and the fields of it. The error is about a document that cannot be read,
// or that refers to other files.
func OpenAPI(text []byte) (*Side, error) {
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		return nil, fmt.Errorf("not an OpenAPI document that can be read: %w", err)
	}
	s := &Side{}
	for _, path := range doc.Paths.InMatchingOrder() {
		item := doc.Paths.Find(path)
		all := item.Operations()
		var methods []string
		for method := range all {
			methods = append(methods, method)
		}
		slices.Sort(methods)
		for _, method := range methods {
			o := all[method]
			out := operation{method: method, route: strings.TrimPrefix(path, "/")}
			if o.RequestBody != nil && o.RequestBody.Value != nil {
				out.requests = contentOf(o.RequestBody.Value.Content)
				r := reader{}
				r.model("", bodyOf(o.RequestBody.Value.Content), nil)
				if len(r.fields) > mostFields {
					return nil, fmt.Errorf("the body of %s %s has more than %d fields", method, path, mostFields)
				}
				out.fields = r.fields
			}
			out.responses = responsesOf(o)
			s.operations = append(s.operations, out)
		}
	}
	if len(s.operations) == 0 {
		return nil, errors.New("the OpenAPI document has no operation")
	}
	return s, nil
}

func contentOf(c openapi3.Content) (all []media) {
	for _, key := range slices.Sorted(maps.Keys(c)) {
		if name := mediaName(key); !slices.ContainsFunc(all, func(m media) bool { return m.name == name }) {
			all = append(all, media{name: name})
		}
	}
	return all
}

// mediaName is a media type without its parameters.
func mediaName(key string) string {
	name, _, _ := strings.Cut(key, ";")
	return strings.ToLower(strings.TrimSpace(name))
}

// bodyOf is the schema of the body: that of JSON, or of the first media type by name.
func bodyOf(c openapi3.Content) (schema *openapi3.SchemaRef) {
	for _, key := range slices.Sorted(maps.Keys(c)) {
		if c[key] == nil || c[key].Schema == nil {
			continue
		}
		if mediaName(key) == contracts.MediaJSON {
			return c[key].Schema
		}
		if schema == nil {
			schema = c[key].Schema
		}
	}
	return schema
}

// responsesOf are the media types of successful responses.
func responsesOf(o *openapi3.Operation) (all []media) {
	seen := map[string]bool{}
	for status, r := range o.Responses.Map() {
		if status != "default" && !strings.HasPrefix(status, "2") || r.Value == nil {
			continue
		}
		for _, m := range contentOf(r.Value.Content) {
			if !seen[m.name] {
				seen[m.name] = true
				all = append(all, m)
			}
		}
	}
	slices.SortFunc(all, func(a, b media) int { return strings.Compare(a.name, b.name) })
	return all
}

// reader reads the fields of a body.
type reader struct{ fields []field }

// mostFields bounds what is read of one body: schemas may refer to each other in many ways.
const mostFields = 10_000

// model reads the fields of an object, in the order of their names. above are the models that it
// stands in, which it may hold again.
func (r *reader) model(at contracts.Path, ref *openapi3.SchemaRef, above []*openapi3.Schema) {
	if ref == nil || ref.Value == nil || slices.Contains(above, ref.Value) || len(r.fields) > mostFields {
		return
	}
	s := ref.Value
	above = append(slices.Clip(above), s)
	for _, part := range s.AllOf {
		r.model(at, part, above)
	}
	var names []string
	for name := range s.Properties {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		property := s.Properties[name]
		if property.Value == nil {
			continue
		}
		path := at.Field(name)
		f := r.field(path, property.Value)
		if slices.Contains(s.Required, name) {
			f.required, f.nullable = &rule{}, nil
		}
		r.fields = append(r.fields, f)
		if items := property.Value.Items; items != nil {
			r.model(path.Element(), items, above)
		}
	}
}

func (r *reader) field(path contracts.Path, s *openapi3.Schema) field {
	f := field{path: path, kind: kindOf(s), nullable: &rule{yes: s.Nullable || s.Type.Includes("null")}}
	if s.MinLength > 0 || s.MaxLength != nil {
		f.length = &rule{min: int(min(s.MinLength, 1<<30))}
		if s.MaxLength != nil {
			f.length.max = int(min(*s.MaxLength, 1<<30))
		}
	}
	// Null may be a schema of its own beside that of a value.
	for _, choice := range slices.Concat(s.AnyOf, s.OneOf) {
		switch {
		case choice.Value == nil:
		case choice.Value.Type.Is("null"):
			f.nullable.yes = true
		case f.kind == "":
			f.kind = kindOf(choice.Value)
		}
	}
	return f
}

// kindOf is the kind of a schema's values: that of a page where one has it, or else the schema's
// own words.
func kindOf(s *openapi3.Schema) string {
	kinds := map[string]contracts.Kind{
		"string": contracts.KindString, "string uuid": contracts.KindGUID, "string guid": contracts.KindGUID,
		"string date-time": contracts.KindDate, "integer": contracts.KindInteger, "number": contracts.KindDecimal,
		"array": contracts.KindList, "object": contracts.KindModel,
	}
	name := ""
	for _, t := range s.Type.Slice() {
		if t != "null" {
			name = t
		}
	}
	if name == "" {
		return ""
	}
	for _, words := range []string{name + " " + s.Format, name} {
		if k, known := kinds[words]; known {
			return k.String()
		}
	}
	return name
}
