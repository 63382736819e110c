package dotnet

import (
	"bytes"
	"unicode/utf8"
)

// DecodeForm decodes plus signs and percent-encoding. Malformed escapes
// stay as they are; bytes that are not UTF-8 become U+FFFD.
func DecodeForm(raw []byte) string {
	if bytes.IndexByte(raw, '%') < 0 && bytes.IndexByte(raw, '+') < 0 && utf8.Valid(raw) {
		return string(raw)
	}
	out := make([]byte, 0, len(raw))
	start := 0 // of bytes that are decoded together
	flush := func() {
		if decoded := out[start:]; !utf8.Valid(decoded) {
			text := string(toValid(decoded))
			out = append(out[:start], text...)
		}
		start = len(out)
	}
	for i := 0; i < len(raw); {
		c := raw[i]
		switch {
		case c == '+':
			out = append(out, ' ')
			i++
		case c == '%' && i+2 < len(raw) && HexDigit(raw[i+1]) >= 0 && HexDigit(raw[i+2]) >= 0:
			out = append(out, byte(HexDigit(raw[i+1])<<4|HexDigit(raw[i+2])))
			i += 3
		case c < utf8.RuneSelf:
			out = append(out, c)
			i++
		default:
			flush()
			n, valid, _ := sequence(raw[i:])
			if valid {
				out = append(out, raw[i:i+n]...)
			} else {
				out = utf8.AppendRune(out, utf8.RuneError)
			}
			i += n
			start = len(out)
		}
	}
	flush()
	return string(out)
}

// toValid is replaceInvalid for text that is complete: an end that is cut short
// is replaced too.
func toValid(b []byte) []byte {
	out := make([]byte, 0, len(b)+2)
	for len(b) > 0 {
		n, valid, _ := sequence(b)
		if valid {
			out = append(out, b[:n]...)
		} else {
			out = utf8.AppendRune(out, utf8.RuneError)
		}
		b = b[n:]
	}
	return out
}
