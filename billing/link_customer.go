package billing

import (
	"context"
	"fmt"
	"slices"

	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/catalog"
)

// CustomerLinking links a customer at Stripe to an organization, and what it found there.
type CustomerLinking struct {
	Customer     StripeCustomer
	Organization account.Organization
	// Subscriptions are the customer's live ones to plans of the catalog.
	Subscriptions []Subscription
	Billed        int  // members of the organization that take a seat
	DryRun        bool // nothing was changed
	AlreadyLinked bool
	// Report is what the comparison of the organization with Stripe found and repaired.
	Report DriftReport
}

// LinkCustomer links a customer that exists at Stripe to an organization and reconciles the
// organization. It is the remedy for [DriftUnknownOrganization]. With dryRun it only checks.
// Errors: CodeNotFound if the organization or the customer does not exist in this account and mode;
// CodeConflict if either is linked already, the organization is deleted, or the customer has
// another currency than the plans; a StripeError in the chain.
func (rc *Reconciler) LinkCustomer(ctx context.Context, customerID, organizationID string, dryRun bool) (CustomerLinking, error) {
	acct, err := rc.requireAccount(ctx)
	if err != nil {
		return CustomerLinking{}, err
	}
	linking, err := rc.checkLinking(ctx, acct, customerID, organizationID)
	if err != nil {
		return linking, fmt.Errorf("link customer: %w", err)
	}
	if linking.DryRun = dryRun; dryRun {
		return linking, nil
	}
	if err := rc.putLink(ctx, acct, linking); err != nil {
		return linking, fmt.Errorf("link customer: %w", err)
	}
	linking.Report, err = rc.Reconcile(ctx, ReconcileOptions{OrganizationID: organizationID})
	return linking, err
}

func (rc *Reconciler) checkLinking(ctx context.Context, acct StripeAccount, customerID, organizationID string) (CustomerLinking, error) {
	var a CustomerLinking
	organization, known, err := apperr.Found(rc.store.Organizations().Get(ctx, organizationID))
	if err != nil {
		return a, err
	}
	if !known {
		return a, apperr.Errorf(apperr.CodeNotFound, "There is no organization %s.", organizationID)
	}
	a.Organization = organization
	if err := organization.RequireNotDeleting(); err != nil {
		return a, err
	}
	if a.Customer, err = rc.customerAtStripe(ctx, acct, customerID); err != nil {
		return a, err
	}
	if a.AlreadyLinked, err = rc.checkLinks(ctx, rc.store, acct, customerID, organizationID); err != nil {
		return a, err
	}
	if err := rc.checkCurrency(a.Customer); err != nil {
		return a, err
	}
	if a.Billed, err = rc.store.Members().CountBillable(ctx, organizationID); err != nil {
		return a, err
	}
	a.Subscriptions, err = rc.liveSubscriptionsAtStripe(ctx, customerID)
	return a, err
}

func (rc *Reconciler) customerAtStripe(ctx context.Context, acct StripeAccount, customerID string) (StripeCustomer, error) {
	customer, err := rc.gateway.Customer(ctx, customerID)
	if apperr.IsMissing(err) || err == nil && customer.Deleted {
		mode := "test"
		if acct.Livemode {
			mode = "live"
		}
		return customer, apperr.Errorf(apperr.CodeNotFound, "The Stripe account %s has no customer %s in %s mode.", acct.ID, customerID, mode)
	}
	return customer, err
}

// checkLinks reports whether the customer is linked to the organization already. CodeConflict if
// one of them is linked otherwise.
func (rc *Reconciler) checkLinks(ctx context.Context, tx Tx, acct StripeAccount, customerID, organizationID string) (bool, error) {
	owner, owned, err := apperr.Found(tx.Customers().Owner(ctx, customerID, acct))
	switch {
	case err != nil:
		return false, err
	case owned && owner.OrganizationID != organizationID:
		return false, apperr.Errorf(apperr.CodeConflict, "The customer %s belongs to the organization %s.", customerID, owner.OrganizationID)
	}
	link, linked, err := apperr.Found(tx.Customers().Link(ctx, organizationID, acct))
	if err != nil {
		return false, err
	}
	if linked && link.DeletedAt == nil && link.StripeCustomerID != "" && link.StripeCustomerID != customerID {
		return false, apperr.Errorf(apperr.CodeConflict, "The organization %s has another customer, %s.", organizationID, link.StripeCustomerID)
	}
	return owned && owner.DeletedAt == nil, nil
}

// checkCurrency returns CodeConflict if no plan can be sold to the customer: one customer has one
// currency (https://docs.stripe.com/api/customers/object#customer_object-currency).
func (rc *Reconciler) checkCurrency(customer StripeCustomer) error {
	sold := func(p catalog.Price) bool { return p.Amount.Currency == customer.Currency }
	fits := func(p catalog.Plan) bool { return slices.ContainsFunc(p.Prices, sold) }
	if customer.Currency == "" || slices.ContainsFunc(rc.Catalog().Plans, fits) {
		return nil
	}
	return apperr.Errorf(apperr.CodeConflict, "The customer %s is billed in %s, and no plan has a price in that currency.", customer.ID, customer.Currency)
}

func (rc *Reconciler) liveSubscriptionsAtStripe(ctx context.Context, customerID string) ([]Subscription, error) {
	all, err := rc.gateway.Subscriptions(ctx, customerID)
	if err != nil {
		return nil, err
	}
	var live []Subscription
	for _, s := range all {
		if s, err = rc.classify(ctx, s); err != nil {
			return nil, err
		}
		if !s.Status.Ended() && !s.Foreign {
			live = append(live, s)
		}
	}
	return live, nil
}

// putLink links the customer. The checks are repeated with the organization locked.
func (rc *Reconciler) putLink(ctx context.Context, acct StripeAccount, a CustomerLinking) error {
	return rc.store.InTx(ctx, func(tx Tx) error {
		if _, err := tx.Organizations().Lock(ctx, a.Organization.ID); err != nil {
			return fmt.Errorf("lock organization: %w", err)
		}
		linked, err := rc.checkLinks(ctx, tx, acct, a.Customer.ID, a.Organization.ID)
		if err != nil || linked {
			return err
		}
		entry := account.AuditEntry{Act: account.ActCustomerLinked, OrganizationID: a.Organization.ID}.To(a.Customer.ID, "")
		if err := rc.audit(ctx, tx, entry); err != nil {
			return err
		}
		owner, owned, err := apperr.Found(tx.Customers().Owner(ctx, a.Customer.ID, acct))
		if err != nil {
			return err
		}
		if owned { // deleted by mistake: Stripe has it
			owner.DeletedAt, owner.UpdatedAt = nil, rc.Now()
			return tx.Customers().PutLink(ctx, owner)
		}
		return rc.customers.link(ctx, tx, a.Organization.ID, a.Customer.ID)
	})
}
