package webapi_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/helppage"
	"github.com/seed47566266/understudy/contracts/webapi"
)

// TestElementsAreValidatedBeforeTheirList has a list with annotations, as the framework's
// body validator walks one: the fields of each element, under their index; the list itself
// only if they are valid; null never.
func TestElementsAreValidatedBeforeTheirList(t *testing.T) {
	c, err := helppage.Parse(contracts.Page())
	require.NoError(t, err)
	o := c.Operations[0]
	fact := o.Model().Fact
	required := contracts.Constraint{Kind: contracts.ConstraintRequired, Fact: fact}
	text := contracts.Type{Kind: contracts.KindString, Fact: fact, Nullable: true, NullableFact: fact}
	line := contracts.Model{Name: "OrderLine", Fact: fact, Fields: []contracts.Field{
		{Name: "Remark", Type: text, Constraints: []contracts.Constraint{
			{Kind: contracts.ConstraintLength, Max: 20, Fact: fact},
		}},
		{Name: "Code", Type: text, Constraints: []contracts.Constraint{required}},
	}}
	o.Body.Model = &contracts.Model{Name: "NestedModel", Fact: fact, Fields: []contracts.Field{
		{Name: "Lines", Constraints: []contracts.Constraint{required}, Type: contracts.Type{
			Kind: contracts.KindList, Fact: fact, Nullable: true, NullableFact: fact,
			Element: &contracts.Type{
				Kind: contracts.KindModel, Fact: fact, Nullable: true, NullableFact: fact, Model: &line,
			},
		}},
		{Name: "Name", Type: text, Constraints: []contracts.Constraint{required}},
	}}
	e, err := webapi.New(&o, webapi.Profile{})
	require.NoError(t, err)
	const long = "aaaaaaaaaaaaaaaaaaaaa"
	for name, x := range map[string]struct{ body, state string }{
		"a field of the first element": {
			`{"Name":"x","Lines":[{"Remark":"` + long + `","Code":"a"}]}`,
			`"model.Lines[0].Remark":["The field Remark must be a string with a maximum length of 20."]`,
		},
		"fields of several, in order, then those behind the list": {
			`{"Lines":[{"Code":"a"},null,{"Remark":"` + long + `"}]}`,
			`"model.Lines[2].Remark":["The field Remark must be a string with a maximum length of 20."],` +
				`"model.Lines[2].Code":["The Code field is required."],"model.Name":["The Name field is required."]`,
		},
		"no list":        {`{"Name":"x"}`, `"model.Lines":["The Lines field is required."]`},
		"an empty list":  {`{"Name":"x","Lines":[]}`, ""},
		"a null element": {`{"Name":"x","Lines":[null]}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := e.Respond(post([]byte(x.body)), nil)
			if x.state == "" {
				require.Equal(t, 200, got.Status, "%s", got.Body)
				return
			}
			require.Equal(t, 400, got.Status)
			require.Equal(t, `{"Message":"The request is invalid.","ModelState":{`+x.state+`}}`, string(got.Body))
			for _, v := range got.Violations {
				if v.Rule.Path == "Lines[].Remark" {
					require.Regexp(t, `^/Lines/[02]/Remark$`, v.Pointer)
				}
			}
		})
	}
}

func TestAFieldThatIsMissingWhereTheTextEndsIsOneOfItsObject(t *testing.T) {
	c, err := helppage.Parse(contracts.Page())
	require.NoError(t, err)
	endpoint, err := webapi.New(&c.Operations[0], webapi.Profile{})
	require.NoError(t, err)
	for _, body := range []string{`{"Reason":"x"`, `{"Reason":"x","PatientId":`, `{"Reason":"x","Note":"y`,
		`{"Reasons":[{"ReasonId":`, `{"Reason":"x"}`, `{"Reason": }`} {
		response := endpoint.Respond(&webapi.Request{
			Method: "POST", Target: "/" +
				c.Operations[0].Route, Header: http.Header{"Content-Type": {"application/json"}},
			Body: []byte(body),
		}, nil)
		missing := 0
		for _, v := range response.Violations {
			if v.Rule.Kind == contracts.RuleRequired && v.Found == webapi.FoundNothing {
				require.Equal(t, "/"+string(v.Rule.Path), v.Pointer, body)
				missing++
			}
		}
		require.Positive(t, missing, body)
	}
}
