package stripegw

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stripe/stripe-go/v79"

	"usher/billing"
)

// pageSize is the most that Stripe puts on one page of a list.
const pageSize = 100

// Subscription reads a subscription with its card. Its Moment is the answer's Date less the time the try took.
func (g *Gateway) Subscription(ctx context.Context, id string) (billing.Subscription, error) {
	found, x, err := call(ctx, "read subscription", func(ctx context.Context) (*stripe.Subscription, error) {
		params := &stripe.SubscriptionParams{Expand: stripe.StringSlice([]string{"default_payment_method"})}
		params.Context = ctx
		return g.subscriptions.Get(id, params)
	})
	if err != nil {
		return billing.Subscription{}, err
	}
	return g.snapshot(ctx, found, x)
}

// Subscriptions lists all subscriptions of a customer, or (empty) of the account, ended ones included, newest first. Where they fill several pages, all carry the
// earliest page's Moment.
func (g *Gateway) Subscriptions(ctx context.Context, customerID string) ([]billing.Subscription, error) {
	found, x, err := call(ctx, "list subscriptions", func(ctx context.Context) ([]*stripe.Subscription, error) {
		return g.listSubscriptions(ctx, customerID)
	})
	if err != nil {
		return nil, err
	}
	subscriptions := make([]billing.Subscription, 0, len(found))
	for _, s := range found {
		snapshot, err := g.snapshot(ctx, s, x)
		if err != nil {
			return nil, err
		}
		subscriptions = append(subscriptions, snapshot)
	}
	return subscriptions, nil
}

func (g *Gateway) listSubscriptions(ctx context.Context, customerID string) ([]*stripe.Subscription, error) {
	params := &stripe.SubscriptionListParams{
		Status: stripe.String("all"), // without it Stripe leaves canceled ones out
		Expand: stripe.StringSlice([]string{"data.default_payment_method"}),
	}
	params.Context, params.Limit = ctx, stripe.Int64(pageSize)
	if customerID != "" {
		params.Customer = stripe.String(customerID)
	}
	var found []*stripe.Subscription
	list := g.subscriptions.List(params)
	for list.Next() {
		found = append(found, list.Subscription())
	}
	return found, list.Err()
}

// snapshot maps a subscription that was read in an exchange, every page of its items included.
func (g *Gateway) snapshot(ctx context.Context, s *stripe.Subscription, x callInfo) (billing.Subscription, error) {
	if s == nil || s.ID == "" {
		return billing.Subscription{}, invalidResponse(x, "the answer is no subscription")
	}
	moment, err := x.snapshotTime()
	if err != nil {
		return billing.Subscription{}, fmt.Errorf("read subscription %s: %w", s.ID, err)
	}
	acct, err := g.Account(ctx)
	if err != nil {
		return billing.Subscription{}, err
	}
	if err := g.fetchAllItems(ctx, s); err != nil {
		return billing.Subscription{}, err
	}
	return mapSubscription(s, acct.ID, moment), nil
}

// fetchAllItems reads all items where the subscription came with the first page of them only. They are read after the subscription, so
// its own, earlier moment still holds for the whole.
func (g *Gateway) fetchAllItems(ctx context.Context, s *stripe.Subscription) error {
	if s.Items == nil || !s.Items.HasMore {
		return nil
	}
	items, _, err := call(ctx, "list subscription items", func(ctx context.Context) ([]*stripe.SubscriptionItem, error) {
		params := &stripe.SubscriptionItemListParams{Subscription: stripe.String(s.ID)}
		params.Context, params.Limit = ctx, stripe.Int64(pageSize)
		var all []*stripe.SubscriptionItem
		list := g.subscriptionItems.List(params)
		for list.Next() {
			all = append(all, list.SubscriptionItem())
		}
		return all, list.Err()
	})
	if err != nil {
		return err
	}
	s.Items.Data, s.Items.HasMore = items, false
	return nil
}

// errIncomplete is why a payload is not taken as a snapshot: the seat item may be on a page that did not come along.
var errIncomplete = errors.New("the payload does not carry every item")

// payloadSnapshot maps a subscription that came along in an event.
func payloadSnapshot(s *stripe.Subscription, account string, moment time.Time) (*billing.Subscription, error) {
	if s.Items == nil || s.Items.HasMore {
		return nil, errIncomplete
	}
	snapshot := mapSubscription(s, account, moment)
	return &snapshot, nil
}

// mapSubscription copies what a snapshot holds. An unknown status is kept as it is.
func mapSubscription(s *stripe.Subscription, account string, moment time.Time) billing.Subscription {
	snapshot := billing.Subscription{
		ID:                 s.ID,
		CustomerID:         customerID(s.Customer),
		Account:            account,
		Livemode:           s.Livemode,
		TestClock:          s.TestClock != nil,
		Status:             billing.SubscriptionStatus(s.Status),
		CurrentPeriodStart: time.Unix(s.CurrentPeriodStart, 0).UTC(),
		CurrentPeriodEnd:   time.Unix(s.CurrentPeriodEnd, 0).UTC(),
		CancelAtPeriodEnd:  s.CancelAtPeriodEnd,
		CancelAt:           optionalTime(s.CancelAt),
		CanceledAt:         optionalTime(s.CanceledAt),
		EndedAt:            optionalTime(s.EndedAt),
		TrialEnd:           optionalTime(s.TrialEnd),
		CreatedAt:          time.Unix(s.Created, 0).UTC(),
		MetadataOrgID:      s.Metadata["orgId"],
		AsOf:               moment,
	}
	setItem(&snapshot, s.Items)
	setCard(&snapshot, s.DefaultPaymentMethod)
	return snapshot
}

// setItem takes price, id and quantity from the seat item. A subscription without one (metered items only) keeps the first item's price,
// by which its plan is known, and no item id: there is no quantity to tell Stripe.
func setItem(snapshot *billing.Subscription, items *stripe.SubscriptionItemList) {
	if items == nil {
		return
	}
	if item := seatItem(items.Data); item != nil {
		snapshot.ItemID, snapshot.PriceID, snapshot.Quantity = item.ID, item.Price.ID, int(item.Quantity)
		return
	}
	for _, item := range items.Data {
		if item != nil && item.Price != nil {
			snapshot.PriceID = item.Price.ID
			return
		}
	}
}

// seatItem picks the item whose quantity is the seats: the licensed one marked usher=seats in its metadata, else the licensed one made
// first (ids break ties, so that every reader picks the same). Nil where no item is licensed.
func seatItem(items []*stripe.SubscriptionItem) *stripe.SubscriptionItem {
	var best *stripe.SubscriptionItem
	for _, item := range items {
		if item == nil || item.Deleted || !isLicensed(item.Price) {
			continue
		}
		if best == nil || seatItemBefore(item, best) {
			best = item
		}
	}
	return best
}

func seatItemBefore(a, b *stripe.SubscriptionItem) bool {
	markedA, markedB := a.Metadata["usher"] == "seats", b.Metadata["usher"] == "seats"
	switch {
	case markedA != markedB:
		return markedA
	case a.Created != b.Created:
		return a.Created < b.Created
	}
	return a.ID < b.ID
}

func isLicensed(p *stripe.Price) bool {
	return p != nil && (p.Recurring == nil || p.Recurring.UsageType != stripe.PriceRecurringUsageTypeMetered)
}

// setCard takes the card where the payment method was expanded; in the payload of an event it is an id only.
func setCard(snapshot *billing.Subscription, method *stripe.PaymentMethod) {
	if method != nil && method.Card != nil {
		snapshot.CardBrand, snapshot.CardLast4 = string(method.Card.Brand), method.Card.Last4
	}
}

func customerID(c *stripe.Customer) string {
	if c == nil {
		return ""
	}
	return c.ID
}

// optionalTime reads Stripe's Unix seconds, in which stripe-go gives null as 0.
func optionalTime(seconds int64) *time.Time {
	if seconds == 0 {
		return nil
	}
	t := time.Unix(seconds, 0).UTC()
	return &t
}
