package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"usher/stripelocal"
)

// startStripe starts a local Stripe of its own, until the test ends, and returns its origin. serve
// serves each request with Stripe's handler.
func startStripe(
	t *testing.T, o stripelocal.Options, serve func(stripe http.Handler, w http.ResponseWriter, r *http.Request),
) (server *stripelocal.Server, origin string) {
	t.Helper()
	server, err := stripelocal.New(o)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { serve(server.Handler(), w, r) }))
	server.SetOrigin(web.URL)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = server.Close(ctx)
		web.CloseClientConnections()
		web.Close()
	})
	return server, web.URL
}
