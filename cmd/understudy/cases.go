package main

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/seed47566266/understudy/testsuite"
)

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
