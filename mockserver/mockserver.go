// Package mockserver serves the operations of a contract over HTTP, responding as the
// real framework would.
//
// [New] makes an http.Handler that can be mounted in a server of your own or in
// httptest.NewServer:
//
//	c, err := helppage.Parse(contracts.Page())
//	...
//	mock, err := mockserver.New(c)
//	...
//	server := httptest.NewServer(mock)
//
// The response's body is byte for byte the framework's (see package webapi). What
// the mock reports besides is in the header [ViolationsHeader] and in the log.
// Scenarios (see [Scenario]) change what it responds, in order; what they remember
// between requests, and the journal of all exchanges, are in memory, per session (see
// [SessionHeader]). The handler does not listen by itself. Under [AdminPath] it has an admin
// API, for requests to this machine by name or with a token alone.
package mockserver

import (
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/mux"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/webapi"
	"github.com/seed47566266/understudy/mockserver/store"
)

// DefaultMaxBody is the largest request body in bytes unless [WithMaxBody] sets
// another. The page's sample has about a kilobyte.
const DefaultMaxBody = 1 << 20

// Option changes a default of [New].
type Option func(*Server)

// WithProfile sets the choices of the real server that the page leaves open; the zero
// Profile otherwise.
func WithProfile(p webapi.Profile) Option { return func(s *Server) { s.profile = p } }

// WithMaxBody bounds request bodies, in bytes; at least 1. A longer one is rejected
// with 413.
func WithMaxBody(bytes int64) Option { return func(s *Server) { s.maxBody = bytes } }

// WithLargeWork has begin called whenever work on a large request begins, and what
// it returns when that ends: a process may want more memory meanwhile. Both are
// called by several goroutines.
func WithLargeWork(begin func() (end func())) Option {
	return func(s *Server) { s.beginLarge = begin }
}

// WithLogger has one line logged for each request, at level Info; a panic is
// logged at Error with its stack. Without it nothing is logged. No line holds a
// value of a request's body.
func WithLogger(l *slog.Logger) Option { return func(s *Server) { s.log = l } }

// WithConfig sets response and scenarios; without it every response is the framework's.
func WithConfig(c Config) Option { return func(s *Server) { s.first = c } }

// WithScenarios puts scenarios in front of those of the configuration, whichever that is
// later.
func WithScenarios(scenarios ...Scenario) Option {
	return func(s *Server) { s.front = append(s.front, scenarios...) }
}

// WithSettings sets what holds for all requests until the admin API changes it; the zero
// Settings otherwise.
func WithSettings(settings Settings) Option { return func(s *Server) { s.settings = settings } }

// WithSeed sets what all that happens by chance follows from; 1 otherwise.
func WithSeed(seed uint64) Option { return func(s *Server) { s.seed = seed } }

// WithStore sets where the journal and what scenarios remember are kept; in memory, with a
// journal of store.DefaultEntries and store.DefaultBytes, otherwise. The caller closes it.
func WithStore(st store.Store) Option { return func(s *Server) { s.store = st } }

// WithJournalFile has every entry of the journal written to a file, too.
func WithJournalFile(f *JournalFile) Option { return func(s *Server) { s.journalFile = f } }

// WithProxy has requests passed on to a real server, by its URL, and its responses sent; what
// the page says of each request is compared (see [Server.Agreement]).
func WithProxy(url string) Option { return func(s *Server) { s.proxyURL = url } }

// WithObserver has a function called with each entry of the journal, before the next request
// on the connection. The entry must not be changed.
func WithObserver(observe func(*store.Entry)) Option { return func(s *Server) { s.observe = observe } }

// WithHidden leaves the values of fields out of the journal.
func WithHidden(fields ...string) Option {
	return func(s *Server) { s.hidden = append(s.hidden, fields...) }
}

// WithCORS sets which browsers may call.
func WithCORS(c CORS) Option { return func(s *Server) { s.cors = c } }

// WithoutAdmin leaves everything under /__admin out.
func WithoutAdmin() Option { return func(s *Server) { s.noAdmin = true } }

// WithHealthAlone leaves everything under /__admin out but whether the mock is up.
func WithHealthAlone() Option { return func(s *Server) { s.healthAlone = true } }

// WithoutMetrics leaves metrics out.
func WithoutMetrics() Option { return func(s *Server) { s.noMetrics = true } }

// WithShutdown has the admin API's shutdown call stop; without it there is no shutdown.
func WithShutdown(stop func()) Option { return func(s *Server) { s.shutdown = stop } }

// WithConsole has a page served at the root of the admin API, and under [ConsolePath], which
// newConsole makes of the mock; see package console.
func WithConsole(newConsole func(*Server) (http.Handler, error)) Option {
	return func(s *Server) { s.newConsole = newConsole }
}

// WithVersion sets the version that the admin API says.
func WithVersion(version string) Option { return func(s *Server) { s.version = version } }

// WithAdminToken guards the admin API: requests must say "Authorization: Bearer TOKEN", but for
// those that ask whether it is up.
func WithAdminToken(token string) Option { return func(s *Server) { s.adminToken = token } }

// Server is the mock; it is an http.Handler for use by many goroutines.
type Server struct {
	profile    webapi.Profile
	maxBody    int64
	log        *slog.Logger
	beginLarge func() (end func())
	first      Config
	settings   Settings
	seed       uint64
	hidden     []string
	cors       CORS
	noAdmin    bool
	// healthAlone leaves health and ready of the admin API.
	healthAlone bool
	noMetrics   bool
	shutdown    func()
	version     string
	adminToken  string

	contract   *contracts.Contract
	operations []*operation
	zone       *time.Location
	store      store.Store
	chance     *rand.Rand
	rules      atomic.Pointer[rules]
	hide       *hider
	preflights preflights
	// journalFile gets the entries of the journal too; nil for none.
	journalFile *JournalFile
	metrics     *metrics
	admin       http.Handler
	alone       atomic.Int64 // exchanges numbered without the store
	streams     atomic.Int64 // of events
	proxyURL    string
	upstream    *upstream // nil for none
	upstreams   map[string]*upstream
	observe     func(*store.Entry)
	closing     chan struct{}
	closeOnce   sync.Once

	configuring sync.Mutex // of setup
	setup       setup
	front       []Scenario
	mu          sync.Mutex // of uses and upstreams
	uses        map[string]*uses

	// instance is a name of this mock: another one has another.
	instance string
	changes  changes
	// newConsole makes console, what is served at the admin API's root; nil for none.
	newConsole func(*Server) (http.Handler, error)
	console    http.Handler
	address    atomic.Pointer[string]
	problem    atomic.Pointer[string] // of the configuration's file

	agreeing      sync.Mutex // of agreement and disagreements
	agreement     Agreement
	disagreements map[disagreementKey]int // the index of each

	steps     []step
	handler   http.Handler
	exchanges sync.Pool
	gate      *gate
}

// operation is an operation of the contract and what responds for it.
type operation struct {
	*contracts.Operation
	endpoint *webapi.Endpoint
}

// New makes the mock of a contract. It fails where the profile or an operation cannot
// be served.
func New(c *contracts.Contract, options ...Option) (*Server, error) {
	s := &Server{
		maxBody: DefaultMaxBody, log: slog.New(slog.DiscardHandler),
		beginLarge: func() func() { return func() {} },
		seed:       1, uses: map[string]*uses{}, closing: make(chan struct{}), instance: uuid.NewString(),
	}
	for _, option := range options {
		option(s)
	}
	if s.maxBody < 1 {
		return nil, errors.New("invalid largest body: use at least 1 byte")
	}
	if c == nil || len(c.Operations) == 0 {
		return nil, errors.New("the contract has no operation: parse a Help Page first")
	}
	if err := s.settings.check(); err != nil {
		return nil, err
	}
	if s.proxyURL != "" {
		up, err := s.newUpstream(s.proxyURL)
		if err != nil {
			return nil, err
		}
		s.upstream = up
	}
	if s.store == nil {
		s.store = store.NewMemory(store.DefaultEntries, store.DefaultBytes)
	}
	if !s.noMetrics {
		s.metrics = newMetrics(s.store)
	}
	s.contract = c
	s.chance = rand.New(&lockedSource{source: rand.NewPCG(s.seed, 0)}) //nolint:gosec // no secret: a seed repeats it
	s.steps = []step{
		(*Server).prefer, (*Server).receive, (*Server).respond, (*Server).choose, (*Server).forward,
		(*Server).hold, (*Server).send, (*Server).record, (*Server).logExchange,
	}
	s.gate = newGate(s.maxBody, s.beginLarge)
	s.exchanges.New = func() any { return new(exchange) }

	// The framework decides on every path itself, so none may be cleaned or
	// redirected before it.
	router := mux.NewRouter().SkipClean(true).UseEncodedPath()
	for i := range c.Operations {
		o := &operation{Operation: &c.Operations[i]}
		var err error
		if o.endpoint, err = webapi.New(o.Operation, s.profile); err != nil {
			return nil, err
		}
		s.operations = append(s.operations, o)
		router.NewRoute().Name(o.ID).Methods(o.Method).MatcherFunc(o.matches).Handler(s.serve(o))
	}
	// A method that no operation of the route has is the framework's 405.
	for _, o := range s.operations {
		router.NewRoute().MatcherFunc(o.matches).Handler(s.serve(o))
	}
	router.NotFoundHandler = s.serve(s.operations[0]) // the framework's 404
	// Router.ServeHTTP copies the request twice, for variables that no route here has.
	route := func(w http.ResponseWriter, r *http.Request) {
		var match mux.RouteMatch
		router.Match(r, &match) // if only the handler for what is not found
		match.Handler.ServeHTTP(w, r)
	}
	var err error
	if s.zone, err = time.LoadLocation(s.profile.TimeZone); err != nil {
		return nil, err
	}
	if s.hide, err = s.newHider(s.hidden); err != nil {
		return nil, err
	}
	if err := s.change(func(to *setup) error {
		*to = setup{config: s.first, base: s.first, front: s.front, settings: s.settings}
		return nil
	}); err != nil {
		return nil, err
	}
	browsers, err := s.browsers(http.HandlerFunc(route))
	if err != nil {
		return nil, err
	}
	if s.newConsole != nil {
		if s.console, err = s.newConsole(s); err != nil {
			return nil, err
		}
	}
	s.admin = s.newAdmin()
	s.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !s.noAdmin && isAdmin(r):
			s.admin.ServeHTTP(w, r)
		case !s.noAdmin && !s.healthAlone && s.console != nil && isNavigation(r):
			http.Redirect(w, r, AdminPath+"/", http.StatusFound)
		case r.Header["Origin"] == nil || s.cors == CORSOff:
			route(w, r) // no browser's request to another origin: the framework's headers and no others
		default:
			browsers.ServeHTTP(w, r)
		}
	})
	return s, nil
}

// Close ends what waits: delayed responses are sent at once, and streams of the admin API
// end. The handler responds to further requests without delays.
func (s *Server) Close() error {
	s.closeOnce.Do(func() {
		close(s.closing)
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, up := range s.upstreams {
			up.close()
		}
	})
	return nil
}

// isNavigation reports a person who looks what is here with a browser.
func isNavigation(r *http.Request) bool {
	return r.Method == http.MethodGet && r.RequestURI == "/" && strings.Contains(r.Header.Get("Accept"), "text/html")
}

// lockedSource is a source of random numbers for many goroutines.
type lockedSource struct {
	mu     sync.Mutex
	source rand.Source
}

func (l *lockedSource) Uint64() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.source.Uint64()
}

// matches reports a request to the operation's route, by the framework's rules.
func (o *operation) matches(r *http.Request, _ *mux.RouteMatch) bool {
	return o.endpoint.Matches(target(r))
}

// serve is the handler of an operation.
func (s *Server) serve(o *operation) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.exchange(w, r, o) })
}

// ServeHTTP responds to one request. A panic on the way becomes the framework's 500.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.serveTracked(&trackedWriter{ResponseWriter: w}, r)
}

func (s *Server) serveTracked(tracked *trackedWriter, r *http.Request) {
	defer func() {
		problem := recover()
		if problem == nil {
			return
		}
		if problem == http.ErrAbortHandler { //nolint:errorlint // net/http panics with this very value
			panic(problem) //nolint:forbidigo // passed on to net/http, which understands it
		}
		s.log.Error("panic", "method", r.Method, "problem", problem, "stack", string(debug.Stack()))
		if !tracked.started {
			x := new(exchange)
			x.start(tracked, r, s.operations[0])
			x.response = x.operation.endpoint.Reject(&x.request, http.StatusInternalServerError,
				"An error has occurred.", nil)
			x.rules = s.rules.Load()
			_ = s.send(x) // the client has whatever could be sent
		}
	}()
	s.handler.ServeHTTP(tracked, r)
}

// trackedWriter notes whether a response has begun.
type trackedWriter struct {
	http.ResponseWriter
	started bool
	// sent is what [Server.Send] waits for; nil for other requests.
	sent *Sent
}

func (w *trackedWriter) WriteHeader(status int) {
	w.started = true
	w.ResponseWriter.WriteHeader(status)
}

func (w *trackedWriter) Write(b []byte) (int, error) {
	w.started = true
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the writer below.
func (w *trackedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
