package mockserver

import (
	"fmt"
	"maps"
	"slices"
)

// Settings hold for all requests, before any scenario.
type Settings struct {
	// Validation is what happens to requests that break the page; empty is ValidationEnforce.
	Validation Validation `yaml:"validation" doc:"requests that break the page: enforce, warn or off"`
	// Delay holds every response back; nil does not.
	Delay *Delay `yaml:"delay" doc:"time to hold every response back, e.g. 300ms or 300ms..900ms"`
}

func (s *Settings) check() error {
	if s.Validation == "" {
		s.Validation = ValidationEnforce
	}
	if !s.Validation.known() {
		return fmt.Errorf("invalid validation %q: use enforce, warn or off", s.Validation)
	}
	if s.Delay != nil {
		return s.Delay.check()
	}
	return nil
}

// setup is what can change while the mock responds. What is compiled of it is what a
// request goes by.
type setup struct {
	config Config
	// base is the configuration that a reset goes back to.
	base Config
	// front are scenarios before those of the configuration.
	front []Scenario
	// switched are scenarios that were enabled or disabled since, by name.
	switched map[string]bool
	settings Settings
}

// change changes the setup at once: each request in flight goes by what was there when it
// came. On an error nothing changes.
func (s *Server) change(change func(*setup) error) error {
	s.configuring.Lock()
	defer s.configuring.Unlock()
	next := s.setup
	next.switched = maps.Clone(next.switched)
	if err := change(&next); err != nil {
		return err
	}
	compiled, err := s.compile(&next)
	if err != nil {
		return err
	}
	s.setup = next
	s.rules.Store(compiled)
	s.closeUnused(compiled)
	s.noteChange()
	return nil
}

// checkUse says what Use would.
func (s *Server) checkUse(scenarios []Scenario) error {
	s.configuring.Lock()
	defer s.configuring.Unlock()
	next := s.setup
	next.use(scenarios)
	_, err := s.compile(&next)
	s.closeUnused(s.rules.Load()) // what the check alone has opened
	return err
}

// use puts scenarios in front of all others.
func (to *setup) use(scenarios []Scenario) {
	isNew := func(sc Scenario) bool {
		return slices.ContainsFunc(scenarios, func(n Scenario) bool { return n.Name == sc.Name })
	}
	to.front = slices.Concat(scenarios, slices.DeleteFunc(slices.Clone(to.front), isNew))
	to.config.Scenarios = slices.DeleteFunc(slices.Clone(to.config.Scenarios), isNew)
	to.switched = maps.Clone(to.switched)
	for i := range scenarios {
		delete(to.switched, scenarios[i].Name)
	}
}

// Configure puts another configuration in the place of the one there is. Scenarios are
// enabled as it says.
func (s *Server) Configure(c Config) error {
	s.problem.Store(nil)
	return s.change(func(to *setup) error {
		to.config, to.base, to.switched = c, c, nil
		return nil
	})
}

// ConfigureFailed has the admin API say why the configuration's file was not taken up, until the
// next Configure.
func (s *Server) ConfigureFailed(problem error) {
	text := problem.Error()
	s.problem.Store(&text)
	s.noteChange()
}

// Use puts scenarios in front of all others, until the next Reset of everything. One that is
// there with the same name is replaced.
func (s *Server) Use(scenarios ...Scenario) error {
	return s.change(func(to *setup) error {
		to.use(scenarios)
		return nil
	})
}

// Switch enables or disables a scenario by its name, which may be that of a ready-made one,
// until the next Configure, or Reset of everything.
func (s *Server) Switch(name string, enabled bool) error {
	return s.change(func(to *setup) error {
		var names []string
		for _, sc := range s.rules.Load().scenarios {
			names = append(names, sc.Name)
		}
		if !slices.Contains(names, name) {
			return fmt.Errorf("unknown scenario %q%s", name, didYouMean(name, names))
		}
		if to.switched == nil {
			to.switched = map[string]bool{}
		}
		to.switched[name] = enabled
		return nil
	})
}

// Unused are the names of the enabled scenarios that never matched, in order.
func (s *Server) Unused() []string {
	var unused []string
	r := s.rules.Load()
	for _, sc := range r.scenarios {
		if r.enabled(sc) && s.usesOf(sc.Name).count.Load() == 0 {
			unused = append(unused, sc.Name)
		}
	}
	return unused
}
