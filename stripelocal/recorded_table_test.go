package stripelocal_test

import (
	"fmt"
	"testing"

	"usher/stripelocal"
)

// Differences that were seen once between recorded answers and the server's, and that have no other
// test of their own. TestReplayOfRecordings has them too, among much else.

// A line of add_invoice_items comes first, with its invoice item and the subscription's period.
// Descriptions have the product's unit_label, and CAD the sign of a dollar.
func TestRecordedLines(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	k := l.createOnTestClock("pm_card_visa")
	product := l.callObject("POST", "/v1/products", "name=Test Subscription&unit_label=user")["id"]
	price := l.callObject("POST", "/v1/prices", fmt.Sprintf("currency=CAD&unit_amount=2000&recurring[interval]=month&product=%v", product))["id"]
	shirt := l.callObject("POST", "/v1/prices", "currency=cad&unit_amount=1500&product_data[name]=T-Shirt")["id"]
	sub := l.callObject("POST", "/v1/subscriptions", fmt.Sprintf("customer=%s&items[0][price]=%v&items[0][quantity]=10&add_invoice_items[0][price]=%v&expand[]=latest_invoice", k.customer, price, shirt))
	inv, _ := sub["latest_invoice"].(map[string]any)
	lines := inv["lines"].(map[string]any)["data"].([]any)
	if len(lines) != 2 {
		t.Fatalf("%v", lines)
	}
	item, _ := lines[0].(map[string]any)
	period, _ := item["period"].(map[string]any)
	if item["description"] != "T-Shirt" || item["invoice_item"] == nil || item["subscription"] != sub["id"] || period["end"] != sub["current_period_end"] {
		t.Errorf("the item: %v", item)
	}
	if line, _ := lines[1].(map[string]any); line["description"] != "10 user × Test Subscription (at $20.00 / month)" {
		t.Errorf("%v", line["description"])
	}
	if _, there := inv["subscription_proration_date"]; there {
		t.Error("subscription_proration_date is set")
	}
	l.callObject("POST", fmt.Sprintf("/v1/subscriptions/%v", sub["id"]), "pause_collection[behavior]=void")
	l.callObject("POST", fmt.Sprintf("/v1/subscriptions/%v", sub["id"]), "plan="+fmt.Sprint(price)+"&quantity=2")
	trial := l.callObject("POST", "/v1/subscriptions", fmt.Sprintf("customer=%s&items[0][plan]=%v&trial_period_days=7&expand[]=latest_invoice", k.customer, price))
	line := trial["latest_invoice"].(map[string]any)["lines"].(map[string]any)["data"].([]any)[0].(map[string]any)
	if line["description"] != "Trial period for Test Subscription (per user)" || line["unit_amount_excluding_tax"] != "0" {
		t.Errorf("the trial: %v, %v", line["description"], line["unit_amount_excluding_tax"])
	}
}

// A credit's unit_amount_excluding_tax is its amount.
func TestRecordedCreditLine(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	k := l.createOnTestClock("pm_card_visa")
	sub := k.subscribe(l.createPriceIn("usd", 2500, "month"), 1)
	got := l.callObject("POST", "/v1/subscriptions/"+sub.ID, fmt.Sprintf("items[0][id]=%s&items[0][price]=%s&proration_behavior=always_invoice&expand[]=latest_invoice", sub.Items.Data[0].ID, l.createPriceIn("usd", 25000, "year")))
	line := got["latest_invoice"].(map[string]any)["lines"].(map[string]any)["data"].([]any)[0].(map[string]any)
	if line["amount"] != -2500.0 || line["unit_amount_excluding_tax"] != "-2500" {
		t.Errorf("%v, %v", line["amount"], line["unit_amount_excluding_tax"])
	}
}

// Errors name the parameter of the card that is wrong, and those of unknown sessions and previews
// none.
func TestRecordedParamsOfErrors(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	for card, want := range map[string]string{"pm_card_chargeDeclinedExpiredCard": "exp_month", "pm_card_chargeDeclinedIncorrectCvc": "cvc"} {
		e := l.callError("POST", "/v1/payment_intents", "amount=2000&currency=usd&confirm=true&payment_method="+card, 402)
		if e["param"] != want {
			t.Errorf("%s: %v", card, e["param"])
		}
	}
	if e := l.callError("POST", "/v1/payment_methods", "type=card&card[number]=4242424242424241&card[exp_month]=4&card[exp_year]=2040", 402); e["param"] != "number" {
		t.Errorf("a wrong number: %v", e)
	}
	if e := l.callError("GET", "/v1/checkout/sessions/cs_test_no", "", 404); e["message"] != "No such checkout.session: cs_test_no" || e["param"] != nil {
		t.Errorf("%v", e)
	}
	if e := l.callError("GET", "/v1/invoices/upcoming", "", 400); e["code"] != nil || e["message"] != "You must either provide a `customer` or a `subscription` to the upcoming invoice endpoint." {
		t.Errorf("%v", e)
	}
}

// What is shown of sessions, charges, invoices, portals and test cards.
func TestRecordedFields(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	c := l.createCustomer()
	session := "/v1/checkout/sessions"
	form := "mode=payment&success_url=http://app.test/&line_items[0][quantity]=1&line_items[0][price_data][unit_amount]=900&line_items[0][price_data][currency]=usd&line_items[0][price_data][product_data][name]=x"
	if cs := l.callObject("POST", session, form); cs["customer_creation"] != "if_required" {
		t.Errorf("customer_creation %v", cs["customer_creation"])
	}
	if cs := l.callObject("POST", session, form+"&customer="+c.ID); cs["customer_creation"] != nil {
		t.Errorf("customer_creation %v of a customer", cs["customer_creation"])
	}
	price := l.createPriceIn("usd", 900, "month")
	if cs := l.callObject("POST", session, "mode=subscription&success_url=http://app.test/&line_items[0][quantity]=1&line_items[0][price]="+price); cs["customer_creation"] != "always" {
		t.Errorf("customer_creation %v of a subscription", cs["customer_creation"])
	}
	pi := l.callObject("POST", "/v1/payment_intents", "amount=2000&currency=usd&confirm=true&payment_method=pm_card_visa&expand[]=latest_charge.refunds")
	if refunds := pi["latest_charge"].(map[string]any)["refunds"].(map[string]any); refunds["total_count"] != 0.0 {
		t.Errorf("refunds: %v", refunds)
	}
	first, second := l.callObject("GET", "/v1/payment_methods/pm_card_visa", ""), l.callObject("GET", "/v1/payment_methods/pm_card_visa", "")
	checks := first["card"].(map[string]any)["checks"].(map[string]any)
	if first["id"] == second["id"] || checks["cvc_check"] != "unchecked" {
		t.Errorf("%v and %v, %v", first["id"], second["id"], checks)
	}
	sub := l.createSubscription(1)
	if inv := l.callObject("GET", "/v1/invoices/"+sub.LatestInvoice.ID, ""); inv["webhooks_delivered_at"] == nil {
		t.Error("webhooks_delivered_at is null without an endpoint")
	}
	coupon := l.callObject("POST", "/v1/coupons", "percent_off=10&duration=forever")
	discounted := l.callObject("POST", "/v1/subscriptions/"+sub.ID, fmt.Sprintf("coupon=%v", coupon["id"]))
	if discount, _ := discounted["discount"].(map[string]any); discount == nil || discount["invoice"] != nil {
		t.Errorf("%v", discount)
	}
	configuration := l.callObject("POST", "/v1/billing_portal/configurations", "business_profile[headline]=x&features[subscription_cancel][enabled]=true")
	reasons := configuration["features"].(map[string]any)["subscription_cancel"].(map[string]any)["cancellation_reason"].(map[string]any)
	if options, _ := reasons["options"].([]any); len(options) != 5 {
		t.Errorf("%v", reasons)
	}
}
