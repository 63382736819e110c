//go:build redis

package mockserver_test

import (
	"bufio"
	"net"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/mockserver"
)

// redisServer starts a real server on a port, and waits until it is ready.
func redisServer(t *testing.T, port string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "",
		"--dir", t.TempDir())
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start(), "redis-server is the package redis-server of Debian")
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.Contains(lines.Text(), "eady to accept connections") {
			return cmd
		}
	}
	t.Fatal("redis-server ended before it was ready")
	return nil
}

func freePort(t *testing.T) string {
	t.Helper()
	_, port, err := net.SplitHostPort(closedPort(t))
	require.NoError(t, err)
	return port
}

func TestAThousandSlotsAreBookedOnceEach(t *testing.T) {
	port := freePort(t)
	redisServer(t, port)
	mocks := replicas(t, 2, "redis://127.0.0.1:"+port, doubleBooked(t))
	began := time.Now()
	once := 0
	for slot, n := range book(t, mocks, 1000, 50) {
		if assert.EqualValues(t, 1, n, "slot %d", slot) {
			once++
		}
	}
	t.Logf("%d of 1000 slots have exactly one 200, of 50 clients at 2 mocks, in %s", once,
		time.Since(began).Round(time.Millisecond))
}

// TestAServerThatIsKilledLosesNoRequest kills the server while clients send, and starts it
// again: each request gets its response.
func TestAServerThatIsKilledLosesNoRequest(t *testing.T) {
	port := freePort(t)
	server := redisServer(t, port)
	mocks := replicas(t, 2, "redis://127.0.0.1:"+port)
	sample := string(operation(t).Sample)
	var sent, down, up atomic.Int64
	stop := make(chan struct{})
	var clients sync.WaitGroup
	for n := range 20 {
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				got := send(t, "POST", mocks[n%2].URL+endpoint, "application/json", sample)
				assert.Equal(t, 200, got.status)
				sent.Add(1)
				if got.header.Get(mockserver.StoreHeader) == "down" {
					down.Add(1)
				} else if down.Load() > 0 {
					up.Add(1)
				}
			}
		})
	}
	reaches := func(n *atomic.Int64, more int64) {
		t.Helper()
		from := n.Load()
		require.Eventually(t, func() bool { return n.Load() >= from+more }, 30*time.Second, 10*time.Millisecond)
	}
	reaches(&sent, 1000)
	require.NoError(t, server.Process.Kill())
	_ = server.Wait() // it was killed
	reaches(&down, 1000)
	redisServer(t, port)
	reaches(&up, 1000)
	close(stop)
	clients.Wait()
	t.Logf("%d requests, %d of them while the server was away: each got its response", sent.Load(), down.Load())
}
