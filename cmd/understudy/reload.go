package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/seed47566266/understudy/mockserver"
)

const (
	// gone is how long the default file must be away until the mock goes on without it: whoever
	// replaces a file may remove the old one first.
	gone = 500 * time.Millisecond
	// settled is how long a file must not change before it is read: whoever writes it may not
	// be done.
	settled = 50 * time.Millisecond
	// polled is how often it is looked at besides: some file systems tell nobody of changes.
	polled = 2 * time.Second
)

// watchConfig has the mock go by the configuration whenever its file, or one that it names,
// changes, until the context ends. Of a wrong one the log says what is wrong, and the last right
// one stays. First is nil where there is no file yet: one with the default name may come.
func watchConfig(ctx context.Context, first *configFile, cmd *cobra.Command, mock *mockserver.Server,
	logger *slog.Logger,
) {
	w := &configWatch{name: defaultConfig, isMissing: first == nil, cmd: cmd, mock: mock, logger: logger}
	if first != nil {
		w.name, w.serve = first.name, settingsOf(first, cmd.Name())
		config, err := first.mock(cmd.Root())
		w.files = config.Files()
		w.seen = w.sum(first.text)
		if err != nil {
			return // the mock did not take it either
		}
	}
	var events chan fsnotify.Event
	var failures chan error
	// The folder, since editors put a new file in the place of the old one.
	if watcher, err := fsnotify.NewWatcher(); err == nil {
		defer func() { _ = watcher.Close() }()
		if watcher.Add(filepath.Dir(w.name)) == nil {
			events, failures = watcher.Events, watcher.Errors
		}
	}
	poll := time.NewTicker(polled)
	defer poll.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case err := <-failures: // what it missed is polled
			logger.Warn("configuration", "problem", "a change may be taken up late", "error", err.Error())
		case e := <-events:
			if w.concerns(e) {
				w.look(ctx, events)
			}
		case <-poll.C:
			w.look(ctx, events)
		}
	}
}

type configWatch struct {
	name   string
	cmd    *cobra.Command
	mock   *mockserver.Server
	logger *slog.Logger
	serve  any      // the settings of the command, with which the mock was started
	said   any      // those of the last change
	files  []string // that the configuration names
	seen   [sha256.Size]byte
	// isMissing is that the file was not there when it was looked at last.
	isMissing bool
}

// sum is of everything that the configuration consists of.
func (w *configWatch) sum(text []byte) [sha256.Size]byte {
	h := sha256.New()
	_, _ = h.Write(text) // a hash does not fail
	for _, name := range w.files {
		info, err := os.Stat(filepath.Join(filepath.Dir(w.name), name))
		if err == nil {
			_, _ = fmt.Fprint(h, "\x00", name, info.Size(), info.ModTime().UnixNano())
		}
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// look reads the file once it does not change any longer.
func (w *configWatch) look(ctx context.Context, events <-chan fsnotify.Event) {
	var text []byte
	for last := []byte(nil); ; last = text {
		if !w.settle(ctx, events) {
			return
		}
		var err error
		if text, err = readConfigText(w.name); err != nil {
			if !w.isMissing {
				w.missing(ctx, err)
			}
			return
		}
		w.isMissing = false
		if w.sum(text) == w.seen {
			return
		}
		if last != nil && bytes.Equal(last, text) {
			break
		}
	}
	w.seen = w.sum(text)
	if err := w.reload(); err != nil {
		w.failed(err)
	}
}

// failed says that the last right configuration stays.
func (w *configWatch) failed(err error) {
	w.mock.ConfigureFailed(err)
	w.logger.Error("configuration", "problem", err.Error(), "state", "the last right one stays")
}

// missing looks whether the file stays away. Without the default one the mock responds by the page
// alone, as if it had been started so; one that was named was not removed on purpose.
func (w *configWatch) missing(ctx context.Context, problem error) {
	select {
	case <-ctx.Done():
		return
	case <-time.After(gone):
	}
	isGone := errors.Is(problem, fs.ErrNotExist)
	if _, err := os.Stat(w.name); isGone && err == nil {
		return // the poll takes it up
	}
	w.isMissing, w.seen, w.files = true, [sha256.Size]byte{}, nil
	if !isGone || w.name != defaultConfig {
		w.logger.Warn("configuration", "problem", problem.Error(), "state", "the last right one stays")
		return
	}
	if err := w.mock.Configure(mockserver.Config{}); err != nil {
		w.failed(err)
		return
	}
	w.logger.Info("configuration", "file", w.name, "state", "removed: the mock goes on without it")
}

// settle waits until the files have not changed for a while; false when the context ends.
func (w *configWatch) settle(ctx context.Context, events <-chan fsnotify.Event) bool {
	quiet := time.NewTimer(settled)
	defer quiet.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case e := <-events:
			if w.concerns(e) {
				quiet.Reset(settled)
			}
		case <-quiet.C:
			return true
		}
	}
}

// concerns reports a change of the configuration's files; others may be in the folder too, such
// as a log. A name that begins with two dots is that of a volume's new content in Kubernetes.
func (w *configWatch) concerns(e fsnotify.Event) bool {
	name := filepath.Base(e.Name)
	if name == filepath.Base(w.name) || strings.HasPrefix(name, "..") {
		return true
	}
	return slices.ContainsFunc(w.files, func(file string) bool { return filepath.Base(file) == name })
}

func (w *configWatch) reload() error {
	file, err := readConfig(w.name)
	if err != nil {
		return err
	}
	if file.root != nil && file.root.Kind != yaml.MappingNode {
		return errors.New(w.name + ": expected a mapping")
	}
	config, err := file.mock(w.cmd.Root())
	if err != nil {
		w.files = config.Files() // one of them may come yet
		w.seen = w.sum(file.text)
		return err
	}
	_, fresh := newServe() // a misspelled setting would stop the next start
	if err := file.apply(w.cmd.Root(), fresh, nil); err != nil {
		return err
	}
	if err := w.mock.Configure(config); err != nil {
		return err
	}
	w.files = config.Files()
	w.seen = w.sum(file.text)
	w.logger.Info("configuration", "file", w.name, "state", "reloaded", "scenarios", len(config.Scenarios))
	serve := settingsOf(file, w.cmd.Name())
	if !reflect.DeepEqual(serve, w.serve) && !reflect.DeepEqual(serve, w.said) {
		w.logger.Warn("configuration", "file", w.name, "problem",
			"its settings under "+w.cmd.Name()+": have changed, and count when the mock is started again")
	}
	w.said = serve
	return nil
}

// settingsOf are the settings of a command as values.
func settingsOf(file *configFile, command string) any {
	var value any
	if n := file.settings(command); n != nil && n.Decode(&value) != nil {
		return n
	}
	return value
}
