package webapi

import (
	"fmt"
	"net/http"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/webapi/dotnet"
)

// Response is what the framework responds. For HEAD, Body is what a GET would have
// had; the server leaves it out.
type Response struct {
	// Status is the HTTP status.
	Status int
	// ContentType is empty for a response without a body.
	ContentType string
	// Allow is set with status 405.
	Allow string
	// Body is empty where there is none.
	Body []byte
	// Violations are the rules that a rejected request broke, in the order found, up to
	// MaxViolations. It is empty for an accepted one.
	Violations []Violation
	// Broken counts every violation, those past MaxViolations too.
	Broken int
	// Unknown are names of the body that the page does not list, up to MaxUnknown: the
	// binder drops them without a word.
	Unknown []Unknown
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

// Each of the following makes one response whole, so that status, headers and body
// cannot disagree; out is the memory of the body. Only the media type is negotiated
// afterwards.

// messageOnly is an HttpError of one message.
func messageOnly(status int, message string, out []byte) Response {
	return Response{Status: status, Body: append(appendPair(append(out, '{'), "Message", message), '}')}
}

// echo is Ok(model).
func (c *call) echo(model []value, out []byte) Response {
	return Response{Status: http.StatusOK, Body: c.appendModel(out, c.e.root, model)}
}

// noContent is Ok().
func noContent(out []byte) Response { return Response{Status: http.StatusOK, Body: out} }

// invalidModel is BadRequest(ModelState).
func (c *call) invalidModel(out []byte) Response {
	return Response{Status: http.StatusBadRequest, Body: c.errs.append(out, c.e.profile.ErrorDetail)}
}

// nullModel is BadRequest("The request is invalid.").
func (c *call) nullModel(out []byte) Response {
	c.violate(
		c.e.broken(contracts.RuleID{Kind: contracts.RuleBody}, c.e.operation.Model().Fact, "", "no body, or null"),
	)
	return messageOnly(http.StatusBadRequest, InvalidRequest, out)
}

func (c *call) methodNotAllowed(req *Request, out []byte) Response {
	e := c.e
	c.violate(
		e.broken(contracts.RuleID{Kind: contracts.RuleMethod}, e.operation.RouteFact, "",
			"the method "+printable(req.Method)),
	)
	resp := messageOnly(http.StatusMethodNotAllowed,
		"The requested resource does not support http method '"+req.Method+"'.", out)
	resp.Allow = e.operation.Method
	return resp
}

func (c *call) notFound(req *Request, result routeResult, name string, out []byte) Response {
	e := c.e
	c.violate(e.broken(contracts.RuleID{Kind: contracts.RuleRoute}, e.operation.RouteFact, "", "another path"))
	scheme := req.Scheme
	if scheme == "" {
		scheme = "http"
	}
	out = appendPair(append(out, '{'), "Message",
		"No HTTP resource was found that matches the request URI '"+scheme+"://"+req.Host+req.Target+"'.")
	if e.profile.ErrorDetail {
		detail := "No route data was found for this request."
		switch result {
		case routeController:
			detail = "No type was found that matches the controller named '" + name + "'."
		case routeAction:
			detail = "No action was found on the controller '" + e.segments[1] + "' that matches the name '" + name +
				"'."
		}
		out = appendPair(append(out, ','), "MessageDetail", detail)
	}
	return Response{Status: http.StatusNotFound, Body: append(out, '}')}
}

func (c *call) unsupported(content *mediaType, out []byte) Response {
	e := c.e
	name, found := "application/octet-stream", "no Content-Type, or one that breaks the grammar"
	message := "The request contains an entity body but no Content-Type header. The inferred media type '" + name +
		"' is not supported for this resource."
	if content != nil {
		name, found = content.name, "the media type "+printable(content.name)
		message = "The request entity's media type '" + name + "' is not supported for this resource."
	}
	rule := contracts.RuleID{Kind: contracts.RuleRequest, Media: e.requestTypes[0]}
	c.violate(e.broken(rule, e.operation.JSON().Fact, "", found))
	out = appendPair(append(out, '{'), "Message", message)
	if e.profile.ErrorDetail {
		out = appendPair(
			append(out, ','),
			"ExceptionMessage",
			"No MediaTypeFormatter is available to read an object of type '"+e.root.name+"' from content with "+
				"media type '"+name+"'.",
		)
		out = appendPair(append(out, ','), "ExceptionType", "System.Net.Http.UnsupportedMediaTypeException")
		out = appendPair(append(out, ','), "StackTrace", unsupportedStack)
	}
	return Response{Status: http.StatusUnsupportedMediaType, Body: append(out, '}')}
}

// encodable is a response, or the server's in its place if it holds half of a
// surrogate pair, which no encoding of Unicode has. The encoder gets writerBuffer
// characters at a time, and counts in them.
func (c *call) encodable(resp Response) Response {
	const writerBuffer = 1024
	body, at := resp.Body, 0
	for at < len(body) && !dotnet.HasHalf(body[at:min(at+2, len(body))]) {
		at++
	}
	if at == len(body) {
		return resp
	}
	index := dotnet.UTF16Length(body[:at]) % writerBuffer
	if isHigh := body[at+1] < 0xB0; isHigh && index == writerBuffer-1 {
		index = -1 // it waits for its other half, and fails at the beginning of the next
	}
	unit := uint16(0xD000) | uint16(body[at+1]&0x3F)<<6 | uint16(body[at+2]&0x3F)
	out := appendPair([]byte{'{'}, "Message", ErrorOccurred)
	if c.e.profile.ErrorDetail {
		out = appendPair(
			append(out, ','),
			"ExceptionMessage",
			fmt.Sprintf(`Unable to translate Unicode character \\u%04X at index %d to specified code page.`, unit,
				index),
		)
		out = appendPair(append(out, ','), "ExceptionType", "System.Text.EncoderFallbackException")
		out = appendPair(append(out, ','), "StackTrace", encoderStack)
	}
	return Response{Status: http.StatusInternalServerError, Body: append(out, '}')}
}
