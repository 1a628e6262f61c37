package billing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/catalog"
	"usher/billing/mail"
)

// StartPack opens a Checkout session for a pack. Each call opens its own session: packs can be
// bought any number of times, beside any subscription. Errors: as [Checkouts.Start].
func (cs *Checkouts) StartPack(ctx context.Context, a account.Access, r CheckoutRequest) (CheckoutSession, error) {
	if err := a.RequireBilling(); err != nil {
		return CheckoutSession{}, err
	}
	if err := a.Organization.RequireNotDeleting(); err != nil {
		return CheckoutSession{}, err
	}
	return withinLimit(ctx, cs.core, func(ctx context.Context) (CheckoutSession, error) { return cs.startPack(ctx, a, r) })
}

func (cs *Checkouts) startPack(ctx context.Context, a account.Access, r CheckoutRequest) (CheckoutSession, error) {
	pack, err := cs.choosePack(ctx, r)
	if err != nil {
		return CheckoutSession{}, err
	}
	requested, err := cs.newCheckout(ctx, a, r)
	if err != nil {
		return CheckoutSession{}, err
	}
	requested.Mode, requested.PriceID, requested.Quantity = ModePayment, pack.Price.ID, 1
	link, err := cs.customers.ensure(ctx, a, StripeAccount{ID: requested.Account, Livemode: requested.Livemode})
	if err != nil {
		return CheckoutSession{}, err
	}
	requested.CustomerID = link.StripeCustomerID
	return cs.openPack(ctx, a, requested)
}

// openPack opens a session for a pack. It repeats without a part that Stripe refuses.
func (cs *Checkouts) openPack(ctx context.Context, a account.Access, requested CheckoutSession) (CheckoutSession, error) {
	for {
		requested.ID, requested.Status, requested.CreatedAt = cs.NewID("chk"), CheckoutReserved, cs.Now()
		err := cs.store.InTx(ctx, func(tx Tx) error {
			return errors.Join(cs.putTx(ctx, tx, requested), cs.recordCheckout(ctx, tx, a, requested))
		})
		if err != nil {
			return CheckoutSession{}, err
		}
		session, again, err := cs.openReserved(ctx, requested, requested)
		if fewer, without := cs.withoutRefused(ctx, requested.Options, err); without {
			requested.Options = fewer
			continue
		}
		if err == nil && again {
			err = apperr.Errorf(apperr.CodeConflict, "That Checkout page was closed meanwhile. Please choose the pack again.")
		}
		return session, err
	}
}

// choosePack looks a pack up in the catalog. If its price is not resolved at Stripe yet, the prices
// are fetched once.
func (cs *Checkouts) choosePack(ctx context.Context, r CheckoutRequest) (catalog.Pack, error) {
	pack, known := cs.findPack(r)
	if known && pack.Price.ProductID == "" {
		if err := cs.resolvePrices(ctx); err != nil {
			cs.Log.WarnContext(ctx, "price resolution failed", "err", err)
		}
		pack, known = cs.findPack(r)
	}
	switch {
	case !known:
		return catalog.Pack{}, apperr.Errorf(apperr.CodeInvalid, apperr.MessageInvalidPrice)
	case pack.Price.ProductID == "":
		return catalog.Pack{}, apperr.StripeFailed("choose pack", fmt.Errorf("the price of %s is not known at Stripe", pack.ID))
	}
	return pack, nil
}

// findPack looks a request up in the catalog. A former price is not for sale.
func (cs *Checkouts) findPack(r CheckoutRequest) (catalog.Pack, bool) {
	if r.PriceID == "" {
		return cs.Catalog().Pack(r.PackID)
	}
	pack, known := cs.Catalog().PackByPrice(r.PriceID)
	return pack, known && pack.Price.ID == r.PriceID
}

// recordPackPurchase grants the pack that a paid session sold, once, and queues a receipt. It
// relies on Stripe's answer, which has price and customer; our record of the session may not be
// written yet. The organization is locked.
func (cs *Checkouts) recordPackPurchase(ctx context.Context, tx Tx, organizationID string, answer StripeCheckoutSession) error {
	pack, known := cs.Catalog().PackByPrice(answer.PriceID)
	if answer.Mode != ModePayment || !known || !answer.paid() {
		return nil
	}
	acct := cs.knownAccount()
	fact := CreditFact{
		OrganizationID: organizationID, Account: acct.ID, Livemode: acct.Livemode, Source: "pack:" + answer.ID, Kind: FactPack, ChargeID: answer.ChargeID, PlanID: pack.ID,
		Credits: pack.Credits, At: answer.PaidAt,
	}
	if fact.At.IsZero() {
		fact.At = cs.Now()
	}
	if err := cs.credits.recordFact(ctx, tx, fact); err != nil || !cs.notices.isRecent(fact.At) {
		return err
	}
	return cs.notices.queue(ctx, tx, mail.Message{
		Kind: mail.KindPackReceipt, Key: "pack:" + answer.ID + ":paid", OrganizationID: organizationID,
		Data: mail.Data{Plan: pack.Name, Credits: int64(pack.Credits), Amount: answer.Total, At: fact.At},
	})
}

// recordPackPaymentFailed queues a notice that a delayed payment has failed.
func (cs *Checkouts) recordPackPaymentFailed(ctx context.Context, tx Tx, organizationID string, at time.Time, answer StripeCheckoutSession) error {
	pack, known := cs.Catalog().PackByPrice(answer.PriceID)
	if !known || answer.paid() || !cs.notices.isRecent(at) {
		return nil
	}
	return cs.notices.queue(ctx, tx, mail.Message{
		Kind: mail.KindPaymentFailed, Key: "pack:" + answer.ID + ":failed", OrganizationID: organizationID,
		Data: mail.Data{Plan: pack.Name, Amount: answer.Total, At: at},
	})
}
