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
		titles []string
		hint   string
	}{
		"a field that is not validated is one finding, whatever fails of it": {
			breaks: func(p *plain) { p.field("ProviderId").untyped = true },
			titles: []string{
				"ProviderId accepts values of the wrong JSON type, malformed GUIDs, deep nesting and " +
					"invalid values in forms",
			},
		},
		"a family that fails in many fields is one finding": {
			breaks: func(p *plain) { p.nullPasses = true },
			titles: []string{"4 fields accept null"},
		},
		"a few fields are named": {
			breaks: func(p *plain) { p.field("Note").max++; p.field("Reason").max++ },
			titles: []string{"Reason and Note accept text that is too long (251 UTF-16 units of ASCII letters; …)"},
		},
		"a media type that is not taken is one finding, with the way to leave it out": {
			breaks: func(p *plain) { delete(p.media, form) },
			titles: []string{"The target does not take " + form},
			hint:   "the target takes only application/json, text/json: --media application/json,text/json",
		},
		"two media types that are not taken are one": {
			breaks: func(p *plain) { delete(p.media, form); delete(p.media, "text/json") },
			titles: []string{"The target does not take text/json and " + form},
			hint:   "the target takes only application/json: --media application/json",
		},
		"what one media type alone lets through says so": {
			breaks: func(p *plain) { p.unvalidated["text/json"] = true },
			titles: []string{" in text/json alone"},
		},
		"another status than 400 is one finding": {
			breaks: func(p *plain) { p.rejected = http.StatusUnprocessableEntity },
			part:   testsuite.PartFramework,
			titles: []string{"Rejections: the status is 422, not 400"},
		},
		"a status that means nothing is one finding": {
			breaks: func(p *plain) { p.rejected = http.StatusTeapot },
			titles: []string{"Status 418, which means neither accepted nor rejected, for invalid requests of"},
		},
		"a server that checks nothing is one finding": {
			breaks: func(p *plain) { p.everything = true },
			titles: []string{"The target accepts every invalid body"},
		},
		"a field that is required besides is named": {
			breaks: func(p *plain) { p.field("Note").required = true },
			titles: []string{"The target requires Note, which the page does not list as Required"},
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
			for _, title := range x.titles {
				require.Contains(t, titles[0], title)
			}
			require.Equal(t, x.hint, hints[0])
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

	config.Target.Handler = newPlain()
	mended := run(t, config)
	require.Equal(t, testsuite.ExitStale, mended.Exit, mended.Conclusion)
	require.Len(t, mended.Stale, problems)
	config.Selection.Run = []string{"Note/type"}
	require.Equal(t, testsuite.ExitOK, run(t, config).Exit, "a part of the cases proves nothing of the rest")
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
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
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
