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

// waitForCustomer waits until the customer at Stripe has these details.
func (env *testEnv) waitForCustomer(want customerDetails) {
	env.t.Helper()
	env.waitFor("the customer at Stripe to be "+want.Name+", "+want.Email, func(billing.Overview) bool { return env.stripeCustomer() == want })
}

func TestCustomerDetailsArePushedToStripe(t *testing.T) {
	env := newTestEnv(t)
	// There is no customer yet.
	env.must(env.service.Contacts.Add(t.Context(), env.access, "before@example.com"))
	env.subscribe("pro")
	env.startWorker(env.service)
	name := env.access.Organization.Name
	env.waitForCustomer(customerDetails{name, "before@example.com"})
	env.must(env.service.Contacts.Add(t.Context(), env.access, "office@example.com"))
	env.must(env.service.Contacts.Add(t.Context(), env.access, "OFFICE@example.com"))
	env.must(env.service.Contacts.Remove(t.Context(), env.access, "Before@example.com"))
	env.waitForCustomer(customerDetails{name, "office@example.com"})

	_, err := env.stripe.Faults().Add(stripelocal.Fault{Kind: stripelocal.ServerError, Method: http.MethodPost, Path: "/v1/customers/*", Calls: -1})
	env.must(err)
	_, err = env.service.Organizations.Rename(t.Context(), env.access, "The Lantern")
	env.must(err)
	env.waitFor("the failure to be recorded", func(billing.Overview) bool {
		return env.queryInt(`select count(*) from billing_customers where details_error <> ''`) == 1
	})
	env.stripe.Faults().Clear()
	env.waitForCustomer(customerDetails{"The Lantern", "office@example.com"})
	env.waitFor("the details to be applied", func(billing.Overview) bool {
		return env.queryInt(`select count(*) from billing_customers where details_applied_version = details_version and details_due_at is null and details_error = ''`) == 1
	})
}

func TestCustomerUpdatedAtStripeIsStored(t *testing.T) {
	env := newTestEnv(t)
	env.subscribe("pro")
	env.startBackground()
	env.stripeRequest(http.MethodPost, "/v1/customers/"+env.overview().CustomerID, url.Values{"email": {"new@example.com"}, "name": {"Renamed"}})
	env.waitFor("the customer's details to be stored", func(billing.Overview) bool {
		c, err := env.service.Contacts.NoticeSettings(t.Context(), env.access)
		env.must(err)
		return c.Customer.Email == "new@example.com" && c.Customer.Name == "Renamed" && !c.Customer.Delinquent
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
		t.Errorf("with a contact: recipients %v", to)
	}
	kinds := slices.DeleteFunc(billing.NoticeKinds(), func(k mail.Kind) bool { return k == mail.KindPaymentFailed })
	env.must(env.service.Contacts.ChooseNotices(t.Context(), env.access, kinds))
	if to := notify("second"); len(to) != 0 {
		t.Errorf("disabled notice: recipients %v", to)
	}
	env.must(env.service.Contacts.ChooseNotices(t.Context(), env.access, billing.NoticeKinds()))
	env.must(env.service.Contacts.Remove(t.Context(), env.access, "office@example.com"))
	if to := notify("third"); !slices.Equal(to, []string{"ana@example.com"}) {
		t.Errorf("without a contact: recipients %v", to)
	}
	for _, refused := range []error{
		env.service.Contacts.Add(t.Context(), env.access, "no address"),
		env.service.Contacts.ChooseNotices(t.Context(), env.access, []mail.Kind{mail.KindInvitation}),
	} {
		if code := apperr.CodeOf(refused); code != apperr.CodeUnprocessable && code != apperr.CodeInvalid {
			t.Errorf("unexpected error: %v", refused)
		}
	}
}

// sendDueSummaries queues the summaries that are due after the given time.
func (env *testEnv) sendDueSummaries(ahead time.Duration) {
	env.t.Helper()
	service := env.newServiceAhead(ahead)
	env.must(service.Prices.Start(env.t.Context()))
	env.must(service.SummarizeDueSeats(env.t.Context()))
}

// All changes of a period are summarized in one mail. A period without a net change sends none.
func TestSeatSummaryIsSentOnce(t *testing.T) {
	env := newTestEnv(t)
	env.subscribe("pro")
	env.sendDueSummaries(2 * time.Hour) // the founding of the organization is not summarized
	if n := env.countMails(mail.KindSeatSummary); n != 0 {
		t.Fatalf("%d summaries without a change, want 0", n)
	}
	env.addMembers(3)
	env.removeMembers(1)
	env.must(env.service.SummarizeDueSeats(t.Context()))
	if n := env.countMails(mail.KindSeatSummary); n != 0 {
		t.Fatalf("%d summaries before they are due, want 0", n)
	}
	for range 2 {
		env.sendDueSummaries(2 * time.Hour)
	}
	if n := env.countMails(mail.KindSeatSummary); n != 1 {
		t.Fatalf("%d summaries, want 1", n)
	}
	var summary string
	env.must(env.store.DB().GetContext(t.Context(), &summary, `select concat_ws(' ', data->>'formerSeats', data->>'seats', jsonb_array_length(data->'lines')) from emails where kind = 'seat_summary'`))
	if summary != "1 3 4" {
		t.Errorf("summary %q, want former seats 1, seats 3 and 4 changes", summary)
	}
	env.addMembers(1)
	env.removeMembers(1)
	env.sendDueSummaries(4 * time.Hour)
	if n := env.countMails(mail.KindSeatSummary); n != 1 {
		t.Errorf("%d summaries after changes without a net effect, want 1", n)
	}
}
