package testsuite_test

import (
	"context"
	"fmt"
	"net/http"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/helppage"
	"github.com/seed47566266/understudy/testsuite"
)

// A server that accepts everything fails, and each failure says the line of the
// page.
func Example() {
	contract, err := helppage.Parse(contracts.Page())
	if err != nil {
		fmt.Println(err)
		return
	}
	results, err := testsuite.Run(context.Background(), testsuite.Config{
		Contract: contract,
		Handler:  http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }),
		Run:      []string{"Reason/length/250", "Reason/length/251"},
		Level:    testsuite.Must,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, x := range results.Failed(testsuite.Must) {
		fmt.Printf("%s, page line %d: wanted %s, got %s\n", x.ID, x.Line, x.Wanted, x.Got)
	}
	fmt.Println("exit", results.Exit)
	// Output:
	// Reason/length/251, page line 33: wanted refused, with 400 or 422, got 204 No Content, no body
	// exit 1
}
