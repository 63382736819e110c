package testsuite_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/mockserver"
	"github.com/seed47566266/understudy/testsuite"
)

// BenchmarkRun runs every case against the mock in the process, with a suite that is
// shared.
func BenchmarkRun(b *testing.B) {
	mock, err := mockserver.New(contract(b))
	require.NoError(b, err)
	s := suite(b)
	for b.Loop() {
		r, err := s.Run(b.Context(), testsuite.Config{Target: testsuite.Target{Handler: mock}})
		require.NoError(b, err)
		require.Zero(b, r.Exit, r.Conclusion)
	}
}

// BenchmarkSuite makes a suite.
func BenchmarkSuite(b *testing.B) {
	c := contract(b)
	for b.Loop() {
		_, err := testsuite.New(c, testsuite.Payloads{Now: sampleDay})
		require.NoError(b, err)
	}
}
