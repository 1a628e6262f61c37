package billing_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/apperr"
	"usher/billing/catalog"
	"usher/billing/mail"
)

// buyPack opens Checkout for a pack.
func (s *stage) buyPack(id string) billing.CheckoutSession {
	s.t.Helper()
	session, err := s.service.Checkouts.StartPack(s.t.Context(), s.access, billing.CheckoutRequest{PackID: id})
	s.must(err)
	return session
}

// payByBank fills in the hosted Checkout page with an account that is debited: the money comes, or does not, after days.
func (s *stage) payByBank(session billing.CheckoutSession, account string) {
	s.t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.PostForm(session.URL, url.Values{"email": {"ana@example.com"}, "payBy": {"bank"}, "bankAccount": {account}, "billingName": {"Ana"}})
	s.must(err)
	answer.Body.Close()
	if answer.StatusCode != http.StatusSeeOther {
		s.t.Fatalf("paying by bank answered %d", answer.StatusCode)
	}
}

func (s *stage) balance(want int) {
	s.t.Helper()
	s.until("the credits", func(o billing.Overview) bool { return o.Credits.Balance == want })
}

func TestPackIsBoughtOnceHoweverOftenItIsHeard(t *testing.T) {
	s := openStage(t)
	s.listening()
	session := s.buyPack("credits_500")
	if session.Mode != billing.ModePayment || session.Quantity != 1 {
		t.Errorf("the session is %+v", session)
	}
	s.pay(session)
	for range 3 {
		completed, err := s.service.Checkouts.Complete(t.Context(), s.access, session.StripeSessionID)
		if err != nil || !completed.Confirmed || completed.Credits != 500 {
			t.Fatalf("completed %+v, %v", completed, err)
		}
	}
	s.until("the event to be settled", func(billing.Overview) bool {
		return s.one(`select count(*) from stripe_events where type = 'checkout.session.completed' and outcome = 'applied'`) == 1
	})
	s.balance(500)
	if n := s.kept(mail.KindPackReceipt); n != 1 {
		t.Errorf("%d receipts", n)
	}
	// Another one, beside a plan and after it: packs do not expire with the plan's credits.
	s.subscribe("pro")
	s.balance(1500)
	s.pay(s.buyPack("credits_500"))
	s.balance(2000)
	if n := s.kept(mail.KindPackReceipt); n != 2 {
		t.Errorf("%d receipts", n)
	}
	s.ledger()
}

// The webhook comes before our own record of the session knows Stripe's id.
func TestPackIsCountedThoughTheRecordIsLate(t *testing.T) {
	s := openStage(t)
	session := s.buyPack("credits_500")
	_, err := s.store.DB().ExecContext(t.Context(), `update checkout_sessions set stripe_session_id = null, status = 'reserved'`)
	s.must(err)
	s.listening()
	s.pay(session)
	s.balance(500)
}

func TestPackPaidByBankComesWithTheMoney(t *testing.T) {
	for account, want := range map[string]struct{ balance, receipts, failures int }{"000123456789": {500, 1, 0}, "000222222227": {0, 0, 1}} {
		t.Run(account, func(t *testing.T) {
			s := openStage(t)
			s.listening()
			session := s.buyPack("credits_500")
			s.payByBank(session, account)
			completed, err := s.service.Checkouts.Complete(t.Context(), s.access, session.StripeSessionID)
			if err != nil || completed.Confirmed {
				t.Fatalf("before the money has come: %+v, %v", completed, err)
			}
			s.until("the completion to be heard", func(billing.Overview) bool {
				return s.one(`select count(*) from stripe_events where type = 'checkout.session.completed' and outcome = 'applied'`) == 1
			})
			if got := s.overview().Credits.Balance; got != 0 {
				t.Errorf("%d credits before the money has come", got)
			}
			s.stripe.AdvanceClock(time.Now().Add(5 * 24 * time.Hour))
			s.until("the debit", func(billing.Overview) bool {
				return s.one(`select count(*) from stripe_events where type like 'checkout.session.async%' and outcome = 'applied'`) == 1
			})
			if got := s.overview().Credits.Balance; got != want.balance || s.kept(mail.KindPackReceipt) != want.receipts || s.kept(mail.KindPaymentFailed) != want.failures {
				t.Errorf("%d credits, %d receipts, %d failures told", got, s.kept(mail.KindPackReceipt), s.kept(mail.KindPaymentFailed))
			}
		})
	}
}

func TestRefundedPackTakesItsCreditsAlong(t *testing.T) {
	s := openStage(t)
	s.listening()
	session := s.buyPack("credits_500")
	s.pay(session)
	s.balance(500)
	_, err := s.service.Credits.Consume(t.Context(), s.access, billing.Consumption{Amount: 100, IdempotencyKey: "k"})
	s.must(err)
	s.postStripe(http.MethodPost, "/v1/refunds", url.Values{"charge": {s.chargeOf(billing.Subscription{CustomerID: session.CustomerID})}, "amount": {"500"}})
	s.balance(150) // half of 500 is left, and 100 were used
	s.ledger()
}

func TestForgedPacksAreRefused(t *testing.T) {
	s := openStage(t)
	for name, r := range map[string]billing.CheckoutRequest{
		"unknown": {PackID: "credits_1"}, "empty": {}, "a plan": {PackID: "pro"}, "a plan's price": {PriceID: s.planPrice("pro", catalog.Monthly)},
	} {
		if _, err := s.service.Checkouts.StartPack(t.Context(), s.access, r); apperr.MessageOf(err) != apperr.MessageInvalidPrice {
			t.Errorf("%s: %v", name, err)
		}
	}
	pack, _ := s.service.Prices.Catalog().Pack("credits_500")
	if _, err := s.service.Checkouts.Start(t.Context(), s.access, billing.CheckoutRequest{PriceID: pack.Price.ID}); apperr.MessageOf(err) != apperr.MessageInvalidPrice {
		t.Errorf("a pack as a subscription: %v", err)
	}
}

// Neither the browser nor any event came back, and Stripe's list of events no longer reaches that far.
func TestPackWhoseEventIsGoneIsFoundByTheComparison(t *testing.T) {
	s := openStage(t)
	paid, bank, left := s.buyPack("credits_500"), s.buyPack("credits_500"), s.buyPack("credits_500")
	s.pay(paid)
	s.payByBank(bank, "000123456789")
	organization := billing.ReconcileOptions{OrganizationID: s.access.Organization.ID} // events are not read for a single one
	found := s.drifts(organization)
	if len(found) != 2 || s.one(`select balance from credit_accounts`) != 500 {
		t.Fatalf("found %q, and %d credits", found, s.one(`select balance from credit_accounts`))
	}
	s.stripe.AdvanceClock(time.Now().Add(6 * 24 * time.Hour)) // the bank has paid, and the page that was left is closed
	found = s.drifts(organization)
	if len(found) != 2 || s.one(`select balance from credit_accounts`) != 1000 {
		t.Errorf("found %q, and %d credits", found, s.one(`select balance from credit_accounts`))
	}
	if n := s.one(`select count(*) from checkout_sessions where status = 'open'`); n != 0 {
		t.Errorf("%d sessions are open, %s of them was left", n, left.StripeSessionID)
	}
	if again := s.drifts(organization); len(again) != 0 {
		t.Errorf("the last run finds %q", again)
	}
}
