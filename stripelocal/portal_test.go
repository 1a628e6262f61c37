package stripelocal_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

// portal is a customer with a plan and a portal configuration.
type portal struct {
	*testServer
	sub      *stripe.Subscription
	bigger   *stripe.Price
	yearly   *stripe.Price
	features *stripe.BillingPortalConfigurationFeaturesParams
}

func newPortal(t *testing.T, proration string) *portal {
	t.Helper()
	l := start(t, stripelocal.Options{})
	p := &portal{testServer: l, sub: l.createSubscription(2)}
	p.bigger, p.yearly = l.createPrice("bigger", 3000, "month"), l.createPrice("yearly", 9000, "year")
	on := &stripe.BillingPortalConfigurationFeaturesInvoiceHistoryParams{Enabled: stripe.Bool(true)}
	p.features = &stripe.BillingPortalConfigurationFeaturesParams{
		InvoiceHistory:      on,
		PaymentMethodUpdate: &stripe.BillingPortalConfigurationFeaturesPaymentMethodUpdateParams{Enabled: stripe.Bool(true)},
		CustomerUpdate: &stripe.BillingPortalConfigurationFeaturesCustomerUpdateParams{
			Enabled: stripe.Bool(true), AllowedUpdates: stripe.StringSlice([]string{"email", "name", "address", "tax_id"}),
		},
		SubscriptionCancel: &stripe.BillingPortalConfigurationFeaturesSubscriptionCancelParams{Enabled: stripe.Bool(true)},
		SubscriptionUpdate: &stripe.BillingPortalConfigurationFeaturesSubscriptionUpdateParams{
			Enabled: stripe.Bool(true), DefaultAllowedUpdates: stripe.StringSlice([]string{"price", "quantity", "promotion_code"}),
			ProrationBehavior: stripe.String(proration),
			Products: []*stripe.BillingPortalConfigurationFeaturesSubscriptionUpdateProductParams{
				{Product: stripe.String(p.bigger.Product.ID), Prices: stripe.StringSlice([]string{p.bigger.ID})},
				{Product: stripe.String(p.yearly.Product.ID), Prices: stripe.StringSlice([]string{p.yearly.ID})},
			},
		},
	}
	return p
}

// open returns the URL of a new portal session.
func (p *portal) open(change ...func(*stripe.BillingPortalSessionParams)) string {
	p.t.Helper()
	config := must[*stripe.BillingPortalConfiguration](p.t)(p.api.BillingPortalConfigurations.New(&stripe.BillingPortalConfigurationParams{
		BusinessProfile: &stripe.BillingPortalConfigurationBusinessProfileParams{Headline: stripe.String("Usher")}, Features: p.features,
	}))
	params := &stripe.BillingPortalSessionParams{
		Customer: stripe.String(p.sub.Customer.ID), Configuration: stripe.String(config.ID), ReturnURL: stripe.String("http://app.test/back"),
	}
	for _, c := range change {
		c(params)
	}
	return must[*stripe.BillingPortalSession](p.t)(p.api.BillingPortalSessions.New(params)).URL
}

var hiddenInput = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)">`)

// hidden returns the hidden fields of a page.
func hidden(body string) url.Values {
	form := url.Values{}
	for _, m := range hiddenInput.FindAllStringSubmatch(body, -1) {
		form.Set(m[1], m[2])
	}
	return form
}

func TestPortalSwitchesThePlanForTheAmountShown(t *testing.T) {
	t.Parallel()
	p := newPortal(t, "always_invoice")
	p.time.Add((p.sub.CurrentPeriodEnd - p.sub.CurrentPeriodStart) / 2)
	home := p.open()
	choose := p.browse("GET", home+"/subscriptions/"+p.sub.ID+"/update", nil)
	for _, want := range []string{"$30.00 every month", "current plan", `name="quantity"`, "http://app.test/back"} {
		if !strings.Contains(choose.body, want) {
			t.Errorf("%q is not on the page:\n%s", want, choose.body)
		}
	}
	confirm := p.browse("GET", home+"/subscriptions/"+p.sub.ID+"/confirm?price="+p.bigger.ID+"&quantity=3", nil)
	// Half a period: a credit of 2 x $10 is $10.00, a charge of 3 x $30 is $45.00.
	if !strings.Contains(confirm.body, "Confirm and pay $35.00") || !strings.Contains(confirm.body, "$90.00 every month") {
		t.Fatalf("confirm: %d %s", confirm.status, confirm.body)
	}
	p.time.Add(1000) // the previewed amount stays valid
	done := p.browse("POST", home+"/subscriptions/"+p.sub.ID+"/confirm", hidden(confirm.body))
	if done.status != 303 {
		t.Fatalf("confirming: %d %s", done.status, done.body)
	}
	sub := p.subscription(p.sub.ID)
	if item := sub.Items.Data[0]; item.Price.ID != p.bigger.ID || item.Quantity != 3 || sub.LatestInvoice.AmountPaid != 3500 {
		t.Errorf("%d of %s, paid %d", item.Quantity, item.Price.ID, sub.LatestInvoice.AmountPaid)
	}
	if after := p.browse("GET", p.url+done.location[strings.Index(done.location, "/p/"):], nil); !strings.Contains(after.body, "Your plan is updated.") {
		t.Errorf("home: %s", after.body)
	}
}

func TestPortalFollowsItsConfiguration(t *testing.T) {
	t.Parallel()
	p := newPortal(t, "none")
	foreign := p.createPrice("foreign", 1, "month")
	p.features.SubscriptionUpdate.DefaultAllowedUpdates = stripe.StringSlice([]string{"price"})
	p.features.PaymentMethodUpdate.Enabled = stripe.Bool(false)
	p.features.CustomerUpdate = nil
	home := p.open()
	steps := home + "/subscriptions/" + p.sub.ID
	if choose := p.browse("GET", steps+"/update", nil); strings.Contains(choose.body, `name="quantity"`) || strings.Contains(choose.body, foreign.ID) {
		t.Errorf("offers more than it may: %s", choose.body)
	}
	if no := p.browse("POST", steps+"/confirm", url.Values{"price": {foreign.ID}}); no.status != 422 || p.subscription(p.sub.ID).Items.Data[0].Price.ID == foreign.ID {
		t.Errorf("a price that is not listed: %d", no.status)
	}
	p.browse("POST", steps+"/confirm", url.Values{"price": {p.bigger.ID}, "quantity": {"50"}})
	if item := p.subscription(p.sub.ID).Items.Data[0]; item.Quantity != 2 || item.Price.ID != p.bigger.ID {
		t.Errorf("the quantity became %d at %s", item.Quantity, item.Price.ID)
	}
	for _, path := range []string{"/payment-method", "/details"} {
		if no := p.browse("GET", home+path, nil); no.status != 422 {
			t.Errorf("%s: %d", path, no.status)
		}
	}
	if gone := p.browse("GET", home+"/subscriptions/sub_other/cancel", nil); gone.status != 422 {
		t.Errorf("a stranger's subscription: %d", gone.status)
	}
}

func TestPortalConfirmsCancellation(t *testing.T) {
	t.Parallel()
	p := newPortal(t, "none")
	p.features.SubscriptionCancel.CancellationReason = &stripe.BillingPortalConfigurationFeaturesSubscriptionCancelCancellationReasonParams{
		Enabled: stripe.Bool(true), Options: stripe.StringSlice([]string{"too_expensive", "other"}),
	}
	home := p.open()
	if shown := p.browse("GET", home, nil); strings.Contains(shown.body, `value="cancel"`) || !strings.Contains(shown.body, "/cancel\"") {
		t.Errorf("the first page cancels by itself: %s", shown.body)
	}
	path := home + "/subscriptions/" + p.sub.ID + "/cancel"
	confirmation := p.browse("GET", path, nil)
	if strings.Count(confirmation.body, `name="action" value="cancel"`) != 1 || !strings.Contains(confirmation.body, "http://app.test/back") || !strings.Contains(confirmation.body, "too_expensive") || strings.Contains(confirmation.body, "unused") {
		t.Errorf("confirmation: %s", confirmation.body)
	}
	p.browse("POST", path, url.Values{"action": {"cancel"}, "feedback": {"too_expensive"}, "comment": {"Too much"}})
	sub := p.subscription(p.sub.ID)
	if !sub.CancelAtPeriodEnd || sub.CancellationDetails.Feedback != "too_expensive" || sub.CancellationDetails.Comment != "Too much" {
		t.Errorf("canceled %v, %+v", sub.CancelAtPeriodEnd, sub.CancellationDetails)
	}
}

func TestPortalCancelsImmediately(t *testing.T) {
	t.Parallel()
	p := newPortal(t, "none")
	p.features.SubscriptionCancel.Mode = stripe.String("immediately")
	p.features.SubscriptionCancel.ProrationBehavior = stripe.String("always_invoice")
	p.time.Add((p.sub.CurrentPeriodEnd - p.sub.CurrentPeriodStart) / 2)
	p.browse("POST", p.open()+"/subscriptions/"+p.sub.ID+"/cancel", url.Values{"action": {"cancel"}})
	if sub := p.subscription(p.sub.ID); sub.Status != "canceled" || sub.LatestInvoice.Total != -1000 {
		t.Errorf("%s, last invoice over %d", sub.Status, sub.LatestInvoice.Total)
	}
}

func card(number string) url.Values {
	return url.Values{"cardNumber": {number}, "cardExpiry": {"11/41"}, "cardCvc": {"123"}, "billingName": {"Ada L"}}
}

func TestPortalCard(t *testing.T) {
	t.Parallel()
	p := newPortal(t, "none")
	path := p.open() + "/payment-method"
	if bad := p.browse("POST", path, card("4242")); bad.status != 422 || !strings.Contains(bad.body, `id="cardNumber-error"`) || !strings.Contains(bad.body, `value="11/41"`) {
		t.Errorf("bad number: %d %s", bad.status, bad.body)
	}
	if no := p.browse("POST", path, card("4000000000000002")); no.status != 422 || !strings.Contains(no.body, "Your card was declined.") {
		t.Errorf("declined: %d %s", no.status, no.body)
	}
	if done := p.browse("POST", path, card("5555555555554444")); done.status != 303 {
		t.Fatalf("saving: %d %s", done.status, done.body)
	}
	sub := p.subscription(p.sub.ID)
	pm := must[*stripe.PaymentMethod](t)(p.api.PaymentMethods.Get(sub.DefaultPaymentMethod.ID, nil))
	c := must[*stripe.Customer](t)(p.api.Customers.Get(p.sub.Customer.ID, nil))
	if pm.Card.Last4 != "4444" || c.InvoiceSettings.DefaultPaymentMethod.ID != pm.ID || pm.Customer.ID != c.ID {
		t.Errorf("card %s, default %s", pm.Card.Last4, c.InvoiceSettings.DefaultPaymentMethod.ID)
	}
	redirect := p.browse("POST", path, card("4000002500003155"))
	if !strings.HasPrefix(redirect.location, "/c/authenticate/") {
		t.Fatalf("a card that requires authentication redirected to %q", redirect.location)
	}
	if back := p.browse("POST", redirect.location, url.Values{"fail": {"1"}}); !strings.Contains(back.location, "/payment-method?failed=1") {
		t.Errorf("failing led to %q", back.location)
	}
	again := p.browse("POST", path, card("4000002500003155"))
	p.browse("POST", again.location, url.Values{"complete": {"1"}})
	if c := must[*stripe.Customer](t)(p.api.Customers.Get(c.ID, nil)); c.InvoiceSettings.DefaultPaymentMethod.ID == pm.ID {
		t.Error("the authenticated card is not the default")
	}
	if kept := p.browse("POST", strings.TrimSuffix(path, "/payment-method"), url.Values{"action": {"remove"}, "method": {pm.ID}}); kept.status != 303 {
		t.Errorf("removing the old one: %d %s", kept.status, kept.body)
	}
	if gone := must[*stripe.PaymentMethod](t)(p.api.PaymentMethods.Get(pm.ID, nil)); gone.Customer != nil {
		t.Error("the removed card is still attached")
	}
}

func TestPortalDetails(t *testing.T) {
	t.Parallel()
	p := newPortal(t, "none")
	path := p.open() + "/details"
	bad := p.browse("POST", path, url.Values{"email": {"nobody"}, "name": {"Countess"}, "country": {"GBR"}, "taxId": {"?"}})
	for _, want := range []string{`id="email-error"`, `id="country-error"`, `id="taxId-error"`, `value="Countess"`} {
		if bad.status != 422 || !strings.Contains(bad.body, want) {
			t.Errorf("%q is not on the page (%d)", want, bad.status)
		}
	}
	if done := p.browse("POST", path, url.Values{"email": {"new@example.com"}, "name": {"Countess"}, "line1": {"1 High St"}, "city": {"Bath"}, "country": {"de"}, "taxId": {"DE123456789"}}); done.status != 303 {
		t.Fatalf("saving: %d %s", done.status, done.body)
	}
	c := must[*stripe.Customer](t)(p.api.Customers.Get(p.sub.Customer.ID, nil))
	if c.Email != "new@example.com" || c.Name != "Countess" || c.Address == nil || c.Address.Country != "DE" || c.Address.City != "Bath" {
		t.Errorf("%s %s %+v", c.Email, c.Name, c.Address)
	}
	it := p.api.TaxIDs.List(&stripe.TaxIDListParams{Customer: stripe.String(c.ID)})
	if !it.Next() || it.TaxID().Value != "DE123456789" || it.TaxID().Type != "eu_vat" || it.TaxID().Country != "DE" {
		t.Errorf("tax id %+v %v", it.TaxID(), it.Err())
	}
}

func flow(kind string, sub *stripe.Subscription, fill func(*stripe.BillingPortalSessionFlowDataParams)) func(*stripe.BillingPortalSessionParams) {
	return func(p *stripe.BillingPortalSessionParams) {
		p.FlowData = &stripe.BillingPortalSessionFlowDataParams{
			Type: stripe.String(kind),
			AfterCompletion: &stripe.BillingPortalSessionFlowDataAfterCompletionParams{
				Type:     stripe.String("redirect"),
				Redirect: &stripe.BillingPortalSessionFlowDataAfterCompletionRedirectParams{ReturnURL: stripe.String("http://app.test/done")},
			},
		}
		if fill != nil {
			fill(p.FlowData)
		}
	}
}

func TestDeepLinks(t *testing.T) {
	t.Parallel()
	cases := []struct {
		kind string
		fill func(*portal) func(*stripe.BillingPortalSessionFlowDataParams)
		path string
		form func(*portal, string) url.Values
		done func(*portal) bool
	}{
		{"payment_method_update", nil, "/payment-method", func(*portal, string) url.Values { return card("5555555555554444") },
			func(p *portal) bool {
				return p.subscription(p.sub.ID).DefaultPaymentMethod.ID != p.sub.DefaultPaymentMethod.ID
			}},
		{"subscription_cancel", func(p *portal) func(*stripe.BillingPortalSessionFlowDataParams) {
			return func(f *stripe.BillingPortalSessionFlowDataParams) {
				f.SubscriptionCancel = &stripe.BillingPortalSessionFlowDataSubscriptionCancelParams{Subscription: stripe.String(p.sub.ID)}
			}
		}, "/cancel", func(*portal, string) url.Values { return url.Values{"action": {"cancel"}} },
			func(p *portal) bool { return p.subscription(p.sub.ID).CancelAtPeriodEnd }},
		{"subscription_update", func(p *portal) func(*stripe.BillingPortalSessionFlowDataParams) {
			return func(f *stripe.BillingPortalSessionFlowDataParams) {
				f.SubscriptionUpdate = &stripe.BillingPortalSessionFlowDataSubscriptionUpdateParams{Subscription: stripe.String(p.sub.ID)}
			}
		}, "/update", func(p *portal, _ string) url.Values { return url.Values{"price": {p.bigger.ID}} },
			func(p *portal) bool { return p.subscription(p.sub.ID).Items.Data[0].Price.ID == p.bigger.ID }},
		{"subscription_update_confirm", func(p *portal) func(*stripe.BillingPortalSessionFlowDataParams) {
			return func(f *stripe.BillingPortalSessionFlowDataParams) {
				f.SubscriptionUpdateConfirm = &stripe.BillingPortalSessionFlowDataSubscriptionUpdateConfirmParams{
					Subscription: stripe.String(p.sub.ID),
					Items: []*stripe.BillingPortalSessionFlowDataSubscriptionUpdateConfirmItemParams{
						{ID: stripe.String(p.sub.Items.Data[0].ID), Price: stripe.String(p.bigger.ID), Quantity: stripe.Int64(7)},
					},
				}
			}
		}, "/confirm", func(_ *portal, body string) url.Values { return hidden(body) },
			func(p *portal) bool {
				item := p.subscription(p.sub.ID).Items.Data[0]
				return item.Price.ID == p.bigger.ID && item.Quantity == 7
			}},
	}
	for _, c := range cases {
		t.Run(c.kind, func(t *testing.T) {
			p := newPortal(t, "none")
			var fill func(*stripe.BillingPortalSessionFlowDataParams)
			if c.fill != nil {
				fill = c.fill(p)
			}
			address := p.open(flow(c.kind, p.sub, fill))
			to := p.browse("GET", address, nil)
			if to.status != 303 || !strings.HasSuffix(to.location, c.path) {
				t.Fatalf("the link leads to %d %q", to.status, to.location)
			}
			shown := p.browse("GET", to.location, nil)
			if shown.status != 200 || !strings.Contains(shown.body, "http://app.test/back") || strings.Contains(shown.body, "Back to your billing") {
				t.Errorf("page: %d %s", shown.status, shown.body)
			}
			target := strings.TrimSuffix(to.location, "/update")
			if target != to.location {
				target += "/confirm"
			}
			if done := p.browse("POST", target, c.form(p, shown.body)); done.location != "http://app.test/done" || !c.done(p) {
				t.Errorf("done led to %d %q, and it is done: %v\n%s", done.status, done.location, c.done(p), done.body)
			}
			if after := p.browse("GET", address, nil); after.status != 200 {
				t.Errorf("the link afterwards: %d %q", after.status, after.location)
			}
		})
	}
}

func TestDeepLinksAreChecked(t *testing.T) {
	t.Parallel()
	p := newPortal(t, "none")
	foreign := p.createPrice("foreign", 1, "month")
	config := must[*stripe.BillingPortalConfiguration](t)(p.api.BillingPortalConfigurations.New(&stripe.BillingPortalConfigurationParams{
		BusinessProfile: &stripe.BillingPortalConfigurationBusinessProfileParams{Headline: stripe.String("Usher")}, Features: p.features,
	}))
	for name, item := range map[string]stripe.BillingPortalSessionFlowDataSubscriptionUpdateConfirmItemParams{
		"a price not listed": {ID: stripe.String(p.sub.Items.Data[0].ID), Price: stripe.String(foreign.ID)},
		"a foreign item":     {ID: stripe.String("si_other"), Price: stripe.String(p.bigger.ID)},
		"no seats":           {ID: stripe.String(p.sub.Items.Data[0].ID), Price: stripe.String(p.bigger.ID), Quantity: stripe.Int64(0)},
	} {
		params := &stripe.BillingPortalSessionParams{Customer: stripe.String(p.sub.Customer.ID), Configuration: stripe.String(config.ID)}
		flow("subscription_update_confirm", p.sub, func(f *stripe.BillingPortalSessionFlowDataParams) {
			f.SubscriptionUpdateConfirm = &stripe.BillingPortalSessionFlowDataSubscriptionUpdateConfirmParams{
				Subscription: stripe.String(p.sub.ID), Items: []*stripe.BillingPortalSessionFlowDataSubscriptionUpdateConfirmItemParams{&item},
			}
		})(params)
		if _, err := p.api.BillingPortalSessions.New(params); err == nil {
			t.Errorf("%s passes", name)
		}
	}
}

func TestCrossOriginPostsAreRejected(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	for site, want := range map[string]int{"cross-site": 403, "same-origin": 200} {
		req, _ := http.NewRequest("POST", l.url+"/_usher/faults", strings.NewReader("kind=slow"))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", site)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%s: %d, want %d", site, res.StatusCode, want)
		}
	}
}
