package dotnet

import (
	"bytes"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// This file is .NET's StreamReader: which encoding a body is read in, and what
// happens at bytes that are invalid in it.
//
// The formatter knows two encodings, UTF-8 and UTF-16 (little endian), and both
// throw at invalid bytes. A byte-order mark overrides either with an encoding
// that puts U+FFFD there instead. The reader gets its bytes 1,024 at a time, so
// invalid bytes cost the whole chunk they are in, when it is reached.

const chunkSize = 1024

// DecodeBody returns the text of a body as UTF-8. Where bytes are invalid and
// must throw it returns a source that delivers the text chunk by chunk.
func DecodeBody(body []byte, utf16LE bool) (text []byte, source *ChunkedSource) {
	mark := func(m string) bool { return len(body) >= len(m) && string(body[:len(m)]) == m }
	switch {
	case utf16LE && mark("\xFF\xFE"):
		body = body[2:]
	case mark("\xFE\xFF"):
		return decodeUTF16(body[2:], true), nil
	case mark("\xFF\xFE\x00\x00"):
		return decodeUTF32(body[4:], false), nil
	case mark("\xFF\xFE"):
		return decodeUTF16(body[2:], false), nil
	case mark("\xEF\xBB\xBF"):
		return replaceInvalid(body[3:]), nil
	case mark("\x00\x00\xFE\xFF"):
		return decodeUTF32(body[4:], true), nil
	}
	if utf16LE {
		for at := 0; at+1 < len(body); at += 2 {
			if n := utf16Unit(body, at); n == 0 {
				return nil, &ChunkedSource{body: body, utf16: true, capacity: chunkSize}
			} else if n == 2 {
				at += 2
			}
		}
		return decodeUTF16(body, false), nil
	}
	if utf8.Valid(body) {
		return body, nil
	}
	for at := 0; at < len(body); {
		n, valid, cut := sequence(body[at:])
		if cut {
			return body[:at], nil // an end that is cut short is never flushed
		}
		if !valid {
			return nil, &ChunkedSource{body: body, capacity: chunkSize}
		}
		at += n
	}
	return body, nil
}

// sequence measures the UTF-8 sequence b begins with: its length, or how many
// bytes of an invalid one .NET reports. cut says that it could still be valid
// if more bytes followed.
func sequence(b []byte) (n int, valid, cut bool) {
	c := b[0]
	var need int
	switch {
	case c < 0x80:
		return 1, true, false
	case c >= 0xC2 && c < 0xE0:
		need = 1
	case c >= 0xE0 && c < 0xF0:
		need = 2
	case c >= 0xF0 && c < 0xF5:
		need = 3
	default:
		return 1, false, false
	}
	for i := 1; i <= need; i++ {
		if i == len(b) {
			return i, false, true
		}
		if b[i]&0xC0 != 0x80 {
			return i, false, false
		}
		if i == 1 &&
			(c == 0xE0 && b[1] < 0xA0 || c == 0xED && b[1] >= 0xA0 || c == 0xF0 && b[1] < 0x90 || c == 0xF4 &&
				b[1] >= 0x90) {
			return 2, false, false
		}
	}
	return need + 1, true, false
}

func replaceInvalid(b []byte) []byte {
	if utf8.Valid(b) {
		return b
	}
	out := make([]byte, 0, len(b))
	for len(b) > 0 {
		n, valid, cut := sequence(b)
		switch {
		case cut:
			return out
		case valid:
			out = append(out, b[:n]...)
		default:
			out = utf8.AppendRune(out, utf8.RuneError)
		}
		b = b[n:]
	}
	return out
}

// utf16Unit is the number of code units of the character at b[at:], 0 if it is
// half a pair.
func utf16Unit(b []byte, at int) int {
	u := rune(b[at]) | rune(b[at+1])<<8
	if !utf16.IsSurrogate(u) {
		return 1
	}
	if at+3 < len(b) && utf16.DecodeRune(u, rune(b[at+2])|rune(b[at+3])<<8) != utf8.RuneError {
		return 2
	}
	return 0
}

func decodeUTF16(b []byte, bigEndian bool) []byte {
	out := make([]byte, 0, len(b))
	low, high := 0, 1
	if bigEndian {
		low, high = 1, 0
	}
	unit := func(at int) rune { return rune(b[at+low]) | rune(b[at+high])<<8 }
	for at := 0; at+1 < len(b); at += 2 {
		u := unit(at)
		if utf16.IsSurrogate(u) {
			next := rune(0)
			if at+3 < len(b) {
				next = unit(at + 2)
			}
			if u = utf16.DecodeRune(u, next); u != utf8.RuneError {
				at += 2
			}
		}
		out = utf8.AppendRune(out, u)
	}
	return out
}

func decodeUTF32(b []byte, bigEndian bool) []byte {
	out := make([]byte, 0, len(b))
	for ; len(b) >= 4; b = b[4:] {
		u := uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
		if bigEndian {
			u = uint32(b[3]) | uint32(b[2])<<8 | uint32(b[1])<<16 | uint32(b[0])<<24
		}
		if u > utf8.MaxRune {
			u = utf8.RuneError
		}
		out = utf8.AppendRune(out, rune(u)) // which replaces surrogates
	}
	return out
}

// ChunkedSource delivers a body with invalid bytes as the framework's readers
// do. It keeps count of Json.NET's character buffer, because how much of it is
// free decides how far ahead of the parser a chunk is decoded, and so where in
// the document its exception appears.
type ChunkedSource struct {
	body  []byte
	utf16 bool
	next  int    // first byte not yet decoded
	carry []byte // of a sequence that a chunk's end has cut
	ready []byte // decoded text that was not asked for yet
	text  []byte // all text delivered so far
	units int    // its length in UTF-16 units

	capacity int // of the character buffer
	start    int // UTF-16 offset of the buffer in the text
	cached   struct{ at, units int }
}

// unitsTo is the UTF-16 offset of a byte offset of the text.
func (s *ChunkedSource) unitsTo(at int) int {
	if at < s.cached.at {
		s.cached.at, s.cached.units = 0, 0
	}
	s.cached.units += UTF16Length(s.text[s.cached.at:at])
	s.cached.at = at
	return s.cached.units
}

// Shift is Json.NET's moving of what is unread, from the byte at of the text on, to
// the front of its buffer when it has reached the last tenth.
func (s *ChunkedSource) Shift(at int) {
	if pos := s.unitsTo(at); float64(s.capacity-(pos-s.start)) <= float64(s.capacity)*0.1 {
		s.start = pos
	}
}

// Read fills the buffer once and returns all text so far; ok is false if there is no
// more. The parser stands at the byte at of the text; keep says that it still needs
// text before that. problem is the text of a DecoderFallbackException; the text that
// the same call had decoded before is lost with it.
func (s *ChunkedSource) Read(at int, keep bool) (text []byte, ok bool, problem string) {
	used := s.units - s.start
	if used >= s.capacity-1 {
		if keep {
			s.capacity *= 2
		} else {
			s.start = s.unitsTo(at)
			used = s.units - s.start
		}
	}
	room := s.capacity - used - 1
	var got []byte
	for room > 0 {
		short := false
		if len(s.ready) == 0 {
			short, problem = s.chunk()
			if problem != "" {
				return nil, false, problem
			}
			if len(s.ready) == 0 {
				break
			}
		}
		n, units := 0, 0
		for n < len(s.ready) && units < room {
			_, size := utf8.DecodeRune(s.ready[n:])
			n += size
			units += 1 + size/4
		}
		got, s.ready = append(got, s.ready[:n]...), s.ready[n:]
		room -= units
		s.units += units
		if short {
			break
		}
	}
	s.text = append(s.text, got...)
	return s.text, len(got) > 0, ""
}

// chunk decodes chunks until one gives text. short reports that it was the last.
func (s *ChunkedSource) chunk() (short bool, problem string) {
	for len(s.ready) == 0 && s.next < len(s.body) {
		end := min(s.next+chunkSize, len(s.body))
		short = end-s.next < chunkSize
		carried := len(s.carry)
		chunk := append(s.carry, s.body[s.next:end]...)
		s.next, s.carry = end, nil
		at := 0
		for at < len(chunk) {
			var n int
			var valid, cut bool
			if s.utf16 {
				n, valid, cut = sequence16(chunk[at:])
			} else {
				n, valid, cut = sequence(chunk[at:])
			}
			if cut {
				s.carry = bytes.Clone(chunk[at:])
				break
			}
			if !valid {
				var list []byte
				for _, c := range chunk[at : at+n] {
					list = fmt.Appendf(list, "[%02X]", c)
				}
				s.ready = nil
				return false, fmt.Sprintf(
					"Unable to translate bytes %s at index %d from specified code page to Unicode.",
					list,
					at-carried,
				)
			}
			at += n
		}
		if s.utf16 {
			s.ready = decodeUTF16(chunk[:at], false)
		} else {
			s.ready = chunk[:at]
		}
	}
	return short, ""
}

func sequence16(b []byte) (n int, valid, cut bool) {
	if len(b) < 2 {
		return len(b), false, true
	}
	if u := rune(b[0]) | rune(b[1])<<8; u >= 0xD800 && u < 0xDC00 && len(b) < 4 {
		return len(b), false, true
	}
	if n := utf16Unit(b, 0); n > 0 {
		return 2 * n, true, false
	}
	return 2, false, false
}

// UTF16Length counts UTF-16 code units, .NET's measure of a string.
func UTF16Length(b []byte) int {
	n := 0
	for _, c := range b {
		switch {
		case c < 0x80 || c >= 0xC0 && c < 0xF0:
			n++
		case c >= 0xF0:
			n += 2
		}
	}
	return n
}

// UnitSize is the length in bytes of the character that b begins with; half a
// surrogate pair has three.
func UnitSize(b []byte) int {
	if _, size := utf8.DecodeRune(b); size > 1 || !HasHalf(b[:min(len(b), 3)]) {
		return size
	}
	return 3
}

// Half is one half of the surrogate pair of a character of four bytes.
func Half(b []byte, which int) []byte {
	u, _ := utf8.DecodeRune(b)
	high, low := utf16.EncodeRune(u)
	if which == 1 {
		high = low
	}
	return []byte{0xE0 | byte(high>>12), 0x80 | byte(high>>6)&0x3F, 0x80 | byte(high)&0x3F}
}

// HasHalf reports half of a surrogate pair in text that is otherwise UTF-8.
func HasHalf(b []byte) bool {
	for i := 0; i+1 < len(b); i++ {
		if b[i] == 0xED && b[i+1] >= 0xA0 {
			return true
		}
	}
	return false
}

// EncodeUTF16 turns text into UTF-16 little endian with a byte-order mark.
func EncodeUTF16(text []byte) []byte {
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
