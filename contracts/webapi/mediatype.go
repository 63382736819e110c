package webapi

import (
	"net/http"
	"sort"
	"strconv"
	"strings"

	"github.com/seed47566266/understudy/contracts"
)

// mediaType is a parsed media type or range.
type mediaType struct {
	name    string // type/subtype as it was sent
	charset string
	quality float64 // 1 when none is given
}

// headerScanner reads a header value by the grammar of RFC 2616 as
// System.Net.Http does: a value that breaks it counts as absent.
type headerScanner struct {
	s  string
	at int
}

func (h *headerScanner) space() {
	for h.at < len(h.s) && (h.s[h.at] == ' ' || h.s[h.at] == '\t') {
		h.at++
	}
}

// take consumes c if it is next.
func (h *headerScanner) take(c byte) bool {
	h.space()
	if h.at < len(h.s) && h.s[h.at] == c {
		h.at++
		return true
	}
	return false
}

func (h *headerScanner) end() bool {
	h.space()
	return h.at == len(h.s)
}

func (h *headerScanner) token() string {
	h.space()
	start := h.at
	for h.at < len(h.s) && h.s[h.at] > ' ' && h.s[h.at] < 0x7F &&
		strings.IndexByte(`()<>@,;:\"/[]?={}`, h.s[h.at]) < 0 {
		h.at++
	}
	return h.s[start:h.at]
}

// value is a token or a quoted string, which keeps its quotes.
func (h *headerScanner) value() string {
	h.space()
	if h.at == len(h.s) || h.s[h.at] != '"' {
		return h.token()
	}
	start := h.at
	for h.at++; h.at < len(h.s); h.at++ {
		switch h.s[h.at] {
		case '\\':
			h.at++
		case '"':
			h.at++
			return h.s[start:h.at]
		}
	}
	return ""
}

func (h *headerScanner) mediaType() (m mediaType, ok bool) {
	m.quality = 1
	main := h.token()
	if main == "" || !h.take('/') {
		return m, false
	}
	sub := h.token()
	if sub == "" {
		return m, false
	}
	m.name = main + "/" + sub
	for h.take(';') {
		name := h.token()
		if name == "" {
			return m, false
		}
		value := ""
		if h.take('=') {
			if value = h.value(); value == "" {
				return m, false
			}
		}
		switch {
		case strings.EqualFold(name, "charset"):
			m.charset = value
		case strings.EqualFold(name, "q"):
			if q, err := strconv.ParseFloat(value, 64); err == nil {
				m.quality = q
			}
		}
	}
	return m, true
}

// parseContentType returns nil for a header that is absent or malformed.
func parseContentType(header http.Header) *mediaType {
	values := header["Content-Type"]
	if len(values) == 0 {
		return nil
	}
	switch values[0] { // what nearly every client sends
	case contracts.MediaJSON:
		return &plainJSON
	case contracts.MediaTextJSON:
		return &plainTextJSON
	}
	h := headerScanner{s: values[0]}
	m, ok := h.mediaType()
	if !ok || !h.end() {
		return nil
	}
	return &m
}

var (
	plainJSON     = mediaType{name: contracts.MediaJSON, quality: 1}
	plainTextJSON = mediaType{name: contracts.MediaTextJSON, quality: 1}
)

// specificity orders ranges of one quality: a full name, type/*, */*.
func (m *mediaType) specificity() int {
	switch {
	case m.name == "*/*":
		return 0
	case strings.HasSuffix(m.name, "/*"):
		return 1
	}
	return 2
}

// includes reports whether a supported media type is in the range m.
func (m *mediaType) includes(supported string) bool {
	switch m.specificity() {
	case 0:
		return true
	case 1:
		return len(supported) >= len(m.name) && strings.EqualFold(supported[:len(m.name)-1], m.name[:len(m.name)-1])
	}
	return strings.EqualFold(supported, m.name)
}

// commaLists reads the elements of header lines; a line that does not keep the
// grammar to its end counts for nothing.
func commaLists[T any](lines []string, element func(*headerScanner) (T, bool)) []T {
	var all []T
	for _, line := range lines {
		h := headerScanner{s: line}
		var inLine []T
		for {
			e, ok := element(&h)
			if !ok {
				inLine = nil
				break
			}
			inLine = append(inLine, e)
			if h.take(',') {
				continue
			}
			if !h.end() {
				inLine = nil
			}
			break
		}
		all = append(all, inLine...)
	}
	return all
}

// parseAccept reads every Accept line that keeps the grammar, best first.
func parseAccept(lines []string) []mediaType {
	accepted := commaLists(lines, (*headerScanner).mediaType)
	sort.SliceStable(accepted, func(i, j int) bool {
		a, b := &accepted[i], &accepted[j]
		if a.quality != b.quality {
			return a.quality > b.quality
		}
		return a.specificity() > b.specificity()
	})
	return accepted
}

// charset is one element of Accept-Charset.
type charset struct {
	name    string
	quality float64
}

func (h *headerScanner) charset() (c charset, ok bool) {
	c = charset{name: h.token(), quality: 1}
	if c.name == "" || !h.take(';') {
		return c, c.name != ""
	}
	if !strings.EqualFold(h.token(), "q") || !h.take('=') {
		return c, false
	}
	q, err := strconv.ParseFloat(h.token(), 64)
	c.quality = q
	return c, err == nil && q <= 1
}
