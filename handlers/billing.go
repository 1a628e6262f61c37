package handlers

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"usher/billing"
	"usher/billing/account"
)

// billingPages are the pages about the plan, its invoices and its credits.
type billingPages struct {
	*site
	checkout        *checkoutPages
	overviews       *billing.Overviews
	subscriptions   *billing.Subscriptions
	upcoming        *billing.UpcomingInvoices
	histories       *billing.Histories
	invoices        *billing.Invoices
	payments        *billing.InvoicePayments
	duplicates      *billing.Duplicates
	trials          *billing.Trials
	credits         *billing.Credits
	prices          *billing.Prices
	portal          *billing.Portal
	reconciler      *billing.Reconciler
	planChanges     *billing.PlanChanges
	cancellations   *billing.Cancellations
	members         *account.Members
	people          *peoplePages
	portalReturnURL string
}

const billingPath = "/organization?tab=billing"

// openPortal redirects to the customer portal, or to the flow in it that the form names.
func (p *billingPages) openPortal(w http.ResponseWriter, r *http.Request) error {
	to, err := p.portal.Open(r.Context(), accessOf(r), billing.PortalFlow(r.PostFormValue("flow")), p.portalReturnURL)
	if err != nil {
		return err
	}
	return p.redirectToStripe(w, r, to)
}

// resyncTimeout bounds a reconciliation that a viewer started.
const resyncTimeout = 10 * time.Second

// resync reconciles the organization with Stripe.
func (p *billingPages) resync(w http.ResponseWriter, r *http.Request) error {
	access := accessOf(r)
	notice, err := resyncNotice(await(r.Context(), p.site, resyncTimeout, func(ctx context.Context) (billing.DriftReport, error) {
		return p.reconciler.Resync(ctx, access)
	}))
	if err != nil {
		return err
	}
	redirect(w, r, "/organization?tab=billing&notice="+notice)
	return nil
}

// resyncNotice is the notice after a reconciliation.
func resyncNotice(report billing.DriftReport, err error) (notice string, _ error) {
	switch {
	case errors.Is(err, errContinues):
		return noticeComparing, nil
	case err != nil:
		return "", err
	case len(report.Drifts) > 0:
		return noticeResynced, nil
	}
	return noticeInSync, nil
}

// portalReturnURL marks the configured return URL, so that the page refetches the subscription
// after the portal. A URL of another host stays as it is: that site does not know the mark.
func portalReturnURL(returnURL, host string) string {
	u, err := url.Parse(returnURL)
	if err != nil || u.Host != host {
		return returnURL
	}
	query := u.Query()
	query.Set("portal", "1")
	u.RawQuery = query.Encode()
	return u.String()
}
