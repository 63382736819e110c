package testsuite

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/seed47566266/understudy/fixtures"
)

// idle is how long a connection is kept that no request uses: servers close theirs
// after five seconds or more, and a request on its way then is lost.
const idle = time.Second

// CaseHeader names the case on every request, unless the Config is Anonymous.
const CaseHeader = "X-Understudy-Case"

// target is where requests go.
type target struct {
	c         *Config
	base      *url.URL
	transport *http.Transport
	hide      *redactor
	server    *http.Server // of a Handler

	mu    sync.Mutex
	token string
	asked bool
}

func newTarget(c *Config, p *prepared) *target {
	t := &target{c: c, base: p.base, hide: p.hide, transport: c.Transport}
	if t.transport == nil {
		t.transport = http.DefaultTransport.(*http.Transport).Clone()
	} else {
		t.transport = t.transport.Clone()
	}
	t.transport.DisableCompression = true
	t.transport.IdleConnTimeout = idle
	// HTTP/1.1 alone: what the cases of transport are about, and the same everywhere.
	t.transport.ForceAttemptHTTP2 = false
	t.transport.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	t.transport.MaxIdleConnsPerHost = max(c.Parallel, 1)
	// An answer of headers without end is one too.
	t.transport.MaxResponseHeaderBytes = 256 << 10
	if c.Handler != nil {
		l := newPipeListener()
		t.server = &http.Server{Handler: c.Handler, ReadHeaderTimeout: c.Timeout, ErrorLog: discardLog}
		t.transport.Proxy = nil
		t.transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) { return l.dial(ctx) }
		go func() { _ = t.server.Serve(l) }() // ends with close
	}
	return t
}

func (t *target) close() {
	t.transport.CloseIdleConnections()
	if t.server != nil {
		_ = t.server.Close() // its connections are pipes of our own
	}
}

// send sends a request once and reads the answer. What goes wrong is the answer's
// Problem; sent is false if certainly nothing reached the target.
func (t *target) send(ctx context.Context, id string, r *fixtures.Request) (a *Answer, sent bool) {
	ctx, cancel := context.WithTimeout(ctx, t.c.Timeout)
	defer cancel()
	headers, err := t.headers(ctx, id, false)
	if err != nil {
		return &Answer{Problem: t.hide.text("no credentials: " + err.Error())}, false
	}
	a, sent = t.exchange(ctx, r, headers)
	if a.Status == http.StatusUnauthorized && t.c.Token != nil {
		// The token has run out. What was refused with 401 did nothing.
		if headers, err = t.headers(ctx, id, true); err == nil {
			a, sent = t.exchange(ctx, r, headers)
		}
	}
	return a, sent
}

// headers are those that go with every request.
func (t *target) headers(ctx context.Context, id string, renew bool) ([]fixtures.Header, error) {
	headers := []fixtures.Header{{Name: "User-Agent", Value: "understudy/" + strings.Trim(t.c.Version, "()")}}
	if !t.c.Anonymous {
		headers = append(headers, fixtures.Header{Name: CaseHeader, Value: headerText(id)})
	}
	headers = append(headers, t.c.Headers...)
	if user := t.base.User; user != nil {
		password, _ := user.Password()
		basic := http.Request{Header: http.Header{}}
		basic.SetBasicAuth(user.Username(), password)
		headers = append(headers, fixtures.Header{Name: "Authorization", Value: basic.Header.Get("Authorization")})
	}
	if t.c.Token == nil {
		return headers, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.asked || renew {
		token, err := t.c.Token(ctx)
		if err != nil {
			return nil, err
		}
		t.hide.add(token)
		if _, secret, found := strings.Cut(token, " "); found {
			t.hide.add(secret)
		}
		t.token, t.asked = token, true
	}
	return append(headers, fixtures.Header{Name: "Authorization", Value: t.token}), nil
}

// headerText keeps an id to what a header may hold.
func headerText(id string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, id)
}

func (t *target) exchange(ctx context.Context, r *fixtures.Request, headers []fixtures.Header) (*Answer, bool) {
	if r.Raw != nil {
		return t.raw(ctx, r, headers)
	}
	path, query, hasQuery := strings.Cut(r.Path, "?")
	u := *t.base
	u.User = nil
	u.RawPath = u.EscapedPath() + path
	decoded, err := url.PathUnescape(u.RawPath)
	if err != nil {
		return &Answer{Problem: "the path cannot be sent"}, false
	}
	u.Path, u.RawQuery, u.ForceQuery = decoded, query, hasQuery && query == ""
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), nil)
	if err != nil {
		return &Answer{Problem: t.hide.text(err.Error())}, false
	}
	req.URL = &u
	req.Method = r.Method
	if len(r.Body) > 0 {
		req.Body = io.NopCloser(bytes.NewReader(r.Body))
		req.ContentLength = int64(len(r.Body))
	} else {
		req.Body = http.NoBody
	}
	// With GetBody the transport sends a request again on a new connection if
	// nothing of it was written to an old one. One that says it can be repeated it
	// would also send again later, and each may be a booking.
	if len(r.Body) > 0 && r.Header("Idempotency-Key") == "" {
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(r.Body)), nil }
	}
	for _, h := range r.Headers {
		req.Header[http.CanonicalHeaderKey(h.Name)] = append(req.Header[http.CanonicalHeaderKey(h.Name)], h.Value)
	}
	for _, h := range headers {
		if strings.EqualFold(h.Name, "Host") {
			req.Host = h.Value
			continue
		}
		req.Header.Set(h.Name, h.Value)
	}
	resp, err := t.transport.RoundTrip(req)
	if err != nil {
		return &Answer{Problem: t.problem(err), late: isLate(err)}, !isDialError(err)
	}
	defer func() { _ = resp.Body.Close() }()
	return t.readAnswer(resp), true
}

func (t *target) readAnswer(resp *http.Response) *Answer {
	a := &Answer{Status: resp.StatusCode, Header: resp.Header}
	body, err := io.ReadAll(io.LimitReader(resp.Body, MaxAnswer+1))
	if len(body) > MaxAnswer {
		body, a.Cut = body[:MaxAnswer], true
	}
	a.Body = body
	if err != nil {
		a.Problem = fmt.Sprintf("the answer began with %d and broke off after %d bytes: %s", a.Status, len(body), t.problem(err))
	}
	return a
}

// problem says a failure of transport in one line that holds no address.
func (t *target) problem(err error) string {
	switch {
	case isLate(err):
		return "no answer within " + t.c.Timeout.String()
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed):
		return "the connection was closed without a whole answer"
	}
	return t.hide.text(strings.ReplaceAll(err.Error(), "\n", " "))
}

func isLate(err error) bool {
	var timeout net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}

func isDialError(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// raw writes a request byte by byte. What a target writes before it has read all
// counts: a malformed request may be answered, or cut off, early.
func (t *target) raw(ctx context.Context, r *fixtures.Request, headers []fixtures.Header) (*Answer, bool) {
	conn, err := t.dial(ctx)
	if err != nil {
		return &Answer{Problem: t.problem(err)}, false
	}
	defer func() { _ = conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	prefixed := *r
	prefixed.Raw = bytes.Replace(r.Raw, []byte(" /"), []byte(" "+t.base.EscapedPath()+"/"), 1)
	line, rest, _ := bytes.Cut(prefixed.Wire(t.base.Host), []byte("\r\n"))
	text := append(append([]byte(nil), line...), "\r\n"...)
	for _, h := range headers {
		text = fmt.Appendf(text, "%s: %s\r\n", h.Name, h.Value)
	}
	text = append(text, rest...)
	go func() { _, _ = conn.Write(text) }() // the answer says whether it was read
	reader := bufio.NewReader(io.LimitReader(conn, MaxAnswer+(256<<10)))
	for {
		resp, err := http.ReadResponse(reader, &http.Request{Method: r.Method})
		if err != nil {
			return &Answer{Problem: t.problem(err)}, true
		}
		if resp.StatusCode >= 200 {
			a := t.readAnswer(resp)
			_ = resp.Body.Close() // the connection ends with it
			return a, true
		}
		_ = resp.Body.Close() // an interim answer has none
	}
}

func (t *target) dial(ctx context.Context) (net.Conn, error) {
	address := t.base.Host
	if t.base.Port() == "" {
		address = net.JoinHostPort(t.base.Hostname(), map[string]string{"http": "80", "https": "443"}[t.base.Scheme])
	}
	dial := t.transport.DialContext
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	conn, err := dial(ctx, "tcp", address)
	if err != nil || t.base.Scheme != "https" {
		return conn, err
	}
	settings := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.transport.TLSClientConfig != nil {
		settings = t.transport.TLSClientConfig.Clone()
	}
	settings.NextProtos = []string{"http/1.1"}
	if settings.ServerName == "" {
		settings.ServerName = t.base.Hostname()
	}
	secure := tls.Client(conn, settings)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close() // the handshake's error says more
		return nil, err
	}
	return secure, nil
}

// pipeListener makes connections within the process.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (l *pipeListener) dial(ctx context.Context) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case l.conns <- theirs:
		return ours, nil
	case <-l.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "handler" }
