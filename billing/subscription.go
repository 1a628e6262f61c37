package billing

import "time"

// SubscriptionStatus is the status of a subscription at Stripe
// (https://docs.stripe.com/api/subscriptions/object#subscription_object-status). An unknown status
// is stored as it is and grants nothing.
type SubscriptionStatus string

// The statuses of API version 2024-06-20.
const (
	StatusTrialing          SubscriptionStatus = "trialing"
	StatusActive            SubscriptionStatus = "active"
	StatusPastDue           SubscriptionStatus = "past_due"
	StatusUnpaid            SubscriptionStatus = "unpaid"
	StatusPaused            SubscriptionStatus = "paused"
	StatusIncomplete        SubscriptionStatus = "incomplete"
	StatusIncompleteExpired SubscriptionStatus = "incomplete_expired"
	StatusCanceled          SubscriptionStatus = "canceled"
)

// statusRule says what a status means to Usher.
type statusRule struct {
	access      bool // the product may be used; past_due only for the plan's grace period
	seatsSynced bool // Usher sets the quantity
	ended       bool // final
	newCheckout bool // another subscription may be bought
}

// statusRules follows https://docs.stripe.com/billing/subscriptions/overview#subscription-statuses.
var statusRules = map[SubscriptionStatus]statusRule{
	StatusTrialing:          {access: true, seatsSynced: true},
	StatusActive:            {access: true, seatsSynced: true},
	StatusPastDue:           {access: true, seatsSynced: true},
	StatusUnpaid:            {},
	StatusPaused:            {},
	StatusIncomplete:        {},
	StatusIncompleteExpired: {ended: true, newCheckout: true},
	StatusCanceled:          {ended: true, newCheckout: true},
}

// SeatsSynced reports whether Usher sets the quantity in this status.
func (s SubscriptionStatus) SeatsSynced() bool { return statusRules[s].seatsSynced }

// Ended reports whether the status is final.
func (s SubscriptionStatus) Ended() bool { return statusRules[s].ended }

// GrantsAccess reports whether the product may be used in this status (past_due: within the plan's
// grace period).
func (s SubscriptionStatus) GrantsAccess() bool { return statusRules[s].access }

// AllowsCheckout reports whether a new subscription may be bought beside one in this status.
func (s SubscriptionStatus) AllowsCheckout() bool { return statusRules[s].newCheckout }

// Subscription is our snapshot of a subscription at Stripe.
type Subscription struct {
	ID             string             `db:"id"` // sub_…
	OrganizationID string             `db:"organization_id"`
	CustomerID     string             `db:"customer_id"` // cus_…
	Account        string             `db:"account"`     // acct_…, its Stripe account
	Livemode       bool               `db:"livemode"`
	TestClock      bool               `db:"test_clock"`
	Status         SubscriptionStatus `db:"status"`
	// Items are all of its items, oldest first. [Subscription.Classified] finds the seat item among
	// them.
	Items []SubscriptionItem `db:"items,json"`
	// Foreign means that no item has a price of a plan: it is not ours.
	Foreign bool   `db:"is_foreign"`
	PriceID string `db:"price_id"` // of the seat item
	// ItemID (si_…) is the item whose quantity is the number of seats; empty if there is none.
	ItemID             string     `db:"item_id"`
	Quantity           int        `db:"quantity"`
	CurrentPeriodStart time.Time  `db:"current_period_start,null"`
	CurrentPeriodEnd   time.Time  `db:"current_period_end,null"`
	CancelAtPeriodEnd  bool       `db:"cancel_at_period_end"`
	CancelAt           *time.Time `db:"cancel_at"`
	CanceledAt         *time.Time `db:"canceled_at"`
	EndedAt            *time.Time `db:"ended_at"`
	TrialStart         *time.Time `db:"trial_start"`
	TrialEnd           *time.Time `db:"trial_end"`
	// BillingCycleAnchor sets the day of the month on which periods begin; nil: not known
	// (https://docs.stripe.com/api/subscriptions/object#subscription_object-billing_cycle_anchor).
	BillingCycleAnchor *time.Time `db:"billing_cycle_anchor"`
	// PendingInvoiceInterval is how often Stripe invoices pending prorations between renewals, such
	// as "month"; empty: they are on the next renewal's invoice.
	PendingInvoiceInterval string `db:"pending_invoice_interval"`
	// CardBrand is the brand of the default payment method, if the snapshot had it.
	CardBrand string `db:"card_brand"`
	CardLast4 string `db:"card_last4"`
	// PaymentMethodID (pm_…) is what its invoices are charged to: its own default payment method
	// or, without one, the customer's
	// (https://docs.stripe.com/billing/subscriptions/payment-methods-setting).
	// Empty: none, or not known.
	PaymentMethodID string `db:"payment_method_id"`
	// CardExpiresAt is the first moment at which the card is not valid any more; nil: not known.
	CardExpiresAt *time.Time `db:"card_expires_at"`
	// SendsInvoices means that Stripe sends its invoices and charges nothing automatically
	// (collection_method send_invoice).
	SendsInvoices bool `db:"sends_invoices"`
	// CardFingerprint identifies the card number. It is stored with a trial only.
	CardFingerprint string
	CreatedAt       time.Time `db:"created_at"`      // at Stripe
	MetadataOrgID   string    `db:"metadata_org_id"` // the orgId in its metadata
	// LatestInvoiceID is its newest invoice. While an update is pending, it is the invoice that the
	// update depends on.
	LatestInvoiceID string `db:"latest_invoice_id"`

	// PendingPriceID is the price of an update whose payment is not complete; empty: none. Stripe
	// applies the update when its invoice is paid and discards it at PendingUntil
	// (https://docs.stripe.com/billing/subscriptions/pending-updates).
	PendingPriceID  string     `db:"pending_price_id"`
	PendingQuantity int        `db:"pending_quantity"`
	PendingUntil    *time.Time `db:"pending_until"`

	// ScheduleID (sub_sched_…) is the schedule that manages the subscription; empty: none. The next
	// three are the phase that follows the current one, if there is one.
	ScheduleID        string     `db:"schedule_id"`
	ScheduledPriceID  string     `db:"scheduled_price_id"`
	ScheduledQuantity int        `db:"scheduled_quantity"`
	ScheduledAt       *time.Time `db:"scheduled_at"`

	// PendingItems, CurrentPhase and NextPhase are the items of the pending update and of the
	// schedule's phases, as Stripe has them; not stored. [Subscription.Classified] finds the seat
	// item's among them.
	PendingItems            []SubscriptionItem
	CurrentPhase, NextPhase []SubscriptionItem

	// IsCurrent marks the one subscription of its organization that pages and seats use. A foreign
	// one is never current.
	IsCurrent bool `db:"is_current,readonly"`

	AsOf time.Time `db:"as_of,null"` // when this state was true at Stripe, by Stripe's clock
	// Revision counts our writes of the row; 0 while it is not stored.
	Revision int64 `db:"revision,readonly"`
}

// grantsAt reports whether the plan will still grant credits at a time in the future.
func (s Subscription) grantsAt(at, now time.Time) bool {
	end, ending := s.EndsAt()
	return s.Status.GrantsAccess() && at.After(now) && (!ending || at.Before(end))
}

// EndsAt returns when a live subscription will end, if a cancellation is scheduled. Subscriptions
// in classic billing mode have cancel_at_period_end, those in flexible mode only cancel_at; both
// are read (https://docs.stripe.com/billing/subscriptions/cancel).
func (s Subscription) EndsAt() (time.Time, bool) {
	switch {
	case s.Status.Ended():
		return time.Time{}, false
	case s.CancelAt != nil:
		return *s.CancelAt, true
	case s.CancelAtPeriodEnd:
		return s.CurrentPeriodEnd, true
	}
	return time.Time{}, false
}

// holdsSeats reports whether a seat update has to be held back, because the payment of a confirmed
// change is not complete: Stripe replaces a pending update by the next update that is invoiced or
// prorated, and voids its invoice
// (https://docs.stripe.com/billing/subscriptions/pending-updates#cancel). Stripe discards a pending
// update after 23 hours at the latest. One that lasts until the period's end does not hold a
// smaller quantity back, since the renewal would charge for the removed seats.
func (s Subscription) holdsSeats(quantity int, now time.Time) bool {
	if s.PendingPriceID == "" || s.PendingUntil == nil || !now.Before(*s.PendingUntil) {
		return false
	}
	return quantity > s.Quantity || s.PendingUntil.Before(s.CurrentPeriodEnd)
}

// keepUnexpanded copies what the payload of an event has only as an id, the card and the schedule's
// phases, from the stored snapshot. A phase that has begun is not copied.
func (s *Subscription) keepUnexpanded(stored Subscription) {
	if s.CardLast4 == "" {
		s.CardBrand, s.CardLast4, s.CardExpiresAt = stored.CardBrand, stored.CardLast4, stored.CardExpiresAt
	}
	if s.PaymentMethodID == "" { // the customer's, which a payload does not name
		s.PaymentMethodID = stored.PaymentMethodID
	}
	if s.ScheduleID == "" || s.ScheduleID != stored.ScheduleID || len(s.NextPhase) > 0 {
		return
	}
	if stored.ScheduledAt != nil && stored.ScheduledAt.After(s.CurrentPeriodStart) {
		s.ScheduledPriceID, s.ScheduledQuantity, s.ScheduledAt = stored.ScheduledPriceID, stored.ScheduledQuantity, stored.ScheduledAt
	}
}
