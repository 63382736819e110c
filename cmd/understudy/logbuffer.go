package main

import (
	"io"
	"sync"
	"time"
)

// logBuffer gathers log lines and writes them together: at once when it has
// grown, else a little later. A system call for every line would be the most
// expensive part of a small request.
type logBuffer struct {
	to io.Writer

	mu      sync.Mutex
	pending []byte
	waiting bool // a flush is due
}

const (
	// logDelay is too short for a person to notice.
	logDelay = 50 * time.Millisecond
	logSize  = 16 << 10
)

func (l *logBuffer) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pending = append(l.pending, line...)
	if len(l.pending) >= logSize {
		return len(line), l.flushLocked()
	}
	if !l.waiting {
		l.waiting = true
		time.AfterFunc(logDelay, func() { _ = l.flush() })
	}
	return len(line), nil
}

// flush writes what is pending.
func (l *logBuffer) flush() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = false
	return l.flushLocked()
}

func (l *logBuffer) flushLocked() error {
	if len(l.pending) == 0 {
		return nil
	}
	_, err := l.to.Write(l.pending)
	l.pending = l.pending[:0]
	return err
}
