package export

import (
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

// lowerFirst is a name as variables have it.
func lowerFirst(name string) string {
	first := []rune(name)
	first[0] = unicode.ToLower(first[0])
	return string(first)
}

// typeNames are the names of types by those of models, each its own.
func typeNames(all []*contracts.Model) map[string]string {
	names, taken := map[string]string{}, map[string]bool{}
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
