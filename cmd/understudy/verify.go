package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
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

// choiceFlags choose cases and what they are made of; verify and cases share them.
type choiceFlags struct {
	run, skip, fields, media []string
	level, shard             string
	seed                     uint64
	combinations             int
	set                      []string
	now, data                string
}

func (f *choiceFlags) add(flags *pflag.FlagSet) {
	flags.StringSliceVar(&f.run, "run", nil, "cases by id: * is any text, a name takes what lies under it, @file a list")
	flags.StringSliceVar(&f.skip, "skip", nil, "leave out cases by id, in the same way")
	flags.StringVar(&f.level, "level", "may", "least level: must, should or may")
	flags.StringSliceVar(&f.fields, "field", nil, "cases about these members")
	flags.StringSliceVar(&f.media, "media", nil, "cases in these media types")
	flags.Uint64Var(&f.seed, "seed", 0, "seed of all choices")
	flags.IntVar(&f.combinations, "combinations", 0, "add rows that cross the values of 1, 2 or 3 members")
	flags.StringVar(&f.shard, "shard", "1/1", "part of the cases, as i/n")
	flags.StringArrayVar(&f.set, "set", nil, "fix a member of every good payload, as Field=value")
	flags.StringVar(&f.data, "data", "", "CSV `file` of real values, a column a member; the cases take turns")
	flags.StringVar(&f.now, "now", "", "day that dates follow, as YYYY-MM-DD or today (default: the page's)")
}

func (f *choiceFlags) apply(c *testsuite.Config) error {
	i, n, err := parseShard(f.shard)
	if err != nil {
		return err
	}
	c.Shard = testsuite.Shard{I: int(i), N: int(n)}
	c.Level, c.Fields, c.Media, c.Seed, c.Combinations = testsuite.Level(strings.ToUpper(f.level)), f.fields, f.media, f.seed, f.combinations
	if c.Run, err = patterns(f.run); err != nil {
		return err
	}
	if c.Skip, err = patterns(f.skip); err != nil {
		return err
	}
	if c.Set, err = parseSet(f.set); err != nil {
		return err
	}
	if c.Now, err = parseDay(f.now); err != nil || f.data == "" {
		return err
	}
	c.Data, err = readData(f.data)
	return err
}

// patterns reads what begins with @ from a file, a pattern a line.
func patterns(list []string) ([]string, error) {
	var all []string
	for _, p := range list {
		name, isFile := strings.CutPrefix(p, "@")
		if !isFile {
			all = append(all, p)
			continue
		}
		text, err := readFile(name, "list of cases")
		if err != nil {
			return nil, err
		}
		before := len(all)
		for _, line := range strings.Split(string(text), "\n") {
			if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
				all = append(all, line)
			}
		}
		if len(all) == before {
			return nil, fmt.Errorf("%s lists no case", name)
		}
	}
	return all, nil
}

// readData reads rows of real values: a CSV file whose first line names members.
func readData(name string) ([]map[string]string, error) {
	text, err := readFile(name, "--data")
	if err != nil {
		return nil, err
	}
	records, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(text, []byte("\uFEFF")))).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("--data %s: %w", name, err)
	}
	if len(records) < 2 {
		return nil, fmt.Errorf("--data %s: give a line with the names of members, and lines with their values", name)
	}
	var rows []map[string]string
	for _, record := range records[1:] {
		row := map[string]string{}
		for i, value := range record {
			if value != "" {
				row[strings.TrimSpace(records[0][i])] = value
			}
		}
		rows = append(rows, row)
	}
	return rows, nil
}

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
			"  understudy verify https://test.example.com/v1 --bearer-env TOKEN --max-writes 40 \\\n" +
			"      --set UserId=… --known known.yaml --report text,junit=junit.xml,html=report.html",
		Args: cobra.ExactArgs(1),
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
	flags.IntVar(&f.maxUnexpected, "max-unexpected-writes", 0, "stop at so many that should have been refused (default: 1; without --max-writes on loopback never)")
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
	if flags.Changed("max-writes") {
		c.MaxWrites = &f.maxWrites
	}
	if flags.Changed("max-unexpected-writes") {
		c.MaxUnexpectedWrites = &f.maxUnexpected
	}
	c.FailOn, c.Only = testsuite.FailOn(strings.ToLower(f.failOn)), f.replay
	c.MaxRequests, c.MaxTime, c.Timeout, c.Rate, c.Parallel = f.maxRequests, f.maxTime, f.timeout, f.rate, f.parallel
	c.IDPath, c.Redact = f.idPath, f.redact
	if f.idPath != "" && f.idPath[0] != '/' {
		return fmt.Errorf("--id-path %q: use a JSON pointer such as /data/id", f.idPath)
	}
	return nil
}

// output is a report and where it goes.
type output struct {
	format string
	file   *os.File // nil for standard output
	name   string
}

// openReports opens the files before anything is sent, so that no result is lost
// for want of a place.
func openReports(list []string) ([]output, error) {
	var all []output
	closeAll := func() {
		for _, o := range all {
			if o.file != nil {
				_ = o.file.Close() // nothing was written
			}
		}
	}
	for _, item := range list {
		format, name, toFile := strings.Cut(item, "=")
		o := output{format: format, name: name}
		if !slices.Contains(report.Formats(), format) {
			closeAll()
			return nil, fmt.Errorf("--report %q: use NAME or NAME=FILE with one of %s", item, strings.Join(report.Formats(), ", "))
		}
		if toFile {
			file, err := os.Create(name)
			if err != nil {
				closeAll()
				return nil, fmt.Errorf("--report %s: %w", format, err)
			}
			o.file = file
		}
		all = append(all, o)
	}
	return all, nil
}

func writeReports(all []output, r *testsuite.Results, s streams) error {
	var problems []error
	for _, o := range all {
		var err error
		if o.file == nil {
			err = quietPipe(report.Write(s.out, o.format, r))
		} else {
			err = errors.Join(report.Write(o.file, o.format, r), o.file.Close())
		}
		if err == nil && o.format == "github" {
			err = stepSummary(r, s.getenv("GITHUB_STEP_SUMMARY"))
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("the report %s cannot be written: %w", o.format, err))
		}
	}
	return errors.Join(problems...)
}

// stepSummary adds the report to the summary of a step of GitHub Actions.
func stepSummary(r *testsuite.Results, name string) error {
	if name == "" {
		return nil
	}
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(report.Write(f, "markdown", r), f.Close())
}

func (f *verifyFlags) verify(ctx context.Context, s streams, c testsuite.Config) error {
	// What is wrong with the flags is said before a file is touched.
	if _, err := testsuite.Plan(c); err != nil {
		return err
	}
	reports, err := openReports(f.reports)
	if err != nil {
		return err
	}
	if f.ledger != "" {
		ledger, err := os.OpenFile(f.ledger, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
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
		return err
	}
	err = writeReports(reports, r, s)
	if f.replay != "" && err == nil {
		err = quietPipe(printExchange(s.out, r))
	}
	if err != nil && r.Exit == testsuite.ExitFine {
		return err
	}
	if err != nil || !slices.ContainsFunc(reports, func(o output) bool { return o.file == nil && o.format == "text" }) {
		_, _ = fmt.Fprintf(s.err, "understudy: exit %d: %s\n", r.Exit, r.Verdict)
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
	fmt.Fprintf(&b, "# %d requests to %s, of which at worst %d are accepted. Nothing was sent.\n", plan.Sends, plan.Target, plan.Writes)
	_, err = io.WriteString(w, b.String())
	return quietPipe(err)
}

// printExchange shows the whole of one request and its answer.
func printExchange(w io.Writer, r *testsuite.Results) error {
	var b strings.Builder
	for i := range r.Exchanges {
		e := &r.Exchanges[i]
		fmt.Fprintf(&b, "\n> %s %s\n", e.Sent.Method, e.Sent.Path)
		for _, h := range e.Sent.Headers {
			fmt.Fprintf(&b, "> %s: %s\n", h.Name, h.Value)
		}
		fmt.Fprintf(&b, "\n%s\n\n< %d\n", e.Sent.Body, e.Received.Status)
		for _, h := range e.Received.Headers {
			fmt.Fprintf(&b, "< %s: %s\n", h.Name, h.Value)
		}
		if e.Received.Problem != "" {
			fmt.Fprintf(&b, "< %s\n", e.Received.Problem)
		}
		fmt.Fprintf(&b, "\n%s\n\n%s\n", e.Received.Body, r.Curl(e))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// reportCommand makes reports from a record, and says what changed between two.
func reportCommand(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "report RESULTS.json",
		Short: "Make reports from the JSON record of a run, or compare two records",
		Example: "  understudy report results.json --html report.html --junit junit.xml\n" +
			"  understudy report results.json --known known.yaml\n" +
			"  understudy report --diff monday.json tuesday.json",
	}
	diff := cmd.Flags().Bool("diff", false, "say what changed from the first record to the second; exit 1 if more fails")
	files := map[string]*string{}
	for _, format := range report.Formats() {
		files[format] = cmd.Flags().String(format, "", "`file` to write the report "+format+" to; - is standard output")
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if *diff {
			return cobra.ExactArgs(2)(cmd, args)
		}
		return cobra.ExactArgs(1)(cmd, args)
	}
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		var records []*testsuite.Results
		for _, name := range args {
			f, err := os.Open(name)
			if err != nil {
				return err
			}
			r, err := report.Read(f)
			_ = f.Close() // it was only read
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			records = append(records, r)
		}
		if *diff {
			worse, err := report.Diff(s.out, records[0], records[1])
			if err == nil && worse {
				return &exitError{testsuite.ExitBroken, nil}
			}
			return quietPipe(err)
		}
		var list []string
		for _, format := range report.Formats() {
			switch name := *files[format]; name {
			case "":
			case "-":
				list = append(list, format)
			default:
				list = append(list, format+"="+name)
			}
		}
		if len(list) == 0 {
			list = []string{"text"}
		}
		outputs, err := openReports(list)
		if err != nil {
			return err
		}
		return writeReports(outputs, records[0], s)
	}
	return cmd
}

// casesCommand lists the cases of verify.
func casesCommand(s streams) *cobra.Command {
	f := &choiceFlags{}
	cmd := &cobra.Command{
		Use:     "cases",
		Short:   "List the cases of verify: level, outcome, line of the page, id",
		Args:    cobra.NoArgs,
		Example: "  understudy cases --level must --field Reason\n  understudy cases --json | jq -r .why",
	}
	f.add(cmd.Flags())
	asJSON := cmd.Flags().Bool("json", false, "print each case as an object of JSON on a line")
	contract := pageFlag(cmd)
	configurable(cmd, s)
	cmd.RunE = func(*cobra.Command, []string) error {
		c, err := contract()
		if err != nil {
			return err
		}
		config := testsuite.Config{Contract: c}
		if err := f.apply(&config); err != nil {
			return err
		}
		cases, err := testsuite.Cases(config)
		if err != nil {
			return err
		}
		var b strings.Builder
		count := map[testsuite.Level]int{}
		if !*asJSON {
			b.WriteString("LEVEL   EXPECT       LINE  ID\n")
		}
		for i := range cases {
			x := &cases[i]
			count[x.Level]++
			if *asJSON {
				b.Write(encode(nil, x))
				b.WriteByte('\n')
				continue
			}
			line, expect := "-", string(x.Expect)
			if x.Line > 0 {
				line = fmt.Sprint(x.Line)
			}
			if x.Aspect != testsuite.Outcome {
				expect = string(x.Aspect)
			}
			fmt.Fprintf(&b, "%-6s  %-11s  %4s  %s\n", x.Level, expect, line, x.ID)
		}
		if !*asJSON {
			fmt.Fprintf(&b, "%d cases: %d MUST, %d SHOULD, %d MAY. LINE is the page's.\n", len(cases), count[testsuite.Must], count[testsuite.Should], count[testsuite.May])
		}
		_, err = io.WriteString(s.out, b.String())
		return quietPipe(err)
	}
	return cmd
}
