package oracle

import (
	"fmt"
	"strings"
	"unicode"

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
	if f.length != nil && (n < f.length.Min || n > f.length.Max) {
		return reject(f.rule(contracts.RuleLength), f.length.Fact.Line,
			fmt.Sprintf("its length is %d, not %d to %d UTF-16 units", n, f.length.Min, f.length.Max))
	}
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
