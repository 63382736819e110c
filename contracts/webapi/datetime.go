package webapi

import (
	"time"
	_ "time/tzdata" // a zone must mean the same on every machine
)

// dateTime is System.DateTime: ticks of 100 ns since 0001-01-01 as the clock of
// its kind shows them.
type dateTime struct {
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

// timeZone is the server's local time.
type timeZone struct {
	loc *time.Location
	utc bool // no offset ever
}

func loadTimeZone(name string) (*timeZone, error) {
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, err
	}
	return &timeZone{loc: loc, utc: loc == time.UTC}, nil
}

// offsetAt is the offset in force at a moment of UTC, in ticks.
func (z *timeZone) offsetAt(utc int64) (offset int64, daylight bool) {
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
func (z *timeZone) local(utc int64) dateTime {
	offset, daylight := z.offsetAt(utc)
	return dateTime{ticks: min(max(utc+offset, 0), maxTicks), kind: dateLocal, daylight: daylight}
}

// offsetOf is the offset of a local time: the standard one where the clock
// shows it twice, unless it is marked, or never.
func (z *timeZone) offsetOf(d dateTime) int64 {
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
func (d dateTime) date() (year, month, day int) {
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

func (d dateTime) appendClock(out []byte) []byte {
	s := int(d.ticks / ticksPerSecond % 86400)
	out = append(appendTwo(out, s/3600), ':')
	out = append(appendTwo(out, s/60%60), ':')
	return appendTwo(out, s%60)
}

// general is DateTime.ToString() in the invariant culture.
func (d dateTime) general() string {
	year, month, day := d.date()
	out := append(appendTwo(nil, month), '/')
	out = append(appendTwo(out, day), '/')
	out = append(appendTwo(appendTwo(out, year/100), year%100), ' ')
	return string(d.appendClock(out))
}

// appendJSON writes ISO 8601 as Json.NET does: up to seven digits of a
// fraction without trailing zeros, and the zone by kind.
func (d dateTime) appendJSON(out []byte, zone *timeZone) []byte {
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

// dateToken is what Json.NET makes of a string before anyone asks for a date:
// ISO 8601 with a time, or "/Date(…)/". escaped says the string had escapes.
func (r *reader) dateToken(s []byte, escaped bool) (dateTime, bool, *fault) {
	if len(s) < 9 {
		return dateTime{}, false, nil
	}
	if s[0] == '/' {
		if string(s[:6]) != "/Date(" || string(s[len(s)-2:]) != ")/" {
			return dateTime{}, false, nil
		}
		d, ok, inRange := parseMicrosoftDate(s, r.zone, escaped)
		if !inRange {
			// The exception of DateTime's constructor has no place in the text.
			r.exc = fault{why: faultConvert, message: "Ticks must be between DateTime.MinValue.Ticks and DateTime.MaxValue.Ticks.\nParameter name: ticks"}
			return dateTime{}, false, &r.exc
		}
		return d, ok, nil
	}
	if s[0] < '0' || s[0] > '9' || len(s) < 19 || len(s) > 40 || s[10] != 'T' {
		return dateTime{}, false, nil
	}
	d, ok := parseISO(s, r.zone)
	return d, ok, nil
}

func digits(s []byte, at, n int) (int, bool) {
	if at+n > len(s) {
		return 0, false
	}
	v := 0
	for _, c := range s[at : at+n] {
		if c < '0' || c > '9' {
			return 0, false
		}
		v = v*10 + int(c-'0')
	}
	return v, true
}

// parseISO is Json.NET's reading of yyyy-MM-ddTHH:mm:ss[.fffffff][zone]. A time
// with an offset becomes local time.
func parseISO(s []byte, zone *timeZone) (d dateTime, ok bool) {
	year, okY := digits(s, 0, 4)
	month, okM := digits(s, 5, 2)
	day, okD := digits(s, 8, 2)
	hour, okH := digits(s, 11, 2)
	minute, okMin := digits(s, 14, 2)
	second, okS := digits(s, 17, 2)
	if !okY || !okM || !okD || !okH || !okMin || !okS ||
		s[4] != '-' || s[7] != '-' || s[10] != 'T' || s[13] != ':' || s[16] != ':' ||
		hour > 24 || minute > 59 || second > 59 || hour == 24 && minute+second != 0 {
		return d, false
	}
	ticks, ok := dateTicks(year, month, day)
	if !ok {
		return d, false
	}
	ticks += int64(hour)*ticksPerHour + int64(minute)*ticksPerMinute + int64(second)*ticksPerSecond
	at := 19
	if at < len(s) && s[at] == '.' {
		fraction, n := 0, 0
		for at++; at < len(s) && n < 7 && s[at] >= '0' && s[at] <= '9'; at++ {
			fraction = fraction*10 + int(s[at]-'0')
			n++
		}
		if n == 0 {
			return d, false
		}
		for ; n < 7; n++ {
			fraction *= 10
		}
		if hour == 24 && fraction != 0 {
			return d, false
		}
		ticks += int64(fraction)
	}
	if hour == 24 && ticks > maxTicks {
		return d, false
	}
	d.ticks = ticks
	if at == len(s) {
		return d, true
	}
	sign := s[at]
	if sign == 'Z' || sign == 'z' {
		d.kind = dateUTC
		return d, at+1 == len(s)
	}
	var zoneHour, zoneMinute int
	if zoneHour, ok = digits(s, at+1, 2); ok && (sign == '+' || sign == '-') {
		at += 3
	} else {
		sign = 0
	}
	if at < len(s) && s[at] == ':' {
		at++
	}
	if m, ok := digits(s, at, 2); ok {
		zoneMinute = m
		at += 2
	}
	if at != len(s) {
		return d, false
	}
	if sign == 0 {
		return d, true
	}
	offset := int64(zoneHour)*ticksPerHour + int64(zoneMinute)*ticksPerMinute
	if sign == '+' {
		offset = -offset
	}
	utc := ticks + offset
	if utc < 0 || utc > maxTicks {
		utc += zone.offsetOf(d)
		return dateTime{ticks: min(max(utc, 0), maxTicks), kind: dateLocal}, true
	}
	return zone.local(utc), true
}

// parsePointWithoutDigits is what the exact format that Json.NET tries first,
// yyyy-MM-ddTHH:mm:ss.FFFFFFFK, takes and nothing else does: a point without digits.
// K is nothing, Z, or a sign with hours and minutes.
func parsePointWithoutDigits(s []byte, zone *timeZone) (d dateTime, ok bool) {
	if len(s) < 20 || len(s) > 40 || s[10] != 'T' || s[19] != '.' {
		return d, false
	}
	k := s[20:]
	switch {
	case len(k) == 0 || string(k) == "Z":
	case len(k) != 5 && (len(k) != 6 || k[3] != ':') || k[0] != '+' && k[0] != '-':
		return d, false
	default:
		_, okH := digits(k, 1, 2)
		_, okM := digits(k, len(k)-2, 2)
		if !okH || !okM {
			return d, false
		}
	}
	return parseISO(append(append(make([]byte, 0, 40), s[:19]...), k...), zone)
}

// parseMicrosoftDate reads /Date(milliseconds[±hhmm])/. The offset only makes
// the time local.
func parseMicrosoftDate(s []byte, zone *timeZone, escaped bool) (d dateTime, ok, inRange bool) {
	end := len(s) - 2
	kind := dateUTC
	signAt := -1
	for i := 7; i < len(s)-1 && signAt < 0; i++ {
		if s[i] == '+' {
			signAt = i
		}
	}
	for i := 7; i < len(s)-1 && signAt < 0; i++ {
		if s[i] == '-' {
			signAt = i
		}
	}
	if signAt >= 0 {
		kind = dateLocal
		if _, ok := digits(s, signAt+1, 2); !ok {
			return d, false, true
		}
		// The framework looks for minutes only in text that it copied because
		// of an escape; its index is off in other text.
		if escaped && len(s)-signAt > 5 {
			if _, result := parseDigits(s[signAt+3:signAt+5], 32); result != parseOK {
				return d, false, true
			}
		}
		end = signAt
	}
	ms, result := parseDigits(s[6:end], 64)
	if result != parseOK {
		return d, false, true
	}
	ticks := ms*10000 + unixEpochTicks // wraps around as the framework's does
	if ticks < 0 || ticks > maxTicks {
		return d, false, false
	}
	if kind == dateLocal {
		return zone.local(ticks), true, true
	}
	return dateTime{ticks: ticks, kind: dateUTC}, true, true
}
