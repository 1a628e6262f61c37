package billing_test

import (
	"strings"
	"testing"
	"time"

	billingviews "usher/views/billing"
	"usher/views/viewtest"
)

func seatPanel(state billingviews.SeatPanelState, desired, atStripe int) billingviews.SeatPanelProps {
	return billingviews.SeatPanelProps{OrganizationID: "org_1", State: state, Billable: desired, Desired: desired, AtStripe: &atStripe, CanManageBilling: true}
}

func TestSeatPanelStates(t *testing.T) {
	for _, c := range []struct {
		state    billingviews.SeatPanelState
		atStripe int
		badge    string
		seats    map[string]int // number of seats drawn, by class
		retry    bool
	}{
		{billingviews.SeatsInSync, 9, "In sync", map[string]int{"billed": 9}, false},
		{billingviews.SeatsNothingToSync, 0, "No plan", map[string]int{"vacant": 9}, false},
		{billingviews.SeatsDebouncing, 7, "Saving shortly", map[string]int{"billed": 7, "pending": 2}, true},
		{billingviews.SeatsQueued, 7, "Saving now", map[string]int{"billed": 7, "pending": 2}, true},
		{billingviews.SeatsSyncing, 7, "Saving", map[string]int{"billed": 7, "pending": 2}, false},
		{billingviews.SeatsRetrying, 7, "Trying again", map[string]int{"billed": 7, "pending": 2}, true},
		{billingviews.SeatsFailed, 7, "Not saved", map[string]int{"billed": 7, "failed": 2}, true},
		{billingviews.SeatsPaymentNeeded, 9, "Payment needed", map[string]int{"billed": 9}, false},
		{billingviews.SeatsDrift, 12, "Changed at Stripe", map[string]int{"billed": 9, "free": 3}, true},
	} {
		t.Run(string(c.state), func(t *testing.T) {
			doc := viewtest.Render(t, billingviews.SeatPanel(seatPanel(c.state, 9, c.atStripe)))
			if !strings.Contains(viewtest.Text(doc.Find("#seat-panel")), c.badge) {
				t.Errorf("the panel does not say %q: %s", c.badge, viewtest.Text(doc.Selection))
			}
			for _, class := range []string{"billed", "free", "pending", "failed", "vacant"} {
				if got := doc.Find("svg.seat-" + class).Length(); got != c.seats[class] {
					t.Errorf("%d seats drawn %s, want %d", got, class, c.seats[class])
				}
			}
			if got := doc.Find("form[action='/organization/seats/retry']").Length() == 1; got != c.retry {
				t.Errorf("retry offered: %t", got)
			}
			if doc.Find("body > *").Length() != 1 {
				t.Error("the fragment is more than its root")
			}
		})
	}
}

func TestSeatPanelPollsOnlyWhileUnsettled(t *testing.T) {
	p := seatPanel(billingviews.SeatsQueued, 9, 7)
	p.PollEvery = 2 * time.Second
	root := viewtest.Render(t, billingviews.SeatPanel(p)).Find("#seat-panel")
	if root.AttrOr("hx-get", "") != "/organization/seats" || root.AttrOr("hx-trigger", "") != "every 2000ms" {
		t.Errorf("an unsettled panel does not ask again: %s", viewtest.Outline(root))
	}
	p.PollEvery = 0
	root = viewtest.Render(t, billingviews.SeatPanel(p)).Find("#seat-panel")
	if _, polls := root.Attr("hx-get"); polls {
		t.Errorf("a settled panel asks again: %s", viewtest.Outline(root))
	}
	if _, polls := root.Attr("hx-trigger"); polls {
		t.Errorf("a settled panel keeps a trigger: %s", viewtest.Outline(root))
	}
}

func TestSeatPanelReadOnlyHasNoButtons(t *testing.T) {
	for _, state := range []billingviews.SeatPanelState{billingviews.SeatsFailed, billingviews.SeatsPaymentNeeded, billingviews.SeatsDrift, billingviews.SeatsDebouncing} {
		p := seatPanel(state, 9, 7)
		p.CanManageBilling, p.InvoiceURL = false, "/billing/invoices"
		if doc := viewtest.Render(t, billingviews.SeatPanel(p)); doc.Find("button, form, a[href]").Length() != 0 {
			t.Errorf("%s: something can be clicked", state)
		}
	}
}

func TestSeatPanelUnknownNumberAtStripe(t *testing.T) {
	p := seatPanel(billingviews.SeatsQueued, 3, 0)
	p.AtStripe = nil
	doc := viewtest.Render(t, billingviews.SeatPanel(p))
	if doc.Find("svg.seat-pending").Length() != 3 || doc.Find("form").Length() != 1 {
		t.Errorf("an unknown number does not count as different: %s", viewtest.Text(doc.Selection))
	}
}

func TestSeatPanelShowsTimesWithTheirZone(t *testing.T) {
	p := seatPanel(billingviews.SeatsRetrying, 9, 7)
	p.NextAttemptAt = time.Date(2026, time.November, 3, 14, 2, 30, 0, time.UTC)
	p.Reason, p.RequestID, p.Attempt = "Stripe did not answer in time.", "req_1", 2
	doc := viewtest.Render(t, billingviews.SeatPanel(p))
	moment := doc.Find("time")
	if viewtest.Text(moment) != "14:02" || moment.AttrOr("datetime", "") != "2026-11-03T14:02:30Z" || moment.AttrOr("title", "") != "3 Nov 2026, 14:02:30 UTC" {
		t.Errorf("next try: %s", viewtest.Outline(moment))
	}
	for _, want := range []string{"Stripe did not answer in time.", "req_1", "Tried 2 times"} {
		if !strings.Contains(viewtest.Text(doc.Selection), want) {
			t.Errorf("the panel does not say %q", want)
		}
	}
}

func TestSeatPanelOffersToUndoWhatIsGathered(t *testing.T) {
	p := seatPanel(billingviews.SeatsDebouncing, 9, 7)
	for _, may := range []bool{true, false} {
		p.CanManageMembers = may
		if got := viewtest.Render(t, billingviews.SeatPanel(p)).Find("form[action='/organization/seats/undo'] button").Length() == 1; got != may {
			t.Errorf("may manage members: %t, undo offered: %t", may, got)
		}
	}
}

func TestSeatPanelSaysWhyThereAreMoreSeatsThanPeople(t *testing.T) {
	paid, least := seatPanel(billingviews.SeatsInSync, 9, 9), seatPanel(billingviews.SeatsInSync, 9, 9)
	paid.Billable, paid.PaidUntil = 7, time.Date(2026, time.December, 3, 0, 0, 0, 0, time.UTC)
	least.Billable, least.Minimum = 7, 9
	for _, c := range []struct {
		panel billingviews.SeatPanelProps
		says  string
	}{
		{seatPanel(billingviews.SeatsInSync, 9, 9), "9 people, 9 seats"},
		{paid, "paid until 3 Dec 2026"},
		{least, "This minimum was set at Stripe."},
	} {
		if got := viewtest.Text(viewtest.Render(t, billingviews.SeatPanel(c.panel)).Selection); !strings.Contains(got, c.says) {
			t.Errorf("want %q in: %s", c.says, got)
		}
	}
}
