package handlers

import (
	"net/http"

	"usher/billing"
	"usher/views"
)

// showDashboard shows what needs somebody, then plan and seats. One may come back to it from Checkout.
func (s *server) showDashboard(w http.ResponseWriter, r *http.Request) error {
	back, moved, err := s.comebackOf(w, r)
	if err != nil || moved {
		return err
	}
	overview, err := s.billing.Overview(r.Context(), accessOf(r))
	if err != nil {
		return err
	}
	props := views.DashboardPageProps{
		Layout: s.layout(r, views.SectionDashboard), Organization: overview.Organization.Name,
		Plan: planSummary(overview), Seats: seatRow(overview.Seats), CanManageBilling: accessOf(r).CanManageBilling(),
		Credits: creditsCard(overview),
		Needs:   append(returnNotices(back.settled(overview), back.credits, r), needs(overview, accessOf(r))...),
	}
	return render(w, r, http.StatusOK, views.DashboardPage(props))
}

func planSummary(o billing.Overview) *views.PlanSummary {
	if o.Subscription == nil || o.Subscription.Status.Ended() {
		return nil
	}
	name, price := planOf(o)
	summary := &views.PlanSummary{Name: name, Interval: price.Interval, Status: o.Subscription.Status}
	summary.RenewsAt, summary.EndsAt = periodEnd(*o.Subscription)
	return summary
}

func returnNotices(back views.CheckoutReturn, credits int, r *http.Request) []views.NoticeProps {
	switch back {
	case views.ReturnSettled:
		return []views.NoticeProps{{Tone: views.Good, Title: views.SettledTitle(credits)}}
	case views.ReturnSettling, views.ReturnWaiting:
		return []views.NoticeProps{{
			Tone: views.Wait, Title: "Thank you. Stripe is confirming the payment.", Body: "This usually takes a few seconds.",
			Link: &views.LinkButtonProps{Label: "Look again", Href: pollPath(r, 0), Kind: views.Secondary},
		}}
	}
	return nil
}

// needs lists what somebody has to see to.
func needs(o billing.Overview, a billing.Access) []views.NoticeProps {
	var found []views.NoticeProps
	toBilling := &views.LinkButtonProps{Label: "See billing", Href: billingPath, Kind: views.Secondary}
	if o.Subscription != nil {
		if words, ok := needsOfStatus[o.Subscription.Status]; ok {
			words.Link = toBilling
			found = append(found, words)
		}
	}
	if o.Seats.Status == billing.SyncError && a.CanManageBilling() {
		found = append(found, views.NoticeProps{
			Tone: views.Wait, Title: "Stripe has not taken the new number of seats yet.", Body: "Nobody lost access.", Link: toBilling,
		})
	}
	return found
}

var needsOfStatus = map[billing.SubscriptionStatus]views.NoticeProps{
	billing.StatusPastDue:    {Tone: views.Bad, Title: "The last payment failed.", Body: "A card that works settles it."},
	billing.StatusUnpaid:     {Tone: views.Bad, Title: "The plan has stopped, because an invoice is unpaid.", Body: "It runs again as soon as the invoice is paid."},
	billing.StatusPaused:     {Tone: views.Wait, Title: "The plan is paused, because the trial ended without a card.", Body: "Add a card to go on."},
	billing.StatusIncomplete: {Tone: views.Wait, Title: "The first payment is not finished.", Body: "The plan starts once it is."},
}
