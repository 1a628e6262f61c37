package handlers

import (
	"bytes"
	"net/http"
	"strconv"
	"sync"
)

// bufferedResponse holds a response until it is complete. If rendering fails half-way or the
// session cannot be saved, the error page is sent instead.
type bufferedResponse struct {
	header http.Header
	status int // 0: not set yet
	body   *bytes.Buffer
}

// maxPooledBody is the largest body whose memory is kept for the next response.
const maxPooledBody = 256 << 10

var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

func newBufferedResponse() *bufferedResponse {
	return &bufferedResponse{header: http.Header{}, body: bodies.Get().(*bytes.Buffer)}
}

// release gives the memory of the body to the next response. Only a response that was sent may be
// released.
func (b *bufferedResponse) release() {
	if b.body.Cap() <= maxPooledBody {
		b.body.Reset()
		bodies.Put(b.body)
	}
	b.body = nil
}

// Header returns the header that will be sent.
func (b *bufferedResponse) Header() http.Header { return b.header }

// WriteHeader sets the status; only the first call has an effect.
func (b *bufferedResponse) WriteHeader(status int) {
	if b.status == 0 {
		b.status = status
	}
}

// Write appends to the body.
func (b *bufferedResponse) Write(p []byte) (int, error) {
	b.WriteHeader(http.StatusOK)
	return b.body.Write(p)
}

// copyTo writes the response to another one that is not sent yet.
func (b *bufferedResponse) copyTo(w http.ResponseWriter) {
	for name, values := range b.header {
		w.Header()[name] = values
	}
	w.WriteHeader(b.status)
	_, _ = w.Write(b.body.Bytes())
}

// discard clears status and body. It keeps the headers, so that a 405 keeps its Allow.
func (b *bufferedResponse) discard() {
	b.status = 0
	b.body.Reset()
}

// send writes the response. Write errors are ignored: they mean that the client disconnected.
func (b *bufferedResponse) send(w http.ResponseWriter) {
	header := w.Header()
	for name, values := range b.header {
		if name == "Vary" { // the compression has its own
			values = append(header[name], values...)
		}
		header[name] = values
	}
	if b.status == 0 {
		b.status = http.StatusOK
	}
	if b.status != http.StatusNoContent && b.status != http.StatusNotModified {
		header.Set("Content-Length", strconv.Itoa(b.body.Len()))
	}
	w.WriteHeader(b.status)
	_, _ = w.Write(b.body.Bytes())
}
