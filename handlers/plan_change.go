package handlers

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"usher/billing"
	"usher/billing/catalog"
	billingviews "usher/views/billing"
	"usher/views/layout"
)

// planPages preview and make changes of the plan.
type planPages struct {
	*site
	planChanges *billing.PlanChanges
	seatChanges *seatChanges
}

// preview shows what a change of the plan costs, or what a number of seats would cost.
func (p *planPages) preview(w http.ResponseWriter, r *http.Request) error {
	if r.PostForm.Has("seats") {
		return p.seatChanges.count(w, r)
	}
	preview, err := p.planChanges.Preview(r.Context(), accessOf(r), r.PostFormValue("plan"), catalog.Interval(r.PostFormValue("interval")))
	if err != nil {
		return err
	}
	return p.render(w, r, http.StatusOK, preview, false)
}

// change makes a previewed change. If the amount moved, the response is the new preview. A payment
// may take longer than the response: then the billing page says that the change is being made, and
// how it ends.
func (p *planPages) change(w http.ResponseWriter, r *http.Request) error {
	plan, interval := r.PostFormValue("plan"), catalog.Interval(r.PostFormValue("interval"))
	access, confirm := accessOf(r), r.PostFormValue("confirm")
	change, err := await(r.Context(), p.site, requestTimeout, func(ctx context.Context) (billing.PlanChange, error) {
		return p.planChanges.Apply(ctx, access, plan, interval, confirm)
	})
	if errors.Is(err, errContinues) {
		redirect(w, r, billingPath+"&"+url.Values{awaitedChange: {confirm}}.Encode())
		return nil
	}
	var moved *billing.PlanMovedError
	if errors.As(err, &moved) {
		return p.render(w, r, refusalStatus(err), moved.Preview, true)
	}
	if err != nil {
		return err
	}
	redirect(w, r, billingPath+"&notice="+planNotices[change.Status])
	return nil
}

// planNotices say how a change has ended.
var planNotices = map[billing.PlanChangeStatus]string{
	billing.PlanChangeApplied:   noticePlanChanged,
	billing.PlanChangeScheduled: noticePlanScheduled,
	billing.PlanChangePending:   noticePlanPending,
	billing.PlanChangeFailed:    noticePlanFailed,
}

// awaitedChange is the query parameter of the billing page with the id of a change that continues.
const awaitedChange = "changing"

// keep withdraws a scheduled change.
func (p *planPages) keep(w http.ResponseWriter, r *http.Request) error {
	if err := p.planChanges.Keep(r.Context(), accessOf(r)); err != nil {
		return err
	}
	redirect(w, r, billingPath+"&notice="+noticePlanKept)
	return nil
}

func (p *planPages) render(w http.ResponseWriter, r *http.Request, status int, preview billing.PlanPreview, moved bool) error {
	props := billingviews.PlanChangePageProps{
		Layout: p.layout(r, layout.SectionOrganization), Organization: organizationHeader(r, layout.TabBilling),
		OrganizationID: accessOf(r).Organization.ID, Moved: moved, Timing: planTiming(preview.Change.Kind),
		From: planSide(preview.From, preview.FromQuantity), To: planSide(preview.To, preview.Quantity()),
		DueNow: preview.DueNow, Credit: preview.Credit, Parts: changeParts(preview),
		NextAt: preview.Next.At, NextAmount: preview.Next.Amount,
		Plan: preview.To.Plan.ID, Interval: preview.To.Price.Interval, Confirm: preview.Confirm(),
	}
	return render(w, r, status, billingviews.PlanChangePage(props))
}

func changeParts(preview billing.PlanPreview) []billingviews.ChangePart {
	var parts []billingviews.ChangePart
	for _, part := range preview.Parts() {
		parts = append(parts, billingviews.ChangePart{Kind: part.Kind, Amount: part.Amount, Lines: changeLines(part.Lines)})
	}
	return parts
}

func changeLines(lines []billing.PreviewLine) []billingviews.ChangeLine {
	var shown []billingviews.ChangeLine
	for _, line := range lines {
		shown = append(shown, billingviews.ChangeLine{Text: line.Description, Amount: line.Amount})
	}
	return shown
}

func planTiming(kind billing.PlanChangeKind) billingviews.PlanChangeTiming {
	switch kind {
	case billing.PlanDowngrade:
		return billingviews.ChangeAtPeriodEnd
	case billing.PlanTrialChange:
		return billingviews.ChangeInTrial
	}
	return billingviews.ChangeNow
}

func planSide(offer billing.PlanOffer, quantity int) billingviews.PlanSide {
	return billingviews.PlanSide{
		Name: offer.Plan.Name, Interval: offer.Price.Interval, Price: offer.Price.Amount, PerSeat: offer.Plan.PerSeat, Quantity: quantity,
	}
}

// planOptions lists the plans to change to: those in the currency of the present one. There are
// none while the subscription's state allows no change.
func planOptions(o billing.Overview, plans catalog.Catalog) []billingviews.PlanOption {
	if o.Subscription == nil || !o.Subscription.PlanChangeable() {
		return nil
	}
	var options []billingviews.PlanOption
	for _, plan := range plans.Plans {
		for _, price := range plan.Prices {
			if price.ID == "" || price.ID == o.Subscription.PriceID || o.Plan != nil && price.Amount.Currency != o.Price.Amount.Currency {
				continue
			}
			options = append(options, billingviews.PlanOption{
				PlanID: plan.ID, Name: plan.Name, Interval: price.Interval, Price: price.Amount, PerSeat: plan.PerSeat,
			})
		}
	}
	return options
}

// scheduledChange describes the phase that follows the current one; nil: none.
func scheduledChange(s billing.Subscription, plans catalog.Catalog) *billingviews.ScheduledChange {
	if s.ScheduledPriceID == "" || s.ScheduledAt == nil {
		return nil
	}
	plan, price, known := plans.ByPrice(s.ScheduledPriceID)
	if !known {
		plan.Name = "Another plan"
	}
	return &billingviews.ScheduledChange{
		Plan: plan.Name, Interval: price.Interval, PerSeat: plan.PerSeat, Quantity: s.ScheduledQuantity, At: *s.ScheduledAt,
	}
}

// pendingChange describes an update whose payment is not complete; nil: none.
func pendingChange(s billing.Subscription, plans catalog.Catalog) *billingviews.PendingChange {
	if s.PendingPriceID == "" || s.PendingPriceID == s.PriceID {
		return nil
	}
	plan, price, known := plans.ByPrice(s.PendingPriceID)
	if !known {
		plan.Name = "another plan"
	}
	change := &billingviews.PendingChange{Plan: plan.Name, Interval: price.Interval, Until: timeOrZero(s.PendingUntil)}
	if s.LatestInvoiceID != "" {
		change.PayHref = payInvoicePath(s.LatestInvoiceID)
	}
	return change
}
