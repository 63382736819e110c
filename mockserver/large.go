package mockserver

import (
	"context"
	"net/http"
	"slices"
	"time"

	"golang.org/x/sync/semaphore"
)

// The framework's response to a hostile body can be long: one of 1 MiB whose list
// has half a million wrong elements gets 26 MB, and takes memory and time with it.
// What is large is therefore let in by its bytes, in the order of arrival, and
// what is small never waits for it.
const (
	// largeBody is the length in bytes from which a body is large: a dozen of the
	// page's samples.
	largeBody = 16 << 10
	// reading is how many bytes of large bodies are held at a time, working how many
	// of them are worked on, up to the last byte of the response. Work takes about 80
	// times its bytes.
	reading = 32 << 20
	working = 1 << 20
	// waiting is how many bytes of large requests and responses wait at a time for something else
	// than work: a delay, a real server, a client that is sent a response slowly.
	waiting = 64 << 20
	// largePause is how long a client may send nothing of a large body that was let in,
	// or read nothing of a large response: it holds its place meanwhile.
	largePause = 5 * time.Second
	// largeChunk is what must be read of a response in that time.
	largeChunk = 64 << 10
)

// gate lets large requests in.
type gate struct {
	reading, working, waiting *semaphore.Weighted
	begin                     func() (end func())
}

func newGate(maxBody int64, begin func() (end func())) *gate {
	return &gate{
		semaphore.NewWeighted(max(reading, maxBody)), semaphore.NewWeighted(working),
		semaphore.NewWeighted(max(waiting, maxBody)), begin,
	}
}

// admit waits until a body of that many bytes may be held. It fails when the
// client goes away first.
func (g *gate) admit(ctx context.Context, bytes int64) (leave func(), err error) {
	if err := g.reading.Acquire(ctx, bytes); err != nil {
		return nil, err
	}
	return func() { g.reading.Release(bytes) }, nil
}

// start waits until a body of that many bytes may be worked on.
func (g *gate) start(ctx context.Context, bytes int64) (finish func(), err error) {
	bytes = min(bytes, working)
	if err := g.working.Acquire(ctx, bytes); err != nil {
		return nil, err
	}
	end := g.begin()
	return func() {
		end()
		g.working.Release(bytes)
	}, nil
}

// wait makes way for other large requests while this one waits for something else than work, as
// long as there is room for those that do.
func (g *gate) wait(x *exchange) {
	bytes := int64(cap(x.request.Body) + cap(x.response.Body))
	if len(x.done) == 0 || !g.waiting.TryAcquire(bytes) {
		return
	}
	x.finish()
	x.done = append(x.done, func() { g.waiting.Release(bytes) })
}

// pause says how long a client may send nothing; 0 is no limit. A connection without
// deadlines has none to set.
func pause(w http.ResponseWriter, longest time.Duration) {
	var end time.Time
	if longest > 0 {
		end = time.Now().Add(longest)
	}
	_ = http.NewResponseController(w).SetReadDeadline(end)
}

// writeSlowly writes a response at a rate, for as long as the client reads on. What is left after
// MaxDelay is written at once.
func (s *Server) writeSlowly(x *exchange, body []byte) {
	control := http.NewResponseController(x.w) // a connection without deadlines has none to set
	const pieces = 10                          // a second
	ctx, cancel := context.WithTimeout(x.r.Context(), MaxDelay)
	defer cancel()
	for chunk := range slices.Chunk(body, max(x.rate/pieces, 1)) {
		_ = control.SetWriteDeadline(time.Now().Add(largePause))
		if _, err := x.w.Write(chunk); err != nil {
			return // a client that went away is not an error
		}
		_ = control.Flush()
		s.sleep(ctx, time.Duration(len(chunk))*time.Second/time.Duration(x.rate))
	}
	_ = control.SetWriteDeadline(time.Time{})
}

// writeLarge writes a response for as long as the client reads on.
func writeLarge(w http.ResponseWriter, body []byte) {
	control := http.NewResponseController(w) // a connection without deadlines has none to set
	for chunk := range slices.Chunk(body, largeChunk) {
		_ = control.SetWriteDeadline(time.Now().Add(largePause))
		if _, err := w.Write(chunk); err != nil {
			return // a client that went away is not an error
		}
	}
	_ = control.Flush() // under the deadline, which is not for the next response
	_ = control.SetWriteDeadline(time.Time{})
}
