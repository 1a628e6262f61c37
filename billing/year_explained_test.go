package billing_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"

	"usher/billing"
)

// checkExplanations prints every invoice of the year explained. It fails if a minor unit of one is
// not, or if the lines do not add up to what Stripe charged.
func (y *year) checkExplanations() {
	y.t.Helper()
	y.exec(`update users set name = 'Member ' || n from (
		select subject_user_id, row_number() over (order by min(id)) as n from seat_changes where subject_user_id is not null group by subject_user_id
	) as numbered where id = subject_user_id`)
	invoices, total, err := y.service.Invoices.Search(y.t.Context(), y.access, billing.InvoiceSearch{Limit: 100})
	y.must(err)
	charged := map[string]stripeYearInvoice{}
	for _, invoice := range y.listInvoices() {
		charged[invoice.ID] = invoice
	}
	if total != len(charged) || len(invoices) != total {
		y.t.Fatalf("%d of %d invoices explained, %d at Stripe", len(invoices), total, len(charged))
	}
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, invoice := range slices.Backward(invoices) {
		y.checkExplanation(table, invoice, charged[invoice.ID])
	}
	_ = table.Flush()
	y.t.Log("\n" + text.String())
}

func (y *year) checkExplanation(table *tabwriter.Writer, invoice billing.ExplainedInvoice, want stripeYearInvoice) {
	y.t.Helper()
	e := invoice.Explanation
	_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%d %% explained\n", invoice.CreatedAt.Format("2006-01-02"), fmt.Sprint(e.Causes()), y.format(e.Total.Minor), e.Percent())
	var sum int64
	for _, line := range e.Lines {
		sum += line.Amount.Minor
		by := ""
		if line.Reason != billing.LineRenewal && line.Reason != billing.LinePlanBegan && len(line.People) > 0 {
			by = fmt.Sprintf("%s %s, %s", line.People[0].Name, line.People[0].Reason, line.RequestID)
		}
		_, _ = fmt.Fprintf(table, "\t%s\t%s\t%s\n", line.Text, y.format(line.Amount.Minor), by)
		if line.Reason == billing.LineSeatsAdded && len(line.People) == 0 {
			y.t.Errorf("%s: no person in %q", invoice.ID, line.Text)
		}
		if (line.Reason == billing.LineRenewal || line.Reason == billing.LinePlanBegan) && len(line.People) != line.Lines[len(line.Lines)-1].Quantity {
			y.t.Errorf("%s: %d people in %q", invoice.ID, len(line.People), line.Text)
		}
	}
	if !invoice.Known || !e.Complete() || e.Percent() != 100 || e.Explained().Minor != want.Total || sum != want.Total || len(e.Causes()) == 0 {
		y.t.Errorf("%s: %v of %d explained, lines add up to %d, remainder %+v", invoice.ID, e.Explained(), want.Total, sum, e.Remainder())
	}
	if due := want.Total + invoice.Totals.Balance; due != want.AmountDue || invoice.Totals.AmountDue != want.AmountDue {
		y.t.Errorf("%s: total %d and balance %d make %d due, want %d", invoice.ID, want.Total, invoice.Totals.Balance, due, want.AmountDue)
	}
}

// invoicePack adds a pack to the next invoice, as support does at Stripe, and renews the plan.
func (y *year) invoicePack() {
	y.t.Helper()
	current := *y.overview().Subscription
	pack := y.service.Prices.Catalog().Packs[0]
	y.stripeRequest("POST", "/v1/invoiceitems", url.Values{
		"customer": {current.CustomerID}, "subscription": {current.ID}, "price": {pack.Price.ID},
	})
	y.advanceTo(current.CurrentPeriodEnd)
	y.advanceTo(current.CurrentPeriodEnd.Add(3600e9))
}
