package stripelocal

import (
	"context"
	"net/http"
)

// maxPageForm bounds what a hosted page may send.
const maxPageForm = 64 << 10

// reply is what a page answers: a redirect, or a template with its data.
type reply struct {
	location string
	status   int
	template string
	data     any
	awaits   string // event type whose deliveries are attempted before a redirect
}

func seeOther(location string) reply { return reply{location: location} }

func show(template string, data any) reply {
	return reply{status: http.StatusOK, template: template, data: data}
}

// mend shows a form again with what is wrong about it.
func mend(template string, data any) reply {
	return reply{status: http.StatusUnprocessableEntity, template: template, data: data}
}

func (s *Server) message(status int, title, text string) reply {
	return reply{status: status, template: "message", data: messagePage{pageBase: s.base(title), Message: text}}
}

func (s *Server) noSuchPage() reply {
	return s.message(http.StatusNotFound, "Not found", "There is nothing under this address.")
}

// page serves f as one act. The form is read beforehand: nobody's slow line may
// keep the lock.
func (s *Server) page(f func(r *request, req *http.Request) reply) http.HandlerFunc {
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
		var out reply
		var from int64
		_ = s.transact(why, func(r *request) error {
			from = r.state.Deliveries.last
			r.changed = req.Method == http.MethodPost
			out = f(r, req)
			return nil
		})
		s.await(req, from, out.awaits)
		s.answerPage(w, req, out)
	}
}

// await waits for the first attempts of what the act before had to tell, for as
// long as Checkout would.
func (s *Server) await(req *http.Request, from int64, kind string) {
	if kind == "" {
		return
	}
	ctx, cancel := context.WithTimeout(req.Context(), acknowledgeWait)
	defer cancel()
	awaitFirst(ctx, s.owedSince(from, kind))
}

func (s *Server) owedSince(from int64, kind string) []*Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	var owed []*Delivery
	for _, d := range s.state.Deliveries.all[place(s.state.Deliveries.all, from+1):] {
		if e, ok := s.state.Events.get(d.Event); ok && e.Type == kind {
			owed = append(owed, d)
		}
	}
	return owed
}

func (s *Server) answerPage(w http.ResponseWriter, req *http.Request, out reply) {
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
	return requestInfo{RequestID: s.ids.short("req_")}
}
