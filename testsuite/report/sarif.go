package report

import (
	"encoding/json"
	"strings"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/fixtures"
	"github.com/seed47566266/understudy/testsuite"
)

// sarif is SARIF 2.1.0, for the tools that show findings beside code. The place of
// a finding is the line of the page that the target breaks.
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
	for i := range r.Cases {
		x := &r.Cases[i]
		var level string
		switch {
		case x.Verdict == testsuite.VerdictFail && counts(r, x.Level):
			level = "error"
		case x.Verdict == testsuite.VerdictFail, x.Level == fixtures.LevelMust && undetermined(x):
			level = "warning"
		case x.Verdict == testsuite.VerdictKnownFailure:
			level = "note"
		default:
			continue
		}
		finding := object{
			"ruleId":    x.Rule.String(),
			"ruleIndex": add(x),
			"level":     level,
			"message": object{
				"text": string(x.Level) + " " + sarifText(x.ID+": "+x.Reason) + ". " + sarifText(
					x.Why,
				) + " Expected: " + x.Expected + ". Got: " + sarifText(x.Got) + ".",
			},
			"locations": []object{{"physicalLocation": object{
				"artifactLocation": object{"uri": "help-page.txt"}, "region": object{"startLine": max(x.Line, 1)},
			}}},
			"partialFingerprints": object{"understudyCase/v1": x.ID},
			"properties":          object{"case": x.ID, "level": x.Level, "basis": x.LevelBasis, "change": x.Change},
		}
		if x.Verdict == testsuite.VerdictKnownFailure {
			finding["suppressions"] = []object{{"kind": "external", "justification": x.Known}}
		}
		results = append(results, finding)
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
