package stripegw

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/catalog"
)

// A change sends only what a pending update supports, and price and quantity together.
func TestChangePlanParameters(t *testing.T) {
	t.Parallel()
	at := time.Unix(1714608000, 0)
	common := url.Values{
		"items[0][id]": {"si_1"}, "items[0][price]": {"price_2"}, "items[0][quantity]": {"5"}, "payment_behavior": {"pending_if_incomplete"},
		"expand[0]": {"default_payment_method"}, "expand[1]": {customerCard}, "expand[2]": {"latest_invoice"}, "expand[3]": {"schedule"},
	}
	tests := map[string]struct {
		update billing.PlanUpdate
		more   url.Values
	}{
		"upgrade": {billing.PlanUpdate{Proration: catalog.ProrationAlwaysInvoice, ProratedAt: &at},
			url.Values{"proration_behavior": {"always_invoice"}, "proration_date": {"1714608000"}}},
		"trial": {billing.PlanUpdate{Proration: catalog.ProrationNone, TrialEnd: &at},
			url.Values{"proration_behavior": {"none"}, "trial_end": {"1714608000"}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, gateway := newFake(t)
			f.HandleFunc("POST /v1/subscriptions/sub_1", respond(subscriptionJSON("sub_1", "latest_invoice",
				`{"id":"in_2","object":"invoice","status":"open","amount_paid":0,"amount_remaining":1500,"currency":"usd","hosted_invoice_url":"https://invoice.stripe.com/i/2"}`)))
			update := test.update
			update.SubscriptionID, update.ItemID, update.PriceID, update.Quantity, update.IdempotencyKey = "sub_1", "si_1", "price_2", 5, "plan:chg_1"
			answer, err := gateway.ChangePlan(t.Context(), update)
			if err != nil || answer.LatestInvoice == nil || answer.LatestInvoice.ID != "in_2" || answer.LatestInvoice.AmountDue != 1500 || answer.Subscription.LatestInvoiceID != "in_2" {
				t.Fatalf("answer %+v, invoice %+v, %v", answer, answer.LatestInvoice, err)
			}
			sent := f.seen("POST", "/v1/subscriptions/sub_1")[0]
			for name, values := range common {
				test.more[name] = values
			}
			wantForm(t, sent.form, test.more)
			if sent.key != "plan:chg_1" {
				t.Errorf("key %q", sent.key)
			}
		})
	}
}

// The preview has the parameters of the change and Stripe's amounts.
func TestPreviewPlanChange(t *testing.T) {
	t.Parallel()
	f, gateway := newFake(t)
	f.HandleFunc("POST /v1/invoices/create_preview", respond(`{"object":"invoice","currency":"usd","amount_due":900,"total":1000,"tax":100,
		"starting_balance":-100,"ending_balance":0,"created":1714608000,"period_end":1714608000,"subscription_proration_date":1714608000,
		"lines":{"object":"list","has_more":false,"data":[
			{"id":"il_1","type":"invoiceitem","proration":true,"amount":-500,"quantity":1,"description":"Unused time","period":{"start":1714608000,"end":1717200000},"price":{"id":"price_1"}},
			{"id":"il_2","type":"subscription","proration":false,"amount":1400,"quantity":5,"period":{"start":1714608000,"end":1746144000},"price":{"id":"price_2"},
				"discount_amounts":[{"amount":100}],"tax_amounts":[{"amount":130,"inclusive":false},{"amount":7,"inclusive":true}]}]}}`))
	at := time.Unix(1714608000, 0).UTC()
	preview, err := gateway.PreviewPlanChange(t.Context(), billing.PlanUpdate{
		SubscriptionID: "sub_1", ItemID: "si_1", PriceID: "price_2", Quantity: 5, Proration: catalog.ProrationAlwaysInvoice, ProratedAt: &at,
	})
	usd := func(minor int64) catalog.Money { return catalog.Money{Minor: minor, Currency: "usd"} }
	if err != nil || preview.AmountDue != usd(900) || preview.Total != usd(1000) || preview.Tax != usd(100) || preview.BalanceUsed != usd(-100) || !preview.ProratedAt.Equal(at) {
		t.Fatalf("preview %+v, %v", preview, err)
	}
	if line := preview.Lines[1]; line.Net != usd(1430) || line.PriceID != "price_2" || !line.Subscription || line.Proration || preview.Lines[0].Subscription {
		t.Errorf("lines %+v", preview.Lines)
	}
	wantForm(t, f.seen("POST", "/v1/invoices/create_preview")[0].form, url.Values{
		"expand[0]": {"discounts"}, "subscription": {"sub_1"},
		"subscription_details[items][0][id]": {"si_1"}, "subscription_details[items][0][price]": {"price_2"},
		"subscription_details[items][0][quantity]": {"5"}, "subscription_details[proration_behavior]": {"always_invoice"},
		"subscription_details[proration_date]": {"1714608000"},
	})
}

// A downgrade keeps everything else of the current phase, and is one update after the creation.
func TestSchedulePlanParameters(t *testing.T) {
	t.Parallel()
	f, gateway := newFake(t)
	schedule := `{"id":"sub_sched_1","object":"subscription_schedule","status":"active","current_phase":{"start_date":1714521600,"end_date":1717200000},
		"phases":[{"start_date":1714521600,"end_date":1717200000,"discounts":[{"discount":"di_1"}],"default_tax_rates":[{"id":"txr_1"}],
			"items":[{"price":"price_1","quantity":3},{"price":"price_metered"}]}]}`
	f.HandleFunc("POST /v1/subscription_schedules", respond(schedule))
	f.HandleFunc("GET /v1/subscription_schedules/sub_sched_1", respond(schedule))
	f.HandleFunc("POST /v1/subscription_schedules/sub_sched_1", respond(schedule))
	id, err := gateway.SchedulePlan(t.Context(), billing.PlanSchedule{
		SubscriptionID: "sub_1", FromPriceID: "price_1", PriceID: "price_2", Quantity: 4, At: time.Unix(1717200000, 0), IdempotencyKey: "schedule:chg_1",
	})
	if err != nil || id != "sub_sched_1" {
		t.Fatalf("%q, %v", id, err)
	}
	created := f.seen("POST", "/v1/subscription_schedules")[0]
	wantForm(t, created.form, url.Values{"from_subscription": {"sub_1"}})
	if created.key != "schedule:chg_1" {
		t.Errorf("key %q", created.key)
	}
	wantForm(t, f.seen("POST", "/v1/subscription_schedules/sub_sched_1")[0].form, url.Values{
		"end_behavior": {"release"}, "proration_behavior": {"none"}, "metadata[usher]": {"plan_change"},
		"phases[0][start_date]": {"1714521600"}, "phases[0][end_date]": {"1717200000"},
		"phases[0][items][0][price]": {"price_1"}, "phases[0][items][0][quantity]": {"3"}, "phases[0][items][1][price]": {"price_metered"},
		"phases[0][discounts][0][discount]": {"di_1"}, "phases[0][default_tax_rates][0]": {"txr_1"},
		"phases[1][items][0][price]": {"price_2"}, "phases[1][items][0][quantity]": {"4"}, "phases[1][items][1][price]": {"price_metered"},
		"phases[1][iterations]": {"1"}, "phases[1][proration_behavior]": {"none"},
		"phases[1][discounts][0][discount]": {"di_1"}, "phases[1][default_tax_rates][0]": {"txr_1"},
	})
}

// A schedule whose phases Stripe refuses is released: it would only be in the way.
func TestSchedulePlanReleasesWhatItCannotFinish(t *testing.T) {
	t.Parallel()
	f, gateway := newFake(t)
	schedule := `{"id":"sub_sched_1","object":"subscription_schedule","current_phase":{"start_date":1,"end_date":2},"phases":[{"start_date":1,"end_date":2,"items":[{"price":"price_1","quantity":3}]}]}`
	f.HandleFunc("POST /v1/subscription_schedules", respond(schedule))
	f.HandleFunc("GET /v1/subscription_schedules/sub_sched_1", respond(schedule))
	f.HandleFunc("POST /v1/subscription_schedules/sub_sched_1", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"error":{"type":"invalid_request_error","message":"no"}}`))
	})
	f.HandleFunc("POST /v1/subscription_schedules/sub_sched_1/release", respond(schedule))
	if _, err := gateway.SchedulePlan(t.Context(), billing.PlanSchedule{SubscriptionID: "sub_1", FromPriceID: "price_1", PriceID: "price_2", Quantity: 4, At: time.Unix(2, 0)}); err == nil {
		t.Fatal("no error")
	}
	if n := len(f.seen("POST", "/v1/subscription_schedules/sub_sched_1/release")); n != 1 {
		t.Errorf("%d releases, want 1", n)
	}
}
