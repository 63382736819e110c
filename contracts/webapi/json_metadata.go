package webapi

// metadata is what the names that begin with $ say of an object.
type metadata struct {
	id     string
	done   bool    // the value is there already, by $ref or $values
	model  []value // what a $ref stands for; nil is null
	isList bool    // $values filled the list
}

// metadata reads $ref, $id, $type and $values, which count only in front of an
// object's other fields. A type that is not a list cannot take $values.
func (c *call) metadata(m *modelPlan, list *value) (meta metadata, f *fault) {
	r := &c.r
	for r.tok == tokenPropertyName && len(r.val.text) > 0 && r.val.text[0] == '$' {
		switch name := string(r.val.text); name {
		case "$ref":
			if f := c.mustRead(); f != nil {
				return meta, f
			}
			if r.tok != tokenString && r.tok != tokenNull {
				return meta, c.serialization(faultReference,
					"JSON reference $ref property must have a string or null value.")
			}
			given, reference := r.tok == tokenString, r.val.text
			if f := c.mustRead(); f != nil {
				return meta, f
			}
			if given {
				if r.tok == tokenPropertyName {
					return meta, c.serialization(
						faultReference,
						"Additional content found in JSON reference object. A JSON reference object should only "+
							"have a $ref property.",
					)
				}
				meta.done = true
				if target, found := c.references[string(reference)]; found && target.plan == m {
					meta.model = target.model
				}
				return meta, nil
			}
		case "$type":
			if f := c.mustRead(); f != nil {
				return meta, f
			}
			if f := c.mustRead(); f != nil {
				return meta, f
			}
		case "$id":
			if f := c.mustRead(); f != nil {
				return meta, f
			}
			switch r.val.kind {
			case valueText:
				meta.id = string(r.val.text)
			case valueNull:
				meta.id = ""
			default:
				meta.id = r.val.describe()
			}
			if f := c.mustRead(); f != nil {
				return meta, f
			}
		case "$values":
			if f := c.mustRead(); f != nil {
				return meta, f
			}
			if list == nil {
				return meta, c.wrongContainer("array", m.name, modelShape)
			}
			if f := c.elements(m, list); f != nil {
				return meta, f
			}
			if f := c.mustRead(); f != nil {
				return meta, f
			}
			meta.done, meta.isList = true, true
			return meta, nil
		default:
			return meta, nil
		}
	}
	return meta, nil
}

// reference is an object that a later $ref may name.
type reference struct {
	plan  *modelPlan
	model []value
}
