package oracle

import (
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
)

var (
	isoDate = regexp.MustCompile(`^(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d):(\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)?)?$`)
	// otherDates are spellings that one reader or another takes for a date.
	otherDates = []*regexp.Regexp{
		regexp.MustCompile(`^\\?/Date\(-?\d+([+-]\d{4})?\)\\?/$`),
		regexp.MustCompile(`^\d{4}-\d\d-\d\d[Tt ]\d\d(:\d\d(:\d\d(\.\d*)?)?)?\s*([Zz]|[+-]\d\d:?(\d\d)?)?$`),
		regexp.MustCompile(`^\d{1,4}[-/. ]\d{1,2}([-/. ]\d{1,4})?([Tt ][0-9:. \t]*([Zz]|[+-][0-9:]+)?)?$`),
		// DateTime.Parse does not look at the character after an offset.
		regexp.MustCompile(`(?s)^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?[+-]\d\d?(:?\d{1,2})?.?$`),
		regexp.MustCompile(`^\d{8}(T\d{4}(\d\d)?(Z|[+-]\d{4})?)?$`),
		regexp.MustCompile(`^\d{4}-?W\d\d(-?\d)?$`),
		regexp.MustCompile(`^\d{4}-\d{3}$`),
		regexp.MustCompile(`^\d{1,2}-\d\d-\d\d(T\S+)?$`),
		regexp.MustCompile(`^\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4}([ T]\d{1,2}:\d\d(:\d\d)?( ?[AaPp][Mm])?)?$`),
		regexp.MustCompile(`^\d{4}-\d\d-\d\dT\S+\[[A-Za-z_/]+\]$`),
		regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)? [A-Z]{2,5}$`),
	}
	monthName = regexp.MustCompile(`(?i)\b(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\b`)
	// ofDates are the characters of dates, and digitsOfDates is how many digits the shortest has
	// with a year, a month and a day: 2026-6-10.
	ofDates = regexp.MustCompile(`^[-0-9/.,:+TtZz\x00\x09-\x0d\x{85}\p{Z}]+$`)
	digit   = regexp.MustCompile(`[0-9]`)
	// signedYear is a date of a year that four digits without a sign do not spell.
	signedYear = regexp.MustCompile(`^([+-]\d{4,6}|\d{5,6})-\d\d-\d\d(T\S+)?$`)
)

const digitsOfDates = 7

func readJSONDate(o *Oracle, f *fieldPlan, v *jsonValue) Expectation {
	switch v.kind {
	case isString:
		return readDate(o, f, v.text)
	case isNumber:
		return f.wrongType().WithLatitude(epoch)
	}
	return f.wrongType()
}

// readFormDate reads the value of a form, which has no spelling of JSON's own.
func readFormDate(o *Oracle, f *fieldPlan, s string) Expectation {
	if otherDates[0].MatchString(s) {
		return f.wrongType().WithLatitude("some readers of JSON take this spelling for a date")
	}
	return readDate(o, f, s)
}

// epoch is the argument of a server that takes a number for a date.
const epoch = "some servers read a number as the time since 1970"

func readDate(o *Oracle, f *fieldPlan, s string) Expectation {
	wrong := f.wrongType()
	// Some readers end a text at NUL.
	trimmed := strings.TrimRight(strings.TrimFunc(s, unicode.IsSpace), "\x00")
	if trimmed == "" {
		return f.blank()
	}
	if trimmed != s {
		if inner := readDate(o, f, trimmed); inner.Outcome != OutcomeReject {
			return f.unspecified("some readers trim white space and NUL around a date")
		}
		return wrong
	}
	if m := isoDate.FindStringSubmatch(s); m != nil {
		n := make([]int, 7)
		for i := 1; i <= 6; i++ {
			n[i], _ = strconv.Atoi(m[i]) // the pattern admits digits only
		}
		day := time.Date(n[1], time.Month(n[2]), n[3], 0, 0, 0, 0, time.UTC)
		switch {
		case n[1] == 0:
			return f.impossible("there is no year 0").WithLatitude("ISO 8601 has a year 0, and some calendars go by it")
		case day.Year() != n[1] || int(day.Month()) != n[2] || day.Day() != n[3],
			n[4] > 24, n[5] > 59, n[6] > 60, n[4] == 24 && n[5]+n[6] > 0:
			return f.impossible("there is no such day or time")
		case n[4] == 24 || n[6] == 60:
			return f.unspecified("the end of a day as 24:00 and leap seconds are not known everywhere")
		case len(m[7]) > 8:
			return f.unspecified("a fraction of more than seven digits is finer than a tick")
		case len(m[8]) > 1 && (m[8][1:3] > "14" || m[8][1:3] == "14" && m[8][4:] != "00" || m[8][4:] > "59"):
			return f.unspecified("an offset of more than 14 hours is none of a place")
		case n[1] < 1753 || s[:10] == "1753-01-01" || n[1] >= 9999:
			return f.unspecified("the page bounds no dates, but storage does")
		case n[1] >= o.lastYear:
			return f.unspecified("the date is far from the reference date: " + mayHaveRule)
		case s[:10] < o.today:
			return f.unspecified("the date is before the reference date: " + mayHaveRule)
		case m[8] == "" && len(s) > 10 && n[4] < 4 && day.Weekday() == time.Sunday:
			return f.unspecified("clocks change in nights before Sunday, and without an offset the time may not exist")
		case day.Weekday() == time.Saturday || day.Weekday() == time.Sunday:
			return o.accept().WithLatitude("it is a day of a weekend: " + mayHaveRule)
		case m[8] == "":
			return o.accept().
				WithLatitude("the page's sample has an offset, and RFC 3339 asks for a time and an offset")
		}
		return o.accept()
	}
	for i, pattern := range otherDates {
		if pattern.MatchString(s) {
			if i == 1 && impossibleClock(s) {
				return f.impossible("there is no such day or time")
			}
			return f.unspecified("the page names no form; some readers take this one")
		}
	}
	if monthName.MatchString(s) && digit.MatchString(s) {
		return f.unspecified("the page names no form; some readers take a month's name")
	}
	switch {
	case signedYear.MatchString(s):
		return wrong.WithLatitude("ISO 8601 has years before the first and, by agreement, of more than four digits")
	case isStrictNumber(s):
		return wrong.WithLatitude(epoch)
	case ofDates.MatchString(s) && len(digit.FindAllString(s, digitsOfDates)) == digitsOfDates:
		// They guess what digits mean by their number and what stands between them, and skip space,
		// commas, and letters that they know.
		return f.unspecified("the page names no form; lenient readers take many")
	}
	return wrong
}

// impossibleClock reports a date or time in ISO's order whose parts are out of
// range in every reading.
func impossibleClock(s string) bool {
	month, day := s[5:7], s[8:10]
	if month < "01" || month > "12" || day < "01" || day > "31" || s[:4] == "0000" {
		return true
	}
	hour := s[11:13]
	return hour > "24" || len(s) >= 16 && s[13] == ':' && s[14:16] > "59" ||
		len(s) >= 19 && s[16] == ':' && s[17:19] > "60"
}
