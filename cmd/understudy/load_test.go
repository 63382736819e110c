package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var loadTime = flag.Duration("load", 3*time.Second, "how long TestTheMockUnderLoad lasts")

const (
	loadClients = 1000
	loadEdits   = 200
	// loadHeap is what the heap may have grown by at the end, in bytes: the journal and the
	// clients' own.
	loadHeap = 96 << 20
)

// loadConfig is a configuration whose every response says which one it is of, twice.
func loadConfig(version int) string {
	return fmt.Sprintf(`
response: {json: {Version: %d, Note: "{{field \"Note\"}}", Again: %d}}
scenarios:
  - {name: dies, when: {headers: {X-Test: dies}}, then: {fault: connection-reset}}
  - {name: half, when: {headers: {X-Test: half}}, then: {fault: truncated-body}}
  - {name: slow, when: {headers: {X-Test: slow}}, then: {delay: 1ms..20ms, continue: true}}
  - {name: third, when: {headers: {X-Test: third}, call: every 3}, then: {status: 503}}
`, version, version)
}

// TestTheMockUnderLoad has 1,000 clients send requests of every kind at once, while the
// configuration is edited 200 times: each response must be the right one for its request, of
// one configuration alone, and nothing may be left at the end.
func TestTheMockUnderLoad(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds; make race runs it, and make load for a minute")
	}
	descriptors := func() int {
		found, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Logf("descriptors are not counted, since this system has no /proc: %v", err)
		}
		return len(found)
	}
	// What a process has once, such as the goroutine that receives signals, is there then.
	_, stop := served(t, io.Discard, "--quiet")
	require.Zero(t, stop())
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	goroutines, files := runtime.NumGoroutine(), descriptors()

	file := filepath.Join(t.TempDir(), "understudy.yaml")
	write(t, file, loadConfig(0))
	ctx, cancel := context.WithCancel(t.Context())
	out, code := make(lines, 1), make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"serve", "--addr", "127.0.0.1:0", "--quiet", "--config", file},
			streams{strings.NewReader(""), out, io.Discard, os.Getenv})
	}()
	url := line(t, <-out, "understudy is listening on") + "/api/Calendar/PatientAppointmentPost_v2"

	l := &loader{url: url}
	var clients sync.WaitGroup
	end := time.Now().Add(*loadTime)
	for n := range loadClients {
		clients.Go(func() { l.client(n, end) })
	}
	for version := 1; version <= loadEdits; version++ {
		<-time.After(*loadTime / loadEdits) // the pace of the edits is what is given
		l.written.Store(int64(version))
		write(t, file, loadConfig(version))
	}
	clients.Wait()
	require.Empty(t, l.problems)
	require.Eventually(t, func() bool {
		l.client(0, time.Now().Add(10*time.Millisecond))
		return l.seen.Load() == loadEdits
	}, 20*time.Second, 50*time.Millisecond, "the last configuration counts in the end")
	require.Empty(t, l.problems)
	cancel()
	require.Zero(t, <-code)
	t.Logf("%d requests of %d clients in %s: %d accepted, %d rejected, %d broken, %d busy", l.sent.Load(), loadClients,
		*loadTime, l.accepted.Load(), l.rejected.Load(), l.broken.Load(), l.busy.Load())

	for _, n := range []*atomic.Int64{&l.accepted, &l.rejected, &l.broken, &l.busy} {
		require.Positive(t, n.Load())
	}
	stacks := make([]byte, 1<<20)
	for end := time.Now().Add(20 * time.Second); runtime.NumGoroutine() > goroutines || descriptors() > files; {
		if time.Now().After(end) {
			t.Fatalf("goroutines: %d, were %d; files: %d, were %d\n%s", runtime.NumGoroutine(), goroutines,
				descriptors(), files, stacks[:runtime.Stack(stacks, true)])
		}
		<-time.After(50 * time.Millisecond) // goroutines that end have no event
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	require.Less(t, int64(after.HeapAlloc)-int64(before.HeapAlloc), int64(loadHeap))
}

// loader sends requests and checks the responses.
type loader struct {
	url                                    string
	written, seen                          atomic.Int64 // versions
	sent, accepted, rejected, broken, busy atomic.Int64

	mu       sync.Mutex
	problems []string // the first ones
}

func (l *loader) problem(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.problems) < 10 {
		l.problems = append(l.problems, fmt.Sprintf(format, args...))
	}
}

// client sends one request after another until a time.
func (l *loader) client(number int, end time.Time) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}, Timeout: 60 * time.Second}
	defer client.CloseIdleConnections()
	last := 0
	kinds := []string{"", "rejected", "slow", "third", "", "dies", "third", "half", "third"}
	for i := number; time.Now().Before(end); i++ {
		kind := kinds[i%len(kinds)]
		note := fmt.Sprintf("client %d, request %d", number, i)
		body := fmt.Sprintf(`{"UserId":"84ef7a81-c643-4b8e-85e5-1ff52fc35f3d","AppointmentOn":"2026-02-03T21:04:03Z",`+
			`"AccountId":"3faed728-f67f-4bc0-888f-a8410d31c7df","Note":%q`, note)
		if kind != "rejected" {
			body += `,"Reason":"r"`
		}
		r, err := http.NewRequest(http.MethodPost, l.url, strings.NewReader(body+"}"))
		if err != nil {
			l.problem("%v", err)
			return
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Test", kind)
		r.Header.Set("X-Understudy-Session", fmt.Sprintf("session-%d", number%10))
		l.sent.Add(1)
		status, text := 0, []byte(nil)
		resp, err := client.Do(r)
		if err == nil {
			status = resp.StatusCode
			text, err = io.ReadAll(resp.Body)
			_ = resp.Body.Close()
		}
		switch broken := kind == "dies" || kind == "half"; {
		case broken && err == nil:
			l.problem("%s was to be broken, and is %d %s", note, status, text)
		case broken:
			l.broken.Add(1)
		case err != nil:
			l.problem("%s: %v", note, err)
		case status == http.StatusServiceUnavailable && kind == "third":
			l.busy.Add(1)
		case kind == "rejected":
			const want = `{"Message":"The request is invalid.",` +
				`"ModelState":{"model.Reason":["The Reason field is required."]}}`
			if status != http.StatusBadRequest || string(text) != want {
				l.problem("%s was to be rejected, and is %d %s", note, status, text)
			}
			l.rejected.Add(1)
		default:
			last = l.check(note, status, text, last)
			l.accepted.Add(1)
		}
	}
}

// check looks at the response to an accepted request, and returns the version that it is of.
func (l *loader) check(note string, status int, text []byte, last int) int {
	var got struct {
		Version, Again int
		Note           string
	}
	err := json.Unmarshal(text, &got)
	switch {
	case err != nil || status != http.StatusOK || got.Note != note:
		l.problem("%s: %d %s", note, status, text)
	case got.Version != got.Again:
		l.problem("%s: half of version %d and half of %d", note, got.Version, got.Again)
	case got.Version < last || int64(got.Version) > l.written.Load():
		l.problem("%s: version %d after %d, of %d", note, got.Version, last, l.written.Load())
	}
	for seen := l.seen.Load(); int64(got.Version) > seen && !l.seen.CompareAndSwap(seen, int64(got.Version)); {
		seen = l.seen.Load()
	}
	return got.Version
}
