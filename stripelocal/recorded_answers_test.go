package stripelocal_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

// The tests of this file hold answers of the real API, recorded by public test suites:
// pay-rails/pay unless another is named.

// Without a return_url a payment that requires 3-D Secure names Stripe.js, with one a redirect.
func TestRecordedNextAction(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	without := must[*stripe.PaymentIntent](t)(l.api.PaymentIntents.New(intent(2000, "pm_card_authenticationRequired")))
	if a := without.NextAction; a.Type != "use_stripe_sdk" || a.UseStripeSDK == nil || a.RedirectToURL != nil {
		t.Errorf("without a return_url: %+v", a)
	}
	with := must[*stripe.PaymentIntent](t)(l.api.PaymentIntents.New(intent(2000, "pm_card_authenticationRequired", func(p *stripe.PaymentIntentParams) {
		p.ReturnURL = stripe.String("http://app.test/back")
	})))
	if a := with.NextAction; a.Type != "redirect_to_url" || a.RedirectToURL == nil || a.RedirectToURL.ReturnURL != "http://app.test/back" || a.UseStripeSDK != nil {
		t.Errorf("with a return_url: %+v", a)
	}
}

// A first invoice that waits for 3-D Secure was attempted, with an attempt_count of 0.
func TestRecordedFirstInvoiceRequiresAction(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	k := l.createOnTestClock("pm_card_authenticationRequired")
	sub := k.subscribe(l.createPriceIn("usd", 1000, "month"), 1)
	inv := sub.LatestInvoice
	if sub.Status != "incomplete" || inv.Status != "open" || inv.AttemptCount != 0 || !inv.Attempted || inv.NextPaymentAttempt != 0 || inv.PaymentIntent.Status != "requires_action" || inv.PaymentIntent.NextAction.Type != "use_stripe_sdk" {
		t.Errorf("%s, invoice %s, attempts %d, attempted %v, next %d, intent %s", sub.Status, inv.Status, inv.AttemptCount, inv.Attempted, inv.NextPaymentAttempt, inv.PaymentIntent.Status)
	}
	l.browse("POST", authenticationPage(inv.PaymentIntent.ID), url.Values{"complete": {"1"}})
	if got := l.subscription(sub.ID); got.Status != "active" || got.LatestInvoice.AttemptCount != 1 {
		t.Errorf("authenticated: %s, attempts %d", got.Status, got.LatestInvoice.AttemptCount)
	}
}

// DELETE of a subscription that was set to end with its period clears the date. canceled_at keeps
// the time of the first request.
func TestRecordedCancelOfAnEndingSubscription(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	k := l.createOnTestClock("pm_card_visa")
	sub := k.subscribe(l.createPriceIn("usd", 1000, "month"), 1)
	ending := must[*stripe.Subscription](t)(l.api.Subscriptions.Update(sub.ID, &stripe.SubscriptionParams{CancelAtPeriodEnd: stripe.Bool(true)}))
	if !ending.CancelAtPeriodEnd || ending.CancelAt != sub.CurrentPeriodEnd {
		t.Fatalf("ending: %v %d", ending.CancelAtPeriodEnd, ending.CancelAt)
	}
	k.advance(noon + day)
	got := must[*stripe.Subscription](t)(l.api.Subscriptions.Cancel(sub.ID, nil))
	if got.Status != "canceled" || got.CancelAtPeriodEnd || got.CancelAt != 0 || got.CanceledAt != noon || got.EndedAt != noon+day || got.CancellationDetails.Reason != "cancellation_requested" {
		t.Errorf("%s, at period end %v, cancel_at %d, canceled_at %d, ended_at %d, %s", got.Status, got.CancelAtPeriodEnd, got.CancelAt, got.CanceledAt, got.EndedAt, got.CancellationDetails.Reason)
	}
}

// One that ends by itself keeps the flag: it "did cancel at the end of the period" (API reference).
func TestEndingWithThePeriodKeepsTheFlag(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	k := l.createOnTestClock("pm_card_visa")
	sub := k.subscribe(l.createPriceIn("usd", 1000, "month"), 1)
	must[*stripe.Subscription](t)(l.api.Subscriptions.Update(sub.ID, &stripe.SubscriptionParams{CancelAtPeriodEnd: stripe.Bool(true)}))
	k.advance(sub.CurrentPeriodEnd)
	if got := l.subscription(sub.ID); got.Status != "canceled" || !got.CancelAtPeriodEnd || got.CancelAt != sub.CurrentPeriodEnd {
		t.Errorf("%s, at period end %v, cancel_at %d", got.Status, got.CancelAtPeriodEnd, got.CancelAt)
	}
}

// An invoice for a subscription with nothing pending is a draft over 0.
func TestRecordedEmptyInvoiceOfASubscription(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	k := l.createOnTestClock("pm_card_visa")
	sub := k.subscribe(l.createPriceIn("usd", 1000, "month"), 1)
	k.advance(noon + day)
	inv := must[*stripe.Invoice](t)(l.api.Invoices.New(&stripe.InvoiceParams{Customer: stripe.String(k.customer), Subscription: stripe.String(sub.ID)}))
	if inv.Status != "draft" || inv.BillingReason != "manual" || inv.AutoAdvance || inv.Total != 0 || inv.AmountDue != 0 || len(inv.Lines.Data) != 0 || inv.PeriodStart != noon || inv.PeriodEnd != noon+day || inv.Currency != "usd" {
		t.Errorf("%s %s over %d, auto_advance %v, %d lines, period %d to %d", inv.Status, inv.BillingReason, inv.Total, inv.AutoAdvance, len(inv.Lines.Data), inv.PeriodStart, inv.PeriodEnd)
	}
	if paid := must[*stripe.Invoice](t)(l.api.Invoices.FinalizeInvoice(inv.ID, nil)); paid.Status != "paid" || paid.PaymentIntent != nil {
		t.Errorf("finalized: %s", paid.Status)
	}
}

// A first invoice over nothing is paid, attempted, and has neither an attempt nor a charge.
func TestRecordedFirstInvoiceOfATrial(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	inv := l.createOnTestClock("pm_card_visa").subscribe(l.createPriceIn("usd", 1000, "month"), 1, trialing(14)).LatestInvoice
	if inv.Status != "paid" || !inv.Attempted || inv.AttemptCount != 0 || inv.PaymentIntent != nil || inv.Charge != nil || inv.AutoAdvance {
		t.Errorf("%s, attempted %v, attempts %d, intent %v", inv.Status, inv.Attempted, inv.AttemptCount, inv.PaymentIntent)
	}
}

// 4000 0027 6000 3184 requires authentication on every payment, 4000 0025 0000 3155 only until it
// was set up (docs: testing, regulatory cards).
func TestAuthenticationOnEveryRenewal(t *testing.T) {
	t.Parallel()
	for card, want := range map[string]stripe.SubscriptionStatus{"pm_card_authenticationRequired": "past_due", "pm_card_authenticationRequiredOnSetup": "active"} {
		t.Run(card, func(t *testing.T) {
			l := start(t, stripelocal.Options{})
			k := l.createOnTestClock(card)
			sub := k.subscribe(l.createPriceIn("usd", 1000, "month"), 1)
			l.browse("POST", authenticationPage(sub.LatestInvoice.PaymentIntent.ID), url.Values{"complete": {"1"}})
			k.advance(sub.CurrentPeriodEnd + 3600)
			got := l.subscription(sub.ID)
			if got.Status != want {
				t.Fatalf("renewed: %s, invoice %s", got.Status, got.LatestInvoice.Status)
			}
			if want == "active" {
				return
			}
			if pi := got.LatestInvoice.PaymentIntent; pi.Status != "requires_action" || count(l, "invoice.payment_action_required") != 2 {
				t.Errorf("the renewal's intent is %s, %d events", pi.Status, count(l, "invoice.payment_action_required"))
			}
			l.browse("POST", authenticationPage(got.LatestInvoice.PaymentIntent.ID), url.Values{"complete": {"1"}})
			if got = l.subscription(sub.ID); got.Status != "active" || got.LatestInvoice.Status != "paid" {
				t.Errorf("authenticated: %s, invoice %s", got.Status, got.LatestInvoice.Status)
			}
		})
	}
}

// Changes between $35 and $85 a month in a period of 30 days, to the second (recorded by
// onetimesecret/onetimesecret).
func TestRecordedProrations(t *testing.T) {
	t.Parallel()
	const begin, end = int64(1775589264), int64(1778181264)
	cases := []struct{ from, to, date, credit, charge int64 }{
		{8500, 3500, 1775590677, -8495, 3498},
		{3500, 8500, 1775602690, -3482, 8456},
		{8500, 3500, 1775796934, -7819, 3220},
	}
	for _, c := range cases {
		l := start(t, stripelocal.Options{})
		clock := must[*stripe.TestHelpersTestClock](t)(l.api.TestHelpersTestClocks.New(&stripe.TestHelpersTestClockParams{FrozenTime: stripe.Int64(begin)}))
		owner := must[*stripe.Customer](t)(l.api.Customers.New(&stripe.CustomerParams{TestClock: stripe.String(clock.ID)}))
		k := &clockCustomer{testServer: l, clock: clock.ID, customer: owner.ID}
		k.setDefaultCard("pm_card_visa")
		sub := k.subscribe(l.createPriceIn("cad", float64(c.from), "month"), 1)
		if sub.CurrentPeriodEnd != begin+30*day || end != begin+30*day {
			t.Fatalf("the period ends at %d", sub.CurrentPeriodEnd)
		}
		got := must[*stripe.Invoice](t)(l.api.Invoices.CreatePreview(&stripe.InvoiceCreatePreviewParams{
			Subscription: stripe.String(sub.ID),
			SubscriptionDetails: &stripe.InvoiceCreatePreviewSubscriptionDetailsParams{
				Items: []*stripe.InvoiceCreatePreviewSubscriptionDetailsItemParams{{
					ID: stripe.String(sub.Items.Data[0].ID), Price: stripe.String(l.createPriceIn("cad", float64(c.to), "month")), Quantity: stripe.Int64(1),
				}},
				ProrationBehavior: stripe.String("always_invoice"), ProrationDate: stripe.Int64(c.date),
			},
		})).Lines.Data
		if len(got) != 2 || got[0].Amount != c.credit || got[1].Amount != c.charge {
			t.Errorf("from %d to %d: lines %+v, recorded %d and %d", c.from, c.to, got, c.credit, c.charge)
		}
	}
}

// Filters by objects that do not exist are errors (recorded by onetimesecret).
func TestRecordedListFilters(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	for path, param := range map[string]string{"invoices?customer=cus_no": "customer", "refunds?charge=ch_no": "charge", "prices?product=prod_no": "product"} {
		if e := l.callError("GET", "/v1/"+path, "", 400); e["code"] != "resource_missing" || e["param"] != param {
			t.Errorf("%s: %v", path, e)
		}
	}
	if e := l.callError("POST", "/v1/prices", "currency=zzz&unit_amount=1&product_data[name]=x", 400); e["param"] != "currency" {
		t.Errorf("an unknown currency: %v", e)
	}
	if p := l.callObject("POST", "/v1/prices", "currency=USD&unit_amount=1&product_data[name]=x"); p["currency"] != "usd" {
		t.Errorf("currency %v", p["currency"])
	}
}

// Restricted keys are keys too (docs: https://docs.stripe.com/keys).
func TestRestrictedKeys(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	for key, want := range map[string]int{"rk_test_123456789012": 200, "pk_test_123456789012": 401, "rk_live_123456789012": 401} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", l.url+"/v1/customers", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth(key, "")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%s: %d, want %d", key, res.StatusCode, want)
		}
	}
}

// An invoice that is to be sent needs an email address (recorded by onetimesecret).
func TestRecordedMissingEmail(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	c := must[*stripe.Customer](t)(l.api.Customers.New(nil))
	e := l.callError("POST", "/v1/invoices", "customer="+c.ID+"&collection_method=send_invoice&days_until_due=30", 400)
	if message, _ := e["message"].(string); !strings.HasPrefix(message, "Missing email.") {
		t.Errorf("%v", e)
	}
}

// Plans are recurring prices with an id of their own (docs: migrating from the Plans API).
func TestPlans(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	k := l.createOnTestClock("pm_card_visa")
	plan := l.callObject("POST", "/v1/plans", "id=gold&currency=usd&amount=1000&interval=month&product[name]=Gold&trial_period_days=7")
	if plan["id"] != "gold" || plan["amount"] != 1000.0 || plan["trial_period_days"] != 7.0 {
		t.Fatalf("%v", plan)
	}
	if price := l.callObject("GET", "/v1/prices/gold", ""); price["unit_amount"] != 1000.0 {
		t.Errorf("price: %v", price)
	}
	sub := l.callObject("POST", "/v1/subscriptions", "customer="+k.customer+"&items[0][plan]=gold&trial_from_plan=true")
	if sub["status"] != "trialing" || sub["trial_end"] != float64(noon+7*day) {
		t.Errorf("%v until %v", sub["status"], sub["trial_end"])
	}
	if e := l.callError("POST", "/v1/subscriptions", "customer="+k.customer+"&items[0][plan]=no", 400); e["param"] != "plan" || e["message"] != "No such plan: 'no'" {
		t.Errorf("unknown plan: %v", e)
	}
	id, _ := sub["id"].(string)
	if e := l.callError("POST", "/v1/subscriptions/"+id, "items[0][plan]=gold&quantity=2", 400); e["message"] != "Received both items and quantity parameters. Please pass in only one." {
		t.Errorf("items and quantity: %v", e)
	}
	if got := l.callObject("POST", "/v1/subscriptions/"+id, "quantity=3"); got["quantity"] != 3.0 {
		t.Errorf("quantity %v", got["quantity"])
	}
	l.callObject("DELETE", "/v1/plans/gold", "")
	l.callError("GET", "/v1/plans/gold", "", 404)
	l.callError("POST", "/v1/subscriptions", "customer="+k.customer+"&items[0][plan]=gold", 400)
	if got := l.subscription(id); got.Items.Data[0].Price.ID != "gold" {
		t.Errorf("the subscription lost its plan")
	}
}

// Paused collection leaves the status, and drafts, voids or writes off new invoices (docs: pause
// payment collection).
func TestPausedCollection(t *testing.T) {
	t.Parallel()
	for behavior, want := range map[string]stripe.InvoiceStatus{"keep_as_draft": "draft", "mark_uncollectible": "uncollectible", "void": "void"} {
		t.Run(behavior, func(t *testing.T) {
			l := start(t, stripelocal.Options{})
			k := l.createOnTestClock("pm_card_visa")
			sub := k.subscribe(l.createPriceIn("usd", 1000, "month"), 1)
			resumes := sub.CurrentPeriodEnd + 5*day
			paused := l.callObject("POST", "/v1/subscriptions/"+sub.ID, fmt.Sprintf("pause_collection[behavior]=%s&pause_collection[resumes_at]=%d", behavior, resumes))
			if paused["status"] != "active" || paused["pause_collection"] == nil {
				t.Fatalf("%v, %v", paused["status"], paused["pause_collection"])
			}
			k.advance(sub.CurrentPeriodEnd + 2*day)
			got := l.subscription(sub.ID)
			if got.Status != "active" || got.LatestInvoice.Status != want || count(l, "invoice.upcoming") != 0 {
				t.Errorf("%s, invoice %s, %d notices", got.Status, got.LatestInvoice.Status, count(l, "invoice.upcoming"))
			}
			k.advance(resumes)
			if got = l.subscription(sub.ID); got.PauseCollection != nil {
				t.Errorf("not resumed: %+v", got.PauseCollection)
			}
			k.advance(got.CurrentPeriodEnd + day)
			if got = l.subscription(sub.ID); got.LatestInvoice.Status != "paid" {
				t.Errorf("afterwards: invoice %s", got.LatestInvoice.Status)
			}
		})
	}
}

// What cards of the testing page show and do.
func TestMoreTestCards(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	for token, want := range map[string][3]string{
		"pm_card_us": {"US", "credit", "normal"}, "pm_card_de": {"DE", "credit", "normal"}, "pm_card_gb_debit": {"GB", "debit", "normal"},
		"pm_card_mastercard_prepaid": {"US", "prepaid", "normal"}, "pm_card_threeDSecureOptional": {"US", "credit", "normal"},
		"pm_card_riskLevelElevated": {"US", "credit", "elevated"}, "pm_card_authenticationRequired": {"DE", "credit", ""},
	} {
		pi := l.callObject("POST", "/v1/payment_intents", "amount=2000&currency=usd&confirm=true&payment_method="+token+"&expand[]=latest_charge&expand[]=payment_method")
		method, _ := pi["payment_method"].(map[string]any)
		card, _ := method["card"].(map[string]any)
		charge, _ := pi["latest_charge"].(map[string]any)
		outcome, _ := charge["outcome"].(map[string]any)
		risk, _ := outcome["risk_level"].(string)
		if card["country"] != want[0] || card["funding"] != want[1] || risk != want[2] {
			t.Errorf("%s: %v %v %s, want %v", token, card["country"], card["funding"], risk, want)
		}
	}
	blocked := l.callError("POST", "/v1/payment_intents", "amount=2000&currency=usd&confirm=true&payment_method=pm_card_riskLevelHighest", 402)
	charge := l.callObject("GET", fmt.Sprintf("/v1/charges/%v", blocked["charge"]), "")
	if outcome, _ := charge["outcome"].(map[string]any); outcome["type"] != "blocked" || blocked["decline_code"] != "fraudulent" {
		t.Errorf("blocked: %v, %v", outcome, blocked)
	}
	address := "&billing_details[address][line1]=1&billing_details[address][postal_code]=2"
	for number, want := range map[string]string{"4000000000000101": "pass pass fail", "4000000000000010": "fail fail pass", "4000000000000044": "unavailable unavailable pass"} {
		pm := l.callObject("POST", "/v1/payment_methods", "type=card&card[number]="+number+"&card[exp_month]=4&card[exp_year]=2040&card[cvc]=123"+address)
		c := must[*stripe.Customer](t)(l.api.Customers.New(nil))
		pm = l.callObject("POST", fmt.Sprintf("/v1/payment_methods/%v/attach", pm["id"]), "customer="+c.ID)
		card, _ := pm["card"].(map[string]any)
		checks, _ := card["checks"].(map[string]any)
		if got := fmt.Sprint(checks["address_line1_check"], " ", checks["address_postal_code_check"], " ", checks["cvc_check"]); got != want {
			t.Errorf("%s: %s, want %s", number, got, want)
		}
	}
}

// Fees and dates of balance transactions (recorded by pay-rails/pay), which an asynchronous capture
// makes a little later (docs: asynchronous capture).
func TestBalanceTransactions(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	pi := l.callObject("POST", "/v1/payment_intents", "amount=2900&currency=usd&confirm=true&payment_method=pm_card_visa&expand[]=latest_charge")
	charge, _ := pi["latest_charge"].(map[string]any)
	if charge["balance_transaction"] != nil {
		t.Errorf("at once: %v", charge["balance_transaction"])
	}
	l.time.Add(10)
	charge = l.callObject("GET", fmt.Sprintf("/v1/charges/%v?expand[]=balance_transaction", charge["id"]), "")
	tx, _ := charge["balance_transaction"].(map[string]any)
	if tx["fee"] != 114.0 || tx["net"] != 2786.0 || tx["type"] != "charge" || tx["status"] != "pending" || count(l, "charge.updated") != 1 {
		t.Errorf("%v, %d events", tx, count(l, "charge.updated"))
	}
	l.callObject("POST", "/v1/refunds", fmt.Sprintf("charge=%v&amount=900", charge["id"]))
	list := l.callObject("GET", "/v1/balance_transactions?type=refund", "")
	if data, _ := list["data"].([]any); len(data) != 1 {
		t.Errorf("refunds: %v", data)
	}
	l.time.Add(9 * day)
	balance := l.callObject("GET", "/v1/balance", "")
	available, _ := balance["available"].([]any)
	if first, _ := available[0].(map[string]any); first["amount"] != 1886.0 {
		t.Errorf("available: %v", available)
	}
}

// Charges without a payment intent (API reference: charges).
func TestChargesOfCards(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	ch := l.callObject("POST", "/v1/charges", "amount=2000&currency=usd&source=tok_visa&capture=false")
	if ch["captured"] != false || ch["payment_intent"] != nil {
		t.Fatalf("%v", ch)
	}
	id, _ := ch["id"].(string)
	if ch = l.callObject("POST", "/v1/charges/"+id+"/capture", "amount=1500"); ch["amount_captured"] != 1500.0 || ch["amount_refunded"] != 500.0 {
		t.Errorf("captured: %v", ch)
	}
	if e := l.callError("POST", "/v1/charges/"+id+"/capture", "", 400); e["code"] != "charge_already_captured" {
		t.Errorf("twice: %v", e)
	}
	if ch = l.callObject("POST", "/v1/charges/"+id+"/refund", "amount=1500"); ch["refunded"] != true {
		t.Errorf("refunded: %v", ch["refunded"])
	}
	c := must[*stripe.Customer](t)(l.api.Customers.New(nil))
	if e := l.callError("POST", "/v1/charges", "amount=2000&currency=usd&source=tok_visa&customer="+c.ID, 404); e["param"] != "card" || e["code"] != "resource_missing" {
		t.Errorf("another's card: %v", e)
	}
	if e := l.callError("POST", "/v1/charges", "amount=2000&currency=usd&source=tok_chargeDeclined", 402); e["code"] != "card_declined" || e["charge"] == nil {
		t.Errorf("declined: %v", e)
	}
}

// The test card for early fraud warnings (docs: testing).
func TestEarlyFraudWarnings(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	if list := l.callObject("GET", "/v1/radar/early_fraud_warnings", ""); len(list["data"].([]any)) != 0 {
		t.Errorf("before: %v", list)
	}
	l.callObject("POST", "/v1/payment_intents", "amount=2000&currency=usd&confirm=true&payment_method=pm_card_createIssuerFraudRecord")
	l.callObject("POST", "/v1/payment_intents", "amount=2000&currency=usd&confirm=true&payment_method=pm_card_visa")
	data, _ := l.callObject("GET", "/v1/radar/early_fraud_warnings?expand[]=data.charge", "")["data"].([]any)
	if len(data) != 1 || count(l, "radar.early_fraud_warning.created") != 1 {
		t.Fatalf("%v", data)
	}
	warning, _ := data[0].(map[string]any)
	charge, _ := warning["charge"].(map[string]any)
	if got := l.callObject("GET", fmt.Sprintf("/v1/radar/early_fraud_warnings/%v", warning["id"]), ""); got["actionable"] != true || got["charge"] != charge["id"] {
		t.Errorf("%v", got)
	}
	l.callObject("POST", "/v1/refunds", fmt.Sprintf("charge=%v", charge["id"]))
	if got := l.callObject("GET", fmt.Sprintf("/v1/radar/early_fraud_warnings/%v", warning["id"]), ""); got["actionable"] != false {
		t.Errorf("refunded: %v", got)
	}
}

// Searches of payments and invoices (docs: search, query fields).
func TestSearchOfPayments(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	k := l.createOnTestClock("pm_card_visa")
	k.subscribe(l.createPriceIn("usd", 1000, "month"), 3)
	for path, want := range map[string]int{
		"charges/search?query=amount>2000": 1, "charges/search?query=amount<2000": 0, "charges/search?query=status:'succeeded' AND refunded:'false'": 1,
		"invoices/search?query=total:3000": 1, "invoices/search?query=customer:'" + k.customer + "'": 1, "invoices/search?query=status:'draft'": 0,
		"payment_intents/search?query=currency:'usd' AND amount>=3000": 1, "subscriptions/search?query=canceled_at:null": 1,
	} {
		name, query, _ := strings.Cut(path, "?query=")
		data, _ := l.callObject("GET", "/v1/"+name+"?query="+url.QueryEscape(query), "")["data"].([]any)
		if len(data) != want {
			t.Errorf("%s: %d found, want %d", path, len(data), want)
		}
	}
	l.callError("GET", "/v1/charges/search?query="+url.QueryEscape("amount:'x'"), "", 400)
}

// Every change of a customer's balance is a transaction (docs: customer credit balance).
func TestCustomerBalanceTransactions(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	k := l.createOnTestClock("pm_card_visa")
	path := "/v1/customers/" + k.customer + "/balance_transactions"
	made := l.callObject("POST", path, "amount=-1500&currency=usd&description=Welcome")
	if made["ending_balance"] != -1500.0 || made["type"] != "adjustment" {
		t.Errorf("%v", made)
	}
	if e := l.callError("POST", path, "amount=-1500&currency=eur", 400); e["param"] != "currency" {
		t.Errorf("another currency: %v", e)
	}
	sub := k.subscribe(l.createPriceIn("usd", 1000, "month"), 1)
	if sub.LatestInvoice.AmountDue != 0 || sub.LatestInvoice.EndingBalance != -500 {
		t.Errorf("due %d, balance %d", sub.LatestInvoice.AmountDue, sub.LatestInvoice.EndingBalance)
	}
	l.callObject("POST", "/v1/customers/"+k.customer, "balance=-100")
	data, _ := l.callObject("GET", path, "")["data"].([]any)
	var got []string
	for _, e := range data {
		x, _ := e.(map[string]any)
		got = append(got, fmt.Sprint(x["type"], " ", x["amount"], " ", x["ending_balance"]))
	}
	if want := "[adjustment 400 -100 applied_to_invoice 1000 -500 adjustment -1500 -1500]"; fmt.Sprint(got) != want {
		t.Errorf("%v, want %s", got, want)
	}
	changed := l.callObject("POST", fmt.Sprintf("%s/%v", path, made["id"]), "description=Hello&metadata[a]=b")
	if changed["description"] != "Hello" || changed["amount"] != -1500.0 {
		t.Errorf("%v", changed)
	}
	l.callError("GET", path+"/cbtxn_no", "", 404)
	other := l.createCustomer()
	l.callError("GET", fmt.Sprintf("/v1/customers/%s/balance_transactions/%v", other.ID, made["id"]), "", 404)
}

// Tax IDs of the account and of customers at /v1/tax_ids (API reference: tax IDs).
func TestTaxIDsByOwner(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	own := l.callObject("POST", "/v1/tax_ids", "type=us_ein&value=12-3456789")
	c := l.callObject("POST", "/v1/customers", "email=ada@example.com&tax_id_data[0][type]=eu_vat&tax_id_data[0][value]=DE123456789&expand[]=tax_ids")
	if ids, _ := c["tax_ids"].(map[string]any); len(ids["data"].([]any)) != 1 {
		t.Errorf("tax_id_data: %v", c["tax_ids"])
	}
	list := func(form string) int {
		data, _ := l.callObject("GET", "/v1/tax_ids"+form, "")["data"].([]any)
		return len(data)
	}
	if own["customer"] != nil || list("") != 1 || list(fmt.Sprintf("?owner[type]=customer&owner[customer]=%v", c["id"])) != 1 {
		t.Errorf("own %v, %d and %d", own, list(""), list(fmt.Sprintf("?owner[type]=customer&owner[customer]=%v", c["id"])))
	}
	if e := l.callError("POST", "/v1/tax_ids", "type=eu_vat&value=nothing", 400); e["code"] != "tax_id_invalid" {
		t.Errorf("%v", e)
	}
	l.callError("POST", "/v1/tax_ids", "type=us_ein&value=12-3456789&owner[type]=customer", 400)
	l.callObject("DELETE", fmt.Sprintf("/v1/tax_ids/%v", own["id"]), "")
	l.callError("GET", fmt.Sprintf("/v1/tax_ids/%v", own["id"]), "", 404)
	if list("") != 0 || count(l, "customer.tax_id.deleted") != 0 {
		t.Errorf("%d left, %d events", list(""), count(l, "customer.tax_id.deleted"))
	}
}

// callObject is an API call that must succeed.
func (l *testServer) callObject(method, path, form string) map[string]any {
	l.t.Helper()
	status, o := l.rawCall(method, path, form)
	if status != http.StatusOK {
		l.t.Fatalf("%s %s %s: %d %v", method, path, form, status, o)
	}
	return o
}

// callError is an API call that must fail with a status. It returns the error.
func (l *testServer) callError(method, path, form string, want int) map[string]any {
	l.t.Helper()
	status, o := l.rawCall(method, path, form)
	e, _ := o["error"].(map[string]any)
	if status != want {
		l.t.Fatalf("%s %s %s: %d %v, want %d", method, path, form, status, e, want)
	}
	return e
}

func (l *testServer) rawCall(method, path, form string) (int, map[string]any) {
	l.t.Helper()
	req, err := http.NewRequestWithContext(l.t.Context(), method, l.url+path, strings.NewReader(form))
	if err != nil {
		l.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+testKey)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		l.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var o map[string]any
	if err := json.NewDecoder(res.Body).Decode(&o); err != nil {
		l.t.Fatal(err)
	}
	return res.StatusCode, o
}
