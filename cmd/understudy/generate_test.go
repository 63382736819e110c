package main

import (
	"bytes"
	"context"
	"io"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/testsuite"
)

// generate runs the command and returns what it writes to its two streams.
func generate(t testing.TB, args ...string) (out []byte, errs string) {
	t.Helper()
	var stdout bytes.Buffer
	var stderr strings.Builder
	code := run(t.Context(), append([]string{"generate"}, args...),
		streams{strings.NewReader(""), &stdout, &stderr, func(string) string { return "" }})
	require.Equal(t, 0, code, "%v: %s", args, stderr.String())
	return stdout.Bytes(), stderr.String()
}

// closedPipe takes some bytes and then has no reader any more.
type closedPipe struct {
	room int
	got  bytes.Buffer
}

func (p *closedPipe) Write(b []byte) (int, error) {
	n := min(len(b), p.room)
	p.room -= n
	p.got.Write(b[:n])
	if n < len(b) {
		return n, syscall.EPIPE
	}
	return n, nil
}

func TestAClosedPipeEndsTheRunQuietly(t *testing.T) {
	whole, _ := generate(t, "-n", "20000")
	for _, room := range []int{0, 1, 100_000, 2_000_000} {
		pipe := &closedPipe{room: room}
		var errs strings.Builder
		code := run(t.Context(), []string{"generate", "-n", "20000"},
			streams{strings.NewReader(""), pipe, &errs, func(string) string { return "" }})
		require.Equal(t, 0, code)
		require.Empty(t, errs.String())
		require.True(t, bytes.Equal(whole[:room], pipe.got.Bytes()), "nothing before it is lost")
	}
}

func TestAStoppedRunSaysHowFarItCame(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var errs strings.Builder
	name := filepath.Join(t.TempDir(), "out")
	code := run(ctx, []string{"generate", "-n", "100000000", "-o", name},
		streams{strings.NewReader(""), io.Discard, &errs, func(string) string { return "" }})
	require.Equal(t, testsuite.ExitMachine, code)
	require.Contains(t, errs.String(), "of 100000000 rows")
}
