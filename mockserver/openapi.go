package mockserver

import (
	"encoding"
	"encoding/json"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// openAPI describes the admin API in OpenAPI 3.1, from the table that routes it.
func (a *admin) openAPI(w http.ResponseWriter, _ *http.Request) {
	paths := map[string]map[string]any{}
	for i := range a.routes {
		route := &a.routes[i]
		path := AdminPath + route.path
		if paths[path] == nil {
			paths[path] = map[string]any{}
		}
		paths[path][strings.ToLower(route.method)] = route.describe()
	}
	respondJSON(w, http.StatusOK, map[string]any{
		"openapi": "3.1.0",
		"info":    map[string]any{"title": "Understudy admin API", "version": versionOr(a.s.version)},
		"paths":   paths,
		"components": map[string]any{
			"securitySchemes": map[string]any{"token": map[string]any{"type": "http", "scheme": "bearer"}},
		},
		"security": []any{map[string]any{"token": []string{}}, map[string]any{}},
	})
}

func versionOr(version string) string {
	if version == "" {
		return "0"
	}
	return version
}

func (r *route) describe() map[string]any {
	parameters := []any{}
	for _, part := range strings.Split(r.path, "/") {
		if name, found := strings.CutPrefix(part, "{"); found {
			parameters = append(parameters, map[string]any{
				"name": strings.TrimSuffix(name, "}"), "in": "path", "required": true,
				"schema": map[string]any{"type": "string"},
			})
		}
	}
	for _, p := range r.query {
		parameters = append(parameters, map[string]any{
			"name": p.name, "in": "query", "description": p.about, "schema": map[string]any{"type": "string"},
		})
	}
	content := func(mediaType string, schema any) map[string]any {
		return map[string]any{mediaType: map[string]any{"schema": schema}}
	}
	success := map[string]any{"description": "done"}
	if mediaType, isText := r.response.(string); isText {
		success["content"] = content(mediaType, map[string]any{})
	} else {
		success["content"] = content("application/json", jsonSchema(reflect.TypeOf(r.response)))
	}
	responses := map[string]any{"200": success}
	failures := append([]int{
		http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusServiceUnavailable,
	}, r.errors...)
	if r.body != nil {
		failures = append(failures, http.StatusRequestEntityTooLarge)
	}
	for _, status := range failures {
		schema := jsonSchema(reflect.TypeFor[errorsJSON]())
		if _, isReady := r.response.(readyJSON); isReady && status == http.StatusServiceUnavailable {
			schema = jsonSchema(reflect.TypeFor[readyJSON]())
		}
		responses[strconv.Itoa(status)] = map[string]any{
			"description": http.StatusText(status), "content": content("application/json", schema),
		}
	}
	description := map[string]any{"summary": r.about, "responses": responses}
	if len(parameters) > 0 {
		description["parameters"] = parameters
	}
	if r.body != nil {
		description["requestBody"] = map[string]any{
			"content": content("application/json", structSchema(reflect.TypeOf(r.body))),
		}
	}
	return description
}

// jsonSchema describes what encoding/json makes of a type.
func jsonSchema(t reflect.Type) any {
	if t.Kind() == reflect.Pointer {
		return jsonSchema(t.Elem())
	}
	switch {
	case t == reflect.TypeFor[json.RawMessage]():
		return map[string]any{}
	case t == reflect.TypeFor[time.Time]():
		return map[string]any{"type": "string", "format": "date-time"}
	case t.Implements(reflect.TypeFor[encoding.TextMarshaler]()):
		return map[string]any{"type": "string"}
	case t == reflect.TypeFor[Config]():
		return structSchema(t)
	}
	switch t.Kind() {
	case reflect.Struct:
		properties, required := map[string]any{}, []string{}
		jsonProperties(t, properties, &required)
		return object(properties, required...)
	case reflect.Slice:
		return map[string]any{"type": "array", "items": jsonSchema(t.Elem())}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": jsonSchema(t.Elem())}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int, reflect.Int64:
		return map[string]any{"type": "integer"}
	case reflect.String:
		return map[string]any{"type": "string"}
	}
	return map[string]any{}
}

func jsonProperties(t reflect.Type, properties map[string]any, required *[]string) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous:
			jsonProperties(f.Type, properties, required)
		case name != "" && name != "-":
			properties[name] = jsonSchema(f.Type)
			if options != "omitempty" {
				*required = append(*required, name)
			}
		}
	}
}
