package stripelocal

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
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

// deliveryView is one delivery as /_usher/deliveries shows it.
type deliveryView struct {
	ID         string `json:"id"`
	Event      string `json:"event"`
	Type       string `json:"type"`
	URL        string `json:"url"`
	Attempts   int    `json:"attempts"`
	Status     string `json:"status"`
	LastStatus int    `json:"last_status"`
	LastError  string `json:"last_error"`
	NextAt     string `json:"next_at"` // RFC 3339, empty where none is to come
}

// showDeliveries lists deliveries oldest first; ?status=, ?event= and ?type= narrow it.
func (s *Server) showDeliveries(w http.ResponseWriter, req *http.Request) {
	views := []deliveryView{}
	_ = s.transact(requestInfo{}, func(r *request) error {
		for _, d := range r.state.Deliveries.all {
			view := r.deliveries.view(d)
			if wanted := req.FormValue("status"); wanted != "" && wanted != view.Status {
				continue
			}
			if wanted := req.FormValue("event"); wanted != "" && wanted != view.Event {
				continue
			}
			if wanted := req.FormValue("type"); wanted != "" && !matchesAny(view.Type, []string{wanted}) {
				continue
			}
			views = append(views, view)
		}
		return nil
	})
	writeJSON(w, http.StatusOK, views)
}

func (h deliveries) view(d *Delivery) deliveryView {
	view := deliveryView{
		ID: d.ID, Event: d.Event, Attempts: d.Attempts, Status: d.Status, LastStatus: d.LastStatus, LastError: d.LastError,
	}
	if e, ok := h.state.Events.get(d.Event); ok {
		view.Type = e.Type
	}
	if w, ok := h.state.Endpoints.get(d.Endpoint); ok {
		view.URL = w.URL
	}
	if d.Status == "pending" && d.NextAt != 0 {
		view.NextAt = time.UnixMilli(d.NextAt).UTC().Format(time.RFC3339Nano)
	}
	return view
}

// clockView is the account's time.
type clockView struct {
	Now    int64 `json:"now"`
	Offset int64 `json:"offset_seconds"`
}

func (s *Server) showClock(w http.ResponseWriter, _ *http.Request) {
	var view clockView
	_ = s.transact(requestInfo{}, func(r *request) error {
		view = clockView{Now: r.now, Offset: r.state.ClockOffset}
		return nil
	})
	writeJSON(w, http.StatusOK, view)
}

// moveClock takes to (unix seconds) or by, such as "1 month".
func (s *Server) moveClock(w http.ResponseWriter, req *http.Request) {
	to, err := s.clockTarget(req.PostFormValue("to"), req.PostFormValue("by"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.AdvanceClock(to)
	s.showClock(w, req)
}

func (s *Server) clockTarget(to, by string) (time.Time, error) {
	if to != "" {
		at, err := strconv.ParseInt(to, 10, 64)
		if err != nil {
			return time.Time{}, fmt.Errorf("to: %q is no unix time", to)
		}
		return time.Unix(at, 0), nil
	}
	return later(s.Now(), by)
}

// later adds a number and a unit to a moment: 90 minutes, 3 days, 1 month.
func later(from time.Time, by string) (time.Time, error) {
	number, unit, _ := strings.Cut(strings.TrimSpace(by), " ")
	n, err := strconv.ParseInt(number, 10, 32)
	if err != nil || n < 0 {
		return time.Time{}, fmt.Errorf("by: %q is no span such as 1 month", by)
	}
	switch name := strings.TrimSuffix(strings.TrimSpace(unit), "s"); name {
	case "second", "minute", "hour":
		length := map[string]time.Duration{"second": time.Second, "minute": time.Minute, "hour": time.Hour}[name]
		return from.Add(time.Duration(n) * length), nil
	case "day", "week", "month", "year":
		return time.Unix(addIntervals(from.Unix(), name, n), 0), nil
	}
	return time.Time{}, fmt.Errorf("by: %q is no unit of time", unit)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
