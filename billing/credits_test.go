package billing_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/apperr"
	"usher/billing/catalog"
	"usher/billing/mail"
)

// deliver sends an event as a webhook would.
func deliver(t *testing.T, s *stage, payload []byte) {
	t.Helper()
	if err := s.service.Inbox.Receive(t.Context(), payload, signatureOf(payload)); err != nil {
		t.Fatalf("%v: %s", err, payload)
	}
}

// paidInvoice is an event that tells of a paid invoice.
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

func (p paidInvoice) event(s *stage, current billing.Subscription, eventID, kind string) []byte {
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
		s.t.Fatal(err)
	}
	return payload
}

func wantBalance(t *testing.T, s *stage, want int) {
	t.Helper()
	if got := s.overview().Credits.Balance; got != want {
		t.Fatalf("balance %d, want %d: %s", got, want, s.ledger())
	}
}

// ledger writes the entries, oldest first, and checks that they add up to the balance.
func (s *stage) ledger() string {
	s.t.Helper()
	entries, err := s.service.Credits.Entries(s.t.Context(), s.access)
	if err != nil {
		s.t.Fatal(err)
	}
	var lines []string
	sum := 0
	for i := len(entries) - 1; i >= 0; i-- {
		sum += entries[i].Amount
		lines = append(lines, fmt.Sprintf("%s %+d = %d (%s)", entries[i].Kind, entries[i].Amount, entries[i].Balance, entries[i].Source))
		if entries[i].Balance != sum {
			s.t.Errorf("the ledger says %d where its lines add up to %d", entries[i].Balance, sum)
		}
	}
	if balance := s.overview().Credits.Balance; balance != sum {
		s.t.Errorf("the balance is %d, the ledger's sum %d", balance, sum)
	}
	return strings.Join(lines, "; ")
}

// planPrice is the id a plan's price has at Stripe.
func (s *stage) planPrice(id string, interval catalog.Interval) string {
	plan, _ := s.service.Prices.Catalog().Plan(id)
	price, _ := plan.Price(interval)
	return price.ID
}

func TestCheckoutGrantsCreditsOnce(t *testing.T) {
	s := openStage(t)
	s.stripe.EnsureWebhookEndpoint(s.webhook(), stageSecret)
	s.work(s.service)
	s.subscribe("pro")
	var invoices []billing.Invoice
	s.until("the paid invoice", func(o billing.Overview) bool {
		invoices, _ = s.service.Invoices.List(t.Context(), s.access)
		return o.Credits.Balance == 1000 && len(invoices) == 1 && invoices[0].Status == billing.InvoicePaid
	})
	if invoices[0].Total != 2900 || invoices[0].Number == "" || invoices[0].PaidAt == nil {
		t.Errorf("invoice: %+v", invoices[0])
	}
	if credits := s.overview().Credits; credits.Granted != 1000 || credits.ResetsAt == nil {
		t.Errorf("credits: %+v", credits)
	}
	s.ledger()
}

func TestCreditRules(t *testing.T) {
	s := openStage(t)
	current := s.subscribe("starter")
	starter, pro := s.planPrice("starter", catalog.Monthly), s.planPrice("pro", catalog.Monthly)
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
		{"the first payment grants", january, 100},
		{"the same payment again does nothing", january, 100},
		{"a seat proration does nothing", seats, 100},
		{"an upgrade grants the difference", upgrade, 1000},
		{"the same upgrade again does nothing", upgrade, 1000},
		{"a renewal resets", february, 1000},
		{"a late older payment lifts nothing", paidInvoice{"in_old", "subscription_cycle", month(3), starter, month(1).AddDate(0, -1, 0), month(1), false, 900}, 1000},
	}
	for i, step := range steps {
		deliver(t, s, step.invoice.event(s, current, fmt.Sprintf("evt_%d", i), "invoice.paid"))
		if got := s.overview().Credits.Balance; got != step.want {
			t.Fatalf("%s: balance %d, want %d: %s", step.name, got, step.want, s.ledger())
		}
	}
	balance, err := s.service.Credits.Consume(t.Context(), s.access, billing.Consumption{Amount: 360, Reason: "reports", IdempotencyKey: "k1"})
	if err != nil || balance != 640 {
		t.Fatalf("consume: %d, %v", balance, err)
	}
	march := paidInvoice{"in_mar", "subscription_cycle", month(3), pro, month(3), month(4), false, 2900}
	deliver(t, s, march.event(s, current, "evt_mar", "invoice.payment_succeeded"))
	wantBalance(t, s, 1000)
	s.ledger()
}

func TestCreditsAreTheSameInEveryOrder(t *testing.T) {
	month := func(n int) time.Time { return time.Date(2027, time.Month(n), 1, 12, 0, 0, 0, time.UTC) }
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			s := openStage(t)
			current := s.subscribe("starter")
			price := s.planPrice("starter", catalog.Monthly)
			var events [][]byte
			for n := 1; n <= 5; n++ {
				invoice := paidInvoice{fmt.Sprint("in_", n), "subscription_cycle", month(n), price, month(n), month(n + 1), false, 900}
				for twin, kind := range []string{"invoice.paid", "invoice.payment_succeeded"} {
					events = append(events, invoice.event(s, current, fmt.Sprintf("evt_%d_%d", n, twin), kind))
				}
			}
			events = append(events, events...)
			random := rand.New(rand.NewPCG(seed, 1))
			random.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
			for _, event := range events {
				deliver(t, s, event)
			}
			wantBalance(t, s, 100)
			s.ledger()
		})
	}
}

func TestYearlyPlansGrantMonthByMonth(t *testing.T) {
	s := openStage(t)
	current := s.subscribe("pro")
	start := time.Now().UTC().AddDate(0, -2, -3).Truncate(time.Second)
	year := paidInvoice{"in_year", "subscription_create", start, s.planPrice("pro", catalog.Yearly), start, start.AddDate(1, 0, 0), false, 29000}
	deliver(t, s, year.event(s, current, "evt_year", "invoice.paid"))
	wantBalance(t, s, 1000)
	if _, err := s.service.Credits.Consume(t.Context(), s.access, billing.Consumption{Amount: 700, IdempotencyKey: "k"}); err != nil {
		t.Fatal(err)
	}
	s.work(s.service) // two months are due
	s.until("the months that are due", func(o billing.Overview) bool { return o.Credits.Balance == 1000 })
	if resets := s.overview().Credits.ResetsAt; resets == nil || !resets.After(time.Now()) {
		s.until("the next month to lie ahead", func(o billing.Overview) bool { return o.Credits.ResetsAt.After(time.Now()) })
	}
	s.ledger()
}

func TestCreditsEndWithTheSubscription(t *testing.T) {
	s := openStage(t)
	current := s.subscribe("starter")
	start := time.Now().UTC()
	paid := paidInvoice{"in_1", "subscription_create", start, s.planPrice("starter", catalog.Monthly), start, start.AddDate(0, 1, 0), false, 900}
	deliver(t, s, paid.event(s, current, "evt_1", "invoice.paid"))
	wantBalance(t, s, 100)
	s.cancelAtStripe(current)
	if err := s.service.Subscriptions.Refresh(t.Context(), s.access); err != nil {
		t.Fatal(err)
	}
	wantBalance(t, s, 0)
	deliver(t, s, paid.event(s, current, "evt_2", "invoice.payment_succeeded"))
	late := paid
	late.id = "in_2"
	deliver(t, s, late.event(s, current, "evt_3", "invoice.paid"))
	wantBalance(t, s, 0)
	s.ledger()
}

func TestConsumptionNeverOverdraws(t *testing.T) {
	s := openStage(t)
	current := s.subscribe("starter")
	start := time.Now().UTC()
	paid := paidInvoice{"in_1", "subscription_create", start, s.planPrice("starter", catalog.Monthly), start, start.AddDate(0, 1, 0), false, 900}
	deliver(t, s, paid.event(s, current, "evt_1", "invoice.paid"))
	var group sync.WaitGroup
	var mu sync.Mutex
	refused := 0
	for i := range 15 {
		group.Go(func() {
			_, err := s.service.Credits.Consume(context.WithoutCancel(t.Context()), s.access,
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
		t.Errorf("%d of 15 were refused, want 5", refused)
	}
	wantBalance(t, s, 0)
	for range 3 { // the same key once more is no new taking
		if _, err := s.service.Credits.Consume(t.Context(), s.access, billing.Consumption{Amount: 10, IdempotencyKey: "key 0"}); err != nil && apperr.CodeOf(err) != apperr.CodeConflict {
			t.Fatal(err)
		}
	}
	for _, bad := range []billing.Consumption{{Amount: 0, IdempotencyKey: "x"}, {Amount: -5, IdempotencyKey: "x"}, {Amount: 1}} {
		if _, err := s.service.Credits.Consume(t.Context(), s.access, bad); apperr.CodeOf(err) != apperr.CodeInvalid {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	s.ledger()
}

// An invoice that names the organization in its metadata alone, of a customer that is not its own, is no fact about it.
func TestInvoiceOfAnUnlinkedCustomerGrantsNothing(t *testing.T) {
	s := openStage(t)
	current := s.subscribe("starter")
	current.CustomerID = "cus_stranger"
	now := time.Now().UTC()
	paid := paidInvoice{"in_foreign", "subscription_cycle", now, s.planPrice("pro", catalog.Monthly), now, now.AddDate(0, 1, 0), false, 2900}
	payload := bytes.Replace(paid.event(s, current, "evt_foreign", "invoice.paid"), []byte(`"object":"invoice"`),
		[]byte(`"object":"invoice","subscription_details":{"metadata":{"orgId":"`+s.access.Organization.ID+`"}}`), 1)
	deliver(t, s, payload)
	stored, err := s.store.Events().Get(t.Context(), "evt_foreign")
	if err != nil || stored.OrganizationID != s.access.Organization.ID || stored.Outcome != billing.OutcomePending {
		t.Fatalf("the event is %s of %q, %v: the test would show nothing", stored.Outcome, stored.OrganizationID, err)
	}
	wantBalance(t, s, 0)
	if got := s.kept(mail.KindRenewed); got != 0 {
		t.Errorf("a stranger's renewal is told %d times", got)
	}
}

// cancelAtStripe ends a subscription at once, as somebody would in the dashboard.
func (s *stage) cancelAtStripe(current billing.Subscription) {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodDelete, s.origin+"/v1/subscriptions/"+current.ID, strings.NewReader(url.Values{}.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	request.SetBasicAuth("sk_test_dashboard123", "")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		s.t.Fatalf("canceling answered %d", answer.StatusCode)
	}
}
