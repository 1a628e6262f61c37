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

// again reads the actor's access anew, as every request does.
func (env *testEnv) reloadAccess() account.Access {
	env.t.Helper()
	access, err := env.service.Organizations.Access(env.t.Context(), env.access.User.ID, env.access.Organization.ID)
	env.must(err)
	return access
}

func (env *testEnv) cancelsAtPeriodEnd() bool {
	env.t.Helper()
	var at struct {
		CancelAtPeriodEnd bool `json:"cancel_at_period_end"`
	}
	env.stripeGet("/v1/subscriptions/"+env.overview().Subscription.ID, &at)
	if at.CancelAtPeriodEnd != env.overview().Subscription.CancelAtPeriodEnd {
		env.t.Errorf("here the plan ends: %v, at Stripe: %v", env.overview().Subscription.CancelAtPeriodEnd, at.CancelAtPeriodEnd)
	}
	return at.CancelAtPeriodEnd
}

func TestCancelAtPeriodEndAndResume(t *testing.T) {
	env := newTestEnv(t)
	if err := env.service.Subscriptions.CancelAtPeriodEnd(t.Context(), env.access); apperr.MessageOf(err) != billing.MessageNoPlan {
		t.Errorf("without a plan: %v", err)
	}
	env.subscribe("pro")
	for range 2 { // a double click
		env.must(env.service.Subscriptions.CancelAtPeriodEnd(t.Context(), env.access))
	}
	if !env.cancelsAtPeriodEnd() || !env.overview().HasAccess {
		t.Error("it does not end with what is paid for")
	}
	env.must(env.service.Subscriptions.Resume(t.Context(), env.access))
	if env.cancelsAtPeriodEnd() {
		t.Error("it still ends")
	}
	env.stripeRequest(http.MethodPost, "/v1/subscriptions/"+env.overview().Subscription.ID,
		map[string][]string{"cancel_at": {strconv.FormatInt(time.Now().Add(20*24*time.Hour).Unix(), 10)}})
	env.must(env.service.Subscriptions.Refresh(t.Context(), env.access))
	env.must(env.service.Subscriptions.Resume(t.Context(), env.access))
	if _, ending := env.overview().Subscription.EndsAt(); ending {
		t.Error("it still ends on a day")
	}
}

func TestWithdrawDeletion(t *testing.T) {
	env := newTestEnv(t)
	env.subscribe("pro")
	if err := env.service.Deletions.Request(t.Context(), env.access, "something else"); apperr.CodeOf(err) != apperr.CodeUnprocessable {
		t.Fatalf("without its name: %v", err)
	}
	env.must(env.service.Deletions.Request(t.Context(), env.access, env.access.Organization.Name))
	if !env.cancelsAtPeriodEnd() || env.reloadAccess().Organization.DeletesAt == nil || env.countMails(mail.KindDeletion) != 1 {
		t.Fatal("it is not on its way")
	}
	if err := env.service.Deletions.Request(t.Context(), env.reloadAccess(), env.access.Organization.Name); apperr.CodeOf(err) != apperr.CodeConflict {
		t.Errorf("once more: %v", err)
	}
	if _, err := env.service.Checkouts.StartPack(t.Context(), env.reloadAccess(), billing.CheckoutRequest{PackID: "credits_500"}); apperr.MessageOf(err) != account.MessageDeleting {
		t.Errorf("buying meanwhile: %v", err)
	}
	env.must(env.service.Deletions.Withdraw(t.Context(), env.reloadAccess()))
	if env.cancelsAtPeriodEnd() || env.reloadAccess().Organization.DeletesAt != nil {
		t.Error("it is still on its way")
	}
	if err := env.service.Deletions.Withdraw(t.Context(), env.reloadAccess()); apperr.MessageOf(err) != account.MessageNotDeleting {
		t.Errorf("once more: %v", err)
	}
	env.must(env.deleteDueOrganizations(billing.DeletionUndo + time.Hour))
	if env.reloadAccess().Organization.DeletedAt != nil {
		t.Error("it was deleted all the same")
	}
}

func (env *testEnv) deleteDueOrganizations(ahead time.Duration) error {
	service := env.newServiceAhead(ahead)
	env.must(service.Prices.Start(env.t.Context()))
	return service.DeleteDueOrganizations(env.t.Context())
}

// What costs money ends at Stripe before anything is deleted here, however often Stripe is away.
func TestOrganizationIsDeletedAfterSubscriptionEnds(t *testing.T) {
	env := newTestEnv(t)
	env.addMembers(1)
	members, err := env.service.Members.List(t.Context(), env.access)
	env.must(err)
	env.subscribe("pro")
	env.reconcile(billing.ReconcileOptions{OrganizationID: env.access.Organization.ID}) // the invoice of it
	env.must(env.service.Deletions.Request(t.Context(), env.access, env.access.Organization.Name))
	env.must(env.deleteDueOrganizations(billing.DeletionUndo - time.Hour))
	if env.reloadAccess().Organization.DeletedAt != nil {
		t.Fatal("deleted before its time")
	}
	_, err = env.stripe.Faults().Add(stripelocal.Fault{Kind: stripelocal.ServerError, Method: http.MethodDelete, Path: "/v1/subscriptions/*", Calls: 3}) // as often as one call is tried
	env.must(err)
	env.must(env.deleteDueOrganizations(billing.DeletionUndo + time.Hour))
	if env.reloadAccess().Organization.DeletedAt != nil || env.queryInt(`select failures from deletions`) != 1 {
		t.Fatalf("deleted %v while its plan runs, %d failures are written down", env.reloadAccess().Organization.DeletedAt, env.queryInt(`select coalesce(sum(failures), 0) from deletions`))
	}
	env.must(env.deleteDueOrganizations(billing.DeletionUndo + 2*time.Hour))
	if env.reloadAccess().Organization.DeletedAt == nil || env.overview().Subscription.Status != billing.StatusCanceled {
		t.Fatalf("it is there still, its plan %s", env.overview().Subscription.Status)
	}
	if invoices, err := env.service.Invoices.List(t.Context(), env.reloadAccess()); err != nil || len(invoices) != 1 {
		t.Errorf("%d invoices, %v", len(invoices), err)
	}
	for _, member := range members {
		_, err := env.service.Organizations.Access(t.Context(), member.UserID, env.access.Organization.ID)
		if gone := errors.Is(err, apperr.ErrNotFound); gone == (member.UserID == env.access.User.ID) {
			t.Errorf("%s enters: %v", member.Name, err)
		}
	}
	if err := env.service.Deletions.Withdraw(t.Context(), env.reloadAccess()); apperr.MessageOf(err) != account.MessageDeleted {
		t.Errorf("taken back too late: %v", err)
	}
}

func TestHandOver(t *testing.T) {
	env := newTestEnv(t)
	env.addMembers(1)
	members, err := env.service.Members.List(t.Context(), env.access)
	env.must(err)
	for _, member := range members {
		if member.UserID == env.access.User.ID {
			if err := env.service.Members.HandOver(t.Context(), env.access, member.ID); apperr.CodeOf(err) != apperr.CodeUnprocessable {
				t.Errorf("to oneself: %v", err)
			}
			continue
		}
		env.must(env.service.Members.HandOver(t.Context(), env.access, member.ID))
		next, err := env.service.Organizations.Access(t.Context(), member.UserID, env.access.Organization.ID)
		if err != nil || next.Member.Role.ID != account.RoleAdmin {
			t.Errorf("the new admin is %+v, %v", next.Member.Role, err)
		}
	}
	if role := env.reloadAccess().Member.Role.ID; role != account.RoleMember {
		t.Errorf("the former admin is %s", role)
	}
	if err := env.service.Members.HandOver(t.Context(), env.access, members[0].ID); apperr.MessageOf(err) != account.MessageAdminsOnly {
		t.Errorf("by the former admin: %v", err)
	}
}

// Who deletes their account leaves every seat, and nothing of theirs but a line in the ledger.
func TestDeleteAccount(t *testing.T) {
	env := newTestEnv(t)
	env.subscribe("pro")
	if err := env.service.Users.DeleteAccount(t.Context(), env.access.User.ID, "front of house"); apperr.CodeOf(err) != apperr.CodeConflict {
		t.Errorf("the last admin: %v", err)
	}
	env.addMembers(1)
	members, err := env.service.Members.List(t.Context(), env.access)
	env.must(err)
	for _, member := range members {
		if member.UserID == env.access.User.ID {
			continue
		}
		if err := env.service.Users.DeleteAccount(t.Context(), member.UserID, "back of house"); apperr.CodeOf(err) != apperr.CodeUnprocessable {
			t.Errorf("with a wrong password: %v", err)
		}
		env.must(env.service.Users.DeleteAccount(t.Context(), member.UserID, "front of house"))
		if _, err := env.service.Users.LogIn(t.Context(), member.Email, "front of house"); err == nil {
			t.Error("they can still sign in")
		}
		if _, err := env.service.Organizations.Access(t.Context(), member.UserID, env.access.Organization.ID); !errors.Is(err, apperr.ErrNotFound) {
			t.Errorf("they can still enter: %v", err)
		}
		user, err := env.service.Users.Get(t.Context(), member.UserID)
		if err != nil || user.Name != account.DeletedName || user.Email == member.Email {
			t.Errorf("kept is %+v, %v", user, err)
		}
	}
	if seats := env.overview().Seats; seats.Billable != 1 || seats.Desired != 1 || seats.DueAt == nil && seats.Quantity != 1 {
		t.Errorf("seats: %+v", seats)
	}
	changes, _, err := env.service.SeatLedger.Search(t.Context(), env.access, billing.LedgerSearch{Limit: 1})
	if err != nil || changes[0].Reason != "deleted their account" || changes[0].SubjectName != account.DeletedName {
		t.Errorf("the ledger says %+v, %v", changes[0], err)
	}
}

// Somebody deletes their account while their acceptance of an invitation is half done: nobody without a name is a member afterwards.
func TestDeleteAccountDuringInvitationAcceptance(t *testing.T) {
	env := newTestEnv(t)
	ctx := context.WithoutCancel(t.Context())
	user := env.insertUser()
	_, err := env.store.DB().ExecContext(ctx, `update users set password_hash = (select password_hash from users where id = $2) where id = $1`, user.ID, env.access.User.ID)
	env.must(err)
	env.invite(env.access, user.Email, true)
	token := env.invitationToken(user.Email)
	waiting := func() int {
		return env.queryInt(`select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`)
	}
	until := func(what string, so func() bool) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); !so(); time.Sleep(5 * time.Millisecond) { // between two looks at it
			if time.Now().After(deadline) {
				t.Fatalf("waited for %s", what)
			}
		}
	}

	between, err := env.store.DB().BeginTx(ctx, nil) // the acceptance gets as far as its invitation
	env.must(err)
	_, err = between.ExecContext(ctx, `select 1 from invitations for update`)
	env.must(err)
	var group sync.WaitGroup
	group.Go(func() {
		if _, err := env.service.Invitations.Accept(ctx, token, user.ID); err != nil {
			t.Error(err)
		}
	})
	until("the acceptance to wait", func() bool { return waiting() == 1 })
	deleted := make(chan error, 1)
	go func() { deleted <- env.service.Users.DeleteAccount(ctx, user.ID, "front of house") }()
	until("the deletion to wait, or to be done", func() bool { return waiting() == 2 || len(deleted) == 1 })
	env.must(between.Commit())
	group.Wait()
	env.must(<-deleted)
	if env.queryInt(`select count(*) from organization_members where user_id = $1`, user.ID) != 0 {
		t.Error("a deleted account is a member")
	}
	if seats := env.overview().Seats; seats.Billable != 1 || seats.Desired != 1 {
		t.Errorf("seats: %+v", seats)
	}
}
