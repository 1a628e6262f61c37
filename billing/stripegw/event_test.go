package stripegw

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v79"
	"github.com/stripe/stripe-go/v79/webhook"

	"usher/billing"
	"usher/billing/apperr"
)

func eventJSON(version, kind, object string) string {
	return fmt.Sprintf(`{"id":"evt_1","object":"event","api_version":%q,"created":1714521650,"livemode":true,"pending_webhooks":1,
		"request":{"id":"req_1","idempotency_key":null},"type":%q,"data":{"object":%s}}`, version, kind, object)
}

func TestSubscriptionEventIsASnapshot(t *testing.T) {
	t.Parallel()
	_, gateway := newFake(t)
	payload := []byte(eventJSON(stripe.APIVersion, "customer.subscription.updated", subscriptionJSON("sub_1", "status", `"hibernating"`, "test_clock", `"clock_1"`)))
	event, err := gateway.ParseEvent(payload)
	if err != nil {
		t.Fatal(err)
	}
	s := event.Subscription
	if s == nil || s.ID != "sub_1" || s.Items[0].Quantity != 3 || s.Status != "hibernating" || s.CardLast4 != "" || s.Account != "" {
		t.Fatalf("got snapshot %+v", s)
	}
	if !s.AsOf.Equal(time.Unix(1714521650, 0)) || !event.Created.Equal(s.AsOf) {
		t.Errorf("AsOf %v, created %v, want the event's time", s.AsOf, event.Created)
	}
	event.Subscription = nil
	want := billing.Event{ID: "evt_1", Type: "customer.subscription.updated", APIVersion: "2024-06-20", Livemode: true, Created: event.Created, PendingWebhooks: 1,
		Payload: payload, ObjectID: "sub_1", ObjectType: "subscription", CustomerID: "cus_1", SubscriptionID: "sub_1", OrgID: "org_1", TestClock: true}
	if !reflect.DeepEqual(event, want) {
		t.Errorf("got  %+v\nwant %+v", event, want)
	}
}

func TestEventSnapshotAccount(t *testing.T) {
	t.Parallel()
	_, gateway := newFake(t)
	own := []byte(eventJSON(stripe.APIVersion, "customer.subscription.updated", subscriptionJSON("sub_1")))
	connected := append([]byte(`{"account":"acct_connected",`), own[1:]...)
	if _, err := gateway.Account(t.Context()); err != nil {
		t.Fatal(err)
	}
	for want, payload := range map[string][]byte{"acct_own": own, "acct_connected": connected} {
		event, err := gateway.ParseEvent(payload)
		if err != nil || event.Subscription.Account != want {
			t.Errorf("got %+v, %v, want account %s", event.Subscription, err, want)
		}
	}
}

func TestCheckoutEvent(t *testing.T) {
	t.Parallel()
	_, gateway := newFake(t)
	event, err := gateway.ParseEvent([]byte(eventJSON(stripe.APIVersion, "checkout.session.completed",
		`{"id":"cs_1","object":"checkout.session","mode":"subscription","status":"complete","payment_status":"paid","customer":"cus_1",
		"subscription":"sub_1","client_reference_id":"org_1","expires_at":1717200000,"url":null,"metadata":{"orgId":"org_1","user_id":"usr_1"}}`)))
	if err != nil {
		t.Fatal(err)
	}
	want := &billing.StripeCheckoutSession{ID: "cs_1", Mode: billing.ModeSubscription, Status: billing.CheckoutComplete, PaymentStatus: "paid", CustomerID: "cus_1",
		SubscriptionID: "sub_1", ClientReferenceID: "org_1", OrgID: "org_1", ExpiresAt: time.Unix(1717200000, 0).UTC()}
	if !reflect.DeepEqual(event.Checkout, want) || event.SubscriptionID != "sub_1" || event.CustomerID != "cus_1" || event.OrgID != "org_1" {
		t.Errorf("got %+v, checkout %+v", event, event.Checkout)
	}
}

func TestEventIDsOfAllTypesAndVersions(t *testing.T) {
	t.Parallel()
	type ids struct {
		object, kind, customer, subscription, org string
		clock                                     bool
	}
	const ours, newer = stripe.APIVersion, "2025-09-30.clover"
	tests := map[string]struct {
		version, kind, object string
		want                  ids
	}{
		"subscription of a newer version": {newer, "customer.subscription.updated", subscriptionJSON("sub_1", "customer", `{"id":"cus_2"}`),
			ids{"sub_1", "subscription", "cus_2", "sub_1", "org_1", false}},
		"subscription on a clock": {newer, "customer.subscription.updated", subscriptionJSON("sub_1", "test_clock", `"clock_1"`),
			ids{"sub_1", "subscription", "cus_1", "sub_1", "org_1", true}},
		"subscription with more items than came along": {ours, "customer.subscription.updated",
			subscriptionJSON("sub_1", "items", itemsJSON(true, itemJSON("a", 1, "licensed", "{}"))), ids{"sub_1", "subscription", "cus_1", "sub_1", "org_1", false}},
		"subscription of a broken shape": {ours, "customer.subscription.updated", `{"id":"sub_1","object":"subscription","items":7,"customer":"cus_1"}`,
			ids{"sub_1", "subscription", "cus_1", "sub_1", "", false}},
		"something else under a subscription's type": {ours, "customer.subscription.updated", `{"id":"in_1","object":"invoice","customer":"cus_1"}`,
			ids{"in_1", "invoice", "cus_1", "", "", false}},
		"invoice": {ours, "invoice.paid", `{"id":"in_1","object":"invoice","customer":"cus_1","subscription":"sub_1","metadata":{},
			"subscription_details":{"metadata":{"orgId":"org_2"}}}`, ids{"in_1", "invoice", "cus_1", "sub_1", "org_2", false}},
		"invoice of a newer version": {newer, "invoice.paid", `{"id":"in_1","object":"invoice","customer":"cus_1","metadata":null,
			"parent":{"type":"subscription_details","subscription_details":{"subscription":{"id":"sub_3","object":"subscription"},"metadata":{"orgId":"org_3"}}}}`,
			ids{"in_1", "invoice", "cus_1", "sub_3", "org_3", false}},
		"invoice to come, without an id": {ours, "invoice.upcoming", `{"object":"invoice","customer":"cus_1","subscription":"sub_1"}`,
			ids{"", "invoice", "cus_1", "sub_1", "", false}},
		"customer": {ours, "customer.deleted", `{"id":"cus_1","object":"customer","metadata":{"orgId":"org_1"}}`,
			ids{"cus_1", "customer", "cus_1", "", "org_1", false}},
		"session whose metadata says nothing": {newer, "checkout.session.completed", `{"id":"cs_1","object":"checkout.session","customer":"cus_1",
			"subscription":"sub_1","client_reference_id":"org_4","metadata":{}}`, ids{"cs_1", "checkout.session", "cus_1", "sub_1", "org_4", false}},
		"session whose metadata differs": {ours, "checkout.session.completed", `{"id":"cs_1","object":"checkout.session","client_reference_id":"org_4",
			"metadata":{"orgId":"org_1"}}`, ids{"cs_1", "checkout.session", "", "", "org_1", false}},
		"every field of the wrong type": {newer, "invoice.paid", `{"id":7,"object":"invoice","customer":["cus_1"],"subscription":true,"test_clock":1,
			"client_reference_id":{},"metadata":"x","subscription_details":[],"parent":"x"}`, ids{kind: "invoice", clock: false}},
		"one wrong field leaves the others": {newer, "invoice.paid", `{"metadata":{"orgId":5},"parent":3,"id":"in_1","object":"invoice","customer":"cus_1"}`,
			ids{"in_1", "invoice", "cus_1", "", "", false}},
		"control characters":  {newer, "invoice.paid", `{"id":"in_\u0000","object":"invoice","customer":"cus_\n","metadata":{"orgId":"org\u0007"}}`, ids{kind: "invoice"}},
		"no object":           {newer, "invoice.paid", `null`, ids{}},
		"object is no object": {ours, "customer.subscription.updated", `"sub_1"`, ids{}},
	}
	_, gateway := newFake(t)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e, err := gateway.ParseEvent([]byte(eventJSON(test.version, test.kind, test.object)))
			if err != nil {
				t.Fatal(err)
			}
			got := ids{e.ObjectID, e.ObjectType, e.CustomerID, e.SubscriptionID, e.OrgID, e.TestClock}
			if got != test.want || e.Subscription != nil {
				t.Errorf("got %+v, snapshot %v, want %+v", got, e.Subscription, test.want)
			}
		})
	}
}

func FuzzVerifyEvent(f *testing.F) {
	f.Add([]byte(eventJSON(stripe.APIVersion, "customer.subscription.updated", subscriptionSample)), "")
	f.Add([]byte(eventJSON("2025-09-30.clover", "invoice.paid", `{"parent":{"subscription_details":{"subscription":"sub_1"}}}`)), "t=1,v1=00")
	f.Add([]byte(eventJSON(stripe.APIVersion, "checkout.session.completed", checkoutSample)), ",=,t=")
	f.Add([]byte(`{"id":"evt_1","type":"x","data":{"object":"\""}}`), "v1=")
	gateway := New(Options{SecretKey: "sk_test_123456789012", WebhookSecrets: []string{secretA}})
	now := time.Unix(1714521650, 0)
	f.Fuzz(func(t *testing.T, body []byte, header string) {
		if _, err := gateway.VerifyEvent(body, header, now); err == nil {
			t.Errorf("the header %q was accepted", header)
		}
		header = fmt.Sprintf("t=%d,v1=%s", now.Unix(), hex.EncodeToString(webhook.ComputeSignature(now, body, secretA)))
		event, err := gateway.VerifyEvent(body, header, now)
		switch {
		case err != nil && (apperr.CodeOf(err) != apperr.CodeInvalid || apperr.MessageOf(err) != messageInvalidEvent):
			t.Errorf("a signed body was rejected with %v", err)
		case err == nil && (event.ID == "" || event.Type == "" || !bytes.Equal(event.Payload, body)):
			t.Errorf("got %+v", event)
		}
	})
}

func BenchmarkVerifyEvent(b *testing.B) {
	gateway := New(Options{SecretKey: "sk_test_123456789012", WebhookSecrets: []string{secretA}})
	now := time.Unix(1714521650, 0)
	for name, payload := range map[string]string{
		"subscription": eventJSON(stripe.APIVersion, "customer.subscription.updated", subscriptionSample),
		"ids":          eventJSON("2025-09-30.clover", "customer.subscription.updated", subscriptionSample),
	} {
		header := fmt.Sprintf("t=%d,v1=%s", now.Unix(), signature(payload, secretA, now))
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := gateway.VerifyEvent([]byte(payload), header, now); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestDetachedPaymentMethodHasFormerCustomer(t *testing.T) {
	t.Parallel()
	_, gateway := newFake(t)
	for previous, want := range map[string]string{`{"customer":"cus_1"}`: "cus_1", `"odd"`: "", `null`: ""} {
		payload := fmt.Sprintf(`{"id":"evt_1","type":"payment_method.detached","data":{"object":{"id":"pm_1","object":"payment_method","customer":null},
			"previous_attributes":%s}}`, previous)
		event, err := gateway.ParseEvent([]byte(payload))
		if err != nil || event.CustomerID != want || event.ObjectID != "pm_1" {
			t.Errorf("%s: %+v, %v", previous, event, err)
		}
	}
}

func TestUpcomingInvoiceHasSubscriptionID(t *testing.T) {
	t.Parallel()
	_, gateway := newFake(t)
	event, err := gateway.ParseEvent([]byte(eventJSON(stripe.APIVersion, "invoice.upcoming",
		`{"object":"invoice","customer":"cus_1","subscription":"sub_1","lines":{"object":"list","data":[],"has_more":false}}`)))
	if err != nil || event.SubscriptionID != "sub_1" || event.CustomerID != "cus_1" || event.Invoice != nil {
		t.Errorf("got %+v, %v", event, err)
	}
}
