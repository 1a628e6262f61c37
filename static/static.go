// Package static holds the assets that a browser loads: the built style sheet, htmx, small scripts
// and the icon. They are embedded in the program. Their URLs contain a hash of the content, so that
// browsers can cache them without limit and never mix two builds.
//
// It holds no templates. Files that are made or read at startup, such as an adopter's logo, are
// served the same way, see [New]. Start reading at [Path], which pages use, and [Handler].
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

//go:embed usher.css usher.js members.js passkeys.js pricing.js htmx.min.js favicon.svg
var files embed.FS

// prefix is the path under which the routes serve [Handler].
const prefix = "/static/"

// Asset is one file, plain and compressed.
type Asset struct {
	url         string
	contentType string
	plain       []byte
	gzipped     []byte
}

// assetIndex finds assets by file name and by URL.
type assetIndex struct {
	byName map[string]Asset
	byURL  map[string]Asset
}

// Path returns the URL of an asset, /static/name.HASH.ext. It panics if no asset has the name:
// names are constants in templates, so a wrong one fails when its page is first rendered.
func Path(name string) string {
	found, ok := assets().byName[name]
	if !ok {
		panic(fmt.Sprintf("static: no asset is named %q", name))
	}
	return found.url
}

// Handler serves the embedded assets, and more, at their URLs, cacheable for a year, and gzipped if
// the browser accepts it. Every other path is a 404, a name without its hash included. Methods
// other than GET and HEAD are a 405.
func Handler(more ...Asset) http.Handler {
	added := map[string]Asset{}
	for _, a := range more {
		added[a.url] = a
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		found, ok := assets().byURL[r.URL.Path]
		if !ok {
			found, ok = added[r.URL.Path]
		}
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

func (a Asset) serve(w http.ResponseWriter, r *http.Request) {
	body := a.plain
	header := w.Header()
	header.Set("Content-Type", a.contentType)
	header.Set("Cache-Control", "public, max-age=31536000, immutable")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Vary", "Accept-Encoding")
	if strings.HasPrefix(a.contentType, "image/") {
		header.Set("Content-Security-Policy", picturePolicy)
	}
	if acceptsGzip(r.Header.Get("Accept-Encoding")) {
		header.Set("Content-Encoding", "gzip")
		body = a.gzipped
	}
	header.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method == http.MethodHead {
		return
	}
	_, _ = w.Write(body) // fails only if the browser has disconnected
}

// picturePolicy is for whoever opens a picture by its address: an SVG may have styles of its own,
// and runs no scripts and loads nothing, whatever it contains.
const picturePolicy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; sandbox"

// acceptsGzip reports whether an Accept-Encoding header names gzip without a weight of zero (RFC
// 9110, section 12.5.3).
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

// assets hashes and compresses the embedded files once, at the first use.
var assets = sync.OnceValue(func() assetIndex {
	out := assetIndex{byName: map[string]Asset{}, byURL: map[string]Asset{}}
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

// New returns an asset that is not embedded. The name has one of the extensions .css, .svg and
// .png.
func New(name string, content []byte) Asset { return newAsset(name, content) }

// URL is the path of the asset, with a hash of its content.
func (a Asset) URL() string { return a.url }

// ContentType is the media type of the asset.
func (a Asset) ContentType() string { return a.contentType }

func newAsset(name string, content []byte) Asset {
	sum := sha256.Sum256(content)
	ext := path.Ext(name)
	return Asset{
		url:         prefix + strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:6]) + ext,
		contentType: contentTypes[ext],
		plain:       content,
		gzipped:     compressed(content),
	}
}

// contentTypes replaces mime.TypeByExtension, which depends on files of the machine.
var contentTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml; charset=utf-8",
	".png": "image/png",
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
