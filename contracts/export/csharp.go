package export

import (
	"fmt"
	"strings"

	"github.com/seed47566266/understudy/contracts"
)

// cSharp writes the model classes as a server team would, and a stub of each controller.
func cSharp(c *contracts.Contract) ([]byte, error) {
	var b strings.Builder
	b.WriteString("// Derived from an ASP.NET Help Page; each line that is cited is one of the page's.\n" +
		"using System;\nusing System.Collections.Generic;\nusing System.ComponentModel.DataAnnotations;\n" +
		"using System.Net;\nusing System.Net.Http;\nusing System.Web.Http;\n")
	for _, m := range models(c) {
		for i := range m.Fields {
			name := m.Fields[i].Name
			if identifier(name) != name || identifier(name) == identifier(m.Name) {
				return nil, fmt.Errorf("%s.%s (page line %d) is not a name that C# has for a property", m.Name, name,
					m.Fields[i].Type.Fact.Line)
			}
		}
		cSharpModel(&b, m)
	}
	var controllers []string
	of := map[string][]*contracts.Operation{}
	for i := range c.Operations {
		o := &c.Operations[i]
		name := controllerOf(o)
		if of[name] == nil {
			controllers = append(controllers, name)
		}
		of[name] = append(of[name], o)
	}
	for _, name := range controllers {
		fmt.Fprintf(&b, "\npublic class %sController : ApiController\n{", identifier(name))
		for i, o := range of[name] {
			if i > 0 {
				b.WriteByte('\n')
			}
			cSharpAction(&b, o)
		}
		b.WriteString("}\n")
	}
	return []byte(b.String()), nil
}

func cSharpModel(b *strings.Builder, m *contracts.Model) {
	fmt.Fprintf(b, "\n// line %d: %s\npublic class %s\n{", m.Fact.Line, oneLine(m.Fact.Quote), cSharpName(m.Name))
	for i := range m.Fields {
		f := &m.Fields[i]
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString("\n    // " + strings.Join(says(f), "; ") + "\n")
		if note := nullNote(f); note != "" && !f.Type.Kind.IsReference() {
			b.WriteString("    // " + note + "\n")
		}
		for j := range f.Constraints {
			b.WriteString("    [" + cSharpAttributes[f.Constraints[j].Kind](&f.Constraints[j]) + "]\n")
		}
		fmt.Fprintf(b, "    public %s %s { get; set; }", cSharpType(&f.Type), cSharpName(f.Name))
	}
	b.WriteString("\n}\n")
}

// cSharpAttributes are the attributes of annotations.
var cSharpAttributes = map[contracts.ConstraintKind]func(*contracts.Constraint) string{
	contracts.ConstraintRequired: func(*contracts.Constraint) string { return "Required" },
	contracts.ConstraintLength: func(c *contracts.Constraint) string {
		if c.Min == 0 {
			return fmt.Sprintf("StringLength(%d)", c.Max)
		}
		return fmt.Sprintf("StringLength(%d, MinimumLength = %d)", c.Max, c.Min)
	},
}

func cSharpType(t *contracts.Type) string {
	switch {
	case t.Element != nil:
		return "List<" + cSharpType(t.Element) + ">"
	case t.Model != nil:
		return cSharpName(t.Model.Name)
	case t.Nullable && !t.Kind.IsReference():
		return kinds[t.Kind].cSharp + "?"
	}
	return kinds[t.Kind].cSharp
}

func cSharpAction(b *strings.Builder, o *contracts.Operation) {
	action := o.Route[strings.LastIndexByte(o.Route, '/')+1:]
	fmt.Fprintf(b, "\n    // line %d: %s\n    [Http%s, Route(%q)]\n", o.RouteFact.Line, oneLine(o.RouteFact.Quote),
		o.Method[:1]+strings.ToLower(o.Method[1:]), o.Route)
	fmt.Fprintf(b, "    public %s %s([FromBody] %s model)\n    {\n", o.Response.Type, cSharpName(action),
		cSharpType(o.Body))
	invalid := "return BadRequest(ModelState);"
	if o.Response.Type != "IHttpActionResult" {
		invalid = "throw new HttpResponseException(\n" +
			"                Request.CreateErrorResponse(HttpStatusCode.BadRequest, ModelState));"
	}
	b.WriteString("        if (!ModelState.IsValid)\n        {\n            " + invalid +
		"\n        }\n\n        throw new NotImplementedException();\n    }\n")
}

// cSharpWords are the keywords of C# that a name of a page may be: a name that begins with a
// lower-case letter.
var cSharpWords = func() map[string]bool {
	words := map[string]bool{}
	for _, word := range strings.Fields("abstract as base bool break byte case catch char checked class const " +
		"continue decimal default delegate do double else enum event explicit extern false finally fixed float for " +
		"foreach goto if implicit in int interface internal is lock long namespace new null object operator out " +
		"override params private protected public readonly ref return sbyte sealed short sizeof stackalloc static " +
		"string struct switch this throw true try typeof uint ulong unchecked unsafe ushort using virtual void " +
		"volatile while") {
		words[word] = true
	}
	return words
}()

// cSharpName is a name as C# has it.
func cSharpName(name string) string {
	if cSharpWords[name] {
		return "@" + name
	}
	return identifier(name)
}
