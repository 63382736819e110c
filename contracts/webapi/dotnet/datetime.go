package dotnet

import (
	"time"
	_ "time/tzdata" // a zone must mean the same on every machine
)

// DateTime is System.DateTime: ticks of 100 ns since 0001-01-01 as the clock of
// its kind shows them.
type DateTime struct {
	ticks int64
	kind  dateKind
	// daylight marks a local time that occurs twice as the first of the two.
	daylight bool
}

type dateKind uint8

const (
	dateUnspecified dateKind = iota
	dateUTC
	dateLocal
)

const (
	ticksPerSecond = 10_000_000
	ticksPerMinute = 60 * ticksPerSecond
	ticksPerHour   = 60 * ticksPerMinute
	ticksPerDay    = 24 * ticksPerHour
	maxTicks       = 3155378975999999999 // 9999-12-31T23:59:59.9999999
	unixEpochTicks = 621355968000000000
)

// TimeZone is the server's local time.
type TimeZone struct {
	loc *time.Location
	utc bool // no offset ever
}

// LoadTimeZone finds a time zone by its IANA name.
func LoadTimeZone(name string) (*TimeZone, error) {
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, err
	}
	return &TimeZone{loc: loc, utc: loc == time.UTC}, nil
}

// offsetAt is the offset in force at a moment of UTC, in ticks.
func (z *TimeZone) offsetAt(utc int64) (offset int64, daylight bool) {
	if z.utc {
		return 0, false
	}
	seconds := (utc - unixEpochTicks) / ticksPerSecond
	if (utc-unixEpochTicks)%ticksPerSecond < 0 {
		seconds--
	}
	t := time.Unix(seconds, 0).In(z.loc)
	_, o := t.Zone()
	// .NET keeps offsets in whole minutes; local mean times have seconds.
	minutes := (o + 30) / 60
	if o < 0 {
		minutes = (o - 30) / 60
	}
	return int64(minutes) * ticksPerMinute, t.IsDST()
}

// local is DateTime.ToLocalTime of a moment of UTC.
func (z *TimeZone) local(utc int64) DateTime {
	offset, daylight := z.offsetAt(utc)
	return DateTime{ticks: min(max(utc+offset, 0), maxTicks), kind: dateLocal, daylight: daylight}
}

// offsetOf is the offset of a local time: the standard one where the clock
// shows it twice, unless it is marked, or never.
func (z *TimeZone) offsetOf(d DateTime) int64 {
	if z.utc {
		return 0
	}
	before, beforeDST := z.offsetAt(d.ticks - ticksPerDay)
	after, afterDST := z.offsetAt(d.ticks + ticksPerDay)
	if before == after {
		return before
	}
	at, _ := z.offsetAt(d.ticks - before)
	validBefore := at == before
	at, _ = z.offsetAt(d.ticks - after)
	validAfter := at == after
	switch {
	case validBefore && !validAfter:
		return before
	case validAfter && !validBefore:
		return after
	}
	if beforeDST == afterDST {
		return after
	}
	if (validBefore && d.daylight) == beforeDST {
		return before
	}
	return after
}

var daysBefore = [2][13]int{
	{0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365},
	{0, 31, 60, 91, 121, 152, 182, 213, 244, 274, 305, 335, 366},
}

func leap(year int) int {
	if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
		return 1
	}
	return 0
}

// dateTicks are the ticks of midnight; false for a date that is none.
func dateTicks(year, month, day int) (int64, bool) {
	if year < 1 || year > 9999 || month < 1 || month > 12 || day < 1 {
		return 0, false
	}
	days := &daysBefore[leap(year)]
	if day > days[month]-days[month-1] {
		return 0, false
	}
	y := year - 1
	return int64(y*365+y/4-y/100+y/400+days[month-1]+day-1) * ticksPerDay, true
}

// date splits ticks into year, month and day.
func (d DateTime) date() (year, month, day int) {
	n := int(d.ticks / ticksPerDay)
	y400 := n / 146097
	n -= y400 * 146097
	y100 := min(n/36524, 3)
	n -= y100 * 36524
	y4 := n / 1461
	n -= y4 * 1461
	y1 := min(n/365, 3)
	n -= y1 * 365
	year = y400*400 + y100*100 + y4*4 + y1 + 1
	days := &daysBefore[leap(year)]
	month = n>>5 + 1
	for n >= days[month] {
		month++
	}
	return year, month, n - days[month-1] + 1
}

func appendTwo(out []byte, v int) []byte {
	return append(out, byte('0'+v/10), byte('0'+v%10))
}

func (d DateTime) appendClock(out []byte) []byte {
	s := int(d.ticks / ticksPerSecond % 86400)
	out = append(appendTwo(out, s/3600), ':')
	out = append(appendTwo(out, s/60%60), ':')
	return appendTwo(out, s%60)
}

// General is DateTime.ToString() in the invariant culture.
func (d DateTime) General() string {
	year, month, day := d.date()
	out := append(appendTwo(nil, month), '/')
	out = append(appendTwo(out, day), '/')
	out = append(appendTwo(appendTwo(out, year/100), year%100), ' ')
	return string(d.appendClock(out))
}

// AppendJSON writes ISO 8601 as Json.NET does: up to seven digits of a
// fraction without trailing zeros, and the zone by kind.
func (d DateTime) AppendJSON(out []byte, zone *TimeZone) []byte {
	year, month, day := d.date()
	out = append(appendTwo(appendTwo(out, year/100), year%100), '-')
	out = append(appendTwo(out, month), '-')
	out = append(appendTwo(out, day), 'T')
	out = d.appendClock(out)
	if fraction := int(d.ticks % ticksPerSecond); fraction != 0 {
		out = append(out, '.')
		for digit := ticksPerSecond / 10; fraction > 0; digit /= 10 {
			out = append(out, byte('0'+fraction/digit))
			fraction %= digit
		}
	}
	switch d.kind {
	case dateUTC:
		out = append(out, 'Z')
	case dateLocal:
		minutes := int(zone.offsetOf(d) / ticksPerMinute)
		sign := byte('+')
		if minutes < 0 {
			sign, minutes = '-', -minutes
		}
		out = append(appendTwo(append(out, sign), minutes/60), ':')
		out = appendTwo(out, minutes%60)
	}
	return out
}
