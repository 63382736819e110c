//go:build !race

// The race detector makes each of these runs ten times slower and has the runs of
// the other tests to look at; "make test" runs this file without it.

package testsuite_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/fixtures"
	"github.com/seed47566266/understudy/testsuite"
)

// mutant is the plain server with one rule or duty broken.
type mutant struct {
	name   string
	breaks func(*plain)
	// habit marks what the page's words leave room for: it is caught at SHOULD.
	habit bool
	// field is what the first finding has to name; empty if the mutant is not about one.
	field string
}

func mutants() []mutant {
	var all []mutant
	add := func(name string, f func(*plain)) { all = append(all, mutant{name: name, breaks: f}) }
	habit := func(name string, f func(*plain)) { all = append(all, mutant{name: name, breaks: f, habit: true}) }
	for _, f := range newPlain().fields {
		name := f.name
		if f.required {
			add(name+" is not Required", func(p *plain) { p.field(name).required = false })
		} else {
			add(name+" is Required", func(p *plain) { p.field(name).required = true })
		}
		if f.kind != "string" || f.max == 0 {
			add(name+" is of any type", func(p *plain) { p.field(name).untyped = true })
		}
		if f.max > 0 {
			add(name+" may be one too long", func(p *plain) { p.field(name).max++ })
			add(name+" is one shorter", func(p *plain) { p.field(name).max-- })
			add(name+" has no bound", func(p *plain) { p.field(name).max = 0 })
			add(name+" has the other's bound", func(p *plain) { p.field(name).max = 1250 - p.field(name).max })
			add(name+" has at least 10", func(p *plain) { p.field(name).min = 10 })
			add(name+" is of any type", func(p *plain) { p.field(name).untyped = true })
		}
		for i := range all {
			if strings.HasPrefix(all[i].name, name+" ") {
				all[i].field = name
			}
		}
	}
	habit("lengths in characters", func(p *plain) { p.units = utf8.RuneCountInString })
	add("lengths in bytes", func(p *plain) { p.units = func(s string) int { return len(s) } })
	habit("lengths without white space at the ends",
		func(p *plain) { p.units = func(s string) int { return utf8.RuneCountInString(strings.TrimSpace(s)) } })
	add("lengths of the first line", func(p *plain) {
		p.units = func(s string) int {
			line, _, _ := strings.Cut(s, "\n")
			return len(utf16.Encode([]rune(line)))
		}
	})
	add("lengths without combining marks", func(p *plain) {
		p.units = func(s string) int {
			n := 0
			for _, r := range s {
				if !unicode.Is(unicode.Mn, r) {
					n += utf16.RuneLen(r)
				}
			}
			return n
		}
	})
	add("null passes for a value", func(p *plain) { p.nullPasses = true })
	like := func(name, kind string, accepts func(any) bool) {
		add(name, func(p *plain) {
			strict := newPlain()
			p.accepts = func(f *plainField, v any) bool {
				if f.kind == kind {
					return accepts(v)
				}
				return strict.fits(f, v)
			}
		})
	}
	matches := func(pattern string) func(any) bool {
		expression := regexp.MustCompile(pattern)
		return func(v any) bool {
			text, isText := v.(string)
			return isText && expression.MatchString(text)
		}
	}
	like("GUIDs are any 36 characters", "guid", matches(`^.{36}$`))
	like("GUIDs need no digits at the end", "guid", matches(`^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]*$`))
	like("GUIDs may be followed by more", "guid", matches(`^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}`))
	like("GUIDs have small letters only", "guid", matches(`^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$`))
	like("GUIDs are of version 4 only", "guid",
		matches(`^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-4[0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}$`))
	const date = `^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d`
	like("dates are any ten characters", "date", matches(`^.{10}`))
	like("dates have no calendar", "date", matches(`^\d{4}-\d\d-\d\d`))
	like("dates have 31 days a month", "date", matches(date))
	like("dates are in UTC only", "date", matches(date+`(\.\d+)?Z$`))
	like("dates have no fractions", "date", matches(date+`(Z|[-+]\d\d:\d\d)$`))
	like("numbers are taken for dates", "date",
		func(v any) bool { return fmt.Sprintf("%T", v) == "json.Number" || matches(date)(v) })
	number := func(pattern string) func(any) bool {
		expression := regexp.MustCompile(pattern)
		return func(v any) bool {
			n, isNumber := v.(json.Number)
			return isNumber && expression.MatchString(string(n))
		}
	}
	like("decimals are whole", "decimal", number(`^-?\d+$`))
	like("decimals have two places at most", "decimal", number(`^-?\d+(\.\d\d?)?$`))
	like("integers may have a fraction", "integer", number(`.`))
	like("integers have 16 bits", "integer", number(`^-?\d{1,4}$`))
	like("lists are one object", "list", func(v any) bool { _, ok := v.(map[string]any); return ok })
	like("lists may be an object", "list", func(v any) bool {
		_, object := v.(map[string]any)
		_, list := v.([]any)
		return object || list
	})
	like("lists hold anything", "list", func(v any) bool { _, list := v.([]any); return list })
	like("lists are looked at to the first element", "list", func(v any) bool {
		list, ok := v.([]any)
		return ok && (len(list) == 0 || newPlain().fits(&plainField{kind: "list"}, list[:1]))
	})
	like("strings are ASCII", "string", matches(`^[\x00-\x7F]{0,250}$`))
	like("strings are one line", "string", matches(`^.{0,250}$`))
	for media := range newPlain().media {
		add(media+" is not taken", func(p *plain) { delete(p.media, media) })
		add(media+" is not validated", func(p *plain) { p.unvalidated[media] = true })
	}
	habit("text/plain is read as JSON", func(p *plain) { p.media["text/plain"] = "json" })
	habit("XML is read as JSON", func(p *plain) { p.media["application/xml"] = "json" })
	habit("any media type is read as JSON", func(p *plain) { p.anyMedia = true })
	add("text/json is read as a form", func(p *plain) { p.media["text/json"] = "form" })
	add("a form is read as JSON", func(p *plain) { p.media["application/x-www-form-urlencoded"] = "json" })
	for _, status := range []int{301, 302, 401, 403, 404, 409, 418, 500, 503} {
		add(fmt.Sprintf("accepts with %d", status), func(p *plain) { p.accepted = status })
	}
	for _, status := range []int{200, 204, 302, 401, 403, 404, 409, 415, 418, 500, 503} {
		add(fmt.Sprintf("rejects with %d", status), func(p *plain) { p.rejected = status })
	}
	for _, m := range []string{"GET", "PUT", "PATCH", "DELETE"} {
		add(m+" does the same", func(p *plain) { p.methods = append(p.methods, m) })
	}
	add("any method does the same", func(p *plain) { p.anyMethod = true })
	add("a wrong method gets 200", func(p *plain) { p.wrong["method"] = 200 })
	add("a wrong method gets 500", func(p *plain) { p.wrong["method"] = 500 })
	add("a wrong media type gets 200", func(p *plain) { p.wrong["media"] = 200 })
	add("a wrong media type gets 500", func(p *plain) { p.wrong["media"] = 500 })
	for _, kind := range []string{"text/plain", "text/html", "application/xml", ""} {
		add("accepts in "+kind, func(p *plain) { p.acceptedType = kind })
		add("rejects in "+kind, func(p *plain) { p.rejectedType = kind })
	}
	add("accepts with half a body", func(p *plain) { p.acceptedBody = `{"booked":` })
	add("rejects with plain text that says it is JSON", func(p *plain) { p.rejectedBody = "no" })
	add("everything is accepted", func(p *plain) { p.everything = true })
	add("everything is rejected", func(p *plain) { p.nothing = true })
	add("one error is tolerated", func(p *plain) { p.tolerated = 1 })
	add("malformed JSON is accepted", func(p *plain) {
		p.repair = func(b []byte) []byte {
			if bytes.HasSuffix(bytes.TrimSpace(b), []byte("}")) {
				return b
			}
			return append(b, '}')
		}
	})
	replace := func(name, pattern, with string) {
		expression := regexp.MustCompile(pattern)
		add(name, func(p *plain) {
			p.repair = func(b []byte) []byte { return expression.ReplaceAll(b, []byte(with)) }
		})
	}
	replace("an equals sign is taken for a colon", `"=`, `":`)
	replace("backticks are taken for quotes", "`", `"`)
	replace("comments after # are skipped", `#[^\n]*\n`, "\n")
	replace("a call round the object is unwrapped", `^callback\((.*)\);$`, "$1")
	replace("a missing comma is put in", `" "`, `","`)
	replace("None is read as null", `None|NULL|Null`, `null`)
	replace("True is read as true", `True`, `true`)
	replace("an escape of JavaScript is read", `\\x41`, `A`)
	replace("an array is taken for its first element", `(?s)^\s*\[(.*)\]\s*$`, "$1")
	return all
}

// TestEveryMutantIsCaught breaks one rule at a time and asks the suite to notice.
// The matrix says by how many cases, and what the first finding calls it.
func TestEveryMutantIsCaught(t *testing.T) {
	all := mutants()
	require.GreaterOrEqual(t, len(all), 80)
	rows := make([]string, len(all))
	usual := map[string]bool{} // findings on the server that nothing was broken in
	for _, f := range run(t, testsuite.Config{Target: testsuite.Target{Handler: newPlain()}}).Findings {
		usual[f.ID] = true
	}
	t.Run("mutants", func(t *testing.T) {
		for i, m := range all {
			t.Run(m.name, func(t *testing.T) {
				t.Parallel()
				server := newPlain()
				m.breaks(server)
				level, parts := fixtures.LevelMust, []testsuite.Part(nil) // the others do not decide
				if m.habit {
					level, parts = fixtures.LevelShould, allParts
				}
				r := run(t, testsuite.Config{
					Target: testsuite.Target{Handler: server}, Selection: testsuite.Selection{Level: level},
					FailOn: parts,
				})
				if m.habit {
					require.Empty(t, r.Failed(fixtures.LevelMust), "the page does not forbid it")
				}
				require.NotZero(t, r.Exit, "it was not caught")
				first, fields := r.Stopped, []contracts.Path(nil)
				if i := slices.IndexFunc(r.Findings, func(f testsuite.Finding) bool { return !usual[f.ID] }); i >= 0 {
					first, fields = r.Findings[i].Title, r.Findings[i].Fields
					require.True(t, r.Findings[i].Counts)
				}
				if m.field != "" {
					require.Equal(t, []contracts.Path{contracts.Path(m.field)}, fields,
						"the first finding names what is broken")
					require.Contains(t, first, m.field)
				}
				_, cases := r.Problems()
				rows[i] = fmt.Sprintf("%-46s exit %d %4d  %s", m.name, r.Exit, cases, first)
			})
		}
	})
	rows = slices.DeleteFunc(rows, func(row string) bool { return row == "" }) // those that -run left out
	t.Logf("%-46s exit cases  the first finding\n%s", "mutant", strings.Join(rows, "\n"))
}
