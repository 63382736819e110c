package dotnet

import (
	"math"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
)

// This file is DateTime.Parse in the invariant culture: the many spellings of a
// date that .NET takes where a string is not ISO 8601. It walks the text token
// by token; each token with the separator after it moves an automaton whose
// accepting states say how the numbers collected so far make a date or a time.

// dateStep is a token together with what follows it.
type dateStep uint8

const (
	stepEnd dateStep = iota
	stepNumberEnd
	stepNumberAMPM
	stepNumberSpace
	stepNumberDateSep
	stepNumberTimeSep
	stepMonthEnd
	stepMonthSpace
	stepMonthDateSep
	stepNumberDateSuffix
	stepNumberTimeSuffix
	stepDayOfWeek
	stepYearSpace
	stepYearDateSep
	stepYearEnd
	stepZone
	stepEra
	stepCount
	stepIgnored   // the token means nothing by itself
	stepLocalMark // a number and T, as in ISO 8601
)

// dateState is a state of the automaton. The invalid one and the accepting ones,
// after which it begins again, come last.
type dateState uint8

const (
	stateBegin dateState = iota
	stateNumber
	stateTwoNumbers
	stateNumberSep
	stateDateNumbers
	stateTwoNumbersSep
	stateMonth
	stateMonthNumber
	stateNumberMonth
	stateMonthNumberSep
	stateNumberSuffix
	stateYear
	stateYearNumber
	stateYearNumberSep
	stateYearMonth
	stateYearMonthSep
	stateDateSuffix
	stateTimeSuffix
	stateTime
	stateTimeTwo
	stateInvalid
	// The accepting states.
	acceptTwoNumbers
	acceptThreeNumbers
	acceptMonthNumber
	acceptNumberMonth
	acceptMonthNumbers
	acceptSuffixed
	acceptSuffixedNumber
	acceptNumberSuffixed
	acceptNumbersSuffixed
	acceptYearNumbers
	acceptYearMonthNumber
	acceptYearNumber
	acceptYearMonth
	acceptHour
	acceptHourMinute
	acceptHourMinuteSecond
	acceptTimeSuffixed
	acceptNumbersYear
)

// dateSteps is what follows each state with each step. Within it a number is n, a year
// (a number of three digits or more) y, a month's name m, a number of a time t; d is
// a date by its separators, and Sep means that a date separator follows.
var dateSteps = func() [stateInvalid][stepCount]dateState {
	const (
		begin          = stateBegin
		n              = stateNumber
		nn             = stateTwoNumbers
		nSep           = stateNumberSep
		dNN            = stateDateNumbers
		nnSep          = stateTwoNumbersSep
		m              = stateMonth
		mn             = stateMonthNumber
		nm             = stateNumberMonth
		mnSep          = stateMonthNumberSep
		nSuffix        = stateNumberSuffix
		y              = stateYear
		yn             = stateYearNumber
		ynSep          = stateYearNumberSep
		ym             = stateYearMonth
		ymSep          = stateYearMonthSep
		dateSuffix     = stateDateSuffix
		timeSuffix     = stateTimeSuffix
		tN             = stateTime
		tNN            = stateTimeTwo
		bad            = stateInvalid
		isNN           = acceptTwoNumbers
		isNNN          = acceptThreeNumbers
		isMN           = acceptMonthNumber
		isNM           = acceptNumberMonth
		isMNN          = acceptMonthNumbers
		isSuffixed     = acceptSuffixed
		isSuffixedN    = acceptSuffixedNumber
		isNSuffixed    = acceptNumberSuffixed
		isNNSuffixed   = acceptNumbersSuffixed
		isYNN          = acceptYearNumbers
		isYMN          = acceptYearMonthNumber
		isYN           = acceptYearNumber
		isYM           = acceptYearMonth
		isTimeN        = acceptHour
		isTimeNN       = acceptHourMinute
		isTimeNNN      = acceptHourMinuteSecond
		isTimeSuffixed = acceptTimeSuffixed
		isNNY          = acceptNumbersYear
	)
	return [stateInvalid][stepCount]dateState{
		begin: {
			begin, bad, isTimeN, n, nSep, tN, bad, m, m,
			dateSuffix, timeSuffix, begin, y, y, bad, begin, begin,
		},
		n: {bad, isNN, bad, nn, nnSep, bad, isNM, nm, mnSep, nSuffix, bad, n, yn, ynSep, isYN, n, n},
		nn: {
			isNN, isNNN, isTimeN, isNNN, bad, tN, isMNN, isMNN, bad,
			bad, timeSuffix, nn, isNNY, bad, isNNY, nn, nn,
		},
		nSep: {bad, isNN, bad, dNN, nnSep, bad, isNM, mn, mnSep, bad, bad, nSep, yn, ynSep, isYN, bad, nSep},
		dNN: {
			isNN, isNNN, isTimeN, isNNN, bad, tN, isMNN, isMNN, bad,
			isSuffixed, timeSuffix, dNN, isNNY, bad, isNNY, bad, dNN,
		},
		nnSep: {
			bad, isNNN, isNNN, isNNN, bad, bad, isMNN, isMNN, bad,
			isSuffixed, bad, nnSep, isNNY, bad, isNNY, bad, nnSep,
		},
		m: {bad, isMN, bad, mn, mnSep, bad, bad, bad, bad, bad, bad, m, ym, ymSep, isYM, bad, m},
		mn: {
			isMN, isMNN, isMNN, isMNN, bad, tN, bad, bad, bad,
			isSuffixed, timeSuffix, mn, isYMN, bad, isYMN, bad, mn,
		},
		nm: {
			isNM, isMNN, isMNN, isMNN, bad, tN, bad, bad, bad,
			isSuffixed, timeSuffix, nm, isYMN, bad, isYMN, bad, nm,
		},
		mnSep: {
			bad, isMNN, bad, isMNN, bad, bad, bad, bad, bad,
			bad, bad, mnSep, isYMN, bad, isYMN, bad, mnSep,
		},
		nSuffix: {
			isNSuffixed, isNNSuffixed, isNNSuffixed, isNNSuffixed, bad, tN, bad, bad, bad,
			nSuffix, timeSuffix, nSuffix, bad, bad, bad, bad, nSuffix,
		},
		y:     {bad, isYN, bad, yn, ynSep, bad, isYM, ym, ymSep, ym, bad, y, bad, bad, bad, bad, y},
		yn:    {isYN, isYNN, isYNN, isYNN, bad, bad, isYMN, isYMN, bad, bad, bad, yn, bad, bad, bad, bad, yn},
		ynSep: {bad, isYNN, isYNN, isYNN, bad, bad, isYMN, isYMN, bad, bad, bad, yn, bad, bad, bad, bad, yn},
		ym:    {isYM, isYMN, isYMN, isYMN, bad, bad, bad, bad, bad, bad, bad, ym, bad, bad, bad, bad, ym},
		ymSep: {bad, isYMN, isYMN, isYMN, bad, bad, bad, bad, bad, bad, bad, ym, bad, bad, bad, bad, ym},
		dateSuffix: {
			isSuffixed, isSuffixedN, isTimeN, tN, bad, tN, bad, bad, bad,
			dateSuffix, timeSuffix, dateSuffix, bad, bad, bad, bad, dateSuffix,
		},
		timeSuffix: {
			isTimeSuffixed, isTimeSuffixed, isTimeSuffixed, tN, nSep, bad, bad, bad, bad,
			dateSuffix, timeSuffix, timeSuffix, bad, bad, bad, timeSuffix, timeSuffix,
		},
		tN: {
			bad, isTimeNN, isTimeNN, isTimeNN, bad, tNN, isNM, nm, bad,
			bad, timeSuffix, bad, bad, bad, bad, tN, tN,
		},
		tNN: {
			bad, isTimeNNN, isTimeNNN, isTimeNNN, bad, bad, bad, bad, bad,
			bad, timeSuffix, tNN, bad, bad, bad, tNN, tNN,
		},
	}
}()

// dateWord is a word of the invariant culture, in lower case.
type dateWord struct {
	units []uint16
	kind  wordKind
	value int
}

type wordKind uint8

const (
	wordNone wordKind = iota
	wordMonth
	wordDay
	wordAMPM
	wordZone
	wordEra
	wordIgnored
	wordDateSep
	wordTimeSep
	wordDateOrOffset
	wordLocalMark
	wordDateSuffix
	wordTimeSuffix
)

// The words that may stand by themselves, and those that may follow a number or
// a month, by their first character. AM and PM are in both.
var (
	dateWords = func() wordTable {
		t := wordTable{}
		for i := time.January; i <= time.December; i++ {
			t.add(wordMonth, int(i), i.String(), i.String()[:3])
		}
		for i := time.Sunday; i <= time.Saturday; i++ {
			t.add(wordDay, int(i), i.String(), i.String()[:3])
		}
		t.add(wordAMPM, 0, "AM")
		t.add(wordAMPM, 1, "PM")
		t.add(wordZone, 0, "GMT", "Z")
		t.add(wordEra, 1, "A.D.", "AD")
		t.add(wordIgnored, 0, ",", ".")
		return t
	}()
	separators = func() wordTable {
		t := wordTable{}
		t.add(wordDateSep, 0, "/")
		t.add(wordTimeSep, 0, ":")
		t.add(wordDateOrOffset, 0, "-")
		t.add(wordLocalMark, 0, "T")
		t.add(wordAMPM, 0, "AM")
		t.add(wordAMPM, 1, "PM")
		t.add(wordDateSuffix, suffixYear, "年", "년")
		t.add(wordDateSuffix, suffixMonth, "月", "월")
		t.add(wordDateSuffix, suffixDay, "日", "일")
		t.add(wordTimeSuffix, suffixHour, "時", "时")
		t.add(wordTimeSuffix, suffixMinute, "分")
		t.add(wordTimeSuffix, suffixSecond, "秒")
		return t
	}()
)

type wordTable map[uint16][]dateWord

func (t wordTable) add(kind wordKind, value int, texts ...string) {
	for _, text := range texts {
		w := dateWord{utf16.Encode([]rune(strings.ToLower(text))), kind, value}
		t[w.units[0]] = append(t[w.units[0]], w)
	}
}

const (
	suffixYear = iota
	suffixMonth
	suffixDay
	suffixHour
	suffixMinute
	suffixSecond
)

// dateScanner holds the text and what was found in it so far.
type dateScanner struct {
	s    []uint16
	i    int
	zone *TimeZone

	numbers   [3]int
	count     int
	rawYear   int // -1 until there is one
	rawMonth  int
	weekday   int
	pm        int // -1 unknown, 0 AM, 1 PM
	fraction  float64
	suffixed  [6]bool
	year      int // -1 until settled
	month     int
	day       int
	hour      int
	minute    int
	second    int
	haveDate  bool
	haveTime  bool
	offset    int64
	hasOffset bool
	utc       bool
}

// now is the clock that a date without a year and a time without a date take
// the rest from, as the framework does.
var now = time.Now

// ParseDate reads a date as DateTime.Parse does. keepUTC is
// DateTimeStyles.RoundtripKind: a time in UTC stays so, where otherwise every
// time with an offset becomes local.
func ParseDate(text []byte, zone *TimeZone, keepUTC bool) (DateTime, bool) {
	if len(text) == 0 {
		return DateTime{}, false
	}
	d := dateScanner{s: utf16.Encode([]rune(string(text))), zone: zone, rawYear: -1, rawMonth: -1, weekday: -1, pm: -1,
		fraction: -1, year: -1, month: -1, day: -1}
	state, accepted := stateBegin, false
	for {
		step, ok := d.step(state)
		if !ok {
			return DateTime{}, false
		}
		if step == stepLocalMark {
			if state != stateYearNumber && state != stateYearNumberSep {
				return DateTime{}, false
			}
			return d.isoTime(keepUTC)
		}
		if step < stepCount {
			if state = dateSteps[state][step]; state == stateInvalid {
				return DateTime{}, false
			}
			if state > stateInvalid {
				if !d.settle(state) {
					return DateTime{}, false
				}
				d.count = 0
				accepted = true
				state = stateBegin
			}
		}
		if step == stepEnd || step == stepNumberEnd || step == stepMonthEnd {
			break
		}
	}
	if !accepted {
		return DateTime{}, false
	}
	switch {
	case d.pm == 0 && d.hour > 12, d.pm == 1 && d.hour > 23:
		return DateTime{}, false
	case d.pm == 0 && d.hour == 12:
		d.hour = 0
	case d.pm == 1 && d.hour < 12:
		d.hour += 12
	}
	timeOnly := d.year == -1 && d.month == -1 && d.day == -1
	if d.year == -1 || d.month == -1 || d.day == -1 {
		today := now().In(zone.loc)
		if timeOnly {
			d.month, d.day = int(today.Month()), today.Day()
		}
		if d.year == -1 {
			d.year = today.Year()
		}
		d.month, d.day = max(d.month, 1), max(d.day, 1)
	}
	return d.finish(keepUTC, timeOnly)
}

// finish puts date, time and offset together.
func (d *dateScanner) finish(keepUTC, timeOnly bool) (DateTime, bool) {
	ticks, ok := dateTicks(d.year, d.month, d.day)
	if !ok || d.hour > 23 || d.minute > 59 || d.second > 59 {
		return DateTime{}, false
	}
	if d.weekday >= 0 && int(ticks/ticksPerDay+1)%7 != d.weekday {
		return DateTime{}, false
	}
	ticks += int64(d.hour)*ticksPerHour + int64(d.minute)*ticksPerMinute + int64(d.second)*ticksPerSecond
	if d.fraction > 0 {
		if ticks += int64(math.RoundToEven(d.fraction * ticksPerSecond)); ticks > maxTicks {
			return DateTime{}, false
		}
	}
	const limit = 14 * ticksPerHour
	if d.offset > limit || d.offset < -limit {
		return DateTime{}, false
	}
	if !d.hasOffset {
		return DateTime{ticks: ticks}, true
	}
	if keepUTC && d.utc {
		return DateTime{ticks: ticks, kind: dateUTC}, true
	}
	utc := ticks - d.offset
	switch {
	case ticks < ticksPerDay:
		at := DateTime{ticks: ticks}
		if timeOnly {
			at.ticks = now().Unix()*ticksPerSecond + unixEpochTicks
		}
		if utc += d.zone.offsetOf(at); utc < 0 {
			utc += ticksPerDay
		}
	case utc < 0 || utc > maxTicks:
		utc += d.zone.offsetOf(DateTime{ticks: ticks})
	default:
		offset, daylight := d.zone.offsetAt(utc)
		utc += offset
		if utc < 0 || utc > maxTicks {
			return DateTime{}, false
		}
		return DateTime{ticks: utc, kind: dateLocal, daylight: daylight}, true
	}
	if utc < 0 || utc > maxTicks {
		return DateTime{}, false
	}
	return DateTime{ticks: utc, kind: dateLocal}, true
}

func (d *dateScanner) end() bool { return d.i >= len(d.s) }

// last reports whether at most one character is left.
func (d *dateScanner) last() bool { return d.i >= len(d.s)-1 }

func (d *dateScanner) at(c uint16) bool { return d.i < len(d.s) && d.s[d.i] == c }

func isSpaceUnit(c uint16) bool { return unicode.IsSpace(rune(c)) }

func isDigitUnit(c uint16) bool { return c >= '0' && c <= '9' }

func (d *dateScanner) spaces() {
	for d.i < len(d.s) && isSpaceUnit(d.s[d.i]) {
		d.i++
	}
}

// word takes one of the words if it stands here. A word of letters must not be
// followed by another letter.
func (d *dateScanner) word(words wordTable) (w dateWord, found bool) {
	first := lowerUnit(d.s[d.i])
	for _, w := range words[first] {
		end := d.i + len(w.units)
		if end > len(d.s) || unicode.IsLetter(rune(first)) && end < len(d.s) && unicode.IsLetter(rune(d.s[end])) {
			continue
		}
		same := true
		for i, c := range w.units {
			same = same && lowerUnit(d.s[d.i+i]) == c
		}
		if same {
			d.i = end
			return w, true
		}
	}
	return w, false
}

func lowerUnit(c uint16) uint16 {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// separator is what stands after a number or a month: a word of separators,
// the end, or nothing (wordNone), which counts as a space.
func (d *dateScanner) separator() (w dateWord, end bool) {
	d.spaces()
	if d.end() {
		return w, true
	}
	if !isDigitUnit(d.s[d.i]) {
		w, _ = d.word(separators)
	}
	return w, false
}

// step reads the next token and what follows it.
func (d *dateScanner) step(state dateState) (dateStep, bool) {
	d.spaces()
	if d.end() {
		return stepEnd, true
	}
	if isDigitUnit(d.s[d.i]) {
		return d.numberStep(state)
	}
	w, found := d.word(dateWords)
	if !found {
		return d.unknown()
	}
	switch w.kind {
	case wordMonth:
		if d.rawMonth != -1 {
			return 0, false
		}
		d.rawMonth = w.value
		before := d.i
		sep, end := d.separator()
		switch {
		case end:
			return stepMonthEnd, true
		case sep.kind == wordNone:
			return stepMonthSpace, true
		case sep.kind == wordDateSep:
			return stepMonthDateSep, true
		case sep.kind == wordDateOrOffset:
			return d.dateOrOffset(state, before, stepMonthDateSep, stepMonthSpace), true
		}
		return 0, false
	case wordDay:
		if d.weekday != -1 {
			return 0, false
		}
		d.weekday = w.value
		return stepDayOfWeek, true
	case wordAMPM:
		if d.pm != -1 {
			return 0, false
		}
		d.pm = w.value
		return stepIgnored, true
	case wordZone:
		if d.hasOffset {
			return 0, false
		}
		d.hasOffset, d.utc, d.offset = true, true, 0
		return stepZone, true
	case wordEra:
		return stepEra, true
	}
	return stepIgnored, true
}

// dateOrOffset decides what a minus is: a date separator, or the sign of an
// offset if no separator can stand here. Then it is left for the next token.
func (d *dateScanner) dateOrOffset(state dateState, before int, asSep, asSpace dateStep) dateStep {
	if dateSteps[state][asSep] == stateInvalid && dateSteps[state][asSpace] > stateInvalid {
		d.i = before
		return asSpace
	}
	return asSep
}

// unknown handles a character that begins no word: the sign of an offset, a
// date between number signs, NULs at the end.
func (d *dateScanner) unknown() (dateStep, bool) {
	c := d.s[d.i]
	if (c == '-' || c == '+') && !d.hasOffset {
		before := d.i
		if d.parseOffset() {
			d.hasOffset = true
			return stepIgnored, true
		}
		d.i = before
	}
	return stepIgnored, d.punctuation()
}

// punctuation takes # or NUL where they may stand: two number signs around the
// whole date, NULs after it.
func (d *dateScanner) punctuation() bool {
	switch d.s[d.i] {
	case '#':
		opened, closed := false, false
		for _, c := range d.s {
			switch {
			case c == '#' && opened && closed:
				return false
			case c == '#':
				opened, closed = true, opened
			case c == 0:
				if !closed {
					return false
				}
			case !isSpaceUnit(c) && (!opened || closed):
				return false
			}
		}
		d.i++
		return closed
	case 0:
		for _, c := range d.s[d.i:] {
			if c != 0 {
				return false
			}
		}
		d.i = len(d.s)
		return true
	}
	return false
}

const maxDateDigits = 8

// number reads digits; -1 stands for too many.
func (d *dateScanner) number() (value, length int) {
	start := d.i
	for d.i < len(d.s) && isDigitUnit(d.s[d.i]) {
		if d.i-start < maxDateDigits {
			value = value*10 + int(d.s[d.i]-'0')
		}
		d.i++
	}
	length = d.i - start
	if length > maxDateDigits {
		value = -1
	}
	return value, length
}

// parseOffset reads +h, +hh, +hhmm, +hh:mm and their like.
func (d *dateScanner) parseOffset() bool {
	negative := d.at('-')
	if !negative && !d.at('+') {
		return false
	}
	d.i++
	value, length := d.number()
	hours, minutes := value, 0
	switch length {
	case 1, 2:
		if d.at(':') {
			d.i++
			minutes, length = d.number()
			if length < 1 || length > 2 {
				return false
			}
		}
	case 3, 4:
		hours, minutes = value/100, value%100
	default:
		return false
	}
	if minutes >= 60 {
		return false
	}
	d.offset = int64(hours)*ticksPerHour + int64(minutes)*ticksPerMinute
	if negative {
		d.offset = -d.offset
	}
	return true
}

// offsetAfterTime takes an offset after the numbers of a time.
func (d *dateScanner) offsetAfterTime() bool {
	if d.last() {
		return true
	}
	at := d.i
	for at < len(d.s)-1 && isSpaceUnit(d.s[at]) {
		at++
	}
	if c := d.s[at]; c != '+' && c != '-' {
		return true
	}
	d.i = at
	if d.hasOffset {
		return false
	}
	d.hasOffset = true
	return d.parseOffset()
}

// decimals reads the digits after a point as .NET sums them up.
func (d *dateScanner) decimals() (f float64, found bool) {
	base := 0.1
	for d.i++; d.i < len(d.s) && isDigitUnit(d.s[d.i]); d.i++ {
		f += float64(d.s[d.i]-'0') * base
		base *= 0.1
		found = true
	}
	return f, found
}

func (d *dateScanner) add(value int) {
	d.numbers[d.count] = value
	d.count++
}

func (d *dateScanner) numberStep(state dateState) (dateStep, bool) {
	value, length := d.number()
	if d.count == 3 || value == -1 {
		return 0, false
	}
	inTime := state == stateTime || state == stateTimeTwo
	if state == stateTimeTwo && !d.last() && d.at('.') {
		d.fraction, _ = d.decimals()
	}
	if inTime && !d.offsetAfterTime() {
		return 0, false
	}
	before := d.i
	if length >= 3 {
		if d.rawYear != -1 {
			return 0, false
		}
		d.rawYear = value
		sep, end := d.separator()
		switch {
		case end:
			return stepYearEnd, true
		case sep.kind == wordNone:
			return stepYearSpace, true
		case sep.kind == wordAMPM:
			if d.pm != -1 {
				return stepIgnored, true
			}
			d.pm = sep.value
			return stepYearSpace, true
		case sep.kind == wordDateSep:
			return stepYearDateSep, true
		case sep.kind == wordDateOrOffset:
			return d.dateOrOffset(state, before, stepYearDateSep, stepYearSpace), true
		case sep.kind == wordDateSuffix:
			return stepNumberDateSuffix, d.suffix(sep.value, value)
		case sep.kind == wordTimeSuffix:
			return stepNumberTimeSuffix, d.suffix(sep.value, value)
		}
		return 0, false
	}
	sep, end := d.separator()
	switch {
	case end:
		d.add(value)
		return stepNumberEnd, true
	case sep.kind == wordNone:
		d.add(value)
		return stepNumberSpace, true
	}
	switch sep.kind {
	case wordAMPM:
		if d.pm != -1 {
			return stepNumberAMPM, !inTime || d.offsetAfterTime()
		}
		d.pm = sep.value
		if state == stateDateNumbers && !d.settle(acceptTwoNumbers) {
			return 0, false
		}
		if state == stateDateNumbers {
			d.count = 0
		}
		d.add(value)
		return stepNumberAMPM, !inTime || d.offsetAfterTime()
	case wordDateSep:
		d.add(value)
		return stepNumberDateSep, true
	case wordDateOrOffset:
		d.add(value)
		return d.dateOrOffset(state, before, stepNumberDateSep, stepNumberSpace), true
	case wordTimeSep:
		d.add(value)
		return stepNumberTimeSep, true
	case wordLocalMark:
		d.add(value)
		return stepLocalMark, true
	case wordDateSuffix:
		if sep.value == suffixYear {
			value = fourDigitYear(value)
		}
		return stepNumberDateSuffix, d.suffix(sep.value, value)
	case wordTimeSuffix:
		return stepNumberTimeSuffix, d.suffix(sep.value, value)
	}
	return 0, false
}

// suffix settles a part that is named by its suffix; each may come once.
func (d *dateScanner) suffix(part, value int) bool {
	if d.suffixed[part] {
		return false
	}
	d.suffixed[part] = true
	switch part {
	case suffixYear:
		d.year, d.rawYear = value, value
	case suffixMonth:
		d.month, d.rawMonth = value, value
	case suffixDay:
		d.day = value
	case suffixHour:
		d.hour = value
	case suffixMinute:
		d.minute = value
	case suffixSecond:
		d.second = value
	}
	return true
}

// fourDigitYear completes a year of two digits; 2029 is the last it means.
func fourDigitYear(year int) int {
	switch {
	case year >= 100:
		return year
	case year <= 29:
		return 2000 + year
	}
	return 1900 + year
}

func (d *dateScanner) setDate(year, month, day int) bool {
	if _, ok := dateTicks(year, month, day); !ok {
		return false
	}
	d.year, d.month, d.day, d.haveDate = year, month, day, true
	return true
}

// settle makes a date or a time of what an accepting state stands for. The
// culture's orders are month/day/year, month day, and year month.
func (d *dateScanner) settle(state dateState) bool {
	a, b, c := d.numbers[0], d.numbers[1], d.numbers[2]
	switch state {
	case acceptHour, acceptHourMinute, acceptHourMinuteSecond:
		if d.haveTime || state == acceptHour && d.pm == -1 {
			return false
		}
		d.haveTime, d.hour = true, a
		if state != acceptHour {
			d.minute = b
		}
		if state == acceptHourMinuteSecond {
			d.second = c
		}
		return true
	case acceptSuffixed, acceptTimeSuffixed:
		return true
	case acceptSuffixedNumber:
		if d.count != 1 || d.day != -1 {
			return false
		}
		d.day = a
		return true
	case acceptNumberSuffixed:
		if d.month == -1 || d.year != -1 {
			return false
		}
		d.year, d.day = fourDigitYear(a), 1
		return true
	case acceptNumbersSuffixed:
		switch {
		case d.suffixed[suffixYear] && !d.suffixed[suffixMonth] && !d.suffixed[suffixDay]:
			return d.setDate(fourDigitYear(d.rawYear), a, b)
		case !d.suffixed[suffixYear] && d.suffixed[suffixMonth] && !d.suffixed[suffixDay]:
			return d.setDate(fourDigitYear(b), d.month, a)
		}
		return false
	}
	if d.haveDate {
		return false
	}
	thisYear := func() int { return now().In(d.zone.loc).Year() }
	switch state {
	case acceptTwoNumbers:
		return d.setDate(thisYear(), a, b)
	case acceptThreeNumbers:
		return d.setDate(fourDigitYear(c), a, b)
	case acceptMonthNumber:
		ok := d.setDate(thisYear(), d.rawMonth, a)
		d.haveDate = false // the framework forgets to note it
		return ok
	case acceptNumberMonth:
		ok := d.setDate(fourDigitYear(a), d.rawMonth, 1)
		d.haveDate = false
		return ok
	case acceptMonthNumbers:
		return d.setDate(fourDigitYear(b), d.rawMonth, a) || d.setDate(fourDigitYear(a), d.rawMonth, b)
	case acceptYearNumbers, acceptNumbersYear:
		return d.setDate(d.rawYear, a, b)
	case acceptYearMonthNumber:
		return d.setDate(d.rawYear, d.rawMonth, a)
	case acceptYearNumber:
		return d.setDate(d.rawYear, a, 1)
	case acceptYearMonth:
		return d.setDate(d.rawYear, d.rawMonth, 1)
	}
	return false
}

// isoTime reads what follows year-month-dayT.
func (d *dateScanner) isoTime(keepUTC bool) (DateTime, bool) {
	two := func() (int, bool) {
		d.spaces()
		if d.i+2 > len(d.s) || !isDigitUnit(d.s[d.i]) || !isDigitUnit(d.s[d.i+1]) {
			return 0, false
		}
		d.i += 2
		return int(d.s[d.i-2]-'0')*10 + int(d.s[d.i-1]-'0'), true
	}
	colon := func() bool {
		d.spaces()
		if !d.at(':') {
			return false
		}
		d.i++
		return true
	}
	var ok bool
	if d.hour, ok = two(); !ok || !colon() {
		return DateTime{}, false
	}
	if d.minute, ok = two(); !ok {
		return DateTime{}, false
	}
	if colon() {
		if d.second, ok = two(); !ok {
			return DateTime{}, false
		}
		if d.at('.') {
			if d.fraction, ok = d.decimals(); !ok {
				return DateTime{}, false
			}
		}
		d.spaces()
	}
	if !d.end() {
		switch c := d.s[d.i]; c {
		case '+', '-':
			d.hasOffset = true
			if !d.parseOffset() {
				return DateTime{}, false
			}
			// .NET stands after the offset here, and before what follows everywhere
			// else: the character after an offset is not looked at, whatever it is.
			d.i = min(d.i+1, len(d.s))
		case 'Z', 'z':
			d.i++
			d.hasOffset, d.utc, d.offset = true, true, 0
		}
		d.spaces()
		if d.at('#') {
			if !d.punctuation() {
				return DateTime{}, false
			}
			d.spaces()
		}
		if d.at(0) && !d.punctuation() {
			return DateTime{}, false
		}
		if !d.end() {
			return DateTime{}, false
		}
	}
	d.year, d.month, d.day, d.weekday = d.rawYear, d.numbers[0], d.numbers[1], -1
	return d.finish(keepUTC, false)
}
