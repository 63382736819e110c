package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/helppage"
)

// lines passes on each line that is written.
type lines chan string

func (l lines) Write(b []byte) (int, error) {
	l <- string(b)
	return len(b), nil
}

// served runs serve until stop is called, which returns its exit code.
func served(t *testing.T, errs io.Writer, args ...string) (url string, stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, code := make(lines, 1), make(chan int, 1)
	go func() {
		code <- run(ctx, append([]string{"serve", "--addr", "127.0.0.1:0"}, args...),
			streams{strings.NewReader(""), out, errs, func(string) string { return "" }})
	}()
	line, _, _ := strings.Cut(<-out, "\n")
	return strings.TrimSpace(
			line[strings.Index(line, "http://"):],
		) + "/api/Calendar/PatientAppointmentPost_v2", func() int {
			cancel()
			return <-code
		}
}

// TestNoRequestIsLostAtAStop has 16 clients send one request after another on
// connections that they keep, and stops the server meanwhile. What could not be
// sent, since nobody listens any more, is not lost.
func TestNoRequestIsLostAtAStop(t *testing.T) {
	c, err := helppage.Parse(contracts.Page())
	require.NoError(t, err)
	for range 3 {
		url, stop := served(t, io.Discard, "--quiet")
		var lost, responded atomic.Int64
		var clients sync.WaitGroup
		warm := make(chan struct{}, 1<<20)
		for range 16 {
			clients.Go(func() {
				client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}}
				defer client.CloseIdleConnections()
				for {
					resp, err := client.Post(url, "application/json", bytes.NewReader(c.Operations[0].Sample))
					if err == nil {
						_, err = io.Copy(io.Discard, resp.Body)
						_ = resp.Body.Close()
					}
					var op *net.OpError
					switch {
					case err == nil:
						responded.Add(1)
						select {
						case warm <- struct{}{}:
						default:
						}
						continue
					case errors.As(err, &op) && op.Op == "dial":
					default:
						lost.Add(1)
						t.Log(err)
					}
					return
				}
			})
		}
		for range 400 { // every client keeps a connection by now
			<-warm
		}
		require.Zero(t, stop())
		clients.Wait()
		require.Zero(t, lost.Load(), "of %d", responded.Load())
	}
}
