package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/seed47566266/understudy/contracts/webapi"
	"github.com/seed47566266/understudy/mockserver"
)

// isTerminal reports an output that a person looks at.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

const (
	// burstLines is how many lines of requests are shown in one burstTime; those past it are
	// summed up.
	burstLines = 10
	burstTime  = time.Second
	// terminalWidth is where a line is cut: terminals of 80 columns are still the rule.
	terminalWidth = 79
)

// terminalLog writes the request log for a person:
//
//	10:24:44 400 1ms Reason: missing (line 33)
type terminalLog struct {
	lines   *logBuffer
	level   slog.Leveler
	colored bool

	mu     *sync.Mutex
	burst  *burst
	prefix []slog.Attr
}

// burst is what came in the current burstTime.
type burst struct {
	shown  int
	summed map[int]int // by status; 0 is a fault
	timer  *time.Timer
}

func newTerminalLog(lines *logBuffer, options *slog.HandlerOptions, colored bool) *terminalLog {
	level := options.Level
	if level == nil {
		level = slog.LevelInfo
	}
	return &terminalLog{lines: lines, level: level, colored: colored, mu: &sync.Mutex{}, burst: &burst{}}
}

// Enabled is of slog.Handler.
func (t *terminalLog) Enabled(_ context.Context, l slog.Level) bool { return l >= t.level.Level() }

// WithAttrs is of slog.Handler.
func (t *terminalLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *t
	with.prefix = append(slices.Clip(t.prefix), attrs...)
	return &with
}

// WithGroup is of slog.Handler. There are no groups in the lines of the mock.
func (t *terminalLog) WithGroup(string) slog.Handler { return t }

// Handle writes a line, or counts it.
func (t *terminalLog) Handle(_ context.Context, r slog.Record) error {
	at := r.Time.Format("15:04:05")
	if r.Message != mockserver.RequestMessage {
		var b strings.Builder
		b.WriteString(at + " " + r.Message)
		t.attributes(r, func(a slog.Attr) { b.WriteString("  " + a.Key + ": " + strings.TrimSpace(a.Value.String())) })
		_, err := t.lines.Write([]byte(b.String() + "\n"))
		return err
	}
	line, status := t.request(r)
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.burst
	if b.timer == nil {
		b.timer = time.AfterFunc(burstTime, t.endBurst)
	}
	if b.shown < burstLines {
		b.shown++
		_, err := t.lines.Write([]byte(at + " " + line + "\n"))
		return err
	}
	if b.summed == nil {
		b.summed = map[int]int{}
	}
	b.summed[status]++
	return nil
}

// endBurst writes what was not shown.
func (t *terminalLog) endBurst() {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.burst
	if len(b.summed) > 0 {
		total, parts := 0, []string{}
		for _, status := range sortedInts(b.summed) {
			n := b.summed[status]
			total += n
			name := strconv.Itoa(status)
			if status == 0 {
				name = "broken"
			}
			parts = append(parts, fmt.Sprintf("%s × %d", name, n))
		}
		_, _ = fmt.Fprintf(t.lines, "%s %d more: %s\n", time.Now().Format("15:04:05"), total, strings.Join(parts, ", "))
	}
	*b = burst{}
}

func sortedInts(m map[int]int) []int {
	keys := make([]int, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// flush writes what a burst has summed up so far.
func (t *terminalLog) flush() { t.endBurst() }

func (t *terminalLog) attributes(r slog.Record, each func(slog.Attr)) {
	for _, a := range t.prefix {
		each(a)
	}
	r.Attrs(func(a slog.Attr) bool {
		each(a)
		return true
	})
}

// request is the line of a request, and its status; 0 for a fault.
func (t *terminalLog) request(r slog.Record) (string, int) {
	var method, path, took string
	var more, session []string
	status, isBroken := 0, false
	var violations []webapi.Violation
	t.attributes(r, func(a slog.Attr) {
		switch a.Key {
		case "method":
			method = a.Value.String()
		case "path":
			path = a.Value.String()
		case "status":
			status = int(a.Value.Int64())
		case "took":
			if took = "<1ms"; a.Value.Duration() >= time.Millisecond {
				took = a.Value.Duration().Round(time.Millisecond).String()
			}
		case "violations":
			if v, ok := a.Value.Any().(mockserver.LoggedViolations); ok {
				violations = v.Response.Violations
				if n := v.Response.Broken - len(violations); n > 0 {
					more = append(more, fmt.Sprintf("and %d more", n))
				}
			}
		case "fault":
			isBroken = true
			more = append(more, a.Value.String())
		case "scenario":
			more = append(more, "scenario "+a.Value.String())
		case "session":
			session = []string{"session " + a.Value.String()}
		case "notes", "problem", "upstream":
			more = append(more, a.Value.String())
		}
	})
	var b strings.Builder
	if isBroken || status == 0 {
		status = 0
		b.WriteString(t.color(status, "---"))
	} else {
		b.WriteString(t.color(status, strconv.Itoa(status)))
	}
	b.WriteString(" " + took)
	reasons := make([]string, 0, len(violations)+len(more))
	for i := range violations {
		reasons = append(reasons, reason(&violations[i]))
	}
	if reasons = append(reasons, more...); len(reasons) == 0 {
		reasons = []string{method + " " + path}
	}
	text := []rune(strings.Join(append(reasons, session...), "; "))
	if room := terminalWidth - len("15:04:05 200 ") - len(took) - 1; len(text) > room {
		text = append(text[:room-1], '…')
	}
	b.WriteString(" " + string(text))
	return b.String(), status
}

// reason is a violation in a few words.
func reason(v *webapi.Violation) string {
	return v.Brief() + " (line " + strconv.Itoa(v.Line) + ")"
}

func (t *terminalLog) color(status int, text string) string {
	code := "31" // red
	switch {
	case !t.colored:
		return text
	case status >= 200 && status < 300:
		code = "32" // green
	case status >= 300 && status < 500:
		code = "33" // yellow
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}
