package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/seed47566266/understudy/contracts"
	contractexport "github.com/seed47566266/understudy/contracts/export"
	"github.com/seed47566266/understudy/testsuite"
	"github.com/seed47566266/understudy/testsuite/broker"
	"github.com/seed47566266/understudy/testsuite/report"
)

// brokerFlags say where to publish, and for which version.
type brokerFlags struct {
	url, tokenEnv string
	retries       int
	version       broker.Version
}

func (f *brokerFlags) add(flags *pflag.FlagSet, whose string) {
	flags.StringVar(&f.url, "broker", "", "address of the broker (default: the variable PACT_BROKER_BASE_URL)")
	flags.StringVar(&f.tokenEnv, "token-env", "PACT_BROKER_TOKEN", "`VARIABLE` of the environment with the token")
	flags.IntVar(&f.retries, "retries", 4,
		"how often a request that fails for a while is sent again; each waits 15 s at most")
	flags.StringVar(&f.version.Number, "version", "", "version of the "+whose+", unique for each content")
	flags.StringVar(&f.version.Branch, "branch", "", "branch of the repository")
	flags.StringSliceVar(&f.version.Tags, "tag", nil, "further names of the version")
	flags.StringVar(&f.version.BuildURL, "build-url", "", "page of the build")
}

// broker is where to publish.
func (f *brokerFlags) broker(s streams) (*broker.Broker, error) {
	b := &broker.Broker{URL: f.url, Token: s.getenv(f.tokenEnv), Retries: f.retries}
	if b.URL == "" {
		b.URL = s.getenv("PACT_BROKER_BASE_URL")
	}
	switch {
	case b.URL == "":
		return nil, errors.New("--broker is missing: say where to publish, or set PACT_BROKER_BASE_URL")
	case f.version.Number == "":
		return nil, errors.New("--version is missing: use the commit")
	case f.retries < 0:
		return nil, errors.New("--retries is a number from 0")
	}
	return b, nil
}

// published prints what the broker says. A broker that is away is not a wrong use.
func published(s streams, what string, notices []string, err error) error {
	var refused *broker.Error
	if errors.As(err, &refused) {
		code := testsuite.ExitUsage
		if refused.Away {
			code = testsuite.ExitUnreachable
		}
		return &exitError{code, errors.New(testsuite.Visible(refused.Error()))}
	}
	if err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString(what + "\n")
	for _, n := range notices {
		b.WriteString("  " + testsuite.Visible(strings.ReplaceAll(n, "\n", " ")) + "\n")
	}
	_, err = fmt.Fprint(s.out, b.String())
	return written(err)
}

func pactCommand(s streams) *cobra.Command {
	cmd := &cobra.Command{Use: "pact", Short: "Publish pacts and results to a Pact Broker", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(pactPublishCommand(s), pactResultsCommand(s))
	return cmd
}

func pactPublishCommand(s streams) *cobra.Command {
	var f brokerFlags
	cmd := &cobra.Command{
		Use:     "publish FILE...",
		Short:   "Publish pacts of one consumer to a Pact Broker",
		Example: "  understudy pact publish booking.pact.json --version $(git rev-parse HEAD) --branch main",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("give the files of the pacts; see 'understudy pact publish --help'")
			}
			return nil
		},
	}
	f.add(cmd.Flags(), "consumer")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		b, err := f.broker(s)
		if err != nil {
			return err
		}
		var pacts []broker.Pact
		for _, name := range args {
			text, err := readFile(name, "the pact")
			if err != nil {
				return err
			}
			pacts = append(pacts, broker.Pact{Name: name, Text: text})
		}
		notices, err := b.PublishPacts(cmd.Context(), f.version, pacts)
		what := "1 pact is published"
		if len(pacts) > 1 {
			what = fmt.Sprintf("%d pacts are published", len(pacts))
		}
		return published(s, what, notices, err)
	}
	return cmd
}

func pactResultsCommand(s streams) *cobra.Command {
	var f brokerFlags
	var provider string
	cmd := &cobra.Command{
		Use:   "results RESULTS.json",
		Short: "Publish the contract and the results of verify to PactFlow",
		Long: "Publish the page's contract as OpenAPI and the JSON results of a run of verify, as\n" +
			"a provider's verification of itself: PactFlow compares both with the pacts of\n" +
			"consumers. The run succeeded if its exit code is 0.",
		Example: "  understudy verify URL --report json=results.json\n" +
			"  understudy pact results results.json --provider booking-api --version $(git rev-parse HEAD)",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("give the file that 'understudy verify --report json=FILE' wrote")
			}
			return nil
		},
	}
	f.add(cmd.Flags(), "provider")
	cmd.Flags().StringVar(&provider, "provider", "", "name of the provider")
	contract := pageFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		b, err := f.broker(s)
		if err != nil {
			return err
		}
		if provider == "" {
			return errors.New("--provider is missing: use the name that consumers' pacts have")
		}
		c, err := contract()
		if err != nil {
			return err
		}
		what, notices, err := publishResults(cmd.Context(), b, &f, provider, c, args[0])
		return published(s, what, notices, err)
	}
	return cmd
}

func publishResults(
	ctx context.Context, b *broker.Broker, f *brokerFlags, provider string, c *contracts.Contract, name string,
) (what string, notices []string, err error) {
	file, err := os.Open(name)
	if err != nil {
		return "", nil, err
	}
	defer func() { _ = file.Close() }()
	r, err := report.Read(file)
	if err != nil {
		return "", nil, fmt.Errorf("%s is not what 'verify --report json=FILE' writes: %w", name, err)
	}
	outcome := map[int]string{testsuite.ExitOK: "as a success", testsuite.ExitBroken: "as a failure"}[r.Exit]
	if outcome == "" {
		return "", nil, fmt.Errorf("%s says nothing of the target (exit %d: %s): run verify again", name, r.Exit,
			testsuite.Visible(r.Conclusion))
	}
	if o := theOperation(c); r.Endpoint != o.Method+" /"+o.Route {
		return "", nil, fmt.Errorf("%s is about %s, and the page about %s /%s: name its page with --page", name,
			r.Endpoint, o.Method, o.Route)
	}
	var api, text bytes.Buffer
	if err := errors.Join(contractexport.Write(&api, "openapi", c), report.Write(&text, "text", r)); err != nil {
		return "", nil, err
	}
	notices, err = b.PublishResults(ctx, f.version, broker.Contract{
		Provider: provider, OpenAPI: api.Bytes(), Success: r.Exit == testsuite.ExitOK, Report: text.Bytes(),
		Verifier: "understudy", VerifierVersion: r.Version,
	})
	return fmt.Sprintf("the results are published %s (exit %d)", outcome, r.Exit), notices, err
}
