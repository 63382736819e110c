package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/fixtures"
	"github.com/seed47566266/understudy/testsuite"
)

// checkSending checks the flags of generate that are about sending payloads.
func (f *generateFlags) checkSending(flags *pflag.FlagSet) error {
	if f.to == "" {
		sending := pflag.NewFlagSet("", pflag.ContinueOnError)
		new(connectionFlags).add(sending)
		var err error
		names := []string{"rate", "yes-write"}
		sending.VisitAll(func(flag *pflag.Flag) { names = append(names, flag.Name) })
		for _, name := range names {
			if from := origin(flags, name); from == "--"+name {
				err = fmt.Errorf("%s is about sending payloads: say where to with --to", from)
			}
		}
		return err
	}
	f.limitsWrites = flags.Changed("yes-write")
	switch {
	case f.kind != kindValid:
		return errors.New("--to sends valid payloads; 'understudy verify' sends cases, and judges the responses")
	case f.output != "" || flags.Changed("format") || f.compress != "":
		return errors.New("--to sends the payloads and writes none: leave out --output, --format and --compress")
	case f.yesWrite < 0:
		return errors.New("--yes-write is a number of payloads from 0")
	}
	return nil
}

// send sends the rows to a server.
func (f *generateFlags) send(ctx context.Context, s streams, op *contracts.Operation, r *rows) error {
	c := testsuite.Config{Target: testsuite.Target{URL: f.to, Version: version()},
		Limits: testsuite.Limits{Rate: f.rate}}
	if err := f.apply(&c, s); err != nil {
		return err
	}
	if f.limitsWrites {
		c.Limits.Writes = &f.yesWrite
	}
	bar := newProgress(s.err, r.Len(), "requests")
	c.Progress = func(done, _ int) { bar.show(uint64(done)) }
	d, err := testsuite.Deliver(ctx, op, c, r.Len(), func(i uint64) fixtures.Case {
		row := r.At(i)
		if f.path != "" {
			row.Request.Path = "/" + strings.TrimPrefix(f.path, "/")
		}
		return row
	})
	bar.end()
	var setting *testsuite.ConfigError
	if errors.As(err, &setting) && setting.Setting == "Limits.Writes" {
		return fmt.Errorf("--yes-write: %w", err)
	}
	if err != nil {
		return flagError(err)
	}
	_, err = fmt.Fprintf(s.out, "%d accepted, %d rejected, %d others of %d payloads\n", d.Accepted, d.Rejected,
		d.Other, r.Len())
	switch {
	case err != nil:
		return written(err)
	case !d.Reached && d.Other > 0:
		return &exitError{testsuite.ExitUnreachable,
			fmt.Errorf("the target could not be reached: %s", testsuite.Visible(d.Got))}
	case d.Unexpected > 0:
		return &exitError{testsuite.ExitBroken,
			fmt.Errorf("%d of the payloads got an unexpected response, first %s: %s",
				d.Unexpected, d.First, testsuite.Visible(d.Got))}
	case d.Stopped != "":
		return &exitError{testsuite.ExitInconclusive, errors.New(testsuite.Visible(d.Stopped))}
	}
	return nil
}
