package testsuite_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/helppage"
	"github.com/seed47566266/understudy/fixtures"
	"github.com/seed47566266/understudy/mockserver"
	"github.com/seed47566266/understudy/testsuite"
)

func contract(t testing.TB) *contracts.Contract {
	t.Helper()
	c, err := helppage.Parse(contracts.Page())
	require.NoError(t, err)
	return c
}

func run(t *testing.T, c testsuite.Config) *testsuite.Results {
	t.Helper()
	if c.Contract == nil {
		c.Contract = contract(t)
	}
	r, err := testsuite.Run(t.Context(), c)
	require.NoError(t, err)
	return r
}

// only lists the ids of a level with a verdict.
func only(r *testsuite.Results, l testsuite.Level, verdicts ...testsuite.Verdict) []string {
	var ids []string
	for i := range r.Cases {
		for _, v := range verdicts {
			if x := &r.Cases[i]; x.Level == l && x.Verdict == v {
				ids = append(ids, x.ID+": "+x.Reason)
			}
		}
	}
	return ids
}

var notPass = []testsuite.Verdict{testsuite.Fail, testsuite.KnownFailure, testsuite.UnexpectedPass, testsuite.Flaky, testsuite.Skipped, testsuite.Inconclusive, testsuite.Error}

func TestTheMockKeepsToThePageAtEveryLevel(t *testing.T) {
	mock, err := mockserver.New(contract(t))
	require.NoError(t, err)
	server := httptest.NewServer(mock)
	defer server.Close()
	for name, c := range map[string]testsuite.Config{"over HTTP": {URL: server.URL}, "in process": {Handler: mock}} {
		t.Run(name, func(t *testing.T) {
			c.FailOn = testsuite.FailOnInconclusive
			r := run(t, c)
			require.Zero(t, r.Exit, r.Verdict)
			require.Empty(t, only(r, testsuite.Must, notPass...))
			require.Empty(t, only(r, testsuite.Should, notPass...))
			require.GreaterOrEqual(t, r.Count(testsuite.Must, testsuite.Pass), 600)
			require.Zero(t, r.Unconfirmed)
			require.Zero(t, r.UnexpectedWrites)
			for _, cell := range r.Coverage {
				if cell.Stated && cell.Possible {
					require.True(t, cell.Covered(), "%s %s %s: %s", cell.Rule, cell.Media, cell.Side, cell.Reason)
				}
				if !cell.Covered() {
					require.NotEmpty(t, cell.Reason)
				}
			}
		})
	}
}

func TestAnotherPageGetsItsOwnSuite(t *testing.T) {
	for name, change := range map[string]*strings.Replacer{
		"other names, a shortest length": strings.NewReplacer("UserId", "BuyerKey", "AppointmentModel", "OrderModel", "inclusive between 0 and 250", "inclusive between 3 and 8"),
		"nothing Required":               strings.NewReplacer("Required String", "String", "\nRequired\n", "\nNone.\n"),
	} {
		t.Run(name, func(t *testing.T) {
			c, err := helppage.Parse([]byte(change.Replace(string(contracts.Page()))))
			require.NoError(t, err)
			mock, err := mockserver.New(c)
			require.NoError(t, err)
			r := run(t, testsuite.Config{Contract: c, Handler: mock, FailOn: testsuite.FailOnInconclusive})
			require.Zero(t, r.Exit, r.Verdict)
			require.Equal(t, testsuite.ExitBroken, run(t, testsuite.Config{Contract: c, Handler: newPlain()}).Exit, "a server of the first page does not keep to this one")
			for _, cell := range r.Coverage {
				require.True(t, cell.Covered() || !cell.Stated || !cell.Possible, "%s %s %s: %s", cell.Rule, cell.Media, cell.Side, cell.Reason)
			}
		})
	}
}

func TestAWrongFormatIsSeenInTheCoverage(t *testing.T) {
	server := newPlain()
	server.refusedType = "text/plain"
	r := run(t, testsuite.Config{Handler: server})
	failed := 0
	for _, cell := range r.Coverage {
		if strings.HasPrefix(cell.Rule, "response/") {
			failed += cell.Fail
		}
	}
	require.Len(t, r.Failed(testsuite.Must), failed, "every MUST that fails is about the format")
}

// TestEveryStatedRuleIsTriedFromBothSidesInJSON names the only cells of JSON that
// stay empty, so that a case that is lost is seen.
func TestEveryStatedRuleIsTriedFromBothSidesInJSON(t *testing.T) {
	r := run(t, testsuite.Config{Handler: newPlain()})
	var empty []string
	for _, cell := range r.Coverage {
		if cell.Stated && !cell.Covered() && cell.Media == "application/json" {
			empty = append(empty, cell.Rule+" "+string(cell.Side))
		}
	}
	require.Equal(t, []string{
		"request/text/json obeyed", "request/text/json broken", // a body has one media type
		"request/application/x-www-form-urlencoded obeyed", "request/application/x-www-form-urlencoded broken",
		"response/application/json broken", "response/text/json obeyed", "response/text/json broken", // the answer's rules; plain knows one format
	}, empty)
}

func TestServersWithoutTheFrameworksHabitsKeepToThePage(t *testing.T) {
	for name, h := range map[string]http.Handler{"plain": newPlain(), "idiomatic": http.HandlerFunc(serveIdiomatic)} {
		t.Run(name, func(t *testing.T) {
			r := run(t, testsuite.Config{Handler: h, Combinations: 2})
			require.Zero(t, r.Exit, r.Verdict)
			require.Empty(t, only(r, testsuite.Must, notPass...))
			require.GreaterOrEqual(t, r.Count(testsuite.Must, testsuite.Pass), 600)
			r = run(t, testsuite.Config{Handler: h, FailOn: testsuite.FailOnShould})
			require.Equal(t, testsuite.ExitBroken, r.Exit, "they have habits of their own")
		})
	}
}

func TestAServerThatHangsIsUnreachable(t *testing.T) {
	gone := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-r.Context().Done():
		case <-gone:
		}
	}))
	defer server.Close()
	defer close(gone)
	r := run(t, testsuite.Config{URL: server.URL, Timeout: 50 * time.Millisecond})
	require.Equal(t, testsuite.ExitUnreachable, r.Exit, r.Verdict)
	require.Contains(t, r.Verdict, "no response within 50ms")
	require.Equal(t, 1, r.Requests)
}

func TestNobodyThereIsUnreachable(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	r := run(t, testsuite.Config{URL: server.URL})
	require.Equal(t, testsuite.ExitUnreachable, r.Exit, r.Verdict)
	require.Zero(t, r.Writes, "what was not sent is not charged")
}

// counter counts what reaches a server and what it accepts.
type counter struct {
	http.Handler
	requests, accepted, under, most atomic.Int64
}

func (c *counter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.requests.Add(1)
	if n := c.under.Add(1); n > c.most.Load() {
		c.most.Store(n)
	}
	defer c.under.Add(-1)
	seen := httptest.NewRecorder()
	c.Handler.ServeHTTP(seen, r)
	if seen.Code < 300 {
		c.accepted.Add(1)
	}
	for name, values := range seen.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(seen.Code)
	_, _ = w.Write(seen.Body.Bytes())
}

func TestNoMoreIsWrittenThanAllowed(t *testing.T) {
	for _, remote := range []bool{true, false} {
		for _, allowed := range []int{0, 1, 3, 100} {
			for _, parallel := range []int{8} {
				t.Run(fmt.Sprintf("%d allowed, %d at once, remote %v", allowed, parallel, remote), func(t *testing.T) {
					t.Parallel()
					target := &counter{Handler: newPlain()}
					server := httptest.NewServer(target)
					defer server.Close()
					r := run(t, testsuite.Config{URL: server.URL, Remote: remote, MaxWrites: new(allowed), Parallel: parallel})
					require.LessOrEqual(t, int(target.accepted.Load()), allowed)
					require.LessOrEqual(t, r.Writes, allowed)
					require.LessOrEqual(t, int(target.requests.Load()), r.Requests)
					if allowed == 0 {
						require.Equal(t, testsuite.ExitInconclusive, r.Exit, "nothing is confirmed: %s", r.Verdict)
					} else {
						require.Equal(t, testsuite.ExitFine, r.Exit, r.Verdict)
					}
				})
			}
		}
	}
}

func TestWithOneWriteEveryRefusalInJSONIsConfirmed(t *testing.T) {
	r := run(t, testsuite.Config{Handler: newPlain(), MaxWrites: new(1)})
	for i := range r.Cases {
		x := &r.Cases[i]
		if x.Media == "application/json" && x.Level == testsuite.Must && x.Expect == fixtures.Reject {
			require.Equal(t, testsuite.Pass, x.Verdict, "%s: %s", x.ID, x.Reason)
			require.True(t, x.Confirmed, x.ID)
		}
	}
	require.Equal(t, 1, r.Writes)
}

func TestFewWritesReachEveryRuleFirst(t *testing.T) {
	r := run(t, testsuite.Config{Handler: newPlain(), MaxWrites: new(14), Level: testsuite.Should})
	for _, cell := range r.Coverage {
		if cell.Stated && cell.Possible && cell.Media == "application/json" && cell.Rule != "response/text/json" {
			require.True(t, cell.Covered(), "%s %s: %s", cell.Rule, cell.Side, cell.Reason)
		}
	}
}

func TestTheFirstUnexpectedWriteStopsTheRun(t *testing.T) {
	for _, most := range []int{1, 3} {
		for _, parallel := range []int{1, 16} {
			t.Run(fmt.Sprintf("at %d, %d at once", most, parallel), func(t *testing.T) {
				lenient := newPlain()
				lenient.everything = true
				target := &counter{Handler: lenient}
				server := httptest.NewServer(target)
				defer server.Close()
				c := testsuite.Config{URL: server.URL, Remote: true, Parallel: parallel}
				if most > 1 {
					c.MaxUnexpectedWrites = new(most)
				}
				r := run(t, c)
				require.Equal(t, testsuite.ExitSafety, r.Exit, r.Verdict)
				require.EqualValues(t, most, target.accepted.Load())
				require.Equal(t, most, r.UnexpectedWrites)
				require.LessOrEqual(t, int(target.most.Load()), most, "each of those under way may be a write")
			})
		}
	}
}

func TestAPlanSendsNothingAndSaysTheWorst(t *testing.T) {
	target := &counter{Handler: newPlain()}
	server := httptest.NewServer(target)
	defer server.Close()
	c := testsuite.Config{Contract: contract(t), URL: server.URL, Remote: true, MaxWrites: new(5)}
	plan, err := testsuite.Plan(c)
	require.NoError(t, err)
	require.Zero(t, target.requests.Load())
	require.Equal(t, 6, plan.Writes, "five allowed, and one unexpected before the run stops")
	require.Greater(t, plan.Sends, 600)
	r := run(t, c)
	require.Equal(t, plan.Sends, r.Requests)
	sent := map[string]bool{}
	for i := range r.Exchanges {
		sent[r.Exchanges[i].ID] = true
	}
	for _, q := range plan.Requests {
		require.NotEmpty(t, q.Curl)
		require.Equal(t, q.Skipped == "", sent[q.ID], q.ID)
	}
}

func TestTheLedgerHoldsWhatWasAccepted(t *testing.T) {
	server := newPlain()
	server.acceptedBody = `{"data":{"ids":[17]}}`
	server.field("Note").max = 1001
	var ledger bytes.Buffer
	r := run(t, testsuite.Config{Handler: server, MaxWrites: new(4), MaxUnexpectedWrites: new(2), Run: []string{"optional", "Note/length"}, Ledger: &ledger, IDPath: "/data/ids/0"})
	kinds := map[string]int{}
	for d := json.NewDecoder(&ledger); ; {
		var line struct{ Time, Case, Write, ID string }
		err := d.Decode(&line)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		require.Equal(t, "17", line.ID)
		require.NotEmpty(t, line.Case)
		kinds[line.Write]++
	}
	require.Equal(t, testsuite.ExitSafety, r.Exit, r.Verdict)
	require.Equal(t, 2, r.UnexpectedWrites)
	require.Equal(t, r.UnexpectedWrites, kinds["unexpected"])
	require.Equal(t, r.Writes, kinds["allowed"])
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestALedgerThatCannotBeWrittenStopsTheRun(t *testing.T) {
	r := run(t, testsuite.Config{Handler: newPlain(), Ledger: brokenWriter{}, Parallel: 1})
	require.Equal(t, testsuite.ExitSafety, r.Exit)
	require.Equal(t, 1, r.Requests)
	require.Contains(t, r.Verdict, "disk full")
}

func TestRefusedDataStopTheRun(t *testing.T) {
	target := &counter{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"Message":"no such user"}`)
	})}
	r := run(t, testsuite.Config{Handler: target, Parallel: 1})
	require.Equal(t, testsuite.ExitBroken, r.Exit)
	require.Contains(t, r.Verdict, "your data was refused")
	require.Contains(t, r.Verdict, "no such user")
	require.Less(t, int(target.requests.Load()), 5)
	require.Len(t, r.Failed(testsuite.Must), 1+1, "the control, and the page's own sample")
}

func TestATargetThatAsksForMoreThanThePageIsNamed(t *testing.T) {
	server := newPlain()
	server.field("Note").required = true
	r := run(t, testsuite.Config{Handler: server})
	require.Equal(t, testsuite.ExitBroken, r.Exit)
	require.Contains(t, r.Verdict, "The target asks for Note, which the page does not list as Required")
	// With a value for it the run goes on.
	r = run(t, testsuite.Config{Handler: server, Set: map[string]string{"Note": "a note"}})
	require.Equal(t, testsuite.ExitBroken, r.Exit)
	require.NotContains(t, r.Verdict, "your data")
	var failed []string
	for _, x := range r.Failed(testsuite.Must) {
		failed = append(failed, x.ID)
	}
	require.Contains(t, failed, "Note/missing")
	require.Less(t, len(failed), 8, failed)
}

func TestRealIdsAreTheOnlyOnesSent(t *testing.T) {
	const known = "0f8fad5b-d9cb-469f-a165-70867728950e"
	strict := newPlain()
	var mu sync.Mutex
	strange := 0
	server := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		var b struct{ UserId string }
		if json.Unmarshal(body, &b) == nil && len(b.UserId) == len(known) && !equalFold(b.UserId, known) && strict.fits(strict.field("UserId"), b.UserId) {
			mu.Lock()
			strange++
			mu.Unlock()
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		strict.ServeHTTP(w, r)
	})
	r := run(t, testsuite.Config{Handler: server, Set: map[string]string{"UserId": known}, Level: testsuite.Must})
	require.Zero(t, r.Exit, r.Verdict)
	rows := []map[string]string{{"UserId": known}}
	r = run(t, testsuite.Config{Handler: server, Data: rows, Level: testsuite.Must})
	require.Zero(t, r.Exit, r.Verdict)
}

func equalFold(a, b string) bool { return bytes.EqualFold([]byte(a), []byte(b)) }

func TestDataAreUsedInTurns(t *testing.T) {
	rows := []map[string]string{}
	for i := range 5 {
		rows = append(rows, map[string]string{"UserId": fmt.Sprintf("00000000-0000-4000-8000-00000000000%d", i+1)})
	}
	cases, err := testsuite.Cases(testsuite.Config{Contract: contract(t), Data: rows})
	require.NoError(t, err)
	used := map[string]int{}
	for i := range cases {
		for _, row := range rows {
			if bytes.Contains(cases[i].Request.Body, []byte(row["UserId"])) {
				used[row["UserId"]]++
				if cases[i].Expect == fixtures.Reject && cases[i].Aspect == testsuite.Outcome {
					require.Equal(t, rows[0]["UserId"], row["UserId"], "what is refused differs in one thing from the control: %s", cases[i].ID)
				}
			}
		}
	}
	require.Len(t, used, 5)
}

func TestNoRequestIsSentTwiceThatMayHaveBeenAccepted(t *testing.T) {
	// The connection is cut before the answer, as a proxy does that gives up.
	plain := newPlain()
	cut := &counter{Handler: plain}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cut.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	}))
	defer server.Close()
	var ledger bytes.Buffer
	r := run(t, testsuite.Config{URL: server.URL, MaxWrites: new(3), Parallel: 1, Ledger: &ledger})
	require.Equal(t, testsuite.ExitUnreachable, r.Exit, r.Verdict)
	require.EqualValues(t, 1, cut.accepted.Load())
	require.Contains(t, ledger.String(), `"write":"unknown"`)
}

func TestAFlakyCaseIsNoFailure(t *testing.T) {
	plain := newPlain()
	var first sync.Once
	server := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		broken := false
		if r.Header.Get(testsuite.CaseHeader) == "UserId/kind/word" {
			first.Do(func() { broken = true })
		}
		if broken {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		plain.ServeHTTP(w, r)
	})
	r := run(t, testsuite.Config{Handler: server, Level: testsuite.Must})
	require.Equal(t, testsuite.ExitInconclusive, r.Exit, r.Verdict)
	require.Equal(t, 1, r.Count(testsuite.Must, testsuite.Flaky))
}

func TestABusyServerIsAskedAgain(t *testing.T) {
	plain := newPlain()
	var turn atomic.Int64
	target := &counter{Handler: plain}
	server := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if turn.Add(1)%2 == 1 {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		target.ServeHTTP(w, r)
	})
	r := run(t, testsuite.Config{Handler: server, MaxWrites: new(8), Parallel: 1, Level: testsuite.Must, Run: []string{"UserId", "optional"}})
	require.Zero(t, r.Exit, r.Verdict)
	require.EqualValues(t, 4, target.accepted.Load(), "each time that it is sent is charged")
	require.Equal(t, 8, r.Writes)
}

func TestATokenIsAskedForAgainAfter401(t *testing.T) {
	plain := newPlain()
	var issued atomic.Int64
	var uses atomic.Int64
	server := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if uses.Add(1)%50 == 0 || r.Header.Get("Authorization") != fmt.Sprintf("Bearer token-%d", issued.Load()) {
			issued.Add(1)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		plain.ServeHTTP(w, r)
	})
	token := func(context.Context) (string, error) { return fmt.Sprintf("Bearer token-%d", issued.Load()), nil }
	r := run(t, testsuite.Config{Handler: server, Token: token, Parallel: 1, Level: testsuite.Must, Media: []string{"application/json"}})
	require.Zero(t, r.Exit, r.Verdict)
	require.Greater(t, issued.Load(), int64(5))
}

func TestNoSecretIsInTheResults(t *testing.T) {
	const header, token, user, reason = "k3y-of-the-house", "Bearer tok3n-of-the-day", "0f8fad5b-d9cb-469f-a165-70867728950e", "a private matter"
	// The server echoes whatever it is told, and breaks down now and then.
	var turn atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		echo, err := json.Marshal(map[string]any{"headers": r.Header, "body": string(body), "query": r.URL.String()})
		if err != nil {
			return
		}
		w.Header().Set("Location", "/bookings/"+user+"?key="+header)
		w.Header().Set("Content-Type", "application/json")
		if turn.Add(1)%3 == 0 {
			w.WriteHeader(http.StatusInternalServerError)
		}
		_, _ = w.Write(echo)
	}))
	defer server.Close()
	address := "http://someone:p4ssword@" + server.Listener.Addr().String()
	var ledger bytes.Buffer
	c := testsuite.Config{
		Contract: contract(t), URL: address, Headers: []fixtures.Header{{Name: "X-Key", Value: header}},
		Token:  func(context.Context) (string, error) { return token, nil },
		Redact: []string{"UserId", "Reason"}, Set: map[string]string{"UserId": user, "Reason": reason},
		Ledger: &ledger, IDPath: "/body",
	}
	r := run(t, c)
	require.Equal(t, testsuite.ExitBroken, r.Exit, r.Verdict)
	record, err := json.Marshal(r)
	require.NoError(t, err)
	plan, err := testsuite.Plan(c)
	require.NoError(t, err)
	planned, err := json.Marshal(plan)
	require.NoError(t, err)
	for _, secret := range []string{header, "tok3n", "p4ssword", user, reason} {
		require.NotContains(t, string(record), secret)
		require.NotContains(t, ledger.String(), secret)
		require.NotContains(t, string(planned), secret)
	}
	require.Contains(t, string(record), "[hidden]")
}

func TestABodyIsTheSameWhateverElseIsChosen(t *testing.T) {
	c := contract(t)
	bodies := func(change func(*testsuite.Config)) map[string]string {
		config := testsuite.Config{Contract: c, Seed: 7, Combinations: 2}
		change(&config)
		cases, err := testsuite.Cases(config)
		require.NoError(t, err)
		all := map[string]string{}
		for i := range cases {
			all[cases[i].ID] = string(cases[i].Request.Wire("host"))
		}
		return all
	}
	whole := bodies(func(*testsuite.Config) {})
	shards := 0
	for name, change := range map[string]func(*testsuite.Config){
		"shard 1":  func(c *testsuite.Config) { c.Shard = testsuite.Shard{I: 1, N: 3} },
		"shard 2":  func(c *testsuite.Config) { c.Shard = testsuite.Shard{I: 2, N: 3} },
		"shard 3":  func(c *testsuite.Config) { c.Shard = testsuite.Shard{I: 3, N: 3} },
		"parallel": func(c *testsuite.Config) { c.Parallel = 9 },
		"field":    func(c *testsuite.Config) { c.Fields = []string{"Reasons"} },
		"media":    func(c *testsuite.Config) { c.Media = []string{"text/json"} },
		"run":      func(c *testsuite.Config) { c.Run = []string{"*/length/*", "media"} },
		"skip":     func(c *testsuite.Config) { c.Skip = []string{"*naughty*"} },
		"level":    func(c *testsuite.Config) { c.Level = testsuite.Must },
	} {
		some := bodies(change)
		require.NotEmpty(t, some, name)
		for id, body := range some {
			require.Equal(t, whole[id], body, "%s: %s", name, id)
		}
		if name[:2] == "sh" {
			shards += len(some)
		} else if name != "parallel" {
			require.Less(t, len(some), len(whole), name)
		}
	}
	require.Len(t, whole, shards, "the shards together are the whole")
}

func TestWhatIsSentIsWhatTheCaseSays(t *testing.T) {
	cases, err := testsuite.Cases(testsuite.Config{Contract: contract(t)})
	require.NoError(t, err)
	want := map[string]*testsuite.Case{}
	for i := range cases {
		want[cases[i].ID] = &cases[i]
	}
	var mu sync.Mutex
	seen := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		x := want[r.Header.Get(testsuite.CaseHeader)]
		if x == nil || x.Request.Raw != nil || err != nil {
			return
		}
		seen++
		if string(body) != string(x.Request.Body) || r.Method != x.Request.Method || r.RequestURI != "/prefix"+x.Request.Path ||
			r.Header.Get("Content-Type") != x.Request.Header("Content-Type") || r.Header.Get("User-Agent") != "understudy/1.2.3" {
			t.Errorf("%s: %s %s %q", x.ID, r.Method, r.RequestURI, r.Header)
		}
	}))
	defer server.Close()
	run(t, testsuite.Config{URL: server.URL + "/prefix/", Version: "1.2.3"})
	require.Greater(t, seen, 2500)
}

func TestAnotherRouteAndAnAddressThatEndsWithIt(t *testing.T) {
	plain := newPlain()
	for name, c := range map[string]testsuite.Config{
		"the route in the address": {URL: "/api/Calendar/PatientAppointmentPost_v2"},
		"a prefix":                 {URL: "/v1"},
		"another path":             {URL: "/v1", Path: "/bookings"},
	} {
		t.Run(name, func(t *testing.T) {
			want := map[string]string{"the route in the address": "/api/Calendar/PatientAppointmentPost_v2",
				"a prefix": "/v1/api/Calendar/PatientAppointmentPost_v2", "another path": "/v1/bookings"}[name]
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != want {
					w.WriteHeader(http.StatusNotFound)
					return
				}
				plain.ServeHTTP(w, r)
			}))
			defer server.Close()
			c.URL = server.URL + c.URL
			r := run(t, c)
			require.Zero(t, r.Exit, r.Verdict)
		})
	}
}

func TestAnEnvelopeCanSayThatItWasRefused(t *testing.T) {
	server := newPlain()
	server.refused, server.refusedBody = 200, `{"success":false,"error":"no"}`
	server.wrong = map[string]int{"method": 200, "media": 200}
	refused, err := testsuite.RefusedWhen("/success=false")
	require.NoError(t, err)
	r := run(t, testsuite.Config{Handler: server, IsRefusal: refused})
	require.Zero(t, r.Exit, r.Verdict)
	require.Equal(t, testsuite.ExitBroken, run(t, testsuite.Config{Handler: server}).Exit)
}

func TestAnInterruptedRunSaysWhatItFound(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	plain := newPlain()
	var n atomic.Int64
	server := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) == 100 {
			cancel()
		}
		plain.ServeHTTP(w, r)
	})
	r, err := testsuite.Run(ctx, testsuite.Config{Contract: contract(t), Handler: server})
	require.NoError(t, err)
	require.Equal(t, testsuite.ExitInconclusive, r.Exit, r.Verdict)
	require.Contains(t, r.Verdict, "interrupted")
	require.Greater(t, r.Count(testsuite.Must, testsuite.Pass), 50)
	require.Greater(t, r.Count(testsuite.Must, testsuite.Skipped), 500)
}

func TestLimitsOfRequestsAndTimeAreKept(t *testing.T) {
	target := &counter{Handler: newPlain()}
	r := run(t, testsuite.Config{Handler: target, MaxRequests: 40})
	require.EqualValues(t, 40, target.requests.Load())
	require.Equal(t, testsuite.ExitInconclusive, r.Exit)
	r = run(t, testsuite.Config{Handler: newPlain(), MaxTime: time.Nanosecond})
	require.Equal(t, testsuite.ExitInconclusive, r.Exit)
	require.Contains(t, r.Verdict, "time was up")
	// 1,000 requests at 100,000 a second take ten milliseconds or more.
	r = run(t, testsuite.Config{Handler: newPlain(), Rate: 100_000, MaxRequests: 1000})
	require.GreaterOrEqual(t, r.Seconds, 0.00999)
}

func TestConfigsThatCannotRunAreErrors(t *testing.T) {
	c := contract(t)
	for want, config := range map[string]testsuite.Config{
		"no contract":                       {URL: "http://127.0.0.1"},
		"either the URL":                    {Contract: c},
		"is no address":                     {Contract: c, URL: "ftp://x"},
		"has a query":                       {Contract: c, URL: "http://x?y=1"},
		"the nearest is \"UserId/missing\"": {Contract: c, URL: "http://x", Run: []string{"UserId/mising"}},
		"no case has an id like \"zz*\"":    {Contract: c, URL: "http://x", Skip: []string{"zz*"}},
		"no request format":                 {Contract: c, URL: "http://x", Media: []string{"image/png"}},
		"no case is about a member":         {Contract: c, URL: "http://x", Fields: []string{"Nope"}},
		"leave out one of":                  {Contract: c, URL: "http://x", Run: []string{"UserId"}, Fields: []string{"Note"}},
		"unknown level":                     {Contract: c, URL: "http://x", Level: "OUGHT"},
		"cannot fail on":                    {Contract: c, URL: "http://x", FailOn: "often"},
		"no shard 3/2":                      {Contract: c, URL: "http://x", Shard: testsuite.Shard{I: 3, N: 2}},
		"below zero: use 0 or more":         {Contract: c, URL: "http://x", MaxWrites: new(-1)},
		"use 1 or more":                     {Contract: c, URL: "http://x", MaxUnexpectedWrites: new(0)},
		"are an attack":                     {Contract: c, URL: "http://x", Parallel: 1000},
		"cannot redact \"Nope\"":            {Contract: c, URL: "http://x", Redact: []string{"Nope"}},
		"cannot set UserId":                 {Contract: c, URL: "http://x", Set: map[string]string{"UserId": "x"}},
		"row 1 of the data":                 {Contract: c, URL: "http://x", Data: []map[string]string{{"UserId": "x"}}},
		"the path \"?\"":                    {Contract: c, URL: "http://x", Path: "?"},
	} {
		r, err := testsuite.Run(t.Context(), config)
		require.ErrorContains(t, err, want)
		require.Nil(t, r)
	}
	_, err := testsuite.Run(t.Context(), testsuite.Config{Contract: c, URL: "http://u:hush-hush@x:port"})
	require.Error(t, err)
	require.NotContains(t, err.Error(), "hush-hush")
}

// recorder stands in for a *testing.T, to see what Test tells it.
type recorder struct {
	ctx             context.Context
	failed, skipped []string
	name            string
	runs            *int
	parent          *recorder
}

func (r *recorder) Helper()                  {}
func (r *recorder) Context() context.Context { return r.ctx }
func (r *recorder) Logf(string, ...any)      {}
func (r *recorder) Skip(...any)              { r.parent.skipped = append(r.parent.skipped, r.name) }
func (r *recorder) Errorf(string, ...any) {
	to := r
	if r.parent != nil {
		to = r.parent
	}
	to.failed = append(to.failed, r.name)
}
func (r *recorder) Fatalf(format string, args ...any) { r.Errorf(format, args...) }
func (r *recorder) Run(name string, f func(*recorder)) bool {
	*r.runs++
	f(&recorder{ctx: r.ctx, name: name, parent: r})
	return true
}

func TestTestTellsOfEachCase(t *testing.T) {
	server := newPlain()
	server.field("Note").max = 1001
	to := &recorder{ctx: t.Context(), runs: new(int), name: "whole"}
	testsuite.Test(to, testsuite.Config{Contract: contract(t), Handler: server, Fields: []string{"Note"}})
	require.Contains(t, to.failed, "Note/length/1001")
	require.Contains(t, to.failed, "whole")
	require.NotContains(t, to.failed, "Note/length/1000")
	require.Greater(t, *to.runs, 50)
	mock, err := mockserver.New(contract(t))
	require.NoError(t, err)
	testsuite.Test(t, testsuite.Config{Contract: contract(t), Handler: mock, Fields: []string{"Reason"}})
}

func TestNothingIsSentAfterAStopThatWaitedForItsTurn(t *testing.T) {
	const allowed = 3
	plain := newPlain()
	target := &counter{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get(testsuite.CaseHeader) == "UserId/missing" {
			plain.write(w, http.StatusOK, plain.acceptedBody, plain.acceptedType)
			return
		}
		plain.ServeHTTP(w, r)
	})}
	r := run(t, testsuite.Config{Handler: target, MaxWrites: new(allowed), Rate: 2000, Parallel: 32, Run: []string{"UserId/missing", "optional"}})
	require.Equal(t, testsuite.ExitSafety, r.Exit, r.Verdict)
	require.EqualValues(t, r.Requests, target.requests.Load(), "what was not sent is not counted")
	require.LessOrEqual(t, r.Writes, allowed)
}
