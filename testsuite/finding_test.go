package testsuite_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/fixtures"
	"github.com/seed47566266/understudy/testsuite"
)

// TestAFindingNamesItsCause breaks a server in one way and reads what the findings of a
// part say.
func TestAFindingNamesItsCause(t *testing.T) {
	const form = "application/x-www-form-urlencoded"
	for name, x := range map[string]struct {
		breaks func(*plain)
		part   testsuite.Part
		title  string
		hint   string
		more   bool // than one finding is said to be there
	}{
		"a field that is not validated is one finding, whatever fails of it": {
			breaks: func(p *plain) { p.field("ProviderId").untyped = true },
			title: "ProviderId accepts values of the wrong JSON type, malformed GUIDs, deep nesting and " +
				"invalid values in forms",
		},
		"a family that fails in many fields is one finding": {
			breaks: func(p *plain) { p.nullPasses = true },
			title:  "4 fields accept null",
		},
		"a few fields are named": {
			breaks: func(p *plain) { p.field("Note").max++; p.field("Reason").max++ },
			title:  "Reason and Note accept text that is too long (251 UTF-16 units of ASCII letters; …)",
			more:   true,
		},
		"a media type that is not taken is one finding, with the way to leave it out": {
			breaks: func(p *plain) { delete(p.media, form) },
			title:  "The target does not take " + form,
			hint:   "the target takes only application/json, text/json: --media application/json,text/json",
		},
		"two media types that are not taken are one": {
			breaks: func(p *plain) { delete(p.media, form); delete(p.media, "text/json") },
			title:  "The target does not take text/json and " + form,
			hint:   "the target takes only application/json: --media application/json",
		},
		"what one media type alone lets through says so": {
			breaks: func(p *plain) { p.unvalidated["text/json"] = true },
			title:  " in text/json alone",
			more:   true,
		},
		"another status than 400 is one finding": {
			breaks: func(p *plain) { p.rejected = http.StatusUnprocessableEntity },
			part:   testsuite.PartFramework,
			title:  "Rejections: the status is 422, not 400",
		},
		"a status that means nothing is one finding": {
			breaks: func(p *plain) { p.rejected = http.StatusTeapot },
			title:  "Status 418, which means neither accepted nor rejected, for invalid requests of",
		},
		"a server that checks nothing is one finding": {
			breaks: func(p *plain) { p.everything = true },
			title:  "The target accepts every invalid body",
			more:   true,
		},
		"a field that is required besides is named": {
			breaks: func(p *plain) { p.field("Note").required = true },
			title:  "The target requires Note, which the page does not list as Required",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newPlain()
			x.breaks(server)
			if x.part == "" {
				x.part = testsuite.PartRules
			}
			r := run(t, testsuite.Config{Target: testsuite.Target{Handler: server}, FailOn: allParts})
			usual := map[string]bool{}
			for _, f := range run(t, testsuite.Config{Target: testsuite.Target{Handler: newPlain()}}).Findings {
				usual[f.ID] = true
			}
			var titles, hints []string
			for _, f := range r.Findings {
				if f.Part == x.part && !usual[f.ID] {
					titles, hints = append(titles, f.Title), append(hints, f.Hint)
				}
			}
			require.NotEmpty(t, titles)
			require.Contains(t, titles[0], x.title)
			require.Equal(t, x.hint, hints[0])
			if !x.more {
				require.Len(t, titles, 1)
			}
		})
	}
}

// TestFindingsHoldEveryFailureOnce folds what a server that checks little fails.
func TestFindingsHoldEveryFailureOnce(t *testing.T) {
	server := newPlain()
	server.tolerated = 1
	r := run(t, testsuite.Config{Target: testsuite.Target{Handler: server}})
	bodies := slices.IndexFunc(r.Findings, func(f testsuite.Finding) bool {
		return f.Title == "Rejections have no Message and ModelState"
	})
	require.Positive(t, bodies)
	require.Greater(t, len(r.Findings[bodies].Cases), 1, "one habit is one finding")
	var folded []string
	ids := map[string]bool{}
	for _, f := range r.Findings {
		require.False(t, ids[f.ID], "two findings have the id %s", f.ID)
		ids[f.ID] = true
		require.Contains(t, f.Cases, f.Example)
		require.NotEmpty(t, f.Rules)
		folded = append(folded, f.Cases...)
	}
	var failed []string
	for _, x := range r.Failed(fixtures.LevelMay) {
		failed = append(failed, x.ID)
	}
	require.ElementsMatch(t, failed, folded)
	require.Greater(t, len(failed), 20*len(r.Findings), "few problems for many cases")
}

func TestARunFailsOnThePartsThatAreNamed(t *testing.T) {
	server := newPlain()
	server.rejected = http.StatusUnprocessableEntity
	for name, x := range map[string]struct {
		parts []testsuite.Part
		exit  int
	}{
		"on MUST alone":      {nil, testsuite.ExitOK},
		"on other parts":     {[]testsuite.Part{testsuite.PartRobustness}, testsuite.ExitOK},
		"on framework":       {[]testsuite.Part{testsuite.PartFramework}, testsuite.ExitBroken},
		"on several of them": {[]testsuite.Part{testsuite.PartReadings, testsuite.PartFramework}, testsuite.ExitBroken},
	} {
		t.Run(name, func(t *testing.T) {
			r := run(t, testsuite.Config{Target: testsuite.Target{Handler: server}, FailOn: x.parts})
			require.Equal(t, x.exit, r.Exit, r.Conclusion)
			for _, f := range r.Findings {
				require.Equal(t, slices.Contains(x.parts, f.Part), f.Counts, f.Title)
			}
		})
	}
}

func TestAKnownFailuresFileHasAnEntryPerFinding(t *testing.T) {
	server := newPlain()
	server.nullPasses = true
	server.field("ProviderId").untyped = true
	config := testsuite.Config{Target: testsuite.Target{Handler: server}}
	r := run(t, config)
	problems, cases := r.Problems()
	require.Equal(t, 2, problems)
	file, err := r.KnownFailures("untriaged")
	require.NoError(t, err)
	require.Equal(t, problems, strings.Count(string(file), "fails: accepted"))
	require.Less(t, strings.Count(string(file), "\n"), 25, "short: %s", file)

	config.Known = file
	again := run(t, config)
	require.Equal(t, testsuite.ExitOK, again.Exit, again.Conclusion)
	require.Empty(t, again.Stale, "a pattern may match cases that pass")
	require.Equal(t, cases, again.Count(fixtures.LevelMust, testsuite.VerdictKnownFailure))
	require.Zero(t, again.Count(fixtures.LevelMust, testsuite.VerdictUnexpectedPass))

	broken := newPlain()
	broken.nullPasses = true
	broken.field("ProviderId").untyped = true
	broken.field("PatientId").untyped = true
	config.Target.Handler = broken
	worse := run(t, config)
	require.Equal(t, testsuite.ExitBroken, worse.Exit, "a new defect does not hide behind a known one")
	require.Equal(t, []contracts.Path{"PatientId"}, worse.Findings[0].Fields)
	more, err := worse.KnownFailures("untriaged")
	require.NoError(t, err)
	require.Contains(t, string(more), strings.TrimSpace(strings.Split(string(file), "- cases:")[1]),
		"what is still known is kept")

	config.Target.Handler = newPlain()
	mended := run(t, config)
	require.Equal(t, testsuite.ExitStale, mended.Exit, mended.Conclusion)
	require.Len(t, mended.Stale, problems)
	config.Selection.Run = []string{"Note/type"}
	require.Equal(t, testsuite.ExitOK, run(t, config).Exit, "a part of the cases proves nothing of the rest")
}

// TestAKnownFailuresFileOfARunMakesTheNextOnePass has servers whose failures are in more
// than one way in a family, or of cases that the page leaves open.
func TestAKnownFailuresFileOfARunMakesTheNextOnePass(t *testing.T) {
	respond := func(status int, when func(r *http.Request) bool) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if when(r) {
				w.WriteHeader(status)
				return
			}
			newPlain().ServeHTTP(w, r)
		})
	}
	long, open, noForms, other := newPlain(), newPlain(), newPlain(), newPlain()
	long.field("Note").max = 1001
	open.everything = true
	delete(noForms.media, contracts.MediaForm)
	other.rejected = http.StatusUnprocessableEntity
	for name, server := range map[string]http.Handler{
		"accepted, and a server error beyond": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(caseOf(r), "Note/length/") && r.ContentLength > 1300 {
				w.WriteHeader(http.StatusInternalServerError)
				return
			}
			long.ServeHTTP(w, r)
		}),
		"a server error that the page leaves open": respond(http.StatusInternalServerError,
			func(r *http.Request) bool { return strings.HasPrefix(caseOf(r), "depth/arrays/1000") }),
		"everything accepted": open,
		"no forms":            noForms,
		"422":                 other,
	} {
		for what, parts := range map[string][]testsuite.Part{"MUST": nil, "every part": allParts} {
			t.Run(name+", "+what, func(t *testing.T) {
				t.Parallel()
				config := testsuite.Config{Target: testsuite.Target{Handler: server}, FailOn: parts}
				var err error
				config.Known, err = run(t, config).KnownFailures("untriaged")
				require.NoError(t, err)
				again := run(t, config)
				require.Equal(t, testsuite.ExitOK, again.Exit, "%s: %v\n%s", again.Conclusion, again.Findings,
					config.Known)
				require.Empty(t, again.Stale)
			})
		}
	}
}

func TestATunnelOnLoopbackIsWarnedOf(t *testing.T) {
	for name, x := range map[string]struct {
		header, value string
		warns         string
	}{
		"a server of this machine": {"Server", "Kestrel", ""},
		"a gateway":                {"Via", "1.1 vegur", "Via: 1.1 vegur"},
		"an edge server":           {"Server", "cloudflare", "Server: cloudflare"},
	} {
		t.Run(name, func(t *testing.T) {
			plain := newPlain()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set(x.header, x.value)
				plain.ServeHTTP(w, r)
			}))
			defer server.Close()
			var warnings []string
			config := testsuite.Config{
				Target:    testsuite.Target{URL: server.URL},
				Selection: testsuite.Selection{Run: []string{"UserId/required"}},
				Warn:      func(text string) { warnings = append(warnings, text) },
			}
			r := run(t, config)
			require.Equal(t, warnings, r.Warnings)
			if x.warns == "" {
				require.Empty(t, warnings)
				return
			}
			require.Len(t, warnings, 1)
			require.Contains(t, warnings[0], x.warns)
			require.Contains(t, warnings[0], "--max-writes limits them")
			config.Limits.Writes = new(1)
			require.Empty(t, run(t, config).Warnings, "the writes are limited")
		})
	}
}

// TestATargetIsWaitedFor has a port forwarded to nothing at first: the first connections
// end at once.
func TestATargetIsWaitedFor(t *testing.T) {
	t.Parallel() // it waits
	listener := listenMortal(t)
	early := &earlyListener{Listener: listener}
	early.left.Store(2)
	server := &http.Server{Handler: newPlain(), ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(early) }()
	defer func() { _ = server.Close() }()
	config := testsuite.Config{
		Target:    testsuite.Target{URL: "http://" + listener.Addr().String(), Wait: time.Minute},
		Selection: testsuite.Selection{Run: []string{"UserId/required"}},
	}
	require.Equal(t, testsuite.ExitOK, run(t, config).Exit)
	require.Negative(t, early.left.Load())
	_ = server.Close()
	config.Target.Wait = time.Millisecond
	require.Equal(t, testsuite.ExitUnreachable, run(t, config).Exit, "it is not waited for any longer")
}

// earlyListener ends the first connections at once.
type earlyListener struct {
	net.Listener
	left atomic.Int32
}

func (l *earlyListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil || l.left.Add(-1) < 0 {
			return conn, err
		}
		_ = conn.Close()
	}
}
