package testsuite

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/contracts"
)

// TestALoopbackConnectionCannotLeave dials an address of this machine that is not
// loopback, as a name in the hosts file may lead to.
func TestALoopbackConnectionCannotLeave(t *testing.T) {
	addresses, err := net.InterfaceAddrs()
	require.NoError(t, err)
	tried := 0
	for _, a := range addresses {
		network, ok := a.(*net.IPNet)
		if !ok || network.IP.IsLinkLocalUnicast() {
			continue
		}
		l, err := net.Listen("tcp", net.JoinHostPort(network.IP.String(), "0"))
		require.NoError(t, err)
		conn, err := dialLoopback(t.Context(), l.Addr().String())
		if network.IP.IsLoopback() {
			require.NoError(t, err)
			require.NoError(t, conn.Close())
		} else {
			require.ErrorContains(t, err, "which is not loopback")
		}
		require.NoError(t, l.Close())
		tried++
	}
	require.Positive(t, tried)
	// A packet that was sent would get no immediate error, but silence.
	_, err = dialLoopback(t.Context(), "192.0.2.1:9")
	require.ErrorContains(t, err, "which is not loopback")
}

func TestWhatIsNotProvablyHereIsElsewhere(t *testing.T) {
	s := newSuite(t)
	for address, here := range map[string]bool{
		"http://127.0.0.1":          true,
		"http://127.9.8.7:81/v1":    true,
		"http://[::1]:81":           true,
		"http://[::ffff:127.0.0.1]": true,
		"http://localhost":          true,
		"http://LOCALHOST:81":       true,
		"http://localhost.":         false,
		"http://localhost.example":  false,
		"http://127.1":              false,
		"http://2130706433":         false,
		"http://0x7f000001":         false,
		"http://0.0.0.0":            false,
		"http://[::]":               false,
		"http://[::1%25lo]":         false,
		"http://127.0.0.1.example":  false,
		"http://user@example.com":   false,
	} {
		p, err := s.prepare(&Config{Target: Target{URL: address}})
		require.NoError(t, err, address)
		require.Equal(t, here, p.loopback, address)
	}
	for _, to := range []string{"::10.0.0.1:", "::localhost.example:", ":80:example.com:"} {
		p, err := s.prepare(&Config{Target: Target{URL: "http://127.0.0.1", ConnectTo: to}})
		require.NoError(t, err)
		require.False(t, p.loopback, to)
	}
}

// TestATicketPaysForOneRequest has the wire write nothing on a ticket that is spent.
func TestATicketPaysForOneRequest(t *testing.T) {
	var n atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { n.Add(1) }))
	defer server.Close()
	base, err := url.Parse(server.URL)
	require.NoError(t, err)
	w := &wire{address: base.Host, host: base.Hostname(), dial: dialLoopback, patience: time.Second}
	defer w.close()
	b := newBudget(&Limits{Writes: new(1)})
	pass, denied := b.take(t.Context(), true)
	require.Equal(t, granted, denied)
	request := []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	a, sent, free := w.send(t.Context(), pass, http.MethodGet, request, true)
	free()
	require.True(t, sent)
	require.Equal(t, http.StatusOK, a.status)
	a, sent, free = w.send(t.Context(), pass, http.MethodGet, request, true)
	free()
	require.False(t, sent)
	require.Equal(t, errSpent.Error(), a.problem)
	require.EqualValues(t, 1, n.Load())
	pass.settle(true, effectWritten)
	_, denied = b.take(t.Context(), true)
	require.Equal(t, denialWrites, denied)
}

// TestAConnectionIsUsedAgainOnlyWhileItIsQuiet has a server end, or write on, a
// connection that waits for its next request, with TLS and without.
func TestAConnectionIsUsedAgainOnlyWhileItIsQuiet(t *testing.T) {
	const response = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	secure.Close()
	for name, certificates := range map[string][]tls.Certificate{"plain": nil, "TLS": secure.TLS.Certificates} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			if certificates != nil {
				l = tls.NewListener(l, &tls.Config{MinVersion: tls.VersionTLS12, Certificates: certificates})
			}
			defer func() { _ = l.Close() }()
			var accepted atomic.Int64
			acted, act := make(chan struct{}), make(chan func(net.Conn))
			go func() {
				for {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					accepted.Add(1)
					go func() {
						buffer := make([]byte, 1024)
						for {
							if _, err := conn.Read(buffer); err != nil {
								return
							}
							(<-act)(conn)
							acted <- struct{}{}
						}
					}()
				}
			}()
			settings := &tls.Config{
				MinVersion:         tls.VersionTLS12,
				InsecureSkipVerify: true,
			} // the server vouches for itself
			w := &wire{
				address:  l.Addr().String(),
				secure:   certificates != nil,
				tls:      settings,
				dial:     dialLoopback,
				patience: time.Second,
			}
			defer w.close()
			b := newBudget(&Limits{})
			for range 3 {
				for _, f := range []func(net.Conn){
					func(c net.Conn) { _, _ = io.WriteString(c, response); _ = c.Close() },
					func(c net.Conn) { _, _ = io.WriteString(c, response+response) },
					func(c net.Conn) {
						_, _ = io.WriteString(c, response)
						_, _ = io.WriteString(c, "HTTP/1.1 500 Stray\r\n\r\n")
					},
					func(c net.Conn) { _, _ = io.WriteString(c, response) },
				} {
					pass, _ := b.take(t.Context(), true)
					ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
					go func() { act <- f }()
					a, sent, free := w.send(ctx, pass, http.MethodPost,
						[]byte("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"), true)
					free()
					cancel()
					require.True(t, sent)
					require.Equal(t, http.StatusOK, a.status, a.problem)
					<-acted
				}
			}
			requests, _, _, _ := b.counts()
			require.Equal(t, 12, requests)
			require.EqualValues(t, 4+3+3, accepted.Load(),
				"a new one after each that was not quiet, and the quiet one again")
		})
	}
}

// TestAHeadWithoutEndIsNoClosedConnection has a server say more than is read.
func TestAHeadWithoutEndIsNoClosedConnection(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Long", strings.Repeat("x", 2*maxHead))
	}))
	defer server.Close()
	w := &wire{address: server.Listener.Addr().String(), dial: dialLoopback, patience: time.Second}
	defer w.close()
	pass, _ := newBudget(&Limits{}).take(t.Context(), true)
	a, sent, free := w.send(t.Context(), pass, http.MethodGet, []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), true)
	free()
	require.True(t, sent)
	require.False(t, a.closed)
	require.Contains(t, a.problem, "longer than")
}

// TestAProxyIsUsedElsewhere has requests go through a proxy, by CONNECT where the
// target is https.
func TestAProxyIsUsedElsewhere(t *testing.T) {
	require.Empty(t, os.Getenv("REQUEST_METHOD"), "net/http reads no proxy in a CGI program")
	var got atomic.Value
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got.Store(r.Method + " " + r.RequestURI + " " + r.Header.Get("Proxy-Authorization"))
		w.WriteHeader(http.StatusForbidden)
	}))
	defer proxy.Close()
	through, err := url.Parse(proxy.URL)
	require.NoError(t, err)
	through.User = url.UserPassword("me", "secret")
	for address, want := range map[string]string{
		"http://booking.example/v1":  "POST http://booking.example/v1/x Basic bWU6c2VjcmV0",
		"https://booking.example/v1": "CONNECT booking.example:443 Basic bWU6c2VjcmV0",
	} {
		base, err := url.Parse(address)
		require.NoError(t, err)
		c := &Config{Target: Target{Timeout: time.Second}}
		target, err := newTarget(c, &prepared{base: base, hide: newRedactor(c, &Payloads{}, base)})
		require.NoError(t, err)
		target.wire.proxy = through
		pass, _ := newBudget(&c.Limits).take(t.Context(), true)
		a, _, free := target.send(t.Context(), pass, "", &contracts.Request{Method: http.MethodPost, Path: "/x"})
		free()
		require.Equal(t, want, got.Load())
		if base.Scheme == "https" {
			require.Contains(t, a.problem, "the proxy: it responded to CONNECT with 403")
		} else {
			require.Equal(t, http.StatusForbidden, a.status)
		}
		target.close()
	}
}
