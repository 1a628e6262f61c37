package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/rivertype"

	"usher/billing/job"
)

// Limits of the queue. lib/pq cannot listen on a pool's connections, so River polls for due jobs.
const (
	queueName       = "wakeups"
	webhookQueue    = "webhooks" // of its own, so that slow receivers delay no other work
	webhookWorkers  = 16
	queueWorkers    = 8
	queuePoll       = 250 * time.Millisecond
	queueTimeout    = 45 * time.Second // per job; the work itself has shorter limits
	queueRescue     = time.Minute      // a job of a killed replica is retried after it
	queueAttempts   = 3
	queueRetention  = time.Hour // finished jobs are kept for inspection
	queueDrainLimit = 10 * time.Second
)

// jobArgs is a [job.Job] as River stores it.
type jobArgs struct {
	Subject job.Kind `json:"kind" river:"unique"`
	ID      string   `json:"id" river:"unique"`
	Version string   `json:"version" river:"unique"`
}

// Kind implements [river.JobArgs].
func (jobArgs) Kind() string { return "wakeup" }

func (a jobArgs) job() job.Job {
	return job.Job{Kind: a.Subject, ID: a.ID, Revision: a.Version}
}

// formerJobArgs is a job of the previous release. Both releases run beside each other during a
// rolling deployment: this one works the jobs of both, the previous one only those in River's
// default queue.
type formerJobArgs struct {
	About job.Kind `json:"about"`
	ID    string   `json:"id"`
	Turn  string   `json:"turn"`
}

// Kind implements [river.JobArgs].
func (formerJobArgs) Kind() string { return "alarm" }

func (a formerJobArgs) job() job.Job {
	if a.About == "surplus" {
		a.About = job.KindDuplicate
	}
	return job.Job{Kind: a.About, ID: a.ID, Revision: a.Turn}
}

// unfinishedStates are the states in which a job prevents another one with equal arguments.
var unfinishedStates = []rivertype.JobState{
	rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable,
	rivertype.JobStateRunning, rivertype.JobStateScheduled,
}

// newInsertClient returns a River client that inserts jobs and works none.
func newInsertClient(pool *sqlx.DB) (*river.Client[*sql.Tx], error) {
	config := &river.Config{Logger: slog.New(slog.DiscardHandler)}
	return river.NewClient(riverdatabasesql.New(pool.DB), config)
}

// jobStore implements [job.Store].
type jobStore struct{ queries }

// Jobs implements [mail.Tx].
func (q queries) Jobs() job.Store { return jobStore{q} }

// Enqueue implements [job.Store].
func (q jobStore) Enqueue(ctx context.Context, a job.Job) error {
	args := jobArgs{Subject: a.Kind, ID: a.ID, Version: a.Revision}
	options := &river.InsertOpts{
		Queue: queueOf(a.Kind), MaxAttempts: queueAttempts,
		UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: unfinishedStates},
	}
	if a.Delay > 0 {
		options.ScheduledAt = time.Now().Add(a.Delay)
	}
	var err error
	if tx, ok := q.ext.(*sqlx.Tx); ok {
		_, err = q.jobs.InsertTx(ctx, tx.Tx, args, options)
	} else {
		_, err = q.jobs.Insert(ctx, args, options)
	}
	return wrap(ctx, "insert job", err)
}

// queueOf returns the queue of a kind. A replica of the release before does not work the queue of
// webhooks.
func queueOf(kind job.Kind) string {
	if kind == job.KindWebhook || kind == job.KindDelivery {
		return webhookQueue
	}
	return queueName
}

// Queue works due jobs, beside any number of other replicas. River (https://riverqueue.com) stores
// the jobs in PostgreSQL, runs each on one replica, and retries the jobs of a killed replica.
type Queue struct {
	client *river.Client[*sql.Tx]
}

type workFunc = func(context.Context, job.Job) (again time.Duration, err error)

// NewQueue returns a Queue over the store's database. work is called for every job; a positive
// duration reschedules the job after it, an error after a back-off.
func NewQueue(store *Store, log *slog.Logger, work workFunc) (*Queue, error) {
	workers := river.NewWorkers()
	err := errors.Join(
		river.AddWorkerSafely(workers, &worker[jobArgs]{work: work}),
		river.AddWorkerSafely(workers, &worker[formerJobArgs]{work: work}))
	if err != nil {
		return nil, fmt.Errorf("queue: %w", err)
	}
	client, err := river.NewClient(riverdatabasesql.New(store.db.DB), &river.Config{
		Logger: log, Workers: workers, PollOnly: true,
		Queues: map[string]river.QueueConfig{
			queueName:          {MaxWorkers: queueWorkers},
			webhookQueue:       {MaxWorkers: webhookWorkers},
			river.QueueDefault: {MaxWorkers: 1},
		},
		FetchCooldown: queuePoll / 5, FetchPollInterval: queuePoll,
		JobTimeout: queueTimeout, RescueStuckJobsAfter: queueRescue,
		CompletedJobRetentionPeriod: queueRetention, SoftStopTimeout: queueDrainLimit,
	})
	if err != nil {
		return nil, fmt.Errorf("queue: %w", err)
	}
	return &Queue{client: client}, nil
}

// Run works jobs until ctx ends, then waits for running jobs. It waits for an unreachable database.
func (q *Queue) Run(ctx context.Context) error {
	if err := q.client.Start(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("queue: %w", err)
	}
	<-q.client.Stopped()
	return nil
}

// storedJob is a job's arguments in either form.
type storedJob interface {
	river.JobArgs
	job() job.Job
}

// worker passes River's jobs to work.
type worker[Args storedJob] struct {
	river.WorkerDefaults[Args]
	work workFunc
}

// Work implements [river.Worker].
func (w *worker[Args]) Work(ctx context.Context, job *river.Job[Args]) error {
	again, err := w.work(ctx, job.Args.job())
	if err == nil && again > 0 {
		return river.JobSnooze(again)
	}
	return err
}

// NextRetry implements [river.Worker]. Retries are early, since the sweep is about as frequent.
func (w *worker[Args]) NextRetry(job *river.Job[Args]) time.Time {
	return time.Now().Add(time.Duration(job.Attempt) * 2 * time.Second)
}
