package export

import (
	_ "embed" // the parts of TypeScript that are the same for every page
	"fmt"
	"strings"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/webapi"
)

var (
	//go:embed form.ts
	formTS string
	//go:embed validate.ts
	validateTS string
	//go:embed nest.ts
	nestTS string
)

// violationTS is what the validator tells of a rule that is broken.
const violationTS = `
/** A rule of the page that a form breaks. */
export interface Violation {
  /** The name in the form: Reasons[0].ReasonId. Empty for the form as a whole. */
  readonly field: string;
  /** What the rule is about. */
  readonly rule: "type" | "required" | "length" | "body";
  /** The line of the Help Page. */
  readonly line: number;
  /** What the server says, word for word. */
  readonly message: string;
}

`

// typeScript writes the types of JSON bodies and a validator of forms.
func typeScript(c *contracts.Contract) ([]byte, error) {
	var b strings.Builder
	b.WriteString("// Derived from an ASP.NET Help Page; each line that is cited is one of the page's.\n")
	all := models(c)
	names := typeNames(all)
	for _, m := range all {
		fmt.Fprintf(&b, "\n/** %s, line %d. */\nexport interface %s {\n", tsComment(m.Fact.Quote), m.Fact.Line,
			names[m.Name])
		for i := range m.Fields {
			f := &m.Fields[i]
			about := strings.Join(says(f), "; ") + "."
			if note := nullNote(f); note != "" {
				about += " " + note
			}
			optional := "?"
			if f.Required() != nil {
				optional = ""
			}
			fmt.Fprintf(&b, "  /** %s */\n  %s%s: %s;\n", tsComment(about), tsKey(f.Name), optional, tsType(f, names))
		}
		b.WriteString("}\n")
	}
	b.WriteString(violationTS)
	tsCommon(&b, all)
	fmt.Fprintf(&b, "\nconst invalidRequest = %s;\n\n%s", quoted(webapi.InvalidRequest), validateTS)
	tsFields(&b, all, names)
	for i, m := range bodies(c) {
		if i == 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, `/**
 * The rules that a form breaks, none where the server accepts it: validate%[1]s(new FormData(element)).
 */
export function validate%[1]s(form: Iterable<readonly [string, unknown]>): Violation[] {
  return validate(%[2]sFields, %[3]d, form);
}
`, names[m.Name], lowerFirst(names[m.Name]), m.Fact.Line)
	}
	return []byte(b.String()), nil
}

// bodies are the models that are a body, each once.
func bodies(c *contracts.Contract) (all []*contracts.Model) {
	seen := map[string]bool{}
	for i := range c.Operations {
		if m := c.Operations[i].Model(); !seen[m.Name] {
			seen[m.Name] = true
			all = append(all, m)
		}
	}
	return all
}

// tsCommon writes what both validators have: what the server says, the rules of one value, and
// the readers of the kinds that there are.
func tsCommon(b *strings.Builder, all []*contracts.Model) {
	fmt.Fprintf(b, "const valueRequired = %s;\nconst outOfRange = %s;\n%s\n%s", quoted(webapi.ValueRequired),
		quoted(webapi.ErrorOccurred), notValidTS(), formTS)
	used := map[contracts.Kind]bool{}
	for _, m := range all {
		for i := range m.Fields {
			used[m.Fields[i].Type.Kind] = true
		}
	}
	for _, k := range contracts.Kinds() {
		if used[k] && kinds[k].read != "" {
			b.WriteString("\n" + kinds[k].read)
		}
	}
}

// notValidTS is a function of the value and the name, with the words of the server between.
func notValidTS() string {
	const value, name = "\x00", "\x01"
	before, rest, _ := strings.Cut(webapi.NotValid(value, name), value)
	between, after, _ := strings.Cut(rest, name)
	return fmt.Sprintf("const notValid = (text: string, name: string): string => %s + text + %s + name + %s;\n",
		quoted(before), quoted(between), quoted(after))
}

// tsFields writes the table of fields of each model, those of elements first.
func tsFields(b *strings.Builder, all []*contracts.Model, names map[string]string) {
	for i := len(all) - 1; i >= 0; i-- {
		m := all[i]
		fmt.Fprintf(b, "\nconst %sFields: readonly Field[] = [\n", lowerFirst(names[m.Name]))
		for j := range m.Fields {
			f := &m.Fields[j]
			b.WriteString("  " + tsField(f, names) + ",\n")
		}
		b.WriteString("];\n")
	}
}

// tsField is a field as form.ts knows it.
func tsField(f *contracts.Field, names map[string]string) string {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	add("name: %s, line: %d, nullable: %t", quoted(f.Name), f.Type.Fact.Line, f.Type.Nullable)
	if reader := kinds[f.Type.Kind].reader; reader != "" {
		add("read: %s", reader)
	}
	if required := f.Required(); required != nil {
		message := webapi.FieldRequired(f.Name)
		if !f.Type.Nullable {
			message = webapi.PropertyRequired(f.Name)
		}
		add("required: { line: %d, byBinder: %t,\n      message: %s }", required.Fact.Line, !f.Type.Nullable,
			quoted(message))
	}
	if length := f.Length(); length != nil {
		add("length: { min: %d, max: %d, line: %d,\n      message: %s }", length.Min, length.Max, length.Fact.Line,
			quoted(webapi.WrongLength(f.Name, length)))
	}
	if elements := f.Elements(); elements != nil {
		add("elements: %sFields", lowerFirst(names[elements.Name]))
	}
	return "{ " + strings.Join(parts, ",\n    ") + " }"
}

func tsType(f *contracts.Field, names map[string]string) string {
	text := kinds[f.Type.Kind].typeScript
	if elements := f.Elements(); elements != nil {
		text = names[elements.Name] + "[]"
	}
	if mayBeNull(f) {
		text += " | null"
	}
	return text
}

// quoted is text as a literal of JavaScript, which JSON's are.
func quoted(text string) string {
	literal, _ := marshal(text) // a string does not fail
	return string(literal)
}

// tsKey is a name as an object has it.
func tsKey(name string) string {
	switch {
	case name == "__proto__": // in a literal it would be another thing
		return `["__proto__"]`
	case identifier(name) == name:
		return name
	}
	return quoted(name)
}

// tsComment is text that ends no comment.
func tsComment(text string) string { return strings.ReplaceAll(oneLine(text), "*/", "* /") }

// zod writes a schema of the object that a form makes.
func zod(c *contracts.Contract) ([]byte, error) {
	var b strings.Builder
	b.WriteString("// Derived from an ASP.NET Help Page; each line that is cited is one of the page's.\n" +
		"import { z } from \"zod\";\n")
	b.WriteString(violationTS)
	all := models(c)
	names := typeNames(all)
	tsCommon(&b, all)
	b.WriteString("\n" + nestTS)
	tsFields(&b, all, names)
	for i := len(all) - 1; i >= 0; i-- {
		m := all[i]
		fmt.Fprintf(&b, "\n/** %s, line %d. */\nexport const %sSchema = z.object({\n", tsComment(m.Fact.Quote),
			m.Fact.Line, lowerFirst(names[m.Name]))
		for j := range m.Fields {
			f := &m.Fields[j]
			optional := ".optional()"
			if f.Required() != nil {
				optional = ""
			}
			value := fmt.Sprintf("text(%sFields[%d]!)", lowerFirst(names[m.Name]), j)
			if elements := f.Elements(); elements != nil {
				value = "z.array(" + lowerFirst(names[elements.Name]) + "Schema"
				if f.Required() != nil {
					value += ", { error: " + quoted(webapi.FieldRequired(f.Name)) + " }"
				}
				value += ")"
			}
			fmt.Fprintf(&b, "  /** %s */\n  %s: %s%s,\n", tsComment(strings.Join(says(f), "; ")), tsKey(f.Name), value,
				optional)
		}
		b.WriteString("});\n")
	}
	for _, m := range bodies(c) {
		fmt.Fprintf(&b, `
/** What %[1]sSchema reads of a form: %[1]sFrom(new FormData(element)). */
export function %[1]sFrom(form: Iterable<readonly [string, unknown]>): Record<string, unknown> {
  return objectOf(%[1]sFields, read(form), "");
}
`, lowerFirst(names[m.Name]))
	}
	return []byte(b.String()), nil
}
