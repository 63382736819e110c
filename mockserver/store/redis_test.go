//go:build redis

package store_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/mockserver/store"
)

// stops end the servers that were started.
var stops []func()

func TestMain(m *testing.M) {
	code := m.Run()
	for _, stop := range stops {
		stop()
	}
	os.Exit(code)
}

func init() {
	socket := filepath.Join(os.TempDir(), fmt.Sprintf("understudy-%d.sock", os.Getpid()))
	server := sync.OnceValue(func() string { return startRedis("--unixsocket", socket) })
	cluster := sync.OnceValue(func() string {
		addr := startRedis("--cluster-enabled", "yes")
		client := redis.NewClient(&redis.Options{Addr: addr})
		defer func() { _ = client.Close() }()
		if err := client.ClusterAddSlotsRange(context.Background(), 0, 16383).Err(); err != nil {
			panic(err)
		}
		for end := time.Now().Add(20 * time.Second); time.Now().Before(end) &&
			!strings.Contains(client.ClusterInfo(context.Background()).Val(), "cluster_state:ok"); {
			<-time.After(10 * time.Millisecond) // a cluster has no event for it
		}
		return addr
	})
	empty := func(t *testing.T, addr string) {
		t.Helper()
		client := redis.NewClient(&redis.Options{Addr: addr})
		defer func() { _ = client.Close() }()
		require.NoError(t, client.FlushAll(t.Context()).Err())
	}
	backends["redis-server"] = func(t *testing.T, entries int, bytes int64) store.Store {
		t.Helper()
		empty(t, server())
		return open(t, "redis://"+server(), entries, bytes)
	}
	backends["redis-server over a unix socket"] = func(t *testing.T, entries int, bytes int64) store.Store {
		t.Helper()
		empty(t, server())
		return open(t, "unix://"+socket, entries, bytes)
	}
	backends["cluster"] = func(t *testing.T, entries int, bytes int64) store.Store {
		t.Helper()
		empty(t, cluster())
		return open(t, "redis://"+cluster()+"?addr="+cluster(), entries, bytes)
	}
}

// startRedis starts a server, and waits until it says that it is ready.
func startRedis(args ...string) (addr string) {
	must := func(err error) {
		if err != nil {
			panic(fmt.Errorf("redis-server is the package redis-server of Debian: %w", err))
		}
	}
	free, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	must(err)
	addr = free.Addr().String()
	must(free.Close())
	_, port, err := net.SplitHostPort(addr)
	must(err)
	dir, err := os.MkdirTemp("", "understudy-redis")
	must(err)
	cmd := exec.CommandContext(context.Background(), "redis-server", append([]string{
		"--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", dir, "--cluster-port", "0",
	}, args...)...)
	out, err := cmd.StdoutPipe()
	must(err)
	must(cmd.Start())
	stops = append(stops, func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
		_ = os.RemoveAll(dir)
	})
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.Contains(lines.Text(), "eady to accept connections") {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return addr
		}
	}
	panic("redis-server ended before it was ready")
}
