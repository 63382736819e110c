package webapi

import (
	"encoding/binary"
	"unicode/utf8"

	"github.com/seed47566266/understudy/contracts/webapi/dotnet"
)

// quoted reads a string value and makes it the token that as asks for.
func (r *reader) quoted(quote byte, as readAs) *fault {
	r.pos++
	if f := r.text(quote); f != nil {
		return f
	}
	r.afterValue(true)
	switch as {
	case readString:
		return r.set(tokenString, tokenValue{kind: valueText, text: r.str}, false)
	case readInt32, readDecimal:
		return nil // the caller converts str
	}
	date, ok, inRange := dotnet.DateToken(r.str, r.zone, r.escaped)
	if !inRange {
		// The exception of DateTime's constructor has no place in the text.
		r.exc = fault{
			why: faultConvert,
			message: "Ticks must be between DateTime.MinValue.Ticks and DateTime.MaxValue.Ticks.\nParameter name: " +
				"ticks",
		}
		return &r.exc
	}
	if ok {
		return r.set(tokenDate, tokenValue{kind: valueDate, date: date}, false)
	}
	return r.set(tokenString, tokenValue{kind: valueText, text: r.str}, false)
}

// plain marks the bytes that a string holds as they are and that end no line.
var plain = func() (t [256]bool) {
	for i := range t {
		t[i] = i != '"' && i != '\'' && i != '\\' && i != '\r' && i != '\n'
	}
	return t
}()

// plainWord reports eight bytes of which each is plain.
func plainWord(w uint64) bool {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	// A byte of x is zero where (x-ones)&^x has its top bit; a byte above a zero one may
	// have it too, which costs a second look and no more.
	zero := func(x uint64) uint64 { return (x - ones) &^ x }
	return (zero(w^ones*'"')|zero(w^ones*'\'')|zero(w^ones*'\\')|zero(w^ones*'\r')|zero(w^ones*'\n'))&tops == 0
}

// text reads a string after its opening quote into str.
func (r *reader) text(quote byte) *fault {
	r.shift()
	start, from, at := r.pos, r.pos, r.pos
	scratch := len(r.scratch)
	for {
		for len(r.b)-at >= 8 && plainWord(binary.LittleEndian.Uint64(r.b[at:])) {
			at += 8
		}
		for at < len(r.b) && plain[r.b[at]] {
			at++
		}
		if at == len(r.b) {
			ok, f := r.more(true)
			if f != nil {
				return f
			}
			if ok {
				continue
			}
			r.pos = at
			return r.fail(faultEnd, "Unterminated string. Expected delimiter: ", string(rune(quote)), ".")
		}
		switch c := r.b[at]; c {
		case '\\':
			r.pos = at + 1
			ok, f := r.ensure(0, true)
			if f != nil {
				return f
			}
			if !ok {
				return r.fail(faultEnd, "Unterminated string. Expected delimiter: ", string(rune(quote)), ".")
			}
			r.scratch = append(r.scratch, r.b[from:at]...)
			if f := r.escape(); f != nil {
				return f
			}
			at, from = r.pos, r.pos
		case '\r':
			r.pos = at
			if f := r.carriageReturn(true); f != nil {
				return f
			}
			at = r.pos
		case '\n':
			r.pos = at
			r.lineFeed()
			at = r.pos
		default: // a quote
			at++
			if c != quote {
				continue
			}
			r.pos = at
			if len(r.scratch) == scratch && from == start {
				r.str, r.escaped = r.b[start:at-1], false
				return nil
			}
			r.scratch = append(r.scratch, r.b[from:at-1]...)
			r.str, r.escaped = r.scratch[scratch:len(r.scratch):len(r.scratch)], true
			return nil
		}
	}
}

// escape reads what follows a backslash, at pos, into scratch.
func (r *reader) escape() *fault {
	c := r.b[r.pos]
	switch c {
	case 'b':
		c = '\b'
	case 't':
		c = '\t'
	case 'n':
		c = '\n'
	case 'f':
		c = '\f'
	case 'r':
		c = '\r'
	case '\\', '"', '\'', '/':
	case 'u':
		r.pos++
		return r.unicodeEscape()
	default:
		bad := r.char()
		r.skipChar()
		return r.fail(faultSyntax, `Bad JSON escape sequence: \`, bad, ".")
	}
	r.pos++
	r.scratch = append(r.scratch, c)
	return nil
}

func (r *reader) unicodeEscape() *fault {
	unit, f := r.hexUnit()
	if f != nil {
		return f
	}
	for unit >= 0xD800 && unit < 0xDC00 {
		// A high surrogate is worth something only before an escaped low one.
		ok, f := r.ensure(2, true)
		if f != nil {
			return f
		}
		if !ok || r.b[r.pos] != '\\' || r.b[r.pos+1] != 'u' {
			unit = utf8.RuneError
			break
		}
		r.pos += 2
		next, f := r.hexUnit()
		if f != nil {
			return f
		}
		if next >= 0xDC00 && next < 0xE000 {
			unit = 0x10000 + (unit-0xD800)<<10 + (next - 0xDC00)
			break
		}
		r.scratch = utf8.AppendRune(r.scratch, utf8.RuneError)
		unit = next
	}
	if unit >= 0xDC00 && unit < 0xE000 {
		unit = utf8.RuneError
	}
	r.scratch = utf8.AppendRune(r.scratch, unit)
	return nil
}

func (r *reader) hexUnit() (rune, *fault) {
	ok, f := r.ensure(4, true)
	if f != nil {
		return 0, f
	}
	if !ok {
		return 0, r.fail(faultEnd, "Unexpected end while parsing Unicode escape sequence.")
	}
	var unit rune
	for i := 0; i < 4; i++ {
		d := dotnet.HexDigit(r.b[r.pos+i])
		if d < 0 {
			return 0, r.fail(faultSyntax, `Invalid Unicode escape sequence: \u`, r.units(4), ".")
		}
		unit = unit<<4 | rune(d)
	}
	r.pos += 4
	return unit, nil
}

// fromString converts the string just read.
func (r *reader) fromString(as readAs) *fault {
	s := r.str
	switch as {
	case readInt32:
		if len(s) == 0 {
			return r.set(tokenNull, tokenValue{}, false)
		}
		i, result := dotnet.ParseInt32(s)
		if result == dotnet.OK {
			return r.set(tokenInteger, tokenValue{kind: valueInt, i: int64(i)}, false)
		}
		_ = r.set(tokenString, tokenValue{kind: valueText, text: s}, false)
		return r.fail(faultConvert, "Could not convert string to integer: ", string(s), ".")
	case readDecimal:
		if len(s) == 0 {
			return r.set(tokenNull, tokenValue{}, false)
		}
		if d, result := dotnet.ParseDecimal(s, dotnet.StyleNumber); result == dotnet.OK {
			return r.set(tokenFloat, tokenValue{kind: valueDecimal, decimal: d}, false)
		}
		d, result, overflow := dotnet.ParseDecimalLiteral(s)
		if overflow {
			return r.decimalOverflow()
		}
		if result == dotnet.OK {
			return r.set(tokenFloat, tokenValue{kind: valueDecimal, decimal: d}, false)
		}
		_ = r.set(tokenString, tokenValue{kind: valueText, text: s}, false)
		return r.fail(faultConvert, "Could not convert string to decimal: ", string(s), ".")
	case readDate:
		if r.tok == tokenDate {
			return nil
		}
		if len(s) == 0 {
			return r.set(tokenNull, tokenValue{}, false)
		}
		d, ok := dotnet.ParseJSONDate(s, r.zone)
		if ok {
			return r.set(tokenDate, tokenValue{kind: valueDate, date: d}, false)
		}
		return r.fail(faultConvert, "Could not convert string to DateTime: ", string(s), ".")
	}
	return nil
}
