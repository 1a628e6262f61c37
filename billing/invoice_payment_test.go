package billing_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/catalog"
	"usher/billing/mail"
	"usher/stripelocal"
)

// pastDue is an organization whose renewal was declined, with everything stored. Events arrive and
// the worker runs on Stripe's clock.
func newPastDueEnv(t *testing.T, card string) *testEnv {
	t.Helper()
	env := newTestEnv(t)
	env.sellPro(func(p *catalog.Plan) { p.GraceDays = 7 })
	env.startBackground()
	current := env.subscribe("pro")
	env.setCard(current, card)
	env.waitFor("the card", func(o billing.Overview) bool { return o.Subscription.PaymentMethodID != current.PaymentMethodID })
	env.stripe.AdvanceClock(current.CurrentPeriodEnd.Add(2 * time.Hour))
	env.waitFor("the renewal to fail", func(o billing.Overview) bool {
		return o.Subscription.Status == billing.StatusPastDue && o.Trouble != nil && len(o.Trouble.Attempts) > 0 && o.Trouble.Attempts[0].Number > 0
	})
	env.waitUntilProcessed()
	return env
}

// waitUntilProcessed waits until the worker has processed the events that have arrived.
func (env *testEnv) waitUntilProcessed() {
	env.t.Helper()
	env.waitFor("the events", func(billing.Overview) bool {
		return env.queryInt(`select count(*) from stripe_events where outcome = 'pending'`) == 0
	})
}

// useCard adds a card and makes it the default of the customer and the subscription, as the
// customer portal does. No payment is made by that.
func (env *testEnv) useCard(token string) {
	env.t.Helper()
	env.setCard(*env.overview().Subscription, token)
}

// charges counts the charges of the organization's customer, the failed ones separately.
func (env *testEnv) charges() (paid, failed int) {
	env.t.Helper()
	var list struct{ Data []struct{ Status string } }
	env.stripeGet("/v1/charges?limit=100&customer="+env.overview().CustomerID, &list)
	for _, c := range list.Data {
		if c.Status == "succeeded" {
			paid++
		} else {
			failed++
		}
	}
	return paid, failed
}

func (env *testEnv) payNow() (billing.InvoicePayment, error) {
	open := env.overview().OpenInvoice
	return env.service.InvoicePayments.Pay(env.t.Context(), env.access, open.ID, open.DueMoney())
}

func (env *testEnv) wantPaid(t *testing.T, charges int) {
	t.Helper()
	env.waitFor("the plan to be active", func(o billing.Overview) bool {
		return o.Subscription.Status == billing.StatusActive && o.OpenInvoice == nil && o.Trouble == nil && o.HasAccess
	})
	if paid, _ := env.charges(); paid != charges {
		t.Errorf("%d charges were paid, want %d", paid, charges)
	}
}

// Each state of a payment follows from what happens at Stripe, and says one thing.
func TestTroubleFollowsFromWhatHappens(t *testing.T) {
	t.Run("declined renewal", func(t *testing.T) {
		env := newPastDueEnv(t, "pm_card_chargeCustomerFail")
		o := env.overview()
		trouble := o.Trouble
		if trouble.Kind != billing.TroublePastDue || trouble.Amount() != (catalog.Money{Minor: 2900, Currency: "usd"}) || trouble.Decline.Reason != "the card was declined" || !trouble.CanPay || !trouble.HasAccess {
			t.Errorf("%+v", trouble)
		}
		if trouble.NextTry.IsZero() || !trouble.NextTry.Equal(*o.OpenInvoice.NextAttemptAt) || !trouble.AccessUntil.Equal(o.OpenInvoice.FinalizedAt.AddDate(0, 0, 7)) {
			t.Errorf("next try %v, access until %v", trouble.NextTry, trouble.AccessUntil)
		}
		if len(trouble.Attempts) != 1 || trouble.Attempts[0].DeclineCode != "generic_decline" || trouble.Attempts[0].Number != 1 || !strings.HasPrefix(trouble.Attempts[0].ID, "ch_") {
			t.Errorf("attempts %+v", trouble.Attempts)
		}
		// All its events once more, in the other order: nothing is counted twice.
		for _, kind := range []string{"invoice.payment_failed", "charge.failed"} {
			for _, payload := range env.eventsOfType(kind) {
				deliver(t, env, []byte(strings.Replace(string(payload), `"id":"evt_`, `"id":"evt_again_`, 1)))
			}
		}
		env.waitUntilProcessed()
		if n := env.queryInt(`select count(*) from payment_attempts`); n != 1 {
			t.Errorf("%d attempts are stored, want 1", n)
		}
		// The dates of Stripe's schedule, each with its own attempt.
		env.stripe.AdvanceClock(trouble.NextTry.Add(time.Hour))
		env.waitFor("the retry", func(o billing.Overview) bool {
			return len(o.Trouble.Attempts) == 2 && o.Trouble.NextTry.After(env.stripe.Now())
		})
	})
	t.Run("confirmation", func(t *testing.T) {
		env := newPastDueEnv(t, "pm_card_authenticationRequired")
		trouble := env.overview().Trouble
		if trouble.Kind != billing.TroubleConfirm || trouble.Attempts[0].Outcome != billing.AttemptActionRequired || !trouble.NextTry.IsZero() {
			t.Errorf("%+v", trouble)
		}
	})
	t.Run("insufficient funds and a stolen card", func(t *testing.T) {
		env := newPastDueEnv(t, "pm_card_chargeCustomerFail")
		for i, c := range []struct {
			token, reason string
			canPay, retry bool
		}{
			{"pm_card_chargeDeclinedInsufficientFunds", "the card has insufficient funds", true, true},
			{"pm_card_chargeDeclinedStolenCard", "the card was declined", true, true}, // the card on file is another one
		} {
			env.advanceStripe(time.Minute) // attempts of one second have no order at Stripe
			env.payAtStripe(env.overview().OpenInvoice.ID, c.token)
			env.waitFor(c.token, func(o billing.Overview) bool { return len(o.Trouble.Attempts) == i+2 })
			trouble := env.overview().Trouble
			if trouble.Decline.Reason != c.reason || trouble.CanPay != c.canPay || trouble.NextTry.IsZero() == c.retry {
				t.Errorf("%s: %+v", c.token, trouble)
			}
		}
	})
	t.Run("unpaid", func(t *testing.T) {
		env := newPastDueEnv(t, "pm_card_chargeCustomerFail")
		env.must(env.stripe.SetAfterDunning(stripelocal.AfterDunningUnpaid))
		env.stripe.AdvanceClock(env.stripe.Now().AddDate(0, 0, 15))
		env.waitFor("the end of the retries", func(o billing.Overview) bool {
			return o.Trouble != nil && o.Trouble.Kind == billing.TroubleUnpaid && len(o.Trouble.Attempts) == 9
		})
		o := env.overview()
		if !o.Trouble.NextTry.IsZero() || o.HasAccess || !o.Trouble.CanPay {
			t.Errorf("%+v", o.Trouble)
		}
		env.useCard("pm_card_visa")
		env.wantPaid(t, 2)
	})
	t.Run("trial without a card", func(t *testing.T) {
		env := newTestEnv(t)
		env.sellTrial(nil)
		env.startBackground()
		current := env.subscribe("pro")
		env.removeCard(current)
		env.stripeRequest(http.MethodPost, "/v1/subscriptions/"+current.ID, url.Values{"trial_settings[end_behavior][missing_payment_method]": {"pause"}})
		env.waitFor("the banner about the missing card", func(o billing.Overview) bool {
			return o.Trouble != nil && o.Trouble.Kind == billing.TroubleTrialCard && o.Trouble.At.Equal(*current.TrialEnd)
		})
		env.stripe.AdvanceClock(current.TrialEnd.Add(time.Hour))
		env.waitFor("the pause", func(o billing.Overview) bool {
			return o.Trouble != nil && o.Trouble.Kind == billing.TroublePaused && !o.HasAccess && !o.Trouble.HasCard
		})
		if err := env.service.Cancellations.Resume(t.Context(), env.access); apperr.CodeOf(err) != apperr.CodeConflict {
			t.Errorf("resumed without a card: %v", err)
		}
		// A card that fails leaves it paused with an open invoice, which a card that works pays.
		env.useCard("pm_card_chargeCustomerFail")
		env.waitFor("the card", func(o billing.Overview) bool { return o.Trouble.HasCard })
		if err := env.service.Cancellations.Resume(t.Context(), env.access); apperr.CodeOf(err) != apperr.CodeConflict {
			t.Errorf("resumed with a card that fails: %v", err)
		}
		env.waitFor("the open invoice", func(o billing.Overview) bool {
			return o.Trouble.Kind == billing.TroubleUnpaid && len(o.Trouble.Attempts) == 1 && o.Trouble.NextTry.IsZero()
		})
		env.useCard("pm_card_visa")
		env.wantPaid(t, 1)
	})
	t.Run("paused, resumed with a card", func(t *testing.T) {
		env := newTestEnv(t)
		env.sellTrial(nil)
		env.startBackground()
		current := env.subscribe("pro")
		env.removeCard(current)
		env.stripeRequest(http.MethodPost, "/v1/subscriptions/"+current.ID, url.Values{"trial_settings[end_behavior][missing_payment_method]": {"pause"}})
		env.stripe.AdvanceClock(current.TrialEnd.Add(time.Hour))
		env.waitFor("the pause", func(o billing.Overview) bool {
			return o.Subscription.Status == billing.StatusPaused && o.Trouble != nil && !o.Trouble.HasCard
		})
		env.removeWebhooks() // the event of the card comes later than the person
		env.useCard("pm_card_visa")
		env.must(env.service.Cancellations.Resume(t.Context(), env.access))
		if paid, failed := env.charges(); env.overview().Subscription.Status != billing.StatusActive || paid != 1 || failed != 0 {
			t.Errorf("%s, %d charges and %d failed ones", env.overview().Subscription.Status, paid, failed)
		}
	})
	t.Run("card expiring", func(t *testing.T) {
		env := newTestEnv(t)
		env.sellPro(func(*catalog.Plan) {}) // without events: a later snapshot has the card's own date
		current := env.subscribe("pro")
		if current.CardExpiresAt == nil || !current.CardExpiresAt.Equal(time.Date(2035, time.January, 1, 0, 0, 0, 0, time.UTC)) {
			t.Errorf("card 12/34 expires at %v", current.CardExpiresAt)
		}
		if trouble := env.overview().Trouble; trouble != nil {
			t.Errorf("trouble with a valid card: %+v", trouble)
		}
		soon := current.CurrentPeriodEnd.AddDate(0, 0, -8) // its month ends before the renewal, or not
		env.exec(`update subscriptions set card_expires_at = $1`, soon)
		for range 2 {
			env.must(env.service.NoticeExpiringCards(t.Context()))
		}
		o := env.overview()
		if o.Trouble == nil || o.Trouble.Kind != billing.TroubleCardExpiry || !o.Trouble.At.Equal(soon) || !o.Trouble.NextCharge.Equal(o.Subscription.CurrentPeriodEnd) {
			t.Errorf("%+v", o.Trouble)
		}
		if n := env.countMails(mail.KindCardExpiring); n != 1 {
			t.Errorf("%d e-mails about the card, want 1", n)
		}
		env.exec(`update subscriptions set card_expires_at = $1`, current.CurrentPeriodEnd.Add(time.Second))
		env.must(env.service.NoticeExpiringCards(t.Context()))
		if o := env.overview(); o.Trouble != nil || env.countMails(mail.KindCardExpiring) != 1 {
			t.Errorf("a card that is valid at the next charge: %+v", o.Trouble)
		}
	})
}

// payAtStripe tries to pay an invoice with another card, as support at Stripe does. The payment
// fails.
func (env *testEnv) payAtStripe(invoiceID, token string) {
	env.t.Helper()
	form := url.Values{"payment_method": {token}}
	request, err := http.NewRequestWithContext(env.t.Context(), http.MethodPost, env.origin+"/v1/invoices/"+invoiceID+"/pay", strings.NewReader(form.Encode()))
	env.must(err)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth("sk_test_dashboard123", "")
	response, err := http.DefaultClient.Do(request)
	env.must(err)
	response.Body.Close()
	if response.StatusCode != http.StatusPaymentRequired {
		env.t.Fatalf("payment with %s: %d", token, response.StatusCode)
	}
}

// removeCard takes the card from the subscription and its customer.
func (env *testEnv) removeCard(current billing.Subscription) {
	env.t.Helper()
	env.stripeRequest(http.MethodPost, "/v1/payment_methods/"+current.PaymentMethodID+"/detach", nil)
}

func TestPayNow(t *testing.T) {
	t.Run("pays", func(t *testing.T) {
		env := newPastDueEnv(t, "pm_card_authenticationRequiredOnSetup")
		env.replaceCardWithoutRetry("pm_card_visa")
		payment, err := env.payNow()
		if err != nil || payment.Status != billing.PaymentPaid {
			t.Fatalf("%+v, %v", payment, err)
		}
		if o := env.overview(); o.Subscription.Status != billing.StatusActive || o.Trouble != nil {
			t.Errorf("right after the payment: %s, %+v", o.Subscription.Status, o.Trouble)
		}
		env.wantPaid(t, 2)
		if again, err := env.service.InvoicePayments.Pay(t.Context(), env.access, payment.InvoiceID, payment.Money()); err != nil || again.Status != billing.PaymentPaid {
			t.Errorf("a replay: %+v, %v", again, err)
		}
		env.wantPaid(t, 2)
	})
	t.Run("declined", func(t *testing.T) {
		env := newPastDueEnv(t, "pm_card_chargeCustomerFail")
		before := env.overview()
		payment, err := env.payNow()
		if err != nil || payment.Status != billing.PaymentDeclined || payment.DeclineCode != "generic_decline" {
			t.Fatalf("%+v, %v", payment, err)
		}
		o := env.overview()
		if len(o.Trouble.Attempts) != 2 || o.Trouble.Kind != billing.TroublePastDue || !o.Trouble.NextTry.Equal(before.Trouble.NextTry) || o.Subscription.Status != billing.StatusPastDue {
			t.Errorf("after a decline: %+v", o.Trouble)
		}
		// The next click is another attempt, under another key.
		if again, err := env.payNow(); err != nil || again.ID == payment.ID || again.Status != billing.PaymentDeclined {
			t.Errorf("%+v, %v", again, err)
		}
		if _, failed := env.charges(); failed != 3 {
			t.Errorf("%d failed charges, want 3", failed)
		}
		env.waitUntilProcessed()
		if n := env.queryInt(`select count(*) from payment_attempts`); n != 3 {
			t.Errorf("%d attempts are stored, want 3", n)
		}
	})
	t.Run("needs confirmation", func(t *testing.T) {
		env := newPastDueEnv(t, "pm_card_authenticationRequired")
		payment, err := env.payNow()
		if err != nil || payment.Status != billing.PaymentActionRequired || env.overview().Trouble.Kind != billing.TroubleConfirm {
			t.Errorf("%+v, %v: %+v", payment, err, env.overview().Trouble)
		}
	})
	t.Run("without a card", func(t *testing.T) {
		env := newPastDueEnv(t, "pm_card_chargeCustomerFail")
		env.removeCard(*env.overview().Subscription)
		payment, err := env.payNow()
		if err != nil || payment.Status != billing.PaymentNoPaymentMethod {
			t.Errorf("%+v, %v", payment, err)
		}
	})
	t.Run("two clicks", func(t *testing.T) {
		env := newPastDueEnv(t, "pm_card_chargeCustomerFail")
		env.replaceCardWithoutRetry("pm_card_visa")
		open := env.overview().OpenInvoice
		var clicks sync.WaitGroup
		for range 6 {
			clicks.Go(func() {
				payment, err := env.service.InvoicePayments.Pay(t.Context(), env.access, open.ID, open.DueMoney())
				// On a busy machine the read before the payment may take too long.
				if apperr.CodeOf(err) != apperr.CodeStripe && (err != nil || payment.Status != billing.PaymentPaid && payment.Status != billing.PaymentOpen) {
					t.Errorf("%+v, %v", payment, err)
				}
			})
		}
		clicks.Wait()
		env.wantPaid(t, 2)
		if n := env.queryInt(`select count(*) from invoice_payments where origin = 'person'`); n != 1 {
			t.Errorf("%d payments, want 1", n)
		}
	})
	t.Run("lost answer", func(t *testing.T) {
		env := newPastDueEnv(t, "pm_card_chargeCustomerFail")
		env.replaceCardWithoutRetry("pm_card_visa")
		_, err := env.stripe.Faults().Add(stripelocal.Fault{Kind: stripelocal.TimeoutAfter, Method: "POST", Path: "/v1/invoices/*/pay", Calls: 3})
		env.must(err)
		if payment, err := env.payNow(); err != nil || payment.Status != billing.PaymentOpen && payment.Status != billing.PaymentPaid {
			t.Errorf("%+v, %v", payment, err)
		}
		env.wantPaid(t, 2)
		env.waitFor("the payment to be settled", func(billing.Overview) bool {
			return env.queryInt(`select count(*) from invoice_payments where status = 'paid'`) == 1
		})
	})
	t.Run("Stripe is slow", func(t *testing.T) {
		env := newPastDueEnv(t, "pm_card_chargeCustomerFail")
		env.replaceCardWithoutRetry("pm_card_visa")
		_, err := env.stripe.Faults().Add(stripelocal.Fault{Kind: stripelocal.SlowCall, Method: "POST", Path: "/v1/invoices/*/pay", Millis: 5000, Calls: 1})
		env.must(err)
		started := time.Now()
		payment, err := env.payNow()
		if took := time.Since(started); err != nil || payment.Status != billing.PaymentOpen || took >= 5*time.Second {
			t.Errorf("%+v, %v after %v", payment, err, took)
		}
		if trouble := env.overview().Trouble; trouble == nil || trouble.Kind != billing.TroublePaying {
			t.Errorf("%+v", trouble)
		}
		env.wantPaid(t, 2)
	})
	t.Run("the amount moved", func(t *testing.T) {
		env := newPastDueEnv(t, "pm_card_chargeCustomerFail")
		open := env.overview().OpenInvoice
		env.stripeRequest(http.MethodPost, "/v1/credit_notes", url.Values{"invoice": {open.ID}, "amount": {"900"}})
		_, err := env.service.InvoicePayments.Pay(t.Context(), env.access, open.ID, open.DueMoney())
		var moved *billing.AmountMovedError
		if !errors.As(err, &moved) || moved.Invoice.AmountDue != 2000 || apperr.CodeOf(err) != apperr.CodeConflict {
			t.Errorf("%v", err)
		}
		if _, failed := env.charges(); failed != 1 {
			t.Errorf("%d failed charges, want 1", failed)
		}
	})
	t.Run("of somebody else", func(t *testing.T) {
		env := newPastDueEnv(t, "pm_card_chargeCustomerFail")
		open := env.overview().OpenInvoice
		member := env.access
		member.Member.Role = account.Role{}
		if _, err := env.service.InvoicePayments.Pay(t.Context(), member, open.ID, open.DueMoney()); apperr.CodeOf(err) != apperr.CodeForbidden {
			t.Errorf("a member without the right: %v", err)
		}
		// The trigger, because an event that comes late writes the subscription again.
		env.exec(`create function keep_foreign() returns trigger language plpgsql as $$ begin
			new.is_foreign = true; new.is_current = false; return new; end $$`)
		env.exec(`create trigger keep_foreign before update on subscriptions for each row execute function keep_foreign()`)
		env.exec(`update subscriptions set is_foreign = true`)
		_, err := env.service.InvoicePayments.Pay(t.Context(), env.access, open.ID, open.DueMoney())
		if apperr.CodeOf(err) != apperr.CodeNotFound {
			t.Errorf("an invoice of a foreign subscription: %v", err)
		}
	})
}

// replaceCardWithoutRetry replaces the card, and pretends that it was tried already.
func (env *testEnv) replaceCardWithoutRetry(token string) {
	env.t.Helper()
	env.exec(`create or replace function skip_card() returns trigger language plpgsql as $$ begin
		if new.origin = 'card' then return null; end if; return new; end $$`)
	env.exec(`create or replace trigger skip_card before insert on invoice_payments for each row execute function skip_card()`)
	before := env.overview().Subscription.PaymentMethodID
	env.useCard(token)
	env.waitFor("the card", func(o billing.Overview) bool { return o.Subscription.PaymentMethodID != before })
}

// A card that replaces the one that failed pays the open invoice at once, and once.
func TestNewCardPaysTheOpenInvoice(t *testing.T) {
	t.Run("pays", func(t *testing.T) {
		env := newPastDueEnv(t, "pm_card_chargeCustomerFail")
		env.useCard("pm_card_visa")
		env.wantPaid(t, 2)
		env.waitFor("the payment by card", func(billing.Overview) bool {
			return env.queryInt(`select count(*) from invoice_payments where origin = 'card' and status = 'paid'`) == 1
		})
	})
	t.Run("declined once", func(t *testing.T) {
		env := newPastDueEnv(t, "pm_card_chargeCustomerFail")
		for i := range 2 {
			env.useCard("pm_card_chargeCustomerFail")
			env.waitFor("the payment with the new card", func(o billing.Overview) bool {
				return o.Trouble != nil && o.Trouble.Kind == billing.TroublePastDue && len(o.Trouble.Attempts) == i+2
			})
		}
		// Events about the same card cause no further one.
		env.stripeRequest(http.MethodPost, "/v1/customers/"+env.overview().CustomerID, url.Values{"name": {"Lantern Theatre"}})
		env.waitFor("the events", func(billing.Overview) bool {
			return env.queryInt(`select count(*) from stripe_events where outcome = 'pending'`) == 0 &&
				env.queryInt(`select count(*) from stripe_events where type = 'customer.updated' and payload::text like '%Lantern Theatre%'`) > 0
		})
		if _, failed := env.charges(); failed != 3 {
			t.Errorf("%d failed charges, want 3", failed)
		}
	})
	t.Run("the customer's card while the subscription has its own", func(t *testing.T) {
		env := newPastDueEnv(t, "pm_card_chargeCustomerFail")
		current := env.overview().Subscription
		var method struct{ ID string }
		env.stripeRequest(http.MethodPost, "/v1/payment_methods/pm_card_visa/attach", url.Values{"customer": {current.CustomerID}}, &method)
		env.stripeRequest(http.MethodPost, "/v1/customers/"+current.CustomerID, url.Values{"invoice_settings[default_payment_method]": {method.ID}})
		env.waitFor("the events", func(billing.Overview) bool {
			return env.queryInt(`select count(*) from stripe_events where outcome = 'pending'`) == 0 &&
				env.queryInt(`select count(*) from stripe_events where type = 'customer.updated' and payload::text like '%'||$1||'%'`, method.ID) > 0
		})
		o := env.overview()
		if o.Subscription.PaymentMethodID != current.PaymentMethodID || env.queryInt(`select count(*) from invoice_payments`) != 0 {
			t.Errorf("payment method %s, want %s", o.Subscription.PaymentMethodID, current.PaymentMethodID)
		}
		// Without one of its own, the customer's pays.
		env.stripeRequest(http.MethodPost, "/v1/subscriptions/"+current.ID, url.Values{"default_payment_method": {""}})
		env.stripeRequest(http.MethodPost, "/v1/customers/"+current.CustomerID, url.Values{"name": {"Lantern Theatre"}})
		env.wantPaid(t, 2)
	})
}
