package handlers

import (
	"context"
	"net/http"
	"time"
)

// systemEndpoints serve health, readiness, metrics and static files.
type systemEndpoints struct {
	*site
	ready        func(context.Context) error
	metrics      *metrics
	metricsToken string // empty: public in development, not found in production
	assets       http.Handler
}

// healthResponse is the body of /healthz and /readyz.
type healthResponse struct {
	Status string `json:"status"`
}

// showHealth responds with 200 while the process runs, whatever the state of its dependencies.
func (e *systemEndpoints) showHealth(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Cache-Control", "no-store")
	return writeJSON(w, http.StatusOK, healthResponse{"ok"})
}

// readyTimeout bounds the readiness check; probes time out after a few seconds.
const readyTimeout = 2 * time.Second

// showReadiness reports whether requests can be served. The reason for a failure is only logged.
func (e *systemEndpoints) showReadiness(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	if err := e.ready(ctx); err != nil {
		return errNotReady.withCause(err)
	}
	w.Header().Set("Cache-Control", "no-store")
	return writeJSON(w, http.StatusOK, healthResponse{"ready"})
}

func (e *systemEndpoints) serveAsset(w http.ResponseWriter, r *http.Request) error {
	e.assets.ServeHTTP(w, r)
	return nil
}
