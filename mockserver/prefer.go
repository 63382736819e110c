package mockserver

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The header Prefer (RFC 7240) asks for something in one request, for tests that run side
// by side: code=503, delay=500 (milliseconds, or a time such as 1.5s), fault=NAME,
// scenario=NAME, validate=off. The query parameter __prefer says the same where headers
// cannot be set. What was followed comes back in Preference-Applied.
const (
	preferHeader  = "Prefer"
	preferQuery   = "__prefer"
	appliedHeader = "Preference-Applied"
	// SessionHeader has requests with the same value share journal, states and counters, apart
	// from all others.
	SessionHeader = "X-Understudy-Session"
	// maxSessionName is the longest name of a session, in bytes.
	maxSessionName = 128
)

// preferences are what a request asks for.
type preferences struct {
	code      int
	delay     *Delay
	fault     Fault
	scenarios []string
	validate  Validation
	// applied are the preferences that are followed, as they were said.
	applied []string
}

// prefer reads what the request asks for, and the name of its session.
func (s *Server) prefer(x *exchange) error {
	x.rules = s.rules.Load()
	x.validation = x.rules.settings.Validation
	if name := x.r.Header.Get(SessionHeader); name != "" {
		if len(name) > maxSessionName || strings.Trim(name, sessionCharacters) != "" {
			x.note(sessionSyntax + "; the session is ignored")
		} else {
			x.session = name
		}
	}
	asked := x.r.Header[preferHeader]
	if x.r.URL != nil && strings.Contains(x.r.URL.RawQuery, preferQuery) {
		asked = slices.Concat(asked, x.query()[preferQuery])
	}
	if len(asked) == 0 {
		return nil
	}
	x.prefer = &preferences{}
	for _, line := range asked {
		for _, preference := range splitList(line) {
			x.follow(preference)
		}
	}
	if p := x.prefer; p.validate != "" {
		x.validation = p.validate
	}
	return nil
}

// sessionSyntax says what the name of a session may be: no log or key is to be spoilt by one.
const sessionSyntax = SessionHeader + ": use up to 128 letters, digits and . _ : / -"

const sessionCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:/-"

// splitList splits a list at commas that are not in quotes.
func splitList(line string) []string {
	quoted, escaped := false, false
	return strings.FieldsFunc(line, func(r rune) bool {
		switch {
		case escaped:
			escaped = false
		case quoted && r == '\\':
			escaped = true
		case r == '"':
			quoted = !quoted
		}
		return r == ',' && !quoted
	})
}

var (
	// ownPreferences are those that are followed, and othersPreferences the registered ones, with
	// which a client asks something else.
	ownPreferences    = []string{"code", "delay", "fault", "scenario", "validate"}
	othersPreferences = []string{
		"depth-noroot", "handling", "odata.maxpagesize", "odata.track-changes", "respond-async",
		"return", "safe", "wait",
	}
)

// follow takes one preference. One that is wrong is ignored, as the RFC asks, and noted.
func (x *exchange) follow(preference string) {
	p := x.prefer
	text, parameters, hasParameters := strings.Cut(strings.TrimSpace(preference), ";")
	name, value, _ := strings.Cut(text, "=")
	name, value = strings.ToLower(strings.TrimSpace(name)), strings.Trim(strings.TrimSpace(value), `"`)
	var problem string
	isSaid := map[string]bool{
		"code": p.code != 0, "delay": p.delay != nil, "fault": p.fault != "", "validate": p.validate != "",
	}[name]
	switch {
	case isSaid:
		problem = "the first one counts" // RFC 7240, section 2
	case name == "code":
		code, err := strconv.Atoi(value)
		if err != nil || code < 200 || code > 599 {
			problem = "use a status of 200 to 599"
			break
		}
		p.code = code
	case name == "delay":
		d, err := ParseDelay(value)
		if err != nil {
			problem = "use milliseconds, or a time such as 1.5s, up to " + MaxDelay.String()
			break
		}
		p.delay = &d
	case name == "fault":
		if p.fault = Fault(value); !p.fault.known() {
			p.fault = ""
			problem = "unknown fault" + didYouMean(value, FaultNames())
		}
	case name == "scenario":
		if _, found := x.rules.named[x.operation][value]; !found {
			problem = "unknown scenario" + didYouMean(value, sortedKeys(x.rules.named[x.operation]))
			break
		}
		p.scenarios = append(p.scenarios, value)
	case name == "validate":
		v := Validation(value)
		if !v.known() {
			problem = "use enforce, warn or off"
			break
		}
		p.validate = v
	default:
		if !slices.Contains(othersPreferences, name) {
			x.note(fmt.Sprintf("%s: %s is ignored; use %s", preferHeader, shown(name),
				strings.Join(ownPreferences, ", ")))
		}
		return
	}
	if hasParameters {
		x.note(fmt.Sprintf("%s: %s after %s is ignored; separate preferences by commas", preferHeader,
			shown(strings.TrimSpace(parameters)), name))
	}
	if problem != "" {
		x.note(fmt.Sprintf("%s: %s=%s is ignored; %s", preferHeader, name, shown(value), problem))
		return
	}
	p.applied = append(p.applied, strings.TrimSpace(text))
}

// shown is a client's text for a note.
func shown(text string) string {
	if len(text) > 40 || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' }) {
		return "?"
	}
	return text
}

// query is the query of the request.
func (x *exchange) query() url.Values {
	if x.queryValues == nil {
		x.queryValues = x.r.URL.Query()
	}
	return x.queryValues
}

// Validation is what happens to a request that breaks the page.
type Validation string

const (
	// ValidationEnforce rejects it, as the framework does.
	ValidationEnforce Validation = "enforce"
	// ValidationWarn accepts it, and says in header, log and journal what is broken.
	ValidationWarn Validation = "warn"
	// ValidationOff accepts it.
	ValidationOff Validation = "off"
)

func (v Validation) known() bool {
	return v == ValidationEnforce || v == ValidationWarn || v == ValidationOff
}

// preferred is the scenario that the preferences of a request make; nil if they ask for
// no response of their own.
func (p *preferences) preferred() *Then {
	if p.code == 0 && p.fault == "" {
		return nil
	}
	then := &Then{Fault: p.fault}
	if p.fault == "" || p.fault.ofResponse() {
		then.Status = p.code
	}
	return then
}

// announce sets the headers about preferences and session.
func (x *exchange) announce(h http.Header) {
	if x.prefer != nil && len(x.prefer.applied) > 0 {
		h[appliedHeader] = []string{strings.Join(x.prefer.applied, ", ")}
	}
}

// delayOf draws the delay of a scenario.
func (s *Server) delayOf(d *Delay) time.Duration {
	if d == nil {
		return 0
	}
	return d.draw(s.random())
}
