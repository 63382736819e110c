package oracle

import (
	"math/big"
	"strconv"
	"strings"
)

// doubleDigits is how many decimal digits any double holds.
const doubleDigits = 15

var decimalLimit = new(big.Float).SetInt(new(big.Int).Lsh(big.NewInt(1), 96))

func readJSONDecimal(o *Oracle, f *fieldPlan, v *jsonValue) Expectation {
	switch v.kind {
	case isNumber:
		return o.readDecimal(f, v.text)
	case isBool:
		return f.unspecified("some servers accept a boolean for 0 or 1")
	case isString:
		return f.numberInString(v.text)
	}
	return f.wrongType()
}

func readFormDecimal(o *Oracle, f *fieldPlan, s string) Expectation {
	if !isStrictNumber(s) {
		return f.numberInForm(s)
	}
	e := o.readDecimal(f, s)
	if e.Outcome == OutcomeAccept && strings.ContainsAny(s, "eE") {
		return e.WithLatitude("the page does not say how a form spells a number")
	}
	return e
}

func (o *Oracle) readDecimal(f *fieldPlan, s string) Expectation {
	tooLarge := f.impossible("it is larger than a decimal can be").
		WithLatitude("the page's words state no size of a decimal number")
	if strings.HasPrefix(strings.ToLower(s), "0x") {
		return f.unspecified("it is not JSON, but an extension that a parser may take")
	}
	mantissa, exponentText, hasExponent := strings.Cut(strings.ToLower(s), "e")
	exponent := 0
	if hasExponent {
		var err error
		if exponent, err = strconv.Atoi(exponentText); err != nil || exponent > 1000 || exponent < -1000 {
			if strings.HasPrefix(exponentText, "-") {
				return f.unspecified("it is too small for a decimal, which may make it 0")
			}
			if strings.Trim(mantissa, "-0.") == "" {
				return f.unspecified("it is zero with an exponent out of range")
			}
			return tooLarge
		}
	}
	whole, fraction, _ := strings.Cut(strings.TrimPrefix(mantissa, "-"), ".")
	significant := strings.TrimLeft(whole+fraction, "0")
	scale := len(fraction) - exponent
	if significant == "" {
		return o.accept()
	}
	if len(significant)-scale > 30 {
		return tooLarge
	}
	if value, _, err := big.ParseFloat(strings.TrimPrefix(s, "-"), 10, 400, big.ToNearestEven); err != nil ||
		value.Cmp(decimalLimit) >= 0 {
		return tooLarge
	}
	switch {
	case strings.HasPrefix(s, "-"):
		return f.unspecified("the page states no range; an amount below zero may be rejected")
	case scale > 28 || len(significant) > 28:
		return f.unspecified("a decimal holds 28 to 29 digits")
	case len(strings.TrimRight(significant, "0")) > doubleDigits, len(significant)-scale > doubleDigits:
		return o.accept().WithLatitude("a double holds 15 digits (RFC 8259, section 6), and many readers have no more")
	}
	return o.accept()
}
