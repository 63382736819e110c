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
	"os"
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
	maxFraming = 8 * maxBody
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
	names []string // of the target's certificate
}

// link is a connection that has carried a request and waits for the next one.
type link struct {
	net.Conn
	raw    net.Conn // under all layers
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
func (w *wire) send(
	ctx context.Context, t *ticket, method string, request []byte, reuse bool,
) (a *response, sent bool, free func()) {
	free = func() {}
	l, err := w.take(ctx, reuse)
	if err == nil {
		if err = t.spend(); err != nil {
			_ = l.Close() // nothing was written
		}
	}
	if err != nil {
		a = &response{problem: strings.ReplaceAll(err.Error(), "\n", " ")}
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
	if reuse && whole && stopped && out.err == nil && readsBodies(a.status) {
		w.park(l)
	} else {
		_ = l.Close() // the response was read, or never will be
	}
	if a.status == 0 && out.n == 0 {
		return a, false, free
	}
	return a, true, free
}

// readsBodies reports a status of a server that has looked at the body. One that rejects a
// request by its head may leave the body on the connection, and read it as the next one.
func readsBodies(status int) bool {
	return status <= http.StatusBadRequest ||
		status == http.StatusUnprocessableEntity
}

// receive reads the response to a request. Whole is true if another one may follow
// on the connection.
func (w *wire) receive(ctx context.Context, l *link, method string) (a *response, whole bool, free func()) {
	free = func() {}
	l.limit.N = maxHead
	for {
		resp, err := http.ReadResponse(l.in, &http.Request{Method: method})
		switch {
		case err != nil && l.limit.N <= 0:
			return &response{
				problem: fmt.Sprintf("the head of the response is longer than %d bytes", maxHead),
			}, false, free
		case err != nil:
			return w.failed(ctx, err), false, free
		case resp.StatusCode == http.StatusSwitchingProtocols:
			// What follows is not HTTP and may have no end.
			return &response{status: resp.StatusCode, header: resp.Header}, false, free
		case resp.StatusCode >= 200:
			l.limit.N = maxFraming
			buffer := bodies.Get().(*bytes.Buffer)
			buffer.Reset()
			_, err := buffer.ReadFrom(io.LimitReader(resp.Body, maxBody+1))
			a = &response{status: resp.StatusCode, header: resp.Header, body: buffer.Bytes()}
			if len(a.body) > maxBody {
				a.body, a.cut = a.body[:maxBody], true
			}
			a.length = len(a.body)
			if err != nil {
				failed := w.failed(ctx, err)
				a.late = failed.late
				a.problem = fmt.Sprintf("the response began with %d and broke off: %s", a.status, failed.problem)
			}
			whole = err == nil && !a.cut && !resp.Close && l.in.Buffered() == 0
			return a, whole, func() { bodies.Put(buffer) }
		}
		_ = resp.Body.Close() // an interim response has none
	}
}

// failed is the response that an error of the connection stands for.
func (w *wire) failed(ctx context.Context, err error) *response {
	var op *net.OpError
	switch {
	case isTimeout(err):
		late := !errors.Is(ctx.Err(), context.Canceled)
		return &response{problem: "no response within " + w.patience.String(), late: late}
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), errors.Is(err, io.ErrClosedPipe),
		errors.As(err, &op) && (op.Op == "read" || op.Op == "write"):
		return &response{problem: "the connection was closed without a whole response", closed: true}
	}
	return &response{problem: strings.ReplaceAll(err.Error(), "\n", " ")}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) ||
		errors.As(err, &timeout) && timeout.Timeout()
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
		if time.Since(l.parked) < idle && l.isQuiet() {
			return l, nil
		}
		_ = l.Close() // the target has ended it, or sent what was not asked for
	}
	conn, raw, err := w.connect(ctx)
	if err != nil {
		return nil, err
	}
	l := &link{Conn: conn, raw: raw, limit: &io.LimitedReader{R: conn}}
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
// on it: nothing waits in the system, and nothing in the layers above.
func (l *link) isQuiet() bool {
	if asked, ok := l.raw.(syscall.Conn); ok && !peek(asked) {
		return false
	}
	if l.SetReadDeadline(time.Unix(1, 0)) != nil {
		return false
	}
	l.limit.N = 1
	_, err := l.in.Peek(1)
	return errors.Is(err, os.ErrDeadlineExceeded) && l.SetReadDeadline(time.Time{}) == nil
}

func (w *wire) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, l := range w.links {
		_ = l.Close() // it carries nothing
	}
	w.links = nil
}

// connect makes a connection, through the proxy if there is one. Raw is what lies
// under its layers.
func (w *wire) connect(ctx context.Context) (conn, raw net.Conn, err error) {
	conn, raw, err = w.through(ctx)
	if err != nil || !w.secure {
		return conn, raw, err
	}
	settings := w.tls.Clone()
	settings.NextProtos = []string{"http/1.1"}
	if settings.ServerName == "" {
		settings.ServerName = w.host
	}
	secure, err := handshake(ctx, conn, settings)
	if err != nil {
		return nil, raw, err
	}
	if all := secure.ConnectionState().PeerCertificates; len(all) > 0 {
		w.mu.Lock()
		w.names = all[0].DNSNames
		for _, ip := range all[0].IPAddresses {
			w.names = append(w.names, ip.String())
		}
		w.mu.Unlock()
	}
	return secure, raw, nil
}

// certified are the names of the target's certificate, if it has shown one.
func (w *wire) certified() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.names
}

func handshake(ctx context.Context, conn net.Conn, settings *tls.Config) (*tls.Conn, error) {
	secure := tls.Client(conn, settings)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close() // the handshake's error says more
		return nil, err
	}
	return secure, nil
}

func (w *wire) through(ctx context.Context) (conn, raw net.Conn, err error) {
	if w.proxy == nil {
		raw, err = w.dial(ctx, w.address)
		return raw, raw, err
	}
	if raw, err = w.dial(ctx, w.proxyAddress()); err == nil {
		if conn, err = w.pass(ctx, raw); err != nil {
			_ = raw.Close() // the proxy's error says more
		}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("the proxy: %w", err)
	}
	return conn, raw, nil
}

// defaultPorts are those of an address without one.
var defaultPorts = map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}

func (w *wire) proxyAddress() string {
	port := w.proxy.Port()
	if port == "" {
		port = defaultPorts[w.proxy.Scheme]
	}
	return net.JoinHostPort(w.proxy.Hostname(), port)
}

// pass makes a connection to the proxy one to the target, or to what takes requests
// for it.
func (w *wire) pass(ctx context.Context, conn net.Conn) (net.Conn, error) {
	switch w.proxy.Scheme {
	case "http":
	case "https":
		settings := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: w.proxy.Hostname(), RootCAs: w.tls.RootCAs}
		var err error
		if conn, err = handshake(ctx, conn, settings); err != nil {
			return nil, err
		}
	case "socks5", "socks5h":
		return conn, w.socks(ctx, conn)
	default:
		return nil, fmt.Errorf("unknown scheme %q: use http, https or socks5", w.proxy.Scheme)
	}
	if !w.secure {
		return conn, nil
	}
	return conn, w.tunnel(ctx, conn)
}

// socks asks a proxy for a connection to the target (RFC 1928).
func (w *wire) socks(ctx context.Context, conn net.Conn) error {
	var auth *proxy.Auth
	if user := w.proxy.User; user != nil {
		password, _ := user.Password()
		auth = &proxy.Auth{User: user.Username(), Password: password}
	}
	dialer, err := proxy.SOCKS5("tcp", w.proxyAddress(), auth, nil)
	if err != nil {
		return err
	}
	over, ok := dialer.(interface {
		DialWithConn(ctx context.Context, conn net.Conn, network, address string) (net.Addr, error)
	})
	if !ok {
		return errors.New("a SOCKS proxy over our own connection is not supported")
	}
	_, err = over.DialWithConn(ctx, conn, "tcp", w.address)
	return err
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
		return fmt.Errorf("it responded to CONNECT with %d", resp.StatusCode)
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
			return fmt.Errorf("%s leads to %s, which is not loopback: give that address itself, "+
				"and the limits of a target elsewhere apply", address, to)
		}
		return nil
	}}
	return d.DialContext(ctx, "tcp", address)
}
