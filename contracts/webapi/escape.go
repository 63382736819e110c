package webapi

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

const lowerHex = "0123456789abcdef"

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
