package main

import (
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
)

// progress shows how far a long run is, on a terminal, and nothing elsewhere.
type progress struct {
	terminal io.Writer // nil if there is none
	total    uint64
	unit     string
	began    time.Time
	bar      *progressbar.ProgressBar // nil until the run proves to be long
}

const (
	// longRun is how long a run takes before it has a bar, and progressEvery the time between
	// two of its states.
	longRun       = 500 * time.Millisecond
	progressEvery = 100 * time.Millisecond
	// barWidth leaves room for the numbers on 80 columns.
	barWidth = 20
)

func newProgress(w io.Writer, total uint64, unit string) *progress {
	p := &progress{total: total, unit: unit, began: time.Now()}
	if isTerminal(w) {
		p.terminal = w
	}
	return p
}

// show shows how much is done.
func (p *progress) show(done uint64) {
	if p.terminal == nil || p.bar == nil && time.Since(p.began) < longRun {
		return
	}
	if p.bar == nil {
		p.bar = progressbar.NewOptions64(int64(p.total), progressbar.OptionSetWriter(p.terminal),
			progressbar.OptionSetWidth(barWidth), progressbar.OptionThrottle(progressEvery),
			progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString(p.unit),
			progressbar.OptionSetPredictTime(true), progressbar.OptionClearOnFinish(),
			progressbar.OptionUseANSICodes(true))
	}
	p.bar.ChangeMax64(int64(p.total))
	_ = p.bar.Set64(int64(done)) // a terminal that has gone takes nothing
}

// end removes the bar.
func (p *progress) end() {
	if p.bar != nil {
		_ = p.bar.Clear()
		p.bar = nil
	}
}

// sum removes the bar and says in a line what was done, and in what time.
func (p *progress) sum(what string) {
	p.end()
	if p.terminal != nil {
		_, _ = fmt.Fprintf(p.terminal, "%s in %s\n", what, time.Since(p.began).Round(10*time.Millisecond))
	}
}

// size is a number of bytes for people.
func size(bytes int64) string {
	const step = 1000
	if bytes < step {
		return fmt.Sprintf("%d bytes", bytes)
	}
	value, units := float64(bytes)/step, "kMGT"
	for value >= step && len(units) > 1 {
		value, units = value/step, units[1:]
	}
	return fmt.Sprintf("%.1f %cB", value, units[0])
}
