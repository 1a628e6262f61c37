package stripelocal

import "usher/stripelocal/wire"

// CashBalance is the money that a customer sent by bank transfer and that paid for nothing yet. Its
// ID is the customer's.
type CashBalance struct {
	Base
	Available          map[string]int64 // minor units by currency
	ReconciliationMode string           // automatic or manual; empty is the account's default, automatic
}

// CashTransaction is one change of a cash balance: a transfer from the customer's bank, or what a
// payment intent took or gave back.
type CashTransaction struct {
	Base
	Customer      string
	Currency      string
	EndingBalance int64
	NetAmount     int64
	PaymentIntent string `json:",omitzero"`
	Reference     string
}

// cashBalances serves /v1/customers/{customer}/cash_balance and its transactions.
type cashBalances struct{ *request }

func cashBalanceResource() resource {
	return resource{
		objectType: "cash_balance",
		routes: []route{
			on("GET /v1/customers/{customer}/cash_balance", "", cashBalances.get),
			on("POST /v1/customers/{customer}/cash_balance", "settings{reconciliation_mode:automatic|manual|merchant_default}", cashBalances.update),
		},
	}
}

func cashTransactionResource() resource {
	return resource{
		objectType: "customer_cash_balance_transaction",
		render: renderFrom(func(s *store) *table[*CashTransaction] { return s.CashTransactions },
			func(_ *request, x *CashTransaction) wire.Object { return x.render() }),
		routes: []route{
			on("GET /v1/customers/{customer}/cash_balance_transactions", pageParams, cashBalances.listTransactions),
			on("GET /v1/customers/{customer}/cash_balance_transactions/{id}", "", cashBalances.getTransaction),
			on("POST /v1/test_helpers/customers/{customer}/fund_cash_balance", "amount:int! currency:currency! reference", cashBalances.fund),
		},
	}
}

// find returns the balance of the path's customer, which may not be stored yet.
func (h cashBalances) find(in *input) (*CashBalance, error) {
	c, err := h.customerBalances.customer(in)
	if err != nil {
		return nil, err
	}
	return h.ofCustomer(c.ID), nil
}

func (h cashBalances) ofCustomer(customer string) *CashBalance {
	if x, ok := h.store.CashBalances.get(customer); ok {
		return x
	}
	return &CashBalance{Base: Base{ID: customer, Created: h.now}}
}

// checkDeletable rejects the deletion of a customer with a cash balance, even of 0 (API reference:
// cash balance; the wording is inferred).
func (h cashBalances) checkDeletable(customer string) error {
	if len(h.ofCustomer(customer).Available) > 0 {
		return wire.Invalid("", "", "You cannot delete a customer with a cash balance.")
	}
	return nil
}

// save stores a balance that is not stored yet.
func (h cashBalances) save(x *CashBalance) {
	if _, ok := h.store.CashBalances.get(x.ID); !ok {
		h.store.CashBalances.insert(x)
	}
}

func (h cashBalances) get(in *input) (any, error) {
	x, err := h.find(in)
	if err != nil {
		return nil, err
	}
	return x.render(), nil
}

func (h cashBalances) update(in *input) (any, error) {
	x, err := h.find(in)
	if err != nil {
		return nil, err
	}
	in.At("settings").SetString("reconciliation_mode", &x.ReconciliationMode)
	if x.ReconciliationMode == "merchant_default" {
		x.ReconciliationMode = ""
	}
	h.save(x)
	return x.render(), nil
}

// bankTransfer is the kind of transfer of a currency, with the details of a test transfer (API
// reference: cash balance transactions; those of currencies other than EUR are inferred).
func bankTransfer(currency string) (kind string, details wire.Object) {
	sender := wire.Object{"sender_name": "Sample Business"}
	switch currency {
	case "eur":
		return "eu_bank_transfer", wire.Object{"bic": "BANKDEAAXXX", "iban_last4": "7089", "sender_name": "Sample Business GmbH"}
	case "gbp":
		sender["account_number_last4"], sender["sort_code"] = "7089", "000000"
		return "gb_bank_transfer", sender
	case "jpy":
		sender["sender_bank"], sender["sender_branch"] = nil, nil
		return "jp_bank_transfer", sender
	case "mxn":
		return "mx_bank_transfer", nil
	case "usd":
		sender["network"] = "ach"
		return "us_bank_transfer", sender
	}
	return "", nil
}

// fund makes a test transfer arrive. Open payments take it; the rest stays available (docs: events,
// cash_balance.funds_available).
func (h cashBalances) fund(in *input) (any, error) {
	x, err := h.find(in)
	if err != nil {
		return nil, err
	}
	currency := in.String("currency")
	if kind, _ := bankTransfer(currency); kind == "" {
		return nil, wire.Invalid("", "currency", "The currency `"+currency+"` has no bank transfers. Use one of eur, gbp, jpy, mxn and usd.")
	}
	if in.Int("amount") < 1 {
		return nil, wire.Invalid("parameter_invalid_integer", "amount", "This value must be greater than or equal to 1.")
	}
	t := h.change(x, currency, in.Int("amount"))
	t.Reference = in.String("reference")
	h.emit("customer_cash_balance_transaction.created", t.render())
	h.bankTransfers.reconcile(x.ID, currency)
	if x.Available[currency] > 0 {
		h.emit("cash_balance.funds_available", x.render())
	}
	return t.render(), nil
}

func (h cashBalances) getTransaction(in *input) (any, error) {
	x, err := h.find(in)
	if err != nil {
		return nil, err
	}
	t, ok := h.store.CashTransactions.get(in.pathValue("id"))
	if !ok || t.Customer != x.ID {
		return nil, wire.NotFound("customer cash balance transaction", in.pathValue("id"), "transaction")
	}
	return t.render(), nil
}

func (h cashBalances) listTransactions(in *input) (any, error) {
	x, err := h.find(in)
	if err != nil {
		return nil, err
	}
	return listing[*CashTransaction]{
		resource: "customer cash balance transaction", table: h.store.CashTransactions, rows: h.store.CashTransactions.by("customer", x.ID), render: (*CashTransaction).render,
	}.page(in)
}

func (x *CashBalance) render() wire.Object {
	mode, available := x.ReconciliationMode, any(nil)
	if mode == "" {
		mode = "automatic"
	}
	if len(x.Available) > 0 {
		byCurrency := wire.Object{}
		for currency, amount := range x.Available {
			byCurrency[currency] = amount
		}
		available = byCurrency
	}
	return wire.Object{
		"object": "cash_balance", "available": available, "customer": x.ID, "livemode": false,
		"settings": wire.Object{"reconciliation_mode": mode, "using_merchant_default": x.ReconciliationMode == ""},
	}
}

func (t *CashTransaction) render() wire.Object {
	o := wire.Object{
		"id": t.ID, "object": "customer_cash_balance_transaction", "created": t.Created, "currency": t.Currency, "customer": wire.Ref("customer", t.Customer),
		"ending_balance": t.EndingBalance, "livemode": false, "net_amount": t.NetAmount, "type": t.kind(),
	}
	if t.PaymentIntent != "" {
		o[t.kind()] = wire.Object{"payment_intent": wire.Ref("payment_intent", t.PaymentIntent)}
		return o
	}
	kind, details := bankTransfer(t.Currency)
	transfer := wire.Object{"reference": wire.StringOrNull(t.Reference), "type": kind}
	if details != nil {
		transfer[kind] = details
	}
	o["funded"] = wire.Object{"bank_transfer": transfer}
	return o
}

func (t *CashTransaction) kind() string {
	switch {
	case t.PaymentIntent == "":
		return "funded"
	case t.NetAmount < 0:
		return "applied_to_payment"
	}
	return "unapplied_from_payment"
}
