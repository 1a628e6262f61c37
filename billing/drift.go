package billing

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// DriftKind says what differs from Stripe.
type DriftKind string

// The kinds of drift.
const (
	// DriftUnknownOrganization is a live subscription to one of our plans whose customer belongs to
	// no organization here. Somebody may pay for it; only an operator knows whose it is.
	DriftUnknownOrganization DriftKind = "unknown_organization"
	// DriftCredits is a paid invoice of a plan whose credits were not granted.
	DriftCredits DriftKind = "credits"
	// DriftCharge is a charge that was refunded, or lost in a dispute, without taking its credits
	// back.
	DriftCharge DriftKind = "charge"
	// DriftDuplicate is a second subscription of an organization to one of our plans, made outside
	// Usher. Neither is ended automatically.
	DriftDuplicate DriftKind = "duplicate"
	// DriftDeletedOrganization is a live subscription to one of our plans that was made at Stripe
	// after its organization was deleted. It is not ended automatically.
	DriftDeletedOrganization DriftKind = "deleted_organization"

	DriftStatus       DriftKind = "status"       // a subscription's status
	DriftQuantity     DriftKind = "quantity"     // a subscription's quantity
	DriftSubscription DriftKind = "subscription" // not known here, or other fields
	DriftInvoice      DriftKind = "invoice"
	DriftCustomer     DriftKind = "customer" // deleted at Stripe, or made there for an organization
	// DriftEvent is an event that was not received, or that could not be processed.
	DriftEvent DriftKind = "event"
	// DriftCheckout means that a session ended, or sold a pack, and its event was not received.
	DriftCheckout DriftKind = "checkout"
	// DriftSeats means that the desired seats differ from the recount, or that no update of Stripe
	// is pending.
	DriftSeats DriftKind = "seats"

	// DriftForeignSubscription is a customer's subscription to something that is no plan of the
	// catalog. It is information: Usher neither counts nor changes it.
	DriftForeignSubscription DriftKind = "foreign_subscription"
)

// DriftKinds lists the kinds, those that cost somebody money first.
func DriftKinds() []DriftKind {
	return []DriftKind{
		DriftUnknownOrganization, DriftCredits, DriftCharge, DriftDuplicate, DriftDeletedOrganization, DriftStatus, DriftQuantity, DriftSubscription,
		DriftInvoice, DriftCustomer, DriftEvent, DriftCheckout, DriftSeats, DriftForeignSubscription,
	}
}

// Drift is one difference between us and Stripe.
type Drift struct {
	Kind           DriftKind `json:"kind"`
	ObjectID       string    `json:"objectId"`
	OrganizationID string    `json:"organizationId,omitempty"` // empty: not known
	// Difference has the local and Stripe's values, as text.
	Difference string `json:"difference"`
	Repaired   bool   `json:"repaired"`
	Error      string `json:"error,omitempty"` // why it was not repaired
	// Remediation says what an operator can do about one that Usher does not repair.
	Remediation string `json:"remediation,omitempty"`
}

// DriftReport is the result of one reconciliation.
type DriftReport struct {
	ID string `json:"id" db:"id"` // drf_…
	// OrganizationID is empty for a run over the whole account.
	OrganizationID string    `json:"organizationId,omitempty" db:"organization_id,null"`
	StartedAt      time.Time `json:"startedAt" db:"started_at"`
	FinishedAt     time.Time `json:"finishedAt" db:"finished_at"`
	DryRun         bool      `json:"dryRun" db:"dry_run"`
	// Partial means that the run stopped at the limit of its calls to Stripe, or after an error.
	// The next run of the background work continues there.
	Partial bool `json:"partial" db:"partial"`
	Calls   int  `json:"calls" db:"calls"`   // to Stripe, repairs included
	Events  int  `json:"events" db:"events"` // read from Stripe's list
	// Subscriptions and the next four count the compared objects.
	Subscriptions int     `json:"subscriptions" db:"subscriptions"`
	Invoices      int     `json:"invoices" db:"invoices"`
	Charges       int     `json:"charges" db:"charges"` // with refunds or disputes
	Customers     int     `json:"customers" db:"customers"`
	Checkouts     int     `json:"checkouts" db:"checkouts"`   // sessions opened here
	Error         string  `json:"error,omitempty" db:"error"` // why it ended early
	Drifts        []Drift `json:"drifts" db:"drifts,json"`
}

// subscriptionDriftKind returns the kind of the difference that [subscriptionDrift] describes.
func subscriptionDriftKind(local, remote Subscription) DriftKind {
	switch {
	case remote.Foreign && (local.Revision == 0 || local.Foreign):
		return DriftForeignSubscription
	case local.Revision == 0 || local.Foreign != remote.Foreign:
		return DriftSubscription
	case local.Status != remote.Status:
		return DriftStatus
	case local.Quantity != remote.Quantity:
		return DriftQuantity
	}
	return DriftSubscription
}

// subscriptionDrift describes how a snapshot differs from Stripe's object, as the catalog
// classifies it; empty if it does not. The card is compared only while an invoice is open for it:
// lists contain it and payloads do not.
func subscriptionDrift(local, remote Subscription) string {
	if local.Revision == 0 {
		return fmt.Sprintf("not known here, %s at Stripe", remote.Status)
	}
	var d differences
	d.add("status", local.Status, remote.Status)
	d.add("foreign", local.Foreign, remote.Foreign)
	if len(local.Items) > 0 { // stored since 00041
		d.add("items", local.itemsText(), remote.itemsText())
	}
	d.add("price", local.PriceID, remote.PriceID)
	d.add("item", local.ItemID, remote.ItemID)
	d.add("quantity", local.Quantity, remote.Quantity)
	d.add("current_period_end", local.CurrentPeriodEnd.Unix(), remote.CurrentPeriodEnd.Unix())
	d.add("cancel_at_period_end", local.CancelAtPeriodEnd, remote.CancelAtPeriodEnd)
	d.add("pending_invoice_item_interval", cmp.Or(local.PendingInvoiceInterval, "none"), cmp.Or(remote.PendingInvoiceInterval, "none"))
	if local.PaymentMethodID != "" && (remote.Status == StatusPastDue || remote.Status == StatusUnpaid) {
		d.add("payment method", local.PaymentMethodID, cmp.Or(remote.PaymentMethodID, "none"))
	}
	d.add("cancel_at", unixOf(local.CancelAt), unixOf(remote.CancelAt))
	return d.String()
}

func invoiceDrift(local, remote Invoice) string {
	if local.Revision == 0 {
		return fmt.Sprintf("not known here, %s at Stripe", remote.Status)
	}
	var d differences
	d.add("status", local.Status, remote.Status)
	d.add("amount due", local.AmountDue, remote.AmountDue)
	d.add("total", local.Total, remote.Total)
	d.add("credited", local.Credited, remote.Credited)
	d.add("credited before payment", local.CreditedBeforePayment, remote.CreditedBeforePayment)
	d.add("confirmation needed", local.ActionRequired, remote.ActionRequired)
	d.add("attempts", local.Attempts, remote.Attempts)
	d.add("next attempt", unixOf(local.NextAttemptAt), unixOf(remote.NextAttemptAt))
	return d.String()
}

// differences collects the fields that differ.
type differences []string

func (d *differences) add(field string, local, remote any) {
	if local != remote {
		*d = append(*d, fmt.Sprintf("%s %v here, %v at Stripe", field, local, remote))
	}
}

func (d differences) String() string { return strings.Join(d, "; ") }
