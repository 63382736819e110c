package main

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/seed47566266/understudy/"

// mayImport is the policy: which of our packages a package may import, tests
// aside. Do not change it to make a build pass.
var mayImport = map[string][]string{
	"contracts":               {},
	"contracts/diff":          {"contracts"},
	"contracts/export":        {"contracts", "contracts/webapi"},
	"contracts/helppage":      {"contracts"},
	"contracts/oracle":        {"contracts"},
	"contracts/view":          {},
	"contracts/webapi":        {"contracts", "contracts/webapi/dotnet"},
	"contracts/webapi/dotnet": {},
	"fixtures":                {"contracts", "contracts/oracle"},
	"fixtures/export":         {"contracts", "contracts/oracle", "fixtures"},
	"mockserver":              {"contracts", "contracts/webapi", "mockserver/store"},
	"mockserver/console": {
		"contracts", "contracts/export", "contracts/oracle", "contracts/view", "contracts/webapi", "fixtures",
		"mockserver", "mockserver/store",
	},
	"mockserver/store":      {"contracts/webapi"},
	"testsuite":             {"contracts", "contracts/oracle", "fixtures"},
	"testsuite/broker":      {},
	"testsuite/pact":        {},
	"testsuite/pact/client": {},
	"testsuite/report":      {"contracts", "contracts/view", "fixtures", "fixtures/export", "testsuite"},
	"cmd/understudy": {
		"contracts", "contracts/diff", "contracts/export", "contracts/helppage", "contracts/oracle", "contracts/webapi",
		"fixtures",
		"fixtures/export", "mockserver", "mockserver/console", "mockserver/store", "testsuite", "testsuite/broker",
		"testsuite/report",
	},
}

// mayNotReach is the policy of what a package may not reach through any other either.
// The two readings of a request prove nothing of each other if one has code of the
// other's, and a suite proves nothing of the mock that shares its code.
var mayNotReach = map[string][]string{
	"contracts/oracle": {"contracts/webapi", "contracts/webapi/dotnet"},
	"contracts/webapi": {"contracts/oracle"},
	"mockserver":       {"contracts/oracle", "fixtures", "testsuite"},
	"testsuite":        {"contracts/webapi", "contracts/webapi/dotnet", "mockserver"},
	"testsuite/report": {"contracts/webapi", "contracts/webapi/dotnet", "mockserver"},
}

// goList prints a line per package of ours with what a template shows of it. (A test
// that walked the folders itself would run again after every git command: its
// inputs would be the folder .git too.)
func goList(t *testing.T, args ...string) []string {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list"}, args...)...)
	cmd.Dir = "../.."
	out, err := cmd.Output()
	require.NoError(t, err)
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

func TestPackagesReachNothingThatThePolicyForbids(t *testing.T) {
	for name, forbidden := range mayNotReach {
		deps := goList(t, "-deps", module+name)
		require.Contains(t, deps, module+"contracts", "%s reaches nothing at all", name)
		for _, f := range forbidden {
			require.NotContains(t, deps, module+f, "%s reaches %s", name, f)
		}
	}
}

// TestNoBinaryLinksThePactLibrary holds what is shipped free of cgo: pact-go is for tests.
func TestNoBinaryLinksThePactLibrary(t *testing.T) {
	for _, tags := range []string{"", "pact"} {
		deps := goList(t, "-deps", "-tags", tags, "./cmd/...")
		require.Greater(t, len(deps), 100)
		for _, path := range deps {
			require.NotContains(t, path, "pact-foundation")
		}
	}
}

func TestPackagesImportOnlyWhatThePolicyAllows(t *testing.T) {
	imports := 0
	packages := goList(t, "-f", `{{.ImportPath}}{{range .Imports}} {{.}}{{end}}`, "./...")
	require.Len(t, packages, len(mayImport), "the policy names every package")
	for _, line := range packages {
		words := strings.Fields(line)
		name := strings.TrimPrefix(words[0], module)
		allowed, known := mayImport[name]
		require.True(t, known, "%s is a package that the policy does not know", name)
		for _, path := range words[1:] {
			if ours, found := strings.CutPrefix(path, module); found {
				require.Contains(t, allowed, ours, "%s imports %s", name, ours)
				imports++
			}
		}
	}
	require.Greater(t, imports, 20, "too few imports to mean anything")
}
