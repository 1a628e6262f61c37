package billing

import (
	"context"
	"time"

	"usher/billing/catalog"
)

// Gateway is what this package needs of Stripe. Every method takes its time limit from ctx and returns a [*StripeError] in the chain
// where Stripe refused or did not answer. Package stripegw implements it.
type Gateway interface {
	ReconcileGateway
	RefundGateway
	CustomerGateway
	CancellationGateway
	// Account tells whose keys these are.
	Account(ctx context.Context) (StripeAccount, error)
	// Prices finds active prices by lookup key and prices by id; what does not exist is left out.
	Prices(ctx context.Context, lookupKeys, ids []string) ([]catalog.StripePrice, error)
	// CreateCustomer creates a customer under an idempotency key made of the organization and the generation.
	CreateCustomer(ctx context.Context, link CustomerLink) (customerID string, err error)
	// CreateCheckoutSession opens a Checkout session under an idempotency key made of the record's id.
	CreateCheckoutSession(ctx context.Context, session CheckoutSession) (StripeCheckoutSession, error)
	// CheckoutSession reads a session, with its subscription.
	CheckoutSession(ctx context.Context, sessionID string) (StripeCheckoutSession, error)
	// ExpireCheckoutSession closes an open session. One that is complete or expired already answers a StripeError with status 400.
	ExpireCheckoutSession(ctx context.Context, sessionID string) error
	// CreatePortalSession opens a customer portal session and returns its URL.
	CreatePortalSession(ctx context.Context, request PortalRequest) (url string, err error)
	// Subscription reads a subscription. Its Moment is Stripe's Date header less the time the call took.
	Subscription(ctx context.Context, id string) (Subscription, error)
	// Invoice reads an invoice with all its lines. Its Moment is as a subscription's.
	Invoice(ctx context.Context, id string) (Invoice, error)
	// Charge reads a charge with what of it went back. Its Moment is as a subscription's.
	Charge(ctx context.Context, id string) (Payment, error)
	// UpdateQuantity tells Stripe an absolute quantity for the seat item.
	UpdateQuantity(ctx context.Context, update QuantityUpdate) (UpdatedSubscription, error)
	// VerifyEvent checks the signature over the raw body with any current secret and reads the event. Errors carry
	// [CodeInvalid]: a bad or badly timed signature with the message [MessageSignatureFailed].
	VerifyEvent(payload []byte, signatureHeader string, now time.Time) (Event, error)
	// ParseEvent reads an event that was verified before (replay from the inbox).
	ParseEvent(payload []byte) (Event, error)
}

// StripeAccount is the account behind a secret key.
type StripeAccount struct {
	ID       string `db:"account"` // acct_…
	Livemode bool   `db:"livemode"`
}

// UpdatedSubscription is Stripe's yes to a change of a subscription.
type UpdatedSubscription struct {
	Subscription Subscription // as it then was
	Replayed     bool         // the answer to an earlier request with this key: old news and no snapshot
	RequestID    string       // req_…
}
