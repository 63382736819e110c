package mockserver

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gorilla/mux"
	"go.yaml.in/yaml/v3"

	"github.com/seed47566266/understudy/contracts/webapi"
	"github.com/seed47566266/understudy/mockserver/store"
)

// pattern is what requests of the journal must be, in WireMock's words where it has them;
// all that is set must hold.
type pattern struct {
	Method          string                 `yaml:"method" doc:"method, or ANY"`
	URL             string                 `yaml:"url" doc:"path and query"`
	URLPath         string                 `yaml:"urlPath" doc:"path"`
	URLPattern      string                 `yaml:"urlPattern" doc:"regular expression (RE2) for path and query"`
	URLPathPattern  string                 `yaml:"urlPathPattern" doc:"regular expression (RE2) for the path"`
	Headers         map[string]textPattern `yaml:"headers" doc:"headers by name"`
	QueryParameters map[string]textPattern `yaml:"queryParameters" doc:"parameters of the query by name"`
	BodyPatterns    []textPattern          `yaml:"bodyPatterns" doc:"each must hold for the body"`
	Fields          map[string]Match       `yaml:"fields" doc:"fields of the body by name or JSON pointer"`
	Session         string                 `yaml:"session" doc:"name of a session"`
	Outcome         string                 `yaml:"outcome" doc:"accepted, rejected, scenario, fault or a rule"`
	Rule            string                 `yaml:"rule" doc:"id of a rule that the request breaks"`
	Operation       string                 `yaml:"operation" doc:"id of the operation"`
	Status          int                    `yaml:"status" doc:"status of the response"`
	Unmatched       bool                   `yaml:"unmatched" doc:"true: requests to no operation"`

	since time.Time
	after string
}

// textPattern is what a text must be, in WireMock's words; all that is set must hold.
type textPattern struct {
	EqualTo         *string `yaml:"equalTo" doc:"the text"`
	CaseInsensitive bool    `yaml:"caseInsensitive" doc:"true: equalTo is for any case"`
	Contains        string  `yaml:"contains" doc:"a part of it"`
	Matches         string  `yaml:"matches" doc:"regular expression (RE2) for the whole text"`
	DoesNotMatch    string  `yaml:"doesNotMatch" doc:"regular expression (RE2) that the whole text does not match"`
	Absent          bool    `yaml:"absent" doc:"true: there is none"`
}

func (p *textPattern) decode(d *decoder, n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		p.EqualTo = &n.Value
		return nil
	}
	return d.decodeStruct(n, reflect.ValueOf(p).Elem(), "a pattern")
}

func (*textPattern) schema() any { return structSchema(reflect.TypeFor[textPattern]()) }

func (p *textPattern) compile() (func(texts []string) bool, error) {
	matches, err := wholeText(p.Matches)
	if err != nil {
		return nil, err
	}
	not, err := wholeText(p.DoesNotMatch)
	if err != nil {
		return nil, err
	}
	return func(texts []string) bool {
		if p.Absent || len(texts) == 0 {
			return p.Absent && len(texts) == 0
		}
		return slices.ContainsFunc(texts, func(text string) bool {
			switch {
			case p.EqualTo != nil && text != *p.EqualTo && (!p.CaseInsensitive || !strings.EqualFold(text, *p.EqualTo)):
				return false
			case matches != nil && !matches.MatchString(text), not != nil && not.MatchString(text):
				return false
			}
			return strings.Contains(text, p.Contains)
		})
	}, nil
}

// wholeText compiles a regular expression for a whole text; nil for an empty one.
func wholeText(expression string) (*regexp.Regexp, error) {
	if expression == "" {
		return nil, nil //nolint:nilnil // as documented
	}
	compiled, err := regexp.Compile("(?s)^(?:" + expression + ")$")
	if err != nil {
		return nil, fmt.Errorf("invalid regular expression %q: use Go's syntax (RE2)", expression)
	}
	return compiled, nil
}

// compile makes a test for entries.
func (s *Server) compilePattern(p *pattern) (func(*store.Entry) bool, error) {
	var tests []func(*store.Entry) bool
	add := func(given bool, test func(*store.Entry) bool) {
		if given {
			tests = append(tests, test)
		}
	}
	add(p.Method != "" && p.Method != "ANY", func(e *store.Entry) bool { return e.Method == p.Method })
	add(p.URL != "", func(e *store.Entry) bool { return e.Target == p.URL })
	add(p.URLPath != "", func(e *store.Entry) bool { return pathOf(e) == p.URLPath })
	add(p.Session != "", func(e *store.Entry) bool { return e.Session == p.Session })
	add(p.Operation != "", func(e *store.Entry) bool { return e.Operation == p.Operation })
	add(p.Status != 0, func(e *store.Entry) bool { return e.Status == p.Status })
	add(p.Unmatched, func(e *store.Entry) bool { return isUnmatched(e) })
	add(!p.since.IsZero(), func(e *store.Entry) bool { return !e.Time.Before(p.since) })
	outcomes := []string{
		string(store.OutcomeAccepted), string(store.OutcomeRejected), string(store.OutcomeScenario),
		string(store.OutcomeFault), string(store.OutcomePreflight),
	}
	var ids, rules []string
	for _, o := range s.operations {
		ids = append(ids, o.ID)
		for _, rule := range o.Rules() {
			rules = append(rules, rule.ID.String())
		}
	}
	breaks := func(rule string) func(*store.Entry) bool {
		return func(e *store.Entry) bool {
			return slices.ContainsFunc(e.Violations, func(v webapi.Violation) bool { return v.Rule.String() == rule })
		}
	}
	switch {
	case slices.Contains(outcomes, p.Outcome):
		add(true, func(e *store.Entry) bool { return string(e.Outcome) == p.Outcome })
	case slices.Contains(rules, p.Outcome): // as in a scenario
		add(true, breaks(p.Outcome))
	case p.Outcome != "":
		return nil, fmt.Errorf("unknown outcome %q%s", p.Outcome, didYouMean(p.Outcome, slices.Concat(outcomes, rules)))
	}
	add(p.Rule != "", breaks(p.Rule))
	if p.Operation != "" && !slices.Contains(ids, p.Operation) {
		return nil, fmt.Errorf("unknown operation %q%s", p.Operation, didYouMean(p.Operation, ids))
	}
	if p.Rule != "" && !slices.Contains(rules, p.Rule) {
		return nil, fmt.Errorf("unknown rule %q%s", p.Rule, didYouMean(p.Rule, rules))
	}
	for expression, of := range map[string]func(*store.Entry) string{
		p.URLPattern: func(e *store.Entry) string { return e.Target }, p.URLPathPattern: pathOf,
	} {
		compiled, err := wholeText(expression)
		if err != nil {
			return nil, err
		}
		add(compiled != nil, func(e *store.Entry) bool { return compiled.MatchString(of(e)) })
	}
	if err := p.addTexts(add); err != nil {
		return nil, err
	}
	if len(p.Fields) > 0 {
		test, err := s.fieldsTest(p.Fields)
		if err != nil {
			return nil, err
		}
		add(true, test)
	}
	return func(e *store.Entry) bool {
		return !slices.ContainsFunc(tests, func(test func(*store.Entry) bool) bool { return !test(e) })
	}, nil
}

// addTexts adds the tests of headers, query and body.
func (p *pattern) addTexts(add func(given bool, test func(*store.Entry) bool)) error {
	for name, text := range p.Headers {
		matches, err := text.compile()
		if err != nil {
			return err
		}
		key := http.CanonicalHeaderKey(name)
		add(true, func(e *store.Entry) bool { return matches(e.Header[key]) })
	}
	for name, text := range p.QueryParameters {
		matches, err := text.compile()
		if err != nil {
			return err
		}
		add(true, func(e *store.Entry) bool {
			_, query, _ := strings.Cut(e.Target, "?")
			values, _ := url.ParseQuery(query) // what can be read of it
			return matches(values[name])
		})
	}
	for i := range p.BodyPatterns {
		matches, err := p.BodyPatterns[i].compile()
		if err != nil {
			return err
		}
		add(true, func(e *store.Entry) bool {
			if len(e.Body) == 0 {
				return matches(nil)
			}
			return matches([]string{string(e.Body)})
		})
	}
	return nil
}

// fieldsTest holds for entries whose body has the fields, as the framework reads it.
func (s *Server) fieldsTest(fields map[string]Match) (func(*store.Entry) bool, error) {
	conditions := map[string][]condition{}
	var problem error
	for _, o := range s.operations {
		var all []condition
		for _, name := range sortedKeys(fields) {
			c, err := fieldCondition(o, name, fields[name])
			if err != nil {
				problem, all = err, nil
				break
			}
			all = append(all, c)
		}
		if all != nil {
			conditions[o.ID] = all
		}
	}
	if len(conditions) == 0 {
		return nil, problem
	}
	return func(e *store.Entry) bool {
		for _, o := range s.operations {
			if o.ID != e.Operation || conditions[o.ID] == nil {
				continue
			}
			x := &exchange{operation: o, request: webapi.Request{
				Method: e.Method, Target: e.Target, Scheme: e.Scheme, Host: e.Host, Header: http.Header(e.Header),
				Body: e.Body,
			}}
			return !slices.ContainsFunc(conditions[o.ID], func(c condition) bool { return !c(x) })
		}
		return false
	}, nil
}

func pathOf(e *store.Entry) string {
	path, _, _ := strings.Cut(e.Target, "?")
	return path
}

// isUnmatched reports a request to no operation.
func isUnmatched(e *store.Entry) bool {
	return e.Operation == "" && e.Outcome != store.OutcomePreflight
}

// queryPattern reads the filter of a request's query.
func queryPattern(r *http.Request) (*pattern, error) {
	q := r.URL.Query()
	p := &pattern{
		Session: session(r), Outcome: q.Get("outcome"), Rule: q.Get("rule"), Operation: q.Get("operation"),
		Method: q.Get("method"), Unmatched: q.Get("unmatched") == "true", after: q.Get("after"),
	}
	var err error
	if q.Has("status") {
		if p.Status, err = strconv.Atoi(q.Get("status")); err != nil {
			return nil, errors.New("status must be a number")
		}
	}
	if q.Has("since") {
		if p.since, err = time.Parse(time.RFC3339, q.Get("since")); err != nil {
			return nil, errors.New("since must be a time such as 2026-02-03T21:04:03Z")
		}
	}
	return p, nil
}

// page is which of the matching requests are asked for.
type page struct {
	limit, offset, atLeast int
	wait                   time.Duration
}

func readPage(r *http.Request) (page, error) {
	p, q := page{limit: -1, atLeast: 1}, r.URL.Query()
	for name, to := range map[string]*int{"limit": &p.limit, "offset": &p.offset, "atLeast": &p.atLeast} {
		if !q.Has(name) {
			continue
		}
		n, err := strconv.ParseInt(q.Get(name), 10, 32)
		if err != nil || n < 0 {
			return p, errors.New(name + " must be a number from 0")
		}
		*to = int(n)
	}
	if q.Has("wait") {
		var err error
		if p.wait, err = time.ParseDuration(q.Get("wait")); err != nil || p.wait < 0 || p.wait > MaxDelay {
			return p, fmt.Errorf("wait must be a time such as 5s, up to %s", MaxDelay)
		}
	}
	return p, nil
}

// entries are those that match, the oldest first. It waits until there are so many, or
// ctx ends.
func (s *Server) entries(ctx context.Context, p *pattern, atLeast int) ([]*store.Entry, error) {
	matches, err := s.compilePattern(p)
	if err != nil {
		return nil, err
	}
	added, stop := s.store.Watch()
	defer stop()
	var found []*store.Entry
	for after := p.after; ; {
		all, err := s.store.Entries(after)
		if err != nil {
			return nil, err
		}
		if len(all) > 0 {
			after = all[len(all)-1].ID
		}
		found = append(found, slices.DeleteFunc(all, func(e *store.Entry) bool { return !matches(e) })...)
		if len(found) >= atLeast {
			return found, nil
		}
		select {
		case <-added:
		case <-ctx.Done():
			return found, nil
		case <-s.closing:
			return found, nil
		}
	}
}

// requestsJSON is a part of the journal in WireMock's shape.
type requestsJSON struct {
	Requests               []entryJSON `json:"requests"`
	Meta                   metaJSON    `json:"meta"`
	RequestJournalDisabled bool        `json:"requestJournalDisabled"`
}

type metaJSON struct {
	Total   int   `json:"total"`
	Dropped int64 `json:"dropped"`
}

func (a *admin) requests(w http.ResponseWriter, r *http.Request) {
	filter, err := queryPattern(r)
	var page page
	if err == nil {
		page, err = readPage(r)
	}
	if err != nil {
		problem(w, http.StatusBadRequest, err.Error())
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), page.wait)
	defer cancel()
	found, err := a.s.entries(ctx, filter, page.atLeast)
	switch {
	case errors.Is(err, store.ErrAway):
		respondError(w, err)
		return
	case err != nil:
		problem(w, http.StatusBadRequest, err.Error())
		return
	}
	list := requestsJSON{
		Requests: []entryJSON{}, Meta: metaJSON{len(found), a.s.store.Dropped()},
		RequestJournalDisabled: !a.s.store.Enabled(),
	}
	slices.Reverse(found) // the newest first
	found = found[min(page.offset, len(found)):]
	if page.limit >= 0 {
		found = found[:min(page.limit, len(found))]
	}
	for _, e := range found {
		list.Requests = append(list.Requests, newEntryJSON(e))
	}
	respondJSON(w, http.StatusOK, list)
}

type removedJSON struct {
	Removed int `json:"removed"`
}

func (a *admin) deleteRequests(w http.ResponseWriter, r *http.Request) {
	filter, err := queryPattern(r)
	var matches func(*store.Entry) bool
	if err == nil {
		matches, err = a.s.compilePattern(filter)
	}
	if err != nil {
		problem(w, http.StatusBadRequest, err.Error())
		return
	}
	if filter.after != "" {
		later, err := a.s.store.Entries(filter.after)
		if err != nil {
			respondError(w, err)
			return
		}
		ids, all := map[string]bool{}, matches
		for _, e := range later {
			ids[e.ID] = true
		}
		matches = func(e *store.Entry) bool { return ids[e.ID] && all(e) }
	}
	removed, err := a.s.remove(matches)
	if err != nil {
		respondError(w, err)
		return
	}
	respondJSON(w, http.StatusOK, removedJSON{removed})
}

// remove drops entries of the journal, and tells the streams.
func (s *Server) remove(matches func(*store.Entry) bool) (int, error) {
	removed, err := s.store.Remove(matches)
	if removed > 0 {
		s.changes.note(func(m *mockJSON) { m.Removals++ })
	}
	return removed, err
}

// asked reads the pattern in the body, and finds what matches.
func (a *admin) asked(r *http.Request) ([]*store.Entry, error) {
	p := &pattern{}
	if err := readBody(r, p, "a pattern"); err != nil {
		return nil, err
	}
	if p.Session == "" {
		p.Session = session(r)
	}
	return a.s.entries(r.Context(), p, 0)
}

type countJSON struct {
	Count                  int  `json:"count"`
	RequestJournalDisabled bool `json:"requestJournalDisabled"`
}

func (a *admin) countRequests(w http.ResponseWriter, r *http.Request) {
	found, err := a.asked(r)
	if err != nil {
		respondError(w, err)
		return
	}
	respondJSON(w, http.StatusOK, countJSON{len(found), !a.s.store.Enabled()})
}

// foundJSON are requests as WireMock's find has them, with what became of them.
type foundJSON struct {
	Requests               []foundRequestJSON `json:"requests"`
	RequestJournalDisabled bool               `json:"requestJournalDisabled"`
}

type foundRequestJSON struct {
	requestJSON
	ID         string             `json:"id"`
	Session    string             `json:"session,omitempty"`
	Outcome    store.Outcome      `json:"outcome"`
	Status     int                `json:"status,omitempty"`
	Violations []webapi.Violation `json:"violations,omitempty"`
}

func (a *admin) found(w http.ResponseWriter, entries []*store.Entry) {
	list := foundJSON{[]foundRequestJSON{}, !a.s.store.Enabled()}
	for _, e := range entries {
		list.Requests = append(list.Requests,
			foundRequestJSON{newRequestJSON(e), e.ID, e.Session, e.Outcome, e.Status, e.Violations})
	}
	respondJSON(w, http.StatusOK, list)
}

func (a *admin) findRequests(w http.ResponseWriter, r *http.Request) {
	found, err := a.asked(r)
	if err != nil {
		respondError(w, err)
		return
	}
	a.found(w, found)
}

func (a *admin) removeRequests(w http.ResponseWriter, r *http.Request) {
	found, err := a.asked(r)
	if err == nil {
		_, err = a.s.remove(func(e *store.Entry) bool {
			return slices.ContainsFunc(found, func(f *store.Entry) bool { return f.ID == e.ID })
		})
	}
	if err != nil {
		respondError(w, err)
		return
	}
	a.found(w, found)
}

func (a *admin) unmatched(w http.ResponseWriter, r *http.Request) {
	found, err := a.s.entries(r.Context(), &pattern{Session: session(r), Unmatched: true}, 0)
	if err != nil {
		respondError(w, err)
		return
	}
	a.found(w, found)
}

const noSuchRequest = "no request with this id is in the journal"

func (a *admin) request(w http.ResponseWriter, r *http.Request) {
	e, err := a.s.store.Entry(mux.Vars(r)["id"])
	switch {
	case err != nil:
		respondError(w, err)
	case e == nil:
		problem(w, http.StatusNotFound, noSuchRequest)
	default:
		respondJSON(w, http.StatusOK, newEntryJSON(e))
	}
}

func (a *admin) deleteRequest(w http.ResponseWriter, r *http.Request) {
	id := mux.Vars(r)["id"]
	removed, err := a.s.remove(func(e *store.Entry) bool { return e.ID == id })
	switch {
	case err != nil:
		respondError(w, err)
	case removed == 0:
		problem(w, http.StatusNotFound, noSuchRequest)
	default:
		done(w)
	}
}

// entryJSON is an entry of the journal in WireMock's shape, with what the mock knows
// besides.
type entryJSON struct {
	ID         string             `json:"id"`
	Session    string             `json:"session,omitempty"`
	Operation  string             `json:"operation,omitempty"`
	Request    requestJSON        `json:"request"`
	Response   *responseJSON      `json:"response,omitempty"`
	WasMatched bool               `json:"wasMatched"`
	Outcome    store.Outcome      `json:"outcome"`
	Violations []webapi.Violation `json:"violations,omitempty"`
	Broken     int                `json:"broken,omitempty"`
	Scenarios  []store.Applied    `json:"scenarios,omitempty"`
	Fault      string             `json:"fault,omitempty"`
	Notes      []string           `json:"notes,omitempty"`
	Upstream   *store.Upstream    `json:"upstream,omitempty"`
	Preflight  *time.Time         `json:"preflight,omitempty"`
	Timing     timingJSON         `json:"timing"`
}

type requestJSON struct {
	Method       string            `json:"method"`
	URL          string            `json:"url"`
	AbsoluteURL  string            `json:"absoluteUrl"`
	ClientIP     string            `json:"clientIp"`
	Headers      map[string]string `json:"headers"`
	Body         string            `json:"body"`
	BodyAsBase64 string            `json:"bodyAsBase64"`
	// BodyBytes is how long the body was: the journal may have its beginning alone.
	BodyBytes        int       `json:"bodyBytes"`
	LoggedDate       int64     `json:"loggedDate"`
	LoggedDateString time.Time `json:"loggedDateString"`
}

type responseJSON struct {
	Status       int               `json:"status"`
	Headers      map[string]string `json:"headers"`
	Body         string            `json:"body"`
	BodyAsBase64 string            `json:"bodyAsBase64,omitempty"`
}

// timingJSON has whole milliseconds.
type timingJSON struct {
	AddedDelay int64 `json:"addedDelay"`
	TotalTime  int64 `json:"totalTime"`
}

func newRequestJSON(e *store.Entry) requestJSON {
	j := requestJSON{
		Method: e.Method, URL: e.Target, AbsoluteURL: e.Scheme + "://" + e.Host + e.Target, Headers: flat(e.Header),
		Body: readable(e.Body), BodyAsBase64: base64.StdEncoding.EncodeToString(e.Body), BodyBytes: e.BodyBytes,
		LoggedDate: e.Time.UnixMilli(), LoggedDateString: e.Time.UTC(),
	}
	j.ClientIP, _, _ = net.SplitHostPort(e.Client)
	return j
}

func newEntryJSON(e *store.Entry) entryJSON {
	j := entryJSON{
		ID: e.ID, Session: e.Session, Operation: e.Operation, WasMatched: e.Operation != "", Outcome: e.Outcome,
		Violations: e.Violations, Broken: e.Broken, Scenarios: e.Scenarios, Fault: e.Fault, Notes: e.Notes,
		Upstream: e.Upstream, Timing: timingJSON{e.Delay.Milliseconds(), e.Took.Milliseconds()},
		Request: newRequestJSON(e),
	}
	if !e.Preflight.IsZero() {
		j.Preflight = &e.Preflight
	}
	if e.Status != 0 {
		j.Response = newResponseJSON(e.Status, e.ResponseHeader, e.ResponseBody)
	}
	return j
}

// newResponseJSON has the body in base64 too where it is no text.
func newResponseJSON(status int, header store.Header, body []byte) *responseJSON {
	j := &responseJSON{Status: status, Headers: flat(header), Body: readable(body)}
	if j.Body == "" && len(body) > 0 {
		j.BodyAsBase64 = base64.StdEncoding.EncodeToString(body)
	}
	return j
}

func flat(h store.Header) map[string]string {
	out := make(map[string]string, len(h))
	for name, values := range h {
		if len(values) > 0 {
			out[name] = strings.Join(values, ", ")
		}
	}
	return out
}

// readable is a body as text; what is not UTF-8 is shown by its base64 alone.
func readable(b []byte) string {
	if !utf8.Valid(b) {
		return ""
	}
	return string(b)
}
