package stripelocal

import (
	"context"
	"net/http"
)

// maxPageForm limits the size of a hosted page's form.
const maxPageForm = 64 << 10

// pageResponse is a redirect, or a template with its data.
type pageResponse struct {
	location   string
	status     int
	template   string
	data       any
	framed     bool   // pages of other origins may show it in a frame, as Stripe.js does
	awaitEvent string // delay a redirect until the first delivery attempts of this event type
}

func redirectTo(location string) pageResponse { return pageResponse{location: location} }

func showPage(template string, data any) pageResponse {
	return pageResponse{status: http.StatusOK, template: template, data: data}
}

// showInvalidForm shows a form again with its errors, as a 422.
func showInvalidForm(template string, data any) pageResponse {
	return pageResponse{status: http.StatusUnprocessableEntity, template: template, data: data}
}

func message(status int, title, text string) pageResponse {
	return pageResponse{status: status, template: "message", data: messagePage{pageBase: pageBase{title}, Message: text}}
}

func noSuchPage() pageResponse {
	return message(http.StatusNotFound, "Not found", "There is nothing under this address.")
}

// handle serves f in a transaction. It reads the form before it takes the lock, so that a slow
// client does not block the server.
func (p hostedPages) handle(f func(r *request, req *http.Request) pageResponse) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		req.Body = http.MaxBytesReader(w, req.Body, maxPageForm)
		if err := req.ParseForm(); err != nil {
			p.respond(w, req, message(http.StatusBadRequest, "Not understood", "The form could not be read."))
			return
		}
		info := requestInfo{}
		if req.Method == http.MethodPost {
			info = p.newPageRequestInfo()
		}
		var out pageResponse
		var from int64
		_ = p.transact(info, func(r *request) error {
			from = r.store.Deliveries.lastSeq
			r.changed = req.Method == http.MethodPost
			out = f(r, req)
			return nil
		})
		p.awaitDeliveries(req, from, out.awaitEvent)
		p.respond(w, req, out)
	}
}

// awaitDeliveries waits for the first attempts of the deliveries created since a sequence number,
// at most webhookWait.
func (p hostedPages) awaitDeliveries(req *http.Request, from int64, kind string) {
	if kind == "" {
		return
	}
	ctx, cancel := context.WithTimeout(req.Context(), webhookWait)
	defer cancel()
	waitForFirstAttempts(ctx, p.deliveriesSince(from, kind))
}

func (p hostedPages) deliveriesSince(from int64, kind string) []*Delivery {
	p.mu.Lock()
	defer p.mu.Unlock()
	var deliveries []*Delivery
	for _, d := range p.store.Deliveries.all[position(p.store.Deliveries.all, from+1):] {
		if e, ok := p.store.Events.get(d.Event); ok && e.Type == kind {
			deliveries = append(deliveries, d)
		}
	}
	return deliveries
}

func (p hostedPages) respond(w http.ResponseWriter, req *http.Request, out pageResponse) {
	if out.location != "" {
		http.Redirect(w, req, out.location, http.StatusSeeOther)
		return
	}
	p.render(w, out)
}

// newPageRequestInfo gives a hosted page's transaction a request id, because Stripe's pages call
// its API too.
func (s *Server) newPageRequestInfo() requestInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	return requestInfo{RequestID: s.ids.shortID("req_")}
}
