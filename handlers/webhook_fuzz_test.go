package handlers

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// FuzzWebhookBody checks that any body with a valid signature is accepted or refused, and never
// causes an internal error.
func FuzzWebhookBody(f *testing.F) {
	h := newTestEnv(f)
	b := h.signIn("admin")
	b.subscribe("pro", "month")
	var real []string
	waitFor(f, "seed events", func() bool {
		if err := h.store.DB().Select(&real, `select payload from stripe_events order by received_at`); err != nil {
			f.Fatal(err)
		}
		return len(real) > 8
	})
	for _, body := range real {
		f.Add(body)
		f.Add(strings.ReplaceAll(body, `"data":[`, `"data":[null,`))
		f.Add(strings.ReplaceAll(body, `"status":"`, `"status":"\u0000`))
		f.Add(strings.ReplaceAll(body, `"quantity":1`, `"quantity":99999999999999999999`))
		f.Add(strings.ReplaceAll(body, `"created":1`, `"created":-9`))
		f.Add(strings.ReplaceAll(body, `"livemode":false`, `"livemode":"false"`))
		f.Add(body[:len(body)/2])
	}
	for _, body := range []string{"", "null", "[]", "{}", `{"id":"evt_1","type":"invoice.paid","data":null}`, `{"id":"\u0000","type":"x"}`, "\xff\xfe", strings.Repeat("[", 10_000)} {
		f.Add(body)
	}
	url := h.url + "/stripe/webhook"
	f.Fuzz(func(t *testing.T, body string) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Stripe-Signature", signed(body, testSecret, time.Now()))
		resp, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusBadRequest && resp.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("%s", resp.Status)
		}
	})
}
