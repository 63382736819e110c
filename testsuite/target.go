package testsuite

import (
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

	"github.com/seed47566266/understudy/contracts"
)

// caseHeader names the case on every request, unless the target is Anonymous.
const caseHeader = "X-Understudy-Case"

// target is where requests go.
type target struct {
	c      *Target
	base   *url.URL
	wire   *wire
	hide   *redactor
	server *http.Server // of a Handler

	mu     sync.Mutex
	token  string
	asked  bool
	tokens int // that were asked for
}

func newTarget(c *Config, p *prepared) (*target, error) {
	to := &c.Target
	t := &target{c: to, base: p.base, hide: p.hide}
	t.wire = &wire{address: to.connect.from(p.base), host: p.base.Hostname(), secure: p.base.Scheme == "https",
		tls: to.TLS, dial: dialAnywhere, patience: to.Timeout}
	if t.wire.tls == nil {
		t.wire.tls = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	switch {
	case to.Handler != nil:
		l := newPipeListener()
		t.wire.dial = func(ctx context.Context, _ string) (net.Conn, error) { return l.dial(ctx) }
		t.server = &http.Server{Handler: to.Handler, ReadHeaderTimeout: to.Timeout, ErrorLog: discardLog}
		go func() { _ = t.server.Serve(l) }() // ends with close
	case p.loopback:
		t.wire.dial = dialLoopback // and no proxy
	case !to.connect.isSet(): // the user decides where to connect
		through, err := http.ProxyFromEnvironment(&http.Request{URL: p.base})
		if err != nil {
			return nil, fmt.Errorf("the proxy of the environment: %w", err)
		}
		t.wire.proxy = through
		if through != nil && through.User != nil {
			password, _ := through.User.Password()
			t.hide.addPair(through.User.Username(), password)
		}
	}
	return t, nil
}

const (
	// pollEvery is the time between looking whether a target is up.
	pollEvery = 200 * time.Millisecond
	// settles is how long a connection must stay open: what forwards a port accepts one and
	// ends it at once while nothing is behind it.
	settles = 100 * time.Millisecond
)

// await waits until the target keeps a connection open, or the time for that is over. It
// sends nothing.
func (t *target) await(ctx context.Context) {
	if t.c.Wait == 0 || t.server != nil || t.wire.proxy != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, t.c.Wait)
	defer cancel()
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for !t.isUp(ctx) {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return // the run finds out what is wrong
		}
	}
}

func (t *target) isUp(ctx context.Context) bool {
	conn, err := t.wire.dial(ctx, t.wire.address)
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }() // nothing was written
	if conn.SetReadDeadline(time.Now().Add(settles)) != nil {
		return false
	}
	_, err = conn.Read(make([]byte, 1))
	return err == nil || isTimeout(err)
}

func (t *target) close() {
	t.wire.close()
	if t.server != nil {
		_ = t.server.Close() // its connections are pipes of our own
	}
}

// send sends a request once and reads the response. What goes wrong is its
// Problem; sent is false if certainly nothing reached the target. The response's
// body is there until free is called.
func (t *target) send(
	ctx context.Context, pass *ticket, id string, r *contracts.Request,
) (a *response, sent bool, free func()) {
	ctx, cancel := context.WithTimeout(ctx, t.c.Timeout)
	defer cancel()
	headers, err := t.headers(ctx, id)
	if err != nil {
		return &response{problem: "no credentials: " + err.Error()}, false, func() {}
	}
	var request []byte
	if r.Raw != nil {
		request = t.raw(r, headers)
	} else if request, err = t.request(r, headers, !pass.budget.unlimited()); err != nil {
		return &response{problem: "the request cannot be written: " + err.Error()}, false, func() {}
	}
	t.mu.Lock()
	token := t.tokens
	t.mu.Unlock()
	// A server may end a connection that waits, and what is on its way then is lost:
	// no matter where it can be sent again, but elsewhere it counts as a write.
	a, sent, free = t.wire.send(ctx, pass, r.Method, request, r.Raw == nil && pass.budget.unlimited())
	a.token = token
	return a, sent, free
}

// headers are those that go with every request.
func (t *target) headers(ctx context.Context, id string) ([]contracts.Header, error) {
	headers := []contracts.Header{{Name: "User-Agent", Value: "understudy/" + strings.Trim(t.c.Version, "()")}}
	if !t.c.Anonymous {
		headers = append(headers, contracts.Header{Name: caseHeader, Value: headerText(id)})
	}
	headers = append(headers, t.c.Headers...)
	if user := t.base.User; user != nil {
		password, _ := user.Password()
		basic := http.Request{Header: http.Header{}}
		basic.SetBasicAuth(user.Username(), password)
		headers = append(headers, contracts.Header{Name: "Authorization", Value: basic.Header.Get("Authorization")})
	}
	if t.c.Token == nil {
		return headers, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.asked {
		token, err := t.c.Token(ctx)
		if err != nil {
			return nil, err
		}
		t.hide.addHeader("Authorization", token)
		if !isHeaderValue(token) {
			return nil, errors.New("the token has characters that a header cannot hold")
		}
		t.token, t.asked = token, true
		t.tokens++
	}
	return append(headers, contracts.Header{Name: "Authorization", Value: t.token}), nil
}

// renew has the token asked for again, unless another request has done so since
// this one was sent.
func (t *target) renew(a *response) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.tokens == a.token {
		t.asked = false
	}
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

// request is a request as HTTP/1.1 writes it; last is the last one of its connection.
func (t *target) request(r *contracts.Request, headers []contracts.Header, last bool) ([]byte, error) {
	path, query, hasQuery := strings.Cut(r.Path, "?")
	u := *t.base
	u.User = nil
	u.RawPath = u.EscapedPath() + path
	decoded, err := url.PathUnescape(u.RawPath)
	if err != nil {
		return nil, err
	}
	u.Path, u.RawQuery, u.ForceQuery = decoded, query, hasQuery && query == ""
	req := &http.Request{Method: r.Method, URL: &u, Host: u.Host, Header: http.Header{}, Body: http.NoBody, Close: last}
	if len(r.Body) > 0 {
		req.Body = io.NopCloser(bytes.NewReader(r.Body))
		req.ContentLength = int64(len(r.Body))
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
	b := bytes.NewBuffer(make([]byte, 0, len(r.Body)+1<<10))
	if t.wire.proxy == nil || t.wire.secure || !strings.HasPrefix(t.wire.proxy.Scheme, "http") {
		err = req.Write(b)
	} else {
		if auth := proxyAuthorization(t.wire.proxy); auth != "" {
			req.Header.Set("Proxy-Authorization", auth)
		}
		err = req.WriteProxy(b)
	}
	return b.Bytes(), err
}

// raw is a request that is written as it stands: it may be malformed.
func (t *target) raw(r *contracts.Request, headers []contracts.Header) []byte {
	prefixed := *r
	prefixed.Raw = bytes.Replace(r.Raw, []byte(" /"), []byte(" "+t.base.EscapedPath()+"/"), 1)
	line, rest, _ := bytes.Cut(prefixed.Wire(t.base.Host), []byte("\r\n"))
	text := append(append([]byte(nil), line...), "\r\n"...)
	for _, h := range headers {
		text = fmt.Appendf(text, "%s: %s\r\n", h.Name, h.Value)
	}
	return append(text, rest...)
}

// connectTo has requests for one address go to another one, as a host file would. An
// empty host or port matches any; an empty toHost or toPort keeps the target's.
type connectTo struct{ host, port, toHost, toPort string }

// parseConnectTo reads HOST:PORT:HOST:PORT, an IPv6 address in brackets. Empty text is
// the zero value.
func parseConnectTo(text string) (connectTo, error) {
	if text == "" {
		return connectTo{}, nil
	}
	var parts []string
	for rest := text; ; {
		var part string
		if strings.HasPrefix(rest, "[") {
			end := strings.IndexByte(rest, ']')
			if end < 0 {
				break
			}
			part, rest = rest[1:end], rest[end+1:]
		} else if i := strings.IndexByte(rest, ':'); i >= 0 {
			part, rest = rest[:i], rest[i:]
		} else {
			part, rest = rest, ""
		}
		parts = append(parts, part)
		if rest == "" || rest[0] != ':' {
			break
		}
		rest = rest[1:]
	}
	if len(parts) != 4 {
		return connectTo{}, &ConfigError{
			"Target.ConnectTo",
			fmt.Sprintf("invalid connection %q: use HOST:PORT:HOST:PORT", text),
		}
	}
	return connectTo{parts[0], parts[1], parts[2], parts[3]}, nil
}

func (c connectTo) isSet() bool { return c != connectTo{} }

func (c connectTo) matches(host, port string) bool {
	return (c.host == "" || strings.EqualFold(c.host, host)) && (c.port == "" || c.port == port)
}

// from is the host and port that an address leads to.
func (c connectTo) from(base *url.URL) string {
	host, port := hostPort(base)
	if c.matches(host, port) {
		if c.toHost != "" {
			host = c.toHost
		}
		if c.toPort != "" {
			port = c.toPort
		}
	}
	return net.JoinHostPort(host, port)
}

func hostPort(base *url.URL) (host, port string) {
	if port = base.Port(); port == "" {
		port = defaultPorts[base.Scheme]
	}
	return base.Hostname(), port
}

// staysHere reports a target that is on this machine by everything given:
// the host of the URL, the host that is connected to, and the host that requests
// name, which a proxy here may go by. The connection is checked besides.
func (t *Target) staysHere(base *url.URL) bool {
	to, _, err := net.SplitHostPort(t.connect.from(base))
	if err != nil || !isLoopback(base.Hostname()) || !isLoopback(to) {
		return false
	}
	for _, h := range t.Headers {
		named := url.URL{Host: h.Value}
		if strings.EqualFold(h.Name, "Host") && !isLoopback(named.Hostname()) {
			return false
		}
	}
	return true
}

// isLoopback reports an address of this machine, or its usual name.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback() || strings.EqualFold(host, "localhost")
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
