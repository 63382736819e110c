package main

import (
	"fmt"
	"io"
	"sort"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seed47566266/understudy/contracts"
)

func explainCommand(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain ID|FIELD",
		Short: "Say what the page says of a rule or field, quoted with its line",
		Args:  cobra.ExactArgs(1),
		Example: "  understudy explain Reason\n" +
			"  understudy explain Reason/length",
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
	if b.Len() == 0 {
		return fmt.Errorf("the page has no rule or field %q; the nearest is %q", id, nearest(id, ids))
	}
	_, err := io.WriteString(w, b.String())
	return err
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
