package stripelocal

import (
	"encoding/json"
	"net/http"
)

// control serves the endpoints under /_usher/ that only a local Stripe has.
type control struct{ *Server }

// mount registers the endpoints. They need no API key: they are for this machine alone.
func (c control) mount(mux *http.ServeMux) {
	mux.HandleFunc("GET /_usher/deliveries", c.showDeliveries)
	c.mountWebhooks(mux)
	c.mountFaults(mux)
	mux.HandleFunc("GET /_usher/clock", c.showClock)
	mux.HandleFunc("POST /_usher/clock", c.moveClock)
	mux.HandleFunc("POST /_usher/checkout_sessions/{id}/settle", c.settleCheckoutSession)
	mux.HandleFunc("POST /_usher/reset", c.reset)
	mux.HandleFunc("GET /_usher/accounts", c.showAccounts)
	mux.HandleFunc("GET /_usher/cli_sessions", c.showCLISessions)
	mux.HandleFunc("GET /_usher/settings", c.showSettings)
	mux.HandleFunc("POST /_usher/settings", c.changeSettings)
}

// showDeliveries lists deliveries, oldest first. The parameters status, event and type filter the
// list.
func (c control) showDeliveries(w http.ResponseWriter, req *http.Request) {
	views := []deliveryView{}
	_ = c.transact(requestInfo{}, func(r *request) error {
		for _, d := range r.store.Deliveries.all {
			view := r.deliveries.view(d)
			if filter := req.FormValue("status"); filter != "" && filter != view.Status {
				continue
			}
			if filter := req.FormValue("event"); filter != "" && filter != view.Event {
				continue
			}
			if filter := req.FormValue("type"); filter != "" && !matchesEventType(view.Type, []string{filter}) {
				continue
			}
			views = append(views, view)
		}
		return nil
	})
	writeJSON(w, http.StatusOK, views)
}

// clockView is the response of /_usher/clock.
type clockView struct {
	Now    int64 `json:"now"`
	Offset int64 `json:"offset_seconds"`
}

func (c control) showClock(w http.ResponseWriter, _ *http.Request) {
	var view clockView
	_ = c.transact(requestInfo{}, func(r *request) error {
		view = clockView{Now: r.now, Offset: r.store.ClockOffset}
		return nil
	})
	writeJSON(w, http.StatusOK, view)
}

// moveClock takes to (unix seconds) or by (a time span such as "1 month").
func (c control) moveClock(w http.ResponseWriter, req *http.Request) {
	to, err := c.parseClockTarget(req.PostFormValue("to"), req.PostFormValue("by"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.AdvanceClock(to)
	c.showClock(w, req)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
