package mockserver_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/helppage"
	"github.com/seed47566266/understudy/mockserver"
)

// The mock is an http.Handler, so a Go test needs no process and no port.
func Example() {
	contract, err := helppage.Parse(contracts.Page())
	if err != nil {
		panic(err)
	}
	mock, err := mockserver.New(contract)
	if err != nil {
		panic(err)
	}
	server := httptest.NewServer(mock)
	defer server.Close()

	body := strings.NewReader(
		`{"UserId":"84ef7a81-c643-4b8e-85e5-1ff52fc35f3d","AppointmentOn":"2026-02-03T21:04:03Z",` +
			`"AccountId":"3faed728-f67f-4bc0-888f-a8410d31c7df"}`,
	)
	resp, err := http.Post(server.URL+"/api/Calendar/PatientAppointmentPost_v2", "application/json", body)
	if err != nil {
		panic(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	fmt.Println(resp.StatusCode, string(text))
	fmt.Println(resp.Header.Get(mockserver.ViolationsHeader))
	// Output:
	// 400 {"Message":"The request is invalid.","ModelState":{"model.Reason":["The Reason field is required."]}}
	// "Reason/required";line=33;pointer="/Reason";found="nothing"
}
