package handlers

import (
	"net/http"
	"time"

	"usher/billing"
	"usher/billing/catalog"
	billingviews "usher/views/billing"
	"usher/views/layout"
)

// showBilling shows the billing tab: the page, or for htmx the replacement of the polling element.
func (p *billingPages) showTab(w http.ResponseWriter, r *http.Request) error {
	back, moved, err := p.checkout.handleReturn(w, r)
	if err != nil || moved {
		return err
	}
	overview, err := p.overviews.Get(r.Context(), accessOf(r))
	if err != nil {
		return err
	}
	panel, err := p.panel(r, overview, back)
	if err != nil {
		return err
	}
	if isFragment(r) {
		return renderBillingFragment(w, r, panel)
	}
	return render(w, r, http.StatusOK, billingviews.Page(billingviews.PageProps{
		Layout: p.layout(r, layout.SectionOrganization), Organization: organizationHeader(r, layout.TabBilling), Panel: panel,
	}))
}

// renderBillingFragment answers a poll. While the invoice is missing, only the polling element is
// replaced, so that the panel keeps the focus and its unfolded details.
func renderBillingFragment(w http.ResponseWriter, r *http.Request, panel billingviews.PanelProps) error {
	if r.Header.Get("HX-Target") != billingviews.InvoicePollID {
		return render(w, r, http.StatusOK, billingviews.Panel(panel))
	}
	if panel.AwaitsInvoice {
		return render(w, r, http.StatusOK, billingviews.InvoicePoll(panel))
	}
	w.Header().Set("HX-Retarget", "#"+billingviews.PanelID)
	return render(w, r, http.StatusOK, billingviews.Panel(panel))
}

// billingPanel is the billing tab's content.
func (p *billingPages) panel(r *http.Request, o billing.Overview, back checkoutReturn) (billingviews.PanelProps, error) {
	access := accessOf(r)
	panel := billingviews.PanelProps{
		OrganizationID: o.Organization.ID, OrganizationName: o.Organization.Name, People: o.Seats.Billable,
		CanManageBilling: access.CanManageBilling(), Return: back.state(o), Bought: back.credits, PollURL: pollPath(r, 0),
		Subscription: subscriptionProps(o), Seats: seatPanel(o, access, p.now()), Credits: creditsCard(o),
	}
	if back.shouldPoll(o) {
		panel.PollURL, panel.PollEvery = pollPath(r, back.polls+1), returnInterval
	} else if panel.AwaitsInvoice = o.MissesInvoice(); panel.AwaitsInvoice && back.polls < returnPolls {
		panel.PollURL, panel.PollEvery = pollPath(r, back.polls+1), returnInterval
	}
	if panel.CanManageBilling {
		return p.addInvoices(r, panel)
	}
	members, err := p.members.List(r.Context(), access)
	panel.BillingNames = billingNames(members)
	return panel, err
}

func subscriptionProps(o billing.Overview) *billingviews.SubscriptionProps {
	if o.Subscription == nil {
		return nil
	}
	current := *o.Subscription
	name, price := planOf(o)
	props := &billingviews.SubscriptionProps{
		Status: current.Status, Plan: name, Interval: price.Interval, Price: price.Amount, Quantity: current.Quantity,
		PerSeat: o.Plan != nil && o.Plan.PerSeat, EndedAt: timeOrZero(current.EndedAt), NextInvoice: nextInvoice(o), Card: card(current),
	}
	props.RenewsAt, props.EndsAt = periodEnd(current)
	props.GraceEndsAt = timeOrZero(o.GraceEndsAt)
	if open := o.OpenInvoice; open != nil && current.Status != billing.StatusIncomplete {
		props.OpenInvoiceURL = "/billing/invoices/" + open.ID
		props.Failure = &billingviews.PaymentFailure{Amount: catalog.Money{Minor: open.AmountDue, Currency: open.Currency}, At: open.CreatedAt}
		if open.FinalizedAt != nil {
			props.Failure.At = *open.FinalizedAt
		}
	}
	if current.Status == billing.StatusTrialing {
		props.TrialEndsAt = timeOrZero(current.TrialEnd)
	}
	if current.Status == billing.StatusIncomplete && o.OpenCheckout != nil {
		props.FinishURL = o.OpenCheckout.URL // while the first payment is unfinished, the session's page is where it is finished
	}
	return props
}

// planOf names the plan of the subscription; one that the catalogue does not know (any more) still has a bill.
func planOf(o billing.Overview) (string, catalog.Price) {
	if o.Plan == nil {
		return "A plan that is no longer offered", catalog.Price{}
	}
	return o.Plan.Name, o.Price
}

// periodEnd returns when a subscription renews, or when it ends by itself; one of the two is zero.
func periodEnd(s billing.Subscription) (renews, ends time.Time) {
	if end, ending := s.EndsAt(); ending {
		return time.Time{}, end
	}
	return s.CurrentPeriodEnd, time.Time{}
}

// nextInvoice says what the plan costs at its next renewal. Stripe adds what changed on the way, and tax: the page says so.
func nextInvoice(o billing.Overview) *billingviews.NextInvoice {
	renews, _ := periodEnd(*o.Subscription)
	running := o.Subscription.Status == billing.StatusActive || o.Subscription.Status == billing.StatusTrialing
	if o.Plan == nil || renews.IsZero() || !running {
		return nil
	}
	return &billingviews.NextInvoice{
		At: renews, Amount: o.Price.Amount.Times(o.Subscription.Quantity), Basis: "The plan alone, without tax and changes on the way.",
	}
}

func card(s billing.Subscription) *billingviews.CardProps {
	if s.CardLast4 == "" {
		return nil
	}
	return &billingviews.CardProps{Brand: s.CardBrand, Last4: s.CardLast4}
}
