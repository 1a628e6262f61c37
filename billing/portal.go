package billing

import (
	"context"
	"errors"
	"fmt"

	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/catalog"
)

// Portal opens customer portal sessions.
type Portal struct {
	*core
	checkouts *Checkouts
	customers *Customers
	returnURL string
}

// Open returns the URL of a customer portal session. An empty returnURL means the configured one.
// Errors: CodeForbidden; CodeInvalid for a return URL of another origin; CodeNotFound "No Stripe
// customer found" before the first checkout; CodeStripe.
func (p *Portal) Open(ctx context.Context, a account.Access, flow PortalFlow, returnURL string) (string, error) {
	if err := a.RequireBilling(); err != nil {
		return "", err
	}
	request, err := p.request(ctx, a, flow, returnURL)
	if err != nil {
		return "", err
	}
	url, err := p.gateway.CreatePortalSession(ctx, request)
	var refused *apperr.StripeError
	if errors.As(err, &refused) && refused.Code == "resource_missing" && refused.Param == "customer" {
		return "", errors.Join(apperr.Errorf(apperr.CodeNotFound, apperr.MessageNoCustomer), p.customers.delete(ctx, request.CustomerID))
	}
	if err != nil {
		return "", apperr.StripeFailed("open portal", err)
	}
	return url, nil
}

func (p *Portal) request(ctx context.Context, a account.Access, flow PortalFlow, returnURL string) (PortalRequest, error) {
	back, err := p.checkouts.validateURL("returnUrl", returnURL, p.returnURL)
	if err != nil {
		return PortalRequest{}, err
	}
	acct, err := p.requireAccount(ctx)
	if err != nil {
		return PortalRequest{}, err
	}
	link, known, err := apperr.Found(p.store.Customers().Link(ctx, a.Organization.ID, acct))
	if err != nil {
		return PortalRequest{}, fmt.Errorf("look up customer: %w", err)
	}
	if !known || link.StripeCustomerID == "" || link.DeletedAt != nil {
		return PortalRequest{}, apperr.Errorf(apperr.CodeNotFound, apperr.MessageNoCustomer)
	}
	request := PortalRequest{CustomerID: link.StripeCustomerID, ReturnURL: back, Flow: flow, Catalog: p.Catalog()}
	return p.withFlow(ctx, request, a.Organization.ID, acct)
}

// withFlow sets the subscription of a deep link; without a live one, the flow is PortalHome.
func (p *Portal) withFlow(ctx context.Context, r PortalRequest, organizationID string, acct StripeAccount) (PortalRequest, error) {
	switch r.Flow {
	case PortalHome, PortalPaymentMethod:
		return r, nil
	case PortalCancel, PortalChangePlan:
	default:
		return r, apperr.Errorf(apperr.CodeInvalid, "There is no such part of the billing portal.")
	}
	current, known, err := apperr.Found(p.store.Subscriptions().Current(ctx, organizationID, acct))
	if err != nil {
		return r, fmt.Errorf("look up subscription: %w", err)
	}
	_, ending := current.EndsAt()
	if !known || current.Status.Ended() || r.Flow == PortalCancel && ending {
		r.Flow = PortalHome
		return r, nil
	}
	r.SubscriptionID = current.ID
	return r, nil
}

// PortalFlow is a deep link into the portal
// (https://docs.stripe.com/customer-management/portal-deep-links). Empty means its home page.
type PortalFlow string

// The portal flows.
const (
	PortalHome          PortalFlow = ""
	PortalPaymentMethod PortalFlow = "payment_method_update"
	PortalCancel        PortalFlow = "subscription_cancel"
	PortalChangePlan    PortalFlow = "subscription_update"
)

// PortalRequest are the parameters of a portal session.
type PortalRequest struct {
	CustomerID     string
	ReturnURL      string
	Flow           PortalFlow
	SubscriptionID string          // for the flows about a subscription
	Catalog        catalog.Catalog // the plans that may be switched to
}
