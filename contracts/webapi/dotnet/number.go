package dotnet

import (
	"math"
	"strconv"
	"unicode"
)

// Result is the outcome of a conversion; the framework words "not a number" and
// "does not fit" differently.
type Result uint8

const (
	// OK means that the text was converted.
	OK Result = iota
	// Invalid means that the text is in the wrong format.
	Invalid
	// Overflow means that the type does not hold the value.
	Overflow
)

// ParseDigits is Json.NET's reading of a decimal integer of 32 or 64 bits: an
// optional minus and ASCII digits. That a character is wrong counts for more
// than that the number is too large.
func ParseDigits(b []byte, bits int) (int64, Result) {
	negative := len(b) > 0 && b[0] == '-'
	if negative {
		b = b[1:]
	}
	if len(b) == 0 {
		return 0, Invalid
	}
	limit := uint64(1) << (bits - 1)
	var v uint64
	over := false
	for _, c := range b {
		d := uint64(c - '0')
		if d > 9 {
			return 0, Invalid
		}
		if v > (limit-d)/10 {
			over = true
		}
		v = v*10 + d
	}
	if over || !negative && v == limit {
		return 0, Overflow
	}
	if negative {
		return -int64(v), OK
	}
	return int64(v), OK
}

// ParseRadix is Convert.ToInt32 and ToInt64 of a literal that begins with 0:
// octal, or hexadecimal after 0x. The digits are the bits of the number, so the
// upper half is negative.
func ParseRadix(b []byte, radix, bits int) (int64, bool) {
	if radix == 16 {
		b = b[2:]
	}
	if len(b) == 0 {
		return 0, false
	}
	top := uint64(math.MaxUint64) >> (64 - bits)
	var v uint64
	for _, c := range b {
		d := HexDigit(c)
		if d < 0 || d >= radix {
			return 0, false
		}
		if v > (top-uint64(d))/uint64(radix) {
			return 0, false
		}
		v = v*uint64(radix) + uint64(d)
	}
	if bits == 32 {
		return int64(int32(v)), true
	}
	return int64(v), true
}

// isNumberSpace is the white space that .NET's number parser knows.
func isNumberSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// NumberStyle says what .NET's number parser allows around the digits.
type NumberStyle uint8

const (
	styleInteger NumberStyle = 0 // white space and a leading sign
	stylePoint   NumberStyle = 1 << iota
	styleExponent
	styleThousands
	styleTrailingSign

	// StyleFloat is NumberStyles.Float.
	StyleFloat = stylePoint | styleExponent
	// StyleNumber is NumberStyles.Number.
	StyleNumber = stylePoint | styleThousands | styleTrailingSign
)

// numberText is a number as .NET's parser collects it: 0.digits times ten to
// the power of scale.
type numberText struct {
	negative bool
	digits   []byte // without leading zeros
	scale    int
}

// maxNumberDigits is how many digits the parser keeps; it drops the rest.
const maxNumberDigits = 50

// parseNumberText is .NET's Number.ParseNumber in the invariant culture.
func parseNumberText(s []byte, style NumberStyle, buf []byte) (n numberText, ok bool) {
	i := 0
	signed, digits, nonZero, point := false, false, false, false
	for i < len(s) && (isNumberSpace(s[i]) && !signed || !signed && (s[i] == '-' || s[i] == '+')) {
		if !isNumberSpace(s[i]) {
			signed, n.negative = true, s[i] == '-'
		}
		i++
	}
	n.digits = buf[:0]
scan:
	for ; i < len(s); i++ {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			digits = true
			if c != '0' || nonZero {
				if len(n.digits) < maxNumberDigits {
					n.digits = append(n.digits, c)
				}
				if !point {
					n.scale++
				}
				nonZero = true
			} else if point {
				n.scale--
			}
		case c == '.' && style&stylePoint != 0 && !point:
			point = true
		case c == ',' && style&styleThousands != 0 && digits && !point:
		default:
			break scan
		}
	}
	if !digits {
		return n, false
	}
	if i < len(s) && s[i]|0x20 == 'e' && style&styleExponent != 0 {
		at, negative := i+1, false
		if at < len(s) && (s[at] == '+' || s[at] == '-') {
			negative = s[at] == '-'
			at++
		}
		if at < len(s) && s[at] >= '0' && s[at] <= '9' {
			e := 0
			for ; at < len(s) && s[at] >= '0' && s[at] <= '9'; at++ {
				if e = e*10 + int(s[at]-'0'); e > 1000 {
					e = 9999
				}
			}
			if negative {
				e = -e
			}
			n.scale += e
			i = at
		}
	}
	for i < len(s) && (isNumberSpace(s[i]) || style&styleTrailingSign != 0 && !signed && (s[i] == '-' || s[i] == '+')) {
		if !isNumberSpace(s[i]) {
			signed, n.negative = true, s[i] == '-'
		}
		i++
	}
	if !nonZero && !point {
		n.negative = false
	}
	for ; i < len(s); i++ { // NULs may follow any number
		if s[i] != 0 {
			return n, false
		}
	}
	return n, true
}

// ParseInt32 is int.TryParse with NumberStyles.Integer.
func ParseInt32(s []byte) (int32, Result) {
	var buf [maxNumberDigits]byte
	n, ok := parseNumberText(s, styleInteger, buf[:0])
	if !ok {
		return 0, Invalid
	}
	if n.scale > 10 {
		return 0, Overflow
	}
	v := int64(0)
	for i := 0; i < n.scale; i++ {
		v = v*10 + int64(n.digits[i]-'0')
	}
	if n.negative {
		v = -v
	}
	if v != int64(int32(v)) {
		return 0, Overflow
	}
	return int32(v), OK
}

// ParseDouble is double.TryParse with NumberStyles.Float of a literal of the
// characters that numbers have. What is too large for a double is not a number.
func ParseDouble(b []byte) (float64, bool) {
	var buf [maxNumberDigits]byte
	if _, ok := parseNumberText(b, StyleFloat, buf[:0]); !ok {
		return 0, false
	}
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil && math.IsInf(f, 0) {
		return 0, false
	}
	return f, true
}

// FormatDouble is double.ToString() in the invariant culture: 15 digits, and an
// exponent of at least two digits outside 1e-5 to 1e15.
func FormatDouble(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case f == 0:
		return "0"
	}
	mantissa := strconv.FormatFloat(f, 'e', 14, 64) // -d.dddddddddddddde±dd
	e := 0
	digits := make([]byte, 0, 15)
	negative := false
	for i := 0; i < len(mantissa); i++ {
		switch c := mantissa[i]; {
		case c == '-':
			negative = true
		case c >= '0' && c <= '9':
			digits = append(digits, c)
		case c == 'e':
			e, _ = strconv.Atoi(mantissa[i+1:])
			i = len(mantissa)
		}
	}
	for len(digits) > 1 && digits[len(digits)-1] == '0' {
		digits = digits[:len(digits)-1]
	}
	var out []byte
	if negative {
		out = append(out, '-')
	}
	switch {
	case e < -5 || e >= 15:
		out = append(out, digits[0])
		if len(digits) > 1 {
			out = append(append(out, '.'), digits[1:]...)
		}
		out = append(out, 'E')
		if e < 0 {
			out = append(out, '-')
			e = -e
		} else {
			out = append(out, '+')
		}
		if e < 10 {
			out = append(out, '0')
		}
		out = strconv.AppendInt(out, int64(e), 10)
	case e < 0:
		out = append(out, "0."...)
		for i := -1; i > e; i-- {
			out = append(out, '0')
		}
		out = append(out, digits...)
	default:
		for i := 0; i <= e || i < len(digits); i++ {
			if i == e+1 {
				out = append(out, '.')
			}
			if i < len(digits) {
				out = append(out, digits[i])
			} else {
				out = append(out, '0')
			}
		}
	}
	return string(out)
}

// IsBlank reports whether s is empty or white space in .NET's sense.
func IsBlank(s []byte) bool {
	for i := 0; i < len(s); {
		if s[i] < 0x80 {
			if c := s[i]; c != ' ' && (c < '\t' || c > '\r') {
				return false
			}
			i++
			continue
		}
		return allSpace(string(s[i:]))
	}
	return true
}

func allSpace(s string) bool {
	for _, u := range s {
		if !unicode.IsSpace(u) {
			return false
		}
	}
	return true
}

// HexDigit is the value of a hexadecimal digit, -1 for any other byte.
func HexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// ConvertInt32 is Int32Converter: a number, or a hexadecimal one after #, 0x
// or &h.
func ConvertInt32(s []byte) (int32, Result) {
	var hex []byte
	switch {
	case len(s) > 0 && s[0] == '#':
		hex = s[1:]
	case len(s) > 1 && (s[0] == '0' && s[1]|0x20 == 'x' || s[0] == '&' && s[1]|0x20 == 'h'):
		hex = s[2:]
	default:
		return ParseInt32(s)
	}
	if len(hex) == 0 || hex[0] == '-' {
		return 0, Overflow // exceptions other than FormatException, reported alike
	}
	v, result := parseHexNumber(hex, 32)
	return int32(v), result
}
