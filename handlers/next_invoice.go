package handlers

import (
	"context"
	"net/http"

	"usher/billing"
	"usher/billing/apperr"
	"usher/billing/catalog"
	billingviews "usher/views/billing"
	"usher/views/layout"
	"usher/views/locale"
)

// showNextInvoice shows the next invoice with its lines, as a page or as the fragment that replaces
// the amount. It is complete within three seconds, whatever Stripe does.
func (p *billingPages) showNextInvoice(w http.ResponseWriter, r *http.Request) error {
	overview, err := p.overviews.Get(r.Context(), accessOf(r))
	if err != nil {
		return err
	}
	answer, err := p.upcoming.Get(r.Context(), accessOf(r))
	failed := apperr.CodeOf(err) == apperr.CodeStripe
	if err != nil && !failed {
		return err
	}
	short := r.FormValue("short") == "true" && isFragment(r)
	next, err := p.nextInvoice(r, overview, answer, short)
	if err != nil {
		return err
	}
	next.Missing, next.Failed = failed, failed || answer.Stale
	if isFragment(r) {
		return render(w, r, http.StatusOK, billingviews.NextInvoiceSection(next))
	}
	props := billingviews.NextInvoicePageProps{
		Layout: p.layout(r, layout.SectionOrganization), Organization: organizationHeader(r, layout.TabBilling), Invoice: next,
		Forecast: accessOf(r).CanManageBilling() && overview.Subscription != nil,
	}
	if overview.Subscription != nil {
		props.Card = card(*overview.Subscription)
	}
	return render(w, r, http.StatusOK, billingviews.NextInvoicePage(props))
}

// lastNextInvoice returns the next invoice as it is stored, without a call to Stripe; htmx asks for
// the current one unless it is. nil: the status has no next invoice to show.
func (p *billingPages) lastNextInvoice(r *http.Request, o billing.Overview, short bool) (*billingviews.NextInvoice, error) {
	if status := o.Subscription.Status; status != billing.StatusActive && status != billing.StatusTrialing {
		return nil, nil
	}
	stored, known, err := p.upcoming.Last(r.Context(), o)
	if err != nil {
		return nil, err
	}
	next := nextAmount(r.Context(), o, stored, short)
	if short || !stored.Stale { // the lines are not current, and come with the fragment
		next, err = p.nextInvoice(r, o, stored, short)
	}
	next.Missing, next.Load = !known, !known || stored.Stale
	return &next, err
}

// nextInvoice describes an answer of Stripe: in the short form with what changed since the last
// invoice, otherwise with its lines.
func (p *billingPages) nextInvoice(r *http.Request, o billing.Overview, answer billing.UpcomingInvoice, short bool) (billingviews.NextInvoice, error) {
	next := nextAmount(r.Context(), o, answer, short)
	if answer.None || answer.SubscriptionID == "" {
		return next, nil
	}
	if short {
		var err error
		if !next.Changed {
			next.Why, err = p.amountWhy(r, answer)
		}
		return next, err
	}
	lines, err := p.upcoming.Explain(r.Context(), accessOf(r), answer)
	next.Lines = append(explainedLines(r.Context(), lines.Lines), adjustmentLines(r.Context(), answer)...)
	next.Renewal, next.TaxIncluded = explainedLines(r.Context(), lines.Renewal), answer.TaxIncluded
	return next, err
}

// nextAmount describes an answer of Stripe without a reason.
func nextAmount(ctx context.Context, o billing.Overview, answer billing.UpcomingInvoice, short bool) billingviews.NextInvoice {
	next := billingviews.NextInvoice{
		Kind: nextInvoiceKind(o, answer), At: answer.At, Amount: answer.AmountDue, RenewsAt: timeOrZero(answer.RenewsAt), Short: short,
		Changed: answer.Changed && answer.Stale, SeatsPending: answer.SeatsPending && !answer.None,
	}
	if answer.Stale && answer.SubscriptionID != "" {
		next.AsOf = answer.FetchedAt
	}
	if short && o.Subscription != nil && o.Plan != nil {
		next.Price = billingviews.PriceLine(ctx, priceProps(ctx, o))
	}
	return next
}

func nextInvoiceKind(o billing.Overview, answer billing.UpcomingInvoice) billingviews.NextInvoiceKind {
	_, ending := o.PlanEndsAt()
	switch {
	case answer.None:
		return billingviews.NextNone
	case ending:
		return billingviews.NextLast
	case o.Subscription != nil && o.Subscription.Status == billing.StatusTrialing:
		return billingviews.NextFirst
	}
	return billingviews.NextRegular
}

func explainedLines(ctx context.Context, lines []billing.ExplainedLine) []billingviews.ChangeLine {
	var shown []billingviews.ChangeLine
	for _, line := range lines {
		shown = append(shown, billingviews.ChangeLine{Text: locale.Phrase(ctx, line.Text), Amount: line.Amount})
	}
	return shown
}

// adjustmentLines are the parts of an amount due beside its lines. Together they add up to it.
func adjustmentLines(ctx context.Context, i billing.UpcomingInvoice) []billingviews.ChangeLine {
	parts := []struct {
		text  string
		minor int64
	}{
		{locale.T(ctx, "Discount"), -i.Discount.Minor},
		{locale.T(ctx, "Tax"), i.Tax.Minor - i.TaxIncluded.Minor},
		{locale.T(ctx, "Further lines"), i.OtherLines().Minor},
		{balanceText(ctx, i), i.BalanceUsed.Minor},
	}
	var lines []billingviews.ChangeLine
	for _, part := range parts {
		if part.minor != 0 {
			lines = append(lines, billingviews.ChangeLine{Text: part.text, Amount: catalog.Money{Minor: part.minor, Currency: i.AmountDue.Currency}})
		}
	}
	return lines
}

// balanceText says what happens to the customer's balance.
func balanceText(ctx context.Context, i billing.UpcomingInvoice) string {
	switch {
	case i.Total.Minor < 0:
		return locale.T(ctx, "Kept as credit for later invoices")
	case i.BalanceUsed.Minor > 0:
		return locale.T(ctx, "Carried over from earlier invoices")
	case i.CarriedOver():
		return locale.T(ctx, "Too small to charge, carried over")
	}
	return locale.T(ctx, "Paid from your credit")
}
