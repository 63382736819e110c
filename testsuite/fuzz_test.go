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
	"github.com/seed47566266/understudy/fixtures"
)

// FuzzAnswer judges whatever a server may say, in every aspect, and keeps it.
func FuzzAnswer(f *testing.F) {
	contract, err := helppage.Parse(contracts.Page())
	require.NoError(f, err)
	c := Config{Contract: contract, URL: "http://127.0.0.1", Redact: []string{"UserId"}, Secrets: []string{"s3cret"}}
	require.NoError(f, c.defaults(true))
	hide := newRedactor(&c, &url.URL{})
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
	for _, s := range seeds {
		f.Add(s.status, s.kind, []byte(s.body), "/data/0/id")
	}
	f.Fuzz(func(t *testing.T, status int, kind string, body []byte, pointer string) {
		a := &Answer{Status: status, Header: http.Header{"Content-Type": {kind}, "Allow": {kind}}, Body: body}
		c.observe(a, hide)
		require.NotEmpty(t, c.effect(a))
		for _, aspect := range []Aspect{Outcome, Status, Allow, ModelState, Named, Format} {
			for _, expect := range []fixtures.Outcome{fixtures.Accept, fixtures.Reject, fixtures.Unspecified} {
				for _, confirmed := range []bool{true, false} {
					x := &Case{Aspect: aspect, Expect: expect, Media: "application/json", status: 400, mentioned: "UserId"}
					j := c.judge(x, a, confirmed)
					require.NotEmpty(t, j.verdict)
					if j.verdict == Fail {
						require.NotEmpty(t, j.failure)
					}
					if j.verdict != Pass {
						require.NotEmpty(t, j.reason)
					}
					if expect == fixtures.Unspecified && aspect == Outcome {
						require.Equal(t, Pass, j.verdict)
					}
					if expect == fixtures.Accept && aspect == Outcome && j.verdict == Pass {
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
	f.Add([]byte("- &x {cases: [x], fails: refused, reason: y}\n- *x\n"))
	f.Add([]byte(""))
	f.Fuzz(func(t *testing.T, text []byte) {
		all, err := ParseKnown(text)
		if err != nil {
			require.NotContains(t, err.Error(), "\n")
			return
		}
		k := indexKnown(all)
		for i := range all {
			require.NotEmpty(t, all[i].Cases)
			require.NotEmpty(t, all[i].Reason)
			for _, id := range all[i].Cases {
				if !strings.ContainsAny(id, "*?") {
					require.NotNil(t, k.find(&Case{ID: id, Level: Must}))
				}
			}
		}
	})
}

func TestAMemberIsHiddenHoweverItIsSpelt(t *testing.T) {
	hide := newRedactor(&Config{Redact: []string{"UserId"}, Secrets: []string{"k3y/of mine"}}, &url.URL{})
	for text, want := range map[string]string{
		`{"UserId":"alpha","Note":"b"}`:                                 `{"UserId":"[hidden]","Note":"b"}`,
		`{"userid" : 17, "Note":"b"}`:                                   `{"userid" : "[hidden]", "Note":"b"}`,
		`{"UserId":["alpha","b"],"Note":1}`:                             `{"UserId":"[hidden]","Note":1}`,
		`{"UserId":"al\"pha"}`:                                          `{"UserId":"[hidden]"}`,
		`{"UserId":"alpha cut off`:                                      `{"UserId":"[hidden]"`,
		`"{\"UserId\":\"alpha\",\"Note\":\"b\"}"`:                       `"{\"UserId\":\"[hidden]\",\"Note\":\"b\"}"`,
		`UserId=alpha&Note=b`:                                           `UserId=[hidden]&Note=b`,
		`Note=b&UserId=alpha`:                                           `Note=b&UserId=[hidden]`,
		`{"OtherUserId":"alpha"}`:                                       `{"OtherUserId":"alpha"}`,
		`{"UserId":{"a":[1,{"b":"}"}],"c":"alpha"},"Note":"b"}`:         `{"UserId":"[hidden]","Note":"b"}`,
		`{"UserId":[["alpha","]"],2],"Note":"b"}`:                       `{"UserId":"[hidden]","Note":"b"}`,
		`{"UserId":"[hidden] alpha"}`:                                   `{"UserId":"[hidden]"}`,
		`{"UserId":{"a":"[hidden]","v":"alpha"}}`:                       `{"UserId":"[hidden]"}`,
		`<a><UserId>alpha</UserId><x:userid q="1">alpha</x:userid></a>`: `<a><UserId>[hidden]</UserId><x:userid q="1">[hidden]</x:userid></a>`,
		"&quot;UserId&quot;:&quot;alpha&quot;,":                         "&quot;UserId&quot;:&quot;[hidden]&quot;,",
		`{"model.UserId":["The value 'alpha' is not valid."]}`:          `{"model.UserId":"[hidden]"}`,
		`UserId: alpha`:                                                 `UserId: [hidden]`,
		`'UserId': 'alpha',`:                                            `'UserId': [hidden],`,
		`"UserId" = "alpha";`:                                           `"UserId" = "[hidden]";`,
		"`UserId`:`alpha`,":                                             "`UserId`:[hidden],",
		`key=k3y%2Fof+mine, k3y%2Fof%20mine K3Y/OF MINE`:                `key=[hidden], [hidden] [hidden]`,
	} {
		require.Equal(t, want, hide.text(text))
	}
}

func TestPatternsFitWhatTheySay(t *testing.T) {
	for _, c := range []struct {
		pattern, id string
		fits        bool
	}{
		{"UserId", "UserId/missing", true},
		{"userid/", "UserId/missing", true},
		{"UserId", "UserIds/missing", false},
		{"*/length/*", "form/Note/length/1", true},
		{"Note/length/100?", "Note/length/1001", true},
		{"Note/length/100?", "Note/length/100", false},
		{"*", "anything/at/all", true},
		{"a*b*c", "aXbXbXc", true},
		{"a*b*c", "aXbXb", false},
		{"", "x", false},
		{strings.Repeat("*a", 30) + "b", strings.Repeat("a", 3000), false},
	} {
		require.Equal(t, c.fits, Match(c.pattern, c.id), "%s %s", c.pattern, c.id)
	}
}

func TestStatusesAreReadAndSaid(t *testing.T) {
	for text, said := range map[string]string{"2xx": "2xx", "200, 201": "200 or 201", "400-422": "400-422", "400,422,5XX": "400, 422 or 5xx"} {
		s, err := ParseStatuses(text)
		require.NoError(t, err)
		require.Equal(t, said, s.String())
	}
	for _, text := range []string{"", "abc", "99", "600", "300-200", "2x", "xx"} {
		_, err := ParseStatuses(text)
		require.Error(t, err, text)
	}
}
