package billing

import (
	"time"

	"usher/billing/catalog"
)

// CheckoutMode is what a Checkout session sells.
type CheckoutMode string

// The two modes used here.
const (
	ModeSubscription CheckoutMode = "subscription"
	ModePayment      CheckoutMode = "payment"
)

// CheckoutStatus is the status of one of our Checkout sessions. A reserved one may or may not exist
// at Stripe yet.
type CheckoutStatus string

// The checkout statuses.
const (
	CheckoutReserved CheckoutStatus = "reserved"
	CheckoutOpen     CheckoutStatus = "open"
	CheckoutComplete CheckoutStatus = "complete"
	CheckoutExpired  CheckoutStatus = "expired"
)

// CheckoutSession is our record of a Checkout session. It is stored, as reserved and with all
// parameters, before Stripe is called, so that a repeated call has the same parameters.
type CheckoutSession struct {
	ID              string       `db:"id"` // chk_…
	OrganizationID  string       `db:"organization_id"`
	UserID          string       `db:"user_id,null"`
	StripeSessionID string       `db:"stripe_session_id,null"` // cs_…; empty while reserved
	CustomerID      string       `db:"customer_id"`
	Account         string       `db:"account"`
	Livemode        bool         `db:"livemode"`
	Mode            CheckoutMode `db:"mode"`
	PriceID         string       `db:"price_id"`
	Quantity        int          `db:"quantity"`
	TrialDays       int          `db:"trial_days"`
	SuccessURL      string       `db:"success_url"`
	CancelURL       string       `db:"cancel_url"`
	// Options are what the Checkout page asks for.
	Options CheckoutOptions `db:"options,json"`
	// People is the number of people chosen on the pricing page; 0: none. It is no quantity: people
	// are billed when they join.
	People      int            `db:"people"`
	URL         string         `db:"url"` // the hosted page
	Status      CheckoutStatus `db:"status"`
	CreatedAt   time.Time      `db:"created_at"`
	ExpiresAt   *time.Time     `db:"expires_at"`
	CompletedAt *time.Time     `db:"completed_at"`
	// SubscriptionID is the subscription that it sold, as soon as Stripe has named it; see
	// [CheckoutStore.SetSubscription].
	SubscriptionID string `db:"subscription_id,null,readonly"`
}

// StripeCheckoutSession is a Checkout session as Stripe has it.
type StripeCheckoutSession struct {
	ID                string
	URL               string // empty unless it is open
	Mode              CheckoutMode
	Status            CheckoutStatus // open, complete or expired
	PaymentStatus     string         // paid, unpaid, no_payment_required
	CustomerID        string
	SubscriptionID    string
	ClientReferenceID string
	OrgID             string // metadata orgId
	ExpiresAt         time.Time
	Subscription      *Subscription // if it was expanded
	PriceID           string        // of its first line; empty if the lines were not expanded
	// ChargeID is the charge that paid it, in payment mode; empty if there is none or it was not
	// expanded.
	ChargeID string
	PaidAt   time.Time // when that charge was made; zero if ChargeID is empty
	Total    catalog.Money
	// InvoiceID is the first invoice of the subscription; empty in payment mode.
	InvoiceID string // in_…
	// AmountPaid is what has been charged: of the invoice, which a customer's balance may have paid
	// in part, or of the payment. Zero if the invoice was not expanded.
	AmountPaid catalog.Money
}

// processing reports whether a session was completed with a delayed payment method that has not
// paid yet.
func (c StripeCheckoutSession) processing() bool {
	return c.Status == CheckoutComplete && c.PaymentStatus == "unpaid"
}

// paid reports whether a session is paid or needs no payment. With a delayed payment method, a
// session is completed unpaid
// (https://docs.stripe.com/payments/checkout/fulfill-orders#delayed-notification).
func (c StripeCheckoutSession) paid() bool {
	return c.Status == CheckoutComplete && (c.PaymentStatus == "paid" || c.PaymentStatus == "no_payment_required")
}
