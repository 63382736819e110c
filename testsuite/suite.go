// Package testsuite verifies whether an implementation conforms to the Help Page of a
// contract: it sends cases whose outcome is known beforehand and reports, for each,
// what was expected, on what line of the page that rests, and what came back.
//
// [New] makes a [Suite] from a contract: the catalogue of cases, made once and shared.
// [Suite.Run] sends the cases that a [Config] selects and returns [Results]; [Test]
// does so as subtests of a Go test; [Suite.Plan] lists what would be sent and sends
// nothing. A target is an address or an http.Handler, which is served in the process,
// without a port. The package takes nothing from the code that responds as the
// framework does, so that each can be tested with the other.
//
// A run is a line: the suite's cases are selected and arranged; the budget pays for
// each request; the target carries it; its meaning is read from the response; the
// breaker ends a run that gets nowhere; the judge gives each case its verdict; the
// record of it all is the results.
//
// A run harms no one by default: a target that is not on this machine's loopback
// gets only requests that must be rejected, until [Limits] allow writes. A run
// cannot pass by doing nothing: see [Results.Exit].
package testsuite

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/fixtures"
)

// Payloads are the choices of what the cases of a suite are made of. The zero value is
// seed 0 and the defaults.
type Payloads struct {
	// Seed is the random seed.
	Seed uint64
	// Now is the reference date; the zero time is today, in UTC.
	Now time.Time
	// StrictJSON expects of text that is not JSON, and that some readers take for it, that
	// it is rejected.
	StrictJSON bool
	// Set fixes fields of every valid payload, by name.
	Set map[string]string
	// Rows are rows of field values, assigned to cases round-robin; at most 50.
	Rows []map[string]string
	// Combinations, from 1 to 3, adds rows that cross the valid values of that many
	// fields; 0 adds none.
	Combinations int
	// Path replaces the contract's route; empty keeps it.
	Path string
	// Recorded adds a case for each request in it, see [fixtures.Generator.Recorded]; nil
	// adds none. Alone they are selected by "recorded".
	Recorded []byte
}

// Suite is the catalogue of cases of a contract. It does not change and may be shared
// by runs and goroutines.
type Suite struct {
	operation *contracts.Operation
	payloads  Payloads
	rules     []contracts.Rule
	facts     map[contracts.RuleID]contracts.Fact // of the rules
	generator *fixtures.Generator                 // with the values of the first row
	cases     []Case
	tags      []string          // of all cases, in order
	index     map[string]int    // of cases, by id in lower case
	requests  map[string]int    // of the cases about outcomes, by id
	first     string            // the page's first JSON media type; its control shows whether anything works
	controls  map[string]string // the id of the valid request of each media type
}

// New makes the suite of a contract's operation. The error is about the contract or
// the payloads; it shows no value of theirs.
func New(c *contracts.Contract, p Payloads) (*Suite, error) {
	if c == nil || len(c.Operations) == 0 {
		return nil, errors.New("the contract is nil or has no operations: parse a Help Page first")
	}
	if len(c.Operations) > 1 {
		return nil, fmt.Errorf("the contract has %d operations: a suite covers one", len(c.Operations))
	}
	operation := c.Operations[0]
	if p.Path != "" {
		path := strings.TrimPrefix(p.Path, "/")
		if !isPath(path) {
			return nil, &ConfigError{
				"Payloads.Path",
				fmt.Sprintf("invalid path %q: give it without host and query", p.Path),
			}
		}
		operation.Route = path
	}
	if p.Combinations < 0 || p.Combinations > 3 {
		return nil, &ConfigError{
			"Payloads.Combinations",
			fmt.Sprintf("combinations of %d fields are not made: use 1, 2 or 3", p.Combinations),
		}
	}
	if p.Now.IsZero() {
		p.Now = time.Now().UTC()
	}
	s := &Suite{
		operation: &operation,
		payloads:  p,
		rules:     operation.Rules(),
		facts:     map[contracts.RuleID]contracts.Fact{},
		index:     map[string]int{},
		requests:  map[string]int{},
		controls:  map[string]string{},
	}
	if err := s.build(); err != nil {
		return nil, err
	}
	return s, nil
}

// Run sends the cases and judges the responses. The error is about the Config, and
// nothing was sent then; whatever happens to the target is in the Results. When
// ctx ends, what was found until then is returned.
func (s *Suite) Run(ctx context.Context, c Config) (*Results, error) {
	p, err := s.prepare(&c)
	if err != nil {
		return nil, err
	}
	t, ctx, end, err := p.begin(ctx, &c)
	if err != nil {
		return nil, err
	}
	defer end()
	return newRun(&c, p, t).do(ctx), nil
}

// begin opens the target of a run, waits for it, and asks for credentials. The context ends with
// the run's time; end gives back what was opened.
func (p *prepared) begin(ctx context.Context, c *Config) (t *target, bounded context.Context, end func(), err error) {
	if t, err = newTarget(c, p); err != nil {
		return nil, nil, nil, err
	}
	t.await(ctx)
	bounded, cancel := c.Limits.bounded(ctx)
	end = func() {
		cancel()
		t.close()
	}
	if _, err := t.headers(bounded, ""); err != nil {
		end()
		return nil, nil, nil, &ConfigError{"Target.Token", "no credentials: " + err.Error()}
	}
	return t, bounded, end, nil
}

// Plan lists what a run would send, in the order in which it would.
func (s *Suite) Plan(c Config) (*Plan, error) {
	p, err := s.prepare(&c)
	if err != nil {
		return nil, err
	}
	return p.plan(&c), nil
}

// Cases are the cases that a selection selects, in the order of the catalogue.
func (s *Suite) Cases(selected Selection) ([]Case, error) {
	if err := selected.complete(); err != nil {
		return nil, err
	}
	return s.choose(&selected)
}

// Nearest is the case id closest to a text or a pattern.
func (s *Suite) Nearest(text string) string {
	ids := make([]string, len(s.cases))
	for i := range s.cases {
		ids[i] = s.cases[i].ID
	}
	return fixtures.Nearest(text, ids)
}

// source is the case whose request an id names; nil if there is none.
func (s *Suite) source(id string) *Case {
	if i, found := s.requests[id]; found {
		return &s.cases[i]
	}
	return nil
}

// fixedTo lists the values that a field is fixed to, by Set and by Rows.
func (p *Payloads) fixedTo(field string) []string {
	var values []string
	for _, row := range append([]map[string]string{p.Set}, p.Rows...) {
		for name, value := range row {
			if strings.EqualFold(name, field) {
				values = append(values, value)
			}
		}
	}
	return values
}

// fixes reports whether any field is fixed to a value.
func (p *Payloads) fixes() bool { return len(p.Set)+len(p.Rows) > 0 }
