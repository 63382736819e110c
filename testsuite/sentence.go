package testsuite

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/oracle"
	"github.com/seed47566266/understudy/fixtures"
)

// phrase is what the requests of a family are called in the title of a finding.
type phrase struct {
	// invalid are those that must be rejected, valid those that must be accepted.
	invalid, valid string
	// plain marks a family whose changes are understood without the phrase, and whole a
	// phrase that is understood without the changes.
	plain, whole bool
}

// phrases is the table of families.
var phrases = map[fixtures.Family]phrase{
	fixtures.FamilyRequired: {invalid: "a missing value", valid: "valid requests", whole: true},
	fixtures.FamilyOptional: {invalid: "invalid requests", valid: "valid requests"},
	fixtures.FamilyType: {
		invalid: "values of the wrong JSON type", valid: "values of the right JSON type", plain: true,
	},
	fixtures.FamilyLength: {invalid: "text that is too long", valid: "text that is not too long", plain: true},
	fixtures.FamilyText: {
		invalid: "text that is invalid", valid: "text that looks like something else", plain: true,
	},
	fixtures.FamilyGUID:    {invalid: "malformed GUIDs", valid: "valid GUIDs"},
	fixtures.FamilyDate:    {invalid: "invalid dates", valid: "valid dates"},
	fixtures.FamilyDecimal: {invalid: "invalid decimal numbers", valid: "valid decimal numbers"},
	fixtures.FamilyInteger: {invalid: "invalid integers", valid: "valid integers"},
	fixtures.FamilyList:    {invalid: "invalid lists", valid: "valid lists"},
	fixtures.FamilyName:    {invalid: "fields under other names", valid: "names in another case"},
	fixtures.FamilySeveral: {invalid: "several rule violations in one request", valid: "valid requests"},
	fixtures.FamilyMeaning: {
		invalid: "values that contradict each other", valid: "valid values that are unusual together",
	},
	fixtures.FamilySyntax: {
		invalid: "bodies that are not the JSON object of the page", valid: "valid JSON in unusual spelling",
	},
	fixtures.FamilyDepth: {invalid: "deep nesting", valid: "deep nesting"},
	fixtures.FamilyEncoding: {
		invalid: "bytes invalid in the declared charset", valid: "valid declarations of UTF-8",
	},
	fixtures.FamilyMedia: {
		invalid: "media types that the page does not list", valid: "spellings of a listed media type",
	},
	fixtures.FamilyForm:      {invalid: "invalid values in forms", valid: "valid forms"},
	fixtures.FamilyProtocol:  {invalid: "other methods or paths", valid: "headers and paths that change nothing"},
	fixtures.FamilyTransport: {invalid: "malformed HTTP", valid: "unusual but valid HTTP"},
	fixtures.FamilyValid:     {invalid: "invalid payloads", valid: "valid payloads with several fields", whole: true},
	fixtures.FamilyCombination: {
		invalid: "combinations with an invalid value", valid: "combinations of valid values",
	},
	fixtures.FamilyFuzz: {
		invalid: "random requests that break a rule", valid: "random valid requests", whole: true,
	},
	fixtures.FamilyNaughty: {invalid: "text that is too long", valid: "strings that break software", plain: true},
}

// ruled are the phrases of a family's cases about one kind of rule, where they differ.
func ruled(family fixtures.Family, kind contracts.RuleKind) phrase {
	p := phrases[family]
	switch kind {
	case contracts.RuleJSON:
		if family != fixtures.FamilyEncoding {
			p.invalid = "malformed JSON"
		}
	case contracts.RuleRequired:
		switch family {
		case fixtures.FamilyForm:
			p.invalid = "a missing value in forms"
		case fixtures.FamilyMedia:
			p.invalid = "bodies in another media type than they declare"
		}
	case contracts.RuleLength:
		if family == fixtures.FamilyForm {
			p.invalid = "text that is too long in forms"
		}
	case contracts.RuleBody:
		switch family {
		case fixtures.FamilyName:
			p.invalid = "a body in a wrapper"
			p.valid = "fields that the page does not list"
		}
	case contracts.RuleMethod:
		p.invalid, p.plain = "other methods", true
	case contracts.RuleRoute:
		p.invalid = "other paths"
	}
	return p
}

const (
	// shownFields and shownKinds are how many fields and kinds of requests a title names.
	shownFields = 3
	shownKinds  = 4
	// roomForChanges is about how many bytes a title has for them.
	roomForChanges = 60
)

// title is what is wrong, in a sentence.
func (f *folder) title(g *failing, fields []contracts.Path) string {
	example := g.cases[0]
	if g.aspect != AspectOutcome {
		return f.aspectTitle(g, fields)
	}
	requests := map[oracle.Outcome]string{
		oracle.OutcomeAccept: "valid requests", oracle.OutcomeReject: "invalid requests",
		oracle.OutcomeUnspecified: "requests that the page leaves open",
	}[g.expect]
	switch {
	case g.mediaNotTaken():
		var media []string
		for _, x := range g.cases {
			if !slices.Contains(media, x.Media) {
				media = append(media, x.Media)
			}
		}
		return "The target does not take " + listed(media)
	case !f.validates && g.failure == FailureAccepted && isAboutBody(example):
		return "The target accepts every invalid body"
	case f.lacksRequired(example):
		return "The target requires " + listed(namesOf(f.requires)) + ", which the page does not list as Required"
	case g.failure == FailureRejected && example.Control == "" && f.rejects != "":
		return "The target rejects the value of " + string(f.rejects) + " in a valid request" + f.said(example)
	case g.failure == FailureRejected && example.Control == "":
		return "The target rejects a valid request" + f.said(example)
	case g.failure == FailureStatus && example.Control == "":
		return fmt.Sprintf("Status %s, which means neither accepted nor rejected, for a valid request", g.got)
	case g.failure == FailureStatus:
		return fmt.Sprintf("Status %s, which means neither accepted nor rejected, for %s", g.got,
			f.object(g, requests)+where(g, fields))
	case g.failure == FailureServerError:
		return fmt.Sprintf("Server error %s for %s", g.got, f.object(g, requests)+where(g, fields))
	case g.failure == FailureDied:
		var ids []string
		for _, x := range g.cases {
			ids = append(ids, x.ID)
		}
		return "The target died at " + strings.Join(ids, ", ")
	case g.failure == FailureNoResponse:
		return "No response to " + f.object(g, requests) + where(g, fields)
	}
	subject, verb, one := "The target", "accept", "s"
	if g.failure == FailureRejected {
		verb = "reject"
	}
	if g.kind != contracts.RuleJSON && g.inFields() {
		subject = named(fields)
		if len(fields) > 1 {
			one = ""
		}
	}
	return subject + " " + verb + one + " " + f.object(g, requests) + f.alone(g)
}

// said is the beginning of what the target says in a response.
func (f *folder) said(x *Result) string {
	e := f.exchanges[x.Sends]
	if e == nil {
		return ""
	}
	text := oneLine(e.Received.Body.String())
	if text == "" {
		return ""
	}
	return ": " + cut(text, roomForChanges)
}

// where names the fields of a finding all of whose cases are about one.
func where(g *failing, fields []contracts.Path) string {
	if !g.inFields() {
		return ""
	}
	return " in " + named(fields)
}

// alone names the media type of a finding where the same request in another one passes.
func (f *folder) alone(g *failing) string {
	media, made := g.cases[0].Media, map[*fixtures.Case]bool{}
	for _, x := range g.cases {
		if x.Media != media {
			return ""
		}
		made[x.made] = true
	}
	for i := range f.results.Cases {
		x := &f.results.Cases[i]
		if x.Aspect == AspectOutcome && x.Media != media && x.Verdict == VerdictPass && made[x.made] {
			return " in " + media + " alone"
		}
	}
	return ""
}

// object is what the requests of a finding are.
func (f *folder) object(g *failing, requests string) string {
	var kinds []string
	plain, whole := true, true
	for _, x := range g.cases {
		p := ruled(x.Family, x.Rule.Kind)
		if x.Rule.Kind == contracts.RuleRobustness {
			p = phrases[x.Family]
		}
		words := p.invalid
		if g.expect == oracle.OutcomeAccept {
			words = p.valid
		}
		plain, whole = plain && p.plain, whole && p.whole
		if !slices.Contains(kinds, words) {
			kinds = append(kinds, words)
		}
	}
	if g.expect == oracle.OutcomeUnspecified {
		return few(f.changes(g))
	}
	if len(kinds) > shownKinds {
		return fmt.Sprintf("%s of %d kinds", requests, len(kinds))
	}
	changes := f.changes(g)
	if len(kinds) > 1 && len(changes) > 1 {
		return listed(kinds)
	}
	kinds[0] = listed(kinds)
	if len(changes) == 1 && plain {
		return changes[0]
	}
	if whole {
		return kinds[0]
	}
	return kinds[0] + " (" + few(changes) + ")"
}

// changes are what was changed in the requests of a finding, each once.
func (f *folder) changes(g *failing) []string {
	var changes []string
	for _, x := range g.cases {
		if what := f.text(x.made.What); !slices.Contains(changes, what) {
			changes = append(changes, what)
		}
	}
	return changes
}

// few is the first of a list of changes, as many as a title has room for.
func few(changes []string) string {
	text := changes[0]
	for _, change := range changes[1:] {
		if len(text)+len(change) > roomForChanges {
			return text + "; …"
		}
		text += "; " + change
	}
	return text
}

// aspectTitle is what is wrong with responses.
func (f *folder) aspectTitle(g *failing, fields []contracts.Path) string {
	x := g.cases[0]
	rejections := "Rejections"
	if len(g.cases) == 1 {
		rejections = "The rejection of " + f.text(x.made.What)
	}
	switch g.aspect {
	case AspectStatus:
		return rejections + ": " + x.Reason
	case AspectModelState:
		return "Rejections have no Message and ModelState"
	case AspectNamed:
		return "Rejections do not name the field at fault: " + named(fields)
	case AspectAllow:
		return rejections + ": " + x.Reason
	}
	return "Responses: " + x.Reason
}

// named names a few fields, or says how many there are.
func named(fields []contracts.Path) string {
	if len(fields) > shownFields {
		return fmt.Sprintf("%d fields", len(fields))
	}
	return listed(namesOf(fields))
}

func namesOf(fields []contracts.Path) []string {
	names := make([]string, len(fields))
	for i, path := range fields {
		names[i] = string(path)
	}
	return names
}

// listed is a list in a sentence.
func listed(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " and " + words[last]
}
