package mockserver

import (
	"encoding/json"
	"reflect"
	"time"
)

// selfEncoder is a value with a spelling of its own; encode gives it.
type selfEncoder interface{ encode() any }

// selfSchema is a value with a spelling of its own; schema says which.
type selfSchema interface{ schema() any }

// encode is a value as the decoder reads it, for JSON.
func encode(v reflect.Value) any {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil
		}
		if own, ok := v.Interface().(selfEncoder); ok {
			return own.encode()
		}
		return encode(v.Elem())
	}
	switch v.Kind() {
	case reflect.Struct:
		out := map[string]any{}
		encodeFields(out, v)
		return out
	case reflect.Slice:
		if v.Type() == reflect.TypeFor[json.RawMessage]() {
			return v.Interface()
		}
		list := make([]any, v.Len())
		for i := range list {
			list[i] = encode(v.Index(i))
		}
		return list
	case reflect.Map:
		out := map[string]any{}
		for _, key := range v.MapKeys() {
			out[key.String()] = encode(v.MapIndex(key))
		}
		return out
	case reflect.Int64:
		if d, ok := v.Interface().(time.Duration); ok {
			return d.String()
		}
	}
	return v.Interface()
}

func encodeFields(out map[string]any, v reflect.Value) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		key := f.Tag.Get("yaml")
		switch {
		case f.Anonymous:
			encodeFields(out, v.Field(i))
		case key == "" || v.Field(i).IsZero():
		default:
			if value := encode(v.Field(i)); !reflect.DeepEqual(value, map[string]any{}) {
				out[key] = value
			}
		}
	}
}

func anyOf(schemas ...any) map[string]any { return map[string]any{"anyOf": schemas} }

func object(properties map[string]any, required ...string) map[string]any {
	s := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

func names(doc string) map[string]any {
	return map[string]any{
		"description": doc,
		"anyOf": []any{
			map[string]any{"type": "string"},
			map[string]any{"type": "array", "items": map[string]any{"type": "string"}},
		},
	}
}

func duration(doc string) map[string]any {
	return map[string]any{"type": "string", "pattern": "^[0-9.]+[a-zµ]+([0-9.]+[a-zµ]+)*$", "description": doc}
}

// structSchema describes the mapping that a struct is read from.
func structSchema(t reflect.Type) map[string]any {
	properties := map[string]any{}
	structProperties(properties, t)
	return object(properties)
}

func structProperties(out map[string]any, t reflect.Type) {
	for i := range t.NumField() {
		f := t.Field(i)
		key := f.Tag.Get("yaml")
		switch {
		case f.Anonymous:
			structProperties(out, f.Type)
		case key != "":
			out[key] = described(typeSchema(f.Type), f.Tag.Get("doc"))
		}
	}
}

func described(schema any, doc string) any {
	if m, ok := schema.(map[string]any); ok && m["description"] == nil && doc != "" {
		m["description"] = doc
	}
	return schema
}

func typeSchema(t reflect.Type) any {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if own, ok := reflect.New(t).Interface().(selfSchema); ok {
		return own.schema()
	}
	switch t.Kind() {
	case reflect.Struct:
		return structSchema(t)
	case reflect.Slice:
		if t.Elem().Kind() == reflect.String {
			return names("")
		}
		return map[string]any{"type": "array", "items": typeSchema(t.Elem())}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": typeSchema(t.Elem())}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int64:
		if t == reflect.TypeFor[time.Duration]() {
			return duration("")
		}
		return map[string]any{"type": "integer", "minimum": 0}
	case reflect.Int:
		return map[string]any{"type": "integer", "minimum": 0}
	case reflect.Float64:
		return map[string]any{"type": "number", "minimum": 0}
	case reflect.Interface:
		return map[string]any{}
	}
	return map[string]any{"type": []string{"string", "number", "boolean"}}
}

// ConfigSchema is the JSON Schema (2020-12) of a configuration. Properties of more are
// added to it, by name: the settings of commands in the same file.
func ConfigSchema(more map[string]any) []byte {
	schema := structSchema(reflect.TypeFor[Config]())
	schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	schema["title"] = "Understudy configuration"
	properties := schema["properties"].(map[string]any) //nolint:forcetypeassert // made above
	for name, s := range more {
		properties[name] = s
	}
	text, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		return nil // it has nothing that JSON lacks
	}
	return append(text, '\n')
}
