package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/fixtures"
	"github.com/seed47566266/understudy/mockserver"
	"github.com/seed47566266/understudy/mockserver/console"
	"github.com/seed47566266/understudy/mockserver/store"
	"github.com/seed47566266/understudy/testsuite"
)

// mock are the flags of serve that change what the mock does besides responding as the
// framework would.
type mock struct {
	cors, validate, delay, fault, token string
	scenarios, hidden                   []string
	seed                                uint64
	noAdmin, noMetrics, failOnUnused    bool
	noConsole, openConsole              bool
	store, journalFile                  string
	proxy, record                       string
	failOnDisagreement                  bool
	journalEntries                      int

	adminOff string // why there is no admin API; empty if there is one
	recorded *recorder
}

func mockFlags(cmd *cobra.Command) *mock {
	m, flags := &mock{}, cmd.Flags()
	flags.StringVar(&m.cors, "cors", "", "`ORIGINS` whose pages may call, or open, local, any, off (default: open on "+
		"loopback, with --proxy local, elsewhere any, which is open without credentials)")
	flags.StringVar(&m.validate, "validate", string(mockserver.ValidationEnforce),
		"requests that break the page are rejected, or accepted with "+
			"a note, or accepted: `enforce|warn|off`")
	flags.StringVar(&m.delay, "delay", "", "hold every response back, e.g. `300ms..900ms`")
	flags.StringVar(&m.fault, "fault", "", "break responses: a status or fault, of every Nth: `503/3`, "+
		"connection-reset")
	flags.StringArrayVar(&m.scenarios, "scenario", nil, "ready-made scenario, may be repeated: `NAME` is one of "+
		strings.Join(mockserver.ReadyMadeNames(), ", "))
	flags.StringArrayVar(&m.hidden, "hide", nil, "keep the value of `FIELD` out of the journal; may be repeated")
	flags.Uint64Var(&m.seed, "seed", 1, "random `seed` of what scenarios do by chance")
	flags.StringVar(&m.token, "admin-token", "", "`TOKEN` that requests to /__admin must bear; required there "+
		"beyond loopback (better in UNDERSTUDY_ADMIN_TOKEN)")
	flags.BoolVar(&m.noAdmin, "no-admin", false, "serve nothing under /__admin")
	flags.BoolVar(
		&m.noConsole,
		"no-console",
		false,
		"serve no console, the page under /__admin that shows each request",
	)
	flags.BoolVar(&m.openConsole, "open", false, "open the console in a browser")
	flags.BoolVar(&m.failOnUnused, "fail-on-unused", false, "exit 1 if a scenario that is enabled never matched")
	flags.StringVar(&m.store, "store", "", "`URL` of a Redis server that several mocks share, as "+
		"redis://HOST:6379/0 (default: memory)")
	flags.IntVar(&m.journalEntries, "journal-entries", store.DefaultEntries,
		"`number` of requests that the journal keeps; 0 switches it off")
	flags.StringVar(&m.journalFile, "journal-file", "", "`FILE` that gets a line of JSON for each request")
	flags.StringVar(&m.proxy, "proxy", "", "pass requests on to the real server at `URL`, and compare it with "+
		"the page")
	flags.BoolVar(&m.failOnDisagreement, "fail-on-disagreement", false, "exit 1 if real server and page disagree")
	flags.StringVar(&m.record, "record", "", "`FILE` that gets each request as a case, for 'verify --replay-file'")
	flags.BoolVar(&m.noMetrics, "no-metrics", false, "serve no /__admin/metrics")
	return m
}

// open opens what the flags name: store, files. closeAll closes it; its error is of what could not
// be written.
func (m *mock) open(logger *slog.Logger) (options []mockserver.Option, closeAll func() error, err error) {
	var open []io.Closer
	closeOpen := func() error {
		var problems []error
		for _, c := range slices.Backward(open) {
			problems = append(problems, c.Close())
		}
		return errors.Join(problems...)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, closeOpen())
		}
	}()
	var kept store.Store = store.NewMemory(m.journalEntries, store.DefaultBytes)
	if m.store != "" {
		if kept, err = store.NewRedis(m.store, m.journalEntries, store.DefaultBytes, logger); err != nil {
			return nil, nil, fmt.Errorf("--store: %w", err)
		}
	}
	open = append(open, kept)
	options = append(options, mockserver.WithStore(kept))
	if m.journalFile != "" {
		f, err := mockserver.OpenJournalFile(m.journalFile, 0, logger)
		if err != nil {
			return nil, nil, machine(fmt.Errorf("--journal-file: %w", err))
		}
		open = append(open, f)
		options = append(options, mockserver.WithJournalFile(f))
	}
	if m.record != "" {
		if m.recorded, err = newRecorder(m.record); err != nil {
			return nil, nil, machine(fmt.Errorf("--record: %w", err))
		}
		open = append(open, m.recorded)
		options = append(options, mockserver.WithObserver(m.recorded.record))
	}
	return options, closeOpen, nil
}

// options are those that open nothing, of a mock that listens somewhere.
func (m *mock) options(root *cobra.Command, l *listening, file *configFile) ([]mockserver.Option, error) {
	loopback := isLoopback(l.addr)
	options := []mockserver.Option{
		mockserver.WithSeed(m.seed), mockserver.WithHidden(m.hidden...), mockserver.WithVersion(version()),
		mockserver.WithAdminToken(m.token),
	}
	switch {
	case m.cors != "":
		options = append(options, mockserver.WithCORS(mockserver.CORS(m.cors)))
	case m.proxy != "": // or any page that a developer looks at could use the real server
		options = append(options, mockserver.WithCORS(mockserver.CORSLocal))
	case !loopback:
		options = append(options, mockserver.WithCORS(mockserver.CORSAny))
	}
	switch {
	case l.adminAddr != "" && m.noAdmin:
		return nil, errors.New("--admin-addr moves the admin API and --no-admin removes it: use one of them")
	case l.adminAddr != "" && !isLoopback(l.adminAddr) && m.token == "":
		return nil, fmt.Errorf("--admin-addr %s can be reached from elsewhere: give a token in UNDERSTUDY_ADMIN_TOKEN",
			l.adminAddr)
	case m.noAdmin:
		m.adminOff = "off by --no-admin"
	case l.adminAddr == "" && !loopback && m.token == "":
		// Who can reach the server could read what others sent.
		m.adminOff = "off beyond loopback without UNDERSTUDY_ADMIN_TOKEN"
	}
	switch {
	case m.noAdmin || l.adminAddr != "":
		options = append(options, mockserver.WithoutAdmin())
	case m.adminOff != "":
		options = append(options, mockserver.WithHealthAlone())
	}
	switch {
	case m.openConsole && (m.noConsole || m.adminOff != ""):
		return nil, errors.New(
			"--open opens the console, and there is none: it is " + cmp.Or(m.adminOff, "off by --no-console"),
		)
	case m.openConsole && strings.HasPrefix(cmp.Or(l.adminAddr, l.addr), unixPrefix):
		return nil, errors.New(
			"--open opens the console, which no browser reaches at a socket: give --admin-addr 127.0.0.1:4748",
		)
	case !m.noConsole && m.adminOff == "":
		options = append(options, mockserver.WithConsole(console.New))
	}
	if m.noMetrics || m.adminOff != "" {
		options = append(options, mockserver.WithoutMetrics())
	}
	if m.journalEntries < 0 || m.journalEntries > maxJournalEntries {
		return nil, fmt.Errorf("--journal-entries %d: use 0 to %d", m.journalEntries, maxJournalEntries)
	}
	switch {
	case m.proxy != "":
		options = append(options, mockserver.WithProxy(m.proxy))
	case m.failOnDisagreement:
		return nil, errors.New("--fail-on-disagreement compares with a real server: give its URL with --proxy")
	}
	if m.record != "" && len(m.hidden) > 0 {
		return nil, errors.New("--record keeps bodies as they are, and --hide does not: use one of them")
	}
	for flag, names := range map[string][]string{"--hide": m.hidden, "--scenario": m.scenarios} {
		for _, name := range names {
			if strings.Contains(name, ",") {
				return nil, fmt.Errorf("%s %q: give the flag once for each", flag, name)
			}
		}
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
	if file == nil {
		return options, nil
	}
	config, err := file.mock(root)
	return append(options, mockserver.WithConfig(config)), err
}

// maxJournalEntries is how many entries a journal may keep; its bytes are bounded besides.
const maxJournalEntries = 100_000

// maxListed is how many operations are listed at the start.
const maxListed = 5

// banner says what there is where the mock listens. File is nil for none.
func (m *mock) banner(c *contracts.Contract, url, adminURL string, file *configFile) string {
	var b strings.Builder
	if file != nil {
		fmt.Fprintf(&b, "  configuration: %s\n", file.name)
	}
	base := url
	if strings.HasPrefix(url, unixPrefix) {
		base = ""
	}
	for i := range c.Operations {
		if i == maxListed {
			fmt.Fprintf(&b, "  and %d more\n", len(c.Operations)-i)
			break
		}
		fmt.Fprintf(&b, "  %s %s/%s\n", c.Operations[i].Method, base, c.Operations[i].Route)
	}
	if path, isUnix := strings.CutPrefix(adminURL, unixPrefix); isUnix {
		adminURL = "curl --unix-socket " + fixtures.ShellQuote(path) + " http://localhost"
	}
	switch {
	case m.adminOff != "":
		fmt.Fprintf(&b, "  admin API: %s\n", m.adminOff)
	case m.noConsole:
		fmt.Fprintf(&b, "  admin API: %s%s/openapi.json\n", adminURL, mockserver.AdminPath)
	case m.token != "":
		fmt.Fprintf(&b, "  console: %s%s/ with the token\n", adminURL, mockserver.AdminPath)
	default:
		fmt.Fprintf(&b, "  console: %s%s/\n", adminURL, mockserver.AdminPath)
	}
	if !m.noAdmin {
		fmt.Fprintf(&b, "  ready: %s%s/health\n", adminURL, mockserver.AdminPath)
	}
	return b.String()
}

// conclude says at the end what was not used, and where real server and page disagree.
func (m *mock) conclude(s streams, mock *mockserver.Server, err error) error {
	if err != nil {
		return err
	}
	failed := false
	if unused := mock.Unused(); len(unused) > 0 {
		_, _ = fmt.Fprintf(s.err, "understudy: no request matched these scenarios: %s\n", strings.Join(unused, ", "))
		failed = m.failOnUnused
	}
	if m.recorded != nil {
		_, _ = fmt.Fprintln(s.err, "understudy: "+m.recorded.summary())
	}
	if m.proxy != "" {
		agreement := mock.Agreement()
		if err := written(printAgreement(s.out, &agreement)); err != nil {
			return err
		}
		failed = failed || m.failOnDisagreement && len(agreement.Disagreements) > 0
	}
	if failed {
		return &exitError{testsuite.ExitBroken, nil}
	}
	return nil
}

// printAgreement prints a table of what a real server and the page say.
func printAgreement(w io.Writer, a *mockserver.Agreement) error {
	total := 0
	for _, n := range a.Verdicts {
		total += n
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d requests were passed on: %d agree, %d disagree, %d unclear, %d not on the page\n", total,
		a.Verdicts[store.VerdictAgree], a.Verdicts[store.VerdictAccepted]+a.Verdicts[store.VerdictRejected],
		a.Verdicts[store.VerdictUnclear], a.Verdicts[store.VerdictNone])
	if len(a.Disagreements) > 0 {
		table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		_, _ = fmt.Fprintln(table, "COUNT\tPAGE\tSERVER\tRULE\tLINE")
		for i := range a.Disagreements {
			d := &a.Disagreements[i]
			page, rule, line := "accepts", "-", "-"
			if d.Violation != nil {
				page, rule, line = "rejects", d.Violation.Rule.String(), strconv.Itoa(d.Violation.Line)
			}
			_, _ = fmt.Fprintf(table, "%d\t%s\t%d\t%s\t%s\n", d.Count, page, d.Status, rule, line)
		}
		_ = table.Flush() // into memory
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// isLoopback reports an address that only this machine reaches.
func isLoopback(addr string) bool {
	if strings.HasPrefix(addr, unixPrefix) {
		return true
	}
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
