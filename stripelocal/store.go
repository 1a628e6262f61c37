package stripelocal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// state is the whole account; what is exported is what the file holds.
type state struct {
	Starts       int
	ClockOffset  int64 // seconds the account's clock was advanced
	Account      Account
	AfterDunning string // an AfterDunning value; empty is AfterDunningCancel

	TestClocks     *table[*TestClock]
	Customers      *table[*Customer]
	Products       *table[*Product]
	Prices         *table[*Price]
	PaymentMethods *table[*PaymentMethod]
	Subscriptions  *table[*Subscription]
	Items          *table[*SubscriptionItem]
	Schedules      *table[*Schedule]
	Invoices       *table[*Invoice]
	InvoiceItems   *table[*InvoiceItem]
	PaymentIntents *table[*PaymentIntent]
	SetupIntents   *table[*SetupIntent]
	Tokens         *table[*Token]
	Charges        *table[*Charge]
	Refunds        *table[*Refund]
	Disputes       *table[*Dispute]
	CreditNotes    *table[*CreditNote]
	Sessions       *table[*CheckoutSession]
	PortalConfigs  *table[*PortalConfiguration]
	PortalSessions *table[*PortalSession]
	Endpoints      *table[*WebhookEndpoint]
	Coupons        *table[*Coupon]
	PromotionCodes *table[*PromotionCode]
	TaxIDs         *table[*TaxID]
	Events         *table[*Event]
	Deliveries     *table[*Delivery]
	Answers        map[string]*storedAnswer // by idempotency key
}

func newState() *state {
	return &state{
		Customers: newTable[*Customer]().indexed("test_clock", func(c *Customer) string { return c.TestClock }).
			indexed("email", func(c *Customer) string { return c.Email }),
		TestClocks:     newTable[*TestClock](),
		Schedules:      newTable[*Schedule](),
		Products:       newTable[*Product](),
		Prices:         newTable[*Price]().indexed("product", func(p *Price) string { return p.Product }),
		PaymentMethods: newTable[*PaymentMethod]().indexed("customer", func(p *PaymentMethod) string { return p.Customer }),
		Subscriptions:  newTable[*Subscription]().indexed("customer", func(x *Subscription) string { return x.Customer }),
		Items:          newTable[*SubscriptionItem]().indexed("subscription", func(i *SubscriptionItem) string { return i.Subscription }),
		Invoices: newTable[*Invoice]().indexed("customer", func(i *Invoice) string { return i.Customer }).
			indexed("subscription", func(i *Invoice) string { return i.Subscription }),
		InvoiceItems: newTable[*InvoiceItem]().indexed("customer", func(i *InvoiceItem) string { return i.Customer }).
			indexed("pending", func(i *InvoiceItem) string { return i.pendingKey() }),
		PaymentIntents: newTable[*PaymentIntent]().indexed("customer", func(p *PaymentIntent) string { return p.Customer }),
		SetupIntents:   newTable[*SetupIntent](),
		Tokens:         newTable[*Token](),
		Refunds:        newTable[*Refund]().indexed("charge", func(r *Refund) string { return r.Charge }),
		Disputes:       newTable[*Dispute](),
		CreditNotes:    newTable[*CreditNote]().indexed("invoice", func(n *CreditNote) string { return n.Invoice }),
		Charges: newTable[*Charge]().indexed("customer", func(c *Charge) string { return c.Customer }).
			indexed("payment_intent", func(c *Charge) string { return c.PaymentIntent }),
		Sessions: newTable[*CheckoutSession]().indexed("customer", func(c *CheckoutSession) string { return c.Customer }).
			indexed("subscription", func(c *CheckoutSession) string { return c.Subscription }).
			indexed("payment_intent", func(c *CheckoutSession) string { return c.PaymentIntent }),
		Coupons:        newTable[*Coupon](),
		PromotionCodes: newTable[*PromotionCode](),
		TaxIDs:         newTable[*TaxID]().indexed("customer", func(x *TaxID) string { return x.Customer }),
		PortalConfigs:  newTable[*PortalConfiguration](),
		PortalSessions: newTable[*PortalSession](),
		Endpoints:      newTable[*WebhookEndpoint](),
		Events:         newTable[*Event]().indexed("type", func(e *Event) string { return e.Type }),
		Deliveries:     newTable[*Delivery]().indexed("event", func(d *Delivery) string { return d.Event }),
		Answers:        map[string]*storedAnswer{},
	}
}

// loadState reads the file at path; a missing one, or no path, is a new account.
func loadState(path string) (*state, error) {
	st := newState()
	if path == "" {
		return st, nil
	}
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return st, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read state: %w", err)
	}
	if err := json.Unmarshal(raw, st); err != nil {
		return nil, fmt.Errorf("read state %s: %w", path, err)
	}
	return st, nil
}

// snapshot is the state as the file holds it.
func (s *Server) snapshot() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return json.Marshal(s.state)
}
