package billing_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/mail"
)

// setCard makes a test card of Stripe (https://docs.stripe.com/testing) the default of a
// subscription.
func (env *testEnv) setCard(current billing.Subscription, token string) {
	env.t.Helper()
	var method struct{ ID string }
	env.stripeRequest(http.MethodPost, "/v1/payment_methods/"+token+"/attach", url.Values{"customer": {current.CustomerID}}, &method)
	env.stripeRequest(http.MethodPost, "/v1/subscriptions/"+current.ID, url.Values{"default_payment_method": {method.ID}})
}

// failRenewal renews a subscription whose card is not charged. No event of it was delivered yet.
func (env *testEnv) failRenewal(token string) {
	env.t.Helper()
	options := env.options(env.store)
	options.Now = env.stripe.Now
	env.useService(env.startService(options))
	current := env.subscribe("pro")
	env.setCard(current, token)
	env.stripe.AdvanceClock(current.CurrentPeriodEnd.Add(2 * time.Hour))
}

// attemptEvents returns the events about an unsuccessful attempt, the type given first.
func (env *testEnv) attemptEvents(kinds ...string) []json.RawMessage {
	env.t.Helper()
	var events []json.RawMessage
	for _, kind := range kinds {
		found := env.eventsOfType(kind)
		if len(found) == 0 {
			env.t.Fatalf("Stripe sent no %s", kind)
		}
		events = append(events, found[len(found)-1])
	}
	return events
}

func (env *testEnv) wantAttemptMails(failed, confirm int) {
	env.t.Helper()
	if f, c := env.countMails(mail.KindPaymentFailed), env.countMails(mail.KindActionRequired); f != failed || c != confirm {
		env.t.Errorf("%d notices of a failed payment and %d of a confirmation, want %d and %d", f, c, failed, confirm)
	}
}

const (
	failedEvent  = "invoice.payment_failed"
	confirmEvent = "invoice.payment_action_required"
)

// A renewal that waits for the bank's confirmation causes one notice, which says so and links to
// the page that confirms it, whichever of its two events arrives, and in whichever order.
func TestPendingConfirmationIsNotAFailedPayment(t *testing.T) {
	for _, order := range [][]string{{failedEvent, confirmEvent}, {confirmEvent, failedEvent}, {failedEvent}, {confirmEvent}} {
		t.Run(strings.Join(order, ", "), func(t *testing.T) {
			env := newTestEnv(t)
			env.failRenewal("pm_card_authenticationRequired")
			for _, payload := range env.attemptEvents(order...) {
				deliver(t, env, payload)
				env.processEvents()
			}
			env.wantAttemptMails(0, 1)
			var link string
			env.must(env.store.DB().GetContext(t.Context(), &link, `select data->>'url' from emails where kind = 'action_required'`))
			o := env.overview()
			if o.Subscription.Status != billing.StatusPastDue || !o.PaymentAwaitsConfirmation() || link == "" || link != o.OpenInvoice.HostedURL {
				t.Errorf("%s, open invoice %+v, link %q", o.Subscription.Status, o.OpenInvoice, link)
			}
			if drift := strings.Join(env.reconcile(billing.ReconcileOptions{OrganizationID: env.access.Organization.ID}), "; "); strings.Contains(drift, "confirmation") {
				t.Errorf("drift %q", drift)
			}
		})
	}
}

// Both events arrive before Stripe can be asked about the invoice.
func TestPendingConfirmationBeforeTheInvoiceIsFetched(t *testing.T) {
	for _, order := range [][]string{{failedEvent, confirmEvent}, {confirmEvent, failedEvent}} {
		t.Run(strings.Join(order, ", "), func(t *testing.T) {
			env := newTestEnv(t)
			env.failRenewal("pm_card_authenticationRequired")
			for _, payload := range env.attemptEvents(order...) {
				deliver(t, env, payload)
			}
			env.processEvents()
			env.wantAttemptMails(0, 1)
		})
	}
}

func TestDeclinedRenewalIsAFailedPayment(t *testing.T) {
	env := newTestEnv(t)
	env.failRenewal("pm_card_chargeCustomerFail")
	deliver(t, env, env.attemptEvents(failedEvent)[0])
	env.wantAttemptMails(1, 0)
	if env.queryInt(`select count(*) from emails where kind = 'payment_failed' and next_attempt_at <= $1`, env.stripe.Now()) > 0 {
		t.Error("the notice is sent before the invoice is fetched")
	}
	env.processEvents()
	env.wantAttemptMails(1, 0)
	if o := env.overview(); o.OpenInvoice == nil || o.PaymentAwaitsConfirmation() {
		t.Errorf("open invoice %+v", o.OpenInvoice)
	}
}

// The customer confirms, or fails to: the page follows, and a failed confirmation causes the notice
// of a failed payment.
func TestConfirmationOfAPayment(t *testing.T) {
	for answer, failed := range map[string]int{"complete": 0, "fail": 1} {
		t.Run(answer, func(t *testing.T) {
			env := newTestEnv(t)
			env.failRenewal("pm_card_authenticationRequired")
			deliver(t, env, env.attemptEvents(failedEvent)[0])
			env.processEvents()
			var invoice struct {
				PaymentIntent string `json:"payment_intent"`
			}
			env.stripeGet("/v1/invoices/"+env.overview().OpenInvoice.ID, &invoice)
			client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
			response, err := client.PostForm(env.origin+"/c/authenticate/"+invoice.PaymentIntent, url.Values{answer: {"1"}})
			env.must(err)
			response.Body.Close()
			last := "invoice.paid"
			if failed > 0 {
				last = failedEvent
			}
			env.stripe.AdvanceClock(env.stripe.Now().Add(time.Minute))
			deliver(t, env, env.attemptEvents(last)[0])
			env.processEvents()
			if failed > 0 {
				env.wantAttemptMails(1, 0) // the other one was not sent yet
			} else if env.overview().OpenInvoice != nil {
				t.Error("the paid invoice is still open")
			}
			if env.overview().PaymentAwaitsConfirmation() {
				t.Error("the payment still has to be confirmed")
			}
		})
	}
}

// A notice of the wrong kind that the previous release queued is replaced; one that was sent is
// followed by the right one.
func TestNoticeOfTheWrongKindIsReplaced(t *testing.T) {
	for name, sent := range map[string]int{"queued": 0, "sent": 1} {
		t.Run(name, func(t *testing.T) {
			env := newMailEnv(t)
			_, organization, err := env.service.Users.SignUp(t.Context(), account.SignUp{Name: "Ana", Email: "ana@example.com", Password: testPassword, Organization: "Lantern"})
			if err != nil {
				t.Fatal(err)
			}
			notice := paymentFailedMail("invoice:in_1:attempt:1")
			notice.OrganizationID = organization.ID
			env.queueMail(notice)
			if sent > 0 {
				env.service.SweepMail(t.Context())
			}
			event := billing.Event{Type: confirmEvent, Created: env.clock()}
			invoice := billing.Invoice{
				ID: "in_1", OrganizationID: organization.ID, Status: billing.InvoiceOpen, Attempts: 1, ActionRequired: true,
				Currency: "usd", AmountDue: 2900, HostedURL: "https://pay.example/in_1",
			}
			for range 2 {
				err := env.store.InTx(t.Context(), func(tx billing.Tx) error { return env.service.QueueAttemptNotice(t.Context(), tx, event, invoice) })
				if err != nil {
					t.Fatal(err)
				}
			}
			env.service.SweepMail(t.Context())
			const confirm = "Confirm the payment of $29.00 for Lantern"
			kinds := map[string]int{}
			for _, m := range env.mailer.messages() {
				kinds[m.Subject]++
				if m.Subject == confirm && (!strings.Contains(m.Text, invoice.HostedURL) || !strings.Contains(m.HTML, invoice.HostedURL)) {
					t.Errorf("the link is missing: %s", m.Text)
				}
			}
			if kinds["A payment for Lantern failed"] != sent || kinds[confirm] != 1 {
				t.Errorf("sent %v", kinds)
			}
		})
	}
}
