package billing

import (
	"context"
	"errors"

	"usher/billing/account"
	"usher/billing/webhook"
)

// webhookObjects implements [webhook.Objects]: messages carry the objects of the API.
type webhookObjects struct {
	*core
	overviews *Overviews
	invoices  *Invoices
}

// errNotLoaded postpones messages: without the account and its prices an organization seems to have
// no plan, and a product would revoke its access.
var errNotLoaded = errors.New("the Stripe account or a price is not loaded yet")

// overview reads the billing of an organization once everything is known that it depends on.
func (w webhookObjects) overview(ctx context.Context, organization account.Organization) (Overview, error) {
	if w.knownAccount().ID == "" {
		return Overview{}, errNotLoaded
	}
	o, err := w.overviews.Get(ctx, account.Access{Organization: organization})
	if err != nil || o.Subscription == nil || o.Plan != nil {
		return o, err
	}
	if err := w.ensureKnown(ctx, []string{o.Subscription.PriceID}); err != nil {
		return o, errors.Join(errNotLoaded, err)
	}
	return w.overviews.Get(ctx, account.Access{Organization: organization})
}

// State implements [webhook.Objects]. Entitlements change without a write when a grace period ends.
func (w webhookObjects) State(ctx context.Context, organizationID string) (webhook.State, error) {
	organization, err := w.store.Organizations().Get(ctx, organizationID)
	if err != nil {
		return webhook.State{}, err
	}
	o, err := w.overview(ctx, organization)
	if err != nil {
		return webhook.State{}, err
	}
	entitlements, summary, seats := o.EntitlementsObject(), o.Summary(), o.SeatsObject()
	state := webhook.State{Objects: []webhook.Object{
		{Type: webhook.EntitlementsChanged, Data: entitlements, Compared: withoutCredits(entitlements)},
		{Type: webhook.SubscriptionChanged, Data: summary, Compared: summary.Subscription},
		{Type: webhook.SeatsChanged, Data: seats, Compared: withoutSyncTime(seats)},
		{Type: webhook.CreditsChanged, Data: entitlements, Compared: entitlements.Credits},
	}}
	if o.GraceEndsAt != nil && w.Now().Before(*o.GraceEndsAt) {
		state.ChangesAt = o.GraceEndsAt
	}
	return state, nil
}

// withoutCredits is compared for entitlements.changed: each use of credits would be a message, and
// is one of credits.changed.
func withoutCredits(e EntitlementsObject) EntitlementsObject {
	e.Credits = EntitlementCreditsObject{}
	return e
}

// withoutSyncTime is compared for seats.changed: a sync that changes nothing is no update.
func withoutSyncTime(s SeatsObject) SeatsObject {
	s.Sync.LastSyncAt = nil
	return s
}

// Member implements [webhook.Objects].
func (w webhookObjects) Member(ctx context.Context, organizationID, memberID string) (any, error) {
	member, err := w.store.Members().Get(ctx, organizationID, memberID)
	return NewMemberObject(member), err
}

// memberRemoved is the status of a member who was removed. Only messages have it.
const memberRemoved account.MemberStatus = "removed"

// RemovedMember implements [webhook.Objects].
func (w webhookObjects) RemovedMember(m account.Member) any {
	m.Status, m.Billable = memberRemoved, false
	return NewMemberObject(m)
}

// Invoice implements [webhook.Objects]. It reads nothing from Stripe.
func (w webhookObjects) Invoice(ctx context.Context, organizationID, invoiceID string) (any, error) {
	if w.knownAccount().ID == "" {
		return nil, errNotLoaded
	}
	invoice, err := w.store.Invoices().Read(ctx, organizationID, w.knownAccount(), invoiceID)
	if err != nil {
		return nil, err
	}
	explained, err := w.invoices.explainAll(ctx, account.Access{Organization: account.Organization{ID: organizationID}}, []Invoice{invoice}, false)
	if err != nil {
		return nil, err
	}
	return explained[0].Object(), nil
}
