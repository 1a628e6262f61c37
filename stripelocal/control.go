package stripelocal

import (
	"encoding/json"
	"net/http"
)

// mountControl serves what only a local Stripe has. It asks for no key: it is
// for this machine alone.
func (s *Server) mountControl(mux *http.ServeMux) {
	mux.HandleFunc("GET /_usher/deliveries", s.showDeliveries)
	s.mountWebhookControl(mux)
	s.mountFaults(mux)
	mux.HandleFunc("GET /_usher/clock", s.showClock)
	mux.HandleFunc("POST /_usher/clock", s.moveClock)
	mux.HandleFunc("GET /_usher/settings", s.showSettings)
	mux.HandleFunc("POST /_usher/settings", s.changeSettings)
}

// showDeliveries lists deliveries oldest first; ?status=, ?event= and ?type= narrow it.
func (s *Server) showDeliveries(w http.ResponseWriter, req *http.Request) {
	views := []deliveryView{}
	_ = s.transact(requestInfo{}, func(r *request) error {
		for _, d := range r.store.Deliveries.all {
			view := r.deliveries.view(d)
			if wanted := req.FormValue("status"); wanted != "" && wanted != view.Status {
				continue
			}
			if wanted := req.FormValue("event"); wanted != "" && wanted != view.Event {
				continue
			}
			if wanted := req.FormValue("type"); wanted != "" && !matchesEventType(view.Type, []string{wanted}) {
				continue
			}
			views = append(views, view)
		}
		return nil
	})
	writeJSON(w, http.StatusOK, views)
}

// clockView is the account's time.
type clockView struct {
	Now    int64 `json:"now"`
	Offset int64 `json:"offset_seconds"`
}

func (s *Server) showClock(w http.ResponseWriter, _ *http.Request) {
	var view clockView
	_ = s.transact(requestInfo{}, func(r *request) error {
		view = clockView{Now: r.now, Offset: r.store.ClockOffset}
		return nil
	})
	writeJSON(w, http.StatusOK, view)
}

// moveClock takes to (unix seconds) or by, such as "1 month".
func (s *Server) moveClock(w http.ResponseWriter, req *http.Request) {
	to, err := s.parseClockTarget(req.PostFormValue("to"), req.PostFormValue("by"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.AdvanceClock(to)
	s.showClock(w, req)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
