package stripegw

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/stripe/stripe-go/v79"

	"usher/billing"
)

// pageSize is Stripe's maximum page size.
const pageSize = 100

// customerCard expands the customer's default payment method, for subscriptions without one of
// their own.
const customerCard = "customer.invoice_settings.default_payment_method"

// Subscription reads a subscription with its card. AsOf is the Date header minus the duration of
// the request.
func (g *Gateway) Subscription(ctx context.Context, id string) (billing.Subscription, error) {
	found, info, err := call(ctx, "read subscription", func(ctx context.Context) (*stripe.Subscription, error) {
		params := &stripe.SubscriptionParams{Expand: stripe.StringSlice([]string{"default_payment_method", customerCard, "schedule"})}
		params.Context = ctx
		return g.subscriptions.Get(id, params)
	})
	if err != nil {
		return billing.Subscription{}, err
	}
	return g.snapshot(ctx, found, info)
}

// Subscriptions lists all subscriptions of a customer, canceled ones included, newest first. With
// several pages, AsOf of all is that of the earliest page.
func (g *Gateway) Subscriptions(ctx context.Context, customerID string) ([]billing.Subscription, error) {
	found, info, err := call(ctx, "list subscriptions", func(ctx context.Context) ([]*stripe.Subscription, error) {
		return g.listSubscriptions(ctx, customerID)
	})
	if err != nil {
		return nil, err
	}
	subscriptions := make([]billing.Subscription, 0, len(found))
	for _, s := range found {
		snapshot, err := g.snapshot(ctx, s, info)
		if err != nil {
			return nil, err
		}
		subscriptions = append(subscriptions, snapshot)
	}
	return subscriptions, nil
}

// SubscriptionsByPrice reads a page of the subscriptions that have an item with a price, canceled
// ones included, newest first (https://docs.stripe.com/api/subscriptions/list).
func (g *Gateway) SubscriptionsByPrice(ctx context.Context, priceID, after string) (billing.Page[billing.Subscription], error) {
	found, info, err := call(ctx, "list subscriptions by price", func(ctx context.Context) (*stripe.SubscriptionList, error) {
		params := subscriptionListParams()
		params.Price = stripe.String(priceID)
		setPage(&params.ListParams, ctx, after)
		list := g.subscriptions.List(params)
		return list.SubscriptionList(), list.Err()
	})
	if err != nil {
		return billing.Page[billing.Subscription]{}, err
	}
	return pageOf(found.Data, &found.ListMeta, func(s *stripe.Subscription) string { return s.ID },
		func(s *stripe.Subscription) (billing.Subscription, error) { return g.snapshot(ctx, s, info) })
}

// AccountSubscriptions reads a page of all subscriptions of the account with their customers,
// newest first, except those on test clocks.
func (g *Gateway) AccountSubscriptions(ctx context.Context, after string) (billing.Page[billing.CustomerSubscription], error) {
	found, info, err := call(ctx, "list subscriptions", func(ctx context.Context) (*stripe.SubscriptionList, error) {
		params := subscriptionListParams()
		setPage(&params.ListParams, ctx, after)
		list := g.subscriptions.List(params)
		return list.SubscriptionList(), list.Err()
	})
	if err != nil {
		return billing.Page[billing.CustomerSubscription]{}, err
	}
	return pageOf(found.Data, &found.ListMeta, func(s *stripe.Subscription) string { return s.ID },
		func(s *stripe.Subscription) (listed billing.CustomerSubscription, err error) {
			if listed.Subscription, err = g.snapshot(ctx, s, info); err != nil {
				return listed, err
			}
			if s.Customer == nil {
				return listed, invalidResponse(info, "the subscription has no customer")
			}
			listed.Customer, err = mapCustomer(s.Customer, info)
			return listed, err
		})
}

func subscriptionListParams() *stripe.SubscriptionListParams {
	return &stripe.SubscriptionListParams{
		Status: stripe.String("all"), // Stripe omits canceled ones by default
		Expand: stripe.StringSlice([]string{"data.default_payment_method", "data." + customerCard, "data.schedule"}),
	}
}

func (g *Gateway) listSubscriptions(ctx context.Context, customerID string) ([]*stripe.Subscription, error) {
	params := subscriptionListParams()
	params.Context, params.Limit, params.Customer = ctx, stripe.Int64(pageSize), stripe.String(customerID)
	var found []*stripe.Subscription
	list := g.subscriptions.List(params)
	for list.Next() {
		found = append(found, list.Subscription())
	}
	return found, list.Err()
}

// snapshot maps a subscription that was read by a call, with all pages of its items.
func (g *Gateway) snapshot(ctx context.Context, s *stripe.Subscription, info callInfo) (billing.Subscription, error) {
	if s == nil || s.ID == "" {
		return billing.Subscription{}, invalidResponse(info, "the response is no subscription")
	}
	asOf, err := info.snapshotTime()
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
	return mapSubscription(s, acct.ID, asOf), nil
}

// fetchAllItems reads all items if the subscription contains only the first page. They are read
// after the subscription, so its earlier AsOf is valid for both.
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

// errIncomplete means that a payload is no snapshot, since the seat item may be on another page.
var errIncomplete = errors.New("the payload does not carry every item")

// payloadSnapshot maps the subscription of an event.
func payloadSnapshot(s *stripe.Subscription, account string, asOf time.Time) (*billing.Subscription, error) {
	if s.Items == nil || s.Items.HasMore {
		return nil, errIncomplete
	}
	snapshot := mapSubscription(s, account, asOf)
	return &snapshot, nil
}

// mapSubscription maps the fields of a snapshot, except those that follow from the catalog, see
// [billing.Subscription.Classified]. An unknown status stays unchanged.
func mapSubscription(s *stripe.Subscription, account string, asOf time.Time) billing.Subscription {
	snapshot := billing.Subscription{
		ID:                     s.ID,
		CustomerID:             customerID(s.Customer),
		Account:                account,
		Livemode:               s.Livemode,
		TestClock:              s.TestClock != nil,
		Status:                 billing.SubscriptionStatus(s.Status),
		CurrentPeriodStart:     time.Unix(s.CurrentPeriodStart, 0).UTC(),
		CurrentPeriodEnd:       time.Unix(s.CurrentPeriodEnd, 0).UTC(),
		CancelAtPeriodEnd:      s.CancelAtPeriodEnd,
		CancelAt:               optionalTime(s.CancelAt),
		CanceledAt:             optionalTime(s.CanceledAt),
		EndedAt:                optionalTime(s.EndedAt),
		TrialStart:             optionalTime(s.TrialStart),
		TrialEnd:               optionalTime(s.TrialEnd),
		BillingCycleAnchor:     optionalTime(s.BillingCycleAnchor),
		PendingInvoiceInterval: pendingInterval(s.PendingInvoiceItemInterval),
		CreatedAt:              time.Unix(s.Created, 0).UTC(),
		MetadataOrgID:          s.Metadata["orgId"],
		Items:                  mapItems(s.Items),
		SendsInvoices:          s.CollectionMethod == stripe.SubscriptionCollectionMethodSendInvoice,
		AsOf:                   asOf,
	}
	setCard(&snapshot, defaultMethod(s))
	setPendingUpdate(&snapshot, s.PendingUpdate)
	setSchedule(&snapshot, s.Schedule)
	if s.LatestInvoice != nil {
		snapshot.LatestInvoiceID = s.LatestInvoice.ID
	}
	return snapshot
}

// pendingInterval maps pending_invoice_item_interval. Usher uses single intervals; others have
// their count in front.
func pendingInterval(i *stripe.SubscriptionPendingInvoiceItemInterval) string {
	switch {
	case i == nil:
		return ""
	case i.IntervalCount > 1:
		return fmt.Sprintf("%d %s", i.IntervalCount, i.Interval)
	}
	return string(i.Interval)
}

// mapItems maps the items, oldest first. An item without a price is omitted, and so is one that a
// payload marks as deleted.
func mapItems(items *stripe.SubscriptionItemList) []billing.SubscriptionItem {
	if items == nil {
		return nil
	}
	var mapped []billing.SubscriptionItem
	for _, item := range items.Data {
		if item == nil || item.Deleted || item.Price == nil {
			continue
		}
		entry := billing.SubscriptionItem{
			ID: item.ID, PriceID: item.Price.ID, Name: item.Price.Nickname, Quantity: int(item.Quantity),
			CreatedAt: time.Unix(item.Created, 0).UTC(), Metered: !isLicensed(item.Price), Seats: item.Metadata["usher"] == "seats",
		}
		if item.Price.Product != nil {
			entry.ProductID = item.Price.Product.ID
		}
		mapped = append(mapped, entry)
	}
	slices.SortFunc(mapped, func(a, b billing.SubscriptionItem) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return mapped
}

func isLicensed(p *stripe.Price) bool {
	return p != nil && (p.Recurring == nil || p.Recurring.UsageType != stripe.PriceRecurringUsageTypeMetered)
}

// defaultMethod returns the payment method that a subscription's invoices are charged to: its own
// or, if the customer is expanded, the customer's
// (https://docs.stripe.com/billing/subscriptions/payment-methods-setting#payment-method-priority).
func defaultMethod(s *stripe.Subscription) *stripe.PaymentMethod {
	switch {
	case s.DefaultPaymentMethod != nil:
		return s.DefaultPaymentMethod
	case s.DefaultSource == nil && s.Customer != nil && s.Customer.InvoiceSettings != nil:
		return s.Customer.InvoiceSettings.DefaultPaymentMethod
	}
	return nil
}

// cardExpiry returns the first moment at which a card is not valid any more: the start of the month
// after the one printed on it.
func cardExpiry(card *stripe.PaymentMethodCard) *time.Time {
	if card.ExpYear == 0 || card.ExpMonth == 0 {
		return nil
	}
	at := time.Date(int(card.ExpYear), time.Month(card.ExpMonth)+1, 1, 0, 0, 0, 0, time.UTC)
	return &at
}

// setCard sets the card if the payment method is expanded; in an event it is only an id.
func setCard(snapshot *billing.Subscription, method *stripe.PaymentMethod) {
	if method == nil {
		return
	}
	snapshot.PaymentMethodID = method.ID
	if method.Card != nil {
		snapshot.CardExpiresAt = cardExpiry(method.Card)
		snapshot.CardBrand, snapshot.CardLast4 = string(method.Card.Brand), method.Card.Last4
		snapshot.CardFingerprint = method.Card.Fingerprint
	}
}

// setPendingUpdate sets the items of a pending update.
func setPendingUpdate(snapshot *billing.Subscription, pending *stripe.SubscriptionPendingUpdate) {
	if pending == nil {
		return
	}
	snapshot.PendingUntil = optionalTime(pending.ExpiresAt)
	for _, item := range pending.SubscriptionItems {
		if item != nil && item.Price != nil {
			snapshot.PendingItems = append(snapshot.PendingItems, billing.SubscriptionItem{ID: item.ID, PriceID: item.Price.ID, Quantity: int(item.Quantity)})
		}
	}
}

// setSchedule sets the schedule, its current phase and the one after. In an event the schedule is
// only an id, without phases.
func setSchedule(snapshot *billing.Subscription, schedule *stripe.SubscriptionSchedule) {
	if schedule == nil {
		return
	}
	snapshot.ScheduleID = schedule.ID
	next := nextPhase(schedule)
	if next == nil {
		return
	}
	snapshot.CurrentPhase, snapshot.NextPhase = phaseItems(currentPhase(schedule)), phaseItems(next)
	snapshot.ScheduledAt = optionalTime(next.StartDate)
}

// phaseItems maps the items of a phase, in their order.
func phaseItems(phase *stripe.SubscriptionSchedulePhase) []billing.SubscriptionItem {
	var items []billing.SubscriptionItem
	if phase == nil {
		return nil
	}
	for _, item := range phase.Items {
		if item != nil && item.Price != nil {
			items = append(items, billing.SubscriptionItem{PriceID: item.Price.ID, Quantity: int(item.Quantity)})
		}
	}
	return items
}

func customerID(c *stripe.Customer) string {
	if c == nil {
		return ""
	}
	return c.ID
}

// optionalTime converts Unix seconds; stripe-go decodes null as 0.
func optionalTime(seconds int64) *time.Time {
	if seconds == 0 {
		return nil
	}
	t := time.Unix(seconds, 0).UTC()
	return &t
}

// updateSubscription updates a subscription and returns the snapshot in the response.
func (g *Gateway) updateSubscription(ctx context.Context, operation, id string, params *stripe.SubscriptionParams) (billing.UpdatedSubscription, error) {
	// Read before the change: an error afterwards would report a successful change as failed.
	if _, err := g.Account(ctx); err != nil {
		return billing.UpdatedSubscription{}, err
	}
	params.Expand = stripe.StringSlice([]string{"default_payment_method", customerCard, "latest_invoice", "schedule"})
	updated, info, err := call(ctx, operation, func(ctx context.Context) (*stripe.Subscription, error) {
		params.Context = ctx
		return g.subscriptions.Update(id, params)
	})
	if err != nil {
		return billing.UpdatedSubscription{}, err
	}
	snapshot, err := g.snapshot(ctx, updated, info)
	answer := billing.UpdatedSubscription{Subscription: snapshot, Replayed: info.replayed, RequestID: info.requestID}
	if invoice := updated.LatestInvoice; invoice != nil && invoice.Object != "" {
		latest := mapInvoice(invoice, snapshot.Account, snapshot.AsOf)
		latest.Lines = nil // only the first page
		answer.LatestInvoice = &latest
	}
	return answer, err
}
