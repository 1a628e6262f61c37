package billing_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/catalog"
)

// sells has the stage's service sell the pro plan under other rules, on the local Stripe's clock.
func (s *stage) sells(change func(*catalog.Plan)) {
	s.t.Helper()
	options := s.options(s.store)
	options.Now = s.stripe.Now
	for i := range options.Catalog.Plans {
		if options.Catalog.Plans[i].ID == "pro" {
			change(&options.Catalog.Plans[i])
		}
	}
	s.service = billing.New(options)
	if err := s.service.Prices.Start(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

// removeMembers takes the newest n members out.
func (s *stage) removeMembers(n int) {
	s.t.Helper()
	members, err := s.store.Members().List(s.t.Context(), s.access.Organization.ID)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, member := range members {
		if member.UserID == s.access.User.ID || n == 0 {
			continue
		}
		n--
		if err := s.service.Members.Remove(s.t.Context(), s.access, member.ID); err != nil {
			s.t.Fatal(err)
		}
	}
}

// settles waits until Stripe has so many seats and nothing is open, putting both clocks ahead over what is gathered.
func (s *stage) settles(atStripe int) {
	s.t.Helper()
	s.until(strconv.Itoa(atStripe)+" seats at Stripe", func(o billing.Overview) bool {
		if o.Seats.DueAt != nil && o.Seats.DueAt.After(s.stripe.Now()) {
			s.stripe.AdvanceClock(o.Seats.DueAt.Add(time.Second))
		}
		return o.Seats.Status == billing.SyncOK && o.Seats.Quantity == atStripe
	})
	if got := s.atStripe(); got != atStripe {
		s.t.Fatalf("Stripe has %d seats, want %d", got, atStripe)
	}
}

func TestSeatsArePaidUntilTheRenewal(t *testing.T) {
	s := openStage(t)
	s.sells(func(p *catalog.Plan) { p.DecreaseAtRenewal, p.ProrationOnDecrease = true, catalog.ProrationNone })
	s.join(4)
	s.subscribe("pro")
	s.work(s.service)
	s.settles(5)
	asked := s.calls.Load()
	s.removeMembers(3)
	s.join(1)
	wantSeats(t, s, 3, 5, billing.SyncOK) // paid, and free to fill
	if s.calls.Load() != asked {
		t.Fatal("Stripe was told of seats that are paid anyway")
	}

	end := s.overview().Subscription.CurrentPeriodEnd
	s.stripe.AdvanceClock(end.Add(-30 * time.Minute))
	s.settles(3)
	s.join(1)
	s.settles(4) // filled again within the hour, and not charged for it
	s.stripe.AdvanceClock(end.Add(2 * time.Hour))
	if err := s.service.Subscriptions.Refresh(t.Context(), s.access); err != nil {
		t.Fatal(err)
	}
	paid := s.lastInvoice()
	if want := int64(4 * 2900); paid != want {
		t.Errorf("the renewal was for %d, want %d: four seats and no proration", paid, want)
	}
}

// lastInvoice is the total of the organization's newest invoice at Stripe, in cents.
func (s *stage) lastInvoice() int64 {
	s.t.Helper()
	var answer struct {
		Data []struct{ Total int64 }
	}
	s.getStripe("/v1/invoices?limit=1&subscription="+s.overview().Subscription.ID, &answer)
	if len(answer.Data) != 1 {
		s.t.Fatalf("invoices: %+v", answer)
	}
	return answer.Data[0].Total
}

func TestQuantitySetAtStripeIsAdoptedAsTheMinimum(t *testing.T) {
	s := openStage(t)
	s.sells(func(p *catalog.Plan) { p.AcceptQuantity = true })
	s.join(2)
	current := s.subscribe("pro")
	s.work(s.service)
	s.settles(3)
	s.setQuantity(current, 40)
	s.settles(40)
	s.join(1)
	s.settles(40) // room for those who join
	s.setQuantity(current, 2)
	s.settles(4) // nobody billed goes without a seat
}

func TestQuantityChangedAgainAndAgainIsNoFight(t *testing.T) {
	s := openStage(t)
	s.sells(func(*catalog.Plan) {})
	current := s.subscribe("pro")
	s.work(s.service)
	s.settles(1)
	began := s.stripe.Now()
	for range 8 {
		s.setQuantity(current, 9)
		s.settles(1)
	}
	if took := s.stripe.Now().Sub(began); took < 10*time.Minute {
		t.Errorf("eight changes behind us were undone within %v", took)
	}
}

// setQuantity changes the seats at Stripe as somebody else would, and has us look.
func (s *stage) setQuantity(current billing.Subscription, quantity int) {
	s.t.Helper()
	s.setQuantityInDashboard(current, quantity)
	if err := s.service.Subscriptions.Refresh(s.t.Context(), s.access); err != nil {
		s.t.Fatal(err)
	}
}

// getStripe reads from Stripe's API as somebody else would.
func (s *stage) getStripe(path string, into any) { s.postStripe(http.MethodGet, path, nil, into) }

// postStripe calls Stripe's API as somebody else would.
func (s *stage) postStripe(method, path string, form url.Values, into ...any) {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), method, s.origin+path, strings.NewReader(form.Encode()))
	s.must(err)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("X-Stage", "dashboard")
	request.SetBasicAuth("sk_test_dashboard123", "")
	answer, err := http.DefaultClient.Do(request)
	s.must(err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		s.t.Fatalf("%s %s: %d, %v: %s", method, path, answer.StatusCode, err, body)
	}
	for _, target := range into {
		s.must(json.Unmarshal(body, target))
	}
}

func TestGatheredChangesAreUndone(t *testing.T) {
	s := openStage(t)
	s.join(3)
	s.subscribe("pro")
	wantSeats(t, s, 4, 4, billing.SyncOK)
	if _, err := s.service.SeatLedger.UndoPendingChanges(t.Context(), s.access); apperr.CodeOf(err) != apperr.CodeConflict {
		t.Fatalf("nothing is gathered, and undoing says %v", err)
	}
	members, err := s.store.Members().List(t.Context(), s.access.Organization.ID)
	if err != nil {
		t.Fatal(err)
	}
	change := func(m account.Member, c account.MemberChange) {
		t.Helper()
		if _, err := s.service.Members.Change(t.Context(), s.access, m.ID, c); err != nil {
			t.Fatal(err)
		}
	}
	no, suspended := false, account.MemberSuspended
	others := members[:0:0]
	for _, m := range members {
		if m.UserID != s.access.User.ID {
			others = append(others, m)
		}
	}
	change(others[0], account.MemberChange{Billable: &no})
	change(others[1], account.MemberChange{Status: &suspended})
	s.join(1)
	wantSeats(t, s, 3, 4, billing.SyncPending)
	left, err := s.service.SeatLedger.UndoPendingChanges(t.Context(), s.access)
	if err != nil || left != 0 {
		t.Fatalf("%d left, %v", left, err)
	}
	wantSeats(t, s, 4, 4, billing.SyncOK)
	s.due()
	if err := s.sync(); err != nil || s.calls.Load() != 0 {
		t.Fatalf("%d calls, %v", s.calls.Load(), err)
	}
	s.removeMembers(1)
	if _, err := s.service.SeatLedger.UndoPendingChanges(t.Context(), s.access); apperr.CodeOf(err) != apperr.CodeConflict {
		t.Fatalf("who was removed can't be brought back, and undoing says %v", err)
	}
}
