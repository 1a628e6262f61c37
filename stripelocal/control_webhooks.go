package stripelocal

import (
	"net/http"
	"strconv"
	"time"
)

// longestOverlap is the longest time that an old signing secret stays valid after a rotation (docs:
// webhooks, rolling secrets: up to 24 hours).
const longestOverlap = 24 * time.Hour

func (c control) mountWebhooks(mux *http.ServeMux) {
	mux.HandleFunc("POST /_usher/deliveries/{id}/resend", c.resendDelivery)
	mux.HandleFunc("POST /_usher/events/{id}/resend", c.resendEvent)
	mux.HandleFunc("POST /_usher/webhook_endpoints/{id}/rotate", c.rotateEndpointSecret)
}

// RotateWebhookSecret replaces the signing secret of the endpoint with this URL. The old secrets
// also sign for the duration of overlap in real time, at most 24 hours. It reports whether the
// endpoint exists.
func (s *Server) RotateWebhookSecret(url, secret string, overlap time.Duration) bool {
	found := false
	_ = s.transact(requestInfo{}, func(r *request) error {
		for _, w := range r.store.WebhookEndpoints.all {
			if w.URL == url {
				w.rotate(secret, overlap, time.Now())
				r.changed, found = true, true
			}
		}
		return nil
	})
	return found
}

// rotate adds a new secret and sets the expiry of the old ones. Expired secrets are removed.
func (w *WebhookEndpoint) rotate(secret string, overlap time.Duration, now time.Time) {
	until := now.Add(min(longestOverlap, overlap)).Unix()
	kept := []Secret{{Value: secret}}
	for _, old := range w.Secrets {
		if old.ExpiresAt == 0 {
			old.ExpiresAt = until
		}
		if old.ExpiresAt > now.Unix() {
			kept = append(kept, old)
		}
	}
	w.Secrets = kept
}

// rotatedView is the response to a rotation.
type rotatedView struct {
	ID     string `json:"id"`
	Secret string `json:"secret"`
}

// rotateEndpointSecret takes secret (generated if absent) and overlap_hours (24 if absent).
func (c control) rotateEndpointSecret(w http.ResponseWriter, req *http.Request) {
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
	_ = c.transact(requestInfo{}, func(r *request) error {
		endpoint, ok := r.store.WebhookEndpoints.get(view.ID)
		if found = ok; !ok {
			return nil
		}
		if view.Secret == "" {
			view.Secret = "whsec_" + r.ids.token(32)
		}
		endpoint.rotate(view.Secret, time.Duration(hours)*time.Hour, time.Now())
		r.changed = true
		return nil
	})
	if !found {
		http.Error(w, "There is no such endpoint.", http.StatusNotFound)
		return
	}
	writeJSON(w, http.StatusOK, view)
}

// resendDelivery sends a delivery's event to the same endpoint again, as a new delivery.
func (c control) resendDelivery(w http.ResponseWriter, req *http.Request) {
	c.resend(w, req, func(r *request) []*Delivery {
		d, ok := r.store.Deliveries.get(req.PathValue("id"))
		if !ok {
			return nil
		}
		e, known := r.store.Events.get(d.Event)
		endpoint, exists := r.store.WebhookEndpoints.get(d.Endpoint)
		if !known || !exists {
			return nil
		}
		return []*Delivery{r.deliveries.create(e, endpoint)}
	})
}

// resendEvent sends an event to every endpoint that accepts its type.
func (c control) resendEvent(w http.ResponseWriter, req *http.Request) {
	c.resend(w, req, func(r *request) []*Delivery {
		e, ok := r.store.Events.get(req.PathValue("id"))
		if !ok {
			return nil
		}
		var out []*Delivery
		for _, endpoint := range r.store.WebhookEndpoints.all {
			if endpoint.accepts(e.Type) && r.hasEvents(e.Type, endpoint.apiVersion()) {
				out = append(out, r.deliveries.create(e, endpoint))
			}
		}
		return out
	})
}

// resend responds with the new deliveries, or redirects to the path in the form field back.
func (c control) resend(w http.ResponseWriter, req *http.Request, again func(*request) []*Delivery) {
	var views []deliveryView
	_ = c.transact(requestInfo{}, func(r *request) error {
		for _, d := range again(r) {
			r.webhooks.enqueue(d)
			r.changed = true
			views = append(views, r.deliveries.view(d))
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

// isLocalPath reports whether a redirect target stays on this server.
func isLocalPath(path string) bool {
	return len(path) > 0 && path[0] == '/' && (len(path) == 1 || path[1] != '/' && path[1] != '\\')
}
