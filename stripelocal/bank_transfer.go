package stripelocal

import (
	"maps"

	"usher/stripelocal/wire"
)

// BankTransfer is how a payment intent of type customer_balance is paid: the customer transfers
// money to the cash balance.
type BankTransfer struct {
	Type    string // such as eu_bank_transfer
	Country string // of eu_bank_transfer
	Funded  int64  // what the cash balance has paid so far, in minor units
}

// bankTransferParams take jp_bank_account too, which Stripe's command line tool sends.
const bankTransferParams = "customer_balance{bank_transfer{eu_bank_transfer{country!} type:eu_bank_transfer|gb_bank_transfer|jp_bank_account|jp_bank_transfer|mx_bank_transfer|us_bank_transfer!} funding_type:bank_transfer}? "

// bankTransfers pays payment intents from cash balances.
type bankTransfers struct{ *request }

// bankTransferFromParams reads payment_method_options[customer_balance].
func bankTransferFromParams(p wire.Params, was *BankTransfer) *BankTransfer {
	if p.String("funding_type") != "bank_transfer" {
		return was
	}
	transfer := p.At("bank_transfer")
	x := &BankTransfer{Type: transfer.String("type"), Country: transfer.At("eu_bank_transfer").String("country")}
	if x.Type == "jp_bank_account" {
		x.Type = "jp_bank_transfer"
	}
	return x
}

// check rejects an intent that no transfer can pay (the wordings are inferred).
func (h bankTransfers) check(pi *PaymentIntent) error {
	kind, _ := bankTransfer(pi.Currency)
	switch {
	case pi.Customer == "":
		return wire.Invalid("payment_intent_invalid_parameter", "customer", "You must provide a `customer` to confirm a PaymentIntent with a payment method of type customer_balance.")
	case pi.BankTransfer == nil || pi.BankTransfer.Type == "":
		return wire.MissingParam("payment_method_options[customer_balance][bank_transfer][type]")
	case pi.BankTransfer.Type != kind:
		return wire.Invalid("payment_intent_invalid_parameter", "payment_method_options[customer_balance][bank_transfer][type]", "The bank transfer type "+pi.BankTransfer.Type+" does not support the currency "+pi.Currency+".")
	}
	return nil
}

// confirm pays an intent from the cash balance as far as it goes. The rest is requested from the
// customer.
func (h bankTransfers) confirm(pi *PaymentIntent, pm *PaymentMethod) paymentOutcome {
	pi.PaymentMethod, pi.LastPaymentError, pi.Status = pm.ID, nil, "requires_action"
	if h.cashBalances.ofCustomer(pi.Customer).Available[pi.Currency] < pi.Amount {
		h.emit("payment_intent.requires_action", h.paymentIntents.render(pi))
	}
	h.reconcile(pi.Customer, pi.Currency)
	if pi.Status == "succeeded" {
		return outcomePaid
	}
	return outcomeRequiresAction
}

// reconcile pays the open intents of a customer from the cash balance, the oldest first (docs:
// reconciliation; that Stripe prefers exact amounts is left out).
func (h bankTransfers) reconcile(customer, currency string) {
	balance := h.cashBalances.ofCustomer(customer)
	if balance.ReconciliationMode == "manual" {
		return
	}
	for _, pi := range h.store.PaymentIntents.by("customer", customer) {
		if pi.BankTransfer != nil && pi.Status == "requires_action" && pi.Currency == currency {
			h.pay(pi, balance)
		}
	}
}

// pay pays what a balance has, at most the rest of an intent.
func (h bankTransfers) pay(pi *PaymentIntent, balance *CashBalance) {
	pm, ok := h.store.PaymentMethods.get(pi.PaymentMethod)
	amount := min(pi.Amount-pi.BankTransfer.Funded, balance.Available[pi.Currency])
	if !ok || amount <= 0 {
		return
	}
	h.move(pi, balance, -amount)
	if pi.BankTransfer.Funded == pi.Amount {
		h.paymentIntents.succeed(pi, pm)
		return
	}
	h.emit("payment_intent.partially_funded", h.paymentIntents.render(pi))
}

// giveBack returns to the balance what it has paid for a canceled intent.
func (h bankTransfers) giveBack(pi *PaymentIntent) {
	if pi.BankTransfer != nil && pi.BankTransfer.Funded > 0 {
		h.move(pi, h.cashBalances.ofCustomer(pi.Customer), pi.BankTransfer.Funded)
	}
}

// move changes a balance for an intent and records the change.
func (h bankTransfers) move(pi *PaymentIntent, balance *CashBalance, amount int64) {
	changed := *pi.BankTransfer
	changed.Funded -= amount
	pi.BankTransfer = &changed
	t := h.cashBalances.change(balance, pi.Currency, amount)
	t.PaymentIntent = pi.ID
	h.emit("customer_cash_balance_transaction.created", t.render())
}

// options are the payment_method_options of customer_balance.
func (x *BankTransfer) options() wire.Object {
	if x == nil {
		return wire.Object{"funding_type": nil}
	}
	transfer := wire.Object{"type": x.Type}
	if x.Country != "" {
		transfer["eu_bank_transfer"] = wire.Object{"country": x.Country}
	}
	return wire.Object{"bank_transfer": transfer, "funding_type": "bank_transfer"}
}

// nextAction asks for the rest of a payment. There is no account to transfer to: the test helper
// makes transfers arrive.
func (x *BankTransfer) nextAction(pi *PaymentIntent) wire.Object {
	return wire.Object{"type": "display_bank_transfer_instructions", "display_bank_transfer_instructions": wire.Object{
		"amount_remaining": pi.Amount - x.Funded, "currency": pi.Currency, "hosted_instructions_url": nil, "reference": nil, "type": x.Type,
	}}
}

// change changes a balance and stores the transaction, whose event the caller emits.
func (h cashBalances) change(x *CashBalance, currency string, amount int64) *CashTransaction {
	available := maps.Clone(x.Available)
	if available == nil {
		available = map[string]int64{}
	}
	available[currency] += amount
	x.Available = available
	h.save(x)
	t := &CashTransaction{
		Base: Base{ID: h.ids.longID("ccsbtxn_1"), Created: h.now}, Customer: x.ID, Currency: currency, EndingBalance: available[currency], NetAmount: amount,
	}
	h.store.CashTransactions.insert(t)
	return t
}
