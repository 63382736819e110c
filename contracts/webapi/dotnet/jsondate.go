package dotnet

// DateToken is what Json.NET makes of a string before anyone asks for a date: ISO
// 8601 with a time, or "/Date(…)/". ok is false for any other text, inRange for a
// moment that a DateTime cannot hold. escaped says that the string had escapes.
func DateToken(s []byte, zone *TimeZone, escaped bool) (d DateTime, ok, inRange bool) {
	if len(s) < 9 {
		return d, false, true
	}
	if s[0] == '/' {
		if string(s[:6]) != "/Date(" || string(s[len(s)-2:]) != ")/" {
			return d, false, true
		}
		return parseMicrosoftDate(s, zone, escaped)
	}
	if s[0] < '0' || s[0] > '9' || len(s) < 19 || len(s) > 40 || s[10] != 'T' {
		return d, false, true
	}
	d, ok = parseISO(s, zone)
	return d, ok, true
}

// ParseJSONDate is Json.NET's reading of a string as a date: DateTime.Parse, and one
// exact format that only it accepts.
func ParseJSONDate(s []byte, zone *TimeZone) (d DateTime, ok bool) {
	if d, ok = ParseDate(s, zone, true); !ok {
		d, ok = parsePointWithoutDigits(s, zone)
	}
	return d, ok
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
func parseISO(s []byte, zone *TimeZone) (d DateTime, ok bool) {
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
		return DateTime{ticks: min(max(utc, 0), maxTicks), kind: dateLocal}, true
	}
	return zone.local(utc), true
}

// parsePointWithoutDigits is what the exact format that Json.NET tries first,
// yyyy-MM-ddTHH:mm:ss.FFFFFFFK, takes and nothing else does: a point without digits.
// K is nothing, Z, or a sign with hours and minutes.
func parsePointWithoutDigits(s []byte, zone *TimeZone) (d DateTime, ok bool) {
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
func parseMicrosoftDate(s []byte, zone *TimeZone, escaped bool) (d DateTime, ok, inRange bool) {
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
			if _, result := ParseDigits(s[signAt+3:signAt+5], 32); result != OK {
				return d, false, true
			}
		}
		end = signAt
	}
	ms, result := ParseDigits(s[6:end], 64)
	if result != OK {
		return d, false, true
	}
	ticks := ms*10000 + unixEpochTicks // wraps around as the framework's does
	if ticks < 0 || ticks > maxTicks {
		return d, false, false
	}
	if kind == dateLocal {
		return zone.local(ticks), true, true
	}
	return DateTime{ticks: ticks, kind: dateUTC}, true, true
}
