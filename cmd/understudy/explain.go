package main

import (
	"fmt"
	"io"
	"sort"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/webapi"
)

func explainCommand(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain ID|FIELD",
		Short: "Say what the page says of a rule or field, and where the framework departs",
		Args:  cobra.ExactArgs(1),
		Example: "  understudy explain Reason\n" +
			"  understudy explain Reason/length\n" +
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
		return fmt.Errorf("the page has no rule or field %q; the nearest is %q", id, nearest(id, ids))
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

// nearest is the candidate with the smallest edit distance, the first of equals.
func nearest(s string, candidates []string) string {
	s = strings.ToLower(s)
	sorted := append([]string(nil), candidates...)
	sort.SliceStable(sorted, func(i, j int) bool {
		return distance(s, strings.ToLower(sorted[i])) < distance(s, strings.ToLower(sorted[j]))
	})
	return sorted[0]
}

// distance is Levenshtein's.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
