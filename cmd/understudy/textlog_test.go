package main

import (
	"bytes"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// FuzzTextLog writes lines with any text in them, which must be those of slog's own
// handler.
func FuzzTextLog(f *testing.F) {
	for _, text := range []string{
		"/api/x", "", "a b", `a"b`, "a=b", `a\b`, "é", "\x00", "\xff", "a\nb", "\u2028", "\x7f",
	} {
		f.Add("request", "path", text, int64(200), int64(1500))
		f.Add(text, "path", "/", int64(-1), int64(0))
		f.Add("request", text, "/", int64(0), int64(-1))
	}
	f.Fuzz(func(t *testing.T, message, key, text string, number, took int64) {
		for _, at := range []time.Time{{}, time.Unix(1e9, 999_999_999), time.Unix(0, number).UTC()} {
			r := slog.NewRecord(at, slog.LevelInfo, message, 0)
			r.Add(slog.String(key, text), slog.Int64("status", number), slog.Duration("took", time.Duration(took)))
			var want bytes.Buffer
			require.NoError(t, slog.NewTextHandler(&want, nil).Handle(t.Context(), r))
			lines := newLogBuffer(io.Discard, "text")
			lines.writing = true // nothing is written: the lines stay where they can be read
			require.NoError(t, newTextLog(lines, nil).Handle(t.Context(), r))
			require.Equal(t, want.String(), string(lines.pending))
		}
	})
}
