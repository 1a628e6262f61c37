package stripelocal_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"usher/stripelocal"
)

const publishableKey = "pk_test_123456789012"

// callJSON makes a call and returns the object or the error of its response.
func (l *testServer) callJSON(key, method, path string, form url.Values) (int, map[string]any) {
	l.t.Helper()
	status, body := l.call(key, method, path, form)
	var object map[string]any
	if err := json.Unmarshal(body, &object); err != nil {
		l.t.Fatalf("%s %s: %s", method, path, body)
	}
	if e, ok := object["error"].(map[string]any); ok {
		object = e
	}
	return status, object
}

func TestPublishableKeyMakesFewCalls(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	allowed := 0
	for pattern := range stripelocal.RouteParams() {
		method, path, _ := strings.Cut(pattern, " ")
		status, e := l.callJSON(publishableKey, method, strings.NewReplacer("{", "x", "}", "x").Replace(path), nil)
		if e["code"] != "secret_key_required" {
			allowed++
			continue
		}
		if status != http.StatusUnauthorized || !strings.HasPrefix(e["message"].(string), "This API call cannot be made with a publishable API key.") {
			t.Errorf("%s: %d %v", pattern, status, e)
		}
	}
	if allowed != 9 {
		t.Errorf("%d calls are allowed", allowed)
	}
	if status, e := l.callJSON("pk_live_123456789012", "POST", "/v1/tokens", nil); status != http.StatusUnauthorized || e["code"] != nil {
		t.Errorf("a live key: %d %v", status, e)
	}
	if status, _ := l.callJSON(publishableKey, "GET", "/v1/nothing", nil); status != http.StatusNotFound {
		t.Errorf("an unknown path: %d", status)
	}
}

func TestPublishableKeyNeedsTheClientSecret(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	_, pi := l.callJSON(testKey, "POST", "/v1/payment_intents", url.Values{"amount": {"1900"}, "currency": {"usd"}, "payment_method": {"pm_card_visa"}})
	_, si := l.callJSON(testKey, "POST", "/v1/setup_intents", url.Values{"payment_method": {"pm_card_visa"}})
	for path, intent := range map[string]map[string]any{"/v1/payment_intents/": pi, "/v1/setup_intents/": si} {
		path, secret := path+intent["id"].(string), intent["client_secret"].(string)
		for _, call := range []struct{ method, path string }{{"GET", path}, {"POST", path + "/confirm"}} {
			for _, wrong := range []struct{ secret, message string }{
				{"", "Missing required param: client_secret."},
				{secret + "x", "The client_secret provided does not match the client_secret associated with the "},
			} {
				form := url.Values{}
				if wrong.secret != "" {
					form.Set("client_secret", wrong.secret)
				}
				status, e := l.callJSON(publishableKey, call.method, call.path+"?"+form.Encode(), nil)
				if status != http.StatusBadRequest || e["param"] != "client_secret" || !strings.HasPrefix(e["message"].(string), wrong.message) {
					t.Errorf("%v with %q: %d %v", call, wrong.secret, status, e)
				}
			}
			if status, o := l.callJSON(publishableKey, call.method, call.path+"?client_secret="+secret, nil); status != http.StatusOK {
				t.Errorf("%v: %d %v", call, status, o)
			}
		}
	}
	if status, e := l.callJSON(publishableKey, "GET", "/v1/payment_intents/pi_1?client_secret=pi_1_secret_1", nil); status != http.StatusNotFound || e["code"] != "resource_missing" {
		t.Errorf("an unknown intent: %d %v", status, e)
	}
}

// The recordings of stripe-ios have these fields of a confirmed payment, and no others that this
// server knows.
func TestPublishableKeySeesPublicFields(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	customer := l.createCustomer().ID
	_, pi := l.callJSON(testKey, "POST", "/v1/payment_intents", url.Values{"amount": {"1900"}, "currency": {"usd"}, "customer": {customer}, "metadata[order]": {"6735"}})
	path := "/v1/payment_intents/" + pi["id"].(string)
	secret := pi["client_secret"].(string)
	status, got := l.callJSON(publishableKey, "POST", path+"/confirm", url.Values{"client_secret": {secret}, "payment_method": {"pm_card_visa"}, "expand[]": {"payment_method"}})
	want := []string{
		"amount", "amount_details", "automatic_payment_methods", "canceled_at", "cancellation_reason", "capture_method", "client_secret",
		"confirmation_method", "created", "currency", "description", "id", "last_payment_error", "livemode", "next_action", "object",
		"payment_method", "payment_method_configuration_details", "payment_method_types", "processing", "receipt_email",
		"setup_future_usage", "shipping", "source", "status",
	}
	if fields := slices.Sorted(maps.Keys(got)); status != http.StatusOK || !slices.Equal(fields, want) {
		t.Errorf("%d %v", status, fields)
	}
	method, _ := got["payment_method"].(map[string]any)
	card, _ := method["card"].(map[string]any)
	if checks, _ := card["checks"].(map[string]any); method["metadata"] != nil || card["last4"] != "4242" || card["fingerprint"] != nil || len(checks) != 3 || checks["cvc_check"] != nil {
		t.Errorf("payment method %v", method)
	}
	// The event and the secret key still show everything.
	if _, all := l.callJSON(testKey, "GET", path, nil); all["customer"] != customer {
		t.Errorf("the secret key sees %v", all)
	}
	_, declined := l.callJSON(publishableKey, "POST", "/v1/payment_methods", url.Values{"type": {"card"}, "card[token]": {"tok_chargeDeclined"}})
	_, again := l.callJSON(testKey, "POST", "/v1/payment_intents", url.Values{"amount": {"1900"}, "currency": {"usd"}, "metadata[order]": {"6736"}})
	_, e := l.callJSON(publishableKey, "POST", "/v1/payment_intents/"+again["id"].(string)+"/confirm", url.Values{"client_secret": {again["client_secret"].(string)}, "payment_method": {declined["id"].(string)}})
	if intent, _ := e["payment_intent"].(map[string]any); e["code"] != "card_declined" || intent["status"] != "requires_payment_method" || intent["metadata"] != nil {
		t.Errorf("declined: %v", e)
	}
}

func TestPublishableKeyHasTheAccountOfItsName(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	_, pi := l.callJSON("sk_test_acct_shop_1", "POST", "/v1/payment_intents", url.Values{"amount": {"1900"}, "currency": {"usd"}})
	path := "/v1/payment_intents/" + pi["id"].(string) + "?client_secret=" + pi["client_secret"].(string)
	for key, want := range map[string]int{"pk_test_acct_shop_2": http.StatusOK, publishableKey: http.StatusNotFound, "pk_test_acct_other_1": http.StatusNotFound} {
		if status, o := l.callJSON(key, "GET", path, nil); status != want {
			t.Errorf("%s: %d %v", key, status, o)
		}
	}
}

func TestPublishableKeyWorksFromEveryOrigin(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	const origin = "https://shop.example"
	preflight := func(method, path string) (int, string) {
		status, header, _ := l.callWithHeader("", "OPTIONS", path, nil, "Origin", origin, "Access-Control-Request-Method", method, "Access-Control-Request-Headers", "authorization")
		return status, header.Get("Access-Control-Allow-Origin")
	}
	if status, allowed := preflight("POST", "/v1/payment_methods"); status != http.StatusNoContent || allowed != origin {
		t.Errorf("preflight: %d %q", status, allowed)
	}
	for path, method := range map[string]string{"/v1/customers": "POST", "/v1/payment_methods": "GET", "/v1/payment_intents/pi_1/cancel": "POST"} {
		if status, allowed := preflight(method, path); status != http.StatusForbidden || allowed != "" {
			t.Errorf("preflight of %s: %d %q", path, status, allowed)
		}
	}
	form := url.Values{"type": {"card"}, "card[token]": {"tok_visa"}}
	for key, want := range map[string]int{publishableKey: http.StatusOK, testKey: http.StatusForbidden, "": http.StatusForbidden} {
		status, header, body := l.callWithHeader(key, "POST", "/v1/payment_methods", form, "Origin", origin)
		if allowed := header.Get("Access-Control-Allow-Origin") == origin; status != want || allowed != (want == http.StatusOK) {
			t.Errorf("%q: %d %v %s", key, status, header, body)
		}
	}
}

func TestStripeJSIsServedAtItsAddresses(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	script := l.browse("GET", "/v3/", nil).body
	for _, path := range []string{"/v3", "/acacia/stripe.js", "/basil/stripe.js", "/clover/stripe.js", "/dahlia/stripe.js", "/endive/stripe.js"} {
		if page := l.browse("GET", path, nil); page.status != http.StatusOK || page.body != script || script == "" {
			t.Errorf("%s: %d", path, page.status)
		}
	}
	// Each release has the newest API version of its name.
	newest := map[string]string{}
	for _, version := range stripelocal.APIVersions()[1:] {
		_, name, _ := strings.Cut(version, ".")
		newest[name] = version
	}
	for name, version := range newest {
		if !strings.Contains(script, name+": '"+version+"'") {
			t.Errorf("%s has not the API version %s", name, version)
		}
	}
}

// A payment whose confirmation method is manual is confirmed with the secret key, before and after
// 3-D Secure.
func TestManualConfirmationAfterAuthentication(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	for method, want := range map[string]int{"pm_card_threeDSecure2Required": http.StatusOK, "pm_card_threeDSecureRequiredChargeDeclined": http.StatusPaymentRequired} {
		_, pi := l.callJSON(testKey, "POST", "/v1/payment_intents", url.Values{
			"amount": {"1900"}, "currency": {"usd"}, "confirmation_method": {"manual"}, "confirm": {"true"}, "payment_method": {method}, "use_stripe_sdk": {"true"}, "return_url": {"http://app.test/paid"},
		})
		id := pi["id"].(string)
		path := "/v1/payment_intents/" + id
		if action, _ := pi["next_action"].(map[string]any); action["type"] != "use_stripe_sdk" {
			t.Errorf("%s: %v", method, pi)
		}
		if status, e := l.callJSON(publishableKey, "POST", path+"/confirm", url.Values{"client_secret": {pi["client_secret"].(string)}}); status != http.StatusBadRequest || e["code"] != "payment_intent_unexpected_state" {
			t.Errorf("%s: confirmed with a publishable key: %d %v", method, status, e)
		}
		shown := l.browse("GET", authenticationPage(id)+"?framed", nil)
		if !strings.Contains(shown.body, `action="`+authenticationPage(id)+`?framed"`) {
			t.Errorf("the form leaves the frame: %s", shown.body)
		}
		l.browse("POST", authenticationPage(id)+"?framed", url.Values{"complete": {"1"}})
		if _, after := l.callJSON(testKey, "GET", path, nil); after["status"] != "requires_confirmation" {
			t.Errorf("%s: after 3-D Secure: %v", method, after["status"])
		}
		if status, o := l.callJSON(testKey, "POST", path+"/confirm", nil); status != want {
			t.Errorf("%s: confirmed again: %d %v", method, status, o)
		}
	}
}

func TestEmbeddedSessionHasAReturnURL(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	price := l.createPrice("pro", 1000, "month").ID
	create := func(more url.Values) (int, map[string]any) {
		form := url.Values{"mode": {"subscription"}, "line_items[0][price]": {price}, "line_items[0][quantity]": {"1"}}
		maps.Copy(form, more)
		return l.callJSON(testKey, "POST", "/v1/checkout/sessions", form)
	}
	for param, form := range map[string]url.Values{
		"success_url":            {"ui_mode": {"embedded"}, "success_url": {"http://app.test/ok"}},
		"return_url":             {"ui_mode": {"embedded"}},
		"redirect_on_completion": {"success_url": {"http://app.test/ok"}, "redirect_on_completion": {"never"}},
	} {
		if status, e := create(form); status != http.StatusBadRequest || e["param"] != param {
			t.Errorf("%s: %d %v", param, status, e)
		}
	}
	_, session := create(url.Values{"ui_mode": {"embedded"}, "return_url": {"http://app.test/ok"}})
	if session["url"] != nil || session["ui_mode"] != "embedded" || session["redirect_on_completion"] != "always" || !strings.HasPrefix(session["client_secret"].(string), session["id"].(string)+"_secret_") {
		t.Errorf("session %v", session)
	}
	if _, seen := l.callJSON(publishableKey, "GET", "/v1/payment_pages/"+session["id"].(string), nil); seen["status"] != "open" || seen["return_url"] != "http://app.test/ok" || seen["metadata"] != nil {
		t.Errorf("the publishable key sees %v", seen)
	}
}
