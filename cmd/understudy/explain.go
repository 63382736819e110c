package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/webapi"
	"github.com/seed47566266/understudy/fixtures"
	"github.com/seed47566266/understudy/testsuite"
)

func explainCommand(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain ID|FIELD",
		Short: "Explain a rule, field or case by the page's line",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("give one rule, field or case; see 'understudy explain --help'")
			}
			return nil
		},
		Example: "  understudy explain Reason\n" +
			"  understudy explain Reason/length\n" +
			"  understudy explain Reason/length/251\n" +
			"  understudy explain differences",
	}
	contract := pageFlag(cmd)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		c, err := contract()
		if err != nil {
			return err
		}
		return explain(s.out, c, args[0])
	}
	return cmd
}

// explain prints the rules whose id is the given one or lies under it.
func explain(w io.Writer, c *contracts.Contract, id string) error {
	var b strings.Builder
	var ids []string
	o := theOperation(c)
	for _, r := range o.Rules() {
		name := r.ID.String()
		if ids = append(ids, name); r.ID.Path != "" {
			ids = append(ids, string(r.ID.Path))
		}
		if !fixtures.Match(id, name) {
			continue
		}
		fmt.Fprintf(&b, "%s\n", name)
		writeWrapped(&b, r.Text, "  ", "  ")
		fmt.Fprintf(&b, "  page line %d: %s\n", r.Fact.Line, r.Fact.Quote)
		if r.Fact.Source == contracts.SourceInferred {
			writeWrapped(&b, "inferred: "+r.Fact.Because, "  ", "  ")
		}
	}
	explainDifferences(&b, o, id)
	if b.Len() == 0 {
		suite, err := testsuite.New(c, testsuite.Payloads{})
		if err != nil {
			return err
		}
		cases, err := suite.Cases(testsuite.Selection{})
		if err != nil {
			return err
		}
		for i := range cases {
			ids = append(ids, cases[i].ID)
			if strings.EqualFold(cases[i].ID, id) {
				explainCase(&b, &cases[i])
			}
		}
	}
	if b.Len() == 0 {
		return fmt.Errorf("the page has no rule, field or case %q; the nearest is %q", id, fixtures.Nearest(id, ids))
	}
	_, err := io.WriteString(w, b.String())
	return written(err)
}

// explainDifferences adds where the framework departs from the page: for a field
// those that concern it, for the id of a difference that one, for "body",
// "request" and their like the group, for "differences" all.
func explainDifferences(b *strings.Builder, o *contracts.Operation, id string) {
	field := o.Model().Field(id)
	first := true
	for _, d := range webapi.Differences() {
		chosen := strings.EqualFold(id, "differences") || fixtures.Match(id, d.ID)
		if field != nil {
			chosen = d.Concerns(field)
		}
		if !chosen {
			continue
		}
		if first && b.Len() > 0 {
			b.WriteString("\nThe framework departs from the page:\n")
		}
		first = false
		fmt.Fprintf(b, "%s\n", d.ID)
		writeWrapped(b, "page: "+d.Page, "  ", "    ")
		writeWrapped(b, "framework: "+d.Framework, "  ", "    ")
		writeWrapped(b, "why: "+d.Why, "  ", "    ")
		writeWrapped(b, "recorded in "+d.Source, "  ", "    ")
	}
}

// explainCase prints what a case of verify expects and sends.
func explainCase(b *strings.Builder, x *testsuite.Case) {
	fmt.Fprintf(b, "%s\n", x.ID)
	writeWrapped(b, x.Why, "  ", "  ")
	writeWrapped(b, string(x.Level)+": "+x.LevelBasis, "  ", "    ")
	if x.Line > 0 {
		writeWrapped(b, fmt.Sprintf("%s, page line %d: %s", x.Rule, x.Line, x.Quote), "  ", "    ")
	}
	writeWrapped(b, "change from the control: "+x.Change, "  ", "    ")
	if x.Control != "" {
		writeWrapped(b, "control: "+x.Control, "  ", "    ")
	}
	const most = 2000
	if line := fixtures.Curl(&x.Request, fixtures.TargetVariable, "-i"); len(line) <= most {
		fmt.Fprintf(b, "  %s\n", line)
	} else {
		fmt.Fprintf(b, "  a body of %d bytes; to send it: understudy verify URL --replay '%s'\n",
			len(x.Request.Body), x.Sends)
	}
}
