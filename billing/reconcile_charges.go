package billing

import (
	"context"
	"fmt"
	"strings"
	"time"

	"usher/billing/apperr"
	"usher/billing/catalog"
)

// ListedCharge is what a list at Stripe says about a charge. Amounts are in the minor unit of
// Currency.
type ListedCharge struct {
	ID         string
	CustomerID string
	Currency   string
	Refunded   int64 // of all refunds that did not fail
	// HasDispute means that Lost and Disputed are known: of all disputes of the charge, or of one
	// in a list of disputes.
	HasDispute bool
	Lost       int64 // of lost disputes
	Disputed   int64 // of open disputes
}

// chargeWindow is how far back refunds, disputes and charges are compared. A dispute is opened up
// to four months after the payment, and decided some months later
// (https://docs.stripe.com/disputes/how-disputes-work).
const chargeWindow = 270 * 24 * time.Hour

// chargeComparison is the part of a run that compares charges.
type chargeComparison struct{ *reconcileRun }

// Cursors of compareCharges, besides customerCursor.
const (
	refundCursor  = "refund:"
	disputeCursor = "dispute:"
)

// compareCharges compares what was refunded or lost with the payments here, which credits are taken
// back for. The events of a refund can be lost for good, and neither its invoice nor its
// subscription shows it. Refunds and disputes are few, so the lists of the account are read; if
// they are long because of other applications, the charges of our customers are.
func (c chargeComparison) compareCharges(ctx context.Context, after string) (string, error) {
	since := c.Now().Add(-chargeWindow)
	if c.options.OrganizationID != "" {
		return "", c.compareOrganizationCharges(ctx, since)
	}
	if last, ok := strings.CutPrefix(after, customerCursor); ok {
		return c.compareCustomerCharges(ctx, since, last)
	}
	list, prefix, then := c.gateway.RefundedCharges, refundCursor, disputeCursor
	if strings.HasPrefix(after, disputeCursor) {
		list, prefix, then = c.gateway.DisputedCharges, disputeCursor, ""
	}
	page, err := fetch(ctx, c.reconcileRun, func() (Page[ListedCharge], error) { return list(ctx, since, strings.TrimPrefix(after, prefix)) })
	if err != nil {
		return "", err
	}
	if err := c.compareChargeList(ctx, page.Items); err != nil {
		return "", err
	}
	switch {
	case page.Next == "":
		return then, nil
	case c.state.Progress.Units+1 >= c.pageLimit():
		return customerCursor, nil
	}
	return prefix + page.Next, nil
}

// compareCustomerCharges compares the charges of one customer.
func (c chargeComparison) compareCustomerCharges(ctx context.Context, since time.Time, last string) (string, error) {
	links, err := c.store.Customers().LinksSubscribedSince(ctx, c.account, since, last, 1)
	if err != nil || len(links) == 0 {
		return "", err
	}
	return customerCursor + links[0].StripeCustomerID, c.compareChargesOf(ctx, links[0], since)
}

func (c chargeComparison) compareOrganizationCharges(ctx context.Context, since time.Time) error {
	links, err := c.organizationLinks(ctx)
	if err != nil {
		return err
	}
	for _, link := range links {
		if err := c.compareChargesOf(ctx, link, since); err != nil {
			return err
		}
	}
	return nil
}

func (c chargeComparison) compareChargesOf(ctx context.Context, link CustomerLink, since time.Time) error {
	listed, err := fetch(ctx, c.reconcileRun, func() ([]ListedCharge, error) { return c.gateway.Charges(ctx, link.StripeCustomerID, since) })
	if err != nil && !apperr.IsMissing(err) {
		return err
	}
	return c.compareChargeList(ctx, listed)
}

func (c chargeComparison) compareChargeList(ctx context.Context, listed []ListedCharge) error {
	links, err := c.linksOf(ctx, mapSlice(listed, func(l ListedCharge) string { return l.CustomerID }))
	if err != nil {
		return err
	}
	for _, charge := range listed {
		link, linked := links[charge.CustomerID]
		if !linked || charge.Refunded == 0 && !charge.HasDispute {
			continue
		}
		if err := c.compareCharge(ctx, link.OrganizationID, charge); err != nil {
			return err
		}
	}
	return nil
}

func (c chargeComparison) compareCharge(ctx context.Context, organizationID string, charge ListedCharge) error {
	c.report.Charges++
	stored, _, err := apperr.Found(c.store.Payments().Get(ctx, charge.ID))
	if err != nil {
		return err
	}
	difference := chargeDrift(stored, charge)
	if difference == "" {
		return nil
	}
	return c.addDrift(ctx, Drift{Kind: DriftCharge, ObjectID: charge.ID, OrganizationID: organizationID, Difference: difference},
		func(ctx context.Context) error { return c.payments.refetch(ctx, charge.ID, nil) })
}

// chargeDrift describes what was refunded or lost at Stripe and not taken back here; empty if
// nothing was.
func chargeDrift(stored Payment, listed ListedCharge) string {
	money := func(minor int64) string { return catalog.Money{Minor: minor, Currency: listed.Currency}.Format() }
	switch {
	case listed.Refunded != stored.Refunded:
		return fmt.Sprintf("%s refunded at Stripe, credits taken back for %s", money(listed.Refunded), money(stored.Refunded))
	case listed.HasDispute && listed.Lost > stored.Lost:
		return fmt.Sprintf("%s lost in a dispute at Stripe, credits taken back for %s", money(listed.Lost), money(stored.Lost))
	case listed.HasDispute && listed.Disputed != stored.Disputed:
		return fmt.Sprintf("%s in an open dispute at Stripe, %s here", money(listed.Disputed), money(stored.Disputed))
	}
	return ""
}
