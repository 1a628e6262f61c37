package billing

import (
	"context"
	"fmt"
	"time"
)

// OrganizationSearch narrows the list of organizations for operators. Text is part of a name, or a whole id of the organization, its
// compareCustomer or a subscription, or a member's e-mail address; empty: all.
type OrganizationSearch struct {
	Text          string
	Offset, Limit int
}

// OrganizationLine is an organization in a list for operators.
type OrganizationLine struct {
	Organization
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
	About       JobKind   `db:"about"`
	Object      string    `db:"object"` // what it is about
	State       string    `db:"state"`
	Attempt     int       `db:"attempt"`
	ScheduledAt time.Time `db:"scheduled_at"`
	Error       string    `db:"error"` // of the last attempt
}

// SearchOrganizations lists organizations, for operators.
func (s *Service) SearchOrganizations(ctx context.Context, search OrganizationSearch) ([]OrganizationLine, int, error) {
	search.Text = searchText(search.Text)
	lines, total, err := s.store.Operations().SearchOrganizations(ctx, search, s.knownAccount())
	if err != nil {
		return nil, 0, fmt.Errorf("search organizations: %w", err)
	}
	return lines, total, nil
}

// OrganizationDetails is what an operator sees of one organization.
type OrganizationDetails struct {
	Overview
	Members       []Member
	Subscriptions []Subscription
	Events        []StoredEvent // the newest first
	SeatChanges   []SeatChange  // the newest first
}

// detailLines bounds how many events and changes of seats an [OrganizationDetails] has.
const detailLines = 20

// OrganizationDetails reads what there is about an organization, for operators. Error: [ErrNotFound].
func (s *Service) OrganizationDetails(ctx context.Context, organizationID string) (OrganizationDetails, error) {
	var file OrganizationDetails
	organization, err := s.store.Organizations().Get(ctx, organizationID)
	if err != nil {
		return file, fmt.Errorf("read organization: %w", err)
	}
	if file.Overview, err = s.Overview(ctx, Access{Organization: organization}); err != nil {
		return file, err
	}
	if file.Members, err = s.store.Members().List(ctx, organizationID); err != nil {
		return file, fmt.Errorf("read organization: %w", err)
	}
	if file.Subscriptions, err = s.store.Subscriptions().List(ctx, organizationID, s.knownAccount()); err != nil {
		return file, fmt.Errorf("read organization: %w", err)
	}
	if file.Events, err = s.SearchEvents(ctx, EventSearch{OrganizationID: organizationID, Limit: detailLines}); err != nil {
		return file, err
	}
	if file.SeatChanges, err = s.store.SeatLedger().List(ctx, organizationID, detailLines); err != nil {
		return file, fmt.Errorf("read organization: %w", err)
	}
	return file, nil
}

// Backlog counts what waits and what was given up.
func (s *Service) Backlog(ctx context.Context) (Backlog, error) {
	backlog, err := s.store.Operations().Backlog(ctx)
	if err != nil {
		return backlog, fmt.Errorf("count the backlog: %w", err)
	}
	return backlog, nil
}

// OpenJobs lists the queue's jobs that run, wait for another try or were given up.
func (s *Service) OpenJobs(ctx context.Context) ([]QueuedJob, error) {
	jobs, err := s.store.Operations().OpenJobs(ctx, maxOpenJobs)
	if err != nil {
		return nil, fmt.Errorf("list jobs: %w", err)
	}
	return jobs, nil
}

const maxOpenJobs = 100

// DriftReports lists what comparisons with Stripe found, the newest first.
func (s *Service) DriftReports(ctx context.Context) ([]DriftReport, error) {
	reports, err := s.store.Reconciliation().Reports(ctx, "", driftReportsShown)
	if err != nil {
		return nil, fmt.Errorf("list drift reports: %w", err)
	}
	return reports, nil
}

const driftReportsShown = 50
