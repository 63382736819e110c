package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/seed47566266/understudy/contracts"
)

func contractCommand(s streams) *cobra.Command {
	cmd := &cobra.Command{Use: "contract", Short: "Read the contract derived from the page", Args: cobra.NoArgs}
	show := &cobra.Command{
		Use:   "show",
		Short: "Print the contract: fields, types, rules, and where each comes from",
		Args:  cobra.NoArgs,
	}
	contract := pageFlag(show)
	asJSON := show.Flags().Bool("json", false, "print the whole contract as JSON")
	show.RunE = func(*cobra.Command, []string) error {
		c, err := contract()
		if err != nil {
			return err
		}
		if *asJSON {
			e := json.NewEncoder(s.out)
			e.SetIndent("", "  ")
			return e.Encode(c)
		}
		return showContract(s.out, c)
	}
	sample := &cobra.Command{
		Use:     "sample",
		Short:   "Print the page's sample of a body, ready to be sent",
		Args:    cobra.NoArgs,
		Example: "  understudy contract sample | curl -H 'Content-Type: application/json' --data-binary @- URL",
	}
	sampleContract := pageFlag(sample)
	sample.RunE = func(*cobra.Command, []string) error {
		c, err := sampleContract()
		if err != nil {
			return err
		}
		if c.Sample == nil {
			return fmt.Errorf("the page of /%s has no JSON sample", c.Route)
		}
		_, err = fmt.Fprintf(s.out, "%s\n", c.Sample)
		return err
	}
	cmd.AddCommand(show, sample)
	return cmd
}

// shortKind names a kind in a column of the table.
var shortKind = map[contracts.Kind]string{
	contracts.GUID: "GUID", contracts.Date: "date", contracts.String: "string",
	contracts.Decimal: "decimal", contracts.Integer: "integer", contracts.Collection: "list",
}

func showContract(w io.Writer, c *contracts.Contract) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s /%s (line %d)\n", c.Method, c.Route, c.RouteFact.Line)
	fmt.Fprintf(&b, "Body      %s (line %d)\n", c.Body.Name, c.Body.Fact.Line)
	writeWrapped(&b, formatList(c.RequestFormats), "Requests  ", "          ")
	writeWrapped(&b, c.ResponseType+": "+formatList(c.ResponseFormats), "Answers   ", "          ")
	b.WriteByte('\n')
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "FIELD\tTYPE\tRULES\tNULL\tLINE")
	showFields(t, &c.Body, "")
	_ = t.Flush() // into a strings.Builder, which does not fail
	b.WriteString("\nLINE is the page's. Inferred, not stated by the page:\n")
	writeInferred(&b, &c.Body, "")
	_, err := io.WriteString(w, b.String())
	return err
}

func formatList(formats []contracts.Format) string {
	var list []string
	for i, f := range formats {
		text := f.MediaType
		if i+1 == len(formats) || formats[i+1].Fact.Line != f.Fact.Line {
			text += fmt.Sprintf(" (line %d)", f.Fact.Line)
		}
		list = append(list, text)
	}
	return strings.Join(list, ", ")
}

func showFields(w io.Writer, m *contracts.Model, prefix string) {
	for i := range m.Fields {
		f := &m.Fields[i]
		var rules, lines []string
		lines = append(lines, fmt.Sprint(f.Type.Line))
		if f.Required != nil {
			rules = append(rules, "Required")
			lines = append(lines, fmt.Sprint(f.Required.Line))
		}
		if f.Length != nil {
			rules = append(rules, fmt.Sprintf("%d..%d", f.Length.Min, f.Length.Max))
			if line := fmt.Sprint(f.Length.Fact.Line); lines[len(lines)-1] != line {
				lines = append(lines, line)
			}
		}
		null := "yes"
		if !f.Nullable {
			null = "no"
		}
		kind := shortKind[f.Kind]
		if f.Items != nil {
			kind += " of " + f.Items.Name
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", prefix+f.Name, kind, strings.Join(rules, " "), null, strings.Join(lines, ", "))
		if f.Items != nil {
			showFields(w, f.Items, prefix+f.Name+"[].")
		}
	}
}

// inference is one inferred fact, or several for the same reason.
type inference struct {
	fields  []string
	lines   []string
	what    string
	because string
}

// writeInferred lists what the page does not state, one entry for a reason.
func writeInferred(b *strings.Builder, m *contracts.Model, prefix string) {
	var found []*inference
	collectInferred(m, prefix, &found)
	for _, f := range found {
		word := "line "
		if len(f.lines) > 1 {
			word = "lines "
		}
		text := fmt.Sprintf("%s %s (%s%s): %s.", strings.Join(f.fields, ", "), f.what, word, strings.Join(f.lines, ", "), f.because)
		writeWrapped(b, text, "  - ", "    ")
	}
}

func collectInferred(m *contracts.Model, prefix string, found *[]*inference) {
	add := func(field, what string, fact contracts.Fact) {
		for _, f := range *found {
			if f.what == what && f.because == fact.Because {
				f.fields, f.lines = append(f.fields, field), append(f.lines, fmt.Sprint(fact.Line))
				return
			}
		}
		*found = append(*found, &inference{[]string{field}, []string{fmt.Sprint(fact.Line)}, what, fact.Because})
	}
	for i := range m.Fields {
		f := &m.Fields[i]
		switch {
		case f.Items != nil:
			add(prefix+f.Name, "is a list of {"+memberList(f.Items)+"}", f.Items.Fact)
			collectInferred(f.Items, prefix+f.Name+"[].", found)
		case f.Kind == contracts.String:
			// Every string may be null; that needs no line each.
		case f.Nullable:
			add(prefix+f.Name, "may be null", f.NullableFact)
		default:
			add(prefix+f.Name, "may not be null", f.NullableFact)
		}
	}
}

func memberList(m *contracts.Model) string {
	var members []string
	for i := range m.Fields {
		members = append(members, m.Fields[i].Name+" "+shortKind[m.Fields[i].Kind])
	}
	return strings.Join(members, ", ")
}

// writeWrapped fills lines of at most 79 columns.
func writeWrapped(b *strings.Builder, text, first, rest string) {
	const width = 79
	line := first
	empty := true
	for _, word := range strings.Fields(text) {
		if !empty && len([]rune(line))+1+len([]rune(word)) > width {
			b.WriteString(line + "\n")
			line, empty = rest, true
		}
		if !empty {
			line += " "
		}
		line += word
		empty = false
	}
	b.WriteString(line + "\n")
}
