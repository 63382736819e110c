package report

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/seed47566266/understudy/testsuite"
)

// What a server said, and what a record of unknown origin holds, is foreign text:
// it may be made to steer a terminal, a build's log, a browser or a shell. Every
// format gets it in one of two forms. Formats for people get a copy of the results
// in which every text is visible, made by shown, and leave through quiet. Formats of
// JSON keep every character, and leave through escaped.

// shown is a copy of results with every text made visible. Requests stay as they
// were sent; what shows them makes them visible itself, as Text.String and Curl do.
func shown(r *testsuite.Results) *testsuite.Results {
	c := visible(reflect.ValueOf(*r)).Interface().(testsuite.Results)
	return &c
}

func visible(v reflect.Value) reflect.Value {
	switch v.Kind() {
	case reflect.String:
		return reflect.ValueOf(testsuite.Visible(v.String())).Convert(v.Type())
	case reflect.Slice:
		c := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		for i := range v.Len() {
			c.Index(i).Set(visible(v.Index(i)))
		}
		return c
	case reflect.Struct:
		switch v.Interface().(type) {
		case testsuite.Sent, testsuite.Text:
			return v
		}
		c := reflect.New(v.Type()).Elem()
		c.Set(v)
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() && !v.Field(i).IsZero() {
				c.Field(i).Set(visible(v.Field(i)))
			}
		}
		return c
	}
	return v
}

// quiet is a report whose lines a build's log takes for text: GitHub Actions reads
// a line that begins with two colons as a command.
func quiet(b []byte) []byte {
	if !bytes.Contains(b, []byte("::")) {
		return b
	}
	lines := strings.SplitAfter(string(b), "\n")
	for i, line := range lines {
		text := strings.TrimLeftFunc(line, unicode.IsSpace)
		if strings.HasPrefix(text, "::") {
			lines[i] = line[:len(line)-len(text)] + ": " + text[1:]
		}
	}
	return []byte(strings.Join(lines, ""))
}

// escaped is JSON in which what is not printable, and what a build's log may take
// for a command, is written as an escape of JSON.
func escaped(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); {
		c, width := utf8.DecodeRune(b[i:])
		switch {
		case c == '#' && bytes.HasPrefix(b[i:], []byte("##")):
			out = append(out, `\u0023`...)
		case c == '\n' || unicode.IsPrint(c):
			out = append(out, b[i:i+width]...)
		case c > 0xFFFF:
			high, low := utf16.EncodeRune(c)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, c)
		}
		i += width
	}
	return out
}
