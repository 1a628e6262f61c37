package billing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"usher/billing/apperr"
)

// ReconcileState is how far the background work has compared a Stripe account.
type ReconcileState struct {
	ReadUntil time.Time         `db:"read_until,null"` // events created before were read; zero: none
	Progress  ReconcileProgress `db:"progress,json"`
}

// ReconcileProgress is the position of an unfinished comparison. It is stored after each call.
type ReconcileProgress struct {
	Step  string `json:"step,omitempty"`  // the step that is not finished; empty: the first
	After string `json:"after,omitempty"` // the cursor within the step
	Units int    `json:"units,omitempty"` // of the step that were done
	// Unrepaired counts the differences of this comparison that were not repaired.
	Unrepaired map[DriftKind]int `json:"unrepaired,omitempty"`
	// Missed counts the events of this comparison that no webhook delivered within deliveryTime.
	Missed int `json:"missed,omitempty"`
	// Events is the position in the list of events. It outlives a comparison, so that a long list
	// does not delay everything else.
	Events EventPosition `json:"events,omitzero"`
	// CheckedCustomer is the last customer that was read alone. The next comparison continues after
	// it.
	CheckedCustomer string `json:"checkedCustomer,omitempty"`
}

// EventPosition is the position in a list of events that is read from the newest to the oldest.
type EventPosition struct {
	Since time.Time `json:"since"` // the creation time of the oldest event to read
	Began time.Time `json:"began"` // when the first page was read
	After string    `json:"after"` // the last event that was read; empty: none
}

// reconcileRun is one run of the reconciler.
type reconcileRun struct {
	*Reconciler
	account      StripeAccount
	options      ReconcileOptions
	resumable    bool // the state is stored, and the next run continues there
	state        ReconcileState
	budget       int // the limit of calls; 0: none
	ourCustomers int // their number

	report   DriftReport
	began    time.Time
	lastCall time.Time
	// seen holds the ids of the objects that a list of this run contained. After a resumption the
	// others are read one by one, which is slower and finds the same.
	seen       map[string]bool
	open       []Invoice         // drafts and open invoices, once read
	unfinished []CheckoutSession // once read
}

func (rc *Reconciler) newRun(ctx context.Context, acct StripeAccount, o ReconcileOptions) (*reconcileRun, error) {
	customers, err := rc.store.Customers().CountLinks(ctx, acct)
	if err != nil {
		return nil, fmt.Errorf("count customers: %w", err)
	}
	return &reconcileRun{
		Reconciler: rc, account: acct, options: o, ourCustomers: customers, began: time.Now(), seen: map[string]bool{},
		report: DriftReport{ID: rc.NewID("drf"), OrganizationID: o.OrganizationID, StartedAt: rc.Now(), DryRun: o.DryRun, Drifts: []Drift{}},
	}, nil
}

// finish completes the report and stores it.
func (c *reconcileRun) finish(ctx context.Context, err error) (DriftReport, error) {
	switch {
	case errors.Is(err, errBudgetSpent):
		c.report.Partial, err = true, nil
	case err != nil:
		c.report.Partial, c.report.Error = true, err.Error()
		err = fmt.Errorf("reconcile: %w", err)
	}
	c.report.FinishedAt = c.Now()
	if c.options.DryRun {
		return c.report, err
	}
	return c.report, errors.Join(err, c.store.Reconciliation().InsertReport(context.WithoutCancel(ctx), c.report))
}

// reconcileStep is a part of the comparison. run does one unit of it, which is about one call to
// Stripe, and returns the cursor of the next unit; empty: the step is done. A unit may run twice.
type reconcileStep struct {
	name  string
	run   func(ctx context.Context, after string) (next string, err error)
	local bool // makes no calls
}

// steps lists the parts of a comparison. Customers come before what belongs to them. Failed events
// come after the objects they are about, which are then equal already.
func (c *reconcileRun) steps() []reconcileStep {
	steps := []reconcileStep{
		{name: "customers", run: c.compareCustomers},
		{name: "checkouts", run: c.compareCheckouts},
		{name: "subscriptions", run: c.compareSubscriptions},
		{name: "invoices", run: c.compareInvoices},
		{name: "charges", run: chargeComparison{c}.compareCharges},
		{name: "failed events", run: c.reprocessFailedEvents},
		{name: "paid invoices without credits", run: c.comparePaidInvoices, local: true},
		{name: "duplicates", run: c.compareDuplicates, local: true},
		{name: "deleted", run: c.compareDeleted, local: true},
		{name: "seats", run: c.compareSeats, local: true},
	}
	if c.options.OrganizationID != "" {
		return steps
	}
	return append([]reconcileStep{{name: "events", run: c.compareEvents}}, steps...)
}

// errBudgetSpent ends a run that made as many calls as it may.
var errBudgetSpent = errors.New("the run made as many calls to Stripe as it may")

func (c *reconcileRun) run(ctx context.Context) error {
	steps := c.steps()
	for i := c.resumeAt(steps); i < len(steps); i++ {
		if err := c.runStep(ctx, steps[i]); err != nil {
			return err
		}
		c.state.Progress.After, c.state.Progress.Units, c.state.Progress.Step = "", 0, ""
		if i+1 < len(steps) {
			c.state.Progress.Step = steps[i+1].name
			if err := c.saveState(ctx); err != nil {
				return err
			}
		}
	}
	return c.complete(ctx)
}

// resumeAt returns the position of the step that is not finished. A step that this release does not
// know begins anew.
func (c *reconcileRun) resumeAt(steps []reconcileStep) int {
	for i, step := range steps {
		if step.name == c.state.Progress.Step {
			return i
		}
	}
	c.state.Progress.After, c.state.Progress.Units, c.state.Progress.Unrepaired = "", 0, nil
	return 0
}

func (c *reconcileRun) runStep(ctx context.Context, step reconcileStep) error {
	for {
		if !step.local && c.isSpent() {
			return errBudgetSpent
		}
		next, err := step.run(ctx, c.state.Progress.After)
		if err != nil || next == "" {
			return err
		}
		c.state.Progress.After = next
		c.state.Progress.Units++
		if err := c.saveState(ctx); err != nil {
			return err
		}
	}
}

// isSpent reports whether a run of the background work should end.
func (c *reconcileRun) isSpent() bool {
	return c.resumable && (c.report.Calls >= c.budget || time.Since(c.began) > reconcileTimeLimit)
}

func (c *reconcileRun) saveState(ctx context.Context) error {
	if !c.resumable {
		return nil
	}
	return c.store.Reconciliation().SaveState(ctx, c.account, c.state)
}

// complete ends a comparison of the whole account: what was not repaired and what no webhook
// delivered is stored for the metrics.
func (c *reconcileRun) complete(ctx context.Context) error {
	if c.options.DryRun || c.options.OrganizationID != "" {
		return nil
	}
	unrepaired := c.state.Progress.Unrepaired
	if unrepaired == nil {
		unrepaired = map[DriftKind]int{}
	}
	if err := c.store.Reconciliation().PutCompared(ctx, c.account, unrepaired, c.state.Progress.Missed, c.Now()); err != nil {
		return err
	}
	c.state.Progress.Unrepaired, c.state.Progress.Missed = nil, 0
	return c.saveState(ctx)
}

// countCall counts a call to Stripe that follows, and keeps the calls far below Stripe's rate limit
// (https://docs.stripe.com/rate-limits).
func (c *reconcileRun) countCall(ctx context.Context) error {
	c.report.Calls++
	wait := time.Until(c.lastCall.Add(reconcilePause))
	c.lastCall = time.Now().Add(max(0, wait))
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// fetch counts a call and makes it.
func fetch[T any](ctx context.Context, c *reconcileRun, call func() (T, error)) (T, error) {
	if err := c.countCall(ctx); err != nil {
		var none T
		return none, err
	}
	return call()
}

// pageLimit is how many pages of a list of the whole account are read in one comparison. An account
// of our own has fewer: about two invoices and one refund or dispute for fifty customers a month.
// More pages mean that other applications share the account. Then it is cheaper to read the lists
// of our customers one by one.
func (c *reconcileRun) pageLimit() int {
	const least = 5
	return max(least, c.ourCustomers/10)
}

const messageOtherAccount = "Stripe does not know it: was it made with another account's key?"

// addDrift reports a difference and repairs it, unless this is a dry run or repair is nil. A failed
// repair does not end the run.
func (c *reconcileRun) addDrift(ctx context.Context, d Drift, repair func(context.Context) error) error {
	if !c.options.DryRun && repair != nil {
		if err := c.countCall(ctx); err != nil {
			return err
		}
		err := repair(ctx)
		switch {
		case err == nil:
			d.Repaired, d.Remediation = true, ""
		case ctx.Err() != nil:
			return err
		default:
			d.Error = err.Error()
		}
	}
	if !d.Repaired && !c.options.DryRun {
		if c.state.Progress.Unrepaired == nil {
			c.state.Progress.Unrepaired = map[DriftKind]int{}
		}
		c.state.Progress.Unrepaired[d.Kind]++
	}
	c.report.Drifts = append(c.report.Drifts, d)
	return nil
}

// linksOf returns the links of customers by id. Customers of other applications have none.
func (c *reconcileRun) linksOf(ctx context.Context, customerIDs []string) (map[string]CustomerLink, error) {
	links, err := c.store.Customers().Owners(ctx, customerIDs, c.account)
	if err != nil {
		return nil, fmt.Errorf("look up customers: %w", err)
	}
	byID := make(map[string]CustomerLink, len(links))
	for _, link := range links {
		byID[link.StripeCustomerID] = link
	}
	return byID, nil
}

// mayLink reports whether a customer without a link belongs to an organization here: its metadata
// names one, which has no customer.
func (c *reconcileRun) mayLink(ctx context.Context, organizationID string) (bool, error) {
	if organizationID == "" {
		return false, nil
	}
	_, known, err := apperr.Found(c.store.Organizations().Get(ctx, organizationID))
	if err != nil || !known {
		return false, err
	}
	link, linked, err := apperr.Found(c.store.Customers().Link(ctx, organizationID, c.account))
	return !linked || link.DeletedAt != nil || link.StripeCustomerID == "", err
}

// organizationLinks lists the customers of the organization that is compared.
func (c *reconcileRun) organizationLinks(ctx context.Context) ([]CustomerLink, error) {
	return c.store.Customers().Links(ctx, c.account, c.options.OrganizationID)
}
