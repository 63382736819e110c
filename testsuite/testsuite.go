// Package testsuite judges whether an implementation keeps to the page of a
// contract: it sends cases whose outcome is known beforehand and says, for each,
// what was expected, on what line of the page that rests, and what came back.
//
// [Run] sends the cases of a [Config] and returns [Results]; [Test] does so as
// subtests of a Go test; [Plan] says what would be sent and sends nothing. A
// target is an address or an http.Handler, which is served in the process,
// without a port. The package takes nothing from the code that answers as the
// framework does, so that each can be tested with the other.
//
// A run harms no one by default: a target that is not on this machine's loopback
// gets requests only that have to be refused, until Config.MaxWrites says how many
// accepted ones it bears. A run cannot pass by doing nothing: see [Results.Exit].
package testsuite

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/fixtures"
)

// Defaults of a Config.
const (
	DefaultTimeout  = 10 * time.Second
	DefaultParallel = 4 // on loopback; one at a time elsewhere
	// validRows is how many random valid payloads a run has.
	validRows = 10
)

// Config is what to send to whom, and how to judge it. Contract and one of URL and
// Handler have to be set; everything else has a default that is safe.
type Config struct {
	Contract *contracts.Contract

	// URL is the target's base, http or https; the contract's route is added unless
	// the URL ends with it. Handler is a target in this process.
	URL     string
	Handler http.Handler
	// Path replaces the contract's route.
	Path string
	// TLS is for an https target; nil stands for the defaults. Its NextProtos are
	// not used. ConnectTo has the connection go elsewhere. A target that is not on
	// loopback is reached through the proxy of HTTP_PROXY, HTTPS_PROXY and NO_PROXY,
	// unless ConnectTo is set.
	TLS       *tls.Config
	ConnectTo ConnectTo
	// Remote has a target count as one elsewhere whatever its address is.
	Remote bool
	// Headers go with every request. Their values are secret. Token is the value of
	// an Authorization header; it is asked for before the first request and again
	// after a 401.
	Headers []fixtures.Header
	Token   func(context.Context) (string, error)
	// Anonymous leaves out the header that names the case.
	Anonymous bool
	// Version is the version that User-Agent names.
	Version string

	// Seed and Now are the generator's. Set fixes members of every good payload;
	// Data are rows of such members, of which the cases take turns.
	Seed uint64
	Now  time.Time
	Set  map[string]string
	Data []map[string]string
	// Combinations, from 1 to 3, adds rows that cross the good values of that many
	// members.
	Combinations int

	// Accepted and Refused are the statuses that mean it; nil stands for 200 to 299,
	// and for 400 and 422. IsRefusal, if set, tells a refusal by the answer, whatever
	// its status.
	Accepted, Refused Statuses
	IsRefusal         func(*Answer) bool

	// Only is the id of a case whose request alone is sent, without a control and
	// whatever else is chosen.
	Only string
	// Run and Skip choose cases by patterns of ids, see [Match]. Fields and Media
	// choose by member and by media type of the body. Level is the least level.
	Run, Skip     []string
	Fields, Media []string
	Level         Level
	// Shard is part I of N by id, from 1; the zero value is the whole.
	Shard Shard
	// FailOn is what makes a run fail; the zero value is FailOnMust.
	FailOn FailOn
	Known  []Known

	// MaxWrites is how many requests may be sent that the target may accept. Nil is
	// none, and no limit on loopback. Each is counted before it is sent.
	MaxWrites *int
	// MaxUnexpectedWrites is the number of requests at which the run stops that must be
	// rejected and were accepted, or may have been: whatever is not a rejection counts,
	// no response included. Nil is 1, and no limit on loopback unless MaxWrites
	// is set.
	MaxUnexpectedWrites *int
	// MaxWritesFrom and MaxUnexpectedWritesFrom say in reports where the two limits
	// come from; empty where they are the defaults.
	MaxWritesFrom, MaxUnexpectedWritesFrom string
	// MaxRequests and MaxTime bound the run, Rate the requests a second; 0 is no
	// limit. Timeout is for one request, Parallel the number under way at once.
	MaxRequests int
	MaxTime     time.Duration
	Rate        float64
	Timeout     time.Duration
	Parallel    int

	// Ledger gets a line of JSON for every request that was accepted, and for every
	// one that may have been. IDPath is a JSON pointer to the id in an answer.
	Ledger io.Writer
	IDPath string

	// Redact names members whose values no result shows; Secrets are further texts.
	Redact  []string
	Secrets []string

	// Progress is told how many requests of how many are done, by one goroutine at
	// a time; nil is fine.
	Progress func(done, total int)
}

// Shard is part I of N.
type Shard struct{ I, N int }

// FailOn is what makes a run fail.
type FailOn string

const (
	// FailOnMust fails for a failed MUST and cannot tell for an inconclusive one.
	FailOnMust FailOn = "must"
	// FailOnShould fails for a failed SHOULD too.
	FailOnShould FailOn = "should"
	// FailOnInconclusive does so, and cannot tell for whatever is inconclusive or
	// unconfirmed at either level.
	FailOnInconclusive FailOn = "inconclusive"
)

// Run sends the cases and judges the answers. The error is about the Config, and
// nothing was sent then; whatever happens to the target is in the Results. When
// ctx ends, what was found until then is returned.
func Run(ctx context.Context, c Config) (*Results, error) {
	p, err := prepare(&c)
	if err != nil {
		return nil, err
	}
	t, err := newTarget(&c, p)
	if err != nil {
		return nil, err
	}
	defer t.close()
	ctx, cancel := p.bounded(ctx, &c)
	defer cancel()
	if _, err := t.headers(ctx, ""); err != nil {
		return nil, fmt.Errorf("no credentials: %w", err)
	}
	r := &run{Config: &c, prepared: p, target: t, budget: newBudget(&c), breaker: &breaker{}, backoff: backoff}
	return r.do(ctx), nil
}

// Plan says what a run would send, in the order in which it would.
func Plan(c Config) (*Planned, error) {
	p, err := prepare(&c)
	if err != nil {
		return nil, err
	}
	return p.plan(&c), nil
}

// Cases lists the cases that a Config chooses; it needs no target.
func Cases(c Config) ([]Case, error) {
	if c.URL == "" && c.Handler == nil {
		c.URL = "http://127.0.0.1"
	}
	p, err := prepare(&c)
	if err != nil {
		return nil, err
	}
	return p.cases, nil
}

// prepared is a checked Config and its cases.
type prepared struct {
	base     *url.URL
	loopback bool
	all      []Case // of the whole catalogue
	cases    []Case // those chosen, in the order of the catalogue
	controls map[string]*exchange
	units    []*exchange
	hide     *redactor
	known    *knownIndex
	contract *contracts.Contract
}

func prepare(c *Config) (*prepared, error) {
	if c.Contract == nil {
		return nil, errors.New("there is no contract: parse a page first")
	}
	if (c.URL == "") == (c.Handler == nil) {
		return nil, errors.New("give either the URL of a target or a handler")
	}
	if c.Handler != nil {
		c.URL = "http://handler.invalid"
	}
	base, err := parseBase(c.URL)
	if err != nil {
		return nil, err
	}
	p := &prepared{base: base, loopback: !c.Remote && (c.Handler != nil || c.staysHere(base))}
	if host, port := hostPort(base); c.ConnectTo.isSet() && !c.ConnectTo.matches(host, port) {
		return nil, fmt.Errorf("connections for %s:%s are to go elsewhere, and the target is %s:%s", c.ConnectTo.Host, c.ConnectTo.Port, host, port)
	}
	contract := *c.Contract
	if c.Path != "" {
		path := strings.TrimPrefix(c.Path, "/")
		if _, err := url.Parse("/" + path); err != nil || strings.ContainsAny(path, "?#") || path == "" {
			return nil, fmt.Errorf("the path %q is none: give it without host and query", c.Path)
		}
		contract.Route = path
	}
	if whole := "/" + contract.Route; strings.HasSuffix(strings.ToLower(base.Path), strings.ToLower(whole)) {
		base.Path = base.Path[:len(base.Path)-len(whole)]
	}
	p.contract, p.known = &contract, indexKnown(c.Known)
	if err := c.defaults(p.loopback); err != nil {
		return nil, err
	}
	p.hide = newRedactor(c, base)
	if err := p.build(c); err != nil {
		return nil, errors.New(p.hide.text(err.Error()))
	}
	if err := p.choose(c); err != nil {
		return nil, err
	}
	p.arrange(c)
	return p, nil
}

// address is the base without who is calling.
func (p *prepared) address() string {
	base := *p.base
	base.User = nil
	return base.String()
}

// fixedTo lists the values that a member is fixed to, by Set and by Data.
func (c *Config) fixedTo(member string) []string {
	var values []string
	for _, row := range append([]map[string]string{c.Set}, c.Data...) {
		for name, value := range row {
			if strings.EqualFold(name, member) {
				values = append(values, value)
			}
		}
	}
	return values
}

// parseBase reads an address. The error shows none of its password.
func parseBase(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, errors.New("the URL cannot be read: give it as https://host/prefix")
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "" || u.Hostname() == "":
		return nil, fmt.Errorf("%s is no address of a server: give it as https://host/prefix", u.Redacted())
	case u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("%s has a query or a fragment: give the base alone", u.Redacted())
	}
	u.Path = strings.TrimSuffix(u.Path, "/")
	u.RawPath = ""
	return u, nil
}

// limits are those that count, after defaults.
func (c *Config) limits() Limits {
	return Limits{
		Writes: c.MaxWrites, WritesFrom: c.MaxWritesFrom,
		UnexpectedWrites: c.MaxUnexpectedWrites, UnexpectedWritesFrom: c.MaxUnexpectedWritesFrom,
	}
}

func (c *Config) defaults(loopback bool) error {
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if c.Parallel == 0 {
		c.Parallel = 1
		if loopback {
			c.Parallel = DefaultParallel
		}
	}
	if c.MaxWritesFrom == "" {
		c.MaxWritesFrom = defaultFrom
	}
	if c.MaxUnexpectedWritesFrom == "" {
		c.MaxUnexpectedWritesFrom = defaultFrom
	}
	if !loopback && c.MaxWrites == nil {
		c.MaxWrites = new(0)
	}
	if c.MaxWrites != nil && c.MaxUnexpectedWrites == nil {
		c.MaxUnexpectedWrites = new(1)
	}
	if c.Accepted == nil {
		c.Accepted = Statuses{{200, 299}}
	}
	if c.Refused == nil {
		c.Refused = Statuses{{400, 400}, {422, 422}}
	}
	if c.Level == "" {
		c.Level = May
	}
	if c.FailOn == "" {
		c.FailOn = FailOnMust
	}
	if c.Shard.N == 0 {
		c.Shard = Shard{1, 1}
	}
	if c.Version == "" {
		c.Version = "dev"
	}
	switch {
	case c.MaxWrites != nil && *c.MaxWrites < 0:
		return errors.New("the number of writes allowed is below zero: use 0 or more")
	case c.MaxUnexpectedWrites != nil && *c.MaxUnexpectedWrites < 1:
		return errors.New("a run stops at the first unexpected write or a later one: use 1 or more")
	case c.Timeout < 0 || c.MaxTime < 0 || c.MaxRequests < 0 || c.Rate < 0 || c.Parallel < 0:
		return errors.New("a limit is below zero: use 0 for none, or more")
	case c.Parallel > maxParallel:
		return fmt.Errorf("%d requests at once are an attack: use %d or fewer", c.Parallel, maxParallel)
	case c.Level.weight() == 0:
		return fmt.Errorf("unknown level %q: use must, should or may", c.Level)
	case c.FailOn != FailOnMust && c.FailOn != FailOnShould && c.FailOn != FailOnInconclusive:
		return fmt.Errorf("a run cannot fail on %q: use must, should or inconclusive", c.FailOn)
	case c.Shard.I < 1 || c.Shard.I > c.Shard.N:
		return fmt.Errorf("there is no shard %d/%d: use i/n with i from 1 to n", c.Shard.I, c.Shard.N)
	case c.Combinations < 0 || c.Combinations > 3:
		return fmt.Errorf("combinations of %d members are not made: use 1, 2 or 3", c.Combinations)
	}
	for _, h := range c.Headers {
		if !headerName.MatchString(h.Name) || !isHeaderValue(h.Value) {
			return fmt.Errorf("the header %q has a name or a value that HTTP does not allow", h.Name)
		}
	}
	for _, name := range c.Redact {
		if p := c.Contract.Body.Field(name); p == nil && !hasItem(c.Contract, name) {
			return fmt.Errorf("cannot redact %q: the page has no such member", name)
		}
	}
	return nil
}

// headerName is a name of a header (RFC 9110, section 5.1).
var headerName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

// isHeaderValue reports text that a header can hold (RFC 9110, section 5.5).
func isHeaderValue(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7F })
}

// defaultFrom is where a limit comes from that nobody set.
const defaultFrom = "default"

// maxParallel is more than a conformance run has use for.
const maxParallel = 64
