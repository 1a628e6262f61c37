package billing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"
)

// seatCause says why seats are recounted, for the ledger.
type seatCause struct {
	actor   string // user id; empty: the system or Stripe
	subject string // user id of whose membership changed; empty where it was nobody's
	reason  string
}

// ReasonToldAgain stands in the ledger where the wanted number did not change and Stripe had another one: somebody changed it there, or a new
// subscription began with it.
const ReasonToldAgain = "the number at Stripe was set right"

// seatLease is how long one worker has an organization's seats to itself: longer than a call to Stripe may take.
const seatLease = 30 * time.Second

// status tells how the state stands to what Stripe has: ok only where they agree and nothing newer waits.
func (s SeatState) status(atStripe int) SyncStatus {
	switch {
	case s.SyncError != "":
		return SyncError
	case atStripe == s.DesiredSeats && s.AppliedVersion == s.SyncVersion:
		return SyncOK
	}
	return SyncPending
}

// seatsSynced tells whether this subscription's quantity is ours to set: a living one of a per-seat plan of the catalogue.
func (s *Service) seatsSynced(current Subscription) bool {
	plan, _, known := s.Catalogue().ByPrice(current.PriceID)
	return known && plan.PerSeat && current.Status.SeatsSynced() && current.ItemID != ""
}

// recountSeats counts who is billed, writes what is wanted and when Stripe is to be told. It belongs into every transaction that can
// change either side; the organization is locked (or new) in it. The number is always counted, never added to.
func (s *Service) recountSeats(ctx context.Context, q Queries, organizationID string, cause seatCause) error {
	current, living, err := optional(q.CurrentSubscription(ctx, organizationID, s.knownAccount()))
	if err != nil {
		return fmt.Errorf("look up subscription: %w", err)
	}
	return s.recountSeatsUnder(ctx, q, organizationID, current, living, cause)
}

// recountSeatsUnder is [Service.recountSeats] where the current subscription has just been read.
func (s *Service) recountSeatsUnder(ctx context.Context, q Queries, organizationID string, current Subscription, living bool, cause seatCause) error {
	state, billed, err := q.LockSeats(ctx, organizationID)
	if err != nil {
		return fmt.Errorf("lock seat state and count billable members: %w", err)
	}
	before := state
	state.OrganizationID = organizationID
	s.weigh(&state, current, living && s.seatsSynced(current), billed)
	if state == before {
		return nil
	}
	if state.DesiredSeats != before.DesiredSeats {
		state.summarizeLater(s.now())
	}
	if err := s.writeSeatChange(ctx, q, before, state, current, cause); err != nil {
		return err
	}
	if err := q.PutSeatState(ctx, state); err != nil {
		return err
	}
	return s.alarmSeats(ctx, q, before, state)
}

// writeSeatChange gives every version of the wanted number its line in the ledger: another number, or the same told again because Stripe has
// another one.
func (s *Service) writeSeatChange(ctx context.Context, q Queries, before, after SeatState, current Subscription, cause seatCause) error {
	if after.SyncVersion == before.SyncVersion {
		return nil
	}
	change := s.seatChange(before, after, cause)
	if after.DesiredSeats == before.DesiredSeats {
		change.From, change.ActorUserID, change.SubjectUserID, change.Reason = current.Quantity, "", "", ReasonToldAgain
	}
	if err := q.InsertSeatChange(ctx, change); err != nil {
		return fmt.Errorf("write seat ledger: %w", err)
	}
	q.Record("seats wanted: %d, before: %d", change.To, change.From)
	return nil
}

// weigh brings what is wanted up to date with who is billed and what Stripe has.
func (s *Service) weigh(state *SeatState, current Subscription, synced bool, billed int) {
	if !synced {
		state.rest()
		s.want(state, s.wantedSeats(state, current, billed))
		state.rest() // nobody is told of the new number either
		return
	}
	plan, _, _ := s.Catalogue().ByPrice(current.PriceID)
	state.notePaid(plan, current)
	state.adopt(plan, current, billed)
	s.want(state, s.wantedSeats(state, current, billed))
	s.schedule(state, current)
}

// alarmSeats has Stripe told when it is due, unless an alarm is set that rings before: that one waits on by itself.
func (s *Service) alarmSeats(ctx context.Context, q Queries, before, after SeatState) error {
	if after.DueAt == nil || before.DueAt != nil && !after.DueAt.Before(*before.DueAt) {
		return nil
	}
	turn := fmt.Sprintf("%d:%d", after.SyncVersion, after.Attempt)
	return s.setAlarm(ctx, q, AlarmSeats, after.OrganizationID, turn, *after.DueAt)
}

// want writes the wanted number; a change makes a new version and gathers with others that follow soon.
func (s *Service) want(state *SeatState, seats int) {
	if state.DesiredSeats == seats {
		return
	}
	state.DesiredSeats = seats
	state.SyncVersion++
	now := s.now()
	if state.FirstChangeAt == nil {
		state.FirstChangeAt = &now
	}
	due := now.Add(GatherQuiet)
	if latest := state.FirstChangeAt.Add(GatherLimit); due.After(latest) {
		due = latest
	}
	state.DueAt = &due
}

// schedule holds what is wanted against the snapshot. Where they agree there is nothing to tell. Where they differ although the wanted
// number was told, somebody changed it behind us: that is a new version to tell. A snapshot that is behind proves neither.
func (s *Service) schedule(state *SeatState, current Subscription) {
	now := s.now()
	if state.behind(current) {
		if state.DueAt == nil {
			state.DueAt = &now
		}
		return
	}
	if current.Quantity == state.DesiredSeats {
		state.settle(current)
		return
	}
	drifted := state.drifted(current)
	if state.AppliedVersion == state.SyncVersion {
		state.SyncVersion++
		state.Open = false
	}
	switch {
	case drifted:
		state.restore(now)
	case state.DueAt == nil:
		state.DueAt = &now
	}
}

// behind tells that the snapshot may not show yet what Stripe was told: it was taken before Stripe's last yes, or no answer has come to an
// attempt at another number than is wanted now.
func (s *SeatState) behind(current Subscription) bool {
	if s.OpenItemID != current.ItemID {
		return false
	}
	return s.Open && s.OpenQuantity != s.DesiredSeats || s.ToldAt != nil && current.Moment.Before(*s.ToldAt)
}

// settle records that Stripe has what is wanted.
func (s *SeatState) settle(current Subscription) {
	if s.LastAppliedSeats == nil || *s.LastAppliedSeats != current.Quantity {
		quantity := current.Quantity
		s.LastAppliedSeats = &quantity
	}
	if s.AppliedVersion != s.SyncVersion || s.LastSyncAt == nil || s.SyncError != "" {
		moment := current.Moment
		s.LastSyncAt = &moment
	}
	s.AppliedVersion = s.SyncVersion
	s.SyncError, s.Failures, s.Open = "", 0, false
	s.FirstChangeAt, s.DueAt = nil, nil
}

// rest records that there is nothing to tell: no subscription whose seats are synced.
func (s *SeatState) rest() {
	s.SyncError, s.Failures, s.Open = "", 0, false
	s.FirstChangeAt, s.DueAt, s.ReleaseAt = nil, nil, nil
	s.MinimumSeats, s.PaidSeats, s.PaidUntil = 0, 0, nil
}

func (s *Service) seatChange(before, after SeatState, cause seatCause) SeatChange {
	return SeatChange{
		OrganizationID: after.OrganizationID, At: s.now(), ActorUserID: cause.actor, SubjectUserID: cause.subject,
		Reason: cause.reason, From: before.DesiredSeats, To: after.DesiredSeats, Version: after.SyncVersion,
	}
}

// RetrySeatSync has Stripe told at once. queued is false where there is nothing to tell. Error: CodeForbidden.
func (s *Service) RetrySeatSync(ctx context.Context, a Access) (queued bool, err error) {
	if err := a.requireBilling(); err != nil {
		return false, err
	}
	err = s.store.InTx(ctx, func(q Queries) error {
		if _, err := q.LockOrganization(ctx, a.Organization.ID); err != nil {
			return fmt.Errorf("lock organization: %w", err)
		}
		if err := s.recountSeats(ctx, q, a.Organization.ID, seatCause{actor: a.User.ID, reason: "asked to try again"}); err != nil {
			return err
		}
		state, known, err := optional(q.LockSeatState(ctx, a.Organization.ID))
		if err != nil || !known || state.DueAt == nil {
			return err
		}
		now := s.now()
		turn := fmt.Sprintf("asked:%d", now.UnixMicro())
		state.DueAt, queued = &now, true
		if err := q.PutSeatState(ctx, state); err != nil {
			return err
		}
		return s.setAlarm(ctx, q, AlarmSeats, state.OrganizationID, turn, now)
	})
	return queued, err
}

// SyncSeats tells Stripe how many seats an organization wants, if they differ from what it has. The attempt is stored before the call,
// so that a call whose answer was lost is repeated under the same idempotency key. It never runs twice at once for one organization.
func (s *Service) SyncSeats(ctx context.Context, organizationID string) error {
	update, state, err := s.openAttempt(ctx, organizationID)
	if err != nil || update.SubscriptionID == "" {
		return err
	}
	version := state.SyncVersion
	if update.IdempotencyKey == "" {
		return s.askInsteadOfTelling(ctx, state, update.SubscriptionID)
	}
	before, _, err := optional(s.store.Subscription(ctx, update.SubscriptionID))
	if err != nil {
		return fmt.Errorf("sync seats: %w", err)
	}
	answer, err := s.gateway.SetSeats(ctx, update)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), jobTimeout) // what Stripe said is written even if our time is up
	defer cancel()
	if err != nil {
		return s.attemptFailed(ctx, organizationID, version, update, err)
	}
	if answer.Replayed { // an old yes: how it stands now is asked before the attempt is closed
		if _, err := s.ask(ctx, update.SubscriptionID); err != nil {
			return s.askFailed(ctx, state, err)
		}
	}
	shown, err := s.attemptAnswered(ctx, organizationID, version, update, answer, before.Revision)
	if err == nil && !shown {
		_, err = s.ask(ctx, update.SubscriptionID)
	}
	return err
}

// openAttempt stores the attempt and returns what to send, with the state it was opened in; an empty update where there is nothing to send; one
// without a key where the snapshot has to be brought up to date before anything can be told.
func (s *Service) openAttempt(ctx context.Context, organizationID string) (update SeatUpdate, state SeatState, err error) {
	err = s.store.InTx(ctx, func(q Queries) error {
		update = SeatUpdate{}
		if _, err := q.LockOrganization(ctx, organizationID); err != nil {
			return fmt.Errorf("lock organization: %w", err)
		}
		var known bool
		state, known, err = optional(q.LockSeatState(ctx, organizationID))
		now := s.now()
		if err != nil || !known || state.DueAt == nil || now.Before(*state.DueAt) || state.LeaseUntil != nil && now.Before(*state.LeaseUntil) {
			return err
		}
		current, known, err := optional(q.CurrentSubscription(ctx, organizationID, s.knownAccount()))
		if err != nil {
			return err
		}
		agrees := current.Quantity == state.DesiredSeats
		switch {
		case !known, !s.seatsSynced(current), agrees && !state.behind(current):
			return s.recountSeats(ctx, q, organizationID, seatCause{reason: "checked before telling Stripe"})
		case agrees, state.AppliedVersion == state.SyncVersion:
			update.SubscriptionID = current.ID
			return nil
		}
		update, err = s.openNextAttempt(ctx, q, &state, current)
		return err
	})
	return update, state, err
}

// askInsteadOfTelling reads the subscription, after which an attempt that was never answered says nothing any more.
func (s *Service) askInsteadOfTelling(ctx context.Context, opened SeatState, subscriptionID string) error {
	if _, err := s.ask(ctx, subscriptionID); err != nil {
		return s.askFailed(context.WithoutCancel(ctx), opened, err)
	}
	return s.store.InTx(ctx, func(q Queries) error {
		if _, err := q.LockOrganization(ctx, opened.OrganizationID); err != nil {
			return fmt.Errorf("lock organization: %w", err)
		}
		state, err := q.LockSeatState(ctx, opened.OrganizationID)
		if err != nil || !state.Open || state.Attempt != opened.Attempt {
			return err
		}
		state.Open = false
		if err := q.PutSeatState(ctx, state); err != nil {
			return err
		}
		return s.recountSeats(ctx, q, opened.OrganizationID, seatCause{reason: "asked Stripe what became of an unanswered attempt"})
	})
}

// askFailed records why Stripe could not be asked and when it will be tried again. What is open stays open: nothing new is known of it.
func (s *Service) askFailed(ctx context.Context, opened SeatState, cause error) error {
	var refused *StripeError
	errors.As(cause, &refused)
	s.log.WarnContext(ctx, "seats are not asked about", "organization", opened.OrganizationID, "error", cause)
	return s.store.InTx(ctx, func(q Queries) error {
		if _, err := q.LockOrganization(ctx, opened.OrganizationID); err != nil {
			return fmt.Errorf("lock organization: %w", err)
		}
		state, err := q.LockSeatState(ctx, opened.OrganizationID)
		if err != nil {
			return fmt.Errorf("lock seat state: %w", err)
		}
		state.LeaseUntil = nil
		if state.SyncVersion == opened.SyncVersion && state.DueAt != nil { // a newer change keeps its own, earlier moment
			state.Failures++
			next := s.now().Add(s.backoff(state.Failures))
			state.DueAt, state.SyncError = &next, seatFailure(refused, cause)
		}
		return q.PutSeatState(ctx, state)
	})
}

// repeats tells that the open attempt, to which no answer came, is the one to send now.
func (s *SeatState) repeats(current Subscription) bool {
	return s.Open && s.OpenVersion == s.SyncVersion && s.OpenItemID == current.ItemID && s.OpenQuantity == s.DesiredSeats
}

// nextAttempt fills in the attempt's parameters. Only where no answer came to the same change is its key used again, and then with the
// parameters it was first sent with.
func (s *Service) nextAttempt(state *SeatState, current Subscription, proration Proration) SeatUpdate {
	if !state.repeats(current) {
		state.Attempt++
		state.OpenProration = proration
	}
	lease := s.now().Add(seatLease)
	state.Open, state.OpenItemID, state.OpenQuantity, state.OpenVersion = true, current.ItemID, state.DesiredSeats, state.SyncVersion
	state.LeaseUntil = &lease
	return SeatUpdate{
		SubscriptionID: current.ID, ItemID: current.ItemID, Quantity: state.DesiredSeats,
		Proration:      string(state.OpenProration),
		IdempotencyKey: fmt.Sprintf("seats:%s:%d:%d", current.ItemID, state.SyncVersion, state.Attempt),
	}
}

// seatProration is what the plan says about the rest of the period. A decrease while an invoice is unpaid credits nothing, since the
// money it would give back was never received (https://docs.stripe.com/billing/subscriptions/prorations, unpaid invoices). Seats that are
// paid until the period ends cost nothing when they are filled again.
func (s *Service) seatProration(state SeatState, current Subscription) Proration {
	plan, _, _ := s.Catalogue().ByPrice(current.PriceID)
	switch {
	case state.DesiredSeats > current.Quantity && state.PaidUntil != nil && state.DesiredSeats <= state.PaidSeats:
		return ProrateNever
	case state.DesiredSeats > current.Quantity:
		return cmp.Or(plan.ProrationOnIncrease, ProrateNextInvoice)
	case current.Status == StatusPastDue:
		return ProrateNever
	}
	return cmp.Or(plan.ProrationOnDecrease, ProrateNextInvoice)
}

// attemptAnswered records Stripe's yes, and the snapshot that came with it in the same transaction, so that nobody holds the one without the
// other against what is wanted. shown is false where the row moved meanwhile: Stripe has to be asked.
func (s *Service) attemptAnswered(
	ctx context.Context, organizationID string, version int64, update SeatUpdate, answer SubscriptionAnswer, before int64,
) (shown bool, err error) {
	yes := true
	told := SeatAttempt{Key: update.IdempotencyKey, RequestID: answer.RequestID, Accepted: &yes}
	if !answer.Replayed {
		told.ToldAt = &answer.Subscription.Moment
	}
	err = s.store.InTx(ctx, func(q Queries) error {
		shown = false
		err := s.closeAttempt(ctx, q, organizationID, told, func(state *SeatState) {
			state.Open, state.SyncError, state.Failures = false, "", 0
			state.LastAppliedSeats, state.AppliedVersion = &update.Quantity, version
			if told.ToldAt != nil {
				state.ToldAt = told.ToldAt
			}
		})
		if shown = answer.Replayed; err != nil || shown {
			return err
		}
		_, err = s.applyAnswerIn(ctx, q, answer.Subscription, before)
		if errors.Is(err, errMoved) { // it is found out before anything is written
			return nil
		}
		shown = err == nil
		return err
	})
	return shown, err
}

// attemptFailed records why, in words, and when it will be tried again.
func (s *Service) attemptFailed(ctx context.Context, organizationID string, version int64, update SeatUpdate, cause error) error {
	var refused *StripeError
	isStripe := errors.As(cause, &refused)
	closed := func(state *SeatState) {
		state.Failures++
		next := s.now().Add(s.backoff(state.Failures))
		if state.SyncVersion == version { // a newer change keeps its own, earlier moment
			state.DueAt = &next
		}
		state.Open = !isStripe || refused.Unanswered || refused.Status == 409 || refused.Status == 429
		state.SyncError = seatFailure(refused, cause)
	}
	err := s.store.InTx(ctx, func(q Queries) error {
		return s.closeAttempt(ctx, q, organizationID, refusedAttempt(update, cause), closed)
	})
	s.log.WarnContext(ctx, "seat sync failed", "organization", organizationID, "version", version, "error", cause)
	return errors.Join(err, s.reviewMissing(ctx, organizationID, cause))
}

// reviewMissing asks after the subscription where Stripe no longer knows it or its item as we do.
func (s *Service) reviewMissing(ctx context.Context, organizationID string, cause error) error {
	var refused *StripeError
	if !errors.As(cause, &refused) || refused.Status != 400 && refused.Status != 404 {
		return nil
	}
	current, known, err := optional(s.store.CurrentSubscription(ctx, organizationID, s.knownAccount()))
	if err != nil || !known {
		return err
	}
	_, err = s.ask(ctx, current.ID)
	return err
}

func (s *Service) closeAttempt(ctx context.Context, q Queries, organizationID string, told SeatAttempt, change func(*SeatState)) error {
	if _, err := q.LockOrganization(ctx, organizationID); err != nil {
		return fmt.Errorf("lock organization: %w", err)
	}
	state, err := q.LockSeatState(ctx, organizationID)
	if err != nil {
		return fmt.Errorf("lock seat state: %w", err)
	}
	state.LeaseUntil = nil
	change(&state)
	if err := q.PutSeatState(ctx, state); err != nil {
		return err
	}
	return q.AnswerSeatAttempt(ctx, told)
}

// seatFailure words a failure for billing admins: what Stripe said, its code and request id for whoever looks into it.
func seatFailure(refused *StripeError, cause error) string {
	switch {
	case refused == nil && errors.Is(cause, context.DeadlineExceeded), refused != nil && refused.Unanswered:
		return "Stripe did not answer in time."
	case refused == nil:
		return "The number of seats could not be sent to Stripe."
	case refused.Status == 429:
		return "Stripe asked us to slow down."
	}
	code := cmp.Or(refused.DeclineCode, refused.Code, fmt.Sprintf("status %d", refused.Status))
	return fmt.Sprintf("Stripe refused the change: %s (%s, request %s)", refused.Message, code, refused.RequestID)
}

const (
	backoffFirst = 2 * time.Second
	backoffLimit = time.Hour
)

// backoff returns how long to wait after so many failures in a row: doubling, with a quarter of jitter so that replicas spread.
func (s *Service) backoff(failures int) time.Duration {
	wait := backoffLimit
	if failures < 12 {
		wait = min(backoffLimit, backoffFirst<<(failures-1))
	}
	return wait + s.random(wait/4)
}
