// Package privatepg starts a PostgreSQL server that belongs to one running program. The server
// stops with the program, keeps its data between runs, and accepts connections of the program's own
// user over a Unix socket only.
//
// The package knows nothing of schemas and migrations: it returns an empty database. It runs on
// Unix only, since it depends on process groups, flock and peer authentication.
//
// Start reading at [Start] in privatepg.go. The steps of a start are a file each: serverdir.go
// finds or creates the server's directory (external.go if the server's user has no access to the
// data directory), install.go finds the installation, stale.go stops a server left by a previous
// run, cluster.go runs initdb and writes the configuration, supervise.go starts postgres so that it
// cannot outlive the program, database.go waits until it accepts connections.
package privatepg
