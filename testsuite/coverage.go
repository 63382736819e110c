package testsuite

import (
	"fmt"
	"strings"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/fixtures"
)

// Side is whether a rule is obeyed or broken by a request.
type Side string

const (
	// Obeyed is tried with requests that have to be accepted.
	Obeyed Side = "obeyed"
	// Broken is tried with requests that have to be refused.
	Broken Side = "broken"
)

// Cell is one question of the coverage: was a rule tried, from one side, in one
// media type?
type Cell struct {
	Rule string `json:"rule"`
	// Stated says that the page states the rule; others are inferred.
	Stated bool   `json:"stated"`
	Line   int    `json:"line"`
	Text   string `json:"text"`
	Media  string `json:"media"`
	Side   Side   `json:"side"`
	// Pass and Fail count the cases that told, and Otherwise those of level SHOULD
	// that fail; Unconfirmed is of those that pass.
	Pass        int `json:"pass"`
	Fail        int `json:"fail"`
	Otherwise   int `json:"otherwise"`
	Unconfirmed int `json:"unconfirmed"`
	// Reason says why no case told. Possible is false where none can.
	Reason   string `json:"reason,omitempty"`
	Possible bool   `json:"possible"`
}

// Covered reports that a case told.
func (c *Cell) Covered() bool { return c.Pass+c.Fail+c.Otherwise > 0 }

type cellKey struct {
	rule, media string
	side        Side
}

func (r *run) coverage(results *Results, byID map[string]*exchange) []Cell {
	count := map[cellKey]*Cell{}
	at := func(k cellKey) *Cell {
		if count[k] == nil {
			count[k] = &Cell{}
		}
		return count[k]
	}
	for i := range results.Cases {
		x := &results.Cases[i]
		for _, k := range r.cellsOf(x, byID[x.Sends]) {
			cell := at(k)
			switch x.Verdict {
			case Pass, UnexpectedPass:
				cell.Pass++
				if !x.Confirmed {
					cell.Unconfirmed++
				}
			case Fail, KnownFailure:
				if x.Level == Must {
					cell.Fail++
				} else {
					cell.Otherwise++
				}
			default:
				cell.Reason = string(x.Verdict) + ": " + x.Reason
			}
		}
	}
	var all []Cell
	for _, rule := range r.contract.Rules() {
		for _, f := range r.contract.RequestFormats {
			for _, side := range []Side{Obeyed, Broken} {
				cell := *at(cellKey{rule.ID, f.MediaType, side})
				cell.Rule, cell.Stated, cell.Line, cell.Text = rule.ID, rule.Fact.Source == contracts.Stated, rule.Fact.Line, rule.Text
				cell.Media, cell.Side, cell.Possible = f.MediaType, side, true
				if cell.Covered() {
					cell.Reason = ""
				} else if why := r.impossible(&rule, f.MediaType, side); why != "" {
					cell.Reason, cell.Possible = why, false
				} else if strings.HasPrefix(rule.ID, "response/") {
					cell.Reason = "no answer that was looked at came in it"
				} else if cell.Reason == "" && results.stop != "" {
					cell.Reason = stoppedBefore
				} else if cell.Reason == "" {
					cell.Reason = "no case was chosen"
				}
				all = append(all, cell)
			}
		}
	}
	return all
}

// cellsOf are the cells that a case tells of.
func (r *run) cellsOf(x *Result, e *exchange) []cellKey {
	switch {
	case x.Aspect == Format && x.Verdict != Pass && x.Verdict != UnexpectedPass:
		return []cellKey{{x.Rule, firstJSON(r.contract), Obeyed}}
	case x.Aspect == Format:
		return []cellKey{{"response/" + mediaOf(e.answer.Header.Get("Content-Type")), firstJSON(r.contract), Obeyed}}
	case x.Aspect != Outcome || x.Level == May || e.request.Raw != nil:
		return nil
	case x.Expect == fixtures.Reject:
		return []cellKey{{x.Rule, x.Media, Broken}}
	}
	if x.Verdict != Pass && x.Verdict != UnexpectedPass {
		return []cellKey{{x.Rule, x.Media, Obeyed}} // of the others it tells nothing
	}
	var keys []cellKey
	seen := map[string]bool{}
	for _, rule := range obeys(r.contract, &e.request, x.Media) {
		if !seen[rule] {
			seen[rule] = true
			keys = append(keys, cellKey{rule, x.Media, Obeyed})
		}
	}
	return keys
}

// impossible says why no request can tell of a cell.
func (r *run) impossible(rule *contracts.Rule, media string, side Side) string {
	family, _, _ := strings.Cut(rule.ID, "/")
	field := r.contract.Body.Field(family)
	switch {
	case family == "response" && side == Broken:
		return "an answer's rule: a request cannot break it, and every answer looked at obeys it or fails"
	case family == "response" && media != firstJSON(r.contract):
		return "an answer's rule, listed with " + firstJSON(r.contract)
	case family == "request" && rule.ID != "request/"+media:
		return "a body has one media type"
	case (family == "method" || family == "route" || family == "request") && side == Broken && media != firstJSON(r.contract):
		return "broken once, with " + firstJSON(r.contract) + ": it is not about the body"
	case rule.ID == "body" && side == Broken && media != firstJSON(r.contract):
		return "broken once, with " + firstJSON(r.contract)
	case strings.HasSuffix(rule.ID, "/nullable") && media == formType:
		return "a form has no null"
	case strings.HasSuffix(rule.ID, "/nullable") && field != nil && field.Required != nil:
		return "Required decides: see " + family + "/required"
	case strings.HasSuffix(rule.ID, "/nullable") && side == Broken:
		return "null breaks nothing here, or the page leaves it open"
	case strings.HasSuffix(rule.ID, "/nullable"):
		return "null is asked for once, with " + firstJSON(r.contract) + ", or the page leaves it open"
	case media == formType && side == Broken && strings.HasSuffix(rule.ID, "/type") && field != nil && field.Kind == contracts.String:
		return "the values of a form are all text"
	case media == formType && field != nil && field.Items != nil:
		return fmt.Sprintf("the page does not say how a form spells %s", family)
	}
	return ""
}
