//go:build clients

package main

import (
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/fixtures"
	"github.com/seed47566266/understudy/testsuite"
	"github.com/seed47566266/understudy/testsuite/report"
)

// These tests hand what generate writes to the programs that it is written for.
// They fetch those programs at pinned versions; make test-newman, make test-k6 and
// make test-readers run them.
const (
	newman = "newman@6.2.2"
	k6     = "go.k6.io/k6@v1.8.1"
	// Readers of TAP, and of HAR by its published JSON schema.
	tapParser    = "tap-parser@18.3.4"
	harValidator = "har-validator@5.1.5"
)

func TestNewman(t *testing.T) {
	server := startTarget(t)
	folder := t.TempDir()
	file := filepath.Join(folder, "cases.json")
	_, _ = generate(t, "--kind", "all", "--format", "postman", "-o", file)
	cmd := exec.CommandContext(t.Context(), "npx", "--yes", newman, "run", file, "--env-var", "target="+server.URL,
		"--reporters", "cli", "--reporter-cli-no-success-assertions", "--color", "off")
	cmd.Dir = folder
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", tail(out))
	m := regexp.MustCompile(`assertions │\s+(\d{4}) │\s+0 │`).FindSubmatch(out)
	require.NotNil(t, m, "%s", tail(out))
	t.Logf("newman: %s assertions, 0 failed", m[1])
}

func TestK6(t *testing.T) {
	server := startTarget(t)
	file := filepath.Join(t.TempDir(), "cases.js")
	_, _ = generate(t, "--kind", "all", "--format", "k6", "-o", file)
	cmd := exec.CommandContext(t.Context(), "go", "run", k6, "run", "--no-color", file)
	cmd.Env = append(os.Environ(), "TARGET="+server.URL, "K6_NO_USAGE_REPORT=true")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", tail(out))
	m := regexp.MustCompile(`checks_succeeded\.*: 100\.00% (\d{4}) out of (\d{4})`).Find(out)
	require.NotNil(t, m, "%s", tail(out))
	t.Logf("k6: %s", m)
}

// readReports prints what the readers found: points of TAP and those that fail,
// entries of a valid HAR.
const readReports = `
const { readFileSync } = require('fs');
const { Parser } = require('tap-parser');
const all = Parser.parse(readFileSync('report.tap', 'utf8'), { flat: true });
const points = all.filter((e) => e[0] === 'assert').map((e) => e[1]);
const failed = points.filter((p) => !p.ok && !p.todo && !p.skip);
console.log('tap', points.length, failed.length);
const archive = JSON.parse(readFileSync('report.har'));
require('har-validator').har(archive).then(() => console.log('har', archive.log.entries.length));
`

func TestReaders(t *testing.T) {
	server := httptest.NewServer(targets["lenient"])
	defer server.Close()
	folder := t.TempDir()
	at := func(name string) string { return filepath.Join(folder, name) }
	var out, errs strings.Builder
	code := run(
		t.Context(),
		[]string{
			"verify",
			server.URL,
			"--report",
			"tap=" + at("report.tap") + ",har=" + at("report.har") + ",json=" + at("report.json"),
		},
		streams{strings.NewReader(""), &out, &errs, func(string) string { return "" }},
	)
	require.Equal(t, testsuite.ExitBroken, code, errs.String())
	f, err := os.Open(at("report.json"))
	require.NoError(t, err)
	defer func() { _ = f.Close() }()
	r, err := report.Read(f)
	require.NoError(t, err)
	install := exec.CommandContext(t.Context(),
		"npm", "install", "--no-save", "--prefix", folder, tapParser, harValidator)
	text, err := install.CombinedOutput()
	require.NoError(t, err, "%s", tail(text))
	read := exec.CommandContext(t.Context(), "node", "-e", readReports)
	read.Dir = folder
	text, err = read.CombinedOutput()
	require.NoError(t, err, "%s", tail(text))
	require.Equal(t,
		fmt.Sprintf("tap %d %d\nhar %d\n", len(r.Cases), len(r.Failed(fixtures.LevelMust)), len(r.Exchanges)),
		string(text))
	t.Logf("%s", text)
}

func tail(out []byte) []byte { return out[max(0, len(out)-4000):] }
