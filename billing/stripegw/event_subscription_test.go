package stripegw

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v79"
)

// subscriptionPayloads are subscriptions as events carry them, with every field of a snapshot.
var subscriptionPayloads = map[string]string{
	"as it is": subscriptionJSON("sub_1"),
	"everything": subscriptionJSON("sub_1", "status", `"trialing"`, "livemode", "true", "test_clock", `"clock_1"`, "created", "1700000000",
		"current_period_start", "1700000001", "current_period_end", "1700000002", "cancel_at_period_end", "true", "cancel_at", "1700000003",
		"canceled_at", "1700000004", "ended_at", "1700000005", "trial_start", "1700000006", "trial_end", "1700000007",
		"billing_cycle_anchor", "1700000008", "pending_invoice_item_interval", `{"interval":"month","interval_count":2}`,
		"collection_method", `"send_invoice"`, "default_payment_method", `"pm_1"`, "default_source", `"card_1"`, "schedule", `"sub_sched_1"`,
		"latest_invoice", `"in_1"`, "metadata", `{"orgId":"org_2"}`,
		"pending_update", `{"expires_at":1700000009,"subscription_items":[`+itemJSON("si_3", 5, "licensed", "{}")+`]}`,
		"items", itemsJSON(false, itemJSON("si_2", 2, "metered", `{"usher":"seats"}`), itemJSON("si_1", 1, "licensed", "{}"), `{"id":"si_0","deleted":true}`)),
	"with an expanded method": subscriptionJSON("sub_1", "default_payment_method",
		`{"id":"pm_1","object":"payment_method","type":"card","card":{"brand":"visa","last4":"4242","exp_month":4,"exp_year":2040,"fingerprint":"fp"}}`),
	"with an expanded customer": subscriptionJSON("sub_1", "customer", `{"id":"cus_2","object":"customer"}`),
	"with a product":            subscriptionJSON("sub_1", "items", itemsJSON(false, `{"id":"si_1","price":{"id":"price_1","nickname":"Pro","product":{"id":"prod_1","object":"product"}}}`)),
	"without items":             subscriptionJSON("sub_1", "items", "null"),
	"with more items":           subscriptionJSON("sub_1", "items", itemsJSON(true)),
}

// A snapshot is the same whichever type the payload is decoded into.
func TestPayloadIsDecodedLikeStripesType(t *testing.T) {
	t.Parallel()
	asOf := time.Unix(1714521650, 0).UTC()
	for name, payload := range subscriptionPayloads {
		decoded, err := decodeSubscription([]byte(payload))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var whole stripe.Subscription
		if err := whole.UnmarshalJSON([]byte(payload)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, want := mapSubscription(decoded, "acct_1", asOf), mapSubscription(&whole, "acct_1", asOf)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, want)
		}
		if (decoded.Items == nil) != (whole.Items == nil) || decoded.Items != nil && decoded.Items.HasMore != whole.Items.HasMore || decoded.Object != whole.Object {
			t.Errorf("%s: items %+v, object %q", name, decoded.Items, decoded.Object)
		}
	}
}

// An event about a subscription is the same whether it is parsed in one pass or as any other.
func TestSubscriptionEventInOnePass(t *testing.T) {
	t.Parallel()
	_, gateway := newFake(t)
	passes := 0
	for name, object := range subscriptionPayloads {
		for _, payload := range []string{
			eventJSON(stripe.APIVersion, "customer.subscription.updated", object),
			eventJSON("2025-09-30.clover", "customer.subscription.updated", object),
			eventJSON(stripe.APIVersion, "customer.subscription.updated", "["+object+"]"),
			eventJSON(stripe.APIVersion, "customer.updated", strings.Replace(object, `"subscription"`, `"customer.subscription.x"`, 1)),
			strings.Replace(eventJSON(stripe.APIVersion, "customer.subscription.deleted", object), "{", `{"account":"acct_2",`, 1),
			strings.Replace(eventJSON(stripe.APIVersion, "customer.subscription.deleted", object), `"evt_1"`, `""`, 1),
			strings.Replace(eventJSON(stripe.APIVersion, "customer.subscription.deleted", object), `"livemode":true`, `"livemode":"true"`, 1),
		} {
			got, err := gateway.ParseEvent([]byte(payload))
			want, wantErr := gateway.parseEvent([]byte(payload))
			if !reflect.DeepEqual(got, want) || fmt.Sprint(err) != fmt.Sprint(wantErr) {
				t.Errorf("%s: %s\n got %+v, %v\nwant %+v, %v", name, payload, got, err, want, wantErr)
			}
			if _, ok := gateway.parseSubscriptionEvent([]byte(payload)); ok {
				passes++
			}
		}
	}
	if passes != 4 { // two of each payload without expanded objects and with every item
		t.Errorf("%d events were parsed in one pass", passes)
	}
}

func BenchmarkDecodeSubscription(b *testing.B) {
	payload := []byte(subscriptionPayloads["as it is"])
	b.Run("payload", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := decodeSubscription(payload); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("stripe-go", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := new(stripe.Subscription).UnmarshalJSON(payload); err != nil {
				b.Fatal(err)
			}
		}
	})
}
