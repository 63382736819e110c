package webapi

import (
	"fmt"

	"github.com/seed47566266/understudy/contracts/webapi/dotnet"
)

// Profile holds the choices of a real server that the page leaves open. The zero
// value is the server that the recorded responses came from, as a remote client sees
// it.
type Profile struct {
	// ErrorDetail is IncludeErrorDetailPolicy: true shows the texts of exceptions, with
	// path, line and position, as a server does to its own machine; false shows "An
	// error has occurred." as a server in production does to the world.
	ErrorDetail bool
	// TimeZone is the server's local time, an IANA name such as America/Chicago; empty
	// is UTC. It shows in the response's dates: a time sent with an offset comes back in
	// the server's local time. The page's sample shows an offset and no zone.
	TimeZone string
	// ParameterName is the name of the action's parameter in C#, the first part of every
	// key in ModelState; empty is "model", which is what most actions call it. The page
	// does not show it.
	ParameterName string
	// SuccessBody is the body of 200; empty is SuccessBodyEcho. The page gives
	// IHttpActionResult, which can be anything.
	SuccessBody SuccessBody
	// NullBody is what the action does when the body is empty, blank or the literal
	// null: the framework then leaves ModelState valid and the model null. Empty is
	// NullBodyReject, as the page's Required fields ask.
	NullBody NullBody
}

// SuccessBody is the body of the response to an accepted request.
type SuccessBody string

const (
	// SuccessBodyEcho is Ok(model): the model as it was bound.
	SuccessBodyEcho SuccessBody = "echo"
	// SuccessBodyNone is Ok(): no body.
	SuccessBodyNone SuccessBody = "none"
)

// NullBody is what the action does with a null model.
type NullBody string

const (
	// NullBodyReject is BadRequest("The request is invalid.").
	NullBodyReject NullBody = "reject"
	// NullBodyAccept accepts it: 200 and no body.
	NullBodyAccept NullBody = "accept"
)

// complete puts the defaults in, checks the profile and loads its time zone.
func (p *Profile) complete() (*dotnet.TimeZone, error) {
	if p.TimeZone == "" {
		p.TimeZone = "UTC"
	}
	if p.ParameterName == "" {
		p.ParameterName = "model"
	}
	if p.SuccessBody == "" {
		p.SuccessBody = SuccessBodyEcho
	}
	if p.NullBody == "" {
		p.NullBody = NullBodyReject
	}
	zone, err := dotnet.LoadTimeZone(p.TimeZone)
	switch {
	case err != nil || p.TimeZone == "Local":
		return nil, fmt.Errorf("invalid time zone %q: use an IANA name such as UTC or America/Chicago", p.TimeZone)
	case !isIdentifier(p.ParameterName):
		return nil, fmt.Errorf("invalid parameter name %q: use a C# identifier of letters, digits and _",
			p.ParameterName)
	case p.SuccessBody != SuccessBodyEcho && p.SuccessBody != SuccessBodyNone:
		return nil, fmt.Errorf("invalid success body %q: use %q or %q", p.SuccessBody, SuccessBodyEcho, SuccessBodyNone)
	case p.NullBody != NullBodyReject && p.NullBody != NullBodyAccept:
		return nil, fmt.Errorf("invalid null body %q: use %q or %q", p.NullBody, NullBodyReject, NullBodyAccept)
	}
	return zone, nil
}

func isIdentifier(s string) bool {
	for i, c := range s {
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != "" && len(s) <= 128
}
