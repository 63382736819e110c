package testsuite

import (
	"encoding/json"
	"io"
	"sync"
	"time"
)

// ledger gets a line for each request that was, or may have been, accepted.
type ledger struct {
	to     io.Writer // nil: none
	idPath string
	hide   *redactor

	mu sync.Mutex
}

// record writes a line for a request. allowed marks one that the target may accept. The
// line is on the disk when record returns.
func (l *ledger) record(id string, allowed bool, a *response, did effect) error {
	if l.to == nil {
		return nil
	}
	kind := "unknown"
	switch {
	case did == effectWritten && allowed:
		kind = "allowed"
	case did == effectWritten:
		kind = "unexpected"
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	line := struct {
		Time     string `json:"time"`
		Case     string `json:"case"`
		Write    string `json:"write"`
		Status   int    `json:"status"`
		ID       string `json:"id,omitempty"`
		Location string `json:"location,omitempty"`
	}{Time: time.Now().UTC().Format(time.RFC3339Nano), Case: id, Write: kind, Status: a.status}
	if a.status != 0 {
		line.Location = l.hide.short(a.header.Get("Location"), longestReason)
		line.ID = l.hide.short(valueAt(a.body, l.idPath), longestID)
	}
	text, err := json.Marshal(line)
	if err == nil {
		_, err = l.to.Write(append(text, '\n'))
	}
	if file, ok := l.to.(interface{ Sync() error }); ok && err == nil {
		err = file.Sync()
	}
	return err
}

// longestID is more characters than an id has.
const longestID = 200
