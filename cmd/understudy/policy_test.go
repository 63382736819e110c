package main

import (
	"bytes"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/seed47566266/understudy/"

// mayImport is the policy: which of our packages a package may import, tests
// aside. A mock and a suite that took their answers from the same code would
// prove nothing of each other, so testsuite reaches neither webapi nor
// mockserver. Do not change it to make a build pass.
var mayImport = map[string][]string{
	"contracts":          {},
	"contracts/helppage": {"contracts"},
	"contracts/webapi":   {"contracts"},
	"fixtures":           {"contracts"},
	"mockserver":         {"contracts", "contracts/webapi"},
	"testsuite":          {"contracts", "fixtures"},
	"testsuite/report":   {"testsuite"},
	"testsuite/pact":     {"contracts", "fixtures"},
	"cmd/understudy": {"contracts", "contracts/helppage", "contracts/webapi", "fixtures", "mockserver",
		"testsuite", "testsuite/report"},
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
