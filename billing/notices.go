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

// isNews tells whether what was so at a moment is young enough to write to people about.
func (n *Notices) isRecent(moment time.Time) bool { return n.Now().Before(moment.Add(mail.Lifetime)) }

// notifyInvoice writes to the billing contacts about what an event tells of an invoice. The keys are facts of Stripe, so that the same
// happening under several events, or heard again, is told once: payment_failed and payment_action_required of one attempt share a key.
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
	line, plan := n.periodLine(invoice)
	data.Plan = plan.Name
	if _, price, known := n.Catalog().ByPrice(line.PriceID); known {
		data.Interval = price.Interval
	}
	if invoice.Status == InvoicePaid && plan.ID != "" {
		data.NextAt = line.PeriodEnd
	}
	return data
}

// notifySubscription writes to the billing contacts about what changed between two snapshots of the subscription they are on. The first sight of
// one is none.
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

// noticeFor tells what there is to write about. The moment a cancellation was asked for at Stripe tells one from the next.
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

// tell queues a notice with the organization's name in it.
func (n *Notices) queue(ctx context.Context, tx Tx, m mail.Message) error {
	organization, err := tx.Organizations().Get(ctx, m.OrganizationID)
	if err != nil {
		return fmt.Errorf("notice: %w", err)
	}
	m.Data.Organization = organization.Name
	return n.queueTo(ctx, tx, m)
}

// queueNotice queues an e-mail to the billing contacts of its organization, or where there are none to everybody who may manage its billing;
// unless notices of its kind are switched off. To and Data.Name are filled in.
func (n *Notices) queueTo(ctx context.Context, tx Tx, m mail.Message) error {
	c, err := noticeSettings(ctx, tx, m.OrganizationID)
	if err != nil || slices.Contains(c.Muted, m.Kind) {
		return err
	}
	names := map[string]string{}
	for _, manager := range c.Managers {
		names[manager.Email] = manager.Name
	}
	for _, address := range c.Recipients() {
		m.To, m.Data.Name = address, names[address]
		if err := n.outbox.Queue(ctx, tx, m); err != nil {
			return err
		}
	}
	return nil
}
