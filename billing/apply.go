package billing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/job"
	"usher/billing/mail"
)

// Subscriptions stores snapshots of subscriptions and changes them at Stripe.
type Subscriptions struct {
	*core
	customers *Customers
	seats     *SeatCounter
	credits   *Credits
	notices   *Notices
}

// subscriptionUpdate is something heard about a subscription, from wherever it came.
type subscriptionUpdate struct {
	id            string
	customerID    string
	metadataOrgID string // from metadata; a hint where the customer is not linked yet
	asOf          time.Time
	testClock     bool
	payload       *Subscription // the whole object, if it came along in a shape of our API version
	final         bool
}

// eventResult is what became of news in its transaction.
type eventResult struct {
	outcome        Outcome
	organizationID string
}

// hear decides what to do with news of a subscription and, where the news is good enough, does it. It runs inside the caller's
// transaction; OutcomePending means that Stripe has to be asked after it ([Service.refetch]).
func (ss *Subscriptions) observe(ctx context.Context, tx Tx, n subscriptionUpdate) (eventResult, error) {
	place, err := ss.lockTarget(ctx, tx, n)
	if err != nil || place.organizationID == "" {
		return eventResult{outcome: OutcomeIgnored}, err
	}
	held := place.stored
	verdict := Decide(
		Stored{Exists: place.exists, AsOf: held.AsOf, Final: held.Status.Ended()},
		Observation{AsOf: n.asOf, Payload: n.payload != nil, TestClock: n.testClock || held.TestClock, Linked: place.linked, Final: n.final},
	)
	switch verdict {
	case Ignore:
		return eventResult{OutcomeStale, place.organizationID}, nil
	case Fetch:
		return eventResult{OutcomePending, place.organizationID}, nil
	}
	fresh := *n.payload
	fresh.OrganizationID = place.organizationID
	if fresh.CardLast4 == "" { // payloads carry the card as an id only
		fresh.CardBrand, fresh.CardLast4 = held.CardBrand, held.CardLast4
	}
	return eventResult{OutcomeApplied, place.organizationID}, ss.write(ctx, tx, held, fresh)
}

// target is where news of a subscription belongs, locked.
type target struct {
	organizationID string // empty: it is another application's
	linked         bool   // the customer is known to be the organization's; else the metadata says so
	stored         Subscription
	exists         bool // there is a snapshot held
}

// lockTarget locks the organization that news is about, and the snapshot held of its subscription. Nearly always it is one question.
func (ss *Subscriptions) lockTarget(ctx context.Context, tx Tx, n subscriptionUpdate) (p target, err error) {
	p.organizationID, p.stored, err = tx.Subscriptions().LockWithOwner(ctx, n.customerID, ss.knownAccount(), n.id)
	if !errors.Is(err, apperr.ErrNotFound) {
		p.linked, p.exists = true, true
		return p, err
	}
	p.organizationID, p.linked, err = ss.customers.lockOwner(ctx, tx, n.customerID, n.metadataOrgID)
	if err != nil || p.organizationID == "" {
		return target{}, err
	}
	p.stored, p.exists, err = apperr.Found(tx.Subscriptions().Lock(ctx, n.id))
	return p, err
}

// writeSubscription stores a snapshot over the one held before, settles which one is current, recounts the seats against it and writes
// to people about what changed. The organization is locked.
func (ss *Subscriptions) write(ctx context.Context, tx Tx, before, fresh Subscription) error {
	acct := ss.knownAccount()
	fresh.Account = acct.ID
	all, err := tx.Subscriptions().Put(ctx, fresh)
	if err != nil {
		return fmt.Errorf("write subscription: %w", err)
	}
	recordSubscription(tx, before, fresh)
	current, ok := chooseCurrent(all)
	if ok && !current.IsCurrent {
		if err := tx.Subscriptions().SetCurrent(ctx, fresh.OrganizationID, current.ID, acct); err != nil {
			return fmt.Errorf("set current subscription: %w", err)
		}
		tx.Record("subscription %s: the current one", current.ID)
	}
	if err := ss.recordDuplicates(ctx, tx, current, all); err != nil {
		return err
	}
	if err := ss.notices.subscription(ctx, tx, before, fresh); err != nil {
		return err
	}
	if before.Revision == 0 || before.Status != fresh.Status {
		// Which plan's credits count depends on which subscriptions live.
		if err := ss.credits.recount(ctx, tx, fresh.OrganizationID, nil, CreditExpire); err != nil {
			return err
		}
	}
	return ss.seats.recountFor(ctx, tx, fresh.OrganizationID, current, seatReason{reason: "Stripe's subscription changed"})
}

// errRowChanged tells that the row was written while Stripe was asked.
var errRowChanged = errors.New("the snapshot moved while Stripe was asked")

// refetchAttempts bounds how often a question is repeated because the row moved meanwhile. Whoever asked tries again later.
const refetchAttempts = 8

// refetchPause is the longest wait before the second question; it grows with each further one, so that askers at once do not meet again.
const refetchPause = 40 * time.Millisecond

// ask fetches a subscription from Stripe, outside any transaction, and writes the answer. Where the row moved meanwhile it asks again:
// an answer is neither forced in nor thrown away. Errors: a StripeError in the chain; [ErrNotFound] where the subscription is not one
// of ours or Stripe does not know it.
func (ss *Subscriptions) refetch(ctx context.Context, id string) (Subscription, error) {
	return ss.refetchRecording(ctx, id, nil)
}

// refetchRecording is [Service.refetch] that records what it writes.
func (ss *Subscriptions) refetchRecording(ctx context.Context, id string, changes *ChangeLog) (Subscription, error) {
	var err error
	for try := range refetchAttempts {
		if err := ss.pauseBefore(ctx, try); err != nil {
			return Subscription{}, fmt.Errorf("ask Stripe: %w", err)
		}
		var before Subscription
		before, _, err = apperr.Found(ss.store.Subscriptions().Get(ctx, id))
		if err != nil {
			return Subscription{}, fmt.Errorf("ask Stripe: %w", err)
		}
		var answer Subscription
		answer, err = ss.gateway.Subscription(ctx, id)
		if apperr.IsMissing(err) {
			return Subscription{}, apperr.ErrNotFound
		}
		if err != nil {
			return Subscription{}, fmt.Errorf("ask Stripe: %w", err)
		}
		var written Subscription
		written, err = ss.applyFetched(ctx, answer, before.Revision, changes)
		if !errors.Is(err, errRowChanged) {
			return written, err
		}
	}
	return Subscription{}, fmt.Errorf("ask Stripe: %w", err)
}

// pauseBefore waits a random while before a further try; not before the first.
func (ss *Subscriptions) pauseBefore(ctx context.Context, try int) error {
	if try == 0 {
		return nil
	}
	timer := time.NewTimer(ss.Jitter(time.Duration(try) * refetchPause))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// applyFetched writes a fetched snapshot if the row still has the revision it had before Stripe was asked, else returns errMoved.
func (ss *Subscriptions) applyFetched(ctx context.Context, answer Subscription, before int64, changes *ChangeLog) (written Subscription, err error) {
	err = ss.store.InTxRecording(ctx, changes, func(tx Tx) error {
		written, err = ss.applyFetchedTx(ctx, tx, answer, before)
		return err
	})
	return written, err
}

// applyFetchedTx is [Service.applyFetched] in the caller's transaction. Nothing was written where it returns errMoved.
func (ss *Subscriptions) applyFetchedTx(ctx context.Context, tx Tx, answer Subscription, before int64) (Subscription, error) {
	organizationID, err := ss.customers.resolveOwner(ctx, tx, answer.CustomerID, answer.MetadataOrgID)
	if err != nil {
		return Subscription{}, err
	}
	held, known, err := apperr.Found(tx.Subscriptions().Lock(ctx, answer.ID))
	if err != nil {
		return Subscription{}, fmt.Errorf("lock subscription: %w", err)
	}
	if held.Revision != before {
		return Subscription{}, errRowChanged
	}
	answer.OrganizationID = organizationID
	if known && held.AsOf.After(answer.AsOf) {
		// The row did not move, so the answer was read after the held state was heard: it is the later one, whatever the clocks say.
		answer.AsOf = held.AsOf
	}
	return answer, ss.write(ctx, tx, held, answer)
}

// RefreshSubscription asks Stripe for the organization's current subscription, after the portal for example. The caller bounds the time
// by ctx. Error: CodeStripe where no answer came in time.
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

// recordDuplicates writes down which of an organization's subscriptions have to end. The organization is locked.
func (ss *Subscriptions) recordDuplicates(ctx context.Context, tx Tx, kept Subscription, all []Subscription) error {
	for _, other := range all {
		if !isDuplicate(kept, other) {
			continue
		}
		now := ss.Now()
		fresh, err := tx.Duplicates().Insert(ctx, DuplicateSubscription{
			SubscriptionID: other.ID, OrganizationID: other.OrganizationID, KeptSubscriptionID: kept.ID, Status: DuplicateCanceling, FoundAt: now, NextAttemptAt: &now,
		})
		if err != nil {
			return fmt.Errorf("write surplus subscription: %w", err)
		}
		if !fresh {
			continue
		}
		tx.Record("subscription %s: surplus beside %s, to be ended and refunded", other.ID, kept.ID)
		if err := ss.Enqueue(ctx, tx.Jobs(), job.KindDuplicate, other.ID, "", now); err != nil {
			return err
		}
	}
	return nil
}

// isDuplicate tells whether an organization that stays on one subscription has no need of another: both give access or are to be paid for, and
// the other one was sold here, and not before. What somebody has made by hand at Stripe is left to them, and so is an older subscription that gives
// no access any more: what was paid for it was owed.
func isDuplicate(kept, other Subscription) bool {
	switch {
	case other.ID == kept.ID || !kept.Status.GrantsAccess():
		return false
	case other.MetadataOrgID != other.OrganizationID || other.CreatedAt.Before(kept.CreatedAt):
		return false
	}
	return other.Status.GrantsAccess() || other.Status == StatusUnpaid || other.Status == StatusPaused
}

func (ss *Subscriptions) handle(ctx context.Context, tx Tx, e Event) (eventResult, error) {
	return ss.observe(ctx, tx, subscriptionUpdate{
		id: e.ObjectID, customerID: e.CustomerID, metadataOrgID: e.OrgID, asOf: e.Created, testClock: e.TestClock,
		payload: e.Subscription, final: e.Type == "customer.subscription.deleted",
	})
}

// handleRelated takes an event of another object as a reason to look at its subscription.
func (ss *Subscriptions) handleRelated(ctx context.Context, tx Tx, e Event) (eventResult, error) {
	if e.SubscriptionID == "" {
		return eventResult{outcome: OutcomeIgnored}, nil
	}
	return ss.observe(ctx, tx, subscriptionUpdate{
		id: e.SubscriptionID, customerID: e.CustomerID, metadataOrgID: e.OrgID, asOf: e.Created, testClock: e.TestClock,
	})
}

// handlePaymentMethod takes news of a customer or a card as a reason to look at the subscription whose bill it pays: payloads of subscriptions carry the card
// as an id only.
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

// currentSubscription finds the living subscription of a customer's organization.
func (ss *Subscriptions) currentOf(ctx context.Context, tx Tx, customerID string) (Subscription, bool, error) {
	organizationID, _, err := ss.customers.findOwner(ctx, tx, customerID, "")
	if err != nil || organizationID == "" {
		return Subscription{}, false, err
	}
	current, known, err := apperr.Found(tx.Subscriptions().Current(ctx, organizationID, ss.knownAccount()))
	return current, known && !current.Status.Ended(), err
}

func (ss *Subscriptions) refetchOf(ctx context.Context, e Event, changes *ChangeLog) (Outcome, error) {
	return ss.refetchOutcome(ctx, e.SubscriptionID, changes)
}

func (ss *Subscriptions) refetchOutcome(ctx context.Context, subscriptionID string, changes *ChangeLog) (Outcome, error) {
	_, err := ss.refetchRecording(ctx, subscriptionID, changes)
	if errors.Is(err, apperr.ErrNotFound) {
		return OutcomeIgnored, nil
	}
	return OutcomeApplied, err
}

// handleTrialWillEnd takes up the subscription and writes that its trial ends: Stripe tells three days before, or at once where it is shorter.
func (ss *Subscriptions) handleTrialWillEnd(ctx context.Context, tx Tx, e Event) (eventResult, error) {
	result, err := ss.handle(ctx, tx, e)
	if err != nil {
		return result, err
	}
	_, linked, err := ss.customers.findOwner(ctx, tx, e.CustomerID, e.OrgID)
	if err != nil || !linked || e.Subscription == nil || e.Subscription.TrialEnd == nil || !ss.notices.isRecent(e.Created) {
		return result, err
	}
	plan, price, _ := ss.Catalog().ByPrice(e.Subscription.PriceID)
	return result, ss.notices.queue(ctx, tx, mail.Message{
		Kind: mail.KindTrialEnding, OrganizationID: result.organizationID, StaleAt: *e.Subscription.TrialEnd,
		Key: fmt.Sprintf("subscription:%s:trial:%d", e.ObjectID, e.Subscription.TrialEnd.Unix()),
		Data: mail.Data{
			Plan: plan.Name, Interval: price.Interval, At: *e.Subscription.TrialEnd, Amount: price.Amount.Times(e.Subscription.Quantity),
		},
	})
}
