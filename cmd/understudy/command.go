package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/helppage"
	"github.com/seed47566266/understudy/testsuite"
)

// streams are the parts of the process that a command may touch.
type streams struct {
	in       io.Reader
	out, err io.Writer
	getenv   func(string) string
}

// exitError is an error that decides the exit code, one of those in package testsuite.
// A nil err means that the message was already printed.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}
func (e *exitError) Unwrap() error { return e.err }

// machine marks an error as one of the machine's, such as a full disk, and not of the
// usage; nil stays nil.
func machine(err error) error {
	if err == nil {
		return nil
	}
	return &exitError{testsuite.ExitMachine, err}
}

// written is what became of an output: nil, or the machine's error. The error of a
// pipe whose reader has gone is dropped, since it has what it wanted.
func written(err error) error {
	if errors.Is(err, syscall.EPIPE) {
		return nil
	}
	return machine(err)
}

// run executes one command line and returns its exit code. Errors are one line
// on the error stream: what was wrong, where, what to do.
func run(ctx context.Context, args []string, s streams) int {
	root := &cobra.Command{
		Use:   "understudy",
		Short: "A stand-in for an ASP.NET Web API, learned from its Help Page",
		Long: "Understudy learns an HTTP API from its ASP.NET Help Page: it responds as the\n" +
			"real server would, makes payloads whose outcome is known, and verifies that a\n" +
			"server conforms, citing the line of the page for each.",
		Version:           version(),
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.SetArgs(args)
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	// Terminals of 80 columns are still the rule.
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages", ".FlagUsagesWrapped 79"))
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w; see '%s --help'", flagProblem(err), cmd.CommandPath())
	})
	root.AddCommand(serveCommand(s), verifyCommand(s), casesCommand(s), reportCommand(s), generateCommand(s),
		contractCommand(s), pactCommand(s), explainCommand(s), configCommand(s), versionCommand(s))
	err := root.ExecuteContext(ctx)
	if err == nil {
		return testsuite.ExitOK
	}
	var exit *exitError
	if errors.As(err, &exit) && exit.err == nil {
		return exit.code
	}
	message := strings.TrimSpace(strings.ReplaceAll(err.Error(), "\n", " "))
	_, _ = fmt.Fprintln(s.err, "understudy: "+message)
	if exit != nil {
		return exit.code
	}
	return testsuite.ExitUsage
}

// flagProblem says what a flag takes where the value is none.
func flagProblem(err error) error {
	var invalid *pflag.InvalidValueError
	if !errors.As(err, &invalid) {
		return err
	}
	takes := map[string]string{
		"int": "a whole number", "int64": "a whole number", "uint": "a whole number from 0",
		"uint64": "a whole number from 0", "float64": "a number", "bool": "true or false",
		"duration": "a time such as 5s",
	}[invalid.GetFlag().Value.Type()]
	if takes == "" {
		return fmt.Errorf("--%s %q: %w", invalid.GetFlag().Name, invalid.GetValue(), invalid.Unwrap())
	}
	return fmt.Errorf("--%s %q: use %s", invalid.GetFlag().Name, invalid.GetValue(), takes)
}

// theOperation is the one operation of a contract.
func theOperation(c *contracts.Contract) *contracts.Operation { return &c.Operations[0] }

// pageFlag adds --page to a command and returns how to load the contract.
func pageFlag(cmd *cobra.Command) func() (*contracts.Contract, error) {
	var file onceFlag
	cmd.Flags().Var(&file, "page", "`FILE` with the Help Page to learn from, as text (default: the embedded one)")
	return func() (*contracts.Contract, error) { return loadContract(string(file)) }
}

// onceFlag is a text that may be given once.
type onceFlag string

func (f *onceFlag) String() string { return string(*f) }

// Type is what help says.
func (f *onceFlag) Type() string { return "string" }

// Set takes the value.
func (f *onceFlag) Set(value string) error {
	if *f != "" {
		return errors.New("it is given twice: one is read at a time")
	}
	*f = onceFlag(value)
	return nil
}

// loadContract reads a page from a file, or the embedded one for an empty name.
func loadContract(file string) (*contracts.Contract, error) {
	if file == "" {
		return helppage.Parse(contracts.Page())
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("cannot read the page: %w", err)
	}
	defer func() { _ = f.Close() }()
	page, err := io.ReadAll(io.LimitReader(f, helppage.MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read the page: %w", err)
	}
	c, err := helppage.Parse(page)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return c, nil
}
