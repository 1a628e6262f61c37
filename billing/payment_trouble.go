package billing

import (
	"context"
	"fmt"
	"time"

	"usher/billing/apperr"
	"usher/billing/catalog"
)

// TroubleKind says what is wrong with a payment. Pages show one at a time.
type TroubleKind string

// The kinds of trouble.
const (
	TroubleIncomplete TroubleKind = "incomplete"  // the first payment is not finished
	TroublePastDue    TroubleKind = "past_due"    // an invoice could not be collected
	TroubleConfirm    TroubleKind = "confirm"     // the bank wants the payment confirmed
	TroubleUnpaid     TroubleKind = "unpaid"      // Stripe has given up, and the plan has stopped
	TroublePaused     TroubleKind = "paused"      // the trial ended without a card
	TroublePaying     TroubleKind = "paying"      // a payment is on its way
	TroubleTrialCard  TroubleKind = "trial_card"  // the trial ends soon, and there is no card
	TroubleCardExpiry TroubleKind = "card_expiry" // the card expires before the next charge
)

// PaymentTrouble is what is wrong with an organization's payment, and what helps. A time is zero if
// it does not apply.
type PaymentTrouble struct {
	Kind        TroubleKind
	Invoice     *Invoice // the open one; nil: there is none, or it is not stored yet
	FailedAt    time.Time
	Decline     Decline          // past_due and unpaid
	AccessUntil time.Time        // of a past due plan with a grace period
	HasAccess   bool             // the product may be used now
	NextTry     time.Time        // when Stripe tries again; zero: it does not, or it is not known yet
	Tried       bool             // an attempt to collect Invoice is stored, and with it NextTry
	Stopped     bool             // confirm and paying: the plan has stopped until it is paid
	CanPay      bool             // paying now with the card on file can help
	HasCard     bool             // paused: there is a payment method now
	Payment     *InvoicePayment  // paying: the one on its way
	Attempts    []PaymentAttempt // to collect Invoice, newest first
	At          time.Time        // when the trial ends, or the card expires
	NextCharge  time.Time        // card_expiry
}

// Amount returns the open amount; the zero value if it is not known.
func (t PaymentTrouble) Amount() catalog.Money {
	if t.Invoice == nil {
		return catalog.Money{}
	}
	return t.Invoice.DueMoney()
}

// troubleOf decides what is wrong with the payment of a subscription; nil: nothing. latest is the
// newest payment that was asked for; nil: none.
func troubleOf(o Overview, attempts []PaymentAttempt, latest *InvoicePayment, now time.Time) *PaymentTrouble {
	s := o.Subscription
	if s == nil {
		return nil
	}
	t := &PaymentTrouble{Invoice: o.OpenInvoice, Attempts: attempts, HasAccess: o.HasAccess}
	switch s.Status {
	case StatusIncomplete:
		t.Kind = TroubleIncomplete
		return t
	case StatusPaused:
		if t.Kind, t.HasCard = TroublePaused, s.PaymentMethodID != ""; o.OpenInvoice == nil {
			return t
		}
		t.describeFailure(o, latest, now)
		return t
	case StatusPastDue, StatusUnpaid:
		t.describeFailure(o, latest, now)
		return t
	case StatusTrialing:
		_, ending := s.EndsAt()
		free := o.Plan != nil && o.Price.Amount.Minor == 0
		if s.PaymentMethodID == "" && s.CardLast4 == "" && !ending && !free && s.TrialEnd != nil {
			t.Kind, t.At = TroubleTrialCard, *s.TrialEnd
			return t
		}
	}
	if at, soon := cardExpires(*s, now); soon {
		t.Kind, t.At, t.NextCharge = TroubleCardExpiry, at, s.CurrentPeriodEnd
		return t
	}
	return nil
}

// describeFailure describes a past due or unpaid plan.
func (t *PaymentTrouble) describeFailure(o Overview, latest *InvoicePayment, now time.Time) {
	t.Kind, t.Stopped = TroublePastDue, o.Subscription.Status != StatusPastDue
	if t.Stopped {
		t.Kind = TroubleUnpaid
	}
	if o.GraceEndsAt != nil {
		t.AccessUntil = *o.GraceEndsAt
	}
	if latest.explains(o) {
		t.Kind, t.Payment = TroublePaying, latest
		return
	}
	if t.Invoice == nil {
		return
	}
	t.FailedAt = t.Invoice.CreatedAt
	if t.Invoice.FinalizedAt != nil {
		t.FailedAt = *t.Invoice.FinalizedAt
	}
	if len(t.Attempts) > 0 {
		t.FailedAt, t.Decline = t.Attempts[0].At, t.Attempts[0].Decline()
	}
	if o.PaymentAwaitsConfirmation() {
		t.Kind = TroubleConfirm
		return
	}
	present := t.presentDecline(o.Subscription.PaymentMethodID)
	t.CanPay = !present.NewCard
	// The subscription may be past due before the failed attempt is stored.
	t.NextTry, t.Tried = nextTry(*t.Invoice, present, now), t.Invoice.Attempts > 0
}

// presentDecline returns the last decline of the payment method that is the default now. One that
// was not charged yet has none.
func (t PaymentTrouble) presentDecline(paymentMethodID string) Decline {
	switch with := lastWith(t.Attempts, paymentMethodID); {
	case with != nil:
		return with.Decline()
	case paymentMethodID == "": // not known
		return t.Decline
	}
	return Decline{}
}

// nextTry returns when Stripe tries to collect an invoice again with a payment method that was
// declined, or was not charged yet. It keeps the dates of its schedule after a final decline, but
// does not charge the same payment method
// (https://docs.stripe.com/billing/revenue-recovery/smart-retries).
func nextTry(invoice Invoice, decline Decline, now time.Time) time.Time {
	if invoice.NextAttemptAt == nil || !invoice.NextAttemptAt.After(now) || decline.Final {
		return time.Time{}
	}
	return *invoice.NextAttemptAt
}

// explains reports whether a payment that was asked for is on its way, or was made and the
// subscription was not read since.
func (p *InvoicePayment) explains(o Overview) bool {
	switch {
	case p == nil || p.SubscriptionID != o.Subscription.ID:
		return false
	case p.Status == PaymentOpen:
		return o.OpenInvoice != nil && o.OpenInvoice.ID == p.InvoiceID
	}
	if p.Status != PaymentPaid || p.DoneAt == nil || !o.Subscription.AsOf.Before(*p.DoneAt) {
		return false
	}
	return o.OpenInvoice == nil || o.OpenInvoice.ID == p.InvoiceID && o.OpenInvoice.AsOf.Before(*p.DoneAt)
}

// describeTrouble fills in Trouble.
func (ov *Overviews) describeTrouble(ctx context.Context, o *Overview) error {
	var attempts []PaymentAttempt
	var latest *InvoicePayment
	if o.OpenInvoice != nil || o.MissesInvoice() {
		payment, known, err := apperr.Found(ov.store.InvoicePayments().Latest(ctx, o.Organization.ID, ov.knownAccount()))
		if err != nil {
			return fmt.Errorf("look up payment: %w", err)
		}
		if known {
			latest = &payment
		}
		if o.OpenInvoice != nil {
			if attempts, err = ov.store.PaymentAttempts().List(ctx, o.Organization.ID, o.OpenInvoice.ID); err != nil {
				return fmt.Errorf("list payment attempts: %w", err)
			}
		}
	}
	o.Trouble = troubleOf(*o, attempts, latest, ov.Now())
	return nil
}
