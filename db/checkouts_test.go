package db

import (
	"context"
	"sync"
	"testing"

	"usher/billing"
)

func link(organizationID string, generation int, customerID string) billing.CustomerLink {
	return billing.CustomerLink{
		OrganizationID: organizationID, Generation: generation, StripeCustomerID: customerID, Account: stripeAccount.ID,
		Livemode: stripeAccount.Livemode, Email: "ada@example.com", Name: "Acme", CreatedAt: at(0), UpdatedAt: at(1),
	}
}

func TestCustomerLinkRoundTrip(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")

	_, err := store.Customers().Link(ctx, "org_1", stripeAccount)
	wantNotFound(t, err)
	reserved := link("org_1", 1, "")
	must(t, store.Customers().PutLink(ctx, reserved))
	got, err := store.Customers().Link(ctx, "org_1", stripeAccount)
	must(t, err)
	wantEqual(t, got, reserved)

	full := billing.CustomerLink{
		OrganizationID: "org_1", Generation: 1, StripeCustomerID: "cus_1", Account: stripeAccount.ID, Livemode: true,
		Email: "grace@example.com", Name: "Acme 2", CreatedAt: testTime, UpdatedAt: testTime, DeletedAt: ptr(testTime),
	}
	wantFilled(t, full)
	must(t, store.Customers().PutLink(ctx, full))
	full.CreatedAt, full.UpdatedAt, full.DeletedAt = at(0), at(0), ptr(at(0))
	got, err = store.Customers().Link(ctx, "org_1", stripeAccount)
	must(t, err)
	wantEqual(t, got, full)
}

// Each generation, account and mode has a link of its own; the newest generation of the given
// account and mode is returned, and every link keeps its owner.
func TestCustomerLinksOfGenerationsAndAccounts(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	n, err := store.Customers().LastGeneration(ctx, "org_1")
	must(t, err)
	wantEqual(t, n, 0)

	old, current, test := link("org_1", 1, "cus_1"), link("org_1", 2, "cus_2"), link("org_1", 3, "cus_1")
	old.DeletedAt = ptr(at(9))
	test.Livemode = false
	for _, l := range []billing.CustomerLink{current, old, test} {
		must(t, store.Customers().PutLink(ctx, l))
	}
	n, err = store.Customers().LastGeneration(ctx, "org_1")
	must(t, err)
	wantEqual(t, n, 3)
	got, err := store.Customers().Link(ctx, "org_1", stripeAccount)
	must(t, err)
	wantEqual(t, got, current)
	got, err = store.Customers().Owner(ctx, "cus_1", stripeAccount)
	must(t, err)
	wantEqual(t, got, old)
	got, err = store.Customers().Owner(ctx, "cus_1", billing.StripeAccount{ID: stripeAccount.ID})
	must(t, err)
	wantEqual(t, got, test)
	_, err = store.Customers().Owner(ctx, "cus_1", billing.StripeAccount{ID: "acct_2", Livemode: true})
	wantNotFound(t, err)
}

func TestCustomerOfTwoLinksIsAConflict(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	insertUserAndOrganization(t, store, "usr_2", "org_2")
	must(t, store.Customers().PutLink(ctx, link("org_1", 1, "cus_1")))
	wantConflict(t, store.Customers().PutLink(ctx, link("org_2", 1, "cus_1")), "billing_customers_customer_key", "")
	// Any number of links may be reserved.
	must(t, store.Customers().PutLink(ctx, link("org_1", 2, "")))
	must(t, store.Customers().PutLink(ctx, link("org_2", 1, "")))
}

func checkout(id, organizationID string) billing.CheckoutSession {
	return billing.CheckoutSession{ID: id, OrganizationID: organizationID, Account: stripeAccount.ID, Livemode: stripeAccount.Livemode,
		Mode: billing.ModeSubscription, PriceID: "price_1", Quantity: 1, Status: billing.CheckoutReserved, CreatedAt: at(0)}
}

func TestCheckoutRoundTrip(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	_, err := store.Checkouts().Open(ctx, "org_1", stripeAccount)
	wantNotFound(t, err)

	reserved := checkout("chk_1", "org_1")
	must(t, store.Checkouts().Put(ctx, reserved))
	got, err := store.Checkouts().Open(ctx, "org_1", stripeAccount)
	must(t, err)
	wantEqual(t, got, reserved)

	full := billing.CheckoutSession{
		ID: "chk_1", OrganizationID: "org_1", UserID: "usr_1", StripeSessionID: "cs_1", CustomerID: "cus_1", Account: stripeAccount.ID,
		Livemode: true, Mode: billing.ModeSubscription, PriceID: "price_2", Quantity: 7, TrialDays: 14, SuccessURL: "https://s",
		CancelURL: "https://c", URL: "https://checkout", Status: billing.CheckoutOpen, CreatedAt: testTime, ExpiresAt: ptr(testTime),
		CompletedAt: ptr(testTime), Options: billing.CheckoutOptions{TaxIDs: true, Refused: []billing.CheckoutPart{billing.CheckoutTerms}}, People: 8,
	}
	wantFilled(t, full, "SubscriptionID")
	must(t, store.Checkouts().Put(ctx, full))
	full.CreatedAt, full.ExpiresAt, full.CompletedAt = at(0), ptr(at(0)), ptr(at(0))
	got, err = store.Checkouts().Open(ctx, "org_1", stripeAccount)
	must(t, err)
	wantEqual(t, got, full)
	got, err = store.Checkouts().ByStripeID(ctx, "org_1", "cs_1")
	must(t, err)
	wantEqual(t, got, full)
}

func TestCheckoutOfAnotherOrganizationIsNotFound(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	insertUserAndOrganization(t, store, "usr_2", "org_2")
	session := checkout("chk_1", "org_1")
	session.StripeSessionID = "cs_1"
	must(t, store.Checkouts().Put(ctx, session))

	_, err := store.Checkouts().ByStripeID(ctx, "org_2", "cs_1")
	wantNotFound(t, err)
	stolen := session
	stolen.OrganizationID = "org_2"
	must(t, store.Checkouts().Put(ctx, stolen))
	got, err := store.Checkouts().ByStripeID(ctx, "org_1", "cs_1")
	must(t, err)
	wantEqual(t, got, session)
}

func TestFinalCheckoutStaysAsItIs(t *testing.T) {
	t.Parallel()
	for _, final := range []billing.CheckoutStatus{billing.CheckoutComplete, billing.CheckoutExpired} {
		t.Run(string(final), func(t *testing.T) {
			store, ctx := newTestStore(t), t.Context()
			insertUserAndOrganization(t, store, "usr_1", "org_1")
			session := checkout("chk_1", "org_1")
			session.StripeSessionID = "cs_1"
			must(t, store.Checkouts().Put(ctx, session))
			session.Status = final
			must(t, store.Checkouts().Put(ctx, session))
			late := session
			late.Status, late.URL = billing.CheckoutOpen, "https://late"
			must(t, store.Checkouts().Put(ctx, late))
			got, err := store.Checkouts().ByStripeID(ctx, "org_1", "cs_1")
			must(t, err)
			wantEqual(t, got, session)
		})
	}
}

// Other sessions that may exist beside an open subscription checkout.
func TestCheckoutsBesideAnOpenCheckout(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change  func(*billing.CheckoutSession)
		allowed bool
	}{
		"another subscription": {func(*billing.CheckoutSession) {}, false},
		"open at Stripe": {func(s *billing.CheckoutSession) {
			s.Status, s.StripeSessionID = billing.CheckoutOpen, "cs_2"
		}, false},
		"complete":             {func(s *billing.CheckoutSession) { s.Status = billing.CheckoutComplete }, true},
		"expired":              {func(s *billing.CheckoutSession) { s.Status = billing.CheckoutExpired }, true},
		"pack":                 {func(s *billing.CheckoutSession) { s.Mode = billing.ModePayment }, true},
		"other mode":           {func(s *billing.CheckoutSession) { s.Livemode = false }, true},
		"other account":        {func(s *billing.CheckoutSession) { s.Account = "acct_2" }, true},
		"another organization": {func(s *billing.CheckoutSession) { s.OrganizationID = "org_2" }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, ctx := newTestStore(t), t.Context()
			insertUserAndOrganization(t, store, "usr_1", "org_1")
			insertUserAndOrganization(t, store, "usr_2", "org_2")
			must(t, store.Checkouts().Put(ctx, checkout("chk_1", "org_1")))
			second := checkout("chk_2", "org_1")
			tc.change(&second)
			err := store.Checkouts().Put(ctx, second)
			if tc.allowed {
				must(t, err)
				return
			}
			wantConflict(t, err, "checkout_sessions_one_open_key", "")
		})
	}
}

func TestConcurrentCheckouts(t *testing.T) {
	t.Parallel()
	store := newTestStore(t)
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	for range 20 {
		errs := bothAtOnce(t.Context(), store, checkout("chk_1", "org_1"), checkout("chk_2", "org_1"))
		if (errs[0] == nil) == (errs[1] == nil) {
			t.Fatalf("want one success and one conflict: %v, %v", errs[0], errs[1])
		}
		loser := errs[0]
		if loser == nil {
			loser = errs[1]
		}
		wantConflict(t, loser, "checkout_sessions_one_open_key", "")
		wantEqual(t, one[int](t, store, `select count(*) from checkout_sessions`), 1)
		run(t, store, `delete from checkout_sessions`)
	}
}

// bothAtOnce writes each session in a transaction of its own; both begin before either writes.
func bothAtOnce(ctx context.Context, store *Store, sessions ...billing.CheckoutSession) []error {
	errs := make([]error, len(sessions))
	var begun, done sync.WaitGroup
	begun.Add(len(sessions))
	for i, session := range sessions {
		done.Go(func() {
			errs[i] = store.InTx(ctx, func(tx billing.Tx) error {
				begun.Done()
				begun.Wait()
				return tx.Checkouts().Put(ctx, session)
			})
		})
	}
	done.Wait()
	return errs
}

func TestLockOwner(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	must(t, store.Customers().PutLink(ctx, billing.CustomerLink{OrganizationID: "org_1", Generation: 1, StripeCustomerID: "cus_1", Account: testAccount.ID,
		Livemode: testAccount.Livemode, CreatedAt: at(0), UpdatedAt: at(0)}))
	_, err := store.Customers().LockOwner(ctx, "cus_1", billing.StripeAccount{ID: testAccount.ID})
	wantNotFound(t, err) // the other mode
	must(t, store.InTx(ctx, func(q billing.Tx) error {
		id, err := q.Customers().LockOwner(ctx, "cus_1", testAccount)
		wantEqual(t, id, "org_1")
		var free int
		must(t, store.DB().GetContext(ctx, &free, `select count(*) from (select 1 from organizations for no key update skip locked) o`))
		wantEqual(t, free, 0)
		return err
	}))
}

// The subscription of a session is written once, even after the session has ended.
func TestSubscriptionOfACheckout(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	session := checkout("chk_1", "org_1")
	session.StripeSessionID, session.Status = "cs_1", billing.CheckoutComplete
	must(t, store.Checkouts().Put(ctx, session))
	expired := checkout("chk_2", "org_1")
	expired.StripeSessionID, expired.Status = "cs_2", billing.CheckoutExpired
	must(t, store.Checkouts().Put(ctx, expired))
	unlinked, err := store.Checkouts().Unlinked(ctx, "org_1", stripeAccount)
	must(t, err)
	wantEqual(t, unlinked, []billing.CheckoutSession{session})

	for i, want := range []bool{true, false} {
		fresh, err := store.Checkouts().SetSubscription(ctx, "chk_1", []string{"sub_1", "sub_9"}[i])
		must(t, err)
		wantEqual(t, fresh, want)
	}
	_, err = store.Checkouts().SetSubscription(ctx, "chk_2", "sub_2")
	must(t, err)
	ids, err := store.Checkouts().SubscriptionIDs(ctx, "org_1")
	must(t, err)
	wantEqual(t, ids, []string{"sub_1", "sub_2"})
	unlinked, err = store.Checkouts().Unlinked(ctx, "org_1", stripeAccount)
	must(t, err)
	wantEqual(t, unlinked, []billing.CheckoutSession{})
	must(t, store.Checkouts().Put(ctx, session))
	got, err := store.Checkouts().ByStripeID(ctx, "org_1", "cs_1")
	must(t, err)
	wantEqual(t, got.SubscriptionID, "sub_1")
}
