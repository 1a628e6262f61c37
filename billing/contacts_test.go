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

type namedCustomer struct{ Name, Email string }

func (s *stage) customerAtStripe() namedCustomer {
	s.t.Helper()
	var c namedCustomer
	s.getStripe("/v1/customers/"+s.overview().CustomerID, &c)
	return c
}

// named waits until Stripe's customer is called so.
func (s *stage) named(want namedCustomer) {
	s.t.Helper()
	s.until("Stripe's customer to be called "+want.Name+", "+want.Email, func(billing.Overview) bool { return s.customerAtStripe() == want })
}

func TestCustomerFollowsNameAndFirstContact(t *testing.T) {
	s := openStage(t)
	s.must(s.service.Contacts.Add(t.Context(), s.access, "before@example.com")) // nobody at Stripe to tell yet
	s.subscribe("pro")
	s.work(s.service)
	name := s.access.Organization.Name
	s.named(namedCustomer{name, "before@example.com"})
	s.must(s.service.Contacts.Add(t.Context(), s.access, "office@example.com"))
	s.must(s.service.Contacts.Add(t.Context(), s.access, "OFFICE@example.com"))
	s.must(s.service.Contacts.Remove(t.Context(), s.access, "Before@example.com"))
	s.named(namedCustomer{name, "office@example.com"})

	_, err := s.stripe.Faults().Add(stripelocal.Fault{Kind: stripelocal.ServerError, Method: http.MethodPost, Path: "/v1/customers/*", Calls: 1})
	s.must(err) // Stripe fails while the organization gets another name
	_, err = s.service.Organizations.Rename(t.Context(), s.access, "The Lantern")
	s.must(err)
	s.until("the failure to be written down", func(billing.Overview) bool {
		return s.one(`select count(*) from billing_customers where details_error <> ''`) == 1
	})
	s.named(namedCustomer{"The Lantern", "office@example.com"})
	s.until("nothing to be left to tell", func(billing.Overview) bool {
		return s.one(`select count(*) from billing_customers where details_applied_version = details_version and details_due_at is null and details_error = ''`) == 1
	})
}

func TestCustomerChangedAtStripeIsMirrored(t *testing.T) {
	s := openStage(t)
	s.subscribe("pro")
	s.work(s.service)
	s.listening()
	s.postStripe(http.MethodPost, "/v1/customers/"+s.overview().CustomerID, url.Values{"email": {"new@example.com"}, "name": {"Elsewhere"}})
	s.until("the customer to be mirrored", func(billing.Overview) bool {
		c, err := s.service.Contacts.NoticeSettings(t.Context(), s.access)
		s.must(err)
		return c.Customer.Email == "new@example.com" && c.Customer.Name == "Elsewhere" && !c.Customer.Delinquent
	})
}

func TestNoticesGoToContactsAndCanBeSwitchedOff(t *testing.T) {
	s := openStage(t)
	s.must(s.service.Contacts.Add(t.Context(), s.access, "office@example.com"))
	notify := func(key string) []string {
		t.Helper()
		s.must(s.store.InTx(t.Context(), func(tx billing.Tx) error {
			notice := failedPayment(key)
			notice.OrganizationID = s.access.Organization.ID
			return s.service.QueueNotice(t.Context(), tx, notice)
		}))
		var to []string
		s.must(s.store.DB().SelectContext(t.Context(), &to, `select recipient from emails where key = $1 order by recipient`, key))
		return to
	}
	if to := notify("first"); !slices.Equal(to, []string{"office@example.com"}) {
		t.Errorf("with a contact: %v", to)
	}
	wanted := slices.DeleteFunc(billing.NoticeKinds(), func(k mail.Kind) bool { return k == mail.KindPaymentFailed })
	s.must(s.service.Contacts.ChooseNotices(t.Context(), s.access, wanted))
	if to := notify("second"); len(to) != 0 {
		t.Errorf("switched off: %v", to)
	}
	s.must(s.service.Contacts.ChooseNotices(t.Context(), s.access, billing.NoticeKinds()))
	s.must(s.service.Contacts.Remove(t.Context(), s.access, "office@example.com"))
	if to := notify("third"); !slices.Equal(to, []string{"ana@example.com"}) {
		t.Errorf("without a contact: %v", to)
	}
	for _, refused := range []error{
		s.service.Contacts.Add(t.Context(), s.access, "no address"),
		s.service.Contacts.ChooseNotices(t.Context(), s.access, []mail.Kind{mail.KindInvitation}),
	} {
		if code := apperr.CodeOf(refused); code != apperr.CodeUnprocessable && code != apperr.CodeInvalid {
			t.Errorf("got %v", refused)
		}
	}
}

// summarize writes the summaries that will be due then.
func (s *stage) summarize(ahead time.Duration) {
	s.t.Helper()
	service := s.later(ahead)
	s.must(service.Prices.Start(s.t.Context()))
	s.must(service.SummarizeDueSeats(s.t.Context()))
}

// A day of changes makes one mail, and one that ends where it began makes none.
func TestSeatsAreSummarizedOnce(t *testing.T) {
	s := openStage(t)
	s.subscribe("pro")
	s.summarize(2 * time.Hour) // the founding is no news
	if n := s.kept(mail.KindSeatSummary); n != 0 {
		t.Fatalf("%d summaries of nothing", n)
	}
	s.join(3)
	s.removeMembers(1)
	s.must(s.service.SummarizeDueSeats(t.Context()))
	if n := s.kept(mail.KindSeatSummary); n != 0 {
		t.Fatalf("%d summaries while it goes on", n)
	}
	for range 2 {
		s.summarize(2 * time.Hour)
	}
	if n := s.kept(mail.KindSeatSummary); n != 1 {
		t.Fatalf("%d summaries", n)
	}
	var said string
	s.must(s.store.DB().GetContext(t.Context(), &said, `select concat_ws(' ', data->>'formerSeats', data->>'seats', jsonb_array_length(data->'changes')) from emails where kind = 'seat_summary'`))
	if said != "1 3 4" {
		t.Errorf("it says %q", said)
	}
	s.join(1)
	s.removeMembers(1)
	s.summarize(4 * time.Hour)
	if n := s.kept(mail.KindSeatSummary); n != 1 {
		t.Errorf("%d summaries, the last of which says that all is as it was", n)
	}
}
