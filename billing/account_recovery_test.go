package billing_test

import (
	"context"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"usher/billing/account"
	"usher/billing/apperr"
)

const oldPassword, newPassword = "front of house", "back of house"

var mailedLink = regexp.MustCompile(`https://usher\.test/(reset|verify)/([A-Za-z0-9_-]{43})`)

// signedUp is somebody with an account, whose first mail is sent.
func (d *desk) signedUp() account.User {
	d.t.Helper()
	user, _, err := d.service.Users.SignUp(d.t.Context(), account.SignUp{Name: "Ana", Email: "Ana@example.com", Password: oldPassword, Organization: "Lantern"})
	if err != nil {
		d.t.Fatal(err)
	}
	d.service.SweepMail(d.t.Context())
	return user
}

// lastLink is the token in the newest mail.
func (d *desk) lastLink(purpose string) string {
	d.t.Helper()
	sent := d.office.all()
	if len(sent) == 0 {
		d.t.Fatal("nothing was sent")
	}
	found := mailedLink.FindStringSubmatch(sent[len(sent)-1].Text)
	if found == nil || found[1] != purpose {
		d.t.Fatalf("no %s link in %s", purpose, sent[len(sent)-1].Text)
	}
	return found[2]
}

func (d *desk) forgot(email string) {
	d.t.Helper()
	if err := d.service.Recovery.Request(d.t.Context(), email); err != nil {
		d.t.Fatal(err)
	}
	d.service.SweepMail(d.t.Context())
}

func (d *desk) count(query string, args ...any) int {
	d.t.Helper()
	var n int
	if err := d.store.DB().GetContext(d.t.Context(), &n, query, args...); err != nil {
		d.t.Fatal(err)
	}
	return n
}

func wantCode(t *testing.T, err error, code apperr.Code) {
	t.Helper()
	if got := apperr.CodeOf(err); got != code {
		t.Errorf("%v is %q, want %q", err, got, code)
	}
}

func TestRecovery(t *testing.T) {
	d := openDesk(t)
	ctx, user := t.Context(), d.signedUp()
	d.forgot(" ana@EXAMPLE.com ")
	link := d.lastLink("reset")
	if address, err := d.service.Recovery.ResetAddress(ctx, link); err != nil || address != user.Email {
		t.Fatalf("%q, %v", address, err)
	}
	wantCode(t, d.service.Recovery.ResetPassword(ctx, link, "short"), apperr.CodeUnprocessable)
	if err := d.service.Recovery.ResetPassword(ctx, link, newPassword); err != nil {
		t.Fatal(err)
	}
	wantCode(t, d.service.Recovery.ResetPassword(ctx, link, newPassword), apperr.CodeNotFound)
	_, err := d.service.Users.LogIn(ctx, user.Email, oldPassword)
	wantCode(t, err, apperr.CodeUnprocessable)
	if _, err := d.service.Users.LogIn(ctx, user.Email, newPassword); err != nil {
		t.Error(err)
	}
	if n := d.count(`select count(*) from users where email_verified_at is not null`); n != 1 {
		t.Error("who has read the mail has shown the address to be theirs")
	}
}

func TestResetLinkIsGoodForNothingElse(t *testing.T) {
	d := openDesk(t)
	ctx := t.Context()
	d.signedUp()
	verify := d.lastLink("verify")
	d.forgot("ana@example.com")
	reset := d.lastLink("reset")
	wantCode(t, d.service.Recovery.ResetPassword(ctx, verify, newPassword), apperr.CodeNotFound)
	wantCode(t, d.service.Recovery.VerifyEmail(ctx, reset), apperr.CodeNotFound)
	for _, made := range []string{"", "x", strings.Repeat("A", 43), reset + "A", reset[:42]} {
		wantCode(t, d.service.Recovery.ResetPassword(ctx, made, newPassword), apperr.CodeNotFound)
	}
	d.pass(time.Hour)
	wantCode(t, d.service.Recovery.ResetPassword(ctx, reset, newPassword), apperr.CodeNotFound)
}

func TestResetLinkOfAFormerAddressIsSpent(t *testing.T) {
	d := openDesk(t)
	d.signedUp()
	d.forgot("ana@example.com")
	link := d.lastLink("reset")
	if _, err := d.store.DB().ExecContext(t.Context(), `update users set email = 'new@example.com'`); err != nil {
		t.Fatal(err)
	}
	wantCode(t, d.service.Recovery.ResetPassword(t.Context(), link, newPassword), apperr.CodeNotFound)
}

func TestOneOfManyUsesOfALinkCounts(t *testing.T) {
	d := openDesk(t)
	d.signedUp()
	d.forgot("ana@example.com")
	link := d.lastLink("reset")
	var set atomic.Int32
	var group sync.WaitGroup
	for range 6 {
		group.Go(func() {
			err := d.service.Recovery.ResetPassword(context.Background(), link, newPassword)
			if err == nil {
				set.Add(1)
				return
			}
			if apperr.CodeOf(err) != apperr.CodeNotFound {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if set.Load() != 1 {
		t.Errorf("%d uses of one link counted", set.Load())
	}
}

func TestAResetSpendsTheOtherLinks(t *testing.T) {
	d := openDesk(t)
	d.signedUp()
	d.forgot("ana@example.com")
	first := d.lastLink("reset")
	d.pass(2 * time.Minute)
	d.forgot("ana@example.com")
	second := d.lastLink("reset")
	if first == second {
		t.Fatal("the same link was mailed twice")
	}
	if err := d.service.Recovery.ResetPassword(t.Context(), first, newPassword); err != nil { // both hold until one is used
		t.Fatal(err)
	}
	wantCode(t, d.service.Recovery.ResetPassword(t.Context(), second, newPassword), apperr.CodeNotFound)
}

func TestRecoveryRequestsDoNotFlood(t *testing.T) {
	d := openDesk(t)
	d.signedUp()
	for range 5 {
		d.forgot("ana@example.com")
		d.pass(10 * time.Second)
	}
	if n := len(d.office.all()); n != 2 { // the one of the sign-up, and a link
		t.Errorf("%d mails", n)
	}
}

// What is done before the answer is the same for an address that is known and for one that is not; the rest comes afterwards.
func TestUnknownAddressIsAnsweredAlike(t *testing.T) {
	d := openDesk(t)
	d.signedUp()
	for _, email := range []string{"ana@example.com", "nobody@example.com"} {
		if err := d.service.Recovery.Request(t.Context(), email); err != nil {
			t.Fatal(err)
		}
		if n := d.count(`select count(*) from recovery_requests where email = $1`, email); n != 1 {
			t.Errorf("%d requests of %s", n, email)
		}
	}
	if n := d.count(`select count(*) from account_tokens where purpose = 'reset'`); n != 0 {
		t.Error("the link was made before the answer")
	}
	d.service.SweepMail(t.Context())
	if n := d.count(`select count(*) from account_tokens where purpose = 'reset'`); n != 1 {
		t.Errorf("%d links", n)
	}
	if n := d.count(`select count(*) from recovery_requests`); n != 0 {
		t.Errorf("%d requests are left", n)
	}
	wantCode(t, d.service.Recovery.Request(t.Context(), "no address"), apperr.CodeUnprocessable)
}

func TestTokensAreNotInTheDatabase(t *testing.T) {
	d := openDesk(t)
	d.signedUp()
	d.forgot("ana@example.com")
	for _, link := range []string{d.lastLink("reset")} {
		n := d.count(`select (select count(*) from emails where emails::text like '%' || $1 || '%')
			+ (select count(*) from account_tokens where account_tokens::text like '%' || $1 || '%')`, link)
		if n != 0 {
			t.Errorf("the token stands in %d rows after its mail was sent", n)
		}
	}
}

func TestVerifyEmail(t *testing.T) {
	d := openDesk(t)
	user := d.signedUp()
	link := d.lastLink("verify")
	if n := d.count(`select count(*) from users where email_verified_at is null`); n != 1 {
		t.Fatal("verified from the start")
	}
	for range 2 { // a scanner opens it before the person does
		if err := d.service.Recovery.VerifyEmail(t.Context(), link); err != nil {
			t.Fatal(err)
		}
	}
	if n := d.count(`select count(*) from users where id = $1 and email_verified_at = $2`, user.ID, d.clock()); n != 1 {
		t.Error("not verified")
	}
	wantCode(t, d.service.Recovery.VerifyEmail(t.Context(), "made-up"), apperr.CodeNotFound)
	d.pass(8 * 24 * time.Hour)
	wantCode(t, d.service.Recovery.VerifyEmail(t.Context(), link), apperr.CodeNotFound)
}
