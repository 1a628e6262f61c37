package main

import (
	"context"
	"database/sql"
	"errors"
	"net/http"
	"net/url"
	"time"

	"usher/db"
	"usher/handlers"
)

// front is the door Stripe knocks at: the program's own, with its limits of size and time. Where a crash is simulated behind it, the request gets
// the answer it gets when anything else there panics.
func (r *replica) front() (http.Handler, error) {
	base, err := url.Parse(siteURL)
	if err != nil {
		return nil, err
	}
	pages := handlers.New(handlers.Options{
		Billing: r.service, Sessions: db.NewSessionStore(r.store.DB()), Ready: r.store.Ready, BaseURL: base, ReturnURL: siteURL,
	})
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		pages.ServeHTTP(w, req.WithContext(context.WithValue(req.Context(), canCrash{}, true)))
	}), nil
}

// hog takes every connection of the pool it can get for a while, as queries that hang do.
func (r *replica) hog(ctx context.Context, length time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	pool := r.store.DB()
	var held []*sql.Conn
	for range pool.Stats().MaxOpenConnections {
		connection, err := pool.Conn(ctx)
		if err != nil {
			break // it took as long to get the others
		}
		held = append(held, connection)
	}
	<-ctx.Done()
	var failed []error
	for _, connection := range held {
		failed = append(failed, connection.Close())
	}
	return errors.Join(failed...)
}
