//go:build pact

package pact_test

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/pact-foundation/pact-go/v2/models"
	"github.com/pact-foundation/pact-go/v2/provider"
	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/mockserver"
)

// stateHandlers put the mock into the states of the committed pact, by scenarios.
func stateHandlers(mock *mockserver.TestServer) models.StateHandlers {
	return models.StateHandlers{
		stateResponds: func(setup bool, s models.ProviderState) (models.ProviderStateResponse, error) {
			if !setup {
				return nil, mock.Reset("")
			}
			parameters, _ := s.Parameters["params"].(map[string]any)
			status, err := strconv.Atoi(fmt.Sprint(parameters["status"]))
			if err != nil {
				return nil, fmt.Errorf("the state has no status: %v", s.Parameters)
			}
			return nil, mock.Use(mockserver.Scenario{Name: "responds", Then: mockserver.Then{Response: mockserver.Response{
				Status:  status,
				Headers: map[string]string{"Content-Type": "application/json; charset=utf-8"},
				JSON:    map[string]any{"Message": parameters["message"]},
			}}})
		},
	}
}

// TestTheMockHonoursTheClientsPact verifies the mock against what the client expects.
func TestTheMockHonoursTheClientsPact(t *testing.T) {
	mock := mockserver.Start(t, contract(t))
	require.NoError(t, provider.NewVerifier().VerifyProvider(t, provider.VerifyRequest{
		Provider: providerName, ProviderBaseURL: mock.URL, PactFiles: []string{committedPact()},
		StateHandlers: stateHandlers(mock), DisableColoredOutput: true,
	}))
}

// TestTheMockHonoursTheExportedPact verifies it against the page's, without -short every case.
func TestTheMockHonoursTheExportedPact(t *testing.T) {
	mock := mockserver.Start(t, contract(t))
	file, n := exportedPact(t, chosen())
	require.NoError(t, provider.NewVerifier().VerifyProvider(t, provider.VerifyRequest{
		Provider: exportedProvider, ProviderBaseURL: mock.URL, PactFiles: []string{file}, DisableColoredOutput: true,
	}))
	requests, err := mock.Requests()
	require.NoError(t, err)
	require.Greater(t, len(requests), 100, "too few requests reached the mock")
	t.Logf("pact-go: %d interactions of the exported pact are as the page says", n)
}
