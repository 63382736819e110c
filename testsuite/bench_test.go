package testsuite_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/mockserver"
	"github.com/seed47566266/understudy/testsuite"
)

// BenchmarkRun runs every case against the mock in the process.
func BenchmarkRun(b *testing.B) {
	mock, err := mockserver.New(contract(b))
	require.NoError(b, err)
	for b.Loop() {
		r, err := testsuite.Run(b.Context(), testsuite.Config{Contract: contract(b), Handler: mock})
		require.NoError(b, err)
		require.Zero(b, r.Exit, r.Verdict)
	}
}

// BenchmarkCases makes the cases and sends none.
func BenchmarkCases(b *testing.B) {
	c := contract(b)
	for b.Loop() {
		_, err := testsuite.Cases(testsuite.Config{Contract: c})
		require.NoError(b, err)
	}
}
