package catalog

import "cmp"

// Proration says how a change of seats within a period is charged: Stripe's proration_behavior
// (https://docs.stripe.com/billing/subscriptions/prorations), or one of the policies that plan
// files have besides.
type Proration string

// Stripe's proration behaviors, and the policies that [Plan.SeatPolicy] translates to them.
const (
	ProrationCreateProrations Proration = "create_prorations" // prorations go on the next invoice
	ProrationAlwaysInvoice    Proration = "always_invoice"    // prorations are invoiced immediately
	ProrationNone             Proration = "none"
	// ProrationMonthly invoices prorations once a month, also within a yearly period.
	ProrationMonthly Proration = "monthly"
	// ProrationAtRenewal keeps removed seats paid and available until the period ends.
	ProrationAtRenewal Proration = "at_renewal"
)

// Valid reports whether the behavior is known to Stripe.
func (p Proration) Valid() bool {
	return p == ProrationCreateProrations || p == ProrationAlwaysInvoice || p == ProrationNone
}

// SeatPolicy says how changes of seats within a period are charged at one price.
type SeatPolicy struct {
	Interval   Interval  // of the price; empty: unknown
	OnIncrease Proration // a behavior of Stripe's
	OnDecrease Proration // a behavior of Stripe's
	AtRenewal  bool      // removed seats stay paid and available until the period ends
	// PendingInvoiceInterval is how often Stripe invoices pending prorations between renewals;
	// empty: they are on the next renewal's invoice.
	PendingInvoiceInterval Interval
}

// SeatPolicy returns the policy of one of the plan's prices, current or former: the price's own, or
// the plan's, or the default of the interval. Prorations of monthly prices are on the next
// renewal's invoice; those of yearly prices are invoiced each month, since the renewal may be a
// year ahead.
func (p Plan) SeatPolicy(priceID string) SeatPolicy {
	price, _ := findPrice(priceID, p.Prices, p.Former)
	sold, _ := p.Price(price.Interval) // a former price has no keys of its own
	usual := ProrationCreateProrations
	if price.Interval == Yearly {
		usual = ProrationMonthly
	}
	policy := SeatPolicy{
		Interval:   price.Interval,
		OnIncrease: cmp.Or(price.ProrationOnIncrease, sold.ProrationOnIncrease, p.ProrationOnIncrease, usual),
		OnDecrease: cmp.Or(price.ProrationOnDecrease, sold.ProrationOnDecrease, p.ProrationOnDecrease, usual),
	}
	if policy.OnDecrease == ProrationAtRenewal {
		policy.OnDecrease, policy.AtRenewal = ProrationNone, p.PerSeat
	}
	policy.invoiceMonthly(&policy.OnIncrease)
	policy.invoiceMonthly(&policy.OnDecrease)
	if !p.PerSeat {
		policy.PendingInvoiceInterval = "" // the number of seats costs nothing
	}
	return policy
}

// invoiceMonthly translates ProrationMonthly. The renewals of a monthly price invoice its
// prorations each month already.
func (s *SeatPolicy) invoiceMonthly(p *Proration) {
	if *p != ProrationMonthly {
		return
	}
	*p = ProrationCreateProrations
	if s.Interval == Yearly {
		s.PendingInvoiceInterval = Monthly
	}
}
