package diff_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/diff"
	"github.com/seed47566266/understudy/contracts/export"
	"github.com/seed47566266/understudy/contracts/helppage"
)

var update = flag.Bool("update", false, "write the golden files again")

func pages(t *testing.T, page string) *diff.Side {
	t.Helper()
	c, err := helppage.Parse([]byte(page))
	require.NoError(t, err)
	return diff.Pages(c)
}

// changed is the embedded page with texts replaced, each of which stands in it.
func changed(t *testing.T, pairs ...string) string {
	t.Helper()
	page := string(contracts.Page())
	for i := 0; i < len(pairs); i += 2 {
		require.Contains(t, page, pairs[i])
		page = strings.Replace(page, pairs[i], pairs[i+1], 1)
	}
	return page
}

func TestEachChangeOfAPageIsFoundInBothDirections(t *testing.T) {
	type found struct {
		rule          string
		kind          diff.Kind
		before, after string
		breaks        bool
	}
	const reason = "Required String length: inclusive between 0 and 250"
	for name, test := range map[string]struct {
		pairs       []string
		there, back []found
	}{
		"nothing": {},
		"a shorter text": {[]string{reason, "Required String length: inclusive between 0 and 200"},
			[]found{{"Reason/length", diff.Tightened, "0 to 250 characters", "0 to 200 characters", true}},
			[]found{{"Reason/length", diff.Loosened, "0 to 200 characters", "0 to 250 characters", false}}},
		"bounds that move both ways": {[]string{reason, "Required String length: inclusive between 5 and 300"},
			[]found{{"Reason/length", diff.Tightened, "0 to 250 characters", "5 to 300 characters", true}},
			[]found{{"Reason/length", diff.Tightened, "5 to 300 characters", "0 to 250 characters", true}}},
		"a text without bounds": {[]string{reason, "Required"},
			[]found{{"Reason/length", diff.Loosened, "0 to 250 characters", "any length", false}},
			[]found{{"Reason/length", diff.Tightened, "any length", "0 to 250 characters", true}}},
		"a field that is no longer required": {[]string{reason, "String length: inclusive between 0 and 250"},
			[]found{{"Reason/required", diff.Loosened, "required", "optional", false}},
			[]found{{"Reason/required", diff.Tightened, "optional", "required", true}}},
		"a field less": {[]string{"| DocIds | string |\nNone. |\n|\n", "", "\"DocIds\": \"sample string 8\",\n", ""},
			[]found{{"DocIds/type", diff.Removed, "string", "", true}},
			[]found{{"DocIds/type", diff.Added, "", "string", false}}},
		"a media type less": {[]string{"application/json, text/json", "application/json"},
			[]found{{"request/text/json", diff.Removed, "text/json", "", true}},
			[]found{{"request/text/json", diff.Added, "", "text/json", false}}},
		"another operation": {[]string{"PatientAppointmentPost_v2", "PatientAppointmentPost_v3"},
			[]found{{"", diff.Removed, "the operation", "", true}, {"", diff.Added, "", "the operation", false}},
			[]found{{"", diff.Removed, "the operation", "", true}, {"", diff.Added, "", "the operation", false}}},
	} {
		t.Run(name, func(t *testing.T) {
			before, after := pages(t, string(contracts.Page())), pages(t, changed(t, test.pairs...))
			for _, direction := range []struct {
				from, to *diff.Side
				want     []found
			}{{before, after, test.there}, {after, before, test.back}} {
				var got []found
				changes := diff.Compare(direction.from, direction.to)
				for _, c := range changes {
					got = append(got, found{c.Rule.String(), c.Kind, c.Before, c.After, c.Breaks})
					assert.True(t, c.BeforeLine > 0 == (c.Before != "") && c.AfterLine > 0 == (c.After != ""), "%+v", c)
				}
				assert.Equal(t, direction.want, got)
			}
		})
	}
}

// TestAPageIsItsOwnExport compares the page with what it says as OpenAPI, of both versions.
func TestAPageIsItsOwnExport(t *testing.T) {
	c, err := helppage.Parse(contracts.Page())
	require.NoError(t, err)
	for _, form := range []string{"openapi", "openapi3.0"} {
		var b bytes.Buffer
		require.NoError(t, export.Write(&b, form, c))
		side, err := diff.OpenAPI(b.Bytes())
		require.NoError(t, err)
		assert.Empty(t, diff.Compare(diff.Pages(c), side), form)
		assert.Empty(t, diff.Compare(side, diff.Pages(c)), form)
	}
}

// another is an OpenAPI document as a team writes one, with references and parts.
const another = `openapi: 3.0.3
info: {title: Bookings, version: "2"}
paths:
  /api/Calendar/PatientAppointmentPost_v2:
    post:
      requestBody:
        content:
          application/json; charset=utf-8: {schema: {$ref: '#/components/schemas/Booking'}}
      responses:
        "201": {description: booked, content: {application/json: {schema: {type: object}}}}
        default: {description: wrong}
components:
  schemas:
    Base:
      type: object
      required: [UserId, AccountId, AppointmentOn]
      properties:
        UserId: {type: string, format: uuid}
        AccountId: {type: string}
        AppointmentOn: {type: string, format: date-time}
    Booking:
      allOf:
        - $ref: '#/components/schemas/Base'
        - type: object
          required: [Reason, Channel]
          properties:
            Reason: {type: string, minLength: 1}
            PaidAmount: {type: integer, nullable: true}
            Channel: {type: string}
            Follows: {$ref: '#/components/schemas/Booking'}
`

func TestAnOpenAPIDocumentIsComparedForWhatBothSay(t *testing.T) {
	side, err := diff.OpenAPI([]byte(another))
	require.NoError(t, err)
	changes := diff.Compare(pages(t, string(contracts.Page())), side)
	for _, format := range diff.Formats() {
		var b bytes.Buffer
		require.NoError(t, diff.Write(&b, format, changes))
		file := filepath.Join("testdata", "another."+format)
		if *update {
			require.NoError(t, os.WriteFile(file, b.Bytes(), 0o600))
		}
		want, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, string(want), b.String(), "%s is another; -update writes it again", file)
		if format == "json" {
			require.True(t, json.Valid(b.Bytes()))
		}
	}
}

func TestADocumentThatCannotBeReadIsAnError(t *testing.T) {
	for text, why := range map[string]string{
		"openapi: 3.0.3": "has no operation",
		"{":              "not an OpenAPI document that can be read",
		"openapi: 3.0.3\npaths: {/x: {$ref: 'other.yaml#/x'}}": "not an OpenAPI document that can be read",
	} {
		_, err := diff.OpenAPI([]byte(text))
		require.ErrorContains(t, err, why, text)
	}
}

type full struct{}

var errFull = errors.New("no space left")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestTheErrorOfTheWriterIsReturned(t *testing.T) {
	require.ErrorIs(t, diff.Write(full{}, "text", nil), errFull)
	require.ErrorContains(t, diff.Write(full{}, "xml", nil), `unknown format "xml": use text, json, markdown`)
}

// FuzzOpenAPI reads any bytes without an end in panic.
func FuzzOpenAPI(f *testing.F) {
	f.Add([]byte(another))
	f.Add([]byte(`{"openapi":"3.1.0","paths":{"/x":{"post":{"responses":{}}}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		side, err := diff.OpenAPI(text)
		if err == nil {
			require.Empty(t, diff.Compare(side, side))
		}
	})
}
