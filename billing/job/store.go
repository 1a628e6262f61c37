package job

import "context"

// Store enqueues jobs.
type Store interface {
	// Enqueue schedules a job for after its delay and the commit of the transaction. A job with the
	// same kind, id and revision that is not finished yet is not added again.
	Enqueue(ctx context.Context, a Job) error
}
