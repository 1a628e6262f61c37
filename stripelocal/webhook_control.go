package stripelocal

import (
	"net/http"
	"strconv"
	"time"
)

// longestOverlap is how long an old signing secret may sign along (docs:
// webhooks, rolling secrets: up to 24 hours).
const longestOverlap = 24 * time.Hour

func (s *Server) mountWebhookControl(mux *http.ServeMux) {
	mux.HandleFunc("POST /_usher/deliveries/{id}/resend", s.resendDelivery)
	mux.HandleFunc("POST /_usher/events/{id}/resend", s.resendEvent)
	mux.HandleFunc("POST /_usher/webhook_endpoints/{id}/rotate", s.rotateEndpoint)
}

// RotateWebhookSecret gives the endpoint with this URL another secret. The old
// ones sign along for overlap of real time, at most 24 hours. It says whether
// there is such an endpoint.
func (s *Server) RotateWebhookSecret(url, secret string, overlap time.Duration) bool {
	found := false
	_ = s.perform(cause{}, func(a *act) error {
		for _, w := range a.state.Endpoints.all {
			if w.URL == url {
				w.rotate(secret, overlap, time.Now())
				a.changed, found = true, true
			}
		}
		return nil
	})
	return found
}

// rotate puts a new secret before the old ones, which go when their time is up.
func (w *WebhookEndpoint) rotate(secret string, overlap time.Duration, now time.Time) {
	until := now.Add(min(longestOverlap, overlap)).Unix()
	kept := []Secret{{Value: secret}}
	for _, old := range w.Secrets {
		if old.Expires == 0 {
			old.Expires = until
		}
		if old.Expires > now.Unix() {
			kept = append(kept, old)
		}
	}
	w.Secrets = kept
}

// rotatedView is what a rotation answers.
type rotatedView struct {
	ID     string `json:"id"`
	Secret string `json:"secret"`
}

// rotateEndpoint takes secret (else one is made) and overlap_hours (else 24).
func (s *Server) rotateEndpoint(w http.ResponseWriter, req *http.Request) {
	hours := 24
	if text := req.PostFormValue("overlap_hours"); text != "" {
		var err error
		if hours, err = strconv.Atoi(text); err != nil || hours < 0 {
			http.Error(w, "overlap_hours is no number of hours.", http.StatusBadRequest)
			return
		}
	}
	view := rotatedView{ID: req.PathValue("id"), Secret: req.PostFormValue("secret")}
	found := false
	_ = s.perform(cause{}, func(a *act) error {
		endpoint, ok := a.state.Endpoints.get(view.ID)
		if found = ok; !ok {
			return nil
		}
		if view.Secret == "" {
			view.Secret = "whsec_" + a.ids.token(32)
		}
		endpoint.rotate(view.Secret, time.Duration(hours)*time.Hour, time.Now())
		a.changed = true
		return nil
	})
	if !found {
		http.Error(w, "There is no such endpoint.", http.StatusNotFound)
		return
	}
	writeJSON(w, http.StatusOK, view)
}

// resendDelivery sends the event of a delivery to the same endpoint anew.
func (s *Server) resendDelivery(w http.ResponseWriter, req *http.Request) {
	s.resend(w, req, func(a *act) []*Delivery {
		d, ok := a.state.Deliveries.get(req.PathValue("id"))
		if !ok {
			return nil
		}
		e, known := a.state.Events.get(d.Event)
		endpoint, there := a.state.Endpoints.get(d.Endpoint)
		if !known || !there {
			return nil
		}
		return []*Delivery{a.newDelivery(e, endpoint)}
	})
}

// resendEvent sends an event to every endpoint that wants its type.
func (s *Server) resendEvent(w http.ResponseWriter, req *http.Request) {
	s.resend(w, req, func(a *act) []*Delivery {
		e, ok := a.state.Events.get(req.PathValue("id"))
		if !ok {
			return nil
		}
		var out []*Delivery
		for _, endpoint := range a.state.Endpoints.all {
			if endpoint.wants(e.Type) {
				out = append(out, a.newDelivery(e, endpoint))
			}
		}
		return out
	})
}

// resend shows the new deliveries, or goes back to the page that asked (back).
func (s *Server) resend(w http.ResponseWriter, req *http.Request, again func(*act) []*Delivery) {
	var views []deliveryView
	_ = s.perform(cause{}, func(a *act) error {
		for _, d := range again(a) {
			a.courier.post(d)
			a.changed = true
			views = append(views, a.deliveryView(d))
		}
		return nil
	})
	switch back := req.PostFormValue("back"); {
	case len(views) == 0:
		http.Error(w, "There is nothing to send, or nobody to send it to.", http.StatusNotFound)
	case isLocalPath(back):
		http.Redirect(w, req, back, http.StatusSeeOther)
	default:
		writeJSON(w, http.StatusOK, views)
	}
}

// isLocalPath keeps redirects on this server.
func isLocalPath(path string) bool {
	return len(path) > 0 && path[0] == '/' && (len(path) == 1 || path[1] != '/' && path[1] != '\\')
}
