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

// recording is one request and what the real framework answered to it.
type recording struct {
	ID         json.RawMessage `json:"id"`
	Group      string          `json:"group"`
	Tier       int             `json:"tier"`
	Method     string          `json:"method"`
	Path       string          `json:"path"`
	Headers    [][2]string     `json:"headers"`
	Body       *string         `json:"body"`
	BodyBase64 string          `json:"body_base64"`
	Public     recordedAnswer  `json:"public"`
	Detail     recordedAnswer  `json:"detail"`
}

type recordedAnswer struct {
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
	req := &webapi.Request{Method: r.Method, Target: r.Path, Host: recordedHost, Header: http.Header{}, Body: bytesOf(r.Body, r.BodyBase64)}
	for _, h := range r.Headers {
		req.Header.Add(h[0], h[1])
	}
	return req
}

func (a *recordedAnswer) body() []byte {
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

// TestAnswersAsRecorded replays every recording and compares status,
// Content-Type, Allow and body.
func TestAnswersAsRecorded(t *testing.T) {
	files := []struct {
		name, zone string
		rows       int
	}{
		{"answers.ndjson.gz", "UTC", 2982},
		{"answers-chicago.ndjson.gz", "America/Chicago", 792},
		{"answers-more.ndjson.gz", "UTC", 1301},
		{"edge-cases.ndjson.gz", "UTC", 1038},
	}
	o := pageOperation(t)
	for _, file := range files {
		rows := recordings(t, file.name, file.rows)
		for _, detail := range []bool{false, true} {
			side := "public"
			if detail {
				side = "detail"
			}
			t.Run(strings.TrimSuffix(file.name, ".ndjson.gz")+"/"+side, func(t *testing.T) {
				p := webapi.Profile{}
				p.ErrorDetail, p.TimeZone = detail, file.zone
				e, err := webapi.New(o, p)
				require.NoError(t, err)
				same := 0
				for i := range rows {
					r := &rows[i]
					want := &r.Public
					if detail {
						want = &r.Detail
					}
					got := e.Respond(r.request(), nil)
					body := want.body()
					if r.Method == http.MethodHead {
						got.Body = nil
					}
					if got.Status == want.Status && got.ContentType == want.Headers["Content-Type"] &&
						got.Allow == want.Headers["Allow"] && bytes.Equal(got.Body, body) {
						same++
						continue
					}
					t.Errorf("%s %s: %s %s %v\n  body %.600q\n  want %d %v %.900s\n  got  %d %s %s %.900s", r.ID, r.Group, r.Method, r.Path, r.Headers,
						bytesOf(r.Body, r.BodyBase64), want.Status, want.Headers, body, got.Status, got.ContentType, got.Allow, got.Body)
				}
				t.Logf("%d of %d recorded answers are met", same, len(rows))
				require.Equal(t, len(rows), same)
			})
		}
	}
}
