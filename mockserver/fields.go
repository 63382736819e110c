package mockserver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/webapi"
)

// fieldRef is a field of an operation's body that a configuration names.
type fieldRef struct {
	steps []string // names in the page's spelling, and indices
	field *contracts.Field
}

// resolveField finds a field by its name, or by a JSON pointer.
func resolveField(o *operation, name string) (*fieldRef, error) {
	steps := []string{name}
	if strings.HasPrefix(name, "/") {
		steps = strings.Split(name[1:], "/")
	}
	ref := &fieldRef{}
	model := o.Model()
	for i, step := range steps {
		step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
		if _, err := strconv.ParseUint(step, 10, 16); err == nil && ref.field != nil && ref.field.Elements() != nil &&
			model == nil {
			model = ref.field.Elements()
			ref.steps = append(ref.steps, step)
			continue
		}
		if model == nil {
			return nil, fmt.Errorf("field %s: %s has no fields; an element is named by its index, as in /%s/0/…", name,
				strings.Join(ref.steps, "/"), strings.Join(steps[:i], "/"))
		}
		f := model.Field(step)
		if f == nil {
			names := make([]string, len(model.Fields))
			for i := range model.Fields {
				names[i] = model.Fields[i].Name
			}
			return nil, fmt.Errorf("unknown field %q of %s%s", step, model.Name, didYouMean(step, names))
		}
		ref.field, model = f, nil
		ref.steps = append(ref.steps, f.Name)
	}
	return ref, nil
}

// value is the field's in a request; false if the body lacks it.
func (f *fieldRef) value(x *exchange) (any, bool) {
	var value any = x.model()
	for _, step := range f.steps {
		switch at := value.(type) {
		case map[string]any:
			inner, found := at[step]
			if !found {
				return nil, false
			}
			value = inner
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(at) {
				return nil, false
			}
			value = at[i]
		default:
			return nil, false
		}
	}
	return value, true
}

// fieldCondition holds for values of a field. Those that mean the same are equal: what
// is compared is how the framework writes what it has read.
func fieldCondition(o *operation, name string, m Match) (condition, error) {
	ref, err := resolveField(o, name)
	if err != nil {
		return nil, err
	}
	matches, err := m.compile(func(want string) (string, error) { return ref.canonical(o, want) })
	if err != nil {
		return nil, fmt.Errorf("field %s: %w", name, err)
	}
	return func(x *exchange) bool {
		value, found := ref.value(x)
		if !found {
			return matches(nil)
		}
		return matches([]string{textOf(value)})
	}, nil
}

// canonical is how the framework writes a value of the field.
func (f *fieldRef) canonical(o *operation, value string) (string, error) {
	if f.field.Elements() != nil {
		return "", fmt.Errorf("a list is not equal to anything: name a field of an element")
	}
	for _, literal := range []string{value, string(appendJSONString(nil, value))} {
		if !json.Valid([]byte(literal)) || f.field.Type.Kind == contracts.KindString && literal == value {
			continue
		}
		first := &fieldRef{steps: slices.Clone(f.steps), field: f.field}
		for i, step := range slices.Backward(f.steps) {
			if _, err := strconv.Atoi(step); err == nil {
				first.steps[i] = "0" // all elements are alike
				literal = "[" + literal + "]"
			} else {
				literal = "{" + string(appendJSONString(nil, step)) + ":" + literal + "}"
			}
		}
		bound, ok := o.bindAlone([]byte(literal), first)
		if ok {
			return textOf(bound), nil
		}
	}
	return "", fmt.Errorf("%q can never be its value, which is %s", value, f.field.Type.Kind.Admits())
}

// bindAlone binds a body with one field, and reports that the field could be bound.
func (o *operation) bindAlone(body []byte, f *fieldRef) (any, bool) {
	request := webapi.Request{
		Method: o.Method, Target: "/" + o.Route, Body: body,
		Header: http.Header{"Content-Type": {o.JSON().MediaType}},
	}
	response := o.endpoint.Respond(&request, nil)
	for i := range response.Violations {
		v := &response.Violations[i]
		if strings.EqualFold(v.Pointer, "/"+strings.Join(f.steps, "/")) &&
			(v.Rule.Kind == contracts.RuleType || v.Rule.Kind == contracts.RuleNullable) {
			return nil, false
		}
	}
	model, _ := o.endpoint.Bind(&request)
	x := &exchange{bound: parseModel(model), isBound: true}
	value, found := f.value(x)
	return value, found
}

// parseModel reads what [webapi.Endpoint.Bind] made.
func parseModel(text []byte) map[string]any {
	model := map[string]any{}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&model); err != nil {
		return map[string]any{} // there is none
	}
	return model
}

// textOf is a value as text: a text itself, anything else as JSON.
func textOf(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case nil:
		return ""
	}
	text, err := json.Marshal(value)
	if err != nil {
		return ""
	}
	return string(text)
}
