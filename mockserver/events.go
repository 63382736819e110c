package mockserver

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	// maxStreams bounds the streams of events that are open.
	maxStreams = 100
	// heartbeat is how often a stream says that it is there, for proxies that close silent ones.
	heartbeat = 15 * time.Second
)

// events sends the entries of the journal as they come, as server-sent events. Without a
// place to begin at, it begins with the next one.
func (a *admin) events(w http.ResponseWriter, r *http.Request) {
	s := a.s
	if s.streams.Add(1) > maxStreams {
		s.streams.Add(-1)
		problem(w, http.StatusServiceUnavailable, fmt.Sprintf("%d streams of events are open already", maxStreams))
		return
	}
	defer s.streams.Add(-1)
	added, stop := s.store.Watch()
	defer stop()
	after := r.Header.Get("Last-Event-ID")
	if after == "" {
		after = r.URL.Query().Get("after")
	}
	if after == "" {
		all, err := s.store.Entries("")
		if err != nil {
			respondError(w, err)
			return
		}
		if len(all) > 0 {
			after = all[len(all)-1].ID
		}
	}
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Time{}) // the one for the request would end the stream; a recorder has none
	w.Header().Set("Content-Type", "text/event-stream")
	// A reader that reads nothing must not hold the mock.
	write := func(text string) bool {
		_ = control.SetWriteDeadline(time.Now().Add(largePause)) // likewise
		_, err := io.WriteString(w, text)                        //nolint:gosec // JSON, in a stream that is not HTML
		return err == nil && control.Flush() == nil
	}
	if !write(": events\n\n") {
		return
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for of := session(r); ; {
		entries, err := s.store.Entries(after)
		if err != nil {
			entries = nil // the store is away: the stream waits
		}
		for _, e := range entries {
			after = e.ID
			if of != "" && e.Session != of {
				continue
			}
			text, err := json.Marshal(newEntryJSON(e))
			if err != nil {
				continue // it cannot fail
			}
			if !write(fmt.Sprintf("id: %s\nevent: request\ndata: %s\n\n", e.ID, text)) {
				return
			}
		}
		select {
		case <-added:
		case <-beat.C:
			if !write(": still here\n\n") {
				return
			}
		case <-r.Context().Done():
			return
		case <-s.closing:
			return
		}
	}
}
