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
// them agree on is certain, and the rest is open. Of an open field the framework's
// reading needs a default: the assignment that fits and has the most fields with
// Required, then the most fields, not nullable.

// nullability decides Nullable for every field of a model.
//
// State i is the number of indices taken before field i. reach are the states that
// the fields before i allow, and best[i] the weight of the best assignment of the fields
// from i on, by state; a state without one leads nowhere.
func (r *reader) nullability(model *contracts.Model, members []member) {
	s := &solver{model: model, members: members}
	s.solve()
	fits := s.best[0][0] != impossible
	reach := map[int]bool{0: true} // whatever was chosen before
	state := 0                     // of the best assignment
	open := make([]bool, len(model.Fields))
	counted := make([]bool, len(model.Fields))
	for i := range model.Fields {
		f, m := &model.Fields[i], members[i]
		var mayCount, mayBeNull bool
		next := map[int]bool{}
		for from := range reach {
			if to, ok := s.take(i, from); ok && s.best[i+1][to] != impossible {
				mayCount, next[to] = true, true
			}
			if s.skips(i) && s.best[i+1][from] != impossible {
				mayBeNull, next[from] = true, true
			}
		}
		reach = next
		fact := contracts.Fact{
			Source: contracts.SourceInferred,
			Line:   m.line + 1,
			Quote:  strings.TrimSpace(r.lines[m.line]),
		}
		taken, takes := s.take(i, state)
		takes = takes && fits && s.best[i+1][taken] != impossible && s.best[i][state] == s.weight(i)+s.best[i+1][taken]
		if takes {
			state = taken
		}
		switch {
		case f.Type.Kind.IsReference():
			f.Type.Nullable = true
			fact.Because = "a " + f.Type.Kind.String() + " is a reference, which can always be null"
		case fits && mayCount && !mayBeNull:
			fact.Because = "the sample indices fit only if it takes one"
			if m.index > 1 {
				fact.Because = fmt.Sprintf("the sample shows index %d; a nullable field would show 1", m.index)
			}
			counted[i] = true
		case fits && mayBeNull && !mayCount:
			f.Type.Nullable = true
			fact.Because = "the sample indices fit only if it takes none"
			if m.index == 1 {
				fact.Because = "the sample shows 1, the index of a nullable field; the sample indices are past it"
			}
		default:
			open[i] = true
			f.Type.NullableOpen = true
			f.Type.Nullable = fits && !takes
		}
		f.Type.NullableFact = fact
	}
	for i := range model.Fields {
		f := &model.Fields[i]
		switch {
		case !open[i]:
		case !fits:
			f.Type.NullableFact.Because = "the sample indices fit no run of the generator; " + byDefault
		default:
			room := s.room(i, open, counted)
			f.Type.NullableOpen = !room.settled()
			f.Type.NullableFact.Because = room.String()
		}
	}
}

// byDefault is the reason for the default of an open field.
const byDefault = "it is taken to be not nullable"

// solver finds the assignments of nullability that fit a sample.
type solver struct {
	model   *contracts.Model
	members []member
	best    [][]int // by field and state
}

const (
	// impossible is the weight of a state from which no assignment fits.
	impossible = -1
	// weightRequired makes one field with Required count for more than all others.
	weightRequired = 1 << 16
)

func (s *solver) solve() {
	n := len(s.model.Fields)
	s.best = make([][]int, n+1)
	s.best[n] = make([]int, n+2)
	for i := n - 1; i >= 0; i-- {
		s.best[i] = make([]int, n+2)
		for state := range n + 1 {
			best := impossible
			if s.skips(i) {
				best = s.best[i+1][state]
			}
			if to, ok := s.take(i, state); ok && s.best[i+1][to] != impossible {
				best = max(best, s.weight(i)+s.best[i+1][to])
			}
			s.best[i][state] = best
		}
		s.best[i][n+1] = impossible
	}
}

// take is the state after a field that takes an index; a list takes none, and a field
// that shows an index takes that one.
func (s *solver) take(i, state int) (to int, ok bool) {
	f, index := &s.model.Fields[i], s.members[i].index
	return state + 1, f.Type.Element == nil && (index == 0 || index == state+1)
}

// skips reports a field that may take no index: a list, or a nullable value, which shows
// 1 if it shows anything. A string is a reference and always counted.
func (s *solver) skips(i int) bool {
	f := &s.model.Fields[i]
	return f.Type.Element != nil || f.Type.Kind != contracts.KindString && s.members[i].index <= 1
}

func (s *solver) weight(i int) int {
	if s.model.Fields[i].Required() != nil {
		return weightRequired
	}
	return 1
}

// room is the open fields between two sample indices, of which some take one.
type room struct {
	fields   []string
	required int // of them, with Required
	left     int // indices that they take
	bounded  bool
}

// room finds the fields that an open one shares indices with.
func (s *solver) room(i int, open, counted []bool) room {
	anchor := func(j int) bool {
		return s.model.Fields[j].Type.Kind == contracts.KindString || s.members[j].index > 1
	}
	before, after := i-1, i+1
	for before >= 0 && !anchor(before) {
		before--
	}
	for after < len(s.members) && !anchor(after) {
		after++
	}
	if after == len(s.members) {
		return room{}
	}
	r := room{left: s.members[after].index - 1, bounded: true}
	if before >= 0 {
		r.left -= s.members[before].index
	}
	for j := before + 1; j < after; j++ {
		switch {
		case counted[j]:
			r.left--
		case open[j]:
			r.fields = append(r.fields, s.model.Fields[j].Name)
			if s.model.Fields[j].Required() != nil {
				r.required++
			}
		}
	}
	return r
}

// settled reports that as many fields take an index as have Required.
func (r room) settled() bool { return r.bounded && r.left == r.required }

func (r room) String() string {
	if !r.bounded {
		return "no sample index after it settles it; " + byDefault
	}
	text := fmt.Sprintf("by the sample indices, %d of %s are not nullable, and ", r.left, strings.Join(r.fields, ", "))
	if r.settled() {
		return text + "as many have Required"
	}
	return text + "nothing shows which; those with Required, then the first, are taken to be the ones"
}
