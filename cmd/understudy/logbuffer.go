package main

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// logBuffer gathers log lines and writes them together, a little later: a system
// call for every line would be the most expensive part of a small request. Those
// who log never wait. Where the reader is too slow, lines are lost once the buffer
// is full, and the next ones that can be written say how many.
type logBuffer struct {
	to     io.Writer
	inJSON bool

	mu      sync.Mutex
	pending []byte
	lost    int
	writing bool // or about to
	timer   *time.Timer
	idle    *sync.Cond // nothing is being written
}

const (
	// logDelay is too short for a person to notice.
	logDelay = 50 * time.Millisecond
	// logBatch is written without waiting for more.
	logBatch = 64 << 10
	// logSize is what is kept of lines that cannot be written yet.
	logSize = 4 << 20
	// logGrace is how long the last lines are waited for.
	logGrace = time.Second
)

// newLogBuffer makes one for lines in a format of the request log.
func newLogBuffer(to io.Writer, format string) *logBuffer {
	l := &logBuffer{to: to, inJSON: format == "json"}
	l.idle = sync.NewCond(&l.mu)
	return l
}

func (l *logBuffer) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.pending)+len(line) > logSize {
		l.lost++
	} else {
		l.pending = append(l.pending, line...)
	}
	switch {
	case !l.writing:
		l.writing = true
		l.timer = time.AfterFunc(logDelay, l.write)
	case len(l.pending) >= logBatch && l.timer.Stop():
		go l.write()
	}
	return len(line), nil
}

// write writes what is pending, and what is added meanwhile.
func (l *logBuffer) write() {
	l.mu.Lock()
	defer l.mu.Unlock()
	var spare []byte
	for len(l.pending) > 0 || l.lost > 0 {
		batch := l.pending
		if l.lost > 0 {
			form := "level=WARN msg=\"lines of the log were lost: its reader was too slow\" lines=%d\n"
			if l.inJSON {
				form = `{"level":"WARN","msg":"lines of the log were lost: its reader was too slow","lines":%d}` + "\n"
			}
			batch = fmt.Appendf(batch, form, l.lost)
			l.lost = 0
		}
		l.pending = spare[:0]
		l.mu.Unlock()
		_, _ = l.to.Write(batch) // there is nowhere left to say that it failed
		spare = batch
		l.mu.Lock()
	}
	l.writing = false
	l.idle.Broadcast()
}

// flush waits until everything is written, or for logGrace.
func (l *logBuffer) flush() {
	done := make(chan struct{})
	go func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		for l.writing {
			l.idle.Wait()
		}
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(logGrace):
	}
}
