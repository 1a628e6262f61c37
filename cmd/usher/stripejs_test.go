package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"usher/stripelocal"

	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// stripeShop is a shop whose pages take payments with Stripe.js, at another site than the local
// Stripe.
type stripeShop struct {
	*browser
	stripe string
	url    string
}

func startStripeShop(t *testing.T, name string) *stripeShop {
	t.Helper()
	_, stripe := startStripe(t, stripelocal.Options{}, func(stripe http.Handler, w http.ResponseWriter, r *http.Request) { stripe.ServeHTTP(w, r) })
	s := &stripeShop{browser: newBrowserWithFrames(t, name), stripe: stripe}
	pay, err := os.ReadFile("testdata/stripejs/pay.html")
	if err != nil {
		t.Fatal(err)
	}
	page := func(html string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = io.WriteString(w, strings.ReplaceAll(html, "http://localhost:12111", stripe))
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /pay", page(string(pay))) // the example of docs/local-stripe.md
	mux.HandleFunc("POST /payment-intent", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(s.create("payment_intents", "amount=1900&currency=usd&automatic_payment_methods[enabled]=true"))
	})
	mux.HandleFunc("GET /paid", page(`<!doctype html><title>Paid</title><h1>Thank you</h1>`))
	mux.HandleFunc("GET /{release}/", func(w http.ResponseWriter, r *http.Request) {
		src := stripe + "/" + r.PathValue("release") + "/stripe.js"
		if r.PathValue("release") == "v3" {
			src = stripe + "/v3/"
		}
		page(`<!doctype html><title>Elements</title><script src="`+src+`"></script><div id="a"></div><div id="b"></div><div id="c"></div>
			<script>const stripe = Stripe('pk_test_1234567890')</script>`)(w, r)
	})
	shop := httptest.NewServer(mux)
	t.Cleanup(shop.Close)
	s.url = strings.Replace(shop.URL, "127.0.0.1", "localhost", 1)
	return s
}

// create makes a call with the secret key, as the shop's server does.
func (s *stripeShop) create(path, form string) map[string]any {
	return s.call(http.MethodPost, path, form)
}

func (s *stripeShop) call(method, path, form string) map[string]any {
	s.t.Helper()
	req, err := http.NewRequest(method, s.stripe+"/v1/"+path, strings.NewReader(form))
	if err != nil {
		s.t.Fatal(err)
	}
	req.SetBasicAuth("sk_test_1234567890", "")
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	var object map[string]any
	if err := json.NewDecoder(response.Body).Decode(&object); err != nil || response.StatusCode != http.StatusOK {
		s.t.Fatalf("%s: %d %v %v", path, response.StatusCode, object, err)
	}
	return object
}

func (s *stripeShop) open(path, visible string) {
	s.t.Helper()
	s.do("open "+path, chromedp.Navigate(s.url+path), waitVisible(visible))
}

// frame attaches to the frame with a part of an address.
func (s *stripeShop) frame(address string, index int) *browser {
	s.t.Helper()
	var ids []target.ID
	eventually(s.t, "the frame of "+address, func() bool {
		ids = nil
		all, err := chromedp.Targets(s.tab)
		for _, one := range all {
			if one.Type == "iframe" && strings.Contains(one.URL, address) {
				ids = append(ids, one.TargetID)
			}
		}
		return err == nil && len(ids) > index
	})
	tab, cancel := chromedp.NewContext(s.tab, chromedp.WithTargetID(ids[index]))
	s.t.Cleanup(cancel)
	return &browser{t: s.t, tab: tab, dir: s.dir}
}

const cardFrame = "/v3/element.html"

// enterPayment fills in the Payment Element.
func (s *stripeShop) enterPayment(number string) {
	s.t.Helper()
	frame := s.frame(cardFrame, 0)
	frame.do("clear the card", waitVisible(`input[name="number"]`))
	frame.evaluate("clear the card", `document.querySelectorAll("input").forEach((input) => { input.value = "" })`)
	frame.fillIn([2]string{"number", number}, [2]string{"expiry", "1234"}, [2]string{"cvc", "123"})
}

// fillIn types into the fields of a frame, each given as its name and value. Chromium can take the
// focus from a frame that was just made, and the rest of what is typed is lost; it is typed again
// then. A field may format what it takes with spaces and slashes.
func (b *browser) fillIn(fields ...[2]string) {
	b.t.Helper()
	plain := strings.NewReplacer(" ", "", "/", "")
	for _, field := range fields {
		input := fmt.Sprintf(`document.querySelector('input[name="%s"]')`, field[0])
		b.do("find "+field[0], waitVisible(`input[name="`+field[0]+`"]`))
		eventually(b.t, field[0]+" to be typed", func() bool {
			b.evaluate("empty "+field[0], input+`.value = ""`)
			b.do("enter "+field[0], typeInto(field[0], field[1]))
			typed, err := chromedp.Run(b.tab, chromedp.Evaluate[string](input+".value"))
			return err == nil && plain.Replace(typed) == plain.Replace(field[1])
		})
	}
}

// authenticate presses a button of the page that stands in for the bank's.
func (s *stripeShop) authenticate(button string) {
	s.t.Helper()
	bank := s.frame("/c/authenticate/", 0)
	bank.do("authenticate", waitVisible(`button[name="`+button+`"]`))
	s.screenshot("authenticate")
	bank.do("authenticate", click(`button[name="`+button+`"]`))
}

// run evaluates an expression of the page and returns its value, which a promise may have.
func (s *stripeShop) run(expression string) map[string]any {
	s.t.Helper()
	text, err := chromedp.Run(s.tab, chromedp.Evaluate[string](
		`Promise.resolve().then(() => (`+expression+`)).catch((e) => ({thrown: e.name + ": " + e.message})).then((v) => JSON.stringify(v ?? {}))`, chromedp.EvalAwaitPromise))
	if err != nil {
		s.fail(expression, err)
	}
	var value map[string]any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		s.t.Fatalf("%s: %s: %v", expression, text, err)
	}
	return value
}

// at is a value in a JSON object by its path.
func at(object any, path string) any {
	for name := range strings.SplitSeq(path, ".") {
		fields, _ := object.(map[string]any)
		object = fields[name]
	}
	return object
}

func (s *stripeShop) expectValue(expression, path string, want any) map[string]any {
	s.t.Helper()
	got := s.run(expression)
	if at(got, path) != want {
		s.t.Errorf("%s: %s is %v, want %v, in %v", expression, path, at(got, path), want, got)
	}
	return got
}

// The documented page: a card that is declined, one that pays, and one with 3-D Secure.
func TestStripeJSPaymentPage(t *testing.T) {
	t.Parallel()
	s := startStripeShop(t, "stripejs-payment")
	payButton := click("form button")

	s.open("/pay", "iframe")
	// The button moves when the frame has its height, and a click on its former place does nothing.
	s.run(`(() => {
		const frame = document.querySelector("iframe");
		return new Promise((resolve) => new ResizeObserver(() => frame.clientHeight > 28 && resolve()).observe(frame));
	})()`)
	s.do("submit an empty card", payButton)
	s.see(pageState{"incomplete", "[role=status]", "Your card number is incomplete."})
	s.do("a phone", chromedp.EmulateViewport(320, 640))
	s.screenshot("incomplete-320")
	s.do("a desk", chromedp.EmulateViewport(1280, 900))
	s.enterPayment("4000000000000002")
	s.do("pay", payButton)
	s.see(pageState{"declined", "[role=status]", "Your card was declined."})
	s.screenshot("declined")
	s.enterPayment("4242424242424242")
	s.screenshot("entered")
	for _, secret := range []string{"4242424242424242", "4242 4242 4242 4242", "12 / 34"} {
		s.expectValue(fmt.Sprintf(`({shown: document.documentElement.outerHTML.includes(%q), frame: document.querySelector("iframe").contentDocument})`, secret), "shown", false)
	}
	s.do("pay", payButton)
	s.see(pageState{"paid", "h1", "Thank you"})
	id := s.queryValue("payment_intent")
	if s.queryValue("redirect_status") != "succeeded" || !strings.HasPrefix(s.queryValue("payment_intent_client_secret"), id+"_secret_") {
		t.Error("the return_url lacks the result")
	}
	if pi := s.call(http.MethodGet, "payment_intents/"+id, ""); pi["status"] != "succeeded" {
		t.Errorf("status %v", pi["status"])
	}

	s.open("/pay", "iframe")
	s.enterPayment("4000002760003184")
	s.do("pay", payButton)
	s.authenticate("fail")
	s.see(pageState{"unauthenticated", "[role=status]", "We are unable to authenticate your payment method."})
	s.enterPayment("4000002760003184")
	s.do("pay", payButton)
	s.authenticate("complete")
	s.see(pageState{"paid", "h1", "Thank you"})
}

// The methods for cards return {paymentIntent}, {setupIntent}, {paymentMethod}, {token} or {error}.
func TestStripeJSCardMethods(t *testing.T) {
	t.Parallel()
	s := startStripeShop(t, "stripejs-card")
	s.open("/v3/", "body")
	s.do("a phone", chromedp.EmulateViewport(320, 640))
	s.run(`(() => {
		window.elements = stripe.elements(); window.events = [];
		window.card = elements.create("card", {style: {base: {color: "#114411"}}});
		card.on("change", (event) => events.push(event)).mount("#a");
		return new Promise((resolve) => card.once("ready", resolve));
	})()`)
	frame := s.frame(cardFrame, 0)
	frame.fillIn([2]string{"cardnumber", "4000000000009995"}, [2]string{"exp-date", "1234"}, [2]string{"cvc", "123"})
	s.screenshot("card-320")
	fits, err := chromedp.Run(frame.tab, chromedp.Evaluate[bool](`[...document.querySelectorAll("input")].every((input) => input.scrollWidth <= input.clientWidth)`))
	if err != nil || !fits {
		t.Errorf("a value is cut off at 320 pixels: %v", err)
	}
	s.expectValue(`({last: events.at(-1)})`, "last.complete", true)
	s.expectValue(`({last: events.at(-1)})`, "last.brand", "visa")

	secret := func(object map[string]any) string { return fmt.Sprintf("%q", object["client_secret"]) }
	intent := secret(s.create("payment_intents", "amount=1900&currency=usd&payment_method_types[]=card"))
	declined := s.expectValue(`stripe.confirmCardPayment(`+intent+`, {payment_method: {card, billing_details: {name: "Ada L"}}})`, "error.decline_code", "insufficient_funds")
	if at(declined, "error.payment_intent.status") != "requires_payment_method" || at(declined, "error.payment_method.billing_details.name") != "Ada L" {
		t.Errorf("declined: %v", declined)
	}
	s.expectValue(`stripe.confirmCardPayment(`+intent+`, {payment_method: "pm_card_visa"})`, "paymentIntent.status", "succeeded")
	s.expectValue(`stripe.retrievePaymentIntent(`+intent+`)`, "paymentIntent.status", "succeeded")
	s.expectValue(`stripe.createToken(card, {name: "Ada L"})`, "token.card.last4", "9995")
	s.expectValue(`stripe.createPaymentMethod({type: "card", card, billing_details: {email: "ada@example.com"}})`, "paymentMethod.billing_details.email", "ada@example.com")
	s.expectValue(`stripe.retrievePaymentIntent("pi_1_secret_1")`, "error.code", "resource_missing")

	// A payment that the server has confirmed, and setups.
	server := secret(s.create("payment_intents", "amount=1900&currency=usd&confirm=true&payment_method=pm_card_threeDSecure2Required&payment_method_types[]=card"))
	s.run(`void (window.result = stripe.handleNextAction({clientSecret: ` + server + `}))`)
	s.authenticate("complete")
	s.expectValue(`window.result`, "paymentIntent.status", "succeeded")
	setUp := secret(s.create("setup_intents", "payment_method_types[]=card"))
	s.run(`void (window.result = stripe.confirmCardSetup(` + setUp + `, {payment_method: "pm_card_threeDSecure2Required"}))`)
	s.authenticate("fail")
	s.expectValue(`window.result`, "error.code", "setup_intent_authentication_failure")
	s.expectValue(`stripe.confirmCardSetup(`+setUp+`, {payment_method: "pm_card_visa"})`, "setupIntent.status", "succeeded")
	s.expectValue(`stripe.retrieveSetupIntent(`+setUp+`)`, "setupIntent.status", "succeeded")

	// A field in a frame of its own each.
	s.run(`(() => {
		card.destroy();
		const group = stripe.elements();
		window.number = group.create("cardNumber"); number.mount("#a");
		for (const [type, id] of [["cardExpiry", "#b"], ["cardCvc", "#c"]]) group.create(type).mount(id);
	})()`)
	for i := range 3 {
		field := s.frame(cardFrame, i)
		field.do("wait for the field", waitVisible("input"))
		field.evaluate("enter the field", `(() => {
			const input = document.querySelector("input");
			input.value = {"cardnumber": "4242424242424242", "exp-date": "12 / 34", "cvc": "123"}[input.name];
			input.dispatchEvent(new Event("input"));
		})()`)
	}
	s.expectValue(`stripe.createPaymentMethod({type: "card", card: number})`, "paymentMethod.card.exp_year", float64(2034))
}

// The Payment Element without an intent, setups, Checkout, and what is not supported.
func TestStripeJSReleases(t *testing.T) {
	t.Parallel()
	s := startStripeShop(t, "stripejs-releases")
	for _, release := range []string{"acacia", "basil", "clover", "dahlia"} {
		s.open("/"+release+"/", "body")
		s.expectValue(`({version: Stripe.version})`, "version", release)
		created := s.run(`stripe.createPaymentMethod({type: "card", card: {token: "tok_visa"}})`)
		if at(created, "paymentMethod.card.last4") != "4242" || at(created, "paymentMethod.metadata") != nil {
			t.Errorf("%s: %v", release, created)
		}
	}
	unsupported := "IntegrationError: This local Stripe does not support "
	for expression, what := range map[string]string{
		`stripe.confirmKlarnaPayment("x")`:                   "stripe.confirmKlarnaPayment().",
		`stripe.elements({onBehalfOf: "acct_1"})`:            "the option onBehalfOf of stripe.elements().",
		`stripe.elements().create("iban")`:                   "elements.create('iban').",
		`stripe.createPaymentMethod({type: "sepa_debit"})`:   "stripe.createPaymentMethod() of the type sepa_debit.",
		`stripe.elements().create("card", {value: "12345"})`: "the option value of elements.create('card').",
	} {
		s.expectValue(expression, "thrown", unsupported+what)
	}
	s.expectValue(`Stripe("sk_test_1234567890")`, "thrown", "IntegrationError: You should not use your secret key with Stripe.js. Please pass a publishable key instead.")

	s.expectValue(`new Promise((resolve) => stripe.elements({clientSecret: "pi_1_secret_1"}).create("payment").on("loaderror", resolve).mount("#a"))`,
		"error.code", "resource_missing")

	s.open("/basil/", "body")
	s.run(`(() => {
		window.elements = stripe.elements({mode: "setup", currency: "usd"});
		const element = elements.create("payment"); element.mount("#a");
		return new Promise((resolve) => element.once("ready", resolve));
	})()`)
	s.expectValue(`elements.submit()`, "error.code", "incomplete_number")
	s.enterPayment("5555555555554444")
	customer := s.create("customers", "email=ada@example.com")["id"]
	setUp := s.create("setup_intents", fmt.Sprintf("customer=%s&automatic_payment_methods[enabled]=true", customer))
	s.expectValue(fmt.Sprintf(`elements.submit().then(() => stripe.confirmSetup({elements, clientSecret: %q, redirect: "if_required"}))`, setUp["client_secret"]), "setupIntent.status", "succeeded")
	if cards := s.call(http.MethodGet, fmt.Sprintf("customers/%s/payment_methods", customer), ""); len(cards["data"].([]any)) != 1 {
		t.Errorf("the customer has %v", cards)
	}

	session := s.createCheckout("success_url=" + url.QueryEscape(s.url+"/paid"))
	s.run(fmt.Sprintf(`void stripe.redirectToCheckout({sessionId: %q})`, session["id"]))
	s.do("pay", waitVisible(`input[name="email"]`), typeInto("email", "ada@example.com"))
	s.do("pay", enterCard("4242 4242 4242 4242", checkoutButton)...)
	s.see(pageState{"paid", "h1", "Thank you"})
}

func (s *stripeShop) createCheckout(form string) map[string]any {
	s.t.Helper()
	return s.create("checkout/sessions", form+"&mode=payment&line_items[0][quantity]=1&line_items[0][price_data][currency]=usd"+
		"&line_items[0][price_data][unit_amount]=900&line_items[0][price_data][product_data][name]=Pro")
}

// Checkout in a frame ends at the return_url, or calls onComplete. Later releases rename methods.
func TestStripeJSEmbeddedCheckout(t *testing.T) {
	t.Parallel()
	s := startStripeShop(t, "stripejs-checkout")
	pay := func(number string) {
		frame := s.frame("/c/pay/", 0)
		frame.fillIn([2]string{"email", "ada@example.com"}, [2]string{"cardNumber", number}, [2]string{"cardExpiry", "1234"},
			[2]string{"cardCvc", "123"}, [2]string{"billingName", "Ada"})
		frame.do("pay", click(checkoutButton))
	}
	s.open("/basil/", "body")
	session := s.createCheckout("ui_mode=embedded&return_url=" + url.QueryEscape(s.url+"/paid?session_id={CHECKOUT_SESSION_ID}"))
	s.run(fmt.Sprintf(`stripe.initEmbeddedCheckout({fetchClientSecret: async () => %q}).then((checkout) => checkout.mount("#a"))`, session["client_secret"]))
	pay("4000 0027 6000 3184")
	s.authenticate("complete")
	s.see(pageState{"paid", "h1", "Thank you"})
	if got := s.queryValue("session_id"); got != session["id"] {
		t.Errorf("session %s", got)
	}

	s.open("/dahlia/", "body")
	session = s.createCheckout("ui_mode=embedded&redirect_on_completion=never")
	s.run(fmt.Sprintf(`stripe.createEmbeddedCheckoutPage({clientSecret: %q, onComplete: () => { document.body.append("onComplete was called") }})
		.then((checkout) => checkout.mount("#a"))`, session["client_secret"]))
	pay("4242 4242 4242 4242")
	s.see(pageState{"complete", "body", "onComplete was called"})
	s.screenshot("complete")
	s.expectValue(`stripe.initEmbeddedCheckout({clientSecret: "cs_test_1_secret_1"})`, "thrown",
		"IntegrationError: stripe.initEmbeddedCheckout() was renamed with dahlia. Call stripe.createEmbeddedCheckoutPage().")
	s.expectValue(`stripe.redirectToCheckout({sessionId: "cs_test_1"})`, "thrown",
		"IntegrationError: stripe.redirectToCheckout() was removed with clover. Redirect to the url of the Checkout Session.")
}
