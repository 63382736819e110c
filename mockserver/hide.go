package mockserver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/seed47566266/understudy/mockserver/store"
)

// HiddenValue stands for what the journal must not hold.
const HiddenValue = "[hidden]"

// plainHeaders are those that nearly every request or response has, and that hold no secret.
var plainHeaders = map[string]bool{
	"Accept": true, "Accept-Encoding": true, "Accept-Language": true, "Connection": true, "Content-Length": true,
	"Content-Type": true, "Date": true, "Origin": true, "User-Agent": true,
	preferHeader: true, appliedHeader: true,
}

// secretParts are parts of the names of headers and parameters whose values let their holder
// in, and secretWords are words of them. They hide too much rather than too little.
var (
	secretParts = []string{
		"auth", "token", "secret", "passw", "pwd", "credential", "jwt", "cookie", "session", "signature", "apikey",
		"assertion",
	}
	secretWords = []string{"key", "sig", "sid", "pass", "otp", "pin", "csrf", "xsrf"}
)

// notSecret are names that look like secrets and are none.
var notSecret = map[string]bool{
	"www-authenticate": true, "proxy-authenticate": true, "idempotency-key": true, "sec-websocket-key": true,
	"author": true,
}

// isSecret reports the name of a header or parameter whose value lets its holder in.
func isSecret(name string) bool {
	name = strings.ToLower(name)
	if notSecret[name] || strings.HasPrefix(name, "x-understudy-") {
		return false
	}
	if slices.ContainsFunc(secretParts, func(part string) bool { return strings.Contains(name, part) }) {
		return true
	}
	words := strings.FieldsFunc(name, func(r rune) bool { return r == '-' || r == '_' || r == '.' })
	return slices.ContainsFunc(words, func(word string) bool { return slices.Contains(secretWords, word) })
}

// isSecretParameter is isSecret for a parameter of a URL, with the code of OAuth.
func isSecretParameter(name string) bool { return isSecret(name) || strings.EqualFold(name, "code") }

// parameterText is a parameter in a URL, and userText the user that a URL names.
var (
	parameterText = regexp.MustCompile(`(^|[?&#;,]\s*)([^=&#?;,\s"'<>]+)=([^&#;,\s"'<>]*)`)
	userText      = regexp.MustCompile(`//[^/?#@\s]*@`)
)

// hideParameters is a text without the secrets of the URLs in it.
func hideParameters(text string) string {
	if strings.Contains(text, "@") {
		text = userText.ReplaceAllString(text, "//"+HiddenValue+"@")
	}
	if !strings.Contains(text, "=") {
		return text
	}
	return parameterText.ReplaceAllStringFunc(text, func(parameter string) string {
		parts := parameterText.FindStringSubmatch(parameter)
		if name, err := url.QueryUnescape(parts[2]); err != nil || isSecretParameter(name) {
			return parts[1] + parts[2] + "=" + HiddenValue
		}
		return parameter
	})
}

// hideSecrets is a copy of a header without secrets.
func hideSecrets(h http.Header) store.Header {
	h = maps.Clone(h)
	for name, values := range h {
		switch {
		case plainHeaders[name]:
		case isSecret(name):
			h[name] = []string{HiddenValue}
		case slices.ContainsFunc(values, func(v string) bool { return strings.ContainsAny(v, "=@") }):
			hidden := make([]string, len(values))
			for i, value := range values {
				hidden[i] = hideParameters(value)
			}
			h[name] = hidden
		}
	}
	return store.Header(h)
}

// hider takes the values of some fields out of what the journal gets: where the field stands by
// its name, and wherever else the value is.
type hider struct{ fields map[string]bool } // in lower case

func (s *Server) newHider(fields []string) (*hider, error) {
	h := &hider{map[string]bool{}}
	var known []string
	for _, o := range s.operations {
		for _, p := range o.Places() {
			known = append(known, p.Field.Name)
		}
	}
	for _, name := range fields {
		found := false
		for _, k := range known {
			found = found || strings.EqualFold(k, name)
		}
		if !found {
			return nil, fmt.Errorf("unknown field %q to hide%s", name, didYouMean(name, known))
		}
		h.fields[strings.ToLower(name)] = true
	}
	return h, nil
}

const (
	// maxKeptBody is how many bytes of a body the journal keeps: fifty times the page's sample.
	maxKeptBody = 64 << 10
	// minHidden is how long a value is, in bytes, that is hidden wherever it is: a shorter one is part
	// of too much else, and is hidden where its field stands alone.
	minHidden = 4
	// maxHidden bounds the values, in bytes, that are looked for. Past that, and where one is no
	// text, all texts are hidden whole.
	maxHidden = 8 << 10
)

// hiding is what is hidden of one exchange.
type hiding struct {
	*hider
	values   map[string]bool
	size     int
	tooMany  bool
	replaced *regexp.Regexp // finds the values; nil until it is needed, and for none
}

// begin collects the values of hidden fields as the framework has read them.
func (h *hider) begin(x *exchange) *hiding {
	if len(h.fields) == 0 {
		return &hiding{hider: h}
	}
	hiding := &hiding{hider: h, values: map[string]bool{}}
	hiding.collect(x.model(), false)
	return hiding
}

// collect takes the texts of a value, those of hidden fields or all.
func (h *hiding) collect(value any, all bool) {
	switch v := value.(type) {
	case map[string]any:
		for name, inner := range v {
			h.collect(inner, all || h.fields[strings.ToLower(name)])
		}
	case []any:
		for _, inner := range v {
			h.collect(inner, all)
		}
	case nil, bool:
	default:
		if all {
			h.add(textOf(v))
		}
	}
}

// add adds a value that is hidden wherever it is.
func (h *hiding) add(value string) {
	if len(value) < minHidden || h.tooMany || h.values[value] {
		return
	}
	if h.size += len(value); h.size > maxHidden || !utf8.ValidString(value) {
		h.tooMany = true
		return
	}
	h.values[value], h.replaced = true, nil
}

// text is a text without the values.
func (h *hiding) text(text string) string {
	switch {
	case text == "" || len(h.fields) == 0:
		return text
	case h.tooMany:
		return HiddenValue
	case len(h.values) == 0:
		return text
	}
	if h.replaced == nil {
		forms := map[string]bool{}
		for value := range h.values {
			quoted := string(appendJSONString(nil, value))
			for _, form := range []string{
				value, quoted[1 : len(quoted)-1], url.QueryEscape(value), url.PathEscape(value),
			} {
				forms[regexp.QuoteMeta(form)] = true
			}
		}
		all := sortedKeys(forms)
		slices.SortStableFunc(all, func(a, b string) int { return len(b) - len(a) }) // a value may begin another
		h.replaced = regexp.MustCompile("(?i)" + strings.Join(all, "|"))
	}
	return h.replaced.ReplaceAllLiteralString(text, HiddenValue)
}

// target is a path and query without secrets and hidden values.
func (h *hiding) target(target string) string {
	target = hideParameters(target)
	if len(h.fields) == 0 {
		return target
	}
	path, query, found := strings.Cut(target, "?")
	if !found {
		return h.text(path)
	}
	return h.text(path) + "?" + h.text(h.form(query))
}

// headers is a header without secrets and hidden values.
func (h *hiding) headers(header http.Header) store.Header {
	hidden := hideSecrets(header)
	if len(h.fields) == 0 {
		return hidden
	}
	for name, values := range hidden {
		if plainHeaders[name] {
			continue
		}
		texts := make([]string, len(values))
		for i, value := range values {
			if texts[i] = h.text(value); h.fields[strings.ToLower(name)] {
				texts[i] = HiddenValue
			}
		}
		hidden[name] = texts
	}
	return hidden
}

// body is a copy of the beginning of a body, without the values of hidden fields. One that
// cannot be read, or is long, is hidden whole where there are such fields.
func (h *hiding) body(b []byte, contentType string) []byte {
	switch {
	case len(b) == 0:
		return nil
	case len(h.fields) == 0:
		return bytes.Clone(b[:min(len(b), maxKeptBody)])
	case len(b) > maxKeptBody:
		return []byte(HiddenValue)
	}
	if strings.Contains(contentType, "x-www-form-urlencoded") {
		return []byte(h.text(h.form(string(b))))
	}
	decoder := json.NewDecoder(bytes.NewReader(b))
	decoder.UseNumber()
	var out bytes.Buffer
	if h.json(&out, decoder, false) != nil {
		return []byte(HiddenValue)
	}
	if _, err := decoder.Token(); err == nil {
		return []byte(HiddenValue) // something follows
	}
	return []byte(h.text(out.String()))
}

// form hides the values of fields in a form, or in the query of a URL. What is no pair of a form
// is hidden whole.
func (h *hiding) form(text string) string {
	pairs := strings.Split(text, "&")
	for i, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		decoded, err := url.QueryUnescape(name)
		if err != nil || strings.Trim(decoded, sessionCharacters+"[]$ ") != "" {
			pairs[i] = HiddenValue
			continue
		}
		steps := strings.FieldsFunc(decoded, func(r rune) bool { return r == '[' || r == ']' || r == '.' })
		if slices.ContainsFunc(steps, func(step string) bool { return h.fields[strings.ToLower(step)] }) {
			if decoded, err := url.QueryUnescape(value); err == nil {
				h.add(decoded)
			}
			pairs[i] = name + "=" + HiddenValue
		}
	}
	return strings.Join(pairs, "&")
}

// json copies one value, or [HiddenValue] in its place.
func (h *hiding) json(out *bytes.Buffer, d *json.Decoder, hide bool) error {
	token, err := d.Token()
	if err != nil {
		return err
	}
	to := out
	if hide {
		out.WriteString(`"` + HiddenValue + `"`)
		to = &bytes.Buffer{}
	}
	delim, nested := token.(json.Delim)
	if !nested {
		h.literal(to, token, hide)
		return nil
	}
	to.WriteRune(rune(delim))
	for n := 0; d.More(); n++ {
		if n > 0 {
			to.WriteByte(',')
		}
		hideInner := false
		if delim == '{' {
			key, err := d.Token()
			if err != nil {
				return err
			}
			name := fmt.Sprint(key)
			to.Write(append(appendJSONString(nil, name), ':'))
			hideInner = h.fields[strings.ToLower(name)]
		}
		if err := h.json(to, d, hide || hideInner); err != nil {
			return err
		}
	}
	end, err := d.Token()
	if err == nil {
		_, _ = fmt.Fprint(to, end)
	}
	return err
}

// literal copies a text, number, true, false or null.
func (h *hiding) literal(to *bytes.Buffer, token json.Token, hide bool) {
	switch token := token.(type) {
	case string:
		if hide {
			h.add(token)
		}
		to.Write(appendJSONString(nil, token))
	case json.Number:
		if hide {
			h.add(token.String())
		}
		to.WriteString(token.String())
	case nil:
		to.WriteString("null")
	default:
		_, _ = fmt.Fprint(to, token)
	}
}
