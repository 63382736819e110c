package broker_test

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/testsuite/broker"
)

// stub is a broker as its clients see it: an index, and the two places where they publish. The
// command pact of the Pact project publishes to it too.
type stub struct {
	*httptest.Server
	// before responds in its place, if it reports so.
	before func(w http.ResponseWriter, r *http.Request) bool
	mu     sync.Mutex
	posted []posted
}

// posted is what a client published.
type posted struct {
	path, authorization string
	body                map[string]any
}

func newStub(t *testing.T) *stub {
	t.Helper()
	s := &stub{before: func(http.ResponseWriter, *http.Request) bool { return false }}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *stub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.before(w, r) {
		return
	}
	var body map[string]any
	if r.Method == http.MethodPost {
		text, _ := io.ReadAll(r.Body) // a body that is cut is not JSON
		if json.Unmarshal(text, &body) != nil {
			http.Error(w, "not JSON", http.StatusBadRequest)
			return
		}
		s.mu.Lock()
		s.posted = append(s.posted, posted{r.URL.Path, r.Header.Get("Authorization"), body})
		s.mu.Unlock()
	}
	link := map[string]any{"href": s.URL + "/x", "name": "x", "title": "x"}
	self := map[string]any{"self": link}
	w.Header().Set("Content-Type", "application/hal+json")
	_ = json.NewEncoder(w).Encode(map[string]any{
		"_links": map[string]any{
			"pb:publish-contracts": map[string]any{"href": s.URL + "/contracts/publish"},
			"pf:publish-provider-contract": map[string]any{
				"href": s.URL + "/provider-contracts/provider/{provider}/publish", "templated": true,
			},
			"pb:pacticipant-version-tags": []any{link}, "pb:branch-version": link,
		},
		"_embedded": map[string]any{
			"pacticipant": map[string]any{"name": "x", "_links": self},
			"version":     map[string]any{"number": "1", "_links": self},
		},
		"notices": []any{map[string]any{"type": "success", "text": "Published."}},
	})
}

var version = broker.Version{
	Number: "1.2.3", Branch: "main", Tags: []string{"dev", "prod"}, BuildURL: "http://ci.example/1",
}

const onePact = `{"consumer":{"name":"form"},"provider":{"name":"api"},"interactions":[]}`

func TestPactsArePublishedWithTheirVersion(t *testing.T) {
	s := newStub(t)
	b := broker.Broker{URL: s.URL, Token: "secret"}
	other := strings.Replace(onePact, `"api"`, `"payments"`, 1)
	notices, err := b.PublishPacts(t.Context(), version, []broker.Pact{{Text: []byte(onePact)}, {Text: []byte(other)}})
	require.NoError(t, err)
	assert.Equal(t, []string{"Published."}, notices)
	require.Len(t, s.posted, 1)
	assert.Equal(t, "/contracts/publish", s.posted[0].path)
	assert.Equal(t, "Bearer secret", s.posted[0].authorization)
	contract := func(provider, text string) map[string]any {
		return map[string]any{"consumerName": "form", "providerName": provider, "specification": "pact",
			"contentType": "application/json", "content": base64.StdEncoding.EncodeToString([]byte(text))}
	}
	assert.Equal(t, map[string]any{
		"pacticipantName": "form", "pacticipantVersionNumber": "1.2.3", "branch": "main",
		"tags": []any{"dev", "prod"}, "buildUrl": "http://ci.example/1",
		"contracts": []any{contract("api", onePact), contract("payments", other)},
	}, s.posted[0].body)
}

func TestResultsArePublishedForTheProvider(t *testing.T) {
	s := newStub(t)
	b := broker.Broker{URL: s.URL + "/"}
	_, err := b.PublishResults(t.Context(), version, broker.Contract{
		Provider: "the api", OpenAPI: []byte(`{}`), Report: []byte("fine"), Success: true, Verifier: "understudy",
		VerifierVersion: "1",
	})
	require.NoError(t, err)
	require.Len(t, s.posted, 1)
	assert.Equal(t, "/provider-contracts/provider/the api/publish", s.posted[0].path)
	assert.Empty(t, s.posted[0].authorization)
}

func TestWhatIsNotPublishedSaysWhy(t *testing.T) {
	status := func(code int, body string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodGet {
				return false
			}
			w.WriteHeader(code)
			_, _ = io.WriteString(w, body)
			return true
		}
	}
	everywhere := func(code int, header, body string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Location", header)
			w.WriteHeader(code)
			_, _ = io.WriteString(w, body)
			return true
		}
	}
	for name, test := range map[string]struct {
		before func(http.ResponseWriter, *http.Request) bool
		pact   string
		change func(b *broker.Broker)
		status int
		err    string
	}{
		"a token that is not taken": {before: everywhere(401, "", ""), status: 401,
			change: func(b *broker.Broker) { b.Token = "old" },
			err:    "the broker does not take the token (401): use one that may publish"},
		"no token": {before: everywhere(401, "", `{"error":{"message":"who?"}}`), status: 401,
			err: "the broker asks for a token (401): who?"},
		"a version with another content": {status: 409,
			before: status(409, `{"notices":[{"type":"error","text":"Cannot change the content"}]}`),
			err: "this version is published with another content (409): use a new version: " +
				"Cannot change the content"},
		"a wrong field": {before: status(400, `{"errors":{"branch":["is too long","is odd"]}}`), status: 400,
			err: "responded with 400: branch is too long, is odd"},
		"a server that fails": {before: status(500, ""), status: 500, err: "responded with 500"},
		"another path":        {before: everywhere(404, "", ""), status: 404, err: "there is no broker at http"},
		"a redirect": {before: everywhere(302, "http://192.0.2.1/", ""), status: 302,
			err: "responded with 302"},
		"a page": {before: everywhere(200, "", "<html>"), err: "responds with something else than JSON"},
		"an index without links": {before: everywhere(200, "", "{}"),
			err: "is not a broker that can do this: its index has no link pb:publish-contracts"},
		"a link to another host": {
			before: everywhere(200, "", `{"_links":{"pb:publish-contracts":{"href":"http://192.0.2.1/publish"}}}`),
			err:    "leads to another host: the token is not sent there"},
		"a broker that is down": {change: func(b *broker.Broker) { b.URL = "http://127.0.0.1:1" },
			err: "cannot reach the broker at 127.0.0.1:1: "},
		"a token in the open": {change: func(b *broker.Broker) { b.URL, b.Token = "http://192.0.2.1", "secret" },
			err: "the token would go to 192.0.2.1 unencrypted: use https"},
		"credentials in the address": {change: func(b *broker.Broker) { b.URL = "ftp://a:secret@127.0.0.1:x" },
			err: "the broker's address has credentials in it"},
		"no address": {change: func(b *broker.Broker) { b.URL = "broker" },
			err: "invalid address of a broker: use http://HOST or https://HOST"},
		"another file":   {pact: `{"openapi":"3.1.0"}`, err: "a.json is not a pact: it names no consumer and provider"},
		"not even JSON":  {pact: `x`, err: "a.json is not a pact"},
		"a response cut": {before: status(200, `{"notices":[`), err: "responds with something else than JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStub(t)
			if test.before != nil {
				s.before = test.before
			}
			b := broker.Broker{URL: s.URL}
			if test.change != nil {
				test.change(&b)
			}
			pact := onePact
			if test.pact != "" {
				pact = test.pact
			}
			_, err := b.PublishPacts(t.Context(), version, []broker.Pact{{Name: "a.json", Text: []byte(pact)}})
			require.ErrorContains(t, err, test.err)
			require.NotContains(t, err.Error(), "secret")
			if test.status != 0 {
				var refused *broker.Error
				require.ErrorAs(t, err, &refused)
				require.Equal(t, test.status, refused.Status)
			}
		})
	}
}

func TestTheBrokerIsAskedAgainAsLongAsItMayRecover(t *testing.T) {
	s := newStub(t)
	failures := []int{503, 429, 500}
	s.before = func(w http.ResponseWriter, _ *http.Request) bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(failures) == 0 {
			return false
		}
		w.Header().Set("Retry-After", "0")
		w.WriteHeader(failures[0])
		failures = failures[1:]
		return true
	}
	b := broker.Broker{URL: s.URL, Retries: 3, Pause: time.Millisecond}
	_, err := b.PublishPacts(t.Context(), version, []broker.Pact{{Text: []byte(onePact)}})
	require.NoError(t, err)
	require.Len(t, s.posted, 1)
	failures = []int{503, 503}
	b.Retries = 1
	_, err = b.PublishPacts(t.Context(), version, []broker.Pact{{Text: []byte(onePact)}})
	require.ErrorContains(t, err, "responded with 503")
}

// committedPact is the pact of the client in testsuite/pact.
func committedPact(t *testing.T) (file string, text []byte) {
	t.Helper()
	file = filepath.Join("..", "..", "contracts", "pacts", "booking-form-patient-appointments.json")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return file, text
}

func TestTheCommittedPactCanBePublished(t *testing.T) {
	s := newStub(t)
	_, text := committedPact(t)
	_, err := (&broker.Broker{URL: s.URL}).PublishPacts(t.Context(), version, []broker.Pact{{Text: text}})
	require.NoError(t, err)
	require.Equal(t, "booking-form", s.posted[0].body["pacticipantName"])
}
