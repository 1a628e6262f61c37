package billing

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"usher/billing/account"
	"usher/billing/catalog"
)

// SeatPreviews shows what a person's change of seats costs before it is made. Preview stores
// Stripe's calculation, Apply makes exactly that change, and the seat sync sends it with the
// proration date of the preview, so that what is charged is what was confirmed. Changes that nobody
// confirms (the JSON API, accepted invitations) are sent with the time of their update.
type SeatPreviews struct {
	*core
	members       *account.Members
	invitations   *account.Invitations
	provisioning  *account.Provisioning
	subscriptions *Subscriptions
	seats         *SeatCounter
}

// SeatPreviewGateway previews changes of the quantity and reads what came of them.
type SeatPreviewGateway interface {
	// PreviewQuantity returns the invoice that the update would create at once or, if it creates
	// none, the next one. Without an item: the next one as it is. The zero value: no further
	// invoice is due.
	PreviewQuantity(ctx context.Context, update QuantityUpdate) (InvoicePreview, error)
	// PendingProrations lists the prorations of a subscription that are on no invoice yet.
	PendingProrations(ctx context.Context, customerID, subscriptionID string) ([]PreviewLine, error)
}

// SeatRequestKind is what a person asks to do.
type SeatRequestKind string

// The kinds of request.
const (
	SeatMembers    SeatRequestKind = "members"    // change members
	SeatRemoval    SeatRequestKind = "removal"    // remove members
	SeatInvitation SeatRequestKind = "invitation" // invite a person; the seat is charged when they join
	SeatCount      SeatRequestKind = "count"      // nothing: what would this number of seats cost
	SeatSet        SeatRequestKind = "set"        // make these the members; only estimated
	// SeatConfirmation confirms the number of people of an imported organization.
	SeatConfirmation SeatRequestKind = "confirmation"
)

// SeatRequest is a change that a person asks for.
type SeatRequest struct {
	Kind       SeatRequestKind
	MemberIDs  []string                                // of members and removal
	Change     account.MemberChange                    // of members
	Invitation account.NewInvitation                   // of invitation
	Seats      int                                     // of count
	make       func(tx Tx, actor account.Access) error // of set
}

// aboutBilling reports whether the request needs the right to manage billing, and not the members.
func (r SeatRequest) aboutBilling() bool { return r.Kind == SeatCount || r.Kind == SeatConfirmation }

// maxSeatRequest bounds the members of one request.
const maxSeatRequest = 500

// digest identifies the request, so that a token confirms no other one.
func (r SeatRequest) digest() string {
	text, err := json.Marshal(r)
	if err != nil {
		panic("billing: encode seat request: " + err.Error()) // it has no such fields
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// SeatReason says why a change of seats costs nothing today.
type SeatReason string

// The reasons.
const (
	SeatCharged   SeatReason = ""           // it has an amount
	SeatNoPlan    SeatReason = "no_plan"    // no subscription whose seats are billed
	SeatFlat      SeatReason = "flat"       // the plan has one price for everybody
	SeatSame      SeatReason = "same"       // the quantity at Stripe stays the same
	SeatKept      SeatReason = "kept"       // the seat is paid and stays available until the renewal
	SeatTrial     SeatReason = "trial"      // billing starts after the trial
	SeatPaid      SeatReason = "paid"       // the seat is paid until the renewal already
	SeatUnpaid    SeatReason = "unpaid"     // an invoice is unpaid: nothing is credited
	SeatAtRenewal SeatReason = "at_renewal" // the plan charges changes from the next renewal on
	// SeatUnconfirmed: the subscription was imported and keeps its quantity.
	SeatUnconfirmed SeatReason = "unconfirmed"
)

// PreviewedMember is a member of a request, as they were before it.
type PreviewedMember struct {
	ID       string               `json:"id"`
	Name     string               `json:"name"`
	Billable bool                 `json:"billable"`
	Status   account.MemberStatus `json:"status"`
}

// SeatPreview is a previewed or confirmed change of seats. Every amount is Stripe's, in the
// currency's minor unit. The parameters are fixed when it is previewed.
type SeatPreview struct {
	ID             string            `db:"id"` // sp_…; also the confirm token
	OrganizationID string            `db:"organization_id"`
	SubscriptionID string            `db:"subscription_id"`
	ItemID         string            `db:"item_id"`
	CustomerID     string            `db:"customer_id"`
	PriceID        string            `db:"price_id"`
	Kind           SeatRequestKind   `db:"kind"`
	Digest         string            `db:"digest"` // of the request
	Members        []PreviewedMember `db:"members,json"`
	Email          string            `db:"email"`  // of an invitation
	Billed         int               `db:"billed"` // members with a seat after the change
	// FromQuantity is the quantity at Stripe, ToQuantity that after the change and after all
	// changes that are not sent yet.
	FromQuantity int   `db:"from_quantity"`
	ToQuantity   int   `db:"to_quantity"`
	BaseVersion  int64 `db:"base_version"` // the SyncVersion before the change
	// Proration is what the update will be sent with; empty: no update.
	Proration  catalog.Proration `db:"proration"`
	ProratedAt *time.Time        `db:"prorated_at"` // nil: nothing is prorated
	PeriodEnd  time.Time         `db:"period_end"`
	Reason     SeatReason        `db:"reason"`
	// Known is false if Stripe did not calculate the amounts in time.
	Known    bool             `db:"known"`
	Currency string           `db:"currency"`
	Interval catalog.Interval `db:"per"` // of the price
	// AmountDue is charged today; 0 unless the update is invoiced at once.
	AmountDue    int64 `db:"amount_due"`
	InvoiceTotal int64 `db:"invoice_total"` // of that invoice; negative: credited to the balance
	// ProrationSum is the sum of the lines for unused and for new time.
	ProrationSum int64 `db:"proration_sum"`
	PeriodChange int64 `db:"period_change"` // of each further invoice
	Tax          bool  `db:"tax"`           // tax is added to ProrationSum
	// NextAmount is the next regular invoice with the change; 0 with NextAt nil: none.
	NextAmount  int64         `db:"next_amount"`
	NextAt      *time.Time    `db:"next_at"`
	EndsAt      *time.Time    `db:"ends_at"` // the plan ends then
	Lines       []PreviewLine `db:"lines,json"`
	MoreLines   bool          `db:"more_lines"`
	RequestedBy string        `db:"requested_by"` // user id
	PreviewedAt time.Time     `db:"previewed_at"`
	ConfirmedAt *time.Time    `db:"confirmed_at"` // nil: nothing was changed
	Version     int64         `db:"version"`      // the SyncVersion after the change
	AttemptKey  string        `db:"attempt_key"`  // the update that carried it out; empty: none yet
	// Charged is what Stripe charged for it: the total of the invoice of AttemptKey, or the sum of
	// its prorations; nil: not known yet.
	Charged   *int64     `db:"charged"`
	InvoiceID string     `db:"invoice_id"`
	DoneAt    *time.Time `db:"done_at"`
}

// Money returns an amount of the preview in its currency.
func (p SeatPreview) Money(minor int64) catalog.Money {
	return catalog.Money{Minor: minor, Currency: p.Currency}
}

// Confirm returns the token that confirms the preview.
func (p SeatPreview) Confirm() string { return p.ID }

// ChargedToday reports whether the change is invoiced at once.
func (p SeatPreview) ChargedToday() bool { return p.Proration == catalog.ProrationAlwaysInvoice }

// Added returns the number of seats that are added at Stripe; negative: removed.
func (p SeatPreview) Added() int { return p.ToQuantity - p.FromQuantity }

// MayConfirmUnknown reports whether the change can be made although its amount is not known: not if
// it would charge a card at once. Everything else is on the next invoice and can be undone until
// then.
func (p SeatPreview) MayConfirmUnknown() bool { return !p.ChargedToday() || p.Added() < 0 }

// expected returns what Stripe will show of the update that carries the change out. An update that
// was to be invoiced at once may have been sent without, see [throttle].
func (p SeatPreview) expected(sent catalog.Proration) int64 {
	switch sent {
	case catalog.ProrationAlwaysInvoice:
		return p.InvoiceTotal
	case catalog.ProrationCreateProrations:
		return p.ProrationSum
	}
	return 0
}

// Confirmed returns what was confirmed of the amount that [SeatPreview.Charged] is held against.
func (p SeatPreview) Confirmed() catalog.Money {
	if p.InvoiceID != "" {
		return p.Money(p.InvoiceTotal)
	}
	return p.Money(p.ProrationSum)
}

// sameAmounts reports whether two calculations of one change agree.
func (p SeatPreview) sameAmounts(o SeatPreview) bool {
	return p.Known == o.Known && p.AmountDue == o.AmountDue && p.InvoiceTotal == o.InvoiceTotal && p.ProrationSum == o.ProrationSum &&
		p.PeriodChange == o.PeriodChange
}

// seatTerms is what a request does to the seats: read in the transaction that makes it, or in one
// that is rolled back.
type seatTerms struct {
	plan        catalog.Plan
	current     Subscription
	before      SeatState
	after       SeatState
	members     []PreviewedMember
	invites     bool // the change follows when the invited person joins
	confirms    bool // the number of people of an imported organization is confirmed
	billed      int  // after the request
	billedWas   int
	to          int // the quantity at Stripe after the request
	renewTo     int // and from the next renewal on
	proration   catalog.Proration
	reason      SeatReason
	lastProrate *time.Time // of the last confirmed change of this subscription
}

// decide sets what the change costs by the rules. It is a pure function of the terms.
func (t *seatTerms) decide(earlier []SeatAttempt, now time.Time) {
	if !seatsSynced(t.plan, t.current) {
		t.reason = SeatNoPlan
		return
	}
	if !t.plan.PerSeat && !t.confirms {
		t.reason = SeatFlat
		return
	}
	increase := t.to > t.current.Quantity
	if t.to != t.current.Quantity {
		state := t.after
		state.DesiredSeats = t.to
		t.proration = seatProration(t.plan, state, t.current, latest(now, t.current.AsOf))
		_, t.proration = throttle(earlier, now, t.proration)
	}
	switch {
	case t.to == t.current.Quantity && t.after.keepsQuantity(t.current):
		t.reason = SeatUnconfirmed
	case t.to == t.current.Quantity && t.renewTo < t.to:
		t.reason = SeatKept
	case t.to == t.current.Quantity:
		t.reason = SeatSame
	case t.current.Status == StatusTrialing:
		t.reason = SeatTrial
	case t.proration != catalog.ProrationNone:
	case increase && t.plan.SeatPolicy(t.current.PriceID).OnIncrease != catalog.ProrationNone:
		t.reason = SeatPaid
	case !increase && t.current.Status == StatusPastDue:
		t.reason = SeatUnpaid
	default:
		t.reason = SeatAtRenewal
	}
}

// sends reports whether the quantity at Stripe changes.
func (t *seatTerms) sends() bool { return t.proration != "" }

// busy reports whether an update is being sent, or was sent and the subscription has not been read
// since, so that the quantity at Stripe is not known.
func (t *seatTerms) busy(now time.Time) bool {
	return seatsSynced(t.plan, t.current) && (t.before.leased(now) || t.before.AttemptOpen || t.before.maybeStale(t.plan, t.current))
}

// proratedAt returns the proration date of the change: now, within the current period even if the
// clocks differ, and later than that of any other change, so that its lines can be distinguished.
// It is nil if nothing is prorated, and on a test clock, whose time comes with Stripe's preview.
func (t *seatTerms) proratedAt(now time.Time) *time.Time {
	if !t.sends() || t.proration == catalog.ProrationNone || t.current.Status == StatusTrialing || t.current.TestClock {
		return nil
	}
	at := now.UTC().Truncate(time.Second)
	for _, other := range []*time.Time{t.lastProrate, t.before.AcknowledgedAt} {
		if other != nil && !at.After(*other) && other.Sub(at) < time.Minute {
			at = other.UTC().Truncate(time.Second).Add(time.Second)
		}
	}
	if at.Before(t.current.CurrentPeriodStart) {
		at = t.current.CurrentPeriodStart
	}
	if at.After(t.current.CurrentPeriodEnd) {
		at = t.current.CurrentPeriodEnd
	}
	return &at
}

// update returns the request of the change as the seat sync will send it.
func (p SeatPreview) update() QuantityUpdate {
	return QuantityUpdate{
		SubscriptionID: p.SubscriptionID, ItemID: p.ItemID, Quantity: p.ToQuantity, Proration: string(p.Proration), ProratedAt: p.ProratedAt,
	}
}

// matches reports whether the terms are still those of the preview. One without amounts promises
// only the number of seats.
func (p SeatPreview) matches(t seatTerms) bool {
	if !p.Known {
		return p.SubscriptionID == t.current.ID && p.PriceID == t.current.PriceID && p.ToQuantity == t.to
	}
	same := p.SubscriptionID == t.current.ID && p.ItemID == t.current.ItemID && p.PriceID == t.current.PriceID &&
		p.PeriodEnd.Equal(t.current.CurrentPeriodEnd) && p.FromQuantity == t.current.Quantity && p.ToQuantity == t.to &&
		p.Proration == t.proration && p.Reason == t.reason
	return same && (p.Kind == SeatInvitation || p.BaseVersion == t.before.SyncVersion)
}
