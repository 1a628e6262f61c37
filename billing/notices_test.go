package billing_test

import (
	"bytes"
	"net/http"
	"net/url"
	"testing"
	"time"

	"usher/billing/catalog"
	"usher/billing/mail"
)

func TestRenewalNoticeIsQueuedOnce(t *testing.T) {
	env := newTestEnv(t)
	current := env.subscribe("pro")
	now := time.Now().UTC().Truncate(time.Second)
	price := env.planPriceID("pro", catalog.Monthly)
	renewal := paidInvoice{"in_renewal", "subscription_cycle", now, price, now, now.AddDate(0, 1, 0), false, 2900}
	for i, kind := range []string{"invoice.paid", "invoice.payment_succeeded", "invoice.updated", "invoice.paid"} {
		deliver(t, env, renewal.event(env, current, "evt_"+string(rune('a'+i)), kind))
	}
	if got := env.countMails(mail.KindRenewed); got != 1 {
		t.Errorf("%d renewal notices, want 1", got)
	}
	old := renewal
	old.id, old.created = "in_old", now.AddDate(0, 0, -10)
	deliver(t, env, old.event(env, current, "evt_old", "invoice.paid"))
	if got := env.countMails(mail.KindRenewed); got != 1 {
		t.Error("a renewal of ten days ago queued a notice")
	}
	first := paidInvoice{"in_first", "subscription_create", now, price, now, now.AddDate(0, 1, 0), false, 2900}
	deliver(t, env, first.event(env, current, "evt_first", "invoice.paid"))
	if got := env.countMails(mail.KindRenewed); got != 1 {
		t.Error("the first payment queued a renewal notice")
	}
}

func TestCancellationNoticeIsQueuedOnce(t *testing.T) {
	env := newTestEnv(t)
	current := env.subscribe("pro")
	env.cancelAtStripe(current)
	for range 3 {
		if err := env.service.Subscriptions.Refresh(t.Context(), env.access); err != nil {
			t.Fatal(err)
		}
	}
	if got := env.countMails(mail.KindCanceled); got != 1 {
		t.Errorf("%d cancellation notices, want 1", got)
	}
}

// The notice before a trial ends has Stripe's amount of the first payment: here with a coupon.
func TestTrialEndingNoticeHasStripesAmount(t *testing.T) {
	env := newTestEnv(t)
	env.sellPro(func(p *catalog.Plan) { p.TrialDays = 14 })
	env.addMembers(1)
	current := env.subscribe("pro")
	env.stripeRequest(http.MethodPost, "/v1/coupons", url.Values{"id": {"half"}, "percent_off": {"50"}, "duration": {"forever"}})
	env.stripeRequest(http.MethodPost, "/v1/subscriptions/"+current.ID, url.Values{"coupon": {"half"}})
	env.stripe.AdvanceClock(current.TrialEnd.AddDate(0, 0, -2))
	events := env.eventsOfType("customer.subscription.trial_will_end")
	unlinked := bytes.ReplaceAll(bytes.ReplaceAll(events[0], []byte(current.ID), []byte("sub_other")), []byte(current.CustomerID), []byte("cus_other"))
	deliver(t, env, bytes.ReplaceAll(unlinked, []byte(`"id":"evt_`), []byte(`"id":"evt_x`)))
	deliver(t, env, events[0])
	deliver(t, env, bytes.Replace(events[0], []byte(`"id":"evt_`), []byte(`"id":"evt_y`), 1))
	env.processEvents()
	if got := env.queuedMails(mail.KindTrialEnding); len(got) != 1 || got[0].Amount.Minor != 2900 || !got[0].At.Equal(*current.TrialEnd) {
		t.Errorf("trial notices %+v, want one of $29.00", got)
	}
}
