package webapi

import "github.com/seed47566266/understudy/contracts/webapi/dotnet"

// number reads a literal of the characters that any of Json.NET's numbers has
// and converts it for as.
func (r *reader) number(as readAs) *fault {
	r.shift()
	start, at := r.pos, r.pos
scan:
	for {
		if at == len(r.b) {
			r.pos = at
			ok, f := r.more(true)
			if f != nil {
				return f
			}
			if !ok {
				break
			}
			continue
		}
		switch c := r.b[at]; {
		case c >= '0' && c <= '9', c == '.', c == '-', c == '+', c >= 'a' && c <= 'f', c >= 'A' &&
			c <= 'F', c == 'x', c == 'X':
			at++
		case c == ',' || c == '}' || c == ']' || c == ')' || c == '/' || c == 0:
			r.pos = at
			break scan
		default:
			r.pos = at
			if !r.isSpace() {
				return r.fail(faultSyntax, "Unexpected character encountered while parsing number: ", r.char(), ".")
			}
			break scan
		}
	}
	// A number that cannot be converted leaves the reader after it.
	r.afterValue(true)
	return r.convertNumber(as, r.b[start:r.pos])
}

// notNumber leaves the reader as ThrowReaderError does.
func (r *reader) notNumber(message ...string) *fault {
	_ = r.set(tokenUndefined, tokenValue{}, false)
	return r.fail(faultConvert, message...)
}

func (r *reader) convertNumber(as readAs, n []byte) *fault {
	single := len(n) == 1 && n[0] >= '0' && n[0] <= '9'
	// A leading zero that is not "0.", "0e" makes it octal or, with x, hexadecimal.
	radix := 10
	if len(n) > 1 && n[0] == '0' && n[1] != '.' && n[1]|0x20 != 'e' {
		radix = 8
		if n[1]|0x20 == 'x' {
			radix = 16
		}
	}
	invalid := func(what string) *fault {
		return r.notNumber("Input string '", string(n), "' is not a valid ", what, ".")
	}
	switch as {
	case readDate:
		// A minus sign gets here; any other digit was rejected before.
		return r.fail(faultConvert, "Cannot read number value as type.")
	case readString:
		if radix != 10 {
			if _, ok := dotnet.ParseRadix(n, radix, 64); !ok {
				return invalid("number")
			}
		} else if _, ok := dotnet.ParseDouble(n); !ok {
			return invalid("number")
		}
		return r.set(tokenString, tokenValue{kind: valueText, text: n}, false)
	case readInt32:
		var v int64
		switch {
		case single:
			v = int64(n[0] - '0')
		case radix != 10:
			u, ok := dotnet.ParseRadix(n, radix, 32)
			if !ok {
				return invalid("integer")
			}
			v = u
		default:
			i, result := dotnet.ParseDigits(n, 32)
			switch result {
			case dotnet.Overflow:
				return r.notNumber("JSON integer ", string(n), " is too large or small for an Int32.")
			case dotnet.Invalid:
				return invalid("integer")
			}
			v = i
		}
		return r.set(tokenInteger, tokenValue{kind: valueInt, i: v}, false)
	case readDecimal:
		var v dotnet.Decimal
		switch {
		case single:
			v = dotnet.DecimalOf(int64(n[0] - '0'))
		case radix != 10:
			i, ok := dotnet.ParseRadix(n, radix, 64)
			if !ok {
				return invalid("decimal")
			}
			v = dotnet.DecimalOf(i)
		default:
			d, result, f := dotnet.ParseDecimalLiteral(n)
			if f {
				return r.decimalOverflow()
			}
			if result != dotnet.OK {
				return invalid("decimal")
			}
			v = d
		}
		return r.set(tokenFloat, tokenValue{kind: valueDecimal, decimal: v}, false)
	}
	if single {
		return r.set(tokenInteger, tokenValue{kind: valueInt, i: int64(n[0] - '0')}, false)
	}
	if radix != 10 {
		i, ok := dotnet.ParseRadix(n, radix, 64)
		if !ok {
			return invalid("number")
		}
		return r.set(tokenInteger, tokenValue{kind: valueInt, i: i}, false)
	}
	i, result := dotnet.ParseDigits(n, 64)
	switch result {
	case dotnet.OK:
		return r.set(tokenInteger, tokenValue{kind: valueInt, i: i}, false)
	case dotnet.Overflow:
		// The framework gives up on integers that JavaScript cannot hold.
		if len(n) > 380 {
			return r.notNumber("JSON integer ", string(n), " is too large to parse.")
		}
		return r.set(tokenInteger, tokenValue{kind: valueBig, text: n}, false)
	}
	f, ok := dotnet.ParseDouble(n)
	if !ok {
		return invalid("number")
	}
	return r.set(tokenFloat, tokenValue{kind: valueFloat, f: f}, false)
}

// decimalOverflow is the System.OverflowException that decimal arithmetic
// throws out of Json.NET's parser; it has no place in it.
func (r *reader) decimalOverflow() *fault {
	r.exc = fault{why: faultConvert, message: "Value was either too large or too small for a Decimal."}
	return &r.exc
}
