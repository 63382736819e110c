package webapi

import "github.com/seed47566266/understudy/contracts"

// Difference is one place where the page says one thing, or nothing, and the
// framework does another. Each is shown by a test of its name in diff_test.go.
type Difference struct {
	// ID is stable and path-like, e.g. "string/empty-required".
	ID string `json:"id"`
	// Page is what a reader of the page expects.
	Page string `json:"page"`
	// Framework is what happens instead.
	Framework string `json:"framework"`
	// Why names the part of the framework behind it.
	Why string `json:"why"`
	// Source is where it can be seen: rows of the recorded responses.
	Source string `json:"source"`

	concerns func(*contracts.Field) bool
}

// Concerns reports whether the difference touches a field; one that touches the
// request as a whole concerns none.
func (d Difference) Concerns(f *contracts.Field) bool { return d.concerns != nil && d.concerns(f) }

func ofKind(kinds ...contracts.Kind) func(*contracts.Field) bool {
	return func(f *contracts.Field) bool {
		for _, k := range kinds {
			if f.Type.Kind == k {
				return true
			}
		}
		return false
	}
}

func also(a, b func(*contracts.Field) bool) func(*contracts.Field) bool {
	return func(f *contracts.Field) bool { return a(f) && b(f) }
}

func isRequired(f *contracts.Field) bool    { return f.Required() != nil }
func isNullable(f *contracts.Field) bool    { return f.Type.Nullable }
func isNotNullable(f *contracts.Field) bool { return !f.Type.Nullable }
func hasLength(f *contracts.Field) bool     { return f.Length() != nil }

// Differences lists every difference, those of fields first.
func Differences() []Difference {
	return []Difference{
		{
			"string/empty-required", "A length from 0 admits the empty string.",
			"The empty string and white space are rejected by Required.",
			"RequiredAttribute trims a string and rejects what is left empty.",
			"responses: field.Reason; edge-cases: Reason.empty",
			also(ofKind(contracts.KindString), isRequired),
		},
		{"string/length-units", "The length counts characters.", "It counts UTF-16 code units: an emoji is two.",
			"String.Length in .NET.", "edge-cases: string-unicode-length", hasLength},
		{
			"string/from-other-kinds", "A string is a JSON string.",
			"A number, true and false are taken as their own text.", "JsonTextReader.ReadAsString.",
			"responses: kind.Reason, kind.Note",
			ofKind(contracts.KindString),
		},
		{
			"string/form-blank", "A string may be blank.", "In a form a blank value is null.",
			"The model binder's ConvertEmptyStringToNull.", "responses: form; edge-cases: form.blank-plus",
			ofKind(contracts.KindString),
		},
		{
			"guid/forms", "A GUID has the form of the sample, 8-4-4-4-12.",
			"Braces, parentheses, no dashes, hexadecimal groups and white space around it are taken.",
			"The constructor of Guid takes the forms N, D, B, P and X.",
			"edge-cases: guid-required, guid-optional",
			ofKind(contracts.KindGUID),
		},
		{
			"guid/zero-required", "Required asks for a value.", "The GUID of zeros passes Required.",
			"It is a value; only null is none.", "edge-cases: guid-required",
			also(ofKind(contracts.KindGUID), isRequired),
		},
		{
			"value/empty-is-null", "An empty string is not a value of the type.", "It is taken as null.",
			"Json.NET turns an empty string into null for nullable types.", "responses: empty.combo",
			also(ofKind(contracts.KindGUID, contracts.KindDate, contracts.KindInteger, contracts.KindDecimal),
				isNullable),
		},
		{
			"value/null-rejected", "Nothing says that null is rejected.", "null is rejected.",
			"The type is not nullable, which the page's sample shows.", "responses: null.PaidAmount",
			also(ofKind(contracts.KindGUID, contracts.KindDate, contracts.KindInteger, contracts.KindDecimal),
				isNotNullable),
		},
		{
			"decimal/missing-is-zero", "A field that is missing has no value.", "It is 0.0.",
			"A value type always has its default.", "responses: missing.PaidAmount",
			also(ofKind(contracts.KindDecimal), isNotNullable),
		},
		{
			"number/from-string", "A number is a JSON number.",
			"A string of digits is taken, with a sign and white space; for a decimal also with commas.",
			"JsonReader.ReadInt32String and ReadDecimalString.", "responses: field.MethodId, field.PaidAmount",
			ofKind(contracts.KindDecimal, contracts.KindInteger),
		},
		{
			"number/octal-and-hex", "A JSON number does not begin with 0 or 0x.", "010 is 8 and 0x10 is 16.",
			"Json.NET reads JavaScript's old literals.", "responses: field.MethodId, kind.PaidAmount",
			ofKind(contracts.KindDecimal, contracts.KindInteger),
		},
		{
			"decimal/digits-kept", "5.00 and 5 are one number.",
			"The digits are kept: 5.00 stays 5.00, and 5 becomes 5.0.",
			"System.Decimal has a scale; Json.NET writes a point always.", "edge-cases: decimal",
			ofKind(contracts.KindDecimal),
		},
		{
			"date/any-spelling", "A date has the form of the sample.",
			"What DateTime.Parse takes in the invariant culture is taken: 02/03/2026, 3 Feb 2026, /Date(0)/.",
			"JsonReader.ReadDateTimeString.", "responses: field.AppointmentOn; edge-cases: date",
			ofKind(contracts.KindDate),
		},
		{
			"date/offset-is-lost", "The offset of a time is part of it.",
			"A time with an offset comes back in the server's local time.", "A DateTime holds no offset.",
			"responses-chicago: valid",
			ofKind(contracts.KindDate),
		},
		{
			"value/derails", "A wrong value is one error.",
			"An object or array where a simple value belongs loses what follows it.",
			"The reader takes the opening bracket before it throws.", "responses: kind.*, multi",
			ofKind(contracts.KindString, contracts.KindDate, contracts.KindDecimal, contracts.KindInteger),
		},
		{
			"list/duplicates-append", "Of a name that is there twice one counts.",
			"The elements of both arrays are there; of simple values the last counts.",
			"Json.NET fills the list that is already there.", "responses: duplicate",
			ofKind(contracts.KindList),
		},
		{
			"list/form-gap", "Every element of a form counts.",
			"Elements after a gap in the indices are lost without an error.",
			"CollectionModelBinder stops at the first index that does not bind.", "edge-cases: form.idx-gap",
			ofKind(contracts.KindList),
		},
		{
			"required/key", "An error names its field.",
			"A required GUID or date that is missing is reported under the parameter's name.",
			"The JSON reader reports it at the end of the object, where the path is empty.",
			"responses: missing",
			also(isRequired, isNotNullable),
		},
		{
			"body/null", "The body is a model.",
			"null, nothing and white space leave ModelState valid and the model null; the action decides.",
			"There is nothing to validate.", "responses: body", nil,
		},
		{"body/dialect", "The body is JSON.", "Comments, single quotes, unquoted names and trailing commas are taken.",
			"Json.NET's dialect.", "responses: syntax; edge-cases: json-syntax", nil},
		{"body/trailing-text", "Nothing follows the object.", "Whatever follows it is not read.",
			"The formatter reads one value and does not look further.", "responses: syntax", nil},
		{
			"body/names", "Names are spelled as on the page.",
			"Their case does not matter, and unknown names are ignored.",
			"Json.NET matches names without regard to case.", "responses: names", nil,
		},
		{"body/depth", "Nothing bounds how deep an unknown field nests.", "255 levels pass, 256 do not.",
			"MaxDepth of the formatter.", "responses: depth", nil},
		{
			"body/metadata", "A name that begins with $ is an unknown name.",
			"$ref, $id and $values at the front of an object are Json.NET's own.",
			"MetadataPropertyHandling.Default.", "edge-cases: meta.*", nil,
		},
		{"request/charset", "A charset that is not known is an error.", "It is read as UTF-8.",
			"MediaTypeFormatter.SelectCharacterEncoding.", "responses: charset", nil},
		{
			"request/media-range", "The media type of a body is one of those listed.",
			"*/* and application/* are taken as JSON.", "Formatters are matched as if by Accept.",
			"responses: content-type", nil,
		},
		{
			"response/accept", "An Accept that admits none of the formats cannot be met.",
			"It is ignored: the response is JSON, never 406.",
			"DefaultContentNegotiator falls back on the type.", "responses: accept", nil,
		},
		{
			"route/loose", "The path is as on the page.",
			"Its case, a trailing slash, one more segment, percent-encoding and a query do not matter.",
			"The route api/{controller}/{action}/{id} with an optional id.",
			"responses: route; edge-cases: http", nil,
		},
	}
}
