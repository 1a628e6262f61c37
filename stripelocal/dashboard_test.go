package stripelocal_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"usher/stripelocal"
)

func TestDashboardShowsAndFilters(t *testing.T) {
	l := start(t, stripelocal.Options{})
	in := newWebhookReceiver(t, 0)
	l.EnsureWebhookEndpoint(in.url, testSecret)
	sub := l.createSubscription(3)
	in.waitFor("invoice.paid")
	for path, want := range map[string]string{
		"/": "Dashboard", "/_usher/": "Dashboard", "/_usher/list/customers": sub.Customer.ID, "/_usher/list/subscriptions?q=active": "3 × Pro",
		"/_usher/list/invoices": "$30.00", "/_usher/list/events?type=invoice.*": "invoice.paid", "/_usher/list/deliveries?q=" + url.QueryEscape(in.url): "succeeded",
	} {
		if shown := l.browse("GET", path, nil); shown.status != 200 || !strings.Contains(shown.body, want) || !strings.Contains(shown.body, "no money moves") {
			t.Errorf("%s: %d, without %q", path, shown.status, want)
		}
	}
	if narrowed := l.browse("GET", "/_usher/list/events?type=invoice.*", nil); strings.Contains(narrowed.body, ">customer.") {
		t.Error("other types are shown too")
	}
	if other := l.browse("GET", "/_usher/list/customers?q=nobody", nil); strings.Contains(other.body, sub.Customer.ID) {
		t.Error("the query filters nothing")
	}
	for _, path := range []string{"/_usher/list/money", "/_usher/show/events/evt_no", "/_usher/show/money/x"} {
		if gone := l.browse("GET", path, nil); gone.status != 404 {
			t.Errorf("%s: %d", path, gone.status)
		}
	}
}

// On a narrow screen every row is a list and each cell starts with its column's name. The roles
// keep it a table for assistive technology.
func TestDashboardTablesAreListsOnNarrowScreens(t *testing.T) {
	l := start(t, stripelocal.Options{})
	l.createSubscription(3)
	shown := l.browse("GET", "/_usher/list/invoices", nil).body
	for _, want := range []string{`<table role="table">`, `<tr role="row">`, `<th scope="col" role="columnheader">Total</th>`, `<td role="cell" data-label="Total">$30.00</td>`} {
		if !strings.Contains(shown, want) {
			t.Errorf("without %s", want)
		}
	}
	_, style, _ := strings.Cut(shown, "<style")
	style, _, _ = strings.Cut(style, "</style>")
	_, narrow, found := strings.Cut(style, "@media (max-width: 40rem)")
	if !found || !strings.Contains(narrow, "attr(data-label)") || !strings.Contains(narrow, "white-space: normal") {
		t.Errorf("the style has no rules for narrow screens: %s", narrow)
	}
}

func TestDashboardResends(t *testing.T) {
	l := start(t, stripelocal.Options{})
	in := newWebhookReceiver(t, 0)
	l.EnsureWebhookEndpoint(in.url, testSecret, "customer.created")
	l.createCustomer()
	e := in.waitFor("customer.created")
	shown := l.browse("GET", "/_usher/show/events/"+e.ID, nil)
	if !strings.Contains(shown.body, "ada@example.com") || !strings.Contains(shown.body, "/resend") {
		t.Errorf("event: %s", shown.body)
	}
	back := "/_usher/show/events/" + e.ID
	if again := l.browse("POST", "/_usher/events/"+e.ID+"/resend", url.Values{"back": {back}}); again.status != 303 || again.location != back {
		t.Errorf("resending led to %d %q", again.status, again.location)
	}
	in.waitForNames(2)
}

func TestDashboardMovesTheClock(t *testing.T) {
	l := start(t, stripelocal.Options{})
	before := l.Now()
	if done := l.browse("POST", "/_usher/dashboard/clock", url.Values{"by": {"1 month"}}); done.location != "/_usher/" {
		t.Errorf("led to %d %q", done.status, done.location)
	}
	if got := l.Now(); got.Sub(before) < 28*24*time.Hour {
		t.Errorf("from %v to %v", before, got)
	}
	if bad := l.browse("POST", "/_usher/dashboard/clock", url.Values{"by": {"soon"}}); bad.status != 422 {
		t.Errorf("soon: %d", bad.status)
	}
}

func TestDashboardFaults(t *testing.T) {
	l := start(t, stripelocal.Options{})
	l.browse("POST", "/_usher/dashboard/faults", url.Values{"kind": {"slow"}, "path": {"/v1/prices"}, "calls": {"3"}, "millis": {"200"}})
	if shown := l.browse("GET", "/", nil); !strings.Contains(shown.body, "slow, the next 3 of /v1/prices, 200 ms") {
		t.Errorf("faults: %s", shown.body)
	}
	if bad := l.browse("POST", "/_usher/dashboard/faults", url.Values{"kind": {"slow"}, "chance": {"7"}}); bad.status != 422 || !strings.Contains(bad.body, "not between 0 and 1") {
		t.Errorf("bad: %d %s", bad.status, bad.body)
	}
	l.browse("POST", "/_usher/dashboard/faults/clear", url.Values{})
	if left := l.Faults().List(); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}
