// Package webapi answers requests to a contract's endpoint as ASP.NET Web API 2
// (5.2.7) with Json.NET (13.0) does, byte for byte.
//
// [New] takes a contract and a [Profile], [Endpoint.Answer] one request; there is
// no server in it and no state between requests. What it promises is measured:
// the recorded answers of the real framework in testdata are its judge. Where
// the framework and the page disagree the framework wins here; diff_test.go
// names each such place.
//
// Beside the answer come [Violation] values: which fact of the page a refused
// request broke, and where. The answer never depends on them.
package webapi

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/seed47566266/understudy/contracts"
)

// Request is what of an HTTP request decides its answer.
type Request struct {
	Method string
	// Target is the path and query as they were sent, percent-encoding and all.
	Target string
	// Scheme and Host are echoed in refusals of an unknown path; an empty Scheme
	// is http.
	Scheme, Host string
	// Header holds canonical names. Read are Content-Type, Accept,
	// Accept-Charset and X-Requested-With.
	Header http.Header
	// Body is the whole body; it is not changed and not kept.
	Body []byte
}

// Response is the answer. For HEAD, Body is what a GET would have had; the
// server leaves it out.
type Response struct {
	Status int
	// ContentType is empty for an answer without a body.
	ContentType string
	// Allow is set with status 405.
	Allow string
	Body  []byte
	// Violations says what a refused request broke, in the order found, up to
	// MaxViolations. It is empty for an accepted one.
	Violations []Violation
	// Broken counts every violation, those past MaxViolations too.
	Broken int
}

// Endpoint answers for one contract under one profile. It is safe for use by
// many goroutines.
type Endpoint struct {
	contract *contracts.Contract
	profile  Profile
	zone     *timeZone
	root     *modelPlan
	path     string   // "/" + route
	segments []string // of the route

	requestTypes  []string // of the JSON formatter
	form          bool
	responseTypes []string
	calls         sync.Pool
}

// New checks the profile and prepares the contract. It fails for a profile with
// an unknown value and for a contract that lists no JSON format.
func New(c *contracts.Contract, p Profile) (*Endpoint, error) {
	zone, err := p.check()
	if err != nil {
		return nil, err
	}
	e := &Endpoint{contract: c, profile: p, zone: zone, path: "/" + c.Route, segments: strings.Split(c.Route, "/")}
	for _, f := range c.RequestFormats {
		switch f.MediaType {
		case jsonType, textJSONType:
			e.requestTypes = append(e.requestTypes, f.MediaType)
		case formType:
			e.form = true
		}
	}
	for _, f := range c.ResponseFormats {
		if f.MediaType == jsonType || f.MediaType == textJSONType {
			e.responseTypes = append(e.responseTypes, f.MediaType)
		}
	}
	if len(e.requestTypes) == 0 || len(e.responseTypes) == 0 {
		return nil, fmt.Errorf("the contract of %s lists no JSON format; nothing can be read or answered", c.Route)
	}
	e.root = planModel(&c.Body)
	e.calls.New = func() any { return &call{e: e} }
	return e, nil
}

// fieldKind is contracts.Kind as a number, for the inner loops.
type fieldKind uint8

const (
	kindGUID fieldKind = iota
	kindDate
	kindString
	kindDecimal
	kindInteger
	kindList
)

// modelPlan is a model prepared for binding.
type modelPlan struct {
	name   string
	fields []fieldPlan
	index  map[string]int // by exact name
}

type fieldPlan struct {
	fact     *contracts.Field
	name     string
	id       string // of its rules: Reason, Reasons/ReasonId
	jsonName string // `"Reason":`
	kind     fieldKind
	as       readAs
	nullable bool
	// requiredByReader marks required value types: their lack is the JSON
	// reader's error; that of everything else is the validator's.
	requiredByReader bool
	required         bool // checked by the validator
	length           *contracts.Length
	typeName         string // as .NET prints it
	shape            string // what Json.NET says the type needs
	list             *modelPlan
}

func planModel(m *contracts.Model) *modelPlan {
	return planFields(m, "")
}

func planFields(m *contracts.Model, prefix string) *modelPlan {
	plan := &modelPlan{name: m.Name, index: map[string]int{}}
	for i := range m.Fields {
		f := &m.Fields[i]
		p := fieldPlan{fact: f, name: f.Name, id: prefix + f.Name, jsonName: `"` + f.Name + `":`,
			nullable: f.Nullable, length: f.Length, shape: primitiveShape}
		switch f.Kind {
		case contracts.GUID:
			p.kind, p.typeName = kindGUID, "System.Guid"
		case contracts.Date:
			p.kind, p.as, p.typeName = kindDate, readDate, "System.DateTime"
		case contracts.String:
			p.kind, p.as, p.typeName = kindString, readString, "System.String"
		case contracts.Decimal:
			p.kind, p.as, p.typeName = kindDecimal, readDecimal, "System.Decimal"
		case contracts.Integer:
			p.kind, p.as, p.typeName = kindInteger, readInt32, "System.Int32"
		case contracts.Collection:
			p.kind, p.shape = kindList, listShape
			p.list = planFields(f.Items, p.id+"/")
			p.typeName = "System.Collections.Generic.List`1[" + f.Items.Name + "]"
		}
		if f.Nullable && p.kind != kindString && p.kind != kindList {
			p.typeName = "System.Nullable`1[" + p.typeName + "]"
		}
		p.requiredByReader = f.Required != nil && !f.Nullable
		p.required = f.Required != nil && f.Nullable
		plan.fields = append(plan.fields, p)
		plan.index[f.Name] = i
	}
	return plan
}

// value is one member of a bound model.
type value struct {
	present bool // not null
	seen    bool // the body has it
	guid    guid
	date    dateTime
	dec     decimal
	num     int32
	text    []byte
	items   [][]value // elements of a collection; nil is a null element
}

func (v *value) clear()               { v.present, v.items = false, v.items[:0] }
func (v *value) setGUID(g guid)       { v.present, v.guid = true, g }
func (v *value) setDate(d dateTime)   { v.present, v.date = true, d }
func (v *value) setText(s []byte)     { v.present, v.text = true, s }
func (v *value) setDecimal(d decimal) { v.present, v.dec = true, d }
func (v *value) setInt(i int32)       { v.present, v.num = true, i }

// keep holds on to elements that were appended to a list that was there before.
func (v *value) keep(list [][]value) {
	if v.present {
		v.items = list
	}
}

// call is the working state of one request, kept for the next one.
type call struct {
	e          *Endpoint
	r          reader
	errs       modelState
	key        []byte
	values     []value // arena of the models' members
	references map[string]reference
	violations []Violation
	broken     int // violations in all
	limit      int // of the response and of what is kept for it, in bytes
	full       bool
}

// A response may be longer than its request by any factor: an error of the framework
// quotes a value as often as the request names it, and lists each element of a list.
// What would be longer than maxGrowth times the request, and than smallResponse, is a
// 500 here, and half of that where it is to be UTF-16.
const (
	maxGrowth     = 64
	smallResponse = 1 << 20
)

func responseLimit(body int, wide bool) int {
	limit := max(smallResponse, maxGrowth*body)
	if wide {
		limit /= 2
	}
	return limit
}

// newValues returns n empty members.
func (c *call) newValues(n int) []value {
	if len(c.values)+n > cap(c.values) {
		// Models that were handed out keep the old arena alive.
		c.values = make([]value, 0, max(2*cap(c.values), 4*n, 32))
	}
	at := len(c.values)
	c.values = c.values[:at+n]
	values := c.values[at : at+n : at+n]
	for i := range values {
		v := &values[i]
		v.present, v.seen, v.text, v.items = false, false, nil, v.items[:0]
		v.dec, v.num, v.guid, v.date = decimal{}, 0, guid{}, dateTime{}
	}
	return values
}

const invalidRequest = "The request is invalid."

// Answer answers one request. The body is appended to buf[:0].
func (e *Endpoint) Answer(req *Request, buf []byte) Response {
	c := e.calls.Get().(*call)
	c.full = false
	c.values = c.values[:0]
	c.references = nil
	c.violations, c.broken = nil, 0
	resp := c.answer(req, buf[:0])
	resp.Violations, resp.Broken = c.violations, c.broken
	// Memory that one large request needed is not kept for the small ones.
	if cap(c.values) <= 4096 && cap(c.r.scratch) <= 1<<16 && cap(c.r.stack) <= 1024 && c.errs.small() {
		c.r.b, c.r.source = nil, nil
		e.calls.Put(c)
	}
	return resp
}

// Refuse makes an error of the framework's shape that the server decided on, not
// the endpoint: {"Message":…} in the negotiated media type. It is appended to
// buf[:0].
func (e *Endpoint) Refuse(req *Request, status int, message string, buf []byte) Response {
	content := parseContentType(req.Header)
	resp := Response{Status: status, Body: appendMessage(buf[:0], message)}
	e.negotiate(&resp, req.Header, content)
	return resp
}

func (c *call) answer(req *Request, out []byte) (resp Response) {
	content := parseContentType(req.Header)
	c.limit = responseLimit(len(req.Body), isWide(req.Header, content))
	c.errs.reset(c.limit)
	c.r.halves = false
	resp.Body, resp.Status, resp.Allow = c.action(req, content, out)
	if c.full || c.errs.full || len(resp.Body) > c.limit {
		resp.Body, resp.Status = appendMessage(nil, errorOccurred), http.StatusInternalServerError
	}
	if c.r.halves {
		if failed := c.unencodable(resp.Body); failed != nil {
			resp.Body, resp.Status = failed, http.StatusInternalServerError
		}
	}
	c.e.negotiate(&resp, req.Header, content)
	return resp
}

// isWide reports a response in UTF-16.
func isWide(header http.Header, content *mediaType) bool {
	asked := len(header["Accept-Charset"]) > 0 || content != nil && content.charset != ""
	return asked && responseUTF16(header, content)
}

// negotiate chooses the media type and charset of an answer and encodes it.
func (e *Endpoint) negotiate(resp *Response, header http.Header, content *mediaType) {
	resp.ContentType = e.responseType(header, content)
	wide := isWide(header, content)
	switch {
	case len(resp.Body) == 0:
		resp.ContentType = ""
	case wide:
		resp.ContentType += "; charset=utf-16"
		resp.Body = encodeUTF16(resp.Body)
	case resp.ContentType == jsonType:
		resp.ContentType = "application/json; charset=utf-8"
	default:
		resp.ContentType += "; charset=utf-8"
	}
}

// action routes, binds, validates and acts. The body is UTF-8.
func (c *call) action(req *Request, content *mediaType, out []byte) (body []byte, status int, allow string) {
	e := c.e
	result, name := e.route(req.Method, req.Target)
	switch result {
	case routeFound:
	case routeMethod:
		c.violate(e.broken("method", e.contract.RouteFact, "", "the method "+printable(req.Method)))
		method := req.Method
		return appendMessage(out, "The requested resource does not support http method '"+method+"'."),
			http.StatusMethodNotAllowed, e.contract.Method
	default:
		c.violate(e.broken("route", e.contract.RouteFact, "", "another path"))
		scheme := req.Scheme
		if scheme == "" {
			scheme = "http"
		}
		out = appendPair(append(out, '{'), "Message", "No HTTP resource was found that matches the request URI '"+scheme+"://"+req.Host+req.Target+"'.")
		if e.profile.ErrorDetail {
			out = appendPair(append(out, ','), "MessageDetail", e.routeDetail(result, name))
		}
		return append(out, '}'), http.StatusNotFound, ""
	}

	var model []value
	switch {
	case c.reads(e.requestTypes, content):
		if len(req.Body) > 0 {
			utf16LE := content.charset != "" && strings.EqualFold(content.charset, "utf-16")
			text, source := decodeBody(req.Body, utf16LE)
			c.r.reset(text, source, e.profile.ErrorDetail, e.zone)
			model = c.readJSON()
		}
	case e.form && c.reads(formTypes, content):
		model = c.readForm(req.Body)
	case len(req.Body) > 0:
		return c.unsupported(content, out), http.StatusUnsupportedMediaType, ""
	}
	if model != nil {
		c.validate(e.root, model)
	}
	switch {
	case c.errs.failed:
		return c.errs.append(out, e.profile.ErrorDetail), http.StatusBadRequest, ""
	case model == nil && e.profile.NullBody == AcceptNull:
		return out, http.StatusOK, ""
	case model == nil:
		c.violate(e.broken("body", e.contract.Body.Fact, "", "no body, or null"))
		return appendMessage(out, invalidRequest), http.StatusBadRequest, ""
	case e.profile.SuccessBody == NoBody:
		return out, http.StatusOK, ""
	}
	return c.appendModel(out, e.root, model), http.StatusOK, ""
}

var formTypes = []string{formType}

// reads reports whether a formatter of the given media types takes the content.
func (c *call) reads(types []string, content *mediaType) bool {
	if content == nil {
		return false
	}
	for _, t := range types {
		if content.name == t || content.includes(t) {
			return true
		}
	}
	return false
}

func (e *Endpoint) routeDetail(result routeResult, name string) string {
	switch result {
	case routeController:
		return "No type was found that matches the controller named '" + name + "'."
	case routeAction:
		return "No action was found on the controller '" + e.segments[1] + "' that matches the name '" + name + "'."
	}
	return "No route data was found for this request."
}

// unsupportedStack is the stack trace that the recorded server shows with its
// refusal of a media type; another build of the framework shows other offsets.
const unsupportedStack = "  at System.Net.Http.HttpContentExtensions.ReadAsAsync[T] (System.Net.Http.HttpContent content, System.Type type, System.Collections.Generic.IEnumerable`1[T] formatters, System.Net.Http.Formatting.IFormatterLogger formatterLogger, System.Threading.CancellationToken cancellationToken) [0x00109] in <9598068ebfbb4e37bcec0191c0b85e94>:0 \n" +
	"  at System.Net.Http.HttpContentExtensions.ReadAsAsync (System.Net.Http.HttpContent content, System.Type type, System.Collections.Generic.IEnumerable`1[T] formatters, System.Net.Http.Formatting.IFormatterLogger formatterLogger, System.Threading.CancellationToken cancellationToken) [0x00000] in <9598068ebfbb4e37bcec0191c0b85e94>:0 \n" +
	"  at System.Web.Http.ModelBinding.FormatterParameterBinding.ReadContentAsync (System.Net.Http.HttpRequestMessage request, System.Type type, System.Collections.Generic.IEnumerable`1[T] formatters, System.Net.Http.Formatting.IFormatterLogger formatterLogger, System.Threading.CancellationToken cancellationToken) [0x00027] in <ff5b3a95e4ff4c228bbd033d6519ccfa>:0 "

// encoderStack is the stack trace of the recorded server for a response that cannot be
// encoded. Its last frame is that of the program that hosted it.
const encoderStack = "  at System.Text.EncoderExceptionFallbackBuffer.Fallback (System.Char charUnknown, System.Int32 index) [0x0001d] in <12b418a7818c4ca0893feeaaf67f1e7f>:0 \n" +
	"  at System.Text.EncoderFallbackBuffer.InternalFallback (System.Char ch, System.Char*& chars) [0x000fa] in <12b418a7818c4ca0893feeaaf67f1e7f>:0 \n" +
	"  at System.Text.UTF8Encoding.GetBytes (System.Char* chars, System.Int32 charCount, System.Byte* bytes, System.Int32 byteCount, System.Text.EncoderNLS baseEncoder) [0x00202] in <12b418a7818c4ca0893feeaaf67f1e7f>:0 \n" +
	"  at System.Text.EncoderNLS.GetBytes (System.Char* chars, System.Int32 charCount, System.Byte* bytes, System.Int32 byteCount, System.Boolean flush) [0x0006c] in <12b418a7818c4ca0893feeaaf67f1e7f>:0 \n" +
	"  at System.Text.EncoderNLS.GetBytes (System.Char[] chars, System.Int32 charIndex, System.Int32 charCount, System.Byte[] bytes, System.Int32 byteIndex, System.Boolean flush) [0x000bb] in <12b418a7818c4ca0893feeaaf67f1e7f>:0 \n" +
	"  at System.IO.StreamWriter.Flush (System.Boolean flushStream, System.Boolean flushEncoder) [0x00066] in <12b418a7818c4ca0893feeaaf67f1e7f>:0 \n" +
	"  at System.IO.StreamWriter.Flush () [0x00006] in <12b418a7818c4ca0893feeaaf67f1e7f>:0 \n" +
	"  at Newtonsoft.Json.JsonTextWriter.Flush () [0x00000] in <8a63364d6fdf40d68f28bb4dfc19a208>:0 \n" +
	"  at System.Net.Http.Formatting.BaseJsonMediaTypeFormatter.WriteToStream (System.Type type, System.Object value, System.IO.Stream writeStream, System.Text.Encoding effectiveEncoding) [0x0005b] in <9598068ebfbb4e37bcec0191c0b85e94>:0 \n" +
	"  at System.Net.Http.Formatting.JsonMediaTypeFormatter.WriteToStream (System.Type type, System.Object value, System.IO.Stream writeStream, System.Text.Encoding effectiveEncoding) [0x0009f] in <9598068ebfbb4e37bcec0191c0b85e94>:0 \n" +
	"  at System.Net.Http.Formatting.BaseJsonMediaTypeFormatter.WriteToStream (System.Type type, System.Object value, System.IO.Stream writeStream, System.Net.Http.HttpContent content) [0x0001b] in <9598068ebfbb4e37bcec0191c0b85e94>:0 \n" +
	"  at System.Net.Http.Formatting.BaseJsonMediaTypeFormatter.WriteToStreamAsync (System.Type type, System.Object value, System.IO.Stream writeStream, System.Net.Http.HttpContent content, System.Net.TransportContext transportContext, System.Threading.CancellationToken cancellationToken) [0x0003a] in <9598068ebfbb4e37bcec0191c0b85e94>:0 \n" +
	"--- End of stack trace from previous location where exception was thrown ---\n" +
	"\n" +
	"  at System.Net.Http.HttpContent.LoadIntoBufferAsyncCore (System.Threading.Tasks.Task serializeToStreamTask, System.IO.MemoryStream tempBuffer) [0x000ab] in <3588d5c507ec48a6b5d13a6d5ae64da2>:0 \n" +
	"  at System.Net.Http.HttpContent.WaitAndReturnAsync[TState,TResult] (System.Threading.Tasks.Task waitTask, TState state, System.Func`2[T,TResult] returnFunc) [0x00069] in <3588d5c507ec48a6b5d13a6d5ae64da2>:0 \n" +
	"  at Host.Handle (System.Net.HttpListenerContext ctx, System.Net.Http.HttpMessageInvoker inv) [0x00397] in <3aded9abe5744c698e6efa35d04deeaa>:0 "

// unencodable is the server's response in place of one that holds half of a surrogate
// pair, which no encoding of Unicode has: nil if it holds none. The encoder gets
// writerBuffer characters at a time, and counts in them.
func (c *call) unencodable(body []byte) []byte {
	const writerBuffer = 1024
	at := 0
	for at < len(body) && !hasHalf(body[at:min(at+2, len(body))]) {
		at++
	}
	if at == len(body) {
		return nil
	}
	index := utf16Length(body[:at]) % writerBuffer
	high := body[at+1] < 0xB0
	if high && index == writerBuffer-1 {
		index = -1 // it waits for its other half, and fails at the beginning of the next
	}
	unit := uint16(0xD000) | uint16(body[at+1]&0x3F)<<6 | uint16(body[at+2]&0x3F)
	out := appendPair([]byte{'{'}, "Message", errorOccurred)
	if c.e.profile.ErrorDetail {
		out = appendPair(append(out, ','), "ExceptionMessage",
			fmt.Sprintf(`Unable to translate Unicode character \\u%04X at index %d to specified code page.`, unit, index))
		out = appendPair(append(out, ','), "ExceptionType", "System.Text.EncoderFallbackException")
		out = appendPair(append(out, ','), "StackTrace", encoderStack)
	}
	return append(out, '}')
}

func (c *call) unsupported(content *mediaType, out []byte) []byte {
	e := c.e
	name := "application/octet-stream"
	message := "The request contains an entity body but no Content-Type header. The inferred media type '" + name + "' is not supported for this resource."
	if content != nil {
		name = content.name
		message = "The request entity's media type '" + name + "' is not supported for this resource."
	}
	found := "the media type " + printable(name)
	if content == nil {
		found = "no Content-Type, or one that breaks the grammar"
	}
	c.violate(e.broken("request/"+e.requestTypes[0], e.contract.RequestFormats[0].Fact, "", found))
	out = appendPair(append(out, '{'), "Message", message)
	if e.profile.ErrorDetail {
		out = appendPair(append(out, ','), "ExceptionMessage",
			"No MediaTypeFormatter is available to read an object of type '"+e.root.name+"' from content with media type '"+name+"'.")
		out = appendPair(append(out, ','), "ExceptionType", "System.Net.Http.UnsupportedMediaTypeException")
		out = appendPair(append(out, ','), "StackTrace", unsupportedStack)
	}
	return append(out, '}')
}

// validate is the DataAnnotations validator on a bound model.
func (c *call) validate(m *modelPlan, model []value) {
	for i := range m.fields {
		f, v := &m.fields[i], &model[i]
		if f.required && (!v.present || f.kind == kindString && isSpaceText(v.text)) {
			c.invalid(f, "The "+f.name+" field is required.")
			found := "blank text"
			if !v.present {
				found = "null"
				if !v.seen {
					found = "nothing"
				}
			}
			c.violate(c.e.broken(f.id+"/required", *f.fact.Required, "/"+f.name, found))
		}
		if f.length != nil && v.present {
			if len(v.text) <= f.length.Max && f.length.Min == 0 {
				continue // no more UTF-16 units than bytes
			}
			if n := utf16Length(v.text); n < f.length.Min || n > f.length.Max {
				message := "The field " + f.name + " must be a string with a maximum length of " + strconv.Itoa(f.length.Max) + "."
				if f.length.Min > 0 {
					message = "The field " + f.name + " must be a string with a minimum length of " + strconv.Itoa(f.length.Min) +
						" and a maximum length of " + strconv.Itoa(f.length.Max) + "."
				}
				c.invalid(f, message)
				c.violate(c.e.broken(f.id+"/length", f.length.Fact, "/"+f.name, strconv.Itoa(n)+" UTF-16 units"))
			}
		}
	}
}

func (c *call) invalid(f *fieldPlan, message string) {
	c.key = append(c.key[:0], c.e.profile.ParameterName...)
	c.key = append(append(c.key, '.'), f.name...)
	c.errs.message(c.key, message)
}
