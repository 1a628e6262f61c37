package billing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/catalog"
)

// UpcomingInvoiceGateway reads invoices that Stripe will create.
type UpcomingInvoiceGateway interface {
	// UpcomingInvoice returns the next invoice of a subscription with all its lines, up to a bound;
	// ErrNotFound if it has none.
	UpcomingInvoice(ctx context.Context, subscriptionID string) (InvoicePreview, error)
	// PendingItemsInvoice returns the invoice of what is pending now, without a renewal;
	// ErrNotFound if nothing is.
	PendingItemsInvoice(ctx context.Context, subscriptionID string) (InvoicePreview, error)
}

// UpcomingInvoices knows what each subscription is charged next. The amounts are Stripe's. The last
// answer is stored, so that pages have it while Stripe is slow or unavailable.
type UpcomingInvoices struct {
	*core
	subscriptions *Subscriptions
	notices       *Notices
	baseURL       string
	limit         time.Duration // of the wait for Stripe

	mutex    sync.Mutex
	running  map[string]*upcomingFetch // by subscription
	failedAt map[string]time.Time      // of the last call, by subscription
}

// upcomingTimeout bounds the wait for Stripe, so that the page is complete within three seconds.
const upcomingTimeout = 2500 * time.Millisecond

// upcomingStoreTimeout bounds reading and writing the stored answer around a call. It is apart from
// the limit of the call: many viewers at once may use all connections to the database.
const upcomingStoreTimeout = 15 * time.Second

// upcomingFreshness is how long a stored answer is shown without a call. Things change at Stripe
// that no event reports here, such as an invoice item that support adds.
const upcomingFreshness = time.Minute

// upcomingPause is the pause after a failed call, per subscription: a thousand open pages must not
// call Stripe while it is at its limit.
const upcomingPause = 5 * time.Second

// UpcomingInvoice is the next invoice of a subscription as Stripe calculated it at FetchedAt. With
// None the rest is empty.
type UpcomingInvoice struct {
	SubscriptionID string `db:"subscription_id"` // empty: there is no running subscription
	OrganizationID string `db:"organization_id"`
	Account        string `db:"account"`
	Livemode       bool   `db:"livemode"`
	None           bool   `db:"is_none"` // nothing more is invoiced
	InvoicePreview `db:"invoice,json"`
	// Renewal are the lines of the renewal at RenewsAt, if seat changes are invoiced before it on
	// an invoice of their own, as those of a yearly price are.
	Renewal   []PreviewLine `db:"renewal,json"`
	RenewsAt  *time.Time    `db:"renews_at"`
	FetchedAt time.Time     `db:"fetched_at"`
	// The state before the call; a later one makes the answer outdated.
	SubscriptionRevision int64      `db:"subscription_revision"`
	SeatsAcknowledgedAt  *time.Time `db:"seats_acknowledged_at"`

	// Stale means that the answer is not current: Stripe could not be asked again, or was not yet.
	Stale bool
	// Changed means that plan or seats changed since FetchedAt: the amount was right before that.
	Changed bool
	// SeatsPending means that a change of seats is not at Stripe yet, so no amount includes it.
	SeatsPending bool
}

// OtherLines is the part of the total that Lines, discounts and tax do not have: lines beyond the
// bound of [UpcomingInvoiceGateway].
func (p InvoicePreview) OtherLines() catalog.Money {
	rest := catalog.Money{Minor: p.Total.Minor + p.Discount.Minor - p.Tax.Minor + p.TaxIncluded.Minor, Currency: p.Total.Currency}
	for _, line := range p.Lines {
		rest.Minor -= line.Amount.Minor
	}
	return rest
}

// CarriedOver reports whether nothing is charged because the total is below the currency's minimum
// charge: it is added to the customer's balance
// (https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts).
func (p InvoicePreview) CarriedOver() bool {
	return p.Total.Minor > 0 && p.AmountDue.Minor == 0 && p.BalanceUsed.Minor == -p.Total.Minor && p.EndingBalance.Minor > 0
}

// hasUpcoming reports whether a subscription in this status is invoiced again.
func (s SubscriptionStatus) hasUpcoming() bool {
	return s == StatusActive || s == StatusTrialing || s == StatusPastDue
}

// Get returns the organization's next invoice. It calls Stripe unless a current answer is stored,
// and waits at most [upcomingTimeout] for it. If Stripe does not answer, the stored answer is
// returned and marked Stale. Error: CodeStripe if there is none.
func (ui *UpcomingInvoices) Get(ctx context.Context, a account.Access) (UpcomingInvoice, error) {
	current, stored, err := ui.read(ctx, a)
	if err != nil || stored.None && stored.SubscriptionID == "" || !stored.Stale && stored.SubscriptionID != "" {
		return stored.endingWith(a.Organization), err
	}
	fetched, failure := ui.fetchOnce(ctx, current)
	switch {
	case failure == nil:
		fetched.SeatsPending = stored.SeatsPending
		return fetched.endingWith(a.Organization), nil
	case stored.SubscriptionID == "":
		return UpcomingInvoice{}, &apperr.Error{
			Code: apperr.CodeStripe, Err: failure, Message: "Stripe can't be reached right now, so we don't know the next amount. Please try again in a moment.",
		}
	}
	ui.Log.WarnContext(ctx, "upcoming invoice not refreshed", "organization_id", a.Organization.ID, "err", failure)
	return stored.endingWith(a.Organization), nil
}

// Last returns the stored answer about the subscription of an overview without a call to Stripe,
// marked Stale unless it is current; false if there is none.
func (ui *UpcomingInvoices) Last(ctx context.Context, o Overview) (UpcomingInvoice, bool, error) {
	if o.Subscription == nil || !o.Subscription.Status.hasUpcoming() {
		return UpcomingInvoice{None: true}, true, nil
	}
	stored, err := ui.readOf(ctx, *o.Subscription)
	return stored.endingWith(o.Organization), stored.SubscriptionID != "", err
}

// UpcomingLines are the lines of an upcoming invoice in words.
type UpcomingLines struct {
	Lines   []ExplainedLine
	Renewal []ExplainedLine // see [UpcomingInvoice]
}

// Explain ties the lines of an organization's upcoming invoice to people and changes, in brief.
func (ui *UpcomingInvoices) Explain(ctx context.Context, a account.Access, i UpcomingInvoice) (UpcomingLines, error) {
	if i.None {
		return UpcomingLines{}, nil
	}
	lines, renewal := invoiceLines(i.SubscriptionID, i.Lines), invoiceLines(i.SubscriptionID, i.Renewal)
	sources, err := ui.briefSources(ctx, a.Organization.ID, lines, renewal)
	if err != nil {
		return UpcomingLines{}, fmt.Errorf("explain upcoming invoice: %w", err)
	}
	sources.Currency = i.AmountDue.Currency
	return UpcomingLines{Lines: explainLines(lines, sources), Renewal: explainLines(renewal, sources)}, nil
}

// endingWith sets the date of an organization that is deleted before the period ends: what is
// pending is invoiced with the deletion.
func (i UpcomingInvoice) endingWith(organization account.Organization) UpcomingInvoice {
	if at := organization.DeletesAt; at != nil && !i.None && at.Before(i.At) {
		i.At, i.CollectedAt = *at, at
	}
	return i
}

// read returns the current subscription and its stored answer. Without a running subscription the
// answer is None; without a stored one it has no SubscriptionID.
func (ui *UpcomingInvoices) read(ctx context.Context, a account.Access) (Subscription, UpcomingInvoice, error) {
	current, known, err := apperr.Found(ui.store.Subscriptions().Current(ctx, a.Organization.ID, ui.knownAccount()))
	if err != nil {
		return current, UpcomingInvoice{}, fmt.Errorf("read upcoming invoice: %w", err)
	}
	if !known || !current.Status.hasUpcoming() {
		return current, UpcomingInvoice{None: true}, nil
	}
	stored, err := ui.readOf(ctx, current)
	return current, stored, err
}

// readOf returns the stored answer about a running subscription.
func (ui *UpcomingInvoices) readOf(ctx context.Context, current Subscription) (UpcomingInvoice, error) {
	stored, state, err := ui.compared(ctx, current)
	plan := ui.planOf(current)
	stored.SeatsPending = seatsSynced(plan, current) && state.syncStatus(plan, current.Quantity) != SyncOK
	return stored, err
}

// compared reads the stored answer about a subscription, compared with the present state.
func (ui *UpcomingInvoices) compared(ctx context.Context, current Subscription) (UpcomingInvoice, SeatState, error) {
	stored, _, err := apperr.Found(ui.store.UpcomingInvoices().Get(ctx, current.OrganizationID, current.ID))
	if err != nil {
		return stored, SeatState{}, fmt.Errorf("read upcoming invoice: %w", err)
	}
	state, _, err := apperr.Found(ui.store.Seats().State(ctx, current.OrganizationID))
	if err != nil {
		return stored, state, fmt.Errorf("read seat state: %w", err)
	}
	stored.compare(current, state, ui.Now())
	return stored, state, nil
}

// compare sets Stale and Changed: an answer is current for [upcomingFreshness], unless the
// subscription or the seats at Stripe changed or the invoice was created meanwhile.
func (i *UpcomingInvoice) compare(current Subscription, state SeatState, now time.Time) {
	passed := !i.None && !now.Before(i.At)
	i.Changed = i.SubscriptionRevision != current.Revision || !equalTimes(i.SeatsAcknowledgedAt, state.AcknowledgedAt) || passed
	age := now.Sub(i.FetchedAt)
	i.Stale = i.Changed || age < 0 || age >= upcomingFreshness
}

func equalTimes(a, b *time.Time) bool {
	return a == nil && b == nil || a != nil && b != nil && a.Equal(*b)
}

// upcomingFetch is a call that any number of viewers wait for.
type upcomingFetch struct {
	done   chan struct{}
	answer UpcomingInvoice
	err    error
}

var (
	errUpcomingTimeout = errors.New("no answer in time")
	errUpcomingPaused  = errors.New("the last call failed just before")
)

// fetchOnce fetches the next invoice. Callers at the same time share one call, which continues if
// they leave.
func (ui *UpcomingInvoices) fetchOnce(ctx context.Context, current Subscription) (UpcomingInvoice, error) {
	fetch, err := ui.join(ctx, current)
	if err != nil {
		return UpcomingInvoice{}, err
	}
	timer := time.NewTimer(ui.limit)
	defer timer.Stop()
	select {
	case <-fetch.done:
		return fetch.answer, fetch.err
	case <-timer.C:
		return UpcomingInvoice{}, errUpcomingTimeout
	case <-ctx.Done():
		return UpcomingInvoice{}, ctx.Err()
	}
}

// join returns the running call for a subscription, or starts one.
func (ui *UpcomingInvoices) join(ctx context.Context, current Subscription) (*upcomingFetch, error) {
	ui.mutex.Lock()
	defer ui.mutex.Unlock()
	if running := ui.running[current.ID]; running != nil {
		return running, nil
	}
	if failed, ok := ui.failedAt[current.ID]; ok && time.Since(failed) < upcomingPause {
		return nil, errUpcomingPaused
	}
	fetch := &upcomingFetch{done: make(chan struct{})}
	if ui.running == nil {
		ui.running, ui.failedAt = map[string]*upcomingFetch{}, map[string]time.Time{}
	}
	ui.running[current.ID] = fetch
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ui.limit+upcomingStoreTimeout)
	go func() {
		defer cancel()
		defer ui.leave(current.ID, fetch)
		fetch.answer, fetch.err = ui.fetchRecovering(ctx, current)
	}()
	return fetch, nil
}

// leave ends a call and remembers whether it failed.
func (ui *UpcomingInvoices) leave(subscriptionID string, fetch *upcomingFetch) {
	ui.mutex.Lock()
	defer ui.mutex.Unlock()
	delete(ui.running, subscriptionID)
	delete(ui.failedAt, subscriptionID)
	if fetch.err != nil {
		if len(ui.failedAt) >= 10_000 { // of subscriptions that are no longer viewed
			clear(ui.failedAt)
		}
		ui.failedAt[subscriptionID] = time.Now()
	}
	close(fetch.done)
}

// fetchRecovering is fetch that turns a panic into an error: it runs in a goroutine of its own.
func (ui *UpcomingInvoices) fetchRecovering(ctx context.Context, current Subscription) (answer UpcomingInvoice, err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			err = fmt.Errorf("fetch upcoming invoice: panic: %v", panicked)
		}
	}()
	return ui.fetch(ctx, current)
}

// fetch fetches the next invoice of a subscription from Stripe and stores it, unless another call
// did just before.
func (ui *UpcomingInvoices) fetch(ctx context.Context, current Subscription) (UpcomingInvoice, error) {
	stored, state, err := ui.compared(ctx, current)
	if err != nil || stored.SubscriptionID != "" && !stored.Stale {
		return stored, err
	}
	answer := UpcomingInvoice{
		SubscriptionID: current.ID, OrganizationID: current.OrganizationID, Account: current.Account, Livemode: current.Livemode,
		SubscriptionRevision: current.Revision, SeatsAcknowledgedAt: state.AcknowledgedAt,
		FetchedAt: ui.Now().UTC().Truncate(time.Microsecond),
	}
	limited, cancel := context.WithTimeout(ctx, ui.limit)
	defer cancel()
	if err := ui.preview(limited, current, &answer); err != nil {
		return UpcomingInvoice{}, err
	}
	if err := ui.store.UpcomingInvoices().Put(ctx, answer); err != nil {
		return UpcomingInvoice{}, fmt.Errorf("store upcoming invoice: %w", err)
	}
	return answer, nil
}

// preview sets what Stripe answers. The upcoming invoice of Stripe has the renewal and everything
// that is pending. With a pending invoice interval, what is pending is invoiced before the renewal:
// then that invoice comes next.
func (ui *UpcomingInvoices) preview(ctx context.Context, current Subscription, answer *UpcomingInvoice) error {
	next, found, err := apperr.Found(ui.gateway.UpcomingInvoice(ctx, current.ID))
	if err != nil {
		return fmt.Errorf("fetch upcoming invoice: %w", err)
	}
	answer.None, answer.InvoicePreview = !found, next
	if !found || !next.splits(current) {
		return nil
	}
	pending, found, err := apperr.Found(ui.gateway.PendingItemsInvoice(ctx, current.ID))
	if err != nil {
		return fmt.Errorf("fetch invoice of pending items: %w", err)
	}
	if !found {
		return nil
	}
	pending.At, pending.CollectedAt = *next.PendingItemsAt, nil
	_, answer.Renewal = regularLines(next)
	answer.InvoicePreview, answer.RenewsAt = pending, &next.At
	return nil
}

// splits reports whether the pending items of an upcoming invoice are invoiced before its renewal.
func (p InvoicePreview) splits(current Subscription) bool {
	return current.PendingInvoiceInterval != "" && p.PendingItemsAt != nil && p.PendingItemsAt.Before(p.At) &&
		slices.ContainsFunc(p.Lines, func(l PreviewLine) bool { return !l.Subscription })
}
