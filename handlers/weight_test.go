package handlers

import (
	"bytes"
	"compress/gzip"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
)

// Limits of what a first visit transfers, in bytes: headers, page and everything that it loads.
const (
	pricingWeight = 30_000
	pageWeight    = 45_000
)

var weightTable = flag.String("weight-table", "", "write the table of transferred bytes into this Markdown file")

// TestTransferredBytes requests every page of the route map over a connection, loads what each
// page refers to, and counts the bytes on the wire. It prints one line for each page.
func TestTransferredBytes(t *testing.T) {
	h := newOutageEnv(t, outage{})
	var rows []pageBytes
	for _, v := range h.visits() {
		if row, ok := h.countBytes(v); ok {
			rows = append(rows, row)
		}
	}
	slices.SortStableFunc(rows, func(a, b pageBytes) int { return b.firstVisit() - a.firstVisit() })
	table := weightRows(rows)
	t.Log("\n" + table)
	if *weightTable != "" {
		writeWeights(t, *weightTable, table)
	}
	if len(rows) < 40 {
		t.Errorf("%d pages, want 40 or more: pages are missing", len(rows))
	}
}

// pageBytes is what a page transfers.
type pageBytes struct {
	page     string
	html     int // not compressed
	document int // on the wire
	assets   int // on the wire, at the first visit
	before   int // without compression of the page, and with htmx on every page
}

func (p pageBytes) firstVisit() int { return p.document + p.assets }

// countBytes requests a page and fails if it is too heavy; false if the response is no whole page.
func (h *outageEnv) countBytes(v visit) (pageBytes, bool) {
	h.t.Helper()
	got := h.transfer(h.visitor(v), v.address, v.headers...)
	if got.status != http.StatusOK || !bytes.HasPrefix(bytes.ToLower(got.content), []byte("<!doctype html>")) {
		return pageBytes{}, false
	}
	row := pageBytes{page: h.pageName(v), html: len(got.content), document: got.onWire}
	doc, err := goquery.NewDocumentFromReader(bytes.NewReader(got.content))
	if err != nil {
		h.t.Fatal(err)
	}
	for _, address := range loadedBy(doc) {
		row.assets += h.transfer(h.visitor(v), address).onWire
	}
	row.before = len(got.content) + row.assets
	if doc.Find(`script[src*="/htmx."]`).Length() == 0 {
		row.before += htmxWeight
	}
	limit := pageWeight
	if v.route == "/pricing" {
		limit = pricingWeight
	}
	if row.firstVisit() > limit {
		h.t.Errorf("%s: a first visit transfers %d bytes, want at most %d", v.address, row.firstVisit(), limit)
	}
	return row, true
}

// htmxWeight is about what htmx adds to a page.
const htmxWeight = 17_200

// loadedBy returns the addresses of the scripts, styles and images of a page.
func loadedBy(doc *goquery.Document) []string {
	var addresses []string
	doc.Find(`script[src], link[rel="stylesheet"], link[rel="icon"], img[src]`).Each(func(_ int, s *goquery.Selection) {
		address := s.AttrOr("src", s.AttrOr("href", ""))
		if !strings.HasPrefix(address, "data:") && !slices.Contains(addresses, address) {
			addresses = append(addresses, address)
		}
	})
	return addresses
}

// pageName is the address of a visit with its parameter as the route map writes it.
func (h *outageEnv) pageName(v visit) string {
	name := v.route
	if _, query, found := strings.Cut(v.address, "?"); found {
		name += "?" + regexp.MustCompile(`session_id=[^&]+`).ReplaceAllString(query, "session_id=…")
	}
	if v.address == "/billing/invoices/"+h.openInvoice {
		name += " (open)"
	}
	return name
}

// transferred is a response as it was on the wire.
type transferred struct {
	status  int
	header  http.Header
	onWire  int    // header and body
	content []byte // not compressed
}

// transfer requests an address as browsers do over HTTP, accepting gzip.
func (h *testEnv) transfer(b *browser, address string, headers ...string) transferred {
	h.t.Helper()
	got, head, body := b.raw(get, address, append(headers, "Accept-Encoding", "gzip, deflate")...)
	content := body
	if got.Header.Get("Content-Encoding") == "gzip" {
		content = gunzip(h.t, body)
	}
	return transferred{got.StatusCode, got.Header, head + len(body), content}
}

// raw sends a request whose response is not decompressed. It returns the size of the header and the
// body as they were sent.
func (b *browser) raw(method, address string, headers ...string) (got *http.Response, head int, body []byte) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.base+address, http.NoBody)
	if err != nil {
		b.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	plain := *b.client
	plain.Transport = &http.Transport{DisableCompression: true, DisableKeepAlives: true}
	if got, err = plain.Do(r); err != nil {
		b.t.Fatal(err)
	}
	defer got.Body.Close()
	dumped, err := httputil.DumpResponse(got, false)
	if err != nil {
		b.t.Fatal(err)
	}
	if body, err = io.ReadAll(got.Body); err != nil {
		b.t.Fatal(err)
	}
	return got, len(dumped), body
}

func gunzip(t testing.TB, body []byte) []byte {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func weightRows(rows []pageBytes) string {
	var out strings.Builder
	out.WriteString("| Page | Before | First visit | Next visit | HTML, not compressed |\n|---|---|---|---|---|\n")
	kB := func(bytes int) string { return fmt.Sprintf("%.1f kB", float64(bytes)/1000) }
	for _, row := range rows {
		fmt.Fprintf(&out, "| `%s` | %s | %s | %s | %s |\n", row.page, kB(row.before), kB(row.firstVisit()), kB(row.document), kB(row.html))
	}
	return out.String()
}

// writeWeights replaces the table after the marker in a file.
func writeWeights(t *testing.T, path, table string) {
	t.Helper()
	const marker = "<!-- weight-table -->\n"
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, after, found := strings.Cut(string(content), marker)
	if !found {
		t.Fatalf("%s has no %q", path, marker)
	}
	after = strings.TrimLeft(after, "\n")
	for strings.HasPrefix(after, "|") {
		_, after, _ = strings.Cut(after, "\n")
	}
	if err := os.WriteFile(path, []byte(before+marker+"\n"+table+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
