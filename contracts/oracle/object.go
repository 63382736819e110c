package oracle

import (
	"github.com/seed47566266/understudy/contracts"
)

// largeBody is the length in bytes from which servers differ in what they accept.
const largeBody = 512 << 10

// readBody reads the value of a body of a length in bytes.
func (o *Oracle) readBody(value *jsonValue, length int, found *findings) Expectation {
	line := o.operation.Model().Fact.Line
	if value.kind != isObject {
		return reject(ruleBody, line, "the body is "+o.operation.Model().Name+" itself")
	}
	e := mostSevere(o.readObject(o.model, value, ruleBody, line, found), o.readTogether(found.values))
	if length > largeBody {
		e = mostSevere(e, Unspecified(ruleHTTP, 0, "how large a body may be is the server's choice"))
	}
	return e
}

// readObject reads the members of an object of a model; rule and line are those of
// what it is.
func (o *Oracle) readObject(
	m *modelPlan,
	value *jsonValue,
	rule contracts.RuleID,
	line int,
	found *findings,
) Expectation {
	e := o.accept()
	count := map[*fieldPlan]int{}
	for _, x := range value.members {
		if f := m.field(x.name); f != nil {
			count[f]++
		}
	}
	repeated := false
	for _, x := range value.members {
		f := m.field(x.name)
		if f == nil {
			e = mostSevere(e, Unspecified(rule, line, "the page does not say what an unknown field is"))
			continue
		}
		if f.Name != x.name {
			// Who minds the case does not look at the value.
			e = mostSevere(e, f.unspecified("the page does not say whether case matters in names"))
			continue
		}
		if count[f] > 1 {
			repeated = true
			continue
		}
		read := o.readField(f, x.value, found)
		found.note(f, read, x.value.kind == isNull, x.value.text)
		e = mostSevere(e, read)
	}
	missing := m.missing(func(f *fieldPlan) bool { return count[f] > 0 }, found)
	if missing != nil {
		return missing.missing()
	}
	if repeated {
		// Which of the values counts is open, so that only the rest can decide.
		e = mostSevere(e, Unspecified(ruleJSON, 0, "a duplicate name is unpredictable (RFC 8259, section 4)"))
	}
	return e
}

// missing is the first required field of a model that is not there; nil if there is
// none.
func (m *modelPlan) missing(has func(*fieldPlan) bool, found *findings) (first *fieldPlan) {
	for i := range m.fields {
		if f := &m.fields[i]; f.required != nil && !has(f) {
			add(&found.breaks, f.rule(contracts.RuleRequired))
			if first == nil {
				first = f
			}
		}
	}
	return first
}

// readField reads the value of one field.
func (o *Oracle) readField(f *fieldPlan, v *jsonValue, found *findings) Expectation {
	switch v.kind {
	case isNull:
		return o.readNull(f)
	case isOther:
		switch {
		case v.text == "hole" && f.required != nil:
			return f.missing()
		case v.isNotFinite() && f.Type.Kind != contracts.KindString:
			return f.wrongType() // no reading of it is a value of the type
		}
		return Unspecified(ruleJSON, 0, "it is not JSON, but an extension that a parser may accept")
	}
	if f.elements != nil {
		return o.readList(f, v, found)
	}
	return f.reading.json(o, f, v)
}

func (o *Oracle) readNull(f *fieldPlan) Expectation {
	switch {
	case f.required != nil:
		return f.missing()
	case f.Type.NullableOpen:
		return Unspecified(f.rule(contracts.RuleNullable), f.Type.NullableFact.Line,
			"the page does not show whether null is a value: "+f.Type.NullableFact.Because)
	case f.Type.Nullable && f.Type.NullableFact.Source == contracts.SourceInferred:
		return o.accept().WithLatitude("that null is allowed is inferred: " + f.Type.NullableFact.Because)
	case f.Type.Nullable:
		return o.accept()
	}
	return Unspecified(f.rule(contracts.RuleNullable), f.Type.NullableFact.Line,
		"null may stand for nothing, and the type does not admit it")
}
