package billing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"usher/billing/catalog"
	"usher/billing/mail"
)

// Notices queues e-mails to billing contacts.
type Notices struct {
	*core
	outbox *mail.Outbox
}

// isRecent reports whether something that happened at a time is recent enough for a notice.
func (n *Notices) isRecent(at time.Time) bool { return n.Now().Before(at.Add(mail.Lifetime)) }

// The types of event about an unsuccessful attempt to collect an invoice. One attempt may cause
// both, in either order (https://docs.stripe.com/billing/subscriptions/overview#requires-action).
const (
	eventPaymentFailed  = "invoice.payment_failed"
	eventActionRequired = "invoice.payment_action_required"
)

// attemptNoticeHold is how long the notice about a failed payment is held back, so that it can be
// replaced once the invoice is fetched.
const attemptNoticeHold = time.Minute

// reportsAttempt reports whether an event is about an unsuccessful attempt that is recent enough
// for a notice.
func (n *Notices) reportsAttempt(e Event) bool {
	return (e.Type == eventPaymentFailed || e.Type == eventActionRequired) && n.isRecent(e.Created)
}

// invoice queues the notice that the payload of an invoice event calls for, if any. The notice
// about an unsuccessful attempt is preliminary: [Notices.attempt] decides once the invoice is
// fetched.
func (n *Notices) invoice(ctx context.Context, tx Tx, e Event, stored, invoice Invoice) error {
	paid := invoice.Status == InvoicePaid || stored.Status == InvoicePaid
	switch {
	case n.reportsAttempt(e) && !paid:
		return n.attemptAt(ctx, tx, e, invoice, n.Now().Add(attemptNoticeHold))
	case invoice.Status == InvoicePaid && invoice.Reason == "subscription_cycle" && invoice.Total > 0 && n.isRecent(e.Created):
		m := n.invoiceMail(invoice, e)
		m.Kind, m.Key = mail.KindRenewed, "invoice:"+invoice.ID+":paid"
		return n.queueOfPlan(ctx, tx, invoice, m)
	}
	return nil
}

// attempt queues the notice about the last unsuccessful attempt to collect a fetched invoice: that
// the payment has to be confirmed, or that it failed. A notice of the other kind about the same
// attempt is discarded unless it was sent already; then the recipient gets both, the right one
// last.
func (n *Notices) attempt(ctx context.Context, tx Tx, e Event, fetched Invoice) error {
	if !n.reportsAttempt(e) {
		return nil
	}
	return n.attemptAt(ctx, tx, e, fetched, time.Time{})
}

// attemptAt is attempt with the earliest time at which a notice about a failed payment is sent. An
// attempt has one notice of each kind at most.
func (n *Notices) attemptAt(ctx context.Context, tx Tx, e Event, invoice Invoice, failedAt time.Time) error {
	key := fmt.Sprintf("invoice:%s:attempt:%d", invoice.ID, invoice.Attempts)
	failed, confirm := n.invoiceMail(invoice, e), n.invoiceMail(invoice, e)
	// Stored in earlier rows: another key would send the e-mail about a failed payment again.
	failed.Kind, failed.Key, failed.SendAt = mail.KindPaymentFailed, key, failedAt
	confirm.Kind, confirm.Key, confirm.Data.URL = mail.KindActionRequired, key+":confirm", invoice.HostedURL
	switch {
	case invoice.Status != InvoiceOpen: // paid or given up meanwhile
		return errors.Join(n.outbox.Discard(ctx, tx, failed.Kind, failed.Key), n.outbox.Discard(ctx, tx, confirm.Kind, confirm.Key))
	case invoice.ActionRequired && invoice.HostedURL != "":
		return errors.Join(n.outbox.Discard(ctx, tx, failed.Kind, failed.Key), n.queueOfPlan(ctx, tx, invoice, confirm))
	}
	if invoice.LastAttempt != nil { // it replaces the one of the payload, which has no reason
		if err := n.outbox.Discard(ctx, tx, failed.Kind, failed.Key); err != nil {
			return err
		}
	}
	return errors.Join(n.outbox.Discard(ctx, tx, confirm.Kind, confirm.Key), n.queueOfPlan(ctx, tx, invoice, failed))
}

// queueOfPlan queues a notice about an invoice, unless that is of a foreign subscription.
func (n *Notices) queueOfPlan(ctx context.Context, tx Tx, invoice Invoice, m mail.Message) error {
	if foreign, err := n.isForeignInvoice(ctx, tx, invoice); err != nil || foreign {
		return err
	}
	return n.queue(ctx, tx, m)
}

func (n *Notices) invoiceMail(invoice Invoice, e Event) mail.Message {
	return mail.Message{OrganizationID: invoice.OrganizationID, StaleAt: e.Created.Add(mail.Lifetime), Data: n.invoiceMailData(invoice, e)}
}

func (n *Notices) invoiceMailData(invoice Invoice, e Event) mail.Data {
	data := mail.Data{Amount: catalog.Money{Minor: invoice.AmountDue, Currency: invoice.Currency}, At: e.Created}
	if invoice.Status == InvoicePaid {
		data.Amount.Minor = invoice.AmountPaid
	}
	decline := DeclineOf("")
	if invoice.LastAttempt != nil {
		decline = invoice.LastAttempt.Decline()
		data.Reason, data.Step = decline.Reason, decline.Step
	}
	data.NextAt = nextTry(invoice, decline, n.Now())
	line, plan, _ := n.periodLine(invoice)
	data.Plan = plan.Name
	if _, price, known := n.Catalog().ByPrice(line.PriceID); known {
		data.Interval = price.Interval
	}
	if invoice.Status == InvoicePaid && plan.ID != "" {
		data.NextAt = line.PeriodEnd
	}
	return data
}

// subscription queues the notice that a change of the current subscription calls for, if any. The
// first snapshot of a subscription causes none.
func (n *Notices) subscription(ctx context.Context, tx Tx, before, fresh Subscription) error {
	if before.Revision == 0 || !before.IsCurrent || fresh.Foreign || before.Status.Ended() || !n.isRecent(fresh.AsOf) {
		return nil
	}
	kind, key, at := noticeFor(before, fresh)
	if kind == "" {
		return nil
	}
	organization, err := tx.Organizations().Get(ctx, fresh.OrganizationID)
	if err != nil {
		return fmt.Errorf("queue notice: %w", err)
	}
	if organization.RequireNotDeleting() != nil {
		return nil // the e-mail about the deletion says when the plan ends
	}
	plan, price, _ := n.Catalog().ByPrice(fresh.PriceID)
	m := mail.Message{Kind: kind, Key: "subscription:" + fresh.ID + ":" + key, OrganizationID: fresh.OrganizationID, StaleAt: fresh.AsOf.Add(mail.Lifetime)}
	m.Data = mail.Data{Plan: plan.Name, Interval: price.Interval, At: at}
	if kind == mail.KindResumed {
		m.Data.At, m.Data.NextAt = time.Time{}, fresh.CurrentPeriodEnd
	}
	return n.queue(ctx, tx, m)
}

// noticeFor returns the notice for the difference of two snapshots; an empty kind for none. The
// time of the cancellation request at Stripe distinguishes one cancellation from the next.
func noticeFor(before, fresh Subscription) (kind mail.Kind, key string, at time.Time) {
	_, wasEnding := before.EndsAt()
	endsAt, ending := fresh.EndsAt()
	switch {
	case fresh.Status == StatusCanceled && before.Status.GrantsAccess():
		return mail.KindCanceled, "ended", time.Time{}
	case fresh.Status.Ended():
		return "", "", time.Time{}
	case ending && !wasEnding:
		return mail.KindCanceled, fmt.Sprintf("cancel:%d", unixOf(fresh.CanceledAt)), endsAt
	case wasEnding && !ending:
		return mail.KindResumed, fmt.Sprintf("resume:%d", unixOf(before.CanceledAt)), time.Time{}
	}
	return "", "", time.Time{}
}

func unixOf(t *time.Time) int64 {
	if t == nil {
		return 0
	}
	return t.Unix()
}

// queue fills in the organization's name and queues a notice.
func (n *Notices) queue(ctx context.Context, tx Tx, m mail.Message) error {
	organization, err := tx.Organizations().Get(ctx, m.OrganizationID)
	if err != nil {
		return fmt.Errorf("queue notice: %w", err)
	}
	m.Data.Organization = organization.Name
	return n.queueTo(ctx, tx, m)
}

// queueTo queues a notice to each billing contact of the organization, or if there are none to each
// member who may manage its billing, unless the kind is muted. It fills in To and Data.Name.
func (n *Notices) queueTo(ctx context.Context, tx Tx, m mail.Message) error {
	settings, err := noticeSettings(ctx, tx, m.OrganizationID)
	if err != nil || slices.Contains(settings.Muted, m.Kind) {
		return err
	}
	names := map[string]string{}
	for _, manager := range settings.Managers {
		names[manager.Email] = manager.Name
	}
	for _, address := range settings.Recipients() {
		m.To, m.Data.Name = address, names[address]
		if err := n.outbox.Queue(ctx, tx, m); err != nil {
			return err
		}
	}
	return nil
}
