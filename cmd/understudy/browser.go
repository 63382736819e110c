package main

import (
	"errors"
	"os/exec"
	"runtime"
)

// openBrowser has the person's browser open a page. It does not wait for it.
func openBrowser(s streams, url string) error {
	commands := map[string][]string{
		"darwin": {"open"}, "windows": {"rundll32", "url.dll,FileProtocolHandler"},
	}[runtime.GOOS]
	if commands == nil {
		commands = []string{"xdg-open"}
	}
	if browser := s.getenv("BROWSER"); browser != "" {
		commands = []string{browser}
	}
	cmd := exec.Command(commands[0], append(commands[1:], url)...) //nolint:gosec,noctx // as the person has it
	if err := cmd.Start(); err != nil {
		return errors.New("no browser was found: open " + url + " yourself, or name one in BROWSER")
	}
	go func() { _ = cmd.Wait() }() // how it ends is the person's affair
	return nil
}
