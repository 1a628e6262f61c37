package stripelocal_test

import (
	"testing"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

// available is the balance in USD that can be paid out.
func (l *testServer) available() int64 {
	l.t.Helper()
	return must[*stripe.Balance](l.t)(l.api.Balance.Get(nil)).Available[0].Amount
}

func TestPayoutsTakeTheBalance(t *testing.T) {
	l := start(t, stripelocal.Options{})
	payout := func(amount int64) (*stripe.Payout, error) {
		return l.api.Payouts.New(&stripe.PayoutParams{Amount: stripe.Int64(amount), Currency: stripe.String("usd")})
	}
	topup := must[*stripe.Topup](t)(l.api.Topups.New(&stripe.TopupParams{Amount: stripe.Int64(5000), Currency: stripe.String("usd")}))
	_, err := payout(3000)
	wantError(t, err, 400, "balance_insufficient", stripe.ErrorTypeInvalidRequest)
	l.time.Store(topup.ExpectedAvailabilityDate)
	if topup = must[*stripe.Topup](t)(l.api.Topups.Get(topup.ID, nil)); topup.Status != "succeeded" || l.available() != 5000 {
		t.Fatalf("top-up %s, %d available", topup.Status, l.available())
	}
	first := must[*stripe.Payout](t)(payout(3000))
	canceled := must[*stripe.Payout](t)(payout(1500))
	if l.available() != 500 {
		t.Errorf("%d available", l.available())
	}
	canceled = must[*stripe.Payout](t)(l.api.Payouts.Cancel(canceled.ID, nil))
	if canceled.Status != "canceled" || l.available() != 2000 {
		t.Errorf("%s, %d available", canceled.Status, l.available())
	}
	_, err = l.api.Payouts.Reverse(first.ID, nil)
	wantError(t, err, 400, "payouts_not_allowed", stripe.ErrorTypeInvalidRequest)
	l.time.Store(first.ArrivalDate)
	back := must[*stripe.Payout](t)(l.api.Payouts.Reverse(first.ID, nil))
	p := &stripe.PayoutParams{}
	p.AddExpand("balance_transaction")
	p.AddExpand("reversed_by")
	first = must[*stripe.Payout](t)(l.api.Payouts.Get(first.ID, p))
	if first.Status != "paid" || first.ReversedBy.ID != back.ID || first.BalanceTransaction.Net != -3000 || l.available() != 5000 {
		t.Errorf("%s, reversed by %v, %d available", first.Status, first.ReversedBy, l.available())
	}
	_, err = l.api.Payouts.Cancel(first.ID, nil)
	wantError(t, err, 400, "payouts_not_allowed", stripe.ErrorTypeInvalidRequest)
	must[*stripe.Payout](t)(l.api.Payouts.Update(first.ID, &stripe.PayoutParams{Metadata: map[string]string{"a": "1"}}))
	if it := l.api.Payouts.List(&stripe.PayoutListParams{Status: stripe.String("canceled")}); !it.Next() || it.Payout().ID != canceled.ID || it.Next() {
		t.Error("the list does not filter")
	}
	for kind, want := range map[string]int{"payout.created": 3, "payout.paid": 1, "payout.canceled": 1, "topup.succeeded": 1} {
		if n := l.countEvents(kind); n != want {
			t.Errorf("%d %s, want %d", n, kind, want)
		}
	}
}

func TestATopupIsCanceledWhilePending(t *testing.T) {
	l := start(t, stripelocal.Options{})
	topup := must[*stripe.Topup](t)(l.api.Topups.New(&stripe.TopupParams{Amount: stripe.Int64(700), Currency: stripe.String("usd")}))
	must[*stripe.Topup](t)(l.api.Topups.Update(topup.ID, &stripe.TopupParams{Description: stripe.String("x")}))
	if topup = must[*stripe.Topup](t)(l.api.Topups.Cancel(topup.ID, nil)); topup.Status != "canceled" || topup.Description != "x" {
		t.Errorf("%+v", topup)
	}
	_, err := l.api.Topups.Cancel(topup.ID, nil)
	wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest)
	l.time.Add(10 * 24 * 60 * 60)
	if l.available() != 0 {
		t.Errorf("%d available", l.available())
	}
}
