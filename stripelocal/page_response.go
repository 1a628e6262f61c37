package stripelocal

import (
	"context"
	"net/http"
)

// maxPageForm bounds what a hosted page may send.
const maxPageForm = 64 << 10

// pageResponse is what a page answers: a redirect, or a template with its data.
type pageResponse struct {
	location   string
	status     int
	template   string
	data       any
	awaitEvent string // event type whose deliveries are attempted before a redirect
}

func redirectTo(location string) pageResponse { return pageResponse{location: location} }

func showPage(template string, data any) pageResponse {
	return pageResponse{status: http.StatusOK, template: template, data: data}
}

// showInvalidForm shows a form again with what is wrong about it.
func showInvalidForm(template string, data any) pageResponse {
	return pageResponse{status: http.StatusUnprocessableEntity, template: template, data: data}
}

func (s *Server) message(status int, title, text string) pageResponse {
	return pageResponse{status: status, template: "message", data: messagePage{pageBase: s.base(title), Message: text}}
}

func (s *Server) noSuchPage() pageResponse {
	return s.message(http.StatusNotFound, "Not found", "There is nothing under this address.")
}

// page serves f as one act. The form is read beforehand: nobody's slow line may
// keep the lock.
func (s *Server) page(f func(r *request, req *http.Request) pageResponse) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		req.Body = http.MaxBytesReader(w, req.Body, maxPageForm)
		if err := req.ParseForm(); err != nil {
			s.answerPage(w, req, s.message(http.StatusBadRequest, "Not understood", "The form could not be read."))
			return
		}
		why := requestInfo{}
		if req.Method == http.MethodPost {
			why = s.newPageRequestInfo()
		}
		var out pageResponse
		var from int64
		_ = s.transact(why, func(r *request) error {
			from = r.store.Deliveries.lastSeq
			r.changed = req.Method == http.MethodPost
			out = f(r, req)
			return nil
		})
		s.await(req, from, out.awaitEvent)
		s.answerPage(w, req, out)
	}
}

// await waits for the first attempts of what the act before had to tell, for as
// long as Checkout would.
func (s *Server) await(req *http.Request, from int64, kind string) {
	if kind == "" {
		return
	}
	ctx, cancel := context.WithTimeout(req.Context(), webhookWait)
	defer cancel()
	waitForFirstAttempts(ctx, s.owedSince(from, kind))
}

func (s *Server) owedSince(from int64, kind string) []*Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	var owed []*Delivery
	for _, d := range s.store.Deliveries.all[position(s.store.Deliveries.all, from+1):] {
		if e, ok := s.store.Events.get(d.Event); ok && e.Type == kind {
			owed = append(owed, d)
		}
	}
	return owed
}

func (s *Server) answerPage(w http.ResponseWriter, req *http.Request, out pageResponse) {
	if out.location != "" {
		http.Redirect(w, req, out.location, http.StatusSeeOther)
		return
	}
	s.render(w, out.status, out.template, out.data)
}

// newPageRequestInfo gives a hosted page's act a request id of its own, as Stripe's
// pages call its API too.
func (s *Server) newPageRequestInfo() requestInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	return requestInfo{RequestID: s.ids.shortID("req_")}
}
