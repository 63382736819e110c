package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/seed47566266/understudy/testsuite"
	"github.com/seed47566266/understudy/testsuite/report"
)

type verifyFlags struct {
	choiceFlags
	connectionFlags
	accept, reject, refusedWhen string
	failOn, known, replay       string
	maxWrites, maxUnexpected    int
	maxRequests, parallel       int
	rate                        float64
	timeout, maxTime            time.Duration
	ledger, idPath              string
	redact, reports             []string
	plan                        bool
}

func verifyCommand(s streams) *cobra.Command {
	f := &verifyFlags{}
	cmd := &cobra.Command{
		Use:   "verify URL",
		Short: "Judge whether a real server keeps to the page, without harming it",
		Long: "Verify sends requests whose outcome is known to a server and says which rules of\n" +
			"the page hold. A target that is not on loopback gets only requests that have to\n" +
			"be refused, one at a time, until --max-writes says how many it may accept.\n\n" +
			"Exit codes: 0 it keeps to the page; 1 it does not; 2 usage; 3 it could not be\n" +
			"reached; 4 stopped for safety; 5 the known-failures file is stale; 6 could not\n" +
			"tell.",
		Example: "  understudy verify http://127.0.0.1:5000\n" +
			"  understudy verify https://test.example.com/v1 --plan\n" +
			"  understudy verify https://test.example.com/v1 --bearer-env TOKEN \\\n" +
			"      --max-writes 40 --set UserId=… --known known.yaml --report text,html=r.html",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("give one URL of a server, such as http://127.0.0.1:5000; see '%s --help'", cmd.CommandPath())
			}
			return nil
		},
	}
	flags := cmd.Flags()
	f.choiceFlags.add(flags)
	f.connectionFlags.add(flags)
	flags.StringVar(&f.accept, "accept", "2xx", "statuses that mean accepted")
	flags.StringVar(&f.reject, "reject", "400,422", "statuses that mean refused")
	flags.StringVar(&f.refusedWhen, "refused-when", "", "an answer below 300 is a refusal if its JSON says so, as /success=false")
	flags.StringVar(&f.failOn, "fail-on", "must", "what fails the run: must, should or inconclusive")
	flags.StringVar(&f.known, "known", "", "YAML `file` of cases that are known to fail, with reasons")
	flags.StringVar(&f.replay, "replay", "", "send the request of this one case, and show all of it")
	flags.IntVar(&f.maxWrites, "max-writes", 0, "how many requests the target may accept (default: on loopback any, else 0)")
	flags.IntVar(&f.maxUnexpected, "max-unexpected-writes", 0, "stop after so many that must be rejected and were not; no response counts (default: 1; without --max-writes on loopback never)")
	flags.IntVar(&f.maxRequests, "max-requests", 0, "send no more requests than this (0: no limit)")
	flags.DurationVar(&f.maxTime, "max-time", 0, "stop after this time (0: no limit)")
	flags.DurationVar(&f.timeout, "timeout", testsuite.DefaultTimeout, "time that one request may take")
	flags.Float64Var(&f.rate, "rate", 0, "requests a second (0: no limit)")
	flags.IntVar(&f.parallel, "parallel", 0, fmt.Sprintf("requests at once (default: on loopback %d, else 1)", testsuite.DefaultParallel))
	flags.BoolVar(&f.plan, "plan", false, "print what would be sent, and send nothing")
	flags.StringVar(&f.ledger, "ledger", "", "`file` that gets a line of JSON for every accepted request")
	flags.StringVar(&f.idPath, "id-path", "", "JSON pointer to the new id in an answer, for the ledger")
	flags.StringSliceVar(&f.redact, "redact", nil, "members whose values are shown nowhere")
	flags.StringSliceVar(&f.reports, "report", []string{"text"}, "what to write, as NAME or NAME=FILE: "+strings.Join(report.Formats(), ", "))
	contract := pageFlag(cmd)
	configurable(cmd, s)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := contract()
		if err != nil {
			return err
		}
		config := testsuite.Config{Contract: c, URL: args[0], Version: version()}
		if err := f.apply(&config, cmd.Flags(), s); err != nil {
			return err
		}
		for _, name := range []string{"max-writes", "max-unexpected-writes"} {
			// A limit that is not on the command line is easily forgotten.
			if from := origin(cmd.Flags(), name); from != "" && from != "--"+name {
				_, _ = fmt.Fprintf(s.err, "understudy: --%s is %s, set by %s\n", name, cmd.Flags().Lookup(name).Value, from)
			}
		}
		if f.plan {
			return printPlan(s.out, config)
		}
		return f.verify(cmd.Context(), s, config)
	}
	return cmd
}

func (f *verifyFlags) apply(c *testsuite.Config, flags *pflag.FlagSet, s streams) error {
	if err := f.choiceFlags.apply(c); err != nil {
		return err
	}
	if err := f.connectionFlags.apply(c, s); err != nil {
		return err
	}
	var err error
	if c.Accepted, err = testsuite.ParseStatuses(f.accept); err != nil {
		return fmt.Errorf("--accept: %w", err)
	}
	if c.Refused, err = testsuite.ParseStatuses(f.reject); err != nil {
		return fmt.Errorf("--reject: %w", err)
	}
	if f.refusedWhen != "" {
		if c.IsRefusal, err = testsuite.RefusedWhen(f.refusedWhen); err != nil {
			return fmt.Errorf("--refused-when: %w", err)
		}
	}
	if f.known != "" {
		text, err := readFile(f.known, "--known")
		if err != nil {
			return err
		}
		if c.Known, err = testsuite.ParseKnown(text); err != nil {
			return fmt.Errorf("%s: %w", f.known, err)
		}
	}
	if c.MaxWritesFrom = origin(flags, "max-writes"); c.MaxWritesFrom != "" {
		c.MaxWrites = &f.maxWrites
	}
	if c.MaxUnexpectedWritesFrom = origin(flags, "max-unexpected-writes"); c.MaxUnexpectedWritesFrom != "" {
		c.MaxUnexpectedWrites = &f.maxUnexpected
	}
	c.FailOn, c.Only = testsuite.FailOn(strings.ToLower(f.failOn)), f.replay
	c.MaxRequests, c.MaxTime, c.Timeout, c.Rate, c.Parallel = f.maxRequests, f.maxTime, f.timeout, f.rate, f.parallel
	c.IDPath, c.Redact = f.idPath, f.redact
	if f.idPath != "" && f.idPath[0] != '/' {
		return fmt.Errorf("--id-path %q: use a JSON pointer such as /data/id", f.idPath)
	}
	for _, name := range f.redact {
		if strings.EqualFold(name, f.idPath[strings.LastIndexByte(f.idPath, '/')+1:]) {
			return fmt.Errorf("--id-path %q leads to %s, which --redact hides: leave out one of them", f.idPath, name)
		}
	}
	return nil
}

// verifyMemory is what a run needs that keeps the beginnings of long responses, and
// less than what a small build machine has.
const verifyMemory = 96 << 20

func (f *verifyFlags) verify(ctx context.Context, s streams, c testsuite.Config) error {
	limitMemory(s, verifyMemory)
	reports, err := openReports(f.reports)
	if err != nil {
		return err
	}
	if f.ledger != "" {
		ledger, err := openOutput(f.ledger, os.O_APPEND, reports)
		if err != nil {
			leaveAsTheyWere(reports)
			return fmt.Errorf("--ledger: %w", err)
		}
		defer func() { _ = ledger.Close() }() // every line was flushed when it was written
		c.Ledger = ledger
	}
	bar := newProgress(s.err, 0, "requests")
	c.Progress = func(done, total int) {
		bar.total = uint64(total)
		bar.show(uint64(done))
	}
	r, err := testsuite.Run(ctx, c)
	bar.end()
	if err != nil {
		leaveAsTheyWere(reports)
		return err
	}
	err = writeReports(reports, r, s)
	if f.replay != "" && err == nil {
		err = quietPipe(report.Exchanges(s.out, r))
	}
	if err != nil && r.Exit == testsuite.ExitFine {
		return err
	}
	if err != nil || !slices.ContainsFunc(reports, func(o output) bool { return o.file == nil && o.format == "text" }) {
		_, _ = fmt.Fprintf(s.err, "understudy: exit %d: %s\n", r.Exit, testsuite.Visible(r.Verdict))
	}
	if r.Exit == testsuite.ExitFine {
		return nil
	}
	return &exitError{r.Exit, err}
}

// printPlan prints what would be sent, and how much of it may be a write.
func printPlan(w io.Writer, c testsuite.Config) error {
	plan, err := testsuite.Plan(c)
	if err != nil {
		return err
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
		write := "has to be refused"
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
	return quietPipe(err)
}
