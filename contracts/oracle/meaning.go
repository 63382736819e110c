package oracle

import (
	"strings"
	"time"

	"github.com/seed47566266/understudy/contracts"
)

// farYears is how many years after the reference date a date may be before a server has
// reason to doubt it.
const farYears = 100

// mayHaveRule is the argument of a server that rejects what is odd and conforms.
const mayHaveRule = "the page states no rule for it, and the business may have one"

// combinations are the ways in which values may be odd together that the page's own
// sample does not show; those that it shows are allowed.
type combinations struct{ equalGUIDs, equalDates, unorderedDates bool }

func (o *Oracle) combinationsOf(sample []byte) combinations {
	found := &findings{}
	if v, err := parseJSON(sample); err == nil && v.kind == isObject {
		for _, x := range v.members {
			if f := o.model.field(x.name); f != nil && x.value.kind == isString {
				found.note(f, o.accept(), false, x.value.text)
			}
		}
	}
	return combinations{
		equalGUIDs:     o.equalGUIDs(found.values) == nil,
		equalDates:     o.unorderedDates(found.values, true) == nil,
		unorderedDates: o.unorderedDates(found.values, false) == nil,
	}
}

// readTogether reads values that are valid one by one. The page states no rule between
// fields, and a server may have one.
func (o *Oracle) readTogether(values map[*fieldPlan]string) Expectation {
	if f := o.equalGUIDs(values); f != nil && o.combined.equalGUIDs {
		return o.accept().WithLatitude("two fields have one GUID: " + mayHaveRule)
	}
	if f := o.unorderedDates(values, o.combined.equalDates); f != nil && o.combined.unorderedDates {
		return o.accept().WithLatitude("the second date is not after the first: " + mayHaveRule)
	}
	return o.accept()
}

// equalGUIDs is the second of two fields with one GUID; nil if there is none.
func (o *Oracle) equalGUIDs(values map[*fieldPlan]string) *fieldPlan {
	seen := map[string]bool{}
	for i := range o.model.fields {
		f := &o.model.fields[i]
		text := strings.ToLower(values[f])
		if f.Type.Kind != contracts.KindGUID || text == "" {
			continue
		}
		if seen[text] {
			return f
		}
		seen[text] = true
	}
	return nil
}

// unorderedDates is the first date that is not after the one before it; nil if there is
// none. The same text counts where equal dates do.
func (o *Oracle) unorderedDates(values map[*fieldPlan]string, equal bool) *fieldPlan {
	var last time.Time
	lastText := ""
	for i := range o.model.fields {
		f := &o.model.fields[i]
		text := values[f]
		if f.Type.Kind != contracts.KindDate || text == "" {
			continue
		}
		at, ok := instant(text)
		if !ok {
			continue
		}
		if lastText != "" && (equal || text != lastText) && !at.After(last) {
			return f
		}
		last, lastText = at, text
	}
	return nil
}

// instant is when a date of the certain form is; without an offset, in UTC.
func instant(text string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}
