package mockserver

import (
	"net/http"
	"strings"
	"time"

	"github.com/seed47566266/understudy/mockserver/store"
)

func scheme(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

// record puts the exchange into the journal.
func (s *Server) record(x *exchange) error {
	x.took = time.Since(x.began)
	s.metrics.count(x)
	if x.passedOn != nil {
		s.agree(x)
	}
	isKept := s.store.Enabled() || s.journalFile != nil || s.observe != nil
	if !isKept && len(s.hide.fields) == 0 {
		return nil
	}
	resp, hiding := &x.response, s.hide.begin(x)
	x.hiding = hiding // for the log, too
	body := hiding.body(x.request.Body, x.r.Header.Get("Content-Type"))
	x.notes, x.session = hiding.texts(x.notes), hiding.text(x.session)
	if !isKept {
		return nil
	}
	target := hiding.target(x.request.Target)
	e := &store.Entry{
		Time: x.began, Session: x.session, Method: x.r.Method, Scheme: x.request.Scheme, Host: hiding.text(x.r.Host),
		Client: x.r.RemoteAddr, BodyBytes: max(len(x.request.Body), int(x.bodyBytes)), Outcome: x.outcome(),
		Violations: resp.Violations, Broken: resp.Broken, Notes: x.notes, Fault: string(x.fault),
		Delay: x.delay, Took: x.took, Upstream: x.passedOn,
	}
	e.Body, e.Target, e.Header = body, target, hiding.headers(x.r.Header)
	if x.matched() {
		e.Operation = x.operation.ID
	}
	for i := range x.applied {
		e.Scenarios = append(e.Scenarios, store.Applied{Name: x.applied[i].Name, Why: x.applied[i].why})
	}
	if x.fault == "" || x.fault.ofResponse() {
		e.Status, e.ResponseHeader = resp.Status, hiding.headers(x.w.Header())
		e.ResponseBody = hiding.body(resp.Body, resp.ContentType)
	}
	if x.r.Header["Origin"] != nil {
		e.Preflight = s.preflights.take(x.r)
	}
	id := s.append(e)
	if tracked, ok := x.w.(*trackedWriter); ok && tracked.sent != nil {
		tracked.sent.ID = id
	}
	return nil
}

// append adds an entry to the journal, and to its file. It returns the entry's id; empty where that
// is given later.
func (s *Server) append(e *store.Entry) (id string) {
	id = s.store.Append(e)
	if s.journalFile != nil {
		s.journalFile.append(e)
	}
	if s.observe != nil {
		s.observe(e)
	}
	return id
}

// recordPreflight puts a preflight that no request followed into journal and log.
func (s *Server) recordPreflight(e *store.Entry) {
	hiding := s.hide.begin(nil)
	e.Target, e.Header = hiding.target(e.Target), hiding.headers(http.Header(e.Header))
	s.append(e)
	asked := http.Header(e.Header).Get("Access-Control-Request-Method")
	s.log.Info("preflight", "path", printableText(e.Target), "asked", printableText(asked),
		"problem", "no request followed")
}

// matched reports a request to an operation.
func (x *exchange) matched() bool {
	return x.operation.endpoint.Matches(x.request.Target) && strings.EqualFold(x.r.Method, x.operation.Method)
}

func (x *exchange) outcome() store.Outcome {
	accepted := x.response.Status < http.StatusBadRequest
	switch {
	case x.fault != "":
		return store.OutcomeFault
	case x.passedOn != nil && accepted:
		return store.OutcomeAccepted
	case x.passedOn != nil:
		return store.OutcomeRejected
	case x.isReplaced:
		return store.OutcomeScenario
	case x.isAccepted:
		return store.OutcomeAccepted
	}
	return store.OutcomeRejected
}
