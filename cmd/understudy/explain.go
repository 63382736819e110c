package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/webapi"
	"github.com/seed47566266/understudy/testsuite"
)

func explainCommand(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain ID|FIELD",
		Short: "Say what the page says of a rule, a field or a case",
		Args:  cobra.ExactArgs(1),
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
	for _, r := range c.Rules() {
		field, _, _ := strings.Cut(r.ID, "/")
		ids = append(ids, r.ID, field)
		if !strings.EqualFold(r.ID, id) && !hasPrefixFold(r.ID, id+"/") {
			continue
		}
		fmt.Fprintf(&b, "%s\n", r.ID)
		writeWrapped(&b, r.Text, "  ", "  ")
		fmt.Fprintf(&b, "  page line %d: %s\n", r.Fact.Line, r.Fact.Quote)
		if r.Fact.Source == contracts.Inferred {
			writeWrapped(&b, "inferred: "+r.Fact.Because, "  ", "  ")
		}
	}
	explainDifferences(&b, c, id)
	if b.Len() == 0 {
		cases, err := testsuite.Cases(testsuite.Config{Contract: c})
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
		return fmt.Errorf("the page has no rule, field or case %q; the nearest is %q", id, testsuite.Nearest(id, ids))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// explainDifferences adds where the framework departs from the page: for a field
// those that concern it, for the id of a difference that one, for "body",
// "request" and their like the group, for "differences" all.
func explainDifferences(b *strings.Builder, c *contracts.Contract, id string) {
	field := c.Body.Field(id)
	first := true
	for _, d := range webapi.Differences() {
		wanted := strings.EqualFold(id, "differences") || strings.EqualFold(id, d.ID) || hasPrefixFold(d.ID, id+"/")
		if field != nil {
			wanted = d.Concerns(field)
		}
		if !wanted {
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

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// explainCase prints what a case of verify asks and sends.
func explainCase(b *strings.Builder, x *testsuite.Case) {
	fmt.Fprintf(b, "%s\n", x.ID)
	writeWrapped(b, x.Why, "  ", "  ")
	writeWrapped(b, string(x.Level)+": "+x.Basis, "  ", "    ")
	if x.Line > 0 {
		writeWrapped(b, fmt.Sprintf("%s, page line %d: %s", x.Rule, x.Line, x.Quote), "  ", "    ")
	}
	writeWrapped(b, "change from the control: "+x.Change, "  ", "    ")
	if x.Control != "" {
		writeWrapped(b, "control: "+x.Control, "  ", "    ")
	}
	const most = 2000
	if line := x.Request.Curl("$TARGET", "-i"); len(line) <= most {
		fmt.Fprintf(b, "  %s\n", line)
	} else {
		fmt.Fprintf(b, "  a body of %d bytes; to send it: understudy verify URL --replay '%s'\n", len(x.Request.Body), x.Sends)
	}
}
