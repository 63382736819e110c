//go:build browser

package mockserver_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/mockserver"
	"github.com/seed47566266/understudy/mockserver/console"
)

// TestBrowser has Chromium, driven by Playwright, and node's fetch run the examples against a
// mock, from pages of two other origins.
func TestBrowser(t *testing.T) {
	mock := mockserver.Start(t, pageContract(t), mockserver.WithConsole(console.New))
	files := http.FileServer(http.Dir("examples"))
	page, secure := httptest.NewServer(files), httptest.NewTLSServer(files)
	t.Cleanup(page.Close)
	t.Cleanup(secure.Close)
	cmd := exec.CommandContext(t.Context(), "node", "--test", "fetch.test.mjs", "playwright.test.mjs")
	cmd.Dir = "examples"
	cmd.Env = append(os.Environ(), "MOCK="+mock.URL, "PAGE="+page.URL+"/booking.html",
		"SECURE_PAGE="+secure.URL+"/booking.html")
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	require.NoError(t, err)
}
