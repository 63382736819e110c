package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// connecting is how long nobody may have connected before the listener closes, and
	// connectingMost how long that is waited for.
	connecting     = 20 * time.Millisecond
	connectingMost = 500 * time.Millisecond
	// quietTime is how long a connection without a request is kept at the end: its
	// client may be about to send one, and would lose it.
	quietTime = 500 * time.Millisecond
)

// drain ends a server without losing a request. A client may send one on any
// connection that it holds at any moment, so that closing those that seem idle, as
// http.Server.Shutdown does, loses what is on its way; and one that connects while
// the listener closes loses it too. So the listener closes once nobody connects, as
// clients that keep connections do not. Then keep-alives end: each response says
// that it is the connection's last, and the next attempt to connect fails
// before anything is sent. What is left is closed when it was quiet for a while.
type drain struct {
	server   *http.Server
	next     http.Handler
	draining atomic.Bool

	conns  atomic.Int64 // that there are
	acted  chan struct{}
	unused atomic.Int64 // connections on which nothing came yet

	mu    sync.Mutex
	fresh map[net.Conn]struct{} // those
}

func (d *drain) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if d.draining.Load() {
		w.Header().Set("Connection", "close")
	}
	d.next.ServeHTTP(w, r)
}

// state is called at each change of a connection, twice for each request: it locks
// nothing then but where a connection is new.
func (d *drain) state(c net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		d.conns.Add(1)
		d.used(c, false)
	case http.StateActive:
		if d.unused.Load() > 0 {
			d.used(c, true)
		}
	case http.StateClosed, http.StateHijacked:
		d.conns.Add(-1)
		d.used(c, true)
	}
	if !d.draining.Load() {
		return
	}
	select {
	case d.acted <- struct{}{}:
	default:
	}
}

// used notes that something came on a connection, or that nothing did yet.
func (d *drain) used(c net.Conn, used bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fresh == nil {
		d.fresh = map[net.Conn]struct{}{}
	}
	if used {
		delete(d.fresh, c)
	} else {
		d.fresh[c] = struct{}{}
	}
	d.unused.Store(int64(len(d.fresh)))
}

// run ends the server; the error is about requests that did not end in time.
func (d *drain) run(ctx context.Context, listeners []servedAt) error {
	for _, l := range listeners {
		l.last()
	}
	for _, l := range listeners {
		<-l.closed
	}
	d.draining.Store(true)
	ctx, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	for quiet := false; !quiet && d.conns.Load() > 0; {
		select {
		case <-d.acted:
		case <-time.After(quietTime):
			quiet = true
		case <-ctx.Done():
			quiet = true
		}
	}
	d.closeUnused()
	return d.server.Shutdown(ctx)
}

// closeUnused closes connections on which nothing ever came, as browsers keep some
// ready; Shutdown would wait five seconds for them.
func (d *drain) closeUnused() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for c := range d.fresh {
		_ = c.Close() // nothing is on it
	}
}

// lastListener closes when nobody has connected for a while: a connection that the
// system has made and nobody accepts is a request lost.
type lastListener struct {
	net.Listener
	ends   atomic.Pointer[time.Time] // when it closes at the latest
	closed chan struct{}
	once   sync.Once
}

func newLastListener(l net.Listener) *lastListener {
	return &lastListener{Listener: l, closed: make(chan struct{})}
}

// until has Accept fail from a time on.
func (l *lastListener) until(t time.Time) {
	if bounded, ok := l.Listener.(interface{ SetDeadline(time.Time) error }); ok { // as those of TCP and Unix sockets
		_ = bounded.SetDeadline(t) // fails where it is closed already
	}
}

// last has Accept return what is waiting, and then close.
func (l *lastListener) last() {
	end := time.Now().Add(connectingMost)
	l.ends.Store(&end)
	l.until(time.Now().Add(connecting))
}

// Close closes the listener; a second time is not an error, since both the drain and the
// server do.
func (l *lastListener) Close() error {
	if err := l.Listener.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

func (l *lastListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	end := l.ends.Load()
	if err == nil {
		if next := time.Now().Add(connecting); end != nil && next.Before(*end) {
			l.until(next)
		}
		return conn, nil
	}
	if end != nil && errors.Is(err, os.ErrDeadlineExceeded) {
		_ = l.Close() // its error would be that it is closed
		err = net.ErrClosed
	}
	if errors.Is(err, net.ErrClosed) {
		l.once.Do(func() { close(l.closed) })
	}
	return nil, err
}
