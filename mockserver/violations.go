package mockserver

import (
	"log/slog"
	"strconv"
	"strings"

	"github.com/seed47566266/understudy/contracts/webapi"
)

// ViolationsHeader is the header of a rejection with the rules of the page that were
// broken, at most [maxShown] of them. Browsers may read it. It is a List of
// structured fields (RFC 9651, section 3.1):
//
//	X-Understudy-Violations: "Reason/required";line=33;pointer="/Reason";found="nothing"
//
// Each member is a String, the rule, with the parameters line (an Integer, the line of
// the Help Page), pointer (a String, the JSON pointer to the place, left out for the
// request as a whole) and found (a String, what was there instead, never the value of
// a field). Where there are more, the last member is the Token more with the
// parameter count. A character outside ASCII is a question mark.
const ViolationsHeader = "X-Understudy-Violations"

// maxShown bounds the header and the log line; a hostile body can break a rule in
// every element of a list.
const maxShown = 8

// violationsText is the value of the header.
func violationsText(resp *webapi.Response) string {
	var b strings.Builder
	for i := range resp.Violations {
		if i > 0 {
			b.WriteString(", ")
		}
		if i == maxShown {
			b.WriteString("more;count=" + strconv.Itoa(resp.Broken-i))
			break
		}
		v := &resp.Violations[i]
		writeString(&b, v.Rule.String())
		b.WriteString(";line=" + strconv.Itoa(v.Line))
		if v.Pointer != "" {
			b.WriteString(";pointer=")
			writeString(&b, v.Pointer)
		}
		b.WriteString(";found=")
		writeString(&b, v.Found)
	}
	return b.String()
}

// LoggedViolations are the violations of a request in the log; a text, of at most eight of
// them, to a handler that does not know them. They are good until the handler returns.
type LoggedViolations struct{ Response *webapi.Response }

// LogValue is the text.
func (l LoggedViolations) LogValue() slog.Value {
	resp := l.Response
	var parts []string
	for i := range resp.Violations {
		if i == maxShown {
			parts = append(parts, "and "+strconv.Itoa(resp.Broken-i)+" more")
			break
		}
		parts = append(parts, resp.Violations[i].String())
	}
	return slog.StringValue(strings.Join(parts, "; "))
}

// writeString writes a String of structured fields (RFC 9651, section 4.1.6).
func writeString(b *strings.Builder, s string) {
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteByte(byte(r))
		case r < ' ' || r > '~':
			b.WriteByte('?')
		default:
			b.WriteByte(byte(r))
		}
	}
	b.WriteByte('"')
}
