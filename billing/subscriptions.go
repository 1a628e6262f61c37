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

// Subscriptions stores snapshots of subscriptions and changes subscriptions at Stripe.
type Subscriptions struct {
	*core
	customers *Customers
	seats     *SeatCounter
	credits   *Credits
	notices   *Notices
}

// subscriptionUpdate is what one source (an event, for example) says about a subscription.
type subscriptionUpdate struct {
	id            string
	customerID    string
	metadataOrgID string // from metadata; a hint if the customer is not linked yet
	asOf          time.Time
	testClock     bool
	payload       *Subscription // the whole object, if it came along in a shape of our API version
	final         bool
}

// handleEvent handles the customer.subscription events.
func (ss *Subscriptions) handleEvent(ctx context.Context, tx Tx, e Event) (eventResult, error) {
	return ss.observe(ctx, tx, subscriptionUpdate{
		id: e.ObjectID, customerID: e.CustomerID, metadataOrgID: e.OrgID, asOf: e.Created, testClock: e.TestClock,
		payload: e.Subscription, final: e.Type == "customer.subscription.deleted",
	})
}

// handleRelated handles an event of another object, such as a schedule, that may have changed its
// subscription.
func (ss *Subscriptions) handleRelated(ctx context.Context, tx Tx, e Event) (eventResult, error) {
	if e.SubscriptionID == "" {
		return eventResult{outcome: OutcomeIgnored}, nil
	}
	return ss.observe(ctx, tx, subscriptionUpdate{
		id: e.SubscriptionID, customerID: e.CustomerID, metadataOrgID: e.OrgID, asOf: e.Created, testClock: e.TestClock,
	})
}

// handleSchedule handles the subscription_schedule events. The subscription is always refetched:
// its own events carry no phases, so a snapshot that is newer than the event may still lack them.
func (ss *Subscriptions) handleSchedule(ctx context.Context, tx Tx, e Event) (eventResult, error) {
	if e.SubscriptionID == "" {
		return eventResult{outcome: OutcomeIgnored}, nil
	}
	organizationID, _, err := ss.customers.findOwner(ctx, tx, e.CustomerID, e.OrgID)
	if err != nil || organizationID == "" {
		return eventResult{outcome: OutcomeIgnored}, err
	}
	return eventResult{OutcomePending, organizationID}, nil
}

// observe decides what to do with an update of a subscription and applies its payload if that is
// the newer state. It runs in the caller's transaction. OutcomePending means that the subscription
// has to be refetched.
func (ss *Subscriptions) observe(ctx context.Context, tx Tx, u subscriptionUpdate) (eventResult, error) {
	target, err := ss.lockTarget(ctx, tx, u)
	if err != nil || target.organizationID == "" {
		return eventResult{outcome: OutcomeIgnored}, err
	}
	stored := target.stored
	// A payload with an unknown price may be ours or not: the price has to be fetched first.
	payload := u.payload != nil && u.payload.classifiable(ss.Catalog())
	verdict := Decide(
		Stored{Exists: target.exists, AsOf: stored.AsOf, Final: stored.Status.Ended()},
		Observation{AsOf: u.asOf, Payload: payload, TestClock: u.testClock || stored.TestClock, Linked: target.linked, Final: u.final},
	)
	if verdict == Apply && u.payload.ScheduleID != "" && u.payload.ScheduleID != stored.ScheduleID {
		verdict = Fetch // the payload does not carry the phases of the new schedule
	}
	if verdict != Apply {
		return eventResult{outcomeOf(verdict), target.organizationID}, nil
	}
	if u.payload.PaymentMethodID != "" && stored.PaymentMethodID != "" && u.payload.PaymentMethodID != stored.PaymentMethodID {
		return eventResult{OutcomePending, target.organizationID}, nil // the payload does not carry the new card
	}
	fresh := *u.payload
	fresh.OrganizationID = target.organizationID
	fresh.keepUnexpanded(stored)
	_, err = ss.write(ctx, tx, stored, fresh)
	return eventResult{OutcomeApplied, target.organizationID}, err
}

// updateTarget is the locked organization and snapshot that an update is about.
type updateTarget struct {
	organizationID string // empty: the subscription belongs to another application
	// linked means that the customer is linked to the organization; otherwise the owner is known
	// from metadata only.
	linked bool
	stored Subscription
	exists bool // a snapshot is stored
}

// lockTarget locks the organization and the snapshot that an update is about, nearly always with
// one query.
func (ss *Subscriptions) lockTarget(ctx context.Context, tx Tx, u subscriptionUpdate) (t updateTarget, err error) {
	t.organizationID, t.stored, err = tx.Subscriptions().LockWithOwner(ctx, u.customerID, ss.knownAccount(), u.id)
	if !errors.Is(err, apperr.ErrNotFound) {
		t.linked, t.exists = true, true
		return t, err
	}
	t.organizationID, t.linked, err = ss.customers.lockOwner(ctx, tx, u.customerID, u.metadataOrgID)
	if err != nil || t.organizationID == "" {
		return updateTarget{}, err
	}
	t.stored, t.exists, err = apperr.Found(tx.Subscriptions().Lock(ctx, u.id))
	return t, err
}

// errUnknownPrice reports that a snapshot has a price that the catalog does not recognize. Nothing
// was written: the subscription has to be refetched, which fetches the price too.
var errUnknownPrice = errors.New("a price of the subscription is not known yet")

// write classifies and stores a snapshot, chooses the organization's current subscription, and
// applies what follows from both: duplicate subscriptions, notices, credits and seats. It returns
// the snapshot as classified. The organization is locked. Error: errUnknownPrice, with nothing
// written.
func (ss *Subscriptions) write(ctx context.Context, tx Tx, before, fresh Subscription) (Subscription, error) {
	plans, acct := ss.Catalog(), ss.knownAccount()
	if !fresh.classifiable(plans) {
		return fresh, fmt.Errorf("write subscription %s: %w", fresh.ID, errUnknownPrice)
	}
	fresh = fresh.Classified(plans)
	fresh.Account = acct.ID
	if err := ss.nameItems(ctx, tx, before, &fresh); err != nil {
		return fresh, err
	}
	ours, err := tx.Subscriptions().Put(ctx, fresh)
	if err != nil {
		return fresh, fmt.Errorf("write subscription: %w", err)
	}
	recordChanges(tx, before, fresh)
	if err := ss.requestCardPayments(ctx, tx, fresh); err != nil {
		return fresh, err
	}
	return fresh, ss.applyChange(ctx, tx, before, fresh, ours)
}

// nameItems fills in the names of the items that are not the seats: a price often has no nickname,
// and a payload has no product name. The prices of foreign items are stored for a time only, so a
// name that is known is kept.
func (ss *Subscriptions) nameItems(ctx context.Context, tx Tx, before Subscription, fresh *Subscription) error {
	fresh.Items = slices.Clone(fresh.Items)
	names := map[string]string{}
	for _, item := range before.Items {
		names[item.PriceID] = item.Name
	}
	for i := range fresh.Items {
		item := &fresh.Items[i]
		item.Name = cmp.Or(item.Name, names[item.PriceID])
		if item.Name != "" || item.ID == fresh.ItemID {
			continue
		}
		prices, err := tx.Stripe().Prices(ctx, ss.knownAccount())
		if err != nil {
			return fmt.Errorf("read stored prices: %w", err)
		}
		for _, price := range prices {
			if price.ID == item.PriceID {
				item.Name = price.ProductName
			}
		}
	}
	return nil
}

// applyChange applies what follows from a written snapshot. ours are all subscriptions of the
// organization that are not foreign.
func (ss *Subscriptions) applyChange(ctx context.Context, tx Tx, before, fresh Subscription, ours []Subscription) error {
	current, err := ss.setCurrent(ctx, tx, before, fresh.OrganizationID, ours)
	if err != nil {
		return err
	}
	if err := ss.wakePlanChange(ctx, tx, before, fresh); err != nil {
		return err
	}
	if err := ss.recordDuplicates(ctx, tx, fresh.OrganizationID, ours); err != nil {
		return err
	}
	if err := ss.wakeCancellation(ctx, tx, before, fresh); err != nil {
		return err
	}
	if err := ss.notices.subscription(ctx, tx, before, fresh); err != nil {
		return err
	}
	if err := ss.recordTrial(ctx, tx, fresh); err != nil {
		return err
	}
	if before.Revision == 0 || before.Status != fresh.Status || before.Foreign != fresh.Foreign || unixOf(before.TrialEnd) != unixOf(fresh.TrialEnd) {
		// Which plan's credits count depends on which subscriptions of ours are live.
		if err := ss.credits.recount(ctx, tx, fresh.OrganizationID, nil, CreditExpire); err != nil {
			return err
		}
	}
	if before.Revision > 0 && before.PriceID != fresh.PriceID && fresh.ID == current.ID {
		if err := ss.seats.priceChanged(ctx, tx, before, fresh); err != nil {
			return fmt.Errorf("change the price of the seats: %w", err)
		}
	}
	return ss.seats.recountFor(ctx, tx, fresh.OrganizationID, current, seatReason{reason: reasonSubscriptionChanged})
}

// setCurrent stores which of an organization's subscriptions is the current one, after one of them
// was written, and returns it; the zero value if there is none.
func (ss *Subscriptions) setCurrent(ctx context.Context, tx Tx, before Subscription, organizationID string, ours []Subscription) (Subscription, error) {
	current, ok := chooseCurrent(ours)
	switch {
	case ok && !current.IsCurrent:
		if err := tx.Subscriptions().SetCurrent(ctx, organizationID, current.ID, ss.knownAccount()); err != nil {
			return current, fmt.Errorf("set current subscription: %w", err)
		}
		tx.Record("subscription %s: current", current.ID)
	case !ok && before.IsCurrent: // it became foreign
		if err := tx.Subscriptions().ClearCurrent(ctx, organizationID, ss.knownAccount()); err != nil {
			return current, fmt.Errorf("clear current subscription: %w", err)
		}
		tx.Record("subscription %s: no longer current", before.ID)
	}
	return current, nil
}

// recordChanges records the differences between two snapshots of a subscription, for operators.
func recordChanges(tx Tx, before, after Subscription) {
	if before.Revision == 0 {
		tx.Record("subscription %s: %s, %s × %d%s", after.ID, after.Status, after.PriceID, after.Quantity, foreignSuffix(after))
		return
	}
	record := func(field string, from, to any) {
		if from != to {
			tx.Record("subscription %s: %s %v, before: %v", after.ID, field, to, from)
		}
	}
	if before.Foreign != after.Foreign {
		tx.Record("subscription %s: %s", after.ID, map[bool]string{true: "foreign, no item has a price of a plan", false: "ours"}[after.Foreign])
	}
	record("status", before.Status, after.Status)
	record("price", before.PriceID, after.PriceID)
	record("quantity", before.Quantity, after.Quantity)
	record("current_period_end", before.CurrentPeriodEnd.UTC().Format(time.RFC3339), after.CurrentPeriodEnd.UTC().Format(time.RFC3339))
	record("ends", formatEnd(before), formatEnd(after))
}

func foreignSuffix(s Subscription) string {
	if s.Foreign {
		return ", foreign"
	}
	return ""
}

func formatEnd(s Subscription) string {
	if end, ending := s.EndsAt(); ending {
		return end.UTC().Format(time.RFC3339)
	}
	return "never"
}

// chooseCurrent picks an organization's current subscription among those that are not foreign: a
// live one before an ended one; among live ones, one that grants access before one that does not,
// then the older, so that a second purchase never replaces the first; among ended ones, the newer.
// Ids break ties, so that every replica and every order of events picks the same.
func chooseCurrent(all []Subscription) (Subscription, bool) {
	var best Subscription
	found := false
	for _, s := range all {
		if !s.Foreign && (!found || currentBefore(s, best)) {
			best, found = s, true
		}
	}
	return best, found
}

func currentBefore(a, b Subscription) bool {
	if a.Status.Ended() != b.Status.Ended() {
		return !a.Status.Ended()
	}
	if a.Status.GrantsAccess() != b.Status.GrantsAccess() {
		return a.Status.GrantsAccess()
	}
	if !a.CreatedAt.Equal(b.CreatedAt) {
		return a.CreatedAt.Before(b.CreatedAt) != a.Status.Ended()
	}
	return a.ID < b.ID
}

// refetch fetches a subscription from Stripe, outside any transaction, and writes it; if the row
// changed meanwhile, it fetches again. Errors: a StripeError in the chain; [apperr.ErrNotFound] if
// Stripe does not know the subscription or it does not belong to an organization here.
func (ss *Subscriptions) refetch(ctx context.Context, id string) (Subscription, error) {
	return ss.refetchRecording(ctx, id, nil)
}

// refetchRecording is refetch that records its writes in changes.
func (ss *Subscriptions) refetchRecording(ctx context.Context, id string, changes *ChangeLog) (written Subscription, err error) {
	err = ss.retryOnRowChange(ctx, func() error {
		before, _, err := apperr.Found(ss.store.Subscriptions().Get(ctx, id))
		if err != nil {
			return fmt.Errorf("read subscription: %w", err)
		}
		answer, err := ss.gateway.Subscription(ctx, id)
		if apperr.IsMissing(err) {
			return apperr.ErrNotFound
		}
		if err != nil {
			return fmt.Errorf("fetch subscription: %w", err)
		}
		if err := ss.ensureKnown(ctx, answer.priceIDs()); err != nil {
			return fmt.Errorf("fetch the prices of subscription %s: %w", id, err)
		}
		written, err = ss.applyFetched(ctx, answer, before.Revision, changes)
		return err
	})
	return written, err
}

// applyFetched writes a fetched snapshot if the row still has the given revision, otherwise it
// returns errRowChanged. Error: errUnknownPrice too, see [mustRefetch].
func (ss *Subscriptions) applyFetched(ctx context.Context, answer Subscription, revision int64, changes *ChangeLog) (written Subscription, err error) {
	err = ss.store.InTxRecording(ctx, changes, func(tx Tx) error {
		written, err = ss.applyFetchedTx(ctx, tx, answer, revision)
		return err
	})
	return written, err
}

// mustRefetch reports whether a snapshot that came with an answer of Stripe was not applied, and
// the subscription has to be refetched.
func mustRefetch(err error) bool {
	return errors.Is(err, errRowChanged) || errors.Is(err, errUnknownPrice)
}

// applyFetchedTx is applyFetched in the caller's transaction. No snapshot is written if it returns
// errRowChanged or errUnknownPrice.
func (ss *Subscriptions) applyFetchedTx(ctx context.Context, tx Tx, answer Subscription, revision int64) (Subscription, error) {
	organizationID, err := ss.customers.resolveOwner(ctx, tx, answer.CustomerID, answer.MetadataOrgID)
	if err != nil {
		return Subscription{}, err
	}
	stored, known, err := apperr.Found(tx.Subscriptions().Lock(ctx, answer.ID))
	if err != nil {
		return Subscription{}, fmt.Errorf("lock subscription: %w", err)
	}
	if stored.Revision != revision {
		return Subscription{}, errRowChanged
	}
	answer.OrganizationID = organizationID
	if known && stored.AsOf.After(answer.AsOf) {
		// The row did not change, so the answer was read after the stored state was received: it
		// is the newer one, whatever the clocks say.
		answer.AsOf = stored.AsOf
	}
	return ss.write(ctx, tx, stored, answer)
}

// refetchForEvent processes a pending event about a subscription.
func (ss *Subscriptions) refetchForEvent(ctx context.Context, e Event, changes *ChangeLog) (Outcome, error) {
	return ss.refetchOutcome(ctx, e.SubscriptionID, changes)
}

func (ss *Subscriptions) refetchOutcome(ctx context.Context, subscriptionID string, changes *ChangeLog) (Outcome, error) {
	_, err := ss.refetchRecording(ctx, subscriptionID, changes)
	if errors.Is(err, apperr.ErrNotFound) {
		return OutcomeIgnored, nil
	}
	return OutcomeApplied, err
}

// handleCustomerUpdated handles customer.updated: the customer's name and e-mail address are
// refetched, and so is the card of its subscription, which payloads carry as an id only.
func (ss *Subscriptions) handleCustomerUpdated(ctx context.Context, tx Tx, e Event) (eventResult, error) {
	organizationID, linked, err := ss.customers.findOwner(ctx, tx, e.CustomerID, "")
	if err != nil || !linked {
		return eventResult{outcome: OutcomeIgnored}, err
	}
	return eventResult{OutcomePending, organizationID}, nil
}

func (ss *Subscriptions) refetchCustomer(ctx context.Context, e Event, changes *ChangeLog) (Outcome, error) {
	customer, err := ss.gateway.Customer(ctx, e.CustomerID)
	if apperr.IsMissing(err) {
		return OutcomeIgnored, nil
	}
	if err != nil {
		return "", fmt.Errorf("fetch customer: %w", err)
	}
	if err := ss.store.Customers().Put(ctx, ss.knownAccount(), customer); err != nil {
		return "", fmt.Errorf("write customer: %w", err)
	}
	outcome, err := ss.refetchPaymentMethod(ctx, e, changes)
	return mergeOutcomes(OutcomeApplied, outcome), err
}

// handlePaymentMethod handles the payment_method events. The card is shown with the subscription
// it pays, so that subscription is refetched: payloads carry the card as an id only.
func (ss *Subscriptions) handlePaymentMethod(ctx context.Context, tx Tx, e Event) (eventResult, error) {
	current, known, err := ss.currentOf(ctx, tx, e.CustomerID)
	if err != nil || !known {
		return eventResult{outcome: OutcomeIgnored}, err
	}
	return eventResult{OutcomePending, current.OrganizationID}, nil
}

func (ss *Subscriptions) refetchPaymentMethod(ctx context.Context, e Event, changes *ChangeLog) (Outcome, error) {
	current, known, err := ss.currentOf(ctx, ss.store, e.CustomerID)
	if err != nil || !known {
		return OutcomeIgnored, err
	}
	return ss.refetchOutcome(ctx, current.ID, changes)
}

// currentOf returns the live current subscription of a customer's organization.
func (ss *Subscriptions) currentOf(ctx context.Context, tx Tx, customerID string) (Subscription, bool, error) {
	organizationID, _, err := ss.customers.findOwner(ctx, tx, customerID, "")
	if err != nil || organizationID == "" {
		return Subscription{}, false, err
	}
	current, known, err := apperr.Found(tx.Subscriptions().Current(ctx, organizationID, ss.knownAccount()))
	return current, known && !current.Status.Ended(), err
}

// handleTrialWillEnd handles customer.subscription.trial_will_end, which Stripe sends three days
// before a trial ends, or at once for a shorter one
// (https://docs.stripe.com/billing/subscriptions/trials). The event stays pending for the notice:
// its amount comes from Stripe.
func (ss *Subscriptions) handleTrialWillEnd(ctx context.Context, tx Tx, e Event) (eventResult, error) {
	result, err := ss.handleEvent(ctx, tx, e)
	if err == nil && result.outcome != OutcomeIgnored && ss.notices.isRecent(e.Created) {
		result.outcome = OutcomePending
	}
	return result, err
}

// Refresh refetches the organization's current subscription, after a return from the portal for
// example. The caller bounds the time by ctx. Error: CodeStripe if no answer came in time.
func (ss *Subscriptions) Refresh(ctx context.Context, a account.Access) error {
	current, known, err := apperr.Found(ss.store.Subscriptions().Current(ctx, a.Organization.ID, ss.knownAccount()))
	if err != nil {
		return fmt.Errorf("refresh subscription: %w", err)
	}
	if !known {
		return nil
	}
	if _, err := ss.refetch(ctx, current.ID); err != nil && !errors.Is(err, apperr.ErrNotFound) {
		return apperr.StripeFailed("refresh subscription", err)
	}
	return nil
}
