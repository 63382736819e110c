package webapi

// parseDateText stub
func parseDateText(s []byte, zone *timeZone, roundtrip bool) (dateTime, bool) {
	if len(s) == 10 && s[4] == '-' && s[7] == '-' {
		y, ok1 := digits(s, 0, 4)
		m, ok2 := digits(s, 5, 2)
		d, ok3 := digits(s, 8, 2)
		t, ok := dateTicks(y, m, d)
		return dateTime{ticks: t}, ok && ok1 && ok2 && ok3
	}
	return dateTime{}, false
}
