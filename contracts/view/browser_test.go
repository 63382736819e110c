//go:build browser

package view_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestWhatIsVendoredIsMadeOfItsPackages makes preact.js again. It needs npm.
func TestWhatIsVendoredIsMadeOfItsPackages(t *testing.T) {
	folder := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "node", "build.mjs", folder)
	cmd.Dir = "vendor"
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	for _, name := range []string{"preact.js", "preact.LICENSE.txt", "vendor.json"} {
		made, err := os.ReadFile(filepath.Join(folder, name))
		require.NoError(t, err)
		kept, err := os.ReadFile(name)
		require.NoError(t, err)
		assert.Equal(t, string(kept), string(made), "%s: run make vendor-console", name)
	}
}

// TestModules has node run the tests of the modules.
func TestModules(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "node", "--test", "testdata/modules.test.mjs").CombinedOutput()
	t.Logf("%s", out)
	require.NoError(t, err)
}
