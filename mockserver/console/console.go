// Package console is the page that shows what a mock does: each request as it comes, why it was
// rejected and with which line of the Help Page, and what to send instead.
//
// Give [New] to mockserver.WithConsole, and the mock serves it under its admin API:
//
//	mock, err := mockserver.New(contract, mockserver.WithConsole(console.New))
//
// The page is one file of HTML with its styles and modules, all embedded. Beside it are a few paths
// of its own, which say what the page needs and the admin API does not: what the Help Page expects of
// a request, the nearest valid one, generated payloads, and a request as code.
package console

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/gorilla/mux"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/export"
	"github.com/seed47566266/understudy/contracts/oracle"
	"github.com/seed47566266/understudy/contracts/view"
	"github.com/seed47566266/understudy/contracts/webapi"
	"github.com/seed47566266/understudy/fixtures"
	"github.com/seed47566266/understudy/mockserver"
)

//go:embed assets
var assets embed.FS

// policy is the Content-Security-Policy of everything here: the mock's own files and nothing else. No
// text becomes markup or code by accident.
const policy = "default-src 'self'; require-trusted-types-for 'script'; trusted-types 'none'; " +
	"frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

// console responds for one mock.
type console struct {
	mock     *mockserver.Server
	contract *contracts.Contract
	// made are what payloads are made of, by operation, when they are first asked for: most mocks are
	// never looked at.
	made map[string]func() (*maker, error)
}

// maker makes the payloads of an operation.
type maker struct {
	operation *contracts.Operation
	generator *fixtures.Generator
	page      *oracle.Oracle
	// cases takes half a second when it is called first.
	cases func() []fixtures.Case
}

func newMaker(o *contracts.Operation) (*maker, error) {
	g, err := fixtures.New(o, fixtures.Options{})
	if err != nil {
		return nil, err
	}
	page, err := oracle.New(o, oracle.Options{})
	if err != nil {
		return nil, err
	}
	return &maker{o, g, page, sync.OnceValue(func() []fixtures.Case {
		return slices.DeleteFunc(fixtures.Distinct(g.Cases()), func(c fixtures.Case) bool {
			return c.NotSent != "" || c.Request.Raw != nil // no request as the mock is sent them here
		})
	})}, nil
}

// New makes the console of a mock.
func New(mock *mockserver.Server) (http.Handler, error) {
	c := &console{mock: mock, contract: mock.Contract(), made: map[string]func() (*maker, error){}}
	for i := range c.contract.Operations {
		o := &c.contract.Operations[i]
		c.made[o.ID] = sync.OnceValues(func() (*maker, error) { return newMaker(o) })
	}
	router := mux.NewRouter()
	get := []string{http.MethodGet, http.MethodHead}
	router.Path(mockserver.AdminPath + "/").Methods(get...).HandlerFunc(serveAsset("assets/index.html"))
	router.Path(mockserver.AssetPath + "{name:[a-z.]+}").Methods(get...).HandlerFunc(c.asset)
	api := router.PathPrefix(mockserver.ConsolePath).Subrouter()
	api.Path("/about").Methods(get...).HandlerFunc(c.about)
	api.Path("/requests/{id}").Methods(get...).HandlerFunc(c.request)
	api.Path("/check").Methods(http.MethodPost).HandlerFunc(c.check)
	api.Path("/mend").Methods(http.MethodPost).HandlerFunc(c.mend)
	api.Path("/code").Methods(http.MethodPost).HandlerFunc(c.code)
	api.Path("/cases").Methods(get...).HandlerFunc(c.cases)
	api.Path("/payload").Methods(get...).HandlerFunc(c.payload)
	api.Path("/exports/{name}").Methods(get...).HandlerFunc(c.export)
	router.NotFoundHandler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		respondError(w, http.StatusNotFound, errors.New("no such path of the console"))
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Referrer-Policy", "no-referrer")
		router.ServeHTTP(w, r)
	}), nil
}

func respondJSON(w http.ResponseWriter, status int, value any) {
	text, err := json.Marshal(value)
	if err != nil { // it cannot fail
		status, text = http.StatusInternalServerError, []byte(`{"errors": [{"code": 500, "title": "no JSON"}]}`)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(text) // a client that went away is not an error
}

// respondError is an error in the shape that the admin API has.
func respondError(w http.ResponseWriter, status int, err error) {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		status = http.StatusRequestEntityTooLarge
	}
	type problem struct {
		Code  int    `json:"code"`
		Title string `json:"title"`
	}
	respondJSON(w, status, map[string][]problem{"errors": {{status, err.Error()}}})
}

// asset serves a file of the console, or one that it shares with the report of a run.
func (c *console) asset(w http.ResponseWriter, r *http.Request) {
	name := "assets/" + mux.Vars(r)["name"]
	if _, err := fs.Stat(assets, name); err != nil {
		if text, err := view.Files.ReadFile(mux.Vars(r)["name"]); err == nil {
			respondFile(w, name, text)
			return
		}
	}
	serveAsset(name)(w, r)
}

func serveAsset(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		text, err := assets.ReadFile(name)
		if err != nil {
			respondError(w, http.StatusNotFound, errors.New("no such file of the console"))
			return
		}
		respondFile(w, name, text)
	}
}

func respondFile(w http.ResponseWriter, name string, text []byte) {
	kind := mime.TypeByExtension(path.Ext(name))
	switch path.Ext(name) { // the machine's table may say otherwise, and a module needs its own
	case ".js":
		kind = "text/javascript; charset=utf-8"
	case ".css":
		kind = "text/css; charset=utf-8"
	case ".html":
		kind = "text/html; charset=utf-8"
	case ".svg":
		kind = "image/svg+xml"
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.Header().Set("Cache-Control", "no-cache") // another version may have the same address
	_, _ = w.Write(text)                        // a client that went away is not an error
}

// aboutJSON is what does not change while the mock runs.
type aboutJSON struct {
	Version string `json:"version"`
	// Address is where the mock listens, unix:PATH or http://HOST:PORT; empty where it is not known.
	Address    string          `json:"address"`
	PassesOn   string          `json:"passesOn,omitempty"`
	Hides      bool            `json:"hides"`
	Operations []operationJSON `json:"operations"`
	// Page is the text of the Help Page, line by line.
	Page    []string     `json:"page"`
	Exports []exportJSON `json:"exports"`
}

type operationJSON struct {
	ID      string   `json:"id"`
	Method  string   `json:"method"`
	Path    string   `json:"path"`
	Line    int      `json:"line"`
	Formats []string `json:"formats"`
	Sample  string   `json:"sample"`
	// Model is the model of the body, and BodyRule the id of the rule that the body is one.
	Model    string           `json:"model"`
	BodyRule string           `json:"bodyRule"`
	Fields   []fieldJSON      `json:"fields"`
	Rules    []contracts.Rule `json:"rules"`
	// Differences are where page and framework disagree.
	Differences []differenceJSON `json:"differences"`
}

type fieldJSON struct {
	// Name, Path and Pointer are of the field; a star in the pointer stands for each element of a list.
	Name    string `json:"name"`
	Path    string `json:"path"`
	Pointer string `json:"pointer"`
	Kind    string `json:"kind"`
	Admits  string `json:"admits"`
	// Line is that of the type, and Quote what it says.
	Line     int    `json:"line"`
	Quote    string `json:"quote"`
	Required bool   `json:"required"`
	Nullable bool   `json:"nullable"`
	// Open marks that nothing settles whether it may be null.
	Open bool `json:"open,omitempty"`
	// Min and Max are of its length; nil for any.
	Min *int `json:"min,omitempty"`
	Max *int `json:"max,omitempty"`
	// Constraints are the lines of its annotations.
	Constraints []contracts.Fact `json:"constraints"`
}

// differenceJSON is where the page and the framework disagree.
type differenceJSON struct {
	// Field is the path of a field; empty for the request as a whole.
	Field     string `json:"field,omitempty"`
	Page      string `json:"page"`
	Framework string `json:"framework"`
}

type exportJSON struct {
	Name  string `json:"name"`
	About string `json:"about"`
}

func (c *console) about(w http.ResponseWriter, _ *http.Request) {
	out := aboutJSON{
		Version: c.mock.Version(), Address: c.mock.Address(), PassesOn: c.mock.PassesOn(), Hides: c.mock.Hides(),
		Operations: []operationJSON{}, Page: strings.Split(strings.ReplaceAll(string(c.contract.Page), "\r\n",
			"\n"), "\n"),
	}
	for i := range c.contract.Operations {
		out.Operations = append(out.Operations, describe(&c.contract.Operations[i]))
	}
	names, abouts := export.Forms()
	for i, name := range names {
		out.Exports = append(out.Exports, exportJSON{name, abouts[i]})
	}
	respondJSON(w, http.StatusOK, out)
}

func describe(o *contracts.Operation) operationJSON {
	out := operationJSON{
		ID: o.ID, Method: o.Method, Path: "/" + o.Route, Line: o.RouteFact.Line, Sample: string(o.Sample),
		Rules: o.Rules(), Fields: []fieldJSON{}, Differences: []differenceJSON{},
		BodyRule: contracts.RuleID{Kind: contracts.RuleBody}.String(),
	}
	for _, f := range o.RequestFormats {
		out.Formats = append(out.Formats, f.MediaType)
	}
	if model := o.Model(); model != nil {
		out.Model = model.Name
	}
	for _, p := range o.Places() {
		f := p.Field
		field := fieldJSON{
			Name: f.Name, Path: string(p.Path), Pointer: pointer(&p), Kind: f.Type.Kind.String(),
			Admits: f.Type.Kind.Admits(), Line: f.Type.Fact.Line, Quote: f.Type.Fact.Quote,
			Required: f.Required() != nil, Nullable: f.Type.Nullable, Open: f.Type.NullableOpen,
			Constraints: []contracts.Fact{},
		}
		for i := range f.Constraints {
			field.Constraints = append(field.Constraints, f.Constraints[i].Fact)
		}
		if length := f.Length(); length != nil {
			field.Min, field.Max = &length.Min, &length.Max
		}
		out.Fields = append(out.Fields, field)
		for _, d := range webapi.Differences() {
			if d.Concerns(f) {
				out.Differences = append(out.Differences, differenceJSON{string(p.Path), d.Page, d.Framework})
			}
		}
	}
	return out
}

// pointer is the JSON pointer to a place, with a star for each element of a list.
func pointer(p *contracts.Place) string {
	step := "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(p.Field.Name)
	if p.Parent == nil {
		return step
	}
	return pointer(p.Parent) + "/*" + step
}

// export writes the contract in one of its forms.
func (c *console) export(w http.ResponseWriter, r *http.Request) {
	var text bytes.Buffer
	if err := export.Write(&text, mux.Vars(r)["name"], c.contract); err != nil {
		respondError(w, http.StatusNotFound, err)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write(text.Bytes()) // a client that went away is not an error
}

// maker is that of an operation by its id; of the first for an empty one.
func (c *console) maker(id string) (*maker, error) {
	if id == "" {
		id = c.contract.Operations[0].ID
	}
	made, found := c.made[id]
	if !found {
		return nil, fmt.Errorf("unknown operation %q", id)
	}
	return made()
}
