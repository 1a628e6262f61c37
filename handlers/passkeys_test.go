package handlers

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"usher/billing/account"
)

// newPasskeyEnv returns an environment in which the admin has a passkey.
func newPasskeyEnv(t *testing.T) (*testEnv, *browser, *softKey) {
	t.Helper()
	h := newTestEnv(t)
	h.usePasskeys()
	owner, key := h.signIn("admin"), newSoftKey(t)
	owner.addPasskey(key, "Key ring").wantStatus(http.StatusOK).wantText("Save your recovery codes")
	return h, owner, key
}

func TestLogInWithAPasskey(t *testing.T) {
	h, owner, key := newPasskeyEnv(t)
	b := h.newBrowser()
	first := b.session()
	b.usePasskey(key, passkeyLogInPath, "/billing/credits").wantRedirect("/billing/credits")
	b.wantSignedIn(true)
	if second := b.session(); second == first || second == "" {
		t.Error("the session's token was not renewed")
	}
	b.get(newPasskeyPath).wantStatus(http.StatusOK) // recently authenticated
	if h.count(`select count(*) from login_devices where user_id = $1`, h.users["admin"].ID) != 1 {
		t.Error("the browser is not a known one now")
	}
	owner.get(securityPath).wantText("Key ring", "Last used")
	h.newBrowser().get("/login").wantText("Sign in with a passkey", "Passkeys need JavaScript")

	// The password alone does not let anybody in any more.
	c := h.newBrowser()
	c.logIn("admin", "/billing/credits").wantRedirect(secondStepPath + "?next=%2Fbilling%2Fcredits")
	c.get(secondStepPath).wantText("Use your passkey").wantNoText("Six-digit code")
	c.wantSignedIn(false)
	c.usePasskey(key, passkeySecondStepPath, "/billing/credits").wantRedirect("/billing/credits")
	c.wantSignedIn(true)
	if log := h.log.String(); strings.Count(log, `"event":"authn_login_success"`) != 2 {
		t.Error("the security log does not have both log-ins")
	}
}

// What an authenticator, or somebody between, can get wrong is refused, in every way to use a
// passkey.
func TestRefusedPasskeys(t *testing.T) {
	h, owner, key := newPasskeyEnv(t)
	stranger, strangers := h.signIn("stranger"), newSoftKey(t)
	stranger.addPasskey(strangers, "Theirs").wantStatus(http.StatusOK)
	ways := map[string]func() *browser{
		passkeyLogInPath: h.newBrowser,
		passkeySecondStepPath: func() *browser {
			b := h.newBrowser()
			b.logIn("admin", "").wantRedirect(secondStepPath)
			return b
		},
		passkeyConfirmPath: func() *browser { return owner },
	}
	changed := func(change func(*softKey)) func(*browser, string, *softKey) string {
		return func(b *browser, path string, k *softKey) string {
			change(k)
			return k.get(b.options(path))
		}
	}
	cases := map[string]func(b *browser, path string, k *softKey) string{
		"wrong origin":      changed(func(k *softKey) { k.origin = "http://localhost.evil.example:4312" }),
		"other port":        changed(func(k *softKey) { k.origin = "http://localhost:4313" }),
		"wrong host":        changed(func(k *softKey) { k.rpID = "evil.example" }),
		"nobody present":    changed(func(k *softKey) { k.flags &^= flagPresent }),
		"now syncable":      changed(func(k *softKey) { k.flags |= flagSyncable }),
		"another's handle":  changed(func(k *softKey) { k.handle = strangers.handle }),
		"unknown handle":    changed(func(k *softKey) { k.handle = bytes.Repeat([]byte{7}, 64) }),
		"unknown passkey":   changed(func(k *softKey) { k.id = bytes.Repeat([]byte{7}, 32) }),
		"another's key":     changed(func(k *softKey) { k.key = strangers.key }),
		"counter goes back": changed(func(k *softKey) { k.count, k.step = 0, 0 }),
		"wrong challenge": func(b *browser, path string, k *softKey) string {
			o := b.options(path)
			o.PublicKey.Challenge = encode64(bytes.Repeat([]byte{7}, 32))
			return k.get(o)
		},
		"challenge of another session": func(b *browser, path string, k *softKey) string {
			b.options(path)
			return k.get(h.newBrowser().options(passkeyLogInPath))
		},
		"challenge of another way": func(b *browser, path string, k *softKey) string {
			b.options(path)
			if path == passkeyLogInPath {
				return k.get(owner.options(passkeyConfirmPath))
			}
			return k.get(b.options(passkeyLogInPath))
		},
		"expired": func(b *browser, path string, k *softKey) string {
			o := b.options(path)
			h.clockOffset.Add(int64(account.PasskeyCeremonyLifetime))
			return k.get(o)
		},
		"nothing":    func(b *browser, path string, _ *softKey) string { b.options(path); return "" },
		"no JSON":    func(b *browser, path string, _ *softKey) string { b.options(path); return "{" },
		"other JSON": func(b *browser, path string, _ *softKey) string { b.options(path); return `{"id":1}` },
		"no ceremony": func(_ *browser, _ string, k *softKey) string {
			var o passkeyOptions
			o.PublicKey.Challenge = encode64(make([]byte, 32))
			return k.get(o)
		},
	}
	key.count = 100
	owner.usePasskey(key, passkeyConfirmPath, "").wantRedirect("/dashboard")
	for path, open := range ways {
		for name, answer := range cases {
			b, k := open(), *key
			k.count += 1000 // refused for no other reason
			h.clockOffset.Store(0)
			got := b.post(path, url.Values{"response": {answer(b, path, &k)}})
			if got.status != http.StatusUnprocessableEntity {
				t.Errorf("%s, %s: status %d, to %q", path, name, got.status, got.header.Get("Location"))
			}
			if path != passkeyConfirmPath {
				b.wantSignedIn(false)
			}
		}
	}
	h.clockOffset.Store(0)
	// A person who is not verified is nobody alone, and a second factor beside the password.
	key.flags &^= flagVerified
	h.newBrowser().usePasskey(key, passkeyLogInPath, "").wantStatus(http.StatusUnprocessableEntity)
	owner.usePasskey(key, passkeyConfirmPath, "").wantStatus(http.StatusUnprocessableEntity)
	ways[passkeySecondStepPath]().usePasskey(key, passkeySecondStepPath, "").wantRedirect("/dashboard")
	for _, reason := range []string{account.ReasonInvalidPasskey, account.ReasonUnknownPasskey, account.ReasonCopiedPasskey} {
		if !strings.Contains(h.log.String(), `"reason":"`+reason+`"`) {
			t.Errorf("no log line has the reason %s", reason)
		}
	}
}

// A challenge counts once: in its session, in copies of the session, and in concurrent requests.
func TestPasskeyChallengeIsUsedOnce(t *testing.T) {
	h, _, key := newPasskeyEnv(t)
	key.step = 0 // a synced passkey, which does not count
	b := h.newBrowser()
	answer := url.Values{"response": {key.get(b.options(passkeyLogInPath))}}
	copied := h.newBrowserWith(b.session())
	b.post(passkeyLogInPath, answer).wantRedirect("/dashboard")
	b.post(passkeyLogInPath, answer).wantStatus(http.StatusUnprocessableEntity)
	copied.post(passkeyLogInPath, answer).wantStatus(http.StatusUnprocessableEntity)
	copied.wantSignedIn(false)
	h.newBrowser().usePasskey(key, passkeyLogInPath, "").wantRedirect("/dashboard") // 0 after 0 is no copy

	// A refused response uses its challenge up too.
	c := h.newBrowser()
	o := c.options(passkeyLogInPath)
	c.post(passkeyLogInPath, url.Values{"response": {"{}"}}).wantStatus(http.StatusUnprocessableEntity)
	c.post(passkeyLogInPath, url.Values{"response": {key.get(o)}}).wantStatus(http.StatusUnprocessableEntity)

	d := h.newBrowser()
	answer = url.Values{"response": {key.get(d.options(passkeyLogInPath))}}
	browsers := make([]*browser, 8)
	statuses := make(chan int, len(browsers))
	for i := range browsers {
		browsers[i] = h.newBrowserWith(d.session())
	}
	for _, b := range browsers {
		go func() { statuses <- b.post(passkeyLogInPath, answer).status }()
	}
	accepted := 0
	for range browsers {
		if <-statuses == http.StatusSeeOther {
			accepted++
		}
	}
	if accepted != 1 {
		t.Errorf("one response signed in %d times", accepted)
	}
}

// The options of a log-in are the same whoever has accounts or passkeys, but for the challenge.
func TestPasskeyOptionsDependOnNoAccount(t *testing.T) {
	h, _, key := newPasskeyEnv(t)
	b := h.newBrowser()
	one := b.send(post, passkeyLogInPath+ceremonyOptions, "").wantStatus(http.StatusOK).body
	b.usePasskey(key, passkeyLogInPath, "").wantRedirect("/dashboard")
	b.post("/logout", nil)
	two := b.send(post, passkeyLogInPath+ceremonyOptions, "").body
	o := b.options(passkeyLogInPath)
	withoutChallenge := func(body string) string {
		at := strings.Index(body, `"challenge":"`) + len(`"challenge":"`)
		return body[:at] + body[at+43:]
	}
	if one == two || withoutChallenge(one) != withoutChallenge(two) || len(o.PublicKey.Challenge) != 43 {
		t.Errorf("the options differ:\n%s%s", one, two)
	}
	if len(o.PublicKey.AllowCredentials) > 0 || o.PublicKey.UserVerification != "required" || o.PublicKey.RPID != "localhost" {
		t.Errorf("%+v", o)
	}
	if h.newBrowser().send(post, passkeySecondStepPath+ceremonyOptions, "").status != http.StatusConflict {
		t.Error("options of a second step without a first one")
	}
}

// Registration: the handle says nothing about the person, the passkey is new, and its owner is
// authenticated.
func TestAddPasskey(t *testing.T) {
	h, owner, key := newPasskeyEnv(t)
	o := owner.options(passkeysPath)
	handle := string(key.handle)
	if len(handle) != 64 || strings.Contains(handle, h.users["admin"].ID) || strings.Contains(handle, email("admin")) || o.PublicKey.User.ID != encode64(key.handle) {
		t.Errorf("user handle %q", handle)
	}
	if len(o.PublicKey.ExcludeCredentials) != 1 || o.PublicKey.ExcludeCredentials[0].ID != encode64(key.id) || o.PublicKey.Attestation != "none" {
		t.Errorf("options %+v", o.PublicKey)
	}
	owner.addPasskey(key, "Again").wantStatus(http.StatusUnprocessableEntity).wantText("added already")
	h.signIn("member").addPasskey(key, "Mine").wantStatus(http.StatusUnprocessableEntity).wantText("added already")
	second := newSoftKey(t)
	owner.addPasskey(second, " ").wantStatus(http.StatusUnprocessableEntity).wantText("Please name the passkey")
	for name, change := range map[string]func(*softKey){
		"origin": func(k *softKey) { k.origin = "https://evil.example" }, "host": func(k *softKey) { k.rpID = "evil.example" },
		"presence": func(k *softKey) { k.flags = 0 }, "backup": func(k *softKey) { k.flags |= flagSynced },
	} {
		k := *second
		change(&k)
		if got := owner.addPasskey(&k, "Wrong"); got.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: status %d", name, got.status)
		}
	}
	// The challenge of one person is none of another, even in one browser.
	answer := second.create(o)
	h.signIn("member").post(passkeysPath, url.Values{"name": {"x"}, "response": {answer}}).wantStatus(http.StatusUnprocessableEntity)
	owner.addPasskey(second, "Second").wantRedirect(securityPath + "?notice=" + noticePasskeyAdded + "#passkeys")

	h.clockOffset.Add(int64(account.RecentAuthentication))
	owner.get(newPasskeyPath).wantRedirect(recentPath + "?next=" + url.QueryEscape(newPasskeyPath))
	owner.send(post, passkeysPath+ceremonyOptions, "").wantError(http.StatusForbidden, "recent_authentication_required", errNotRecent.message)
	owner.get(recentPath).wantText("Use your passkey again", "Use a recovery code").wantNoText("Six-digit code", "Forgot your password?")
	owner.get(recentPath+"?with=recovery-code").wantText("24 letters and digits", "Forgot your password?").wantNoText("Use a passkey instead")
	owner.usePasskey(second, passkeyConfirmPath, newPasskeyPath).wantRedirect(newPasskeyPath)
	owner.get(newPasskeyPath).wantStatus(http.StatusOK)
	for i := h.count(`select count(*) from passkeys where user_id = $1`, h.users["admin"].ID); i < account.MaxPasskeys; i++ {
		owner.addPasskey(newSoftKey(t), "More").wantStatus(http.StatusSeeOther)
	}
	owner.send(post, passkeysPath+ceremonyOptions, "").wantStatus(http.StatusConflict)
	if mails := owner.get("/dev/mail").body; !strings.Contains(mails, "You have a new passkey") {
		t.Error("the e-mail about the new passkey is missing")
	}
}

// Somebody else's passkeys can neither be renamed nor removed, and removing needs a recent
// authentication.
func TestRenameAndRemovePasskey(t *testing.T) {
	h, owner, key := newPasskeyEnv(t)
	id, _ := owner.get(securityPath).doc().Find(`form[action$="/rename"]`).Attr("action")
	path := strings.TrimSuffix(id, "/rename")
	member := h.signIn("member")
	member.post(path+"/rename", url.Values{"name": {"Mine"}}).wantStatus(http.StatusNotFound)
	member.post(path+"/remove", nil).wantStatus(http.StatusNotFound)
	owner.post(path+"/rename", url.Values{"name": {""}}).wantStatus(http.StatusUnprocessableEntity).wantText("Please name the passkey")
	owner.post(path+"/rename", url.Values{"name": {"Door key"}}).wantRedirect(securityPath + "?notice=" + noticePasskeyRenamed + "#passkeys")
	owner.get(securityPath).wantText("Door key")

	h.clockOffset.Add(int64(account.RecentAuthentication))
	owner.post(path+"/remove", nil).wantRedirect(recentPath + "?next=" + url.QueryEscape(securityPath+"?notice="+noticeConfirmed+"#passkeys"))
	owner.usePasskey(key, passkeyConfirmPath, "").wantRedirect("/dashboard")
	owner.post(path+"/remove", nil).wantRedirect(securityPath + "?notice=" + noticeSecondFactorOff)
	h.newBrowser().usePasskey(key, passkeyLogInPath, "").wantStatus(http.StatusUnprocessableEntity)
	h.newBrowser().logIn("admin", "").wantRedirect("/dashboard")
	if n := h.count(`select (select count(*) from recovery_codes) + (select count(*) from users where second_factor_at is not null)`); n != 0 {
		t.Errorf("%d rows of two-step verification are left", n)
	}
	if mails := owner.get("/dev/mail").body; !strings.Contains(mails, "A passkey was removed") || !strings.Contains(mails, "Door key") {
		t.Error("the e-mail about the removed passkey is missing")
	}
	if n := h.count(`select count(*) from audit_entries where act like 'passkey.%' and actor_id = $1`, h.users["admin"].ID); n != 3 {
		t.Errorf("%d audit entries, want 3", n)
	}
	again := newSoftKey(t) // the handle stays, so that the authenticator replaces its entry
	owner.addPasskey(again, "New").wantStatus(http.StatusOK)
	if !bytes.Equal(again.handle, key.handle) {
		t.Error("the person has another handle now")
	}
}

// App and passkey protect alike: recovery codes come with the first and go with the last.
func TestAppAndPasskey(t *testing.T) {
	h, owner, key := newPasskeyEnv(t)
	codes := func() int {
		return h.count(`select count(*) from recovery_codes where user_id = $1 and used_at is null`, h.users["admin"].ID)
	}
	owner.get(securityPath).wantText("10 of 10 recovery codes left")
	setup := owner.follow(owner.post("/settings/security/setup", url.Values{"password": {testPassword}})).wantStatus(http.StatusOK)
	app := &authenticator{h: h, key: strings.ReplaceAll(setup.text("p.font-mono"), " ", "")}
	owner.post("/settings/security/confirm", url.Values{"code": {app.code()}}).wantRedirect(securityPath + "?notice=" + noticeAppAdded)
	if n := codes(); n != account.RecoveryCodes {
		t.Errorf("%d recovery codes with both, want those of the passkey", n)
	}
	b := h.newBrowser()
	b.logIn("admin", "").wantRedirect(secondStepPath)
	b.get(secondStepPath).wantText("Six-digit code", "Use a passkey instead")
	b.typeCode(app.code(), "").wantRedirect("/dashboard")

	owner.post("/settings/security/disable", url.Values{"password": {testPassword}}).wantRedirect(securityPath + "?notice=" + noticeAppRemoved)
	if n := codes(); n != account.RecoveryCodes {
		t.Errorf("%d recovery codes after the app was removed", n)
	}
	renewed := owner.post("/settings/security/codes", url.Values{"password": {testPassword}}).wantStatus(http.StatusOK)
	code := strings.TrimSpace(renewed.doc().Find("#recovery-codes li").First().Text())
	c := h.newBrowser()
	c.logIn("admin", "").wantRedirect(secondStepPath)
	c.typeCode("123456", "").wantStatus(http.StatusUnprocessableEntity)
	c.typeCode(code, "").wantRedirect("/dashboard")
	if n := codes(); n != account.RecoveryCodes-1 {
		t.Errorf("%d recovery codes, want %d", n, account.RecoveryCodes-1)
	}
	// An operator turns all of it off.
	if _, err := h.service.SecondFactors.Reset(t.Context(), email("admin")); err != nil {
		t.Fatal(err)
	}
	if n := codes() + h.count(`select count(*) from passkeys`); n != 0 {
		t.Errorf("%d rows are left after the reset", n)
	}
	h.newBrowser().usePasskey(key, passkeyLogInPath, "").wantStatus(http.StatusUnprocessableEntity)
}

// A passkey meets the policies of the installation and of the organization.
func TestPasskeyMeetsThePolicies(t *testing.T) {
	h := newTestEnv(t)
	h.usePasskeys()
	h.server.secondFactor = account.SecondFactorAll
	b, key := h.signIn("admin"), newSoftKey(t)
	b.get("/dashboard").wantRedirect(securityPath)
	h.clockOffset.Add(int64(account.RecentAuthentication))
	b.get(newPasskeyPath).wantRedirect(recentPath + "?next=" + url.QueryEscape(newPasskeyPath))
	b.post(recentPath, url.Values{"password": {testPassword}, "next": {newPasskeyPath}}).wantRedirect(newPasskeyPath)
	b.addPasskey(key, "Key").wantStatus(http.StatusOK)
	b.get("/dashboard").wantStatus(http.StatusOK)
	h.server.secondFactor = account.SecondFactorOptional
	b.post("/organization/second-factor", url.Values{"requireSecondFactor": {"on"}, "organizationId": {h.organization.ID}}).wantRedirect(generalPath + "&notice=" + noticeSecondFactorOrg)
	b.get("/dashboard").wantStatus(http.StatusOK)
	h.signIn("member").get("/dashboard").wantRedirect(securityPath)
}

// A deleted person leaves no passkey, and one that a former release has left opens nothing.
func TestPasskeyOfDeletedPerson(t *testing.T) {
	h := newTestEnv(t)
	h.usePasskeys()
	b, key := h.signIn("member"), newSoftKey(t)
	b.addPasskey(key, "Key").wantStatus(http.StatusOK)
	if _, err := h.store.DB().ExecContext(t.Context(), `create table kept as select * from passkeys; create table kept_handles as select * from passkey_handles`); err != nil {
		t.Fatal(err)
	}
	b.post("/settings/delete", url.Values{"confirmation": {testPassword}}).wantRedirect("/login?notice=" + noticeAccountDeleted)
	if n := h.count(`select (select count(*) from passkeys) + (select count(*) from passkey_handles)`); n != 0 {
		t.Errorf("%d rows are left", n)
	}
	if _, err := h.store.DB().ExecContext(t.Context(), `insert into passkey_handles select * from kept_handles; insert into passkeys select * from kept`); err != nil {
		t.Fatal(err)
	}
	c := h.newBrowser()
	c.usePasskey(key, passkeyLogInPath, "").wantStatus(http.StatusUnprocessableEntity)
	c.wantSignedIn(false)
}

// Where browsers allow no passkeys, pages offer none.
func TestWithoutPasskeys(t *testing.T) {
	h := newTestEnv(t) // its origin is an IP address
	h.newBrowser().get("/login").wantNoText("passkey")
	b := h.signIn("admin")
	b.get(securityPath).wantText(account.MessageNoPasskeys).wantNoText("Add a passkey")
	b.get(newPasskeyPath).wantRedirect(securityPath)
	b.send(post, passkeysPath+ceremonyOptions, "").wantError(http.StatusConflict, "conflict", account.MessageNoPasskeys)
	if n := b.get(securityPath).doc().Find(`script[src*="passkeys"]`).Length(); n > 0 {
		t.Error("the script is loaded for nothing")
	}
}

// Somebody who signed up with another person's address keeps no passkey once its owner has the
// account.
func TestPasskeyOfPreHijackedAccount(t *testing.T) {
	h, _, key := newPasskeyEnv(t)
	h.exec(`update users set email_verified_at = null where id = $1`, h.users["admin"].ID)
	victim := h.newBrowser()
	victim.post("/forgot", url.Values{"email": {email("admin")}})
	victim.post(victim.mailedLink(email("admin"), "/reset/"), url.Values{"password": {"another long password"}}).wantRedirect("/login?notice=" + noticePasswordSet)
	attacker := h.newBrowser()
	attacker.usePasskey(key, passkeyLogInPath, "").wantStatus(http.StatusUnprocessableEntity)
	attacker.wantSignedIn(false)
	victim.post("/login", url.Values{"email": {email("admin")}, "password": {"another long password"}}).wantRedirect("/dashboard")
}
