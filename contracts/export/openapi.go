package export

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/seed47566266/understudy/contracts"
)

// openAPIDocument is an OpenAPI document, as far as a page has something to say.
type openAPIDocument struct {
	Version string `json:"openapi"`
	Info    struct {
		Title       string `json:"title"`
		Description string `json:"description"`
		Version     string `json:"version"`
	} `json:"info"`
	Servers    []openAPIServer             `json:"servers"`
	Tags       []openAPITag                `json:"tags"`
	Paths      ordered[ordered[*endpoint]] `json:"paths"`
	Components struct {
		Schemas *ordered[*schema] `json:"schemas"`
	} `json:"components"`
	Security []struct{} `json:"security"`
}

type openAPIServer struct {
	URL         string `json:"url"`
	Description string `json:"description"`
}

type openAPITag struct {
	Name string `json:"name"`
}

// endpoint is an operation.
type endpoint struct {
	ID          string             `json:"operationId"`
	Tags        []string           `json:"tags"`
	Summary     string             `json:"summary"`
	Description string             `json:"description"`
	Body        *body              `json:"requestBody"`
	Responses   ordered[*response] `json:"responses"`
	Line        int                `json:"x-understudy-line"`
}

// body is what a request has.
type body struct {
	Required bool            `json:"required"`
	Content  ordered[*media] `json:"content"`
}

// media is a body in a media type.
type media struct {
	Schema  *schema         `json:"schema,omitempty"`
	Example json.RawMessage `json:"example,omitempty"`
	Line    int             `json:"x-understudy-line,omitempty"`
}

// response is one that a server gives.
type response struct {
	Description string           `json:"description,omitempty"`
	Content     *ordered[*media] `json:"content,omitempty"`
}

// What the framework says of a request that it rejects: the names of the responses, and of the
// schemas that they have.
const (
	errorSchema   = "HttpError"
	invalidSchema = "InvalidRequest"
)

// document writes an OpenAPI document.
func (d *dialect) document(c *contracts.Contract) ([]byte, error) {
	doc := openAPIDocument{Version: d.version, Servers: []openAPIServer{{
		URL: "http://127.0.0.1:4747", Description: "the mock, where it listens by default",
	}}, Security: []struct{}{}}
	doc.Info.Title, doc.Info.Version = "Help Page", "1.0.0"
	doc.Info.Description = "Derived from an ASP.NET Help Page. x-understudy-line is the page's line behind " +
		"a part. The page does not say whether anyone may send requests, nor what a successful response has in it."
	doc.Components.Schemas = d.schemas(c)
	invalid, message := schemaName(c, invalidSchema), schemaName(c, errorSchema)
	for _, s := range d.errors() {
		doc.Components.Schemas.add(schemaName(c, s.Title), s)
	}
	for i := range c.Operations {
		o := &c.Operations[i]
		path := "/" + o.Route
		if doc.Paths.at(path) == nil {
			doc.Paths.add(path, ordered[*endpoint]{})
		}
		tag := controllerOf(o)
		if !hasTag(doc.Tags, tag) {
			doc.Tags = append(doc.Tags, openAPITag{tag})
		}
		e := d.operation(o)
		for _, r := range []struct {
			status, what, schema string
		}{
			{"400", "The body breaks a rule: the framework's default.", invalid},
			{"405", "Another method: the framework's default.", message},
			{"415", "A media type that the page does not list: the framework's default.", message},
		} {
			e.Responses.add(r.status, d.response(o, r.what, r.schema))
		}
		doc.Paths.at(path).add(strings.ToLower(o.Method), e)
	}
	if len(c.Operations) == 1 {
		o := &c.Operations[0]
		doc.Info.Title = o.Method + " /" + o.Route
	}
	return document(&doc)
}

func hasTag(tags []openAPITag, name string) bool {
	for _, t := range tags {
		if t.Name == name {
			return true
		}
	}
	return false
}

// schemaName is a name for a schema of ours that is the name of no model.
func schemaName(c *contracts.Contract, name string) string {
	for _, m := range models(c) {
		if strings.EqualFold(m.Name, name) {
			return schemaName(c, name+"Response")
		}
	}
	return name
}

// operation is an operation with the responses that the page speaks of.
func (d *dialect) operation(o *contracts.Operation) *endpoint {
	e := &endpoint{ID: identifier(o.ID), Tags: []string{controllerOf(o)}, Line: o.RouteFact.Line,
		Summary:     fmt.Sprintf("%s /%s", o.Method, o.Route),
		Description: fmt.Sprintf("Page line %d. The page names the result %s.", o.RouteFact.Line, o.Response.Type),
		Body:        &body{Required: true}}
	for _, f := range o.RequestFormats {
		m := &media{Schema: &schema{Ref: d.models + o.Model().Name}, Line: f.Fact.Line}
		if f.IsForm() {
			m.Schema = d.formModel(o.Model())
		}
		if f.IsJSON() && json.Valid(o.Sample) {
			m.Example = o.Sample
		}
		e.Body.Content.add(f.MediaType, m)
	}
	success := &response{Description: fmt.Sprintf("Accepted. The page does not say what is in it (line %d: %s).",
		o.Response.Fact.Line, o.Response.Fact.Quote), Content: &ordered[*media]{}}
	for _, f := range o.Response.Formats {
		success.Content.add(f.MediaType, &media{Line: f.Fact.Line})
	}
	e.Responses.add("200", success)
	return e
}

// response is a rejection in every media type of responses.
func (d *dialect) response(o *contracts.Operation, what, schemaName string) *response {
	r := &response{Description: what, Content: &ordered[*media]{}}
	for _, f := range o.Response.Formats {
		r.Content.add(f.MediaType, &media{Schema: &schema{Ref: d.models + schemaName}})
	}
	return r
}

// errors are the schemas of the framework's rejections, each with its name for a title.
func (d *dialect) errors() []*schema {
	text := func(what string) *schema { return &schema{Type: "string", Description: what} }
	message := &ordered[*schema]{}
	message.add("Message", text("What is wrong, in a sentence."))
	message.add("MessageDetail", text("More, where the server shows details."))
	fields := &ordered[*schema]{}
	fields.add("Message", text("What is wrong, in a sentence."))
	fields.add("ModelState", &schema{
		Type:        "object",
		Description: "What is wrong with each field, by its name after that of the parameter: model.Reason.",
		Additional:  &schema{Type: "array", Items: &schema{Type: "string"}},
	})
	return []*schema{
		{Title: errorSchema, Type: "object", Properties: message, Required: []string{"Message"}},
		{Title: invalidSchema, Type: "object", Properties: fields, Required: []string{"Message"}},
	}
}

// controllerOf is the controller of a route: the segment before the action.
func controllerOf(o *contracts.Operation) string {
	segments := strings.Split(o.Route, "/")
	if len(segments) < 2 {
		return segments[0]
	}
	return segments[len(segments)-2]
}
