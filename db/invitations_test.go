package db

import (
	"bytes"
	"testing"

	"usher/billing/account"
)

func invitation(id, email string) account.Invitation {
	return account.Invitation{
		ID: id, OrganizationID: "org_1", Email: email, Role: account.Role{ID: account.RoleMember, Name: "Member"}, Billable: true,
		TokenHash: tokenHash(id), Inviter: account.Member{UserID: "usr_1", Name: "Name of usr_1"}, Sent: 1, CreatedAt: at(0), ExpiresAt: at(100),
	}
}

func TestInvitationRoundTrip(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	want := invitation("inv_1", "Noa@example.com")
	want.InvitedByKey = "product"
	must(t, store.Invitations().Insert(ctx, want))
	wantFilled(t, want, "AcceptedAt", "RevokedAt")
	got, err := store.Invitations().Get(ctx, "org_1", "inv_1")
	must(t, err)
	wantEqual(t, got, want) // the inviter is not a member

	sender := member("mem_1", "org_1", "usr_1")
	must(t, store.Members().Insert(ctx, sender))
	want.TokenHash, want.Sent, want.ExpiresAt, want.RevokedAt = tokenHash("again"), 2, at(200), ptr(at(5))
	must(t, store.Invitations().Update(ctx, want))
	want.Inviter.ID, want.Inviter.OrganizationID, want.Inviter.Status = "mem_1", "org_1", account.MemberActive
	want.Inviter.Role = account.Role{ID: account.RoleMember, Name: "Member"}
	got, err = store.Invitations().ByToken(ctx, tokenHash("again"))
	must(t, err)
	wantEqual(t, got, want)

	_, err = store.Invitations().ByToken(ctx, tokenHash("inv_1"))
	wantNotFound(t, err)
	_, err = store.Invitations().Get(ctx, "org_2", "inv_1")
	wantNotFound(t, err)
	want.OrganizationID = "org_2"
	wantNotFound(t, store.Invitations().Update(ctx, want))
}

func TestPendingInvitationsAndPromisedSeats(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	for id, change := range map[string]func(*account.Invitation){
		"inv_b": func(*account.Invitation) {},
		"inv_a": func(*account.Invitation) {},
		"inv_c": func(i *account.Invitation) { i.Billable = false },
		"inv_d": func(i *account.Invitation) { i.ExpiresAt = at(50) },
		"inv_e": func(i *account.Invitation) { i.AcceptedAt = ptr(at(1)) },
		"inv_f": func(i *account.Invitation) { i.RevokedAt = ptr(at(1)) },
	} {
		i := invitation(id, id+"@example.com")
		change(&i)
		must(t, store.Invitations().Insert(ctx, i))
	}
	pending, err := store.Invitations().Pending(ctx, "org_1")
	must(t, err)
	var ids []string
	for _, i := range pending {
		ids = append(ids, i.ID)
	}
	wantEqual(t, ids, []string{"inv_a", "inv_b", "inv_c", "inv_d"})
	for _, tc := range []struct {
		except string
		now    int
		want   int
	}{{"", 49, 3}, {"", 50, 2}, {"inv_a", 50, 1}, {"", 100, 0}} {
		promised, err := store.Invitations().CountPromisedSeats(ctx, "org_1", tc.except, at(tc.now))
		must(t, err)
		wantEqual(t, promised, tc.want)
	}
}

func TestInvalidInvitationsAreRefused(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	must(t, store.Roles().Insert(ctx, account.Role{ID: "role_1", OrganizationID: "org_1", Name: "Ushers"}))
	i := invitation("inv_1", "noa@example.com")
	i.Role.ID = "role_1"
	must(t, store.Invitations().Insert(ctx, i))
	wantConstraint(t, store.Invitations().Insert(ctx, invitation("inv_2", "NOA@example.com")), "invitations_one_pending_key")
	wantConstraint(t, store.Roles().Delete(ctx, "org_1", "role_1"), "invitations_role_check")
	for _, tc := range []struct{ constraint, statement string }{
		{"invitations_closed_check", `update invitations set accepted_at = now(), revoked_at = now()`},
		{"invitations_token_hash_check", `update invitations set token_hash = 'short'`},
		{"invitations_sent_check", `update invitations set sent = 0`},
		{"invitations_organization_id_fkey", `update invitations set organization_id = 'org_x'`},
		{"invitations_invited_by_fkey", `update invitations set invited_by = 'usr_x'`},
	} {
		_, err := store.db.ExecContext(ctx, tc.statement)
		wantConstraint(t, err, tc.constraint)
	}
	i.RevokedAt = ptr(at(1))
	must(t, store.Invitations().Update(ctx, i))
	must(t, store.Invitations().Insert(ctx, invitation("inv_2", "NOA@example.com")))
	must(t, store.Roles().Delete(ctx, "org_1", "role_1"))
	closed, err := store.Invitations().Get(ctx, "org_1", "inv_1")
	must(t, err)
	if closed.Role.ID != "" || !bytes.Equal(closed.TokenHash, tokenHash("inv_1")) {
		t.Errorf("%+v", closed)
	}
}
