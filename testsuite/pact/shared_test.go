//go:build pact || pactcommand

package pact_test

import (
	"bytes"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/helppage"
	"github.com/seed47566266/understudy/fixtures"
	"github.com/seed47566266/understudy/fixtures/export"
)

// exportedProvider is the provider of the pact that is exported.
const exportedProvider = "help-page"

func contract(t *testing.T) *contracts.Contract {
	t.Helper()
	c, err := helppage.Parse(contracts.Page())
	require.NoError(t, err)
	return c
}

// committedPact is the pact that the client's test writes.
func committedPact() string {
	return filepath.Join("..", "..", "contracts", "pacts", "booking-form-patient-appointments.json")
}

// all and few choose the cases of a pact that is exported, by number: every one, or three families
// of them, and every fifth of the others.
func all(int, *fixtures.Case) bool { return true }

func few(i int, c *fixtures.Case) bool {
	return i%5 == 0 || slices.Contains([]fixtures.Family{fixtures.FamilyRequired, fixtures.FamilyMedia,
		fixtures.FamilyLength}, c.Family)
}

// chosen are few of the cases in a short test, and all otherwise.
func chosen() func(int, *fixtures.Case) bool {
	if testing.Short() {
		return few
	}
	return all
}

// exportedPact is the file of the chosen cases with stated rules, and how many interactions it has.
func exportedPact(t *testing.T, chosen func(int, *fixtures.Case) bool) (file string, interactions int) {
	t.Helper()
	op := &contract(t).Operations[0]
	g, err := fixtures.New(op, fixtures.Options{})
	require.NoError(t, err)
	format, err := export.New("pact", op, export.Options{})
	require.NoError(t, err)
	rows := export.Rows{Generator: g}
	for i, c := range g.Cases() {
		if c.NotSent == "" && c.Level == fixtures.LevelMust && chosen(i, &c) {
			rows.Cases = append(rows.Cases, c)
		}
	}
	rows.Cases, _ = format.Carry(rows.Cases)
	require.Greater(t, len(rows.Cases), 300)
	var b bytes.Buffer
	n, err := format.Write(t.Context(), &b, &rows, nil)
	require.NoError(t, err)
	file = filepath.Join(t.TempDir(), "help-page.pact.json")
	require.NoError(t, os.WriteFile(file, b.Bytes(), 0o600))
	return file, int(n)
}

// encoded are fields as a form.
func encoded(fields map[string]string) string {
	form := url.Values{}
	for name, value := range fields {
		if value != "" {
			form.Set(name, value)
		}
	}
	return form.Encode()
}
