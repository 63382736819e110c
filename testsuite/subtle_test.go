//go:build !race

package testsuite_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/fixtures"
	"github.com/seed47566266/understudy/testsuite"
)

// subtle is the plain server with a fault that no case of the catalogue meets: it shows with
// some values alone, or with fields that stand together.
type subtle struct {
	name string
	// look is what the server makes of a body: a status, or 0 for what the plain one does with
	// what look left of it.
	look func(m map[string]any) int
}

func text(m map[string]any, name string) string {
	s, _ := m[name].(string)
	return s
}

func units(s string) int { return len(utf16.Encode([]rune(s))) }

func subtleServers() []subtle {
	number := func(m map[string]any, name string) (float64, string, bool) {
		n, ok := m[name].(json.Number)
		value, err := n.Float64()
		return value, string(n), ok && err == nil
	}
	dated := regexp.MustCompile(`^(\d{4}-(?:06|09|11))-31T`)
	seconds := regexp.MustCompile(`T\d\d:\d\d:3\d`)
	loose := regexp.MustCompile(`^([0-9a-fA-F]{8}-[0-9a-fA-F]{4}-)[0-9a-zA-Z]{4}(-[0-9a-fA-F]{4}-[0-9a-fA-F]{12})$`)
	return []subtle{
		{"a Reason of any length passes beside a Note", func(m map[string]any) int {
			if units(text(m, "Reason")) > 250 && text(m, "Note") != "" {
				m["Reason"] = "x"
			}
			return 0
		}},
		{"a Reason of 201 to 240 is rejected", func(m map[string]any) int {
			if n := units(text(m, "Reason")); n > 200 && n <= 240 {
				return http.StatusBadRequest
			}
			return 0
		}},
		{"a list of five to thirty is rejected", func(m map[string]any) int {
			if list, _ := m["Reasons"].([]any); len(list) >= 5 && len(list) <= 30 {
				return http.StatusBadRequest
			}
			return 0
		}},
		{"the fourth element and later ones are not looked at", func(m map[string]any) int {
			if list, _ := m["Reasons"].([]any); len(list) > 3 {
				m["Reasons"] = list[:3]
			}
			return 0
		}},
		{"the third group of a GUID may have any letters", func(m map[string]any) int {
			for name := range m {
				if parts := loose.FindStringSubmatch(text(m, name)); parts != nil {
					m[name] = parts[1] + "4000" + parts[2]
				}
			}
			return 0
		}},
		{"June, September and November have 31 days", func(m map[string]any) int {
			for _, name := range []string{"AppointmentOn", "SecondaryAppointmentOn"} {
				if value := text(m, name); value != "" {
					m[name] = dated.ReplaceAllString(value, "$1-30T")
				}
			}
			return 0
		}},
		{"the seconds from 30 to 39 are rejected", func(m map[string]any) int {
			if seconds.MatchString(text(m, "AppointmentOn")) {
				return http.StatusBadRequest
			}
			return 0
		}},
		{"no note, no documents and no reasons break it", func(m map[string]any) int {
			note, there := m["Note"]
			_, docs := m["DocIds"]
			if list, isList := m["Reasons"].([]any); there && note == nil && !docs && isList && len(list) == 0 {
				return http.StatusInternalServerError
			}
			return 0
		}},
		{"an amount from 1,000 to 4,999 with one place is rejected", func(m map[string]any) int {
			value, raw, ok := number(m, "PaidAmount")
			_, places, _ := strings.Cut(raw, ".")
			if ok && value >= 1000 && value < 5000 && len(places) == 1 && places != "0" {
				return http.StatusBadRequest
			}
			return 0
		}},
		{"a method from 100 to 900 is rejected", func(m map[string]any) int {
			if value, _, ok := number(m, "MethodId"); ok && value >= 100 && value <= 900 {
				return http.StatusBadRequest
			}
			return 0
		}},
	}
}

// handler is the server.
func (s subtle) handler() http.Handler {
	server := newPlain()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		var m map[string]any
		d := json.NewDecoder(bytes.NewReader(body))
		d.UseNumber()
		if r.Header.Get("Content-Type") == contracts.MediaJSON && d.Decode(&m) == nil && m != nil {
			if _, err := d.Token(); err == io.EOF && distinct(body) {
				if status := s.look(m); status != 0 {
					w.Header().Set("Content-Type", contracts.MediaJSON)
					w.WriteHeader(status)
					_, _ = w.Write([]byte(`{"Message":"The request is invalid."}`))
					return
				}
				if changed, err := json.Marshal(m); err == nil {
					body = changed
				}
			}
		}
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		r.Header.Set("Content-Length", strconv.Itoa(len(body)))
		server.ServeHTTP(w, r)
	})
}

// distinct reports an object that has no name twice, which a map would lose.
func distinct(body []byte) bool {
	d := json.NewDecoder(bytes.NewReader(body))
	if _, err := d.Token(); err != nil {
		return false
	}
	seen := map[string]bool{}
	for d.More() {
		name, err := d.Token()
		key, _ := name.(string)
		var value json.RawMessage
		if err != nil || seen[strings.ToLower(key)] || d.Decode(&value) != nil {
			return false
		}
		seen[strings.ToLower(key)] = true
	}
	return true
}

// TestRandomRequestsCatchWhatTheCatalogueDoesNot runs ten servers with a subtle fault: the
// catalogue passes each of them, 20,000 random requests catch at least eight.
func TestRandomRequestsCatchWhatTheCatalogueDoesNot(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes half a minute; make race runs it")
	}
	servers := subtleServers()
	require.Len(t, servers, 10)
	caught := 0
	for _, s := range servers {
		r := run(t, testsuite.Config{Target: testsuite.Target{Handler: s.handler()}})
		assert.Zero(t, r.Exit, "%s: the catalogue catches it: %s", s.name, r.Conclusion)
		r = run(t, testsuite.Config{Target: testsuite.Target{Handler: s.handler()}, Fuzz: 20_000})
		first := "not caught"
		if r.Exit == testsuite.ExitBroken {
			caught++
			f := r.Findings[0]
			first = f.Title
			if f.Least != nil {
				first += ": " + f.Least.Body.String()
			}
		}
		t.Logf("%-56s exit %d  %s", s.name, r.Exit, first)
	}
	assert.GreaterOrEqual(t, caught, 8)
}

// TestRandomRequestsFailNobodyWhoConforms sends them to servers that conform and have habits of
// their own: none of them breaks a stated rule.
func TestRandomRequestsFailNobodyWhoConforms(t *testing.T) {
	requests := 20_000
	if testing.Short() {
		requests = 2_000 // make race has them all
	}
	servers := map[string]*plain{"plain": newPlain()}
	for _, m := range mutants() {
		if m.habit {
			servers[m.name] = newPlain()
			m.breaks(servers[m.name])
		}
	}
	require.Greater(t, len(servers), 5)
	for name, server := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := run(t, testsuite.Config{Target: testsuite.Target{Handler: server}, Fuzz: requests})
			assert.Equal(t, requests, r.Fuzzed)
			for _, x := range r.Failed(fixtures.LevelMust) {
				assert.NotEqual(t, fixtures.FamilyFuzz, x.Family, "%s: %s: %s", x.ID, x.Why, x.Change)
			}
		})
	}
}
