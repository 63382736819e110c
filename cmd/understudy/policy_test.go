package main

import (
	"bytes"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/seed47566266/understudy/"

// mayImport is the policy: which of our packages a package may import, tests
// aside. Do not change it to make a build pass.
var mayImport = map[string][]string{
	"contracts":               {},
	"contracts/helppage":      {"contracts"},
	"contracts/oracle":        {"contracts"},
	"contracts/webapi":        {"contracts", "contracts/webapi/dotnet"},
	"contracts/webapi/dotnet": {},
	"fixtures":                {"contracts", "contracts/oracle"},
	"fixtures/export":         {"contracts", "contracts/oracle", "fixtures"},
	"mockserver":              {"contracts", "contracts/webapi"},
	"testsuite":               {"contracts", "contracts/oracle", "fixtures"},
	"testsuite/report":        {"contracts", "fixtures", "fixtures/export", "testsuite"},
	"cmd/understudy": {"contracts", "contracts/helppage", "contracts/oracle", "contracts/webapi", "fixtures", "fixtures/export",
		"mockserver", "testsuite", "testsuite/report"},
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

func TestPackagesReachNothingThatThePolicyForbids(t *testing.T) {
	for name, forbidden := range mayNotReach {
		out, err := exec.Command("go", "list", "-deps", module+name).Output() //nolint:gosec // names of this file
		require.NoError(t, err)
		deps := strings.Fields(string(out))
		require.Contains(t, deps, module+"contracts", "%s reaches nothing at all", name)
		for _, f := range forbidden {
			require.NotContains(t, deps, module+f, "%s reaches %s", name, f)
		}
	}
}

func TestPackagesImportOnlyWhatThePolicyAllows(t *testing.T) {
	root := "../.."
	checked := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") && d.Name() != ".." {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		rel, err := filepath.Rel(root, filepath.Dir(path))
		require.NoError(t, err)
		allowed, known := mayImport[filepath.ToSlash(rel)]
		require.True(t, known, "%s is a package that the policy does not know", rel)
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		require.NoError(t, err)
		for _, spec := range file.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			require.NoError(t, err)
			if ours, found := strings.CutPrefix(name, module); found {
				require.Contains(t, allowed, ours, "%s imports %s", path, ours)
			}
			checked++
		}
		return nil
	})
	require.NoError(t, err)
	require.Greater(t, checked, 50, "the walk found too few imports to mean anything")
}

// TestNothingReadsOutsideTheRepository keeps paths of the development machine
// and unfinished words out of what is delivered.
func TestNothingReadsOutsideTheRepository(t *testing.T) {
	words := []string{".." + "/shared", "TO" + "DO", "FIX" + "ME"}
	checked := 0
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == ".git" || path == "../../bin") {
			return filepath.SkipDir
		}
		if d.IsDir() || strings.HasSuffix(path, ".gz") || strings.HasSuffix(path, ".sum") {
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if strings.HasSuffix(path, "tap.golden") {
			b = bytes.ReplaceAll(b, []byte(" # "+words[1]+" "), nil) // a word of the format
		}
		for _, word := range words {
			require.False(t, bytes.Contains(b, []byte(word)), "%s holds %q", path, word)
		}
		checked++
		return nil
	})
	require.NoError(t, err)
	require.Greater(t, checked, 40)
}
