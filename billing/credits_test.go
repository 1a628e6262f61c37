package billing_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/apperr"
	"usher/billing/catalog"
	"usher/billing/mail"
)

// paidInvoice describes a paid invoice for an event.
type paidInvoice struct {
	id        string
	reason    string
	created   time.Time
	price     string
	start     time.Time
	end       time.Time
	proration bool
	amount    int64
}

func (p paidInvoice) event(env *testEnv, current billing.Subscription, eventID, kind string) []byte {
	lineType := "subscription"
	if p.proration {
		lineType = "invoiceitem"
	}
	object := map[string]any{
		"id": p.id, "object": "invoice", "customer": current.CustomerID, "subscription": current.ID, "status": "paid", "number": "N-" + p.id,
		"billing_reason": p.reason, "currency": "usd", "total": p.amount, "amount_paid": p.amount, "created": p.created.Unix(),
		"status_transitions": map[string]any{"finalized_at": p.created.Unix(), "paid_at": p.created.Unix()},
		"lines": map[string]any{"object": "list", "has_more": false, "data": []any{map[string]any{
			"id": "il_" + p.id, "object": "line_item", "type": lineType, "proration": p.proration, "amount": p.amount,
			"price":  map[string]any{"id": p.price, "object": "price"},
			"period": map[string]any{"start": p.start.Unix(), "end": p.end.Unix()},
		}}},
	}
	payload, err := json.Marshal(map[string]any{
		"id": eventID, "object": "event", "type": kind, "api_version": "2024-06-20", "created": p.created.Unix(), "livemode": false,
		"data": map[string]any{"object": object},
	})
	if err != nil {
		env.t.Fatal(err)
	}
	return payload
}

// withoutInvoices is a gateway that cannot read invoices.
type withoutInvoices struct{ billing.Gateway }

func (withoutInvoices) Invoice(context.Context, string) (billing.Invoice, error) {
	return billing.Invoice{}, errors.New("stripe is unavailable")
}

// subscribeBeforeInvoice is subscribe without the first invoice, so that the test's own invoices
// are the only ones.
func (env *testEnv) subscribeBeforeInvoice(plan string) billing.Subscription {
	env.t.Helper()
	service, options := env.service, env.options(env.store)
	options.Gateway = withoutInvoices{options.Gateway}
	env.useService(env.startService(options))
	defer func() { env.useService(service) }()
	return env.subscribe(plan)
}

func TestCheckoutGrantsCreditsOnce(t *testing.T) {
	env := newTestEnv(t)
	env.registerWebhook()
	env.startWorker(env.service)
	env.subscribe("pro")
	var invoices []billing.Invoice
	env.waitFor("the paid invoice", func(o billing.Overview) bool {
		invoices, _ = env.service.Invoices.List(t.Context(), env.access)
		return o.Credits.Balance == 1000 && len(invoices) == 1 && invoices[0].Status == billing.InvoicePaid
	})
	if invoices[0].Total != 2900 || invoices[0].Number == "" || invoices[0].PaidAt == nil {
		t.Errorf("invoice: %+v", invoices[0])
	}
	if credits := env.overview().Credits; credits.Granted != 1000 || credits.ResetsAt == nil {
		t.Errorf("credits: %+v", credits)
	}
	env.checkLedger()
}

func TestCreditRules(t *testing.T) {
	env := newTestEnv(t)
	current := env.subscribeBeforeInvoice("starter")
	starter, pro := env.planPriceID("starter", catalog.Monthly), env.planPriceID("pro", catalog.Monthly)
	month := func(n int) time.Time { return time.Date(2027, time.Month(n), 1, 12, 0, 0, 0, time.UTC) }
	january := paidInvoice{"in_jan", "subscription_create", month(1), starter, month(1), month(2), false, 900}
	seats := paidInvoice{"in_seats", "subscription_update", month(1).AddDate(0, 0, 3), starter, month(1), month(2), true, 450}
	upgrade := paidInvoice{"in_up", "subscription_update", month(1).AddDate(0, 0, 5), pro, month(1), month(2), true, 1000}
	february := paidInvoice{"in_feb", "subscription_cycle", month(2), pro, month(2), month(3), false, 2900}
	steps := []struct {
		name    string
		invoice paidInvoice
		want    int
	}{
		{"the first payment grants credits", january, 100},
		{"a duplicate of the payment has no effect", january, 100},
		{"a seat proration has no effect", seats, 100},
		{"an upgrade grants the difference", upgrade, 1000},
		{"a duplicate of the upgrade has no effect", upgrade, 1000},
		{"a renewal resets the credits", february, 1000},
		{"a payment for an older period has no effect", paidInvoice{"in_old", "subscription_cycle", month(3), starter, month(1).AddDate(0, -1, 0), month(1), false, 900}, 1000},
	}
	for i, step := range steps {
		deliver(t, env, step.invoice.event(env, current, fmt.Sprintf("evt_%d", i), "invoice.paid"))
		if got := env.overview().Credits.Balance; got != step.want {
			t.Fatalf("%s: balance %d, want %d: %s", step.name, got, step.want, env.checkLedger())
		}
	}
	balance, err := env.service.Credits.Consume(t.Context(), env.access, billing.Consumption{Amount: 360, Reason: "reports", IdempotencyKey: "k1"})
	if err != nil || balance != 640 {
		t.Fatalf("consume: %d, %v", balance, err)
	}
	march := paidInvoice{"in_mar", "subscription_cycle", month(3), pro, month(3), month(4), false, 2900}
	deliver(t, env, march.event(env, current, "evt_mar", "invoice.payment_succeeded"))
	wantBalance(t, env, 1000)
	env.checkLedger()
}

func TestCreditsDoNotDependOnEventOrder(t *testing.T) {
	month := func(n int) time.Time { return time.Date(2027, time.Month(n), 1, 12, 0, 0, 0, time.UTC) }
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			env := newTestEnv(t)
			current := env.subscribeBeforeInvoice("starter")
			price := env.planPriceID("starter", catalog.Monthly)
			var events [][]byte
			for n := 1; n <= 5; n++ {
				invoice := paidInvoice{fmt.Sprint("in_", n), "subscription_cycle", month(n), price, month(n), month(n + 1), false, 900}
				for variant, kind := range []string{"invoice.paid", "invoice.payment_succeeded"} {
					events = append(events, invoice.event(env, current, fmt.Sprintf("evt_%d_%d", n, variant), kind))
				}
			}
			events = append(events, events...)
			random := rand.New(rand.NewPCG(seed, 1))
			random.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
			for _, event := range events {
				deliver(t, env, event)
			}
			wantBalance(t, env, 100)
			env.checkLedger()
		})
	}
}

func TestYearlyPlansGrantCreditsMonthly(t *testing.T) {
	env := newTestEnv(t)
	current := env.subscribeBeforeInvoice("pro")
	start := time.Now().UTC().AddDate(0, -2, -3).Truncate(time.Second)
	year := paidInvoice{"in_year", "subscription_create", start, env.planPriceID("pro", catalog.Yearly), start, start.AddDate(1, 0, 0), false, 29000}
	deliver(t, env, year.event(env, current, "evt_year", "invoice.paid"))
	wantBalance(t, env, 1000)
	if _, err := env.service.Credits.Consume(t.Context(), env.access, billing.Consumption{Amount: 700, IdempotencyKey: "k"}); err != nil {
		t.Fatal(err)
	}
	env.startWorker(env.service) // two monthly grants are due
	env.waitFor("the due grants", func(o billing.Overview) bool {
		return o.Credits.Balance == 1000 && o.Credits.ResetsAt != nil && o.Credits.ResetsAt.After(time.Now())
	})
	env.checkLedger()
}

// An invoice of seats is created in the second in which a month of a yearly plan begins. Its event
// may arrive before the worker grants the month: the statement shows the grant and the expiry all
// the same.
func TestNewMonthIsGrantedByWhateverRecountsFirst(t *testing.T) {
	env := newTestEnv(t)
	clock := newTestClock()
	env.useClock(clock.now)
	current := env.subscribeBeforeInvoice("pro")
	start, price := clock.now().UTC().Truncate(time.Second), env.planPriceID("pro", catalog.Yearly)
	year := paidInvoice{"in_year", "subscription_create", start, price, start, start.AddDate(1, 0, 0), false, 29000}
	deliver(t, env, year.event(env, current, "evt_year", "invoice.paid"))
	_, err := env.service.Credits.Consume(t.Context(), env.access, billing.Consumption{Amount: 700, IdempotencyKey: "k"})
	env.must(err)
	clock.advance(32 * 24 * time.Hour)
	month := start.AddDate(0, 0, 32)
	seats := paidInvoice{"in_seats", "automatic_pending_invoice_item_invoice", month, price, month, start.AddDate(1, 0, 0), true, 450}
	deliver(t, env, seats.event(env, current, "evt_seats", "invoice.paid"))
	env.service.Sweep(t.Context())
	const want = "grant +1000 = 1000 (invoice:in_year); consume -700 = 300 (consume:k); " +
		"grant +1000 = 1300 (invoice:in_year:month:1); expire -300 = 1000 (expire:invoice:in_year:month:1)"
	if got := env.checkLedger(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestCancellationRemovesPlanCredits(t *testing.T) {
	env := newTestEnv(t)
	current := env.subscribeBeforeInvoice("starter")
	start := time.Now().UTC()
	paid := paidInvoice{"in_1", "subscription_create", start, env.planPriceID("starter", catalog.Monthly), start, start.AddDate(0, 1, 0), false, 900}
	deliver(t, env, paid.event(env, current, "evt_1", "invoice.paid"))
	wantBalance(t, env, 100)
	env.cancelAtStripe(current)
	if err := env.service.Subscriptions.Refresh(t.Context(), env.access); err != nil {
		t.Fatal(err)
	}
	wantBalance(t, env, 0)
	deliver(t, env, paid.event(env, current, "evt_2", "invoice.payment_succeeded"))
	second := paid
	second.id = "in_2"
	deliver(t, env, second.event(env, current, "evt_3", "invoice.paid"))
	wantBalance(t, env, 0)
	env.checkLedger()
}

func TestConcurrentConsumptionNeverOverdraws(t *testing.T) {
	env := newTestEnv(t)
	current := env.subscribeBeforeInvoice("starter")
	start := time.Now().UTC()
	paid := paidInvoice{"in_1", "subscription_create", start, env.planPriceID("starter", catalog.Monthly), start, start.AddDate(0, 1, 0), false, 900}
	deliver(t, env, paid.event(env, current, "evt_1", "invoice.paid"))
	var group sync.WaitGroup
	var mu sync.Mutex
	refused := 0
	for i := range 15 {
		group.Go(func() {
			_, err := env.service.Credits.Consume(context.WithoutCancel(t.Context()), env.access,
				billing.Consumption{Amount: 10, IdempotencyKey: fmt.Sprint("key ", i)})
			if apperr.CodeOf(err) == apperr.CodeConflict {
				mu.Lock()
				refused++
				mu.Unlock()
			} else if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if refused != 5 {
		t.Errorf("%d of 15 requests were refused, want 5", refused)
	}
	wantBalance(t, env, 0)
	for range 3 { // a repeated key consumes nothing
		if _, err := env.service.Credits.Consume(t.Context(), env.access, billing.Consumption{Amount: 10, IdempotencyKey: "key 0"}); err != nil && apperr.CodeOf(err) != apperr.CodeConflict {
			t.Fatal(err)
		}
	}
	for _, bad := range []billing.Consumption{{Amount: 0, IdempotencyKey: "x"}, {Amount: -5, IdempotencyKey: "x"}, {Amount: 1}} {
		if _, err := env.service.Credits.Consume(t.Context(), env.access, bad); apperr.CodeOf(err) != apperr.CodeInvalid {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	env.checkLedger()
}

// An invoice that names the organization only in its metadata, and belongs to a customer that is
// not linked to it, is not applied.
func TestInvoiceOfUnlinkedCustomerGrantsNoCredits(t *testing.T) {
	env := newTestEnv(t)
	current := env.subscribeBeforeInvoice("starter")
	current.CustomerID = "cus_other"
	now := time.Now().UTC()
	paid := paidInvoice{"in_foreign", "subscription_cycle", now, env.planPriceID("pro", catalog.Monthly), now, now.AddDate(0, 1, 0), false, 2900}
	payload := bytes.Replace(paid.event(env, current, "evt_foreign", "invoice.paid"), []byte(`"object":"invoice"`),
		[]byte(`"object":"invoice","subscription_details":{"metadata":{"orgId":"`+env.access.Organization.ID+`"}}`), 1)
	deliver(t, env, payload)
	stored, err := env.store.Events().Get(t.Context(), "evt_foreign")
	if err != nil || stored.OrganizationID != env.access.Organization.ID || stored.Outcome != billing.OutcomePending {
		t.Fatalf("event outcome %s, organization %q, %v: want a pending event of the organization", stored.Outcome, stored.OrganizationID, err)
	}
	wantBalance(t, env, 0)
	if got := env.countMails(mail.KindRenewed); got != 0 {
		t.Errorf("%d renewal notices for an unlinked customer, want 0", got)
	}
}
