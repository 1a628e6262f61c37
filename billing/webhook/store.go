package webhook

import (
	"context"
	"time"

	"usher/billing/account"
)

// Tx gives access to the stores in one transaction.
type Tx interface {
	account.Tx
	Webhooks() Store
}

// Storage is a [Tx] outside of transactions, and begins them.
type Storage interface {
	Tx
	InTx(ctx context.Context, f func(Tx) error) error
}

// Stream is how far the changes of an organization are published.
type Stream struct {
	OrganizationID string     `db:"organization_id"`
	Version        int64      `db:"version"`
	CheckAt        *time.Time `db:"check_at"` // when the state is to be compared without a change
}

// Backlog is what is not sent yet.
type Backlog struct {
	Unpublished   int        `db:"unpublished"`    // changes
	OldestChange  *time.Time `db:"oldest_change"`  // nil: none
	Pending       int        `db:"pending"`        // deliveries of enabled endpoints
	OldestPending *time.Time `db:"oldest_pending"` // nil: none
	Failing       int        `db:"failing"`        // enabled endpoints whose last attempt failed
	Disabled      int        `db:"disabled"`       // endpoints
}

// Store stores endpoints, changes, messages and deliveries.
type Store interface {
	// Changed lists organizations with unpublished changes, or whose CheckAt has passed.
	Changed(ctx context.Context, now time.Time, limit int) ([]string, error)
	// Changes lists the unpublished changes of an organization, oldest first.
	Changes(ctx context.Context, organizationID string, limit int) ([]Change, error)
	DeleteChanges(ctx context.Context, ids []int64) error
	// Stream reads the stream; ErrNotFound if nothing was published yet.
	Stream(ctx context.Context, organizationID string) (Stream, error)
	// LockStream is Stream with a lock. It inserts a stream of version 0 if there is none.
	LockStream(ctx context.Context, organizationID string) (Stream, error)
	PutStream(ctx context.Context, s Stream) error
	// Published reads the last published state of an object.
	Published(ctx context.Context, organizationID string, t EventType, objectID string) (Published, error)
	PutPublished(ctx context.Context, p Published) error // inserts or updates
	InsertMessage(ctx context.Context, m Message) error

	// InsertEndpoint also marks the organization, so that its changes are recorded.
	InsertEndpoint(ctx context.Context, e Endpoint) error
	Endpoint(ctx context.Context, organizationID, id string) (Endpoint, error)
	LockEndpoint(ctx context.Context, id string) (Endpoint, error)
	// Endpoints lists the endpoints of an organization, oldest first.
	Endpoints(ctx context.Context, organizationID string) ([]Endpoint, error)
	// LockEndpoints is Endpoints with locks, those that are disabled left out.
	LockEndpoints(ctx context.Context, organizationID string) ([]Endpoint, error)
	UpdateEndpoint(ctx context.Context, e Endpoint) error
	// DeleteEndpoint deletes an endpoint with its deliveries.
	DeleteEndpoint(ctx context.Context, organizationID, id string) error
	// CountDisabled counts the endpoints of an organization that are disabled.
	CountDisabled(ctx context.Context, organizationID string) (int, error)
	// ClaimEndpoint returns the endpoint with this id, or (empty) the one that has been due
	// longest, if it is due and not leased, and leases it; ErrNotFound otherwise. Concurrent
	// callers get different endpoints.
	ClaimEndpoint(ctx context.Context, id string, now, leaseUntil time.Time) (Endpoint, error)

	InsertDelivery(ctx context.Context, d Delivery) error
	// Next reads the oldest pending delivery of an endpoint.
	Next(ctx context.Context, endpointID string) (Delivery, error)
	Delivery(ctx context.Context, endpointID string, id int64) (Delivery, error)
	// Deliveries lists the deliveries of an endpoint, newest first.
	Deliveries(ctx context.Context, endpointID string, limit int) ([]Delivery, error)
	// FinishDelivery writes the result of an attempt, unless the delivery is finished.
	FinishDelivery(ctx context.Context, d Delivery) error
	// FailPending gives all pending deliveries of an endpoint up.
	FailPending(ctx context.Context, endpointID string, failure Failure) error

	// Prune deletes messages from before a time that are not pending, with their deliveries.
	Prune(ctx context.Context, before time.Time, limit int) error
	// PruneDeleted deletes the endpoints of deleted organizations that have nothing to send, and
	// what belongs to them. It needs a transaction.
	PruneDeleted(ctx context.Context) error
	Backlog(ctx context.Context) (Backlog, error)
	// CountOutdated counts the endpoints with a secret that does not begin with prefix.
	CountOutdated(ctx context.Context, prefix []byte) (int, error)
	// Outdated lists endpoints after an id with a secret that does not begin with prefix, by id.
	Outdated(ctx context.Context, prefix []byte, after string, limit int) ([]Endpoint, error)
}
