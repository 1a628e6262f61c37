package billing

import (
	"context"
	"fmt"
	"time"

	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/catalog"
)

// Overviews reads an organization's billing.
type Overviews struct {
	*core
	credits *Credits
}

// Overview is an organization's billing as pages and JSON show it, read from the store without a
// call to Stripe.
type Overview struct {
	Organization account.Organization
	CustomerID   string        // empty: none
	Subscription *Subscription // the current one; nil: none
	Plan         *catalog.Plan // of its price; nil if there is none or the catalog does not know it
	Price        catalog.Price // valid with Plan
	// OtherItems are the items of Subscription that are not the seat item. Usher does not change
	// them.
	OtherItems  []SubscriptionItem
	HasAccess   bool
	GraceEndsAt *time.Time // past due: access until then; nil: no limit
	// OpenInvoice is the oldest open invoice of an incomplete, past due or unpaid subscription;
	// nil: none is stored.
	OpenInvoice *Invoice
	// Trouble is what is wrong with the payment; nil: nothing.
	Trouble      *PaymentTrouble
	Seats        SeatsOverview
	Credits      CreditsOverview
	OpenCheckout *CheckoutSession // an open subscription checkout, if any
	TrialUsed    bool             // Checkout gives no trial any more
}

// SeatsOverview compares the billed members, the desired seats and the seats at Stripe.
type SeatsOverview struct {
	Billable    int // members that are billable and active
	Desired     int
	LastApplied *int
	LastSyncAt  *time.Time
	Error       string
	Status      SyncStatus
	// Unconfirmed means that the subscription was imported and keeps the quantity that it has at
	// Stripe until somebody confirms the number of people.
	Unconfirmed      bool
	Synced           bool      // there is a subscription with a plan per seat whose seats are synced
	Quantity         int       // of the snapshot
	CheckedAt        time.Time // the snapshot's AsOf
	Debouncing       bool      // a change is being debounced
	Syncing          bool      // an update is being sent to Stripe
	Drift            bool      // the quantity was changed at Stripe and will be reverted
	AcceptedQuantity int       // a quantity set at Stripe that is the minimum; 0: none
	// OverMaximum is the number of billed members beyond the plan's maximum, who joined while a
	// Checkout page was open or before a smaller plan was chosen at Stripe.
	OverMaximum int
	// PaidUntil is when paid but unused seats are released; nil: there are none.
	PaidUntil *time.Time
	DueAt     *time.Time
	Failures  int
}

// Get reads an organization's billing.
func (ov *Overviews) Get(ctx context.Context, a account.Access) (Overview, error) {
	o := Overview{Organization: a.Organization}
	acct := ov.knownAccount()
	link, known, err := apperr.Found(ov.store.Customers().Link(ctx, a.Organization.ID, acct))
	if err != nil {
		return o, fmt.Errorf("overview: %w", err)
	}
	if known && link.DeletedAt == nil {
		o.CustomerID = link.StripeCustomerID
	}
	current, known, err := apperr.Found(ov.store.Subscriptions().Current(ctx, a.Organization.ID, acct))
	if err != nil {
		return o, fmt.Errorf("overview: %w", err)
	}
	if known {
		if err := ov.describeSubscription(ctx, &o, current); err != nil {
			return o, fmt.Errorf("overview: %w", err)
		}
	}
	if err := ov.describeTrouble(ctx, &o); err != nil {
		return o, fmt.Errorf("overview: %w", err)
	}
	session, open, err := apperr.Found(ov.store.Checkouts().Open(ctx, a.Organization.ID, acct))
	if err != nil {
		return o, fmt.Errorf("overview: %w", err)
	}
	if open && session.Status == CheckoutOpen && session.ExpiresAt != nil && ov.Now().Before(*session.ExpiresAt) {
		o.OpenCheckout = &session
	}
	if o.Seats, err = ov.seatsOverview(ctx, a.Organization.ID, o.Subscription); err != nil {
		return o, fmt.Errorf("overview: %w", err)
	}
	trials, err := ov.store.Trials().List(ctx, a.Organization.ID, acct)
	if err != nil {
		return o, fmt.Errorf("overview: %w", err)
	}
	o.TrialUsed = len(trials) > 0
	if o.Credits, err = ov.credits.overview(ctx, a.Organization.ID, o.Subscription); err != nil {
		return o, err
	}
	if end, ending := o.PlanEndsAt(); ending && !o.Credits.resets().Before(end) { // the organization is deleted by then
		o.Credits.ResetsAt, o.Credits.NextGrant = nil, 0
	}
	if end, ending := o.PlanEndsAt(); ending && o.Credits.ResetsAt == nil && o.Credits.PlanLeft > 0 {
		o.Credits.LapsesAt = &end
	}
	return o, nil
}

func (ov *Overviews) describeSubscription(ctx context.Context, o *Overview, current Subscription) error {
	o.Subscription = &current
	if plan, price, known := ov.Catalog().ByPrice(current.PriceID); known {
		o.Plan, o.Price = &plan, price
	}
	if current.Status.leavesInvoiceOpen() || current.Status == StatusPaused { // resumed, and not paid
		open, found, err := apperr.Found(ov.store.Invoices().OldestOpen(ctx, o.Organization.ID, current.ID))
		if err != nil {
			return fmt.Errorf("look up open invoice: %w", err)
		}
		if found {
			o.OpenInvoice = &open
		}
	}
	if current.Status == StatusPastDue {
		o.GraceEndsAt = graceEnd(current, o.Plan, o.OpenInvoice)
	}
	o.HasAccess = hasAccess(current.Status, o.GraceEndsAt, ov.Now())
	if current.Status == StatusPastDue && !o.HasAccess {
		if err := ov.describeSecondAccess(ctx, o, current); err != nil {
			return err
		}
	}
	o.OtherItems = current.OtherItems()
	return nil
}

// describeSecondAccess grants the access of a second subscription of ours, if the current one is
// past its grace period. An organization can have one that was made at Stripe.
func (ov *Overviews) describeSecondAccess(ctx context.Context, o *Overview, current Subscription) error {
	ours, err := ov.store.Subscriptions().List(ctx, o.Organization.ID, ov.knownAccount())
	if err != nil {
		return fmt.Errorf("list subscriptions: %w", err)
	}
	for _, other := range ours {
		if other.ID != current.ID && (other.Status == StatusActive || other.Status == StatusTrialing) {
			o.HasAccess = true
		}
	}
	return nil
}

// leavesInvoiceOpen reports whether a subscription has this status because an invoice of it is open
// (https://docs.stripe.com/api/subscriptions/object#subscription_object-status).
func (s SubscriptionStatus) leavesInvoiceOpen() bool {
	return s == StatusIncomplete || s == StatusPastDue || s == StatusUnpaid
}

// MissesInvoice reports whether the subscription's status follows from an open invoice that is not
// stored yet. Stripe sends the subscription and its invoice as two events, in either order.
func (o Overview) MissesInvoice() bool {
	return o.Subscription != nil && o.Subscription.Status.leavesInvoiceOpen() && o.OpenInvoice == nil
}

// PlanEndsAt returns when the plan ends, if an end is scheduled: that of the subscription, or the
// deletion of the organization if it comes first.
func (o Overview) PlanEndsAt() (time.Time, bool) {
	if o.Subscription == nil || o.Subscription.Status.Ended() {
		return time.Time{}, false
	}
	end, ending := o.Subscription.EndsAt()
	if deletion := o.Organization.DeletesAt; deletion != nil && (!ending || deletion.Before(end)) {
		return *deletion, true
	}
	return end, ending
}

// PaymentReceived reports whether an invoice that is stored as open was paid: Stripe makes a
// subscription active only when its first invoice is paid, and a payment that was asked for here
// has its result before the invoice's event arrives.
func (o Overview) PaymentReceived(i Invoice) bool {
	if i.Status != InvoiceOpen || o.Subscription == nil || i.SubscriptionID != o.Subscription.ID {
		return false
	}
	if t := o.Trouble; t != nil && t.Kind == TroublePaying && t.Payment != nil && t.Payment.InvoiceID == i.ID {
		return t.Payment.Status == PaymentPaid
	}
	first := i.Reason == "subscription_create"
	return first && o.Subscription.Status == StatusActive && !o.Subscription.SendsInvoices
}

// PaymentAwaitsConfirmation reports whether the open invoice is unpaid only because the customer
// has to confirm the payment with the bank. Pages then ask for that and not for another card.
func (o Overview) PaymentAwaitsConfirmation() bool {
	return o.OpenInvoice != nil && o.OpenInvoice.ActionRequired && o.Subscription.Status != StatusIncomplete
}

// hasAccess reports whether an organization may use the product, by its subscription's status;
// past_due only within the grace period. Pages, JSON and API use it through [Overview].
func hasAccess(status SubscriptionStatus, graceEndsAt *time.Time, now time.Time) bool {
	return status.GrantsAccess() && (graceEndsAt == nil || now.Before(*graceEndsAt))
}

// graceEnd returns when the access of a past due subscription ends: the plan's grace days after the
// oldest open invoice was finalized. If that invoice is not stored yet, the days are counted from
// the start of the period, whose renewal is the unpaid invoice most often. nil: the plan sets no
// limit.
func graceEnd(current Subscription, plan *catalog.Plan, open *Invoice) *time.Time {
	if plan == nil || plan.GraceDays == 0 {
		return nil
	}
	from := current.CurrentPeriodStart
	if open != nil && open.FinalizedAt != nil {
		from = *open.FinalizedAt
	}
	end := from.AddDate(0, 0, plan.GraceDays)
	return &end
}

func (ov *Overviews) seatsOverview(ctx context.Context, organizationID string, current *Subscription) (SeatsOverview, error) {
	billable, err := ov.store.Members().CountBillable(ctx, organizationID)
	if err != nil {
		return SeatsOverview{}, fmt.Errorf("count billable members: %w", err)
	}
	state, known, err := apperr.Found(ov.store.Seats().State(ctx, organizationID))
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
	view.Quantity, view.CheckedAt = current.Quantity, current.AsOf
	plan := ov.planOf(*current)
	if !seatsSynced(plan, *current) {
		return view, nil
	}
	if plan.RequireSeats(billable) != nil {
		view.OverMaximum = billable - plan.SeatMaximum
	}
	view.Status, view.Unconfirmed = state.syncStatus(plan, current.Quantity), state.keepsQuantity(*current)
	if view.Synced = plan.PerSeat; view.Synced {
		state.describe(&view, ov.Now())
	}
	return view, nil
}

// describe sets the fields that explain a pending sync.
func (s SeatState) describe(view *SeatsOverview, now time.Time) {
	view.AcceptedQuantity = s.AcceptedQuantity
	if s.ReleaseAt != nil {
		view.PaidUntil = s.PaidUntil
	}
	if view.Status != SyncPending {
		return
	}
	view.Syncing = s.AttemptOpen && s.LeaseUntil != nil && now.Before(*s.LeaseUntil)
	view.Drift = s.DriftVersion == s.SyncVersion
	view.Debouncing = !view.Drift && s.debouncing(now)
}
