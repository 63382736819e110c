package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/testsuite"
)

var update = flag.Bool("update", false, "rewrite the expected output in testdata/script")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"understudy": func() {
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
			defer stop()
			os.Exit(run(ctx, os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr, os.Getenv}))
		},
		"bare":   func() { os.Exit(bare()) },
		"target": func() { os.Exit(target(os.Args[1])) },
		"exits":  func() { os.Exit(exits(os.Args[1], os.Args[2:])) },
		"post":   func() { os.Exit(post(os.Args[1:])) },
	})
}

// TestScripts runs testdata/script/*.txtar: commands and what they print. Run
// with -update to rewrite what they print.
func TestScripts(t *testing.T) { runScripts(t, "testdata/script") }

func runScripts(t *testing.T, dir string) {
	t.Helper()
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 dir,
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("UNDERSTUDY_NOW", "2026-02-03") // the day of the page's sample
			return os.WriteFile(env.WorkDir+"/page.txt", contracts.Page(), 0o600)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"waitline": waitLine,
		},
	})
}

// waitLine waits until a file that a background command writes has a line with
// the given text, and sets URL and ADDR from it: waitline FILE TEXT.
func waitLine(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: waitline FILE TEXT")
	}
	deadline := time.Now().Add(20 * time.Second)
	for {
		b, err := os.ReadFile(ts.MkAbs(args[0]))
		whole := string(b[:bytes.LastIndexByte(b, '\n')+1])
		for line := range strings.Lines(whole) {
			if err != nil || !strings.Contains(line, args[1]) {
				continue
			}
			if i := strings.Index(line, "http://"); i >= 0 {
				ts.Setenv("URL", strings.TrimSpace(line[i:]))
				ts.Setenv("ADDR", strings.TrimSpace(line[i+len("http://"):]))
			}
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s has no line with %q: %q", args[0], args[1], b)
		}
		// A file has no event to wait for; the poll ends with the deadline.
		<-time.After(5 * time.Millisecond)
	}
}

// post is a small HTTP client for scripts: post [-H HEADER]... [-t TIME-OUT] METHOD URL
// CONTENT-TYPE [FILE]. It prints the status, the headers that the framework and the mock set,
// and the body.
func post(args []string) int {
	fail := func(err error) int {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	flags := flag.NewFlagSet("post", flag.ContinueOnError)
	header := http.Header{}
	flags.Func("H", "header", func(text string) error {
		name, value, _ := strings.Cut(text, ": ")
		header.Add(name, value)
		return nil
	})
	timeout := flags.Duration("t", 20*time.Second, "time-out")
	if err := flags.Parse(args); err != nil {
		return 1
	}
	args = flags.Args()
	ctx, cancel := context.WithTimeout(context.Background(), *timeout)
	defer cancel()
	var body io.Reader
	if len(args) > 3 {
		f, err := os.Open(args[3])
		if err != nil {
			return fail(err)
		}
		defer func() { _ = f.Close() }()
		body = f
	}
	req, err := http.NewRequestWithContext(ctx, args[0], args[1], body)
	if err != nil {
		return fail(err)
	}
	req.Header = header
	if args[2] != "" {
		req.Header.Set("Content-Type", args[2])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fail(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return fail(err)
	}
	fmt.Println(resp.StatusCode, resp.Header.Get("Content-Type"))
	for _, name := range []string{
		"Allow", "Preference-Applied", "X-Understudy-Violations", "X-Understudy-Notes", "X-Understudy-Scenario",
		"X-Understudy-Upstream",
	} {
		if v := resp.Header.Get(name); v != "" {
			fmt.Println(name+":", v)
		}
	}
	fmt.Println(string(b))
	return 0
}

// failingWriter fails as a full disk does.
type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

func TestAnOutputThatCannotBeWrittenIsAnError(t *testing.T) {
	for _, args := range [][]string{{"contract", "show"}, {"contract", "show", "--json"}, {"explain", "Reason"},
		{"contract", "sample"}, {"version"}, {"serve", "--addr", "127.0.0.1:0"}} {
		var errs strings.Builder
		code := run(context.Background(), args,
			streams{strings.NewReader(""), failingWriter{}, &errs, func(string) string { return "" }})
		require.Equal(t, testsuite.ExitMachine, code, args)
		require.Contains(t, errs.String(), "understudy: ", args)
		require.Equal(t, 1, strings.Count(errs.String(), "\n"), args)
	}
}
