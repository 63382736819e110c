// Package dotnet reads and writes values as .NET does: GUIDs, decimals and other
// numbers, dates in the many spellings of DateTime.Parse and of Json.NET, the
// encodings of a StreamReader. There is no HTTP in it.
//
// Package webapi is built on it. What is promised is measured there, by recordings
// of the real framework.
package dotnet

import (
	"bytes"
	"unicode"
)

// GUID is a GUID in the order of its text.
type GUID [16]byte

const lowerHex = "0123456789abcdef"

// Append writes the form D: 8-4-4-4-12 lower-case digits.
func (g *GUID) Append(out []byte) []byte {
	n := len(out)
	out = append(out, "00000000-0000-0000-0000-000000000000"...)
	d := out[n : n+36]
	for i, at := range digitPairs {
		d[at], d[at+1] = lowerHex[g[i]>>4], lowerHex[g[i]&15]
	}
	return out
}

// nibble is the value of a hexadecimal digit, 0xFF for any other byte.
var nibble = func() (t [256]byte) {
	for i := range t {
		t[i] = 0xFF
		if d := HexDigit(byte(i)); d >= 0 {
			t[i] = byte(d)
		}
	}
	return t
}()

// ParseGUID is new Guid(string): the forms N, D, B, P and X with white space around
// them.
func ParseGUID(s []byte) (g GUID, result Result) {
	if len(s) == 36 && parseDashed(s, &g) { // the form that nearly every client sends
		return g, OK
	}
	valid := func(ok bool) (GUID, Result) {
		if !ok {
			return g, Invalid
		}
		return g, OK
	}
	s = bytes.TrimFunc(s, unicode.IsSpace)
	switch {
	case bytes.IndexByte(s, '-') >= 0:
		switch {
		case len(s) == 38 && (s[0] == '{' && s[37] == '}' || s[0] == '(' && s[37] == ')'):
			s = s[1:37]
		case len(s) != 36 || s[0] == '{' || s[0] == '(':
			return g, Invalid
		}
		if s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
			return g, Invalid
		}
		return valid(parseDashed(s, &g) || parseLoose(s, &g))
	case bytes.IndexByte(s, '{') >= 0:
		result = parseHexGroups(s, &g)
		return g, result
	case len(s) == 32:
		for i := range g {
			high, low := nibble[s[2*i]], nibble[s[2*i+1]]
			if high|low > 15 {
				return g, Invalid
			}
			g[i] = high<<4 | low
		}
		return g, OK
	}
	return g, Invalid
}

func parseDashed(s []byte, g *GUID) bool {
	if s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return false
	}
	s = s[:36]
	var all byte // every nibble, so that one test is enough
	for i, at := range digitPairs {
		high, low := nibble[s[at]], nibble[s[at+1]]
		all |= high | low
		g[i] = high<<4 | low
	}
	return all <= 15
}

// digitPairs are where the two digits of each byte stand in form D.
var digitPairs = [16]int{0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34}

// parseLoose reads the groups of form D as the framework's number parser does:
// a plus sign or 0x counts as digits of the group.
func parseLoose(s []byte, g *GUID) bool {
	out := g[:0]
	for _, group := range [][]byte{s[:8], s[9:13], s[14:18], s[19:23], s[24:]} {
		v, result := parseHexNumber(group, 64)
		if result != OK {
			return false
		}
		for i := len(group)/2 - 1; i >= 0; i-- {
			out = append(out, byte(v>>(8*i)))
		}
	}
	return true
}

// parseHexNumber takes an optional plus and 0x, then at least one digit.
func parseHexNumber(s []byte, bits int) (uint64, Result) {
	if len(s) > 0 && s[0] == '+' {
		s = s[1:]
	}
	if len(s) > 1 && s[0] == '0' && s[1]|0x20 == 'x' {
		s = s[2:]
	}
	if len(s) == 0 {
		return 0, Invalid
	}
	var v uint64
	for _, c := range s {
		d := HexDigit(c)
		if d < 0 {
			return 0, Invalid
		}
		if v>>(bits-4) != 0 {
			return 0, Overflow
		}
		v = v<<4 | uint64(d)
	}
	return v, OK
}

// parseHexGroups reads form X: {0x…,0x…,0x…,{0x…, eight times}}.
func parseHexGroups(s []byte, g *GUID) Result {
	compact := make([]byte, 0, len(s))
	for _, u := range string(s) {
		if !unicode.IsSpace(u) {
			compact = append(compact, string(u)...)
		}
	}
	s = compact
	result := OK
	// number reads one number and the character after it.
	number := func(end byte) (v uint64) {
		if result != OK {
			return 0
		}
		if n := bytes.IndexByte(s, end); n < 3 || s[0] != '0' || s[1]|0x20 != 'x' {
			result = Invalid
		} else {
			v, result = parseHexNumber(s[2:n], 32)
			s = s[n+1:]
		}
		return v
	}
	brace := func() {
		if result == OK && (len(s) == 0 || s[0] != '{') {
			result = Invalid
		} else if result == OK {
			s = s[1:]
		}
	}
	brace()
	a, b, c := number(','), number(','), number(',')
	brace()
	*g = GUID{byte(a >> 24), byte(a >> 16), byte(a >> 8), byte(a), byte(b >> 8), byte(b), byte(c >> 8), byte(c)}
	for i := 0; i < 8; i++ {
		end := byte(',')
		if i == 7 {
			end = '}'
		}
		v := number(end)
		if v > 255 {
			return Invalid
		}
		g[8+i] = byte(v)
	}
	if result == OK && string(s) != "}" {
		return Invalid
	}
	return result
}
