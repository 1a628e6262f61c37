package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"usher/db"
	"usher/handlers"
)

// site returns Usher's own handler, with its limits of size and time. Webhooks are received there.
// A request that meets a simulated crash is answered like after any other panic.
func (r *replica) site() (http.Handler, error) {
	base, err := url.Parse(siteURL)
	if err != nil {
		return nil, err
	}
	site := handlers.New(handlers.Options{
		Billing: r.service, Sessions: db.NewSessionStore(r.store.DB()), Ready: r.store.Ready, BaseURL: base, ReturnURL: siteURL,
	})
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		site.ServeHTTP(w, req.WithContext(withCrashes(req.Context())))
	}), nil
}

// controlRoutes returns the handler through which the simulation controls the replica.
func (r *replica) controlRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /operation", control(r.perform))
	mux.HandleFunc("POST /clock", control(func(_ context.Context, offset time.Duration) (any, error) {
		r.clockOffset.Store(int64(offset))
		return nil, nil
	}))
	mux.HandleFunc("POST /exhaust-pool", control(func(ctx context.Context, duration time.Duration) (any, error) {
		return nil, r.exhaustPool(ctx, duration)
	}))
	mux.HandleFunc("POST /stop-crashes", control(func(context.Context, any) (map[string]int, error) {
		return r.crashes.stop(), nil
	}))
	return mux
}

// control decodes a request's JSON, runs f and encodes its result.
func control[Request, Result any](f func(context.Context, Request) (Result, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var request Request
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		result, err := f(r.Context(), request)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_ = json.NewEncoder(w).Encode(result)
	}
}

// exhaustPool takes every connection of the pool that it gets and keeps it for a duration, like
// queries that hang.
func (r *replica) exhaustPool(ctx context.Context, duration time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, duration)
	defer cancel()
	pool := r.store.DB()
	var taken []*sql.Conn
	for range pool.Stats().MaxOpenConnections {
		connection, err := pool.Conn(ctx)
		if err != nil {
			break // the duration is over
		}
		taken = append(taken, connection)
	}
	<-ctx.Done()
	var failed []error
	for _, connection := range taken {
		failed = append(failed, connection.Close())
	}
	return errors.Join(failed...)
}
