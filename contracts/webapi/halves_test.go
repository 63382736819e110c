package webapi_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed47566266/understudy/contracts/webapi"
)

// TestTheCharacterAfterAnOffsetIsNotRead has what DateTime.Parse takes and rejects
// after a date in the T form.
func TestTheCharacterAfterAnOffsetIsNotRead(t *testing.T) {
	const date = "2026-02-03T21:04:03"
	for after, accepted := range map[string]bool{
		"-06:00E": true, "-06x": true, "-0600x": true, "-06:00é": true, "-06:00E  " +
			"": true, "-6x": true, ".5-06:00,": true,
		"-06:00EE": false, "-06:00 E": false, "-06:00😀": false,
		"Zx": false, "x": false, "-06:x": false, "-06:001": false,
		".": true, ".Z": true, ".-06:00": true, ".-0600": true, ".:00": false,
		".00x": false, ".-06": false, ".+1": false, ".z": false,
	} {
		got := front(t).Respond(post([]byte(with("AppointmentOn", `"`+date+after+`"`))), nil)
		assert.Equal(t, accepted, got.Status == 200, "%s%s: %s", date, after, got.Body)
	}
}

// TestACharacterOutsideTheBMPIsTwo has it where a value is expected, as .NET's
// strings have it: two units, each an error.
func TestACharacterOutsideTheBMPIsTwo(t *testing.T) {
	body := with("MethodId", "😀0")
	public := front(t, func(p *webapi.Profile) { p.ErrorDetail = false }).Respond(post([]byte(body)), nil)
	assert.Equal(t, 400, public.Status)
	assert.Equal(
		t,
		`{"Message":"The request is invalid.","ModelState":{"model.MethodId":["An error has occurred.","An error `+
			`has occurred."]}}`,
		string(public.Body),
	)
	assert.Contains(t, body, "😀", "the body stays as it is")

	detail := front(t).Respond(post([]byte(body)), nil)
	assert.Equal(t, 500, detail.Status)
	assert.Contains(t, string(detail.Body),
		`Unable to translate Unicode character \\\\uD83D at index 124 to specified code page.`)
	assert.NotEmpty(t, detail.Violations)

	for name, text := range map[string]string{
		"an escape": `"\😀"`, "four digits that are none": `"\u123😀"`, "a number": "1😀",
	} {
		got := front(t).Respond(post([]byte(with("Note", text))), nil)
		assert.Equal(t, 500, got.Status, name)
	}
	hostile := strings.Repeat(`"MethodId":😀,`, 20_000)
	got := front(t).Respond(post([]byte("{"+hostile+"}")), nil)
	assert.Equal(t, 500, got.Status)
}
