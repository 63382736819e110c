package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/fixtures"
	"github.com/seed47566266/understudy/testsuite"
	"github.com/seed47566266/understudy/testsuite/report"
)

type verifyFlags struct {
	choiceFlags
	connectionFlags
	accept, reject, rejectedWhen string
	known, replay, replayFile    string
	failOn                       []string
	maxWrites, maxUnexpected     int
	maxRequests, parallel        int
	rate                         float64
	timeout, maxTime, wait       time.Duration
	ledger, idPath               string
	redact, reports              []string
	plan, noConfirm              bool
	fuzz                         int
}

func verifyCommand(s streams) *cobra.Command {
	f := &verifyFlags{}
	cmd := &cobra.Command{
		Use:   "verify URL",
		Short: "Verify that a server conforms to its Help Page, safely",
		Long: "Verify sends requests whose outcome is known to a server and reports which rules\n" +
			"of the page hold. A target that is not on loopback gets only requests that must\n" +
			"be rejected, one at a time, until --max-writes allows a number of writes.\n\n" +
			"Exit codes: 0 the target conforms; 1 it breaks a stated rule; 2 usage or\n" +
			"configuration; 3 it could not be reached; 4 stopped for safety (a ledger that\n" +
			"cannot be written included); 5 the known-failures file is stale; 6 inconclusive;\n" +
			"7 an output that cannot be written, and other failures of the machine.",
		Example: "  understudy verify http://127.0.0.1:5000\n" +
			"  understudy verify https://test.example.com/v1 --plan\n" +
			"  understudy verify https://test.example.com/v1 --bearer-env TOKEN \\\n" +
			"      --max-writes 40 --set UserId=… --known known.yaml --report html=r.html",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("give one URL of a server, such as http://127.0.0.1:5000; see '%s --help'",
					cmd.CommandPath())
			}
			return nil
		},
	}
	flags := cmd.Flags()
	f.choiceFlags.add(flags)
	f.connectionFlags.add(flags)
	flags.StringVar(&f.accept, "accept", "2xx", "statuses that mean accepted")
	flags.StringVar(&f.reject, "reject", "400,422", "statuses that mean rejected")
	flags.StringVar(&f.rejectedWhen, "rejected-when", "",
		"a response below 300 is a rejection if its JSON has a value, as /success=false")
	flags.StringSliceVar(&f.failOn, "fail-on", []string{"must"},
		"what fails the run besides must: readings (of the page), framework (defaults), robustness, "+
			"should (all three); inconclusive is what proves nothing")
	flags.StringVar(&f.known, "known", "", "YAML `file` of cases that are known to fail, with reasons")
	flags.StringVar(&f.replay, "replay", "", "send the request of this one case, and show all of it")
	flags.StringVar(&f.replayFile, "replay-file", "",
		"send the requests of this `file` again, which 'serve --record' and 'generate' write")
	flags.IntVar(&f.maxWrites, "max-writes", 0, "number of writes allowed (default: on loopback any, else 0)")
	flags.IntVar(
		&f.maxUnexpected,
		"max-unexpected-writes",
		0,
		"stop after this many requests that must be rejected and were not; no response counts (default: 1; without "+
			"--max-writes on loopback never)",
	)
	flags.IntVar(&f.maxRequests, "max-requests", 0, "send no more requests than this (0: no limit)")
	flags.DurationVar(&f.maxTime, "max-time", 0, "stop after this time (0: no limit)")
	flags.DurationVar(&f.wait, "wait", 0, "how long to wait for the target to take connections (0: not at all)")
	flags.DurationVar(&f.timeout, "timeout", 0, "time that one request may take (default: 10s)")
	flags.BoolVar(&f.noConfirm, "no-confirm", false,
		"do not send a failing request again, to tell flaky from failing, and look for no smaller one")
	flags.Float64Var(&f.rate, "rate", 0, "requests per second (0: no limit)")
	flags.IntVar(&f.parallel, "parallel", 0, "parallel requests (default: on loopback 4, else 1)")
	flags.IntVar(&f.fuzz, "fuzz", 0, "send this many random requests after the cases, by --seed")
	flags.BoolVar(&f.plan, "plan", false, "print what would be sent, and send nothing")
	flags.StringVar(&f.ledger, "ledger", "", "`file` that gets a line of JSON for every accepted request")
	flags.StringVar(&f.idPath, "id-path", "", "JSON pointer to the new id in a response, for the ledger")
	flags.StringSliceVar(&f.redact, "redact", nil, "fields whose values are shown nowhere")
	flags.StringSliceVar(&f.reports, "report", []string{"text"},
		"what to write, as NAME or NAME=FILE: "+strings.Join(report.Formats(), ", "))
	contract := pageFlag(cmd)
	configurable(cmd, s)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := contract()
		if err != nil {
			return err
		}
		config := testsuite.Config{Target: testsuite.Target{URL: args[0], Version: version()}}
		suite, err := f.apply(c, &config, cmd.Flags(), s)
		if err != nil {
			return err
		}
		for _, name := range []string{"max-writes", "max-unexpected-writes"} {
			// A limit that is not on the command line is easily forgotten.
			if from := origin(cmd.Flags(), name); from != "" && from != "--"+name {
				_, _ = fmt.Fprintf(s.err, "understudy: --%s is %s, set by %s\n", name,
					cmd.Flags().Lookup(name).Value, from)
			}
		}
		if f.plan {
			return printPlan(s.out, suite, config)
		}
		return f.verify(cmd.Context(), s, suite, config)
	}
	return cmd
}

// apply makes the suite that the flags choose, and puts the rest of them into a Config.
func (f *verifyFlags) apply(
	contract *contracts.Contract,
	c *testsuite.Config,
	flags *pflag.FlagSet,
	s streams,
) (*testsuite.Suite, error) {
	payloads, selection, err := f.choices()
	if err != nil {
		return nil, err
	}
	payloads.Path = f.path
	if f.replayFile != "" {
		if payloads.Recorded, err = readRecorded(f.replayFile); err != nil {
			return nil, err
		}
		if len(selection.Run) == 0 {
			selection.Run = []string{string(fixtures.FamilyRecorded)}
		}
	}
	c.Selection = selection
	c.Selection.Only = f.replay
	if err := f.connectionFlags.apply(c, s); err != nil {
		return nil, err
	}
	c.Target.Timeout, c.Target.Wait = f.timeout, f.wait
	c.Meaning = testsuite.Meaning{Accept: f.accept, Reject: f.reject, RejectedWhen: f.rejectedWhen}
	if f.known != "" {
		if c.Known, err = readFile(f.known, "--known"); err != nil {
			return nil, err
		}
	}
	c.Limits = testsuite.Limits{Requests: f.maxRequests, Time: f.maxTime, Rate: f.rate, Parallel: f.parallel}
	if c.Limits.WritesFrom = origin(flags, "max-writes"); c.Limits.WritesFrom != "" {
		c.Limits.Writes = &f.maxWrites
	}
	if c.Limits.UnexpectedWritesFrom = origin(flags, "max-unexpected-writes"); c.Limits.UnexpectedWritesFrom != "" {
		c.Limits.UnexpectedWrites = &f.maxUnexpected
	}
	if c.FailOn, c.Strict, err = failOn(f.failOn); err != nil {
		return nil, err
	}
	c.Fuzz = f.fuzz
	c.IDPath, c.Redact, c.NoConfirm = f.idPath, f.redact, f.noConfirm
	if f.idPath != "" && f.idPath[0] != '/' {
		return nil, fmt.Errorf("--id-path %q: use a JSON pointer such as /data/id", f.idPath)
	}
	for _, name := range f.redact {
		if strings.EqualFold(name, f.idPath[strings.LastIndexByte(f.idPath, '/')+1:]) {
			return nil, fmt.Errorf("--id-path %q leads to %s, which --redact hides: leave out one of them",
				f.idPath, name)
		}
	}
	c.Arguments = arguments(flags, f.redact)
	suite, err := testsuite.New(contract, payloads)
	return suite, flagError(err)
}

// maxRecorded is the longest file of recorded requests, in bytes.
const maxRecorded = 256 << 20

func readRecorded(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("--replay-file: %w", err)
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, maxRecorded+1))
	if err != nil {
		return nil, fmt.Errorf("--replay-file: %w", err)
	}
	if len(text) > maxRecorded {
		return nil, fmt.Errorf("--replay-file: %s is longer than %d bytes", name, maxRecorded)
	}
	return text, nil
}

// repeatedFlags are those without which a request sent again is another one, or comes from
// someone else. Those that hold a secret are not among them.
var repeatedFlags = []string{
	"page", "path", "set", "data", "replay-file", "strict-json", "accept", "reject", "rejected-when", "bearer-env",
	"basic-env", "cacert", "cert", "key", "insecure", "connect-to", "no-case-header",
}

// arguments are the flags that a line to send a request again repeats.
func arguments(flags *pflag.FlagSet, redacted []string) string {
	var words []string
	for _, name := range repeatedFlags {
		f := flags.Lookup(name)
		if !f.Changed {
			continue
		}
		values := []string{f.Value.String()}
		if list, repeats := f.Value.(pflag.SliceValue); repeats {
			values = list.GetSlice()
		}
		for _, value := range values {
			field, _, _ := strings.Cut(value, "=")
			isField := func(x string) bool { return strings.EqualFold(x, field) }
			switch {
			case name == "set" && slices.ContainsFunc(redacted, isField):
			case f.Value.Type() == "bool":
				words = append(words, "--"+name)
			default:
				words = append(words, "--"+name+" "+fixtures.ShellQuote(value))
			}
		}
	}
	return strings.Join(words, " ")
}

// failOn are the parts that --fail-on names.
func failOn(names []string) (parts []testsuite.Part, strict bool, err error) {
	all := []testsuite.Part{testsuite.PartReadings, testsuite.PartFramework, testsuite.PartRobustness}
	for _, name := range names {
		switch part := testsuite.Part(strings.ToLower(name)); part {
		case "must":
		case testsuite.PartReadings, testsuite.PartFramework, testsuite.PartRobustness:
			parts = append(parts, part)
		case "should":
			parts = append(parts, all...)
		case "inconclusive":
			strict = true
		default:
			return nil, false, fmt.Errorf("--fail-on: a run cannot fail on %q: use must, readings, framework, "+
				"robustness, should or inconclusive", name)
		}
	}
	slices.Sort(parts)
	return slices.Compact(parts), strict, nil
}

// configError is an error of a run with what it is about in front.
func (f *verifyFlags) configError(err error) error {
	var setting *testsuite.ConfigError
	if errors.As(err, &setting) && setting.Setting == "Known" {
		return fmt.Errorf("%s: %w", f.known, err)
	}
	return flagError(err)
}

// verifyMemory is what a run needs that keeps the beginnings of long responses, and
// less than what a small build machine has.
const verifyMemory = 96 << 20

func (f *verifyFlags) verify(ctx context.Context, s streams, suite *testsuite.Suite, c testsuite.Config) error {
	limitMemory(s, verifyMemory)
	reports, err := openReports(f.reports)
	if err != nil {
		return err
	}
	if f.ledger != "" {
		ledger, err := openOutput(f.ledger, os.O_APPEND, forOwner, reports)
		if err != nil {
			closeUnused(reports)
			return machine(fmt.Errorf("--ledger: %w", err))
		}
		defer func() { _ = ledger.Close() }() // every line was flushed when it was written
		c.Ledger = ledger
	}
	c.Warn = func(text string) { _, _ = fmt.Fprintf(s.err, "understudy: warning: %s\n", testsuite.Visible(text)) }
	bar := newProgress(s.err, 0, "requests")
	c.Progress = func(done, total int) {
		bar.total = uint64(total)
		bar.show(uint64(done))
	}
	r, err := suite.Run(ctx, c)
	bar.end()
	if err != nil {
		closeUnused(reports)
		return f.configError(err)
	}
	err = writeReports(reports, r, s)
	if f.replay != "" && err == nil {
		err = written(report.Exchanges(s.out, r))
	}
	if err != nil && r.Exit == testsuite.ExitOK {
		return err
	}
	if err != nil || !slices.ContainsFunc(reports, func(o output) bool { return o.file == nil && o.format == "text" }) {
		_, _ = fmt.Fprintf(s.err, "understudy: exit %d: %s\n", r.Exit, testsuite.Visible(r.Conclusion))
	}
	if r.Exit == testsuite.ExitOK {
		return nil
	}
	var known *exitError
	if errors.As(err, &known) {
		err = known.err // the run's exit code counts for more
	}
	return &exitError{r.Exit, err}
}

// printPlan prints what would be sent, and how much of it may be a write.
func printPlan(w io.Writer, suite *testsuite.Suite, c testsuite.Config) error {
	plan, err := suite.Plan(c)
	if err != nil {
		return flagError(err)
	}
	var b strings.Builder
	left := map[string]int{}
	var reasons []string
	for _, q := range plan.Requests {
		if q.Skipped != "" {
			if left[q.Skipped]++; left[q.Skipped] == 1 {
				reasons = append(reasons, q.Skipped)
			}
			continue
		}
		write := "must be rejected"
		if q.MayWrite {
			write = "may be accepted"
		}
		fmt.Fprintf(&b, "# %s: %s\n%s\n", q.ID, write, q.Curl)
	}
	for _, reason := range reasons {
		fmt.Fprintf(&b, "# not sent, %d requests: %s\n", left[reason], reason)
	}
	fmt.Fprintf(&b, "# %s\n# %d requests to %s, ", plan.Limits, plan.Sends, plan.Target)
	if plan.Limits.Writes == nil {
		fmt.Fprintf(&b, "any of which may be accepted, and sent again. Nothing was sent.\n")
	} else {
		fmt.Fprintf(&b, "of which at worst %d are accepted. Nothing was sent.\n", plan.Writes)
	}
	_, err = io.WriteString(w, b.String())
	return written(err)
}
