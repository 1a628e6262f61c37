package handlers

import (
	"net/http"
	"strings"
	"testing"

	"usher/billing/account"
	"usher/billing/apperr"
)

const testMetricsToken = "a token of sixteen"

// TestOperators walks through what operators see, with a dead letter among the events.
func TestOperators(t *testing.T) {
	h := openHouse(t)
	if _, err := h.service.Users.PromoteOperator(t.Context(), email("stranger")); err != nil {
		t.Fatal(err)
	}
	admin := h.signedIn("admin")
	admin.follow(admin.pay("pro", "month"))
	eventually(t, "the subscription", func() bool {
		return admin.summary().Subscription != nil && admin.summary().Subscription.Status == "active"
	})
	dead := h.deadLetter()

	b := h.signedIn("stranger")
	if nav := b.get("/dashboard").text("nav"); !strings.Contains(nav, "Operations") {
		t.Errorf("the navigation is %s", nav)
	}
	b.get("/admin").leadsTo("/admin/events")
	eventually(t, "the events", func() bool { return h.count(`select count(*) from stripe_events where type = 'invoice.paid'`) == 2 })
	b.get("/admin/events").is(http.StatusOK).shows("customer.subscription.created", dead, "the handler panicked")
	b.get("/admin/events?outcome=failed").shows(dead).hides("customer.subscription.created")
	b.get("/admin/events?q=invoice.*").shows("invoice.paid").hides("customer.subscription.created")
	b.get("/admin/events?q=" + h.organization.ID).shows("customer.subscription.created")
	b.get("/admin/events?q=" + dead).leadsTo("/admin/events/" + dead)
	b.get("/admin/events?q=org_nobody").shows("No event fits.")

	eventually(t, "an event that granted credits", func() bool {
		return h.count(`select count(*) from stripe_events where changes like '%credits: +1000%'`) > 0
	})
	b.get("/admin/events/"+h.eventThatChanged("credits: +1000")).shows("credits: +1000 (grant), balance 1000", `"object"`)

	b.post("/admin/events/"+dead+"/replay", nil).leadsTo("/admin/events/" + dead + "?notice=replayed")
	eventually(t, "the dead letter settled anew", func() bool {
		return h.count(`select count(*) from stripe_events where id = $1 and outcome = 'ignored'`, dead) == 1
	})

	b.get("/admin/organizations").shows("Lantern Theatre", "Elsewhere", "Pro")
	b.get("/admin/organizations?q=lantern").shows("Lantern Theatre").hides("Elsewhere")
	b.get("/admin/organizations?q=" + email("member")).shows("Lantern Theatre").hides("Elsewhere")
	b.get("/admin/organizations/"+h.organization.ID).shows("Lantern Theatre", "the current one", "customer.subscription.created", "founded the organization")
	b.post("/admin/organizations/"+h.organization.ID+"/compare", nil).leadsTo("/admin/organizations/" + h.organization.ID + "?notice=agreed")
	b.get("/admin/drift").shows("Everything agreed.", h.organization.ID)
	if reports := b.get("/admin/drift.json"); !strings.Contains(reports.body, `"organizationId":"`+h.organization.ID+`"`) {
		t.Errorf("the reports are %s", reports.body)
	}
	b.get("/admin/jobs").is(http.StatusOK).shows("Events pending", "Events failed")
	admin.get("/admin/events").is(http.StatusForbidden).shows(account.MessageOperatorsOnly)
}

// deadLetter puts an event into the inbox that was given up.
func (h *house) deadLetter() string {
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

func (h *house) eventThatChanged(what string) string {
	h.t.Helper()
	var id string
	if err := h.store.DB().GetContext(h.t.Context(), &id, `select id from stripe_events where strpos(changes, $1) > 0 limit 1`, what); err != nil {
		h.t.Fatal(err)
	}
	return id
}

func TestMetrics(t *testing.T) {
	h := openHouse(t)
	b := h.visitor()
	b.get("/pricing")
	open := b.get("/metrics").is(http.StatusOK)
	for _, line := range []string{
		`usher_http_requests_total{method="GET",route="/pricing",status="200"} 1`, `usher_events{outcome="failed"} 0`,
		`usher_seat_syncs{state="failing"} 0`, "go_goroutines",
	} {
		if !strings.Contains(open.body, line) {
			t.Errorf("the metrics lack %s", line)
		}
	}
	h.site.metricsToken = testMetricsToken
	b.get("/metrics").problem(http.StatusUnauthorized, apperr.CodeUnauthenticated, "Send the METRICS_TOKEN as Authorization: Bearer.")
	for token, want := range map[string]int{testMetricsToken: http.StatusOK, testMetricsToken + "x": http.StatusUnauthorized, "": http.StatusUnauthorized} {
		request, _ := http.NewRequestWithContext(t.Context(), get, h.url+"/metrics", http.NoBody)
		request.Header.Set("Authorization", "Bearer "+token)
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("with the token %q: %d", token, answer.StatusCode)
		}
	}
	h.site.metricsToken, h.site.development = "", false
	b.get("/metrics").is(http.StatusNotFound)
}
