package billing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"usher/billing/account"
	"usher/billing/apperr"
)

// Reconciler compares snapshots with Stripe and repairs differences.
//
// A Stripe account may serve other applications too, with many more customers than ours. So the
// reconciler reads what concerns us: our customers, subscriptions to our prices, and of lists that
// Stripe can't filter a bounded number of pages. Objects of other applications are neither stored
// nor reported.
type Reconciler struct {
	*core
	inbox         *Inbox
	customers     *Customers
	checkouts     *Checkouts
	subscriptions *Subscriptions
	invoices      *Invoices
	payments      *Payments
	credits       *Credits
	seats         *SeatCounter
	rateLimits    *account.RateLimits
}

// Bounds of the reconciliation.
const (
	reconcileEvery = time.Hour
	reconcileLease = 20 * time.Minute
	// reconcileTimeLimit ends a run of the background work long before its lease expires.
	reconcileTimeLimit = 10 * time.Minute
	// reconcileOverlap is how far before the last run events are read again, because one may be
	// listed late.
	reconcileOverlap = time.Hour
	// reconcileWindow is how long Stripe keeps events (https://docs.stripe.com/api/events).
	reconcileWindow = 30 * 24 * time.Hour
	// invoiceWindow is how far back invoices and completed sessions are compared: more than a month
	// and its payment retries.
	invoiceWindow = 35 * 24 * time.Hour
	// organizationWindow is how far back the invoices of one organization are compared: a year and
	// its payment retries. That is one call for each customer.
	organizationWindow   = 400 * 24 * time.Hour
	reconcilePause       = 100 * time.Millisecond
	driftReportRetention = 90 * 24 * time.Hour
)

// ReconcileOptions selects what to compare.
type ReconcileOptions struct {
	DryRun         bool   // report only, repair nothing
	OrganizationID string // empty: the whole account
}

// Page is one page of a list at Stripe.
type Page[T any] struct {
	Items []T
	Next  string // the cursor of the next page; empty: this is the last one
}

// ReconcileGateway lists objects at Stripe. Lists are read page by page, newest first, because the
// reconciler may stop after any call and continue later. A cursor that Stripe does not know any
// more is a StripeError for which [apperr.IsMissing] is true.
type ReconcileGateway interface {
	// Events reads the events of some types, 20 at most, created at since or later. Stripe keeps
	// events for 30 days (https://docs.stripe.com/api/events).
	Events(ctx context.Context, types []string, since time.Time, after string) (Page[Event], error)
	// CustomersWithOrgID searches the customers whose metadata has the key orgId, deleted ones
	// excluded (https://docs.stripe.com/api/customers/search). The index may be a minute behind.
	CustomersWithOrgID(ctx context.Context, after string) (Page[StripeCustomer], error)
	// SubscriptionsByPrice lists subscriptions that have an item with a price, ended ones included,
	// except those on test clocks.
	SubscriptionsByPrice(ctx context.Context, priceID, after string) (Page[Subscription], error)
	// Subscriptions lists all subscriptions of a customer, ended ones included.
	Subscriptions(ctx context.Context, customerID string) ([]Subscription, error)
	// Invoices lists invoices of a customer created at since or later, without their lines.
	Invoices(ctx context.Context, customerID string, since time.Time) ([]Invoice, error)
	// AccountInvoices lists invoices of the account created at since or later, without their lines,
	// except those on test clocks.
	AccountInvoices(ctx context.Context, since time.Time, after string) (Page[Invoice], error)
	// RefundedCharges lists the charges of the refunds created at since or later.
	RefundedCharges(ctx context.Context, since time.Time, after string) (Page[ListedCharge], error)
	// DisputedCharges lists the charges of the disputes created at since or later.
	DisputedCharges(ctx context.Context, since time.Time, after string) (Page[ListedCharge], error)
	// Charges lists the charges of a customer created at since or later.
	Charges(ctx context.Context, customerID string, since time.Time) ([]ListedCharge, error)
}

// Reconcile compares the store with Stripe and repairs differences on the same paths as other
// updates: missed events are received, differing objects are refetched, seats are recounted. The
// report is stored unless it is a dry run. Errors: a StripeError in the chain; the report then
// covers what was compared before.
func (rc *Reconciler) Reconcile(ctx context.Context, o ReconcileOptions) (DriftReport, error) {
	acct, err := rc.requireAccount(ctx)
	if err != nil {
		return DriftReport{}, err
	}
	c, err := rc.newRun(ctx, acct, o)
	if err != nil {
		return DriftReport{}, err
	}
	return c.finish(ctx, c.run(ctx))
}

// runIfDue compares the whole account if a run is due and no other replica has the lease. The run
// is bounded in calls and in time, and continues where the last one stopped or crashed.
func (rc *Reconciler) runIfDue(ctx context.Context) error {
	acct := rc.knownAccount()
	if acct.ID == "" {
		return nil
	}
	now := rc.Now()
	state, due, err := apperr.Found(rc.store.Reconciliation().Claim(ctx, acct, now, now.Add(-reconcileEvery), now.Add(reconcileLease)))
	if err != nil || !due {
		return err
	}
	err = rc.continueRun(ctx, acct, state)
	done := context.WithoutCancel(ctx)
	// Not due at once after an error: an unavailable Stripe is no reason to call it more often.
	return errors.Join(err, rc.store.Reconciliation().Finish(done, acct, now), rc.store.Reconciliation().PruneReports(done, now.Add(-driftReportRetention)))
}

func (rc *Reconciler) continueRun(ctx context.Context, acct StripeAccount, state ReconcileState) error {
	c, err := rc.newRun(ctx, acct, ReconcileOptions{})
	if err != nil {
		return err
	}
	if c.budget, err = rc.callBudget(ctx, acct); err != nil {
		return err
	}
	c.state, c.resumable = state, true
	_, err = c.finish(ctx, c.run(ctx))
	return err
}

// Bounds of the calls of the background work. Stripe allows 500 reads for each transaction of the
// last 30 days, and 10,000 a month at least (https://docs.stripe.com/rate-limits). The reconciler
// takes half of them.
const (
	readsPerTransaction = 500
	readsPerMonth       = 10_000
	runsPerMonth        = int(30 * 24 * time.Hour / reconcileEvery)
	minCallsPerRun      = 10
	maxCallsPerRun      = 4_000 // what fits in reconcileTimeLimit with reconcilePause and its answers
)

// callBudget returns how many calls one run of the background work may make.
func (rc *Reconciler) callBudget(ctx context.Context, acct StripeAccount) (int, error) {
	paid, err := rc.store.Invoices().CountPaid(ctx, acct, rc.Now().Add(-reconcileWindow))
	if err != nil {
		return 0, fmt.Errorf("count paid invoices: %w", err)
	}
	return callsPerRun(paid), nil
}

func callsPerRun(transactions int) int {
	reads := max(readsPerMonth, readsPerTransaction*transactions)
	return min(max(minCallsPerRun, reads/2/runsPerMonth), maxCallsPerRun)
}

// Resync reconciles one organization at the request of a user. Errors: CodeForbidden,
// CodeRateLimited, CodeStripe.
func (rc *Reconciler) Resync(ctx context.Context, a account.Access) (DriftReport, error) {
	if err := a.RequireBilling(); err != nil {
		return DriftReport{}, err
	}
	if err := rc.rateLimits.Allow(ctx, resyncs, a.Organization.ID); err != nil {
		return DriftReport{}, err
	}
	if err := rc.recordComparison(ctx, a.Did(account.ActOrganizationCompared)); err != nil {
		return DriftReport{}, err
	}
	report, err := rc.Reconcile(ctx, ReconcileOptions{OrganizationID: a.Organization.ID})
	if err != nil {
		return report, apperr.StripeFailed("re-sync from Stripe", err)
	}
	return report, nil
}

// resyncs limits how often an organization may be reconciled by request.
var resyncs = account.Limit{Name: "resync", Max: 5, Per: 10 * time.Minute}

// ReconcileForOperator is [Reconciler.Reconcile] of one organization, recorded in its audit log.
func (rc *Reconciler) ReconcileForOperator(ctx context.Context, organizationID string) (DriftReport, error) {
	entry := account.AuditEntry{Act: account.ActOrganizationCompared, OrganizationID: organizationID}
	if err := rc.recordComparison(ctx, entry); err != nil {
		return DriftReport{}, err
	}
	return rc.Reconcile(ctx, ReconcileOptions{OrganizationID: organizationID})
}

// recordComparison records a comparison before it begins: it consists of many transactions.
func (rc *Reconciler) recordComparison(ctx context.Context, e account.AuditEntry) error {
	if err := rc.store.InTx(ctx, func(tx Tx) error { return rc.audit(ctx, tx, e) }); err != nil {
		return fmt.Errorf("record comparison: %w", err)
	}
	return nil
}
