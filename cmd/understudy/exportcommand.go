package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seed47566266/understudy/contracts"
	contractexport "github.com/seed47566266/understudy/contracts/export"
	"github.com/seed47566266/understudy/fixtures"
)

// caseForm is a form of a contract that is made of its cases, and what it is.
type caseForm struct{ name, what string }

var caseForms = []caseForm{
	{"pact", "a Pact V4 file: each case an interaction"},
	{"postman", "a Postman collection with tests"},
	{"http", "requests for HTTPYac and JetBrains, with assertions"},
	{"bruno", "a folder with a Bruno collection, with tests"},
}

// exportCommand writes the contract for other tools.
func exportCommand(s streams) *cobra.Command {
	names, what := contractexport.Forms()
	var list strings.Builder
	for i, name := range names {
		fmt.Fprintf(&list, "  %-11s %s\n", name, what[i])
	}
	for _, f := range caseForms {
		names = append(names, f.name)
		fmt.Fprintf(&list, "  %-11s %s\n", f.name, f.what)
	}
	cmd := &cobra.Command{
		Use:   "export --as NAME",
		Short: "Write the contract for other tools: OpenAPI, TypeScript, Pact and more",
		Long: "Write the contract for other tools, each rule with the page's line where the form\n" +
			"has room for it. The same page gives the same bytes.\n\n" + strings.TrimRight(list.String(), "\n") +
			"\n\nThe last four are made of cases with stated rules; --level, --family, --field,\n" +
			"--tag and --id choose others, --now and --seed what is in them.",
		Example: "  understudy contract export --as openapi -o openapi.json\n" +
			"  understudy contract export --as pact --family length -o booking.pact.json",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("%q: say what to write with --as, and where to with -o", args[0])
			}
			return nil
		},
	}
	f := generateFlags{kind: kindCases, shard: "1/1", expect: expectAccept, zone: "UTC"}
	flags := cmd.Flags()
	flags.StringVar(&f.format, "as", "", "one of "+strings.Join(names, ", "))
	flags.StringVarP(&f.output, "output", "o", "", "file or folder to write to (default: standard output)")
	flags.StringVar(&f.level, "level", "must", "minimum level of cases: must, should or may")
	flags.StringSliceVar(&f.families, "family", nil, "cases of these families")
	flags.StringSliceVar(&f.fields, "field", nil, "cases about these fields")
	flags.StringSliceVar(&f.tags, "tag", nil, "cases by what people call them: sql, xss, unicode, length, cwe-89")
	flags.StringVar(&f.id, "id", "", "cases by id: * is any text, a name includes what lies under it")
	flags.StringVar(&f.now, "now", "today", nowUsage)
	flags.StringVar(&f.consumer, "consumer", "", "pact: name of the consumer (default: understudy)")
	flags.StringVar(&f.provider, "provider", "", "pact: name of the provider (default: help-page)")
	flags.Uint64Var(&f.seed, "seed", 0, "random seed of cases")
	flags.StringArrayVar(&f.set, "set", nil, "fix a field of every valid payload, as Field=value")
	contract := pageFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ofCases := slices.ContainsFunc(caseForms, func(x caseForm) bool { return x.name == f.format })
		switch {
		case f.format == "":
			return fmt.Errorf("--as is missing: use one of %s", strings.Join(names, ", "))
		case !slices.Contains(names, f.format):
			return fmt.Errorf("unknown form --as %q: use one of %s", f.format, strings.Join(names, ", "))
		}
		for _, name := range []string{"level", "family", "field", "tag", "id", "now", "seed", "set"} {
			if !ofCases && flags.Changed(name) {
				return fmt.Errorf("--%s is about cases, and %s has none of them: leave it out", name, f.format)
			}
		}
		if f.format != "pact" && (f.consumer != "" || f.provider != "") {
			return fmt.Errorf("--consumer and --provider are for pact, and the form is %s: leave them out", f.format)
		}
		c, err := contract()
		if err != nil {
			return err
		}
		if !ofCases {
			return writeExport(s, c, f.format, f.output)
		}
		return f.writeCases(cmd.Context(), s, c)
	}
	return cmd
}

// writeExport writes a form of the contract to a file, or to standard output.
func writeExport(s streams, c *contracts.Contract, name, file string) error {
	var text bytes.Buffer
	if err := contractexport.Write(&text, name, c); err != nil {
		return err
	}
	if file == "" {
		_, err := s.out.Write(text.Bytes())
		return written(err)
	}
	if err := os.WriteFile(file, text.Bytes(), 0o666); err != nil { //nolint:gosec // others are to read it
		return machine(fmt.Errorf("cannot write the contract: %w", err))
	}
	return nil
}

// writeCases writes cases in their form.
func (f *generateFlags) writeCases(ctx context.Context, s streams, c *contracts.Contract) error {
	if f.minimum().Weight() == 0 {
		return fmt.Errorf("unknown level %q: use must, should or may", f.level)
	}
	f.specs = newFieldSpecs()
	o, err := f.options()
	if err != nil {
		return err
	}
	g, err := fixtures.New(theOperation(c), o)
	if err != nil {
		return err
	}
	r, err := f.rows(g)
	if err != nil {
		return err
	}
	if err := f.prepareFormat(theOperation(c), r); err != nil {
		return err
	}
	return f.write(ctx, s, r)
}
