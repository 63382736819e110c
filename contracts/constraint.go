package contracts

import "fmt"

// ConstraintKind names an annotation. It is the last part of its rule's id.
type ConstraintKind string

const (
	// ConstraintRequired is the annotation Required.
	ConstraintRequired ConstraintKind = "required"
	// ConstraintLength is the annotation StringLength.
	ConstraintLength ConstraintKind = "length"
)

// Constraint is one annotation of a field.
type Constraint struct {
	// Kind is the annotation.
	Kind ConstraintKind `json:"kind"`
	// Min is the least length, in UTF-16 code units (what .NET calls the length of a
	// string); 0 for other annotations.
	Min int `json:"min,omitempty"`
	// Max is the greatest length, in the same unit; 0 for other annotations.
	Max int `json:"max,omitempty"`
	// Fact is the origin of the annotation.
	Fact Fact `json:"fact"`
}

// String is the annotation in a few words, e.g. "0..250".
func (c *Constraint) String() string {
	if c.Kind == ConstraintLength {
		return fmt.Sprintf("%d..%d", c.Min, c.Max)
	}
	return "Required"
}

// sentence is the rule that the annotation makes for a field.
func (c *Constraint) sentence(field string) string {
	if c.Kind == ConstraintLength {
		return fmt.Sprintf("%s is %d to %d characters long.", field, c.Min, c.Max)
	}
	return field + " is required."
}

// TextLength is the length of a text in the unit of Min and Max: a character outside the
// basic plane is two.
func TextLength(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r > 0xFFFF {
			n++
		}
	}
	return n
}

// Required is the field's annotation Required; nil if it has none.
func (f *Field) Required() *Constraint { return f.constraint(ConstraintRequired) }

// Length is the field's annotation StringLength; nil if it has none.
func (f *Field) Length() *Constraint { return f.constraint(ConstraintLength) }

func (f *Field) constraint(kind ConstraintKind) *Constraint {
	for i := range f.Constraints {
		if f.Constraints[i].Kind == kind {
			return &f.Constraints[i]
		}
	}
	return nil
}
