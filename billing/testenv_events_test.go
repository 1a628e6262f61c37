package billing_test

import (
	"net/http"
	"testing"

	"usher/billing/job"
)

// deliver passes an event to the inbox as the webhook handler does.
func deliver(t *testing.T, env *testEnv, payload []byte) {
	t.Helper()
	if err := env.service.Inbox.Receive(t.Context(), payload, signPayload(payload)); err != nil {
		t.Fatalf("%v: %s", err, payload)
	}
}

// registerWebhook registers the service's webhook endpoint for all events at Stripe.
func (env *testEnv) registerWebhook() {
	env.stripe.EnsureWebhookEndpoint(env.serveWebhook(), testWebhookSecret)
}

// removeWebhooks removes every webhook endpoint at Stripe.
func (env *testEnv) removeWebhooks() {
	env.t.Helper()
	var endpoints struct{ Data []struct{ ID string } }
	env.stripeGet("/v1/webhook_endpoints", &endpoints)
	for _, endpoint := range endpoints.Data {
		env.stripeRequest(http.MethodDelete, "/v1/webhook_endpoints/"+endpoint.ID, nil)
	}
}

// startBackground registers the webhook endpoint at Stripe and starts the worker.
func (env *testEnv) startBackground() {
	env.registerWebhook()
	env.startWorker(env.service)
}

// processEvents processes pending events until none is left.
func (env *testEnv) processEvents() {
	env.t.Helper()
	if !poll(env.processPendingEvents) {
		env.t.Fatal("timed out waiting for pending events")
	}
}

// processPendingEvents processes a number of events and reports whether none is pending. An event
// stays pending while it waits for its next attempt.
func (env *testEnv) processPendingEvents() bool {
	for range 200 {
		_, err := env.service.Worker.RunJob(env.t.Context(), job.Job{Kind: job.KindEvent})
		env.must(err)
		if env.queryInt(`select count(*) from stripe_events where outcome = 'pending'`) == 0 {
			return true
		}
	}
	return false
}

// processEventsUntil processes pending events, but runs no other background task, until a condition
// is met.
func (env *testEnv) processEventsUntil(met func() bool) {
	env.t.Helper()
	processed := poll(func() bool {
		env.processEvents()
		return met()
	})
	if !processed {
		env.t.Fatal("timed out waiting for events")
	}
}
