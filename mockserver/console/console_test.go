package console_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/helppage"
)

const endpoint = "/api/Calendar/PatientAppointmentPost_v2"

func pageContract(t testing.TB) *contracts.Contract {
	t.Helper()
	c, err := helppage.Parse(contracts.Page())
	require.NoError(t, err)
	return c
}

func sample(t testing.TB) string {
	t.Helper()
	return string(pageContract(t).Operations[0].Sample)
}
