package billing

import (
	"context"
	"fmt"
	"time"

	"usher/billing/account"
	"usher/billing/job"
	"usher/billing/webhook"
)

// Operations reads what the operators' pages show.
type Operations struct {
	*core
	inbox     *Inbox
	overviews *Overviews
}

// OrganizationSearch filters the list of organizations for operators. Text is a part of a name, or
// the exact id of the organization, its customer or a subscription, or a member's exact e-mail
// address; empty: all.
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

// Backlog counts pending and failed work.
type Backlog struct {
	PendingEvents int        `db:"pending_events"`
	OldestPending *time.Time `db:"oldest_pending"` // when it was received; nil: none is pending
	FailedEvents  int        `db:"failed_events"`  // dead letters
	FailedSince   *time.Time `db:"failed_since"`   // when the oldest of them was received; nil: none has failed
	PendingSeats  int        `db:"waiting_seats"`  // organizations with a pending seat update
	FailingSeats  int        `db:"failing_seats"`  // organizations whose last seat update failed
	// FailedDuplicates counts duplicate subscriptions that could not be canceled.
	FailedDuplicates int `db:"failed_ends"`
	// SecondSubscriptions counts live subscriptions beside an organization's current one, except
	// duplicates that are being canceled. An operator has to decide about them.
	SecondSubscriptions int `db:"second_subscriptions"`
	// MischargedChanges counts the plan changes of the last 90 days whose invoice has another
	// amount than was confirmed.
	MischargedChanges int            `db:"mischarged_changes"`
	QueuedMails       int            `db:"queued_mails"`
	FailedMails       int            `db:"failed_mails"`
	Jobs              map[string]int `db:"jobs,json"` // of the queue, by state
	// PricesNotOffered counts the prices of the plan file that this replica has not found at
	// Stripe, or that differ there.
	PricesNotOffered int
	// Drifts counts what the last whole comparison with Stripe found and did not repair.
	Drifts map[DriftKind]int `db:"drifts,json"`
	// MissedEvents counts the events that it found at Stripe and that no webhook had delivered.
	MissedEvents int `db:"missed_events"`
	// ComparedAt is when that comparison ended; nil: none has.
	ComparedAt *time.Time `db:"compared_at"`
	// LastReceived is when the last event was received; nil: none was, or all are pruned.
	LastReceived *time.Time `db:"last_received"`
	// Webhooks is what outgoing webhooks have not sent.
	Webhooks webhook.Backlog
	// OldestJob is since when the oldest job waits that no process has taken; nil: none waits.
	OldestJob *time.Time `db:"oldest_job"`
}

// PoolStats is the state of a process's connections to its database.
type PoolStats struct {
	InUse, Idle int
	Limit       int           // as many are opened at most
	Waits       int64         // how often a connection was waited for
	Waited      time.Duration // how long, in all
}

// EventHour counts the events received in one hour.
type EventHour struct {
	Hour   time.Time `db:"hour"` // its beginning
	Events int       `db:"events"`
	Failed int       `db:"failed"` // of these, dead letters
}

// QueuedJob is a job in the queue.
type QueuedJob struct {
	ID          int64     `db:"id"`
	Kind        job.Kind  `db:"about"`
	ObjectID    string    `db:"object"` // the id of its row
	State       string    `db:"state"`
	Attempt     int       `db:"attempt"`
	ScheduledAt time.Time `db:"scheduled_at"`
	Error       string    `db:"error"` // of the last attempt
}

// SearchOrganizations lists organizations, for operators.
func (op *Operations) SearchOrganizations(ctx context.Context, search OrganizationSearch) ([]OrganizationLine, int, error) {
	search.Text = account.NormalizeSearch(search.Text)
	lines, total, err := op.store.Operations().SearchOrganizations(ctx, search, op.knownAccount())
	if err != nil {
		return nil, 0, fmt.Errorf("search organizations: %w", err)
	}
	return lines, total, nil
}

// OrganizationDetails is what operators see of one organization.
type OrganizationDetails struct {
	Overview
	Members       int
	Subscriptions []Subscription
	Foreign       []Subscription // sold by something else, and left alone
	Events        []StoredEvent  // newest first
	SeatChanges   []SeatChange   // newest first
	// Differing are the changes of seats that were charged another amount than was confirmed, the
	// newest first.
	Differing []SeatPreview
	Compared  *DriftReport // the last comparison of this organization with Stripe; nil: none
}

// detailLines is the maximum number of events and of seat changes in an [OrganizationDetails].
const detailLines = 20

// Organization reads the details of an organization. Error: [apperr.ErrNotFound].
func (op *Operations) Organization(ctx context.Context, organizationID string) (OrganizationDetails, error) {
	var details OrganizationDetails
	organization, err := op.store.Organizations().Get(ctx, organizationID)
	if err != nil {
		return details, fmt.Errorf("read organization: %w", err)
	}
	if details.Overview, err = op.overviews.Get(ctx, account.Access{Organization: organization}); err != nil {
		return details, err
	}
	if details.Members, err = op.store.Members().Count(ctx, organizationID, account.MemberSearch{}); err != nil {
		return details, fmt.Errorf("read organization: %w", err)
	}
	if details.Subscriptions, err = op.store.Subscriptions().List(ctx, organizationID, op.knownAccount()); err != nil {
		return details, fmt.Errorf("read organization: %w", err)
	}
	if details.Foreign, err = op.store.Subscriptions().Foreign(ctx, op.knownAccount(), organizationID); err != nil {
		return details, fmt.Errorf("read organization: %w", err)
	}
	if details.Events, err = op.inbox.Search(ctx, EventSearch{OrganizationID: organizationID, Limit: detailLines}); err != nil {
		return details, err
	}
	if details.SeatChanges, err = op.store.SeatLedger().List(ctx, organizationID, detailLines); err != nil {
		return details, fmt.Errorf("read organization: %w", err)
	}
	if details.Differing, err = op.store.SeatPreviews().Differing(ctx, organizationID, detailLines); err != nil {
		return details, fmt.Errorf("read organization: %w", err)
	}
	reports, err := op.store.Reconciliation().Reports(ctx, organizationID, 1)
	if err != nil {
		return details, fmt.Errorf("read organization: %w", err)
	}
	if len(reports) > 0 {
		details.Compared = &reports[0]
	}
	return details, nil
}

// Backlog counts pending and failed work.
func (op *Operations) Backlog(ctx context.Context) (Backlog, error) {
	backlog, err := op.store.Operations().Backlog(ctx)
	if err != nil {
		return backlog, fmt.Errorf("count the backlog: %w", err)
	}
	if backlog.Webhooks, err = op.store.Webhooks().Backlog(ctx); err != nil {
		return backlog, fmt.Errorf("count the backlog: %w", err)
	}
	backlog.PricesNotOffered = int(op.notOffered.Load())
	return backlog, nil
}

// hoursShown is how many hours [Operations.EventsByHour] counts, the current one included.
const hoursShown = 24

// EventsByHour counts the events received in each of the last 24 hours, the oldest first. The last
// hour has only begun.
func (op *Operations) EventsByHour(ctx context.Context) ([]EventHour, error) {
	first := op.Now().UTC().Truncate(time.Hour).Add(-(hoursShown - 1) * time.Hour)
	counted, err := op.store.Operations().EventsByHour(ctx, first)
	if err != nil {
		return nil, fmt.Errorf("count events: %w", err)
	}
	hours := make([]EventHour, hoursShown)
	for i := range hours {
		hours[i].Hour = first.Add(time.Duration(i) * time.Hour)
	}
	for _, hour := range counted {
		if i := int(hour.Hour.Sub(first) / time.Hour); i < hoursShown {
			hours[i].Events, hours[i].Failed = hour.Events, hour.Failed
		}
	}
	return hours, nil
}

// OpenJobs lists the jobs that run, will be retried or have failed.
func (op *Operations) OpenJobs(ctx context.Context) ([]QueuedJob, error) {
	jobs, err := op.store.Operations().OpenJobs(ctx, maxOpenJobs)
	if err != nil {
		return nil, fmt.Errorf("list jobs: %w", err)
	}
	return jobs, nil
}

const maxOpenJobs = 100

// DriftReports lists the reports of reconciliations, newest first.
func (op *Operations) DriftReports(ctx context.Context) ([]DriftReport, error) {
	reports, err := op.store.Reconciliation().Reports(ctx, "", driftReportsShown)
	if err != nil {
		return nil, fmt.Errorf("list drift reports: %w", err)
	}
	return reports, nil
}

const driftReportsShown = 50
