package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/helppage"
)

// targets are servers for verify to judge, each wrong in its own way.
var targets = map[string]http.HandlerFunc{
	// lenient asks for UserId alone.
	"lenient": func(w http.ResponseWriter, r *http.Request) {
		var b struct{ UserId any }
		_ = json.NewDecoder(r.Body).Decode(&b)
		w.Header().Set("Content-Type", "application/json")
		if b.UserId == nil {
			w.WriteHeader(http.StatusBadRequest)
		}
		_, _ = io.WriteString(w, `{"id":7}`)
	},
	// picky knows one user.
	"picky": func(w http.ResponseWriter, r *http.Request) {
		var b struct{ UserId string }
		_ = json.NewDecoder(r.Body).Decode(&b)
		w.Header().Set("Content-Type", "application/json")
		if b.UserId != "0f8fad5b-d9cb-469f-a165-70867728950e" {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"Message":"no such user"}`)
		}
	},
	// echo responds with what it was sent, headers too, and accepts nothing.
	"echo": func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		text, _ := json.Marshal(map[string]any{"headers": r.Header, "body": string(body)})
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusConflict)
		_, _ = w.Write(text)
	},
	"login": func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "<!DOCTYPE html><title>Log in</title>")
	},
}

// target serves one of targets until it is interrupted and writes a line for each
// request to standard error.
func target(name string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var mu sync.Mutex
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		fmt.Fprintln(os.Stderr, r.Method, r.Host, r.Header.Get("X-Understudy-Case"))
		mu.Unlock()
		targets[name](w, r)
	})}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	fmt.Println("target is listening on http://" + l.Addr().String())
	_ = server.Serve(l)
	return 0
}

// exits runs understudy and is content with one exit code only.
func exits(code string, args []string) int {
	got := run(context.Background(), args, streams{os.Stdin, os.Stdout, os.Stderr, os.Getenv})
	if strconv.Itoa(got) != code {
		fmt.Fprintf(os.Stderr, "exit code %d, not %s\n", got, code)
		return 1
	}
	return 0
}

// understudyProcess runs the command in a process of its own.
func understudyProcess(t *testing.T, env []string, args ...string) (output string, code int) {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Args = append([]string{"understudy"}, args...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// sampleBody is the page's own sample.
func sampleBody(t *testing.T) []byte {
	t.Helper()
	c, err := helppage.Parse(contracts.Page())
	require.NoError(t, err)
	return c.Operations[0].Sample
}
