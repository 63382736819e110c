package webapi_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/contracts/webapi"
)

// with is the least body the page allows, changed: a field with an empty value
// is left out, any other is written as it stands. Members that are new go last.
func with(pairs ...string) string {
	fields := [][2]string{
		{"UserId", `"84ef7a81-c643-4b8e-85e5-1ff52fc35f3d"`},
		{"AppointmentOn", `"2026-02-03T21:04:03"`},
		{"Reason", `"checkup"`},
		{"AccountId", `"3faed728-f67f-4bc0-888f-a8410d31c7df"`},
	}
	for i := 0; i < len(pairs); i += 2 {
		found := false
		for j := range fields {
			if fields[j][0] == pairs[i] {
				fields[j][1], found = pairs[i+1], true
			}
		}
		if !found {
			fields = append(fields, [2]string{pairs[i], pairs[i+1]})
		}
	}
	var list []string
	for _, m := range fields {
		if m[1] != "" {
			list = append(list, `"`+m[0]+`":`+m[1])
		}
	}
	return "{" + strings.Join(list, ",") + "}"
}

// front is the server of these tests: the default profile with error detail.
func front(t *testing.T, change ...func(*webapi.Profile)) *webapi.Endpoint {
	t.Helper()
	p := webapi.Profile{}
	p.ErrorDetail = true
	for _, c := range change {
		c(&p)
	}
	e, err := webapi.New(pageOperation(t), p)
	require.NoError(t, err)
	return e
}

// accepts asserts that a JSON body is taken and returns a field of the echo.
func accepts(t *testing.T, body, field string) any {
	t.Helper()
	got := front(t).Respond(post([]byte(body)), nil)
	require.Equal(t, 200, got.Status, "%s", got.Body)
	require.Empty(t, got.Violations)
	return echoed(t, got.Body, field)
}

func echoed(t *testing.T, body []byte, field string) any {
	t.Helper()
	var fields map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(body, &fields))
	require.Contains(t, fields, field)
	return string(fields[field])
}

// rejects asserts that a JSON body is not taken and returns the errors by key.
func rejects(t *testing.T, body string) map[string][]string {
	t.Helper()
	got := front(t).Respond(post([]byte(body)), nil)
	require.Equal(t, 400, got.Status, "%s", got.Body)
	require.NotEmpty(t, got.Violations)
	var response struct{ ModelState map[string][]string }
	require.NoError(t, json.Unmarshal(got.Body, &response))
	return response.ModelState
}

const leastForm = "UserId=84ef7a81-c643-4b8e-85e5-1ff52fc35f3d&AppointmentOn=2026-02-03&Reason=checkup&" +
	"AccountId=3faed728-f67f-4bc0-888f-a8410d31c7df"

func acceptsForm(t *testing.T, form, field string) any {
	t.Helper()
	req := post([]byte(form))
	req.Header = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	got := front(t).Respond(req, nil)
	require.Equal(t, 200, got.Status, "%s", got.Body)
	return echoed(t, got.Body, field)
}

const aGUID = "84ef7a81-c643-4b8e-85e5-1ff52fc35f3d"

// differences has a test for each webapi.Difference. What the page says and what
// the framework does, why, and the source are in the difference itself.
var differences = map[string]func(t *testing.T){
	"string/empty-required": func(t *testing.T) {
		want := map[string][]string{"model.Reason": {"The Reason field is required."}}
		assert.Equal(t, want, rejects(t, with("Reason", `""`)))
		assert.Equal(t, want, rejects(t, with("Reason", `" \t\u00a0"`)))
		assert.Equal(t, `""`, accepts(t, with("Note", `""`), "Note"))
	},
	"string/length-units": func(t *testing.T) {
		accepts(t, with("Reason", `"`+strings.Repeat("😀", 125)+`"`), "Reason")
		assert.Equal(t,
			map[string][]string{"model.Reason": {"The field Reason must be a string with a maximum length of 250."}},
			rejects(t, with("Reason", `"`+strings.Repeat("😀", 126)+`"`)))
		accepts(t, with("Reason", `"`+strings.Repeat("日", 250)+`"`), "Reason")
	},
	"string/from-other-kinds": func(t *testing.T) {
		assert.Equal(t, `"5"`, accepts(t, with("Reason", "5"), "Reason"))
		assert.Equal(t, `"1.50"`, accepts(t, with("Note", "1.50"), "Note"))
		assert.Equal(t, `"true"`, accepts(t, with("Note", "true"), "Note"))
	},
	"string/form-blank": func(t *testing.T) {
		assert.Equal(t, "null", acceptsForm(t, leastForm+"&Note=+", "Note"))
		assert.Equal(t, `" "`, accepts(t, with("Note", `" "`), "Note"))
	},
	"guid/forms": func(t *testing.T) {
		for _, form := range []string{
			"84ef7a81c6434b8e85e51ff52fc35f3d", "{84ef7a81-c643-4b8e-85e5-1ff52fc35f3d}",
			"(84EF7A81-C643-4B8E-85E5-1FF52FC35F3D)",
			" 84ef7a81-c643-4b8e-85e5-1ff52fc35f3d " +
				"", "{0x84ef7a81,0xc643,0x4b8e,{0x85,0xe5,0x1f,0xf5,0x2f,0xc3,0x5f,0x3d}}",
		} {
			assert.Equal(t, `"`+aGUID+`"`, accepts(t, with("PatientId", `"`+form+`"`), "PatientId"), form)
		}
		bad := with("PatientId", `"x"`)
		assert.Equal(
			t,
			map[string][]string{
				"model.PatientId": {
					"Error converting value \"x\" to type 'System.Nullable`1[System.Guid]'. Path 'PatientId', line " +
						"1, position " +
						strconv.Itoa(len(bad)-1) + ".",
				},
			},
			rejects(t, bad),
			"the position is after the value",
		)
	},
	"guid/zero-required": func(t *testing.T) {
		zero := `"00000000-0000-0000-0000-000000000000"`
		assert.Equal(t, zero, accepts(t, with("UserId", zero), "UserId"))
	},
	"value/empty-is-null": func(t *testing.T) {
		for _, field := range []string{"PatientId", "SecondaryAppointmentOn", "MethodId"} {
			assert.Equal(t, "null", accepts(t, with(field, `""`), field))
		}
	},
	"value/null-rejected": func(t *testing.T) {
		for _, field := range []string{"PaidAmount", "UserId", "AppointmentOn"} {
			assert.Contains(t, rejects(t, with(field, "null")), "model."+field)
		}
		assert.Equal(t, "null", accepts(t, with("MethodId", "null"), "MethodId"))
	},
	"decimal/missing-is-zero": func(t *testing.T) {
		assert.Equal(t, "0.0", accepts(t, with(), "PaidAmount"))
	},
	"number/from-string": func(t *testing.T) {
		assert.Equal(t, "1", accepts(t, with("MethodId", `" +1 "`), "MethodId"))
		assert.Equal(t, "1000.5", accepts(t, with("PaidAmount", `"1,000.5"`), "PaidAmount"))
	},
	"number/octal-and-hex": func(t *testing.T) {
		assert.Equal(t, "8", accepts(t, with("MethodId", "010"), "MethodId"))
		assert.Equal(t, "16.0", accepts(t, with("PaidAmount", "0x10"), "PaidAmount"))
		assert.Equal(t, "10", accepts(t, with("MethodId", `"010"`), "MethodId"))
	},
	"decimal/digits-kept": func(t *testing.T) {
		assert.Equal(t, "5.00", accepts(t, with("PaidAmount", "5.00"), "PaidAmount"))
		assert.Equal(t, "5.0", accepts(t, with("PaidAmount", "5"), "PaidAmount"))
	},
	"date/any-spelling": func(t *testing.T) {
		for spelling, want := range map[string]string{
			"02/03/2026": "2026-02-03T00:00:00",
			"3 Feb 2026": "2026-02-03T00:00:00", "/Date(0)/": "1970-01-01T00:00:00Z",
			"Tue, 03 Feb 2026 21:04:03 GMT": "2026-02-03T21:04:03Z", "2026-02-03 9:04 PM": "2026-02-03T21:04:00",
		} {
			assert.Equal(t, `"`+want+`"`, accepts(t, with("AppointmentOn", `"`+spelling+`"`), "AppointmentOn"),
				spelling)
		}
	},
	"date/offset-is-lost": func(t *testing.T) {
		e := front(t, func(p *webapi.Profile) { p.TimeZone = "America/Chicago" })
		got := e.Respond(post([]byte(with("AppointmentOn", `"2026-02-03T21:04:03+05:30"`))), nil)
		assert.Equal(t, `"2026-02-03T09:34:03-06:00"`, echoed(t, got.Body, "AppointmentOn"))
		got = e.Respond(post([]byte(with("AppointmentOn", `"2026-02-03T21:04:03Z"`))), nil)
		assert.Equal(t, `"2026-02-03T21:04:03Z"`, echoed(t, got.Body, "AppointmentOn"))
	},
	"value/derails": func(t *testing.T) {
		errs := rejects(t, with("Note", `{"a":1}`, "PatientId", `"x"`))
		assert.Contains(t, errs["model.Note"][0],
			"Unexpected character encountered while parsing value: {. Path 'Note'")
		assert.Len(t, errs["model.Note"], 2, "one fault, two errors")
		assert.NotContains(t, errs, "model.PatientId", "what follows is not read")
	},
	"list/duplicates-append": func(t *testing.T) {
		body := strings.TrimSuffix(with("Note", `"first"`, "Reasons", `[{"ReasonId":"`+aGUID+`"}]`), "}") +
			`,"Note":"last","Reasons":[{"ReasonId":"` + aGUID + `"}]}`
		assert.Equal(t, `[{"ReasonId":"`+aGUID+`"},{"ReasonId":"`+aGUID+`"}]`, accepts(t, body, "Reasons"))
		assert.Equal(t, `"last"`, accepts(t, body, "Note"))
	},
	"list/form-gap": func(t *testing.T) {
		assert.Equal(t, `[{"ReasonId":"`+aGUID+`"}]`,
			acceptsForm(t, leastForm+"&Reasons[0].ReasonId="+aGUID+"&Reasons[2].ReasonId="+aGUID, "Reasons"))
	},
	"required/key": func(t *testing.T) {
		body := with("UserId", "", "Reason", "")
		errs := rejects(t, body)
		assert.Equal(
			t,
			[]string{
				"Required property 'UserId' not found in JSON. Path '', line 1, position " + strconv.Itoa(
					len(body),
				) + ".",
			},
			errs["model"],
		)
		assert.Equal(t, []string{"The Reason field is required."}, errs["model.Reason"])
	},
	"body/null": func(t *testing.T) {
		accepting := front(t, func(p *webapi.Profile) { p.NullBody = webapi.NullBodyAccept })
		for _, body := range []string{"null", "", " \r\n", `""`, "\xEF\xBB\xBF"} {
			got := front(t).Respond(post([]byte(body)), nil)
			assert.Equal(t, 400, got.Status)
			assert.Equal(t, `{"Message":"The request is invalid."}`, string(got.Body), "no ModelState: it is valid")
			got = accepting.Respond(post([]byte(body)), nil)
			assert.Equal(t, 200, got.Status)
			assert.Empty(t, got.Body)
			assert.Empty(t, got.ContentType)
		}
	},
	"body/dialect": func(t *testing.T) {
		body := "/* a */{UserId:'" + aGUID + "', // b\nAppointmentOn:'2026-02-03','Reason':'it\\'s',AccountId:\"" +
			aGUID + "\",}"
		assert.Equal(t, `"it's"`, accepts(t, body, "Reason"))
	},
	"body/trailing-text": func(t *testing.T) {
		accepts(t, with()+" and more", "Reason")
	},
	"body/names": func(t *testing.T) {
		assert.Equal(t, `"n"`,
			accepts(t, strings.Replace(with("NOTE", `"n"`, "Unknown", `{"a":[1]}`), "UserId", "userid", 1), "Note"))
	},
	"body/depth": func(t *testing.T) {
		accepts(t, with("Extra", strings.Repeat("[", 254)+strings.Repeat("]", 254)), "Reason")
		assert.NotEmpty(t, rejects(t, with("Extra", strings.Repeat("[", 256)+strings.Repeat("]", 256))))
	},
	"body/metadata": func(t *testing.T) {
		list := `[{"$id":"1","ReasonId":"` + aGUID + `"},{"$ref":"1"},{"$ref":"2"}]`
		want := `[{"ReasonId":"` + aGUID + `"},{"ReasonId":"` + aGUID + `"},null]`
		assert.Equal(t, want, accepts(t, with("Reasons", list), "Reasons"))
		assert.Equal(t, want, accepts(t, with("Reasons", `{"$values":`+list+`}`), "Reasons"))
	},
	"request/charset": func(t *testing.T) {
		req := post([]byte(with("Note", `"é"`)))
		req.Header = http.Header{"Content-Type": {"application/json; charset=bogus"}}
		got := front(t).Respond(req, nil)
		assert.Equal(t, `"é"`, echoed(t, got.Body, "Note"))
	},
	"request/media-range": func(t *testing.T) {
		for _, mediaType := range []string{"*/*", "application/*", "text/*"} {
			req := post([]byte(with()))
			req.Header = http.Header{"Content-Type": {mediaType}}
			assert.Equal(t, 200, front(t).Respond(req, nil).Status, mediaType)
		}
	},
	"response/accept": func(t *testing.T) {
		req := post([]byte(with()))
		req.Header["Accept"] = []string{"application/xml, image/png"}
		got := front(t).Respond(req, nil)
		assert.Equal(t, 200, got.Status)
		assert.Equal(t, "application/json; charset=utf-8", got.ContentType)
	},
	"route/loose": func(t *testing.T) {
		for _, target := range []string{strings.ToUpper(endpoint), endpoint + "/", endpoint + "/42", endpoint +
			"?a=b", strings.Replace(endpoint, "_", "%5F", 1), "/x/.." + endpoint} {
			req := post([]byte(with()))
			req.Target = target
			assert.Equal(t, 200, front(t).Respond(req, nil).Status, target)
		}
	},
}

// TestDifferences runs the test of every listed difference; one that is listed
// and not shown fails, and so does one that is shown and not listed.
func TestDifferences(t *testing.T) {
	listed := map[string]bool{}
	for _, d := range webapi.Differences() {
		listed[d.ID] = true
		for part, text := range map[string]string{"page": d.Page, "framework": d.Framework, "why": d.Why,
			"source": d.Source} {
			assert.NotEmpty(t, text, "%s says no %s", d.ID, part)
		}
		require.Contains(t, differences, d.ID, "no test shows it")
		t.Run(d.ID, differences[d.ID])
	}
	for id := range differences {
		assert.True(t, listed[id], "%s is not listed", id)
	}
}
