package billing_test

import (
	"errors"
	"net/http"
	"net/url"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/catalog"
)

func (env *testEnv) applySeats(request billing.SeatRequest, confirm string) billing.SeatPreview {
	env.t.Helper()
	made, err := env.service.SeatPreviews.Apply(env.t.Context(), env.access, request, confirm)
	env.must(err)
	return made
}

// confirmSeats previews and confirms a change.
func (env *testEnv) confirmSeats(request billing.SeatRequest) billing.SeatPreview {
	env.t.Helper()
	return env.applySeats(request, env.previewSeats(request).Confirm())
}

func wantSeatsMoved(t *testing.T, err error) billing.SeatPreview {
	t.Helper()
	var moved *billing.SeatMovedError
	if !errors.As(err, &moved) || apperr.CodeOf(err) != apperr.CodeConflict {
		t.Fatalf("%v, want a moved preview", err)
	}
	return moved.Preview
}

// The preview of the last of several confirmed changes covers all of them, and its amount is
// charged, whenever the update is sent and however often it is repeated.
func TestLastConfirmedAmountIsCharged(t *testing.T) {
	env := newTestEnv(t)
	env.stripeClock()
	free := env.insertMembers(3, false)
	env.subscribe("pro")
	env.flushSeats()
	env.advanceStripe(10 * 24 * time.Hour)
	first := env.confirmSeats(billingOf(free[:1], true))
	env.advanceStripe(2 * time.Second)
	last := env.confirmSeats(billingOf(free[1:], true))
	if first.ToQuantity != 2 || last.FromQuantity != 1 || last.ToQuantity != 4 || last.PeriodChange != 3*2900 || last.AmountDue != 0 {
		t.Fatalf("first %+v\nlast %+v", first, last)
	}
	if env.quantityUpdates.Load() != 0 {
		t.Error("a change was sent before it could be undone")
	}
	// The answer is lost: the repeated request has the same date, so it is the same request.
	env.faults.set(responseLost)
	env.advanceStripe(time.Minute)
	env.exec(`update billing_seat_state set due_at = $1, lease_until = null`, env.stripe.Now().Add(-time.Second))
	if err := env.syncSeats(); err == nil {
		t.Log("the lost answer was read all the same")
	}
	env.faults.set(noFault)
	env.advanceStripe(time.Hour)
	env.flushSeats()
	lines, _, _ := env.chargedAtStripe(last, 100)
	if stored := env.storedPreview(last.ID); lines != last.ProrationSum || stored.Charged == nil || *stored.Charged != lines || env.stripeQuantity() != 4 {
		t.Errorf("charged %d, confirmed %d, stored %+v", lines, last.ProrationSum, stored)
	}
	// The charge could not be read after the update: the worker reads it later.
	env.exec(`update seat_previews set charged = null, done_at = null where id = $1`, last.ID)
	env.must(env.service.RecordSeatCharges(t.Context()))
	if stored := env.storedPreview(last.ID); stored.Charged == nil || *stored.Charged != lines || stored.DoneAt == nil {
		t.Errorf("read later: %+v", stored)
	}
	if stored := env.storedPreview(first.ID); stored.Charged != nil || stored.AttemptKey != "" {
		t.Errorf("the first change was charged by itself: %+v", stored)
	}
}

// The last confirmation of several for the same seats counts also if it was made on a replica whose
// clock is behind.
func TestLastConfirmationCountsAcrossClocks(t *testing.T) {
	env := newTestEnv(t)
	behind := time.Duration(0)
	env.useClock(func() time.Time { return env.stripe.Now().Add(-behind) })
	free := env.insertMembers(1, false)
	env.subscribe("pro")
	env.flushSeats()
	env.advanceStripe(10 * 24 * time.Hour)
	request := billingOf(free, true)
	first := env.confirmSeats(request)
	again := env.previewSeats(request) // of somebody who has not seen yet that it was done
	behind = time.Second
	last := env.applySeats(request, again.Confirm())
	if first.Version != last.Version || first.ProratedAt == nil || last.ProratedAt == nil || first.ProratedAt.Equal(*last.ProratedAt) {
		t.Fatalf("first %+v\nlast %+v", first, last)
	}
	behind = 0
	env.advanceStripe(time.Minute)
	env.flushSeats()
	lines, _, _ := env.chargedAtStripe(last, 100)
	if stored := env.storedPreview(last.ID); lines != last.ProrationSum || stored.Charged == nil || *stored.Charged != lines {
		t.Errorf("charged %d, confirmed %d, stored %+v", lines, last.ProrationSum, stored)
	}
}

// What moved between preview and confirmation is refused, and nothing is changed.
func TestMovedSeatsAreRefused(t *testing.T) {
	for name, move := range map[string]func(*testEnv, billing.Subscription){
		"a member joined":      func(env *testEnv, _ billing.Subscription) { env.addMembers(1) },
		"a quantity at Stripe": func(env *testEnv, s billing.Subscription) { env.setQuantityAndRefresh(s, 7) },
		"a coupon": func(env *testEnv, s billing.Subscription) {
			var coupon struct{ ID string }
			env.stripeRequest(http.MethodPost, "/v1/coupons", url.Values{"percent_off": {"50"}, "duration": {"forever"}}, &coupon)
			env.stripeRequest(http.MethodPost, "/v1/subscriptions/"+s.ID, url.Values{"discounts[0][coupon]": {coupon.ID}})
			env.advanceStripe(10 * time.Second)
		},
		"the next period": func(env *testEnv, s billing.Subscription) {
			env.advanceStripe(s.CurrentPeriodEnd.Sub(env.stripe.Now()) + time.Minute)
		},
	} {
		t.Run(name, func(t *testing.T) {
			env := newTestEnv(t)
			env.stripeClock()
			free := env.insertMembers(1, false)
			current := env.subscribe("pro")
			env.flushSeats()
			env.advanceStripe(current.CurrentPeriodEnd.Sub(env.stripe.Now()) - 30*time.Minute)
			request := billingOf(free, true)
			old := env.previewSeats(request)
			move(env, current)
			version := env.seatState().SyncVersion
			_, err := env.service.SeatPreviews.Apply(t.Context(), env.access, request, old.Confirm())
			fresh := wantSeatsMoved(t, err)
			if member, err := env.store.Members().Get(t.Context(), env.access.Organization.ID, free[0].ID); err != nil || member.Billable || env.seatState().SyncVersion != version {
				t.Errorf("the member has a seat: %+v, %v", member, err)
			}
			made, err := env.service.SeatPreviews.Apply(t.Context(), env.access, request, fresh.Confirm())
			if name == "a quantity at Stripe" && err != nil {
				return // until the quantity is set right
			}
			if err != nil || made.ConfirmedAt == nil {
				t.Errorf("the new preview: %+v, %v", made, err)
			}
		})
	}
}

// Somebody joins by an invitation right after a confirmed change: both are charged, from the moment
// of the update on, and joining is not held up.
func TestUnconfirmedChangesKeepTheirWay(t *testing.T) {
	env := newTestEnv(t)
	env.stripeClock()
	free := env.insertMembers(1, false)
	env.subscribe("pro")
	env.flushSeats()
	env.advanceStripe(24 * time.Hour)
	made := env.confirmSeats(billingOf(free, true))
	env.addMembers(1)
	env.flushSeats()
	stored := env.storedPreview(made.ID)
	if env.stripeQuantity() != 3 || stored.AttemptKey != "" || stored.Charged != nil {
		t.Errorf("quantity %d, %+v", env.stripeQuantity(), stored)
	}
}

// Each state has its amount, or its reason for none.
func TestReasonsForNoAmount(t *testing.T) {
	always := func(p *catalog.Plan) {
		p.ProrationOnIncrease, p.ProrationOnDecrease = catalog.ProrationAlwaysInvoice, catalog.ProrationAlwaysInvoice
	}
	for name, test := range map[string]struct {
		plan     func(*catalog.Plan)
		before   func(*testEnv, billing.Subscription)
		reason   billing.SeatReason
		due      bool // charged today
		confirms bool // has to be confirmed
	}{
		"next invoice":  {func(*catalog.Plan) {}, nil, billing.SeatCharged, false, true},
		"at once":       {always, nil, billing.SeatCharged, true, true},
		"at renewal":    {func(p *catalog.Plan) { p.ProrationOnIncrease = catalog.ProrationNone }, nil, billing.SeatAtRenewal, false, true},
		"flat":          {func(p *catalog.Plan) { p.PerSeat = false }, nil, billing.SeatFlat, false, false},
		"trial":         {func(p *catalog.Plan) { p.TrialDays = 14 }, nil, billing.SeatTrial, false, true},
		"minimum seats": {func(p *catalog.Plan) { p.SeatMinimum = 5 }, nil, billing.SeatSame, false, false},
		"ending": {func(*catalog.Plan) {}, func(env *testEnv, _ billing.Subscription) {
			env.must(env.service.Cancellations.Cancel(env.t.Context(), env.access, billing.CancelRequest{}))
		}, billing.SeatCharged, false, true},
		"a credit balance": {always, func(env *testEnv, s billing.Subscription) {
			env.stripeRequest(http.MethodPost, "/v1/customers/"+s.CustomerID, url.Values{"balance": {"-100000"}})
		}, billing.SeatCharged, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			env := newTestEnv(t)
			env.sellPro(test.plan)
			free := env.insertMembers(1, false)
			current := env.subscribe("pro")
			env.flushSeats()
			env.advanceStripe(24 * time.Hour)
			if test.before != nil {
				test.before(env, current)
			}
			request := billingOf(free, true)
			shown := env.applySeats(request, "")
			if (shown.ConfirmedAt == nil) != test.confirms || shown.Reason != test.reason || !shown.Known || (shown.AmountDue > 0) != test.due {
				t.Fatalf("%+v", shown)
			}
			if !test.confirms {
				return
			}
			if name == "ending" && (shown.EndsAt == nil || shown.NextAt != nil || shown.PeriodChange != 0 || shown.ProrationSum <= 0) {
				t.Errorf("ending: %+v", shown)
			}
			if made := env.applySeats(request, shown.Confirm()); made.ConfirmedAt == nil {
				t.Fatalf("%+v", made)
			}
			env.flushSeats()
			if stored := env.storedPreview(shown.ID); stored.Charged == nil || *stored.Charged != shown.ProrationSum && *stored.Charged != shown.InvoiceTotal {
				t.Errorf("charged %v: %+v", stored.Charged, stored)
			}
		})
	}
}

// A plan that keeps removed seats until the renewal: the seat is paid, and using it again is free.
func TestKeptSeatsCostNothing(t *testing.T) {
	env := newTestEnv(t)
	env.sellPro(func(p *catalog.Plan) { p.ProrationOnDecrease = catalog.ProrationAtRenewal })
	paid := env.insertMembers(1, true)
	env.subscribe("pro")
	env.flushSeats()
	saves, err := env.service.SeatPreviews.Estimate(t.Context(), env.access, billingOf(paid, false))
	if err != nil || saves.Reason != billing.SeatKept || saves.PeriodChange != -2900 || saves.ID != "" {
		t.Fatalf("%+v, %v", saves, err)
	}
	if made := env.applySeats(billingOf(paid, false), ""); made.ConfirmedAt == nil || made.Reason != billing.SeatKept {
		t.Fatalf("removed: %+v", made)
	}
	if made := env.applySeats(billingOf(paid, true), ""); made.ConfirmedAt == nil || made.Reason != billing.SeatSame {
		t.Fatalf("added again: %+v", made)
	}
	if env.stripeQuantity() != 2 || env.quantityUpdates.Load() != 0 {
		t.Errorf("quantity %d", env.stripeQuantity())
	}
}

// A card would be charged an amount that nobody knows: that is not offered.
func TestUnknownAmountIsNotChargedAtOnce(t *testing.T) {
	env := newTestEnv(t)
	env.sellPro(func(p *catalog.Plan) { p.ProrationOnIncrease = catalog.ProrationAlwaysInvoice })
	free := env.insertMembers(1, false)
	env.subscribe("pro")
	env.flushSeats()
	request := billingOf(free, true)
	preview := env.previewSeats(request)
	env.exec(`update seat_previews set known = false where id = $1`, preview.ID)
	if preview.Known = false; preview.MayConfirmUnknown() {
		t.Error("an unknown amount can be confirmed")
	}
	_, err := env.service.SeatPreviews.Apply(t.Context(), env.access, request, preview.Confirm())
	wantSeatsMoved(t, err)
}

// Another amount than was confirmed is stored with the change, for operators.
func TestDifferentChargeIsShown(t *testing.T) {
	env := newTestEnv(t)
	env.stripeClock()
	free := env.insertMembers(1, false)
	current := env.subscribe("pro")
	env.flushSeats()
	env.advanceStripe(24 * time.Hour)
	made := env.confirmSeats(billingOf(free, true))
	var coupon struct{ ID string } // support staff adds it after the confirmation
	env.stripeRequest(http.MethodPost, "/v1/coupons", url.Values{"percent_off": {"50"}, "duration": {"forever"}}, &coupon)
	env.stripeRequest(http.MethodPost, "/v1/subscriptions/"+current.ID, url.Values{"discounts[0][coupon]": {coupon.ID}})
	env.flushSeats()
	differing, err := env.store.SeatPreviews().Differing(t.Context(), env.access.Organization.ID, 10)
	if err != nil || len(differing) != 1 || differing[0].ID != made.ID || *differing[0].Charged >= made.ProrationSum {
		t.Errorf("%+v, %v", differing, err)
	}
}

// Somebody else changed the member between preview and confirmation: the undo is not about them.
func TestUndoTakesBackOnlyWhatWasChanged(t *testing.T) {
	env := newTestEnv(t)
	free := env.insertMembers(1, false)
	env.subscribe("pro")
	env.flushSeats()
	request, billable := billingOf(free, true), true
	preview := env.previewSeats(request)
	env.exec(`update seat_previews set known = false where id = $1`, preview.ID) // it promises only the number of seats
	_, err := env.service.Members.Change(t.Context(), env.access, free[0].ID, account.MemberChange{Billable: &billable})
	env.must(err)
	made, err := env.service.SeatPreviews.Apply(t.Context(), env.access, request, preview.Confirm())
	env.must(err)
	if reverse, reversible := env.service.SeatPreviews.Reverse(made); reversible || made.ConfirmedAt == nil {
		t.Errorf("confirmed %+v can be undone by %+v", made, reverse)
	}
	if stored := env.storedPreview(preview.ID); len(stored.Members) != 0 {
		t.Errorf("stored as changed: %+v", stored.Members)
	}
}

// A change with an unknown amount is confirmed after one with a known amount, and both are sent as
// one update: the amount that was confirmed is charged.
func TestUnknownAmountKeepsTheConfirmedOne(t *testing.T) {
	env := newTestEnv(t)
	env.useClock(env.stripe.Now)
	free := env.insertMembers(1, false)
	env.subscribe("pro")
	env.flushSeats()
	env.stripe.AdvanceClock(env.stripe.Now().Add(24 * time.Hour))
	request := billingOf(free, true)
	confirmed := env.applySeats(request, env.previewSeats(request).Confirm())
	env.stripe.AdvanceClock(env.stripe.Now().Add(time.Second))
	unknown := env.previewSeats(request)
	env.exec(`update seat_previews set known = false where id = $1`, unknown.ID)
	if made := env.applySeats(request, unknown.Confirm()); made.Version != confirmed.Version || !confirmed.Known {
		t.Fatalf("confirmed %+v, then %+v", confirmed, made)
	}
	env.stripe.AdvanceClock(env.stripe.Now().Add(time.Minute))
	env.flushSeats()
	if lines, _, _ := env.chargedAtStripe(confirmed, 0); lines != confirmed.ProrationSum || lines == 0 {
		t.Errorf("confirmed were %d, charged %d", confirmed.ProrationSum, lines)
	}
}
