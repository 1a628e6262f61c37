package billing

import (
	"math/rand/v2"
	"testing"
	"time"

	"usher/billing/catalog"
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
			got := computeCredits(c.facts, c.subscriptions, nil, c.now)
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

// An upgrade is granted when its invoice is paid, on its own or with a later period.
func TestUpgradesAreGrantedWhenPaid(t *testing.T) {
	day := func(month, day int) time.Time { return time.Date(2026, time.Month(month), day, 9, 0, 0, 0, time.UTC) }
	period := func(month, months, credits int) CreditFact {
		return CreditFact{
			Source: "invoice:in_" + day(month, 1).Format("01"), Kind: FactPeriod, InvoiceID: "in_" + day(month, 1).Format("01"), SubscriptionID: "a", PlanID: "plan",
			Credits: credits, At: day(month, 1), PeriodStart: day(month, 1), PeriodEnd: day(month+months, 1), Months: months,
		}
	}
	upgrade := func(invoice string, made, paid time.Time, from, to int) CreditFact {
		return CreditFact{
			Source: "upgrade:" + invoice, Kind: FactUpgrade, InvoiceID: invoice, SubscriptionID: "a", PlanID: "up", FromCredits: from, Credits: to, At: paid,
			PeriodStart: made, PeriodEnd: made.AddDate(0, 1, 0),
		}
	}
	returned := func(f CreditFact, minor int64) CreditFact { f.Paid, f.Refunded = 100, minor; return f }
	january := period(1, 1, 100)
	first := upgrade("in_a", day(1, 5), day(1, 5), 100, 1000)
	waiting := upgrade("in_02", day(1, 5), day(2, 1), 100, 1000)
	for _, c := range []struct {
		name  string
		facts []CreditFact
		now   time.Time
		want  int
	}{
		{"invoiced at once", []CreditFact{january, first}, day(1, 5), 1000},
		{"its period is not known yet", []CreditFact{first}, day(1, 5), 0},
		{"two upgrades", []CreditFact{january, first, upgrade("in_b", day(1, 9), day(1, 9), 1000, 5000)}, day(1, 9), 5000},
		{"the second is paid, the first is not", []CreditFact{january, upgrade("in_b", day(1, 9), day(1, 9), 1000, 5000)}, day(1, 9), 4100},
		{"two in one second, the larger was paid first",
			[]CreditFact{period(1, 1, 50), upgrade("in_b", day(1, 5), day(1, 6), 50, 100), upgrade("in_a", day(1, 5), day(1, 5), 100, 1000)}, day(1, 9), 1000},
		{"back and up again", []CreditFact{january, first, upgrade("in_b", day(1, 9), day(1, 9), 100, 1000)}, day(1, 9), 1000},
		{"refunded", []CreditFact{january, returned(first, 100)}, day(1, 9), 100},
		{"half refunded", []CreditFact{january, returned(first, 50)}, day(1, 9), 550},
		{"refunded and made again", []CreditFact{january, returned(first, 100), upgrade("in_b", day(1, 9), day(1, 9), 100, 1000)}, day(1, 9), 1000},
		{"the plan's own period is refunded", []CreditFact{returned(january, 100), first}, day(1, 9), 900},
		{"paid with the renewal", []CreditFact{january, period(2, 1, 1000), waiting}, day(2, 1), 1900},
		{"paid with the renewal, whose month is over", []CreditFact{january, period(2, 1, 1000), waiting, period(3, 1, 1000)}, day(3, 1), 1000},
		{"paid with the renewal and refunded", []CreditFact{january, period(2, 1, 1000), returned(waiting, 100)}, day(2, 1), 1000},
		{"paid after its period, before the renewal", []CreditFact{january, upgrade("in_a", day(1, 5), day(2, 3), 100, 1000)}, day(2, 3), 100},
		{"paid after its period and the renewal", []CreditFact{january, period(2, 1, 1000), upgrade("in_a", day(1, 5), day(2, 3), 100, 1000)}, day(2, 3), 1900},
		{"paid within a year", []CreditFact{period(1, 12, 100), upgrade("in_a", day(1, 5), day(2, 5), 100, 1000)}, day(4, 2), 1000},
		{"paid with the renewal of a year, in its first month", []CreditFact{january, period(2, 12, 1000), waiting}, day(2, 5), 1900},
		{"paid with the renewal of a year, in its second month", []CreditFact{january, period(2, 12, 1000), waiting}, day(3, 5), 1000},
		{"of an unknown period, with the plan before", []CreditFact{period(2, 1, 1000), waiting}, day(2, 1), 1900},
		{"no more than the plan before", []CreditFact{january, upgrade("in_a", day(1, 5), day(1, 5), 1000, 500)}, day(1, 5), 100},
	} {
		random := rand.New(rand.NewPCG(1, 2))
		for range 20 {
			random.Shuffle(len(c.facts), func(i, j int) { c.facts[i], c.facts[j] = c.facts[j], c.facts[i] })
			if got := computeCredits(c.facts, []Subscription{{ID: "a", Status: StatusActive}}, nil, c.now); got.Granted != c.want {
				t.Fatalf("%s: granted %d, want %d", c.name, got.Granted, c.want)
			}
		}
	}
}

// A trial grants credits once per organization, whoever gives a second one.
func TestLaterTrialsGrantNothing(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2026, 1, n, 9, 0, 0, 0, time.UTC) }
	period := func(subscription string, from, to int) CreditFact {
		return CreditFact{Source: subscription + day(from).String(), Kind: FactPeriod, InvoiceID: "in", SubscriptionID: subscription, Credits: 100, At: day(from),
			PeriodStart: day(from), PeriodEnd: day(to), Months: 1}
	}
	trial := func(subscription string, from, to int) Trial {
		return Trial{SubscriptionID: subscription, StartedAt: day(from), EndsAt: day(to)}
	}
	live := []Subscription{{ID: "b", Status: StatusActive}, {ID: "a", Status: StatusCanceled}}
	for _, c := range []struct {
		name   string
		facts  []CreditFact
		trials []Trial
		want   int
	}{
		{"the first", []CreditFact{period("b", 1, 15)}, []Trial{trial("b", 1, 15)}, 100},
		{"a second in another subscription", []CreditFact{period("a", 1, 15), period("b", 20, 34)}, []Trial{trial("a", 1, 15), trial("b", 20, 34)}, 0},
		{"the paid period after it", []CreditFact{period("b", 20, 34), period("b", 34, 64)}, []Trial{trial("a", 1, 15), trial("b", 20, 34)}, 100},
		{"ended early and paid", []CreditFact{period("b", 20, 34), period("b", 25, 55)}, []Trial{trial("a", 1, 15), trial("b", 20, 25)}, 100},
		{"a second in the same subscription", []CreditFact{period("b", 1, 15), period("b", 60, 74)}, []Trial{trial("b", 1, 15), trial("b", 60, 74)}, 100},
		{"the same one, seen with two starts", []CreditFact{period("b", 2, 15)}, []Trial{trial("b", 1, 15), trial("b", 2, 15)}, 100},
	} {
		if got := computeCredits(c.facts, live, c.trials, day(80)); got.Granted != c.want {
			t.Errorf("%s: granted %d, want %d", c.name, got.Granted, c.want)
		}
	}
	paid := CreditFact{Source: "paid", Kind: FactPeriod, InvoiceID: "in_paid", SubscriptionID: "b", Credits: 900, At: day(30), PeriodStart: day(30), PeriodEnd: day(60)}
	later := computeCredits([]CreditFact{paid, period("b", 40, 54)}, live, []Trial{trial("a", 1, 15), trial("b", 40, 54)}, day(41))
	if later.Granted != 900 || later.InvoiceID != "in_paid" {
		t.Errorf("a second trial within a paid period: %+v", later)
	}
}

// An invoice is an upgrade if the plan after its last proration has more credits than the plan
// before its first one.
func TestUpgradeOfAnInvoice(t *testing.T) {
	prices := &Prices{}
	prices.catalog.Store(&catalog.Catalog{Plans: []catalog.Plan{
		{ID: "none", Prices: []catalog.Price{{ID: "none", Interval: catalog.Monthly}}},
		{ID: "small", Credits: 100, Prices: []catalog.Price{{ID: "small", Interval: catalog.Monthly}, {ID: "small_year", Interval: catalog.Yearly}}},
		{ID: "large", Credits: 1000, Prices: []catalog.Price{{ID: "large", Interval: catalog.Monthly}}},
	}})
	cs := &Credits{&core{Prices: prices}}
	day := func(n int) time.Time { return time.Date(2026, 1, n, 9, 0, 0, 0, time.UTC) }
	line := func(price string, at int, amount int64) InvoiceLine {
		return InvoiceLine{PriceID: price, Proration: true, Amount: amount, Credit: amount < 0, PeriodStart: day(at), PeriodEnd: day(31)}
	}
	for _, c := range []struct {
		name     string
		lines    []InvoiceLine
		from, to int
	}{
		{"an upgrade", []InvoiceLine{line("small", 5, -700), line("large", 5, 2300)}, 100, 1000},
		{"from a plan without credits", []InvoiceLine{line("none", 5, -700), line("large", 5, 2300)}, 0, 1000},
		{"a downgrade", []InvoiceLine{line("large", 5, -2300), line("small", 5, 700)}, 0, 0},
		{"seats", []InvoiceLine{line("large", 5, -2300), line("large", 5, 4600)}, 0, 0},
		{"fewer seats", []InvoiceLine{line("large", 5, -4600), line("large", 5, 2300)}, 0, 0},
		{"seats and an upgrade", []InvoiceLine{line("small", 4, -700), line("small", 4, 1400), line("small", 5, -1400), line("large", 5, 4600)}, 100, 1000},
		{"an upgrade and seats", []InvoiceLine{line("large", 6, -2300), line("large", 6, 4600), line("small", 5, -700), line("large", 5, 2300)}, 100, 1000},
		{"up and back", []InvoiceLine{line("small", 5, -700), line("large", 5, 2300), line("large", 6, -2200), line("small", 6, 600)}, 0, 0},
		{"of a free subscription", []InvoiceLine{{PriceID: "small", Proration: true, Credit: true, PeriodStart: day(5)}, {PriceID: "large", Proration: true, PeriodStart: day(5)}}, 100, 1000},
		{"another price of the plan", []InvoiceLine{line("small", 5, -700), line("small_year", 5, 700)}, 0, 0},
		{"an add-on of another application", []InvoiceLine{line("elsewhere", 5, 500)}, 0, 0},
		{"no proration", []InvoiceLine{{PriceID: "large", Amount: 2900, PeriodStart: day(5)}}, 0, 0},
	} {
		from, to := 0, 0
		for _, fact := range cs.paidFacts(Invoice{ID: "in_1", Lines: c.lines}) {
			if fact.Kind == FactUpgrade {
				from, to = fact.FromCredits, fact.Credits
			}
		}
		if from != c.from || to != c.to {
			t.Errorf("%s: from %d to %d credits, want %d and %d", c.name, from, to, c.from, c.to)
		}
	}
}
