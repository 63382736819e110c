package webapi

import (
	"bytes"
	"sort"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/webapi/dotnet"
)

// This file is how Web API binds application/x-www-form-urlencoded: the names
// in jQuery's or MVC's spelling become keys, the model binder asks for each
// field by its key, and .NET's type converters read the values. Its order of
// errors is the binder's: conversions, then fields that are missing, then
// values that are empty, then the validator.

// formValues are the pairs of a body by key, without regard to case.
type formValues struct {
	values map[string][]string // by folded key
	keys   []string            // folded, sorted
	names  []string            // as they were sent, the first few
}

// readForm binds a form body. It returns nil for a null model.
func (c *call) readForm(body []byte) []value {
	f, ok := parseForm(body)
	if !ok {
		c.key = append(c.key[:0], c.e.profile.ParameterName...)
		c.errs.exception(c.key,
			"The key is invalid JQuery syntax because it is missing a closing bracket\nParameter name: key")
		c.violate(
			c.e.broken(contracts.RuleID{Kind: contracts.RuleBody}, c.e.operation.Model().Fact, "",
				"a name with an opening bracket that is not closed"),
		)
		return nil
	}
	if len(f.keys) == 0 {
		return nil
	}
	for _, key := range f.names {
		c.unlistedKey(key)
	}
	b := formBinder{c: c, values: f}
	b.state.reset(c.limit)
	model := b.object(c.e.root, "")
	for _, check := range b.empty {
		if b.state.valid(check.key) {
			b.state.message([]byte(check.key), ValueRequired)
			b.broken(check.field, check.key, "an empty value")
		}
	}
	for i := range b.state.entries {
		at := b.state.entries[i].first
		if at < 0 {
			continue
		}
		c.key = append(append(c.key[:0], c.e.profile.ParameterName...), '.')
		c.key = append(c.key, b.state.key(i)...)
		c.full = c.full || b.state.full
		for entry := c.errs.entry(c.key); at >= 0; at = b.state.errors[at].next {
			c.errs.add(entry, b.state.errors[at].text, b.state.errors[at].exception)
		}
	}
	return model
}

// formBinder binds one body; state is its own ModelState, which also has an
// entry for every value that was read, and so fixes the order of the keys.
type formBinder struct {
	c      *call
	values *formValues
	state  modelState
	empty  []emptyCheck
	read   int // bytes of values
}

// stops reports that the response will be too long, whatever follows.
func (b *formBinder) stops() bool { return b.c.full || b.state.full }

// emptyCheck is a field that got an empty value and may be empty.
type emptyCheck struct {
	key   string
	field *fieldPlan
}

// object binds the fields of a model under a prefix.
func (b *formBinder) object(m *modelPlan, prefix string) []value {
	model := b.c.newValues(len(m.fields))
	bound := make([]bool, len(m.fields))
	for i := range m.fields {
		f, key := &m.fields[i], fieldKey(prefix, m.fields[i].name)
		if f.list != nil {
			bound[i] = b.list(f, key, &model[i])
		} else {
			bound[i] = b.scalar(f, key, &model[i])
		}
	}
	for i := range m.fields {
		f, key := &m.fields[i], fieldKey(prefix, m.fields[i].name)
		if f.requiredByReader && !bound[i] {
			b.state.message([]byte(key), PropertyRequired(f.name))
			if !model[i].seen {
				b.c.violate(
					b.c.e.broken(f.rule(contracts.RuleRequired), f.fact.Required().Fact, b.pointer(key), FoundNothing),
				)
			}
		}
		if bound[i] && !f.nullable && !model[i].present && b.state.valid(key) {
			b.empty = append(b.empty, emptyCheck{key, f})
		}
	}
	return model
}

func fieldKey(prefix, name string) string {
	if prefix == "" {
		return name
	}
	return prefix + "." + name
}

// scalar reads a field of a simple type. It reports whether it was bound,
// which an empty value also is.
func (b *formBinder) scalar(f *fieldPlan, key string, v *value) bool {
	values, found := b.values.get(key)
	if !found {
		return false
	}
	v.seen = true
	b.state.entry([]byte(key))
	// Each element of a list may read the same value, and keeps it.
	if b.read += len(values[0]); b.read > b.c.limit {
		b.c.full = true
		return true
	}
	text := []byte(values[0])
	if dotnet.IsBlank(text) {
		return true
	}
	if !f.conversion.keepsSpace {
		text = bytes.TrimFunc(text, unicode.IsSpace)
	}
	result := f.conversion.fromText(v, text, b.c.e.zone)
	switch result {
	case dotnet.OK:
		return true
	case dotnet.Invalid:
		b.state.message([]byte(key), b.invalidValue(values, f.name))
		b.broken(f, key, "a value in the wrong format")
	case dotnet.Overflow:
		b.state.exception(
			[]byte(key),
			"The parameter conversion from type 'System.String' to type '"+f.typeName+"' failed. See the inner "+
				"exception for more information.",
		)
		b.broken(f, key, "a number out of range")
	}
	return false
}

// invalidValue is the message about a value; where there are many, it may be long.
func (b *formBinder) invalidValue(values []string, name string) string {
	length := 0
	for _, v := range values {
		length += len(v) + 1
	}
	if length > b.state.left {
		b.state.full = true
		return ""
	}
	return NotValid(strings.Join(values, ","), name)
}

func (b *formBinder) broken(f *fieldPlan, key, found string) {
	b.c.violate(b.c.e.broken(f.rule(contracts.RuleType), f.fact.Type.Fact, b.pointer(key), found))
}

// pointer turns a key into a JSON pointer: Reasons[0].ReasonId becomes
// /Reasons/0/ReasonId. An index may be any text of the client's, and is shown only
// where it is a number that could be an element's.
func (b *formBinder) pointer(key string) string {
	var pointer strings.Builder
	model := b.c.e.operation.Model()
	for _, step := range strings.FieldsFunc(key, func(r rune) bool { return r == '[' || r == ']' || r == '.' }) {
		pointer.WriteByte('/')
		f := model.Field(step)
		switch index, err := strconv.ParseUint(step, 10, 31); {
		case f != nil:
			pointer.WriteString(f.Name)
			if elements := f.Elements(); elements != nil {
				model = elements
			}
		case err == nil && index < uint64(len(b.values.keys)):
			pointer.WriteString(step)
		default:
			pointer.WriteString(unknownName)
		}
	}
	return pointer.String()
}

// list binds a collection. A value under its own name makes an element for
// each time it is there; otherwise elements are looked for by index.
func (b *formBinder) list(f *fieldPlan, key string, v *value) bool {
	if !b.values.hasPrefix(key) {
		return false
	}
	v.seen, v.present = true, true
	if values, found := b.values.get(key); found {
		for range values {
			if b.stops() {
				break
			}
			v.items = append(v.items, b.object(f.list, key))
		}
		return true
	}
	if names, found := b.values.get(key + ".index"); found {
		for _, name := range names {
			element := key + "[" + name + "]"
			if b.stops() {
				break
			}
			if !b.values.hasPrefix(element) {
				v.items = append(v.items, nil)
				continue
			}
			v.items = append(v.items, b.object(f.list, element))
		}
		return true
	}
	for i := 0; ; i++ {
		element := key + "[" + strconv.Itoa(i) + "]"
		if !b.values.hasPrefix(element) {
			return true
		}
		v.items = append(v.items, b.object(f.list, element))
	}
}

func foldKey(key string) string { return strings.ToUpper(key) }

func (f *formValues) get(key string) ([]string, bool) {
	values, found := f.values[foldKey(key)]
	return values, found
}

// hasPrefix reports whether there is the key itself or one under it.
func (f *formValues) hasPrefix(key string) bool {
	key = foldKey(key)
	if _, found := f.values[key]; found {
		return true
	}
	for _, next := range []string{key + ".", key + "["} {
		i := sort.SearchStrings(f.keys, next)
		if i < len(f.keys) && strings.HasPrefix(f.keys[i], next) {
			return true
		}
	}
	return false
}

// maxNames is how many keys are looked at for names that the page does not list: several
// times what a page's form has.
const maxNames = 256

// parseForm splits a body into its pairs; false for a name that jQuery's
// syntax does not allow. A part without = is a name with an empty value, even
// the empty part after a last &.
func parseForm(body []byte) (*formValues, bool) {
	f := &formValues{values: map[string][]string{}}
	if len(body) == 0 {
		return f, true
	}
	for rest, more := body, true; more; {
		var part []byte
		part, rest, more = bytes.Cut(rest, []byte("&"))
		name, text, _ := bytes.Cut(part, []byte("="))
		if len(name) == 0 && len(f.values[""]) > 0 {
			continue // no field has an empty name; that there is one counts once
		}
		key, ok := normalizeKey(dotnet.DecodeForm(name))
		if !ok {
			return nil, false
		}
		sent := key
		key = foldKey(key)
		if _, found := f.values[key]; !found {
			if f.keys = append(f.keys, key); len(f.names) < maxNames && key != "" {
				f.names = append(f.names, sent)
			}
		}
		f.values[key] = append(f.values[key], dotnet.DecodeForm(text))
	}
	sort.Strings(f.keys)
	return f, true
}

// normalizeKey turns jQuery's names into MVC's: a[b] into a.b, a[] into a, and
// leaves a[0].
func normalizeKey(key string) (string, bool) {
	if strings.IndexByte(key, '[') < 0 {
		return key, true
	}
	var b strings.Builder
	for rest := key; ; {
		open := strings.IndexByte(rest, '[')
		if open < 0 {
			b.WriteString(rest)
			return b.String(), true
		}
		b.WriteString(rest[:open])
		end := strings.IndexByte(rest[open:], ']')
		if end < 0 {
			return "", false
		}
		inner := rest[open+1 : open+end]
		if first, _ := utf8.DecodeRuneInString(inner); inner != "" && unicode.IsDigit(first) {
			b.WriteString("[" + inner + "]")
		} else if inner != "" {
			b.WriteString("." + inner)
		}
		rest = rest[open+end+1:]
	}
}
