package billing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"usher/billing/apperr"
	"usher/billing/catalog"
)

// subscriptionCursor is a position in the lists of subscriptions by price.
type subscriptionCursor struct {
	priceID string // empty: all prices are read
	after   string // the last subscription of the page before, or the last one read alone
	before  time.Time
}

func (s subscriptionCursor) String() string {
	return fmt.Sprintf("%s|%s|%d", s.priceID, s.after, s.before.Unix())
}

func parseSubscriptionCursor(text string) subscriptionCursor {
	parts := append(strings.Split(text, "|"), "", "", "")
	seconds, _ := strconv.ParseInt(parts[2], 10, 64)
	return subscriptionCursor{priceID: parts[0], after: parts[1], before: time.Unix(seconds, 0)}
}

// endOfTime is later than the creation of every object.
var endOfTime = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// compareSubscriptions compares the subscriptions to our prices, page by page and price by price,
// and then the live snapshots that no such list contains.
func (c *reconcileRun) compareSubscriptions(ctx context.Context, after string) (string, error) {
	if c.options.OrganizationID != "" {
		return "", c.compareOrganizationSubscriptions(ctx)
	}
	prices, err := c.planPrices(ctx)
	if err != nil {
		return "", err
	}
	cursor := parseSubscriptionCursor(after)
	if after == "" {
		cursor = nextPrice(prices, "")
	}
	if cursor.priceID == "" {
		return c.compareSubscriptionsAtOtherPrices(ctx, prices, cursor)
	}
	page, err := fetch(ctx, c, func() (Page[Subscription], error) {
		return c.gateway.SubscriptionsByPrice(ctx, cursor.priceID, cursor.after)
	})
	if apperr.IsMissing(err) { // the price, or the subscription of the cursor
		return nextPrice(prices, cursor.priceID).String(), nil
	}
	if err != nil {
		return "", err
	}
	if err := c.compareSubscriptionPage(ctx, cursor, page); err != nil {
		return "", err
	}
	if page.Next == "" {
		return nextPrice(prices, cursor.priceID).String(), nil
	}
	return subscriptionCursor{cursor.priceID, page.Next, page.Items[len(page.Items)-1].CreatedAt}.String(), nil
}

// planPrices returns the ids of all prices, current and former, that belong to a plan, sorted.
func (c *reconcileRun) planPrices(ctx context.Context) ([]string, error) {
	stored, err := c.store.Stripe().Prices(ctx, c.account)
	if err != nil {
		return nil, fmt.Errorf("read stored prices: %w", err)
	}
	plans := c.Catalog()
	var ids []string
	for _, price := range stored {
		if plans.Recognize(price.ID) == catalog.PriceOfPlan {
			ids = append(ids, price.ID)
		}
	}
	for _, plan := range plans.Plans {
		for _, price := range plan.Prices {
			ids = append(ids, price.ID)
			ids = append(ids, price.FormerIDs...)
		}
	}
	slices.Sort(ids)
	return slices.DeleteFunc(slices.Compact(ids), func(id string) bool { return id == "" }), nil
}

// nextPrice returns the start of the next price's list; without one, of the other subscriptions.
func nextPrice(prices []string, priceID string) subscriptionCursor {
	for _, id := range prices {
		if id > priceID {
			return subscriptionCursor{priceID: id, before: endOfTime}
		}
	}
	return subscriptionCursor{}
}

// compareSubscriptionPage compares the subscriptions of a page, and the live snapshots that should
// be on it and are not: lists are sorted by the time of creation.
func (c *reconcileRun) compareSubscriptionPage(ctx context.Context, cursor subscriptionCursor, page Page[Subscription]) error {
	links, err := c.linksOf(ctx, mapSlice(page.Items, func(s Subscription) string { return s.CustomerID }))
	if err != nil {
		return err
	}
	listed := map[string]bool{}
	for _, remote := range page.Items {
		listed[remote.ID] = true
		if err := c.compareListedSubscription(ctx, remote, links); err != nil {
			return err
		}
	}
	var from time.Time
	if page.Next != "" {
		from = page.Items[len(page.Items)-1].CreatedAt
	}
	stored, err := c.store.Subscriptions().LiveOfPrice(ctx, c.account, cursor.priceID, from, cursor.before)
	if err != nil {
		return err
	}
	for _, local := range stored {
		if !listed[local.ID] {
			if err := c.compareUnlistedSubscription(ctx, local); err != nil {
				return err
			}
		}
	}
	return nil
}

// compareSubscriptionsAtOtherPrices compares one live snapshot that no list by price contains: its
// price is not ours any more, or it runs on a test clock.
func (c *reconcileRun) compareSubscriptionsAtOtherPrices(ctx context.Context, prices []string, cursor subscriptionCursor) (string, error) {
	stored, err := c.store.Subscriptions().LiveAtOtherPrices(ctx, c.account, prices, cursor.after, 1)
	if err != nil || len(stored) == 0 {
		return "", err
	}
	return subscriptionCursor{after: stored[0].ID}.String(), c.compareUnlistedSubscription(ctx, stored[0])
}

// compareOrganizationSubscriptions compares all subscriptions of an organization's customers.
func (c *reconcileRun) compareOrganizationSubscriptions(ctx context.Context) error {
	links, err := c.organizationLinks(ctx)
	if err != nil {
		return err
	}
	owners := map[string]CustomerLink{}
	listed := map[string]bool{}
	for _, link := range links {
		owners[link.StripeCustomerID] = link
		remotes, err := fetch(ctx, c, func() ([]Subscription, error) { return c.gateway.Subscriptions(ctx, link.StripeCustomerID) })
		if err != nil && !apperr.IsMissing(err) {
			return err
		}
		for _, remote := range remotes {
			listed[remote.ID] = true
			if err := c.compareListedSubscription(ctx, remote, owners); err != nil {
				return err
			}
		}
	}
	stored, err := c.store.Subscriptions().Live(ctx, c.account, c.options.OrganizationID)
	if err != nil {
		return err
	}
	for _, local := range stored {
		if !listed[local.ID] {
			if err := c.compareUnlistedSubscription(ctx, local); err != nil {
				return err
			}
		}
	}
	return nil
}

// compareListedSubscription compares a subscription of Stripe's list. A difference that is only a
// later write of the row is found equal by the refetch.
func (c *reconcileRun) compareListedSubscription(ctx context.Context, listed Subscription, links map[string]CustomerLink) error {
	remote, err := c.classify(ctx, listed)
	if err != nil {
		return err
	}
	link, linked := links[remote.CustomerID]
	if !linked {
		return c.compareUnlinked(ctx, remote)
	}
	c.report.Subscriptions++
	stored, _, err := apperr.Found(c.store.Subscriptions().Get(ctx, remote.ID))
	if err != nil {
		return err
	}
	return c.compareSubscription(ctx, link.OrganizationID, stored, remote)
}

func (c *reconcileRun) compareSubscription(ctx context.Context, organizationID string, stored, remote Subscription) error {
	difference := subscriptionDrift(stored, remote)
	if difference == "" {
		return c.storeItems(ctx, stored, remote)
	}
	drift := Drift{Kind: subscriptionDriftKind(stored, remote), ObjectID: remote.ID, OrganizationID: organizationID, Difference: difference}
	return c.addDrift(ctx, drift, func(ctx context.Context) error { _, err := c.subscriptions.refetch(ctx, remote.ID); return err })
}

// compareUnlinked compares a subscription to one of our plans whose customer is linked to no
// organization here. If the metadata names one that has no customer, it is linked. Otherwise
// somebody may pay for nothing, after the restore of an older database for example, and it is
// reported in every comparison until an operator has decided.
func (c *reconcileRun) compareUnlinked(ctx context.Context, remote Subscription) error {
	if remote.Foreign || remote.Status.Ended() || remote.Status == StatusIncomplete {
		return nil
	}
	c.report.Subscriptions++
	ours, err := c.mayLink(ctx, remote.MetadataOrgID)
	if err != nil {
		return err
	}
	if ours {
		return c.compareSubscription(ctx, remote.MetadataOrgID, Subscription{}, remote)
	}
	unknown, err := c.unknownOrganization(ctx, remote)
	if err != nil {
		return err
	}
	return c.addDrift(ctx, unknown, nil)
}

// unknownOrganization describes a subscription to one of our plans that belongs to no organization.
func (c *reconcileRun) unknownOrganization(ctx context.Context, remote Subscription) (Drift, error) {
	drift := Drift{
		Kind: DriftUnknownOrganization, ObjectID: remote.CustomerID,
		Remediation: fmt.Sprintf("Link it to the organization it pays for: usher adopt --customer %s --org ORGANIZATION. "+
			"If it pays for nothing, cancel the subscription at Stripe.", remote.CustomerID),
	}
	plan, _, _ := c.Catalog().ByPrice(remote.PriceID)
	text := fmt.Sprintf("subscription %s (%s × %d, %s) ", remote.ID, plan.Name, remote.Quantity, remote.Status)
	if remote.MetadataOrgID == "" {
		drift.Difference = text + "names no organization"
		return drift, nil
	}
	organization, err := c.store.Organizations().Get(ctx, remote.MetadataOrgID)
	switch {
	case errors.Is(err, apperr.ErrNotFound):
		drift.Difference = text + "names the organization " + remote.MetadataOrgID + ", which is not known here"
		return drift, nil
	case err != nil:
		return drift, err
	}
	link, err := c.store.Customers().Link(ctx, organization.ID, c.account)
	drift.OrganizationID = organization.ID
	drift.Difference = text + "names the organization " + organization.ID + ", which has another customer, " + link.StripeCustomerID
	drift.Remediation = "End one of the two subscriptions at Stripe, or move it to the organization's customer."
	return drift, err
}

// compareUnlistedSubscription compares a live snapshot that is not in Stripe's list: the
// subscription has another price by now, runs on a test clock or does not exist.
func (c *reconcileRun) compareUnlistedSubscription(ctx context.Context, local Subscription) error {
	c.report.Subscriptions++
	remote, err := fetch(ctx, c, func() (Subscription, error) { return c.gateway.Subscription(ctx, local.ID) })
	if apperr.IsMissing(err) {
		return c.addDrift(ctx, Drift{
			Kind: DriftSubscription, ObjectID: local.ID, OrganizationID: local.OrganizationID, Difference: fmt.Sprintf("%s here, unknown at Stripe", local.Status),
			Error: messageOtherAccount,
		}, nil)
	}
	if err == nil {
		remote, err = c.classify(ctx, remote)
	}
	if err != nil {
		return err
	}
	return c.compareSubscription(ctx, local.OrganizationID, local, remote)
}
