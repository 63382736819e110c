package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/seed47566266/understudy/fixtures"
	"github.com/seed47566266/understudy/testsuite"
)

// What two commands say of one flag.
const (
	nowUsage        = "reference date, as YYYY-MM-DD or today"
	dataUsage       = "CSV `file` of real values, one column per field, assigned round-robin"
	strictJSONUsage = "what is not JSON must be rejected, even if some readers take it"
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
	asJSON := cmd.Flags().Bool("json", false, "print each case as a JSON object on one line")
	contract := pageFlag(cmd)
	configurable(cmd, s)
	cmd.RunE = func(*cobra.Command, []string) error {
		c, err := contract()
		if err != nil {
			return err
		}
		payloads, selection, err := f.choices()
		if err != nil {
			return err
		}
		suite, err := testsuite.New(c, payloads)
		if err != nil {
			return flagError(err)
		}
		cases, err := suite.Cases(selection)
		if err != nil {
			return flagError(err)
		}
		var b strings.Builder
		lines := json.NewEncoder(&b)
		lines.SetEscapeHTML(false)
		count := map[fixtures.Level]int{}
		if !*asJSON {
			b.WriteString("LEVEL   EXPECT       LINE  ID\n")
		}
		for i := range cases {
			x := &cases[i]
			count[x.Level]++
			if *asJSON {
				if err := lines.Encode(x); err != nil {
					return err
				}
				continue
			}
			line, expect := "-", string(x.Expect)
			if x.Line > 0 {
				line = fmt.Sprint(x.Line)
			}
			if x.Aspect != testsuite.AspectOutcome {
				expect = string(x.Aspect)
			}
			fmt.Fprintf(&b, "%-6s  %-11s  %4s  %s\n", x.Level, expect, line, x.ID)
		}
		if !*asJSON {
			fmt.Fprintf(&b, "%d cases: %d MUST, %d SHOULD, %d MAY.\nLINE is the line in the Help Page.\n",
				len(cases), count[fixtures.LevelMust], count[fixtures.LevelShould], count[fixtures.LevelMay])
		}
		_, err = io.WriteString(s.out, b.String())
		return written(err)
	}
	return cmd
}

// choiceFlags choose cases and what they are made of; verify and cases share them.
type choiceFlags struct {
	run, skip, fields, media []string
	tags                     []string
	strictJSON               bool
	level, shard             string
	seed                     uint64
	combinations             int
	set                      []string
	now, data                string
}

func (f *choiceFlags) add(flags *pflag.FlagSet) {
	flags.StringSliceVar(&f.run, "run", nil,
		"cases by id: * is any text, a name includes what lies under it, @file a list")
	flags.StringSliceVar(&f.skip, "skip", nil, "leave out cases by id, in the same way")
	flags.StringVar(&f.level, "level", "may", "minimum level: must, should or may")
	flags.StringSliceVar(&f.fields, "field", nil, "cases about these fields")
	flags.StringSliceVar(&f.media, "media", nil, "cases in these media types")
	flags.StringSliceVar(&f.tags, "tag", nil, "cases by what people call them: sql, xss, unicode, length, cwe-89")
	flags.Uint64Var(&f.seed, "seed", 0, "random seed")
	flags.IntVar(&f.combinations, "combinations", 0, "add rows that cross the values of 1, 2 or 3 fields")
	flags.StringVar(&f.shard, "shard", "1/1", "part of the cases, as i/n")
	flags.StringArrayVar(&f.set, "set", nil, "fix a field of every valid payload, as Field=value")
	flags.StringVar(&f.data, "data", "", dataUsage)
	flags.StringVar(&f.now, "now", "today", nowUsage)
	flags.BoolVar(&f.strictJSON, "strict-json", false, strictJSONUsage)
}

// choices are what the flags choose.
func (f *choiceFlags) choices() (p testsuite.Payloads, sel testsuite.Selection, err error) {
	if sel.Shard, err = fixtures.ParseShard(f.shard); err != nil {
		return p, sel, fmt.Errorf("--shard: %w", err)
	}
	sel.Level, sel.Fields, sel.Media = fixtures.Level(strings.ToUpper(f.level)), f.fields, f.media
	sel.Tags = f.tags
	if sel.Run, err = patterns(f.run); err != nil {
		return p, sel, err
	}
	if sel.Skip, err = patterns(f.skip); err != nil {
		return p, sel, err
	}
	p.Seed, p.Combinations, p.StrictJSON = f.seed, f.combinations, f.strictJSON
	if p.Set, err = parseSet(f.set); err != nil {
		return p, sel, err
	}
	if p.Now, err = parseDay(f.now); err != nil || f.data == "" {
		return p, sel, err
	}
	p.Rows, err = readData(f.data)
	return p, sel, err
}

// flagOf are the flags that set the settings of the suite.
var flagOf = map[string]string{
	"Payloads.Path":           "--path",
	"Payloads.Combinations":   "--combinations",
	"Payloads.Rows":           "--data",
	"Payloads.Recorded":       "--replay-file",
	"Target.ConnectTo":        "--connect-to",
	"Target.Timeout":          "--timeout",
	"Target.Headers":          "--header",
	"Meaning.Accept":          "--accept",
	"Meaning.Reject":          "--reject",
	"Meaning.RejectedWhen":    "--rejected-when",
	"Selection.Only":          "--replay",
	"Selection.Run":           "--run",
	"Selection.Skip":          "--skip",
	"Selection.Fields":        "--field",
	"Selection.Media":         "--media",
	"Selection.Tags":          "--tag",
	"Selection.Level":         "--level",
	"Selection.Shard":         "--shard",
	"Limits.Writes":           "--max-writes",
	"Limits.UnexpectedWrites": "--max-unexpected-writes",
	"Limits.Requests":         "--max-requests",
	"Limits.Time":             "--max-time",
	"Limits.Rate":             "--rate",
	"Limits.Parallel":         "--parallel",
	"FailOn":                  "--fail-on",
	"Fuzz":                    "--fuzz",
	"Target.Wait":             "--wait",
	"Redact":                  "--redact",
}

// flagError is an error of the suite with the flag that it is about in front.
func flagError(err error) error {
	var setting *testsuite.ConfigError
	if errors.As(err, &setting) && flagOf[setting.Setting] != "" {
		return fmt.Errorf("%s: %w", flagOf[setting.Setting], err)
	}
	return err
}

// patterns reads what begins with @ from a file, one pattern per line.
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

// readData reads rows of real values: a CSV file whose first line names fields.
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
		return nil, fmt.Errorf("--data %s: give a line with the names of fields, and lines with their values", name)
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
