package testsuite

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// edges are servers that stand at the edge of a network and never on loopback, by the
// beginning of their Server header, in lower case.
var edges = []string{
	"akamai", "amazons3", "awselb", "cloudflare", "cloudfront", "fly/", "gfe", "google frontend", "gws",
	"heroku", "microsoft-azure-application-gateway", "netlify", "vercel",
}

// tunnelled says why a target on loopback may be one elsewhere that a tunnel leads to;
// empty if nothing speaks for it. Names are those of the target's certificate.
func tunnelled(header http.Header, names []string) string {
	if via := header.Get("Via"); via != "" {
		return fmt.Sprintf("the response came through a gateway (Via: %s)", cut(via, longestHint))
	}
	server := header.Get("Server")
	if slices.ContainsFunc(edges, func(edge string) bool { return strings.HasPrefix(strings.ToLower(server), edge) }) {
		return fmt.Sprintf("the response is from an edge server (Server: %s)", cut(server, longestHint))
	}
	if len(names) > 0 && !slices.ContainsFunc(names, isLocalName) {
		return fmt.Sprintf("the certificate is for %s", cut(names[0], longestHint))
	}
	return ""
}

// longestHint is how many characters of a header or a name a warning shows.
const longestHint = 60

// isLocalName reports a name that is used on one machine or its network: without a dot, or
// under a domain that is reserved for that (RFC 6761, RFC 6762, RFC 8375).
func isLocalName(name string) bool {
	if isLoopback(name) || !strings.Contains(name, ".") {
		return true
	}
	for _, domain := range []string{".localhost", ".local", ".test", ".internal", ".home.arpa"} {
		if strings.HasSuffix(strings.ToLower(name), domain) {
			return true
		}
	}
	return false
}

// warnOfTunnel warns once where a target on loopback, which gets any number of writes, may
// be one elsewhere.
func (r *run) warnOfTunnel(e *exchange) {
	if !r.loopback || !r.budget.unlimited() || e.response == nil || len(r.warnings) > 0 {
		return
	}
	why := tunnelled(e.response.header, r.target.wire.certified())
	if why == "" {
		return
	}
	text := r.hide.text("the target's address is loopback, where writes have no limit, but it may be a tunnel: " +
		why + "; --max-writes limits them")
	r.warnings = append(r.warnings, text)
	if r.config.Warn != nil {
		r.config.Warn(text)
	}
}
