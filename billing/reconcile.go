package billing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"usher/billing/account"
	"usher/billing/apperr"
)

// Reconciler compares snapshots with Stripe and repairs differences.
type Reconciler struct {
	*core
	inbox         *Inbox
	customers     *Customers
	checkouts     *Checkouts
	subscriptions *Subscriptions
	invoices      *Invoices
	seats         *SeatCounter
	rateLimits    *account.RateLimits
}

// Bounds of the reconciliation.
const (
	reconcileEvery = time.Hour
	reconcileLease = 20 * time.Minute
	// reconcileOverlap is how far before the last run events are read again, because one may be
	// listed late.
	reconcileOverlap = time.Hour
	// reconcileWindow is how long Stripe keeps events (https://docs.stripe.com/api/events).
	reconcileWindow = 30 * 24 * time.Hour
	// invoiceWindow is how far back invoices and completed sessions are compared: more than a month
	// and its payment retries.
	invoiceWindow        = 35 * 24 * time.Hour
	reconcilePause       = 100 * time.Millisecond
	driftReportRetention = 90 * 24 * time.Hour
)

// ReconcileOptions selects what to compare.
type ReconcileOptions struct {
	DryRun         bool   // report only, repair nothing
	OrganizationID string // empty: the whole account
}

// ReconcileGateway lists objects at Stripe.
type ReconcileGateway interface {
	// Events calls f with each event created at since or later, newest first. Stripe keeps events
	// for 30 days (https://docs.stripe.com/api/events).
	Events(ctx context.Context, since time.Time, f func(Event) error) error
	// Subscriptions lists all subscriptions of a customer, or (empty) of the account, ended ones
	// included. The account's list has none on test clocks.
	Subscriptions(ctx context.Context, customerID string) ([]Subscription, error)
	// Invoices lists invoices created at since or later of a customer, or (empty) of the account,
	// without their lines.
	Invoices(ctx context.Context, customerID string, since time.Time) ([]Invoice, error)
	// Customers lists the ids of the account's customers except those on test clocks.
	Customers(ctx context.Context) ([]string, error)
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
	since := rc.Now().Add(-reconcileWindow)
	return rc.run(ctx, acct, o, since)
}

// runIfDue compares the whole account if a run is due and no other replica has the lease.
func (rc *Reconciler) runIfDue(ctx context.Context) error {
	acct := rc.knownAccount()
	if acct.ID == "" {
		return nil
	}
	now := rc.Now()
	read, due, err := apperr.Found(rc.store.Reconciliation().Claim(ctx, acct, now, now.Add(-reconcileEvery), now.Add(reconcileLease)))
	if err != nil || !due {
		return err
	}
	since := read.Add(-reconcileOverlap)
	if oldest := now.Add(-reconcileWindow); since.Before(oldest) {
		since = oldest
	}
	_, err = rc.run(ctx, acct, ReconcileOptions{}, since)
	done := context.WithoutCancel(ctx)
	if err != nil {
		// Not due at once: an unavailable Stripe is no reason to call it more often.
		return errors.Join(err, rc.store.Reconciliation().Finish(done, acct, time.Time{}, now))
	}
	return errors.Join(rc.store.Reconciliation().Finish(done, acct, now, now), rc.store.Reconciliation().PruneReports(done, now.Add(-driftReportRetention)))
}

func (rc *Reconciler) run(ctx context.Context, acct StripeAccount, o ReconcileOptions, since time.Time) (DriftReport, error) {
	c := &reconcileRun{
		Reconciler: rc, account: acct, options: o,
		report: DriftReport{ID: rc.NewID("drf"), OrganizationID: o.OrganizationID, StartedAt: rc.Now(), DryRun: o.DryRun, Drifts: []Drift{}},
	}
	err := c.run(ctx, since)
	if err != nil {
		c.report.Error = err.Error()
		err = fmt.Errorf("reconcile: %w", err)
	}
	c.report.FinishedAt = rc.Now()
	if o.DryRun {
		return c.report, err
	}
	return c.report, errors.Join(err, rc.store.Reconciliation().InsertReport(context.WithoutCancel(ctx), c.report))
}

// reconcileRun is one run of the reconciler.
type reconcileRun struct {
	*Reconciler
	account StripeAccount
	options ReconcileOptions
	report  DriftReport
	links   map[string]CustomerLink // by customer id
	last    time.Time               // when Stripe was last called
}

func (c *reconcileRun) run(ctx context.Context, since time.Time) error {
	links, err := c.store.Customers().Links(ctx, c.account, c.options.OrganizationID)
	if err != nil {
		return err
	}
	c.links = make(map[string]CustomerLink, len(links))
	for _, link := range links {
		c.links[link.StripeCustomerID] = link
	}
	steps := []func(context.Context) error{c.compareCustomers, c.compareCheckouts, c.compareSubscriptions, c.compareDuplicates, c.compareInvoices, c.compareSeats}
	if c.options.OrganizationID == "" {
		steps = append([]func(context.Context) error{func(ctx context.Context) error { return c.compareEvents(ctx, since) }}, steps...)
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// customerIDs returns the ids to list objects of: empty for the whole account, or the
// organization's customers.
func (c *reconcileRun) customerIDs() []string {
	if c.options.OrganizationID == "" {
		return []string{""}
	}
	return slices.Sorted(maps.Keys(c.links))
}

// pause keeps the calls far below Stripe's rate limit (https://docs.stripe.com/rate-limits).
func (c *reconcileRun) pause(ctx context.Context) error {
	wait := time.Until(c.last.Add(reconcilePause))
	c.last = time.Now().Add(max(0, wait))
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

const messageOtherAccount = "Stripe does not know it: was it made with another account's key?"

// addDrift reports a difference and repairs it, unless this is a dry run. A failed repair does not
// end the run.
func (c *reconcileRun) addDrift(ctx context.Context, d Drift, repair func(context.Context) error) error {
	if !c.options.DryRun {
		if err := c.pause(ctx); err != nil {
			return err
		}
		err := repair(ctx)
		switch {
		case err == nil:
			d.Repaired = true
		case ctx.Err() != nil:
			return err
		default:
			d.Error = err.Error()
		}
	}
	c.report.Drifts = append(c.report.Drifts, d)
	return nil
}

// compareEvents receives events that Stripe has created and whose webhooks did not arrive.
func (c *reconcileRun) compareEvents(ctx context.Context, since time.Time) error {
	return c.gateway.Events(ctx, since, func(e Event) error {
		c.report.Events++
		if _, handled := c.inbox.handlers[e.Type]; !handled || !c.inbox.ownAccount(e) {
			return nil
		}
		_, known, err := apperr.Found(c.store.Events().Get(ctx, e.ID))
		if err != nil || known {
			return err
		}
		link := c.links[e.CustomerID]
		return c.addDrift(ctx, Drift{Kind: DriftEvent, ObjectID: e.ID, OrganizationID: link.OrganizationID, Difference: e.Type + " was not received"},
			func(ctx context.Context) error { return c.inbox.storeEvent(ctx, e) })
	})
}

// compareCustomers finds customers that were deleted at Stripe.
func (c *reconcileRun) compareCustomers(ctx context.Context) error {
	listed := map[string]bool{}
	if c.options.OrganizationID == "" {
		ids, err := c.gateway.Customers(ctx)
		if err != nil {
			return err
		}
		for _, id := range ids {
			listed[id] = true
		}
	}
	for id, link := range c.links {
		c.report.Customers++
		if listed[id] {
			continue
		}
		if err := c.compareCustomer(ctx, link); err != nil {
			return err
		}
	}
	return nil
}

func (c *reconcileRun) compareCustomer(ctx context.Context, link CustomerLink) error {
	if err := c.pause(ctx); err != nil {
		return err
	}
	customer, err := c.gateway.Customer(ctx, link.StripeCustomerID)
	if apperr.IsMissing(err) {
		c.report.Drifts = append(c.report.Drifts, Drift{
			Kind: DriftCustomer, ObjectID: link.StripeCustomerID, OrganizationID: link.OrganizationID, Difference: "unknown at Stripe", Error: messageOtherAccount,
		})
		return nil
	}
	if err != nil || !customer.Deleted {
		return err
	}
	return c.addDrift(ctx, Drift{Kind: DriftCustomer, ObjectID: link.StripeCustomerID, OrganizationID: link.OrganizationID, Difference: "deleted at Stripe"},
		func(ctx context.Context) error { return c.customers.delete(ctx, link.StripeCustomerID) })
}

func (c *reconcileRun) compareSubscriptions(ctx context.Context) error {
	stored, err := c.store.Subscriptions().Live(ctx, c.account, c.options.OrganizationID)
	if err != nil {
		return err
	}
	unlisted := map[string]Subscription{}
	for _, local := range stored {
		unlisted[local.ID] = local
	}
	for _, customerID := range c.customerIDs() {
		if err := c.pause(ctx); err != nil {
			return err
		}
		listed, err := c.gateway.Subscriptions(ctx, customerID)
		if err != nil && !apperr.IsMissing(err) {
			return err
		}
		for _, remote := range listed {
			if err := c.compareSubscription(ctx, remote); err != nil {
				return err
			}
			delete(unlisted, remote.ID)
		}
	}
	for _, local := range unlisted {
		if err := c.compareUnlistedSubscription(ctx, local); err != nil {
			return err
		}
	}
	return nil
}

// compareSubscription compares a subscription of Stripe's list. A difference that is only a later
// write of the row is found equal by the refetch.
func (c *reconcileRun) compareSubscription(ctx context.Context, remote Subscription) error {
	link, linked := c.links[remote.CustomerID]
	if !linked {
		return nil // another application's, or its customer was deleted
	}
	c.report.Subscriptions++
	remote, err := c.classify(ctx, remote)
	if err != nil {
		return err
	}
	stored, _, err := apperr.Found(c.store.Subscriptions().Get(ctx, remote.ID))
	if err != nil {
		return err
	}
	difference := subscriptionDrift(stored, remote)
	if difference == "" {
		return c.storeItems(ctx, stored, remote)
	}
	return c.addDrift(ctx, Drift{Kind: DriftSubscription, ObjectID: remote.ID, OrganizationID: link.OrganizationID, Difference: difference},
		func(ctx context.Context) error { _, err := c.subscriptions.refetch(ctx, remote.ID); return err })
}

// compareUnlistedSubscription compares a live snapshot that is not in Stripe's list: the
// subscription runs on a test clock or does not exist.
func (c *reconcileRun) compareUnlistedSubscription(ctx context.Context, local Subscription) error {
	if err := c.pause(ctx); err != nil {
		return err
	}
	c.report.Subscriptions++
	remote, err := c.gateway.Subscription(ctx, local.ID)
	if apperr.IsMissing(err) {
		c.report.Drifts = append(c.report.Drifts, Drift{
			Kind: DriftSubscription, ObjectID: local.ID, OrganizationID: local.OrganizationID, Difference: fmt.Sprintf("%s here, unknown at Stripe", local.Status),
			Error: messageOtherAccount,
		})
		return nil
	}
	if err != nil {
		return err
	}
	if remote, err = c.classify(ctx, remote); err != nil {
		return err
	}
	difference := subscriptionDrift(local, remote)
	if difference == "" {
		return c.storeItems(ctx, local, remote)
	}
	return c.addDrift(ctx, Drift{Kind: DriftSubscription, ObjectID: local.ID, OrganizationID: local.OrganizationID, Difference: difference},
		func(ctx context.Context) error { _, err := c.subscriptions.refetch(ctx, local.ID); return err })
}

func (c *reconcileRun) compareInvoices(ctx context.Context) error {
	stored, err := c.store.Invoices().Open(ctx, c.account, c.options.OrganizationID)
	if err != nil {
		return err
	}
	unlisted := map[string]Invoice{}
	for _, local := range stored {
		unlisted[local.ID] = local
	}
	for _, customerID := range c.customerIDs() {
		if err := c.pause(ctx); err != nil {
			return err
		}
		listed, err := c.gateway.Invoices(ctx, customerID, c.Now().Add(-invoiceWindow))
		if err != nil && !apperr.IsMissing(err) {
			return err
		}
		for _, remote := range listed {
			if err := c.compareInvoice(ctx, remote); err != nil {
				return err
			}
			delete(unlisted, remote.ID)
		}
	}
	for _, local := range unlisted {
		c.report.Invoices++
		if err := c.compareUnlistedInvoice(ctx, local); err != nil {
			return err
		}
	}
	return nil
}

func (c *reconcileRun) compareInvoice(ctx context.Context, remote Invoice) error {
	link, linked := c.links[remote.CustomerID]
	if !linked {
		return nil
	}
	c.report.Invoices++
	stored, _, err := apperr.Found(c.store.Invoices().Get(ctx, remote.ID))
	if err != nil {
		return err
	}
	difference := invoiceDrift(stored, remote)
	if difference == "" {
		return nil
	}
	return c.addDrift(ctx, Drift{Kind: DriftInvoice, ObjectID: remote.ID, OrganizationID: link.OrganizationID, Difference: difference},
		func(ctx context.Context) error { return c.invoices.refetch(ctx, remote.ID) })
}

// compareUnlistedInvoice compares an open invoice that is older than the list or on a test clock. A
// draft may be deleted at Stripe.
func (c *reconcileRun) compareUnlistedInvoice(ctx context.Context, local Invoice) error {
	if err := c.pause(ctx); err != nil {
		return err
	}
	remote, err := c.gateway.Invoice(ctx, local.ID)
	if err != nil && !apperr.IsMissing(err) {
		return err
	}
	difference := invoiceDrift(local, remote)
	if apperr.IsMissing(err) || difference == "" {
		return nil
	}
	return c.addDrift(ctx, Drift{Kind: DriftInvoice, ObjectID: local.ID, OrganizationID: local.OrganizationID, Difference: difference},
		func(ctx context.Context) error { return c.invoices.refetch(ctx, local.ID) })
}

// compareSeats recounts every organization with a live current subscription.
func (c *reconcileRun) compareSeats(ctx context.Context) error {
	stored, err := c.store.Subscriptions().Live(ctx, c.account, c.options.OrganizationID)
	if err != nil {
		return err
	}
	for _, current := range stored {
		if !current.IsCurrent {
			continue
		}
		if err := c.compareSeatsOf(ctx, current); err != nil {
			return err
		}
	}
	return nil
}

func (c *reconcileRun) compareSeatsOf(ctx context.Context, current Subscription) error {
	difference, err := c.seatDifference(ctx, current)
	if err != nil || difference == "" {
		return err
	}
	return c.addDrift(ctx, Drift{Kind: DriftSeats, ObjectID: current.ID, OrganizationID: current.OrganizationID, Difference: difference}, func(ctx context.Context) error {
		return c.store.InTx(ctx, func(tx Tx) error {
			if _, err := tx.Organizations().Lock(ctx, current.OrganizationID); err != nil {
				return fmt.Errorf("lock organization: %w", err)
			}
			return c.seats.recount(ctx, tx, current.OrganizationID, seatReason{reason: "compared with Stripe"})
		})
	})
}

// seatDifference describes what a recount would change, without writing.
func (c *reconcileRun) seatDifference(ctx context.Context, current Subscription) (string, error) {
	state, _, err := apperr.Found(c.store.Seats().State(ctx, current.OrganizationID))
	if err != nil {
		return "", err
	}
	billed, err := c.store.Members().CountBillable(ctx, current.OrganizationID)
	if err != nil {
		return "", err
	}
	after := state
	after.OrganizationID = current.OrganizationID
	after.update(c.planOf(current), current, billed, c.Now())
	var d differences
	d.add("desired seats", state.DesiredSeats, after.DesiredSeats)
	if state.DueAt == nil && after.DueAt != nil {
		plan := c.planOf(current)
		d.add("seats", after.quantity(plan), current.Quantity)
		if change := pendingIntervalChange(plan, current); change != "" {
			d.add("pending_invoice_item_interval", change, cmp.Or(current.PendingInvoiceInterval, pendingIntervalNone))
		}
	}
	return d.String(), nil
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
	report, err := rc.Reconcile(ctx, ReconcileOptions{OrganizationID: a.Organization.ID})
	if err != nil {
		return report, apperr.StripeFailed("re-sync from Stripe", err)
	}
	return report, nil
}

// resyncs limits how often an organization may be reconciled by request.
var resyncs = account.Limit{Name: "resync", Max: 5, Per: 10 * time.Minute}
