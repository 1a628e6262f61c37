package stripegw

import (
	"encoding/json"

	"github.com/stripe/stripe-go/v79"
)

// payloadSubscription has the fields of an event's subscription that a snapshot is made of. It
// takes less than half the time of stripe.Subscription, whose objects each scan their text again.
// In an event other objects are ids: one that is expanded does not fit, and the whole type is
// decoded instead.
type payloadSubscription struct {
	ID                         string                                         `json:"id"`
	Object                     string                                         `json:"object"`
	Status                     stripe.SubscriptionStatus                      `json:"status"`
	Livemode                   bool                                           `json:"livemode"`
	Customer                   string                                         `json:"customer"`
	TestClock                  string                                         `json:"test_clock"`
	Created                    int64                                          `json:"created"`
	CurrentPeriodStart         int64                                          `json:"current_period_start"`
	CurrentPeriodEnd           int64                                          `json:"current_period_end"`
	CancelAtPeriodEnd          bool                                           `json:"cancel_at_period_end"`
	CancelAt                   int64                                          `json:"cancel_at"`
	CanceledAt                 int64                                          `json:"canceled_at"`
	EndedAt                    int64                                          `json:"ended_at"`
	TrialStart                 int64                                          `json:"trial_start"`
	TrialEnd                   int64                                          `json:"trial_end"`
	BillingCycleAnchor         int64                                          `json:"billing_cycle_anchor"`
	PendingInvoiceItemInterval *stripe.SubscriptionPendingInvoiceItemInterval `json:"pending_invoice_item_interval"`
	Metadata                   map[string]string                              `json:"metadata"`
	CollectionMethod           stripe.SubscriptionCollectionMethod            `json:"collection_method"`
	DefaultPaymentMethod       string                                         `json:"default_payment_method"`
	DefaultSource              string                                         `json:"default_source"`
	Schedule                   string                                         `json:"schedule"`
	LatestInvoice              string                                         `json:"latest_invoice"`
	Items                      *struct {
		HasMore bool           `json:"has_more"`
		Data    []*payloadItem `json:"data"`
	} `json:"items"`
	PendingUpdate *struct {
		ExpiresAt         int64          `json:"expires_at"`
		SubscriptionItems []*payloadItem `json:"subscription_items"`
	} `json:"pending_update"`
}

type payloadItem struct {
	ID       string            `json:"id"`
	Created  int64             `json:"created"`
	Deleted  bool              `json:"deleted"`
	Quantity int64             `json:"quantity"`
	Metadata map[string]string `json:"metadata"`
	Price    *struct {
		ID        string                 `json:"id"`
		Nickname  string                 `json:"nickname"`
		Product   string                 `json:"product"`
		Recurring *stripe.PriceRecurring `json:"recurring"`
	} `json:"price"`
}

// decodeSubscription decodes the subscription of an event, as far as a snapshot needs it.
func decodeSubscription(object []byte) (*stripe.Subscription, error) {
	var p payloadSubscription
	if json.Unmarshal(object, &p) == nil {
		return p.subscription(), nil
	}
	var s stripe.Subscription
	err := s.UnmarshalJSON(object) // json.Unmarshal would scan the object once more
	return &s, err
}

// subscription returns the same as stripe-go's type, with the ids of other objects.
func (p *payloadSubscription) subscription() *stripe.Subscription {
	s := &stripe.Subscription{
		ID: p.ID, Object: p.Object, Status: p.Status, Livemode: p.Livemode, Created: p.Created,
		CurrentPeriodStart: p.CurrentPeriodStart, CurrentPeriodEnd: p.CurrentPeriodEnd, CancelAtPeriodEnd: p.CancelAtPeriodEnd,
		CancelAt: p.CancelAt, CanceledAt: p.CanceledAt, EndedAt: p.EndedAt, TrialStart: p.TrialStart, TrialEnd: p.TrialEnd,
		BillingCycleAnchor: p.BillingCycleAnchor, PendingInvoiceItemInterval: p.PendingInvoiceItemInterval,
		Metadata: p.Metadata, CollectionMethod: p.CollectionMethod,
	}
	if p.Customer != "" {
		s.Customer = &stripe.Customer{ID: p.Customer}
	}
	if p.TestClock != "" {
		s.TestClock = &stripe.TestHelpersTestClock{ID: p.TestClock}
	}
	if p.DefaultPaymentMethod != "" {
		s.DefaultPaymentMethod = &stripe.PaymentMethod{ID: p.DefaultPaymentMethod}
	}
	if p.DefaultSource != "" {
		s.DefaultSource = &stripe.PaymentSource{ID: p.DefaultSource}
	}
	if p.Schedule != "" {
		s.Schedule = &stripe.SubscriptionSchedule{ID: p.Schedule}
	}
	if p.LatestInvoice != "" {
		s.LatestInvoice = &stripe.Invoice{ID: p.LatestInvoice}
	}
	if p.Items != nil {
		s.Items = &stripe.SubscriptionItemList{ListMeta: stripe.ListMeta{HasMore: p.Items.HasMore}, Data: subscriptionItems(p.Items.Data)}
	}
	if p.PendingUpdate != nil {
		s.PendingUpdate = &stripe.SubscriptionPendingUpdate{
			ExpiresAt: p.PendingUpdate.ExpiresAt, SubscriptionItems: subscriptionItems(p.PendingUpdate.SubscriptionItems),
		}
	}
	return s
}

func subscriptionItems(items []*payloadItem) []*stripe.SubscriptionItem {
	converted := make([]*stripe.SubscriptionItem, len(items))
	for i, p := range items {
		if p == nil {
			continue
		}
		item := &stripe.SubscriptionItem{ID: p.ID, Created: p.Created, Deleted: p.Deleted, Quantity: p.Quantity, Metadata: p.Metadata}
		if p.Price != nil {
			item.Price = &stripe.Price{ID: p.Price.ID, Nickname: p.Price.Nickname, Recurring: p.Price.Recurring}
			if p.Price.Product != "" {
				item.Price.Product = &stripe.Product{ID: p.Price.Product}
			}
		}
		converted[i] = item
	}
	return converted
}
