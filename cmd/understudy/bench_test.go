package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/helppage"
	"github.com/seed47566266/understudy/testsuite"
)

// bare is the least a server can do: read the body and write a fixed one. It is
// the measure of the mock's cost over HTTP.
func bare() int {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return testsuite.ExitUsage
	}
	fmt.Printf("listening on http://%s\n", listener.Addr())
	response := bytes.Repeat([]byte("x"), 900)
	_ = http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		_, _ = w.Write(response)
	}))
	return 0
}

// spawn runs this test's binary under another name, as one of the commands of
// TestMain, and returns the address it prints.
func spawn(b *testing.B, name string, args ...string) (url string, pid int) {
	b.Helper()
	self, err := os.Executable()
	require.NoError(b, err)
	link := filepath.Join(b.TempDir(), name)
	require.NoError(b, os.Symlink(self, link))
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	require.NoError(b, err)
	cmd := exec.Command(link, args...)
	cmd.Stderr = null // a file, so that each line costs its write
	out, err := cmd.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, cmd.Start())
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = null.Close()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(b, err)
	return strings.TrimSpace(line[strings.Index(line, "http://"):]), cmd.Process.Pid
}

// load sends the body for a while over a number of connections and returns the
// requests per second.
func load(b *testing.B, url string, body []byte, connections int, duration time.Duration) float64 {
	b.Helper()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections}}
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(context.Background(), duration)
	defer cancel()
	counts := make([]int, connections)
	var group sync.WaitGroup
	began := time.Now()
	for i := range connections {
		group.Go(func() {
			for ctx.Err() == nil {
				resp, err := client.Post(url, "application/json", bytes.NewReader(body))
				if err != nil || resp.StatusCode != http.StatusOK {
					b.Errorf("%s: %v", url, err)
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				counts[i]++
			}
		})
	}
	group.Wait()
	total := 0
	for _, n := range counts {
		total += n
	}
	return float64(total) / time.Since(began).Seconds()
}

// BenchmarkHTTP compares the mock with a bare handler and with a mock that keeps no journal,
// each in a process of its own, by turns and with the same client: the medians of the turns,
// since others may have the machine in some of them. The mock runs with serve's defaults; its
// request log goes to a file.
func BenchmarkHTTP(b *testing.B) {
	c, err := helppage.Parse(contracts.Page())
	require.NoError(b, err)
	bareURL, _ := spawn(b, "bare")
	mockURL, _ := spawn(b, "understudy", "serve", "--addr", "127.0.0.1:0")
	withoutURL, _ := spawn(b, "understudy", "serve", "--addr", "127.0.0.1:0", "--journal-entries", "0")
	const connections, turn = 16, 500 * time.Millisecond
	path := "/" + c.Operations[0].Route
	load(b, bareURL+path, c.Operations[0].Sample, connections, turn)
	load(b, mockURL+path, c.Operations[0].Sample, connections, turn)
	load(b, withoutURL+path, c.Operations[0].Sample, connections, turn)
	var bareRates, mockRates, ratios, journal []float64
	for b.Loop() {
		bareRate := load(b, bareURL+path, c.Operations[0].Sample, connections, turn)
		mockRate := load(b, mockURL+path, c.Operations[0].Sample, connections, turn)
		bareRates, mockRates = append(bareRates, bareRate), append(mockRates, mockRate)
		ratios = append(ratios, mockRate/bareRate)
		journal = append(journal, mockRate/load(b, withoutURL+path, c.Operations[0].Sample, connections, turn))
	}
	b.ReportMetric(median(bareRates), "bare-req/s")
	b.ReportMetric(median(mockRates), "mock-req/s")
	b.ReportMetric(median(ratios), "mock/bare")
	b.ReportMetric(median(journal), "mock/no-journal")
	b.ReportMetric(0, "ns/op")
}

// pace sends the body so many times a second for a while, and returns the requests per second that
// were answered.
func pace(b *testing.B, url string, body []byte, perSecond int, duration time.Duration) float64 {
	b.Helper()
	const connections = 16
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections}}
	defer client.CloseIdleConnections()
	due := make(chan struct{}, perSecond)
	var group sync.WaitGroup
	for range connections {
		group.Go(func() {
			for range due {
				resp, err := client.Post(url, "application/json", bytes.NewReader(body))
				if err != nil {
					b.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
			}
		})
	}
	began, total := time.Now(), int(float64(perSecond)*duration.Seconds())
	for n := range total {
		time.Sleep(time.Until(began.Add(time.Duration(n) * time.Second / time.Duration(perSecond))))
		due <- struct{}{}
	}
	close(due)
	group.Wait()
	return float64(total) / time.Since(began).Seconds()
}

// cpu is the processor time that a process has had, in seconds. It needs /proc.
func cpu(b *testing.B, pid int) float64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	require.NoError(b, err)
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	ticks := 0
	for _, field := range fields[11:13] { // utime and stime, counted from the state
		n, err := strconv.Atoi(field)
		require.NoError(b, err)
		ticks += n
	}
	return float64(ticks) / 100 // USER_HZ
}

// BenchmarkConsole compares the mock at 1,000 requests a second, and at as many as it can, with a
// reader of the console's stream and without, by turns.
func BenchmarkConsole(b *testing.B) {
	c, err := helppage.Parse(contracts.Page())
	require.NoError(b, err)
	url, pid := spawn(b, "understudy", "serve", "--addr", "127.0.0.1:0")
	target, body := url+"/"+c.Operations[0].Route, c.Operations[0].Sample
	const turn = 2 * time.Second
	read := func() (stop func()) {
		ctx, cancel := context.WithCancel(context.Background())
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/__admin/events?view=row", nil)
		require.NoError(b, err)
		resp, err := http.DefaultClient.Do(r)
		require.NoError(b, err)
		go func() { _, _ = io.Copy(io.Discard, resp.Body) }()
		return func() {
			cancel()
			_ = resp.Body.Close()
		}
	}
	var paced, most, costs []float64
	load(b, target, body, 16, turn)
	for b.Loop() {
		before := cpu(b, pid)
		alone := pace(b, target, body, 1000, turn)
		between := cpu(b, pid)
		aloneMost := load(b, target, body, 16, turn)
		stop := read()
		again := cpu(b, pid)
		watched := pace(b, target, body, 1000, turn)
		after := cpu(b, pid)
		watchedMost := load(b, target, body, 16, turn)
		stop()
		paced, most = append(paced, watched/alone), append(most, watchedMost/aloneMost)
		costs = append(costs, ((after-again)-(between-before))/turn.Seconds()*100)
	}
	b.ReportMetric(median(paced), "watched/alone-at-1000/s")
	b.ReportMetric(median(most), "watched/alone-at-most")
	b.ReportMetric(median(costs), "%-of-a-core-at-1000/s")
	b.ReportMetric(0, "ns/op")
}

func median(all []float64) float64 {
	slices.Sort(all)
	return all[len(all)/2]
}

// BenchmarkMemory reports the mock's resident memory while 1,000 connections
// send the page's sample. It needs /proc.
func BenchmarkMemory(b *testing.B) {
	c, err := helppage.Parse(contracts.Page())
	require.NoError(b, err)
	url, pid := spawn(b, "understudy", "serve", "--addr", "127.0.0.1:0")
	peak := 0
	for b.Loop() {
		load(b, url+"/"+c.Operations[0].Route, c.Operations[0].Sample, 1000, 3*time.Second)
		peak = max(peak, peakOf(b, pid))
	}
	b.ReportMetric(float64(peak)/1024, "peak-MiB")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkGenerate has a process write five million valid payloads to a file, and
// reports their rate and the process's peak memory.
func BenchmarkGenerate(b *testing.B) {
	const rows = 5_000_000
	name := filepath.Join(b.TempDir(), "valid.ndjson")
	peak := int64(0)
	for b.Loop() {
		cmd := exec.CommandContext(b.Context(), "understudy", "generate", "-n", strconv.Itoa(rows), "-o", name)
		out, err := cmd.CombinedOutput()
		require.NoError(b, err, "%s", out)
		usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
		require.True(b, ok)
		peak = max(peak, usage.Maxrss)
	}
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(peak)/1024, "peak-MiB")
}

// BenchmarkLarge has 16 clients post a body of one mebibyte with half a million wrong
// elements, and reports the mock's peak memory and how long small requests take
// meanwhile.
func BenchmarkLarge(b *testing.B) {
	c, err := helppage.Parse(contracts.Page())
	require.NoError(b, err)
	url, pid := spawn(b, "understudy", "serve", "--addr", "127.0.0.1:0")
	url += "/" + c.Operations[0].Route
	large := []byte(`{"Reasons":[` + strings.Repeat("1,", 1<<19-8) + `1]}`)
	var took []time.Duration
	for b.Loop() {
		done := make(chan struct{})
		var clients sync.WaitGroup
		for range 16 {
			clients.Go(func() {
				resp, err := http.Post(url, "application/json", bytes.NewReader(large))
				if err != nil {
					b.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
			})
		}
		go func() { clients.Wait(); close(done) }()
		for under := true; under; {
			began := time.Now()
			resp, err := http.Post(url, "application/json", bytes.NewReader(c.Operations[0].Sample))
			require.NoError(b, err)
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			took = append(took, time.Since(began))
			select {
			case <-done:
				under = false
			case <-time.After(time.Millisecond):
			}
		}
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "small-p99-ms")
	b.ReportMetric(float64(peakOf(b, pid))/1024, "peak-MiB")
}

// peakOf is the peak memory of a process in KiB.
func peakOf(b testing.TB, pid int) int {
	b.Helper()
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	require.NoError(b, err)
	_, rest, found := strings.Cut(string(status), "VmHWM:")
	require.True(b, found)
	kilobytes, err := strconv.Atoi(strings.Fields(rest)[0])
	require.NoError(b, err)
	return kilobytes
}
