package mockserver_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/mockserver"
)

// discarded is a response that nobody reads.
type discarded struct{ header http.Header }

func (d *discarded) Header() http.Header         { return d.header }
func (d *discarded) Write(b []byte) (int, error) { return len(b), nil }
func (d *discarded) WriteHeader(int)             {}

// BenchmarkExchange is what the mock adds to net/http: the page's sample, with the journal
// and a log that goes nowhere.
func BenchmarkExchange(b *testing.B) {
	mock, err := mockserver.New(pageContract(b), mockserver.WithLogger(slog.New(slog.NewTextHandler(io.Discard, nil))))
	require.NoError(b, err)
	sample := operation(b).Sample
	body := bytes.NewReader(sample)
	r, err := http.NewRequest(http.MethodPost, "http://127.0.0.1:4747"+endpoint, body)
	require.NoError(b, err)
	r.RequestURI, r.RemoteAddr = endpoint, "127.0.0.1:1"
	r.Header.Set("Content-Type", "application/json")
	w := &discarded{}
	b.ReportAllocs()
	for b.Loop() {
		body.Reset(sample)
		r.Body = io.NopCloser(body)
		w.header = http.Header{}
		mock.ServeHTTP(w, r)
	}
}
