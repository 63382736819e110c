// Package client books appointments over the API of the embedded Help Page: a small client as
// an application has one, and the consumer of the pact in contracts/pacts.
//
// [Client.Book] sends JSON, [Client.BookForm] a form. What the server does not accept is a
// *[Rejection].
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// Path is that of the operation.
const Path = "/api/Calendar/PatientAppointmentPost_v2"

// Booking is what the form of the application asks for.
type Booking struct {
	// UserID is who books, a GUID.
	UserID string `json:"UserId"`
	// AppointmentOn is the date and time in ISO 8601, with an offset.
	AppointmentOn string
	// Reason is why they come, up to 250 characters.
	Reason string
	// AccountID is who pays, a GUID.
	AccountID string `json:"AccountId"`
	// Note is what else there is to say, up to 1000 characters; empty for nothing.
	Note string `json:",omitempty"`
	// ProviderID is whom they see, a GUID; empty for anyone.
	ProviderID string `json:"ProviderId,omitempty"`
}

// Rejection is a response other than a success.
type Rejection struct {
	// Status is that of the response.
	Status int `json:"-"`
	// Message is what is wrong as a whole.
	Message string
	// Fields are what is wrong with each field, by its name after "model."; empty if the server
	// does not say.
	Fields map[string][]string `json:"ModelState"`
}

func (r *Rejection) Error() string {
	return fmt.Sprintf("not booked: %d %s", r.Status, r.Message)
}

// Client sends requests to one server.
type Client struct {
	// URL is the server's address, without the path.
	URL string
	// HTTP sends them; nil is http.DefaultClient.
	HTTP *http.Client
}

// longest bounds a response, in bytes.
const longest = 1 << 20

// Book books as JSON. The error is a *Rejection, or of the network.
func (c *Client) Book(ctx context.Context, b *Booking) error {
	body, err := json.Marshal(b)
	if err != nil {
		return err
	}
	return c.send(ctx, "application/json", body)
}

// BookForm books as an HTML form does.
func (c *Client) BookForm(ctx context.Context, b *Booking) error {
	form := url.Values{}
	for name, value := range map[string]string{"UserId": b.UserID, "AppointmentOn": b.AppointmentOn, "Reason": b.Reason,
		"AccountId": b.AccountID, "Note": b.Note, "ProviderId": b.ProviderID} {
		if value != "" {
			form.Set(name, value)
		}
	}
	return c.send(ctx, "application/x-www-form-urlencoded", []byte(form.Encode()))
}

func (c *Client) send(ctx context.Context, contentType string, body []byte) (err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL+Path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", contentType)
	sender := c.HTTP
	if sender == nil {
		sender = http.DefaultClient
	}
	response, err := sender.Do(request)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	if response.StatusCode/100 == 2 {
		return nil
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, longest))
	if err != nil {
		return err
	}
	rejection := &Rejection{}
	if json.Unmarshal(text, rejection) != nil {
		rejection = &Rejection{Message: http.StatusText(response.StatusCode)}
	}
	rejection.Status = response.StatusCode
	return rejection
}
