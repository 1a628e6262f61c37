package webhook_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/apperr"
	"usher/billing/webhook"
)

const address = "https://example.com/hook"

func TestChangesAreSentOnceAndInOrder(t *testing.T) {
	h := newTestEnv(t)
	h.touch("org_1")
	if n := h.count(`select count(*) from webhook_changes`); n != 0 {
		t.Fatalf("%d changes without an endpoint", n)
	}
	_, secret := h.create("org_1", address, webhook.SeatsChanged)
	h.create("org_1", "https://example.com/members", webhook.MemberChanged)
	for value := range 5 {
		h.change("org_1", value)
		h.change("org_1", value) // the same again
	}
	h.deliver()
	h.wantReceived(address, 0, 1, 2, 3, 4)
	h.wantReceived("https://example.com/members")
	for _, request := range h.receiver.sent() {
		if !verifies(request, secret) || !strings.HasPrefix(request.MessageID, "msg_") || request.Timestamp != h.now() {
			t.Errorf("%+v", request)
		}
		if !strings.HasPrefix(request.Body, `{"type":"seats.changed","timestamp":"2026-12-01T12:00:00Z","organizationId":"org_1","data":{"value":`) {
			t.Errorf("body %s", request.Body)
		}
	}
	h.touch("org_1")
	h.must(h.publisher.PublishAllDue(t.Context()))
	h.deliver()
	if n := len(h.receiver.sent()); n != 5 {
		t.Errorf("%d requests", n)
	}
}

// What is rolled back is no change. What is committed is found without a job.
func TestChangesAreOfTheTransaction(t *testing.T) {
	h := newTestEnv(t)
	h.create("org_1", address, webhook.SeatsChanged)
	put := func(tx billing.Tx) error {
		return tx.Seats().PutState(t.Context(), billing.SeatState{OrganizationID: "org_1", DesiredSeats: 2})
	}
	broken := errors.New("broken")
	err := h.store.InTx(t.Context(), func(tx billing.Tx) error { return errors.Join(put(tx), broken) })
	if !errors.Is(err, broken) || h.count(`select count(*) from webhook_changes`) != 0 {
		t.Fatalf("%v, %d changes", err, h.count(`select count(*) from webhook_changes`))
	}
	h.must(h.store.InTx(t.Context(), func(tx billing.Tx) error { return errors.Join(put(tx), put(tx)) }))
	if n := h.count(`select count(*) from webhook_changes where kind = 'state'`); n != 1 {
		t.Fatalf("%d changes", n)
	}
	if n := h.count(`select count(*) from river_job where queue = 'webhooks' and args->>'kind' = 'webhook' and args->>'id' = 'org_1'`); n != 1 {
		t.Errorf("%d jobs", n)
	}
	h.must(h.publisher.PublishAllDue(t.Context()))
	if n := h.count(`select count(*) from river_job where queue = 'webhooks' and args->>'kind' = 'delivery'`); n != 1 {
		t.Errorf("%d jobs of deliveries", n)
	}
	h.deliver()
	h.wantReceived(address, nil)
}

// Later messages stay behind one that fails, also if the receiver is down for an hour.
func TestFailingReceiverGetsEverythingInOrder(t *testing.T) {
	h := newTestEnv(t)
	id, _ := h.create("org_1", address, webhook.SeatsChanged)
	other, _ := h.create("org_1", "https://example.com/well", webhook.SeatsChanged)
	failing := func(answer func(webhook.Request) (webhook.Response, error)) {
		h.receiver.respond(func(r webhook.Request) (webhook.Response, error) {
			if r.URL != address {
				return webhook.Response{Status: 200}, nil
			}
			return answer(r)
		})
	}
	failing(func(webhook.Request) (webhook.Response, error) { return webhook.Response{}, errors.New("refused") })
	for value := range 3 {
		h.change("org_1", value)
		h.deliver()
	}
	h.wantReceived("https://example.com/well", 0, 1, 2)
	for range 60 {
		h.advance(time.Minute)
		h.deliver()
	}
	sent := h.receiver.sent()
	attempts := 0
	for _, r := range sent {
		if r.URL == address {
			attempts++
			if first := sent[0]; first.URL == address && (r.MessageID != first.MessageID || r.Body != first.Body) {
				t.Errorf("attempt %d has other bytes: %+v", attempts, r)
			}
		}
	}
	if e, _ := h.endpoint("org_1", id); attempts < 4 || attempts > 8 || e.Failures != attempts || e.FailingSince == nil {
		t.Errorf("%d attempts in an hour, %+v", attempts, e)
	}
	failing(func(webhook.Request) (webhook.Response, error) { return webhook.Response{Status: 200}, nil })
	h.advance(2 * time.Hour) // longer than any delay so far
	h.deliver()
	h.wantReceived(address, 0, 1, 2)
	h.wantReceived("https://example.com/well", 0, 1, 2)
	e, deliveries := h.endpoint("org_1", id)
	if e.Failures != 0 || e.FailingSince != nil || e.DueAt != nil || len(deliveries) != 3 || deliveries[2].Attempts != attempts+1 {
		t.Errorf("%+v, %+v", e, deliveries)
	}
	if e, _ := h.endpoint("org_1", other); e.Failures != 0 {
		t.Errorf("the other endpoint: %+v", e)
	}
}

func TestAnswersOfReceivers(t *testing.T) {
	for name, tc := range map[string]struct {
		response webhook.Response
		err      error
		failure  webhook.Failure
	}{
		"error":      {response: webhook.Response{Status: 500, Text: "oops"}, failure: webhook.FailureStatus},
		"not found":  {response: webhook.Response{Status: 404}, failure: webhook.FailureStatus},
		"redirect":   {response: webhook.Response{Status: 302}, failure: webhook.FailureRedirect},
		"private":    {err: fmt.Errorf("dial: %w", webhook.ErrAddress), failure: webhook.FailureAddress},
		"slow":       {err: fmt.Errorf("read: %w", context.DeadlineExceeded), failure: webhook.FailureTimeout},
		"name":       {err: webhook.ErrName, failure: webhook.FailureName},
		"tls":        {err: webhook.ErrTLS, failure: webhook.FailureTLS},
		"connection": {err: errors.New("reset"), failure: webhook.FailureConnection},
	} {
		t.Run(name, func(t *testing.T) {
			h := newTestEnv(t)
			id, _ := h.create("org_1", address, webhook.SeatsChanged)
			h.receiver.respond(func(webhook.Request) (webhook.Response, error) { return tc.response, tc.err })
			h.change("org_1", 1)
			h.deliver()
			e, deliveries := h.endpoint("org_1", id)
			d := deliveries[0]
			if d.Status != webhook.DeliveryPending || d.Failure != tc.failure || d.StatusCode != tc.response.Status || d.Response != tc.response.Text || d.Attempts != 1 {
				t.Errorf("%+v", d)
			}
			if e.Failures != 1 || e.DueAt == nil || !e.DueAt.After(h.now().Add(4*time.Second)) || e.LeaseUntil != nil {
				t.Errorf("%+v", e)
			}
		})
	}
}

func TestRetryAfterIsKept(t *testing.T) {
	h := newTestEnv(t)
	h.create("org_1", address, webhook.SeatsChanged)
	h.receiver.respond(func(webhook.Request) (webhook.Response, error) {
		return webhook.Response{Status: 503, RetryAfter: 10 * time.Minute}, nil
	})
	h.change("org_1", 1)
	h.deliver()
	h.receiver.respond(nil)
	h.advance(9 * time.Minute)
	h.deliver()
	h.wantReceived(address)
	h.advance(4 * time.Minute)
	h.deliver()
	h.wantReceived(address, 1)
}

func TestGoneReceiverIsDisabledAtOnce(t *testing.T) {
	h := newTestEnv(t)
	id, _ := h.create("org_1", address, webhook.SeatsChanged)
	h.receiver.status(410)
	h.change("org_1", 1)
	h.change("org_1", 2)
	h.deliver()
	e, deliveries := h.endpoint("org_1", id)
	if e.Enabled() || e.DisabledReason != webhook.DisabledGone || e.DueAt != nil || e.LeaseUntil != nil {
		t.Fatalf("%+v", e)
	}
	for _, d := range deliveries {
		if d.Status != webhook.DeliveryFailed {
			t.Errorf("%+v", d)
		}
	}
	if n := h.count(`select count(*) from emails where kind = 'webhook_disabled' and recipient = 'admin1@example.com'`); n != 1 || h.count(`select count(*) from emails`) != 1 {
		t.Errorf("%d notices", n)
	}
	if disabled, err := h.endpoints.HasDisabled(t.Context(), program("org_1")); err != nil || !disabled {
		t.Errorf("disabled %t, %v", disabled, err)
	}
	h.change("org_1", 3) // has no reader
	h.receiver.respond(nil)
	if err := h.endpoints.SendTest(t.Context(), program("org_1"), id); apperr.CodeOf(err) != apperr.CodeConflict {
		t.Errorf("a test of a disabled endpoint: %v", err)
	}
	h.must(h.endpoints.Enable(t.Context(), program("org_1"), id))
	h.change("org_1", 4)
	h.deliver()
	h.wantReceived(address, 4)
}

// A message is given up when it is three days old, the next one gets its attempt, and after five
// days of failure the endpoint is disabled.
func TestRetriesEndAfterThreeDays(t *testing.T) {
	h := newTestEnv(t)
	id, _ := h.create("org_1", address, webhook.SeatsChanged)
	h.receiver.down()
	h.change("org_1", 1)
	h.deliver()
	h.advance(48 * time.Hour)
	h.change("org_1", 2)
	h.deliver()
	failedAt := time.Duration(0)
	for hours := range 60 {
		h.advance(time.Hour)
		h.deliver()
		e, deliveries := h.endpoint("org_1", id)
		if !e.Enabled() {
			break
		}
		if len(deliveries) == 2 && deliveries[1].Status == webhook.DeliveryFailed && failedAt == 0 {
			failedAt = time.Duration(48+hours+1) * time.Hour
			if deliveries[0].Status != webhook.DeliveryPending {
				t.Errorf("the second one is %s", deliveries[0].Status)
			}
		}
	}
	if failedAt < 60*time.Hour || failedAt > 72*time.Hour {
		t.Errorf("given up after %s", failedAt)
	}
	e, deliveries := h.endpoint("org_1", id)
	if e.Enabled() {
		h.advance(24 * time.Hour)
		h.deliver()
		e, deliveries = h.endpoint("org_1", id)
	}
	if deliveries[0].Attempts == 0 {
		t.Error("the second message had no attempt")
	}
	if e.Enabled() { // nothing is pending: the next message shows that it still fails
		h.change("org_1", 3)
		h.deliver()
		e, _ = h.endpoint("org_1", id)
	}
	if e.Enabled() || e.DisabledReason != webhook.DisabledFailing {
		t.Errorf("%+v", e)
	}
	if n := h.count(`select count(*) from emails where kind = 'webhook_disabled'`); n != 1 {
		t.Errorf("%d notices", n)
	}
}

// A worker that is killed after it has claimed an endpoint, or after it has sent, loses nothing:
// when its lease has ended, another one sends, with the same id.
func TestKilledWorkerLosesNothing(t *testing.T) {
	h := newTestEnv(t)
	id, _ := h.create("org_1", address, webhook.SeatsChanged)
	h.change("org_1", 1)
	h.change("org_1", 2)
	claim := func() error {
		_, err := h.store.Webhooks().ClaimEndpoint(t.Context(), id, h.now(), h.now().Add(30*time.Second))
		return err
	}
	h.must(claim()) // and then nothing more
	if err := claim(); !errors.Is(err, apperr.ErrNotFound) {
		t.Fatalf("claimed twice: %v", err)
	}
	h.deliver()
	h.wantReceived(address)
	h.advance(31 * time.Second)
	h.deliver()
	h.wantReceived(address, 1, 2)
}

// The result of a worker whose lease has ended counts only if it was a success.
func TestWorkerThatWasOvertaken(t *testing.T) {
	h := newTestEnv(t)
	id, _ := h.create("org_1", address, webhook.SeatsChanged)
	h.change("org_1", 1)
	overtaken := false
	h.receiver.respond(func(webhook.Request) (webhook.Response, error) {
		if overtaken {
			return webhook.Response{Status: 200}, nil
		}
		overtaken = true
		h.advance(time.Minute) // the lease ends while the receiver answers
		if worked, err := h.deliverer.Deliver(t.Context(), id); err != nil || !worked {
			t.Errorf("the other worker: %t, %v", worked, err)
		}
		return webhook.Response{Status: 500}, nil
	})
	h.deliver()
	e, deliveries := h.endpoint("org_1", id)
	if h.observed(webhook.OutcomeDelivered) != 1 || h.observed(webhook.OutcomeRetried) != 0 {
		t.Error("the overtaken attempt is counted")
	}
	if deliveries[0].Status != webhook.DeliveryDelivered || deliveries[0].Attempts != 1 || e.Failures != 0 || e.DueAt != nil {
		t.Errorf("%+v, %+v", e, deliveries)
	}
}

// Several replicas publish and send at once.
func TestReplicasPublishAndSendOnce(t *testing.T) {
	h := newTestEnv(t)
	h.create("org_1", address, webhook.SeatsChanged)
	want := []any{}
	for value := range 20 {
		h.objects.set("org_1", value)
		want = append(want, value)
		h.touch("org_1")
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				if err := h.publisher.Publish(t.Context(), "org_1"); err != nil {
					t.Error(err)
				}
				h.deliverer.DeliverAllDue(t.Context())
			})
		}
		group.Wait()
	}
	h.deliver()
	h.wantReceived(address, want...)
	if n := h.count(`select count(*) from webhook_messages`); n != 20 {
		t.Errorf("%d messages", n)
	}
}

// A change that is committed while the objects are loaded is published too.
func TestChangeDuringPublishingIsNotLost(t *testing.T) {
	h := newTestEnv(t)
	h.create("org_1", address, webhook.SeatsChanged)
	h.objects.set("org_1", "old")
	h.touch("org_1")
	h.objects.onLoad = func() {
		h.objects.onLoad = nil
		h.touch("org_1")
	}
	h.must(h.publisher.Publish(t.Context(), "org_1"))
	h.objects.set("org_1", "new")
	h.must(h.publisher.PublishAllDue(t.Context()))
	h.deliver()
	h.wantReceived(address, "old", "new")
}

// A state that changes with time is compared at that time.
func TestStateThatChangesWithTime(t *testing.T) {
	h := newTestEnv(t)
	h.create("org_1", address, webhook.SeatsChanged)
	at := h.now().Add(time.Hour)
	h.objects.changesAt = &at
	h.change("org_1", "within")
	h.objects.changesAt = nil
	h.objects.set("org_1", "after")
	h.must(h.publisher.PublishAllDue(t.Context()))
	h.advance(time.Hour)
	h.must(h.publisher.PublishAllDue(t.Context()))
	h.must(h.publisher.PublishAllDue(t.Context()))
	h.deliver()
	h.wantReceived(address, "within", "after")
	if n := h.objects.loads.Load(); n != 2 {
		t.Errorf("loaded %d times", n)
	}
}
