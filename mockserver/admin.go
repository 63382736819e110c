package mockserver

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/gorilla/mux"
	"go.yaml.in/yaml/v3"

	"github.com/seed47566266/understudy/mockserver/store"
)

// AdminPath is where the admin API is. Its paths and shapes are WireMock's where it has
// them.
const AdminPath = "/__admin"

// ConsolePath is where the parts of the console are, beside the page at the root of the admin API.
const ConsolePath = AdminPath + "/console/"

// AssetPath is where those parts are that hold nothing of the mock, and need no token: the page asks
// for it.
const AssetPath = ConsolePath + "assets/"

// sendPath is where a request to the mock itself is taken.
const sendPath = "/send"

// maxAdminBody is the longest body of a request to the admin API, in bytes; one that holds a body for
// the mock may be longer, as that is escaped in it.
const maxAdminBody = 1 << 20

func (s *Server) maxAdminBody(path string) int64 {
	if path == AdminPath+sendPath || strings.HasPrefix(path, ConsolePath) {
		return maxAdminBody + 2*s.maxBody
	}
	return maxAdminBody
}

func isAdmin(r *http.Request) bool {
	path := r.URL.Path
	return strings.HasPrefix(path, AdminPath) && (len(path) == len(AdminPath) || path[len(AdminPath)] == '/')
}

// admin responds under [AdminPath].
type admin struct {
	s      *Server
	routes []route
}

// route is one method of one path of the admin API, and what its description says.
type route struct {
	method, path, about string
	handle              http.HandlerFunc
	// query are parameters of the query.
	query []parameter
	// body is a value of the type that the body is read into; nil for none.
	body any
	// response is a value of the type of the response to a request that succeeds, or a media
	// type where that is not JSON.
	response any
	// errors are the statuses of the responses to requests that fail, besides 400, 401, 403 and 503.
	errors []int
}

// openPaths need no token: they say whether the mock is up.
var openPaths = map[string]bool{"/health": true, "/ready": true}

type parameter struct{ name, about string }

var (
	sessionParameter = parameter{"session", "name of a session; also in the header " + SessionHeader}
	filterParameters = []parameter{
		sessionParameter,
		{"outcome", "accepted, rejected, scenario, fault, preflight, or the id of a rule"},
		{"rule", "id of a rule that the request breaks"},
		{"operation", "id of the operation"},
		{"method", "method of the request"},
		{"status", "status of the response"},
		{"unmatched", "true: requests to no operation"},
		{"since", "time in RFC 3339: requests from then on"},
		{"after", "id of an entry: requests after it"},
	}
	pageParameters = []parameter{
		{"limit", "how many at most"},
		{"offset", "how many are left out"},
		{"wait", "time such as 5s, up to 50s, to wait for a match"},
		{"atLeast", "how many matches are waited for (default: 1)"},
	}
)

func (s *Server) newAdmin() http.Handler {
	a := &admin{s: s}
	get, put, post, del := http.MethodGet, http.MethodPut, http.MethodPost, http.MethodDelete
	invalid, unknown := http.StatusUnprocessableEntity, http.StatusNotFound
	ofSession := []parameter{sessionParameter}
	a.routes = []route{
		{get, "/health", "200 as soon as it listens", a.health, nil, nil, healthJSON{}, nil},
		{
			get, "/ready", "200 until it drains; says whether store and journal file are there", a.ready, nil, nil,
			readyJSON{}, []int{http.StatusServiceUnavailable},
		},
		{
			get, "/requests", "requests of the journal, the newest first", a.requests,
			append(filterParameters, pageParameters...), nil, requestsJSON{}, nil,
		},
		{
			del, "/requests", "remove requests from the journal; all without a filter", a.deleteRequests,
			filterParameters, nil, removedJSON{}, nil,
		},
		{
			post, "/requests/count", "how many requests match", a.countRequests, ofSession, pattern{}, countJSON{},
			[]int{invalid},
		},
		{
			post, "/requests/find", "the requests that match, the oldest first", a.findRequests, ofSession, pattern{},
			foundJSON{}, []int{invalid},
		},
		{
			post, "/requests/remove", "remove the requests that match", a.removeRequests, ofSession, pattern{},
			foundJSON{}, []int{invalid},
		},
		{get, "/requests/unmatched", "requests to no operation", a.unmatched, ofSession, nil, foundJSON{}, nil},
		{get, "/requests/{id}", "one request", a.request, nil, nil, entryJSON{}, []int{unknown}},
		{del, "/requests/{id}", "remove one request", a.deleteRequest, nil, nil, struct{}{}, []int{unknown}},
		{
			get, "/events", "requests as they come, as server-sent events; Last-Event-ID resumes", a.events,
			[]parameter{
				sessionParameter,
				{"after", "id of an entry: those after it first"},
				{"view", "row: without headers and bodies"},
			}, nil,
			"text/event-stream",
			[]int{http.StatusServiceUnavailable},
		},
		{
			get, "/scenarios", "scenarios in order, and the states of a session", a.scenarios,
			ofSession, nil, scenariosJSON{}, nil,
		},
		{
			post, "/scenarios", "put scenarios in front of all others until a reset, in YAML or JSON: one, or a list",
			a.addScenarios, []parameter{{"check",
				"true: only say what is wrong with them"}}, scenariosBody{}, addedJSON{},
			[]int{invalid},
		},
		{
			put, "/scenarios/{name}", "enable or disable a scenario", a.switchScenario, nil, switchJSON{}, struct{}{},
			[]int{unknown, invalid},
		},
		{
			put, "/scenarios/{name}/state", "set a state of a session", a.setState, ofSession,
			stateJSON{}, struct{}{}, []int{unknown, invalid},
		},
		{
			post, "/scenarios/reset", "forget states, counters, quotas, kept and next responses", a.resetScenarios,
			ofSession, nil, struct{}{}, nil,
		},
		{
			put, "/next", "the response for the next requests of a session", a.next, ofSession,
			Next{}, struct{}{}, []int{invalid, http.StatusTooManyRequests},
		},
		{
			get,
			"/next",
			"the responses that the next requests of a session get",
			a.getNext,
			ofSession,
			nil,
			nextJSON{},
			nil,
		},
		{del, "/next", "forget them", a.dropNext, ofSession, nil, struct{}{}, nil},
		{
			post, sendPath, "send a request to the mock, wherever it listens; its id in the journal, and the response",
			a.send, nil, sendBody{}, sentJSON{}, []int{invalid},
		},
		{
			post, "/reset", "scenarios/reset, and the journal; of all sessions, what was changed here too",
			a.reset, ofSession, nil, struct{}{}, nil,
		},
		{get, "/settings", "what holds for all requests", a.getSettings, nil, nil, settingsJSON{}, nil},
		{
			post, "/settings", "change it", a.setSettings, nil, settingsBody{}, settingsJSON{}, []int{invalid},
		},
		{get, "/config", "response and scenarios", a.config, nil, nil, Config{}, nil},
		{
			put, "/config", "replace response and scenarios until a reset, in JSON or YAML", a.setConfig, nil, Config{},
			struct{}{}, []int{invalid},
		},
		{get, "/config/schema", "JSON Schema of a configuration", a.schema, nil, nil, "application/schema+json", nil},
		{get, "/contract", "what the page says", a.contract, nil, nil, map[string]any{}, nil},
		{get, "/openapi.json", "this description", a.openAPI, nil, nil, map[string]any{}, nil},
	}
	if s.shutdown != nil {
		a.routes = append(a.routes,
			route{post, "/shutdown", "drain and end", a.shutdown, nil, nil, struct{}{}, nil})
	}
	if s.metrics != nil {
		a.routes = append(a.routes,
			route{get, "/metrics", "for Prometheus", s.metrics.handler().ServeHTTP, nil, nil, "text/plain", nil})
	}
	if s.healthAlone {
		a.routes = slices.DeleteFunc(a.routes, func(r route) bool { return !openPaths[r.path] })
	}
	router := mux.NewRouter()
	for i := range a.routes {
		methods := []string{a.routes[i].method}
		if methods[0] == get {
			methods = append(methods, http.MethodHead) // as those ask that wait for a server
		}
		router.Path(AdminPath + a.routes[i].path).Methods(methods...).Handler(a.routes[i].checked())
	}
	if s.console != nil && !s.healthAlone {
		router.Path(AdminPath).Methods(get).Handler(http.RedirectHandler(AdminPath+"/", http.StatusFound))
		router.PathPrefix(ConsolePath).Handler(s.console)
		router.Path(AdminPath + "/").Handler(s.console)
	}
	router.NotFoundHandler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.healthAlone {
			problem(w, http.StatusNotFound, "the admin API is off, but for health and ready: give it a token")
			return
		}
		problem(w, http.StatusNotFound, "no such path of the admin API: "+printablePath(r)+"; see "+AdminPath+
			"/openapi.json")
	})
	router.MethodNotAllowedHandler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		allow := strings.Join(allowed(router, r), ", ")
		w.Header().Set("Allow", allow)
		problem(w, http.StatusMethodNotAllowed, "this path of the admin API has no method "+printableText(r.Method)+
			"; use "+allow)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if status, text := s.guard(r); status != 0 && !a.isOpen(r) {
			if status == http.StatusUnauthorized {
				w.Header().Set("WWW-Authenticate", "Bearer")
			}
			problem(w, status, text)
			return
		}
		if strings.Trim(session(r), sessionCharacters) != "" || len(session(r)) > maxSessionName {
			problem(w, http.StatusBadRequest, sessionSyntax)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		r.Body = http.MaxBytesReader(w, r.Body, s.maxAdminBody(r.URL.Path))
		router.ServeHTTP(w, r)
	})
}

// checked is the handler of a route, for requests whose query has nothing that is not described:
// a misspelled session would stand for all of them.
func (r *route) checked() http.Handler {
	if openPaths[r.path] {
		return r.handle // a probe may add to it what it likes
	}
	known := make([]string, len(r.query))
	for i := range r.query {
		known[i] = r.query[i].name
	}
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		q := req.URL.Query()
		for _, name := range sortedKeys(q) {
			switch {
			case !slices.Contains(known, name):
				problem(w, http.StatusBadRequest, "unknown parameter "+printableText(name)+didYouMean(name, known))
				return
			case len(q[name]) > 1:
				problem(w, http.StatusBadRequest, "the parameter "+name+" is there twice")
				return
			}
		}
		r.handle(w, req)
	})
}

// isOpen reports a request that needs no token, where others do: it is of who waits for the mock,
// by whatever name.
func (a *admin) isOpen(r *http.Request) bool {
	if a.s.adminToken == "" && !a.s.healthAlone || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	// A page's modules are asked for with the page's own origin; others get nothing that they could not
	// get from a mock of their own.
	if a.s.console != nil && (r.URL.Path == AdminPath+"/" || r.URL.Path == AdminPath ||
		strings.HasPrefix(r.URL.Path, AssetPath)) {
		return true
	}
	return r.Header.Get("Origin") == "" && r.Header.Get("Authorization") == "" &&
		openPaths[strings.TrimPrefix(r.URL.Path, AdminPath)]
}

// allowed are the methods that a router has for a path.
func allowed(router *mux.Router, r *http.Request) []string {
	var methods []string
	for _, method := range []string{
		http.MethodGet, http.MethodHead, http.MethodPut, http.MethodPost, http.MethodDelete,
	} {
		other, match := *r, mux.RouteMatch{}
		other.Method = method
		if router.Match(&other, &match) && match.MatchErr == nil {
			methods = append(methods, method)
		}
	}
	return methods
}

// Admin is the admin API alone, for a listener of its own. It responds under [AdminPath].
func (s *Server) Admin() http.Handler { return s.admin }

// guard keeps others out: pages of other origins, names that were bound to this address
// (DNS rebinding), and who lacks the token.
func (s *Server) guard(r *http.Request) (status int, text string) {
	if origin := r.Header.Get("Origin"); origin != "" {
		if u, err := url.Parse(origin); err != nil || u.Host != r.Host {
			return http.StatusForbidden, "the admin API is not for pages of other origins"
		}
	}
	if s.adminToken == "" {
		if !isLocalName(r.Host) {
			return http.StatusForbidden, "without a token the admin API is for localhost alone"
		}
		return 0, ""
	}
	given, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(s.adminToken))
	if !found || subtle.ConstantTimeCompare(a[:], b[:]) != 1 {
		return http.StatusUnauthorized, "the admin API needs the header Authorization: Bearer TOKEN"
	}
	return 0, ""
}

// isLocalName reports a Host header that names this machine.
func isLocalName(hostPort string) bool {
	host := hostPort
	if h, _, err := net.SplitHostPort(hostPort); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	if ip := net.ParseIP(host); ip != nil {
		return ip.IsLoopback()
	}
	return strings.EqualFold(host, "localhost") || strings.HasSuffix(strings.ToLower(host), ".localhost")
}

func respondJSON(w http.ResponseWriter, status int, value any) {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		status, text = http.StatusInternalServerError, []byte(`{"errors": [{"code": 500, "title": "no JSON"}]}`)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // a client that went away is not an error
}

// done is the response to a request that has nothing to say.
func done(w http.ResponseWriter) { respondJSON(w, http.StatusOK, struct{}{}) }

// errorsJSON is an error in WireMock's shape.
type errorsJSON struct {
	Errors []errorJSON `json:"errors"`
}

type errorJSON struct {
	Code  int    `json:"code"`
	Title string `json:"title"`
}

func problem(w http.ResponseWriter, status int, text string) {
	respondJSON(w, status, errorsJSON{[]errorJSON{{status, text}}})
}

// respondError is the response to an error: of the store, of a body that is too long, or else
// of the request.
func respondError(w http.ResponseWriter, err error) {
	var tooLarge *http.MaxBytesError
	status := http.StatusUnprocessableEntity
	switch {
	case errors.Is(err, store.ErrAway):
		status = http.StatusServiceUnavailable
	case errors.Is(err, store.ErrTooMany):
		status = http.StatusTooManyRequests
	case errors.As(err, &tooLarge):
		problem(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is longer than %d bytes", tooLarge.Limit))
		return
	}
	problem(w, status, err.Error())
}

// readBody reads a body in JSON, or YAML, into a struct by the names in its tags.
func readBody(r *http.Request, into any, what string) error {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	root, err := ParseYAML("body", text)
	if err != nil || root == nil {
		return err
	}
	return newDecoder("body").decode(root, reflect.ValueOf(into).Elem(), what)
}

type healthJSON struct {
	Status  string `json:"status"`
	Version string `json:"version,omitempty"`
}

func (a *admin) health(w http.ResponseWriter, _ *http.Request) {
	respondJSON(w, http.StatusOK, healthJSON{"healthy", a.s.version})
}

type readyJSON struct {
	Status      string `json:"status"`
	Store       string `json:"store"`
	JournalFile string `json:"journalFile,omitempty"`
}

// ready says what holds requests back. A store that is away does not: the mock goes on
// responding by the contract.
func (a *admin) ready(w http.ResponseWriter, _ *http.Request) {
	status, state := http.StatusOK, readyJSON{Status: "ready", Store: "up"}
	if err := a.s.store.Away(); err != nil {
		state.Store = "down"
	}
	if a.s.journalFile != nil {
		state.JournalFile = a.s.journalFile.state()
	}
	select {
	case <-a.s.closing:
		status, state.Status = http.StatusServiceUnavailable, "draining"
	default:
	}
	respondJSON(w, status, state)
}

// session is that which a request to the admin API is about.
func session(r *http.Request) string {
	if name := r.URL.Query().Get("session"); name != "" {
		return name
	}
	return r.Header.Get(SessionHeader)
}

type scenariosJSON struct {
	Scenarios []scenarioJSON    `json:"scenarios"`
	States    map[string]string `json:"states"`
	// Values are what each state may be.
	Values map[string][]string `json:"values"`
	// File is the configuration's, and Problem why its last change was not taken up; empty for none.
	File    string `json:"file,omitempty"`
	Problem string `json:"problem,omitempty"`
}

type scenarioJSON struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	About   string `json:"about,omitempty"`
	Enabled bool   `json:"enabled"`
	// ReadyMade marks one that every mock has.
	ReadyMade bool  `json:"readyMade,omitempty"`
	Matched   int64 `json:"matched"`
}

func (a *admin) scenarios(w http.ResponseWriter, r *http.Request) {
	states, err := a.s.store.States(session(r))
	if err != nil {
		respondError(w, err)
		return
	}
	rules := a.s.rules.Load()
	list := scenariosJSON{
		Scenarios: []scenarioJSON{}, States: states, Values: map[string][]string{}, File: rules.base.file,
	}
	if problem := a.s.problem.Load(); problem != nil {
		list.Problem = *problem
	}
	for _, sc := range rules.scenarios {
		list.Scenarios = append(list.Scenarios, scenarioJSON{
			sc.Name, sc.Name, AboutReadyMade(sc.ready), rules.enabled(sc), sc.ready != "",
			a.s.usesOf(sc.Name).count.Load(),
		})
	}
	for _, name := range rules.states() {
		list.Values[name] = rules.valuesOf(name)
		if states[name] == "" {
			states[name] = store.InitialState
		}
	}
	respondJSON(w, http.StatusOK, list)
}

// scenariosBody is how a configuration has scenarios.
type scenariosBody struct {
	Scenarios []Scenario `yaml:"scenarios" doc:"looked at in order; the first that matches wins"`
}

// addedJSON names the scenarios that were added, or would be.
type addedJSON struct {
	Scenarios []string `json:"scenarios"`
	// Problem is what is wrong with them, where that alone was asked.
	Problem string `json:"problem,omitempty"`
}

func (a *admin) addScenarios(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		respondError(w, err)
		return
	}
	added := addedJSON{Scenarios: []string{}}
	scenarios, err := parseScenarios(text)
	isCheck := r.URL.Query().Get("check") == "true"
	switch {
	case err == nil && isCheck:
		err = a.s.checkUse(scenarios)
	case err == nil:
		err = a.s.Use(scenarios...)
	}
	switch {
	case err != nil && isCheck:
		added.Problem = err.Error()
	case err != nil:
		respondError(w, err)
		return
	}
	for i := range scenarios {
		added.Scenarios = append(added.Scenarios, scenarios[i].Name)
	}
	respondJSON(w, http.StatusOK, added)
}

type switchJSON struct {
	Enabled *bool `json:"enabled" yaml:"enabled"`
}

func (a *admin) switchScenario(w http.ResponseWriter, r *http.Request) {
	var asked switchJSON
	if err := readBody(r, &asked, "the body"); err != nil {
		respondError(w, err)
		return
	}
	if asked.Enabled == nil {
		problem(w, http.StatusUnprocessableEntity, `send {"enabled": true} or {"enabled": false}`)
		return
	}
	if err := a.s.Switch(mux.Vars(r)["name"], *asked.Enabled); err != nil {
		problem(w, http.StatusNotFound, err.Error())
		return
	}
	done(w)
}

type stateJSON struct {
	State string `json:"state" yaml:"state"`
}

func (a *admin) setState(w http.ResponseWriter, r *http.Request) {
	var asked stateJSON
	if err := readBody(r, &asked, "the body"); err != nil {
		respondError(w, err)
		return
	}
	name, rules := mux.Vars(r)["name"], a.s.rules.Load()
	known, values := rules.states(), rules.valuesOf(name)
	switch {
	case asked.State == "":
		problem(w, http.StatusUnprocessableEntity, `send {"state": "NAME"}`)
		return
	case !slices.Contains(known, name):
		problem(w, http.StatusNotFound, fmt.Sprintf("no scenario requires or sets the state %q%s", name,
			didYouMean(name, known)))
		return
	case !slices.Contains(values, asked.State):
		problem(w, http.StatusUnprocessableEntity, fmt.Sprintf("no scenario requires or sets %s to be %q%s", name,
			asked.State, didYouMean(asked.State, values)))
		return
	}
	if err := a.s.store.SetState(session(r), name, asked.State); err != nil {
		respondError(w, err)
		return
	}
	a.s.noteChange()
	done(w)
}

func (a *admin) next(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(r.Body)
	if err == nil {
		err = a.s.ahead(session(r), text)
	}
	if err != nil {
		respondError(w, err)
		return
	}
	a.s.noteChange()
	done(w)
}

// nextJSON are the responses that the next requests of a session get, in order.
type nextJSON struct {
	Next []store.Next `json:"next"`
}

func (a *admin) getNext(w http.ResponseWriter, r *http.Request) {
	waiting, err := a.s.store.Next(session(r))
	if err != nil {
		respondError(w, err)
		return
	}
	out := nextJSON{append([]store.Next{}, waiting...)}
	for i := range out.Next {
		var value any // it may have been asked for in YAML
		if err := yaml.Unmarshal(out.Next[i].Response, &value); err == nil {
			out.Next[i].Response, err = json.Marshal(value)
			if err != nil {
				out.Next[i].Response = json.RawMessage("null")
			}
		}
	}
	respondJSON(w, http.StatusOK, out)
}

func (a *admin) dropNext(w http.ResponseWriter, r *http.Request) {
	if err := a.s.store.DropNext(session(r)); err != nil {
		respondError(w, err)
		return
	}
	a.s.noteChange()
	done(w)
}

func (a *admin) resetScenarios(w http.ResponseWriter, r *http.Request) {
	if err := a.s.resetScenarios(session(r)); err != nil {
		respondError(w, err)
		return
	}
	done(w)
}

func (a *admin) reset(w http.ResponseWriter, r *http.Request) {
	if err := a.s.Reset(session(r)); err != nil {
		respondError(w, err)
		return
	}
	done(w)
}

func (s *Server) resetScenarios(session string) error {
	defer s.noteChange()
	if session != "" {
		return s.store.Reset(session)
	}
	return s.store.ResetAll()
}

// Reset forgets what the requests of a session left behind: states, counters, quotas, kept and
// next responses, and journal. Of all sessions, if the name is empty, and what was changed over the
// admin API or by Use and Switch is undone then: the configuration is that of the last Configure.
func (s *Server) Reset(session string) error {
	if session == "" {
		err := s.change(func(to *setup) error {
			to.config, to.front, to.switched, to.settings = to.base, s.front, nil, s.settings
			return nil
		})
		if err != nil {
			return err
		}
	}
	if err := s.resetScenarios(session); err != nil {
		return err
	}
	_, err := s.remove(func(e *store.Entry) bool { return session == "" || e.Session == session })
	return err
}

func (a *admin) shutdown(w http.ResponseWriter, _ *http.Request) {
	done(w)
	a.s.shutdown()
}

// settingsJSON is in WireMock's shape, with what the mock has besides.
type settingsJSON struct {
	Settings settingsOfJSON `json:"settings"`
}

type settingsOfJSON struct {
	FixedDelay int64      `json:"fixedDelay,omitempty"`
	Delay      any        `json:"delay,omitempty"`
	Validation Validation `json:"validation"`
}

// settingsBody is what can be changed; what is not there stays.
type settingsBody struct {
	Settings
	FixedDelay *int `yaml:"fixedDelay" doc:"delay of every response in milliseconds; 0 for none"`
	// DelayDistribution is a delay in WireMock's words.
	DelayDistribution *delayDistribution `yaml:"delayDistribution" doc:"delay of every response in WireMock's words"`
}

// delayDistribution has times in milliseconds.
type delayDistribution struct {
	Type     string  `yaml:"type" doc:"lognormal or uniform"`
	Median   int     `yaml:"median" doc:"of lognormal: half of the delays are below, in milliseconds"`
	Sigma    float64 `yaml:"sigma" doc:"of lognormal: standard deviation of the logarithm, 0 to 5"`
	MaxValue int     `yaml:"maxValue" doc:"of lognormal: longer delays are cut to this, in milliseconds"`
	Lower    int     `yaml:"lower" doc:"of uniform: shortest, in milliseconds"`
	Upper    int     `yaml:"upper" doc:"of uniform: longest, in milliseconds"`
}

func (d *delayDistribution) delay() (*Delay, error) {
	switch {
	case d.Type == "lognormal":
		return &Delay{LogNormal: &LogNormal{
			Median: milliseconds(d.Median), Sigma: d.Sigma, Max: milliseconds(d.MaxValue),
		}}, nil
	case d.Type == "uniform" && d.Lower <= d.Upper:
		return &Delay{Min: milliseconds(d.Lower), Max: milliseconds(d.Upper)}, nil
	}
	return nil, errors.New("delayDistribution: use {type: lognormal, median, sigma} or {type: uniform, lower, upper}")
}

func (a *admin) getSettings(w http.ResponseWriter, _ *http.Request) {
	now := a.s.rules.Load().settings
	out := settingsOfJSON{Validation: now.Validation}
	if d := now.Delay; d != nil {
		out.Delay = d.encode()
		if d.LogNormal == nil && d.Max <= d.Min {
			out.FixedDelay = d.Min.Milliseconds()
		}
	}
	respondJSON(w, http.StatusOK, settingsJSON{out})
}

func (a *admin) setSettings(w http.ResponseWriter, r *http.Request) {
	var asked settingsBody
	err := readBody(r, &asked, "settings")
	if err == nil {
		err = a.s.change(func(to *setup) error { return asked.apply(&to.settings) })
	}
	if err != nil {
		respondError(w, err)
		return
	}
	a.getSettings(w, r)
}

func (b *settingsBody) apply(to *Settings) error {
	if b.Validation != "" {
		to.Validation = b.Validation
	}
	ways := 0
	for _, given := range []bool{b.Delay != nil, b.FixedDelay != nil, b.DelayDistribution != nil} {
		if given {
			ways++
		}
	}
	switch {
	case ways > 1:
		return errors.New("delay, fixedDelay and delayDistribution are three ways to say one thing: use one of them")
	case b.DelayDistribution != nil:
		var err error
		if to.Delay, err = b.DelayDistribution.delay(); err != nil {
			return err
		}
	case b.Delay != nil:
		to.Delay = b.Delay
	case b.FixedDelay != nil && *b.FixedDelay == 0:
		to.Delay = nil
	case b.FixedDelay != nil:
		to.Delay = &Delay{Min: milliseconds(*b.FixedDelay)}
	}
	return to.check()
}

// config is in YAML for who asks for it.
func (a *admin) config(w http.ResponseWriter, r *http.Request) {
	now := a.s.rules.Load().config
	if !strings.Contains(r.Header.Get("Accept"), "yaml") {
		respondJSON(w, http.StatusOK, now)
		return
	}
	text, err := json.Marshal(now)
	var root yaml.Node
	if err == nil {
		err = yaml.Unmarshal(text, &root) // JSON is YAML
	}
	if err == nil {
		asBlock(&root)
		text, err = yaml.Marshal(&root)
	}
	if err != nil {
		respondError(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/yaml; charset=utf-8")
	_, _ = w.Write(text) // a client that went away is not an error
}

// asBlock has YAML written line by line, and not as JSON.
func asBlock(n *yaml.Node) {
	n.Style = 0
	for _, inner := range n.Content {
		asBlock(inner)
	}
}

func (a *admin) setConfig(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(r.Body)
	if err == nil && len(bytes.TrimSpace(text)) == 0 {
		err = errors.New("the body is empty: send {} for a configuration that changes nothing")
	}
	if err == nil {
		// The files of the one before are known, so that what was read can be put back.
		known := map[string][]byte{}
		before := a.s.rules.Load().config
		before.eachFile(func(r *Response) { known[r.File] = r.content })
		read := func(file string) ([]byte, error) {
			if content, found := known[file]; found {
				return content, nil
			}
			return readBodyFile(nil, file)
		}
		var c Config
		if c, err = parseConfig("body", text, read, nil); err == nil {
			err = a.s.change(func(to *setup) error {
				to.config, to.switched = c, nil
				return nil
			})
		}
	}
	if err != nil {
		respondError(w, err)
		return
	}
	done(w)
}

func (a *admin) schema(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/schema+json")
	_, _ = w.Write(ConfigSchema(nil)) // a client that went away is not an error
}

func (a *admin) contract(w http.ResponseWriter, _ *http.Request) {
	respondJSON(w, http.StatusOK, a.s.contract)
}
