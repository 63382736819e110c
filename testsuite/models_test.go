//go:build !race

// The race detector makes each of these runs ten times slower and has the runs of the
// other tests to look at; "make race" runs this file without it.

package testsuite_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/mockserver"
	"github.com/seed47566266/understudy/testsuite"
)

// TestTheMockConformsWhateverTheModel puts models at random into the frame of the page:
// the mock, which is the framework's reading, gives the suite, which is the page's,
// nothing to say.
func TestTheMockConformsWhateverTheModel(t *testing.T) {
	models := 100
	if testing.Short() {
		models = 8 // make race runs them all
	}
	for seed := range models {
		t.Run(fmt.Sprintf("model %d", seed), func(t *testing.T) {
			t.Parallel()
			c := contract(t)
			model := randomModel(rand.New(rand.NewPCG(uint64(seed), 1)), c.Operations[0].Model().Fact)
			c.Operations[0].Body.Model = model
			c.Operations[0].Sample = nil
			mock, err := mockserver.New(c)
			require.NoError(t, err)
			s := suiteOf(t, c, testsuite.Payloads{Seed: uint64(seed)})
			r, err := s.Run(t.Context(), testsuite.Config{Target: testsuite.Target{Handler: mock}, FailOn: allParts})
			require.NoError(t, err)
			var problems []string
			for _, f := range r.Findings {
				problems = append(problems, fmt.Sprintf("%s %s, as %s", f.Level, f.Title, f.Example))
			}
			require.Equal(t, testsuite.ExitOK, r.Exit, "%s\n%s\n%s", r.Conclusion, strings.Join(problems, "\n"),
				outline(model))
		})
	}
}

// randomModel has one to twelve fields of every kind, some Required, some with a length.
func randomModel(r *rand.Rand, fact contracts.Fact) *contracts.Model {
	model := &contracts.Model{Name: "RandomModel", Fact: fact}
	for i := range 1 + r.IntN(12) {
		f := randomField(r, fact, fmt.Sprintf("Field%c", 'A'+i))
		if r.IntN(8) == 0 {
			elements := &contracts.Model{Name: "Line", Fact: fact}
			for j := range 1 + r.IntN(4) {
				elements.Fields = append(elements.Fields, randomField(r, fact, fmt.Sprintf("Part%c", 'A'+j)))
			}
			f.Constraints = nil
			if r.IntN(3) == 0 {
				f.Constraints = []contracts.Constraint{{Kind: contracts.ConstraintRequired, Fact: fact}}
			}
			f.Type = contracts.Type{
				Kind: contracts.KindList, Fact: fact, Nullable: true, NullableFact: fact,
				Element: &contracts.Type{
					Kind: contracts.KindModel, Fact: fact, Nullable: true, NullableFact: fact, Model: elements,
				},
			}
		}
		model.Fields = append(model.Fields, f)
	}
	return model
}

func randomField(r *rand.Rand, fact contracts.Fact, name string) contracts.Field {
	kinds := []contracts.Kind{
		contracts.KindGUID, contracts.KindDate, contracts.KindString, contracts.KindDecimal, contracts.KindInteger,
	}
	f := contracts.Field{Name: name}
	f.Type = contracts.Type{Kind: kinds[r.IntN(len(kinds))], Fact: fact, NullableFact: fact}
	f.Type.Nullable = f.Type.Kind.IsReference() || r.IntN(2) == 0
	f.Type.NullableOpen = !f.Type.Kind.IsReference() && r.IntN(4) == 0
	if r.IntN(3) == 0 {
		f.Constraints = append(f.Constraints, contracts.Constraint{Kind: contracts.ConstraintRequired, Fact: fact})
	}
	if f.Type.Kind == contracts.KindString && r.IntN(2) == 0 {
		longest := []int{1, 5, 40, 250, 4000}[r.IntN(5)]
		f.Constraints = append(f.Constraints, contracts.Constraint{
			Kind: contracts.ConstraintLength, Min: r.IntN(2) * r.IntN(longest), Max: longest, Fact: fact,
		})
	}
	return f
}

// outline is a model in a line per field.
func outline(m *contracts.Model) string {
	var b strings.Builder
	for i := range m.Fields {
		f := &m.Fields[i]
		fmt.Fprintf(&b, "%s %s nullable=%t open=%t", f.Name, f.Type.Kind, f.Type.Nullable, f.Type.NullableOpen)
		for j := range f.Constraints {
			fmt.Fprintf(&b, " %s", f.Constraints[j].String())
		}
		b.WriteByte('\n')
		if elements := f.Elements(); elements != nil {
			b.WriteString(" " + strings.ReplaceAll(outline(elements), "\n", "\n "))
		}
	}
	return b.String()
}
