package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// The server's limits. A client that sends a page's sample needs none of them;
// they keep one that stalls or floods from holding the server.
const (
	headerTimeout  = 10 * time.Second
	readTimeout    = 60 * time.Second
	writeTimeout   = 60 * time.Second
	idleTimeout    = 120 * time.Second
	maxHeaderBytes = 64 << 10
	drainTimeout   = 10 * time.Second
)

// unixPrefix begins the address of a Unix socket.
const unixPrefix = "unix:"

// listening is where and how serve listens.
type listening struct {
	addr, adminAddr string
	auto            bool
	cert, key       string
}

func (l *listening) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&l.addr, "addr", "127.0.0.1:4747", "`HOST:PORT` to listen on, port 0 picks one; or unix:PATH")
	flags.StringVar(&l.adminAddr, "admin-addr", "", "`HOST:PORT` or unix:PATH for /__admin alone, in place of --addr")
	flags.BoolVar(&l.auto, "tls-auto", false, "serve https with a certificate for localhost; the authority that "+
		"signs it is made once, and its file printed")
	flags.StringVar(&l.cert, "tls-cert", "", "`file` of the server's certificate in PEM, with its chain")
	flags.StringVar(&l.key, "tls-key", "", "`file` of its key in PEM")
}

// servedAt is a listener with what is said of it.
type servedAt struct {
	*lastListener
	url string // http://HOST:PORT, or unix:PATH
}

// listen opens an address, which a flag has given. For 127.0.0.1 it opens the same port of [::1] too, where there
// is one: a browser may look for localhost there first.
func listen(ctx context.Context, flag, addr, scheme string, logger *slog.Logger) ([]servedAt, error) {
	network, at := "tcp", addr
	if path, isUnix := strings.CutPrefix(addr, unixPrefix); isUnix {
		network, at = "unix", path
		if path == "" {
			return nil, addressError(flag, addr, errors.New("no path"))
		}
		if err := removeStale(ctx, path); err != nil {
			return nil, err
		}
	}
	listener, err := new(net.ListenConfig).Listen(ctx, network, at)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s is in use; choose another with %s, port 0 picks a free one", addr, flag)
	case err != nil:
		return nil, addressError(flag, addr, err)
	}
	open := []servedAt{{newLastListener(listener), scheme + "://" + shownAddress(addr, listener.Addr())}}
	if network == "unix" {
		open[0].url = addr
		if err := os.Chmod(at, 0o600); err != nil { // it is for its owner, as loopback is for this machine
			_ = listener.Close()
			return nil, machine(err)
		}
		return open, nil
	}
	host, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil || host != "127.0.0.1" {
		return open, nil //nolint:nilerr // such an address has no counterpart
	}
	other, err := new(net.ListenConfig).Listen(ctx, "tcp6", net.JoinHostPort("::1", port))
	switch {
	case err == nil:
		open = append(open, servedAt{newLastListener(other), scheme + "://" + other.Addr().String()})
	case errors.Is(err, syscall.EADDRINUSE):
		logger.Warn("listen", "problem", "another program has [::1]:"+port+", where localhost may lead")
	}
	return open, nil
}

// addressError says what a flag takes where nothing can be opened.
func addressError(flag, addr string, err error) error {
	form := "HOST:PORT, e.g. 127.0.0.1:4747"
	if strings.HasPrefix(addr, unixPrefix) {
		form = "unix:PATH, a name in a folder that is there"
	}
	return fmt.Errorf("cannot listen on %q; give %s as %s: %w", addr, flag, form, err)
}

// shownAddress is where a listener can be reached: of every address of the machine, one that each
// machine has.
func shownAddress(asked string, at net.Addr) string {
	tcp, isTCP := at.(*net.TCPAddr)
	if !isTCP || !tcp.IP.IsUnspecified() {
		return at.String()
	}
	host := "127.0.0.1"
	if strings.HasPrefix(asked, "[") { // IPv6 alone was asked for
		host = "::1"
	}
	return net.JoinHostPort(host, strconv.Itoa(tcp.Port))
}

// removeStale removes a socket that nobody listens on.
func removeStale(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return machine(err)
	case info.Mode()&fs.ModeSocket == 0:
		return fmt.Errorf("%s is there, and is no socket; choose another path", path)
	}
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err == nil {
		_ = conn.Close()
		return fmt.Errorf("%s is in use; choose another path", path)
	}
	return machine(os.Remove(path))
}

// certificate is what the server shows to its clients; nil for http.
func (l *listening) certificate() (*tls.Config, string, error) {
	switch {
	case l.auto && l.cert+l.key != "":
		return nil, "", errors.New("--tls-auto makes a certificate, and --tls-cert names one: use one of them")
	case l.auto:
		folder, err := os.UserConfigDir()
		if err != nil {
			return nil, "", fmt.Errorf("--tls-auto has no folder for its authority: %w", err)
		}
		made, err := localCertificate(filepath.Join(folder, "understudy"))
		if err != nil {
			return nil, "", machine(err)
		}
		return &tls.Config{Certificates: []tls.Certificate{made.certificate}, MinVersion: tls.VersionTLS12},
			fmt.Sprintf("  authority: %s\n  sha256: %s\n", made.file, made.fingerprint), nil
	case l.cert == "" && l.key == "":
		return nil, "", nil
	case l.cert == "" || l.key == "":
		return nil, "", errors.New("--tls-cert and --tls-key go together")
	}
	pair, err := tls.LoadX509KeyPair(l.cert, l.key)
	if err != nil {
		return nil, "", fmt.Errorf("cannot read the certificate %s with the key %s: %w", l.cert, l.key, err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, "", nil
}

// newServer makes a server with the limits.
func newServer(handler http.Handler, config *tls.Config, logger *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		TLSConfig:         config,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          log.New(serverErrors{logger}, "", 0),
		// net/http would respond to OPTIONS * itself.
		DisableGeneralOptionsHandler: true,
	}
}

// serveOn serves on listeners until they close.
func serveOn(server *http.Server, listeners []servedAt) error {
	ended := make(chan error, len(listeners))
	secure := server.TLSConfig != nil // Serve gives it one
	for _, l := range listeners {
		go func() {
			if secure {
				ended <- server.ServeTLS(l, "", "") // with HTTP/2
			} else {
				ended <- server.Serve(l)
			}
		}()
	}
	var problem error
	for range listeners {
		err := <-ended
		if !errors.Is(err, net.ErrClosed) && !errors.Is(err, http.ErrServerClosed) {
			problem = err
			for _, l := range listeners {
				_ = l.Close() // the others end too
			}
		}
	}
	return problem
}

// listenAndServe serves until the context ends, then lets the requests under
// way finish. Banner makes what is printed once it listens.
func listenAndServe(ctx context.Context, s streams, l *listening, handler, admin http.Handler, logger *slog.Logger,
	banner func(url, adminURL string) string,
) error {
	config, authority, err := l.certificate()
	if err != nil {
		return err
	}
	scheme := "http"
	if config != nil {
		scheme = "https"
	}
	listeners, err := listen(ctx, "--addr", l.addr, scheme, logger)
	if err != nil {
		return err
	}
	closeAll := func() {
		for _, at := range listeners {
			_ = at.Close()
		}
	}
	adminURL := listeners[0].url
	if l.adminAddr != "" {
		adminListeners, err := listen(ctx, "--admin-addr", l.adminAddr, scheme, logger)
		if err != nil {
			closeAll()
			return err
		}
		adminURL = adminListeners[0].url
		server := newServer(admin, config, logger)
		adminEnded := make(chan struct{})
		go func() {
			defer close(adminEnded)
			if err := serveOn(server, adminListeners); err != nil {
				logger.Error("admin API", "problem", err.Error())
			}
		}()
		defer func() {
			_ = server.Close()
			<-adminEnded
		}()
	}
	everywhere := ""
	if tcp, isTCP := listeners[0].Addr().(*net.TCPAddr); isTCP && tcp.IP.IsUnspecified() {
		everywhere = "  and on every other address of this machine\n"
	}
	text := "understudy is listening on " + listeners[0].url + "\n" + everywhere + authority +
		banner(listeners[0].url, adminURL)
	if _, err := fmt.Fprint(s.out, text); written(err) != nil {
		closeAll()
		return machine(fmt.Errorf("cannot print where it listens: %w", err))
	}
	server := newServer(handler, config, logger)
	d := &drain{server: server, next: handler, acted: make(chan struct{}, 1)}
	server.Handler, server.ConnState = d, d.state
	drained := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		// The context that ended cannot bound the drain.
		drained <- d.run(context.WithoutCancel(ctx), listeners)
	})
	if err := serveOn(server, listeners); err != nil {
		stop()
		return machine(fmt.Errorf("the server stopped: %w", err))
	}
	if err := <-drained; err != nil {
		return machine(fmt.Errorf("requests were still under way after %s: %w", drainTimeout, err))
	}
	return nil
}

// serverErrors passes what net/http reports on to the log.
type serverErrors struct{ logger *slog.Logger }

func (e serverErrors) Write(b []byte) (int, error) {
	e.logger.Warn("connection", "problem", strings.TrimSpace(string(b)))
	return len(b), nil
}
