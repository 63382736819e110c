package oracle

import (
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/seed47566266/understudy/contracts"
)

var (
	ruleMethod = contracts.RuleID{Kind: contracts.RuleMethod}
	ruleRoute  = contracts.RuleID{Kind: contracts.RuleRoute}
)

// readTarget reads method, path and query.
func (o *Oracle) readTarget(r *contracts.Request) Expectation {
	line := o.operation.RouteFact.Line
	e := o.accept()
	if r.Method != o.operation.Method {
		switch {
		case r.Method == http.MethodOptions:
			e = Unspecified(ruleMethod, line, "OPTIONS may be a browser's preflight")
		case strings.EqualFold(r.Method, o.operation.Method):
			e = Unspecified(ruleMethod, line, "methods are case-sensitive, and some servers are not")
		default:
			return reject(ruleMethod, line, "the page lists "+o.operation.Method)
		}
	}
	path, _, hasQuery := strings.Cut(r.Path, "?")
	decoded, err := url.PathUnescape(path)
	switch {
	case path == o.path:
	case err == nil && decoded == o.path && !strings.Contains(strings.ToUpper(path), "%2F"):
		e = mostSevere(e, o.accept().WithLatitude(
			"the two paths are equivalent (RFC 3986, section 6.2.2.2), and not every router knows"))
	default:
		return mostSevere(e, o.readOtherPath(decoded, line))
	}
	if hasQuery {
		return mostSevere(e, Unspecified(ruleRoute, line, "the page lists no URI parameters"))
	}
	return e
}

// IsElsewhere reports a path that is not the operation's in any host's reading: in
// another case, with a slash at the end or with escapes it still is.
func (o *Oracle) IsElsewhere(path string) bool {
	path, _, _ = strings.Cut(path, "?")
	decoded, err := url.PathUnescape(path)
	return err != nil || !strings.EqualFold(strings.TrimSuffix(decoded, "/"), o.path) ||
		strings.Contains(strings.ToUpper(path), "%2F")
}

// actionName is what may be the name of another action.
var actionName = regexp.MustCompile(`^[a-z_][a-z0-9_]*$`)

func (o *Oracle) readOtherPath(path string, line int) Expectation {
	route := strings.Split(strings.ToLower(o.path), "/")[1:]
	var got []string
	for _, segment := range strings.Split(strings.ToLower(path), "/") {
		switch segment {
		case "", ".":
		case "..":
			if len(got) > 0 {
				got = got[:len(got)-1]
			}
		default:
			got = append(got, segment)
		}
	}
	last := len(route) - 1
	same := len(got) >= len(route) && strings.Join(got[:len(route)], "/") == strings.Join(route, "/")
	sibling := len(got) == len(route) && strings.Join(got[:last], "/") == strings.Join(route[:last], "/")
	basis := "it is another path"
	if strings.Contains(path+"/", "/../") || strings.Contains(path+"/", "/./") {
		basis = "without its dot segments (RFC 3986, section 5.2.4) it is another path"
	}
	switch {
	case same && len(got) <= len(route)+1:
		return Unspecified(ruleRoute, line, "hosts differ in how they take case, slashes and one more segment")
	case sibling && actionName.MatchString(got[last]):
		return Unspecified(ruleRoute, line, "another action may be there")
	}
	return reject(ruleRoute, line, basis).
		WithLatitude("the page speaks of one path, and something else may be at others")
}

// readAccept is unspecified where the client admits none of the response's formats.
func (o *Oracle) readAccept(r *contracts.Request) Expectation {
	first := o.operation.Response.Formats[0]
	rule, line := contracts.RuleID{Kind: contracts.RuleResponse, Media: first.MediaType}, first.Fact.Line
	charset := strings.ToLower(r.Header("Accept-Charset"))
	if charset != "" && !strings.Contains(charset, "utf-8") && !strings.Contains(charset, "*") {
		return Unspecified(rule, line, "the page names no charset of its responses")
	}
	accept := r.Header("Accept")
	if accept == "" {
		return o.accept()
	}
	for _, part := range strings.Split(accept, ",") {
		name, parameters, err := mime.ParseMediaType(part)
		if q, _ := strconv.ParseFloat(parameters["q"], 64); err != nil || parameters["q"] != "" && q == 0 {
			continue
		}
		for _, f := range o.operation.Response.Formats {
			main, _, _ := strings.Cut(f.MediaType, "/")
			switch name {
			case f.MediaType, "*/*":
				return o.accept()
			case main + "/*":
				return o.accept().WithLatitude("the page does not say how ranges of media types are read")
			}
		}
	}
	return Unspecified(rule, line, "the client admits none of the formats that the page lists")
}
