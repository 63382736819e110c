package webapi

import (
	"strconv"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/webapi/dotnet"
)

// validator checks one annotation of a field of a bound model.
type validator struct {
	constraint *contracts.Constraint
	check      func(c *call, f *fieldPlan, by *contracts.Constraint, v *value)
}

// validatorsOf are the DataAnnotations validators of a field, in the page's order;
// the framework's own order differs from start to start. Required on a value type
// that is not nullable is the JSON reader's.
func validatorsOf(f *contracts.Field) (all []validator) {
	checks := map[contracts.ConstraintKind]func(*call, *fieldPlan, *contracts.Constraint, *value){
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

// validate is the DataAnnotations validator on a bound model. The elements of lists
// have no annotations that a page shows.
func (c *call) validate(m *modelPlan, model []value) {
	for i := range m.fields {
		f := &m.fields[i]
		for _, v := range f.validators {
			v.check(c, f, v.constraint, &model[i])
		}
	}
}

// checkRequired is RequiredAttribute.
func checkRequired(c *call, f *fieldPlan, by *contracts.Constraint, v *value) {
	found := "blank text"
	switch {
	case !v.seen:
		found = "nothing"
	case !v.present:
		found = "null"
	case f.conversion != &stringConversion || !dotnet.IsBlank(v.text):
		return
	}
	c.invalid(f, "The "+f.name+" field is required.")
	c.violate(c.e.broken(f.rule(contracts.RuleRequired), by.Fact, "/"+f.name, found))
}

// checkLength is StringLengthAttribute. Null passes.
func checkLength(c *call, f *fieldPlan, by *contracts.Constraint, v *value) {
	if !v.present || len(v.text) <= by.Max && by.Min == 0 {
		return // no more UTF-16 units than bytes
	}
	n := dotnet.UTF16Length(v.text)
	if n >= by.Min && n <= by.Max {
		return
	}
	message := "The field " + f.name + " must be a string with a maximum length of " + strconv.Itoa(by.Max) + "."
	if by.Min > 0 {
		message = "The field " + f.name + " must be a string with a minimum length of " + strconv.Itoa(by.Min) +
			" and a maximum length of " + strconv.Itoa(by.Max) + "."
	}
	c.invalid(f, message)
	c.violate(c.e.broken(f.rule(contracts.RuleLength), by.Fact, "/"+f.name, strconv.Itoa(n)+" UTF-16 units"))
}

func (c *call) invalid(f *fieldPlan, message string) {
	c.key = append(c.key[:0], c.e.profile.ParameterName...)
	c.key = append(append(c.key, '.'), f.name...)
	c.errs.message(c.key, message)
}
