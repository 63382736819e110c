package webapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/contracts/webapi"
)

const endpoint = "/api/Calendar/PatientAppointmentPost_v2"

// appointment is the model as a Go program would declare it for encoding/json.
type appointment struct {
	EncounterTypeId             *uuid.UUID
	EncounterTypeModeDurationId *uuid.UUID
	ProviderId                  *uuid.UUID
	UserId                      uuid.UUID
	PatientId                   *uuid.UUID
	SpecialityId                *uuid.UUID
	AppointmentOn               time.Time
	SecondaryAppointmentOn      *time.Time
	Reason                      string
	Note                        *string
	ParentId                    *uuid.UUID
	ReferredParentId            *uuid.UUID
	PaidAmount                  json.Number
	AccountId                   uuid.UUID
	ServiceId                   *uuid.UUID
	MethodId                    *int32
	IsCustomFormFlow            *string
	DocIds                      *string
	Reasons                     []struct{ ReasonId uuid.UUID }
}

func post(body []byte) *webapi.Request {
	return &webapi.Request{
		Method: "POST",
		Target: endpoint,
		Host:   "localhost",
		Header: http.Header{"Content-Type": {"application/json"}},
		Body:   body,
	}
}

// BenchmarkEncodingJSON is the measure of the others: Unmarshal and Marshal of
// the page's sample.
func BenchmarkEncodingJSON(b *testing.B) {
	sample := pageOperation(b).Sample
	b.SetBytes(int64(len(sample)))
	b.ReportAllocs()
	for b.Loop() {
		var a appointment
		if err := json.Unmarshal(sample, &a); err != nil {
			b.Fatal(err)
		}
		if _, err := json.Marshal(&a); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmarkResponse(b *testing.B, body []byte, status int) {
	e := endpoints(b)[0]
	req := post(body)
	buf := make([]byte, 0, 8192)
	require.Equal(b, status, e.Respond(req, buf).Status)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		buf = e.Respond(req, buf).Body
	}
}

// BenchmarkSample responds to the page's sample, echo included.
func BenchmarkSample(b *testing.B) { benchmarkResponse(b, pageOperation(b).Sample, 200) }

// BenchmarkRejection responds to the page's sample with four fields that are wrong.
func BenchmarkRejection(b *testing.B) {
	sample := string(pageOperation(b).Sample)
	for _, change := range [][2]string{
		{"84ef7a81-c643-4b8e-85e5-1ff52fc35f3d", "84ef7a81"},
		{`"AppointmentOn": "2026-02-03T21:04:03.1544841-06:00"`, `"AppointmentOn": "never"`},
		{"sample string 3", ""},
		{`"MethodId": 1`, `"MethodId": "one"`},
	} {
		require.Contains(b, sample, change[0])
		sample = strings.Replace(sample, change[0], change[1], 1)
	}
	benchmarkResponse(b, []byte(sample), 400)
}

// hostile are bodies of one mebibyte that slow down parsers with a worse than
// linear step somewhere.
func hostile() map[string]*webapi.Request {
	fill := func(prefix, unit, suffix string) []byte {
		n := 1<<20 - len(prefix) - len(suffix)
		return []byte(prefix + strings.Repeat(unit, n/len(unit)) + suffix)
	}
	bodies := map[string]*webapi.Request{
		"brackets":        post(fill("", "[", "")),
		"braces":          post(fill("", `{"a":`, "")),
		"escapes":         post(fill(`{"Reason":"`, `\u0000`, `"}`)),
		"open escapes":    post(fill("", `"\u0000`, "")),
		"digits":          post(fill("", "1", "")),
		"amount":          post(fill(`{"PaidAmount":`, "1", "}")),
		"fraction":        post(fill(`{"PaidAmount":0.`, "1", "}")),
		"amount text":     post(fill(`{"PaidAmount":"`, "1,", `"}`)),
		"exponent":        post(fill(`{"PaidAmount":1e`, "1", "}")),
		"comments":        post(fill("", "/*", "")),
		"closed comments": post(fill("", "/**/", "")),
		"commas":          post(fill("{\"Reasons\":[", ",", "]}")),
		"date commas":     post(fill(`{"AppointmentOn":"`, ",", `"}`)),
		"date months":     post(fill(`{"AppointmentOn":"`, "May ", `"}`)),
		"names":           post(fill(`{"`, "n", `":1}`)),
		"blanks":          post(fill("", " ", "")),
		"new lines":       post(fill("", "\r\n", "")),
		"surrogates":      post(fill(`{"Reason":"`, `\uD800`, `"}`)),
		"constructors":    post(fill("", "new a(", "")),
		"invalid bytes":   post(fill(`{"Reason":"`, "\xFF", `"}`)),
		"errors":          post(fill(`{"Reasons":[`, "1,", "1]}")),
		"field errors":    post(fill("{", `"UserId":1,`, "}")),
	}
	numbered := func(prefix, unit string) []byte {
		b := []byte(prefix)
		for i := 0; len(b) < 1<<20; i++ {
			b = fmt.Appendf(b, unit, i)
		}
		return b
	}
	bodies["elements"] = post(fill(`{"Reasons":[`, "{},", "{}]}"))
	bodies["nested fields"] = post(fill("", `{"Reasons":[`, ""))
	bodies["element ids"] = post(numbered(`{"Reasons":[`, `{"$id":"%d"},`))
	form := func(body []byte) *webapi.Request {
		r := post(body)
		r.Header = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
		return r
	}
	bodies["form brackets"] = form(fill("", "&a[", ""))
	bodies["form ampersands"] = form(fill("", "&", ""))
	bodies["form escapes"] = form(fill("Reason=", "%FF", ""))
	bodies["form elements"] = form(fill("", "&Reasons[0].ReasonId=", ""))
	bodies["form values"] = form(fill("Reasons=", "&Reasons=", ""))
	bodies["form indexes"] = form(numbered("Reason=a", "&Reasons[%d].ReasonId="))
	bodies["form names"] = form(numbered("Reason=a", "&a%d=1"))
	wide := post(fill("\xFF\xFE", "[\x00", ""))
	wide.Header = http.Header{"Content-Type": {"application/json; charset=utf-16"}}
	bodies["wide brackets"] = wide
	return bodies
}

func BenchmarkHostile(b *testing.B) {
	for name, req := range hostile() {
		b.Run(name, func(b *testing.B) {
			e := endpoints(b)[0]
			b.SetBytes(int64(len(req.Body)))
			for b.Loop() {
				e.Respond(req, nil)
			}
		})
	}
}

func TestHostileBodiesGetResponses(t *testing.T) {
	if testing.Short() {
		t.Skip("its responses have tens of megabytes; make race runs it")
	}
	es := endpoints(t)
	for name, req := range hostile() {
		t.Run(name, func(t *testing.T) { holds(t, es, req) })
	}
}
