package stripegw

import (
	"context"
	"time"

	"github.com/stripe/stripe-go/v79"

	"usher/billing"
	"usher/billing/catalog"
)

// CreateCheckoutSession creates the Checkout session of a record, whose id is the idempotency key.
// A replayed response shows the session as it was created, so it is read again.
func (g *Gateway) CreateCheckoutSession(ctx context.Context, session billing.CheckoutSession) (billing.StripeCheckoutSession, error) {
	created, info, err := call(ctx, "create checkout session", func(ctx context.Context) (*stripe.CheckoutSession, error) {
		return g.checkouts.New(checkoutParams(ctx, session))
	})
	if err != nil {
		return billing.StripeCheckoutSession{}, err
	}
	if created.ID == "" {
		return billing.StripeCheckoutSession{}, invalidResponse(info, "the response is no checkout session")
	}
	if info.replayed {
		return g.CheckoutSession(ctx, created.ID)
	}
	return mapCheckout(created), nil
}

// checkoutParams sets the organization in three places: the session's metadata, the metadata of the
// resulting object, and client_reference_id, because Stripe copies none to the others. The URLs are
// sent unchanged, with the placeholder {CHECKOUT_SESSION_ID}.
func checkoutParams(ctx context.Context, session billing.CheckoutSession) *stripe.CheckoutSessionParams {
	params := &stripe.CheckoutSessionParams{
		Mode:              stripe.String(string(session.Mode)),
		Customer:          stripe.String(session.CustomerID),
		ClientReferenceID: stripe.String(session.OrganizationID),
		LineItems: []*stripe.CheckoutSessionLineItemParams{
			{Price: stripe.String(session.PriceID), Quantity: stripe.Int64(int64(session.Quantity))},
		},
		Metadata:   map[string]string{"orgId": session.OrganizationID, "user_id": session.UserID},
		SuccessURL: stripe.String(session.SuccessURL),
		CancelURL:  stripe.String(session.CancelURL),
	}
	setModeParams(params, session)
	params.Context = ctx
	params.SetIdempotencyKey("checkout:" + session.ID)
	return params
}

func setModeParams(params *stripe.CheckoutSessionParams, session billing.CheckoutSession) {
	metadata := map[string]string{"orgId": session.OrganizationID}
	if session.Mode == billing.ModePayment {
		params.PaymentIntentData = &stripe.CheckoutSessionPaymentIntentDataParams{Metadata: metadata}
		return
	}
	params.SubscriptionData = &stripe.CheckoutSessionSubscriptionDataParams{Metadata: metadata}
	if session.TrialDays > 0 { // Stripe rejects 0
		params.SubscriptionData.TrialPeriodDays = stripe.Int64(int64(session.TrialDays))
	}
}

// CheckoutSession reads a session with its subscription, if it has one.
func (g *Gateway) CheckoutSession(ctx context.Context, sessionID string) (billing.StripeCheckoutSession, error) {
	found, info, err := call(ctx, "read checkout session", func(ctx context.Context) (*stripe.CheckoutSession, error) {
		params := &stripe.CheckoutSessionParams{Expand: stripe.StringSlice([]string{
			"subscription", "subscription.default_payment_method", "line_items", "payment_intent.latest_charge",
		})}
		params.Context = ctx
		return g.checkouts.Get(sessionID, params)
	})
	if err != nil {
		return billing.StripeCheckoutSession{}, err
	}
	if found.ID == "" {
		return billing.StripeCheckoutSession{}, invalidResponse(info, "the response is no checkout session")
	}
	checkout := mapCheckout(found)
	if found.Subscription == nil || found.Subscription.Object == "" {
		return checkout, nil
	}
	snapshot, err := g.snapshot(ctx, found.Subscription, info)
	checkout.Subscription = &snapshot
	return checkout, err
}

// ExpireCheckoutSession expires an open session. For a complete or expired one it returns a
// StripeError with status 400.
func (g *Gateway) ExpireCheckoutSession(ctx context.Context, sessionID string) error {
	_, _, err := call(ctx, "expire checkout session", func(ctx context.Context) (*stripe.CheckoutSession, error) {
		params := &stripe.CheckoutSessionExpireParams{}
		params.Context = ctx
		return g.checkouts.Expire(sessionID, params)
	})
	return err
}

// mapCheckout maps a session without its subscription. Unknown modes and statuses stay unchanged.
func mapCheckout(s *stripe.CheckoutSession) billing.StripeCheckoutSession {
	checkout := billing.StripeCheckoutSession{
		ID:                s.ID,
		URL:               s.URL,
		Mode:              billing.CheckoutMode(s.Mode),
		Status:            billing.CheckoutStatus(s.Status),
		PaymentStatus:     string(s.PaymentStatus),
		CustomerID:        customerID(s.Customer),
		ClientReferenceID: s.ClientReferenceID,
		OrgID:             s.Metadata["orgId"],
		ExpiresAt:         time.Unix(s.ExpiresAt, 0).UTC(),
	}
	checkout.Total = catalog.Money{Minor: s.AmountTotal, Currency: string(s.Currency)}
	if s.Subscription != nil {
		checkout.SubscriptionID = s.Subscription.ID
	}
	if s.LineItems != nil && len(s.LineItems.Data) > 0 && s.LineItems.Data[0].Price != nil {
		checkout.PriceID = s.LineItems.Data[0].Price.ID
	}
	if s.PaymentIntent != nil && s.PaymentIntent.LatestCharge != nil && s.PaymentIntent.LatestCharge.Paid {
		checkout.ChargeID = s.PaymentIntent.LatestCharge.ID
		checkout.PaidAt = time.Unix(s.PaymentIntent.LatestCharge.Created, 0).UTC()
	}
	return checkout
}
