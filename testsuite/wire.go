package testsuite

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/net/proxy"
)

const (
	// idle is how long a connection is kept that no request uses: servers close theirs
	// after five seconds or more, and a request on its way then is lost.
	idle = time.Second
	// maxHead bounds what a response holds before its body, interim responses too.
	maxHead = 64 << 10
	// overtakes is how long the rest of a request is written when its response is there.
	overtakes = 100 * time.Millisecond
	// maxFraming is how many bytes may carry a body: chunks of one byte take six.
	maxFraming = 8 * MaxAnswer
)

// wire has the connections to a target, HTTP/1.1 alone. Nothing else of a run
// writes to the target, and a request is written once: net/http's own client sends
// some again by itself, which may be a second booking.
type wire struct {
	address  string // host:port to connect to
	host     string // of the URL, for TLS
	secure   bool
	tls      *tls.Config
	proxy    *url.URL
	dial     func(ctx context.Context, address string) (net.Conn, error)
	patience time.Duration // for one request, which the context of send ends with

	mu    sync.Mutex
	links []*link
}

// link is a connection that has carried a request and waits for the next one.
type link struct {
	net.Conn
	limit  *io.LimitedReader
	in     *bufio.Reader
	parked time.Time
}

// written is what became of the bytes of a request.
type written struct {
	n   int
	err error
}

var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// send writes one request and reads the response, whose body's memory is given
// back by free. Sent is false if certainly nothing reached the target. reuse
// allows a connection that has carried a request, and to keep it for another.
func (w *wire) send(ctx context.Context, t *ticket, method string, request []byte, reuse bool) (a *Answer, sent bool, free func()) {
	free = func() {}
	l, err := w.take(ctx, reuse)
	if err == nil {
		if err = t.spend(); err != nil {
			_ = l.Close() // nothing was written
		}
	}
	if err != nil {
		a = &Answer{Problem: strings.ReplaceAll(err.Error(), "\n", " ")}
		if isTimeout(err) {
			a = w.failed(ctx, err)
		}
		return a, false, free
	}
	stop := context.AfterFunc(ctx, func() { _ = l.SetDeadline(time.Unix(1, 0)) })
	outcome := make(chan written, 1)
	go func() {
		n, err := l.Write(request)
		outcome <- written{n, err}
	}()
	a, whole, free := w.receive(ctx, l, method)
	// A response may come before all was read; what is left is not waited for long.
	overtaken := time.AfterFunc(overtakes, func() { _ = l.SetDeadline(time.Unix(1, 0)) })
	out := <-outcome
	stopped := stop() && overtaken.Stop()
	if reuse && whole && stopped && out.err == nil {
		w.park(l)
	} else {
		_ = l.Close() // the response was read, or never will be
	}
	if a.Status == 0 && out.n == 0 {
		return a, false, free
	}
	return a, true, free
}

// receive reads the response to a request. Whole is true if another one may follow
// on the connection.
func (w *wire) receive(ctx context.Context, l *link, method string) (a *Answer, whole bool, free func()) {
	free = func() {}
	l.limit.N = maxHead
	for {
		resp, err := http.ReadResponse(l.in, &http.Request{Method: method})
		if err != nil {
			return w.failed(ctx, err), false, free
		}
		if resp.StatusCode >= 200 || resp.StatusCode == http.StatusSwitchingProtocols {
			if resp.StatusCode == http.StatusSwitchingProtocols {
				// What follows is no HTTP and may have no end.
				return &Answer{Status: resp.StatusCode, Header: resp.Header}, false, free
			}
			l.limit.N = maxFraming
			buffer := bodies.Get().(*bytes.Buffer)
			buffer.Reset()
			_, err := buffer.ReadFrom(io.LimitReader(resp.Body, MaxAnswer+1))
			a = &Answer{Status: resp.StatusCode, Header: resp.Header, Body: buffer.Bytes()}
			if len(a.Body) > MaxAnswer {
				a.Body, a.Cut = a.Body[:MaxAnswer], true
			}
			a.length = len(a.Body)
			if err != nil {
				failed := w.failed(ctx, err)
				a.late, a.Problem = failed.late, fmt.Sprintf("the response began with %d and broke off: %s", a.Status, failed.Problem)
			}
			return a, err == nil && !a.Cut && !resp.Close && l.in.Buffered() == 0, func() { bodies.Put(buffer) }
		}
		_ = resp.Body.Close() // an interim response has none
	}
}

// failed is the response that an error of the connection stands for.
func (w *wire) failed(ctx context.Context, err error) *Answer {
	var op *net.OpError
	switch {
	case isTimeout(err):
		return &Answer{Problem: "no response within " + w.patience.String(), late: !errors.Is(ctx.Err(), context.Canceled)}
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), errors.Is(err, io.ErrClosedPipe),
		errors.As(err, &op) && (op.Op == "read" || op.Op == "write"):
		return &Answer{Problem: "the connection was closed without a whole response", closed: true}
	}
	return &Answer{Problem: strings.ReplaceAll(err.Error(), "\n", " ")}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || errors.As(err, &timeout) && timeout.Timeout()
}

// take is a connection that nothing was heard on since its last response, or a new
// one.
func (w *wire) take(ctx context.Context, reuse bool) (*link, error) {
	for reuse {
		w.mu.Lock()
		n := len(w.links)
		if n == 0 {
			w.mu.Unlock()
			break
		}
		l := w.links[n-1]
		w.links = w.links[:n-1]
		w.mu.Unlock()
		if time.Since(l.parked) < idle && isQuiet(l.Conn) {
			return l, nil
		}
		_ = l.Close() // the target has ended it, or said what nobody asked for
	}
	conn, err := w.connect(ctx)
	if err != nil {
		return nil, err
	}
	l := &link{Conn: conn, limit: &io.LimitedReader{R: conn}}
	l.in = bufio.NewReader(l.limit)
	return l, nil
}

// park keeps a connection for the next request.
func (w *wire) park(l *link) {
	l.parked = time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.links = append(w.links, l)
}

// isQuiet reports that the target has neither ended a connection nor sent anything
// on it. What cannot be asked is taken for quiet: a request that then cannot be
// written was not sent.
func isQuiet(conn net.Conn) bool {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	asked, ok := conn.(syscall.Conn)
	if !ok {
		return true // within the process
	}
	return peek(asked)
}

func (w *wire) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, l := range w.links {
		_ = l.Close() // it carries nothing
	}
	w.links = nil
}

// connect makes a connection, through the proxy if there is one.
func (w *wire) connect(ctx context.Context) (net.Conn, error) {
	conn, err := w.through(ctx)
	if err != nil || !w.secure {
		return conn, err
	}
	settings := w.tls.Clone()
	settings.NextProtos = []string{"http/1.1"}
	if settings.ServerName == "" {
		settings.ServerName = w.host
	}
	return handshake(ctx, conn, settings)
}

func handshake(ctx context.Context, conn net.Conn, settings *tls.Config) (net.Conn, error) {
	secure := tls.Client(conn, settings)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close() // the handshake's error says more
		return nil, err
	}
	return secure, nil
}

func (w *wire) through(ctx context.Context) (net.Conn, error) {
	if w.proxy == nil {
		return w.dial(ctx, w.address)
	}
	port := w.proxy.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[w.proxy.Scheme]
	}
	address := net.JoinHostPort(w.proxy.Hostname(), port)
	switch w.proxy.Scheme {
	case "http", "https":
	case "socks5", "socks5h":
		var auth *proxy.Auth
		if user := w.proxy.User; user != nil {
			password, _ := user.Password()
			auth = &proxy.Auth{User: user.Username(), Password: password}
		}
		if w.proxy.Port() == "" {
			address = net.JoinHostPort(w.proxy.Hostname(), "1080")
		}
		dialer, err := proxy.SOCKS5("tcp", address, auth, &net.Dialer{})
		if err != nil {
			return nil, err
		}
		return dialer.(proxy.ContextDialer).DialContext(ctx, "tcp", w.address)
	default:
		return nil, fmt.Errorf("the proxy's scheme %q is not known: use http, https or socks5", w.proxy.Scheme)
	}
	conn, err := w.dial(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("the proxy: %w", err)
	}
	if w.proxy.Scheme == "https" {
		if conn, err = handshake(ctx, conn, &tls.Config{MinVersion: tls.VersionTLS12, ServerName: w.proxy.Hostname(), RootCAs: w.tls.RootCAs}); err != nil {
			return nil, fmt.Errorf("the proxy: %w", err)
		}
	}
	if !w.secure {
		return conn, nil
	}
	if err := w.tunnel(ctx, conn); err != nil {
		_ = conn.Close() // the proxy's error says more
		return nil, fmt.Errorf("the proxy: %w", err)
	}
	return conn, nil
}

// tunnel asks a proxy for a connection to the target (RFC 9110, section 9.3.6).
func (w *wire) tunnel(ctx context.Context, conn net.Conn) error {
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	head := "CONNECT " + w.address + " HTTP/1.1\r\nHost: " + w.address + "\r\n"
	if auth := proxyAuthorization(w.proxy); auth != "" {
		head += "Proxy-Authorization: " + auth + "\r\n"
	}
	if _, err := io.WriteString(conn, head+"\r\n"); err != nil {
		return err
	}
	// One byte at a time: what follows the response is the target's.
	in := bufio.NewReaderSize(io.LimitReader(oneByte{conn}, maxHead), 16)
	resp, err := http.ReadResponse(in, &http.Request{Method: http.MethodConnect})
	if err != nil {
		return err
	}
	_ = resp.Body.Close() // the response to CONNECT has none
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("it answered CONNECT with %d", resp.StatusCode)
	}
	return nil
}

type oneByte struct{ from io.Reader }

func (r oneByte) Read(p []byte) (int, error) { return r.from.Read(p[:min(len(p), 1)]) }

func proxyAuthorization(proxy *url.URL) string {
	if proxy == nil || proxy.User == nil {
		return ""
	}
	password, _ := proxy.User.Password()
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(proxy.User.Username()+":"+password))
}

// dialAnywhere connects to where an address leads.
func dialAnywhere(ctx context.Context, address string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, "tcp", address)
}

// dialLoopback connects to this machine only, whatever a name leads to: an address
// elsewhere is rejected before a packet goes there.
func dialLoopback(ctx context.Context, address string) (net.Conn, error) {
	d := &net.Dialer{Control: func(_, to string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(to)
		if err != nil || !at.Addr().Unmap().IsLoopback() {
			return fmt.Errorf("%s leads to %s, which is not loopback: give that address itself, and the limits of a target elsewhere apply", address, to)
		}
		return nil
	}}
	return d.DialContext(ctx, "tcp", address)
}
