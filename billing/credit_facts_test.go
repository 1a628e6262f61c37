package billing

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestComputeCredits(t *testing.T) {
	month := func(n int) time.Time { return time.Date(2026, time.Month(n), 10, 0, 0, 0, 0, time.UTC) }
	period := func(sub string, n, credits int) CreditFact {
		return CreditFact{Source: sub + month(n).Format(time.DateOnly), Kind: FactPeriod, InvoiceID: "in_" + month(n).Format("01"), SubscriptionID: sub, PlanID: "p",
			Credits: credits, At: month(n), PeriodStart: month(n), PeriodEnd: month(n + 1)}
	}
	upgrade := func(sub string, day, credits int) CreditFact {
		return CreditFact{Source: "u" + sub, Kind: FactUpgrade, SubscriptionID: sub, PlanID: "up", Credits: credits, At: month(1).AddDate(0, 0, day)}
	}
	refunded := func(f CreditFact, part float64) CreditFact { f.Paid, f.Refunded = 2900, int64(part*2900); return f }
	year := period("a", 1, 100)
	year.PeriodEnd = month(13)
	active := func(ids ...string) (all []Subscription) {
		for i, id := range ids {
			all = append(all, Subscription{ID: id, Status: StatusActive, CreatedAt: month(1).Add(time.Duration(i))})
		}
		return all
	}
	ended := func(id string) Subscription { return Subscription{ID: id, Status: StatusCanceled, CreatedAt: month(0)} }
	cases := []struct {
		name          string
		facts         []CreditFact
		subscriptions []Subscription
		now           time.Time
		granted       int
		packs         int
		month         int
	}{
		{"nothing paid", nil, active("a"), month(1), 0, 0, 0},
		{"the first period", []CreditFact{period("a", 1, 100)}, active("a"), month(1), 100, 0, 0},
		{"an unknown subscription", []CreditFact{period("a", 1, 100)}, nil, month(1), 100, 0, 0},
		{"a renewal", []CreditFact{period("a", 1, 100), period("a", 2, 100)}, active("a"), month(2), 100, 0, 0},
		{"an older period recorded late", []CreditFact{period("a", 2, 100), period("a", 1, 900)}, active("a"), month(2), 100, 0, 0},
		{"an upgrade", []CreditFact{period("a", 1, 100), upgrade("a", 5, 1000)}, active("a"), month(1), 1000, 0, 0},
		{"an upgrade before its period is known", []CreditFact{upgrade("a", 5, 1000)}, active("a"), month(1), 0, 0, 0},
		{"a downgrade removes no credits", []CreditFact{period("a", 1, 1000), upgrade("a", 5, 100)}, active("a"), month(1), 1000, 0, 0},
		{"an upgrade of the previous period", []CreditFact{period("a", 2, 100), upgrade("a", 5, 1000)}, active("a"), month(2), 100, 0, 0},
		{"another subscription's upgrade", []CreditFact{period("a", 1, 100), upgrade("b", 5, 1000)}, active("a", "b"), month(1), 100, 0, 0},
		{"a canceled subscription", []CreditFact{period("a", 1, 100)}, []Subscription{ended("a")}, month(1), 0, 0, 0},
		{"a duplicate subscription", []CreditFact{period("a", 1, 100), period("b", 2, 900)}, active("a", "b"), month(2), 100, 0, 0},
		{"a duplicate after the first was canceled", []CreditFact{period("a", 1, 100), period("b", 2, 900)}, append(active("b"), ended("a")), month(2), 900, 0, 0},
		{"a canceled duplicate", []CreditFact{period("a", 1, 100), period("b", 2, 900)}, append(active("a"), ended("b")), month(2), 100, 0, 0},
		{"packs", []CreditFact{{Kind: FactPack, Credits: 50}, refunded(CreditFact{Kind: FactPack, Credits: 30}, 0.5)}, nil, month(1), 0, 65, 0},
		{"half refunded", []CreditFact{refunded(period("a", 1, 100), 0.5)}, active("a"), month(1), 50, 0, 0},
		{"fully refunded", []CreditFact{refunded(period("a", 1, 100), 1)}, active("a"), month(1), 0, 0, 0},
		{"a refunded upgrade", []CreditFact{period("a", 1, 100), refunded(upgrade("a", 5, 1000), 1)}, active("a"), month(1), 100, 0, 0},
		{"refunded and disputed", []CreditFact{refunded(period("a", 1, 100), 2)}, active("a"), month(1), 0, 0, 0},
		{"a refund of the previous period", []CreditFact{refunded(period("a", 1, 100), 1), period("a", 2, 100)}, active("a"), month(2), 100, 0, 0},
		{"the fourth month of a year", []CreditFact{year}, active("a"), month(4).Add(time.Hour), 100, 0, 3},
		{"the last month of a year", []CreditFact{year}, active("a"), month(30), 100, 0, 11},
	}
	random := rand.New(rand.NewPCG(1, 2))
	for _, c := range cases {
		for range 20 {
			random.Shuffle(len(c.facts), func(i, j int) { c.facts[i], c.facts[j] = c.facts[j], c.facts[i] })
			random.Shuffle(len(c.subscriptions), func(i, j int) { c.subscriptions[i], c.subscriptions[j] = c.subscriptions[j], c.subscriptions[i] })
			got := computeCredits(c.facts, c.subscriptions, c.now)
			if got.Granted != c.granted || got.Packs != c.packs || got.Month != c.month {
				t.Fatalf("%s: granted %d, packs %d, month %d; want %d, %d, %d", c.name, got.Granted, got.Packs, got.Month, c.granted, c.packs, c.month)
			}
		}
	}
}

// Credits are taken back in proportion, rounded down, in integers.
func TestRemainingCreditsAreExact(t *testing.T) {
	for _, c := range []struct {
		credits        int
		paid, refunded int64
		want           int
	}{
		{1000, 2900, 0, 1000},
		{1000, 2900, 1450, 500},
		{1000, 2900, 1, 1000}, // 0.34 credits
		{1000, 2900, 2899, 1}, // 999.65 are taken
		{1000, 2900, 2900, 0},
		{1000, 2900, 5800, 0}, // never more than granted
		{1000, 2900, -100, 1000},
		{1000, 0, 100, 1000}, // nothing was paid
		{100, 100, 29, 71},   // 0.29 has no exact float64
		{1_000_000_000, 9_000_000_000_000_000, 8_999_999_999_999_999, 1},
		{1_000_000_000, 3, 1, 666_666_667},
	} {
		if got := (CreditFact{Paid: c.paid, Refunded: c.refunded}).remaining(c.credits); got != c.want {
			t.Errorf("%d credits, %d of %d refunded: %d remain, want %d", c.credits, c.refunded, c.paid, got, c.want)
		}
	}
	for refunded := range int64(2901) {
		got := (CreditFact{Paid: 2900, Refunded: refunded}).remaining(1000)
		if taken := int64(1000 - got); taken*2900 > 1000*refunded || (taken+1)*2900 <= 1000*refunded {
			t.Fatalf("%d of 2900 refunded: %d of 1000 taken", refunded, taken)
		}
	}
}
