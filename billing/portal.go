package billing

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

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
	problem   atomic.Pointer[string] // as last stored; nil: not known
}

// Open returns the URL of a customer portal session. An empty returnURL means the configured one.
// Errors: CodeForbidden; CodeInvalid for a return URL of another origin; CodeNotFound "No Stripe
// customer found" before the first checkout; CodeStripe.
func (p *Portal) Open(ctx context.Context, a account.Access, flow PortalFlow, returnURL string) (string, error) {
	if err := a.RequireBilling(); err != nil {
		return "", err
	}
	return withinLimit(ctx, p.core, func(ctx context.Context) (string, error) { return p.open(ctx, a, flow, returnURL) })
}

func (p *Portal) open(ctx context.Context, a account.Access, flow PortalFlow, returnURL string) (string, error) {
	request, err := p.request(ctx, a, flow, returnURL)
	if err != nil {
		return "", err
	}
	session, err := p.gateway.CreatePortalSession(ctx, request)
	var refused *apperr.StripeError
	if errors.As(err, &refused) && refused.Code == "resource_missing" && refused.Param == "customer" {
		return "", errors.Join(apperr.Errorf(apperr.CodeNotFound, apperr.MessageNoCustomer), p.customers.delete(ctx, request.CustomerID))
	}
	if err != nil {
		return "", apperr.StripeFailed("open portal", err)
	}
	opened := a.Did(account.ActPortalOpened).Changed(nil, account.AuditValues{"page": string(request.Flow)})
	if err := p.store.InTx(ctx, func(tx Tx) error { return p.audit(ctx, tx, opened) }); err != nil {
		return "", err
	}
	if request.Switch != nil {
		p.recordSwitchProblem(ctx, session.SwitchProblem)
	}
	return session.URL, nil
}

// recordSwitchProblem stores why the portal offers no plan switch, for `usher doctor`; an empty
// problem removes it. A failure is only logged: the portal is open.
func (p *Portal) recordSwitchProblem(ctx context.Context, problem string) {
	if known := p.problem.Load(); known != nil && *known == problem {
		return
	}
	if problem != "" {
		p.Log.WarnContext(ctx, "customer portal opened with fewer plan switches", "reason", problem)
	}
	err := p.store.Stripe().PutPortalProblem(context.WithoutCancel(ctx), p.knownAccount(), problem)
	if err != nil {
		p.Log.WarnContext(ctx, "portal problem not stored", "err", err)
		return
	}
	p.problem.Store(&problem)
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

// withFlow sets the plan switches and the subscription of a deep link; without a live one, the flow
// is PortalHome.
func (p *Portal) withFlow(ctx context.Context, r PortalRequest, organizationID string, acct StripeAccount) (PortalRequest, error) {
	switch r.Flow {
	case PortalHome, PortalPaymentMethod, PortalCancel, PortalChangePlan:
	default:
		return r, apperr.Errorf(apperr.CodeInvalid, "There is no such part of the billing portal.")
	}
	current, known, err := apperr.Found(p.store.Subscriptions().Current(ctx, organizationID, acct))
	if err != nil {
		return r, fmt.Errorf("look up subscription: %w", err)
	}
	plan, price, recognized := p.Catalog().ByPrice(current.PriceID)
	if known && recognized && current.PlanChangeable() && len(current.OtherItems()) == 0 {
		r.Switch = &PortalSwitch{PriceID: current.PriceID, PerSeat: plan.PerSeat, Currency: price.Amount.Currency}
	}
	_, ending := current.EndsAt()
	switch {
	case r.Flow == PortalHome || r.Flow == PortalPaymentMethod:
		return r, nil
	case !known, current.Status.Ended(), r.Flow == PortalCancel && (ending || current.ScheduleID != ""), r.Flow == PortalChangePlan && r.Switch == nil:
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
	Switch         *PortalSwitch   // nil: the portal offers no plan switch
}

// PortalSwitch is the plan that the portal may switch from. The portal keeps the quantity, so it
// offers plans per seat only beside such a plan, and flat ones only beside a flat one.
type PortalSwitch struct {
	PriceID  string
	PerSeat  bool
	Currency string
}

// PortalSession is an open customer portal session.
type PortalSession struct {
	URL string
	// SwitchProblem is why plans of the catalog are not offered there; empty: there is no reason to
	// name.
	SwitchProblem string
}
