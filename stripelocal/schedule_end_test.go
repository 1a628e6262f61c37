package stripelocal_test

import (
	"fmt"
	"net/url"
	"slices"
	"testing"

	"usher/stripelocal"
)

// triggerClock makes the calls that the CLI's triggers subscription_schedule.expiring and
// .completed make: a customer on a test clock, without a card, and a schedule that begins at once.
func triggerClock(l *testServer, end string) (schedule, clock string) {
	l.t.Helper()
	made := l.callObject("POST", "/v1/test_helpers/test_clocks", "frozen_time=1577836800")
	clock = fmt.Sprint(made["id"])
	c := l.callObject("POST", "/v1/customers", "test_clock="+clock)
	price := l.callObject("POST", "/v1/prices", "unit_amount=1500&currency=usd&recurring[interval]=month&product_data[name]=x")
	x := l.callObject("POST", "/v1/subscription_schedules", fmt.Sprintf("customer=%v&start_date=1577836800&phases[0][items][0][price]=%v&phases[0][items][0][quantity]=1&%s", c["id"], price["id"], end))
	return fmt.Sprint(x["id"]), clock
}

// A schedule is aborted if its subscription is canceled because of delinquency (API reference:
// types of events). So ends the CLI's trigger of completed, whose customer has no card, unless the
// account leaves subscriptions past due.
func TestScheduleEndsByDunningOrByItself(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string]struct {
		status string
		events []string
	}{
		stripelocal.AfterDunningCancel:  {"canceled", []string{"subscription_schedule.aborted", "subscription_schedule.canceled"}},
		stripelocal.AfterDunningPastDue: {"released", []string{"subscription_schedule.expiring", "subscription_schedule.completed", "subscription_schedule.released"}},
	} {
		t.Run(setting, func(t *testing.T) {
			l := start(t, stripelocal.Options{})
			if err := l.SetAfterDunning(setting); err != nil {
				t.Fatal(err)
			}
			id, clock := triggerClock(l, "end_behavior=release&phases[0][iterations]=1")
			(&clockCustomer{testServer: l, clock: clock}).advance(1580515200)
			x := l.callObject("GET", "/v1/subscription_schedules/"+id, "")
			var got []string
			for _, kind := range l.eventTypes() {
				if slices.Contains([]string{"subscription_schedule.created", "subscription_schedule.updated"}, kind) {
					continue
				}
				if name := "subscription_schedule."; len(kind) > len(name) && kind[:len(name)] == name {
					got = append(got, kind)
				}
			}
			if x["status"] != want.status || !slices.Equal(got, want.events) {
				t.Errorf("%v after %v, want %s after %v", x["status"], got, want.status, want.events)
			}
			if completed := x["completed_at"] != nil; completed != (want.status == "released") {
				t.Errorf("completed_at %v", x["completed_at"])
			}
		})
	}
}

// subscription_schedule.expiring comes seven days before the end (API reference: types of events),
// once for each end. The CLI's trigger of that name stops nine days before.
func TestScheduleExpires(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	if err := l.SetAfterDunning(stripelocal.AfterDunningPastDue); err != nil {
		t.Fatal(err)
	}
	id, clock := triggerClock(l, "end_behavior=cancel&phases[0][end_date]=1580256000")
	k := &clockCustomer{testServer: l, clock: clock}
	advance := func(to int64, want int) {
		t.Helper()
		k.advance(to)
		if got := count(l, "subscription_schedule.expiring"); got != want {
			t.Errorf("at %d: %d notices, want %d", to, got, want)
		}
	}
	advance(1579478400, 0)
	advance(1580256000-7*day-1, 0)
	advance(1580256000-7*day, 1)
	x := l.callObject("GET", "/v1/subscription_schedules/"+id, "")
	phase := x["phases"].([]any)[0].(map[string]any)
	price := phase["items"].([]any)[0].(map[string]any)["price"]
	l.callObject("POST", "/v1/subscription_schedules/"+id, url.Values{
		"phases[0][start_date]": {"1577836800"}, "phases[0][end_date]": {fmt.Sprint(1580256000 + 5*day)}, "phases[0][items][0][price]": {fmt.Sprint(price)},
	}.Encode())
	advance(1580256000-2*day-1, 1)
	advance(1580256000-2*day, 2)
	advance(1580256000+5*day, 2)
	wantEvents(t, l, "subscription_schedule.completed")
}

// One that ends within seven days sends no notice.
func TestShortScheduleSendsNoNotice(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	_, clock := triggerClock(l, fmt.Sprintf("end_behavior=cancel&phases[0][end_date]=%d", 1577836800+6*day))
	(&clockCustomer{testServer: l, clock: clock}).advance(1577836800 + 7*day)
	if n := count(l, "subscription_schedule.expiring"); n != 0 || count(l, "subscription_schedule.completed") != 1 {
		t.Errorf("%d notices", n)
	}
}

// A schedule that has not started is canceled, and not aborted, although the CLI's trigger of
// aborted does that.
func TestCancelOfAScheduleIsNoAbort(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	c := l.createCustomer()
	x := l.callObject("POST", "/v1/subscription_schedules", fmt.Sprintf("customer=%s&start_date=1893456000&phases[0][items][0][price]=%s", c.ID, l.createPriceIn("usd", 1500, "month")))
	l.callObject("POST", fmt.Sprintf("/v1/subscription_schedules/%v/cancel", x["id"]), "prorate=false&invoice_now=false")
	if count(l, "subscription_schedule.aborted") != 0 || count(l, "subscription_schedule.canceled") != 1 {
		t.Error(l.eventTypes())
	}
}

// What the official CLI's triggers do in an account that leaves subscriptions past due: that of
// completed sends its event, and that of expiring two days after it stops. With dunning that
// cancels, the former aborts the schedule.
func TestOfficialTriggersOfSchedules(t *testing.T) {
	t.Parallel()
	stripeTool(t)
	l := start(t, stripelocal.Options{})
	l.trigger("subscription_schedule.completed")
	wantEvents(t, l, "subscription_schedule.aborted")
	if err := l.SetAfterDunning(stripelocal.AfterDunningPastDue); err != nil {
		t.Fatal(err)
	}
	l.trigger("subscription_schedule.completed")
	wantEvents(t, l, "subscription_schedule.expiring", "subscription_schedule.completed")

	l = start(t, stripelocal.Options{})
	if err := l.SetAfterDunning(stripelocal.AfterDunningPastDue); err != nil {
		t.Fatal(err)
	}
	l.trigger("subscription_schedule.expiring")
	clocks, _ := l.callObject("GET", "/v1/test_helpers/test_clocks", "")["data"].([]any)
	if n := count(l, "subscription_schedule.expiring"); n != 0 || len(clocks) != 1 {
		t.Fatalf("%d notices, %d clocks", n, len(clocks))
	}
	clock, _ := clocks[0].(map[string]any)
	(&clockCustomer{testServer: l, clock: fmt.Sprint(clock["id"])}).advance(1580256000 - 7*day)
	wantEvents(t, l, "subscription_schedule.expiring")
}
