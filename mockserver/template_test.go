package mockserver_test

import (
	"encoding/json"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/mockserver"
)

// templated is what a template makes of the page's sample.
func templated(t *testing.T, template string) response {
	t.Helper()
	text, err := json.Marshal(template)
	require.NoError(t, err)
	server := configured(t, "response: {text: "+string(text)+"}")
	return send(t, "POST", server.URL+endpoint, "application/json", string(operation(t).Sample))
}

func TestATemplateIsBoundedInTurnsAndBytes(t *testing.T) {
	for name, row := range map[string]struct{ template, problem string }{
		"empty turns":               {"{{range 1000000000}}{{end}}", "turns"},
		"a long text":               {`{{range 90000}}{{printf "%100d" 1}}{{end}}`, "bytes"},
		"a text that doubles":       {`{{$x := "aaaaaaaaaa"}}{{range 60}}{{$x = print $x $x}}{{end}}`, "bytes"},
		"one that is not shown":     {`{{range 1000}}{{$x := printf "%99999d" 1}}{{end}}`, "bytes"},
		"precision":                 {`{{$x := printf "%.999999f%.999999f" 1.0 1.0}}`, "bytes"},
		"a format of the request":   {`{{printf (print "%" "999999d%999999d") 1 2}}`, "bytes"},
		"escaping":                  {`{{$x := "\\"}}{{range 60}}{{$x = js $x}}{{end}}`, "bytes"},
		"JSON of JSON":              {`{{$x := "\""}}{{range 60}}{{$x = json $x}}{{end}}`, "bytes"},
		"the request over and over": {strings.Repeat("{{len (print .Request.Body)}}", 1000), "bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			got := templated(t, row.template)
			runtime.ReadMemStats(&after)
			assert.Equal(t, 500, got.status)
			assert.Contains(t, got.header.Get(mockserver.NotesHeader), "the template of its body failed: it")
			assert.Contains(t, got.header.Get(mockserver.NotesHeader), row.problem)
			assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(256<<20), "with what was collected meanwhile")
		})
	}
}

func TestATemplateMakesTexts(t *testing.T) {
	for template, want := range map[string]string{
		`{{printf "%-5s|%05.1f|%d%%" "ab" 2.25 7}}`:          "ab   |002.2|7%",
		`{{print "a" 1 2 "b"}} {{println 1 2}}`:              "a1 2b 1 2\n",
		`{{html "<a>"}}{{js "'"}}{{urlquery "a b"}}`:         "&lt;a&gt;\\'a+b",
		`{{json (field "Reason")}}`:                          `"sample string 3"`,
		`{{.Request.Header.Get "content-type"}}`:             "application/json",
		`{{if .Model.Reason}}{{index .Model "Note"}}{{end}}`: "sample string 4",
		`{{with .Model}}{{$.Number}}{{end}}`:                 "1",
		`{{"firstname" | fake | len | lt 0}}`:                "true",
	} {
		got := templated(t, template)
		assert.Equal(t, 200, got.status, got.header)
		assert.Equal(t, want, got.body, template)
	}
}

func TestWhatATemplateMakesDiffersFromRequestToRequest(t *testing.T) {
	for _, template := range []string{
		"{{guid}}", `{{printf "%s" guid}}`, `{{print (fake "email")}}`, "{{.Number}}", "{{$.Number}}", "{{json .}}",
		"{{with .}}{{.Number}}{{end}}", "{{$a := .}}{{$a.Number}}", "{{(print .Number)}}", "{{if true}}{{guid}}{{end}}",
	} {
		text, err := json.Marshal(template)
		require.NoError(t, err)
		server := configured(t, "response: {text: "+string(text)+"}")
		first := send(t, "POST", server.URL+endpoint, "application/json", string(operation(t).Sample))
		second := send(t, "POST", server.URL+endpoint, "application/json", string(operation(t).Sample))
		assert.NotEqual(t, first.body, second.body, template)
	}
}

func TestATemplateThatFailsSaysWhereAndNoValue(t *testing.T) {
	for template, where := range map[string]string{
		"{{fake .Request.Body}}":            "fake takes the name of a function",
		"{{field .Request.Body}}":           "field takes the name of a field",
		"{{range .Model.Reason}}{{end}}":    "<.Model.Reason>",
		"{{index .Model .Request.Body 1}}":  "<index .Model .Request.Body 1>",
		"{{with .Model}}{{.Nosuch}}{{end}}": "<.Nosuch>",
		"{{slice .Request.Body 1000000}}":   "<slice .Request.Body 1000000>",
	} {
		got := templated(t, template)
		assert.Equal(t, 500, got.status)
		note := got.header.Get(mockserver.NotesHeader)
		assert.Contains(t, note, where)
		for _, value := range []string{"a25ad686", "sample string"} {
			assert.NotContains(t, note, value, template)
		}
	}
}

func TestTheOutcomeIsThatOfTheResponse(t *testing.T) {
	for config, want := range map[string]string{
		"response: {status: 201}":                                                             "accepted",
		"response: {status: 500, text: x}":                                                    "scenario",
		"response: {text: '{{slice .Request.Body 1000000}}'}":                                 "scenario",
		"response: {status: 201}\nscenarios: [{name: a, then: {continue: true, delay: 1ms}}]": "accepted",
		"scenarios: [{name: a, then: {status: 200}}]":                                         "scenario",
	} {
		server := configured(t, config)
		send(t, "POST", server.URL+endpoint, "application/json", string(operation(t).Sample))
		assert.Equal(t, want, journal(t, server, "")[0]["outcome"], config)
	}
}

func TestPrintfTakesNoLists(t *testing.T) {
	for _, value := range []string{".Model.Reasons", ".Model", ".", ".Request.Header"} {
		got := templated(t, `{{printf "%9999d" `+value+`}}`)
		assert.Equal(t, 500, got.status)
		assert.Contains(t, got.header.Get(mockserver.NotesHeader), "printf takes texts, numbers, true and false")
	}
}
