package console

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gorilla/mux"
	"go.yaml.in/yaml/v3"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/oracle"
	"github.com/seed47566266/understudy/contracts/webapi"
	"github.com/seed47566266/understudy/fixtures"
	"github.com/seed47566266/understudy/mockserver"
	"github.com/seed47566266/understudy/mockserver/store"
)

// ofClients are headers that each client sends and no page has to do with.
var ofClients = map[string]bool{
	"Accept-Encoding": true, "Accept-Language": true, "Cache-Control": true, "Connection": true,
	"Content-Length": true, "Cookie": true, "Dnt": true, "Host": true, "Idempotency-Key": true, "Origin": true,
	"Authorization": true, "Pragma": true, "Prefer": true, "Priority": true, "Referer": true, "Traceparent": true,
	"Tracestate": true, "User-Agent": true, "X-Request-Id": true, "X-Forwarded-For": true, "X-Forwarded-Host": true,
	"X-Forwarded-Proto": true, "X-Requested-With": true,
}

// isOfClients reports a header of which no page says anything, and whose sender knows that.
func isOfClients(name string) bool {
	name = http.CanonicalHeaderKey(name)
	return ofClients[name] || strings.HasPrefix(name, "Sec-") || strings.HasPrefix(name, "X-Understudy-") ||
		strings.HasPrefix(name, "Access-Control-")
}

// requestOf is the request of an entry, without what a client adds anyway.
func requestOf(e *store.Entry) *contracts.Request {
	r := &contracts.Request{Method: e.Method, Path: e.Target, Body: e.Body}
	for _, name := range e.Header.Names() {
		for _, value := range e.Header[name] {
			r.Headers = append(r.Headers, contracts.Header{Name: name, Value: value})
		}
	}
	return r
}

// expectationJSON is the page's reading of a request.
type expectationJSON struct {
	Outcome oracle.Outcome `json:"outcome"`
	Basis   string         `json:"basis"`
	Rule    string         `json:"rule"`
	Line    int            `json:"line"`
	// Latitude is what a server may say against it; empty for nothing.
	Latitude string             `json:"latitude,omitempty"`
	Breaks   []contracts.RuleID `json:"breaks"`
}

// expect is the page's reading of a request; nil for an operation whose requests it cannot read.
func (c *console) expect(operation string, r *contracts.Request) *expectationJSON {
	m, err := c.maker(operation)
	if err != nil {
		return nil
	}
	asked := *r
	asked.Headers = slices.DeleteFunc(slices.Clone(r.Headers),
		func(h contracts.Header) bool { return isOfClients(h.Name) })
	e := m.page.Expect(&asked)
	return &expectationJSON{
		e.Outcome, e.Basis, e.Rule.String(), e.Line, e.Latitude, append([]contracts.RuleID{}, e.Breaks...),
	}
}

// frameworkJSON is what the framework responds.
type frameworkJSON struct {
	Status     int                `json:"status"`
	Body       string             `json:"body"`
	Violations []webapi.Violation `json:"violations"`
	Broken     int                `json:"broken"`
}

func (c *console) preview(r *contracts.Request) (*contracts.Operation, frameworkJSON) {
	o, response := c.mock.Preview(r)
	return o, frameworkJSON{
		response.Status, string(response.Body), append([]webapi.Violation{}, response.Violations...), response.Broken,
	}
}

// request is what the console shows of an entry besides the entry.
func (c *console) request(w http.ResponseWriter, r *http.Request) {
	e, err := c.mock.Requested(mux.Vars(r)["id"])
	switch {
	case err != nil:
		respondError(w, http.StatusServiceUnavailable, err)
		return
	case e == nil: // who asked for the entry knows that it is gone
		respondJSON(w, http.StatusOK, struct{}{})
		return
	}
	asked := requestOf(e)
	out := struct {
		// Page is nil where the body is not whole in the journal.
		Page  *expectationJSON `json:"page,omitempty"`
		Draft string           `json:"draft"`
	}{Draft: c.draft(e)}
	if e.BodyBytes == len(e.Body) && !c.mock.Hides() {
		out.Page = c.expect(e.Operation, asked)
	}
	respondJSON(w, http.StatusOK, out)
}

// check is what page and framework say of a request that was not sent.
func (c *console) check(w http.ResponseWriter, r *http.Request) {
	asked, err := mockserver.ReadRequest(r.Body)
	if err != nil {
		respondError(w, http.StatusUnprocessableEntity, err)
		return
	}
	o, framework := c.preview(asked)
	respondJSON(w, http.StatusOK, struct {
		Page      *expectationJSON `json:"page"`
		Framework frameworkJSON    `json:"framework"`
	}{c.expect(o.ID, asked), framework})
}

// requestJSON is a request in the form in which /send takes it.
type requestJSON struct {
	Method       string             `json:"method"`
	URL          string             `json:"url"`
	Headers      []contracts.Header `json:"headers"`
	Body         string             `json:"body,omitempty"`
	BodyAsBase64 string             `json:"bodyAsBase64,omitempty"`
}

func newRequestJSON(r *contracts.Request) requestJSON {
	out := requestJSON{Method: r.Method, URL: r.Path, Headers: append([]contracts.Header{}, r.Headers...)}
	if utf8.Valid(r.Body) {
		out.Body = string(r.Body)
	} else {
		out.BodyAsBase64 = base64.StdEncoding.EncodeToString(r.Body)
	}
	return out
}

// mend is the nearest request that both page and framework accept.
func (c *console) mend(w http.ResponseWriter, r *http.Request) {
	asked, err := mockserver.ReadRequest(r.Body)
	if err != nil {
		respondError(w, http.StatusUnprocessableEntity, err)
		return
	}
	o, _ := c.mock.Preview(asked)
	m, err := c.maker(o.ID)
	if err != nil {
		respondError(w, http.StatusUnprocessableEntity, err)
		return
	}
	var ofClient []contracts.Header // which the page is not asked about, and which stay
	asked.Headers = slices.DeleteFunc(asked.Headers, func(h contracts.Header) bool {
		if isOfClients(h.Name) {
			ofClient = append(ofClient, h)
			return true
		}
		return false
	})
	mended, changes := m.generator.Mend(*asked, func(r *contracts.Request) bool {
		_, response := c.mock.Preview(r)
		return response.Status < http.StatusBadRequest
	})
	mended.Headers = append(mended.Headers, ofClient...)
	respondJSON(w, http.StatusOK, struct {
		Request requestJSON       `json:"request"`
		Changes []fixtures.Mended `json:"changes"`
	}{newRequestJSON(&mended), append([]fixtures.Mended{}, changes...)})
}

// code is a request in the languages in which people send it again.
func (c *console) code(w http.ResponseWriter, r *http.Request) {
	asked, err := mockserver.ReadRequest(r.Body)
	if err != nil {
		respondError(w, http.StatusUnprocessableEntity, err)
		return
	}
	q := r.URL.Query()
	status, err := strconv.Atoi(cmp.Or(q.Get("status"), "200"))
	if err != nil {
		respondError(w, http.StatusBadRequest, errors.New("status must be a number"))
		return
	}
	asked.Headers = slices.DeleteFunc(asked.Headers, func(h contracts.Header) bool { return isOfTransport(h) })
	respondJSON(w, http.StatusOK, snippets(asked, cmp.Or(q.Get("base"), c.mock.Address()), status))
}

// caseJSON is a case without its request.
type caseJSON struct {
	ID      string         `json:"id"`
	Outcome oracle.Outcome `json:"outcome"`
	What    string         `json:"what"`
	Tags    []string       `json:"tags"`
	Line    int            `json:"line"`
}

// cases lists the cases of an operation, to be chosen by tag.
func (c *console) cases(w http.ResponseWriter, r *http.Request) {
	m, err := c.maker(r.URL.Query().Get("operation"))
	if err != nil {
		respondError(w, http.StatusNotFound, err)
		return
	}
	all := m.cases()
	out := struct {
		Tags  []string   `json:"tags"`
		Cases []caseJSON `json:"cases"`
	}{fixtures.TagsOf(all), make([]caseJSON, len(all))}
	for i := range all {
		x := &all[i]
		out.Cases[i] = caseJSON{x.ID, x.Outcome, x.What, append([]string{}, x.Tags...), x.Line}
	}
	respondJSON(w, http.StatusOK, out)
}

// payload is a generated request: a valid row by its number, or a case by its id.
func (c *console) payload(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	m, err := c.maker(q.Get("operation"))
	if err != nil {
		respondError(w, http.StatusNotFound, err)
		return
	}
	isForm := q.Get("media") == contracts.MediaForm
	if id := q.Get("case"); id != "" {
		all := m.cases()
		at := slices.IndexFunc(all, func(x fixtures.Case) bool { return x.ID == id })
		if at < 0 {
			respondError(w, http.StatusNotFound, fmt.Errorf("unknown case %q", id))
			return
		}
		respondJSON(w, http.StatusOK, newRequestJSON(&all[at].Request))
		return
	}
	row, err := strconv.ParseUint(cmp.Or(q.Get("row"), "0"), 10, 32)
	if err != nil {
		respondError(w, http.StatusBadRequest, errors.New("row must be a number from 0"))
		return
	}
	body, media := m.generator.Valid(row), cmp.Or(q.Get("media"), m.operation.JSON().MediaType)
	if isForm {
		body = m.generator.ValidForm(row)
	} else {
		var indented bytes.Buffer
		if json.Indent(&indented, body, "", "  ") == nil {
			body = indented.Bytes()
		}
	}
	respondJSON(w, http.StatusOK, newRequestJSON(&contracts.Request{
		Method: m.operation.Method, Path: "/" + m.operation.Route, Body: body,
		Headers: []contracts.Header{{Name: "Content-Type", Value: media}},
	}))
}

// longestDraft bounds the body in a draft, in bytes.
const longestDraft = 16 << 10

// draft is a scenario for requests like one of the journal: they get what that got.
func (c *console) draft(e *store.Entry) string {
	when, then := mapping(), mapping()
	if len(e.Violations) > 0 {
		add(when, "outcome", text(e.Violations[0].Rule.String()))
	} else if e.Outcome == store.OutcomeAccepted {
		add(when, "outcome", text("accepted"))
	}
	var members map[string]any
	d := json.NewDecoder(bytes.NewReader(e.Body))
	d.UseNumber()
	if len(e.Violations) == 0 && d.Decode(&members) == nil {
		if name := c.identifying(e.Operation, members); name != "" {
			fields := mapping()
			add(fields, name, text(members[name].(string)))
			add(when, "fields", fields)
		}
	}
	if e.Fault != "" {
		add(then, "fault", text(e.Fault))
	}
	if e.Status != 0 {
		add(then, "status", &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: strconv.Itoa(e.Status)})
	}
	var body any
	switch {
	case e.Fault != "", len(e.ResponseBody) == 0 || len(e.ResponseBody) > longestDraft || !utf8.Valid(e.ResponseBody):
	case json.Unmarshal(e.ResponseBody, &body) == nil && escaped(e.ResponseBody) != nil:
		add(then, "json", escaped(e.ResponseBody))
	default:
		add(then, "text", text(withoutTemplates(string(e.ResponseBody))))
	}
	scenario := mapping()
	add(scenario, "name", text("like-"+e.ID))
	add(scenario, "when", when)
	add(scenario, "then", then)
	if len(when.Content) == 0 {
		scenario.Content = slices.Delete(scenario.Content, 2, 4)
	}
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	root := mapping()
	add(root, "scenarios", &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{scenario}})
	if encoder.Encode(root) != nil {
		return "" // it cannot fail
	}
	return out.String()
}

// identifying is the first field with an id that a body has; empty for none.
func (c *console) identifying(operation string, members map[string]any) string {
	for i := range c.contract.Operations {
		o := &c.contract.Operations[i]
		if o.ID != operation || o.Model() == nil {
			continue
		}
		for _, f := range o.Model().Fields {
			if _, isText := members[f.Name].(string); isText && f.Type.Kind == contracts.KindGUID {
				return f.Name
			}
		}
	}
	return ""
}

func mapping() *yaml.Node { return &yaml.Node{Kind: yaml.MappingNode} }

func text(s string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(s)
	return n
}

func add(to *yaml.Node, key string, value *yaml.Node) {
	to.Content = append(to.Content, text(key), value)
}

// escaped is a body in JSON, whose texts are no templates; nil where YAML cannot say it as it is.
func escaped(body []byte) *yaml.Node {
	var n yaml.Node
	if yaml.Unmarshal(body, &n) != nil || len(n.Content) == 0 {
		return nil
	}
	var visit func(n *yaml.Node)
	visit = func(n *yaml.Node) {
		n.Style = 0
		if n.Kind == yaml.ScalarNode && n.Tag == "!!str" {
			n.SetString(withoutTemplates(n.Value))
		}
		for _, inner := range n.Content {
			visit(inner)
		}
	}
	visit(n.Content[0])
	return n.Content[0]
}

// withoutTemplates is a template that makes a text as it is.
func withoutTemplates(s string) string {
	return strings.ReplaceAll(s, "{{", `{{"{{"}}`)
}
