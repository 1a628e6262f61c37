package stripelocal_test

import (
	"fmt"
	"testing"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

// The lines of a renewal, to the second and in their order (recorded by onetimesecret): the newest
// pair of prorations first, a credit before its charge, and the period last.
func TestRecordedOrderOfProrations(t *testing.T) {
	t.Parallel()
	const begin = int64(1775589264)
	l := start(t, stripelocal.Options{})
	clock := must[*stripe.TestHelpersTestClock](t)(l.api.TestHelpersTestClocks.New(&stripe.TestHelpersTestClockParams{FrozenTime: stripe.Int64(begin)}))
	owner := must[*stripe.Customer](t)(l.api.Customers.New(&stripe.CustomerParams{TestClock: stripe.String(clock.ID)}))
	k := &clockCustomer{testServer: l, clock: clock.ID, customer: owner.ID}
	k.setDefaultCard("pm_card_visa")
	big, small := l.createPriceIn("cad", 8500, "month"), l.createPriceIn("cad", 3500, "month")
	sub := k.subscribe(big, 1)
	for _, change := range []struct {
		at    int64
		price string
	}{{1775590677, small}, {1775602690, big}, {1775796934, small}} {
		k.advance(change.at)
		l.callObject("POST", "/v1/subscriptions/"+sub.ID, fmt.Sprintf("items[0][id]=%s&items[0][price]=%s", sub.Items.Data[0].ID, change.price))
	}
	l.callObject("POST", "/v1/invoiceitems", "amount=100&currency=cad&customer="+k.customer)
	amounts := func(lines []*stripe.InvoiceLineItem) (out []int64) {
		for _, line := range lines {
			out = append(out, line.Amount)
		}
		return out
	}
	want := fmt.Sprint([]int64{100, -7819, 3220, -3482, 8456, -8495, 3498, 3500})
	shown := must[*stripe.Invoice](t)(l.api.Invoices.Upcoming(&stripe.InvoiceUpcomingParams{Subscription: stripe.String(sub.ID)}))
	if got := amounts(shown.Lines.Data); fmt.Sprint(got) != want {
		t.Errorf("previewed %v, want %v", got, want)
	}
	k.advance(sub.CurrentPeriodEnd)
	if got := amounts(l.subscription(sub.ID).LatestInvoice.Lines.Data); fmt.Sprint(got) != want {
		t.Errorf("billed %v, want %v", got, want)
	}
}

// A preview has the prorations of the change first.
func TestPreviewedProrationsComeFirst(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	k := l.createOnTestClock("pm_card_visa")
	sub := k.subscribe(l.createPriceIn("usd", 1000, "month"), 1)
	k.advance(noon + 10*day)
	l.callObject("POST", "/v1/subscriptions/"+sub.ID, fmt.Sprintf("items[0][id]=%s&items[0][quantity]=2", sub.Items.Data[0].ID))
	k.advance(noon + 20*day)
	shown := l.callObject("POST", "/v1/invoices/create_preview", fmt.Sprintf("subscription=%s&subscription_details[items][0][id]=%s&subscription_details[items][0][quantity]=5", sub.ID, sub.Items.Data[0].ID))
	lines, _ := shown["lines"].(map[string]any)
	var starts []int64
	for _, e := range lines["data"].([]any) {
		period := e.(map[string]any)["period"].(map[string]any)
		starts = append(starts, int64(period["start"].(float64))-noon)
	}
	if want := fmt.Sprint([]int64{20 * day, 20 * day, 10 * day, 10 * day, 30 * day}); fmt.Sprint(starts) != want {
		t.Errorf("lines from %v, want %s", starts, want)
	}
}

// A payment below or above what can be charged has no session and no link (wording of public issue
// threads). A total of 0 needs no payment, and a subscription's amount goes to the balance.
func TestCheckoutTotalThatCannotBeCharged(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	session := func(amount int64, currency, more string) (int, map[string]any) {
		return l.rawCall("POST", "/v1/checkout/sessions", fmt.Sprintf("success_url=http://app.test/&line_items[0][quantity]=1&line_items[0][price_data][unit_amount]=%d&line_items[0][price_data][currency]=%s&line_items[0][price_data][product_data][name]=x&%s", amount, currency, more))
	}
	const least, most = "The Checkout Session's total amount due must add up to at least ", "The Checkout Session's total amount due must be no more than "
	for _, c := range []struct {
		amount         int64
		currency, more string
		code, message  string
	}{
		{49, "usd", "mode=payment", "amount_too_small", least + "$0.50 USD"},
		{29, "gbp", "mode=payment", "amount_too_small", least + "£0.30 GBP"},
		{100000000, "usd", "mode=payment", "amount_too_large", most + "$999999.99 USD."},
		{50, "usd", "mode=payment", "", ""},
		{0, "usd", "mode=payment", "", ""},
		{49, "usd", "mode=subscription&line_items[0][price_data][recurring][interval]=month", "", ""},
	} {
		status, got := session(c.amount, c.currency, c.more)
		e, _ := got["error"].(map[string]any)
		if c.code == "" && status != 200 || c.code != "" && (status != 400 || e["code"] != c.code || e["message"] != c.message || e["param"] != nil) {
			t.Errorf("%d %s, %s: %d %v", c.amount, c.currency, c.more, status, e)
		}
	}
	coupon := l.callObject("POST", "/v1/coupons", "percent_off=80&duration=once")
	if status, got := session(200, "usd", fmt.Sprintf("mode=payment&discounts[0][coupon]=%v", coupon["id"])); status != 400 {
		t.Errorf("after a discount: %d %v", status, got)
	}
	price := l.callObject("POST", "/v1/prices", "currency=usd&unit_amount=25&product_data[name]=x")
	if e := l.callError("POST", "/v1/payment_links", fmt.Sprintf("line_items[0][quantity]=1&line_items[0][price]=%v", price["id"]), 400); e["code"] != "amount_too_small" {
		t.Errorf("a link: %v", e)
	}
}
