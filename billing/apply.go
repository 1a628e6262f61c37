package billing

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// subscriptionNews is something heard about a subscription, from wherever it came.
type subscriptionNews struct {
	id         string
	customerID string
	orgID      string // from metadata; a hint where the customer is not linked yet
	moment     time.Time
	testClock  bool
	payload    *Subscription // the whole object, if it came along in a shape of our API version
	final      bool
}

// heard is what became of news in its transaction.
type heard struct {
	outcome        Outcome
	organizationID string
}

// hear decides what to do with news of a subscription and, where the news is good enough, does it. It runs inside the caller's
// transaction; OutcomePending means that Stripe has to be asked after it ([Service.ask]).
func (s *Service) hear(ctx context.Context, q Queries, n subscriptionNews) (heard, error) {
	place, err := s.lockPlace(ctx, q, n)
	if err != nil || place.organizationID == "" {
		return heard{outcome: OutcomeIgnored}, err
	}
	held := place.held
	verdict := Decide(
		Held{Exists: place.known, Moment: held.Moment, Final: held.Status.Ended()},
		News{Moment: n.moment, Payload: n.payload != nil, TestClock: n.testClock || held.TestClock, Linked: place.linked, Final: n.final},
	)
	switch verdict {
	case Drop:
		return heard{OutcomeStale, place.organizationID}, nil
	case Ask:
		return heard{OutcomePending, place.organizationID}, nil
	}
	fresh := *n.payload
	fresh.OrganizationID = place.organizationID
	if fresh.CardLast4 == "" { // payloads carry the card as an id only
		fresh.CardBrand, fresh.CardLast4 = held.CardBrand, held.CardLast4
	}
	return heard{OutcomeApplied, place.organizationID}, s.writeSubscription(ctx, q, held, fresh)
}

// place is where news of a subscription belongs, locked.
type place struct {
	organizationID string // empty: it is another application's
	linked         bool   // the customer is known to be the organization's; else the metadata says so
	held           Subscription
	known          bool // there is a snapshot held
}

// lockPlace locks the organization that news is about, and the snapshot held of its subscription. Nearly always it is one question.
func (s *Service) lockPlace(ctx context.Context, q Queries, n subscriptionNews) (p place, err error) {
	p.organizationID, p.held, err = q.LockOwnerAndSubscription(ctx, n.customerID, s.knownAccount(), n.id)
	if !errors.Is(err, ErrNotFound) {
		p.linked, p.known = true, true
		return p, err
	}
	p.organizationID, p.linked, err = s.lockOwner(ctx, q, n.customerID, n.orgID)
	if err != nil || p.organizationID == "" {
		return place{}, err
	}
	p.held, p.known, err = optional(q.LockSubscription(ctx, n.id))
	return p, err
}

// ownerOf tells whose a customer is. Where no link knows it, the orgId in the metadata is taken as a hint (linked is false): the event
// may be faster than our own write of the link. An empty id means another application's object.
func (s *Service) ownerOf(ctx context.Context, q Queries, customerID, hintedOrgID string) (organizationID string, linked bool, err error) {
	if customerID != "" {
		link, known, err := optional(q.CustomerOwner(ctx, customerID, s.knownAccount()))
		if err != nil {
			return "", false, fmt.Errorf("look up customer: %w", err)
		}
		if known {
			return link.OrganizationID, true, nil
		}
	}
	if hintedOrgID == "" {
		return "", false, nil
	}
	organization, known, err := optional(q.Organization(ctx, hintedOrgID))
	if err != nil || !known {
		return "", false, err
	}
	return organization.ID, false, nil
}

// lockOwner is [Service.ownerOf] with the organization locked. Nearly always it is one question.
func (s *Service) lockOwner(ctx context.Context, q Queries, customerID, hintedOrgID string) (organizationID string, linked bool, err error) {
	organizationID, linked, err = optional(q.LockOwner(ctx, customerID, s.knownAccount()))
	if err != nil {
		return "", false, fmt.Errorf("lock the customer's organization: %w", err)
	}
	if linked {
		return organizationID, true, nil
	}
	organizationID, linked, err = s.ownerOf(ctx, q, customerID, hintedOrgID)
	if err != nil || organizationID == "" {
		return "", false, err
	}
	if _, err := q.LockOrganization(ctx, organizationID); err != nil {
		return "", false, fmt.Errorf("lock organization: %w", err)
	}
	return organizationID, linked, nil
}

// writeSubscription stores a snapshot over the one held before, settles which one is current, recounts the seats against it and writes
// to people about what changed. The organization is locked.
func (s *Service) writeSubscription(ctx context.Context, q Queries, before, fresh Subscription) error {
	account := s.knownAccount()
	fresh.Account = account.ID
	all, err := q.PutSubscription(ctx, fresh)
	if err != nil {
		return fmt.Errorf("write subscription: %w", err)
	}
	recordSubscription(q, before, fresh)
	current, ok := chooseCurrent(all)
	if ok && !current.IsCurrent {
		if err := q.SetCurrent(ctx, fresh.OrganizationID, current.ID, account); err != nil {
			return fmt.Errorf("set current subscription: %w", err)
		}
		q.Record("subscription %s: the current one", current.ID)
	}
	if err := s.noteSurplus(ctx, q, current, all); err != nil {
		return err
	}
	if err := s.noticeSubscription(ctx, q, before, fresh); err != nil {
		return err
	}
	if before.Revision == 0 || before.Status != fresh.Status {
		// Which plan's credits count depends on which subscriptions live.
		if err := s.recountCredits(ctx, q, fresh.OrganizationID, nil, CreditExpire); err != nil {
			return err
		}
	}
	return s.recountSeatsUnder(ctx, q, fresh.OrganizationID, current, ok, seatCause{reason: "Stripe's subscription changed"})
}

// errMoved tells that the row was written while Stripe was asked.
var errMoved = errors.New("the snapshot moved while Stripe was asked")

// askTries bounds how often a question is repeated because the row moved meanwhile. Whoever asked tries again later.
const askTries = 8

// askPause is the longest wait before the second question; it grows with each further one, so that askers at once do not meet again.
const askPause = 40 * time.Millisecond

// ask fetches a subscription from Stripe, outside any transaction, and writes the answer. Where the row moved meanwhile it asks again:
// an answer is neither forced in nor thrown away. Errors: a StripeError in the chain; [ErrNotFound] where the subscription is not one
// of ours or Stripe does not know it.
func (s *Service) ask(ctx context.Context, id string) (Subscription, error) {
	return s.askRecording(ctx, id, nil)
}

// askRecording is [Service.ask] that records what it writes.
func (s *Service) askRecording(ctx context.Context, id string, changes *ChangeLog) (Subscription, error) {
	var err error
	for try := range askTries {
		if err := s.pauseBefore(ctx, try); err != nil {
			return Subscription{}, fmt.Errorf("ask Stripe: %w", err)
		}
		var before Subscription
		before, _, err = optional(s.store.Subscription(ctx, id))
		if err != nil {
			return Subscription{}, fmt.Errorf("ask Stripe: %w", err)
		}
		var answer Subscription
		answer, err = s.gateway.Subscription(ctx, id)
		if isMissing(err) {
			return Subscription{}, ErrNotFound
		}
		if err != nil {
			return Subscription{}, fmt.Errorf("ask Stripe: %w", err)
		}
		var written Subscription
		written, err = s.applyAnswer(ctx, answer, before.Revision, changes)
		if !errors.Is(err, errMoved) {
			return written, err
		}
	}
	return Subscription{}, fmt.Errorf("ask Stripe: %w", err)
}

// pauseBefore waits a random while before a further try; not before the first.
func (s *Service) pauseBefore(ctx context.Context, try int) error {
	if try == 0 {
		return nil
	}
	timer := time.NewTimer(s.random(time.Duration(try) * askPause))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// applyAnswer writes a fetched snapshot if the row still has the revision it had before Stripe was asked, else returns errMoved.
func (s *Service) applyAnswer(ctx context.Context, answer Subscription, before int64, changes *ChangeLog) (written Subscription, err error) {
	err = s.store.InTxRecording(ctx, changes, func(q Queries) error {
		written, err = s.applyAnswerIn(ctx, q, answer, before)
		return err
	})
	return written, err
}

// applyAnswerIn is [Service.applyAnswer] in the caller's transaction. Nothing was written where it returns errMoved.
func (s *Service) applyAnswerIn(ctx context.Context, q Queries, answer Subscription, before int64) (Subscription, error) {
	organizationID, err := s.adopt(ctx, q, answer.CustomerID, answer.MetadataOrgID)
	if err != nil {
		return Subscription{}, err
	}
	held, known, err := optional(q.LockSubscription(ctx, answer.ID))
	if err != nil {
		return Subscription{}, fmt.Errorf("lock subscription: %w", err)
	}
	if held.Revision != before {
		return Subscription{}, errMoved
	}
	answer.OrganizationID = organizationID
	if known && held.Moment.After(answer.Moment) {
		// The row did not move, so the answer was read after the held state was heard: it is the later one, whatever the clocks say.
		answer.Moment = held.Moment
	}
	return answer, s.writeSubscription(ctx, q, held, answer)
}

// adopt finds and locks the organization a fetched object belongs to, and writes the link where our own write of it was overtaken: only
// where the organization has no customer yet.
func (s *Service) adopt(ctx context.Context, q Queries, customerID, hintedOrgID string) (string, error) {
	organizationID, linked, err := s.ownerOf(ctx, q, customerID, hintedOrgID)
	if err != nil {
		return "", err
	}
	if organizationID == "" {
		return "", ErrNotFound
	}
	if _, err := q.LockOrganization(ctx, organizationID); err != nil {
		return "", fmt.Errorf("lock organization: %w", err)
	}
	if linked {
		return organizationID, nil
	}
	return organizationID, s.linkCustomer(ctx, q, organizationID, customerID)
}

// RefreshSubscription asks Stripe for the organization's current subscription, after the portal for example. The caller bounds the time
// by ctx. Error: CodeStripe where no answer came in time.
func (s *Service) RefreshSubscription(ctx context.Context, a Access) error {
	current, known, err := optional(s.store.CurrentSubscription(ctx, a.Organization.ID, s.knownAccount()))
	if err != nil {
		return fmt.Errorf("refresh subscription: %w", err)
	}
	if !known {
		return nil
	}
	if _, err := s.ask(ctx, current.ID); err != nil && !errors.Is(err, ErrNotFound) {
		return stripeFailed("refresh subscription", err)
	}
	return nil
}
