package helppage_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/helppage"
)

func TestTheEmbeddedPage(t *testing.T) {
	o := operation(t, string(contracts.Page()))
	assert.Equal(t, "POST-api-Calendar-PatientAppointmentPost_v2", o.ID)
	assert.Equal(t, "POST", o.Method)
	assert.Equal(t, "api/Calendar/PatientAppointmentPost_v2", o.Route)
	assert.Equal(t, "AppointmentModel", o.Model().Name)
	assert.Equal(t, "IHttpActionResult", o.Response.Type)
	assert.Equal(t, []string{"application/json", "text/json", "application/x-www-form-urlencoded"},
		mediaTypes(o.RequestFormats))
	assert.Equal(t, []string{"application/json", "text/json"}, mediaTypes(o.Response.Formats))
	assert.True(t, strings.HasPrefix(string(o.Sample), "{\n\"EncounterTypeId\""))

	// Name, type word, rules and nullability as a reader of the page writes them
	// down; a trailing ? is nullable.
	want := []string{
		"EncounterTypeId: globally unique identifier?",
		"EncounterTypeModeDurationId: globally unique identifier?",
		"ProviderId: globally unique identifier?",
		"UserId: globally unique identifier, Required@18",
		"PatientId: globally unique identifier?",
		"SpecialityId: globally unique identifier?",
		"AppointmentOn: date, Required@27",
		"SecondaryAppointmentOn: date?",
		"Reason: string?, Required@33, 0..250@33",
		"Note: string?, 0..1000@36",
		"ParentId: globally unique identifier?",
		"ReferredParentId: globally unique identifier?",
		"PaidAmount: decimal number",
		"AccountId: globally unique identifier, Required@48",
		"ServiceId: globally unique identifier?",
		"MethodId: integer?",
		"IsCustomFormFlow: string?",
		"DocIds: string?",
		"Reasons: Collection of Reasons?",
	}
	var got []string
	for i := range o.Model().Fields {
		got = append(got, describe(&o.Model().Fields[i]))
	}
	assert.Equal(t, want, got)
	reasons := o.Field("Reasons").Elements()
	require.Len(t, reasons.Fields, 1)
	assert.Equal(t, "ReasonId: globally unique identifier", describe(&reasons.Fields[0]))
	assert.Equal(t, contracts.SourceInferred, reasons.Fields[0].Type.Fact.Source)
	paid := o.Field("PaidAmount").Type.NullableFact
	assert.Equal(t, contracts.SourceInferred, paid.Source)
	assert.Contains(t, paid.Because, "5")
}

// operation is the one operation of a page.
func operation(t *testing.T, page string) *contracts.Operation {
	t.Helper()
	c, err := helppage.Parse([]byte(page))
	require.NoError(t, err)
	require.Len(t, c.Operations, 1)
	return &c.Operations[0]
}

func mediaTypes(formats []contracts.Format) (names []string) {
	for _, f := range formats {
		names = append(names, f.MediaType)
	}
	return names
}

func describe(f *contracts.Field) string {
	s := f.Name + ": " + f.Type.Word()
	if f.Type.Nullable {
		s += "?"
	}
	for i := range f.Constraints {
		s += fmt.Sprintf(", %s@%d", &f.Constraints[i], f.Constraints[i].Fact.Line)
	}
	return s
}

// aPage writes a Help Page of a made-up model. A row is "Name|type word|rules";
// the sample is the body of its object, a field per line.
func aPage(rows []string, sample ...string) string {
	var b strings.Builder
	b.WriteString("POST api/Orders/Create\nRequest Information\nURI Parameters\nNone.\nBody Parameters\n")
	b.WriteString("OrderModel| Name | Description | Type | Additional information |\n|---|---|---|---|\n")
	for _, row := range rows {
		parts := strings.Split(row, "|")
		rules := "None."
		if len(parts) > 2 {
			rules = parts[2]
		}
		fmt.Fprintf(&b, "| %s | %s |\n%s |\n|\n", parts[0], parts[1], rules)
	}
	b.WriteString("Request Formats\napplication/json, text/json\nSample:\n")
	if len(sample) == 0 {
		b.WriteString("Sample not available.\n")
	} else {
		b.WriteString("{\n" + strings.Join(sample, ",\n") + "\n}\n")
	}
	b.WriteString(
		"Response Information\nResource Description\nIHttpActionResultNone.\nResponse Formats\napplication/json, " +
			"text/json\nSample:\nSample not available.",
	)
	return b.String()
}

const (
	aGUID = `"bcbcf9ba-a364-4229-ad2f-41c79776b29b"`
	aDate = `"2026-02-03T21:04:03.1544841-06:00"`
)

// TestNullabilityIsInferredFromTheSampleIndices takes samples as the Help
// Page's generator makes them for the C# types named.
func TestNullabilityIsInferredFromTheSampleIndices(t *testing.T) {
	tests := []struct {
		name   string
		rows   []string
		sample []string
		want   string // the fields that may not be null, strings aside
	}{
		{
			"a Guid before a string takes a number",
			[]string{"Id|globally unique identifier", "Name|string"},
			[]string{`"Id": ` + aGUID, `"Name": "sample string 2"`},
			"Id",
		},
		{
			"a Guid? before a string takes none",
			[]string{"Id|globally unique identifier", "Name|string"},
			[]string{`"Id": ` + aGUID, `"Name": "sample string 1"`},
			"",
		},
		{
			"of two, the Required one is taken for the non-nullable one",
			[]string{"A|globally unique identifier", "B|date|Required", "Name|string"},
			[]string{`"A": ` + aGUID, `"B": ` + aDate, `"Name": "sample string 2"`},
			"B",
		},
		{
			"both of two take a number although neither is Required",
			[]string{"A|globally unique identifier", "B|date", "Name|string"},
			[]string{`"A": ` + aGUID, `"B": ` + aDate, `"Name": "sample string 3"`},
			"A, B",
		},
		{
			"a Required field that takes no index is nullable all the same",
			[]string{"A|globally unique identifier|Required", "Name|string"},
			[]string{`"A": ` + aGUID, `"Name": "sample string 1"`},
			"",
		},
		{
			"a decimal and an integer show their own numbers",
			[]string{"Price|decimal number", "Count|integer", "Tax|decimal number", "Lines|integer"},
			[]string{`"Price": 1.0`, `"Count": 2`, `"Tax": 1.0`, `"Lines": 3`},
			"Price, Count, Lines",
		},
		{
			"a first number of 1 is settled by the number after it",
			[]string{"Price|decimal number", "Name|string"},
			[]string{`"Price": 1.0`, `"Name": "sample string 1"`},
			"",
		},
		{
			"a number after the last string still counts",
			[]string{"Name|string", "A|globally unique identifier", "Count|integer"},
			[]string{`"Name": "sample string 1"`, `"A": ` + aGUID, `"Count": 3`},
			"A, Count",
		},
		{
			"what no number settles is open",
			[]string{"Name|string", "A|globally unique identifier", "B|date|Required"},
			[]string{`"Name": "sample string 1"`, `"A": ` + aGUID, `"B": ` + aDate},
			"A, A open, B, B open",
		},
		{
			"two of three that nothing tells apart are open, and the first are taken to be the ones",
			[]string{"A|date", "B|date", "C|date", "Name|string"},
			[]string{`"A": ` + aDate, `"B": ` + aDate, `"C": ` + aDate, `"Name": "sample string 3"`},
			"A, A open, B, B open, C open",
		},
		{
			"one Required of two that are not nullable leaves the other open",
			[]string{"A|date", "B|date", "C|date|Required", "Name|string"},
			[]string{`"A": ` + aDate, `"B": ` + aDate, `"C": ` + aDate, `"Name": "sample string 3"`},
			"A, A open, B open, C, C open",
		},
		{
			"numbers that fit no run leave everything open",
			[]string{"A|globally unique identifier|Required", "Name|string", "B|date"},
			[]string{`"A": ` + aGUID, `"Name": "sample string 9"`, `"B": ` + aDate},
			"A, A open, B, B open",
		},
		{
			"an element's fields have indices of their own",
			[]string{"Name|string", "Items|Collection of Item", "Note|string"},
			[]string{
				`"Name": "sample string 1"`,
				"\"Items\": [\n{\n\"Id\": " + aGUID + ",\n\"Text\": \"sample string 2\",\n\"Price\": 1.0\n}\n]",
				`"Note": "sample string 2"`,
			},
			"Items[].Id",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := operation(t, aPage(test.rows, test.sample...))
			assert.Equal(t, test.want, strings.Join(notNullable(o), ", "))
		})
	}
}

func notNullable(o *contracts.Operation) (names []string) {
	for _, p := range o.Places() {
		if !p.Field.Type.Nullable {
			names = append(names, string(p.Path))
		}
		if p.Field.Type.NullableOpen {
			names = append(names, string(p.Path)+" open")
		}
		if p.Field.Type.NullableFact.Because == "" {
			names = append(names, string(p.Path)+" WITHOUT A REASON")
		}
	}
	return names
}

func TestAPageWithoutASampleLeavesNullOpen(t *testing.T) {
	o := operation(t, aPage([]string{"A|globally unique identifier|Required", "B|integer", "C|string|Required"}))
	assert.Equal(t, []string{"A", "A open", "B", "B open"}, notNullable(o))
	assert.Nil(t, o.Sample)
}

func TestADescriptionIsKept(t *testing.T) {
	o := operation(t,
		strings.Replace(aPage([]string{"A|string"}), "| A | string |", "| A | What it is for. | string |", 1))
	assert.Equal(t, "What it is for.", o.Model().Fields[0].Description)
}

func TestLineEndsMayBeCRLF(t *testing.T) {
	assert.Len(t, operation(t, strings.ReplaceAll(string(contracts.Page()), "\n", "\r\n")).Model().Fields, 19)
}

// TestAnErrorNamesTheLine gives the reader pages that are wrong in one place.
func TestAnErrorNamesTheLine(t *testing.T) {
	page := string(contracts.Page())
	change := func(old, with string) string {
		require.Contains(t, page, old)
		return strings.Replace(page, old, with, 1)
	}
	tests := []struct {
		name, page string
		line       int
		says       string
	}{
		{"an empty page", "", 1, "ends early"},
		{"a page that ends after the table", page[:strings.Index(page, "Request Formats")], 64, "ends early"},
		{"a page that ends within the sample", page[:strings.Index(page, `"Reasons": [`)], 86, "malformed JSON"},
		{"a method without a body", change("POST api", "GET api"), 1, "POST, PUT or PATCH"},
		{"a route with parameters", change("PatientAppointmentPost_v2", "Post/{id}"), 1, "plain segments"},
		{"URI parameters", change("None.", "id"), 4, "URI parameters"},
		{"a line that nothing claims", change("Body Parameters", "Remarks"), 5, "Body Parameters"},
		{"a table without a name", change("AppointmentModel|", "|"), 6, "the model's name"},
		{
			"a list of strings",
			change("Collection of Reasons", "Collection of string"),
			62,
			`"Collection of string" is a list of single values`,
		},
		{
			"an element's number that no integer begins with",
			change(`"ReasonId": "`, `"Level": 0, "ReasonId": "`),
			88,
			"the sample shows 0 for Level, which is an enum's",
		},
		{"an unknown type word", change("| decimal number |", "| byte |"), 44, `unknown type word "byte"`},
		{
			"a field that is there twice",
			change("| Note |", "| reason |"),
			35,
			"duplicate field reason (first on line 32)",
		},
		{"reversed bounds", change("between 0 and 250", "between 250 and 0"), 33, "reversed"},
		{"a bound that fits no number", change("between 0 and 250", "between 0 and 99999999999"), 33, "32 bits"},
		{"an unknown annotation", change("Required String", "Range: 1 String"), 33, "unknown annotation"},
		{
			"a length for a date",
			change("Required |", "String length: inclusive between 0 and 5 |"),
			18,
			"a string length",
		},
		{
			"a row without its second line",
			change("| ServiceId | globally unique identifier |\nNone. |", "| ServiceId | globally unique identifier |"),
			51,
			"additional information",
		},
		{
			"an unknown media type",
			change("application/json, text/json", "application/json, text/xml"),
			65,
			"unknown media type",
		},
		{
			"a media type that is there twice",
			change("application/json, text/json", "application/json, application/json"),
			65,
			"duplicate media type",
		},
		{"a sample with a field too many", change(`"MethodId": 1,`, "\"MethodId\": 1,\n\"Extra\": 1,"), 84, "Extra"},
		{"a sample with a field too few", change("\"MethodId\": 1,\n", ""), 83, "IsCustomFormFlow"},
		{"a sample with a field twice", change(`"DocIds"`, `"Note"`), 85, "twice"},
		{"a sample of another type", change(`"MethodId": 1,`, `"MethodId": "sample string 1",`), 83, "as integer"},
		{"a sample value that no type makes", change(`"MethodId": 1,`, `"MethodId": 1.1,`), 83, "MethodId"},
		{"a sample of malformed JSON", change(`"MethodId": 1,`, `"MethodId": 1`), 84, "malformed JSON"},
		{"a collection that shows no element", change(`[
{
"ReasonId": "7b0d7dbd-2e54-48b9-a80d-fb468fda994e"
},
{
"ReasonId": "7b0d7dbd-2e54-48b9-a80d-fb468fda994e"
}
]`, "[]"), 86, "an array with an element"},
		{
			"a response with fields",
			change("IHttpActionResultNone.", "OrderModel| Name |"),
			100,
			"a type without fields",
		},
		{"text after the end", page + "\nmore", 105, "unknown media type"},
		{"bytes that are not UTF-8", change("Reason | string", "Reason | str\xFFng"), 32, "UTF-8"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := helppage.Parse([]byte(test.page))
			require.Error(t, err)
			var problem *helppage.Error
			require.ErrorAs(t, err, &problem)
			assert.Equal(t, test.line, problem.Line, err.Error())
			assert.Contains(t, err.Error(), test.says)
			assert.NotContains(t, err.Error(), "\n")
		})
	}
}

func TestAPageThatIsTooLarge(t *testing.T) {
	_, err := helppage.Parse(make([]byte, helppage.MaxSize+1))
	require.ErrorContains(t, err, "at most 1048576")
}

func FuzzParse(f *testing.F) {
	seeds := []string{
		string(contracts.Page()),
		aPage([]string{"A|string"}, `"A": "sample string 1"`),
		aPage([]string{"A|integer"}),
		"POST a/b/c\n",
		"",
	}
	require.Len(f, seeds, 5)
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, page []byte) {
		c, err := helppage.Parse(page)
		if err != nil {
			var problem *helppage.Error
			require.ErrorAs(t, err, &problem)
			require.Positive(t, problem.Line)
			return
		}
		require.Len(t, c.Operations, 1)
		require.NotEmpty(t, c.Operations[0].Model().Fields)
		lines := strings.Count(string(page), "\n") + 1
		for _, r := range c.Operations[0].Rules() {
			require.Positive(t, r.Fact.Line)
			require.LessOrEqual(t, r.Fact.Line, lines)
		}
	})
}
