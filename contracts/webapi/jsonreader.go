package webapi

import (
	"bytes"
	"math"
	"math/big"
	"strconv"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// This file is Json.NET's tokenizer (JsonTextReader of Newtonsoft.Json 13) as
// its answers show it. Its dialect is wider than JSON, and what it does after an
// error decides which further errors an answer lists, so states, positions and
// the order of their changes follow it closely. jsonbind.go drives it.

type token uint8

const (
	tokenNone token = iota
	tokenStartObject
	tokenStartArray
	tokenStartConstructor
	tokenPropertyName
	tokenComment
	tokenInteger
	tokenFloat
	tokenString
	tokenBoolean
	tokenNull
	tokenUndefined
	tokenEndObject
	tokenEndArray
	tokenEndConstructor
	tokenDate
)

var tokenNames = [...]string{
	"None", "StartObject", "StartArray", "StartConstructor", "PropertyName", "Comment", "Integer",
	"Float", "String", "Boolean", "Null", "Undefined", "EndObject", "EndArray", "EndConstructor", "Date",
}

func (t token) String() string { return tokenNames[t] }

func (t token) starts() bool {
	return t == tokenStartObject || t == tokenStartArray || t == tokenStartConstructor
}

type container uint8

const (
	inNone container = iota
	inObject
	inArray
	inConstructor
)

var containerNames = [...]string{"None", "Object", "Array", "Constructor"}

type readerState uint8

const (
	stateStart readerState = iota
	stateProperty
	stateObjectStart
	stateObject
	stateArrayStart
	stateArray
	stateConstructorStart
	stateConstructor
	statePostValue
	stateFinished
)

// readAs is what the binder asks the reader for. Guid members and containers
// are read as whatever stands there.
type readAs uint8

const (
	readAny readAs = iota
	readInt32
	readDecimal
	readString
	readDate
)

// place is where the reader stands in one container.
type place struct {
	in    container
	index int    // of the current element, in arrays and constructors
	name  []byte // of the current property, in objects
}

// tokenValue is the value of a token; kind says which part of it holds.
type tokenValue struct {
	kind valueKind
	text []byte // string; digits of a big integer
	i    int64
	f    float64
	dec  decimal
	date dateTime
}

type valueKind uint8

const (
	valueNull valueKind = iota
	valueText
	valueInt
	valueBig
	valueFloat
	valueDecimal
	valueBool // i is 0 or 1
	valueDate
)

// fault is one exception of the framework on its way to the handler that logs it.
type fault struct {
	why     faultKind
	message string // as IncludeErrorDetail shows it; "" where no one will see it
}

type faultKind uint8

const (
	faultSyntax    faultKind = iota // the text is no JSON, not even in Json.NET's dialect
	faultEnd                        // the text ends early
	faultDepth                      // nested too deeply
	faultEncoding                   // bytes that are none of the charset
	faultConvert                    // a value of another kind, or out of range
	faultMissing                    // a required member is not there
	faultReference                  // $ref, $id misused
	faultPosition                   // a value or an end where it cannot stand
)

// maxDepth is the depth that Web API sets on its JSON formatter.
const maxDepth = 256

// reader reads one body. The zero value is not usable; see reset.
type reader struct {
	b      []byte // UTF-8, already decoded
	pos    int
	eof    bool // reading past the end was tried
	source *chunkedSource

	line      int
	lineStart int // byte offset
	// counted caches the UTF-16 column of a byte offset on the current line, so
	// that many errors on one long line cost one pass together.
	counted struct{ start, at, units int }

	state     readerState
	tok       token
	val       tokenValue
	here      place
	stack     []place
	overDepth bool

	str     []byte // the string or number just read
	escaped bool   // str is in scratch, not in b
	scratch []byte // unescaped text; only appended to, so that slices stay valid

	owned  bool // b is a copy of the body
	halves bool // a message holds half of a surrogate pair
	detail bool // messages will be shown
	zone   *timeZone
	exc    fault
}

func (r *reader) reset(b []byte, source *chunkedSource, detail bool, zone *timeZone) {
	*r = reader{b: b, source: source, line: 1, detail: detail, zone: zone, stack: r.stack[:0], scratch: r.scratch[:0]}
}

// fail makes the fault of a JsonReaderException: the message, then where.
func (r *reader) fail(why faultKind, message ...string) *fault {
	r.exc = fault{why: why}
	if r.detail {
		r.exc.message = r.located(message...)
	}
	return &r.exc
}

// located appends path, line and position to a message, as JsonPosition does.
func (r *reader) located(message ...string) string {
	var m []byte
	for _, s := range message {
		m = append(m, s...)
	}
	if !bytes.HasSuffix(m, []byte("\n")) {
		m = bytes.TrimFunc(m, unicode.IsSpace)
		if !bytes.HasSuffix(m, []byte(".")) {
			m = append(m, '.')
		}
		m = append(m, ' ')
	}
	m = append(m, "Path '"...)
	m = r.appendPath(m)
	m = append(m, "', line "...)
	column := r.column()
	line := r.line
	if r.state == stateStart && column == 0 && r.tok != tokenComment {
		line = 0
	}
	m = strconv.AppendInt(m, int64(line), 10)
	m = append(m, ", position "...)
	m = strconv.AppendInt(m, int64(column), 10)
	return string(append(m, '.'))
}

// column is the number of UTF-16 units between the line's start and the reader.
func (r *reader) column() int {
	c := &r.counted
	if c.start != r.lineStart || c.at > r.pos || c.at < r.lineStart {
		c.start, c.at, c.units = r.lineStart, r.lineStart, 0
	}
	c.units += utf16Length(r.b[c.at:r.pos])
	c.at = r.pos
	return c.units
}

// utf16Length counts UTF-16 code units, .NET's measure of a string.
func utf16Length(b []byte) int {
	n := 0
	for _, c := range b {
		switch {
		case c < 0x80 || c >= 0xC0 && c < 0xF0:
			n++
		case c >= 0xF0:
			n += 2
		}
	}
	return n
}

// appendPath writes the path to the current token: Reasons[0].ReasonId.
func (r *reader) appendPath(m []byte) []byte {
	if r.here.in == inNone {
		return m
	}
	start := len(m)
	for i := range r.stack {
		m = r.stack[i].append(m, start)
	}
	if r.state != stateArrayStart && r.state != stateConstructorStart && r.state != stateObjectStart {
		m = r.here.append(m, start)
	}
	return m
}

func (p *place) append(m []byte, start int) []byte {
	if p.in != inObject {
		m = append(m, '[')
		m = strconv.AppendInt(m, int64(p.index), 10)
		return append(m, ']')
	}
	if bytes.ContainsAny(p.name, ". '/\"[]()\t\n\r\f\b\\\u0085\u2028\u2029") {
		m = append(m, "['"...)
		m = appendEscaped(m, p.name, '\'')
		return append(m, "']"...)
	}
	if len(m) > start {
		m = append(m, '.')
	}
	return append(m, p.name...)
}

func (r *reader) depth() int {
	if r.tok.starts() || r.here.in == inNone {
		return len(r.stack)
	}
	return len(r.stack) + 1
}

// placeAt is the place at a depth of the stack.
func (r *reader) placeAt(depth int) *place {
	if depth < len(r.stack) {
		return &r.stack[depth]
	}
	return &r.here
}

// set makes t the current token and moves the state on. count says whether a
// finished value moves the index of the array it stands in.
func (r *reader) set(t token, v tokenValue, count bool) *fault {
	r.tok, r.val = t, v
	switch t {
	case tokenStartObject:
		r.state = stateObjectStart
		return r.push(inObject)
	case tokenStartArray:
		r.state = stateArrayStart
		return r.push(inArray)
	case tokenStartConstructor:
		r.state = stateConstructorStart
		return r.push(inConstructor)
	case tokenEndObject:
		return r.close(t, inObject)
	case tokenEndArray:
		return r.close(t, inArray)
	case tokenEndConstructor:
		return r.close(t, inConstructor)
	case tokenPropertyName:
		r.state = stateProperty
		r.here.name = v.text
	case tokenNone, tokenComment:
	default:
		r.afterValue(count)
	}
	return nil
}

func (r *reader) afterValue(count bool) {
	r.state = stateFinished
	if r.here.in != inNone {
		r.state = statePostValue
	}
	if count && r.here.in >= inArray {
		r.here.index++
	}
}

func (r *reader) push(in container) *fault {
	if r.here.in >= inArray {
		r.here.index++
	}
	if r.here.in == inNone {
		r.here = place{in: in, index: -1}
		return nil
	}
	r.stack = append(r.stack, r.here)
	r.here = place{in: in, index: -1}
	if r.depth()+1 > maxDepth && !r.overDepth {
		r.overDepth = true
		return r.fail(faultDepth, "The reader's MaxDepth of ", strconv.Itoa(maxDepth), " has been exceeded.")
	}
	return nil
}

func (r *reader) close(t token, in container) *fault {
	closed := r.here.in
	if n := len(r.stack); n > 0 {
		r.here = r.stack[n-1]
		r.stack = r.stack[:n-1]
	} else {
		r.here = place{}
	}
	if r.depth() <= maxDepth {
		r.overDepth = false
	}
	if closed != in {
		return r.fail(faultSyntax, "JsonToken ", t.String(), " is not valid for closing JsonType ", containerNames[closed], ".")
	}
	r.afterValue(false)
	return nil
}

// resume sets the state for what may follow a comma.
func (r *reader) resume() {
	switch r.here.in {
	case inObject:
		r.state = stateObject
	case inArray:
		r.state = stateArray
	case inConstructor:
		r.state = stateConstructor
	default:
		r.state = stateFinished
	}
}

// more tries to get text past the end of what is there. keep says that text
// before pos is still needed, which decides how the framework's buffer grows.
func (r *reader) more(keep bool) (bool, *fault) {
	if r.eof {
		return false, nil
	}
	if r.source != nil {
		b, text, err := r.source.read(r, keep)
		if err != "" {
			r.exc = fault{why: faultEncoding, message: err}
			return false, &r.exc
		}
		if text {
			r.b = b
			return true, nil
		}
	}
	r.eof = true
	return false, nil
}

// ensure reports whether there is a character n UTF-16 units past pos.
func (r *reader) ensure(n int, keep bool) (bool, *fault) {
	for {
		at, left := r.pos, n
		for at < len(r.b) && left > 0 {
			size := unitSize(r.b[at:])
			if size == 4 {
				left--
			}
			at += size
			left--
		}
		if at < len(r.b) {
			return true, nil
		}
		if ok, f := r.more(keep); !ok {
			return false, f
		}
	}
}

// char is the UTF-16 unit at pos, for messages: of a character outside the BMP
// half, in the form of bytes that UTF-8 would have for it (see halves).
func (r *reader) char() string {
	if r.pos >= len(r.b) {
		return "\x00" // the framework's buffer ends with one
	}
	return r.units(1)
}

// units are the next UTF-16 units, as char has them.
func (r *reader) units(count int) string {
	var out []byte
	for at := r.pos; count > 0 && at < len(r.b); count-- {
		size := unitSize(r.b[at:])
		switch {
		case size < 4:
			out = append(out, r.b[at:at+size]...)
		case count == 1:
			out = append(out, half(r.b[at:], 0)...)
		default:
			out = append(out, r.b[at:at+size]...)
			count--
		}
		at += size
	}
	r.halves = r.halves || hasHalf(out)
	return string(out)
}

// skipChar takes one UTF-16 unit. Of a character outside the BMP the second half
// remains, as three bytes in the place of four.
func (r *reader) skipChar() {
	if r.pos >= len(r.b) {
		return
	}
	size := unitSize(r.b[r.pos:])
	if size < 4 {
		r.pos += size
		return
	}
	if r.source == nil && !r.owned {
		r.b, r.owned = bytes.Clone(r.b), true // it is the caller's
	}
	low := half(r.b[r.pos:], 1)
	r.b[r.pos] = '?' // one unit, as the half that is taken
	copy(r.b[r.pos+1:], low)
	r.pos++
}

// unitSize is the length in bytes of the character that b begins with; half a
// surrogate pair has three.
func unitSize(b []byte) int {
	if _, size := utf8.DecodeRune(b); size > 1 || !hasHalf(b[:min(len(b), 3)]) {
		return size
	}
	return 3
}

// half is one half of the surrogate pair of a character of four bytes.
func half(b []byte, which int) []byte {
	u, _ := utf8.DecodeRune(b)
	high, low := utf16.EncodeRune(u)
	if which == 1 {
		high = low
	}
	return []byte{0xE0 | byte(high>>12), 0x80 | byte(high>>6)&0x3F, 0x80 | byte(high)&0x3F}
}

// hasHalf reports half of a surrogate pair in text that is otherwise UTF-8.
func hasHalf(b []byte) bool {
	for i := 0; i+1 < len(b); i++ {
		if b[i] == 0xED && b[i+1] >= 0xA0 {
			return true
		}
	}
	return false
}

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

func (r *reader) unexpected(c string) *fault {
	return r.fail(faultSyntax, "Unexpected character encountered while parsing value: ", c, ".")
}

func (r *reader) unexpectedEnd() *fault {
	return r.fail(faultEnd, "Unexpected end when reading JSON.")
}

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
		return false, r.fail(faultSyntax, "Additional text encountered after finished reading JSON content: ", r.char(), ".")
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
			return true, r.literal("true", tokenBoolean, tokenValue{kind: valueBool, i: 1}, "Error parsing boolean value.")
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
			return false, r.fail(faultSyntax, "After parsing a value an unexpected character was encountered: ", r.char(), ".")
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
			return r.fail(faultSyntax, "Invalid character after parsing property name. Expected ':' but got: ", r.char(), ".")
		}
	}
	r.pos++
	return r.set(tokenPropertyName, tokenValue{kind: valueText, text: name}, true)
}

// need reads on; the text's end is a fault with that message.
func (r *reader) need(message string) *fault {
	ok, f := r.more(true)
	if f == nil && !ok {
		f = r.fail(faultEnd, message)
	}
	return f
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
	date, ok, f := r.dateToken(r.str, r.escaped)
	if f != nil {
		return f
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

// text reads a string after its opening quote into str.
func (r *reader) text(quote byte) *fault {
	r.shift()
	start, from, at := r.pos, r.pos, r.pos
	scratch := len(r.scratch)
	for {
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
		d := hexDigit(r.b[r.pos+i])
		if d < 0 {
			return 0, r.fail(faultSyntax, `Invalid Unicode escape sequence: \u`, r.units(4), ".")
		}
		unit = unit<<4 | rune(d)
	}
	r.pos += 4
	return unit, nil
}

func hexDigit(c byte) int {
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
		case c >= '0' && c <= '9', c == '.', c == '-', c == '+', c >= 'a' && c <= 'f', c >= 'A' && c <= 'F', c == 'x', c == 'X':
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
	// A number that cannot be converted leaves the reader behind it.
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
		// A minus sign gets here; any other digit was refused before.
		return r.fail(faultConvert, "Cannot read number value as type.")
	case readString:
		if radix != 10 {
			if _, ok := parseRadix(n, radix, 64); !ok {
				return invalid("number")
			}
		} else if _, ok := parseDouble(n); !ok {
			return invalid("number")
		}
		return r.set(tokenString, tokenValue{kind: valueText, text: n}, false)
	case readInt32:
		var v int64
		switch {
		case single:
			v = int64(n[0] - '0')
		case radix != 10:
			u, ok := parseRadix(n, radix, 32)
			if !ok {
				return invalid("integer")
			}
			v = u
		default:
			i, result := parseDigits(n, 32)
			switch result {
			case parseOverflow:
				return r.notNumber("JSON integer ", string(n), " is too large or small for an Int32.")
			case parseInvalid:
				return invalid("integer")
			}
			v = i
		}
		return r.set(tokenInteger, tokenValue{kind: valueInt, i: v}, false)
	case readDecimal:
		var v decimal
		switch {
		case single:
			v = decimalOf(int64(n[0] - '0'))
		case radix != 10:
			i, ok := parseRadix(n, radix, 64)
			if !ok {
				return invalid("decimal")
			}
			v = decimalOf(i)
		default:
			d, result, f := parseJSONDecimal(n)
			if f {
				return r.decimalOverflow()
			}
			if result != parseOK {
				return invalid("decimal")
			}
			v = d
		}
		return r.set(tokenFloat, tokenValue{kind: valueDecimal, dec: v}, false)
	}
	if single {
		return r.set(tokenInteger, tokenValue{kind: valueInt, i: int64(n[0] - '0')}, false)
	}
	if radix != 10 {
		i, ok := parseRadix(n, radix, 64)
		if !ok {
			return invalid("number")
		}
		return r.set(tokenInteger, tokenValue{kind: valueInt, i: i}, false)
	}
	i, result := parseDigits(n, 64)
	switch result {
	case parseOK:
		return r.set(tokenInteger, tokenValue{kind: valueInt, i: i}, false)
	case parseOverflow:
		// The framework gives up on integers that JavaScript cannot hold.
		if len(n) > 380 {
			return r.notNumber("JSON integer ", string(n), " is too large to parse.")
		}
		return r.set(tokenInteger, tokenValue{kind: valueBig, text: n}, false)
	}
	f, ok := parseDouble(n)
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
			return r.fail(faultSyntax, "Additional text encountered after finished reading JSON content: ", r.char(), ".")
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

// fromString converts the string just read.
func (r *reader) fromString(as readAs) *fault {
	s := r.str
	switch as {
	case readInt32:
		if len(s) == 0 {
			return r.set(tokenNull, tokenValue{}, false)
		}
		i, result := parseInt32Text(s)
		if result == parseOK {
			return r.set(tokenInteger, tokenValue{kind: valueInt, i: int64(i)}, false)
		}
		_ = r.set(tokenString, tokenValue{kind: valueText, text: s}, false)
		return r.fail(faultConvert, "Could not convert string to integer: ", string(s), ".")
	case readDecimal:
		if len(s) == 0 {
			return r.set(tokenNull, tokenValue{}, false)
		}
		if d, result := parseDecimalText(s, styleNumber); result == parseOK {
			return r.set(tokenFloat, tokenValue{kind: valueDecimal, dec: d}, false)
		}
		d, result, overflow := parseJSONDecimal(s)
		if overflow {
			return r.decimalOverflow()
		}
		if result == parseOK {
			return r.set(tokenFloat, tokenValue{kind: valueDecimal, dec: d}, false)
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
		d, ok := parseDateText(s, r.zone, true)
		if !ok {
			d, ok = parsePointWithoutDigits(s, r.zone)
		}
		if ok {
			return r.set(tokenDate, tokenValue{kind: valueDate, date: d}, false)
		}
		return r.fail(faultConvert, "Could not convert string to DateTime: ", string(s), ".")
	}
	return nil
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

// readFor reads the next value for a member that is read as as.
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

// shift tells the source that the framework may move its buffer here.
func (r *reader) shift() {
	if r.source != nil {
		r.source.shift(r)
	}
}

// describe renders the current value as the framework's messages do.
func (v *tokenValue) describe() string {
	switch v.kind {
	case valueText:
		return `"` + string(v.text) + `"`
	case valueInt:
		return strconv.FormatInt(v.i, 10)
	case valueBig:
		n, _ := new(big.Int).SetString(string(v.text), 10)
		return n.String()
	case valueFloat:
		return formatDouble(v.f)
	case valueDecimal:
		return string(v.dec.append(nil))
	case valueBool:
		if v.i == 1 {
			return "True"
		}
		return "False"
	case valueDate:
		return v.date.general()
	}
	return "{null}"
}
