package webapi

import "bytes"

// This file is what Json.NET's serializer does with the reader's tokens: it
// fills a model and, because Web API marks every error as handled, continues
// after each. An error is logged under the path where it was caught; continuing
// means skipping to the end of the value, which may meet the next error.

// readJSON binds a decoded JSON body. It returns nil for a null model.
func (c *call) readJSON() []value {
	r := &c.r
	ok, f := r.readFor(readAny)
	var model []value
	if f == nil {
		if !ok {
			return nil
		}
		model, f = c.object(c.e.root)
	}
	if f != nil {
		c.log(f, nil)
		return nil
	}
	return model
}

// log records a fault under the reader's path: model, model.A or model[0]. field
// is the field at fault, nil when it is the body as a whole.
func (c *call) log(f *fault, field *fieldPlan) {
	c.key = append(c.key[:0], c.e.profile.ParameterName...)
	mark := len(c.key)
	c.key = c.r.appendPath(append(c.key, '.'))
	switch {
	case len(c.key) == mark+1:
		c.key = c.key[:mark]
	case c.key[mark+1] == '[':
		c.key = append(c.key[:mark], c.key[mark+1:]...)
	}
	c.errs.exception(c.key, f.message)
	c.violated(f.why, field)
}

// serialization makes the fault of a JsonSerializationException; it reads like
// the reader's own.
func (c *call) serialization(why faultKind, message ...string) *fault {
	return c.r.fail(why, message...)
}

// object reads a value of a model's type from the current token on. nil without
// a fault is null.
func (c *call) object(m *modelPlan) ([]value, *fault) {
	r := &c.r
	for {
		switch r.tok {
		case tokenStartObject:
			return c.startObject(m)
		case tokenStartArray:
			return nil, c.wrongContainer("array", m.name, modelShape)
		case tokenComment:
			if ok, f := r.read(); f != nil {
				return nil, f
			} else if !ok {
				return nil, c.serialization(faultEnd, "Unexpected end when deserializing object.")
			}
			continue
		case tokenNull, tokenUndefined:
			return nil, nil
		case tokenString:
			if len(r.val.text) == 0 {
				return nil, nil
			}
			return nil, c.notConverted(m.name)
		case tokenInteger, tokenFloat, tokenBoolean, tokenDate, tokenStartConstructor:
			return nil, c.notConverted(m.name)
		}
		return nil, c.serialization(faultPosition, "Unexpected token while deserializing object: ", r.tok.String())
	}
}

// What Json.NET calls the three shapes of a type in its advice.
const (
	modelShape     = `JSON object (e.g. {"name":"value"})`
	listShape      = `JSON array (e.g. [1,2,3])`
	primitiveShape = `JSON primitive value (e.g. string, number, boolean, null)`
)

func (c *call) notConverted(typeName string) *fault {
	if !c.r.detail {
		return c.r.fail(faultConvert)
	}
	return c.serialization(faultConvert, "Error converting value ", c.r.val.describe(), " to type '", typeName, "'.")
}

// wrongContainer is the rejection of an object or array where the type is none.
func (c *call) wrongContainer(got, typeName, shape string) *fault {
	if !c.r.detail {
		return c.r.fail(faultConvert)
	}
	advice := "Cannot deserialize the current JSON "
	if got == "array" {
		advice += "array (e.g. [1,2,3])"
	} else {
		advice += `object (e.g. {"name":"value"})`
	}
	advice += " into type '" + typeName + "' because the type requires a " + shape + " to deserialize correctly.\n" +
		"To fix this error either change the JSON to a " + shape + " or change the deserialized type "
	if got == "array" {
		advice += "to an array or a type that implements a collection interface (e.g. ICollection, IList) like " +
			"List<T> that can be deserialized from a JSON array. JsonArrayAttribute can also be added to the type " +
			"to force it to deserialize from a JSON array.\n"
	} else {
		advice += "so that it is a normal .NET type (e.g. not a primitive type like integer, not a collection type " +
			"like an array or List<T>) that can be deserialized from a JSON object. JsonObjectAttribute can also " +
			"be added to the type to force it to deserialize from a JSON object.\n"
	}
	return c.serialization(faultConvert, advice)
}

func (c *call) mustRead() *fault {
	ok, f := c.r.read()
	if f == nil && !ok {
		f = c.serialization(faultEnd, "Unexpected end when reading JSON.")
	}
	return f
}

// startObject reads an object into a model from its StartObject token on.
func (c *call) startObject(m *modelPlan) ([]value, *fault) {
	if f := c.mustRead(); f != nil {
		return nil, f
	}
	meta, f := c.metadata(m, nil)
	if f != nil || meta.done {
		return meta.model, f
	}
	model := c.newValues(len(m.fields))
	return model, c.populate(m, model, meta.id)
}

// populate reads fields up to the end of the object. It returns the faults
// that were caught nowhere in it.
func (c *call) populate(m *modelPlan, model []value, id string) *fault {
	r := &c.r
	if id != "" {
		if _, taken := c.references[id]; taken {
			return c.serialization(faultReference, "Error reading object reference '", id, "'.")
		}
		if c.references == nil {
			c.references = map[string]reference{}
		}
		c.references[id] = reference{m, model}
	}
	depth := r.depth()
	expected := 0
	finished := false
	for !finished {
		switch r.tok {
		case tokenPropertyName:
			i := m.find(r.val.text, expected)
			var field *fieldPlan
			var f *fault
			if i < 0 {
				if len(c.unknown) < MaxUnknown {
					c.unlisted(m, c.pointer(""), string(r.val.text))
				}
				var ok bool
				if ok, f = r.read(); ok && f == nil {
					f = r.skip()
				}
			} else {
				expected = i + 1
				field = &m.fields[i]
				f = c.known(field, &model[i])
			}
			if f != nil {
				c.log(f, field)
				if f := c.recover(depth); f != nil {
					return f
				}
			}
		case tokenEndObject:
			finished = true
			continue
		case tokenComment:
		default:
			return c.serialization(faultPosition, "Unexpected token when deserializing object: ", r.tok.String())
		}
		ok, f := r.read()
		if f != nil {
			return f
		}
		if !ok {
			break
		}
	}
	if !finished {
		c.log(c.serialization(faultEnd, "Unexpected end when deserializing object."), nil)
		c.unclosed = depth
		defer func() { c.unclosed = 0 }()
	}
	for i := range m.fields {
		field := &m.fields[i]
		if field.requiredByReader && !model[i].seen {
			c.log(c.serialization(faultMissing, "Required property '", field.name, "' not found in JSON."), field)
			if f := c.recover(depth); f != nil {
				return f
			}
		}
	}
	return nil
}

// recover skips what is left of the value at fault.
func (c *call) recover(depth int) *fault {
	r := &c.r
	if f := r.skip(); f != nil {
		return f
	}
	for r.depth() > depth {
		if ok, f := r.read(); f != nil || !ok {
			return f
		}
	}
	return nil
}

// known reads the value of one known field.
func (c *call) known(field *fieldPlan, v *value) *fault {
	r := &c.r
	ok, f := r.readFor(field.as())
	if f != nil {
		return f
	}
	if !ok {
		return c.serialization(faultEnd, "Unexpected end when setting ", string(r.here.name), "'s value.")
	}
	v.seen = true
	if field.list != nil {
		return c.list(field, v)
	}
	return c.scalar(field, v)
}

// scalar converts the current token for a field of a simple type.
func (c *call) scalar(field *fieldPlan, v *value) *fault {
	r := &c.r
	for {
		switch r.tok {
		case tokenStartObject:
			if f := c.mustRead(); f != nil {
				return f
			}
			return c.wrapped(field, v)
		case tokenStartArray:
			return c.wrongContainer("array", field.typeName, field.shape)
		case tokenNull, tokenUndefined:
			if !field.nullable {
				return c.notConverted(field.typeName)
			}
			v.clear()
			return nil
		case tokenString, tokenStartConstructor:
			if r.tok == tokenString && len(r.val.text) == 0 && field.as() != readString && field.nullable {
				v.clear()
				return nil
			}
			fallthrough
		case tokenInteger, tokenFloat, tokenDate, tokenBoolean:
			if !field.conversion.fromToken(v, r.tok, &r.val) {
				return c.notConverted(field.typeName)
			}
			return nil
		case tokenComment:
			if ok, f := r.read(); f != nil {
				return f
			} else if !ok {
				return c.serialization(faultEnd, "Unexpected end when deserializing object.")
			}
		default:
			return c.serialization(faultPosition, "Unexpected token while deserializing object: ", r.tok.String())
		}
	}
}

// wrapped reads an object where a simple value should stand: {"$value": …} is
// taken, anything else is not.
func (c *call) wrapped(field *fieldPlan, v *value) *fault {
	r := &c.r
	meta, f := c.metadata(&modelPlan{name: field.typeName}, nil)
	if f != nil {
		return f
	}
	if meta.done {
		if !field.nullable {
			c.r.exc = fault{
				why:     faultReference,
				message: "Error setting value to '" + field.name + "' on '" + c.e.root.name + "'.",
			}
			return &c.r.exc
		}
		v.clear()
		return nil
	}
	if field.shape == primitiveShape && r.tok == tokenPropertyName && bytes.Equal(r.val.text, []byte("$value")) {
		if f := c.mustRead(); f != nil {
			return f
		}
		if r.tok == tokenStartObject {
			return c.serialization(faultConvert, "Unexpected token when deserializing primitive value: ",
				r.tok.String())
		}
		if f := c.scalar(field, v); f != nil {
			return f
		}
		return c.mustRead()
	}
	return c.wrongContainer("object", field.typeName, field.shape)
}
