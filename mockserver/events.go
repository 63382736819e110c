package mockserver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/seed47566266/understudy/mockserver/store"
)

const (
	// maxStreams bounds the streams of events that are open.
	maxStreams = 100
	// heartbeat is how often a stream says that it is there, for proxies that close silent ones.
	heartbeat = 15 * time.Second
	// gathered is how long a stream waits after it has sent something: requests that come meanwhile
	// are sent together, or a thousand a second would cost the mock a thousand writes.
	gathered = 20 * time.Millisecond
	// maxGathered bounds what is sent together, in bytes.
	maxGathered = 256 << 10
)

// mockJSON is what a reader of events must know of the mock itself. It is sent at first, and when
// it has changed.
type mockJSON struct {
	// Instance is another one after a restart, when ids begin again.
	Instance string `json:"instance"`
	// Changes counts changes of scenarios, settings, configuration, states and next responses.
	Changes int64 `json:"changes"`
	// Removals counts how often requests were removed from the journal.
	Removals int64 `json:"removals"`
	// Dropped counts the requests that the journal had no room for.
	Dropped int64 `json:"dropped"`
}

// changes are what the mock's own streams are told of besides requests.
type changes struct {
	mu      sync.Mutex
	made    mockJSON
	watched map[chan struct{}]struct{}
}

// note has the streams told of a change.
func (c *changes) note(change func(*mockJSON)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(&c.made)
	for w := range c.watched {
		select {
		case w <- struct{}{}:
		default:
		}
	}
}

func (c *changes) now() mockJSON {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.made
}

func (c *changes) watch() (changed <-chan struct{}, stop func()) {
	w := make(chan struct{}, 1)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.watched == nil {
		c.watched = map[chan struct{}]struct{}{}
	}
	c.watched[w] = struct{}{}
	return w, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.watched, w)
	}
}

// noteChange is of scenarios, settings, configuration, states and next responses.
func (s *Server) noteChange() { s.changes.note(func(m *mockJSON) { m.Changes++ }) }

// mockNow is what a stream says of the mock.
func (s *Server) mockNow() mockJSON {
	m := s.changes.now()
	m.Instance, m.Dropped = s.instance, s.store.Dropped()
	return m
}

// events sends the entries of the journal as they come, as server-sent events. Without a
// place to begin at, it begins with the next one.
func (a *admin) events(w http.ResponseWriter, r *http.Request) {
	s := a.s
	shown, err := viewOf(r)
	if err != nil {
		problem(w, http.StatusBadRequest, err.Error())
		return
	}
	if s.streams.Add(1) > maxStreams {
		s.streams.Add(-1)
		problem(w, http.StatusServiceUnavailable, fmt.Sprintf("%d streams of events are open already", maxStreams))
		return
	}
	defer s.streams.Add(-1)
	added, stop := s.store.Watch()
	defer stop()
	changed, stopChanges := s.changes.watch()
	defer stopChanges()
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
	out := newEventStream(w)
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for of, said := session(r), (mockJSON{}); ; {
		if now := s.mockNow(); now != said {
			said = now
			out.add("mock", "", now)
		}
		entries, err := s.store.Entries(after)
		if err != nil {
			entries = nil // the store is away: the stream waits
		}
		for _, e := range entries {
			after = e.ID
			if of == "" || e.Session == of {
				out.add("request", e.ID, shown(e))
			}
		}
		if !out.flush() {
			return
		}
		select {
		case <-time.After(gathered):
		case <-r.Context().Done():
			return
		case <-s.closing:
			return
		}
		select {
		case <-added:
		case <-changed:
		case <-beat.C:
			out.add("", "", nil)
		case <-r.Context().Done():
			return
		case <-s.closing:
			return
		}
	}
}

// eventStream writes server-sent events.
type eventStream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	pending bytes.Buffer
	// failed says that the reader went away, or reads nothing.
	failed bool
}

func newEventStream(w http.ResponseWriter) *eventStream {
	out := &eventStream{w: w, control: http.NewResponseController(w)}
	_ = out.control.SetReadDeadline(time.Time{}) // the one for the request would end the stream; a recorder has none
	w.Header().Set("Content-Type", "text/event-stream")
	return out
}

// add adds an event; one without a name is a comment.
func (o *eventStream) add(name, id string, data any) {
	if o.failed {
		return
	}
	if name == "" {
		o.pending.WriteString(": still here\n\n")
		return
	}
	text, err := json.Marshal(data)
	if err != nil {
		return // it cannot fail
	}
	if id != "" {
		o.pending.WriteString("id: " + id + "\n")
	}
	o.pending.WriteString("event: " + name + "\ndata: ")
	o.pending.Write(text)
	o.pending.WriteString("\n\n")
	if o.pending.Len() > maxGathered {
		o.flush()
	}
}

// flush sends what was added; false if nobody reads it.
func (o *eventStream) flush() bool {
	if o.failed || o.pending.Len() == 0 {
		return !o.failed
	}
	// A reader that reads nothing must not hold the mock.
	_ = o.control.SetWriteDeadline(time.Now().Add(largePause))
	_, err := o.w.Write(o.pending.Bytes())
	o.failed = err != nil || o.control.Flush() != nil
	o.pending.Reset()
	return !o.failed
}

// viewOf is how a request wants the entries of the journal: whole, or as rows of a list.
func viewOf(r *http.Request) (func(*store.Entry) any, error) {
	switch view := r.URL.Query().Get("view"); view {
	case "":
		return func(e *store.Entry) any { return newEntryJSON(e) }, nil
	case "row":
		return func(e *store.Entry) any { return newRowJSON(e) }, nil
	default:
		return nil, fmt.Errorf("unknown view %q: use row", view)
	}
}

// maxRowRules bounds the rules that a row names.
const maxRowRules = 8

// rowJSON is an entry of the journal in a list: no headers and no bodies.
type rowJSON struct {
	ID      string    `json:"id"`
	Time    time.Time `json:"time"`
	Session string    `json:"session,omitempty"`
	Method  string    `json:"method"`
	URL     string    `json:"url"`
	// Operation is empty for a request to none.
	Operation string        `json:"operation,omitempty"`
	Status    int           `json:"status,omitempty"`
	Outcome   store.Outcome `json:"outcome"`
	// Reason is the first rule that is broken, in a few words; empty for none.
	Reason string `json:"reason,omitempty"`
	// Rules are those that are broken, at most eight, and Broken is how many there are.
	Rules     []string `json:"rules,omitempty"`
	Broken    int      `json:"broken,omitempty"`
	Scenarios []string `json:"scenarios,omitempty"`
	Fault     string   `json:"fault,omitempty"`
	// Notes is how many there are.
	Notes     int           `json:"notes,omitempty"`
	Verdict   store.Verdict `json:"verdict,omitempty"`
	Preflight bool          `json:"preflight,omitempty"`
	// Millis is the whole time in milliseconds, and Delay that which was added on purpose.
	Millis float64 `json:"millis"`
	Delay  int64   `json:"delay,omitempty"`
}

func newRowJSON(e *store.Entry) rowJSON {
	row := rowJSON{
		ID: e.ID, Time: e.Time.UTC(), Session: e.Session, Method: e.Method, URL: e.Target, Operation: e.Operation,
		Status: e.Status, Outcome: e.Outcome, Broken: e.Broken, Fault: e.Fault, Notes: len(e.Notes),
		Preflight: !e.Preflight.IsZero(), Millis: float64(e.Took.Microseconds()) / 1000,
		Delay: e.Delay.Milliseconds(),
	}
	for i := range e.Violations {
		if i == 0 {
			row.Reason = e.Violations[i].Brief()
		}
		if rule := e.Violations[i].Rule.String(); len(row.Rules) < maxRowRules {
			row.Rules = append(row.Rules, rule)
		}
	}
	for i := range e.Scenarios {
		row.Scenarios = append(row.Scenarios, e.Scenarios[i].Name)
	}
	if e.Upstream != nil {
		row.Verdict = e.Upstream.Verdict
	}
	return row
}
