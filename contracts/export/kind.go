package export

import "github.com/seed47566266/understudy/contracts"

// kind is what the forms know of a kind of values.
type kind struct {
	// schema is the JSON Schema of a value.
	schema schema
	// format is what generators of code make a type of: OpenAPI's "format".
	format string
	// typeScript is the type of a JSON value.
	typeScript string
	// reader is the name of the function in TypeScript that reads the text of a form, and read the
	// function; both are empty for text, which is never wrong.
	reader, read string
	// cSharp is the type.
	cSharp string
}

// The forms of values. A validator that only knows a schema would let 31 June pass if the days of
// a month were not part of the pattern.
const (
	guidPattern = `^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`

	leapYear    = `([0-9]{2}(0[48]|[2468][048]|[13579][26])|(0[48]|[2468][048]|[13579][26])00)`
	anyYear     = `([0-9]{3}[1-9]|[0-9]{2}[1-9]0|[0-9][1-9]00|[1-9]000)`
	datePattern = `^(` + anyYear + `-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|` +
		`(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))|` + leapYear + `-02-29)` +
		`(T([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,7})?)?(Z|[+-]((0[0-9]|1[0-3]):[0-5][0-9]|14:00))?)?$`
)

// The greatest and the least integer of 32 bits and decimal of 96.
const (
	greatestInteger = "2147483647"
	leastInteger    = "-2147483648"
	greatestDecimal = "79228162514264337593543950335"
	leastDecimal    = "-" + greatestDecimal
)

// The readers of the texts of forms.
const (
	guidReader = `function guid(text: string): Reading {
  return /` + guidPattern + `/.test(text) ? "value" : "wrong";
}
`
	dateReader = `/** ISO 8601: a day, or with a time as browsers and the sample have it. The server takes more. */
function date(text: string): Reading {
  return /` + datePattern + `/.test(text)
    ? "value"
    : "wrong";
}
`
	integerReader = `function integer(text: string): Reading {
  if (!/^[+-]?[0-9]+$/.test(text)) {
    return "wrong";
  }
  const value = Number(text);
  return value >= ` + leastInteger + ` && value <= ` + greatestInteger + ` ? "value" : "out of range";
}
`
	decimalReader = `function decimal(text: string): Reading {
  if (!/^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$/.test(text)) {
    return "wrong";
  }
  return Math.abs(Number(text)) <= ` + greatestDecimal + ` ? "value" : "out of range";
}
`
)

var kinds = map[contracts.Kind]kind{
	contracts.KindGUID: {schema: schema{Type: "string", Pattern: guidPattern}, format: "uuid",
		typeScript: "string", reader: "guid", read: guidReader, cSharp: "Guid"},
	contracts.KindDate: {schema: schema{Type: "string", Pattern: datePattern}, format: "date-time",
		typeScript: "string", reader: "date", read: dateReader, cSharp: "DateTime"},
	contracts.KindString: {schema: schema{Type: "string"}, typeScript: "string", cSharp: "string"},
	contracts.KindDecimal: {schema: schema{Type: "number", Minimum: leastDecimal, Maximum: greatestDecimal},
		typeScript: "number", reader: "decimal", read: decimalReader, cSharp: "decimal"},
	contracts.KindInteger: {schema: schema{Type: "integer", Minimum: leastInteger, Maximum: greatestInteger},
		format: "int32", typeScript: "number", reader: "integer", read: integerReader, cSharp: "int"},
}
