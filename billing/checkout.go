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

// CheckoutStatus is where one of our Checkout sessions stands. A reserved one may or may not exist at Stripe yet.
type CheckoutStatus string

// The checkout statuses.
const (
	CheckoutReserved CheckoutStatus = "reserved"
	CheckoutOpen     CheckoutStatus = "open"
	CheckoutComplete CheckoutStatus = "complete"
	CheckoutExpired  CheckoutStatus = "expired"
)

// CheckoutSession is our record of a Checkout session. It is reserved before Stripe is called with the parameters it is called with, so
// that a repeated call repeats them.
type CheckoutSession struct {
	ID              string         `db:"id"` // chk_…
	OrganizationID  string         `db:"organization_id"`
	UserID          string         `db:"user_id,null"`
	StripeSessionID string         `db:"stripe_session_id,null"` // cs_…; empty while reserved
	CustomerID      string         `db:"customer_id"`
	Account         string         `db:"account"`
	Livemode        bool           `db:"livemode"`
	Mode            CheckoutMode   `db:"mode"`
	PriceID         string         `db:"price_id"`
	Quantity        int            `db:"quantity"`
	TrialDays       int            `db:"trial_days"`
	SuccessURL      string         `db:"success_url"`
	CancelURL       string         `db:"cancel_url"`
	URL             string         `db:"url"` // the hosted page
	Status          CheckoutStatus `db:"status"`
	CreatedAt       time.Time      `db:"created_at"`
	ExpiresAt       *time.Time     `db:"expires_at"`
	CompletedAt     *time.Time     `db:"completed_at"`
}

// CustomerLink ties an organization to a customer at Stripe. It is reserved before Stripe is called.
type CustomerLink struct {
	OrganizationID   string     `db:"organization_id"`
	Generation       int        `db:"generation"`              // bumped after a deletion or a stored failure: part of the idempotency key
	StripeCustomerID string     `db:"stripe_customer_id,null"` // empty while reserved
	Account          string     `db:"account"`                 // of the Stripe account; a link of another account or mode counts as none
	Livemode         bool       `db:"livemode"`
	Email            string     `db:"email"` // what the customer is created with
	Name             string     `db:"name"`
	CreatedAt        time.Time  `db:"created_at"`
	UpdatedAt        time.Time  `db:"updated_at"`
	DeletedAt        *time.Time `db:"deleted_at"` // deleted at Stripe
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
	Subscription      *Subscription // where it was expanded
	PriceID           string        // of its first line; empty where it was not expanded
	ChargeID          string        // that paid it, in payment mode; empty where there is none or it was not expanded
	PaidAt            time.Time     // likewise
	Total             catalog.Money
}
