package handlers

import (
	"bytes"
	"net/http"
	"strconv"
)

// bufferedResponse holds an answer back until it is whole: a page that fails half-way becomes an error page, and a session that can't be saved
// becomes an error instead of a page that promises what did not happen.
type bufferedResponse struct {
	header http.Header
	status int // 0: not set yet
	body   bytes.Buffer
}

func newBufferedResponse() *bufferedResponse { return &bufferedResponse{header: http.Header{}} }

// Header returns the header that will be sent.
func (b *bufferedResponse) Header() http.Header { return b.header }

// WriteHeader sets the status; the first call counts.
func (b *bufferedResponse) WriteHeader(status int) {
	if b.status == 0 {
		b.status = status
	}
}

// Write adds to the body.
func (b *bufferedResponse) Write(p []byte) (int, error) {
	b.WriteHeader(http.StatusOK)
	return b.body.Write(p)
}

// discard forgets what was written; headers stay, so that an error keeps its Allow.
func (b *bufferedResponse) discard() {
	b.status = 0
	b.body.Reset()
}

// send writes the answer out. A client that went away is no error of ours.
func (b *bufferedResponse) send(w http.ResponseWriter) {
	header := w.Header()
	for name, values := range b.header {
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
