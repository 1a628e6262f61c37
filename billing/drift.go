package billing

import (
	"fmt"
	"strings"
	"time"
)

// DriftKind says what was found to differ from Stripe.
type DriftKind string

// The kinds of drift.
const (
	DriftEvent        DriftKind = "event"        // Stripe made it and it never came
	DriftSubscription DriftKind = "subscription" // the snapshot is not what Stripe has, or there is none
	DriftInvoice      DriftKind = "invoice"
	DriftCustomer     DriftKind = "customer" // deleted at Stripe
	DriftCheckout     DriftKind = "checkout" // a session ended, or sold a pack, and nobody told us
	DriftSeats        DriftKind = "seats"    // what is wanted was not the recount, or nobody was about to tell Stripe
)

// Drift is one difference between us and Stripe.
type Drift struct {
	Kind           DriftKind `json:"kind"`
	ObjectID       string    `json:"objectId"`
	OrganizationID string    `json:"organizationId,omitempty"` // empty: nobody's we know
	Difference     string    `json:"difference"`               // ours and Stripe's, in words
	Repaired       bool      `json:"repaired"`
	Error          string    `json:"error,omitempty"` // why it was not repaired
}

// DriftReport is what one comparison with Stripe found.
type DriftReport struct {
	ID             string    `json:"id" db:"id"`                                         // drf_…
	OrganizationID string    `json:"organizationId,omitempty" db:"organization_id,null"` // empty: all of them
	StartedAt      time.Time `json:"startedAt" db:"started_at"`
	FinishedAt     time.Time `json:"finishedAt" db:"finished_at"`
	DryRun         bool      `json:"dryRun" db:"dry_run"`
	Events         int       `json:"events" db:"events"`               // read from Stripe's list
	Subscriptions  int       `json:"subscriptions" db:"subscriptions"` // these three were compared
	Invoices       int       `json:"invoices" db:"invoices"`
	Customers      int       `json:"customers" db:"customers"`
	Checkouts      int       `json:"checkouts" db:"checkouts"`   // sessions opened here that Stripe was asked about
	Error          string    `json:"error,omitempty" db:"error"` // why it ended early
	Drifts         []Drift   `json:"drifts" db:"drifts,json"`
}

// subscriptionDrift says in words where a snapshot differs from what Stripe has; empty: nowhere. The card is not compared: lists carry
// it and payloads do not.
func subscriptionDrift(ours, stripes Subscription) string {
	if ours.Revision == 0 {
		return fmt.Sprintf("not known here, %s at Stripe", stripes.Status)
	}
	var d differences
	d.add("status", ours.Status, stripes.Status)
	d.add("price", ours.PriceID, stripes.PriceID)
	d.add("item", ours.ItemID, stripes.ItemID)
	d.add("quantity", ours.Quantity, stripes.Quantity)
	d.add("period's end", ours.CurrentPeriodEnd.Unix(), stripes.CurrentPeriodEnd.Unix())
	d.add("cancel at the period's end", ours.CancelAtPeriodEnd, stripes.CancelAtPeriodEnd)
	d.add("cancel at", unixOf(ours.CancelAt), unixOf(stripes.CancelAt))
	return d.String()
}

func invoiceDrift(ours, stripes Invoice) string {
	if ours.Revision == 0 {
		return fmt.Sprintf("not known here, %s at Stripe", stripes.Status)
	}
	var d differences
	d.add("status", ours.Status, stripes.Status)
	d.add("amount due", ours.AmountDue, stripes.AmountDue)
	d.add("total", ours.Total, stripes.Total)
	return d.String()
}

// differences collects what differs.
type differences []string

func (d *differences) add(what string, ours, stripes any) {
	if ours != stripes {
		*d = append(*d, fmt.Sprintf("%s %v here, %v at Stripe", what, ours, stripes))
	}
}

func (d differences) String() string { return strings.Join(d, "; ") }
