package testsuite

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"html"
	"io"
	"log"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf16"
	"unicode/utf8"
)

// hidden stands where a secret was.
const hidden = "[hidden]"

// discardLog is for servers of a Handler: what it panics with is in no output.
var discardLog = log.New(io.Discard, "", 0)

// redactor takes secrets out of text: whatever a run shows or keeps goes through
// it first, whole, and is cut after that. A secret is found however its characters
// are spelled (percent-encoded, escaped for JSON or HTML, each in its own way, in
// layers), without regard to case, and in base64 and hexadecimal.
type redactor struct {
	mu      sync.RWMutex
	needles [][]byte // folded
	coded   [][]byte // in base64 and hexadecimal, folded
	longest int      // needle
	members []member
}

// member finds the values of a field, after its name in JSON, in forms and in texts
// like them, with its quotes as they are spelled there, and in XML, between tags.
type member struct{ name, tag *regexp.Regexp }

func newRedactor(c *Config, payloads *Payloads, base *url.URL) *redactor {
	h := &redactor{}
	for _, x := range c.Target.Headers {
		h.addHeader(x.Name, x.Value)
	}
	for _, s := range c.Secrets {
		h.add(s)
	}
	if base.User != nil {
		password, _ := base.User.Password()
		h.addPair(base.User.Username(), password)
	}
	for _, name := range c.Redact {
		for _, value := range payloads.fixedTo(name) {
			h.add(value)
		}
		quoted := regexp.QuoteMeta(name)
		h.members = append(h.members, member{
			name: regexp.MustCompile(`(?i)(?:^|[^\w])` + quoted + `(\\*["'` + "`" + `])?\s*[:=]\s*`),
			tag:  regexp.MustCompile(`(?is)<(?:\w+:)?` + quoted + `(?:\s[^>]*)?>(.*?)(?:</|$)`),
		})
	}
	return h
}

// shortest is the shortest text in bytes that is taken for a secret: a shorter one
// would take half of every report with it.
const shortest = 4

// add makes a text secret.
func (h *redactor) add(secret string) {
	if len(secret) < shortest {
		return
	}
	coded := [][]byte{fold([]byte(hex.EncodeToString([]byte(secret))))}
	// In base64 a text looks different in each of three places that it may begin at.
	// What its neighbours decide is left out.
	for before := range 3 {
		text := base64.RawStdEncoding.EncodeToString(append(make([]byte, before), secret...))
		text = text[[]int{0, 2, 3}[before]:]
		if (before+len(secret))%3 != 0 {
			text = text[:len(text)-1]
		}
		if len(text) > shortest {
			coded = append(coded, fold([]byte(text)))
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.needles = h.with(h.needles, fold([]byte(secret)))
	for _, text := range coded {
		h.coded = h.with(h.coded, text)
	}
}

// with is a list of needles and one more, unless it is there.
func (h *redactor) with(list [][]byte, needle []byte) [][]byte {
	if slices.ContainsFunc(list, func(x []byte) bool { return bytes.Equal(x, needle) }) {
		return list
	}
	h.longest = max(h.longest, len(needle))
	return append(list, needle)
}

// addPair makes the credentials of Basic secret.
func (h *redactor) addPair(user, password string) {
	h.add(password)
	h.add(user + ":" + password)
}

// addHeader makes the value of a header secret, and its parts: a token after its
// scheme, the pair in Basic, each cookie.
func (h *redactor) addHeader(name, value string) {
	h.add(value)
	scheme, rest, found := strings.Cut(value, " ")
	if found {
		h.add(strings.TrimSpace(rest))
	}
	if strings.EqualFold(scheme, "Basic") {
		coded := strings.TrimRight(strings.TrimSpace(rest), "=")
		if pair, err := base64.RawStdEncoding.DecodeString(coded); err == nil {
			user, password, _ := strings.Cut(string(pair), ":")
			h.addPair(user, password)
		}
	}
	if strings.EqualFold(name, "Cookie") || found {
		for _, part := range strings.FieldsFunc(value, func(r rune) bool { return r == ';' || r == ',' }) {
			if _, secret, found := strings.Cut(part, "="); found {
				h.add(strings.Trim(strings.TrimSpace(secret), `"`))
			}
		}
	}
}

// longestSpelling is how many bytes one character of a secret may take: an escape
// of an escape.
const longestSpelling = 12

// idles reports that there is nothing to hide.
func (h *redactor) idles() bool { return len(h.needles)+len(h.members) == 0 }

// text is a text without secrets.
func (h *redactor) text(s string) string {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if h.idles() {
		return s
	}
	found, settled := h.find([]byte(s))
	if !settled {
		return hidden
	}
	return string(replaced([]byte(s), found, len(s)))
}

// short is the beginning of a text without secrets, on one line of visible
// characters.
func (h *redactor) short(s string, most int) string {
	h.mu.RLock()
	defer h.mu.RUnlock()
	end := min(len(s), most*utf8.UTFMax)
	if !h.idles() {
		window := []byte(s[:min(len(s), end+longestSpelling*h.longest+kept)])
		found, settled := h.find(window)
		if s = hidden; settled {
			s = string(replaced(window, found, end))
		}
	} else {
		s = s[:end]
	}
	return cut(oneLine(s), most)
}

// excerpt keeps the first bytes, most of them, of a body of a length, of which body is
// what was read, without secrets. Where there are any, a body that is not UTF-8 is
// hidden whole: it may be packed, or in another encoding.
func (h *redactor) excerpt(body []byte, length, most int) Text {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if h.idles() {
		return textOf(body[:min(len(body), most)], length)
	}
	whole := Text{Text: hidden, Bytes: length, Cut: true}
	window := body[:min(len(body), most+longestSpelling*h.longest+kept)]
	if !utf8.Valid(trimmed(window)) {
		return whole
	}
	found, settled := h.find(window)
	if !settled {
		return whole
	}
	// UTF-16 and UTF-32 of plain letters are UTF-8 with zeroes.
	if bytes.IndexByte(window, 0) >= 0 {
		if wide, settled := h.find(bytes.ReplaceAll(window, []byte{0}, nil)); len(wide) > len(found) || !settled {
			return whole
		}
	}
	return textOf(replaced(window, found, most), length)
}

// span is a part of a text that is replaced.
type span struct {
	from, to int
	with     string
}

// replaced is the first bytes of a text, with spans replaced. A span that begins
// before the end is whole.
func replaced(text []byte, spans []span, end int) []byte {
	end = min(end, len(text))
	if len(spans) == 0 {
		return text[:end]
	}
	out := make([]byte, 0, end)
	at := 0
	for _, s := range spans {
		if s.from >= end {
			break
		}
		out = append(append(out, text[at:s.from]...), s.with...)
		at = s.to
	}
	if at < end {
		out = append(out, text[at:end]...)
	}
	return out
}

// find calls add for each value of a field in a text, and what stands for it.
func (m *member) find(text []byte, add func(from, to int, with string)) {
	for _, at := range m.name.FindAllSubmatchIndex(text, -1) {
		from, to := valueAfter(text, at[1])
		quoted := at[2] >= 0 && text[at[2]] == '"'
		switch value := string(text[from:to]); {
		case quoted && value == `"`+hidden+`"`:
		case quoted:
			add(from, to, `"`+hidden+`"`)
		default:
			add(from, to, hidden)
		}
	}
	for _, at := range m.tag.FindAllSubmatchIndex(text, -1) {
		add(at[2], at[3], hidden)
	}
}

// valueAfter is where a value begins and ends at a place in a text, which may be cut
// off within it. Of a text whose quotes are escaped it is what is between them.
func valueAfter(text []byte, at int) (from, to int) {
	escapes := 0
	for at+escapes < len(text) && text[at+escapes] == '\\' {
		escapes++
	}
	if escapes > 0 && at+escapes < len(text) && text[at+escapes] == '"' {
		from = at + escapes + 1
		if end := bytes.Index(text[from:], text[at:from]); end >= 0 {
			return from, from + end
		}
		return from, len(text)
	}
	depth, quote := 0, byte(0)
	for i := at; i < len(text); i++ {
		switch c := text[i]; {
		case quote != 0 && c == '\\':
			i++
		case quote != 0 && c == quote:
			if quote = 0; depth == 0 {
				return at, i + 1
			}
		case quote != 0:
		case c == '"' || i == at && (c == '\'' || c == '`'):
			quote = c
		case c == '{' || c == '[':
			depth++
		case (c == '}' || c == ']') && depth > 0:
			if depth--; depth == 0 {
				return at, i + 1
			}
		case depth == 0 && (c == ',' || c == '}' || c == ']' || c <= ' ' || c == '&' || c == '<' || c == ';'):
			return at, i
		}
	}
	return at, len(text)
}

// layers is how many times escapes are taken off: a server's error may quote JSON
// in JSON, and its log page that as HTML.
const layers = 4

// find lists what is secret in a text, in order and apart from each other. Settled is
// false for a text that still has escapes below as many layers as are taken off.
func (h *redactor) find(text []byte) (found []span, settled bool) {
	var all []span
	add := func(from, to int, with string) {
		if from < to && string(text[from:to]) != hidden {
			all = append(all, span{from, to, with})
		}
	}
	layer, changed := spelled{text: text}, true
	for depth := 0; changed && depth <= layers; depth++ {
		for _, m := range h.members {
			m.find(layer.text, func(from, to int, with string) {
				if depth > 0 {
					from, to, with = within(layer.text, from, to)
				}
				if from < to {
					from, to = layer.source(from, to)
					add(from, to, with)
				}
			})
		}
		folded := fold(layer.text)
		for _, needle := range h.needles {
			layer.each(folded, needle, add)
		}
		if len(h.coded) > 0 {
			joined := layer.joined(folded)
			for _, needle := range h.coded {
				joined.each(joined.text, needle, add)
			}
		}
		layer, changed = layer.plain()
	}
	slices.SortStableFunc(all, func(a, b span) int {
		if a.from != b.from {
			return a.from - b.from
		}
		return b.to - a.to
	})
	merged := all[:0]
	for _, s := range all {
		if n := len(merged); n > 0 && s.from < merged[n-1].to {
			merged[n-1].to = max(merged[n-1].to, s.to)
			continue
		}
		merged = append(merged, s)
	}
	return merged, !changed
}

// within is what is between the quotes of a value, which may be cut off.
func within(text []byte, from, to int) (int, int, string) {
	if from < to && text[from] == '"' {
		from++
		if from < to && text[to-1] == '"' {
			to--
		}
	}
	return from, to, hidden
}

// each calls add for each place of a text at which a needle is in its folded form.
func (s *spelled) each(folded, needle []byte, add func(from, to int, with string)) {
	for from := 0; ; {
		at := bytes.Index(folded[from:], needle)
		if at < 0 {
			return
		}
		begin, end := s.source(from+at, from+at+len(needle))
		add(begin, end, hidden)
		from += at + len(needle)
	}
}

// joined is a text without what may stand between the digits of base64 and of
// hexadecimal numbers.
func (s *spelled) joined(folded []byte) *spelled {
	out := &spelled{text: make([]byte, 0, len(folded)), from: []int32{}}
	for i, c := range folded {
		if c == ':' || c == '\n' || c == '\r' || c == '\t' || s.text[i] == ' ' || s.text[i] == '-' && s.dashes(i) {
			continue
		}
		from, to := s.source(i, i+1)
		out.text = append(out.text, c)
		out.from = append(out.from, int32(from))
		out.to = append(out.to, int32(to))
	}
	return out
}

// dashes reports a dash between pairs of hexadecimal digits, as in 5A-78, which is no
// sign of base64.
func (s *spelled) dashes(i int) bool {
	return i >= 2 && i+2 < len(s.text) && isHex(s.text[i-1]) && isHex(s.text[i-2]) && isHex(s.text[i+1]) &&
		isHex(s.text[i+2])
}

func isHex(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f' }

// fold makes alike what spellings of a secret differ in: the case of letters, a
// space and the plus that forms write for it, the two signs of base64 and those
// that stand for them in addresses, and quotes.
func fold(text []byte) []byte {
	out := make([]byte, len(text))
	for i, c := range text {
		switch {
		case c >= 'A' && c <= 'Z':
			c += 'a' - 'A'
		case c == ' ' || c == '-':
			c = '+'
		case c == '_':
			c = '/'
		case c == '\'' || c == '`':
			c = '"'
		}
		out[i] = c
	}
	return out
}

// spelled is a text and where each of its bytes was spelled in another one.
type spelled struct {
	text     []byte
	from, to []int32 // nil: each where it is
}

// source is the part of the first text that a part of this one was spelled in.
func (s *spelled) source(from, to int) (int, int) {
	if s.from == nil {
		return from, to
	}
	return int(s.from[from]), int(s.to[to-1])
}

// plain takes one layer of escapes off a text.
func (s *spelled) plain() (out spelled, changed bool) {
	if !bytes.ContainsAny(s.text, `%\&“”‘’`) {
		return spelled{}, false
	}
	n := len(s.text)
	out = spelled{text: make([]byte, 0, n), from: make([]int32, 0, n), to: make([]int32, 0, n)}
	for i := 0; i < len(s.text); {
		value, width := unescape(s.text[i:])
		if width == 0 {
			value, width = s.text[i:i+1], 1
		} else {
			changed = true
		}
		from, to := s.source(i, i+width)
		for _, c := range value {
			out.text = append(out.text, c)
			out.from = append(out.from, int32(from))
			out.to = append(out.to, int32(to))
		}
		i += width
	}
	return out, changed
}

// unescape reads one escape of an address, of JSON or of HTML at the beginning of
// a text. Width is 0 if there is none.
func unescape(s []byte) (value []byte, width int) {
	code := func(from, digits int) (uint64, bool) {
		if len(s) < from+digits {
			return 0, false
		}
		n, err := strconv.ParseUint(string(s[from:from+digits]), 16, 32)
		return n, err == nil
	}
	switch s[0] {
	case 0xE2: // quotes of typographers, for those of JSON
		if len(s) > 2 && s[1] == 0x80 && (s[2] == 0x98 || s[2] == 0x99 || s[2] == 0x9C || s[2] == 0x9D) {
			return []byte{'"'}, 3
		}
	case '%':
		if n, ok := code(1, 2); ok {
			return []byte{byte(n)}, 3
		}
	case '\\':
		if len(s) < 2 {
			return nil, 0
		}
		switch s[1] {
		case 'u', 'U':
			n, ok := code(2, 4)
			if !ok {
				return nil, 0
			}
			if low, ok := code(8, 4); ok && utf16.IsSurrogate(rune(n)) && s[6] == '\\' && s[7]|0x20 == 'u' {
				if r := utf16.DecodeRune(rune(n), rune(low)); r != utf8.RuneError {
					return utf8.AppendRune(nil, r), 12
				}
			}
			return utf8.AppendRune(nil, rune(n)), 6
		case 'x':
			if n, ok := code(2, 2); ok {
				return []byte{byte(n)}, 4
			}
		case '"', '\'', '\\', '/', '`':
			return s[1:2], 2
		case 'n', 'r', 't', 'b', 'f':
			return []byte{map[byte]byte{'n': '\n', 'r': '\r', 't': '\t', 'b': '\b', 'f': '\f'}[s[1]]}, 2
		}
	case '&':
		const longest = 32 // bytes of the name or number of a character
		if end := bytes.IndexByte(s[:min(len(s), longest)], ';'); end > 0 {
			if plain := html.UnescapeString(string(s[:end+1])); plain != string(s[:end+1]) {
				return []byte(plain), end + 1
			}
		}
	}
	return nil, 0
}
