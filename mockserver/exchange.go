package mockserver

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed47566266/understudy/contracts/webapi"
	"github.com/seed47566266/understudy/mockserver/store"
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
	// request is the part of r that determines the response; its Body is what was read.
	request webapi.Request
	// bodyBytes is how long the request's body is, at least, where it was not kept.
	bodyBytes int64
	// memory is what the request's body is read into, and the response's written.
	memory struct{ request, response []byte }
	// done are called at the end, the last one first.
	done []func()
	// response is what is sent, with the violations behind it.
	response webapi.Response

	// rules are the configuration that the exchange goes by, from its beginning to its end.
	rules *rules
	// session is the name of its session; prefer, what it asks for itself.
	session string
	prefer  *preferences
	// validation is what happens to a request that breaks the page.
	validation Validation
	// queryValues and bound are made when a scenario asks for them.
	queryValues url.Values
	bound       map[string]any
	isBound     bool
	// isAccepted is the framework's decision; isReplaced, that a scenario made the response.
	isAccepted, isReplaced bool
	// number is that of the exchange in its session.
	number int
	// applied are the scenarios with a part in the response, and headers those that they set.
	applied []applied
	headers http.Header
	// delay, rate, fault and withoutCORS are how the response is sent.
	delay       time.Duration
	rate        int
	fault       Fault
	withoutCORS bool
	// keepAs is the name under which the response is kept for the next request.
	keepAs string
	// upstream is the real server that the request is passed on to, and passedOn what that said;
	// nil for none.
	upstream *upstream
	passedOn *store.Upstream
	// isStoreAway says that the scenarios which need the store were left out.
	isStoreAway bool
	// abort has the connection dropped at the end.
	abort bool
	// notes are for [NotesHeader].
	notes []string
	// hiding is what is hidden of it, once it is recorded; nil if nothing is.
	hiding *hiding
}

// start has an exchange begin with what it keeps of the one before: memory.
func (x *exchange) start(w http.ResponseWriter, r *http.Request, o *operation) {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	*x = exchange{
		w: w, r: r, operation: o, began: time.Now(), memory: x.memory, done: x.done,
		request: webapi.Request{Method: r.Method, Target: target(r), Scheme: scheme, Host: r.Host, Header: r.Header},
	}
}

// keep makes the exchange ready for the next one: the memory of its bodies stays,
// unless large.
func (x *exchange) keep() {
	body, response := x.request.Body, x.response.Body
	*x = exchange{done: x.done[:0]}
	if cap(body) <= keptBuffer && cap(response) <= keptBuffer {
		x.memory.request, x.memory.response = body, response
	}
}

const keptBuffer = 64 << 10

// step is one part of an exchange. An error ends the exchange without a response: the
// client has gone.
type step func(*Server, *exchange) error

// exchange takes a request through the steps, the last of which logs it.
func (s *Server) exchange(w http.ResponseWriter, r *http.Request, o *operation) {
	x := s.exchanges.Get().(*exchange)
	x.start(w, r, o)
	s.run(x)
	x.keep() // not after a panic, when others may still hold it
	s.exchanges.Put(x)
}

// run takes the steps, and ends what they began.
func (s *Server) run(x *exchange) {
	defer func() {
		if x.keepAs != "" {
			_ = s.store.Free(x.session, x.keepAs, x.number) // it was not made; one that is away forgets it
		}
		x.finish()
	}()
	for _, step := range s.steps {
		if err := step(s, x); err != nil {
			s.log.Info(RequestMessage, "method", x.r.Method, "path", printablePath(x.r), "problem", err.Error())
			panic(http.ErrAbortHandler) //nolint:forbidigo // this has net/http drop the connection
		}
	}
	if x.abort {
		panic(http.ErrAbortHandler) //nolint:forbidigo // as above
	}
}

// finish calls what is to be done at the end.
func (x *exchange) finish() {
	for _, done := range slices.Backward(x.done) {
		done()
	}
	clear(x.done)
	x.done = x.done[:0]
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
	body, leave, err := s.readBody(x.w, x.r, x.memory.request[:0])
	if leave != nil {
		x.done = append(x.done, leave)
	}
	x.request.Body = body
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
		x.request.Body, x.bodyBytes = nil, max(x.r.ContentLength, s.maxBody+1)
		x.response = x.operation.endpoint.TooLarge(&x.request, x.memory.response)
	case err != nil:
		return errUnreadable
	}
	return nil
}

// readBody reads at most maxBody bytes into buf. Memory is taken as bytes arrive,
// whatever length is declared, and for a large body only once the gate has let it
// in; leave, unless nil, is called when the body is no longer needed.
func (s *Server) readBody(w http.ResponseWriter, r *http.Request, buf []byte) (body []byte, leave func(), err error) {
	if r.Body == nil || r.Body == http.NoBody {
		return buf, nil, nil
	}
	if r.ContentLength > s.maxBody {
		return buf, nil, &http.MaxBytesError{Limit: s.maxBody}
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
				return buf, nil, err
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
	switch {
	case x.response.Status != 0:
	case x.validation == ValidationEnforce:
		x.response = x.operation.endpoint.Respond(&x.request, x.memory.response)
	default:
		x.response = x.operation.endpoint.RespondUnchecked(&x.request, x.memory.response)
		if x.validation == ValidationOff && x.response.Status < http.StatusBadRequest {
			x.response.Violations, x.response.Broken = nil, 0
		}
		if x.response.Broken > 0 && x.response.Status < http.StatusBadRequest {
			x.note("accepted though it breaks the page: validation is " + string(x.validation))
		}
	}
	if len(x.response.Unknown) > 0 {
		x.noteUnknown()
	}
	return nil
}

// writePause is how long a response that was held back may take to be written.
const writePause = 10 * time.Second

// hold waits for as long as the response is to be held back.
func (s *Server) hold(x *exchange) error {
	if x.keepAs != "" {
		s.keepResponse(x)
	}
	if x.delay > 0 || x.rate > 0 || x.fault == FaultTimeout {
		s.gate.wait(x)
	}
	if x.delay > 0 {
		x.delay = min(x.delay, MaxDelay)
		// The time counts from now, not from the request: a real server may have taken as much.
		_ = http.NewResponseController(x.w).SetWriteDeadline(time.Now().Add(x.delay + writePause))
		s.sleep(x.r.Context(), x.delay)
	}
	return nil
}

// send writes the response, or breaks the connection.
func (s *Server) send(x *exchange) error {
	h, resp := x.w.Header(), &x.response
	if id := x.requestID(); id != "" {
		h[requestIDHeader] = []string{id}
	}
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
	if len(x.notes) > 0 {
		h[NotesHeader] = []string{listText(x.notes[:min(len(x.notes), maxShown)])}
	}
	if len(x.applied) > 0 {
		h[ScenarioHeader] = []string{listText(x.scenarioNames())}
	}
	if x.prefer != nil {
		x.announce(h)
	}
	if x.passedOn != nil {
		h[UpstreamHeader] = []string{upstreamText(x.passedOn)}
	}
	if x.isStoreAway || s.store.Away() != nil {
		h[StoreHeader] = []string{"down"}
	}
	for name, values := range x.headers {
		h[name] = values
	}
	if x.withoutCORS {
		dropCORS(h)
	}
	if x.fault != "" {
		return s.breakConnection(x)
	}
	bodiless := resp.Status == http.StatusNoContent || resp.Status == http.StatusNotModified
	if bodiless {
		h["Content-Length"] = nil
	}
	x.w.WriteHeader(resp.Status)
	switch {
	case x.r.Method == http.MethodHead || bodiless:
	case x.rate > 0:
		s.writeSlowly(x, resp.Body)
	case len(resp.Body) > largeBody:
		writeLarge(x.w, resp.Body)
	default:
		_, _ = x.w.Write(resp.Body) // a client that went away is not an error
	}
	return nil
}

// RequestMessage is the message of the line that is logged for each request.
const RequestMessage = "request"

// logExchange ends the chain: it writes the line of the request log.
func (s *Server) logExchange(x *exchange) error {
	x.took = time.Since(x.began)
	ctx := context.Background()
	if !s.log.Enabled(ctx, slog.LevelInfo) {
		return nil
	}
	var room [14]slog.Attr
	attrs := append(room[:0],
		slog.String("method", x.r.Method),
		slog.String("path", x.hiding.text(printablePath(x.r))),
		slog.Int("status", x.response.Status),
		slog.Int("request_bytes", len(x.request.Body)),
		slog.Duration("took", x.took.Round(time.Microsecond)))
	if len(x.response.Violations) > 0 {
		attrs = append(attrs, slog.Any("violations", LoggedViolations{&x.response}))
	}
	if id := x.requestID(); id != "" {
		attrs = append(attrs, slog.String("request_id", x.hiding.text(id)))
	}
	if x.session != "" {
		attrs = append(attrs, slog.String("session", x.session))
	}
	if len(x.applied) > 0 {
		attrs = append(attrs, slog.String("scenario", strings.Join(x.scenarioNames(), ", ")))
	}
	if x.fault != "" {
		attrs = append(attrs, slog.String("fault", string(x.fault)))
	}
	if x.passedOn != nil {
		attrs = append(attrs, slog.String("upstream", string(x.passedOn.Verdict)))
	}
	if len(x.notes) > 0 {
		attrs = append(attrs, slog.String("notes", strings.Join(x.notes, "; ")))
	}
	// Logger.LogAttrs would look up its caller, which no line shows.
	line := slog.NewRecord(x.began.Add(x.took), slog.LevelInfo, RequestMessage, 0)
	line.AddAttrs(attrs...)
	_ = s.log.Handler().Handle(ctx, line) // there is nowhere left to say that it failed
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

// printableText is a client's text for a log line: cut, and without control characters.
func printableText(text string) string {
	if len(text) > 128 {
		text = text[:128] + "..."
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, text)
}
