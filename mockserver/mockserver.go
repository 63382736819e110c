// Package mockserver serves a contract's endpoint over HTTP, answering as the
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
// The answer's body is byte for byte the framework's (see package webapi). What
// the mock has to say besides is in the header [ViolationsHeader] and in the log.
// The handler keeps no state between requests and does not listen by itself.
package mockserver

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/mux"
	"github.com/rs/cors"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/webapi"
)

// ViolationsHeader is the header of a refusal that says which facts of the page
// it goes back to, at most [maxShown] of them. Browsers may read it.
const ViolationsHeader = "X-Understudy-Violations"

// maxShown bounds the header and the log line; a hostile body can break a fact
// in every element of a list.
const maxShown = 8

// DefaultMaxBody is the largest request body in bytes unless [WithMaxBody] says
// otherwise. The page's sample has about a kilobyte.
const DefaultMaxBody = 1 << 20

// Option changes a default of [New].
type Option func(*Server)

// WithProfile sets the choices of the real server that the page leaves open;
// webapi.DefaultProfile otherwise.
func WithProfile(p webapi.Profile) Option { return func(s *Server) { s.profile = p } }

// WithMaxBody bounds request bodies, in bytes; at least 1. A longer one is
// refused with 413.
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
	endpoint *webapi.Endpoint
	profile  webapi.Profile
	maxBody  int64
	log      *slog.Logger
	handler  http.Handler
	buffers  sync.Pool
	gate     *gate

	beginLarge func() (end func())
}

// New makes the mock of a contract. It fails where the profile or the contract
// cannot be served.
func New(c *contracts.Contract, options ...Option) (*Server, error) {
	s := &Server{
		profile: webapi.DefaultProfile(), maxBody: DefaultMaxBody, log: slog.New(slog.DiscardHandler),
		beginLarge: func() func() { return func() {} },
	}
	for _, option := range options {
		option(s)
	}
	if s.maxBody < 1 {
		return nil, errors.New("the largest body has to be at least 1 byte")
	}
	var err error
	if s.endpoint, err = webapi.New(c, s.profile); err != nil {
		return nil, err
	}
	s.gate = newGate(s.maxBody, s.beginLarge)
	s.buffers.New = func() any { return new(buffers) }

	// The framework decides on every path itself, so none may be cleaned or
	// redirected before it.
	router := mux.NewRouter().SkipClean(true).UseEncodedPath()
	router.PathPrefix("/").HandlerFunc(s.answer)
	router.NotFoundHandler = http.HandlerFunc(s.answer) // OPTIONS *
	s.handler = cors.New(cors.Options{
		AllowedOrigins: []string{"*"},
		AllowedMethods: []string{c.Method},
		AllowedHeaders: []string{"*"},
		ExposedHeaders: []string{ViolationsHeader},
	}).Handler(router)
	return s, nil
}

// ServeHTTP answers one request. A panic on the way becomes the framework's 500.
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
			s.send(w, r, s.endpoint.Refuse(request(r, nil), http.StatusInternalServerError, "An error has occurred.", nil))
		}
	}()
	s.handler.ServeHTTP(tracked, r)
}

// trackedWriter notes whether an answer has begun.
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

// buffers are the memory of one request, kept for the next one unless large.
type buffers struct {
	body, answer []byte
}

const keptBuffer = 64 << 10

func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	b := s.buffers.Get().(*buffers)
	var resp webapi.Response
	body, leave, err := s.readBody(w, r, b.body[:0])
	defer leave()
	finish := func() {}
	if err == nil && len(body) > largeBody {
		pause(w, 0) // the wait is ours
		finish, err = s.gate.start(r.Context(), int64(len(body)))
	}
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		w.Header().Set("Connection", "close")
		resp = s.endpoint.Refuse(request(r, nil), http.StatusRequestEntityTooLarge, "Maximum request length exceeded.", b.answer)
	case err != nil:
		// The client went away or broke the transfer; there is no one to answer.
		s.log.Info("request", "method", r.Method, "path", printablePath(r), "problem", "the body could not be read")
		panic(http.ErrAbortHandler) //nolint:forbidigo // how net/http is told to drop a connection
	default:
		defer finish()
		resp = s.endpoint.Answer(request(r, body), b.answer)
	}
	s.send(w, r, resp)
	s.logRequest(r, &resp, len(body), time.Since(began))
	if cap(body) <= keptBuffer && cap(resp.Body) <= keptBuffer {
		b.body, b.answer = body, resp.Body
		s.buffers.Put(b)
	}
}

func request(r *http.Request, body []byte) *webapi.Request {
	target := r.RequestURI
	if target == "" || target[0] != '/' {
		target = r.URL.RequestURI() // a handler called without a server, or an absolute target
	}
	if target == "*" {
		target = "/*" // as a URI has it
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return &webapi.Request{Method: r.Method, Target: target, Scheme: scheme, Host: r.Host, Header: r.Header, Body: body}
}

// readBody reads at most maxBody bytes into buf. Memory is taken as bytes arrive,
// whatever length is declared, and for a large body only once the gate has let it
// in; leave is called when the body is no longer needed.
func (s *Server) readBody(w http.ResponseWriter, r *http.Request, buf []byte) (body []byte, leave func(), err error) {
	leave = func() {}
	if r.Body == nil || r.Body == http.NoBody {
		return buf, leave, nil
	}
	if r.ContentLength > s.maxBody {
		return buf, leave, &http.MaxBytesError{Limit: s.maxBody}
	}
	declared := r.ContentLength
	if declared < 0 {
		declared = s.maxBody
	}
	if n := int(min(declared, largeBody)); r.ContentLength >= 0 && n >= cap(buf) {
		buf = make([]byte, 0, n+1) // one more, so that the end is seen without growing
	}
	limited := http.MaxBytesReader(w, r.Body, s.maxBody)
	admitted := false
	for {
		if len(buf) > largeBody && !admitted {
			pause(w, 0) // the wait is ours
			if leave, err = s.gate.admit(r.Context(), declared); err != nil {
				return buf, func() {}, err
			}
			admitted = true
		}
		if admitted {
			pause(w, largePause) // others wait
		}
		if len(buf) == cap(buf) {
			left := max(declared-int64(len(buf))+1, 1) // one more, so that the end is seen without growing
			buf = slices.Grow(buf, int(min(left, int64(max(len(buf), bytes.MinRead)))))
		}
		n, err := limited.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if err == io.EOF {
			return buf, leave, nil
		}
		if err != nil {
			return buf, leave, err
		}
	}
}

func (s *Server) send(w http.ResponseWriter, r *http.Request, resp webapi.Response) {
	h := w.Header()
	if resp.ContentType != "" {
		h["Content-Type"] = []string{resp.ContentType}
	} else {
		h["Content-Type"] = nil // net/http would guess one
	}
	h["Content-Length"] = []string{strconv.Itoa(len(resp.Body))}
	if resp.Allow != "" {
		h["Allow"] = []string{resp.Allow}
	}
	if len(resp.Violations) > 0 {
		h[ViolationsHeader] = []string{headerText(&resp)}
	}
	w.WriteHeader(resp.Status)
	switch {
	case r.Method == http.MethodHead:
	case len(resp.Body) > largeBody:
		writeLarge(w, resp.Body)
	default:
		_, _ = w.Write(resp.Body) // a client that went away is no one's error
	}
}

// headerText lists violations in ASCII, e.g. `Reason/length@33 /Reason: 251
// UTF-16 units; …`.
func headerText(resp *webapi.Response) string {
	var b strings.Builder
	for i := range resp.Violations {
		if i == maxShown {
			b.WriteString("; and " + strconv.Itoa(resp.Broken-i) + " more")
			break
		}
		if i > 0 {
			b.WriteString("; ")
		}
		v := &resp.Violations[i]
		b.WriteString(v.Rule + "@" + strconv.Itoa(v.Line))
		if v.Pointer != "" {
			b.WriteString(" " + v.Pointer)
		}
		b.WriteString(": " + v.Found)
	}
	return strings.Map(func(u rune) rune {
		if u < ' ' || u > '~' {
			return '?'
		}
		return u
	}, b.String())
}

func (s *Server) logRequest(r *http.Request, resp *webapi.Response, received int, took time.Duration) {
	ctx := context.Background()
	if !s.log.Enabled(ctx, slog.LevelInfo) {
		return
	}
	var attrs [6]slog.Attr
	n := append(attrs[:0],
		slog.String("method", r.Method),
		slog.String("path", printablePath(r)),
		slog.Int("status", resp.Status),
		slog.Int("bytes", received),
		slog.Duration("took", took.Round(time.Microsecond)))
	if len(resp.Violations) > 0 {
		n = append(n, slog.String("broke", headerText(resp)))
	}
	s.log.LogAttrs(ctx, slog.LevelInfo, "request", n...)
}

// printablePath is the path without its query, which may hold anything, cut at
// a length that keeps a log line readable.
func printablePath(r *http.Request) string {
	path := r.URL.EscapedPath()
	if len(path) > 128 {
		path = path[:128] + "..."
	}
	return path
}
