package handlers

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"usher/billing"
	"usher/billing/apperr"
	"usher/billing/catalog"
	billingviews "usher/views/billing"
	"usher/views/layout"
)

// cancellationPages end a plan at the end of its period, and keep it again.
type cancellationPages struct {
	*site
	cancellations *billing.Cancellations
	planChanges   *billing.PlanChanges
	overviews     *billing.Overviews
	prices        *billing.Prices
}

// showCancel shows what the cancellation changes. Without a plan that can be canceled, the billing
// tab says why.
func (p *cancellationPages) showCancel(w http.ResponseWriter, r *http.Request) error {
	preview, err := p.cancellations.Preview(r.Context(), accessOf(r))
	_, ending := preview.Subscription.EndsAt()
	if ending || apperr.CodeOf(err) == apperr.CodeConflict {
		redirect(w, r, billingPath)
		return nil
	}
	if err != nil {
		return err
	}
	return p.renderCancel(w, r, http.StatusOK, preview, false)
}

// cancel ends the plan at the end of the period. If it was renewed since the page was shown, the
// response is the page with the new date, and nothing is changed.
func (p *cancellationPages) cancel(w http.ResponseWriter, r *http.Request) error {
	request := billing.CancelRequest{Reason: billing.CancelReason(r.PostFormValue("reason")), Comment: r.PostFormValue("comment")}
	if shown := r.PostFormValue("endsAt"); shown != "" {
		seconds, err := strconv.ParseInt(shown, 10, 64)
		if err != nil {
			return errBody
		}
		request.EndsAt = time.Unix(seconds, 0)
	}
	err := p.cancellations.Cancel(r.Context(), accessOf(r), request)
	var moved *billing.CancelMovedError
	if errors.As(err, &moved) {
		return p.renderCancel(w, r, refusalStatus(err), moved.Preview, true)
	}
	if errors.Is(err, billing.ErrCancellationContinues) {
		stateOf(r).err = err
		redirect(w, r, billingPath) // which says that Stripe has not confirmed it yet
		return nil
	}
	if err != nil {
		return err
	}
	redirect(w, r, billingPath+"&notice="+noticeCanceled)
	return nil
}

func (p *cancellationPages) renderCancel(w http.ResponseWriter, r *http.Request, status int, preview billing.CancelPreview, moved bool) error {
	o, err := p.overviews.Get(r.Context(), accessOf(r))
	if err != nil {
		return err
	}
	name, price := planOf(r.Context(), o)
	props := billingviews.CancelPageProps{
		Layout: p.layout(r, layout.SectionOrganization), Organization: organizationHeader(r, layout.TabBilling),
		OrganizationID: o.Organization.ID, Moved: moved, Plan: name, Interval: price.Interval, PerSeat: o.Plan != nil && o.Plan.PerSeat,
		Trial: preview.Subscription.Status == billing.StatusTrialing, People: o.Seats.Billable, EndsAt: preview.EndsAt, Unknown: preview.Unknown,
		PlanCredits: int64(o.Credits.PlanLeft), OtherCredits: int64(max(0, o.Credits.Balance-o.Credits.PlanLeft)),
		Scheduled: scheduledChange(preview.Subscription, p.prices.Catalog()), Cheaper: p.cheaper(o),
	}
	if invoice := preview.StillInvoiced; invoice != nil {
		props.StillInvoiced = &billingviews.StillInvoiced{Amount: invoice.AmountDue, Lines: changeLines(invoice.Lines)}
	}
	if last := preview.Last; last != nil {
		props.LastPending, props.LastPendingAt = changeLines(last.Lines), last.At
	}
	if open := o.OpenInvoice; open != nil {
		props.OpenInvoice = catalog.Money{Minor: open.AmountDue, Currency: open.Currency}
	}
	return render(w, r, status, billingviews.CancelPage(props))
}

// cheaper lists the plans that are offered instead of a cancellation.
func (p *cancellationPages) cheaper(o billing.Overview) []billingviews.CheaperPlan {
	var plans []billingviews.CheaperPlan
	for _, offer := range p.planChanges.Cheaper(o) {
		plans = append(plans, billingviews.CheaperPlan{
			PlanOption: billingviews.PlanOption{
				PlanID: offer.Plan.ID, Name: offer.Plan.Name, Interval: offer.Price.Interval, Price: offer.Price.Amount, PerSeat: offer.Plan.PerSeat,
			},
			Total: offer.Total(o.Seats.Billable),
		})
	}
	return plans
}

// showResume shows the first invoice of a plan that is kept. Without a plan that can be kept, the
// billing tab says what there is: a plan that renews, or one that has ended, with a link to the
// plans.
func (p *cancellationPages) showResume(w http.ResponseWriter, r *http.Request) error {
	preview, err := p.cancellations.PreviewResume(r.Context(), accessOf(r))
	if err == nil && preview.EndsAt.IsZero() || apperr.CodeOf(err) == apperr.CodeConflict {
		redirect(w, r, billingPath)
		return nil
	}
	if err != nil {
		return err
	}
	plan, price, known := p.prices.Catalog().ByPrice(preview.Subscription.PriceID)
	if !known {
		plan.Name = "your plan"
	}
	props := billingviews.ResumePageProps{
		Layout: p.layout(r, layout.SectionOrganization), Organization: organizationHeader(r, layout.TabBilling),
		OrganizationID: accessOf(r).Organization.ID, Plan: plan.Name, Interval: price.Interval, EndsAt: preview.EndsAt,
	}
	if next := preview.Next; next != nil {
		props.NextAt, props.NextAmount, props.Lines = next.At, next.AmountDue, changeLines(next.Lines)
	}
	return render(w, r, http.StatusOK, billingviews.ResumePage(props))
}

// resume keeps the plan.
func (p *cancellationPages) resume(w http.ResponseWriter, r *http.Request) error {
	if err := p.cancellations.Resume(r.Context(), accessOf(r)); err != nil {
		return err
	}
	redirect(w, r, billingPath+"&notice="+noticeResumed)
	return nil
}
