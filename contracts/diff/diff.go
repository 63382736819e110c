// Package diff says what changed between two contracts, and whether a client that conformed to
// the first can break on the second.
//
// A side is a contract of Help Pages, [Pages], or what an OpenAPI document says of the same things,
// [OpenAPI]. [Compare] compares two, [Write] writes what it found. What one side leaves open
// (whether a field may be null, say) is not compared.
package diff

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed47566266/understudy/contracts"
)

// Kind is what became of a part of a contract.
type Kind string

const (
	// Added is a part that the first side has not.
	Added Kind = "added"
	// Removed is a part that the second side has not.
	Removed Kind = "removed"
	// Tightened is a rule that allows less than before.
	Tightened Kind = "tightened"
	// Loosened is a rule that allows more than before.
	Loosened Kind = "loosened"
)

// Change is one difference between two sides.
type Change struct {
	// Operation is the method and path.
	Operation string `json:"operation"`
	// Rule is the rule that changed; empty for an operation as a whole. A field that was added or
	// removed has the rule of its type.
	Rule contracts.RuleID `json:"rule,omitzero"`
	// Kind is what became of it.
	Kind Kind `json:"kind"`
	// Before and After are the two rules in words; empty where a side has none.
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
	// BeforeLine and AfterLine are the lines of the pages; 0 for an OpenAPI document.
	BeforeLine int `json:"beforeLine,omitempty"`
	AfterLine  int `json:"afterLine,omitempty"`
	// Breaks marks a change by which a request that was allowed may be rejected, or a response
	// missed.
	Breaks bool `json:"breaks"`
}

// Side is a contract as far as it is compared.
type Side struct {
	operations []operation
}

// operation is what is compared of an operation.
type operation struct {
	method, route       string
	line                int
	requests, responses []media
	fields              []field
}

// media is a media type.
type media struct {
	name string
	line int
}

// field is what is compared of a field.
type field struct {
	path     contracts.Path
	line     int
	kind     string // as contracts.Kind has it, or another name; empty where a side leaves it open
	required *rule  // nil where it is not
	length   *rule
	nullable *rule // nil where the side leaves it open
}

// rule is what a field obeys.
type rule struct {
	min, max int  // of a length
	yes      bool // of null
	line     int
}

// Pages is the side of Help Pages.
func Pages(c *contracts.Contract) *Side {
	s := &Side{}
	for i := range c.Operations {
		o := &c.Operations[i]
		out := operation{method: o.Method, route: o.Route, line: o.RouteFact.Line, requests: mediaOf(o.RequestFormats),
			responses: mediaOf(o.Response.Formats)}
		for _, p := range o.Places() {
			f := field{path: p.Path, line: p.Field.Type.Fact.Line, kind: p.Field.Type.Kind.String()}
			if required := p.Field.Required(); required != nil {
				f.required = &rule{line: required.Fact.Line}
			}
			if length := p.Field.Length(); length != nil {
				f.length = &rule{min: length.Min, max: length.Max, line: length.Fact.Line}
			}
			switch t := &p.Field.Type; {
			case f.required != nil:
				f.nullable = &rule{line: f.required.line} // Required rejects null
			case !t.NullableOpen:
				f.nullable = &rule{yes: t.Nullable, line: t.NullableFact.Line}
			}
			out.fields = append(out.fields, f)
		}
		s.operations = append(s.operations, out)
	}
	return s
}

func mediaOf(formats []contracts.Format) (all []media) {
	for _, f := range formats {
		all = append(all, media{f.MediaType, f.Fact.Line})
	}
	return all
}

// Compare lists what changed from one side to another, in the order of the first side.
func Compare(before, after *Side) []Change {
	var all []Change
	for i := range before.operations {
		a := &before.operations[i]
		if b := after.find(a); b != nil {
			c := comparison{name: a.name()}
			c.operations(a, b)
			all = append(all, c.changes...)
			continue
		}
		all = append(all, Change{Operation: a.name(), Kind: Removed, Before: "the operation", BeforeLine: a.line,
			Breaks: true})
	}
	for i := range after.operations {
		if b := &after.operations[i]; before.find(b) == nil {
			all = append(all, Change{Operation: b.name(), Kind: Added, After: "the operation", AfterLine: b.line})
		}
	}
	return all
}

// Breaks reports that a client can break on one of the changes.
func Breaks(all []Change) bool {
	return slices.ContainsFunc(all, func(c Change) bool { return c.Breaks })
}

func (o *operation) name() string { return o.method + " /" + o.route }

// find is the operation of a side with a method and a route, whose case does not matter.
func (s *Side) find(o *operation) *operation {
	for i := range s.operations {
		if x := &s.operations[i]; x.method == o.method && strings.EqualFold(x.route, o.route) {
			return x
		}
	}
	return nil
}

// comparison is that of one operation.
type comparison struct {
	name    string
	changes []Change
}

func (c *comparison) add(x Change) {
	x.Operation = c.name
	c.changes = append(c.changes, x)
}

func (c *comparison) operations(a, b *operation) {
	c.media(contracts.RuleRequest, a.requests, b.requests)
	c.fields(a.fields, b.fields)
	c.media(contracts.RuleResponse, a.responses, b.responses)
}

func (c *comparison) media(kind contracts.RuleKind, a, b []media) {
	has := func(all []media, name string) bool {
		return slices.ContainsFunc(all, func(m media) bool { return strings.EqualFold(m.name, name) })
	}
	for _, m := range a {
		if !has(b, m.name) {
			c.add(Change{Rule: contracts.RuleID{Kind: kind, Media: m.name}, Kind: Removed, Before: m.name,
				BeforeLine: m.line, Breaks: true})
		}
	}
	for _, m := range b {
		if !has(a, m.name) {
			c.add(Change{Rule: contracts.RuleID{Kind: kind, Media: m.name}, Kind: Added, After: m.name,
				AfterLine: m.line})
		}
	}
}

func (c *comparison) fields(a, b []field) {
	find := func(all []field, path contracts.Path) *field {
		for i := range all {
			if strings.EqualFold(string(all[i].path), string(path)) {
				return &all[i]
			}
		}
		return nil
	}
	for i := range a {
		before := &a[i]
		after := find(b, before.path)
		if after == nil {
			c.add(Change{Rule: before.rule(contracts.RuleType), Kind: Removed, Before: before.words(),
				BeforeLine: before.line, Breaks: true})
			continue
		}
		c.field(before, after)
	}
	for i := range b {
		if after := &b[i]; find(a, after.path) == nil {
			c.add(Change{Rule: after.rule(contracts.RuleType), Kind: Added, After: after.words(), AfterLine: after.line,
				Breaks: after.required != nil})
		}
	}
}

func (f *field) rule(kind contracts.RuleKind) contracts.RuleID {
	return contracts.RuleID{Path: f.path, Kind: kind}
}

// words are a field in a few words.
func (f *field) words() string {
	kind := f.kind
	if kind == "" {
		kind = "any value"
	}
	if f.required != nil {
		return kind + ", required"
	}
	return kind
}

func (c *comparison) field(a, b *field) {
	if a.kind != b.kind && a.kind != "" && b.kind != "" {
		x := Change{Rule: a.rule(contracts.RuleType), Kind: Tightened, Before: a.kind, After: b.kind,
			BeforeLine: a.line, AfterLine: b.line, Breaks: true}
		if holds(b.kind, a.kind) {
			x.Kind, x.Breaks = Loosened, false
		}
		c.add(x)
	}
	c.required(a, b)
	c.length(a, b)
	c.nullable(a, b)
}

// holds reports a kind whose values include those of another one.
func holds(wide, narrow string) bool {
	if all := strings.Split(narrow, between); len(all) > 1 {
		return !slices.ContainsFunc(all, func(k string) bool { return !holds(wide, k) })
	}
	if all := strings.Split(wide, between); len(all) > 1 {
		return slices.ContainsFunc(all, func(k string) bool { return holds(k, narrow) })
	}
	if wide == narrow {
		return true
	}
	guid, date, text := contracts.KindGUID.String(), contracts.KindDate.String(), contracts.KindString.String()
	switch wide {
	case text:
		return narrow == guid || narrow == date
	case contracts.KindDecimal.String():
		return narrow == contracts.KindInteger.String()
	}
	return false
}

func (c *comparison) required(a, b *field) {
	x := Change{Rule: a.rule(contracts.RuleRequired), Before: "optional", After: "optional", BeforeLine: a.line,
		AfterLine: b.line}
	if a.required != nil {
		x.Kind, x.Before, x.BeforeLine = Loosened, "required", a.required.line
	}
	if b.required != nil {
		x.Kind, x.After, x.AfterLine, x.Breaks = Tightened, "required", b.required.line, true
	}
	if (a.required == nil) != (b.required == nil) {
		c.add(x)
	}
}

func (c *comparison) length(a, b *field) {
	bounds := func(f *field) (low, high int, words string, line int) {
		const unbounded = 1<<31 - 1
		switch {
		case f.length == nil:
			return 0, unbounded, "any length", f.line
		case f.length.max == 0 && f.length.min > 0:
			return f.length.min, unbounded, fmt.Sprintf("%d or more characters", f.length.min), f.length.line
		}
		return f.length.min, f.length.max, fmt.Sprintf("%d to %d characters", f.length.min, f.length.max), f.length.line
	}
	x := Change{Rule: a.rule(contracts.RuleLength)}
	lowA, highA, before, lineA := bounds(a)
	lowB, highB, after, lineB := bounds(b)
	x.Before, x.After, x.BeforeLine, x.AfterLine = before, after, lineA, lineB
	tighter := lowB > lowA || highB < highA
	looser := lowB < lowA || highB > highA
	switch {
	case tighter:
		x.Kind, x.Breaks = Tightened, true
		c.add(x)
	case looser:
		x.Kind = Loosened
		c.add(x)
	}
}

func (c *comparison) nullable(a, b *field) {
	if a.nullable == nil || b.nullable == nil || a.nullable.yes == b.nullable.yes {
		return
	}
	if (a.required == nil) != (b.required == nil) && !(a.required != nil && a.nullable.yes || b.required != nil &&
		b.nullable.yes) {
		return // who requires a field takes no null for it: one change, not two
	}
	words := map[bool]string{true: "may be null", false: "must not be null"}
	x := Change{Rule: a.rule(contracts.RuleNullable), Kind: Loosened, Before: words[a.nullable.yes],
		After: words[b.nullable.yes], BeforeLine: a.nullable.line, AfterLine: b.nullable.line}
	if a.nullable.yes {
		x.Kind, x.Breaks = Tightened, true
	}
	c.add(x)
}
