package mockserver

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/mockserver/store"
)

// Scenario is what the mock does instead of, or besides, responding as the framework
// would. The first that matches wins.
type Scenario struct {
	// Name names it in the journal, in the admin API and in the header Prefer.
	Name string `yaml:"name" doc:"names it in journal, admin API and the header Prefer"`
	// Enabled switches it; nil is on. One that is off is used by requests that ask for it.
	Enabled *bool `yaml:"enabled" doc:"false: only for requests that ask for it (default: true)"`
	// When is what a request must be; the zero value is any request.
	When When `yaml:"when" doc:"what a request must be; without it, any request"`
	// Then is what happens.
	Then Then `yaml:"then" doc:"what happens"`

	// ready is the name of the ready-made scenario that this one stands for.
	ready string
}

// When is what a request must be; all that is set must hold.
type When struct {
	// Operation is the id of an operation, as "understudy contract" shows it.
	Operation string `yaml:"operation" doc:"id of an operation"`
	// Outcome is accepted, rejected, or the id of a rule that the request breaks.
	Outcome string `yaml:"outcome" doc:"accepted, rejected, or the id of a rule that the request breaks"`
	// Fields are by name or JSON pointer.
	Fields map[string]Match `yaml:"fields" doc:"fields of the body by name or JSON pointer"`
	// Headers are by name.
	Headers map[string]Match `yaml:"headers" doc:"headers of the request by name"`
	// Query are parameters of the query by name.
	Query map[string]Match `yaml:"query" doc:"parameters of the query by name"`
	// Between are times of day, of the server's time zone.
	Between *Between `yaml:"between" doc:"time of day in the server's time zone, e.g. 08:00..12:00"`
	// Probability is the part of the requests, above 0 and up to 1; 0 is all.
	Probability float64 `yaml:"probability" doc:"part of the requests, above 0 and up to 1"`
	// Requires are states by name.
	Requires States `yaml:"requires" doc:"state that must hold, or states by name"`
	// Call counts the requests that everything above holds for.
	Call *Calls `yaml:"call" doc:"number of the call, e.g. 2, 2.., 2..5 or every 3"`
	// Limit holds for requests past a quota.
	Limit *Limit `yaml:"limit" doc:"holds past so many requests, e.g. 5/s"`
}

// Then is what happens. With none of status, body, fault and proxy, the response is that
// which would have come without the scenario.
type Then struct {
	Response
	// Delay holds the response back.
	Delay *Delay `yaml:"delay" doc:"time to hold the response back, e.g. 300ms or 300ms..900ms"`
	// Rate is how many bytes of the body are sent per second; 0 is all at once.
	Rate int `yaml:"rate" doc:"bytes of the body per second"`
	// Fault breaks the connection.
	Fault Fault `yaml:"fault" doc:"how the connection is broken"`
	// Proxy is the URL of a real server that the request is passed on to.
	Proxy string `yaml:"proxy" doc:"URL of a real server that the request is passed on to"`
	// Sets are states by name.
	Sets States `yaml:"sets" doc:"state to set, or states by name"`
	// Continue has the scenarios after this one looked at too.
	Continue bool `yaml:"continue" doc:"look at the scenarios after this one too"`
	// CORS false leaves the CORS headers out, as a dead proxy in front would.
	CORS *bool `yaml:"cors" doc:"false leaves the CORS headers out"`

	// keeps has the response kept under the value of a header, and sent again for the
	// same value.
	keeps string
}

// replaces reports a response of its own.
func (t *Then) replaces() bool {
	return t.Status != 0 || t.hasBody() || t.Proxy != "" || t.Fault != "" && !t.Fault.ofResponse()
}

func (r *Response) hasBody() bool { return r.JSON != nil || r.Text != "" || r.File != "" }

// States are states by name. One state alone has the name "state".
type States map[string]string

func (s *States) decode(d *decoder, n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*s = States{"state": n.Value}
		return nil
	}
	return d.decode(n, reflect.ValueOf((*map[string]string)(s)).Elem(), "a state")
}

func (States) schema() any {
	return anyOf(map[string]any{"type": "string"},
		map[string]any{"type": "object", "additionalProperties": map[string]any{"type": "string"}})
}

// decode reads a scenario, or the name of a ready-made one.
func (sc *Scenario) decode(d *decoder, n *yaml.Node) error {
	d.at[sc] = n
	if n.Kind == yaml.ScalarNode {
		ready, err := ReadyMade(n.Value)
		if err != nil {
			return d.errorf(n, "%s", err)
		}
		*sc = ready
		return nil
	}
	if err := d.decodeStruct(n, reflect.ValueOf(sc).Elem(), "a scenario"); err != nil {
		return err
	}
	if sc.Name == "" {
		return d.errorf(n, "a scenario needs a name")
	}
	return nil
}

func (*Scenario) schema() any {
	return anyOf(map[string]any{"enum": ReadyMadeNames(), "description": "a ready-made scenario"},
		structSchema(reflect.TypeFor[Scenario]()))
}

// scenario is one that was checked, for the requests of one operation.
type scenario struct {
	*Scenario
	conditions []condition
	body       *body
	headers    map[string]*text
	upstream   *upstream   // nil for none
	key        []*fieldRef // of Call and Limit
	uses       *uses
	matched    []string // the conditions by name
}

// uses counts how often a scenario matched. It outlives the configuration.
type uses struct{ count atomic.Int64 }

// condition is one part of a When that a request alone decides.
type condition func(x *exchange) bool

// rules are a configuration that was checked: what a request in flight goes by does not
// change.
type rules struct {
	setup
	scenarios []*Scenario
	// byOperation has the enabled scenarios, and named all of them.
	byOperation map[*operation][]*scenario
	named       map[*operation]map[string]*scenario
	// response is what an accepted request gets, by operation; nil for the echo.
	response map[*operation]*scenario
	// passesOn says that requests may be passed on to a real server.
	passesOn bool
}

// enabled reports a scenario that is looked at though no request asks for it.
func (r *rules) enabled(sc *Scenario) bool {
	if enabled, switched := r.switched[sc.Name]; switched {
		return enabled
	}
	return sc.Enabled == nil || *sc.Enabled
}

// states are the names of the states that scenarios require or set.
func (r *rules) states() []string {
	names := map[string]bool{}
	for _, sc := range r.scenarios {
		for _, states := range []States{sc.When.Requires, sc.Then.Sets} {
			for name := range states {
				names[name] = true
			}
		}
	}
	return sortedKeys(names)
}

// valuesOf are what a state may be, by what the scenarios require and set.
func (r *rules) valuesOf(state string) []string {
	values := map[string]bool{store.InitialState: true}
	for _, sc := range r.scenarios {
		for _, states := range []States{sc.When.Requires, sc.Then.Sets} {
			if value, found := states[state]; found {
				values[value] = true
			}
		}
	}
	return sortedKeys(values)
}

// compile checks a setup against the contract.
func (s *Server) compile(from *setup) (*rules, error) {
	c := &from.config
	r := &rules{
		setup: *from, byOperation: map[*operation][]*scenario{}, named: map[*operation]map[string]*scenario{},
		response: map[*operation]*scenario{}, passesOn: s.upstream != nil,
	}
	for i := range from.front {
		r.scenarios = append(r.scenarios, &from.front[i])
	}
	if len(c.Unique) > 0 {
		r.scenarios = append(r.scenarios, unique(c.Unique))
	}
	for i := range c.Scenarios {
		r.scenarios = append(r.scenarios, &c.Scenarios[i])
	}
	names := map[string]bool{}
	for _, sc := range r.scenarios {
		if names[sc.Name] {
			return nil, c.errorAt(sc, "duplicate scenario %q: a name can be used once", sc.Name)
		}
		names[sc.Name] = true
	}
	// The ready-made ones are there for who asks for them.
	off := false
	for _, name := range ReadyMadeNames() {
		if ready, err := ReadyMade(name); err == nil && !names[name] {
			ready.Enabled = &off
			r.scenarios = append(r.scenarios, &ready)
		}
	}
	for _, sc := range r.scenarios {
		if err := s.compileScenario(r, sc); err != nil {
			return nil, err
		}
	}
	if c.Response != nil {
		sc := &Scenario{Name: "response", Then: Then{Response: *c.Response}}
		for _, o := range s.operations {
			err := sc.check()
			var compiled *scenario
			if err == nil {
				compiled, err = s.compileFor(o, sc)
			}
			if err != nil {
				return nil, c.errorAt(c.Response, "response: %s", err)
			}
			r.response[o] = compiled
		}
	}
	return r, nil
}

func (s *Server) compileScenario(r *rules, sc *Scenario) error {
	c := &r.config
	fail := func(part any, err error) error {
		if c.at[part] == nil && sc.Name == uniqueKey {
			return c.errorAt(uniqueKey, "%s: %s", uniqueKey, err)
		}
		return c.errorAt(part, "scenario %q: %s", sc.Name, err)
	}
	if err := sc.check(); err != nil {
		return fail(&sc.Then, err)
	}
	if sc.When.Operation != "" {
		ids := make([]string, len(s.operations))
		for i, o := range s.operations {
			ids[i] = o.ID
		}
		if !slices.Contains(ids, sc.When.Operation) {
			return fail(&sc.When, fmt.Errorf("unknown operation %q%s", sc.When.Operation,
				didYouMean(sc.When.Operation, ids)))
		}
	}
	fits := false
	var problem error
	for _, o := range s.operations {
		if sc.When.Operation != "" && sc.When.Operation != o.ID {
			continue
		}
		compiled, err := s.compileFor(o, sc)
		if err != nil {
			problem = err
			continue
		}
		fits = true
		r.passesOn = r.passesOn || compiled.upstream != nil
		if r.enabled(sc) {
			r.byOperation[o] = append(r.byOperation[o], compiled)
		}
		if r.named[o] == nil {
			r.named[o] = map[string]*scenario{}
		}
		r.named[o][sc.Name] = compiled
	}
	// A ready-made one may need fields that this page lacks, which is an error for who asks for it.
	if !fits && (sc.ready == "" || r.enabled(sc)) {
		return fail(&sc.When, problem)
	}
	return nil
}

// check looks at what no contract decides.
func (sc *Scenario) check() error {
	t := &sc.Then
	if err := t.checkResponse(); err != nil {
		return err
	}
	switch {
	case t.Continue && t.replaces():
		return errors.New("continue adds to the response that comes after, and status, json, text, file and fault " +
			"replace it: remove one of them")
	case t.Proxy != "" && (t.Status != 0 || t.hasBody() || t.Fault != "" && !t.Fault.ofResponse()):
		return errors.New("proxy takes the response from another server: remove status, json, text, file and fault")
	case sc.When.Limit != nil && (sc.When.Limit.Requests < 1 || sc.When.Limit.Per <= 0 || sc.When.Limit.Burst < 1):
		return errors.New("limit: use at least 1 request, 1 of burst, and a time above 0")
	case t.Fault != "" && t.Fault.known() && !t.Fault.ofResponse() && (t.Status != 0 || t.hasBody()):
		return fmt.Errorf("the fault %s sends no response: remove status, json, text and file", t.Fault)
	case t.Rate < 0:
		return fmt.Errorf("rate %d: use a number of bytes per second from 1", t.Rate)
	case sc.When.Probability < 0 || sc.When.Probability > 1:
		return fmt.Errorf("probability %v: use a number above 0 and up to 1", sc.When.Probability)
	case t.Fault != "" && !t.Fault.known():
		return fmt.Errorf("unknown fault %q%s", t.Fault, didYouMean(string(t.Fault), FaultNames()))
	case t.Delay != nil:
		return t.Delay.check()
	}
	return nil
}

func (r *Response) checkResponse() error {
	bodies := 0
	for _, has := range []bool{r.JSON != nil, r.Text != "", r.File != ""} {
		if has {
			bodies++
		}
	}
	switch {
	case r.Status != 0 && (r.Status < 200 || r.Status > 599):
		return fmt.Errorf("invalid status %d: use 200 to 599", r.Status)
	case bodies > 0 && (r.Status == http.StatusNoContent || r.Status == http.StatusNotModified):
		return fmt.Errorf("status %d comes without a body: remove json, text and file", r.Status)
	case r.File != "" && r.content == nil:
		return fmt.Errorf("file %q: files are read where a configuration is parsed: use JSON or Text here", r.File)
	case bodies > 1:
		return fmt.Errorf("json, text and file are three ways to give one body: use one of them")
	}
	for name := range r.Headers {
		if !isToken(name) {
			return fmt.Errorf("invalid header name %q", name)
		}
		switch http.CanonicalHeaderKey(name) {
		case "Content-Length", "Transfer-Encoding", "Connection":
			return fmt.Errorf("the header %s is set by the server: a fault breaks what it says", name)
		}
	}
	return nil
}

// isToken reports a token of RFC 9110, section 5.6.2.
func isToken(s string) bool {
	const marks = "!#$%&'*+-.^_`|~"
	return s != "" && strings.IndexFunc(s, func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		return !letter && (r < '0' || r > '9') && !strings.ContainsRune(marks, r)
	}) < 0
}

// compileFor prepares a scenario for the requests of an operation.
func (s *Server) compileFor(o *operation, sc *Scenario) (*scenario, error) {
	compiled := &scenario{Scenario: sc, uses: s.usesOf(sc.Name), matched: sc.When.names()}
	w := &sc.When
	if w.Outcome != "" {
		f, err := outcomeCondition(o, w.Outcome)
		if err != nil {
			return nil, err
		}
		compiled.conditions = append(compiled.conditions, f)
	}
	for _, name := range sortedKeys(w.Headers) {
		m := w.Headers[name]
		matches, err := m.compile(nil)
		if err != nil {
			return nil, fmt.Errorf("header %s: %w", name, err)
		}
		key := http.CanonicalHeaderKey(name)
		compiled.conditions = append(compiled.conditions, func(x *exchange) bool { return matches(x.r.Header[key]) })
	}
	for _, name := range sortedKeys(w.Query) {
		m := w.Query[name]
		matches, err := m.compile(nil)
		if err != nil {
			return nil, fmt.Errorf("query %s: %w", name, err)
		}
		compiled.conditions = append(compiled.conditions, func(x *exchange) bool { return matches(x.query()[name]) })
	}
	for _, name := range sortedKeys(w.Fields) {
		f, err := fieldCondition(o, name, w.Fields[name])
		if err != nil {
			return nil, err
		}
		compiled.conditions = append(compiled.conditions, f)
	}
	if w.Between != nil {
		compiled.conditions = append(compiled.conditions, s.betweenCondition(*w.Between))
	}
	if p := w.Probability; p > 0 && p < 1 {
		compiled.conditions = append(compiled.conditions, func(*exchange) bool { return s.random().Float64() < p })
	}
	if w.Call != nil && w.Limit != nil {
		return nil, fmt.Errorf("call and limit both count: use one of them")
	}
	var key []string
	switch {
	case w.Call != nil:
		key = w.Call.Key
	case w.Limit != nil:
		key = w.Limit.Key
	}
	for _, name := range key {
		f, err := resolveField(o, name)
		if err != nil {
			return nil, err
		}
		compiled.key = append(compiled.key, f)
	}
	if sc.Then.Proxy != "" {
		var err error
		if compiled.upstream, err = s.newUpstream(sc.Then.Proxy); err != nil {
			return nil, err
		}
	}
	return compiled, compiled.compileResponse(&sc.Then.Response, o)
}

// unique is the scenario behind a configuration's Unique.
func unique(fields []string) *Scenario {
	return &Scenario{
		Name: uniqueKey,
		When: When{Outcome: "accepted", Call: &Calls{First: 2, Key: fields}},
		Then: Then{Response: Response{Status: http.StatusConflict, JSON: map[string]string{
			"Message": strings.Join(fields, " and ") + " are taken by another request.",
		}}},
	}
}

// step is what the scenario asks of the session.
func (sc *scenario) step(x *exchange) store.Step {
	w, t := &sc.When, &sc.Then
	step := store.Step{Requires: w.Requires, Sets: t.Sets, Continue: t.Continue}
	if w.Call == nil && w.Limit == nil {
		if t.keeps != "" {
			step.Keep = sc.kept(x)
		}
		return step
	}
	var name strings.Builder
	name.WriteString(sc.Name)
	for _, f := range sc.key {
		value, _ := f.value(x)
		name.WriteString("\x00" + textOf(value))
	}
	if w.Call != nil {
		step.Counter = name.String()
		step.Calls = store.Calls{First: w.Call.First, Last: w.Call.Last, Every: w.Call.Every}
	} else {
		step.Bucket = name.String()
		step.Quota = store.Quota{Burst: w.Limit.Burst, Interval: w.Limit.Per / time.Duration(w.Limit.Requests)}
	}
	return step
}

// kept is the name under which a response is kept.
func (sc *scenario) kept(x *exchange) string { return sc.Name + " " + x.r.Header.Get(sc.Then.keeps) }

// asks reports a step that the session decides, or changes.
func (sc *scenario) asks() bool {
	return sc.needsSession() || len(sc.Then.Sets) > 0 || sc.usesNumber()
}

// needsSession reports one that cannot be decided without the session.
func (sc *scenario) needsSession() bool {
	return len(sc.When.Requires) > 0 || sc.When.Call != nil || sc.When.Limit != nil || sc.Then.keeps != ""
}

// matches reports that everything holds which the request alone decides.
func (sc *scenario) matches(x *exchange) bool {
	for _, holds := range sc.conditions {
		if !holds(x) {
			return false
		}
	}
	return true
}

// outcomeCondition holds for an outcome, or for requests that break a rule.
func outcomeCondition(o *operation, outcome string) (condition, error) {
	switch outcome {
	case string(store.OutcomeAccepted):
		return func(x *exchange) bool { return x.accepted() }, nil
	case string(store.OutcomeRejected):
		return func(x *exchange) bool { return !x.accepted() }, nil
	}
	var ids []string
	for _, rule := range o.Rules() {
		ids = append(ids, rule.ID.String())
	}
	var id contracts.RuleID
	if err := id.UnmarshalText([]byte(outcome)); err != nil || !slices.Contains(ids, id.String()) {
		return nil, fmt.Errorf("unknown outcome %q: use accepted, rejected or the id of a rule, see "+
			"'understudy explain'%s", outcome, didYouMean(outcome, append(ids, "accepted", "rejected")))
	}
	return func(x *exchange) bool {
		for i := range x.response.Violations {
			if x.response.Violations[i].Rule == id {
				return true
			}
		}
		return false
	}, nil
}

// usesOf is the count of a scenario's name.
func (s *Server) usesOf(name string) *uses {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.uses[name]
	if u == nil {
		u = &uses{}
		s.uses[name] = u
	}
	return u
}

// random is the seeded source of what happens by chance. It is locked by its source.
func (s *Server) random() *rand.Rand { return s.chance }

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
