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

// This file tests package account from outside, because its mails pass the outbox of the whole
// service.

const newPassword = "back of house"

var mailedToken = regexp.MustCompile(`https://usher\.test/(reset|verify)/([A-Za-z0-9_-]{43})`)

// signUp creates an account and sends its verification mail.
func (env *mailEnv) signUp() account.User {
	env.t.Helper()
	user, _, err := env.service.Users.SignUp(env.t.Context(), account.SignUp{Name: "Ana", Email: "Ana@example.com", Password: testPassword, Organization: "Lantern"})
	if err != nil {
		env.t.Fatal(err)
	}
	env.service.SweepMail(env.t.Context())
	return user
}

// lastToken returns the token in the newest mail.
func (env *mailEnv) lastToken(purpose string) string {
	env.t.Helper()
	sent := env.mailer.messages()
	if len(sent) == 0 {
		env.t.Fatal("no mail was sent")
	}
	found := mailedToken.FindStringSubmatch(sent[len(sent)-1].Text)
	if found == nil || found[1] != purpose {
		env.t.Fatalf("no %s link in %s", purpose, sent[len(sent)-1].Text)
	}
	return found[2]
}

func (env *mailEnv) requestReset(email string) {
	env.t.Helper()
	if err := env.service.Recovery.Request(env.t.Context(), email); err != nil {
		env.t.Fatal(err)
	}
	env.service.SweepMail(env.t.Context())
}

func TestPasswordReset(t *testing.T) {
	env := newMailEnv(t)
	ctx, user := t.Context(), env.signUp()
	env.requestReset(" ana@EXAMPLE.com ")
	token := env.lastToken("reset")
	if address, err := env.service.Recovery.ResetAddress(ctx, token); err != nil || address != user.Email {
		t.Fatalf("reset address %q, %v", address, err)
	}
	wantCode(t, env.service.Recovery.ResetPassword(ctx, token, "short"), apperr.CodeUnprocessable)
	if err := env.service.Recovery.ResetPassword(ctx, token, newPassword); err != nil {
		t.Fatal(err)
	}
	wantCode(t, env.service.Recovery.ResetPassword(ctx, token, newPassword), apperr.CodeNotFound)
	_, err := env.service.Users.LogIn(ctx, user.Email, testPassword)
	wantCode(t, err, apperr.CodeUnprocessable)
	if _, err := env.service.Users.LogIn(ctx, user.Email, newPassword); err != nil {
		t.Error(err)
	}
	if n := env.queryInt(`select count(*) from users where email_verified_at is not null`); n != 1 {
		t.Error("the reset did not verify the address")
	}
}

func TestResetTokenPurposeAndExpiry(t *testing.T) {
	env := newMailEnv(t)
	ctx := t.Context()
	env.signUp()
	verify := env.lastToken("verify")
	env.requestReset("ana@example.com")
	reset := env.lastToken("reset")
	wantCode(t, env.service.Recovery.ResetPassword(ctx, verify, newPassword), apperr.CodeNotFound)
	wantCode(t, env.service.Recovery.VerifyEmail(ctx, "usr_any", reset), apperr.CodeNotFound)
	for _, token := range []string{"", "x", strings.Repeat("A", 43), reset + "A", reset[:42]} {
		wantCode(t, env.service.Recovery.ResetPassword(ctx, token, newPassword), apperr.CodeNotFound)
	}
	env.advance(time.Hour)
	wantCode(t, env.service.Recovery.ResetPassword(ctx, reset, newPassword), apperr.CodeNotFound)
}

func TestResetTokenOfFormerAddressIsInvalid(t *testing.T) {
	env := newMailEnv(t)
	env.signUp()
	env.requestReset("ana@example.com")
	token := env.lastToken("reset")
	if _, err := env.store.DB().ExecContext(t.Context(), `update users set email = 'new@example.com'`); err != nil {
		t.Fatal(err)
	}
	wantCode(t, env.service.Recovery.ResetPassword(t.Context(), token, newPassword), apperr.CodeNotFound)
}

func TestConcurrentResetsUseTokenOnce(t *testing.T) {
	env := newMailEnv(t)
	env.signUp()
	env.requestReset("ana@example.com")
	token := env.lastToken("reset")
	var set atomic.Int32
	var group sync.WaitGroup
	for range 6 {
		group.Go(func() {
			err := env.service.Recovery.ResetPassword(context.Background(), token, newPassword)
			if err == nil {
				set.Add(1)
				return
			}
			// On a busy machine the hashing of six passwords is too much at once for some.
			if code := apperr.CodeOf(err); code != apperr.CodeNotFound && code != apperr.CodeUnavailable {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if set.Load() != 1 {
		t.Errorf("%d resets with one token, want 1", set.Load())
	}
}

func TestResetInvalidatesOtherTokens(t *testing.T) {
	env := newMailEnv(t)
	env.signUp()
	env.requestReset("ana@example.com")
	first := env.lastToken("reset")
	env.advance(2 * time.Minute)
	env.requestReset("ana@example.com")
	second := env.lastToken("reset")
	if first == second {
		t.Fatal("both mails contain the same token")
	}
	// Both are valid until one is used.
	if err := env.service.Recovery.ResetPassword(t.Context(), first, newPassword); err != nil {
		t.Fatal(err)
	}
	wantCode(t, env.service.Recovery.ResetPassword(t.Context(), second, newPassword), apperr.CodeNotFound)
}

func TestResetRequestsAreThrottled(t *testing.T) {
	env := newMailEnv(t)
	env.signUp()
	for range 5 {
		env.requestReset("ana@example.com")
		env.advance(10 * time.Second)
	}
	if n := len(env.mailer.messages()); n != 2 { // the verification mail and one reset mail
		t.Errorf("%d mails, want 2", n)
	}
}

// The request does the same work for known and unknown addresses, so that its duration reveals
// nothing. The token is created later by the worker.
func TestResetRequestDoesNotRevealAccounts(t *testing.T) {
	env := newMailEnv(t)
	env.signUp()
	for _, email := range []string{"ana@example.com", "nobody@example.com"} {
		if err := env.service.Recovery.Request(t.Context(), email); err != nil {
			t.Fatal(err)
		}
		if n := env.queryInt(`select count(*) from recovery_requests where email = $1`, email); n != 1 {
			t.Errorf("%d requests for %s, want 1", n, email)
		}
	}
	if n := env.queryInt(`select count(*) from account_tokens where purpose = 'reset'`); n != 0 {
		t.Error("the token was created by the request")
	}
	env.service.SweepMail(t.Context())
	if n := env.queryInt(`select count(*) from account_tokens where purpose = 'reset'`); n != 1 {
		t.Errorf("%d tokens, want 1", n)
	}
	if n := env.queryInt(`select count(*) from recovery_requests`); n != 0 {
		t.Errorf("%d requests remain", n)
	}
	wantCode(t, env.service.Recovery.Request(t.Context(), "no address"), apperr.CodeUnprocessable)
}

func TestResetTokensAreNotStoredInPlaintext(t *testing.T) {
	env := newMailEnv(t)
	env.signUp()
	env.requestReset("ana@example.com")
	n := env.queryInt(`select (select count(*) from emails where emails::text like '%' || $1 || '%')
		+ (select count(*) from account_tokens where account_tokens::text like '%' || $1 || '%')`, env.lastToken("reset"))
	if n != 0 {
		t.Errorf("%d rows contain the token after its mail was sent", n)
	}
}

// Only the user who signed up confirms the address; whoever received the link without that account
// cannot, and looking at the link changes nothing.
func TestVerifyEmail(t *testing.T) {
	env := newMailEnv(t)
	user := env.signUp()
	token := env.lastToken("verify")
	if found, err := env.service.Recovery.VerifyAddress(t.Context(), token); err != nil || found.ID != user.ID {
		t.Fatalf("address of the link: %+v, %v", found, err)
	}
	wantCode(t, env.service.Recovery.VerifyEmail(t.Context(), "usr_other", token), apperr.CodeForbidden)
	if n := env.queryInt(`select count(*) from users where email_verified_at is null`); n != 1 {
		t.Fatal("the address is verified without its user")
	}
	for range 2 { // a person may press the button twice
		if err := env.service.Recovery.VerifyEmail(t.Context(), user.ID, token); err != nil {
			t.Fatal(err)
		}
	}
	if n := env.queryInt(`select count(*) from users where id = $1 and email_verified_at = $2`, user.ID, env.clock()); n != 1 {
		t.Error("the address is not verified")
	}
	wantCode(t, env.service.Recovery.VerifyEmail(t.Context(), user.ID, "made-up"), apperr.CodeNotFound)
	env.advance(8 * 24 * time.Hour)
	wantCode(t, env.service.Recovery.VerifyEmail(t.Context(), user.ID, token), apperr.CodeNotFound)
}
