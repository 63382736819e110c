package webapi

import (
	"strconv"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/webapi/dotnet"
)

// validator checks one annotation of a field of a bound model.
type validator struct {
	constraint *contracts.Constraint
	check      func(c *call, f *fieldPlan, by *contracts.Constraint, v *value) bool
}

// validatorsOf are the DataAnnotations validators of a field, in the page's order;
// the framework's own order differs from start to start. Required on a value type
// that is not nullable is the JSON reader's.
func validatorsOf(f *contracts.Field) (all []validator) {
	checks := map[contracts.ConstraintKind]func(*call, *fieldPlan, *contracts.Constraint, *value) bool{
		contracts.ConstraintRequired: checkRequired,
		contracts.ConstraintLength:   checkLength,
	}
	for i := range f.Constraints {
		by := &f.Constraints[i]
		if by.Kind != contracts.ConstraintRequired || f.Type.Nullable {
			all = append(all, validator{by, checks[by.Kind]})
		}
	}
	return all
}

// validate is the DataAnnotations validator on a bound model, elements of lists first. A
// list of which one is invalid is not validated itself, and null is no element to
// validate. It reports whether the model is valid.
func (c *call) validate(m *modelPlan, model []value) bool {
	valid := true
	for i := range m.fields {
		f := &m.fields[i]
		if f.list != nil && f.list.validated && !c.validateElements(f, &model[i]) {
			valid = false
			continue
		}
		for _, v := range f.validators {
			valid = v.check(c, f, v.constraint, &model[i]) && valid
		}
	}
	return valid
}

func (c *call) validateElements(f *fieldPlan, v *value) bool {
	valid := true
	depth := len(c.under)
	for i, element := range v.items {
		if element == nil || !v.present || c.errs.full {
			continue
		}
		c.under = append(c.under, listIndex{f.name, i})
		valid = c.validate(f.list, element) && valid
		c.under = c.under[:depth]
	}
	return valid
}

// listIndex is an element that is validated, of a list.
type listIndex struct {
	list  string
	index int
}

// checkRequired is RequiredAttribute.
func checkRequired(c *call, f *fieldPlan, by *contracts.Constraint, v *value) bool {
	found := "blank text"
	switch {
	case !v.seen:
		found = FoundNothing
	case !v.present:
		found = "null"
	case f.conversion != &stringConversion || !dotnet.IsBlank(v.text):
		return true
	}
	c.invalid(f, FieldRequired(f.name))
	c.violate(c.e.broken(f.rule(contracts.RuleRequired), by.Fact, c.validatedPointer(f), found))
	return false
}

// checkLength is StringLengthAttribute. Null passes.
func checkLength(c *call, f *fieldPlan, by *contracts.Constraint, v *value) bool {
	if !v.present || len(v.text) <= by.Max && by.Min == 0 {
		return true // no more UTF-16 units than bytes
	}
	n := dotnet.UTF16Length(v.text)
	if n >= by.Min && n <= by.Max {
		return true
	}
	c.invalid(f, WrongLength(f.name, by))
	limit := strconv.Itoa(by.Max)
	if n < by.Min {
		limit = "at least " + strconv.Itoa(by.Min)
	}
	c.violate(c.e.broken(f.rule(contracts.RuleLength), by.Fact, c.validatedPointer(f),
		strconv.Itoa(n)+" of "+limit+" characters"))
	return false
}

func (c *call) invalid(f *fieldPlan, message string) {
	c.key = append(c.key[:0], c.e.profile.ParameterName...)
	for _, at := range c.under {
		c.key = append(append(append(c.key, '.'), at.list...), '[')
		c.key = append(strconv.AppendInt(c.key, int64(at.index), 10), ']')
	}
	c.key = append(append(c.key, '.'), f.name...)
	c.errs.message(c.key, message)
}

// validatedPointer is the JSON pointer to a field that is validated.
func (c *call) validatedPointer(f *fieldPlan) string {
	pointer := ""
	for _, at := range c.under {
		pointer += "/" + at.list + "/" + strconv.Itoa(at.index)
	}
	return pointer + "/" + f.name
}
