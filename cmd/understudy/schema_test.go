package main

import (
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// TestTheSchemaTakesWhatIsRightAndNothingElse holds the schema for editors to what the
// commands themselves say.
func TestTheSchemaTakesWhatIsRightAndNothingElse(t *testing.T) {
	var out, errs strings.Builder
	code := run(t.Context(), []string{"config", "schema"},
		streams{strings.NewReader(""), &out, &errs, func(string) string { return "" }})
	require.Zero(t, code, errs.String())
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(out.String()))
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	require.NoError(t, compiler.AddResource("understudy.schema.json", document))
	schema, err := compiler.Compile("understudy.schema.json")
	require.NoError(t, err)
	valid := func(text string) error {
		var value any
		require.NoError(t, yaml.Unmarshal([]byte(text), &value))
		return schema.Validate(value)
	}
	assert.NoError(t, valid(exampleConfig))
	for _, right := range []string{
		"{}", "serve: {seed: 7, no-admin: true, hide: [Reason]}",
		"verify: {set: {UserId: x}, report: [text, junit=j.xml]}",
		"scenarios: [slow, {name: a, when: {call: 2}, then: {delay: {uniform: {min: 1ms, max: 2ms}}}}]",
		"scenarios: [{name: a, when: {requires: paid, limit: 5/s}, then: {sets: {a: b}}}]",
		"scenarios: [{name: a, then: {proxy: 'http://h', cors: false}}]",
	} {
		assert.NoError(t, valid(right), right)
	}
	for _, wrong := range []string{
		"[]", "serv: {}", "serve: {sed: 7}", "serve: {seed: seven}", "response: {staus: 200}", "response: {status: ok}",
		"scenarios: [slwo]", "scenarios: [{name: a, when: {call: often}}]",
		"scenarios: [{name: a, then: {fault: fire}}]",
		"scenarios: [{name: a, then: {delay: long}}]", "scenarios: [{name: a, when: {fields: {A: {equal: 1}}}}]",
		"scenarios: {name: a}",
	} {
		assert.Error(t, valid(wrong), wrong)
	}
}
