package stripelocal

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"strings"
	"time"
)

//go:embed pages/*.html pages/style.css
var pageFiles embed.FS

// pageSet renders the hosted pages: plain forms without scripts.
type pageSet struct {
	templates *template.Template
	style     template.CSS
	policy    string
}

// pageBase is what every page begins with.
type pageBase struct {
	Title string
	Style template.CSS
}

// messagePage says one thing.
type messagePage struct {
	pageBase
	Message  string
	Link     string
	LinkText string
}

func newPageSet() (*pageSet, error) {
	css, err := pageFiles.ReadFile("pages/style.css")
	if err != nil {
		return nil, err
	}
	templates, err := template.New("pages").Funcs(template.FuncMap{"rowsOf": rowsOf}).ParseFS(pageFiles, "pages/*.html")
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(css)
	return &pageSet{
		templates: templates,
		style:     template.CSS(css),
		// No form-action: browsers hold it against the redirect to success_url
		// too, which is another origin.
		policy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; frame-ancestors 'none'",
	}, nil
}

func (s *Server) mountPages(mux *http.ServeMux) {
	mux.HandleFunc("GET /c/pay/{id}", s.page(bind(checkoutPages.show)))
	mux.HandleFunc("POST /c/pay/{id}", s.page(bind(checkoutPages.submit)))
	mux.HandleFunc("GET /c/authenticate/{id}", s.page(bind(authenticationPages.show)))
	mux.HandleFunc("POST /c/authenticate/{id}", s.page(bind(authenticationPages.submit)))
	mux.HandleFunc("POST /_usher/checkout_sessions/{id}/settle", s.settleSession)
	s.mountPortal(mux)
	s.mountDashboard(mux)
	mux.HandleFunc("GET /i/{id}", s.page(bind(invoicePages.show)))
	mux.HandleFunc("POST /i/{id}", s.page(bind(invoicePages.pay)))
	mux.HandleFunc("GET /i/{id}/pdf", s.serveInvoicePDF)
}

func (s *Server) base(title string) pageBase { return pageBase{Title: title, Style: s.pages.style} }

func (s *Server) render(w http.ResponseWriter, status int, name string, page any) {
	var out bytes.Buffer
	if err := s.pages.templates.ExecuteTemplate(&out, name, page); err != nil {
		s.log.Error("render hosted page", "page", name, "error", err)
		http.Error(w, "The page could not be rendered.", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", s.pages.policy)
	h.Set("Cache-Control", "no-store")
	// Not no-referrer: that would empty the Origin that guardPages looks at.
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = out.WriteTo(w)
}

func (s *Server) say(w http.ResponseWriter, status int, title, message string) {
	s.render(w, status, "message", messagePage{pageBase: s.base(title), Message: message})
}

func (s *Server) notFoundPage(w http.ResponseWriter) {
	s.say(w, http.StatusNotFound, "Not found", "There is nothing under this address.")
}

// guardPages refuses what another site has a browser post to the pages and the
// controls: they ask for no password. The API asks for a key.
func guardPages(mux http.Handler) http.Handler {
	guarded := http.NewCrossOriginProtection().Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if strings.HasPrefix(req.URL.Path, "/v1/") {
			mux.ServeHTTP(w, req)
			return
		}
		guarded.ServeHTTP(w, req)
	})
}

// formatDate writes a moment's date for people.
func formatDate(at int64) string { return time.Unix(at, 0).UTC().Format("2 Jan 2006") }
