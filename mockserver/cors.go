package mockserver

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rs/cors"

	"github.com/seed47566266/understudy/mockserver/store"
)

// CORS says which browsers' pages may call the mock from another origin: CORSOpen, CORSLocal,
// CORSAny, CORSOff, or origins such as http://localhost:3000, separated by commas. Empty is
// CORSOpen, but for what is passed on to a real server, which is for the pages of this machine.
type CORS string

const (
	// CORSOpen allows every origin, with credentials.
	CORSOpen CORS = "open"
	// CORSAny allows every origin, without credentials; what is passed on to a real server is for the
	// pages of this machine.
	CORSAny CORS = "any"
	// CORSLocal allows the origins of this machine, by name, with credentials.
	CORSLocal CORS = "local"
	// CORSOff sends no CORS headers, and leaves preflights to the framework.
	CORSOff CORS = "off"
)

// browsers wraps a handler for requests that name an origin.
func (s *Server) browsers(next http.Handler) (http.Handler, error) {
	options := cors.Options{
		// A wrong method is to be seen as the framework's 405, not as a CORS failure.
		AllowedMethods: []string{
			http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
			http.MethodOptions, "QUERY",
		},
		AllowedHeaders: []string{"*"},
		ExposedHeaders: []string{
			"Allow", "Retry-After", "Location", ViolationsHeader, NotesHeader, ScenarioHeader, StoreHeader,
			UpstreamHeader, appliedHeader, requestIDHeader,
		},
		AllowCredentials:    true,
		AllowPrivateNetwork: true,
	}
	switch s.cors {
	case CORSOpen, "":
		options.AllowOriginFunc = func(string) bool { return true }
	case CORSLocal:
		options.AllowOriginFunc = isLocalOrigin
	case CORSAny:
		options.AllowedOrigins, options.AllowCredentials = []string{"*"}, false
	case CORSOff:
		return next, nil
	default:
		options.AllowedOrigins = strings.Split(string(s.cors), ",")
		for _, origin := range options.AllowedOrigins {
			u, err := url.Parse(origin)
			if err != nil || u.Scheme == "" || u.Host == "" || u.Path != "" || strings.Contains(origin, "*") {
				return nil, fmt.Errorf("invalid CORS origin %q: use open, local, any, off or origins such as "+
					"http://localhost:3000", origin)
			}
		}
	}
	handler := cors.New(options).Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
			s.preflights.add(r, s.recordPreflight)
		}
		handler.ServeHTTP(w, r)
	}), nil
}

// isLocalOrigin reports the origin of a page of this machine, by its name.
func isLocalOrigin(origin string) bool {
	u, err := url.Parse(origin)
	return err == nil && isLocalName(u.Host)
}

// mayUseRealServer reports a request that may be passed on to a real server. That of a browser
// must come from a page of this machine, or from an origin that was chosen. Not all of them say
// where they come from: on loopback the name that the mock is called by must be this machine's, too,
// or that of such an origin (DNS rebinding).
func (s *Server) mayUseRealServer(r *http.Request) bool {
	if s.cors == CORSOpen {
		return true
	}
	chosen := strings.Split(string(s.cors), ",")
	if origin := r.Header.Get("Origin"); origin != "" {
		return isLocalOrigin(origin) || slices.Contains(chosen, origin)
	}
	at, _ := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	if at != nil && at.IP.IsLoopback() && !isLocalName(r.Host) {
		return slices.ContainsFunc(chosen, func(origin string) bool {
			u, err := url.Parse(origin)
			return err == nil && u.Host == r.Host
		})
	}
	return r.Header.Get("Sec-Fetch-Site") != "cross-site"
}

// dropCORS leaves the CORS headers out.
func dropCORS(h http.Header) {
	for name := range h {
		if strings.HasPrefix(name, "Access-Control-") {
			delete(h, name)
		}
	}
	h.Del("Vary")
}

const (
	// preflightWait is how long the request behind a preflight is waited for.
	preflightWait = 2 * time.Second
	// maxPreflights bounds those that are waited for; more are recorded at once.
	maxPreflights = 1000
)

// preflights are the browsers' questions whose requests did not come yet. The request
// takes its preflight along; one that is not followed is recorded by itself.
type preflights struct {
	mu      sync.Mutex
	waiting map[preflightKey]*preflight
}

type preflightKey struct{ client, origin, method, target string }

type preflight struct {
	at    time.Time
	timer *time.Timer
}

func clientHost(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

func (p *preflights) add(r *http.Request, alone func(*store.Entry)) {
	key := preflightKey{
		clientHost(r), r.Header.Get("Origin"), r.Header.Get("Access-Control-Request-Method"), r.URL.Path,
	}
	entry := &store.Entry{
		Time: time.Now(), Method: r.Method, Target: r.URL.EscapedPath(), Scheme: scheme(r), Host: r.Host,
		Client: r.RemoteAddr,
		Header: store.Header(r.Header.Clone()), Outcome: store.OutcomePreflight, Status: http.StatusNoContent,
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting == nil {
		p.waiting = map[preflightKey]*preflight{}
	}
	if old := p.waiting[key]; old != nil {
		old.timer.Stop()
	} else if len(p.waiting) >= maxPreflights {
		go alone(entry)
		return
	}
	flight := &preflight{at: entry.Time}
	flight.timer = time.AfterFunc(preflightWait, func() {
		p.mu.Lock()
		waits := p.waiting[key] == flight
		if waits {
			delete(p.waiting, key)
		}
		p.mu.Unlock()
		if waits {
			alone(entry)
		}
	})
	p.waiting[key] = flight
}

// take is when the preflight of a request was; zero if there was none.
func (p *preflights) take(r *http.Request) time.Time {
	key := preflightKey{clientHost(r), r.Header.Get("Origin"), r.Method, r.URL.Path}
	p.mu.Lock()
	defer p.mu.Unlock()
	flight := p.waiting[key]
	if flight == nil {
		return time.Time{}
	}
	flight.timer.Stop()
	delete(p.waiting, key)
	return flight.at
}
