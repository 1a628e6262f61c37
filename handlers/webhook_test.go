package handlers

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"usher/billing/apperr"
)

// signed returns a Stripe-Signature header (https://docs.stripe.com/webhooks#verify-manually).
func signed(payload, secret string, at time.Time) string {
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "%d.%s", at.Unix(), payload)
	return fmt.Sprintf("t=%d,v1=%s", at.Unix(), hex.EncodeToString(mac.Sum(nil)))
}

func eventBody(id, kind string) string {
	return fmt.Sprintf(`{"id":%q,"object":"event","api_version":"2024-06-20","created":%d,"type":%q,"livemode":false,`+
		`"data":{"object":{"id":"cus_of_nobody","object":"customer"}}}`, id, time.Now().Unix(), kind)
}

func TestWebhook(t *testing.T) {
	h := newTestEnv(t)
	b := h.newBrowser()
	now := h.wallNow()
	body := eventBody("evt_unknown", "something.new")
	for _, tt := range []struct {
		name, body, signature string
		status                int
	}{
		{"unsigned", body, "", 400},
		{"wrongly signed", body, signed(body, "whsec_other", now), 400},
		{"signed over another body", body + " ", signed(body, testSecret, now), 400},
		{"301 s old", body, signed(body, testSecret, now.Add(-301*time.Second)), 400},
		{"600 s ahead", body, signed(body, testSecret, now.Add(600*time.Second)), 400},
		{"garbage", body, "t=x,v1=y", 400},
		{"no event", "null", signed("null", testSecret, now), 400},
		{"no JSON", "{", signed("{", testSecret, now), 400},
	} {
		got := b.send(post, "/stripe/webhook", tt.body, "Stripe-Signature", tt.signature)
		if got.status != tt.status {
			t.Errorf("%s: %d %s", tt.name, got.status, got.body)
		}
		if !strings.HasPrefix(tt.name, "no ") {
			got.wantError(http.StatusBadRequest, apperr.CodeInvalid, "Webhook signature failed")
		}
	}
	if n := h.count(`select count(*) from stripe_events where id like 'evt_unknown%'`); n != 0 {
		t.Errorf("%d rows of refused events", n)
	}
	b.send(post, "/stripe/webhook", body, "Stripe-Signature", signed(body, testSecret, now)).wantStatus(http.StatusOK)
	// The webhook needs no session and ignores the Origin header.
	other := eventBody("evt_other_address", "something.new")
	got := b.send(post, "/stripe-webhook", other, "Stripe-Signature", signed(other, testSecret, now), "Origin", "https://hooks.example", "Sec-Fetch-Site", "cross-site")
	if got.wantStatus(http.StatusOK); got.body != `{"received":true}`+"\n" {
		t.Errorf("response %s", got.body)
	}
}

func TestConcurrentDuplicateWebhooksAreStoredOnce(t *testing.T) {
	h := newTestEnv(t)
	body := eventBody("evt_twins", "customer.updated")
	header := signed(body, testSecret, time.Now())
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() {
			r, _ := http.NewRequest(post, h.url+"/stripe/webhook", strings.NewReader(body))
			r.Header.Set("Stripe-Signature", header)
			got, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Error(err)
				return
			}
			got.Body.Close()
			if got.StatusCode != http.StatusOK {
				t.Errorf("%d", got.StatusCode)
			}
		})
	}
	group.Wait()
	if n := h.count(`select count(*) from stripe_events where id = 'evt_twins'`); n != 1 {
		t.Errorf("%d rows", n)
	}
}

func TestUnstoredWebhookIsRetried(t *testing.T) {
	h := newTestEnv(t)
	body := eventBody("evt_no_room", "customer.updated")
	if _, err := h.store.DB().ExecContext(t.Context(), `alter table stripe_events rename to stripe_events_away`); err != nil {
		t.Fatal(err)
	}
	got := h.newBrowser().send(post, "/stripe/webhook", body, "Stripe-Signature", signed(body, testSecret, time.Now()))
	if got.wantStatus(http.StatusInternalServerError); strings.Contains(got.body, "stripe_events") {
		t.Errorf("internals in the response: %s", got.body)
	}
}

// TestWebhooksWaitForExhaustedPool: all connections of the pool are in use. Webhooks are stored
// once one is free.
func TestWebhooksWaitForExhaustedPool(t *testing.T) {
	h := newTestEnv(t)
	pool := h.store.DB()
	most := pool.Stats().MaxOpenConnections
	var paused []func() error
	for range most {
		connection, err := pool.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		paused = append(paused, connection.Close)
	}
	waited := pool.Stats().WaitCount
	var group sync.WaitGroup
	for n := range 2 * most {
		body := eventBody(fmt.Sprintf("evt_exhausted_%d", n), "something.new")
		group.Go(func() {
			h.newBrowser().send(post, "/stripe/webhook", body, "Stripe-Signature", signed(body, testSecret, time.Now())).wantStatus(http.StatusOK)
		})
	}
	// Two committers wait for a connection; the other events wait for them.
	waitFor(t, "blocked webhooks", func() bool { return pool.Stats().WaitCount >= waited+2 })
	for _, release := range paused {
		if err := release(); err != nil {
			t.Error(err)
		}
	}
	group.Wait()
	if n := h.count(`select count(*) from stripe_events where id like 'evt_exhausted%'`); n != 2*most {
		t.Errorf("%d rows of %d", n, 2*most)
	}
}
