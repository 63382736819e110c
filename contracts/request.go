package contracts

import (
	"bytes"
	"fmt"
	"strings"
)

// Header is one header line of a request or a response.
type Header struct {
	// Name is the header's name, in any case.
	Name string `json:"name"`
	// Value is what follows the colon, without the white space around it.
	Value string `json:"value"`
}

// Request is an HTTP request as it is sent.
type Request struct {
	// Method is the HTTP method.
	Method string
	// Path is the path and query as sent, with a leading slash.
	Path string
	// Headers are in the order of sending, without Host and Content-Length.
	Headers []Header
	// Body is the whole body.
	Body []byte
	// Raw, if set, is the whole request as the bytes of a connection, for requests
	// that a client library would not send; "{host}" stands for the Host. The other
	// fields then describe it.
	Raw []byte
}

// Header is the value of the first header of a name, empty if there is none.
func (r *Request) Header(name string) string {
	for _, h := range r.Headers {
		if strings.EqualFold(h.Name, name) {
			return h.Value
		}
	}
	return ""
}

// WithHeader is a copy of the request with one value for a header.
func (r Request) WithHeader(name, value string) Request {
	headers := append([]Header(nil), r.Headers...)
	for i := range headers {
		if strings.EqualFold(headers[i].Name, name) {
			headers[i].Value = value
			r.Headers = headers
			return r
		}
	}
	r.Headers = append(headers, Header{Name: name, Value: value})
	return r
}

// Wire is the request as the bytes of one connection to a host. The connection ends
// with the response.
func (r *Request) Wire(host string) []byte {
	if r.Raw != nil {
		return bytes.ReplaceAll(r.Raw, []byte("{host}"), []byte(host))
	}
	b := fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nContent-Length: %d\r\n",
		r.Method, r.Path, host, len(r.Body))
	for _, h := range r.Headers {
		b = fmt.Appendf(b, "%s: %s\r\n", h.Name, h.Value)
	}
	return append(append(b, "\r\n"...), r.Body...)
}
