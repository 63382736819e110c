package contracts

import "strings"

// Path is a place in a body, by the names of fields: Reason, Reasons[] for each
// element of a list, Reasons[].ReasonId for a field of each. The empty path is the
// body itself. Paths are made by [Path.Field] and [Path.Element] alone.
type Path string

// Field is the path to a field of the object at p. The first field of a path that
// could be taken for a part of an id that is about no field begins with a dot: a
// field called body has the path .body.
func (p Path) Field(name string) Path {
	switch {
	case p != "":
		return p + "." + Path(name)
	case reserved[strings.ToLower(name)]:
		return "." + Path(name)
	}
	return Path(name)
}

// Element is the path to the elements of the list at p.
func (p Path) Element() Path { return p + "[]" }

// Covers reports that q is p or lies under it. The case of names does not matter.
func (p Path) Covers(q Path) bool {
	if len(q) < len(p) || !strings.EqualFold(string(q[:len(p)]), string(p)) {
		return false
	}
	return len(q) == len(p) || q[len(p)] == '.' || q[len(p)] == '['
}

// reserved are the first parts of ids that are about no field: of rules, of cases,
// and of the media types that some cases begin with. They are in lower case; the
// case of an id does not matter. A word that is added here changes the ids of fields
// with that name.
var reserved = func() map[string]bool {
	words := map[string]bool{}
	for _, word := range []string{
		"method", "route", "request", "response", "body", "json", "http", "robustness", // rules
		"optional", "required", "several", "name", "syntax", "depth", "encoding", "media", "form", "protocol",
		"transport", "meaning", "combination", "valid", "fuzz", // families
		"application", "text",
	} {
		words[word] = true
	}
	return words
}()

// IsReserved reports a word that begins ids that are about no field.
func IsReserved(word string) bool { return reserved[strings.ToLower(word)] }

// ParsePath reads a path as a user writes it, with or without the dot before the first
// field's name: body and .body are the field called body.
func ParsePath(text string) Path {
	first := text
	if end := strings.IndexAny(text, ".["); end >= 0 {
		first = text[:end]
	}
	if first == "" {
		return Path(text)
	}
	return Path("").Field(first) + Path(text[len(first):])
}
