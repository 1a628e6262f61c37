package stripelocal_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

const (
	basil  = "2025-08-27.basil"
	clover = "2026-02-25.clover"
)

// The header names the version of the response, never one that was requested in vain.
func TestOtherVersionsAreRefusedOrAnsweredWithTheTruth(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	want := func(version string, status int, shown, word string) {
		t.Helper()
		got, header, body := l.callWithHeader(testKey, "GET", "/v1/customers", nil, "Stripe-Version", version)
		if got != status || header.Get("Stripe-Version") != shown || !strings.Contains(string(body), word) {
			t.Errorf("%s: %d, version %s, %s", version, got, header.Get("Stripe-Version"), body)
		}
	}
	own := stripelocal.APIVersion
	want("", 200, own, "list")
	for _, version := range stripelocal.APIVersions() {
		want(version, 200, version, "list")
	}
	for _, version := range []string{"2024-04-10", "2025-03-31.clover", "2025-03-31", "2025-03-01.dashboard", "2026-10-28.preview", "2027-03-31.fern"} {
		want(version, 400, own, "and not "+version)
	}
	want("tomorrow", 400, own, "Invalid Stripe API version: tomorrow")
	if set := l.browse("POST", "/_usher/settings", url.Values{"other_versions": {"answer"}}); set.status != http.StatusOK {
		t.Fatalf("settings: %d %s", set.status, set.body)
	}
	want("2024-04-10", 200, own, "list")
	want(basil, 200, basil, "list")
	want("tomorrow", 400, own, "Invalid Stripe API version: tomorrow")
}

func TestVersionsAreInOrder(t *testing.T) {
	t.Parallel()
	if all := stripelocal.APIVersions(); !slices.IsSorted(all) || all[0] != stripelocal.APIVersion {
		t.Errorf("%v", all)
	}
	if steps := stripelocal.StepVersions(); !slices.IsSorted(steps) {
		t.Errorf("%v", steps)
	}
	for _, step := range stripelocal.StepVersions() {
		if !slices.Contains(stripelocal.APIVersions(), step) {
			t.Errorf("%s is a step, and no version", step)
		}
	}
}

// versioned calls a server in one version.
type versioned struct {
	*testServer
	version string
}

func startIn(t *testing.T, version string) versioned {
	t.Helper()
	return versioned{start(t, stripelocal.Options{}), version}
}

func (v versioned) call(method, path string, form url.Values, more ...string) (int, map[string]any) {
	v.t.Helper()
	status, header, body := v.callWithHeader(testKey, method, path, form, append([]string{"Stripe-Version", v.version}, more...)...)
	if header.Get("Stripe-Version") != v.version {
		v.t.Errorf("%s %s: the header is %s", method, path, header.Get("Stripe-Version"))
	}
	var o map[string]any
	if err := json.Unmarshal(body, &o); err != nil {
		v.t.Fatalf("%s %s: %v", method, path, err)
	}
	return status, o
}

func (v versioned) refuses(status int, param, word, method, path string, form url.Values) {
	v.t.Helper()
	got, o := v.call(method, path, form)
	problem, _ := o["error"].(map[string]any)
	message, _ := problem["message"].(string)
	shown, _ := problem["param"].(string)
	if got != status || shown != param || !strings.Contains(message, word) {
		v.t.Errorf("%s %s %v: %d, param %q, %s", method, path, form, got, shown, message)
	}
}

func TestRemovedParametersAreRefusedByName(t *testing.T) {
	t.Parallel()
	const unknown = "Received unknown parameter"
	v := startIn(t, basil)
	v.refuses(400, "coupon", unknown, "POST", "/v1/subscriptions", url.Values{"customer": {"cus_1"}, "coupon": {"c"}})
	v.refuses(400, "promotion_code", unknown, "POST", "/v1/subscriptions/sub_1", url.Values{"promotion_code": {"c"}})
	v.refuses(400, "price", unknown, "POST", "/v1/invoiceitems", url.Values{"customer": {"cus_1"}, "price": {"price_1"}})
	v.refuses(400, "refund", unknown, "POST", "/v1/credit_notes", url.Values{"invoice": {"in_1"}, "refund": {"re_1"}})
	v.refuses(400, "billing_mode[type]", "supports only `classic`", "POST", "/v1/subscriptions", url.Values{"customer": {"cus_1"}, "billing_mode[type]": {"flexible"}})
	v.refuses(400, "promotion", unknown, "POST", "/v1/promotion_codes", url.Values{"promotion[coupon]": {"c"}})
	v.refuses(404, "", "Unrecognized request URL (GET: /v1/invoices/upcoming)", "GET", "/v1/invoices/upcoming", nil)
	v.refuses(400, "expand", "cannot be expanded (payment_intent)", "GET", "/v1/invoices/"+v.paidInvoice().ID+"?expand[]=payment_intent", nil)

	v.version = clover
	v.refuses(400, "coupon", unknown, "POST", "/v1/promotion_codes", url.Values{"coupon": {"c"}})
	v.refuses(400, "promotion[coupon]", "No such coupon: 'c'", "POST", "/v1/promotion_codes", url.Values{"promotion[coupon]": {"c"}, "promotion[type]": {"coupon"}})
	v.refuses(400, "promotion", "Missing required param: promotion.", "POST", "/v1/promotion_codes", nil)
	v.refuses(400, "promotion[type]", "Missing required param", "POST", "/v1/promotion_codes", url.Values{"promotion[coupon]": {"c"}})
	v.refuses(400, "promotion[type]", "supports only `coupon`", "POST", "/v1/promotion_codes", url.Values{"promotion[coupon]": {"c"}, "promotion[type]": {"gift"}})
	v.refuses(400, "phases[0][iterations]", unknown, "POST", "/v1/subscription_schedules", url.Values{"phases[0][iterations]": {"1"}})
	v.refuses(400, "ui_mode", "must be one of hosted or embedded", "POST", "/v1/checkout/sessions", url.Values{"ui_mode": {"hosted_page"}})

	v.version = stripelocal.LatestAPIVersion()
	v.refuses(400, "ui_mode", "must be one of embedded_page, hosted_page", "POST", "/v1/checkout/sessions", url.Values{"ui_mode": {"hosted"}})
	v.refuses(400, "payment_method_types", unknown, "POST", "/v1/payment_intents", url.Values{"amount": {"1"}, "currency": {"usd"}, "payment_method_types[]": {"card"}})

	v.version = stripelocal.APIVersion
	v.refuses(404, "", "Unrecognized request URL", "GET", "/v1/invoice_payments", nil)
	v.refuses(400, "billing_mode", unknown, "POST", "/v1/subscriptions", url.Values{"customer": {"cus_1"}, "billing_mode[type]": {"classic"}})
}

// paidInvoice is the first invoice of a new subscription.
func (l *testServer) paidInvoice() *stripe.Invoice {
	l.t.Helper()
	return must[*stripe.Invoice](l.t)(l.api.Invoices.Get(l.createSubscription(2).LatestInvoice.ID, nil))
}

// A response under an idempotency key keeps the version that it was first given in.
func TestReplayUnderAnotherVersionKeepsTheFirst(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	form := url.Values{"percent_off": {"10"}, "duration": {"forever"}}
	var first []byte
	for i, version := range []string{basil, clover, ""} {
		status, header, body := l.callWithHeader(testKey, "POST", "/v1/coupons", form, "Stripe-Version", version, "Idempotency-Key", "once")
		if i == 0 {
			first = body
		}
		if status != 200 || header.Get("Stripe-Version") != basil || string(body) != string(first) {
			t.Errorf("%q: %d, version %s", version, status, header.Get("Stripe-Version"))
		}
	}
}
