package mockserver

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/webapi"
	"github.com/seed47566266/understudy/mockserver/store"
)

// Sent is what came back for a request of [Server.Send].
type Sent struct {
	// ID is the entry of the journal; empty where the journal is off, or shared: an id is given
	// later there.
	ID string
	// Status, Header and Body are the response's; Status is 0 where there was none.
	Status int
	Header http.Header
	Body   []byte
	// Problem is why there is no whole response; empty if there is.
	Problem string
}

// Send sends the mock a request over a connection of its own, in memory: wherever it listens, and
// with all that a network would show of it, broken connections too. Client is the address that the
// request comes from. It fails for what is no request.
func (s *Server) Send(ctx context.Context, r *contracts.Request, client string) (*Sent, error) {
	if err := checkSent(r); err != nil {
		return nil, err
	}
	near, far := net.Pipe()
	defer func() { _ = near.Close() }()
	sent := &Sent{}
	ended, gone := make(chan struct{}), make(chan struct{})
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer close(ended)
			s.serveTracked(&trackedWriter{ResponseWriter: w, sent: sent}, r)
		}),
		ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateClosed {
				close(gone)
			}
		},
		ReadHeaderTimeout: writePause, ErrorLog: log.New(io.Discard, "", 0), DisableGeneralOptionsHandler: true,
	}
	go func() { _ = server.Serve(&pipeListener{conn: &pipeConn{far, client}, done: make(chan struct{})}) }()
	defer func() { _ = server.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = near.Close() })
	defer stop()
	written := make(chan struct{})
	go func() {
		defer close(written)
		_, _ = near.Write(r.Wire("localhost")) // a server may respond before it has read all
	}()
	reader := bufio.NewReader(near)
	response, err := http.ReadResponse(reader, &http.Request{Method: r.Method})
	for err == nil && response.StatusCode < http.StatusOK { // 100, where the request expects it
		response, err = http.ReadResponse(reader, &http.Request{Method: r.Method})
	}
	if err != nil {
		sent.Problem = "the connection ended without a response"
	} else {
		sent.Status, sent.Header = response.StatusCode, response.Header
		most := s.maxBody + 1<<20
		sent.Body, err = io.ReadAll(io.LimitReader(response.Body, most+1))
		_ = response.Body.Close() // it was read
		switch {
		case err != nil:
			sent.Problem = "the connection ended within the response"
		case int64(len(sent.Body)) > most:
			sent.Body = sent.Body[:most]
			sent.Problem = fmt.Sprintf("the response is longer than %d bytes", most)
		}
	}
	_ = near.Close() // whatever is left to be said, nobody reads it
	<-written
	select {
	case <-ended: // it is in the journal
	case <-gone: // net/http has responded itself
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return sent, nil
}

// checkSent looks whether a connection could carry a request, to the mock and not its admin API.
func checkSent(r *contracts.Request) error {
	path, _, _ := strings.Cut(r.Path, "?")
	if decoded, err := url.PathUnescape(path); err == nil {
		path = decoded // as net/http decides by
	}
	switch {
	case !httpguts.ValidHeaderFieldName(r.Method): // a token, as a method is
		return fmt.Errorf("invalid method %q: use one such as POST", printableText(r.Method))
	case !strings.HasPrefix(r.Path, "/") || strings.ContainsFunc(r.Path, func(c rune) bool {
		return c <= ' ' ||
			c == 0x7f
	}):
		return fmt.Errorf("invalid url %q: use a path and query without white space", printableText(r.Path))
	case path == AdminPath || strings.HasPrefix(path, AdminPath+"/"):
		return errors.New("the url is of the admin API: send it a request of its own")
	}
	for _, h := range r.Headers {
		if !httpguts.ValidHeaderFieldName(h.Name) || !httpguts.ValidHeaderFieldValue(h.Value) {
			return fmt.Errorf("invalid header %q", printableText(h.Name))
		}
	}
	return nil
}

// Preview is how the framework would respond to a request: no scenario has a part in it, and the
// journal does not get it.
func (s *Server) Preview(r *contracts.Request) (*contracts.Operation, webapi.Response) {
	request := webapi.Request{Method: r.Method, Target: r.Path, Host: "localhost", Header: http.Header{}, Body: r.Body}
	for _, h := range r.Headers {
		request.Header.Add(h.Name, h.Value)
	}
	found := s.operations[0]
	for _, o := range s.operations {
		if !o.endpoint.Matches(r.Path) {
			continue
		}
		if strings.EqualFold(o.Method, r.Method) {
			found = o
			break
		}
		if !found.endpoint.Matches(r.Path) {
			found = o
		}
	}
	if int64(len(r.Body)) > s.maxBody {
		return found.Operation, found.endpoint.TooLarge(&request, nil)
	}
	return found.Operation, found.endpoint.Respond(&request, nil)
}

// Contract is what the mock was made of.
func (s *Server) Contract() *contracts.Contract { return s.contract }

// Version is that of [WithVersion].
func (s *Server) Version() string { return s.version }

// Requested is an entry of the journal by its id; nil if it is not there. The entry must not be
// changed.
func (s *Server) Requested(id string) (*store.Entry, error) { return s.store.Entry(id) }

// ListensAt tells the mock its address, http://HOST:PORT or unix:PATH, for the console: a mock that
// is a handler does not know it.
func (s *Server) ListensAt(address string) { s.address.Store(&address) }

// Address is that of ListensAt; empty if it was not called.
func (s *Server) Address() string {
	if address := s.address.Load(); address != nil {
		return *address
	}
	return ""
}

// PassesOn is the URL of the real server that requests are passed on to; empty for none.
func (s *Server) PassesOn() string { return s.proxyURL }

// Hides reports that the journal lacks values of the requests.
func (s *Server) Hides() bool { return len(s.hidden) > 0 }

// sendBody is a request to the mock. It is read by encoding/json: a body may be long.
type sendBody struct {
	Method       string       `json:"method" yaml:"method" doc:"method"`
	URL          string       `json:"url" yaml:"url" doc:"path and query"`
	Headers      []sendHeader `json:"headers" yaml:"headers" doc:"headers in order"`
	Body         string       `json:"body" yaml:"body" doc:"body as text"`
	BodyAsBase64 string       `json:"bodyAsBase64" yaml:"bodyAsBase64" doc:"body in base64, in place of body"`
}

type sendHeader struct {
	Name  string `json:"name" yaml:"name" doc:"name"`
	Value string `json:"value" yaml:"value" doc:"value"`
}

// sentJSON is what came back.
type sentJSON struct {
	ID       string        `json:"id,omitempty"`
	Response *responseJSON `json:"response,omitempty"`
	Problem  string        `json:"problem,omitempty"`
}

// ReadRequest reads a request in the form in which /send takes it.
func ReadRequest(from io.Reader) (*contracts.Request, error) {
	text, err := io.ReadAll(from)
	if err != nil {
		return nil, err
	}
	var b sendBody
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&b); err != nil {
		return nil, fmt.Errorf(
			`send {"method": "POST", "url": "/path", "headers": [{"name": "", "value": ""}], "body": ""}: %w`,
			err,
		)
	}
	r := &contracts.Request{Method: b.Method, Path: b.URL, Body: []byte(b.Body)}
	for _, h := range b.Headers {
		r.Headers = append(r.Headers, contracts.Header(h))
	}
	if b.BodyAsBase64 != "" {
		if r.Body, err = base64.StdEncoding.DecodeString(b.BodyAsBase64); err != nil {
			return nil, errors.New("bodyAsBase64 is not base64")
		}
	}
	return r, nil
}

func (a *admin) send(w http.ResponseWriter, r *http.Request) {
	asked, err := ReadRequest(r.Body)
	var sent *Sent
	if err == nil {
		sent, err = a.s.Send(r.Context(), asked, r.RemoteAddr)
	}
	if err != nil {
		respondError(w, err)
		return
	}
	out := sentJSON{ID: sent.ID, Problem: sent.Problem}
	if sent.Status != 0 {
		out.Response = newResponseJSON(sent.Status, store.Header(sent.Header), sent.Body)
	}
	respondJSON(w, http.StatusOK, out)
}

// pipeConn is a connection in memory that comes from somewhere.
type pipeConn struct {
	net.Conn
	client string
}

// RemoteAddr is where the request comes from.
func (c *pipeConn) RemoteAddr() net.Addr { return pipeAddr(c.client) }

type pipeAddr string

func (pipeAddr) Network() string  { return "pipe" }
func (a pipeAddr) String() string { return string(a) }

// pipeListener has one connection.
type pipeListener struct {
	conn net.Conn
	done chan struct{}
}

// Accept gives the connection, and then waits.
func (l *pipeListener) Accept() (net.Conn, error) {
	if conn := l.conn; conn != nil {
		l.conn = nil
		return conn, nil
	}
	<-l.done
	return nil, net.ErrClosed
}

// Close ends the wait.
func (l *pipeListener) Close() error {
	close(l.done)
	return nil
}

// Addr is no address.
func (*pipeListener) Addr() net.Addr { return pipeAddr("pipe") }
