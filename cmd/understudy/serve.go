package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/webapi"
	"github.com/seed47566266/understudy/mockserver"
	"github.com/seed47566266/understudy/mockserver/store"
)

// serve are the flags of serve.
type serve struct {
	contract  func() (*contracts.Contract, error)
	profile   webapi.Profile
	success   string
	null      string
	maxBody   int64
	listening listening
	mock      *mock
	logFormat string
	quiet     bool
}

func newServe() (*serve, *cobra.Command) {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the mock, which responds as the framework would",
		Args:  cobra.NoArgs,
		Example: "  understudy serve\n" +
			"  understudy serve --scenario slow --fault 503/3\n" +
			"  understudy serve --proxy https://test.example.com --record today.ndjson",
	}
	v, flags := &serve{}, cmd.Flags()
	v.contract = pageFlag(cmd)
	v.listening.add(cmd)
	flags.BoolVar(&v.profile.ErrorDetail, "error-detail", false,
		"show the texts of exceptions, as a server does to its own machine")
	flags.StringVar(&v.profile.TimeZone, "time-zone", "UTC", "the server's local time, an IANA `NAME`")
	flags.StringVar(&v.profile.ParameterName, "parameter-name", "model",
		"the action's parameter, first part of ModelState's keys")
	flags.StringVar(&v.success, "success-body", string(webapi.SuccessBodyEcho), "body of 200: `echo|none`")
	flags.StringVar(&v.null, "null-body", string(webapi.NullBodyReject),
		"what the action does with no body or null: `reject|accept`")
	flags.Int64Var(&v.maxBody, "max-body", mockserver.DefaultMaxBody,
		"largest request body in `BYTES`; a longer one gets 413")
	v.mock = mockFlags(cmd)
	flags.StringVar(&v.logFormat, "log-format", "auto",
		"`FORM` of the request log on stderr: auto (terminal on one, else text), terminal, text, json")
	flags.BoolVar(&v.quiet, "quiet", false, "log no requests")
	return v, cmd
}

func serveCommand(s streams) *cobra.Command {
	v, cmd := newServe()
	file := configurable(cmd, s)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return v.run(cmd, s, file()) }
	return cmd
}

// options are those that open nothing. File may be nil.
func (v *serve) options(root *cobra.Command, file *configFile) ([]mockserver.Option, error) {
	profile := v.profile
	profile.SuccessBody, profile.NullBody = webapi.SuccessBody(v.success), webapi.NullBody(v.null)
	options, err := v.mock.options(root, &v.listening, file)
	return append(options, mockserver.WithProfile(profile), mockserver.WithMaxBody(v.maxBody)), err
}

func (v *serve) run(cmd *cobra.Command, s streams, file *configFile) (err error) {
	c, err := v.contract()
	if err != nil {
		return err
	}
	logger, flush, err := requestLog(s, v.logFormat, v.quiet)
	if err != nil {
		return err
	}
	defer flush()
	// A reader of the log that ends may take the log with it, not the mock.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	memory := tuneMemory(s)
	ctx, stop := context.WithCancel(cmd.Context())
	defer stop()
	options, err := v.options(cmd.Root(), file)
	if err != nil {
		return err
	}
	opened, closeAll, err := v.mock.open(logger)
	if err != nil {
		return err
	}
	defer func() {
		if problem := closeAll(); problem != nil && err == nil {
			err = machine(problem)
		}
	}()
	mock, err := mockserver.New(c, append(append(options, opened...), mockserver.WithShutdown(stop),
		mockserver.WithLogger(logger), mockserver.WithLargeWork(memory.beginLarge))...)
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { _ = mock.Close() })
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		watchConfig(ctx, file, cmd, mock, logger)
	}()
	defer func() {
		stop()
		<-ended
	}()
	err = listenAndServe(ctx, s, &v.listening, mock, mock.Admin(), logger, func(url, adminURL string) string {
		mock.ListensAt(url)
		if v.mock.openConsole {
			if problem := openBrowser(s, adminURL+mockserver.AdminPath+"/"); problem != nil {
				logger.Warn("console", "problem", problem.Error())
			}
		}
		return v.mock.banner(c, url, adminURL, file)
	})
	return v.mock.conclude(s, mock, err)
}

// check looks at what run finds out only when it opens something.
func (v *serve) check() error {
	if !slices.Contains(logFormats, v.logFormat) {
		return logFormatError(v.logFormat)
	}
	for flag, addr := range map[string]string{"--addr": v.listening.addr, "--admin-addr": v.listening.adminAddr} {
		if addr == "" || strings.HasPrefix(addr, unixPrefix) {
			continue
		}
		if _, _, err := net.SplitHostPort(addr); err != nil {
			return addressError(flag, addr, err)
		}
	}
	if !v.listening.auto { // which makes files
		if _, _, err := v.listening.certificate(); err != nil {
			return err
		}
	}
	if v.mock.store != "" {
		if err := store.CheckRedis(v.mock.store); err != nil {
			return fmt.Errorf("--store: %w", err)
		}
	}
	return nil
}

var logFormats = []string{"auto", "terminal", "text", "json"}

func logFormatError(format string) error {
	last := len(logFormats) - 1
	return fmt.Errorf("--log-format %q: use %s or %s", format, strings.Join(logFormats[:last], ", "), logFormats[last])
}

// requestLog makes the log in a format; flush waits until it is written.
func requestLog(s streams, format string, quiet bool) (logger *slog.Logger, flush func(), err error) {
	options := &slog.HandlerOptions{}
	if quiet {
		options.Level = slog.LevelError
	}
	if format == "auto" {
		format = "text"
		if isTerminal(s.err) {
			format = "terminal"
		}
	}
	lines := newLogBuffer(s.err, format)
	switch format {
	case "terminal":
		colored := isTerminal(s.err) && s.getenv("NO_COLOR") == "" && s.getenv("TERM") != "dumb"
		handler := newTerminalLog(lines, options, colored)
		return slog.New(handler), func() {
			handler.flush()
			lines.flush()
		}, nil
	case "text":
		return slog.New(newTextLog(lines, options)), lines.flush, nil
	case "json":
		return slog.New(slog.NewJSONHandler(lines, options)), lines.flush, nil
	}
	return nil, nil, logFormatError(format)
}

// The mock keeps little but its journal, so its live heap is a few megabytes
// and collecting at twice that would be most of its work. It lets the heap grow
// instead, up to a limit that a small container has. A large request may hold more
// than that limit; while one is worked on a higher one counts, or collecting would
// be most of the work again.
const (
	memoryLimit      = 32<<20 + store.DefaultBytes/2 // the journal is rarely full
	largeMemoryLimit = 128<<20 + memoryLimit
	gcPercent        = 800
)

// memory sets the limits, unless the environment does.
type memory struct {
	s streams

	mu    sync.Mutex
	large int
}

func tuneMemory(s streams) *memory {
	m := &memory{s: s}
	limitMemory(s, memoryLimit)
	if s.getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	return m
}

// limitMemory has the process collect its garbage more often from that many bytes
// on, unless the environment says otherwise.
func limitMemory(s streams, bytes int64) {
	if s.getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(bytes)
	}
}

// beginLarge is called when work on a large request begins.
func (m *memory) beginLarge() (end func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.large++; m.large == 1 {
		limitMemory(m.s, largeMemoryLimit)
	}
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.large--; m.large == 0 {
			limitMemory(m.s, memoryLimit)
		}
	}
}
