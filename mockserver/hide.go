package mockserver

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"text/template"
	"unicode/utf8"

	"github.com/google/uuid"

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
		"auth", "token", "secret", "passw", "passphrase", "pwd", "credential", "jwt", "cookie", "session",
		"signature", "assertion", "bearer", "saml", "ticket",
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
	name = strings.ToLower(strings.TrimSpace(name))
	if notSecret[name] || strings.HasPrefix(name, "x-understudy-") {
		return false
	}
	if slices.ContainsFunc(secretParts, func(part string) bool { return strings.Contains(name, part) }) {
		return true
	}
	words := strings.FieldsFunc(name, func(r rune) bool { return r == '-' || r == '_' || r == '.' })
	return strings.HasSuffix(name, "key") ||
		slices.ContainsFunc(words, func(word string) bool { return slices.Contains(secretWords, word) })
}

// isSecretParameter is isSecret for a parameter of a URL, with the code of OAuth.
func isSecretParameter(name string) bool {
	return isSecret(name) || strings.EqualFold(strings.TrimSpace(name), "code")
}

var (
	// parameterName is the name of a parameter in a text, which may be a URL.
	parameterName = regexp.MustCompile(`(?:^|[?&#;,]\s*)([^=&#?;,\s"'<>]+)=`)
	// userText is the user that a URL names.
	userText = regexp.MustCompile(`//[^/?#\s]*@`)
	// credentialText is a header's value that is a credential by itself.
	credentialText = regexp.MustCompile(`(?i)^\s*(bearer|basic|digest|negotiate)\s`)
	// memberText is the name of a member, of JSON or by itself.
	memberText = regexp.MustCompile(`([\w.-]+)(?:"\s*:|:\s)`)
)

// hideParameters is a text without the secrets of the URLs in it.
func hideParameters(text string) string {
	if strings.Contains(text, "@") {
		text = userText.ReplaceAllString(text, "//"+HiddenValue+"@")
	}
	return replaceParameters(text, func(name, value string) (string, bool) {
		return HiddenValue, isSecretPair(name, value)
	})
}

// replaceParameters replaces values of the parameters of a text, up to the next ampersand, hash,
// quotation mark or space.
func replaceParameters(text string, replace func(name, value string) (string, bool)) string {
	if !strings.Contains(text, "=") {
		return text
	}
	var out strings.Builder
	done := 0
	for _, at := range parameterName.FindAllStringSubmatchIndex(text, -1) {
		if at[0] < done {
			continue // within a value that was replaced
		}
		begin := at[1]
		end := begin + len(text[begin:])
		if n := strings.IndexAny(text[begin:], "&#\"<> \t"); n >= 0 {
			end = begin + n
		}
		if by, found := replace(text[at[2]:at[3]], text[begin:end]); found {
			out.WriteString(text[done:begin] + by)
			done = end
		}
	}
	return out.String() + text[done:]
}

// isSecretPair reports a parameter that is a secret, or a URL with one.
func isSecretPair(name, value string) bool {
	decoded, err := url.QueryUnescape(name)
	if err != nil || isSecretParameter(decoded) {
		return true
	}
	inner, err := url.QueryUnescape(value)
	return err == nil && inner != value && hideParameters(inner) != inner
}

// hideQuery is a path and query without secrets. Other than in a text, a value goes on to the next
// ampersand.
func hideQuery(target string) string {
	path, query, found := strings.Cut(target, "?")
	if !found {
		return target
	}
	pairs := strings.Split(query, "&")
	for i, pair := range pairs {
		name, value, hasValue := strings.Cut(pair, "=")
		if hasValue && isSecretPair(name, value) {
			pairs[i] = name + "=" + HiddenValue
		}
	}
	return path + "?" + strings.Join(pairs, "&")
}

// hideHeader is a value of a header without secrets.
func hideHeader(value string) string {
	if credentialText.MatchString(value) {
		return HiddenValue
	}
	for _, member := range memberText.FindAllStringSubmatch(value, -1) {
		if isSecret(member[1]) {
			return HiddenValue
		}
	}
	return hideParameters(value)
}

// hideSecrets is a copy of a header without secrets.
func hideSecrets(h http.Header) store.Header {
	h = maps.Clone(h)
	for name, values := range h {
		switch {
		case plainHeaders[name]:
		case isSecret(name):
			h[name] = []string{HiddenValue}
		case slices.ContainsFunc(values, func(v string) bool { return strings.ContainsAny(v, "=@: ") }):
			hidden := make([]string, len(values))
			for i, value := range values {
				hidden[i] = hideHeader(value)
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
	// maxHidden and maxHiddenBytes bound the values that are looked for. Past that, and where one is
	// no text, all texts are hidden whole.
	maxHidden      = 256
	maxHiddenBytes = 8 << 10
)

// hiding is what is hidden of one exchange.
type hiding struct {
	*hider
	values map[string]bool
	// forms are the values as they may be spelled, folded, the longest first; nil until they are needed.
	forms   []string
	size    int // of values, in bytes
	tooMany bool
}

// begin collects the values of hidden fields as the framework has read them. X is nil for a
// request that was not read.
func (h *hider) begin(x *exchange) *hiding {
	hiding := &hiding{hider: h}
	if len(h.fields) == 0 {
		return hiding
	}
	hiding.values = map[string]bool{}
	if x == nil {
		return hiding
	}
	hiding.collect(x.model(), false)
	// Reading everything once finds the values that one part has and another shows.
	hiding.target(x.request.Target)
	hiding.headers(x.r.Header)
	hiding.body(x.request.Body, x.r.Header.Get("Content-Type"))
	hiding.body(x.response.Body, x.response.ContentType)
	return hiding
}

// collect takes the texts of a value, those of hidden fields or all.
func (h *hiding) collect(value any, all bool) {
	switch v := value.(type) {
	case map[string]any:
		for name, inner := range v {
			h.collect(inner, all || h.isField(name))
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

func (h *hider) isField(name string) bool { return h.fields[strings.ToLower(strings.TrimSpace(name))] }

// add adds a value that is hidden wherever it is.
func (h *hiding) add(value string) {
	switch {
	case h.tooMany || h.values[value]:
	case !utf8.ValidString(value):
		h.tooMany = true
	case len(value) >= minHidden:
		h.values[value], h.forms = true, nil
		h.size += len(value)
		h.tooMany = len(h.values) > maxHidden || h.size > maxHiddenBytes
	}
}

// spell makes forms.
func (h *hiding) spell() {
	forms := map[string]bool{}
	for value := range h.values {
		plain, err := json.Marshal(value)
		if err != nil {
			plain = []byte(`""`) // it cannot fail
		}
		own := appendJSONString(nil, value)
		for _, form := range []string{
			value, string(own[1 : len(own)-1]), string(plain[1 : len(plain)-1]), url.QueryEscape(value),
			url.PathEscape(value), template.HTMLEscapeString(value), template.JSEscapeString(value),
		} {
			forms[fold(form)] = true
		}
		if id, err := uuid.Parse(value); err == nil { // without hyphens it is the same
			forms[hex.EncodeToString(id[:])] = true
		}
	}
	h.forms = sortedKeys(forms)
	slices.SortStableFunc(h.forms, func(a, b string) int { return len(b) - len(a) }) // a value may begin another
}

// fold has the letters of ASCII in lower case, so that every byte keeps its place.
func fold(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, text)
}

// text is a text without the values.
func (h *hiding) text(text string) string {
	switch {
	case h == nil || text == "" || len(h.fields) == 0:
		return text
	case h.tooMany || !utf8.ValidString(text):
		return HiddenValue
	case len(h.values) == 0:
		return text
	}
	if h.forms == nil {
		h.spell()
	}
	for _, form := range h.forms {
		folded := fold(text)
		at := strings.Index(folded, form)
		if at < 0 {
			continue
		}
		var out strings.Builder
		for ; at >= 0; at = strings.Index(folded, form) {
			out.WriteString(text[:at] + HiddenValue)
			text, folded = text[at+len(form):], folded[at+len(form):]
		}
		out.WriteString(text)
		text = out.String()
	}
	// Whatever else is escaped may be anything.
	for _, unescape := range []func(string) (string, error){url.PathUnescape, url.QueryUnescape} {
		if plain, err := unescape(text); err == nil && plain != text && h.has(fold(plain)) {
			return HiddenValue
		}
	}
	return text
}

// has reports a folded text with one of the values.
func (h *hiding) has(folded string) bool {
	return slices.ContainsFunc(h.forms, func(form string) bool { return strings.Contains(folded, form) })
}

// target is a path and query without secrets and hidden values.
func (h *hiding) target(target string) string {
	target = hideQuery(target)
	path, query, found := strings.Cut(target, "?")
	switch {
	case len(h.fields) == 0:
		return target
	case !found:
		return h.text(path)
	}
	pairs := strings.Split(h.form(query), "&")
	for i := range pairs {
		pairs[i] = h.text(pairs[i])
	}
	return h.text(path) + "?" + strings.Join(pairs, "&")
}

// headers is a header without secrets and hidden values.
func (h *hiding) headers(header http.Header) store.Header {
	hidden := hideSecrets(header)
	if len(h.fields) == 0 {
		return hidden
	}
	for name, values := range hidden {
		texts := make([]string, len(values))
		for i, value := range values {
			if h.isField(name) {
				texts[i] = HiddenValue
				continue
			}
			texts[i] = h.text(replaceParameters(value, func(name, value string) (string, bool) {
				hidden := h.form(name + "=" + value)
				return strings.TrimPrefix(hidden, name+"="), hidden != name+"="+value
			}))
		}
		hidden[name] = texts
	}
	return hidden
}

// texts are texts without the values.
func (h *hiding) texts(list []string) []string {
	if len(h.fields) == 0 || len(list) == 0 {
		return list
	}
	hidden := make([]string, len(list))
	for i, text := range list {
		hidden[i] = h.text(text)
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
	if strings.Contains(strings.ToLower(contentType), "x-www-form-urlencoded") {
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
		if slices.ContainsFunc(steps, h.isField) {
			if decoded, err := url.QueryUnescape(value); err == nil {
				h.add(decoded)
			} else {
				h.tooMany = true // the framework reads something in it
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
			hideInner = h.isField(name)
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
