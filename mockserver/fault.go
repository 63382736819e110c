package mockserver

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"
)

// Fault is how a connection is broken.
type Fault string

const (
	// FaultConnectionReset ends the connection with a reset (TCP RST) before a byte is sent.
	FaultConnectionReset Fault = "connection-reset"
	// FaultEmptyResponse closes the connection before a byte is sent.
	FaultEmptyResponse Fault = "empty-response"
	// FaultTruncatedBody sends half of the body that Content-Length declares, and closes.
	FaultTruncatedBody Fault = "truncated-body"
	// FaultMalformedChunk sends half of the body, then a chunk that breaks the grammar.
	FaultMalformedChunk Fault = "malformed-chunk"
	// FaultRandomData sends bytes that are not HTTP, and closes.
	FaultRandomData Fault = "random-data"
	// FaultTimeout sends nothing until the client leaves, MaxDelay at most.
	FaultTimeout Fault = "timeout"
)

// faults has how each breaks a connection of HTTP/1; conn is the mock's alone then. Over
// HTTP/2 each of them resets the stream, truncated-body after half of the body.
var faults = map[Fault]func(s *Server, x *exchange, conn net.Conn, w *bufio.Writer) error{
	FaultConnectionReset: func(_ *Server, _ *exchange, conn net.Conn, _ *bufio.Writer) error {
		under := conn
		if secure, ok := conn.(interface{ NetConn() net.Conn }); ok {
			under = secure.NetConn()
		}
		if tcp, ok := under.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		return under.Close()
	},
	FaultEmptyResponse: func(*Server, *exchange, net.Conn, *bufio.Writer) error { return nil },
	FaultTruncatedBody: func(_ *Server, x *exchange, _ net.Conn, w *bufio.Writer) error {
		half := x.response.Body[:len(x.response.Body)/2]
		x.writeHead(w, "Content-Length", strconv.Itoa(max(len(x.response.Body), 1)))
		_, err := w.Write(half)
		return err
	},
	FaultMalformedChunk: func(_ *Server, x *exchange, _ net.Conn, w *bufio.Writer) error {
		x.writeHead(w, "Transfer-Encoding", "chunked")
		if half := x.response.Body[:len(x.response.Body)/2]; len(half) > 0 {
			_, _ = fmt.Fprintf(w, "%x\r\n%s\r\n", len(half), half)
		}
		_, err := w.WriteString("not a length\r\n")
		return err
	},
	FaultRandomData: func(s *Server, _ *exchange, _ net.Conn, w *bufio.Writer) error {
		data := make([]byte, 256)
		for i := range data {
			data[i] = byte(s.random().Uint32()) | 0x80 // no letter of a status line
		}
		_, err := w.Write(data)
		return err
	},
	FaultTimeout: nil, // as below
}

// FaultNames are the faults there are.
func FaultNames() []string {
	names := make([]string, 0, len(faults))
	for f := range faults {
		names = append(names, string(f))
	}
	slices.Sort(names)
	return names
}

// known reports one of them.
func (f Fault) known() bool {
	_, found := faults[f]
	return found
}

// ofResponse reports a fault in the course of a response, which is the normal one unless
// the scenario has one of its own.
func (f Fault) ofResponse() bool { return f == FaultTruncatedBody || f == FaultMalformedChunk }

func (f *Fault) decode(d *decoder, n *yaml.Node) error {
	if *f = Fault(n.Value); n.Kind != yaml.ScalarNode || !f.known() {
		return d.errorf(n, "unknown fault %q%s", n.Value, didYouMean(n.Value, FaultNames()))
	}
	return nil
}

func (Fault) schema() any { return map[string]any{"enum": FaultNames()} }

// breakConnection does what a fault says. What is sent of the response counts as its body.
func (s *Server) breakConnection(x *exchange) error {
	if x.fault == FaultTimeout {
		timer := time.NewTimer(MaxDelay)
		defer timer.Stop()
		select {
		case <-x.r.Context().Done():
		case <-timer.C:
		case <-s.closing:
		}
		x.abort = true
		return nil
	}
	conn, buffered, err := http.NewResponseController(x.w).Hijack()
	if err != nil { // HTTP/2, or a recorder
		if x.fault == FaultTruncatedBody {
			x.w.Header().Set("Content-Length", strconv.Itoa(max(len(x.response.Body), 1)))
			x.w.WriteHeader(x.response.Status)
			_, _ = x.w.Write(x.response.Body[:len(x.response.Body)/2])
			_ = http.NewResponseController(x.w).Flush()
		}
		x.abort = true
		return nil
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(largePause))
	if err := faults[x.fault](s, x, conn, buffered.Writer); err == nil {
		_ = buffered.Flush() // a client that went away is not an error
	}
	return nil
}

// writeHead writes a status line and the headers, with one more.
func (x *exchange) writeHead(w *bufio.Writer, name, value string) {
	h := x.w.Header()
	h.Del("Content-Length")
	h.Set(name, value)
	h.Set("Connection", "close")
	h.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	var head bytes.Buffer
	_, _ = fmt.Fprintf(&head, "HTTP/1.1 %d %s\r\n", x.response.Status, http.StatusText(x.response.Status))
	_ = h.Write(&head)
	head.WriteString("\r\n")
	_, _ = w.Write(head.Bytes())
}
