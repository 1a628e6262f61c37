package job

import "context"

// JobStore enqueues jobs.
type Store interface {
	// Enqueue has an alarm ring once its time has passed and the transaction has committed. One of the same kind, id and turn that
	// has not rung yet stays the only one.
	Enqueue(ctx context.Context, a Job) error
}
