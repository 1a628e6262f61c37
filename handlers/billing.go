package handlers

import (
	"context"
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
	redirect(w, r, to)
	return nil
}

// resyncTimeout bounds a reconciliation that a viewer started.
const resyncTimeout = 10 * time.Second

// resync reconciles the organization with Stripe.
func (p *billingPages) resync(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), resyncTimeout)
	defer cancel()
	report, err := p.reconciler.Resync(ctx, accessOf(r))
	if err != nil {
		return err
	}
	notice := noticeInSync
	if len(report.Drifts) > 0 {
		notice = noticeResynced
	}
	redirect(w, r, "/organization?tab=billing&notice="+notice)
	return nil
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
