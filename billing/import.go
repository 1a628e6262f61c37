package billing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"usher/billing/account"
	"usher/billing/apperr"
)

// Importer makes organizations of the customers of a Stripe account that have a subscription to a
// plan of the catalog. It writes nothing at Stripe but the orgId into the metadata of customers.
//
// The link of a customer and everything that belongs to it is one transaction, and a customer has
// one link at most. So an import can be stopped at any point, run again, and run twice at the same
// time. The orgId is written after the transaction: before it, a crash would leave the id of an
// organization that does not exist. A later run writes an orgId that is missing.
type Importer struct {
	*core
	reconciler    *Reconciler
	subscriptions *Subscriptions
	invoices      *Invoices
	invitations   *account.Invitations
}

// ImportGateway reads what an import needs.
type ImportGateway interface {
	// AccountSubscriptions lists all subscriptions of the account with their customers, ended ones
	// included, except those on test clocks.
	AccountSubscriptions(ctx context.Context, after string) (Page[CustomerSubscription], error)
	// SetCustomerOrganization writes the orgId into a customer's metadata, under an idempotency
	// key.
	SetCustomerOrganization(ctx context.Context, customerID, organizationID string) error
}

// CustomerSubscription is a subscription with its customer.
type CustomerSubscription struct {
	Subscription Subscription
	Customer     StripeCustomer
}

// ImportOptions bound an import.
type ImportOptions struct {
	DryRun bool // decide only: read the list, change nothing
	// CallsPerSecond bounds the calls to Stripe; 0: 20, which is below the limit of a sandbox
	// (https://docs.stripe.com/rate-limits).
	CallsPerSecond int
	// MaxCalls is after how many calls no other customer is begun; 0: no limit. The next run
	// continues.
	MaxCalls int
	// InviteAgain sends the invitations of owners again that have expired.
	InviteAgain bool
}

// ImportReport is what an import did or, of a dry run, would do.
type ImportReport struct {
	DryRun    bool                   `json:"dryRun"`
	Calls     int                    `json:"calls"`
	Customers int                    `json:"customers"` // with a subscription of any kind
	Imported  []ImportedSubscription `json:"imported"`
	LeftAlone []LeftAlone            `json:"leftAlone"`
	Failed    []ImportFailure        `json:"failed"`
	// Relinked counts the customers that an earlier run left without their orgId.
	Relinked int `json:"relinked"`
	// InvitedAgain counts the invitations that were sent again.
	InvitedAgain int  `json:"invitedAgain"`
	Stopped      bool `json:"stopped"` // MaxCalls was reached, or ctx ended: run it again
}

// ImportedSubscription is a customer that became an organization, or would.
type ImportedSubscription struct {
	CustomerID     string             `json:"customerId"`
	OrganizationID string             `json:"organizationId,omitempty"` // empty after a dry run
	Name           string             `json:"name"`
	Email          string             `json:"email"`
	SubscriptionID string             `json:"subscriptionId"`
	Plan           string             `json:"plan"`
	Status         SubscriptionStatus `json:"status"`
	Quantity       int                `json:"quantity"`
}

// ImportFailure is a customer whose import failed. Another run repeats it.
type ImportFailure struct {
	CustomerID string `json:"customerId"`
	Error      string `json:"error"`
}

// Bounds of an import.
const (
	importCallsPerSecond = 20
	importWorkers        = 4
	importFailures       = 5 // in a row, after which the import ends
	importRetries        = 4 // of a call that Stripe limited
	// importMargin is how far before the start of the current period invoices are read.
	importMargin = 24 * time.Hour
)

// Import decides about every customer of the account that has a subscription, and imports those
// that belong here. The report covers what was done before an error. Errors: a StripeError in the
// chain; the error of ctx.
func (im *Importer) Import(ctx context.Context, o ImportOptions) (ImportReport, error) {
	report := ImportReport{DryRun: o.DryRun, Imported: []ImportedSubscription{}, LeftAlone: []LeftAlone{}, Failed: []ImportFailure{}}
	acct, err := im.requireAccount(ctx)
	if err != nil {
		return report, err
	}
	run := &importRun{
		Importer: im, account: acct, options: o, report: report,
		gap: time.Second / time.Duration(cmp.Or(o.CallsPerSecond, importCallsPerSecond)),
	}
	err = run.run(ctx)
	run.report.sort()
	if errors.Is(err, errBudgetSpent) {
		run.report.Stopped, err = true, nil
	}
	if ctx.Err() != nil {
		run.report.Stopped = true
	}
	if err != nil {
		err = fmt.Errorf("import: %w", err)
	}
	return run.report, err
}

// sort orders the report by customer, because the workers finish in any order.
func (r *ImportReport) sort() {
	slices.SortFunc(r.Imported, func(a, b ImportedSubscription) int { return cmp.Compare(a.CustomerID, b.CustomerID) })
	slices.SortFunc(r.LeftAlone, func(a, b LeftAlone) int {
		return cmp.Or(cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.CustomerID, b.CustomerID))
	})
	slices.SortFunc(r.Failed, func(a, b ImportFailure) int { return cmp.Compare(a.CustomerID, b.CustomerID) })
}

// importRun is one run of the import.
type importRun struct {
	*Importer
	account StripeAccount
	options ImportOptions
	gap     time.Duration // between two calls

	mu       sync.Mutex
	report   ImportReport
	nextCall time.Time
	failures int // in a row
}

func (r *importRun) run(ctx context.Context) error {
	candidates, err := r.list(ctx)
	if err != nil {
		return err
	}
	r.report.Customers = len(candidates)
	var due []importCandidate
	for _, c := range candidates {
		decision, err := r.decide(ctx, c)
		if err != nil {
			return err
		}
		switch {
		case decision.reason == LeftLinked:
			r.leave(c, decision)
			if err := r.completeEarlier(ctx, c, decision.organizationID); err != nil {
				return err
			}
		case decision.reason != "":
			r.leave(c, decision)
		case r.options.DryRun:
			r.report.Imported = append(r.report.Imported, r.imported(c, decision.subscription, account.Organization{}))
		default:
			due = append(due, c)
		}
	}
	return r.importAll(ctx, due)
}

// list reads all subscriptions of the account and groups them by customer, the customer with the
// oldest subscription first.
func (r *importRun) list(ctx context.Context) ([]importCandidate, error) {
	var order []string
	byCustomer := map[string]*importCandidate{}
	for after := ""; ; {
		page, err := callStripe(ctx, r, func() (Page[CustomerSubscription], error) { return r.gateway.AccountSubscriptions(ctx, after) })
		if err != nil {
			return nil, err
		}
		for _, listed := range page.Items {
			s, err := r.reconciler.classify(ctx, listed.Subscription)
			if err != nil {
				return nil, err
			}
			c := byCustomer[s.CustomerID]
			if c == nil {
				c = &importCandidate{customer: listed.Customer}
				byCustomer[s.CustomerID] = c
				order = append(order, s.CustomerID)
			}
			c.subscriptions = append(c.subscriptions, s)
		}
		if after = page.Next; after == "" {
			break
		}
	}
	slices.Reverse(order)
	candidates := make([]importCandidate, 0, len(order))
	for _, id := range order {
		candidates = append(candidates, *byCustomer[id])
	}
	return candidates, r.addLinks(ctx, candidates)
}

// addLinks sets which candidates are linked to an organization already.
func (r *importRun) addLinks(ctx context.Context, candidates []importCandidate) error {
	for some := range slices.Chunk(candidates, linkBatch) {
		ids := mapSlice(some, func(c importCandidate) string { return c.customer.ID })
		links, err := r.store.Customers().Owners(ctx, ids, r.account)
		if err != nil {
			return fmt.Errorf("look up customers: %w", err)
		}
		for i := range some {
			for _, link := range links {
				if link.StripeCustomerID == some[i].customer.ID {
					some[i].organizationID = link.OrganizationID
				}
			}
		}
	}
	return nil
}

// completeEarlier writes the orgId of a customer that was imported by a run that ended before it,
// and sends an expired invitation again if InviteAgain is set.
func (r *importRun) completeEarlier(ctx context.Context, c importCandidate, organizationID string) error {
	if r.options.DryRun {
		return nil
	}
	if c.customer.OrgID == "" && !c.customer.Deleted && !r.isSpent() {
		if err := r.setOrganization(ctx, c.customer, organizationID); err != nil {
			return err
		}
		r.report.Relinked++
	}
	if !r.options.InviteAgain {
		return nil
	}
	sent, err := r.invitations.InviteOwnerAgain(ctx, organizationID)
	r.report.InvitedAgain += sent
	return err
}

// importAll imports the candidates with several workers, since most of the time is spent waiting
// for Stripe.
func (r *importRun) importAll(ctx context.Context, due []importCandidate) error {
	queue := make(chan importCandidate)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var group sync.WaitGroup
	for range min(importWorkers, len(due)) {
		group.Go(func() {
			for c := range queue {
				if err := r.importOne(ctx, c); err != nil {
					cancel(err)
				}
			}
		})
	}
	for _, c := range due {
		select {
		case queue <- c:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(queue)
	group.Wait()
	return context.Cause(ctx)
}

// importOne imports a customer and reports the result. The error ends the import.
func (r *importRun) importOne(ctx context.Context, c importCandidate) error {
	if r.isSpent() {
		return errBudgetSpent
	}
	imported, decision, err := r.importCustomer(ctx, c)
	r.mu.Lock()
	defer r.mu.Unlock()
	if imported.OrganizationID != "" { // also if the orgId could not be written
		r.report.Imported = append(r.report.Imported, imported)
	}
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return r.fail(c, err)
	case decision.reason != "":
		r.leave(c, decision)
	}
	r.failures = 0
	return nil
}

// fail reports a customer whose import failed. Several in a row have a common cause.
func (r *importRun) fail(c importCandidate, err error) error {
	r.report.Failed = append(r.report.Failed, ImportFailure{c.customer.ID, err.Error()})
	if r.failures++; r.failures >= importFailures {
		return fmt.Errorf("%d customers in a row failed, the last one: %w", r.failures, err)
	}
	return nil
}

func (r *importRun) leave(c importCandidate, d importDecision) {
	r.report.LeftAlone = append(r.report.LeftAlone, c.left(d))
}

// callStripe makes a call when the next one is due, and again if Stripe limits it.
func callStripe[T any](ctx context.Context, r *importRun, call func() (T, error)) (T, error) {
	for retries := 0; ; retries++ {
		if err := r.waitForCall(ctx); err != nil {
			var none T
			return none, err
		}
		answer, err := call()
		var refused *apperr.StripeError
		if !errors.As(err, &refused) || refused.Status != 429 || retries == importRetries {
			return answer, err
		}
		if err := pauseFor(ctx, r.Backoff(retries+1)); err != nil {
			return answer, err
		}
	}
}

// isSpent reports whether no other customer should be begun.
func (r *importRun) isSpent() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.options.MaxCalls > 0 && r.report.Calls >= r.options.MaxCalls
}

// waitForCall counts a call and waits until it is due.
func (r *importRun) waitForCall(ctx context.Context) error {
	r.mu.Lock()
	r.report.Calls++
	now := time.Now()
	due := now
	if r.nextCall.After(now) {
		due = r.nextCall
	}
	r.nextCall = due.Add(r.gap)
	r.mu.Unlock()
	return pauseFor(ctx, due.Sub(now))
}

func pauseFor(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(max(0, wait))
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}
