//go:build browser

package console_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/contracts/webapi"
	"github.com/seed47566266/understudy/mockserver"
	"github.com/seed47566266/understudy/mockserver/console"
	"github.com/seed47566266/understudy/mockserver/store"
	"github.com/seed47566266/understudy/testsuite/report"
)

var screenshots = flag.String("screenshots", "", "`folder` for pictures of the console")

// patience is how long anything in the browser may take.
const patience = 20 * time.Second

// browserOptions are those of each Chromium: it asks nobody for anything.
func browserOptions(t *testing.T) []chromedp.ExecAllocatorOption {
	t.Helper()
	path, err := exec.LookPath("chromium")
	require.NoError(t, err)
	return append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.DisableGPU, chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
}

// tab is a window of the browser that looks at a console.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu sync.Mutex
	// problems are exceptions, entries of the log, and requests to another host or that failed.
	problems []string
	// host is the only one that requests may go to.
	host string
	// expected are parts of those that are no problem in this test.
	expected []string
}

// open opens the console at an address, in a profile of its own.
func open(t *testing.T, address string, before ...chromedp.Action) *tab {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	b := &tab{t: t, ctx: startBrowser(t), host: u.Host}
	chromedp.ListenTarget(b.ctx, b.listen)
	b.run(append([]chromedp.Action{
		network.Enable(), log.Enable(), emulation.SetDeviceMetricsOverride(1360, 860, 1, false),
		page.Enable(),
	}, before...)...)
	b.run(chromedp.Navigate(address))
	t.Cleanup(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		assert.Empty(t, slices.DeleteFunc(b.problems, func(problem string) bool {
			return slices.ContainsFunc(b.expected, func(part string) bool { return strings.Contains(problem, part) })
		}))
	})
	return b
}

// startBrowser starts Chromium for as long as the test lasts. Now and then it ends while it starts, on a
// machine without a desktop, and is started again.
func startBrowser(t *testing.T) context.Context {
	t.Helper()
	for attempt := 1; ; attempt++ {
		allocated, closeAll := chromedp.NewExecAllocator(t.Context(), browserOptions(t)...)
		// The library says that it does not know events of this Chromium.
		ctx, closeTab := chromedp.NewContext(allocated, chromedp.WithErrorf(func(string, ...any) {}))
		err := chromedp.Run(ctx)
		if err == nil {
			t.Cleanup(closeAll)
			t.Cleanup(closeTab)
			return ctx
		}
		closeTab()
		closeAll()
		require.Less(t, attempt, 4, "%v", err)
		t.Logf("Chromium is started again: %v", err)
	}
}

func (b *tab) listen(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	note := func(format string, args ...any) {
		b.problems = append(b.problems, fmt.Sprintf(format, args...))
	}
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		note("exception: %s", e.ExceptionDetails.Error())
	case *log.EventEntryAdded:
		note("log: %s %s %s", e.Entry.Level, e.Entry.Text, e.Entry.URL)
	case *runtime.EventConsoleAPICalled:
		note("console.%s", e.Type)
	case *network.EventRequestWillBeSent:
		u, err := url.Parse(e.Request.URL)
		if err != nil || u.Scheme != "blob" && u.Scheme != "data" && u.Host != b.host {
			note("request to another host: %s", e.Request.URL)
		}
	case *network.EventLoadingFailed:
		if !e.Canceled {
			note("failed: %s", e.ErrorText)
		}
	case *page.EventJavascriptDialogOpening:
		note("dialog: %s", e.Message)
	}
}

// expect names parts of problems that are none in this test.
func (b *tab) expect(parts ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expected = append(b.expected, parts...)
}

// allow lets pages do what a browser asks about.
func (b *tab) allow(permissions ...string) {
	b.t.Helper()
	executor := cdp.WithExecutor(b.ctx, chromedp.FromContext(b.ctx).Browser)
	for _, name := range permissions {
		require.NoError(b.t, browser.SetPermission(&browser.PermissionDescriptor{Name: name},
			browser.PermissionSettingGranted).Do(executor))
	}
}

// run does things within the time that they may take.
func (b *tab) run(actions ...chromedp.Action) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		var says string
		short, cancel := context.WithTimeout(b.ctx, time.Second)
		defer cancel()
		_ = chromedp.Run(short, chromedp.Evaluate(`document.body.innerText`, &says))
		b.t.Fatalf("%v; the page says:\n%s\nand %v", err, says, b.problems)
	}
}

// until waits for an expression of JavaScript to hold.
func (b *tab) until(expression string) {
	b.t.Helper()
	b.run(chromedp.Poll(expression, nil, chromedp.WithPollingInterval(10*time.Millisecond)))
}

// untilText waits for a text to be in what a selector finds.
func (b *tab) untilText(selector, text string) {
	b.t.Helper()
	b.until(fmt.Sprintf(`document.querySelector(%q)?.innerText.includes(%q)`, selector, text))
}

// is evaluates an expression.
func is[T any](b *tab, expression string) T {
	b.t.Helper()
	var value T
	b.run(chromedp.Evaluate(expression, &value, func(p *runtime.EvaluateParams) *runtime.EvaluateParams {
		return p.WithAwaitPromise(true)
	}))
	return value
}

// press presses keys, one after the other. A key that the page takes for itself writes nothing, as that
// of a person.
func (b *tab) press(keys ...string) {
	b.t.Helper()
	for _, key := range keys {
		down := input.DispatchKeyEvent(input.KeyDown).WithKey(key).WithText(key)
		switch key {
		case kb.Enter:
			down = input.DispatchKeyEvent(input.KeyDown).WithKey("Enter").WithText("\r").WithWindowsVirtualKeyCode(13)
		case kb.Escape:
			down = input.DispatchKeyEvent(input.KeyDown).WithKey("Escape").WithWindowsVirtualKeyCode(27)
		}
		b.run(down, input.DispatchKeyEvent(input.KeyUp).WithKey(down.Key))
	}
}

func (b *tab) click(selector string) {
	b.t.Helper()
	b.run(chromedp.WaitVisible(selector, chromedp.ByQuery), chromedp.Click(selector, chromedp.ByQuery))
}

// choose chooses an option, at once: a page that is drawn between value and event has its own value again.
func (b *tab) choose(selector, value string) {
	b.t.Helper()
	b.run(chromedp.Evaluate(fmt.Sprintf(`(() => {
		const select = document.querySelector(%q);
		select.value = %q;
		select.dispatchEvent(new Event("change", {bubbles: true}));
	})()`, selector, value), nil))
}

// clickText clicks a button by its text.
func (b *tab) clickText(text string) {
	b.t.Helper()
	find := fmt.Sprintf(
		`[...document.querySelectorAll("button, label")].find((e) => e.innerText.trim().startsWith(%q) && !e.disabled)`,
		text,
	)
	b.until(find + " !== undefined")
	b.run(chromedp.Evaluate(find+".click()", nil))
}

// picture saves what is seen, where pictures are asked for.
func (b *tab) picture(name string) {
	b.t.Helper()
	if *screenshots == "" {
		return
	}
	var image []byte
	b.run(chromedp.CaptureScreenshot(&image))
	require.NoError(b.t, os.WriteFile(filepath.Join(*screenshots, name+".png"), image, 0o644))
}

// axe has axe-core look for what keeps people out, and fails for what is serious.
func (b *tab) axe(where string) {
	b.t.Helper()
	source, err := os.ReadFile("../examples/node_modules/axe-core/axe.min.js")
	require.NoError(b.t, err, "make test-browser fetches axe-core")
	b.run(chromedp.Evaluate(string(source)+";undefined", nil))
	type violation struct {
		ID, Impact, Help string
		Nodes            []struct{ HTML, FailureSummary string }
	}
	found := is[[]violation](b, `axe.run(document, {resultTypes: ["violations"]}).then((r) => r.violations.map(
		({id, impact, help, nodes}) => ({id, impact, help, nodes: nodes.slice(0, 3).map(({html, failureSummary}) => ({html, failureSummary}))})))`)
	for _, v := range found {
		if v.Impact == "serious" || v.Impact == "critical" {
			assert.Fail(b.t, where+": "+v.ID+": "+v.Help, "%+v", v.Nodes)
		}
	}
}

const consolePath = "/__admin/"

// post sends a body to the mock, and returns the status; 0 for a connection that broke.
func post(t *testing.T, base, contentType, body string, headers ...string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "POST", base+endpoint, strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Content-Type", contentType)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0
	}
	defer func() { _ = response.Body.Close() }()
	return response.StatusCode
}

// noteOf is a note of a length.
func noteOf(length int) string {
	return strings.Repeat("Dry cough since Monday, worse at night. ", 40)[:length]
}

const rejected = `{"UserId":"84ef7a81-c643-4b8e-85e5-1ff52fc35f3d","AppointmentOn":"2026-12-03T09:00:00Z",` +
	`"Reason":"Cough","PaidAmount":"a lot","Note":"%s"}`

func TestConsoleShowsARequestAsItComes(t *testing.T) {
	mock := start(t)
	b := open(t, mock.URL+consolePath)
	b.untilText("main", "No request yet")
	b.picture("empty")
	b.until(`document.querySelector("footer").innerText.includes("live")`)
	// The best of five: the machine may be busy with something else.
	best := time.Hour
	for n := range 5 {
		b.run(chromedp.Evaluate(fmt.Sprintf(`window.seen = new Promise((done) => {
			const look = () => document.getElementById("row-%d") ? done(Date.now()) : requestAnimationFrame(look);
			look();
		}); undefined`, n+1), nil))
		require.Equal(t, 400, post(t, mock.URL, "application/json", fmt.Sprintf(rejected, noteOf(1001+n))))
		sent := time.Now()
		seen := time.UnixMilli(int64(is[float64](b, "window.seen")))
		best = min(best, seen.Sub(sent))
	}
	t.Logf("a row is there %s after the response", best)
	assert.Less(t, best, 200*time.Millisecond)
	b.untilText("main h2", "400 Rejected, breaks 3 rules")
	for _, text := range []string{"Note is 0 to 1000 characters long.", "line 36", "1005 of 1000 characters", "ModelState"} {
		b.untilText(".violations", text)
	}
	b.until(
		`[...document.querySelectorAll(".body mark")].length === 2 && document.querySelector(".body ins").innerText === '"AccountId":'`,
	)
	assert.Contains(t, is[string](b, "document.title"), "400 PaidAmount")
	b.until(`[...document.querySelectorAll("article ol.page li.now")].map((li) => li.value).join() === "36,44,48"`)
	b.axe("a rejected request")
	b.picture("rejected")
}

func TestConsoleIsUsedByKeysAlone(t *testing.T) {
	mock := start(t)
	b := open(t, mock.URL+consolePath)
	b.allow("clipboard-read", "clipboard-write")
	require.Equal(t, 200, post(t, mock.URL, "application/json", sample(t)))
	require.Equal(t, 400, post(t, mock.URL, "application/json", `{"Reason":"it's"}`))
	require.Equal(t, 200, post(t, mock.URL, "application/json", sample(t), "X-Color", "red"))
	b.untilText("footer", "3 requests")
	b.press("j")
	b.untilText("main h2", "400")
	b.press(kb.Enter)
	b.until(`document.activeElement.id === "main"`)
	b.press("c")
	b.untilText(".toast", "Copied as curl")
	curl := is[string](b, "navigator.clipboard.readText()")
	out, err := exec.CommandContext(t.Context(), "sh", "-c", curl).CombinedOutput()
	require.NoError(t, err)
	assert.Contains(t, string(out), "400 Bad Request")
	b.untilText("footer", "4 requests")

	b.press(kb.Escape)
	b.until(`document.activeElement.id === "rows"`)
	b.press("k")
	b.press("n", "2")
	b.untilText(".chip", "next: 503, then real")
	assert.Equal(t, 503, post(t, mock.URL, "application/json", sample(t)))
	b.until(`document.querySelector(".armed .chip") === null`)
	b.press("n", "6")
	b.untilText(".chip", "next: 503 × 2, then real")
	b.press("n", "0")
	b.until(`document.querySelector(".armed .chip") === null`)
	assert.Equal(t, 200, post(t, mock.URL, "application/json", sample(t)))
	b.press("/")
	b.until(`document.activeElement.id === "filter"`)
	b.run(chromedp.SendKeys("#filter", "status:5xx", chromedp.ByQuery))
	b.until(`document.querySelectorAll(".row").length === 1`)
	b.press(kb.Escape)
	b.until(`document.querySelectorAll(".row").length > 1`)
	b.press("?")
	b.until(`document.querySelector("dialog")?.open`)
	b.axe("the keys")
	b.press(kb.Escape)
	b.until(`document.querySelector("dialog") === null`)
	b.press("r")
	b.untilText(".toast", "Sent: ")
	b.press("x")
	b.untilText("footer", "0 requests")
}

func TestConsoleSwitchesAScenario(t *testing.T) {
	config, err := mockserver.ParseConfig("understudy.yaml", []byte(`
scenarios:
  - name: slot-taken
    enabled: false
    when: {outcome: accepted}
    then: {status: 409, json: {Message: Taken.}}
  - name: paid
    when: {requires: {payment: paid}}
    then: {status: 202, sets: {payment: Started}}
`), nil, nil)
	require.NoError(t, err)
	mock := start(t, mockserver.WithConfig(config))
	b := open(t, mock.URL+consolePath+"#/scenarios")
	other := open(t, mock.URL+consolePath+"#/scenarios")
	b.untilText("main", "slot-taken")
	other.untilText("main", "slot-taken")
	require.Equal(t, 200, post(t, mock.URL, "application/json", sample(t)))
	b.click("#scenario-slot-taken")
	b.until(`document.getElementById("scenario-slot-taken").ariaChecked === "true"`)
	require.Equal(t, 409, post(t, mock.URL, "application/json", sample(t)))
	b.untilText("main", "matched once")
	other.until(`document.getElementById("scenario-slot-taken").ariaChecked === "true"`)
	b.axe("scenarios")
	b.picture("scenarios")
	b.click("#scenario-slot-taken")
	b.until(`document.getElementById("scenario-slot-taken").ariaChecked === "false"`)
	b.choose("#state-payment", "paid")
	b.until(`fetch("/__admin/scenarios").then((r) => r.json()).then((s) => s.states.payment === "paid")`)
	require.Equal(t, 202, post(t, mock.URL, "application/json", sample(t)))
	mock.ConfigureFailed(fmt.Errorf("understudy.yaml:3:5: unknown key"))
	b.untilText("main [role=alert]", "understudy.yaml:3:5: unknown key")
	other.untilText("main [role=alert]", "understudy.yaml:3:5: unknown key")
}

func TestConsoleMakesAScenarioOfARequest(t *testing.T) {
	mock := start(t)
	b := open(t, mock.URL+consolePath)
	require.Equal(t, 400, post(t, mock.URL, "application/json", `{"Reason": "{{nothing}}"}`))
	b.untilText("main h2", "400")
	b.clickText("Make a scenario")
	b.untilText("main [role=status]", "Valid: like-1")
	b.run(chromedp.Evaluate(`(() => {
		const area = document.querySelector(".editor textarea");
		area.value = area.value.replace("status: 400", "staus: 418");
		area.dispatchEvent(new Event("input", {bubbles: true}));
	})()`, nil))
	b.untilText("main [role=status]", `unknown key "staus"`)
	b.run(chromedp.Evaluate(`(() => {
		const area = document.querySelector(".editor textarea");
		area.value = area.value.replace("staus: 418", "status: 418");
		area.dispatchEvent(new Event("input", {bubbles: true}));
	})()`, nil))
	b.untilText("main [role=status]", "Valid: like-1")
	b.axe("the editor of scenarios")
	b.clickText("Apply until a reset")
	b.untilText(".switches", "like-1")
	require.Equal(t, 418, post(t, mock.URL, "application/json", `{"Reason": "{{nothing}}"}`))
}

func TestConsoleComposesARequest(t *testing.T) {
	mock := start(t, mockserver.WithProfile(webapi.Profile{NullBody: webapi.NullBodyAccept}))
	b := open(t, mock.URL+consolePath+"#/compose")
	b.untilText(".verdict", "every rule is obeyed")
	set := func(id, value string) {
		t.Helper()
		b.run(chromedp.Evaluate(fmt.Sprintf(`(() => {
			const field = document.getElementById(%q);
			field.value = %q;
			field.dispatchEvent(new Event("input", {bubbles: true}));
		})()`, id, value), nil))
	}
	set("field-Note", noteOf(1001))
	b.untilText(".verdict", "1001 of 1000 characters")
	b.until(`document.getElementById("field-Note").ariaInvalid === "true"`)
	b.axe("compose")
	b.picture("compose")
	set("field-Note", "short")
	b.clickText("as text")
	b.run(chromedp.Evaluate(`(() => {
		const area = document.querySelector(".compose textarea");
		area.value = area.value.replace('"sample string 3"', "7");
		area.dispatchEvent(new Event("input", {bubbles: true}));
	})()`, nil))
	b.untilText(".verdict", "The page leaves this open")
	b.run(chromedp.Evaluate(`(() => {
		const area = document.querySelector(".compose textarea");
		area.value = "null";
		area.dispatchEvent(new Event("input", {bubbles: true}));
	})()`, nil))
	b.untilText(".verdict", "They differ")
	b.run(chromedp.Evaluate(`(() => {
		const area = document.querySelector(".compose textarea");
		area.value = JSON.stringify({Note: "short", Reasons: [{}]});
		area.dispatchEvent(new Event("input", {bubbles: true}));
	})()`, nil))
	b.clickText("as text")
	b.clickText("Sample")
	b.until(`document.getElementById("field-Reason").value === "sample string 3"`)
	set("field-Note", "short")
	set("field-Reason", "Cough")
	set("field-Reasons-0-ReasonId", "not one")
	b.untilText(".verdict", "400")
	b.clickText("remove")
	b.untilText(".verdict", "every rule is obeyed")
	b.choose(".compose select", "application/x-www-form-urlencoded")
	b.untilText(".verdict", "200")
	b.clickText("Send")
	b.untilText("main h2", "200 Accepted")
	entries, err := mock.Requests()
	require.NoError(t, err)
	require.Len(t, entries, 1)
	assert.Equal(t, "application/x-www-form-urlencoded", entries[0].Header["Content-Type"][0])
	assert.Contains(t, string(entries[0].Body), "&Reason=Cough&Note=short&")

	b.clickText("Edit and send")
	b.untilText(".verdict", "every rule is obeyed")
	set("field-UserId", "nobody")
	b.untilText(".verdict", "400")
	b.clickText("Send")
	b.untilText("main h2", "400 Rejected")
	b.clickText("Edit and send")
	b.clickText("Valid")
	b.untilText(".verdict", "every rule is obeyed")
	b.until(`document.querySelectorAll('select[aria-label="Case"] option').length > 1000`)
	b.run(chromedp.Evaluate(`(() => {
		const select = document.querySelector('select[aria-label="Case"]');
		select.value = "Reason/length/251";
		select.dispatchEvent(new Event("change", {bubbles: true}));
	})()`, nil))
	b.untilText(".verdict", "251 of 250 characters")
}

func TestConsoleMendsARequest(t *testing.T) {
	mock := start(t)
	b := open(t, mock.URL+consolePath)
	for i, body := range []string{
		`{"Reason": 7}`, "Reason", "{'UserId': 5,", fmt.Sprintf(rejected, strings.Repeat("x", 1001)),
	} {
		require.Equal(t, 400, post(t, mock.URL, "application/json", body))
		b.untilText("main h2", "400 Rejected")
		b.until(fmt.Sprintf(`document.querySelector("article").ariaLabel === "Request %d"`, 2*i+1))
		b.press("m")
		b.untilText(".mended", "The nearest valid request")
		if i == 3 {
			b.axe("the nearest valid request")
			b.picture("mended")
		}
		b.press("m")
		b.untilText("main h2", "200 Accepted")
		b.press("f")
	}
	assert.Equal(t, 415, post(t, mock.URL, "text/plain", "hello"))
	b.untilText("main h2", "415 Rejected")
	b.press("m")
	b.untilText(".mended", "Content-Type")
	b.press("m")
	b.untilText("main h2", "200 Accepted")
}

func TestConsoleShowsContractAndRun(t *testing.T) {
	mock := start(t)
	b := open(t, mock.URL+consolePath+"#/contract/33")
	b.untilText("main", "Reason")
	b.until(`document.getElementById("line-33").classList.contains("now")`)
	assert.Equal(t, "Required String length: inclusive between 0 and 250", strings.TrimSpace(strings.Trim(
		is[string](b, `document.getElementById("line-33").innerText`), "| ")))
	b.axe("the contract")
	b.picture("contract")
	downloads := t.TempDir()
	done := make(chan string, 8)
	chromedp.ListenBrowser(b.ctx, func(event any) {
		if e, ok := event.(*browser.EventDownloadProgress); ok && e.State == browser.DownloadProgressStateCompleted {
			done <- e.GUID
		}
	})
	require.NoError(t, browser.SetDownloadBehavior(browser.SetDownloadBehaviorBehaviorAllowAndName).
		WithDownloadPath(downloads).WithEventsEnabled(true).
		Do(cdp.WithExecutor(b.ctx, chromedp.FromContext(b.ctx).Browser)))
	b.clickText("openapi")
	text, err := os.ReadFile(filepath.Join(downloads, <-done))
	require.NoError(t, err)
	assert.True(t, json.Valid(text))
	assert.Contains(t, string(text), `"3.1.`)

	b.click("#tab-conformance")
	b.untilText("main", "Open results.json")
	load := func(name string) {
		t.Helper()
		path, err := filepath.Abs(filepath.Join("testdata", name))
		require.NoError(t, err)
		b.run(chromedp.SetUploadFiles(".file input", []string{path}, chromedp.ByQuery))
	}
	load("no-results.json")
	b.untilText(".toast", "not a results record")
	load("results.json")
	b.untilText(".conclusion", "The target breaks the contract")
	b.until(`document.querySelectorAll(".case mark, .case ins").length > 0`)
	b.axe("a run")
	b.picture("conformance")
	b.run(chromedp.SendKeys(`.results input`, "rule:Note/length", chromedp.ByQuery))
	b.until(`document.querySelectorAll(".results details.finding").length === 1`)
}

func TestConsoleKeepsUpWithTenThousandRequests(t *testing.T) {
	journal := store.NewMemory(10_000, 256<<20)
	mock := start(t, mockserver.WithStore(journal))
	for n := range 10_000 {
		body := sample(t)
		if n%3 > 0 {
			body = fmt.Sprintf(`{"Reason": "%d"}`, n)
		}
		r := httptest.NewRequestWithContext(t.Context(), "POST", endpoint, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		if n%2 == 0 {
			r.Header.Set(mockserver.SessionHeader, fmt.Sprintf("s%d", n%7))
		}
		mock.ServeHTTP(httptest.NewRecorder(), r)
	}
	// The best of three: the machine may be busy with something else.
	best := time.Hour
	for range 3 {
		if best = min(best, longestTask(t, mock)); best < 200*time.Millisecond {
			break
		}
	}
	t.Logf("the longest task took %s", best)
	assert.Less(t, best, 200*time.Millisecond)
}

// longestTask loads a console, scrolls, filters and has requests come, and returns the longest that the
// page was busy.
func longestTask(t *testing.T, mock *mockserver.TestServer) time.Duration {
	t.Helper()
	b := open(t, mock.URL+consolePath, chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := page.AddScriptToEvaluateOnNewDocument(`window.long = [];
			new PerformanceObserver((list) => long.push(...list.getEntries().map((e) => e.duration)))
				.observe({type: "longtask", buffered: true});`).Do(ctx)
		return err
	}))
	b.untilText("footer", "10,000 requests")
	b.until(`document.querySelectorAll(".row").length > 10 && document.querySelectorAll(".row").length < 100`)
	b.press("f")
	b.run(chromedp.Evaluate(`document.getElementById("rows").scrollTop = 1e9`, nil))
	b.until(`(() => { const rows = document.querySelectorAll(".row");
		return rows[rows.length - 1]?.ariaPosInSet === rows[0]?.ariaSetSize; })()`)
	b.run(chromedp.SendKeys("#filter", "status:400 Reason", chromedp.ByQuery))
	b.untilText("footer", "shown")
	for range 50 {
		post(t, mock.URL, "application/json", sample(t))
	}
	b.run(chromedp.Evaluate(`document.getElementById("filter").value = "";
		document.getElementById("filter").dispatchEvent(new Event("input", {bubbles: true}))`, nil))
	b.until(`!document.querySelector("footer").innerText.includes("shown")`)
	long := is[[]float64](b, "long")
	t.Logf("tasks over 50 ms: %.0f; first paint after %.0f ms", long,
		is[float64](b, `performance.getEntriesByName("first-contentful-paint")[0].startTime`))
	b.axe("many requests")
	longest := 0.0
	for _, millis := range long {
		longest = max(longest, millis)
	}
	return time.Duration(longest * float64(time.Millisecond))
}

func TestConsoleFitsASmallScreenInTheDark(t *testing.T) {
	mock := start(t)
	require.Equal(t, 400, post(t, mock.URL, "application/json", fmt.Sprintf(rejected, strings.Repeat("long", 300))))
	post(t, mock.URL, "application/json", sample(t), "Prefer", "code=503")
	b := open(
		t,
		mock.URL+consolePath,
		emulation.SetDeviceMetricsOverride(360, 740, 1, true),
		emulation.SetEmulatedMedia().
			WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}),
	)
	b.untilText("footer", "2 requests")
	fits := func(where string) {
		t.Helper()
		width := is[float64](
			b,
			`Math.max(document.documentElement.scrollWidth, ...[...document.querySelectorAll("main, .rows, header")].map((e) => e.scrollWidth + e.getBoundingClientRect().left))`,
		)
		assert.LessOrEqual(t, width, 360.0, where)
		b.axe(where + " at 360 px in the dark")
	}
	fits("the list")
	b.click("#row-1")
	b.untilText("main h2", "400")
	fits("a request")
	b.picture("small")
	for _, name := range []string{"compose", "scenarios", "contract", "conformance"} {
		b.run(chromedp.Evaluate(fmt.Sprintf(`document.getElementById("tab-%s").click()`, name), nil))
		b.untilText("main h2", strings.ToUpper(name[:1])+name[1:])
		b.until(`!document.querySelector("main").innerText.includes("…")`)
		fits(name)
	}
	assert.Equal(t, "rgb(18, 22, 29)", is[string](b, `getComputedStyle(document.body).backgroundColor`))
	b.click("button.theme")
	b.until(`getComputedStyle(document.body).backgroundColor === "rgb(255, 255, 255)"`)
	b.axe("conformance at 360 px in the light")
}

func TestConsoleShowsHostileRequestsHarmlessly(t *testing.T) {
	mock := start(t)
	texts := []string{
		`<script>throw Error("ran")</script>`, `"><img src=x onerror=alert(1)>`, "\x1b[2J\x1b]0;owned\x07", "\u202egnp.exe\u202c\u2066x\u2069",
		"\u0000\u0001\u0007\u0008", strings.Repeat("x", 1<<20-100), strings.Repeat("\u202e", 3000), "\xff\xfe\x80broken\xc3",
		strings.Repeat(
			"[",
			100_000,
		), strings.Repeat(`{"a":`, 30_000), "javascript:alert(1)", "{{constructor.constructor('alert(1)')()}}",
		"${alert(1)}", "</pre></main><h1>taken over</h1>", strings.Repeat("\u0301", 5000), "\U000E0041\U000E0042", "\u2028\u2029", "id: 7\n\nevent: mock\ndata: {}\n\n",
		`{"__proto__":{"polluted":true},"constructor":1}`, strings.Repeat("A\u200b", 500),
	}
	for n := range 200 {
		text := texts[n%len(texts)]
		quoted, err := json.Marshal(text)
		require.NoError(t, err)
		switch n / len(texts) {
		case 0, 1:
			post(t, mock.URL, "application/json", text)
		case 2, 3:
			post(t, mock.URL, "application/json", `{"Reason":`+string(quoted)+`}`)
		case 4:
			post(t, mock.URL, "application/json", `{`+string(quoted[:min(len(quoted)-1, 5000)])+`":1}`)
		case 5:
			post(t, mock.URL, "application/x-www-form-urlencoded", "Reason="+url.QueryEscape(text))
		case 6:
			post(t, mock.URL, "application/json", sample(t), "X-Nasty", strings.Map(func(r rune) rune {
				if r < ' ' || r == 0x7f || r == '\uFFFD' {
					return -1
				}
				return r
			}, text[:min(len(text), 900)]))
		case 7:
			r := httptest.NewRequestWithContext(
				t.Context(),
				"POST",
				"/x?"+url.QueryEscape(text[:min(len(text), 2000)]),
				strings.NewReader(text),
			)
			mock.ServeHTTP(httptest.NewRecorder(), r)
		case 8:
			post(t, mock.URL, text[:min(len(text), 30)], text)
		default:
			post(t, mock.URL, "multipart/form-data; boundary=x", "--x\r\n\r\n"+text)
		}
	}
	b := open(t, mock.URL+consolePath)
	b.untilText("footer", " requests")
	b.until(`document.querySelectorAll(".row").length > 10`)
	b.press("f") // every one is looked at
	entries, err := mock.Requests()
	require.NoError(t, err)
	require.Greater(t, len(entries), 150)
	ids := make([]string, len(entries))
	for i, e := range entries {
		ids[i] = e.ID
	}
	list, err := json.Marshal(ids)
	require.NoError(t, err)
	b.run(chromedp.Evaluate(fmt.Sprintf(`window.looked = 0; (async () => {
		for (const id of %s) {
			location.hash = "#/requests/" + id;
			while (document.querySelector("article")?.ariaLabel !== "Request " + id ||
				document.querySelector(".actions > button:last-child").disabled) await new Promise(requestAnimationFrame);
			looked++;
		}
	})(); undefined`, list), nil))
	b.until(fmt.Sprintf("looked === %d", len(ids)))
	assert.Empty(
		t,
		is[[]string](
			b,
			`[...document.querySelectorAll("#app script, #app iframe, #app img:not([src$='favicon.svg']), #app h1 ~ h1")].map((e) => e.outerHTML)`,
		),
	)
	assert.False(t, is[bool](b, `({}).polluted === true`))
	layout := is[[]float64](
		b,
		`[document.documentElement.scrollWidth, document.querySelector("header").getBoundingClientRect().top,
		document.querySelector("footer").getBoundingClientRect().bottom, document.querySelectorAll("header h1").length]`,
	)
	assert.Equal(t, []float64{1360, 0, 860, 1}, layout)
	b.axe("hostile requests")
	b.picture("hostile")
}

func TestConsolesSeeEachOther(t *testing.T) {
	mock := start(t)
	one, two := open(t, mock.URL+consolePath), open(t, mock.URL+consolePath)
	post(t, mock.URL, "application/json", sample(t))
	one.untilText("footer", "1 request")
	two.untilText("footer", "1 request")
	one.press("n", "3")
	two.untilText(".chip", "next: 401, then real")
	two.click(".chip button")
	one.until(`document.querySelector(".armed .chip") === null`)
	one.press("x")
	two.untilText("footer", "0 requests")
	two.untilText("main", "No request yet")
}

func TestConsoleComesBackWithTheMock(t *testing.T) {
	serve := func(at string) (string, func()) {
		mock, err := mockserver.New(pageContract(t), mockserver.WithConsole(console.New))
		require.NoError(t, err)
		listener, err := net.Listen("tcp", at)
		require.NoError(t, err)
		server := &http.Server{Handler: mock, ReadHeaderTimeout: patience}
		go func() { _ = server.Serve(listener) }()
		return listener.Addr().String(), func() {
			_ = mock.Close()
			_ = server.Close()
		}
	}
	at, stop := serve("127.0.0.1:0")
	base := "http://" + at
	b := open(t, base+consolePath)
	for range 3 {
		post(t, base, "application/json", sample(t))
	}
	b.untilText("footer", "3 requests")
	// The request that is shown is of the mock before.
	b.expect("ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_CONNECTION_RESET", "404 (Not Found)")
	stop()
	b.untilText("footer", "the mock is away")
	_, stop = serve(at)
	defer stop()
	post(t, base, "application/json", `{}`)
	b.untilText("footer", "live")
	b.untilText("footer", "1 request")
	b.untilText("main h2", "400")
	post(t, base, "application/json", sample(t))
	b.untilText("footer", "2 requests")
}

func TestConsoleAsksForAToken(t *testing.T) {
	mock := start(t, mockserver.WithAdminToken("let-me-in"))
	b := open(t, mock.URL+consolePath)
	b.expect("401 (Unauthorized)")
	b.until(`document.querySelector("dialog input") !== null`)
	b.axe("the question for a token")
	b.run(chromedp.SendKeys("dialog input", "wrong"+kb.Enter, chromedp.ByQuery))
	b.until(`document.querySelector("dialog input")?.value === ""`)
	b.run(chromedp.SendKeys("dialog input", "let-me-in"+kb.Enter, chromedp.ByQuery))
	b.untilText("footer", "live")
	post(t, mock.URL, "application/json", sample(t))
	b.untilText("footer", "1 request")
	b.run(chromedp.Reload())
	b.untilText("footer", "1 request")
	assert.Equal(t, "", is[string](b, `JSON.stringify(localStorage).replace("{}", "")`), "it is kept for the tab alone")
}

func TestConsoleReachesAMockAtASocket(t *testing.T) {
	mock, err := mockserver.New(pageContract(t), mockserver.WithConsole(console.New), mockserver.WithoutAdmin())
	require.NoError(t, err)
	socket := filepath.Join(t.TempDir(), "mock.sock")
	listener, err := net.Listen("unix", socket)
	require.NoError(t, err)
	behind := &http.Server{Handler: mock, ReadHeaderTimeout: patience}
	go func() { _ = behind.Serve(listener) }()
	t.Cleanup(func() {
		_ = mock.Close()
		_ = behind.Close()
	})
	mock.ListensAt("unix:" + socket)
	server := httptest.NewServer(mock.Admin())
	t.Cleanup(server.Close)
	b := open(t, server.URL+consolePath)
	b.untilText("main", "curl --unix-socket "+socket)
	b.clickText("Send the page's sample")
	b.untilText("main h2", "200 Accepted")
	b.press("n", "5")
	b.untilText(".chip", "connection-reset")
	b.press("r")
	b.untilText("main h2", "No response Broken: connection-reset")
}

func TestConsoleIsForItsOwnOriginAlone(t *testing.T) {
	mock := start(t)
	post(t, mock.URL, "application/json", sample(t))
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<!DOCTYPE html><title>other</title><link rel=icon href=data:,>"))
	}))
	t.Cleanup(other.Close)
	b := open(t, other.URL)
	b.expect(
		"CORS policy",
		"ERR_FAILED",
		"ERR_BLOCKED",
		"403 (Forbidden)",
		"request to another host: "+mock.URL,
		"frame",
		"X-Frame",
	)
	for _, attack := range []string{
		`fetch(M + "/__admin/requests")`, `fetch(M + "/__admin/events?after=0")`, `fetch(M + "/__admin/console/about")`,
		`fetch(M + "/__admin/reset", {method: "POST"})`, `fetch(M + "/__admin/requests", {method: "DELETE"})`,
		`fetch(M + "/__admin/send", {method: "POST", body: "{}"})`, `fetch(M + "/__admin/console/assets/app.js")`,
		`fetch(M + "/__admin/scenarios", {method: "POST", body: "name: x"})`,
	} {
		assert.Equal(
			t,
			"rejected",
			is[string](b, fmt.Sprintf(`((M) => %s.then(() => "read", () => "rejected"))(%q)`, attack, mock.URL)),
			attack,
		)
	}
	is[string](
		b,
		fmt.Sprintf(
			`fetch(%q, {method: "POST", mode: "no-cors", body: "{}"}).then(() => "", () => "")`,
			mock.URL+"/__admin/reset",
		),
	)
	assert.Equal(t, "", is[string](b, fmt.Sprintf(`new Promise((done) => {
		const frame = document.createElement("iframe");
		frame.src = %q;
		frame.onload = () => { try { done(frame.contentDocument?.body.innerText ?? ""); } catch { done(""); } };
		document.body.append(frame);
	})`, mock.URL+consolePath)), "the page is in no frame")
	entries, err := mock.Requests()
	require.NoError(t, err)
	assert.Len(t, entries, 1, "nothing was removed")
}

func TestReportOfARunHasTheSameParts(t *testing.T) {
	text, err := os.ReadFile("testdata/results.json")
	require.NoError(t, err)
	results, err := report.Read(bytes.NewReader(text))
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "report.html")
	out, err := os.Create(file)
	require.NoError(t, err)
	require.NoError(t, report.Write(out, "html", results))
	require.NoError(t, out.Close())
	b := open(t, "file://"+file)
	b.untilText(".body", "must be rejected")
	b.until(`document.querySelectorAll(".body mark").length === 1`)
	b.axe("the report")
	b.run(chromedp.SendKeys("#tools input", "rule:UserId", chromedp.ByQuery))
	b.untilText("#tools", "1 of 2 findings")
	b.until(`document.querySelectorAll("details.finding:not([hidden])").length === 1`)
	b.click("button.theme")
	b.click("button.theme")
	b.until(`getComputedStyle(document.body).backgroundColor === "rgb(18, 22, 29)"`)
	b.axe("the report in the dark")
	b.picture("report")
	b.run(emulation.SetDeviceMetricsOverride(360, 740, 1, true))
	assert.LessOrEqual(t, is[float64](b, "document.documentElement.scrollWidth"), 360.0)
}
