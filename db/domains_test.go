package db

import (
	"testing"

	"usher/billing"
	"usher/billing/account"
)

func domain(id, organizationID, name string) account.Domain {
	return account.Domain{ID: id, OrganizationID: organizationID, Name: name, Token: "token of " + id, Billable: true, CreatedBy: "Ana", CreatedAt: at(1)}
}

func TestDomainRoundTrip(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	insertUserAndOrganization(t, store, "usr_2", "org_2")
	want := domain("dom_1", "org_1", "example.com")
	want.VerifiedAt = ptr(at(2))
	wantFilled(t, want)
	must(t, store.Domains().Insert(ctx, want))
	must(t, store.Domains().Insert(ctx, domain("dom_2", "org_1", "example.org")))
	got, err := store.Domains().Get(ctx, "org_1", "dom_1")
	must(t, err)
	wantEqual(t, got, want)
	all, err := store.Domains().OfOrganization(ctx, "org_1")
	must(t, err)
	wantEqual(t, all, []account.Domain{want, domain("dom_2", "org_1", "example.org")})
	_, err = store.Domains().Get(ctx, "org_2", "dom_1")
	wantNotFound(t, err)
	wantConflict(t, store.Domains().Insert(ctx, domain("dom_3", "org_1", "example.com")), "organization_domains_organization_key", "domain")

	got, err = store.Domains().Verified(ctx, "example.com")
	must(t, err)
	wantEqual(t, got, want)
	_, err = store.Domains().Verified(ctx, "example.org")
	wantNotFound(t, err)

	must(t, store.Domains().SetBillable(ctx, want, false))
	want.Billable = false
	got, err = store.Domains().Get(ctx, "org_1", "dom_1")
	must(t, err)
	wantEqual(t, got, want)
	foreign := want
	foreign.OrganizationID = "org_2"
	wantNotFound(t, store.Domains().SetBillable(ctx, foreign, true))
	wantNotFound(t, store.Domains().Delete(ctx, foreign))
	must(t, store.Domains().Delete(ctx, want))
	_, err = store.Domains().Get(ctx, "org_1", "dom_1")
	wantNotFound(t, err)
}

// Many organizations claim a domain, one has it verified, and a deleted one keeps none.
func TestDomainIsVerifiedByOneOrganization(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	verify := func(d account.Domain) error {
		return store.InTx(ctx, func(tx billing.Tx) error { return tx.(queries).Domains().Verify(ctx, d, at(3)) })
	}
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	insertUserAndOrganization(t, store, "usr_2", "org_2")
	first, second := domain("dom_1", "org_1", "example.com"), domain("dom_2", "org_2", "example.com")
	must(t, store.Domains().Insert(ctx, first))
	must(t, store.Domains().Insert(ctx, second))
	must(t, verify(first))
	wantConflict(t, verify(second), "organization_domains_verified_key", "")

	run(t, store, `update organizations set deleted_at = now() where id = 'org_1'`)
	_, err := store.Domains().Verified(ctx, "example.com")
	wantNotFound(t, err)
	must(t, verify(second))
	second.VerifiedAt = ptr(at(3))
	got, err := store.Domains().Verified(ctx, "example.com")
	must(t, err)
	wantEqual(t, got, second)
	_, err = store.Domains().Get(ctx, "org_1", "dom_1")
	wantNotFound(t, err)
}
