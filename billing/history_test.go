package billing

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"usher/billing/account"
	"usher/billing/catalog"
)

func usd(minor int64) catalog.Money { return catalog.Money{Minor: minor, Currency: "usd"} }

// TestMonthSums: each invoice is in the month of its date, in one of the parts that the rule names,
// and other currencies are not added up.
func TestMonthSums(t *testing.T) {
	t.Parallel()
	first, now := time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC), november(28)
	finalized := time.Date(2026, 11, 1, 0, 30, 0, 0, time.UTC)
	invoices := []Invoice{
		{Status: InvoicePaid, Total: 2900, Currency: "usd", CreatedAt: finalized.Add(-time.Hour), FinalizedAt: &finalized}, // made in October
		{Status: InvoicePaid, Total: 2900, Refunded: 1000, Lost: 400, CreditedUnrefunded: 100, Currency: "USD", CreatedAt: november(2)},
		{Status: InvoicePaid, Total: 2900, Refunded: 2900, CreditedUnrefunded: 2900, Currency: "usd", CreatedAt: november(3)}, // never more than the total
		{Status: InvoicePaid, Total: 2900, Disputed: 2900, Currency: "usd", CreatedAt: november(4)},
		{Status: InvoicePaid, Total: -700, Currency: "usd", CreatedAt: november(5)},                                              // to the balance
		{Status: InvoiceOpen, Total: 2900, AmountDue: 2400, CreditedBeforePayment: 500, Currency: "usd", CreatedAt: november(6)}, // not tried
		{Status: InvoiceOpen, Total: 2900, AmountDue: 2900, Attempts: 1, Currency: "usd", CreatedAt: november(7)},
		{Status: InvoiceOpen, Total: 2900, AmountDue: 2900, Attempts: 1, ActionRequired: true, Currency: "usd", CreatedAt: november(7)},
		{Status: InvoiceUncollectible, Total: 2900, AmountDue: 2000, Currency: "usd", CreatedAt: november(8)}, // 900 from the balance
		{Status: InvoiceVoid, Total: 9900, AmountDue: 9900, Currency: "usd", CreatedAt: november(9)},
		{Status: InvoiceDraft, Total: 9900, AmountDue: 9900, Currency: "usd", CreatedAt: november(9)},
		{Status: InvoicePaid, Total: 500, Currency: "jpy", CreatedAt: november(9)},
		{Status: InvoicePaid, Total: 1200, Currency: "eur", CreatedAt: november(9)},
		{Status: InvoicePaid, Total: 300, Currency: "eur", CreatedAt: november(10)},
		{Status: InvoicePaid, Total: 9900, Currency: "usd", CreatedAt: first.Add(-time.Second)}, // before
	}
	months := sumsByMonth(invoices, "usd", first, now)
	if len(months) != 2 || months[0].Invoices != 0 || months[0].Invoiced != usd(0) {
		t.Fatalf("%+v", months)
	}
	got := months[1]
	want := Month{
		Start: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), Invoices: 9, Invoiced: usd(8*2900 - 700), Kept: usd(2900 + 1400 + 2900 - 700 + 900),
		Returned: usd(1500 + 2900 + 500), Open: usd(2400 + 2900), Failed: usd(2900 + 2000), Disputed: usd(2900),
		Others: []catalog.Money{{Minor: 1500, Currency: "eur"}, {Minor: 500, Currency: "jpy"}},
	}
	if got.Kept != want.Kept || got.Returned != want.Returned || got.Open != want.Open || got.Failed != want.Failed || got.Invoiced != want.Invoiced ||
		got.Disputed != want.Disputed || got.Invoices != want.Invoices || !slices.Equal(got.Others, want.Others) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// TestMonthPartsAddUp: whatever the invoices are, the parts of each month add up to what was
// invoiced, and all months to all invoices.
func TestMonthPartsAddUp(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	first, now := time.Date(2025, 12, 1, 0, 0, 0, 0, time.UTC), november(28)
	statuses := []string{InvoicePaid, InvoiceOpen, InvoiceUncollectible, InvoiceVoid, InvoiceDraft}
	for range 300 {
		var invoices []Invoice
		var all int64
		for range random.IntN(40) {
			i := Invoice{
				Status: statuses[random.IntN(len(statuses))], Currency: []string{"usd", "usd", "eur"}[random.IntN(3)], Total: random.Int64N(20000) - 4000,
				Attempts: random.IntN(3), ActionRequired: random.IntN(2) == 0, CreatedAt: first.Add(time.Duration(random.Int64N(int64(now.Sub(first))))),
				Refunded: random.Int64N(4000), Lost: random.Int64N(500), CreditedUnrefunded: random.Int64N(500), CreditedBeforePayment: random.Int64N(500),
			}
			if i.Status != InvoicePaid && i.Total > 0 {
				i.AmountDue = random.Int64N(i.Total + 1)
			}
			invoices = append(invoices, i)
			if i.Status != InvoiceVoid && i.Status != InvoiceDraft && i.Currency == "usd" {
				all += i.Total
			}
		}
		var sum int64
		for _, month := range sumsByMonth(invoices, "usd", first, now) {
			if parts := month.Kept.Minor + month.Returned.Minor + month.Open.Minor + month.Failed.Minor; parts != month.Invoiced.Minor {
				t.Fatalf("%+v: the parts add up to %d", month, parts)
			}
			if month.Returned.Minor < 0 || month.Open.Minor < 0 || month.Failed.Minor < 0 {
				t.Fatalf("%+v has a negative part", month)
			}
			sum += month.Invoiced.Minor
		}
		total := SumOf(sumsByMonth(invoices, "usd", first, now))
		if parts := total.Kept.Minor + total.Returned.Minor + total.Open.Minor + total.Failed.Minor; sum != all || total.Invoiced != usd(all) || parts != all {
			t.Fatalf("the months add up to %d and %+v, the invoices to %d", sum, total, all)
		}
	}
}

// TestMonthSeats: seats are those at the end of the month while a plan runs, and of the present in
// the present month.
func TestMonthSeats(t *testing.T) {
	t.Parallel()
	month := func(n int) time.Time { return time.Date(2026, time.Month(n), 1, 0, 0, 0, 0, time.UTC) }
	now := month(11).AddDate(0, 0, 20)
	ended := month(9).AddDate(0, 0, 10)
	subscriptions := []Subscription{
		{Status: StatusIncompleteExpired, CreatedAt: month(5)},
		{Status: StatusCanceled, CreatedAt: month(7).AddDate(0, 0, 5), EndedAt: &ended},
		{Status: StatusPastDue, CreatedAt: month(11).AddDate(0, 0, 3)},
	}
	seats := []MonthSeats{{month(4), 1}, {month(7), 3}, {month(9), 2}, {month(11), 5}}
	months := sumsByMonth(nil, "usd", month(6), now)
	addSeats(months, subscriptions, seats, now)
	for i, want := range []struct {
		planned bool
		seats   int
	}{{false, 0}, {true, 3}, {true, 3}, {true, 0}, {false, 0}, {true, 5}} {
		if months[i].Planned != want.planned || months[i].Seats != want.seats {
			t.Errorf("%s: %t, %d seats, want %+v", months[i].Start.Format("Jan"), months[i].Planned, months[i].Seats, want)
		}
	}
}

// TestSeatLevels: each change of the number since a time, and the one that was the last before it.
func TestSeatLevels(t *testing.T) {
	t.Parallel()
	changes := ledger("1 +Ana @2", "2 +Di @4", "3 +Bo @10", "4 -Di @20")
	changes = append(changes, SeatChange{ID: 5, At: november(21), From: 2, To: 2}) // somebody took over a seat
	slices.Reverse(changes)
	var got []int
	for _, level := range seatLevels(changes, november(5)) {
		got = append(got, level.At.Day(), level.Seats)
	}
	if want := []int{4, 2, 10, 3, 20, 2}; !slices.Equal(got, want) {
		t.Errorf("days and seats %v, want %v", got, want)
	}
}

// TestAmountChange: the parts of a difference add up to it, each with its reason in people's names.
func TestAmountChange(t *testing.T) {
	t.Parallel()
	const starter, pro, team = "price_Starter_month", "price_Pro_month", "price_Team_month"
	started := func(price string, quantity int, amount int64) InvoiceLine {
		line := wholePeriod(price, quantity, amount)
		line.PeriodStart, line.PeriodEnd = november(1), november(31)
		return line
	}
	removed := ledger("1 +Ana", "2 +Di", "3 -Di @20")
	removed[2].Reason = account.ReasonSeatTaken
	for _, c := range []struct {
		name      string
		last      []InvoiceLine
		next      []InvoiceLine
		changes   []SeatChange
		attempts  []SeatAttempt
		adjust    func(*UpcomingInvoice, *InvoiceDetails)
		want      int64
		reason    string
		parts     int
		noCompare bool
	}{
		{name: "nothing", last: []InvoiceLine{started(pro, 2, 5800)}, next: []InvoiceLine{wholePeriod(pro, 2, 5800)}, changes: ledger("1 +Ana", "2 +Di"), attempts: []SeatAttempt{sent(2, 1, 2)}},
		{
			name: "somebody joined", last: []InvoiceLine{started(pro, 2, 5800)}, next: append(prorated(pro, 26, 2, 3, 967, 1450), wholePeriod(pro, 3, 8700)),
			changes: ledger("1 +Ana", "2 +Di", "3 +Bo @26"), attempts: []SeatAttempt{sent(2, 1, 2), sent(3, 26, 3)}, want: 2900 + 483, reason: "Bo joined on 26 Nov", parts: 2,
		},
		{
			name: "somebody joined the month before", last: append(prorated(pro, 1, 1, 2, 0, 1000), started(pro, 2, 5800)), next: []InvoiceLine{wholePeriod(pro, 2, 5800)},
			changes: ledger("1 +Ana", "2 +Di"), attempts: []SeatAttempt{sent(1, 0, 1), sent(2, 1, 2)}, want: -1000, reason: "Di, from 1 Nov, on the last invoice only", parts: 1,
		},
		{
			name: "a seat less", last: []InvoiceLine{started(pro, 2, 5800)}, next: append(prorated(pro, 20, 2, 1, 2000, 1000), wholePeriod(pro, 1, 2900)),
			changes: removed, attempts: []SeatAttempt{sent(2, 1, 2), sent(3, 20, 1)}, want: -2900 - 1000, reason: "Di gave a seat back on 20 Nov", parts: 2,
		},
		{
			name: "another plan", last: []InvoiceLine{started(starter, 2, 1800)}, next: []InvoiceLine{wholePeriod(pro, 2, 5800)},
			changes: ledger("1 +Ana", "2 +Di"), attempts: []SeatAttempt{sent(2, 1, 2)}, want: 4000, reason: "Starter to Pro for 2 people", parts: 1,
		},
		{
			name: "discount, tax and balance", last: []InvoiceLine{started(team, 1, 9900)}, next: []InvoiceLine{wholePeriod(team, 1, 9900)},
			adjust: func(u *UpcomingInvoice, d *InvoiceDetails) {
				d.Discount, d.AmountDue = 1000, 8900
				u.Tax, u.BalanceUsed, u.AmountDue = usd(700), usd(-300), usd(9900+700-300)
			},
			want: 1400, reason: "Discount; Tax; and more", parts: 3,
		},
		{
			name: "what Stripe does not itemize", last: []InvoiceLine{started(team, 1, 9900)}, next: []InvoiceLine{wholePeriod(team, 1, 9900)},
			adjust: func(u *UpcomingInvoice, _ *InvoiceDetails) { u.AmountDue = usd(9901) }, want: 1, reason: "Further lines", parts: 1,
		},
		{name: "no renewal", last: []InvoiceLine{started(pro, 2, 5800)}, next: prorated(pro, 26, 2, 3, 967, 1450), noCompare: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			sources := LineSources{Currency: "usd", Catalog: explainedCatalog(), SeatChanges: c.changes, Attempts: c.attempts}
			var next UpcomingInvoice
			var details InvoiceDetails
			next.SubscriptionID, next.AmountDue, details.Lines = "sub_1", usd(0), c.last
			for _, line := range c.next {
				next.AmountDue.Minor += line.Amount
				next.Lines = append(next.Lines, PreviewLine{
					Subscription: line.Subscription, Proration: line.Proration, Credit: line.Credit, PriceID: line.PriceID, Quantity: line.Quantity,
					Amount: usd(line.Amount), PeriodStart: line.PeriodStart, PeriodEnd: line.PeriodEnd,
				})
			}
			for _, line := range c.last {
				details.AmountDue += line.Amount
			}
			if c.adjust != nil {
				c.adjust(&next, &details)
			}
			change, comparable := compareAmounts(next, Invoice{Currency: "usd"}, details, sources)
			if brief := comparedInBrief(details.Lines, invoiceLines(next.SubscriptionID, next.Lines), sources); brief.Brief {
				got, _ := compareAmounts(next, Invoice{Currency: "usd"}, details, brief)
				if !reflect.DeepEqual(got, change) {
					t.Errorf("in brief %+v, want %+v", got, change)
				}
			}
			if comparable == c.noCompare {
				t.Fatalf("comparable: %t", comparable)
			}
			if change.Difference.Minor != c.want || change.sum() != c.want || change.Reason().String() != c.reason || len(change.Parts) != c.parts {
				t.Errorf("%d because of %q, parts %+v add up to %d", change.Difference.Minor, change.Reason(), change.Parts, change.sum())
			}
		})
	}
}

// TestCreditRate: the rate is that of the last 30 days, or of the time since the credits began.
func TestCreditRate(t *testing.T) {
	t.Parallel()
	now := november(28)
	for _, c := range []struct {
		name              string
		balance, consumed int
		began, resets     time.Time
		wantDays          float64 // 0: no date
		outlast           bool
	}{
		{"two months old", 300, 300, now.AddDate(0, -2, 0), time.Time{}, 30, false},
		{"ten days old", 300, 300, now.AddDate(0, 0, -10), time.Time{}, 10, false},
		{"an hour old, counted as a day", 300, 100, now.Add(-time.Hour), time.Time{}, 3, false},
		{"new credits come before", 300, 300, now.AddDate(0, 0, -10), now.AddDate(0, 0, 5), 10, true},
		{"new credits come after", 300, 300, now.AddDate(0, 0, -10), now.AddDate(0, 0, 15), 10, false},
		{"nothing used", 300, 0, now.AddDate(0, 0, -10), time.Time{}, 0, false},
		{"nothing left", 0, 300, now.AddDate(0, 0, -10), time.Time{}, 0, false},
		{"for years", 1_000_000, 1, now.AddDate(0, 0, -10), time.Time{}, 0, true},
	} {
		rate := creditRate(c.balance, c.consumed, c.began, now, c.resets)
		want := time.Time{}
		if c.wantDays > 0 {
			want = now.Add(time.Duration(c.wantDays * 24 * float64(time.Hour)))
		}
		if rate.LastUntil.Sub(want).Abs() > time.Second || rate.Outlast != c.outlast {
			t.Errorf("%s: until %s, outlast %t, want %s, %t", c.name, rate.LastUntil, rate.Outlast, want, c.outlast)
		}
	}
}
