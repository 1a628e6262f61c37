// Package pages renders the hosted pages and the dashboard of the local Stripe: plain forms without
// scripts, in one stylesheet. It holds the templates and the response headers. The data of each
// page and the rules for showing it are in package stripelocal.
package pages

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
)

//go:embed *.html style.css
var files embed.FS

// Set is the parsed templates of all pages. It is safe for concurrent use.
type Set struct {
	templates *template.Template
	policy    string // the Content-Security-Policy
}

// New parses the templates.
func New() (*Set, error) {
	css, err := files.ReadFile("style.css")
	if err != nil {
		return nil, fmt.Errorf("read style: %w", err)
	}
	functions := template.FuncMap{
		"style":    func() template.CSS { return template.CSS(css) },
		"withBack": func(table any, back string) tableWithBack { return tableWithBack{table, back} },
	}
	templates, err := template.New("pages").Funcs(functions).ParseFS(files, "*.html")
	if err != nil {
		return nil, fmt.Errorf("parse templates: %w", err)
	}
	sum := sha256.Sum256(css)
	return &Set{
		templates: templates,
		// There is no form-action: browsers apply it to the redirect to success_url too, which is
		// another origin.
		policy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'",
	}, nil
}

// tableWithBack is a dashboard table and the path that its forms return to.
type tableWithBack struct {
	Table any
	Back  string
}

// Render writes a page. A framed one may be shown in a frame by pages of other origins. An error
// means that nothing was written; a failed write to the client is ignored.
func (s *Set) Render(w http.ResponseWriter, status int, name string, data any, framed bool) error {
	var out bytes.Buffer
	if err := s.templates.ExecuteTemplate(&out, name, data); err != nil {
		return fmt.Errorf("render page %s: %w", name, err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", s.policy)
	if !framed {
		h.Add("Content-Security-Policy", "frame-ancestors 'none'")
	}
	h.Set("Cache-Control", "no-store")
	// The referrer policy is not no-referrer: that would empty the Origin header, which the
	// cross-origin protection checks.
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = out.WriteTo(w)
	return nil
}
