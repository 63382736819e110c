package webapi

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/seed47566266/understudy/contracts"
)

// Violation is one fact of the contract that a request broke.
type Violation struct {
	// Rule is the id of the contract's rule: "Reason/length", "method". Text
	// that is malformed JSON breaks "body".
	Rule contracts.RuleID `json:"rule"`
	// Pointer is the JSON pointer to the field; empty for the whole request. A name
	// that the page does not list is a question mark in it.
	Pointer string `json:"pointer"`
	// Line is the line of the page, from 1.
	Line int `json:"line"`
	// Source says whether the page states the fact or it was inferred.
	Source contracts.Source `json:"source"`
	// Quote is the page's own words on that line.
	Quote string `json:"quote"`
	// Found says what was there instead. It never holds the value of a field,
	// so that it can be logged where patients' data cannot.
	Found string `json:"found"`
}

// FoundNothing is what was found where a field is missing.
const FoundNothing = "nothing"

// MaxViolations is how many violations a response lists. A hostile body can break
// a fact in every element of a list; no one reads the thousandth.
const MaxViolations = 64

// String says the violation in one line.
func (v Violation) String() string {
	where := v.Pointer
	if where == "" {
		where = "request"
	}
	return where + " breaks " + v.Rule.String() + " (page line " + strconv.Itoa(v.Line) + "): found " + v.Found
}

// Brief says in a few words what is wrong and where, without the page: "Reason: missing".
func (v Violation) Brief() string {
	found := v.Found
	if v.Rule.Kind == contracts.RuleRequired && found == FoundNothing {
		found = "missing"
	}
	if v.Pointer == "" {
		return found
	}
	return strings.TrimPrefix(v.Pointer, "/") + ": " + found
}

func (e *Endpoint) broken(rule contracts.RuleID, fact contracts.Fact, pointer, found string) Violation {
	return Violation{
		Rule:    rule,
		Pointer: pointer,
		Line:    fact.Line,
		Source:  fact.Source,
		Quote:   fact.Quote,
		Found:   found,
	}
}

func (c *call) violate(v Violation) {
	c.broken++
	if len(c.violations) < MaxViolations {
		c.violations = append(c.violations, v)
	}
}

// violated records what a fault of the JSON reader means for the contract.
func (c *call) violated(why faultKind, field *fieldPlan) {
	if len(c.violations) == MaxViolations {
		c.broken++
		return
	}
	found := ""
	switch why {
	case faultSyntax:
		found = "malformed JSON"
	case faultEnd:
		found = "the end of the text"
	case faultDepth:
		found = "more than " + strconv.Itoa(maxDepth-1) + " levels"
	case faultEncoding:
		found = "bytes invalid in the declared charset"
	case faultMissing:
		c.violate(
			c.e.broken(field.rule(contracts.RuleRequired), field.fact.Required().Fact, c.pointer(field.name),
				FoundNothing),
		)
		return
	case faultReference:
		found = "a reference of Json.NET"
	case faultPosition:
		found = "a value where none is allowed"
	case faultConvert:
		found = c.r.tok.article()
	}
	if field == nil || why == faultDepth || why == faultEncoding {
		c.violate(
			c.e.broken(contracts.RuleID{Kind: contracts.RuleBody}, c.e.operation.Model().Fact, c.pointer(""), found),
		)
		return
	}
	rule, fact := field.rule(contracts.RuleType), field.fact.Type.Fact
	if why == faultConvert && (c.r.tok == tokenNull || c.r.tok == tokenUndefined) {
		rule, fact = field.rule(contracts.RuleNullable), field.fact.Type.NullableFact
	}
	c.violate(c.e.broken(rule, fact, c.pointer(""), found))
}

// maxPointerSteps bounds a pointer: what lies deeper is not a field of a page, and a
// hostile body can go as deep as it is long.
const maxPointerSteps = 8

// unknownName stands in a pointer for a name that the page does not list. It is the
// client's own text, may be anyone's name, and goes into no header and no log.
const unknownName = "?"

// pointer is the JSON pointer to where the reader stands, and to a field there;
// it ends in "…" where that is too deep to be said.
func (c *call) pointer(field string) string {
	var b strings.Builder
	model := c.e.operation.Model()
	write := func(p *place) {
		b.WriteByte('/')
		switch {
		case p.in != inObject:
			b.WriteString(strconv.Itoa(max(p.index, 0)))
			return
		case model != nil && model.Field(string(p.name)) != nil:
			f := model.Field(string(p.name))
			b.Write(p.name) // in the case that was sent
			model = f.Elements()
			return
		}
		b.WriteString(unknownName)
		model = nil
	}
	r := &c.r
	around, isInside := r.stack, false
	if c.unclosed > 0 { // the reader stands in the object, and at whatever came last there
		around, isInside = around[:min(len(around), c.unclosed-1)], true
	}
	if r.here.in != inNone {
		for i := range around {
			if i == maxPointerSteps {
				return b.String() + "/…"
			}
			write(&around[i])
		}
		if !isInside && r.state != stateArrayStart && r.state != stateConstructorStart && r.state != stateObjectStart {
			write(&r.here)
		}
	}
	if field != "" {
		b.WriteString("/" + field)
	}
	return b.String()
}

// printable makes foreign text fit for a log line: no control characters, at
// most 64 bytes.
func printable(s string) string {
	if len(s) > 64 {
		cut := 64
		for cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut] + "…"
	}
	return strings.Map(func(u rune) rune {
		if u < ' ' || u == 0x7F || u == utf8.RuneError || u >= 0x80 && u < 0xA0 || u == 0x2028 || u == 0x2029 {
			return '?'
		}
		return u
	}, s)
}

func (t token) article() string {
	switch t {
	case tokenStartObject, tokenEndObject, tokenPropertyName:
		return "an object"
	case tokenStartArray, tokenEndArray:
		return "an array"
	case tokenInteger, tokenFloat:
		return "a number of the wrong type or out of range"
	case tokenString:
		return "a string in the wrong format"
	case tokenBoolean:
		return "a boolean"
	case tokenNull:
		return "null"
	case tokenUndefined:
		return "a number in the wrong format, or nothing"
	case tokenDate:
		return "a date"
	}
	return "a value of the wrong type"
}
