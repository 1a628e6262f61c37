package stripelocal_test

import (
	"testing"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

func TestProductsAndPricesAreUpdatedAndDeleted(t *testing.T) {
	l := start(t, stripelocal.Options{})
	price := l.createPrice("pro", 1000, "month")
	product := price.Product.ID
	changed := must[*stripe.Price](t)(l.api.Prices.Update(price.ID, &stripe.PriceParams{
		Active: stripe.Bool(false), Nickname: stripe.String("old"), LookupKey: stripe.String(""), Metadata: map[string]string{"a": "1"},
	}))
	if changed.Active || changed.Nickname != "old" || changed.LookupKey != "" || changed.Metadata["a"] != "1" {
		t.Errorf("price: %+v", changed)
	}
	_, err := l.api.Products.Del(product, nil)
	wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest)
	bare := must[*stripe.Product](t)(l.api.Products.New(&stripe.ProductParams{ID: stripe.String("plan-pro"), Name: stripe.String("Pro")}))
	_, err = l.api.Products.New(&stripe.ProductParams{ID: stripe.String("plan-pro"), Name: stripe.String("Pro")})
	wantError(t, err, 400, "resource_already_exists", stripe.ErrorTypeInvalidRequest)
	_, err = l.api.Prices.New(&stripe.PriceParams{
		Currency: stripe.String("usd"), UnitAmount: stripe.Int64(5), ProductData: &stripe.PriceProductDataParams{ID: stripe.String("plan-pro"), Name: stripe.String("Again")},
	})
	wantError(t, err, 400, "resource_already_exists", stripe.ErrorTypeInvalidRequest)
	must[*stripe.Product](t)(l.api.Products.Update(bare.ID, &stripe.ProductParams{Active: stripe.Bool(false), Description: stripe.String("gone soon")}))
	if gone := must[*stripe.Product](t)(l.api.Products.Del(bare.ID, nil)); !gone.Deleted {
		t.Error("the product is not deleted")
	}
	_, err = l.api.Products.Get(bare.ID, nil)
	wantError(t, err, 404, "resource_missing", stripe.ErrorTypeInvalidRequest)
}

func TestDefaultPaymentMethodMustBelongToTheCustomer(t *testing.T) {
	l := start(t, stripelocal.Options{})
	settings := func(id string) *stripe.CustomerInvoiceSettingsParams {
		return &stripe.CustomerInvoiceSettingsParams{DefaultPaymentMethod: stripe.String(id)}
	}
	c := must[*stripe.Customer](t)(l.api.Customers.New(&stripe.CustomerParams{
		PaymentMethod: stripe.String("pm_card_visa"), InvoiceSettings: settings("pm_card_visa"),
	}))
	if c.InvoiceSettings.DefaultPaymentMethod == nil || c.InvoiceSettings.DefaultPaymentMethod.ID == "pm_card_visa" {
		t.Errorf("default: %+v", c.InvoiceSettings.DefaultPaymentMethod)
	}
	stranger := must[*stripe.PaymentMethod](t)(l.api.PaymentMethods.Attach("pm_card_visa", &stripe.PaymentMethodAttachParams{Customer: stripe.String(l.createCustomer().ID)}))
	_, err := l.api.Customers.Update(c.ID, &stripe.CustomerParams{InvoiceSettings: settings(stranger.ID)})
	wantError(t, err, 400, "resource_missing", stripe.ErrorTypeInvalidRequest)
	_, err = l.api.Customers.New(&stripe.CustomerParams{InvoiceSettings: settings(stranger.ID)})
	wantError(t, err, 400, "resource_missing", stripe.ErrorTypeInvalidRequest)
	_, err = l.api.Customers.New(&stripe.CustomerParams{PaymentMethod: stripe.String("pm_card_chargeDeclined")})
	wantError(t, err, 402, "card_declined", stripe.ErrorTypeCard)
	must[*stripe.PaymentMethod](t)(l.api.PaymentMethods.Detach(c.InvoiceSettings.DefaultPaymentMethod.ID, nil))
	if c = must[*stripe.Customer](t)(l.api.Customers.Get(c.ID, nil)); c.InvoiceSettings.DefaultPaymentMethod != nil {
		t.Error("a detached card is still the default")
	}
}

func TestSearchFindsByFieldsAndMetadata(t *testing.T) {
	l := start(t, stripelocal.Options{})
	for _, c := range []struct{ email, name, org string }{{"ada@example.com", "Ada L", "org_1"}, {"bob@example.com", "Bob \"B\"", "org_2"}, {"eve@sample.com", "Eve", ""}} {
		p := &stripe.CustomerParams{Email: stripe.String(c.email), Name: stripe.String(c.name)}
		if c.org != "" {
			p.AddMetadata("orgId", c.org)
		}
		must[*stripe.Customer](t)(l.api.Customers.New(p))
	}
	cases := []struct {
		query string
		want  string // names, newest first; "!" is a refusal
	}{
		{`email:"ada@example.com"`, "Ada L,"},
		{`email~"example"`, `Bob "B",Ada L,`},
		{`metadata["orgId"]:"org_2"`, `Bob "B",`},
		{`metadata['orgId']:null`, "Eve,"},
		{`-metadata["orgId"]:null AND email~"example"`, `Bob "B",Ada L,`},
		{`name:"Eve" OR name:"ada l"`, "Eve,Ada L,"},
		{`name:"Bob \"B\""`, `Bob "B",`},
		{`created>0 AND name:"Eve"`, "Eve,"},
		{`created<1`, ""},
		{`name:"a" OR name:"b" AND name:"c"`, "!"},
		{`shoe:"43"`, "!"},
		{`name~"ab"`, "!"},
		{`name`, "!"},
		{`name:"Eve" nonsense`, "!"},
	}
	for _, c := range cases {
		t.Run(c.query, func(t *testing.T) {
			p := &stripe.CustomerSearchParams{}
			p.Query, p.Limit = c.query, stripe.Int64(1)
			got := ""
			it := l.api.Customers.Search(p)
			for it.Next() {
				got += it.Customer().Name + ","
			}
			if c.want == "!" {
				wantError(t, it.Err(), 400, "", stripe.ErrorTypeInvalidRequest)
			} else if it.Err() != nil || got != c.want {
				t.Errorf("%q, %v, want %q", got, it.Err(), c.want)
			}
		})
	}
}

func TestPriceDataCreatesPrices(t *testing.T) {
	l := start(t, stripelocal.Options{})
	monthly := &stripe.CheckoutSessionLineItemPriceDataRecurringParams{Interval: stripe.String("month")}
	cs := l.createCheckoutSession(l.createCustomer().ID, "", 2, func(p *stripe.CheckoutSessionParams) {
		p.LineItems[0].Price = nil
		p.LineItems[0].PriceData = &stripe.CheckoutSessionLineItemPriceDataParams{
			Currency: stripe.String("usd"), UnitAmount: stripe.Int64(700), Recurring: monthly,
			ProductData: &stripe.CheckoutSessionLineItemPriceDataProductDataParams{Name: stripe.String("Made up")},
		}
	})
	if cs.AmountTotal != 1400 {
		t.Errorf("total %d", cs.AmountTotal)
	}
	l.submitCheckout(cs.URL, "4242424242424242")
	sub := l.subscriptionOfSession(cs.ID)
	price := sub.Items.Data[0].Price
	if sub.Status != "active" || price.UnitAmount != 700 || price.Active {
		t.Errorf("%s at %d, active %v", sub.Status, price.UnitAmount, price.Active)
	}
	changed := must[*stripe.Subscription](t)(l.api.Subscriptions.Update(sub.ID, &stripe.SubscriptionParams{Items: []*stripe.SubscriptionItemsParams{{
		ID: stripe.String(sub.Items.Data[0].ID), Quantity: stripe.Int64(3),
		PriceData: &stripe.SubscriptionItemPriceDataParams{
			Currency: stripe.String("usd"), Product: stripe.String(price.Product.ID), UnitAmount: stripe.Int64(900),
			Recurring: &stripe.SubscriptionItemPriceDataRecurringParams{Interval: stripe.String("month")},
		},
	}}}))
	if i := changed.Items.Data[0]; i.Price.UnitAmount != 900 || i.Quantity != 3 {
		t.Errorf("changed to %d x %d", i.Quantity, i.Price.UnitAmount)
	}
	_, err := l.api.CheckoutSessions.New(&stripe.CheckoutSessionParams{
		Mode: stripe.String("payment"), SuccessURL: stripe.String("http://app.test/"),
		LineItems: []*stripe.CheckoutSessionLineItemParams{{Quantity: stripe.Int64(1), PriceData: &stripe.CheckoutSessionLineItemPriceDataParams{Currency: stripe.String("usd"), UnitAmount: stripe.Int64(5)}}},
	})
	wantError(t, err, 400, "parameter_missing", stripe.ErrorTypeInvalidRequest)
}
