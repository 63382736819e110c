package oracle

import (
	"bytes"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/seed47566266/understudy/contracts"
)

// manyPairs is the number of form fields that some servers stop at.
const manyPairs = 1000

var indexed = regexp.MustCompile(`^([A-Za-z0-9_]+)\[(\d{1,9})\]\.([A-Za-z0-9_]+)$`)

// formReading is the reading of one form. The page lists the media type and shows no
// sample, so that only the plain spelling of a name is certain.
type formReading struct {
	o     *Oracle
	found *findings
	e     Expectation
	// seen counts the pairs of each field; elements are those of each list, in order, by
	// the fields of theirs that came.
	seen     map[*fieldPlan]int
	elements map[*fieldPlan][]map[*fieldPlan]bool
	// hinted are lists that came in a spelling which some reader may know.
	hinted map[*fieldPlan]bool
	pairs  int
}

func (o *Oracle) readForm(body []byte, found *findings) Expectation {
	r := &formReading{o: o, found: found, e: o.accept(), seen: map[*fieldPlan]int{},
		elements: map[*fieldPlan][]map[*fieldPlan]bool{}, hinted: map[*fieldPlan]bool{}}
	if !utf8.Valid(body) {
		r.unspecified("bytes that are not UTF-8 may be rejected or replaced")
	}
	for _, pair := range strings.Split(string(body), "&") {
		if pair != "" {
			r.pairs++
			r.pair(pair)
		} else if len(body) > 0 { // skipped by the rules of form data
			r.e = mostSevere(r.e, o.accept().WithLatitude("not every parser of forms skips an empty pair"))
		}
	}
	for f, count := range r.seen {
		if count > 1 && r.e.Outcome == OutcomeReject && f.path.Covers(r.e.Rule.Path) {
			// Which of the values counts is open, so that one of them cannot decide.
			r.e = Unspecified(ruleBody, r.line(), "a duplicate name is read in more than one way")
		}
	}
	for list, elements := range r.elements {
		for _, there := range elements {
			if len(there) < len(list.elements.fields) {
				r.unspecified("the page does not say which fields of an element are required")
			}
		}
	}
	there := func(f *fieldPlan) bool { return r.seen[f] > 0 || len(r.elements[f]) > 0 || r.hinted[f] }
	if f := o.model.missing(there, found); f != nil {
		e := f.missing()
		if bytes.HasPrefix(body, []byte(mark)) {
			e = e.WithLatitude("a reader may drop a byte-order mark")
		}
		return e
	}
	if r.pairs == 0 {
		r.unspecified("an empty form may be no value at all")
	}
	if r.pairs > manyPairs {
		r.unspecified("how many fields a form may have is the server's choice")
	}
	return mostSevere(r.e, o.readTogether(found.values))
}

func (r *formReading) line() int { return r.o.operation.Model().Fact.Line }

func (r *formReading) unspecified(basis string) {
	r.e = mostSevere(r.e, Unspecified(ruleBody, r.line(), basis))
}

// pair reads one name and value.
func (r *formReading) pair(pair string) {
	rawName, rawValue, _ := strings.Cut(pair, "=")
	name, nameIsWhole := unescape(rawName)
	value, valueIsWhole := unescape(rawValue)
	if !nameIsWhole || !valueIsWhole {
		r.unspecified("a malformed percent escape is kept or rejected")
	}
	if !utf8.ValidString(value) || strings.ContainsRune(value, 0) || !isASCII(rawValue) {
		r.unspecified("bytes outside of ASCII and NUL are not escaped as forms have them")
	}
	f := r.o.model.field(name)
	switch {
	case f == nil:
		if element := r.element(name, value); element != nil {
			r.e = mostSevere(r.e, element.WithLatitude("the page does not say how a form spells a list"))
			return
		}
		r.unspecified("the page does not say what an unknown field is")
		if list := r.listBefore(name); list != nil {
			r.hinted[list] = true
		}
		// Binders may take brackets for those of a list, of which the only value counts.
		if bare, _, found := strings.Cut(name, "["); found {
			if f := r.o.model.field(bare); f != nil {
				r.seen[f]++
			}
		}
		// Binders may take the first part for the model's name.
		if _, last, found := strings.Cut(name, "."); found {
			if f := r.o.model.field(last); f != nil {
				r.seen[f]++
			}
		}
		return
	case f.elements != nil:
		r.unspecified("the page does not say how a form spells a list")
		r.seen[f]++
		return
	case f.Name != name:
		r.unspecified("the page does not say whether case matters in names")
	}
	r.seen[f]++
	switch {
	case f.Name != name:
		// Who minds the case does not look at the value.
	case !utf8.ValidString(value) && f.Type.Kind == contracts.KindString:
		// How many characters the bytes are read as decides its length; it is unspecified already.
	case strings.Contains(value, "%u") && !valueIsWhole:
		r.unspecified("old JavaScript escapes characters as %u and four digits, and some servers read that")
	case r.afterSemicolons(value):
		r.unspecified("a semicolon separated pairs in HTML 4, and no longer does")
	case r.seen[f] > 1:
		r.unspecified("a duplicate name is read in more than one way")
	default:
		r.e = mostSevere(r.e, r.value(f, value))
	}
}

// unescape decodes percent escapes and plus signs; a malformed escape stands for itself, and
// makes whole false.
func unescape(text string) (decoded string, whole bool) {
	if decoded, err := url.QueryUnescape(text); err == nil {
		return decoded, true
	}
	var b strings.Builder
	for i := 0; i < len(text); {
		if text[i] == '%' && i+2 < len(text) {
			if one, err := url.QueryUnescape(text[i : i+3]); err == nil {
				b.WriteString(one)
				i += 3
				continue
			}
		}
		if text[i] == '+' {
			b.WriteByte(' ')
		} else {
			b.WriteByte(text[i])
		}
		i++
	}
	return b.String(), false
}

// afterSemicolons counts the fields that a value holds if semicolons separate pairs.
func (r *formReading) afterSemicolons(value string) (found bool) {
	for _, part := range strings.Split(value, ";")[1:] {
		name, _, pair := strings.Cut(part, "=")
		if f := r.o.model.field(name); pair && f != nil {
			r.seen[f]++
			found = true
		}
	}
	return found
}

// element reads a name of the form List[0].Field; nil for any other name.
func (r *formReading) element(name, value string) *Expectation {
	m := indexed.FindStringSubmatch(name)
	if m == nil {
		return nil
	}
	list := r.o.model.field(m[1])
	if list == nil || list.Name != m[1] || list.elements == nil {
		return nil
	}
	f := list.elements.field(m[3])
	if f == nil || f.Name != m[3] {
		return nil
	}
	e := r.value(f, value)
	r.found.note(list, r.o.accept(), false, "")
	index, _ := strconv.Atoi(m[2]) // the pattern admits digits only
	switch elements := r.elements[list]; {
	case index == len(elements):
		r.elements[list] = append(elements, map[*fieldPlan]bool{f: true})
	case index+1 == len(elements) && !elements[index][f]:
		elements[index][f] = true
	default:
		r.hinted[list] = true
		e = list.unspecified("the page does not say what a gap in the indices is, or a name that is there twice")
	}
	return &e
}

// listBefore is the list whose name is the first part of a longer one, as in List[a].Field;
// nil if there is none.
func (r *formReading) listBefore(name string) *fieldPlan {
	if end := strings.IndexAny(name, ".["); end > 0 {
		if f := r.o.model.field(name[:end]); f != nil && f.elements != nil {
			return f
		}
	}
	return nil
}

// value reads the value of a field.
func (r *formReading) value(f *fieldPlan, s string) Expectation {
	e := r.o.readFormValue(f, s)
	if e.Outcome == OutcomeReject || s != "" {
		r.found.note(f, e, false, s)
	}
	return e
}

func (o *Oracle) readFormValue(f *fieldPlan, s string) Expectation {
	if strings.TrimSpace(s) != "" {
		return f.reading.text(o, f, s)
	}
	if f.Type.Kind == contracts.KindString {
		e := readString(o, f, s)
		if e.Outcome == OutcomeReject && f.required == nil {
			return f.unspecified("an empty value of a form may be none")
		}
		return e
	}
	if f.required != nil {
		return f.missing() // which a form spells so
	}
	if s == "" && f.Type.AdmitsNull() {
		e := o.accept().WithLatitude("the page does not say that an empty value is none")
		e.Basis = "an empty value is none, and the field is not required"
		return e
	}
	return f.blank()
}

func isASCII(s string) bool {
	return !slices.ContainsFunc([]byte(s), func(c byte) bool { return c >= utf8.RuneSelf })
}
