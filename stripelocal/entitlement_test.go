package stripelocal_test

import (
	"slices"
	"testing"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

// createFeature creates a feature and attaches it to a product.
func (l *testServer) createFeature(key, product string) *stripe.EntitlementsFeature {
	l.t.Helper()
	f := must[*stripe.EntitlementsFeature](l.t)(l.api.EntitlementsFeatures.New(&stripe.EntitlementsFeatureParams{
		LookupKey: stripe.String(key), Name: stripe.String(key), Metadata: map[string]string{"a": "1"},
	}))
	must[*stripe.ProductFeature](l.t)(l.api.ProductFeatures.New(&stripe.ProductFeatureParams{Product: stripe.String(product), EntitlementFeature: stripe.String(f.ID)}))
	return f
}

func (l *testServer) entitlementKeys(customer string) []string {
	l.t.Helper()
	var out []string
	it := l.api.EntitlementsActiveEntitlements.List(&stripe.EntitlementsActiveEntitlementListParams{Customer: stripe.String(customer)})
	for it.Next() {
		out = append(out, it.EntitlementsActiveEntitlement().LookupKey)
	}
	if it.Err() != nil {
		l.t.Fatal(it.Err())
	}
	return out
}

func (l *testServer) countEvents(kind string) int {
	n := 0
	for _, k := range l.eventTypes() {
		if k == kind {
			n++
		}
	}
	return n
}

func TestEntitlementsFollowSubscriptions(t *testing.T) {
	const summaryUpdated = "entitlements.active_entitlement_summary.updated"
	l := start(t, stripelocal.Options{})
	price := l.createPrice("pro", 1000, "month")
	feature := l.createFeature("sso", price.Product.ID)
	cs := l.createCheckoutSession(l.createCustomer().ID, price.ID, 1)
	l.submitCheckout(cs.URL, "4242424242424242")
	sub := l.subscriptionOfSession(cs.ID)
	if got := l.entitlementKeys(sub.Customer.ID); !slices.Equal(got, []string{"sso"}) {
		t.Fatalf("entitlements %v", got)
	}
	if n := l.countEvents(summaryUpdated); n != 1 {
		t.Errorf("%d summaries", n)
	}
	it := l.api.EntitlementsActiveEntitlements.List(&stripe.EntitlementsActiveEntitlementListParams{Customer: stripe.String(sub.Customer.ID)})
	it.Next()
	p := &stripe.EntitlementsActiveEntitlementParams{}
	p.AddExpand("feature")
	if e := must[*stripe.EntitlementsActiveEntitlement](t)(l.api.EntitlementsActiveEntitlements.Get(it.EntitlementsActiveEntitlement().ID, p)); e.Feature.Name != "sso" || e.Feature.ID != feature.ID {
		t.Errorf("feature %+v", e.Feature)
	}
	l.createFeature("audit", price.Product.ID)
	must[*stripe.Subscription](t)(l.api.Subscriptions.Update(sub.ID, &stripe.SubscriptionParams{Metadata: map[string]string{"a": "b"}}))
	if got := l.entitlementKeys(sub.Customer.ID); len(got) != 1 {
		t.Errorf("a feature counts before the next period: %v", got)
	}
	l.time.Store(sub.CurrentPeriodEnd)
	if got := l.entitlementKeys(sub.Customer.ID); !slices.Equal(got, []string{"audit", "sso"}) {
		t.Errorf("after a renewal: %v", got)
	}
	must[*stripe.Subscription](t)(l.api.Subscriptions.Cancel(sub.ID, nil))
	if got := l.entitlementKeys(sub.Customer.ID); len(got) != 0 || l.countEvents(summaryUpdated) != 3 {
		t.Errorf("after the end: %v, %d summaries", got, l.countEvents(summaryUpdated))
	}
}

func TestFeaturesOfTwoSubscriptionsAndOfAnIncompleteOne(t *testing.T) {
	l := start(t, stripelocal.Options{})
	price := l.createPrice("pro", 1000, "month")
	l.createFeature("sso", price.Product.ID)
	c := must[*stripe.Customer](t)(l.api.Customers.New(&stripe.CustomerParams{PaymentMethod: stripe.String("pm_card_visa"), InvoiceSettings: &stripe.CustomerInvoiceSettingsParams{DefaultPaymentMethod: stripe.String("pm_card_visa")}}))
	subscribe := func(behavior string) *stripe.Subscription {
		return must[*stripe.Subscription](t)(l.api.Subscriptions.New(&stripe.SubscriptionParams{
			Customer: stripe.String(c.ID), PaymentBehavior: stripe.String(behavior), Items: []*stripe.SubscriptionItemsParams{{Price: stripe.String(price.ID)}},
		}))
	}
	incomplete := subscribe("default_incomplete")
	if got := l.entitlementKeys(c.ID); len(got) != 0 {
		t.Errorf("an incomplete subscription (%s) entitles to %v", incomplete.Status, got)
	}
	first, second := subscribe("allow_incomplete"), subscribe("allow_incomplete")
	must[*stripe.Subscription](t)(l.api.Subscriptions.Cancel(first.ID, nil))
	if got := l.entitlementKeys(c.ID); len(got) != 1 {
		t.Errorf("one of two subscriptions is left: %v", got)
	}
	must[*stripe.Subscription](t)(l.api.Subscriptions.Cancel(second.ID, nil))
	if got := l.entitlementKeys(c.ID); len(got) != 0 {
		t.Errorf("none is left: %v", got)
	}
}

func TestFeaturesAreUniqueAndCanBeArchived(t *testing.T) {
	l := start(t, stripelocal.Options{})
	product := l.createPrice("pro", 1000, "month").Product.ID
	f := l.createFeature("sso", product)
	_, err := l.api.EntitlementsFeatures.New(&stripe.EntitlementsFeatureParams{LookupKey: stripe.String("sso"), Name: stripe.String("Again")})
	wantError(t, err, 400, "resource_already_exists", stripe.ErrorTypeInvalidRequest)
	_, err = l.api.ProductFeatures.New(&stripe.ProductFeatureParams{Product: stripe.String(product), EntitlementFeature: stripe.String(f.ID)})
	wantError(t, err, 400, "resource_already_exists", stripe.ErrorTypeInvalidRequest)
	attached := l.api.ProductFeatures.List(&stripe.ProductFeatureListParams{Product: stripe.String(product)})
	if !attached.Next() || attached.ProductFeature().EntitlementFeature.ID != f.ID {
		t.Fatal("the product has no features")
	}
	id := attached.ProductFeature().ID
	must[*stripe.ProductFeature](t)(l.api.ProductFeatures.Get(id, &stripe.ProductFeatureParams{Product: stripe.String(product)}))
	if gone := must[*stripe.ProductFeature](t)(l.api.ProductFeatures.Del(id, &stripe.ProductFeatureParams{Product: stripe.String(product)})); !gone.Deleted {
		t.Error("not detached")
	}
	if archived := must[*stripe.EntitlementsFeature](t)(l.api.EntitlementsFeatures.Update(f.ID, &stripe.EntitlementsFeatureParams{Active: stripe.Bool(false)})); archived.Active {
		t.Error("not archived")
	}
	_, err = l.api.ProductFeatures.New(&stripe.ProductFeatureParams{Product: stripe.String(product), EntitlementFeature: stripe.String(f.ID)})
	wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest)
	if l.api.EntitlementsFeatures.List(&stripe.EntitlementsFeatureListParams{}).Next() {
		t.Error("an archived feature is listed")
	}
	must[*stripe.EntitlementsFeature](t)(l.api.EntitlementsFeatures.New(&stripe.EntitlementsFeatureParams{LookupKey: stripe.String("sso"), Name: stripe.String("Again")}))
	_, err = l.api.EntitlementsFeatures.Update(f.ID, &stripe.EntitlementsFeatureParams{Active: stripe.Bool(true)})
	wantError(t, err, 400, "resource_already_exists", stripe.ErrorTypeInvalidRequest)
	_, err = l.api.EntitlementsFeatures.Get("feat_none", nil)
	wantError(t, err, 404, "resource_missing", stripe.ErrorTypeInvalidRequest)
}
