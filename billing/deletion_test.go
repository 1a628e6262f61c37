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
func (s *stage) again() account.Access {
	s.t.Helper()
	access, err := s.service.Organizations.Access(s.t.Context(), s.access.User.ID, s.access.Organization.ID)
	s.must(err)
	return access
}

func (s *stage) ends() bool {
	s.t.Helper()
	var at struct {
		CancelAtPeriodEnd bool `json:"cancel_at_period_end"`
	}
	s.getStripe("/v1/subscriptions/"+s.overview().Subscription.ID, &at)
	if at.CancelAtPeriodEnd != s.overview().Subscription.CancelAtPeriodEnd {
		s.t.Errorf("here the plan ends: %v, at Stripe: %v", s.overview().Subscription.CancelAtPeriodEnd, at.CancelAtPeriodEnd)
	}
	return at.CancelAtPeriodEnd
}

func TestPlanIsCanceledAndTakenUpAgain(t *testing.T) {
	s := openStage(t)
	if err := s.service.Subscriptions.CancelAtPeriodEnd(t.Context(), s.access); apperr.MessageOf(err) != billing.MessageNoPlan {
		t.Errorf("without a plan: %v", err)
	}
	s.subscribe("pro")
	for range 2 { // a double click
		s.must(s.service.Subscriptions.CancelAtPeriodEnd(t.Context(), s.access))
	}
	if !s.ends() || !s.overview().HasAccess {
		t.Error("it does not end with what is paid for")
	}
	s.must(s.service.Subscriptions.Resume(t.Context(), s.access))
	if s.ends() {
		t.Error("it still ends")
	}
	s.postStripe(http.MethodPost, "/v1/subscriptions/"+s.overview().Subscription.ID,
		map[string][]string{"cancel_at": {strconv.FormatInt(time.Now().Add(20*24*time.Hour).Unix(), 10)}})
	s.must(s.service.Subscriptions.Refresh(t.Context(), s.access))
	s.must(s.service.Subscriptions.Resume(t.Context(), s.access))
	if _, ending := s.overview().Subscription.EndsAt(); ending {
		t.Error("it still ends on a day")
	}
}

func TestDeletionIsTakenBack(t *testing.T) {
	s := openStage(t)
	s.subscribe("pro")
	if err := s.service.Deletions.Request(t.Context(), s.access, "something else"); apperr.CodeOf(err) != apperr.CodeUnprocessable {
		t.Fatalf("without its name: %v", err)
	}
	s.must(s.service.Deletions.Request(t.Context(), s.access, s.access.Organization.Name))
	if !s.ends() || s.again().Organization.DeletesAt == nil || s.kept(mail.KindDeletion) != 1 {
		t.Fatal("it is not on its way")
	}
	if err := s.service.Deletions.Request(t.Context(), s.again(), s.access.Organization.Name); apperr.CodeOf(err) != apperr.CodeConflict {
		t.Errorf("once more: %v", err)
	}
	if _, err := s.service.Checkouts.StartPack(t.Context(), s.again(), billing.CheckoutRequest{PackID: "credits_500"}); apperr.MessageOf(err) != account.MessageDeleting {
		t.Errorf("buying meanwhile: %v", err)
	}
	s.must(s.service.Deletions.Withdraw(t.Context(), s.again()))
	if s.ends() || s.again().Organization.DeletesAt != nil {
		t.Error("it is still on its way")
	}
	if err := s.service.Deletions.Withdraw(t.Context(), s.again()); apperr.MessageOf(err) != account.MessageNotDeleting {
		t.Errorf("once more: %v", err)
	}
	s.must(s.deleteDue(billing.DeletionUndo + time.Hour))
	if s.again().Organization.DeletedAt != nil {
		t.Error("it was deleted all the same")
	}
}

func (s *stage) deleteDue(ahead time.Duration) error {
	service := s.later(ahead)
	s.must(service.Prices.Start(s.t.Context()))
	return service.DeleteDueOrganizations(s.t.Context())
}

// What costs money ends at Stripe before anything is deleted here, however often Stripe is away.
func TestOrganizationIsDeletedOnlyOnceItsPlanHasEnded(t *testing.T) {
	s := openStage(t)
	s.join(1)
	members, err := s.service.Members.List(t.Context(), s.access)
	s.must(err)
	s.subscribe("pro")
	s.drifts(billing.ReconcileOptions{OrganizationID: s.access.Organization.ID}) // the invoice of it
	s.must(s.service.Deletions.Request(t.Context(), s.access, s.access.Organization.Name))
	s.must(s.deleteDue(billing.DeletionUndo - time.Hour))
	if s.again().Organization.DeletedAt != nil {
		t.Fatal("deleted before its time")
	}
	_, err = s.stripe.Faults().Add(stripelocal.Fault{Kind: stripelocal.ServerError, Method: http.MethodDelete, Path: "/v1/subscriptions/*", Calls: 3}) // as often as one call is tried
	s.must(err)
	s.must(s.deleteDue(billing.DeletionUndo + time.Hour))
	if s.again().Organization.DeletedAt != nil || s.one(`select failures from deletions`) != 1 {
		t.Fatalf("deleted %v while its plan runs, %d failures are written down", s.again().Organization.DeletedAt, s.one(`select coalesce(sum(failures), 0) from deletions`))
	}
	s.must(s.deleteDue(billing.DeletionUndo + 2*time.Hour))
	if s.again().Organization.DeletedAt == nil || s.overview().Subscription.Status != billing.StatusCanceled {
		t.Fatalf("it is there still, its plan %s", s.overview().Subscription.Status)
	}
	if invoices, err := s.service.Invoices.List(t.Context(), s.again()); err != nil || len(invoices) != 1 {
		t.Errorf("%d invoices, %v", len(invoices), err)
	}
	for _, member := range members {
		_, err := s.service.Organizations.Access(t.Context(), member.UserID, s.access.Organization.ID)
		if gone := errors.Is(err, apperr.ErrNotFound); gone == (member.UserID == s.access.User.ID) {
			t.Errorf("%s enters: %v", member.Name, err)
		}
	}
	if err := s.service.Deletions.Withdraw(t.Context(), s.again()); apperr.MessageOf(err) != account.MessageDeleted {
		t.Errorf("taken back too late: %v", err)
	}
}

func TestHandOver(t *testing.T) {
	s := openStage(t)
	s.join(1)
	members, err := s.service.Members.List(t.Context(), s.access)
	s.must(err)
	for _, member := range members {
		if member.UserID == s.access.User.ID {
			if err := s.service.Members.HandOver(t.Context(), s.access, member.ID); apperr.CodeOf(err) != apperr.CodeUnprocessable {
				t.Errorf("to oneself: %v", err)
			}
			continue
		}
		s.must(s.service.Members.HandOver(t.Context(), s.access, member.ID))
		next, err := s.service.Organizations.Access(t.Context(), member.UserID, s.access.Organization.ID)
		if err != nil || next.Member.Role.ID != account.RoleAdmin {
			t.Errorf("the new admin is %+v, %v", next.Member.Role, err)
		}
	}
	if role := s.again().Member.Role.ID; role != account.RoleMember {
		t.Errorf("the former admin is %s", role)
	}
	if err := s.service.Members.HandOver(t.Context(), s.access, members[0].ID); apperr.MessageOf(err) != account.MessageAdminsOnly {
		t.Errorf("by the former admin: %v", err)
	}
}

// Who deletes their account leaves every seat, and nothing of theirs but a line in the ledger.
func TestAccountIsDeleted(t *testing.T) {
	s := openStage(t)
	s.subscribe("pro")
	if err := s.service.Users.Delete(t.Context(), s.access.User.ID, "front of house"); apperr.CodeOf(err) != apperr.CodeConflict {
		t.Errorf("the last admin: %v", err)
	}
	s.join(1)
	members, err := s.service.Members.List(t.Context(), s.access)
	s.must(err)
	for _, member := range members {
		if member.UserID == s.access.User.ID {
			continue
		}
		if err := s.service.Users.Delete(t.Context(), member.UserID, "back of house"); apperr.CodeOf(err) != apperr.CodeUnprocessable {
			t.Errorf("with a wrong password: %v", err)
		}
		s.must(s.service.Users.Delete(t.Context(), member.UserID, "front of house"))
		if _, err := s.service.Users.LogIn(t.Context(), member.Email, "front of house"); err == nil {
			t.Error("they can still sign in")
		}
		if _, err := s.service.Organizations.Access(t.Context(), member.UserID, s.access.Organization.ID); !errors.Is(err, apperr.ErrNotFound) {
			t.Errorf("they can still enter: %v", err)
		}
		user, err := s.service.Users.Get(t.Context(), member.UserID)
		if err != nil || user.Name != account.DeletedName || user.Email == member.Email {
			t.Errorf("kept is %+v, %v", user, err)
		}
	}
	if seats := s.overview().Seats; seats.Billable != 1 || seats.Desired != 1 || seats.DueAt == nil && seats.Quantity != 1 {
		t.Errorf("seats: %+v", seats)
	}
	changes, _, err := s.service.SeatLedger.Search(t.Context(), s.access, billing.LedgerSearch{Limit: 1})
	if err != nil || changes[0].Reason != "deleted their account" || changes[0].SubjectName != account.DeletedName {
		t.Errorf("the ledger says %+v, %v", changes[0], err)
	}
}

// Somebody deletes their account while their acceptance of an invitation is half done: nobody without a name is a member afterwards.
func TestDeletedAccountJoinsNothing(t *testing.T) {
	s := openStage(t)
	ctx := context.WithoutCancel(t.Context())
	user := s.user()
	_, err := s.store.DB().ExecContext(ctx, `update users set password_hash = (select password_hash from users where id = $2) where id = $1`, user.ID, s.access.User.ID)
	s.must(err)
	s.invite(s.access, user.Email, true)
	token := s.token(user.Email)
	waiting := func() int {
		return s.one(`select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`)
	}
	until := func(what string, so func() bool) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); !so(); time.Sleep(5 * time.Millisecond) { // between two looks at it
			if time.Now().After(deadline) {
				t.Fatalf("waited for %s", what)
			}
		}
	}

	between, err := s.store.DB().BeginTx(ctx, nil) // the acceptance gets as far as its invitation
	s.must(err)
	_, err = between.ExecContext(ctx, `select 1 from invitations for update`)
	s.must(err)
	var group sync.WaitGroup
	group.Go(func() {
		if _, err := s.service.Invitations.Accept(ctx, token, user.ID); err != nil {
			t.Error(err)
		}
	})
	until("the acceptance to wait", func() bool { return waiting() == 1 })
	deleted := make(chan error, 1)
	go func() { deleted <- s.service.Users.Delete(ctx, user.ID, "front of house") }()
	until("the deletion to wait, or to be done", func() bool { return waiting() == 2 || len(deleted) == 1 })
	s.must(between.Commit())
	group.Wait()
	s.must(<-deleted)
	if s.one(`select count(*) from organization_members where user_id = $1`, user.ID) != 0 {
		t.Error("a deleted account is a member")
	}
	if seats := s.overview().Seats; seats.Billable != 1 || seats.Desired != 1 {
		t.Errorf("seats: %+v", seats)
	}
}
