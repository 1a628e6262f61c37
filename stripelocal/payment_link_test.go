package stripelocal_test

import (
	"strings"
	"testing"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

func TestAPaymentLinkSellsASubscription(t *testing.T) {
	l := start(t, stripelocal.Options{})
	link := must[*stripe.PaymentLink](t)(l.api.PaymentLinks.New(&stripe.PaymentLinkParams{
		LineItems: []*stripe.PaymentLinkLineItemParams{{Price: stripe.String(l.createPrice("pro", 1000, "month").ID), Quantity: stripe.Int64(2)}},
		Metadata:  map[string]string{"campaign": "a"}, SubscriptionData: &stripe.PaymentLinkSubscriptionDataParams{Description: stripe.String("By link")},
		AfterCompletion: &stripe.PaymentLinkAfterCompletionParams{Type: stripe.String("hosted_confirmation"), HostedConfirmation: &stripe.PaymentLinkAfterCompletionHostedConfirmationParams{CustomMessage: stripe.String("Welcome aboard")}},
	}))
	opened := l.browse("GET", link.URL+"?client_reference_id=org_7&prefilled_email=ada@example.com", nil)
	if opened.status != 303 || !strings.HasPrefix(opened.location, "/c/pay/cs_test_") {
		t.Fatalf("opened: %d %s", opened.status, opened.location)
	}
	paid := l.submitCheckout(opened.location, "4242424242424242")
	it := l.api.CheckoutSessions.List(&stripe.CheckoutSessionListParams{PaymentLink: stripe.String(link.ID)})
	if !it.Next() {
		t.Fatal("the link has no session")
	}
	cs := it.CheckoutSession()
	sub := l.subscription(cs.Subscription.ID)
	if cs.Status != "complete" || cs.PaymentLink.ID != link.ID || cs.ClientReferenceID != "org_7" || cs.Metadata["campaign"] != "a" || sub.Status != "active" || sub.Description != "By link" || cs.AmountTotal != 2000 {
		t.Errorf("%s, %s, %v, %s, %d", cs.Status, cs.ClientReferenceID, cs.Metadata, sub.Status, cs.AmountTotal)
	}
	if thanks := l.browse("GET", paid.location, nil); !strings.Contains(thanks.body, "Welcome aboard") {
		t.Errorf("%s: %s", paid.location, thanks.body)
	}
	lines := l.api.PaymentLinks.ListLineItems(&stripe.PaymentLinkListLineItemsParams{PaymentLink: stripe.String(link.ID)})
	if !lines.Next() || lines.LineItem().AmountTotal != 2000 {
		t.Errorf("line items: %+v", lines.LineItem())
	}
	changed := must[*stripe.PaymentLink](t)(l.api.PaymentLinks.Update(link.ID, &stripe.PaymentLinkParams{
		Active: stripe.Bool(false), InactiveMessage: stripe.String("Sold out"), LineItems: []*stripe.PaymentLinkLineItemParams{{ID: stripe.String(lines.LineItem().ID), Quantity: stripe.Int64(3)}},
	}))
	if changed.Active || changed.Metadata["campaign"] != "a" || changed.SubscriptionData.Description != "By link" {
		t.Errorf("updated: %+v", changed)
	}
	if closed := l.browse("GET", link.URL, nil); closed.status != 200 || !strings.Contains(closed.body, "Sold out") {
		t.Errorf("an inactive link: %d %s", closed.status, closed.body)
	}
	if l.api.PaymentLinks.List(&stripe.PaymentLinkListParams{Active: stripe.Bool(true)}).Next() {
		t.Error("an inactive link is listed as active")
	}
	if l.countEvents("payment_link.created") != 1 || l.countEvents("payment_link.updated") != 1 {
		t.Error(l.eventTypes())
	}
}

func TestAPaymentLinkEndsWithItsLastPayment(t *testing.T) {
	l := start(t, stripelocal.Options{})
	price := stripe.String(l.oneTimePrice(700).ID)
	_, err := l.api.PaymentLinks.New(&stripe.PaymentLinkParams{
		LineItems: []*stripe.PaymentLinkLineItemParams{{Price: price, Quantity: stripe.Int64(1)}}, SubscriptionData: &stripe.PaymentLinkSubscriptionDataParams{TrialPeriodDays: stripe.Int64(3)},
	})
	wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest)
	link := must[*stripe.PaymentLink](t)(l.api.PaymentLinks.New(&stripe.PaymentLinkParams{
		LineItems:       []*stripe.PaymentLinkLineItemParams{{Price: price, Quantity: stripe.Int64(1)}},
		Restrictions:    &stripe.PaymentLinkRestrictionsParams{CompletedSessions: &stripe.PaymentLinkRestrictionsCompletedSessionsParams{Limit: stripe.Int64(1)}},
		AfterCompletion: &stripe.PaymentLinkAfterCompletionParams{Type: stripe.String("redirect"), Redirect: &stripe.PaymentLinkAfterCompletionRedirectParams{URL: stripe.String("http://app.test/done?s={CHECKOUT_SESSION_ID}")}},
	}))
	paid := l.submitCheckout(l.browse("GET", link.URL, nil).location, "4242424242424242")
	if !strings.HasPrefix(paid.location, "http://app.test/done?s=cs_test_") {
		t.Errorf("redirected to %s", paid.location)
	}
	link = must[*stripe.PaymentLink](t)(l.api.PaymentLinks.Get(link.ID, nil))
	if link.Active || link.Restrictions.CompletedSessions.Count != 1 {
		t.Errorf("active %v after %d of 1 payments", link.Active, link.Restrictions.CompletedSessions.Count)
	}
	if second := l.browse("GET", link.URL, nil); second.status != 200 {
		t.Errorf("a second payment is offered: %d %s", second.status, second.location)
	}
}
