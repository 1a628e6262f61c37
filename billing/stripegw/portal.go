package stripegw

import (
	"context"
	"errors"

	"github.com/stripe/stripe-go/v79"

	"usher/billing"
	"usher/billing/apperr"
)

// CreatePortalSession opens a customer portal session under a configuration of our own: an account whose portal was never set up in the
// dashboard has no default one and would answer an error.
func (g *Gateway) CreatePortalSession(ctx context.Context, request billing.PortalRequest) (string, error) {
	if err := checkFlow(request); err != nil {
		return "", err
	}
	configuration, err := g.portalConfiguration(ctx, request.Catalog, "")
	if err != nil {
		return "", err
	}
	url, err := g.createPortalSession(ctx, request, configuration)
	if !isRefusedConfiguration(err) {
		return url, err
	}
	// Somebody deactivated it, or the account's data was reset.
	g.evictPortalConfiguration(configuration)
	configuration, err = g.portalConfiguration(ctx, request.Catalog, configuration)
	if err != nil {
		return "", err
	}
	return g.createPortalSession(ctx, request, configuration)
}

func checkFlow(request billing.PortalRequest) error {
	switch request.Flow {
	case billing.PortalHome, billing.PortalPaymentMethod:
		return nil
	case billing.PortalCancel, billing.PortalChangePlan:
		if request.SubscriptionID == "" {
			return apperr.Errorf(apperr.CodeInvalid, "There is no subscription to change.")
		}
		return nil
	}
	return apperr.Errorf(apperr.CodeInvalid, "The portal has no such page.")
}

func (g *Gateway) createPortalSession(ctx context.Context, request billing.PortalRequest, configuration string) (string, error) {
	session, x, err := call(ctx, "create portal session", func(ctx context.Context) (*stripe.BillingPortalSession, error) {
		params := &stripe.BillingPortalSessionParams{
			Configuration: stripe.String(configuration),
			Customer:      stripe.String(request.CustomerID),
			ReturnURL:     stripe.String(request.ReturnURL),
			FlowData:      flowParams(request),
		}
		params.Context = ctx
		return g.portalSessions.New(params)
	})
	if err != nil {
		return "", err
	}
	if session.URL == "" {
		return "", invalidResponse(x, "the answer is no portal session")
	}
	return session.URL, nil
}

// flowParams is the deep link, nil for the front page. When the flow is done Stripe sends the person straight back.
func flowParams(request billing.PortalRequest) *stripe.BillingPortalSessionFlowDataParams {
	if request.Flow == billing.PortalHome {
		return nil
	}
	flow := &stripe.BillingPortalSessionFlowDataParams{
		Type: stripe.String(string(request.Flow)),
		AfterCompletion: &stripe.BillingPortalSessionFlowDataAfterCompletionParams{
			Type: stripe.String(string(stripe.BillingPortalSessionFlowAfterCompletionTypeRedirect)),
			Redirect: &stripe.BillingPortalSessionFlowDataAfterCompletionRedirectParams{
				ReturnURL: stripe.String(request.ReturnURL),
			},
		},
	}
	subscription := stripe.String(request.SubscriptionID)
	switch request.Flow {
	case billing.PortalCancel:
		flow.SubscriptionCancel = &stripe.BillingPortalSessionFlowDataSubscriptionCancelParams{Subscription: subscription}
	case billing.PortalChangePlan:
		flow.SubscriptionUpdate = &stripe.BillingPortalSessionFlowDataSubscriptionUpdateParams{Subscription: subscription}
	}
	return flow
}

// isRefusedConfiguration tells whether the session was refused for its configuration: gone, or inactive. Stripe's parameter tells it
// from a customer or a subscription that is gone.
func isRefusedConfiguration(err error) bool {
	var e *apperr.StripeError
	return errors.As(err, &e) && (e.Param == "configuration" || e.Param == "" && isMissing(err))
}
