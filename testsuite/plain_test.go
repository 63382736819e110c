package testsuite_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/google/uuid"
)

// plain is an implementation of the page's rules by someone who knows Go and not
// the framework: encoding/json, strict, with error texts of its own. Its fields
// are the rules, written from the page by hand, so that a test can break each.
type plain struct {
	methods  []string
	media    map[string]string // media type -> json or form
	fields   []plainField
	units    func(string) int
	accepted int
	rejected int
	wrong    map[string]int // statuses for a wrong method and media type

	acceptedBody, rejectedBody string
	acceptedType, rejectedType string
	allow                      bool

	unvalidated map[string]bool // media types whose rules are not looked at
	anyMedia    bool
	anyMethod   bool
	tolerated   int // errors that are let pass
	everything  bool
	nothing     bool
	// accepts, if it is not nil, decides whether a value is valid, in place of fits.
	accepts func(f *plainField, v any) bool
	// nullPasses has null stand for a value.
	nullPasses bool
	// listedAlone rejects names that the page does not list.
	listedAlone bool
	// repair is what is done to a JSON text before it is parsed.
	repair func([]byte) []byte
}

type plainField struct {
	name     string
	kind     string // guid, date, string, decimal, integer, list
	required bool
	max      int // 0: no bound
	min      int
	untyped  bool
}

func newPlain() *plain {
	return &plain{
		methods: []string{"POST"},
		media: map[string]string{
			"application/json":                  "json",
			"text/json":                         "json",
			"application/x-www-form-urlencoded": "form",
		},
		fields: []plainField{
			{name: "EncounterTypeId", kind: "guid"},
			{name: "EncounterTypeModeDurationId", kind: "guid"},
			{name: "ProviderId", kind: "guid"},
			{name: "UserId", kind: "guid", required: true},
			{name: "PatientId", kind: "guid"},
			{name: "SpecialityId", kind: "guid"},
			{name: "AppointmentOn", kind: "date", required: true},
			{name: "SecondaryAppointmentOn", kind: "date"},
			{name: "Reason", kind: "string", required: true, max: 250},
			{name: "Note", kind: "string", max: 1000},
			{name: "ParentId", kind: "guid"},
			{name: "ReferredParentId", kind: "guid"},
			{name: "PaidAmount", kind: "decimal"},
			{name: "AccountId", kind: "guid", required: true},
			{name: "ServiceId", kind: "guid"},
			{name: "MethodId", kind: "integer"},
			{name: "IsCustomFormFlow", kind: "string"},
			{name: "DocIds", kind: "string"},
			{name: "Reasons", kind: "list"},
		},
		units:        func(s string) int { return len(utf16.Encode([]rune(s))) },
		accepted:     http.StatusOK,
		rejected:     http.StatusBadRequest,
		wrong:        map[string]int{"method": http.StatusMethodNotAllowed, "media": http.StatusUnsupportedMediaType},
		acceptedBody: `{"booked":true}`,
		acceptedType: "application/json",
		rejectedBody: `{"error":"no"}`,
		rejectedType: "application/json",
		allow:        true,
		unvalidated:  map[string]bool{},
	}
}

func (p *plain) field(name string) *plainField {
	for i := range p.fields {
		if p.fields[i].name == name {
			return &p.fields[i]
		}
	}
	return nil
}

func (p *plain) reject(w http.ResponseWriter, status int) {
	p.write(w, status, p.rejectedBody, p.rejectedType)
}

func (p *plain) write(w http.ResponseWriter, status int, body, kind string) {
	if body != "" {
		w.Header()["Content-Type"] = []string{kind}
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func (p *plain) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	method := p.anyMethod
	for _, m := range p.methods {
		method = method || m == r.Method
	}
	if !method {
		if p.allow {
			w.Header().Set("Allow", strings.Join(p.methods, ", "))
		}
		p.reject(w, p.wrong["method"])
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 8<<20))
	if err != nil {
		p.reject(w, p.rejected)
		return
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	format, listed := p.media[kind]
	if (err != nil || !listed) && !p.anyMedia {
		p.reject(w, p.wrong["media"])
		return
	}
	if format == "" {
		format = "json"
	}
	switch {
	case p.nothing:
		p.reject(w, p.rejected)
		return
	case p.everything || p.unvalidated[kind]:
		p.write(w, p.accepted, p.acceptedBody, p.acceptedType)
		return
	}
	var errors int
	if format == "form" {
		errors = p.checkForm(body)
	} else {
		errors = p.checkJSON(body)
	}
	if errors > p.tolerated {
		p.reject(w, p.rejected)
		return
	}
	p.write(w, p.accepted, p.acceptedBody, p.acceptedType)
}

const malformed = 1000 // errors that no tolerance reaches

func (p *plain) checkJSON(body []byte) int {
	if p.repair != nil {
		body = p.repair(body)
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return malformed
	}
	object, ok := v.(map[string]any)
	if !ok {
		return malformed
	}
	if _, err := d.Token(); err != io.EOF {
		return malformed
	}
	errors := 0
	for name := range object {
		if p.listedAlone && p.field(name) == nil {
			errors++
		}
	}
	for i := range p.fields {
		f := &p.fields[i]
		v, there := object[f.name]
		if v == nil && there && p.nullPasses {
			continue
		}
		if v == nil {
			there = false
		}
		if !there {
			if f.required {
				errors++
			}
			continue
		}
		if !f.untyped && !p.fits(f, v) {
			errors++
		}
	}
	return errors
}

func (p *plain) checkForm(body []byte) int {
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return malformed
	}
	errors := 0
	for i := range p.fields {
		f := &p.fields[i]
		text := values.Get(f.name)
		if text == "" {
			if f.required {
				errors++
			}
			continue
		}
		var v any = text
		if f.kind == "decimal" || f.kind == "integer" {
			v = json.Number(text)
		}
		if !f.untyped && f.kind != "list" && !p.fits(f, v) {
			errors++
		}
	}
	return errors
}

// isGUID accepts only the form that the page shows; the package accepts others too.
func isGUID(text string) bool { return len(text) == 36 && uuid.Validate(text) == nil }

func (p *plain) fits(f *plainField, v any) bool {
	if p.accepts != nil {
		return p.accepts(f, v)
	}
	text, isText := v.(string)
	number, isNumber := v.(json.Number)
	switch f.kind {
	case "guid":
		return isText && isGUID(text)
	case "date":
		_, err := time.Parse(time.RFC3339, text)
		return isText && err == nil
	case "string":
		n := p.units(text)
		return isText && n >= f.min && (f.max == 0 || n <= f.max)
	case "decimal":
		_, err := strconv.ParseFloat(string(number), 64)
		return isNumber && err == nil
	case "integer":
		_, err := strconv.ParseInt(string(number), 10, 32)
		return isNumber && err == nil
	}
	list, ok := v.([]any)
	for _, e := range list {
		element, isObject := e.(map[string]any)
		if !isObject {
			return false
		}
		if id, there := element["ReasonId"]; there && id != nil {
			if text, isText := id.(string); !isText || !isGUID(text) {
				return false
			}
		}
	}
	return ok
}

// idiomatic is the same page by someone else: a struct with tags, google/uuid and
// time.Time, errors in plain sentences, one handler for every path.
type idiomatic struct {
	EncounterTypeId             *uuid.UUID
	EncounterTypeModeDurationId *uuid.UUID
	ProviderId                  *uuid.UUID
	UserId                      *uuid.UUID
	PatientId                   *uuid.UUID
	SpecialityId                *uuid.UUID
	AppointmentOn               *time.Time
	SecondaryAppointmentOn      *time.Time
	Reason                      *string
	Note                        *string
	ParentId                    *uuid.UUID
	ReferredParentId            *uuid.UUID
	PaidAmount                  *float64
	AccountId                   *uuid.UUID
	ServiceId                   *uuid.UUID
	MethodId                    *int
	IsCustomFormFlow            *string
	DocIds                      *string
	Reasons                     []struct{ ReasonId *uuid.UUID }
}

func serveIdiomatic(w http.ResponseWriter, r *http.Request) {
	problem := func(text string) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = fmt.Fprintf(w, "{%q:%q}\n", "problem", text)
	}
	if r.Method != http.MethodPost {
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	var b idiomatic
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch kind {
	case "application/json", "text/json":
		d := json.NewDecoder(r.Body)
		if err := d.Decode(&b); err != nil {
			problem("invalid appointment")
			return
		}
		if d.More() || trailing(d) {
			problem("trailing text after the appointment")
			return
		}
	case "application/x-www-form-urlencoded":
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		values, err := url.ParseQuery(string(body))
		if err != nil {
			problem("malformed form")
			return
		}
		object := map[string]any{}
		for name := range values {
			switch name {
			case "PaidAmount", "MethodId":
				object[name] = json.RawMessage(values.Get(name))
			default:
				if values.Get(name) != "" {
					object[name] = values.Get(name)
				}
			}
		}
		delete(object, "Reasons")
		text, err := json.Marshal(object)
		if err != nil || json.Unmarshal(text, &b) != nil {
			problem("invalid appointment")
			return
		}
	default:
		http.Error(w, "unsupported media type", http.StatusUnsupportedMediaType)
		return
	}
	long := func(s *string, limit int) bool { return s != nil && len(utf16.Encode([]rune(*s))) > limit }
	if b.UserId == nil || b.AccountId == nil || b.AppointmentOn == nil || b.Reason == nil || long(b.Reason, 250) ||
		long(b.Note, 1000) {
		problem("this appointment cannot be booked")
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func trailing(d *json.Decoder) bool {
	_, err := d.Token()
	return err != io.EOF
}
