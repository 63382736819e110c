package webapi

import "math"

// readFor reads the next value for a field that is read as as.
func (r *reader) readFor(as readAs) (bool, *fault) {
	if as == readAny {
		ok, f := r.read()
		if !ok || f != nil {
			return false, f
		}
		return r.moveToContent()
	}
	if f := r.readTyped(as); f != nil {
		return false, f
	}
	return r.tok != tokenNone, nil
}

// readTyped is ReadAsString, ReadAsDateTime, ReadAsInt32 or ReadAsDecimal:
// where it finds something else it has already taken a character, which is why
// one wrong value can derail what follows.
func (r *reader) readTyped(as readAs) *fault {
	switch r.state {
	case stateFinished:
		return r.finishedTyped()
	case statePostValue:
		if found, f := r.postValue(true); found || f != nil {
			return f
		}
	}
	for {
		took, done, f := r.space()
		if f != nil {
			return f
		}
		if done {
			return r.set(tokenNone, tokenValue{}, false)
		}
		if took {
			continue
		}
		switch c := r.b[r.pos]; c {
		case '"', '\'':
			if f := r.quoted(c, as); f != nil {
				return f
			}
			return r.fromString(as)
		case '-':
			ok, f := r.ensure(1, true)
			if f != nil {
				return f
			}
			if ok && r.b[r.pos+1] == 'I' {
				return r.nonFinite("-Infinity", math.Inf(-1), as)
			}
			return r.number(as)
		case '.', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
			if as == readDate {
				r.pos++
				return r.unexpected(string(rune(c)))
			}
			return r.number(as)
		case 't', 'f':
			if as != readString {
				r.pos++
				return r.unexpected(string(rune(c)))
			}
			word := "true"
			if c == 'f' {
				word = "false"
			}
			ok, f := r.match(word)
			if f != nil {
				return f
			}
			if !ok {
				return r.unexpected(r.char())
			}
			return r.set(tokenString, tokenValue{kind: valueText, text: []byte(word)}, true)
		case 'I':
			return r.nonFinite("Infinity", math.Inf(1), as)
		case 'N':
			return r.nonFinite("NaN", math.NaN(), as)
		case 'n':
			return r.typedNull()
		case '/':
			if f := r.comment(false); f != nil {
				return f
			}
		case ',':
			r.pos++
			if r.state != statePostValue {
				_ = r.set(tokenUndefined, tokenValue{}, true)
				f := r.unexpected(",")
				r.pos-- // so that the comma is met again
				return f
			}
			r.resume()
		case ']':
			r.pos++
			if r.state == stateArray || r.state == stateArrayStart || r.state == statePostValue {
				return r.set(tokenEndArray, tokenValue{}, true)
			}
			return r.unexpected("]")
		default:
			bad := r.char()
			r.skipChar()
			return r.unexpected(bad)
		}
	}
}

func (r *reader) finishedTyped() *fault {
	ok, f := r.ensure(0, false)
	if f != nil {
		return f
	}
	if ok {
		if f := r.spaces(); f != nil {
			return f
		}
		if r.eof {
			return nil
		}
		if r.b[r.pos] != '/' {
			return r.fail(faultSyntax, "Additional text encountered after finished reading JSON content: ",
				r.char(), ".")
		}
		if f := r.comment(false); f != nil {
			return f
		}
	}
	return r.set(tokenNone, tokenValue{}, true)
}

func (r *reader) typedNull() *fault {
	ok, f := r.ensure(1, true)
	if f != nil {
		return f
	}
	if !ok {
		r.pos = len(r.b)
		return r.unexpectedEnd()
	}
	if r.b[r.pos+1] == 'u' {
		return r.literal("null", tokenNull, tokenValue{}, "Error parsing null value.")
	}
	r.pos++
	bad := r.char()
	r.skipChar()
	return r.unexpected(bad)
}
