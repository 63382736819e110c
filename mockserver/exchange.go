package mockserver

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/seed47566266/understudy/contracts/webapi"
)

// exchange is one request on its way through the mock: what came in, the operation
// that it matched, the response with its violations, and when.
type exchange struct {
	w http.ResponseWriter
	r *http.Request
	// operation is the one that the request matched, or that responds where none does.
	operation *operation
	// began is when the request's head was there; took, how long everything took.
	began time.Time
	took  time.Duration
	// body is the request's, memory that of both bodies.
	body   []byte
	memory *buffers
	// done are called at the end, the last one first.
	done []func()
	// response is what is sent, with the violations behind it.
	response webapi.Response
}

// step is one part of an exchange. An error ends the exchange without a response: the
// client has gone.
type step func(*Server, *exchange) error

// exchange takes a request through the steps, the last of which logs it.
func (s *Server) exchange(w http.ResponseWriter, r *http.Request, o *operation) {
	x := &exchange{w: w, r: r, operation: o, began: time.Now(), memory: s.buffers.Get().(*buffers)}
	defer func() {
		for _, done := range slices.Backward(x.done) {
			done()
		}
	}()
	for _, step := range s.steps {
		if err := step(s, x); err != nil {
			s.log.Info("request", "method", r.Method, "path", printablePath(r), "problem", err.Error())
			panic(http.ErrAbortHandler) //nolint:forbidigo // this has net/http drop the connection
		}
	}
	if cap(x.body) <= keptBuffer && cap(x.response.Body) <= keptBuffer {
		x.memory.body, x.memory.response = x.body, x.response.Body
		s.buffers.Put(x.memory)
	}
}

// buffers are the memory of one exchange, kept for the next one unless large.
type buffers struct {
	body, response []byte
}

const keptBuffer = 64 << 10

// request is the part of the request that determines the response.
func (x *exchange) request() *webapi.Request {
	scheme := "http"
	if x.r.TLS != nil {
		scheme = "https"
	}
	return &webapi.Request{
		Method: x.r.Method, Target: target(x.r), Scheme: scheme, Host: x.r.Host, Header: x.r.Header, Body: x.body,
	}
}

// target is the path and query as they were sent.
func target(r *http.Request) string {
	text := r.RequestURI
	if text == "" || text[0] != '/' {
		text = r.URL.RequestURI() // a handler called without a server, or an absolute target
	}
	if text == "*" {
		text = "/*" // as a URI has it
	}
	return text
}

var errUnreadable = errors.New("the body could not be read")

// receive reads the body. One that is too long gets its response here.
func (s *Server) receive(x *exchange) error {
	body, leave, err := s.readBody(x.w, x.r, x.memory.body[:0])
	x.done = append(x.done, leave)
	x.body = body
	if err == nil && len(body) > largeBody {
		pause(x.w, 0) // the wait is ours
		var finish func()
		if finish, err = s.gate.start(x.r.Context(), int64(len(body))); err == nil {
			x.done = append(x.done, finish)
		}
	}
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		x.w.Header().Set("Connection", "close")
		x.body = nil
		x.response = x.operation.endpoint.Reject(x.request(), http.StatusRequestEntityTooLarge,
			"Maximum request length exceeded.", x.memory.response)
	case err != nil:
		return errUnreadable
	}
	return nil
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

// respond has the framework's reading respond, unless there is a response already.
func (s *Server) respond(x *exchange) error {
	if x.response.Status == 0 {
		x.response = x.operation.endpoint.Respond(x.request(), x.memory.response)
	}
	return nil
}

// send writes the response.
func (s *Server) send(x *exchange) error {
	h, resp := x.w.Header(), &x.response
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
		h[ViolationsHeader] = []string{violationsText(resp)}
	}
	x.w.WriteHeader(resp.Status)
	switch {
	case x.r.Method == http.MethodHead:
	case len(resp.Body) > largeBody:
		writeLarge(x.w, resp.Body)
	default:
		_, _ = x.w.Write(resp.Body) // a client that went away is not an error
	}
	return nil
}

// logExchange ends the chain: it writes the line of the request log.
func (s *Server) logExchange(x *exchange) error {
	x.took = time.Since(x.began)
	ctx := context.Background()
	if !s.log.Enabled(ctx, slog.LevelInfo) {
		return nil
	}
	var room [6]slog.Attr
	attrs := append(room[:0],
		slog.String("method", x.r.Method),
		slog.String("path", printablePath(x.r)),
		slog.Int("status", x.response.Status),
		slog.Int("request_bytes", len(x.body)),
		slog.Duration("took", x.took.Round(time.Microsecond)))
	if len(x.response.Violations) > 0 {
		attrs = append(attrs, slog.String("violations", violationsLine(&x.response)))
	}
	s.log.LogAttrs(ctx, slog.LevelInfo, "request", attrs...)
	return nil
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
