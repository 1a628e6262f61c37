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

func wantSeats(t *testing.T, s *stage, billed, atStripe int, status billing.SyncStatus) {
	t.Helper()
	seats := s.overview().Seats
	if seats.Billable != billed || seats.Quantity != atStripe || seats.Status != status {
		t.Fatalf("billed %d, at Stripe %d, %s (%s); want %d, %d, %s",
			seats.Billable, seats.Quantity, seats.Status, seats.Error, billed, atStripe, status)
	}
}

func TestSeatsFollowMembers(t *testing.T) {
	s := openStage(t)
	s.subscribe("pro")
	wantSeats(t, s, 1, 1, billing.SyncOK)
	s.join(3)
	wantSeats(t, s, 4, 1, billing.SyncPending)
	if err := s.sync(); err != nil || s.calls.Load() != 0 {
		t.Fatalf("a change that is still gathered was told: %v, %d calls", err, s.calls.Load())
	}
	s.due()
	if err := s.sync(); err != nil {
		t.Fatal(err)
	}
	wantSeats(t, s, 4, 4, billing.SyncOK)
	if got := s.atStripe(); got != 4 || s.calls.Load() != 1 {
		t.Errorf("Stripe has %d seats after %d calls, want 4 after 1", got, s.calls.Load())
	}
}

func TestMembersBeforeCheckoutAreItsQuantity(t *testing.T) {
	s := openStage(t)
	s.join(6)
	if current := s.subscribe("starter"); current.Quantity != 7 {
		t.Errorf("the checkout was for %d seats, want 7", current.Quantity)
	}
	wantSeats(t, s, 7, 7, billing.SyncOK)
}

func TestMemberAddedDuringCheckoutIsTold(t *testing.T) {
	s := openStage(t)
	session, err := s.service.Checkouts.Start(t.Context(), s.access, billing.CheckoutRequest{PlanID: "pro", Interval: catalog.Monthly})
	if err != nil {
		t.Fatal(err)
	}
	s.join(2)
	s.pay(session)
	if _, err := s.service.Checkouts.Complete(t.Context(), s.access, session.StripeSessionID); err != nil {
		t.Fatal(err)
	}
	s.due()
	if err := s.sync(); err != nil {
		t.Fatal(err)
	}
	wantSeats(t, s, 3, 3, billing.SyncOK)
}

func TestFailuresAreRecordedAndMended(t *testing.T) {
	cases := []struct {
		fault    string
		says     string
		sameKey  bool // the next attempt repeats the key
		atStripe int  // after the failure
	}{
		{refuse, "Your card was declined. (generic_decline, request req_stage)", false, 1},
		{broken, "An unknown error occurred.", false, 1},
		{cutBefore, "did not answer", true, 1},
		{cutAfter, "did not answer", true, 2},
	}
	for _, c := range cases {
		t.Run(c.fault, func(t *testing.T) {
			s := openStage(t)
			s.subscribe("pro")
			s.join(1)
			s.due()
			s.faults.set(c.fault)
			_ = s.sync()
			s.faults.set(none)
			seats := s.overview().Seats
			if seats.Status != billing.SyncError || !strings.Contains(seats.Error, c.says) || seats.DueAt == nil {
				t.Fatalf("after the failure: %+v", seats)
			}
			if got := s.atStripe(); got != c.atStripe {
				t.Fatalf("Stripe has %d seats, want %d", got, c.atStripe)
			}
			before := s.seatState()
			queued, err := s.service.SeatSyncer.Retry(t.Context(), s.access)
			if err != nil || !queued {
				t.Fatalf("retry: queued %v, %v", queued, err)
			}
			s.due()
			if err := s.sync(); err != nil {
				t.Fatal(err)
			}
			wantSeats(t, s, 2, 2, billing.SyncOK)
			if after := s.seatState(); (after.Attempt == before.Attempt) != c.sameKey {
				t.Errorf("attempts went from %d to %d", before.Attempt, after.Attempt)
			}
		})
	}
}

func (s *stage) seatState() billing.SeatState {
	s.t.Helper()
	state, err := s.store.Seats().State(s.t.Context(), s.access.Organization.ID)
	if err != nil {
		s.t.Fatal(err)
	}
	return state
}

func TestQuantityChangedBehindUsIsRestored(t *testing.T) {
	s := openStage(t)
	current := s.subscribe("pro")
	s.setQuantityInDashboard(current, 40)
	if err := s.service.Subscriptions.Refresh(t.Context(), s.access); err != nil {
		t.Fatal(err)
	}
	wantSeats(t, s, 1, 40, billing.SyncPending)
	changes, _, err := s.service.SeatLedger.Search(t.Context(), s.access, billing.LedgerSearch{Limit: 1})
	s.must(err)
	if line := changes[0]; line.From != 40 || line.To != 1 || line.Reason != billing.ReasonResent || line.ActorName != "" {
		t.Errorf("the ledger says %+v", line)
	}
	s.due()
	if err := s.sync(); err != nil {
		t.Fatal(err)
	}
	wantSeats(t, s, 1, 1, billing.SyncOK)
}

// setQuantityInDashboard changes the seats at Stripe as somebody else would.
func (s *stage) setQuantityInDashboard(current billing.Subscription, quantity int) {
	s.t.Helper()
	s.postStripe(http.MethodPost, "/v1/subscriptions/"+current.ID,
		url.Values{"items[0][id]": {current.ItemID}, "items[0][quantity]": {strconv.Itoa(quantity)}})
	if got := s.atStripe(); got != quantity {
		s.t.Fatalf("Stripe has %d seats", got)
	}
}

// loseAnswerAboutAGuest: somebody joins, Stripe takes the seat and its answer is lost; they leave again before it is asked.
func (s *stage) loseAnswerAboutAGuest() {
	s.t.Helper()
	s.subscribe("pro")
	s.join(1)
	s.due()
	s.faults.set(cutAfter)
	_ = s.sync()
	s.faults.set(none)
	s.removeMembers(1)
}

// Somebody joins, Stripe takes the seat and its answer is lost; they leave again before it is asked. The snapshot still shows the number of
// before, which is the wanted one, and is not believed: Stripe has another.
func TestUnansweredAttemptIsAskedAboutBeforeTheOldNumberIsBelieved(t *testing.T) {
	s := openStage(t)
	s.loseAnswerAboutAGuest()
	if seats := s.overview().Seats; seats.Desired != 1 || seats.Quantity != 1 || seats.Status == billing.SyncOK || s.atStripe() != 2 {
		t.Fatalf("the panel says %+v, and Stripe has %d", seats, s.atStripe())
	}
	for range 3 {
		s.due()
		s.must(s.sync())
	}
	wantSeats(t, s, 1, 1, billing.SyncOK)
	if n := s.one(`select count(*) from seat_changes where reason = $1`, billing.ReasonResent); n != 0 {
		t.Errorf("the ledger says %d times that somebody changed the number at Stripe", n)
	}
}

// The same, and Stripe can't be asked: the panel says so, asks ever more seldom, and settles once Stripe is well.
func TestUnansweredAttemptWaitsUntilStripeCanBeAsked(t *testing.T) {
	s := openStage(t)
	s.loseAnswerAboutAGuest()
	_, err := s.stripe.Faults().Add(stripelocal.Fault{Kind: stripelocal.ServerError, Method: http.MethodGet, Path: "/v1/subscriptions/*", Calls: -1})
	s.must(err)
	before := s.seatState().Failures
	for n := range 2 {
		s.due()
		s.must(s.sync())
		state := s.seatState()
		if seats := s.overview().Seats; seats.Status != billing.SyncError || state.Failures != before+n+1 || state.DueAt == nil || !state.DueAt.After(time.Now()) || !state.AttemptOpen {
			t.Fatalf("the panel says %+v, held is %+v", seats, state)
		}
	}
	s.stripe.Faults().Clear()
	for range 3 {
		s.due()
		s.must(s.sync())
	}
	wantSeats(t, s, 1, 1, billing.SyncOK)
}

func TestTwoReplicasTellOnce(t *testing.T) {
	s := openStage(t)
	s.subscribe("pro")
	other := s.newService(s.openStore())
	if err := other.Prices.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.join(5)
	s.due()
	var group sync.WaitGroup
	for i := range 8 {
		service := s.service
		if i%2 == 1 {
			service = other
		}
		group.Go(func() {
			if err := service.SeatSyncer.Sync(context.WithoutCancel(t.Context()), s.access.Organization.ID); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if s.calls.Load() != 1 {
		t.Errorf("Stripe was told %d times", s.calls.Load())
	}
	wantSeats(t, s, 6, 6, billing.SyncOK)
}

func TestBurstIsToldOnce(t *testing.T) {
	s := openStage(t)
	s.subscribe("pro")
	s.work(s.service)
	s.join(10)
	s.until("the seats to settle", func(o billing.Overview) bool { return o.Seats.Status == billing.SyncOK && o.Seats.Quantity == 11 })
	if s.calls.Load() > 2 {
		t.Errorf("ten changes took %d calls", s.calls.Load())
	}
}

func TestSeatLedgerTellsWhoAndWhy(t *testing.T) {
	s := openStage(t)
	s.join(2)
	changes, _, err := s.service.SeatLedger.Search(t.Context(), s.access, billing.LedgerSearch{Limit: 200})
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
func TestSeatLedgerTellsWhatAChangeCameTo(t *testing.T) {
	s := openStage(t)
	s.sells(func(p *catalog.Plan) { p.ProrationOnIncrease = catalog.ProrationAlwaysInvoice })
	s.listening()
	s.subscribe("pro")
	s.join(2)
	s.due()
	s.must(s.sync())
	var newest billing.SeatChange
	s.until("the ledger to name the invoice", func(billing.Overview) bool {
		changes, _, err := s.service.SeatLedger.Search(t.Context(), s.access, billing.LedgerSearch{Limit: 10})
		s.must(err)
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
	s.getStripe("/v1/invoices/"+newest.InvoiceID, &invoice)
	if newest.InvoiceNumber != invoice.Number || newest.Invoiced.Minor != invoice.Total || newest.Invoiced.Currency != "usd" || invoice.Total <= 0 {
		t.Errorf("the ledger says %+v, Stripe %+v", newest, invoice)
	}
}
