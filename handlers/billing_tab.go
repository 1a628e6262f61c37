package handlers

import (
	"context"
	"net/http"
	"time"

	"usher/billing"
	"usher/billing/catalog"
	billingviews "usher/views/billing"
	"usher/views/layout"
	"usher/views/locale"
	organizationviews "usher/views/organization"
	"usher/views/ui"
)

// showTab shows the billing tab as a page, or as the fragment that replaces the polling element.
func (p *billingPages) showTab(w http.ResponseWriter, r *http.Request) error {
	ret, redirected, err := p.checkout.handleReturn(w, r)
	if err != nil || redirected {
		return err
	}
	overview, err := p.overviews.Get(r.Context(), accessOf(r))
	if err != nil {
		return err
	}
	panel, err := p.panel(r, overview, ret)
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

// renderBillingFragment responds to a poll. While the invoice is missing, only the polling element
// is replaced, so that the panel keeps its focus and unfolded details.
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

// panel returns the content of the billing tab.
func (p *billingPages) panel(r *http.Request, o billing.Overview, ret checkoutReturn) (billingviews.PanelProps, error) {
	access := accessOf(r)
	subscription, err := p.subscriptionProps(r, o)
	if err != nil {
		return billingviews.PanelProps{}, err
	}
	credits, err := p.creditsWithRate(r, o)
	if err != nil {
		return billingviews.PanelProps{}, err
	}
	panel := billingviews.PanelProps{
		OrganizationID: o.Organization.ID, OrganizationName: o.Organization.Name, People: o.Seats.Billable,
		CanManageBilling: access.CanManageBilling(), Return: ret.state(o), Bought: ret.credits, PollURL: pollPath(r, 0),
		Subscription: subscription, Options: planOptions(o, p.prices.Catalog()), Seats: seatPanel(r.Context(), o, access, p.now()), Credits: credits,
	}
	panel.Trouble, panel.CanBuyCredits = p.trouble(r.Context(), o, access), len(p.packOffers(r)) > 0
	panel.Ticket = returnTicket(r.Context(), o, ret)
	if err := p.addInvite(r, o, &panel); err != nil {
		return panel, err
	}
	panel.Notices = append(unconfirmedNotices(r, o), p.openCheckoutNotices(r, o, panel.Return)...)
	if ret.shouldPoll(o) || o.Trouble != nil && o.Trouble.Kind == billing.TroublePaying && !o.MissesInvoice() && ret.polls < returnPolls {
		panel.PollURL, panel.PollEvery = pollPath(r, ret.polls+1), returnInterval
	} else if panel.AwaitsInvoice = o.MissesInvoice(); panel.AwaitsInvoice && ret.polls < returnPolls {
		panel.PollURL, panel.PollEvery = pollPath(r, ret.polls+1), returnInterval
	}
	if panel.CanManageBilling {
		if err := p.addRunning(r, panel.Subscription); err != nil {
			return panel, err
		}
		if err := p.followPlanChange(r, &panel); err != nil {
			return panel, err
		}
		return p.addInvoices(r, o, panel)
	}
	managers, err := p.members.BillingManagers(r.Context(), access)
	panel.BillingNames = memberNames(managers)
	return panel, err
}

// unconfirmedNotices ask the owner of an imported organization to confirm the number of people.
func unconfirmedNotices(r *http.Request, o billing.Overview) []ui.NoticeProps {
	if !o.Seats.Unconfirmed || !accessOf(r).CanManageBilling() {
		return nil
	}
	ctx := r.Context()
	action := billingviews.ConfirmPeople(ctx, o.Organization.ID, o.Seats.Billable, ui.Primary)
	return []ui.NoticeProps{{
		Tone: ui.Wait, Title: locale.T(ctx, "Stripe bills %s, and you have %s here.", ui.Seats(ctx, o.Seats.Desired), ui.People(ctx, o.Seats.Billable)),
		Body:   locale.T(ctx, "Please invite everyone who works with you, and then confirm the number. You see the amount before anything changes."),
		Action: &action,
	}}
}

// openCheckoutNotices offer to continue a Checkout that was left before it was paid.
func (p *billingPages) openCheckoutNotices(r *http.Request, o billing.Overview, ret billingviews.CheckoutReturn) []ui.NoticeProps {
	if o.OpenCheckout == nil || o.Subscription != nil && !o.Subscription.Status.Ended() || ret != billingviews.ReturnNone || !accessOf(r).CanManageBilling() {
		return nil
	}
	plan, price, known := p.prices.Catalog().ByPrice(o.OpenCheckout.PriceID)
	if !known {
		return nil
	}
	ctx := r.Context()
	return []ui.NoticeProps{{
		Tone: ui.Note, Title: locale.T(ctx, "You chose %s. We have not received the payment yet.", ui.PlanName(ctx, plan.Name, price.Interval)),
		Body: locale.T(ctx, "If you have paid, it shows here in a moment. Otherwise the payment page stays open until %s.", locale.DateTime(ctx, *o.OpenCheckout.ExpiresAt)),
		Link: &ui.LinkButtonProps{Label: locale.T(ctx, "Continue to payment"), Href: o.OpenCheckout.URL, Kind: ui.Secondary},
	}}
}

// addRunning shows the change of plan and the cancellation that Stripe has not acknowledged, what
// is known of a change whose payment is not complete, and whether a scheduled one can be withdrawn.
func (p *billingPages) addRunning(r *http.Request, s *billingviews.SubscriptionProps) error {
	if s == nil || s.Status.Ended() {
		return nil
	}
	change, running, err := p.planChanges.Running(r.Context(), accessOf(r))
	if err != nil {
		return err
	}
	if s.Scheduled != nil {
		s.Scheduled.Arranged = !running || change.Status != billing.PlanChangeScheduled && change.Status != billing.PlanChangeOpen
	}
	if running && change.Status == billing.PlanChangeOpen && s.Pending == nil && s.Scheduled == nil {
		s.Pending = &billingviews.PendingChange{Plan: change.To.Plan.Name, Interval: change.To.Price.Interval, Sending: true}
	}
	if running && change.Status == billing.PlanChangePending && s.Pending != nil {
		s.Pending.Amount, s.Pending.AwaitsConfirmation = change.Due(), change.AwaitsConfirmation
		if change.InvoiceID != "" {
			s.Pending.PayHref = payInvoicePath(change.InvoiceID)
		}
	}
	_, s.Canceling, err = p.cancellations.Open(r.Context(), accessOf(r))
	s.Canceling = s.Canceling && s.EndsAt.IsZero()
	return err
}

// followPlanChange reloads the panel while a change of plan is being made, and says how the one
// that the page waits for has ended.
func (p *billingPages) followPlanChange(r *http.Request, panel *billingviews.PanelProps) error {
	var status billing.PlanChangeStatus
	if id := r.URL.Query().Get(awaitedChange); id != "" {
		change, _, err := p.planChanges.Get(r.Context(), accessOf(r), id)
		if err != nil {
			return err
		}
		status = change.Status
	}
	sending := panel.Subscription != nil && panel.Subscription.Pending != nil && panel.Subscription.Pending.Sending
	polls := pollCount(r) < returnPolls
	if (sending || status == billing.PlanChangePreviewed) && polls {
		panel.PollURL, panel.PollEvery, panel.AwaitsInvoice = pollPath(r, pollCount(r)+1), returnInterval, false
	}
	if status == billing.PlanChangePreviewed && !polls {
		status = billing.PlanChangeFailed // the change ended before it was confirmed
	}
	if notice := planNotices[status]; notice != "" {
		panel.Notices = append(panel.Notices, *translated(r.Context(), notices[notice]))
	}
	return nil
}

func (p *billingPages) subscriptionProps(r *http.Request, o billing.Overview) (*billingviews.SubscriptionProps, error) {
	if o.Subscription == nil {
		return nil, nil
	}
	props := p.subscriptionState(r.Context(), o)
	var err error
	props.NextInvoice, err = p.lastNextInvoice(r, o, false)
	return props, err
}

// subscriptionState describes the subscription without its next invoice.
func (p *billingPages) subscriptionState(ctx context.Context, o billing.Overview) *billingviews.SubscriptionProps {
	current := *o.Subscription
	props := priceProps(ctx, o)
	props.Others, props.EndedAt, props.Card = o.OtherItems, timeOrZero(current.EndedAt), card(current)
	props.RenewsAt, props.EndsAt = periodEnd(o)
	props.Deleting = o.Organization.DeletesAt != nil
	props.Scheduled, props.Pending = scheduledChange(current, p.prices.Catalog()), pendingChange(current, p.prices.Catalog())
	props.GraceEndsAt = timeOrZero(o.GraceEndsAt)
	if open := o.OpenInvoice; open != nil && current.Status != billing.StatusIncomplete {
		props.AwaitsConfirmation = o.PaymentAwaitsConfirmation()
		props.Failure = &billingviews.PaymentFailure{Amount: open.DueMoney(), At: open.CreatedAt}
		if open.FinalizedAt != nil {
			props.Failure.At = *open.FinalizedAt
		}
	}
	if current.Status == billing.StatusTrialing {
		props.TrialEndsAt = timeOrZero(current.TrialEnd)
	}
	return props
}

// priceProps returns plan, price and quantity of the subscription.
func priceProps(ctx context.Context, o billing.Overview) *billingviews.SubscriptionProps {
	name, price := planOf(ctx, o)
	return &billingviews.SubscriptionProps{
		Status: o.Subscription.Status, Plan: name, Interval: price.Interval, Price: price.Amount, Quantity: o.Subscription.Quantity,
		PerSeat: o.Plan != nil && o.Plan.PerSeat,
	}
}

// planOf returns the name and price of the subscription's plan. The catalog may no longer contain
// it.
func planOf(ctx context.Context, o billing.Overview) (string, catalog.Price) {
	if o.Plan == nil {
		return locale.T(ctx, "A plan that is no longer offered"), catalog.Price{}
	}
	return o.Plan.Name, o.Price
}

// periodEnd returns when the subscription renews or when it ends; the other one is zero.
func periodEnd(o billing.Overview) (renews, ends time.Time) {
	if end, ending := o.PlanEndsAt(); ending {
		return time.Time{}, end
	}
	return o.Subscription.CurrentPeriodEnd, time.Time{}
}

func card(s billing.Subscription) *billingviews.CardProps {
	if s.CardLast4 == "" {
		return nil
	}
	shown := &billingviews.CardProps{Brand: s.CardBrand, Last4: s.CardLast4}
	if s.CardExpiresAt != nil {
		shown.Expires = s.CardExpiresAt.AddDate(0, 0, -1).Format("01/06")
	}
	return shown
}

// returnTicket says what Checkout has sold; nil unless the viewer returns from it.
func returnTicket(ctx context.Context, o billing.Overview, ret checkoutReturn) *billingviews.TicketProps {
	state := ret.state(o)
	if !ret.checked || state != billingviews.ReturnConfirmed && state != billingviews.ReturnProcessing {
		return nil
	}
	ticket := &billingviews.TicketProps{
		Credits: ret.credits, Processing: ret.completed.Processing, Paid: ret.completed.Paid, Total: ret.completed.Total, Promoted: ret.completed.Promoted,
	}
	if ret.credits > 0 || o.Subscription == nil {
		return ticket
	}
	name, price := planOf(ctx, o)
	ticket.Plan, ticket.Interval, ticket.People = name, price.Interval, o.Seats.Billable
	ticket.NextAt, _ = periodEnd(o)
	if o.Subscription.Status == billing.StatusTrialing {
		ticket.TrialEndsAt = timeOrZero(o.Subscription.TrialEnd)
	}
	if ret.completed.InvoiceID != "" && !ticket.Paid.IsZero() {
		ticket.InvoiceHref = "/billing/invoices/" + ret.completed.InvoiceID
	}
	return ticket
}

// addInvite offers to invite the people that were planned when the plan was bought.
func (p *billingPages) addInvite(r *http.Request, o billing.Overview, panel *billingviews.PanelProps) error {
	if panel.Ticket == nil || panel.Ticket.Credits > 0 || !accessOf(r).CanManageMembers() {
		return nil
	}
	form, err := p.people.formProps(r, o)
	if err != nil {
		return err
	}
	if form.Missing == 0 {
		panel.Ticket.InviteHref = "/organization/people"
		return nil
	}
	panel.Invite = organizationviews.InvitePeople(form)
	return nil
}
