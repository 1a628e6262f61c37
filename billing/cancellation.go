package billing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/phrase"
)

// Cancellations ends plans at the end of their period and resumes them. It keeps who asked for the
// end, when and why.
type Cancellations struct {
	*core
	subscriptions *Subscriptions
	upcoming      *UpcomingInvoices
}

// CancelReason is why a plan is canceled; empty: not said. The values are those of Stripe's
// cancellation_details[feedback] (https://docs.stripe.com/api/subscriptions/update).
type CancelReason string

// CancelReasons are the reasons in the order in which the form lists them.
func CancelReasons() []CancelReason {
	return []CancelReason{"too_expensive", "missing_features", "switched_service", "unused", "customer_service", "too_complex", "low_quality", "other"}
}

// maxCancelComment is the length of a comment in characters. Stripe's limit is higher.
const maxCancelComment = 1000

// CancellationStatus is the progress of a cancellation.
type CancellationStatus string

// The statuses of a cancellation.
const (
	CancellationOpen    CancellationStatus = "open"    // requested; Stripe has not acknowledged it yet
	CancellationSet     CancellationStatus = "set"     // the subscription ends at the period's end
	CancellationResumed CancellationStatus = "resumed" // the plan was kept
	CancellationFailed  CancellationStatus = "failed"  // refused by Stripe, or not made before the period ended
)

// Cancellation is a request to end a plan at the end of its period.
type Cancellation struct {
	ID             string       `db:"id"` // can_…
	OrganizationID string       `db:"organization_id"`
	SubscriptionID string       `db:"subscription_id"`
	RequestedBy    string       `db:"requested_by"` // user id
	RequestedAt    time.Time    `db:"requested_at"`
	EndsAt         time.Time    `db:"ends_at"` // the end that was confirmed
	Reason         CancelReason `db:"reason"`
	Comment        string       `db:"comment"`

	Status   CancellationStatus `db:"status"`
	DueAt    *time.Time         `db:"due_at"`   // the worker's next attempt; nil: none
	Attempts int                `db:"attempts"` // that failed
	Error    string             `db:"error"`
	DoneAt   *time.Time         `db:"done_at"` // nil: open

	ResumedBy string     `db:"resumed_by"` // user id
	ResumedAt *time.Time `db:"resumed_at"`
}

// details returns what Stripe keeps of the request.
func (c Cancellation) details() CancellationDetails {
	return CancellationDetails{Feedback: c.Reason, Comment: c.Comment}
}

// CancelRequest is a request to cancel a plan.
type CancelRequest struct {
	Reason  CancelReason // optional
	Comment string       // optional
	// EndsAt is the end that the person was shown; zero: none was shown. It is compared to the
	// second.
	EndsAt time.Time
}

// check returns the normalized request. Error: CodeInvalid.
func (r CancelRequest) check() (CancelRequest, error) {
	r.Comment = strings.TrimSpace(r.Comment)
	if r.Reason != "" && !slices.Contains(CancelReasons(), r.Reason) {
		return r, apperr.Errorf(apperr.CodeInvalid, "There is no such reason.")
	}
	if utf8.RuneCountInString(r.Comment) > maxCancelComment {
		return r, apperr.Errorf(apperr.CodeInvalid, "The comment can have at most %d characters.", maxCancelComment)
	}
	return r, nil
}

// CancelPreview is what a cancellation changes.
type CancelPreview struct {
	Subscription Subscription
	EndsAt       time.Time
	// StillInvoiced is the invoice that Stripe makes at the end all the same, for seat changes and
	// other items that are pending; nil: there is none.
	StillInvoiced *InvoicePreview
	// Unknown means that Stripe did not answer, so that StillInvoiced is not known. Last is what
	// was pending when Stripe answered last; nil: that is not known either.
	Unknown bool
	Last    *PendingLines
}

// PendingLines are the lines of seat changes and other items that were pending at a time.
type PendingLines struct {
	Lines []PreviewLine
	At    time.Time
}

// ResumePreview is what a plan that is resumed costs.
type ResumePreview struct {
	Subscription Subscription
	EndsAt       time.Time       // when it ends otherwise
	Next         *InvoicePreview // the first invoice after; nil: Stripe has none, or did not answer
}

// CancelMovedError is a CodeConflict error: the plan ends at another time than was confirmed,
// because it was renewed meanwhile. It carries the new preview.
type CancelMovedError struct {
	Preview CancelPreview
	cause   *apperr.Error
}

// Error returns the message for people.
func (e *CancelMovedError) Error() string { return e.cause.Error() }

// Unwrap returns the CodeConflict error.
func (e *CancelMovedError) Unwrap() error { return e.cause }

// ErrCancellationContinues reports that Stripe has not acknowledged a cancellation yet.
var ErrCancellationContinues = errors.New("the worker completes the cancellation")

// Preview returns what the cancellation of the current plan changes. Stripe is read and not
// changed; without its answer the stored end is shown. Errors: CodeForbidden; CodeConflict without
// a plan that can be canceled.
func (cs *Cancellations) Preview(ctx context.Context, a account.Access) (CancelPreview, error) {
	calls, cancel := cs.limitStripe(ctx)
	defer cancel()
	current, fresh, err := cs.look(calls, a)
	if err != nil {
		return CancelPreview{}, err
	}
	if err := checkCancelable(current); err != nil {
		return CancelPreview{}, err
	}
	preview := cs.preview(calls, current, fresh)
	if preview.Unknown {
		preview.Last, err = cs.lastPending(ctx, current)
	}
	return preview, err
}

// preview returns what the cancellation of a subscription changes. calls is the context of the
// calls to Stripe.
func (cs *Cancellations) preview(calls context.Context, current Subscription, fresh bool) CancelPreview {
	preview := CancelPreview{Subscription: current, EndsAt: current.CurrentPeriodEnd, Unknown: !fresh}
	if end, ending := current.EndsAt(); ending {
		preview.EndsAt = end
	}
	if fresh {
		var err error
		preview.StillInvoiced, err = cs.nextInvoice(calls, current, true)
		preview.Unknown = err != nil
	}
	return preview
}

// lastPending returns what was pending in Stripe's last answer about the next invoice; nil: none is
// stored, or it does not have all lines.
func (cs *Cancellations) lastPending(ctx context.Context, current Subscription) (*PendingLines, error) {
	stored, err := cs.upcoming.readOf(ctx, current)
	if err != nil || stored.SubscriptionID == "" || stored.MoreLines {
		return nil, err
	}
	pending := &PendingLines{At: stored.FetchedAt}
	for _, line := range stored.Lines {
		if line.Proration || !line.Subscription {
			pending.Lines = append(pending.Lines, line)
		}
	}
	return pending, nil
}

// PreviewResume returns the first invoice of the plan if it is resumed. Errors: as
// [Cancellations.Resume].
func (cs *Cancellations) PreviewResume(ctx context.Context, a account.Access) (ResumePreview, error) {
	if err := a.Organization.RequireNotDeleting(); err != nil {
		return ResumePreview{}, err
	}
	ctx, cancel := cs.limitStripe(ctx)
	defer cancel()
	current, fresh, err := cs.look(ctx, a)
	if err != nil {
		return ResumePreview{}, err
	}
	end, ending := current.EndsAt()
	preview := ResumePreview{Subscription: current, EndsAt: end}
	if ending && fresh {
		preview.Next, _ = cs.nextInvoice(ctx, current, false)
	}
	return preview, nil
}

// look reads the current subscription from Stripe, or from the store if Stripe does not answer.
func (cs *Cancellations) look(ctx context.Context, a account.Access) (current Subscription, fresh bool, err error) {
	if current, err = cs.current(ctx, a); err != nil {
		return current, false, err
	}
	fetched, err := cs.subscriptions.refetch(ctx, current.ID)
	if err != nil {
		cs.Log.WarnContext(ctx, "subscription shown as stored", "organization_id", a.Organization.ID, "err", err)
		return current, false, nil
	}
	return fetched, true, requireLive(fetched)
}

// nextInvoice returns Stripe's next invoice of the subscription, with or without a scheduled end;
// nil: there is none.
func (cs *Cancellations) nextInvoice(ctx context.Context, current Subscription, ends bool) (*InvoicePreview, error) {
	invoice, err := cs.gateway.PreviewPeriodEnd(ctx, current, ends)
	var refused *apperr.StripeError
	switch {
	case errors.As(err, &refused) && refused.Code == "invoice_upcoming_none":
		return nil, nil
	case err != nil:
		cs.Log.WarnContext(ctx, "next invoice not previewed", "organization_id", current.OrganizationID, "err", err)
		return nil, err
	case len(invoice.Lines) == 0:
		return nil, nil
	}
	return &invoice, nil
}

// current reads the stored current subscription. Errors: CodeForbidden; CodeConflict without a live
// one.
func (cs *Cancellations) current(ctx context.Context, a account.Access) (Subscription, error) {
	if err := a.RequireBilling(); err != nil {
		return Subscription{}, err
	}
	current, known, err := apperr.Found(cs.store.Subscriptions().Current(ctx, a.Organization.ID, cs.knownAccount()))
	if err != nil {
		return current, fmt.Errorf("look up subscription: %w", err)
	}
	if !known {
		return current, apperr.Errorf(apperr.CodeConflict, MessageNoPlan)
	}
	return current, requireLive(current)
}

// requireLive returns why a subscription that has ended can be neither canceled nor resumed.
func requireLive(s Subscription) error {
	switch {
	case s.Status == StatusCanceled && s.EndedAt != nil:
		return apperr.Errorf(apperr.CodeConflict, "Your plan ended on %s. Choose a plan to start again.", phrase.Date(*s.EndedAt))
	case s.Status.Ended():
		return apperr.Errorf(apperr.CodeConflict, MessageNoPlan)
	}
	return nil
}

// checkCancelable returns why a live subscription cannot be canceled. One whose first payment is
// open ends with its Checkout session, and cannot be updated at Stripe.
func checkCancelable(s Subscription) error {
	if s.Status == StatusIncomplete {
		return apperr.Errorf(apperr.CodeConflict, "The first payment is not finished. Without it the plan ends within 23 hours, and nothing is charged.")
	}
	return nil
}

// Cancel ends the current plan at the end of its period. It does nothing if an end is scheduled
// already. A change that is scheduled for then is withdrawn. Errors: CodeForbidden; CodeInvalid for
// an unknown reason or a long comment; CodeConflict without a plan that can be canceled; a
// [CancelMovedError] if it ends at another time than was shown, and nothing is changed; CodeStripe.
// If Stripe did not answer, the request stays open and the worker completes it: then
// [ErrCancellationContinues] is in the chain too.
func (cs *Cancellations) Cancel(ctx context.Context, a account.Access, request CancelRequest) error {
	request, err := request.check()
	if err != nil {
		return err
	}
	_, err = withinLimit(ctx, cs.core, func(ctx context.Context) (struct{}, error) { return struct{}{}, cs.cancel(ctx, a, request) })
	return err
}

func (cs *Cancellations) cancel(ctx context.Context, a account.Access, request CancelRequest) error {
	current, err := cs.current(ctx, a)
	if err != nil {
		return err
	}
	if current, err = cs.subscriptions.refetch(ctx, current.ID); err != nil {
		return apperr.StripeFailed("refetch subscription", err)
	}
	if err := errors.Join(requireLive(current), checkCancelable(current)); err != nil {
		return err
	}
	if _, ending := current.EndsAt(); ending {
		return nil
	}
	if !request.EndsAt.IsZero() && request.EndsAt.Unix() != current.CurrentPeriodEnd.Unix() {
		return &CancelMovedError{cs.preview(ctx, current, true), apperr.Errorf(apperr.CodeConflict, "Your plan was renewed since you opened this page. Nothing was changed; please look at the new date.")}
	}
	c, err := cs.insert(ctx, a, current, request)
	if err != nil {
		return err
	}
	return cs.send(ctx, c, current)
}

// insert stores an open request before Stripe is called, so that a crash between the release of a
// schedule and the cancellation is completed.
func (cs *Cancellations) insert(ctx context.Context, a account.Access, current Subscription, request CancelRequest) (Cancellation, error) {
	now := cs.Now()
	due := now.Add(cancellationLease)
	c := Cancellation{
		ID: cs.NewID("can"), OrganizationID: a.Organization.ID, SubscriptionID: current.ID, RequestedBy: a.User.ID, RequestedAt: now,
		EndsAt: current.CurrentPeriodEnd, Reason: request.Reason, Comment: request.Comment, Status: CancellationOpen, DueAt: &due,
	}
	err := cs.store.InTx(ctx, func(tx Tx) error {
		if _, err := tx.Organizations().Lock(ctx, c.OrganizationID); err != nil {
			return fmt.Errorf("lock organization: %w", err)
		}
		canceled := a.Did(account.ActPlanCanceled).To(c.ID, "").Changed(nil, account.AuditValues{"ends": dateOf(c.EndsAt), "reason": string(c.Reason)})
		return errors.Join(tx.Cancellations().Insert(ctx, c), cs.audit(ctx, tx, canceled))
	})
	return c, err
}

// send cancels at Stripe and stores the result. The answer to an earlier attempt may be lost, so an
// end that is scheduled already is a success.
func (cs *Cancellations) send(ctx context.Context, c Cancellation, current Subscription) error {
	bounded, cancel := context.WithTimeout(ctx, jobTimeout)
	defer cancel()
	failed := cs.subscriptions.updateCancelAtPeriodEnd(bounded, current, true, c.details())
	open, resumed, err := cs.finish(context.WithoutCancel(ctx), c, failed)
	if open {
		failed = errors.Join(ErrCancellationContinues, failed)
	}
	if err == nil && resumed {
		err = cs.subscriptions.undoCancellation(ctx, c.SubscriptionID)
	}
	return errors.Join(failed, err)
}

// finish stores the result of an attempt. It reports whether the request stays open, and whether
// the plan was resumed meanwhile.
func (cs *Cancellations) finish(ctx context.Context, c Cancellation, failed error) (open, resumed bool, err error) {
	err = cs.store.InTx(ctx, func(tx Tx) error {
		if _, err := tx.Organizations().Lock(ctx, c.OrganizationID); err != nil {
			return fmt.Errorf("lock organization: %w", err)
		}
		stored, err := tx.Cancellations().Get(ctx, c.OrganizationID, c.ID)
		if err != nil {
			return fmt.Errorf("read cancellation: %w", err)
		}
		if resumed = stored.Status == CancellationResumed; stored.Status != CancellationOpen {
			return nil
		}
		cs.record(&stored, failed)
		open = stored.Status == CancellationOpen
		return tx.Cancellations().Put(ctx, stored)
	})
	return open, resumed, err
}

// record sets the result of an attempt.
func (cs *Cancellations) record(c *Cancellation, failed error) {
	now := cs.Now()
	var refused *apperr.StripeError
	switch definite := errors.As(failed, &refused) && !refused.OutcomeUnknown && !refused.ShouldRetry; {
	case failed == nil:
		c.Status, c.Error, c.DueAt, c.DoneAt = CancellationSet, "", nil, &now
	case definite && refused.Status < 500 && refused.Status != 409 && refused.Status != 429:
		c.Status, c.Error, c.DueAt, c.DoneAt = CancellationFailed, failed.Error(), nil, &now
	default:
		c.Attempts++
		next := now.Add(cs.Backoff(c.Attempts))
		c.Error, c.DueAt = failed.Error(), &next
	}
}

// Resume removes the scheduled end of the current plan. Errors: CodeForbidden; CodeConflict if the
// plan has ended or while the organization is about to be deleted; CodeStripe.
func (cs *Cancellations) Resume(ctx context.Context, a account.Access) error {
	if err := errors.Join(a.RequireBilling(), a.Organization.RequireNotDeleting()); err != nil {
		return err
	}
	_, err := withinLimit(ctx, cs.core, func(ctx context.Context) (struct{}, error) { return struct{}{}, cs.resume(ctx, a) })
	return err
}

func (cs *Cancellations) resume(ctx context.Context, a account.Access) error {
	if resumed, err := cs.subscriptions.resumePaused(ctx, a); err != nil || resumed {
		return err
	}
	current, err := cs.current(ctx, a)
	if err != nil {
		return err
	}
	// First, so that the worker does not complete an open request afterwards.
	if err := cs.markResumed(ctx, a, current.ID); err != nil {
		return err
	}
	return cs.subscriptions.undoCancellation(ctx, current.ID)
}

func (cs *Cancellations) markResumed(ctx context.Context, a account.Access, subscriptionID string) error {
	return cs.store.InTx(ctx, func(tx Tx) error {
		if _, err := tx.Organizations().Lock(ctx, a.Organization.ID); err != nil {
			return fmt.Errorf("lock organization: %w", err)
		}
		if err := tx.Cancellations().MarkResumed(ctx, a.Organization.ID, subscriptionID, a.User.ID, cs.Now()); err != nil {
			return err
		}
		return cs.audit(ctx, tx, a.Did(account.ActPlanResumed).To(subscriptionID, ""))
	})
}

// Open returns the request of the organization that Stripe has not acknowledged yet; false: none.
func (cs *Cancellations) Open(ctx context.Context, a account.Access) (Cancellation, bool, error) {
	return apperr.Found(cs.store.Cancellations().Open(ctx, a.Organization.ID))
}

// processAllDue completes the requests that Stripe has not acknowledged.
func (cs *Cancellations) processAllDue(ctx context.Context) error {
	for ctx.Err() == nil {
		now := cs.Now()
		c, claimed, err := apperr.Found(cs.store.Cancellations().ClaimDue(ctx, now, now.Add(cancellationLease)))
		if err != nil || !claimed {
			return err
		}
		if err := cs.complete(ctx, c); err != nil && ctx.Err() == nil {
			cs.Log.WarnContext(ctx, "cancellation not completed", "organization_id", c.OrganizationID, "cancellation_id", c.ID, "err", err)
		}
	}
	return nil
}

// complete sends an open request again. One whose period has ended is not made any more: the person
// confirmed another date.
func (cs *Cancellations) complete(ctx context.Context, c Cancellation) error {
	current, err := cs.subscriptions.refetch(ctx, c.SubscriptionID)
	if err != nil && !errors.Is(err, apperr.ErrNotFound) {
		_, _, stored := cs.finish(ctx, c, err)
		return errors.Join(err, stored)
	}
	if errors.Is(err, apperr.ErrNotFound) || current.Status.Ended() {
		_, _, err := cs.finish(ctx, c, nil)
		return err
	}
	if current.CurrentPeriodEnd.After(c.EndsAt) {
		cs.Log.ErrorContext(ctx, "cancellation not made before the renewal", "organization_id", c.OrganizationID, "cancellation_id", c.ID)
		_, _, err := cs.finish(ctx, c, &apperr.StripeError{Status: 400, Message: "the period ended before Stripe answered"})
		return err
	}
	return cs.send(ctx, c, current)
}
