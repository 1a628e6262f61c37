package billing_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/apperr"
	"usher/billing/catalog"
	"usher/billing/mail"
)

// supportPriceID creates a price at Stripe that belongs to no plan: $5 a month.
func (env *testEnv) supportPriceID() string {
	env.t.Helper()
	var price struct{ ID string }
	env.stripeRequest(http.MethodPost, "/v1/prices", url.Values{
		"currency": {"usd"}, "unit_amount": {"500"}, "recurring[interval]": {"month"}, "product_data[name]": {"Priority support"},
	}, &price)
	return price.ID
}

// sellAtStripe makes a subscription as support does, in the dashboard or by API, and returns its
// id.
func (env *testEnv) sellAtStripe(customerID, priceID string, more url.Values) string {
	env.t.Helper()
	form := url.Values{
		"customer": {customerID}, "items[0][price]": {priceID}, "collection_method": {"send_invoice"}, "days_until_due": {"30"},
	}
	for name, values := range more {
		form[name] = values
	}
	var made struct{ ID string }
	env.stripeRequest(http.MethodPost, "/v1/subscriptions", form, &made)
	return made.ID
}

// receiveAll waits until Stripe has delivered every event, and processes the pending ones.
func (env *testEnv) receiveAll() {
	env.t.Helper()
	if !poll(func() bool { return env.processPendingEvents() && env.allDelivered() && env.processPendingEvents() }) {
		env.t.Fatal("timed out waiting for the events")
	}
}

func (env *testEnv) allDelivered() bool {
	env.t.Helper()
	var list struct {
		Data []struct {
			PendingWebhooks int `json:"pending_webhooks"`
		}
	}
	env.stripeGet("/v1/events?limit=100", &list)
	for _, event := range list.Data {
		if event.PendingWebhooks > 0 {
			return false
		}
	}
	return true
}

// wantUntouched checks that subscriptions are active at Stripe and that nothing was refunded or is
// going to be.
func (env *testEnv) wantUntouched(ids ...string) {
	env.t.Helper()
	for _, id := range ids {
		var s struct{ Status string }
		env.stripeGet("/v1/subscriptions/"+id, &s)
		if s.Status != "active" {
			env.t.Errorf("%s is %s at Stripe, want active", id, s.Status)
		}
	}
	var refunds refundList
	env.stripeGet("/v1/refunds", &refunds)
	if len(refunds.Data) != 0 || env.queryInt(`select count(*) from duplicate_subscriptions`) != 0 {
		env.t.Errorf("refunds %+v, %d duplicates, want none", refunds.Data, env.queryInt(`select count(*) from duplicate_subscriptions`))
	}
}

// wantCurrent checks which subscription is current and whether it gives access; an empty id means
// none.
func (env *testEnv) wantCurrent(id string, access bool) {
	env.t.Helper()
	o := env.overview()
	got := ""
	if o.Subscription != nil {
		got = o.Subscription.ID
	}
	if got != id || o.HasAccess != access {
		env.t.Errorf("current %q, access %v; want %q, %v", got, o.HasAccess, id, access)
	}
	if n := env.queryInt(`select count(*) from subscriptions where is_current and is_foreign`); n != 0 {
		env.t.Errorf("%d foreign subscriptions are current", n)
	}
}

func (env *testEnv) foreignIDs() []string {
	env.t.Helper()
	details, err := env.service.Operations.Organization(env.t.Context(), env.access.Organization.ID)
	env.must(err)
	var ids []string
	for _, s := range details.Foreign {
		ids = append(ids, s.ID)
	}
	return ids
}

// customerID creates the organization's customer at Stripe, by opening a Checkout for a pack.
func (env *testEnv) customerID() string {
	env.t.Helper()
	pack, err := env.service.Checkouts.StartPack(env.t.Context(), env.access, billing.CheckoutRequest{PackID: "credits_500"})
	env.must(err)
	return pack.CustomerID
}

// Support sells something else to the customer while a Checkout page is open. The plan that is then
// paid on the page stays, and so does what support has sold.
func TestSupportItemSoldDuringCheckoutEndsNothing(t *testing.T) {
	env := newTestEnv(t)
	env.registerWebhook()
	session, err := env.service.Checkouts.Start(t.Context(), env.access, billing.CheckoutRequest{PlanID: "pro", Interval: catalog.Monthly})
	env.must(err)
	support := env.sellAtStripe(session.CustomerID, env.supportPriceID(), env.organizationMetadataOfSubscription())
	env.receiveAll()
	env.wantCurrent("", false)
	env.stripe.AdvanceClock(env.stripe.Now().Add(2 * time.Second))
	env.pay(session)
	env.receiveAll()
	if plan := env.overview().Plan; plan == nil || plan.ID != "pro" {
		t.Fatalf("plan %+v, want pro", plan)
	}
	pro := env.overview().Subscription.ID
	env.wantCurrent(pro, true)
	env.wantUntouched(pro, support)
	if ids := env.foreignIDs(); !slices.Equal(ids, []string{support}) {
		t.Errorf("foreign subscriptions %v, want %s", ids, support)
	}
	if drifts := env.reconcile(billing.ReconcileOptions{}); len(drifts) != 0 {
		t.Errorf("drift %v", drifts)
	}
}

func (env *testEnv) organizationMetadataOfSubscription() url.Values {
	return url.Values{"metadata[orgId]": {env.access.Organization.ID}}
}

// A yearly plan that was made by API is ours, but no Checkout of ours has sold it: whichever of the
// two is older, both stay, and operators see it.
func TestPlanMadeByAPIBesideAnotherIsReported(t *testing.T) {
	env := newTestEnv(t)
	env.registerWebhook()
	starter := env.subscribe("starter")
	env.stripe.AdvanceClock(starter.CreatedAt.Add(2 * time.Second))
	yearly := env.sellAtStripe(starter.CustomerID, env.planPriceID("pro", catalog.Yearly), env.organizationMetadataOfSubscription())
	env.receiveAll()
	env.wantCurrent(starter.ID, true)
	env.wantUntouched(starter.ID, yearly)

	for _, o := range []billing.ReconcileOptions{{DryRun: true}, {}, {OrganizationID: env.access.Organization.ID}} {
		report, err := env.service.Reconciler.Reconcile(t.Context(), o)
		env.must(err)
		i := slices.IndexFunc(report.Drifts, func(d billing.Drift) bool { return d.Kind == billing.DriftDuplicate })
		if i < 0 || report.Drifts[i].ObjectID != yearly || report.Drifts[i].Repaired || report.Drifts[i].OrganizationID != env.access.Organization.ID {
			t.Errorf("%+v: drifts %+v, want the second subscription", o, report.Drifts)
		}
	}
	backlog, err := env.service.Operations.Backlog(t.Context())
	env.must(err)
	if backlog.SecondSubscriptions != 1 {
		t.Errorf("%d second subscriptions in the backlog, want 1", backlog.SecondSubscriptions)
	}
	env.wantCurrent(starter.ID, true)
	env.wantUntouched(starter.ID, yearly)
}

// The plan made by API is the older one; the Checkout page that was open is paid.
func TestCheckoutPaidBesidePlanMadeByAPIEndsNothing(t *testing.T) {
	env := newTestEnv(t)
	env.registerWebhook()
	session, err := env.service.Checkouts.Start(t.Context(), env.access, billing.CheckoutRequest{PlanID: "starter", Interval: catalog.Monthly})
	env.must(err)
	byAPI := env.sellAtStripe(session.CustomerID, env.planPriceID("pro", catalog.Monthly), env.organizationMetadataOfSubscription())
	env.receiveAll()
	env.stripe.AdvanceClock(env.stripe.Now().Add(2 * time.Second))
	env.pay(session)
	env.receiveAll()
	env.wantCurrent(byAPI, true)
	if n := env.queryInt(`select count(*) from subscriptions where not is_foreign`); n != 2 {
		t.Fatalf("%d subscriptions of ours, want 2", n)
	}
	env.wantUntouched(byAPI)
}

// A Checkout that was opened elsewhere for the same customer is not ours, whatever its metadata is.
func TestCheckoutOpenedElsewhereIsNoDuplicate(t *testing.T) {
	env := newTestEnv(t)
	env.registerWebhook()
	first := env.subscribe("pro")
	env.stripe.AdvanceClock(first.CreatedAt.Add(time.Second))
	var opened struct{ ID, URL string }
	env.stripeRequest(http.MethodPost, "/v1/checkout/sessions", url.Values{
		"mode": {"subscription"}, "customer": {first.CustomerID}, "success_url": {"http://usher.test/organization"},
		"line_items[0][price]": {env.planPriceID("starter", catalog.Monthly)}, "line_items[0][quantity]": {"3"},
		"subscription_data[metadata][orgId]": {env.access.Organization.ID}, "metadata[orgId]": {env.access.Organization.ID},
	}, &opened)
	env.pay(billing.CheckoutSession{URL: opened.URL})
	env.receiveAll()
	if n := env.queryInt(`select count(*) from subscriptions where not is_foreign`); n != 2 {
		t.Fatalf("%d subscriptions of ours, want 2", n)
	}
	env.wantCurrent(first.ID, true)
	env.wantUntouched(first.ID)
}

// A $5 add-on gives no access, blocks no plan, and does not prolong one.
func TestForeignSubscriptionIsNoPlan(t *testing.T) {
	env := newTestEnv(t)
	env.registerWebhook()
	support := env.sellAtStripe(env.customerID(), env.supportPriceID(), env.organizationMetadataOfSubscription())
	env.receiveAll()
	env.wantCurrent("", false)
	if ids := env.foreignIDs(); !slices.Equal(ids, []string{support}) {
		t.Errorf("foreign subscriptions %v, want %s", ids, support)
	}
	if err := env.service.Cancellations.Cancel(t.Context(), env.access, billing.CancelRequest{}); apperr.CodeOf(err) != apperr.CodeConflict {
		t.Errorf("cancel: %v, want a conflict: there is no plan", err)
	}

	pro := env.subscribe("pro")
	env.receiveAll()
	env.wantCurrent(pro.ID, true)
	wantSeats(t, env, 1, 1, billing.SyncOK)
	env.cancelAtStripe(pro)
	env.receiveAll()
	env.wantCurrent(pro.ID, false)
	if _, err := env.service.Checkouts.Start(t.Context(), env.access, billing.CheckoutRequest{PlanID: "pro", Interval: catalog.Monthly}); err != nil {
		t.Errorf("buying pro again: %v", err)
	}
	env.wantUntouched(support)
}

// The add-on's invoices grant no credits, are not the open invoice of the plan, and cause no
// notice.
func TestInvoiceOfForeignSubscriptionIsNotOfThePlan(t *testing.T) {
	env := newTestEnv(t)
	env.registerWebhook()
	env.sellAtStripe(env.customerID(), env.supportPriceID(), nil)
	env.receiveAll()
	balance := env.overview().Credits.Balance
	if n := env.queryInt(`select count(*) from credit_facts`); n != 0 || balance != 0 {
		t.Errorf("%d credit facts, balance %d, want none", n, balance)
	}
	if o := env.overview(); o.OpenInvoice != nil || o.MissesInvoice() {
		t.Errorf("open invoice %+v", o.OpenInvoice)
	}
	if n := env.queryInt(`select count(*) from emails where kind <> $1`, mail.KindVerifyEmail); n != 0 {
		t.Errorf("%d notices", n)
	}
}

// Deleting the organization ends its plan and nothing else.
func TestDeletionLeavesForeignSubscription(t *testing.T) {
	env := newTestEnv(t)
	env.useClock(env.stripe.Now)
	env.registerWebhook()
	pro := env.subscribe("pro")
	support := env.sellAtStripe(pro.CustomerID, env.supportPriceID(), nil)
	env.receiveAll()
	env.stripe.AdvanceClock(env.stripe.Now().Add(time.Hour)) // the paid period begins before the request
	env.must(env.service.Deletions.Request(t.Context(), env.access, env.access.Organization.Name))
	env.stripe.AdvanceClock(env.stripe.Now().Add(billing.DeletionUndo + time.Hour))
	env.must(env.service.DeleteDueOrganizations(t.Context()))
	env.receiveAll()
	var s struct{ Status string }
	env.stripeGet("/v1/subscriptions/"+pro.ID, &s)
	if s.Status != "canceled" {
		t.Errorf("the plan is %s, want canceled", s.Status)
	}
	env.wantUntouched(support)
}

// A price of a plan is added to a foreign subscription and removed again, as an upgrade by support.
func TestForeignSubscriptionBecomesOursAndBack(t *testing.T) {
	env := newTestEnv(t)
	env.registerWebhook()
	env.addMembers(1)
	id := env.sellAtStripe(env.customerID(), env.supportPriceID(), nil)
	env.receiveAll()
	env.wantCurrent("", false)

	env.stripe.AdvanceClock(env.stripe.Now().Add(10 * time.Second))
	env.stripeRequest(http.MethodPost, "/v1/subscriptions/"+id, url.Values{"items[0][price]": {env.planPriceID("pro", catalog.Monthly)}})
	env.receiveAll()
	env.wantCurrent(id, true)
	if ids := env.foreignIDs(); len(ids) != 0 {
		t.Errorf("foreign subscriptions %v, want none", ids)
	}
	env.makeSeatsDue()
	env.must(env.syncSeats())
	current := env.overview().Subscription
	if env.stripeQuantity() != 2 || len(current.Items) != 2 {
		t.Errorf("quantity %d at Stripe, items %+v, want 2 seats beside the support item", env.stripeQuantity(), current.Items)
	}

	env.stripe.AdvanceClock(env.stripe.Now().Add(10 * time.Second))
	env.stripeRequest(http.MethodPost, "/v1/subscriptions/"+id, url.Values{"items[0][id]": {current.ItemID}, "items[0][deleted]": {"true"}})
	env.receiveAll()
	env.wantCurrent("", false)
	if ids := env.foreignIDs(); !slices.Equal(ids, []string{id}) {
		t.Errorf("foreign subscriptions %v, want %s", ids, id)
	}
	if balance := env.overview().Credits.Balance; balance != 0 {
		t.Errorf("balance %d without a plan", balance)
	}
	env.checkLedger()
}

// The quantity of an item that is not the seats stays as it is, and the item is listed.
func TestOtherItemsAreLeftAlone(t *testing.T) {
	env := newTestEnv(t)
	env.registerWebhook()
	pro := env.subscribe("pro")
	env.stripe.AdvanceClock(env.stripe.Now().Add(10 * time.Second))
	env.stripeRequest(http.MethodPost, "/v1/subscriptions/"+pro.ID, url.Values{
		"items[0][price]": {env.supportPriceID()}, "items[0][quantity]": {"3"}, "items[0][metadata][usher]": {"seats"},
	})
	env.receiveAll()
	env.addMembers(4)
	env.makeSeatsDue()
	env.must(env.syncSeats())
	o := env.overview()
	if len(o.OtherItems) != 1 || o.OtherItems[0].Quantity != 3 || o.OtherItems[0].Name != "Priority support" {
		t.Errorf("other items %+v", o.OtherItems)
	}
	if o.Subscription.ItemID != pro.ItemID || o.Subscription.Quantity != 5 || env.stripeQuantity() != 5 {
		t.Errorf("seat item %s × %d, want %s × 5", o.Subscription.ItemID, o.Subscription.Quantity, pro.ItemID)
	}
	fetched, err := env.gateway().Subscription(t.Context(), pro.ID)
	env.must(err)
	if len(fetched.Items) != 2 || fetched.Items[1].Quantity != 3 {
		t.Errorf("items at Stripe %+v", fetched.Items)
	}
}

func withoutEvents(drifts []string) []string {
	return slices.DeleteFunc(drifts, func(d string) bool { return !strings.HasPrefix(d, string(billing.DriftSubscription)+":") })
}

// Rows that were stored before items were get them from the reconciler, without a report of drift.
func TestReconcilerStoresMissingItems(t *testing.T) {
	env := newTestEnv(t)
	env.registerWebhook()
	env.subscribe("pro")
	env.receiveAll()
	env.exec(`update subscriptions set items = '[]'`)
	if drifts := env.reconcile(billing.ReconcileOptions{DryRun: true}); len(drifts) != 0 || len(env.overview().Subscription.Items) != 0 {
		t.Errorf("dry run: drift %v, items %+v", drifts, env.overview().Subscription.Items)
	}
	if drifts := env.reconcile(billing.ReconcileOptions{}); len(drifts) != 0 || len(env.overview().Subscription.Items) != 1 {
		t.Errorf("drift %v, items %+v, want one item", drifts, env.overview().Subscription.Items)
	}
}

// A second subscription of ours gives access when the current one is past its grace period.
func TestAccessOfSecondSubscription(t *testing.T) {
	env := newTestEnv(t)
	env.sellPro(func(p *catalog.Plan) { p.GraceDays = 3 })
	env.registerWebhook()
	pro := env.subscribe("pro")
	env.receiveAll()
	env.exec(`update subscriptions set status = 'past_due', current_period_start = now() - interval '30 days'`)
	env.wantCurrent(pro.ID, false)
	env.stripe.AdvanceClock(env.stripe.Now().Add(2 * time.Second))
	second := env.sellAtStripe(pro.CustomerID, env.planPriceID("starter", catalog.Monthly), nil)
	env.exec(`update subscriptions set as_of = as_of + interval '1 day'`) // no event changes the first
	env.receiveAll()
	if o := env.overview(); !o.HasAccess {
		t.Errorf("no access although %s is active; current %+v", second, o.Subscription)
	}
}

// Sessions that completed before their subscription was recorded are looked up at Stripe, where an
// organization has two subscriptions: duplicates that were found before are still canceled.
func TestDuplicateOfFormerReleaseIsCanceled(t *testing.T) {
	env := newTestEnv(t)
	env.registerWebhook()
	env.buyTwoPlans()
	env.processEventsUntil(func() bool { return env.queryInt(`select count(*) from duplicate_subscriptions`) == 1 })
	env.receiveAll()
	env.exec(`update checkout_sessions set status = 'complete', subscription_id = null`)
	env.startWorker(env.service)
	env.waitForDuplicate(billing.DuplicateCanceled)
	if n := env.queryInt(`select count(*) from checkout_sessions where subscription_id is not null`); n != 2 {
		t.Errorf("%d sessions with a subscription, want 2", n)
	}
}

// The same, if the duplicate was not found before: the reconciler finds and repairs it.
func TestReconcilerFindsDuplicateOfFormerSessions(t *testing.T) {
	env := newTestEnv(t)
	env.registerWebhook()
	env.buyTwoPlans()
	env.processEventsUntil(func() bool { return env.queryInt(`select count(*) from duplicate_subscriptions`) == 1 })
	env.receiveAll()
	env.exec(`update checkout_sessions set status = 'complete', subscription_id = null`)
	env.exec(`delete from duplicate_subscriptions`)
	drifts := env.reconcile(billing.ReconcileOptions{})
	if len(drifts) != 1 || !strings.HasPrefix(drifts[0], string(billing.DriftDuplicate)) || env.queryInt(`select count(*) from duplicate_subscriptions`) != 1 {
		t.Errorf("drift %v, %d duplicates, want one", drifts, env.queryInt(`select count(*) from duplicate_subscriptions`))
	}
}
