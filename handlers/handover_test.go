package handlers

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"usher/billing/secrets"
)

// withHandovers gives the site a key for hand-over tokens.
func withHandovers(h *testEnv) {
	var key secrets.Key
	rand.Read(key[:])
	h.handoverKeys = []secrets.Key{key}
}

// handoverToken is what the adopter's back end signs.
type handoverToken struct {
	key       []byte
	algorithm jose.SignatureAlgorithm
	kind      string
	claims    map[string]any
}

func (h *testEnv) newToken(name string) handoverToken {
	now := h.wallNow()
	return handoverToken{key: h.handoverKeys[0][:], algorithm: jose.HS256, kind: "usher-handover+jwt", claims: map[string]any{
		"aud": h.url, "sub": email(name), "org": h.organization.ID, "jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
	}}
}

func (k handoverToken) with(claim string, value any) handoverToken {
	k.claims[claim] = value
	return k
}

func (k handoverToken) sign(t testing.TB) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: k.algorithm, Key: k.key}, (&jose.SignerOptions{}).WithType(jose.ContentType(k.kind)))
	if err != nil {
		t.Fatal(err)
	}
	text, err := jwt.Signed(signer).Claims(k.claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func (b *browser) handOver(token string) response {
	b.t.Helper()
	return b.post(handoverPath, url.Values{"token": {token}})
}

func TestHandover(t *testing.T) {
	h := newTestEnv(t, withHandovers)
	token := h.newToken("billing").sign(t)
	b := h.newBrowser()
	page := b.get(handoverPath+"?token="+token).wantStatus(http.StatusOK).wantText("Continue to billing", email("billing"), "Lantern Theatre")
	if got := page.header.Get("Referrer-Policy") + page.header.Get("Cache-Control"); got != "strict-originno-store" || page.header.Get("Set-Cookie") != "" {
		t.Errorf("headers %v", page.header)
	}
	if used := h.count("select count(*) from handover_tokens"); used != 0 {
		t.Error("opening the link used it up")
	}
	b.get("/dashboard").wantStatus(http.StatusSeeOther)
	b.submit(page, "form[action='/handover']", nil).wantRedirect(billingPath)
	b.get(billingPath).wantStatus(http.StatusOK).wantText("Lantern Theatre")
	h.newBrowser().handOver(token).wantStatus(http.StatusNotFound).wantText("This link can't be used")
	// A hand-over is no recent authentication.
	if to := b.post("/settings/sessions/end", nil).wantStatus(http.StatusSeeOther).header.Get("Location"); !strings.HasPrefix(to, recentPath) {
		t.Errorf("ending sessions leads to %s", to)
	}
}

func TestHandoverIsRefused(t *testing.T) {
	h := newTestEnv(t, withHandovers)
	h.store.DB().MustExecContext(t.Context(), "update organization_members set status = 'suspended' where id = $1", h.memberID("member"))
	if _, err := h.service.Users.PromoteOperator(t.Context(), email("admin")); err != nil {
		t.Fatal(err)
	}
	now, other := h.wallNow(), make([]byte, 32)
	token := func(change func(handoverToken) handoverToken) string { return change(h.newToken("billing")).sign(t) }
	for name, c := range map[string]struct {
		token  string
		status int
	}{
		"other key": {token(func(k handoverToken) handoverToken { k.key = other; return k }), 404},
		"other algorithm": {token(func(k handoverToken) handoverToken {
			k.algorithm, k.key = jose.HS512, append(k.key, k.key...)
			return k
		}), 404},
		"other kind":     {token(func(k handoverToken) handoverToken { k.kind = "JWT"; return k }), 404},
		"unsigned":       {"eyJhbGciOiJub25lIiwidHlwIjoidXNoZXItaGFuZG92ZXIrand0In0.e30.", 404},
		"none":           {"", 404},
		"long":           {strings.Repeat("a", 5000), 404},
		"other audience": {token(func(k handoverToken) handoverToken { return k.with("aud", "https://other.example") }), 404},
		"two audiences":  {token(func(k handoverToken) handoverToken { return k.with("aud", []string{h.url, "https://other.example"}) }), 404},
		"expired": {token(func(k handoverToken) handoverToken {
			return k.with("iat", now.Add(-80*time.Second).Unix()).with("exp", now.Add(-20*time.Second).Unix())
		}), 404},
		"long lived": {token(func(k handoverToken) handoverToken { return k.with("exp", now.Add(2*time.Minute).Unix()) }), 404},
		"from the future": {token(func(k handoverToken) handoverToken {
			return k.with("iat", now.Add(time.Minute).Unix()).with("exp", now.Add(90*time.Second).Unix())
		}), 404},
		"not yet valid":      {token(func(k handoverToken) handoverToken { return k.with("nbf", now.Add(time.Minute).Unix()) }), 404},
		"without expiry":     {token(func(k handoverToken) handoverToken { delete(k.claims, "exp"); return k }), 404},
		"without id":         {token(func(k handoverToken) handoverToken { return k.with("jti", "short") }), 404},
		"without address":    {token(func(k handoverToken) handoverToken { return k.with("sub", "ana") }), 404},
		"claims of no type":  {token(func(k handoverToken) handoverToken { return k.with("org", 7) }), 404},
		"unknown person":     {token(func(k handoverToken) handoverToken { return k.with("sub", "nobody@example.com") }), 403},
		"other organization": {token(func(k handoverToken) handoverToken { return k.with("org", h.otherOrganization.ID) }), 403},
		"no organization":    {token(func(k handoverToken) handoverToken { return k.with("org", "org_none") }), 403},
		"deactivated member": {h.newToken("member").sign(t), 403},
		"operator":           {h.newToken("admin").sign(t), 403},
	} {
		b := h.newBrowser()
		b.get(handoverPath + "?token=" + url.QueryEscape(c.token)).wantStatus(c.status).wantText("This link can't be used")
		b.handOver(c.token).wantStatus(c.status).wantText("This link can't be used")
		if to := b.get("/dashboard").status; to != http.StatusSeeOther {
			t.Errorf("%s: the dashboard answers %d", name, to)
		}
	}
	if used := h.count("select count(*) from handover_tokens"); used != 0 {
		t.Errorf("%d refused tokens were used up", used)
	}
}

// The clocks of the product and of the site may be 10 seconds apart, in either direction.
func TestHandoverClockSkew(t *testing.T) {
	h := newTestEnv(t, withHandovers)
	for _, apart := range []time.Duration{8 * time.Second, -65 * time.Second} {
		issued := h.wallNow().Add(apart)
		token := h.newToken("billing").with("iat", issued.Unix()).with("exp", issued.Add(time.Minute).Unix()).sign(t)
		h.newBrowser().handOver(token).wantRedirect(billingPath)
	}
}

// Of many replicas and requests one signs in with a token.
func TestHandoverCountsOnce(t *testing.T) {
	h := newTestEnv(t, withHandovers)
	token := h.newToken("billing").sign(t)
	var signedIn atomic.Int32
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if handover, err := h.service.Handovers.Use(t.Context(), token); err == nil && handover.User.ID == h.users["billing"].ID {
				signedIn.Add(1)
			}
		})
	}
	group.Wait()
	if n := signedIn.Load(); n != 1 {
		t.Errorf("%d requests signed in", n)
	}
}

// Whoever has set up two-step verification is asked for it, and reaches the organization after it.
func TestHandoverNeedsTheSecondStep(t *testing.T) {
	h := newTestEnv(t, withHandovers)
	app := h.setUpAuthenticator(h.signIn("billing"))
	b := h.newBrowser()
	b.handOver(h.newToken("billing").sign(t)).wantRedirect(withNext(secondStepPath, billingPath))
	b.get(billingPath).wantStatus(http.StatusSeeOther)
	b.post(secondStepPath, url.Values{"code": {app.codeAt(30 * time.Second)}, "next": {billingPath}}).wantRedirect(billingPath)
	b.get(billingPath).wantStatus(http.StatusOK)
}

// Another person's session ends with the hand-over; one's own goes on.
func TestHandoverWhileSignedIn(t *testing.T) {
	h := newTestEnv(t, withHandovers)
	stranger := h.signIn("stranger")
	token := h.newToken("billing").sign(t)
	stranger.get(handoverPath+"?token="+token).wantText("You're signed in as "+email("stranger")+" now.", email("billing"))
	stranger.handOver(token).wantRedirect(billingPath)
	stranger.get("/settings").wantText("Your address is " + email("billing"))
	own := h.signIn("billing")
	before := h.count("select count(*) from sessions")
	own.handOver(h.newToken("billing").sign(t)).wantRedirect(billingPath)
	if after := h.count("select count(*) from sessions"); after != before {
		t.Errorf("%d sessions, %d before", after, before)
	}
}

// Without a key there are no hand-overs, and a page of another site can't post a token.
func TestHandoverDisabled(t *testing.T) {
	h := newTestEnv(t)
	h.newBrowser().get(handoverPath + "?token=x").wantStatus(http.StatusNotFound)
	h.newBrowser().handOver("x").wantStatus(http.StatusNotFound)
	h.newBrowser().post(handoverPath, url.Values{"token": {"x"}}, "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site").wantStatus(http.StatusForbidden)
}
