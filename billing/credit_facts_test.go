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
