package stripelocal

import (
	"net/http"
	"time"
)

// hostedPages serves the hosted pages, the dashboard and their forms.
type hostedPages struct{ *Server }

// pageBase is the data that every page has.
type pageBase struct {
	Title string
}

// messagePage is a page with one message.
type messagePage struct {
	pageBase
	Message  string
	Link     string
	LinkText string
}

func (p hostedPages) mount(mux *http.ServeMux) {
	mux.HandleFunc("GET /c/pay/{id}", p.handle(inFrame(bind(checkoutPages.show))))
	mux.HandleFunc("POST /c/pay/{id}", p.handle(inFrame(bind(checkoutPages.submit))))
	mux.HandleFunc("GET /c/authenticate/{id}", p.handle(inFrame(bind(authenticationPages.show))))
	mux.HandleFunc("POST /c/authenticate/{id}", p.handle(inFrame(bind(authenticationPages.submit))))
	mux.HandleFunc("GET /b/{id}", p.handle(bind(paymentLinks.open)))
	mux.HandleFunc("GET /b/{id}/thanks", p.handle(bind(paymentLinks.thanks)))
	p.mountPortal(mux)
	p.mountStripeJS(mux)
	p.mountDashboard(mux)
	mux.HandleFunc("GET /i/{id}", p.handle(bind(invoicePages.show)))
	mux.HandleFunc("POST /i/{id}", p.handle(bind(invoicePages.pay)))
	mux.HandleFunc("GET /i/{id}/pdf", p.invoicePDF)
	mux.HandleFunc("GET /links/{id}", p.fileLink)
}

func (p hostedPages) render(w http.ResponseWriter, out pageResponse) {
	if err := p.templates.Render(w, out.status, out.template, out.data, out.framed); err != nil {
		p.log.Error("hosted page not rendered", "page", out.template, "err", err)
		http.Error(w, "The page could not be rendered.", http.StatusInternalServerError)
	}
}

func (p hostedPages) notFound(w http.ResponseWriter) {
	p.render(w, noSuchPage())
}

// guardPages rejects cross-origin form posts to the pages and the control endpoints, which require
// no password. API calls require a key instead.
func guardPages(mux http.Handler) http.Handler {
	guarded := http.NewCrossOriginProtection().Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if isAPIPath(req.URL.Path) {
			mux.ServeHTTP(w, req)
			return
		}
		guarded.ServeHTTP(w, req)
	})
}

// formatDate formats the date of a time.
func formatDate(at int64) string { return time.Unix(at, 0).UTC().Format("2 Jan 2006") }
