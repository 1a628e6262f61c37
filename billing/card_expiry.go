package billing

import (
	"context"
	"fmt"
	"time"

	"usher/billing/mail"
)

// cardNoticeDays is how many days before a card expires the notice is sent.
const cardNoticeDays = 30

// cardExpires returns when the card of a running subscription expires, if that is within
// cardNoticeDays, or past, and before the next charge.
func cardExpires(s Subscription, now time.Time) (time.Time, bool) {
	_, ending := s.EndsAt()
	if s.CardExpiresAt == nil || s.SendsInvoices || ending || s.Status != StatusActive && s.Status != StatusTrialing {
		return time.Time{}, false
	}
	at := *s.CardExpiresAt
	soon := !now.Before(at.AddDate(0, 0, -cardNoticeDays))
	return at, soon && !at.After(s.CurrentPeriodEnd)
}

// cardNoticeBatch bounds the cards that one run of noticeExpiringCards reports.
const cardNoticeBatch = 100

// noticeExpiringCards queues an e-mail about each card that expires soon and before the next
// charge, once for each card and date.
func (ip *InvoicePayments) noticeExpiringCards(ctx context.Context) error {
	if ip.account.Load() == nil {
		return nil
	}
	now := ip.Now()
	due, err := ip.store.Subscriptions().CardsExpiring(ctx, ip.knownAccount(), now.AddDate(0, 0, cardNoticeDays), cardNoticeBatch)
	if err != nil {
		return err
	}
	for _, s := range due {
		if err := ip.noticeCard(ctx, s.ID, now); err != nil {
			return fmt.Errorf("notice card of %s: %w", s.ID, err)
		}
	}
	return nil
}

func (ip *InvoicePayments) noticeCard(ctx context.Context, id string, now time.Time) error {
	return ip.store.InTx(ctx, func(tx Tx) error {
		s, err := tx.Subscriptions().Get(ctx, id)
		if err != nil {
			return err
		}
		if _, err := tx.Organizations().Lock(ctx, s.OrganizationID); err != nil {
			return fmt.Errorf("lock organization: %w", err)
		}
		at, soon := cardExpires(s, now)
		if !soon {
			return nil
		}
		fresh, err := tx.Subscriptions().NoticeCard(ctx, s, now)
		if err != nil || !fresh {
			return err
		}
		plan, price, _ := ip.Catalog().ByPrice(s.PriceID)
		return ip.subscriptions.notices.queue(ctx, tx, mail.Message{
			Kind: mail.KindCardExpiring, OrganizationID: s.OrganizationID, StaleAt: now.Add(mail.Lifetime),
			Key: fmt.Sprintf("card:%s:%d", s.PaymentMethodID, at.Unix()),
			Data: mail.Data{
				Plan: plan.Name, Interval: price.Interval, At: at, NextAt: s.CurrentPeriodEnd, Reason: s.CardBrand, Card: s.CardLast4,
			},
		})
	})
}
