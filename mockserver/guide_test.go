package mockserver_test

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/helppage"
	"github.com/seed47566266/understudy/mockserver"
)

// submitBooking is what the guide's test is about.
func submitBooking(t *testing.T, url, reason string) {
	t.Helper()
	body := map[string]string{
		"UserId": "84ef7a81-c643-4b8e-85e5-1ff52fc35f3d", "AppointmentOn": "2026-02-03T21:04:03Z",
		"AccountId": "3faed728-f67f-4bc0-888f-a8410d31c7df",
	}
	if reason != "" {
		body["Reason"] = reason
	}
	text, err := json.Marshal(body)
	require.NoError(t, err)
	resp, err := http.Post(url+endpoint, "application/json", strings.NewReader(string(text)))
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
}

func TestBookingForm(t *testing.T) {
	contract, err := helppage.Parse(contracts.Page())
	require.NoError(t, err)
	mock := mockserver.Start(t, contract)
	submitBooking(t, mock.URL, "") // the code under test, without a reason
	mock.RequireRejected(t, "Reason/required")
	submitBooking(t, mock.URL, "Check-up")
	mock.RequireAccepted(t, 1)
}

// TestTheGuidesGoIsATest finds the guide's Go in this file, letter by letter.
func TestTheGuidesGoIsATest(t *testing.T) {
	guide, err := os.ReadFile("README.md")
	require.NoError(t, err)
	here, err := os.ReadFile("guide_test.go")
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(guide), "```go\n")
	require.True(t, found)
	code, _, found := strings.Cut(rest, "```")
	require.True(t, found)
	require.Contains(t, string(here), code)
}
