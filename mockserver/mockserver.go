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
// The handler keeps no state between requests and does not listen by itself.
package mockserver

import (
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync"

	"github.com/gorilla/mux"
	"github.com/rs/cors"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/webapi"
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

// Server is the mock; it is an http.Handler for use by many goroutines.
type Server struct {
	profile    webapi.Profile
	maxBody    int64
	log        *slog.Logger
	beginLarge func() (end func())

	operations []*operation
	steps      []step
	handler    http.Handler
	exchanges  sync.Pool
	gate       *gate
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
	s.steps = []step{(*Server).receive, (*Server).respond, (*Server).send, (*Server).logExchange}
	s.gate = newGate(s.maxBody, s.beginLarge)
	s.exchanges.New = func() any { return new(exchange) }

	// The framework decides on every path itself, so none may be cleaned or
	// redirected before it.
	router := mux.NewRouter().SkipClean(true).UseEncodedPath()
	var methods []string
	for i := range c.Operations {
		o := &operation{Operation: &c.Operations[i]}
		var err error
		if o.endpoint, err = webapi.New(o.Operation, s.profile); err != nil {
			return nil, err
		}
		s.operations = append(s.operations, o)
		methods = append(methods, o.Method)
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
	browsers := cors.New(cors.Options{
		AllowedOrigins: []string{"*"},
		AllowedMethods: methods,
		AllowedHeaders: []string{"*"},
		ExposedHeaders: []string{ViolationsHeader},
	}).Handler(http.HandlerFunc(route))
	s.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header["Origin"] == nil {
			route(w, r) // no browser's request to another origin: the framework's headers and no others
			return
		}
		browsers.ServeHTTP(w, r)
	})
	return s, nil
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
	tracked := &trackedWriter{ResponseWriter: w}
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
			x.start(w, r, s.operations[0])
			x.response = x.operation.endpoint.Reject(&x.request, http.StatusInternalServerError,
				"An error has occurred.", nil)
			_ = s.send(x) // the client has whatever could be sent
		}
	}()
	s.handler.ServeHTTP(tracked, r)
}

// trackedWriter notes whether a response has begun.
type trackedWriter struct {
	http.ResponseWriter
	started bool
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
