package db

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"database/sql"

	"github.com/jmoiron/sqlx"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/rivertype"

	"usher/billing"
)

// Bounds of the queue. lib/pq can't listen on a pool's connections, so River asks for due jobs now and then.
const (
	queueWorkers = 8
	queuePoll    = 250 * time.Millisecond
	queueTimeout = 45 * time.Second // for one alarm; the work behind it has shorter limits of its own
	queueRescue  = time.Minute      // an alarm whose replica died rings again after that; the sweep is sooner
	queueTries   = 3
	queueKept    = time.Hour // how long alarms that have rung are kept, to look at
	queueDrain   = 10 * time.Second
)

// alarmArgs is an alarm as River keeps it.
type alarmArgs struct {
	About billing.JobKind `json:"about" river:"unique"`
	ID    string          `json:"id" river:"unique"`
	Turn  string          `json:"turn" river:"unique"`
}

// Kind implements [river.JobArgs].
func (alarmArgs) Kind() string { return "alarm" }

// alarmStates are those in which a job counts as the same alarm: it has not rung to its end.
var alarmStates = []rivertype.JobState{
	rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable, rivertype.JobStateRunning, rivertype.JobStateScheduled,
}

// newAlarmClient returns a River client that sets alarms and works on none.
func newAlarmClient(pool *sqlx.DB) (*river.Client[*sql.Tx], error) {
	return river.NewClient(riverdatabasesql.New(pool.DB), &river.Config{Logger: slog.New(slog.DiscardHandler)})
}

// SetAlarm implements [billing.AlarmQueries].
func (q jobStore) Enqueue(ctx context.Context, a billing.Job) error {
	args := alarmArgs{About: a.Kind, ID: a.ID, Turn: a.Revision}
	options := &river.InsertOpts{MaxAttempts: queueTries, UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: alarmStates}}
	if a.Delay > 0 {
		options.ScheduledAt = time.Now().Add(a.Delay)
	}
	var err error
	if tx, ok := q.ext.(*sqlx.Tx); ok {
		_, err = q.alarms.InsertTx(ctx, tx.Tx, args, options)
	} else {
		_, err = q.alarms.Insert(ctx, args, options)
	}
	return wrap(ctx, "set alarm", err)
}

// Queue rings the alarms that are due, beside any number of other replicas. River (https://riverqueue.com) keeps them in PostgreSQL,
// sees to it that each rings on one replica, and rings again where that one has died.
type Queue struct {
	client *river.Client[*sql.Tx]
}

// NewQueue makes a Queue over the store's database. ring is called for every alarm; a positive duration has the alarm ring again after
// it, an error after a while.
func NewQueue(store *Store, log *slog.Logger, ring func(context.Context, billing.Job) (time.Duration, error)) (*Queue, error) {
	workers := river.NewWorkers()
	if err := river.AddWorkerSafely(workers, &alarmWorker{ring: ring}); err != nil {
		return nil, fmt.Errorf("queue: %w", err)
	}
	client, err := river.NewClient(riverdatabasesql.New(store.db.DB), &river.Config{
		Logger: log, Workers: workers, PollOnly: true,
		Queues:        map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: queueWorkers}},
		FetchCooldown: queuePoll / 5, FetchPollInterval: queuePoll,
		JobTimeout: queueTimeout, RescueStuckJobsAfter: queueRescue,
		CompletedJobRetentionPeriod: queueKept, SoftStopTimeout: queueDrain,
	})
	if err != nil {
		return nil, fmt.Errorf("queue: %w", err)
	}
	return &Queue{client: client}, nil
}

// Run rings alarms until ctx ends, then lets those that ring finish. A database that is away only makes it wait.
func (q *Queue) Run(ctx context.Context) error {
	if err := q.client.Start(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("queue: %w", err)
	}
	<-q.client.Stopped()
	return nil
}

// alarmWorker hands River's jobs over.
type alarmWorker struct {
	river.WorkerDefaults[alarmArgs]
	ring func(context.Context, billing.Job) (time.Duration, error)
}

// Work implements [river.Worker].
func (w *alarmWorker) Work(ctx context.Context, job *river.Job[alarmArgs]) error {
	again, err := w.ring(ctx, billing.Job{Kind: job.Args.About, ID: job.Args.ID, Revision: job.Args.Turn})
	if err == nil && again > 0 {
		return river.JobSnooze(again)
	}
	return err
}

// NextRetry implements [river.Worker]: soon, since the sweep is about as soon.
func (w *alarmWorker) NextRetry(job *river.Job[alarmArgs]) time.Time {
	return time.Now().Add(time.Duration(job.Attempt) * 2 * time.Second)
}
