package billing

import "time"

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
	ID              string // chk_…
	OrganizationID  string
	UserID          string
	StripeSessionID string // cs_…; empty while reserved
	CustomerID      string
	Account         string
	Livemode        bool
	Mode            CheckoutMode
	PriceID         string
	Quantity        int
	TrialDays       int
	SuccessURL      string
	CancelURL       string
	URL             string // the hosted page
	Status          CheckoutStatus
	CreatedAt       time.Time
	ExpiresAt       *time.Time
	CompletedAt     *time.Time
}

// CustomerLink ties an organization to a customer at Stripe. It is reserved before Stripe is called.
type CustomerLink struct {
	OrganizationID   string
	Generation       int    // bumped after a deletion or a stored failure: part of the idempotency key
	StripeCustomerID string // empty while reserved
	Account          string // of the Stripe account; a link of another account or mode counts as none
	Livemode         bool
	Email            string // what the customer is created with
	Name             string
	CreatedAt        time.Time
	UpdatedAt        time.Time
	DeletedAt        *time.Time // deleted at Stripe
}
