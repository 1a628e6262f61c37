package handlers

import (
	"context"
	"net/http"
	"time"

	"usher/static"
)

// systemEndpoints serve health, readiness, metrics and static files.
type systemEndpoints struct {
	*site
	ready        func(context.Context) error
	metrics      *metrics
	metricsToken string // empty: public in development, not found in production
}

// healthResponse is the answer of /healthz and /readyz.
type healthResponse struct {
	Status string `json:"status"`
}

// showHealth tells that the process is alive, whatever else is not.
func (e *systemEndpoints) showHealth(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Cache-Control", "no-store")
	return writeJSON(w, http.StatusOK, healthResponse{"ok"})
}

// readyTimeout bounds how long readiness is looked for: whoever asks gives up after a few seconds.
const readyTimeout = 2 * time.Second

// showReadiness tells whether requests can be served. Why not stands in the log only.
func (e *systemEndpoints) showReadiness(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	if err := e.ready(ctx); err != nil {
		return errNotReady.withCause(err)
	}
	w.Header().Set("Cache-Control", "no-store")
	return writeJSON(w, http.StatusOK, healthResponse{"ready"})
}

// sendAsset sends a file that a page asked for.
func (e *systemEndpoints) serveAsset(w http.ResponseWriter, r *http.Request) error {
	static.Handler().ServeHTTP(w, r)
	return nil
}
