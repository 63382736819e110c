package webapi_test

import (
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/contracts/webapi"
)

// seeds are bodies of the recordings, at most each of a group, so that the fuzzers
// begin from everything the framework was asked.
func seeds(t testing.TB, media string, each int) (bodies [][]byte) {
	groups := map[string]int{}
	for _, name := range []string{"responses.ndjson.gz", "edge-cases.ndjson.gz"} {
		for _, r := range recordings(t, name, 1038) {
			req := r.request()
			if strings.HasPrefix(req.Header.Get("Content-Type"), media) && len(req.Body) < 4096 &&
				groups[r.Group] < each {
				groups[r.Group]++
				bodies = append(bodies, req.Body)
			}
		}
	}
	return bodies
}

func endpoints(t testing.TB) (all []*webapi.Endpoint) {
	for _, change := range []func(*webapi.Profile){
		func(*webapi.Profile) {},
		func(p *webapi.Profile) { p.ErrorDetail, p.TimeZone = true, "America/Chicago" },
	} {
		p := webapi.Profile{}
		change(&p)
		e, err := webapi.New(pageOperation(t), p)
		require.NoError(t, err)
		all = append(all, e)
	}
	return all
}

// holds checks what is true of every response to a body.
func holds(t *testing.T, es []*webapi.Endpoint, req *webapi.Request) {
	t.Helper()
	public, detail := es[0].Respond(req, nil), es[1].Respond(req, nil)
	require.Equal(t, public.Status, detail.Status, "detail changes no verdict")
	require.Contains(t, []int{200, 400, 415}, public.Status)
	require.Equal(t, public.Status != 200, len(public.Violations) > 0,
		"a rejection, and only one, names what was broken")
	require.Equal(t, len(public.Violations), len(detail.Violations))
	for _, v := range public.Violations {
		require.Positive(t, v.Line)
		require.NotEmpty(t, v.Rule)
		require.NotEmpty(t, v.Found)
	}
	if !strings.Contains(public.ContentType, "utf-16") {
		require.True(t, utf8.Valid(public.Body))
		require.True(t, utf8.Valid(detail.Body))
	}
}

func FuzzJSON(f *testing.F) {
	bodies := seeds(f, "application/json", 4)
	require.Greater(f, len(bodies), 150)
	for _, b := range bodies {
		f.Add(b)
	}
	es := endpoints(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, charset := range []string{"", "; charset=utf-16"} {
			holds(
				t,
				es,
				&webapi.Request{
					Method: "POST",
					Target: endpoint,
					Header: http.Header{"Content-Type": {"application/json" + charset}},
					Body:   body,
				},
			)
		}
	})
}

func FuzzForm(f *testing.F) {
	bodies := seeds(f, "application/x-www-form-urlencoded", 60)
	require.Greater(f, len(bodies), 60)
	for _, b := range bodies {
		f.Add(b)
	}
	es := endpoints(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		holds(
			t,
			es,
			&webapi.Request{
				Method: "POST",
				Target: endpoint,
				Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}},
				Body:   body,
			},
		)
	})
}

func FuzzHeaders(f *testing.F) {
	added := 0
	for _, r := range recordings(f, "responses.ndjson.gz", 2982) {
		req := r.request()
		if r.Group == "accept" || r.Group == "content-type" || r.Group == "route" {
			f.Add(req.Method, req.Target, req.Header.Get("Content-Type"), req.Header.Get("Accept"),
				req.Header.Get("Accept-Charset"), req.Header.Get("X-Requested-With"))
			added++
		}
	}
	require.Greater(f, added, 50)
	es := endpoints(f)
	f.Fuzz(func(t *testing.T, method, target, contentType, accept, acceptCharset, requestedWith string) {
		req := &webapi.Request{Method: method, Target: target, Body: []byte("{}"), Header: http.Header{
			"Content-Type":     {contentType},
			"Accept":           {accept},
			"Accept-Charset":   {acceptCharset},
			"X-Requested-With": {requestedWith},
		}}
		for _, e := range es {
			got := e.Respond(req, nil)
			require.Contains(t, []int{400, 404, 405, 415}, got.Status)
			require.Contains(
				t,
				[]string{
					"application/json; charset=utf-8", "text/json; charset=utf-8",
					"application/json; charset=utf-16", "text/json; charset=utf-16",
				},
				got.ContentType,
			)
			require.Equal(t, got.Status == 405, got.Allow == "POST")
		}
	})
}

// TestAResponseThatGrowsIsCutShort sends what the framework responds to with gigabytes: a
// value that each element of a list, or each of its errors, repeats.
func TestAResponseThatGrowsIsCutShort(t *testing.T) {
	if testing.Short() {
		t.Skip("its responses grow to tens of megabytes; make race runs it")
	}
	form := func(body string) *webapi.Request {
		r := post([]byte(body))
		r.Header = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
		return r
	}
	wide := post([]byte(`{"Reasons":[` + strings.Repeat("1,", 1<<18) + `1]}`))
	wide.Header.Set("Accept-Charset", "utf-16")
	for name, req := range map[string]*webapi.Request{
		"a value for each element": form(strings.Repeat("Reasons&", 60_000) + "Reasons.ReasonId=" +
			strings.Repeat("a", 500_000)),
		"the same, small": form(strings.Repeat("Reasons&", 1000) + "Reasons.ReasonId=" +
			strings.Repeat("a", 8300)),
		"an index again and again": form(strings.Repeat("Reasons.index=0&", 20_000) + "Reasons[0].ReasonId=" +
			strings.Repeat("a", 500_000)),
		"many values for each element": form(strings.Repeat("Reasons&", 1000) +
			strings.Repeat("Reasons.ReasonId=a&", 1000)),
		"advice for each element":     post([]byte(`{"Reasons":[` + strings.Repeat("[],", 1<<18) + `1]}`)),
		"advice for each, and UTF-16": wide,
		"an empty value, often":       form(strings.Repeat("Reasons&", 100_000) + "Reasons.ReasonId="),
		"a valid value for each element": form(strings.Repeat("Reasons&", 100_000) +
			"Reasons.ReasonId=84ef7a81-c643-4b8e-85e5-1ff52fc35f3d"),
	} {
		t.Run(name, func(t *testing.T) {
			cut := 0
			for _, e := range endpoints(t) {
				got := e.Respond(req, nil)
				require.LessOrEqual(t, len(got.Body), max(1<<20, 64*len(req.Body)))
				if got.Status == http.StatusInternalServerError {
					cut++
					require.Contains(t, strings.ReplaceAll(string(got.Body), "\x00", ""),
						`{"Message":"An error has occurred."}`)
				}
			}
			if strings.HasPrefix(name, "a value") || strings.HasPrefix(name, "the same") {
				require.Equal(t, 2, cut)
			}
		})
	}
}
