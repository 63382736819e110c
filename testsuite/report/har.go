package report

import (
	"time"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/fixtures/export"
	"github.com/seed47566266/understudy/testsuite"
)

// har is an HTTP Archive 1.2 of what was sent and what came back, without secrets;
// long bodies are cut, which a comment says.
func har(r *results) ([]byte, error) {
	base := r.Target
	if r.InProcess {
		base = "http://handler.invalid"
	}
	verdict := map[string]*testsuite.Result{}
	for i := range r.Cases {
		if x := &r.Cases[i]; x.Aspect == testsuite.AspectOutcome {
			verdict[x.ID] = x
		}
	}
	archive := export.HAR{Version: r.Version, Comment: r.Conclusion}
	for i := range r.Exchanges {
		e := &r.Exchanges[i]
		comment := e.ID
		if x := verdict[e.ID]; x != nil {
			comment += ": " + string(x.Verdict) + ": " + x.Why
		}
		archive.Exchanges = append(archive.Exchanges, export.HARExchange{
			Comment: comment,
			Started: r.Started.Add(time.Duration(e.At * float64(time.Second))),
			Millis:  e.Millis,
			Base:    base,
			Request: contracts.Request{
				Method:  e.Sent.Method,
				Path:    e.Sent.Path,
				Headers: e.Sent.Headers,
				Body:    []byte(plain(e.Sent.Body)),
			},
			Bytes: e.Sent.Body.Bytes,
			Note:  remark(e.Sent.Body),
			Response: &export.HARResponse{
				Status:  e.Received.Status,
				Headers: e.Received.Headers,
				Body:    plain(e.Received.Body),
				Bytes:   e.Received.Body.Bytes,
				Note:    remark(e.Received.Body),
				Problem: e.Received.Problem,
			},
		})
	}
	return archive.Append(nil), nil
}

// plain is a body as JSON can hold it.
func plain(t testsuite.Text) string {
	if t.Base64 == "" {
		return t.Text
	}
	return t.String()
}

func remark(t testsuite.Text) string {
	switch {
	case t.Cut:
		return "the beginning of it"
	case t.Base64 != "":
		return "bytes that are not UTF-8 are shown as escapes"
	}
	return ""
}
