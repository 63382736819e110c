package mockserver

import (
	"encoding/json"
	"fmt"
	"reflect"
)

// Next is a response for the next requests of a session, whatever they are.
type Next struct {
	Then
	// Times is how many requests get it, from 1; nil is 1.
	Times *int `yaml:"times" doc:"how many requests get it (default: 1)"`
}

// parsedNext is one that was checked.
type parsedNext struct {
	*scenario
	times int
}

// parseNext reads one, as a scenario for the requests of an operation.
func (s *Server) parseNext(text json.RawMessage, o *operation) (*parsedNext, error) {
	root, err := ParseYAML("body", text)
	if err != nil {
		return nil, err
	}
	d := newDecoder("body")
	if root == nil {
		return nil, fmt.Errorf("the body is empty: send a response such as {\"status\": 503}")
	}
	var n Next
	if err := d.decode(root, reflect.ValueOf(&n).Elem(), "a response"); err != nil {
		return nil, err
	}
	if reflect.ValueOf(n.Then).IsZero() {
		return nil, d.errorf(root, "the response is the one that comes anyway: use status, json, text, delay or fault")
	}
	if n.File != "" {
		return nil, d.errorf(root, "file %q: files can be named only in a configuration that is a file itself", n.File)
	}
	times := 1
	if n.Times != nil {
		times = *n.Times
	}
	if times < 1 || times > maxTimes {
		return nil, d.errorf(root, "times %d: use 1 to %d", times, maxTimes)
	}
	sc := &Scenario{Name: "next", Then: n.Then}
	if err := sc.check(); err != nil {
		return nil, d.errorf(root, "%s", err)
	}
	compiled, err := s.compileFor(o, sc)
	if err != nil {
		return nil, d.errorf(root, "%s", err)
	}
	return &parsedNext{compiled, times}, nil
}

// maxTimes is how many requests may get one response that was asked for ahead.
const maxTimes = 10_000

// Ahead has the next requests of a session get a response.
func (s *Server) ahead(session string, text json.RawMessage) error {
	var times int
	for _, o := range s.operations {
		next, err := s.parseNext(text, o)
		if err != nil {
			return err
		}
		times = next.times
	}
	return s.store.Ahead(session, text, times)
}
