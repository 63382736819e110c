//go:build clients

package export_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/oracle"
	"github.com/seed47566266/understudy/contracts/webapi"
	"github.com/seed47566266/understudy/fixtures"
)

// formCase is a form, its outcome, and what the server says of it.
type formCase struct {
	ID       string         `json:"id"`
	Pairs    [][2]string    `json:"pairs"`
	Outcome  oracle.Outcome `json:"outcome"`
	Messages []string       `json:"messages"`
}

// bodyCase is a JSON body and its outcome.
type bodyCase struct {
	ID      string         `json:"id"`
	Body    string         `json:"body"`
	Outcome oracle.Outcome `json:"outcome"`
}

// TestJudges has the programs that the forms are for read them. make test-exports installs them
// and runs this.
func TestJudges(t *testing.T) {
	for name, page := range map[string][]byte{"AppointmentModel": contracts.Page(), "Order": []byte(twoModels)} {
		t.Run(name, func(t *testing.T) {
			c := contract(t, page)
			folder := t.TempDir()
			write := func(name string, text []byte) {
				require.NoError(t, os.WriteFile(filepath.Join(folder, name), text, 0o600))
			}
			for form, file := range map[string]string{
				"openapi": "openapi.json", "openapi3.0": "openapi3.0.json", "jsonschema": "jsonschema.json",
				"typescript": "typescript.ts", "zod": "zod.ts", "csharp": "csharp.cs", "markdown": "markdown.md",
			} {
				write(file, written(t, form, c))
			}
			forms, bodies := judged(t, c)
			all, err := json.Marshal(map[string]any{"forms": forms, "bodies": bodies})
			require.NoError(t, err)
			write("cases.json", all)
			write("names.json", fmt.Appendf(nil, `{"validator":"validate%s","model":"%s"}`, name,
				strings.ToLower(name[:1])+name[1:]))
			cmd := exec.CommandContext(t.Context(), "node", "judges/judge.mjs", folder)
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s", out)
			t.Logf("%s", out)
		})
	}
}

// judged are the cases that a form can express, and those of a JSON body.
func judged(t *testing.T, c *contracts.Contract) (forms []formCase, bodies []bodyCase) {
	t.Helper()
	op := &c.Operations[0]
	reading, err := oracle.New(op, oracle.Options{Now: time.Date(2026, 2, 3, 0, 0, 0, 0, time.UTC), StrictJSON: true})
	require.NoError(t, err)
	framework, err := webapi.New(op, webapi.Profile{})
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, x := range cases(t, c) {
		r := x.Request
		if r.Method != op.Method || r.Path != "/"+op.Route || x.Rule.Kind == contracts.RuleRequest &&
			x.Outcome == oracle.OutcomeReject {
			continue
		}
		if x.Media != contracts.MediaForm {
			if x.Family != fixtures.FamilyEncoding {
				bodies = append(bodies, bodyCase{x.ID, string(r.Body), x.Outcome})
			}
			if r.Body = asForm(r.Body); r.Body == nil {
				continue
			}
			r = r.WithHeader("Content-Type", contracts.MediaForm)
		}
		pairs, ok := pairsOf(string(r.Body))
		e := reading.Expect(&r)
		if !ok || e.Latitude != "" || e.Outcome == oracle.OutcomeUnspecified || seen[string(r.Body)] {
			continue
		}
		seen[string(r.Body)] = true
		response := framework.Respond(&webapi.Request{Method: r.Method, Target: r.Path, Body: r.Body,
			Header: http.Header{"Content-Type": {contracts.MediaForm}}}, nil)
		require.Equal(t, e.Outcome == oracle.OutcomeReject, response.Status == http.StatusBadRequest, "%s", x.ID)
		forms = append(forms, formCase{x.ID, pairs, e.Outcome, messages(t, response.Body)})
	}
	return forms, bodies
}

// pairsOf are the names and values of a form as a browser has them.
func pairsOf(body string) (pairs [][2]string, ok bool) {
	pairs = [][2]string{}
	for part := range strings.SplitSeq(body, "&") {
		name, value, _ := strings.Cut(part, "=")
		name, err := url.QueryUnescape(name)
		if err != nil {
			return nil, false
		}
		if value, err = url.QueryUnescape(value); err != nil {
			return nil, false
		}
		if body != "" {
			pairs = append(pairs, [2]string{name, value})
		}
	}
	return pairs, true
}

// asForm is a JSON body as a form; nil where a form cannot say it.
func asForm(body []byte) []byte {
	var all map[string]json.RawMessage
	if json.Unmarshal(body, &all) != nil {
		return nil
	}
	form := url.Values{}
	if !addTo(form, "", all) {
		return nil
	}
	return []byte(form.Encode())
}

func addTo(form url.Values, under string, all map[string]json.RawMessage) bool {
	for name, raw := range all {
		if name != strings.TrimSpace(name) || strings.ContainsAny(name, "[]. \x00") {
			return false
		}
		var text string
		var list []map[string]json.RawMessage
		switch raw = bytes.TrimSpace(raw); {
		case string(raw) == "null":
		case json.Unmarshal(raw, &text) == nil:
			form.Set(under+name, text)
		case json.Unmarshal(raw, &list) == nil:
			for i, element := range list {
				if len(element) == 0 || !addTo(form, fmt.Sprintf("%s%s[%d].", under, name, i), element) {
					return false
				}
			}
		case raw[0] == '{' || raw[0] == '[':
			return false
		default:
			form.Set(under+name, string(raw))
		}
	}
	return true
}

// messages are what a response says of fields, or of the whole body.
func messages(t *testing.T, body []byte) []string {
	t.Helper()
	var said struct {
		Message    string
		ModelState map[string][]string
	}
	if json.Unmarshal(body, &said) != nil || said.Message == "" {
		return []string{}
	}
	if said.ModelState == nil {
		return []string{said.Message}
	}
	var all []string
	for key, list := range said.ModelState {
		for _, text := range list {
			all = append(all, strings.TrimPrefix(key, "model.")+": "+text)
		}
	}
	return all
}
