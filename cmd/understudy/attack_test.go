package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/testsuite"
)

// The tests of this file are attacks: servers, environments and files that try to get
// past a promise of SECURITY.md. Each is named for what must hold.

// arrivals counts what reaches a server, by the case that a request names.
type arrivals struct {
	serve http.HandlerFunc

	mu    sync.Mutex
	cases []string
}

func (a *arrivals) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	a.mu.Lock()
	a.cases = append(a.cases, r.Header.Get("X-Understudy-Case"))
	a.mu.Unlock()
	a.serve(w, r)
}

func (a *arrivals) all() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]string(nil), a.cases...)
}

// attacked serves a handler and counts what arrives.
func attacked(t *testing.T, serve http.HandlerFunc) (*arrivals, string) {
	t.Helper()
	a := &arrivals{serve: serve}
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	return a, server.Listener.Addr().String()
}

// elsewhere is a target that does not count as one on this machine.
func elsewhere(address string) []string {
	return []string{"verify", "http://booking.example", "--connect-to", "::" + address}
}

// command runs understudy in the process.
func command(t *testing.T, args ...string) (code int, output string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, streams{strings.NewReader(""), &out, &errs, func(string) string { return "" }})
	return code, out.String() + errs.String()
}

// ledgerOf runs verify and returns the kinds of writes in its ledger.
func ledgerOf(t *testing.T, args ...string) (code int, output string, kinds map[string]int) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "ledger.ndjson")
	code, output = command(t, append(args, "--ledger", name)...)
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	kinds = map[string]int{}
	for d := json.NewDecoder(bytes.NewReader(text)); d.More(); {
		var line struct{ Write string }
		require.NoError(t, d.Decode(&line))
		kinds[line.Write]++
	}
	return code, output, kinds
}

// nobody is an address at which nothing listens: one that no other test does, where the
// machine has one, since a port may be theirs right after.
func nobody(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.3:0")
	if err != nil {
		l, err = net.Listen("tcp", "127.0.0.1:0")
	}
	require.NoError(t, err)
	require.NoError(t, l.Close())
	return l.Addr().String()
}

func TestALoopbackRunLeavesThroughNoProxy(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts a process per address; make race runs it")
	}
	t.Parallel()
	proxy, address := attacked(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	_, port, err := net.SplitHostPort(nobody(t))
	require.NoError(t, err)
	for _, host := range []string{"LOCALHOST", "localhost", "127.0.0.1", "[::1]"} {
		out, code := understudyProcess(t,
			[]string{"HTTP_PROXY=http://" + address, "http_proxy=http://" + address, "NO_PROXY=", "no_proxy="},
			"verify", "http://"+host+":"+port)
		require.Equal(t, testsuite.ExitUnreachable, code, out)
	}
	require.Empty(t, proxy.all())
}

func TestEvery2xxCountsForTheStopAndTheLedger(t *testing.T) {
	t.Parallel()
	target, address := attacked(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusCreated) })
	code, out, kinds := ledgerOf(t, append(elsewhere(address), "--accept", "200")...)
	require.Equal(t, testsuite.ExitSafety, code, out)
	require.Len(t, target.all(), 1)
	require.Equal(t, map[string]int{"unexpected": 1}, kinds)
}

func TestWhatIsNotARejectionCountsForTheStopAndTheLedger(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	for name, serve := range map[string]http.HandlerFunc{
		"a redirect to what was made": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", fmt.Sprintf("/appointments/%d", n.Add(1)))
			w.WriteHeader(http.StatusSeeOther)
		},
		"a page for people": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, "<!DOCTYPE html><title>Booked</title>")
		},
		"a server error": func(w http.ResponseWriter,
			_ *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
		},
		"busy, come again": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusServiceUnavailable)
		},
		"no response": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"another protocol": func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: chat\r\nConnection: "+
					"Upgrade\r\n\r\n")
				_ = conn.Close()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			// One in ten is rejected, so that the server is known to be there.
			var turn atomic.Int64
			target, address := attacked(t, func(w http.ResponseWriter, r *http.Request) {
				if turn.Add(1)%10 == 1 {
					w.WriteHeader(http.StatusBadRequest)
					return
				}
				serve(w, r)
			})
			code, out := command(t, append(elsewhere(address), "--plan")...)
			require.Zero(t, code)
			require.Contains(t, out, "at worst 1 are accepted")
			code, out, kinds := ledgerOf(t, elsewhere(address)...)
			require.Equal(t, testsuite.ExitSafety, code, out)
			require.Len(t, target.all(), 2, "a rejection, and the first that is none")
			require.Equal(t, map[string]int{"unknown": 1}, kinds)
		})
	}
}

func TestALimitGoesByTheKindOfAResponseAndNotByItsText(t *testing.T) {
	var n atomic.Int64
	t.Run("redirects to new places", func(t *testing.T) {
		target, address := attacked(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("X-Understudy-Case") == "media/listed/application/json" {
				return
			}
			w.Header().Set("Location", fmt.Sprintf("/login?%d", n.Add(1)))
			w.WriteHeader(http.StatusFound)
		})
		code, out := command(t, "verify", "http://"+address, "--run", "UserId", "--level", "must")
		require.Equal(t, testsuite.ExitInconclusive, code, out)
		require.Less(t, len(target.all()), 30)
	})
	t.Run("responses that end later and later", func(t *testing.T) {
		target, address := attacked(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("X-Understudy-Case") == "media/listed/application/json" {
				w.WriteHeader(http.StatusOK)
				return
			}
			w.Header().Set("Content-Length", "100000")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write(bytes.Repeat([]byte("x"), int(n.Add(1))))
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		})
		code, out := command(t, "verify", "http://"+address,
			"--timeout", "300ms", "--run", "UserId,Reason", "--level", "must", "--media", "application/json")
		require.Equal(t, testsuite.ExitInconclusive, code, out)
		require.Less(t, len(target.all()), 30)
	})
}

// onEachConnection listens, has each connection served, and closes it after that.
func onEachConnection(t *testing.T, serve func(net.Conn)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				serve(conn)
			}()
		}
	}()
	return l.Addr().String()
}

// onceAConnection responds to the first request of each connection and, as a server
// does that is stopped, ends it when the second one has come.
func onceAConnection(t *testing.T) (address string, count func() int) {
	t.Helper()
	var n atomic.Int64
	return onEachConnection(t, func(conn net.Conn) {
		in := bufio.NewReader(conn)
		for i := range 2 {
			r, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, r.Body)
			n.Add(1)
			if i == 0 {
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			}
		}
	}), func() int { return int(n.Load()) }
}

func TestNothingIsSentTwiceUnlessTheRunPays(t *testing.T) {
	t.Parallel()
	for _, header := range []string{"Idempotency-Key: 1", "X-Idempotency-Key: 1", "X-Other: 1"} {
		address, count := onceAConnection(t)
		_, out, kinds := ledgerOf(
			t,
			append(elsewhere(address), "--header", header, "--max-writes", "2", "--run", "optional")...)
		require.Equal(t, 2, count(), "%s: %s", header, out)
		require.Equal(t, 2, kinds["allowed"]+kinds["unknown"], "%s: %s", header, out)

		// Here connections are used again, and what is lost is sent again: by the run,
		// which counts it.
		address, count = onceAConnection(t)
		file := filepath.Join(t.TempDir(), "r.json")
		_, out, kinds = ledgerOf(t, "verify", "http://"+address,
			"--header", header, "--run", "optional,Reason/length/25?,Reason/required/missing", "--media",
			"application/json", "--report", "json="+file)
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var record struct{ Requests int }
		require.NoError(t, json.Unmarshal(text, &record))
		require.Greater(t, count(), 10)
		require.Equal(t, count(), record.Requests, "%s: %s", header, out)
		require.Equal(t, count(), kinds["allowed"]+kinds["unknown"]+kinds["unexpected"], "%s: %s", header, out)
	}
}

func TestWhatIsSentAgainIsPaidForAgain(t *testing.T) {
	t.Parallel()
	t.Run("a valid request that was rejected as busy", func(t *testing.T) {
		for _, status := range []int{http.StatusServiceUnavailable, http.StatusTooManyRequests} {
			target, address := attacked(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", "0")
				w.WriteHeader(status)
			})
			_, out := command(t, append(elsewhere(address), "--max-writes", "1", "--run", "optional")...)
			require.Len(t, target.all(), 1, out)
		}
	})
	t.Run("an invalid request without a response", func(t *testing.T) {
		target, address := attacked(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		_, out := command(t, append(elsewhere(address), "--run", "UserId", "--level", "must")...)
		require.Len(t, target.all(), 1, out)
	})
	t.Run("a token that has run out, and a server that is busy", func(t *testing.T) {
		var n atomic.Int64
		target, address := attacked(t, func(w http.ResponseWriter, _ *http.Request) {
			if n.Add(1)%2 == 1 {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusServiceUnavailable)
		})
		args := append(elsewhere(address),
			"--bearer-cmd", "echo t0ken", "--max-writes", "1", "--max-requests", "3", "--run", "optional")
		_, out := command(t, args...)
		require.Len(t, target.all(), 1, out)
		n.Store(0)
		_, out = command(t, "verify", "http://"+address,
			"--bearer-cmd", "echo t0ken", "--max-requests", "3", "--run", "optional")
		require.LessOrEqual(t, len(target.all()), 1+3, out)
	})
}

func TestAClosedConnectionPassesOnlyAfterTheRequestWasSent(t *testing.T) {
	t.Parallel()
	_, out := command(t, "cases", "--run", "transport")
	checked := 0
	for _, line := range strings.Split(out, "\n") {
		words := strings.Fields(line)
		if len(words) != 4 || !strings.HasPrefix(words[3], "transport/") || words[1] == "unspecified" ||
			words[0] == "MAY" {
			continue
		}
		if checked++; checked > 20 {
			break // the others go the same way
		}
		code, out := command(t, "verify", "http://"+nobody(t), "--replay", words[3])
		require.Contains(t, []int{testsuite.ExitUnreachable, testsuite.ExitInconclusive}, code, out)
	}
	require.Greater(t, checked, 5)
	// The same with a server that takes the request and says nothing in time.
	_, address := attacked(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	code, out := command(t, "verify", "http://"+address, "--timeout", "100ms", "--replay", "transport/zero-length")
	require.Contains(t, []int{testsuite.ExitUnreachable, testsuite.ExitInconclusive}, code, out)
}

func TestSilenceAfterAnInvalidRequestIsAFailure(t *testing.T) {
	t.Parallel()
	mock := guarded(t, anyone)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen := httptest.NewRecorder()
		mock.ServeHTTP(seen, r)
		if seen.Code >= 300 {
			panic(http.ErrAbortHandler)
		}
		_, _ = w.Write(seen.Body.Bytes())
	}))
	defer server.Close()
	code, out := command(t, "verify", server.URL, "--run", "UserId/required/missing,UserId/type,optional",
		"--level", "must")
	require.Equal(t, testsuite.ExitBroken, code, out)
	require.Contains(t, out, "No response to a missing value and values of the wrong JSON type in UserId")
	require.NotContains(t, out, "could not be reached")
}

func TestAReplayShowsNoControlCharacters(t *testing.T) {
	t.Parallel()
	_, address := attacked(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Server", "a\u009b31mb\u202e")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w,
			"\x1b]0;owned\a\x1b[2J\u009b31m\u202e\n::stop-commands::x\n##[error]y\n##vso[task.setvariable]z")
	})
	_, out := command(t, "verify", "http://"+address, "--replay", "UserId/required/missing")
	require.NotRegexp(t, `[\x00-\x08\x0b-\x1f\x7f-\x{9f}\x{202e}]`, out)
	require.NotRegexp(t, `(?m)^\s*::|##\[|##vso\[`, out)
	require.Contains(t, out, `\u001b]0;owned`)
}

func TestAConfigurationIsReadWholeOrNotAtAll(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"too long": {"serve:\n  quiet: true\n" + strings.Repeat("# more\n", 200_000),
			"longer than 1048576 bytes"},
		"a second document": {"serve:\n  quiet: true\n---\nserve:\n  addr: 127.0.0.1:1\n",
			":3:1: a second document"},
		"a setting twice": {"serve:\n  quiet: true\n  quiet: false\n",
			":3:3: duplicate key \"quiet\" (first on line 2)"},
		"a command twice": {"serve:\n  quiet: true\nserve:\n  quiet: false\n",
			":3:1: duplicate key \"serve\" (first on line 1)"},
		"malformed YAML after it": {"serve:\n  quiet: true\n---\n{\n", "yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "c.yaml")
			require.NoError(t, os.WriteFile(file, []byte(c.text), 0o600))
			ctx, cancel := context.WithCancel(t.Context())
			cancel() // a server that starts all the same ends at once
			var out, errs strings.Builder
			code := run(ctx, []string{"serve", "--addr", "127.0.0.1:0", "--config", file},
				streams{strings.NewReader(""), &out, &errs, func(string) string { return "" }})
			require.Equal(t, testsuite.ExitUsage, code, errs.String())
			require.Contains(t, errs.String(), c.want)
		})
	}
}

func TestAForeignHostHeaderMakesATargetRemote(t *testing.T) {
	t.Parallel()
	target, address := attacked(t,
		func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) })
	command(t, "verify", "http://"+address,
		"--header", "Host: prod.example", "--run", "optional,UserId", "--level", "must")
	require.NotEmpty(t, target.all())
	for _, id := range target.all() {
		require.NotContains(t, id, "optional", "it may be accepted")
		require.NotContains(t, id, "media/listed", "it may be accepted")
	}
	// The target's own name is not a foreign one.
	before := len(target.all())
	command(t, "verify", "http://"+address, "--header", "Host: localhost:1", "--run", "optional/all")
	require.Greater(t, len(target.all()), before)
}

func TestAnUpgradeEndsWithTheRun(t *testing.T) {
	_, address := attacked(t, func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_, _ = io.WriteString(conn,
				"HTTP/1.1 101 Switching Protocols\r\nUpgrade: chat\r\nConnection: Upgrade\r\n\r\n")
			_, _ = io.Copy(io.Discard, conn) // until the other side closes
			_ = conn.Close()
		}
	})
	self, err := os.Executable()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // a hang, and nothing else, takes so long
	defer cancel()
	cmd := exec.CommandContext(ctx, self)
	cmd.Args = []string{"understudy", "verify", "http://" + address, "--timeout", "200ms", "--max-time", "1s"}
	out, _ := cmd.CombinedOutput() // the exit code is looked at below
	require.NoError(t, ctx.Err(), "it hangs: %s", out)
	require.Equal(t, testsuite.ExitInconclusive, cmd.ProcessState.ExitCode(), "%s", out)
}

func TestACommandThatLeavesAChildDoesNotHoldTheRun(t *testing.T) {
	t.Parallel()
	_, address := attacked(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) })
	self, err := os.Executable()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // as above
	defer cancel()
	cmd := exec.CommandContext(ctx, self)
	cmd.Args = []string{
		"understudy",
		"verify",
		"http://" + address,
		"--bearer-cmd", "sleep 30 & echo t0ken", "--max-requests", "2",
	}
	out, _ := cmd.CombinedOutput() // the exit code is looked at
	require.NoError(t, ctx.Err(), "it hangs: %s", out)
	require.Equal(t, testsuite.ExitBroken, cmd.ProcessState.ExitCode(), "the control was rejected: %s", out)
	cmd = exec.CommandContext(ctx, self)
	cmd.Args = []string{
		"understudy",
		"verify",
		"http://" + address,
		"--bearer-cmd", "sleep 30; echo t0ken", "--max-time", "500ms",
	}
	out, _ = cmd.CombinedOutput()
	require.NoError(t, ctx.Err(), "it hangs: %s", out)
	require.Contains(t, string(out), "--bearer-cmd failed")
}

func TestReportsFollowNoLinksAndShareNoFile(t *testing.T) {
	t.Parallel()
	_, address := attacked(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) })
	folder := t.TempDir()
	file := func(name string) string { return filepath.Join(folder, name) }
	require.NoError(t, os.WriteFile(file("precious"), []byte("precious"), 0o600))
	require.NoError(t, os.Symlink(file("precious"), file("link.html")))
	require.NoError(t, os.Symlink(file("nowhere"), file("dangling.html")))
	require.NoError(t, os.Link(file("precious"), file("hard")))
	for want, args := range map[string][]string{
		"link.html is a symbolic link":     {"--report", "html=" + file("link.html")},
		"dangling.html is a symbolic link": {"--report", "html=" + file("dangling.html")},
		"--ledger: " + file("link.html"):   {"--ledger", file("link.html")},
		"is named twice":                   {"--report", "html=" + file("a") + ",json=" + folder + "/./a"},
		"hard is named twice":              {"--report", "html=" + file("precious") + ",json=" + file("hard")},
		"b is named twice":                 {"--report", "html=" + file("b"), "--ledger", file("b")},
	} {
		code, out := command(t, append([]string{"verify", "http://" + address, "--run", "UserId"}, args...)...)
		require.Equal(t, testsuite.ExitMachine, code, out)
		require.Contains(t, out, want)
	}
	text, err := os.ReadFile(file("precious"))
	require.NoError(t, err)
	require.Equal(t, "precious", string(text))
	require.NoFileExists(t, file("nowhere"))
}

func TestARunSaysWhereItsLimitsComeFrom(t *testing.T) {
	t.Parallel()
	_, address := attacked(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) })
	out, _ := understudyProcess(t, []string{"UNDERSTUDY_MAX_WRITES=9999"}, "verify", "http://"+address, "--run",
		"UserId", "--report", "tap="+filepath.Join(t.TempDir(), "x"))
	require.Contains(t, out, "--max-writes is 9999, set by UNDERSTUDY_MAX_WRITES")
	out, _ = understudyProcess(t, []string{"UNDERSTUDY_MAX_WRITES=9999"}, "verify", "http://"+address,
		"--run", "UserId", "--max-unexpected-writes", "3")
	require.Regexp(t,
		`writes allowed: 9999 \(UNDERSTUDY_MAX_WRITES\); stops at 3 unexpected writes\s+\(--max-unexpected-writes\)`,
		out)
	file := filepath.Join(t.TempDir(), "c.yaml")
	require.NoError(t, os.WriteFile(file, []byte("verify:\n  max-writes: 7\n"), 0o600))
	_, text := command(t, "verify", "http://"+address, "--config", file, "--plan")
	require.Contains(t, text, "writes allowed: 7 ("+file+":2)")
}

// TestNobodyHasToReadTheLog has the log's reader stall, and then end.
func TestNobodyHasToReadTheLog(t *testing.T) {
	t.Run("one that stalls", func(t *testing.T) {
		in, out, err := os.Pipe()
		require.NoError(t, err)
		defer func() { _ = in.Close() }()
		url, stop := served(t, out)
		body := sampleBody(t)
		for range 1500 {
			require.Equal(t, http.StatusOK, posted(t, url, body))
		}
		_ = out.Close() // ends the write that nobody reads
		require.Zero(t, stop())
	})
	t.Run("one that ends", func(t *testing.T) {
		self, err := os.Executable()
		require.NoError(t, err)
		cmd := exec.CommandContext(t.Context(), self)
		cmd.Args = []string{"understudy", "serve", "--addr", "127.0.0.1:0"}
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		errs, err := cmd.StderrPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		line, err := bufio.NewReader(out).ReadString('\n')
		require.NoError(t, err)
		url := strings.TrimSpace(line[strings.Index(line, "http://"):]) + "/api/Calendar/PatientAppointmentPost_v2"
		require.NoError(t, errs.Close())
		body := sampleBody(t)
		for range 1500 {
			require.Equal(t, http.StatusOK, posted(t, url, body))
		}
		require.NoError(t, cmd.Process.Signal(os.Interrupt))
		require.NoError(t, cmd.Wait())
	})
}

// blocked is a writer that waits until it may continue.
type blocked struct {
	goOn chan struct{}
	bytes.Buffer
}

func (b *blocked) Write(p []byte) (int, error) {
	<-b.goOn
	return b.Buffer.Write(p)
}

func TestALogThatWasLostSaysHowMuch(t *testing.T) {
	to := &blocked{goOn: make(chan struct{})}
	log := newLogBuffer(to, "json")
	line := []byte(strings.Repeat("x", 1023) + "\n")
	const count = 3 * logSize / 1024
	for range count {
		n, err := log.Write(line)
		require.NoError(t, err)
		require.Equal(t, len(line), n)
	}
	close(to.goOn)
	log.flush()
	text := to.String()
	kept := strings.Count(text, string(line))
	require.GreaterOrEqual(t, kept, logSize/1024)
	require.Contains(t, text, fmt.Sprintf(`"lines":%d}`, count-kept))
}

func posted(t *testing.T, url string, body []byte) int {
	t.Helper()
	resp, err := http.Post(url, "application/json", bytes.NewReader(body))
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	_, err = io.Copy(io.Discard, resp.Body)
	require.NoError(t, err)
	return resp.StatusCode
}

func TestNoNameOfARequestReachesHeaderOrLog(t *testing.T) {
	const secret = "Jane-Doe-555-0199"
	var log bytes.Buffer
	url, stop := served(t, &log)
	var headers strings.Builder
	for _, x := range [][2]string{
		{"application/json", `{"` + secret + `":{"` + secret + `":[1,}`},
		{"application/json", `{"Reasons":[{"` + secret + `":`},
		{"application/x-www-form-urlencoded", "Reasons.index=" + secret + "&Reasons[" + secret + "].ReasonId=x"},
		{"application/x-www-form-urlencoded", secret + "[=1"},
	} {
		resp, err := http.Post(url, x[0], strings.NewReader(x[1]))
		require.NoError(t, err)
		require.Equal(t, http.StatusBadRequest, resp.StatusCode)
		headers.WriteString(resp.Header.Get("X-Understudy-Violations") + "\n")
		_ = resp.Body.Close()
	}
	require.Zero(t, stop())
	require.Contains(t, headers.String(), "/?")
	require.NotContains(t, headers.String(), "Jane")
	require.Contains(t, log.String(), "violations=")
	require.NotContains(t, log.String(), "Jane")
}

func TestOptionsOfTheWholeServerReachTheMock(t *testing.T) {
	var log bytes.Buffer
	url, stop := served(t, &log)
	address := strings.TrimPrefix(url[:strings.Index(url, "/api/")], "http://")
	conn, err := net.Dial("tcp", address)
	require.NoError(t, err)
	_, err = io.WriteString(conn, "OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	require.NoError(t, err)
	text, err := io.ReadAll(conn)
	require.NoError(t, err)
	require.Zero(t, stop())
	require.Contains(t, string(text),
		`{"Message":"No HTTP resource was found that matches the request URI 'http://x/*'."}`)
	require.Contains(t, log.String(), "method=OPTIONS")
}

func TestABoundBeyondAnyBodyIsNamed(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "page.txt")
	page := strings.Replace(string(contracts.Page()), "inclusive between 0 and 250",
		"inclusive between 0 and 100000000", 1)
	require.NoError(t, os.WriteFile(file, []byte(page), 0o600))
	code, out := command(t, "verify", "http://127.0.0.1:1", "--page", file, "--plan", "--field", "Reason")
	require.Zero(t, code)
	require.Contains(t, out, "a text of 100000001 characters is longer than a body may be")
	require.Less(t, len(out), 50<<20, "the texts are not there")
	code, out = command(t, "generate", "--list", "--page", file, "--field", "Reason")
	require.Zero(t, code)
	require.Contains(t, out, "not made: Reason/length/")
}

func TestARunThatIsCutShortIsNoPass(t *testing.T) {
	_, address := attacked(t, func(http.ResponseWriter, *http.Request) {})
	for _, args := range [][]string{
		{"--rate", "0.5", "--max-time", "1s"},
		{"--rate", "0.5", "--max-time", "1s", "--run", "optional,UserId", "--level", "must"},
		{"--max-time", "1ns"},
	} {
		code, out := command(t, append([]string{"verify", "http://" + address}, args...)...)
		require.Equal(t, testsuite.ExitInconclusive, code, out)
		require.Contains(t, out, "the time limit was reached")
	}
}

// closing is a server that ends a connection after some responses without a word.
func closing(t *testing.T, handler http.Handler, each int) (address string) {
	t.Helper()
	return onEachConnection(t, func(conn net.Conn) {
		in := bufio.NewReader(conn)
		for range each {
			r, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			seen := httptest.NewRecorder()
			handler.ServeHTTP(seen, r)
			_, _ = io.Copy(io.Discard, r.Body)
			resp := seen.Result()
			resp.ContentLength = int64(seen.Body.Len())
			if resp.Write(conn) != nil {
				return
			}
		}
	})
}

func TestAnHonestServerThatEndsConnectionsIsNotStopped(t *testing.T) {
	t.Parallel()
	mock := guarded(t, anyone)
	address := closing(t, mock, 3)
	code, out := command(
		t,
		append(elsewhere(address), "--max-writes", "4", "--run", "UserId,Reason/length", "--level", "must")...)
	require.Zero(t, code, out)
	code, out = command(t, "verify", "http://"+address,
		"--run", "UserId,Reason/length", "--level", "must", "--fail-on", "inconclusive")
	require.Zero(t, code, out)
}

func TestWhatWasSentIsNotReportedAsSkipped(t *testing.T) {
	t.Parallel()
	var valid atomic.Int64
	mock := guarded(t, anyone)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Understudy-Case") == "optional/all" {
			valid.Add(1)
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		mock.ServeHTTP(w, r)
	}))
	defer server.Close()
	code, out := command(
		t,
		append(elsewhere(server.Listener.Addr().String()),
			"--max-writes", "3", "--run", "UserId/required/missing,optional/all", "--level", "must", "--media",
			"application/json")...)
	require.EqualValues(t, 2, valid.Load())
	require.Equal(t, testsuite.ExitInconclusive, code, out)
	require.Contains(t, out, "429")
}

func TestWhatWasAcceptedOnceIsNotFlaky(t *testing.T) {
	t.Parallel()
	mock := guarded(t, anyone)
	seen := map[string]bool{}
	var mu sync.Mutex
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		mu.Lock()
		first := !seen[string(body)]
		seen[string(body)] = true
		mu.Unlock()
		if err == nil && first {
			return // booked
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		mock.ServeHTTP(w, r)
	}))
	defer server.Close()
	code, out := command(t, "verify", server.URL, "--run", "Reason/length/251,Reason/length/252", "--level", "must",
		"--media", "application/json")
	require.Equal(t, testsuite.ExitBroken, code, out)
	require.NotContains(t, out, "flaky")
}

func TestARedactedValueIsHiddenInRequestsOfOurOwn(t *testing.T) {
	t.Parallel()
	mock := guarded(t, anyone)
	server := httptest.NewServer(mock)
	defer server.Close()
	for _, value := range []string{"zzqwert\"mnbvcxy", "zzqwert\tmnbvcxy", "zzqwert\r\nmnbvcxy",
		"zzqwert'mnbvcxy\\of mine"} {
		file := filepath.Join(t.TempDir(), "r")
		args := []string{"verify", server.URL, "--set", "Reason=" + value, "--redact", "Reason",
			"--run", "Reason,UserId,media,form,encoding,optional,valid,syntax"}
		_, out := command(t, append(args, "--report", "text,json="+file+".json,har="+file+".har,html="+file+".html")...)
		_, plan := command(t, append(args, "--plan")...)
		for _, name := range []string{".json", ".har", ".html"} {
			text, err := os.ReadFile(file + name)
			require.NoError(t, err)
			out += string(text)
		}
		require.NotContains(t, out+plan, "mnbvcxy")
		require.Contains(t, out, "[hidden]")
	}
	code, out := command(t, "verify", server.URL, "--set", "UserId=s3cret-and-wrong", "--redact", "UserId")
	require.Equal(t, testsuite.ExitUsage, code)
	require.NotContains(t, out, "s3cret")
}
