package handlers

import (
	"net/http"
	"strings"

	"github.com/klauspost/compress/gzhttp"
)

// Limits of the compression of a response. Smaller ones fit into one packet anyway. The padding of
// up to maxPadding bytes depends on the first paddedContent bytes, so repeating a request does not
// average it out (docs/security.md, Compression).
const (
	minCompressed    = 1024
	maxPadding       = 32
	paddedContent    = 64 << 10
	compressionLevel = 3
)

// newCompressor returns the middleware that gzips complete responses. It leaves alone what has a
// Content-Encoding already, as /metrics has, and responses with [gzhttp.HeaderNoCompression].
func newCompressor() func(http.Handler) http.HandlerFunc {
	wrap, err := gzhttp.NewWrapper(
		gzhttp.MinSize(minCompressed), gzhttp.CompressionLevel(compressionLevel), gzhttp.EnableZstd(false),
		gzhttp.RandomJitter(maxPadding, paddedContent, false), gzhttp.ContentTypeFilter(isCompressible),
	)
	if err != nil {
		panic("handlers: compression: " + err.Error()) // the options are constants
	}
	return wrap
}

// isCompressible reports whether responses of a content type shrink: pages, JSON and CSV.
func isCompressible(contentType string) bool {
	return strings.HasPrefix(contentType, "text/") || strings.HasPrefix(contentType, "application/json") || contentType == scimMediaType
}

// send sends a complete response, compressed if the client accepts that. The response can't be used
// any more.
func (s *server) send(w http.ResponseWriter, r *http.Request, out *bufferedResponse) {
	defer out.release()
	s.compress(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { out.send(w) })).ServeHTTP(w, r)
}
