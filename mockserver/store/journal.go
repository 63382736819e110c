package store

import (
	"slices"
	"sync"
	"time"

	"github.com/seed47566266/understudy/contracts/webapi"
)

const (
	// DefaultEntries bounds a journal in entries.
	DefaultEntries = 1000
	// DefaultBytes bounds it in bytes, roughly.
	DefaultBytes = 32 << 20
	// entrySize is what an entry takes besides its texts, in bytes, roughly.
	entrySize = 1 << 10
)

// Outcome is what became of a request.
type Outcome string

const (
	// OutcomeAccepted is a response below 400 to a request that obeys the page.
	OutcomeAccepted Outcome = "accepted"
	// OutcomeRejected is the rejection of a request that breaks a rule of the page.
	OutcomeRejected Outcome = "rejected"
	// OutcomeScenario is a response that a scenario made in place of the framework's.
	OutcomeScenario Outcome = "scenario"
	// OutcomeFault is a connection that a scenario broke.
	OutcomeFault Outcome = "fault"
	// OutcomePreflight is a browser's question whether it may send a request, which did not
	// follow.
	OutcomePreflight Outcome = "preflight"
)

// Header is a header in the order of its names.
type Header map[string][]string

// Entry is one exchange. It does not change once it is in a journal.
type Entry struct {
	// ID is its number in the journal, from 1.
	ID int64
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

// size is about what the entry takes, in bytes.
func (e *Entry) size() int64 {
	return int64(entrySize + len(e.Body) + len(e.ResponseBody) + len(e.Target))
}

// ordinary reports an entry that goes first when there is no room.
func (e *Entry) ordinary() bool { return e.Outcome == OutcomeAccepted || e.Outcome == OutcomePreflight }

// Journal has the last exchanges, within bounds of entries and bytes. Accepted requests
// go first when there is no room, as long as they are more than a quarter of the entries.
type Journal struct {
	maxEntries int
	maxBytes   int64

	mu       sync.Mutex
	last     int64    // id
	ordinary []*Entry // by id
	other    []*Entry // by id
	bytes    int64
	dropped  int64
	watchers map[chan struct{}]struct{}
}

func newJournal(entries int, bytes int64) *Journal {
	return &Journal{maxEntries: entries, maxBytes: bytes, watchers: map[chan struct{}]struct{}{}}
}

// Enabled reports a journal that keeps anything.
func (j *Journal) Enabled() bool { return j.maxEntries > 0 }

// Append adds an entry and gives it its id. The entry belongs to the journal then.
func (j *Journal) Append(e *Entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.last++
	e.ID = j.last
	if j.maxEntries <= 0 {
		return
	}
	j.bytes += e.size()
	if e.ordinary() {
		j.ordinary = append(j.ordinary, e)
	} else {
		j.other = append(j.other, e)
	}
	for n := len(j.ordinary) + len(j.other); n > 1 && (n > j.maxEntries || j.bytes > j.maxBytes); n-- {
		list := &j.ordinary
		if len(j.ordinary) <= n/4 {
			list = &j.other
		}
		j.bytes -= (*list)[0].size()
		(*list)[0] = nil
		*list = (*list)[1:]
		j.dropped++
	}
	for w := range j.watchers {
		select {
		case w <- struct{}{}:
		default:
		}
	}
}

// Entries are those after an id, the oldest first; all after 0.
func (j *Journal) Entries(after int64) []*Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	from := func(list []*Entry) []*Entry {
		i, _ := slices.BinarySearchFunc(list, after+1, func(e *Entry, id int64) int { return int(e.ID - id) })
		return list[i:]
	}
	a, b := from(j.ordinary), from(j.other)
	all := make([]*Entry, 0, len(a)+len(b))
	for len(a) > 0 || len(b) > 0 {
		if len(b) == 0 || len(a) > 0 && a[0].ID < b[0].ID {
			all, a = append(all, a[0]), a[1:]
		} else {
			all, b = append(all, b[0]), b[1:]
		}
	}
	return all
}

// Entry is that of an id; nil if it is not there, or no longer.
func (j *Journal) Entry(id int64) *Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, list := range [][]*Entry{j.ordinary, j.other} {
		i, found := slices.BinarySearchFunc(list, id, func(e *Entry, id int64) int { return int(e.ID - id) })
		if found {
			return list[i]
		}
	}
	return nil
}

// Remove drops the entries that match, and returns them.
func (j *Journal) Remove(matches func(*Entry) bool) []*Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	removed := []*Entry{}
	for _, list := range []*[]*Entry{&j.ordinary, &j.other} {
		kept := make([]*Entry, 0, len(*list))
		for _, e := range *list {
			if matches(e) {
				removed = append(removed, e)
				j.bytes -= e.size()
			} else {
				kept = append(kept, e)
			}
		}
		*list = kept
	}
	slices.SortFunc(removed, func(a, b *Entry) int { return int(a.ID - b.ID) })
	return removed
}

// Dropped is how many entries had no room, and last the newest id.
func (j *Journal) Dropped() (dropped, last int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.dropped, j.last
}

// Watch returns a channel that gets something after entries were added, until stop is
// called.
func (j *Journal) Watch() (added <-chan struct{}, stop func()) {
	w := make(chan struct{}, 1)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.watchers[w] = struct{}{}
	return w, func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		delete(j.watchers, w)
	}
}
