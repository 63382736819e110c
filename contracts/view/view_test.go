package view_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/contracts/view"
)

// TestWhatIsVendoredIsWhatItSays holds preact.js to its record, which make vendor-console writes.
func TestWhatIsVendoredIsWhatItSays(t *testing.T) {
	text, err := os.ReadFile("vendor.json")
	require.NoError(t, err)
	var record struct {
		File, SHA256 string
		Packages     []struct{ Name, Version, License string }
	}
	require.NoError(t, json.Unmarshal(text, &record))
	module, err := view.Files.ReadFile(record.File)
	require.NoError(t, err)
	sum := sha256.Sum256(module)
	assert.Equal(t, record.SHA256, hex.EncodeToString(sum[:]))
	assert.NotRegexp(t, `\beval\b|new Function`, string(module), "its policy forbids it")
	licences, err := os.ReadFile("preact.LICENSE.txt")
	require.NoError(t, err)
	require.Len(t, record.Packages, 4)
	for _, p := range record.Packages {
		assert.Contains(t, string(licences), p.Name+" "+p.Version+"\n")
		assert.Contains(t, string(module), p.Name+" "+p.Version+" ("+p.License+")")
	}
}

func TestModulesImportOnlyEachOther(t *testing.T) {
	files, err := filepath.Glob("*.js")
	require.NoError(t, err)
	imports := 0
	for _, file := range files {
		text, err := view.Files.ReadFile(file)
		require.NoError(t, err)
		for _, found := range regexp.MustCompile(`from "([^"]*)"`).FindAllSubmatch(text, -1) {
			assert.Regexp(t, `^\./[a-z]+\.js$`, string(found[1]), file)
			_, err := view.Files.ReadFile(string(found[1][2:]))
			assert.NoError(t, err, file)
			imports++
		}
	}
	assert.Greater(t, imports, 8)
}
