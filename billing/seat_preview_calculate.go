package billing

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/catalog"
)

// Preview returns what a change of seats costs and stores it for the confirmation. The change is
// made in a transaction that is rolled back, so every rule about members is checked. If Stripe does
// not answer in time, the amounts are not known. Errors: those of the change itself; CodeForbidden.
func (sp *SeatPreviews) Preview(ctx context.Context, a account.Access, request SeatRequest) (SeatPreview, error) {
	if request.aboutBilling() {
		if err := a.RequireBilling(); err != nil {
			return SeatPreview{}, err
		}
	}
	calls, cancel := sp.limitStripe(ctx)
	defer cancel()
	return sp.preview(ctx, calls, a, request)
}

// preview is Preview. calls is the context of the calls to Stripe.
func (sp *SeatPreviews) preview(ctx, calls context.Context, a account.Access, request SeatRequest) (SeatPreview, error) {
	fetched := sp.refetchCurrent(calls, a)
	terms, err := sp.try(ctx, a, request)
	if err != nil {
		return SeatPreview{}, err
	}
	preview := sp.draft(a, request, terms)
	if fetched == nil {
		err = sp.calculate(calls, &preview, terms)
	}
	if err := errors.Join(fetched, err); err != nil {
		preview.Known = false
		sp.Log.WarnContext(ctx, "seat preview failed", "organization_id", a.Organization.ID, "err", err)
	}
	if preview.SubscriptionID == "" {
		return preview, nil
	}
	if err := sp.store.SeatPreviews().Insert(ctx, preview); err != nil {
		return SeatPreview{}, fmt.Errorf("store seat preview: %w", err)
	}
	return preview, nil
}

// Estimate is [SeatPreviews.Preview] that stores nothing and can't be confirmed.
func (sp *SeatPreviews) Estimate(ctx context.Context, a account.Access, request SeatRequest) (SeatPreview, error) {
	ctx, cancel := sp.limitStripe(ctx)
	defer cancel()
	terms, err := sp.try(ctx, a, request)
	if err != nil {
		return SeatPreview{}, err
	}
	preview := sp.draft(a, request, terms)
	preview.ID = ""
	if err := sp.calculate(ctx, &preview, terms); err != nil {
		preview.Known = false
		sp.Log.WarnContext(ctx, "seat estimate failed", "organization_id", a.Organization.ID, "err", err)
	}
	return preview, nil
}

// InvoicedMonthly reports whether prorations of the previewed price are invoiced each month in
// between its yearly renewals.
func (sp *SeatPreviews) InvoicedMonthly(p SeatPreview) bool {
	plan, _, _ := sp.Catalog().ByPrice(p.PriceID)
	return plan.SeatPolicy(p.PriceID).PendingInvoiceInterval == catalog.Monthly
}

// refetchCurrent reads the current subscription from Stripe, so that a preview starts from the
// quantity there.
func (sp *SeatPreviews) refetchCurrent(ctx context.Context, a account.Access) error {
	current, known, err := apperr.Found(sp.store.Subscriptions().Current(ctx, a.Organization.ID, sp.knownAccount()))
	if err != nil || !known || !seatsSynced(sp.planOf(current), current) {
		return err
	}
	_, err = sp.subscriptions.refetch(ctx, current.ID)
	return err
}

// errTried ends a transaction that is rolled back.
var errTried = errors.New("the change was only tried")

// try returns the terms of a request without making it.
func (sp *SeatPreviews) try(ctx context.Context, a account.Access, request SeatRequest) (terms seatTerms, err error) {
	err = sp.inOrganization(ctx, a, request, func(tx Tx, actor account.Access) error {
		if terms, err = sp.perform(ctx, tx, actor, request); err != nil {
			return err
		}
		return errTried
	})
	if errors.Is(err, errTried) {
		return terms, nil
	}
	return terms, err
}

// inOrganization runs f in a transaction of an actor who may make the request.
func (sp *SeatPreviews) inOrganization(ctx context.Context, a account.Access, request SeatRequest, f func(Tx, account.Access) error) error {
	switch {
	case request.aboutBilling():
		return sp.members.InLockedOrganization(ctx, a, inTx(f))
	case request.Kind == SeatSet:
		return sp.provisioning.InOrganization(ctx, a, inTx(f))
	}
	return sp.members.AsMemberManager(ctx, a, inTx(f))
}

// perform makes the request in the caller's transaction and returns its terms.
func (sp *SeatPreviews) perform(ctx context.Context, tx Tx, actor account.Access, request SeatRequest) (t seatTerms, err error) {
	organizationID := actor.Organization.ID
	if t.before, t.billedWas, err = tx.Seats().LockAndCount(ctx, organizationID); err != nil {
		return t, fmt.Errorf("count billable members: %w", err)
	}
	if t.current, _, err = apperr.Found(tx.Subscriptions().Current(ctx, organizationID, sp.knownAccount())); err != nil {
		return t, fmt.Errorf("look up subscription: %w", err)
	}
	t.plan = sp.planOf(t.current)
	promised, err := sp.make(ctx, tx, actor, request, &t)
	if err != nil {
		return t, err
	}
	if t.after, t.billed, err = tx.Seats().LockAndCount(ctx, organizationID); err != nil {
		return t, fmt.Errorf("count billable members: %w", err)
	}
	now := sp.Now()
	t.to, t.renewTo = t.after.quantity(t.plan), changeQuantity(t.plan, t.after, t.billed)
	switch request.Kind {
	case SeatCount:
		t.billed = request.Seats
		t.after.UnconfirmedSubscriptionID = "" // the question is about that number
		t.to, t.renewTo = t.quantityFor(request.Seats, now), changeQuantity(t.plan, t.after, request.Seats)
	case SeatInvitation:
		t.to, t.invites = t.current.Quantity, true
		if request.Invitation.Billable {
			t.to += t.quantityFor(t.billed+promised+1, now) - t.quantityFor(t.billed+promised, now)
			t.billed++
		}
		t.renewTo = t.to
	}
	earlier, err := tx.SeatAttempts().List(ctx, t.current.ID, now.Add(-seatAttemptsKept))
	if err != nil {
		return t, fmt.Errorf("list seat attempts: %w", err)
	}
	if t.lastProrate, err = tx.SeatPreviews().LastProratedAt(ctx, t.current.ID); err != nil {
		return t, fmt.Errorf("read last proration date: %w", err)
	}
	t.decide(earlier, now)
	return t, nil
}

// quantityFor returns the quantity at Stripe for a number of billed members.
func (t *seatTerms) quantityFor(billed int, now time.Time) int {
	state := t.after
	state.update(t.plan, t.current, billed, now)
	return state.quantity(t.plan)
}

// make makes the request. promised is the number of seats reserved by earlier invitations.
func (sp *SeatPreviews) make(ctx context.Context, tx Tx, actor account.Access, request SeatRequest, t *seatTerms) (promised int, err error) {
	switch request.Kind {
	case SeatMembers, SeatRemoval:
		return 0, sp.changeMembers(ctx, tx, actor, request, t)
	case SeatSet:
		return 0, request.make(tx, actor)
	case SeatInvitation:
		if promised, err = tx.Invitations().CountPromisedSeats(ctx, actor.Organization.ID, "", sp.Now()); err != nil {
			return 0, fmt.Errorf("count promised seats: %w", err)
		}
		_, err = sp.invitations.InviteTx(ctx, tx, actor, request.Invitation)
		return promised, err
	case SeatCount:
		if request.Seats < 1 {
			return 0, apperr.FieldError("seats", "Please enter a number of seats, at least 1.")
		}
		return 0, t.plan.RequireSeats(request.Seats)
	case SeatConfirmation:
		t.confirms = true
		return 0, sp.seats.confirmPeople(ctx, tx, actor, t.current)
	}
	return 0, apperr.Errorf(apperr.CodeInvalid, "There is no such change.")
}

func (sp *SeatPreviews) changeMembers(ctx context.Context, tx Tx, actor account.Access, request SeatRequest, t *seatTerms) error {
	if len(request.MemberIDs) == 0 || len(request.MemberIDs) > maxSeatRequest {
		return apperr.Errorf(apperr.CodeConflict, "Please select between 1 and %d people.", maxSeatRequest)
	}
	for _, id := range request.MemberIDs {
		member, err := tx.Members().Get(ctx, actor.Organization.ID, id)
		if err != nil {
			return err
		}
		after := member
		if request.Kind == SeatRemoval {
			_, err = sp.members.RemoveTx(ctx, tx, actor, id)
		} else {
			after, err = sp.members.ChangeTx(ctx, tx, actor, id, request.Change)
		}
		if err != nil {
			return err
		}
		if request.Kind == SeatRemoval || after.Billed() != member.Billed() {
			t.members = append(t.members, PreviewedMember{ID: id, Name: member.Name, Billable: member.Billable, Status: member.Status})
		}
	}
	return nil
}

// draft fixes the parameters of a change.
func (sp *SeatPreviews) draft(a account.Access, request SeatRequest, t seatTerms) SeatPreview {
	preview := SeatPreview{
		ID: sp.NewID("sp"), OrganizationID: a.Organization.ID, Kind: request.Kind, Digest: request.digest(), Members: t.members,
		Email: request.Invitation.Email, Billed: t.billed, BaseVersion: t.before.SyncVersion, Reason: t.reason, Known: true,
		RequestedBy: a.User.ID, PreviewedAt: sp.Now(), Lines: []PreviewLine{},
	}
	if preview.Members == nil {
		preview.Members = []PreviewedMember{}
	}
	if t.reason == SeatNoPlan {
		return preview
	}
	price := sp.priceOf(t.current)
	preview.SubscriptionID, preview.ItemID, preview.CustomerID = t.current.ID, t.current.ItemID, t.current.CustomerID
	preview.PriceID, preview.Currency, preview.Interval = t.current.PriceID, price.Amount.Currency, price.Interval
	preview.FromQuantity, preview.ToQuantity, preview.Proration = t.current.Quantity, t.to, t.proration
	preview.PeriodEnd, preview.ProratedAt = t.current.CurrentPeriodEnd, t.proratedAt(preview.PreviewedAt)
	if end, ends := t.current.EndsAt(); ends {
		preview.EndsAt = &end
	}
	return preview
}

func (sp *SeatPreviews) priceOf(s Subscription) catalog.Price {
	_, price, _ := sp.Catalog().ByPrice(s.PriceID)
	return price
}

// calculate fetches from Stripe what a change costs: the invoice of the update, the next invoice
// with it and the next one without it, at once.
func (sp *SeatPreviews) calculate(ctx context.Context, preview *SeatPreview, t seatTerms) error {
	if t.reason == SeatNoPlan || t.reason == SeatFlat || !t.sends() && t.renewTo == t.current.Quantity {
		return nil
	}
	update, later := preview.update(), preview.update()
	if !t.sends() {
		later.Quantity = t.renewTo
	}
	later.Proration, later.ProratedAt = string(catalog.ProrationNone), nil
	if t.current.Status == StatusTrialing || !t.sends() {
		update = later
	}
	requests := []QuantityUpdate{{SubscriptionID: preview.SubscriptionID}, update}
	if preview.ChargedToday() && update != later {
		requests = append(requests, later)
	}
	invoices, err := sp.previewAll(ctx, requests)
	if err != nil {
		return err
	}
	return preview.setAmounts(invoices[0], invoices[1], invoices[len(invoices)-1])
}

// previewAll previews several updates at once.
func (sp *SeatPreviews) previewAll(ctx context.Context, requests []QuantityUpdate) ([]InvoicePreview, error) {
	invoices, failures := make([]InvoicePreview, len(requests)), make([]error, len(requests))
	var group sync.WaitGroup
	for i, request := range requests {
		group.Go(func() { invoices[i], failures[i] = sp.gateway.PreviewQuantity(ctx, request) })
	}
	group.Wait()
	return invoices, errors.Join(failures...)
}

// setAmounts sets the amounts by Stripe's previews: the next invoice as it is, the invoice of the
// update, and the next invoice with it, which is the same one if nothing is charged today.
func (p *SeatPreview) setAmounts(base, changed, next InvoicePreview) error {
	if changed.MoreLines {
		return errors.New("the preview has more lines than can be read")
	}
	if changed.ProratedAt != nil && p.ProratedAt == nil && p.Proration != catalog.ProrationNone && p.Reason == SeatCharged {
		p.ProratedAt = changed.ProratedAt // a test clock's time
	}
	if p.ChargedToday() && p.Reason == SeatCharged {
		p.AmountDue, p.InvoiceTotal, p.Tax = changed.AmountDue.Minor, changed.Total.Minor, changed.Tax.Minor != 0
		p.Lines = changed.Lines
	}
	for _, line := range changed.Lines {
		if !p.isProration(line) {
			continue
		}
		p.ProrationSum += line.Amount.Minor
		if !p.ChargedToday() {
			p.Tax = p.Tax || line.Net != line.Amount
			p.Lines = append(p.Lines, line)
		}
	}
	p.setNext(base, next)
	return nil
}

// isProration reports whether a line prorates this change. Lines of other changes that are pending
// have another date, see [seatTerms.proratedAt].
func (p *SeatPreview) isProration(line PreviewLine) bool {
	return line.Proration && p.ProratedAt != nil && line.PeriodStart.Equal(*p.ProratedAt) && (line.ItemID == "" || line.ItemID == p.ItemID)
}

// setNext sets the next regular invoice and how far it differs from the one without the change. A
// preview without lines of a whole period (the plan ends) says nothing about either.
func (p *SeatPreview) setNext(base, next InvoicePreview) {
	before, _ := regularLines(base)
	after, lines := regularLines(next)
	if len(lines) == 0 {
		return
	}
	at := next.At
	p.NextAt, p.PeriodChange, p.NextAmount = &at, after.Minor-before.Minor, next.AmountDue.Minor
	if p.ChargedToday() && p.Reason == SeatCharged {
		p.NextAmount = after.Minor // what is pending now is on today's invoice
	}
}
