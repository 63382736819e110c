package report

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/fixtures"
	"github.com/seed47566266/understudy/testsuite"
)

// sarif is SARIF 2.1.0, for the tools that show findings beside code: a result per
// finding. Its place is the line of the page that the target breaks.
func sarif(r *results) ([]byte, error) {
	type object = map[string]any
	rules := []object{}
	index := map[contracts.RuleID]int{}
	results := []object{}
	add := func(x *testsuite.Result) int {
		i, there := index[x.Rule]
		if !there {
			i = len(rules)
			index[x.Rule] = i
			description := x.Quote
			if description == "" {
				description = x.LevelBasis
			}
			rules = append(
				rules,
				object{
					"id":               x.Rule.String(),
					"shortDescription": object{"text": x.Rule.String()},
					"fullDescription":  object{"text": description},
				},
			)
		}
		return i
	}
	result := func(x *testsuite.Result, level, name, text string, cases []string) object {
		return object{
			"ruleId":    x.Rule.String(),
			"ruleIndex": add(x),
			"level":     level,
			"message":   object{"text": sarifText(text)},
			"locations": []object{{"physicalLocation": object{
				"artifactLocation": object{"uri": "help-page.txt"}, "region": object{"startLine": max(x.Line, 1)},
			}}},
			"partialFingerprints": object{"understudyFinding/v1": name},
			"properties":          object{"cases": cases, "level": x.Level, "basis": x.LevelBasis, "example": x.ID},
		}
	}
	for i := range r.Findings {
		f := &r.Findings[i]
		x, level := r.example(f), "warning"
		if x == nil {
			continue // a record that lacks the case
		}
		if f.Counts {
			level = "error"
		}
		text := fmt.Sprintf("%s %s; %s. As %s: %s Expected: %s. Got: %s.", f.Level, f.Title,
			plural(len(f.Cases), "case"), x.ID, x.Why, x.Expected, x.Got)
		name := f.Example + " " + string(f.Failure) // which neither its title nor its neighbours change
		results = append(results, result(x, level, name, text, f.Cases))
	}
	for _, l := range levels[:2] {
		for _, v := range verdicts {
			level := "warning"
			switch {
			case v == testsuite.VerdictKnownFailure:
				level = "note"
			case l != fixtures.LevelMust || !isUndetermined(v):
				continue
			}
			for _, g := range byReason(r, l, v) {
				x := g.Cases[0]
				text := fmt.Sprintf("%s %s: %s; %s", l, inWords[v], g.Reason, plural(len(g.Cases), "case"))
				finding := result(x, level, string(l)+" "+string(v)+" "+g.Reason, text, caseIDs(g.Cases))
				if v == testsuite.VerdictKnownFailure {
					finding["suppressions"] = []object{{"kind": "external", "justification": x.Known}}
				}
				results = append(results, finding)
			}
		}
	}
	for _, stale := range r.Stale {
		results = append(results, object{
			"ruleId": knownFile, "level": "error", "message": object{"text": sarifText(stale.Text)},
		})
	}
	b, err := json.MarshalIndent(object{
		"$schema": "https://json.schemastore.org/sarif-2.1.0.json",
		"version": "2.1.0",
		"runs": []object{
			{
				"tool": object{
					"driver": object{
						"name":            "understudy",
						"semanticVersion": semantic(r.Version),
						"language":        "en-US",
						"rules":           rules,
					},
				},
				"language":         "en-US",
				"newlineSequences": []string{"\r\n", "\n"},
				"invocations": []object{
					{
						"executionSuccessful": r.Exit <= testsuite.ExitBroken,
						"exitCode":            r.Exit,
						"exitCodeDescription": r.Conclusion,
						"startTimeUtc":        r.Started.Format("2006-01-02T15:04:05.000Z"),
					},
				},
				"results": results,
			},
		},
	}, "", " ")
	return append(b, '\n'), err
}

// sarifText is text without links: brackets make them (SARIF 2.1.0, section 3.11.6).
func sarifText(s string) string {
	return strings.NewReplacer(`\`, `\\`, "[", `\[`, "]", `\]`).Replace(testsuite.Visible(s))
}

// semantic is a version as SARIF asks for one.
func semantic(version string) string {
	if version == "" || version[0] < '0' || version[0] > '9' {
		return "0.0.0-" + version
	}
	return version
}
