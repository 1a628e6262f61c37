package billing_test

import "time"

// checkMonths compares the sums by month with Stripe's own invoices and refunds, to the minor unit.
func (y *year) checkMonths() {
	y.t.Helper()
	months, err := y.service.Histories.Months(y.t.Context(), y.access)
	y.must(err)
	want, count := map[string]int64{}, 0
	for _, invoice := range y.listInvoices() {
		at := time.Unix(invoice.Transitions.FinalizedAt, 0).UTC()
		want[at.Format("2006-01")] += invoice.Total
		if !at.Before(months[0].Start) {
			count++
		}
	}
	var returned, failed, open int64
	invoices := 0
	for _, month := range months {
		if got := month.Invoiced.Minor; got != want[month.Start.Format("2006-01")] || month.Seats == 0 || !month.Planned {
			y.t.Errorf("%s: %d invoiced with %d seats, want %d", month.Start.Format("Jan 2006"), got, month.Seats, want[month.Start.Format("2006-01")])
		}
		invoices += month.Invoices
		returned, failed, open = returned+month.Returned.Minor, failed+month.Failed.Minor, open+month.Open.Minor
	}
	var refunds struct{ Data []struct{ Amount int64 } }
	y.stripeGet("/v1/refunds?limit=100", &refunds)
	var refunded int64
	for _, refund := range refunds.Data {
		refunded += refund.Amount
	}
	if refunded == 0 || returned != refunded || failed+open != 0 || invoices != count {
		y.t.Errorf("%d refunded of %d at Stripe, %d failed, %d open, %d of %d invoices", returned, refunded, failed, open, invoices, count)
	}
	if last := months[len(months)-1]; last.Seats != y.overview().Seats.Desired {
		y.t.Errorf("%d seats at the end, want %d", last.Seats, y.overview().Seats.Desired)
	}
}
