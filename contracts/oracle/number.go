package oracle

import (
	"regexp"
	"strings"
)

var numberLike = regexp.MustCompile(`^\s*[-+(]?\s*[.,]?[0-9][0-9.,]*([eE][-+]?[0-9]*)?\s*[)+-]?\s*$`)

var hexadecimal = regexp.MustCompile(`^\s*(?:0[xX]|#|&[hH])[0-9A-Fa-f]+\s*$`)

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
	switch bare := strings.TrimRight(s, "\x00"); {
	case hexadecimal.MatchString(s):
		return f.unspecified("converters of text read hexadecimal numbers too")
	case bare != s && numberLike.MatchString(bare):
		return f.unspecified("some readers end a text at NUL")
	}
	e := f.numberInString(s)
	if e.Outcome == OutcomeReject && s == "null" && f.required == nil {
		return e.WithLatitude("a form has no null, and some servers accept the word for it")
	}
	return e
}
