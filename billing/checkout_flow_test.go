package billing_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/catalog"
)

func startCheckout(t *testing.T, env *testEnv, plan string, interval catalog.Interval) (billing.CheckoutSession, error) {
	t.Helper()
	return env.service.Checkouts.Start(t.Context(), env.access, billing.CheckoutRequest{PlanID: plan, Interval: interval})
}

func TestOpenCheckoutIsReusedOrReplaced(t *testing.T) {
	env := newTestEnv(t)
	first, err := startCheckout(t, env, "pro", catalog.Monthly)
	if err != nil {
		t.Fatal(err)
	}
	repeated, err := startCheckout(t, env, "pro", catalog.Monthly)
	if err != nil || repeated.StripeSessionID != first.StripeSessionID {
		t.Fatalf("the same request: session %s, %v; want %s", repeated.StripeSessionID, err, first.StripeSessionID)
	}
	yearly, err := startCheckout(t, env, "pro", catalog.Yearly)
	if err != nil || yearly.StripeSessionID == first.StripeSessionID {
		t.Fatalf("another interval: session %s, %v; want another session", yearly.StripeSessionID, err)
	}
	old, err := env.gateway().CheckoutSession(t.Context(), first.StripeSessionID)
	if err != nil || old.Status != billing.CheckoutExpired {
		t.Errorf("the replaced session is %s, want expired: %v", old.Status, err)
	}
	env.addMembers(1)
	more, err := startCheckout(t, env, "pro", catalog.Yearly)
	if err != nil || more.StripeSessionID == yearly.StripeSessionID || more.Quantity != 2 {
		t.Errorf("another quantity: %+v, %v; want another session for 2 seats", more, err)
	}
}

func TestConcurrentCheckoutsCreateOneCustomer(t *testing.T) {
	env := newTestEnv(t)
	var group sync.WaitGroup
	sessions := make([]billing.CheckoutSession, 6)
	for i := range sessions {
		group.Go(func() {
			session, err := env.service.Checkouts.Start(context.WithoutCancel(t.Context()), env.access,
				billing.CheckoutRequest{PlanID: "pro", Interval: catalog.Monthly})
			if err != nil && apperr.CodeOf(err) != apperr.CodeConflict && apperr.CodeOf(err) != apperr.CodeStripe {
				t.Error(err)
			}
			sessions[i] = session
		})
	}
	group.Wait()
	customers, open := map[string]bool{}, map[string]bool{}
	for _, session := range sessions {
		if session.StripeSessionID != "" {
			customers[session.CustomerID], open[session.StripeSessionID] = true, true
		}
	}
	if len(customers) != 1 || len(open) != 1 {
		t.Errorf("%d customers and %d sessions from six concurrent requests, want 1 and 1", len(customers), len(open))
	}
}

func TestCheckoutIsRefusedWithActiveSubscription(t *testing.T) {
	env := newTestEnv(t)
	env.subscribe("starter")
	_, err := startCheckout(t, env, "pro", catalog.Monthly)
	if apperr.CodeOf(err) != apperr.CodeConflict {
		t.Errorf("unexpected error: %v", err)
	}
}

func TestCheckoutStartDetectsPaidSession(t *testing.T) {
	env := newTestEnv(t)
	session, err := startCheckout(t, env, "pro", catalog.Monthly)
	if err != nil {
		t.Fatal(err)
	}
	env.pay(session) // the browser does not return and no webhook arrives
	if _, err := startCheckout(t, env, "pro", catalog.Monthly); apperr.CodeOf(err) != apperr.CodeConflict {
		t.Errorf("second checkout: %v, want a conflict", err)
	}
	if current := env.overview().Subscription; current == nil || current.Status != billing.StatusActive {
		t.Errorf("subscription %+v, want active", current)
	}
}

func TestUnknownPricesAreRefused(t *testing.T) {
	env := newTestEnv(t)
	requests := []billing.CheckoutRequest{
		{PriceID: "price_unknown"}, {PlanID: "enterprise", Interval: catalog.Monthly}, {PlanID: "pro", Interval: "week"}, {},
	}
	for _, request := range requests {
		_, err := env.service.Checkouts.Start(t.Context(), env.access, request)
		if apperr.CodeOf(err) != apperr.CodeInvalid || apperr.MessageOf(err) != "Invalid price ID" {
			t.Errorf("%+v: %v", request, err)
		}
	}
}

func TestSessionOfOtherOrganizationIsNotFound(t *testing.T) {
	env := newTestEnv(t)
	session, err := startCheckout(t, env, "pro", catalog.Monthly)
	if err != nil {
		t.Fatal(err)
	}
	user, organization, err := env.service.Users.SignUp(t.Context(), account.SignUp{
		Name: "Eve", Email: "eve@example.com", Password: testPassword, Organization: "Other",
	})
	if err != nil {
		t.Fatal(err)
	}
	other, err := env.service.Organizations.Access(t.Context(), user.ID, organization.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := env.service.Checkouts.Complete(t.Context(), other, session.StripeSessionID); !errors.Is(err, apperr.ErrNotFound) {
		t.Errorf("unexpected error: %v", err)
	}
}

func TestStartWithoutStripeUsesStoredPrices(t *testing.T) {
	env := newTestEnv(t)
	env.subscribe("pro")
	env.origin = "http://127.0.0.1:1" // refuses connections
	restarted := env.newService(env.openStore())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = restarted.Prices.Start(ctx)
	if err := restarted.Prices.Start(t.Context()); err == nil {
		t.Fatal("starting without Stripe returned no error")
	}
	o, err := restarted.Overviews.Get(t.Context(), env.access)
	if err != nil || o.Subscription == nil || o.Plan == nil || o.Plan.ID != "pro" || !o.HasAccess {
		t.Errorf("overview: %+v, %v", o, err)
	}
}

// Two admins with different addresses start Checkout at the same time. The result is one customer
// with one of the addresses, and one open session.
func TestConcurrentCheckoutsOfTwoAdmins(t *testing.T) {
	env := newTestEnv(t)
	user, err := env.service.Users.CreateMember(t.Context(), env.access.Organization.ID, account.NewMember{
		Name: "Bo", Email: "bo.second@example.com", Password: testPassword, RoleID: account.RoleAdmin,
	})
	env.must(err)
	second, err := env.service.Organizations.Access(t.Context(), user.ID, env.access.Organization.ID)
	env.must(err)
	var group sync.WaitGroup
	opened := make([]billing.CheckoutSession, 2)
	for i, access := range []account.Access{env.access, second} {
		group.Go(func() {
			session, err := env.service.Checkouts.Start(context.WithoutCancel(t.Context()), access, billing.CheckoutRequest{PlanID: "pro", Interval: catalog.Monthly})
			if err != nil && apperr.CodeOf(err) != apperr.CodeConflict {
				t.Error(err)
			}
			opened[i] = session
		})
	}
	group.Wait()
	var customers struct {
		Data []struct{ ID, Email string }
	}
	env.stripeGet("/v1/customers", &customers)
	if len(customers.Data) != 1 || customers.Data[0].Email != env.access.User.Email && customers.Data[0].Email != second.User.Email {
		t.Errorf("customers: %+v", customers.Data)
	}
	if n := env.queryInt(`select count(*) from checkout_sessions where status in ('reserved', 'open')`); n != 1 {
		t.Errorf("%d open sessions, want 1: %+v", n, opened)
	}
}
