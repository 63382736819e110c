package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/seed47566266/understudy/mockserver"
	"github.com/seed47566266/understudy/mockserver/store"
)

// recorder writes requests as lines of NDJSON that "verify --replay-file" reads: what was
// sent, and what came back for people to see. Headers that hold secrets are left out.
type recorder struct {
	mu       sync.Mutex
	file     *os.File
	name     string
	recorded int
	left     int // out, since the journal does not keep the whole body
	err      error
}

func newRecorder(name string) (*recorder, error) {
	f, err := mockserver.OpenForOwner(name)
	if err != nil {
		return nil, err
	}
	return &recorder{file: f, name: name}, nil
}

// recordedRequest is one line. Package fixtures reads its first five fields.
type recordedRequest struct {
	Method     string         `json:"method"`
	Path       string         `json:"path"`
	Headers    [][2]string    `json:"headers"`
	Body       *string        `json:"body,omitempty"`
	BodyBase64 *string        `json:"bodyBase64,omitempty"`
	Status     int            `json:"status"`
	Verdict    *store.Verdict `json:"verdict,omitempty"`
	Time       string         `json:"time"`
}

// ownHeaders are set anew when a request is sent again, or belong to one connection.
var ownHeaders = []string{
	"Host", "Content-Length", "Connection", "Keep-Alive", "Transfer-Encoding", "Te", "Trailer", "Upgrade",
	"Accept-Encoding", "Prefer", mockserver.SessionHeader,
}

func (r *recorder) record(e *store.Entry) {
	if e.Outcome == store.OutcomePreflight {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if e.BodyBytes > len(e.Body) {
		r.left++
		return
	}
	line := recordedRequest{
		Method: e.Method, Path: mockserver.WithoutPreferences(e.Target), Headers: [][2]string{}, Status: e.Status,
		Time: e.Time.UTC().Format("2006-01-02T15:04:05.000Z"),
	}
	for _, name := range e.Header.Names() {
		for _, value := range e.Header[name] {
			if !slices.Contains(ownHeaders, name) && value != mockserver.HiddenValue {
				line.Headers = append(line.Headers, [2]string{name, value})
			}
		}
	}
	text := string(e.Body)
	if utf8.ValidString(text) {
		line.Body = &text
	} else {
		text = base64.StdEncoding.EncodeToString(e.Body)
		line.BodyBase64 = &text
	}
	if e.Upstream != nil {
		line.Verdict = &e.Upstream.Verdict
	}
	out, err := json.Marshal(&line)
	if err == nil {
		_, err = r.file.Write(append(out, '\n'))
	}
	if r.recorded++; err != nil {
		r.recorded--
		r.err = err
	}
}

// summary says what was recorded.
func (r *recorder) summary() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	text := fmt.Sprintf("%d requests were added to %s", r.recorded, r.name)
	if r.left > 0 {
		text += fmt.Sprintf("; %d are not, since their bodies are too long", r.left)
	}
	if r.err != nil {
		text += "; others could not be written: " + r.err.Error()
	}
	return text
}

// Close closes the file. The error is of what could not be written.
func (r *recorder) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return errors.Join(r.err, r.file.Close())
}
