package testsuite

import (
	"encoding/json"
	"time"
)

// record writes a line of the ledger for a request that was, or may have been,
// accepted. A run that cannot write it ends.
func (r *run) record(e *exchange, a *Answer, did effect) {
	if r.Ledger == nil {
		return
	}
	kind := "unknown"
	switch {
	case did == effectWritten && e.mayWrite:
		kind = "allowed"
	case did == effectWritten:
		kind = "unexpected"
	}
	r.recorded.Lock()
	defer r.recorded.Unlock()
	line := struct {
		Time     string `json:"time"`
		Case     string `json:"case"`
		Write    string `json:"write"`
		Status   int    `json:"status"`
		ID       string `json:"id,omitempty"`
		Location string `json:"location,omitempty"`
	}{Time: time.Now().UTC().Format(time.RFC3339Nano), Case: e.id, Write: kind, Status: a.Status}
	if a.Status != 0 {
		line.Location = r.hide.short(a.Header.Get("Location"), longestReason)
		line.ID = r.hide.short(valueAt(a.Body, r.IDPath), longestID)
	}
	text, err := json.Marshal(line)
	if err == nil {
		_, err = r.Ledger.Write(append(text, '\n'))
	}
	if file, ok := r.Ledger.(interface{ Sync() error }); ok && err == nil {
		err = file.Sync()
	}
	if err != nil {
		r.halt(stopSafety, "the ledger cannot be written: "+r.hide.text(err.Error()))
	}
}

// longestID is more characters than an id has.
const longestID = 200
