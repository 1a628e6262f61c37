package billing_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/catalog"
	"usher/stripelocal"
)

func TestSeatsAreSyncedAfterDebounce(t *testing.T) {
	env, clock := newTestEnv(t), newTestClock()
	env.useClock(clock.now)
	env.subscribe("pro")
	wantSeats(t, env, 1, 1, billing.SyncOK)
	env.addMembers(3)
	wantSeats(t, env, 4, 1, billing.SyncPending)
	if err := env.syncSeats(); err != nil || env.quantityUpdates.Load() != 0 {
		t.Fatalf("synced within the debounce interval: %v, %d calls", err, env.quantityUpdates.Load())
	}
	clock.advance(billing.DebounceQuiet + time.Second)
	if err := env.syncSeats(); err != nil {
		t.Fatal(err)
	}
	wantSeats(t, env, 4, 4, billing.SyncOK)
	if got := env.stripeQuantity(); got != 4 || env.quantityUpdates.Load() != 1 {
		t.Errorf("quantity %d at Stripe after %d calls, want 4 after 1", got, env.quantityUpdates.Load())
	}
}

func TestCheckoutQuantityCountsMembers(t *testing.T) {
	env := newTestEnv(t)
	env.addMembers(6)
	if current := env.subscribe("starter"); current.Quantity != 7 {
		t.Errorf("quantity %d in Checkout, want 7", current.Quantity)
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
		message  string
		sameKey  bool // the next attempt repeats the idempotency key
		quantity int  // at Stripe, after the failure
	}{
		{cardDeclined, "Your card was declined. (generic_decline, request req_test)", false, 1},
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
			if seats.Status != billing.SyncError || !strings.Contains(seats.Error, c.message) || seats.DueAt == nil {
				t.Fatalf("after the failure: %+v", seats)
			}
			if got := env.stripeQuantity(); got != c.quantity {
				t.Fatalf("quantity %d at Stripe, want %d", got, c.quantity)
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
				t.Errorf("attempt %d, then %d", before.Attempt, after.Attempt)
			}
		})
	}
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
	if entry := changes[0]; entry.From != 40 || entry.To != 1 || entry.Reason != billing.ReasonResent || entry.ActorName != "" {
		t.Errorf("newest ledger entry %+v", entry)
	}
	env.makeSeatsDue()
	if err := env.syncSeats(); err != nil {
		t.Fatal(err)
	}
	wantSeats(t, env, 1, 1, billing.SyncOK)
}

// loseResponseForRemovedMember adds a member, loses the response to the update, and removes the
// member.
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

// After a lost response the snapshot still has the old quantity, which equals the desired quantity.
// Stripe has another one, so that the subscription must be fetched before the seats count as
// synced.
func TestOpenAttemptIsFetchedBeforeSnapshotIsTrusted(t *testing.T) {
	env := newTestEnv(t)
	env.loseResponseForRemovedMember()
	if seats := env.overview().Seats; seats.Desired != 1 || seats.Quantity != 1 || seats.Status == billing.SyncOK || env.stripeQuantity() != 2 {
		t.Fatalf("seats %+v, quantity %d at Stripe", seats, env.stripeQuantity())
	}
	for range 3 {
		env.makeSeatsDue()
		env.must(env.syncSeats())
	}
	wantSeats(t, env, 1, 1, billing.SyncOK)
	if n := env.queryInt(`select count(*) from seat_changes where reason = $1`, billing.ReasonResent); n != 0 {
		t.Errorf("%d ledger entries about a change at Stripe, want 0", n)
	}
}

// While the subscription cannot be fetched, the error is shown and the fetch is retried with
// back-off.
func TestOpenAttemptIsRetriedDuringOutage(t *testing.T) {
	env := newTestEnv(t)
	env.loseResponseForRemovedMember()
	_, err := env.stripe.Faults().Add(stripelocal.Fault{Kind: stripelocal.ServerError, Method: http.MethodGet, Path: "/v1/subscriptions/*", Calls: -1})
	env.must(err)
	before := env.seatState().Failures
	for n := range 2 {
		env.makeSeatsDue()
		attempted := time.Now()
		env.must(env.syncSeats())
		state := env.seatState()
		if seats := env.overview().Seats; seats.Status != billing.SyncError || state.Failures != before+n+1 || state.DueAt == nil || !state.DueAt.After(attempted) || !state.AttemptOpen {
			t.Fatalf("seats %+v, state %+v", seats, state)
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
		t.Errorf("%d calls, want 1", env.quantityUpdates.Load())
	}
	wantSeats(t, env, 6, 6, billing.SyncOK)
}

func TestBurstIsDebounced(t *testing.T) {
	env, clock := newTestEnv(t), newTestClock()
	env.useClock(clock.now)
	env.subscribe("pro")
	env.startWorker(env.service)
	for range 10 {
		env.addMembers(1)
		clock.advance(billing.DebounceLimit / 15)
		env.must(env.syncSeats())
	}
	clock.advance(billing.DebounceLimit)
	env.waitFor("the quantity to be synced", func(o billing.Overview) bool { return o.Seats.Status == billing.SyncOK && o.Seats.Quantity == 11 })
	if env.quantityUpdates.Load() > 2 {
		t.Errorf("%d calls for ten changes, want at most 2", env.quantityUpdates.Load())
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
		t.Fatalf("%d ledger entries, want 3: %+v", len(changes), changes)
	}
	newest := changes[0]
	if newest.From != 2 || newest.To != 3 || newest.SubjectName != "Member" || newest.Reason == "" {
		t.Errorf("newest entry: %+v", newest)
	}
	if oldest := changes[2]; oldest.From != 0 || oldest.To != 1 || oldest.ActorName != "Ana" {
		t.Errorf("oldest entry: %+v", oldest)
	}
}

// The ledger entry of a synced change names the invoice and the amount, once the invoice exists.
func TestSeatLedgerRecordsInvoice(t *testing.T) {
	env := newTestEnv(t)
	env.sellPro(func(p *catalog.Plan) { p.ProrationOnIncrease = catalog.ProrationAlwaysInvoice })
	env.registerWebhook()
	env.subscribe("pro")
	env.addMembers(2)
	env.makeSeatsDue()
	env.must(env.syncSeats())
	env.startWorker(env.service) // started late, so that both changes are in one update
	var newest billing.SeatChange
	env.waitFor("the ledger to name the invoice", func(billing.Overview) bool {
		changes, _, err := env.service.SeatLedger.Search(t.Context(), env.access, billing.LedgerSearch{Limit: 10})
		env.must(err)
		if changes[1].InvoiceNumber != "" {
			t.Fatalf("both changes of one update name the invoice: %+v", changes[1])
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
		t.Errorf("ledger entry %+v, invoice at Stripe %+v", newest, invoice)
	}
}

// Seats bought at Checkout are attributed to the subscription, not to the request of the first
// update after it. Those who joined while the Checkout page was open belong to that update.
func TestSeatLedgerAttributesBoughtSeats(t *testing.T) {
	env := newTestEnv(t)
	env.addMembers(2)
	session, err := env.service.Checkouts.Start(t.Context(), env.access, billing.CheckoutRequest{PlanID: "pro", Interval: catalog.Monthly})
	env.must(err)
	env.addMembers(1)
	env.pay(session)
	_, err = env.service.Checkouts.Complete(t.Context(), env.access, session.StripeSessionID)
	env.must(err)
	env.makeSeatsDue()
	env.must(env.syncSeats())
	env.addMembers(1)
	env.makeSeatsDue()
	env.must(env.syncSeats())
	wantSeats(t, env, 5, 5, billing.SyncOK)
	changes, _, err := env.service.SeatLedger.Search(t.Context(), env.access, billing.LedgerSearch{Limit: 200})
	env.must(err)
	current := env.overview().Subscription
	requests := map[int]string{}
	bought := 0
	for _, change := range changes {
		if change.Reason == billing.ReasonBought {
			bought++
			if change.From != 0 || change.To != 3 || change.RequestID != current.ID {
				t.Errorf("line of the purchase: %+v", change)
			}
			continue
		}
		requests[change.To] = change.RequestID
	}
	if bought != 1 || requests[1] != current.ID || requests[2] != current.ID || requests[3] != current.ID {
		t.Errorf("%d lines of the purchase; the seats before it are attributed to %v, want %s", bought, requests, current.ID)
	}
	if first, second := requests[4], requests[5]; first == "" || second == "" || first == second || first == current.ID {
		t.Errorf("the seats after the purchase are attributed to %q and %q", first, second)
	}

	// Another subscription with the same members has its own line.
	env.cancelAtStripe(*current)
	env.must(env.service.Subscriptions.Refresh(t.Context(), env.access))
	again := env.subscribe("pro")
	changes, _, err = env.service.SeatLedger.Search(t.Context(), env.access, billing.LedgerSearch{Limit: 1})
	env.must(err)
	if line := changes[0]; line.Reason != billing.ReasonBought || line.To != 5 || line.RequestID != again.ID {
		t.Errorf("line of the second purchase: %+v", line)
	}
	env.must(env.service.Subscriptions.Refresh(t.Context(), env.access))
	if n := env.queryInt(`select count(*) from seat_changes where reason = $1`, billing.ReasonBought); n != 2 {
		t.Errorf("%d lines of purchases, want 2", n)
	}
}
