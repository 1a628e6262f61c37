package stripelocal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// store is all data of the account. The state file contains its exported fields.
type store struct {
	Format       int // storeFormat
	Starts       int
	ClockOffset  int64 // seconds, sum of all advances
	Account      Account
	AfterDunning string // an AfterDunning value; empty is AfterDunningCancel
	// OtherVersions is an OtherVersions value; empty is OtherVersionsRefuse.
	OtherVersions string
	Speed         float64           // of the clock; 0 is 1
	CLISecrets    map[string]string // signing secrets of stripe listen, by device name
	// PortalRefusal is a PortalRefusal value; empty is PortalRefusalCreate.
	PortalRefusal string
	// The account has no URL of its terms of service, and Stripe Tax is not activated.
	WithoutTerms, WithoutStripeTax bool
	TaxSettings                    TaxSettings

	TestClocks                  *table[*TestClock]
	Customers                   *table[*Customer]
	Products                    *table[*Product]
	Prices                      *table[*Price]
	PaymentMethods              *table[*PaymentMethod]
	CustomerBalanceTransactions *table[*CustomerBalanceTransaction]
	Subscriptions               *table[*Subscription]
	SubscriptionItems           *table[*SubscriptionItem]
	SubscriptionSchedules       *table[*SubscriptionSchedule]
	Invoices                    *table[*Invoice]
	InvoiceItems                *table[*InvoiceItem]
	PaymentIntents              *table[*PaymentIntent]
	SetupIntents                *table[*SetupIntent]
	Tokens                      *table[*Token]
	Charges                     *table[*Charge]
	Refunds                     *table[*Refund]
	Disputes                    *table[*Dispute]
	CreditNotes                 *table[*CreditNote]
	CheckoutSessions            *table[*CheckoutSession]
	PortalConfigurations        *table[*PortalConfiguration]
	PortalSessions              *table[*PortalSession]
	WebhookEndpoints            *table[*WebhookEndpoint]
	Coupons                     *table[*Coupon]
	PromotionCodes              *table[*PromotionCode]
	TaxIDs                      *table[*TaxID]
	TaxRates                    *table[*TaxRate]
	EntitlementFeatures         *table[*EntitlementFeature]
	ProductFeatures             *table[*ProductFeature]
	ActiveEntitlements          *table[*ActiveEntitlement]
	Meters                      *table[*Meter]
	MeterEvents                 *table[*MeterEvent]
	UsageRecords                *table[*UsageRecord]
	BillingAlerts               *table[*BillingAlert]
	Quotes                      *table[*Quote]
	PaymentLinks                *table[*PaymentLink]
	Payouts                     *table[*Payout]
	Topups                      *table[*Topup]
	TaxCalculations             *table[*TaxCalculation]
	TaxTransactions             *table[*TaxTransaction]
	TaxRegistrations            *table[*TaxRegistration]
	RadarValueLists             *table[*RadarValueList]
	RadarValueListItems         *table[*RadarValueListItem]
	PaymentMethodDomains        *table[*PaymentMethodDomain]
	ApplePayDomains             *table[*ApplePayDomain]
	PaymentMethodConfigurations *table[*PaymentMethodConfiguration]
	CustomerSessions            *table[*CustomerSession]
	EphemeralKeys               *table[*EphemeralKey]
	ConfirmationTokens          *table[*ConfirmationToken]
	Files                       *table[*File]
	FileLinks                   *table[*FileLink]
	CashBalances                *table[*CashBalance]
	CashTransactions            *table[*CashTransaction]
	ShippingRates               *table[*ShippingRate]
	Reviews                     *table[*Review]
	Mandates                    *table[*Mandate]
	Events                      *table[*Event]
	Deliveries                  *table[*Delivery]
	IdempotentResponses         map[string]*storedResponse // by idempotency key
	Blocks                      blockList                  // of archived texts, in the state file only
}

func newStore() *store {
	return &store{
		Format: storeFormat,
		Customers: newTable[*Customer]().indexed("test_clock", func(c *Customer) string { return c.TestClock }).
			indexed("email", func(c *Customer) string { return c.Email }),
		TestClocks:                  newTable[*TestClock](),
		CustomerBalanceTransactions: newTable[*CustomerBalanceTransaction]().indexed("customer", func(x *CustomerBalanceTransaction) string { return x.Customer }),
		SubscriptionSchedules:       newTable[*SubscriptionSchedule]().indexed("customer", func(x *SubscriptionSchedule) string { return x.Customer }),
		Products:                    newTable[*Product](),
		Prices:                      newTable[*Price]().indexed("product", func(p *Price) string { return p.Product }),
		PaymentMethods:              newTable[*PaymentMethod]().indexed("customer", func(p *PaymentMethod) string { return p.Customer }),
		Subscriptions:               newTable[*Subscription]().indexed("customer", func(x *Subscription) string { return x.Customer }),
		SubscriptionItems:           newTable[*SubscriptionItem]().indexed("subscription", func(i *SubscriptionItem) string { return i.Subscription }),
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
		CheckoutSessions: newTable[*CheckoutSession]().indexed("customer", func(c *CheckoutSession) string { return c.Customer }).
			indexed("subscription", func(c *CheckoutSession) string { return c.Subscription }).
			indexed("payment_intent", func(c *CheckoutSession) string { return c.PaymentIntent }).
			indexed("payment_link", func(c *CheckoutSession) string { return c.PaymentLink }),
		Coupons:              newTable[*Coupon](),
		PromotionCodes:       newTable[*PromotionCode](),
		TaxIDs:               newTable[*TaxID]().indexed("customer", func(x *TaxID) string { return x.Customer }),
		TaxRates:             newTable[*TaxRate](),
		PortalConfigurations: newTable[*PortalConfiguration](),
		PortalSessions:       newTable[*PortalSession](),
		WebhookEndpoints:     newTable[*WebhookEndpoint](),
		EntitlementFeatures:  newTable[*EntitlementFeature](),
		ProductFeatures:      newTable[*ProductFeature]().indexed("product", func(x *ProductFeature) string { return x.Product }),
		ActiveEntitlements:   newTable[*ActiveEntitlement]().indexed("customer", func(x *ActiveEntitlement) string { return x.Customer }),
		Meters:               newTable[*Meter](),
		MeterEvents:          newTable[*MeterEvent]().indexed("usage", (*MeterEvent).usageKey).indexed("identifier", func(x *MeterEvent) string { return x.Identifier }),
		UsageRecords:         newTable[*UsageRecord]().indexed("item", func(x *UsageRecord) string { return x.Item }),
		BillingAlerts:        newTable[*BillingAlert](),
		Quotes:               newTable[*Quote]().indexed("customer", func(x *Quote) string { return x.Customer }).indexed("invoice", func(x *Quote) string { return x.Invoice }),
		PaymentLinks:         newTable[*PaymentLink](),
		Payouts:              newTable[*Payout](),
		Topups:               newTable[*Topup](),
		TaxCalculations:      newTable[*TaxCalculation](),
		TaxTransactions:      newTable[*TaxTransaction]().indexed("original", func(x *TaxTransaction) string { return x.Original }),
		TaxRegistrations:     newTable[*TaxRegistration](),
		RadarValueLists:      newTable[*RadarValueList](),
		RadarValueListItems:  newTable[*RadarValueListItem]().indexed("list", func(x *RadarValueListItem) string { return x.List }),
		Events:               newTable[*Event]().indexed("type", func(e *Event) string { return e.Type }),
		Deliveries:           newTable[*Delivery]().indexed("event", func(d *Delivery) string { return d.Event }),
		IdempotentResponses:  map[string]*storedResponse{},
		CLISecrets:           map[string]string{},

		PaymentMethodDomains:        newTable[*PaymentMethodDomain](),
		ApplePayDomains:             newTable[*ApplePayDomain](),
		PaymentMethodConfigurations: newTable[*PaymentMethodConfiguration](),
		CustomerSessions:            newTable[*CustomerSession](),
		EphemeralKeys:               newTable[*EphemeralKey](),
		ConfirmationTokens:          newTable[*ConfirmationToken](),
		Files:                       newTable[*File](),
		FileLinks:                   newTable[*FileLink]().indexed("file", func(x *FileLink) string { return x.File }),
		CashBalances:                newTable[*CashBalance](),
		CashTransactions:            newTable[*CashTransaction]().indexed("customer", func(x *CashTransaction) string { return x.Customer }),
		ShippingRates:               newTable[*ShippingRate](),
		Reviews:                     newTable[*Review]().indexed("charge", func(x *Review) string { return x.Charge }),
		Mandates:                    newTable[*Mandate]().indexed("payment_method", func(x *Mandate) string { return x.PaymentMethod }),
	}
}

// loadStore reads the state file, with its texts in an archive. A missing file or an empty path is
// a new account.
func loadStore(path string, texts *archive) (*store, error) {
	if path == "" {
		return newStore(), nil
	}
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return newStore(), nil
	}
	if err != nil {
		return nil, fmt.Errorf("read state: %w", err)
	}
	st, err := decodeStore(raw, texts)
	if err != nil {
		return nil, fmt.Errorf("read state %s: %w", path, err)
	}
	return st, nil
}

// encode is the contents of the state file.
func (st *store) encode() ([]byte, error) {
	st.numberBlocks()
	defer func() { st.Blocks = nil }()
	return json.Marshal(st)
}

// decodeStore reads the contents of a state file, with its texts in an archive.
func decodeStore(raw []byte, texts *archive) (*store, error) {
	st := newStore()
	raw, err := upgradeState(raw)
	if err == nil {
		err = json.Unmarshal(raw, st)
	}
	if err != nil {
		return nil, err
	}
	st.Format = storeFormat
	return st, st.linkBlocks(texts)
}

// snapshot is the contents of the state file.
func (s *Server) snapshot() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.store.encode()
}
