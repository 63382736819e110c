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
	for _, name := range []string{"answers.ndjson.gz", "edge-cases.ndjson.gz"} {
		for _, r := range recordings(t, name, 1038) {
			req := r.request()
			if strings.HasPrefix(req.Header.Get("Content-Type"), media) && len(req.Body) < 4096 && groups[r.Group] < each {
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
		p := webapi.DefaultProfile()
		change(&p)
		e, err := webapi.New(pageContract(t), p)
		require.NoError(t, err)
		all = append(all, e)
	}
	return all
}

// holds checks what is true of every answer to a body.
func holds(t *testing.T, es []*webapi.Endpoint, req *webapi.Request) {
	t.Helper()
	public, detail := es[0].Answer(req, nil), es[1].Answer(req, nil)
	require.Equal(t, public.Status, detail.Status, "detail changes no verdict")
	require.Contains(t, []int{200, 400, 415}, public.Status)
	require.Equal(t, public.Status != 200, len(public.Violations) > 0, "a refusal, and only one, names what was broken")
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
			holds(t, es, &webapi.Request{Method: "POST", Target: endpoint, Header: http.Header{"Content-Type": {"application/json" + charset}}, Body: body})
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
		holds(t, es, &webapi.Request{Method: "POST", Target: endpoint, Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, Body: body})
	})
}

func FuzzHeaders(f *testing.F) {
	added := 0
	for _, r := range recordings(f, "answers.ndjson.gz", 2982) {
		req := r.request()
		if r.Group == "accept" || r.Group == "content-type" || r.Group == "route" {
			f.Add(req.Method, req.Target, req.Header.Get("Content-Type"), req.Header.Get("Accept"), req.Header.Get("Accept-Charset"), req.Header.Get("X-Requested-With"))
			added++
		}
	}
	require.Greater(f, added, 50)
	es := endpoints(f)
	f.Fuzz(func(t *testing.T, method, target, contentType, accept, acceptCharset, requestedWith string) {
		req := &webapi.Request{Method: method, Target: target, Body: []byte("{}"), Header: http.Header{
			"Content-Type": {contentType}, "Accept": {accept}, "Accept-Charset": {acceptCharset}, "X-Requested-With": {requestedWith},
		}}
		for _, e := range es {
			got := e.Answer(req, nil)
			require.Contains(t, []int{400, 404, 405, 415}, got.Status)
			require.Contains(t, []string{"application/json; charset=utf-8", "text/json; charset=utf-8", "application/json; charset=utf-16", "text/json; charset=utf-16"}, got.ContentType)
			require.Equal(t, got.Status == 405, got.Allow == "POST")
		}
	})
}
