package billing

import (
	"testing"
	"time"

	"usher/billing/catalog"
)

// Renewals are counted from the anchor: its day returns after a shorter month.
func TestNextRenewal(t *testing.T) {
	for _, c := range []struct {
		anchor   string
		interval catalog.Interval
		after    string
		want     string
	}{
		{"2027-01-12", catalog.Monthly, "2027-01-12", "2027-02-12"},
		{"2027-01-12", catalog.Monthly, "2027-02-11", "2027-02-12"},
		{"2027-01-31", catalog.Monthly, "2027-01-31", "2027-02-28"},
		{"2027-01-31", catalog.Monthly, "2027-02-28", "2027-03-31"},
		{"2027-01-31", catalog.Monthly, "2027-12-31", "2028-01-31"},
		{"2028-02-29", catalog.Yearly, "2028-03-01", "2029-02-28"},
		{"2028-02-29", catalog.Yearly, "2031-06-01", "2032-02-29"},
		{"2027-06-10", catalog.Yearly, "2027-01-05", "2027-06-10"}, // the end of a trial
		{"2027-06-10", catalog.Monthly, "2027-01-05", "2027-01-10"},
	} {
		day := func(text string) time.Time {
			at, err := time.Parse(time.DateOnly, text)
			if err != nil {
				t.Fatal(err)
			}
			return at
		}
		if got := nextRenewal(day(c.anchor), c.interval, day(c.after)); !got.Equal(day(c.want)) {
			t.Errorf("anchor %s, each %s, after %s: %s, want %s", c.anchor, c.interval, c.after, got.Format(time.DateOnly), c.want)
		}
	}
}

// Renewals with the same discounts share one amount.
func TestDiscountDay(t *testing.T) {
	at := func(day int) *time.Time { at := time.Date(2027, 1, day, 0, 0, 0, 0, time.UTC); return &at }
	preview := InvoicePreview{At: *at(10), Discounts: []PreviewDiscount{{ID: "once", Once: true}, {ID: "short", EndsAt: at(15)}, {ID: "ever"}}}
	if preview.discountDay(*at(12)) != preview.discountDay(*at(14)) || preview.discountDay(*at(14)) == preview.discountDay(*at(15)) {
		t.Error("the day is of other discounts")
	}
	for day, want := range map[int]int{12: 2, 15: 1, 20: 1} {
		if ids := preview.discountsAt(preview.discountDay(*at(day))); len(ids) != want {
			t.Errorf("day %d: %v", day, ids)
		}
	}
	if lasting := (InvoicePreview{Discounts: preview.Discounts[2:]}); lasting.discountDay(*at(20)) != allDiscounts {
		t.Error("a discount without an end needs an amount of its own")
	}
}

// While the event of a renewal is late, the stored period has ended: the forecast begins with the
// next renewal.
func TestForecastBeginsAfterAMissedRenewal(t *testing.T) {
	now := time.Date(2027, 3, 13, 0, 0, 0, 0, time.UTC)
	anchor := time.Date(2027, 1, 12, 10, 0, 0, 0, time.UTC)
	price := catalog.Price{ID: "price_1", Interval: catalog.Monthly, Amount: catalog.Money{Minor: 900, Currency: "usd"}}
	facts := forecastFacts{
		now: now, price: price, plan: catalog.Plan{ID: "pro", Prices: []catalog.Price{price}, PerSeat: true},
		current: Subscription{
			Status: StatusActive, PriceID: "price_1", Quantity: 2, BillingCycleAnchor: &anchor,
			CurrentPeriodStart: time.Date(2027, 2, 12, 10, 0, 0, 0, time.UTC), CurrentPeriodEnd: time.Date(2027, 3, 12, 10, 0, 0, 0, time.UTC),
		},
	}
	line := newTimeline(facts, catalog.Catalog{}, UpcomingInvoice{None: true}, nil, ForecastQuestion{})
	if first := line.steps[0].at; !first.Equal(time.Date(2027, 4, 12, 10, 0, 0, 0, time.UTC)) || len(line.steps) != 12 {
		t.Errorf("first of %d invoices at %s", len(line.steps), first)
	}
}
