package mockserver_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/mockserver"
)

// FuzzConfig reads any text as a configuration. What is wrong has a place or a reason; what is
// right is read again as it is written, and the mock responds by it.
func FuzzConfig(f *testing.F) {
	example, err := os.ReadFile("../cmd/understudy/example.yaml")
	require.NoError(f, err)
	_, own, found := strings.Cut(string(example), "time-zone: America/Chicago\n")
	require.True(f, found)
	for _, seed := range []string{
		own, configuration, "", "{}", "[]", "a: &a [*a]", "scenarios: [{name: a, then: {delay: 1ms..2ms}}]",
		"scenarios: [{name: a, when: {call: every 3, limit: 5/s}}]", "response: {json: {a: [1, 2.5e3, null, .inf]}}",
		"scenarios: [slow, {name: b, when: {between: 08:00..12:00}, then: {rate: 1, proxy: 'http://h'}}]",
		"response: {text: \"{{range 9}}{{fake \\\"email\\\"}}{{end}}\"}", "unique: [Reasons/0/ReasonId]",
		`"": x`, "scenarios: [{name: a, when: {call: ..}}]",
	} {
		f.Add([]byte(seed))
	}
	contract := pageContract(f)
	sample := string(operation(f).Sample)
	f.Fuzz(func(t *testing.T, text []byte) {
		config, err := mockserver.ParseConfig("f", text, nil, nil)
		if err != nil {
			var place *mockserver.ConfigError
			require.True(t, errors.As(err, &place), "%v", err)
			require.Positive(t, place.Line)
			return
		}
		written, err := json.Marshal(config)
		require.NoError(t, err)
		again, err := mockserver.ParseConfig("f", written, nil, nil)
		require.NoError(t, err, "%s", written)
		rewritten, err := json.Marshal(again)
		require.NoError(t, err)
		require.JSONEq(t, string(written), string(rewritten))
		mock, err := mockserver.New(contract, mockserver.WithConfig(config))
		if err != nil {
			require.NotContains(t, err.Error(), "\n")
			return
		}
		_ = mock.Close() // so that nothing is waited for
		if strings.Contains(string(written), `"fault"`) || strings.Contains(string(written), `"proxy"`) {
			return // a recorder has no connection, and nobody is to be called
		}
		r := httptest.NewRequest(http.MethodPost, endpoint, strings.NewReader(sample))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		mock.ServeHTTP(w, r)
		require.GreaterOrEqual(t, w.Code, 200)
	})
}
