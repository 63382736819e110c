package export_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/export"
	"github.com/seed47566266/understudy/contracts/helppage"
	"github.com/seed47566266/understudy/contracts/oracle"
	"github.com/seed47566266/understudy/fixtures"
)

var update = flag.Bool("update", false, "write the golden files again")

// twoModels is a page with what the embedded one has not: a least length, a list that is
// required, names that are keywords.
const twoModels = `POST api/Shop/Order
Request Information
URI Parameters
None.
Body Parameters
Order| Name | Description | Type | Additional information |
|---|---|---|---|
| class | What it is; */ ends no comment. | string |
Required String length: inclusive between 3 and 8 |
|
| Lines | The lines. | Collection of Line |
Required |
|
| When | | date |
None. |
|
Request Formats
application/json, text/json
Sample:
{
"class": "sample string 1",
"Lines": [
{
"Amount": 1.0
},
{
"Amount": 1.0
}
],
"When": "2026-02-03T21:04:03.1544841-06:00"
}
application/x-www-form-urlencoded
Sample:
Sample not available.
Response Information
Resource Description
IHttpActionResultNone.
Response Formats
application/json, text/json
Sample:
Sample not available.
`

func contract(t *testing.T, page []byte) *contracts.Contract {
	t.Helper()
	c, err := helppage.Parse(page)
	require.NoError(t, err)
	return c
}

func written(t *testing.T, form string, c *contracts.Contract) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, export.Write(&b, form, c))
	return b.Bytes()
}

// cases are those of the page whose outcome no reader of it disputes, with requests of HTTP's own
// form.
func cases(t *testing.T, c *contracts.Contract) (all []fixtures.Case) {
	t.Helper()
	g, err := fixtures.New(&c.Operations[0], fixtures.Options{
		Now: time.Date(2026, 2, 3, 0, 0, 0, 0, time.UTC), StrictJSON: true,
	})
	require.NoError(t, err)
	for _, x := range g.Cases() {
		if x.NotSent == "" && x.Request.Raw == nil && x.Latitude == "" && x.Outcome != oracle.OutcomeUnspecified {
			all = append(all, x)
		}
	}
	require.Greater(t, len(all), 300)
	return all
}

func TestFormsAreAsTheyWere(t *testing.T) {
	names, what := export.Forms()
	require.Len(t, names, 7)
	for _, page := range []struct {
		name string
		text []byte
	}{{"appointment", contracts.Page()}, {"order", []byte(twoModels)}} {
		c := contract(t, page.text)
		for i, name := range names {
			require.NotEmpty(t, what[i])
			file := filepath.Join("testdata", page.name+"."+name)
			got := written(t, name, c)
			if *update {
				require.NoError(t, os.WriteFile(file, got, 0o600))
			}
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, string(want), string(got), "%s is another; -update writes it again", file)
		}
	}
}

func TestAnUnknownFormIsAnError(t *testing.T) {
	err := export.Write(io.Discard, "raml", contract(t, contracts.Page()))
	require.EqualError(t, err, `unknown form "raml": use one of openapi, openapi3.0, jsonschema, typescript, zod, `+
		`csharp, markdown`)
}

type full struct{}

var errFull = errors.New("no space left")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestTheErrorOfTheWriterIsReturned(t *testing.T) {
	require.ErrorIs(t, export.Write(full{}, "markdown", contract(t, contracts.Page())), errFull)
}

// TestSchemasAgreeWithThePage has validators that others wrote judge every case. A schema may not
// reject what the page allows; where it allows what the page forbids, a table says why.
func TestSchemasAgreeWithThePage(t *testing.T) {
	c := contract(t, contracts.Page())
	judges := []struct {
		name   string
		judge  func(t *testing.T, c *contracts.Contract) func(*contracts.Request) error
		judges func(x *fixtures.Case) bool
	}{
		{"openapi", openAPIJudge("openapi"), func(*fixtures.Case) bool { return true }},
		{"openapi3.0", openAPIJudge("openapi3.0"), func(*fixtures.Case) bool { return true }},
		{"jsonschema", schemaJudge, func(x *fixtures.Case) bool { return x.Media != contracts.MediaForm }},
	}
	var table strings.Builder
	for _, j := range judges {
		valid := j.judge(t, c)
		judged, missed := map[oracle.Outcome]int{}, map[string][]string{}
		for _, x := range cases(t, c) {
			if !j.judges(&x) {
				continue
			}
			judged[x.Outcome]++
			err := valid(&x.Request)
			switch {
			case x.Outcome == oracle.OutcomeAccept:
				require.NoError(t, err, "%s: %s rejects what the page allows", j.name, x.ID)
			case err == nil:
				why := string(x.Family) + ", " + string(x.Rule.Kind)
				missed[why] = append(missed[why], x.ID)
			}
		}
		fmt.Fprintf(&table, "%s: %d accepted, %d rejected, of which the schema allows:\n", j.name,
			judged[oracle.OutcomeAccept], judged[oracle.OutcomeReject])
		var whys []string
		for why := range missed {
			whys = append(whys, why)
		}
		slices.Sort(whys)
		for _, why := range whys {
			fmt.Fprintf(&table, "  %3d %-22s %s\n", len(missed[why]), why, missed[why][0])
		}
	}
	file := filepath.Join("testdata", "limits.golden")
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(table.String()), 0o600))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), table.String())
}

// openAPIJudge is kin-openapi's validator of requests.
func openAPIJudge(form string) func(t *testing.T, c *contracts.Contract) func(*contracts.Request) error {
	return func(t *testing.T, c *contracts.Contract) func(*contracts.Request) error {
		t.Helper()
		openapi3filter.RegisterBodyDecoder(contracts.MediaTextJSON,
			openapi3filter.RegisteredBodyDecoder(contracts.MediaJSON))
		doc, err := openapi3.NewLoader().LoadFromData(written(t, form, c))
		require.NoError(t, err)
		require.NoError(t, doc.Validate(t.Context()))
		router, err := gorillamux.NewRouter(doc)
		require.NoError(t, err)
		return func(r *contracts.Request) error {
			request, err := http.NewRequestWithContext(t.Context(), r.Method, "http://127.0.0.1:4747"+r.Path,
				bytes.NewReader(r.Body))
			if err != nil {
				return err
			}
			for _, h := range r.Headers {
				request.Header.Add(h.Name, h.Value)
			}
			route, parameters, err := router.FindRoute(request)
			if err != nil {
				return err
			}
			return openapi3filter.ValidateRequest(t.Context(), &openapi3filter.RequestValidationInput{
				Request: request, PathParams: parameters, Route: route,
			})
		}
	}
}

// schemaJudge is santhosh-tekuri's validator of JSON Schema.
func schemaJudge(t *testing.T, c *contracts.Contract) func(*contracts.Request) error {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(written(t, "jsonschema", c)))
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	require.NoError(t, compiler.AddResource("page.json", doc))
	compiled, err := compiler.Compile("page.json")
	require.NoError(t, err)
	return func(r *contracts.Request) error {
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(r.Body))
		if err != nil {
			return err
		}
		return compiled.Validate(value)
	}
}
