// Package static holds the assets a browser fetches: the built style sheet, htmx, a little script and the icon. They are embedded in
// the program and named by their content, so that a browser may keep each one for good and a new build is never mixed with an old one.
//
// Kept out: templates, and anything made at run time.
package static

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
)

//go:embed usher.css usher.js htmx.min.js favicon.svg
var files embed.FS

// prefix is where the routes serve [Handler].
const prefix = "/static/"

// asset is one embedded file, ready to be sent either way.
type asset struct {
	url         string
	contentType string
	plain       []byte
	gzipped     []byte
}

// catalogue finds assets by their name here and by the URL they are served at.
type catalogue struct {
	byName map[string]asset
	byURL  map[string]asset
}

// Path returns the URL of an asset, /static/name.HASH.ext. It panics on a name that isn't embedded: names are constants in the
// templates, so that a wrong one fails the first time its page is rendered.
func Path(name string) string {
	found, ok := assets().byName[name]
	if !ok {
		panic(fmt.Sprintf("static: no asset is named %q", name))
	}
	return found.url
}

// Handler serves the assets at the URLs that [Path] returns, to be kept for a year, gzipped where the browser takes it. Every other
// path is 404, a name without its hash too; every method but GET and HEAD is 405.
func Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		found, ok := assets().byURL[r.URL.Path]
		switch {
		case !ok:
			http.NotFound(w, r)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
		default:
			found.serve(w, r)
		}
	})
}

func (a asset) serve(w http.ResponseWriter, r *http.Request) {
	body := a.plain
	header := w.Header()
	header.Set("Content-Type", a.contentType)
	header.Set("Cache-Control", "public, max-age=31536000, immutable")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Vary", "Accept-Encoding")
	if acceptsGzip(r.Header.Get("Accept-Encoding")) {
		header.Set("Content-Encoding", "gzip")
		body = a.gzipped
	}
	header.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method == http.MethodHead {
		return
	}
	// A browser that went away is no error of ours.
	_, _ = w.Write(body)
}

// acceptsGzip reads an Accept-Encoding header as far as this needs it: gzip is named and not refused by a weight of zero
// (RFC 9110, section 12.5.3).
func acceptsGzip(header string) bool {
	for offer := range strings.SplitSeq(header, ",") {
		coding, weight, _ := strings.Cut(strings.TrimSpace(offer), ";")
		if strings.EqualFold(strings.TrimSpace(coding), "gzip") {
			q, found := strings.CutPrefix(strings.TrimSpace(weight), "q=")
			value, err := strconv.ParseFloat(q, 64)
			return !found || (err == nil && value > 0)
		}
	}
	return false
}

// assets hashes and compresses everything once, at the first use. The embedded files never change, so neither does the answer.
var assets = sync.OnceValue(func() catalogue {
	out := catalogue{byName: map[string]asset{}, byURL: map[string]asset{}}
	entries, err := files.ReadDir(".")
	if err != nil {
		panic(fmt.Sprintf("static: list the embedded files: %v", err))
	}
	for _, entry := range entries {
		content, err := files.ReadFile(entry.Name())
		if err != nil {
			panic(fmt.Sprintf("static: read %s: %v", entry.Name(), err))
		}
		made := newAsset(entry.Name(), content)
		out.byName[entry.Name()] = made
		out.byURL[made.url] = made
	}
	return out
})

func newAsset(name string, content []byte) asset {
	sum := sha256.Sum256(content)
	ext := path.Ext(name)
	return asset{
		url:         prefix + strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:6]) + ext,
		contentType: contentTypes[ext],
		plain:       content,
		gzipped:     compressed(content),
	}
}

// contentTypes is a table of our own because mime.TypeByExtension answers from the machine's files.
var contentTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

func compressed(content []byte) []byte {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		panic(fmt.Sprintf("static: gzip: %v", err))
	}
	if _, err := w.Write(content); err != nil {
		panic(fmt.Sprintf("static: gzip: %v", err))
	}
	if err := w.Close(); err != nil {
		panic(fmt.Sprintf("static: gzip: %v", err))
	}
	return out.Bytes()
}
