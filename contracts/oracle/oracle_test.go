package oracle_test

import (
	"bufio"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/helppage"
	"github.com/seed47566266/understudy/contracts/oracle"
	"github.com/seed47566266/understudy/contracts/webapi"
)

func operation(t testing.TB) *contracts.Operation {
	t.Helper()
	c, err := helppage.Parse(contracts.Page())
	require.NoError(t, err)
	return &c.Operations[0]
}

func ofThePage(t testing.TB) *oracle.Oracle {
	t.Helper()
	o, err := oracle.New(operation(t), oracle.Options{})
	require.NoError(t, err)
	return o
}

// recorded is a request of the recordings with what is known of it.
type recorded struct {
	id       string
	request  contracts.Request
	expected string // the label of an edge case
	status   int    // what the real framework responded
}

// readRecorded reads one file of recordings.
func readRecorded(t testing.TB, name string) []recorded {
	t.Helper()
	f, err := os.Open("../webapi/testdata/" + name + ".ndjson.gz")
	require.NoError(t, err)
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 16<<20)
	var rows []recorded
	for lines.Scan() {
		var row struct {
			ID                     json.RawMessage
			Method, Path, Expected string
			Headers                [][2]string
			Body                   *string
			BodyBase64             string `json:"body_base64"`
			Public                 struct{ Status int }
		}
		require.NoError(t, json.Unmarshal(lines.Bytes(), &row))
		r := recorded{
			string(row.ID),
			contracts.Request{Method: row.Method, Path: row.Path},
			row.Expected,
			row.Public.Status,
		}
		for _, h := range row.Headers {
			r.request.Headers = append(r.request.Headers, contracts.Header{Name: h[0], Value: h[1]})
		}
		if row.Body != nil {
			r.request.Body = []byte(*row.Body)
		} else {
			r.request.Body, err = base64.StdEncoding.DecodeString(row.BodyBase64)
			require.NoError(t, err)
		}
		rows = append(rows, r)
	}
	require.NoError(t, lines.Err())
	return rows
}

// TestTheLabelsOfTheRecordedEdgeCases judges requests that others labelled: every
// firm label must be met.
func TestTheLabelsOfTheRecordedEdgeCases(t *testing.T) {
	o := ofThePage(t)
	firm, open := 0, map[oracle.Outcome]int{}
	for _, row := range readRecorded(t, "edge-cases") {
		v := o.Expect(&row.request)
		require.NotEmpty(t, v.Basis)
		if row.expected == string(oracle.OutcomeUnspecified) {
			open[v.Outcome]++
			continue
		}
		firm++
		assert.Equal(t, row.expected, string(v.Outcome), "%s: %s %q", row.id, v.Basis, cut(row.request.Body))
	}
	require.Equal(t, 712, firm)
	t.Logf("all of %d firm labels; the rows labelled unspecified are %v here", firm, open)
}

// TestBothReadingsOfTheRecordings sends every recorded request through the two
// readings of the page. The framework's meets the recorded status; the page's
// contradicts it nowhere where it is firm.
func TestBothReadingsOfTheRecordings(t *testing.T) {
	o := ofThePage(t)
	framework, err := webapi.New(operation(t), webapi.Profile{})
	require.NoError(t, err)
	count := map[oracle.Outcome]int{}
	for _, name := range []string{"responses", "responses-chicago", "responses-more", "edge-cases"} {
		for _, row := range readRecorded(t, name) {
			e := o.Expect(&row.request)
			count[e.Outcome]++
			headers := http.Header{}
			for _, h := range row.request.Headers {
				headers.Add(h.Name, h.Value)
			}
			got := framework.Respond(
				&webapi.Request{
					Method: row.request.Method,
					Target: row.request.Path,
					Header: headers,
					Body:   row.request.Body,
				},
				nil,
			)
			assert.Equal(t, row.status, got.Status, "%s %s: the framework's reading of %q", name, row.id,
				cut(row.request.Body))
			switch e.Outcome {
			case oracle.OutcomeAccept:
				assert.Equal(t, 200, row.status, "%s %s: %q", name, row.id, cut(row.request.Body))
				assert.NotEmpty(t, e.Obeys)
				assert.Empty(t, e.Breaks)
			case oracle.OutcomeReject:
				assert.NotEqual(t, 200, row.status, "%s %s: %s %q", name, row.id, e.Basis, cut(row.request.Body))
				require.NotEmpty(t, e.Breaks)
				assert.Equal(t, e.Rule, e.Breaks[0])
				assert.Empty(t, e.Obeys)
			case oracle.OutcomeUnspecified:
				assert.Empty(t, e.Breaks)
				assert.NotEmpty(t, e.Rule)
				assert.NotContains(t, e.Obeys, e.Rule, "%s %s", name, row.id)
			}
		}
	}
	require.Equal(t, 4812+1301,
		count[oracle.OutcomeAccept]+count[oracle.OutcomeReject]+count[oracle.OutcomeUnspecified])
	t.Logf("%v", count)
}

// TestEveryBrokenRuleIsNamed has requests that break more than one.
func TestEveryBrokenRuleIsNamed(t *testing.T) {
	o := ofThePage(t)
	for _, c := range []struct{ body, breaks, obeys string }{
		{`{}`, "UserId/required AppointmentOn/required Reason/required AccountId/required", ""},
		{`{"UserId":1,"AppointmentOn":"2026-02-03T10:30:00Z","Reason":[],` +
			`"AccountId":"84ef7a81-c643-4b8e-85e5-1ff52fc35f3d","Reasons":[{"ReasonId":1},{"ReasonId":2}]}`,
			"UserId/type Reason/type Reasons[].ReasonId/type", ""},
		{`{"UserId":"84ef7a81-c643-4b8e-85e5-1ff52fc35f3d","AppointmentOn":"2026-02-03T10:30:00Z","Reason":"a",` +
			`"AccountId":"84ef7a81-c643-4b8e-85e5-1ff52fc35f3d","MethodId":null,` +
			`"Reasons":[{"ReasonId":"84ef7a81-c643-4b8e-85e5-1ff52fc35f3d"}]}`,
			"", "method route body request/application/json UserId/type UserId/required AppointmentOn/type " +
				"AppointmentOn/required " +
				"Reason/type Reason/required Reason/length AccountId/type AccountId/required MethodId/nullable " +
				"Reasons[].ReasonId/type Reasons/type"},
	} {
		e := o.Expect(&contracts.Request{Method: "POST", Path: "/api/Calendar/PatientAppointmentPost_v2",
			Headers: []contracts.Header{{Name: "Content-Type", Value: "application/json"}}, Body: []byte(c.body)})
		assert.Equal(t, c.breaks, names(e.Breaks), c.body)
		assert.Equal(t, c.obeys, names(e.Obeys), c.body)
	}
}

// TestWhatHasNoReadingIsAnError has contracts that a page may give once its reader knows
// more than the readings do.
func TestWhatHasNoReadingIsAnError(t *testing.T) {
	for name, change := range map[string]func(*contracts.Field){
		"an object in a field": func(f *contracts.Field) {
			f.Type = contracts.Type{Kind: contracts.KindModel,
				Model: &contracts.Model{}}
		},
		"a list of strings": func(f *contracts.Field) {
			f.Type = contracts.Type{Kind: contracts.KindList,
				Element: &contracts.Type{Kind: contracts.KindString}}
		},
		"an unknown annotation": func(f *contracts.Field) { f.Constraints = []contracts.Constraint{{Kind: "range"}} },
	} {
		op := operation(t)
		change(&op.Model().Fields[0])
		_, err := oracle.New(op, oracle.Options{})
		require.ErrorContains(t, err, "EncounterTypeId", name)
		_, err = webapi.New(op, webapi.Profile{})
		require.ErrorContains(t, err, "EncounterTypeId", name)
	}
}

// TestALineIsTheRulesOwn has a page that lists the form before JSON.
func TestALineIsTheRulesOwn(t *testing.T) {
	op := operation(t)
	formats := op.RequestFormats
	op.RequestFormats = []contracts.Format{formats[2], formats[0], formats[1]}
	o, err := oracle.New(op, oracle.Options{})
	require.NoError(t, err)
	e := o.Expect(&contracts.Request{Method: "POST", Path: "/" + op.Route,
		Headers: []contracts.Header{{Name: "Content-Type", Value: "application/xml"}}, Body: []byte("<a/>")})
	require.Equal(t, oracle.OutcomeReject, e.Outcome)
	require.Equal(t, "request/application/json", e.Rule.String())
	require.Equal(t, op.JSON().Fact.Line, e.Line)
	require.NotEqual(t, formats[2].Fact.Line, e.Line)
}

func names(ids []contracts.RuleID) string {
	var list []string
	for _, id := range ids {
		list = append(list, id.String())
	}
	return strings.Join(list, " ")
}

// FuzzExpect gives the page's reading foreign bytes: it always has a basis, and what
// it takes for JSON without doubt encoding/json takes too.
func FuzzExpect(f *testing.F) {
	seeds := 0
	for _, name := range []string{"responses", "edge-cases"} {
		for _, row := range readRecorded(f, name) {
			if len(row.request.Body) < 2000 {
				f.Add(row.request.Header("Content-Type"), row.request.Body)
				seeds++
			}
		}
	}
	require.Greater(f, seeds, 1000)
	o, op := ofThePage(f), operation(f)
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		r := contracts.Request{
			Method:  op.Method,
			Path:    "/" + op.Route,
			Headers: []contracts.Header{{Name: "Content-Type", Value: contentType}},
			Body:    body,
		}
		e := o.Expect(&r)
		require.NotEmpty(t, e.Basis)
		require.Equal(t, e.Outcome == oracle.OutcomeReject, len(e.Breaks) > 0)
		if e.Outcome == oracle.OutcomeAccept && contentType == "application/json" {
			require.True(t, json.Valid(body), "%q", body)
		}
	})
}

func cut(b []byte) []byte {
	if len(b) > 300 {
		return b[:300]
	}
	return b
}

func TestTextTooDeepToReadIsOpenUnlessItNeverCloses(t *testing.T) {
	o := ofThePage(t)
	deep := strings.Repeat("[", 1_000_000)
	for _, c := range []struct {
		body string
		want oracle.Outcome
	}{
		{`{"a":` + deep + strings.Repeat("]", 1_000_000) + "}", oracle.OutcomeUnspecified},
		{`{"a":` + deep, oracle.OutcomeReject},
		{`{"a":` + deep + `"` + strings.Repeat("]", 1_000_000) + `"}`, oracle.OutcomeReject},
	} {
		r := contracts.Request{
			Method:  "POST",
			Path:    "/api/Calendar/PatientAppointmentPost_v2",
			Headers: []contracts.Header{{Name: "Content-Type", Value: "application/json"}},
			Body:    []byte(c.body),
		}
		require.Equal(t, c.want, o.Expect(&r).Outcome)
	}
}

// TestWhatThePageLeavesOpenOnOtherModels has models of one field that this page does not
// have.
func TestWhatThePageLeavesOpenOnOtherModels(t *testing.T) {
	length := func(low, high int) []contracts.Constraint {
		return []contracts.Constraint{{Kind: contracts.ConstraintLength, Min: low, Max: high}}
	}
	const form, jsonType = contracts.MediaForm, contracts.MediaJSON
	for what, c := range map[string]struct {
		constraints []contracts.Constraint
		media, body string
		outcome     oracle.Outcome
	}{
		"an empty form where nothing is required":  {nil, form, "", oracle.OutcomeUnspecified},
		"an empty value of a form below a minimum": {length(3, 9), form, "Text=", oracle.OutcomeUnspecified},
		"an empty text of JSON below a minimum":    {length(3, 9), jsonType, `{"Text":""}`, oracle.OutcomeReject},
		"half a pair is one character": {length(0, 1), jsonType, `{"Text":"\ud83d"}`,
			oracle.OutcomeUnspecified},
		"half a pair before text is one more": {length(0, 1), jsonType, `{"Text":"\ud83dx"}`,
			oracle.OutcomeReject},
		"UTF-16 where nothing is required": {
			nil, jsonType, "{\x00\"\x00T\x00e\x00x\x00t\x00\"\x00:\x00\"\x00a\x00\"\x00}\x00",
			oracle.OutcomeUnspecified,
		},
		"a long body of short texts": {
			nil, jsonType, `{"Text":"a"` + strings.Repeat(" ", 600_000) + "}", oracle.OutcomeUnspecified,
		},
	} {
		op := operation(t)
		op.Model().Fields = []contracts.Field{{
			Name: "Text", Type: contracts.Type{Kind: contracts.KindString, Nullable: true}, Constraints: c.constraints,
		}}
		o, err := oracle.New(op, oracle.Options{})
		require.NoError(t, err)
		e := o.Expect(&contracts.Request{Method: op.Method, Path: "/" + op.Route,
			Headers: []contracts.Header{{Name: "Content-Type", Value: c.media}}, Body: []byte(c.body)})
		assert.Equal(t, c.outcome, e.Outcome, "%s: %s", what, e.Basis)
	}
}
