//go:build pact

package pact_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pact-foundation/pact-go/v2/consumer"
	"github.com/pact-foundation/pact-go/v2/log"
	"github.com/pact-foundation/pact-go/v2/matchers"
	"github.com/pact-foundation/pact-go/v2/models"
	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/testsuite/pact/client"
)

var update = flag.Bool("update", false, "write contracts/pacts again")

// The names of the two sides.
const consumerName, providerName = "booking-form", "patient-appointments"

func TestMain(m *testing.M) {
	// Once: the library takes no second one.
	if err := log.SetLogLevel("ERROR"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// valid is a booking that the page allows.
func valid() client.Booking {
	return client.Booking{
		UserID: "5eedda7a-0000-4000-8000-000000000001", AppointmentOn: "2026-02-03T09:30:00-06:00",
		Reason: "Wrist pain", AccountID: "5eedda7a-0000-4000-8000-000000000002",
	}
}

// The state in which a server responds in one way whatever it is sent: its parameters are a
// status and a message.
const stateResponds = "the server responds"

// interaction is what one test of the client adds to the pact.
type interaction struct {
	name   string
	change func(b *client.Booking)
	form   bool
	status int
	// fields are the fields of which something is wrong, each with the words of the server;
	// message is what a server says that is in a state of its own.
	fields  map[string]string
	message string
}

var interactions = []interaction{
	{name: "a booking", status: 200},
	{name: "a booking with a note and a provider", status: 200, change: func(b *client.Booking) {
		b.Note, b.ProviderID = "Will join from a phone.", "5eedda7a-0000-4000-8000-000000000003"
	}},
	{name: "a booking with a reason of 250 characters", status: 200,
		change: func(b *client.Booking) { b.Reason = strings.Repeat("a", 250) }},
	{name: "a form", status: 200, form: true},
	{name: "a form with a note", status: 200, form: true, change: func(b *client.Booking) { b.Note = "Tea & biscuits" }},
	{name: "a reason that is empty", status: 400, change: func(b *client.Booking) { b.Reason = "" },
		fields: map[string]string{"Reason": "The Reason field is required."}},
	{name: "a reason of 251 characters", status: 400,
		change: func(b *client.Booking) { b.Reason = strings.Repeat("a", 251) },
		fields: map[string]string{"Reason": "The field Reason must be a string with a maximum length of 250."}},
	{name: "a note of 1001 characters", status: 400,
		change: func(b *client.Booking) { b.Note = strings.Repeat("a", 1001) },
		fields: map[string]string{"Note": "The field Note must be a string with a maximum length of 1000."}},
	{name: "a form without a user", status: 400, form: true, change: func(b *client.Booking) { b.UserID = "" },
		fields: map[string]string{"UserId": "The UserId property is required."}},
	{name: "a form with a word for a provider", status: 400, form: true,
		change: func(b *client.Booking) { b.ProviderID = "anyone" },
		fields: map[string]string{"ProviderId": "The value 'anyone' is not valid for ProviderId."}},
	{name: "a booking of a slot that is taken", status: 409, message: "The slot is taken."},
	{name: "a booking when there are too many", status: 429, message: "Try again later."},
	{name: "a booking when the server is away for a while", status: 503, message: "Service Unavailable."},
}

func TestTheClientBooksAndSaysWhatIsWrong(t *testing.T) {
	folder := t.TempDir()
	pact, err := consumer.NewV4Pact(consumer.MockHTTPProviderConfig{
		Consumer: consumerName, Provider: providerName, PactDir: folder, LogDir: folder,
	})
	require.NoError(t, err)
	for _, x := range interactions {
		t.Run(x.name, func(t *testing.T) { x.test(t, pact) })
	}
	if t.Failed() {
		return
	}
	name := consumerName + "-" + providerName + ".json"
	got, err := os.ReadFile(filepath.Join(folder, name))
	require.NoError(t, err)
	committed := filepath.Join("..", "..", "contracts", "pacts", name)
	if *update {
		require.NoError(t, os.WriteFile(committed, got, 0o600))
	}
	want, err := os.ReadFile(committed)
	require.NoError(t, err)
	require.JSONEq(t, string(want), string(got), "%s is another; -update writes it again", committed)
}

func (x *interaction) test(t *testing.T, pact *consumer.V4HTTPMockProvider) {
	b := valid()
	if x.change != nil {
		x.change(&b)
	}
	start := pact.AddInteraction()
	if x.message != "" {
		start = start.GivenWithParameter(models.ProviderState{Name: stateResponds,
			Parameters: map[string]any{"status": fmt.Sprint(x.status), "message": x.message}})
	}
	err := start.UponReceiving(x.name).
		WithRequest("POST", client.Path, func(r *consumer.V4RequestBuilder) {
			if x.form {
				r.Body("application/x-www-form-urlencoded", []byte(formOf(t, &b)))
				return
			}
			r.Header("Content-Type", matchers.S("application/json"))
			r.JSONBody(b)
		}).
		WillRespondWith(x.status, func(r *consumer.V4ResponseBuilder) {
			if x.status == 200 {
				return
			}
			r.Header("Content-Type", matchers.Regex("application/json; charset=utf-8", "application/json.*"))
			body := map[string]any{"Message": x.message}
			if x.message == "" {
				state := map[string]any{}
				for field, says := range x.fields {
					state["model."+field] = []string{says}
				}
				body = map[string]any{"Message": "The request is invalid.", "ModelState": state}
			}
			r.JSONBody(body)
		}).
		ExecuteTest(t, func(server consumer.MockServerConfig) error {
			c := client.Client{URL: fmt.Sprintf("http://%s:%d", server.Host, server.Port)}
			book := c.Book
			if x.form {
				book = c.BookForm
			}
			err := book(t.Context(), &b)
			var rejection *client.Rejection
			switch isRejection := errors.As(err, &rejection); {
			case x.status == 200:
				return err
			case !isRejection:
				return fmt.Errorf("not a rejection: %w", err)
			case rejection.Status != x.status:
				return fmt.Errorf("status %d", rejection.Status)
			}
			for field, says := range x.fields {
				if got := rejection.Fields["model."+field]; len(got) != 1 || got[0] != says {
					return fmt.Errorf("%s: %q", field, got)
				}
			}
			return nil
		})
	require.NoError(t, err)
}

// formOf is the form of a booking, of the fields that have a value.
func formOf(t *testing.T, b *client.Booking) string {
	t.Helper()
	text, err := json.Marshal(b)
	require.NoError(t, err)
	var fields map[string]string
	require.NoError(t, json.Unmarshal(text, &fields))
	return encoded(fields)
}
