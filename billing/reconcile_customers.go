package billing

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"usher/billing/apperr"
)

// Cursors of compareCustomers.
const (
	searchCursor = "search:" // a page of the search
	linkCursor   = "link:"   // the last customer that was read alone
)

// compareCustomers finds customers that support has made at Stripe for an organization, and ours
// that were deleted there. Stripe finds both by their metadata, at the cost of a call for a hundred
// of our customers. Those that the search does not contain are read one by one.
func (c *reconcileRun) compareCustomers(ctx context.Context, after string) (string, error) {
	if c.options.OrganizationID != "" {
		return "", c.compareOrganizationCustomers(ctx)
	}
	if last, ok := strings.CutPrefix(after, linkCursor); ok {
		return c.compareUnfoundCustomers(ctx, last)
	}
	page, err := fetch(ctx, c, func() (Page[StripeCustomer], error) {
		return c.gateway.CustomersWithOrgID(ctx, strings.TrimPrefix(after, searchCursor))
	})
	if isSearchRefused(err) {
		c.Log.InfoContext(ctx, "Stripe refused the search for customers; reading them one by one", "err", err)
		return linkCursor + c.state.Progress.CheckedCustomer, nil
	}
	if err != nil {
		return "", err
	}
	if err := c.compareFoundCustomers(ctx, page.Items); err != nil {
		return "", err
	}
	if page.Next == "" {
		return linkCursor + c.state.Progress.CheckedCustomer, nil
	}
	return searchCursor + page.Next, nil
}

// isSearchRefused reports whether Stripe does not offer the search: it is not available to
// merchants in India (https://docs.stripe.com/search) nor to a restricted key without the
// permission. A page cursor of an earlier run may be unknown too.
func isSearchRefused(err error) bool {
	var refused *apperr.StripeError
	return errors.As(err, &refused) && (refused.Status == 400 || refused.Status == 403 || refused.Status == 404) && !refused.OutcomeUnknown
}

// compareFoundCustomers links customers that support has made for an organization.
func (c *reconcileRun) compareFoundCustomers(ctx context.Context, found []StripeCustomer) error {
	links, err := c.linksOf(ctx, mapSlice(found, func(s StripeCustomer) string { return s.ID }))
	if err != nil {
		return err
	}
	for _, customer := range found {
		c.seen[customer.ID] = true
		if _, linked := links[customer.ID]; linked {
			c.report.Customers++
			continue
		}
		ours, err := c.mayLink(ctx, customer.OrgID)
		if err != nil {
			return err
		}
		if !ours {
			continue // its subscriptions to our plans are reported: see compareUnlinked
		}
		c.report.Customers++
		drift := Drift{Kind: DriftCustomer, ObjectID: customer.ID, OrganizationID: customer.OrgID, Difference: "made at Stripe for the organization, not linked here"}
		if err := c.addDrift(ctx, drift, func(ctx context.Context) error { return c.linkCustomer(ctx, customer) }); err != nil {
			return err
		}
	}
	return nil
}

func (c *reconcileRun) linkCustomer(ctx context.Context, customer StripeCustomer) error {
	return c.store.InTx(ctx, func(tx Tx) error {
		if _, err := tx.Organizations().Lock(ctx, customer.OrgID); err != nil {
			return fmt.Errorf("lock organization: %w", err)
		}
		return c.customers.link(ctx, tx, customer.OrgID, customer.ID)
	})
}

// linkBatch is how many links are read from the store at once.
const linkBatch = 100

// compareUnfoundCustomers reads one customer that the search did not contain: it is deleted, on a
// test clock or newer than the index. A run of the background work checks a part of them and the
// next comparison continues there, because after a resumption all look unfound.
func (c *reconcileRun) compareUnfoundCustomers(ctx context.Context, last string) (string, error) {
	if c.resumable {
		c.state.Progress.CheckedCustomer = last
		if c.report.Calls >= c.budget*3/4 && c.budget > 0 && last != "" {
			return "", nil
		}
	}
	for {
		links, err := c.store.Customers().LinksAfter(ctx, c.account, last, linkBatch)
		if err != nil {
			return "", err
		}
		for _, link := range links {
			last = link.StripeCustomerID
			if !c.seen[last] {
				return linkCursor + last, c.compareCustomer(ctx, link)
			}
		}
		if len(links) < linkBatch {
			c.state.Progress.CheckedCustomer = ""
			return "", nil
		}
	}
}

func (c *reconcileRun) compareOrganizationCustomers(ctx context.Context) error {
	links, err := c.organizationLinks(ctx)
	if err != nil {
		return err
	}
	for _, link := range links {
		if err := c.compareCustomer(ctx, link); err != nil {
			return err
		}
	}
	return nil
}

func (c *reconcileRun) compareCustomer(ctx context.Context, link CustomerLink) error {
	c.report.Customers++
	customer, err := fetch(ctx, c, func() (StripeCustomer, error) { return c.gateway.Customer(ctx, link.StripeCustomerID) })
	drift := Drift{Kind: DriftCustomer, ObjectID: link.StripeCustomerID, OrganizationID: link.OrganizationID}
	if apperr.IsMissing(err) {
		drift.Difference, drift.Error = "unknown at Stripe", messageOtherAccount
		return c.addDrift(ctx, drift, nil)
	}
	if err != nil || !customer.Deleted {
		return err
	}
	drift.Difference = "deleted at Stripe"
	return c.addDrift(ctx, drift, func(ctx context.Context) error { return c.customers.delete(ctx, link.StripeCustomerID) })
}
