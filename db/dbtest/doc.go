// Package dbtest creates PostgreSQL databases for tests. Only tests import it.
//
// A test binary starts a private server, or uses the one in USHER_TEST_DATABASE_URL, whose user
// must be allowed to create databases. The migrations run once per test binary, in a template
// database that every test's database is a copy of. Nothing has to be closed: a private server
// stops with the test binary, and the next test binary drops databases of one that was killed.
//
// The package knows nothing of the schema: the caller passes the function that migrates. Start
// reading at [New]; server.go creates and drops databases, slot.go finds a server.
package dbtest
