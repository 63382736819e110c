package webapi

// appendModel writes Ok(model): every field in the page's order.
func (c *call) appendModel(out []byte, m *modelPlan, model []value) []byte {
	out = append(out, '{')
	first := true
	for i := range m.fields {
		f, v := &m.fields[i], &model[i]
		if c.onlyGiven && !v.seen {
			continue
		}
		if !first {
			out = append(out, ',')
		}
		first = false
		out = append(out, f.jsonName...)
		switch {
		case !v.present && f.nullable:
			out = append(out, "null"...)
		case f.list != nil:
			out = c.appendList(out, f.list, v.items)
		default:
			out = f.conversion.write(out, v, c.e.zone)
		}
		if c.full {
			return out
		}
	}
	return append(out, '}')
}

func (c *call) appendList(out []byte, m *modelPlan, items [][]value) []byte {
	out = append(out, '[')
	for i, element := range items {
		if i > 0 {
			out = append(out, ',')
		}
		if len(out) > c.limit {
			c.full = true
			return out
		}
		if element == nil {
			out = append(out, "null"...)
			continue
		}
		out = c.appendModel(out, m, element)
	}
	return append(out, ']')
}
