package stripelocal

import (
	"cmp"
	"strings"

	"usher/stripelocal/wire"
)

// Bank accounts as payment methods: us_bank_account and sepa_debit. customer_balance, which pays by
// bank transfer, has no details.

const (
	bankAccountParams = "sepa_debit{iban!} us_bank_account{account_holder_type:company|individual account_number account_type:checking|savings routing_number} "
	testRoutingNumber = "110000000"
)

// methodKind is the type of the payment method.
func (p *PaymentMethod) methodKind() string {
	switch {
	case p.Type != "":
		return p.Type
	case p.IsBankAccount:
		return "us_bank_account"
	}
	return "card"
}

func (p *PaymentMethod) isCard() bool { return p.methodKind() == "card" }

// fromAccountParams creates a payment method that is no card. The parameters are those of POST
// /v1/payment_methods.
func (h paymentMethods) fromAccountParams(p wire.Params) (*PaymentMethod, error) {
	switch kind := p.String("type"); kind {
	case "sepa_debit":
		return h.fromSEPAParams(p)
	case "us_bank_account":
		return h.fromUSAccountParams(p)
	case "customer_balance":
		return h.insertAccount(&PaymentMethod{Type: kind, Brand: "bank transfer"}), nil
	}
	return nil, wire.Invalid("", p.Name("type"), "Invalid type: the local Stripe has card, customer_balance, sepa_debit and us_bank_account.")
}

// fromSEPAParams creates a payment method of an IBAN. Name and email are required (docs: SEPA
// Direct Debit); the wordings are inferred.
func (h paymentMethods) fromSEPAParams(p wire.Params) (*PaymentMethod, error) {
	iban := normalizeIBAN(p.At("sepa_debit").String("iban"))
	param := nameIn(p, "sepa_debit", "iban")
	switch {
	case iban == "":
		return nil, wire.MissingParam(param)
	case !validIBAN(iban):
		return nil, wire.Invalid("invalid_bank_account_iban", param, "The IBAN you entered is invalid.")
	case strings.HasSuffix(iban, "055555"):
		return nil, wire.Invalid("sepa_debit_bank_not_supported", param, "The bank of this account does not support SEPA Direct Debit.")
	case strings.HasSuffix(iban, "066666"):
		return nil, wire.Invalid("sepa_debit_debits_not_supported", param, "This account cannot be debited.")
	}
	for _, name := range []string{"email", "name"} {
		if !p.At("billing_details").Has(name) {
			return nil, wire.MissingParam(nameIn(p, "billing_details", name))
		}
	}
	return h.insertAccount(newSEPAAccount(iban)), nil
}

// nameIn is the full name of a parameter in a hash that may be absent.
func nameIn(p wire.Params, set, name string) string { return p.At(set).NameIn(p.Name(set), name) }

func newSEPAAccount(iban string) *PaymentMethod {
	return &PaymentMethod{Type: "sepa_debit", IsBankAccount: true, Number: iban, Brand: "SEPA debit"}
}

// fromUSAccountParams creates a payment method of a test account number, which microdeposits must
// verify.
func (h paymentMethods) fromUSAccountParams(p wire.Params) (*PaymentMethod, error) {
	account := p.At("us_bank_account")
	for _, name := range []string{"account_number", "routing_number"} {
		if !account.Has(name) {
			return nil, wire.MissingParam(nameIn(p, "us_bank_account", name))
		}
	}
	if account.String("routing_number") != testRoutingNumber {
		return nil, wire.Invalid("routing_number_invalid", account.Name("routing_number"), "You must use a test routing number, such as 110000000, in test mode.")
	}
	test, ok := usTestAccount(account.String("account_number"))
	if !ok {
		return nil, wire.Invalid("account_number_invalid", account.Name("account_number"), "You must use a test bank account number in test mode. Try using 000123456789 or see more options at https://stripe.com/docs/connect/testing#account-numbers.")
	}
	if !p.At("billing_details").Has("name") {
		return nil, wire.MissingParam(nameIn(p, "billing_details", "name"))
	}
	pm := newUSAccount(test.number)
	pm.Unverified, pm.HolderType, pm.AccountType = true, account.String("account_holder_type"), account.String("account_type")
	return h.insertAccount(pm), nil
}

func newUSAccount(number string) *PaymentMethod {
	return &PaymentMethod{IsBankAccount: true, Number: number, Brand: "bank debit"}
}

func (h paymentMethods) insertAccount(pm *PaymentMethod) *PaymentMethod {
	pm.Base, pm.Metadata = Base{ID: h.ids.longID("pm_1"), Created: h.now}, map[string]string{}
	h.store.PaymentMethods.insert(pm)
	return pm
}

// testAccountByToken creates the bank account of a test payment method. It is verified (a public
// test of Stripe's test mode).
func (h paymentMethods) testAccountByToken(token string) (*PaymentMethod, bool) {
	var pm *PaymentMethod
	if test, ok := usTestAccountByToken(token); ok {
		pm = newUSAccount(test.number)
	} else if iban, ok := sepaTestAccountByToken(token); ok {
		pm = newSEPAAccount(iban)
	} else {
		return nil, false
	}
	pm.Name, pm.Email = "Jenny Rosen", "jenny@example.com"
	return h.insertAccount(pm), true
}

// testAccount is what happens to the debits of a bank account. Checkout takes any US account
// number; those that are no test account are debited with success.
func (p *PaymentMethod) testAccount() testAccount {
	if p.Type == "sepa_debit" {
		return sepaTestAccount(p.Number)
	}
	if test, ok := usTestAccount(p.Number); ok {
		return test
	}
	return testAccount{number: p.Number, delay: testDebitDelay}
}

// asTestCard is what a test account shares with test cards: a dispute after the payment (docs: the
// reason is inferred).
func (p *PaymentMethod) asTestCard() testCard {
	if p.IsBankAccount && p.testAccount().disputed {
		return testCard{dispute: "debit_not_authorized"}
	}
	return testCard{}
}

// withAccount replaces the card hash of a payment method that is no card.
func (p *PaymentMethod) withAccount(o wire.Object) wire.Object {
	kind := p.methodKind()
	if kind == "card" {
		return o
	}
	delete(o, "card")
	o["type"], o[kind] = kind, p.accountHash()
	return o
}

func (p *PaymentMethod) accountHash() wire.Object {
	switch p.methodKind() {
	case "sepa_debit":
		o := p.sepaDetails()
		o["generated_from"] = wire.Object{"charge": nil, "setup_attempt": nil}
		return o
	case "us_bank_account":
		o := p.usAccountDetails()
		o["financial_connections_account"] = nil
		o["networks"] = wire.Object{"preferred": "ach", "supported": []any{"ach"}}
		o["status_details"] = wire.Object{}
		if blocked := blockedDetails(p.BlockedBy); blocked != nil {
			o["status_details"] = wire.Object{"blocked": blocked}
		}
		return o
	}
	return wire.Object{}
}

// accountDetails renders a charge's payment_method_details for a payment method that is no card.
func (h charges) accountDetails(p *PaymentMethod) wire.Object {
	details, kind := wire.Object{}, p.methodKind()
	switch kind {
	case "sepa_debit":
		details = p.sepaDetails()
		details["mandate"] = wire.StringOrNull(h.mandates.idOf(p))
	case "us_bank_account":
		details = p.usAccountDetails()
		details["payment_reference"], details["mandate"] = nil, wire.Ref("mandate", h.mandates.idOf(p))
	}
	return wire.Object{"type": kind, kind: details}
}

// sepaDetails are recorded by spree_stripe for a German account; the codes of other countries
// follow from the form of their IBANs.
func (p *PaymentMethod) sepaDetails() wire.Object {
	bank, branch := bankAndBranch(p.Number)
	return wire.Object{"bank_code": bank, "branch_code": branch, "country": p.Number[:2], "fingerprint": p.fingerprint(), "last4": p.last4()}
}

func (p *PaymentMethod) usAccountDetails() wire.Object {
	return wire.Object{
		"account_holder_type": cmp.Or(p.HolderType, "individual"), "account_type": cmp.Or(p.AccountType, "checking"), "bank_name": "LOCAL BANK",
		"fingerprint": p.fingerprint(), "last4": p.last4(), "routing_number": testRoutingNumber,
	}
}

// blockedDetails are the status_details of a bank account that a failure has blocked, or nil (docs:
// blocked bank accounts).
func blockedDetails(failure string) wire.Object {
	switch failure {
	case "account_closed":
		return wire.Object{"network_code": "R02", "reason": "bank_account_closed"}
	case "no_account":
		return wire.Object{"network_code": "R03", "reason": "bank_account_invalid_details"}
	case "debit_not_authorized":
		return wire.Object{"network_code": "R10", "reason": "debit_not_authorized"}
	}
	return nil
}
