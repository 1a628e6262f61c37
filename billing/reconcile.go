package billing

import (
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

// The bounds of comparing with Stripe.
const (
	reconcileEvery       = time.Hour
	reconcileLease       = 20 * time.Minute
	reconcileOverlap     = time.Hour           // events made shortly before the last reading are read again: one may have come into the list late
	reconcileWindow      = 30 * 24 * time.Hour // as long as Stripe keeps events (https://docs.stripe.com/api/events)
	invoiceWindow        = 35 * 24 * time.Hour // how far back invoices and completed sessions are compared: more than a month's renewal and its dunning
	reconcilePause       = 100 * time.Millisecond
	driftReportRetention = 90 * 24 * time.Hour
)

// ReconcileOptions say what to compare.
type ReconcileOptions struct {
	DryRun         bool   // find, and repair nothing
	OrganizationID string // empty: all of the account
}

// ReconcileGateway is what a comparison reads of Stripe.
type ReconcileGateway interface {
	// Events reads the events made at since or later and hands each to f, the newest first. Stripe keeps them for 30 days.
	Events(ctx context.Context, since time.Time, f func(Event) error) error
	// Subscriptions lists all subscriptions of a customer, or (empty) of the account, ended ones included. An account's list leaves out
	// what runs on test clocks.
	Subscriptions(ctx context.Context, customerID string) ([]Subscription, error)
	// Invoices lists invoices made at since or later of a customer, or (empty) of the account, without their lines.
	Invoices(ctx context.Context, customerID string, since time.Time) ([]Invoice, error)
	// Customers lists the ids of the account's customers, those on test clocks left out.
	Customers(ctx context.Context) ([]string, error)
}

// Reconcile compares what is held with Stripe and repairs it through the same path as every other news: missed events are received,
// objects that differ are asked for, seats are recounted. The report is kept unless nothing may be written. Errors: a StripeError in the
// chain where Stripe did not answer; the report tells how far it came.
func (rc *Reconciler) Reconcile(ctx context.Context, o ReconcileOptions) (DriftReport, error) {
	acct, err := rc.requireAccount(ctx)
	if err != nil {
		return DriftReport{}, err
	}
	since := rc.Now().Add(-reconcileWindow)
	return rc.run(ctx, acct, o, since)
}

// reconcileIfDue compares the whole account where its hour has come; one replica does it.
func (rc *Reconciler) runIfDue(ctx context.Context) error {
	acct := rc.knownAccount()
	if acct.ID == "" {
		return nil
	}
	now := rc.Now()
	read, due, err := apperr.Found(rc.store.Reconciliation().Take(ctx, acct, now, now.Add(-reconcileEvery), now.Add(reconcileLease)))
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
		// Not due at once: Stripe being away is no reason to ask it more often.
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
	last    time.Time               // when Stripe was last asked
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
	steps := []func(context.Context) error{c.compareCustomers, c.compareCheckouts, c.compareSubscriptions, c.compareInvoices, c.compareSeats}
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

// customerIDs are what Stripe's lists are asked for: the whole account's, or those of the organization's customers.
func (c *reconcileRun) customerIDs() []string {
	if c.options.OrganizationID == "" {
		return []string{""}
	}
	return slices.Sorted(maps.Keys(c.links))
}

// pause keeps under Stripe's rate limit, with most of it left to others.
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

// found writes a difference down and repairs it, unless nothing may be written. One that can't be repaired does not end the run.
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

// events receives what Stripe made and never brought.
func (c *reconcileRun) compareEvents(ctx context.Context, since time.Time) error {
	return c.gateway.Events(ctx, since, func(e Event) error {
		c.report.Events++
		if _, acted := c.inbox.handlers[e.Type]; !acted || !c.inbox.ownAccount(e) {
			return nil
		}
		_, known, err := apperr.Found(c.store.Events().Get(ctx, e.ID))
		if err != nil || known {
			return err
		}
		link := c.links[e.CustomerID]
		return c.addDrift(ctx, Drift{Kind: DriftEvent, ObjectID: e.ID, OrganizationID: link.OrganizationID, Difference: e.Type + " never came"},
			func(ctx context.Context) error { return c.inbox.storeEvent(ctx, e) })
	})
}

// compareCustomers looks for those that were deleted.
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
	held, err := c.store.Subscriptions().Live(ctx, c.account, c.options.OrganizationID)
	if err != nil {
		return err
	}
	unlisted := map[string]Subscription{}
	for _, ours := range held {
		unlisted[ours.ID] = ours
	}
	for _, customerID := range c.customerIDs() {
		if err := c.pause(ctx); err != nil {
			return err
		}
		listed, err := c.gateway.Subscriptions(ctx, customerID)
		if err != nil && !apperr.IsMissing(err) {
			return err
		}
		for _, stripes := range listed {
			if err := c.compareSubscription(ctx, stripes); err != nil {
				return err
			}
			delete(unlisted, stripes.ID)
		}
	}
	for _, ours := range unlisted {
		if err := c.compareUnlistedSubscription(ctx, ours); err != nil {
			return err
		}
	}
	return nil
}

// compareSubscription compares one that Stripe listed. What differs only because our row moved since is found equal when Stripe is asked.
func (c *reconcileRun) compareSubscription(ctx context.Context, stripes Subscription) error {
	link, ours := c.links[stripes.CustomerID]
	if !ours {
		return nil // another application's, or of a customer deleted since
	}
	c.report.Subscriptions++
	held, _, err := apperr.Found(c.store.Subscriptions().Get(ctx, stripes.ID))
	if err != nil {
		return err
	}
	difference := subscriptionDrift(held, stripes)
	if difference == "" {
		return nil
	}
	return c.addDrift(ctx, Drift{Kind: DriftSubscription, ObjectID: stripes.ID, OrganizationID: link.OrganizationID, Difference: difference},
		func(ctx context.Context) error { _, err := c.subscriptions.refetch(ctx, stripes.ID); return err })
}

// compareUnlistedSubscription looks after one that lives here and was not in Stripe's list: it runs on a test clock, or is gone.
func (c *reconcileRun) compareUnlistedSubscription(ctx context.Context, ours Subscription) error {
	if err := c.pause(ctx); err != nil {
		return err
	}
	c.report.Subscriptions++
	stripes, err := c.gateway.Subscription(ctx, ours.ID)
	if apperr.IsMissing(err) {
		c.report.Drifts = append(c.report.Drifts, Drift{
			Kind: DriftSubscription, ObjectID: ours.ID, OrganizationID: ours.OrganizationID, Difference: fmt.Sprintf("%s here, unknown at Stripe", ours.Status),
			Error: messageOtherAccount,
		})
		return nil
	}
	if err != nil {
		return err
	}
	difference := subscriptionDrift(ours, stripes)
	if difference == "" {
		return nil
	}
	return c.addDrift(ctx, Drift{Kind: DriftSubscription, ObjectID: ours.ID, OrganizationID: ours.OrganizationID, Difference: difference},
		func(ctx context.Context) error { _, err := c.subscriptions.refetch(ctx, ours.ID); return err })
}

func (c *reconcileRun) compareInvoices(ctx context.Context) error {
	held, err := c.store.Invoices().Open(ctx, c.account, c.options.OrganizationID)
	if err != nil {
		return err
	}
	unlisted := map[string]Invoice{}
	for _, ours := range held {
		unlisted[ours.ID] = ours
	}
	for _, customerID := range c.customerIDs() {
		if err := c.pause(ctx); err != nil {
			return err
		}
		listed, err := c.gateway.Invoices(ctx, customerID, c.Now().Add(-invoiceWindow))
		if err != nil && !apperr.IsMissing(err) {
			return err
		}
		for _, stripes := range listed {
			if err := c.compareInvoice(ctx, stripes); err != nil {
				return err
			}
			delete(unlisted, stripes.ID)
		}
	}
	for _, ours := range unlisted {
		c.report.Invoices++
		if err := c.compareUnlistedInvoice(ctx, ours); err != nil {
			return err
		}
	}
	return nil
}

func (c *reconcileRun) compareInvoice(ctx context.Context, stripes Invoice) error {
	link, ours := c.links[stripes.CustomerID]
	if !ours {
		return nil
	}
	c.report.Invoices++
	held, _, err := apperr.Found(c.store.Invoices().Get(ctx, stripes.ID))
	if err != nil {
		return err
	}
	difference := invoiceDrift(held, stripes)
	if difference == "" {
		return nil
	}
	return c.addDrift(ctx, Drift{Kind: DriftInvoice, ObjectID: stripes.ID, OrganizationID: link.OrganizationID, Difference: difference},
		func(ctx context.Context) error { return c.invoices.refetch(ctx, stripes.ID) })
}

// compareUnlistedInvoice looks after an open one that is older than the list reaches, or on a test clock. A draft can be deleted at Stripe.
func (c *reconcileRun) compareUnlistedInvoice(ctx context.Context, ours Invoice) error {
	if err := c.pause(ctx); err != nil {
		return err
	}
	stripes, err := c.gateway.Invoice(ctx, ours.ID)
	if err != nil && !apperr.IsMissing(err) {
		return err
	}
	difference := invoiceDrift(ours, stripes)
	if apperr.IsMissing(err) || difference == "" {
		return nil
	}
	return c.addDrift(ctx, Drift{Kind: DriftInvoice, ObjectID: ours.ID, OrganizationID: ours.OrganizationID, Difference: difference},
		func(ctx context.Context) error { return c.invoices.refetch(ctx, ours.ID) })
}

// seats recounts every organization with a living subscription.
func (c *reconcileRun) compareSeats(ctx context.Context) error {
	held, err := c.store.Subscriptions().Live(ctx, c.account, c.options.OrganizationID)
	if err != nil {
		return err
	}
	for _, current := range held {
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
	wrong, err := c.seatDifference(ctx, current)
	if err != nil || wrong == "" {
		return err
	}
	return c.addDrift(ctx, Drift{Kind: DriftSeats, ObjectID: current.ID, OrganizationID: current.OrganizationID, Difference: wrong}, func(ctx context.Context) error {
		return c.store.InTx(ctx, func(tx Tx) error {
			if _, err := tx.Organizations().Lock(ctx, current.OrganizationID); err != nil {
				return fmt.Errorf("lock organization: %w", err)
			}
			return c.seats.recount(ctx, tx, current.OrganizationID, seatReason{reason: "compared with Stripe"})
		})
	})
}

// seatDifference tells what a recount would change, without writing.
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
		d.add("seats", after.DesiredSeats, current.Quantity)
	}
	return d.String(), nil
}

// Resync compares one organization with Stripe because somebody asked. Errors: CodeForbidden, CodeRateLimited, CodeStripe.
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

// resyncs bounds how often an organization may have Stripe asked for everything.
var resyncs = account.Limit{Name: "resync", Max: 5, Per: 10 * time.Minute}
