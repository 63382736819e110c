package webapi

import (
	"path"
	"strings"

	"github.com/seed47566266/understudy/contracts/webapi/dotnet"
)

// routeResult is how far a request gets before the action.
type routeResult uint8

const (
	routeFound routeResult = iota
	routeNone              // the route table has nothing for the path
	routeController
	routeAction
	routeMethod
)

// Matches reports a path and query that lead to the operation's route, whatever the
// method.
func (e *Endpoint) Matches(target string) bool {
	result, _ := e.route(e.operation.Method, target)
	return result == routeFound
}

// route matches a request's path against prefix/{controller}/{action}/{id} with
// id optional, without regard to case, percent-encoding or dot segments.
func (e *Endpoint) route(method, target string) (result routeResult, name string) {
	p, _, _ := strings.Cut(target, "?")
	if p == e.path {
		if strings.EqualFold(method, e.operation.Method) {
			return routeFound, ""
		}
		return routeMethod, ""
	}
	p = unescapePath(p)
	if strings.Contains(p, "/.") {
		slash := strings.HasSuffix(p, "/")
		// path.Clean would fold empty segments, which do not match.
		if !strings.Contains(p, "//") {
			p = path.Clean(p)
			if slash && p != "/" {
				p += "/"
			}
		}
	}
	p = strings.TrimPrefix(p, "/")
	p = strings.TrimSuffix(p, "/")
	segments := strings.Split(p, "/")
	if len(segments) < 3 || len(segments) > 4 || !strings.EqualFold(segments[0], e.segments[0]) {
		return routeNone, ""
	}
	for _, s := range segments {
		if s == "" {
			return routeNone, ""
		}
	}
	if !strings.EqualFold(segments[1], e.segments[1]) {
		return routeController, segments[1]
	}
	if !strings.EqualFold(segments[2], e.segments[2]) {
		return routeAction, segments[2]
	}
	if !strings.EqualFold(method, e.operation.Method) {
		return routeMethod, ""
	}
	return routeFound, ""
}

// unescapePath decodes percent-encoding; what is malformed stays as it is.
func unescapePath(p string) string {
	if strings.IndexByte(p, '%') < 0 {
		return p
	}
	var b strings.Builder
	for i := 0; i < len(p); i++ {
		if p[i] == '%' && i+2 < len(p) {
			high, low := dotnet.HexDigit(p[i+1]), dotnet.HexDigit(p[i+2])
			if high >= 0 && low >= 0 {
				b.WriteByte(byte(high<<4 | low))
				i += 2
				continue
			}
		}
		b.WriteByte(p[i])
	}
	return b.String()
}
