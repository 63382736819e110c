package contracts

import "fmt"

// Source is how a fact is known.
type Source string

const (
	// SourceStated marks facts that the page states.
	SourceStated Source = "stated"
	// SourceInferred marks facts that were concluded; Fact.Because has the reason.
	SourceInferred Source = "inferred"
)

// Fact is the origin of one thing that the contract knows.
type Fact struct {
	// Source is how it is known.
	Source Source `json:"source"`
	// Line is the line of the page, counted from 1.
	Line int `json:"line"`
	// Quote is that line without the table's bars and the white space around it.
	Quote string `json:"quote"`
	// Because is the reason of an inferred fact; empty for a stated one.
	Because string `json:"because,omitempty"`
}

// String is the origin in a few words, e.g. "page line 40".
func (f Fact) String() string {
	if f.Source == SourceInferred {
		return fmt.Sprintf("inferred, page line %d", f.Line)
	}
	return fmt.Sprintf("page line %d", f.Line)
}
