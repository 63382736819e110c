package contracts

import (
	"fmt"
	"regexp"
	"strconv"
)

// Kind is what a type word of the Help Page means. Everything that is known of a
// kind stands in one table, [kinds]; its behavior in a package is in one file
// of that package.
type Kind uint8

const (
	// KindGUID is a globally unique identifier.
	KindGUID Kind = iota + 1
	// KindDate is a date with a time.
	KindDate
	// KindString is a text.
	KindString
	// KindDecimal is a decimal number.
	KindDecimal
	// KindInteger is an integer of 32 bits.
	KindInteger
	// KindList is a list, whose elements have a type of their own.
	KindList
	// KindModel is an object with fields.
	KindModel
)

// JSONShape is the kind of JSON value that values of a kind are.
type JSONShape uint8

const (
	// JSONString is text between quotes.
	JSONString JSONShape = iota + 1
	// JSONNumber is a number.
	JSONNumber
	// JSONArray is a list of values.
	JSONArray
	// JSONObject is names with values.
	JSONObject
)

// kindInfo is a row of the table of kinds.
type kindInfo struct {
	word   string // of the page, whole or up to the element's word; empty where it is the model's name
	name   string // short, for tables
	admits string // the values, for people
	shape  JSONShape
	dotnet string // the name of the .NET type, whole or up to its element's name
	shown  string // what the sample shows, for people
	// sample matches the values that the Help Page's sample generator makes; its
	// group is the sample index. Nil where the value says nothing about its kind.
	sample *regexp.Regexp
	// reference marks reference types of .NET, which can always be null.
	reference bool
}

var kinds = [...]kindInfo{
	KindGUID: {
		word: "globally unique identifier", name: "GUID", shape: JSONString, dotnet: "System.Guid", shown: "a GUID",
		admits: "a JSON string of 32 hexadecimal digits in the form 8-4-4-4-12",
		sample: regexp.MustCompile(`^"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"()$`),
	},
	KindDate: {
		word: "date", name: "date", shape: JSONString, dotnet: "System.DateTime", shown: "a date and time",
		admits: "a JSON string with a date and time in ISO 8601",
		sample: regexp.MustCompile(`^"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,7})?(?:Z|[+-]\d\d:\d\d)?"()$`),
	},
	KindString: {
		word: "string", name: "string", shape: JSONString, dotnet: "System.String", shown: "a sample string",
		admits: "a JSON string", reference: true,
		sample: regexp.MustCompile(`^"sample string ([1-9]\d{0,5})"$`),
	},
	KindDecimal: {
		word:   "decimal number",
		name:   "decimal",
		shape:  JSONNumber,
		dotnet: "System.Decimal",
		shown:  "a number with a fraction",
		admits: "a JSON number of at most 28 to 29 digits",
		sample: regexp.MustCompile(`^([1-9]\d{0,5})\.0$`),
	},
	KindInteger: {
		word: "integer", name: "integer", shape: JSONNumber, dotnet: "System.Int32", shown: "a whole number",
		admits: "a JSON number from -2147483648 to 2147483647 without a fraction",
		sample: regexp.MustCompile(`^([1-9]\d{0,5})$`),
	},
	KindList: {
		word:      "Collection of ",
		name:      "list",
		shape:     JSONArray,
		dotnet:    "System.Collections.Generic.List`1",
		shown:     "an array",
		admits:    "a JSON array of objects",
		reference: true,
	},
	KindModel: {name: "model", shape: JSONObject, shown: "an object", admits: "a JSON object", reference: true},
}

// Kinds are the kinds of single values, which have a type word of their own.
func Kinds() []Kind { return []Kind{KindGUID, KindDate, KindString, KindDecimal, KindInteger} }

// KindOf is the kind of a single value by its type word.
func KindOf(word string) (k Kind, ok bool) {
	for _, k := range Kinds() {
		if kinds[k].word == word {
			return k, true
		}
	}
	return 0, false
}

// SampleKind is the kind whose sample a JSON value is, as the Help Page's
// generator makes them, and the sample index that it shows, 0 if it shows none.
func SampleKind(value []byte) (k Kind, index int, ok bool) {
	for _, k := range Kinds() {
		if match := kinds[k].sample.FindSubmatch(value); match != nil {
			index, _ = strconv.Atoi(string(match[1])) // digits, or nothing
			return k, index, true
		}
	}
	return 0, 0, false
}

// Word is the page's type word; of a list its beginning, of a model nothing.
func (k Kind) Word() string { return kinds[k].word }

// String is a short name for tables, e.g. "decimal".
func (k Kind) String() string { return kinds[k].name }

// Admits describes the values of the kind for people.
func (k Kind) Admits() string { return kinds[k].admits }

// Shown describes a sample of the kind for people.
func (k Kind) Shown() string { return kinds[k].shown }

// Shape is the kind of JSON value that values of the kind are.
func (k Kind) Shape() JSONShape { return kinds[k].shape }

// DotNet is the full name of the .NET type, of a list without its element's.
func (k Kind) DotNet() string { return kinds[k].dotnet }

// IsReference reports a reference type of .NET, which can always be null.
func (k Kind) IsReference() bool { return kinds[k].reference }

// MarshalText gives the short name.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads the short name.
func (k *Kind) UnmarshalText(text []byte) error {
	for i := range kinds {
		if i > 0 && kinds[i].name == string(text) {
			*k = Kind(i)
			return nil
		}
	}
	return fmt.Errorf("unknown kind %q", text)
}
