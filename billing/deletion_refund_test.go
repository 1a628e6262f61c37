package billing

import (
	"testing"
	"time"
)

func TestPeriodsBegunSinceDeletionRequest(t *testing.T) {
	since := time.Date(2026, time.March, 10, 12, 0, 0, 500, time.UTC)
	period := func(amount int64, start time.Time) InvoiceLine {
		return InvoiceLine{Subscription: true, Amount: amount, PeriodStart: start}
	}
	seats := InvoiceLine{Proration: true, Amount: 1000, PeriodStart: since}
	discounted := period(2900, since.AddDate(0, 0, 1))
	discounted.Discount = 1450
	for name, test := range map[string]struct {
		total int64
		lines []InvoiceLine
		part  int64
		whole bool
	}{
		"a renewal after it":              {2900, []InvoiceLine{period(2900, since.Add(time.Hour))}, 2900, true},
		"within the same second":          {2900, []InvoiceLine{period(2900, since.Truncate(time.Second))}, 2900, true},
		"a renewal before it":             {2900, []InvoiceLine{period(2900, since.Add(-time.Second))}, 0, false},
		"with tax":                        {3451, []InvoiceLine{period(2900, since.AddDate(0, 0, 1))}, 3451, true},
		"seats are owed":                  {1000, []InvoiceLine{seats}, 0, false},
		"a discounted renewal with seats": {2450, []InvoiceLine{seats, discounted}, 1450, false},
		"which are taxed":                 {2940, []InvoiceLine{seats, discounted}, 1740, false},
		"less the credit of former seats": {2400, []InvoiceLine{{Proration: true, Amount: -500}, period(2900, since.AddDate(0, 0, 1))}, 2400, false},
		"free":                            {0, []InvoiceLine{period(0, since.AddDate(0, 0, 1))}, 0, false},
		"a whole discount":                {0, []InvoiceLine{period(2900, since.AddDate(0, 0, 1))}, 0, false},
		"no lines":                        {2900, nil, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			part, whole := periodsBegunSince(Invoice{Total: test.total, Lines: test.lines}, since)
			if part != test.part || whole != test.whole {
				t.Errorf("got %d, %v, want %d, %v", part, whole, test.part, test.whole)
			}
		})
	}
}
