// Package contracts holds what is known of an HTTP API: the contract derived
// from its ASP.NET Help Pages, and the page that this project ships with.
//
// Use [Page] for the bytes of that page and helppage.Parse to derive a
// [Contract] from it or from another one. Every other package takes the contract
// or one of its operations and never reads a page itself.
//
// A contract is made of facts. Each keeps the line of the page that it came from
// and whether the page states it or it was inferred, and why, so that whatever
// rejects, generates or judges a request can cite the line. A contract does not
// change after it was made and may be shared between goroutines.
package contracts

import (
	_ "embed" // the page
	"strings"
)

//go:embed page.txt
var page []byte

// Page returns a copy of the embedded Help Page, byte for byte.
func Page() []byte {
	return append([]byte(nil), page...)
}

// Contract is an HTTP API as its Help Pages describe it.
type Contract struct {
	// Operations are in the order of the pages; there is at least one.
	Operations []Operation `json:"operations"`
	// Page is the text that the contract was derived from, byte for byte: the lines of facts are
	// its lines. Do not modify it.
	Page []byte `json:"-"`
}

// Operation is one method and route.
type Operation struct {
	// ID is the Help Page's friendly id, e.g. POST-api-Calendar-PatientAppointmentPost_v2.
	ID string `json:"id"`
	// Method is the HTTP method, e.g. POST.
	Method string `json:"method"`
	// Route is the path's template without a leading slash, in the page's spelling.
	Route string `json:"route"`
	// RouteFact is the origin of both, method and route.
	RouteFact Fact `json:"routeFact"`
	// PathParameters are those between the route's braces, in the page's order.
	PathParameters []Field `json:"pathParameters"`
	// QueryParameters are those of the query, in the page's order.
	QueryParameters []Field `json:"queryParameters"`
	// ParametersFact is the origin of the parameters, or of the page's "None.".
	ParametersFact Fact `json:"parametersFact"`
	// Body is the type of the request's body; nil where the operation has none.
	Body *Type `json:"body,omitempty"`
	// RequestFormats are the media types of requests, in the page's order.
	RequestFormats []Format `json:"requestFormats"`
	// Response is what the page says about responses.
	Response Response `json:"response"`
	// Sample is the page's JSON sample of a body, byte for byte; nil where the page
	// has none. Do not modify it.
	Sample []byte `json:"-"`
	// SampleFact is the origin of the sample: its first line.
	SampleFact Fact `json:"sampleFact"`
}

// Response is the response of an operation as its page shows it.
type Response struct {
	// Type is the C# type that the page names, e.g. IHttpActionResult.
	Type string `json:"type"`
	// Fact is the origin of the type.
	Fact Fact `json:"fact"`
	// Formats are the media types of responses, in the page's order.
	Formats []Format `json:"formats"`
}

// The media types that the project reads and writes.
const (
	// MediaJSON is JSON.
	MediaJSON = "application/json"
	// MediaTextJSON is JSON under another name, which Web API lists too.
	MediaTextJSON = "text/json"
	// MediaForm is an HTML form.
	MediaForm = "application/x-www-form-urlencoded"
)

// Format is one media type that a page lists.
type Format struct {
	// MediaType is in lower case and without parameters.
	MediaType string `json:"mediaType"`
	// Fact is the origin of the media type.
	Fact Fact `json:"fact"`
}

// IsJSON reports a media type whose bodies are JSON.
func (f Format) IsJSON() bool { return f.MediaType == MediaJSON || f.MediaType == MediaTextJSON }

// IsForm reports the media type of HTML forms.
func (f Format) IsForm() bool { return f.MediaType == MediaForm }

// JSON is the first request format that is JSON; nil if there is none.
func (o *Operation) JSON() *Format {
	for i := range o.RequestFormats {
		if o.RequestFormats[i].IsJSON() {
			return &o.RequestFormats[i]
		}
	}
	return nil
}

// RequestFormat is the request format of a media type, whose case does not
// matter; nil if the page does not list it.
func (o *Operation) RequestFormat(mediaType string) *Format {
	for i := range o.RequestFormats {
		if strings.EqualFold(o.RequestFormats[i].MediaType, mediaType) {
			return &o.RequestFormats[i]
		}
	}
	return nil
}

// Model is the model of the body; nil where the body is none.
func (o *Operation) Model() *Model {
	if o.Body == nil {
		return nil
	}
	return o.Body.Model
}

// FriendlyID is the id that the Help Page gives to an operation in addresses.
func FriendlyID(method, route string) string {
	return method + "-" + strings.NewReplacer("/", "-", "{", "", "}", "").Replace(route)
}
