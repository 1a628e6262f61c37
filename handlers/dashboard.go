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
		Plan: plan, Seats: seatRowProps(overview.Seats, p.now()), CanManageBilling: accessOf(r).CanManageBilling(),
		Credits: creditsCard(overview), Trouble: p.trouble(overview, accessOf(r)),
		Needs: append(returnNotices(ret.state(overview), ret.credits, r), attentionNotices(overview, accessOf(r))...),
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
	case billingviews.ReturnProcessing:
		return []ui.NoticeProps{{Tone: ui.Wait, Title: billingviews.ProcessingTitle}}
	case billingviews.ReturnConfirmed:
		return []ui.NoticeProps{{Tone: ui.Good, Title: billingviews.ConfirmedTitle(credits)}}
	case billingviews.ReturnConfirming, billingviews.ReturnDelayed:
		return []ui.NoticeProps{{
			Tone: ui.Wait, Title: "Thank you. Stripe is confirming the payment.", Body: "This usually takes a few seconds.",
			Link: &ui.LinkButtonProps{Label: "Check again", Href: pollPath(r, 0), Kind: ui.Secondary},
		}}
	}
	return nil
}

// attentionNotices lists what a member has to act on.
func attentionNotices(o billing.Overview, a account.Access) []ui.NoticeProps {
	var found []ui.NoticeProps
	toBilling := &ui.LinkButtonProps{Label: "See billing", Href: billingPath, Kind: ui.Secondary}
	if o.Seats.Status == billing.SyncError && a.CanManageBilling() {
		found = append(found, ui.NoticeProps{
			Tone: ui.Wait, Title: "Stripe has not taken the new number of seats yet.", Body: "Nobody lost access.", Link: toBilling,
		})
	}
	return found
}
