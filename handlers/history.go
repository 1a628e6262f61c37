package handlers

import (
	"context"
	"net/http"
	"slices"

	"usher/billing"
	"usher/billing/catalog"
	billingviews "usher/views/billing"
	"usher/views/locale"
	"usher/views/ui"
)

// chartOf draws months; nil if fewer than two have a plan or an invoice: a single column compares
// nothing.
func chartOf(r *http.Request, months []billing.Month, drawSeats bool) *ui.MonthChartProps {
	known := func(m billing.Month) bool { return m.Planned || m.Invoices > 0 || len(m.Others) > 0 }
	if first := slices.IndexFunc(months, known); first < 0 || !slices.ContainsFunc(months[first+1:], known) {
		return nil
	}
	chart := &ui.MonthChartProps{ID: "history", DrawSeats: drawSeats, HideAmounts: !accessOf(r).CanManageBilling()}
	chart.Title = locale.T(r.Context(), "Invoices by month")
	if drawSeats {
		chart.Title = locale.T(r.Context(), "Seats and invoices by month")
	}
	if chart.HideAmounts {
		chart.Title = locale.T(r.Context(), "Seats by month")
	}
	for _, month := range months {
		chart.Months = append(chart.Months, monthColumn(r.Context(), month, known(month)))
	}
	return chart
}

func monthColumn(ctx context.Context, m billing.Month, known bool) ui.MonthColumn {
	return ui.MonthColumn{
		Month: m.Start, Known: known, Seats: m.Seats, Invoices: m.Invoices, Total: m.Invoiced, Notes: monthNotes(ctx, m),
		Kept: m.Kept.Minor, Returned: m.Returned.Minor, Open: m.Open.Minor, Failed: m.Failed.Minor,
	}
}

// monthNotes name what became of a part of a month's invoices, and amounts in other currencies.
func monthNotes(ctx context.Context, m billing.Month) []string {
	var notes []string
	for _, part := range []struct {
		amount catalog.Money
		text   string
	}{
		{m.Returned, locale.T(ctx, "%s refunded or credited", locale.Money(ctx, m.Returned))},
		{m.Open, locale.T(ctx, "%s to be paid", locale.Money(ctx, m.Open))},
		{m.Failed, locale.T(ctx, "%s could not be collected", locale.Money(ctx, m.Failed))},
		{m.Disputed, locale.T(ctx, "%s disputed", locale.Money(ctx, m.Disputed))},
	} {
		if part.amount.Minor > 0 {
			notes = append(notes, part.text)
		}
	}
	for _, other := range m.Others {
		notes = append(notes, locale.T(ctx, "%s besides", locale.Money(ctx, other)))
	}
	return notes
}

// amountWhy says why the next amount is not the last one; nil if the viewer may not see invoices,
// or if there is nothing to compare.
func (p *billingPages) amountWhy(r *http.Request, next billing.UpcomingInvoice) (*billingviews.AmountWhy, error) {
	if !accessOf(r).CanManageBilling() {
		return nil, nil
	}
	change, found, err := p.histories.SinceLast(r.Context(), accessOf(r), next)
	if err != nil || !found {
		return nil, err
	}
	why := &billingviews.AmountWhy{
		Difference: change.Difference, Yearly: change.Yearly, Reason: locale.Phrase(r.Context(), change.Reason()), LastHref: invoicePath(change.Last), LastAmount: change.Last.TotalMoney(),
	}
	for _, part := range change.Parts {
		why.Parts = append(why.Parts, billingviews.ChangeLine{Text: locale.Phrase(r.Context(), part.Text), Amount: part.Amount})
	}
	return why, nil
}
