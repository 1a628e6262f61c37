package billing

import (
	"context"
	"fmt"
	"time"
)

// isNews tells whether what was so at a moment is young enough to write to people about.
func (s *Service) isNews(moment time.Time) bool { return s.now().Before(moment.Add(mailLifetime)) }

// noticeInvoice writes to the billing contacts about what an event tells of an invoice. The keys are facts of Stripe, so that the same
// happening under several events, or heard again, is told once: payment_failed and payment_action_required of one attempt share a key.
func (s *Service) noticeInvoice(ctx context.Context, q Queries, e Event, invoice Invoice) error {
	if !s.isNews(e.Created) {
		return nil
	}
	m := Mail{OrganizationID: invoice.OrganizationID, StaleAt: e.Created.Add(mailLifetime), Data: s.invoiceMail(invoice, e)}
	attempt := fmt.Sprintf("invoice:%s:attempt:%d", invoice.ID, invoice.Attempts)
	switch {
	case e.Type == "invoice.payment_action_required" && invoice.HostedURL != "":
		m.Kind, m.Key, m.Data.URL = MailActionRequired, attempt, invoice.HostedURL
	case e.Type == "invoice.payment_failed" && invoice.Status != InvoicePaid:
		m.Kind, m.Key = MailPaymentFailed, attempt
	case invoice.Status == InvoicePaid && invoice.Reason == "subscription_cycle" && invoice.Total > 0:
		m.Kind, m.Key = MailRenewed, "invoice:"+invoice.ID+":paid"
	default:
		return nil
	}
	return s.tell(ctx, q, m)
}

func (s *Service) invoiceMail(invoice Invoice, e Event) MailData {
	data := MailData{Amount: Money{Minor: invoice.AmountDue, Currency: invoice.Currency}, At: e.Created}
	if invoice.Status == InvoicePaid {
		data.Amount.Minor = invoice.AmountPaid
	}
	if invoice.NextAttemptAt != nil {
		data.NextAt = *invoice.NextAttemptAt
	}
	line, plan := s.periodLine(invoice)
	data.Plan = plan.Name
	if _, price, known := s.Catalogue().ByPrice(line.PriceID); known {
		data.Interval = price.Interval
	}
	if invoice.Status == InvoicePaid && plan.ID != "" {
		data.NextAt = line.PeriodEnd
	}
	return data
}

// noticeSubscription writes to the billing contacts about what changed between two snapshots of the subscription they are on. The first sight of
// one is none.
func (s *Service) noticeSubscription(ctx context.Context, q Queries, before, fresh Subscription) error {
	if before.Revision == 0 || !before.IsCurrent || before.Status.Ended() || !s.isNews(fresh.Moment) {
		return nil
	}
	kind, key, at := subscriptionNotice(before, fresh)
	if kind == "" {
		return nil
	}
	plan, price, _ := s.Catalogue().ByPrice(fresh.PriceID)
	m := Mail{Kind: kind, Key: "subscription:" + fresh.ID + ":" + key, OrganizationID: fresh.OrganizationID, StaleAt: fresh.Moment.Add(mailLifetime)}
	m.Data = MailData{Plan: plan.Name, Interval: price.Interval, At: at}
	if kind == MailResumed {
		m.Data.At, m.Data.NextAt = time.Time{}, fresh.CurrentPeriodEnd
	}
	return s.tell(ctx, q, m)
}

// subscriptionNotice tells what there is to write about. The moment a cancellation was asked for at Stripe tells one from the next.
func subscriptionNotice(before, fresh Subscription) (kind MailKind, key string, at time.Time) {
	_, wasEnding := before.EndsAt()
	endsAt, ending := fresh.EndsAt()
	switch {
	case fresh.Status == StatusCanceled && before.Status.GrantsAccess():
		return MailCanceled, "ended", time.Time{}
	case fresh.Status.Ended():
		return "", "", time.Time{}
	case ending && !wasEnding:
		return MailCanceled, fmt.Sprintf("cancel:%d", unixOf(fresh.CanceledAt)), endsAt
	case wasEnding && !ending:
		return MailResumed, fmt.Sprintf("resume:%d", unixOf(before.CanceledAt)), time.Time{}
	}
	return "", "", time.Time{}
}

func unixOf(t *time.Time) int64 {
	if t == nil {
		return 0
	}
	return t.Unix()
}

// hearTrialEnding takes up the subscription and writes that its trial ends: Stripe tells three days before, or at once where it is shorter.
func (s *Service) hearTrialEnding(ctx context.Context, q Queries, e Event) (heard, error) {
	result, err := s.hearSubscription(ctx, q, e)
	if err != nil {
		return result, err
	}
	_, linked, err := s.ownerOf(ctx, q, e.CustomerID, e.OrgID)
	if err != nil || !linked || e.Subscription == nil || e.Subscription.TrialEnd == nil || !s.isNews(e.Created) {
		return result, err
	}
	plan, price, _ := s.Catalogue().ByPrice(e.Subscription.PriceID)
	return result, s.tell(ctx, q, Mail{
		Kind: MailTrialEnding, OrganizationID: result.organizationID, StaleAt: *e.Subscription.TrialEnd,
		Key: fmt.Sprintf("subscription:%s:trial:%d", e.ObjectID, e.Subscription.TrialEnd.Unix()),
		Data: MailData{
			Plan: plan.Name, Interval: price.Interval, At: *e.Subscription.TrialEnd, Amount: price.Amount.Times(e.Subscription.Quantity),
		},
	})
}

// tell queues a notice with the organization's name in it.
func (s *Service) tell(ctx context.Context, q Queries, m Mail) error {
	organization, err := q.Organization(ctx, m.OrganizationID)
	if err != nil {
		return fmt.Errorf("notice: %w", err)
	}
	m.Data.Organization = organization.Name
	return s.queueNotice(ctx, q, m)
}
