package billing

import (
	"context"
	"time"

	"usher/billing/catalog"
)

// Gateway calls Stripe. Every method takes its time limit from ctx and returns an
// [*apperr.StripeError] in the chain if Stripe refused or did not answer. Package stripegw
// implements it.
type Gateway interface {
	ReconcileGateway
	RefundGateway
	CustomerGateway
	CancellationGateway
	PlanChangeGateway
	UpcomingInvoiceGateway
	ForecastGateway
	PaymentGateway
	SeatPreviewGateway
	ImportGateway
	// Account reads the account of the secret key.
	Account(ctx context.Context) (StripeAccount, error)
	// Prices finds active prices by lookup key, and prices, active or not, by id, with the metadata
	// of their products; those that do not exist are left out.
	Prices(ctx context.Context, lookupKeys, ids []string) ([]catalog.StripePrice, error)
	// CreateCustomer creates a customer. The idempotency key is made of the organization and the
	// generation.
	CreateCustomer(ctx context.Context, link CustomerLink) (customerID string, err error)
	// PromotionCodes lists the active promotion codes with these characters: one for everybody, and
	// one for each customer who has it.
	PromotionCodes(ctx context.Context, code string) ([]PromotionCode, error)
	// CreateCheckoutSession opens a Checkout session. The idempotency key is made of the record's
	// id.
	CreateCheckoutSession(ctx context.Context, session CheckoutSession) (StripeCheckoutSession, error)
	// CheckoutSession reads a session, with its subscription.
	CheckoutSession(ctx context.Context, sessionID string) (StripeCheckoutSession, error)
	// ExpireCheckoutSession expires an open session. For a complete or expired one it returns a
	// StripeError with status 400.
	ExpireCheckoutSession(ctx context.Context, sessionID string) error
	// CreatePortalSession opens a customer portal session. If Stripe refuses the plan switches or
	// the deep link, it opens the portal without them.
	CreatePortalSession(ctx context.Context, request PortalRequest) (PortalSession, error)
	// Subscription reads a subscription. Its AsOf is Stripe's Date header minus the duration of the
	// call.
	Subscription(ctx context.Context, id string) (Subscription, error)
	// Invoice reads an invoice with all its lines. Its AsOf is set as a subscription's.
	Invoice(ctx context.Context, id string) (Invoice, error)
	// Charge reads a charge with its refunds and disputes. Its AsOf is set as a subscription's.
	Charge(ctx context.Context, id string) (Payment, error)
	// UpdateQuantity sets the absolute quantity of the seat item, the subscription's pending
	// invoice interval, or both.
	UpdateQuantity(ctx context.Context, update QuantityUpdate) (UpdatedSubscription, error)
	// VerifyEvent verifies the signature of the raw body with any current secret and parses the
	// event. Errors have [apperr.CodeInvalid]; a wrong or outdated signature has the message
	// [apperr.MessageSignatureFailed].
	VerifyEvent(payload []byte, signatureHeader string, now time.Time) (Event, error)
	// ParseEvent parses an event from the inbox, which was verified when it was received.
	ParseEvent(payload []byte) (Event, error)
}

// StripeAccount is the account behind a secret key.
type StripeAccount struct {
	ID       string `db:"account"` // acct_…
	Livemode bool   `db:"livemode"`
}

// UpdatedSubscription is Stripe's answer to a successful change of a subscription.
type UpdatedSubscription struct {
	Subscription Subscription // as of the answer
	// Replayed means that it is the answer to an earlier request with this idempotency key, so no
	// current snapshot.
	Replayed  bool
	RequestID string // req_…
	// LatestInvoice is the subscription's newest invoice, without lines; nil: none.
	LatestInvoice *Invoice
}
