package testsuite

import (
	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/oracle"
	"github.com/seed47566266/understudy/fixtures"
)

// The sides of a rule.
const (
	// sideObeyed is tried with requests that must be accepted.
	sideObeyed = "obeyed"
	// sideBroken is tried with requests that must be rejected.
	sideBroken = "broken"
)

// Cell is one question of the coverage: was a rule tried, from one side, in one
// media type?
type Cell struct {
	// Rule is the rule's id.
	Rule contracts.RuleID `json:"rule"`
	// Stated marks a rule that the page states; others are inferred.
	Stated bool `json:"stated"`
	// Line is the page's line of the rule.
	Line int `json:"line"`
	// Text is the rule in a sentence.
	Text string `json:"text"`
	// Media is the media type of the requests.
	Media string `json:"media"`
	// Side is "obeyed" or "broken".
	Side string `json:"side"`
	// Pass counts the conclusive cases that pass.
	Pass int `json:"pass"`
	// Fail counts the conclusive MUST cases that fail.
	Fail int `json:"fail"`
	// ShouldFail counts the conclusive SHOULD cases that fail.
	ShouldFail int `json:"shouldFail"`
	// Unconfirmed counts those of Pass whose control was not accepted.
	Unconfirmed int `json:"unconfirmed"`
	// Reason is why no case is conclusive; empty if one is.
	Reason string `json:"reason,omitempty"`
	// Possible is false where no case can be.
	Possible bool `json:"possible"`
}

// Covered reports whether a case was conclusive.
func (c *Cell) Covered() bool { return c.Pass+c.Fail+c.ShouldFail > 0 }

type cellKey struct {
	rule  contracts.RuleID
	media string
	side  string
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
			case VerdictPass, VerdictUnexpectedPass:
				cell.Pass++
				if !x.Confirmed {
					cell.Unconfirmed++
				}
			case VerdictFail, VerdictKnownFailure:
				if x.Level == fixtures.LevelMust {
					cell.Fail++
				} else {
					cell.ShouldFail++
				}
			default:
				cell.Reason = string(x.Verdict) + ": " + x.Reason
			}
		}
	}
	var all []Cell
	for i := range r.suite.rules {
		rule := &r.suite.rules[i]
		for _, f := range r.suite.operation.RequestFormats {
			for _, side := range []string{sideObeyed, sideBroken} {
				cell := *at(cellKey{rule.ID, f.MediaType, side})
				cell.Rule, cell.Line, cell.Text = rule.ID, rule.Fact.Line, rule.Text
				cell.Stated = rule.Fact.Source == contracts.SourceStated
				cell.Media, cell.Side, cell.Possible = f.MediaType, side, true
				if cell.Covered() {
					cell.Reason = ""
				} else if why := r.suite.impossible(rule.ID, f.MediaType, side); why != "" {
					cell.Reason, cell.Possible = why, false
				} else if rule.ID.Kind == contracts.RuleResponse {
					cell.Reason = "no response used this format"
				} else if cell.Reason == "" && results.stop != "" {
					cell.Reason = stoppedBefore
				} else if cell.Reason == "" {
					cell.Reason = "no case exists or was selected"
				}
				all = append(all, cell)
			}
		}
	}
	return all
}

// cellsOf are the cells that a case is conclusive for.
func (r *run) cellsOf(x *Result, e *exchange) []cellKey {
	passes := x.Verdict == VerdictPass || x.Verdict == VerdictUnexpectedPass
	switch {
	case x.Aspect == AspectFormat && !passes:
		return []cellKey{{x.Rule, r.suite.first, sideObeyed}}
	case x.Aspect == AspectFormat:
		media := mediaOf(e.response.header.Get("Content-Type"))
		return []cellKey{{contracts.RuleID{Kind: contracts.RuleResponse, Media: media}, r.suite.first, sideObeyed}}
	case x.Aspect != AspectOutcome || x.Level == fixtures.LevelMay || e.request.Raw != nil:
		return nil
	case x.Expect == oracle.OutcomeReject:
		return []cellKey{{x.Rule, x.Media, sideBroken}}
	case !passes:
		return []cellKey{{x.Rule, x.Media, sideObeyed}} // of the others it proves nothing
	}
	var keys []cellKey
	for _, rule := range x.obeys() {
		keys = append(keys, cellKey{rule, x.Media, sideObeyed})
	}
	return keys
}

// impossible is why no request can be conclusive for a cell; empty if one can.
func (s *Suite) impossible(id contracts.RuleID, media, side string) string {
	field := s.operation.Field(id.Path)
	form := media == contracts.MediaForm
	elsewhere := media != s.first
	switch id.Kind {
	case contracts.RuleResponse:
		switch {
		case side == sideBroken:
			return "a response's rule: a request cannot break it, and every response looked at obeys it or fails"
		case elsewhere:
			return "a response's rule, listed with " + s.first
		}
	case contracts.RuleRequest:
		if id.Media != media {
			return "a body has one media type"
		}
		fallthrough
	case contracts.RuleMethod, contracts.RuleRoute:
		if side == sideBroken && elsewhere {
			return "broken once, with " + s.first + ": it is not about the body"
		}
	case contracts.RuleBody:
		if side == sideBroken && elsewhere {
			return "broken once, with " + s.first
		}
	case contracts.RuleNullable:
		switch {
		case form:
			return "a form has no null"
		case field != nil && field.Required() != nil:
			return "Required decides: see " + contracts.RuleID{Path: id.Path, Kind: contracts.RuleRequired}.String()
		case side == sideBroken:
			return "null breaks nothing here, or the page leaves it open"
		}
		return "null is tried once, with " + s.first + ", or the page leaves it open"
	case contracts.RuleType:
		if form && side == sideBroken && field != nil && field.Type.Kind == contracts.KindString {
			return "the values of a form are all text"
		}
	}
	if list := s.listOf(id.Path); form && list != nil {
		return "the page does not say how a form spells " + list.Name
	}
	return ""
}

// listOf is the list that a path is, or stands in; nil if there is none.
func (s *Suite) listOf(path contracts.Path) *contracts.Field {
	for _, p := range s.operation.Places() {
		switch {
		case p.Path != path:
		case p.Field.Type.Element != nil:
			return p.Field
		case p.Parent != nil:
			return p.Parent.Field
		}
	}
	return nil
}
