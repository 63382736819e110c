//go:build !race

package main

import "testing"

// TestVerifyScripts runs testdata/verify/*.txtar. Each command makes thousands of
// cases and sends them, which the race detector slows down ten times; it looks at
// the same runs in the tests of testsuite.
func TestVerifyScripts(t *testing.T) { runScripts(t, "testdata/verify") }
