package webapi

import (
	"unicode"
	"unicode/utf8"
)

func (r *reader) isSpace() bool {
	c := r.b[r.pos]
	if c < utf8.RuneSelf {
		return c == ' ' || c >= '\t' && c <= '\r'
	}
	u, _ := utf8.DecodeRune(r.b[r.pos:])
	return unicode.IsSpace(u)
}

func (r *reader) newLine() {
	r.line++
	r.lineStart = r.pos
}

func (r *reader) lineFeed() {
	r.pos++
	r.newLine()
}

// carriageReturn takes CR and the LF after it. The framework looks one
// character further than it needs, so an LF that ends the text counts by itself.
func (r *reader) carriageReturn(keep bool) *fault {
	r.pos++
	ok, f := r.ensure(1, keep)
	if f != nil {
		return f
	}
	if ok && r.b[r.pos] == '\n' {
		r.pos++
	}
	r.newLine()
	return nil
}

// space takes one character if it is white space or NUL. done reports the end
// of the text.
func (r *reader) space() (took, done bool, f *fault) {
	if r.pos == len(r.b) {
		ok, f := r.more(false)
		return ok, !ok, f
	}
	switch c := r.b[r.pos]; {
	case c == ' ' || c == '\t' || c == 0:
		r.pos++
		return true, false, nil
	case c == '\n':
		r.lineFeed()
		return true, false, nil
	case c == '\r':
		return true, false, r.carriageReturn(false)
	case c > ' ' && c < utf8.RuneSelf:
		return false, false, nil
	case r.isSpace():
		r.skipChar()
		return true, false, nil
	}
	return false, false, nil
}

// spaces takes white space up to the next character or the end.
func (r *reader) spaces() *fault {
	for {
		took, _, f := r.space()
		if f != nil || !took {
			return f
		}
	}
}

func (r *reader) comment(asToken bool) *fault {
	r.pos++
	ok, f := r.ensure(1, false)
	if f != nil {
		return f
	}
	if !ok {
		return r.fail(faultEnd, "Unexpected end while parsing comment.")
	}
	c := r.b[r.pos]
	if c != '*' && c != '/' {
		return r.fail(faultSyntax, "Error parsing comment. Expected: *, got ", r.char(), ".")
	}
	toLineEnd := c == '/'
	r.pos++
	for {
		if r.pos == len(r.b) {
			ok, f := r.more(true)
			if f != nil {
				return f
			}
			if ok {
				continue
			}
			if !toLineEnd {
				return r.fail(faultEnd, "Unexpected end while parsing comment.")
			}
			break
		}
		c := r.b[r.pos]
		if toLineEnd && (c == '\r' || c == '\n') {
			break
		}
		switch c {
		case '\r':
			if f := r.carriageReturn(true); f != nil {
				return f
			}
		case '\n':
			r.lineFeed()
		case '*':
			r.pos++
			if toLineEnd {
				continue
			}
			ok, f := r.ensure(0, true)
			if f != nil {
				return f
			}
			if ok && r.b[r.pos] == '/' {
				if asToken {
					f = r.set(tokenComment, tokenValue{}, true)
				}
				r.pos++
				return f
			}
		default:
			r.pos++
		}
	}
	if asToken {
		return r.set(tokenComment, tokenValue{}, true)
	}
	return nil
}
