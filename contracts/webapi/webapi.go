// Package webapi is the framework's reading of a request: what ASP.NET Web API 2
// (5.2.7) with Json.NET (13.0) responds, byte for byte.
//
// [New] takes an operation and a [Profile], [Endpoint.Respond] one request; there is
// no server in it and no state between requests. What it promises is measured: the
// recorded responses of the real framework in testdata are its judge. Where the
// framework and the page disagree the framework wins here; diff_test.go names each
// such place.
//
// Beside the response come [Violation] values: which rules of the page a rejected
// request broke, and where. The response never depends on them.
//
// There are two readings of a request in this project, and two of everything in
// them: of JSON, of forms, of dates, of numbers. The mock takes its responses from
// this one; package oracle is the page's, from which cases and the conformance suite
// take what they expect. Neither imports the other, so that each is tested with the
// other: an error in one shows as a disagreement, which a shared parser would hide.
package webapi

import (
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/webapi/dotnet"
)

// Request is the part of an HTTP request that determines the response.
type Request struct {
	// Method is the HTTP method as it was sent.
	Method string
	// Target is the path and query as they were sent, percent-encoding and all.
	Target string
	// Scheme is echoed in rejections of an unknown path; an empty one is http.
	Scheme string
	// Host is echoed in rejections of an unknown path.
	Host string
	// Header holds canonical names. Read are Content-Type, Accept, Accept-Charset and
	// X-Requested-With.
	Header http.Header
	// Body is the whole body; it is not changed and not kept.
	Body []byte
}

// Endpoint responds for one operation under one profile. It is safe for use by many
// goroutines.
type Endpoint struct {
	operation *contracts.Operation
	profile   Profile
	zone      *dotnet.TimeZone
	root      *modelPlan
	path      string   // of the route, with a leading slash
	segments  []string // of the route

	requestTypes  []string // of the JSON formatter
	form          bool
	responseTypes []string
	calls         sync.Pool
}

// New checks the profile and prepares the operation. It fails for a profile with an
// unknown value and for an operation that lists no JSON format.
func New(o *contracts.Operation, p Profile) (*Endpoint, error) {
	zone, err := p.complete()
	if err != nil {
		return nil, err
	}
	e := &Endpoint{operation: o, profile: p, zone: zone, path: "/" + o.Route, segments: strings.Split(o.Route, "/")}
	for _, f := range o.RequestFormats {
		if f.IsJSON() {
			e.requestTypes = append(e.requestTypes, f.MediaType)
		}
		e.form = e.form || f.IsForm()
	}
	for _, f := range o.Response.Formats {
		if f.IsJSON() {
			e.responseTypes = append(e.responseTypes, f.MediaType)
		}
	}
	if o.Model() == nil || len(e.requestTypes) == 0 || len(e.responseTypes) == 0 {
		return nil, fmt.Errorf("the page of /%s lists no JSON format: nothing can be read, and no response written",
			o.Route)
	}
	if e.root, err = planModel(o.Model(), ""); err != nil {
		return nil, err
	}
	e.calls.New = func() any { return &call{e: e} }
	return e, nil
}

// call is the working state of one request, kept for the next one.
type call struct {
	e          *Endpoint
	r          reader
	errs       modelState
	key        []byte
	under      []listIndex // the elements that are validated, the outermost first
	values     []value     // arena of the models' fields
	references map[string]reference
	violations []Violation
	broken     int // violations in all
	unknown    []Unknown
	trusting   bool // the action does not look at ModelState
	onlyGiven  bool // what is written are the fields that the body has
	unclosed   int  // objects around the one that the text ends in, and that one; 0 for none
	limit      int  // of the response and of what is kept for it, in bytes
	full       bool
}

// Respond responds to one request. The body is appended to buf[:0].
func (e *Endpoint) Respond(req *Request, buf []byte) Response { return e.respond(req, buf, false) }

// RespondUnchecked responds as an action that does not look at ModelState: what could be
// bound is accepted. What no action gets, such as another path or media type, is rejected
// as by [Endpoint.Respond]. The violations are those of the request all the same.
func (e *Endpoint) RespondUnchecked(req *Request, buf []byte) Response {
	return e.respond(req, buf, true)
}

func (e *Endpoint) respond(req *Request, buf []byte, trusting bool) Response {
	c := e.begin()
	c.trusting = trusting
	resp := c.respond(req, buf[:0])
	resp.Violations, resp.Broken, resp.Unknown = c.violations, c.broken, c.unknown
	e.end(c)
	return resp
}

// Bind is the model that the framework makes of a request's body: a JSON object with
// those fields that the body has, as the framework would write them, which makes values
// that mean the same alike. A value that could not be bound is null, or the zero of its type.
// It is nil where no model is made, be it of another path, and where the object would be
// longer than a response may be. broken counts the rules that the request breaks.
func (e *Endpoint) Bind(req *Request) (model []byte, broken int) {
	c := e.begin()
	c.trusting, c.onlyGiven = true, true
	content := parseContentType(req.Header)
	c.limit = responseLimit(len(req.Body), false)
	c.errs.reset(c.limit)
	c.r.halves = false
	values := c.bind(req, content)
	if values != nil {
		if model = c.appendModel(nil, e.root, values); c.full || len(model) > c.limit {
			model = nil
		}
	}
	broken = c.broken
	e.end(c)
	return model, broken
}

// begin takes a call that is like new.
func (e *Endpoint) begin() *call {
	c := e.calls.Get().(*call)
	c.full, c.trusting, c.onlyGiven = false, false, false
	c.values = c.values[:0]
	c.references = nil
	c.violations, c.broken, c.unknown = nil, 0, nil
	return c
}

// end keeps a call for the next request.
func (e *Endpoint) end(c *call) {
	// Memory that one large request needed is not kept for the small ones.
	if cap(c.values) <= 4096 && cap(c.r.scratch) <= 1<<16 && cap(c.r.stack) <= 1024 && c.errs.small() {
		c.r.b, c.r.source = nil, nil
		e.calls.Put(c)
	}
}

// Reject makes an error of the framework's shape that the server decided on, not the
// endpoint: {"Message":…} in the negotiated media type. It is appended to buf[:0].
func (e *Endpoint) Reject(req *Request, status int, message string, buf []byte) Response {
	resp := messageOnly(status, message, buf[:0])
	e.negotiate(&resp, req.Header, parseContentType(req.Header))
	return resp
}

// TooLarge is the rejection of a body that is longer than the server reads. Its violation
// is of the body's rule.
func (e *Endpoint) TooLarge(req *Request, buf []byte) Response {
	resp := e.Reject(req, http.StatusRequestEntityTooLarge, "Maximum request length exceeded.", buf)
	if model := e.operation.Model(); model != nil {
		resp.Violations = []Violation{
			e.broken(contracts.RuleID{Kind: contracts.RuleBody}, model.Fact, "", "a body longer than the server reads"),
		}
		resp.Broken = 1
	}
	return resp
}

func (c *call) respond(req *Request, out []byte) Response {
	content := parseContentType(req.Header)
	c.limit = responseLimit(len(req.Body), isWide(req.Header, content))
	c.errs.reset(c.limit)
	c.r.halves = false
	resp := c.action(req, content, out)
	if c.full || c.errs.full || len(resp.Body) > c.limit {
		resp = messageOnly(http.StatusInternalServerError, ErrorOccurred, nil)
	}
	if c.r.halves {
		resp = c.encodable(resp)
	}
	c.e.negotiate(&resp, req.Header, content)
	return resp
}

// action routes, binds, validates and acts.
func (c *call) action(req *Request, content *mediaType, out []byte) Response {
	e := c.e
	switch result, name := e.route(req.Method, req.Target); result {
	case routeFound:
	case routeMethod:
		return c.methodNotAllowed(req, out)
	default:
		return c.notFound(req, result, name, out)
	}
	if len(req.Body) > 0 && !c.e.reads(content) {
		return c.unsupported(content, out)
	}
	model := c.bind(req, content)
	switch {
	case c.trusting && model == nil:
		return noContent(out)
	case !c.trusting && c.errs.failed:
		return c.invalidModel(out)
	case model == nil && e.profile.NullBody == NullBodyAccept:
		return noContent(out)
	case model == nil:
		return c.nullModel(out)
	case e.profile.SuccessBody == SuccessBodyNone:
		return noContent(out)
	}
	return c.echo(model, out)
}

// reads reports a media type that a formatter takes.
func (e *Endpoint) reads(content *mediaType) bool {
	return content.isOneOf(e.requestTypes) || e.form && content.isOneOf(formTypes)
}

// bind reads and validates the body; nil is a null model.
func (c *call) bind(req *Request, content *mediaType) []value {
	e := c.e
	var model []value
	switch {
	case content.isOneOf(e.requestTypes):
		if len(req.Body) > 0 {
			text, source := dotnet.DecodeBody(req.Body, strings.EqualFold(content.charset, "utf-16"))
			c.r.reset(text, source, e.profile.ErrorDetail, e.zone)
			model = c.readJSON()
		}
	case e.form && content.isOneOf(formTypes):
		model = c.readForm(req.Body)
	}
	if model != nil {
		c.validate(e.root, model)
	}
	return model
}
