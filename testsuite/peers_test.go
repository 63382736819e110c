//go:build peers

package testsuite_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/seed47566266/understudy/fixtures"
	"github.com/seed47566266/understudy/testsuite"
	"github.com/seed47566266/understudy/testsuite/report"
)

// peer is a server of testsuite/peers, and what is known to be wrong with it.
type peer struct {
	Server   string
	Start    []string
	Screens  int
	Names    string
	Findings []struct{ ID, Why string }
}

// screen is how many lines a report may have.
const screen = 50

// TestPeers verifies servers that others wrote the ordinary way. What fails at MUST has a
// reason in peers/findings.yaml or is a false alarm, and what has one still fails.
func TestPeers(t *testing.T) {
	text, err := os.ReadFile("peers/findings.yaml")
	require.NoError(t, err)
	var peers []peer
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	require.NoError(t, decoder.Decode(&peers))
	require.GreaterOrEqual(t, len(peers), 7)
	t.Logf("%-20s %8s %5s %6s  %s", "server", "findings", "cases", "lines", "why each is real")
	for _, p := range peers {
		t.Run(p.Server, func(t *testing.T) {
			r := run(t, testsuite.Config{Target: testsuite.Target{URL: p.serve(t)}, Fuzz: 20_000})
			var page bytes.Buffer
			require.NoError(t, report.Write(&page, "text", r))
			lines := bytes.Count(page.Bytes(), []byte("\n"))
			why := map[string]string{}
			for _, f := range p.Findings {
				why[f.ID] = f.Why
			}
			problems, cases := r.Problems()
			t.Logf("%-20s %8d %5d %6d", p.Server, problems, cases, lines)
			for _, f := range r.Findings {
				if f.Level != fixtures.LevelMust {
					continue
				}
				t.Logf("%-20s %8s %5d %6s  %s: %s", "", "", len(f.Cases), "", f.Title, why[f.ID])
				require.NotEmpty(t, why[f.ID], "a false alarm: %s: %s, as %s\n%s", f.ID, f.Title, f.Example, page.String())
				delete(why, f.ID)
			}
			require.Empty(t, why, "what is wrong with the server was not found")
			require.LessOrEqual(t, lines, screen*max(p.Screens, 1), "the report fits on a screen")
			if p.Names != "" {
				require.Equal(t, testsuite.ExitBroken, r.Exit)
				require.Contains(t, r.Findings[0].Title+r.Findings[0].Hint, p.Names, "the request that ended it is named")
			}
		})
	}
}

// serve starts a peer and returns its address.
func (p *peer) serve(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	require.NoError(t, l.Close())
	command := exec.Command(p.Start[0], p.Start[1:]...)
	command.Dir = "peers"
	command.Env = append(os.Environ(), "PORT="+port)
	out, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		_ = command.Process.Kill() // it may have died
		_ = command.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err, "it did not start: run make test-peers, which installs and builds it")
	require.Contains(t, line, "listening on")
	return fmt.Sprintf("http://127.0.0.1:%s", port)
}
