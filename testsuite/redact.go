package testsuite

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
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
	longest int      // needle
	members []member
}

// member finds the values of a field: in JSON, after its name; in JSON that is text
// of JSON, in a form and in XML, as the last group.
type member struct {
	inJSON *regexp.Regexp
	others []*regexp.Regexp
}

func newRedactor(c *Config, base *url.URL) *redactor {
	h := &redactor{}
	for _, x := range c.Headers {
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
		for _, value := range c.fixedTo(name) {
			h.add(value)
		}
		quoted := regexp.QuoteMeta(name)
		h.members = append(h.members, member{
			inJSON: regexp.MustCompile(`(?is)"` + quoted + `"\s*:\s*`),
			others: []*regexp.Regexp{
				regexp.MustCompile(`(?is)\\+"` + quoted + `\\+"\s*:\s*\\+"([^"]*?)(?:\\+"|$)`),
				regexp.MustCompile(`(?i)(?:^|[&?.])` + quoted + `=([^&\s"]+)`),
				regexp.MustCompile(`(?is)<(?:\w+:)?` + quoted + `(?:\s[^>]*)?>(.*?)(?:</|$)`),
			},
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
	needles := [][]byte{fold([]byte(secret)), fold([]byte(hex.EncodeToString([]byte(secret))))}
	// In base64 a text looks different in each of three places that it may begin at.
	// What its neighbours decide is left out.
	for before := range 3 {
		coded := base64.RawStdEncoding.EncodeToString(append(make([]byte, before), secret...))
		coded = coded[[]int{0, 2, 3}[before]:]
		if (before+len(secret))%3 != 0 {
			coded = coded[:len(coded)-1]
		}
		if len(coded) > shortest {
			needles = append(needles, fold([]byte(coded)))
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, n := range needles {
		if !slices.ContainsFunc(h.needles, func(x []byte) bool { return bytes.Equal(x, n) }) {
			h.needles = append(h.needles, n)
			h.longest = max(h.longest, len(n))
		}
	}
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
	return string(replaced([]byte(s), h.find([]byte(s)), len(s)))
}

// short is the beginning of a text without secrets, on one line of visible
// characters.
func (h *redactor) short(s string, most int) string {
	h.mu.RLock()
	defer h.mu.RUnlock()
	end := min(len(s), most*utf8.UTFMax)
	if !h.idles() {
		window := []byte(s[:min(len(s), end+longestSpelling*h.longest+kept)])
		s = string(replaced(window, h.find(window), end))
	} else {
		s = s[:end]
	}
	return cut(oneLine(s), most)
}

// excerpt keeps the beginning of a body of whole bytes, of which body is all that
// was read, without secrets. What cannot be read as text is looked into, and
// hidden whole if there is a secret in it.
func (h *redactor) excerpt(body []byte, whole int, encoding string) Text {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if h.idles() {
		return textOf(body[:min(len(body), kept)], whole)
	}
	window := body[:min(len(body), kept+longestSpelling*h.longest+kept)]
	found := h.find(window)
	for _, view := range views(body, encoding) {
		if view == nil || len(h.find(view)) > 0 {
			return Text{Text: hidden, Bytes: whole, Cut: true}
		}
	}
	return textOf(replaced(window, found, kept), whole)
}

// views are other readings of a body that is not plain text: what it is when it is
// unpacked, and without the zeroes of UTF-16 and UTF-32. Nil stands for one that
// cannot be had.
func views(body []byte, encoding string) (all [][]byte) {
	packed := strings.TrimSpace(strings.ToLower(encoding))
	var in io.Reader
	var err error
	switch {
	case bytes.HasPrefix(body, []byte{0x1F, 0x8B}):
		in, err = gzip.NewReader(bytes.NewReader(body))
	case packed == "deflate", len(body) > 2 && body[0] == 0x78 && (int(body[0])<<8|int(body[1]))%31 == 0 && !utf8.Valid(body):
		if in, err = zlib.NewReader(bytes.NewReader(body)); err != nil {
			in, err = flate.NewReader(bytes.NewReader(body)), nil
		}
	case packed != "" && packed != "identity" && packed != "gzip" && packed != "x-gzip" && len(body) > 0:
		return [][]byte{nil}
	}
	if err == nil && in != nil {
		// What does not unpack to its end was read up to there.
		unpacked, _ := io.ReadAll(io.LimitReader(in, MaxAnswer))
		all = append(all, unpacked)
		body = unpacked
	}
	if bytes.IndexByte(body, 0) >= 0 {
		all = append(all, bytes.ReplaceAll(body, []byte{0}, nil))
	}
	return all
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
	for _, at := range m.inJSON.FindAllIndex(text, -1) {
		if end := valueEnd(text, at[1]); string(text[at[1]:end]) != `"`+hidden+`"` {
			add(at[1], end, `"`+hidden+`"`)
		}
	}
	for _, other := range m.others {
		for _, at := range other.FindAllSubmatchIndex(text, -1) {
			add(at[2], at[3], hidden)
		}
	}
}

// valueEnd is where a JSON value ends that begins at a place in a text, which may be
// cut off within it.
func valueEnd(text []byte, at int) int {
	depth, quoted := 0, false
	for i := at; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			if quoted = !quoted; !quoted && depth == 0 {
				return i + 1
			}
		case quoted:
		case c == '{' || c == '[':
			depth++
		case (c == '}' || c == ']') && depth > 0:
			if depth--; depth == 0 {
				return i + 1
			}
		case depth == 0 && (c == ',' || c == '}' || c == ']' || c <= ' ' || c == '&' || c == '<'):
			return i
		}
	}
	return len(text)
}

// layers is how many times escapes are taken off: a server's error may quote JSON
// in JSON, and its log page that as HTML.
const layers = 4

// find lists what is secret in a text, in order and apart from each other.
func (h *redactor) find(text []byte) []span {
	var all []span
	add := func(from, to int, with string) {
		if from < to && string(text[from:to]) != hidden {
			all = append(all, span{from, to, with})
		}
	}
	for _, m := range h.members {
		m.find(text, add)
	}
	layer := spelled{text: text}
	for range layers {
		folded := fold(layer.text)
		for _, needle := range h.needles {
			for from := 0; ; {
				at := bytes.Index(folded[from:], needle)
				if at < 0 {
					break
				}
				begin, end := layer.source(from+at, from+at+len(needle))
				add(begin, end, hidden)
				from += at + 1
			}
		}
		next, changed := layer.plain()
		if !changed {
			break
		}
		layer = next
		for _, m := range h.members {
			m.find(layer.text, func(from, to int, _ string) {
				begin, end := layer.source(from, to)
				if from < to && !slices.ContainsFunc(all, func(s span) bool { return s.from < end && begin < s.to }) {
					add(begin, end, hidden)
				}
			})
		}
	}
	slices.SortFunc(all, func(a, b span) int {
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
	return merged
}

// fold makes alike what spellings of a secret differ in: the case of letters, a
// space and the plus that forms write for it, the two signs of base64 and those
// that stand for them in addresses.
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
	if bytes.IndexAny(s.text, `%\&`) < 0 {
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
		case '"', '\'', '\\', '/':
			return s[1:2], 2
		}
	case '&':
		const longest = 12 // bytes of a name or number of a character that is in a secret
		if end := bytes.IndexByte(s[:min(len(s), longest)], ';'); end > 0 {
			if plain := html.UnescapeString(string(s[:end+1])); plain != string(s[:end+1]) {
				return []byte(plain), end + 1
			}
		}
	}
	return nil, 0
}
