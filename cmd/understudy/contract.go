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
	cmd := &cobra.Command{Use: "contract", Args: cobra.NoArgs,
		Short: "Read the contract derived from the page, write it for other tools",
		// A command that does nothing by itself would print its help for a misspelled one too.
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	show := &cobra.Command{
		Use:   "show",
		Short: "Print fields, types, rules, and where each comes from",
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
			return written(e.Encode(c))
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
		o := theOperation(c)
		if o.Sample == nil {
			return fmt.Errorf("the page of /%s has no JSON sample", o.Route)
		}
		_, err = fmt.Fprintf(s.out, "%s\n", o.Sample)
		return written(err)
	}
	cmd.AddCommand(show, sample, exportCommand(s), diffCommand(s))
	return cmd
}

func showContract(w io.Writer, c *contracts.Contract) error {
	var b strings.Builder
	for i := range c.Operations {
		if i > 0 {
			b.WriteByte('\n')
		}
		showOperation(&b, &c.Operations[i])
	}
	_, err := io.WriteString(w, b.String())
	return written(err)
}

func showOperation(b *strings.Builder, o *contracts.Operation) {
	fmt.Fprintf(b, "%s /%s (line %d)\n", o.Method, o.Route, o.RouteFact.Line)
	fmt.Fprintf(b, "Body       %s (line %d)\n", o.Model().Name, o.Model().Fact.Line)
	writeWrapped(b, formatList(o.RequestFormats), "Requests   ", "           ")
	writeWrapped(b, o.Response.Type+": "+formatList(o.Response.Formats), "Responses  ", "           ")
	b.WriteByte('\n')
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "FIELD\tTYPE\tRULES\tNULL\tLINE")
	for _, p := range o.Places() {
		showField(t, &p)
	}
	_ = t.Flush() // into a strings.Builder, which does not fail
	b.WriteString("\nLINE is the line in the Help Page. Inferred, not stated by the page:\n")
	writeInferred(b, o)
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

func showField(w io.Writer, p *contracts.Place) {
	f := p.Field
	var rules []string
	lines := []string{fmt.Sprint(f.Type.Fact.Line)}
	for i := range f.Constraints {
		c := &f.Constraints[i]
		rules = append(rules, c.String())
		if line := fmt.Sprint(c.Fact.Line); lines[len(lines)-1] != line {
			lines = append(lines, line)
		}
	}
	null := "yes"
	switch {
	case f.Type.NullableOpen:
		null = "open"
	case !f.Type.Nullable:
		null = "no"
	}
	kind := f.Type.Kind.String()
	if f.Type.Element != nil {
		kind += " of " + f.Type.Element.Word()
	}
	_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", p.Path, kind, strings.Join(rules, " "), null,
		strings.Join(lines, ", "))
}

// inference is one inferred fact, or several for the same reason.
type inference struct {
	fields  []string
	lines   []string
	what    string
	because string
}

// writeInferred lists what the page does not state, one entry per reason.
func writeInferred(b *strings.Builder, o *contracts.Operation) {
	var found []*inference
	add := func(field contracts.Path, what string, fact contracts.Fact) {
		for _, f := range found {
			if f.what == what && f.because == fact.Because {
				f.fields, f.lines = append(f.fields, string(field)), append(f.lines, fmt.Sprint(fact.Line))
				return
			}
		}
		found = append(found, &inference{[]string{string(field)}, []string{fmt.Sprint(fact.Line)}, what, fact.Because})
	}
	for _, p := range o.Places() {
		f := p.Field
		switch {
		case f.Elements() != nil:
			add(p.Path, "is a list of {"+fieldList(f.Elements())+"}", f.Elements().Fact)
		case f.Type.Kind == contracts.KindString:
			// Every string may be null; that needs no line each.
		case f.Type.NullableOpen:
			add(p.Path, "may or may not admit null", f.Type.NullableFact)
		case f.Type.Nullable:
			add(p.Path, "may be null", f.Type.NullableFact)
		default:
			add(p.Path, "must not be null", f.Type.NullableFact)
		}
	}
	for _, f := range found {
		word := "line "
		if len(f.lines) > 1 {
			word = "lines "
		}
		text := fmt.Sprintf("%s %s (%s%s): %s.", strings.Join(f.fields, ", "), f.what, word,
			strings.Join(f.lines, ", "), f.because)
		writeWrapped(b, text, "  - ", "    ")
	}
}

func fieldList(m *contracts.Model) string {
	var fields []string
	for i := range m.Fields {
		fields = append(fields, m.Fields[i].Name+" "+m.Fields[i].Type.Kind.String())
	}
	return strings.Join(fields, ", ")
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
