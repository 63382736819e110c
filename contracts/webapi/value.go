package webapi

import "github.com/seed47566266/understudy/contracts/webapi/dotnet"

// value is one field of a bound model.
type value struct {
	present bool // not null
	seen    bool // the body has it
	guid    dotnet.GUID
	date    dotnet.DateTime
	decimal dotnet.Decimal
	integer int32
	text    []byte
	items   [][]value // elements of a list; nil is a null element
}

func (v *value) clear() { v.present, v.items = false, v.items[:0] }

// keep holds on to elements that were appended to a list that was there before.
func (v *value) keep(list [][]value) {
	if v.present {
		v.items = list
	}
}

// newValues returns n empty fields.
func (c *call) newValues(n int) []value {
	if len(c.values)+n > cap(c.values) {
		// Models that were handed out keep the old arena alive.
		c.values = make([]value, 0, max(2*cap(c.values), 4*n, 32))
	}
	at := len(c.values)
	c.values = c.values[:at+n]
	values := c.values[at : at+n : at+n]
	for i := range values {
		values[i] = value{items: values[i].items[:0]}
	}
	return values
}
