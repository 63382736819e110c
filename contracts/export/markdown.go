package export

import (
	"fmt"
	"strings"

	"github.com/seed47566266/understudy/contracts"
)

// markdown writes the contract as documentation. Each rule has an anchor: its id in lower case,
// with hyphens for what an address does not have.
func markdown(c *contracts.Contract) ([]byte, error) {
	var b strings.Builder
	for i := range c.Operations {
		if i > 0 {
			b.WriteByte('\n')
		}
		o := &c.Operations[i]
		prefix := ""
		if len(c.Operations) > 1 {
			prefix = anchor(o.ID) + "-"
		}
		markdownOperation(&b, o, prefix)
	}
	return []byte(b.String()), nil
}

func markdownOperation(b *strings.Builder, o *contracts.Operation, prefix string) {
	fmt.Fprintf(b, "# %s /%s\n\nDerived from an ASP.NET Help Page; *line* is the page's.\n", o.Method, cell(o.Route))
	b.WriteString("\n## Fields\n\n| field | type | rules | null | line |\n|---|---|---|---|---|\n")
	for _, p := range o.Places() {
		f := p.Field
		var rules []string
		for i := range f.Constraints {
			c := &f.Constraints[i]
			id := contracts.RuleID{Path: p.Path, Kind: contracts.RuleKind(c.Kind)}
			rules = append(rules, fmt.Sprintf("[%s](#%s)", c, prefix+anchor(id.String())))
		}
		null := "no"
		switch {
		case f.Required() == nil && f.Type.NullableOpen:
			null = "open"
		case mayBeNull(f):
			null = "yes"
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %d |\n", code(string(p.Path)), cell(kindWord(&f.Type)),
			strings.Join(rules, " "), null, f.Type.Fact.Line)
	}
	b.WriteString("\n## Rules\n")
	for _, r := range o.Rules() {
		id := r.ID.String()
		fmt.Fprintf(b, "\n### <a id=\"%s\"></a>%s\n\n%s\n", prefix+anchor(id), cell(id), cell(r.Text))
		if r.Fact.Source == contracts.SourceInferred {
			fmt.Fprintf(b, "\n*Inferred, line %d:* %s.\n", r.Fact.Line, cell(r.Fact.Because))
			continue
		}
		fmt.Fprintf(b, "\n*Line %d:* %s\n", r.Fact.Line, code(r.Fact.Quote))
	}
	if o.Sample != nil {
		fmt.Fprintf(b, "\n## Sample\n\n*Line %d.*\n\n```json\n%s\n```\n", o.SampleFact.Line, o.Sample)
	}
}

func kindWord(t *contracts.Type) string {
	if t.Element != nil {
		return t.Kind.String() + " of " + t.Element.Word()
	}
	return t.Kind.String()
}

// anchor is an id as an address has it.
func anchor(id string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(id) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		case r == '[' || r == ']':
		default:
			b.WriteByte('-')
		}
	}
	return strings.Trim(b.String(), "-")
}

// code is text as code, in a cell of a table too.
func code(text string) string {
	return "`" + strings.NewReplacer("`", "'", "|", `\|`).Replace(oneLine(text)) + "`"
}

// cell is text that Markdown shows as it is.
func cell(text string) string {
	return strings.NewReplacer(`\`, `\\`, "|", `\|`, "*", `\*`, "_", `\_`, "`", "\\`", "<", "&lt;", "&", "&amp;",
		"[", `\[`, "]", `\]`).Replace(oneLine(text))
}
