package export

import (
	"bytes"
	"encoding/json"
)

// marshal is JSON without escapes for HTML.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// document is indented JSON with a line break at its end.
func document(v any) ([]byte, error) {
	text, err := marshal(v)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, text, "", "  "); err != nil {
		return nil, err
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

// ordered are the members of an object, in order.
type ordered[T any] struct {
	names  []string
	values []T
}

func (o *ordered[T]) add(name string, value T) {
	o.names, o.values = append(o.names, name), append(o.values, value)
}

// at is the value of a name; nil if there is none.
func (o *ordered[T]) at(name string) *T {
	for i := range o.names {
		if o.names[i] == name {
			return &o.values[i]
		}
	}
	return nil
}

// MarshalJSON writes an object whose members keep their order.
func (o ordered[T]) MarshalJSON() ([]byte, error) {
	var b []byte
	b = append(b, '{')
	for i, name := range o.names {
		if i > 0 {
			b = append(b, ',')
		}
		key, err := marshal(name)
		if err != nil {
			return nil, err
		}
		value, err := marshal(o.values[i])
		if err != nil {
			return nil, err
		}
		b = append(append(append(b, key...), ':'), value...)
	}
	return append(b, '}'), nil
}
