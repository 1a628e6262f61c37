// Package job holds the jobs that wake a worker early, and the interface that enqueues them.
//
// Rows are authoritative: a job carries no data, and a sweep finds rows whose job was lost. The
// package contains no queue; package db implements [Store] on River. It imports nothing of Usher.
// Start reading at [Job].
package job
