package webhook_test

import (
	"errors"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/secrets"
	"usher/billing/webhook"
)

func TestBothSecretsSignWhileOneIsRotated(t *testing.T) {
	h := newTestEnv(t)
	id, first := h.create("org_1", address, webhook.SeatsChanged)
	_, second, err := h.endpoints.Rotate(t.Context(), program("org_1"), id)
	h.must(err)
	last := func() webhook.Request {
		h.t.Helper()
		h.deliver()
		sent := h.receiver.sent()
		return sent[len(sent)-1]
	}
	h.change("org_1", 1)
	if r := last(); first == second || !verifies(r, first) || !verifies(r, second) {
		t.Errorf("within a day: %+v", r)
	}
	h.advance(24 * time.Hour)
	h.change("org_1", 2)
	if r := last(); verifies(r, first) || !verifies(r, second) {
		t.Errorf("after a day: %+v", r)
	}
	if h.count(`select count(*) from webhook_endpoints where strpos(encode(secret, 'escape'), $1) > 0`, second[6:]) != 0 {
		t.Error("the secret is stored as it is")
	}
}

// A worker that sends several messages signs those after a rotation with the new secret too.
func TestSecretIsRotatedWhileAWorkerSends(t *testing.T) {
	h := newTestEnv(t)
	id, first := h.create("org_1", address, webhook.SeatsChanged)
	h.change("org_1", 1)
	h.change("org_1", 2)
	second := ""
	h.receiver.respond(func(webhook.Request) (webhook.Response, error) {
		if second == "" {
			_, secret, err := h.endpoints.Rotate(t.Context(), program("org_1"), id)
			h.must(err)
			second = secret
		}
		return webhook.Response{Status: 200}, nil
	})
	h.deliver()
	sent := h.receiver.sent()
	if len(sent) != 2 || !verifies(sent[0], first) || verifies(sent[0], second) || !verifies(sent[1], first) || !verifies(sent[1], second) {
		t.Errorf("sent: %+v", sent)
	}
}

func TestOrganizationsAreSeparate(t *testing.T) {
	h := newTestEnv(t)
	id, _ := h.create("org_1", address, webhook.SeatsChanged)
	h.create("org_2", "https://example.org/hook", webhook.SeatsChanged)
	h.change("org_1", "one")
	h.change("org_2", "two")
	h.deliver()
	h.wantReceived(address, "one")
	h.wantReceived("https://example.org/hook", "two")
	_, deliveries := h.endpoint("org_1", id)
	stranger := program("org_2")
	_, _, rotated := h.endpoints.Rotate(t.Context(), stranger, id)
	_, _, read := h.endpoints.Get(t.Context(), stranger, id)
	for name, err := range map[string]error{
		"get": read, "rotate": rotated, "delete": h.endpoints.Delete(t.Context(), stranger, id), "test": h.endpoints.SendTest(t.Context(), stranger, id),
		"enable": h.endpoints.Enable(t.Context(), stranger, id), "resend": h.endpoints.Resend(t.Context(), stranger, id, deliveries[0].ID),
	} {
		if !errors.Is(err, apperr.ErrNotFound) {
			t.Errorf("%s by another organization: %v", name, err)
		}
	}
	otherID := h.id(`select id from webhook_endpoints where organization_id = 'org_2'`)
	if err := h.endpoints.Resend(t.Context(), stranger, otherID, deliveries[0].ID); !errors.Is(err, apperr.ErrNotFound) {
		t.Errorf("a delivery of another organization is resent: %v", err)
	}
	member := account.Access{Organization: account.Organization{ID: "org_1"}, Member: account.Member{Status: account.MemberActive, Role: account.Role{ID: account.RoleMember}}}
	if _, err := h.endpoints.List(t.Context(), member); apperr.CodeOf(err) != apperr.CodeForbidden {
		t.Errorf("a member lists endpoints: %v", err)
	}
}

func (h *testEnv) id(query string) (id string) {
	h.t.Helper()
	h.must(h.store.DB().GetContext(h.t.Context(), &id, query))
	return id
}

func TestTestEventsAndResending(t *testing.T) {
	h := newTestEnv(t)
	id, secret := h.create("org_1", address, webhook.SeatsChanged)
	h.change("org_1", 1)
	_, deliveries := h.endpoint("org_1", id)
	if err := h.endpoints.Resend(t.Context(), program("org_1"), id, deliveries[0].ID); apperr.CodeOf(err) != apperr.CodeConflict {
		t.Errorf("a pending delivery is resent: %v", err)
	}
	h.deliver()
	h.must(h.endpoints.SendTest(t.Context(), program("org_1"), id))
	h.must(h.endpoints.Resend(t.Context(), program("org_1"), id, deliveries[0].ID))
	h.deliver()
	sent := h.receiver.sent()
	if len(sent) != 3 || sent[2].MessageID != sent[0].MessageID || sent[2].Body != sent[0].Body || !verifies(sent[1], secret) {
		t.Fatalf("%+v", sent)
	}
	_, deliveries = h.endpoint("org_1", id)
	if len(deliveries) != 3 || deliveries[1].Type != webhook.TestEvent {
		t.Errorf("%+v", deliveries)
	}
	if n := h.count(`select count(*) from audit_entries where organization_id = 'org_1' and act in ('webhook.created', 'webhook.resent')`); n != 2 {
		t.Errorf("%d audit entries", n)
	}
}

// A test event makes a failing endpoint try again at once, in order.
func TestTestEventEndsTheWait(t *testing.T) {
	h := newTestEnv(t)
	id, _ := h.create("org_1", address, webhook.SeatsChanged)
	h.receiver.down()
	h.change("org_1", 1)
	h.deliver()
	h.receiver.respond(nil)
	h.must(h.endpoints.SendTest(t.Context(), program("org_1"), id))
	h.deliver()
	h.wantReceived(address, 1, nil)
}

func TestDrafts(t *testing.T) {
	h := newTestEnv(t)
	for field, draft := range map[string]webhook.Draft{
		"url": {URL: "nowhere", Events: []string{"seats.changed"}}, "events": {URL: address, Events: []string{"seats.changed", "everything"}},
	} {
		_, _, err := h.endpoints.Create(t.Context(), program("org_1"), draft)
		var e *apperr.Error
		if !errors.As(err, &e) || e.Field != field || e.Code != apperr.CodeUnprocessable {
			t.Errorf("%s: %v", field, err)
		}
	}
	if _, _, err := h.endpoints.Create(t.Context(), program("org_1"), webhook.Draft{URL: address}); apperr.CodeOf(err) != apperr.CodeUnprocessable {
		t.Errorf("no events: %v", err)
	}
	for range 10 {
		h.create("org_1", address, webhook.SeatsChanged)
	}
	_, _, err := h.endpoints.Create(t.Context(), program("org_1"), webhook.Draft{URL: address, Events: []string{"seats.changed"}})
	if apperr.CodeOf(err) != apperr.CodeConflict {
		t.Errorf("one too many: %v", err)
	}
}

func TestSecretsAreSealedAgain(t *testing.T) {
	h := newTestEnv(t)
	id, secret := h.create("org_1", address, webhook.SeatsChanged)
	_, rotated, err := h.endpoints.Rotate(t.Context(), program("org_1"), id)
	h.must(err)
	h.keys = []secrets.Key{testKey(2), testKey(1)}
	h.build()
	if result, err := h.endpoints.Reseal(t.Context()); err != nil || result != (webhook.ResealResult{Resealed: 1}) {
		t.Fatalf("%+v, %v", result, err)
	}
	h.keys = h.keys[:1]
	h.build()
	if result, err := h.endpoints.Reseal(t.Context()); err != nil || result != (webhook.ResealResult{}) {
		t.Errorf("again: %+v, %v", result, err)
	}
	h.change("org_1", 1)
	h.deliver()
	if sent := h.receiver.sent(); len(sent) != 1 || !verifies(sent[0], secret) || !verifies(sent[0], rotated) {
		t.Errorf("%+v", sent)
	}
	h.keys[0] = testKey(3)
	h.build()
	h.change("org_1", 2)
	h.deliver()
	if _, deliveries := h.endpoint("org_1", id); deliveries[0].Failure != webhook.FailureSecret || deliveries[0].Status != webhook.DeliveryPending {
		t.Errorf("without the key: %+v", deliveries[0])
	}
	if result, err := h.endpoints.Reseal(t.Context()); err != nil || result != (webhook.ResealResult{Unreadable: 1}) {
		t.Errorf("without the key: %+v, %v", result, err)
	}
}

func TestOldMessagesAndDeletedOrganizationsArePruned(t *testing.T) {
	h := newTestEnv(t)
	h.create("org_1", address, webhook.SeatsChanged)
	h.create("org_2", "https://example.org/hook", webhook.SeatsChanged)
	h.change("org_1", 1)
	h.change("org_2", 1)
	h.deliver()
	h.receiver.down()
	h.change("org_1", 2)
	h.must(h.deliverer.Prune(t.Context()))
	if n := h.count(`select count(*) from webhook_messages`); n != 3 {
		t.Fatalf("%d messages", n)
	}
	h.advance(31 * 24 * time.Hour)
	h.must(h.deliverer.Prune(t.Context()))
	if n := h.count(`select count(*) from webhook_messages`); n != 1 { // the pending one
		t.Errorf("%d messages after a month", n)
	}
	h.exec(`update organizations set deleted_at = now() where id = 'org_1'`)
	h.must(h.deliverer.Prune(t.Context()))
	if n := h.count(`select count(*) from webhook_endpoints`); n != 2 {
		t.Errorf("%d endpoints while the last message is pending", n)
	}
	h.receiver.respond(nil)
	h.deliver()
	h.wantReceived(address, 1, 2)
	h.must(h.deliverer.Prune(t.Context()))
	left := h.count(`select (select count(*) from webhook_endpoints where organization_id = 'org_1') + (select count(*) from webhook_messages where organization_id = 'org_1')
		+ (select count(*) from webhook_streams where organization_id = 'org_1') + (select count(*) from webhook_published where organization_id = 'org_1')`)
	if left != 0 || h.count(`select count(*) from webhook_endpoints`) != 1 || h.count(`select count(*) from webhook_streams`) != 1 {
		t.Errorf("%d rows are left", left)
	}
}

// The stores record what they change.
func TestStoresRecordChanges(t *testing.T) {
	h := newTestEnv(t)
	h.create("org_1", address, webhook.EventTypes()...)
	ctx := t.Context()
	for name, tc := range map[string]struct {
		kind  string
		write func(billing.Tx) error
	}{
		"name":    {"member", func(tx billing.Tx) error { return tx.Users().SetName(ctx, "usr_1", "New name") }},
		"address": {"member", func(tx billing.Tx) error { return tx.Users().SetEmail(ctx, "usr_1", "new@example.com", h.now()) }},
		"member": {"member", func(tx billing.Tx) error {
			return tx.Members().Insert(ctx, account.Member{ID: "mem_9", OrganizationID: "org_1", UserID: "usr_2", Role: account.Role{ID: account.RoleMember}, Status: account.MemberActive, JoinedAt: h.now()})
		}},
		"credits": {"state", func(tx billing.Tx) error {
			return tx.Credits().PutAccount(ctx, billing.CreditAccount{OrganizationID: "org_1", Account: "acct_1"})
		}},
		"invoice": {"invoice_paid", func(tx billing.Tx) error {
			return tx.Invoices().Put(ctx, billing.Invoice{ID: "in_1", OrganizationID: "org_1", Account: "acct_1", Status: billing.InvoicePaid, Currency: "usd", CreatedAt: h.now(), AsOf: h.now()})
		}},
		"attempt": {"invoice_payment_failed", func(tx billing.Tx) error {
			_, err := tx.PaymentAttempts().Put(ctx, billing.PaymentAttempt{ID: "ch_1", Account: "acct_1", OrganizationID: "org_1", InvoiceID: "in_2", At: h.now(), Currency: "usd", Outcome: billing.AttemptDeclined})
			return err
		}},
	} {
		h.exec(`delete from webhook_changes`)
		for range 2 { // a fact is one the first time only
			h.must(h.store.InTx(ctx, func(tx billing.Tx) error {
				if _, err := tx.Organizations().Lock(ctx, "org_1"); err != nil || name == "member" && h.count(`select count(*) from organization_members where id = 'mem_9'`) > 0 {
					return err
				}
				return tc.write(tx)
			}))
		}
		want := 1
		if name == "name" || name == "address" || name == "credits" {
			want = 2
		}
		if n := h.count(`select count(*) from webhook_changes where kind = $1`, tc.kind); n != want {
			t.Errorf("%s: %d changes of kind %s, want %d", name, n, tc.kind, want)
		}
	}
	h.exec(`delete from webhook_changes`)
	h.must(h.store.InTx(ctx, func(tx billing.Tx) error { return tx.Members().Delete(ctx, "org_1", "mem_9") }))
	h.must(h.publisher.Publish(ctx, "org_1"))
	h.deliver()
	if got := h.receiver.values(address); len(got) == 0 || got[0] != "without Admin 2" {
		t.Errorf("the removal: %v", got)
	}
}
