package testsuite

import (
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// response is what came back for a request.
type response struct {
	status int
	header http.Header
	// body is the first maxBody bytes; cut marks that there were more. It is not to be
	// kept: its memory serves the next response.
	body []byte
	cut  bool
	// problem is why there is no response, or not a whole one. The status is 0 then,
	// unless the response had begun.
	problem string
	length  int  // of the body, as far as it was read
	late    bool // it did not come in time
	closed  bool // the target ended the connection in place of a response

	reading reading     // what it means
	kind    unclearKind // of what is unclear
	why     string      // it is unclear; without secrets, and short
	token   int         // that the request went with, by number
	// after is what a valid request right after this one showed, which got no response.
	after aftermath
}

// aftermath is what a control shows that is sent after a request without a response.
type aftermath int

const (
	afterUnknown aftermath = iota
	// afterAccepted is a target that is there: silence was its response.
	afterAccepted
	// afterSilent is one that accepted valid requests before, and no longer responds.
	afterSilent
)

// maxBody is how many bytes of a response's body are read. Parallel times this is the
// memory that responses take.
const maxBody = 1 << 20

// summary is a response in a few words.
func (a *response) summary() string {
	if a.problem != "" {
		return a.problem
	}
	text := strconv.Itoa(a.status)
	if name := http.StatusText(a.status); name != "" {
		text += " " + name
	}
	if kind := a.header.Get("Content-Type"); kind != "" && len(a.body) > 0 {
		text += ", " + kind
	}
	if len(a.body) == 0 {
		text += ", no body"
	}
	return text
}

// mediaOf is the media type of a response's Content-Type, in lower case.
func mediaOf(contentType string) string {
	name, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		name, _, _ = strings.Cut(contentType, ";")
		name = strings.ToLower(strings.TrimSpace(name))
	}
	return name
}
