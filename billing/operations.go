package billing

import (
	"context"
	"fmt"
	"time"

	"usher/billing/account"
	"usher/billing/job"
)

// Operations reads what operators see.
type Operations struct {
	*core
	inbox     *Inbox
	overviews *Overviews
}

// OrganizationSearch narrows the list of organizations for operators. Text is part of a name, or a whole id of the organization, its
// compareCustomer or a subscription, or a member's e-mail address; empty: all.
type OrganizationSearch struct {
	Text          string
	Offset, Limit int
}

// OrganizationLine is an organization in a list for operators.
type OrganizationLine struct {
	account.Organization
	Members      int                `db:"members"`              // active ones
	CustomerID   string             `db:"customer_id,null"`     // empty: none
	Subscription string             `db:"subscription_id,null"` // the current one's id; empty: none
	Status       SubscriptionStatus `db:"status,null"`
	PriceID      string             `db:"price_id,null"`
	Quantity     int                `db:"quantity,null"`
	DesiredSeats int                `db:"desired_seats,null"`
	SyncError    string             `db:"sync_error,null"`
}

// Backlog is what waits in the tables.
type Backlog struct {
	PendingEvents    int            `db:"pending_events"`
	OldestPending    *time.Time     `db:"oldest_pending"` // received; nil: none is pending
	FailedEvents     int            `db:"failed_events"`  // dead letters
	PendingSeats     int            `db:"waiting_seats"`  // organizations whose seats Stripe is to be told
	FailingSeats     int            `db:"failing_seats"`  // of them, or given up: the last attempt failed
	FailedDuplicates int            `db:"failed_ends"`    // second subscriptions that could not be ended
	QueuedMails      int            `db:"queued_mails"`
	FailedMails      int            `db:"failed_mails"`
	Jobs             map[string]int `db:"jobs,json"` // of the queue, by state
}

// QueuedJob is an alarm in the queue.
type QueuedJob struct {
	ID          int64     `db:"id"`
	About       job.Kind  `db:"about"`
	Object      string    `db:"object"` // what it is about
	State       string    `db:"state"`
	Attempt     int       `db:"attempt"`
	ScheduledAt time.Time `db:"scheduled_at"`
	Error       string    `db:"error"` // of the last attempt
}

// SearchOrganizations lists organizations, for operators.
func (op *Operations) SearchOrganizations(ctx context.Context, search OrganizationSearch) ([]OrganizationLine, int, error) {
	search.Text = account.SearchText(search.Text)
	lines, total, err := op.store.Operations().SearchOrganizations(ctx, search, op.knownAccount())
	if err != nil {
		return nil, 0, fmt.Errorf("search organizations: %w", err)
	}
	return lines, total, nil
}

// OrganizationDetails is what an operator sees of one organization.
type OrganizationDetails struct {
	Overview
	Members       []account.Member
	Subscriptions []Subscription
	Events        []StoredEvent // the newest first
	SeatChanges   []SeatChange  // the newest first
}

// detailLines bounds how many events and changes of seats an [OrganizationDetails] has.
const detailLines = 20

// OrganizationDetails reads what there is about an organization, for operators. Error: [ErrNotFound].
func (op *Operations) Organization(ctx context.Context, organizationID string) (OrganizationDetails, error) {
	var file OrganizationDetails
	organization, err := op.store.Organizations().Get(ctx, organizationID)
	if err != nil {
		return file, fmt.Errorf("read organization: %w", err)
	}
	if file.Overview, err = op.overviews.Get(ctx, account.Access{Organization: organization}); err != nil {
		return file, err
	}
	if file.Members, err = op.store.Members().List(ctx, organizationID); err != nil {
		return file, fmt.Errorf("read organization: %w", err)
	}
	if file.Subscriptions, err = op.store.Subscriptions().List(ctx, organizationID, op.knownAccount()); err != nil {
		return file, fmt.Errorf("read organization: %w", err)
	}
	if file.Events, err = op.inbox.Search(ctx, EventSearch{OrganizationID: organizationID, Limit: detailLines}); err != nil {
		return file, err
	}
	if file.SeatChanges, err = op.store.SeatLedger().List(ctx, organizationID, detailLines); err != nil {
		return file, fmt.Errorf("read organization: %w", err)
	}
	return file, nil
}

// Backlog counts what waits and what was given up.
func (op *Operations) Backlog(ctx context.Context) (Backlog, error) {
	backlog, err := op.store.Operations().Backlog(ctx)
	if err != nil {
		return backlog, fmt.Errorf("count the backlog: %w", err)
	}
	return backlog, nil
}

// OpenJobs lists the queue's jobs that run, wait for another try or were given up.
func (op *Operations) OpenJobs(ctx context.Context) ([]QueuedJob, error) {
	jobs, err := op.store.Operations().OpenJobs(ctx, maxOpenJobs)
	if err != nil {
		return nil, fmt.Errorf("list jobs: %w", err)
	}
	return jobs, nil
}

const maxOpenJobs = 100

// DriftReports lists what comparisons with Stripe found, the newest first.
func (op *Operations) DriftReports(ctx context.Context) ([]DriftReport, error) {
	reports, err := op.store.Reconciliation().Reports(ctx, "", driftReportsShown)
	if err != nil {
		return nil, fmt.Errorf("list drift reports: %w", err)
	}
	return reports, nil
}

const driftReportsShown = 50
