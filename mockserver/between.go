package mockserver

import (
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Between is a time of day, from one minute to before another. It goes past midnight where
// the second is the earlier one.
type Between struct {
	// From and To are minutes since midnight.
	From, To int
}

func (b *Between) decode(d *decoder, n *yaml.Node) error {
	from, to, _ := strings.Cut(n.Value, "..")
	minutes := func(text string) (int, error) {
		t, err := time.Parse("15:04", text)
		return t.Hour()*60 + t.Minute(), err
	}
	var err error
	if b.From, err = minutes(from); err == nil {
		b.To, err = minutes(to)
	}
	if err != nil || n.Kind != yaml.ScalarNode || b.From == b.To {
		return d.errorf(n, "invalid time of day %q: use two times such as 08:00..12:30", n.Value)
	}
	return nil
}

func (b *Between) encode() any {
	clock := func(minutes int) string {
		return time.Date(2000, 1, 1, 0, minutes, 0, 0, time.UTC).Format("15:04")
	}
	return clock(b.From) + ".." + clock(b.To)
}

func (*Between) schema() any {
	return map[string]any{"type": "string", "pattern": `^\d\d:\d\d\.\.\d\d:\d\d$`}
}

// betweenCondition holds at times of day of the server's time zone.
func (s *Server) betweenCondition(b Between) condition {
	return func(x *exchange) bool {
		t := x.began.In(s.zone)
		now := t.Hour()*60 + t.Minute()
		if b.From < b.To {
			return b.From <= now && now < b.To
		}
		return b.From <= now || now < b.To
	}
}
