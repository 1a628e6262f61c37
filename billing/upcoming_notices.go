package billing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"usher/billing/apperr"
	"usher/billing/catalog"
	"usher/billing/mail"
	"usher/billing/phrase"
)

// upcomingNoticeLimit is the longest time before a renewal that a notice about it is for. The days
// are set in Stripe's dashboard, 45 at most
// (https://docs.stripe.com/billing/subscriptions/webhooks#upcoming-renewal-notifications).
const upcomingNoticeLimit = 60 * 24 * time.Hour

// handleEvent handles invoice.upcoming, which Stripe sends some days before a renewal. Its invoice
// has no id. If a notice is due, the event stays pending: the amount comes from Stripe, as of then.
func (ui *UpcomingInvoices) handleEvent(ctx context.Context, tx Tx, e Event) (eventResult, error) {
	result, err := ui.subscriptions.handleRelated(ctx, tx, e)
	if err != nil || result.outcome == OutcomeIgnored {
		return result, err
	}
	stored, known, err := apperr.Found(tx.Subscriptions().Get(ctx, e.SubscriptionID))
	if err != nil {
		return result, fmt.Errorf("read subscription: %w", err)
	}
	if known && ui.noticeOf(stored, e) != "" {
		result.outcome = OutcomePending
	}
	return result, nil
}

// noticeOf returns the notice that an invoice.upcoming event calls for; empty: none. It is for the
// renewal at the end of the period: of a yearly price, or one that begins with another price. A
// late event may be about a period that has ended.
func (ui *UpcomingInvoices) noticeOf(s Subscription, e Event) mail.Kind {
	before := s.CurrentPeriodEnd.Sub(e.Created)
	_, ending := s.EndsAt()
	if s.Foreign || ending || s.Status != StatusActive && s.Status != StatusPastDue || before <= 0 || before > upcomingNoticeLimit || !ui.notices.isRecent(e.Created) {
		return ""
	}
	_, price, _ := ui.Catalog().ByPrice(s.PriceID)
	switch {
	case s.ScheduledPriceID != "" && s.ScheduledPriceID != s.PriceID && s.ScheduledAt != nil && !s.ScheduledAt.After(s.CurrentPeriodEnd):
		return mail.KindPriceChange
	case price.Interval == catalog.Yearly:
		return mail.KindRenewalNotice
	}
	return ""
}

// refetchForEvent processes a pending invoice.upcoming event: it refetches the subscription and
// queues the notice with the amount of Stripe's upcoming invoice.
func (ui *UpcomingInvoices) refetchForEvent(ctx context.Context, e Event, changes *ChangeLog) (Outcome, error) {
	fetched, err := ui.subscriptions.refetchRecording(ctx, e.SubscriptionID, changes)
	if errors.Is(err, apperr.ErrNotFound) {
		return OutcomeIgnored, nil
	}
	if err != nil {
		return "", err
	}
	kind := ui.noticeOf(fetched, e)
	if kind == "" {
		return OutcomeApplied, nil
	}
	next, found, err := ui.renewalOf(ctx, fetched, fetched.CurrentPeriodEnd)
	if err != nil || !found {
		return OutcomeApplied, err
	}
	m, err := ui.renewalMail(ctx, kind, fetched, next)
	if err != nil {
		return "", err
	}
	return OutcomeApplied, ui.queueForCurrent(ctx, fetched, m, changes)
}

// renewalOf fetches the invoice that Stripe will create at a time; false if there is none then.
func (ui *UpcomingInvoices) renewalOf(ctx context.Context, s Subscription, at time.Time) (InvoicePreview, bool, error) {
	next, found, err := apperr.Found(ui.gateway.UpcomingInvoice(ctx, s.ID))
	if err != nil {
		return next, false, fmt.Errorf("fetch upcoming invoice: %w", err)
	}
	return next, found && next.At.Sub(at).Abs() <= time.Hour, nil
}

func (ui *UpcomingInvoices) renewalMail(ctx context.Context, kind mail.Kind, s Subscription, next InvoicePreview) (mail.Message, error) {
	plan, price, _ := ui.Catalog().ByPrice(s.PriceID)
	data := mail.Data{Plan: plan.Name, Interval: price.Interval, At: s.CurrentPeriodEnd, Amount: next.AmountDue, URL: ui.baseURL + "/billing/next-invoice"}
	if kind == mail.KindPriceChange {
		data.FormerPlan, data.FormerInterval = plan.Name, price.Interval
		plan, price, _ = ui.Catalog().ByPrice(s.ScheduledPriceID)
		data.Plan, data.Interval = plan.Name, price.Interval
	}
	if next.splits(s) {
		data.Reason = "Seat changes are invoiced each month, so a part of this may be charged before."
	}
	lines := invoiceLines(s.ID, next.Lines)
	sources, err := ui.briefSources(ctx, s.OrganizationID, lines)
	if err != nil {
		return mail.Message{}, fmt.Errorf("explain upcoming invoice: %w", err)
	}
	sources.Currency = next.AmountDue.Currency
	for _, line := range explainLines(lines, sources) {
		data.Lines = append(data.Lines, phrase.Of("%s: %s", phrase.In(line.Text), phrase.Money(line.Amount)))
	}
	return mail.Message{
		Kind: kind, OrganizationID: s.OrganizationID, StaleAt: s.CurrentPeriodEnd, Data: data,
		Key: fmt.Sprintf("subscription:%s:upcoming:%d", s.ID, s.CurrentPeriodEnd.Unix()),
	}, nil
}

// queueForCurrent queues a notice about the organization's current subscription, unless the
// organization is about to be deleted.
func (ui *UpcomingInvoices) queueForCurrent(ctx context.Context, s Subscription, m mail.Message, changes *ChangeLog) error {
	return ui.store.InTxRecording(ctx, changes, func(tx Tx) error {
		organization, err := tx.Organizations().Lock(ctx, s.OrganizationID)
		if err != nil {
			return fmt.Errorf("lock organization: %w", err)
		}
		current, known, err := apperr.Found(tx.Subscriptions().Current(ctx, s.OrganizationID, ui.knownAccount()))
		if err != nil || !known || current.ID != s.ID || organization.RequireNotDeleting() != nil {
			return err
		}
		return ui.notices.queue(ctx, tx, m)
	})
}

// refetchTrialWillEnd processes a pending trial_will_end event. The notice has the amount of the
// first payment as Stripe calculates it, and is queued once.
func (ui *UpcomingInvoices) refetchTrialWillEnd(ctx context.Context, e Event, changes *ChangeLog) (Outcome, error) {
	trial, err := ui.subscriptions.refetchRecording(ctx, e.SubscriptionID, changes)
	if errors.Is(err, apperr.ErrNotFound) {
		return OutcomeIgnored, nil
	}
	if err != nil {
		return "", err
	}
	if trial.Foreign || trial.TrialEnd == nil || trial.Status != StatusTrialing || !ui.notices.isRecent(e.Created) {
		return OutcomeApplied, nil
	}
	first, found, err := ui.renewalOf(ctx, trial, *trial.TrialEnd)
	if err != nil {
		return "", err
	}
	plan, price, _ := ui.Catalog().ByPrice(trial.PriceID)
	m := mail.Message{
		Kind: mail.KindTrialEnding, OrganizationID: trial.OrganizationID, StaleAt: *trial.TrialEnd,
		Key:  fmt.Sprintf("subscription:%s:trial:%d", trial.ID, trial.TrialEnd.Unix()),
		Data: mail.Data{Plan: plan.Name, Interval: price.Interval, At: *trial.TrialEnd},
	}
	if found {
		m.Data.Amount = first.AmountDue
	}
	return OutcomeApplied, ui.store.InTxRecording(ctx, changes, func(tx Tx) error { return ui.notices.queue(ctx, tx, m) })
}
