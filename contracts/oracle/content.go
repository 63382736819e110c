package oracle

import (
	"bytes"
	"errors"
	"mime"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/seed47566266/understudy/contracts"
)

// mediaType is the media type of a body, without parameters and in lower case.
func mediaType(r *contracts.Request) string {
	name, _, _ := strings.Cut(r.Header("Content-Type"), ";")
	return strings.ToLower(strings.TrimSpace(name))
}

// readContent reads media type, charset and body.
func (o *Oracle) readContent(r *contracts.Request, found *findings) Expectation {
	rule, line := contracts.RuleID{Kind: contracts.RuleRequest, Media: o.json.MediaType}, o.json.Fact.Line
	if coding := r.Header("Content-Encoding"); coding != "" {
		return Unspecified(ruleHTTP, 0, "the page does not say which content codings are accepted")
	}
	count := 0
	for _, h := range r.Headers {
		if strings.EqualFold(h.Name, "Content-Type") {
			count++
		}
	}
	contentType := r.Header("Content-Type")
	if count == 0 || strings.TrimSpace(contentType) == "" {
		if len(bytes.TrimSpace(r.Body)) == 0 {
			return o.nothing(found, "there is no body")
		}
		return Unspecified(rule, line, "a body without Content-Type may be taken for anything")
	}
	if count > 1 {
		return Unspecified(ruleHTTP, 0, "two Content-Type lines are read in more than one way")
	}
	name := mediaType(r)
	format := o.operation.RequestFormat(name)
	if format == nil {
		return o.readOtherMedia(name, rule, line)
	}
	e := o.accept()
	charset := ""
	_, parameters, hasParameters := strings.Cut(contentType, ";")
	_, values, err := mime.ParseMediaType(contentType)
	if err != nil || hasParameters && strings.TrimSpace(parameters) == "" {
		e = Unspecified(ruleHTTP, 0, "its parameters are malformed, which servers accept or reject")
	} else {
		charset = strings.ToLower(values["charset"])
	}
	if contentType != name && contentType != name+"; charset=utf-8" {
		e = mostSevere(e, o.accept().WithLatitude(
			"the page lists "+format.MediaType+" and says nothing about other spellings and parameters"))
	}
	if format.IsForm() {
		if charset != "" && charset != "utf-8" {
			e = mostSevere(e, Unspecified(ruleHTTP, 0, "the page names no charset for forms"))
		}
		return mostSevere(e, o.readForm(r.Body, found))
	}
	return mostSevere(e, o.readText(r.Body, charset, found))
}

// readOtherMedia reads a media type that the page does not list.
func (o *Oracle) readOtherMedia(name string, rule contracts.RuleID, line int) Expectation {
	if strings.HasSuffix(name, "/*") {
		return Unspecified(rule, line, "a media range is not a media type, but servers match it as one")
	}
	e := reject(rule, line, "the page does not list this media type").
		WithLatitude("the page lists media types and forbids no others")
	for _, f := range o.operation.RequestFormats {
		if strings.HasPrefix(name, f.MediaType) {
			e = e.WithLatitude("its name begins with " + f.MediaType + ", and some servers look no further")
		}
	}
	if strings.HasSuffix(name, "+json") {
		e = e.WithLatitude("its suffix marks JSON (RFC 6839, section 3.1)")
	}
	return e
}

// nothing is the expectation for a request without any value: it lacks the required
// fields, or, where none is, a body.
func (o *Oracle) nothing(found *findings, basis string) Expectation {
	if f := o.model.missing(func(*fieldPlan) bool { return false }, found); f != nil {
		e := f.missing()
		e.Basis = basis + ": " + e.Basis
		return e
	}
	return reject(ruleBody, o.operation.Model().Fact.Line, basis)
}

// mark is the byte-order mark in UTF-8.
const mark = "\xEF\xBB\xBF"

// readText reads a body of JSON: its encoding, its grammar, its value.
func (o *Oracle) readText(body []byte, charset string, found *findings) Expectation {
	const utf8Only = "JSON is UTF-8 (RFC 8259, section 8.1)"
	e := o.accept()
	text := body
	switch {
	case charset == "utf-16" || charset == "utf-16le" || charset == "utf-16be":
		decoded, ok := fromUTF16(body, charset == "utf-16be")
		if !ok {
			return reject(ruleJSON, 0, "JSON has no charset (RFC 8259, section 11), and this one does not fit").
				WithLatitude("a server may go by the bytes and not by the charset")
		}
		text = decoded
		e = Unspecified(ruleJSON, 0, utf8Only+", and the charset names another encoding")
	case bytes.HasPrefix(body, []byte(mark)):
		for bytes.HasPrefix(text, []byte(mark)) {
			text = text[len(mark):]
		}
		e = Unspecified(ruleJSON, 0, "a byte-order mark may be ignored or rejected (RFC 8259, section 8.1)")
	case len(body) > 4 && (bytes.HasPrefix(body, []byte("\xFF\xFE")) && body[2] != 0 ||
		bytes.HasPrefix(body, []byte("\xFE\xFF"))):
		if decoded, ok := fromUTF16(body[2:], body[0] == 0xFE); ok {
			text = decoded
			e = Unspecified(ruleJSON, 0, utf8Only+", but a reader may go by the byte-order mark")
		}
	case charset != "" && charset != "utf-8":
		e = Unspecified(ruleJSON, 0, utf8Only+", and the charset names another encoding")
		if !utf8.Valid(body) {
			return e
		}
	}
	if (charset == "" || charset == "utf-8") && isWide(text) {
		const basis = utf8Only + "; these bytes are UTF-16 or UTF-32"
		if v, err := parseJSON(text); err == nil && o.readBody(v, len(text), &findings{}).Outcome != OutcomeReject {
			return Unspecified(ruleJSON, 0, basis) // a parser that skips NUL finds nothing invalid
		}
		return reject(ruleJSON, 0, basis).
			WithLatitude("a reader may tell the encoding by the first bytes (RFC 4627, section 3)")
	}
	if !utf8.Valid(text) {
		e := reject(ruleJSON, 0, utf8Only+"; these bytes are not")
		if _, err := parseJSON(bytes.ToValidUTF8(text, []byte("\uFFFD"))); err == nil {
			e = e.WithLatitude("many parsers put U+FFFD in place of such bytes")
		}
		return e
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return o.nothing(found, "there is no value in the body")
	}
	value, err := parseJSON(text)
	switch {
	case errors.Is(err, errDepth) && closes(text):
		return mostSevere(e,
			Unspecified(ruleJSON, 0, "how deep JSON may nest is the parser's choice (RFC 8259, section 9)"))
	case err != nil:
		return reject(ruleJSON, 0, "it is not JSON (RFC 8259)")
	}
	switch {
	case value.extended && o.strict:
		return reject(ruleJSON, 0, "it is not JSON (RFC 8259), whatever some parsers accept")
	case value.extended:
		e = mostSevere(e,
			Unspecified(ruleJSON, 0, "it is not JSON, but an extension that a parser may accept (RFC 8259, section 9)"))
	}
	if value.surrogate {
		e = mostSevere(e,
			Unspecified(ruleJSON, 0, "half of a surrogate pair is read in more than one way (RFC 8259, section 8.2)"))
	}
	return mostSevere(e, o.readBody(value, len(text), found))
}

// isWide reports text that begins as UTF-16 or UTF-32 does where JSON begins, with two
// characters of ASCII (RFC 4627, section 3).
func isWide(b []byte) bool {
	return len(b) >= 4 && (b[0] == 0) != (b[1] == 0) || len(b) >= 4 && b[0] == 0 && b[1] == 0 && b[2] == 0
}

// fromUTF16 decodes text in UTF-16; ok is false if it is something else.
func fromUTF16(b []byte, bigEndian bool) (text []byte, ok bool) {
	if len(b)%2 != 0 {
		return nil, false
	}
	b = bytes.TrimPrefix(b, []byte("\xFF\xFE"))
	units := make([]uint16, 0, len(b)/2)
	for i := 0; i+1 < len(b); i += 2 {
		u := uint16(b[i]) | uint16(b[i+1])<<8
		if bigEndian {
			u = u>>8 | u<<8
		}
		units = append(units, u)
	}
	decoded := string(utf16.Decode(units))
	// Bytes of another encoding make characters that no JSON has outside strings.
	if trimmed := strings.TrimSpace(decoded); trimmed == "" || !strings.ContainsAny(trimmed[:1], `{["'-0123456789tfn`) {
		return nil, false
	}
	return []byte(decoded), true
}
