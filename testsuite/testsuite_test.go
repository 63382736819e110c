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
	"os"
	"os/exec"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/helppage"
	"github.com/seed47566266/understudy/contracts/oracle"
	"github.com/seed47566266/understudy/fixtures"
	"github.com/seed47566266/understudy/mockserver"
	"github.com/seed47566266/understudy/testsuite"
)

// TestMain has the runs of the tests, each of which fills a hundred megabytes with
// responses and drops them, collect their garbage less often.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	os.Exit(m.Run())
}

// sampleDay is the day of the page's sample.
var sampleDay = time.Date(2026, time.February, 3, 0, 0, 0, 0, time.UTC)

func contract(t testing.TB) *contracts.Contract {
	t.Helper()
	c, err := helppage.Parse(contracts.Page())
	require.NoError(t, err)
	return c
}

// ofThePage is the suite of the page, which every test shares.
var ofThePage = sync.OnceValues(func() (*testsuite.Suite, error) {
	c, err := helppage.Parse(contracts.Page())
	if err != nil {
		return nil, err
	}
	return testsuite.New(c, testsuite.Payloads{Now: sampleDay})
})

func suite(t testing.TB) *testsuite.Suite {
	t.Helper()
	s, err := ofThePage()
	require.NoError(t, err)
	return s
}

func suiteOf(t testing.TB, c *contracts.Contract, p testsuite.Payloads) *testsuite.Suite {
	t.Helper()
	p.Now = sampleDay
	s, err := testsuite.New(c, p)
	require.NoError(t, err)
	return s
}

// allParts has a run fail on whatever fails.
var allParts = testsuite.Parts()

func run(t *testing.T, c testsuite.Config) *testsuite.Results {
	t.Helper()
	return runOf(t, suite(t), c)
}

func runOf(t *testing.T, s *testsuite.Suite, c testsuite.Config) *testsuite.Results {
	t.Helper()
	r, err := s.Run(t.Context(), c)
	require.NoError(t, err)
	return r
}

// only lists the ids of a level with a verdict.
func only(r *testsuite.Results, l fixtures.Level, verdicts ...testsuite.Verdict) []string {
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

var notPass = []testsuite.Verdict{
	testsuite.VerdictFail, testsuite.VerdictKnownFailure, testsuite.VerdictUnexpectedPass,
	testsuite.VerdictFlaky, testsuite.VerdictSkipped, testsuite.VerdictInconclusive, testsuite.VerdictError,
}

func TestTheMockConformsAtEveryLevel(t *testing.T) {
	mock, err := mockserver.New(contract(t))
	require.NoError(t, err)
	server := httptest.NewServer(mock)
	defer server.Close()
	for name, c := range map[string]testsuite.Config{"over HTTP": {Target: testsuite.Target{URL: server.URL}},
		"in process": {Target: testsuite.Target{Handler: mock}}} {
		t.Run(name, func(t *testing.T) {
			c.FailOn, c.Strict = allParts, true
			r := run(t, c)
			require.Zero(t, r.Exit, r.Conclusion)
			require.Empty(t, only(r, fixtures.LevelMust, notPass...))
			require.Empty(t, only(r, fixtures.LevelShould, notPass...))
			require.GreaterOrEqual(t, r.Count(fixtures.LevelMust, testsuite.VerdictPass), 600)
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
		"other names, a shortest length": strings.NewReplacer("UserId", "BuyerKey", "AppointmentModel", "OrderModel",
			"inclusive between 0 and 250", "inclusive between 3 and 8"),
		"nothing Required": strings.NewReplacer("Required String", "String", "\nRequired\n", "\nNone.\n"),
	} {
		t.Run(name, func(t *testing.T) {
			c, err := helppage.Parse([]byte(change.Replace(string(contracts.Page()))))
			require.NoError(t, err)
			mock, err := mockserver.New(c)
			require.NoError(t, err)
			r := runOf(t, suiteOf(t, c, testsuite.Payloads{}),
				testsuite.Config{Target: testsuite.Target{Handler: mock}, FailOn: allParts, Strict: true})
			require.Zero(t, r.Exit, r.Conclusion)
			require.Equal(
				t,
				testsuite.ExitBroken,
				runOf(t, suiteOf(t, c, testsuite.Payloads{}),
					testsuite.Config{Target: testsuite.Target{Handler: newPlain()}}).Exit,
				"a server of the first page does not conform to this one",
			)
			for _, cell := range r.Coverage {
				require.True(t, cell.Covered() || !cell.Stated || !cell.Possible,
					"%s %s %s: %s", cell.Rule, cell.Media, cell.Side, cell.Reason)
			}
		})
	}
}

func TestAWrongFormatIsSeenInTheCoverage(t *testing.T) {
	server := newPlain()
	server.rejectedType = "text/plain"
	r := run(t, testsuite.Config{Target: testsuite.Target{Handler: server}})
	failed := 0
	for _, cell := range r.Coverage {
		if strings.HasPrefix(cell.Rule.String(), "response/") {
			failed += cell.Fail
		}
	}
	require.Len(t, r.Failed(fixtures.LevelMust), failed, "every MUST that fails is about the format")
}

// TestEveryStatedRuleIsTriedFromBothSidesInJSON names the only cells of JSON that
// stay empty, so that a case that is lost is seen.
func TestEveryStatedRuleIsTriedFromBothSidesInJSON(t *testing.T) {
	r := run(t, testsuite.Config{Target: testsuite.Target{Handler: newPlain()}})
	var empty []string
	for _, cell := range r.Coverage {
		if cell.Stated && !cell.Covered() && cell.Media == "application/json" {
			empty = append(empty, cell.Rule.String()+" "+cell.Side)
		}
	}
	require.Equal(t, []string{
		"request/text/json obeyed",
		"request/text/json broken", // a body has one media type
		"request/application/x-www-form-urlencoded obeyed", "request/application/x-www-form-urlencoded broken",
		"response/application/json broken", "response/text/json obeyed",
		"response/text/json broken", // the response's rules; plain knows one format
	}, empty)
}

func TestServersWithoutTheFrameworksDefaultsConform(t *testing.T) {
	for name, h := range map[string]http.Handler{"plain": newPlain(), "idiomatic": http.HandlerFunc(serveIdiomatic)} {
		t.Run(name, func(t *testing.T) {
			r := runOf(t, suiteOf(t, contract(t), testsuite.Payloads{Combinations: 2}),
				testsuite.Config{Target: testsuite.Target{Handler: h}})
			require.Zero(t, r.Exit, r.Conclusion)
			require.Empty(t, only(r, fixtures.LevelMust, notPass...))
			require.GreaterOrEqual(t, r.Count(fixtures.LevelMust, testsuite.VerdictPass), 600)
			r = run(t, testsuite.Config{Target: testsuite.Target{Handler: h}, FailOn: allParts})
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
	r := run(t, testsuite.Config{Target: testsuite.Target{URL: server.URL, Timeout: 50 * time.Millisecond}})
	require.Equal(t, testsuite.ExitUnreachable, r.Exit, r.Conclusion)
	require.Contains(t, r.Conclusion, "no response within 50ms")
	require.Equal(t, 1, r.Requests)
}

func TestNobodyThereIsUnreachable(t *testing.T) {
	server := startMortal(t, http.NotFound)
	server.Close()
	r := run(t, testsuite.Config{Target: testsuite.Target{URL: server.URL}})
	require.Equal(t, testsuite.ExitUnreachable, r.Exit, r.Conclusion)
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
					r := run(
						t,
						testsuite.Config{
							Target: testsuite.Target{URL: server.URL, Remote: remote},
							Limits: testsuite.Limits{Writes: new(allowed), Parallel: parallel},
						},
					)
					require.LessOrEqual(t, int(target.accepted.Load()), allowed)
					require.LessOrEqual(t, r.Writes, allowed)
					require.LessOrEqual(t, int(target.requests.Load()), r.Requests)
					if allowed == 0 {
						require.Equal(t, testsuite.ExitInconclusive, r.Exit, "nothing is confirmed: %s", r.Conclusion)
					} else {
						require.Equal(t, testsuite.ExitOK, r.Exit, r.Conclusion)
					}
				})
			}
		}
	}
}

func TestWithOneWriteEveryRejectionInJSONIsConfirmed(t *testing.T) {
	r := run(t,
		testsuite.Config{Target: testsuite.Target{Handler: newPlain()}, Limits: testsuite.Limits{Writes: new(1)}})
	for i := range r.Cases {
		x := &r.Cases[i]
		if x.Media == "application/json" && x.Level == fixtures.LevelMust && x.Expect == oracle.OutcomeReject {
			require.Equal(t, testsuite.VerdictPass, x.Verdict, "%s: %s", x.ID, x.Reason)
			require.True(t, x.Confirmed, x.ID)
		}
	}
	require.Equal(t, 1, r.Writes)
}

func TestFewWritesReachEveryRuleFirst(t *testing.T) {
	r := run(
		t,
		testsuite.Config{
			Target:    testsuite.Target{Handler: newPlain()},
			Limits:    testsuite.Limits{Writes: new(15)},
			Selection: testsuite.Selection{Level: fixtures.LevelShould},
		},
	)
	for _, cell := range r.Coverage {
		if cell.Stated && cell.Possible && cell.Media == "application/json" &&
			cell.Rule.String() != "response/text/json" {
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
				c := testsuite.Config{
					Target: testsuite.Target{URL: server.URL, Remote: true},
					Limits: testsuite.Limits{Parallel: parallel},
				}
				if most > 1 {
					c.Limits.UnexpectedWrites = new(most)
				}
				r := run(t, c)
				require.Equal(t, testsuite.ExitSafety, r.Exit, r.Conclusion)
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
	c := testsuite.Config{
		Target: testsuite.Target{URL: server.URL, Remote: true},
		Limits: testsuite.Limits{Writes: new(5)},
		Fuzz:   300,
	}
	plan, err := suite(t).Plan(c)
	require.NoError(t, err)
	require.Zero(t, target.requests.Load())
	require.Equal(t, 6, plan.Writes, "five allowed, and one unexpected before the run stops")
	require.Greater(t, plan.Sends, 600)
	r := run(t, c)
	require.Equal(t, plan.Sends, r.Requests)
	require.Greater(t, r.Fuzzed, 50)
	sent := map[string]bool{}
	for i := range r.Exchanges {
		sent[r.Exchanges[i].ID] = true
	}
	fuzz := 0
	for _, q := range plan.Requests {
		require.NotEmpty(t, q.Curl)
		if strings.HasPrefix(q.ID, "fuzz/") {
			fuzz++ // those that conform are not kept
			continue
		}
		require.Equal(t, q.Skipped == "", sent[q.ID], q.ID)
	}
	require.Equal(t, 300, fuzz)
}

func TestTheLedgerHoldsWhatWasAccepted(t *testing.T) {
	server := newPlain()
	server.acceptedBody = `{"data":{"ids":[17]}}`
	server.field("Note").max = 1001
	var ledger bytes.Buffer
	r := run(
		t,
		testsuite.Config{
			Target:    testsuite.Target{Handler: server},
			Limits:    testsuite.Limits{Writes: new(4), UnexpectedWrites: new(2)},
			Selection: testsuite.Selection{Run: []string{"optional", "Note/length"}},
			Ledger:    &ledger,
			IDPath:    "/data/ids/0",
		},
	)
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
	require.Equal(t, testsuite.ExitSafety, r.Exit, r.Conclusion)
	require.Equal(t, 2, r.UnexpectedWrites)
	require.Equal(t, r.UnexpectedWrites, kinds["unexpected"])
	require.Equal(t, r.Writes, kinds["allowed"])
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestALedgerThatCannotBeWrittenStopsTheRun(t *testing.T) {
	r := run(
		t,
		testsuite.Config{
			Target: testsuite.Target{Handler: newPlain()},
			Ledger: brokenWriter{},
			Limits: testsuite.Limits{Parallel: 1},
		},
	)
	require.Equal(t, testsuite.ExitSafety, r.Exit)
	require.Equal(t, 1, r.Requests)
	require.Contains(t, r.Conclusion, "disk full")
}

func TestRejectedDataStopTheRun(t *testing.T) {
	target := &counter{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"Message":"no such user"}`)
	})}
	r := run(t, testsuite.Config{Target: testsuite.Target{Handler: target}, Limits: testsuite.Limits{Parallel: 1}})
	require.Equal(t, testsuite.ExitBroken, r.Exit)
	require.Contains(t, r.Conclusion, "your data was rejected")
	require.Contains(t, r.Conclusion, "no such user")
	require.LessOrEqual(t, int(target.requests.Load()), 2+1+2,
		"the control, confirmed; the page's own sample; and two other dates")
	require.Len(t, r.Failed(fixtures.LevelMust), 1+1+2)
	require.Len(t, r.Findings, 1)
}

func TestATargetThatAsksForMoreThanThePageIsNamed(t *testing.T) {
	server := newPlain()
	server.field("Note").required = true
	r := run(t, testsuite.Config{Target: testsuite.Target{Handler: server}})
	require.Equal(t, testsuite.ExitBroken, r.Exit)
	require.Contains(t, r.Conclusion, "The target requires Note, which the page does not list as Required")
	// With a value for it the run goes on.
	r = runOf(t, suiteOf(t, contract(t), testsuite.Payloads{Set: map[string]string{"Note": "a note"}}),
		testsuite.Config{Target: testsuite.Target{Handler: server}})
	require.Equal(t, testsuite.ExitBroken, r.Exit)
	require.NotContains(t, r.Conclusion, "your data")
	var failed []string
	for _, x := range r.Failed(fixtures.LevelMust) {
		failed = append(failed, x.ID)
	}
	require.Contains(t, failed, "Note/optional/missing")
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
		if json.Unmarshal(body, &b) == nil && len(b.UserId) == len(known) && !equalFold(b.UserId, known) &&
			strict.fits(strict.field("UserId"), b.UserId) {
			mu.Lock()
			strange++
			mu.Unlock()
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		strict.ServeHTTP(w, r)
	})
	r := runOf(
		t,
		suiteOf(t, contract(t), testsuite.Payloads{Set: map[string]string{"UserId": known}}),
		testsuite.Config{
			Target:    testsuite.Target{Handler: server},
			Selection: testsuite.Selection{Level: fixtures.LevelMust},
		},
	)
	require.Zero(t, r.Exit, r.Conclusion)
	rows := []map[string]string{{"UserId": known}}
	r = runOf(
		t,
		suiteOf(t, contract(t), testsuite.Payloads{Rows: rows}),
		testsuite.Config{
			Target:    testsuite.Target{Handler: server},
			Selection: testsuite.Selection{Level: fixtures.LevelMust},
		},
	)
	require.Zero(t, r.Exit, r.Conclusion)
}

func equalFold(a, b string) bool { return bytes.EqualFold([]byte(a), []byte(b)) }

func TestDataAreUsedInTurns(t *testing.T) {
	rows := []map[string]string{}
	for i := range 5 {
		rows = append(rows, map[string]string{"UserId": fmt.Sprintf("00000000-0000-4000-8000-00000000000%d", i+1)})
	}
	cases, err := suiteOf(t, contract(t), testsuite.Payloads{Rows: rows}).Cases(testsuite.Selection{})
	require.NoError(t, err)
	used := map[string]int{}
	for i := range cases {
		for _, row := range rows {
			if bytes.Contains(cases[i].Request.Body, []byte(row["UserId"])) {
				used[row["UserId"]]++
				if cases[i].Expect == oracle.OutcomeReject && cases[i].Aspect == testsuite.AspectOutcome {
					require.Equal(t, rows[0]["UserId"], row["UserId"],
						"what is rejected differs in one thing from the control: %s", cases[i].ID)
				}
			}
		}
	}
	require.Len(t, used, 5)
}

func TestNoRequestIsSentTwiceThatMayHaveBeenAccepted(t *testing.T) {
	// The connection is cut before the response, as a proxy does that gives up.
	plain := newPlain()
	cut := &counter{Handler: plain}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cut.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	}))
	defer server.Close()
	var ledger bytes.Buffer
	r := run(
		t,
		testsuite.Config{
			Target: testsuite.Target{URL: server.URL},
			Limits: testsuite.Limits{Writes: new(3), Parallel: 1},
			Ledger: &ledger,
		},
	)
	require.Equal(t, testsuite.ExitUnreachable, r.Exit, r.Conclusion)
	require.EqualValues(t, 1, cut.accepted.Load())
	require.Contains(t, ledger.String(), `"write":"unknown"`)
}

func TestAFlakyCaseIsNoFailure(t *testing.T) {
	plain := newPlain()
	var first sync.Once
	server := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		broken := false
		if r.Header.Get("X-Understudy-Case") == "UserId/type/word" {
			first.Do(func() { broken = true })
		}
		if broken {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		plain.ServeHTTP(w, r)
	})
	r := run(
		t,
		testsuite.Config{
			Target:    testsuite.Target{Handler: server},
			Selection: testsuite.Selection{Level: fixtures.LevelMust},
		},
	)
	require.Equal(t, testsuite.ExitInconclusive, r.Exit, r.Conclusion)
	require.Equal(t, 1, r.Count(fixtures.LevelMust, testsuite.VerdictFlaky))
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
	r := run(
		t,
		testsuite.Config{
			Target:    testsuite.Target{Handler: server},
			Limits:    testsuite.Limits{Writes: new(8), Parallel: 1},
			Selection: testsuite.Selection{Level: fixtures.LevelMust, Run: []string{"UserId", "optional"}},
		},
	)
	require.Zero(t, r.Exit, r.Conclusion)
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
	r := run(
		t,
		testsuite.Config{
			Target:    testsuite.Target{Handler: server, Token: token},
			Limits:    testsuite.Limits{Parallel: 1},
			Selection: testsuite.Selection{Level: fixtures.LevelMust, Media: []string{"application/json"}},
		},
	)
	require.Zero(t, r.Exit, r.Conclusion)
	require.Greater(t, issued.Load(), int64(5))
}

func TestNoSecretIsInTheResults(t *testing.T) {
	const header, token = "k3y-of-the-house", "Bearer tok3n-of-the-day"
	const user, reason = "0f8fad5b-d9cb-469f-a165-70867728950e", "a private matter"
	// The server echoes whatever it gets, and fails now and then.
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
	s := suiteOf(t, contract(t), testsuite.Payloads{Set: map[string]string{"UserId": user, "Reason": reason}})
	c := testsuite.Config{
		Target: testsuite.Target{
			URL:     address,
			Headers: []contracts.Header{{Name: "X-Key", Value: header}},
			Token:   func(context.Context) (string, error) { return token, nil },
		},
		Redact: []string{"UserId", "Reason"},
		Ledger: &ledger,
		IDPath: "/body",
	}
	r := runOf(t, s, c)
	require.Equal(t, testsuite.ExitBroken, r.Exit, r.Conclusion)
	record, err := json.Marshal(r)
	require.NoError(t, err)
	plan, err := s.Plan(c)
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
	s := suiteOf(t, contract(t), testsuite.Payloads{Seed: 7, Combinations: 2})
	bodies := func(change func(*testsuite.Selection)) map[string]string {
		var selected testsuite.Selection
		change(&selected)
		cases, err := s.Cases(selected)
		require.NoError(t, err)
		all := map[string]string{}
		for i := range cases {
			all[cases[i].ID] = string(cases[i].Request.Wire("host"))
		}
		return all
	}
	whole := bodies(func(*testsuite.Selection) {})
	shards := 0
	for name, change := range map[string]func(*testsuite.Selection){
		"shard 1": func(s *testsuite.Selection) { s.Shard = fixtures.Shard{Part: 1, Of: 3} },
		"shard 2": func(s *testsuite.Selection) { s.Shard = fixtures.Shard{Part: 2, Of: 3} },
		"shard 3": func(s *testsuite.Selection) { s.Shard = fixtures.Shard{Part: 3, Of: 3} },
		"field":   func(s *testsuite.Selection) { s.Fields = []string{"Reasons"} },
		"media":   func(s *testsuite.Selection) { s.Media = []string{"text/json"} },
		"run":     func(s *testsuite.Selection) { s.Run = []string{"*/length/*", "media"} },
		"skip":    func(s *testsuite.Selection) { s.Skip = []string{"*naughty*"} },
		"level":   func(s *testsuite.Selection) { s.Level = fixtures.LevelMust },
	} {
		some := bodies(change)
		require.NotEmpty(t, some, name)
		for id, body := range some {
			require.Equal(t, whole[id], body, "%s: %s", name, id)
		}
		if name[:2] == "sh" {
			shards += len(some)
		} else {
			require.Less(t, len(some), len(whole), name)
		}
	}
	require.Len(t, whole, shards, "the shards together are the whole")
}

func TestWhatIsSentIsWhatTheCaseSays(t *testing.T) {
	cases, err := suite(t).Cases(testsuite.Selection{})
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
		x := want[r.Header.Get("X-Understudy-Case")]
		if x == nil || x.Request.Raw != nil || err != nil {
			return
		}
		seen++
		if string(body) != string(x.Request.Body) || r.Method != x.Request.Method ||
			r.RequestURI != "/prefix"+x.Request.Path ||
			r.Header.Get("Content-Type") != x.Request.Header("Content-Type") ||
			r.Header.Get("User-Agent") != "understudy/1.2.3" {
			t.Errorf("%s: %s %s %q", x.ID, r.Method, r.RequestURI, r.Header)
		}
	}))
	defer server.Close()
	run(t, testsuite.Config{Target: testsuite.Target{URL: server.URL + "/prefix/", Version: "1.2.3"}})
	require.Greater(t, seen, 2500)
}

func TestAnotherRouteAndAnAddressThatEndsWithIt(t *testing.T) {
	plain := newPlain()
	for name, c := range map[string]testsuite.Config{
		"the route in the address": {Target: testsuite.Target{URL: "/api/Calendar/PatientAppointmentPost_v2"}},
		"a prefix":                 {Target: testsuite.Target{URL: "/v1"}},
		"another path":             {Target: testsuite.Target{URL: "/v1"}},
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
			c.Target.URL = server.URL + c.Target.URL
			s := suite(t)
			if name == "another path" {
				s = suiteOf(t, contract(t), testsuite.Payloads{Path: "/bookings"})
			}
			r := runOf(t, s, c)
			require.Zero(t, r.Exit, r.Conclusion)
		})
	}
}

func TestAnEnvelopeCanSayThatItWasRejected(t *testing.T) {
	server := newPlain()
	server.rejected, server.rejectedBody = 200, `{"success":false,"error":"no"}`
	server.wrong = map[string]int{"method": 200, "media": 200}
	r := run(
		t,
		testsuite.Config{
			Target:  testsuite.Target{Handler: server},
			Meaning: testsuite.Meaning{RejectedWhen: "/success=false"},
		},
	)
	require.Zero(t, r.Exit, r.Conclusion)
	require.Equal(t, testsuite.ExitBroken, run(t, testsuite.Config{Target: testsuite.Target{Handler: server}}).Exit)
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
	r, err := suite(t).Run(ctx, testsuite.Config{Target: testsuite.Target{Handler: server}})
	require.NoError(t, err)
	require.Equal(t, testsuite.ExitInconclusive, r.Exit, r.Conclusion)
	require.Contains(t, r.Conclusion, "interrupted")
	require.Greater(t, r.Count(fixtures.LevelMust, testsuite.VerdictPass), 50)
	require.Greater(t, r.Count(fixtures.LevelMust, testsuite.VerdictSkipped), 500)
}

func TestLimitsOfRequestsAndTimeAreKept(t *testing.T) {
	target := &counter{Handler: newPlain()}
	r := run(t, testsuite.Config{Target: testsuite.Target{Handler: target}, Limits: testsuite.Limits{Requests: 40}})
	require.EqualValues(t, 40, target.requests.Load())
	require.Equal(t, testsuite.ExitInconclusive, r.Exit)
	r = run(
		t,
		testsuite.Config{
			Target: testsuite.Target{Handler: newPlain()},
			Limits: testsuite.Limits{Time: time.Nanosecond},
		},
	)
	require.Equal(t, testsuite.ExitInconclusive, r.Exit)
	require.Contains(t, r.Conclusion, "time limit was reached")
	// 1,000 requests at 100,000 a second take ten milliseconds or more.
	r = run(
		t,
		testsuite.Config{
			Target: testsuite.Target{Handler: newPlain()},
			Limits: testsuite.Limits{Rate: 100_000, Requests: 1000},
		},
	)
	require.GreaterOrEqual(t, r.Seconds, 0.00999)
}

func TestConfigsThatCannotRunAreErrors(t *testing.T) {
	for want, config := range map[string]testsuite.Config{
		"either the URL": {},
		"invalid URL":    {Target: testsuite.Target{URL: "ftp://x"}},
		"has a query":    {Target: testsuite.Target{URL: "http://x?y=1"}},
		"the nearest is \"UserId/required/missing\"": {Target: testsuite.Target{URL: "http://x"},
			Selection: testsuite.Selection{Run: []string{"UserId/mising"}}},
		"no case has an id like \"zz*\"": {Target: testsuite.Target{URL: "http://x"},
			Selection: testsuite.Selection{Skip: []string{"zz*"}}},
		"no request format": {Target: testsuite.Target{URL: "http://x"},
			Selection: testsuite.Selection{Media: []string{"image/png"}}},
		"no case is about a field ": {Target: testsuite.Target{URL: "http://x"},
			Selection: testsuite.Selection{Fields: []string{"Nope"}}},
		"leave out one of": {Target: testsuite.Target{URL: "http://x"},
			Selection: testsuite.Selection{Run: []string{"UserId"}, Fields: []string{"Note"}}},
		"unknown level": {Target: testsuite.Target{URL: "http://x"},
			Selection: testsuite.Selection{Level: "OUGHT"}},
		"cannot fail on": {Target: testsuite.Target{URL: "http://x"}, FailOn: []testsuite.Part{"often"}},
		"invalid shard 3/2": {Target: testsuite.Target{URL: "http://x"},
			Selection: testsuite.Selection{Shard: fixtures.Shard{Part: 3, Of: 2}}},
		"below zero: use 0 or more": {Target: testsuite.Target{URL: "http://x"},
			Limits: testsuite.Limits{Writes: new(-1)}},
		"use 1 or more": {Target: testsuite.Target{URL: "http://x"},
			Limits: testsuite.Limits{UnexpectedWrites: new(0)}},
		"exceeds the limit": {Target: testsuite.Target{URL: "http://x"},
			Limits: testsuite.Limits{Parallel: 1000}},
		"cannot redact \"Nope\"": {Target: testsuite.Target{URL: "http://x"}, Redact: []string{"Nope"}},
		"invalid status \"x\"": {Target: testsuite.Target{URL: "http://x"},
			Meaning: testsuite.Meaning{Accept: "x"}},
		"invalid condition": {Target: testsuite.Target{URL: "http://x"},
			Meaning: testsuite.Meaning{RejectedWhen: "x"}},
		"invalid connection \"x\"": {Target: testsuite.Target{URL: "http://x", ConnectTo: "x"}},
		"line 1: fails is": {Target: testsuite.Target{URL: "http://x"},
			Known: []byte("- {cases: [a], fails: never, reason: b}")},
	} {
		r, err := suite(t).Run(t.Context(), config)
		require.ErrorContains(t, err, want)
		require.Nil(t, r)
	}
	for want, payloads := range map[string]testsuite.Payloads{
		"cannot set UserId":  {Set: map[string]string{"UserId": "hush-hush"}},
		"row 1 of the data":  {Rows: []map[string]string{{"UserId": "hush-hush"}}},
		"invalid path \"?\"": {Path: "?"},
		"use 1, 2 or 3":      {Combinations: 4},
		"use 50 or fewer":    {Rows: make([]map[string]string, 51)},
	} {
		_, err := testsuite.New(contract(t), payloads)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "hush-hush", "a value may be a patient's")
	}
	_, err := testsuite.New(nil, testsuite.Payloads{})
	require.ErrorContains(t, err, "no operations")
	_, err = suite(t).Run(t.Context(), testsuite.Config{Target: testsuite.Target{URL: "http://u:hush-hush@x:port"}})
	require.Error(t, err)
	require.NotContains(t, err.Error(), "hush-hush")
}

// TestTestReportsEachFindingInALine runs TestOfAServerWithOneFault as a test of its own and reads
// what the go command would.
func TestTestReportsEachFindingInALine(t *testing.T) {
	if os.Getenv("UNDERSTUDY_FAULT") != "" {
		server := newPlain()
		server.field("Note").max = 1001
		testsuite.Test(
			t,
			suite(t),
			testsuite.Config{
				Target:    testsuite.Target{Handler: server},
				Selection: testsuite.Selection{Fields: []string{"Note"}},
			},
		)
		return
	}
	command := exec.Command(os.Args[0], "-test.run", "^TestTestReportsEachFindingInALine$", "-test.v")
	command.Env = append(os.Environ(), "UNDERSTUDY_FAULT=1")
	out, err := command.CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "--- FAIL: TestTestReportsEachFindingInALine/must/length/accepted")
	require.Contains(t, string(out), "--- PASS: TestTestReportsEachFindingInALine/should/framework/modelstate",
		"it does not fail the run")
	require.Regexp(t, `(?m)MUST: Note accepts text that is too long \(.*\); 12 cases, `+
		`e.g. Note/length/1001 \(page line 36\); got 200 OK, application/json: .*--replay 'Note/length/1001'.*$`,
		string(out))
	require.Contains(t, string(out), "the target breaks the contract: 2 problems, 13 cases")
	require.Less(t, len(out), 6<<10, "it fits on a screen")
	mock, err := mockserver.New(contract(t))
	require.NoError(t, err)
	testsuite.Test(
		t,
		suite(t),
		testsuite.Config{
			Target:    testsuite.Target{Handler: mock},
			Selection: testsuite.Selection{Fields: []string{"Reason"}},
		},
	)
}

func TestNothingIsSentAfterAStopThatWaitedForItsTurn(t *testing.T) {
	const allowed = 3
	plain := newPlain()
	target := &counter{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Understudy-Case") == "UserId/required/missing" {
			plain.write(w, http.StatusOK, plain.acceptedBody, plain.acceptedType)
			return
		}
		plain.ServeHTTP(w, r)
	})}
	r := run(
		t,
		testsuite.Config{
			Target:    testsuite.Target{Handler: target},
			Limits:    testsuite.Limits{Writes: new(allowed), Rate: 2000, Parallel: 32},
			Selection: testsuite.Selection{Run: []string{"UserId/required/missing", "optional"}},
		},
	)
	require.Equal(t, testsuite.ExitSafety, r.Exit, r.Conclusion)
	require.EqualValues(t, r.Requests, target.requests.Load(), "what was not sent is not counted")
	require.LessOrEqual(t, r.Writes, allowed)
}

// TestFieldsMayBeNamedAsAnything verifies the mock of a page whose fields have the names
// of rules and families: no two cases have one id, and every case finds its own response.
func TestFieldsMayBeNamedAsAnything(t *testing.T) {
	page := strings.NewReplacer("EncounterTypeModeDurationId", "request", "EncounterTypeId", "body",
		"ProviderId", "response", "UserId", "method",
		"PatientId", "route", "SpecialityId", "name", "SecondaryAppointmentOn", "json", "AppointmentOn", "form",
		"Note", "http", "ReferredParentId", "required", "ParentId", "media",
		"PaidAmount", "unknown", "AccountId", "path").Replace(string(contracts.Page()))
	c, err := helppage.Parse([]byte(page))
	require.NoError(t, err)
	mock, err := mockserver.New(c)
	require.NoError(t, err)
	s := suiteOf(t, c, testsuite.Payloads{})
	r := runOf(t, s, testsuite.Config{
		Target: testsuite.Target{Handler: mock}, FailOn: allParts, Strict: true,
	})
	require.Equal(t, testsuite.ExitOK, r.Exit, "%s: %v", r.Conclusion, only(r, fixtures.LevelMust, notPass...))
	seen := map[string]bool{}
	for _, x := range r.Cases {
		require.False(t, seen[x.ID], x.ID)
		seen[x.ID] = true
	}
	for _, id := range []string{".body/type/null", "syntax/body/null", ".method/required/missing",
		"protocol/method/GET",
		".http/length/1001", "path/required/missing"} {
		require.True(t, seen[id], "%s: the nearest is %s", id, s.Nearest(id))
	}
}

func TestWhatWasRecordedIsACaseThoughTheCatalogueHasIt(t *testing.T) {
	line := func(body []byte) []byte {
		text, err := json.Marshal(map[string]any{
			"method": "POST", "path": "/api/Calendar/PatientAppointmentPost_v2", "body": string(body),
			"headers": [][2]string{{"Content-Type", "application/json"}},
		})
		require.NoError(t, err)
		return append(text, '\n')
	}
	c := contract(t)
	recorded := slices.Concat(line(c.Operations[0].Sample), line([]byte("{}")), line([]byte("{}")))
	cases, err := suiteOf(t, c, testsuite.Payloads{Recorded: recorded}).Cases(testsuite.Selection{})
	require.NoError(t, err)
	var ids []string
	for _, x := range cases {
		if x.Family == fixtures.FamilyRecorded && x.Aspect == testsuite.AspectOutcome {
			ids = append(ids, x.ID)
		}
	}
	require.Equal(t, []string{"recorded/1", "recorded/2"}, ids, "the third is the second again")
}
