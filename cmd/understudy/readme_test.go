package main

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/helppage"
	"github.com/seed47566266/understudy/mockserver"
	"github.com/stretchr/testify/require"
)

// blocks are the texts of a page's fenced blocks in a language.
func blocks(t *testing.T, file, language string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var all []string
	for _, m := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllSubmatch(text, -1) {
		all = append(all, string(m[1]))
	}
	require.NotEmpty(t, all)
	return all
}

// session is a folder in which the README's commands run, and the mock that they talk to.
type session struct{ folder, url string }

// TestTheReadmePrintsWhatItSays runs each command of the console blocks and compares
// what it prints, in one folder and in order, since a command may read a file of an
// earlier one. What is different here is the mock's port, and that the command is this
// test itself.
func TestTheReadmePrintsWhatItSays(t *testing.T) { printsWhatItSays(t, "../../README.md") }

// TestTheGuideOfTheMockPrintsWhatItSays does that with the mock's own page.
func TestTheGuideOfTheMockPrintsWhatItSays(t *testing.T) {
	printsWhatItSays(t, "../../mockserver/README.md")
}

// TestTheGuideOfPayloadsPrintsWhatItSays does that with the generator's.
func TestTheGuideOfPayloadsPrintsWhatItSays(t *testing.T) {
	printsWhatItSays(t, "../../fixtures/README.md")
}

// TestTheGuideOfContractsPrintsWhatItSays does that with the contract's.
func TestTheGuideOfContractsPrintsWhatItSays(t *testing.T) {
	printsWhatItSays(t, "../../contracts/README.md")
}

func printsWhatItSays(t *testing.T, file string) {
	t.Helper()
	for _, program := range []string{"sh", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not on this machine, so the README's commands are not run", program)
		}
	}
	self, err := os.Executable()
	require.NoError(t, err)
	s := session{folder: t.TempDir(), url: startTarget(t).URL}
	require.NoError(t, os.Mkdir(filepath.Join(s.folder, "bin"), 0o750))
	require.NoError(t, os.Symlink(self, filepath.Join(s.folder, "bin", "understudy")))
	sources, err := filepath.Abs("../../contracts")
	require.NoError(t, err)
	require.NoError(t, os.Symlink(sources, filepath.Join(s.folder, "contracts")))
	variables := ""
	commands := 0
	for _, block := range blocks(t, file, "console") {
		for _, part := range strings.Split(block, "$ ")[1:] {
			command, printed, _ := strings.Cut(part, "\n")
			switch {
			case strings.HasPrefix(command, "go build"):
				continue // bin/understudy is there
			case regexp.MustCompile(`^(alias )?[a-zA-Z]+=("[^"]*"|\S+)$`).MatchString(command):
				variables += command + "\n" // an alias counts from the next line on
				continue
			}
			commands++
			t.Run(command, func(t *testing.T) {
				require.Equal(t, strings.TrimSpace(printed),
					s.run(t, variables+command))
			})
		}
	}
	require.Greater(t, commands, 3)
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

func (s *session) run(t *testing.T, command string) string {
	t.Helper()
	const documented = "http://127.0.0.1:4747"
	cmd := exec.CommandContext(t.Context(), "sh", "-c", strings.ReplaceAll(command, documented, s.url))
	cmd.Dir = s.folder
	cmd.Env = append(os.Environ(), "TARGET="+s.url, "no_proxy=127.0.0.1")
	if strings.Contains(command, "go test") || strings.Contains(command, "make ") {
		if testing.Short() {
			t.Skip("it runs other tests; make race runs it")
		}
		cmd.Dir = "../.."
	}
	out, err := cmd.Output()
	require.NoError(t, err, "%s", out)
	// As a terminal shows it.
	shown := strings.NewReplacer("\r\n", "\n", s.url, documented).Replace(string(out))
	return strings.TrimSpace(shown)
}

// TestTheReadmesGoIsATest finds the README's Go in the tests, letter by letter.
func TestTheReadmesGoIsATest(t *testing.T) {
	tests, err := os.ReadFile("../../testsuite/example_test.go")
	require.NoError(t, err)
	for _, block := range blocks(t, "../../README.md", "go") {
		require.Contains(t, string(tests), block)
	}
}
