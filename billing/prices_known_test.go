package billing_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/apperr"
	"usher/billing/catalog"
	"usher/billing/stripegw"
)

// pricesGateway counts the reads of prices by id, and fails every read of prices while down is set.
type pricesGateway struct {
	*stripegw.Gateway
	down atomic.Bool
	byID atomic.Int64
}

func (g *pricesGateway) Prices(ctx context.Context, keys, ids []string) ([]catalog.StripePrice, error) {
	if g.down.Load() {
		return nil, errors.New("rate limited")
	}
	if len(keys) == 0 {
		g.byID.Add(int64(len(ids)))
	}
	return g.Gateway.Prices(ctx, keys, ids)
}

// useReplica replaces the service with a new replica whose reads of prices can fail. It is not
// started.
func (env *testEnv) useReplica(now func() time.Time) *pricesGateway {
	env.t.Helper()
	gateway := &pricesGateway{Gateway: env.gateway()}
	options := env.options(env.store)
	options.Gateway, options.Now = gateway, now
	env.useService(billing.New(options))
	return gateway
}

// raisePro changes the amount of the plan pro at Stripe, as `usher plans push` does.
func (env *testEnv) raisePro() {
	env.t.Helper()
	for _, price := range stripegw.PlanPrices(catalog.BuiltInPlans()) {
		if price.PlanID == "pro" {
			price.Amount.Minor += 1000
		}
		_, _, err := env.gateway().EnsurePrice(env.t.Context(), price)
		env.must(err)
	}
}

func (env *testEnv) paidWithoutCredits() int {
	env.t.Helper()
	missing, err := env.service.PaidWithoutCredits(env.t.Context(), env.access.Organization.ID)
	env.must(err)
	return len(missing)
}

// waitForPaidEvent waits until the one paid invoice's event is stored.
func (env *testEnv) waitForPaidEvent() {
	env.t.Helper()
	if !poll(func() bool {
		return env.queryInt(`select count(*) from stripe_events where type = 'invoice.paid'`) == 1
	}) {
		env.t.Fatal("the payment did not arrive")
	}
}

func (env *testEnv) balanceIs(want int) func() bool {
	return func() bool { return env.overview().Credits.Balance == want }
}

// The price of pro is changed, a replica that was started before receives the payment, and
// afterwards sells at the new price too.
func TestPriceOfAnotherReplicaIsFetched(t *testing.T) {
	env := newTestEnv(t)
	old, formerID := env.service, env.planPriceID("pro", catalog.Yearly)
	env.registerWebhook()
	env.raisePro()
	fresh := env.startService(env.options(env.store))
	session, err := fresh.Checkouts.Start(t.Context(), env.access, billing.CheckoutRequest{PlanID: "pro", Interval: catalog.Yearly})
	env.must(err)
	env.pay(session)
	env.waitForPaidEvent()
	env.processEventsUntil(env.balanceIs(1000))
	if n := env.queryInt(`select count(*) from stripe_events where type = 'invoice.paid' and changes like '%credits follow%'`); n != 1 {
		t.Errorf("%d events say that credits follow, want 1", n)
	}
	if o := env.overview(); o.Plan == nil || o.Plan.ID != "pro" || o.Price.ID != session.PriceID {
		t.Errorf("plan %+v, price %+v", o.Plan, o.Price)
	}
	sold := env.planPriceID("pro", catalog.Yearly)
	if _, former, known := old.Prices.Catalog().ByPrice(formerID); sold != session.PriceID || !known || former.Amount.Minor != 29000 {
		t.Errorf("sells %s, want %s; former price %+v", sold, session.PriceID, former)
	}
}

// Stripe's prices can't be read at a start: subscribers on a former price renew.
func TestStartWithoutStripeKnowsFormerPrices(t *testing.T) {
	env := newTestEnv(t)
	env.useReplica(env.stripe.Now)
	env.must(env.service.Prices.Start(t.Context()))
	env.registerWebhook()
	subscription := env.subscribe("pro")
	env.processEventsUntil(env.balanceIs(1000))
	env.raisePro()
	env.useReplica(env.stripe.Now)
	env.must(env.service.Prices.Start(t.Context()))

	gateway := env.useReplica(env.stripe.Now)
	gateway.down.Store(true)
	if err := env.service.Prices.Start(t.Context()); err == nil {
		t.Fatal("started with unreadable prices")
	}
	if o := env.overview(); o.Plan == nil || o.Plan.ID != "pro" || o.Price.Amount.Minor != 2900 {
		t.Fatalf("plan %+v, price %+v", o.Plan, o.Price)
	}
	_, err := env.service.Credits.Consume(t.Context(), env.access, billing.Consumption{Amount: 990, IdempotencyKey: "k"})
	env.must(err)
	env.stripe.AdvanceClock(subscription.CurrentPeriodEnd.Add(3 * time.Hour))
	env.processEventsUntil(env.balanceIs(1000))
}

// At the first start the account is read, and the prices are not. An invoice is paid meanwhile.
func TestPaymentBeforePricesAreKnownIsCredited(t *testing.T) {
	env := newTestEnv(t)
	session, err := env.service.Checkouts.Start(t.Context(), env.access, billing.CheckoutRequest{PlanID: "pro", Interval: catalog.Monthly})
	env.must(err)
	_, err = env.store.DB().ExecContext(t.Context(), "delete from stripe_prices")
	env.must(err)
	clock := newTestClock()
	gateway := env.useReplica(clock.now)
	gateway.down.Store(true)
	if err := env.service.Prices.Start(t.Context()); err == nil {
		t.Fatal("started with unreadable prices")
	}
	env.registerWebhook()
	env.pay(session)
	waiting := func() bool {
		return env.queryInt(`select count(*) from stripe_events where type = 'invoice.paid' and outcome = 'pending' and error like '%not known yet%'`) == 1
	}
	if !poll(func() bool { env.processDueEvents(); return waiting() }) {
		t.Fatal("the payment does not wait for its price")
	}
	if o := env.overview(); o.Subscription != nil || o.HasAccess { // it may be ours or not
		t.Errorf("subscription %+v", o.Subscription)
	}
	if n := env.paidWithoutCredits(); n != 1 {
		t.Errorf("%d invoices without credits, want 1", n)
	}
	gateway.down.Store(false)
	clock.advance(time.Minute)
	env.processEventsUntil(env.balanceIs(1000))
	if n := env.paidWithoutCredits(); n != 0 {
		t.Errorf("%d invoices without credits, want none", n)
	}
	if o := env.overview(); o.Plan == nil || o.Plan.ID != "pro" || !o.HasAccess {
		t.Errorf("plan %+v, access %v", o.Plan, o.HasAccess)
	}
}

// processDueEvents processes the events that are due now.
func (env *testEnv) processDueEvents() {
	env.t.Helper()
	for {
		worked, err := env.service.ProcessDueEvent(env.t.Context())
		env.must(err)
		if !worked {
			return
		}
	}
}

// A price that can't be read for three days makes the payment a dead letter, and the invoice is
// found.
func TestPaymentWithoutPriceIsADeadLetterAfterThreeDays(t *testing.T) {
	env := newTestEnv(t)
	clock := newTestClock()
	session, err := env.service.Checkouts.Start(t.Context(), env.access, billing.CheckoutRequest{PlanID: "pro", Interval: catalog.Monthly})
	env.must(err)
	_, err = env.store.DB().ExecContext(t.Context(), "delete from stripe_prices")
	env.must(err)
	gateway := env.useReplica(clock.now)
	gateway.down.Store(true)
	if err := env.service.Prices.Start(t.Context()); err == nil {
		t.Fatal("started with unreadable prices")
	}
	env.registerWebhook()
	env.pay(session)
	env.waitForPaidEvent()
	outcome := func() (outcome string) {
		env.must(env.store.DB().GetContext(t.Context(), &outcome, `select outcome from stripe_events where type = 'invoice.paid'`))
		return outcome
	}
	retry := func() {
		clock.advance(75 * time.Minute) // the longest backoff, with its jitter
		env.processDueEvents()
	}
	for range billing.EventAttempts - 1 {
		retry()
	}
	if got := outcome(); got != "pending" {
		t.Errorf("before the last attempt it is %s", got)
	}
	retry()
	if got := outcome(); got != "failed" {
		t.Errorf("after the last attempt it is %s", got)
	}
	if n := env.paidWithoutCredits(); n != 1 {
		t.Errorf("%d invoices without credits, want 1", n)
	}
}

// A foreign price is read once in an hour, by one replica; later its product may be a plan's.
func TestForeignPriceIsRemembered(t *testing.T) {
	env := newTestEnv(t)
	clock := newTestClock()
	gateway := env.useReplica(clock.now)
	env.must(env.service.Prices.Start(t.Context()))
	known := gateway.byID.Load()
	var foreign struct{ ID, Product string }
	env.stripeRequest(http.MethodPost, "/v1/prices", url.Values{
		"currency": {"usd"}, "unit_amount": {"500"}, "recurring[interval]": {"month"}, "product_data[name]": {"Add-on"},
	}, &foreign)
	ids := []string{foreign.ID, "price_gone", env.planPriceID("pro", catalog.Monthly)}
	recognized := func() []catalog.Recognition {
		var all []catalog.Recognition
		for _, id := range ids {
			all = append(all, env.service.Prices.Catalog().Recognize(id))
		}
		return all
	}
	for range 3 {
		env.must(env.service.EnsureKnown(t.Context(), ids))
	}
	if reads := gateway.byID.Load() - known; reads != 2 {
		t.Errorf("%d reads of prices, want one of each", reads)
	}
	if got := recognized(); !slices.Equal(got, []catalog.Recognition{catalog.PriceForeign, catalog.PriceForeign, catalog.PriceOfPlan}) {
		t.Errorf("recognized %v", got)
	}
	// Another replica finds it in the store.
	other := env.useReplica(clock.now)
	env.must(env.service.Prices.Start(t.Context()))
	known = other.byID.Load()
	env.must(env.service.EnsureKnown(t.Context(), []string{foreign.ID}))
	if reads := other.byID.Load() - known; reads != 0 {
		t.Errorf("%d reads of a stored foreign price", reads)
	}
	env.stripeRequest(http.MethodPost, "/v1/products/"+foreign.Product, url.Values{"metadata[usher_plan]": {"pro"}})
	clock.advance(billing.ForeignLifetime + time.Minute)
	env.must(env.service.RefreshPrices(t.Context()))
	if got := recognized()[0]; got != catalog.PriceUnknown {
		t.Errorf("after its lifetime it is %s", got)
	}
	env.must(env.service.EnsureKnown(t.Context(), ids))
	if plan, price, known := env.service.Prices.Catalog().ByPrice(foreign.ID); !known || plan.ID != "pro" || price.Amount.Minor != 500 {
		t.Errorf("plan %s, price %+v", plan.ID, price)
	}
}

// sellPriceID creates a price at Stripe and replaces the service with one, not started, whose plan
// file sells it as Pro, monthly in USD.
func (env *testEnv) sellPriceID(price url.Values) (id string) {
	env.t.Helper()
	var created struct{ ID string }
	price.Set("product_data[name]", "Pro")
	env.stripeRequest(http.MethodPost, "/v1/prices", price, &created)
	options := env.options(env.store)
	var err error
	options.Catalog, err = catalog.ParsePlans("plans.toml", []byte(`
[[plan]]
id = "pro"
name = "Pro"
[[plan.price]]
interval = "month"
amount = 29
price_id = "`+created.ID+`"`))
	env.must(err)
	env.useService(billing.New(options))
	return created.ID
}

// A price id whose price is of another kind than the plan file says is an error at the start, and
// is not offered if that is found out later.
func TestPriceIDOfAnotherKindIsNotOffered(t *testing.T) {
	for name, tc := range map[string]struct {
		price url.Values
		want  string
	}{
		"interval": {url.Values{"currency": {"usd"}, "unit_amount": {"29000"}, "recurring[interval]": {"year"}}, "the interval is year at Stripe, month in the plan file"},
		"currency": {url.Values{"currency": {"eur"}, "unit_amount": {"2900"}, "recurring[interval]": {"month"}}, "the currency is EUR at Stripe, USD in the plan file"},
		"type":     {url.Values{"currency": {"usd"}, "unit_amount": {"2900"}}, "the type is one-time at Stripe, recurring in the plan file"},
	} {
		t.Run(name, func(t *testing.T) {
			env := newTestEnv(t)
			id := env.sellPriceID(tc.price)
			err := env.service.Prices.Start(t.Context())
			var mismatch *billing.MismatchError
			if !errors.As(err, &mismatch) || mismatch.Explicit() == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), id) {
				t.Errorf("start: %v", err)
			}
			_, err = env.service.Checkouts.Start(t.Context(), env.access, billing.CheckoutRequest{PlanID: "pro", Interval: catalog.Monthly})
			if apperr.MessageOf(err) != apperr.MessageInvalidPrice {
				t.Errorf("checkout: %v", err)
			}
			if got := env.service.Prices.Catalog().Recognize(id); got != catalog.PriceOfPlan {
				t.Errorf("its subscribers' price is %s", got)
			}
			backlog, err := env.service.Operations.Backlog(t.Context())
			if err != nil || backlog.PricesNotOffered != 1 {
				t.Errorf("%d prices are not offered, %v", backlog.PricesNotOffered, err)
			}
		})
	}
}

func TestPriceIDThatFitsIsOffered(t *testing.T) {
	env := newTestEnv(t)
	env.sellPriceID(url.Values{"currency": {"usd"}, "unit_amount": {"3100"}, "recurring[interval]": {"month"}})
	env.must(env.service.Prices.Start(t.Context()))
	plan, _ := env.service.Prices.Catalog().Plan("pro")
	if price, _ := plan.Price(catalog.Monthly); price.Amount.Minor != 3100 {
		t.Errorf("price %+v, want Stripe's amount", price)
	}
}
