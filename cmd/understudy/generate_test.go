package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/helppage"
	"github.com/seed47566266/understudy/mockserver"
)

// generate runs the command and returns what it writes to its two streams.
func generate(t testing.TB, args ...string) (out []byte, errs string) {
	t.Helper()
	var stdout bytes.Buffer
	var stderr strings.Builder
	code := run(t.Context(), append([]string{"generate"}, args...), streams{strings.NewReader(""), &stdout, &stderr, func(string) string { return "" }})
	require.Equal(t, 0, code, "%v: %s", args, stderr.String())
	return stdout.Bytes(), stderr.String()
}

func startTarget(t testing.TB) *httptest.Server {
	t.Helper()
	c, err := helppage.Parse(contracts.Page())
	require.NoError(t, err)
	mock, err := mockserver.New(c)
	require.NoError(t, err)
	server := httptest.NewServer(mock)
	t.Cleanup(server.Close)
	return server
}

// TestEverySeedKindAndFormatKeepsItsBytes pins what is written. A change is a new
// version of the generator, to be said in the changelog.
func TestEverySeedKindAndFormatKeepsItsBytes(t *testing.T) {
	const name = "testdata/generate.golden"
	var list strings.Builder
	for _, seed := range []string{"0", "7"} {
		for _, kind := range generateKinds {
			for _, format := range formatNames() {
				// raw is the bodies themselves, which ndjson has; all is the other
				// kinds in a row.
				if format == "raw" || kind == kindAll && format != "ndjson" && format != "json" {
					continue
				}
				args := []string{"--seed", seed, "--kind", kind, "--format", format}
				if kind == kindValid || kind == kindAll {
					args = append(args, "-n", "1000")
				}
				out, _ := generate(t, args...)
				sum := sha256.Sum256(out)
				fmt.Fprintf(&list, "%s %s %s %d %s\n", seed, kind, format, len(out), hex.EncodeToString(sum[:]))
			}
		}
	}
	if *update {
		require.NoError(t, os.WriteFile(name, []byte(list.String()), 0o600))
	}
	want, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, string(want), list.String())
}

// TestShardsAndWorkersChangeNothing compares one run with its parts, and one
// worker with many.
func TestShardsAndWorkersChangeNothing(t *testing.T) {
	for _, kind := range [][]string{{"--kind", "valid", "-n", "10007"}, {"--kind", "all", "-n", "1000"}} {
		whole, _ := generate(t, kind...)
		var parts []byte
		for i := 1; i <= 4; i++ {
			part, _ := generate(t, append([]string{"--shard", fmt.Sprintf("%d/4", i)}, kind...)...)
			require.NotEmpty(t, part)
			parts = append(parts, part...)
		}
		require.True(t, bytes.Equal(whole, parts), "%v: the shards in order are the run", kind)
		for _, workers := range []int{1, 7} {
			before := runtime.GOMAXPROCS(workers)
			again, _ := generate(t, kind...)
			runtime.GOMAXPROCS(before)
			require.True(t, bytes.Equal(whole, again), "%v with %d workers", kind, workers)
		}
	}
	// More shards than rows: every row once, and parts with none.
	var parts []byte
	for i := 1; i <= 9; i++ {
		part, _ := generate(t, "-n", "5", "--shard", fmt.Sprintf("%d/9", i))
		parts = append(parts, part...)
	}
	whole, _ := generate(t, "-n", "5")
	require.Equal(t, string(whole), string(parts))
}

// line is a row of the format ndjson.
type line struct {
	ID, Group, Field, Outcome, Basis, Method, Path string
	Line                                           int
	Headers                                        [][2]string
	Body                                           *string
	BodyBase64                                     string
}

func readLines(t *testing.T, out []byte) []line {
	t.Helper()
	var rows []line
	for in := json.NewDecoder(bytes.NewReader(out)); ; {
		var row line
		err := in.Decode(&row)
		if errors.Is(err, io.EOF) {
			return rows
		}
		require.NoError(t, err)
		rows = append(rows, row)
	}
}

// fits compares a status with an outcome; anything fits one that is unspecified.
func fits(outcome string, status int) bool {
	switch outcome {
	case "accept":
		return status >= 200 && status <= 299
	case "reject":
		return status >= 400 && status <= 499
	}
	return true
}

func sendTo(t *testing.T, server *httptest.Server, method, path string, headers [][2]string, body []byte) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, bytes.NewReader(body))
	require.NoError(t, err)
	for _, h := range headers {
		req.Header.Add(h[0], h[1])
	}
	resp, err := server.Client().Do(req)
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode
}

// TestTheLinesOfNDJSONCanBeReplayed reads every case back and sends it.
func TestTheLinesOfNDJSONCanBeReplayed(t *testing.T) {
	server := startTarget(t)
	out, _ := generate(t, "--kind", "all", "-n", "50")
	rows := readLines(t, out)
	base64Bodies := 0
	for _, row := range rows {
		var body []byte
		if row.Body != nil {
			body = []byte(*row.Body)
		} else {
			var err error
			body, err = base64.StdEncoding.DecodeString(row.BodyBase64)
			require.NoError(t, err)
			base64Bodies++
		}
		status := sendTo(t, server, row.Method, row.Path, row.Headers, body)
		assert.True(t, fits(row.Outcome, status), "%s: %s but %d", row.ID, row.Outcome, status)
	}
	require.Greater(t, len(rows), 2500)
	require.Greater(t, base64Bodies, 15)
	array, _ := generate(t, "--kind", "all", "-n", "50", "--format", "json")
	var again []line
	require.NoError(t, json.Unmarshal(array, &again))
	require.Equal(t, rows, again)
}

// TestTheHARCanBeReplayed reads the log as a tool would and sends its requests.
func TestTheHARCanBeReplayed(t *testing.T) {
	server := startTarget(t)
	out, errs := generate(t, "--kind", "all", "-n", "10", "--format", "har")
	require.Contains(t, errs, "left out ")
	var log struct {
		Log struct {
			Version string
			Entries []struct {
				StartedDateTime, Comment string
				Request                  struct {
					Method, URL, HTTPVersion string
					Headers                  []struct{ Name, Value string }
					PostData                 struct{ MimeType, Text string }
				}
			}
		}
	}
	require.NoError(t, json.Unmarshal(out, &log))
	require.Equal(t, "1.2", log.Log.Version)
	require.Greater(t, len(log.Log.Entries), 2500)
	for _, e := range log.Log.Entries {
		var headers [][2]string
		for _, h := range e.Request.Headers {
			headers = append(headers, [2]string{h.Name, h.Value})
		}
		id, rest, _ := strings.Cut(e.Comment, ": ")
		outcome, _, _ := strings.Cut(rest, ":")
		path := strings.TrimPrefix(e.Request.URL, defaultTarget)
		status := sendTo(t, server, e.Request.Method, path, headers, []byte(e.Request.PostData.Text))
		assert.True(t, fits(outcome, status), "%s: %s but %d", id, outcome, status)
	}
}

// TestTheRESTClientFileCanBeReplayed reads the file by its own rules: ### between
// requests, # before a comment, an empty line before the body.
func TestTheRESTClientFileCanBeReplayed(t *testing.T) {
	server := startTarget(t)
	out, _ := generate(t, "--kind", "all", "-n", "10", "--format", "http")
	blocks := strings.Split(string(out), "\n### ")
	require.Equal(t, "@target = "+defaultTarget+"\n", blocks[0])
	require.Greater(t, len(blocks), 2500)
	for _, block := range blocks[1:] {
		id, rest, _ := strings.Cut(block, "\n")
		comment, rest, _ := strings.Cut(strings.TrimPrefix(rest, "# "), "\n")
		outcome, _, _ := strings.Cut(comment, ":")
		request, body, _ := strings.Cut(rest, "\n\n")
		lines := strings.Split(request, "\n")
		method, url, _ := strings.Cut(lines[0], " ")
		var headers [][2]string
		for _, l := range lines[1:] {
			name, value, _ := strings.Cut(l, ": ")
			headers = append(headers, [2]string{name, value})
		}
		status := sendTo(t, server, method, strings.TrimPrefix(url, "{{target}}"), headers, []byte(strings.TrimSuffix(body, "\n")))
		assert.True(t, fits(outcome, status), "%s: %s but %d", id, outcome, status)
	}
}

// TestTheManifestNamesTheFiles writes the bodies as files and their list as CSV:
// each line's file is there, with that length and hash.
func TestTheManifestNamesTheFiles(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "bodies")
	_, _ = generate(t, "--kind", "all", "-n", "20", "--format", "raw", "-o", folder)
	out, _ := generate(t, "--kind", "all", "-n", "20", "--format", "csv")
	table, err := csv.NewReader(bytes.NewReader(out)).ReadAll()
	require.NoError(t, err)
	require.Equal(t, csvHeader, table[0])
	column := map[string]int{}
	for i, name := range table[0] {
		column[name] = i
	}
	names := map[string]bool{}
	for _, row := range table[1:] {
		file := row[column["file"]]
		require.False(t, names[strings.ToLower(file)], "%s: some file systems know no case", file)
		names[strings.ToLower(file)] = true
		body, err := os.ReadFile(filepath.Join(folder, file))
		require.NoError(t, err)
		require.Equal(t, row[column["bytes"]], strconv.Itoa(len(body)))
		sum := sha256.Sum256(body)
		require.Equal(t, row[column["sha256"]], hex.EncodeToString(sum[:]))
	}
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	require.Len(t, entries, len(names))
}

// TestTheLinesOfFormsAreForms posts every line.
func TestTheLinesOfFormsAreForms(t *testing.T) {
	server := startTarget(t)
	out, _ := generate(t, "-n", "500", "--seed", "5", "--format", "form")
	in := bufio.NewScanner(bytes.NewReader(out))
	in.Buffer(nil, 1<<20)
	count := 0
	for in.Scan() {
		count++
		status := sendTo(t, server, "POST", "/api/Calendar/PatientAppointmentPost_v2",
			[][2]string{{"Content-Type", "application/x-www-form-urlencoded"}}, in.Bytes())
		require.Equal(t, 200, status, in.Text())
	}
	require.Equal(t, 500, count)
}

// TestTheCurlLinesRunInAShell has sh and curl send one case in ten. Go alone has
// to be enough for the tests, so a machine without curl skips this one.
func TestTheCurlLinesRunInAShell(t *testing.T) {
	for _, program := range []string{"sh", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not on this machine, so the lines are not run", program)
		}
	}
	server := startTarget(t)
	out, errs := generate(t, "--kind", "all", "-n", "10", "--format", "curl")
	require.Contains(t, errs, "left out ")
	lines := strings.SplitAfter(string(out), "\n")
	var script strings.Builder
	sent := 0
	for i, l := range lines {
		if !strings.HasPrefix(l, "printf ") {
			script.WriteString(l)
		} else if i%10 == 0 || strings.Contains(l, "/bytes/") || strings.Contains(l, "media/") || strings.Contains(l, "control/") {
			script.WriteString(l)
			sent++
		}
	}
	cmd := exec.CommandContext(t.Context(), "sh")
	cmd.Stdin = strings.NewReader(script.String())
	cmd.Env = append(os.Environ(), "TARGET="+server.URL, "no_proxy=127.0.0.1")
	printed, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", printed)
	answers := strings.Split(strings.TrimSpace(string(printed)), "\n")
	require.Len(t, answers, sent)
	for _, a := range answers {
		words := strings.Fields(a)
		require.Len(t, words, 3, a)
		status, err := strconv.Atoi(words[0])
		require.NoError(t, err, a)
		assert.True(t, fits(words[1], status), a)
	}
}

// closedPipe takes some bytes and then has no reader any more.
type closedPipe struct {
	room int
	got  bytes.Buffer
}

func (p *closedPipe) Write(b []byte) (int, error) {
	n := min(len(b), p.room)
	p.room -= n
	p.got.Write(b[:n])
	if n < len(b) {
		return n, syscall.EPIPE
	}
	return n, nil
}

func TestAClosedPipeEndsTheRunQuietly(t *testing.T) {
	whole, _ := generate(t, "-n", "20000")
	for _, room := range []int{0, 1, 100_000, 2_000_000} {
		pipe := &closedPipe{room: room}
		var errs strings.Builder
		code := run(t.Context(), []string{"generate", "-n", "20000"}, streams{strings.NewReader(""), pipe, &errs, func(string) string { return "" }})
		require.Equal(t, 0, code)
		require.Empty(t, errs.String())
		require.True(t, bytes.Equal(whole[:room], pipe.got.Bytes()), "nothing before it is lost")
	}
}

func TestAStoppedRunSaysHowFarItCame(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var errs strings.Builder
	name := filepath.Join(t.TempDir(), "out")
	code := run(ctx, []string{"generate", "-n", "100000000", "-o", name}, streams{strings.NewReader(""), io.Discard, &errs, func(string) string { return "" }})
	require.Equal(t, exitUsage, code)
	require.Contains(t, errs.String(), "of 100000000 rows")
}
