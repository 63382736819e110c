package testsuite

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/fixtures"
)

// Level is how much a case asks of a target.
type Level string

const (
	// Must is of a rule that the page states, or of the grammar of JSON or HTTP.
	Must Level = "MUST"
	// Should is of what the framework does by default, and of readings of the page
	// that a server may hold something against.
	Should Level = "SHOULD"
	// May is of what the page leaves open: reported and never failed.
	May Level = "MAY"
)

func (l Level) weight() int {
	switch l {
	case Must:
		return 3
	case Should:
		return 2
	case May:
		return 1
	}
	return 0
}

// Aspect is what a case looks at in an answer.
type Aspect string

const (
	// Outcome is whether the request was accepted or refused.
	Outcome Aspect = "outcome"
	// Status is the exact status of a refusal.
	Status Aspect = "status"
	// Allow is the header that goes with 405.
	Allow Aspect = "allow"
	// ModelState is the shape of a refusal's body.
	ModelState Aspect = "modelstate"
	// Named is whether a refusal names the member that is wrong.
	Named Aspect = "named"
	// Format is whether an answer's body is in a format that the page lists.
	Format Aspect = "format"
)

// Case is one question to a target.
type Case struct {
	// ID is stable and path-like. A case that looks at another aspect of an answer
	// has the id of its request's case and the aspect: Reason/length/251/status.
	ID string `json:"id"`
	// Group is the family; Field the member that it is about, if it is about one.
	Group string `json:"group"`
	Field string `json:"field,omitempty"`
	// Media is the media type of the body, one of the page's, or the first of them
	// where the case is not about one.
	Media string `json:"media"`
	Level Level  `json:"level"`
	// Basis says where the level comes from.
	Basis string `json:"basis"`
	// Why says in one sentence what is expected, and why.
	Why string `json:"why"`
	// Rule is the contract's rule; Line and Quote are the page's, 0 and empty where
	// it has none.
	Rule  string `json:"rule"`
	Line  int    `json:"line,omitempty"`
	Quote string `json:"quote,omitempty"`
	// Change is the one change from the control, whose id is Control; a control has
	// none.
	Change  string `json:"change"`
	Control string `json:"control,omitempty"`
	// Sends is the id of the case whose request this one looks at: its own, unless
	// Aspect is another than Outcome.
	Sends   string           `json:"sends"`
	Aspect  Aspect           `json:"aspect"`
	Expect  fixtures.Outcome `json:"expect"`
	Request fixtures.Request `json:"-"`

	breaks    string // the rule that the request breaks, whatever the aspect
	status    int    // that an aspect asks for
	barred    string // why it is not sent to a target elsewhere
	omitted   string // why it is not made, and sent nowhere
	mentioned string // the member that an error should name
}

const formType = "application/x-www-form-urlencoded"

// build makes the catalogue.
func (p *prepared) build(c *Config) error {
	rows := c.Data
	if len(rows) == 0 {
		rows = []map[string]string{nil}
	}
	if len(rows) > maxRows {
		return fmt.Errorf("the data have %d rows: use %d or fewer", len(rows), maxRows)
	}
	b := &builder{contract: p.contract, quotes: map[string]contracts.Fact{}}
	for _, r := range p.contract.Rules() {
		b.quotes[r.ID] = r.Fact
	}
	for i, row := range rows {
		set := map[string]string{}
		for name, value := range c.Set {
			set[name] = value
		}
		for name, value := range row {
			set[name] = value
		}
		g, err := fixtures.New(p.contract, fixtures.Options{Seed: c.Seed, Now: c.Now, Set: set})
		if err != nil {
			if len(c.Data) > 0 {
				return fmt.Errorf("row %d of the data: %w", i+1, err)
			}
			return err
		}
		made, omitted, err := sources(g, c.Combinations)
		if err != nil {
			return err
		}
		if i == 0 {
			b.g = g
			for i := range made {
				b.add(&made[i])
			}
			for _, o := range omitted {
				b.omit(&o)
			}
			continue
		}
		// What has to be accepted takes turns between the rows; what is refused
		// differs from the control, which is of the first.
		for j := range made {
			f := &made[j]
			if at, known := b.index[f.ID]; known && f.Outcome != fixtures.Reject && hash(f.ID)%uint64(len(rows)) == uint64(i) && b.cases[at].Control != "" {
				b.cases[at].Request = f.Request
			}
		}
	}
	b.mirror()
	b.aspects()
	p.all = b.cases
	return nil
}

// maxRows keeps the making of the cases, a tenth of a second a row, to seconds.
const maxRows = 50

// sources are the generator's cases, and those that it does not make.
func sources(g *fixtures.Generator, combinations int) ([]fixtures.Case, []fixtures.Omitted, error) {
	all, omitted := g.Catalogue()
	for i := range validRows {
		all = append(all, g.ValidCase(uint64(i)))
	}
	all = append(all, g.Naughty()...)
	if combinations > 0 {
		rows, err := g.Combinations(combinations)
		if err != nil {
			return nil, nil, err
		}
		all = append(all, rows...)
	}
	return all, omitted, nil
}

type builder struct {
	contract *contracts.Contract
	g        *fixtures.Generator
	quotes   map[string]contracts.Fact
	cases    []Case
	index    map[string]int
}

// controlID is the id of the good request of a media type.
func controlID(media string) string { return "media/listed/" + media }

// add makes a case of the generator's.
func (b *builder) add(f *fixtures.Case) {
	if f.Group == "several" || f.Group == "required" && f.Field == "" {
		return // more than one change from a good request tells nothing of either
	}
	away := b.elsewhere(f.Request.Path)
	if away && f.Outcome != fixtures.Reject {
		return // what another path does is not the page's to say
	}
	x := Case{
		ID: f.ID, Group: f.Group, Field: f.Field, Media: b.media(f), Rule: f.Rule, Line: f.Line, Quote: b.quotes[f.Rule].Quote,
		breaks: f.Rule, Change: f.What, Sends: f.ID, Aspect: Outcome, Expect: f.Outcome, Request: f.Request,
	}
	if f.Field != "" {
		x.Change = f.Field + ": " + f.What
	}
	x.Control = controlID(x.Media)
	if x.ID == x.Control {
		x.Control, x.Change = "", "none: this is the control"
	}
	b.level(&x, f)
	switch {
	case away:
		x.barred = "another path of a server may do anything"
	case f.Request.Raw != nil:
		x.barred = "malformed transport can disturb what stands in front of a server"
	}
	if b.index == nil {
		b.index = map[string]int{}
	}
	b.index[x.ID] = len(b.cases)
	b.cases = append(b.cases, x)
}

// omit makes a case that is named and not sent.
func (b *builder) omit(o *fixtures.Omitted) {
	b.add(&fixtures.Case{ID: o.ID, Group: o.Group, Field: o.Field, What: o.What, Verdict: o.Verdict,
		Request: fixtures.Request{Method: b.contract.Method, Path: "/" + b.contract.Route, Headers: []fixtures.Header{{Name: "Content-Type", Value: o.Media}}}})
	b.cases[len(b.cases)-1].omitted = o.Why
}

// elsewhere reports a path that is not the contract's in any host's reading.
func (b *builder) elsewhere(path string) bool {
	path, _, _ = strings.Cut(path, "?")
	decoded, err := url.PathUnescape(path)
	return err != nil || !strings.EqualFold(strings.TrimSuffix(decoded, "/"), "/"+b.contract.Route) || strings.Contains(strings.ToUpper(path), "%2F")
}

// media is the page's media type that a case's body has; the first one where it
// has none of them.
func (b *builder) media(f *fixtures.Case) string {
	if f.Request.Raw == nil {
		name, _, _ := strings.Cut(f.Request.Header("Content-Type"), ";")
		name = strings.ToLower(strings.TrimSpace(name))
		for _, m := range b.contract.RequestFormats {
			if m.MediaType == name {
				return name
			}
		}
	}
	return firstJSON(b.contract)
}

func firstJSON(c *contracts.Contract) string {
	for _, m := range c.RequestFormats {
		if strings.HasSuffix(m.MediaType, "/json") {
			return m.MediaType
		}
	}
	return c.RequestFormats[0].MediaType
}

// level says what a case asks, and why.
func (b *builder) level(x *Case, f *fixtures.Case) {
	fact := b.quotes[f.Rule]
	x.Why = "It has to be accepted: " + f.Basis + "."
	if f.Outcome == fixtures.Reject {
		x.Why = "It has to be refused: " + f.Basis + "."
	}
	switch {
	case f.Outcome == fixtures.Unspecified:
		x.Level, x.Basis = May, "the page leaves it open: "+f.Basis
		x.Why = "It may be accepted or refused: " + f.Basis + "."
		if why := b.framework(f); why != "" {
			x.Level, x.Basis, x.Expect = Should, "framework default: "+why, fixtures.Accept
			x.Why = "It should be accepted: " + why + "."
		}
	case f.Group == "transport":
		x.Level, x.Basis = Should, "HTTP's grammar, which a host reads before the endpoint does"
	case f.Request.Method == http.MethodHead:
		x.Level, x.Basis = Should, "assumption: HEAD changes nothing, and hosts answer it on their own"
	case f.Group == "meaning":
		x.Level, x.Basis = Should, "assumption: the page states no rule between members"
	case f.Latitude != "":
		x.Level, x.Basis = Should, "assumption: "+f.Latitude
	case f.Rule == "json" || f.Rule == "http":
		x.Level, x.Basis = Must, "the grammar of "+strings.ToUpper(f.Rule)
	case fact.Source == contracts.Inferred && f.Outcome == fixtures.Reject:
		x.Level, x.Basis = Should, "assumption: "+fact.Because
	default:
		x.Level, x.Basis = Must, fmt.Sprintf("page line %d", f.Line)
	}
}

// framework is why the framework accepts, by default, what the page is silent on:
// names in another case and names that the page does not list.
func (b *builder) framework(f *fixtures.Case) string {
	if f.Group != "name" {
		return ""
	}
	body, folded, dropped := b.asListed(f.Request.Body)
	if body == nil || folded == dropped {
		return ""
	}
	r := f.Request
	r.Body = body
	if b.g.Judge(&r).Outcome != fixtures.Accept {
		return ""
	}
	if folded {
		return "names are read without regard to case"
	}
	return "members that the model lacks are ignored"
}

// asListed rewrites a body with the page's spelling of names and without members
// that it does not list; nil if a name is there twice or is the serializer's own.
func (b *builder) asListed(body []byte) (out []byte, folded, dropped bool) {
	d := json.NewDecoder(bytes.NewReader(body))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, false, false
	}
	kept := map[string]json.RawMessage{}
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		var value json.RawMessage
		if err != nil || !ok || d.Decode(&value) != nil || strings.HasPrefix(name, "$") {
			return nil, false, false
		}
		f := b.contract.Body.Field(name)
		switch {
		case f == nil:
			dropped = true
			continue
		case f.Name != name:
			folded = true
		}
		if _, twice := kept[f.Name]; twice {
			return nil, false, false
		}
		kept[f.Name] = value
	}
	if _, err := d.Token(); err != nil {
		return nil, false, false
	}
	out, err := json.Marshal(kept)
	if err != nil {
		return nil, false, false
	}
	return out, folded, dropped
}

// mirror asks in the page's other JSON formats what was asked in the first: a
// format is a door of its own to the same rules.
func (b *builder) mirror() {
	const each = 3 // of a member, a family and an outcome
	var more []Case
	for _, m := range b.contract.RequestFormats {
		if !strings.HasSuffix(m.MediaType, "/json") || m.MediaType == firstJSON(b.contract) {
			continue
		}
		count := map[string]int{}
		for i := range b.cases {
			x := b.cases[i]
			key := x.Field + " " + x.Group + " " + string(x.Expect)
			if x.Level != Must || x.Field == "" || x.Media != firstJSON(b.contract) || x.Request.Method != b.contract.Method {
				continue
			}
			if x.Group != "length" {
				count[key]++
			}
			if count[key] > each || len(x.Request.Body) > largeBody {
				continue
			}
			x.ID = m.MediaType + "/" + x.ID
			x.Sends, x.Media, x.Control = x.ID, m.MediaType, controlID(m.MediaType)
			x.Request.Headers = withHeader(x.Request.Headers, "Content-Type", m.MediaType)
			more = append(more, x)
		}
	}
	for _, x := range more {
		b.index[x.ID] = len(b.cases)
		b.cases = append(b.cases, x)
	}
}

// largeBody is where a server may say 413 in place of another refusal.
const largeBody = 64 << 10

func withHeader(headers []fixtures.Header, name, value string) []fixtures.Header {
	out := append([]fixtures.Header(nil), headers...)
	for i := range out {
		if strings.EqualFold(out[i].Name, name) {
			out[i].Value = value
			return out
		}
	}
	return append(out, fixtures.Header{Name: name, Value: value})
}

// aspects adds what else an answer should be: to one refusal of each rule in each
// format, and to the controls. No further request is sent for them.
func (b *builder) aspects() {
	var out []Case
	seen := map[string]bool{}
	for _, x := range b.cases {
		out = append(out, x)
		if x.Control == "" || x.Group == "protocol" && x.Level == Must && x.Request.Header("Accept") != "" {
			out = append(out, b.aspect(x, Format, Must))
			continue
		}
		key := x.Rule + " " + x.Media
		if x.Expect != fixtures.Reject || x.Level != Must || seen[key] || x.barred != "" || x.omitted != "" {
			continue
		}
		seen[key] = true
		inModel := Must
		switch {
		case x.Rule == "method":
			x.status = http.StatusMethodNotAllowed
			inModel = Should // a router may have answered
			out = append(out, b.aspect(x, Allow, Should))
		case strings.HasPrefix(x.Rule, "request/"):
			x.status = http.StatusUnsupportedMediaType
			inModel = Should
		default:
			x.status = http.StatusBadRequest
			out = append(out, b.aspect(x, ModelState, Should))
			if x.Field != "" && !b.unnamed(x) {
				x.mentioned = x.Field[strings.LastIndexByte(x.Field, '/')+1:]
				out = append(out, b.aspect(x, Named, Should))
			}
		}
		out = append(out, b.aspect(x, Status, Should), b.aspect(x, Format, inModel))
	}
	b.cases = out
}

// unnamed reports a case whose member the framework's error does not name: what a
// serializer misses has no key in ModelState, and without details no text.
func (b *builder) unnamed(x Case) bool {
	f := b.contract.Body.Field(x.Field)
	return f != nil && x.Rule == f.Name+"/required" && f.Kind != contracts.String
}

// aspect is a case that looks at the answer to another.
func (b *builder) aspect(x Case, a Aspect, level Level) Case {
	x.ID += "/" + string(a)
	x.Aspect, x.Level = a, level
	x.Basis = "framework default"
	switch a {
	case Status:
		x.Why = fmt.Sprintf("The framework refuses it with %d.", x.status)
	case Allow:
		x.Why = "The answer to another method lists in Allow those that there are (RFC 9110, section 15.5.6)."
	case ModelState:
		x.Why = "The framework answers with a Message and a ModelState, which lists the errors by member."
	case Named:
		x.Why = "The framework's error names " + x.mentioned + "."
	case Format:
		f := b.contract.ResponseFormats[0]
		x.Rule, x.Line, x.Quote = "response/"+f.MediaType, f.Fact.Line, f.Fact.Quote
		x.Why = "A body is in one of the response formats that the page lists."
		x.Basis = fmt.Sprintf("page line %d", f.Fact.Line)
		if level == Should {
			x.Basis = "assumption: what stands in front of the endpoint may have answered"
		}
	}
	return x
}

// hasItem reports a member of a list's elements.
func hasItem(c *contracts.Contract, name string) bool {
	for i := range c.Body.Fields {
		if items := c.Body.Fields[i].Items; items != nil && items.Field(name) != nil {
			return true
		}
	}
	return false
}

// obeys lists the rules of the contract that a good request obeys: those of its
// members, and the endpoint's.
func obeys(c *contracts.Contract, r *fixtures.Request, media string) []string {
	rules := []string{"method", "route", "body", "request/" + media}
	object := map[string]json.RawMessage{}
	if media == formType {
		values, err := url.ParseQuery(string(r.Body))
		if err != nil {
			return rules
		}
		for name := range values {
			list, item, found := strings.Cut(name, "].")
			if name, _, indexed := strings.Cut(list, "["); found && indexed {
				if f := c.Body.Field(name); f != nil && f.Items != nil {
					rules = append(rules, name+"/type", name+"/"+item+"/type")
				}
				continue
			}
			if values.Get(name) != "" {
				object[name] = json.RawMessage(`""`)
			}
		}
	} else if json.Unmarshal(r.Body, &object) != nil {
		return rules
	}
	return append(rules, obeyedBy(&c.Body, object, "")...)
}

func obeyedBy(m *contracts.Model, object map[string]json.RawMessage, prefix string) []string {
	var rules []string
	for name, raw := range object {
		f := m.Field(name)
		if f == nil {
			continue
		}
		id := prefix + f.Name
		if string(raw) == "null" {
			rules = append(rules, id+"/nullable")
			continue
		}
		rules = append(rules, id+"/type")
		if f.Required != nil {
			rules = append(rules, id+"/required")
		}
		if f.Length != nil {
			rules = append(rules, id+"/length")
		}
		var elements []map[string]json.RawMessage
		if f.Items != nil && json.Unmarshal(raw, &elements) == nil {
			for _, e := range elements {
				rules = append(rules, obeyedBy(f.Items, e, id+"/")...)
			}
		}
	}
	return rules
}

// mediaOf is the media type of an answer's Content-Type, in lower case.
func mediaOf(contentType string) string {
	name, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		name, _, _ = strings.Cut(contentType, ";")
		name = strings.ToLower(strings.TrimSpace(name))
	}
	return name
}

// isJSON reports text that is one JSON value.
func isJSON(text []byte) bool { return json.Valid(bytes.TrimPrefix(text, []byte("\uFEFF"))) }
