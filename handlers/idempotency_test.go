package handlers

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"usher/billing/account"
	"usher/billing/apperr"
)

func TestIdempotencyKey(t *testing.T) {
	h := newTestEnv(t)
	p := h.program(account.ScopeMembersWrite)
	const body = `{"email":"x@example.com","name":"X"}`
	first := p.call(post, "/api/v1/members", body, "Idempotency-Key", "a").wantStatus(http.StatusCreated)
	again := p.call(post, "/api/v1/members", body, "Idempotency-Key", "a").wantStatus(http.StatusCreated)
	if again.body != first.body || again.header.Get("Idempotent-Replayed") != "true" || first.header.Get("Idempotent-Replayed") != "" ||
		again.header.Get("Content-Type") != first.header.Get("Content-Type") {
		t.Errorf("%s\n%s", first.body, again.body)
	}
	p.call(post, "/api/v1/members", strings.Replace(body, "X", "Y", 1), "Idempotency-Key", "a").
		wantError(http.StatusUnprocessableEntity, apperr.CodeUnprocessable, "This Idempotency-Key was used for another request. Use a new one for each request.")
	// A refusal is an answer too.
	refused := p.call(post, "/api/v1/members", strings.Replace(body, "X", "Y", 1), "Idempotency-Key", "b").wantStatus(http.StatusConflict)
	h.exec(`delete from organization_members where provisional`)
	if got := p.call(post, "/api/v1/members", strings.Replace(body, "X", "Y", 1), "Idempotency-Key", "b").wantStatus(http.StatusConflict); got.body != refused.body {
		t.Error(got.body)
	}
	// Each credential has its own keys.
	h.program(account.ScopeMembersWrite).call(post, "/api/v1/members", `{"email":"y@example.com","name":"Y"}`, "Idempotency-Key", "a").wantStatus(http.StatusCreated)
	for _, wrong := range []string{"", strings.Repeat("x", 256), "é"} {
		p.call(post, "/api/v1/members", body, "Idempotency-Key", wrong).wantStatus(http.StatusBadRequest)
	}
	// After a day it is forgotten.
	h.exec(`update idempotency_keys set created_at = created_at - interval '24 hours 1 minute'`)
	p.call(post, "/api/v1/members", body, "Idempotency-Key", "a").wantStatus(http.StatusCreated)
	h.exec(`update idempotency_keys set created_at = created_at - interval '24 hours 1 minute'`)
	if err := h.service.Idempotency.Prune(t.Context()); err != nil || h.count(`select count(*) from idempotency_keys`) != 0 {
		t.Errorf("not pruned: %v", err)
	}
}

// A request that is being handled refuses its repetition; one whose server crashed does not.
// An answer with a secret is stored sealed, and repeated all the same.
func TestIdempotencyKeySealsSecrets(t *testing.T) {
	h := newTestEnv(t)
	p := h.program(account.ScopeWebhooksWrite)
	const body = `{"url":"https://webhook.invalid/"}`
	first := p.call(post, "/api/v1/webhooks", body, "Idempotency-Key", "a").wantStatus(http.StatusOK)
	again := p.call(post, "/api/v1/webhooks", body, "Idempotency-Key", "a").wantStatus(http.StatusOK)
	if !strings.Contains(first.body, "whsec_") || again.body != first.body || again.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("%s\n%s", first.body, again.body)
	}
	if n := h.count(`select count(*) from idempotency_keys where status = 200 and body <> '' and position('whsec_' in body) = 0`); n != 1 {
		t.Error("the secret is stored as it is")
	}
	if n := h.count(`select count(*) from webhook_endpoints`); n != 1 {
		t.Errorf("%d webhooks", n)
	}
}

func TestIdempotencyKeyInUse(t *testing.T) {
	h := newTestEnv(t)
	p := h.program(account.ScopeMembersWrite)
	const body = `{"email":"x@example.com","name":"X"}`
	var group sync.WaitGroup
	var mutex sync.Mutex
	statuses := map[int]int{}
	for range 8 {
		group.Go(func() {
			got := p.call(post, "/api/v1/members", body, "Idempotency-Key", "a")
			if got.status == http.StatusConflict && got.header.Get("Retry-After") != "1" {
				t.Errorf("Retry-After %q", got.header.Get("Retry-After"))
			}
			mutex.Lock()
			defer mutex.Unlock()
			statuses[got.status]++
		})
	}
	group.Wait()
	if statuses[http.StatusCreated] < 1 || statuses[http.StatusCreated]+statuses[http.StatusConflict] != 8 || h.count(`select count(*) from organization_members where provisional`) != 1 {
		t.Error(fmt.Sprint(statuses))
	}
	h.exec(`update idempotency_keys set status = 0`)
	p.call(post, "/api/v1/members", body, "Idempotency-Key", "a").wantStatus(http.StatusConflict)
	h.exec(`update idempotency_keys set locked_until = created_at`)                         // the clock stands
	p.call(post, "/api/v1/members", body, "Idempotency-Key", "a").wantStatus(http.StatusOK) // the member is there
}

func TestAPILimitsAreInHeaders(t *testing.T) {
	h := limited(t)
	p := h.program(account.ScopeMembersRead, account.ScopeMembersWrite)
	got := p.call(get, "/api/v1/members", "").wantStatus(http.StatusOK)
	if policy := got.header.Get("RateLimit-Policy"); policy != `"api reads";q=6000;w=60` {
		t.Errorf("RateLimit-Policy: %s", policy)
	}
	if limit := got.header.Get("RateLimit"); !strings.HasPrefix(limit, `"api reads";r=5999;t=`) {
		t.Errorf("RateLimit: %s", limit)
	}
	put1 := p.call(put, "/api/v1/members", `{"members":[`+everybody+`]}`).wantStatus(http.StatusOK)
	if policy := put1.header.Get("RateLimit-Policy"); policy != `"api writes";q=600;w=60, "member sets";q=60;w=60` {
		t.Errorf("RateLimit-Policy: %s", policy)
	}
	h.exec(`update rate_limits set hits = 6000 where key like 'api reads %'`)
	refused := p.call(get, "/api/v1/members", "").wantStatus(http.StatusTooManyRequests)
	if refused.header.Get("Retry-After") == "" || !strings.HasPrefix(refused.header.Get("RateLimit"), `"api reads";r=0;t=`) {
		t.Errorf("%v", refused.header)
	}
	h.program(account.ScopeMembersRead).call(get, "/api/v1/members", "").wantStatus(http.StatusOK) // each credential has its own
	if h.signIn("admin").get("/dashboard").header.Get("RateLimit") != "" {
		t.Error("a page has the header")
	}
}
