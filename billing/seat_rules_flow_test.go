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
func (env *testEnv) sellPro(change func(*catalog.Plan)) {
	env.t.Helper()
	options := env.options(env.store)
	options.Now = env.stripe.Now
	for i := range options.Catalog.Plans {
		if options.Catalog.Plans[i].ID == "pro" {
			change(&options.Catalog.Plans[i])
		}
	}
	env.service = billing.New(options)
	if err := env.service.Prices.Start(env.t.Context()); err != nil {
		env.t.Fatal(err)
	}
}

// removeMembers takes the newest n members out.
func (env *testEnv) removeMembers(n int) {
	env.t.Helper()
	members, err := env.store.Members().List(env.t.Context(), env.access.Organization.ID)
	if err != nil {
		env.t.Fatal(err)
	}
	for _, member := range members {
		if member.UserID == env.access.User.ID || n == 0 {
			continue
		}
		n--
		if err := env.service.Members.Remove(env.t.Context(), env.access, member.ID); err != nil {
			env.t.Fatal(err)
		}
	}
}

// settles waits until Stripe has so many seats and nothing is open, putting both clocks ahead over what is gathered.
func (env *testEnv) waitForSeats(atStripe int) {
	env.t.Helper()
	env.waitFor(strconv.Itoa(atStripe)+" seats at Stripe", func(o billing.Overview) bool {
		if o.Seats.DueAt != nil && o.Seats.DueAt.After(env.stripe.Now()) {
			env.stripe.AdvanceClock(o.Seats.DueAt.Add(time.Second))
		}
		return o.Seats.Status == billing.SyncOK && o.Seats.Quantity == atStripe
	})
	if got := env.stripeQuantity(); got != atStripe {
		env.t.Fatalf("Stripe has %d seats, want %d", got, atStripe)
	}
}

func TestPaidSeatsAreKeptUntilRenewal(t *testing.T) {
	env := newTestEnv(t)
	env.sellPro(func(p *catalog.Plan) { p.DecreaseAtRenewal, p.ProrationOnDecrease = true, catalog.ProrateNever })
	env.addMembers(4)
	env.subscribe("pro")
	env.startWorker(env.service)
	env.waitForSeats(5)
	asked := env.quantityUpdates.Load()
	env.removeMembers(3)
	env.addMembers(1)
	wantSeats(t, env, 3, 5, billing.SyncOK) // paid, and free to fill
	if env.quantityUpdates.Load() != asked {
		t.Fatal("Stripe was told of seats that are paid anyway")
	}

	end := env.overview().Subscription.CurrentPeriodEnd
	env.stripe.AdvanceClock(end.Add(-30 * time.Minute))
	env.waitForSeats(3)
	env.addMembers(1)
	env.waitForSeats(4) // filled again within the hour, and not charged for it
	env.stripe.AdvanceClock(end.Add(2 * time.Hour))
	if err := env.service.Subscriptions.Refresh(t.Context(), env.access); err != nil {
		t.Fatal(err)
	}
	paid := env.lastInvoiceTotal()
	if want := int64(4 * 2900); paid != want {
		t.Errorf("the renewal was for %d, want %d: four seats and no proration", paid, want)
	}
}

// lastInvoice is the total of the organization's newest invoice at Stripe, in cents.
func (env *testEnv) lastInvoiceTotal() int64 {
	env.t.Helper()
	var answer struct {
		Data []struct{ Total int64 }
	}
	env.stripeGet("/v1/invoices?limit=1&subscription="+env.overview().Subscription.ID, &answer)
	if len(answer.Data) != 1 {
		env.t.Fatalf("invoices: %+v", answer)
	}
	return answer.Data[0].Total
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
	env.waitForSeats(40) // room for those who join
	env.setQuantityAndRefresh(current, 2)
	env.waitForSeats(4) // nobody billed goes without a seat
}

func TestRepeatedDriftIsRevertedWithBackoff(t *testing.T) {
	env := newTestEnv(t)
	env.sellPro(func(*catalog.Plan) {})
	current := env.subscribe("pro")
	env.startWorker(env.service)
	env.waitForSeats(1)
	began := env.stripe.Now()
	for range 8 {
		env.setQuantityAndRefresh(current, 9)
		env.waitForSeats(1)
	}
	if took := env.stripe.Now().Sub(began); took < 10*time.Minute {
		t.Errorf("eight changes behind us were undone within %v", took)
	}
}

// setQuantity changes the seats at Stripe as somebody else would, and has us look.
func (env *testEnv) setQuantityAndRefresh(current billing.Subscription, quantity int) {
	env.t.Helper()
	env.setQuantityAtStripe(current, quantity)
	if err := env.service.Subscriptions.Refresh(env.t.Context(), env.access); err != nil {
		env.t.Fatal(err)
	}
}

// getStripe reads from Stripe's API as somebody else would.
func (env *testEnv) stripeGet(path string, into any) {
	env.stripeRequest(http.MethodGet, path, nil, into)
}

// postStripe calls Stripe's API as somebody else would.
func (env *testEnv) stripeRequest(method, path string, form url.Values, into ...any) {
	env.t.Helper()
	request, err := http.NewRequestWithContext(env.t.Context(), method, env.origin+path, strings.NewReader(form.Encode()))
	env.must(err)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("X-Stage", "dashboard")
	request.SetBasicAuth("sk_test_dashboard123", "")
	answer, err := http.DefaultClient.Do(request)
	env.must(err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		env.t.Fatalf("%s %s: %d, %v: %s", method, path, answer.StatusCode, err, body)
	}
	for _, target := range into {
		env.must(json.Unmarshal(body, target))
	}
}

func TestUndoPendingSeatChanges(t *testing.T) {
	env := newTestEnv(t)
	env.addMembers(3)
	env.subscribe("pro")
	wantSeats(t, env, 4, 4, billing.SyncOK)
	if _, err := env.service.SeatLedger.UndoPendingChanges(t.Context(), env.access); apperr.CodeOf(err) != apperr.CodeConflict {
		t.Fatalf("nothing is gathered, and undoing says %v", err)
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
		t.Fatalf("%d left, %v", left, err)
	}
	wantSeats(t, env, 4, 4, billing.SyncOK)
	env.makeSeatsDue()
	if err := env.syncSeats(); err != nil || env.quantityUpdates.Load() != 0 {
		t.Fatalf("%d calls, %v", env.quantityUpdates.Load(), err)
	}
	env.removeMembers(1)
	if _, err := env.service.SeatLedger.UndoPendingChanges(t.Context(), env.access); apperr.CodeOf(err) != apperr.CodeConflict {
		t.Fatalf("who was removed can't be brought back, and undoing says %v", err)
	}
}
