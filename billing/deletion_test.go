package billing_test

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/mail"
	"usher/stripelocal"
)

func (env *testEnv) cancelsAtPeriodEnd() bool {
	env.t.Helper()
	var fetched struct {
		CancelAtPeriodEnd bool `json:"cancel_at_period_end"`
	}
	env.stripeGet("/v1/subscriptions/"+env.overview().Subscription.ID, &fetched)
	if fetched.CancelAtPeriodEnd != env.overview().Subscription.CancelAtPeriodEnd {
		env.t.Errorf("cancel at period end is %v here, %v at Stripe", env.overview().Subscription.CancelAtPeriodEnd, fetched.CancelAtPeriodEnd)
	}
	return fetched.CancelAtPeriodEnd
}

func TestCancelAtPeriodEndAndResume(t *testing.T) {
	env := newTestEnv(t)
	if err := env.service.Cancellations.Cancel(t.Context(), env.access, billing.CancelRequest{}); apperr.MessageOf(err) != billing.MessageNoPlan {
		t.Errorf("without a plan: %v", err)
	}
	env.subscribe("pro")
	for range 2 { // repeating it is allowed
		env.must(env.service.Cancellations.Cancel(t.Context(), env.access, billing.CancelRequest{}))
	}
	if !env.cancelsAtPeriodEnd() || !env.overview().HasAccess {
		t.Error("not canceled at the end of the period, or access is lost already")
	}
	env.must(env.service.Cancellations.Resume(t.Context(), env.access))
	if env.cancelsAtPeriodEnd() {
		t.Error("still canceled at the end of the period")
	}
	env.stripeRequest(http.MethodPost, "/v1/subscriptions/"+env.overview().Subscription.ID,
		map[string][]string{"cancel_at": {strconv.FormatInt(time.Now().Add(20*24*time.Hour).Unix(), 10)}})
	env.must(env.service.Subscriptions.Refresh(t.Context(), env.access))
	env.must(env.service.Cancellations.Resume(t.Context(), env.access))
	if _, ending := env.overview().Subscription.EndsAt(); ending {
		t.Error("the scheduled cancellation remains")
	}
}

func TestWithdrawDeletion(t *testing.T) {
	env := newTestEnv(t)
	env.subscribe("pro")
	if err := env.service.Deletions.Request(t.Context(), env.access, "another name"); apperr.CodeOf(err) != apperr.CodeUnprocessable {
		t.Fatalf("confirmed with another name: %v", err)
	}
	env.must(env.service.Deletions.Request(t.Context(), env.access, env.access.Organization.Name))
	if !env.cancelsAtPeriodEnd() || env.reloadAccess().Organization.DeletesAt == nil || env.countMails(mail.KindDeletion) != 1 {
		t.Fatal("the deletion is not scheduled")
	}
	if err := env.service.Deletions.Request(t.Context(), env.reloadAccess(), env.access.Organization.Name); apperr.CodeOf(err) != apperr.CodeConflict {
		t.Errorf("second request: %v", err)
	}
	if _, err := env.service.Checkouts.StartPack(t.Context(), env.reloadAccess(), billing.CheckoutRequest{PackID: "credits_500"}); apperr.MessageOf(err) != account.MessageDeleting {
		t.Errorf("checkout during a scheduled deletion: %v", err)
	}
	env.must(env.service.Deletions.Withdraw(t.Context(), env.reloadAccess()))
	if env.cancelsAtPeriodEnd() || env.reloadAccess().Organization.DeletesAt != nil {
		t.Error("the deletion is still scheduled")
	}
	if err := env.service.Deletions.Withdraw(t.Context(), env.reloadAccess()); apperr.MessageOf(err) != account.MessageNotDeleting {
		t.Errorf("second withdrawal: %v", err)
	}
	env.must(env.deleteDueOrganizations(billing.DeletionUndo + time.Hour))
	if env.reloadAccess().Organization.DeletedAt != nil {
		t.Error("deleted after the withdrawal")
	}
}

func (env *testEnv) deleteDueOrganizations(ahead time.Duration) error {
	service := env.newServiceAhead(ahead)
	env.must(service.Prices.Start(env.t.Context()))
	return service.DeleteDueOrganizations(env.t.Context())
}

// The subscription is canceled at Stripe before anything is deleted here, also after failed
// attempts.
func TestOrganizationIsDeletedAfterSubscriptionEnds(t *testing.T) {
	env := newTestEnv(t)
	env.addMembers(1)
	members, err := env.service.Members.List(t.Context(), env.access)
	env.must(err)
	env.subscribe("pro")
	// This stores the invoice.
	env.reconcile(billing.ReconcileOptions{OrganizationID: env.access.Organization.ID})
	env.must(env.service.Deletions.Request(t.Context(), env.access, env.access.Organization.Name))
	env.must(env.deleteDueOrganizations(billing.DeletionUndo - time.Hour))
	if env.reloadAccess().Organization.DeletedAt != nil {
		t.Fatal("deleted before the scheduled time")
	}
	// Every attempt of one call fails.
	_, err = env.stripe.Faults().Add(stripelocal.Fault{Kind: stripelocal.ServerError, Method: http.MethodDelete, Path: "/v1/subscriptions/*", Calls: 3})
	env.must(err)
	env.must(env.deleteDueOrganizations(billing.DeletionUndo + time.Hour))
	if env.reloadAccess().Organization.DeletedAt != nil || env.queryInt(`select failures from deletions`) != 1 {
		t.Fatalf("deleted at %v while the subscription is active, %d failures recorded, want 1", env.reloadAccess().Organization.DeletedAt, env.queryInt(`select coalesce(sum(failures), 0) from deletions`))
	}
	// The plan may have ended already, whatever the answer was.
	if err := env.service.Deletions.Withdraw(t.Context(), env.reloadAccess()); apperr.MessageOf(err) != account.MessageDeletionBegun {
		t.Errorf("withdrawal of a deletion that has begun: %v", err)
	}
	env.must(env.deleteDueOrganizations(billing.DeletionUndo + 2*time.Hour))
	if env.reloadAccess().Organization.DeletedAt == nil || env.overview().Subscription.Status != billing.StatusCanceled {
		t.Fatalf("not deleted, subscription %s", env.overview().Subscription.Status)
	}
	if invoices, err := env.service.Invoices.List(t.Context(), env.reloadAccess()); err != nil || len(invoices) != 1 {
		t.Errorf("%d invoices, want 1: %v", len(invoices), err)
	}
	for _, member := range members {
		_, err := env.service.Organizations.Access(t.Context(), member.UserID, env.access.Organization.ID)
		if removed := errors.Is(err, apperr.ErrNotFound); removed == (member.UserID == env.access.User.ID) {
			t.Errorf("access of %s: %v", member.Name, err)
		}
	}
	if err := env.service.Deletions.Withdraw(t.Context(), env.reloadAccess()); apperr.MessageOf(err) != account.MessageDeleted {
		t.Errorf("withdrawal after the deletion: %v", err)
	}
}

func TestHandOver(t *testing.T) {
	env := newTestEnv(t)
	env.addMembers(1)
	members, err := env.service.Members.List(t.Context(), env.access)
	env.must(err)
	for _, member := range members {
		if member.UserID == env.access.User.ID {
			if err := env.service.Members.HandOver(t.Context(), env.access, member.ID, env.access.Organization.Name); apperr.CodeOf(err) != apperr.CodeUnprocessable {
				t.Errorf("to themselves: %v", err)
			}
			continue
		}
		env.must(env.service.Members.HandOver(t.Context(), env.access, member.ID, env.access.Organization.Name))
		next, err := env.service.Organizations.Access(t.Context(), member.UserID, env.access.Organization.ID)
		if err != nil || next.Member.Role.ID != account.RoleAdmin {
			t.Errorf("role of the new admin: %+v, %v", next.Member.Role, err)
		}
	}
	if role := env.reloadAccess().Member.Role.ID; role != account.RoleMember {
		t.Errorf("role of the former admin: %s", role)
	}
	if err := env.service.Members.HandOver(t.Context(), env.access, members[0].ID, env.access.Organization.Name); apperr.MessageOf(err) != account.MessageAdminsOnly {
		t.Errorf("by the former admin: %v", err)
	}
}

// Deleting an account frees its seat and anonymizes the user. The ledger keeps an entry.
func TestDeleteAccount(t *testing.T) {
	env := newTestEnv(t)
	env.subscribe("pro")
	if err := env.service.Users.Delete(t.Context(), env.access.User.ID, testPassword); apperr.CodeOf(err) != apperr.CodeConflict {
		t.Errorf("the last admin: %v", err)
	}
	env.addMembers(1)
	members, err := env.service.Members.List(t.Context(), env.access)
	env.must(err)
	for _, member := range members {
		if member.UserID == env.access.User.ID {
			continue
		}
		if err := env.service.Users.Delete(t.Context(), member.UserID, "wrong password"); apperr.CodeOf(err) != apperr.CodeUnprocessable {
			t.Errorf("with a wrong password: %v", err)
		}
		env.must(env.service.Users.Delete(t.Context(), member.UserID, testPassword))
		if _, err := env.service.Users.LogIn(t.Context(), member.Email, testPassword); err == nil {
			t.Error("a deleted user can log in")
		}
		if _, err := env.service.Organizations.Access(t.Context(), member.UserID, env.access.Organization.ID); !errors.Is(err, apperr.ErrNotFound) {
			t.Errorf("a deleted user has access: %v", err)
		}
		user, err := env.service.Users.Get(t.Context(), member.UserID)
		if err != nil || user.Name != account.DeletedName || user.Email == member.Email {
			t.Errorf("stored user %+v, %v", user, err)
		}
	}
	if seats := env.overview().Seats; seats.Billable != 1 || seats.Desired != 1 || seats.DueAt == nil && seats.Quantity != 1 {
		t.Errorf("seats: %+v", seats)
	}
	changes, _, err := env.service.SeatLedger.Search(t.Context(), env.access, billing.LedgerSearch{Limit: 1})
	if err != nil || changes[0].Reason != "deleted their account" || changes[0].SubjectName != account.DeletedName {
		t.Errorf("newest ledger entry %+v, %v", changes[0], err)
	}
}

// A user deletes the account while the acceptance of an invitation is in progress. The deleted user
// must not become a member.
func TestDeleteAccountDuringInvitationAcceptance(t *testing.T) {
	env := newTestEnv(t)
	ctx := context.WithoutCancel(t.Context())
	user := env.insertUser()
	_, err := env.store.DB().ExecContext(ctx, `update users set password_hash = (select password_hash from users where id = $2) where id = $1`, user.ID, env.access.User.ID)
	env.must(err)
	env.invite(env.access, user.Email, true)
	token := env.invitationToken(user.Email)
	blocked := func() int {
		return env.queryInt(`select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`)
	}
	waitFor := func(what string, met func() bool) {
		t.Helper()
		if !poll(met) {
			t.Fatalf("timed out waiting for %s", what)
		}
	}

	locking, err := env.store.DB().BeginTx(ctx, nil) // blocks the acceptance at its invitation
	env.must(err)
	_, err = locking.ExecContext(ctx, `select 1 from invitations for update`)
	env.must(err)
	var group sync.WaitGroup
	group.Go(func() {
		if _, err := env.service.Invitations.Accept(ctx, token, user.ID); err != nil {
			t.Error(err)
		}
	})
	waitFor("the acceptance to block", func() bool { return blocked() == 1 })
	deleted := make(chan error, 1)
	go func() { deleted <- env.service.Users.Delete(ctx, user.ID, testPassword) }()
	waitFor("the deletion to block or to finish", func() bool { return blocked() == 2 || len(deleted) == 1 })
	env.must(locking.Commit())
	group.Wait()
	env.must(<-deleted)
	if env.queryInt(`select count(*) from organization_members where user_id = $1`, user.ID) != 0 {
		t.Error("a deleted user is a member")
	}
	if seats := env.overview().Seats; seats.Billable != 1 || seats.Desired != 1 {
		t.Errorf("seats: %+v", seats)
	}
}
