package db

import (
	"testing"

	"usher/billing"
	"usher/billing/mail"
)

func TestContacts(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	for _, email := range []string{"b@example.com", "a@example.com", "B@example.com"} {
		must(t, store.Contacts().Add(ctx, "org_1", email))
	}
	got, err := store.Contacts().List(ctx, "org_1")
	must(t, err)
	wantEqual(t, got, []string{"b@example.com", "a@example.com"})
	must(t, store.Contacts().Remove(ctx, "org_1", "B@EXAMPLE.com"))
	wantNotFound(t, store.Contacts().Remove(ctx, "org_1", "b@example.com"))
	got, err = store.Contacts().List(ctx, "org_1")
	must(t, err)
	wantEqual(t, got, []string{"a@example.com"})

	muted := []mail.Kind{mail.KindCanceled, mail.KindRenewed}
	must(t, store.Contacts().Mute(ctx, "org_1", []mail.Kind{mail.KindResumed}))
	must(t, store.Contacts().Mute(ctx, "org_1", muted))
	kinds, err := store.Contacts().Muted(ctx, "org_1")
	must(t, err)
	wantEqual(t, kinds, muted)
}

func TestCustomerDetails(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	must(t, store.Customers().ScheduleUpdate(ctx, "org_1", testAccount, at(1))) // no customer yet
	_, err := store.Customers().Details(ctx, "org_1", testAccount)
	wantNotFound(t, err)
	must(t, store.Customers().PutLink(ctx, billing.CustomerLink{OrganizationID: "org_1", Generation: 1, StripeCustomerID: "cus_1", Account: testAccount.ID,
		Livemode: testAccount.Livemode, CreatedAt: at(0), UpdatedAt: at(0)}))
	must(t, store.Customers().ScheduleUpdate(ctx, "org_1", testAccount, at(1)))
	_, err = store.Customers().ClaimUpdate(ctx, testAccount, at(0), at(9))
	wantNotFound(t, err)
	claimed, err := store.Customers().ClaimUpdate(ctx, testAccount, at(1), at(9))
	must(t, err)
	_, err = store.Customers().ClaimUpdate(ctx, testAccount, at(8), at(9))
	wantNotFound(t, err) // leased

	// Changed during the push.
	must(t, store.Customers().ScheduleUpdate(ctx, "org_1", testAccount, at(3)))
	claimed.AppliedVersion, claimed.DueAt = claimed.Version, nil
	must(t, store.Customers().FinishUpdate(ctx, testAccount, claimed, at(4)))
	claimed, err = store.Customers().ClaimUpdate(ctx, testAccount, at(4), at(9))
	must(t, err)
	wantEqual(t, []int64{claimed.Version, claimed.AppliedVersion}, []int64{2, 1})

	full := billing.CustomerDetails{
		StripeCustomer: billing.StripeCustomer{ID: "cus_1", Name: "Lantern", Email: "a@example.com", Delinquent: true, AsOf: at(5)},
		OrganizationID: "org_1", Version: 2, AppliedVersion: 2, DueAt: ptr(at(7)), Failures: 3, Error: "no answer",
	}
	must(t, store.Customers().FinishUpdate(ctx, testAccount, full, at(6)))
	must(t, store.Customers().Put(ctx, testAccount, full.StripeCustomer))
	older := full.StripeCustomer
	older.Name, older.AsOf = "Before", at(4)
	must(t, store.Customers().Put(ctx, testAccount, older))
	got, err := store.Customers().Details(ctx, "org_1", testAccount)
	must(t, err)
	wantEqual(t, got, full)
}
