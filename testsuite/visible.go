package testsuite

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Visible is a text that a terminal, an editor, a browser and the log of a build
// show as it is. What is not printable (controls, those of writing direction,
// characters without width, bytes that are not UTF-8) is written as an escape;
// line breaks and tabs stay. The commands of build logs that count anywhere in a
// line are broken up. What a server says goes through it before a person sees it.
func Visible(s string) string {
	if clean(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, width := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && width == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r == '\n',
			r == '\t',
			unicode.IsPrint(r) && !unicode.In(r, unicode.Variation_Selector,
				unicode.Other_Default_Ignorable_Code_Point):
			b.WriteString(s[i : i+width])
		case r > 0xFFFF:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		i += width
	}
	// GitHub Actions, Azure Pipelines and TeamCity begin theirs so.
	return strings.ReplaceAll(strings.ReplaceAll(b.String(), "##", "# #"), "##", "# #")
}

// clean reports text of ASCII that needs nothing.
func clean(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\n' && c != '\t' || c >= 0x7F || c == '#' {
			return false
		}
	}
	return true
}

// oneLine is a visible text on one line.
func oneLine(s string) string {
	return strings.Join(strings.Fields(Visible(s)), " ")
}
