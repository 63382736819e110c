package oracle

import "github.com/seed47566266/understudy/contracts"

// fewElements is what a server accepts unless it bounds its lists; manyElements is
// where servers begin to differ.
const fewElements, manyElements = 100, 1000

const metadataBasis = "a name that begins with $ may be the serializer's own"

// isMetadata reports an object that begins with a name of a serializer's own.
func (v *jsonValue) isMetadata() bool {
	return v.kind == isObject && len(v.members) > 0 && len(v.members[0].name) > 0 && v.members[0].name[0] == '$'
}

// readList reads the value of a list.
func (o *Oracle) readList(f *fieldPlan, v *jsonValue, found *findings) Expectation {
	if v.kind == isString && v.text == "" && f.required == nil {
		return f.unspecified("an empty string may stand for nothing")
	}
	if v.isMetadata() {
		return f.unspecified(metadataBasis)
	}
	if v.kind != isArray {
		return f.impossible(f.Name + " is " + f.Type.Kind.Admits())
	}
	e := o.accept()
	switch n := len(v.elements); {
	case n > manyElements:
		e = f.unspecified("the page does not bound the list, but servers do")
	case n > fewElements:
		e = e.WithLatitude("the page does not bound the list, but a server may")
	}
	for _, x := range v.elements {
		switch {
		case x.kind == isNull || x.kind == isOther:
			e = mostSevere(e, f.unspecified("the page does not say whether an element may be null"))
		case x.kind == isString && x.text == "":
			e = mostSevere(e, f.unspecified("an empty string may stand for nothing"))
		case x.isMetadata():
			e = mostSevere(e, f.unspecified(metadataBasis))
		case x.kind != isObject:
			return f.impossible("an element is an object")
		default:
			element := o.readObject(f.elements, x, f.rule(contracts.RuleType), f.Type.Fact.Line, found)
			if len(x.members) < len(f.elements.fields) {
				element = mostSevere(element,
					f.unspecified("the page does not say which fields of an element are required"))
			}
			e = mostSevere(e, element)
		}
	}
	return e
}
