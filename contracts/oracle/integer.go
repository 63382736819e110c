package oracle

import (
	"math/big"
	"strings"
)

func readJSONInteger(o *Oracle, f *fieldPlan, v *jsonValue) Expectation {
	switch v.kind {
	case isNumber:
		return o.readInteger(f, v.text)
	case isBool:
		return f.unspecified("some servers accept a boolean for 0 or 1")
	case isString:
		if e := f.numberInString(v.text); e.Outcome == OutcomeReject || strings.TrimSpace(v.text) == "" {
			return e
		}
		if e := o.readInteger(f, strings.Trim(strings.ReplaceAll(v.text, ",", ""), " +")); e.Outcome == OutcomeReject {
			return e
		}
		return f.unspecified("some servers accept a number in a string")
	}
	return f.wrongType()
}

func readFormInteger(o *Oracle, f *fieldPlan, s string) Expectation {
	if !isStrictNumber(s) {
		return f.numberInForm(s)
	}
	return o.readInteger(f, s)
}

func (o *Oracle) readInteger(f *fieldPlan, s string) Expectation {
	wrong := f.wrongType()
	tooLarge := wrong.WithLatitude("the page's words state no size of an integer")
	if strings.HasPrefix(strings.ToLower(s), "0x") {
		return f.unspecified("it is not JSON, but an extension that a parser may take")
	}
	if strings.ContainsAny(s, ".eE") {
		if _, exponent, _ := strings.Cut(strings.ToLower(s), "e"); len(exponent) > 4 {
			return tooLarge
		}
		r, ok := new(big.Rat).SetString(s)
		if !ok || !r.IsInt() {
			return wrong
		}
		if !r.Num().IsInt64() {
			return tooLarge
		}
		return f.unspecified("it is a whole number in value, though not in form")
	}
	const digits = 30 // more than 64 bits have
	if len(s) > digits && strings.Trim(s, "0123456789-+") == "" {
		return tooLarge
	}
	n, ok := new(big.Int).SetString(s, 10)
	switch {
	case !ok:
		return wrong
	case !n.IsInt64():
		return tooLarge
	case n.Int64() > 1<<31-1 || n.Int64() < -1<<31:
		return f.unspecified("the page's word for an integer does not tell 32 bits from 64")
	case n.Sign() < 0:
		return f.unspecified("the page states no range; a key below zero may be rejected")
	}
	return o.accept()
}
