package billing

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/catalog"
	"usher/billing/phrase"
)

// Forecasts answers what an organization will pay in the coming months, as things are and with a
// change that is only considered. Every amount is of a preview of Stripe's; the dates follow from
// the billing cycle anchor (https://docs.stripe.com/billing/subscriptions/billing-cycle). The last
// answer to each question is stored, so that pages have it while Stripe is slow or unavailable.
type Forecasts struct {
	*core
	upcoming    *UpcomingInvoices
	planChanges *PlanChanges
}

// ForecastGateway previews invoices of coming periods.
type ForecastGateway interface {
	// PreviewFirstPeriod returns the first invoice of a subscription that does not exist.
	PreviewFirstPeriod(ctx context.Context, first FirstPeriod) (InvoicePreview, error)
}

// FirstPeriod is a subscription that does not exist: it starts at StartsAt, and its first full
// period at AnchorAt.
type FirstPeriod struct {
	CustomerID         string
	PriceID            string
	Quantity           int
	StartsAt, AnchorAt time.Time
	Coupons            []string // that count; none of the customer's does
	AutomaticTax       bool
}

// forecastFreshness is how long a stored forecast is shown without a call, unless the subscription
// changes.
const forecastFreshness = time.Minute

// forecastMonths is how far a forecast reaches, and forecastPeople the largest change of people.
const (
	forecastMonths = 12
	forecastPeople = 10_000
)

// ForecastQuestion is the change that a forecast considers; the zero value is none.
type ForecastQuestion struct {
	// People join (or, negative, leave) at From.
	People int
	From   time.Time // the beginning of a day in UTC
	// PlanID and Interval are the plan to change to now; empty: none.
	PlanID   string
	Interval catalog.Interval
}

// IsZero reports whether nothing changes.
func (q ForecastQuestion) IsZero() bool { return q.People == 0 && q.PlanID == "" }

// Values returns the question as the query of an address.
func (q ForecastQuestion) Values() url.Values {
	values := url.Values{}
	if q.People != 0 {
		values.Set("people", strconv.Itoa(q.People))
		values.Set("from", q.From.Format(time.DateOnly))
	}
	if q.PlanID != "" {
		values.Set("plan", q.PlanID+"-"+string(q.Interval))
	}
	return values
}

// Forecast is the coming invoices of a subscription.
type Forecast struct {
	OrganizationID string            `db:"organization_id"`
	Question       string            `db:"question"` // [ForecastQuestion.Values], encoded
	SubscriptionID string            `db:"subscription_id"`
	Invoices       []ForecastInvoice `db:"invoices,json"` // if nothing changes
	Changed        []ForecastInvoice `db:"changed,json"`  // with the question's change; of no change: nil
	Currency       string            `db:"currency"`
	Seats          int               `db:"seats"`         // billed now
	ChangedSeats   int               `db:"changed_seats"` // billed with the change
	Until          time.Time         `db:"until"`         // twelve months ahead
	EndsAt         *time.Time        `db:"ends_at"`       // the plan's end
	FetchedAt      time.Time         `db:"fetched_at"`
	// SubscriptionRevision and BilledPeople are the state that it was made of.
	SubscriptionRevision int64 `db:"subscription_revision"`
	BilledPeople         int   `db:"billed_people"`

	// Stale means that Stripe did not answer again: the amounts are as of FetchedAt.
	Stale bool
}

// ForecastInvoice is a coming invoice.
type ForecastInvoice struct {
	At    time.Time     `json:"at"`
	Total catalog.Money `json:"total"` // negative: it is credited to the customer's balance
	// Due is Total after the customer's balance.
	Due   catalog.Money  `json:"due"`
	Parts []ForecastPart `json:"parts"`
}

// ForecastPartKind is what a part of an invoice is charged for.
type ForecastPartKind string

// The kinds of part.
const (
	ForecastRenewal ForecastPartKind = "renewal" // a whole period
	ForecastPending ForecastPartKind = "pending" // what is pending now: seat changes, usage, other items
	ForecastPeople  ForecastPartKind = "people"  // the rest of a period for people who join or leave
	ForecastChange  ForecastPartKind = "change"  // the change of plan
)

// ForecastPart is a part of a coming invoice, after discounts and with tax.
type ForecastPart struct {
	Kind     ForecastPartKind `json:"kind"`
	Amount   catalog.Money    `json:"amount"`
	PlanID   string           `json:"plan,omitempty"`
	Interval catalog.Interval `json:"interval,omitempty"`
	Seats    int              `json:"seats,omitempty"`
	From     *time.Time       `json:"from,omitempty"` // of ForecastPeople
}

// Sum returns the sum of what invoices charge before Until. Of a yearly plan the forecast has the
// next renewal too, which may be later.
func (f Forecast) Sum(invoices []ForecastInvoice) catalog.Money {
	sum := catalog.Money{Currency: f.Currency}
	for _, invoice := range invoices {
		if invoice.At.Before(f.Until) {
			sum.Minor += invoice.Due.Minor
		}
	}
	return sum
}

// Get returns the forecast for a question. It calls Stripe unless a current answer is stored, and
// waits at most [stripeLimit]. If Stripe does not answer, the last answer is returned and
// marked Stale. Errors: CodeForbidden; CodeUnprocessable with the field, CodeInvalid for an unknown
// plan, CodeConflict if the change is not possible or no plan is running; CodeStripe.
func (fs *Forecasts) Get(ctx context.Context, a account.Access, q ForecastQuestion) (Forecast, error) {
	if err := a.RequireBilling(); err != nil {
		return Forecast{}, err
	}
	facts, err := fs.facts(ctx, a, q)
	if err != nil {
		return Forecast{}, err
	}
	stored, found, err := apperr.Found(fs.store.Forecasts().Get(ctx, a.Organization.ID, q.Values().Encode()))
	if err != nil {
		return Forecast{}, fmt.Errorf("read forecast: %w", err)
	}
	if found && facts.isCurrent(stored) {
		return stored, nil
	}
	callCtx, cancel := fs.limitStripe(ctx)
	defer cancel()
	fetched, err := fs.fetch(callCtx, a, facts, q)
	switch code := apperr.CodeOf(err); {
	case err == nil:
		return fetched, fs.keep(ctx, fetched)
	case code == apperr.CodeInvalid || code == apperr.CodeConflict || code == apperr.CodeUnprocessable:
		return Forecast{}, err
	case !found || stored.SubscriptionID != facts.current.ID:
		return Forecast{}, &apperr.Error{
			Code: apperr.CodeStripe, Err: err, Message: "Stripe can't be reached right now, so we don't know the coming amounts. Please try again in a moment.",
		}
	}
	fs.Log.WarnContext(ctx, "forecast not refreshed", "organization_id", a.Organization.ID, "err", err)
	stored.Stale = true
	return stored, nil
}

// keep stores a forecast.
func (fs *Forecasts) keep(ctx context.Context, f Forecast) error {
	if err := fs.store.Forecasts().Put(ctx, f); err != nil {
		return fmt.Errorf("store forecast: %w", err)
	}
	return nil
}

// forecastFacts is what a forecast is made of, besides Stripe's answers.
type forecastFacts struct {
	current Subscription
	state   SeatState
	billed  int // members
	plan    catalog.Plan
	price   catalog.Price
	endsAt  *time.Time
	now     time.Time
}

// isCurrent reports whether a stored forecast still holds.
func (f forecastFacts) isCurrent(stored Forecast) bool {
	age := f.now.Sub(stored.FetchedAt)
	return stored.SubscriptionID == f.current.ID && stored.SubscriptionRevision == f.current.Revision && stored.BilledPeople == f.billed &&
		equalTimes(stored.EndsAt, f.endsAt) && age >= 0 && age < forecastFreshness
}

// facts reads what a forecast is made of and checks the question.
func (fs *Forecasts) facts(ctx context.Context, a account.Access, q ForecastQuestion) (f forecastFacts, err error) {
	f.now = fs.Now().UTC().Truncate(time.Second)
	err = fs.store.InTx(ctx, func(tx Tx) error {
		if _, err := tx.Organizations().Lock(ctx, a.Organization.ID); err != nil {
			return fmt.Errorf("lock organization: %w", err)
		}
		if f.state, f.billed, err = tx.Seats().LockAndCount(ctx, a.Organization.ID); err != nil {
			return fmt.Errorf("count billable members: %w", err)
		}
		f.current, _, err = apperr.Found(tx.Subscriptions().Current(ctx, a.Organization.ID, fs.knownAccount()))
		return err
	})
	if err != nil {
		return f, fmt.Errorf("read forecast: %w", err)
	}
	f.plan, f.price, _ = fs.Catalog().ByPrice(f.current.PriceID)
	if !f.current.Status.hasUpcoming() || f.plan.ID == "" {
		return f, apperr.Errorf(apperr.CodeConflict, "There is no running plan to look ahead of.")
	}
	if end, ends := f.current.EndsAt(); ends {
		f.endsAt = &end
	}
	if at := a.Organization.DeletesAt; at != nil && (f.endsAt == nil || at.Before(*f.endsAt)) {
		f.endsAt = at
	}
	return f, f.check(q)
}

// check returns why a question can't be answered.
func (f forecastFacts) check(q ForecastQuestion) error {
	if q.People == 0 {
		return nil
	}
	switch today := f.now.Truncate(24 * time.Hour); {
	case q.People > forecastPeople || q.People < -forecastPeople:
		return apperr.FieldError("people", "Please enter a number from %d to %d.", -forecastPeople, forecastPeople)
	case f.billed+q.People < 1:
		return apperr.FieldError("people", "%s, and one has to stay.",
			phrase.In(phrase.Count(f.billed, "Only %s person has a seat now", "Only %s people have a seat now")))
	case q.From.Before(today) || !q.From.Before(f.until()):
		return apperr.FieldError("from", "Please choose a day from today to %s.", phrase.Date(f.until().AddDate(0, 0, -1)))
	case f.endsAt != nil && !q.From.Before(*f.endsAt):
		return apperr.FieldError("from", "Your plan ends on %s. Please choose a day before that.", phrase.Date(*f.endsAt))
	}
	return nil
}

// until returns the beginning of the day, in UTC, to which the forecast reaches: a plan that renews
// on the day of the year on which it is asked is counted the same at every hour.
func (f forecastFacts) until() time.Time {
	return f.now.Truncate(24*time.Hour).AddDate(0, forecastMonths, 0)
}

// fetch makes a forecast of Stripe's answers.
func (fs *Forecasts) fetch(ctx context.Context, a account.Access, facts forecastFacts, q ForecastQuestion) (Forecast, error) {
	forecast := Forecast{
		OrganizationID: a.Organization.ID, Question: q.Values().Encode(), SubscriptionID: facts.current.ID, Currency: facts.price.Amount.Currency,
		Seats: facts.current.Quantity, ChangedSeats: facts.current.Quantity, Until: facts.until(), EndsAt: facts.endsAt,
		FetchedAt: facts.now, SubscriptionRevision: facts.current.Revision, BilledPeople: facts.billed,
	}
	next, change, err := fs.startingPoint(ctx, a, facts, q)
	if err != nil {
		return forecast, err
	}
	plain := newTimeline(facts, fs.Catalog(), next, nil, ForecastQuestion{})
	lines := []*timeline{plain}
	if !q.IsZero() {
		changed := newTimeline(facts, fs.Catalog(), next, change, q)
		if err := changed.checkSeats(); err != nil {
			return forecast, err
		}
		lines = append(lines, changed)
		forecast.ChangedSeats = changed.lastSeats()
	}
	amounts, err := fs.fetchAmounts(ctx, facts, next, lines)
	if err != nil {
		return forecast, err
	}
	forecast.Invoices = plain.invoices(amounts)
	if len(lines) > 1 {
		forecast.Changed = lines[1].invoices(amounts)
	}
	return forecast, nil
}

// forecastChange is a change of plan that is made now, with the invoice that it creates.
type forecastChange struct {
	PlanChange
	to      PlanOffer
	invoice InvoicePreview // of an upgrade only
}

// startingPoint returns the next invoice, and the change of plan that the question is about.
func (fs *Forecasts) startingPoint(ctx context.Context, a account.Access, facts forecastFacts, q ForecastQuestion) (UpcomingInvoice, *forecastChange, error) {
	var (
		next        UpcomingInvoice
		change      *forecastChange
		nextFailure error
		group       sync.WaitGroup
	)
	group.Go(func() { next, nextFailure = fs.upcoming.Get(ctx, a) })
	change, err := fs.change(ctx, a, facts, q)
	group.Wait()
	if nextFailure == nil && next.Stale {
		nextFailure = errors.New("the next invoice is not current")
	}
	return next, change, errors.Join(err, nextFailure)
}

// change returns the change of plan that a question is about; nil: none.
func (fs *Forecasts) change(ctx context.Context, a account.Access, facts forecastFacts, q ForecastQuestion) (*forecastChange, error) {
	if q.PlanID == "" {
		return nil, nil
	}
	to, err := fs.planChanges.offer(q.PlanID, q.Interval)
	if err != nil {
		return nil, err
	}
	draft, err := fs.planChanges.draft(ctx, a, facts.current, to)
	if err != nil {
		return nil, err
	}
	change := &forecastChange{PlanChange: draft, to: to}
	if change.Kind == PlanUpgrade {
		if change.invoice, err = fs.gateway.PreviewPlanChange(ctx, change.update()); err != nil {
			return nil, previewFailed(err)
		}
	}
	return change, nil
}

// fetchAmounts fetches every amount that the timelines need from Stripe, each once and all at the
// same time.
func (fs *Forecasts) fetchAmounts(ctx context.Context, facts forecastFacts, next UpcomingInvoice, lines []*timeline) (forecastAmounts, error) {
	amounts := forecastAmounts{}
	var keys []forecastKey
	for _, line := range lines {
		for _, key := range line.keys() {
			if !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		}
	}
	found, failures := make([]int64, len(keys)), make([]error, len(keys))
	var group sync.WaitGroup
	for i, key := range keys {
		group.Go(func() { found[i], failures[i] = fs.fetchAmount(ctx, facts, next, key) })
	}
	group.Wait()
	for i, key := range keys {
		amounts[key] = found[i]
	}
	return amounts, errors.Join(failures...)
}

// fetchAmount fetches one amount from Stripe, after discounts and with tax.
func (fs *Forecasts) fetchAmount(ctx context.Context, facts forecastFacts, next UpcomingInvoice, key forecastKey) (int64, error) {
	switch {
	case !key.prorates():
		return fs.renewalAmount(ctx, facts, next, key)
	case key.current:
		at := key.from
		preview, err := fs.gateway.PreviewQuantity(ctx, QuantityUpdate{
			SubscriptionID: facts.current.ID, ItemID: facts.current.ItemID, Quantity: key.quantity,
			Proration: string(catalog.ProrationCreateProrations), ProratedAt: &at,
		})
		return preview.proratedFrom(at), err
	}
	_, price, _ := fs.Catalog().ByPrice(key.priceID)
	startsAt, anchorAt := key.previewable(price.Interval)
	first := FirstPeriod{
		CustomerID: facts.current.CustomerID, PriceID: key.priceID, Quantity: key.quantity, StartsAt: startsAt, AnchorAt: anchorAt,
		Coupons: next.couponsAt(key.from), AutomaticTax: next.AutomaticTax,
	}
	with, err := fs.gateway.PreviewFirstPeriod(ctx, first)
	if err != nil {
		return 0, err
	}
	first.Quantity = key.before
	without, err := fs.gateway.PreviewFirstPeriod(ctx, first)
	return with.sumOf(key.priceID) - without.sumOf(key.priceID), err
}

// renewalAmount returns what a renewal charges for whole periods, without usage. Stripe previews it
// as the next renewal with the price, the quantity and the discounts of that time.
func (fs *Forecasts) renewalAmount(ctx context.Context, facts forecastFacts, next UpcomingInvoice, key forecastKey) (int64, error) {
	update := PlanUpdate{
		SubscriptionID: facts.current.ID, ItemID: facts.current.ItemID, PriceID: key.priceID, Quantity: key.quantity,
		Proration: catalog.ProrationNone,
	}
	if len(next.Discounts) > 0 && key.discounts != allDiscounts {
		ids := next.discountsAt(key.discounts)
		update.Discounts = &ids
	}
	preview, err := fs.gateway.PreviewPlanChange(ctx, update)
	return preview.wholePeriods(), err
}
