package mockserver

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gorilla/mux"

	"github.com/seed47566266/understudy/contracts/webapi"
	"github.com/seed47566266/understudy/mockserver/store"
)

// AdminPath is where the admin API is. Its paths and shapes are WireMock's where it has
// them.
const AdminPath = "/__admin"

// maxAdminBody is the longest body of a request to the admin API, in bytes.
const maxAdminBody = 1 << 20

func isAdmin(r *http.Request) bool {
	path := r.URL.Path
	return strings.HasPrefix(path, AdminPath) && (len(path) == len(AdminPath) || path[len(AdminPath)] == '/')
}

// admin responds under [AdminPath].
type admin struct{ s *Server }

func (s *Server) newAdmin() http.Handler {
	a := admin{s}
	router := mux.NewRouter()
	route := func(method, path string, handle http.HandlerFunc) {
		router.Path(AdminPath + path).Methods(method).HandlerFunc(handle)
	}
	route(http.MethodGet, "/health", a.health)
	route(http.MethodGet, "/requests", a.requests)
	route(http.MethodDelete, "/requests", a.deleteRequests)
	route(http.MethodGet, "/requests/{id}", a.request)
	route(http.MethodGet, "/scenarios", a.scenarios)
	route(http.MethodPut, "/scenarios/{name}/state", a.setState)
	route(http.MethodPut, "/next", a.next)
	route(http.MethodPost, "/reset", a.reset)
	route(http.MethodGet, "/config", a.config)
	route(http.MethodGet, "/config/schema", a.schema)
	if s.shutdown != nil {
		route(http.MethodPost, "/shutdown", a.shutdown)
	}
	if s.metrics != nil {
		router.Path(AdminPath + "/metrics").Methods(http.MethodGet).Handler(s.metrics.handler())
	}
	router.NotFoundHandler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		problem(w, http.StatusNotFound, "no such path of the admin API: "+printablePath(r))
	})
	router.MethodNotAllowedHandler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		problem(w, http.StatusMethodNotAllowed, "this path of the admin API has no method "+printableText(r.Method))
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if status, text := s.guard(r); status != 0 {
			problem(w, status, text)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxAdminBody)
		router.ServeHTTP(w, r)
	})
}

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
		status, text = http.StatusInternalServerError, []byte(`{"errors": [{"title": "no JSON"}]}`)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // a client that went away is not an error
}

// problem is an error in WireMock's shape.
func problem(w http.ResponseWriter, status int, text string) {
	respondJSON(w, status, map[string]any{"errors": []any{map[string]any{"code": status, "title": text}}})
}

func (a admin) health(w http.ResponseWriter, _ *http.Request) {
	respondJSON(w, http.StatusOK, map[string]any{"status": "healthy", "version": a.s.version})
}

// session is that which a request to the admin API is about.
func session(r *http.Request) string {
	if name := r.URL.Query().Get("session"); name != "" {
		return name
	}
	return r.Header.Get(SessionHeader)
}

// filter is what a request to the journal asks for.
func filter(r *http.Request) (func(*store.Entry) bool, error) {
	q, of := r.URL.Query(), session(r)
	for name := range q {
		switch name {
		case "session", "outcome", "rule", "limit":
		default:
			return nil, errors.New("unknown filter " + printableText(name) + ": use session, outcome, rule or limit")
		}
	}
	return func(e *store.Entry) bool {
		if of != "" && e.Session != of || q.Has("outcome") && string(e.Outcome) != q.Get("outcome") {
			return false
		}
		if !q.Has("rule") {
			return true
		}
		for i := range e.Violations {
			if e.Violations[i].Rule.String() == q.Get("rule") {
				return true
			}
		}
		return false
	}, nil
}

func (a admin) requests(w http.ResponseWriter, r *http.Request) {
	matches, err := filter(r)
	limit := -1
	if text := r.URL.Query().Get("limit"); err == nil && text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 0 {
			err = errors.New("limit must be a number from 0")
		}
	}
	if err != nil {
		problem(w, http.StatusBadRequest, err.Error())
		return
	}
	found := []entryJSON{}
	all := a.s.store.Entries(0)
	total := 0
	for i := len(all) - 1; i >= 0; i-- { // the newest first
		if matches(all[i]) {
			if total++; limit < 0 || len(found) < limit {
				found = append(found, newEntryJSON(all[i]))
			}
		}
	}
	dropped, _ := a.s.store.Dropped()
	respondJSON(w, http.StatusOK, map[string]any{
		"requests": found, "meta": map[string]any{"total": total, "dropped": dropped},
		"requestJournalDisabled": !a.s.store.Enabled(),
	})
}

func (a admin) deleteRequests(w http.ResponseWriter, r *http.Request) {
	matches, err := filter(r)
	if err != nil {
		problem(w, http.StatusBadRequest, err.Error())
		return
	}
	respondJSON(w, http.StatusOK, map[string]any{"removed": len(a.s.store.Remove(matches))})
}

func (a admin) request(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseInt(mux.Vars(r)["id"], 10, 64)
	e := a.s.store.Entry(id)
	if err != nil || e == nil {
		problem(w, http.StatusNotFound, "no request with this id is in the journal")
		return
	}
	respondJSON(w, http.StatusOK, newEntryJSON(e))
}

func (a admin) scenarios(w http.ResponseWriter, r *http.Request) {
	list := []any{}
	for _, sc := range a.s.rules.Load().scenarios {
		list = append(list, map[string]any{
			"name": sc.Name, "enabled": sc.Enabled == nil || *sc.Enabled, "matched": a.s.usesOf(sc.Name).count.Load(),
		})
	}
	respondJSON(w, http.StatusOK, map[string]any{"scenarios": list, "states": a.s.store.States(session(r))})
}

func (a admin) setState(w http.ResponseWriter, r *http.Request) {
	var asked struct{ State string }
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&asked); err != nil || asked.State == "" {
		problem(w, http.StatusUnprocessableEntity, `send {"state": "NAME"}`)
		return
	}
	a.s.store.SetState(session(r), mux.Vars(r)["name"], asked.State)
	respondJSON(w, http.StatusOK, map[string]any{})
}

func (a admin) next(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		problem(w, http.StatusRequestEntityTooLarge, "the body is too long")
		return
	}
	if err := a.s.ahead(session(r), text); err != nil {
		problem(w, http.StatusUnprocessableEntity, err.Error())
		return
	}
	respondJSON(w, http.StatusOK, map[string]any{})
}

func (a admin) reset(w http.ResponseWriter, r *http.Request) {
	if name := session(r); name != "" {
		a.s.store.Reset(name)
		a.s.store.Remove(func(e *store.Entry) bool { return e.Session == name })
	} else {
		a.s.store.ResetAll()
		a.s.store.Remove(func(*store.Entry) bool { return true })
	}
	respondJSON(w, http.StatusOK, map[string]any{})
}

func (a admin) shutdown(w http.ResponseWriter, _ *http.Request) {
	respondJSON(w, http.StatusOK, map[string]any{})
	a.s.shutdown()
}

func (a admin) config(w http.ResponseWriter, _ *http.Request) {
	respondJSON(w, http.StatusOK, a.s.rules.Load().config)
}

func (a admin) schema(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/schema+json")
	_, _ = w.Write(ConfigSchema(nil)) // a client that went away is not an error
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
	Preflight  *time.Time         `json:"preflight,omitempty"`
	Timing     timingJSON         `json:"timing"`
}

type requestJSON struct {
	Method           string            `json:"method"`
	URL              string            `json:"url"`
	AbsoluteURL      string            `json:"absoluteUrl"`
	ClientIP         string            `json:"clientIp"`
	Headers          map[string]string `json:"headers"`
	Body             string            `json:"body"`
	BodyAsBase64     string            `json:"bodyAsBase64"`
	LoggedDate       int64             `json:"loggedDate"`
	LoggedDateString time.Time         `json:"loggedDateString"`
}

type responseJSON struct {
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
}

// timingJSON has whole milliseconds.
type timingJSON struct {
	AddedDelay int64 `json:"addedDelay"`
	TotalTime  int64 `json:"totalTime"`
}

func newEntryJSON(e *store.Entry) entryJSON {
	j := entryJSON{
		ID: strconv.FormatInt(e.ID, 10), Session: e.Session, Operation: e.Operation, WasMatched: e.Operation != "",
		Outcome: e.Outcome, Violations: e.Violations, Broken: e.Broken, Scenarios: e.Scenarios, Fault: e.Fault,
		Notes: e.Notes, Timing: timingJSON{e.Delay.Milliseconds(), e.Took.Milliseconds()},
		Request: requestJSON{
			Method: e.Method, URL: e.Target, AbsoluteURL: e.Scheme + "://" + e.Host + e.Target, Headers: flat(e.Header),
			Body: readable(e.Body), BodyAsBase64: base64.StdEncoding.EncodeToString(e.Body),
			LoggedDate: e.Time.UnixMilli(), LoggedDateString: e.Time.UTC(),
		},
	}
	j.Request.ClientIP, _, _ = net.SplitHostPort(e.Client)
	if !e.Preflight.IsZero() {
		j.Preflight = &e.Preflight
	}
	if e.Status != 0 {
		j.Response = &responseJSON{e.Status, flat(e.ResponseHeader), readable(e.ResponseBody)}
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
