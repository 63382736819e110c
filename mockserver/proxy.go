package mockserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/seed47566266/understudy/contracts/webapi"
	"github.com/seed47566266/understudy/mockserver/store"
)

// UpstreamHeader says what the real server responded where the request was passed on, and
// whether page and server agree. It is an Item of structured fields (RFC 9651):
//
//	X-Understudy-Upstream: 200;verdict="accepted though it breaks the page"
const UpstreamHeader = "X-Understudy-Upstream"

// maxUpstreamBody is the longest response that is passed on, in bytes.
const maxUpstreamBody = 32 << 20

// upstream is a real server that requests are passed on to.
type upstream struct {
	proxy *httputil.ReverseProxy
	// via names this mock in the header Via, so that a request that comes back is seen.
	via string
}

// newUpstream prepares passing on to a URL, to whose path the request's is added. The
// server's certificate is checked against the system's authorities.
func (s *Server) newUpstream(address string) (*upstream, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if up := s.upstreams[address]; up != nil {
		return up, nil // it has connections
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil ||
		u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("proxy: invalid URL of the real server: use http://HOST or https://HOST, and a path")
	}
	transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // it is one
	transport.DisableCompression = true                          // the response is passed on as it comes
	transport.MaxIdleConnsPerHost = 100
	transport.ResponseHeaderTimeout = MaxDelay
	up := &upstream{via: "1.1 understudy-" + s.instance}
	up.proxy = &httputil.ReverseProxy{
		Transport: transport,
		ErrorLog:  log.New(io.Discard, "", 0), // ErrorHandler has the error
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(u)
			p.Out.Host = u.Host
			p.Out.URL.RawQuery = withoutPreferences(p.Out.URL.RawQuery)
			for name := range p.Out.Header {
				if strings.HasPrefix(name, "X-Understudy-") || name == preferHeader {
					delete(p.Out.Header, name)
				}
			}
			p.Out.Header.Add("Via", up.via)
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			w.(*captured).err = err //nolint:forcetypeassert // forward has made it
		},
	}
	if s.upstreams == nil {
		s.upstreams = map[string]*upstream{}
	}
	s.upstreams[address] = up
	return up, nil
}

// withoutPreferences is a query without what is for the mock.
func withoutPreferences(query string) string {
	if !strings.Contains(query, preferQuery) {
		return query
	}
	return strings.Join(slices.DeleteFunc(strings.Split(query, "&"), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return name == preferQuery
	}), "&")
}

// WithoutPreferences is a request's path and query without what is for the mock: [store.Entry.Target]
// as another server is to get it.
func WithoutPreferences(target string) string {
	path, query, found := strings.Cut(target, "?")
	if query = withoutPreferences(query); !found || query == "" {
		return path
	}
	return path + "?" + query
}

// closeUnused closes the connections to real servers that the rules do not name.
func (s *Server) closeUnused(r *rules) {
	used := map[*upstream]bool{s.upstream: true}
	for _, scenarios := range r.named {
		for _, sc := range scenarios {
			used[sc.upstream] = true
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for address, up := range s.upstreams {
		if !used[up] {
			up.close()
			delete(s.upstreams, address)
		}
	}
}

// close closes the connections that no request uses.
func (u *upstream) close() {
	u.proxy.Transport.(*http.Transport).CloseIdleConnections() //nolint:forcetypeassert // newUpstream made it
}

// captured is a response that is kept, up to maxUpstreamBody.
type captured struct {
	// waiting has room for the long ones, of which bytes are taken.
	waiting *semaphore.Weighted
	taken   int64

	header http.Header
	status int
	body   bytes.Buffer
	err    error
}

var (
	errUpstreamBody = fmt.Errorf("its response is longer than %d bytes", maxUpstreamBody)
	errUpstreamRoom = errors.New("its response is long, and too many long ones are under way")
)

func (c *captured) Header() http.Header { return c.header }

func (c *captured) WriteHeader(status int) {
	if status >= 200 { // 1xx come before the response
		c.status = status
	}
}

func (c *captured) Write(p []byte) (int, error) {
	if c.body.Len()+len(p) > maxUpstreamBody {
		c.err = errUpstreamBody
		return 0, c.err
	}
	if c.body.Len()+len(p) > largeBody {
		if !c.waiting.TryAcquire(int64(len(p))) {
			c.err = errUpstreamRoom
			return 0, c.err
		}
		c.taken += int64(len(p))
	}
	return c.body.Write(p)
}

// forward passes the request on to the real server, if it is to be, and has its response
// sent. What the page says of the request is known by then.
func (s *Server) forward(x *exchange) error {
	up := x.upstream
	if up == nil {
		return nil
	}
	reject := func(status int, text string) {
		violations, broken := x.response.Violations, x.response.Broken
		x.response = x.operation.endpoint.Reject(&x.request, status, text, nil)
		x.response.Violations, x.response.Broken = violations, broken
		if x.keepAs != "" { // it is not what the same request would get again
			_ = s.store.Free(x.session, x.keepAs, x.number) // one that is away forgets it
			x.keepAs = ""
		}
	}
	if !s.mayUseRealServer(x.r) {
		// Any page that somebody looks at could use the real server otherwise.
		x.passedOn = &store.Upstream{Verdict: store.VerdictNone, Problem: "not asked: the page is of another machine"}
		reject(http.StatusForbidden, "Pages of other machines may not use the real server: name their origin in CORS.")
		return nil
	}
	if slices.Contains(splitVia(x.r.Header["Via"]), up.via) {
		x.passedOn = &store.Upstream{Verdict: store.VerdictUnclear, Problem: "the request came back: the real server " +
			"passes on to this mock"}
		reject(http.StatusLoopDetected, "The request was passed on in a loop.")
		return nil
	}
	ctx, cancel := context.WithTimeout(x.r.Context(), MaxDelay)
	defer cancel()
	r := x.r.Clone(ctx)
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(x.request.Body)), int64(len(x.request.Body))
	r.TransferEncoding = nil
	if len(x.request.Body) == 0 {
		r.Body = http.NoBody
	}
	s.gate.wait(x)
	got := &captured{header: http.Header{}, waiting: s.gate.waiting}
	x.done = append(x.done, func() { got.waiting.Release(got.taken) })
	began := time.Now()
	err := capture(up.proxy, got, r)
	x.passedOn = &store.Upstream{Status: got.status, Took: time.Since(began)}
	if err != nil {
		if x.r.Context().Err() != nil {
			return errors.New("the client left while the real server was asked")
		}
		x.passedOn.Status, x.passedOn.Verdict, x.passedOn.Problem = 0, store.VerdictUnclear, upstreamProblem(err)
		reject(http.StatusBadGateway, "The real server did not respond: "+x.passedOn.Problem+".")
		return nil
	}
	x.passedOn.Verdict = verdict(x, got.status)
	x.response = webapi.Response{
		Status: got.status, Body: got.body.Bytes(), ContentType: got.header.Get("Content-Type"),
		Violations: x.response.Violations, Broken: x.response.Broken, Unknown: x.response.Unknown,
	}
	for name, values := range got.header {
		switch {
		case name == "Content-Length" && x.r.Method != http.MethodHead, strings.HasPrefix(name, "Access-Control-"):
			// Those are the mock's.
		case x.headers.Get(name) != "": // a scenario has set it
		default:
			if x.headers == nil {
				x.headers = http.Header{}
			}
			x.headers[name] = values
		}
	}
	return nil
}

// capture has the proxy respond into memory.
func capture(proxy *httputil.ReverseProxy, got *captured, r *http.Request) (err error) {
	defer func() {
		switch problem := recover(); {
		case problem == nil:
		case problem != http.ErrAbortHandler: //nolint:errorlint // this very value
			panic(problem) //nolint:forbidigo // it is somebody else's
		case err == nil: // this is how the proxy says that a response ended early
			err = errors.New("its response ended early")
		}
	}()
	proxy.ServeHTTP(got, r)
	return got.err
}

// upstreamProblem is why there is no response, without the address.
func upstreamProblem(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "it took longer than " + MaxDelay.String()
	}
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	return err.Error()
}

func splitVia(lines []string) []string {
	var all []string
	for _, line := range lines {
		for _, part := range strings.Split(line, ",") {
			all = append(all, strings.TrimSpace(part))
		}
	}
	return all
}

// verdict compares a response of the real server with the page. What asks for credentials,
// for patience or for another state of the data says nothing of the page's rules.
func verdict(x *exchange, status int) store.Verdict {
	if !x.matched() {
		return store.VerdictNone
	}
	obeys := x.isAccepted && x.response.Broken == 0
	accepted := status >= 200 && status < 300
	rejected := status == http.StatusBadRequest || status == http.StatusUnprocessableEntity
	if !obeys {
		switch status {
		case http.StatusUnauthorized, http.StatusForbidden, http.StatusRequestTimeout, http.StatusTooManyRequests:
		default:
			rejected = rejected || status >= 400 && status < 500
		}
	}
	switch {
	case accepted && obeys, rejected && !obeys:
		return store.VerdictAgree
	case accepted:
		return store.VerdictAccepted
	case rejected:
		return store.VerdictRejected
	}
	return store.VerdictUnclear
}

// upstreamText is the value of the header.
func upstreamText(u *store.Upstream) string {
	var b strings.Builder
	b.WriteString(strconv.Itoa(u.Status) + ";verdict=")
	writeString(&b, string(u.Verdict))
	if u.Problem != "" {
		b.WriteString(";problem=")
		writeString(&b, u.Problem)
	}
	return b.String()
}

// Agreement counts what a real server and the page say of requests that were passed on, by
// rule where the page rejects.
type Agreement struct {
	// Verdicts are the numbers of requests by verdict.
	Verdicts map[store.Verdict]int
	// Disagreements are the first of each kind, in the order in which they were seen.
	Disagreements []Disagreement
}

// Disagreement is a request of which a real server and the page say something else.
type Disagreement struct {
	// Verdict is VerdictAccepted or VerdictRejected.
	Verdict store.Verdict
	// Violation is the first rule that the request breaks; nil if it breaks none.
	Violation *webapi.Violation
	// Status is the real server's.
	Status int
	// Count is how many requests were like it.
	Count int
}

// maxDisagreements bounds the kinds that are told apart.
const maxDisagreements = 1000

type disagreementKey struct {
	verdict store.Verdict
	rule    string
	status  int
}

// agree counts an exchange that was passed on.
func (s *Server) agree(x *exchange) {
	s.agreeing.Lock()
	defer s.agreeing.Unlock()
	a := &s.agreement
	if a.Verdicts == nil {
		a.Verdicts = map[store.Verdict]int{}
	}
	u := x.passedOn
	a.Verdicts[u.Verdict]++
	if u.Verdict != store.VerdictAccepted && u.Verdict != store.VerdictRejected {
		return
	}
	key := disagreementKey{verdict: u.Verdict, status: u.Status}
	d := Disagreement{Verdict: u.Verdict, Status: u.Status, Count: 1}
	if len(x.response.Violations) > 0 {
		first := x.response.Violations[0]
		d.Violation, key.rule = &first, first.Rule.String()
	}
	if i, found := s.disagreements[key]; found {
		a.Disagreements[i].Count++
		return
	}
	if len(a.Disagreements) >= maxDisagreements {
		return
	}
	if s.disagreements == nil {
		s.disagreements = map[disagreementKey]int{}
	}
	s.disagreements[key] = len(a.Disagreements)
	a.Disagreements = append(a.Disagreements, d)
}

// Agreement is what was counted so far of requests that were passed on.
func (s *Server) Agreement() Agreement {
	s.agreeing.Lock()
	defer s.agreeing.Unlock()
	copied := Agreement{Verdicts: map[store.Verdict]int{}, Disagreements: slices.Clone(s.agreement.Disagreements)}
	for v, n := range s.agreement.Verdicts {
		copied.Verdicts[v] = n
	}
	return copied
}
