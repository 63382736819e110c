package oracle

import (
	"regexp"
	"strings"
	"unicode"

	"github.com/google/uuid"
)

var (
	otherGUIDForm = regexp.MustCompile(`^(urn:uuid:)?([0-9A-Fa-f]{32}` +
		`|\{[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}` +
		`|\([0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\)` +
		`|[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})$`)
	// Some readers accept a sign or 0x as digits of a group.
	signedGUIDForm = regexp.MustCompile(`^[+0-9A-Fa-fXx]{8}(-[+0-9A-Fa-fXx]{4}){3}-[+0-9A-Fa-fXx]{12}$`)
	hexGUIDForm    = regexp.MustCompile(`^\{\s*0[xX][0-9A-Fa-f]+\s*(,\s*0[xX][0-9A-Fa-f]+\s*){2},` +
		`\s*\{\s*0[xX][0-9A-Fa-f]+\s*(,\s*0[xX][0-9A-Fa-f]+\s*){7}\}\s*\}\s*$`)
)

// isGUID reports the form that the page's sample shows: hexadecimal digits, 8-4-4-4-12.
func isGUID(s string) bool { return len(s) == 36 && uuid.Validate(s) == nil }

// isOfTheRFC reports a GUID whose version and variant RFC 9562 defines, or its GUID of
// ones (sections 4.1, 4.2 and 5.10).
func isOfTheRFC(s string) bool {
	id, err := uuid.Parse(s)
	return err == nil && (id == uuid.Max || id.Variant() == uuid.RFC4122 && id.Version() >= 1 && id.Version() <= 8)
}

func readJSONGUID(o *Oracle, f *fieldPlan, v *jsonValue) Expectation {
	if v.kind != isString {
		return f.wrongType()
	}
	return readGUID(o, f, v.text)
}

func readGUID(o *Oracle, f *fieldPlan, s string) Expectation {
	trimmed := strings.TrimFunc(s, unicode.IsSpace)
	switch {
	case isGUID(s):
		if strings.Trim(s, "0-") == "" {
			return f.unspecified("the GUID of zeros often stands for none")
		}
		if !isOfTheRFC(s) {
			return o.accept().WithLatitude("RFC 9562 defines no such version or variant, and validators go by it")
		}
		return o.accept()
	case trimmed == "":
		return f.blank()
	case otherGUIDForm.MatchString(trimmed), hexGUIDForm.MatchString(trimmed), signedGUIDForm.MatchString(trimmed):
		return f.unspecified("the page shows one form of a GUID; there are others")
	case len(s) > 2 && isGUID(s[1:len(s)-1]):
		return f.wrongType().WithLatitude("some parsers drop the first and last character around a GUID unchecked")
	}
	return f.wrongType()
}
