package mockserver_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/mockserver"
)

// failing is a test that notes why it fails.
type failing struct {
	testing.TB
	why string
}

func (f *failing) Helper() {}

func (f *failing) Fatalf(format string, args ...any) {
	f.why = fmt.Sprintf(format, args...)
	panic(f) // as FailNow ends the test
}

func (f *failing) Fatal(args ...any) { f.Fatalf("%s", fmt.Sprint(args...)) }

// fails runs what has to fail, and returns why it does.
func fails(t *testing.T, run func(testing.TB)) string {
	t.Helper()
	f := &failing{TB: t}
	func() {
		defer func() {
			if problem := recover(); problem != any(f) {
				panic(problem)
			}
		}()
		run(f)
	}()
	require.NotEmpty(t, f.why)
	return f.why
}

func TestAGoTestAsksWhatTheClientSent(t *testing.T) {
	mock := mockserver.Start(t, pageContract(t))
	post := func(body string) int {
		resp, err := http.Post(mock.URL+endpoint, "application/json", strings.NewReader(body))
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp.StatusCode
	}
	sample := string(operation(t).Sample)
	mock.RequireAccepted(t, 0)
	require.Equal(t, 200, post(sample))
	require.Equal(t, 400, post(change(t, "Reason", nil)))
	mock.RequireAccepted(t, 1)
	mock.RequireRejected(t, "Reason/required")
	entries, err := mock.Requests()
	require.NoError(t, err)
	require.Len(t, entries, 2)
	assert.Equal(t, sample, string(entries[0].Body))

	require.NoError(t, mock.Use(mockserver.Scenario{
		Name: "taken", Then: mockserver.Then{Response: mockserver.Response{Status: http.StatusConflict}},
	}))
	require.Equal(t, 409, post(sample))
	require.NoError(t, mock.Switch("taken", false))
	require.Equal(t, 200, post(sample))
	require.NoError(t, mock.Reset(""))
	mock.RequireAccepted(t, 0)
	require.Error(t, mock.Switch("taken", true), "what was used is gone")

	require.Equal(t, 400, post(change(t, "UserId", nil)))
	why := fails(t, func(tb testing.TB) { mock.RequireRejected(tb, "Resaon/required") })
	assert.Contains(t, why, `unknown rule "Resaon/required"; did you mean "Reason/required"?`)
	if testing.Short() {
		t.Log("what fails is waited for, for 5 s: make race runs it")
		return
	}
	why = fails(t, func(tb testing.TB) { mock.RequireAccepted(tb, 1) })
	assert.Contains(t, why, "0 requests were accepted, not 1; the journal has\n  POST "+endpoint+
		": rejected; /UserId breaks UserId/required (page line 18)")
	why = fails(t, func(tb testing.TB) { mock.RequireRejected(tb, "Reason/required") })
	assert.Contains(t, why, "no request was rejected that breaks Reason/required")
}
