package stripelocal_test

import (
	"testing"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

func TestTaxAndPaymentMethodTypesAreReturnedAsSent(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	k := l.createOnTestClock("pm_card_visa")
	sub := k.subscribe(l.createPriceIn("usd", 1000, "month"), 2, func(p *stripe.SubscriptionParams) {
		p.AutomaticTax = &stripe.SubscriptionAutomaticTaxParams{Enabled: stripe.Bool(true)}
		p.PaymentSettings = &stripe.SubscriptionPaymentSettingsParams{PaymentMethodTypes: stripe.StringSlice([]string{"card"})}
	})
	if !sub.AutomaticTax.Enabled || len(sub.PaymentSettings.PaymentMethodTypes) != 1 {
		t.Errorf("subscription: tax %t, %v", sub.AutomaticTax.Enabled, sub.PaymentSettings.PaymentMethodTypes)
	}
	inv := l.invoice(l.subscription(sub.ID).LatestInvoice.ID)
	if !inv.AutomaticTax.Enabled || inv.AutomaticTax.Status != "complete" || len(inv.PaymentSettings.PaymentMethodTypes) != 1 || inv.AmountDue != 2000 {
		t.Errorf("invoice: tax %t %s, %v, due %d", inv.AutomaticTax.Enabled, inv.AutomaticTax.Status, inv.PaymentSettings.PaymentMethodTypes, inv.AmountDue)
	}
	_, err := l.updateSubscription(sub, func(p *stripe.SubscriptionParams) {
		p.PaymentSettings = &stripe.SubscriptionPaymentSettingsParams{PaymentMethodTypes: stripe.StringSlice([]string{"bacs_debit"})}
	})
	wantError(t, err, 400, "payment_intent_invalid_parameter", "invalid_request_error")
	plain := must[*stripe.Invoice](t)(l.api.Invoices.Upcoming(&stripe.InvoiceUpcomingParams{
		Subscription: stripe.String(sub.ID), AutomaticTax: &stripe.InvoiceAutomaticTaxParams{Enabled: stripe.Bool(false)}, PreviewMode: stripe.String("next"),
	}))
	if plain.AutomaticTax.Enabled {
		t.Error("the preview shows automatic_tax although it was not sent")
	}
	_, err = l.api.Invoices.Upcoming(&stripe.InvoiceUpcomingParams{Subscription: stripe.String(sub.ID), PreviewMode: stripe.String("recurring")})
	wantError(t, err, 400, "", "invalid_request_error")
}

func TestAnInvoiceKeepsItsDateAndItsDescriptor(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	at := l.Now().Unix() - 5*day
	inv := must[*stripe.Invoice](t)(l.api.Invoices.New(&stripe.InvoiceParams{
		Customer: stripe.String(l.createCustomer().ID), EffectiveAt: stripe.Int64(at), StatementDescriptor: stripe.String("USHER SEATS"),
	}))
	done := must[*stripe.Invoice](t)(l.api.Invoices.FinalizeInvoice(inv.ID, nil))
	if inv.EffectiveAt != at || done.EffectiveAt != at || done.StatementDescriptor != "USHER SEATS" {
		t.Errorf("effective at %d, then %d; %q", inv.EffectiveAt, done.EffectiveAt, done.StatementDescriptor)
	}
}

func TestNotDiscountableItemsGetNoDiscount(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	k := l.createOnTestClock("pm_card_visa")
	item := must[*stripe.InvoiceItem](t)(l.api.InvoiceItems.New(&stripe.InvoiceItemParams{
		Customer: stripe.String(k.customer), Amount: stripe.Int64(700), Currency: stripe.String("usd"), Discountable: stripe.Bool(false),
	}))
	half := l.coupon(&stripe.CouponParams{PercentOff: stripe.Float64(50), Duration: stripe.String("once")})
	sub := k.subscribe(l.createPriceIn("usd", 1000, "month"), 1, func(p *stripe.SubscriptionParams) { p.Coupon = stripe.String(half.ID) })
	inv := l.subscription(sub.ID).LatestInvoice
	if item.Discountable || inv.Subtotal != 1700 || inv.Total != 1200 {
		t.Errorf("discountable %t, subtotal %d, total %d", item.Discountable, inv.Subtotal, inv.Total)
	}
}

func TestPaymentIntentShowsItsPaymentSettings(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	pi := must[*stripe.PaymentIntent](t)(l.api.PaymentIntents.New(&stripe.PaymentIntentParams{
		Amount: stripe.Int64(900), Currency: stripe.String("usd"), CaptureMethod: stripe.String("manual"), Confirm: stripe.Bool(true), PaymentMethod: stripe.String("pm_card_visa"),
		AutomaticPaymentMethods: &stripe.PaymentIntentAutomaticPaymentMethodsParams{Enabled: stripe.Bool(true), AllowRedirects: stripe.String("never")},
	}))
	got := must[*stripe.PaymentIntent](t)(l.api.PaymentIntents.Capture(pi.ID, &stripe.PaymentIntentCaptureParams{StatementDescriptorSuffix: stripe.String("SEATS")}))
	if got.AutomaticPaymentMethods.AllowRedirects != "never" || got.StatementDescriptorSuffix != "SEATS" {
		t.Errorf("redirects %s, suffix %q", got.AutomaticPaymentMethods.AllowRedirects, got.StatementDescriptorSuffix)
	}
}

func TestSchedulePhaseSetsItsFields(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	k := l.createOnTestClock("pm_card_visa")
	price := l.createPriceIn("usd", 1000, "month")
	card := must[*stripe.PaymentMethod](t)(l.api.PaymentMethods.Attach("pm_card_mastercard", &stripe.PaymentMethodAttachParams{Customer: stripe.String(k.customer)}))
	phase := func() *stripe.SubscriptionSchedulePhaseParams {
		return &stripe.SubscriptionSchedulePhaseParams{
			Items: []*stripe.SubscriptionSchedulePhaseItemParams{{Price: stripe.String(price), Quantity: stripe.Int64(2)}}, Iterations: stripe.Int64(1),
		}
	}
	later := phase()
	later.DefaultPaymentMethod, later.CollectionMethod, later.Description = stripe.String(card.ID), stripe.String("charge_automatically"), stripe.String("The second month")
	later.Metadata = map[string]string{"phase": "2"}
	params := &stripe.SubscriptionScheduleParams{Customer: stripe.String(k.customer), StartDateNow: stripe.Bool(true), Phases: []*stripe.SubscriptionSchedulePhaseParams{phase(), later}}
	x := must[*stripe.SubscriptionSchedule](t)(l.api.SubscriptionSchedules.New(params))
	if p := x.Phases[1]; p.DefaultPaymentMethod.ID != card.ID || *p.CollectionMethod != "charge_automatically" || p.Description != "The second month" || x.Phases[0].DefaultPaymentMethod != nil {
		t.Errorf("phases %+v", p)
	}
	sub := l.subscription(x.Subscription.ID)
	k.advance(sub.CurrentPeriodEnd + 3600)
	if got := l.subscription(sub.ID); sub.DefaultPaymentMethod != nil || got.DefaultPaymentMethod == nil || got.DefaultPaymentMethod.ID != card.ID || got.Description != "The second month" || got.Metadata["phase"] != "2" {
		t.Errorf("before %v, after %v %q", sub.DefaultPaymentMethod, got.DefaultPaymentMethod, got.Description)
	}
	later.DefaultPaymentMethod = stripe.String("pm_nobodys")
	_, err := l.api.SubscriptionSchedules.New(params)
	wantError(t, err, 400, "resource_missing", "invalid_request_error")
}

func TestLineItemsArePaged(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	prices := []string{l.createPriceIn("usd", 1000, "month"), l.createPriceIn("usd", 2000, "month"), l.createPriceIn("usd", 3000, "month")}
	cs := l.createCheckoutSession(l.createCustomer().ID, prices[0], 1, func(p *stripe.CheckoutSessionParams) {
		for _, price := range prices[1:] {
			p.LineItems = append(p.LineItems, &stripe.CheckoutSessionLineItemParams{Price: stripe.String(price), Quantity: stripe.Int64(1)})
		}
	})
	var seen []string
	params := &stripe.CheckoutSessionListLineItemsParams{Session: stripe.String(cs.ID)}
	params.Limit = stripe.Int64(2)
	it := l.api.CheckoutSessions.ListLineItems(params)
	for it.Next() {
		seen = append(seen, it.LineItem().Price.ID)
	}
	if len(seen) != 3 || seen[0] != prices[0] || seen[2] != prices[2] || it.Err() != nil {
		t.Errorf("lines of %v, %v", seen, it.Err())
	}
}

// A paused subscription that keeps its anchor is billed for the rest of the month, from
// proration_date if it is sent.
func TestResumeProratesFromProrationDate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ date, due int64 }{"now": {0, 2000}, "earlier": {noon + 19*day, 2500}} {
		t.Run(name, func(t *testing.T) {
			l := start(t, stripelocal.Options{})
			k := l.createOnTestClock("")
			sub := k.subscribe(l.createPriceIn("usd", 3000, "month"), 1, func(p *stripe.SubscriptionParams) {
				p.TrialEnd = stripe.Int64(noon + 14*day)
				p.TrialSettings = &stripe.SubscriptionTrialSettingsParams{EndBehavior: &stripe.SubscriptionTrialSettingsEndBehaviorParams{MissingPaymentMethod: stripe.String("pause")}}
			})
			k.advance(noon + 24*day)
			k.setDefaultCard("pm_card_visa")
			params := &stripe.SubscriptionResumeParams{BillingCycleAnchor: stripe.String("unchanged")}
			if c.date != 0 {
				params.ProrationDate = stripe.Int64(c.date)
			}
			got := must[*stripe.Subscription](t)(l.api.Subscriptions.Resume(sub.ID, params))
			if inv := l.invoice(got.LatestInvoice.ID); got.Status != "active" || inv.AmountPaid != c.due {
				t.Errorf("%s, paid %d, want %d", got.Status, inv.AmountPaid, c.due)
			}
			params.ProrationDate = stripe.Int64(noon + 60*day)
			_, err := l.api.Subscriptions.Resume(sub.ID, params)
			wantError(t, err, 400, "", "invalid_request_error")
		})
	}
}

func TestInactiveConfigurationCannotCreateSessions(t *testing.T) {
	t.Parallel()
	p := newPortal(t, "none")
	params := &stripe.BillingPortalConfigurationParams{Features: p.features, BusinessProfile: &stripe.BillingPortalConfigurationBusinessProfileParams{Headline: stripe.String("Usher")}}
	config := must[*stripe.BillingPortalConfiguration](t)(p.api.BillingPortalConfigurations.New(params))
	open := func() error {
		_, err := p.api.BillingPortalSessions.New(&stripe.BillingPortalSessionParams{Customer: stripe.String(p.sub.Customer.ID), Configuration: stripe.String(config.ID)})
		return err
	}
	for _, active := range []bool{false, true} {
		must[*stripe.BillingPortalConfiguration](t)(p.api.BillingPortalConfigurations.Update(config.ID, &stripe.BillingPortalConfigurationParams{Active: stripe.Bool(active)}))
		err := open()
		if active && err != nil {
			t.Errorf("active: %v", err)
		}
		if !active {
			wantError(t, err, 400, "", "invalid_request_error")
		}
	}
	params.LoginPage = &stripe.BillingPortalConfigurationLoginPageParams{Enabled: stripe.Bool(true)}
	_, err := p.api.BillingPortalConfigurations.New(params)
	wantError(t, err, 400, "", "invalid_request_error")
}
