package testsuite_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/fixtures"
	"github.com/seed47566266/understudy/mockserver"
	"github.com/seed47566266/understudy/testsuite"
)

// caseOf is the case that a request names.
func caseOf(r *http.Request) string { return r.Header.Get("X-Understudy-Case") }

// TestServersWithHabitsConform has servers that read what the page leaves open in ways of
// their own: none breaks a MUST.
func TestServersWithHabitsConform(t *testing.T) {
	for name, habit := range map[string]func(*plain){
		"lengths by code points": func(p *plain) { p.units = utf8.RuneCountInString },
		"text trimmed before it is counted": func(p *plain) {
			units := p.units
			p.units = func(s string) int { return units(strings.TrimSpace(s)) }
		},
		"past days rejected": func(p *plain) {
			p.accepts = func(f *plainField, v any) bool {
				text, _ := v.(string)
				if at, err := time.Parse(time.RFC3339, text); f.kind == "date" && err == nil && at.Before(sampleDay) {
					return false
				}
				return newPlain().fits(f, v)
			}
		},
		"UUIDs of the RFC only": func(p *plain) {
			p.accepts = func(f *plainField, v any) bool {
				text, _ := v.(string)
				if id, err := uuid.Parse(text); f.kind == "guid" && err == nil &&
					(id.Variant() != uuid.RFC4122 || id.Version() < 1 || id.Version() > 8) {
					return id == uuid.Max
				}
				return newPlain().fits(f, v)
			}
		},
		"422 for what is invalid":                 func(p *plain) { p.rejected = http.StatusUnprocessableEntity },
		"names in the page's case, and no others": func(p *plain) { p.listedAlone = true },
		"204 without a body": func(p *plain) {
			p.accepted, p.acceptedBody = http.StatusNoContent, ""
		},
		"other media types read as JSON": func(p *plain) { p.anyMedia = true },
	} {
		t.Run(name, func(t *testing.T) {
			server := newPlain()
			habit(server)
			r := run(t, testsuite.Config{Target: testsuite.Target{Handler: server}})
			require.Zero(t, r.Exit, "%s: %v", r.Conclusion, only(r, fixtures.LevelMust, testsuite.VerdictFail))
		})
	}
}

// resultOf is the result of a case.
func resultOf(t *testing.T, r *testsuite.Results, id string) *testsuite.Result {
	t.Helper()
	for i := range r.Cases {
		if r.Cases[i].ID == id {
			return &r.Cases[i]
		}
	}
	t.Fatalf("no result of %s", id)
	return nil
}

func TestAServerErrorIsAFailureWhateverIsSent(t *testing.T) {
	const open = "syntax/trailing-comma" // the page is silent on it
	server := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if caseOf(r) == open || caseOf(r) == "optional/all" {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		newPlain().ServeHTTP(w, r)
	})
	r := run(t, testsuite.Config{Target: testsuite.Target{Handler: server}})
	x := resultOf(t, r, open)
	require.Equal(t, testsuite.VerdictFail, x.Verdict)
	require.Equal(t, fixtures.LevelShould, x.Level)
	require.Equal(t, testsuite.FailureServerError, x.Failure)
	require.Equal(t, "robustness", x.Rule.String())
	valid := resultOf(t, r, "optional/all")
	require.Equal(t, testsuite.VerdictFail, valid.Verdict, "its control was accepted")
	require.Equal(t, testsuite.FailureServerError, valid.Failure)
	require.Equal(t, testsuite.ExitBroken, r.Exit)
	r = run(t, testsuite.Config{
		Target: testsuite.Target{Handler: server}, FailOn: allParts,
		Selection: testsuite.Selection{Run: []string{open, "UserId/required"}},
	})
	require.Equal(t, testsuite.ExitBroken, r.Exit, r.Conclusion)
}

func TestAServerThatDropsWhatIsInvalidFails(t *testing.T) {
	t.Parallel() // it waits
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := httptest.NewRecorder()
		newPlain().ServeHTTP(answer, r)
		if answer.Code == http.StatusBadRequest {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	}))
	defer server.Close()
	r := run(t, testsuite.Config{
		Target:    testsuite.Target{URL: server.URL},
		Selection: testsuite.Selection{Run: []string{"UserId/required", "Reason/length/25?"}},
	})
	require.Equal(t, testsuite.ExitBroken, r.Exit, r.Conclusion)
	x := resultOf(t, r, "UserId/required/missing")
	require.Equal(t, testsuite.FailureNoResponse, x.Failure)
	require.Equal(t, fixtures.LevelMust, x.Level)
}

// listenMortal is for a server that a test ends while requests are sent to it. It has an
// address of its own, where the machine has one: its port may be another test's right after.
func listenMortal(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		listener, err = net.Listen("tcp", "127.0.0.1:0")
	}
	require.NoError(t, err)
	return listener
}

func startMortal(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	require.NoError(t, server.Listener.Close())
	server.Listener = listenMortal(t)
	server.Start()
	t.Cleanup(server.Close)
	return server
}

func TestARequestThatEndsTheTargetIsNamed(t *testing.T) {
	t.Parallel()                       // it waits
	const deadly = "depth/arrays/1000" // the page is silent on it
	for _, parallel := range []int{1, 4} {
		var server *httptest.Server
		var died sync.Once
		server = startMortal(t, func(w http.ResponseWriter, r *http.Request) {
			if caseOf(r) == deadly {
				died.Do(func() {
					_ = server.Listener.Close()
					go server.CloseClientConnections()
				})
				panic(http.ErrAbortHandler)
			}
			newPlain().ServeHTTP(w, r)
		})
		r := run(t, testsuite.Config{
			Target: testsuite.Target{URL: server.URL}, Limits: testsuite.Limits{Parallel: parallel},
		})
		require.Equal(t, testsuite.ExitBroken, r.Exit, r.Conclusion)
		require.Contains(t, r.Conclusion, "the target died")
		x := resultOf(t, r, deadly)
		require.Equal(t, testsuite.VerdictFail, x.Verdict, x.Reason)
		require.Equal(t, testsuite.FailureDied, x.Failure)
		require.Equal(t, fixtures.LevelMust, x.Level)
		require.Equal(t, "must/robustness/died", r.Findings[0].ID)
		require.LessOrEqual(t, len(r.Failed(fixtures.LevelMust)), parallel, "those under way")
	}
}

// TestATargetThatDiesAfterAResponseIsNamedWithIt has a server whose log of a request ends
// it, when the response is out.
func TestATargetThatDiesAfterAResponseIsNamedWithIt(t *testing.T) {
	t.Parallel() // it waits
	for _, deadly := range []string{"depth/arrays/1000", "valid/9"} {
		var server *httptest.Server
		server = startMortal(t, func(w http.ResponseWriter, r *http.Request) {
			if caseOf(r) == deadly {
				w.Header().Set("Connection", "close")
				_ = server.Listener.Close()
			}
			newPlain().ServeHTTP(w, r)
		})
		r := run(t, testsuite.Config{
			Target: testsuite.Target{URL: server.URL},
			Selection: testsuite.Selection{
				Run: []string{"UserId/required", "depth/arrays/128", deadly, "encoding/utf-8"},
			},
			Limits: testsuite.Limits{Parallel: 1},
		})
		require.Equal(t, testsuite.ExitBroken, r.Exit, r.Conclusion)
		require.Equal(t, "must/robustness/died", r.Findings[0].ID)
		require.Equal(t, []string{deadly}, r.Findings[0].Cases)
	}
}

func TestAMediaTypeThatIsNotTakenIsOneFailure(t *testing.T) {
	for _, media := range []string{"text/json", "application/x-www-form-urlencoded"} {
		server := newPlain()
		delete(server.media, media)
		r := run(t, testsuite.Config{Target: testsuite.Target{Handler: server}})
		require.Equal(t, testsuite.ExitBroken, r.Exit)
		failed := r.Failed(fixtures.LevelMust)
		require.Len(t, failed, 1, "%v", only(r, fixtures.LevelMust, testsuite.VerdictFail))
		require.Equal(t, "request/"+media, failed[0].Rule.String())
		require.NotZero(t, failed[0].Line)
		skipped := only(r, fixtures.LevelMust, testsuite.VerdictSkipped)
		require.NotEmpty(t, skipped)
		require.Contains(t, strings.Join(skipped, "\n"), "the target does not take "+media)
		require.Empty(t, only(r, fixtures.LevelMust, testsuite.VerdictInconclusive))
	}
}

func TestAFailureIsConfirmedUnlessThatIsLeftOut(t *testing.T) {
	var sent atomic.Int64
	server := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if caseOf(r) == "Note/length/1000" {
			sent.Add(1)
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		newPlain().ServeHTTP(w, r)
	})
	for name, c := range map[string]struct {
		config testsuite.Config
		sent   int64
	}{
		"twice":             {testsuite.Config{}, 2},
		"once, as asked":    {testsuite.Config{NoConfirm: true}, 1},
		"once, at a replay": {testsuite.Config{Selection: testsuite.Selection{Only: "Note/length/1000"}}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			sent.Store(0)
			c.config.Target = testsuite.Target{Handler: server}
			r := run(t, c.config)
			require.Equal(t, testsuite.ExitBroken, r.Exit, r.Conclusion)
			require.Equal(t, c.sent, sent.Load())
			require.Equal(t, c.sent > 1, r.Confirmations > 0)
		})
	}
}

// TestWhatTheFrameworkSaidConforms plays the recordings of the real framework back: what
// was not recorded gets the mock's response.
func TestWhatTheFrameworkSaidConforms(t *testing.T) {
	type answer struct {
		status      int
		contentType string
		body        []byte
	}
	key := func(method, path, contentType string, body []byte) string {
		return strings.Join([]string{method, path, contentType, string(body)}, "\x00")
	}
	said := map[string]answer{}
	for _, name := range []string{"responses", "responses-more", "edge-cases"} {
		f, err := os.Open("../contracts/webapi/testdata/" + name + ".ndjson.gz")
		require.NoError(t, err)
		z, err := gzip.NewReader(f)
		require.NoError(t, err)
		lines := bufio.NewScanner(z)
		lines.Buffer(nil, 16<<20)
		for lines.Scan() {
			var row struct {
				Method, Path string
				Headers      [][2]string
				Body         *string
				BodyBase64   string `json:"body_base64"`
				Public       struct {
					Status  int
					Headers map[string]string
					Body    *string
				}
			}
			require.NoError(t, json.Unmarshal(lines.Bytes(), &row))
			body, err := base64.StdEncoding.DecodeString(row.BodyBase64)
			require.NoError(t, err)
			if row.Body != nil {
				body = []byte(*row.Body)
			}
			if len(row.Headers) == 1 && row.Headers[0][0] == "Content-Type" && row.Public.Body != nil {
				said[key(row.Method, row.Path, row.Headers[0][1], body)] = answer{
					row.Public.Status, row.Public.Headers["Content-Type"], []byte(*row.Public.Body),
				}
			}
		}
		require.NoError(t, lines.Err())
		require.NoError(t, f.Close())
	}
	require.Greater(t, len(said), 3000)
	mock, err := mockserver.New(contract(t))
	require.NoError(t, err)
	var played atomic.Int64
	server := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		a, recorded := said[key(r.Method, r.URL.Path, r.Header.Get("Content-Type"), body)]
		if !recorded {
			r.Body = io.NopCloser(bytes.NewReader(body))
			mock.ServeHTTP(w, r)
			return
		}
		played.Add(1)
		w.Header().Set("Content-Type", a.contentType)
		w.WriteHeader(a.status)
		_, _ = w.Write(a.body)
	})
	r := run(t, testsuite.Config{Target: testsuite.Target{Handler: server}, FailOn: allParts})
	require.Zero(t, r.Exit, "%s: %v", r.Conclusion, only(r, fixtures.LevelShould, testsuite.VerdictFail))
	require.Greater(t, played.Load(), int64(50), "the suite and the recordings share requests")
}

// TestABodyThatIsLeftOnTheConnectionIsNobodysNextRequest has a server that rejects a method
// by the head of the request, and reads the body as the next one.
func TestABodyThatIsLeftOnTheConnectionIsNobodysNextRequest(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = listener.Close() }()
	plain := newPlain()
	serve := func(conn net.Conn) {
		defer func() { _ = conn.Close() }()
		for in := bufio.NewReader(conn); ; {
			answer := httptest.NewRecorder()
			r, err := http.ReadRequest(in)
			switch {
			case errors.Is(err, io.EOF):
				return
			case err != nil:
				answer.WriteHeader(http.StatusBadRequest)
			case r.Method != http.MethodPost:
				answer.WriteHeader(http.StatusNotImplemented)
			default:
				body, _ := io.ReadAll(r.Body)
				r.Body = io.NopCloser(bytes.NewReader(body))
				plain.ServeHTTP(answer, r)
			}
			response := answer.Result()
			response.ContentLength = int64(answer.Body.Len())
			if response.Write(conn) != nil || err != nil {
				return
			}
		}
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go serve(conn)
		}
	}()
	r := run(t, testsuite.Config{
		Target:    testsuite.Target{URL: "http://" + listener.Addr().String()},
		Selection: testsuite.Selection{Run: []string{"protocol/method", "UserId/guid", "Reason/length/25?"}},
	})
	require.Equal(t, testsuite.ExitOK, r.Exit, "%s: %v", r.Conclusion, r.Findings)
	for _, f := range r.Findings {
		require.NotEqual(t, testsuite.PartRobustness, f.Part, "501 is for a method that is not known: %s", f.Title)
	}
	require.Zero(t, r.Count(fixtures.LevelMust, testsuite.VerdictFlaky))
}
