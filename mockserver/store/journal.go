package store

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/seed47566266/understudy/contracts/webapi"
)

const (
	// DefaultEntries bounds a journal in entries.
	DefaultEntries = 1000
	// DefaultBytes bounds it in bytes, roughly.
	DefaultBytes = 32 << 20
	// entrySize is what an entry takes besides its texts, in bytes, roughly; headerSize and
	// violationSize are a header and a violation of it.
	entrySize     = 1 << 10
	headerSize    = 64
	violationSize = 256
)

// Outcome is what became of a request.
type Outcome string

const (
	// OutcomeAccepted is a response below 400 to a request that obeys the page; of a real server, to
	// any request.
	OutcomeAccepted Outcome = "accepted"
	// OutcomeRejected is the rejection of a request that breaks a rule of the page; of a real
	// server, every response from 400 on.
	OutcomeRejected Outcome = "rejected"
	// OutcomeScenario is a response that a scenario made in place of the framework's, or the
	// configuration's response where that is an error.
	OutcomeScenario Outcome = "scenario"
	// OutcomeFault is a connection that a scenario broke.
	OutcomeFault Outcome = "fault"
	// OutcomePreflight is a browser's question whether it may send a request, which did not
	// follow.
	OutcomePreflight Outcome = "preflight"
)

// Header is a header; names are as net/http spells them.
type Header map[string][]string

// Names are the names of the headers in order.
func (h Header) Names() []string { return slices.Sorted(maps.Keys(h)) }

// Entry is one exchange. It does not change once it is in a journal.
type Entry struct {
	// ID is its name in the journal; later ones have others. A [Memory] counts from 1.
	ID string
	// Time is when the head of the request was there.
	Time time.Time
	// Session is the name of its session; empty for requests without one.
	Session string
	// Operation is the id of the operation that it matched; empty if none.
	Operation string
	// Method, Target, Scheme, Host and Client are the request's: its method, path and query,
	// http or https, its Host header, and the address that it came from.
	Method, Target, Scheme, Host, Client string
	// Header is the request's, without secrets.
	Header Header
	// Body is the beginning of the request's, without the values of hidden fields.
	Body []byte
	// BodyBytes is how many bytes it had.
	BodyBytes int
	// Outcome is what became of it.
	Outcome Outcome
	// Violations are the rules that it breaks; Broken is how many there are.
	Violations []webapi.Violation
	// Broken counts the violations past those listed, too.
	Broken int
	// Notes are what the mock has to say besides.
	Notes []string
	// Scenarios are those that had a part in the response, in order.
	Scenarios []Applied
	// Fault is how the connection was broken; empty if it was not.
	Fault string
	// Status is the response's; 0 where there was none.
	Status int
	// ResponseHeader is the response's header.
	ResponseHeader Header
	// ResponseBody is the beginning of the response's body, without the values of hidden
	// fields.
	ResponseBody []byte
	// Delay is how long the response was held back on purpose.
	Delay time.Duration
	// Took is the whole time, to the last byte of the response.
	Took time.Duration
	// Upstream is what the real server said, where requests are passed on to it; else nil.
	Upstream *Upstream
	// Preflight is when the browser asked whether it may send the request; zero if it did
	// not.
	Preflight time.Time
}

// Applied is a scenario that had a part in a response.
type Applied struct {
	// Name is the scenario's.
	Name string `json:"name"`
	// Why says what matched.
	Why string `json:"why,omitempty"`
}

// Verdict is whether a real server and the page agree about a request.
type Verdict string

const (
	// VerdictAgree is that both accept it, or both reject it.
	VerdictAgree Verdict = "agree"
	// VerdictAccepted is that the server accepts what breaks the page.
	VerdictAccepted Verdict = "accepted though it breaks the page"
	// VerdictRejected is that the server rejects what obeys the page.
	VerdictRejected Verdict = "rejected though it obeys the page"
	// VerdictNone is that the page does not say anything of the request.
	VerdictNone Verdict = "not on the page"
	// VerdictUnclear is that the server neither accepted nor rejected it: it failed, asked for
	// credentials, or did not respond.
	VerdictUnclear Verdict = "unclear"
)

// Upstream is what a real server said of a request.
type Upstream struct {
	// Status is its response's; 0 where there was none.
	Status int `json:"status"`
	// Verdict compares it with the page.
	Verdict Verdict `json:"verdict"`
	// Problem is why there was no response; empty if there was one.
	Problem string `json:"problem,omitempty"`
	// Took is the time to the whole response, in nanoseconds.
	Took time.Duration `json:"took"`
}

// size is about what the entry takes, in bytes.
func (e *Entry) size() int64 {
	size := entrySize + len(e.Body) + len(e.ResponseBody) + len(e.Target) + len(e.Host)
	for _, h := range []Header{e.Header, e.ResponseHeader} {
		for name, values := range h {
			size += headerSize + len(name)
			for _, value := range values {
				size += len(value)
			}
		}
	}
	for i := range e.Violations {
		size += violationSize + len(e.Violations[i].Pointer)
	}
	for _, note := range e.Notes {
		size += len(note)
	}
	for i := range e.Scenarios {
		size += len(e.Scenarios[i].Name) + len(e.Scenarios[i].Why)
	}
	return int64(size)
}

// ordinary reports an entry that goes first when there is no room.
func (e *Entry) ordinary() bool { return e.Outcome == OutcomeAccepted || e.Outcome == OutcomePreflight }

// journal has the last exchanges, within bounds of entries and bytes. Accepted requests
// go first when there is no room, as long as they are more than a quarter of the entries.
type journal struct {
	maxEntries int
	maxBytes   int64

	mu       sync.Mutex
	last     int64      // number
	ordinary []numbered // by number
	other    []numbered // by number
	bytes    int64
	dropped  int64
	watchers watchers
}

// numbered is an entry with what the journal asks of it often, so that it need not be
// looked at.
type numbered struct {
	number, size int64
	*Entry
}

func newJournal(entries int, bytes int64) *journal {
	return &journal{maxEntries: entries, maxBytes: bytes}
}

// Enabled is described at [Store].
func (j *journal) Enabled() bool { return j.maxEntries > 0 }

// Append is described at [Store].
func (j *journal) Append(e *Entry) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.last++
	e.ID = strconv.FormatInt(j.last, 10)
	if j.maxEntries <= 0 {
		return ""
	}
	n := numbered{j.last, e.size(), e}
	j.bytes += n.size
	if e.ordinary() {
		j.ordinary = append(j.ordinary, n)
	} else {
		j.other = append(j.other, n)
	}
	for all := len(j.ordinary) + len(j.other); all > 1 && (all > j.maxEntries || j.bytes > j.maxBytes); all-- {
		list := &j.ordinary
		if len(j.ordinary) <= all/4 {
			list = &j.other
		}
		j.bytes -= (*list)[0].size
		(*list)[0].Entry = nil
		*list = (*list)[1:]
		j.dropped++
	}
	j.watchers.wake()
	return e.ID
}

// find is where an id is in a list, or would be.
func find(list []numbered, number int64) (int, bool) {
	return slices.BinarySearchFunc(list, number, func(e numbered, n int64) int { return cmp.Compare(e.number, n) })
}

// Entries is described at [Store].
func (j *journal) Entries(after string) ([]*Entry, error) {
	number, err := strconv.ParseInt(after, 10, 64)
	j.mu.Lock()
	defer j.mu.Unlock()
	if err != nil || number > j.last { // the latter is of another process
		number = 0
	}
	from := func(list []numbered) []numbered {
		i, found := find(list, number)
		if found {
			i++
		}
		return list[i:]
	}
	a, b := from(j.ordinary), from(j.other)
	all := make([]*Entry, 0, len(a)+len(b))
	for len(a) > 0 || len(b) > 0 {
		if len(b) == 0 || len(a) > 0 && a[0].number < b[0].number {
			all, a = append(all, a[0].Entry), a[1:]
		} else {
			all, b = append(all, b[0].Entry), b[1:]
		}
	}
	return all, nil
}

// Entry is described at [Store].
func (j *journal) Entry(id string) (*Entry, error) {
	number, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return nil, nil //nolint:nilnil // there is none with this id
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, list := range [][]numbered{j.ordinary, j.other} {
		if i, found := find(list, number); found {
			return list[i].Entry, nil
		}
	}
	return nil, nil //nolint:nilnil // as above
}

// Remove is described at [Store].
func (j *journal) Remove(matches func(*Entry) bool) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	removed := 0
	for _, list := range []*[]numbered{&j.ordinary, &j.other} {
		kept := make([]numbered, 0, len(*list))
		for _, e := range *list {
			if matches(e.Entry) {
				removed++
				j.bytes -= e.size
			} else {
				kept = append(kept, e)
			}
		}
		*list = kept
	}
	return removed, nil
}

// Dropped is described at [Store].
func (j *journal) Dropped() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.dropped
}

// Watch is described at [Store].
func (j *journal) Watch() (added <-chan struct{}, stop func()) { return j.watchers.add() }

// watchers are told of new entries. The zero value is ready.
type watchers struct {
	mu       sync.Mutex
	channels map[chan struct{}]struct{}
}

func (w *watchers) add() (added <-chan struct{}, stop func()) {
	c := make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.channels == nil {
		w.channels = map[chan struct{}]struct{}{}
	}
	w.channels[c] = struct{}{}
	return c, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.channels, c)
	}
}

func (w *watchers) wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.channels {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}
