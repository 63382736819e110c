package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed47566266/understudy/contracts/webapi"
	"github.com/seed47566266/understudy/mockserver"
	"github.com/seed47566266/understudy/mockserver/store"
)

// The server's limits. A client that sends a page's sample needs none of them;
// they keep one that stalls or floods from holding the server.
const (
	headerTimeout  = 10 * time.Second
	readTimeout    = 60 * time.Second
	writeTimeout   = 60 * time.Second
	idleTimeout    = 120 * time.Second
	maxHeaderBytes = 64 << 10
	drainTimeout   = 10 * time.Second
)

func serveCommand(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the mock, which responds as the framework would",
		Args:  cobra.NoArgs,
		Example: "  understudy serve\n" +
			"  understudy serve --addr 127.0.0.1:0 --time-zone America/Chicago",
	}
	contract := pageFlag(cmd)
	var profile webapi.Profile
	flags := cmd.Flags()
	addr := flags.String("addr", "127.0.0.1:4747", "`HOST:PORT` to listen on; port 0 picks one")
	flags.BoolVar(&profile.ErrorDetail, "error-detail", false,
		"show the texts of exceptions, as a server does to its own machine")
	flags.StringVar(&profile.TimeZone, "time-zone", "UTC", "the server's local time, an IANA `NAME`")
	flags.StringVar(&profile.ParameterName, "parameter-name", "model",
		"the action's parameter, first part of ModelState's keys")
	successBody := flags.String("success-body", string(webapi.SuccessBodyEcho), "body of 200: `echo|none`")
	nullBody := flags.String("null-body", string(webapi.NullBodyReject),
		"what the action does with no body or null: `reject|accept`")
	maxBody := flags.Int64("max-body", mockserver.DefaultMaxBody,
		"largest request body in `BYTES`; a longer one gets 413")
	m := mockFlags(cmd)
	logFormat := flags.String("log-format", "text", "form of the request log on stderr: `text|json`")
	quiet := flags.Bool("quiet", false, "log no requests")
	configurable(cmd, s)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := contract()
		if err != nil {
			return err
		}
		profile.SuccessBody, profile.NullBody = webapi.SuccessBody(*successBody), webapi.NullBody(*nullBody)
		lines := newLogBuffer(s.err, *logFormat)
		defer lines.flush()
		logger, err := requestLog(lines, *logFormat, *quiet)
		if err != nil {
			return err
		}
		// A reader of the log that ends may take the log with it, not the mock.
		signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
		memory := tuneMemory(s)
		options, err := m.options(cmd, *addr)
		if err != nil {
			return err
		}
		ctx, stop := context.WithCancel(cmd.Context())
		defer stop()
		options = append(options, mockserver.WithShutdown(stop), mockserver.WithProfile(profile),
			mockserver.WithMaxBody(*maxBody),
			mockserver.WithLogger(logger), mockserver.WithLargeWork(memory.beginLarge))
		mock, err := mockserver.New(c, options...)
		if err != nil {
			return err
		}
		context.AfterFunc(ctx, func() { _ = mock.Close() })
		return listenAndServe(ctx, s, *addr, mock, logger)
	}
	return cmd
}

func requestLog(lines *logBuffer, format string, quiet bool) (*slog.Logger, error) {
	options := &slog.HandlerOptions{}
	if quiet {
		options.Level = slog.LevelError
	}
	switch format {
	case "text":
		return slog.New(newTextLog(lines, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(lines, options)), nil
	}
	return nil, fmt.Errorf("--log-format %q: use text or json", format)
}

// The mock keeps little but its journal, so its live heap is a few megabytes
// and collecting at twice that would be most of its work. It lets the heap grow
// instead, up to a limit that a small container has. A large request may hold more
// than that limit; while one is worked on a higher one counts, or collecting would
// be most of the work again.
const (
	memoryLimit      = 32<<20 + store.DefaultBytes/2 // the journal is rarely full
	largeMemoryLimit = 128<<20 + memoryLimit
	gcPercent        = 400
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
