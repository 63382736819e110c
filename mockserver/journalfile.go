package mockserver

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/seed47566266/understudy/mockserver/store"
)

const (
	// journalFileBytes is how long a file gets before the next begins, and journalFiles how many
	// older ones are kept, as NAME.1 (the newest) to NAME.3.
	journalFileBytes = 64 << 20
	journalFiles     = 3
	// journalFileQueue bounds the entries that are not written yet, and journalFileWaiting their
	// bytes, of which journalFileEntry are an entry's besides its bodies.
	journalFileQueue   = 10_000
	journalFileWaiting = 16 << 20
	journalFileEntry   = 2 << 10
)

// ownerAlone are the permissions of a file that others may not read.
const ownerAlone fs.FileMode = 0o600

// JournalFile is a file that gets the entries of a journal as NDJSON, one object in the
// admin API's shape per line. Requests do not wait for it. When it cannot be written, as on a
// full disk, the log says so, and again how many entries were lost once it can.
type JournalFile struct {
	name string
	max  int64
	log  *slog.Logger

	entries chan *store.Entry
	waiting atomic.Int64 // bytes of entries
	written chan struct{}

	sending sync.RWMutex // of closed; entries are added under its read lock
	closed  bool
	lost    atomic.Int64

	mu   sync.Mutex
	file *os.File
	size int64
	err  error // of the last attempt
}

// OpenJournalFile opens a file as [OpenForOwner] does.
// maxBytes is how long it gets before it is renamed and the next begins; 0 is 64 MiB.
func OpenJournalFile(name string, maxBytes int64, log *slog.Logger) (*JournalFile, error) {
	if maxBytes <= 0 {
		maxBytes = journalFileBytes
	}
	f := &JournalFile{
		name: name, max: maxBytes, log: log, entries: make(chan *store.Entry, journalFileQueue),
		written: make(chan struct{}),
	}
	if err := f.open(); err != nil {
		return nil, err
	}
	go f.write()
	return f, nil
}

func (f *JournalFile) open() error {
	file, info, err := openForOwner(f.name)
	if err != nil {
		return err
	}
	f.file, f.size = file, info.Size()
	return nil
}

// OpenForOwner opens a file to append what clients sent to, or makes it, for its owner alone to
// read. A symbolic link is not followed, since someone else may have put it there.
func OpenForOwner(name string) (*os.File, error) {
	file, _, err := openForOwner(name)
	return file, err
}

func openForOwner(name string) (*os.File, fs.FileInfo, error) {
	flag := os.O_APPEND | os.O_WRONLY
	before, err := os.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		flag |= os.O_CREATE | os.O_EXCL // with which no link is followed
	case err != nil:
		return nil, nil, err
	case before.Mode()&fs.ModeSymlink != 0 && !isOwnDevice(name):
		return nil, nil, fmt.Errorf("%s is a symbolic link, which is not followed: name the file that it leads to",
			name)
	}
	file, err := os.OpenFile(name, flag, ownerAlone)
	if err != nil {
		return nil, nil, err
	}
	info, err := file.Stat()
	switch {
	case err != nil:
	case before != nil && !isOwnDevice(name) && !os.SameFile(before, info):
		err = fmt.Errorf("%s has become another file", name)
	case info.Mode().IsRegular() && info.Mode().Perm() != ownerAlone:
		err = file.Chmod(ownerAlone) // it was there, and has what clients send from now on
	}
	if err != nil {
		_ = file.Close() // nothing was written
		return nil, nil, err
	}
	return file, info, nil
}

// isOwnDevice reports a link that the system has for what the process has open.
func isOwnDevice(name string) bool {
	name = filepath.Clean(name)
	return name == "/dev/stdout" || name == "/dev/stderr" || strings.HasPrefix(name, "/dev/fd/")
}

// append adds an entry; one for which there is no room is lost.
func (f *JournalFile) append(e *store.Entry) {
	f.sending.RLock()
	defer f.sending.RUnlock()
	if f.closed {
		return
	}
	if f.waiting.Add(cost(e)) > journalFileWaiting {
		f.waiting.Add(-cost(e))
		f.lost.Add(1)
		return
	}
	select {
	case f.entries <- e:
	default:
		f.waiting.Add(-cost(e))
		f.lost.Add(1)
	}
}

// cost is about what an entry takes, in bytes.
func cost(e *store.Entry) int64 { return int64(journalFileEntry + len(e.Body) + len(e.ResponseBody)) }

// write writes entries until the file is closed.
func (f *JournalFile) write() {
	defer close(f.written)
	for e := range f.entries {
		f.waiting.Add(-cost(e))
		text, err := json.Marshal(newEntryJSON(e))
		if err != nil {
			continue // it cannot fail
		}
		f.writeLine(append(text, '\n'))
	}
}

func (f *JournalFile) writeLine(line []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	err := f.rotate(int64(len(line)))
	if err == nil && f.file == nil {
		err = f.open()
	}
	if err == nil {
		var n int
		n, err = f.file.Write(line)
		f.size += int64(n)
		if err != nil && n > 0 && f.file.Truncate(f.size-int64(n)) == nil {
			f.size -= int64(n) // half a line would spoil the next one
		}
	}
	switch {
	case err != nil:
		f.lost.Add(1)
		if f.err == nil {
			f.log.Error("journal file", "problem", "it cannot be written: entries are lost until it can", "error",
				err.Error())
		}
	case f.lost.Load() > 0:
		f.log.Warn("journal file", "problem", "entries are missing in it", "lost", f.lost.Swap(0))
	}
	f.err = err
}

// rotate begins the next file when a line would make this one too long. The lock is held.
func (f *JournalFile) rotate(line int64) error {
	if f.file == nil || f.size == 0 || f.size+line <= f.max {
		return nil
	}
	_ = f.file.Close() // what was written is written
	f.file = nil
	for i := journalFiles; i > 0; i-- {
		from := f.name
		if i > 1 {
			from = fmt.Sprintf("%s.%d", f.name, i-1)
		}
		if err := os.Rename(from, fmt.Sprintf("%s.%d", f.name, i)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return f.open()
}

// state says in a word or two what the file does, for ready.
func (f *JournalFile) state() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return fmt.Sprintf("cannot be written: %d entries are lost", f.lost.Load())
	}
	return "written"
}

// Close ends it once everything is written. The error is of what could not be.
func (f *JournalFile) Close() error {
	f.sending.Lock()
	wasClosed := f.closed
	f.closed = true
	f.sending.Unlock()
	if wasClosed {
		return nil
	}
	close(f.entries)
	<-f.written
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file != nil {
		_ = f.file.Close() // what was written is written
	}
	switch {
	case f.err != nil:
		return fmt.Errorf("%d entries of the journal could not be written to %s: %w", f.lost.Load(), f.name, f.err)
	case f.lost.Load() > 0:
		return fmt.Errorf("%d entries of the journal are missing in %s: they came faster than it could be written",
			f.lost.Load(), f.name)
	}
	return nil
}
