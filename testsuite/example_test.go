package testsuite_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/helppage"
	"github.com/seed47566266/understudy/fixtures"
	"github.com/seed47566266/understudy/mockserver"
	"github.com/seed47566266/understudy/testsuite"
	"github.com/stretchr/testify/require"
)

// A server that accepts everything fails, and each failure cites the line of the
// page.
func Example() {
	contract, err := helppage.Parse(contracts.Page())
	if err != nil {
		fmt.Println(err)
		return
	}
	suite, err := testsuite.New(contract, testsuite.Payloads{})
	if err != nil {
		fmt.Println(err)
		return
	}
	everything := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	results, err := suite.Run(context.Background(), testsuite.Config{
		Target: testsuite.Target{Handler: everything},
		Selection: testsuite.Selection{
			Run:   []string{"Reason/length/250", "Reason/length/251"},
			Level: fixtures.LevelMust,
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, x := range results.Failed(fixtures.LevelMust) {
		fmt.Printf("%s, page line %d: expected %s, got %s\n", x.ID, x.Line, x.Expected, x.Got)
	}
	fmt.Println("exit", results.Exit)
	// Output:
	// Reason/length/251, page line 33: expected rejected, with 400 or 422, got 204 No Content, no body
	// exit 1
}

func TestBooking(t *testing.T) {
	contract, err := helppage.Parse(contracts.Page())
	require.NoError(t, err)
	mock, err := mockserver.New(contract)
	require.NoError(t, err)
	suite, err := testsuite.New(contract, testsuite.Payloads{})
	require.NoError(t, err)
	testsuite.Test(t, suite, testsuite.Config{Target: testsuite.Target{Handler: mock}})
}
