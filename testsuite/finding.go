package testsuite

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/oracle"
	"github.com/seed47566266/understudy/fixtures"
)

// Part is a part of the cases: what kind of thing a failure is against.
type Part string

const (
	// PartRules covers what the page states, and the grammar of JSON and HTTP.
	PartRules Part = "rules"
	// PartReadings covers readings of the page against which something can be said.
	PartReadings Part = "readings"
	// PartFramework covers the framework's defaults: the shape of a rejection, its exact
	// status, and what it accepts where the page is silent.
	PartFramework Part = "framework"
	// PartRobustness covers requests that break a target, whatever the page says of them.
	PartRobustness Part = "robustness"
)

// Parts are all of them, in the order in which reports list them.
func Parts() []Part { return []Part{PartRules, PartRobustness, PartReadings, PartFramework} }

// Finding is the failures that have one cause, as far as the cases can tell.
type Finding struct {
	// ID is path-like and names the finding within its run.
	ID string `json:"id"`
	// Title is what is wrong, in a sentence without a full stop.
	Title string `json:"title"`
	// Hint is what to do about it besides mending the target; mostly empty.
	Hint string `json:"hint,omitempty"`
	// Level is that of its cases.
	Level fixtures.Level `json:"level"`
	// Part is that of its cases.
	Part Part `json:"part"`
	// Failure is the way in which they fail.
	Failure Failure `json:"failure"`
	// Fields are those that the cases are about, in the page's order.
	Fields []contracts.Path `json:"fields,omitempty"`
	// Rules are those that the target breaks.
	Rules []contracts.RuleID `json:"rules"`
	// Cases are the ids of the failing cases, in the order of the catalogue.
	Cases []string `json:"cases"`
	// Example is the id of the case with the smallest request.
	Example string `json:"example"`
	// Least is the least request that was found to fail in the same way as the example; nil if
	// none is smaller.
	Least *Sent `json:"least,omitempty"`
	// Counts marks a finding that fails the run.
	Counts bool `json:"counts,omitempty"`
}

// cause is what failing cases have in common that are one finding.
type cause struct {
	level   fixtures.Level
	part    Part
	aspect  Aspect
	failure Failure
	expect  oracle.Outcome
	family  fixtures.Family
	kind    contracts.RuleKind
	got     string // the status, or the media type, of the response
}

// familyNumber is the families of numbers, which one reader of numbers decides.
const familyNumber fixtures.Family = "number"

// folder folds failing cases into findings.
type folder struct {
	results   *Results
	first     string // the page's first JSON media type
	text      func(string) string
	exchanges map[string]*Exchange
	// requires are optional fields without which the target was seen to reject.
	requires []contracts.Path
	// rejects is the field whose valid value in the control the target rejects.
	rejects contracts.Path
	// recent are the requests that got a response last.
	recent []string
	// parallel is how many requests were under way at a time.
	parallel int
	// validates is false for a target that accepted every body that must be rejected.
	validates bool
}

// failing is the cases of a finding that is being made.
type failing struct {
	cause
	cases []*Result
}

// fold finds the causes of all that fails, the gravest first.
func (f *folder) fold() []Finding {
	f.validates = f.anyRejected()
	at := map[cause]int{}
	var all []failing
	for i := range f.results.Cases {
		x := &f.results.Cases[i]
		if x.Verdict != VerdictFail {
			continue
		}
		key := f.cause(x)
		j, known := at[key]
		if !known {
			j = len(all)
			at[key] = j
			all = append(all, failing{cause: key})
		}
		all[j].cases = append(all[j].cases, x)
	}
	all = mergeByFields(all)
	parts := Parts()
	slices.SortStableFunc(all, func(a, b failing) int {
		return cmp.Or(
			b.level.Weight()-a.level.Weight(),
			slices.Index(parts, a.part)-slices.Index(parts, b.part),
			// What is not taken hides more than what fails.
			b.hidden()-a.hidden(),
			len(b.cases)-len(a.cases),
		)
	})
	found := make([]Finding, 0, len(all))
	count := map[string]int{}
	for i := range all {
		next := f.finding(&all[i])
		if count[next.ID]++; count[next.ID] > 1 {
			next.ID += fmt.Sprintf("/%d", count[next.ID])
		}
		found = append(found, next)
	}
	return found
}

// hidden is 1 for a finding for which other requests were not sent.
func (g *failing) hidden() int {
	if g.mediaNotTaken() {
		return 1
	}
	return 0
}

// mediaNotTaken reports the finding of media types that the target does not take.
func (g *failing) mediaNotTaken() bool {
	return g.kind == contracts.RuleRequest && g.failure == FailureRejected
}

// isAboutBody reports a case whose rule is one of the body's.
func isAboutBody(x *Result) bool {
	switch x.Rule.Kind {
	case contracts.RuleMethod, contracts.RuleRoute, contracts.RuleRequest, contracts.RuleHTTP:
		return false
	}
	return x.Aspect == AspectOutcome && x.Family != fixtures.FamilyMedia
}

// anyRejected reports that a body that must be rejected was, or that too few were sent to
// say that none is.
func (f *folder) anyRejected() bool {
	families, fields := map[fixtures.Family]bool{}, map[contracts.Path]bool{}
	for i := range f.results.Cases {
		x := &f.results.Cases[i]
		if !isAboutBody(x) || x.Expect != oracle.OutcomeReject || x.Level != fixtures.LevelMust {
			continue
		}
		switch x.Verdict {
		case VerdictPass:
			return true
		case VerdictFail:
			families[x.Family], fields[x.Path] = true, true
		}
	}
	return len(families) < manyCauses || len(fields) < manyCauses
}

// manyCauses is how many families of cases, and fields, have to fail before all of them are
// said to.
const manyCauses = 5

// cause is why a case fails, as far as the case tells.
func (f *folder) cause(x *Result) cause {
	c := cause{level: x.Level, part: x.Part, aspect: x.Aspect, failure: x.Failure}
	if x.Aspect != AspectOutcome {
		switch x.Aspect {
		case AspectStatus:
			c.got = fmt.Sprint(f.status(x))
		case AspectFormat:
			c.got = f.media(x)
		}
		return c
	}
	if x.Failure == FailureDied {
		return c // whatever was asked
	}
	c.expect = x.Expect
	family := x.Family
	if family == fixtures.FamilyInteger || family == fixtures.FamilyDecimal {
		family = familyNumber
	}
	switch {
	case !f.validates && x.Failure == FailureAccepted && isAboutBody(x):
		// One cause is enough.
	case f.lacksRequired(x):
		c.family = fixtures.FamilyOptional
	case f.results.stop == stopData && x.Failure == FailureRejected:
		c.family = fixtures.FamilyMedia // the control's, which was looked into
	case f.notTaken(x):
		c.family, c.kind, c.failure = fixtures.FamilyMedia, contracts.RuleRequest, FailureRejected
	case x.Failure == FailureStatus, x.Failure == FailureServerError:
		c.got = fmt.Sprint(f.status(x))
	case x.Failure == FailureNoResponse:
		// What breaks a target is rarely about one rule.
	case x.Rule.Kind == contracts.RuleJSON && x.Family != fixtures.FamilyEncoding:
		c.kind = x.Rule.Kind
	case x.Expect == oracle.OutcomeAccept && x.Rule.Kind != contracts.RuleBody:
		c.family = family
	default:
		c.family, c.kind = family, x.Rule.Kind
	}
	return c
}

// lacksRequired reports a valid request that was rejected because the target requires
// more fields than the page does.
func (f *folder) lacksRequired(x *Result) bool {
	return len(f.requires) > 0 && x.Failure == FailureRejected &&
		(x.Control == "" || slices.Contains(f.requires, x.made.Lacks))
}

// notTaken reports a request in a media type that the target does not take: the valid one
// was rejected, or another was for what it declares.
func (f *folder) notTaken(x *Result) bool {
	if x.Control == "" && x.Rule.Kind == contracts.RuleRequest && x.Failure == FailureRejected {
		return x.Media != f.first || f.status(x) == statusUnsupported
	}
	return x.Failure == FailureStatus && f.status(x) == statusUnsupported && !f.takes(x.Media) &&
		x.made.Request.Header("Content-Type") == x.Media
}

// takes reports that the valid request of a media type was accepted.
func (f *folder) takes(media string) bool {
	return slices.ContainsFunc(f.results.Cases, func(x Result) bool {
		return x.Control == "" && x.Aspect == AspectOutcome && x.Media == media && x.Verdict == VerdictPass
	})
}

const statusUnsupported = 415

func (f *folder) status(x *Result) int {
	if e := f.exchanges[x.Sends]; e != nil {
		return e.Received.Status
	}
	return 0
}

func (f *folder) media(x *Result) string {
	if e := f.exchanges[x.Sends]; e != nil {
		for _, h := range e.Received.Headers {
			if h.Name == "Content-Type" {
				return mediaOf(h.Value)
			}
		}
	}
	return ""
}

// manyFamilies is how many families of cases must fail for the same fields alone before
// the fields are the cause rather than each family.
const manyFamilies = 3

// mergeByFields makes one of findings that are about the same fields and fail in the same
// way: a field that is not validated at all fails in every family.
func mergeByFields(all []failing) []failing {
	key := func(g *failing) string {
		if g.aspect != AspectOutcome || g.family == "" || !g.inFields() {
			return ""
		}
		return fmt.Sprint(g.level, g.part, g.failure, g.expect, fieldsOf(g.cases))
	}
	count := map[string]int{}
	for i := range all {
		count[key(&all[i])]++
	}
	var merged []failing
	at := map[string]int{}
	for _, g := range all {
		k := key(&g)
		if k == "" || count[k] < manyFamilies {
			merged = append(merged, g)
			continue
		}
		if j, known := at[k]; known {
			merged[j].cases = append(merged[j].cases, g.cases...)
			continue
		}
		at[k] = len(merged)
		g.family, g.kind = "", ""
		merged = append(merged, g)
	}
	return merged
}

// inFields reports that every case is about a field.
func (g *failing) inFields() bool {
	return !slices.ContainsFunc(g.cases, func(x *Result) bool { return x.Path == "" })
}

func fieldsOf(cases []*Result) []contracts.Path {
	var fields []contracts.Path
	for _, x := range cases {
		if x.Path != "" && !slices.Contains(fields, x.Path) {
			fields = append(fields, x.Path)
		}
	}
	return fields
}

// blamed are the fields that a finding is about. Where requests with an optional field
// alone are rejected, those with every other field are for the same reason.
func (g *failing) blamed() []contracts.Path {
	var alone []*Result
	for _, x := range g.cases {
		if g.family == fixtures.FamilyOptional && x.made.Lacks == "" {
			alone = append(alone, x)
		}
	}
	if fields := fieldsOf(alone); len(fields) > 0 {
		return fields
	}
	return fieldsOf(g.cases)
}

// finding describes failing cases.
func (f *folder) finding(g *failing) Finding {
	out := Finding{
		Level: g.level, Part: g.part, Failure: g.cases[0].Failure, Fields: g.blamed(),
		Counts: f.results.Counts(g.cases[0]),
	}
	smallest := g.cases[0]
	for _, x := range g.cases {
		out.Cases = append(out.Cases, x.ID)
		if !slices.Contains(out.Rules, x.Rule) {
			out.Rules = append(out.Rules, x.Rule)
		}
		if f.size(x) < f.size(smallest) {
			smallest = x
		}
	}
	out.Example = smallest.ID
	out.ID, out.Title = g.id(out.Fields), f.title(g, out.Fields)
	switch {
	case g.mediaNotTaken():
		out.Hint = f.takesOnly()
	case f.lacksRequired(g.cases[0]):
		out.Fields = f.requires
	case g.failure == FailureRejected && g.cases[0].Control == "" && f.rejects != "":
		out.Fields = []contracts.Path{f.rejects}
	case g.failure == FailureDied:
		out.Hint = f.before(out.Cases)
	}
	return out
}

// before says what else a target may have died of, besides the requests under way.
func (f *folder) before(cases []string) string {
	last := f.recent[max(0, len(f.recent)-f.parallel):]
	last = slices.DeleteFunc(slices.Clone(last), func(id string) bool { return slices.Contains(cases, id) })
	if len(last) == 0 {
		return ""
	}
	text := "or just after the response to " + strings.Join(last, ", ")
	if f.parallel > 1 {
		text += "; start it again, and --parallel 1 with --run and these ids tells which"
	}
	return text
}

// id is the path-like name of a finding.
func (g *failing) id(fields []contracts.Path) string {
	words := []string{strings.ToLower(string(g.level))}
	for _, word := range []string{string(g.part), string(g.family), string(g.kind)} {
		if word != "" && word != words[len(words)-1] && word != string(PartRules) {
			words = append(words, word)
		}
	}
	if g.aspect != AspectOutcome {
		words = append(words, string(g.aspect))
	} else {
		if g.family == "" && g.kind == "" && !breaksTarget(g.failure) && g.failure != FailureStatus {
			for _, path := range fields[:min(len(fields), shownFields)] {
				words = append(words, string(path))
			}
		}
		words = append(words, strings.ReplaceAll(string(g.failure), " ", "-"))
		if g.failure != FailureAccepted && g.failure != FailureRejected && g.failure != FailureDied {
			words = append(words, string(g.expect))
		}
	}
	if g.got != "" {
		words = append(words, g.got)
	}
	return strings.Join(words, "/")
}

func (f *folder) size(x *Result) int {
	if e := f.exchanges[x.Sends]; e != nil {
		return e.Sent.Body.Bytes
	}
	return 0
}

// takesOnly says how to leave out the media types that the target does not take.
func (f *folder) takesOnly() string {
	var taken []string
	for i := range f.results.Cases {
		x := &f.results.Cases[i]
		switch {
		case x.Aspect != AspectOutcome || x.Control != "" || x.Rule.Kind != contracts.RuleRequest:
		case x.Verdict == VerdictPass:
			taken = append(taken, x.Media)
		case x.Verdict != VerdictFail:
			return "" // nobody knows
		}
	}
	if len(taken) == 0 {
		return ""
	}
	return "the target takes only " + strings.Join(taken, ", ") + ": --media " + strings.Join(taken, ",")
}

// Counts reports whether a failure of a case fails the run.
func (r *Results) Counts(x *Result) bool {
	return x.Level == fixtures.LevelMust || x.Level == fixtures.LevelShould && slices.Contains(r.FailOn, x.Part)
}
