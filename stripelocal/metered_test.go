package stripelocal_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

func (l *testServer) createMeter(event, formula string) *stripe.BillingMeter {
	l.t.Helper()
	return must[*stripe.BillingMeter](l.t)(l.api.BillingMeters.New(&stripe.BillingMeterParams{
		DisplayName: stripe.String(event), EventName: stripe.String(event), DefaultAggregation: &stripe.BillingMeterDefaultAggregationParams{Formula: stripe.String(formula)},
	}))
}

// meteredPrice creates a monthly price of a meter, or one of usage records without a meter.
func (l *testServer) meteredPrice(meter, aggregate string) *stripe.Price {
	l.t.Helper()
	recurring := &stripe.PriceRecurringParams{Interval: stripe.String("month"), UsageType: stripe.String("metered")}
	if meter != "" {
		recurring.Meter = stripe.String(meter)
	}
	if aggregate != "" {
		recurring.AggregateUsage = stripe.String(aggregate)
	}
	return must[*stripe.Price](l.t)(l.api.Prices.New(&stripe.PriceParams{
		Currency: stripe.String("usd"), UnitAmount: stripe.Int64(50), Recurring: recurring, ProductData: &stripe.PriceProductDataParams{Name: stripe.String("Calls")},
	}))
}

func (l *testServer) subscribeMetered(customer, price string) *stripe.Subscription {
	l.t.Helper()
	p := &stripe.SubscriptionParams{Customer: stripe.String(customer), Items: []*stripe.SubscriptionItemsParams{{Price: stripe.String(price)}}}
	p.AddExpand("latest_invoice")
	return must[*stripe.Subscription](l.t)(l.api.Subscriptions.New(p))
}

func (l *testServer) report(event, customer, identifier string, value int, at int64) (*stripe.BillingMeterEvent, error) {
	return l.api.BillingMeterEvents.New(&stripe.BillingMeterEventParams{
		EventName: stripe.String(event), Identifier: stripe.String(identifier), Timestamp: stripe.Int64(at),
		Payload: map[string]string{"stripe_customer_id": customer, "value": fmt.Sprint(value)},
	})
}

func TestMeteredUsageIsBilledWhenThePeriodEnds(t *testing.T) {
	l := start(t, stripelocal.Options{})
	c, m := l.payingCustomer(), l.createMeter("calls", "sum")
	sub := l.subscribeMetered(c.ID, l.meteredPrice(m.ID, "").ID)
	if sub.Status != "active" || sub.LatestInvoice.Total != 0 || sub.Items.Data[0].Quantity != 0 || len(sub.LatestInvoice.Lines.Data) != 1 {
		t.Errorf("begins %s with an invoice over %d of %d lines", sub.Status, sub.LatestInvoice.Total, len(sub.LatestInvoice.Lines.Data))
	}
	at := sub.CurrentPeriodStart + 100
	l.time.Store(at)
	must[*stripe.BillingMeterEvent](t)(l.report("calls", c.ID, "a", 7, at))
	must[*stripe.BillingMeterEvent](t)(l.report("calls", c.ID, "b", 5, at))
	must[*stripe.BillingMeterEvent](t)(l.report("calls", c.ID, "c", 100, at))
	must[*stripe.BillingMeterEventAdjustment](t)(l.api.BillingMeterEventAdjustments.New(&stripe.BillingMeterEventAdjustmentParams{
		EventName: stripe.String("calls"), Type: stripe.String("cancel"), Cancel: &stripe.BillingMeterEventAdjustmentCancelParams{Identifier: stripe.String("c")},
	}))
	preview := must[*stripe.Invoice](t)(l.api.Invoices.Upcoming(&stripe.InvoiceUpcomingParams{Subscription: stripe.String(sub.ID)}))
	if preview.Total != 600 {
		t.Errorf("the preview is over %d", preview.Total)
	}
	l.time.Store(sub.CurrentPeriodEnd + 2*60*60)
	inv := l.subscription(sub.ID).LatestInvoice
	if inv.Total != 600 || inv.Status != "paid" || inv.Lines.Data[0].Quantity != 12 || inv.Lines.Data[0].Period.End != sub.CurrentPeriodEnd {
		t.Errorf("the renewal is %s over %d: %+v", inv.Status, inv.Total, inv.Lines.Data[0])
	}
	l.time.Add(100)
	must[*stripe.BillingMeterEvent](t)(l.report("calls", c.ID, "d", 3, l.time.Load()-50))
	must[*stripe.Subscription](t)(l.api.Subscriptions.Cancel(sub.ID, nil))
	if inv := l.subscription(sub.ID).LatestInvoice; inv.Total != 150 || inv.Status != "paid" {
		t.Errorf("the final invoice is %s over %d", inv.Status, inv.Total)
	}
}

func TestMeteredItemsAreNotProratedAndHaveNoQuantity(t *testing.T) {
	l := start(t, stripelocal.Options{})
	c, m := l.payingCustomer(), l.createMeter("calls", "count")
	metered := l.meteredPrice(m.ID, "")
	_, err := l.api.Subscriptions.New(&stripe.SubscriptionParams{Customer: stripe.String(c.ID), Items: []*stripe.SubscriptionItemsParams{{Price: stripe.String(metered.ID), Quantity: stripe.Int64(2)}}})
	wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest)
	sub := l.subscribeTo(c.ID, l.createPrice("pro", 1000, "month").ID, 1)
	l.time.Store(sub.CurrentPeriodStart + (sub.CurrentPeriodEnd-sub.CurrentPeriodStart)/2)
	must[*stripe.SubscriptionItem](t)(l.api.SubscriptionItems.New(&stripe.SubscriptionItemParams{Subscription: stripe.String(sub.ID), Price: stripe.String(metered.ID)}))
	must[*stripe.BillingMeterEvent](t)(l.report("calls", c.ID, "a", 900, l.time.Load()+1))
	l.time.Add(100)
	preview := must[*stripe.Invoice](t)(l.api.Invoices.Upcoming(&stripe.InvoiceUpcomingParams{Subscription: stripe.String(sub.ID)}))
	if preview.Total != 1050 {
		t.Errorf("one call and a month are %d", preview.Total)
	}
	cs := l.createCheckoutSession(l.createCustomer().ID, metered.ID, 1, func(p *stripe.CheckoutSessionParams) { p.LineItems[0].Quantity = nil })
	l.submitCheckout(cs.URL, "4242424242424242")
	if sub := l.subscriptionOfSession(cs.ID); sub.Status != "active" {
		t.Errorf("Checkout of a metered price: %s", sub.Status)
	}
}

func TestUsageInATrialIsFree(t *testing.T) {
	l := start(t, stripelocal.Options{})
	c, m := l.payingCustomer(), l.createMeter("calls", "sum")
	sub := must[*stripe.Subscription](t)(l.api.Subscriptions.New(&stripe.SubscriptionParams{
		Customer: stripe.String(c.ID), TrialPeriodDays: stripe.Int64(7), Items: []*stripe.SubscriptionItemsParams{{Price: stripe.String(l.meteredPrice(m.ID, "").ID)}},
	}))
	l.time.Add(100)
	must[*stripe.BillingMeterEvent](t)(l.report("calls", c.ID, "a", 7, l.time.Load()))
	l.time.Store(sub.TrialEnd + 2*60*60)
	if sub = l.subscription(sub.ID); sub.Status != "active" || sub.LatestInvoice.Total != 0 {
		t.Errorf("after the trial: %s, %d", sub.Status, sub.LatestInvoice.Total)
	}
	must[*stripe.BillingMeterEvent](t)(l.report("calls", c.ID, "b", 2, l.time.Load()))
	l.time.Store(sub.CurrentPeriodEnd + 2*60*60)
	if inv := l.subscription(sub.ID).LatestInvoice; inv.Total != 100 {
		t.Errorf("after the first period: %d", inv.Total)
	}
}

func TestUsageRecordsAreAggregated(t *testing.T) {
	l := start(t, stripelocal.Options{})
	for aggregate, want := range map[string]int64{"sum": 12, "max": 7, "last_during_period": 5} {
		sub := l.subscribeMetered(l.payingCustomer().ID, l.meteredPrice("", aggregate).ID)
		item := stripe.String(sub.Items.Data[0].ID)
		record := func(quantity, at int64, action string) {
			must[*stripe.UsageRecord](t)(l.api.UsageRecords.New(&stripe.UsageRecordParams{SubscriptionItem: item, Quantity: stripe.Int64(quantity), Timestamp: stripe.Int64(at), Action: stripe.String(action)}))
		}
		l.time.Store(sub.CurrentPeriodStart + 100)
		record(3, sub.CurrentPeriodStart+10, "increment")
		record(4, sub.CurrentPeriodStart+10, "increment")
		record(9, sub.CurrentPeriodStart+20, "increment")
		record(5, sub.CurrentPeriodStart+20, "set")
		it := l.api.UsageRecordSummaries.List(&stripe.UsageRecordSummaryListParams{SubscriptionItem: item})
		if !it.Next() || it.UsageRecordSummary().TotalUsage != want {
			t.Errorf("%s: %+v", aggregate, it.UsageRecordSummary())
		}
		l.time.Store(sub.CurrentPeriodEnd + 2*60*60)
		if inv := l.subscription(sub.ID).LatestInvoice; inv.Total != 50*want {
			t.Errorf("%s is billed %d", aggregate, inv.Total)
		}
		it = l.api.UsageRecordSummaries.List(&stripe.UsageRecordSummaryListParams{SubscriptionItem: item})
		it.Next()
		if !it.Next() || it.UsageRecordSummary().Invoice == "" || it.UsageRecordSummary().TotalUsage != want {
			t.Errorf("%s of the last period: %+v", aggregate, it.UsageRecordSummary())
		}
		_, err := l.api.UsageRecords.New(&stripe.UsageRecordParams{SubscriptionItem: item, Quantity: stripe.Int64(1), Timestamp: stripe.Int64(sub.CurrentPeriodStart)})
		wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest)
	}
}

func TestMetersAreUniqueByEventAndSummarizeUsage(t *testing.T) {
	l := start(t, stripelocal.Options{})
	c, m := l.createCustomer(), l.createMeter("calls", "sum")
	_, err := l.api.BillingMeters.New(&stripe.BillingMeterParams{DisplayName: stripe.String("x"), EventName: stripe.String("calls"), DefaultAggregation: &stripe.BillingMeterDefaultAggregationParams{Formula: stripe.String("sum")}})
	wantError(t, err, 400, "resource_already_exists", stripe.ErrorTypeInvalidRequest)
	day := l.time.Load() - l.time.Load()%86400
	must[*stripe.BillingMeterEvent](t)(l.report("calls", c.ID, "a", 2, day-86400))
	must[*stripe.BillingMeterEvent](t)(l.report("calls", c.ID, "b", 3, day-3*86400))
	_, err = l.report("calls", c.ID, "b", 3, day)
	wantError(t, err, 400, "duplicate_meter_event", stripe.ErrorTypeInvalidRequest)
	_, err = l.report("calls", c.ID, "z", 3, day-40*86400)
	wantError(t, err, 400, "timestamp_too_far", stripe.ErrorTypeInvalidRequest)
	_, err = l.report("calls", "cus_none", "z", 3, day)
	wantError(t, err, 400, "resource_missing", stripe.ErrorTypeInvalidRequest)
	summaries := func(window string) string {
		form := url.Values{"customer": {c.ID}, "start_time": {fmt.Sprint(day - 5*86400)}, "end_time": {fmt.Sprint(day)}}
		if window != "" {
			form.Set("value_grouping_window", window)
		}
		status, body := l.call(testKey, "GET", "/v1/billing/meters/"+m.ID+"/event_summaries?"+form.Encode(), nil)
		if status != http.StatusOK {
			t.Fatalf("%d %s", status, body)
		}
		return string(body)
	}
	if all := summaries(""); !strings.Contains(all, `"aggregated_value":5`) {
		t.Error(all)
	}
	if byDay := summaries("day"); strings.Count(byDay, "aggregated_value") != 2 || strings.Index(byDay, `"aggregated_value":2`) > strings.Index(byDay, `"aggregated_value":3`) {
		t.Error(byDay)
	}
	must[*stripe.BillingMeter](t)(l.api.BillingMeters.Deactivate(m.ID, nil))
	_, err = l.report("calls", c.ID, "y", 3, day)
	wantError(t, err, 400, "no_meter", stripe.ErrorTypeInvalidRequest)
	other := l.createMeter("calls", "count")
	_, err = l.api.BillingMeters.Reactivate(m.ID, nil)
	wantError(t, err, 400, "resource_already_exists", stripe.ErrorTypeInvalidRequest)
	must[*stripe.BillingMeter](t)(l.api.BillingMeters.Deactivate(other.ID, nil))
	if again := must[*stripe.BillingMeter](t)(l.api.BillingMeters.Reactivate(m.ID, nil)); again.Status != "active" {
		t.Errorf("%s", again.Status)
	}
	if renamed := must[*stripe.BillingMeter](t)(l.api.BillingMeters.Update(m.ID, &stripe.BillingMeterParams{DisplayName: stripe.String("Calls")})); renamed.DisplayName != "Calls" {
		t.Error(renamed.DisplayName)
	}
	if it := l.api.BillingMeters.List(&stripe.BillingMeterListParams{Status: stripe.String("inactive")}); !it.Next() || it.BillingMeter().ID != other.ID || it.Next() {
		t.Error("the list does not filter by status")
	}
}

func TestAlertsAreTriggeredOnceForACustomer(t *testing.T) {
	l := start(t, stripelocal.Options{})
	c, m := l.createCustomer(), l.createMeter("calls", "sum")
	alert := "/v1/billing/alerts/" + l.create(testKey, "/v1/billing/alerts", url.Values{
		"alert_type": {"usage_threshold"}, "title": {"Much"}, "usage_threshold_config[gte]": {"10"}, "usage_threshold_config[meter]": {m.ID}, "usage_threshold_config[recurrence]": {"one_time"},
	})
	for i, value := range []int{6, 5, 20} {
		must[*stripe.BillingMeterEvent](t)(l.report("calls", c.ID, fmt.Sprint(i), value, l.time.Load()))
	}
	if n := l.countEvents("billing.alert.triggered"); n != 1 {
		t.Errorf("triggered %d times", n)
	}
	l.create(testKey, alert+"/deactivate", nil)
	must[*stripe.BillingMeterEvent](t)(l.report("calls", l.createCustomer().ID, "other", 50, l.time.Load()))
	if n := l.countEvents("billing.alert.triggered"); n != 1 {
		t.Errorf("an inactive alert was triggered")
	}
	l.create(testKey, alert+"/activate", nil)
	l.create(testKey, alert+"/archive", nil)
	if status, body := l.call(testKey, "POST", alert+"/activate", nil); status != http.StatusBadRequest {
		t.Errorf("an archived alert: %d %s", status, body)
	}
}
