// Package db stores Usher's state in PostgreSQL. It implements [billing.Store] on sqlx and lib/pq,
// applies the migrations, runs River's job queue and stores the sessions of scs.
//
// It contains no Stripe, no HTTP and no rules. Package billing decides what is allowed; the schema
// rejects states that must never exist, and errors.go converts such a rejection to an error of
// package billing by code and constraint name, never by text.
//
// All times returned by this package are UTC, in microseconds, PostgreSQL's resolution.
//
// Start reading at [Open] and [Store.InTx]. Each noun has a file with its statements; query.go runs
// them. table.go builds the statements that list the columns of a struct from its db tags, so a new
// column needs a migration and a field. migrations/README.md says how columns are renamed.
package db
