package billing

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"usher/billing/catalog"
)

// explainedCatalog has a plan per seat, a larger one, one per seat and year, a flat one and a pack.
func explainedCatalog() catalog.Catalog {
	var plans catalog.Catalog
	for _, offer := range []PlanOffer{
		offerAt("Starter", catalog.Monthly, 900, false), offerAt("Pro", catalog.Monthly, 2900, false), offerAt("Team", catalog.Monthly, 9900, true),
	} {
		if offer.Plan.ID == "Pro" {
			offer.Plan.Prices = append(offer.Plan.Prices, offerAt("Pro", catalog.Yearly, 29000, false).Price)
		}
		plans.Plans = append(plans.Plans, offer.Plan)
	}
	plans.Packs = []catalog.Pack{{ID: "small", Name: "500 credits", Price: catalog.Price{ID: "price_pack"}}}
	return plans
}

// november returns a time in November 2026; day 31 and later are in December.
func november(day int) time.Time { return time.Date(2026, 11, day, 10, 20, 30, 0, time.UTC) }

// prorated returns the two lines of a change of the quantity.
func prorated(price string, day, before, after int, credit, charge int64) []InvoiceLine {
	line := InvoiceLine{
		SubscriptionID: "sub_1", Proration: true, PriceID: price, PeriodStart: november(day), PeriodEnd: november(31),
		Credit: true, Quantity: before, Amount: -credit,
	}
	charged := line
	charged.Credit, charged.Quantity, charged.Amount = false, after, charge
	return []InvoiceLine{line, charged}
}

func wholePeriod(price string, quantity int, amount int64) InvoiceLine {
	return InvoiceLine{
		SubscriptionID: "sub_1", Subscription: true, PriceID: price, Quantity: quantity, Amount: amount,
		PeriodStart: november(31), PeriodEnd: november(31).AddDate(0, 1, 0),
	}
}

// sent returns an update that Stripe accepted.
func sent(version int64, day, quantity int) SeatAttempt {
	at, accepted := november(day), true
	return SeatAttempt{
		Key: fmt.Sprint(version), SubscriptionID: "sub_1", Version: version, Quantity: quantity, At: at,
		AcknowledgedAt: &at, Accepted: &accepted, RequestID: fmt.Sprintf("req_%d", version),
	}
}

// ledger returns lines of the seat ledger, from texts such as "3 +Bo by Ana": version 3, one seat
// more. "@26" is the day; without it, it is the first.
func ledger(texts ...string) []SeatChange {
	var changes []SeatChange
	seats := 0
	for i, text := range texts {
		fields := strings.Fields(text)
		change := SeatChange{ID: int64(i + 1), From: seats, At: november(1)}
		_, _ = fmt.Sscan(fields[0], &change.Version)
		switch fields[1][0] {
		case '+':
			seats++
		case '-':
			seats--
		}
		change.SubjectName = strings.Trim(fields[1], "+-=")
		change.SubjectUserID, change.To = "usr_"+change.SubjectName, seats
		for _, field := range fields[2:] {
			day := 0
			if _, err := fmt.Sscanf(field, "@%d", &day); err == nil {
				change.At = november(day)
			}
		}
		if len(fields) > 3 {
			change.ActorName = fields[3]
		}
		changes = append(changes, change)
	}
	return changes
}

// TestExplainLines covers each cause of a line, and what is not from Usher.
func TestExplainLines(t *testing.T) {
	t.Parallel()
	const starter, pro, proYear, team = "price_Starter_month", "price_Pro_month", "price_Pro_year", "price_Team_month"
	founders := []string{"1 +Ana", "2 +Di"}
	bought := sent(2, 1, 2)
	at := november(10)
	unanswered := sent(3, 26, 3)
	unanswered.Accepted, unanswered.AcknowledgedAt, unanswered.RequestID = nil, nil, ""
	refused, no := sent(3, 26, 3), false
	refused.Accepted = &no
	confirmed, previewed := sent(3, 28, 3), november(26)
	confirmed.ProratedAt = &previewed
	upgrade := PlanChange{
		ID: "chg_1", Kind: PlanUpgrade, Status: PlanChangeApplied, SubscriptionID: "sub_1", FromPriceID: starter, PriceID: pro, Quantity: 3, ProratedAt: &at,
	}
	toYear := upgrade
	toYear.FromPriceID, toYear.PriceID = pro, proYear
	downgrade := PlanChange{
		ID: "chg_2", Kind: PlanDowngrade, Status: PlanChangeApplied, SubscriptionID: "sub_1", FromPriceID: pro, PriceID: starter, PeriodEnd: november(31),
	}
	toYearPeriod := wholePeriod(proYear, 3, 87000)
	toYearPeriod.PeriodStart = at
	ended := Subscription{ID: "sub_1", CreatedAt: november(1), EndedAt: &at}
	for _, c := range []struct {
		name     string
		lines    []InvoiceLine
		changes  []string
		attempts []SeatAttempt
		plans    []PlanChange
		want     []string // reason, text, amount, and "?" if it is not explained
	}{
		{"one person added", prorated(pro, 26, 2, 3, 967, 1450), []string{"3 +Bo by Ana"}, []SeatAttempt{sent(3, 26, 3)}, nil,
			[]string{"seats_added: Bo, from 26 Nov 483"}},
		{"one removed", prorated(pro, 26, 2, 1, 967, 483), []string{"3 -Di"}, []SeatAttempt{sent(3, 26, 1)}, nil,
			[]string{"seats_removed: Di, until 26 Nov -484"}},
		{"several at once", prorated(pro, 26, 2, 7, 967, 3383), []string{"3 +Bo", "4 +Cy", "5 +Ed", "6 +Fa", "7 +Gu"}, []SeatAttempt{sent(7, 26, 7)}, nil,
			[]string{"seats_added: Bo, Cy and 3 more, from 26 Nov 2416"}},
		{"added and removed at once", prorated(pro, 26, 2, 3, 967, 1450), []string{"3 +Bo", "4 +Cy", "5 -Ana"}, []SeatAttempt{sent(5, 26, 3)}, nil,
			[]string{"seats_added: Bo and Cy, from 26 Nov; Ana, until 26 Nov 483"}},
		{"taken back before it was sent", prorated(pro, 26, 2, 3, 967, 1450), []string{"3 +Bo", "4 +Cy", "5 -Cy"}, []SeatAttempt{sent(5, 26, 3)}, nil,
			[]string{"seats_added: Bo, from 26 Nov 483"}},
		{"after somebody took over a seat", prorated(pro, 26, 2, 3, 967, 1450), []string{"3 +Bo @5", "4 -Di @5", "5 +Cy @26"}, []SeatAttempt{sent(5, 26, 3)}, nil,
			[]string{"seats_added: Cy, from 26 Nov 483"}},
		{"together with a taken over seat", prorated(pro, 26, 2, 3, 967, 1450), []string{"3 +Bo @26", "4 -Di @26", "5 +Cy @26"}, []SeatAttempt{sent(5, 26, 3)}, nil,
			[]string{"seats_added: Bo and Cy, from 26 Nov; Di, until 26 Nov 483"}},
		{"two changes", append(prorated(pro, 26, 2, 3, 967, 1450), prorated(pro, 28, 3, 2, 580, 387)...), []string{"3 +Bo", "4 -Di"},
			[]SeatAttempt{sent(4, 28, 2), sent(3, 26, 3)}, nil, []string{"seats_added: Bo, from 26 Nov 483", "seats_removed: Di, until 28 Nov -193"}},
		{"two within a second", append(prorated(pro, 26, 2, 3, 967, 1450), prorated(pro, 26, 3, 4, 1450, 1933)...), []string{"3 +Bo", "4 +Cy"},
			[]SeatAttempt{sent(3, 26, 3), sent(4, 26, 4)}, nil, []string{"seats_added: Bo and Cy, from 26 Nov 966"}},
		{"the answer was lost", append(prorated(pro, 26, 2, 3, 967, 1450), prorated(pro, 28, 3, 4, 580, 773)...), []string{"3 +Bo", "4 +Cy"},
			[]SeatAttempt{unanswered, sent(4, 28, 4)}, nil, []string{"seats_added: Bo, from 26 Nov 483", "seats_added: Cy, from 28 Nov 193"}},
		{"the first attempt was refused", prorated(pro, 28, 2, 4, 387, 773), []string{"3 +Bo", "4 +Cy"},
			[]SeatAttempt{refused, sent(4, 28, 4)}, nil, []string{"seats_added: Bo and Cy, from 28 Nov 386"}},
		{"confirmed before it was sent", prorated(pro, 26, 2, 3, 967, 1450), []string{"3 +Bo by Ana"}, []SeatAttempt{confirmed}, nil,
			[]string{"seats_added: Bo, from 26 Nov 483"}},
		{"at no cost", prorated(pro, 26, 2, 3, 0, 0), []string{"3 +Bo"}, []SeatAttempt{sent(3, 26, 3)}, nil, []string{"seats_added: Bo, from 26 Nov 0"}},
		{"changed at Stripe", prorated(pro, 26, 2, 9, 967, 4350), nil, nil, nil,
			[]string{"seats_added: From 2 seats to 9 on 26 Nov, changed at Stripe 3383 ?"}},
		{"renewal", []InvoiceLine{wholePeriod(pro, 3, 8700)}, []string{"3 +Bo"}, []SeatAttempt{sent(3, 26, 3)}, nil,
			[]string{"renewal: 3 people on Pro, 1 Dec 2026 to 1 Jan 2027 8700"}},
		{"renewal of one person", []InvoiceLine{wholePeriod(pro, 1, 2900)}, []string{"3 -Di"}, []SeatAttempt{sent(3, 26, 1)}, nil,
			[]string{"renewal: 1 person on Pro, 1 Dec 2026 to 1 Jan 2027 2900"}},
		{"renewal of another number", []InvoiceLine{wholePeriod(pro, 9, 26100)}, nil, nil, nil,
			[]string{"renewal: 9 seats on Pro, 1 Dec 2026 to 1 Jan 2027, a number that was set at Stripe 26100 ?"}},
		{"renewal of a flat plan", []InvoiceLine{wholePeriod(team, 1, 9900)}, nil, nil, nil, []string{"renewal: Team, 1 Dec 2026 to 1 Jan 2027 9900"}},
		{"upgrade with a new person", append(prorated(starter, 10, 2, 2, 1200, 0)[:1], prorated(pro, 10, 0, 3, 0, 5800)[1]), []string{"3 +Bo"},
			[]SeatAttempt{sent(3, 10, 3)}, []PlanChange{upgrade}, []string{"plan_changed: Starter to Pro for 3 people, from 10 Nov 4600"}},
		{"upgrade to a year", append(prorated(pro, 10, 3, 3, 5800, 0)[:1], toYearPeriod), []string{"3 +Bo"},
			[]SeatAttempt{sent(3, 10, 3)}, []PlanChange{toYear}, []string{"plan_changed: Pro, monthly, to Pro, yearly for 3 people, from 10 Nov 81200"}},
		{"upgrade in the portal", append(prorated(starter, 10, 2, 2, 1200, 0)[:1], prorated(pro, 10, 0, 2, 0, 3867)[1]), nil, nil, nil,
			[]string{"plan_changed: Starter to Pro for 2 people, from 10 Nov, changed at Stripe 2667 ?"}},
		{"downgrade", []InvoiceLine{wholePeriod(starter, 2, 1800)}, nil, nil, []PlanChange{downgrade},
			[]string{"renewal: 2 people on Starter, 1 Dec 2026 to 1 Jan 2027 1800"}},
		{"ended", prorated(pro, 10, 2, 0, 3867, 0)[:1], nil, nil, nil, []string{"plan_ended: Pro, until 10 Nov -3867"}},
		{"pack and add-on", []InvoiceLine{{Description: "Support", PriceID: "price_other", Amount: 500}, {PriceID: "price_pack", Amount: 1500}}, nil, nil, nil,
			[]string{"pack: 500 credits 1500", "other: Support, not from Usher 500 ?"}},
		{"an amount by hand", []InvoiceLine{{Description: "Onboarding", Amount: 500}}, nil, nil, nil, []string{"other: Onboarding, not from Usher 500 ?"}},
	} {
		explained := explainLines(c.lines, LineSources{
			Currency: "usd", Catalog: explainedCatalog(), SeatChanges: ledger(append(founders, c.changes...)...),
			Attempts: append([]SeatAttempt{bought}, c.attempts...), PlanChanges: c.plans, Subscriptions: []Subscription{ended},
		})
		var got []string
		for _, line := range explained {
			text := fmt.Sprintf("%s: %s %d", line.Reason, line.Text, line.Amount.Minor)
			if !line.Explained {
				text += " ?"
			}
			got = append(got, text)
		}
		if strings.Join(got, "\n") != strings.Join(c.want, "\n") {
			t.Errorf("%s:\n%s\nwant:\n%s", c.name, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
		}
	}
}

// TestExplainedLineNamesItsCause: the person, who did it, and the update at Stripe.
func TestExplainedLineNamesItsCause(t *testing.T) {
	t.Parallel()
	lines := explainLines(prorated("price_Pro_month", 26, 2, 3, 967, 1450), LineSources{
		Currency: "usd", Catalog: explainedCatalog(), SeatChanges: ledger("1 +Ana", "2 +Di", "3 +Bo by Ana"), Attempts: []SeatAttempt{sent(2, 1, 2), sent(3, 26, 3)},
	})
	if len(lines) != 1 || len(lines[0].People) != 1 || lines[0].RequestID != "req_3" || lines[0].SeatVersion != 3 || len(lines[0].Lines) != 2 {
		t.Fatalf("%+v", lines)
	}
	if person := lines[0].People[0]; person.UserID != "usr_Bo" || person.By != "Ana" || person.Left {
		t.Errorf("%+v", person)
	}
}

// An update whose first answer was lost is acknowledged when it is repeated, but the change is as
// old as the first call.
func TestExplainedLineOfLateAnswer(t *testing.T) {
	t.Parallel()
	attempt := sent(3, 26, 3)
	attempt.At = *attempt.AcknowledgedAt
	late := attempt.At.Add(9 * time.Hour)
	attempt.AcknowledgedAt = &late
	for _, c := range []struct {
		name     string
		attempts []SeatAttempt
		people   int
	}{{"late answer", []SeatAttempt{sent(2, 1, 2), attempt}, 1}, {"other day", []SeatAttempt{sent(2, 1, 2), sent(3, 25, 3)}, 0}} {
		lines := explainLines(prorated("price_Pro_month", 26, 2, 3, 967, 1450), LineSources{
			Currency: "usd", Catalog: explainedCatalog(), SeatChanges: ledger("1 +Ana", "2 +Di", "3 +Bo by Ana"), Attempts: c.attempts,
		})
		if len(lines) != 1 || len(lines[0].People) != c.people {
			t.Errorf("%s: %+v, want %d people", c.name, lines, c.people)
		}
	}
}

// TestExplainInvoice: discounts, tax and what Stripe does not itemize add up to the total, and only
// a complete explanation is 100 %.
func TestExplainInvoice(t *testing.T) {
	t.Parallel()
	team := wholePeriod("price_Team_month", 1, 9900)
	addOn := InvoiceLine{Description: "Support", Amount: 1}
	for _, c := range []struct {
		name      string
		lines     []InvoiceLine
		totals    InvoiceTotals
		explained int64
		percent   int
		remainder string
	}{
		{"all", []InvoiceLine{team}, InvoiceTotals{Total: 9900}, 9900, 100, ""},
		{"discount and tax", []InvoiceLine{team}, InvoiceTotals{Discount: 990, Tax: 1693, Total: 10603}, 10603, 100, ""},
		{"one cent is not", []InvoiceLine{team, addOn}, InvoiceTotals{Total: 9901}, 9900, 99, "Support, not from Usher"},
		{"not itemized", []InvoiceLine{team}, InvoiceTotals{Total: 9950}, 9900, 99, "Not itemized by Stripe"},
		{"no lines", nil, InvoiceTotals{Total: 9900}, 0, 0, "Not itemized by Stripe"},
		{"nothing", nil, InvoiceTotals{}, 0, 100, ""},
	} {
		e := explainInvoice(c.lines, c.totals, LineSources{Currency: "usd", Catalog: explainedCatalog()})
		var sum int64
		for _, line := range e.Lines {
			sum += line.Amount.Minor
		}
		var rest []string
		for _, line := range e.Remainder() {
			rest = append(rest, line.Text.String())
		}
		if sum != c.totals.Total || e.Explained().Minor != c.explained || e.Percent() != c.percent || e.Complete() != (c.percent == 100) || strings.Join(rest, ";") != c.remainder {
			t.Errorf("%s: lines sum to %d, %v explained, %d %%, remainder %q", c.name, sum, e.Explained(), e.Percent(), rest)
		}
	}
}
