package webapi

import (
	"net/http"
	"sort"
	"strings"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/webapi/dotnet"
)

// isWide reports a response in UTF-16.
func isWide(header http.Header, content *mediaType) bool {
	asked := len(header["Accept-Charset"]) > 0 || content != nil && content.charset != ""
	return asked && responseUTF16(header, content)
}

// negotiate chooses the media type and charset of a response and encodes it.
func (e *Endpoint) negotiate(resp *Response, header http.Header, content *mediaType) {
	resp.ContentType = e.responseType(header, content)
	wide := isWide(header, content)
	switch {
	case len(resp.Body) == 0:
		resp.ContentType = ""
	case wide:
		resp.ContentType += "; charset=utf-16"
		resp.Body = dotnet.EncodeUTF16(resp.Body)
	case resp.ContentType == contracts.MediaJSON:
		resp.ContentType = "application/json; charset=utf-8"
	default:
		resp.ContentType += "; charset=utf-8"
	}
}

var formTypes = []string{contracts.MediaForm}

// isOneOf reports that a formatter of the given media types takes the content.
func (m *mediaType) isOneOf(types []string) bool {
	if m == nil {
		return false
	}
	for _, t := range types {
		if m.name == t || m.includes(t) {
			return true
		}
	}
	return false
}

// responseType chooses the response's media type among those of the JSON
// formatter: by Accept, else by the request's Content-Type, else the first.
func (e *Endpoint) responseType(header http.Header, content *mediaType) string {
	lines := header["Accept"]
	if len(lines) == 0 {
		if header["X-Requested-With"] != nil && isXHR(header) {
			return contracts.MediaJSON
		}
	} else {
		accepted := parseAccept(lines)
		if len(accepted) == 0 || len(accepted) == 1 && accepted[0].name == "*/*" {
			if isXHR(header) {
				return contracts.MediaJSON
			}
		}
		for i := range accepted {
			if accepted[i].quality == 0 {
				continue
			}
			for _, supported := range e.responseTypes {
				if accepted[i].includes(supported) {
					return supported
				}
			}
		}
	}
	if content != nil {
		for _, supported := range e.responseTypes {
			if content.includes(supported) {
				return supported
			}
		}
	}
	return e.responseTypes[0]
}

// isXHR is the mapping that Web API has for scripts that say who they are.
func isXHR(header http.Header) bool {
	for _, v := range header["X-Requested-With"] {
		if strings.Contains(strings.ToLower(v), "xmlhttprequest") {
			return true
		}
	}
	return false
}

// responseUTF16 chooses the response's charset: by Accept-Charset, else the
// request's, else UTF-8.
func responseUTF16(header http.Header, content *mediaType) bool {
	accepted := commaLists(header["Accept-Charset"], (*headerScanner).charset)
	sort.SliceStable(accepted, func(i, j int) bool {
		a, b := accepted[i], accepted[j]
		if a.quality != b.quality {
			return a.quality > b.quality
		}
		return a.name != "*" && b.name == "*"
	})
	for _, c := range accepted {
		if c.quality == 0 {
			continue
		}
		switch {
		case c.name == "*" || strings.EqualFold(c.name, "utf-8"):
			return false
		case strings.EqualFold(c.name, "utf-16"):
			return true
		}
	}
	return content != nil && strings.EqualFold(content.charset, "utf-16")
}
