package helppage

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/seed47566266/understudy/contracts"
)

// annotations are the texts of annotations in the order in which the Help Page
// lists them: Required first, the rest by text. The page puts nothing but a space
// between two of them.
var annotations = []struct {
	kind contracts.ConstraintKind
	// text matches the annotation at the beginning of what is left; its groups are the
	// bounds, if it has some.
	text *regexp.Regexp
}{
	{contracts.ConstraintRequired, regexp.MustCompile(`^Required(?: |$)`)},
	{contracts.ConstraintLength, regexp.MustCompile(`^String length: inclusive between (\d+) and (\d+)$`)},
}

// constraints reads "None." or the annotations of a field on line at.
func (r *reader) constraints(f *contracts.Field, at int, text string) error {
	if text == "None." {
		return nil
	}
	for _, a := range annotations {
		match := a.text.FindStringSubmatch(text)
		if match == nil {
			continue
		}
		c := contracts.Constraint{Kind: a.kind, Fact: r.stated(at)}
		if len(match) > 1 {
			if err := r.bounds(f, &c, at, match[1], match[2]); err != nil {
				return err
			}
		}
		f.Constraints = append(f.Constraints, c)
		text = strings.TrimSpace(text[len(match[0]):])
	}
	if text != "" || len(f.Constraints) == 0 {
		return r.fail(
			at,
			"unknown annotation of %s; known are “None.”, “Required” and "+
				"“String length: inclusive between A and B”",
			f.Name,
		)
	}
	return nil
}

// bounds reads the bounds of a length.
func (r *reader) bounds(f *contracts.Field, c *contracts.Constraint, at int, low, high string) error {
	if f.Type.Kind != contracts.KindString {
		return r.fail(at, "a string length for %s, which is %s", f.Name, f.Type.Word())
	}
	from, errLow := strconv.ParseInt(low, 10, 32)
	to, errHigh := strconv.ParseInt(high, 10, 32)
	if errLow != nil || errHigh != nil {
		return r.fail(at, "a bound of the length of %s does not fit 32 bits", f.Name)
	}
	if from > to {
		return r.fail(at, "the bounds of the length of %s are reversed", f.Name)
	}
	c.Min, c.Max = int(from), int(to)
	return nil
}
