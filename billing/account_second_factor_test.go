package billing_test

import (
	"encoding/base64"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/catalog"
	"usher/billing/secrets"
	mailviews "usher/views/mail"
)

func testKey(seed byte) secrets.Key {
	var key secrets.Key
	for i := range key {
		key[i] = seed + byte(i)*5
	}
	return key
}

// replicaWith returns a replica whose SECRETS_KEY has these keys.
func (env *mailEnv) replicaWith(keys ...secrets.Key) *billing.Service {
	return billing.New(billing.Options{
		Store: env.store, Catalog: catalog.BuiltInPlans(), Renderer: mailviews.Renderer{}, Mailer: env.mailer,
		BaseURL: "https://usher.test", Now: env.clock, WallClock: env.clock, Secrets: secrets.NewKeyring(keys...),
	})
}

// enrol signs a user up and sets an authenticator app up; it returns the app's key.
func (env *mailEnv) enrol(service *billing.Service, email string) (account.User, string) {
	env.t.Helper()
	ctx := env.t.Context()
	user, _, err := service.Users.SignUp(ctx, account.SignUp{Name: "Ana", Email: email, Password: testPassword, Organization: "Lantern"})
	if err != nil {
		env.t.Fatal(err)
	}
	sealed, err := service.SecondFactors.Begin(ctx, user.ID, testPassword)
	if err != nil {
		env.t.Fatal(err)
	}
	setup, err := service.SecondFactors.Setup(ctx, user.ID, sealed)
	if err != nil {
		env.t.Fatal(err)
	}
	if _, err := service.SecondFactors.Confirm(ctx, user.ID, sealed, env.codeOf(setup.Key)); err != nil {
		env.t.Fatal(err)
	}
	return user, setup.Key
}

// codeOf returns the next code of an app.
func (env *mailEnv) codeOf(key string) string {
	env.t.Helper()
	env.advance(30 * time.Second)
	code, err := totp.GenerateCode(key, env.clock())
	if err != nil {
		env.t.Fatal(err)
	}
	return code
}

// Seeds are sealed with the newest key when they are used and by Reseal. Then the former key can
// go.
func TestSecretsKeyIsRolled(t *testing.T) {
	env := newMailEnv(t)
	ctx := t.Context()
	before, rolled, after := env.replicaWith(testKey(1)), env.replicaWith(testKey(2), testKey(1)), env.replicaWith(testKey(2))
	ana, anaKey := env.enrol(before, "ana@example.com")
	bo, boKey := env.enrol(before, "bo@example.com")
	count := func(service *billing.Service) int {
		n, err := service.SecondFactors.CountOutdated(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if got := []int{count(before), count(rolled)}; got[0] != 0 || got[1] != 2 {
		t.Errorf("outdated seeds %v, want 0 before and 2 after the key was rolled", got)
	}
	wantCode(t, after.SecondFactors.Verify(ctx, ana.ID, env.codeOf(anaKey)), apperr.CodeInternal) // cannot be opened
	if result, err := after.SecondFactors.Reseal(ctx); result != (account.ResealResult{Unreadable: 2}) || err != nil {
		t.Errorf("without the former key: %+v, %v", result, err)
	}
	if err := rolled.SecondFactors.Verify(ctx, ana.ID, env.codeOf(anaKey)); err != nil {
		t.Fatal(err)
	}
	if n := count(rolled); n != 1 {
		t.Errorf("%d outdated seeds after one was used, want 1", n)
	}
	for want := range 2 {
		result, err := rolled.SecondFactors.Reseal(ctx)
		if result != (account.ResealResult{Resealed: 1 - want}) || err != nil {
			t.Errorf("reseal %d: %+v, %v", want, result, err)
		}
	}
	for user, key := range map[string]string{ana.ID: anaKey, bo.ID: boKey} {
		if err := after.SecondFactors.Verify(ctx, user, env.codeOf(key)); err != nil {
			t.Error(err)
		}
	}
}

// A seed that was copied to another account opens nothing there.
func TestSeedBelongsToItsUser(t *testing.T) {
	env := newMailEnv(t)
	ctx, service := t.Context(), env.replicaWith(testKey(1))
	ana, anaKey := env.enrol(service, "ana@example.com")
	mallory, _ := env.enrol(service, "mallory@example.com")
	copied, err := env.store.DB().ExecContext(ctx, `update second_factors set last_step = 0, seed = (select seed from second_factors where user_id = $1) where user_id = $2`, ana.ID, mallory.ID)
	if n, _ := copied.RowsAffected(); err != nil || n != 1 {
		t.Fatalf("%d rows, %v", n, err)
	}
	wantCode(t, service.SecondFactors.Verify(ctx, mallory.ID, env.codeOf(anaKey)), apperr.CodeInternal)

	if _, err := service.SecondFactors.Reset(ctx, mallory.Email); err != nil {
		t.Fatal(err)
	}
	sealed, err := service.SecondFactors.Begin(ctx, mallory.ID, testPassword)
	if err != nil {
		t.Fatal(err)
	}
	_, err = service.SecondFactors.Setup(ctx, ana.ID, sealed) // begun by another user
	wantCode(t, err, apperr.CodeNotFound)
	_, err = service.SecondFactors.Setup(ctx, ana.ID, base64.RawStdEncoding.EncodeToString([]byte("forged")))
	wantCode(t, err, apperr.CodeNotFound)
}

// A deleted account leaves neither seed nor codes, and an operator's reset is notified.
func TestSecondFactorIsRemoved(t *testing.T) {
	env := newMailEnv(t)
	ctx, service := t.Context(), env.replicaWith(testKey(1))
	ana, _ := env.enrol(service, "ana@example.com")
	bo, _ := env.enrol(service, "bo@example.com")
	if _, err := env.store.DB().ExecContext(ctx, `update organization_members set role_id = 'member' where user_id = $1`, ana.ID); err != nil {
		t.Fatal(err)
	}
	if err := service.Users.Delete(ctx, ana.ID, testPassword); err != nil {
		t.Fatal(err)
	}
	if n := env.queryInt(`select (select count(*) from second_factors where user_id = $1) + (select count(*) from recovery_codes where user_id = $1)
		+ (select count(*) from users where id = $1 and second_factor_at is not null)`, ana.ID); n != 0 {
		t.Errorf("%d rows of the deleted account are left", n)
	}
	if _, err := service.SecondFactors.Reset(ctx, "BO@example.com"); err != nil {
		t.Fatal(err)
	}
	_, err := service.SecondFactors.Reset(ctx, "bo@example.com")
	wantCode(t, err, apperr.CodeConflict)
	if status, err := service.SecondFactors.Status(ctx, bo.ID); err != nil || !status.Since.IsZero() {
		t.Errorf("status %+v, %v", status, err)
	}
	if n := env.queryInt(`select count(*) from emails where kind = 'second_factor_off' and recipient = 'bo@example.com'`); n != 1 {
		t.Errorf("%d e-mails about the reset, want 1", n)
	}
}

// Without SECRETS_KEY nothing is stored in clear instead.
func TestWithoutSecretsKeyThereIsNoSetUp(t *testing.T) {
	env := newMailEnv(t)
	user := env.signUp()
	if _, err := env.service.SecondFactors.Begin(t.Context(), user.ID, testPassword); err == nil {
		t.Error("set up without a key")
	}
}
