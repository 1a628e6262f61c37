package stripegw

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"github.com/stripe/stripe-go/v79"

	"usher/billing"
	"usher/billing/apperr"
)

// portalCalls open the customer portal.
type portalCalls struct {
	*client
	priceCalls *priceCalls
	mutex      sync.Mutex
	// ids of active portal configurations by the hash of their parameters.
	ids map[string]string
	// refusedSwitches are the plan switches that Stripe refused, by the hash of their products.
	refusedSwitches map[string]refusedSwitches
	// taxBehaviors of prices by id, with the time they were read.
	taxBehaviors map[string]taxBehavior
	// The adopter's, on the portal's pages; empty: those of the account.
	termsURL, privacyURL string
}

func newPortalCalls(shared *client, prices *priceCalls, o Options) *portalCalls {
	return &portalCalls{
		client: shared, priceCalls: prices, ids: map[string]string{}, refusedSwitches: map[string]refusedSwitches{}, taxBehaviors: map[string]taxBehavior{},
		termsURL: o.TermsURL, privacyURL: o.PrivacyURL,
	}
}

// CreatePortalSession creates a customer portal session with a configuration of ours: an account
// whose portal was never configured in the dashboard has no default one, and Stripe returns an
// error. The plan switches and the deep link must never keep the portal closed, since cards are
// updated there: if Stripe refuses them, the portal opens without.
func (c *portalCalls) CreatePortalSession(ctx context.Context, request billing.PortalRequest) (billing.PortalSession, error) {
	if err := checkFlow(request); err != nil {
		return billing.PortalSession{}, err
	}
	products, problem := c.planSwitches(ctx, request)
	if len(products) == 0 && request.Flow == billing.PortalChangePlan {
		request.Flow = billing.PortalHome
	}
	url, err := c.openPortal(ctx, request, products)
	if isRefusal(err) && len(products) > 0 {
		problem = refusalText(err)
		c.rememberRefusedSwitches(products, problem)
		if request.Flow == billing.PortalChangePlan {
			request.Flow = billing.PortalHome
		}
		url, err = c.openPortal(ctx, request, nil)
	}
	if isRefusal(err) && request.Flow != billing.PortalHome {
		request.Flow = billing.PortalHome
		url, err = c.openPortal(ctx, request, nil)
	}
	return billing.PortalSession{URL: url, SwitchProblem: problem}, err
}

// isRefusal reports whether Stripe refused the parameters of a portal session. A missing customer
// is no such refusal: nothing else would open either.
func isRefusal(err error) bool {
	var e *apperr.StripeError
	return errors.As(err, &e) && e.Status == http.StatusBadRequest && e.Param != "customer"
}

func refusalText(err error) string {
	var e *apperr.StripeError
	if errors.As(err, &e) {
		return "Stripe refused the plan switches: " + e.Message
	}
	return err.Error()
}

// openPortal opens a session with the configuration that has these products.
func (c *portalCalls) openPortal(ctx context.Context, request billing.PortalRequest, products []switchProduct) (string, error) {
	configuration, err := c.portalConfiguration(ctx, products, "")
	if err != nil {
		return "", err
	}
	url, err := c.createPortalSession(ctx, request, configuration)
	if !isRefusedConfiguration(err) {
		return url, err
	}
	// It was deactivated, or the account's data was reset.
	c.evictPortalConfiguration(configuration)
	configuration, err = c.portalConfiguration(ctx, products, configuration)
	if err != nil {
		return "", err
	}
	return c.createPortalSession(ctx, request, configuration)
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

func (c *portalCalls) createPortalSession(ctx context.Context, request billing.PortalRequest, configuration string) (string, error) {
	session, info, err := call(ctx, "create portal session", func(ctx context.Context) (*stripe.BillingPortalSession, error) {
		params := &stripe.BillingPortalSessionParams{
			Configuration: stripe.String(configuration),
			Customer:      stripe.String(request.CustomerID),
			ReturnURL:     stripe.String(request.ReturnURL),
			FlowData:      flowParams(request),
		}
		params.Context = ctx
		return c.portalSessions.New(params)
	})
	if err != nil {
		return "", err
	}
	if session.URL == "" {
		return "", invalidResponse(info, "the response is no portal session")
	}
	return session.URL, nil
}

// flowParams returns the deep link, nil for the portal's home page. Stripe redirects to the return
// URL after completion.
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

// isRefusedConfiguration reports whether the configuration does not exist or is inactive. The
// parameter distinguishes it from a missing customer or subscription.
func isRefusedConfiguration(err error) bool {
	var e *apperr.StripeError
	return errors.As(err, &e) && (e.Param == "configuration" || e.Param == "" && isMissing(err))
}
