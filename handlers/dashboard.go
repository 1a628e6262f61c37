package handlers

import (
	"context"
	"net/http"
	"slices"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/catalog"
	billingviews "usher/views/billing"
	"usher/views/layout"
	"usher/views/locale"
	"usher/views/ui"
)

// showDashboard shows what is paid next and why, what needs the viewer, and the last twelve months.
// Checkout may return here.
func (p *billingPages) showDashboard(w http.ResponseWriter, r *http.Request) error {
	ret, redirected, err := p.checkout.handleReturn(w, r)
	if err != nil || redirected {
		return err
	}
	overview, err := p.overviews.Get(r.Context(), accessOf(r))
	if err != nil {
		return err
	}
	props := billingviews.DashboardPageProps{
		Layout: p.layout(r, layout.SectionDashboard), Organization: overview.Organization.Name,
		Seats: seatRowProps(r.Context(), overview.Seats, p.now()), CanManageBilling: accessOf(r).CanManageBilling(), Trouble: p.trouble(r.Context(), overview, accessOf(r)),
	}
	props.Deleting = overview.Organization.DeletesAt != nil
	if props.Plan, err = p.planSummary(r, overview); err != nil {
		return err
	}
	if props.Credits, err = p.creditsWithRate(r, overview); err != nil {
		return err
	}
	months, err := p.histories.Months(r.Context(), accessOf(r))
	if err != nil {
		return err
	}
	props.History = chartOf(r, months, true)
	if props.Plan == nil {
		if props.Start, err = p.start(r, overview); err != nil {
			return err
		}
	}
	props.Needs = slices.Concat(returnNotices(ret.state(overview), ret.credits, r), p.openCheckoutNotices(r, overview, ret.state(overview)), disputeNotices(r.Context(), billing.SumOf(months).Disputed),
		p.attentionNotices(r, overview, props.Start != nil))
	return render(w, r, http.StatusOK, billingviews.DashboardPage(props))
}

func (p *billingPages) planSummary(r *http.Request, o billing.Overview) (*billingviews.PlanSummary, error) {
	if o.Subscription == nil || o.Subscription.Status.Ended() {
		return nil, nil
	}
	full := p.subscriptionState(r.Context(), o)
	summary := &billingviews.PlanSummary{
		Name: full.Plan, Interval: full.Interval, Status: full.Status, AwaitsConfirmation: full.AwaitsConfirmation,
		RenewsAt: full.RenewsAt, EndsAt: full.EndsAt, Failure: full.Failure, Card: full.Card,
	}
	if o.Plan != nil {
		summary.Price = billingviews.PriceLine(r.Context(), full)
	}
	var err error
	summary.NextInvoice, err = p.lastNextInvoice(r, o, true)
	return summary, err
}

// start returns the first steps of an organization without a plan.
func (p *billingPages) start(r *http.Request, o billing.Overview) (*billingviews.StartProps, error) {
	access := accessOf(r)
	people, err := p.members.Count(r.Context(), access, account.MemberSearch{})
	if err != nil {
		return nil, err
	}
	managers, err := p.members.BillingManagers(r.Context(), access)
	if err != nil {
		return nil, err
	}
	start := &billingviews.StartProps{
		Email: access.User.Email, Verified: access.User.EmailVerifiedAt != nil, People: people, Planned: o.Organization.PlannedPeople,
		Invited: people > 1, CanInvite: access.CanManageMembers(), BillingNames: memberNames(managers),
	}
	if o.Subscription != nil && o.Subscription.Status == billing.StatusCanceled {
		start.Ended, _ = planOf(r.Context(), o)
		start.EndedAt = timeOrZero(o.Subscription.EndedAt)
	}
	if !start.Invited && start.CanInvite {
		pending, err := p.people.invitations.Pending(r.Context(), access)
		if err != nil {
			return nil, err
		}
		start.Invited = len(pending) > 0
	}
	return start, nil
}

func returnNotices(ret billingviews.CheckoutReturn, credits int, r *http.Request) []ui.NoticeProps {
	switch ret {
	case billingviews.ReturnProcessing:
		return []ui.NoticeProps{{Tone: ui.Wait, Title: billingviews.ProcessingTitle}}
	case billingviews.ReturnConfirmed:
		return []ui.NoticeProps{{Tone: ui.Good, Title: billingviews.ConfirmedTitle(r.Context(), credits)}}
	case billingviews.ReturnConfirming, billingviews.ReturnDelayed:
		return []ui.NoticeProps{{
			Tone: ui.Wait, Title: locale.T(r.Context(), "Thank you. Stripe is confirming the payment."), Body: locale.T(r.Context(), "This usually takes a few seconds."),
			Link: &ui.LinkButtonProps{Label: locale.T(r.Context(), "Check again"), Href: pollPath(r, 0), Kind: ui.Secondary},
		}}
	}
	return nil
}

// disputeNotices names an amount that cardholders have disputed, to those who see invoices.
func disputeNotices(ctx context.Context, disputed catalog.Money) []ui.NoticeProps {
	if disputed.Minor == 0 {
		return nil
	}
	return []ui.NoticeProps{{
		Tone: ui.Wait, Title: locale.T(ctx, "A payment of %s is disputed.", locale.Money(ctx, disputed)),
		Body: locale.T(ctx, "The card's bank is checking it. If the dispute is a mistake, ask the bank to withdraw it."),
		Link: &ui.LinkButtonProps{Label: locale.T(ctx, "See invoices"), Href: "/billing/invoices", Kind: ui.Secondary},
	}}
}

// attentionNotices lists what a member has to act on. The steps of a new organization say
// themselves that an address is to be confirmed.
func (p *billingPages) attentionNotices(r *http.Request, o billing.Overview, starting bool) []ui.NoticeProps {
	var found []ui.NoticeProps
	access := accessOf(r)
	if o.Seats.Status == billing.SyncError && access.CanManageBilling() {
		found = append(found, ui.NoticeProps{
			Tone: ui.Wait, Title: locale.T(r.Context(), "Your seats could not be updated at Stripe yet."), Body: locale.T(r.Context(), "Everyone keeps their access. Billing shows the reason and the next try."),
			Link: &ui.LinkButtonProps{Label: locale.T(r.Context(), "See billing"), Href: billingPath, Kind: ui.Secondary},
		})
	}
	if !starting && access.CanManageMembers() && p.people.invitations.MustVerify(access.User) {
		found = append(found, ui.NoticeProps{
			Tone: ui.Note, Title: locale.T(r.Context(), "Confirm your e-mail address."), Body: locale.T(r.Context(), "You can invite people once %s is confirmed.", access.User.Email),
			Link: &ui.LinkButtonProps{Label: locale.T(r.Context(), "Open settings"), Href: "/settings", Kind: ui.Secondary},
		})
	}
	return found
}
