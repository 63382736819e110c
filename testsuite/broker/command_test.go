//go:build pact || pactcommand

package broker_test

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/testsuite/broker"
)

// command runs the command pact, which the variable PACT names.
func command(t *testing.T, args ...string) {
	t.Helper()
	name := os.Getenv("PACT")
	require.NotEmpty(t, name, "make test-pact fetches the command and names it")
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Env = append(os.Environ(), "PACT_DO_NOT_TRACK=true")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// TestTheCommandPublishesTheSame has the Pact project's own client publish to the stub: what it
// sends is what this package sends.
func TestTheCommandPublishesTheSame(t *testing.T) {
	s := newStub(t)
	b := broker.Broker{URL: s.URL, Token: "secret"}
	about := []string{"-b", s.URL, "-k", "secret", "--branch", version.Branch, "--tag", "dev,prod",
		"--build-url", version.BuildURL}
	file, text := committedPact(t)
	command(t, append([]string{"broker", "publish", file, "--consumer-app-version", version.Number}, about...)...)
	_, err := b.PublishPacts(t.Context(), version, []broker.Pact{{Text: text}})
	require.NoError(t, err)

	folder := t.TempDir()
	api, report := filepath.Join(folder, "openapi.json"), filepath.Join(folder, "report.txt")
	require.NoError(t, os.WriteFile(api, []byte(`{"openapi":"3.1.0"}`), 0o600))
	require.NoError(t, os.WriteFile(report, []byte("all fine"), 0o600))
	command(t, append([]string{"pactflow", "publish-provider-contract", api, "--provider", "help-page", "-a",
		version.Number, "--content-type", "application/json", "--verification-success", "--verification-results", report,
		"--verification-results-content-type", "text/plain", "--verification-results-format", "text", "--verifier",
		"understudy", "--verifier-version", "1"}, about...)...)
	_, err = b.PublishResults(t.Context(), version, broker.Contract{Provider: "help-page",
		OpenAPI: []byte(`{"openapi":"3.1.0"}`), Report: []byte("all fine"), Success: true, Verifier: "understudy",
		VerifierVersion: "1"})
	require.NoError(t, err)

	require.Len(t, s.posted, 4)
	for _, p := range s.posted {
		decodeContent(t, p.body)
	}
	// What the command says besides: what becomes of a pact that is there, and of which version its
	// own library is.
	for _, p := range s.posted[:2] {
		contract := p.body["contracts"].([]any)[0].(map[string]any)
		delete(contract, "onConflict")
		delete(contract["content"].(map[string]any)["metadata"].(map[string]any), "pactRust")
	}
	require.Equal(t, s.posted[0], s.posted[1])
	require.Equal(t, s.posted[2], s.posted[3])
}

// decodeContent puts JSON that is in Base64 in its place: the command writes a pact anew.
func decodeContent(t *testing.T, v any) {
	t.Helper()
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			var decoded any
			if text, isText := member.(string); isText && name == "content" {
				raw, err := base64.StdEncoding.DecodeString(text)
				require.NoError(t, err)
				if json.Unmarshal(raw, &decoded) == nil {
					v[name] = decoded
				}
				continue
			}
			decodeContent(t, member)
		}
	case []any:
		for _, member := range v {
			decodeContent(t, member)
		}
	}
}
