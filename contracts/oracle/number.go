package oracle

import (
	"regexp"
	"strings"
)

var numberLike = regexp.MustCompile(`^\s*[-+(]?\s*[.,]?[0-9][0-9.,]*([eE][-+]?[0-9]*)?\s*[)+-]?\s*$`)

// numberInString reads a string where a number is expected.
func (f *fieldPlan) numberInString(s string) Expectation {
	switch {
	case strings.TrimSpace(s) == "":
		return f.blank()
	case numberLike.MatchString(s):
		return f.unspecified("some servers accept a number in a string")
	}
	return f.wrongType()
}

// numberInForm reads a value of a form that is not a number by the grammar of JSON.
func (f *fieldPlan) numberInForm(s string) Expectation {
	e := f.numberInString(s)
	if e.Outcome == OutcomeReject && s == "null" && f.required == nil {
		return e.WithLatitude("a form has no null, and some servers accept the word for it")
	}
	return e
}
