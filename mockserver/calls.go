package mockserver

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Calls are numbers of calls. They are counted per session, and per value of Key, from 1.
type Calls struct {
	// First is the first call; 0 is 1.
	First int
	// Last is the last call; 0 is no end.
	Last int
	// Every N leaves out all but one of N calls: N, 2N, 3N, or from First on; 0 is 1.
	Every int
	// Key are fields: calls with other values are counted apart.
	Key []string
}

const callsSyntax = "a call is a number such as 2, a range such as 2.. or 2..5, every 3, or every 3 of 2.."

func (c *Calls) decode(d *decoder, n *yaml.Node) error {
	if n.Kind == yaml.MappingNode {
		var long struct {
			Calls *Calls   `yaml:"calls" doc:"number of the call, e.g. 2, 2.., 2..5 or every 3"`
			Key   []string `yaml:"key" doc:"fields: calls with other values are counted apart"`
		}
		if err := d.decodeStruct(n, reflect.ValueOf(&long).Elem(), "call"); err != nil {
			return err
		}
		if long.Calls == nil {
			return d.errorf(n, "call needs the key calls: %s", callsSyntax)
		}
		*c = *long.Calls
		c.Key = long.Key
		return nil
	}
	parsed, err := parseCalls(n.Value)
	if err != nil || n.Kind != yaml.ScalarNode {
		return d.errorf(n, "invalid call %q: %s", n.Value, callsSyntax)
	}
	*c = parsed
	return nil
}

func parseCalls(text string) (Calls, error) {
	number := func(text string) (int, error) {
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil || n < 1 {
			return 0, fmt.Errorf("invalid number %q", text)
		}
		return int(n), nil
	}
	var c Calls
	var err error
	if every, found := strings.CutPrefix(text, "every "); found {
		n, of, isPart := strings.Cut(every, " of ")
		if isPart {
			if c, err = parseCalls(of); err != nil || c.Every > 0 {
				return c, fmt.Errorf("invalid range %q", of)
			}
		}
		c.Every, err = number(n)
		return c, err
	}
	first, last, isRange := strings.Cut(text, "..")
	if first != "" || !isRange {
		if c.First, err = number(first); err != nil {
			return c, err
		}
	}
	switch {
	case !isRange:
		c.Last = c.First
	case last != "":
		if c.Last, err = number(last); err == nil && c.Last < c.First {
			err = fmt.Errorf("the range ends before it begins")
		}
	}
	return c, err
}

func (c *Calls) encode() any {
	first := c.First
	if first == 0 && c.Every == 0 {
		first = 1
	}
	text := ".."
	if first > 0 {
		text = strconv.Itoa(first) + text
	}
	switch {
	case c.First == c.Last && c.First > 0:
		text = strconv.Itoa(c.First)
	case c.Last > 0:
		text += strconv.Itoa(c.Last)
	}
	if c.Every > 0 {
		text = strings.TrimSuffix("every "+strconv.Itoa(c.Every)+" of "+text, " of ..")
	}
	if len(c.Key) == 0 {
		return text
	}
	return map[string]any{"calls": text, "key": c.Key}
}

func (*Calls) schema() any {
	calls := map[string]any{
		"type":    []string{"string", "integer"},
		"pattern": `^(every [0-9]+|(every [0-9]+ of )?([0-9]*\.\.[0-9]*|[0-9]+))$`,
	}
	return anyOf(calls, object(map[string]any{
		"calls": calls, "key": names("fields: calls with other values are counted apart"),
	}, "calls"))
}

// Limit holds for requests past a quota: a bucket of Burst tokens that fills at Requests
// per Per.
type Limit struct {
	// Requests and Per are the pace: so many in this time.
	Requests int
	Per      time.Duration
	// Burst is how many may come at once; 0 is Requests.
	Burst int
	// Key are fields: requests with other values have a quota of their own.
	Key []string
}

const limitSyntax = "a limit is a number of requests per s, m or h, such as 5/s"

func (l *Limit) decode(d *decoder, n *yaml.Node) error {
	var long struct {
		Rate  string   `yaml:"rate" doc:"requests per s, m or h, e.g. 5/s"`
		Burst int      `yaml:"burst" doc:"how many may come at once"`
		Key   []string `yaml:"key" doc:"fields: requests with other values have a quota of their own"`
	}
	if n.Kind != yaml.MappingNode {
		long.Rate = n.Value
	} else if err := d.decodeStruct(n, reflect.ValueOf(&long).Elem(), "limit"); err != nil {
		return err
	}
	requests, unit, _ := strings.Cut(long.Rate, "/")
	number, err := strconv.ParseInt(requests, 10, 32)
	per := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}[unit]
	if err != nil || number < 1 || per == 0 || number > 1_000_000 {
		return d.errorf(n, "invalid limit %q: %s", long.Rate, limitSyntax)
	}
	*l = Limit{Requests: int(number), Per: per, Burst: long.Burst, Key: long.Key}
	if l.Burst == 0 {
		l.Burst = l.Requests
	}
	return nil
}

func (l *Limit) encode() any {
	unit := map[time.Duration]string{time.Second: "s", time.Minute: "m", time.Hour: "h"}[l.Per]
	out := map[string]any{"rate": strconv.Itoa(l.Requests) + "/" + unit, "burst": l.Burst}
	if len(l.Key) > 0 {
		out["key"] = l.Key
	}
	return out
}

func (*Limit) schema() any {
	rate := map[string]any{"type": "string", "pattern": "^[0-9]+/[smh]$"}
	return anyOf(rate, object(map[string]any{
		"rate": rate, "burst": map[string]any{"type": "integer", "minimum": 1},
		"key": names("fields: requests with other values have a quota of their own"),
	}, "rate"))
}
