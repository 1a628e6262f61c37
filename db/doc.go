// Package db keeps Usher's state in PostgreSQL: it implements [billing.Store] on sqlx and lib/pq, brings the schema up to date and
// stores the sessions of scs.
//
// Kept out: Stripe, HTTP and every rule. What is allowed is decided in package billing; the schema only refuses what must never be,
// and errors.go turns such a refusal into an error of package billing, by code and constraint name, never by text.
//
// All times that leave this package are UTC and have PostgreSQL's resolution of a microsecond.
package db
