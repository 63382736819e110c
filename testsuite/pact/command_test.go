//go:build pact || pactcommand

package pact_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/mockserver"
)

// verify runs the command pact, which the variable PACT names, on a file against a server. It
// reports whether every interaction was as expected.
func verify(t *testing.T, server, provider, file string, more ...string) (passed bool, out string) {
	t.Helper()
	command := os.Getenv("PACT")
	require.NotEmpty(t, command, "make test-pact fetches the command and names it")
	at, err := url.Parse(server)
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), command, append([]string{"verifier", "-f", file, "-n", provider,
		"-h", at.Hostname(), "-p", at.Port(), "--no-colour"}, more...)...)
	cmd.Env = append(os.Environ(), "PACT_DO_NOT_TRACK=true")
	text, err := cmd.CombinedOutput()
	if err == nil {
		return true, string(text)
	}
	require.Equal(t, 1, cmd.ProcessState.ExitCode(), "%s", text)
	return false, string(text)
}

func TestTheCommandVerifiesTheClientsPact(t *testing.T) {
	mock := mockserver.Start(t, contract(t))
	states := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var change struct {
			State, Action string
			Params        map[string]any
		}
		err := json.NewDecoder(r.Body).Decode(&change)
		switch status, _ := strconv.Atoi(fmt.Sprint(change.Params["status"])); {
		case err != nil:
		case change.Action == "teardown":
			err = mock.Reset("")
		case status != 0:
			err = mock.Use(mockserver.Scenario{Name: "responds", Then: mockserver.Then{Response: mockserver.Response{
				Status:  status,
				Headers: map[string]string{"Content-Type": "application/json; charset=utf-8"},
				JSON:    map[string]any{"Message": change.Params["message"]},
			}}})
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	}))
	defer states.Close()
	passed, out := verify(t, mock.URL, "patient-appointments", committedPact(), "--state-change-url", states.URL,
		"--state-change-teardown")
	require.True(t, passed, "%s", out)
	passed, _ = verify(t, mock.URL, "patient-appointments", committedPact())
	require.False(t, passed, "without the states, three interactions fail")
}

func TestTheCommandVerifiesTheExportedPact(t *testing.T) {
	mock := mockserver.Start(t, contract(t))
	file, n := exportedPact(t, chosen())
	passed, out := verify(t, mock.URL, exportedProvider, file)
	require.True(t, passed, "%s", out)
	require.Equal(t, n, strings.Count(out, "returns a response which"), "%s", out)
	t.Logf("pact: %d interactions of the exported pact are as the page says", n)
}

// mutant is the mock with one thing wrong: it changes requests before the mock sees them, or
// responses before the client does.
type mutant struct {
	name   string
	change func(body map[string]any) // of a JSON object
	status func(r *http.Request, was int) int
}

func drop(body map[string]any, is func(name string, value any) bool) {
	for name, value := range body {
		if is(name, value) {
			delete(body, name)
		}
	}
}

// sound is the name of the one that has nothing wrong.
const sound = "the mock as it is"

var mutants = []mutant{
	{name: sound},
	{name: "Reason is not required", change: func(b map[string]any) {
		if b["Reason"] == nil || b["Reason"] == "" {
			b["Reason"] = "x"
		}
	}},
	{name: "UserId may be null", change: func(b map[string]any) {
		if b["UserId"] == nil {
			b["UserId"] = "5eedda7a-0000-4000-8000-000000000001"
		}
	}},
	{name: "a long Reason is cut", change: func(b map[string]any) {
		if text, _ := b["Reason"].(string); len(text) > 250 {
			b["Reason"] = text[:250]
		}
	}},
	{name: "Note has 500 characters", change: func(b map[string]any) {
		if text, _ := b["Note"].(string); len(text) > 500 {
			b["Note"] = strings.Repeat("a", 1001)
		}
	}},
	{name: "an odd ProviderId is dropped", change: func(b map[string]any) {
		if text, isText := b["ProviderId"].(string); !isText || len(text) != 36 {
			delete(b, "ProviderId")
		}
	}},
	{name: "numbers are not read", change: func(b map[string]any) {
		drop(b, func(name string, _ any) bool { return name == "PaidAmount" || name == "MethodId" })
	}},
	{name: "elements are not looked at", change: func(b map[string]any) { delete(b, "Reasons") }},
	{name: "an invalid date is dropped", change: func(b map[string]any) { delete(b, "SecondaryAppointmentOn") }},
	{name: "forms are not read", status: func(r *http.Request, was int) int {
		if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
			return http.StatusUnsupportedMediaType
		}
		return was
	}},
	{name: "text/json is not read", status: func(r *http.Request, was int) int {
		if strings.HasPrefix(r.Header.Get("Content-Type"), "text/json") {
			return http.StatusUnsupportedMediaType
		}
		return was
	}},
	{name: "everything is accepted", status: func(*http.Request, int) int { return http.StatusOK }},
	{name: "a rejection is a server error", status: func(_ *http.Request, was int) int {
		if was >= 400 {
			return http.StatusInternalServerError
		}
		return was
	}},
}

// in wraps the mock.
func (m *mutant) in(mock http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if m.change != nil {
			d := json.NewDecoder(bytes.NewReader(body))
			d.UseNumber()
			var all map[string]any
			if d.Decode(&all) == nil && all != nil {
				m.change(all)
				body, _ = json.Marshal(all) // what was decoded
			}
		}
		inner := r.Clone(r.Context())
		inner.Body, inner.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		recorded := httptest.NewRecorder()
		mock.ServeHTTP(recorded, inner)
		status := recorded.Code
		if m.status != nil {
			status = m.status(r, status)
		}
		w.Header().Set("Content-Type", recorded.Header().Get("Content-Type"))
		w.WriteHeader(status)
		_, _ = w.Write(recorded.Body.Bytes())
	})
}

// TestTheExportedPactCatchesBrokenServers has each mutant fail an interaction.
func TestTheExportedPactCatchesBrokenServers(t *testing.T) {
	if testing.Short() {
		t.Skip("thirteen verifications of some hundred cases: make test-pact runs it")
	}
	file, n := exportedPact(t, few)
	for i := range mutants {
		m := &mutants[i]
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			mock, err := mockserver.New(contract(t))
			require.NoError(t, err)
			server := httptest.NewServer(m.in(mock))
			defer server.Close()
			passed, out := verify(t, server.URL, exportedProvider, file)
			if m.name == sound {
				require.True(t, passed, "%s", out)
				return
			}
			require.False(t, passed)
			failed := strings.Count(out, "(FAILED)")
			require.Positive(t, failed, "%s", out)
			t.Logf("fail: %d of %d interactions", failed, n)
		})
	}
}
