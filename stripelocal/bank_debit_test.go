package stripelocal_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

// iban creates a SEPA payment method.
func (l *testServer) iban(number string) *stripe.PaymentMethod {
	l.t.Helper()
	return must[*stripe.PaymentMethod](l.t)(l.api.PaymentMethods.New(&stripe.PaymentMethodParams{
		Type: stripe.String("sepa_debit"), SEPADebit: &stripe.PaymentMethodSEPADebitParams{IBAN: stripe.String(number)},
		BillingDetails: &stripe.PaymentMethodBillingDetailsParams{Name: stripe.String("Ada"), Email: stripe.String("ada@example.com")},
	}))
}

// usAccount creates a US bank account, which is not verified.
func (l *testServer) usAccount(number string) *stripe.PaymentMethod {
	l.t.Helper()
	return must[*stripe.PaymentMethod](l.t)(l.api.PaymentMethods.New(&stripe.PaymentMethodParams{
		Type:           stripe.String("us_bank_account"),
		USBankAccount:  &stripe.PaymentMethodUSBankAccountParams{AccountNumber: stripe.String(number), RoutingNumber: stripe.String("110000000"), AccountHolderType: stripe.String("company")},
		BillingDetails: &stripe.PaymentMethodBillingDetailsParams{Name: stripe.String("Ada")},
	}))
}

// debit is the call that confirms a debit with a mandate that was accepted online.
func debit(pm *stripe.PaymentMethod, more ...func(*stripe.PaymentIntentParams)) *stripe.PaymentIntentParams {
	currency := map[stripe.PaymentMethodType]string{"sepa_debit": "eur", "us_bank_account": "usd"}[pm.Type]
	p := &stripe.PaymentIntentParams{
		Amount: stripe.Int64(5000), Currency: stripe.String(currency), Confirm: stripe.Bool(true), PaymentMethod: stripe.String(pm.ID),
		PaymentMethodTypes: stripe.StringSlice([]string{string(pm.Type)}),
		MandateData: &stripe.PaymentIntentMandateDataParams{CustomerAcceptance: &stripe.PaymentIntentMandateDataCustomerAcceptanceParams{
			Type: stripe.String("online"), Online: &stripe.PaymentIntentMandateDataCustomerAcceptanceOnlineParams{IPAddress: stripe.String("192.0.2.1"), UserAgent: stripe.String("test")},
		}},
	}
	for _, change := range more {
		change(p)
	}
	p.AddExpand("latest_charge")
	return p
}

func (l *testServer) intent(id string) *stripe.PaymentIntent {
	l.t.Helper()
	p := &stripe.PaymentIntentParams{}
	p.AddExpand("latest_charge.balance_transaction")
	return must[*stripe.PaymentIntent](l.t)(l.api.PaymentIntents.Get(id, p))
}

func TestSEPADebits(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		iban   string
		delay  int64
		status stripe.PaymentIntentStatus
		code   stripe.ErrorCode
	}{
		"succeeds":           {"AT61 1904 3002 3457 3201", 5, "succeeded", ""},
		"succeeds later":     {"DE08370400440532013003", 180, "succeeded", ""},
		"fails":              {"FR8420041010050500013M02607", 5, "requires_payment_method", "payment_intent_payment_attempt_failed"},
		"fails later":        {"IE94AIBK93115212345672", 180, "requires_payment_method", "payment_intent_payment_attempt_failed"},
		"is disputed":        {"NL82RABO0300065266", 5, "succeeded", ""},
		"exceeds volume":     {"PT05000201230000000343434", 5, "requires_payment_method", "charge_exceeds_source_limit"},
		"exceeds limit":      {"GI73NWBK000000000121212", 5, "requires_payment_method", "charge_exceeds_weekly_limit"},
		"insufficient funds": {"ES1700120345000002222227", 5, "requires_payment_method", "insufficient_funds"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			l := start(t, stripelocal.Options{})
			pi := must[*stripe.PaymentIntent](t)(l.api.PaymentIntents.New(debit(l.iban(c.iban))))
			ch := pi.LatestCharge
			if pi.Status != "processing" || ch.Status != "pending" || ch.Paid || !ch.Captured || ch.BalanceTransaction != nil || !strings.HasPrefix(ch.ID, "py_3") {
				t.Errorf("started: %s, charge %s %s paid %v", pi.Status, ch.ID, ch.Status, ch.Paid)
			}
			l.time.Add(c.delay - 1)
			if early := l.intent(pi.ID); early.Status != "processing" {
				t.Errorf("a second before: %s", early.Status)
			}
			l.time.Add(1)
			after := l.intent(pi.ID)
			if after.Status != c.status || after.LatestCharge.ID != ch.ID {
				t.Fatalf("afterwards %s", after.Status)
			}
			if c.code == "" {
				if bt := after.LatestCharge.BalanceTransaction; !after.LatestCharge.Paid || bt.Type != "payment" || bt.Status != "available" {
					t.Errorf("%+v", after.LatestCharge)
				}
				return
			}
			if after.LastPaymentError.Code != c.code || after.LatestCharge.FailureCode != string(c.code) || after.LastPaymentError.ChargeID != ch.ID {
				t.Errorf("%+v, charge failed with %s", after.LastPaymentError, after.LatestCharge.FailureCode)
			}
		})
	}
}

func TestSEPAPaymentMethod(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	pm := l.iban("FR14 2004 1010 0505 0001 3M02 606")
	if d := pm.SEPADebit; d.BankCode != "20041" || d.BranchCode != "01005" || d.Country != "FR" || d.Last4 != "2606" {
		t.Errorf("%+v", d)
	}
	for iban, code := range map[string]stripe.ErrorCode{
		"DE89370400440532013001": "invalid_bank_account_iban", "XX89370400440532013000": "invalid_bank_account_iban",
		"DE91370400440000055555": "sepa_debit_bank_not_supported", "DE18370400440000066666": "sepa_debit_debits_not_supported",
	} {
		_, err := l.api.PaymentMethods.New(&stripe.PaymentMethodParams{
			Type: stripe.String("sepa_debit"), SEPADebit: &stripe.PaymentMethodSEPADebitParams{IBAN: stripe.String(iban)},
			BillingDetails: &stripe.PaymentMethodBillingDetailsParams{Name: stripe.String("Ada"), Email: stripe.String("ada@example.com")},
		})
		wantError(t, err, 400, code, stripe.ErrorTypeInvalidRequest)
	}
	_, err := l.api.PaymentMethods.New(&stripe.PaymentMethodParams{Type: stripe.String("sepa_debit"), SEPADebit: &stripe.PaymentMethodSEPADebitParams{IBAN: stripe.String("DE89370400440532013000")}})
	wantError(t, err, 400, "parameter_missing", stripe.ErrorTypeInvalidRequest)
}

func TestABankDebitNeedsAMandateItsCurrencyAndItsType(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	pm := l.iban("DE89370400440532013000")
	_, err := l.api.PaymentIntents.New(debit(pm, func(p *stripe.PaymentIntentParams) { p.MandateData = nil }))
	wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest)
	if pi := err.(*stripe.Error).PaymentIntent; pi.Status != "requires_confirmation" || !strings.Contains(err.Error(), "requires a mandate") {
		t.Errorf("%v", err)
	}
	_, err = l.api.PaymentIntents.New(debit(pm, func(p *stripe.PaymentIntentParams) { p.Currency = stripe.String("usd") }))
	wantError(t, err, 400, "payment_intent_invalid_parameter", stripe.ErrorTypeInvalidRequest)
	_, err = l.api.PaymentIntents.New(debit(pm, func(p *stripe.PaymentIntentParams) { p.PaymentMethodTypes = stripe.StringSlice([]string{"card"}) }))
	wantError(t, err, 400, "payment_intent_incompatible_payment_method", stripe.ErrorTypeInvalidRequest)
	for _, e := range l.eventTypes() {
		if e == "charge.pending" {
			t.Error("a refused debit has a charge")
		}
	}
}

// A saved account is debited again with the mandate of its first payment.
func TestAMandateServesFurtherDebits(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	c := l.createCustomer()
	first := must[*stripe.PaymentIntent](t)(l.api.PaymentIntents.New(debit(l.iban("DE89370400440532013000"), func(p *stripe.PaymentIntentParams) {
		p.Customer, p.SetupFutureUsage = stripe.String(c.ID), stripe.String("off_session")
	})))
	mandate := first.LatestCharge.PaymentMethodDetails.SEPADebit.Mandate
	pm := must[*stripe.PaymentMethod](t)(l.api.PaymentMethods.Get(first.PaymentMethod.ID, nil))
	if pm.Customer == nil || pm.Customer.ID != c.ID {
		t.Errorf("saved for %v", pm.Customer)
	}
	again := func(p *stripe.PaymentIntentParams) { p.Customer, p.MandateData = stripe.String(c.ID), nil }
	second := must[*stripe.PaymentIntent](t)(l.api.PaymentIntents.New(debit(pm, again)))
	if second.Status != "processing" || second.LatestCharge.PaymentMethodDetails.SEPADebit.Mandate != mandate {
		t.Errorf("%s with %+v", second.Status, second.LatestCharge.PaymentMethodDetails.SEPADebit)
	}
	m := must[*stripe.Mandate](t)(l.api.Mandates.Get(mandate, nil))
	if m.Type != "multi_use" || m.CustomerAcceptance.Online.IPAddress != "192.0.2.1" || m.PaymentMethodDetails.SEPADebit.Reference == "" {
		t.Errorf("%+v", m)
	}
}

func TestMicrodepositsVerifyAPayment(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	pi := must[*stripe.PaymentIntent](t)(l.api.PaymentIntents.New(debit(l.usAccount("000123456789"))))
	if pi.Status != "requires_action" || pi.NextAction.Type != "verify_with_microdeposits" || pi.LatestCharge != nil {
		t.Fatalf("%s: %+v", pi.Status, pi.NextAction)
	}
	verify := func(id string, amounts ...int64) error {
		p := &stripe.PaymentIntentVerifyMicrodepositsParams{}
		for _, a := range amounts {
			p.Amounts = append(p.Amounts, stripe.Int64(a))
		}
		_, err := l.api.PaymentIntents.VerifyMicrodeposits(id, p)
		return err
	}
	wantError(t, verify(pi.ID, 1, 2), 400, "payment_method_microdeposit_verification_amounts_mismatch", stripe.ErrorTypeInvalidRequest)
	wantError(t, verify(pi.ID, 32), 400, "payment_method_microdeposit_verification_amounts_invalid", stripe.ErrorTypeInvalidRequest)
	if err := verify(pi.ID, 45, 32); err != nil {
		t.Fatal(err)
	}
	if after := l.intent(pi.ID); after.Status != "processing" {
		t.Errorf("verified: %s", after.Status)
	}
	l.time.Add(5)
	if after := l.intent(pi.ID); after.Status != "succeeded" {
		t.Errorf("afterwards: %s", after.Status)
	}
	wantError(t, verify(pi.ID, 32, 45), 400, "payment_intent_unexpected_state", stripe.ErrorTypeInvalidRequest)
	wantEvents(t, l, "payment_intent.requires_action", "mandate.updated", "payment_intent.processing", "charge.pending", "charge.succeeded", "payment_intent.succeeded", "balance.available")

	for amount, code := range map[int64]stripe.ErrorCode{10: "payment_method_microdeposit_verification_attempts_exceeded", 40: "payment_method_microdeposit_verification_timeout"} {
		other := must[*stripe.PaymentIntent](t)(l.api.PaymentIntents.New(debit(l.usAccount("000123456789"))))
		wantError(t, verify(other.ID, amount, amount+1), 400, code, stripe.ErrorTypeInvalidRequest)
		if after := l.intent(other.ID); after.Status != "requires_payment_method" || after.LastPaymentError.Code != code {
			t.Errorf("%s: %s", code, after.Status)
		}
	}
}

func TestMicrodepositsVerifyASetup(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	c := l.createCustomer()
	si := must[*stripe.SetupIntent](t)(l.api.SetupIntents.New(&stripe.SetupIntentParams{
		Customer: stripe.String(c.ID), Confirm: stripe.Bool(true), PaymentMethod: stripe.String(l.usAccount("000123456789").ID),
		PaymentMethodTypes: stripe.StringSlice([]string{"us_bank_account"}),
		MandateData:        &stripe.SetupIntentMandateDataParams{CustomerAcceptance: &stripe.SetupIntentMandateDataCustomerAcceptanceParams{Type: "offline"}},
	}))
	m := must[*stripe.Mandate](t)(l.api.Mandates.Get(si.Mandate.ID, nil))
	if si.Status != "requires_action" || m.Status != "pending" || m.CustomerAcceptance.Type != "offline" {
		t.Errorf("%s with mandate %+v", si.Status, m)
	}
	p := &stripe.SetupIntentVerifyMicrodepositsParams{DescriptorCode: stripe.String("SM00XX")}
	_, err := l.api.SetupIntents.VerifyMicrodeposits(si.ID, p)
	wantError(t, err, 400, "payment_method_microdeposit_verification_descriptor_code_mismatch", stripe.ErrorTypeInvalidRequest)
	p.DescriptorCode = stripe.String("SM11AA")
	if si = must[*stripe.SetupIntent](t)(l.api.SetupIntents.VerifyMicrodeposits(si.ID, p)); si.Status != "succeeded" {
		t.Errorf("verified: %s", si.Status)
	}
	if m = must[*stripe.Mandate](t)(l.api.Mandates.Get(si.Mandate.ID, nil)); m.Status != "active" {
		t.Errorf("mandate %s", m.Status)
	}
	saved := l.api.PaymentMethods.List(&stripe.PaymentMethodListParams{Customer: stripe.String(c.ID), Type: stripe.String("us_bank_account")})
	if !saved.Next() || saved.PaymentMethod().USBankAccount.AccountHolderType != "company" {
		t.Error("the account is not saved")
	}
}

// A failure that blocks an account ends its mandate, and later debits are refused.
func TestAReturnedDebitBlocksTheAccount(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	c := l.createCustomer()
	pm := must[*stripe.PaymentMethod](t)(l.api.PaymentMethods.Attach("pm_usBankAccount_accountClosed", &stripe.PaymentMethodAttachParams{Customer: stripe.String(c.ID)}))
	of := func(p *stripe.PaymentIntentParams) {
		p.Customer, p.SetupFutureUsage = stripe.String(c.ID), stripe.String("off_session")
	}
	pi := must[*stripe.PaymentIntent](t)(l.api.PaymentIntents.New(debit(pm, of)))
	l.time.Add(5)
	if after := l.intent(pi.ID); after.LastPaymentError == nil || after.LastPaymentError.Code != "account_closed" {
		t.Errorf("%s: %+v", after.Status, after.LastPaymentError)
	}
	_, err := l.api.PaymentIntents.New(debit(pm, of))
	wantError(t, err, 400, "payment_method_bank_account_blocked", stripe.ErrorTypeInvalidRequest)
	if pm = must[*stripe.PaymentMethod](t)(l.api.PaymentMethods.Get(pm.ID, nil)); pm.USBankAccount.StatusDetails.Blocked.NetworkCode != "R02" {
		t.Errorf("%+v", pm.USBankAccount.StatusDetails)
	}
	wantEvents(t, l, "charge.failed", "payment_intent.payment_failed", "mandate.updated")
}

func TestAPendingDebitCanBeCanceled(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	pm := must[*stripe.PaymentMethod](t)(l.api.PaymentMethods.Get("pm_usBankAccount_processing", nil))
	pi := must[*stripe.PaymentIntent](t)(l.api.PaymentIntents.New(debit(pm)))
	l.time.Add(100 * day)
	if later := l.intent(pi.ID); later.Status != "processing" {
		t.Errorf("after 100 days %s", later.Status)
	}
	canceled := must[*stripe.PaymentIntent](t)(l.api.PaymentIntents.Cancel(pi.ID, nil))
	if after := l.intent(pi.ID); canceled.Status != "canceled" || after.LatestCharge.Status != "failed" {
		t.Errorf("%s, charge %s", canceled.Status, after.LatestCharge.Status)
	}
	_, err := l.api.Refunds.New(&stripe.RefundParams{Charge: stripe.String(pi.LatestCharge.ID)})
	wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest)
}

// A pending debit survives a restart.
func TestAPendingDebitSurvivesARestart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "stripe.json")
	l := start(t, stripelocal.Options{StatePath: path})
	pi := must[*stripe.PaymentIntent](t)(l.api.PaymentIntents.New(debit(l.iban("DE78370400440532013004"))))
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := start(t, stripelocal.Options{StatePath: path})
	again.time.Add(180)
	if after := again.intent(pi.ID); after.Status != "requires_payment_method" || after.LatestCharge.Status != "failed" {
		t.Errorf("afterwards %s, charge %s", after.Status, after.LatestCharge.Status)
	}
}

// A call can name the mandate of an earlier setup, and only that of its own account.
func TestAPaymentNamesItsMandate(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	c := l.createCustomer()
	setup := func(types ...string) (*stripe.SetupIntent, error) {
		return l.api.SetupIntents.New(&stripe.SetupIntentParams{
			Customer: stripe.String(c.ID), Confirm: stripe.Bool(true), PaymentMethod: stripe.String(l.iban("DE89370400440532013000").ID), PaymentMethodTypes: stripe.StringSlice(types),
			MandateData: &stripe.SetupIntentMandateDataParams{CustomerAcceptance: &stripe.SetupIntentMandateDataCustomerAcceptanceParams{Type: "offline"}},
		})
	}
	_, err := setup("card")
	wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest)
	first, second := must[*stripe.SetupIntent](t)(setup("sepa_debit")), must[*stripe.SetupIntent](t)(setup("sepa_debit"))
	pay := func(mandate string) (*stripe.PaymentIntent, error) {
		pm := must[*stripe.PaymentMethod](t)(l.api.PaymentMethods.Get(first.PaymentMethod.ID, nil))
		return l.api.PaymentIntents.New(debit(pm, func(p *stripe.PaymentIntentParams) {
			p.Customer, p.Mandate, p.MandateData = stripe.String(c.ID), stripe.String(mandate), nil
		}))
	}
	_, err = pay(second.Mandate.ID)
	wantError(t, err, 400, "payment_intent_mandate_invalid", stripe.ErrorTypeInvalidRequest)
	if pi := must[*stripe.PaymentIntent](t)(pay(first.Mandate.ID)); pi.Status != "processing" {
		t.Errorf("%s", pi.Status)
	}
	attempt := l.api.SetupAttempts.List(&stripe.SetupAttemptListParams{SetupIntent: stripe.String(first.ID)})
	if !attempt.Next() || attempt.SetupAttempt().PaymentMethodDetails.Type != "sepa_debit" {
		t.Error("the setup has no attempt with the account")
	}
}
