package mockserver

import (
	"slices"
	"strings"

	"github.com/seed47566266/understudy/contracts/webapi"
)

// NotesHeader says what the mock has to say besides: names that are not fields, preferences
// that it cannot follow, a template that failed. It is a List of Strings of structured
// fields (RFC 9651):
//
//	X-Understudy-Notes: "/Notes is not a field; did you mean Note?"
const NotesHeader = "X-Understudy-Notes"

// ScenarioHeader names the scenarios that had a part in the response, a List of Strings.
const ScenarioHeader = "X-Understudy-Scenario"

// StoreHeader is "down" while the store that mocks share cannot be reached: scenarios that
// need it are left out then, and the journal waits.
const StoreHeader = "X-Understudy-Store"

// requestIDHeader names a request: the response, the log and the journal have the name that
// the client gave. A request without one stays without, as with the framework.
const requestIDHeader = "X-Request-Id"

// maxRequestID is the longest name of a request that is taken, in bytes.
const maxRequestID = 128

// requestID is the name of the request; empty if the client gave none that can be shown.
func (x *exchange) requestID() string {
	values := x.r.Header[requestIDHeader]
	if len(values) != 1 || len(values[0]) > maxRequestID || !isToken(values[0]) {
		return ""
	}
	return values[0]
}

func (x *exchange) note(text string) { x.notes = append(x.notes, text) }

// noteUnknown notes the names of the body that the page does not list.
func (x *exchange) noteUnknown() {
	for i := range x.response.Unknown {
		u := &x.response.Unknown[i]
		names := make([]string, len(u.Model.Fields))
		for i := range u.Model.Fields {
			names[i] = u.Model.Fields[i].Name
		}
		name := fieldLike(u.Name)
		text := u.Pointer + "/" + name + " is not a field"
		if near := nearest(name, names); near != "" && name != unknownName {
			text += "; did you mean " + near + "?"
		}
		if !slices.Contains(x.notes, text) {
			x.note(text)
		}
	}
	if len(x.response.Unknown) == webapi.MaxUnknown {
		x.note("there may be more names that are not fields")
	}
}

const unknownName = "?"

// fieldLike is a client's name where it could be a field's, else a question mark: it may
// be anyone's name, and headers and logs are read by others.
func fieldLike(name string) string {
	if len(name) > 40 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" {
		return unknownName
	}
	return name
}

// listText is a List of Strings of structured fields.
func listText(items []string) string {
	var b strings.Builder
	for i, item := range items {
		if i > 0 {
			b.WriteString(", ")
		}
		writeString(&b, item)
	}
	return b.String()
}

// scenarioNames are the names of the scenarios with a part in the response.
func (x *exchange) scenarioNames() []string {
	names := make([]string, len(x.applied))
	for i := range x.applied {
		names[i] = x.applied[i].Name
	}
	return names
}
