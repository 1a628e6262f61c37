package billing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"

	"usher/billing/apperr"
	"usher/billing/job"
)

// Inbox receives Stripe's events, stores them and processes those that are pending.
type Inbox struct {
	*core
	customers     *Customers
	checkouts     *Checkouts
	subscriptions *Subscriptions
	invoices      *Invoices
	payments      *Payments

	handlers map[string]eventHandler // by event type
	cursor   atomic.Value            // QueueCursor: whose event was claimed last
}

func newInbox(c *core, s *Service) *Inbox {
	in := &Inbox{
		core: c, customers: s.Customers, checkouts: s.Checkouts, subscriptions: s.Subscriptions, invoices: s.Invoices,
		payments: s.Payments,
	}
	in.handlers = in.handlersByType()
	return in
}

// eventHandler handles one type of event: decide runs in the webhook's transaction; refetch runs later, outside any, where the state has
// to be read from Stripe.
type eventHandler struct {
	decide  func(context.Context, Tx, Event) (eventResult, error)
	refetch func(context.Context, Event, *ChangeLog) (Outcome, error)
}

// eventHandlers maps Stripe's event types (https://docs.stripe.com/api/events/types) to their handlers. A type that is not here is stored
// and ignored.
func (in *Inbox) handlersByType() map[string]eventHandler {
	var (
		charge                = eventHandler{in.payments.handle, in.payments.refetchOf}
		checkout              = eventHandler{in.checkouts.handle, in.checkouts.refetchOf}
		customerCreated       = eventHandler{in.customers.handleCreated, nil}
		customerDeleted       = eventHandler{in.customers.handleDeleted, nil}
		customer              = eventHandler{in.handleCustomerUpdated, in.refetchCustomer}
		subscription          = eventHandler{in.subscriptions.handle, in.subscriptions.refetchOf}
		trialEnding           = eventHandler{in.subscriptions.handleTrialWillEnd, in.subscriptions.refetchOf}
		relatedToSubscription = eventHandler{in.subscriptions.handleRelated, in.subscriptions.refetchOf}
		paymentMethod         = eventHandler{in.subscriptions.handlePaymentMethod, in.subscriptions.refetchPaymentMethod}
		invoice               = eventHandler{in.invoices.handle, in.invoices.refetchOf}
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
func EventTypes() []string { return slices.Sorted(maps.Keys((&Inbox{}).handlersByType())) }

// ReceiveEvent takes a webhook's raw body and signature header. It returns nil once the event is stored and committed, for duplicates,
// unknown types and other applications' objects too. Errors: CodeInvalid for a bad signature or a body that is no event; anything else
// means that Stripe should send it again.
func (in *Inbox) Receive(ctx context.Context, payload []byte, signature string) error {
	event, err := in.gateway.VerifyEvent(payload, signature, in.Wall())
	if err != nil {
		return err
	}
	if err := in.storeEvent(ctx, event); err != nil {
		return fmt.Errorf("receive event %s: %w", event.ID, err)
	}
	return nil
}

// errDuplicateEvent takes back what was done about an event that was there already.
var errDuplicateEvent = errors.New("the event is known")

// storeEvent is the one transaction of a webhook: decide, apply, store. The event is written last, with what became of it: writing it first would
// write its payload twice. What is done about a duplicate is taken back by then.
func (in *Inbox) storeEvent(ctx context.Context, event Event) error {
	now := in.Now()
	var changes ChangeLog
	err := in.store.InTxRecording(ctx, &changes, func(tx Tx) error {
		result, err := in.decide(ctx, tx, event)
		if err != nil {
			return err
		}
		stored := StoredEvent{Event: event, OrganizationID: result.organizationID, Outcome: result.outcome, ReceivedAt: now, Changes: changes.Lines}
		if stored.Outcome == OutcomePending {
			stored.NextAttemptAt = &now
			if err := in.Enqueue(ctx, tx.Jobs(), job.KindEvent, event.ID, "", now); err != nil {
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
func (in *Inbox) decide(ctx context.Context, tx Tx, event Event) (eventResult, error) {
	handler, known := in.handlers[event.Type]
	switch {
	case !known:
		return eventResult{outcome: OutcomeIgnored}, nil
	case in.account.Load() == nil:
		return eventResult{outcome: OutcomePending}, nil
	case !in.ownAccount(event):
		return eventResult{outcome: OutcomeIgnored}, nil
	}
	return handler.decide(ctx, tx, event)
}

// ownAccount tells whether an event is of our own account and mode.
func (in *Inbox) ownAccount(e Event) bool {
	acct := in.knownAccount()
	return e.Livemode == acct.Livemode && (e.Account == "" || e.Account == acct.ID)
}

// Bounds of work on pending events.
const (
	eventLease    = 30 * time.Second
	eventAttempts = 15 // with the back-off's doubling that is about half a day
)

// processDueEvent works on one pending event. false: none was due.
func (in *Inbox) processDue(ctx context.Context) (bool, error) {
	stored, claimed, err := in.claimDue(ctx)
	if err != nil || !claimed {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, jobTimeout)
	defer cancel()
	var changes ChangeLog
	outcome, err := in.processRecovering(ctx, stored.Event, &changes)
	stored.Outcome, stored.Error, stored.NextAttemptAt = outcome, "", nil
	stored.Changes = append(stored.Changes, changes.Lines...)
	if err != nil {
		in.scheduleRetry(&stored, err)
		in.Log.WarnContext(ctx, "event is not settled", "event", stored.ID, "type", stored.Type, "attempt", stored.Attempts, "error", err)
	}
	return true, in.store.Events().Finish(context.WithoutCancel(ctx), stored)
}

// Recounts is a place in the round in which pending events are worked on: an organization's id, or [NoOrganization]. The zero value comes before all.
type QueueCursor string

// NoOrganization is that of events whose organization is not known. It comes before every organization's.
const NoOrganization QueueCursor = "-"

// claimDueEvent takes events by turns, one of each organization that has any, so that whoever has a hundred thousand keeps nobody waiting for all
// of them.
func (in *Inbox) claimDue(ctx context.Context) (StoredEvent, bool, error) {
	last, _ := in.cursor.Load().(QueueCursor)
	stored, claimed, err := in.claimAfter(ctx, last)
	if err == nil && !claimed && last != "" { // the round has come to its end
		stored, claimed, err = in.claimAfter(ctx, "")
	}
	return stored, claimed, err
}

func (in *Inbox) claimAfter(ctx context.Context, last QueueCursor) (StoredEvent, bool, error) {
	now := in.Now()
	stored, claimed, err := apperr.Found(in.store.Events().ClaimDue(ctx, now, now.Add(eventLease), last))
	if claimed {
		in.cursor.Store(cmp.Or(QueueCursor(stored.OrganizationID), NoOrganization))
	}
	return stored, claimed, err
}

// processRecovering keeps a poisonous event from taking the worker, and with it everybody else's events, down.
func (in *Inbox) processRecovering(ctx context.Context, e Event, changes *ChangeLog) (outcome Outcome, err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			in.Log.ErrorContext(ctx, "an event made its handler panic", "event", e.ID, "type", e.Type, "panic", panicked, "stack", string(debug.Stack()))
			outcome, err = "", fmt.Errorf("the handler panicked: %v", panicked)
		}
	}()
	return in.process(ctx, e, changes)
}

func (in *Inbox) process(ctx context.Context, e Event, changes *ChangeLog) (Outcome, error) {
	event, err := in.gateway.ParseEvent(e.Payload)
	if err != nil {
		return "", err
	}
	if _, err := in.requireAccount(ctx); err != nil {
		return "", err
	}
	handler, known := in.handlers[event.Type]
	if known && handler.refetch != nil && in.ownAccount(event) {
		return handler.refetch(ctx, event, changes)
	}
	var result eventResult
	err = in.store.InTxRecording(ctx, changes, func(tx Tx) (err error) {
		result, err = in.decide(ctx, tx, event)
		return err
	})
	return result.outcome, err
}

// scheduleRetry plans the next attempt. After the last one, and at once where another would end the same way, the event is a dead letter: it waits
// for an operator.
func (in *Inbox) scheduleRetry(e *StoredEvent, cause error) {
	e.Error = cause.Error()
	if e.Attempts >= eventAttempts || isPermanent(cause) {
		e.Outcome = OutcomeFailed
		return
	}
	next := in.Now().Add(in.Backoff(e.Attempts))
	e.Outcome, e.NextAttemptAt = OutcomePending, &next
}

// isPermanent tells that trying again would end the same way: the payload can't be read, or Stripe says that the request itself is wrong.
// Keys are rolled and permissions given while events wait, so 401 and 403 are not.
func isPermanent(cause error) bool {
	var refused *apperr.StripeError
	if errors.As(cause, &refused) {
		return refused.Status == 400 && !refused.OutcomeUnknown
	}
	return apperr.CodeOf(cause) == apperr.CodeInvalid
}

func (in *Inbox) processAllDue(ctx context.Context) error {
	// A long backlog is worked on by one sweep after the other: the other chores are not to wait for its end.
	until := time.Now().Add(sweepInterval)
	for ctx.Err() == nil && time.Now().Before(until) {
		worked, err := in.processDue(ctx)
		if err != nil || !worked {
			return err
		}
	}
	return nil
}

// handleCustomerUpdated takes news of a customer: what it is called is asked for, and so is the card its subscription is paid by, which payloads carry as
// an id only.
func (in *Inbox) handleCustomerUpdated(ctx context.Context, tx Tx, e Event) (eventResult, error) {
	organizationID, linked, err := in.customers.findOwner(ctx, tx, e.CustomerID, "")
	if err != nil || !linked {
		return eventResult{outcome: OutcomeIgnored}, err
	}
	return eventResult{OutcomePending, organizationID}, nil
}

func (in *Inbox) refetchCustomer(ctx context.Context, e Event, changes *ChangeLog) (Outcome, error) {
	customer, err := in.gateway.Customer(ctx, e.CustomerID)
	if apperr.IsMissing(err) {
		return OutcomeIgnored, nil
	}
	if err != nil {
		return "", fmt.Errorf("ask Stripe for a customer: %w", err)
	}
	if err := in.store.Customers().Put(ctx, in.knownAccount(), customer); err != nil {
		return "", err
	}
	outcome, err := in.subscriptions.refetchPaymentMethod(ctx, e, changes)
	return mergeOutcomes(OutcomeApplied, outcome), err
}
