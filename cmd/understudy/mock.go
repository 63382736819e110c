package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seed47566266/understudy/mockserver"
)

// mock are the flags of serve that change what the mock does besides responding as the
// framework would.
type mock struct {
	cors, validate, delay, fault, token string
	scenarios, hidden                   []string
	seed                                uint64
	noAdmin, noMetrics                  bool
}

func mockFlags(cmd *cobra.Command) *mock {
	m, flags := &mock{}, cmd.Flags()
	flags.StringVar(&m.cors, "cors", "", "pages that may call: `open|any|off|ORIGIN,…` (default: open on\n"+
		"loopback, elsewhere any, which is open without credentials)")
	flags.StringVar(&m.validate, "validate", string(mockserver.ValidationEnforce),
		"requests that break the page are rejected, or accepted with\n"+
			"a note, or accepted: `enforce|warn|off`")
	flags.StringVar(&m.delay, "delay", "", "hold every response back, e.g. `300ms..900ms`")
	flags.StringVar(&m.fault, "fault", "", "break responses: a status or fault, of every Nth: `503/3`,\n"+
		"connection-reset")
	flags.StringArrayVar(&m.scenarios, "scenario", nil, "ready-made scenario: `NAME` is one of\n"+
		strings.Join(mockserver.ReadyMadeNames(), ", "))
	flags.StringArrayVar(&m.hidden, "hide", nil, "keep the value of `FIELD` out of the journal")
	flags.Uint64Var(&m.seed, "seed", 1, "random `seed` of what scenarios do by chance")
	flags.StringVar(&m.token, "admin-token", "", "`TOKEN` that requests to /__admin must bear; required there\n"+
		"beyond loopback (better in UNDERSTUDY_ADMIN_TOKEN)")
	flags.BoolVar(&m.noAdmin, "no-admin", false, "serve nothing under /__admin")
	flags.BoolVar(&m.noMetrics, "no-metrics", false, "serve no /__admin/metrics")
	return m
}

// options are those of the mock that listens at an address.
func (m *mock) options(cmd *cobra.Command, addr string) ([]mockserver.Option, error) {
	loopback := isLoopback(addr)
	options := []mockserver.Option{
		mockserver.WithSeed(m.seed),
		mockserver.WithHidden(m.hidden...), mockserver.WithVersion(version()), mockserver.WithAdminToken(m.token),
	}
	switch {
	case m.cors != "":
		options = append(options, mockserver.WithCORS(mockserver.CORS(m.cors)))
	case !loopback:
		options = append(options, mockserver.WithCORS(mockserver.CORSAny))
	}
	// Who can reach the server could read what others sent.
	if m.noAdmin || !loopback && m.token == "" {
		options = append(options, mockserver.WithoutAdmin())
	}
	if m.noMetrics {
		options = append(options, mockserver.WithoutMetrics())
	}
	for _, name := range m.scenarios {
		sc, err := mockserver.ReadyMade(name)
		if err != nil {
			return nil, fmt.Errorf("--scenario: %w", err)
		}
		options = append(options, mockserver.WithScenarios(sc))
	}
	settings := mockserver.Settings{Validation: mockserver.Validation(m.validate)}
	if m.delay != "" {
		d, err := mockserver.ParseDelay(m.delay)
		if err != nil {
			return nil, fmt.Errorf("--delay: %w", err)
		}
		settings.Delay = &d
	}
	options = append(options, mockserver.WithSettings(settings))
	if m.fault != "" {
		sc, err := standingFault(m.fault)
		if err != nil {
			return nil, err
		}
		options = append(options, mockserver.WithScenarios(sc))
	}
	config, err := mockConfig(cmd)
	return append(options, mockserver.WithConfig(config)), err
}

// isLoopback reports an address that only this machine reaches.
func isLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}

// standingFault reads a status or a fault, and of which requests: 503/3 is every third.
func standingFault(text string) (mockserver.Scenario, error) {
	what, nth, isSome := strings.Cut(text, "/")
	sc := mockserver.Scenario{Name: "--fault"}
	if isSome {
		every, err := strconv.ParseUint(nth, 10, 31)
		if err != nil || every == 0 {
			return sc, fmt.Errorf("--fault %q: use a number of requests from 1 after the slash, as in 503/3", text)
		}
		sc.When.Call = &mockserver.Calls{Every: int(every)}
	}
	if status, err := strconv.Atoi(what); err == nil {
		sc.Then.Status = status
	} else {
		sc.Then.Fault = mockserver.Fault(what)
	}
	return sc, nil
}

// mockConfig is the mock's part of the configuration file, if there is one.
func mockConfig(cmd *cobra.Command) (mockserver.Config, error) {
	file := cmd.Flags().Lookup("config").Value.String()
	if file == "" {
		return mockserver.Config{}, nil
	}
	text, err := os.ReadFile(file) // its size was looked at when the flags were set
	if err != nil {
		return mockserver.Config{}, fmt.Errorf("cannot read the configuration: %w", err)
	}
	folder, err := os.OpenRoot(filepath.Dir(file))
	if err != nil {
		return mockserver.Config{}, fmt.Errorf("cannot read the configuration's folder: %w", err)
	}
	defer func() { _ = folder.Close() }()
	return mockserver.ParseConfig(file, text, folder, func(key string) bool { return isCommand(cmd.Root(), key) })
}
