// Package broker publishes pacts to a Pact Broker, and the results of a run to PactFlow.
//
// [Broker.PublishPacts] publishes what consumers expect. [Broker.PublishResults] publishes a
// provider's contract with the outcome of its own verification, which PactFlow compares with
// the consumers' pacts. Both find their address in the broker's index, as its other clients do.
//
// The token goes to the broker's own host alone, and over plain HTTP to loopback alone. What the
// network or the broker fails at for a while is tried again.
package broker

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// Version is the version of an application that something is published for.
type Version struct {
	// Number is unique for each content: a commit, as a rule.
	Number string
	// Branch is the repository's; empty for none.
	Branch string
	// Tags are further names of the version.
	Tags []string
	// BuildURL is the page of the build; empty for none.
	BuildURL string
}

// Contract is what a provider says of itself.
type Contract struct {
	// Provider is the name of the application.
	Provider string
	// OpenAPI is its contract as an OpenAPI document in JSON.
	OpenAPI []byte
	// Success is the outcome of its verification, and Report the text about it.
	Success bool
	Report  []byte
	// Verifier and VerifierVersion are what verified it.
	Verifier, VerifierVersion string
}

// Broker is a Pact Broker.
type Broker struct {
	// URL is its address.
	URL string
	// Token is its bearer token; empty for none.
	Token string
	// Retries is how often a request is sent again that failed for a while.
	Retries int
	// Pause is how long to wait before the first of them, twice as long before each further one;
	// 0 is half a second. What the broker says in Retry-After counts for more.
	Pause time.Duration
}

// Error is a broker's rejection.
type Error struct {
	// Status is that of its response; 0 where there was none.
	Status int
	// Away marks a broker that could not be reached, or failed for a while.
	Away bool
	// Problem is what was wrong and what to do.
	Problem string
}

func (e *Error) Error() string { return e.Problem }

const (
	// longest bounds a response of a broker, in bytes.
	longest = 1 << 20
	// timeout is for one request.
	timeout = 15 * time.Second
	// longestPause bounds how long a broker may have a client wait.
	longestPause = 30 * time.Second
)

// The links of the index that are followed, each with the name that the other kind of broker has.
var (
	publishPacts   = []string{"pb:publish-contracts"}
	publishResults = []string{"pf:publish-provider-contract", "pb:publish-provider-contract"}
)

// Pact is the file of one.
type Pact struct {
	// Name is the file's, for errors.
	Name string
	// Text is what it holds.
	Text []byte
}

// PublishPacts publishes pacts for a version of their consumer, all or none, and returns what the
// broker says of it. The error is about a file that is not a pact, or an *[Error].
func (b *Broker) PublishPacts(ctx context.Context, v Version, pacts []Pact) (notices []string, err error) {
	type contract struct {
		Consumer      string `json:"consumerName"`
		Provider      string `json:"providerName"`
		Specification string `json:"specification"`
		ContentType   string `json:"contentType"`
		Content       []byte `json:"content"` // in Base64
	}
	all := make([]contract, len(pacts))
	for i, pact := range pacts {
		var names struct{ Consumer, Provider struct{ Name string } }
		err := json.Unmarshal(pact.Text, &names)
		if err != nil || names.Consumer.Name == "" || names.Provider.Name == "" {
			return nil, fmt.Errorf("%s is not a pact: it names no consumer and provider", pact.Name)
		}
		all[i] = contract{names.Consumer.Name, names.Provider.Name, "pact", "application/json", pact.Text}
		if names.Consumer.Name != all[0].Consumer {
			return nil, fmt.Errorf("the pacts are of two consumers, %s and %s: publish those of one at a time",
				all[0].Consumer, names.Consumer.Name)
		}
	}
	if len(all) == 0 {
		return nil, errors.New("there are no pacts to publish")
	}
	return b.publish(ctx, publishPacts, "", map[string]any{
		"pacticipantName": all[0].Consumer, "pacticipantVersionNumber": v.Number, "contracts": all,
	}, v)
}

// PublishResults publishes a provider's contract and the outcome of its own verification, and
// returns what PactFlow says of it. The error is an *[Error].
func (b *Broker) PublishResults(ctx context.Context, v Version, c Contract) (notices []string, err error) {
	return b.publish(ctx, publishResults, c.Provider, map[string]any{
		"pacticipantVersionNumber": v.Number,
		"contract": map[string]any{
			"content": base64.StdEncoding.EncodeToString(c.OpenAPI), "contentType": "application/json",
			"specification": "oas",
			"selfVerificationResults": map[string]any{
				"success": c.Success, "content": base64.StdEncoding.EncodeToString(c.Report),
				"contentType": "text/plain", "format": "text",
				"verifier": c.Verifier, "verifierVersion": c.VerifierVersion,
			},
		},
	}, v)
}

// publish sends what is common to both.
func (b *Broker) publish(
	ctx context.Context, links []string, provider string, body map[string]any, v Version,
) (notices []string, err error) {
	if v.Branch != "" {
		body["branch"] = v.Branch
	}
	if v.BuildURL != "" {
		body["buildUrl"] = v.BuildURL
	}
	if len(v.Tags) > 0 {
		body["tags"] = v.Tags
	}
	base, err := b.base()
	if err != nil {
		return nil, err
	}
	var index struct {
		Links map[string]json.RawMessage `json:"_links"` // some are lists, which are not followed
	}
	if err := b.do(ctx, http.MethodGet, base, nil, &index); err != nil {
		return nil, err
	}
	for _, name := range links {
		var link struct{ Href string }
		if json.Unmarshal(index.Links[name], &link) != nil || link.Href == "" {
			continue
		}
		href := strings.ReplaceAll(link.Href, "{provider}", url.PathEscape(provider))
		to, err := base.Parse(href)
		if err != nil || to.Host != base.Host || to.Scheme != base.Scheme {
			return nil, &Error{Problem: fmt.Sprintf("the link %s of the broker's index leads to another host: the "+
				"token is not sent there", name)}
		}
		var said struct {
			Notices []struct{ Text string }
		}
		if err := b.do(ctx, http.MethodPost, to, body, &said); err != nil {
			return nil, err
		}
		for _, n := range said.Notices {
			notices = append(notices, n.Text)
		}
		return notices, nil
	}
	return nil, &Error{Problem: fmt.Sprintf("%s is not a broker that can do this: its index has no link %s", base,
		strings.Join(links, " or "))}
}

// base is the address of the index.
func (b *Broker) base() (*url.URL, error) {
	if strings.Contains(b.URL, "@") {
		return nil, &Error{Problem: "the broker's address has credentials in it: put a token into the environment " +
			"instead"}
	}
	base, err := url.Parse(strings.TrimSuffix(b.URL, "/") + "/")
	switch {
	case err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https":
		return nil, &Error{Problem: "invalid address of a broker: use http://HOST or https://HOST"}
	case base.Scheme == "http" && b.Token != "" && !isLoopback(base.Hostname()):
		return nil, &Error{Problem: fmt.Sprintf("the token would go to %s unencrypted: use https", base.Host)}
	}
	return base, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// do sends a request, again if need be, and reads the JSON of its response.
func (b *Broker) do(ctx context.Context, method string, to *url.URL, body, into any) error {
	var text io.ReadSeeker
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return err
		}
		text = bytes.NewReader(encoded)
	}
	request, err := retryablehttp.NewRequestWithContext(ctx, method, to.String(), text)
	if err != nil {
		return &Error{Problem: err.Error()}
	}
	request.Header.Set("Accept", "application/hal+json, application/json")
	request.Header.Set("User-Agent", "understudy")
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if b.Token != "" {
		request.Header.Set("Authorization", "Bearer "+b.Token)
	}
	response, err := b.client().Do(request)
	if err != nil {
		return &Error{Away: true, Problem: fmt.Sprintf("cannot reach the broker at %s: %s", to.Host, cause(err))}
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(io.LimitReader(response.Body, longest))
	if err != nil {
		return &Error{Away: true, Problem: fmt.Sprintf("cannot read the broker's response: %s", cause(err))}
	}
	if response.StatusCode/100 != 2 {
		status := response.StatusCode
		return &Error{status, status >= 500 || status == http.StatusTooManyRequests, b.rejection(status, to, content)}
	}
	if err := json.Unmarshal(content, into); err != nil {
		return &Error{Problem: fmt.Sprintf("%s responds with something else than JSON: is it a Pact Broker?", to)}
	}
	return nil
}

// client sends requests again after errors of the network, 429 and 5xx.
func (b *Broker) client() *retryablehttp.Client {
	c := retryablehttp.NewClient()
	c.Logger = nil
	c.RetryMax = b.Retries
	c.RetryWaitMin, c.RetryWaitMax = b.Pause, longestPause
	if b.Pause == 0 {
		c.RetryWaitMin = time.Second / 2
	}
	// A Retry-After counts, up to the same bound.
	c.Backoff = func(least, most time.Duration, attempt int, response *http.Response) time.Duration {
		return min(retryablehttp.DefaultBackoff(least, most, attempt, response), longestPause)
	}
	c.ErrorHandler = retryablehttp.PassthroughErrorHandler
	c.HTTPClient.Timeout = timeout
	// A redirect would carry the token, or lose the body.
	c.HTTPClient.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c
}

// cause is what went wrong with a request, without its address.
func cause(err error) string {
	var of *url.Error
	if errors.As(err, &of) {
		err = of.Err
	}
	return err.Error()
}

// rejection says what a status means, and what the broker says of it.
func (b *Broker) rejection(status int, to *url.URL, content []byte) string {
	said := says(content)
	if said != "" {
		said = ": " + said
	}
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		if b.Token == "" {
			return fmt.Sprintf("the broker asks for a token (%d)%s", status, said)
		}
		return fmt.Sprintf("the broker does not take the token (%d): use one that may publish%s", status, said)
	case http.StatusConflict:
		return "this version is published with another content (409): use a new version" + said
	case http.StatusNotFound:
		return fmt.Sprintf("there is no broker at %s (404)%s", to, said)
	}
	return fmt.Sprintf("the broker at %s responded with %d%s", to.Host, status, said)
}

// says is what a broker says of an error, in one of the forms that it has for that.
func says(content []byte) string {
	var forms struct {
		Notices []struct{ Text string }
		Errors  json.RawMessage
		Error   json.RawMessage
		Message string
	}
	if json.Unmarshal(content, &forms) != nil {
		return ""
	}
	var all []string
	for _, n := range forms.Notices {
		all = append(all, n.Text)
	}
	if forms.Message != "" {
		all = append(all, forms.Message)
	}
	for _, raw := range []json.RawMessage{forms.Errors, forms.Error} {
		var list []string
		var byField map[string][]string
		var one struct{ Message string }
		switch {
		case json.Unmarshal(raw, &list) == nil:
			all = append(all, list...)
		case json.Unmarshal(raw, &byField) == nil:
			for _, field := range slices.Sorted(maps.Keys(byField)) {
				all = append(all, field+" "+strings.Join(byField[field], ", "))
			}
		case json.Unmarshal(raw, &one) == nil && one.Message != "":
			all = append(all, one.Message)
		}
	}
	const most = 300
	text := strings.Join(all, "; ")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}
