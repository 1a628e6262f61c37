package handlers

import (
	"net/http"

	"usher/billing"
	"usher/billing/account"
	billingviews "usher/views/billing"
	"usher/views/layout"
	"usher/views/ui"
)

// showDashboard shows open tasks, the plan and the seats. Checkout may return here.
func (p *billingPages) showDashboard(w http.ResponseWriter, r *http.Request) error {
	ret, redirected, err := p.checkout.handleReturn(w, r)
	if err != nil || redirected {
		return err
	}
	overview, err := p.overviews.Get(r.Context(), accessOf(r))
	if err != nil {
		return err
	}
	plan, err := p.planSummary(r, overview)
	if err != nil {
		return err
	}
	props := billingviews.DashboardPageProps{
		Layout: p.layout(r, layout.SectionDashboard), Organization: overview.Organization.Name,
		Plan: plan, Seats: seatRowProps(overview.Seats), CanManageBilling: accessOf(r).CanManageBilling(),
		Credits: creditsCard(overview),
		Needs:   append(returnNotices(ret.state(overview), ret.credits, r), attentionNotices(overview, accessOf(r))...),
	}
	return render(w, r, http.StatusOK, billingviews.DashboardPage(props))
}

func (p *billingPages) planSummary(r *http.Request, o billing.Overview) (*billingviews.PlanSummary, error) {
	if o.Subscription == nil || o.Subscription.Status.Ended() {
		return nil, nil
	}
	name, price := planOf(o)
	summary := &billingviews.PlanSummary{
		Name: name, Interval: price.Interval, Status: o.Subscription.Status, AwaitsConfirmation: o.PaymentAwaitsConfirmation(),
	}
	summary.RenewsAt, summary.EndsAt = periodEnd(o)
	var err error
	summary.NextInvoice, err = p.lastNextInvoice(r, o, true)
	return summary, err
}

func returnNotices(ret billingviews.CheckoutReturn, credits int, r *http.Request) []ui.NoticeProps {
	switch ret {
	case billingviews.ReturnConfirmed:
		return []ui.NoticeProps{{Tone: ui.Good, Title: billingviews.ConfirmedTitle(credits)}}
	case billingviews.ReturnConfirming, billingviews.ReturnDelayed:
		return []ui.NoticeProps{{
			Tone: ui.Wait, Title: "Thank you. Stripe is confirming the payment.", Body: "This usually takes a few seconds.",
			Link: &ui.LinkButtonProps{Label: "Look again", Href: pollPath(r, 0), Kind: ui.Secondary},
		}}
	}
	return nil
}

// attentionNotices lists what a member has to act on.
func attentionNotices(o billing.Overview, a account.Access) []ui.NoticeProps {
	var found []ui.NoticeProps
	toBilling := &ui.LinkButtonProps{Label: "See billing", Href: billingPath, Kind: ui.Secondary}
	if o.Subscription != nil {
		if notice, ok := subscriptionNotice(o, a, toBilling); ok {
			found = append(found, notice)
		}
	}
	if o.Seats.Status == billing.SyncError && a.CanManageBilling() {
		found = append(found, ui.NoticeProps{
			Tone: ui.Wait, Title: "Stripe has not taken the new number of seats yet.", Body: "Nobody lost access.", Link: toBilling,
		})
	}
	return found
}

// subscriptionNotice says what the plan's status asks for; false if it asks for nothing.
func subscriptionNotice(o billing.Overview, a account.Access, toBilling *ui.LinkButtonProps) (ui.NoticeProps, bool) {
	notice, ok := statusNotices[o.Subscription.Status]
	notice.Link = toBilling
	if ok && o.PaymentAwaitsConfirmation() {
		notice.Tone, notice.Title, notice.Body = ui.Wait, "A payment has to be confirmed with the bank.", "The card is fine. Confirming takes a minute, on Stripe's page."
		if a.CanManageBilling() {
			notice.Link = &ui.LinkButtonProps{Label: "Confirm payment", Href: payInvoicePath(o.OpenInvoice.ID), Kind: ui.Secondary}
		}
	}
	return notice, ok
}

var statusNotices = map[billing.SubscriptionStatus]ui.NoticeProps{
	billing.StatusPastDue:    {Tone: ui.Bad, Title: "The last payment failed.", Body: "A card that works settles it."},
	billing.StatusUnpaid:     {Tone: ui.Bad, Title: "The plan has stopped, because an invoice is unpaid.", Body: "It runs again as soon as the invoice is paid."},
	billing.StatusPaused:     {Tone: ui.Wait, Title: "The plan is paused, because the trial ended without a card.", Body: "Add a card to go on."},
	billing.StatusIncomplete: {Tone: ui.Wait, Title: "The first payment is not finished.", Body: "The plan starts once it is."},
}
