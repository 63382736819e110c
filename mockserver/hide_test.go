package mockserver_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"text/template"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/mockserver"
	"github.com/seed47566266/understudy/mockserver/store"
)

func TestTheJournalHasWhatWasSentWithoutSecrets(t *testing.T) {
	server := start(t, mockserver.WithHidden("PatientId"))
	send(t, "POST", server.URL+endpoint+"?token=planted", "application/json", change(t, "Reason", nil),
		"Authorization", "Bearer planted", mockserver.SessionHeader, "one")
	send(t, "POST", server.URL+endpoint, "application/json", string(operation(t).Sample))
	all := journal(t, server, "")
	require.Len(t, all, 2)
	assert.Equal(t, "accepted", all[0]["outcome"], "the newest first")
	mine := journal(t, server, "?session=one&rule=Reason/required")
	require.Len(t, mine, 1)
	assert.Equal(t, "rejected", mine[0]["outcome"])
	text, err := json.Marshal(mine)
	require.NoError(t, err)
	assert.NotContains(t, string(text), "planted")
	assert.Contains(t, mine[0]["request"].(map[string]any)["body"], `"PatientId":"[hidden]"`)
	assert.Equal(t, 200, send(t, "DELETE", server.URL+"/__admin/requests?session=one", "", "").status)
	assert.Len(t, journal(t, server, ""), 1)
	assert.Equal(t, 400, send(t, "GET", server.URL+"/__admin/requests?colour=red", "", "").status)
}

// kept is the whole journal as text.
func kept(t *testing.T, server *httptest.Server) string {
	t.Helper()
	return send(t, "GET", server.URL+"/__admin/requests", "", "").body
}

func TestTheJournalHasNoSecretsOfHeaders(t *testing.T) {
	server := start(t)
	sample := string(operation(t).Sample)
	for _, header := range [][2]string{
		{"X-Authorization", "planted"}, {"X-Auth-Key", "planted"}, {"X-Session-Id", "planted"},
		{"Ocp-Apim-Subscription-Key", "planted"}, {"X-Functions-Key", "planted"}, {"X-Jwt", "planted"},
		{"X-Credentials", "planted"}, {"X-Amz-Signature", "planted"}, {"Cookie", "a=planted"},
		{"X-Csrf", "planted"}, {"Referer", "https://app.example/?a=1&token=planted"},
		{"Referer", "https://app.example/#access_token=planted&b=2"}, {"X-Forwarded-Url", "https://u:planted@h/"},
		{"X-Parameters", "a=1; api_key=planted"}, {"X-Accesskey", "planted"}, {"X-Saml-Response", "planted"},
		{"X-Original", "token: planted"}, {"X-Original", "Bearer planted"},
		{"X-Original", `{"a": 1, "token" : "planted"}`},
		{"Referer", "https://u:p@planted@h/?a=1"}, {"Referer", "https://h/?next=%2Fa%3Ftoken%3Dplanted"},
	} {
		send(t, "POST", server.URL+endpoint, "application/json", sample, header[0], header[1])
	}
	for _, name := range []string{
		"sig", "code", "access_key", "auth", "pwd", "jwt", "session_id", "subscription-key", "%74oken", "accessKey",
		"subscriptionKey", "passphrase", "bearer", "ticket", "SAMLResponse", "+token",
	} {
		send(t, "POST", server.URL+endpoint+"?a=1&"+name+"=planted", "application/json", sample)
	}
	for _, query := range []string{
		"password=it's-planted", "token=ab,planted", "token=ab;planted", "next=%2Fa%3Ftoken%3Dplanted",
	} {
		send(t, "POST", server.URL+endpoint+"?a=1&"+query, "application/json", sample)
	}
	assert.Zero(t, strings.Count(kept(t, server), "planted"))
	assert.Contains(t, kept(t, server), "a=1")
	asked := start(t)
	send(t, "POST", asked.URL+endpoint+"?__prefer=code=503", "application/json", sample, "Prefer", "delay=1, code=404")
	request := journal(t, asked, "")[0]["request"].(map[string]any)
	assert.Equal(t, "delay=1, code=404", request["headers"].(map[string]any)["Prefer"])
	shown := []string{"Idempotency-Key", "X-Correlation-Id", "Sec-Fetch-Mode", "X-Keyboard", "Www-Authenticate"}
	for _, name := range shown {
		send(t, "POST", server.URL+endpoint, "application/json", sample, name, "planted")
	}
	assert.Equal(t, len(shown), strings.Count(kept(t, server), "planted"))
}

// patient is the PatientId of the page's sample.
const patient = "a25ad686-2f86-43e7-b238-9251e37e2c50"

func TestTheValueOfAHiddenFieldIsNowhereInTheJournal(t *testing.T) {
	sample := string(operation(t).Sample)
	require.Contains(t, sample, patient)
	const form, json = "application/x-www-form-urlencoded", "application/json"
	const field = `"{{field \"PatientId\"}}"`
	renamed := func(name string) string { return strings.ReplaceAll(sample, "PatientId", name) }
	for name, row := range map[string]struct{ config, query, mediaType, body, header string }{
		"JSON":                       {mediaType: json, body: sample},
		"JSON that is cut":           {mediaType: json, body: sample[:len(sample)-2]},
		"JSON said to be a form":     {mediaType: form, body: sample},
		"JSON said to be XML":        {mediaType: "text/xml", body: sample},
		"a name in escapes":          {mediaType: json, body: renamed(`Patient\u0049d`)},
		"a name in another case":     {mediaType: json, body: renamed("PATIENTID")},
		"a form":                     {mediaType: form, body: "a=1&PatientId=" + patient},
		"a form with escapes":        {mediaType: form, body: "model%5BPatientId%5D=" + patient},
		"a form said to be JSON":     {mediaType: json, body: "PatientId=" + patient},
		"a query":                    {mediaType: json, body: sample, query: "?patientId=" + patient},
		"a query by another name":    {mediaType: json, body: sample, query: "?for=" + strings.ToUpper(patient)},
		"a header":                   {mediaType: json, body: sample, header: "patient " + strings.ToUpper(patient)},
		"a configured response":      {mediaType: json, body: sample, config: "json: {For: " + field + "}"},
		"a configured header":        {mediaType: json, body: sample, config: "headers: {X-For: " + field + "}"},
		"a value that is of no GUID": {mediaType: json, body: strings.Replace(sample, patient, patient+" x", 1)},
		"a form by another spelling of its media type": {
			mediaType: "Application/X-WWW-Form-Urlencoded", body: "PatientId=" + patient,
		},
		"a form with a wrong escape": {
			mediaType: form, body: "PatientId=%zz" + patient, header: "%zz" + patient,
		},
		"a query with a space in the name": {mediaType: json, body: "{}", query: "?+PatientId=" + patient},
		"a query of another request": {
			mediaType: json, body: "{}", header: "https://app.example/?patientid=" + patient,
		},
		"a query with every letter escaped": {
			mediaType: json, body: sample, query: "?for=%61%3" + "2" + patient[2:],
		},
		"a path with a letter escaped": {mediaType: json, body: sample, query: "/%61" + patient[1:]},
		"a path and the query that says what it is": {
			mediaType: json, body: "{}", query: "/" + patient + "?PatientId=" + patient,
		},
		"without hyphens": {
			mediaType: json, body: sample, query: "?for=" + strings.ReplaceAll(patient, "-", ""),
		},
		"with escaped hyphens": {
			mediaType: json, body: sample, query: "?for=" + strings.ReplaceAll(patient, "-", "%2D"),
		},
		"a value that the query names": {
			mediaType: json, body: `{"Note":"for ` + patient + `"}`, query: "?PatientId=" + patient,
		},
		"a value that the response names": {
			mediaType: json, body: strings.Replace(sample, patient, "b"+patient[1:], 1),
			config: `headers: {Location: "/p/` + patient + `"}, json: {PatientId: "` + patient + `"}`,
		},
		"a header in HTML": {
			mediaType: json, body: sample, config: `headers: {X-For: "{{html (field \"PatientId\")}}"}`,
		},
		"bytes that are no text": {
			mediaType: form, body: "PatientId=%ff%ff%ff%ff&Note=" + patient, header: patient,
		},
		"a template that fails": {mediaType: json, body: sample, config: `text: "{{fake .Request.Body}}"`},
	} {
		t.Run(name, func(t *testing.T) {
			var log lockedBuffer
			server := configured(t, "response: {status: 200, "+row.config+"}", mockserver.WithHidden("PatientId"),
				mockserver.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
			headers := []string{"X-For", row.header}
			send(t, "POST", server.URL+endpoint+row.query, row.mediaType, row.body, headers...)
			text := kept(t, server)
			assert.Contains(t, text, mockserver.HiddenValue)
			assert.NotContains(t, strings.ToLower(text), patient)
			assert.NotContains(t, strings.ToLower(log.String()), patient)
			body := journal(t, server, "")[0]["request"].(map[string]any)["bodyAsBase64"]
			bytes, err := base64.StdEncoding.DecodeString(body.(string))
			require.NoError(t, err)
			assert.NotContains(t, strings.ToLower(string(bytes)), patient)
		})
	}
}

func TestAHiddenValueIsHiddenHoweverItIsSpelled(t *testing.T) {
	const name = `John "J" O'Planted <x>`
	for spelled, header := range map[string]string{
		"as it is": name, "in capitals": strings.ToUpper(name), "in a query": url.QueryEscape(name),
		"in a path": url.PathEscape(name), "by a browser": "John%20%22J%22%20O'Planted%20%3Cx%3E",
		"in HTML": template.HTMLEscapeString(name), "in JavaScript": template.JSEscapeString(name),
		"in JSON": `John \"J\" O'Planted <x>`, "in JSON of Go": `John \"J\" O'Planted \u003cx\u003e`,
	} {
		t.Run(spelled, func(t *testing.T) {
			server := start(t, mockserver.WithHidden("Note"))
			send(t, "POST", server.URL+endpoint, "application/json", change(t, "Note", name), "X-For", "for "+header)
			assert.NotContains(t, strings.ToLower(kept(t, server)), "planted")
		})
	}
}

func TestAHiddenValueIsNotInWhatNamesARequest(t *testing.T) {
	var log lockedBuffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	server := start(t, mockserver.WithHidden("PatientId"), mockserver.WithLogger(logger))
	send(t, "POST", server.URL+endpoint, "application/json", string(operation(t).Sample),
		mockserver.SessionHeader, "of-"+patient, "Prefer", patient, "User-Agent", "test of "+patient,
		"X-Request-Id", "of-"+patient)
	send(t, "POST", server.URL+"/p/"+patient, "application/json", string(operation(t).Sample))
	preflight, err := http.NewRequest(http.MethodOptions, server.URL+endpoint+"?PatientId="+patient, nil)
	require.NoError(t, err)
	for name, value := range map[string]string{
		"Origin": "http://localhost:3000", "Access-Control-Request-Method": "POST",
		"Referer": "http://localhost:3000/?PatientId=" + patient,
	} {
		preflight.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(preflight)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	got := send(t, "GET", server.URL+"/__admin/requests?wait=20s&outcome=preflight", "", "")
	require.Contains(t, got.body, `"total": 1`)
	assert.NotContains(t, kept(t, server), patient)
	assert.NotContains(t, log.String(), patient)
	assert.Contains(t, log.String(), "session=of-[hidden]")
}

func TestWhatIsNotHiddenIsShown(t *testing.T) {
	server := start(t, mockserver.WithHidden("PatientId", "Reasons"))
	send(t, "POST", server.URL+endpoint+"?a=1", "application/json", string(operation(t).Sample), "X-Test", "a b")
	text := kept(t, server)
	for _, shown := range []string{"sample string 3", "?a=1", "a b"} {
		assert.Contains(t, text, shown)
	}
	send(t, "POST", server.URL+endpoint, "application/x-www-form-urlencoded",
		"Note=n1&"+url.QueryEscape("Reasons[0].ReasonId")+"=12")
	body := journal(t, server, "")[0]["request"].(map[string]any)["body"]
	assert.Equal(t, "Note=n1&Reasons%5B0%5D.ReasonId=[hidden]", body)
}

func TestManyHiddenValuesHideWholeTexts(t *testing.T) {
	server := start(t, mockserver.WithHidden("Note"))
	long := strings.Repeat("long note ", 7000)
	send(t, "POST", server.URL+endpoint, "application/json", change(t, "Note", long), "X-For", "anybody")
	assert.NotContains(t, kept(t, server), "long note")
	assert.NotContains(t, kept(t, server), "anybody")
}

func TestTheJournalKeepsWhatTheRequestWas(t *testing.T) {
	mock, err := mockserver.New(pageContract(t))
	require.NoError(t, err)
	r := httptest.NewRequest(http.MethodPost, endpoint, bytes.NewReader(operation(t).Sample))
	r.Header.Set("X-Test", "one")
	mock.ServeHTTP(httptest.NewRecorder(), r)
	r.Header.Set("X-Test", "two")
	entries, err := mock.Requests()
	require.NoError(t, err)
	assert.Equal(t, []string{"one"}, entries[0].Header["X-Test"])
}

func TestABodyThatIsTooLongIsCountedNotKept(t *testing.T) {
	var seen []*store.Entry
	server := start(t, mockserver.WithMaxBody(100),
		mockserver.WithObserver(func(e *store.Entry) { seen = append(seen, e) }))
	sample := string(operation(t).Sample)
	send(t, "POST", server.URL+endpoint, "application/json", sample)
	require.Len(t, seen, 1)
	assert.Empty(t, seen[0].Body)
	assert.Equal(t, len(sample), seen[0].BodyBytes)
}
