package billing

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"usher/billing/account"
	"usher/billing/catalog"
)

// Histories read what an organization had and paid over time, from the store alone.
type Histories struct{ *core }

// Month is what an organization was invoiced in a calendar month (UTC), and its seats at the end of
// it.
//
// The rule of the sums: an invoice belongs to the month in which it was finalized, as in the list
// of invoices, whenever it was paid. Drafts and void invoices count nowhere. Only invoices in the
// organization's currency are added up; the sums of each other currency are in Others, and are
// never converted. Invoiced is the sum of the totals; one with a negative total, which credits
// the customer's balance, reduces it. Each total is divided into four parts, so that
//
//	Invoiced = Kept + Returned + Open + Failed
//
// Open is what is still to be paid, Failed the same after an attempt to collect it failed or
// collecting was given up. Returned is what was refunded, credited by a credit note or lost in a
// dispute, at most what is not open. Kept is the rest, whether a card or the balance paid it. An
// open dispute takes nothing yet: it is named in Disputed and part of Kept.
type Month struct {
	Start time.Time
	// Planned means that a plan ran at some time of the month.
	Planned bool
	// Seats is the number of seats at the end of the month, or now in the present one; 0: no plan
	// ran then, or the ledger does not reach back so far.
	Seats    int
	Invoices int // in the organization's currency
	Invoiced catalog.Money
	Kept     catalog.Money
	Returned catalog.Money
	Open     catalog.Money
	Failed   catalog.Money
	Disputed catalog.Money   // of Kept: in open disputes
	Others   []catalog.Money // invoiced in other currencies, in their order
}

// MonthSeats is the number of seats after the last change of a month.
type MonthSeats struct {
	Month time.Time `db:"month"` // its start
	Seats int       `db:"seats"`
}

// historyMonths is the number of months of a history, the present one included.
const historyMonths = 12

// Months reads the last twelve months, the oldest first. Viewers who may not manage billing see
// seats and no amounts: invoices are for those who may.
func (h *Histories) Months(ctx context.Context, a account.Access) ([]Month, error) {
	now := h.Now().UTC()
	first := time.Date(now.Year(), now.Month()+1-historyMonths, 1, 0, 0, 0, 0, time.UTC)
	acct := h.knownAccount()
	subscriptions, err := h.store.Subscriptions().List(ctx, a.Organization.ID, acct)
	if err != nil {
		return nil, fmt.Errorf("list subscriptions: %w", err)
	}
	seats, err := h.store.SeatLedger().MonthEnds(ctx, a.Organization.ID, first)
	if err != nil {
		return nil, fmt.Errorf("read seats by month: %w", err)
	}
	var invoices []Invoice
	if a.CanManageBilling() {
		if invoices, err = h.store.Invoices().Since(ctx, a.Organization.ID, acct, first); err != nil {
			return nil, fmt.Errorf("list invoices: %w", err)
		}
	}
	currency := h.currencyOf(subscriptions, invoices)
	months := sumsByMonth(invoices, currency, first, now)
	addSeats(months, subscriptions, seats, now)
	return months, nil
}

// currencyOf returns the currency of the organization: that of the newest subscription whose
// price is known, or else of the newest invoice. Stripe lets a customer have subscriptions in one
// currency at a time (https://docs.stripe.com/billing/customer#currency).
func (h *Histories) currencyOf(subscriptions []Subscription, invoices []Invoice) string {
	newest := slices.SortedFunc(slices.Values(subscriptions), func(a, b Subscription) int { return b.CreatedAt.Compare(a.CreatedAt) })
	for _, s := range newest {
		if _, price, known := h.Catalog().ByPrice(s.PriceID); known {
			return strings.ToLower(price.Amount.Currency)
		}
	}
	if len(invoices) > 0 {
		return strings.ToLower(slices.MaxFunc(invoices, func(a, b Invoice) int { return a.listedAt().Compare(b.listedAt()) }).Currency)
	}
	return ""
}

// sumsByMonth adds up invoices by month, by the rule of [Month]. It is a pure function.
func sumsByMonth(invoices []Invoice, currency string, first, now time.Time) []Month {
	var months []Month
	for at := first; !at.After(now); at = at.AddDate(0, 1, 0) {
		zero := catalog.Money{Currency: currency}
		months = append(months, Month{Start: at, Invoiced: zero, Kept: zero, Returned: zero, Open: zero, Failed: zero, Disputed: zero})
	}
	for _, invoice := range invoices {
		i := monthIndex(first, invoice.listedAt())
		if i < 0 || i >= len(months) || invoice.Status == InvoiceDraft || invoice.Status == InvoiceVoid {
			continue
		}
		months[i].add(invoice)
	}
	return months
}

// SumOf adds months up: Start is the first one's, Seats is the last one's.
func SumOf(months []Month) Month {
	if len(months) == 0 {
		return Month{}
	}
	sum := Month{Start: months[0].Start, Seats: months[len(months)-1].Seats}
	currency := months[0].Invoiced.Currency
	for _, amount := range []*catalog.Money{&sum.Invoiced, &sum.Kept, &sum.Returned, &sum.Open, &sum.Failed, &sum.Disputed} {
		amount.Currency = currency
	}
	for _, m := range months {
		sum.Planned = sum.Planned || m.Planned
		sum.Invoices += m.Invoices
		sum.Invoiced.Minor += m.Invoiced.Minor
		sum.Kept.Minor += m.Kept.Minor
		sum.Returned.Minor += m.Returned.Minor
		sum.Open.Minor += m.Open.Minor
		sum.Failed.Minor += m.Failed.Minor
		sum.Disputed.Minor += m.Disputed.Minor
		for _, other := range m.Others {
			sum.addOther(other)
		}
	}
	return sum
}

// monthIndex counts the months from the first to the one of a time.
func monthIndex(first, at time.Time) int {
	at = at.UTC()
	return (at.Year()-first.Year())*12 + int(at.Month()-first.Month())
}

// listedAt is the date of an invoice in lists.
func (i Invoice) listedAt() time.Time {
	if i.FinalizedAt != nil {
		return i.FinalizedAt.UTC()
	}
	return i.CreatedAt.UTC()
}

func (m *Month) add(invoice Invoice) {
	if currency := strings.ToLower(invoice.Currency); currency != m.Invoiced.Currency {
		m.addOther(catalog.Money{Minor: invoice.Total, Currency: currency})
		return
	}
	parts := invoice.parts()
	m.Invoices++
	m.Invoiced.Minor += invoice.Total
	m.Kept.Minor += parts.kept
	m.Returned.Minor += parts.returned
	m.Open.Minor += parts.open
	m.Failed.Minor += parts.failed
	m.Disputed.Minor += invoice.Disputed
}

func (m *Month) addOther(amount catalog.Money) {
	i, found := slices.BinarySearchFunc(m.Others, amount.Currency, func(o catalog.Money, currency string) int { return strings.Compare(o.Currency, currency) })
	if !found {
		m.Others = slices.Insert(m.Others, i, catalog.Money{Currency: amount.Currency})
	}
	m.Others[i].Minor += amount.Minor
}

// invoiceParts are the parts of an invoice's total; see [Month].
type invoiceParts struct{ kept, returned, open, failed int64 }

func (i Invoice) parts() invoiceParts {
	var parts invoiceParts
	switch {
	case i.Status == InvoiceUncollectible, i.Status == InvoiceOpen && i.Attempts > 0 && !i.ActionRequired:
		parts.failed = i.AmountDue
	case i.Status != InvoicePaid:
		parts.open = i.AmountDue
	}
	rest := i.Total - parts.open - parts.failed
	parts.returned = max(0, min(rest, i.Refunded+i.Lost+i.CreditedMinor()))
	parts.kept = rest - parts.returned
	return parts
}

// addSeats sets Planned and Seats.
func addSeats(months []Month, subscriptions []Subscription, seats []MonthSeats, now time.Time) {
	for i := range months {
		month := &months[i]
		end := month.Start.AddDate(0, 1, 0)
		if end.After(now) {
			end = now
		}
		running := false
		for _, s := range subscriptions {
			month.Planned = month.Planned || s.ranWithin(month.Start, end)
			running = running || s.ranWithin(end, end)
		}
		if running {
			month.Seats = seatsAt(seats, month.Start)
		}
	}
}

// SeatLevel is the number of seats from a time on.
type SeatLevel struct {
	At     time.Time
	Seats  int
	Change SeatChange // that led to it
}

// seatLevelsRead is how many of the newest lines of the ledger are read for the levels.
const seatLevelsRead = 500

// SeatLevels reads the changes of the number of seats since a time, oldest first, with the last one
// before it. Of an organization with more changes than [seatLevelsRead], the newest are read.
func (h *Histories) SeatLevels(ctx context.Context, a account.Access, since time.Time) ([]SeatLevel, error) {
	changes, err := h.store.SeatLedger().List(ctx, a.Organization.ID, seatLevelsRead)
	if err != nil {
		return nil, fmt.Errorf("read seat levels: %w", err)
	}
	return seatLevels(changes, since), nil
}

// seatLevels keeps of the changes, which are newest first, those that changed the number.
func seatLevels(changes []SeatChange, since time.Time) []SeatLevel {
	var levels []SeatLevel
	for _, change := range changes {
		if change.From == change.To {
			continue
		}
		levels = append(levels, SeatLevel{At: change.At, Seats: change.To, Change: change})
		if change.At.Before(since) {
			break
		}
	}
	slices.Reverse(levels)
	return levels
}

// ranWithin reports whether the subscription ran at some time between two times.
func (s Subscription) ranWithin(from, until time.Time) bool {
	if s.Status == StatusIncomplete || s.Status == StatusIncompleteExpired || s.CreatedAt.After(until) {
		return false
	}
	return s.EndedAt == nil || s.EndedAt.After(from)
}

// seatsAt returns the seats after the last change up to a month; 0: none is known.
func seatsAt(seats []MonthSeats, month time.Time) int {
	count := 0
	for _, s := range seats {
		if !s.Month.After(month) {
			count = s.Seats
		}
	}
	return count
}
