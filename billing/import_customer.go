package billing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"usher/billing/account"
	"usher/billing/apperr"
)

// importCustomer reads a candidate's subscriptions and recent invoices once more, decides by them,
// and makes the organization.
func (r *importRun) importCustomer(ctx context.Context, c importCandidate) (ImportedSubscription, importDecision, error) {
	var none ImportedSubscription
	if err := r.readSubscriptions(ctx, &c); err != nil {
		return none, importDecision{}, err
	}
	decision, err := r.decide(ctx, c)
	if err != nil || decision.reason != "" {
		return none, decision, err
	}
	invoices, err := r.readInvoices(ctx, decision.subscription)
	if err != nil {
		return none, decision, err
	}
	organization, err := r.put(ctx, c, decision.subscription, invoices)
	if owner := (*alreadyLinkedError)(nil); errors.As(err, &owner) {
		return none, importDecision{reason: LeftLinked, organizationID: owner.organizationID}, nil
	}
	if err != nil {
		return none, decision, err
	}
	imported := r.imported(c, decision.subscription, organization)
	if c.customer.OrgID != "" {
		return imported, decision, nil
	}
	if err := r.setOrganization(ctx, c.customer, organization.ID); err != nil {
		return imported, decision, fmt.Errorf("it is imported; its organization is not named at Stripe yet: %w", err)
	}
	return imported, decision, nil
}

func (r *importRun) imported(c importCandidate, s Subscription, o account.Organization) ImportedSubscription {
	plan, _, _ := r.Catalog().ByPrice(s.PriceID)
	return ImportedSubscription{
		CustomerID: c.customer.ID, OrganizationID: o.ID, Name: cmp.Or(o.Name, c.customer.Name, c.customer.Email), Email: c.customer.Email,
		SubscriptionID: s.ID, Plan: plan.ID, Status: s.Status, Quantity: s.Quantity,
	}
}

func (r *importRun) readSubscriptions(ctx context.Context, c *importCandidate) error {
	all, err := callStripe(ctx, r, func() ([]Subscription, error) { return r.gateway.Subscriptions(ctx, c.customer.ID) })
	if err != nil {
		return err
	}
	for i, s := range all {
		if all[i], err = r.reconciler.classify(ctx, s); err != nil {
			return err
		}
	}
	c.subscriptions = all
	return nil
}

// readInvoices reads the invoices since the start of the current period, of the last weeks at
// least, with their lines, oldest first. An unpaid subscription may owe older ones.
func (r *importRun) readInvoices(ctx context.Context, s Subscription) ([]Invoice, error) {
	since := r.Now().Add(-invoiceWindow)
	if start := s.CurrentPeriodStart.Add(-importMargin); start.Before(since) {
		since = start
	}
	if earliest := r.Now().Add(-organizationWindow); since.Before(earliest) || s.Status.leavesInvoiceOpen() || s.Status == StatusPaused {
		since = earliest
	}
	listed, err := callStripe(ctx, r, func() ([]Invoice, error) { return r.gateway.Invoices(ctx, s.CustomerID, since) })
	if err != nil {
		return nil, err
	}
	invoices := make([]Invoice, 0, len(listed))
	for _, i := range listed {
		invoice, err := callStripe(ctx, r, func() (Invoice, error) { return r.gateway.Invoice(ctx, i.ID) })
		if apperr.IsMissing(err) { // a draft was deleted
			continue
		}
		if err == nil {
			err = r.ensureKnown(ctx, invoice.prices())
		}
		if err != nil {
			return nil, err
		}
		invoices = append(invoices, invoice)
	}
	slices.SortFunc(invoices, func(a, b Invoice) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return invoices, nil
}

// alreadyLinkedError means that another run has imported the customer meanwhile.
type alreadyLinkedError struct{ organizationID string }

// Error implements error.
func (e *alreadyLinkedError) Error() string {
	return "the customer belongs to the organization " + e.organizationID
}

// put makes the organization: its owner's invitation, the link of the customer, and the snapshots
// of its subscriptions and invoices, in one transaction. The current period's credits follow from
// its paid invoice; see [Credits.grantedHere] for earlier ones.
func (r *importRun) put(ctx context.Context, c importCandidate, s Subscription, invoices []Invoice) (organization account.Organization, err error) {
	err = r.store.InTx(ctx, func(tx Tx) error {
		owner, owned, err := apperr.Found(tx.Customers().Owner(ctx, c.customer.ID, r.account))
		if err != nil {
			return fmt.Errorf("look up customer: %w", err)
		}
		if owned {
			return &alreadyLinkedError{owner.OrganizationID}
		}
		organization, err = r.invitations.Import(ctx, tx, account.ImportedOrganization{Name: c.customer.Name, OwnerEmail: c.customer.Email})
		if err != nil {
			return err
		}
		if err := r.putCustomer(ctx, tx, organization, c.customer); err != nil {
			return err
		}
		if err := r.putSeats(ctx, tx, organization, s); err != nil {
			return err
		}
		return r.putSnapshots(ctx, tx, organization, c, invoices)
	})
	return organization, err
}

func (r *importRun) putCustomer(ctx context.Context, tx Tx, organization account.Organization, customer StripeCustomer) error {
	now := r.Now()
	link := CustomerLink{
		OrganizationID: organization.ID, Generation: 1, StripeCustomerID: customer.ID, Account: r.account.ID, Livemode: r.account.Livemode,
		Email: customer.Email, Name: customer.Name, CreatedAt: now, UpdatedAt: now,
	}
	if err := tx.Customers().PutLink(ctx, link); err != nil {
		return fmt.Errorf("link customer: %w", err)
	}
	if err := tx.Customers().Put(ctx, r.account, customer); err != nil {
		return fmt.Errorf("write customer: %w", err)
	}
	tx.Record("customer %s: imported", customer.ID)
	return r.audit(ctx, tx, account.AuditEntry{Act: account.ActCustomerLinked, OrganizationID: organization.ID}.To(customer.ID, ""))
}

// putSeats makes the quantity at Stripe the desired one, until somebody confirms the number of
// people. A flat plan with its one seat has nothing to confirm.
func (r *importRun) putSeats(ctx context.Context, tx Tx, organization account.Organization, s Subscription) error {
	plan := r.planOf(s)
	if s.ItemID == "" || !plan.PerSeat && s.Quantity == 1 {
		return nil
	}
	state := SeatState{OrganizationID: organization.ID, DesiredSeats: max(1, s.Quantity), SyncVersion: 1, UnconfirmedSubscriptionID: s.ID}
	if err := tx.Seats().PutState(ctx, state); err != nil {
		return fmt.Errorf("write seat state: %w", err)
	}
	return nil
}

// putSnapshots stores all subscriptions of the customer, because a trial that was used counts
// however long ago, and then the invoices.
func (r *importRun) putSnapshots(ctx context.Context, tx Tx, organization account.Organization, c importCandidate, invoices []Invoice) error {
	oldestFirst := slices.Clone(c.subscriptions)
	slices.SortFunc(oldestFirst, func(a, b Subscription) int { return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID)) })
	for _, s := range oldestFirst {
		s.OrganizationID = organization.ID
		if _, err := r.subscriptions.write(ctx, tx, Subscription{}, s); err != nil {
			return err
		}
	}
	for _, i := range invoices {
		i.OrganizationID = organization.ID
		if err := r.invoices.write(ctx, tx, Invoice{}, i); err != nil {
			return err
		}
	}
	return nil
}

// setOrganization writes the orgId into the customer's metadata. The end of ctx does not end the
// call, because the organization exists.
func (r *importRun) setOrganization(ctx context.Context, customer StripeCustomer, organizationID string) error {
	_, err := callStripe(ctx, r, func() (struct{}, error) {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), importCallTime)
		defer cancel()
		return struct{}{}, r.gateway.SetCustomerOrganization(bounded, customer.ID, organizationID)
	})
	return err
}

// importCallTime bounds a call that the end of an import does not end.
const importCallTime = 10 * time.Second
