package webapi

import (
	"bytes"
	"strconv"
	"unicode"

	"github.com/seed47566266/understudy/contracts/webapi/dotnet"
)

// These files, json_*.go, are Json.NET's tokenizer (JsonTextReader of Newtonsoft.Json
// 13) and serializer as recorded responses show them. Their dialect is wider than
// JSON, and what they do after an error decides which further errors a response
// lists, so that states, positions and the order of their changes follow Json.NET
// closely. json_bind.go drives the reader.

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

// readAs is what the binder asks the reader for. Guid fields and containers
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

// fault is one exception of the framework on its way to the handler that logs it.
type fault struct {
	why     faultKind
	message string // as IncludeErrorDetail shows it; "" where no one will see it
}

type faultKind uint8

const (
	faultSyntax    faultKind = iota // malformed JSON, even in Json.NET's dialect
	faultEnd                        // the text ends early
	faultDepth                      // nested too deeply
	faultEncoding                   // bytes invalid in the declared charset
	faultConvert                    // a value of the wrong type, or out of range
	faultMissing                    // a required field is missing
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
	source *dotnet.ChunkedSource

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
	zone   *dotnet.TimeZone
	exc    fault
}

func (r *reader) reset(b []byte, source *dotnet.ChunkedSource, detail bool, zone *dotnet.TimeZone) {
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
	c.units += dotnet.UTF16Length(r.b[c.at:r.pos])
	c.at = r.pos
	return c.units
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
		return r.fail(faultSyntax, "JsonToken ", t.String(), " is not valid for closing JsonType ",
			containerNames[closed], ".")
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
		b, text, err := r.source.Read(r.pos, keep)
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

// need reads on; the text's end is a fault with that message.
func (r *reader) need(message string) *fault {
	ok, f := r.more(true)
	if f == nil && !ok {
		f = r.fail(faultEnd, message)
	}
	return f
}

// ensure reports whether there is a character n UTF-16 units past pos.
func (r *reader) ensure(n int, keep bool) (bool, *fault) {
	for {
		at, left := r.pos, n
		for at < len(r.b) && left > 0 {
			size := dotnet.UnitSize(r.b[at:])
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
		size := dotnet.UnitSize(r.b[at:])
		switch {
		case size < 4:
			out = append(out, r.b[at:at+size]...)
		case count == 1:
			out = append(out, dotnet.Half(r.b[at:], 0)...)
		default:
			out = append(out, r.b[at:at+size]...)
			count--
		}
		at += size
	}
	r.halves = r.halves || dotnet.HasHalf(out)
	return string(out)
}

// skipChar takes one UTF-16 unit. Of a character outside the BMP the second half
// remains, as three bytes in the place of four.
func (r *reader) skipChar() {
	if r.pos >= len(r.b) {
		return
	}
	size := dotnet.UnitSize(r.b[r.pos:])
	if size < 4 {
		r.pos += size
		return
	}
	if r.source == nil && !r.owned {
		r.b, r.owned = bytes.Clone(r.b), true // it is the caller's
	}
	low := dotnet.Half(r.b[r.pos:], 1)
	r.b[r.pos] = '?' // one unit, as the half that is taken
	copy(r.b[r.pos+1:], low)
	r.pos++
}

// shift tells the source that the framework may move its buffer here.
func (r *reader) shift() {
	if r.source != nil {
		r.source.Shift(r.pos)
	}
}

func (r *reader) unexpected(c string) *fault {
	return r.fail(faultSyntax, "Unexpected character encountered while parsing value: ", c, ".")
}

func (r *reader) unexpectedEnd() *fault {
	return r.fail(faultEnd, "Unexpected end when reading JSON.")
}
