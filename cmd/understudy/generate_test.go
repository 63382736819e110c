package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/helppage"
	"github.com/seed47566266/understudy/fixtures/export"
	"github.com/seed47566266/understudy/mockserver"
	"github.com/seed47566266/understudy/testsuite"
)

// generate runs the command and returns what it writes to its two streams.
func generate(t testing.TB, args ...string) (out []byte, errs string) {
	t.Helper()
	var stdout bytes.Buffer
	var stderr strings.Builder
	code := run(t.Context(), append([]string{"generate"}, args...), streams{strings.NewReader(""), &stdout, &stderr, func(string) string { return "" }})
	require.Equal(t, 0, code, "%v: %s", args, stderr.String())
	return stdout.Bytes(), stderr.String()
}

func startTarget(t testing.TB) *httptest.Server {
	t.Helper()
	c, err := helppage.Parse(contracts.Page())
	require.NoError(t, err)
	mock, err := mockserver.New(c)
	require.NoError(t, err)
	server := httptest.NewServer(mock)
	t.Cleanup(server.Close)
	return server
}

// TestEverySeedKindAndFormatKeepsItsBytes pins what is written. A change is a new
// version of the generator, to be said in the changelog.
func TestEverySeedKindAndFormatKeepsItsBytes(t *testing.T) {
	const name = "testdata/generate.golden"
	var list strings.Builder
	for _, seed := range []string{"0", "7"} {
		for _, kind := range generateKinds {
			for _, format := range export.Formats() {
				// raw is the bodies themselves, which ndjson has; all is the other
				// kinds in a row.
				if format == "raw" || kind == kindAll && format != "ndjson" && format != "json" {
					continue
				}
				args := []string{"--seed", seed, "--kind", kind, "--format", format}
				if kind == kindValid || kind == kindAll {
					args = append(args, "-n", "1000")
				}
				out, _ := generate(t, args...)
				sum := sha256.Sum256(out)
				fmt.Fprintf(&list, "%s %s %s %d %s\n", seed, kind, format, len(out), hex.EncodeToString(sum[:]))
			}
		}
	}
	if *update {
		require.NoError(t, os.WriteFile(name, []byte(list.String()), 0o600))
	}
	want, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, string(want), list.String())
}

// TestShardsAndWorkersChangeNothing compares one run with its parts, and one
// worker with many.
func TestShardsAndWorkersChangeNothing(t *testing.T) {
	for _, kind := range [][]string{{"--kind", "valid", "-n", "10007"}, {"--kind", "all", "-n", "1000"}} {
		whole, _ := generate(t, kind...)
		var parts []byte
		for i := 1; i <= 4; i++ {
			part, _ := generate(t, append([]string{"--shard", fmt.Sprintf("%d/4", i)}, kind...)...)
			require.NotEmpty(t, part)
			parts = append(parts, part...)
		}
		require.True(t, bytes.Equal(whole, parts), "%v: the shards in order are the run", kind)
		for _, workers := range []int{1, 7} {
			before := runtime.GOMAXPROCS(workers)
			again, _ := generate(t, kind...)
			runtime.GOMAXPROCS(before)
			require.True(t, bytes.Equal(whole, again), "%v with %d workers", kind, workers)
		}
	}
	// More shards than rows: every row once, and parts with none.
	var parts []byte
	for i := 1; i <= 9; i++ {
		part, _ := generate(t, "-n", "5", "--shard", fmt.Sprintf("%d/9", i))
		parts = append(parts, part...)
	}
	whole, _ := generate(t, "-n", "5")
	require.Equal(t, string(whole), string(parts))
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
		code := run(t.Context(), []string{"generate", "-n", "20000"}, streams{strings.NewReader(""), pipe, &errs, func(string) string { return "" }})
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
	code := run(ctx, []string{"generate", "-n", "100000000", "-o", name}, streams{strings.NewReader(""), io.Discard, &errs, func(string) string { return "" }})
	require.Equal(t, testsuite.ExitMachine, code)
	require.Contains(t, errs.String(), "of 100000000 rows")
}
