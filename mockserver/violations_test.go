package mockserver_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/dunglas/httpsfv"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/mockserver"
)

// TestTheViolationsHeaderIsAStructuredField reads the header back as RFC 9651 has it.
func TestTheViolationsHeaderIsAStructuredField(t *testing.T) {
	server := start(t)
	for name, c := range map[string]struct {
		body    string
		members int // of the list
		more    int64
		first   string
		line    int64
		pointer string
		found   string
	}{
		"one rule": {change(t, "Reason", nil), 1, 0, "Reason/required", 33, "/Reason", "nothing"},
		"two rules": {strings.Replace(change(t, "Reason", nil), `"MethodId":1`, `"MethodId":"x"`, 1), 2, 0,
			"MethodId/type", 53, "/MethodId", "a string in the wrong format"},
		"a name that the page does not list": {`{"é\"\\":[[}`, 2, 0, "body", 6, `/?/0`, "malformed JSON"},
		"more than are shown": {change(t, "Reasons", []any{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}), 9, 3,
			"body", 6, "/Reasons/0", "a number of the wrong type or out of range"},
	} {
		t.Run(name, func(t *testing.T) {
			got := send(t, http.MethodPost, server.URL+endpoint, "application/json", c.body)
			list, err := httpsfv.UnmarshalList(got.header.Values(mockserver.ViolationsHeader))
			require.NoError(t, err)
			require.Len(t, list, c.members)
			first, ok := list[0].(httpsfv.Item)
			require.True(t, ok)
			assert.Equal(t, c.first, first.Value)
			line, _ := first.Params.Get("line")
			assert.Equal(t, c.line, line)
			pointer, _ := first.Params.Get("pointer")
			assert.Equal(t, c.pointer, pointer)
			found, _ := first.Params.Get("found")
			assert.Equal(t, c.found, found)
			last, ok := list[len(list)-1].(httpsfv.Item)
			require.True(t, ok)
			if c.more == 0 {
				assert.NotEqual(t, httpsfv.Token("more"), last.Value)
			} else {
				assert.Equal(t, httpsfv.Token("more"), last.Value)
				count, _ := last.Params.Get("count")
				assert.Equal(t, c.more, count)
			}
		})
	}
}
