package webapi

import (
	"math"
	"unicode"
	"unicode/utf8"
)

// read moves to the next token; false at the end of the text.
func (r *reader) read() (bool, *fault) {
	for {
		switch r.state {
		case stateObjectStart, stateObject:
			return r.inObject()
		case statePostValue:
			if found, f := r.postValue(false); found || f != nil {
				return found, f
			}
		case stateFinished:
			return r.finished()
		default:
			return r.value()
		}
	}
}

func (r *reader) finished() (bool, *fault) {
	ok, f := r.ensure(0, false)
	if f != nil {
		return false, f
	}
	if ok {
		if f := r.spaces(); f != nil {
			return false, f
		}
		if r.eof {
			return false, r.set(tokenNone, tokenValue{}, true)
		}
		if r.b[r.pos] == '/' {
			return true, r.comment(true)
		}
		return false, r.fail(faultSyntax, "Additional text encountered after finished reading JSON content: ",
			r.char(), ".")
	}
	return false, r.set(tokenNone, tokenValue{}, true)
}

// value reads any token that may stand where a value may.
func (r *reader) value() (bool, *fault) {
	for {
		took, done, f := r.space()
		if f != nil || done {
			return false, f
		}
		if took {
			continue
		}
		switch c := r.b[r.pos]; c {
		case '"', '\'':
			return true, r.quoted(c, readAny)
		case 't':
			return true, r.literal("true", tokenBoolean, tokenValue{kind: valueBool, i: 1},
				"Error parsing boolean value.")
		case 'f':
			return true, r.literal("false", tokenBoolean, tokenValue{kind: valueBool}, "Error parsing boolean value.")
		case 'n':
			ok, f := r.ensure(1, true)
			if f != nil {
				return false, f
			}
			if !ok {
				r.pos++
				return false, r.unexpectedEnd()
			}
			switch r.b[r.pos+1] {
			case 'u':
				return true, r.literal("null", tokenNull, tokenValue{}, "Error parsing null value.")
			case 'e':
				return true, r.constructor()
			}
			return false, r.unexpected("n")
		case 'N':
			return true, r.nonFinite("NaN", math.NaN(), readAny)
		case 'I':
			return true, r.nonFinite("Infinity", math.Inf(1), readAny)
		case '-':
			ok, f := r.ensure(1, true)
			if f != nil {
				return false, f
			}
			if ok && r.b[r.pos+1] == 'I' {
				return true, r.nonFinite("-Infinity", math.Inf(-1), readAny)
			}
			return true, r.number(readAny)
		case '/':
			return true, r.comment(true)
		case 'u':
			return true, r.literal("undefined", tokenUndefined, tokenValue{}, "Error parsing undefined value.")
		case '{':
			r.pos++
			return true, r.set(tokenStartObject, tokenValue{}, true)
		case '[':
			r.pos++
			return true, r.set(tokenStartArray, tokenValue{}, true)
		case ']':
			r.pos++
			return true, r.set(tokenEndArray, tokenValue{}, true)
		case ',':
			// Not taken: an empty place between commas is a value of its own.
			return true, r.set(tokenUndefined, tokenValue{}, true)
		case ')':
			r.pos++
			return true, r.set(tokenEndConstructor, tokenValue{}, true)
		default:
			u, _ := utf8.DecodeRune(r.b[r.pos:])
			if c == '.' || c >= '0' && c <= '9' || u >= utf8.RuneSelf && u <= 0xFFFF && unicode.IsNumber(u) {
				return true, r.number(readAny)
			}
			return false, r.unexpected(r.char())
		}
	}
}

func (r *reader) inObject() (bool, *fault) {
	for {
		took, done, f := r.space()
		if f != nil || done {
			return false, f
		}
		if took {
			continue
		}
		switch r.b[r.pos] {
		case '}':
			f := r.set(tokenEndObject, tokenValue{}, true)
			r.pos++
			return true, f
		case '/':
			return true, r.comment(true)
		}
		return true, r.property()
	}
}

// postValue takes what may stand after a value. found means it is a token;
// otherwise a comma was taken, or the text ended.
func (r *reader) postValue(ignoreComments bool) (found bool, f *fault) {
	for {
		took, done, f := r.space()
		if f != nil {
			return false, f
		}
		if done {
			r.state = stateFinished
			return false, nil
		}
		if took {
			continue
		}
		switch r.b[r.pos] {
		case '}':
			r.pos++
			return true, r.set(tokenEndObject, tokenValue{}, true)
		case ']':
			r.pos++
			return true, r.set(tokenEndArray, tokenValue{}, true)
		case ')':
			r.pos++
			return true, r.set(tokenEndConstructor, tokenValue{}, true)
		case '/':
			if f := r.comment(!ignoreComments); f != nil || !ignoreComments {
				return f == nil, f
			}
		case ',':
			r.pos++
			r.resume()
			return false, nil
		default:
			return false, r.fail(faultSyntax, "After parsing a value an unexpected character was encountered: ",
				r.char(), ".")
		}
	}
}

func (r *reader) identifierChar() bool {
	c := r.b[r.pos]
	if c < utf8.RuneSelf {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '$'
	}
	u, _ := utf8.DecodeRune(r.b[r.pos:])
	return u <= 0xFFFF && (unicode.IsLetter(u) || unicode.IsDigit(u))
}

func (r *reader) property() *fault {
	switch c := r.b[r.pos]; {
	case c == '"' || c == '\'':
		r.pos++
		if f := r.text(c); f != nil {
			return f
		}
	case r.identifierChar():
		if f := r.unquoted(); f != nil {
			return f
		}
	default:
		return r.fail(faultSyntax, "Invalid property identifier character: ", r.char(), ".")
	}
	name := r.str
	if r.pos == len(r.b) || r.b[r.pos] != ':' {
		if f := r.spaces(); f != nil {
			return f
		}
		if r.pos == len(r.b) || r.b[r.pos] != ':' {
			return r.fail(faultSyntax, "Invalid character after parsing property name. Expected ':' but got: ",
				r.char(), ".")
		}
	}
	r.pos++
	return r.set(tokenPropertyName, tokenValue{kind: valueText, text: name}, true)
}

func (r *reader) unquoted() *fault {
	r.shift()
	start := r.pos
	for {
		if r.pos == len(r.b) {
			if f := r.need("Unexpected end while parsing unquoted property name."); f != nil {
				return f
			}
			continue
		}
		if r.identifierChar() {
			r.skipChar()
			continue
		}
		if c := r.b[r.pos]; c == 0 || c == ':' || r.isSpace() {
			r.str, r.escaped = r.b[start:r.pos], false
			return nil
		}
		return r.fail(faultSyntax, "Invalid JavaScript property identifier character: ", r.char(), ".")
	}
}

// moveToContent skips comments.
func (r *reader) moveToContent() (bool, *fault) {
	for r.tok == tokenNone || r.tok == tokenComment {
		if ok, f := r.read(); !ok || f != nil {
			return false, f
		}
	}
	return true, nil
}

// skip moves past the children of the current token.
func (r *reader) skip() *fault {
	if r.tok == tokenPropertyName {
		if _, f := r.read(); f != nil {
			return f
		}
	}
	if !r.tok.starts() {
		return nil
	}
	for depth := r.depth(); ; {
		ok, f := r.read()
		if f != nil || !ok || depth >= r.depth() {
			return f
		}
	}
}
