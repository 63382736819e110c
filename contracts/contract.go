// Package contracts holds what is known of one HTTP endpoint: the contract
// derived from its ASP.NET Help Page, and the page itself.
//
// Use [Page] for the bytes of the page this project ships with and
// helppage.Parse to derive a [Contract] from them or from another page. Every
// other package takes a *Contract as its first argument and never reads the
// page itself.
//
// A contract is made of facts. Each keeps the line of the page it came from
// and whether the page states it or we inferred it and why, so that whoever
// refuses, generates or judges a request can cite the line. A contract is
// immutable after it was made and may be shared between goroutines.
package contracts

import (
	_ "embed"
	"fmt"
	"strings"
)

//go:embed page.txt
var page []byte

// Page returns a copy of the embedded Help Page, byte for byte.
func Page() []byte {
	return append([]byte(nil), page...)
}

// Source says how a fact is known.
type Source string

const (
	// Stated facts are in the page's own words.
	Stated Source = "stated"
	// Inferred facts were concluded; Fact.Because says from what.
	Inferred Source = "inferred"
)

// Fact is where one thing that the contract knows comes from.
type Fact struct {
	Source Source `json:"source"`
	// Line is the line of the page, counted from 1.
	Line int `json:"line"`
	// Quote is that line without the table's bars and the white space around it.
	Quote string `json:"quote"`
	// Because is the reason of an inferred fact; stated facts have none.
	Because string `json:"because,omitempty"`
}

// String says the fact's origin in a few words, e.g. "page line 40".
func (f Fact) String() string {
	if f.Source == Inferred {
		return fmt.Sprintf("inferred, page line %d", f.Line)
	}
	return fmt.Sprintf("page line %d", f.Line)
}

// Kind is what one type word of the Help Page means.
type Kind string

// The kinds are named by the page's own type words.
const (
	GUID       Kind = "globally unique identifier"
	Date       Kind = "date"
	String     Kind = "string"
	Decimal    Kind = "decimal number"
	Integer    Kind = "integer"
	Collection Kind = "collection" // the page writes "Collection of X"
)

// Kinds are the kinds of a single value, by their type words.
var Kinds = []Kind{GUID, Date, String, Decimal, Integer}

// Admits says what values of a kind look like on the wire, for people.
func (k Kind) Admits() string {
	switch k {
	case GUID:
		return "a JSON string of 32 hexadecimal digits in the form 8-4-4-4-12"
	case Date:
		return "a JSON string holding a date and time in ISO 8601"
	case String:
		return "a JSON string"
	case Decimal:
		return "a JSON number of at most 28 to 29 digits"
	case Integer:
		return "a JSON number from -2147483648 to 2147483647 without a fraction"
	case Collection:
		return "a JSON array of objects"
	}
	return string(k)
}

// Contract is one endpoint as its page describes it.
type Contract struct {
	// Method is the HTTP method, e.g. POST.
	Method string `json:"method"`
	// Route is the path without a leading slash, in the page's spelling.
	Route     string `json:"route"`
	RouteFact Fact   `json:"routeFact"`
	// URIParameters is the page's word on them; only "None." is understood.
	URIParameters Fact `json:"uriParameters"`
	// Body is the model of the request's body.
	Body Model `json:"body"`
	// RequestFormats are the media types of requests, in the page's order.
	RequestFormats []Format `json:"requestFormats"`
	// ResponseType is the C# type that the page names, e.g. IHttpActionResult.
	ResponseType     string `json:"responseType"`
	ResponseTypeFact Fact   `json:"responseTypeFact"`
	// ResponseFormats are the media types of answers, in the page's order.
	ResponseFormats []Format `json:"responseFormats"`
	// Sample is the page's JSON sample of a body, byte for byte; nil when the
	// page has none. Do not modify it.
	Sample     []byte `json:"-"`
	SampleFact Fact   `json:"sampleFact"`
}

// Format is one media type that the page lists.
type Format struct {
	MediaType string `json:"mediaType"`
	Fact      Fact   `json:"fact"`
}

// Model is a C# class as the page shows it.
type Model struct {
	// Name is the class name, e.g. AppointmentModel.
	Name string `json:"name"`
	Fact Fact   `json:"fact"`
	// Fields are the members in the page's order, which is the C# order.
	Fields []Field `json:"fields"`
}

// Field is one member of a model.
type Field struct {
	Name string `json:"name"`
	Kind Kind   `json:"kind"`
	// Type is where the kind comes from.
	Type Fact `json:"type"`
	// Description is the page's text on the member; usually empty.
	Description string `json:"description,omitempty"`
	// Required is nil when the page does not list Required.
	Required *Fact `json:"required,omitempty"`
	// Length is nil when the page bounds no length.
	Length *Length `json:"length,omitempty"`
	// Nullable says whether null is a value of the member.
	Nullable     bool `json:"nullable"`
	NullableFact Fact `json:"nullableFact"`
	// Items is the model of a collection's elements; nil for other kinds.
	Items *Model `json:"items,omitempty"`
}

// Length bounds a string, both ends included, in UTF-16 code units (what .NET
// calls the length of a string).
type Length struct {
	Min  int  `json:"min"`
	Max  int  `json:"max"`
	Fact Fact `json:"fact"`
}

// TypeWord is the page's word for the field's type, e.g. "Collection of Reasons".
func (f *Field) TypeWord() string {
	if f.Kind == Collection {
		return "Collection of " + f.Items.Name
	}
	return string(f.Kind)
}

// Field finds a member by name without regard to case; nil if there is none.
func (m *Model) Field(name string) *Field {
	for i := range m.Fields {
		if strings.EqualFold(m.Fields[i].Name, name) {
			return &m.Fields[i]
		}
	}
	return nil
}

// Rule is one thing that a request can obey or break, with the fact behind it.
type Rule struct {
	// ID is stable and path-like: "Reason/length", "method".
	ID string `json:"id"`
	// Text says the rule in one sentence.
	Text string `json:"text"`
	Fact Fact   `json:"fact"`
}

// Rules lists every rule of the contract: the endpoint's first, then each
// field's in the page's order, an element's fields under their collection.
func (c *Contract) Rules() []Rule {
	rules := []Rule{
		{"method", "The method is " + c.Method + ".", c.RouteFact},
		{"route", "The path is /" + c.Route + ".", c.RouteFact},
	}
	for _, f := range c.RequestFormats {
		rules = append(rules, Rule{"request/" + f.MediaType, "A body may be sent as " + f.MediaType + ".", f.Fact})
	}
	rules = append(rules, Rule{"body", "The body is one " + c.Body.Name + ".", c.Body.Fact})
	rules = c.Body.rules(rules, "")
	for _, f := range c.ResponseFormats {
		rules = append(rules, Rule{"response/" + f.MediaType, "An answer may be sent as " + f.MediaType + ".", f.Fact})
	}
	return rules
}

func (m *Model) rules(rules []Rule, prefix string) []Rule {
	for i := range m.Fields {
		f := &m.Fields[i]
		id := prefix + f.Name
		rules = append(rules, Rule{id + "/type", f.Name + " is " + f.Kind.Admits() + ".", f.Type})
		if f.Required != nil {
			rules = append(rules, Rule{id + "/required", f.Name + " has to be there.", *f.Required})
		}
		if f.Length != nil {
			rules = append(rules, Rule{id + "/length",
				fmt.Sprintf("%s is %d to %d characters long.", f.Name, f.Length.Min, f.Length.Max), f.Length.Fact})
		}
		null := f.Name + " may be null."
		switch {
		case !f.Nullable:
			null = f.Name + " may not be null."
		case f.Required != nil:
			null = "The type of " + f.Name + " admits null; Required refuses it."
		}
		rules = append(rules, Rule{id + "/nullable", null, f.NullableFact})
		if f.Items != nil {
			rules = f.Items.rules(rules, id+"/")
		}
	}
	return rules
}
