package stripelocal_test

import (
	"errors"
	"net/url"
	"testing"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

// intent returns a payment intent's parameters with a card.
func intent(amount int64, card string, more ...func(*stripe.PaymentIntentParams)) *stripe.PaymentIntentParams {
	p := &stripe.PaymentIntentParams{
		Amount: stripe.Int64(amount), Currency: stripe.String("usd"), PaymentMethod: stripe.String(card), Confirm: stripe.Bool(true),
		PaymentMethodTypes: stripe.StringSlice([]string{"card"}),
	}
	for _, change := range more {
		change(p)
	}
	return p
}

func TestPaymentIntentsFollowTheirTestCard(t *testing.T) {
	cases := []struct {
		card    string
		status  stripe.PaymentIntentStatus // empty: declined
		decline string
		event   string
	}{
		{"pm_card_visa", "succeeded", "", "payment_intent.succeeded"},
		{"pm_card_amex", "succeeded", "", "payment_intent.succeeded"},
		{"pm_card_chargeDeclined", "", "generic_decline", "payment_intent.payment_failed"},
		{"pm_card_visa_chargeDeclined", "", "generic_decline", "charge.failed"},
		{"pm_card_chargeDeclinedInsufficientFunds", "", "insufficient_funds", "payment_intent.payment_failed"},
		{"pm_card_chargeDeclinedFraudulent", "", "fraudulent", "payment_intent.payment_failed"},
		{"pm_card_chargeCustomerFail", "", "generic_decline", "payment_intent.payment_failed"},
		{"pm_card_authenticationRequired", "requires_action", "", "payment_intent.requires_action"},
	}
	for _, c := range cases {
		t.Run(c.card, func(t *testing.T) {
			l := start(t, stripelocal.Options{})
			pi, err := l.api.PaymentIntents.New(intent(2000, c.card))
			if c.status == "" {
				wantDecline(t, l, err, c.decline)
			} else if err != nil || pi.Status != c.status {
				t.Fatalf("%v, %v, want %s", pi.Status, err, c.status)
			}
			wantEvents(t, l, c.event)
		})
	}
}

// wantDecline checks a card error and the intent it leaves.
func wantDecline(t *testing.T, l *testServer, err error, code string) {
	t.Helper()
	var e *stripe.Error
	if !errors.As(err, &e) || e.HTTPStatusCode != 402 || e.Type != stripe.ErrorTypeCard || string(e.DeclineCode) != code || e.PaymentIntent == nil {
		t.Fatalf("error %v, want a 402 with %s and its intent", err, code)
	}
	pi := must[*stripe.PaymentIntent](t)(l.api.PaymentIntents.Get(e.PaymentIntent.ID, nil))
	if pi.Status != "requires_payment_method" || pi.PaymentMethod != nil || pi.LastPaymentError == nil || string(pi.LastPaymentError.DeclineCode) != code {
		t.Errorf("the intent is %s with %+v", pi.Status, pi.LastPaymentError)
	}
}

func TestAuthenticationOffSessionIsADecline(t *testing.T) {
	l := start(t, stripelocal.Options{})
	_, err := l.api.PaymentIntents.New(intent(2000, "pm_card_authenticationRequired", func(p *stripe.PaymentIntentParams) { p.OffSession = stripe.Bool(true) }))
	wantDecline(t, l, err, "authentication_required")
	wantError(t, err, 402, "authentication_required", stripe.ErrorTypeCard)
}

func TestAuthenticationPagePaysTheIntent(t *testing.T) {
	l := start(t, stripelocal.Options{})
	pi := must[*stripe.PaymentIntent](t)(l.api.PaymentIntents.New(intent(2000, "pm_card_threeDSecure2Required")))
	if pi.NextAction == nil || pi.NextAction.Type != "use_stripe_sdk" || pi.NextAction.RedirectToURL != nil {
		t.Fatalf("next action: %+v", pi.NextAction)
	}
	l.browse("POST", authenticationPage(pi.ID), url.Values{"complete": {"yes"}})
	if pi = must[*stripe.PaymentIntent](t)(l.api.PaymentIntents.Get(pi.ID, nil)); pi.Status != "succeeded" {
		t.Errorf("after the challenge: %s", pi.Status)
	}
}

func TestConfirmationAfterCreation(t *testing.T) {
	l := start(t, stripelocal.Options{})
	p := intent(2000, "", func(p *stripe.PaymentIntentParams) {
		p.Confirm, p.PaymentMethod, p.Customer = nil, nil, stripe.String(l.createCustomer().ID)
		p.SetupFutureUsage = stripe.String("off_session")
		p.Shipping = &stripe.ShippingDetailsParams{Name: stripe.String("Ada"), Address: &stripe.AddressParams{City: stripe.String("London"), Line1: stripe.String("1 St James's Square")}}
	})
	pi := must[*stripe.PaymentIntent](t)(l.api.PaymentIntents.New(p))
	if pi.Status != "requires_payment_method" || pi.Shipping.Address.City != "London" {
		t.Fatalf("new: %s, %+v", pi.Status, pi.Shipping)
	}
	_, err := l.api.PaymentIntents.Confirm(pi.ID, nil)
	wantError(t, err, 400, "payment_intent_unexpected_state", stripe.ErrorTypeInvalidRequest)
	pi = must[*stripe.PaymentIntent](t)(l.api.PaymentIntents.Update(pi.ID, &stripe.PaymentIntentParams{
		Amount: stripe.Int64(2500), PaymentMethod: stripe.String("pm_card_visa"), Metadata: map[string]string{"order": "1"},
	}))
	if pi.Status != "requires_confirmation" || pi.Amount != 2500 {
		t.Errorf("updated: %s, %d", pi.Status, pi.Amount)
	}
	pi = must[*stripe.PaymentIntent](t)(l.api.PaymentIntents.Confirm(pi.ID, nil))
	if pi.Status != "succeeded" || pi.AmountReceived != 2500 {
		t.Errorf("confirmed: %s, %d", pi.Status, pi.AmountReceived)
	}
	pm := must[*stripe.PaymentMethod](t)(l.api.PaymentMethods.Get(pi.PaymentMethod.ID, nil))
	if pm.Customer == nil || pm.Customer.ID != pi.Customer.ID {
		t.Error("setup_future_usage did not give the card to the customer")
	}
	_, err = l.api.PaymentIntents.Cancel(pi.ID, nil)
	wantError(t, err, 400, "payment_intent_unexpected_state", stripe.ErrorTypeInvalidRequest)
	_, err = l.api.PaymentIntents.Update(pi.ID, &stripe.PaymentIntentParams{Amount: stripe.Int64(1)})
	wantError(t, err, 400, "payment_intent_unexpected_state", stripe.ErrorTypeInvalidRequest)
}

func TestPartialCapture(t *testing.T) {
	l := start(t, stripelocal.Options{})
	manual := func(p *stripe.PaymentIntentParams) { p.CaptureMethod = stripe.String("manual") }
	pi := must[*stripe.PaymentIntent](t)(l.api.PaymentIntents.New(intent(2000, "pm_card_visa", manual)))
	if pi.Status != "requires_capture" || pi.AmountCapturable != 2000 || pi.AmountReceived != 0 {
		t.Fatalf("held: %s, %d, %d", pi.Status, pi.AmountCapturable, pi.AmountReceived)
	}
	_, err := l.api.PaymentIntents.Capture(pi.ID, &stripe.PaymentIntentCaptureParams{AmountToCapture: stripe.Int64(2001)})
	wantError(t, err, 400, "amount_too_large", stripe.ErrorTypeInvalidRequest)
	pi = must[*stripe.PaymentIntent](t)(l.api.PaymentIntents.Capture(pi.ID, &stripe.PaymentIntentCaptureParams{AmountToCapture: stripe.Int64(1500)}))
	ch := must[*stripe.Charge](t)(l.api.Charges.Get(pi.LatestCharge.ID, nil))
	if pi.Status != "succeeded" || pi.AmountReceived != 1500 || !ch.Captured || ch.AmountCaptured != 1500 {
		t.Errorf("captured: %s, received %d, charge %v %d", pi.Status, pi.AmountReceived, ch.Captured, ch.AmountCaptured)
	}
	gone := must[*stripe.PaymentIntent](t)(l.api.PaymentIntents.New(intent(900, "pm_card_visa", manual)))
	gone = must[*stripe.PaymentIntent](t)(l.api.PaymentIntents.Cancel(gone.ID, &stripe.PaymentIntentCancelParams{CancellationReason: stripe.String("duplicate")}))
	if gone.Status != "canceled" || gone.CancellationReason != "duplicate" || gone.AmountCapturable != 0 {
		t.Errorf("canceled: %s, %s", gone.Status, gone.CancellationReason)
	}
	wantEvents(t, l, "payment_intent.amount_capturable_updated", "charge.captured", "payment_intent.canceled", "charge.refunded")
}

func TestAmountsHaveAMinimum(t *testing.T) {
	l := start(t, stripelocal.Options{})
	for amount, code := range map[int64]stripe.ErrorCode{0: "parameter_invalid_integer", 49: "amount_too_small", 100000000: "amount_too_large"} {
		_, err := l.api.PaymentIntents.New(intent(amount, "pm_card_visa"))
		wantError(t, err, 400, code, stripe.ErrorTypeInvalidRequest)
	}
}

func TestACardBelongsToOneCustomer(t *testing.T) {
	l := start(t, stripelocal.Options{})
	ada, bob := l.createCustomer().ID, l.createCustomer().ID
	pm := must[*stripe.PaymentMethod](t)(l.api.PaymentMethods.Attach("pm_card_visa", &stripe.PaymentMethodAttachParams{Customer: stripe.String(ada)}))
	_, err := l.api.PaymentIntents.New(intent(900, pm.ID))
	wantError(t, err, 400, "payment_intent_unexpected_state", stripe.ErrorTypeInvalidRequest)
	_, err = l.api.PaymentIntents.New(intent(900, pm.ID, func(p *stripe.PaymentIntentParams) { p.Customer = stripe.String(bob) }))
	wantError(t, err, 400, "payment_intent_unexpected_state", stripe.ErrorTypeInvalidRequest)
	must[*stripe.PaymentIntent](t)(l.api.PaymentIntents.New(intent(900, pm.ID, func(p *stripe.PaymentIntentParams) { p.Customer = stripe.String(ada) })))
	_, err = l.api.PaymentMethods.Attach(pm.ID, &stripe.PaymentMethodAttachParams{Customer: stripe.String(bob)})
	wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest)
}

func TestConsumedPaymentMethodIsNotReusable(t *testing.T) {
	l := start(t, stripelocal.Options{})
	pi := must[*stripe.PaymentIntent](t)(l.api.PaymentIntents.New(intent(900, "pm_card_visa")))
	_, err := l.api.PaymentIntents.New(intent(900, pi.PaymentMethod.ID))
	wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest)
	c := l.createCustomer()
	pm := must[*stripe.PaymentMethod](t)(l.api.PaymentMethods.Attach("pm_card_visa", &stripe.PaymentMethodAttachParams{Customer: stripe.String(c.ID)}))
	must[*stripe.PaymentMethod](t)(l.api.PaymentMethods.Detach(pm.ID, nil))
	_, err = l.api.PaymentMethods.Attach(pm.ID, &stripe.PaymentMethodAttachParams{Customer: stripe.String(c.ID)})
	wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest)
}

func TestSetupIntentsSaveCards(t *testing.T) {
	cases := []struct {
		card   string
		status stripe.SetupIntentStatus
		event  string
	}{
		{"pm_card_visa", "succeeded", "setup_intent.succeeded"},
		{"pm_card_chargeCustomerFail", "succeeded", "payment_method.attached"},
		{"pm_card_chargeDeclined", "", "setup_intent.setup_failed"},
		{"pm_card_authenticationRequired", "requires_action", "setup_intent.requires_action"},
	}
	for _, c := range cases {
		t.Run(c.card, func(t *testing.T) {
			l := start(t, stripelocal.Options{})
			owner := l.createCustomer().ID
			si := must[*stripe.SetupIntent](t)(l.api.SetupIntents.New(&stripe.SetupIntentParams{Customer: stripe.String(owner), Usage: stripe.String("on_session")}))
			if si.Status != "requires_payment_method" || si.Usage != "on_session" {
				t.Fatalf("new: %s, %s", si.Status, si.Usage)
			}
			done, err := l.api.SetupIntents.Confirm(si.ID, &stripe.SetupIntentConfirmParams{PaymentMethod: stripe.String(c.card)})
			wantEvents(t, l, c.event)
			if c.status == "" {
				wantError(t, err, 402, "card_declined", stripe.ErrorTypeCard)
				return
			}
			if err != nil || done.Status != c.status {
				t.Fatalf("confirmed: %v, %v", done.Status, err)
			}
			pm := must[*stripe.PaymentMethod](t)(l.api.PaymentMethods.Get(done.PaymentMethod.ID, nil))
			if saved := pm.Customer != nil && pm.Customer.ID == owner; saved != (c.status == "succeeded") {
				t.Errorf("saved %v at %s", saved, c.status)
			}
		})
	}
}

func TestTokensAreUsedOnce(t *testing.T) {
	l := start(t, stripelocal.Options{})
	card := &stripe.TokenParams{Card: &stripe.CardParams{Number: stripe.String("5555555555554444"), ExpMonth: stripe.String("4"), ExpYear: stripe.String("2040"), CVC: stripe.String("123")}}
	tok := must[*stripe.Token](t)(l.api.Tokens.New(card))
	if tok.Used || tok.Card.Last4 != "4444" || tok.Card.Brand != "MasterCard" {
		t.Errorf("token: %+v", tok.Card)
	}
	method := func(token string) (*stripe.PaymentMethod, error) {
		return l.api.PaymentMethods.New(&stripe.PaymentMethodParams{Type: stripe.String("card"), Card: &stripe.PaymentMethodCardParams{Token: stripe.String(token)}})
	}
	if pm := must[*stripe.PaymentMethod](t)(method(tok.ID)); pm.Card.Brand != "mastercard" || pm.Card.ExpMonth != 4 {
		t.Errorf("card: %+v", pm.Card)
	}
	_, err := method(tok.ID)
	wantError(t, err, 400, "token_already_used", stripe.ErrorTypeInvalidRequest)
	must[*stripe.PaymentMethod](t)(method("tok_visa"))
	must[*stripe.PaymentMethod](t)(method("tok_visa"))
	_, err = method("tok_nope")
	wantError(t, err, 400, "resource_missing", stripe.ErrorTypeInvalidRequest)
	card.Card.ExpMonth = stripe.String("13")
	_, err = l.api.Tokens.New(card)
	wantError(t, err, 402, "invalid_expiry_month", stripe.ErrorTypeCard)
}

func TestDefaultSourceIsCharged(t *testing.T) {
	l := start(t, stripelocal.Options{})
	p := &stripe.CustomerParams{}
	p.Source = stripe.String("tok_visa")
	p.AddExpand("sources")
	c := must[*stripe.Customer](t)(l.api.Customers.New(p))
	if c.DefaultSource == nil || len(c.Sources.Data) != 1 || c.Sources.Data[0].ID != c.DefaultSource.ID {
		t.Fatalf("sources: %+v, default %+v", c.Sources, c.DefaultSource)
	}
	price := l.createPrice("pro", 1000, "month")
	sub := must[*stripe.Subscription](t)(l.api.Subscriptions.New(&stripe.SubscriptionParams{
		Customer: stripe.String(c.ID), Items: []*stripe.SubscriptionItemsParams{{Price: stripe.String(price.ID)}},
	}))
	if sub.Status != "active" {
		t.Errorf("subscription: %s", sub.Status)
	}
	bad := &stripe.CustomerParams{}
	bad.Source = stripe.String("tok_chargeDeclined")
	_, err := l.api.Customers.New(bad)
	wantError(t, err, 402, "card_declined", stripe.ErrorTypeCard)
}
