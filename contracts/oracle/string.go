package oracle

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/seed47566266/understudy/contracts"
)

func readJSONString(o *Oracle, f *fieldPlan, v *jsonValue) Expectation {
	switch v.kind {
	case isString:
		return readString(o, f, v.text)
	case isNumber, isBool:
		return f.unspecified("some servers accept the text of a number or boolean for a string")
	}
	return f.wrongType()
}

// storedText is the length in UTF-16 units at which databases begin to differ:
// SQL Server's nvarchar holds 4,000.
const storedText = 4000

func readString(o *Oracle, f *fieldPlan, s string) Expectation {
	n := contracts.TextLength(s)
	if f.length == nil {
		return readText(o, f, s, n)
	}
	return mostSevere(o.readLength(f, s, n), readText(o, f, s, n))
}

// readLength holds a text of n UTF-16 units against the length that the page states,
// which does not say in what it counts.
func (o *Oracle) readLength(f *fieldPlan, s string, n int) Expectation {
	fits := func(n int) bool { return n >= f.length.Min && n <= f.length.Max }
	trimmed := strings.TrimFunc(s, func(r rune) bool { return unicode.IsSpace(r) || r == '\uFEFF' })
	e := o.accept()
	if !fits(n) {
		e = reject(f.rule(contracts.RuleLength), f.length.Fact.Line,
			fmt.Sprintf("its length is %d, not %d to %d UTF-16 units", n, f.length.Min, f.length.Max))
	}
	switch {
	case fits(utf8.RuneCountInString(s)) != fits(n):
		return e.WithLatitude("the page does not say what a character is, and code points give another length")
	case fits(contracts.TextLength(trimmed)) != fits(n), fits(utf8.RuneCountInString(trimmed)) != fits(n):
		return e.WithLatitude("a server may trim the text before it counts")
	}
	return e
}

func readText(o *Oracle, f *fieldPlan, s string, n int) Expectation {
	switch {
	case f.required != nil && strings.TrimFunc(s, unicode.IsSpace) == "":
		return Unspecified(f.rule(contracts.RuleRequired), f.required.Fact.Line,
			"Required may reject blank text that the length admits")
	case strings.ContainsRune(s, 0):
		return o.accept().WithLatitude("many data stores hold no NUL in text")
	case n > storedText && f.length == nil:
		return o.accept().WithLatitude("the page bounds no length, but storage does")
	}
	return o.accept()
}
