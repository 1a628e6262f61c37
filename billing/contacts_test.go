package billing_test

import (
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/apperr"
	"usher/billing/mail"
	"usher/stripelocal"
)

type customerDetails struct{ Name, Email string }

func (env *testEnv) stripeCustomer() customerDetails {
	env.t.Helper()
	var c customerDetails
	env.stripeGet("/v1/customers/"+env.overview().CustomerID, &c)
	return c
}

// named waits until Stripe's customer is called so.
func (env *testEnv) waitForCustomer(want customerDetails) {
	env.t.Helper()
	env.waitFor("Stripe's customer to be called "+want.Name+", "+want.Email, func(billing.Overview) bool { return env.stripeCustomer() == want })
}

func TestCustomerDetailsArePushedToStripe(t *testing.T) {
	env := newTestEnv(t)
	env.must(env.service.Contacts.Add(t.Context(), env.access, "before@example.com")) // nobody at Stripe to tell yet
	env.subscribe("pro")
	env.startWorker(env.service)
	name := env.access.Organization.Name
	env.waitForCustomer(customerDetails{name, "before@example.com"})
	env.must(env.service.Contacts.Add(t.Context(), env.access, "office@example.com"))
	env.must(env.service.Contacts.Add(t.Context(), env.access, "OFFICE@example.com"))
	env.must(env.service.Contacts.Remove(t.Context(), env.access, "Before@example.com"))
	env.waitForCustomer(customerDetails{name, "office@example.com"})

	_, err := env.stripe.Faults().Add(stripelocal.Fault{Kind: stripelocal.ServerError, Method: http.MethodPost, Path: "/v1/customers/*", Calls: 1})
	env.must(err) // Stripe fails while the organization gets another name
	_, err = env.service.Organizations.Rename(t.Context(), env.access, "The Lantern")
	env.must(err)
	env.waitFor("the failure to be written down", func(billing.Overview) bool {
		return env.queryInt(`select count(*) from billing_customers where details_error <> ''`) == 1
	})
	env.waitForCustomer(customerDetails{"The Lantern", "office@example.com"})
	env.waitFor("nothing to be left to tell", func(billing.Overview) bool {
		return env.queryInt(`select count(*) from billing_customers where details_applied_version = details_version and details_due_at is null and details_error = ''`) == 1
	})
}

func TestCustomerUpdatedAtStripeIsStored(t *testing.T) {
	env := newTestEnv(t)
	env.subscribe("pro")
	env.startWorker(env.service)
	env.startBackground()
	env.stripeRequest(http.MethodPost, "/v1/customers/"+env.overview().CustomerID, url.Values{"email": {"new@example.com"}, "name": {"Elsewhere"}})
	env.waitFor("the customer to be mirrored", func(billing.Overview) bool {
		c, err := env.service.Contacts.NoticeSettings(t.Context(), env.access)
		env.must(err)
		return c.Customer.Email == "new@example.com" && c.Customer.Name == "Elsewhere" && !c.Customer.Delinquent
	})
}

func TestNoticeRecipientsAndKinds(t *testing.T) {
	env := newTestEnv(t)
	env.must(env.service.Contacts.Add(t.Context(), env.access, "office@example.com"))
	notify := func(key string) []string {
		t.Helper()
		env.must(env.store.InTx(t.Context(), func(tx billing.Tx) error {
			notice := paymentFailedMail(key)
			notice.OrganizationID = env.access.Organization.ID
			return env.service.QueueNotice(t.Context(), tx, notice)
		}))
		var to []string
		env.must(env.store.DB().SelectContext(t.Context(), &to, `select recipient from emails where key = $1 order by recipient`, key))
		return to
	}
	if to := notify("first"); !slices.Equal(to, []string{"office@example.com"}) {
		t.Errorf("with a contact: %v", to)
	}
	wanted := slices.DeleteFunc(billing.NoticeKinds(), func(k mail.Kind) bool { return k == mail.KindPaymentFailed })
	env.must(env.service.Contacts.ChooseNotices(t.Context(), env.access, wanted))
	if to := notify("second"); len(to) != 0 {
		t.Errorf("switched off: %v", to)
	}
	env.must(env.service.Contacts.ChooseNotices(t.Context(), env.access, billing.NoticeKinds()))
	env.must(env.service.Contacts.Remove(t.Context(), env.access, "office@example.com"))
	if to := notify("third"); !slices.Equal(to, []string{"ana@example.com"}) {
		t.Errorf("without a contact: %v", to)
	}
	for _, refused := range []error{
		env.service.Contacts.Add(t.Context(), env.access, "no address"),
		env.service.Contacts.ChooseNotices(t.Context(), env.access, []mail.Kind{mail.KindInvitation}),
	} {
		if code := apperr.CodeOf(refused); code != apperr.CodeUnprocessable && code != apperr.CodeInvalid {
			t.Errorf("got %v", refused)
		}
	}
}

// summarize writes the summaries that will be due then.
func (env *testEnv) sendDueSummaries(ahead time.Duration) {
	env.t.Helper()
	service := env.newServiceAhead(ahead)
	env.must(service.Prices.Start(env.t.Context()))
	env.must(service.SummarizeDueSeats(env.t.Context()))
}

// A day of changes makes one mail, and one that ends where it began makes none.
func TestSeatSummaryIsSentOnce(t *testing.T) {
	env := newTestEnv(t)
	env.subscribe("pro")
	env.sendDueSummaries(2 * time.Hour) // the founding is no news
	if n := env.countMails(mail.KindSeatSummary); n != 0 {
		t.Fatalf("%d summaries of nothing", n)
	}
	env.addMembers(3)
	env.removeMembers(1)
	env.must(env.service.SummarizeDueSeats(t.Context()))
	if n := env.countMails(mail.KindSeatSummary); n != 0 {
		t.Fatalf("%d summaries while it goes on", n)
	}
	for range 2 {
		env.sendDueSummaries(2 * time.Hour)
	}
	if n := env.countMails(mail.KindSeatSummary); n != 1 {
		t.Fatalf("%d summaries", n)
	}
	var said string
	env.must(env.store.DB().GetContext(t.Context(), &said, `select concat_ws(' ', data->>'formerSeats', data->>'seats', jsonb_array_length(data->'changes')) from emails where kind = 'seat_summary'`))
	if said != "1 3 4" {
		t.Errorf("it says %q", said)
	}
	env.addMembers(1)
	env.removeMembers(1)
	env.sendDueSummaries(4 * time.Hour)
	if n := env.countMails(mail.KindSeatSummary); n != 1 {
		t.Errorf("%d summaries, the last of which says that all is as it was", n)
	}
}
