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
	decide  func(context.Context, Tx, Event) (eventResult, error)
	refetch func(context.Context, Event, *ChangeLog) (Outcome, error)
}

// eventHandlers maps Stripe's event types (https://docs.stripe.com/api/events/types) to their handlers. A type that is not here is stored
// and ignored.
func (s *Service) eventHandlers() map[string]eventHandler {
	var (
		charge                = eventHandler{s.handleCharge, s.refetchCharge}
		checkout              = eventHandler{s.handleCheckout, s.refetchCheckout}
		customerCreated       = eventHandler{s.handleCustomerCreated, nil}
		customerDeleted       = eventHandler{s.handleCustomerDeleted, nil}
		customer              = eventHandler{s.handleCustomerUpdated, s.refetchCustomer}
		subscription          = eventHandler{s.handleSubscription, s.refetchSubscription}
		trialEnding           = eventHandler{s.handleTrialWillEnd, s.refetchSubscription}
		relatedToSubscription = eventHandler{s.handleRelated, s.refetchSubscription}
		paymentMethod         = eventHandler{s.handlePaymentMethod, s.refetchPaymentMethod}
		invoice               = eventHandler{s.handleInvoice, s.refetchInvoiceOf}
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
	if err := s.storeEvent(ctx, event); err != nil {
		return fmt.Errorf("receive event %s: %w", event.ID, err)
	}
	return nil
}

// errDuplicateEvent takes back what was done about an event that was there already.
var errDuplicateEvent = errors.New("the event is known")

// storeEvent is the one transaction of a webhook: decide, apply, store. The event is written last, with what became of it: writing it first would
// write its payload twice. What is done about a duplicate is taken back by then.
func (s *Service) storeEvent(ctx context.Context, event Event) error {
	now := s.now()
	var changes ChangeLog
	err := s.store.InTxRecording(ctx, &changes, func(tx Tx) error {
		result, err := s.decide(ctx, tx, event)
		if err != nil {
			return err
		}
		stored := StoredEvent{Event: event, OrganizationID: result.organizationID, Outcome: result.outcome, ReceivedAt: now, Changes: changes.Lines}
		if stored.Outcome == OutcomePending {
			stored.NextAttemptAt = &now
			if err := s.enqueue(ctx, tx, JobEvent, event.ID, "", now); err != nil {
				return err
			}
		}
		fresh, err := tx.Events().Insert(ctx, stored)
		if err == nil && !fresh {
			return errDuplicateEvent
		}
		return err
	})
	if errors.Is(err, errDuplicateEvent) {
		return nil
	}
	return err
}

// decide decides about an event inside a transaction. While it is not known whose account this is, nothing can be decided: the event
// waits.
func (s *Service) decide(ctx context.Context, tx Tx, event Event) (eventResult, error) {
	handler, known := s.handlers[event.Type]
	switch {
	case !known:
		return eventResult{outcome: OutcomeIgnored}, nil
	case s.account.Load() == nil:
		return eventResult{outcome: OutcomePending}, nil
	case !s.ownAccount(event):
		return eventResult{outcome: OutcomeIgnored}, nil
	}
	return handler.decide(ctx, tx, event)
}

// ownAccount tells whether an event is of our own account and mode.
func (s *Service) ownAccount(e Event) bool {
	acct := s.knownAccount()
	return e.Livemode == acct.Livemode && (e.Account == "" || e.Account == acct.ID)
}

// Bounds of work on pending events.
const (
	eventLease    = 30 * time.Second
	eventAttempts = 15 // with the back-off's doubling that is about half a day
)

// processDueEvent works on one pending event. false: none was due.
func (s *Service) processDueEvent(ctx context.Context) (bool, error) {
	stored, claimed, err := s.claimDueEvent(ctx)
	if err != nil || !claimed {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, jobTimeout)
	defer cancel()
	var changes ChangeLog
	outcome, err := s.processRecovering(ctx, stored.Event, &changes)
	stored.Outcome, stored.Error, stored.NextAttemptAt = outcome, "", nil
	stored.Changes = append(stored.Changes, changes.Lines...)
	if err != nil {
		s.scheduleRetry(&stored, err)
		s.log.WarnContext(ctx, "event is not settled", "event", stored.ID, "type", stored.Type, "attempt", stored.Attempts, "error", err)
	}
	return true, s.store.Events().Finish(context.WithoutCancel(ctx), stored)
}

// Recounts is a place in the round in which pending events are worked on: an organization's id, or [NoOrganization]. The zero value comes before all.
type QueueCursor string

// NoOrganization is that of events whose organization is not known. It comes before every organization's.
const NoOrganization QueueCursor = "-"

// claimDueEvent takes events by turns, one of each organization that has any, so that whoever has a hundred thousand keeps nobody waiting for all
// of them.
func (s *Service) claimDueEvent(ctx context.Context) (StoredEvent, bool, error) {
	last, _ := s.cursor.Load().(QueueCursor)
	stored, claimed, err := s.claimAfter(ctx, last)
	if err == nil && !claimed && last != "" { // the round has come to its end
		stored, claimed, err = s.claimAfter(ctx, "")
	}
	return stored, claimed, err
}

func (s *Service) claimAfter(ctx context.Context, last QueueCursor) (StoredEvent, bool, error) {
	now := s.now()
	stored, claimed, err := Found(s.store.Events().ClaimDue(ctx, now, now.Add(eventLease), last))
	if claimed {
		s.cursor.Store(cmp.Or(QueueCursor(stored.OrganizationID), NoOrganization))
	}
	return stored, claimed, err
}

// processRecovering keeps a poisonous event from taking the worker, and with it everybody else's events, down.
func (s *Service) processRecovering(ctx context.Context, e Event, changes *ChangeLog) (outcome Outcome, err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			s.log.ErrorContext(ctx, "an event made its handler panic", "event", e.ID, "type", e.Type, "panic", panicked, "stack", string(debug.Stack()))
			outcome, err = "", fmt.Errorf("the handler panicked: %v", panicked)
		}
	}()
	return s.process(ctx, e, changes)
}

func (s *Service) process(ctx context.Context, e Event, changes *ChangeLog) (Outcome, error) {
	event, err := s.gateway.ParseEvent(e.Payload)
	if err != nil {
		return "", err
	}
	if _, err := s.requireAccount(ctx); err != nil {
		return "", err
	}
	handler, known := s.handlers[event.Type]
	if known && handler.refetch != nil && s.ownAccount(event) {
		return handler.refetch(ctx, event, changes)
	}
	var result eventResult
	err = s.store.InTxRecording(ctx, changes, func(tx Tx) (err error) {
		result, err = s.decide(ctx, tx, event)
		return err
	})
	return result.outcome, err
}

// scheduleRetry plans the next attempt. After the last one, and at once where another would end the same way, the event is a dead letter: it waits
// for an operator.
func (s *Service) scheduleRetry(e *StoredEvent, cause error) {
	e.Error = cause.Error()
	if e.Attempts >= eventAttempts || isPermanent(cause) {
		e.Outcome = OutcomeFailed
		return
	}
	next := s.now().Add(s.backoff(e.Attempts))
	e.Outcome, e.NextAttemptAt = OutcomePending, &next
}

// isPermanent tells that trying again would end the same way: the payload can't be read, or Stripe says that the request itself is wrong.
// Keys are rolled and permissions given while events wait, so 401 and 403 are not.
func isPermanent(cause error) bool {
	var refused *StripeError
	if errors.As(cause, &refused) {
		return refused.Status == 400 && !refused.Unanswered
	}
	return ErrorCode(cause) == CodeInvalid
}

func (s *Service) processDueEvents(ctx context.Context) error {
	// A long backlog is worked on by one sweep after the other: the other chores are not to wait for its end.
	until := time.Now().Add(sweepInterval)
	for ctx.Err() == nil && time.Now().Before(until) {
		worked, err := s.processDueEvent(ctx)
		if err != nil || !worked {
			return err
		}
	}
	return nil
}

// handleCustomerUpdated takes news of a customer: what it is called is asked for, and so is the card its subscription is paid by, which payloads carry as
// an id only.
func (s *Service) handleCustomerUpdated(ctx context.Context, tx Tx, e Event) (eventResult, error) {
	organizationID, linked, err := s.findOwner(ctx, tx, e.CustomerID, "")
	if err != nil || !linked {
		return eventResult{outcome: OutcomeIgnored}, err
	}
	return eventResult{OutcomePending, organizationID}, nil
}

func (s *Service) refetchCustomer(ctx context.Context, e Event, changes *ChangeLog) (Outcome, error) {
	customer, err := s.gateway.Customer(ctx, e.CustomerID)
	if isMissing(err) {
		return OutcomeIgnored, nil
	}
	if err != nil {
		return "", fmt.Errorf("ask Stripe for a customer: %w", err)
	}
	if err := s.store.Customers().Put(ctx, s.knownAccount(), customer); err != nil {
		return "", err
	}
	outcome, err := s.refetchPaymentMethod(ctx, e, changes)
	return mergeOutcomes(OutcomeApplied, outcome), err
}
