package stripegw

import (
	"encoding/json"
	"net/url"
	"reflect"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v79"

	"usher/billing"
)

func TestSubscriptionMapping(t *testing.T) {
	t.Parallel()
	january := time.Date(2035, time.January, 1, 0, 0, 0, 0, time.UTC)
	may, june := time.Unix(1714521600, 0).UTC(), time.Unix(1717200000, 0).UTC()
	plain := billing.Subscription{
		ID: "sub_1", CustomerID: "cus_1", Account: "acct_own", Status: billing.StatusActive,
		Items: []billing.SubscriptionItem{
			{ID: "si_1", PriceID: "price_team_month", ProductID: "prod_team", Quantity: 3, CreatedAt: may},
		},
		CurrentPeriodStart: may, CurrentPeriodEnd: june, BillingCycleAnchor: &may, CreatedAt: may, MetadataOrgID: "org_1", LatestInvoiceID: "in_1",
		PaymentMethodID: "pm_1",
	}
	with := func(change func(*billing.Subscription)) billing.Subscription {
		changed := plain
		change(&changed)
		return changed
	}
	tests := map[string]struct {
		fields []string
		want   billing.Subscription
	}{
		"plain": {nil, plain},
		"cancel at period end": {[]string{"cancel_at_period_end", "true", "cancel_at", "1717200000", "canceled_at", "1714521600"},
			with(func(s *billing.Subscription) { s.CancelAtPeriodEnd, s.CancelAt, s.CanceledAt = true, &june, &may })},
		"ended": {[]string{"status", `"canceled"`, "ended_at", "1717200000", "canceled_at", "1717200000"},
			with(func(s *billing.Subscription) {
				s.Status, s.EndedAt, s.CanceledAt = billing.StatusCanceled, &june, &june
			})},
		"trial": {[]string{"status", `"trialing"`, "trial_end", "1717200000"},
			with(func(s *billing.Subscription) { s.Status, s.TrialEnd = billing.StatusTrialing, &june })},
		"card expanded": {[]string{"default_payment_method", `{"id":"pm_1","object":"payment_method","type":"card","card":{"brand":"visa","last4":"4242","exp_month":12,"exp_year":2034}}`},
			with(func(s *billing.Subscription) { s.CardBrand, s.CardLast4, s.CardExpiresAt = "visa", "4242", &january })},
		"the customer's card": {[]string{"default_payment_method", "null", "customer", `{"id":"cus_1","object":"customer","invoice_settings":{"default_payment_method":
				{"id":"pm_2","object":"payment_method","type":"card","card":{"brand":"visa","last4":"4444"}}}}`},
			with(func(s *billing.Subscription) { s.PaymentMethodID, s.CardBrand, s.CardLast4 = "pm_2", "visa", "4444" })},
		"its own card before the customer's": {[]string{"customer", `{"id":"cus_1","object":"customer","invoice_settings":{"default_payment_method":{"id":"pm_2","object":"payment_method"}}}`}, plain},
		"no card but a debit":                {[]string{"default_payment_method", `{"id":"pm_1","object":"payment_method","type":"sepa_debit"}`}, plain},
		"test clock and live": {[]string{"test_clock", `"clock_1"`, "livemode", "true"},
			with(func(s *billing.Subscription) { s.TestClock, s.Livemode = true, true })},
		"unknown status": {[]string{"status", `"hibernating"`}, with(func(s *billing.Subscription) { s.Status = "hibernating" })},
		"customer expanded, metadata of others": {[]string{"customer", `{"id":"cus_1","object":"customer"}`, "metadata", `{"orgid":"x"}`},
			with(func(s *billing.Subscription) { s.MetadataOrgID = "" })},
		"pending invoice interval": {[]string{"pending_invoice_item_interval", `{"interval":"month","interval_count":1}`},
			with(func(s *billing.Subscription) { s.PendingInvoiceInterval = "month" })},
		"pending invoice interval of others": {[]string{"pending_invoice_item_interval", `{"interval":"month","interval_count":3}`},
			with(func(s *billing.Subscription) { s.PendingInvoiceInterval = "3 month" })},
		"pending update": {[]string{"pending_update", `{"expires_at":1717200000,"subscription_items":[{"id":"si_2","price":{"id":"price_other"},"quantity":1},
				{"id":"si_1","price":{"id":"price_team_year"},"quantity":4}]}`},
			with(func(s *billing.Subscription) {
				s.PendingUntil = &june
				s.PendingItems = []billing.SubscriptionItem{{ID: "si_2", PriceID: "price_other", Quantity: 1}, {ID: "si_1", PriceID: "price_team_year", Quantity: 4}}
			})},
		"schedule, not expanded": {[]string{"schedule", `"sub_sched_1"`}, with(func(s *billing.Subscription) { s.ScheduleID = "sub_sched_1" })},
		"schedule with a next phase": {[]string{"schedule", scheduleJSON(`,{"start_date":1717200000,"end_date":1719792000,
				"items":[{"price":"price_other","quantity":1},{"price":"price_team_year","quantity":4}]}`)},
			with(func(s *billing.Subscription) {
				s.ScheduleID, s.ScheduledAt = "sub_sched_1", &june
				s.CurrentPhase = []billing.SubscriptionItem{{PriceID: "price_other", Quantity: 1}, {PriceID: "price_team_month", Quantity: 3}}
				s.NextPhase = []billing.SubscriptionItem{{PriceID: "price_other", Quantity: 1}, {PriceID: "price_team_year", Quantity: 4}}
			})},
		"schedule in its last phase": {[]string{"schedule", scheduleJSON("")}, with(func(s *billing.Subscription) { s.ScheduleID = "sub_sched_1" })},
		"no items": {[]string{"items", itemsJSON(false)},
			with(func(s *billing.Subscription) { s.Items = nil })},
		"several items": {[]string{"items", itemsJSON(false, itemJSON("m", 2, "metered", "{}"), "null",
			`{"id":"x","object":"subscription_item"}`, itemJSON("c", 1, "licensed", `{"usher":"packs"}`), itemJSON("b", 1, "licensed", `{"usher":"seats"}`))},
			with(func(s *billing.Subscription) {
				s.Items = []billing.SubscriptionItem{
					{ID: "b", PriceID: "price_b", ProductID: "prod_team", Quantity: 4, CreatedAt: time.Unix(1, 0).UTC(), Seats: true},
					{ID: "c", PriceID: "price_c", ProductID: "prod_team", Quantity: 4, CreatedAt: time.Unix(1, 0).UTC()},
					{ID: "m", PriceID: "price_m", ProductID: "prod_team", Quantity: 4, CreatedAt: time.Unix(2, 0).UTC(), Metered: true},
				}
			})},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var s stripe.Subscription
			if err := json.Unmarshal([]byte(subscriptionJSON("sub_1", test.fields...)), &s); err != nil {
				t.Fatal(err)
			}
			if got := mapSubscription(&s, "acct_own", time.Time{}); !reflect.DeepEqual(got, test.want) {
				t.Errorf("got  %+v\nwant %+v", got, test.want)
			}
		})
	}
}

// scheduleJSON is a schedule whose current phase has the seat item second, followed by other
// phases.
func scheduleJSON(next string) string {
	return `{"id":"sub_sched_1","object":"subscription_schedule","current_phase":{"start_date":1714521600,"end_date":1717200000},
		"phases":[{"start_date":1714521600,"end_date":1717200000,"items":[{"price":"price_other","quantity":1},{"price":"price_team_month","quantity":3}]}` + next + `]}`
}

func TestAllItemPagesAreRead(t *testing.T) {
	t.Parallel()
	f, gateway := newFake(t)
	first, second := itemJSON("si_a", 5, "licensed", "{}"), itemJSON("si_b", 6, "licensed", `{"usher":"seats"}`)
	f.HandleFunc("GET /v1/subscriptions/sub_1", respond(subscriptionJSON("sub_1", "items", itemsJSON(true, first))))
	f.HandleFunc("GET /v1/subscription_items", sequence(respond(itemsJSON(true, first)), respond(itemsJSON(false, second))))

	s, err := gateway.Subscription(t.Context(), "sub_1")
	if err != nil || len(s.Items) != 2 || s.Items[1].ID != "si_b" {
		t.Fatalf("got items %+v, %v, want those of both pages", s.Items, err)
	}
	requests := f.seen("GET", "/v1/subscription_items")
	if len(requests) != 2 || requests[0].form.Get("subscription") != "sub_1" || requests[1].form.Get("starting_after") != "si_a" {
		t.Errorf("requests %v", requests)
	}
}

func TestUpdateQuantity(t *testing.T) {
	t.Parallel()
	f, gateway := newFake(t)
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	f.HandleFunc("POST /v1/subscriptions/sub_1", sequence(
		respond(subscriptionJSON("sub_1"), dated(at)...),
		respond(subscriptionJSON("sub_1"), append(dated(at), "Idempotent-Replayed", "true")...)))
	update := billing.QuantityUpdate{SubscriptionID: "sub_1", ItemID: "si_1", Quantity: 0, Proration: "none", IdempotencyKey: "seats:si_1:7:2"}

	updated, err := gateway.UpdateQuantity(t.Context(), update)
	s := updated.Subscription
	if err != nil || updated.Replayed || s.Items[0].Quantity != 3 || s.Account != "acct_own" || at.Sub(s.AsOf) > 5*time.Second {
		t.Errorf("got %+v, replayed %t, %v", s, updated.Replayed, err)
	}
	updated, err = gateway.UpdateQuantity(t.Context(), update)
	if s = updated.Subscription; err != nil || !updated.Replayed || !s.AsOf.IsZero() {
		t.Errorf("the replayed response: got AsOf %v, replayed %t, %v", s.AsOf, updated.Replayed, err)
	}
	sent := f.seen("POST", "/v1/subscriptions/sub_1")[0]
	wantForm(t, sent.form, url.Values{
		"items[0][id]": {"si_1"}, "items[0][quantity]": {"0"}, "proration_behavior": {"none"}, "off_session": {"true"},
		"expand[0]": {"default_payment_method"}, "expand[1]": {customerCard}, "expand[2]": {"latest_invoice"}, "expand[3]": {"schedule"},
	})
	if sent.key != "seats:si_1:7:2" {
		t.Errorf("request has the key %q", sent.key)
	}
}

func TestUpdatePendingInvoiceInterval(t *testing.T) {
	t.Parallel()
	f, gateway := newFake(t)
	f.HandleFunc("POST /v1/subscriptions/sub_1", respond(subscriptionJSON("sub_1"), dated(time.Now())...))
	for _, update := range []billing.QuantityUpdate{
		{PendingInvoiceInterval: "month"}, {PendingInvoiceInterval: "none"},
		{ItemID: "si_1", Quantity: 4, Proration: "create_prorations", PendingInvoiceInterval: "month"},
	} {
		update.SubscriptionID = "sub_1"
		if _, err := gateway.UpdateQuantity(t.Context(), update); err != nil {
			t.Fatal(err)
		}
	}
	common := func(form url.Values) url.Values {
		form["off_session"], form["expand[0]"], form["expand[1]"] = []string{"true"}, []string{"default_payment_method"}, []string{customerCard}
		form["expand[2]"], form["expand[3]"] = []string{"latest_invoice"}, []string{"schedule"}
		return form
	}
	sent := f.seen("POST", "/v1/subscriptions/sub_1")
	wantForm(t, sent[0].form, common(url.Values{"pending_invoice_item_interval[interval]": {"month"}}))
	wantForm(t, sent[1].form, common(url.Values{"pending_invoice_item_interval": {""}}))
	wantForm(t, sent[2].form, common(url.Values{
		"items[0][id]": {"si_1"}, "items[0][quantity]": {"4"}, "proration_behavior": {"create_prorations"}, "pending_invoice_item_interval[interval]": {"month"},
	}))
}

// wantForm compares all parameters, so that additional ones fail too.
func wantForm(t *testing.T, got, want url.Values) {
	t.Helper()
	for name := range want {
		if !reflect.DeepEqual(got[name], want[name]) {
			t.Errorf("%s: sent %q, want %q", name, got[name], want[name])
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s: sent %q, want nothing", name, got[name])
		}
	}
}
