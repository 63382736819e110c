package webapi

import (
	"strings"

	"github.com/seed47566266/understudy/contracts"
)

// Unknown is a name of the body that the page does not list.
type Unknown struct {
	// Pointer is the JSON pointer to the object that has it, of which the last name is left
	// out: empty for the body.
	Pointer string
	// Name is the client's own text.
	Name string
	// Model is the model that lacks it.
	Model *contracts.Model
}

// MaxUnknown is how many names a response lists.
const MaxUnknown = 8

// unlisted notes a name that a model lacks; pointer leads to the name itself.
func (c *call) unlisted(m *modelPlan, pointer, name string) {
	if len(c.unknown) < MaxUnknown {
		c.unknown = append(c.unknown, Unknown{pointer[:max(strings.LastIndexByte(pointer, '/'), 0)], name, m.fact})
	}
}

// unlistedKey notes a key of a form that leads to no field.
func (c *call) unlistedKey(key string) {
	m, pointer := c.e.root, ""
	for step := range strings.FieldsFuncSeq(key, func(r rune) bool { return r == '[' || r == ']' || r == '.' }) {
		i := -1
		if m != nil {
			i = m.find([]byte(step), 0)
		}
		switch {
		case i >= 0:
			pointer += "/" + m.fields[i].name
			m = m.fields[i].list // nil for a value, under which nothing is
		case m != nil && m != c.e.root && (step == "index" || strings.Contains(key, "["+step+"]")):
			// an element, by its index
		case m != nil:
			c.unlisted(m, pointer+"/", step)
			return
		default:
			return
		}
	}
}
