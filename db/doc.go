// Package db stores Usher's state in PostgreSQL. It implements [billing.Store] on sqlx and lib/pq,
// applies the migrations, runs River's job queue and stores the sessions of scs.
//
// It contains no Stripe, no HTTP and no rules. Packages billing and account decide what is allowed;
// the schema rejects states that must never exist, and errors.go converts such a rejection to an
// [apperr.Error] by code and constraint name, never by text. Only cmd and tests import it.
//
// All times returned by this package are UTC, in microseconds, PostgreSQL's resolution.
//
// Start reading at [Open] and [Store.InTx]. Each storage interface has a file named for its rows,
// with a store type, its statements and its methods: seats.go implements [billing.SeatStore].
// query.go runs the statements. table.go builds those that list the columns of a struct from its db
// tags, so a new column needs a migration and a field. migrations/README.md says how columns are
// renamed.
package db
