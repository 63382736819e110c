package testsuite

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/helppage"
	"github.com/seed47566266/understudy/contracts/oracle"
	"github.com/seed47566266/understudy/fixtures"
)

// FuzzResponse judges whatever a server may respond, in every aspect, and keeps it.
func FuzzResponse(f *testing.F) {
	s := newSuite(f)
	p, err := s.prepare(
		&Config{Target: Target{URL: "http://127.0.0.1"}, Redact: []string{"UserId"}, Secrets: []string{"s3cret"}},
	)
	require.NoError(f, err)
	hide := p.hide
	seeds := []struct {
		status     int
		kind, body string
	}{
		{200, "application/json", `{"UserId":"0f8fad5b","data":[{"id":1}]}`},
		{400, "application/json; charset=utf-8", `{"Message":"x","ModelState":{"model.UserId":["s3cret"]}}`},
		{200, "text/html", "<!DOCTYPE html><title>x"},
		{500, "\x00", "\xff\xfe"},
		{302, "a/b; c=\"", `{"a":{"b":`},
		{0, "", ""},
	}
	for _, seed := range seeds {
		f.Add(seed.status, seed.kind, []byte(seed.body), "/data/0/id")
	}
	f.Fuzz(func(t *testing.T, status int, kind string, body []byte, pointer string) {
		a := &response{status: status, header: http.Header{"Content-Type": {kind}, "Allow": {kind}}, body: body}
		p.meaning.observe(a, hide)
		require.NotEmpty(t, p.meaning.effect(a))
		for _, aspect := range []Aspect{AspectOutcome, AspectStatus, AspectAllow, AspectModelState, AspectNamed,
			AspectFormat} {
			for _, expect := range []oracle.Outcome{oracle.OutcomeAccept, oracle.OutcomeReject,
				oracle.OutcomeUnspecified} {
				for _, confirmed := range []bool{true, false} {
					x := &Case{
						Aspect:   aspect,
						Expect:   expect,
						Media:    "application/json",
						status:   400,
						mentions: "UserId",
						made:     &fixtures.Case{},
					}
					j := p.judge.judge(x, a, confirmed)
					require.NotEmpty(t, j.verdict)
					if j.verdict == VerdictFail {
						require.NotEmpty(t, j.failure)
					}
					if j.verdict != VerdictPass {
						require.NotEmpty(t, j.reason)
					}
					if expect == oracle.OutcomeUnspecified && aspect == AspectOutcome {
						broke := status >= 500 && j.level == fixtures.LevelShould
						require.True(t, j.verdict == VerdictPass || broke && j.verdict == VerdictFail)
					}
					if expect == oracle.OutcomeAccept && aspect == AspectOutcome && j.verdict == VerdictPass {
						require.True(t, status >= 200 && status <= 299)
					}
				}
			}
		}
		require.NotContains(t, hide.text(string(body)), "s3cret")
		require.True(t, utf8.ValidString(oneLine(string(body))))
		valueAt(body, pointer)
		kept := textOf(body, len(body))
		record, err := json.Marshal(kept)
		require.NoError(t, err)
		var again Text
		require.NoError(t, json.Unmarshal(record, &again))
		require.Equal(t, kept, again)
		if !kept.Cut {
			require.Equal(t, string(body), string(again.raw()))
		}
	})
}

// FuzzKnown reads whatever a known-failures file may hold.
func FuzzKnown(f *testing.F) {
	f.Add([]byte("- cases: [a, 'b/*']\n  fails: accepted\n  reason: x\n  expires: 2026-01-31\n"))
	f.Add([]byte("- cases: []\n"))
	f.Add([]byte("a: &a [*a]\n"))
	f.Add([]byte("- &x {cases: [x], fails: rejected, reason: y}\n- *x\n"))
	f.Add([]byte(""))
	f.Fuzz(func(t *testing.T, text []byte) {
		k, err := parseKnown(text)
		if err != nil {
			require.NotContains(t, err.Error(), "\n")
			return
		}
		all := k.entries
		for i := range all {
			require.NotEmpty(t, all[i].Cases)
			require.NotEmpty(t, all[i].Reason)
			for _, id := range all[i].Cases {
				if !strings.ContainsAny(id, "*?") {
					found, _ := k.find(&Case{ID: id, Level: fixtures.LevelMust}, FailureAccepted)
					require.NotNil(t, found)
				}
			}
		}
	})
}

// newSuite is the suite of the page.
func newSuite(t testing.TB) *Suite {
	t.Helper()
	c, err := helppage.Parse(contracts.Page())
	require.NoError(t, err)
	s, err := New(c, Payloads{})
	require.NoError(t, err)
	return s
}

func TestAFieldIsHiddenHoweverItIsSpelled(t *testing.T) {
	hide := newRedactor(&Config{Redact: []string{"UserId"}, Secrets: []string{"k3y/of mine"}}, &Payloads{}, &url.URL{})
	for text, want := range map[string]string{
		`{"UserId":"alpha","Note":"b"}`:                         `{"UserId":"[hidden]","Note":"b"}`,
		`{"userid" : 17, "Note":"b"}`:                           `{"userid" : "[hidden]", "Note":"b"}`,
		`{"UserId":["alpha","b"],"Note":1}`:                     `{"UserId":"[hidden]","Note":1}`,
		`{"UserId":"al\"pha"}`:                                  `{"UserId":"[hidden]"}`,
		`{"UserId":"alpha cut off`:                              `{"UserId":"[hidden]"`,
		`"{\"UserId\":\"alpha\",\"Note\":\"b\"}"`:               `"{\"UserId\":\"[hidden]\",\"Note\":\"b\"}"`,
		`UserId=alpha&Note=b`:                                   `UserId=[hidden]&Note=b`,
		`Note=b&UserId=alpha`:                                   `Note=b&UserId=[hidden]`,
		`{"OtherUserId":"alpha"}`:                               `{"OtherUserId":"alpha"}`,
		`{"UserId":{"a":[1,{"b":"}"}],"c":"alpha"},"Note":"b"}`: `{"UserId":"[hidden]","Note":"b"}`,
		`{"UserId":[["alpha","]"],2],"Note":"b"}`:               `{"UserId":"[hidden]","Note":"b"}`,
		`{"UserId":"[hidden] alpha"}`:                           `{"UserId":"[hidden]"}`,
		`{"UserId":{"a":"[hidden]","v":"alpha"}}`:               `{"UserId":"[hidden]"}`,
		`<a><UserId>alpha</UserId><x:userid q="1">alpha</x:userid></a>`: `<a><UserId>[hidden]</UserId><x:userid ` +
			`q="1">[hidden]</x:userid></a>`,
		"&quot;UserId&quot;:&quot;alpha&quot;,":                "&quot;UserId&quot;:&quot;[hidden]&quot;,",
		`{"model.UserId":["The value 'alpha' is not valid."]}`: `{"model.UserId":"[hidden]"}`,
		`UserId: alpha`:       `UserId: [hidden]`,
		`'UserId': 'alpha',`:  `'UserId': [hidden],`,
		`"UserId" = "alpha";`: `"UserId" = "[hidden]";`,
		"`UserId`:`alpha`,":   "`UserId`:[hidden],",
		`key=k3y%2Fof+mine, k3y%2Fof%20mine K3Y/OF MINE`: `key=[hidden], [hidden] [hidden]`,
	} {
		require.Equal(t, want, hide.text(text))
	}
}

func TestStatusesAreReadAndWritten(t *testing.T) {
	for text, said := range map[string]string{"2xx": "2xx", "200, 201": "200 or 201", "400-422": "400-422",
		"400,422,5XX": "400, 422 or 5xx"} {
		s, err := parseStatuses(text)
		require.NoError(t, err)
		require.Equal(t, said, s.String())
	}
	for _, text := range []string{"", "abc", "99", "600", "300-200", "2x", "xx"} {
		_, err := parseStatuses(text)
		require.Error(t, err, text)
	}
}

// TestAPanicOfTheJudgeIsAnErrorOfOneCase has the judge panic: there is no response.
func TestAPanicOfTheJudgeIsAnErrorOfOneCase(t *testing.T) {
	s := newSuite(t)
	got := (&judge{}).recovered(&s.cases[0], nil, true)
	require.Equal(t, VerdictError, got.verdict)
	require.Contains(t, got.reason, "internal error: ")
}
