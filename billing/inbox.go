package billing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"time"
)

// eventHandler handles one type of event: decide runs in the webhook's transaction; refetch runs later, outside any, where the state has
// to be read from Stripe.
type eventHandler struct {
	decide  func(context.Context, Queries, Event) (heard, error)
	refetch func(context.Context, Event, *ChangeLog) (Outcome, error)
}

// eventHandlers maps Stripe's event types (https://docs.stripe.com/api/events/types) to their handlers. A type that is not here is stored
// and ignored.
func (s *Service) eventHandlers() map[string]eventHandler {
	var (
		charge                = eventHandler{s.hearCharge, s.settleCharge}
		checkout              = eventHandler{s.hearCheckout, s.settleCheckout}
		customerCreated       = eventHandler{s.hearCustomerCreated, nil}
		customerDeleted       = eventHandler{s.hearCustomerDeleted, nil}
		customer              = eventHandler{s.hearCustomer, s.settleCustomer}
		subscription          = eventHandler{s.hearSubscription, s.settleSubscription}
		trialEnding           = eventHandler{s.hearTrialEnding, s.settleSubscription}
		relatedToSubscription = eventHandler{s.hearAboutSubscription, s.settleSubscription}
		paymentMethod         = eventHandler{s.hearCard, s.settleCard}
		invoice               = eventHandler{s.hearInvoice, s.settleInvoice}
	)
	return map[string]eventHandler{
		"charge.refunded":                              charge,
		"charge.refund.updated":                        charge,
		"charge.dispute.created":                       charge,
		"charge.dispute.updated":                       charge,
		"charge.dispute.closed":                        charge,
		"charge.dispute.funds_withdrawn":               charge,
		"charge.dispute.funds_reinstated":              charge,
		"checkout.session.completed":                   checkout,
		"checkout.session.async_payment_succeeded":     checkout,
		"checkout.session.async_payment_failed":        checkout,
		"checkout.session.expired":                     checkout,
		"customer.created":                             customerCreated,
		"customer.deleted":                             customerDeleted,
		"customer.updated":                             customer,
		"customer.subscription.created":                subscription,
		"customer.subscription.updated":                subscription,
		"customer.subscription.deleted":                subscription,
		"customer.subscription.paused":                 subscription,
		"customer.subscription.resumed":                subscription,
		"customer.subscription.trial_will_end":         trialEnding,
		"customer.subscription.pending_update_applied": subscription,
		"customer.subscription.pending_update_expired": subscription,
		"subscription_schedule.aborted":                relatedToSubscription,
		"subscription_schedule.canceled":               relatedToSubscription,
		"subscription_schedule.completed":              relatedToSubscription,
		"subscription_schedule.created":                relatedToSubscription,
		"subscription_schedule.expiring":               relatedToSubscription,
		"subscription_schedule.released":               relatedToSubscription,
		"subscription_schedule.updated":                relatedToSubscription,
		"payment_method.attached":                      paymentMethod,
		"payment_method.updated":                       paymentMethod,
		"payment_method.automatically_updated":         paymentMethod,
		"payment_method.detached":                      paymentMethod,
		// It has no id: a reminder, some days before the renewal, to refetch the subscription.
		"invoice.upcoming":                relatedToSubscription,
		"invoice.created":                 invoice,
		"invoice.finalized":               invoice,
		"invoice.paid":                    invoice,
		"invoice.payment_succeeded":       invoice,
		"invoice.payment_failed":          invoice,
		"invoice.payment_action_required": invoice,
		"invoice.updated":                 invoice,
		"invoice.voided":                  invoice,
		"invoice.marked_uncollectible":    invoice,
	}
}

// EventTypes lists the types that are acted on: what a webhook endpoint should be sent.
func EventTypes() []string { return slices.Sorted(maps.Keys((&Service{}).eventHandlers())) }

// ReceiveEvent takes a webhook's raw body and signature header. It returns nil once the event is stored and committed, for duplicates,
// unknown types and other applications' objects too. Errors: CodeInvalid for a bad signature or a body that is no event; anything else
// means that Stripe should send it again.
func (s *Service) ReceiveEvent(ctx context.Context, payload []byte, signature string) error {
	event, err := s.gateway.VerifyEvent(payload, signature, s.wall())
	if err != nil {
		return err
	}
	if err := s.receive(ctx, event); err != nil {
		return fmt.Errorf("receive event %s: %w", event.ID, err)
	}
	return nil
}

// errKnownEvent takes back what was done about an event that was there already.
var errKnownEvent = errors.New("the event is known")

// receive is the one transaction of a webhook: decide, apply, store. The event is written last, with what became of it: writing it first would
// write its payload twice. What is done about a duplicate is taken back by then.
func (s *Service) receive(ctx context.Context, event Event) error {
	now := s.now()
	var changes ChangeLog
	err := s.store.InTxRecording(ctx, &changes, func(q Queries) error {
		result, err := s.hearEvent(ctx, q, event)
		if err != nil {
			return err
		}
		stored := StoredEvent{Event: event, OrganizationID: result.organizationID, Outcome: result.outcome, ReceivedAt: now, Changes: changes.Lines}
		if stored.Outcome == OutcomePending {
			stored.NextAttemptAt = &now
			if err := s.setAlarm(ctx, q, AlarmEvent, event.ID, "", now); err != nil {
				return err
			}
		}
		fresh, err := q.InsertEvent(ctx, stored)
		if err == nil && !fresh {
			return errKnownEvent
		}
		return err
	})
	if errors.Is(err, errKnownEvent) {
		return nil
	}
	return err
}

// hearEvent decides about an event inside a transaction. While it is not known whose account this is, nothing can be decided: the event
// waits.
func (s *Service) hearEvent(ctx context.Context, q Queries, event Event) (heard, error) {
	handler, known := s.handlers[event.Type]
	switch {
	case !known:
		return heard{outcome: OutcomeIgnored}, nil
	case s.account.Load() == nil:
		return heard{outcome: OutcomePending}, nil
	case !s.concernsUs(event):
		return heard{outcome: OutcomeIgnored}, nil
	}
	return handler.decide(ctx, q, event)
}

// concernsUs tells whether an event is of our own account and mode.
func (s *Service) concernsUs(e Event) bool {
	account := s.knownAccount()
	return e.Livemode == account.Livemode && (e.Account == "" || e.Account == account.ID)
}

func (s *Service) hearSubscription(ctx context.Context, q Queries, e Event) (heard, error) {
	return s.hear(ctx, q, subscriptionNews{
		id: e.ObjectID, customerID: e.CustomerID, orgID: e.OrgID, moment: e.Created, testClock: e.TestClock,
		payload: e.Subscription, final: e.Type == "customer.subscription.deleted",
	})
}

// hearAboutSubscription takes an event of another object as a reason to look at its subscription.
func (s *Service) hearAboutSubscription(ctx context.Context, q Queries, e Event) (heard, error) {
	if e.SubscriptionID == "" {
		return heard{outcome: OutcomeIgnored}, nil
	}
	return s.hear(ctx, q, subscriptionNews{
		id: e.SubscriptionID, customerID: e.CustomerID, orgID: e.OrgID, moment: e.Created, testClock: e.TestClock,
	})
}

// hearCard takes news of a customer or a card as a reason to look at the subscription whose bill it pays: payloads of subscriptions carry the card
// as an id only.
func (s *Service) hearCard(ctx context.Context, q Queries, e Event) (heard, error) {
	current, known, err := s.currentOf(ctx, q, e.CustomerID)
	if err != nil || !known {
		return heard{outcome: OutcomeIgnored}, err
	}
	return heard{OutcomePending, current.OrganizationID}, nil
}

func (s *Service) settleCard(ctx context.Context, e Event, changes *ChangeLog) (Outcome, error) {
	current, known, err := s.currentOf(ctx, s.store, e.CustomerID)
	if err != nil || !known {
		return OutcomeIgnored, err
	}
	return s.settle(ctx, current.ID, changes)
}

// currentOf finds the living subscription of a customer's organization.
func (s *Service) currentOf(ctx context.Context, q Queries, customerID string) (Subscription, bool, error) {
	organizationID, _, err := s.ownerOf(ctx, q, customerID, "")
	if err != nil || organizationID == "" {
		return Subscription{}, false, err
	}
	current, known, err := optional(q.CurrentSubscription(ctx, organizationID, s.knownAccount()))
	return current, known && !current.Status.Ended(), err
}

func (s *Service) settleSubscription(ctx context.Context, e Event, changes *ChangeLog) (Outcome, error) {
	return s.settle(ctx, e.SubscriptionID, changes)
}

func (s *Service) settle(ctx context.Context, subscriptionID string, changes *ChangeLog) (Outcome, error) {
	_, err := s.askRecording(ctx, subscriptionID, changes)
	if errors.Is(err, ErrNotFound) {
		return OutcomeIgnored, nil
	}
	return OutcomeApplied, err
}

// hearCheckout records that a session of ours has ended, and looks at the subscription it led to.
func (s *Service) hearCheckout(ctx context.Context, q Queries, e Event) (heard, error) {
	organizationID, _, err := s.ownerOf(ctx, q, e.CustomerID, e.OrgID)
	if err != nil || organizationID == "" {
		return heard{outcome: OutcomeIgnored}, err
	}
	if e.Checkout == nil || e.Checkout.Mode == ModePayment { // the payload does not name what was sold
		return heard{OutcomePending, organizationID}, nil
	}
	if err := s.endCheckout(ctx, q, organizationID, *e.Checkout); err != nil {
		return heard{}, err
	}
	if e.Checkout.SubscriptionID == "" {
		return heard{OutcomeApplied, organizationID}, nil
	}
	return s.hearAboutSubscription(ctx, q, e)
}

// endCheckout counts what a session sold and writes its end; a session that we do not know (made outside Usher) is none of ours.
func (s *Service) endCheckout(ctx context.Context, q Queries, organizationID string, c StripeCheckout) error {
	if _, err := q.LockOrganization(ctx, organizationID); err != nil {
		return fmt.Errorf("lock organization: %w", err)
	}
	if err := s.takePack(ctx, q, organizationID, c); err != nil {
		return err
	}
	session, known, err := optional(q.CheckoutByStripeID(ctx, organizationID, c.ID))
	if err != nil || !known || c.Status == CheckoutOpen || session.Status == c.Status {
		return err
	}
	q.Record("checkout %s: %s, before: %s", c.ID, c.Status, session.Status)
	session.Status = c.Status
	if c.Status == CheckoutComplete {
		now := s.now()
		session.CompletedAt = &now
	}
	return q.PutCheckout(ctx, session)
}

func (s *Service) settleCheckout(ctx context.Context, e Event, changes *ChangeLog) (Outcome, error) {
	answer, err := s.gateway.Checkout(ctx, e.ObjectID)
	if isMissing(err) {
		return OutcomeIgnored, nil
	}
	if err != nil {
		return "", err
	}
	err = s.store.InTxRecording(ctx, changes, func(q Queries) error {
		organizationID, err := s.adopt(ctx, q, answer.CustomerID, answer.OrgID)
		if err != nil {
			return err
		}
		if e.Type == "checkout.session.async_payment_failed" {
			if err := s.hearPackFailed(ctx, q, organizationID, e.Created, answer); err != nil {
				return err
			}
		}
		return s.endCheckout(ctx, q, organizationID, answer)
	})
	if errors.Is(err, ErrNotFound) {
		return OutcomeIgnored, nil
	}
	if err != nil || answer.SubscriptionID == "" {
		return OutcomeApplied, err
	}
	return s.settle(ctx, answer.SubscriptionID, changes)
}

// hearCustomerCreated writes the link where our own write of it was lost or overtaken.
func (s *Service) hearCustomerCreated(ctx context.Context, q Queries, e Event) (heard, error) {
	organizationID, linked, err := s.ownerOf(ctx, q, e.ObjectID, e.OrgID)
	if err != nil || organizationID == "" {
		return heard{outcome: OutcomeIgnored}, err
	}
	if linked {
		return heard{OutcomeApplied, organizationID}, nil
	}
	if _, err := q.LockOrganization(ctx, organizationID); err != nil {
		return heard{}, fmt.Errorf("lock organization: %w", err)
	}
	if err := s.linkCustomer(ctx, q, organizationID, e.ObjectID); err != nil {
		if errors.Is(err, ErrNotFound) { // the organization has another customer
			return heard{OutcomeIgnored, organizationID}, nil
		}
		return heard{}, err
	}
	return heard{OutcomeApplied, organizationID}, nil
}

func (s *Service) hearCustomerDeleted(ctx context.Context, q Queries, e Event) (heard, error) {
	link, err := s.markCustomerDeleted(ctx, q, e.ObjectID)
	if errors.Is(err, ErrNotFound) {
		return heard{outcome: OutcomeIgnored}, nil
	}
	return heard{OutcomeApplied, link.OrganizationID}, err
}

// Bounds of work on pending events.
const (
	eventLease    = 30 * time.Second
	eventAttempts = 15 // with the back-off's doubling that is about half a day
)

// settleDueEvent works on one pending event. false: none was due.
func (s *Service) settleDueEvent(ctx context.Context) (bool, error) {
	stored, claimed, err := s.claimDueEvent(ctx)
	if err != nil || !claimed {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, jobTimeout)
	defer cancel()
	var changes ChangeLog
	outcome, err := s.settleSafely(ctx, stored.Event, &changes)
	stored.Outcome, stored.Error, stored.NextAttemptAt = outcome, "", nil
	stored.Changes = append(stored.Changes, changes.Lines...)
	if err != nil {
		s.postpone(&stored, err)
		s.log.WarnContext(ctx, "event is not settled", "event", stored.ID, "type", stored.Type, "attempt", stored.Attempts, "error", err)
	}
	return true, s.store.FinishEvent(context.WithoutCancel(ctx), stored)
}

// Turn is a place in the round in which pending events are worked on: an organization's id, or [NobodysTurn]. The zero value comes before all.
type Turn string

// NobodysTurn is that of events whose organization is not known. It comes before every organization's.
const NobodysTurn Turn = "-"

// claimDueEvent takes events by turns, one of each organization that has any, so that whoever has a hundred thousand keeps nobody waiting for all
// of them.
func (s *Service) claimDueEvent(ctx context.Context) (StoredEvent, bool, error) {
	last, _ := s.lastServed.Load().(Turn)
	stored, claimed, err := s.claimAfter(ctx, last)
	if err == nil && !claimed && last != "" { // the round has come to its end
		stored, claimed, err = s.claimAfter(ctx, "")
	}
	return stored, claimed, err
}

func (s *Service) claimAfter(ctx context.Context, last Turn) (StoredEvent, bool, error) {
	now := s.now()
	stored, claimed, err := optional(s.store.ClaimDueEvent(ctx, now, now.Add(eventLease), last))
	if claimed {
		s.lastServed.Store(cmp.Or(Turn(stored.OrganizationID), NobodysTurn))
	}
	return stored, claimed, err
}

// settleSafely keeps a poisonous event from taking the worker, and with it everybody else's events, down.
func (s *Service) settleSafely(ctx context.Context, e Event, changes *ChangeLog) (outcome Outcome, err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			s.log.ErrorContext(ctx, "an event made its handler panic", "event", e.ID, "type", e.Type, "panic", panicked, "stack", string(debug.Stack()))
			outcome, err = "", fmt.Errorf("the handler panicked: %v", panicked)
		}
	}()
	return s.settleEvent(ctx, e, changes)
}

func (s *Service) settleEvent(ctx context.Context, e Event, changes *ChangeLog) (Outcome, error) {
	event, err := s.gateway.ParseEvent(e.Payload)
	if err != nil {
		return "", err
	}
	if _, err := s.requireAccount(ctx); err != nil {
		return "", err
	}
	handler, known := s.handlers[event.Type]
	if known && handler.refetch != nil && s.concernsUs(event) {
		return handler.refetch(ctx, event, changes)
	}
	var result heard
	err = s.store.InTxRecording(ctx, changes, func(q Queries) (err error) {
		result, err = s.hearEvent(ctx, q, event)
		return err
	})
	return result.outcome, err
}

// postpone plans the next attempt. After the last one, and at once where another would end the same way, the event is a dead letter: it waits
// for an operator.
func (s *Service) postpone(e *StoredEvent, cause error) {
	e.Error = cause.Error()
	if e.Attempts >= eventAttempts || terminal(cause) {
		e.Outcome = OutcomeFailed
		return
	}
	next := s.now().Add(s.backoff(e.Attempts))
	e.Outcome, e.NextAttemptAt = OutcomePending, &next
}

// terminal tells that trying again would end the same way: the payload can't be read, or Stripe says that the request itself is wrong.
// Keys are rolled and permissions given while events wait, so 401 and 403 are not.
func terminal(cause error) bool {
	var refused *StripeError
	if errors.As(cause, &refused) {
		return refused.Status == 400 && !refused.Unanswered
	}
	return ErrorCode(cause) == CodeInvalid
}
