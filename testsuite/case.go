package testsuite

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/oracle"
	"github.com/seed47566266/understudy/fixtures"
)

// Aspect is what a case looks at in a response.
type Aspect string

const (
	// AspectOutcome is whether the request was accepted or rejected.
	AspectOutcome Aspect = "outcome"
	// AspectStatus is the exact status of a rejection.
	AspectStatus Aspect = "status"
	// AspectAllow is the header that goes with 405.
	AspectAllow Aspect = "allow"
	// AspectModelState is the shape of a rejection's body.
	AspectModelState Aspect = "modelstate"
	// AspectNamed is whether a rejection names the field at fault.
	AspectNamed Aspect = "named"
	// AspectFormat is whether a response's body is in a format that the page lists.
	AspectFormat Aspect = "format"
)

// Case is one question to a target.
type Case struct {
	// ID is stable and path-like. A case that looks at another aspect of a response
	// has the id of its request's case and the aspect: Reason/length/251/status.
	ID string `json:"id"`
	// Family is the kind of question.
	Family fixtures.Family `json:"family"`
	// Path is the field that the case is about; empty for the whole request.
	Path contracts.Path `json:"field,omitempty"`
	// Media is the media type of the body.
	Media string `json:"media"`
	// Tags are words by which people look for the case.
	Tags []string `json:"tags,omitempty"`
	// Rule is the rule behind the outcome.
	Rule contracts.RuleID `json:"rule"`
	// Line is the page's line of the rule, 0 where there is none.
	Line int `json:"line,omitempty"`
	// Quote is that line.
	Quote string `json:"quote,omitempty"`
	// Level is how much the case asks of a target.
	Level fixtures.Level `json:"level"`
	// Part is what a failure is against; empty for LevelMay, which never fails for what
	// it asks.
	Part Part `json:"part,omitempty"`
	// LevelBasis is the reason for the level.
	LevelBasis string `json:"levelBasis"`
	// Why is what is expected and the reason, in a sentence.
	Why string `json:"why"`
	// Change is what was changed in the control.
	Change string `json:"change"`
	// Control is the id of the valid request that this one differs from in one thing;
	// the control itself has none.
	Control string `json:"control,omitempty"`
	// Sends is the id of the case whose request this one looks at: its own, unless
	// Aspect is another than AspectOutcome.
	Sends string `json:"sends"`
	// Aspect is what the case looks at.
	Aspect Aspect `json:"aspect"`
	// Expect is the outcome that is expected of the request.
	Expect oracle.Outcome `json:"expect"`
	// Request is what is sent.
	Request contracts.Request `json:"-"`

	made     *fixtures.Case // what the generator knows of the request
	status   int            // that an aspect requires
	barred   string         // why it is not sent to a target elsewhere
	mentions string         // the field that an error should name
}

const (
	// validRows is how many random valid payloads a suite has.
	validRows = 10
	// maxRows keeps the making of the cases, a tenth of a second per row, to seconds.
	maxRows = 50
	// largeBody is where a server may respond with 413 in place of another rejection.
	largeBody = 64 << 10
)

// build makes the catalogue.
func (s *Suite) build() error {
	rows := s.payloads.Rows
	if len(rows) == 0 {
		rows = []map[string]string{nil}
	}
	if len(rows) > maxRows {
		return &ConfigError{"Payloads.Rows", fmt.Sprintf("the data have %d rows: use %d or fewer", len(rows), maxRows)}
	}
	b := &builder{suite: s}
	for _, r := range s.rules {
		s.facts[r.ID] = r.Fact
	}
	for i, row := range rows {
		made, err := s.sources(row)
		if err != nil {
			if len(s.payloads.Rows) > 0 {
				return fmt.Errorf("row %d of the data: %w", i+1, err)
			}
			return err
		}
		if i == 0 {
			s.tags = fixtures.TagsOf(made)
			s.first = s.operation.JSON().MediaType // the generator makes no payloads without
			for j := range made {
				if made[j].Control {
					s.controls[made[j].Media] = made[j].ID
				}
			}
			for j := range made {
				b.add(&made[j])
			}
			continue
		}
		b.replace(made, uint64(i), uint64(len(rows)))
	}
	b.mirror()
	b.aspects()
	s.cases = b.cases
	isRecorded := func(x Case) bool { return x.Family == fixtures.FamilyRecorded }
	if s.payloads.Recorded != nil && !slices.ContainsFunc(s.cases, isRecorded) {
		return &ConfigError{"Payloads.Recorded", "no request in it is one to " + s.operation.Route}
	}
	for i := range s.cases {
		x := &s.cases[i]
		id := strings.ToLower(x.ID)
		if _, taken := s.index[id]; taken {
			return fmt.Errorf("two cases have the id %s", x.ID)
		}
		if x.Aspect == AspectOutcome && x.Control == "" && !x.made.Control {
			return fmt.Errorf("%s has no control: the page's format %s has no valid request", x.ID, x.Media)
		}
		s.index[id] = i
		if x.Aspect == AspectOutcome {
			s.requests[x.ID] = i
		}
	}
	return nil
}

// sources are the generator's cases with the values of a row.
func (s *Suite) sources(row map[string]string) ([]fixtures.Case, error) {
	set := map[string]string{}
	for name, value := range s.payloads.Set {
		set[name] = value
	}
	for name, value := range row {
		set[name] = value
	}
	g, err := fixtures.New(s.operation, fixtures.Options{
		Seed: s.payloads.Seed, Now: s.payloads.Now, Set: set, StrictJSON: s.payloads.StrictJSON,
		Profile: fixtures.ProfileEdge,
	})
	if err != nil {
		return nil, err
	}
	if s.generator == nil {
		s.generator = g
	}
	all := g.Cases()
	for i := range validRows {
		all = append(all, g.ValidCase(uint64(i)))
	}
	all = append(all, g.Naughty()...)
	if s.payloads.Combinations > 0 {
		rows, err := g.Combinations(s.payloads.Combinations)
		if err != nil {
			return nil, err
		}
		all = append(all, rows...)
	}
	all = fixtures.Distinct(all)
	if s.payloads.Recorded == nil {
		return all, nil
	}
	recorded, err := g.Recorded(bytes.NewReader(s.payloads.Recorded))
	if err != nil {
		return nil, &ConfigError{"Payloads.Recorded", err.Error()}
	}
	// Who sends them again wants each of them, also one that is a case besides.
	return append(all, fixtures.Distinct(recorded)...), nil
}

// builder makes the cases of a suite from those of the generator.
type builder struct {
	suite *Suite
	cases []Case
}

// add adds a case of one of the generator's.
func (b *builder) add(f *fixtures.Case) {
	if f.Combined {
		return // more than one change from a valid request proves none of them
	}
	if f.Elsewhere && f.Outcome != oracle.OutcomeReject {
		return // what another path does is not the page's to decide
	}
	b.cases = append(b.cases, b.suite.caseOf(f))
}

// caseOf is one of the generator's as a case of the suite.
func (s *Suite) caseOf(f *fixtures.Case) Case {
	x := Case{
		ID:         f.ID,
		Family:     f.Family,
		Path:       f.Path,
		Media:      f.Media,
		Tags:       f.Tags,
		Rule:       f.Rule,
		Line:       f.Line,
		Quote:      s.facts[f.Rule].Quote,
		Level:      f.Level,
		Part:       partOf(f),
		LevelBasis: f.LevelBasis,
		Change:     f.What,
		Control:    s.controls[f.Media],
		Sends:      f.ID,
		Aspect:     AspectOutcome,
		Expect:     f.Outcome,
		Request:    f.Request,
		made:       f,
	}
	if f.Path != "" {
		x.Change = string(f.Path) + ": " + f.What
	}
	if f.Control {
		x.Control, x.Change = "", "none: this is the control"
	}
	switch {
	case f.Outcome == oracle.OutcomeAccept:
		x.Why = "Expected: accepted, because " + f.Basis + "."
	case f.Outcome == oracle.OutcomeReject:
		x.Why = "Expected: rejected, because " + f.Basis + "."
	case f.Default != "":
		x.Expect = oracle.OutcomeAccept
		x.Why = "Expected: accepted, by the framework's default: " + f.Default + "."
	default:
		x.Why = "Accepted or rejected, since the page leaves it open: " + f.Basis + "."
	}
	switch {
	case f.Elsewhere:
		x.barred = "another path of a server may do anything"
	case f.Request.Raw != nil:
		x.barred = "malformed transport can disturb what stands in front of a server"
	}
	return x
}

// partOf is the part of the cases that one of the generator's is in.
func partOf(f *fixtures.Case) Part {
	switch {
	case f.Level == fixtures.LevelMust:
		return PartRules
	case f.Level == fixtures.LevelMay:
		return ""
	case f.Default != "":
		return PartFramework
	}
	return PartReadings
}

// replace puts the requests of another row of data in place of some: those that must
// be accepted are assigned to the rows round-robin; what is rejected differs from the control,
// which is of the first row.
func (b *builder) replace(made []fixtures.Case, row, rows uint64) {
	byID := map[string]*fixtures.Case{}
	for i := range made {
		byID[made[i].ID] = &made[i]
	}
	for i := range b.cases {
		x := &b.cases[i]
		f := byID[x.ID]
		if f != nil && f.Outcome != oracle.OutcomeReject && fixtures.Hash(x.ID)%rows == row && x.Control != "" {
			x.Request, x.made = f.Request, f
		}
	}
}

// mirror asks in the page's other JSON formats what was asked in the first: each
// format is a separate entry point to the same validation.
func (b *builder) mirror() {
	const each = 3 // per field, family and outcome
	type question struct {
		path   contracts.Path
		family fixtures.Family
		expect oracle.Outcome
	}
	first := b.suite.first
	var more []Case
	for _, m := range b.suite.operation.RequestFormats {
		if !m.IsJSON() || m.MediaType == first {
			continue
		}
		count := map[question]int{}
		for i := range b.cases {
			x := b.cases[i]
			if x.Level != fixtures.LevelMust || x.Path == "" || x.Media != first ||
				x.Request.Method != b.suite.operation.Method {
				continue
			}
			q := question{x.Path, x.Family, x.Expect}
			if x.Family != fixtures.FamilyLength {
				count[q]++
			}
			if count[q] > each || len(x.Request.Body) > largeBody {
				continue
			}
			x.ID = m.MediaType + "/" + x.ID
			x.Sends, x.Media, x.Control = x.ID, m.MediaType, b.suite.controls[m.MediaType]
			x.Request = x.Request.WithHeader("Content-Type", m.MediaType)
			more = append(more, x)
		}
	}
	b.cases = append(b.cases, more...)
}

// aspects adds what else a response should be: to one rejection of each rule in each
// format, and to the controls. No further request is sent for them.
func (b *builder) aspects() {
	type ruleIn struct {
		rule  contracts.RuleID
		media string
	}
	var out []Case
	seen := map[ruleIn]bool{}
	for _, x := range b.cases {
		out = append(out, x)
		if x.Control == "" || x.Level == fixtures.LevelMust && x.Request.Header("Accept") != "" {
			out = append(out, b.aspect(x, AspectFormat, fixtures.LevelMust))
			continue
		}
		key := ruleIn{x.Rule, x.Media}
		firm := x.Level == fixtures.LevelMust || x.Rule.Kind == contracts.RuleRequest
		if x.Expect != oracle.OutcomeReject || !firm || seen[key] || x.barred != "" || x.made.NotSent != "" {
			continue
		}
		seen[key] = true
		format := fixtures.LevelMust
		switch x.Rule.Kind {
		case contracts.RuleMethod:
			x.status = http.StatusMethodNotAllowed
			format = fixtures.LevelShould // a router may have responded
			out = append(out, b.aspect(x, AspectAllow, fixtures.LevelShould))
		case contracts.RuleRequest:
			x.status = http.StatusUnsupportedMediaType
			format = fixtures.LevelShould
		default:
			x.status = http.StatusBadRequest
			out = append(out, b.aspect(x, AspectModelState, fixtures.LevelShould))
			// Who cannot read the text cannot tell whose value it is.
			readable := x.Rule.Kind != contracts.RuleJSON
			if f := b.suite.operation.Field(x.Path); f != nil && readable && !unnamed(&x, f) {
				x.mentions = f.Name
				out = append(out, b.aspect(x, AspectNamed, fixtures.LevelShould))
			}
		}
		out = append(out, b.aspect(x, AspectStatus, fixtures.LevelShould), b.aspect(x, AspectFormat, format))
	}
	b.cases = out
}

// unnamed reports a case whose field the framework's error does not name: what a
// serializer misses has no key in ModelState, and without details no text.
func unnamed(x *Case, f *contracts.Field) bool {
	return x.Rule.Kind == contracts.RuleRequired && !f.Type.Kind.IsReference()
}

// aspect is a case that looks at the response to another.
func (b *builder) aspect(x Case, a Aspect, level fixtures.Level) Case {
	x.ID += "/" + string(a)
	x.Aspect, x.Level, x.Part = a, level, PartFramework
	x.LevelBasis = "framework default"
	switch a {
	case AspectStatus:
		x.Why = fmt.Sprintf("The framework rejects it with %d.", x.status)
	case AspectAllow:
		x.Why = "The response to another method lists the supported ones in Allow (RFC 9110, section 15.5.6)."
	case AspectModelState:
		x.Why = "The framework responds with a Message and a ModelState, which lists the errors by field."
	case AspectNamed:
		x.Why = "The framework's error names " + x.mentions + "."
	case AspectFormat:
		f := b.suite.operation.Response.Formats[0]
		x.Rule = contracts.RuleID{Kind: contracts.RuleResponse, Media: f.MediaType}
		x.Line, x.Quote = f.Fact.Line, f.Fact.Quote
		x.Why = "A body is in one of the response formats that the page lists."
		x.LevelBasis, x.Part = fmt.Sprintf("page line %d", f.Fact.Line), PartRules
		if level == fixtures.LevelShould {
			x.Part = PartReadings
			x.LevelBasis = "assumption: what stands in front of the endpoint may have responded"
		}
	}
	return x
}

// obeys lists the rules that the request obeys, in its own media type.
func (x *Case) obeys() []contracts.RuleID {
	rules := slices.Clone(x.made.Obeys)
	for i := range rules {
		if rules[i].Kind == contracts.RuleRequest {
			rules[i].Media = x.Media
		}
	}
	return rules
}
