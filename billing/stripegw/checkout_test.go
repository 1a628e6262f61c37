package stripegw

import (
	"errors"
	"net/url"
	"reflect"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/apperr"
)

const checkoutSample = `{"id":"cs_1","object":"checkout.session","url":"https://checkout.example/cs_1","mode":"subscription","status":"open",
	"payment_status":"unpaid","customer":"cus_1","subscription":null,"client_reference_id":"org_1","expires_at":1717200000,
	"metadata":{"orgId":"org_1","user_id":"usr_1"},"line_items":null}`

func checkoutRecord() billing.CheckoutSession {
	return billing.CheckoutSession{
		ID: "chk_1", OrganizationID: "org_1", UserID: "usr_1", CustomerID: "cus_1", Mode: billing.ModeSubscription, PriceID: "price_1", Quantity: 3,
		SuccessURL: "https://app.example/organization?tab=billing&success=true&session_id={CHECKOUT_SESSION_ID}",
		CancelURL:  "https://app.example/organization?tab=billing&canceled=true",
	}
}

func TestCreateCheckout(t *testing.T) {
	t.Parallel()
	common := url.Values{
		"customer": {"cus_1"}, "client_reference_id": {"org_1"}, "line_items[0][price]": {"price_1"}, "line_items[0][quantity]": {"3"},
		"metadata[orgId]": {"org_1"}, "metadata[user_id]": {"usr_1"},
		"success_url": {"https://app.example/organization?tab=billing&success=true&session_id={CHECKOUT_SESSION_ID}"},
		"cancel_url":  {"https://app.example/organization?tab=billing&canceled=true"},
	}
	tests := map[string]struct {
		change func(*billing.CheckoutSession)
		more   url.Values
	}{
		"subscription": {func(*billing.CheckoutSession) {},
			url.Values{"mode": {"subscription"}, "subscription_data[metadata][orgId]": {"org_1"}}},
		"trial": {func(s *billing.CheckoutSession) { s.TrialDays = 14 },
			url.Values{"mode": {"subscription"}, "subscription_data[metadata][orgId]": {"org_1"}, "subscription_data[trial_period_days]": {"14"}}},
		"payment": {func(s *billing.CheckoutSession) { s.Mode, s.TrialDays = billing.ModePayment, 14 },
			url.Values{"mode": {"payment"}, "payment_intent_data[metadata][orgId]": {"org_1"}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, gateway := newFake(t)
			f.HandleFunc("POST /v1/checkout/sessions", respond(checkoutSample))
			record := checkoutRecord()
			test.change(&record)
			got, err := gateway.CreateCheckoutSession(t.Context(), record)
			want := billing.StripeCheckoutSession{
				ID: "cs_1", URL: "https://checkout.example/cs_1", Mode: billing.ModeSubscription, Status: billing.CheckoutOpen,
				PaymentStatus: "unpaid", CustomerID: "cus_1", ClientReferenceID: "org_1", OrgID: "org_1", ExpiresAt: time.Unix(1717200000, 0).UTC(),
			}
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, %v", got, err)
			}
			for name, values := range common {
				test.more[name] = values
			}
			sent := f.seen("POST", "/v1/checkout/sessions")[0]
			wantForm(t, sent.form, test.more)
			if sent.key != "checkout:chk_1" {
				t.Errorf("request has the key %q", sent.key)
			}
		})
	}
}

func TestReplayedCheckoutSessionIsReadAgain(t *testing.T) {
	t.Parallel()
	f, gateway := newFake(t)
	f.HandleFunc("POST /v1/checkout/sessions", respond(checkoutSample, "Idempotent-Replayed", "true"))
	f.HandleFunc("GET /v1/checkout/sessions/cs_1", respond(`{"id":"cs_1","object":"checkout.session","url":null,"status":"expired"}`))
	got, err := gateway.CreateCheckoutSession(t.Context(), checkoutRecord())
	if err != nil || got.Status != billing.CheckoutExpired || got.URL != "" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestCheckoutWithItsSubscription(t *testing.T) {
	t.Parallel()
	f, gateway := newFake(t)
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	f.HandleFunc("GET /v1/checkout/sessions/cs_1", respond(`{"id":"cs_1","object":"checkout.session","mode":"subscription","status":"complete",
		"payment_status":"paid","customer":"cus_1","metadata":{},"client_reference_id":"org_1","subscription":`+subscriptionJSON("sub_1")+`}`, dated(at)...))
	got, err := gateway.CheckoutSession(t.Context(), "cs_1")
	if err != nil {
		t.Fatal(err)
	}
	if got.Status != billing.CheckoutComplete || got.SubscriptionID != "sub_1" || got.OrgID != "" || got.ClientReferenceID != "org_1" {
		t.Errorf("got %+v", got)
	}
	if s := got.Subscription; s == nil || s.ID != "sub_1" || s.Account != "acct_own" || s.AsOf.IsZero() || s.AsOf.After(at) {
		t.Errorf("got subscription %+v", s)
	}
}

func TestExpireCheckoutThatIsClosed(t *testing.T) {
	t.Parallel()
	f, gateway := newFake(t)
	f.HandleFunc("POST /v1/checkout/sessions/cs_open/expire", respond(checkoutSample))
	f.HandleFunc("POST /v1/checkout/sessions/cs_closed/expire",
		status(400, `{"error":{"type":"invalid_request_error","message":"Only Checkout Sessions with a status in open can be expired"}}`))
	if err := gateway.ExpireCheckoutSession(t.Context(), "cs_open"); err != nil {
		t.Error(err)
	}
	if e := stripeError(t, gateway.ExpireCheckoutSession(t.Context(), "cs_closed")); e.Status != 400 || e.ShouldRetry {
		t.Errorf("got %+v", e)
	}
}

func TestCreateCustomer(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		link billing.CustomerLink
		form url.Values
		key  string
	}{
		"first": {billing.CustomerLink{OrganizationID: "org_1", Generation: 1, Email: "a@example.com", Name: "A & B"},
			url.Values{"email": {"a@example.com"}, "name": {"A & B"}, "metadata[orgId]": {"org_1"}}, "org:org_1"},
		"after a deletion": {billing.CustomerLink{OrganizationID: "org_1", Generation: 2, Email: "a@example.com"},
			url.Values{"email": {"a@example.com"}, "metadata[orgId]": {"org_1"}}, "org:org_1:2"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, gateway := newFake(t)
			f.HandleFunc("POST /v1/customers", respond(`{"id":"cus_1","object":"customer"}`))
			if id, err := gateway.CreateCustomer(t.Context(), test.link); err != nil || id != "cus_1" {
				t.Errorf("got %q, %v", id, err)
			}
			sent := f.seen("POST", "/v1/customers")[0]
			wantForm(t, sent.form, test.form)
			if sent.key != test.key {
				t.Errorf("request has the key %q, want %q", sent.key, test.key)
			}
		})
	}
}

func TestPortalSessions(t *testing.T) {
	t.Parallel()
	back := url.Values{"configuration": {"bpc_1"}, "customer": {"cus_1"}, "return_url": {"https://app.example/organization?tab=billing"}}
	flow := func(word string, more url.Values) url.Values {
		form := url.Values{"flow_data[type]": {word}, "flow_data[after_completion][type]": {"redirect"},
			"flow_data[after_completion][redirect][return_url]": {"https://app.example/organization?tab=billing"}}
		for _, values := range []url.Values{back, more} {
			for name := range values {
				form[name] = values[name]
			}
		}
		return form
	}
	tests := map[billing.PortalFlow]url.Values{
		billing.PortalHome:          back,
		billing.PortalPaymentMethod: flow("payment_method_update", nil),
		billing.PortalCancel:        flow("subscription_cancel", url.Values{"flow_data[subscription_cancel][subscription]": {"sub_1"}}),
		billing.PortalChangePlan:    back, // without plan switches there is no such page
	}
	f, gateway := newFake(t)
	f.HandleFunc("GET /v1/billing_portal/configurations", respond(`{"object":"list","has_more":false,"data":[]}`))
	f.HandleFunc("POST /v1/billing_portal/configurations", respond(`{"id":"bpc_1","object":"billing_portal.configuration"}`))
	f.HandleFunc("POST /v1/billing_portal/sessions", respond(`{"id":"bps_1","object":"billing_portal.session","url":"https://portal.example/1"}`))
	for word, want := range tests {
		request := billing.PortalRequest{CustomerID: "cus_1", ReturnURL: "https://app.example/organization?tab=billing", Flow: word, SubscriptionID: "sub_1"}
		got, err := gateway.CreatePortalSession(t.Context(), request)
		if err != nil || got.URL != "https://portal.example/1" {
			t.Fatalf("%s: got %q, %v", word, got, err)
		}
		sent := f.seen("POST", "/v1/billing_portal/sessions")
		wantForm(t, sent[len(sent)-1].form, want)
	}
	if n := len(f.seen("POST", "/v1/billing_portal/configurations")); n != 1 {
		t.Errorf("created %d configurations, want one cached", n)
	}
	for _, request := range []billing.PortalRequest{{Flow: "refund"}, {Flow: billing.PortalCancel}, {Flow: billing.PortalChangePlan}} {
		var refused *apperr.Error
		if _, err := gateway.CreatePortalSession(t.Context(), request); !errors.As(err, &refused) || refused.Code != apperr.CodeInvalid {
			t.Errorf("%q without a subscription: got %v", request.Flow, err)
		}
	}
}
