package mockserver

import (
	"fmt"
	"net/http"
	"time"
)

// readyMade are the scenarios that everybody needs once. Each is off until it is asked for.
var readyMade = map[string]struct {
	about string
	make  func() Scenario
}{
	"slow": {"every response takes 0.5 to 2 s", func() Scenario {
		return Scenario{Then: Then{Delay: &Delay{Min: 500 * time.Millisecond, Max: 2 * time.Second}, Continue: true}}
	}},
	"flaky": {"every third response is a 503", func() Scenario {
		return Scenario{When: When{Call: &Calls{Every: 3}}, Then: message(http.StatusServiceUnavailable,
			"The service is unavailable.")}
	}},
	"down": {"every connection is reset", func() Scenario {
		return Scenario{Then: Then{Fault: FaultConnectionReset}}
	}},
	"rate-limited": {"429 with Retry-After past 5 requests a second", func() Scenario {
		then := message(http.StatusTooManyRequests, "Too many requests. Try again later.")
		then.Headers = map[string]string{"Retry-After": "{{.RetryAfter}}"}
		return Scenario{When: When{Limit: &Limit{Requests: 5, Per: time.Second, Burst: 5}}, Then: then}
	}},
	"unauthorized": {"401, as Web API's [Authorize] says it", func() Scenario {
		then := message(http.StatusUnauthorized, "Authorization has been denied for this request.")
		then.Headers = map[string]string{"WWW-Authenticate": "Bearer"}
		return Scenario{Then: then}
	}},
	"forbidden": {"403", func() Scenario {
		return Scenario{Then: message(http.StatusForbidden, "Authorization has been denied for this request.")}
	}},
	"double-booked": {"a second request for the same provider and time gets 409", func() Scenario {
		return Scenario{
			When: When{Outcome: "accepted", Call: &Calls{First: 2, Key: []string{"ProviderId", "AppointmentOn"}}},
			Then: message(http.StatusConflict, "The provider has another appointment at this time."),
		}
	}},
	"maintenance": {"503 with a page of HTML", func() Scenario {
		return Scenario{Then: Then{Response: Response{
			Status:  http.StatusServiceUnavailable,
			Headers: map[string]string{"Content-Type": "text/html; charset=utf-8", "Retry-After": "120"},
			Text: "<!DOCTYPE html>\n<html><head><title>Down for maintenance</title></head>" +
				"<body><h1>Down for maintenance</h1><p>We will be back shortly.</p></body></html>\n",
		}}}
	}},
	"idempotent": {"the same Idempotency-Key gets the same response", func() Scenario {
		return Scenario{
			When: When{Headers: map[string]Match{"Idempotency-Key": {Present: true}}},
			Then: Then{keeps: "Idempotency-Key", Continue: true},
		}
	}},
}

// message is a response in the shape of the framework's errors.
func message(status int, text string) Then {
	return Then{Response: Response{Status: status, JSON: map[string]string{"Message": text}}}
}

// ReadyMade is a scenario by its name.
func ReadyMade(name string) (Scenario, error) {
	ready, found := readyMade[name]
	if !found {
		return Scenario{}, fmt.Errorf("unknown ready-made scenario %q%s", name, didYouMean(name, ReadyMadeNames()))
	}
	sc := ready.make()
	sc.Name, sc.ready = name, name
	return sc, nil
}

// ReadyMadeNames are the names of the ready-made scenarios.
func ReadyMadeNames() []string { return sortedKeys(readyMade) }

// AboutReadyMade says in one line what a ready-made scenario does; empty for another name.
func AboutReadyMade(name string) string { return readyMade[name].about }
