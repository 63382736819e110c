package helppage

import (
	"fmt"
	"strings"

	"github.com/seed47566266/understudy/contracts"
)

// The Help Page calls a type and its nullable form by one word. Its sample shows
// more, because of how the generator of samples (ObjectGenerator in the Help Page
// package) works:
//
//   - Each object gets a generator of its own with a sample index, from 1.
//   - Each field of a simple type takes the next index, in the page's order, and
//     strings and numbers show it: "sample string 3", 5.0.
//   - A nullable field is made by a new generator: it shows index 1 and takes no
//     index from the sequence.
//
// So the indices that strings and numbers show bound how many fields before them
// are nullable. nullability finds every assignment that fits them; what all of
// them agree on is certain. Where they leave a choice, a field with Required is
// taken for the non-nullable one, because an author who writes Required on a value
// type means it to be there.

// nullability decides Nullable for every field of a model.
//
// State i is the number of indices taken before field i. reach are the states that
// the fields before i allow, and leads[i] those from which the fields from i on can
// be explained. An element's model has no table of its own, so that the lack of
// Required means nothing there.
func (r *reader) nullability(model *contracts.Model, members []member, element bool) {
	n := len(model.Fields)
	steps := func(i int) (counted, fresh bool, index int) {
		f := &model.Fields[i]
		if f.Type.Element != nil {
			return false, true, 0
		}
		index = members[i].index
		// A string is a reference: always counted. A value type is counted, or
		// nullable and then shows 1 if it shows anything.
		return true, f.Type.Kind != contracts.KindString && index <= 1, index
	}
	after := func(i int, states map[int]bool, take, skip bool) map[int]bool {
		counted, fresh, index := steps(i)
		out := map[int]bool{}
		for s := range states {
			if take && counted && (index == 0 || index == s+1) {
				out[s+1] = true
			}
			if skip && fresh {
				out[s] = true
			}
		}
		return out
	}
	leads := make([]map[int]bool, n+1)
	leads[n] = map[int]bool{}
	for s := 0; s <= n; s++ {
		leads[n][s] = true
	}
	for i := n - 1; i >= 0; i-- {
		leads[i] = map[int]bool{}
		for s := 0; s <= n; s++ {
			if overlap(after(i, map[int]bool{s: true}, true, true), leads[i+1]) {
				leads[i][s] = true
			}
		}
	}
	states := map[int]bool{0: true} // given the choices made so far
	reach := map[int]bool{0: true}  // given none
	for i := range model.Fields {
		f, m := &model.Fields[i], members[i]
		fact := contracts.Fact{
			Source: contracts.SourceInferred,
			Line:   m.line + 1,
			Quote:  strings.TrimSpace(r.lines[m.line]),
		}
		mayCount := overlap(after(i, reach, true, false), leads[i+1])
		mayBeNull := overlap(after(i, reach, false, true), leads[i+1])
		reach = after(i, reach, true, true)
		switch {
		case f.Type.Kind == contracts.KindString:
			f.Type.Nullable = true
			fact.Because = "a string is a reference, which can always be null"
		case f.Type.Element != nil:
			f.Type.Nullable = true
			fact.Because = "a list is a reference, which can always be null"
		case !leads[0][0]:
			f.Type.Nullable = f.Required() == nil
			fact.Because = "the sample indices fit no run of the generator; " + byRequired(f)
		case mayCount && !mayBeNull:
			f.Type.Nullable = false
			fact.Because = "the sample indices fit only if it takes one"
			if index := m.index; index > 0 {
				fact.Because = fmt.Sprintf("the sample shows index %d; a nullable field would show 1", index)
			}
		case mayBeNull && !mayCount:
			f.Type.Nullable = true
			fact.Because = "the sample indices fit only if it takes none"
			if m.index == 1 {
				fact.Because = "the sample shows 1, the index of a nullable field; the sample indices are past it"
			}
		default:
			f.Type.Nullable = f.Required() == nil && !element
			fact.Because = room(model, members, i) + byRequired(f)
			if element {
				fact.Because = "the sample indices leave it open, and the page does not show the element's " +
					"annotations; it is taken to be a plain value type"
			}
			if !overlap(after(i, states, !f.Type.Nullable, f.Type.Nullable), leads[i+1]) {
				f.Type.Nullable = !f.Type.Nullable
				fact.Because = "the sample indices require it, with what was settled for the fields before it"
			}
		}
		f.Type.NullableFact = fact
		if f.Type.Kind.IsReference() {
			states = after(i, states, true, true)
		} else {
			states = after(i, states, !f.Type.Nullable, f.Type.Nullable)
		}
	}
}

// room describes between which sample indices field i stands and how many fields
// between them took one.
func room(model *contracts.Model, members []member, i int) string {
	anchor := func(j int) bool {
		return model.Fields[j].Type.Kind == contracts.KindString || members[j].index > 1
	}
	before, after := i-1, i+1
	for before >= 0 && !anchor(before) {
		before--
	}
	for after < len(members) && !anchor(after) {
		after++
	}
	if after == len(members) {
		return "no sample index after it settles it; "
	}
	taken := members[after].index - 1
	if before >= 0 {
		taken -= members[before].index
		return fmt.Sprintf("the sample indices, %d at %s and %d at %s, leave %d for the fields between; ",
			members[before].index, members[before].name, members[after].index, members[after].name, taken)
	}
	return fmt.Sprintf("the sample index %d at %s leaves %d for the fields before it; ",
		members[after].index, members[after].name, taken)
}

func byRequired(f *contracts.Field) string {
	switch {
	case f.Type.Kind == contracts.KindString:
		return "a string is a reference, which can always be null"
	case f.Required() != nil:
		return "Required on a value type means a non-nullable one"
	}
	return "a value type without Required is taken to be nullable"
}

func overlap(a, b map[int]bool) bool {
	for s := range a {
		if b[s] {
			return true
		}
	}
	return false
}
