package billing

import (
	"context"
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

// invoice queues the notice that an invoice event calls for, if any. The message keys are made of
// Stripe's ids, so that several events about the same thing cause one notice: payment_failed and
// payment_action_required of one attempt share a key.
func (n *Notices) invoice(ctx context.Context, tx Tx, e Event, invoice Invoice) error {
	if !n.isRecent(e.Created) {
		return nil
	}
	m := mail.Message{OrganizationID: invoice.OrganizationID, StaleAt: e.Created.Add(mail.Lifetime), Data: n.invoiceMailData(invoice, e)}
	attempt := fmt.Sprintf("invoice:%s:attempt:%d", invoice.ID, invoice.Attempts)
	switch {
	case e.Type == "invoice.payment_action_required" && invoice.HostedURL != "":
		m.Kind, m.Key, m.Data.URL = mail.KindActionRequired, attempt, invoice.HostedURL
	case e.Type == "invoice.payment_failed" && invoice.Status != InvoicePaid:
		m.Kind, m.Key = mail.KindPaymentFailed, attempt
	case invoice.Status == InvoicePaid && invoice.Reason == "subscription_cycle" && invoice.Total > 0:
		m.Kind, m.Key = mail.KindRenewed, "invoice:"+invoice.ID+":paid"
	default:
		return nil
	}
	return n.queue(ctx, tx, m)
}

func (n *Notices) invoiceMailData(invoice Invoice, e Event) mail.Data {
	data := mail.Data{Amount: catalog.Money{Minor: invoice.AmountDue, Currency: invoice.Currency}, At: e.Created}
	if invoice.Status == InvoicePaid {
		data.Amount.Minor = invoice.AmountPaid
	}
	if invoice.NextAttemptAt != nil {
		data.NextAt = *invoice.NextAttemptAt
	}
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
	if before.Revision == 0 || !before.IsCurrent || before.Status.Ended() || !n.isRecent(fresh.AsOf) {
		return nil
	}
	kind, key, at := noticeFor(before, fresh)
	if kind == "" {
		return nil
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
