package stripelocal_test

import (
	"net/url"
	"slices"
	"testing"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

func (l *testServer) fundCashBalance(customer, currency string, amount int64) {
	l.t.Helper()
	_, err := l.api.TestHelpersCustomers.FundCashBalance(customer, &stripe.TestHelpersCustomerFundCashBalanceParams{Amount: stripe.Int64(amount), Currency: stripe.String(currency)})
	if err != nil {
		l.t.Fatal(err)
	}
}

func (l *testServer) transferIntent(customer string) *stripe.PaymentIntent {
	l.t.Helper()
	return must[*stripe.PaymentIntent](l.t)(l.api.PaymentIntents.New(&stripe.PaymentIntentParams{
		Amount: stripe.Int64(20000), Currency: stripe.String("eur"), Customer: stripe.String(customer), Confirm: stripe.Bool(true),
		PaymentMethodTypes: stripe.StringSlice([]string{"customer_balance"}), PaymentMethodData: &stripe.PaymentIntentPaymentMethodDataParams{Type: stripe.String("customer_balance")},
		PaymentMethodOptions: &stripe.PaymentIntentPaymentMethodOptionsParams{CustomerBalance: &stripe.PaymentIntentPaymentMethodOptionsCustomerBalanceParams{
			FundingType: stripe.String("bank_transfer"), BankTransfer: &stripe.PaymentIntentPaymentMethodOptionsCustomerBalanceBankTransferParams{
				Type: stripe.String("eu_bank_transfer"), EUBankTransfer: &stripe.PaymentIntentPaymentMethodOptionsCustomerBalanceBankTransferEUBankTransferParams{Country: stripe.String("DE")},
			},
		}},
	}))
}

func TestTransfersFundAPaymentInParts(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	c := l.createCustomer()
	pi := l.transferIntent(c.ID)
	if a := pi.NextAction; pi.Status != "requires_action" || a.DisplayBankTransferInstructions.AmountRemaining != 20000 {
		t.Fatalf("%s: %+v", pi.Status, a)
	}
	l.fundCashBalance(c.ID, "eur", 15000)
	if part := l.intent(pi.ID); part.Status != "requires_action" || part.NextAction.DisplayBankTransferInstructions.AmountRemaining != 5000 || part.AmountReceived != 0 {
		t.Errorf("in part: %s, %+v", part.Status, part.NextAction)
	}
	if slices.Contains(l.eventTypes(), "cash_balance.funds_available") {
		t.Error("funds that a payment took are available")
	}
	l.fundCashBalance(c.ID, "eur", 6000)
	paid := l.intent(pi.ID)
	if paid.Status != "succeeded" || paid.AmountReceived != 20000 || paid.LatestCharge.PaymentMethodDetails.Type != "customer_balance" {
		t.Errorf("paid: %s", paid.Status)
	}
	b := must[*stripe.CashBalance](t)(l.api.CashBalances.Get(&stripe.CashBalanceParams{Customer: stripe.String(c.ID)}))
	if b.Available["eur"] != 1000 {
		t.Errorf("left: %v", b.Available)
	}
	wantEvents(t, l, "payment_intent.requires_action", "payment_intent.partially_funded", "charge.succeeded", "payment_intent.succeeded", "cash_balance.funds_available")
}

// A balance pays a new payment at once, and a canceled payment gives back what it took.
func TestABalancePaysAndIsGivenBack(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	c := l.createCustomer()
	l.fundCashBalance(c.ID, "eur", 30000)
	if pi := l.transferIntent(c.ID); pi.Status != "succeeded" {
		t.Errorf("from the balance: %s", pi.Status)
	}
	second := l.transferIntent(c.ID)
	if second.NextAction.DisplayBankTransferInstructions.AmountRemaining != 10000 {
		t.Errorf("%+v", second.NextAction)
	}
	must[*stripe.PaymentIntent](t)(l.api.PaymentIntents.Cancel(second.ID, nil))
	b := must[*stripe.CashBalance](t)(l.api.CashBalances.Get(&stripe.CashBalanceParams{Customer: stripe.String(c.ID)}))
	if b.Available["eur"] != 10000 {
		t.Errorf("given back: %v", b.Available)
	}
	var kinds []string
	list := l.api.CustomerCashBalanceTransactions.List(&stripe.CustomerCashBalanceTransactionListParams{Customer: stripe.String(c.ID)})
	for list.Next() {
		kinds = append(kinds, string(list.CustomerCashBalanceTransaction().Type))
	}
	if want := []string{"unapplied_from_payment", "applied_to_payment", "applied_to_payment", "funded"}; !slices.Equal(kinds, want) {
		t.Errorf("transactions %v, want %v", kinds, want)
	}
}

func TestABankTransferNeedsACustomerAndItsCurrency(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	p := &stripe.PaymentIntentParams{
		Amount: stripe.Int64(20000), Currency: stripe.String("gbp"), Confirm: stripe.Bool(true),
		PaymentMethodTypes: stripe.StringSlice([]string{"customer_balance"}), PaymentMethodData: &stripe.PaymentIntentPaymentMethodDataParams{Type: stripe.String("customer_balance")},
		PaymentMethodOptions: &stripe.PaymentIntentPaymentMethodOptionsParams{CustomerBalance: &stripe.PaymentIntentPaymentMethodOptionsCustomerBalanceParams{
			FundingType: stripe.String("bank_transfer"), BankTransfer: &stripe.PaymentIntentPaymentMethodOptionsCustomerBalanceBankTransferParams{Type: stripe.String("us_bank_transfer")},
		}},
	}
	_, err := l.api.PaymentIntents.New(p)
	wantError(t, err, 400, "payment_intent_invalid_parameter", stripe.ErrorTypeInvalidRequest)
	p.Customer = stripe.String(l.createCustomer().ID)
	_, err = l.api.PaymentIntents.New(p)
	wantError(t, err, 400, "payment_intent_invalid_parameter", stripe.ErrorTypeInvalidRequest)
}

// The money of some test cards is available at once, and can be paid out.
func TestATestCardFillsTheBalanceAtOnce(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	pay := func(card string) {
		t.Helper()
		must[*stripe.PaymentIntent](t)(l.api.PaymentIntents.New(&stripe.PaymentIntentParams{
			Amount: stripe.Int64(2000), Currency: stripe.String("usd"), Confirm: stripe.Bool(true), PaymentMethod: stripe.String(card), PaymentMethodTypes: stripe.StringSlice([]string{"card"}),
		}))
	}
	pay("pm_card_visa")
	if b := must[*stripe.Balance](t)(l.api.Balance.Get(nil)); b.Available[0].Amount != 0 || slices.Contains(l.eventTypes(), "balance.available") {
		t.Errorf("%+v", b.Available[0])
	}
	_, err := l.api.Payouts.New(&stripe.PayoutParams{Amount: stripe.Int64(1100), Currency: stripe.String("usd")})
	wantError(t, err, 400, "balance_insufficient", stripe.ErrorTypeInvalidRequest)
	pay("pm_card_bypassPending")
	if b := must[*stripe.Balance](t)(l.api.Balance.Get(nil)); b.Available[0].Amount != 2000-88 {
		t.Errorf("%+v", b.Available[0])
	}
	must[*stripe.Payout](t)(l.api.Payouts.New(&stripe.PayoutParams{Amount: stripe.Int64(1100), Currency: stripe.String("usd")}))
	wantEvents(t, l, "balance.available", "payout.created")
}

// Checkout in EUR offers a SEPA debit if payment_method_types names it.
func TestCheckoutTakesASEPADebit(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	cs := must[*stripe.CheckoutSession](t)(l.api.CheckoutSessions.New(&stripe.CheckoutSessionParams{
		Mode: stripe.String("payment"), SuccessURL: stripe.String("http://app.test/ok"), PaymentMethodTypes: stripe.StringSlice([]string{"card", "sepa_debit"}),
		LineItems: []*stripe.CheckoutSessionLineItemParams{{Quantity: stripe.Int64(1), PriceData: &stripe.CheckoutSessionLineItemPriceDataParams{
			Currency: stripe.String("eur"), UnitAmount: stripe.Int64(3000), ProductData: &stripe.CheckoutSessionLineItemPriceDataProductDataParams{Name: stripe.String("Pack")},
		}}},
	}))
	form := url.Values{"email": {"ada@example.com"}, "payBy": {"bank"}, "bankAccount": {"DE89 3704 0044 0532 0130 01"}, "billingName": {"Ada"}}
	if wrong := l.browse("POST", cs.URL, form); wrong.status == 303 {
		t.Errorf("a wrong IBAN: %d", wrong.status)
	}
	form.Set("bankAccount", "DE89 3704 0044 0532 0130 00")
	if done := l.browse("POST", cs.URL, form); done.status != 303 {
		t.Fatalf("paying: %d %s", done.status, done.body)
	}
	pi := l.intent(l.session(cs.ID).PaymentIntent.ID)
	if pi.Status != "processing" || !slices.Equal(pi.PaymentMethodTypes, []string{"card", "sepa_debit"}) || pi.LatestCharge.PaymentMethodDetails.SEPADebit.Last4 != "3000" {
		t.Errorf("%s %v", pi.Status, pi.PaymentMethodTypes)
	}
	l.time.Add(4 * day)
	if cs = l.session(cs.ID); cs.PaymentStatus != "paid" {
		t.Errorf("afterwards %s", cs.PaymentStatus)
	}
}
