// Package oracle is the page's reading of a request: what a strict reader of the
// Help Page, who knows JSON and HTTP and no framework, expects of a server.
//
// [New] takes an operation, [Oracle.Expect] one request. An [Expectation] has the
// outcome, the rule behind it with its line of the page, and every rule that the
// request breaks or obeys.
//
// There are two readings of a request in this project, and two of everything in
// them: of JSON, of forms, of dates, of numbers. This one makes the expectations of
// cases and of the conformance suite; package webapi is the framework's, from which
// the mock responds. Neither imports the other, so that each is tested with the
// other: an error in one shows as a disagreement, which a shared parser would hide.
package oracle

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seed47566266/understudy/contracts"
)

// Outcome is what the page expects of a request.
type Outcome string

const (
	// OutcomeAccept means that the page allows the request.
	OutcomeAccept Outcome = "accept"
	// OutcomeReject means that a stated rule, or the grammar of JSON or HTTP, forbids
	// the request.
	OutcomeReject Outcome = "reject"
	// OutcomeUnspecified means that the page is silent on the request, or contradicts
	// itself.
	OutcomeUnspecified Outcome = "unspecified"
)

// Expectation is an outcome and what it rests on.
type Expectation struct {
	// Outcome is what to expect.
	Outcome Outcome
	// Basis is the reason in one sentence, without a capital and a full stop.
	Basis string
	// Rule is the rule behind the outcome.
	Rule contracts.RuleID
	// Line is the page's line of that rule, 0 where there is none.
	Line int
	// Latitude is the argument of a server that decides otherwise, for which the outcome
	// is expected and not required; empty for a firm outcome.
	Latitude string
	// Breaks are the rules that the request breaks, Rule first; empty unless the
	// outcome is reject.
	Breaks []contracts.RuleID
	// Obeys are the rules that the request obeys, those of its fields after its own;
	// empty where the outcome is reject.
	Obeys []contracts.RuleID
}

// WithLatitude is the expectation with an argument against it, unless it has one
// already.
func (e Expectation) WithLatitude(latitude string) Expectation {
	if e.Latitude == "" {
		e.Latitude = latitude
	}
	return e
}

// everyRule is the basis of what the page allows.
const everyRule = "every rule is obeyed"

func reject(rule contracts.RuleID, line int, basis string) Expectation {
	return Expectation{Outcome: OutcomeReject, Basis: basis, Rule: rule, Line: line}
}

// Unspecified is an expectation for what the page does not decide.
func Unspecified(rule contracts.RuleID, line int, basis string) Expectation {
	return Expectation{Outcome: OutcomeUnspecified, Basis: basis, Rule: rule, Line: line}
}

// The grammars, which no page states.
var (
	ruleJSON = contracts.RuleID{Kind: contracts.RuleJSON}
	ruleHTTP = contracts.RuleID{Kind: contracts.RuleHTTP}
	ruleBody = contracts.RuleID{Kind: contracts.RuleBody}
)

// mostSevere keeps the expectation that decides: one reason to reject is enough,
// then one on which the page is silent.
func mostSevere(a, b Expectation) Expectation {
	if b.severity() > a.severity() {
		return b
	}
	return a
}

func (e *Expectation) severity() int {
	switch {
	case e.Outcome == OutcomeReject && e.Latitude == "":
		return 4
	case e.Outcome == OutcomeReject:
		return 3
	case e.Outcome == OutcomeUnspecified:
		return 2
	case e.Latitude != "":
		return 1
	}
	return 0
}

// Oracle expects outcomes of the requests of one operation. It does not change and
// may be used by many goroutines.
type Oracle struct {
	operation *contracts.Operation
	model     *modelPlan
	path      string            // of the route, with a leading slash
	json      *contracts.Format // the first that is JSON
	strict    bool              // JSON has no extensions
	today     string            // the reference date as yyyy-MM-dd
	lastYear  int               // after which a date is far from it
	combined  combinations
}

// Options are what a reader of the page knows besides it. The zero value is nothing.
type Options struct {
	// Now is the reference date: no page says what becomes of a date before it, or long
	// after it. For the zero time no date is.
	Now time.Time
	// StrictJSON rejects text that is not JSON and that some readers take, as RFC 8259,
	// section 9, lets them; it is unspecified otherwise.
	StrictJSON bool
}

// New prepares an operation. It fails for one whose body is not a model, or that lists
// no JSON.
func New(o *contracts.Operation, options Options) (*Oracle, error) {
	if o.Model() == nil || o.JSON() == nil || len(o.Response.Formats) == 0 {
		return nil, fmt.Errorf(
			"the page of /%s lists no JSON among its request formats, or no response formats: payloads are made "+
				"for JSON",
			o.Route,
		)
	}
	model, err := plan(o.Model(), "")
	if err != nil {
		return nil, err
	}
	out := &Oracle{
		operation: o,
		path:      "/" + o.Route,
		json:      o.JSON(),
		model:     model,
		strict:    options.StrictJSON,
		lastYear:  9999,
	}
	if now := options.Now; !now.IsZero() {
		out.today, out.lastYear = now.Format(time.DateOnly), now.Year()+farYears
	}
	out.combined = out.combinationsOf(o.Sample)
	return out, nil
}

// modelPlan is a model with the places of its fields.
type modelPlan struct {
	model  *contracts.Model
	fields []fieldPlan
	// names are the fields by their own spelling, and lengths those of their names in bytes.
	names   map[string]*fieldPlan
	lengths map[int]bool
	folds   bool // a name has letters past ASCII
}

// fieldPlan is a field and how its values are read.
type fieldPlan struct {
	*contracts.Field
	path     contracts.Path
	required *contracts.Constraint
	length   *contracts.Constraint
	elements *modelPlan // of a list
	reading  reading
}

// reading is how values of a kind are read. Each kind has a file of its own.
type reading struct {
	// json reads a value that is neither null nor an extension of JSON. Lists are read
	// by readList, since they hold fields of their own.
	json func(*Oracle, *fieldPlan, *jsonValue) Expectation
	// text reads the value of a form, which is not blank.
	text func(*Oracle, *fieldPlan, string) Expectation
}

// plan prepares a model. It fails for a type or an annotation that has no reading here.
func plan(m *contracts.Model, at contracts.Path) (*modelPlan, error) {
	readings := map[contracts.Kind]reading{
		contracts.KindGUID:    {readJSONGUID, readGUID},
		contracts.KindDate:    {readJSONDate, readFormDate},
		contracts.KindString:  {readJSONString, readString},
		contracts.KindDecimal: {readJSONDecimal, readFormDecimal},
		contracts.KindInteger: {readJSONInteger, readFormInteger},
	}
	out := &modelPlan{model: m, fields: make([]fieldPlan, len(m.Fields)), names: map[string]*fieldPlan{},
		lengths: map[int]bool{}}
	for i := range m.Fields {
		f := &m.Fields[i]
		out.fields[i] = fieldPlan{
			Field:    f,
			path:     at.Field(f.Name),
			required: f.Required(),
			length:   f.Length(),
			reading:  readings[f.Type.Kind],
		}
		for _, c := range f.Constraints {
			if c.Kind != contracts.ConstraintRequired && c.Kind != contracts.ConstraintLength {
				return nil, fmt.Errorf("the annotation %s of %s has no reading", c.Kind, out.fields[i].path)
			}
		}
		elements := f.Elements()
		if out.fields[i].reading.json == nil && elements == nil {
			return nil, fmt.Errorf("%s is %s: only lists of models and single values have a reading",
				out.fields[i].path, f.Type.Word())
		}
		if elements != nil {
			var err error
			if out.fields[i].elements, err = plan(elements, out.fields[i].path.Element()); err != nil {
				return nil, err
			}
		}
	}
	for i := range out.fields {
		out.names[out.fields[i].Name] = &out.fields[i]
		out.lengths[len(out.fields[i].Name)] = true
		out.folds = out.folds || !isASCII(out.fields[i].Name)
	}
	return out, nil
}

// field finds a field by name, whose case does not matter; nil if there is none. A body may have
// a hundred thousand names.
func (m *modelPlan) field(name string) *fieldPlan {
	if f := m.names[name]; f != nil {
		return f
	}
	if !m.folds && !m.lengths[len(name)] && isASCII(name) {
		return nil // only letters past ASCII fold to those of another length
	}
	for i := range m.fields {
		if strings.EqualFold(m.fields[i].Name, name) {
			return &m.fields[i]
		}
	}
	return nil
}

// at finds the field at a path; nil if there is none.
func (m *modelPlan) at(path contracts.Path) *fieldPlan {
	for i := range m.fields {
		f := &m.fields[i]
		if f.path == path {
			return f
		}
		if f.elements != nil {
			if inner := f.elements.at(path); inner != nil {
				return inner
			}
		}
	}
	return nil
}

func (f *fieldPlan) rule(kind contracts.RuleKind) contracts.RuleID {
	return contracts.RuleID{Path: f.path, Kind: kind}
}

// missing is the expectation for a required field that is not there, or is null.
func (f *fieldPlan) missing() Expectation {
	return reject(f.rule(contracts.RuleRequired), f.required.Fact.Line, f.Name+" is required")
}

// blank is the expectation for an empty or blank text in a field that holds no text.
func (f *fieldPlan) blank() Expectation {
	const nothing = "an empty text may stand for nothing"
	switch {
	case f.required != nil:
		return f.wrongType()
	case f.Type.Nullable:
		return f.unspecified(nothing)
	}
	return f.wrongType().WithLatitude(nothing)
}

// wrongType is the expectation for a value that is not of the field's type.
func (f *fieldPlan) wrongType() Expectation {
	e := reject(f.rule(contracts.RuleType), f.Type.Fact.Line, f.Name+" is "+f.Type.Kind.Admits())
	if f.Type.Fact.Source == contracts.SourceInferred {
		e = e.WithLatitude("the type is inferred: " + f.Type.Fact.Because)
	}
	return e
}

// impossible is the expectation for a value of the field's form that cannot exist.
func (f *fieldPlan) impossible(basis string) Expectation {
	return reject(f.rule(contracts.RuleType), f.Type.Fact.Line, basis)
}

// unspecified is the expectation for a value that the page's words on the type
// neither allow nor forbid.
func (f *fieldPlan) unspecified(basis string) Expectation {
	return Unspecified(f.rule(contracts.RuleType), f.Type.Fact.Line, basis)
}

func (o *Oracle) accept() Expectation {
	return Expectation{Outcome: OutcomeAccept, Basis: everyRule, Rule: ruleBody, Line: o.operation.Model().Fact.Line}
}

// Expect is the page's reading of a request. It ignores Raw.
func (o *Oracle) Expect(r *contracts.Request) Expectation {
	e := o.readTarget(r)
	if e.Outcome == OutcomeReject || !strings.EqualFold(r.Method, o.operation.Method) {
		return o.conclude(e, nil, nil)
	}
	e = mostSevere(e, o.readAccept(r))
	for _, h := range r.Headers {
		if !strings.EqualFold(h.Name, "Content-Type") && !strings.EqualFold(h.Name, "Accept") {
			e = mostSevere(e, o.accept().WithLatitude("the page says nothing about "+h.Name))
		}
	}
	found := &findings{}
	e = mostSevere(e, o.readContent(r, found))
	return o.conclude(e, r, found)
}

// findings are the rules that were met in a body.
type findings struct {
	breaks, obeys []contracts.RuleID
	// values are the texts of single values that are accepted.
	values map[*fieldPlan]string
}

// note takes down what a value of a field was found to be; text is a single one.
func (n *findings) note(f *fieldPlan, e Expectation, isNull bool, text string) {
	if e.Outcome == OutcomeAccept && !isNull {
		if n.values == nil {
			n.values = map[*fieldPlan]string{}
		}
		n.values[f] = text
	}
	switch {
	case e.Outcome == OutcomeReject:
		add(&n.breaks, e.Rule)
	case e.Outcome == OutcomeUnspecified: // nobody can say whether the rule is obeyed
	case isNull:
		add(&n.obeys, f.rule(contracts.RuleNullable))
	default:
		add(&n.obeys, f.rule(contracts.RuleType))
		for i := range f.Constraints {
			add(&n.obeys, f.rule(contracts.RuleKind(f.Constraints[i].Kind)))
		}
	}
}

// add appends a rule that is not in a list.
func add(list *[]contracts.RuleID, rule contracts.RuleID) {
	if !slices.Contains(*list, rule) {
		*list = append(*list, rule)
	}
}

// conclude completes an expectation with the rules that were met.
func (o *Oracle) conclude(e Expectation, r *contracts.Request, found *findings) Expectation {
	switch {
	case e.Outcome == OutcomeReject:
		e.Breaks = []contracts.RuleID{e.Rule}
		if found != nil {
			for _, rule := range found.breaks {
				add(&e.Breaks, rule)
			}
		}
	case r != nil:
		media := o.json.MediaType
		if f := o.operation.RequestFormat(mediaType(r)); f != nil {
			media = f.MediaType
		}
		whole := []contracts.RuleID{{Kind: contracts.RuleMethod}, ruleRoute, ruleBody,
			{Kind: contracts.RuleRequest, Media: media}}
		for _, rule := range append(whole, found.obeys...) {
			if e.Outcome == OutcomeAccept || rule != e.Rule {
				e.Obeys = append(e.Obeys, rule)
			}
		}
	}
	return e
}

// ExpectValue is the page's reading of one value of a field, written as JSON without
// extensions.
func (o *Oracle) ExpectValue(at contracts.Path, value []byte) Expectation {
	f := o.model.at(at)
	if f == nil {
		return Unspecified(ruleBody, o.operation.Model().Fact.Line, "the page lists no such field")
	}
	v, err := parseJSON(value)
	if err != nil || v.extended {
		return reject(ruleJSON, 0, "malformed JSON (RFC 8259)")
	}
	return o.readField(f, v, &findings{})
}
