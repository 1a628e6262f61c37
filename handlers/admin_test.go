package handlers

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/apperr"
)

const testMetricsToken = "a token of sixteen"

// TestOperatorPages covers the operator pages, with a failed event among the stored ones.
func TestOperatorPages(t *testing.T) {
	h := newTestEnv(t)
	if _, err := h.service.Users.PromoteOperator(t.Context(), email("stranger")); err != nil {
		t.Fatal(err)
	}
	admin := h.signIn("admin")
	// Only events may grant the credits here. The first reconciliation and the return from Checkout
	// read the invoice too: the one is over, and the visitor does not return.
	h.waitUntilReconciled()
	admin.subscribe("pro", "month")
	waitFor(t, "the subscription", func() bool {
		return admin.summary().Subscription != nil && admin.summary().Subscription.Status == "active"
	})
	dead := h.deadLetter()

	b := h.signIn("stranger")
	if nav := b.get("/dashboard").text("nav"); !strings.Contains(nav, "Operations") {
		t.Errorf("navigation: %s", nav)
	}
	b.get("/admin").wantRedirect("/admin/events")
	waitFor(t, "the events", func() bool { return h.count(`select count(*) from stripe_events where type = 'invoice.paid'`) == 2 })
	b.get("/admin/events").wantStatus(http.StatusOK).wantText("customer.subscription.created", dead, "the handler panicked")
	b.get("/admin/events").wantText("1 problem", "1 event failed since")
	b.get("/admin/jobs").wantText("1 event failed", "Events failed")
	b.get("/admin/events?outcome=failed").wantText(dead).wantNoText("customer.subscription.created")
	b.get("/admin/events?q=invoice.*").wantText("invoice.paid").wantNoText("customer.subscription.created")
	b.get("/admin/events?q=" + h.organization.ID).wantText("customer.subscription.created")
	b.get("/admin/events?q=" + dead).wantRedirect("/admin/events/" + dead)
	b.get("/admin/events?q=org_nobody").wantText("No events match.")

	waitFor(t, "an event that granted credits", func() bool {
		return h.count(`select count(*) from stripe_events where changes like '%credits: +1000%'`) > 0
	})
	b.get("/admin/events/"+h.eventThatChanged("credits: +1000")).wantText("credits: +1000 (grant), balance 1000", `"object"`)

	b.post("/admin/events/"+dead+"/replay", nil).wantRedirect("/admin/events/" + dead + "?notice=replayed")
	waitFor(t, "the replayed event", func() bool {
		return h.count(`select count(*) from stripe_events where id = $1 and outcome = 'ignored'`, dead) == 1
	})

	b.get("/admin/organizations").wantText("Lantern Theatre", "Elsewhere", "Pro")
	b.get("/admin/organizations?q=lantern").wantText("Lantern Theatre").wantNoText("Elsewhere")
	b.get("/admin/organizations?q=" + email("member")).wantText("Lantern Theatre").wantNoText("Elsewhere")
	b.get("/admin/organizations/"+h.organization.ID).wantText("Lantern Theatre", "current", "customer.subscription.created", "founded the organization")
	h.storeForeignSubscription()
	b.get("/admin/organizations/"+h.organization.ID).wantText("Other subscriptions of the customer", "sub_support", "price_support", "Priority support")
	b.post("/admin/organizations/"+h.organization.ID+"/compare", nil).wantRedirect("/admin/organizations/" + h.organization.ID + "?notice=agreed")
	b.get("/admin/drift").wantText(h.organization.ID, "Compared 1 subscription")
	b.get("/admin/organizations/"+h.organization.ID).wantText("Last comparison with Stripe", "In sync")
	if reports := b.get("/admin/drift.json"); !strings.Contains(reports.body, `"organizationId":"`+h.organization.ID+`"`) {
		t.Errorf("reports: %s", reports.body)
	}
	b.get("/admin/jobs").wantStatus(http.StatusOK).wantText("All good", "Nothing is waiting.").wantNoText("Events failed")
	admin.get("/admin/events").wantStatus(http.StatusForbidden).wantText(account.MessageOperatorsOnly)
}

// storeForeignSubscription stores an ended subscription of the customer to something else.
func (h *testEnv) storeForeignSubscription() {
	h.t.Helper()
	var account string
	if err := h.store.DB().GetContext(h.t.Context(), &account, `select account from stripe_accounts`); err != nil {
		h.t.Fatal(err)
	}
	_, err := h.store.Subscriptions().Put(h.t.Context(), billing.Subscription{
		ID: "sub_support", OrganizationID: h.organization.ID, Account: account, Status: billing.StatusCanceled, Foreign: true,
		Items:     []billing.SubscriptionItem{{ID: "si_support", PriceID: "price_support", Name: "Priority support", Quantity: 1}},
		CreatedAt: time.Now(), AsOf: time.Now(),
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

// deadLetter stores an event whose processing failed finally.
func (h *testEnv) deadLetter() string {
	h.t.Helper()
	_, err := h.store.DB().ExecContext(h.t.Context(), `insert into stripe_events
		(id, type, api_version, livemode, account, created, received_at, object_id, object_type, customer_id, subscription_id, org_id, test_clock,
			outcome, attempts, error, payload)
		values ('evt_dead', 'invoice.paid', '2024-06-20', false, '', now(), now(), 'in_dead', 'invoice', 'cus_nobody', '', '', false,
			'failed', 15, 'the handler panicked',
			'{"id":"evt_dead","object":"event","type":"invoice.paid","api_version":"2024-06-20","created":1700000000,"livemode":false,' ||
			'"data":{"object":{"id":"in_dead","object":"invoice","customer":"cus_nobody"}}}')`)
	if err != nil {
		h.t.Fatal(err)
	}
	return "evt_dead"
}

func (h *testEnv) eventThatChanged(what string) string {
	h.t.Helper()
	var id string
	if err := h.store.DB().GetContext(h.t.Context(), &id, `select id from stripe_events where strpos(changes, $1) > 0 limit 1`, what); err != nil {
		h.t.Fatal(err)
	}
	return id
}

func TestMetrics(t *testing.T) {
	h := newTestEnv(t)
	b := h.newBrowser()
	b.get("/pricing")
	open := b.get("/metrics").wantStatus(http.StatusOK)
	for _, line := range []string{
		`usher_http_requests_total{method="GET",route="/pricing",status="200"} 1`, `usher_events{outcome="failed"} 0`,
		`usher_seat_syncs{state="failing"} 0`, `usher_second_subscriptions 0`, "usher_database_up 1", "usher_events_missed 0", "go_goroutines",
	} {
		if !strings.Contains(open.body, line) {
			t.Errorf("missing from the metrics: %s", line)
		}
	}
	h.server.system.metricsToken = testMetricsToken
	b.get("/metrics").wantError(http.StatusUnauthorized, apperr.CodeUnauthenticated, "Send the METRICS_TOKEN as Authorization: Bearer.")
	for token, want := range map[string]int{testMetricsToken: http.StatusOK, testMetricsToken + "x": http.StatusUnauthorized, "": http.StatusUnauthorized} {
		request, _ := http.NewRequestWithContext(t.Context(), get, h.url+"/metrics", http.NoBody)
		request.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("token %q: status %d", token, resp.StatusCode)
		}
	}
	h.server.system.metricsToken, h.server.development = "", false
	b.get("/metrics").wantStatus(http.StatusNotFound)
}

// Without the database /metrics still counts requests, and has no zero that would hide the outage.
func TestMetricsDuringAnOutage(t *testing.T) {
	h := newTestEnv(t)
	b := h.newBrowser()
	b.get("/pricing")
	h.store.Close()
	page := b.get("/metrics").wantStatus(http.StatusOK)
	if !strings.Contains(page.body, "usher_database_up 0") || !strings.Contains(page.body, `usher_http_requests_total{method="GET",route="/pricing"`) || strings.Contains(page.body, "usher_events{") {
		t.Errorf("without the database:\n%s", page.body)
	}
}
