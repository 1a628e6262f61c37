package billing_test

import (
	"strconv"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/catalog"
)

// waitForSeats waits until the given quantity is synced. It advances the clock past the debounce
// interval.
func (env *testEnv) waitForSeats(want int) {
	env.t.Helper()
	env.waitFor(strconv.Itoa(want)+" seats at Stripe", func(o billing.Overview) bool {
		if o.Seats.DueAt != nil && o.Seats.DueAt.After(env.stripe.Now()) {
			env.stripe.AdvanceClock(o.Seats.DueAt.Add(time.Second))
		}
		return o.Seats.Status == billing.SyncOK && o.Seats.Quantity == want
	})
	if got := env.stripeQuantity(); got != want {
		env.t.Fatalf("quantity %d at Stripe, want %d", got, want)
	}
}

func TestPaidSeatsAreKeptUntilRenewal(t *testing.T) {
	env := newTestEnv(t)
	env.sellPro(func(p *catalog.Plan) { p.ProrationOnDecrease = catalog.ProrationAtRenewal })
	env.addMembers(4)
	env.subscribe("pro")
	env.startWorker(env.service)
	env.waitForSeats(5)
	before := env.quantityUpdates.Load()
	env.removeMembers(3)
	env.addMembers(1)
	wantSeats(t, env, 3, 5, billing.SyncOK) // paid seats are kept
	if env.quantityUpdates.Load() != before {
		t.Fatal("a change within the paid seats was sent to Stripe")
	}

	end := env.overview().Subscription.CurrentPeriodEnd
	env.stripe.AdvanceClock(end.Add(-30 * time.Minute))
	env.waitForSeats(3)
	env.addMembers(1)
	env.waitForSeats(4) // added before the renewal, without a proration
	env.stripe.AdvanceClock(end.Add(2 * time.Hour))
	if err := env.service.Subscriptions.Refresh(t.Context(), env.access); err != nil {
		t.Fatal(err)
	}
	paid := env.lastInvoiceTotal()
	if want := int64(4 * 2900); paid != want {
		t.Errorf("the renewal invoice is %d, want %d: four seats and no proration", paid, want)
	}
}

func TestAcceptedQuantityIsTheMinimum(t *testing.T) {
	env := newTestEnv(t)
	env.sellPro(func(p *catalog.Plan) { p.AcceptQuantity = true })
	env.addMembers(2)
	current := env.subscribe("pro")
	env.startWorker(env.service)
	env.waitForSeats(3)
	env.setQuantityAndRefresh(current, 40)
	env.waitForSeats(40)
	env.addMembers(1)
	env.waitForSeats(40) // the new member fits into the accepted quantity
	env.setQuantityAndRefresh(current, 2)
	env.waitForSeats(4) // never fewer seats than billed members
}

func TestRepeatedDriftIsRevertedWithBackoff(t *testing.T) {
	env := newTestEnv(t)
	env.sellPro(func(*catalog.Plan) {})
	current := env.subscribe("pro")
	env.startWorker(env.service)
	env.waitForSeats(1)
	start := env.stripe.Now()
	for range 8 {
		env.setQuantityAndRefresh(current, 9)
		env.waitForSeats(1)
	}
	if took := env.stripe.Now().Sub(start); took < 10*time.Minute {
		t.Errorf("eight quantity changes at Stripe were reverted within %v, want at least 10 minutes", took)
	}
}

func TestUndoPendingSeatChanges(t *testing.T) {
	env := newTestEnv(t)
	env.addMembers(3)
	env.subscribe("pro")
	wantSeats(t, env, 4, 4, billing.SyncOK)
	if _, err := env.service.SeatLedger.UndoPendingChanges(t.Context(), env.access); apperr.CodeOf(err) != apperr.CodeConflict {
		t.Fatalf("undo without pending changes: %v", err)
	}
	members, err := env.store.Members().List(t.Context(), env.access.Organization.ID)
	if err != nil {
		t.Fatal(err)
	}
	change := func(m account.Member, c account.MemberChange) {
		t.Helper()
		if _, err := env.service.Members.Change(t.Context(), env.access, m.ID, c); err != nil {
			t.Fatal(err)
		}
	}
	no, suspended := false, account.MemberSuspended
	others := members[:0:0]
	for _, m := range members {
		if m.UserID != env.access.User.ID {
			others = append(others, m)
		}
	}
	change(others[0], account.MemberChange{Billable: &no})
	change(others[1], account.MemberChange{Status: &suspended})
	env.addMembers(1)
	wantSeats(t, env, 3, 4, billing.SyncPending)
	left, err := env.service.SeatLedger.UndoPendingChanges(t.Context(), env.access)
	if err != nil || left != 0 {
		t.Fatalf("%d changes left, %v", left, err)
	}
	wantSeats(t, env, 4, 4, billing.SyncOK)
	env.makeSeatsDue()
	if err := env.syncSeats(); err != nil || env.quantityUpdates.Load() != 0 {
		t.Fatalf("%d calls, %v", env.quantityUpdates.Load(), err)
	}
	env.removeMembers(1)
	if _, err := env.service.SeatLedger.UndoPendingChanges(t.Context(), env.access); apperr.CodeOf(err) != apperr.CodeConflict {
		t.Fatalf("undo of a removal: %v", err)
	}
}
