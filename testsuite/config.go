package testsuite

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/seed47566266/understudy/contracts"
)

// Config is one run of a suite. Target.URL or Target.Handler is required; everything
// else has a default that is safe.
type Config struct {
	// Target is where requests go.
	Target Target
	// Meaning is what the target's responses mean.
	Meaning Meaning
	// Selection chooses cases.
	Selection Selection
	// Limits bound what is sent.
	Limits Limits
	// FailOn are the parts whose failures at SHOULD fail the run, as those at MUST always
	// do.
	FailOn []Part
	// Strict makes a run inconclusive for whatever is inconclusive or unconfirmed, not for
	// inconclusive MUST cases alone.
	Strict bool
	// NoConfirm leaves out sending a failing request a second time, which tells what is flaky from
	// what fails, and looking for the least request that fails in the same way. One that was
	// accepted and should not have been is never repeated, and nothing is where writes are limited.
	NoConfirm bool
	// Fuzz is how many random requests are sent after the cases, see [fixtures.Generator.Fuzz]; only
	// those that break a stated rule become part of the results. Limits count for them too.
	Fuzz int
	// Known is the text of a known-failures file, YAML; nil is none.
	Known []byte
	// Ledger gets a line of JSON for every request that was accepted, and for every one
	// that may have been.
	Ledger io.Writer
	// IDPath is a JSON pointer to the new id in a response, for the ledger.
	IDPath string
	// Arguments are what a line of shell repeats of the caller's command line to send a
	// request again, quoted and without secrets; empty is fine.
	Arguments string
	// Redact names fields whose values no result shows.
	Redact []string
	// Secrets are further texts that no result shows.
	Secrets []string
	// Warn is called with what the user should know before more is sent; nil is fine.
	Warn func(text string)
	// Progress is called with the number of requests done and their total, by one
	// goroutine at a time; nil is fine.
	Progress func(done, total int)
}

// Target is where requests go, how, and who is calling.
type Target struct {
	// URL is the target's base, http or https; the contract's route is added unless the
	// URL ends with it.
	URL string
	// Handler is a target in this process, in place of a URL.
	Handler http.Handler
	// TLS is for an https target; nil stands for the defaults. Its NextProtos are not
	// used.
	TLS *tls.Config
	// ConnectTo has the connection go elsewhere, as HOST:PORT:HOST:PORT; empty parts
	// match any, or keep the target's. Unless it is set, a target that is not on
	// loopback is reached through the proxy of HTTP_PROXY, HTTPS_PROXY and NO_PROXY.
	ConnectTo string
	// Remote has the target count as one elsewhere whatever its address is.
	Remote bool
	// Headers go with every request. Their values are secret.
	Headers []contracts.Header
	// Token is the value of an Authorization header; it is asked for before the first
	// request and again after a 401.
	Token func(context.Context) (string, error)
	// Anonymous leaves out the header X-Understudy-Case, which names the case.
	Anonymous bool
	// Version is the version that User-Agent names; empty is "dev".
	Version string
	// Timeout is the time that one request may take; 0 is 10 seconds.
	Timeout time.Duration
	// Wait is how long to wait for the target to take connections before the run begins. A
	// target behind a proxy is not waited for. It is not part of Limits.Time.
	Wait time.Duration

	connect connectTo
}

const (
	defaultTimeout  = 10 * time.Second
	defaultParallel = 4  // on loopback
	maxParallel     = 64 // more than a conformance run has use for
)

// Limits bound what a run sends, and who set the bounds on writes.
type Limits struct {
	// Writes is the number of writes allowed: requests that the target may accept. Each
	// is counted before it is sent. Nil is none, and no limit on loopback.
	Writes *int `json:"writes"`
	// WritesFrom is where Writes comes from, for reports; empty is "default".
	WritesFrom string `json:"writesFrom"`
	// UnexpectedWrites is the number of requests at which the run stops that must be
	// rejected and were accepted, or may have been: whatever is not a rejection counts,
	// no response included. Nil is 1, and no limit on loopback unless Writes is set.
	UnexpectedWrites *int `json:"unexpectedWrites"`
	// UnexpectedWritesFrom is where UnexpectedWrites comes from.
	UnexpectedWritesFrom string `json:"unexpectedWritesFrom"`
	// Requests is the number of requests; 0 is no limit.
	Requests int `json:"-"`
	// Time is the time of the whole run; 0 is no limit.
	Time time.Duration `json:"-"`
	// Rate is the requests per second; 0 is no limit.
	Rate float64 `json:"-"`
	// Parallel is the number of parallel requests, up to 64; 0 is 4 on loopback and 1
	// elsewhere.
	Parallel int `json:"-"`
}

// String is the limits on writes in a line.
func (l Limits) String() string {
	by := func(text, from string) string {
		if from != "" {
			text += " (" + from + ")"
		}
		return text
	}
	writes, stop := "writes allowed: no limit", "unexpected writes: no limit"
	if l.Writes != nil {
		writes = fmt.Sprintf("writes allowed: %d", *l.Writes)
	}
	if l.UnexpectedWrites != nil {
		stop = "stops at " + plural(*l.UnexpectedWrites, "unexpected write", "unexpected writes")
	}
	return by(writes, l.WritesFrom) + "; " + by(stop, l.UnexpectedWritesFrom)
}

// bounded is a context that ends with the time of a run.
func (l *Limits) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if l.Time > 0 {
		return context.WithTimeout(ctx, l.Time)
	}
	return context.WithCancel(ctx)
}

// ConfigError is a setting that a run, or a suite, cannot take.
type ConfigError struct {
	// Setting names the field, e.g. "Limits.Writes".
	Setting string
	// Problem is what was wrong and what to do.
	Problem string
}

func (e *ConfigError) Error() string { return e.Problem }

// prepared is a checked Config and the cases that it selects, arranged.
type prepared struct {
	suite    *Suite
	base     *url.URL
	loopback bool
	limited  bool   // writes are
	cases    []Case // those selected, in the order of the catalogue
	controls map[string]*exchange
	units    []*exchange
	hide     *redactor
	known    *knownIndex
	meaning  *meaning
	judge    *judge
}

func (s *Suite) prepare(c *Config) (*prepared, error) {
	p, err := s.reach(c)
	if err != nil {
		return nil, err
	}
	if p.known, err = parseKnown(c.Known); err != nil {
		return nil, err
	}
	p.limited = c.Limits.Writes != nil
	p.judge = &judge{operation: s.operation, meaning: p.meaning}
	if p.cases, err = s.choose(&c.Selection); err != nil {
		return nil, err
	}
	p.arrange(c)
	return p, nil
}

// reach prepares what is about the target.
func (s *Suite) reach(c *Config) (*prepared, error) {
	if (c.Target.URL == "") == (c.Target.Handler == nil) {
		return nil, &ConfigError{"Target.URL", "give either the URL of a target or a handler"}
	}
	if c.Target.Handler != nil {
		c.Target.URL = "http://handler.invalid"
	}
	base, err := parseBase(c.Target.URL)
	if err != nil {
		return nil, err
	}
	p := &prepared{suite: s, base: base}
	if c.Target.connect, err = parseConnectTo(c.Target.ConnectTo); err != nil {
		return nil, err
	}
	p.loopback = !c.Target.Remote && (c.Target.Handler != nil || c.Target.staysHere(base))
	if host, port := hostPort(base); c.Target.connect.isSet() && !c.Target.connect.matches(host, port) {
		return nil, &ConfigError{
			"Target.ConnectTo",
			fmt.Sprintf("--connect-to matches %s:%s, and the target is %s:%s",
				c.Target.connect.host, c.Target.connect.port, host, port),
		}
	}
	if whole := "/" + s.operation.Route; strings.HasSuffix(strings.ToLower(base.Path), strings.ToLower(whole)) {
		base.Path = base.Path[:len(base.Path)-len(whole)]
	}
	if err := c.complete(s, p.loopback); err != nil {
		return nil, err
	}
	if p.meaning, err = newMeaning(&c.Meaning); err != nil {
		return nil, err
	}
	p.hide = newRedactor(c, &s.payloads, base)
	return p, nil
}

// address is the base without who is calling.
func (p *prepared) address() string {
	base := *p.base
	base.User = nil
	return base.String()
}

// parseBase reads an address. The error shows none of its password.
func parseBase(text string) (*url.URL, error) {
	invalid := func(format string, args ...any) error {
		return &ConfigError{"Target.URL", fmt.Sprintf(format, args...)}
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, invalid("the URL cannot be read: give it as https://host/prefix")
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "" || u.Hostname() == "":
		return nil, invalid("invalid URL %s: give it as https://host/prefix", u.Redacted())
	case u.RawQuery != "" || u.Fragment != "":
		return nil, invalid("%s has a query or a fragment: give the base alone", u.Redacted())
	}
	u.Path = strings.TrimSuffix(u.Path, "/")
	u.RawPath = ""
	return u, nil
}

// isPath reports a path without a query.
func isPath(path string) bool {
	_, err := url.Parse("/" + path)
	return err == nil && path != "" && !strings.ContainsAny(path, "?#")
}

// defaultFrom is where a limit comes from that nobody set.
const defaultFrom = "default"

// complete puts the defaults in and checks what was set.
func (c *Config) complete(s *Suite, loopback bool) error {
	if c.Target.Timeout == 0 {
		c.Target.Timeout = defaultTimeout
	}
	if c.Target.Version == "" {
		c.Target.Version = "dev"
	}
	if err := c.Selection.complete(); err != nil {
		return err
	}
	if err := c.Limits.complete(loopback); err != nil {
		return err
	}
	if c.Target.Timeout < 0 {
		return &ConfigError{"Target.Timeout", "the time-out is below zero: use 0 for the default, or more"}
	}
	if c.Fuzz < 0 {
		return &ConfigError{"Fuzz", "the number of random requests is below zero: use 0 for none, or more"}
	}
	if c.Target.Wait < 0 {
		return &ConfigError{"Target.Wait", "the time to wait is below zero: use 0 for none, or more"}
	}
	for _, part := range c.FailOn {
		if !slices.Contains(Parts(), part) {
			return &ConfigError{"FailOn", fmt.Sprintf("a run cannot fail on %q: use one of %q", part, Parts())}
		}
	}
	for _, h := range c.Target.Headers {
		if !headerName.MatchString(h.Name) || !isHeaderValue(h.Value) {
			return &ConfigError{
				"Target.Headers",
				fmt.Sprintf("the header %q has a name or a value that HTTP does not allow", h.Name),
			}
		}
	}
	for _, name := range c.Redact {
		if !s.hasField(name) {
			return &ConfigError{"Redact", fmt.Sprintf("cannot redact %q: the page has no such field", name)}
		}
	}
	return nil
}

// hasField reports a field of the body or of a list's elements.
func (s *Suite) hasField(name string) bool {
	for _, p := range s.operation.Places() {
		if strings.EqualFold(p.Field.Name, name) {
			return true
		}
	}
	return false
}

func (l *Limits) complete(loopback bool) error {
	if l.Parallel == 0 {
		l.Parallel = 1
		if loopback {
			l.Parallel = defaultParallel
		}
	}
	if l.WritesFrom == "" {
		l.WritesFrom = defaultFrom
	}
	if l.UnexpectedWritesFrom == "" {
		l.UnexpectedWritesFrom = defaultFrom
	}
	if !loopback && l.Writes == nil {
		l.Writes = new(0)
	}
	if l.Writes != nil && l.UnexpectedWrites == nil {
		l.UnexpectedWrites = new(1)
	}
	switch {
	case *orZero(l.Writes) < 0:
		return &ConfigError{"Limits.Writes", "the number of writes allowed is below zero: use 0 or more"}
	case l.UnexpectedWrites != nil && *l.UnexpectedWrites < 1:
		return &ConfigError{
			"Limits.UnexpectedWrites",
			"a run stops at the first unexpected write or a later one: use 1 or more",
		}
	case l.Time < 0:
		return &ConfigError{"Limits.Time", belowZero}
	case l.Requests < 0:
		return &ConfigError{"Limits.Requests", belowZero}
	case l.Rate < 0:
		return &ConfigError{"Limits.Rate", belowZero}
	case l.Parallel < 0:
		return &ConfigError{"Limits.Parallel", belowZero}
	case l.Parallel > maxParallel:
		return &ConfigError{
			"Limits.Parallel",
			fmt.Sprintf("parallel %d exceeds the limit of %d", l.Parallel, maxParallel),
		}
	}
	return nil
}

const belowZero = "a limit is below zero: use 0 for none, or more"

func orZero(n *int) *int {
	if n == nil {
		return new(0)
	}
	return n
}

// headerName is a name of a header (RFC 9110, section 5.1).
var headerName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

// isHeaderValue reports text that a header can hold (RFC 9110, section 5.5).
func isHeaderValue(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7F })
}
