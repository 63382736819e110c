package webapi

import (
	"bytes"
	"hash/maphash"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// modelState is ModelStateDictionary: errors by key, in the order the keys were
// first used. Keys differ in more than case.
type modelState struct {
	entries []stateEntry
	keys    []byte         // arena of the entries' keys
	index   map[uint64]int // last entry by the hash of the folded key, once there are many
	failed  bool
}

type stateEntry struct {
	key   []byte
	next  int        // entry before it with the same hash, -1 if none
	count int        // of errors; an entry may have none
	first stateError // most keys have one
	more  []stateError
}

// stateError is a message, or an exception whose text only detail shows.
type stateError struct {
	text      string
	exception bool
}

const errorOccurred = "An error has occurred."

func (s *modelState) reset() {
	s.entries = s.entries[:0]
	s.keys = s.keys[:0]
	s.index = nil
	s.failed = false
}

// manyKeys is where a map becomes cheaper than comparing every key.
const manyKeys = 16

var keySeed = maphash.MakeSeed()

// hashKey hashes a key without regard to the case of ASCII letters.
func hashKey(key []byte) uint64 {
	var h maphash.Hash
	h.SetSeed(keySeed)
	for _, c := range key {
		_ = h.WriteByte(lowerASCII(c)) // never fails
	}
	return h.Sum64()
}

// entry finds or makes the entry of a key.
func (s *modelState) entry(key []byte) *stateEntry {
	var hash uint64
	if s.index == nil {
		for i := range s.entries {
			if len(s.entries[i].key) == len(key) && bytes.EqualFold(s.entries[i].key, key) {
				return &s.entries[i]
			}
		}
		if len(s.entries) >= manyKeys {
			s.index = map[uint64]int{}
			for i := range s.entries {
				s.chain(i, hashKey(s.entries[i].key))
			}
		}
	}
	if s.index != nil {
		hash = hashKey(key)
		if i, found := s.index[hash]; found {
			for ; i >= 0; i = s.entries[i].next {
				if bytes.EqualFold(s.entries[i].key, key) {
					return &s.entries[i]
				}
			}
		}
	}
	n := len(s.entries)
	if n < cap(s.entries) {
		s.entries = s.entries[:n+1]
	} else {
		s.entries = append(s.entries, stateEntry{})
	}
	if len(s.keys)+len(key) > cap(s.keys) {
		// Entries keep the old arena alive.
		s.keys = make([]byte, 0, max(2*cap(s.keys), len(key), 1024))
	}
	at := len(s.keys)
	s.keys = append(s.keys, key...)
	e := &s.entries[n]
	e.key, e.count, e.more = s.keys[at:len(s.keys):len(s.keys)], 0, e.more[:0]
	if s.index != nil {
		s.chain(n, hash)
	}
	return e
}

// chain makes entry i the last one of its hash.
func (s *modelState) chain(i int, hash uint64) {
	s.entries[i].next = -1
	if before, found := s.index[hash]; found {
		s.entries[i].next = before
	}
	s.index[hash] = i
}

func (s *modelState) message(key []byte, text string) {
	s.entry(key).add(stateError{text: text})
	s.failed = true
}

func (s *modelState) exception(key []byte, text string) {
	s.entry(key).add(stateError{text: text, exception: true})
	s.failed = true
}

func (e *stateEntry) add(err stateError) {
	if e.count == 0 {
		e.first = err
	} else {
		e.more = append(e.more, err)
	}
	e.count++
}

// valid reports whether no key that is key or lies under it has an error.
func (s *modelState) valid(key string) bool {
	for i := range s.entries {
		e := &s.entries[i]
		if e.count == 0 || len(e.key) < len(key) || !strings.EqualFold(string(e.key[:len(key)]), key) {
			continue
		}
		if len(e.key) == len(key) || e.key[len(key)] == '.' || e.key[len(key)] == '[' {
			return false
		}
	}
	return true
}

// append writes the answer of BadRequest(ModelState).
func (s *modelState) append(out []byte, detail bool) []byte {
	out = appendPair(append(out, '{'), "Message", invalidRequest)
	out = append(out, `,"ModelState":{`...)
	first := true
	for i := range s.entries {
		e := &s.entries[i]
		if e.count == 0 {
			continue
		}
		if !first {
			out = append(out, ',')
		}
		first = false
		out = append(out, '"')
		out = appendEscaped(out, e.key, '"')
		out = append(out, `":[`...)
		out = e.first.append(out, detail)
		for _, err := range e.more {
			out = err.append(append(out, ','), detail)
		}
		out = append(out, ']')
	}
	return append(out, "}}"...)
}

func (err stateError) append(out []byte, detail bool) []byte {
	text := err.text
	if err.exception && !detail || text == "" {
		text = errorOccurred
	}
	return append(appendEscapedString(append(out, '"'), text), '"')
}

// appendMessage writes an HttpError of one message.
func appendMessage(out []byte, message string) []byte {
	return append(appendPair(append(out, '{'), "Message", message), '}')
}

func appendPair(out []byte, name, text string) []byte {
	out = append(append(append(out, '"'), name...), `":"`...)
	out = appendEscapedString(out, text)
	return append(out, '"')
}

func appendEscapedString(out []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if asIs[s[i]] {
			continue
		}
		return appendEscaped(out, []byte(s), '"')
	}
	return append(out, s...)
}

// asIs marks the bytes that Json.NET writes unchanged between double quotes,
// as far as one byte tells: C2 and E2 begin U+0085, U+2028 and U+2029.
var asIs = func() (t [256]bool) {
	for i := range t {
		t[i] = i >= ' ' && i != '"' && i != '\\' && i != 0xC2 && i != 0xE2
	}
	return t
}()

// appendEscaped writes text between quotes as Json.NET does, without them.
func appendEscaped(out, s []byte, quote byte) []byte {
	from := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if asIs[c] && (c != '\'' || quote == '"') {
			continue
		}
		width := 1
		var escape string
		switch c {
		case '\t':
			escape = `\t`
		case '\n':
			escape = `\n`
		case '\r':
			escape = `\r`
		case '\f':
			escape = `\f`
		case '\b':
			escape = `\b`
		case '\\':
			escape = `\\`
		case '"', '\'':
			if c != quote {
				continue
			}
			escape = `\` + string(rune(c))
		case 0xC2:
			if i+1 >= len(s) || s[i+1] != 0x85 {
				continue
			}
			escape, width = `\u0085`, 2
		case 0xE2:
			if i+2 >= len(s) || s[i+1] != 0x80 || s[i+2]&^1 != 0xA8 {
				continue
			}
			escape, width = `\u2028`, 3
			if s[i+2] == 0xA9 {
				escape = `\u2029`
			}
		default:
			out = append(out, s[from:i]...)
			out = append(out, '\\', 'u', '0', '0', lowerHex[c>>4], lowerHex[c&15])
			from = i + 1
			continue
		}
		out = append(out, s[from:i]...)
		out = append(out, escape...)
		i += width - 1
		from = i + 1
	}
	return append(out, s[from:]...)
}

// encodeUTF16 turns an answer into UTF-16 little endian with a byte-order mark.
func encodeUTF16(text []byte) []byte {
	out := make([]byte, 0, 2+2*len(text))
	out = append(out, 0xFF, 0xFE)
	for len(text) > 0 {
		u, size := utf8.DecodeRune(text)
		text = text[size:]
		if u > 0xFFFF {
			high, low := utf16.EncodeRune(u)
			out = append(out, byte(high), byte(high>>8), byte(low), byte(low>>8))
			continue
		}
		out = append(out, byte(u), byte(u>>8))
	}
	return out
}
