package billing_test

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/catalog"
	"usher/stripelocal"
)

func wantSeats(t *testing.T, env *testEnv, billed, atStripe int, status billing.SyncStatus) {
	t.Helper()
	seats := env.overview().Seats
	if seats.Billable != billed || seats.Quantity != atStripe || seats.Status != status {
		t.Fatalf("billed %d, at Stripe %d, %s (%s); want %d, %d, %s",
			seats.Billable, seats.Quantity, seats.Status, seats.Error, billed, atStripe, status)
	}
}

func TestSeatsAreSyncedAfterDebounce(t *testing.T) {
	env := newTestEnv(t)
	env.subscribe("pro")
	wantSeats(t, env, 1, 1, billing.SyncOK)
	env.addMembers(3)
	wantSeats(t, env, 4, 1, billing.SyncPending)
	if err := env.syncSeats(); err != nil || env.quantityUpdates.Load() != 0 {
		t.Fatalf("a change that is still gathered was told: %v, %d calls", err, env.quantityUpdates.Load())
	}
	env.makeSeatsDue()
	if err := env.syncSeats(); err != nil {
		t.Fatal(err)
	}
	wantSeats(t, env, 4, 4, billing.SyncOK)
	if got := env.stripeQuantity(); got != 4 || env.quantityUpdates.Load() != 1 {
		t.Errorf("Stripe has %d seats after %d calls, want 4 after 1", got, env.quantityUpdates.Load())
	}
}

func TestCheckoutQuantityCountsMembers(t *testing.T) {
	env := newTestEnv(t)
	env.addMembers(6)
	if current := env.subscribe("starter"); current.Quantity != 7 {
		t.Errorf("the checkout was for %d seats, want 7", current.Quantity)
	}
	wantSeats(t, env, 7, 7, billing.SyncOK)
}

func TestMemberAddedDuringCheckoutIsSynced(t *testing.T) {
	env := newTestEnv(t)
	session, err := env.service.Checkouts.Start(t.Context(), env.access, billing.CheckoutRequest{PlanID: "pro", Interval: catalog.Monthly})
	if err != nil {
		t.Fatal(err)
	}
	env.addMembers(2)
	env.pay(session)
	if _, err := env.service.Checkouts.Complete(t.Context(), env.access, session.StripeSessionID); err != nil {
		t.Fatal(err)
	}
	env.makeSeatsDue()
	if err := env.syncSeats(); err != nil {
		t.Fatal(err)
	}
	wantSeats(t, env, 3, 3, billing.SyncOK)
}

func TestSyncFailureIsRecordedAndRetried(t *testing.T) {
	cases := []struct {
		fault    string
		says     string
		sameKey  bool // the next attempt repeats the key
		atStripe int  // after the failure
	}{
		{cardDeclined, "Your card was declined. (generic_decline, request req_stage)", false, 1},
		{serverError, "An unknown error occurred.", false, 1},
		{requestLost, "did not answer", true, 1},
		{responseLost, "did not answer", true, 2},
	}
	for _, c := range cases {
		t.Run(c.fault, func(t *testing.T) {
			env := newTestEnv(t)
			env.subscribe("pro")
			env.addMembers(1)
			env.makeSeatsDue()
			env.faults.set(c.fault)
			_ = env.syncSeats()
			env.faults.set(noFault)
			seats := env.overview().Seats
			if seats.Status != billing.SyncError || !strings.Contains(seats.Error, c.says) || seats.DueAt == nil {
				t.Fatalf("after the failure: %+v", seats)
			}
			if got := env.stripeQuantity(); got != c.atStripe {
				t.Fatalf("Stripe has %d seats, want %d", got, c.atStripe)
			}
			before := env.seatState()
			queued, err := env.service.SeatSyncer.Retry(t.Context(), env.access)
			if err != nil || !queued {
				t.Fatalf("retry: queued %v, %v", queued, err)
			}
			env.makeSeatsDue()
			if err := env.syncSeats(); err != nil {
				t.Fatal(err)
			}
			wantSeats(t, env, 2, 2, billing.SyncOK)
			if after := env.seatState(); (after.Attempt == before.Attempt) != c.sameKey {
				t.Errorf("attempts went from %d to %d", before.Attempt, after.Attempt)
			}
		})
	}
}

func (env *testEnv) seatState() billing.SeatState {
	env.t.Helper()
	state, err := env.store.Seats().State(env.t.Context(), env.access.Organization.ID)
	if err != nil {
		env.t.Fatal(err)
	}
	return state
}

func TestQuantityDriftIsReverted(t *testing.T) {
	env := newTestEnv(t)
	current := env.subscribe("pro")
	env.setQuantityAtStripe(current, 40)
	if err := env.service.Subscriptions.Refresh(t.Context(), env.access); err != nil {
		t.Fatal(err)
	}
	wantSeats(t, env, 1, 40, billing.SyncPending)
	changes, _, err := env.service.SeatLedger.Search(t.Context(), env.access, billing.LedgerSearch{Limit: 1})
	env.must(err)
	if line := changes[0]; line.From != 40 || line.To != 1 || line.Reason != billing.ReasonResent || line.ActorName != "" {
		t.Errorf("the ledger says %+v", line)
	}
	env.makeSeatsDue()
	if err := env.syncSeats(); err != nil {
		t.Fatal(err)
	}
	wantSeats(t, env, 1, 1, billing.SyncOK)
}

// setQuantityInDashboard changes the seats at Stripe as somebody else would.
func (env *testEnv) setQuantityAtStripe(current billing.Subscription, quantity int) {
	env.t.Helper()
	env.stripeRequest(http.MethodPost, "/v1/subscriptions/"+current.ID,
		url.Values{"items[0][id]": {current.ItemID}, "items[0][quantity]": {strconv.Itoa(quantity)}})
	if got := env.stripeQuantity(); got != quantity {
		env.t.Fatalf("Stripe has %d seats", got)
	}
}

// loseAnswerAboutAGuest: somebody joins, Stripe takes the seat and its answer is lost; they leave again before it is asked.
func (env *testEnv) loseResponseForRemovedMember() {
	env.t.Helper()
	env.subscribe("pro")
	env.addMembers(1)
	env.makeSeatsDue()
	env.faults.set(responseLost)
	_ = env.syncSeats()
	env.faults.set(noFault)
	env.removeMembers(1)
}

// Somebody joins, Stripe takes the seat and its answer is lost; they leave again before it is asked. The snapshot still shows the number of
// before, which is the wanted one, and is not believed: Stripe has another.
func TestOpenAttemptIsFetchedBeforeSnapshotIsTrusted(t *testing.T) {
	env := newTestEnv(t)
	env.loseResponseForRemovedMember()
	if seats := env.overview().Seats; seats.Desired != 1 || seats.Quantity != 1 || seats.Status == billing.SyncOK || env.stripeQuantity() != 2 {
		t.Fatalf("the panel says %+v, and Stripe has %d", seats, env.stripeQuantity())
	}
	for range 3 {
		env.makeSeatsDue()
		env.must(env.syncSeats())
	}
	wantSeats(t, env, 1, 1, billing.SyncOK)
	if n := env.queryInt(`select count(*) from seat_changes where reason = $1`, billing.ReasonResent); n != 0 {
		t.Errorf("the ledger says %d times that somebody changed the number at Stripe", n)
	}
}

// The same, and Stripe can't be asked: the panel says so, asks ever more seldom, and settles once Stripe is well.
func TestOpenAttemptIsRetriedDuringOutage(t *testing.T) {
	env := newTestEnv(t)
	env.loseResponseForRemovedMember()
	_, err := env.stripe.Faults().Add(stripelocal.Fault{Kind: stripelocal.ServerError, Method: http.MethodGet, Path: "/v1/subscriptions/*", Calls: -1})
	env.must(err)
	before := env.seatState().Failures
	for n := range 2 {
		env.makeSeatsDue()
		env.must(env.syncSeats())
		state := env.seatState()
		if seats := env.overview().Seats; seats.Status != billing.SyncError || state.Failures != before+n+1 || state.DueAt == nil || !state.DueAt.After(time.Now()) || !state.AttemptOpen {
			t.Fatalf("the panel says %+v, held is %+v", seats, state)
		}
	}
	env.stripe.Faults().Clear()
	for range 3 {
		env.makeSeatsDue()
		env.must(env.syncSeats())
	}
	wantSeats(t, env, 1, 1, billing.SyncOK)
}

func TestConcurrentSyncsUpdateStripeOnce(t *testing.T) {
	env := newTestEnv(t)
	env.subscribe("pro")
	other := env.newService(env.openStore())
	if err := other.Prices.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	env.addMembers(5)
	env.makeSeatsDue()
	var group sync.WaitGroup
	for i := range 8 {
		service := env.service
		if i%2 == 1 {
			service = other
		}
		group.Go(func() {
			if err := service.SeatSyncer.Sync(context.WithoutCancel(t.Context()), env.access.Organization.ID); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if env.quantityUpdates.Load() != 1 {
		t.Errorf("Stripe was told %d times", env.quantityUpdates.Load())
	}
	wantSeats(t, env, 6, 6, billing.SyncOK)
}

func TestBurstIsDebounced(t *testing.T) {
	env := newTestEnv(t)
	env.subscribe("pro")
	env.startWorker(env.service)
	env.addMembers(10)
	env.waitFor("the seats to settle", func(o billing.Overview) bool { return o.Seats.Status == billing.SyncOK && o.Seats.Quantity == 11 })
	if env.quantityUpdates.Load() > 2 {
		t.Errorf("ten changes took %d calls", env.quantityUpdates.Load())
	}
}

func TestSeatLedgerRecordsActorAndReason(t *testing.T) {
	env := newTestEnv(t)
	env.addMembers(2)
	changes, _, err := env.service.SeatLedger.Search(t.Context(), env.access, billing.LedgerSearch{Limit: 200})
	if err != nil {
		t.Fatal(err)
	}
	if len(changes) != 3 {
		t.Fatalf("%d lines, want 3: %+v", len(changes), changes)
	}
	newest := changes[0]
	if newest.From != 2 || newest.To != 3 || newest.SubjectName != "Member" || newest.Reason == "" {
		t.Errorf("newest line: %+v", newest)
	}
	if founding := changes[2]; founding.From != 0 || founding.To != 1 || founding.ActorName != "Ana" {
		t.Errorf("oldest line: %+v", founding)
	}
}

// A seat is told to Stripe, and the ledger's line says on which invoice it came to what, once there is one.
func TestSeatLedgerRecordsInvoice(t *testing.T) {
	env := newTestEnv(t)
	env.sellPro(func(p *catalog.Plan) { p.ProrationOnIncrease = catalog.ProrateAtOnce })
	env.startBackground()
	env.subscribe("pro")
	env.addMembers(2)
	env.makeSeatsDue()
	env.must(env.syncSeats())
	var newest billing.SeatChange
	env.waitFor("the ledger to name the invoice", func(billing.Overview) bool {
		changes, _, err := env.service.SeatLedger.Search(t.Context(), env.access, billing.LedgerSearch{Limit: 10})
		env.must(err)
		if changes[1].InvoiceNumber != "" {
			t.Fatalf("of two changes told together both carry it: %+v", changes[1])
		}
		newest = changes[0]
		return newest.InvoiceNumber != ""
	})
	var invoice struct {
		Number string
		Total  int64
	}
	env.stripeGet("/v1/invoices/"+newest.InvoiceID, &invoice)
	if newest.InvoiceNumber != invoice.Number || newest.Invoiced.Minor != invoice.Total || newest.Invoiced.Currency != "usd" || invoice.Total <= 0 {
		t.Errorf("the ledger says %+v, Stripe %+v", newest, invoice)
	}
}
