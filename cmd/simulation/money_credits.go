package main

import (
	"context"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"
)

// paidPeriod is a paid period of a plan.
type paidPeriod struct {
	invoice    *recordedInvoice
	start, end int64
	plan       string
	months     int
}

// paidUpgrade is an invoice whose prorations lead to a plan with more credits.
type paidUpgrade struct {
	invoice        *recordedInvoice
	from, to       string
	charged, endOf int64 // the time that the invoice charges for
	paidAt         int64
}

// granted are the credits that an organization has, with what they are granted for.
type granted struct {
	plan, packs int
	month       string // the invoice and the month within its period; empty: none
}

func (g granted) sum() int { return g.plan + g.packs }

// grantedTo returns the credits of an organization if it consumed none.
func (o *moneyOracle) grantedTo(organizationID string) granted {
	result := granted{packs: o.packCreditsOf(organizationID)}
	subscription, periods := o.runningSubscription(organizationID)
	if subscription == nil {
		return result
	}
	period := newest(periods)
	month := subscription.monthOf(period, o.now)
	result.month = period.invoice.ID + "/" + string(rune('a'+month))
	result.plan = o.kept(period.invoice, soldPlans[period.plan].credits)
	level := map[int64]int{} // credits reached by the start of the period in which they were
	for _, up := range o.upgradesOf(subscription) {
		inside, known := latestCovering(periods, up.charged)
		base := soldPlans[up.from].credits
		if known {
			if level[inside.start] == 0 {
				level[inside.start] = soldPlans[inside.plan].credits
			}
			base = max(base, level[inside.start])
		}
		gain := o.kept(up.invoice, max(0, soldPlans[up.to].credits-base))
		if known {
			level[inside.start] += gain
		}
		if subscription.adds(up, period, month) {
			result.plan += gain
		}
	}
	return result
}

// adds reports whether an upgrade adds to the credits of a month of a period: one made and paid in
// the period adds to all its months; one paid later adds to the month in which it was paid.
func (s *subscriptionPast) adds(up paidUpgrade, period paidPeriod, month int) bool {
	inside := up.charged >= period.start && up.charged < period.end
	if inside && up.paidAt < period.end {
		return true
	}
	paidHere := up.invoice == period.invoice || up.paidAt >= period.start && up.paidAt < period.end
	return !inside && paidHere && s.monthOf(period, up.paidAt) == month
}

// kept returns the part of the credits of an invoice that refunds leave, rounded up.
func (o *moneyOracle) kept(invoice *recordedInvoice, credits int) int {
	returned := min(o.returned(invoice.ID), invoice.Total)
	if invoice.Total <= 0 || returned <= 0 {
		return credits
	}
	return credits - int(int64(credits)*returned/invoice.Total)
}

// returned returns what was refunded and credited of an invoice.
func (o *moneyOracle) returned(invoiceID string) (sum int64) {
	for _, charge := range o.charges {
		if charge.Invoice == invoiceID {
			sum += charge.AmountRefunded
		}
	}
	for _, note := range o.creditNotes {
		if note.Invoice != invoiceID || note.Status != "issued" {
			continue
		}
		sum += note.Amount
		for _, refund := range o.refunds { // counted with its charge
			if refund.ID == note.Refund {
				sum -= refund.Amount
			}
		}
	}
	return sum
}

// packCreditsOf returns the credits of all packs that were paid.
func (o *moneyOracle) packCreditsOf(organizationID string) (sum int) {
	for _, session := range o.sessions {
		if session.Mode != "payment" || session.PaymentStatus != "paid" || o.organizations[session.Customer] != organizationID {
			continue
		}
		credits := packCredits
		for _, charge := range o.charges {
			if charge.PaymentIntent == session.PaymentIntent && charge.Status == "succeeded" && charge.AmountRefunded > 0 {
				credits = packCredits - int(packCredits*charge.AmountRefunded/charge.Amount)
			}
		}
		sum += credits
	}
	return sum
}

// runningSubscription returns the subscription whose credits count: the oldest that gives access
// and has a paid period, else the one that was paid first.
func (o *moneyOracle) runningSubscription(organizationID string) (*subscriptionPast, []paidPeriod) {
	var live []*subscriptionPast
	for _, s := range o.of(organizationID) {
		if s.ours() && !s.ended() {
			live = append(live, s)
		}
	}
	slices.SortStableFunc(live, func(a, b *subscriptionPast) int {
		if a.givesAccess() != b.givesAccess() {
			return map[bool]int{true: -1, false: 1}[a.givesAccess()]
		}
		if a.Created != b.Created {
			return int(a.Created - b.Created)
		}
		return strings.Compare(a.ID, b.ID)
	})
	var first *subscriptionPast
	var firstPeriods []paidPeriod
	for n, s := range live {
		periods := o.periodsOf(s)
		switch {
		case len(periods) == 0:
			continue
		case n == 0:
			return s, periods
		case first == nil || earliest(periods) < earliest(firstPeriods) || earliest(periods) == earliest(firstPeriods) && s.ID < first.ID:
			first, firstPeriods = s, periods
		}
	}
	return first, firstPeriods
}

// periodsOf lists the paid periods of a subscription. A trial counts only if it is the
// organization's first.
func (o *moneyOracle) periodsOf(s *subscriptionPast) (periods []paidPeriod) {
	for i := range o.invoices {
		invoice := &o.invoices[i]
		if invoice.Subscription != s.ID || invoice.Status != "paid" {
			continue
		}
		best := paidPeriod{invoice: invoice}
		for _, line := range invoice.Lines.Data {
			if line.Type == "subscription" && !line.Proration && line.Price.plan() != "" && line.Period.End > best.end {
				best.start, best.end, best.plan, best.months = line.Period.Start, line.Period.End, line.Price.plan(), line.Price.months()
			}
		}
		if best.plan != "" && !o.repeatsTrial(s, best) {
			periods = append(periods, best)
		}
	}
	return periods
}

// repeatsTrial reports whether a period is a trial and the organization had one before.
func (o *moneyOracle) repeatsTrial(s *subscriptionPast, period paidPeriod) bool {
	if s.TrialEnd == 0 || period.start < s.TrialStart || period.start >= s.TrialEnd {
		return false
	}
	return slices.ContainsFunc(o.of(s.organization), func(other *subscriptionPast) bool {
		started := other.ours() && other.TrialEnd > 0 && other.Status != "incomplete" && other.Status != "incomplete_expired"
		return started && (other.TrialStart < s.TrialStart || other.TrialStart == s.TrialStart && other.ID < s.ID)
	})
}

// upgradesOf lists the paid upgrades of a subscription in the order in which they were made.
func (o *moneyOracle) upgradesOf(s *subscriptionPast) (upgrades []paidUpgrade) {
	for i := range o.invoices {
		invoice := &o.invoices[i]
		if invoice.Subscription != s.ID || invoice.Status != "paid" {
			continue
		}
		if up := upgradeOn(invoice); soldPlans[up.to].credits > soldPlans[up.from].credits {
			upgrades = append(upgrades, up)
		}
	}
	slices.SortFunc(upgrades, func(a, b paidUpgrade) int {
		if a.charged != b.charged {
			return int(a.charged - b.charged)
		}
		// The switches of one second are a chain, whichever was paid first.
		return soldPlans[a.from].credits - soldPlans[b.from].credits
	})
	return upgrades
}

// upgradeOn compares the plan that an invoice's first proration credits with the plan that its last
// one charges for.
func upgradeOn(invoice *recordedInvoice) paidUpgrade {
	up := paidUpgrade{invoice: invoice, paidAt: invoice.Transitions.PaidAt}
	creditedAt := int64(0)
	for _, line := range invoice.Lines.Data {
		plan := line.Price.plan()
		if plan == "" || !line.Proration {
			continue
		}
		larger := func(than string) bool { return soldPlans[plan].credits > soldPlans[than].credits }
		if strings.HasPrefix(line.Description, "Unused time") {
			if up.from == "" || line.Period.Start < creditedAt || line.Period.Start == creditedAt && larger(up.from) {
				up.from, creditedAt = plan, line.Period.Start
			}
		} else if up.to == "" || line.Period.Start > up.charged || line.Period.Start == up.charged && larger(up.to) {
			up.to, up.charged, up.endOf = plan, line.Period.Start, line.Period.End
		}
	}
	return up
}

func newest(periods []paidPeriod) paidPeriod {
	return slices.MaxFunc(periods, func(a, b paidPeriod) int {
		if a.start != b.start {
			return int(a.start - b.start)
		}
		if a.invoice.Created != b.invoice.Created {
			return int(a.invoice.Created - b.invoice.Created)
		}
		return strings.Compare(a.invoice.ID, b.invoice.ID)
	})
}

func earliest(periods []paidPeriod) int64 {
	start := periods[0].start
	for _, p := range periods {
		start = min(start, p.start)
	}
	return start
}

func latestCovering(periods []paidPeriod, at int64) (paidPeriod, bool) {
	var covering []paidPeriod
	for _, p := range periods {
		if at >= p.start && at < p.end {
			covering = append(covering, p)
		}
	}
	if len(covering) == 0 {
		return paidPeriod{}, false
	}
	return newest(covering), true
}

// monthOf counts the months of a period until a time, from 0. They begin on the anchor's day of the
// month, or on the last day of a shorter month.
func (s *subscriptionPast) monthOf(period paidPeriod, at int64) int {
	start, anchor := time.Unix(period.start, 0).UTC(), time.Unix(s.Anchor, 0).UTC()
	day := start.Day()
	if dayIn(start.Year(), int(start.Month()), anchor.Day()) == day {
		day = anchor.Day()
	}
	month := 0
	for n := 1; n < period.months; n++ {
		year, next := start.Year()+(int(start.Month())-1+n)/12, (int(start.Month())-1+n)%12+1
		begins := time.Date(year, time.Month(next), dayIn(year, next, day), start.Hour(), start.Minute(), start.Second(), 0, time.UTC)
		if at >= begins.Unix() && begins.Unix() < period.end {
			month = n
		}
	}
	return month
}

// dayIn returns a day of a month, or its last day if it has no such day.
func dayIn(year, month, day int) int {
	days := []int{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}[month-1]
	if month == 2 && year%4 == 0 && (year%100 != 0 || year%400 == 0) {
		days = 29
	}
	return min(day, days)
}

// verifyGrants checks the balance of an organization that has consumed nothing.
func (o *moneyOracle) verifyGrants(ctx context.Context, h *history) error {
	want := o.grantedTo(h.organizationID)
	balance, err := creditBalance(ctx, o.env.store, h)
	if err != nil {
		return err
	}
	o.results.countMoney("credits granted", "", int64(want.sum()), 1)
	if balance != want.sum() {
		h.diverged("the balance is %d credits, granted were %d by the plan and %d by packs (%s)", balance, want.plan, want.packs, o.describeGrants(ctx, h))
	}
	return nil
}

// describeGrants lists what grantedTo considers, and what the program has stored of it.
func (o *moneyOracle) describeGrants(ctx context.Context, h *history) string {
	var text []string
	for _, s := range o.of(h.organizationID) {
		text = append(text, fmt.Sprintf("%s %s, created %d, trial %d to %d", s.ID, s.Status, s.Created, s.TrialStart, s.TrialEnd))
		for _, p := range o.periodsOf(s) {
			text = append(text, fmt.Sprintf("period %s of %s from %d, %d of %d returned", p.invoice.ID, p.plan, p.start, o.returned(p.invoice.ID), p.invoice.Total))
		}
		for _, up := range o.upgradesOf(s) {
			text = append(text, fmt.Sprintf("upgrade %s of %s to %s at %d, %d of %d returned", up.invoice.ID, up.from, up.to, up.charged, o.returned(up.invoice.ID), up.invoice.Total))
		}
	}
	var facts []string
	err := o.env.store.DB().SelectContext(ctx, &facts, `select row_to_json(f)::text from credit_facts f where organization_id = $1`, h.organizationID)
	if err != nil {
		text = append(text, err.Error())
	}
	return strings.Join(append(text, facts...), "; ")
}

// shareOf returns the part of an amount for the time after a moment of a period, by the second,
// rounded half away from zero.
func shareOf(amount, at, start, end int64) int64 {
	if end <= start {
		return 0
	}
	return rounded(new(big.Rat).Mul(big.NewRat(amount, 1), big.NewRat(end-at, end-start)))
}

// rounded rounds half away from zero.
func rounded(part *big.Rat) int64 {
	negative := part.Sign() < 0
	part.Abs(part).Add(part, big.NewRat(1, 2))
	whole := new(big.Int).Quo(part.Num(), part.Denom()).Int64()
	if negative {
		return -whole
	}
	return whole
}
