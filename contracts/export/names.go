package export

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/seed47566266/understudy/contracts"
)

// identifier is a name with nothing in it that a programming language's names do not have.
func identifier(name string) string {
	text := strings.Map(func(r rune) rune {
		if r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return '_'
	}, name)
	if text == "" || unicode.IsDigit(rune(text[0])) {
		return "_" + text
	}
	return text
}

// checkNames rejects names that would be something else in a form than a name: with line breaks, or
// what no one sees.
func checkNames(c *contracts.Contract) error {
	for _, m := range models(c) {
		for i := range m.Fields {
			name := m.Fields[i].Name
			if name == "" || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
				return fmt.Errorf("%s has a field called %q (page line %d), which is not a name that can be written",
					m.Name, name, m.Fields[i].Type.Fact.Line)
			}
		}
	}
	return nil
}

// oneLine is text without what ends a line or is not shown, for a comment of one line.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r != ' ' && !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
}

// lowerFirst is a name as variables have it.
func lowerFirst(name string) string {
	first := []rune(name)
	first[0] = unicode.ToLower(first[0])
	return string(first)
}

// typeNames are the names of types in TypeScript by those of models, each its own, and none that
// the rest of a file needs.
func typeNames(all []*contracts.Model) map[string]string {
	names, taken := map[string]string{}, map[string]bool{}
	for _, name := range []string{"violation", "field", "reading", "map", "record", "iterable", "omit", "regexp"} {
		taken[name] = true
	}
	for _, m := range all {
		name := identifier(m.Name)
		for taken[strings.ToLower(name)] {
			name += "_"
		}
		taken[strings.ToLower(name)] = true
		names[m.Name] = name
	}
	return names
}
