//go:build clients

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// These tests hand what generate writes to the programs that it is written for.
// They fetch those programs at pinned versions; make test-newman and make test-k6
// run them.
const (
	newman = "newman@6.2.2"
	k6     = "go.k6.io/k6@v1.8.1"
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

func tail(out []byte) []byte { return out[max(0, len(out)-4000):] }
