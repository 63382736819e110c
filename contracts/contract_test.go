package contracts_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/helppage"
)

func TestPageIsACopy(t *testing.T) {
	page := contracts.Page()
	require.Len(t, page, 2391)
	page[0] = '?'
	assert.Equal(t, byte('P'), contracts.Page()[0])
}

func TestEveryRuleCitesALineOfThePage(t *testing.T) {
	c, err := helppage.Parse(contracts.Page())
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, r := range c.Rules() {
		assert.False(t, seen[r.ID], "the id %s is there twice", r.ID)
		seen[r.ID] = true
		assert.Positive(t, r.Fact.Line, r.ID)
		assert.NotEmpty(t, r.Fact.Quote, r.ID)
		assert.NotEmpty(t, r.Text, r.ID)
		if r.Fact.Source == contracts.Inferred {
			assert.NotEmpty(t, r.Fact.Because, r.ID)
		}
	}
	for _, id := range []string{"method", "route", "body", "Reason/required", "Reason/length", "UserId/type", "PaidAmount/nullable", "Reasons/ReasonId/type", "request/text/json"} {
		assert.True(t, seen[id], "the rule %s is missing", id)
	}
}

func TestFieldIsFoundWithoutRegardToCase(t *testing.T) {
	c, err := helppage.Parse(contracts.Page())
	require.NoError(t, err)
	require.NotNil(t, c.Body.Field("paidamount"))
	assert.Equal(t, "PaidAmount", c.Body.Field("paidamount").Name)
	assert.Nil(t, c.Body.Field("Paid"))
}
