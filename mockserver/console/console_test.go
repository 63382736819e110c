package console_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/helppage"
	"github.com/seed47566266/understudy/contracts/oracle"
	"github.com/seed47566266/understudy/fixtures"
	"github.com/seed47566266/understudy/mockserver"
	"github.com/seed47566266/understudy/mockserver/console"
)

const endpoint = "/api/Calendar/PatientAppointmentPost_v2"

func pageContract(t testing.TB) *contracts.Contract {
	t.Helper()
	c, err := helppage.Parse(contracts.Page())
	require.NoError(t, err)
	return c
}

func sample(t testing.TB) string {
	t.Helper()
	return string(pageContract(t).Operations[0].Sample)
}

// start serves a mock with a console.
func start(t *testing.T, options ...mockserver.Option) *mockserver.TestServer {
	t.Helper()
	return mockserver.Start(t, pageContract(t), append(options, mockserver.WithConsole(console.New))...)
}

// response is what came back, with its body.
type response struct {
	status int
	header http.Header
	body   string
}

func send(t *testing.T, method, url, body string, headers ...string) response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	require.NoError(t, err)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	got, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	text, err := io.ReadAll(got.Body)
	require.NoError(t, err)
	require.NoError(t, got.Body.Close())
	return response{got.StatusCode, got.Header, string(text)}
}

// read reads a response in JSON.
func read[T any](t *testing.T, got response) T {
	t.Helper()
	require.Equal(t, 200, got.status, got.body)
	var value T
	require.NoError(t, json.Unmarshal([]byte(got.body), &value), got.body)
	return value
}

// header and request are in the form in which the mock takes them.
type header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type request struct {
	Method       string   `json:"method"`
	URL          string   `json:"url"`
	Headers      []header `json:"headers"`
	Body         string   `json:"body,omitempty"`
	BodyAsBase64 string   `json:"bodyAsBase64,omitempty"`
}

func (r request) String() string {
	text, err := json.Marshal(r)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func requestOf(r *contracts.Request) request {
	out := request{Method: r.Method, URL: r.Path, BodyAsBase64: base64.StdEncoding.EncodeToString(r.Body)}
	for _, h := range r.Headers {
		out.Headers = append(out.Headers, header(h))
	}
	return out
}

// cases are those of the catalogue that a client sends.
func cases(t *testing.T) []fixtures.Case {
	t.Helper()
	g, err := fixtures.New(&pageContract(t).Operations[0], fixtures.Options{})
	require.NoError(t, err)
	var all []fixtures.Case
	for _, c := range g.Cases() {
		if c.Request.Raw == nil && c.NotSent == "" && len(c.Request.Body) < 200_000 {
			all = append(all, c)
		}
	}
	require.Greater(t, len(all), 1000)
	return all
}

func TestThePageIsItsOwnFilesAndNothingElse(t *testing.T) {
	mock := start(t, mockserver.WithAdminToken("secret"))
	files, err := filepath.Glob("assets/*")
	require.NoError(t, err)
	shared, err := filepath.Glob("../../contracts/view/*.js")
	require.NoError(t, err)
	paths := []string{"/__admin/"}
	for _, file := range append(append(files, shared...), "view.css") {
		paths = append(paths, mockserver.AssetPath+filepath.Base(file))
	}
	require.Greater(t, len(paths), 15)
	for _, path := range paths {
		got := send(t, "GET", mock.URL+path, "")
		assert.Equal(t, 200, got.status, "%s needs no token, as it holds nothing", path)
		assert.NotRegexp(
			t,
			`(src|href|from|import|fetch|url)\W{0,4}(https?:)?//`,
			got.body,
			"%s loads from another host",
			path,
		)
		assert.Equal(t, "nosniff", got.header.Get("X-Content-Type-Options"), path)
		policy := got.header.Get("Content-Security-Policy")
		assert.Contains(t, policy, "default-src 'self'; require-trusted-types-for 'script'", path)
		assert.NotContains(t, policy, "unsafe", path)
	}
	for _, path := range []string{"about", "requests/1", "cases", "payload", "exports/openapi", "../requests"} {
		assert.Equal(t, 401, send(t, "GET", mock.URL+mockserver.ConsolePath+path, "").status, path)
	}
	for _, path := range []string{"check", "mend", "code"} {
		assert.Equal(t, 401, send(t, "POST", mock.URL+mockserver.ConsolePath+path, "{}").status, path)
	}
	for _, path := range []string{"assets/nothing.js", "assets/../console.go", "assets/%2e%2e/console.go",
		"nothing", ""} {
		got := send(t, "GET", mock.URL+mockserver.ConsolePath+path, "", "Authorization", "Bearer secret")
		assert.Equal(t, 404, got.status, path)
	}
	assert.Contains(
		t,
		send(t, "GET", mock.URL+"/", "", "Accept", "text/html").body,
		`<div id="app">`,
		"a browser is led there",
	)
}

func TestWithoutAConsoleThereIsNoPage(t *testing.T) {
	mock := mockserver.Start(t, pageContract(t))
	for _, path := range []string{"/__admin/", "/__admin", mockserver.ConsolePath + "about", mockserver.AssetPath +
		"app.js"} {
		assert.Equal(t, 404, send(t, "GET", mock.URL+path, "").status, path)
	}
	assert.Contains(t, send(t, "GET", mock.URL+"/", "", "Accept", "text/html").body, "No HTTP resource was found")
}

func TestAboutHasThePageLineByLine(t *testing.T) {
	mock := start(t)
	mock.ListensAt("http://127.0.0.1:1")
	about := read[struct {
		Address    string
		Page       []string
		Exports    []struct{ Name string }
		Operations []struct {
			Path   string
			Fields []struct {
				Pointer, Quote string
				Line           int
				Required       bool
				Max            *int
			}
			Rules []struct {
				ID   string
				Fact struct {
					Line  int
					Quote string
				}
			}
		}
	}](t, send(t, "GET", mock.URL+mockserver.ConsolePath+"about", ""))
	assert.Equal(t, "http://127.0.0.1:1", about.Address)
	require.Len(t, about.Operations, 1)
	o := about.Operations[0]
	assert.Equal(t, endpoint, o.Path)
	pointers := []string{}
	for _, f := range o.Fields {
		pointers = append(pointers, f.Pointer)
		assert.Contains(t, about.Page[f.Line-1], strings.Fields(f.Quote)[0], "line %d", f.Line)
	}
	assert.Subset(t, pointers, []string{"/UserId", "/Reasons", "/Reasons/*/ReasonId"})
	require.Greater(t, len(o.Rules), 40)
	for _, r := range o.Rules {
		assert.Contains(t, about.Page[r.Fact.Line-1], strings.Fields(r.Fact.Quote)[0], r.ID)
	}
	for _, e := range about.Exports {
		assert.Greater(t, len(send(t, "GET", mock.URL+mockserver.ConsolePath+"exports/"+e.Name, "").body), 500, e.Name)
	}
}

func TestWhatIsMendedIsAccepted(t *testing.T) {
	mock := start(t)
	for i, c := range cases(t) {
		if testing.Short() && i%10 > 0 {
			continue // make race mends them all
		}
		mended := read[struct {
			Request request
			Changes []struct{ What string }
		}](t, send(t, "POST", mock.URL+mockserver.ConsolePath+"mend", requestOf(&c.Request).String()))
		sent := read[struct{ Response struct{ Status int } }](t, send(t, "POST", mock.URL+"/__admin/send",
			mended.Request.String()))
		require.Equal(t, 200, sent.Response.Status, "%s: %v", c.ID, mended)
	}
}

func TestWhatIsCheckedIsWhatIsSent(t *testing.T) {
	mock := start(t)
	page, err := oracle.New(&pageContract(t).Operations[0], oracle.Options{})
	require.NoError(t, err)
	for i, c := range cases(t) {
		if testing.Short() && i%10 > 0 {
			continue // make race checks them all
		}
		checked := read[struct {
			Page      struct{ Outcome string }
			Framework struct {
				Status int
				Body   string
			}
		}](t, send(t, "POST", mock.URL+mockserver.ConsolePath+"check", requestOf(&c.Request).String()))
		sent := read[struct {
			ID       string
			Response struct {
				Status             int
				Body, BodyAsBase64 string
			}
		}](t, send(t, "POST", mock.URL+"/__admin/send", requestOf(&c.Request).String()))
		assert.Equal(t, sent.Response.Status, checked.Framework.Status, c.ID)
		if sent.Response.BodyAsBase64 == "" && c.Request.Method != http.MethodHead {
			assert.Equal(t, sent.Response.Body, checked.Framework.Body, c.ID)
		}
		assert.Equal(t, string(page.Expect(&c.Request).Outcome), checked.Page.Outcome, c.ID)

		// A scenario of it is right, whatever it says.
		more := read[struct{ Draft string }](t, send(t, "GET", mock.URL+mockserver.ConsolePath+"requests/"+sent.ID, ""))
		found := read[map[string]any](t, send(t, "POST", mock.URL+"/__admin/scenarios?check=true", more.Draft))
		assert.Empty(t, found["problem"], "%s:\n%s", c.ID, more.Draft)
	}
}

func TestAScenarioOfARequestSendsWhatItGot(t *testing.T) {
	mock := start(t)
	for _, body := range []string{sample(t), `{"Reason": "{{nothing}}"}`, "", `{"Reason": 7}`} {
		first := send(t, "POST", mock.URL+endpoint, body, "Content-Type", "application/json")
		entries, err := mock.Requests()
		require.NoError(t, err)
		id := entries[len(entries)-1].ID
		more := read[struct{ Draft string }](t, send(t, "GET", mock.URL+mockserver.ConsolePath+"requests/"+id, ""))
		draft := more.Draft
		require.Equal(t, 200, send(t, "POST", mock.URL+"/__admin/scenarios", draft).status, draft)
		second := send(t, "POST", mock.URL+endpoint, body, "Content-Type", "application/json")
		assert.Equal(t, first.status, second.status, body)
		assert.Equal(t, "like-"+id, strings.Trim(second.header.Get("X-Understudy-Scenario"), `"`), draft)
		if first.body != "" {
			assert.JSONEq(t, first.body, second.body, draft)
		}
		require.NoError(t, mock.Reset(""))
	}
}

func TestARequestIsWrittenAsCodeThatSendsIt(t *testing.T) {
	mock := start(t)
	clients := map[string]func(code string) *exec.Cmd{
		"curl": func(code string) *exec.Cmd { return exec.CommandContext(t.Context(), "sh", "-c", code) },
	}
	if node, err := exec.LookPath("node"); err == nil {
		clients["fetch"] = func(code string) *exec.Cmd {
			return exec.CommandContext(t.Context(), node, "--input-type=module", "-e", code)
		}
	} else {
		t.Log("node is not here: fetch is not tried")
	}
	requests := map[string]request{
		"a booking": {"POST", endpoint, []header{{"Content-Type", "application/json"}}, sample(t), ""},
		"quotes and a template": {
			"POST", endpoint + "?a=b&c=[1]", []header{{"Content-Type", "application/json"}, {"X-It's",
				`"x" '$HOME' ${x} \` + "`y`"}},
			`{"Reason": "it's ` + "`$HOME`" + ` \\ ${x}"}` + "\n", "",
		},
		"not UTF-8": {"POST", endpoint, []header{{"Content-Type", "application/json"}}, "",
			"eyJSZWFzb24iOiL//ukifQ=="},
		"bytes":         {"POST", endpoint, []header{{"Content-Type", "application/json"}}, "", "/wABgP8K"},
		"a file's name": {"POST", endpoint, []header{{"Content-Type", "text/plain"}}, "@/etc/passwd", ""},
		"a form": {
			"POST",
			endpoint,
			[]header{{"Content-Type", "application/x-www-form-urlencoded"}},
			"Reason=a+b&Note=%C3%A9",
			"",
		},
		"dots": {"PUT", "/x/../y", nil, "", ""},
		"control and far": {
			"POST",
			endpoint,
			[]header{{"Content-Type", "application/json"}},
			"{\"a\": \"\u001b[2J\u202e\U0001F600\"}\r\n",
			"",
		},
	}
	type sent struct {
		Method, URL, Body string
		Headers           map[string]string
	}
	last := func() sent {
		t.Helper()
		entries, err := mock.Requests()
		require.NoError(t, err)
		e := entries[len(entries)-1]
		out := sent{e.Method, e.Target, string(e.Body), map[string]string{}}
		for _, h := range []string{"Content-Type", "X-It's"} {
			if values := e.Header[h]; len(values) > 0 {
				out.Headers[h] = values[0]
			}
		}
		return out
	}
	for name, r := range requests {
		read[map[string]any](t, send(t, "POST", mock.URL+"/__admin/send", r.String()))
		want := last()
		code := read[map[string]string](
			t,
			send(t, "POST", mock.URL+mockserver.ConsolePath+"code?base="+mock.URL+"&status=400",
				r.String()),
		)
		for client, run := range clients {
			if client == "fetch" && name == "dots" {
				continue // no browser keeps them
			}
			before, err := mock.Requests()
			require.NoError(t, err)
			out, err := run(code[client]).CombinedOutput()
			require.NoError(t, err, "%s: %s\n%s", client, code[client], out)
			after, err := mock.Requests()
			require.NoError(t, err)
			require.Greater(t, len(after), len(before))
			got := last()
			assert.Equal(t, want, got, "%s as %s:\n%s", name, client, code[client])
		}
		assert.Contains(t, code["playwright"], "toBe(400)")
		assert.Contains(t, code["go"], "response.StatusCode != 400")
	}

	// A test in Go builds, and passes.
	folder := t.TempDir()
	code := read[map[string]string](
		t,
		send(t, "POST", mock.URL+mockserver.ConsolePath+"code?base="+mock.URL+"&status=400",
			requests["quotes and a template"].String()),
	)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "a_test.go"), []byte(code["go"]), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "go.mod"), []byte("module booking\n\ngo 1.26\n"), 0o600))
	test := exec.CommandContext(t.Context(), "go", "test", "./...")
	test.Dir = folder
	out, err := test.CombinedOutput()
	require.NoError(t, err, "%s\n%s", code["go"], out)

	// At a socket there is curl alone.
	mock.ListensAt("unix:/run/it's.sock")
	code = read[map[string]string](
		t,
		send(t, "POST", mock.URL+mockserver.ConsolePath+"code", requests["a form"].String()),
	)
	assert.Contains(t, code["curl"], `--unix-socket' '/run/it'\''s.sock'`)
	assert.Empty(t, code["fetch"])
}

func TestPayloadsAreWhatTheyAreCalled(t *testing.T) {
	mock := start(t)
	api := mock.URL + mockserver.ConsolePath
	for _, media := range []string{"application/json", "text/json", "application/x-www-form-urlencoded"} {
		made := read[request](t, send(t, "GET", api+"payload?row=7&media="+media, ""))
		assert.Equal(t, media, made.Headers[0].Value)
		sent := read[struct{ Response struct{ Status int } }](
			t,
			send(t, "POST", mock.URL+"/__admin/send", made.String()),
		)
		assert.Equal(t, 200, sent.Response.Status, made)
	}
	all := read[struct {
		Tags  []string
		Cases []struct{ ID, Outcome string }
	}](t, send(t, "GET", api+"cases", ""))
	assert.Contains(t, all.Tags, "boundary")
	require.Greater(t, len(all.Cases), 1000)
	made := read[request](t, send(t, "GET", api+"payload?case=Reason/length/251", ""))
	assert.Contains(t, made.Body, strings.Repeat("a", 251))
	for _, query := range []string{"payload?case=Reason/length/x", "payload?row=-1", "payload?operation=x",
		"cases?operation=x", "exports/x"} {
		got := send(t, "GET", api+query, "")
		assert.Contains(t, []int{400, 404}, got.status, query)
		assert.Contains(t, got.body, `"title":`, query)
	}
	for _, path := range []string{"check", "mend", "code"} {
		assert.Equal(t, 422, send(t, "POST", api+path, "[]").status, path)
	}
	assert.Equal(t, 413, send(t, "POST", api+"check", `{"body": "`+strings.Repeat("x", 4<<20)+`"}`).status)
}

func TestHiddenValuesStayHidden(t *testing.T) {
	mock := start(t, mockserver.WithHidden("PatientId"))
	patient := "a25ad686-2f86-43e7-b238-9251e37e2c50"
	require.Contains(t, sample(t), patient)
	send(
		t,
		"POST",
		mock.URL+endpoint,
		sample(t),
		"Content-Type",
		"application/json",
		"Authorization",
		"Bearer planted-secret",
	)
	for _, path := range []string{"/__admin/requests/1", mockserver.ConsolePath + "requests/1",
		"/__admin/events?after=0&view=row"} {
		client := http.Client{Timeout: 5 * time.Second}
		got, err := client.Get(mock.URL + path)
		require.NoError(t, err)
		text := make([]byte, 64<<10)
		n, err := io.ReadAtLeast(got.Body, text, 100)
		require.NoError(t, err)
		_ = got.Body.Close()
		assert.NotContains(t, string(bytes.ToLower(text[:n])), patient, path)
		assert.NotContains(t, string(text[:n]), "planted-secret", path)
	}
}
