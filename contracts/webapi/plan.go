package webapi

import (
	"fmt"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/webapi/dotnet"
)

// modelPlan is a model prepared for binding.
type modelPlan struct {
	fact   *contracts.Model
	name   string
	fields []fieldPlan
	index  map[string]int // by exact name
	// validated marks a model of which a field has a validator, at any depth.
	validated bool
}

// fieldPlan is a field prepared for binding.
type fieldPlan struct {
	fact     *contracts.Field
	name     string
	path     contracts.Path
	jsonName string // `"Reason":`
	nullable bool
	typeName string // as .NET prints it
	shape    string // what Json.NET says the type needs
	// conversion reads and writes a simple value; nil for a list.
	conversion *conversion
	list       *modelPlan // of the elements; nil for a simple value
	// requiredByReader marks required value types: their lack is the JSON reader's
	// error; that of everything else is the validator's.
	requiredByReader bool
	validators       []validator
}

// conversion is how the framework reads and writes the values of a kind. Each kind
// has a file of its own.
type conversion struct {
	// as is what the JSON reader is asked for.
	as readAs
	// fromToken takes the value of a token; false if the type does not match.
	fromToken func(v *value, t token, from *tokenValue) bool
	// fromText takes a value of a form, which is not blank and has no white space
	// around it, unless keepsSpace.
	fromText func(v *value, text []byte, zone *dotnet.TimeZone) dotnet.Result
	// keepsSpace marks text, whose white space counts.
	keepsSpace bool
	// write appends the value as JSON.
	write func(out []byte, v *value, zone *dotnet.TimeZone) []byte
}

func (f *fieldPlan) as() readAs {
	if f.conversion == nil {
		return readAny
	}
	return f.conversion.as
}

// planModel prepares a model. It fails for a type that has no conversion, and for an
// annotation that has no validator.
func planModel(m *contracts.Model, at contracts.Path) (*modelPlan, error) {
	conversions := map[contracts.Kind]*conversion{
		contracts.KindGUID:    &guidConversion,
		contracts.KindDate:    &dateConversion,
		contracts.KindString:  &stringConversion,
		contracts.KindDecimal: &decimalConversion,
		contracts.KindInteger: &integerConversion,
	}
	plan := &modelPlan{fact: m, name: m.Name, index: map[string]int{}}
	for i := range m.Fields {
		f := &m.Fields[i]
		p := fieldPlan{
			fact: f, name: f.Name, path: at.Field(f.Name), jsonName: `"` + f.Name + `":`, nullable: f.Type.Nullable,
			typeName: f.Type.Kind.DotNet(), shape: primitiveShape, conversion: conversions[f.Type.Kind],
		}
		if elements := f.Elements(); elements != nil {
			var err error
			if p.list, err = planModel(elements, p.path.Element()); err != nil {
				return nil, err
			}
			p.shape = listShape
			p.typeName += "[" + elements.Name + "]"
		}
		if p.nullable && !f.Type.Kind.IsReference() {
			p.typeName = "System.Nullable`1[" + p.typeName + "]"
		}
		p.requiredByReader = f.Required() != nil && !p.nullable
		if p.conversion == nil && p.list == nil {
			return nil, fmt.Errorf("%s is %s: only single values and lists of models are read", p.path, f.Type.Word())
		}
		for _, v := range validatorsOf(f) {
			if v.check == nil {
				return nil, fmt.Errorf("the annotation %s of %s has no validator", v.constraint.Kind, p.path)
			}
			p.validators = append(p.validators, v)
		}
		plan.validated = plan.validated || len(p.validators) > 0 || p.list != nil && p.list.validated
		plan.fields = append(plan.fields, p)
		plan.index[f.Name] = i
	}
	return plan, nil
}

func (f *fieldPlan) rule(kind contracts.RuleKind) contracts.RuleID {
	return contracts.RuleID{Path: f.path, Kind: kind}
}

// find is the field that a name stands for, -1 if none: an exact match first, then
// one without regard to case. expected is where the page's order would have it.
func (m *modelPlan) find(name []byte, expected int) int {
	if expected < len(m.fields) && string(name) == m.fields[expected].name {
		return expected
	}
	if i, ok := m.index[string(name)]; ok {
		return i
	}
	for i := range m.fields {
		if equalFoldASCII(name, m.fields[i].name) {
			return i
		}
	}
	return -1
}

// equalFoldASCII compares without regard to the case of ASCII letters, which is
// all that .NET's ordinal comparison folds onto a name of ASCII letters.
func equalFoldASCII(a []byte, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := 0; i < len(a); i++ {
		if lowerASCII(a[i]) != lowerASCII(b[i]) {
			return false
		}
	}
	return true
}

func lowerASCII(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
