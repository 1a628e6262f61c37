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

// Inbox receives Stripe's events, stores them and processes those that are pending. Receive is the
// webhook: one transaction decides about the event, applies it and stores it. processDue is the
// worker's part: it refetches from Stripe what an event's payload could not decide.
type Inbox struct {
	*core
	customers     *Customers
	checkouts     *Checkouts
	subscriptions *Subscriptions
	invoices      *Invoices
	payments      *Payments
	upcoming      *UpcomingInvoices
	attempts      *PaymentAttempts

	handlers map[string]eventHandler // by event type
	queue    eventQueue              // of events that are not stored yet
	cursor   atomic.Value            // QueueCursor: the position of the last claimed event
}

func newInbox(c *core, s *Service, committers int) *Inbox {
	in := &Inbox{
		core: c, customers: s.Customers, checkouts: s.Checkouts, subscriptions: s.Subscriptions, invoices: s.Invoices,
		payments: s.Payments, upcoming: s.Upcoming, attempts: s.Attempts, queue: eventQueue{committers: cmp.Or(committers, eventCommitters)},
	}
	in.handlers = in.handlersByType()
	return in
}

// Receive handles a webhook, given its raw body and signature header. It returns nil once the event
// is committed, also for duplicates, unknown types and objects of other applications. Errors:
// CodeInvalid for a bad signature or a body that is no event; after any other error Stripe should
// send the event again.
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

// errDuplicateEvent rolls back the changes of an event that is stored already.
var errDuplicateEvent = errors.New("the event is stored already")

// storeAlone is the transaction of a webhook: decide, apply, store. The event is written last,
// together with its outcome: writing it first would write its payload twice. A duplicate's changes
// are rolled back.
func (in *Inbox) storeAlone(ctx context.Context, event Event) error {
	var changes ChangeLog
	err := in.store.InTxRecording(ctx, &changes, func(tx Tx) error {
		stored, err := in.decideStored(ctx, tx, event)
		if err != nil {
			return err
		}
		stored.Changes = changes.Lines
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

// decideStored decides about an event, applies it and returns it as it is to be stored, with a job
// if it is pending.
func (in *Inbox) decideStored(ctx context.Context, tx Tx, event Event) (StoredEvent, error) {
	now := in.Now()
	result, err := in.decide(ctx, tx, event)
	if err != nil {
		return StoredEvent{}, err
	}
	stored := StoredEvent{Event: event, OrganizationID: result.organizationID, Outcome: result.outcome, ReceivedAt: now}
	if stored.Outcome == OutcomePending {
		stored.NextAttemptAt = &now
		err = in.Enqueue(ctx, tx.Jobs(), job.KindEvent, event.ID, "", now)
	}
	return stored, err
}

// decide runs an event's handler inside a transaction. While the Stripe account is not known, every
// event stays pending.
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

// ownAccount reports whether an event is of our own account and mode.
func (in *Inbox) ownAccount(e Event) bool {
	acct := in.knownAccount()
	return e.Livemode == acct.Livemode && (e.Account == "" || e.Account == acct.ID)
}

// eventHandler handles one type of event. decide runs in the webhook's transaction. refetch
// processes an event that is pending after that, outside any transaction; nil: decide runs again.
type eventHandler struct {
	decide  func(context.Context, Tx, Event) (eventResult, error)
	refetch func(context.Context, Event, *ChangeLog) (Outcome, error)
}

// handlersByType maps Stripe's event types (https://docs.stripe.com/api/events/types) to their
// handlers. An event of another type is stored and ignored.
func (in *Inbox) handlersByType() map[string]eventHandler {
	var (
		charge          = eventHandler{in.payments.handleEvent, in.payments.refetchForEvent}
		creditNote      = eventHandler{in.invoices.handleCreditNote, in.invoices.refetchCredited}
		checkout        = eventHandler{in.checkouts.handleEvent, in.checkouts.refetchForEvent}
		customerCreated = eventHandler{in.customers.handleCreated, nil}
		customerDeleted = eventHandler{in.customers.handleDeleted, nil}
		customerUpdated = eventHandler{in.subscriptions.handleCustomerUpdated, in.subscriptions.refetchCustomer}
		subscription    = eventHandler{in.subscriptions.handleEvent, in.subscriptions.refetchForEvent}
		trialWillEnd    = eventHandler{in.subscriptions.handleTrialWillEnd, in.upcoming.refetchTrialWillEnd}
		upcomingInvoice = eventHandler{in.upcoming.handleEvent, in.upcoming.refetchForEvent}
		schedule        = eventHandler{in.subscriptions.handleSchedule, in.subscriptions.refetchForEvent}
		paymentMethod   = eventHandler{in.subscriptions.handlePaymentMethod, in.subscriptions.refetchPaymentMethod}
		invoice         = eventHandler{in.invoices.handleEvent, in.invoices.refetchForEvent}
		failedCharge    = eventHandler{in.attempts.handleFailedCharge, in.attempts.refetchFailedCharge}
	)
	return map[string]eventHandler{
		"charge.failed":                                failedCharge,
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
		"credit_note.created":                          creditNote,
		"credit_note.updated":                          creditNote,
		"credit_note.voided":                           creditNote,
		"customer.created":                             customerCreated,
		"customer.deleted":                             customerDeleted,
		"customer.updated":                             customerUpdated,
		"customer.subscription.created":                subscription,
		"customer.subscription.updated":                subscription,
		"customer.subscription.deleted":                subscription,
		"customer.subscription.paused":                 subscription,
		"customer.subscription.resumed":                subscription,
		"customer.subscription.trial_will_end":         trialWillEnd,
		"customer.subscription.pending_update_applied": subscription,
		"customer.subscription.pending_update_expired": subscription,
		"subscription_schedule.aborted":                schedule,
		"subscription_schedule.canceled":               schedule,
		"subscription_schedule.completed":              schedule,
		"subscription_schedule.created":                schedule,
		"subscription_schedule.expiring":               schedule,
		"subscription_schedule.released":               schedule,
		"subscription_schedule.updated":                schedule,
		"payment_method.attached":                      paymentMethod,
		"payment_method.updated":                       paymentMethod,
		"payment_method.automatically_updated":         paymentMethod,
		"payment_method.detached":                      paymentMethod,
		"invoice.upcoming":                             upcomingInvoice,
		"invoice.created":                              invoice,
		"invoice.finalized":                            invoice,
		"invoice.paid":                                 invoice,
		"invoice.payment_succeeded":                    invoice,
		"invoice.payment_failed":                       invoice,
		"invoice.payment_action_required":              invoice,
		"invoice.updated":                              invoice,
		"invoice.voided":                               invoice,
		"invoice.marked_uncollectible":                 invoice,
	}
}

// EventTypes lists the types that have a handler: those that a webhook endpoint should be sent.
func EventTypes() []string { return slices.Sorted(maps.Keys((&Inbox{}).handlersByType())) }

// Bounds of the work on pending events.
const (
	eventLease = 30 * time.Second
	// eventAttempts are three days with the backoff that doubles up to an hour, as long as Stripe
	// retries a webhook (https://docs.stripe.com/webhooks#retries).
	eventAttempts = 83
)

// processAllDue processes pending events until none is due, for one sweep interval at most: the
// other periodic tasks do not have to wait for a long backlog.
func (in *Inbox) processAllDue(ctx context.Context) error {
	until := time.Now().Add(sweepInterval)
	for ctx.Err() == nil && time.Now().Before(until) {
		worked, err := in.processDue(ctx)
		if err != nil || !worked {
			return err
		}
	}
	return nil
}

// processDue processes one pending event. It returns false if none was due.
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
		in.Log.WarnContext(ctx, "event processing failed", "event_id", stored.ID, "type", stored.Type, "attempt", stored.Attempts, "err", err)
	}
	return true, in.store.Events().Finish(context.WithoutCancel(ctx), stored)
}

// reprocess processes a dead letter again. It stays one if that fails.
func (in *Inbox) reprocess(ctx context.Context, stored StoredEvent) error {
	bounded, cancel := context.WithTimeout(ctx, jobTimeout)
	defer cancel()
	var changes ChangeLog
	outcome, err := in.processRecovering(bounded, stored.Event, &changes)
	stored.Changes = append(stored.Changes, changes.Lines...)
	if err != nil {
		stored.Error = err.Error()
	} else {
		now := in.Now()
		stored.Outcome, stored.Error, stored.NextAttemptAt = outcome, "", &now
	}
	return errors.Join(err, in.store.Events().Finish(context.WithoutCancel(ctx), stored))
}

// QueueCursor is a round-robin position in the queue of pending events: an organization's id, or
// [NoOrganization]. The zero value comes before all.
type QueueCursor string

// NoOrganization is the position of events whose organization is not known. It comes before every
// organization's.
const NoOrganization QueueCursor = "-"

// claimDue claims pending events round-robin per organization, so that one organization's backlog
// does not delay the events of the others.
func (in *Inbox) claimDue(ctx context.Context) (StoredEvent, bool, error) {
	last, _ := in.cursor.Load().(QueueCursor)
	stored, claimed, err := in.claimAfter(ctx, last)
	if err == nil && !claimed && last != "" { // the end of the round
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

// processRecovering is process that turns a panic of a handler into an error: one event must not
// end the worker.
func (in *Inbox) processRecovering(ctx context.Context, e Event, changes *ChangeLog) (outcome Outcome, err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			in.Log.ErrorContext(ctx, "event handler panicked", "event_id", e.ID, "type", e.Type, "panic", panicked, "stack", string(debug.Stack()))
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

// scheduleRetry schedules the next attempt. After the last one, or if another would fail the same
// way, the event becomes a dead letter that an operator may replay.
func (in *Inbox) scheduleRetry(e *StoredEvent, cause error) {
	e.Error = cause.Error()
	if e.Attempts >= eventAttempts || isPermanent(cause) {
		e.Outcome = OutcomeFailed
		return
	}
	next := in.Now().Add(in.Backoff(e.Attempts))
	e.Outcome, e.NextAttemptAt = OutcomePending, &next
}

// isPermanent reports whether a retry would fail the same way: the payload can't be read, or Stripe
// says that the request itself is wrong. The statuses 401 and 403 are not permanent: keys are
// rolled and permissions granted while events are pending.
func isPermanent(cause error) bool {
	var price *unknownPriceError
	if errors.As(cause, &price) {
		return false // the price may become known
	}
	var refused *apperr.StripeError
	if errors.As(cause, &refused) {
		return refused.Status == 400 && !refused.OutcomeUnknown
	}
	return apperr.CodeOf(cause) == apperr.CodeInvalid
}
