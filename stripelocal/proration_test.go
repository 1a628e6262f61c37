package stripelocal_test

import (
	"strings"
	"testing"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

// createPriceIn creates a price in a currency.
func (l *testServer) createPriceIn(currency string, amount float64, interval string) string {
	l.t.Helper()
	return must[*stripe.Price](l.t)(l.api.Prices.New(&stripe.PriceParams{
		Currency: stripe.String(currency), UnitAmountDecimal: stripe.Float64(amount),
		Recurring:   &stripe.PriceRecurringParams{Interval: stripe.String(interval)},
		ProductData: &stripe.PriceProductDataParams{Name: stripe.String("Pro")},
		TaxBehavior: stripe.String("exclusive"), // the portal switches no other
	})).ID
}

// prorationCase is a change on a day of April. The period is its thirty days.
type prorationCase struct {
	source   string
	currency string
	from, to float64 // prices; a to of 0 is no change
	had, has int64   // quantities
	day      int64
	want     []int64 // amounts of the proration lines
}

func prorationCases() []prorationCase {
	docs := "https://docs.stripe.com/billing/subscriptions/prorations, "
	byHand := "by hand: "
	return []prorationCase{
		{docs + "10 to 20 seats at $1 unprorated, then to 10 on day 20: -6.67 + 3.33 = -3.34", "usd", 100, 0, 20, 10, 20, []int64{-667, 333}},
		{docs + "from a $10 to a $20 plan halfway: -5 + 10 = 5", "usd", 1000, 2000, 1, 1, 15, []int64{-500, 1000}},
		{byHand + "5 to 8 seats at $10 after a third: -50*2/3 + 80*2/3 = 20", "usd", 1000, 0, 5, 8, 10, []int64{-3333, 5333}},
		{byHand + "8 to 5 seats at $10 after a third: -80*2/3 + 50*2/3 = -20", "usd", 1000, 0, 8, 5, 10, []int64{-5333, 3333}},
		{byHand + "on the first second nothing is used", "usd", 1000, 0, 1, 2, 0, []int64{-1000, 2000}},
		{byHand + "on the last day a thirtieth is left", "usd", 999, 1999, 1, 1, 29, []int64{-33, 67}},
		{byHand + "halves go away from zero: 1 * 1/2, 3 * 1/2", "usd", 1, 0, 1, 3, 15, []int64{-1, 2}},
		{byHand + "yen have no minor unit: 980 * 20/30 = 653.33, 1980 * 20/30 = 1320", "jpy", 980, 1980, 1, 1, 10, []int64{-653, 1320}},
		{byHand + "dinars have three decimals: 5.250 * 10/30 = 1.750, 3 seats 5.250", "kwd", 5250, 0, 1, 3, 20, []int64{-1750, 5250}},
		{byHand + "krónur are charged in multiples of 100: 1000.00 * 10/30 = 333.33 -> 333, 2 seats 666.67 -> 667", "isk", 100000, 0, 1, 2, 20, []int64{-33300, 66700}},
		{byHand + "the last digit of dinars is 0: 1.000 * 10/30 = 0.333 -> 0.330, 2 seats 0.667 -> 0.670", "kwd", 1000, 0, 1, 2, 20, []int64{-330, 670}},
		{byHand + "fractions of a cent are kept until the line: 3 * 0.5 = 1.5 -> 2 a month, 1 after half; 7 * 0.5 = 3.5 -> 4, 2", "usd", 0.5, 0, 3, 7, 15, []int64{-1, 2}},
		{byHand + "to no seats only gives back", "usd", 1000, 0, 2, 0, 15, []int64{-1000}},
	}
}

func TestProrationLines(t *testing.T) {
	t.Parallel()
	for _, c := range prorationCases() {
		t.Run(strings.ReplaceAll(c.source, "/", " of "), func(t *testing.T) {
			l := start(t, stripelocal.Options{})
			k := l.createOnTestClock("pm_card_visa")
			sub := k.subscribe(l.createPriceIn(c.currency, c.from, "month"), c.had)
			if c.day > 0 {
				k.advance(noon + c.day*day)
			}
			got := must[*stripe.Subscription](t)(l.updateSubscription(sub, func(p *stripe.SubscriptionParams) {
				p.Items[0].Quantity = stripe.Int64(c.has)
				if c.to != 0 {
					p.Items[0].Price = stripe.String(l.createPriceIn(c.currency, c.to, "month"))
				}
			}, behavior("always_invoice")))
			var lines []int64
			for _, line := range got.LatestInvoice.Lines.Data {
				if line.Proration && line.Period.Start == noon+c.day*day && line.Period.End == sub.CurrentPeriodEnd && line.Type == "invoiceitem" {
					lines = append(lines, line.Amount)
				}
			}
			if len(lines) != len(c.want) {
				t.Fatalf("lines %v, want %v", lines, c.want)
			}
			for i := range lines {
				if lines[i] != c.want[i] {
					t.Errorf("lines %v, want %v", lines, c.want)
				}
			}
			if first := got.LatestInvoice.Lines.Data[0]; first.ProrationDetails.CreditedItems == nil || first.ProrationDetails.CreditedItems.Invoice != sub.LatestInvoice.ID {
				t.Errorf("the credit does not name the invoice it credits: %+v", first.ProrationDetails)
			}
		})
	}
}

// A preview shows what the change and the renewal bill, to the minor unit (API reference: preview
// an invoice).
func TestPreviewIsWhatIsBilled(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name     string
		behavior string
		change   func(l *testServer, p *stripe.InvoiceUpcomingSubscriptionDetailsItemParams)
	}{
		{"seats up, at once", "always_invoice", func(_ *testServer, p *stripe.InvoiceUpcomingSubscriptionDetailsItemParams) {
			p.Quantity = stripe.Int64(9)
		}},
		{"seats down, at once", "always_invoice", func(_ *testServer, p *stripe.InvoiceUpcomingSubscriptionDetailsItemParams) {
			p.Quantity = stripe.Int64(2)
		}},
		{"seats up, with the next invoice", "create_prorations", func(_ *testServer, p *stripe.InvoiceUpcomingSubscriptionDetailsItemParams) {
			p.Quantity = stripe.Int64(7)
		}},
		{"seats down, not prorated", "none", func(_ *testServer, p *stripe.InvoiceUpcomingSubscriptionDetailsItemParams) {
			p.Quantity = stripe.Int64(1)
		}},
		{"another price", "create_prorations", func(l *testServer, p *stripe.InvoiceUpcomingSubscriptionDetailsItemParams) {
			p.Price, p.Quantity = stripe.String(l.createPriceIn("usd", 2501, "month")), stripe.Int64(4)
		}},
		{"another interval", "create_prorations", func(l *testServer, p *stripe.InvoiceUpcomingSubscriptionDetailsItemParams) {
			p.Price, p.Quantity = stripe.String(l.createPriceIn("usd", 9900, "year")), stripe.Int64(5)
		}},
		{"another interval, not prorated", "none", func(l *testServer, p *stripe.InvoiceUpcomingSubscriptionDetailsItemParams) {
			p.Price, p.Quantity = stripe.String(l.createPriceIn("usd", 9900, "year")), stripe.Int64(5)
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			l := start(t, stripelocal.Options{})
			k := l.createOnTestClock("pm_card_visa")
			sub := k.subscribe(l.createPriceIn("usd", 1099, "month"), 5)
			k.advance(noon + 11*day + 7777)
			item := &stripe.InvoiceUpcomingSubscriptionDetailsItemParams{ID: stripe.String(sub.Items.Data[0].ID)}
			c.change(l, item)
			params := &stripe.InvoiceUpcomingParams{
				Subscription:        stripe.String(sub.ID),
				SubscriptionDetails: &stripe.InvoiceUpcomingSubscriptionDetailsParams{Items: []*stripe.InvoiceUpcomingSubscriptionDetailsItemParams{item}, ProrationBehavior: stripe.String(c.behavior)},
			}
			date := noon + 10*day + 4321
			if c.behavior != "none" {
				params.SubscriptionDetails.ProrationDate = stripe.Int64(date)
			}
			shown := must[*stripe.Invoice](t)(l.api.Invoices.Upcoming(params))
			must[*stripe.Subscription](t)(l.updateSubscription(sub, func(p *stripe.SubscriptionParams) {
				p.Items[0].Price, p.Items[0].Quantity = item.Price, item.Quantity
				if c.behavior != "none" {
					p.ProrationDate = stripe.Int64(date)
				}
			}, behavior(c.behavior)))
			k.advance(sub.CurrentPeriodEnd + 3600)
			billed := secondInvoice(t, l, k.customer)
			if shown.ID != "" || shown.AmountDue != billed.AmountDue || shown.Total != billed.Total || len(shown.Lines.Data) != len(billed.Lines.Data) {
				t.Fatalf("shown: %s %d of %d in %d lines; billed: %d of %d in %d", shown.ID, shown.AmountDue, shown.Total, len(shown.Lines.Data), billed.AmountDue, billed.Total, len(billed.Lines.Data))
			}
			for i, line := range shown.Lines.Data {
				other := billed.Lines.Data[i]
				if line.Amount != other.Amount || line.Description != other.Description || *line.Period != *other.Period || line.Proration != other.Proration {
					t.Errorf("line %d shown as %d %q %v, billed as %d %q %v", i, line.Amount, line.Description, line.Period, other.Amount, other.Description, other.Period)
				}
			}
		})
	}
}

// A preview of a subscription that begins on a later day, before its anchor, is what its first
// invoice charges then.
func TestPreviewOfLaterSubscription(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	k := l.createOnTestClock("pm_card_visa")
	price, begin, anchor := l.createPriceIn("usd", 1099, "month"), noon+40*day+7, noon+55*day
	params := &stripe.InvoiceCreatePreviewParams{
		Customer: stripe.String(k.customer),
		SubscriptionDetails: &stripe.InvoiceCreatePreviewSubscriptionDetailsParams{
			Items:     []*stripe.InvoiceCreatePreviewSubscriptionDetailsItemParams{{Price: stripe.String(price), Quantity: stripe.Int64(5)}},
			StartDate: stripe.Int64(begin), BillingCycleAnchor: stripe.Int64(anchor),
		},
	}
	shown := must[*stripe.Invoice](t)(l.api.Invoices.CreatePreview(params))
	k.advance(begin)
	sub := k.subscribe(price, 5, func(p *stripe.SubscriptionParams) { p.BillingCycleAnchor = stripe.Int64(anchor) })
	billed := must[*stripe.Invoice](t)(l.api.Invoices.Get(sub.LatestInvoice.ID, nil))
	if shown.AmountDue != billed.AmountDue || shown.AmountDue == 5*1099 || shown.Created != begin || *shown.Lines.Data[0].Period != *billed.Lines.Data[0].Period {
		t.Errorf("shown %d at %d for %+v, billed %d for %+v", shown.AmountDue, shown.Created, shown.Lines.Data[0].Period, billed.AmountDue, billed.Lines.Data[0].Period)
	}
	params.SubscriptionDetails.BillingCycleAnchor = stripe.Int64(begin + 32*day)
	_, err := l.api.Invoices.CreatePreview(params)
	wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest)
}

// secondInvoice returns the invoice after a subscription's first one.
func secondInvoice(t *testing.T, l *testServer, customer string) *stripe.Invoice {
	t.Helper()
	var all []*stripe.Invoice
	for it := l.api.Invoices.List(&stripe.InvoiceListParams{Customer: stripe.String(customer)}); it.Next(); {
		all = append(all, it.Invoice())
	}
	if len(all) < 2 {
		t.Fatalf("%d invoices", len(all))
	}
	return all[len(all)-2]
}

// create_preview is the same with POST.
func TestCreatePreview(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	k := l.createOnTestClock("pm_card_visa")
	sub := k.subscribe(l.createPriceIn("usd", 1000, "month"), 2)
	got := must[*stripe.Invoice](t)(l.api.Invoices.CreatePreview(&stripe.InvoiceCreatePreviewParams{Subscription: stripe.String(sub.ID)}))
	if got.AmountDue != 2000 || got.Created != sub.CurrentPeriodEnd || got.BillingReason != "upcoming" || got.NextPaymentAttempt != sub.CurrentPeriodEnd+3600 || got.Lines.Data[0].Period.Start != sub.CurrentPeriodEnd {
		t.Errorf("due %d, reason %s, next try %d, line from %d", got.AmountDue, got.BillingReason, got.NextPaymentAttempt, got.Lines.Data[0].Period.Start)
	}
	if got = must[*stripe.Invoice](t)(l.api.Invoices.CreatePreview(&stripe.InvoiceCreatePreviewParams{Customer: stripe.String(k.customer)})); got.AmountDue != 2000 {
		t.Errorf("by customer: due %d", got.AmountDue)
	}
	must[*stripe.Subscription](t)(l.api.Subscriptions.Update(sub.ID, &stripe.SubscriptionParams{CancelAtPeriodEnd: stripe.Bool(true)}))
	_, err := l.api.Invoices.CreatePreview(&stripe.InvoiceCreatePreviewParams{Subscription: stripe.String(sub.ID)})
	wantError(t, err, 404, stripe.ErrorCodeInvoiceUpcomingNone, stripe.ErrorTypeInvalidRequest)
}

// An interval change, a change from free to paid and a reset anchor are billed immediately, even
// with proration_behavior=none. Other changes are not.
func TestChangesBilledImmediately(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		from   float64
		change func(l *testServer, p *stripe.SubscriptionParams)
		moved  bool
		total  int64
	}{
		{"another interval", 1000, func(l *testServer, p *stripe.SubscriptionParams) {
			p.Items[0].Price = stripe.String(l.createPriceIn("usd", 9000, "year"))
		}, true, 9000},
		{"free to paid", 0, func(l *testServer, p *stripe.SubscriptionParams) {
			p.Items[0].Price = stripe.String(l.createPriceIn("usd", 700, "month"))
		}, true, 700},
		{"the anchor", 1000, func(_ *testServer, p *stripe.SubscriptionParams) { p.BillingCycleAnchorNow = stripe.Bool(true) }, true, 1000},
		{"another price", 1000, func(l *testServer, p *stripe.SubscriptionParams) {
			p.Items[0].Price = stripe.String(l.createPriceIn("usd", 700, "month"))
		}, false, 0},
		{"a trial", 1000, func(_ *testServer, p *stripe.SubscriptionParams) { p.TrialEnd = stripe.Int64(noon + 20*day) }, true, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			l := start(t, stripelocal.Options{})
			k := l.createOnTestClock("pm_card_visa")
			sub := k.subscribe(l.createPriceIn("usd", c.from, "month"), 1)
			k.advance(noon + 10*day)
			got := must[*stripe.Subscription](t)(l.updateSubscription(sub, behavior("none"), func(p *stripe.SubscriptionParams) { c.change(l, p) }))
			if moved := got.CurrentPeriodStart == noon+10*day; moved != c.moved || (got.LatestInvoice.ID != sub.LatestInvoice.ID) != c.moved {
				t.Fatalf("a new period: %v, want %v; invoice %s", moved, c.moved, got.LatestInvoice.BillingReason)
			}
			if inv := got.LatestInvoice; c.moved && (inv.Total != c.total || inv.Status != "paid" || inv.BillingReason != "subscription_update") {
				t.Errorf("invoice %s over %d, want %d, %s", inv.BillingReason, inv.Total, c.total, inv.Status)
			}
		})
	}
}

// A new price without a quantity has quantity one (API reference: subscription items).
func TestAPriceChangeResetsTheQuantity(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	k := l.createOnTestClock("pm_card_visa")
	sub := k.subscribe(l.createPriceIn("usd", 1000, "month"), 5)
	other := l.createPriceIn("usd", 1200, "month")
	got := must[*stripe.Subscription](t)(l.updateSubscription(sub, func(p *stripe.SubscriptionParams) { p.Items[0].Price = stripe.String(other) }))
	if item := got.Items.Data[0]; item.Quantity != 1 || item.Price.ID != other || item.ID != sub.Items.Data[0].ID {
		t.Errorf("%d of %s as %s", item.Quantity, item.Price.ID, item.ID)
	}
}

func TestBalanceAndMinimumCharge(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name             string
		currency         string
		amount           float64
		balance          int64
		paid, after, due int64
	}{
		{"no balance", "usd", 1000, 0, 1000, 0, 1000},
		{"credit for a part", "usd", 1000, -300, 700, 0, 700},
		{"credit for all", "usd", 1000, -1500, 0, -500, 0},
		{"a debt is added", "usd", 1000, 200, 1200, 0, 1200},
		{"less than 50 cents waits", "usd", 49, 0, 0, 49, 0},
		{"50 cents do not", "usd", 50, 0, 50, 0, 50},
		{"what credit leaves may be too little", "usd", 1000, -960, 0, 40, 0},
		{"49 yen wait", "jpy", 49, 0, 0, 49, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			l := start(t, stripelocal.Options{})
			k := l.createOnTestClock("pm_card_visa")
			must[*stripe.Customer](t)(l.api.Customers.Update(k.customer, &stripe.CustomerParams{Balance: stripe.Int64(c.balance)}))
			sub := k.subscribe(l.createPriceIn(c.currency, c.amount, "month"), 1)
			inv := l.invoice(sub.LatestInvoice.ID)
			after := must[*stripe.Customer](t)(l.api.Customers.Get(k.customer, nil)).Balance
			if sub.Status != "active" || inv.Status != "paid" || inv.AmountPaid != c.paid || inv.AmountDue != c.due || inv.EndingBalance != c.after || after != c.after {
				t.Errorf("%s, invoice %s: due %d, paid %d, balance %d (%d)", sub.Status, inv.Status, inv.AmountDue, inv.AmountPaid, after, inv.EndingBalance)
			}
		})
	}
}
