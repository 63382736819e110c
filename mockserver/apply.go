package mockserver

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed47566266/understudy/mockserver/store"
)

// applied is a scenario that has a part in a response.
type applied struct {
	*scenario
	call       int
	retryAfter int
	why        string
}

// accepted reports that the framework would accept the request, or that validation lets it
// pass.
func (x *exchange) accepted() bool { return x.isAccepted }

// model is the bound model of the request, by field.
func (x *exchange) model() map[string]any {
	if !x.isBound {
		text, _ := x.operation.endpoint.Bind(&x.request)
		x.bound, x.isBound = parseModel(text), true
	}
	return x.bound
}

// choose looks which scenarios match, and makes the response that they ask for.
func (s *Server) choose(x *exchange) error {
	x.isAccepted = x.response.Status < http.StatusBadRequest
	if x.response.Status != http.StatusRequestEntityTooLarge { // the body of that was not read
		x.upstream = s.upstream
	}
	rules, p := x.rules, x.prefer
	scenarios, response := rules.byOperation[x.operation], rules.response[x.operation]
	if len(scenarios) == 0 && response == nil && p == nil && rules.settings.Delay == nil && !s.store.Waiting() {
		return nil
	}
	x.delay = s.delayOf(rules.settings.Delay)
	var then *Then
	if p != nil {
		if p.delay != nil {
			x.delay = s.delayOf(p.delay)
		}
		then = p.preferred()
	}
	var inOrder []*scenario
	if p != nil {
		for _, name := range p.scenarios {
			inOrder = append(inOrder, rules.named[x.operation][name])
		}
	}
	inOrder = append(inOrder, scenarios...)
	if then != nil {
		inOrder = nil // the request has its response
	}
	var matching []*scenario
	asks := response != nil && response.usesNumber()
	for _, sc := range inOrder {
		if slices.Contains(matching, sc) || !sc.matches(x) {
			continue
		}
		if sc.Then.keeps != "" && rules.passesOn && !s.mayUseRealServer(x.r) {
			continue // what is kept may be a real server's
		}
		matching = append(matching, sc)
		asks = asks || sc.asks()
		if !sc.asks() && !sc.Then.Continue {
			break // nothing that comes after it counts
		}
	}
	decision := s.decide(x, matching, asks || s.store.Waiting(), then != nil)
	x.number = decision.Number
	if decision.Next != nil {
		next, err := s.parseNext(decision.Next, x.operation)
		if err != nil {
			return err // it was checked when it was asked for
		}
		x.applied = append(x.applied, applied{scenario: next.scenario, why: "asked for ahead"})
		return s.apply(x, &x.applied[0])
	}
	if then != nil {
		sc := &scenario{Scenario: &Scenario{Name: "Prefer", Then: *then}}
		x.applied = append(x.applied, applied{scenario: sc, why: strings.Join(p.applied, ", ")})
		return s.apply(x, &x.applied[0])
	}
	replaced := false
	for _, m := range decision.Matches {
		sc := matching[m.Step]
		sc.uses.count.Add(1)
		a := applied{scenario: sc, call: m.Call, retryAfter: retrySeconds(m.RetryAfter), why: sc.why(&m)}
		x.applied = append(x.applied, a)
		if sc.Then.keeps != "" {
			if s.keep(x, sc, &m) {
				return nil
			}
		}
		if err := s.apply(x, &a); err != nil {
			return err
		}
		replaced = replaced || sc.Then.replaces()
	}
	if response != nil && x.accepted() && !replaced && x.upstream == nil {
		err := s.apply(x, &applied{scenario: response})
		x.isReplaced = x.response.Status >= http.StatusBadRequest // else it is what an accepted request gets
		return err
	}
	return nil
}

// decide has the session say which of the scenarios hold; if asks is false it is not needed.
func (s *Server) decide(x *exchange, matching []*scenario, asks, ownResponse bool) store.Decision {
	if asks {
		steps := make([]store.Step, len(matching))
		for i, sc := range matching {
			steps[i] = sc.step(x)
		}
		decision, err := s.store.Decide(x.session, x.began, ownResponse, steps)
		if err == nil {
			return decision
		}
		x.isStoreAway = true
	}
	// Those that the session has no part in hold.
	var decision store.Decision
	if x.isStoreAway {
		decision.Number = int(s.alone.Add(1))
	}
	for i, sc := range matching {
		if sc.needsSession() {
			continue
		}
		decision.Matches = append(decision.Matches, store.Match{Step: i})
		if !sc.Then.Continue {
			break
		}
	}
	return decision
}

// why says what matched: the conditions, by name, and what the session made of them.
func (sc *scenario) why(m *store.Match) string {
	parts := slices.Clip(sc.matched)
	switch {
	case m.Call > 0:
		parts = append(parts, "call "+strconv.Itoa(m.Call))
	case sc.When.Limit != nil:
		parts = append(parts, "past the limit")
	case m.Kept != nil:
		parts = append(parts, "the response was kept")
	}
	if len(parts) == 0 {
		return "any request"
	}
	return strings.Join(parts, ", ")
}

// names are the conditions of a When, by which people find them in the configuration.
func (w *When) names() []string {
	var names []string
	add := func(given bool, name string) {
		if given {
			names = append(names, name)
		}
	}
	add(w.Outcome != "", "outcome "+w.Outcome)
	for _, name := range sortedKeys(w.Headers) {
		add(true, "header "+name)
	}
	for _, name := range sortedKeys(w.Query) {
		add(true, "query "+name)
	}
	for _, name := range sortedKeys(w.Fields) {
		add(true, "field "+name)
	}
	add(w.Between != nil, "the time of day")
	add(w.Probability > 0, "chance")
	for _, name := range sortedKeys(w.Requires) {
		add(true, name+" is "+w.Requires[name])
	}
	return names
}

// apply has a scenario do to the response what it says.
func (s *Server) apply(x *exchange, a *applied) error {
	t := &a.Then
	if t.replaces() {
		x.upstream = a.upstream
	}
	x.delay += s.delayOf(t.Delay)
	if t.Rate > 0 {
		x.rate = t.Rate
	}
	if t.CORS != nil && !*t.CORS {
		x.withoutCORS = true
	}
	if t.Fault != "" {
		x.fault = t.Fault
	}
	if t.Status == 0 && a.body == nil && len(a.headers) == 0 {
		return nil
	}
	r := s.rendering(x, a)
	for _, name := range sortedKeys(a.headers) { // in one order, since they share a source of values
		text, err := r.render(a.headers[name])
		if err != nil || strings.ContainsAny(text, "\r\n\x00") {
			x.failed(a.Name, "header "+name, err)
			continue
		}
		if x.headers == nil {
			x.headers = http.Header{}
		}
		x.headers.Set(name, text)
	}
	if t.Status == 0 && a.body == nil {
		return nil
	}
	status := t.Status
	if status == 0 {
		status = x.response.Status
	}
	x.isReplaced = true
	violations, broken, unknown := x.response.Violations, x.response.Broken, x.response.Unknown
	switch {
	case a.body != nil:
		body, err := a.body.render(r)
		if err != nil {
			x.failed(a.Name, "body", err)
			status = http.StatusInternalServerError
			x.response = x.operation.endpoint.Reject(&x.request, status, statusMessage(status), nil)
			break
		}
		x.response.Body, x.response.ContentType = body, a.body.contentType
	case status == http.StatusNoContent || status == http.StatusNotModified:
		x.response.Body, x.response.ContentType = nil, ""
	case status >= http.StatusBadRequest:
		x.response = x.operation.endpoint.Reject(&x.request, status, statusMessage(status), nil)
	case !x.accepted():
		x.response.Body, x.response.ContentType = nil, ""
	}
	x.response.Status, x.response.Allow = status, ""
	x.response.Violations, x.response.Broken, x.response.Unknown = violations, broken, unknown
	return nil
}

// failed notes a template that failed.
func (x *exchange) failed(name, part string, err error) {
	problem := "a line break, which no header may have"
	if err != nil {
		problem = err.Error()
	}
	x.note("scenario " + name + ": the template of its " + part + " failed: " + problem)
}

// kept is a response as it is kept.
type kept struct {
	Status      int
	ContentType string
	Allow       string
	Headers     http.Header
	Body        []byte
}

// keptWait is how long a request waits for the response to the first with its key.
const keptWait = 2 * time.Second

// keep sends what was kept, or has the response kept; it reports whether there is one.
func (s *Server) keep(x *exchange, sc *scenario, m *store.Match) bool {
	name := sc.kept(x)
	text := m.Kept
	switch {
	case m.Pending:
		ctx, cancel := context.WithTimeout(x.r.Context(), keptWait)
		defer cancel()
		text = s.store.Kept(ctx, x.session, name)
	case text == nil:
		x.keepAs = name
		return false
	}
	x.upstream, x.isReplaced = nil, true
	var response kept
	if text == nil || json.Unmarshal(text, &response) != nil {
		x.response = x.operation.endpoint.Reject(&x.request, http.StatusConflict,
			"A request with this Idempotency-Key is still being processed.", nil)
		return true
	}
	x.response.Status, x.response.Body = response.Status, response.Body
	x.response.ContentType, x.response.Allow, x.headers = response.ContentType, response.Allow, response.Headers
	x.response.Violations, x.response.Broken = nil, 0 // it is not this request's response
	return true
}

// keepResponse keeps the response of the first request with a key.
func (s *Server) keepResponse(x *exchange) {
	r := &x.response
	text, err := json.Marshal(kept{r.Status, r.ContentType, r.Allow, x.headers, r.Body})
	if err != nil {
		return // it cannot fail; run frees the name
	}
	x.isStoreAway = s.store.Keep(x.session, x.keepAs, text) != nil || x.isStoreAway
	x.keepAs = ""
}
