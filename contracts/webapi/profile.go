package webapi

import "fmt"

// Profile holds the choices of a real server that the page leaves open. The zero
// value is not usable; begin with [DefaultProfile].
type Profile struct {
	// ErrorDetail is IncludeErrorDetailPolicy: true shows the texts of
	// exceptions, with path, line and position, as a server does to its own
	// machine; false shows "An error has occurred." as a server in production
	// does to the world. The page says nothing of it.
	ErrorDetail bool
	// TimeZone is the server's local time, an IANA name such as
	// America/Chicago. It shows in the answer's dates: a time sent with an
	// offset comes back in the server's local time. The page's sample shows an
	// offset and no zone.
	TimeZone string
	// ParameterName is the name of the action's parameter in C#. It is the first
	// part of every key in ModelState. The page does not show it; "model" is
	// what most actions call it.
	ParameterName string
	// SuccessBody says what the action answers with 200. The page gives
	// IHttpActionResult, which can be anything.
	SuccessBody SuccessBody
	// NullBody says what the action does when the body is empty, blank or the
	// literal null: the framework then leaves ModelState valid and the model
	// null. The page's Required fields ask for a refusal.
	NullBody NullBody
}

// SuccessBody is what an accepted request is answered with.
type SuccessBody string

const (
	// Echo is Ok(model): the model as it was bound.
	Echo SuccessBody = "echo"
	// NoBody is Ok(): an empty answer.
	NoBody SuccessBody = "none"
)

// NullBody is what the action does with a null model.
type NullBody string

const (
	// RefuseNull is BadRequest("The request is invalid.").
	RefuseNull NullBody = "refuse"
	// AcceptNull goes on with nothing: 200 and no body.
	AcceptNull NullBody = "accept"
)

// DefaultProfile is the server that the recorded answers came from, as a
// remote client sees it.
func DefaultProfile() Profile {
	return Profile{TimeZone: "UTC", ParameterName: "model", SuccessBody: Echo, NullBody: RefuseNull}
}

// check validates the profile and loads its time zone.
func (p *Profile) check() (*timeZone, error) {
	zone, err := loadTimeZone(p.TimeZone)
	if err != nil || p.TimeZone == "" || p.TimeZone == "Local" {
		return nil, fmt.Errorf("time zone %q: not an IANA name; use one such as UTC or America/Chicago", p.TimeZone)
	}
	if !isIdentifier(p.ParameterName) {
		return nil, fmt.Errorf("parameter name %q: not a C# identifier; use letters, digits and _", p.ParameterName)
	}
	if p.SuccessBody != Echo && p.SuccessBody != NoBody {
		return nil, fmt.Errorf("success body %q: use %q or %q", p.SuccessBody, Echo, NoBody)
	}
	if p.NullBody != RefuseNull && p.NullBody != AcceptNull {
		return nil, fmt.Errorf("null body %q: use %q or %q", p.NullBody, RefuseNull, AcceptNull)
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
