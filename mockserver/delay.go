package mockserver

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// MaxDelay is the longest delay of a response: servers end a response that takes longer
// than their write time-out, which is 60 s for "understudy serve".
const MaxDelay = 50 * time.Second

// Delay is how long a response is held back: Min, or up to Max where that is more, or
// log-normal about Median. It is never longer than MaxDelay.
type Delay struct {
	// Min and Max are the bounds of a uniform delay; Max 0 is Min.
	Min, Max time.Duration
	// LogNormal, unless nil, is the distribution in place of the uniform one.
	LogNormal *LogNormal
}

// LogNormal is how response times of real servers spread: most near the median, a few
// far above.
type LogNormal struct {
	// Median is the time that half of the delays are below.
	Median time.Duration `yaml:"median" doc:"half of the delays are below"`
	// Sigma is the standard deviation of the logarithm; 0.5 has one in twenty above 2.3
	// times the median.
	Sigma float64 `yaml:"sigma" doc:"standard deviation of the logarithm, 0 to 5"`
	// Max cuts longer delays; 0 is MaxDelay.
	Max time.Duration `yaml:"max" doc:"longer delays are cut to this"`
}

const delaySyntax = "a delay is a time such as 300ms or 300 (milliseconds), a range such as 300ms..900ms, " +
	"uniform: {min, max} or lognormal: {median, sigma, max}"

// ParseDelay reads a time or a range of times: 300ms, 300ms..900ms. A number alone is of
// milliseconds.
func ParseDelay(text string) (Delay, error) {
	var d Delay
	from, to, isRange := strings.Cut(text, "..")
	var err error
	if d.Min, err = parseTime(from); err == nil && isRange {
		d.Max, err = parseTime(to)
	}
	if err == nil && isRange && d.Max < d.Min {
		err = fmt.Errorf("the range ends before it begins")
	}
	if err != nil {
		return Delay{}, fmt.Errorf("invalid delay %q: %s", text, delaySyntax)
	}
	return d, d.check()
}

func parseTime(text string) (time.Duration, error) {
	if n, err := strconv.ParseUint(text, 10, 31); err == nil {
		return milliseconds(int(n)), nil
	}
	return time.ParseDuration(text)
}

// milliseconds is a time; of a number that is too large one that no check passes.
func milliseconds(n int) time.Duration {
	return time.Duration(min(n, int(2*MaxDelay/time.Millisecond))) * time.Millisecond
}

func (d *Delay) check() error {
	longest := max(d.Min, d.Max)
	if l := d.LogNormal; l != nil {
		longest = max(l.Median, l.Max)
		if l.Median <= 0 || l.Sigma < 0 || l.Sigma > 5 {
			return fmt.Errorf("a log-normal delay needs a median above 0 and a sigma of 0 to 5")
		}
	}
	if d.Min < 0 || longest > MaxDelay {
		return fmt.Errorf("invalid delay: use 0s to %s, which is below the write time-out", MaxDelay)
	}
	return nil
}

func (d *Delay) decode(dec *decoder, n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		parsed, err := ParseDelay(n.Value)
		if err != nil {
			return dec.errorf(n, "%s", err)
		}
		*d = parsed
		return nil
	}
	var long struct {
		Fixed   time.Duration `yaml:"fixed" doc:"always this"`
		Uniform *struct {
			Min time.Duration `yaml:"min" doc:"shortest"`
			Max time.Duration `yaml:"max" doc:"longest"`
		} `yaml:"uniform" doc:"any between two, all as likely"`
		LogNormal *LogNormal `yaml:"lognormal" doc:"most near the median, a few far above"`
	}
	if err := dec.decodeStruct(n, reflect.ValueOf(&long).Elem(), "a delay"); err != nil {
		return err
	}
	if len(n.Content) != 2 {
		return dec.errorf(n, "a delay has one of fixed, uniform and lognormal")
	}
	*d = Delay{Min: long.Fixed, LogNormal: long.LogNormal}
	if u := long.Uniform; u != nil {
		d.Min, d.Max = u.Min, u.Max
		if u.Max < u.Min {
			return dec.errorf(n, "uniform: max is below min")
		}
	}
	if err := d.check(); err != nil {
		return dec.errorf(n, "%s", err)
	}
	return nil
}

func (d *Delay) encode() any {
	switch {
	case d.LogNormal != nil:
		return map[string]any{"lognormal": encode(reflect.ValueOf(*d.LogNormal))}
	case d.Max > d.Min:
		return d.Min.String() + ".." + d.Max.String()
	}
	return d.Min.String()
}

func (*Delay) schema() any {
	return anyOf(
		map[string]any{"type": "integer", "minimum": 0, "description": "milliseconds"},
		map[string]any{
			"type": "string", "description": delaySyntax,
			"pattern": `^([0-9]+|([0-9.]+[a-zµ]+)+)(\.\.([0-9]+|([0-9.]+[a-zµ]+)+))?$`,
		},
		object(map[string]any{
			"fixed":     duration("always this"),
			"uniform":   object(map[string]any{"min": duration("shortest"), "max": duration("longest")}),
			"lognormal": structSchema(reflect.TypeFor[LogNormal]()),
		}))
}

// draw is one delay.
func (d *Delay) draw(random *rand.Rand) time.Duration {
	switch l := d.LogNormal; {
	case l != nil:
		longest := MaxDelay
		if l.Max > 0 {
			longest = l.Max
		}
		drawn := float64(l.Median) * math.Exp(l.Sigma*random.NormFloat64())
		return time.Duration(min(drawn, float64(longest)))
	case d.Max > d.Min:
		return d.Min + time.Duration(random.Int64N(int64(d.Max-d.Min)+1))
	}
	return d.Min
}

// sleep waits, unless the client leaves or the mock closes first.
func (s *Server) sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-s.closing:
	}
}
