package webapi

import "strconv"

// appendModel writes Ok(model): every member in the page's order.
func (c *call) appendModel(out []byte, m *modelPlan, model []value) []byte {
	out = append(out, '{')
	for i := range m.fields {
		f, v := &m.fields[i], &model[i]
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, f.jsonName...)
		if !v.present && f.nullable {
			out = append(out, "null"...)
			continue
		}
		switch f.kind {
		case kindGUID:
			out = append(v.guid.append(append(out, '"')), '"')
		case kindDate:
			out = append(v.date.appendJSON(append(out, '"'), c.e.zone), '"')
		case kindString:
			out = append(appendEscaped(append(out, '"'), v.text, '"'), '"')
		case kindDecimal:
			out = v.dec.appendJSON(out)
		case kindInteger:
			out = strconv.AppendInt(out, int64(v.num), 10)
		case kindList:
			out = append(out, '[')
			for j, element := range v.items {
				if j > 0 {
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
				out = c.appendModel(out, f.list, element)
			}
			out = append(out, ']')
		}
	}
	return append(out, '}')
}
