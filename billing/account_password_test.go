package billing_test

import (
	"strings"
	"testing"

	"usher/billing/account"
	"usher/billing/apperr"
)

const otherPassword = "under the balcony"

// weakHash is that of testPassword with 8 MiB and one pass.
const weakHash = "$argon2id$v=19$m=8192,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$GBu87aFP1h7vpbFeKsk68LqB/OofuEoZF07HsjBlH2s"

// Wherever a password is set, one that others can guess from the person is refused.
func TestGuessablePasswordIsRefusedEverywhere(t *testing.T) {
	env := newMailEnv(t)
	ctx, user := t.Context(), env.signUp()
	users := env.service.Users
	env.requestReset(user.Email)
	token := env.lastToken("reset")
	_, _, signUpErr := users.SignUp(ctx, account.SignUp{Name: "Bo", Email: "bo@example.com", Password: "Orchestra26", Organization: "Orchestra"})
	organizations, err := env.store.Organizations().OfUser(ctx, user.ID)
	if err != nil {
		t.Fatal(err)
	}
	member := account.NewMember{Name: "Chidi", Email: "chidi@example.com", Password: "Lantern-26", RoleID: account.RoleMember}
	_, memberErr := users.CreateMember(ctx, organizations[0].ID, member)
	for where, err := range map[string]error{
		"sign-up": signUpErr, "member": memberErr,
		"settings":     users.ChangePassword(ctx, user.ID, testPassword, "lantern2026"),
		"reset":        env.service.Recovery.ResetPassword(ctx, token, "ana-lantern"),
		"common":       env.service.Recovery.ResetPassword(ctx, token, "iloveyou"),
		"only digits":  users.ChangePassword(ctx, user.ID, testPassword, "12345678"),
		"only a space": users.ChangePassword(ctx, user.ID, testPassword, "          "),
	} {
		if apperr.CodeOf(err) != apperr.CodeUnprocessable {
			t.Errorf("%s: %v", where, err)
		}
	}
}

// Somebody without a password cannot log in with an empty one, and chooses one with a mailed link.
func TestMemberWithoutPasswordChoosesOne(t *testing.T) {
	env := newMailEnv(t)
	ctx, user := t.Context(), env.signUp()
	organizations, err := env.store.Organizations().OfUser(ctx, user.ID)
	if err != nil {
		t.Fatal(err)
	}
	member := account.NewMember{Name: "Chidi", Email: "chidi@example.com", NoPassword: true, RoleID: account.RoleMember}
	chidi, err := env.service.Users.CreateMember(ctx, organizations[0].ID, member)
	if err != nil {
		t.Fatal(err)
	}
	if chidi.HasPassword() {
		t.Error("there is a password")
	}
	if _, err := env.service.Users.LogIn(ctx, chidi.Email, ""); apperr.CodeOf(err) != apperr.CodeUnprocessable {
		t.Errorf("logged in without a password: %v", err)
	}
	env.requestReset(chidi.Email)
	if err := env.service.Recovery.ResetPassword(ctx, env.lastToken("reset"), testPassword); err != nil {
		t.Fatal(err)
	}
	if _, err := env.service.Users.LogIn(ctx, chidi.Email, testPassword); err != nil {
		t.Error(err)
	}
	if _, err := env.service.Users.CreateMember(ctx, organizations[0].ID, account.NewMember{Name: "Dana", Email: "dana", NoPassword: true, RoleID: account.RoleMember}); err == nil {
		t.Error("created with an address that is none")
	}
}

// A password change ends the open reset links, and a mail says when and how it was made.
func TestPasswordChangeEndsResetLinks(t *testing.T) {
	env := newMailEnv(t)
	ctx, user := t.Context(), env.signUp()
	env.requestReset(user.Email)
	token := env.lastToken("reset")
	before := len(env.mailer.messages())
	if err := env.service.Users.ChangePassword(ctx, user.ID, testPassword, newPassword); err != nil {
		t.Fatal(err)
	}
	wantCode(t, env.service.Recovery.ResetPassword(ctx, token, otherPassword), apperr.CodeNotFound)
	env.service.SweepMail(ctx)
	sent := env.mailer.messages()
	if len(sent) != before+1 {
		t.Fatalf("%d mails about the change", len(sent)-before)
	}
	for _, want := range []string{"was changed on ", " UTC, in your settings", "If it wasn't you", "https://usher.test/forgot"} {
		if notice := sent[before]; !strings.Contains(notice.Text, want) || notice.To != user.Email {
			t.Errorf("%q is not in the mail to %s:\n%s", want, notice.To, notice.Text)
		}
	}
}

// A hash with weaker parameters is replaced when its owner logs in. A wrong password changes
// nothing, nor does a password that was changed meanwhile.
func TestLogInReplacesWeakHash(t *testing.T) {
	env := newMailEnv(t)
	ctx, user := t.Context(), env.signUp()
	if err := env.store.Users().SetPassword(ctx, user.ID, weakHash); err != nil {
		t.Fatal(err)
	}
	_, err := env.service.Users.LogIn(ctx, user.Email, otherPassword)
	wantCode(t, err, apperr.CodeUnprocessable)
	hash := func() string {
		stored, err := env.store.Users().Get(ctx, user.ID)
		if err != nil {
			t.Fatal(err)
		}
		return stored.PasswordHash
	}
	if hash() != weakHash {
		t.Error("replaced after a wrong password")
	}
	for range 2 {
		if _, err := env.service.Users.LogIn(ctx, user.Email, testPassword); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.HasPrefix(hash(), "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("still %s", hash())
	}
	current := hash()
	if err := env.store.Users().ReplaceHash(ctx, user.ID, weakHash, "of a password that was changed meanwhile"); err != nil || hash() != current {
		t.Errorf("replaced another hash: %v", err)
	}
}
