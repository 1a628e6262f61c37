package stripelocal_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

// priceOf creates a price of an existing product.
func (l *testServer) priceOf(product string, amount int64, interval, taxBehavior string) *stripe.Price {
	l.t.Helper()
	return must[*stripe.Price](l.t)(l.api.Prices.New(&stripe.PriceParams{
		Currency: stripe.String("usd"), UnitAmount: stripe.Int64(amount), Product: stripe.String(product), TaxBehavior: stripe.String(taxBehavior),
		Recurring: &stripe.PriceRecurringParams{Interval: stripe.String(interval)},
	}))
}

// offer replaces the products of the portal's plan switch.
func (p *portal) offer(prices ...*stripe.Price) {
	p.features.SubscriptionUpdate.Products = nil
	for _, price := range prices {
		products := p.features.SubscriptionUpdate.Products
		if n := len(products); n > 0 && *products[n-1].Product == price.Product.ID {
			products[n-1].Prices = append(products[n-1].Prices, stripe.String(price.ID))
			continue
		}
		p.features.SubscriptionUpdate.Products = append(products, &stripe.BillingPortalConfigurationFeaturesSubscriptionUpdateProductParams{
			Product: stripe.String(price.Product.ID), Prices: stripe.StringSlice([]string{price.ID}),
		})
	}
}

func (p *portal) configure() (*stripe.BillingPortalConfiguration, error) {
	return p.api.BillingPortalConfigurations.New(&stripe.BillingPortalConfigurationParams{
		BusinessProfile: &stripe.BillingPortalConfigurationBusinessProfileParams{Headline: stripe.String("Usher")}, Features: p.features,
	})
}

func (p *portal) session(configuration string, change ...func(*stripe.BillingPortalSessionParams)) (*stripe.BillingPortalSession, error) {
	params := &stripe.BillingPortalSessionParams{
		Customer: stripe.String(p.sub.Customer.ID), Configuration: stripe.String(configuration), ReturnURL: stripe.String("http://app.test/back"),
	}
	for _, c := range change {
		c(params)
	}
	return p.api.BillingPortalSessions.New(params)
}

// Two prices of one product with the same interval make a configuration unfit (docs: customer
// management). When it is refused is a setting; a portal that opens nevertheless is never useful.
func TestPortalRefusesTwoPricesOfOneProductAndInterval(t *testing.T) {
	t.Parallel()
	p := newPortal(t, "always_invoice")
	second := p.priceOf(p.bigger.Product.ID, 4000, "month", "exclusive")
	p.offer(p.bigger, second)
	_, err := p.configure()
	if e := wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest); e.Param != "features[subscription_update][products]" {
		t.Errorf("create: param %q: %s", e.Param, e.Msg)
	}
	if err := p.SetPortalRefusal(stripelocal.PortalRefusalSession); err != nil {
		t.Fatal(err)
	}
	config := must[*stripe.BillingPortalConfiguration](t)(p.configure())
	_, err = p.session(config.ID)
	if e := wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest); e.Param != "configuration" {
		t.Errorf("session: param %q: %s", e.Param, e.Msg)
	}
	if err := p.SetPortalRefusal(stripelocal.PortalRefusalPage); err != nil {
		t.Fatal(err)
	}
	opened := must[*stripe.BillingPortalSession](t)(p.session(config.ID))
	for _, path := range []string{"", "/payment-method", "/subscriptions/" + p.sub.ID + "/cancel"} {
		if shown := p.browse("GET", opened.URL+path, nil); shown.status != 422 || !strings.Contains(shown.body, "This portal is not available.") {
			t.Errorf("page %q: %d %s", path, shown.status, shown.body)
		}
	}
	yearly := p.priceOf(p.bigger.Product.ID, 40000, "year", "exclusive")
	p.offer(p.bigger, yearly)
	if err := p.SetPortalRefusal(stripelocal.PortalRefusalCreate); err != nil {
		t.Fatal(err)
	}
	fit := must[*stripe.BillingPortalConfiguration](t)(p.configure())
	if shown := p.browse("GET", must[*stripe.BillingPortalSession](t)(p.session(fit.ID)).URL, nil); shown.status != 200 {
		t.Errorf("one price for each interval: %d %s", shown.status, shown.body)
	}
}

func TestPortalRefusesElevenProducts(t *testing.T) {
	t.Parallel()
	p := newPortal(t, "none")
	var prices []*stripe.Price
	for i := range 11 {
		prices = append(prices, p.createPrice(fmt.Sprint("plan", i), 1000, "month"))
	}
	p.offer(prices...)
	_, err := p.configure()
	if e := wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest); e.Param != "features[subscription_update][products]" {
		t.Errorf("param %q: %s", e.Param, e.Msg)
	}
	p.offer(prices[:10]...)
	must[*stripe.BillingPortalConfiguration](t)(p.configure())
}

// A price can be switched only to one of the same tax_behavior, and not at all while it is
// unspecified (docs: customer management).
func TestPortalSwitchesOnlyBetweenPricesOfOneTaxBehavior(t *testing.T) {
	t.Parallel()
	cases := []struct {
		from, to string
		switches bool
	}{
		{"exclusive", "exclusive", true}, {"exclusive", "inclusive", false}, {"inclusive", "inclusive", true},
		{"exclusive", "unspecified", false}, {"unspecified", "exclusive", false}, {"unspecified", "unspecified", false},
	}
	for _, c := range cases {
		t.Run(c.from+" to "+c.to, func(t *testing.T) {
			p := newPortal(t, "none")
			current := p.priceOf(p.sub.Items.Data[0].Price.Product.ID, 1000, "month", c.from)
			must[*stripe.Subscription](t)(p.updateSubscription(p.sub, func(s *stripe.SubscriptionParams) {
				s.Items[0].Price, s.Items[0].Quantity = stripe.String(current.ID), stripe.Int64(2)
			}))
			other := p.priceOf(p.bigger.Product.ID, 3000, "month", c.to)
			p.offer(other)
			p.features.SubscriptionUpdate.DefaultAllowedUpdates = stripe.StringSlice([]string{"price"})
			config := must[*stripe.BillingPortalConfiguration](t)(p.configure())
			home := must[*stripe.BillingPortalSession](t)(p.session(config.ID)).URL
			p.browse("POST", home+"/subscriptions/"+p.sub.ID+"/confirm", url.Values{"price": {other.ID}})
			if got := p.subscription(p.sub.ID).Items.Data[0].Price.ID; (got == other.ID) != c.switches {
				t.Errorf("the price is %s after the switch, offered %s", got, other.ID)
			}
			if shown := p.browse("GET", home+"/subscriptions/"+p.sub.ID+"/cancel", nil); shown.status != 200 {
				t.Errorf("cancel: %d", shown.status)
			}
		})
	}
}

// unfit is a state of a subscription in which the portal does not update it.
type unfit struct {
	name       string
	make       func(*portal)
	cancelsToo bool // the portal does not cancel it either
}

func unfitSubscriptions() []unfit {
	return []unfit{
		{name: "several products", make: func(p *portal) {
			must[*stripe.SubscriptionItem](p.t)(p.api.SubscriptionItems.New(&stripe.SubscriptionItemParams{Subscription: stripe.String(p.sub.ID), Price: stripe.String(p.createPrice("addon", 500, "month").ID)}))
		}},
		{name: "send_invoice", make: func(p *portal) {
			must[*stripe.Subscription](p.t)(p.api.Subscriptions.Update(p.sub.ID, &stripe.SubscriptionParams{CollectionMethod: stripe.String("send_invoice"), DaysUntilDue: stripe.Int64(30)}))
		}},
		{name: "unspecified tax_behavior", make: func(p *portal) {
			price := p.priceOf(p.bigger.Product.ID, 1000, "month", "unspecified")
			must[*stripe.Subscription](p.t)(p.updateSubscription(p.sub, func(s *stripe.SubscriptionParams) { s.Items[0].Price = stripe.String(price.ID) }))
		}},
		{name: "an update scheduled", cancelsToo: true, make: func(p *portal) { p.schedule(p.bigger.ID) }},
	}
}

// schedule attaches a schedule that changes the price at the period's end.
func (p *portal) schedule(price string) *stripe.SubscriptionSchedule {
	p.t.Helper()
	x := must[*stripe.SubscriptionSchedule](p.t)(p.api.SubscriptionSchedules.New(&stripe.SubscriptionScheduleParams{FromSubscription: stripe.String(p.sub.ID)}))
	return must[*stripe.SubscriptionSchedule](p.t)(p.api.SubscriptionSchedules.Update(x.ID, &stripe.SubscriptionScheduleParams{
		EndBehavior: stripe.String("release"),
		Phases: []*stripe.SubscriptionSchedulePhaseParams{
			{StartDate: stripe.Int64(x.CurrentPhase.StartDate), EndDate: stripe.Int64(x.CurrentPhase.EndDate),
				Items: []*stripe.SubscriptionSchedulePhaseItemParams{{Price: stripe.String(p.sub.Items.Data[0].Price.ID), Quantity: stripe.Int64(2)}}},
			{Items: []*stripe.SubscriptionSchedulePhaseItemParams{{Price: stripe.String(price), Quantity: stripe.Int64(2)}}, ProrationBehavior: stripe.String("none"), Iterations: stripe.Int64(1)},
		},
	}))
}

func updateFlow(sub *stripe.Subscription) func(*stripe.BillingPortalSessionParams) {
	return flow("subscription_update", sub, func(f *stripe.BillingPortalSessionFlowDataParams) {
		f.SubscriptionUpdate = &stripe.BillingPortalSessionFlowDataSubscriptionUpdateParams{Subscription: stripe.String(sub.ID)}
	})
}

func cancelFlow(sub *stripe.Subscription) func(*stripe.BillingPortalSessionParams) {
	return flow("subscription_cancel", sub, func(f *stripe.BillingPortalSessionFlowDataParams) {
		f.SubscriptionCancel = &stripe.BillingPortalSessionFlowDataSubscriptionCancelParams{Subscription: stripe.String(sub.ID)}
	})
}

// Subscriptions with several products, sent invoices, an unspecified tax behavior or a scheduled
// update can only be canceled in the portal, the last not even that (docs: customer management).
func TestPortalDoesNotUpdateUnfitSubscriptions(t *testing.T) {
	t.Parallel()
	for _, c := range unfitSubscriptions() {
		t.Run(c.name, func(t *testing.T) {
			p := newPortal(t, "always_invoice")
			config := must[*stripe.BillingPortalConfiguration](t)(p.configure())
			must[*stripe.BillingPortalSession](t)(p.session(config.ID, updateFlow(p.sub)))
			c.make(p)
			home := must[*stripe.BillingPortalSession](t)(p.session(config.ID)).URL
			shown := p.browse("GET", home, nil)
			if shown.status != 200 || strings.Contains(shown.body, p.sub.ID+"/update") || strings.Contains(shown.body, p.sub.ID+"/cancel") == c.cancelsToo {
				t.Errorf("home: %d %s", shown.status, shown.body)
			}
			for _, step := range []string{"/update", "/confirm?price=" + p.bigger.ID} {
				if no := p.browse("GET", home+"/subscriptions/"+p.sub.ID+step, nil); no.status != 422 {
					t.Errorf("%s: %d", step, no.status)
				}
			}
			p.checkFlows(config.ID, c.cancelsToo)
		})
	}
}

// checkFlows opens the deep links of a subscription that cannot be updated, under every setting.
func (p *portal) checkFlows(config string, cancelsToo bool) {
	p.t.Helper()
	_, err := p.session(config, updateFlow(p.sub))
	if e := wantError(p.t, err, 400, "", stripe.ErrorTypeInvalidRequest); e.Param != "flow_data[subscription_update][subscription]" {
		p.t.Errorf("update: param %q: %s", e.Param, e.Msg)
	}
	_, err = p.session(config, cancelFlow(p.sub))
	if (err != nil) != cancelsToo {
		p.t.Errorf("cancel: %v", err)
	}
	if err := p.SetPortalRefusal(stripelocal.PortalRefusalPage); err != nil {
		p.t.Fatal(err)
	}
	link := must[*stripe.BillingPortalSession](p.t)(p.session(config, updateFlow(p.sub))).URL
	to := p.browse("GET", link, nil)
	if no := p.browse("GET", to.location, nil); no.status != 422 {
		p.t.Errorf("the page of the link: %d", no.status)
	}
}

// A schedule in its last phase has no update ahead (invertase/stripe-firebase-extensions, issue
// 158), so that the portal updates the subscription again.
func TestPortalUpdatesAfterTheScheduledChange(t *testing.T) {
	t.Parallel()
	p := newPortal(t, "none")
	p.schedule(p.bigger.ID)
	p.AdvanceClock(time.Unix(p.sub.CurrentPeriodEnd+1, 0))
	sub := p.subscription(p.sub.ID)
	if sub.Schedule == nil || sub.Items.Data[0].Price.ID != p.bigger.ID {
		t.Fatalf("schedule %v, price %s", sub.Schedule, sub.Items.Data[0].Price.ID)
	}
	if shown := p.browse("GET", p.open(), nil); !strings.Contains(shown.body, sub.ID+"/update") {
		t.Errorf("home: %s", shown.body)
	}
}

// Any change by the customer ends a trial and is paid at once (docs: customer management).
func TestPortalQuantityChangeEndsATrial(t *testing.T) {
	t.Parallel()
	p := newPortal(t, "none")
	cs := p.createCheckoutSession(p.sub.Customer.ID, p.sub.Items.Data[0].Price.ID, 2, func(c *stripe.CheckoutSessionParams) {
		c.SubscriptionData.TrialPeriodDays = stripe.Int64(14)
	})
	p.submitCheckout(cs.URL, "4242424242424242")
	sub := p.subscriptionOfSession(cs.ID)
	step := p.open() + "/subscriptions/" + sub.ID + "/confirm"
	shown := p.browse("GET", step+"?quantity=3", nil)
	if !strings.Contains(shown.body, "Confirm and pay $30.00") {
		t.Errorf("confirm: %d %s", shown.status, shown.body)
	}
	p.browse("POST", step, hidden(shown.body))
	if after := p.subscription(sub.ID); after.Status != "active" || after.LatestInvoice.AmountPaid != 3000 || after.Items.Data[0].Quantity != 3 {
		t.Errorf("%s with %d, paid %d", after.Status, after.Items.Data[0].Quantity, after.LatestInvoice.AmountPaid)
	}
}

func TestPortalRefusalIsASetting(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	for form, want := range map[string]string{
		"portal_refusal=page":                           `"portal_refusal":"page"`,
		"portal_refusal=session&after_dunning=past_due": `"after_dunning":"past_due"`,
		"after_dunning=unpaid":                          `"after_dunning":"unpaid"`,
	} {
		values, _ := url.ParseQuery(form)
		if got := l.browse("POST", "/_usher/settings", values); got.status != http.StatusOK || !strings.Contains(got.body, want) {
			t.Errorf("%s: %d %s", form, got.status, got.body)
		}
	}
	for _, form := range []url.Values{{"portal_refusal": {"never"}}, {"after_dunning": {"?"}}, {}} {
		if got := l.browse("POST", "/_usher/settings", form); got.status != http.StatusBadRequest {
			t.Errorf("%v: %d", form, got.status)
		}
	}
}
