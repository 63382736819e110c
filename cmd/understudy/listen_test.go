package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/testsuite"
)

// started runs serve with these arguments until the test ends, and returns what it prints
// once it listens.
func started(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, code := make(lines, 10), make(chan int, 1)
	go func() {
		code <- run(ctx, append([]string{"serve", "--quiet"}, args...),
			streams{strings.NewReader(""), out, io.Discard, func(string) string { return "" }})
	}()
	t.Cleanup(func() {
		cancel()
		assert.Zero(t, <-code)
	})
	select {
	case text := <-out:
		return text
	case c := <-code:
		code <- c
		t.Fatalf("serve ended with %d", c)
		return ""
	}
}

// line is what follows a word in what serve printed.
func line(t *testing.T, text, word string) string {
	t.Helper()
	m := regexp.MustCompile(`(?m)^ *` + regexp.QuoteMeta(word) + ` (.*)$`).FindStringSubmatch(text)
	require.NotNil(t, m, "no line with %q in %s", word, text)
	return m[1]
}

func get(t *testing.T, client *http.Client, url string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	resp, err := client.Do(r)
	require.NoError(t, err)
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

func TestLocalhostLeadsToTheMockWhicheverWayItIsResolved(t *testing.T) {
	url := line(t, started(t, "--addr", "127.0.0.1:0"), "understudy is listening on")
	port := url[strings.LastIndex(url, ":")+1:]
	hosts := []string{"127.0.0.1", "localhost"}
	if l, err := new(net.ListenConfig).Listen(t.Context(), "tcp6", "[::1]:0"); err == nil { // there is IPv6 here
		require.NoError(t, l.Close())
		hosts = append(hosts, "[::1]")
	}
	for _, host := range hosts {
		resp := get(t, http.DefaultClient, "http://"+host+":"+port+"/__admin/health")
		assert.Equal(t, 200, resp.StatusCode, host)
	}
}

func TestACertificateForLocalhostIsMade(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", folder)
	t.Setenv("HOME", folder)
	var fingerprints []string
	for range 2 { // the second time the authority is there
		text := started(t, "--addr", "127.0.0.1:0", "--tls-auto")
		url := line(t, text, "understudy is listening on")
		require.True(t, strings.HasPrefix(url, "https://"), url)
		authority, err := os.ReadFile(line(t, text, "authority:"))
		require.NoError(t, err)
		fingerprints = append(fingerprints, line(t, text, "sha256:"))
		roots := x509.NewCertPool()
		require.True(t, roots.AppendCertsFromPEM(authority))
		client := &http.Client{Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true,
		}}
		t.Cleanup(client.CloseIdleConnections)
		resp := get(t, client, strings.Replace(url, "127.0.0.1", "localhost", 1)+"/__admin/health")
		assert.Equal(t, 200, resp.StatusCode)
		assert.Equal(t, "HTTP/2.0", resp.Proto)

		// A fault over HTTP/2 breaks its stream, and not those beside it.
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
			url+"/api/Calendar/PatientAppointmentPost_v2", nil)
		require.NoError(t, err)
		r.Header.Set("Prefer", "fault=connection-reset")
		_, err = client.Do(r)
		require.ErrorContains(t, err, "stream error")
		assert.Equal(t, 200, get(t, client, url+"/__admin/health").StatusCode)

		// Who has the authority's key can stand in for this machine alone.
		block, _ := pem.Decode(authority)
		certificate, err := x509.ParseCertificate(block.Bytes)
		require.NoError(t, err)
		assert.True(t, certificate.PermittedDNSDomainsCritical)
		assert.Equal(t, []string{"localhost"}, certificate.PermittedDNSDomains)
	}
	assert.Equal(t, fingerprints[0], fingerprints[1])
	found, err := filepath.Glob(filepath.Join(folder, "**", "local-authority-key.pem"))
	require.NoError(t, err)
	require.NotEmpty(t, found)
	info, err := os.Stat(found[0])
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func TestAMockListensOnASocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mock.sock")
	stale, err := new(net.ListenConfig).Listen(t.Context(), "unix", path)
	require.NoError(t, err)
	stale.(*net.UnixListener).SetUnlinkOnClose(false)
	require.NoError(t, stale.Close())
	text := started(t, "--addr", "unix:"+path)
	assert.Equal(t, "unix:"+path, line(t, text, "understudy is listening on"))
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		},
	}}
	t.Cleanup(client.CloseIdleConnections)
	assert.Equal(t, 200, get(t, client, "http://localhost/__admin/health").StatusCode)
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	var errs strings.Builder
	code := run(t.Context(), []string{"serve", "--addr", "unix:" + path},
		streams{strings.NewReader(""), io.Discard, &errs, func(string) string { return "" }})
	assert.Equal(t, testsuite.ExitUsage, code)
	assert.Contains(t, errs.String(), "is in use")
}

func TestAnAddressThatCannotBeIsNamedWithItsFlag(t *testing.T) {
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = taken.Close() })
	for _, test := range []struct{ args, want string }{
		{"--addr unix:", "cannot listen on \"unix:\"; give --addr as unix:PATH"},
		{"--addr unix:/no/such/folder", "give --addr as unix:PATH, a name in a folder that is there"},
		{"--addr 1.2.3", "give --addr as HOST:PORT"},
		{"--addr 127.0.0.1:0 --admin-addr 127.0.0.1:99999", "give --admin-addr as HOST:PORT"},
		{"--addr " + taken.Addr().String(), "is in use; choose another with --addr"},
		{"--addr 127.0.0.1:0 --admin-addr " + taken.Addr().String(), "is in use; choose another with --admin-addr"},
	} {
		var errs strings.Builder
		code := run(t.Context(), append([]string{"serve"}, strings.Fields(test.args)...),
			streams{strings.NewReader(""), io.Discard, &errs, func(string) string { return "" }})
		assert.Equal(t, testsuite.ExitUsage, code, test.args)
		assert.Contains(t, errs.String(), test.want)
	}
}

func TestTheAdminAPICanBeElsewhere(t *testing.T) {
	text := started(t, "--addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0")
	url, ready := line(t, text, "understudy is listening on"), line(t, text, "ready:")
	assert.Equal(t, 404, get(t, http.DefaultClient, url+"/__admin/health").StatusCode)
	assert.Equal(t, 200, get(t, http.DefaultClient, ready).StatusCode)
	assert.Equal(t, 200, get(t, http.DefaultClient, strings.TrimSuffix(ready, "health")+"metrics").StatusCode)
	console := get(t, http.DefaultClient, line(t, text, "console:"))
	assert.Equal(t, 200, console.StatusCode)
}

func TestBeyondLoopbackTheAdminAPINeedsAToken(t *testing.T) {
	text := started(t, "--addr", "0.0.0.0:0")
	url := line(t, text, "understudy is listening on")
	assert.Contains(t, url, "http://127.0.0.1:", "an address that can be used")
	assert.Contains(t, text, "and on every other address of this machine\n")
	assert.Contains(t, text, "admin API: off beyond loopback without UNDERSTUDY_ADMIN_TOKEN\n")
	assert.Equal(t, 404, get(t, http.DefaultClient, url+"/__admin/requests").StatusCode)
	assert.Equal(t, 200, get(t, http.DefaultClient, line(t, text, "ready:")).StatusCode)

	text = started(t, "--addr", "0.0.0.0:0", "--admin-token", "t")
	url = line(t, text, "understudy is listening on")
	assert.Equal(t, 401, get(t, http.DefaultClient, url+"/__admin/requests").StatusCode)
	assert.Equal(t, 200, get(t, http.DefaultClient, line(t, text, "ready:")).StatusCode)
	for _, args := range [][]string{
		{"--addr", "127.0.0.1:0", "--admin-addr", "0.0.0.0:0"},
		{"--addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0", "--no-admin"},
		{"--addr", "127.0.0.1:0", "--tls-cert", "a"},
		{"--addr", "127.0.0.1:0", "--tls-cert", "a", "--tls-key", "b"},
		{"--addr", "127.0.0.1:0", "--tls-cert", "a", "--tls-key", "b", "--tls-auto"},
		{"--addr", "127.0.0.1:0", "--store", "http://localhost"},
		{"--addr", "unix:" + t.TempDir()},
		{"--addr", "127.0.0.1"},
	} {
		var errs strings.Builder
		code := run(t.Context(), append([]string{"serve"}, args...),
			streams{strings.NewReader(""), io.Discard, &errs, func(string) string { return "" }})
		assert.Equal(t, testsuite.ExitUsage, code, "%v", args)
		assert.Equal(t, 1, strings.Count(errs.String(), "\n"), "%v: %s", args, errs.String())
	}
}

func TestTwoMocksShareAStore(t *testing.T) {
	address := "redis://" + miniredis.RunT(t).Addr()
	var urls []string
	for range 2 {
		text := started(t, "--addr", "127.0.0.1:0", "--store", address, "--scenario", "double-booked")
		urls = append(urls, line(t, text, "understudy is listening on"))
	}
	assert.Equal(t, 200, status(t, urls[0]))
	assert.Equal(t, 409, status(t, urls[1]))
	for _, url := range urls {
		text, err := io.ReadAll(get(t, http.DefaultClient, url+"/__admin/requests?wait=10s&atLeast=2").Body)
		require.NoError(t, err)
		assert.Contains(t, string(text), `"total": 2`)
	}
}

// write puts a configuration in place as editors do.
func write(t *testing.T, file, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(file+".new", []byte(text), 0o600))
	require.NoError(t, os.Rename(file+".new", file))
}

func status(t *testing.T, url string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/api/Calendar/PatientAppointmentPost_v2",
		strings.NewReader(string(sampleBody(t))))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp.StatusCode
}

func TestAConfigurationIsTakenUpWhenItChanges(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "understudy.yaml")
	write(t, file, "response: {status: 201, json: {}}\n")
	log := make(lines, 100)
	ctx, cancel := context.WithCancel(t.Context())
	out, code := make(lines, 1), make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"serve", "--addr", "127.0.0.1:0", "--log-format", "terminal", "--config", file},
			streams{strings.NewReader(""), out, log, func(string) string { return "" }})
	}()
	url := line(t, <-out, "understudy is listening on")
	said := func(want string) {
		t.Helper()
		for end := time.After(20 * time.Second); ; {
			select {
			case text := <-log:
				if strings.Contains(text, want) {
					return
				}
			case <-end:
				t.Fatalf("the log does not say %q", want)
			}
		}
	}
	require.Equal(t, 201, status(t, url))
	write(t, file, "response: {status: 202, json: {}}\n")
	said("state: reloaded")
	require.Equal(t, 202, status(t, url))
	write(t, file, "response: {staus: 203}\n")
	said(file + `:1:12: unknown key "staus" in response: use status, headers, json, text, file`)
	require.Equal(t, 202, status(t, url), "the last right one stays")
	require.NoError(t, os.WriteFile(filepath.Join(folder, "body.txt"), []byte("one"), 0o600))
	write(t, file, "response: {status: 200, file: body.txt}\n")
	said("state: reloaded")
	require.NoError(t, os.WriteFile(filepath.Join(folder, "body.txt"), []byte("three"), 0o600))
	said("state: reloaded")
	write(t, file, "response: {status: 200, file: later.txt}\n")
	said("later.txt\" cannot be read from the configuration's folder")
	require.NoError(t, os.WriteFile(filepath.Join(folder, "later.txt"), []byte("one"), 0o600))
	said("state: reloaded")
	write(t, file, "serve: {seed: 7}\nresponse: {status: 203, json: {}}\n")
	said("its settings under serve: have changed, and count when the mock is started again")
	require.Equal(t, 203, status(t, url))
	require.NoError(t, os.Remove(file))
	said("no such file or directory  state: the last right one stays")
	require.Equal(t, 203, status(t, url))
	write(t, file, "response: {status: 201, json: {}}\n")
	said("state: reloaded")
	require.Equal(t, 201, status(t, url))
	cancel()
	require.Zero(t, <-code)
}

// BenchmarkStart is the time from the command line to the line that says where it listens.
func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		ctx, cancel := context.WithCancel(b.Context())
		out, code := make(lines, 1), make(chan int, 1)
		go func() {
			code <- run(ctx, []string{"serve", "--addr", "127.0.0.1:0", "--quiet"},
				streams{strings.NewReader(""), out, io.Discard, func(string) string { return "" }})
		}()
		text := <-out
		b.StopTimer()
		cancel()
		if <-code != 0 || text == "" {
			b.Fatal(fmt.Errorf("it did not start"))
		}
		b.StartTimer()
	}
}
