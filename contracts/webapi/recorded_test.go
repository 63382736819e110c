package webapi_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/helppage"
	"github.com/seed47566266/understudy/contracts/webapi"
)

// recording is one request and the real framework's response to it.
type recording struct {
	ID         json.RawMessage  `json:"id"`
	Group      string           `json:"group"`
	Tier       int              `json:"tier"`
	Method     string           `json:"method"`
	Path       string           `json:"path"`
	Headers    [][2]string      `json:"headers"`
	Body       *string          `json:"body"`
	BodyBase64 string           `json:"body_base64"`
	Public     recordedResponse `json:"public"`
	Detail     recordedResponse `json:"detail"`
}

type recordedResponse struct {
	Status     int               `json:"status"`
	Headers    map[string]string `json:"headers"`
	Body       *string           `json:"body"`
	BodyBase64 string            `json:"body_base64"`
}

const recordedHost = "clinic.example"

func bytesOf(text *string, encoded string) []byte {
	if text != nil {
		return []byte(*text)
	}
	b, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		panic(err) // the recordings are this repository's own
	}
	return b
}

func (r *recording) request() *webapi.Request {
	req := &webapi.Request{
		Method: r.Method,
		Target: r.Path,
		Host:   recordedHost,
		Header: http.Header{},
		Body:   bytesOf(r.Body, r.BodyBase64),
	}
	for _, h := range r.Headers {
		req.Header.Add(h[0], h[1])
	}
	return req
}

func (a *recordedResponse) body() []byte {
	return bytes.ReplaceAll(bytesOf(a.Body, a.BodyBase64), []byte("{host}"), []byte(recordedHost))
}

// recordings loads a file of recordings and fails if it has fewer rows than it
// was delivered with.
func recordings(t testing.TB, name string, atLeast int) []recording {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	require.NoError(t, err)
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 16<<20)
	var rows []recording
	for lines.Scan() {
		var r recording
		require.NoError(t, json.Unmarshal(lines.Bytes(), &r))
		rows = append(rows, r)
	}
	require.NoError(t, lines.Err())
	require.GreaterOrEqual(t, len(rows), atLeast, "rows of %s are missing", name)
	return rows
}

func pageOperation(t testing.TB) *contracts.Operation {
	t.Helper()
	c, err := helppage.Parse(contracts.Page())
	require.NoError(t, err)
	return &c.Operations[0]
}

// TestRespondsAsRecorded replays every recording and compares status, Content-Type,
// Allow and body. A row can be run alone by its file, side and id.
func TestRespondsAsRecorded(t *testing.T) {
	files := []struct {
		name, zone string
		rows       int
	}{
		{"responses", "UTC", 2982},
		{"responses-chicago", "America/Chicago", 792},
		{"responses-more", "UTC", 1301},
		{"edge-cases", "UTC", 1038},
	}
	o := pageOperation(t)
	for _, file := range files {
		rows := recordings(t, file.name+".ndjson.gz", file.rows)
		for _, side := range []string{"public", "detail"} {
			t.Run(file.name+"/"+side, func(t *testing.T) {
				e, err := webapi.New(o, webapi.Profile{ErrorDetail: side == "detail", TimeZone: file.zone})
				require.NoError(t, err)
				met := 0
				for i := range rows {
					r := &rows[i]
					recorded := &r.Public
					if side == "detail" {
						recorded = &r.Detail
					}
					t.Run(strings.Trim(string(r.ID), `"`), func(t *testing.T) {
						if r.meets(t, e, recorded) {
							met++
						}
					})
				}
				t.Logf("%d of %d recorded responses are met", met, len(rows))
			})
		}
	}
}

// meets compares the response to a recorded request with the recorded one.
func (r *recording) meets(t *testing.T, e *webapi.Endpoint, recorded *recordedResponse) bool {
	t.Helper()
	got := e.Respond(r.request(), nil)
	if r.Method == http.MethodHead {
		got.Body = nil
	}
	body := recorded.body()
	if got.Status == recorded.Status && got.ContentType == recorded.Headers["Content-Type"] &&
		got.Allow == recorded.Headers["Allow"] && bytes.Equal(got.Body, body) {
		return true
	}
	t.Errorf("%s: %s %s %v\n  body     %.600q\n  recorded %d %v %.900s\n  got      %d %s %s %.900s", r.Group,
		r.Method, r.Path, r.Headers, bytesOf(r.Body, r.BodyBase64),
		recorded.Status, recorded.Headers, body, got.Status, got.ContentType, got.Allow, got.Body)
	return false
}
