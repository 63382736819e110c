//go:build linux && !race

// What a process takes is measured by /proc; the race detector takes several times
// as much.

package main

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/testsuite"
)

// measures skips a test of what a process takes where only quick ones run.
func measures(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("it measures the memory of large requests for seconds; make race runs it")
	}
}

// verifyPeak runs verify in a process of its own and returns its peak memory in MiB.
func verifyPeak(t *testing.T, code int, args ...string) int {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Args = append([]string{"understudy", "verify"}, args...)
	cmd.Env = append(os.Environ(), "GOMEMLIMIT=", "GOGC=") // the command's own
	out, _ := cmd.CombinedOutput()                         // the exit code is looked at
	require.Equal(t, code, cmd.ProcessState.ExitCode(), "%s", out[:min(len(out), 1000)])
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	require.True(t, ok)
	return int(usage.Maxrss >> 10)
}

func TestARunKeepsNoLongResponse(t *testing.T) {
	measures(t)
	long := bytes.Repeat([]byte("x"), 4<<20)
	target, address := attacked(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Long", strings.Repeat("x", 30<<10))
		_, _ = w.Write(long)
	})
	reports := filepath.Join(t.TempDir(), "r")
	peak := verifyPeak(t, testsuite.ExitBroken, "http://"+address,
		"--media", "application/json", "--header", "X-Key: s3cret-of-mine", "--report",
		"json="+reports+".json,html="+reports+".html,har="+reports+".har")
	t.Logf("%d requests, peak %d MiB", len(target.all()), peak)
	require.Greater(t, len(target.all()), 1500)
	require.Less(t, peak, 150)
}

func TestABoundBeyondAnyBodyTakesNoMemory(t *testing.T) {
	measures(t)
	file := filepath.Join(t.TempDir(), "page.txt")
	page := strings.Replace(string(contracts.Page()), "inclusive between 0 and 250",
		"inclusive between 0 and 2147483647", 1)
	require.NoError(t, os.WriteFile(file, []byte(page), 0o600))
	peak := verifyPeak(t, 0, "http://127.0.0.1:1", "--plan", "--page", file)
	t.Logf("peak %d MiB", peak)
	require.Less(t, peak, 150)
}

// serving runs serve in a process of its own.
func serving(t testing.TB, args ...string) (url string, peak func() int) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Args = append([]string{"understudy", "serve", "--addr", "127.0.0.1:0"}, args...)
	cmd.Env = append(os.Environ(), "GOMEMLIMIT=", "GOGC=") // the command's own
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	return strings.TrimSpace(
			line[strings.Index(line, "http://"):],
		) + "/api/Calendar/PatientAppointmentPost_v2", func() int {
			return peakOf(t, cmd.Process.Pid) >> 10
		}
}

// wrongElements is a body of one mebibyte whose response by the framework has 26 MB.
func wrongElements() []byte {
	const head, tail = `{"Reasons":[`, `1]}`
	return []byte(head + strings.Repeat("1,", (1<<20-len(head)-len(tail))/2) + tail)
}

// postAll posts a body from a number of clients at once and returns how many got
// the whole response.
func postAll(t testing.TB, url string, body []byte, clients int) int {
	t.Helper()
	var group sync.WaitGroup
	var mu sync.Mutex
	responded := 0
	for range clients {
		group.Go(func() {
			resp, err := http.Post(url, "application/json", bytes.NewReader(body))
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = resp.Body.Close() }()
			n, err := io.Copy(io.Discard, resp.Body)
			mu.Lock()
			defer mu.Unlock()
			if err == nil && n == resp.ContentLength && resp.StatusCode == http.StatusBadRequest {
				responded++
			}
		})
	}
	group.Wait()
	return responded
}

func TestSixteenLargeRequestsFitInMemory(t *testing.T) {
	measures(t)
	for name, c := range map[string]struct {
		args    []string
		clients int
	}{
		"by default":   {nil, 16},
		"with details": {[]string{"--error-detail"}, 3}, // twice as long, and one at a time like the others
	} {
		t.Run(name, func(t *testing.T) {
			url, peak := serving(t, append(c.args, "--quiet")...)
			require.Equal(t, c.clients, postAll(t, url, wrongElements(), c.clients))
			t.Logf("peak %d MiB", peak())
			require.Less(t, peak(), 256)
		})
	}
}

// TestARunKeepsNoLongHeads has responses that are long in every part that a record
// keeps, and in characters that reports write as escapes.
func TestARunKeepsNoLongHeads(t *testing.T) {
	measures(t)
	mock := guarded(t, anyone)
	long := strings.Repeat("😀", 390)
	body := bytes.Repeat([]byte{0xFF}, 4100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen := httptest.NewRecorder()
		mock.ServeHTTP(seen, r)
		for _, name := range []string{"Allow", "Location", "Server", "X-Powered-By", "X-Request-Id",
			"X-Correlation-Id", "X-Understudy-Violations"} {
			for range 4 {
				w.Header().Add(name, long)
			}
		}
		w.WriteHeader(seen.Code)
		_, _ = w.Write(body)
	}))
	defer server.Close()
	reports := filepath.Join(t.TempDir(), "r")
	peak := verifyPeak(t, testsuite.ExitBroken, server.URL, "--report",
		"json="+reports+".json,html="+reports+".html,har="+reports+".har")
	t.Logf("peak %d MiB", peak)
	require.Less(t, peak, 150)
}
