package billing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"usher/billing/account"
	"usher/billing/apperr"
)

// seatAmountFresh is how long the amounts of a preview are taken for true. Older ones are
// calculated again with the same proration date: a coupon, a tax rate, the customer's balance or
// pending items may have changed them.
const seatAmountFresh = 5 * time.Second

// undoWindow is how long a confirmed change is held back, so that it can be undone before anything
// reaches Stripe. Its amount does not depend on when it is sent.
const undoWindow = 10 * time.Second

// SeatMovedError is a CodeConflict error: what was confirmed is no longer what the change costs. It
// carries the new preview. Nothing was changed.
type SeatMovedError struct {
	Preview SeatPreview
	cause   *apperr.Error
}

// Error returns the message for people.
func (e *SeatMovedError) Error() string { return e.cause.Error() }

// Unwrap returns the CodeConflict error.
func (e *SeatMovedError) Unwrap() error { return e.cause }

// errUnpreviewed reports that a change has a cost that was not shown.
var errUnpreviewed = errors.New("the change has to be previewed")

// Apply makes a change of seats. confirm is the token of its preview. Without one, a change that
// sends nothing to Stripe is made at once; any other is only previewed, and the returned preview
// has no ConfirmedAt. A repeated call returns the result of the first one. Errors: those of the
// change itself; a [SeatMovedError] if seats, quantity, price, policy or amount changed since the
// preview; CodeConflict if a seat update stays under way; CodeStripe if the amount cannot be
// checked.
func (sp *SeatPreviews) Apply(ctx context.Context, a account.Access, request SeatRequest, confirm string) (SeatPreview, error) {
	if request.Kind == SeatCount {
		return SeatPreview{}, apperr.Errorf(apperr.CodeInvalid, "Seats follow the members. Add or remove people instead.")
	}
	if request.aboutBilling() {
		if err := a.RequireBilling(); err != nil {
			return SeatPreview{}, err
		}
	}
	if confirm == "" {
		preview, err := sp.applyUnconfirmed(ctx, a, request)
		if errors.Is(err, errUnpreviewed) {
			return sp.Preview(ctx, a, request)
		}
		return preview, err
	}
	calls, cancel := sp.limitStripe(ctx)
	defer cancel()
	preview, known, err := apperr.Found(sp.store.SeatPreviews().Get(ctx, a.Organization.ID, confirm))
	switch {
	case err != nil:
		return SeatPreview{}, fmt.Errorf("read seat preview: %w", err)
	case known && preview.Digest == request.digest() && preview.ConfirmedAt != nil:
		return preview, nil
	case !known || preview.Digest != request.digest() || sp.Now().Sub(preview.PreviewedAt) > previewLifetime:
		return SeatPreview{}, sp.moved(ctx, calls, a, request)
	case !preview.Known && !preview.MayConfirmUnknown():
		return SeatPreview{}, sp.moved(ctx, calls, a, request)
	}
	var made SeatPreview
	err = untilFree(calls, func() (err error) {
		if err := sp.compareAmounts(ctx, calls, a, request, preview); err != nil {
			return err
		}
		made, err = sp.applyConfirmed(ctx, a, request, preview)
		return err
	})
	return made, sp.orMoved(ctx, calls, a, request, err)
}

// orMoved returns the new preview as an error for errMoved, and any other error as it is.
func (sp *SeatPreviews) orMoved(ctx, calls context.Context, a account.Access, request SeatRequest, err error) error {
	if errors.Is(err, errMoved) {
		return sp.moved(ctx, calls, a, request)
	}
	return err
}

func (sp *SeatPreviews) moved(ctx, calls context.Context, a account.Access, request SeatRequest) error {
	preview, err := sp.preview(ctx, calls, a, request)
	if err != nil {
		return err
	}
	return &SeatMovedError{preview, apperr.Errorf(apperr.CodeConflict, "The amount has changed since you saw it. Nothing was changed; please confirm the new one.")}
}

// hasCost reports whether the request changes the quantity that is sent to Stripe, or may do so:
// while an update is being sent, the quantity there is not known.
func (t *seatTerms) hasCost(now time.Time) bool {
	if t.confirms {
		return t.sends() || t.renewTo != t.current.Quantity || t.busy(now)
	}
	if t.billed == t.billedWas {
		return false
	}
	return t.sends() && (t.invites || t.to != t.before.quantity(t.plan)) || t.busy(now)
}

// applyUnconfirmed makes a change that sends nothing more to Stripe.
func (sp *SeatPreviews) applyUnconfirmed(ctx context.Context, a account.Access, request SeatRequest) (made SeatPreview, err error) {
	err = sp.inOrganization(ctx, a, request, func(tx Tx, actor account.Access) error {
		terms, err := sp.perform(ctx, tx, actor, request)
		if err != nil {
			return err
		}
		if terms.hasCost(sp.Now()) {
			return errUnpreviewed
		}
		made = sp.draft(a, request, terms)
		if err := made.confirm(ctx, tx, terms.after.SyncVersion, sp.Now()); err != nil {
			return err
		}
		if made.SubscriptionID == "" || terms.billed == terms.billedWas {
			made.ID = "" // the change is not about seats
			return nil
		}
		return tx.SeatPreviews().Insert(ctx, made)
	})
	return made, err
}

// confirm makes the preview the last one confirmed for a version of the seats, also if the clock of
// the replica that confirmed another one is ahead. The organization is locked.
func (p *SeatPreview) confirm(ctx context.Context, tx Tx, version int64, now time.Time) error {
	last, known, err := apperr.Found(tx.SeatPreviews().Confirmed(ctx, p.OrganizationID, p.SubscriptionID, version))
	if err != nil {
		return fmt.Errorf("read last confirmed seat preview: %w", err)
	}
	if known {
		now = latest(now, last.ConfirmedAt.Add(time.Microsecond)) // PostgreSQL's resolution
	}
	p.ConfirmedAt, p.Version = &now, version
	return nil
}

// compareAmounts calculates the amounts of an older preview once more, with the same proration
// date. It is done outside the transaction, which then compares everything else.
func (sp *SeatPreviews) compareAmounts(ctx, calls context.Context, a account.Access, request SeatRequest, preview SeatPreview) error {
	if !preview.Known || sp.Now().Sub(preview.PreviewedAt) < seatAmountFresh {
		return nil
	}
	if err := sp.refetchCurrent(calls, a); err != nil {
		return seatPreviewFailed(err)
	}
	terms, err := sp.try(ctx, a, request)
	if err != nil {
		return err
	}
	if !preview.matches(terms) {
		return errMoved
	}
	again := sp.draft(a, request, terms)
	again.ProratedAt = preview.ProratedAt
	if err := sp.calculate(calls, &again, terms); err != nil {
		return seatPreviewFailed(err)
	}
	if !preview.sameAmounts(again) {
		return errMoved
	}
	return nil
}

// seatPreviewFailed is the error for an amount that could not be checked.
func seatPreviewFailed(err error) error {
	return &apperr.Error{
		Code: apperr.CodeStripe, Err: fmt.Errorf("preview seats: %w", err),
		Message: "We couldn't check the amount with Stripe. Nothing was changed. Please try again in a moment.",
	}
}

// applyConfirmed makes a previewed change if its terms are still those of the preview.
func (sp *SeatPreviews) applyConfirmed(ctx context.Context, a account.Access, request SeatRequest, preview SeatPreview) (made SeatPreview, err error) {
	err = sp.inOrganization(ctx, a, request, func(tx Tx, actor account.Access) error {
		if made, err = tx.SeatPreviews().Get(ctx, a.Organization.ID, preview.ID); err != nil || made.ConfirmedAt != nil {
			return err // a second submission of the form waited for the lock
		}
		terms, err := sp.perform(ctx, tx, actor, request)
		if err != nil {
			return err
		}
		now := sp.Now()
		if made.Known && terms.busy(now) {
			return &apperr.Error{Code: apperr.CodeConflict, Message: "A change of the seats is being sent to Stripe. Please try again in a few seconds.", Err: errLeased}
		}
		if !made.matches(terms) {
			return errMoved
		}
		if err := made.confirm(ctx, tx, terms.after.SyncVersion, now); err != nil {
			return err
		}
		made.Members = terms.members // somebody else may have changed some of them meanwhile
		if err := tx.SeatPreviews().Put(ctx, made); err != nil {
			return fmt.Errorf("write seat preview: %w", err)
		}
		return sp.holdBack(ctx, tx, made, terms.after, now)
	})
	return made, err
}

// holdBack postpones the update of a confirmed change by the time in which it can be undone.
func (sp *SeatPreviews) holdBack(ctx context.Context, tx Tx, made SeatPreview, state SeatState, now time.Time) error {
	if made.Kind == SeatInvitation || state.DueAt == nil || state.FirstChangeAt == nil {
		return nil
	}
	due := now.Add(undoWindow)
	if latest := state.FirstChangeAt.Add(DebounceLimit); due.After(latest) {
		due = latest
	}
	if !due.After(*state.DueAt) {
		return nil
	}
	state.DueAt = &due
	return tx.Seats().PutState(ctx, state)
}

// Get reads a preview of the organization. Error: [apperr.ErrNotFound].
func (sp *SeatPreviews) Get(ctx context.Context, a account.Access, id string) (SeatPreview, error) {
	return sp.store.SeatPreviews().Get(ctx, a.Organization.ID, id)
}

// Reverse returns the request that takes a confirmed change of members back; false if there is
// none: removed people have to be invited again, and an invitation is revoked.
func (sp *SeatPreviews) Reverse(p SeatPreview) (SeatRequest, bool) {
	request := SeatRequest{Kind: SeatMembers}
	if p.Kind != SeatMembers || p.ConfirmedAt == nil || len(p.Members) == 0 {
		return request, false
	}
	first := p.Members[0]
	for _, member := range p.Members {
		if member.Billable != first.Billable || member.Status != first.Status {
			return request, false // one change does not bring all of them back
		}
		request.MemberIDs = append(request.MemberIDs, member.ID)
	}
	request.Change = account.MemberChange{Billable: &first.Billable, Status: &first.Status}
	return request, true
}

// prune removes previews that were never confirmed.
func (sp *SeatPreviews) prune(ctx context.Context) error {
	if err := sp.store.SeatPreviews().Prune(ctx, sp.Now().Add(-previewsKept)); err != nil {
		return fmt.Errorf("prune seat previews: %w", err)
	}
	return nil
}
