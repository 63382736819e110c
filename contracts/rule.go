package contracts

import (
	"fmt"
	"strings"
)

// RuleKind is what a rule is about.
type RuleKind string

const (
	// RuleMethod is about the HTTP method.
	RuleMethod RuleKind = "method"
	// RuleRoute is about the path.
	RuleRoute RuleKind = "route"
	// RuleRequest is about a media type of requests.
	RuleRequest RuleKind = "request"
	// RuleResponse is about a media type of responses.
	RuleResponse RuleKind = "response"
	// RuleBody is about the body as a whole.
	RuleBody RuleKind = "body"
	// RuleJSON is the grammar of JSON, which no page states.
	RuleJSON RuleKind = "json"
	// RuleHTTP is the grammar of HTTP, which no page states.
	RuleHTTP RuleKind = "http"
	// RuleRobustness is that no request may break a server, which no page states.
	RuleRobustness RuleKind = "robustness"
	// RuleType is about the type of a field.
	RuleType RuleKind = "type"
	// RuleNullable is about null in a field.
	RuleNullable RuleKind = "nullable"
	// RuleRequired is about the lack of a field.
	RuleRequired = RuleKind(ConstraintRequired)
	// RuleLength is about the length of a text.
	RuleLength = RuleKind(ConstraintLength)
)

// RuleID names one rule of an operation. Its text form is path-like and stable:
// Reason/length, method, request/text/json.
type RuleID struct {
	// Path is the field that the rule is about; empty for the rules of the whole
	// operation.
	Path Path
	// Kind is what the rule is about.
	Kind RuleKind
	// Media is the media type of RuleRequest and RuleResponse; empty for others.
	Media string
}

// String is the text form; empty for the zero value.
func (id RuleID) String() string {
	switch {
	case id.Path != "":
		return string(id.Path) + "/" + string(id.Kind)
	case id.Media != "":
		return string(id.Kind) + "/" + id.Media
	}
	return string(id.Kind)
}

// MarshalText gives the text form.
func (id RuleID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads the text form.
func (id *RuleID) UnmarshalText(text []byte) error {
	head, rest, found := strings.Cut(string(text), "/")
	switch {
	case !found:
		*id = RuleID{Kind: RuleKind(head)}
	case IsReserved(head):
		*id = RuleID{Kind: RuleKind(head), Media: rest}
	default:
		*id = RuleID{Path: Path(head), Kind: RuleKind(rest)}
	}
	return nil
}

// Rule is one thing that a request can obey or break.
type Rule struct {
	// ID names the rule.
	ID RuleID `json:"id"`
	// Text is the rule in one sentence.
	Text string `json:"text"`
	// Fact is the rule's origin.
	Fact Fact `json:"fact"`
}

// Rules lists the rules of an operation: its own first, then those of each field
// in the page's order, those of an element's fields after their list's.
func (o *Operation) Rules() []Rule {
	rules := []Rule{
		{RuleID{Kind: RuleMethod}, "The method is " + o.Method + ".", o.RouteFact},
		{RuleID{Kind: RuleRoute}, "The path is /" + o.Route + ".", o.RouteFact},
	}
	for _, f := range o.RequestFormats {
		rules = append(rules,
			Rule{RuleID{Kind: RuleRequest, Media: f.MediaType}, "A body may be sent as " + f.MediaType + ".", f.Fact})
	}
	if model := o.Model(); model != nil {
		rules = append(rules, Rule{RuleID{Kind: RuleBody}, "The body is one " + model.Name + ".", model.Fact})
	}
	for _, p := range o.Places() {
		rules = append(rules, p.rules()...)
	}
	for _, f := range o.Response.Formats {
		rules = append(rules, Rule{
			RuleID{Kind: RuleResponse, Media: f.MediaType}, "A response may be sent as " + f.MediaType + ".", f.Fact,
		})
	}
	return rules
}

func (p *Place) rules() []Rule {
	f := p.Field
	rules := []Rule{
		{RuleID{Path: p.Path, Kind: RuleType}, fmt.Sprintf("%s is %s.", f.Name, f.Type.Kind.Admits()), f.Type.Fact},
	}
	for i := range f.Constraints {
		c := &f.Constraints[i]
		rules = append(rules, Rule{RuleID{Path: p.Path, Kind: RuleKind(c.Kind)}, c.sentence(f.Name), c.Fact})
	}
	null := f.Name + " may be null."
	switch {
	case f.Required() == nil && f.Type.NullableOpen:
		null = "The page does not show whether " + f.Name + " may be null."
	case !f.Type.Nullable:
		null = f.Name + " must not be null."
	case f.Required() != nil:
		null = "The type of " + f.Name + " admits null; Required rejects it."
	}
	return append(rules, Rule{RuleID{Path: p.Path, Kind: RuleNullable}, null, f.Type.NullableFact})
}
