package webapi

// match takes word and reports whether it stood there and a separator follows.
func (r *reader) match(word string) (bool, *fault) {
	ok, f := r.ensure(len(word)-1, true)
	if f != nil {
		return false, f
	}
	if !ok {
		r.pos = len(r.b)
		return false, r.unexpectedEnd()
	}
	for i := 0; i < len(word); i++ {
		if r.b[r.pos] != word[i] {
			return false, nil
		}
		r.pos++
	}
	if ok, f = r.ensure(0, false); !ok {
		return f == nil, f
	}
	switch c := r.b[r.pos]; c {
	case 0, '}', ']', ',':
		return true, nil
	case '/':
		ok, f := r.ensure(1, false)
		return ok && (r.b[r.pos+1] == '*' || r.b[r.pos+1] == '/'), f
	case ')':
		return r.state == stateConstructor || r.state == stateConstructorStart, nil
	}
	return r.isSpace(), nil
}

func (r *reader) literal(word string, t token, v tokenValue, problem string) *fault {
	ok, f := r.match(word)
	if f != nil {
		return f
	}
	if !ok {
		return r.fail(faultSyntax, problem)
	}
	return r.set(t, v, true)
}

func (r *reader) nonFinite(word string, v float64, as readAs) *fault {
	ok, f := r.match(word)
	switch {
	case f != nil:
		return f
	case !ok:
		return r.fail(faultSyntax, "Error parsing ", word, " value.")
	case as == readAny:
		return r.set(tokenFloat, tokenValue{kind: valueFloat, f: v}, true)
	case as == readString:
		return r.set(tokenString, tokenValue{kind: valueText, text: []byte(word)}, true)
	}
	return r.fail(faultConvert, "Cannot read ", word, " value.")
}

// constructor reads "new Name(", a JavaScript constructor.
func (r *reader) constructor() *fault {
	ok, f := r.match("new")
	if f != nil {
		return f
	}
	if !ok {
		return r.fail(faultSyntax, "Unexpected content while parsing JSON.")
	}
	if f := r.spaces(); f != nil {
		return f
	}
	start := r.pos
	var end int
scan:
	for {
		if r.pos == len(r.b) {
			if f := r.need("Unexpected end while parsing constructor."); f != nil {
				return f
			}
			continue
		}
		end = r.pos
		switch c := r.b[r.pos]; {
		case c == 0:
			r.pos++
			break scan
		case c == '(':
			break scan
		case c == '\r':
			if f := r.carriageReturn(true); f != nil {
				return f
			}
			break scan
		case c == '\n':
			r.lineFeed()
			break scan
		case r.isSpace():
			r.skipChar()
			break scan
		case c != '_' && c != '$' && r.identifierChar():
			r.skipChar()
		default:
			return r.fail(faultSyntax, "Unexpected character while parsing constructor: ", r.char(), ".")
		}
	}
	name := r.b[start:end]
	if f := r.spaces(); f != nil {
		return f
	}
	if r.pos == len(r.b) || r.b[r.pos] != '(' {
		return r.fail(faultSyntax, "Unexpected character while parsing constructor: ", r.char(), ".")
	}
	r.pos++
	return r.set(tokenStartConstructor, tokenValue{kind: valueText, text: name}, true)
}
