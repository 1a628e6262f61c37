package billing

import (
	"context"
	"fmt"
	"time"
)

// Overview is an organization's billing as pages and JSON show it: from our tables alone, never waiting for Stripe.
type Overview struct {
	Organization Organization
	CustomerID   string        // empty: none
	Subscription *Subscription // the current one; nil: none
	Plan         *Plan         // of its price; nil where there is none or the catalogue does not know it
	Price        Price         // valid with Plan
	HasAccess    bool
	Seats        SeatsOverview
	Credits      CreditsOverview
	OpenCheckout *CheckoutSession // an open subscription checkout, if any
}

// SeatsOverview tells how the billed people, the wanted seats and the seats at Stripe stand to each other.
type SeatsOverview struct {
	Billable    int // members that are billable and active
	Desired     int
	LastApplied *int
	LastSyncAt  *time.Time
	Error       string
	Status      SyncStatus
	Synced      bool       // there is a subscription whose seats are synced
	AtStripe    int        // what the snapshot says
	CheckedAt   time.Time  // the snapshot's moment
	Gathering   bool       // a change waits for others to join it
	Syncing     bool       // Stripe is being told
	Drift       bool       // the number at Stripe was changed behind us, and is to be set back
	Minimum     int        // a number that was set at Stripe and is kept at least; 0: none
	PaidUntil   *time.Time // seats nobody uses are kept until then, since they are paid; nil: none are
	DueAt       *time.Time
	Failures    int
}

// Overview reads an organization's billing.
func (s *Service) Overview(ctx context.Context, a Access) (Overview, error) {
	o := Overview{Organization: a.Organization}
	account := s.knownAccount()
	link, known, err := optional(s.store.CustomerLink(ctx, a.Organization.ID, account))
	if err != nil {
		return o, fmt.Errorf("overview: %w", err)
	}
	if known && link.DeletedAt == nil {
		o.CustomerID = link.StripeCustomerID
	}
	current, known, err := optional(s.store.CurrentSubscription(ctx, a.Organization.ID, account))
	if err != nil {
		return o, fmt.Errorf("overview: %w", err)
	}
	if known {
		s.describeSubscription(&o, current)
	}
	session, open, err := optional(s.store.OpenCheckout(ctx, a.Organization.ID, account))
	if err != nil {
		return o, fmt.Errorf("overview: %w", err)
	}
	if open && session.Status == CheckoutOpen && session.ExpiresAt != nil && s.now().Before(*session.ExpiresAt) {
		o.OpenCheckout = &session
	}
	if o.Seats, err = s.seatsOverview(ctx, a.Organization.ID, o.Subscription); err != nil {
		return o, fmt.Errorf("overview: %w", err)
	}
	o.Credits, err = s.creditsOverview(ctx, a.Organization.ID)
	return o, err
}

func (s *Service) describeSubscription(o *Overview, current Subscription) {
	o.Subscription = &current
	o.HasAccess = s.hasAccess(current)
	if plan, price, known := s.Catalogue().ByPrice(current.PriceID); known {
		o.Plan, o.Price = &plan, price
	}
}

// hasAccess tells whether the organization may use the product: by the subscription's status, past_due for the plan's grace period only.
// The period is counted from the start of the period whose renewal is unpaid.
func (s *Service) hasAccess(current Subscription) bool {
	if current.Status != StatusPastDue {
		return current.Status.GrantsAccess()
	}
	plan, _, known := s.Catalogue().ByPrice(current.PriceID)
	if !known || plan.GraceDays == 0 {
		return true
	}
	return s.now().Before(current.CurrentPeriodStart.AddDate(0, 0, plan.GraceDays))
}

func (s *Service) seatsOverview(ctx context.Context, organizationID string, current *Subscription) (SeatsOverview, error) {
	billable, err := s.store.CountBillable(ctx, organizationID)
	if err != nil {
		return SeatsOverview{}, fmt.Errorf("count billable members: %w", err)
	}
	state, known, err := optional(s.store.SeatState(ctx, organizationID))
	if err != nil {
		return SeatsOverview{}, fmt.Errorf("read seat state: %w", err)
	}
	if !known {
		state.DesiredSeats = max(1, billable)
	}
	view := SeatsOverview{
		Billable: billable, Desired: state.DesiredSeats, LastApplied: state.LastAppliedSeats, LastSyncAt: state.LastSyncAt,
		Error: state.SyncError, DueAt: state.DueAt, Failures: state.Failures,
		Status: SyncOK,
	}
	if current == nil {
		return view, nil
	}
	view.AtStripe, view.CheckedAt = current.Quantity, current.Moment
	view.Synced = s.seatsSynced(*current)
	if view.Synced {
		view.Status = state.status(current.Quantity)
		state.describe(&view, s.now())
	}
	return view, nil
}

// describe tells what keeps wanted and applied apart.
func (s SeatState) describe(view *SeatsOverview, now time.Time) {
	view.Minimum = s.MinimumSeats
	if s.ReleaseAt != nil {
		view.PaidUntil = s.PaidUntil
	}
	if view.Status != SyncPending {
		return
	}
	view.Syncing = s.Open && s.LeaseUntil != nil && now.Before(*s.LeaseUntil)
	view.Drift = s.DriftVersion == s.SyncVersion
	view.Gathering = !view.Drift && s.gathering(now)
}
