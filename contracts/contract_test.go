package contracts_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/helppage"
)

func operation(t *testing.T) *contracts.Operation {
	t.Helper()
	c, err := helppage.Parse(contracts.Page())
	require.NoError(t, err)
	return &c.Operations[0]
}

func TestPageIsACopy(t *testing.T) {
	page := contracts.Page()
	require.Len(t, page, 2391)
	page[0] = '?'
	assert.Equal(t, byte('P'), contracts.Page()[0])
}

func TestEveryRuleCitesALineOfThePage(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range operation(t).Rules() {
		id := r.ID.String()
		assert.False(t, seen[id], "duplicate id %s", id)
		seen[id] = true
		assert.Positive(t, r.Fact.Line, id)
		assert.NotEmpty(t, r.Fact.Quote, id)
		assert.NotEmpty(t, r.Text, id)
		if r.Fact.Source == contracts.SourceInferred {
			assert.NotEmpty(t, r.Fact.Because, id)
		}
		var read contracts.RuleID
		require.NoError(t, read.UnmarshalText([]byte(id)))
		assert.Equal(t, r.ID, read, "the text form of %s cannot be read back", id)
	}
	for _, id := range []string{
		"method", "route", "body", "Reason/required", "Reason/length", "UserId/type", "PaidAmount/nullable",
		"Reasons[].ReasonId/type", "request/text/json",
	} {
		assert.True(t, seen[id], "the rule %s is missing", id)
	}
}

// TestRulesAndFieldsShareNoNamespace has a page whose fields are named as what ids
// begin or end with.
func TestRulesAndFieldsShareNoNamespace(t *testing.T) {
	names := []string{
		"body", "Request", "response", "method", "route", "name", "form", "json", "http", "media", "required",
		"unknown", "path", "type", "length", "nullable", "Plain",
	}
	o := contracts.Operation{
		Method: "POST",
		Route:  "a/b/c",
		Body:   &contracts.Type{Kind: contracts.KindModel, Model: &contracts.Model{Name: "M"}},
	}
	for _, media := range []string{contracts.MediaJSON, contracts.MediaTextJSON} {
		o.RequestFormats = append(o.RequestFormats, contracts.Format{MediaType: media})
		o.Response.Formats = append(o.Response.Formats, contracts.Format{MediaType: media})
	}
	inner := &contracts.Model{Name: "E"}
	for _, name := range names {
		field := contracts.Field{
			Name: name,
			Type: contracts.Type{Kind: contracts.KindString},
			Constraints: []contracts.Constraint{
				{Kind: contracts.ConstraintRequired},
				{Kind: contracts.ConstraintLength, Max: 5},
			},
		}
		o.Body.Model.Fields = append(o.Body.Model.Fields, field)
		inner.Fields = append(inner.Fields, field)
	}
	o.Body.Model.Fields = append(o.Body.Model.Fields, contracts.Field{Name: "path2", Type: contracts.Type{
		Kind: contracts.KindList, Element: &contracts.Type{Kind: contracts.KindModel, Model: inner}}})
	seen := map[string]bool{}
	for _, r := range o.Rules() {
		id := strings.ToLower(r.ID.String())
		assert.False(t, seen[id], "two rules are called %s", id)
		seen[id] = true
		var read contracts.RuleID
		require.NoError(t, read.UnmarshalText([]byte(r.ID.String())))
		assert.Equal(t, r.ID, read)
	}
	for _, id := range []string{".body/type", "body", ".request/length", "request/text/json", "plain/required",
		"path2[].body/type"} {
		assert.True(t, seen[id], "the rule %s is missing", id)
	}
	for _, p := range o.Places() {
		assert.Same(t, p.Field, o.Field(p.Path))
	}
}

func TestAPathCoversWhatLiesUnderIt(t *testing.T) {
	list := contracts.Path("").Field("Reasons")
	field := list.Element().Field("ReasonId")
	assert.Equal(t, contracts.Path("Reasons[].ReasonId"), field)
	assert.True(t, list.Covers(field))
	assert.True(t, list.Covers(list))
	assert.True(t, contracts.Path("reasons").Covers(field))
	assert.False(t, contracts.Path("Reason").Covers(list))
	assert.False(t, field.Covers(list))
}

func TestAFieldIsFoundInAnyCase(t *testing.T) {
	model := operation(t).Model()
	require.NotNil(t, model.Field("paidamount"))
	assert.Equal(t, "PaidAmount", model.Field("paidamount").Name)
	assert.Nil(t, model.Field("Paid"))
}

func TestAKindHasOneRowOfTheTable(t *testing.T) {
	for _, k := range contracts.Kinds() {
		read, ok := contracts.KindOf(k.Word())
		assert.True(t, ok)
		assert.Equal(t, k, read)
		text, err := k.MarshalText()
		require.NoError(t, err)
		require.NoError(t, read.UnmarshalText(text))
		assert.Equal(t, k, read)
		assert.NotEmpty(t, k.DotNet())
		assert.NotEmpty(t, k.Admits())
	}
	assert.Error(t, new(contracts.Kind).UnmarshalText([]byte("GUIDs")))
	for sample, want := range map[string]string{
		`"84ef7a81-c643-4b8e-85e5-1ff52fc35f3d"`: "GUID 0", `"2026-02-03T21:04:03.1544841-06:00"`: "date 0",
		`"sample string 3"`: "string 3", "5.0": "decimal 5", "1": "integer 1",
	} {
		kind, index, ok := contracts.SampleKind([]byte(sample))
		assert.True(t, ok, sample)
		assert.Equal(t, want, fmt.Sprint(kind, " ", index))
	}
	_, _, ok := contracts.SampleKind([]byte("1.1"))
	assert.False(t, ok)
}

func TestAPathIsReadAsAUserWritesIt(t *testing.T) {
	for text, path := range map[string]contracts.Path{
		"Reason": "Reason", "body": ".body", ".body": ".body", "body[].path": ".body[].path",
		"Reasons[].ReasonId": "Reasons[].ReasonId", "": "",
	} {
		assert.Equal(t, path, contracts.ParsePath(text), text)
	}
	assert.Equal(t, contracts.Path("").Field("body").Element().Field("path"), contracts.ParsePath("body[].path"))
}
