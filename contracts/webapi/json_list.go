package webapi

// list converts the current token for a field that is a collection.
func (c *call) list(field *fieldPlan, v *value) *fault {
	r := &c.r
	switch r.tok {
	case tokenStartArray:
		return c.elements(field.list, v)
	case tokenStartObject:
		if f := c.mustRead(); f != nil {
			return f
		}
		meta, f := c.metadata(field.list, v)
		if f != nil {
			return f
		}
		if meta.isList {
			return nil
		}
		if meta.done {
			v.clear()
			return nil
		}
		return c.wrongContainer("object", field.typeName, listShape)
	case tokenNull, tokenUndefined:
		v.clear()
		return nil
	case tokenString:
		if len(r.val.text) == 0 {
			v.clear()
			return nil
		}
		return c.notConverted(field.typeName)
	case tokenInteger, tokenFloat, tokenBoolean, tokenDate, tokenStartConstructor:
		return c.notConverted(field.typeName)
	}
	return c.serialization(faultPosition, "Unexpected token while deserializing object: ", r.tok.String())
}

// elements appends the elements of an array to a collection; a field that is
// there twice has the elements of both.
func (c *call) elements(m *modelPlan, v *value) *fault {
	r := &c.r
	if r.tok != tokenStartArray {
		return c.notConverted(m.name)
	}
	list := v.items
	if !v.present {
		list = list[:0]
	}
	depth := r.depth()
	failedAt, failed := 0, false
	for {
		ok, f := r.readFor(readAny)
		if f == nil {
			if !ok {
				c.log(c.serialization(faultEnd, "Unexpected end when deserializing array."), nil)
				break
			}
			if r.tok == tokenEndArray {
				break
			}
			var element []value
			if element, f = c.object(m); f == nil {
				list = append(list, element)
				continue
			}
		}
		index := r.placeAt(depth).index
		c.log(f, nil)
		if f := c.recover(depth + 1); f != nil {
			v.keep(list)
			return f
		}
		if failed && failedAt == index {
			v.keep(list)
			return c.serialization(faultPosition, "Infinite loop detected from error handling.")
		}
		failedAt, failed = index, true
	}
	v.items, v.present = list, true
	return nil
}
