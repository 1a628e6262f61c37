package catalog

import (
	"slices"

	"usher/billing/apperr"
)

// TrialGuard says how often a trial may be used; empty is TrialGuardOrganization.
type TrialGuard string

// The trial guards.
const (
	TrialGuardOrganization TrialGuard = "organization" // once per organization
	TrialGuardCard         TrialGuard = "card"         // and once per card number
)

// MissingCard is what happens to a subscription whose trial ends without a card, as Stripe names it
// (https://docs.stripe.com/payments/checkout/free-trials).
type MissingCard string

// The values of MissingCard.
const (
	MissingCardPause   MissingCard = "pause"          // it is paused until there is a card
	MissingCardCancel  MissingCard = "cancel"         // it ends
	MissingCardInvoice MissingCard = "create_invoice" // its invoice stays unpaid
)

// Plan is a product that can be subscribed to. The tags are its keys in a plan file, see
// [decoder.table].
type Plan struct {
	ID          string `toml:"id" required:"true" identifier:"true"`
	Name        string `toml:"name" required:"true" max:"80"`
	Description string `toml:"description"`
	// False: a flat price, whatever the number of seats.
	PerSeat      bool     `toml:"per_seat"`
	Credits      int      `toml:"credits" max:"1000000000"` // granted each month
	Features     []string `toml:"features"`
	Entitlements []string `toml:"entitlements"`
	// TrialDays is at most 730 at Stripe
	// (https://docs.stripe.com/api/checkout/sessions/create, trial_period_days).
	TrialDays int `toml:"trial_days" max:"730"`
	// TrialGuard limits trials beyond one per organization.
	TrialGuard TrialGuard `toml:"trial_guard" oneof:"organization card"`
	// TrialWithoutCard starts trials without a card and says what happens at the end of a trial
	// that still has none. Empty: a trial asks for a card.
	TrialWithoutCard MissingCard `toml:"trial_without_card" oneof:"pause cancel create_invoice"`

	SeatMinimum int `toml:"seat_minimum" max:"1000000"`
	SeatMaximum int `toml:"seat_maximum" max:"1000000"` // 0: none
	GraceDays   int `toml:"grace_days" max:"365"`       // days of access after the oldest open invoice was finalized

	// ProrationOnIncrease says how seats added within a period are charged, for prices that do not
	// say it themselves. Empty: the default of the price's interval.
	ProrationOnIncrease Proration `toml:"proration_on_increase" oneof:"create_prorations monthly always_invoice none"`
	// ProrationOnDecrease says it for removed seats.
	ProrationOnDecrease Proration `toml:"proration_on_decrease" oneof:"create_prorations monthly always_invoice none at_renewal"`
	// A quantity changed at Stripe becomes the minimum instead of being reverted.
	AcceptQuantity bool

	Highlighted bool    `toml:"highlighted"`
	Prices      []Price // for sale
	Former      []Price // no longer sold, with their own amounts and intervals
}

// Price returns the plan's price for an interval.
func (p Plan) Price(interval Interval) (Price, bool) {
	i := slices.IndexFunc(p.Prices, func(price Price) bool { return price.Interval == interval })
	if i < 0 {
		return Price{}, false
	}
	return p.Prices[i], true
}

// Quantity returns the subscription quantity for a number of billed members: at least one and the
// plan's minimum, and one for a flat plan.
func (p Plan) Quantity(billed int) int {
	if !p.PerSeat {
		return 1
	}
	return max(1, p.SeatMinimum, billed)
}

// RequireSeats returns CodeConflict if the plan has no room for a number of billed people. A flat
// plan has no maximum.
func (p Plan) RequireSeats(billed int) error {
	if !p.PerSeat || p.SeatMaximum == 0 || billed <= p.SeatMaximum {
		return nil
	}
	over := billed - p.SeatMaximum
	if over == 1 {
		return apperr.Errorf(apperr.CodeConflict, "%s has seats for at most %d people, and %d would need one. Choose a larger plan, or free a seat.",
			p.Name, p.SeatMaximum, billed)
	}
	return apperr.Errorf(apperr.CodeConflict, "%s has seats for at most %d people, and %d would need one. Choose a larger plan, or free %d seats.",
		p.Name, p.SeatMaximum, billed, over)
}
