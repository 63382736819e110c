package mockserver

import (
	"bytes"
	_ "embed" // the page
	"html/template"
	"net/http"
	"strings"
)

//go:embed page.html
var pageHTML string

var pageTemplate = template.Must(template.New("page").Parse(pageHTML))

// page shows a person what there is.
func (a *admin) page(w http.ResponseWriter, r *http.Request) {
	type link struct {
		Method, Path, About string
		Linked              bool
	}
	type shown struct{ Method, URL string }
	data := struct {
		Version    string
		Operations []shown
		Links      []link
	}{Version: a.s.version}
	for _, o := range a.s.operations {
		data.Operations = append(data.Operations, shown{o.Method, scheme(r) + "://" + r.Host + "/" + o.Route})
	}
	for i := range a.routes {
		route := &a.routes[i]
		linked := route.method == http.MethodGet && !strings.Contains(route.path, "{")
		data.Links = append(data.Links, link{route.method, AdminPath + route.path, route.about, linked})
	}
	var text bytes.Buffer
	if err := pageTemplate.Execute(&text, data); err != nil {
		problem(w, http.StatusInternalServerError, err.Error())
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	_, _ = w.Write(text.Bytes()) // a client that went away is not an error
}
