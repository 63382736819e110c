package diff

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
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
	if !strings.HasPrefix(doc.OpenAPI, "3.") {
		return nil, errors.New("not an OpenAPI 3 document: it does not begin with openapi: 3.0 or 3.1")
	}
	base := ""
	if len(doc.Servers) > 0 {
		if u, err := url.Parse(doc.Servers[0].URL); err == nil {
			base = strings.Trim(u.Path, "/") + "/"
		}
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
			out := operation{method: method, route: strings.Trim(base+strings.Trim(path, "/"), "/")}
			if o.RequestBody != nil && o.RequestBody.Value != nil {
				out.requests = contentOf(o.RequestBody.Value.Content)
				r := reader{}
				r.model("", bodyOf(o.RequestBody.Value.Content), nil, nil)
				if r.schemas > mostSchemas {
					return nil, fmt.Errorf("the body of %s %s has more than %d schemas", method, path, mostSchemas)
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
type reader struct {
	fields  []field
	schemas int // that were looked at
}

// mostSchemas bounds what is read of one body: schemas may refer to each other in many ways.
const mostSchemas = 10_000

// model reads the fields of an object, in the order of their names. above are the models that it
// stands in, which it may hold again, and required the names that a whole requires of its parts.
func (r *reader) model(at contracts.Path, ref *openapi3.SchemaRef, above []*openapi3.Schema, required []string) {
	if r.schemas++; ref == nil || ref.Value == nil || slices.Contains(above, ref.Value) || r.schemas > mostSchemas {
		return
	}
	s := ref.Value
	above = append(slices.Clip(above), s)
	required = append(slices.Clip(required), s.Required...)
	for _, part := range s.AllOf {
		if part.Value != nil {
			required = append(required, part.Value.Required...)
		}
	}
	for _, part := range s.AllOf {
		r.model(at, part, above, required)
	}
	var names []string
	for name := range s.Properties {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		property := s.Properties[name]
		if property == nil || property.Value == nil {
			continue
		}
		path := at.Field(name)
		f := r.field(path, property.Value)
		if slices.Contains(required, name) {
			f.required = &rule{}
		}
		r.fields = append(r.fields, f)
		value, _ := valueOf(property.Value)
		if value.Items != nil {
			r.model(path.Element(), value.Items, above, nil)
		} else {
			r.model(path, &openapi3.SchemaRef{Value: value}, above, nil)
		}
	}
}

func (r *reader) field(path contracts.Path, s *openapi3.Schema) field {
	f := field{path: path, nullable: &rule{}}
	s, f.nullable.yes = valueOf(s)
	f.kind = kindOf(s)
	if s.MinLength > 0 || s.MaxLength != nil {
		f.length = &rule{min: int(min(s.MinLength, 1<<30))}
		if s.MaxLength != nil {
			f.length.max = int(min(*s.MaxLength, 1<<30))
		}
	}
	return f
}

// valueOf is the schema of values other than null, which may be a type among others, a keyword, or
// a choice of its own beside that of a value.
func valueOf(s *openapi3.Schema) (value *openapi3.Schema, nullable bool) {
	nullable = s.Nullable || s.Type.Includes("null")
	var values []*openapi3.Schema
	for _, choice := range slices.Concat(s.AnyOf, s.OneOf) {
		switch {
		case choice.Value == nil:
		case choice.Value.Type.Is("null"):
			nullable = true
		default:
			values = append(values, choice.Value)
		}
	}
	if len(values) == 1 && s.Type.IsEmpty() {
		value, more := valueOf(values[0])
		return value, nullable || more
	}
	return s, nullable
}

// between stands between the kinds of a field that has several.
const between = " or "

// kindOf is the kind of a schema's values: that of a page where one has it, or else the schema's
// own words; several where it has several types, none where it has no type.
func kindOf(s *openapi3.Schema) string {
	kinds := map[string]contracts.Kind{
		"string": contracts.KindString, "string uuid": contracts.KindGUID, "string guid": contracts.KindGUID,
		"string date-time": contracts.KindDate, "integer": contracts.KindInteger, "number": contracts.KindDecimal,
		"array": contracts.KindList, "object": contracts.KindModel,
	}
	var names []string
	for _, t := range s.Type.Slice() {
		name := t
		for _, words := range []string{t, t + " " + s.Format} {
			if k, known := kinds[words]; known {
				name = k.String()
			}
		}
		if t != "null" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, between)
}
